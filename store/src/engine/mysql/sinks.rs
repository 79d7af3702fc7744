//! What is kept of an answer.

use bytes::Bytes;
use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Micros, RefKey, RowKey, ShardId, Token, Triple, TxnId,
};

use super::wire::{Done, Field, Flow, Row, Sink, WireError};
use crate::engine::server::core::size;
use crate::engine::server::driver::{Failure, Value};
use crate::error::StoreError;

/// Nothing but how much was changed.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Rows the statements changed, in all.
    pub(super) affected: u64,
}

impl Sink for Count {
    fn row(&mut self, _: Row<'_>) -> Result<Flow, WireError> {
        Ok(Flow::More)
    }

    fn done(&mut self, done: Done) {
        self.affected = self.affected.saturating_add(done.affected);
    }
}

/// All values of a small answer.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) rows: Vec<Vec<Value>>,
}

impl Sink for Values {
    fn row(&mut self, mut row: Row<'_>) -> Result<Flow, WireError> {
        let mut values = Vec::with_capacity(row.width());
        for _ in 0..row.width() {
            values.push(match row.field()? {
                Field::Int(number) => Value::Int(number),
                Field::Bytes(bytes) => Value::Bytes(Bytes::copy_from_slice(bytes)),
                // No statement of ours asks for others.
                Field::Null | Field::Other => Value::Null,
            });
        }
        self.rows.push(values);
        Ok(Flow::More)
    }

    fn done(&mut self, _: Done) {}
}

/// Rows of [`CELL_COLUMNS`](crate::sql::CELL_COLUMNS), until they are so many bytes.
#[derive(Debug)]
pub(super) struct CellRows {
    pub(super) cells: Vec<Cell>,
    /// What a row was that is no cell.
    pub(super) wrong: Option<Failure>,
    bytes: usize,
    budget: usize,
}

impl CellRows {
    pub(super) fn new(budget: usize) -> Self {
        Self { cells: Vec::new(), wrong: None, bytes: 0, budget }
    }
}

impl Sink for CellRows {
    fn row(&mut self, row: Row<'_>) -> Result<Flow, WireError> {
        // The cells of one answer have few columns, mostly the same one behind another.
        let column = self.cells.last().map(|cell| &cell.triple.column);
        let Some(cell) = cell(row, column)? else {
            let detail = "a row is not of the form of a cell".to_owned();
            self.wrong = Some(Failure::Store(StoreError::Corrupt { detail }));
            return Ok(Flow::Enough);
        };
        self.bytes = self.bytes.saturating_add(size(&cell));
        self.cells.push(cell);
        Ok(if self.bytes > self.budget { Flow::Enough } else { Flow::More })
    }

    fn done(&mut self, _: Done) {}
}

/// A row of [`CELL_COLUMNS`](crate::sql::CELL_COLUMNS), if it is one. `column` is shared if it is the cell's.
fn cell(mut row: Row<'_>, column: Option<&ColumnKey>) -> Result<Option<Cell>, WireError> {
    let (added_id, shard, kind) = (row.field()?, row.field()?, row.field()?);
    let (created_at, token, txn) = (row.field()?, row.field()?, row.field()?);
    let (row_key, column_key, ref_key, body) = (row.field()?, row.field()?, row.field()?, row.field()?);
    let (Field::Int(added_id), Field::Int(shard), Field::Int(kind)) = (added_id, shard, kind) else { return Ok(None) };
    let (Field::Int(created_at), Field::Int(token)) = (created_at, token) else { return Ok(None) };
    let (Field::Bytes(row_key), Field::Bytes(column_key), Field::Int(ref_key)) = (row_key, column_key, ref_key) else {
        return Ok(None);
    };
    let txn = match txn {
        Field::Null => None,
        Field::Int(txn) => Some(TxnId(txn)),
        Field::Bytes(_) | Field::Other => return Ok(None),
    };
    let body = match body {
        Field::Null => None,
        Field::Bytes(body) => Some(Body::from_store(Bytes::copy_from_slice(body))),
        Field::Int(_) | Field::Other => return Ok(None),
    };
    let (Ok(shard), Some(kind)) = (u16::try_from(shard), CellKind::from_code(kind)) else { return Ok(None) };
    let column = match column {
        Some(known) if known.as_bytes() == column_key => known.clone(),
        Some(_) | None => ColumnKey::from_store(Bytes::copy_from_slice(column_key)),
    };
    let triple = Triple { row: RowKey::from_store(Bytes::copy_from_slice(row_key)), column, ref_key: RefKey(ref_key) };
    Ok(Some(Cell {
        triple,
        body,
        added_id: AddedId(added_id),
        shard: ShardId(shard),
        created_at: Micros(created_at),
        kind,
        token: Token(token),
        txn,
    }))
}
