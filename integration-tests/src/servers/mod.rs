//! MariaDB and PostgreSQL processes on loopback: shared ones named by the environment, private ones of a test.
//!
//! They keep the operating system's cache in place of fsync: killing a process loses nothing that way, and what a power
//! cut would do is not tested here.

mod certificate;
mod mariadb;
mod postgres;

pub use certificate::Certificate;
pub use mariadb::MariaDb;
pub use postgres::Postgres;

use std::net::{Ipv4Addr, TcpListener};

/// A port of loopback that was free just now. Somebody may take it before the server does; starting then fails and says so.
///
/// # Panics
///
/// If there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A name for a database of one test, unlike that of any other.
pub fn database_name() -> String {
    use std::hash::{BuildHasher, Hasher};
    // Every RandomState has keys of its own: that is all the randomness a name needs.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("ct_{:x}_{random:016x}", std::process::id())
}

/// The last lines of a server's log, for messages.
fn log_tail(path: &std::path::Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
