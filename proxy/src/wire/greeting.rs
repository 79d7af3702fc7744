//! The first packet of a connection, and the salts passwords are scrambled with.

use std::io;
use std::sync::Arc;

use bytes::BufMut;
use mysql_common::constants::CapabilityFlags;

use super::status::{Following, Status};

/// What a connection is greeted with.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// What `VERSION()` says too: drivers decide by either.
    pub server_version: String,
    /// What `CONNECTION_ID()` says too.
    pub connection_id: u32,
    /// With it, a client may ask for TLS before it logs in.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// utf8mb4_0900_ai_ci: what MySQL 8 greets with.
const DEFAULT_COLLATION: u8 = 255;

/// The plugin that the greeting names; see [`super::login`] for those that are accepted.
pub(super) const CACHING_SHA2: &str = "caching_sha2_password";
/// The plugin that every client has.
pub(super) const NATIVE: &str = "mysql_native_password";

/// What is offered, and no more than that: a client that sees a flag uses it. LONG_PASSWORD tells MariaDB's connectors
/// that this is not MariaDB, so that they do not read extended flags.
pub(super) fn capabilities(tls: bool) -> CapabilityFlags {
    let offered = CapabilityFlags::CLIENT_LONG_PASSWORD
        | CapabilityFlags::CLIENT_FOUND_ROWS
        | CapabilityFlags::CLIENT_LONG_FLAG
        | CapabilityFlags::CLIENT_CONNECT_WITH_DB
        | CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_TRANSACTIONS
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_MULTI_STATEMENTS
        | CapabilityFlags::CLIENT_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PS_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_CONNECT_ATTRS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
        | CapabilityFlags::CLIENT_COMPRESS
        | CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM
        | CapabilityFlags::CLIENT_INTERACTIVE
        | CapabilityFlags::CLIENT_SESSION_TRACK
        | CapabilityFlags::CLIENT_QUERY_ATTRIBUTES
        | CapabilityFlags::CLIENT_DEPRECATE_EOF;
    if tls { offered | CapabilityFlags::CLIENT_SSL } else { offered }
}

/// Twenty random bytes that a password is scrambled with, used once.
#[derive(Clone)]
pub(super) struct Salt([u8; 20]);

impl Salt {
    pub(super) fn fresh() -> io::Result<Self> {
        let mut salt = [0; 20];
        getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self::of(salt))
    }

    /// Clients take the salt for a zero-terminated string, and MySQL keeps `$` out of it because it parts the fields
    /// of stored hashes.
    fn of(random: [u8; 20]) -> Self {
        Self(random.map(|byte| match byte & 0x7f {
            0 => 1,
            b'$' => b'%',
            other => other,
        }))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Greeting {
    /// The payload of the greeting.
    pub(super) fn write(&self, out: &mut Vec<u8>, salt: &Salt, status: Status) {
        let capabilities = capabilities(self.tls.is_some()).bits();
        let (first, second) = salt.as_bytes().split_at(8);
        out.put_u8(10);
        // A zero byte would end the version early and shift all that follows.
        out.extend(self.server_version.bytes().filter(|byte| *byte != 0));
        out.put_u8(0);
        out.put_u32_le(self.connection_id);
        out.put_slice(first);
        out.put_u8(0);
        out.put_u16_le(capabilities as u16);
        out.put_u8(DEFAULT_COLLATION);
        out.put_u16_le(status.bits(Following::Last));
        out.put_u16_le((capabilities >> 16) as u16);
        out.put_u8(salt.as_bytes().len() as u8 + 1);
        // Not random, not even MariaDB's further capabilities: zero is what its connectors expect of MySQL.
        out.put_slice(&[0; 10]);
        out.put_slice(second);
        out.put_u8(0);
        out.put_slice(CACHING_SHA2.as_bytes());
        out.put_u8(0);
    }
}

#[cfg(test)]
mod tests {
    use mysql_common::io::ParseBuf;
    use mysql_common::packets::{AuthPlugin, HandshakePacket};
    use mysql_common::proto::MyDeserialize;

    use super::*;

    fn greeting() -> Greeting {
        Greeting { server_version: "8.0.36-cellgate-0.2.0".to_owned(), connection_id: 0x0102_0304, tls: None }
    }

    #[test]
    fn the_greeting_is_protocol_10_with_exactly_the_capabilities_that_work() {
        let salt = Salt::fresh().unwrap();
        let mut bytes = Vec::new();
        greeting().write(&mut bytes, &salt, Status::default());
        let packet = HandshakePacket::deserialize((), &mut ParseBuf(&bytes)).unwrap();
        assert_eq!(packet.protocol_version(), 10);
        assert_eq!(packet.server_version_str(), "8.0.36-cellgate-0.2.0");
        assert_eq!(packet.server_version_parsed(), Some((8, 0, 36)));
        assert_eq!(packet.connection_id(), 0x0102_0304);
        assert_eq!(packet.nonce(), salt.as_bytes());
        assert_eq!(packet.default_collation(), 255);
        assert_eq!(packet.status_flags().bits(), 0x0002);
        assert_eq!(packet.auth_plugin(), Some(AuthPlugin::CachingSha2Password));
        assert_eq!(packet.capabilities().bits(), 0x0dbf_a62f);
        assert_eq!(packet.mariadb_ext_capabilities().bits(), 0);
        for absent in [CapabilityFlags::CLIENT_SSL, CapabilityFlags::CLIENT_LOCAL_FILES] {
            assert!(!packet.capabilities().contains(absent), "{absent:?}");
        }
    }

    #[test]
    fn the_filler_is_zero_and_the_salt_is_terminated() {
        let salt = Salt::fresh().unwrap();
        let mut bytes = Vec::new();
        greeting().write(&mut bytes, &salt, Status::default());
        let version = greeting().server_version.len();
        let filler = 1 + version + 1 + 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1;
        assert_eq!(bytes[filler - 1], 21);
        assert_eq!(bytes[filler..filler + 10], [0; 10]);
        assert_eq!(bytes[filler + 10 + 12], 0);
        assert_eq!(&bytes[filler + 10 + 13..], b"caching_sha2_password\0");
    }

    #[test]
    fn tls_is_offered_exactly_if_there_is_a_certificate() {
        assert!(capabilities(true).contains(CapabilityFlags::CLIENT_SSL));
        assert_eq!(capabilities(true) - capabilities(false), CapabilityFlags::CLIENT_SSL);
    }

    #[test]
    fn a_salt_holds_no_zero_and_no_dollar() {
        for byte in 0..=255 {
            let Salt(salt) = Salt::of([byte; 20]);
            assert!(salt.iter().all(|byte| (1..=0x7f).contains(byte) && *byte != b'$'), "{byte}");
        }
        assert_ne!(Salt::fresh().unwrap().as_bytes(), Salt::fresh().unwrap().as_bytes());
    }
}
