//! SIGHUP: the configuration is read again, and what can change at once is taken over.
//!
//! Reading waits for file systems, which may hang: it is done beside the program, which can be stopped meanwhile. One reading
//! is under way at a time.

use tokio::task::JoinSet;

use super::warn_of;
use crate::config::{Config, ConfigError};
use crate::logging::{ASKED_FOR, LogHandle};
use crate::server::Server;

/// What reading a configuration gives.
type Loaded = Result<Config, ConfigError>;

/// Reads the configuration whenever it is asked to.
pub(super) struct Reloading<R> {
    reading: R,
    /// The reading under way, if there is one.
    under_way: JoinSet<Loaded>,
    /// Whether it was asked for since that began, which may have read what was there before.
    again: bool,
}

impl<R: FnOnce() -> Loaded + Clone + Send + 'static> Reloading<R> {
    pub(super) fn new(reading: R) -> Self {
        Self { reading, under_way: JoinSet::new(), again: false }
    }

    /// Begins to read, or reads again when the reading under way is over.
    pub(super) fn ask(&mut self) {
        if self.under_way.is_empty() {
            self.under_way.spawn_blocking(self.reading.clone());
        } else {
            tracing::warn!(
                target: ASKED_FOR,
                "the configuration is being read already; it is read again behind that"
            );
            self.again = true;
        }
    }

    /// What has been read, once it has; `None` at once if nobody has asked. Dropped before, it loses nothing.
    pub(super) async fn read(&mut self) -> Option<Loaded> {
        loop {
            let read = self.under_way.join_next().await?;
            if std::mem::take(&mut self.again) {
                self.under_way.spawn_blocking(self.reading.clone());
            }
            match read {
                Ok(loaded) => return Some(loaded),
                // The log has the panic.
                Err(error) => tracing::error!(%error, "the configuration is not reloaded"),
            }
        }
    }
}

/// Takes over what can change, names what cannot.
pub(super) fn reload_config(server: &Server, log: &LogHandle, loaded: Loaded) {
    let new = match loaded {
        Ok(new) => new,
        Err(error) => {
            tracing::error!(%error, "the configuration is not reloaded");
            return;
        }
    };
    warn_of(&new);
    let old = server.config();
    let changes = Config::diff(&old, &new);
    if !changes.needs_restart.is_empty() {
        tracing::warn!(target: ASKED_FOR, keys = changes.needs_restart.join(", "), "these changes need a restart");
    }
    let reloaded = old.reloaded(&new);
    if let Err(error) = log.set_level(reloaded.log.level) {
        tracing::warn!(target: ASKED_FOR, %error, "the log level is not changed");
    }
    server.reload(reloaded);
    tracing::info!(target: ASKED_FOR, keys = changes.reloadable.join(", "), "configuration reloaded");
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::Overrides;

    #[tokio::test]
    async fn a_reading_that_hangs_keeps_nobody_waiting_and_who_asks_meanwhile_gets_one_more() {
        let (go_on, gate) = channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let mut reloading = Reloading::new(move || {
            gate.lock().expect("not poisoned").recv().expect("told");
            Config::parse("", None, &|_| None, &Overrides::default())
        });
        assert!(reloading.read().await.is_none(), "nobody has asked");
        for _ in 0..3 {
            reloading.ask();
        }
        tokio::select! {
            biased;
            read = reloading.read() => panic!("{read:?}"),
            () = std::future::ready(()) => {}
        }
        for _ in 0..2 {
            go_on.send(()).expect("awaited");
            assert!(matches!(reloading.read().await, Some(Ok(_))));
        }
        assert!(reloading.read().await.is_none(), "all were answered");
    }
}
