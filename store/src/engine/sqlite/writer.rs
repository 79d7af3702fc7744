//! The one thread that writes to a file.
//!
//! It takes everything that is queued into one transaction and syncs once: the more callers wait, the more share a
//! sync, and a lone one never waits for others. There is no timer.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cellgate_schemaless::Epoch;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::checkpoint::Checkpointer;
use super::file::{Access, Failure, TimedConnection, commit_outcome};
use super::files::{OpenFiles, ProcessLock};
use super::pulse::Pulse;
use super::snapshots::Snapshots;
use super::write::{Outcomes, Texts, apply};
use crate::sync::lock;
use crate::{PutGroup, Reason, StoreError, Timeouts};

/// Most groups of one transaction: 256 already cost less for their sync than for their rows.
const BATCH_GROUPS: usize = 256;

/// Most bytes of bodies of one transaction, so that a batch ends well within a statement's time.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// What may wait for the thread; whoever comes when it is full waits for `timeouts.queue`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueBounds {
    /// Calls.
    pub(crate) calls: usize,
    /// Bytes of keys and bodies. A single call may have more.
    pub(crate) bytes: usize,
}

/// The writing side of a file, as seen by callers.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    timeouts: Timeouts,
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Job>>,
    /// Bytes of cells that may still be queued.
    room: Arc<Semaphore>,
    /// How many there are of them.
    bytes: u32,
    thread: Mutex<Option<JoinHandle<()>>>,
    pulse: Arc<Pulse>,
}

/// Something to write.
enum Job {
    /// A call of `put`, which shares a transaction with its neighbours.
    Put(Put),
    /// Anything else, by itself.
    Alone(Box<dyn FnOnce(&mut WriteSide) + Send>),
    /// Finish what is queued and end.
    Close,
}

struct Put {
    epoch: Epoch,
    groups: Vec<PutGroup>,
    reply: oneshot::Sender<Outcomes>,
    /// What it takes of the queue's bytes, until it is done.
    _room: OwnedSemaphorePermit,
}

/// The writing side of a file, as its thread has it.
pub(crate) struct WriteSide {
    path: PathBuf,
    timeouts: Timeouts,
    connection: TimedConnection,
    texts: Texts,
    checkpointer: Checkpointer,
    snapshots: Arc<Snapshots>,
    pulse: Arc<Pulse>,
    files: Arc<OpenFiles>,
    /// Not given back before the thread has closed the file.
    _lock: Arc<ProcessLock>,
}

impl Writer {
    /// Starts the thread. The file is there and has a write-ahead log.
    pub(crate) fn start(
        path: &Path,
        timeouts: Timeouts,
        queue: QueueBounds,
        mut connection: TimedConnection,
        lock: Arc<ProcessLock>,
        files: Arc<OpenFiles>,
        snapshots: Arc<Snapshots>,
    ) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::channel(queue.calls.max(1));
        let bytes = u32::try_from(queue.bytes).unwrap_or(u32::MAX);
        let checkpointer = Checkpointer::start(path, timeouts.lock, &mut connection, Arc::clone(&snapshots))?;
        let (owned, texts) = (path.to_owned(), Texts::new());
        let pulse = Arc::new(Pulse::new());
        let shared = Arc::clone(&pulse);
        let side = WriteSide {
            path: owned,
            timeouts,
            connection,
            texts,
            checkpointer,
            snapshots,
            pulse: shared,
            files,
            _lock: lock,
        };
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || side.run(receiver))
            .map_err(|e| StoreError::Failed { detail: format!("cannot start a thread: {e}") })?;
        let (queue, thread, room) = (Some(sender), Mutex::new(Some(thread)), Arc::new(Semaphore::new(bytes as usize)));
        Ok(Self { path: path.to_owned(), timeouts, queue, room, bytes, thread, pulse })
    }

    /// Whether what is queued is being written. If the file could not be opened again, that is tried once more, and a later
    /// call says whether it succeeded.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the thread has ended, has had one job for longer than any may take, or cannot open
    /// the file again behind a failure.
    pub(crate) fn is_alive(&self) -> Result<(), StoreError> {
        let ended = |thread: &JoinHandle<()>| thread.is_finished();
        let why = if lock(&self.thread).as_ref().is_some_and(ended) {
            "its writer has ended: restart the proxy"
        } else if self.pulse.busy() > self.timeouts.statement * 3 + self.timeouts.lock {
            "its writer hangs"
        } else if self.pulse.is_shut_out() {
            self.try_again();
            "it cannot be opened again behind a failure"
        } else {
            return Ok(());
        };
        let detail = format!("{}: {why}", self.path.display());
        Err(StoreError::Unavailable { reason: Reason::Statement, detail })
    }

    /// Queues another attempt at opening the file, if there is room and none is queued.
    fn try_again(&self) {
        let Some(queue) = &self.queue else { return };
        if self.pulse.trying.swap(true, Ordering::AcqRel) {
            return;
        }
        let job = |side: &mut WriteSide| {
            side.pulse.trying.store(false, Ordering::Release);
            side.recover();
        };
        if queue.try_send(Job::Alone(Box::new(job))).is_err() {
            self.pulse.trying.store(false, Ordering::Release);
        }
    }

    /// Bytes that may still be queued.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.room.available_permits()
    }

    /// Says that the file could not be opened again.
    #[cfg(test)]
    pub(super) fn shut_out(&self) {
        self.pulse.shut_out.store(true, Ordering::Release);
    }

    /// Writes groups.
    pub(crate) async fn put(&self, epoch: Epoch, groups: Vec<PutGroup>) -> Outcomes {
        let (reply, answer) = oneshot::channel();
        let bytes = groups.iter().map(PutGroup::bytes).sum::<usize>();
        let _room = self.room_for(bytes).await?;
        self.send(Job::Put(Put { epoch, groups, reply, _room })).await?;
        self.answer(answer).await
    }

    /// Runs `work` in a transaction of its own.
    pub(crate) async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.side(|side| side.transaction(|sqlite, _| work(sqlite))).await
    }

    /// Runs `work` on the writing side, between two batches.
    pub(crate) async fn side<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut WriteSide) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        // Whoever asked may be gone; the work is done all the same.
        let job = move |side: &mut WriteSide| drop(reply.send(work(side)));
        self.send(Job::Alone(Box::new(job))).await?;
        self.answer(answer).await
    }

    /// Finishes what is queued and closes the file. Waits for it at most a statement's time.
    pub(crate) async fn close(&self) {
        if let Some(queue) = &self.queue {
            // A full queue: dropping the writer ends it as well.
            let _ = tokio::time::timeout(self.timeouts.queue, queue.send(Job::Close)).await;
        }
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join());
            if tokio::time::timeout(self.timeouts.statement, joined).await.is_err() {
                tracing::warn!(file = %self.path.display(), "closing took too long; it goes on in the background");
            }
        }
    }

    /// Room for so many bytes of cells in the queue; for more than it has there is all of it.
    async fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) {
            return Ok(room);
        }
        match tokio::time::timeout(self.timeouts.queue, Arc::clone(&self.room).acquire_many_owned(bytes)).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_)) => Err(super::closed(&self.path)),
            Err(_) => Err(self.stayed_full()),
        }
    }

    fn stayed_full(&self) -> StoreError {
        let detail = format!("{}: the writer's queue stayed full", self.path.display());
        StoreError::Timeout { reason: Reason::Queue, detail }
    }

    async fn send(&self, job: Job) -> Result<(), StoreError> {
        let Some(queue) = &self.queue else { return Err(super::closed(&self.path)) };
        let job = match queue.try_send(job) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(super::closed(&self.path)),
            Err(mpsc::error::TrySendError::Full(job)) => job,
        };
        match tokio::time::timeout(self.timeouts.queue, queue.send(job)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(super::closed(&self.path)),
            Err(_) => Err(self.stayed_full()),
        }
    }

    async fn answer<T>(&self, answer: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
        // The batch ahead and the own one are each bounded by the statement's time, twice that if they are split; a sync that
        // hangs is not, nor is a long queue. What has not been answered by then may still be done.
        let bound = self.timeouts.statement * 2 + self.timeouts.lock;
        let unknown = |why: &str| StoreError::MaybeWritten { detail: format!("{}: {why}", self.path.display()) };
        match tokio::time::timeout(bound, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(unknown("the writer ended")),
            Err(_) => Err(unknown("the writer did not answer in time")),
        }
    }
}

impl Drop for Writer {
    /// Waits until the queue is written and the file closed, so that whoever opens it next finds it free.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic of the thread has been printed by its hook.
            let _ = thread.join();
        }
    }
}

impl WriteSide {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut held = None;
        while let Some(job) = held.take().or_else(|| queue.blocking_recv()) {
            self.pulse.begins();
            match job {
                Job::Put(first) => held = self.batch(first, &mut queue),
                Job::Alone(work) => work(&mut self),
                // Nobody can queue any more; what is queued is still received, then the loop ends.
                Job::Close => queue.close(),
            }
            self.pulse.ends();
        }
        self.finish();
    }

    /// Writes a call and those queued behind it in one transaction; answers the first job that could not join. Those whose
    /// wait for an answer is over were told that they may be written, and are not: behind a sync that hung, whoever waits
    /// comes first.
    fn batch(&mut self, first: Put, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let (mut groups, mut bytes) = (first.groups.len(), first.bytes());
        let mut calls = vec![first];
        calls.retain(|call| !call.reply.is_closed());
        let mut held = None;
        while groups < BATCH_GROUPS && bytes < BATCH_BYTES {
            match queue.try_recv() {
                Ok(Job::Put(put)) if put.reply.is_closed() => {}
                Ok(Job::Put(put)) => {
                    groups += put.groups.len();
                    bytes += put.bytes();
                    calls.push(put);
                }
                Ok(job) => {
                    held = Some(job);
                    break;
                }
                Err(_) => break,
            }
        }
        if !calls.is_empty() {
            self.write(calls);
        }
        held
    }

    /// Writes calls in one transaction, or each in one of its own behind an error that one of them may be the cause of.
    fn write(&mut self, calls: Vec<Put>) {
        match self.write_within(self.timeouts.statement, &calls) {
            Ok(outcomes) => {
                for (call, outcome) in calls.into_iter().zip(outcomes) {
                    let _ = call.reply.send(outcome);
                }
                // Behind the answers: it may wait for a checkpoint.
                self.checkpointer.written(&self.connection);
            }
            Err(e) if calls.len() > 1 && may_be_of_one(&e) => self.write_one_by_one(calls, &e),
            Err(e) => answer_all(calls, &e),
        }
    }

    /// Writes calls one by one, behind `first`, the error of all of them together. In all they have the time of one
    /// statement; those behind it are answered `first`, as are all while the file cannot be opened again. Those that
    /// nobody waits for any more were answered that they may be written, and are not.
    fn write_one_by_one(&mut self, calls: Vec<Put>, first: &StoreError) {
        let until = Instant::now() + self.timeouts.statement;
        for call in calls {
            if call.reply.is_closed() {
                continue;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.pulse.is_shut_out() {
                answer_all(vec![call], first);
                continue;
            }
            let answer = self
                .write_within(left, std::slice::from_ref(&call))
                .and_then(|mut outcomes| outcomes.pop().unwrap_or_else(|| Err(first.clone())));
            let _ = call.reply.send(answer);
        }
        // Behind all answers: it may wait for a checkpoint.
        self.checkpointer.written(&self.connection);
    }

    /// Writes calls in one transaction, which may take so long; answers the outcomes of each. They are durable then:
    /// whoever has stopped waiting will find them by their tokens.
    fn write_within(&mut self, limit: Duration, calls: &[Put]) -> Result<Vec<Outcomes>, StoreError> {
        self.transaction_within(limit, |sqlite, texts| {
            apply(sqlite, texts, calls.iter().map(|call| (call.epoch, call.groups.as_slice())))
        })
    }

    /// Runs `work` in a transaction: all of it is durable, or none of it is there.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Texts) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.transaction_within(self.timeouts.statement, work)
    }

    fn transaction_within<T>(
        &mut self,
        limit: Duration,
        work: impl FnOnce(&Connection, &mut Texts) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.checkpointer.may_append(&self.connection)?;
        let (path, texts, snapshots) = (&self.path, &mut self.texts, &self.snapshots);
        let result = self.connection.within(limit, |sqlite| {
            execute(sqlite, "BEGIN IMMEDIATE").map_err(|e| e.outcome(path))?;
            let done = work(sqlite, texts).map_err(|e| e.outcome(path));
            // Over before anybody is answered.
            let _changing = snapshots.changing();
            done.and_then(|answer| match execute(sqlite, "COMMIT") {
                Ok(()) => Ok(answer),
                Err(e) => Err(commit_outcome(e, path)),
            })
        });
        match &result {
            Ok(_) => self.pulse.shut_out.store(false, Ordering::Release),
            Err(e) => {
                if matches!(e, StoreError::DiskFull { .. }) {
                    self.checkpointer.disk_is_full();
                }
                self.recover();
            }
        }
        result
    }

    /// Lets the log be moved into the file behind a transaction of one of several jobs; this may wait for a checkpoint.
    pub(crate) fn committed(&self) {
        self.checkpointer.written(&self.connection);
    }

    /// Writes what the log still holds of overwritten pages to the file, and empties the log; answers whether it is empty,
    /// which who reads from it keeps it from.
    ///
    /// # Errors
    /// What kept it from being moved into the file.
    pub(crate) fn empty_log(&mut self, wait: Duration) -> Result<bool, StoreError> {
        self.checkpointer.truncate(&self.connection, wait)
    }

    /// Its connection.
    #[cfg(test)]
    pub(super) fn sqlite(&mut self) -> &mut Connection {
        &mut self.connection.sqlite
    }

    /// Says that the log is as long as it may get; answers what keeps checkpoints waiting while it is held.
    #[cfg(test)]
    pub(super) fn lengthen_log(&self) -> Arc<Mutex<()>> {
        self.checkpointer.lengthen_log()
    }

    /// After a failure: no transaction stays open, on a new connection if need be.
    fn recover(&mut self) {
        if self.connection.sqlite.is_autocommit() || self.connection.sqlite.execute_batch("ROLLBACK").is_ok() {
            self.pulse.shut_out.store(false, Ordering::Release);
            return;
        }
        let opened = TimedConnection::open(&self.path, Access::Write, self.timeouts.lock);
        let opened = opened.and_then(|mut connection| {
            self.files.check()?;
            self.checkpointer.taken_over(&mut connection)?;
            Ok(connection)
        });
        let before = self.pulse.shut_out.swap(opened.is_err(), Ordering::AcqRel);
        match opened {
            Ok(connection) => self.connection = connection,
            // The next transaction fails at BEGIN, comes here, and tries again; so does who asks for a sign of life, every
            // few seconds: the log is told once.
            Err(e) if before => {
                tracing::debug!(file = %self.path.display(), error = ?e, "still cannot open the file again");
            }
            Err(e) => tracing::error!(file = %self.path.display(), error = ?e, "cannot open the file again"),
        }
    }

    fn finish(mut self) {
        let _ = self.empty_log(self.timeouts.lock);
        let (checkpointer, connection) = (self.checkpointer, self.connection);
        checkpointer.stop();
        if let Err((_, e)) = connection.sqlite.close() {
            tracing::warn!(file = %self.path.display(), error = %e, "closing a file failed");
        }
    }
}

impl Put {
    fn bytes(&self) -> usize {
        self.groups.iter().map(PutGroup::bytes).sum()
    }
}

fn answer_all(calls: Vec<Put>, error: &StoreError) {
    for call in calls {
        let _ = call.reply.send(Err(error.clone()));
    }
}

/// Whether one call of several can be the cause: also of a transaction that took too long.
fn may_be_of_one(error: &StoreError) -> bool {
    error.may_be_of_one() || matches!(error, StoreError::Timeout { reason: Reason::Statement, .. })
}

fn execute(sqlite: &Connection, text: &str) -> Result<(), Failure> {
    sqlite.prepare_cached(text)?.raw_execute()?;
    Ok(())
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Put(_) => "Put",
            Self::Alone(_) => "Alone",
            Self::Close => "Close",
        })
    }
}
