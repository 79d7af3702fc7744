//! What is kept of an answer.

use bytes::Bytes;
use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Micros, RefKey, RowKey, ShardId, Token, Triple, TxnId,
};

use super::wire::{Done, Field, Flow, Row, Sink, WireError};
use crate::engine::cell_name::CellName;
use crate::engine::server::core::size;
use crate::engine::server::driver::{Failure, Value};

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

/// The first value of the first of these rows.
pub(super) fn first(rows: &[Vec<Value>]) -> Option<&Value> {
    rows.first().and_then(|row| row.first())
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
        let raw = match RawCell::read(row)? {
            Ok(raw) => raw,
            Err(no_cell) => {
                self.wrong = Some(no_cell);
                return Ok(Flow::Enough);
            }
        };
        // The cells of one answer have few columns, mostly the same one behind another.
        let column = match self.cells.last().map(|cell| &cell.triple.column) {
            Some(known) if known.as_bytes() == raw.column => known.clone(),
            Some(_) | None => ColumnKey::from_store(Bytes::copy_from_slice(raw.column)),
        };
        let cell = raw.named(RowKey::from_store(Bytes::copy_from_slice(raw.row)), column);
        self.bytes = self.bytes.saturating_add(size(&cell));
        self.cells.push(cell);
        Ok(if self.bytes > self.budget { Flow::Enough } else { Flow::More })
    }

    fn done(&mut self, _: Done) {}
}

/// A cell where its row was received.
#[derive(Clone, Copy)]
pub(super) struct RawCell<'a> {
    pub(super) row: &'a [u8],
    pub(super) column: &'a [u8],
    pub(super) ref_key: i64,
    body: Option<&'a [u8]>,
    added_id: i64,
    shard: u16,
    created_at: i64,
    kind: CellKind,
    token: i64,
    txn: Option<i64>,
}

impl<'a> RawCell<'a> {
    /// A row of [`CELL_COLUMNS`](crate::sql::CELL_COLUMNS), if it is one.
    pub(super) fn read(mut row: Row<'a>) -> Result<Result<Self, Failure>, WireError> {
        let (added_id, shard, kind) = (row.field()?, row.field()?, row.field()?);
        let (created_at, token, txn) = (row.field()?, row.field()?, row.field()?);
        let (row_key, column, ref_key, body) = (row.field()?, row.field()?, row.field()?, row.field()?);
        Ok(Self::of([added_id, shard, kind, created_at, token, txn, row_key, column, ref_key, body])
            .ok_or_else(|| no_cell(added_id, row_key, column, ref_key)))
    }

    fn of(fields: [Field<'a>; 10]) -> Option<Self> {
        let [added_id, shard, kind, created_at, token, txn, row_key, column, ref_key, body] = fields;
        let (Field::Int(added_id), Field::Int(shard), Field::Int(kind)) = (added_id, shard, kind) else { return None };
        let (Field::Int(created_at), Field::Int(token)) = (created_at, token) else { return None };
        let (Field::Bytes(row), Field::Bytes(column), Field::Int(ref_key)) = (row_key, column, ref_key) else {
            return None;
        };
        let txn = match txn {
            Field::Null => None,
            Field::Int(txn) => Some(txn),
            Field::Bytes(_) | Field::Other => return None,
        };
        let body = match body {
            Field::Null => None,
            Field::Bytes(body) => Some(body),
            Field::Int(_) | Field::Other => return None,
        };
        let (shard, kind) = (u16::try_from(shard).ok()?, CellKind::from_code(kind)?);
        Some(Self { row, column, ref_key, body, added_id, shard, created_at, kind, token, txn })
    }

    /// The cell, whose keys are these: they are not copied once more.
    pub(super) fn named(&self, row: RowKey, column: ColumnKey) -> Cell {
        Cell {
            triple: Triple { row, column, ref_key: RefKey(self.ref_key) },
            body: self.body.map(|body| Body::from_store(Bytes::copy_from_slice(body))),
            added_id: AddedId(self.added_id),
            shard: ShardId(self.shard),
            created_at: Micros(self.created_at),
            kind: self.kind,
            token: Token(self.token),
            txn: self.txn.map(TxnId),
        }
    }
}

/// The failure of a row that is no cell.
fn no_cell(added_id: Field<'_>, row: Field<'_>, column: Field<'_>, ref_key: Field<'_>) -> Failure {
    fn number(field: Field<'_>) -> Option<i64> {
        if let Field::Int(number) = field { Some(number) } else { None }
    }
    fn bytes(field: Field<'_>) -> Option<&[u8]> {
        if let Field::Bytes(bytes) = field { Some(bytes) } else { None }
    }
    let (added_id, ref_key) = (number(added_id), number(ref_key));
    let name = CellName { row: bytes(row), column: bytes(column), ref_key, added_id };
    Failure::Store(name.corrupt("its row is not of the form of a cell"))
}
