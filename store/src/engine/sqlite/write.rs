//! What a batch of puts does, inside its transaction.

use std::collections::HashMap;

use cellgate_schemaless::{AddedId, Cell, CellKind, Epoch, Micros, TableRef, limits};
use rusqlite::{CachedStatement, Connection};

use super::cells::{about, bind_key, cell_of, name_of, of_whole};
use super::file::Failure;
use crate::engine::cell_name::CellName;
use crate::engine::now_micros;
use crate::engine::settle::{Verdict, settle};
use crate::sql::{Dialect, FIRST_HEAD, SQLITE, Sql};
use crate::{GroupCell, PlacedCell, PutGroup, PutOutcome, StoreError};

/// What became of one call of `put`.
pub(crate) type Outcomes = Result<Vec<PutOutcome>, StoreError>;

/// Texts of the statements of tables that are known to be there.
pub(crate) type Texts = HashMap<TableRef, TableTexts>;

/// Statements that writing to a table needs.
#[derive(Debug)]
pub(crate) struct TableTexts {
    get: String,
    insert: String,
}

/// The log head as the transaction sees it, and as it will leave it.
struct Head {
    epoch: Epoch,
    next: i64,
    /// The time of everything this transaction inserts.
    now: i64,
    /// Rows that were inserted.
    rows: u64,
}

/// Applies calls in order. Each has an outcome of its own; an error is one of the whole batch, which must then be
/// rolled back.
pub(crate) fn apply<'j>(
    sqlite: &Connection,
    texts: &mut Texts,
    calls: impl Iterator<Item = (Epoch, &'j [PutGroup])>,
) -> Result<Vec<Outcomes>, Failure> {
    let mut head = Head::load(sqlite)?;
    let mut outcomes = Vec::new();
    let mut inserts = Inserts { sqlite, last: None };
    for (epoch, groups) in calls {
        outcomes.push(match head.check(epoch).and_then(|()| know_tables(texts, &inserts, groups)) {
            // Judged before the first row goes in, so that a call that fails has written nothing.
            Err(Failure::Store(e)) => Err(e),
            Err(e @ (Failure::Sqlite(_) | Failure::Large)) => return Err(e),
            Ok(()) => {
                let put = |group| put_group(texts, &mut inserts, &mut head, group);
                Ok(groups.iter().map(put).collect::<Result<Vec<PutOutcome>, Failure>>()?)
            }
        });
    }
    head.store(sqlite)?;
    Ok(outcomes)
}

/// Refuses a write that was planned under another epoch.
pub(crate) fn check_epoch(sqlite: &Connection, planned: Epoch) -> Result<(), Failure> {
    Head::load(sqlite)?.check(planned)
}

impl Head {
    fn load(sqlite: &Connection) -> Result<Self, Failure> {
        let mut statement = sqlite.prepare_cached("SELECT epoch, next, at FROM cg_head WHERE head = ?")?;
        let head = |row: &rusqlite::Row<'_>| {
            let at: i64 = row.get(2)?;
            Ok(Self {
                epoch: Epoch(row.get(0)?),
                next: row.get(1)?,
                now: at.saturating_add(1).max(now_micros()),
                rows: 0,
            })
        };
        Ok(statement.query_row([FIRST_HEAD], head)?)
    }

    fn check(&self, planned: Epoch) -> Result<(), Failure> {
        if self.epoch == planned {
            Ok(())
        } else {
            Err(Failure::Store(StoreError::StaleEpoch { planned: planned.0, current: self.epoch.0 }))
        }
    }

    /// The place of a new row.
    fn take(&mut self) -> PlacedCell {
        let added_id = AddedId(self.next);
        self.next += limits::ID_STRIDE;
        self.rows += 1;
        PlacedCell { added_id, created_at: Micros(self.now), new: true }
    }

    /// Gives back the place taken last: its row met another one.
    fn give_back(&mut self) {
        self.next -= limits::ID_STRIDE;
        self.rows -= 1;
    }

    fn store(&self, sqlite: &Connection) -> Result<(), Failure> {
        if self.rows == 0 {
            return Ok(());
        }
        let sql = "UPDATE cg_head SET next = ?, at = ? WHERE head = ? AND epoch = ?";
        let changed = sqlite.prepare_cached(sql)?.execute([self.next, self.now, FIRST_HEAD, self.epoch.0])?;
        if changed == 1 {
            return Ok(());
        }
        // Nobody else writes inside this transaction.
        Err(Failure::Store(StoreError::Corrupt { detail: "the log head has vanished".to_owned() }))
    }
}

/// Makes sure that all tables of a call are there.
fn know_tables(texts: &mut Texts, inserts: &Inserts<'_, '_>, groups: &[PutGroup]) -> Result<(), Failure> {
    for table in groups.iter().flat_map(|g| &g.cells).map(|c| &c.table) {
        if inserts.is_at(table) || texts.contains_key(table) {
            continue;
        }
        let known = TableTexts::new(table);
        if let Err(e) = inserts.sqlite.prepare_cached(&known.insert) {
            return Err(match Failure::from(e).missing_table() {
                Ok(table) => Failure::Store(StoreError::NoTable { table }),
                Err(e) => e,
            });
        }
        texts.insert(table.clone(), known);
    }
    Ok(())
}

/// The statement that inserts into the table of the last cell: the next one is nearly always of the same.
struct Inserts<'c, 'j> {
    sqlite: &'c Connection,
    last: Option<(&'j TableRef, CachedStatement<'c>)>,
}

impl<'c, 'j> Inserts<'c, 'j> {
    fn is_at(&self, table: &TableRef) -> bool {
        self.last.as_ref().is_some_and(|(last, _)| *last == table)
    }

    fn statement(&mut self, texts: &Texts, table: &'j TableRef) -> Result<&mut CachedStatement<'c>, Failure> {
        let last = self.last.take().filter(|(last, _)| *last == table);
        let last = match last {
            Some(last) => last,
            None => (table, self.sqlite.prepare_cached(&of(texts, table)?.insert)?),
        };
        Ok(&mut self.last.insert(last).1)
    }
}

fn put_group<'j>(
    texts: &Texts,
    inserts: &mut Inserts<'_, 'j>,
    head: &mut Head,
    group: &'j PutGroup,
) -> Result<PutOutcome, Failure> {
    // One cell alone is tried at once: most cells are new.
    if let [cell] = group.cells.as_slice() {
        let place = head.take();
        if insert(texts, inserts, group, cell, place)? {
            return Ok(PutOutcome::Stored(vec![place]));
        }
        head.give_back();
    }
    // The cells of several stand or fall together, so that the first insert waits until all are known to be free.
    let existing =
        group.cells.iter().map(|cell| find(inserts.sqlite, texts, cell)).collect::<Result<Vec<_>, Failure>>()?;
    let places = match settle(group, &existing) {
        Verdict::Done(outcome) => return Ok(outcome),
        Verdict::Insert(places) => places,
    };
    let mut stored = Vec::with_capacity(places.len());
    for (cell, place) in group.cells.iter().zip(places) {
        let place = match place {
            Some(place) => place,
            None => {
                let place = head.take();
                if !insert(texts, inserts, group, cell, place)? {
                    let detail = format!("a group of {} has a triple twice", cell.table.physical());
                    return Err(Failure::Store(StoreError::Failed { detail }));
                }
                place
            }
        };
        stored.push(place);
    }
    Ok(PutOutcome::Stored(stored))
}

/// Inserts a cell unless its triple is taken; answers whether it did.
fn insert<'j>(
    texts: &Texts,
    inserts: &mut Inserts<'_, 'j>,
    group: &PutGroup,
    cell: &'j GroupCell,
    place: PlacedCell,
) -> Result<bool, Failure> {
    let statement = inserts.statement(texts, &cell.table)?;
    statement.raw_bind_parameter(1, place.added_id.0)?;
    statement.raw_bind_parameter(2, cell.shard.0)?;
    statement.raw_bind_parameter(3, CellKind::Cell.code())?;
    statement.raw_bind_parameter(4, cell.table.def)?;
    statement.raw_bind_parameter(5, cell.triple.ref_key.0)?;
    statement.raw_bind_parameter(6, place.created_at.0)?;
    statement.raw_bind_parameter(7, group.token.0)?;
    statement.raw_bind_parameter(8, &cell.triple.row.as_bytes()[..])?;
    statement.raw_bind_parameter(9, &cell.triple.column.as_bytes()[..])?;
    statement.raw_bind_parameter(10, &cell.body.as_bytes()[..])?;
    match statement.raw_execute() {
        Ok(inserted) => Ok(inserted == 1),
        Err(e) => Err(about(e.into(), &name_in(cell)).in_table(&cell.table)),
    }
}

fn find(sqlite: &Connection, texts: &Texts, cell: &GroupCell) -> Result<Option<Cell>, Failure> {
    let mut statement = sqlite.prepare_cached(&of(texts, &cell.table)?.get)?;
    bind_key(&mut statement, &cell.triple.row, &cell.triple.column, cell.triple.ref_key.0)?;
    let mut rows = statement.raw_query();
    match rows.next() {
        Ok(Some(row)) => {
            let found = cell_of(row, &cell.triple.row, &cell.triple.column);
            found.map(Some).map_err(|failure| of_whole(failure, &name_of(row)).in_table(&cell.table))
        }
        Ok(None) => Ok(None),
        Err(e) => Err(about(e.into(), &name_in(cell)).in_table(&cell.table)),
    }
}

/// The name of a cell that is written.
fn name_in(cell: &GroupCell) -> CellName<'_> {
    let triple = &cell.triple;
    let (row, column) = (Some(&triple.row.as_bytes()[..]), Some(&triple.column.as_bytes()[..]));
    CellName { row, column, ref_key: Some(triple.ref_key.0), added_id: None }
}

fn of<'t>(texts: &'t Texts, table: &TableRef) -> Result<&'t TableTexts, Failure> {
    texts.get(table).ok_or_else(|| Failure::Store(StoreError::NoTable { table: table.physical().to_owned() }))
}

impl TableTexts {
    fn new(table: &TableRef) -> Self {
        let key = ["row_key", "column_key", "ref_key"];
        let mut sql = Sql::new(&SQLITE);
        sql.push("INSERT INTO ").name(table.physical()).push(" (").names("", &Dialect::INSERT_COLUMNS);
        sql.push(") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (").names("", &key).push(") DO NOTHING");
        Self { get: SQLITE.get_text(table), insert: sql.finish().text }
    }
}
