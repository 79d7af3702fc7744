//! Moving committed pages from the write-ahead log into the file.
//!
//! SQLite would do it inside the commit that fills the log, which then takes as long as hundreds of others. A thread
//! does it beside the writer instead (a passive checkpoint blocks nobody): when much has been written, and when writes
//! pause, because a read from a log with nothing left to move need not look into it. When writes never pause, the log
//! grows all the same, for a pass never catches up with them. From a certain size on passes follow each other, each with
//! less to move than the one before, until little is left; that the writer moves itself, and the log starts anew. Only
//! where this does not come about in time does the writer wait for a pass.
//!
//! The log must leave the file room to grow: on a small disk it starts anew sooner, and when the disk is full, nothing is
//! appended before what it holds is in the file. It would take all room that comes, and the file would get none.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::file::{Access, Failure, TimedConnection};
use super::snapshots::Snapshots;
use crate::StoreError;
use crate::sync::lock;

/// Pages written between two checkpoints (32 MiB): pages that are written again meanwhile are moved once, and a read
/// finds what is not moved yet in two or three steps. Half as many cost 3 us more per put; with twice as many a commit waited
/// up to 0.2 s behind the sync that ends a pass.
const PAGES: u64 = 8000;

/// Bytes of a page.
const PAGE_BYTES: u64 = 4096;

/// Pages written before the log is to start anew (64 MiB).
const LOG_PAGES: u64 = 16 * 1024;

/// Pages written before the writer makes it start anew whatever is left to move, on a disk that is not small.
#[cfg(test)]
pub(super) const MOST_LOG_PAGES: u64 = 2 * LOG_PAGES;

/// Pages written between two looks at how much room the disk has (1 MiB); also the fewest before the log starts anew.
const LOOK_PAGES: u64 = 256;

/// The part of the room for log and file that the log may take before it is to start anew; twice that before the writer
/// makes it.
const ROOM_PARTS: u64 = 8;

/// How long a checkpoint that found the disk full is not tried again: it may have written much until then.
const FULL_REST: Duration = Duration::from_millis(100);

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
    path: PathBuf,
    lock_wait: Duration,
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    /// Held during a checkpoint. SQLite has such a lock as well, but does not wait for it.
    pass: Arc<Mutex<()>>,
    snapshots: Arc<Snapshots>,
    log: Arc<Log>,
    /// The last checkpoint that found the disk full, and what is said of it until the next.
    found_full: Option<(Instant, StoreError)>,
}

/// What the log holds.
#[derive(Debug)]
struct Log {
    /// Its pages at the last commit, as SQLite counted them: with those that a killed process left.
    length: Arc<AtomicU64>,
    /// Those of them that are counted below.
    counted: AtomicU64,
    /// Pages written since the last pass began.
    pages: AtomicU64,
    /// Pages written since the log was last made to start anew, or a reader of the old one kept it from that.
    all: AtomicU64,
    /// Pages before it is to start anew: fewer than [`LOG_PAGES`] on a small disk.
    limit: AtomicU64,
    /// Whether the disk was full, and not all of the log has been moved since.
    full: AtomicBool,
    /// Whether the log of the program was told that a checkpoint found the disk full.
    told: AtomicBool,
}

impl Log {
    fn new() -> Self {
        Self {
            length: Arc::default(),
            counted: 0.into(),
            pages: 0.into(),
            all: 0.into(),
            limit: LOG_PAGES.into(),
            full: false.into(),
            told: false.into(),
        }
    }

    /// Whether it is to start anew.
    fn is_long(&self) -> bool {
        self.all.load(Ordering::SeqCst) >= self.limit()
    }

    fn pages(&self) -> u64 {
        self.pages.load(Ordering::SeqCst)
    }

    fn limit(&self) -> u64 {
        self.limit.load(Ordering::SeqCst)
    }

    /// How many pages the last commits have added.
    fn grown(&self) -> u64 {
        let length = self.length.load(Ordering::SeqCst);
        let counted = self.counted.swap(length, Ordering::SeqCst);
        if length < counted {
            // It has started anew by itself: all of it had been moved.
            self.all.store(0, Ordering::SeqCst);
            return length;
        }
        length - counted
    }

    /// A checkpoint failed: says so, of a full disk once.
    fn failed(&self, error: &StoreError) {
        let full = matches!(error, StoreError::DiskFull { .. });
        if full {
            self.full.store(true, Ordering::SeqCst);
        }
        if !(full && self.told.swap(true, Ordering::SeqCst)) {
            tracing::warn!(%error, "a checkpoint failed");
        }
    }
}

impl Checkpointer {
    /// Starts the thread, and leaves checkpoints of what `writer` commits to it.
    pub(crate) fn start(
        path: &Path,
        lock_wait: Duration,
        writer: &mut TimedConnection,
        snapshots: Arc<Snapshots>,
    ) -> Result<Self, StoreError> {
        let log = Arc::new(Log::new());
        leave_log_alone(writer, &log).map_err(|e| e.outcome(path))?;
        let connection = TimedConnection::open(path, Access::Write, lock_wait).map_err(|e| e.outcome(path))?;
        let (wake, woken) = sync_channel(1);
        let pass = Arc::new(Mutex::new(()));
        let owned = path.to_owned();
        let side = Side {
            path: owned.clone(),
            connection,
            woken,
            pass: pass.clone(),
            snapshots: snapshots.clone(),
            log: log.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || side.run())
            .map_err(|e| StoreError::Failed { detail: format!("cannot start a thread: {e}") })?;
        Ok(Self { path: owned, lock_wait, wake, thread, pass, snapshots, log, found_full: None })
    }

    /// The writer goes on with this connection.
    pub(crate) fn taken_over(&self, writer: &mut TimedConnection) -> Result<(), Failure> {
        leave_log_alone(writer, &self.log)
    }

    /// To be asked before a transaction: whether it may be appended to the log. Behind a full disk it may when what the
    /// log holds has been moved into the file, which is tried here.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] if there is still no room for that.
    pub(crate) fn may_append(&mut self, writer: &TimedConnection) -> Result<(), StoreError> {
        if !self.log.full.load(Ordering::SeqCst) {
            return Ok(());
        }
        if let Some((_, error)) = self.found_full.as_ref().filter(|(at, _)| at.elapsed() < FULL_REST) {
            return Err(error.clone());
        }
        self.found_full = None;
        match self.anew(writer, RESTART_WAIT, "TRUNCATE", lock(&self.pass)) {
            Ok(true) => {
                self.log.full.store(false, Ordering::SeqCst);
                if self.log.told.swap(false, Ordering::SeqCst) {
                    tracing::info!(file = %self.path.display(), "the disk has room again: the write-ahead log is emptied");
                }
                Ok(())
            }
            Err(error @ StoreError::DiskFull { .. }) => {
                self.found_full = Some((Instant::now(), error.clone()));
                Err(error)
            }
            // Who reads from the log keeps it from being emptied, not from being moved. Another failure is for the
            // transaction to meet.
            Ok(false) | Err(_) => Ok(()),
        }
    }

    /// A transaction found the disk full.
    pub(crate) fn disk_is_full(&self) {
        self.log.full.store(true, Ordering::SeqCst);
    }

    /// Told by the writer that it has committed, behind its answers: this may wait for a pass.
    pub(crate) fn written(&self, writer: &TimedConnection) {
        let pages = self.log.grown();
        if pages == 0 {
            return;
        }
        let all = self.log.all.fetch_add(pages, Ordering::SeqCst) + pages;
        let before = self.log.pages.fetch_add(pages, Ordering::SeqCst);
        if all / LOOK_PAGES != (all - pages) / LOOK_PAGES {
            self.log.limit.store(limit(&self.path, all), Ordering::SeqCst);
        }
        let limit = self.log.limit();
        if all >= limit * 2 {
            // Behind a pass that is under way.
            let _ = self.anew(writer, RESTART_WAIT, "RESTART", lock(&self.pass));
        } else if all >= limit
            && before + pages <= FEW_PAGES
            && let Some(pass) = free(&self.pass)
        {
            let _ = self.anew(writer, RESTART_WAIT, "RESTART", pass);
        } else if before == 0 || before + pages >= PAGES || all >= limit {
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
    ///
    /// # Errors
    /// What kept it from being moved into the file.
    pub(crate) fn truncate(&self, writer: &TimedConnection, wait: Duration) -> Result<bool, StoreError> {
        self.anew(writer, wait.min(self.lock_wait), "TRUNCATE", lock(&self.pass))
    }

    /// Ends the thread.
    pub(crate) fn stop(self) {
        drop(self.wake);
        // A panic of the thread has been printed by its hook.
        let _ = self.thread.join();
    }

    /// Makes the log start anew; answers whether it did. An error has been logged.
    fn anew(
        &self,
        writer: &TimedConnection,
        wait: Duration,
        mode: &str,
        _pass: MutexGuard<'_, ()>,
    ) -> Result<bool, StoreError> {
        let sqlite = &writer.sqlite;
        // The log starts anew only when nobody reads from it.
        let _changing = self.snapshots.changing();
        self.snapshots.release();
        let done = sqlite.busy_timeout(wait).and_then(|()| checkpoint(sqlite, mode));
        let restored = sqlite.busy_timeout(self.lock_wait);
        let done = done.and_then(|done| restored.map(|()| done)).map_err(|e| {
            // Committed pages stay safe in the log; the next checkpoint takes them.
            let error = Failure::from(e).outcome(&self.path);
            self.log.failed(&error);
            error
        });
        if let Ok(true) = done {
            self.log.length.store(0, Ordering::SeqCst);
            self.log.counted.store(0, Ordering::SeqCst);
        }
        // Also when a reader was in the way: it is not tried again at the next commit.
        self.log.pages.store(0, Ordering::SeqCst);
        self.log.all.store(0, Ordering::SeqCst);
        done
    }
}

/// What the thread has.
struct Side {
    path: PathBuf,
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
                self.log.failed(&Failure::from(e).outcome(&self.path));
                break;
            }
            if !self.log.is_long() || self.log.pages() <= FEW_PAGES {
                break;
            }
        }
        // Snapshots that begin now need not look into a log of which nothing is left to move.
        drop(self.snapshots.changing());
    }
}

/// What this connection commits is left to the checkpointer, which is told how long the log is.
fn leave_log_alone(writer: &mut TimedConnection, log: &Log) -> Result<(), Failure> {
    writer.leave_log_alone(LOG_PAGES * PAGE_BYTES)?;
    writer.watch_log(Arc::clone(&log.length))
}

/// Pages the log of this file may have before it is to start anew, where it has `all` now.
fn limit(path: &Path, all: u64) -> u64 {
    // Where nothing is known of the disk, it is taken to be large.
    let Ok(disk) = rustix::fs::statvfs(path) else { return LOG_PAGES };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / PAGE_BYTES;
    (free.saturating_add(all) / ROOM_PARTS).clamp(LOOK_PAGES, LOG_PAGES)
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
