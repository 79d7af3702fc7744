//! What goes wrong on the way to a server.

use std::io;

use thiserror::Error;

use super::fields::Fields;

/// Why a command has no answer, or one that says no.
#[derive(Debug, Error)]
pub(in crate::engine::mysql) enum WireError {
    /// The connection cannot be made, or ended.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The server closed it.
    #[error("the server closed the connection")]
    Closed,
    /// Bytes that are no answer. The connection is of no use any more.
    #[error("the server sent no valid {0}")]
    Malformed(&'static str),
    /// More than a packet may have.
    #[error("a packet of more than {max} bytes")]
    TooLong {
        /// The most there may be.
        max: usize,
    },
    /// A statement that was not sent.
    #[error("a statement cannot be sent: {0}")]
    Unsendable(&'static str),
    /// The server says no.
    #[error("{0}")]
    Server(ServerError),
    /// We do not log in the way the server asks for.
    #[error("{0}")]
    Login(LoginError),
}

/// Why a login ends before the server has decided.
#[derive(Debug, Error, PartialEq, Eq)]
pub(in crate::engine::mysql) enum LoginError {
    /// The server does not encrypt.
    #[error("the server does not offer TLS, and sslmode asks for it")]
    NoTls,
    /// It asks for another way to prove the password.
    #[error(
        "the server asks for the login plugin {name:?}; the user of a store must have mysql_native_password or \
         caching_sha2_password"
    )]
    Plugin {
        /// Its name.
        name: String,
    },
    /// Its key encrypts no password.
    #[error("the server's RSA key cannot be used; use sslmode=require or better")]
    Key,
    /// Not a name a certificate can be for.
    #[error("{host:?} is no name a certificate can be for")]
    Host {
        /// What was asked for.
        host: String,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// An error packet.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("ERROR {code} ({state}): {message}")]
pub(in crate::engine::mysql) struct ServerError {
    /// The server's number for it.
    pub(in crate::engine::mysql) code: u16,
    /// SQLSTATE; empty before a login.
    pub(in crate::engine::mysql) state: String,
    /// Its text.
    pub(in crate::engine::mysql) message: String,
}

/// First byte of an error packet.
pub(super) const ERROR: u8 = 0xff;

impl ServerError {
    /// Reads an error packet, its first byte included.
    pub(super) fn read(packet: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(packet, "error packet");
        fields.skip(1)?;
        let code = fields.u16()?;
        let rest = fields.rest();
        let (state, message) = match rest {
            [b'#', text @ ..] if text.len() >= 5 => text.split_at(5),
            text => (&b""[..], text),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Self { code, state: text(state), message: text(message) })
    }
}

impl From<ServerError> for WireError {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

impl From<LoginError> for WireError {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}
