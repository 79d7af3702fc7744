//! HAProxy before proxies.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;

use super::{log_tail, start_on_free_port};
use crate::Proxy;
use crate::process::{self, Process};
use crate::scratch::Scratch;
use crate::wait;

/// A running HAProxy.
#[derive(Debug)]
pub struct HaProxy {
    address: SocketAddr,
    _process: Process,
    _scratch: Scratch,
}

impl HaProxy {
    /// Starts one before these proxies, set up as docs/OPERATIONS.md does it but for shorter times between its questions.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn before(proxies: &[&Proxy]) -> Self {
        let servers: String = proxies
            .iter()
            .map(|proxy| format!("  server p{} {} port {}\n", proxy.id(), proxy.mysql(), proxy.http().port()))
            .collect();
        let scratch = Scratch::new();
        let (file, log) = (scratch.join("haproxy.cfg"), scratch.join("log"));
        let (address, process) = start_on_free_port(|port| {
            let text = format!(
                "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 9h\n  timeout server 9h\nlisten cellgate\n  \
                 bind 127.0.0.1:{port}\n  balance leastconn\n  retries 3\n  option redispatch 1\n  \
                 option httpchk GET /readyz\n  http-check expect status 200\n  \
                 default-server check inter 200ms fall 2 rise 2\n{servers}"
            );
            std::fs::write(&file, text).expect("a file in a new directory");
            let open = || File::options().create(true).append(true).open(&log).expect("a log file");
            // -db: in the foreground, one process.
            let mut command = process::tethered(program(), None);
            command.args(["-db", "-f"]).arg(&file).stdout(open()).stderr(open());
            let mut process = Process::spawn(&mut command);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            wait::until("HAProxy to listen", wait::PATIENCE, || {
                if let Some(status) = process.ended() {
                    return Some(Err(format!("HAProxy ended with {status}:\n{}", log_tail(&log))));
                }
                TcpStream::connect(address).is_ok().then_some(Ok(()))
            })?;
            Ok((address, process))
        });
        Self { address, _process: process, _scratch: scratch }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Debian keeps it where only administrators look.
pub fn program() -> PathBuf {
    let place = PathBuf::from("/usr/sbin/haproxy");
    if place.is_file() { place } else { "haproxy".into() }
}
