//! .
pub mod cli;
pub mod config;
pub mod http;
pub mod logging;
pub mod signals;
