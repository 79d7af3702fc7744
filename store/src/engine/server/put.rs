//! How a put is written and settled, whatever the server (CORRECTNESS C1, C3, C4).
//!
//! Groups of one cell are coalesced: a batch of them is one transaction that leaves existing rows alone, and the rows
//! that were not inserted are looked up and judged one by one. A group of several cells is a transaction of its own
//! that refuses existing rows; when it met one, the existing rows are judged: the same cells are left out and the
//! rest is tried again, and anything else is the outcome of the whole group. Every row carries the token of its
//! write, so that an attempt whose answer was lost is settled by looking for it.

use cellgate_schemaless::{Cell, CellKind, Epoch, TableRef, Triple};

use crate::backend::{PlacedCell, PutGroup, PutMode, PutOutcome, Timeouts};
use crate::engine::server::attempts::{Attempts, unsettled};
use crate::engine::server::driver::{Driver, Existing, Failure, NewRow, Place, Session, Value};
use crate::engine::server::pool::Sessions;
use crate::error::StoreError;
use crate::sql::{Dialect, match_gets};

/// Most bytes of keys and bodies in one coalesced transaction; a single row may be larger. It bounds how long the
/// log head stays locked.
const BATCH_BYTES: usize = 1024 * 1024;

/// Most rows in one coalesced transaction, for the same reason.
const BATCH_ROWS: usize = 1024;

/// Most rows looked up by one statement.
const LOOK_ROWS: usize = 256;

/// Most times a row is found to exist and then found not to. Existing rows vanish only when a chain is removed.
const VANISHED: u32 = 5;

/// Writes groups: the body of [`Backend::put`](crate::backend::Backend::put).
pub(crate) async fn put<D: Driver>(
    sessions: &Sessions<D>,
    timeouts: &Timeouts,
    epoch: Epoch,
    groups: &[PutGroup],
) -> Result<Vec<PutOutcome>, StoreError> {
    let put = Put { sessions, timeouts, epoch };
    let mut outcomes: Vec<Option<PutOutcome>> = vec![None; groups.len()];
    let (singles, others): (Vec<usize>, Vec<usize>) = (0..groups.len()).partition(|&g| groups[g].cells.len() == 1);
    for batch in batches(groups, singles) {
        let rows: Vec<NewRow<'_>> = batch.iter().flat_map(|&g| rows_of(&groups[g])).collect();
        let settled = put.singles(&rows).await.map_err(|error| after_success(&outcomes, error))?;
        for (group, outcome) in batch.into_iter().zip(settled) {
            outcomes[group] = Some(outcome);
        }
    }
    for group in others {
        let rows: Vec<NewRow<'_>> = rows_of(&groups[group]).collect();
        let outcome = put.group(&rows).await.map_err(|error| after_success(&outcomes, error))?;
        outcomes[group] = Some(outcome);
    }
    let missing = || StoreError::Failed { detail: "a group without an outcome".to_owned() };
    outcomes.into_iter().map(|outcome| outcome.ok_or_else(missing)).collect()
}

/// An error behind groups that were written: those that say "nothing was written" would be wrong. A stale epoch stays,
/// for planning the same again finds what was written by its token.
fn after_success(outcomes: &[Option<PutOutcome>], error: StoreError) -> StoreError {
    let written = outcomes.iter().any(|outcome| matches!(outcome, Some(PutOutcome::Stored(_))));
    match error {
        StoreError::StaleEpoch { .. } | StoreError::MaybeWritten { .. } => error,
        StoreError::Unavailable { .. }
        | StoreError::Timeout { .. }
        | StoreError::NoTable { .. }
        | StoreError::DiskFull { .. }
        | StoreError::TooLarge { .. }
        | StoreError::Refused { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Failed { .. } => {
            if written {
                StoreError::MaybeWritten { detail: format!("some groups were written, then: {error}") }
            } else {
                error
            }
        }
    }
}

fn rows_of(group: &PutGroup) -> impl Iterator<Item = NewRow<'_>> {
    group.cells.iter().map(|cell| NewRow {
        table: &cell.table,
        shard: cell.shard,
        triple: &cell.triple,
        body: &cell.body,
        token: group.token,
        mode: cell.mode,
    })
}

/// Splits groups of one cell into batches, each sorted by table and triple, bounded, and with no triple twice: of
/// groups with one name, the first comes in an earlier batch.
fn batches(groups: &[PutGroup], mut singles: Vec<usize>) -> Vec<Vec<usize>> {
    let cell = |g: usize| &groups[g].cells[0];
    let name = |g: usize| (&cell(g).table, &cell(g).triple);
    singles.sort_by(|&a, &b| name(a).cmp(&name(b)));
    let mut batches = Vec::new();
    while !singles.is_empty() {
        let (mut batch, mut bytes, mut later) = (Vec::new(), 0, Vec::new());
        for group in singles {
            if batch.last().is_some_and(|&last| name(last) == name(group)) {
                later.push(group);
                continue;
            }
            let cell = cell(group);
            let size = cell.body.as_bytes().len() + cell.triple.row.as_bytes().len() * 2;
            if !batch.is_empty() && (bytes + size > BATCH_BYTES || batch.len() >= BATCH_ROWS) {
                batches.push(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += size;
            batch.push(group);
        }
        batches.push(batch);
        singles = later;
    }
    batches
}

/// What an existing row means to a write of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// This very write made it.
    Ours(PlacedCell),
    /// The same cell, by another write.
    Same(PlacedCell),
    /// Another cell, or a name that cannot be written any more.
    Conflict,
    /// A transaction that is not settled.
    Undecided,
    /// There is none.
    Nothing,
}

fn judge(row: &NewRow<'_>, found: Option<&Cell>) -> Found {
    let Some(cell) = found else { return Found::Nothing };
    let place = |new| PlacedCell { added_id: cell.added_id, created_at: cell.created_at, new };
    if cell.txn.is_some() {
        return Found::Undecided;
    }
    match cell.kind {
        CellKind::Cell if cell.token == row.token => Found::Ours(place(true)),
        CellKind::Cell => match row.mode {
            PutMode::Explicit if cell.body.as_ref() == Some(row.body) => Found::Same(place(false)),
            PutMode::Explicit | PutMode::Append => Found::Conflict,
        },
        CellKind::Tombstone | CellKind::Lock | CellKind::Erased | CellKind::Closed => Found::Conflict,
    }
}

fn placed(place: Place) -> PlacedCell {
    PlacedCell { added_id: place.added_id, created_at: place.created_at, new: true }
}

struct Put<'a, D: Driver> {
    sessions: &'a Sessions<D>,
    timeouts: &'a Timeouts,
    epoch: Epoch,
}

impl<D: Driver> Put<'_, D> {
    /// Rows that do not depend on each other, sorted, no name twice.
    async fn singles(&self, rows: &[NewRow<'_>]) -> Result<Vec<PutOutcome>, StoreError> {
        let mut outcomes: Vec<Option<PutOutcome>> = vec![None; rows.len()];
        let mut open: Vec<usize> = (0..rows.len()).collect();
        let mut attempts = Attempts::new(self.sessions, self.timeouts);
        let mut vanished = 0;
        while !open.is_empty() {
            let mut lease = attempts.session().await?;
            let session = lease.session()?;
            let mark = session.mark();
            let asked: Vec<NewRow<'_>> = open.iter().map(|&i| rows[i]).collect();
            // After a lost attempt only our own rows are taken: the others are judged when they are in the way.
            let only_ours = attempts.lost_one();
            let mut left = asked.clone();
            if !only_ours {
                match attempts.bounded(session.insert(self.epoch, &asked, Existing::Keep)).await {
                    Ok(places) => {
                        for (&i, place) in open.iter().zip(&places) {
                            outcomes[i] = place.map(|place| PutOutcome::Stored(vec![placed(place)]));
                        }
                        left = asked.iter().zip(&places).filter(|(_, p)| p.is_none()).map(|(row, _)| *row).collect();
                        open.retain(|&i| outcomes[i].is_none());
                    }
                    Err(Failure::Stale) => return Err(self.stale(session).await),
                    Err(failure) => {
                        // Given back only when the server answered.
                        if matches!(failure, Failure::Again { .. } | Failure::Store(_)) {
                            lease.give_back();
                        }
                        attempts.after(failure, mark)?;
                        continue;
                    }
                }
            }
            match attempts.bounded(look(session, self.dialect(), &left)).await {
                Ok(found) => {
                    let judged = left.iter().zip(&found).map(|(row, cell)| judge(row, cell.as_ref()));
                    for (&i, found) in open.iter().zip(judged) {
                        outcomes[i] = match found {
                            Found::Ours(place) => Some(PutOutcome::Stored(vec![place])),
                            Found::Same(place) if !only_ours => Some(PutOutcome::Stored(vec![place])),
                            Found::Conflict if !only_ours => Some(PutOutcome::Conflict { cell: 0 }),
                            Found::Undecided if !only_ours => Some(PutOutcome::Undecided { cell: 0 }),
                            Found::Same(_) | Found::Conflict | Found::Undecided | Found::Nothing => None,
                        };
                    }
                    open.retain(|&i| outcomes[i].is_none());
                    lease.give_back();
                    if only_ours {
                        attempts.looked();
                    } else if !open.is_empty() {
                        vanished += 1;
                        if vanished >= VANISHED {
                            return Err(ids_taken());
                        }
                    }
                }
                Err(failure) => attempts.after_look(failure)?,
            }
        }
        let missing = || StoreError::Failed { detail: "a row without an outcome".to_owned() };
        outcomes.into_iter().map(|outcome| outcome.ok_or_else(missing)).collect()
    }

    /// Rows that stand or fall together.
    async fn group(&self, rows: &[NewRow<'_>]) -> Result<PutOutcome, StoreError> {
        let mut places: Vec<Option<PlacedCell>> = vec![None; rows.len()];
        let mut open: Vec<usize> = (0..rows.len()).collect();
        open.sort_by(|&a, &b| (rows[a].table, rows[a].triple).cmp(&(rows[b].table, rows[b].triple)));
        let mut attempts = Attempts::new(self.sessions, self.timeouts);
        let mut vanished = 0;
        while !open.is_empty() {
            let mut lease = attempts.session().await?;
            let session = lease.session()?;
            let mark = session.mark();
            let asked: Vec<NewRow<'_>> = open.iter().map(|&i| rows[i]).collect();
            let after_loss = attempts.lost_one();
            if !after_loss {
                match attempts.bounded(session.insert(self.epoch, &asked, Existing::Refuse)).await {
                    Ok(inserted) => {
                        for (&i, place) in open.iter().zip(&inserted) {
                            places[i] = place.map(placed);
                        }
                        open.retain(|&i| places[i].is_none());
                        if open.is_empty() {
                            lease.give_back();
                            break;
                        }
                        return Err(StoreError::Corrupt { detail: "a group was inserted in part".to_owned() });
                    }
                    Err(Failure::Duplicate) => {}
                    Err(Failure::Stale) => return Err(self.stale(session).await),
                    Err(failure) => {
                        if matches!(failure, Failure::Again { .. } | Failure::Store(_)) {
                            lease.give_back();
                        }
                        attempts.after(failure, mark)?;
                        continue;
                    }
                }
            }
            let found = match attempts.bounded(look(session, self.dialect(), &asked)).await {
                Ok(found) => found,
                Err(failure) => {
                    attempts.after_look(failure)?;
                    continue;
                }
            };
            lease.give_back();
            attempts.looked();
            let judged: Vec<(usize, Found)> =
                open.iter().zip(asked.iter().zip(&found)).map(|(&i, (row, cell))| (i, judge(row, cell.as_ref()))).collect();
            let ours = judged.iter().any(|(_, found)| matches!(found, Found::Ours(_)));
            let first = |what: Found| judged.iter().filter(|(_, f)| *f == what).map(|(i, _)| *i).min();
            if let Some(cell) = first(Found::Conflict) {
                return if ours { Err(torn()) } else { Ok(PutOutcome::Conflict { cell }) };
            }
            if let Some(cell) = first(Found::Undecided) {
                return if ours { Err(torn()) } else { Ok(PutOutcome::Undecided { cell }) };
            }
            for (i, found) in &judged {
                match found {
                    Found::Ours(place) | Found::Same(place) => places[*i] = Some(*place),
                    Found::Conflict | Found::Undecided | Found::Nothing => {}
                }
            }
            let before = open.len();
            open.retain(|&i| places[i].is_none());
            if !after_loss && open.len() == before {
                vanished += 1;
                if vanished >= VANISHED {
                    return Err(ids_taken());
                }
            }
        }
        let missing = || StoreError::Failed { detail: "a cell without a place".to_owned() };
        Ok(PutOutcome::Stored(places.into_iter().map(|place| place.ok_or_else(missing)).collect::<Result<_, _>>()?))
    }

    fn dialect(&self) -> &'static Dialect {
        self.sessions.manager().dialect()
    }

    /// Why the head let nothing in.
    async fn stale(&self, session: &mut D::Session) -> StoreError {
        stale(session, self.dialect(), self.epoch).await
    }
}

/// The error of a write the head let nothing in of.
pub(crate) async fn stale<S: Session>(session: &mut S, dialect: &Dialect, planned: Epoch) -> StoreError {
    match session.fetch(&dialect.select_epoch()).await {
        Ok(rows) => match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(current)) if *current != planned.0 => {
                StoreError::StaleEpoch { planned: planned.0, current: *current }
            }
            // It changed there and back, which only an operator can do.
            Some(Value::Int(_)) => StoreError::Failed { detail: "the epoch changed while it was read".to_owned() },
            Some(Value::Null | Value::Bytes(_)) | None => unsettled(Failure::Stale),
        },
        Err(failure) => unsettled(failure),
    }
}

/// The rows of these names: one answer per row.
async fn look<S: Session>(
    session: &mut S,
    dialect: &'static Dialect,
    rows: &[NewRow<'_>],
) -> Result<Vec<Option<Cell>>, Failure> {
    let mut found = Vec::with_capacity(rows.len());
    for same_table in rows.chunk_by(|a, b| a.table == b.table) {
        for chunk in same_table.chunks(LOOK_ROWS) {
            let Some(table): Option<&TableRef> = chunk.first().map(|row| row.table) else { continue };
            let names: Vec<Triple> = chunk.iter().map(|row| row.triple.clone()).collect();
            let cells = session.cells(&dialect.get(table, &names), usize::MAX).await?.cells;
            found.extend(match_gets(&names, cells));
        }
    }
    Ok(found)
}

/// Part of a group is there, written by this very write, and part of it is not: it was whole when it was committed,
/// and somebody has erased or removed from it since.
fn torn() -> StoreError {
    StoreError::MaybeWritten { detail: "the group was written, and some of it was erased since".to_owned() }
}

/// The server says again and again that a row exists, and it is not there: it must be an id that exists.
fn ids_taken() -> StoreError {
    StoreError::Corrupt {
        detail: "the log head gives out ids that are taken; was it restored from a backup older than the table?".to_owned(),
    }
}
