//! A SQLite file: its connections, and its failures.

use std::io::ErrorKind as IoErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cellgate_schemaless::TableRef;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::files::{denied, has_room, room};
use crate::{Reason, StoreError};

/// Statements kept prepared per connection: a few per table, so that some dozen tables never prepare again.
const STATEMENTS: usize = 256;

/// KiB of pages that the writing side keeps. After splitting a page SQLite walks over all of them at the next commit, which
/// with 64 MiB took 5 us of every row put in batches of 16 once a file had 50 000 cells, and 20 with 400 000. What is
/// missing is in the system's page cache.
const WRITER_CACHE: i64 = 4 * 1024;

/// Virtual machine steps between two looks at the deadline: some tens of microseconds.
const STEPS: i32 = 2000;

/// What a connection is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To write an existing file.
    Write,
    /// To write, making the file if it is not there.
    Create,
    /// To read an existing file.
    Read,
}

/// A connection whose statements end at a deadline.
#[derive(Debug)]
pub(crate) struct TimedConnection {
    pub(crate) sqlite: Connection,
    deadline: Deadline,
}

/// A point in time shared with the connection's progress handler; none is [`Deadline::NEVER`].
#[derive(Clone, Debug)]
struct Deadline {
    start: Instant,
    /// Microseconds after `start`.
    micros: Arc<AtomicU64>,
}

impl Deadline {
    const NEVER: u64 = u64::MAX;

    fn passed(&self) -> bool {
        let micros = self.micros.load(Ordering::Relaxed);
        micros != Self::NEVER && self.start.elapsed() > Duration::from_micros(micros)
    }

    fn set(&self, bound: Duration) {
        let end = (self.start.elapsed() + bound).as_micros();
        self.micros.store(u64::try_from(end).unwrap_or(Self::NEVER), Ordering::Relaxed);
    }
}

impl TimedConnection {
    /// Opens a connection. Nothing of the file is changed by it, and without [`Access::Create`] none is made.
    pub(crate) fn open(path: &Path, access: Access, lock_wait: Duration) -> Result<Self, Failure> {
        let flags = match access {
            // Readers are opened for writing, too: reading a WAL needs its index in shared memory.
            Access::Write | Access::Read => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        // Whatever its name: SQLite takes `file:..` for a URI and `:memory:` for no file.
        let plain = if path.is_relative() { Path::new(".").join(path) } else { path.to_owned() };
        let mut sqlite = Connection::open_with_flags(plain, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        sqlite.busy_timeout(lock_wait)?;
        sqlite.set_prepared_statement_cache_capacity(STATEMENTS);
        // Without it, SQLite prepares a statement again whose plan might depend on a value bound to it, which here is
        // none's but costs 30 us of every scan and of every latest.
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // An acknowledged write survives the machine: FULL syncs the log at every commit, NORMAL would not.
        sqlite.pragma_update(None, "synchronous", "FULL")?;
        sqlite.pragma_update(None, "temp_store", "MEMORY")?;
        match access {
            Access::Write | Access::Create => {
                sqlite.pragma_update(None, "cache_size", -WRITER_CACHE)?;
                // Erased means overwritten.
                sqlite.pragma_update(None, "secure_delete", true)?;
            }
            Access::Read => {
                sqlite.pragma_update(None, "query_only", true)?;
                // Every commit of the writer empties a reader's page cache; mapped pages stay (measured: a get 4.5
                // to 3.0 us). The price is that an unreadable disk block ends the process instead of the statement.
                sqlite.pragma_update(None, "mmap_size", i64::from(i32::MAX))?;
                sqlite.pragma_update(None, "cache_size", -4 * 1024)?;
            }
        }
        let deadline = Deadline { start: Instant::now(), micros: Arc::new(AtomicU64::new(Deadline::NEVER)) };
        let watched = deadline.clone();
        sqlite.progress_handler(STEPS, Some(move || watched.passed()))?;
        Ok(Self { sqlite, deadline })
    }

    /// Refuses a file that can only be read: SQLite opens it all the same, and no write would ever succeed.
    ///
    /// # Errors
    /// [`StoreError::Refused`], with whose file it is.
    pub(crate) fn refuse_read_only(&self, path: &Path) -> Result<(), StoreError> {
        if !self.sqlite.is_readonly("main").map_err(|e| Failure::from(e).outcome(path))? {
            return Ok(());
        }
        let system = || "its file system is mounted read-only, or it is immutable".to_owned();
        let why = denied(path).unwrap_or_else(system);
        Err(StoreError::Refused { detail: format!("{} can only be read: {why}", path.display()) })
    }

    /// Whether Cellgate's table `name` is in the file.
    pub(crate) fn has_table(&self, name: &str) -> Result<bool, Failure> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
        Ok(self.sqlite.prepare_cached(sql)?.exists([name])?)
    }

    /// Switches the file to a write-ahead log; it stays so.
    pub(crate) fn use_wal(&self) -> Result<(), Failure> {
        let mode: String = self.sqlite.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode == "wal" {
            return Ok(());
        }
        let detail =
            format!("SQLite cannot keep a write-ahead log here (journal mode {mode}): use a local file system");
        Err(Failure::Store(StoreError::Refused { detail }))
    }

    /// Commits of this connection do not checkpoint; a log that starts anew is cut to `bytes`.
    pub(crate) fn leave_log_alone(&self, bytes: u64) -> Result<(), Failure> {
        self.sqlite.pragma_update(None, "wal_autocheckpoint", 0)?;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        self.sqlite.query_row(&format!("PRAGMA journal_size_limit = {bytes}"), [], set)?;
        Ok(())
    }

    /// From now on `pages` is how many pages the log has behind each commit of this connection.
    pub(crate) fn watch_log(&mut self, pages: Arc<AtomicU64>) -> Result<(), Failure> {
        self.sqlite.wal_hook(Some(move |_: &mut Wal, length: std::ffi::c_int| {
            pages.store(u64::try_from(length).unwrap_or(0), Ordering::SeqCst);
            Ok(())
        }))?;
        Ok(())
    }

    /// Runs `work`, whose statements are interrupted after `bound`.
    pub(crate) fn within<T>(&mut self, bound: Duration, work: impl FnOnce(&Connection) -> T) -> T {
        self.deadline.set(bound);
        let result = work(&self.sqlite);
        self.deadline.micros.store(Deadline::NEVER, Ordering::Relaxed);
        result
    }
}

/// What went wrong in here, before it is told to anybody.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite said no.
    Sqlite(rusqlite::Error),
    /// We did.
    Store(StoreError),
    /// A cell came without its body, or there were more bytes than may be read where they were asked for.
    Large,
}

impl Failure {
    /// The same, with the name of the table where stored data is wrong.
    pub(crate) fn in_table(self, table: &TableRef) -> Self {
        match self {
            Self::Store(error) => Self::Store(error.in_table(table)),
            other => other,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sqlite(e)
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl Failure {
    /// Whether the deadline ended it.
    pub(crate) fn is_interrupt(&self) -> bool {
        match self {
            Self::Sqlite(e) => e.sqlite_error_code() == Some(ErrorCode::OperationInterrupted),
            Self::Store(_) | Self::Large => false,
        }
    }

    /// The table that was missing, or the failure it is otherwise.
    pub(crate) fn missing_table(self) -> Result<String, Self> {
        match &self {
            Self::Sqlite(e) => missing_table(e).ok_or(self),
            Self::Store(_) | Self::Large => Err(self),
        }
    }

    /// The outcome it is for the caller. `path` is the file it is about.
    pub(crate) fn outcome(self, path: &Path) -> StoreError {
        let e = match self {
            Self::Store(e) => return e,
            // Of a statement that leaves none out.
            Self::Large => return StoreError::Corrupt { detail: format!("{}: a cell has no body", path.display()) },
            Self::Sqlite(e) => e,
        };
        let detail = format!("{}: {e}", path.display());
        if let Some(table) = missing_table(&e) {
            return StoreError::NoTable { table };
        }
        match e.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::DiskFull { detail },
            // Quotas, and the index of the write-ahead log, report a full disk as a plain failure.
            Some(ErrorCode::SystemIoFailure) if !has_room(path) => StoreError::DiskFull { detail },
            Some(ErrorCode::OperationInterrupted) => StoreError::Timeout { reason: Reason::Statement, detail },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Timeout { reason: Reason::Lock, detail }
            }
            // Of a file that was moved away it says the same.
            Some(ErrorCode::ReadOnly)
                if e.sqlite_error().is_some_and(|e| e.extended_code != ffi::SQLITE_READONLY_DBMOVED) =>
            {
                let do_this = "the file, what lies beside it and its directory must be writable for Cellgate's user";
                StoreError::Refused { detail: format!("{detail}: {do_this}") }
            }
            Some(ErrorCode::CannotOpen) => {
                let detail = denied(path).map_or(detail.clone(), |why| format!("{detail}: {why}"));
                StoreError::Unavailable { reason: Reason::Connect, detail }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt { detail },
            _ => StoreError::Failed { detail },
        }
    }
}

/// What a failed COMMIT means. A full disk, or a quota that is used up, cuts the log before its commit mark, so that nothing
/// is there; after any other input or output error (a sync, the log's index) the mark may be on disk, and would count
/// after a crash.
pub(crate) fn commit_outcome(e: Failure, path: &Path) -> StoreError {
    commit_outcome_by(e, path, || room(path))
}

/// The same by what writing a little beside the file shows.
pub(super) fn commit_outcome_by(e: Failure, path: &Path, room: impl Fn() -> std::io::Result<()>) -> StoreError {
    let sqlite = match &e {
        Failure::Sqlite(sqlite) if sqlite.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => sqlite,
        Failure::Sqlite(_) | Failure::Store(_) | Failure::Large => return e.outcome(path),
    };
    let detail = format!("{}: {sqlite}", path.display());
    // Of a quota SQLite says only that a page could not be written.
    let is_of_page = sqlite.sqlite_error().is_some_and(|e| e.extended_code == ffi::SQLITE_IOERR_WRITE);
    match is_of_page.then(room) {
        Some(Err(e)) if matches!(e.kind(), IoErrorKind::StorageFull | IoErrorKind::QuotaExceeded) => {
            StoreError::DiskFull { detail }
        }
        _ => StoreError::MaybeWritten { detail },
    }
}

/// The table a statement did not find.
fn missing_table(e: &rusqlite::Error) -> Option<String> {
    let message = match e {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message,
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        _ => return None,
    };
    let name = message.strip_prefix("no such table: ")?;
    Some(name.strip_prefix("main.").unwrap_or(name).to_owned())
}
