//! A bounded pool of sessions that never hands out a session somebody left in the middle of something.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use cellgate_metrics::{ClusterMetrics, Operation, PoolState, Settlement};
use deadpool::Runtime;
use deadpool::managed::{Hook, HookError, Object, Pool, PoolError, QueueMode, TimeoutType, Timeouts as PoolTimeouts};
use tokio::runtime::Handle;
use tokio::sync::MutexGuard;
use tokio::time::Instant;

use crate::backend::Identity;
use crate::engine::server::ServerOptions;
use crate::engine::server::driver::{Driver, Failure, Holds, PassOver, Session, Start};
use crate::engine::server::identity::{Expected, check_new};
use crate::engine::server::monitor::Monitor;
use crate::error::{Reason, StoreError};
use crate::sync::lock;

/// How long a server that takes no more connections is not asked for another one.
const FULL: Duration = Duration::from_millis(500);

/// How often it is looked meanwhile whether a session was given back.
const FULL_LOOK: Duration = Duration::from_millis(5);

/// The sessions to one server.
pub(crate) struct Sessions<M: Driver> {
    pool: Pool<M>,
    monitor: Arc<Monitor<M>>,
    expected: Expected,
    starts: Arc<Starts>,
    /// How long opening a session may take, and the checking of old ones before it.
    connect: Duration,
    /// How long to wait for a place in the pool.
    queue: Duration,
    metrics: Option<Arc<ClusterMetrics>>,
}

/// Starts of the server, as far as its sessions have shown them; 0 is none.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    /// That of the session which was opened last.
    last: AtomicI64,
    /// A number for the time since which it is: it has another one if it is back.
    life: AtomicI64,
    /// The last one for which it is on disk that the log head passed over what that may have taken back.
    passed: AtomicI64,
    known: Mutex<KnownStarts>,
    /// Held by who has the log head pass over.
    passing: tokio::sync::Mutex<()>,
}

/// All starts of the server that were seen, and what was done for them.
#[derive(Debug, Default)]
struct KnownStarts {
    /// How often another one than the last was seen.
    changes: i64,
    seen: BTreeSet<i64>,
    /// Those that were seen again behind another one: a server that another had taken over from, and that was not started since.
    /// With how many changes there had been when each was back last.
    back: BTreeMap<i64, i64>,
    /// Those that were passed over for: a server may tell sessions different starts though it was not started in between (a MySQL
    /// whose clock went back), and what those of before were asked goes on beside the new ones.
    passed: BTreeSet<i64>,
}

impl KnownStarts {
    /// How many changes there had been when this start was back last; 0 if it was there only once.
    fn since(&self, start: i64) -> i64 {
        self.back.get(&start).copied().unwrap_or(0)
    }
}

impl Starts {
    /// A session was opened; whether it is of another start than the one before. One that is back is one more start: the other
    /// server may have given out ids meanwhile.
    pub(crate) fn seen(&self, start: Option<Start>) -> bool {
        let Some(Start(start)) = start else { return false };
        let mut known = lock(&self.known);
        let before = self.last.load(Ordering::Acquire);
        if before == start {
            return false;
        }
        let is_new = known.seen.insert(start);
        if before != 0 {
            known.changes += 1;
        }
        if !is_new {
            let changes = known.changes;
            known.back.insert(start, changes);
            known.passed.remove(&start);
            // If it is another one, that one stays.
            let _ = self.passed.compare_exchange(start, 0, Ordering::AcqRel, Ordering::Acquire);
        }
        let Start(life) = Start::of(&[start, known.changes]);
        self.life.store(life, Ordering::Release);
        // Last: nobody is to use another session of this start before all of it is known.
        self.last.store(start, Ordering::Release);
        before != 0
    }

    /// A number for the start of the session which was opened last, another one each time that it changed, also to one that
    /// was seen before.
    pub(crate) fn life(&self) -> i64 {
        self.life.load(Ordering::Acquire)
    }

    /// Whether a session of this start may be used again.
    fn is_last(&self, start: Option<Start>) -> bool {
        start.is_none_or(|Start(start)| start == self.last.load(Ordering::Acquire))
    }

    /// The log head has passed over what this start may have taken back; `since` is what [`to_pass`](Starts::to_pass) said
    /// before. That does not count if the start was taken over from and is back meanwhile.
    pub(crate) fn passed(&self, Start(start): Start, since: i64) {
        let mut known = lock(&self.known);
        if known.since(start) == since {
            known.passed.insert(start);
            self.passed.store(start, Ordering::Release);
        }
    }

    /// Waits until nobody else of this process has the log head pass over.
    pub(crate) async fn passing(&self) -> MutexGuard<'_, ()> {
        self.passing.lock().await
    }

    /// How the log head is to pass over what this start may have taken back, and a number for since when the server is there;
    /// `None` if it has.
    pub(crate) fn to_pass(&self, Start(start): Start) -> Option<(PassOver, i64)> {
        // As a rule there is one.
        if self.passed.load(Ordering::Acquire) == start {
            return None;
        }
        let known = lock(&self.known);
        let passing = if known.back.contains_key(&start) { PassOver::Again } else { PassOver::Once };
        (!known.passed.contains(&start)).then(|| (passing, known.since(start)))
    }
}

impl<M: Driver> Sessions<M> {
    /// A pool; no session is opened before one is needed.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the pool cannot be made so.
    pub(crate) fn new(manager: M, options: &ServerOptions, holds: Holds) -> Result<Self, StoreError> {
        let expected = Expected::default();
        let starts = Arc::new(Starts::default());
        let name = options.name.clone();
        let seen = {
            let starts = Arc::clone(&starts);
            move |session: &M::Type, expected: bool| {
                if starts.seen(session.start()) && expected && holds == Holds::Cells {
                    tracing::info!(
                        cluster = name,
                        "its server was started anew or its database replaced: no cell is answered that was cached before"
                    );
                }
            }
        };
        let checked = check_new(&manager, &expected, seen, options.timeouts.connect);
        let last = Arc::clone(&starts);
        let pool = Pool::builder(manager)
            .post_create(checked)
            // What it reads may not be there for those of the last start.
            .pre_recycle(Hook::sync_fn(move |session: &mut M::Type, _| {
                if last.is_last(session.start()) { Ok(()) } else { Err(HookError::message("of another start")) }
            }))
            .max_size(options.pool_size.max(1))
            // The session used last has the statements prepared that are asked for now.
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(options.timeouts.queue))
            .create_timeout(Some(options.timeouts.connect))
            .recycle_timeout(Some(options.timeouts.connect / 2))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Refused { detail: format!("cannot make a pool: {error}") })?;
        let (connect, queue) = (options.timeouts.connect, options.timeouts.queue);
        let monitor = Arc::new(Monitor::new(pool.clone(), options.timeouts));
        Ok(Self { pool, monitor, expected, starts, connect, queue, metrics: options.metrics.clone() })
    }

    /// It has been checked whose the server is: sessions of another one are not used from now on.
    pub(crate) fn expect_identity(&self, identity: &Identity) {
        // It stands as long as this process.
        let _ = self.expected.set(identity.clone());
    }

    /// A session, for as long as the lease lives. Where there is a place for it, it is there within the time for connecting:
    /// idle ones that do not answer do not each have that time.
    pub(crate) async fn lease(&self) -> Result<Lease<M>, StoreError> {
        self.lease_within(self.queue).await
    }

    /// The same, waiting for so long for a place in the pool. A place is of no use while the server takes no more
    /// connections: within that time, too, one of those that the pool has got is waited for. Whoever gets none is told so.
    pub(crate) async fn lease_within(&self, queue: Duration) -> Result<Lease<M>, StoreError> {
        let until = Instant::now() + queue;
        let mut full = None;
        loop {
            let leased = self.lease_once(until.saturating_duration_since(Instant::now())).await;
            match (leased, full.take()) {
                (Err(error @ StoreError::Unavailable { reason: Reason::Queue, .. }), _) => {
                    if !self.free_soon(until).await {
                        return Err(error);
                    }
                    full = Some(error);
                }
                (Err(StoreError::Timeout { reason: Reason::Queue, .. }), Some(full)) => return Err(full),
                (leased, _) => return leased,
            }
        }
    }

    /// Waits until a session may be had without another connection, or it is worth trying to open one. `false` if the
    /// pool has none, or not until then.
    async fn free_soon(&self, until: Instant) -> bool {
        let again = Instant::now() + FULL;
        loop {
            let status = self.pool.status();
            let now = Instant::now();
            if status.size == 0 || now >= until {
                return false;
            }
            if status.available > 0 || now >= again {
                return true;
            }
            tokio::time::sleep(FULL_LOOK).await;
        }
    }

    /// The same, asked once.
    async fn lease_once(&self, queue: Duration) -> Result<Lease<M>, StoreError> {
        let waits = PoolTimeouts { wait: Some(queue), ..self.pool.timeouts() };
        let mut got = pin!(self.pool.timeout_get(&waits));
        // As a rule it is idle and was used a moment ago.
        let got = match poll_fn(|cx| Poll::Ready(got.as_mut().poll(cx))).await {
            Poll::Ready(got) => got,
            Poll::Pending => {
                let status = self.pool.status();
                let waits = status.waiting > 0;
                let limit = if waits { queue + self.connect } else { self.connect };
                let late = || unavailable(&format!("the server did not answer within {limit:?} (timeouts.connect)"));
                // Somewhat before one that is checked has had its time: there is no other to be checked behind it then.
                let soon = limit.saturating_sub(self.connect) + self.connect * 2 / 5;
                match tokio::time::timeout(soon, got.as_mut()).await {
                    Ok(got) => got,
                    Err(_) => {
                        self.forget_idle();
                        tokio::time::timeout(limit - soon, got).await.map_err(|_| late())?
                    }
                }
            }
        };
        match got {
            Ok(session) => Ok(Lease { session: Some(session), monitor: Arc::clone(&self.monitor) }),
            Err(PoolError::Backend(error)) => Err(error),
            Err(PoolError::Timeout(TimeoutType::Wait)) => Err(StoreError::Timeout {
                reason: Reason::Queue,
                detail: "no connection became free in time".to_owned(),
            }),
            Err(PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle)) => {
                Err(unavailable(&format!("the server did not answer within {:?} (timeouts.connect)", self.connect)))
            }
            Err(PoolError::Closed) => Err(unavailable("the store was closed")),
            Err(PoolError::NoRuntimeSpecified) => {
                Err(StoreError::Failed { detail: "the pool has no runtime".to_owned() })
            }
            Err(PoolError::PostCreateHook(HookError::Backend(error))) => Err(error),
            Err(PoolError::PostCreateHook(HookError::Message(detail))) => {
                Err(StoreError::Failed { detail: detail.into_owned() })
            }
        }
    }

    /// Drops every session nobody holds: when one was lost, the others of the same server probably were, too, and
    /// the next lease shall not be one of those.
    pub(crate) fn forget_idle(&self) {
        drop(self.pool.retain(|_, _| false));
    }

    /// Who looks after sessions that do not answer.
    pub(crate) fn monitor(&self) -> &Monitor<M> {
        &self.monitor
    }

    /// Starts of the server.
    pub(crate) fn starts(&self) -> &Starts {
        &self.starts
    }

    pub(crate) fn manager(&self) -> &M {
        self.pool.manager()
    }

    pub(crate) fn state(&self) -> PoolState {
        let status = self.pool.status();
        PoolState { size: status.size, idle: status.available, waiting: status.waiting }
    }

    /// Something is sent again.
    pub(crate) fn retried(&self, operation: Operation) {
        if let Some(metrics) = &self.metrics {
            metrics.retried(operation);
        }
    }

    /// So many writes were looked for by their tokens.
    pub(crate) fn settled(&self, outcome: Settlement, writes: usize) {
        if let Some(metrics) = &self.metrics {
            metrics.settled(outcome, writes);
        }
    }

    /// Gives the session back if the server answered: after that it is idle, whatever the answer was. If the server is
    /// read-only, the session and all others that are idle are closed: it may be one that was demoted, which must not be read
    /// from either, and the next session may reach the server that took over. So they are if it cannot be used now, as
    /// a node that is still joining its cluster. A right that is missing is no sign of that. If a table is missing that
    /// every store has, another store may soon be loaded in its place, which sessions are to be opened to.
    pub(crate) fn give_back_answered(&self, lease: Lease<M>, failure: &Failure) {
        match failure {
            Failure::Lost { .. } => drop(lease),
            Failure::ReadOnly { .. } | Failure::Store(StoreError::Unavailable { .. }) => {
                drop(lease);
                self.forget_idle();
            }
            Failure::Store(StoreError::NoTable { table }) if table.starts_with("cg_") || table.ends_with(".*") => {
                drop(lease);
                self.forget_idle();
            }
            Failure::Again { .. } | Failure::Store(_) | Failure::Duplicate | Failure::Stale => lease.give_back(),
        }
    }

    /// Lets nobody in any more. Sessions in use live on until their work is done.
    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

fn unavailable(detail: &str) -> StoreError {
    StoreError::Unavailable { reason: Reason::Connect, detail: detail.to_owned() }
}

/// A session in one hand. It goes back to the pool only through [`Lease::give_back`]; dropped any other way, as when
/// the future that used it was dropped between question and answer, its connection is closed.
///
/// What it was asked goes on in the server meanwhile, so that it keeps its place in the pool until it was ended there.
pub(crate) struct Lease<M: Driver> {
    /// `None` only once it was given back.
    session: Option<Object<M>>,
    monitor: Arc<Monitor<M>>,
}

impl<M: Driver> Lease<M> {
    /// The session.
    ///
    /// # Errors
    /// None: there is a session for as long as there is a lease.
    pub(crate) fn session(&mut self) -> Result<&mut M::Session, StoreError> {
        match &mut self.session {
            Some(session) => Ok(session),
            None => Err(StoreError::Failed { detail: "a lease without a session".to_owned() }),
        }
    }

    /// The session is idle and in no transaction: the next may have it.
    pub(crate) fn give_back(mut self) {
        drop(self.session.take());
    }
}

impl<M: Driver> Drop for Lease<M> {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        match Handle::try_current() {
            Ok(runtime) if session.is_awaited() => {
                session.hang_up();
                let monitor = Arc::clone(&self.monitor);
                runtime.spawn(async move {
                    monitor.end(&session.mark()).await;
                    drop(Object::take(session));
                });
            }
            Ok(_) | Err(_) => drop(Object::take(session)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::server::fake::FakeDriver;

    #[tokio::test]
    async fn behind_a_write_to_a_read_only_server_no_session_to_it_is_used() {
        let dsn = "postgres://a@localhost/b".parse().unwrap();
        let sessions = Sessions::new(FakeDriver::default(), &ServerOptions::new("a", dsn), Holds::Cells).unwrap();
        let two = async || {
            let (one, other) = (sessions.lease().await.unwrap(), sessions.lease().await.unwrap());
            other.give_back();
            one
        };
        sessions.give_back_answered(two().await, &Failure::Duplicate);
        assert_eq!(sessions.state().size, 2);
        let refused = StoreError::Refused { detail: "INSERT command denied to user 'cell'@'%'".to_owned() };
        sessions.give_back_answered(two().await, &Failure::Store(refused));
        assert_eq!(sessions.state().size, 2, "a missing right says nothing of the server");
        let no_table = |table: &str| Failure::Store(StoreError::NoTable { table: table.to_owned() });
        sessions.give_back_answered(two().await, &no_table("trips_1"));
        assert_eq!(sessions.state().size, 2, "a dropped table says nothing of the others");
        let detail = "the server is running with --read-only".to_owned();
        let away = Failure::Store(StoreError::Unavailable { reason: Reason::Statement, detail: detail.clone() });
        for failure in [Failure::ReadOnly { detail }, away, no_table("cg_head"), no_table("cells.*")] {
            sessions.give_back_answered(two().await, &failure);
            assert_eq!(sessions.state().size, 0, "{failure:?}");
        }
    }
}
