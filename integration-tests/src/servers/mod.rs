//! MariaDB, MySQL and PostgreSQL processes on loopback: shared ones named by the environment, private ones of a test.
//!
//! They keep the operating system's cache in place of fsync: killing a process loses nothing that way, and what a power
//! cut would do is not tested here.

mod certificate;
pub mod haproxy;
mod instance;
pub mod mariadb;
mod mysql;
pub mod postgres;

pub use certificate::Certificate;
pub use haproxy::HaProxy;
pub use mariadb::MariaDb;
pub use mysql::Mysql;
pub use postgres::Postgres;

use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Where ports for servers are taken from if the kernel's are elsewhere: above those of well-known services.
const PORTS: Range<u16> = 15_000..32_000;
/// What the kernel gives to outgoing connections where it does not say.
const OUTGOING: (u16, u16) = (32_768, 60_999);
/// Fewer ports than that are no choice.
const FEWEST: usize = 2_000;
/// Ports tried before the search is given up.
const TRIES: usize = 1000;
/// Ports on which a new server is started before that is given up.
const STARTS: usize = 5;
/// What every server says of a port that is not free.
const TAKEN: &str = "Address already in use";

/// A port of loopback that was free just now, and none of those that the kernel gives to outgoing connections, of which tests
/// open thousands: a server that is started again finds its port free. Somebody may take it before the server does; starting
/// then fails and says so.
///
/// # Panics
///
/// If there is none.
pub fn free_port() -> u16 {
    let range = ports(&std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default());
    let mut ports = (0..TRIES).map(|_| range.start + (random() % range.len() as u64) as u16);
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("a free port on loopback")
}

/// Ports beside those that the kernel gives to outgoing connections, by its own text: the first and the last.
fn ports(outgoing: &str) -> Range<u16> {
    let mut bounds = outgoing.split_whitespace().filter_map(|bound| bound.parse().ok());
    let (first, last) = (bounds.next().unwrap_or(OUTGOING.0), bounds.next().unwrap_or(OUTGOING.1));
    let beside = [PORTS.start..PORTS.end.min(first), last.saturating_add(1).max(PORTS.start)..u16::MAX];
    // Where all are given away one has to do.
    beside.into_iter().find(|range| range.len() >= FEWEST).unwrap_or(PORTS)
}

/// Starts a new server on a free port, and on another one if somebody has taken that before it did. Answers what starting it did;
/// its error is the end of the server's log.
///
/// # Panics
///
/// If it does not start for another reason, or again and again.
pub fn start_on_free_port<T>(mut start: impl FnMut(u16) -> Result<T, String>) -> T {
    let mut taken = String::new();
    for _ in 0..STARTS {
        match start(free_port()) {
            Ok(started) => return started,
            Err(log) if log.contains(TAKEN) => taken = log,
            Err(log) => panic!("{log}"),
        }
    }
    panic!("{taken}")
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
pub fn log_tail(path: &std::path::Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_none_of_those_for_outgoing_connections() {
        assert_eq!(ports("32768\t60999\n"), PORTS);
        assert_eq!(ports(""), PORTS);
        assert_eq!(ports("20000\t60999\n"), 15_000..20_000);
        assert_eq!(ports("10000\t50000\n"), 50_001..u16::MAX);
        assert_eq!(ports("1024\t65535\n"), PORTS, "there are no others");
    }

    #[test]
    fn a_port_that_was_taken_meanwhile_is_left_for_another_one() {
        let mut ports = Vec::new();
        let port = start_on_free_port(|port| {
            ports.push(port);
            if ports.len() < 3 { Err(format!("it ended: {TAKEN}")) } else { Ok(port) }
        });
        assert_eq!((ports.len(), port), (3, ports[2]));
    }
}
