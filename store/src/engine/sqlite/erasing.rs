//! Erasing, a step at a time: every page of a body is overwritten, which takes long for many of them.

use cellgate_schemaless::{AddedId, CellKind, ColumnKey, Erasure, RefKey, TableRef, Triple};
use rusqlite::Connection;

use super::cells::{bind, execute};
use super::file::Failure;
use super::removal::STEP_BYTES;
use crate::sql::SQLITE;
use crate::{EraseStep, Erased};

/// Does one step, inside its transaction.
pub(super) fn erase_some(
    sqlite: &Connection,
    table: &TableRef,
    what: &Erasure,
    step: &EraseStep,
) -> Result<Erased, Failure> {
    if let Erasure::Cell(name) = what {
        let cells = execute(sqlite, &SQLITE.erase_cell(table, name, step.up_to))?;
        return Ok(Erased { cells: cells as u64, perhaps_more: false, last: None });
    }
    let (doomed, last) = look(sqlite, table, what, step)?;
    let mut cells = 0;
    for id in doomed {
        cells += execute(sqlite, &SQLITE.erase_ids(table, &[id]))? as u64;
    }
    Ok(Erased { cells, perhaps_more: false, last })
}

/// The ids of the cells among the slots of a step, and its last slot if there may be others behind it.
fn look(
    sqlite: &Connection,
    table: &TableRef,
    what: &Erasure,
    step: &EraseStep,
) -> Result<(Vec<AddedId>, Option<Triple>), Failure> {
    let (mut doomed, mut slots, mut bytes) = (Vec::new(), 0, 0);
    for query in SQLITE.slots(table, what, step.after.as_ref(), step.up_to, step.looked_at()) {
        let mut statement = bind(sqlite, &query)?;
        let mut rows = statement.raw_query();
        while let Some(slot) = rows.next()? {
            if slot.get::<_, i64>(3)? == CellKind::Cell.code() {
                doomed.push(AddedId(slot.get(0)?));
                // The length is in front of the body, whose pages are not read for it.
                bytes += slot.get::<_, Option<i64>>(4)?.unwrap_or(0);
            }
            slots += 1;
            if doomed.len() == step.slots as usize || slots == step.looked_at() || bytes >= STEP_BYTES {
                let (row, column) = (what.row().clone(), ColumnKey::from_store(slot.get::<_, Vec<u8>>(1)?));
                return Ok((doomed, Some(Triple { row, column, ref_key: RefKey(slot.get(2)?) })));
            }
        }
    }
    Ok((doomed, None))
}
