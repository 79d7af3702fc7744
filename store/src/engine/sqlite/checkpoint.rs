//! Moving committed pages from the write-ahead log into the file.
//!
//! SQLite would do it inside the commit that fills the log, which then takes as long as hundreds of others. A thread
//! does it beside the writer instead (a passive checkpoint blocks nobody). Only when writes never pause does the log
//! grow all the same: then the writer finishes the little that the thread has left, and the log starts anew.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::file::{Access, Failure, TimedConnection};
use super::write::Written;
use crate::StoreError;

/// Pages written between two checkpoints: SQLite's own default (4 MiB).
const PAGES: u64 = 1000;

/// Pages a row dirties beside those of its body: one of the table's end is shared, one in each index is not.
const PAGES_PER_ROW: u64 = 2;

/// Bytes of a page.
const PAGE_BYTES: u64 = 4096;

/// Pages the log may hold before the writer makes it start anew (128 MiB).
const LOG_PAGES_MAX: u64 = 32 * 1024;

/// Longest the writer waits for readers of the old log when it starts a new one.
const RESTART_WAIT: Duration = Duration::from_millis(5);

/// The thread that checkpoints, as the writer has it.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    lock_wait: Duration,
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    /// Pages in the log when the thread last looked.
    log_pages: Arc<AtomicU64>,
    /// Pages the writer has written since it last woke the thread; an estimate.
    pages: u64,
}

impl Checkpointer {
    /// Starts the thread, and leaves checkpoints of what `writer` commits to it.
    pub(crate) fn start(path: &Path, lock_wait: Duration, writer: &TimedConnection) -> Result<Self, StoreError> {
        let off = writer.sqlite.pragma_update(None, "wal_autocheckpoint", 0);
        off.map_err(|e| Failure::from(e).outcome(path))?;
        let connection = TimedConnection::open(path, Access::Write, lock_wait).map_err(|e| e.outcome(path))?;
        let (wake, woken) = sync_channel(1);
        let log_pages = Arc::new(AtomicU64::new(0));
        let seen = log_pages.clone();
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || run(&connection.sqlite, &woken, &seen))
            .map_err(|e| StoreError::Failed { detail: format!("cannot start a thread: {e}") })?;
        Ok(Self { lock_wait, wake, thread, log_pages, pages: 0 })
    }

    /// Told by the writer after each commit.
    pub(crate) fn written(&mut self, writer: &TimedConnection, written: Written) {
        self.pages += written.rows * PAGES_PER_ROW + written.bytes / PAGE_BYTES;
        if self.pages < PAGES {
            return;
        }
        self.pages = 0;
        // Full: it has been woken already and not looked yet.
        let _ = self.wake.try_send(());
        if self.log_pages.load(Ordering::Relaxed) > LOG_PAGES_MAX {
            self.wait_at_most(writer, RESTART_WAIT, "RESTART");
        }
    }

    /// Empties the log, for good: erased bodies are not left in it.
    pub(crate) fn truncate(&mut self, writer: &TimedConnection) {
        self.wait_at_most(writer, self.lock_wait, "TRUNCATE");
    }

    /// Ends the thread.
    pub(crate) fn stop(self) {
        drop(self.wake);
        // A panic of the thread has been printed by its hook.
        let _ = self.thread.join();
    }

    fn wait_at_most(&self, writer: &TimedConnection, wait: Duration, mode: &str) {
        let sqlite = &writer.sqlite;
        let pages = sqlite.busy_timeout(wait).and_then(|()| checkpoint(sqlite, mode));
        match pages.and_then(|pages| sqlite.busy_timeout(self.lock_wait).map(|()| pages)) {
            Ok(pages) => self.log_pages.store(pages, Ordering::Relaxed),
            // Committed pages stay safe in the log; the next checkpoint takes them.
            Err(e) => tracing::warn!(error = %e, "a checkpoint failed"),
        }
    }
}

fn run(sqlite: &Connection, woken: &Receiver<()>, seen: &AtomicU64) {
    while woken.recv().is_ok() {
        match checkpoint(sqlite, "PASSIVE") {
            Ok(pages) => seen.store(pages, Ordering::Relaxed),
            Err(e) => tracing::warn!(error = %e, "a checkpoint failed"),
        }
    }
}

/// Answers the pages in the log.
fn checkpoint(sqlite: &Connection, mode: &str) -> rusqlite::Result<u64> {
    sqlite.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let (log, moved): (i64, i64) = (row.get(1)?, row.get(2)?);
        // A log whose pages have all been moved starts anew by itself.
        Ok(if log == moved { 0 } else { u64::try_from(log).unwrap_or(0) })
    })
}
