//! A deployment while it runs: it follows the meta store, renews its lease, asks its clusters for a sign of life, and leaves.
//!
//! Assumes that it was opened. None of these waits for another: a meta store that can be read and not written to is read, and
//! one that hangs is told of within a bound.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::Deployment;
use super::erasing::LOOK_EVERY;
use super::locating::Store;
use super::registry::LEASE;
use super::renewals::Renewals;
use super::returning::VERIFY_EVERY;
use crate::background::{every, told};
use crate::error::StoreError;

/// How long the meta store may take to answer a poll before it counts as not answering. The poll itself goes on waiting,
/// for as long as a statement may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

impl Deployment {
    /// Follows the meta store, renews the lease and checks clusters that come back, until `shutdown`; then leaves.
    ///
    /// These do not wait for each other: a cluster that hangs must not cost this proxy its lease, nor the others their
    /// checks.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let mut leaving = shutdown.clone();
        let renewals = Renewals::default();
        let look = async {
            let follow = every(self.poll, || self.follow(&renewals));
            let verify = async {
                join_all(self.executor.clusters().map(|cluster| self.verify_returned(cluster))).await;
                // All are known.
                std::future::pending::<()>().await;
            };
            let health = async {
                // Each by itself: one that takes long keeps none of the others from being asked again.
                let each = self
                    .executor
                    .clusters()
                    .map(|cluster| every(VERIFY_EVERY, || self.executor.check_health_of(cluster)));
                join_all(each).await;
                // There is none.
                std::future::pending::<()>().await;
            };
            let erasures = async {
                if !self.erasures.is_followed() {
                    std::future::pending::<()>().await;
                }
                every(LOOK_EVERY, || self.erasures.look()).await;
            };
            // These only read, but for a lease that has lapsed: what is running at the shutdown is cut off.
            tokio::select! {
                () = told(&mut shutdown) => {}
                () = follow => {}
                () = verify => {}
                () = health => {}
                () = erasures => {}
            }
        };
        let stay = async {
            let mut interval = tokio::time::interval(LEASE / 3);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut was_away = false;
            loop {
                tokio::select! {
                    () = told(&mut leaving) => break,
                    _ = interval.tick() => {}
                    () = renewals.wanted.notified() => {}
                }
                // Not cut off: to leave, the entry's version must be known.
                let renewed = self.renew().await;
                // The next poll may be a minute away. What is refused, or takes too long, is the poll's to judge.
                let is_away = matches!(renewed, Err(StoreError::Unavailable { .. }));
                if is_away || (was_away && renewed.is_ok()) {
                    self.metrics.meta_up(!is_away);
                }
                was_away = is_away;
                renewals.ended(&renewed);
            }
            self.registration.leave().await;
        };
        tokio::join!(look, stay);
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let verified = self.executor.clusters().filter(|cluster| cluster.is_verified());
        let stores: Vec<_> = verified.map(|cluster| Store::of(cluster)).collect();
        let mut renewed = pin!(self.registration.renew(Some(self.executor.topology().version()), &stores, true));
        let renewed = match tokio::time::timeout(ANSWER_WITHIN, renewed.as_mut()).await {
            Ok(renewed) => renewed,
            Err(_) => {
                self.metrics.meta_writable(false);
                renewed.await
            }
        };
        self.metrics.meta_writable(renewed.is_ok());
        renewed
    }

    async fn follow(&self, renewals: &Renewals) {
        // Before anything that is read is gone by: others may have taken this proxy for gone, and not wait for it.
        // A renewal that hangs must not keep what can be read from being read.
        if !self.registration.is_held(Instant::now()) {
            let mut ended = pin!(renewals.ended.notified());
            ended.as_mut().enable();
            renewals.wanted.notify_one();
            let _ = tokio::time::timeout(ANSWER_WITHIN, ended).await;
        }
        let began = Instant::now();
        let mut polled = pin!(self.topology.poll());
        let polled = match tokio::time::timeout(ANSWER_WITHIN, polled.as_mut()).await {
            Ok(polled) => polled,
            Err(_) => {
                self.metrics.meta_up(false);
                self.topology.reading().hangs(ANSWER_WITHIN);
                polled.await
            }
        };
        match polled {
            Ok(()) => {
                self.fresh.send_replace(began);
                self.metrics.meta_up(true);
                self.metrics.topology_version(self.executor.topology().version());
            }
            // The log was told, once.
            Err(_) => self.metrics.meta_up(false),
        }
    }
}

#[cfg(test)]
mod tests;
