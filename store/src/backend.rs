//! The one interface every engine implements.
//!
//! Batch-first: every read takes many keys and answers one outcome per key, every put takes many groups and answers
//! one outcome per group, so that coalescing is a queue in front of a backend and never a change of it. A backend
//! holds the cells of one cluster, of any shards; it does not know where other cells live.

use std::time::Duration;

use async_trait::async_trait;
use cellgate_metrics::PoolState;
use cellgate_schemaless::{
    AddedId, Body, Cell, ClusterNo, Epoch, Erasure, LatestKey, LogScan, Micros, RowScan, ShardId, TableRef, Token,
    Triple,
};

use crate::error::StoreError;
use crate::sql::Dialect;
/// What a read of several names leaves out: longer bodies, and which rows those are.
pub(crate) use crate::sql::{BATCH_BODY, left_out};

/// Most bytes of keys and bodies that one call of [`Backend::get`] or [`Backend::latest`] answers, for the memory of the
/// proxy; more is [`StoreError::AnswerTooLarge`]. Four bodies of the largest size there is.
pub const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// What is known of a row without waiting.
#[derive(Clone, Debug)]
pub enum AtOnce {
    /// This is the row, or there is none.
    Row(Option<Cell>),
    /// Nothing, also not whether asking would be an error: the other method has to be asked.
    Ask,
}

/// The cells of one cluster.
///
/// All methods are safe to call concurrently and from several proxies. A read that fails because its connection was
/// lost is repeated by the engine before it reports [`StoreError::Unavailable`]; a write is settled by its token
/// first, and [`StoreError::MaybeWritten`] is the honest answer when it cannot be.
#[async_trait]
pub trait Backend: Send + Sync + std::fmt::Debug {
    /// The cells with these names: one answer per key, in order, all from one snapshot. Rows of every kind are
    /// returned, undecided ones too: the caller looks at [`Cell::is_visible`]. At most [`ANSWER_BYTES`].
    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError>;

    /// The row with the highest `ref_key` (at most `at_most`) of each chain, of whatever kind but lock and closed:
    /// one answer per key, in order, all from one snapshot. Erased rows are skipped over only by the caller asking
    /// again below them. At most [`ANSWER_BYTES`].
    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError>;

    /// As [`Backend::get`], for several who do not wait for each other: a cell whose body is to be fetched alone may be answered
    /// without it. Whoever asked for that one asks again.
    async fn get_shared(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.get(table, keys).await
    }

    /// As [`Backend::latest`], in the same way.
    async fn latest_shared(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.latest(table, keys).await
    }

    /// As [`Backend::latest`], for whoever wants to know versions: an engine leaves the bodies out and reads none, so
    /// that there is no bound on their bytes.
    async fn versions(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.latest(table, keys).await
    }

    /// What [`Backend::get`] answers about one key, from an engine that needs not wait for it.
    fn get_at_once(&self, _table: &TableRef, _key: &Triple) -> AtOnce {
        AtOnce::Ask
    }

    /// What [`Backend::latest`] answers about one key, from an engine that needs not wait for it.
    fn latest_at_once(&self, _table: &TableRef, _key: &LatestKey) -> AtOnce {
        AtOnce::Ask
    }

    /// One page of a row scan, in its order: rows of kind cell, undecided ones included. `scan.limit` bounds the
    /// page; an engine may answer fewer (bounded bytes) and then says there is more.
    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError>;

    /// One page of the log by `(shard, added_id)`: rows of kind cell, undecided ones included (the caller stops in
    /// front of one). `scan.limit` bounds the page; an engine may answer fewer and then says there is more.
    async fn log(&self, table: &TableRef, scan: &LogScan) -> Result<LogPage, StoreError>;

    /// An id that no cell has passed that is there now: those that are written later have higher ones (C1 of
    /// docs/ARCHITECTURE.md).
    async fn head(&self) -> Result<AddedId, StoreError>;

    /// Writes groups. The cells of a group stand or fall together; groups do not depend on each other, and a group
    /// that fails never fails its neighbours. Ids, times and commit order come from the log head (C1 of
    /// docs/ARCHITECTURE.md): nothing is written unless the head is at `epoch`. A put that has begun goes on to its
    /// end, whoever stops waiting for it.
    ///
    /// # Errors
    /// [`StoreError::StaleEpoch`], [`StoreError::Unavailable`], [`StoreError::DiskFull`] and the like, if no group was
    /// written; otherwise that is the outcome of the groups it is about. After any error but `MaybeWritten` nothing of those
    /// was written.
    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError>;

    /// Does one step of an erasure: the rows become slots of kind erased, without body (C8 of docs/ARCHITECTURE.md). It
    /// is one transaction under the log head, which others have between two steps. [`Erased::last`] says where the next
    /// one begins.
    async fn erase(
        &self,
        epoch: Epoch,
        table: &TableRef,
        what: &Erasure,
        step: &EraseStep,
    ) -> Result<Erased, StoreError>;

    /// Creates the physical table if it is not there.
    async fn create_table(&self, table: &TableRef) -> Result<(), StoreError>;

    /// Drops the physical table if it is there.
    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError>;

    /// The names of all physical tables of cells, in no order; those are among them of which no catalog knows.
    async fn tables(&self) -> Result<Vec<String>, StoreError>;

    /// Who this store is: `None` if Cellgate has never initialised it. Must not create anything.
    async fn identity(&self) -> Result<Option<Identity>, StoreError>;

    /// Whether an empty store could be claimed, as far as that can be told without anything being created.
    ///
    /// # Errors
    /// [`StoreError::Refused`] names the right that is missing.
    async fn check_rights(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Creates the store's own tables (`cg_cluster, cg_head, cg_shard, cg_txn, cg_intent`) and claims it as
    /// `identity`, owning `shards`. Idempotent, safe when several proxies do it at once: the first wins, and the
    /// answer is the identity that stands.
    async fn claim(&self, identity: &Identity, shards: &[ShardId]) -> Result<Identity, StoreError>;

    /// It has been checked who it is. What answers under its address from now on is used only if it is that one: another
    /// store may be there when it comes back. An engine that stays open as long as it is used needs not look.
    fn expect_identity(&self, _identity: &Identity) {}

    /// Where this store is: two that are open at once are at one place exactly if they are one. `None` if it cannot be
    /// told, if nothing can be written there (a standby), or if another process cannot have it open (files, memory).
    async fn location(&self) -> Result<Option<Location>, StoreError> {
        Ok(None)
    }

    /// The epoch of the log heads and the shards this store says it owns, from one snapshot.
    async fn shards(&self) -> Result<(Epoch, Vec<ShardState>), StoreError>;

    /// Raises the epoch of all log heads from `from` to `to`; `false` if it was not `from`.
    async fn raise_epoch(&self, from: Epoch, to: Epoch) -> Result<bool, StoreError>;

    /// Reaches the store and back (health checks; no table is read); answers how long that took, without what is looked at
    /// beside it.
    async fn ping(&self) -> Result<Duration, StoreError>;

    /// What the pool of connections is doing now; `None` for an engine without one, as an embedded store.
    fn pool(&self) -> Option<PoolState>;

    /// Which start of its server this process has met last, whatever the number says: it is another one also if another server
    /// was met in between. Another one may have taken back what was read before, so that it must not be answered from memory.
    /// Always 0 where nothing can be read that is not on disk.
    fn start(&self) -> i64 {
        0
    }

    /// How it spells statements, as far as it knows yet; `None` for an engine without any.
    fn dialect(&self) -> Option<&'static Dialect> {
        None
    }

    /// Finishes what is running and closes. Bounded by the statement timeout.
    async fn close(&self);
}

/// How many slots a step of an erasure looks at for each that it may erase: an erasure that is repeated soon comes to
/// where the one before ended.
const LOOKED_AT: u64 = 16;

/// Which part of an erasure is done at once: a row or a chain may have millions of slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraseStep {
    /// The slot behind which it begins, in the order of names; `None` for the first step.
    pub after: Option<Triple>,
    /// Only slots whose ids are not above this one: what was there when it was read. `None`: all.
    pub up_to: Option<AddedId>,
    /// Most cells it erases, at least 1. Those erased already are passed by: it looks at no more than 16 times
    /// as many slots. An engine may erase fewer (bounded bytes).
    pub slots: u32,
}

impl EraseStep {
    /// How many slots it looks at if few of them are cells.
    pub(crate) fn looked_at(&self) -> u64 {
        u64::from(self.slots) * LOOKED_AT
    }
}

/// What a step of an erasure did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// How many cells it erased, as far as was answered.
    pub cells: u64,
    /// The answer of an earlier attempt was lost: it may have erased more than these.
    pub perhaps_more: bool,
    /// The last slot it has looked at: there may be others behind it. `None` if it was the last step.
    pub last: Option<Triple>,
}

/// One page of a row scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPage {
    /// The rows, in the scan's order.
    pub cells: Vec<Cell>,
    /// Whether rows behind the last of `cells` may exist (ask again with `after` set to it).
    pub more: bool,
}

/// One page of a log scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The rows, by `(shard, added_id)`.
    pub cells: Vec<Cell>,
    /// Whether rows behind the last of `cells` may exist (ask again with `after` set to it).
    pub more: bool,
}

/// Cells that stand or fall together in one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutGroup {
    /// Which write this is; the same in every retry.
    pub token: Token,
    /// The cells, at least one; no triple twice.
    pub cells: Vec<GroupCell>,
}

/// Most bytes ([`PutGroup::bytes`]) of groups of one cell that share a transaction; one group may be larger. It bounds how
/// long the log head stays locked.
pub(crate) const BATCH_BYTES: usize = 1024 * 1024;

impl PutGroup {
    /// Bytes of its bodies, and of its row keys, which go into two indexes.
    pub(crate) fn bytes(&self) -> usize {
        self.cells.iter().map(|cell| cell.body.as_bytes().len() + cell.triple.row.as_bytes().len() * 2).sum()
    }
}

/// One cell of a [`PutGroup`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupCell {
    /// The table it goes to (a transaction may write to several).
    pub table: TableRef,
    /// The shard of its row key.
    pub shard: ShardId,
    /// Its name.
    pub triple: Triple,
    /// Its JSON.
    pub body: Body,
    /// What an existing cell of this name means.
    pub mode: PutMode,
}

/// What a cell that exists already means for a write of the same triple by another token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Same bytes: done. Other bytes: conflict.
    Explicit,
    /// A conflict, whatever the bytes (compare-and-append: the race is lost).
    Append,
}

/// What became of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// All of it is there, durably: one place per cell, in order.
    Stored(Vec<PlacedCell>),
    /// Nothing of it was written: the cell at this index exists with other bytes, is erased, or lost its race.
    Conflict {
        /// Index into the group's cells.
        cell: usize,
    },
    /// Nothing of it was written: the cell at this index exists as an undecided intent; settle that and ask again.
    Undecided {
        /// Index into the group's cells.
        cell: usize,
    },
    /// This is what its own part of the call failed of; other groups were written.
    Failed(StoreError),
}

impl PutOutcome {
    /// The outcome of a call about one group.
    ///
    /// # Errors
    /// What the call, or the group's part of it, failed of.
    pub fn of_one(answer: Result<Vec<Self>, StoreError>) -> Result<Self, StoreError> {
        let missing = || StoreError::Failed { detail: "the store answered no outcome".to_owned() };
        answer?.pop().ok_or_else(missing)?.settled()
    }

    /// The outcome, or what the group failed of.
    ///
    /// # Errors
    /// That of [`PutOutcome::Failed`].
    pub fn settled(self) -> Result<Self, StoreError> {
        match self {
            Self::Failed(error) => Err(error),
            Self::Stored(_) | Self::Conflict { .. } | Self::Undecided { .. } => Ok(self),
        }
    }
}

/// Where a cell is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedCell {
    /// Its place.
    pub added_id: AddedId,
    /// Its time.
    pub created_at: Micros,
    /// `false`: the same cell was there already (by another token).
    pub new: bool,
}

/// Who a store is. Written once, checked at every start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The deployment: 32 hex digits.
    pub deployment: String,
    /// Which of its clusters.
    pub cluster: ClusterNo,
    /// Raised by a promotion.
    pub incarnation: i64,
    /// Number of virtual shards.
    pub virtual_shards: u32,
    /// Name of the hash that places keys.
    pub hash: String,
    /// Its seed.
    pub seed: i64,
    /// Version of the physical schema.
    pub format: i64,
}

/// Where a store is, for others and for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The address by which it was reached, for people: one place has many.
    pub address: String,
    /// Which database of which server, in which run of it, in the server's own words: the same to whoever asks, until the
    /// server is started again or another one takes over.
    pub place: String,
}

/// Newest version of the physical schema this program knows.
pub const FORMAT: i64 = 1;

/// One row of `cg_shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardState {
    /// The shard.
    pub shard: ShardId,
    /// Where it went, when it is not here any more.
    pub moved_to: Option<ClusterNo>,
}

/// Bounds on what an engine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection, login included.
    pub connect: Duration,
    /// For one statement.
    pub statement: Duration,
    /// For a row lock.
    pub lock: Duration,
    /// For a free connection of the pool.
    pub queue: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            statement: Duration::from_secs(30),
            lock: Duration::from_secs(5),
            queue: Duration::from_secs(5),
        }
    }
}
