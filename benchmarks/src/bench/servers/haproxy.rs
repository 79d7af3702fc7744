//! HAProxy in TCP mode, with one thread, before one server.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use cellgate_integration_tests::process::{self, Process};
use cellgate_integration_tests::servers::haproxy::program;
use cellgate_integration_tests::servers::start_on_free_port;

use super::{loopback, ready, service};

/// A running HAProxy.
#[derive(Debug)]
pub struct HaProxy {
    process: Process,
    port: u16,
}

impl HaProxy {
    /// Starts one before the server on `to`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(dir: &Path, to: u16) -> Self {
        std::fs::create_dir_all(dir).expect("a directory in the run's directory");
        let (log, file) = (dir.join("log"), dir.join("haproxy.cfg"));
        let (port, process) = start_on_free_port(|port| {
            let text = format!(
                "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  \
                 timeout server 1h\nlisten mysql\n  bind 127.0.0.1:{port}\n  server one 127.0.0.1:{to}\n"
            );
            std::fs::write(&file, text).expect("a file in a new directory");
            // -db: in the foreground, one process.
            let mut command = service(program(), None);
            let answers = || TcpStream::connect(loopback(port)).is_ok();
            Ok((port, ready("HAProxy", command.args(["-db", "-f"]).arg(&file), &log, answers)?))
        });
        Self { process, port }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Its version, for the page.
pub fn version() -> String {
    let text = process::try_output(Command::new(program()).arg("-v")).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
