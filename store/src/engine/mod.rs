//! The engines: one [`Backend`](crate::Backend) per kind of database.
//!
//! What a statement says is in `sql`, what an existing cell means for a write is in [`settle`]; an engine adds how to
//! reach its database, how to keep the log head (CORRECTNESS C1), and how to tell its failures apart.

pub mod dsn;
pub mod mysql;
pub mod postgres;
pub mod server;
pub(crate) mod settle;
pub mod tls;
