//! Cells in memory: the model of a backend.
//!
//! It says what the other engines must answer, in the fewest lines that can: every property test compares an engine
//! with it, and tests above the store use it where no database is wanted. It forgets everything when it is dropped.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use cellgate_metrics::PoolState;
use cellgate_schemaless::{
    AddedId, Cell, CellKind, ClusterNo, ColumnKey, Direction, Epoch, Erasure, LatestKey, LogScan, Micros, RefKey,
    RowKey, RowScan, RowSet, ShardId, TableRef, Triple, limits,
};

use super::now_micros;
use super::settle::{Verdict, settle};
use crate::backend::ANSWER_BYTES;
use crate::sql::{BATCH_BODY, FIRST_EPOCH, first_id, highest_id};
use crate::sync::lock;
use crate::{
    AtOnce, Backend, EraseStep, Erased, GroupCell, Identity, LogPage, PlacedCell, PutGroup, PutOutcome, RowPage,
    ShardState, StoreError,
};

/// A [`Backend`] whose cells live in this process.
#[derive(Debug, Default)]
pub struct MemoryBackend {
    state: Mutex<Option<State>>,
}

/// Everything a claimed store holds.
#[derive(Debug)]
struct State {
    identity: Identity,
    shards: BTreeMap<ShardId, Option<ClusterNo>>,
    head: Head,
    tables: BTreeMap<String, Table>,
}

/// The log head (C1 of docs/ARCHITECTURE.md).
#[derive(Debug)]
struct Head {
    epoch: Epoch,
    next: i64,
    at: i64,
}

/// The rows of one table.
#[derive(Debug, Default)]
struct Table {
    cells: BTreeMap<Triple, Cell>,
    /// Where each row stands in the log.
    log: BTreeMap<(ShardId, AddedId), Triple>,
}

impl MemoryBackend {
    /// An empty store nobody has claimed.
    pub fn new() -> Self {
        Self::default()
    }

    /// A panic of another thread leaves no half-done change behind that a reader could see: groups are settled
    /// before the first row goes in.
    fn state(&self) -> MutexGuard<'_, Option<State>> {
        lock(&self.state)
    }

    fn read<T>(&self, table: &TableRef, read: impl FnOnce(&Table) -> T) -> Result<T, StoreError> {
        let state = self.state();
        let state = state.as_ref().ok_or_else(not_claimed)?;
        state.tables.get(table.physical()).map(read).ok_or_else(|| no_table(table))
    }
}

/// The answers, unless they are too large together.
fn bounded(answers: Vec<Option<Cell>>) -> Result<Vec<Option<Cell>>, StoreError> {
    let bodies = answers.iter().flatten().filter_map(|cell| cell.body.as_ref());
    let bytes: usize = bodies.map(|body| body.as_bytes().len()).sum();
    if bytes > ANSWER_BYTES { Err(StoreError::AnswerTooLarge { max: ANSWER_BYTES }) } else { Ok(answers) }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        bounded(self.read(table, |t| keys.iter().map(|key| t.cells.get(key).cloned()).collect())?)
    }

    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        bounded(self.read(table, |t| keys.iter().map(|key| t.latest(key)).collect())?)
    }

    async fn get_shared(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        let short = |mut cell: Cell| {
            drop(cell.body.take_if(|body| body.as_bytes().len() > BATCH_BODY));
            cell
        };
        bounded(self.read(table, |t| keys.iter().map(|key| t.cells.get(key).cloned().map(short)).collect())?)
    }

    async fn versions(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        let bare = |cell: Cell| Cell { body: None, ..cell };
        self.read(table, |t| keys.iter().map(|key| t.latest(key).map(bare)).collect())
    }

    fn get_at_once(&self, table: &TableRef, key: &Triple) -> AtOnce {
        self.read(table, |t| t.cells.get(key).cloned()).map_or(AtOnce::Ask, AtOnce::Row)
    }

    fn latest_at_once(&self, table: &TableRef, key: &LatestKey) -> AtOnce {
        self.read(table, |t| t.latest(key)).map_or(AtOnce::Ask, AtOnce::Row)
    }

    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError> {
        let (cells, more) = self.read(table, |t| page(t.rows(scan), scan.limit))?;
        Ok(RowPage { cells, more })
    }

    async fn log(&self, table: &TableRef, scan: &LogScan) -> Result<LogPage, StoreError> {
        let (cells, more) = self.read(table, |t| page(t.log(scan), scan.limit))?;
        Ok(LogPage { cells, more })
    }

    async fn head(&self) -> Result<AddedId, StoreError> {
        Ok(highest_id(self.state().as_ref().ok_or_else(not_claimed)?.head.next))
    }

    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        let mut state = self.state();
        let State { head, tables, .. } = state.as_mut().ok_or_else(not_claimed)?;
        head.check(epoch)?;
        for cell in groups.iter().flat_map(|g| &g.cells) {
            if !tables.contains_key(cell.table.physical()) {
                return Err(no_table(&cell.table));
            }
        }
        let at = (head.at + 1).max(now_micros());
        let mut outcomes = Vec::with_capacity(groups.len());
        for group in groups {
            let row = |cell: &GroupCell| tables.get(cell.table.physical())?.cells.get(&cell.triple).cloned();
            let existing: Vec<Option<Cell>> = group.cells.iter().map(row).collect();
            let places = match settle(group, &existing) {
                Verdict::Done(outcome) => {
                    outcomes.push(outcome);
                    continue;
                }
                Verdict::Insert(places) => places,
            };
            let mut stored = Vec::with_capacity(places.len());
            for (cell, place) in group.cells.iter().zip(places) {
                let place = place.unwrap_or_else(|| {
                    let added_id = AddedId(head.next);
                    head.next += limits::ID_STRIDE;
                    head.at = at;
                    PlacedCell { added_id, created_at: Micros(at), new: true }
                });
                let table = tables.entry(cell.table.physical().to_owned()).or_default();
                table.insert(group, cell, place);
                stored.push(place);
            }
            outcomes.push(PutOutcome::Stored(stored));
        }
        Ok(outcomes)
    }

    async fn erase(
        &self,
        epoch: Epoch,
        table: &TableRef,
        what: &Erasure,
        step: &EraseStep,
    ) -> Result<Erased, StoreError> {
        let mut state = self.state();
        let State { head, tables, .. } = state.as_mut().ok_or_else(not_claimed)?;
        head.check(epoch)?;
        let rows = tables.get_mut(table.physical()).ok_or_else(|| no_table(table))?;
        let (mut erased, mut looked_at, mut last) = (0, 0, None);
        let is_in_step = |slot: &Cell| {
            step.after.as_ref().is_none_or(|after| slot.triple > *after)
                && step.up_to.is_none_or(|most| slot.added_id <= most)
        };
        let is_full = |erased, looked_at| erased == u64::from(step.slots) || looked_at == step.looked_at();
        for slot in rows.cells.values_mut().filter(|slot| is_meant(what, &slot.triple) && is_in_step(slot)) {
            if is_full(erased, looked_at) {
                break;
            }
            looked_at += 1;
            last = Some(slot.triple.clone());
            if slot.kind == CellKind::Cell {
                slot.kind = CellKind::Erased;
                slot.body = None;
                erased += 1;
            }
        }
        let is_last = !is_full(erased, looked_at) || matches!(what, Erasure::Cell(_));
        Ok(Erased { cells: erased, perhaps_more: false, last: last.filter(|_| !is_last) })
    }

    async fn create_table(&self, table: &TableRef) -> Result<(), StoreError> {
        let mut state = self.state();
        state.as_mut().ok_or_else(not_claimed)?.tables.entry(table.physical().to_owned()).or_default();
        Ok(())
    }

    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError> {
        let mut state = self.state();
        state.as_mut().ok_or_else(not_claimed)?.tables.remove(table.physical());
        Ok(())
    }

    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.state().as_ref().ok_or_else(not_claimed)?.tables.keys().cloned().collect())
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        Ok(self.state().as_ref().map(|s| s.identity.clone()))
    }

    async fn claim(&self, identity: &Identity, shards: &[ShardId]) -> Result<Identity, StoreError> {
        let mut state = self.state();
        let standing = state.get_or_insert_with(|| State {
            identity: identity.clone(),
            shards: shards.iter().map(|s| (*s, None)).collect(),
            head: Head { epoch: FIRST_EPOCH, next: first_id(identity.cluster), at: 0 },
            tables: BTreeMap::new(),
        });
        Ok(standing.identity.clone())
    }

    async fn shards(&self) -> Result<(Epoch, Vec<ShardState>), StoreError> {
        let state = self.state();
        let state = state.as_ref().ok_or_else(not_claimed)?;
        let shards = state.shards.iter().map(|(shard, moved_to)| ShardState { shard: *shard, moved_to: *moved_to });
        Ok((state.head.epoch, shards.collect()))
    }

    async fn raise_epoch(&self, from: Epoch, to: Epoch) -> Result<bool, StoreError> {
        let mut state = self.state();
        let head = &mut state.as_mut().ok_or_else(not_claimed)?.head;
        let raised = head.epoch == from;
        if raised {
            head.epoch = to;
        }
        Ok(raised)
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        Ok(Duration::ZERO)
    }

    fn pool(&self) -> Option<PoolState> {
        None
    }

    async fn close(&self) {}
}

impl Head {
    fn check(&self, planned: Epoch) -> Result<(), StoreError> {
        if self.epoch == planned {
            Ok(())
        } else {
            Err(StoreError::StaleEpoch { planned: planned.0, current: self.epoch.0 })
        }
    }
}

impl Table {
    fn insert(&mut self, group: &PutGroup, cell: &GroupCell, place: PlacedCell) {
        self.cells.entry(cell.triple.clone()).or_insert_with(|| {
            self.log.insert((cell.shard, place.added_id), cell.triple.clone());
            Cell {
                triple: cell.triple.clone(),
                body: Some(cell.body.clone()),
                added_id: place.added_id,
                shard: cell.shard,
                created_at: place.created_at,
                kind: CellKind::Cell,
                token: group.token,
                txn: None,
            }
        });
    }

    fn latest(&self, key: &LatestKey) -> Option<Cell> {
        let versions = self.chain(&key.row, &key.column, RefKey(i64::MIN), key.at_most.unwrap_or(RefKey(i64::MAX)));
        versions.rev().find(|c| !matches!(c.kind, CellKind::Lock | CellKind::Closed)).cloned()
    }

    fn chain(
        &self,
        row: &RowKey,
        column: &ColumnKey,
        min: RefKey,
        max: RefKey,
    ) -> impl DoubleEndedIterator<Item = &Cell> {
        let name = |ref_key| Triple { row: row.clone(), column: column.clone(), ref_key };
        // An inverted range is empty, where BTreeMap would panic.
        let bounds = (Bound::Included(name(min)), Bound::Included(name(max.max(min))));
        self.cells.range(bounds).map(|(_, c)| c).filter(move |c| c.triple.ref_key <= max)
    }

    fn rows<'a>(&'a self, scan: &'a RowScan) -> Box<dyn Iterator<Item = &'a Cell> + 'a> {
        let in_set = |triple: &Triple| match &scan.set {
            RowSet::Rows(rows, columns) => rows.contains(&triple.row) && columns.has(&triple.column),
            RowSet::Chains(chains) => chains.iter().any(|c| c.row == triple.row && c.column == triple.column),
        };
        let in_bounds = |ref_key: RefKey| {
            scan.refs.min.is_none_or(|min| ref_key >= min) && scan.refs.max.is_none_or(|max| ref_key <= max)
        };
        let behind = |triple: &Triple| match (&scan.after, scan.direction) {
            (None, _) => true,
            (Some(after), Direction::Ascending) => triple > after,
            (Some(after), Direction::Descending) => triple < after,
        };
        let wanted = move |cell: &&Cell| {
            cell.kind == CellKind::Cell
                && in_set(&cell.triple)
                && in_bounds(cell.triple.ref_key)
                && scan.up_to.is_none_or(|most| cell.added_id <= most)
                && behind(&cell.triple)
        };
        match scan.direction {
            Direction::Ascending => Box::new(self.cells.values().filter(wanted)),
            Direction::Descending => Box::new(self.cells.values().rev().filter(wanted)),
        }
    }

    fn log<'a>(&'a self, scan: &'a LogScan) -> impl Iterator<Item = &'a Cell> {
        let placed = self.log.iter().filter(move |((shard, id), _)| {
            scan.shards.contains(shard)
                && scan.added_after.is_none_or(|after| *id > after)
                && scan.up_to.is_none_or(|most| *id <= most)
                && scan.after.is_none_or(|after| (*shard, *id) > after)
        });
        placed.filter_map(|(_, triple)| self.cells.get(triple)).filter(move |cell| {
            cell.kind == CellKind::Cell
                && scan.created_from.is_none_or(|from| cell.created_at >= from)
                && scan.columns.has(&cell.triple.column)
        })
    }
}

fn is_meant(what: &Erasure, triple: &Triple) -> bool {
    match what {
        Erasure::Row(row) => triple.row == *row,
        Erasure::Column(row, column) => triple.row == *row && triple.column == *column,
        Erasure::Cell(name) => triple == name,
    }
}

/// As many as the limit lets, and whether there are more.
fn page<'a>(mut cells: impl Iterator<Item = &'a Cell>, limit: Option<u64>) -> (Vec<Cell>, bool) {
    let limit = limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let taken = cells.by_ref().take(limit).cloned().collect();
    (taken, cells.next().is_some())
}

fn not_claimed() -> StoreError {
    StoreError::Refused { detail: "the store has not been initialised".to_owned() }
}

fn no_table(table: &TableRef) -> StoreError {
    StoreError::NoTable { table: table.physical().to_owned() }
}
