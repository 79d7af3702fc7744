//! The servers that are compared: each a process of its own on loopback, with its data in the run's directory.
//!
//! They are started as a careful administrator would set them up for durable writes on a machine of two cores. What
//! is not the server's default stands in these files, and the page says it.

mod cellgate;
mod haproxy;
mod helper;
mod mariadb;
mod postgres;
mod spider;

pub use cellgate::{Cache, Cellgate};
pub use haproxy::HaProxy;
pub use helper::Helper;
pub use mariadb::{MariaDb, Threads};
pub use postgres::Postgres;
pub use spider::Spider;

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use cellgate_integration_tests::process::{self, Process};
use cellgate_integration_tests::servers::log_tail;
use cellgate_integration_tests::wait;

/// An address on loopback.
pub fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A command for a server, or a load, in a session of its own, as a service manager or a terminal of its own starts it.
///
/// Linux divides the processors between sessions (sched(7), autogroup) or control groups first, and between the threads of
/// each then. In one session, each of a server's threads for 64 connections has as much of a processor as the loader.
pub fn service(program: impl AsRef<OsStr>, user: Option<&str>) -> Command {
    let mut command = process::tethered("setsid", user);
    command.arg(program);
    command
}

/// Starts a command with its output in a file.
///
/// # Panics
/// If it cannot be started.
fn start(command: &mut Command, log: &Path) -> Process {
    let open = || File::options().create(true).append(true).open(log).expect("a log file in the run's directory");
    Process::spawn(command.stdin(Stdio::null()).stdout(open()).stderr(open()))
}

/// Starts a command, as [`start`], and waits until `ask` succeeds.
///
/// # Errors
/// The end of its log, if the process ends first.
///
/// # Panics
/// If it cannot be started, or takes too long.
fn ready(what: &str, command: &mut Command, log: &Path, mut ask: impl FnMut() -> bool) -> Result<Process, String> {
    let mut process = start(command, log);
    wait::until(what, wait::PATIENCE, || {
        if let Some(status) = process.ended() {
            return Some(Err(format!("{what} ended with {status}:\n{}", log_tail(log))));
        }
        ask().then_some(Ok(()))
    })?;
    Ok(process)
}

/// The versions of what is compared, for the page.
pub fn versions() -> Vec<String> {
    vec![mariadb::version(), postgres::version(), haproxy::version()]
}
