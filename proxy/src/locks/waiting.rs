//! A session that waits for locks, and gives back what it did not come to hear of.

use std::time::Instant;

use cellgate_store::StoreError;
use tokio::sync::oneshot;

use super::queue::Told;
use super::{Acquired, Key, Locks, Mode, Owner};

/// A session that stands in the queue, or has just been given what it waited for; unless it keeps that, it lets go of it.
pub(super) struct Waiting<'a> {
    pub(super) locks: &'a Locks,
    pub(super) owner: &'a Owner,
    pub(super) wanted: &'a [(Key, Mode)],
    pub(super) ticket: u64,
    /// The turn at the document that looks for it first; 0 if that is not needed.
    pub(super) turn: u64,
    pub(super) told: oneshot::Receiver<Told>,
    /// It waits, so that somebody has looked for it before its time is over.
    pub(super) patient: bool,
    /// It was told that it has them.
    pub(super) granted: bool,
    pub(super) kept: bool,
}

impl Waiting<'_> {
    /// Completes when all of it can be had, which is `None` if that is not until then.
    pub(super) async fn granted(&mut self, until: Instant) -> Result<Option<Acquired>, StoreError> {
        if let Ok(told) = tokio::time::timeout_at(until.into(), &mut self.told).await {
            return self.hear(told.ok());
        }
        tokio::select! {
            biased;
            told = &mut self.told => self.hear(told.ok()),
            // Whoever asks is answered: not that it cannot be had before somebody has looked.
            looked = self.locks.told(self.turn) => {
                // Of who waited somebody has looked: that the last turn lost a race with other proxies is no error of its.
                if !self.patient {
                    looked?;
                }
                let told = self.told.try_recv().ok();
                self.hear(told)
            }
        }
    }

    fn hear(&mut self, told: Option<Told>) -> Result<Option<Acquired>, StoreError> {
        let acquired = told.transpose()?;
        self.granted = acquired.is_some();
        Ok(acquired)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let locks = self.locks;
        let gives_back = locks.change(|state| {
            if state.queue.leave(self.ticket) {
                return false;
            }
            let granted = self.granted || matches!(self.told.try_recv(), Ok(Ok(_)));
            if granted {
                for (key, _) in self.wanted {
                    state.known.release(self.owner, key);
                }
            }
            granted
        });
        if gives_back {
            locks.ask();
            locks.released.notify_waiters();
        }
    }
}
