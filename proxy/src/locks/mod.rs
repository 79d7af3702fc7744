//! Locks between sessions: GET_LOCK, LOCK TABLES and FLUSH TABLES WITH READ LOCK.
//!
//! Whoever holds what is one [`LockTable`]. If no other proxy can serve the deployment it lives here; if others can, it
//! is a document of the meta store, see `document`, and what a proxy holds there is valid as long as its lease. Who waits
//! stands in a `queue`: it is served when somebody here lets go and, for what other proxies hold, when the proxy has looked,
//! every `ASK_AGAIN` for all that wait.
//!
//! Table locks exclude each other everywhere. Statements of other sessions are held up by them: those of this proxy at
//! once, those of other proxies from when they have looked (`meta.poll`).

mod document;
mod gate;
mod handing;
mod queue;
mod table;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use cellgate_schemaless::TableId;
use cellgate_store::StoreError;
use cellgate_store::meta::MetaStore;
use tokio::sync::{Notify, watch};

pub use document::LEASE;
use document::{Answered, Turns};
use gate::Gate;
pub use gate::{Entered, QuickWrite};
use handing::Handing;
use queue::Queue;
pub use table::{Key, LockTable, Mode, Owner, Released};
use waiting::Waiting;

use crate::sync::lock;

/// How often it is looked whether a write of the short way is over.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How often this proxy looks again for what its sessions wait for.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Most names of GET_LOCK one session holds.
pub const SESSION_NAMES: usize = 1000;
/// Most names of GET_LOCK all sessions of the deployment hold together: they are looked through, and where proxies share
/// them, written as one document of about a megabyte, with every change.
pub const NAMES: usize = 10_000;

/// Most of these that the accounts of one user hold together, so that nobody takes them all.
pub const ACCOUNT_NAMES: usize = NAMES / 2;

/// Added to the number of another proxy's connection: no connection of this one has that number, but one may well have the
/// number that it has there.
pub const ELSEWHERE: u64 = 1 << 32;

/// Why no lock was taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// What the meta store says.
    #[error(transparent)]
    Meta(#[from] StoreError),
    /// There are as many names as there may be, [`SESSION_NAMES`], [`ACCOUNT_NAMES`] or [`NAMES`].
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
    /// Itself, for turns that go on whoever waits for them.
    this: Weak<Self>,
    place: Place,
    /// This proxy's name among the owners.
    proxy: String,
    state: Mutex<State>,
    /// Whose the connections are.
    users: Mutex<HashMap<u32, String>>,
    /// Whether a table is locked in what is known.
    tables_locked: AtomicBool,
    /// Somebody let go of something.
    released: Notify,
    gate: Gate,
    /// How often what this proxy held was taken from it, because its lease had ended.
    losses: AtomicU64,
    /// Until when what this proxy's sessions hold is certainly theirs, if they hold something in a document.
    valid: Mutex<Instant>,
    /// Turns at the document.
    turns: Mutex<Turns>,
    /// There is a turn to be had at once.
    asked: Notify,
    /// What came of the last turn.
    answered: watch::Sender<Answered>,
}

#[derive(Debug, Default)]
struct State {
    /// What this proxy's sessions hold, and what is known of the others.
    known: LockTable,
    /// Who waits.
    queue: Queue,
    /// What those that wait hand on to each other.
    handing: Handing,
}

/// What a session holds no more.
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct Forgotten {
    /// How many holds it was.
    pub holds: u32,
    /// The turn at the document in which it is told.
    turn: u64,
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
    pub fn alone() -> Arc<Self> {
        Self::new(Place::Here, String::new())
    }

    /// Locks of a deployment that other proxies serve as well; `proxy` is unique among them.
    pub fn shared(meta: Arc<dyn MetaStore>, proxy: String) -> Arc<Self> {
        Self::new(Place::Shared(meta), proxy)
    }

    fn new(place: Place, proxy: String) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            place,
            proxy,
            state: Mutex::default(),
            users: Mutex::default(),
            tables_locked: AtomicBool::new(false),
            released: Notify::new(),
            gate: Gate::default(),
            losses: AtomicU64::new(0),
            valid: Mutex::new(now()),
            turns: Mutex::default(),
            asked: Notify::new(),
            answered: watch::Sender::new(Answered::default()),
        })
    }

    /// A session of this proxy as an owner.
    fn owner(&self, connection: u32) -> Owner {
        let user = lock(&self.users).get(&connection).cloned().unwrap_or_default();
        Owner { proxy: self.proxy.clone(), connection, user }
    }

    /// A connection is of an account of this user from now on, until it has [`ended`](Locks::ended).
    pub fn of_account(&self, connection: u32, user: &str) {
        lock(&self.users).insert(connection, user.to_owned());
    }

    /// Takes all of these or, if they cannot be had until then, none. Who stops waiting has none. The meta store is asked at
    /// least once, unless another session of this proxy holds one of them.
    ///
    /// # Errors
    /// What the meta store says, or that there are too many names; none of them is held then.
    pub async fn acquire(
        &self,
        connection: u32,
        wanted: &[(Key, Mode)],
        until: Instant,
    ) -> Result<Option<Acquired>, LockError> {
        let owner = self.owner(connection);
        let mut waiting = self.join(&owner, wanted, until)?;
        let Some(mut acquired) = waiting.granted(until).await? else { return Ok(None) };
        // It was told under the mutex at whose end the lock counts: a quick write that sees no lock is seen below.
        drop(lock(&self.state));
        for (key, _) in wanted {
            // What was let in before is over before the lock counts.
            let Ok(busy) = tokio::time::timeout_at(until.into(), self.gate.empty(key)).await else { return Ok(None) };
            acquired.waited |= busy;
        }
        // Others have their turn, and a KILL is heard that came while it waited: nothing is kept yet.
        tokio::task::yield_now().await;
        waiting.kept = true;
        Ok(Some(acquired))
    }

    /// Stands in the queue.
    fn join<'a>(
        &'a self,
        owner: &'a Owner,
        wanted: &'a [(Key, Mode)],
        until: Instant,
    ) -> Result<Waiting<'a>, LockError> {
        self.change(|state| {
            // What other proxies take at this moment is not known yet: there may be a few more.
            state.known.room(owner, wanted)?;
            let mut in_the_way = state.known.in_the_way(owner, wanted);
            let held_here = in_the_way.any(|other| other.proxy == self.proxy) && now() < *lock(&self.valid);
            let (ticket, told) = state.queue.join(owner, wanted, until);
            // What a session of this proxy holds nobody else knows more of; who lets go of it asks for those that wait.
            let turn = if held_here { 0 } else { self.ask() };
            let patient = until > now();
            Ok(Waiting { locks: self, owner, wanted, ticket, turn, told, patient, granted: false, kept: false })
        })
    }

    /// Lets go of one hold of a lock. If the meta store cannot be told now, it is as soon as it can be: the session holds
    /// it no more, whoever waits for the answer.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn release(&self, connection: u32, key: &Key) -> Result<Released, StoreError> {
        let owner = self.owner(connection);
        let released = self.let_go(|known| known.release(&owner, key));
        self.settle().await?;
        match released {
            Released::Yes => Ok(Released::Yes),
            // Of what others hold the document knew more.
            Released::NotYours | Released::Nobody => Ok(self.change(|state| state.known.release(&owner, key))),
        }
    }

    /// Lets go of what a session holds of these; answers how many holds there were. If the meta store cannot be told now, it
    /// is as soon as it can be: the session holds nothing of them any more.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn release_all(&self, connection: u32, which: Which) -> Result<u32, StoreError> {
        let forgotten = self.forget(connection, which);
        self.settled(forgotten).await?;
        Ok(forgotten.holds)
    }

    /// The first half of [`Locks::release_all`]: the session holds nothing of these any more. [`Locks::settled`] is the other
    /// one; if nobody waits for it, the meta store is told all the same, at once or as soon as it can be.
    pub fn forget(&self, connection: u32, which: Which) -> Forgotten {
        let owner = self.owner(connection);
        let holds = self.let_go(|known| known.release_all(&owner, which));
        Forgotten { holds, turn: if holds > 0 { self.ask() } else { 0 } }
    }

    /// Completes when the meta store knows what was let go of.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn settled(&self, forgotten: Forgotten) -> Result<(), StoreError> {
        self.told(forgotten.turn).await
    }

    /// A connection has ended: it holds nothing any more once what it writes is written, so that whoever gets a lock of it
    /// sees that. The meta store is told at once, or as soon as it can be. Answers whether a write of it goes on.
    pub fn ended(&self, connection: u32) -> bool {
        lock(&self.users).remove(&connection);
        let goes_on = self.gate.outlives(connection);
        if !goes_on {
            self.give_back(connection, Which::All);
        }
        goes_on
    }

    /// Connections that have ended, of which a write goes on. Those of the short way, which hold nothing, are not
    /// among them.
    pub fn outlived(&self) -> HashSet<u32> {
        self.gate.outlived()
    }

    /// Waits until no write is under way, whether or not anybody waits for it.
    pub async fn written(&self) {
        // Who writes on the short way tells of its end only while a table is locked.
        while tokio::time::timeout(LOOK_AGAIN, self.gate.empty(&Key::Tables)).await.is_err() {}
    }

    /// Waits until no write of the long way to one of these tables is under way, also one that was let in when the table had
    /// another name; answers whether one was, or `None` if one still is then.
    pub async fn written_to(&self, tables: &[TableId], until: Instant) -> Option<bool> {
        tokio::time::timeout_at(until.into(), self.gate.none_to(tables)).await.ok()
    }

    /// Waits until what a session that holds something writes is written, whoever stopped waiting for it.
    pub async fn written_by(&self, connection: u32) {
        if self.holds(connection) {
            self.gate.none_of(connection).await;
        }
    }

    /// A session lets go of some of what it holds and does not wait for the meta store, which is told at once, or as soon as
    /// it can be.
    pub fn give_back(&self, connection: u32, which: Which) {
        if self.holds(connection) {
            let _ = self.forget(connection, which);
        }
    }

    /// The same of one hold of one lock.
    pub fn give_back_one(&self, connection: u32, key: &Key) {
        let owner = self.owner(connection);
        if self.let_go(|known| known.release(&owner, key)) == Released::Yes {
            self.ask();
        }
    }

    /// Who holds a lock: its connection. One of another proxy has [`ELSEWHERE`] added to its number.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn holder(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        self.settle().await?;
        let number = |owner: &Owner| {
            let connection = u64::from(owner.connection);
            if owner.proxy == self.proxy { connection } else { ELSEWHERE + connection }
        };
        Ok(self.read(|known| known.holder(key).map(number)))
    }

    /// Waits until a statement of this session may use all of these tables, and then counts its writes, which go to what has
    /// the ids `written`, as under way until what it answers is dropped; also answers whether it had to wait. While it waits for one it keeps nobody waiting for
    /// another.
    ///
    /// # Errors
    /// What it may not use by then.
    pub async fn enter(
        self: &Arc<Self>,
        connection: u32,
        tables: &[(Key, Mode)],
        written: &[TableId],
        until: Instant,
    ) -> Result<(Vec<Entered>, bool), Key> {
        let owner = self.owner(connection);
        let mut waited = false;
        loop {
            let released = self.released.notified();
            let locked = {
                let state = lock(&self.state);
                // Under the same mutex as the lock is taken: either it sees the write or the write sees it.
                match tables.iter().find(|(key, mode)| !state.known.lets(&owner, key, *mode)) {
                    None => {
                        let named = tables.iter().map(|(key, mode)| Entered::new(self, connection, key, *mode));
                        let by_id = written.iter().map(|table| Entered::of_table(self, connection, *table));
                        return Ok((named.chain(by_id).collect(), waited));
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

    /// The connections of this proxy that hold tables, by LOCK TABLES or FLUSH TABLES WITH READ LOCK.
    pub fn table_holders(&self) -> BTreeSet<u32> {
        self.read(|known| {
            let tables = known.holds_of_all().filter(|(_, key, _)| !matches!(key, Key::Name(_)));
            tables.filter(|(owner, ..)| owner.proxy == self.proxy).map(|(owner, ..)| owner.connection).collect()
        })
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
        ask(&lock(&self.state).known)
    }

    fn change<T>(&self, edit: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let answer = edit(&mut state);
        let State { known, queue, .. } = &mut *state;
        if matches!(self.place, Place::Here) {
            queue.serve(known, self.losses());
        }
        self.tables_locked.store(known.has_tables(), Ordering::SeqCst);
        answer
    }

    /// A change that may let others go on.
    fn let_go<T>(&self, edit: impl FnOnce(&mut LockTable) -> T) -> T {
        let answer = self.change(|state| {
            let answer = edit(&mut state.known);
            if !state.queue.is_empty() {
                self.ask();
            }
            answer
        });
        self.released.notify_waiters();
        answer
    }
}

/// The time, as tests may have stopped it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
