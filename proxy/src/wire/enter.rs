//! Greeting a client and logging it in.

use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
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

/// What a login that had to wait has left for its judgement, at most.
const JUDGEMENT: Duration = Duration::from_secs(1);

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
        // Nothing was said yet: C clients do not answer to the salt of another plugin, and wait to be asked. Who has no
        // password says so once more.
        Some(Plugin::Native) if identity.plugin.is_some() && answer.is_empty() => {
            Proof::request(channel, Plugin::Native, limit, until).await?
        }
        Some(plugin) => Proof { plugin, salt, answer },
        None => Proof::request(channel, Plugin::Native, limit, until).await?,
    };
    let plugin = proof.plugin;
    let proof = proof.checkable(handler, &identity.user, channel, limit, until).await?;
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

/// The verifier of a user, and whether there is one: who is unknown costs the same work.
fn verifier_of<H: Handler>(handler: &H, user: &str, secure: bool) -> (Verifier, bool) {
    match handler.verifier(user, secure) {
        Some(verifier) => (verifier, true),
        None => (Verifier::nobody(), false),
    }
}

/// Waits as long as failures of before ask for, less what was `waited` already, and in turns. Who has a turn is judged
/// before `until`, however long the wait should be; but the turn is over when the login is judged and the whole wait is
/// over. So whoever comes late, or gets a turn late, guesses no faster.
async fn wait<H: Handler>(
    handler: &H,
    user: &str,
    until: Instant,
    waited: Duration,
) -> Result<Option<OwnedSemaphorePermit>, WireError> {
    if handler.delay(user) <= waited {
        return Ok(None);
    }
    // What comes behind the wait takes some time, too.
    let last = until - (patience(until) / 4).min(JUDGEMENT);
    let turn = match handler.turns(user) {
        Some(turns) => {
            let turn = tokio::time::timeout_at(last, turns.acquire_owned()).await;
            turn.map_err(|_| WireError::Timeout(Wait::Handshake))?.ok()
        }
        None => None,
    };
    let began = Instant::now();
    // Others that fail meanwhile make it longer.
    loop {
        let over = began + handler.delay(user).saturating_sub(waited);
        let now = Instant::now();
        if over <= now {
            return Ok(turn);
        }
        if last <= now {
            tokio::spawn(async move {
                tokio::time::sleep_until(over).await;
                drop(turn);
            });
            return Ok(None);
        }
        tokio::time::sleep_until(over.min(last)).await;
    }
}

/// A login whose answer was denied, or said nothing: by what it is judged further, and what it has waited for already.
struct Judgement<'a> {
    identity: &'a Identity,
    proof: &'a Proof,
    /// Whether the answer said nothing: then what is judged, waits and counts is the password alone.
    asks: bool,
    had_to_wait: bool,
    waited: Duration,
    secure: bool,
    until: Instant,
    limit: usize,
}

impl Judgement<'_> {
    /// Asks for the password, if the client has more to say, and judges it: the verifier that it is right by, or `None` when
    /// the client was refused. `turn` is let go of meanwhile, and is the one that was waited for for the password, if any.
    async fn by_password<H: Handler>(
        &self,
        channel: &mut Channel,
        handler: &mut H,
        using_password: bool,
        turn: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Option<Verifier>, WireError> {
        let Self { identity, proof, secure, until, .. } = *self;
        // Who takes long to answer keeps nobody's turn.
        drop(turn.take());
        let password = if proof.has_more(secure) {
            let password = proof.password(channel, handler.login_key(), self.limit, until).await;
            if password.is_err() {
                // A guess that is not waited for to be refused is one all the same.
                drop(handler.denied(&identity.user, using_password, secure));
            }
            password?
        } else {
            None
        };
        // A password is one guess, whose turn it was before if it is the one that the answer was made of. Who had not to wait
        // then may have to now, for others that failed since: many that are asked at once guess no faster either.
        if password.as_ref().is_some_and(|password| !(self.had_to_wait && proof.is_of(password))) {
            *turn = wait(handler, &identity.user, until, self.waited).await?;
        }
        let judge = |verifier: &Verifier, known| {
            password.as_ref().is_some_and(|password| verifier.verify_password(password)) & known
        };
        let (mut verifier, mut known) = verifier_of(handler, &identity.user, secure);
        let mut right = judge(&verifier, known);
        if self.asks && !right {
            handler.failed(&identity.user);
            if handler.look_again().await {
                (verifier, known) = verifier_of(handler, &identity.user, secure);
                right = judge(&verifier, known);
            }
        }
        if !right {
            write_error(channel, &handler.denied(&identity.user, using_password, secure));
            return Ok(None);
        }
        Ok(Some(verifier))
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
    let tls = channel.stream().tls();
    let secure = tls.is_some();
    // Then what is judged, waits and counts is the password alone.
    let asks = proof.says_nothing(handler, &identity.user, secure);
    let began = Instant::now();
    let had_to_wait = !asks && !handler.delay(&identity.user).is_zero();
    let mut turn = if asks { None } else { wait(handler, &identity.user, until, Duration::ZERO).await? };
    let waited = if asks { Duration::ZERO } else { began.elapsed() };
    let (mut verifier, mut known) = verifier_of(handler, &identity.user, secure);
    let mut verdict = Verdict::Denied { using_password: true };
    if !asks {
        verdict = proof.judge(&verifier, known, secure);
        if matches!(verdict, Verdict::Denied { .. }) {
            // At once, so that others that come at the same time wait for it.
            handler.failed(&identity.user);
        }
        if matches!(verdict, Verdict::Denied { .. }) && handler.look_again().await {
            (verifier, known) = verifier_of(handler, &identity.user, secure);
            verdict = proof.judge(&verifier, known, secure);
        }
    }
    let fast_auth = match verdict {
        Verdict::Granted { fast_auth } => fast_auth,
        Verdict::Denied { using_password } => {
            let judgement =
                Judgement { identity: &identity, proof: &proof, asks, had_to_wait, waited, secure, until, limit };
            match judgement.by_password(channel, handler, using_password, &mut turn).await? {
                Some(right) => verifier = right,
                None => return Ok(false),
            }
            false
        }
    };
    drop(turn);
    if let Some(error) = handler.barred(&identity.user) {
        write_error(channel, &error);
        return Ok(false);
    }
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
        verifier,
    };
    begin(channel, handler, client, &login, entrance).await
}

/// Begins the session of who was admitted; false if the account lets nobody in now.
async fn begin<H: Handler>(
    channel: &mut Channel,
    handler: &mut H,
    client: Client,
    login: &Login,
    entrance: Entrance,
) -> Result<bool, WireError> {
    match entrance {
        Entrance::First { .. } => {}
        Entrance::Again { .. } => drop(handler.reset().await),
    }
    match handler.login(login).await {
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
