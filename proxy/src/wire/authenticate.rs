//! The exchange that proves a password.
//!
//! Two plugins are accepted in whichever the client answers with, because both hashes are stored. A client with any
//! other plugin is switched to `mysql_native_password`, which every client has. The answer of `caching_sha2_password`
//! can always be verified at once, so that its slow path is never asked for: there is no RSA key, and a password in clear
//! is taken over TLS only, from a client that sends it unasked.

use std::time::Duration;

use bytes::{BufMut, Bytes};
use tokio::time::Instant;

use super::error::{Wait, WireError};
use super::greeting::{CACHING_SHA2, NATIVE, Salt};
use super::packet::Channel;
use crate::auth::Verifier;

/// The two plugins whose answers can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plugin {
    Native,
    CachingSha2,
}

impl Plugin {
    /// The plugin of that name; without PLUGIN_AUTH a client can only mean `mysql_native_password`.
    pub(super) fn named(name: Option<&[u8]>) -> Option<Self> {
        match name {
            None => Some(Self::Native),
            Some(name) if name == NATIVE.as_bytes() => Some(Self::Native),
            Some(name) if name == CACHING_SHA2.as_bytes() => Some(Self::CachingSha2),
            Some(_) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Native => NATIVE,
            Self::CachingSha2 => CACHING_SHA2,
        }
    }
}

/// A scrambled password, and what it was scrambled with.
pub(super) struct Proof {
    pub(super) plugin: Plugin,
    pub(super) salt: Salt,
    pub(super) answer: Bytes,
}

/// What became of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted { fast_auth: bool },
    Denied { using_password: bool },
}

impl Proof {
    /// Asks for a proof by `plugin` over a fresh salt.
    pub(super) async fn request(
        channel: &mut Channel,
        plugin: Plugin,
        limit: usize,
        until: Instant,
    ) -> Result<Self, WireError> {
        let salt = Salt::fresh()?;
        channel.packet(|out| {
            out.put_u8(0xfe);
            out.put_slice(plugin.name().as_bytes());
            out.put_u8(0);
            out.put_slice(salt.as_bytes());
            out.put_u8(0);
        });
        let answer = channel.receive(limit, patience(until), Wait::Handshake).await?.ok_or(WireError::Closed)?;
        Ok(Self { plugin, salt, answer })
    }

    /// A proof that can be checked: of a user of whom only the hash of `mysql_native_password` is known, another
    /// plugin's answer cannot.
    pub(super) async fn checkable(
        self,
        verifier: Option<Verifier>,
        channel: &mut Channel,
        limit: usize,
        until: Instant,
    ) -> Result<Self, WireError> {
        match self.plugin {
            Plugin::CachingSha2 if verifier.is_some_and(|v| !v.knows_caching_sha2()) => {
                Self::request(channel, Plugin::Native, limit, until).await
            }
            Plugin::CachingSha2 | Plugin::Native => Ok(self),
        }
    }

    /// Checks it; `None` is an unknown user, who costs the same work. A client that sends the password itself instead of
    /// an answer, as the slow path of `caching_sha2_password` has it, may do so where it is encrypted (`secure`).
    pub(super) fn judge(&self, verifier: Option<Verifier>, secure: bool) -> Verdict {
        let known = verifier.is_some();
        let verifier = verifier.unwrap_or_else(Verifier::nobody);
        let salt = self.salt.as_bytes();
        let right = match self.plugin {
            Plugin::Native => verifier.verify_native(salt, &self.answer),
            Plugin::CachingSha2 => {
                let clear = self.answer.strip_suffix(&[0]).filter(|password| secure && !password.is_empty());
                verifier.verify_caching_sha2(salt, &self.answer)
                    || clear.is_some_and(|password| verifier.verify_password(password))
            }
        };
        let using_password = !(self.answer.is_empty() || self.answer[..] == [0]);
        if right & known {
            Verdict::Granted { fast_auth: using_password && self.plugin == Plugin::CachingSha2 }
        } else {
            Verdict::Denied { using_password }
        }
    }
}

/// "The password was right, send nothing more": what `caching_sha2_password` expects before the OK.
pub(super) fn write_fast_auth(channel: &mut Channel) {
    channel.packet(|out| out.put_slice(&[0x01, 0x03]));
}

/// What is left of the time until then.
pub(super) fn patience(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
