//! A SQLite file: its process lock, its connections, and its failures.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind as IoErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use rustix::fs::Access as Rights;
use rustix::io::Errno;

use crate::{Reason, StoreError};

/// Statements kept prepared per connection: a few per table, so that some dozen tables never prepare again.
const STATEMENTS: usize = 256;

/// KiB of pages that the writing side keeps. After splitting a page SQLite walks over all of them at the next commit, which
/// with 64 MiB took 5 us of every row put in batches of 16 once a file had 50 000 cells, and 20 with 400 000. What is
/// missing is in the system's page cache.
const WRITER_CACHE: i64 = 4 * 1024;

/// Virtual machine steps between two looks at the deadline: some tens of microseconds.
const STEPS: i32 = 2000;

/// The right to open a file: one process has it (C13 of docs/ARCHITECTURE.md), until it is dropped or the process dies.
///
/// It is a lock on `<file>.lock` and not on the file, whose locks are SQLite's own and come and go.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    /// `None` where there is no lock file, and so nobody who has the lock ([`LockFile::Find`]).
    _file: Option<File>,
}

/// What becomes of a lock file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockFile {
    /// It is made: the file is used.
    Make,
    /// It is not: the file is looked at, perhaps by a user whose lock file that who uses it could not open.
    Find,
}

impl LockFile {
    /// That of a file that is only looked at, or used.
    pub(crate) fn of(looks: bool) -> Self {
        if looks { Self::Find } else { Self::Make }
    }
}

impl ProcessLock {
    /// Takes the lock, without waiting.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another process has it, or the lock file cannot be made.
    pub(crate) fn take(file: &Path, missing: LockFile) -> Result<Self, StoreError> {
        let path = beside(file, ".lock");
        let refused = |why: String| StoreError::Refused { detail: why };
        let make = missing == LockFile::Make;
        let lock = match OpenOptions::new().create(make).truncate(false).write(true).open(&path) {
            Ok(lock) => lock,
            Err(e) if !make && e.kind() == IoErrorKind::NotFound => return Ok(Self { _file: None }),
            Err(e) => {
                let why = denied(&path).map(|why| format!(": {why}")).unwrap_or_default();
                return Err(refused(format!("cannot open {}: {e}{why}", path.display())));
            }
        };
        match lock.try_lock() {
            Ok(()) => Ok(Self { _file: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(refused(format!(
                "{} is in use by another process: a deployment with a SQLite file has exactly one proxy. Stop the \
                 other one, or give this one another data directory",
                file.display()
            ))),
            Err(TryLockError::Error(e)) => Err(refused(format!("cannot lock {}: {e}", path.display()))),
        }
    }
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    fn of(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::metadata(path)?;
        Ok(Self { device: file.dev(), number: file.ino() })
    }
}

/// The files that a database was opened as. What is written to ones that were removed or replaced would be gone at the next
/// start.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    path: PathBuf,
    file: Inode,
    /// Its write-ahead log, which is there from the first transaction on, and as long as the file is open.
    log: OnceLock<Inode>,
}

impl OpenFiles {
    /// Those of a database that is open.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file is gone again.
    pub(crate) fn of(path: &Path) -> Result<Self, StoreError> {
        let file = Inode::of(path).map_err(|error| taken_away(path, &error.to_string()))?;
        let files = Self { path: path.to_owned(), file, log: OnceLock::new() };
        files.check()?;
        files.warn_if_open_to_all();
        Ok(files)
    }

    /// Says so if any user of the machine may read the file, or write it: one that an earlier version made, or a restore.
    fn warn_if_open_to_all(&self) {
        let mode = std::fs::metadata(&self.path).map_or(0, |file| file.mode() & 0o777);
        if mode & 0o007 != 0 {
            tracing::warn!(
                file = %self.path.display(),
                mode = format!("{mode:o}"),
                "every user of this machine may open this file and what is beside it: chmod o-rwx"
            );
        }
    }

    /// Whether the paths still name them. A file that is put back, itself and not a copy, is well again. To be asked behind
    /// each opening of a connection, too: it may have opened another file.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if not.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match Inode::of(&self.path) {
            Ok(found) if found == self.file => {}
            Ok(_) => return Err(taken_away(&self.path, "it is another file than the one that is open")),
            Err(error) => return Err(taken_away(&self.path, &error.to_string())),
        }
        let log = beside(&self.path, "-wal");
        match (self.log.get(), Inode::of(&log)) {
            (None, Ok(found)) => {
                // Another thread may have been first; then it is compared the next time.
                let _ = self.log.set(found);
                Ok(())
            }
            // There was no transaction yet.
            (None, Err(_)) => Ok(()),
            (Some(known), Ok(found)) if found == *known => Ok(()),
            (Some(_), Ok(_)) => Err(taken_away(&log, "it is another file than the one that is open")),
            (Some(_), Err(error)) => Err(taken_away(&log, &error.to_string())),
        }
    }
}

fn taken_away(path: &Path, why: &str) -> StoreError {
    let detail = format!("{} was taken away while it was in use: {why}", path.display());
    StoreError::Unavailable { reason: Reason::Connect, detail }
}

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

/// Makes the directory of a new file, and those above it, durably.
pub(crate) fn make_directory(file: &Path) -> Result<(), StoreError> {
    let above = file.ancestors().skip(1);
    let missing: Vec<&Path> = above.take_while(|d| !d.as_os_str().is_empty() && !d.exists()).collect();
    // From the outermost on: each is an entry of the one above it.
    for directory in missing.into_iter().rev() {
        let made = std::fs::create_dir(directory).or_else(|e| match e.kind() {
            IoErrorKind::AlreadyExists => Ok(()),
            _ => Err(e),
        });
        let above = directory.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let made = made.and_then(|()| File::open(above)?.sync_all());
        made.map_err(|e| StoreError::Refused {
            detail: format!("cannot make directory {}: {e}", directory.display()),
        })?;
    }
    Ok(())
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

/// Which of a database's files this process may not read and write, and whose that is. None of them is opened: closing it
/// again would give up SQLite's locks.
fn denied(path: &Path) -> Option<String> {
    let files = [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")];
    let rights = Rights::READ_OK | Rights::WRITE_OK;
    let file = files.iter().find(|file| rustix::fs::access(file.as_path(), rights) == Err(Errno::ACCESS))?;
    let user = rustix::process::geteuid().as_raw();
    match std::fs::metadata(file) {
        Ok(of) => Some(whose(file, &of, user)),
        Err(_) => Some(format!("user {user}, who runs Cellgate, may not enter the directory")),
    }
}

/// Whose a file is that this user may not use, and what to do.
pub(super) fn whose(file: &Path, of: &Metadata, user: u32) -> String {
    let (file, owner, group, mode) = (file.display(), of.uid(), of.gid(), of.mode() & 0o7777);
    format!(
        "{file} is of user {owner} and group {group}, with mode {mode:03o}, and Cellgate runs as user {user}: chown it, and \
         what lies beside it"
    )
}

/// What a failed COMMIT means. A full disk cuts the log before its commit mark, so that nothing is there; after any
/// other input or output error (a sync, the log's index) the mark may be on disk, and would count after a crash.
pub(crate) fn commit_outcome(e: Failure, path: &Path) -> StoreError {
    match &e {
        Failure::Sqlite(sqlite) if sqlite.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => {
            StoreError::MaybeWritten { detail: format!("{}: {sqlite}", path.display()) }
        }
        Failure::Sqlite(_) | Failure::Store(_) | Failure::Large => e.outcome(path),
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

/// Whether a little can still be written beside the file.
fn has_room(path: &Path) -> bool {
    let probe = beside(path, ".probe");
    let written = File::create(&probe).and_then(|mut file| {
        file.write_all(&[0; 64 * 1024])?;
        file.sync_all()
    });
    // The probe may be what fills the disk; what matters is its result.
    let _ = std::fs::remove_file(&probe);
    match written {
        Ok(()) => true,
        Err(e) => {
            !matches!(e.kind(), IoErrorKind::StorageFull | IoErrorKind::QuotaExceeded | IoErrorKind::FileTooLarge)
        }
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}
