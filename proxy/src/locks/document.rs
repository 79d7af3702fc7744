//! The document of shared locks, and how it follows what this proxy's sessions hold.
//!
//! A session holds what `known` says, and the document follows. What is taken is written first and known then; what is let
//! go of is forgotten first and written then. Whatever is cut off in between (a KILL, a meta store that is away), the
//! document has too much and never too little: the next change drops what no session knows of, and only what is known and
//! not in the document was lost.
//!
//! The proxy has one turn at the document at a time, in a task of its own, and each is for everybody: it writes what was
//! let go of, what is taken and the lease, and what came of it is told to all that asked before it began. So a slow meta
//! store is waited for once, however many wait for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cellgate_store::background::told;
use cellgate_store::meta::MetaStore;
use cellgate_store::{Reason, StoreError};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::table::LockTable;
use super::{ASK_AGAIN, Locks, Place, State, lock, now};

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

/// Turns at the document: one at a time, each for everybody who asked before it began.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// How many have begun.
    begun: u64,
    /// How many are to be had.
    wanted: u64,
    /// A task has them.
    driven: bool,
}

/// How a turn at a document that answers went.
#[derive(Debug)]
enum Turn {
    /// It says what it should.
    Had,
    /// Other proxies were faster, [`ATTEMPTS`] times.
    Lost,
}

/// What came of a turn.
#[derive(Debug)]
pub(super) struct Answered {
    /// Its number, from 1.
    turn: u64,
    outcome: Result<(), StoreError>,
}

impl Default for Answered {
    fn default() -> Self {
        Self { turn: 0, outcome: Ok(()) }
    }
}

impl Locks {
    /// Follows the document and keeps the lease, until `shutdown`; there is nothing to do for locks that live here.
    pub async fn run(&self, poll: Duration, mut shutdown: watch::Receiver<bool>) {
        let Place::Shared(_) = self.place else { return };
        loop {
            let look = now() + poll.min(RENEW_EVERY);
            let look = self.lease().map_or(look, |valid| valid.min(look));
            let stop = tokio::select! {
                () = told(&mut shutdown) => true,
                () = tokio::time::sleep_until(look.into()) => false,
            };
            if stop {
                let told = tokio::time::timeout(FAREWELL, self.settle()).await;
                if !matches!(told, Ok(Ok(()))) {
                    tracing::warn!("the locks of the last sessions are left to the lease");
                }
                return;
            }
            // A meta store that does not answer must not keep the end of the lease from being noticed.
            let end = self.lease().unwrap_or_else(|| now() + RENEW_EVERY);
            if let Ok(Err(error)) = tokio::time::timeout_at(end.into(), self.settle()).await {
                tracing::debug!(%error, "the locks could not be followed");
            }
            self.give_up_expired(now());
        }
    }

    /// Until when what this proxy's sessions hold is certainly theirs; `None` if they hold nothing.
    fn lease(&self) -> Option<Instant> {
        self.read(|known| known.holds_any(&self.proxy)).then(|| *lock(&self.valid))
    }

    /// Gives up what this proxy's sessions hold once their lease has ended: others may have it by now.
    pub(super) fn give_up_expired(&self, now: Instant) {
        let ended = || now >= *lock(&self.valid);
        if !ended() || !self.read(|known| known.holds_any(&self.proxy)) {
            return;
        }
        self.let_go(|known| {
            // Under the mutex under which a lock is known, and behind its lease.
            if ended() && known.give_up(&self.proxy) {
                self.count_loss();
            }
        });
    }

    fn count_loss(&self) {
        tracing::error!("locks of this proxy's sessions were lost: the meta store could not be reached in time");
        self.losses.fetch_add(1, Ordering::Release);
    }

    /// Has the document say what is known, takes over what it says of others, and renews the lease if that is due.
    ///
    /// # Errors
    /// What the meta store says.
    pub(super) async fn settle(&self) -> Result<(), StoreError> {
        let turn = self.ask();
        self.told(turn).await
    }

    /// Asks for a turn at the document that begins from now on; answers its number.
    pub(super) fn ask(&self) -> u64 {
        if matches!(self.place, Place::Here) {
            return 0;
        }
        let mut turns = lock(&self.turns);
        turns.wanted = turns.begun + 1;
        if turns.driven {
            self.asked.notify_one();
        } else if let (Some(this), Ok(runtime)) = (self.this.upgrade(), Handle::try_current()) {
            turns.driven = true;
            runtime.spawn(this.drive());
        }
        turns.wanted
    }

    /// Completes when this turn, or one behind it, has come to its end; at once for 0, which is none.
    ///
    /// # Errors
    /// What the meta store said then.
    pub(super) async fn told(&self, turn: u64) -> Result<(), StoreError> {
        if turn == 0 {
            return Ok(());
        }
        let mut answered = self.answered.subscribe();
        let answered = answered.wait_for(|answered| answered.turn >= turn).await;
        // It is not closed as long as somebody can ask.
        answered.map_or(Ok(()), |answered| answered.outcome.clone())
    }

    /// Has the turns that are asked for, and others as long as sessions wait for locks. Whoever asked may have gone away.
    async fn drive(self: Arc<Self>) {
        let mut driving = Driving { locks: &self, over: false };
        while let Some(turn) = driving.next_turn().await {
            let outcome = match self.turn().await {
                Ok(Turn::Had) => Ok(()),
                // It says nothing of the next one, which those that wait have soon.
                Ok(Turn::Lost) => {
                    Err(StoreError::Timeout { reason: Reason::Lock, detail: "the table of locks".to_owned() })
                }
                Err(error) => {
                    lock(&self.state).queue.refuse(&error);
                    Err(error)
                }
            };
            self.answered.send_replace(Answered { turn, outcome });
        }
    }

    /// One turn at the document: it says then what is known and what those have that could be given what they wait for.
    async fn turn(&self) -> Result<Turn, StoreError> {
        let Place::Shared(meta) = &self.place else { return Ok(Turn::Had) };
        for _ in 0..ATTEMPTS {
            let asked = now();
            let time = meta.now().await?;
            let (version, stored) = load(meta.as_ref(), time).await?;
            let (mut table, served) = self.know(stored.clone());
            // By either clock: it may be written though that was not heard of.
            let lasts = LEASE.saturating_sub(RENEW_EVERY / 2);
            let due = asked + lasts >= *lock(&self.valid) || !stored.lasts(&self.proxy, later(time, lasts));
            let renews = table.holds_any(&self.proxy) && (due || !served.is_empty() || table != stored);
            if renews {
                table.renew(&self.proxy, later(time, LEASE));
            }
            if table != stored && !meta.compare_and_set(LOCKS, version, &written(&table)?).await? {
                continue;
            }
            // What was written so late is not certain any more.
            if served.is_empty() || now() < asked + LEASE {
                self.make_known(renews.then_some(asked + LEASE), &served);
                return Ok(Turn::Had);
            }
        }
        Ok(Turn::Lost)
    }

    /// Behind a turn: the lease, if it was renewed, is valid until then, and these have what they waited for.
    fn make_known(&self, valid: Option<Instant>, served: &[u64]) {
        let all_there = self.change(|State { known, queue, .. }| {
            if let Some(valid) = valid {
                *lock(&self.valid) = valid;
            }
            let losses = self.losses();
            // With no wait in between: either it is known, or nobody has been told of it.
            served.iter().filter(|ticket| queue.grant(**ticket, known, losses)).count() == served.len()
        });
        if !all_there {
            // Who stopped waiting meanwhile has it in the document, and is not known to.
            self.ask();
        }
    }

    /// Takes over what the document says of others, and what of this proxy's holds it no longer has; answers what is known
    /// then with what can be given to those that wait, and who they are.
    fn know(&self, mut stored: LockTable) -> (LockTable, Vec<u64>) {
        let (mut news, now) = (false, now());
        let document = stored.clone();
        let served = self.change(|State { known, queue, handing }| {
            if stored.follow(known, &self.proxy) {
                self.count_loss();
            }
            news = !known.has_the_same_holds(&stored);
            known.clone_from(&stored);
            handing.look(&document, &self.proxy, now);
            let served = queue.take(&mut stored, |key, mode, until| handing.leaves(key, mode, until, now));
            for (owner, key, mode) in served.iter().flat_map(|ticket| queue.wanted(*ticket)) {
                handing.given(owner, key, mode, &document, now);
            }
            served
        });
        if news {
            self.released.notify_waiters();
        }
        (stored, served)
    }
}

/// The task that has the turns. However it ends, the next who asks starts another.
struct Driving<'a> {
    locks: &'a Locks,
    /// It has said so.
    over: bool,
}

impl Driving<'_> {
    /// Waits until there is a turn to be had, and answers its number; `None` once nobody asks or waits.
    async fn next_turn(&mut self) -> Option<u64> {
        let nobody_waits = || lock(&self.locks.state).queue.is_empty();
        loop {
            let idle = nobody_waits();
            {
                let mut turns = lock(&self.locks.turns);
                if turns.wanted > turns.begun {
                    turns.begun += 1;
                    return Some(turns.begun);
                }
                if idle {
                    turns.driven = false;
                    self.over = true;
                    return None;
                }
            }
            if tokio::time::timeout(ASK_AGAIN, self.locks.asked.notified()).await.is_err() && !nobody_waits() {
                let mut turns = lock(&self.locks.turns);
                turns.wanted = turns.begun + 1;
            }
        }
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        if !self.over {
            lock(&self.locks.turns).driven = false;
        }
    }
}

/// A time of the meta store's clock, so much later.
fn later(time: i64, by: Duration) -> i64 {
    time.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
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
