//! MySQL's protocol by hand: for packets no driver would send.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest payload of one packet; a payload of exactly this is followed by another packet.
pub const PACKET_BYTES: usize = 0xff_ff_ff;

/// `LONG_PASSWORD | CONNECT_WITH_DB | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH`
const CAPABILITIES: u32 = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
/// What we say we take: a reply of 1 GiB.
const MAX_PACKET: u32 = 1 << 30;
const UTF8MB4_GENERAL_CI: u8 = 45;

/// Says that the client goes.
pub const COM_QUIT: u8 = 0x01;
/// Asks for a statement to be run.
pub const COM_QUERY: u8 = 0x03;
/// Asks for a sign of life.
pub const COM_PING: u8 = 0x0e;

/// A connection, byte by byte.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    sequence: u8,
}

/// The reply to a command, as far as its end can be found without understanding it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// OK.
    Ok,
    /// An error: its number.
    Error(u16),
    /// A result set: rows.
    Rows(u64),
}

impl Raw {
    /// Connects, and reads nothing yet. `limit` bounds every read and write: a peer that hangs is an error.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn connect(address: SocketAddr, limit: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, sequence: 0 })
    }

    /// Connects and logs in as `root` without password, database `test`.
    ///
    /// # Errors
    ///
    /// The socket's, and `PermissionDenied` if the server refuses.
    pub fn login(address: SocketAddr, limit: Duration) -> Result<Self> {
        Self::connect(address, limit)?.log_in()
    }

    /// Logs in a connection that has read nothing yet: [`Raw::login`] behind what was written before.
    ///
    /// # Errors
    ///
    /// The socket's, and `PermissionDenied` if the server refuses.
    pub fn log_in(self) -> Result<Self> {
        self.log_in_with(0)
    }

    /// Logs in with these capabilities, too.
    ///
    /// # Errors
    ///
    /// As [`Raw::log_in`].
    pub fn log_in_with(mut self, capabilities: u32) -> Result<Self> {
        self.read_packet()?;
        self.write_packet(&login_packet_with(capabilities))?;
        // The server may ask for another method first; an empty password is an empty answer in every one.
        for _ in 0..3 {
            match self.read_packet()?.first() {
                Some(0x00) => return Ok(self),
                Some(0xfe | 0x01) => self.write_packet(&[])?,
                Some(_) | None => return Err(ErrorKind::PermissionDenied.into()),
            }
        }
        Err(ErrorKind::PermissionDenied.into())
    }

    /// Reads one payload, however many packets it takes.
    ///
    /// # Errors
    ///
    /// The socket's; `UnexpectedEof` if the server closes.
    pub fn read_packet(&mut self) -> Result<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header)?;
            self.sequence = header[3].wrapping_add(1);
            let len = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
            let start = payload.len();
            payload.resize(start + len, 0);
            self.stream.read_exact(&mut payload[start..])?;
            if len < PACKET_BYTES {
                return Ok(payload);
            }
        }
    }

    /// Writes one payload, in as many packets as it takes.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn write_packet(&mut self, payload: &[u8]) -> Result<()> {
        let framed = frame(payload, &mut self.sequence);
        self.stream.write_all(&framed)
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a command: a new sequence starts.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn command(&mut self, command: u8, argument: &[u8]) -> Result<()> {
        self.sequence = 0;
        let mut payload = Vec::with_capacity(argument.len() + 1);
        payload.push(command);
        payload.extend_from_slice(argument);
        self.write_packet(&payload)
    }

    /// Reads a whole reply to `COM_QUERY` or `COM_PING`.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn reply(&mut self) -> Result<Reply> {
        let first = self.read_packet()?;
        match first.first() {
            Some(0x00) => return Ok(Reply::Ok),
            Some(0xff) => return Ok(Reply::Error(error_code(&first))),
            Some(_) => {}
            None => return Err(Error::new(ErrorKind::InvalidData, "an empty reply")),
        }
        // Columns, and the packet that ends them.
        while !is_eof(&self.read_packet()?) {}
        let mut rows = 0;
        loop {
            let packet = self.read_packet()?;
            if is_eof(&packet) {
                return Ok(Reply::Rows(rows));
            }
            if packet.first() == Some(&0xff) {
                return Ok(Reply::Error(error_code(&packet)));
            }
            rows += 1;
        }
    }

    /// Runs a statement.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn query(&mut self, statement: &[u8]) -> Result<Reply> {
        self.command(COM_QUERY, statement)?;
        self.reply()
    }

    /// Says that nothing more comes, and reads until the server has nothing more either. A server that closes roughly has
    /// closed as well.
    ///
    /// # Errors
    ///
    /// `TimedOut` / `WouldBlock` when the server neither answers nor closes: a hang.
    pub fn drain(mut self) -> Result<u64> {
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return Ok(0);
        }
        let mut buffer = [0; 16 * 1024];
        let mut total = 0;
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(total),
                Ok(len) => total += len as u64,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Err(error),
                Err(_) => return Ok(total),
            }
        }
    }
}

/// Cuts a payload into packets.
pub fn frame(payload: &[u8], sequence: &mut u8) -> Vec<u8> {
    let mut framed = Vec::with_capacity(payload.len() + 4);
    let mut rest = payload;
    loop {
        let (part, behind) = rest.split_at(rest.len().min(PACKET_BYTES));
        framed.extend_from_slice(&(part.len() as u32).to_le_bytes()[..3]);
        framed.push(*sequence);
        *sequence = sequence.wrapping_add(1);
        framed.extend_from_slice(part);
        if part.len() < PACKET_BYTES {
            return framed;
        }
        rest = behind;
    }
}

/// The login of `root` without a password.
pub fn login_packet() -> Vec<u8> {
    login_packet_with(0)
}

/// The same of a client that can do more.
fn login_packet_with(capabilities: u32) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend_from_slice(&(CAPABILITIES | capabilities).to_le_bytes());
    packet.extend_from_slice(&MAX_PACKET.to_le_bytes());
    packet.push(UTF8MB4_GENERAL_CI);
    packet.extend_from_slice(&[0; 23]);
    packet.extend_from_slice(b"root\0");
    packet.push(0);
    packet.extend_from_slice(b"test\0");
    packet.extend_from_slice(b"mysql_native_password\0");
    packet
}

fn is_eof(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

fn error_code(packet: &[u8]) -> u16 {
    match packet {
        [_, low, high, ..] => u16::from_le_bytes([*low, *high]),
        [] | [_] | [_, _] => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_exactly_the_longest_packet_is_followed_by_an_empty_one() {
        let mut sequence = 0;
        let framed = frame(&vec![7; PACKET_BYTES], &mut sequence);
        assert_eq!(framed.len(), PACKET_BYTES + 8);
        assert_eq!(framed[framed.len() - 4..], [0, 0, 0, 1]);
        assert_eq!(sequence, 2);
    }
}
