//! Following the stored accounts: every so often, and at once when somebody is refused.

use std::time::{Duration, Instant};

use cellgate_store::background::told;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::Accounts;

/// Least time between two looks of [`Accounts::look_again`]: refused logins cost the meta store at most ten reads a
/// second, however many there are.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long a refused client waits for the meta store before the refusal stands.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);

impl Accounts {
    /// Reads the document again because somebody was refused; whether anything is known now that was not before
    /// `version`. Bounded: the meta store is read ten times a second at most.
    pub async fn look_again(&self, version: u64) -> bool {
        let asked = Instant::now();
        let looking = async {
            let mut looked = self.looked.lock().await;
            // Whoever waited for the lock needs no look of their own if another began meanwhile.
            if self.current().version() > version || looked.is_some_and(|began| began > asked) {
                return;
            }
            if let Some(last) = *looked {
                tokio::time::sleep(LOOK_AGAIN.saturating_sub(last.elapsed())).await;
            }
            *looked = Some(Instant::now());
            // What cannot be read is reported where it is read.
            let _ = self.refresh().await;
        };
        // What is known stays in force: a meta store that does not answer changes nothing.
        let _ = tokio::time::timeout(LOOK_PATIENCE, looking).await;
        self.current().version() > version
    }

    /// Follows the document until `shutdown`; `poll` is the time between two looks.
    pub async fn run(&self, poll: Duration, mut shutdown: watch::Receiver<bool>) {
        let follow = async {
            let mut interval = tokio::time::interval(poll);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                interval.tick().await;
                // What cannot be read is reported where it is read.
                let _ = self.refresh().await;
            }
        };
        tokio::select! {
            () = told(&mut shutdown) => {}
            () = follow => {}
        }
    }
}
