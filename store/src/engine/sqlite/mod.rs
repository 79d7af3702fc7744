//! Cells in a SQLite file.
//!
//! One file per cluster, one process per file (C13 of docs/ARCHITECTURE.md), one thread that writes (`writer`), a few
//! connections that read (`readers`). The log head is a row of the file like for any other engine, though only this
//! process uses it: what is durable is one transaction.
//!
//! # What a kill leaves behind
//! Everything a transaction changes (rows, their index entries, the log head) goes into the write-ahead log as one run
//! of pages whose last one carries the commit mark and a checksum over all before it. The log is synced
//! (`synchronous = FULL`) before COMMIT returns, and only then is any caller answered. So a process killed at any
//! point leaves a log that ends in a whole number of transactions plus a tail without a mark, which the next open
//! ignores:
//! - answered: its mark was synced, it is there;
//! - not answered: all of its batch is there, or nothing of it, and the caller's retry finds out by its token;
//! - ids: the head is part of the transaction, so that an id that was ever visible is never handed out again.
//!
//! Checkpoints sync the log before they touch the file and the file before the log starts anew, so that a kill in one
//! repeats it. The process lock is the kernel's: it goes with the process, and no stale one is left.

pub(crate) mod cells;
mod checkpoint;
mod erasing;
pub(crate) mod file;
pub(crate) mod files;
mod pulse;
mod read;
mod readers;
mod removal;
mod snapshots;
#[cfg(test)]
mod tests;
mod write;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use cellgate_metrics::PoolState;
use cellgate_schemaless::{
    AddedId, Cell, Epoch, Erasure, LatestKey, LogScan, RowScan, ShardId, TableId, TableRef, Triple,
};

pub(crate) use self::removal::id_of_set_aside;

use self::cells::execute;
use self::erasing::erase_some;
use self::file::{Access, Failure, TimedConnection};
use self::files::{LockFile, OpenFiles, ProcessLock, make_directory};
use self::read::{PageBound, ReadTexts};
use self::readers::Readers;
use self::removal::{Left, Removal};
use self::snapshots::Snapshots;
use self::write::check_epoch;
use self::writer::{QueueBounds, Writer};
use crate::error::InTable;
use crate::sql::{Dialect, SQLITE, SQLITE_SHORT};
use crate::sync;
use crate::{
    AtOnce, Backend, EraseStep, Erased, Identity, LogPage, PutGroup, PutOutcome, Reason, RowPage, ShardState,
    StoreError, Timeouts,
};

/// A page that is read where it is asked for: what a page of a screen or the tail of a log needs.
const INLINE_PAGE: PageBound = PageBound { rows: 128, bytes: 256 * 1024, dialect: &SQLITE_SHORT };

/// A page that is read on a blocking thread.
const PAGE: PageBound = PageBound { rows: 4096, bytes: 4 * 1024 * 1024, dialect: &SQLITE };

/// How long the writer waits for readers of the log that an erasure has to empty, before it writes for others again.
const LOG_WAIT: Duration = Duration::from_millis(20);

/// How long others write until it tries again.
const LOG_PAUSE: Duration = Duration::from_millis(100);

/// How a file is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Bounds on waiting.
    pub timeouts: Timeouts,
    /// Connections for point reads, and as many again for scans.
    pub readers: usize,
    /// Calls that may wait for the writer.
    pub queue: usize,
    /// Bytes of keys and bodies that may wait for the writer, whether anybody waits for their answer or not. A single call
    /// may have more.
    pub queue_bytes: usize,
    /// Whether it is only looked at: nothing is made beside it then.
    pub looks: bool,
}

impl Default for SqliteOptions {
    /// Four readers (more only wait for the same two or four cores), a queue of four full batches of 64 KiB a call.
    fn default() -> Self {
        Self { timeouts: Timeouts::default(), readers: 4, queue: 1024, queue_bytes: 256 << 20, looks: false }
    }
}

/// A [`Backend`] in a SQLite file.
#[derive(Debug)]
pub struct SqliteBackend {
    path: PathBuf,
    options: SqliteOptions,
    /// Set once the file is known to be a store of Cellgate; never before, so that looking creates nothing.
    live: OnceLock<Live>,
    /// The lock of a file that is there and has not been claimed. Held while claiming.
    unclaimed: Mutex<Option<ProcessLock>>,
}

/// A claimed file in use.
#[derive(Debug)]
struct Live {
    writer: Writer,
    readers: Readers,
    /// By table, whose ids are never reused; as many as there are tables.
    texts: ArcSwap<HashMap<TableId, Arc<ReadTexts>>>,
    /// Which files were opened.
    files: Arc<OpenFiles>,
    /// Whether the path named no file, or another one, when it was looked at last.
    lost: AtomicBool,
    /// Kept also if the writer dies. `None` once it was closed; the last field, so that it goes last.
    lock: Mutex<Option<Arc<ProcessLock>>>,
}

impl Live {
    fn texts(&self, table: &TableRef) -> Arc<ReadTexts> {
        if let Some(texts) = self.texts.load().get(&table.id) {
            return Arc::clone(texts);
        }
        let texts = Arc::new(ReadTexts::new(table));
        self.texts.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.insert(table.id, Arc::clone(&texts));
            known
        });
        texts
    }

    fn forget(&self, table: &TableRef) {
        self.texts.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.remove(&table.id);
            known
        });
    }
}

impl SqliteBackend {
    /// Opens a file, or the place where [`Backend::claim`] will make one: a file that is not there is not created.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another process uses the file, or this one may not write it; [`StoreError::Corrupt`] if it is
    /// not SQLite's.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let backend = Self { path: path.to_owned(), options, live: OnceLock::new(), unclaimed: Mutex::new(None) };
        if path.exists() {
            let lock = ProcessLock::take(path, LockFile::of(options.looks))?;
            let connection = backend.connect(Access::Write)?;
            connection.refuse_read_only(path)?;
            if connection.has_table("cg_cluster").map_err(|e| e.outcome(path))? {
                backend.start(connection, lock)?;
            } else {
                *sync::lock(&backend.unclaimed) = Some(lock);
            }
        }
        Ok(backend)
    }

    fn connect(&self, access: Access) -> Result<TimedConnection, StoreError> {
        TimedConnection::open(&self.path, access, self.options.timeouts.lock).map_err(|e| e.outcome(&self.path))
    }

    /// Takes the file into use.
    fn start(&self, connection: TimedConnection, lock: ProcessLock) -> Result<&Live, StoreError> {
        connection.use_wal().map_err(|e| e.outcome(&self.path))?;
        let SqliteOptions { timeouts, readers, queue, queue_bytes, .. } = self.options;
        let queue = QueueBounds { calls: queue, bytes: queue_bytes };
        let (snapshots, lock) = (Arc::new(Snapshots::default()), Arc::new(lock));
        let files = Arc::new(OpenFiles::of(&self.path)?);
        let (shared, held) = (Arc::clone(&files), Arc::clone(&lock));
        let writer = Writer::start(&self.path, timeouts, queue, connection, held, shared, Arc::clone(&snapshots))?;
        let readers = Readers::new(self.path.clone(), &files, readers, timeouts, snapshots);
        let (texts, lost, lock) = (ArcSwap::default(), false.into(), Mutex::new(Some(lock)));
        Ok(self.live.get_or_init(|| Live { writer, readers, texts, files, lost, lock }))
    }

    /// Makes the file, or takes one that is there and not Cellgate's, into use.
    fn create(&self) -> Result<&Live, StoreError> {
        let mut unclaimed = sync::lock(&self.unclaimed);
        if let Some(live) = self.live.get() {
            return Ok(live);
        }
        make_directory(&self.path)?;
        let lock = match unclaimed.take() {
            Some(lock) => lock,
            None => ProcessLock::take(&self.path, LockFile::Make)?,
        };
        self.start(self.connect(Access::Create)?, lock)
    }

    fn live(&self) -> Result<&Live, StoreError> {
        match self.live.get() {
            Some(live) if live.lost.load(Ordering::Acquire) => Err(self.lost("the file is gone, or another one")),
            Some(live) => Ok(live),
            None => Err(StoreError::Refused { detail: format!("{} has not been initialised", self.path.display()) }),
        }
    }

    /// Whether the files that are open still have their names.
    fn look_at_files(live: &Live) -> Result<(), StoreError> {
        let found = live.files.check();
        live.lost.store(found.is_err(), Ordering::Release);
        found
    }

    fn lost(&self, why: &str) -> StoreError {
        let detail = format!("{} was taken away while it was in use: {why}", self.path.display());
        StoreError::Unavailable { reason: Reason::Connect, detail }
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        let live = self.live()?;
        let texts = live.texts(table);
        match live.readers.inline(|sqlite| read::get(sqlite, &texts.short, keys)).await.in_table(table)? {
            Some(cells) => Ok(cells),
            None => {
                let keys = keys.to_vec();
                live.readers.blocking(move |sqlite| read::get(sqlite, &texts.whole, &keys)).await.in_table(table)
            }
        }
    }

    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        let live = self.live()?;
        let texts = live.texts(table);
        match live.readers.inline(|sqlite| read::latest(sqlite, &texts.short, keys)).await.in_table(table)? {
            Some(cells) => Ok(cells),
            None => {
                let keys = keys.to_vec();
                live.readers.blocking(move |sqlite| read::latest(sqlite, &texts.whole, &keys)).await.in_table(table)
            }
        }
    }

    async fn get_shared(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        let live = self.live()?;
        let texts = live.texts(table);
        match live.readers.inline(|sqlite| read::get_short(sqlite, &texts, keys, false)).await.in_table(table)? {
            Some(cells) => Ok(cells),
            None => {
                let keys = keys.to_vec();
                live.readers.blocking(move |sqlite| read::get_short(sqlite, &texts, &keys, true)).await.in_table(table)
            }
        }
    }

    async fn versions(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        let live = self.live()?;
        let texts = live.texts(table);
        match live.readers.inline(|sqlite| read::versions(sqlite, &texts, keys)).await.in_table(table)? {
            Some(cells) => Ok(cells),
            None => {
                let keys = keys.to_vec();
                live.readers.blocking(move |sqlite| read::versions(sqlite, &texts, &keys)).await.in_table(table)
            }
        }
    }

    fn get_at_once(&self, table: &TableRef, key: &Triple) -> AtOnce {
        let Ok(live) = self.live() else { return AtOnce::Ask };
        let texts = live.texts(table);
        live.readers.at_once(|sqlite| read::get_one(sqlite, &texts.short, key)).map_or(AtOnce::Ask, AtOnce::Row)
    }

    fn latest_at_once(&self, table: &TableRef, key: &LatestKey) -> AtOnce {
        let Ok(live) = self.live() else { return AtOnce::Ask };
        let texts = live.texts(table);
        live.readers.at_once(|sqlite| read::latest_one(sqlite, &texts.short, key)).map_or(AtOnce::Ask, AtOnce::Row)
    }

    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError> {
        let readers = &self.live()?.readers;
        // The first page is small and read here; who wants more than that gets it in large pages.
        let first = match scan.after {
            None => readers.inline(|sqlite| read::rows(sqlite, table, scan, INLINE_PAGE)).await.in_table(table)?,
            Some(_) => None,
        };
        let (cells, more) = match first {
            Some(page) => page,
            None => {
                let (of, scan) = (table.clone(), scan.clone());
                readers.blocking(move |sqlite| read::rows(sqlite, &of, &scan, PAGE)).await.in_table(table)?
            }
        };
        Ok(RowPage { cells, more })
    }

    async fn log(&self, table: &TableRef, scan: &LogScan) -> Result<LogPage, StoreError> {
        let readers = &self.live()?.readers;
        let first = match scan.after {
            None => readers.inline(|sqlite| read::log(sqlite, table, scan, INLINE_PAGE)).await.in_table(table)?,
            Some(_) => None,
        };
        let (cells, more) = match first {
            Some(page) => page,
            None => {
                let (of, scan) = (table.clone(), scan.clone());
                readers.blocking(move |sqlite| read::log(sqlite, &of, &scan, PAGE)).await.in_table(table)?
            }
        };
        Ok(LogPage { cells, more })
    }

    async fn head(&self) -> Result<AddedId, StoreError> {
        let readers = &self.live()?.readers;
        match readers.inline(read::head).await? {
            Some(head) => Ok(head),
            None => readers.blocking(read::head).await,
        }
    }

    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        self.live()?.writer.put(epoch, groups.to_vec()).await
    }

    async fn erase(
        &self,
        epoch: Epoch,
        table: &TableRef,
        what: &Erasure,
        step: &EraseStep,
    ) -> Result<Erased, StoreError> {
        let (table, what, step) = (table.clone(), what.clone(), step.clone());
        let work = move |side: &mut writer::WriteSide| {
            let erased = side.transaction(|sqlite, _| {
                check_epoch(sqlite, epoch)?;
                erase_some(sqlite, &table, &what, &step)
            })?;
            // What the log holds of bodies goes behind the last step.
            let is_last = erased.last.is_none();
            let emptied = if is_last { side.empty_log(LOG_WAIT) } else { Ok(true) };
            if !is_last {
                side.committed();
            }
            Ok((erased, emptied))
        };
        let writer = &self.live()?.writer;
        let until = Instant::now() + self.options.timeouts.statement;
        let (erased, mut emptied) = writer.side(work).await?;
        if erased.last.is_some() {
            return Ok(erased);
        }
        // Whatever the reason, that the cells are erased is told by this error alone: a full disk would say that nothing is.
        let again = |why: &str| StoreError::Timeout {
            reason: Reason::Statement,
            detail: format!(
                "{}: the cells are erased, but their bytes are still in the write-ahead log ({why}): erase again",
                self.path.display()
            ),
        };
        loop {
            match emptied {
                Ok(true) => return Ok(erased),
                // A scan that began before reads on from the log. It ends, and others write meanwhile.
                Ok(false) => {}
                // The queue was full: others write, and it is tried again.
                Err(StoreError::Timeout { reason: Reason::Queue, .. }) => {}
                Err(error) => return Err(again(&error.to_string())),
            }
            if Instant::now() >= until {
                return Err(again("somebody reads from it"));
            }
            tokio::time::sleep(LOG_PAUSE).await;
            emptied = writer.side(|side| side.empty_log(LOG_WAIT)).await;
        }
    }

    async fn create_table(&self, table: &TableRef) -> Result<(), StoreError> {
        let texts = SQLITE.create_cell_table(table);
        self.live()?.writer.alone(move |sqlite| Ok(sqlite.execute_batch(&texts.join("; "))?)).await
    }

    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError> {
        let live = self.live()?;
        let removal = Arc::new(Removal::of(table));
        let removed = loop {
            let removal = Arc::clone(&removal);
            // Each a job of its own: what others have queued meanwhile is written before the next.
            match live.writer.side(move |side| removal.step(side)).await {
                Ok(Left::Something) => {}
                Ok(Left::Nothing) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        // Only now: who reads meanwhile makes its texts again.
        live.forget(table);
        removed
    }

    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        let names = |sqlite: &rusqlite::Connection| -> Result<Vec<String>, Failure> {
            let mut statement = sqlite.prepare_cached(&SQLITE.select_cell_tables().text)?;
            let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(names)
        };
        self.live()?.readers.blocking(names).await
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        match self.live.get() {
            Some(live) => match live.readers.blocking(read::identity).await {
                // A claim that failed half way leaves an empty file.
                Err(StoreError::NoTable { .. }) => Ok(None),
                answer => answer,
            },
            None => Ok(None),
        }
    }

    async fn claim(&self, identity: &Identity, shards: &[ShardId]) -> Result<Identity, StoreError> {
        // Rare, and before anything is served: it may keep this thread for the few syncs a new file takes.
        let live = self.create()?;
        let (identity, shards) = (identity.clone(), shards.to_vec());
        let work = move |sqlite: &rusqlite::Connection| {
            for text in SQLITE.create_own_tables() {
                sqlite.execute_batch(&text)?;
            }
            if execute(sqlite, &SQLITE.insert_identity(&identity))? == 1 {
                execute(sqlite, &SQLITE.insert_head(identity.cluster))?;
                for query in SQLITE.insert_shards(&shards) {
                    execute(sqlite, &query)?;
                }
            }
            let missing = || StoreError::Corrupt { detail: "cg_cluster has no row".to_owned() };
            Ok(read::identity(sqlite)?.ok_or_else(missing)?)
        };
        live.writer.alone(work).await
    }

    async fn shards(&self) -> Result<(Epoch, Vec<ShardState>), StoreError> {
        self.live()?.readers.blocking(read::shards).await
    }

    async fn raise_epoch(&self, from: Epoch, to: Epoch) -> Result<bool, StoreError> {
        let raise = SQLITE.raise_epoch(from, to);
        self.live()?.writer.alone(move |sqlite| Ok(execute(sqlite, &raise)? > 0)).await
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        let began = Instant::now();
        let select = |sqlite: &rusqlite::Connection| -> Result<(), Failure> {
            sqlite.prepare_cached("SELECT 1")?.exists([]).map(|_| ()).map_err(Failure::from)
        };
        match self.live.get() {
            Some(live) => {
                Self::look_at_files(live)?;
                live.writer.is_alive()?;
                live.readers.inline(select).await.map(|_| began.elapsed())
            }
            None => Ok(began.elapsed()),
        }
    }

    fn dialect(&self) -> Option<&'static Dialect> {
        Some(&SQLITE)
    }

    fn pool(&self) -> Option<PoolState> {
        None
    }

    async fn close(&self) {
        if let Some(live) = self.live.get() {
            live.readers.close();
            live.writer.close().await;
            // A writer that goes on in the background keeps it.
            drop(sync::lock(&live.lock).take());
        }
    }
}

/// The error of a file that has been closed.
fn closed(path: &Path) -> StoreError {
    StoreError::Unavailable { reason: Reason::Connect, detail: format!("{} is closed", path.display()) }
}
