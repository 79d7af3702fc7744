//! The client side of `/readyz`: what a container's health check runs, so that an image needs no other program.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use thiserror::Error;

use crate::config::Address;

/// Longest wait for each step.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Most of an answer that is read, in bytes.
const ANSWER_BYTES: u64 = 64 * 1024;

/// Why a Cellgate is not known to be ready.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// Nobody answers there.
    #[error("{address} does not answer: {source}")]
    Unreachable {
        /// Where.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// It answers that it is not ready, or is no Cellgate.
    #[error("{address} is not ready: {answer}")]
    NotReady {
        /// Where.
        address: Address,
        /// Its answer: status line and body.
        answer: String,
    },
}

/// Asks the Cellgate whose HTTP address is `address` whether it is ready. Blocks, for a few seconds at most.
///
/// # Errors
/// [`ProbeError`] when it is not, or cannot be asked.
pub fn probe(address: &Address) -> Result<(), ProbeError> {
    let answer = ask(address).map_err(|source| ProbeError::Unreachable { address: address.clone(), source })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
    let status = head.lines().next().unwrap_or_default();
    if status.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(ProbeError::NotReady { address: address.clone(), answer: format!("{status} {}", body.trim()) })
}

fn ask(address: &Address) -> io::Result<String> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for place in (address.host(), address.port()).to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&place, TIMEOUT) {
            Ok(stream) => stream,
            Err(error) => {
                failure = error;
                continue;
            }
        };
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
        return Ok(String::from_utf8_lossy(&answer).into_owned());
    }
    Err(failure)
}
