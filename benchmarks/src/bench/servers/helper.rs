//! Servers of this program: the echo and the relay.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use cellgate_integration_tests::process::Process;
use cellgate_integration_tests::servers::{log_tail, start_on_free_port};

use super::{loopback, ready, service};

/// A running helper.
#[derive(Debug)]
pub struct Helper {
    process: Process,
    port: u16,
}

impl Helper {
    /// An echo of these sizes.
    ///
    /// # Panics
    /// If it does not start.
    pub fn echo(dir: &Path, request: u64, answer: u64) -> Self {
        Self::start(dir, "echo", &[format!("--request-bytes={request}"), format!("--answer-bytes={answer}")])
    }

    /// A relay to `to` that delays each byte.
    ///
    /// # Panics
    /// If it does not start.
    pub fn relay(dir: &Path, to: SocketAddr, delay: Duration) -> Self {
        Self::start(dir, "relay", &[format!("--to={to}"), format!("--delay-us={}", delay.as_micros())])
    }

    fn start(dir: &Path, name: &str, arguments: &[String]) -> Self {
        std::fs::create_dir_all(dir).expect("a directory in the run's directory");
        let program = std::env::current_exe().expect("this program has a path");
        let log = dir.join("log");
        let (port, process) = start_on_free_port(|port| {
            let mut command = service(&program, None);
            command.arg(name).arg(format!("--listen=127.0.0.1:{port}")).args(arguments);
            Ok((port, ready(name, &mut command, &log, || log_tail(&log).contains("listening"))?))
        });
        Self { process, port }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}
