//! Signals, as channels.

use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// What the operating system asks for.
#[derive(Debug)]
pub struct Signals {
    /// Turns `true` with the first SIGTERM or SIGINT, and stays it.
    pub shutdown: watch::Receiver<bool>,
    /// Turns `true` with a later one, and stays it: whoever asks twice does not want to wait for what is running.
    pub at_once: watch::Receiver<bool>,
    /// A message per SIGHUP; those that come while one is waiting are the same wish.
    pub reload: mpsc::Receiver<()>,
}

/// Takes over SIGTERM, SIGINT and SIGHUP for the rest of the process's life. SIGPIPE is ignored by Rust's runtime.
///
/// Must be called within a runtime that runs as long as the answer is used.
///
/// # Errors
/// When the operating system refuses to install a handler.
pub fn listen() -> io::Result<Signals> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    let hang_up = signal(SignalKind::hangup())?;
    let (shutdown_sender, shutdown) = watch::channel(false);
    let (at_once_sender, at_once) = watch::channel(false);
    let (reload_sender, reload) = mpsc::channel(1);
    tokio::spawn(forward_shutdown(terminate, interrupt, shutdown_sender, at_once_sender));
    tokio::spawn(forward_reload(hang_up, reload_sender));
    Ok(Signals { shutdown, at_once, reload })
}

/// Returns once `shutdown` is `true`, or nobody is left who could turn it.
pub async fn told(shutdown: &mut watch::Receiver<bool>) {
    // What it answers borrows the channel's lock, which must not be held over an await of the caller's.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// How long behind the first a signal is another wish. Starters may pass one wish on as two signals: the terminal's to a whole
/// group, and the death of the starter.
const TWICE: Duration = Duration::from_millis(500);

async fn forward_shutdown(
    mut terminate: Signal,
    mut interrupt: Signal,
    shutdown: watch::Sender<bool>,
    at_once: watch::Sender<bool>,
) {
    let mut first = None;
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        match first {
            None => {
                first = Some(Instant::now());
                tracing::info!(signal = name, "shutting down");
                shutdown.send_replace(true);
            }
            Some(began) if began.elapsed() >= TWICE => {
                tracing::info!(signal = name, "shutting down at once: asked twice");
                at_once.send_replace(true);
                break;
            }
            Some(_) => {}
        }
    }
    // The senders stay alive: a receiver whose sender is gone would look like a failure to whoever waits on it.
    shutdown.closed().await;
}

async fn forward_reload(mut hang_up: Signal, reload: mpsc::Sender<()>) {
    while hang_up.recv().await.is_some() {
        match reload.try_send(()) {
            // A wish that is waiting already covers this one.
            Ok(()) | Err(mpsc::error::TrySendError::Full(())) => {}
            Err(mpsc::error::TrySendError::Closed(())) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Sends a signal to this very process, the way an operator would.
    fn send(name: &str) {
        let status = Command::new("kill").arg(name).arg(std::process::id().to_string()).status();
        assert!(status.expect("kill is there").success());
    }

    // One test, because the signals of a process reach every listener in it.
    #[tokio::test]
    async fn hangups_ask_for_a_reload_and_termination_for_a_shutdown_that_stays() {
        let mut signals = listen().expect("handlers can be installed");
        send("-HUP");
        let reload = tokio::time::timeout(Duration::from_secs(10), signals.reload.recv());
        assert_eq!(reload.await.expect("in time"), Some(()));
        assert!(!*signals.shutdown.borrow(), "a reload is no shutdown");
        let began = Instant::now();
        send("-TERM");
        let shutdown = tokio::time::timeout(Duration::from_secs(10), signals.shutdown.wait_for(|down| *down));
        assert!(*shutdown.await.expect("in time").expect("the sender lives"));
        assert!(!*signals.at_once.borrow(), "it was asked for once");
        send("-INT");
        let early = tokio::time::timeout(TWICE / 2, signals.at_once.wait_for(|down| *down)).await.is_ok();
        assert!(!early || began.elapsed() >= TWICE, "one wish may come as two signals");
        let at_once = tokio::time::timeout(Duration::from_secs(10), async {
            while !*signals.at_once.borrow() {
                send("-INT");
                let _ = tokio::time::timeout(TWICE / 4, signals.at_once.changed()).await;
            }
            signals.at_once.wait_for(|down| *down).await
        });
        assert!(*at_once.await.expect("in time").expect("the sender lives"));
        send("-HUP");
        let reload = tokio::time::timeout(Duration::from_secs(10), signals.reload.recv());
        assert_eq!(reload.await.expect("in time"), Some(()), "reloads go on being noticed");
    }
}
