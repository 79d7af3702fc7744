//! Locks between sessions: GET_LOCK, LOCK TABLES and FLUSH TABLES WITH READ LOCK.
//!
//! Whoever holds what is one [`LockTable`]. If no other proxy can serve the deployment it lives here; if others can, it
//! is a document of the meta store, changed by compare-and-set, and what a proxy holds there is valid as long as its
//! lease. Waiting is asking again: at once when somebody here lets go, and every `ASK_AGAIN` for what other proxies
//! hold.
//!
//! Table locks exclude each other everywhere. Statements of other sessions are held up by them: those of this proxy at
//! once, those of other proxies from when they have looked (`meta.poll`).

mod gate;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cellgate_store::StoreError;
use cellgate_store::meta::MetaStore;
use tokio::sync::{Notify, watch};

use crate::signals::told;
use gate::Gate;
pub use gate::{Entered, QuickWrite};
pub use table::{Key, LockTable, Mode, Owner, Released};

/// The document of shared locks.
const LOCKS: &str = "locks";
/// How long what a proxy holds stays valid after it last said that it is alive.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often the lease is renewed: two lost renewals do no harm.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often a lock that somebody else holds is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How often a change of the document may find that another proxy's came first.
const ATTEMPTS: usize = 50;

/// The locks of a deployment, as one proxy takes part in them.
#[derive(Debug)]
pub struct Locks {
    place: Place,
    /// This proxy's name among the owners.
    proxy: String,
    /// What is known of who holds what.
    known: Mutex<LockTable>,
    /// Whether a table is locked in `known`.
    tables_locked: AtomicBool,
    /// Somebody let go of something.
    released: Notify,
    gate: Gate,
    /// How often what this proxy held was taken from it, because its lease had ended.
    losses: AtomicU64,
    /// Changes of this proxy take turns.
    changing: tokio::sync::Mutex<()>,
}

/// Where the truth is.
#[derive(Debug)]
enum Place {
    /// In `known`: there is no other proxy.
    Here,
    /// In a document.
    Shared(Arc<dyn MetaStore>),
}

impl Locks {
    /// Locks of a deployment that only this proxy serves.
    pub fn alone() -> Self {
        Self::new(Place::Here, String::new())
    }

    /// Locks of a deployment that other proxies serve as well; `proxy` is unique among them.
    pub fn shared(meta: Arc<dyn MetaStore>, proxy: String) -> Self {
        Self::new(Place::Shared(meta), proxy)
    }

    fn new(place: Place, proxy: String) -> Self {
        Self {
            place,
            proxy,
            known: Mutex::default(),
            tables_locked: AtomicBool::new(false),
            released: Notify::new(),
            gate: Gate::default(),
            losses: AtomicU64::new(0),
            changing: tokio::sync::Mutex::new(()),
        }
    }

    /// A session of this proxy as an owner.
    fn owner(&self, connection: u32) -> Owner {
        Owner { proxy: self.proxy.clone(), connection }
    }

    /// Takes all of these or, if they cannot be had until then, none; answers whether it did.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn acquire(&self, connection: u32, wanted: &[(Key, Mode)], until: Instant) -> Result<bool, StoreError> {
        let owner = self.owner(connection);
        loop {
            // Registered before the look, so that nothing that happens behind it is missed.
            let released = self.released.notified();
            let took = self.change(|table| table.acquire(&owner, wanted)).await?;
            if took {
                for (key, _) in wanted {
                    // What was let in before is over before the lock counts.
                    if tokio::time::timeout_at(until.into(), self.gate.empty(key)).await.is_err() {
                        self.change(|table| {
                            for (key, _) in wanted {
                                let _ = table.release(&owner, key);
                            }
                        })
                        .await?;
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
            let now = Instant::now();
            if now >= until {
                return Ok(false);
            }
            let pause = match self.place {
                Place::Here => until,
                Place::Shared(_) => until.min(now + ASK_AGAIN),
            };
            // Whether it was woken or the time is over: it looks again.
            let _ = tokio::time::timeout_at(pause.into(), released).await;
        }
    }

    /// Lets go of one hold of a lock.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn release(&self, connection: u32, key: &Key) -> Result<Released, StoreError> {
        let owner = self.owner(connection);
        let released = self.change(|table| table.release(&owner, key)).await?;
        self.released.notify_waiters();
        Ok(released)
    }

    /// Lets go of everything of a session that `which` chooses; answers how many holds there were.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn release_all(&self, connection: u32, which: impl Fn(&Key) -> bool) -> Result<u32, StoreError> {
        let owner = self.owner(connection);
        let released = self.change(|table| table.release_all(&owner, &which)).await?;
        self.released.notify_waiters();
        Ok(released)
    }

    /// A session has ended. What cannot be told to the meta store ends with the lease.
    pub async fn ended(&self, connection: u32) {
        if self.read(|table| !table.holds(&self.owner(connection))) {
            return;
        }
        if let Err(error) = self.release_all(connection, |_| true).await {
            tracing::warn!(%error, connection, "the locks of a session are left to the lease");
        }
    }

    /// Who holds a lock: its connection.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn holder(&self, key: &Key) -> Result<Option<u32>, StoreError> {
        self.change(|table| table.holder(key).map(|owner| owner.connection)).await
    }

    /// Waits until a statement of this session may use a table, at most until then; `None` if it may not. A write is
    /// counted as under way until its [`Entered`] is dropped.
    pub async fn enter(&self, connection: u32, table: &Key, mode: Mode, until: Instant) -> Option<Entered<'_>> {
        let owner = self.owner(connection);
        loop {
            let released = self.released.notified();
            let entered = {
                let known = lock(&self.known);
                // Under the same mutex as the lock is taken: either it sees the write or the write sees it.
                known.lets(&owner, table, mode).then(|| self.gate.enter(table, mode))
            };
            if let Some(entered) = entered {
                return Some(entered);
            }
            tokio::time::timeout_at(until.into(), released).await.ok()?;
        }
    }

    /// Whether the session holds anything, as far as it is known here.
    pub fn holds(&self, connection: u32) -> bool {
        let owner = self.owner(connection);
        self.read(|table| table.holds(&owner))
    }

    /// How often locks of this proxy's sessions were lost: the meta store was away for longer than the lease.
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// Whether nobody has locked a table.
    pub fn is_open(&self) -> bool {
        !self.tables_locked.load(Ordering::SeqCst)
    }

    /// Announces a write of the short way, which asks [`Locks::is_open`] next.
    pub fn quick_write(this: &Arc<Self>) -> QuickWrite {
        QuickWrite::new(Arc::clone(this))
    }

    /// Follows the document and keeps the lease, until `shutdown`; there is nothing to do for locks that live here.
    pub async fn run(&self, poll: Duration, mut shutdown: watch::Receiver<bool>) {
        let Place::Shared(_) = self.place else { return };
        let mut renewed = Instant::now();
        loop {
            if tokio::time::timeout(poll.min(RENEW_EVERY), told(&mut shutdown)).await.is_ok() {
                return;
            }
            let outcome = if renewed.elapsed() >= RENEW_EVERY && self.read(|table| table.holds_any(&self.proxy)) {
                renewed = Instant::now();
                self.change(|_| ()).await
            } else {
                self.look().await
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, "the locks could not be read");
            }
        }
    }

    fn read<T>(&self, ask: impl FnOnce(&LockTable) -> T) -> T {
        ask(&lock(&self.known))
    }

    /// Takes over what others hold.
    async fn look(&self) -> Result<(), StoreError> {
        let Place::Shared(meta) = &self.place else { return Ok(()) };
        let _turn = self.changing.lock().await;
        let now = meta.now().await?;
        let (_, table) = load(meta.as_ref(), now).await?;
        self.know(table);
        Ok(())
    }

    fn know(&self, table: LockTable) {
        let mut known = lock(&self.known);
        if known.holds_any(&self.proxy) && !table.holds_all_of(&known, &self.proxy) {
            tracing::error!("locks of this proxy's sessions were lost: the meta store could not be reached in time");
            self.losses.fetch_add(1, Ordering::Release);
        }
        self.tables_locked.store(table.has_tables(), Ordering::SeqCst);
        *known = table;
        drop(known);
        self.released.notify_waiters();
    }

    /// Changes the table of locks, and answers what the change does.
    async fn change<T>(&self, mut edit: impl FnMut(&mut LockTable) -> T) -> Result<T, StoreError> {
        let Place::Shared(meta) = &self.place else {
            let mut known = lock(&self.known);
            let answer = edit(&mut known);
            self.tables_locked.store(known.has_tables(), Ordering::SeqCst);
            return Ok(answer);
        };
        let _turn = self.changing.lock().await;
        for _ in 0..ATTEMPTS {
            let now = meta.now().await?;
            let (version, stored) = load(meta.as_ref(), now).await?;
            let mut table = stored.clone();
            let answer = edit(&mut table);
            if table.holds_any(&self.proxy) {
                table.renew(&self.proxy, now.saturating_add(i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX)));
            }
            if table == stored {
                // Reading what is there is no change.
                return Ok(answer);
            }
            let body = serde_json::to_vec(&table)
                .map_err(|error| StoreError::Failed { detail: format!("the locks cannot be written: {error}") })?;
            if meta.compare_and_set(LOCKS, version, &body).await? {
                let mut known = lock(&self.known);
                self.tables_locked.store(table.has_tables(), Ordering::SeqCst);
                *known = table;
                return Ok(answer);
            }
        }
        Err(StoreError::Timeout { reason: cellgate_store::Reason::Lock, detail: "the table of locks".to_owned() })
    }
}

/// The document, without what belongs to proxies whose lease has ended.
async fn load(meta: &dyn MetaStore, now: i64) -> Result<(i64, LockTable), StoreError> {
    let Some(stored) = meta.load(LOCKS).await? else { return Ok((0, LockTable::default())) };
    let mut table: LockTable = serde_json::from_slice(&stored.body)
        .map_err(|error| StoreError::Corrupt { detail: format!("the table of locks: {error}") })?;
    table.expire(now);
    Ok((stored.version, table))
}

/// A lock whose data is right after every single step, so that a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
