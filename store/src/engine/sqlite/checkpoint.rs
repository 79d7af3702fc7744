//! Moving committed pages from the write-ahead log into the file.
//!
//! SQLite would do it inside the commit that fills the log, which then takes as long as hundreds of others. A thread
//! does it beside the writer instead (a passive checkpoint blocks nobody): when much has been written, and when writes
//! pause, because a read from a log with nothing left to move need not look into it. When writes never pause, the log
//! grows all the same, for a pass never catches up with them. From a certain size on passes follow each other, each with
//! less to move than the one before, until little is left; that the writer moves itself, and the log starts anew. Only
//! where this does not come about in time does the writer wait for a pass.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::file::{Access, Failure, TimedConnection};
use super::snapshots::Snapshots;
use super::write::Written;
use crate::StoreError;
use crate::sync::lock;

/// Pages written between two checkpoints (32 MiB): pages that are written again meanwhile are moved once, and a read
/// finds what is not moved yet in two or three steps. Half as many cost 3 us more per put; with twice as many a commit waited
/// up to 0.2 s behind the sync that ends a pass.
const PAGES: u64 = 8000;

/// Pages a row dirties beside those of its body: one of the table's end is shared, one in each index is not.
const PAGES_PER_ROW: u64 = 2;

/// Bytes of a page.
const PAGE_BYTES: u64 = 4096;

/// Pages written before the log is to start anew (64 MiB).
const LOG_PAGES: u64 = 16 * 1024;

/// Pages written before the writer makes it start anew whatever is left to move.
pub(super) const MOST_LOG_PAGES: u64 = 2 * LOG_PAGES;

/// Pages that are few enough for the writer to move them, which takes little more than its two syncs.
const FEW_PAGES: u64 = 128;

/// Most passes in a row until few pages are left.
const PASSES: usize = 6;

/// Without a write for so long, what is in the log is moved however little it is.
const PAUSE: Duration = Duration::from_millis(500);

/// Longest the writer waits for readers of the old log when it starts a new one.
const RESTART_WAIT: Duration = Duration::from_millis(5);

/// The thread that checkpoints, as the writer has it.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    lock_wait: Duration,
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    /// Held during a checkpoint. SQLite has such a lock as well, but does not wait for it.
    pass: Arc<Mutex<()>>,
    snapshots: Arc<Snapshots>,
    log: Arc<Log>,
}

/// What the log holds; both are estimates.
#[derive(Debug, Default)]
struct Log {
    /// Pages written since the last pass began.
    pages: AtomicU64,
    /// Pages written since the log was last made to start anew, or a reader of the old one kept it from that.
    all: AtomicU64,
}

impl Log {
    /// Whether it is to start anew.
    fn is_long(&self) -> bool {
        self.all.load(Ordering::SeqCst) >= LOG_PAGES
    }

    fn pages(&self) -> u64 {
        self.pages.load(Ordering::SeqCst)
    }
}

impl Checkpointer {
    /// Starts the thread, and leaves checkpoints of what `writer` commits to it.
    pub(crate) fn start(
        path: &Path,
        lock_wait: Duration,
        writer: &TimedConnection,
        snapshots: Arc<Snapshots>,
    ) -> Result<Self, StoreError> {
        leave_log_alone(writer).map_err(|e| e.outcome(path))?;
        let connection = TimedConnection::open(path, Access::Write, lock_wait).map_err(|e| e.outcome(path))?;
        let (wake, woken) = sync_channel(1);
        let pass = Arc::new(Mutex::new(()));
        let log = Arc::new(Log::default());
        let side = Side { connection, woken, pass: pass.clone(), snapshots: snapshots.clone(), log: log.clone() };
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || side.run())
            .map_err(|e| StoreError::Failed { detail: format!("cannot start a thread: {e}") })?;
        Ok(Self { lock_wait, wake, thread, pass, snapshots, log })
    }

    /// The writer goes on with this connection.
    pub(crate) fn taken_over(&self, writer: &TimedConnection) -> Result<(), Failure> {
        leave_log_alone(writer)
    }

    /// Told by the writer what it has committed, behind its answers: this may wait for a pass.
    pub(crate) fn written(&self, writer: &TimedConnection, written: &Written) {
        let pages = written.rows * PAGES_PER_ROW + written.bytes / PAGE_BYTES;
        if pages == 0 {
            return;
        }
        let all = self.log.all.fetch_add(pages, Ordering::SeqCst) + pages;
        let before = self.log.pages.fetch_add(pages, Ordering::SeqCst);
        if all >= MOST_LOG_PAGES {
            self.wait_at_most(writer, RESTART_WAIT, "RESTART");
        } else if all >= LOG_PAGES
            && before + pages <= FEW_PAGES
            && let Some(pass) = free(&self.pass)
        {
            self.anew(writer, RESTART_WAIT, "RESTART", pass);
        } else if before == 0 || before + pages >= PAGES || all >= LOG_PAGES {
            // Full: it has been woken already and not looked yet.
            let _ = self.wake.try_send(());
        }
    }

    /// Says that the log is as long as it may get; answers the lock of a pass.
    #[cfg(test)]
    pub(super) fn lengthen_log(&self) -> Arc<Mutex<()>> {
        self.log.all.store(MOST_LOG_PAGES, Ordering::SeqCst);
        Arc::clone(&self.pass)
    }

    /// Empties the log, for good: erased bodies are not left in it. Answers whether it is empty; who reads from it keeps it
    /// from that.
    pub(crate) fn truncate(&self, writer: &TimedConnection, wait: Duration) -> bool {
        self.wait_at_most(writer, wait.min(self.lock_wait), "TRUNCATE")
    }

    /// Ends the thread.
    pub(crate) fn stop(self) {
        drop(self.wake);
        // A panic of the thread has been printed by its hook.
        let _ = self.thread.join();
    }

    /// Makes the log start anew, behind a pass that is under way.
    fn wait_at_most(&self, writer: &TimedConnection, wait: Duration, mode: &str) -> bool {
        self.anew(writer, wait, mode, lock(&self.pass))
    }

    /// Answers whether it did.
    fn anew(&self, writer: &TimedConnection, wait: Duration, mode: &str, _pass: MutexGuard<'_, ()>) -> bool {
        let sqlite = &writer.sqlite;
        // The log starts anew only when nobody reads from it.
        let _changing = self.snapshots.changing();
        self.snapshots.release();
        let done = sqlite.busy_timeout(wait).and_then(|()| checkpoint(sqlite, mode));
        let restored = sqlite.busy_timeout(self.lock_wait);
        let done = done.and_then(|done| restored.map(|()| done)).unwrap_or_else(|e| {
            // Committed pages stay safe in the log; the next checkpoint takes them.
            tracing::warn!(error = %e, "a checkpoint failed");
            false
        });
        // Also when a reader was in the way: it is not tried again at the next commit.
        self.log.pages.store(0, Ordering::SeqCst);
        self.log.all.store(0, Ordering::SeqCst);
        done
    }
}

/// What the thread has.
struct Side {
    connection: TimedConnection,
    woken: Receiver<()>,
    pass: Arc<Mutex<()>>,
    snapshots: Arc<Snapshots>,
    log: Arc<Log>,
}

impl Side {
    fn run(self) {
        while self.woken.recv().is_ok() && self.wait() {
            self.pass();
        }
    }

    /// Waits until much is written, or nothing has been for a while; `false` if the writer has ended.
    fn wait(&self) -> bool {
        let mut written = self.log.pages();
        // What is left of a long log is the writer's, unless it writes no more.
        while written < PAGES && (written <= FEW_PAGES || !self.log.is_long()) {
            let woken = self.woken.recv_timeout(PAUSE);
            let before = std::mem::replace(&mut written, self.log.pages());
            match woken {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) if before == written => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    fn pass(&self) {
        let _pass = lock(&self.pass);
        for _ in 0..PASSES {
            if self.log.pages.swap(0, Ordering::SeqCst) == 0 {
                // The writer has done it meanwhile.
                break;
            }
            // It goes as far as the oldest snapshot.
            self.snapshots.release();
            if let Err(e) = checkpoint(&self.connection.sqlite, "PASSIVE") {
                tracing::warn!(error = %e, "a checkpoint failed");
            }
            if !self.log.is_long() || self.log.pages() <= FEW_PAGES {
                break;
            }
        }
        // Snapshots that begin now need not look into a log of which nothing is left to move.
        drop(self.snapshots.changing());
    }
}

/// What this connection commits is left to the checkpointer.
fn leave_log_alone(writer: &TimedConnection) -> Result<(), Failure> {
    writer.leave_log_alone(LOG_PAGES * PAGE_BYTES)
}

/// The lock if nobody has it.
fn free(pass: &Mutex<()>) -> Option<MutexGuard<'_, ()>> {
    match pass.try_lock() {
        Ok(pass) => Some(pass),
        Err(TryLockError::Poisoned(pass)) => Some(pass.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Answers whether it came to its end, and no reader of the old log was in the way.
fn checkpoint(sqlite: &Connection, mode: &str) -> rusqlite::Result<bool> {
    sqlite.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| Ok(row.get::<_, i64>(0)? == 0))
}
