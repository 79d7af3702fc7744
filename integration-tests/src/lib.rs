//! A running Cellgate, spoken to over TCP only, over real servers, with faults.
//!
//! A test makes a [`Deployment`] (which backends, which configuration), starts a [`Proxy`] on it (a process of the
//! built binary, on free ports), connects with a stock client and says what it expects. Servers shared by many tests are
//! started once by the `servers` program (`cargo xtask test` does so), which hands their addresses over in the environment; a
//! server that a test wants to kill is its own ([`servers::MariaDb::private`], [`servers::Postgres::private`]).
//!
//! Nothing here waits a fixed time to be right: what is waited for is asked for, with a deadline ([`wait::until`]).
//! This crate is test support, so a broken machine panics with a message; only what tests look into is a `Result`.

pub mod client;
pub mod clients;
pub mod deployment;
pub mod documents;
pub mod golden;
pub mod http;
pub mod load;
pub mod model;
pub mod process;
pub mod proxy;
pub mod random;
pub mod raw;
pub mod scratch;
pub mod servers;
pub mod settings;
pub mod wait;

pub use deployment::Deployment;
pub use proxy::Proxy;
