//! The exchange that proves a password.
//!
//! Two plugins are accepted in whichever the client answers with, because both hashes are stored. A client with any
//! other plugin is switched to `mysql_native_password`, which every client has. So is one that names it with an empty
//! answer, as C clients do that are to use it: they keep the salt of the greeting for the plugin that it names.
//!
//! The answer of `caching_sha2_password` can be verified at once. If it does not fit, the client is asked for the password
//! itself (the full exchange), as MySQL does: over TLS in clear, else encrypted with the key of the handler. That lets in
//! a client that hashes in another way, and one whose account has the hash of the other plugin only. A password in clear
//! is never taken without TLS.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use tokio::time::Instant;

use super::error::{Wait, WireError};
use super::greeting::{CACHING_SHA2, NATIVE, Salt};
use super::handler::Handler;
use super::packet::Channel;
use crate::auth::Verifier;
use crate::auth::login_key::LoginKey;

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

    /// This plugin, or the other one for a user whose answer of this one could not be checked: of whom only the hash of
    /// `mysql_native_password` is known, and some of those that do not exist are asked like them. Over TLS the full
    /// exchange can be, which needs nothing of the client that it may not have.
    pub(super) fn checkable<H: Handler>(self, handler: &H, user: &str, secure: bool) -> Self {
        match self {
            Self::CachingSha2 if !secure && needs_native(handler, user, secure) => Self::Native,
            Self::CachingSha2 | Self::Native => self,
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
        let answer = channel.receive(limit, patience(until)).await?.ok_or(WireError::Closed)?;
        Ok(Self { plugin, salt, answer })
    }

    /// A proof that can be checked: this one, or one by the other plugin ([`Plugin::checkable`]).
    pub(super) async fn checkable<H: Handler>(
        self,
        handler: &H,
        user: &str,
        channel: &mut Channel,
        limit: usize,
        until: Instant,
    ) -> Result<Self, WireError> {
        let secure = channel.stream().tls().is_some();
        let plugin = self.plugin.checkable(handler, user, secure);
        if plugin == self.plugin { Ok(self) } else { Self::request(channel, plugin, limit, until).await }
    }

    /// Checks it against a verifier, [`Verifier::nobody`] for a user that is not `known`, who costs the same work. A client that sends the password itself instead of
    /// an answer, as the slow path of `caching_sha2_password` has it, may do so where it is encrypted (`secure`).
    pub(super) fn judge(&self, verifier: &Verifier, known: bool, secure: bool) -> Verdict {
        let salt = self.salt.as_bytes();
        let right = match self.plugin {
            Plugin::Native => verifier.verify_native(salt, &self.answer),
            Plugin::CachingSha2 => {
                let clear = self.in_clear().filter(|_| secure);
                verifier.verify_caching_sha2(salt, &self.answer)
                    || clear.is_some_and(|password| verifier.verify_password(password))
            }
        };
        let using_password = self.uses_password();
        if right & known {
            Verdict::Granted { fast_auth: using_password && self.plugin == Plugin::CachingSha2 }
        } else {
            Verdict::Denied { using_password }
        }
    }

    /// Whether the answer says nothing of a user of whom only the other plugin's hash is known, so that the password itself
    /// is the one guess. Some users that do not exist are like them, as in [`Proof::checkable`].
    pub(super) fn says_nothing<H: Handler>(&self, handler: &H, user: &str, secure: bool) -> bool {
        // An answer that may be a password is judged as one.
        let is_scramble = self.has_more(secure) && self.in_clear().is_none();
        is_scramble && needs_native(handler, user, secure)
    }

    fn uses_password(&self) -> bool {
        !(self.answer.is_empty() || self.answer[..] == [0])
    }

    /// The answer as a password, if it may be one.
    fn in_clear(&self) -> Option<&[u8]> {
        self.answer.strip_suffix(&[0]).filter(|password| !password.is_empty())
    }

    /// Whether the answer was made of this password, so that judging both is judging one guess.
    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        let made = || {
            str::from_utf8(password).is_ok_and(|password| {
                Verifier::from_password(password).verify_caching_sha2(self.salt.as_bytes(), &self.answer)
            })
        };
        self.plugin == Plugin::CachingSha2 && made()
    }

    /// Whether the password itself may follow where the answer did not pass: not if it was the answer. What is as long as a
    /// scramble may be one: the last byte of every 256th is the nought that ends a password.
    pub(super) fn has_more(&self, secure: bool) -> bool {
        let was_password = || secure && self.answer.len() != SCRAMBLE && self.in_clear().is_some();
        match self.plugin {
            Plugin::Native => false,
            Plugin::CachingSha2 => self.uses_password() && !was_password(),
        }
    }

    /// Asks for the password itself; `None` if what comes is none, or the client would rather leave.
    pub(super) async fn password(
        &self,
        channel: &mut Channel,
        key: Option<Arc<LoginKey>>,
        limit: usize,
        until: Instant,
    ) -> Result<Option<Vec<u8>>, WireError> {
        let secure = channel.stream().tls().is_some();
        if !secure && key.is_none() {
            return Ok(None);
        }
        write_full_auth(channel);
        let Some(mut answer) = channel.receive(limit, patience(until)).await? else { return Ok(None) };
        let Some(key) = key.filter(|_| !secure) else { return Ok(answer.strip_suffix(&[0]).map(<[u8]>::to_vec)) };
        let pair = match key.pair().await {
            Ok(pair) => pair,
            Err(error) => {
                tracing::error!(%error, "a client without TLS cannot send its password: there is no key for it");
                return Ok(None);
            }
        };
        if answer[..] == PUBLIC_KEY_PLEASE {
            channel.packet(|out| {
                out.put_u8(MORE);
                out.put_slice(pair.public_pem().as_bytes());
            });
            let Some(encrypted) = channel.receive(limit, patience(until)).await? else {
                return Ok(None);
            };
            answer = encrypted;
        }
        let decrypted = tokio::time::timeout_at(until, key.decrypt(pair, answer)).await;
        let mut password = match decrypted.map_err(|_| WireError::Timeout(Wait::Handshake))? {
            Ok(Some(password)) => password,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::error!(%error, "a password could not be decrypted");
                return Ok(None);
            }
        };
        password.iter_mut().zip(self.salt.as_bytes().iter().cycle()).for_each(|(byte, salt)| *byte ^= salt);
        Ok((password.pop() == Some(0)).then_some(password))
    }
}

/// Whether only the hash of `mysql_native_password` is known of a user, or one that does not exist is like those.
fn needs_native<H: Handler>(handler: &H, user: &str, secure: bool) -> bool {
    match handler.verifier(user, secure) {
        Some(verifier) => !verifier.knows_caching_sha2(),
        None => handler.asks_for_native(user),
    }
}

/// Bytes of an answer of `caching_sha2_password`.
const SCRAMBLE: usize = 32;

/// The head of a packet that belongs to a plugin's exchange.
const MORE: u8 = 0x01;
/// What a client sends that has not got the public key.
const PUBLIC_KEY_PLEASE: [u8; 1] = [0x02];

/// "The answer did not do: send the password."
fn write_full_auth(channel: &mut Channel) {
    channel.packet(|out| out.put_slice(&[MORE, 0x04]));
}

/// "The password was right, send nothing more": what `caching_sha2_password` expects before the OK.
pub(super) fn write_fast_auth(channel: &mut Channel) {
    channel.packet(|out| out.put_slice(&[MORE, 0x03]));
}

/// What is left of the time until then.
pub(super) fn patience(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
