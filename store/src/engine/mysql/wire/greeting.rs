//! The first packets of a connection: what the server says of itself, and what we answer.

use super::answer::Shape;
use super::error::{ERROR, ServerError, WireError};
use super::fields::{Fields, put_string};

/// The version of the protocol.
const VERSION: u8 = 10;

/// utf8mb4_general_ci: what texts and messages are in until the session says otherwise.
const CHARSET: u8 = 45;

/// Longest packet we say we take, in bytes. Servers note it and do nothing about it.
const PACKET: u32 = 1 << 30;

/// Bits of what both sides can do.
mod can {
    /// On MariaDB its absence says that there are extended bits.
    pub(super) const LONG_PASSWORD: u32 = 1;
    pub(super) const LONG_FLAG: u32 = 1 << 2;
    pub(super) const DATABASE: u32 = 1 << 3;
    pub(super) const PROTOCOL_41: u32 = 1 << 9;
    pub(super) const TLS: u32 = 1 << 11;
    pub(super) const TRANSACTIONS: u32 = 1 << 13;
    pub(super) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(super) const MULTI_STATEMENTS: u32 = 1 << 16;
    pub(super) const MULTI_RESULTS: u32 = 1 << 17;
    pub(super) const PREPARED_MULTI_RESULTS: u32 = 1 << 18;
    pub(super) const LOGIN_PLUGINS: u32 = 1 << 19;
    pub(super) const NO_EOF: u32 = 1 << 24;
    /// Extended, of MariaDB: columns of a prepared statement are described once.
    pub(super) const KNOWN_COLUMNS: u32 = 1 << 4;
}

/// What we cannot do without.
const NEEDED: u32 = can::PROTOCOL_41
    | can::SECURE_CONNECTION
    | can::MULTI_STATEMENTS
    | can::MULTI_RESULTS
    | can::PREPARED_MULTI_RESULTS
    | can::LOGIN_PLUGINS;

/// What the server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Its number of the connection.
    pub(super) id: u32,
    /// Random bytes that passwords are proved with.
    pub(super) nonce: Vec<u8>,
    /// How it would like a password to be proved.
    pub(super) plugin: Vec<u8>,
    can: u32,
    extended: u32,
}

impl Greeting {
    /// Reads the packet.
    ///
    /// # Errors
    /// [`WireError::Server`] if the server lets nobody in; [`WireError::Malformed`] also for servers that are too old.
    pub(super) fn read(packet: &[u8]) -> Result<Self, WireError> {
        if packet.first() == Some(&ERROR) {
            return Err(ServerError::read(packet)?.into());
        }
        let mut fields = Fields::new(packet, "greeting");
        if fields.u8()? != VERSION {
            return Err(fields.wrong());
        }
        fields.until_zero()?;
        let id = fields.u32()?;
        let mut nonce = fields.take(8)?.to_vec();
        fields.skip(1)?;
        let low = fields.u16()?;
        // Charset and status.
        fields.skip(3)?;
        let can = u32::from(low) | u32::from(fields.u16()?) << 16;
        let length = usize::from(fields.u8()?);
        fields.skip(6)?;
        let extended = fields.u32()?;
        let extended = if can & can::LONG_PASSWORD == 0 { extended } else { 0 };
        if can & NEEDED != NEEDED {
            return Err(WireError::Malformed("greeting: it is too old"));
        }
        let rest = fields.take(length.saturating_sub(8).max(13))?;
        nonce.extend_from_slice(rest);
        // The last byte ends the text it is not.
        if nonce.last() == Some(&0) {
            nonce.pop();
        }
        let plugin = fields.until_zero().unwrap_or_else(|_| fields.rest()).to_vec();
        Ok(Self { id, nonce, plugin, can, extended })
    }

    /// Whether it offers encryption.
    pub(super) fn offers_tls(&self) -> bool {
        self.can & can::TLS != 0
    }

    /// How answers will look.
    pub(super) fn shape(&self) -> Shape {
        let no_eof = self.can & can::NO_EOF != 0;
        Shape { no_eof, known_columns: no_eof && self.extended & can::KNOWN_COLUMNS != 0 }
    }

    /// What we say we can do: all that we need, and of what we like, what the server can do, too.
    fn ours(&self, tls: bool, database: bool) -> u32 {
        let liked = can::LONG_PASSWORD | can::LONG_FLAG | can::TRANSACTIONS | can::NO_EOF;
        let asked = if tls { can::TLS } else { 0 } | if database { can::DATABASE } else { 0 };
        NEEDED | (liked & self.can) | asked
    }

    /// Appends what both our packets begin with.
    fn write_start(&self, out: &mut Vec<u8>, ours: u32) {
        out.extend_from_slice(&ours.to_le_bytes());
        out.extend_from_slice(&PACKET.to_le_bytes());
        out.push(CHARSET);
        out.extend_from_slice(&[0; 19]);
        let extended = if self.shape().known_columns { can::KNOWN_COLUMNS } else { 0 };
        out.extend_from_slice(&extended.to_le_bytes());
    }

    /// Appends the request to go on encrypted.
    pub(super) fn write_tls(&self, out: &mut Vec<u8>, database: bool) {
        self.write_start(out, self.ours(true, database));
    }

    /// Appends the login.
    pub(super) fn write_login(&self, out: &mut Vec<u8>, login: &Login<'_>) {
        self.write_start(out, self.ours(login.tls, login.database.is_some()));
        out.extend_from_slice(login.user.as_bytes());
        out.push(0);
        // A proof is at most 32 bytes long, so that its length is one byte under every convention.
        put_string(out, login.proof);
        if let Some(database) = login.database {
            out.extend_from_slice(database.as_bytes());
            out.push(0);
        }
        out.extend_from_slice(login.plugin.as_bytes());
        out.push(0);
    }
}

/// What a login says.
#[derive(Debug)]
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) proof: &'a [u8],
    pub(super) plugin: &'a str,
    pub(super) database: Option<&'a str>,
    pub(super) tls: bool,
}
