//! The proxy: MySQL's protocol in front, the cell dialect behind it.

pub mod access;
pub mod auth;
pub mod catalog;
pub mod cli;
pub mod config;
mod der;
mod descriptors;
pub mod errors;
mod files;
pub mod http;
pub mod incidents;
pub mod locks;
pub mod logging;
pub mod places;
pub mod plans;
pub mod processes;
pub mod program;
pub mod relational;
pub mod server;
pub mod session;
pub mod signals;
pub mod tls;
mod until;
pub mod version;
pub mod wire;
pub mod zones;
