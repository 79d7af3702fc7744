//! The connections that read.
//!
//! A point read takes a few microseconds, less than handing it to another thread costs, so that it runs where it is
//! asked for, under a budget; what exceeds the budget is run again on a blocking thread, on a connection of the other
//! lane, so that scans never keep point reads waiting. A budget of time alone would not do: within one step SQLite reads all
//! pages of a body, so that long ones are left out there ([`Failure::Large`]). How long the disk takes for a page that is not
//! in memory is not bounded. Reads of the first kind go on in each other's snapshot as long
//! as nothing was written (`snapshots`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::file::{Access, Failure, TimedConnection};
use super::files::OpenFiles;
use super::snapshots::{Reader, Snapshots};
use crate::sync::lock;
use crate::{Reason, StoreError, Timeouts};

/// Longest a read may keep a thread of the runtime. Twenty times a batch of 64 warm keys; a tenth of what a client
/// would notice.
const INLINE_BUDGET: Duration = Duration::from_millis(4);

/// Readers of one file.
#[derive(Debug)]
pub(crate) struct Readers {
    inline: Lane,
    blocking: Lane,
    timeouts: Timeouts,
}

/// A bounded set of connections, opened when first needed.
#[derive(Clone, Debug)]
struct Lane {
    path: Arc<PathBuf>,
    files: Arc<OpenFiles>,
    lock_wait: Duration,
    free: Arc<Semaphore>,
    idle: Idle,
}

/// Where the connections of a lane are that nobody uses.
#[derive(Clone, Debug)]
enum Idle {
    /// Each read has a snapshot of its own.
    Plain(Arc<Mutex<Vec<TimedConnection>>>),
    /// Reads go on in each other's snapshot.
    Kept(Arc<Snapshots>),
}

impl Readers {
    pub(crate) fn new(
        path: PathBuf,
        files: &Arc<OpenFiles>,
        connections: usize,
        timeouts: Timeouts,
        snapshots: Arc<Snapshots>,
    ) -> Self {
        let path = Arc::new(path);
        let lane = |idle| Lane {
            path: path.clone(),
            files: Arc::clone(files),
            lock_wait: timeouts.lock,
            free: Arc::new(Semaphore::new(connections.max(1))),
            idle,
        };
        let (kept, plain) = (Idle::Kept(snapshots), Idle::Plain(Arc::new(Mutex::new(Vec::new()))));
        Self { inline: lane(kept), blocking: lane(plain), timeouts }
    }

    /// Runs a read on this thread now; `None` if no reader is free, or it took longer than a read may there, or failed.
    pub(crate) fn at_once<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Option<T> {
        let _permit = self.inline.free.try_acquire().ok()?;
        self.inline.run(INLINE_BUDGET, read).ok()
    }

    /// Runs a read on this thread; `None` if it took longer than a read may there, or there was more to be read.
    pub(crate) async fn inline<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<Option<T>, StoreError> {
        let permit = self.inline.permit(self.timeouts.queue).await?;
        match self.inline.run(INLINE_BUDGET, read) {
            Ok(answer) => Ok(Some(answer)),
            Err(e) if e.is_interrupt() || matches!(e, Failure::Large) => {
                drop(permit);
                Ok(None)
            }
            Err(e) => Err(e.outcome(&self.inline.path)),
        }
    }

    /// Runs a read on a thread that may block.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.blocking.permit(self.timeouts.queue).await?;
        let (lane, bound) = (self.blocking.clone(), self.timeouts.statement);
        let task = tokio::task::spawn_blocking(move || {
            let result = lane.run(bound, read).map_err(|e| e.outcome(&lane.path));
            drop(permit);
            result
        });
        task.await.unwrap_or_else(|e| Err(StoreError::Failed { detail: format!("a reader ended: {e}") }))
    }

    /// Lets nobody in any more and closes what is idle; a connection in use is closed when it comes back.
    pub(crate) fn close(&self) {
        for lane in [&self.inline, &self.blocking] {
            lane.free.close();
            match &lane.idle {
                Idle::Plain(idle) => lock(idle).clear(),
                Idle::Kept(snapshots) => snapshots.clear(),
            }
        }
    }
}

impl Lane {
    async fn permit(&self, wait: Duration) -> Result<OwnedSemaphorePermit, StoreError> {
        match self.free.clone().try_acquire_owned() {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::Closed) => return Err(super::closed(&self.path)),
            Err(TryAcquireError::NoPermits) => {}
        }
        match tokio::time::timeout(wait, self.free.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(super::closed(&self.path)),
            Err(_) => Err(StoreError::Timeout {
                reason: Reason::Queue,
                detail: format!("{}: no reader was free for {wait:?}", self.path.display()),
            }),
        }
    }

    /// Runs a read on a connection of this lane; the caller has a permit.
    fn run<T>(&self, bound: Duration, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        match &self.idle {
            Idle::Plain(idle) => {
                let reused = lock(idle).pop();
                let mut connection = match reused {
                    Some(connection) => connection,
                    None => self.open()?,
                };
                let result = connection.within(bound, read);
                // A connection that is stuck in a transaction would answer from an old snapshot for ever.
                if connection.sqlite.is_autocommit() && !self.free.is_closed() {
                    lock(idle).push(connection);
                }
                result
            }
            Idle::Kept(snapshots) => {
                let mut reader = match snapshots.take() {
                    Some(reader) => reader,
                    None => Reader::new(self.open()?),
                };
                snapshots.refresh(&mut reader)?;
                let result = reader.connection.within(bound, read);
                if result.as_ref().is_err_and(|e| !matches!(e, Failure::Large)) {
                    // What failed may have ended the transaction, or may fail for it. A read that is too long here did not fail.
                    reader.end()?;
                }
                if reader.is_sound() && !self.free.is_closed() {
                    snapshots.give(reader)?;
                }
                result
            }
        }
    }

    fn open(&self) -> Result<TimedConnection, Failure> {
        let connection = TimedConnection::open(&self.path, Access::Read, self.lock_wait)?;
        self.files.check()?;
        Ok(connection)
    }
}
