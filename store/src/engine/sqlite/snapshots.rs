//! Read snapshots that live on between reads.
//!
//! Opening and closing a read transaction is half of what a point read costs. This process is the only one that writes
//! the file (C13 of docs/ARCHITECTURE.md), so that it knows when nothing has changed: then the next read goes on in the
//! snapshot of the last one. Whoever commits says so around the commit, and no read that begins after a commit was
//! answered, or after another read has seen it, uses a snapshot from before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::file::{Failure, TimedConnection};
use crate::sync::lock;

/// A connection that reads, and the version its open snapshot is of, if it has one.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) connection: TimedConnection,
    snapshot: Option<u64>,
}

/// The idle readers of a file, and what is known of its changes.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    /// Changes that are being made now. Raised before a commit and lowered after `version` was raised.
    changing: AtomicU64,
    /// Changes that were made.
    version: AtomicU64,
    idle: Mutex<Vec<Reader>>,
}

/// The file is being changed: no snapshot lives on until this is dropped.
#[derive(Debug)]
pub(crate) struct Changing<'a>(&'a Snapshots);

impl Snapshots {
    /// To be held over a commit, and over whatever else needs the log free of old snapshots.
    pub(crate) fn changing(&self) -> Changing<'_> {
        self.changing.fetch_add(1, Ordering::SeqCst);
        Changing(self)
    }

    /// The version a snapshot that begins now may live on under; `None` while the file is being changed.
    fn version(&self) -> Option<u64> {
        // In this order: a change that was over at the first look has raised the version before the second.
        (self.changing.load(Ordering::SeqCst) == 0).then(|| self.version.load(Ordering::SeqCst))
    }

    /// An idle reader, with a snapshot that has everything anybody has seen.
    pub(crate) fn take(&self) -> Option<Reader> {
        self.idle().pop()
    }

    /// Makes the snapshot of a reader current; with none, its next statement has its own.
    pub(crate) fn refresh(&self, reader: &mut Reader) -> Result<(), Failure> {
        let version = self.version();
        if version.is_some() && reader.snapshot == version {
            return Ok(());
        }
        reader.end()?;
        if version.is_some() {
            reader.connection.sqlite.prepare_cached("BEGIN")?.raw_execute()?;
            reader.snapshot = version;
        }
        Ok(())
    }

    /// Takes a reader back. A snapshot that is out of date by now is not kept, for it would keep the log from starting
    /// anew.
    pub(crate) fn give(&self, mut reader: Reader) -> Result<(), Failure> {
        let mut idle = self.idle();
        // Under the lock, so that whoever releases idle snapshots after a change misses none.
        if self.version() != reader.snapshot {
            reader.end()?;
        }
        idle.push(reader);
        Ok(())
    }

    /// Ends the snapshots of idle readers.
    pub(crate) fn release(&self) {
        // One whose snapshot cannot be ended is of no use any more.
        self.idle().retain_mut(|reader| reader.end().is_ok());
    }

    /// Closes the idle readers.
    pub(crate) fn clear(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        lock(&self.idle)
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.version.fetch_add(1, Ordering::SeqCst);
        self.0.changing.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Reader {
    pub(crate) fn new(connection: TimedConnection) -> Self {
        Self { connection, snapshot: None }
    }

    /// Whether the connection can be used again: it is in no transaction but that of its snapshot.
    pub(crate) fn is_sound(&self) -> bool {
        self.connection.sqlite.is_autocommit() == self.snapshot.is_none()
    }

    /// Ends the snapshot, if there is one.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        if self.snapshot.take().is_some() {
            self.connection.sqlite.prepare_cached("COMMIT")?.raw_execute()?;
        }
        Ok(())
    }
}
