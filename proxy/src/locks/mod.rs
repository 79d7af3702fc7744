//! Locks between sessions: GET_LOCK, LOCK TABLES and FLUSH TABLES WITH READ LOCK.
//!
//! Whoever holds what is one [`LockTable`]. If no other proxy can serve the deployment it lives here; if others can, it
//! is a document of the meta store, see `document`, and what a proxy holds there is valid as long as its lease. Waiting
//! is asking again: at once when somebody here lets go, and every `ASK_AGAIN` for what other proxies hold.
//!
//! Table locks exclude each other everywhere. Statements of other sessions are held up by them: those of this proxy at
//! once, those of other proxies from when they have looked (`meta.poll`).

mod document;
mod gate;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cellgate_store::StoreError;
use cellgate_store::meta::MetaStore;
use tokio::sync::Notify;

pub use document::LEASE;
use gate::Gate;
pub use gate::{Entered, QuickWrite};
pub use table::{Key, LockTable, Mode, Owner, Released};

use crate::sync::lock;

/// How often a lock that somebody else holds is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Most names of GET_LOCK one session holds.
pub const SESSION_NAMES: usize = 1000;
/// Most names of GET_LOCK all sessions of the deployment hold together: they are looked through, and where proxies share
/// them, written as one document of about a megabyte, with every change.
pub const NAMES: usize = 10_000;

/// Why no lock was taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// What the meta store says.
    #[error(transparent)]
    Meta(#[from] StoreError),
    /// There are as many names as there may be, [`SESSION_NAMES`] or [`NAMES`].
    #[error("{what} exceeds {limit}")]
    Names {
        /// Whose names they are.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

/// Some of what a session holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Names of GET_LOCK.
    Names,
    /// Tables, by LOCK TABLES.
    Tables,
    /// Tables, by LOCK TABLES or FLUSH TABLES WITH READ LOCK.
    AllTables,
    /// Everything.
    All,
}

/// Locks that were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquired {
    /// How often locks had been lost then ([`Locks::losses`]): more than that, and these may be among them.
    pub losses: u64,
    /// Whether somebody else had to let go of something, or to end a write, first.
    pub waited: bool,
}

/// The locks of a deployment, as one proxy takes part in them.
#[derive(Debug)]
pub struct Locks {
    place: Place,
    /// This proxy's name among the owners.
    proxy: String,
    /// What this proxy's sessions hold, and what is known of the others.
    known: Mutex<LockTable>,
    /// Whether a table is locked in `known`.
    tables_locked: AtomicBool,
    /// Somebody let go of something.
    released: Notify,
    /// Something was let go of that the document still has, and nobody waits for it to be written.
    owed: Notify,
    gate: Gate,
    /// How often what this proxy held was taken from it, because its lease had ended.
    losses: AtomicU64,
    /// Until when what this proxy's sessions hold is certainly theirs, if they hold something in a document.
    valid: Mutex<Instant>,
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
            owed: Notify::new(),
            gate: Gate::default(),
            losses: AtomicU64::new(0),
            valid: Mutex::new(Instant::now()),
            changing: tokio::sync::Mutex::new(()),
        }
    }

    /// A session of this proxy as an owner.
    fn owner(&self, connection: u32) -> Owner {
        Owner { proxy: self.proxy.clone(), connection }
    }

    /// Takes all of these or, if they cannot be had until then, none. Who stops waiting has none.
    ///
    /// # Errors
    /// What the meta store says, or that there are too many names; none of them is held then.
    pub async fn acquire(
        &self,
        connection: u32,
        wanted: &[(Key, Mode)],
        until: Instant,
    ) -> Result<Option<Acquired>, LockError> {
        let mut waited = false;
        let owner = self.owner(connection);
        // What other proxies take at this moment is not known yet: there may be a few more.
        self.read(|known| known.room(&owner, wanted))?;
        loop {
            let losses = self.losses();
            // Registered before the look, so that nothing that happens behind it is missed.
            let released = self.released.notified();
            if let Some(taken) = self.take(&owner, wanted).await? {
                for (key, _) in wanted {
                    // What was let in before is over before the lock counts.
                    let Ok(busy) = tokio::time::timeout_at(until.into(), self.gate.empty(key)).await else {
                        drop(taken);
                        self.settle().await?;
                        return Ok(None);
                    };
                    waited |= busy;
                }
                taken.keep();
                return Ok(Some(Acquired { losses, waited }));
            }
            waited = true;
            let now = Instant::now();
            if now >= until {
                return Ok(None);
            }
            let pause = match self.place {
                Place::Here => until,
                Place::Shared(_) => until.min(now + ASK_AGAIN),
            };
            // Whether it was woken or the time is over: it looks again.
            let _ = tokio::time::timeout_at(pause.into(), released).await;
        }
    }

    /// Takes all of these at once, `None` if others hold some.
    async fn take<'a>(&'a self, owner: &'a Owner, wanted: &'a [(Key, Mode)]) -> Result<Option<Taken<'a>>, StoreError> {
        let took = match &self.place {
            Place::Here => self.change(|known| known.acquire(owner, wanted)),
            Place::Shared(meta) => self.write(meta.as_ref(), Some((owner, wanted))).await?,
        };
        Ok(took.then(|| Taken { locks: self, owner, wanted, kept: false }))
    }

    /// Lets go of one hold of a lock. If the meta store cannot be told now, it is as soon as it can be: the session holds
    /// it no more.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn release(&self, connection: u32, key: &Key) -> Result<Released, StoreError> {
        let owner = self.owner(connection);
        match self.let_go(|known| known.release(&owner, key)) {
            Released::Yes => self.settle().await.map(|()| Released::Yes),
            // Of what others hold the document knows more.
            Released::NotYours | Released::Nobody => {
                self.look().await?;
                Ok(self.change(|known| known.release(&owner, key)))
            }
        }
    }

    /// Lets go of what a session holds of these; answers how many holds there were. If the meta store cannot be told now, it
    /// is as soon as it can be: the session holds nothing of them any more.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn release_all(&self, connection: u32, which: Which) -> Result<u32, StoreError> {
        let released = self.forget(connection, which);
        if released > 0 {
            self.settle().await?;
        }
        Ok(released)
    }

    /// The first half of [`Locks::release_all`]: the session holds nothing of these any more. [`Locks::settle`] is the other
    /// one; if nobody waits for it, the meta store is told with the next look.
    pub fn forget(&self, connection: u32, which: Which) -> u32 {
        let owner = self.owner(connection);
        self.let_go(|known| known.release_all(&owner, which))
    }

    /// A session has ended: it holds nothing any more. The meta store is told at once, or as soon as it can be.
    pub fn ended(&self, connection: u32) {
        self.give_back(connection, Which::All);
    }

    /// A session lets go of some of what it holds and does not wait for the meta store, which is told at once, or as soon as
    /// it can be.
    pub fn give_back(&self, connection: u32, which: Which) {
        if self.holds(connection) && self.forget(connection, which) > 0 {
            self.owed.notify_one();
        }
    }

    /// Who holds a lock: its connection.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn holder(&self, key: &Key) -> Result<Option<u32>, StoreError> {
        self.look().await?;
        Ok(self.read(|known| known.holder(key).map(|owner| owner.connection)))
    }

    /// Waits until a statement of this session may use all of these tables, and then counts its writes as under way until
    /// what it answers is dropped; also answers whether it had to wait. While it waits for one it keeps nobody waiting for
    /// another.
    ///
    /// # Errors
    /// What it may not use by then.
    pub async fn enter(
        self: &Arc<Self>,
        connection: u32,
        tables: &[(Key, Mode)],
        until: Instant,
    ) -> Result<(Vec<Entered>, bool), Key> {
        let owner = self.owner(connection);
        let mut waited = false;
        loop {
            let released = self.released.notified();
            let locked = {
                let known = lock(&self.known);
                // Under the same mutex as the lock is taken: either it sees the write or the write sees it.
                match tables.iter().find(|(key, mode)| !known.lets(&owner, key, *mode)) {
                    None => {
                        let entered = tables.iter().map(|(key, mode)| Entered::new(self, key, *mode));
                        return Ok((entered.collect(), waited));
                    }
                    Some((key, _)) => key,
                }
            };
            waited = true;
            tokio::time::timeout_at(until.into(), released).await.map_err(|_| locked.clone())?;
        }
    }

    /// Whether the session holds anything.
    pub fn holds(&self, connection: u32) -> bool {
        let owner = self.owner(connection);
        self.read(|known| known.holds(&owner))
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

    fn read<T>(&self, ask: impl FnOnce(&LockTable) -> T) -> T {
        ask(&lock(&self.known))
    }

    fn change<T>(&self, edit: impl FnOnce(&mut LockTable) -> T) -> T {
        let mut known = lock(&self.known);
        let answer = edit(&mut known);
        self.tables_locked.store(known.has_tables(), Ordering::SeqCst);
        answer
    }

    /// A change that may let others go on.
    fn let_go<T>(&self, edit: impl FnOnce(&mut LockTable) -> T) -> T {
        let answer = self.change(edit);
        self.released.notify_waiters();
        answer
    }
}

/// What was just taken; unless it is kept, it is let go of.
struct Taken<'a> {
    locks: &'a Locks,
    owner: &'a Owner,
    wanted: &'a [(Key, Mode)],
    kept: bool,
}

impl Taken<'_> {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        self.locks.let_go(|known| {
            for (key, _) in self.wanted {
                known.release(self.owner, key);
            }
        });
        self.locks.owed.notify_one();
    }
}
