//! The cells of an INSERT as the executor takes them, and the names that messages give them.

use std::borrow::Cow;

use cellgate_schemaless::{
    Cell, CellKind, Chain, ColumnKey, LatestKey, NewCell, RefKey, RowKey, TableDef, Token, Triple, Version, Written,
};
use cellgate_store::executor::PutItem;

pub(super) fn item(table: &TableDef, cell: NewCell) -> PutItem {
    PutItem { table: table.table_ref(), cell, must_be_new: false }
}

pub(super) fn chain(cell: &NewCell) -> Chain {
    Chain { row: cell.row.clone(), column: cell.column.clone() }
}

pub(super) fn chain_key(chain: &Chain) -> LatestKey {
    LatestKey { row: chain.row.clone(), column: chain.column.clone(), at_most: None }
}

pub(super) fn triple(cell: &NewCell) -> Option<Triple> {
    match cell.version {
        Version::Exact(ref_key) => Some(Triple { row: cell.row.clone(), column: cell.column.clone(), ref_key }),
        Version::Next => None,
    }
}

/// A cell's name as MySQL writes the values of a key.
pub(super) fn entry(cell: &NewCell, ref_key: Option<RefKey>) -> String {
    let ref_key = ref_key.or(match cell.version {
        Version::Exact(ref_key) => Some(ref_key),
        Version::Next => None,
    });
    name_of(&cell.row, &cell.column, ref_key)
}

/// Longest name of a cell in a message, in bytes without its version: what else it says is to be there, too.
const NAME_BYTES: usize = 1024;

/// `row-column-version`, with what is not text escaped; keys that are very long are cut.
pub(in crate::session) fn name_of(row: &RowKey, column: &ColumnKey, ref_key: Option<RefKey>) -> String {
    name_within(NAME_BYTES, row, column, ref_key)
}

/// The same with at most so many bytes of the keys, a third of them for the column key if it is as long.
pub(in crate::session) fn name_within(
    most: usize,
    row: &RowKey,
    column: &ColumnKey,
    ref_key: Option<RefKey>,
) -> String {
    let column = cut(String::from_utf8_lossy(column.as_bytes()), most / 3);
    let row = cut(String::from_utf8_lossy(row.as_bytes()), most.saturating_sub(column.len()));
    match ref_key {
        Some(ref_key) => format!("{row}-{column}-{ref_key}"),
        None => format!("{row}-{column}"),
    }
}

/// The text, as long as it may be.
fn cut(text: Cow<'_, str>, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return text;
    }
    let end = text.floor_char_boundary(most.saturating_sub(2));
    format!("{}..", &text[..end]).into()
}

pub(super) fn as_cell(cell: &NewCell, written: &Written) -> Cell {
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
