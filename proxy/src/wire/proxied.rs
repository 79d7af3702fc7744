//! The header that a load balancer puts in front of a connection to say whose it is (PROXY protocol, versions 1 and 2).
//!
//! It is read before anything is sent: whoever is trusted to send one must. Its length is bounded, and so is the time for
//! it; what cannot be read ends the connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::error::{Violation, Wait, WireError};
use super::reader::{Malformed, Reader};
use super::stream::{BoxStream, Prefixed};

/// Longest header of version 1, its end of line included.
const LONGEST_TEXT: usize = 107;
/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Behind the signature: version and command, family and protocol, length of what follows.
const FIXED: usize = SIGNATURE.len() + 4;
/// Longest part of a version 2 header behind that. Addresses take at most 216 bytes; what follows them is not used.
const LONGEST_BINARY: usize = 2048;

/// A header that is all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// Whose connection it is; `None` if it is the sender's own (a health check), or not known.
    client: Option<SocketAddr>,
    /// Its length, in bytes.
    length: usize,
}

/// Reads the header of a connection. The address is the client's, if it is told.
///
/// # Errors
/// No header, a malformed one, or none in time.
pub async fn proxied(mut stream: BoxStream, until: Instant) -> Result<(BoxStream, Option<SocketAddr>), WireError> {
    let reading = async {
        let mut read = BytesMut::with_capacity(LONGEST_TEXT);
        loop {
            if let Some(header) = parse(&read).map_err(|Malformed| WireError::Protocol(Violation::BadProxyHeader))? {
                return Ok((header, read));
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Err(WireError::Closed);
            }
        }
    };
    let read = tokio::time::timeout_at(until, reading).await;
    let (Header { client, length }, mut read) = read.unwrap_or(Err(WireError::Timeout(Wait::Handshake)))?;
    read.advance(length);
    Ok((Box::new(Prefixed::on_behalf(read.freeze(), stream, client)), client))
}

/// The header that these bytes begin with; `None` if more of it is to come.
fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes[..known] == SIGNATURE[..known] {
        // An empty input is the beginning of either.
        if bytes.len() < FIXED { Ok(None) } else { parse_binary(bytes) }
    } else {
        parse_text(bytes)
    }
}

fn parse_text(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    const START: &[u8] = b"PROXY ";
    let known = bytes.len().min(START.len());
    if bytes[..known] != START[..known] {
        return Err(Malformed);
    }
    let within = &bytes[..bytes.len().min(LONGEST_TEXT)];
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if within.len() < LONGEST_TEXT { Ok(None) } else { Err(Malformed) };
    };
    let line = std::str::from_utf8(&within[START.len()..end]).map_err(|_| Malformed)?;
    let words: Vec<&str> = line.split(' ').collect();
    let client = match words[..] {
        // What follows is to be ignored.
        ["UNKNOWN", ..] => None,
        [family, source, _, port, _] => {
            let ip: IpAddr = source.parse().map_err(|_| Malformed)?;
            let port = port.parse().map_err(|_| Malformed)?;
            match (family, ip) {
                ("TCP4", IpAddr::V4(_)) | ("TCP6", IpAddr::V6(_)) => Some(SocketAddr::new(ip, port)),
                _ => return Err(Malformed),
            }
        }
        _ => return Err(Malformed),
    };
    Ok(Some(Header { client, length: end + 2 }))
}

fn parse_binary(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let [command, family, high, low] = bytes[SIGNATURE.len()..FIXED] else { return Err(Malformed) };
    let behind = usize::from(u16::from_be_bytes([high, low]));
    if behind > LONGEST_BINARY {
        return Err(Malformed);
    }
    let length = FIXED + behind;
    if bytes.len() < length {
        return Ok(None);
    }
    let mut fields = Reader::new(Bytes::copy_from_slice(&bytes[FIXED..length]));
    let client = match (command, family >> 4) {
        // Version 2, LOCAL: the sender speaks for itself.
        (0x20, _) => None,
        (0x21, 1) => {
            let source: [u8; 4] = fields.bytes(4)?[..].try_into().map_err(|_| Malformed)?;
            fields.skip(4)?;
            let port = fields.u16()?.swap_bytes();
            fields.skip(2)?;
            Some(SocketAddr::new(Ipv4Addr::from(source).into(), port))
        }
        (0x21, 2) => {
            let source: [u8; 16] = fields.bytes(16)?[..].try_into().map_err(|_| Malformed)?;
            fields.skip(16)?;
            let port = fields.u16()?.swap_bytes();
            fields.skip(2)?;
            Some(SocketAddr::new(Ipv6Addr::from(source).into(), port))
        }
        // A family that has no IP addresses.
        (0x21, _) => None,
        _ => return Err(Malformed),
    };
    Ok(Some(Header { client, length }))
}

/// Reads bytes as a header, for fuzzing: what it takes up is never more than there is.
pub(super) fn header_length(bytes: &[u8]) -> usize {
    parse(bytes).ok().flatten().map_or(0, |header| header.length)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn binary(command: u8, family: u8, behind: &[u8]) -> Vec<u8> {
        let length = (behind.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, behind].concat()
    }

    fn right() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0xd4, 0x31, 0x0c, 0xea];
        let mut v6 = [0; 36];
        v6[15] = 1;
        v6[33] = 7;
        vec![
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 54321 3306\r\n".to_vec(), Some("192.0.2.1:54321")),
            (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n".to_vec(), Some("[2001:db8::1]:1")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN whatever 1 2 3 4 5\r\n".to_vec(), None),
            (binary(0x21, 0x11, &v4), Some("192.0.2.1:54321")),
            (binary(0x21, 0x11, &[&v4[..], &[4, 0, 1, 0]].concat()), Some("192.0.2.1:54321")),
            (binary(0x21, 0x21, &v6), Some("[::1]:7")),
            (binary(0x21, 0x31, &[0; 216]), None),
            (binary(0x20, 0x00, &[]), None),
        ]
    }

    #[test]
    fn headers_of_both_versions_say_whose_connection_it_is() {
        for (bytes, client) in right() {
            let client = client.map(|client| client.parse().unwrap());
            let header = Header { client, length: bytes.len() };
            assert_eq!(parse(&bytes), Ok(Some(header)));
            assert_eq!(parse(&[&bytes[..], b"more"].concat()), Ok(Some(header)));
            for length in 0..bytes.len() {
                assert_eq!(parse(&bytes[..length]), Ok(None), "cut to {length}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_that_can_be_seen() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 100]].concat();
        for bytes in [
            &b"X"[..],
            b"PROXZ",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP6 192.0.2.1 192.0.2.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.1 1\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.1 65536 1\r\n",
            b"PROXY \xff\r\n",
            b"\r\n\r\nX",
            &long,
            &binary(0x22, 0x11, &[0; 12]),
            &binary(0x11, 0x11, &[0; 12]),
            &binary(0x21, 0x11, &[0; 11]),
            &binary(0x21, 0x11, &[0; LONGEST_BINARY + 1])[..FIXED],
        ] {
            assert_eq!(parse(bytes), Err(Malformed), "{bytes:02x?}");
        }
    }

    #[tokio::test]
    async fn what_follows_the_header_is_not_lost() {
        for (bytes, client) in right() {
            let (mut near, far) = tokio::io::duplex(1000);
            near.write_all(&bytes).await.unwrap();
            near.write_all(b"hello").await.unwrap();
            drop(near);
            let (mut stream, told) = proxied(Box::new(far), Instant::now() + Duration::from_secs(10)).await.unwrap();
            assert_eq!(told, client.map(|client| client.parse().unwrap()));
            assert_eq!(stream.peer(), told);
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"hello");
        }
    }

    #[tokio::test]
    async fn a_header_has_its_time_and_its_end() {
        let (near, far) = tokio::io::duplex(1000);
        let late = proxied(Box::new(far), Instant::now() + Duration::from_millis(20)).await;
        assert!(matches!(late, Err(WireError::Timeout(Wait::Handshake))));
        drop(near);
        let (near, far) = tokio::io::duplex(1000);
        drop(near);
        assert!(matches!(
            proxied(Box::new(far), Instant::now() + Duration::from_secs(10)).await,
            Err(WireError::Closed)
        ));
    }
}
