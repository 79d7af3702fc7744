//! Greeting a client and logging it in.

use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::authenticate::{Plugin, Proof, Verdict, patience, write_fast_auth};
use super::column::text_collation;
use super::error::{Violation, Wait, WireError};
use super::greeting::{Greeting, Salt, capabilities};
use super::handler::{ClientFlags, Handler, Login};
use super::limits::WireLimits;
use super::login::{FirstPacket, Identity, LoginPacket};
use super::packet::Channel;
use super::reader::Malformed;
use super::reply::{Client, write_error, write_status};
use super::stream::{BoxStream, Prefixed};
use crate::auth::Verifier;

/// A client that is logged in.
pub(super) struct Entered {
    pub(super) client: Client,
    pub(super) charset: u16,
    /// What the client answered the greeting by.
    pub(super) plugin: Plugin,
}

/// Greets a client and logs it in before `until`; `None` if it was refused, or left before it said anything (a port check).
pub(super) async fn enter<H: Handler>(
    channel: &mut Channel,
    greeting: &Greeting,
    limits: &WireLimits,
    handler: &mut H,
    until: Instant,
) -> Result<Option<Entered>, WireError> {
    let limit = limits.login_packet;
    let bad = |Malformed| WireError::Protocol(Violation::BadHandshake);
    let salt = Salt::fresh()?;
    channel.packet(|out| greeting.write(out, &salt, handler.status()));

    let offered = capabilities(greeting.tls.is_some());
    let Some(packet) = channel.receive(limit, patience(until)).await? else { return Ok(None) };
    let login = match (FirstPacket::read(packet, offered).map_err(bad)?, &greeting.tls) {
        (FirstPacket::Login(login), _) => login,
        (FirstPacket::SslRequest, None) => return Err(bad(Malformed)),
        (FirstPacket::SslRequest, Some(config)) => {
            let acceptor = TlsAcceptor::from(config.clone());
            let encrypted = channel.wrap(async |ahead, plain| {
                let stream = acceptor.accept(Prefixed::new(ahead, plain)).await?;
                Ok(Box::new(stream) as BoxStream)
            });
            let encrypted = tokio::time::timeout_at(until, encrypted).await;
            encrypted.map_err(|_| WireError::Timeout(Wait::Handshake))??;
            let packet = channel.receive(limit, patience(until)).await?.ok_or(WireError::Closed)?;
            match FirstPacket::read(packet, offered).map_err(bad)? {
                FirstPacket::Login(login) => login,
                FirstPacket::SslRequest => return Err(bad(Malformed)),
            }
        }
    };

    let LoginPacket { capabilities, identity, answer } = login;
    let proof = match Plugin::named(identity.plugin.as_deref()) {
        Some(plugin) => Proof { plugin, salt, answer },
        None => Proof::request(channel, Plugin::Native, limit, until).await?,
    };
    let plugin = proof.plugin;
    let proof = proof.checkable(handler.verifier(&identity.user), channel, limit, until).await?;
    let charset = identity.charset.unwrap_or_default();
    let client = Client { capabilities, text: text_collation(charset) };
    let entrance = Entrance::First { until, limit };
    let admitted = admit(channel, handler, client, charset, identity, proof, entrance).await?;
    Ok(admitted.then_some(Entered { client, charset, plugin }))
}

/// Whether a login is a connection's first; and by when it has to be through, and how long its packets may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    First {
        until: Instant,
        limit: usize,
    },
    /// A CHANGE_USER: the session before it has to be forgotten.
    Again {
        until: Instant,
        limit: usize,
    },
}

impl Entrance {
    fn bounds(self) -> (Instant, usize) {
        match self {
            Self::First { until, limit } | Self::Again { until, limit } => (until, limit),
        }
    }
}

/// Judges a proof, begins the session and answers; false if the client was refused.
///
/// Whoever failed before waits first, right or wrong, so that a guess costs time whatever came of it.
pub(super) async fn admit<H: Handler>(
    channel: &mut Channel,
    handler: &mut H,
    client: Client,
    charset: u16,
    identity: Identity,
    proof: Proof,
    entrance: Entrance,
) -> Result<bool, WireError> {
    let (until, limit) = entrance.bounds();
    let delay = handler.delay(&identity.user);
    if !delay.is_zero() {
        if delay > patience(until) {
            return Err(WireError::Timeout(Wait::Handshake));
        }
        tokio::time::sleep(delay).await;
    }
    let tls = channel.stream().tls();
    let mut verdict = proof.judge(handler.verifier(&identity.user), tls.is_some());
    if matches!(verdict, Verdict::Denied { .. }) && handler.look_again().await {
        verdict = proof.judge(handler.verifier(&identity.user), tls.is_some());
    }
    let fast_auth = match verdict {
        Verdict::Granted { fast_auth } => fast_auth,
        Verdict::Denied { using_password } => {
            let password = if proof.has_more(tls.is_some()) {
                let password = proof.password(channel, handler.login_key(), limit, until).await;
                if password.is_err() {
                    // A guess that is not waited for to be refused is one all the same.
                    drop(handler.denied(&identity.user, using_password));
                }
                password?
            } else {
                None
            };
            // Who is unknown costs the same work, as in `Proof::judge`.
            let verifier = handler.verifier(&identity.user);
            let known = verifier.is_some();
            let verifier = verifier.unwrap_or_else(Verifier::nobody);
            if !(password.is_some_and(|password| verifier.verify_password(&password)) & known) {
                write_error(channel, &handler.denied(&identity.user, using_password));
                return Ok(false);
            }
            false
        }
    };
    if fast_auth {
        write_fast_auth(channel);
    }
    let login = Login {
        user: identity.user,
        database: identity.database,
        charset,
        capabilities: ClientFlags::of(client.capabilities),
        attributes: identity.attributes,
        peer: channel.stream().peer(),
        tls,
    };
    match entrance {
        Entrance::First { .. } => {}
        Entrance::Again { .. } => drop(handler.reset().await),
    }
    match handler.login(&login).await {
        Ok(status) => {
            write_status(channel, client, status, handler.changes());
            Ok(true)
        }
        Err(error) => {
            write_error(channel, &error);
            Ok(false)
        }
    }
}
