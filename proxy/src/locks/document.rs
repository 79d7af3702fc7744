//! The document of shared locks, and how it follows what this proxy's sessions hold.
//!
//! A session holds what `known` says, and the document follows. What is taken is written first and known then; what is let
//! go of is forgotten first and written then. Whatever is cut off in between (a KILL, a meta store that is away), the
//! document has too much and never too little: the next change drops what no session knows of, and only what is known and
//! not in the document was lost.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cellgate_store::meta::MetaStore;
use cellgate_store::{Reason, StoreError};
use tokio::sync::watch;

use super::table::{Key, LockTable, Mode, Owner};
use super::{Locks, Place, lock};
use crate::signals::told;

/// Its name.
const LOCKS: &str = "locks";
/// How long what a proxy holds stays valid after it last said that it is alive.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often the lease is renewed: two lost renewals do no harm.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often a change of the document may find that another proxy's came first.
const ATTEMPTS: usize = 50;
/// How long the end of the proxy waits for the document to be told.
const FAREWELL: Duration = Duration::from_secs(2);

impl Locks {
    /// Follows the document, keeps the lease and writes what is owed, until `shutdown`; there is nothing to do for locks
    /// that live here.
    pub async fn run(&self, poll: Duration, mut shutdown: watch::Receiver<bool>) {
        let Place::Shared(_) = self.place else { return };
        loop {
            let look = Instant::now() + poll.min(RENEW_EVERY);
            let look = self.lease().map_or(look, |valid| valid.min(look));
            let stop = tokio::select! {
                () = told(&mut shutdown) => true,
                () = self.owed.notified() => false,
                () = tokio::time::sleep_until(look.into()) => false,
            };
            if stop {
                let told = tokio::time::timeout(FAREWELL, self.follow(false)).await;
                if !matches!(told, Ok(Ok(()))) {
                    tracing::warn!("the locks of the last sessions are left to the lease");
                }
                return;
            }
            let lease = self.lease();
            let due = lease.is_some_and(|valid| Instant::now() + LEASE >= valid + RENEW_EVERY);
            let following = async {
                if let Err(error) = self.follow(due).await {
                    tracing::debug!(%error, "the locks could not be followed");
                }
            };
            match lease {
                // A meta store that does not answer must not keep the end of the lease from being noticed.
                Some(valid) => {
                    let _ = tokio::time::timeout_at(valid.into(), following).await;
                    self.give_up_expired(Instant::now());
                }
                None => following.await,
            }
        }
    }

    /// Until when what this proxy's sessions hold is certainly theirs; `None` if they hold nothing.
    fn lease(&self) -> Option<Instant> {
        self.read(|known| known.holds_any(&self.proxy)).then(|| *lock(&self.valid))
    }

    /// Looks, and writes if that is due.
    pub(super) async fn follow(&self, renew: bool) -> Result<(), StoreError> {
        if !self.look().await? || renew { self.settle().await } else { Ok(()) }
    }

    /// Gives up what this proxy's sessions hold once their lease has ended: others may have it by now.
    pub(super) fn give_up_expired(&self, now: Instant) {
        // Under the mutex under which a lock is known, and behind its lease.
        if self.let_go(|known| now >= *lock(&self.valid) && known.give_up(&self.proxy)) {
            self.count_loss();
        }
    }

    fn count_loss(&self) {
        tracing::error!("locks of this proxy's sessions were lost: the meta store could not be reached in time");
        self.losses.fetch_add(1, Ordering::Release);
    }

    /// Takes over what others hold; answers whether the document says of this proxy's sessions what is known.
    pub(super) async fn look(&self) -> Result<bool, StoreError> {
        let Place::Shared(meta) = &self.place else { return Ok(true) };
        let _turn = self.changing.lock().await;
        let now = meta.now().await?;
        let (_, stored) = load(meta.as_ref(), now).await?;
        Ok(self.know(stored.clone()) == stored)
    }

    /// Has the document say what is known, and renews the lease.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn settle(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::Here => Ok(()),
            Place::Shared(meta) => self.write(meta.as_ref(), None).await.map(drop),
        }
    }

    /// Has the document say what is known and what is wanted on top of it, all or nothing; answers whether it was to be had.
    pub(super) async fn write(
        &self,
        meta: &dyn MetaStore,
        wanted: Option<(&Owner, &[(Key, Mode)])>,
    ) -> Result<bool, StoreError> {
        let _turn = self.changing.lock().await;
        for _ in 0..ATTEMPTS {
            let asked = Instant::now();
            let now = meta.now().await?;
            let (version, stored) = load(meta, now).await?;
            let mut table = self.know(stored.clone());
            let took = wanted.is_none_or(|(owner, wanted)| table.acquire(owner, wanted));
            if !took && table == stored {
                return Ok(false);
            }
            if table.holds_any(&self.proxy) {
                table.renew(&self.proxy, now.saturating_add(i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX)));
            }
            if table == stored || meta.compare_and_set(LOCKS, version, &written(&table)?).await? {
                *lock(&self.valid) = asked + LEASE;
                // With no wait in between: either it is known, or nobody has been told of it.
                return Ok(match wanted {
                    Some((owner, wanted)) if took => self.change(|known| known.acquire(owner, wanted)),
                    Some(_) | None => took,
                });
            }
        }
        Err(StoreError::Timeout { reason: Reason::Lock, detail: "the table of locks".to_owned() })
    }

    /// Takes over what the document says of others, and what of this proxy's holds it no longer has; answers what is known
    /// then.
    fn know(&self, mut stored: LockTable) -> LockTable {
        let mut known = lock(&self.known);
        if stored.follow(&known, &self.proxy) {
            self.count_loss();
        }
        self.tables_locked.store(stored.has_tables(), Ordering::SeqCst);
        // Who waits looks here itself: without news it must not be what wakes it.
        let news = !known.has_the_same_holds(&stored);
        known.clone_from(&stored);
        drop(known);
        if news {
            self.released.notify_waiters();
        }
        stored
    }
}

fn written(table: &LockTable) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(table)
        .map_err(|error| StoreError::Failed { detail: format!("the locks cannot be written: {error}") })
}

/// The document, without what belongs to proxies whose lease has ended.
async fn load(meta: &dyn MetaStore, now: i64) -> Result<(i64, LockTable), StoreError> {
    let Some(stored) = meta.load(LOCKS).await? else { return Ok((0, LockTable::default())) };
    let mut table: LockTable = serde_json::from_slice(&stored.body)
        .map_err(|error| StoreError::Corrupt { detail: format!("the table of locks: {error}") })?;
    table.expire(now);
    Ok((stored.version, table))
}
