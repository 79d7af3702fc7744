//! Repeating a write until its outcome is known (C3 of docs/ARCHITECTURE.md).

use std::future::Future;
use std::time::Duration;

use cellgate_metrics::{Operation, Settlement};
use cellgate_schemaless::Epoch;
use tokio::time::Instant;

use crate::backend::Timeouts;
use crate::engine::server::driver::{Driver, Failure, Mark, Session, Value};
use crate::engine::server::pool::{Lease, Sessions};
use crate::error::{Reason, StoreError};
use crate::sql::Dialect;

/// Most deadlocks one write takes part in. Writers queue at the log head, so that a deadlock is an outsider's doing.
const DEADLOCKS: u32 = 10;

/// Most full lock waits of one write. The lock of a writer that was stopped in the middle goes within one (its session
/// is ended by the server), so that the second is somebody else's, and the third is worth an answer.
const LOCK_WAITS: u32 = 3;

/// What our own clock allows beyond the server's, so that the server's answer wins.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// First and longest pause between two attempts to reach a server.
pub(crate) const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// A write under way.
pub(crate) struct Attempts<'a, D: Driver> {
    sessions: &'a Sessions<D>,
    timeouts: &'a Timeouts,
    operation: Operation,
    /// How many writes the next attempt is about.
    writes: usize,
    /// When to give up finding out what became of a lost attempt: a statement timeout after the first was lost.
    until: Option<Instant>,
    /// The last attempt whose outcome was not answered.
    lost: Option<(Mark, String)>,
    /// Whether an attempt succeeded without saying which of its rows it wrote: what a look-up has not found yet may be written.
    untold: bool,
    /// Before the next look at what became of it.
    pause: Duration,
    deadlocks: u32,
    lock_waits: u32,
}

impl<'a, D: Driver> Attempts<'a, D> {
    pub(crate) fn new(sessions: &'a Sessions<D>, timeouts: &'a Timeouts, operation: Operation) -> Self {
        let pause = PAUSE.0;
        Self {
            sessions,
            timeouts,
            operation,
            writes: 1,
            until: None,
            lost: None,
            untold: false,
            pause,
            deadlocks: 0,
            lock_waits: 0,
        }
    }

    /// How long may still be waited.
    fn left(&self) -> Duration {
        self.until.map_or(self.timeouts.statement, |until| until.saturating_duration_since(Instant::now()))
    }

    /// So many writes are open: what becomes of an attempt is theirs.
    pub(crate) fn are_about(&mut self, writes: usize) {
        self.writes = writes;
    }

    /// Whether an attempt was lost: its outcome must be looked up before the next one.
    pub(crate) fn lost_one(&self) -> bool {
        self.lost.is_some()
    }

    /// An attempt succeeded without saying which of its rows it wrote: they must be looked up.
    pub(crate) fn succeeded_untold(&mut self) {
        self.untold = true;
        self.until.get_or_insert_with(|| Instant::now() + self.timeouts.statement);
    }

    /// What may have been written by an attempt that nothing is known of yet.
    pub(crate) fn in_doubt(&self) -> Option<&str> {
        let untold = || self.untold.then_some("the rows were sent and their places not answered");
        self.lost.as_ref().map(|(_, detail)| detail.as_str()).or_else(untold)
    }

    /// A session for the next attempt. If one was lost before, it is over by now.
    ///
    /// # Errors
    /// Of the pool, while nothing can have been written; [`StoreError::MaybeWritten`] after that.
    pub(crate) async fn session(&mut self) -> Result<Lease<D>, StoreError> {
        let Some(detail) = self.in_doubt() else { return self.sessions.lease().await };
        let mut pause = PAUSE.0;
        loop {
            let lease = match &self.lost {
                Some((mark, _)) => self.session_after(mark).await,
                None => self.sessions.lease().await,
            };
            let why = match lease {
                Ok(lease) => return Ok(lease),
                Err(error) => error,
            };
            if self.left() <= pause {
                self.unknown();
                return Err(StoreError::MaybeWritten { detail: format!("{detail}; then: {why}") });
            }
            tokio::time::sleep(pause).await;
            pause = PAUSE.1.min(pause * 2);
        }
    }

    async fn session_after(&self, lost: &Mark) -> Result<Lease<D>, StoreError> {
        let mut lease = self.sessions.lease().await?;
        let wait = self.left().min(self.timeouts.lock);
        let ended = bounded(wait + GRACE, lease.session()?.end(lost, wait)).await;
        match ended {
            Ok(true) => Ok(lease),
            Ok(false) => {
                lease.give_back();
                Err(StoreError::Timeout {
                    reason: Reason::Statement,
                    detail: "the lost attempt is still running".to_owned(),
                })
            }
            Err(failure) => {
                self.sessions.forget_idle();
                Err(unsettled(failure))
            }
        }
    }

    /// Runs one attempt in the session of `mark`, bounded a little above the server's own limits.
    pub(crate) async fn bounded<T>(
        &self,
        mark: &Mark,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.bounded_sending(mark, 0, work).await
    }

    /// The same, of an attempt that sends so many bytes.
    pub(crate) async fn bounded_sending<T>(
        &self,
        mark: &Mark,
        bytes: usize,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let limit = self.timeouts.statement + self.timeouts.lock + GRACE;
        let answered = self.sessions.monitor().answered(mark, bytes, limit, work).await;
        answered.unwrap_or_else(|| Err(Failure::Lost { detail: format!("no answer within {limit:?}") }))
    }

    /// An attempt in the session of `mark` failed: `Ok` if there may be another.
    ///
    /// # Errors
    /// What the write failed of.
    pub(crate) fn after(&mut self, failure: Failure, mark: Mark) -> Result<(), StoreError> {
        match failure {
            Failure::Lost { detail } => {
                self.sessions.forget_idle();
                self.until.get_or_insert_with(|| Instant::now() + self.timeouts.statement);
                if self.left().is_zero() {
                    self.unknown();
                    return Err(StoreError::MaybeWritten { detail });
                }
                if self.operation != Operation::Put {
                    self.sessions.retried(self.operation);
                }
                self.lost = Some((mark, detail));
                Ok(())
            }
            Failure::Again { reason, detail } => {
                let (count, most) = match reason {
                    Reason::Lock => (&mut self.lock_waits, LOCK_WAITS),
                    Reason::Connect | Reason::Statement | Reason::Queue => (&mut self.deadlocks, DEADLOCKS),
                };
                *count += 1;
                if *count >= most {
                    return Err(self.outcome(StoreError::Timeout { reason: Reason::Lock, detail }));
                }
                self.sessions.retried(self.operation);
                Ok(())
            }
            Failure::Duplicate | Failure::Stale | Failure::ReadOnly { .. } | Failure::Store(_) => {
                Err(self.outcome(unsettled(failure)))
            }
        }
    }

    /// The error of a write whose last attempt wrote nothing: one that was lost before may have written.
    pub(crate) fn outcome(&self, error: StoreError) -> StoreError {
        match self.in_doubt() {
            None => error,
            Some(detail) => {
                self.unknown();
                StoreError::MaybeWritten { detail: format!("{detail}; then: {error}") }
            }
        }
    }

    /// A look-up between two attempts failed: `Ok` if it may be tried again, behind a pause.
    ///
    /// # Errors
    /// What the write failed of.
    pub(crate) async fn after_look(&mut self, failure: Failure) -> Result<(), StoreError> {
        let detail = match failure {
            Failure::Lost { detail } => {
                self.sessions.forget_idle();
                detail
            }
            // Where there is no table, the lost attempt has left no row.
            Failure::Store(error @ StoreError::NoTable { .. }) => return Err(error),
            // Nothing was lost, and it would be refused again.
            Failure::Store(
                error @ (StoreError::Refused { .. }
                | StoreError::Denied { .. }
                | StoreError::Failed { .. }
                | StoreError::Corrupt { .. }),
            ) if self.lost.is_none() => return Err(self.outcome(error)),
            Failure::Duplicate
            | Failure::Stale
            | Failure::Again { .. }
            | Failure::ReadOnly { .. }
            | Failure::Store(_) => {
                let error = unsettled(failure);
                if self.in_doubt().is_none() {
                    return Err(error);
                }
                error.to_string()
            }
        };
        self.until.get_or_insert_with(|| Instant::now() + self.timeouts.statement);
        if self.left() > self.pause {
            tokio::time::sleep(self.pause).await;
            self.pause = PAUSE.1.min(self.pause * 2);
            return Ok(());
        }
        Err(if self.in_doubt().is_some() {
            self.unknown();
            StoreError::MaybeWritten { detail }
        } else {
            StoreError::Unavailable { reason: Reason::Statement, detail }
        })
    }

    /// Existing rows were looked up. If an attempt had been lost, its outcome is known now, and accounted for; `found` says
    /// for each write whether it had been done.
    pub(crate) fn looked(&mut self, found: impl Iterator<Item = bool>) {
        self.untold = false;
        if self.lost.take().is_none() {
            return;
        }
        for written in found {
            if written {
                self.sessions.settled(Settlement::Written, 1);
            } else {
                self.sessions.settled(Settlement::Absent, 1);
                self.sessions.retried(self.operation);
            }
        }
    }

    /// What became of the writes cannot be found out. Other changes have no token that is looked for.
    fn unknown(&self) {
        if self.operation == Operation::Put {
            self.sessions.settled(Settlement::Unknown, self.writes);
        }
    }
}

/// Bounds a wait for the server: what does not answer in time is as good as lost.
pub(crate) async fn bounded<T>(limit: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(Failure::Lost { detail: format!("no answer within {limit:?}") }),
    }
}

/// A failure as the error of something that wrote nothing.
pub(crate) fn unsettled(failure: Failure) -> StoreError {
    match failure {
        Failure::Lost { detail } => StoreError::Unavailable { reason: Reason::Statement, detail },
        Failure::Duplicate => StoreError::Failed { detail: "a row of that key exists".to_owned() },
        Failure::Stale => StoreError::Corrupt { detail: "the log head is missing".to_owned() },
        Failure::Again { reason, detail } => StoreError::Timeout { reason, detail },
        Failure::ReadOnly { detail } => StoreError::Refused { detail },
        Failure::Store(error) => error,
    }
}

/// The error of a write the head let nothing in of, found out within this time.
pub(crate) async fn stale<S: Session>(
    session: &mut S,
    dialect: &Dialect,
    planned: Epoch,
    limit: Duration,
) -> StoreError {
    match bounded(limit, session.fetch(&dialect.select_epoch())).await {
        Ok(rows) => match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(current)) if *current != planned.0 => {
                StoreError::StaleEpoch { planned: planned.0, current: *current }
            }
            // It changed there and back, which only an operator can do.
            Some(Value::Int(_)) => StoreError::Failed { detail: "the epoch changed while it was read".to_owned() },
            Some(Value::Null | Value::Bytes(_)) | None => unsettled(Failure::Stale),
        },
        Err(failure) => unsettled(failure),
    }
}
