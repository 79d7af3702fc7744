//! The engines: one [`Backend`](crate::Backend) per kind of database.
//!
//! What a statement says is in `sql`, what an existing cell means for a write is in `settle`; an engine adds how to
//! reach its database, how to keep the log head (C1 of docs/ARCHITECTURE.md), and how to tell its failures apart.

pub(crate) mod addresses;
pub(crate) mod cell_name;
pub mod dsn;
pub mod memory;
pub mod mysql;
mod open;
pub mod postgres;
pub mod server;
pub(crate) mod settle;
pub mod sqlite;
pub mod tls;

pub use open::Engines;

use std::time::{SystemTime, UNIX_EPOCH};

/// The machine's clock: microseconds since 1970, UTC. For engines whose log head lives in this process, and for what
/// needs no agreement between machines.
pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
