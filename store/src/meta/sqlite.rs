//! A meta store in a SQLite file.
//!
//! Rarely used and small: one connection, on threads that may block. The rules of a cluster's file hold for it as
//! well: one process (C13 of docs/ARCHITECTURE.md), nothing is created by looking, and what is answered is synced.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use rusqlite::Connection;

use super::{Document, MetaStore};
use crate::engine::now_micros;
use crate::engine::sqlite::cells::{bind, execute};
use crate::engine::sqlite::file::{Access, Failure, TimedConnection, commit_outcome};
use crate::engine::sqlite::files::{LockFile, OpenFiles, ProcessLock, make_directory};
use crate::sql::{Query, SQLITE};
use crate::sync::lock;
use crate::{StoreError, Timeouts};

/// The one table.
const TABLE: &str = "cg_meta";

/// A [`MetaStore`] in a SQLite file.
#[derive(Debug)]
pub struct SqliteMeta {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    timeouts: Timeouts,
    /// `None` while the file is not there.
    file: Mutex<Option<OpenFile>>,
}

/// The file, ours alone. The lock goes last.
#[derive(Debug)]
struct OpenFile {
    connection: TimedConnection,
    files: OpenFiles,
    _lock: ProcessLock,
}

impl SqliteMeta {
    /// Opens a file, or the place where [`MetaStore::create`] will make one: a file that is not there is not created.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another process uses the file, or this one may not write it; [`StoreError::Corrupt`] if it is
    /// not SQLite's.
    pub fn open(path: &Path, timeouts: Timeouts) -> Result<Self, StoreError> {
        Self::open_with(path, timeouts, LockFile::Make)
    }

    /// The same of a file that is perhaps only looked at.
    pub(crate) fn open_with(path: &Path, timeouts: Timeouts, lock: LockFile) -> Result<Self, StoreError> {
        let file = if path.exists() { Some(OpenFile::open(path, Access::Write, timeouts, lock)?) } else { None };
        Ok(Self { inner: Arc::new(Inner { path: path.to_owned(), timeouts, file: Mutex::new(file) }) })
    }

    /// Runs `work` on a thread that may block; without a file, the answer is `absent`.
    async fn run<T: Send + 'static>(
        &self,
        absent: Result<T, StoreError>,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        blocking(move || match inner.file().as_mut() {
            Some(file) => {
                file.files.check()?;
                let result = file.connection.within(inner.timeouts.statement, work);
                result.map_err(|e| e.outcome(&inner.path))
            }
            None => absent,
        })
        .await
    }

    /// Runs a statement that changes one document or none, and is durable with it; answers whether it did.
    async fn change(&self, query: Query) -> Result<bool, StoreError> {
        let inner = self.inner.clone();
        let change = move || match inner.file().as_mut() {
            Some(file) => {
                file.files.check()?;
                let changed = file.connection.within(inner.timeouts.statement, |sqlite| execute(sqlite, &query));
                changed.map(|rows| rows == 1).map_err(|e| commit_outcome(e, &inner.path))
            }
            None => Err(no_table()),
        };
        let unknown = |e| StoreError::MaybeWritten { detail: format!("a thread of the meta store ended: {e}") };
        tokio::task::spawn_blocking(change).await.unwrap_or_else(|e| Err(unknown(e)))
    }
}

impl Inner {
    fn file(&self) -> MutexGuard<'_, Option<OpenFile>> {
        lock(&self.file)
    }

    fn create(&self) -> Result<(), StoreError> {
        let mut file = self.file();
        let open = match file.as_mut() {
            Some(open) => open,
            None => {
                make_directory(&self.path)?;
                file.insert(OpenFile::open(&self.path, Access::Create, self.timeouts, LockFile::Make)?)
            }
        };
        let created = open.connection.use_wal().and_then(|()| {
            let texts = SQLITE.create_meta_table().join("; ");
            open.connection.sqlite.execute_batch(&texts).map_err(Failure::from)
        });
        created.map_err(|e| e.outcome(&self.path))
    }
}

impl OpenFile {
    fn open(path: &Path, access: Access, timeouts: Timeouts, lock: LockFile) -> Result<Self, StoreError> {
        let lock = ProcessLock::take(path, lock)?;
        let connection = TimedConnection::open(path, access, timeouts.lock).map_err(|e| e.outcome(path))?;
        connection.refuse_read_only(path)?;
        // Reads the file's first page: what is not SQLite's is refused now.
        connection.has_table(TABLE).map_err(|e| e.outcome(path))?;
        let files = OpenFiles::of(path)?;
        Ok(Self { connection, files, _lock: lock })
    }
}

#[async_trait]
impl MetaStore for SqliteMeta {
    async fn exists(&self) -> Result<bool, StoreError> {
        let exists = |sqlite: &Connection| -> Result<bool, Failure> {
            let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
            Ok(sqlite.prepare_cached(sql)?.exists([TABLE])?)
        };
        self.run(Ok(false), exists).await
    }

    async fn create(&self) -> Result<(), StoreError> {
        let inner = self.inner.clone();
        blocking(move || inner.create()).await
    }

    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        let (name, query) = (name.to_owned(), SQLITE.select_document(name));
        let load = move |sqlite: &Connection| {
            let mut statement = bind(sqlite, &query)?;
            let mut rows = statement.raw_query();
            let Some(row) = rows.next()? else { return Ok(None) };
            Ok(Some(Document { name, version: row.get(0)?, body: row.get(1)? }))
        };
        self.run(Err(no_table()), load).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Document>, StoreError> {
        let query = SQLITE.select_documents(prefix);
        let list = move |sqlite: &Connection| {
            let mut statement = bind(sqlite, &query)?;
            let mut rows = statement.raw_query();
            let mut documents = Vec::new();
            while let Some(row) = rows.next()? {
                let corrupt = |_| StoreError::Corrupt { detail: "a document's name is not text".to_owned() };
                let name = String::from_utf8(row.get(0)?).map_err(corrupt)?;
                documents.push(Document { name, version: row.get(1)?, body: row.get(2)? });
            }
            Ok(documents)
        };
        self.run(Err(no_table()), list).await
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        self.change(match expected {
            0 => SQLITE.insert_document(name, body),
            _ => SQLITE.update_document(name, expected, body),
        })
        .await
    }

    async fn remove(&self, name: &str, expected: i64) -> Result<bool, StoreError> {
        self.change(SQLITE.delete_document(name, expected)).await
    }

    async fn now(&self) -> Result<i64, StoreError> {
        Ok(now_micros())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let task = tokio::task::spawn_blocking(work);
    task.await.unwrap_or_else(|e| Err(StoreError::Failed { detail: format!("a thread of the meta store ended: {e}") }))
}

fn no_table() -> StoreError {
    StoreError::NoTable { table: TABLE.to_owned() }
}
