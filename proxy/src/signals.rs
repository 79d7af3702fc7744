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
    /// How often that was asked for: each time means not to wait any longer for what is waited for then.
    pub asked: watch::Receiver<u32>,
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
    let (asked_sender, asked) = watch::channel(0);
    let (reload_sender, reload) = mpsc::channel(1);
    tokio::spawn(forward_shutdown(terminate, interrupt, shutdown_sender, asked_sender));
    tokio::spawn(forward_reload(hang_up, reload_sender));
    Ok(Signals { shutdown, asked, reload })
}

/// How long behind another a signal is another wish. Starters may pass one wish on as two signals: the terminal's to a whole
/// group, and the death of the starter.
const TWICE: Duration = Duration::from_millis(500);

async fn forward_shutdown(
    mut terminate: Signal,
    mut interrupt: Signal,
    shutdown: watch::Sender<bool>,
    asked: watch::Sender<u32>,
) {
    let mut last = None;
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            // The senders live as long as somebody listens: a receiver whose sender is gone would look like a failure to
            // whoever waits on it.
            () = shutdown.closed() => return,
        };
        let now = Instant::now();
        match last {
            None => tracing::info!(signal = name, "shutting down"),
            Some(last) if now.duration_since(last) >= TWICE => {
                tracing::info!(signal = name, "shutting down without waiting: asked twice");
            }
            Some(_) => continue,
        }
        last = Some(now);
        asked.send_modify(|asked| *asked += 1);
        shutdown.send_replace(true);
    }
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
        assert_eq!(*signals.asked.borrow(), 1, "it was asked for once");
        send("-INT");
        let early = tokio::time::timeout(TWICE / 2, signals.asked.wait_for(|asked| *asked > 1)).await.is_ok();
        assert!(!early || began.elapsed() >= TWICE, "one wish may come as two signals");
        for times in [2, 3] {
            let again = tokio::time::timeout(Duration::from_secs(10), async {
                while *signals.asked.borrow() < times {
                    send("-INT");
                    let _ = tokio::time::timeout(TWICE / 4, signals.asked.changed()).await;
                }
            });
            again.await.expect("in time");
            assert_eq!(*signals.asked.borrow(), times);
        }
        send("-HUP");
        let reload = tokio::time::timeout(Duration::from_secs(10), signals.reload.recv());
        assert_eq!(reload.await.expect("in time"), Some(()), "reloads go on being noticed");
    }
}
