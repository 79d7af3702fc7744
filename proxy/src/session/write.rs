//! INSERT.

mod cells;
mod fates;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use cellgate_metrics::Stage;
use cellgate_schemaless::{AddedId, Cell, LatestKey, NewCell, RefKey, Triple, Version, Written};
use cellgate_sql::{Put, Row, Shape, SqlError};
use cellgate_store::executor::{CellFate, PutItem, RunError};

use self::cells::{as_cell, chain, chain_key, entry, item, triple};
use self::fates::{Fates, cluster_of, looked_up, placed, settle, stored_rows};
use super::buffer::{BufferLimits, Buffered};
use super::error::{StatementError, duplicate_entry};
use super::read::{is_much, within};
use super::to_the_end::carried_or;
use super::warnings::Level;
use super::workshop::{AT_ONCE, Desk};
use super::{Answer, Done, Session, Table, wall_clock};
use crate::errors::notes;
use crate::locks::Entered;
use crate::wire::Shield;

pub(super) use self::cells::{name_of, name_within};
pub(super) use self::fates::by_clusters;

impl Session {
    /// INSERT.
    ///
    /// What is written is counted as under way until it is over, even if that is after its deadline.
    pub(super) async fn put(
        &mut self,
        put: Put,
        entered: Vec<Entered>,
        deadline: Instant,
    ) -> Result<Answer, StatementError> {
        self.open_implicitly();
        self.refuse_read_only()?;
        if let Some(open) = &mut self.transaction {
            open.done.wrote = true;
        }
        let put = Arc::new(put);
        let timed = self.timed(Stage::Store);
        let before = self.transaction.as_ref().map(|open| open.buffer.len());
        let kill = self.process.kill_switch().clone();
        let shield = kill.shield();
        let fates = if self.transaction.is_some() {
            // It only reads until COMMIT.
            let buffered = pin!(self.buffer_put(&put));
            let buffered = kill.interruptible_within(&shield, within(deadline, buffered)).await;
            buffered.ok_or(StatementError::Interrupted)???
        } else if put.ignore {
            self.put_ignoring(&put, entered, deadline).await.map_err(|error| {
                let topology = self.executor.topology();
                placed(error, &put, |cell| cluster_of(&topology, &cell.row))
            })?
        } else {
            self.put_now(&put, entered, deadline).await?
        };
        drop(timed);
        self.server.metrics().rows_received(put.cells.len() as u64);
        for (cell, fate) in put.cells.iter().zip(&fates) {
            if fate.as_ref().is_some_and(|w| !w.new) {
                self.note_same(&entry(cell, fate.as_ref().map(|w| w.ref_key)));
            }
        }
        if put.places_ignored {
            let note = "added_id and created_at are given by the store: those of the statement were not used";
            self.warn(Level::Note, notes::OF_OURS, note);
        }
        let id = insert_id(&put, &fates);
        let new = put.rows.iter().zip(&fates).filter(|(_, f)| f.as_ref().is_some_and(|w| w.new)).map(|(row, _)| row);
        let affected = new.collect::<BTreeSet<_>>().len() as u64;
        match &put.returning {
            Some(shape) => match self.returned_or_killed(&shield, shape, &put, &fates, deadline).await {
                Ok((rows, notes)) => {
                    self.warn_of(notes);
                    self.note_insert_id(id);
                    Ok(Answer::Table(Table { columns: shape.columns().to_vec(), rows, found: None }))
                }
                Err(error) => {
                    // A statement stands or falls; the transaction goes on.
                    if let (Some(open), Some(before)) = (&mut self.transaction, before) {
                        open.buffer.truncate(before);
                    }
                    Err(match error {
                        StatementError::Timeout { .. } | StatementError::Sql(SqlError::GivenUp)
                            if self.transaction.is_none() =>
                        {
                            StatementError::put_timeout()
                        }
                        error => error,
                    })
                }
            },
            None => {
                let rows = put.rows.iter().collect::<BTreeSet<_>>().len() as u64;
                let info = if rows > 1 {
                    let duplicates = rows.saturating_sub(affected);
                    format!("Records: {rows}  Duplicates: {duplicates}  Warnings: {}", self.last.warnings.count())
                } else {
                    String::new()
                };
                self.note_insert_id(id);
                Ok(Answer::Done(Done { affected, info, last_insert_id: id }))
            }
        }
    }

    /// `LAST_INSERT_ID()` is this from now on, unless nothing was counted.
    fn note_insert_id(&mut self, id: u64) {
        if id > 0 {
            self.last_insert_id = id;
        }
    }

    /// Writes at once. What the deadline cuts off goes on, and the client is told so.
    async fn put_now(
        &mut self,
        put: &Arc<Put>,
        entered: Vec<Entered>,
        deadline: Instant,
    ) -> Result<Fates, StatementError> {
        let items = put.cells.iter().map(|cell| item(&put.table, cell.clone())).collect();
        let (judged, topology) = (Arc::clone(put), self.executor.topology());
        let write = self.write(items, entered, move |fates| {
            let settled = settle(&judged, fates);
            settled.map_err(|error| placed(error, &judged, |cell| cluster_of(&topology, &cell.row)))
        });
        within(deadline, write).await.map_err(|_| StatementError::put_timeout())?
    }

    /// INSERT IGNORE: what exists with another body is skipped with a warning. A race lost between looking and writing
    /// is found by looking again.
    async fn put_ignoring(
        &mut self,
        put: &Put,
        entered: Vec<Entered>,
        deadline: Instant,
    ) -> Result<Fates, StatementError> {
        let entered = Arc::new(entered);
        let executor = Arc::clone(&self.executor);
        let table = put.table.table_ref();
        let mut skipped: BTreeSet<usize> = BTreeSet::new();
        let mut fates: Fates = vec![None; put.cells.len()];
        // What is neither written nor skipped. What is written is never sent again: a next version would be another one.
        let mut open: Vec<usize> = (0..put.cells.len()).collect();
        let kill = self.process.kill_switch().clone();
        let shield = kill.shield();
        while !open.is_empty() {
            let explicit: Vec<(usize, Triple)> =
                open.iter().filter_map(|position| Some((*position, triple(&put.cells[*position])?))).collect();
            let named = |(position, triple): &(usize, Triple)| (triple.clone(), put.cells[*position].body.clone());
            let look = pin!(executor.slots_for(&table, explicit.iter().map(named).collect()));
            let look = within(deadline, look);
            let found = if fates.iter().all(Option::is_none) {
                // Nothing has been written yet.
                kill.interruptible_within(&shield, look).await.ok_or(StatementError::Interrupted)?
            } else {
                look.await
            };
            let found = looked_up(found, put, &fates)?;
            // Within the statement the first of a name wins.
            let mut first = BTreeMap::new();
            for ((position, triple), slot) in explicit.into_iter().zip(found) {
                let body = &put.cells[position].body;
                let there = slot.is_some_and(|slot| slot.body.as_ref() != Some(body));
                let winner = *first.entry(triple).or_insert(position);
                if there || put.cells[winner].body != *body {
                    skipped.insert(position);
                }
            }
            open.retain(|position| !skipped.contains(position));
            let items = open.iter().map(|p| item(&put.table, put.cells[*p].clone())).collect();
            let write = self.write(items, Arc::clone(&entered), Ok);
            let answers = within(deadline, write).await.map_err(|_| StatementError::put_timeout())??;
            let (mut withheld, mut unknown) = (Vec::new(), Vec::new());
            let mut failure: Option<Arc<RunError>> = None;
            for (position, answer) in open.into_iter().zip(answers) {
                match answer {
                    CellFate::Written(written) => fates[position] = Some(written),
                    CellFate::Conflict(_) => {
                        skipped.insert(position);
                    }
                    CellFate::Withheld => withheld.push(position),
                    CellFate::Failed(error) => {
                        let first_unknown = error.may_be_written() && unknown.is_empty();
                        unknown.extend(error.may_be_written().then_some(position));
                        if failure.is_none() || first_unknown {
                            failure = Some(error);
                        }
                    }
                }
            }
            if let Some(error) = failure {
                let stored = stored_rows(put, &fates, &unknown);
                return Err(StatementError::Write { error: error.as_ref().clone(), stored });
            }
            open = withheld;
        }
        for position in skipped {
            self.warn_of_duplicate(&entry(&put.cells[position], None));
        }
        Ok(fates)
    }

    /// What RETURNING answers, as [`returned`]. Inside a transaction KILL ends it, for the cells are taken back then.
    async fn returned_or_killed(
        &self,
        shield: &Shield,
        shape: &Shape,
        put: &Put,
        fates: &Fates,
        deadline: Instant,
    ) -> Result<(Vec<Row>, Vec<SqlError>), StatementError> {
        let rows = returned(&self.desk, shape, put, fates, deadline);
        if self.transaction.is_none() {
            return rows.await;
        }
        let rows = self.process.kill_switch().interruptible_within(shield, rows).await;
        rows.unwrap_or(Err(StatementError::Interrupted))
    }

    /// Hands cells to the executor; `judge` says what came of them. The write goes on to its end even if the caller stops
    /// waiting, and until then whoever locks its tables waits for what `entered` counts. What is to be known of its failure is
    /// logged and counted then, too.
    pub(super) fn write<E: Send + 'static, T: Send + 'static>(
        &self,
        items: Vec<PutItem>,
        entered: E,
        judge: impl FnOnce(Vec<CellFate>) -> Result<T, StatementError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StatementError>> + Send + Unpin {
        let (executor, server) = (Arc::clone(&self.executor), Arc::clone(&self.server));
        let write = async move {
            let fates = executor.put(items).await;
            drop(entered);
            judge(fates)
        };
        carried_or(write, move |outcome| {
            if let Err(error) = outcome {
                server.unheard(error);
            }
        })
    }

    /// Inside a transaction: checked against the stores and the transaction now, written at COMMIT.
    async fn buffer_put(&mut self, put: &Put) -> Result<Fates, StatementError> {
        let executor = Arc::clone(&self.executor);
        let topology = executor.topology();
        let table = put.table.table_ref();
        let named = |cell: &NewCell| Some((triple(cell)?, cell.body.clone()));
        let explicit = put.cells.iter().filter_map(named).collect();
        let mut stored = executor.slots_for(&table, explicit).await?.into_iter();
        let chains: BTreeSet<LatestKey> =
            put.cells.iter().filter(|c| c.version == Version::Next).map(|c| chain_key(&chain(c))).collect();
        let keys: Vec<LatestKey> = chains.into_iter().collect();
        let latest = executor.latest_slots(&table, keys).await?;
        let limits = self.buffer_limits();
        let at = wall_clock();
        let Some(open) = self.transaction.as_mut() else { return Ok(Vec::new()) };
        let before = open.buffer.len();
        let mut fates = Vec::with_capacity(put.cells.len());
        let mut skipped = Vec::new();
        for cell in &put.cells {
            let chain = chain(cell);
            // Without a body it is one of other bytes, or erased: its name is taken for ever.
            let (ref_key, there) = match cell.version {
                Version::Exact(ref_key) => (ref_key, stored.next().flatten().map(|slot| slot.body)),
                Version::Next => {
                    let highest = latest.get(&chain).copied().max(open.buffer.highest(table.id, &chain));
                    let Some(next) = highest.map_or(Some(1), |highest| highest.0.checked_add(1)) else {
                        open.buffer.truncate(before);
                        return Err(RunError::VersionsExhausted.into());
                    };
                    (RefKey(next), None)
                }
            };
            let triple = Triple { row: cell.row.clone(), column: cell.column.clone(), ref_key };
            let is_stored = there.is_some();
            let there = there.or_else(|| open.buffer.get(table.id, &triple).map(|own| Some(own.body.clone())));
            let shard = topology.shard_of(cell.row.as_bytes());
            let written = |new| Written { ref_key, added_id: AddedId(0), shard, created_at: at, new };
            let (table, body) = (table.clone(), cell.body.clone());
            let buffered = |stored| Buffered { table, triple, body, stored, at, shard };
            match there {
                Some(Some(body)) if body == cell.body => {
                    if is_stored && let Err(error) = open.buffer.push(buffered(true), limits) {
                        open.buffer.truncate(before);
                        return Err(error);
                    }
                    fates.push(Some(written(false)));
                }
                Some(_) if put.ignore => {
                    skipped.push(entry(cell, Some(ref_key)));
                    fates.push(None);
                }
                Some(_) => {
                    // A statement stands or falls; the transaction goes on.
                    open.buffer.truncate(before);
                    return Err(StatementError::Duplicate {
                        entry: entry(cell, Some(ref_key)),
                        stored: Box::default(),
                    });
                }
                None => {
                    if let Err(error) = open.buffer.push(buffered(false), limits) {
                        open.buffer.truncate(before);
                        return Err(error);
                    }
                    fates.push(Some(written(true)));
                }
            }
        }
        for entry in skipped {
            self.warn_of_duplicate(&entry);
        }
        Ok(fates)
    }

    /// Says that a cell was there already, with the body it was to have.
    pub(super) fn note_same(&mut self, entry: &str) {
        let note = format!("Cell '{entry}' exists with the same body: nothing to do");
        self.warn(Level::Note, notes::DUPLICATE, note);
    }

    /// Says that INSERT IGNORE left a cell out.
    fn warn_of_duplicate(&mut self, entry: &str) {
        self.warn(Level::Warning, notes::DUPLICATE, duplicate_entry(entry));
    }

    fn buffer_limits(&self) -> BufferLimits {
        let limits = &self.server.config().limits;
        BufferLimits { cells: limits.transaction_cells as u64, bytes: limits.transaction_bytes.bytes() as u64 }
    }
}

/// The insert id: the first `ref_key`, as MySQL's of AUTO_INCREMENT, if all were counted and each is one more than the one
/// before, for that is what drivers and mappers take the others to be. 0 otherwise, and below 1.
fn insert_id(put: &Put, fates: &Fates) -> u64 {
    if put.of_declared {
        return 0;
    }
    let mut counted = put.cells.iter().zip(fates).map(|(cell, fate)| match fate {
        Some(written) if cell.version == Version::Next => u64::try_from(written.ref_key.0).ok(),
        Some(_) | None => None,
    });
    let Some(Some(first)) = counted.next() else { return 0 };
    if counted.zip(first + 1..).all(|(counted, next)| counted == Some(next)) { first } else { 0 }
}

/// What RETURNING answers about the cells that were written, and what is to be noted of it.
async fn returned(
    desk: &Desk,
    shape: &Shape,
    put: &Put,
    fates: &Fates,
    deadline: Instant,
) -> Result<(Vec<Row>, Vec<SqlError>), StatementError> {
    let written = put.cells.iter().zip(fates).filter_map(|(cell, fate)| Some(as_cell(cell, fate.as_ref()?)));
    let written: Vec<Cell> = written.collect();
    let mut shaping = shape.start();
    let notes = shaping.notes();
    let mut rows = Vec::new();
    if is_much(&shaping, &written) {
        (shaping, rows) = desk.page(shaping, written, deadline).await?;
    } else {
        for cell in &written {
            shaping.push(cell, &mut rows)?;
        }
    }
    rows.extend(if shaping.rest() > AT_ONCE { desk.rest(shaping, deadline).await? } else { shaping.finish()? });
    Ok((rows, notes.take()))
}
