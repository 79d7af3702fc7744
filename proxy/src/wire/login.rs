//! The client's answer to the greeting, and CHANGE_USER.

use bytes::Bytes;
use mysql_common::constants::CapabilityFlags;

use super::reader::{Malformed, Reader};

/// The length of an SSLRequest: a login packet that stops before the user.
const SSL_REQUEST: usize = 4 + 4 + 1 + 23;

/// The client's first packet.
#[derive(Debug)]
pub(super) enum FirstPacket {
    /// TLS first, then the login.
    SslRequest,
    Login(LoginPacket),
}

/// A login as the client wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LoginPacket {
    /// What both sides can do: the client's flags masked with ours. Several clients set flags that were not offered,
    /// yet write the packet as if they had not.
    pub(super) capabilities: CapabilityFlags,
    pub(super) identity: Identity,
    /// The scrambled password.
    pub(super) answer: Bytes,
}

/// Who wants to be logged in, in a login as in a CHANGE_USER.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) user: String,
    pub(super) database: Option<String>,
    /// `None` in a CHANGE_USER that ends before it.
    pub(super) charset: Option<u16>,
    /// `None` without PLUGIN_AUTH.
    pub(super) plugin: Option<Bytes>,
    pub(super) attributes: Vec<(String, String)>,
}

impl FirstPacket {
    /// Reads the packet of a client that was offered `offered`.
    pub(super) fn read(packet: Bytes, offered: CapabilityFlags) -> Result<Self, Malformed> {
        let length = packet.len();
        let mut fields = Reader::new(packet);
        let capabilities = CapabilityFlags::from_bits_retain(fields.u32()?) & offered;
        if !capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
            return Err(Malformed);
        }
        let _longest_packet = fields.u32()?;
        let charset = fields.u8()?;
        fields.skip(23)?;
        if length == SSL_REQUEST && capabilities.contains(CapabilityFlags::CLIENT_SSL) {
            return Ok(Self::SslRequest);
        }
        let user = fields.nul_terminated()?;
        let answer = if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
            fields.lenenc_bytes()?
        } else if capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
            let length = fields.u8()?;
            fields.bytes(usize::from(length))?
        } else {
            fields.nul_terminated()?
        };
        let database = if capabilities.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB) {
            fields.nul_terminated_or_rest()
        } else {
            Bytes::new()
        };
        let plugin =
            capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH).then(|| fields.nul_terminated_or_rest());
        let identity = Identity {
            user: user_name(&user),
            database: (!database.is_empty()).then(|| text(&database)),
            charset: Some(u16::from(charset)),
            plugin,
            attributes: attributes(fields, capabilities),
        };
        Ok(Self::Login(LoginPacket { capabilities, identity, answer }))
    }
}

impl Identity {
    /// Reads what is behind the command byte of a CHANGE_USER. Its scrambled password is not kept: the salt it was
    /// made with has been used.
    pub(super) fn read_change_user(mut fields: Reader, capabilities: CapabilityFlags) -> Result<Self, Malformed> {
        let user = fields.nul_terminated()?;
        if capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
            let length = fields.u8()?;
            fields.skip(usize::from(length))?;
        } else {
            fields.nul_terminated()?;
        }
        let database = fields.nul_terminated_or_rest();
        let charset = if fields.is_empty() { None } else { Some(fields.u16()?) };
        let plugin = (capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) && !fields.is_empty())
            .then(|| fields.nul_terminated_or_rest());
        Ok(Self {
            user: user_name(&user),
            database: (!database.is_empty()).then(|| text(&database)),
            charset,
            plugin,
            attributes: attributes(fields, capabilities),
        })
    }
}

/// Longest name of a user, in characters.
const USER_CHARS: usize = 32;

/// As much of a user's name as one can have: as in MySQL, what is behind it is not looked at. It is in logs and errors before
/// anybody knows who it is.
fn user_name(bytes: &[u8]) -> String {
    text(bytes).chars().take(USER_CHARS).collect()
}

/// Names are in UTF-8; what is not cannot be the name of anything here, with or without replaced bytes.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Most bytes of connection attributes, as in MySQL.
const ATTRIBUTES_BYTES: usize = 64 * 1024;

/// Connection attributes only inform: those that cannot be read are dropped, and the login stands. So are all of them if they
/// are longer than [`ATTRIBUTES_BYTES`], for a CHANGE_USER has room for millions of empty ones.
fn attributes(mut fields: Reader, capabilities: CapabilityFlags) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    if !capabilities.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS) {
        return attributes;
    }
    let Some(block) = fields.lenenc_bytes().ok().filter(|block| block.len() <= ATTRIBUTES_BYTES) else {
        return attributes;
    };
    let mut block = Reader::new(block);
    while let (Ok(name), Ok(value)) = (block.lenenc_bytes(), block.lenenc_bytes()) {
        attributes.push((text(&name), text(&value)));
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a CHANGE_USER with a block of attributes of so many empty pairs is read as.
    fn changed(pairs: usize) -> Vec<(String, String)> {
        let mut packet = b"app\0\0shop\0\xff\0mysql_native_password\0\xfd".to_vec();
        packet.extend_from_slice(&(2 * pairs as u32).to_le_bytes()[..3]);
        packet.resize(packet.len() + 2 * pairs, 0);
        let capabilities = CapabilityFlags::CLIENT_SECURE_CONNECTION
            | CapabilityFlags::CLIENT_PLUGIN_AUTH
            | CapabilityFlags::CLIENT_CONNECT_ATTRS;
        let identity = Identity::read_change_user(Reader::new(packet.into()), capabilities).unwrap();
        assert_eq!((identity.user.as_str(), identity.database.as_deref()), ("app", Some("shop")));
        identity.attributes
    }

    #[test]
    fn attributes_of_more_than_64_kib_are_dropped() {
        assert_eq!(changed(2), [(String::new(), String::new()), (String::new(), String::new())]);
        assert_eq!(changed(ATTRIBUTES_BYTES / 2).len(), ATTRIBUTES_BYTES / 2);
        assert_eq!(changed(ATTRIBUTES_BYTES / 2 + 1), []);
    }
}
