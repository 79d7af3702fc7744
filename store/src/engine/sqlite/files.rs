//! The files of a database: the lock of the process that has them, whether they are still there, and whose they are.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind as IoErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::Access as Rights;
use rustix::io::Errno;

use crate::{Reason, StoreError};

/// Most links that lead from one to the next, as for Linux.
const MOST_LINKS: usize = 40;

/// The right to open a file: one process has it (C13 of docs/ARCHITECTURE.md), until it is dropped or the process dies.
///
/// It is a lock on `<file>.lock` and not on the file, whose locks are SQLite's own and come and go. Links to the file are
/// followed: there is one lock, whatever the file is called. Earlier versions lock `<link>.lock`, beside the link: that
/// is locked as well, so that none of them uses the file at the same time.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    /// `None` where there is no lock file, and so nobody who has the lock ([`LockFile::Find`]).
    _file: Option<File>,
    /// `None` also where the path is no link.
    _of_link: Option<File>,
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
        let lock = open_lock(&path, missing).map_err(|e| cannot_open(&path, &e))?;
        if let Some(lock) = &lock {
            lock_at_once(lock, &path, file)?;
        }
        Ok(Self { _file: lock, _of_link: Self::of_link(file, &path, missing)? })
    }

    /// The lock beside the link, if the path is one.
    fn of_link(file: &Path, lock_of_file: &Path, missing: LockFile) -> Result<Option<File>, StoreError> {
        let path = named(file, ".lock");
        // A lock file that is linked, too, would be locked against itself.
        if path == lock_of_file || is_same(&path, lock_of_file) {
            return Ok(None);
        }
        match open_lock(&path, missing) {
            Ok(Some(lock)) => {
                lock_at_once(&lock, &path, file)?;
                Ok(Some(lock))
            }
            Ok(None) => Ok(None),
            // The link's directory cannot be written. No earlier version uses the link then, for it would have made the file.
            Err(e) if cannot_be_made(&e) && is_missing(&path) => Ok(None),
            Err(e) => Err(cannot_open(&path, &e)),
        }
    }
}

/// Opens a lock file, if it is there or made.
fn open_lock(path: &Path, missing: LockFile) -> std::io::Result<Option<File>> {
    let make = missing == LockFile::Make;
    match OpenOptions::new().create(make).truncate(false).write(true).open(path) {
        Ok(lock) => Ok(Some(lock)),
        Err(e) if !make && e.kind() == IoErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn cannot_open(path: &Path, e: &std::io::Error) -> StoreError {
    let why = denied(path).map(|why| format!(": {why}")).unwrap_or_default();
    StoreError::Refused { detail: format!("cannot open {}: {e}{why}", path.display()) }
}

/// Whether this is so for everybody who may make no more here, and stays so: a full disk has room again.
fn cannot_be_made(e: &std::io::Error) -> bool {
    matches!(e.kind(), IoErrorKind::PermissionDenied | IoErrorKind::ReadOnlyFilesystem | IoErrorKind::NotFound)
}

/// Locks the lock file of a file, without waiting.
fn lock_at_once(lock: &File, path: &Path, file: &Path) -> Result<(), StoreError> {
    let refused = |why: String| Err(StoreError::Refused { detail: why });
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => refused(format!(
            "{} is in use by another process: a deployment with a SQLite file has exactly one proxy. Stop the other one, or \
             give this one another data directory",
            file.display()
        )),
        Err(TryLockError::Error(e)) => refused(format!("cannot lock {}: {e}", path.display())),
    }
}

/// Whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((Inode::of(one), Inode::of(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether it is known that there is no such file.
fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|e| e.kind() == IoErrorKind::NotFound)
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

/// Which of a database's files this process may not read and write, and whose that is. None of them is opened: closing it
/// again would give up SQLite's locks.
pub(super) fn denied(path: &Path) -> Option<String> {
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

/// Whether a little can still be written beside the file, as far as room is concerned.
pub(super) fn has_room(path: &Path) -> bool {
    let full = [IoErrorKind::StorageFull, IoErrorKind::QuotaExceeded, IoErrorKind::FileTooLarge];
    room(path).map_or_else(|e| !full.contains(&e.kind()), |()| true)
}

/// Writes a little beside the file, and takes it away again.
pub(super) fn room(path: &Path) -> std::io::Result<()> {
    let probe = beside(path, ".probe");
    let written = File::create(&probe).and_then(|mut file| {
        file.write_all(&[0; 64 * 1024])?;
        file.sync_all()
    });
    // The probe may be what fills the disk; what matters is its result.
    let _ = std::fs::remove_file(&probe);
    written
}

/// What has the file's name with this at its end, where SQLite has it: beside the file itself, if this is a link to it.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    named(&behind_links(file), suffix)
}

/// A path with this at its end.
fn named(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    PathBuf::from(name)
}

/// What a path leads to if it is a symbolic link, whether there is a file or not. Links to directories on the way are left in
/// it: they lead to the same files.
fn behind_links(file: &Path) -> PathBuf {
    let mut file = file.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = std::fs::read_link(&file) else { break };
        file.pop();
        file.push(target);
    }
    file
}
