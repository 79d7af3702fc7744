//! MariaDB, MySQL and PostgreSQL processes on loopback: shared ones named by the environment, private ones of a test.
//!
//! They keep the operating system's cache in place of fsync: killing a process loses nothing that way, and what a power
//! cut would do is not tested here.

mod certificate;
mod mariadb;
mod mysql;
mod postgres;

pub use certificate::Certificate;
pub use mariadb::MariaDb;
pub use mysql::Mysql;
pub use postgres::Postgres;

use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};

/// Where ports for servers are taken from: below those that the kernel gives to outgoing connections (from 32768 on), of which
/// tests open thousands. A server that is started again finds its port free.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
/// Ports tried before the search is given up.
const TRIES: usize = 1000;

/// A port of loopback that was free just now. Somebody may take it before the server does; starting then fails and says so.
///
/// # Panics
///
/// If there is none.
pub fn free_port() -> u16 {
    let mut ports = (0..TRIES).map(|_| PORTS.start + (random() % PORTS.len() as u64) as u16);
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("a free port on loopback")
}

/// A name for a database of one test, unlike that of any other.
pub fn database_name() -> String {
    format!("ct_{:x}_{:016x}", std::process::id(), random())
}

/// The port in an address of a server, which ends with it.
fn port_of(url: &str) -> u16 {
    let port = url.rsplit(':').next().and_then(|rest| rest.trim_end_matches('/').parse().ok());
    port.unwrap_or_else(|| panic!("no port in {url}"))
}

/// Another number each time, in every process. Every `RandomState` has keys of its own: that is all the randomness it takes.
fn random() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// The last lines of a server's log, for messages.
fn log_tail(path: &std::path::Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
