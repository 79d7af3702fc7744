//! INSERT and DELETE (erasure).

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use cellgate_metrics::Stage;
use cellgate_router::Topology;
use cellgate_schemaless::{
    AddedId, Cell, CellKind, Chain, LatestKey, NewCell, RefKey, RowKey, TableDef, Token, Triple, Version, Written,
};
use cellgate_sql::{Erase, Put, Row, Shape, SqlError};
use cellgate_store::executor::{CellFate, PutItem, RunError};

use super::buffer::{BufferLimits, Buffered};
use super::carried::carried;
use super::error::{StatementError, Stored, duplicate_entry};
use super::read::{is_much, within};
use super::warnings::Level;
use super::workshop::{AT_ONCE, Workshop};
use super::{Answer, Done, Session, Table, wall_clock};
use crate::errors::notes;
use crate::locks::Entered;

/// What became of each cell of an INSERT that went through: `None` was skipped (INSERT IGNORE).
type Fates = Vec<Option<Written>>;

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
        let started = Instant::now();
        let before = self.transaction.as_ref().map(|open| open.buffer.len());
        let fates = if self.transaction.is_some() {
            within(deadline, pin!(self.buffer_put(&put))).await??
        } else {
            let written = if put.ignore {
                self.put_ignoring(&put, entered, deadline).await
            } else {
                self.put_now(&put, entered, deadline).await
            };
            written.map_err(|error| {
                let topology = self.executor.topology();
                placed(error, &put, |cell| cluster_of(&topology, &cell.row))
            })?
        };
        self.use_up_characteristics();
        self.server.metrics().stage(Stage::Store, started.elapsed());
        self.server.metrics().rows_received(put.cells.len() as u64);
        for (cell, fate) in put.cells.iter().zip(&fates) {
            if fate.as_ref().is_some_and(|w| !w.new) {
                self.note_same(&entry(cell, fate.as_ref().map(|w| w.ref_key)));
            }
        }
        if put.places_ignored {
            let note = "added_id and created_at are given by the store: those of the statement were not used";
            self.last.warnings.push(Level::Note, notes::OF_OURS, note);
        }
        let new = put.rows.iter().zip(&fates).filter(|(_, f)| f.as_ref().is_some_and(|w| w.new)).map(|(row, _)| row);
        let affected = new.collect::<BTreeSet<_>>().len() as u64;
        match &put.returning {
            Some(shape) => match returned(self.server.workshop(), shape, &put, &fates, deadline).await {
                Ok((rows, notes)) => {
                    self.warn_of(notes);
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
                Ok(Answer::Done(Done { affected, info, ..Done::default() }))
            }
        }
    }

    /// Writes at once. What the deadline cuts off goes on, and the client is told so.
    async fn put_now(&mut self, put: &Put, entered: Vec<Entered>, deadline: Instant) -> Result<Fates, StatementError> {
        let items = put.cells.iter().map(|cell| item(&put.table, cell.clone())).collect();
        let write = self.write(items, entered);
        let fates = within(deadline, write).await.map_err(|_| StatementError::put_timeout())?;
        settle(put, fates)
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
        while !open.is_empty() {
            let explicit: Vec<(usize, Triple)> =
                open.iter().filter_map(|position| Some((*position, triple(&put.cells[*position])?))).collect();
            let keys = explicit.iter().map(|(_, triple)| triple.clone()).collect();
            let found = within(deadline, pin!(executor.slots(&table, keys))).await;
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
            let write = self.write(items, Arc::clone(&entered));
            let answers = within(deadline, write).await.map_err(|_| StatementError::put_timeout())?;
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

    /// Hands cells to the executor. The write goes on to its end even if the caller stops waiting, and until then whoever
    /// locks its tables waits for what `entered` counts.
    pub(super) fn write<E: Send + 'static>(
        &self,
        items: Vec<PutItem>,
        entered: E,
    ) -> impl Future<Output = Vec<CellFate>> + Send + Unpin + use<E> {
        let executor = Arc::clone(&self.executor);
        carried(async move {
            let fates = executor.put(items).await;
            drop(entered);
            fates
        })
    }

    /// Inside a transaction: checked against the stores and the transaction now, written at COMMIT.
    async fn buffer_put(&mut self, put: &Put) -> Result<Fates, StatementError> {
        let executor = Arc::clone(&self.executor);
        let topology = executor.topology();
        let table = put.table.table_ref();
        let explicit: Vec<Triple> = put.cells.iter().filter_map(triple).collect();
        let mut stored = executor.slots(&table, explicit).await?.into_iter();
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
            // An erased slot is there, without a body: its name is taken for ever.
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
            let must_be_new = cell.version == Version::Next;
            let (table, body) = (table.clone(), cell.body.clone());
            let buffered = |stored| Buffered { table, triple, body, must_be_new, stored, at, shard };
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
        self.last.warnings.push(Level::Note, notes::DUPLICATE, note);
    }

    /// Says that INSERT IGNORE left a cell out.
    fn warn_of_duplicate(&mut self, entry: &str) {
        self.last.warnings.push(Level::Warning, notes::DUPLICATE, duplicate_entry(entry));
    }

    fn buffer_limits(&self) -> BufferLimits {
        let limits = &self.server.config().limits;
        BufferLimits { cells: limits.transaction_cells as u64, bytes: limits.transaction_bytes.bytes() as u64 }
    }

    /// DELETE on a cell table. It goes on to its end even if that is after its deadline.
    pub(super) async fn erase(
        &mut self,
        erase: Erase,
        entered: Vec<Entered>,
        deadline: Instant,
    ) -> Result<Answer, StatementError> {
        self.refuse_read_only()?;
        if self.transaction.as_ref().is_some_and(|t| !t.buffer.is_empty()) {
            return Err(StatementError::Unsupported {
                what: "DELETE (erasure) in a transaction that has written",
                instead: "erasure cannot be rolled back: COMMIT first",
            });
        }
        let executor = Arc::clone(&self.executor);
        let erasing = carried(async move {
            let erased = executor.erase(&erase.table.table_ref(), erase.what).await;
            drop(entered);
            erased
        });
        let affected = within(deadline, erasing).await.map_err(|_| StatementError::Timeout {
            detail: "; some or all of the cells may be erased: repeat the DELETE",
        })??;
        self.use_up_characteristics();
        Ok(Answer::Done(Done { affected, ..Done::default() }))
    }
}

/// What RETURNING answers about the cells that were written, and what is to be noted of it.
async fn returned(
    workshop: &Workshop,
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
        (shaping, rows) = workshop.page(shaping, written, deadline).await?;
    } else {
        for cell in &written {
            shaping.push(cell, &mut rows)?;
        }
    }
    rows.extend(if shaping.rest() > AT_ONCE { workshop.rest(shaping, deadline).await? } else { shaping.finish()? });
    Ok((rows, notes.take()))
}

/// Turns the fates of all cells into the statement's: written, or an error with what is stored all the same. A failure
/// behind which a part may be stored comes before all others: those say what may be repeated. Where something is stored, one of
/// a cluster comes before a duplicate, which is nobody's failure.
fn settle(put: &Put, fates: Vec<CellFate>) -> Result<Fates, StatementError> {
    let written: Fates = fates
        .iter()
        .map(|fate| match fate {
            CellFate::Written(written) => Some(written.clone()),
            CellFate::Conflict(_) | CellFate::Withheld | CellFate::Failed(_) => None,
        })
        .collect();
    let all = || put.cells.iter().zip(&fates);
    let failed = |(_, fate): &(&NewCell, &CellFate)| matches!(fate, CellFate::Conflict(_) | CellFate::Failed(_));
    let unknown: Vec<usize> = (0..fates.len()).filter(|position| fates[*position].is_unknown()).collect();
    let stored = || stored_rows(put, &written, &unknown);
    let in_part = written.iter().any(Option::is_some);
    let of_clusters = all().filter(|(_, fate)| in_part && matches!(fate, CellFate::Failed(_)));
    match all().filter(|(_, fate)| fate.is_unknown()).chain(of_clusters).chain(all()).find(failed) {
        Some((cell, CellFate::Conflict(ref_key))) => {
            Err(StatementError::Duplicate { entry: entry(cell, Some(*ref_key)), stored: stored() })
        }
        Some((_, CellFate::Failed(error))) => {
            Err(StatementError::Write { error: error.as_ref().clone(), stored: stored() })
        }
        Some((_, CellFate::Written(_) | CellFate::Withheld)) | None => Ok(written),
    }
}

/// What an INSERT IGNORE has found to exist. If that failed or took too long behind writes of the same statement, the error
/// says what they stored.
fn looked_up<T>(
    found: Result<Result<T, RunError>, StatementError>,
    put: &Put,
    fates: &Fates,
) -> Result<T, StatementError> {
    let stored = stored_rows(put, fates, &[]);
    match found {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) if stored.is_empty() => Err(error.into()),
        Ok(Err(error)) => Err(StatementError::Write { error, stored }),
        Err(error) if stored.is_empty() => Err(error),
        Err(_) => Err(StatementError::put_timeout()),
    }
}

/// The rows of a statement, counted from 1, of which something new is stored, and those of the cells at these positions,
/// which may be.
fn stored_rows(put: &Put, fates: &Fates, unknown: &[usize]) -> Box<Stored> {
    let new = put.rows.iter().zip(fates).filter(|(_, fate)| fate.as_ref().is_some_and(|written| written.new));
    let rows: BTreeSet<usize> = new.map(|(row, _)| row + 1).collect();
    let unknown: BTreeSet<usize> = unknown.iter().map(|position| put.rows[*position] + 1).collect();
    let all = put.rows.iter().collect::<BTreeSet<_>>().len();
    let unknown = if unknown.len() < all { unknown } else { BTreeSet::new() };
    Box::new(Stored {
        rows: rows.into_iter().collect(),
        unknown: unknown.into_iter().collect(),
        clusters: String::new(),
    })
}

/// The same error, which says also in which clusters the rows are that it tells of, if that is logged.
fn placed(mut error: StatementError, put: &Put, cluster_of: impl Fn(&NewCell) -> String) -> StatementError {
    if let StatementError::Write { stored, .. } = &mut error
        && !stored.is_empty()
    {
        // They are in order.
        let holds = |rows: &[usize], row: &usize| rows.binary_search(row).is_ok();
        let clusters = |of: &dyn Fn(&usize) -> bool| -> BTreeSet<String> {
            let cells = put.rows.iter().zip(&put.cells).filter(|(row, _)| of(&(**row + 1)));
            cells.map(|(_, cell)| cluster_of(cell)).collect()
        };
        let (written, unknown) =
            (clusters(&|row| holds(&stored.rows, row)), clusters(&|row| holds(&stored.unknown, row)));
        let mut rest = clusters(&|_| true);
        rest.retain(|name| !written.contains(name) && !unknown.contains(name));
        stored.clusters = by_clusters("INSERT", written, unknown, rest);
    }
    error
}

/// What of a write is stored in which clusters, for the log.
pub(super) fn by_clusters(
    what: &str,
    written: BTreeSet<String>,
    unknown: BTreeSet<String>,
    rest: BTreeSet<String>,
) -> String {
    let [written, unknown, rest] = [written, unknown, rest].map(|names| Vec::from_iter(names).join(", "));
    format!("{what}: stored in [{written}], may be stored in [{unknown}], not stored in [{rest}]")
}

/// The name of a row's cluster.
fn cluster_of(topology: &Topology, row: &RowKey) -> String {
    let (_, number) = topology.locate(row.as_bytes());
    topology.cluster(number).map_or_else(|| number.to_string(), |entry| entry.name.clone())
}

fn item(table: &TableDef, cell: NewCell) -> PutItem {
    PutItem { table: table.table_ref(), cell, must_be_new: false }
}

fn chain(cell: &NewCell) -> Chain {
    Chain { row: cell.row.clone(), column: cell.column.clone() }
}

fn chain_key(chain: &Chain) -> LatestKey {
    LatestKey { row: chain.row.clone(), column: chain.column.clone(), at_most: None }
}

fn triple(cell: &NewCell) -> Option<Triple> {
    match cell.version {
        Version::Exact(ref_key) => Some(Triple { row: cell.row.clone(), column: cell.column.clone(), ref_key }),
        Version::Next => None,
    }
}

/// A cell's name as MySQL writes the values of a key.
fn entry(cell: &NewCell, ref_key: Option<RefKey>) -> String {
    let ref_key = ref_key.or(match cell.version {
        Version::Exact(ref_key) => Some(ref_key),
        Version::Next => None,
    });
    name_of(&cell.row, &cell.column, ref_key)
}

/// `row-column-version`, with what is not text escaped.
pub(super) fn name_of(
    row: &cellgate_schemaless::RowKey,
    column: &cellgate_schemaless::ColumnKey,
    ref_key: Option<RefKey>,
) -> String {
    let (row, column) = (String::from_utf8_lossy(row.as_bytes()), String::from_utf8_lossy(column.as_bytes()));
    match ref_key {
        Some(ref_key) => format!("{row}-{column}-{ref_key}"),
        None => format!("{row}-{column}"),
    }
}

fn as_cell(cell: &NewCell, written: &Written) -> Cell {
    Cell {
        triple: Triple { row: cell.row.clone(), column: cell.column.clone(), ref_key: written.ref_key },
        body: Some(cell.body.clone()),
        added_id: written.added_id,
        shard: written.shard,
        created_at: written.created_at,
        kind: CellKind::Cell,
        token: Token(0),
        txn: None,
    }
}

#[cfg(test)]
mod tests {
    use cellgate_schemaless::{Body, ColumnKey, Micros, ShardId};
    use cellgate_store::{Reason, StoreError};

    use super::*;
    use crate::errors;
    use crate::incidents::Incidents;

    /// An INSERT of rows without `ref_key`.
    fn put(rows: usize) -> Put {
        let table = TableDef::new(1, "d", "t", 0);
        let cell = |row: usize| NewCell {
            row: RowKey::from_store(format!("r{row}").into_bytes()),
            column: ColumnKey::from_store(b"c".to_vec()),
            version: Version::Next,
            body: Body::from_store(b"1".to_vec()),
        };
        Put {
            table: Arc::new(table),
            cells: (1..=rows).map(cell).collect(),
            rows: (0..rows).collect(),
            ignore: false,
            returning: None,
            places_ignored: false,
        }
    }

    fn cluster(error: StoreError) -> RunError {
        RunError::Cluster { cluster: "b".to_owned(), error }
    }

    fn failed(error: RunError) -> CellFate {
        CellFate::Failed(Arc::new(error))
    }

    fn lost() -> CellFate {
        failed(cluster(StoreError::MaybeWritten { detail: "gone".to_owned() }))
    }

    fn no_table() -> RunError {
        cluster(StoreError::NoTable { table: "t_1".to_owned() })
    }

    fn done() -> Written {
        Written { ref_key: RefKey(1), added_id: AddedId(1), shard: ShardId(0), created_at: Micros(1), new: true }
    }

    fn answer(error: &StatementError) -> (u16, String) {
        let reply = errors::reply(error, &Incidents::default());
        (reply.code, reply.message)
    }

    #[test]
    fn an_insert_that_may_be_stored_in_one_cluster_says_so_whatever_another_answered() {
        for other in [CellFate::Conflict(RefKey(1)), failed(RunError::Contended), failed(no_table())] {
            let error = settle(&put(2), vec![other, lost()]).unwrap_err();
            let (code, text) = answer(&error);
            assert!(code == 1429 && text.contains("lost during a write, which may be stored"), "{code} {text}");
            assert!(text.ends_with("; may be stored: row 2 of the statement"), "{text}");
            assert!(!error.suspects_catalog(), "it is not run once more");
        }
        let (code, text) = answer(&settle(&put(2), vec![lost(), lost()]).unwrap_err());
        assert!(code == 1429 && !text.contains("row"), "all of them: {text}");
    }

    #[test]
    fn an_insert_stored_in_one_cluster_has_no_number_that_says_to_repeat_it() {
        let waited = cluster(StoreError::Timeout { reason: Reason::Lock, detail: String::new() });
        for other in [RunError::Contended, waited, no_table()] {
            let error = settle(&put(2), vec![CellFate::Written(done()), failed(other)]).unwrap_err();
            let (code, text) = answer(&error);
            assert!(code == 1180 && text.starts_with("INSERT was done in part: "), "{code} {text}");
            assert!(text.ends_with("; stored in other clusters all the same: row 1 of the statement"), "{text}");
        }
        // A duplicate beside it does not hide that a cluster failed.
        let fates = vec![CellFate::Conflict(RefKey(1)), failed(no_table()), CellFate::Written(done())];
        assert_eq!(answer(&settle(&put(3), fates).unwrap_err()).0, 1180);
        let error = settle(&put(2), vec![failed(RunError::Contended), CellFate::Withheld]).unwrap_err();
        assert_eq!(answer(&error).0, 1213, "nothing is stored");
        let error = settle(&put(2), vec![CellFate::Conflict(RefKey(1)), failed(no_table())]).unwrap_err();
        assert_eq!(answer(&error).0, 1062, "nothing is stored: the first that failed");
    }

    #[test]
    fn an_insert_done_in_part_says_in_which_clusters() {
        let cluster_of = |cell: &NewCell| String::from_utf8_lossy(cell.row.as_bytes()).replace('r', "c");
        let fates = vec![CellFate::Written(done()), lost(), failed(no_table()), CellFate::Withheld];
        match placed(settle(&put(4), fates).unwrap_err(), &put(4), cluster_of) {
            StatementError::Write { stored, .. } => {
                assert_eq!(stored.clusters, "INSERT: stored in [c1], may be stored in [c2], not stored in [c3, c4]")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_insert_ignore_that_fails_at_a_later_look_says_what_is_stored() {
        let first = vec![None, None];
        let later = vec![Some(done()), None];
        let timeout = || Err(StatementError::Timeout { detail: "" });

        let error = looked_up::<()>(Ok(Err(no_table())), &put(2), &first).unwrap_err();
        assert!(error.suspects_catalog(), "nothing is stored: it may run once more");
        let error = looked_up::<()>(Ok(Err(no_table())), &put(2), &later).unwrap_err();
        assert!(!error.suspects_catalog(), "the first row would be stored twice");
        let (code, text) = answer(&error);
        assert!(code == 1180 && text.ends_with("all the same: row 1 of the statement"), "{code} {text}");

        assert!(!answer(&looked_up::<()>(timeout(), &put(2), &first).unwrap_err()).1.contains("stored"));
        let (code, text) = answer(&looked_up::<()>(timeout(), &put(2), &later).unwrap_err());
        assert!(code == 3024 && text.contains("the rows may be stored"), "{code} {text}");
    }
}
