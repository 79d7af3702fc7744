//! A connection from its greeting to its end.
//!
//! The phases are values that consume one another: a channel is greeted and logged in ([`enter`]), which makes a
//! [`Ready`] connection, which runs until it ends. Nothing is read before the reply to the command before it has been
//! written.

use tokio::sync::watch;
use tokio::time::Instant;

use super::compress::Compressed;
use super::enter::enter;
use super::error::{ErrorReply, Wait, WireError};
use super::greeting::Greeting;
use super::handler::Handler;
use super::kill::KillSwitch;
use super::limits::WireLimits;
use super::packet::Channel;
use super::ready::Ready;
use super::reply::{write_error, write_refusal};
use super::stream::{BoxStream, Prefixed};

/// What can end a connection from outside.
#[derive(Clone, Debug)]
pub struct Lifetime {
    /// Becomes true when the server stops: then the running command is finished, and an open transaction; the next command is
    /// told 1053, and the connection of an idle client closed without a word.
    pub shutdown: watch::Receiver<bool>,
    /// This connection's.
    pub kill: KillSwitch,
    /// By when the login has to be through.
    pub login_by: Instant,
}

/// Serves one client until it quits, is refused or killed, or breaks the connection, or until the server stops.
///
/// # Errors
/// Why the connection could not go on. A client that was refused or that quit is none.
pub async fn serve<H: Handler>(
    stream: BoxStream,
    greeting: Greeting,
    limits: WireLimits,
    mut handler: H,
    mut lifetime: Lifetime,
) -> Result<(), WireError> {
    let mut channel = Channel::new(stream, limits.write_timeout)
        .with_read_timeout(limits.read_timeout)
        .with_kill(lifetime.kill.clone());
    let kill = lifetime.kill.clone();
    let killed = async {
        kill.connection_killed().await;
        tokio::time::sleep(limits.kill_grace).await;
    };
    let outcome = tokio::select! {
        biased;
        outcome = converse(&mut channel, &greeting, &limits, &mut handler, &mut lifetime) => outcome,
        () = killed => Err(WireError::Killed),
    };
    match &outcome {
        Ok(()) => channel.shut_down().await?,
        Err(error) => {
            if let Some(farewell) = error.farewell() {
                if let WireError::Timeout(Wait::Idle) = error {
                    channel.restart_sequence();
                }
                write_error(&mut channel, &farewell);
                // The reason for the end is `error`, not that the client no longer listens.
                let _told = channel.shut_down_lingering().await;
            }
        }
    }
    outcome
}

/// All that is said, but for the farewell of what breaks.
async fn converse<H: Handler>(
    channel: &mut Channel,
    greeting: &Greeting,
    limits: &WireLimits,
    handler: &mut H,
    lifetime: &mut Lifetime,
) -> Result<(), WireError> {
    let entered = tokio::select! {
        biased;
        () = stopped(&mut lifetime.shutdown) => {
            write_error(channel, &ErrorReply::shutting_down());
            return Ok(());
        }
        entered = enter(channel, greeting, limits, handler, lifetime.login_by) => entered?,
    };
    let Some(entered) = entered else { return Ok(()) };
    if let Some(algorithm) = entered.client.compression() {
        // Everything behind the OK of the login, both ways.
        channel.flush().await?;
        channel
            .wrap(async |ahead, plain| {
                Ok(Box::new(Compressed::new(Box::new(Prefixed::new(ahead, plain)), algorithm)) as _)
            })
            .await?;
        channel.ignore_order();
    }
    let mut ready = Ready::new(channel, handler, limits, entered);
    let ended = ready.run(lifetime).await;
    if let Err(WireError::TooLarge { .. }) = ended {
        ready.too_long();
    }
    ended
}

/// Sends an ERR in place of a greeting, e.g. 1040, and closes.
///
/// # Errors
/// The client is gone or takes nothing.
pub async fn refuse(stream: BoxStream, error: &ErrorReply) -> Result<(), WireError> {
    let mut channel = Channel::new(stream, WireLimits::default().handshake_timeout);
    write_refusal(&mut channel, error);
    channel.shut_down().await
}

/// Completes when the server stops; never if nobody can stop it any more.
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
