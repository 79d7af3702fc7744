//! Rows of cells: parameters in, cells out.

use bytes::Bytes;
use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Micros, RefKey, RowKey, ShardId, Token, Triple, TxnId,
};
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, Row};

use super::file::Failure;
use crate::StoreError;
use crate::sql::{Param, Query, left_out};

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Int(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::NullInt => ToSqlOutput::Owned(Value::Null),
            Self::BytesList(_) | Self::IntList(_) => {
                return Err(rusqlite::Error::ToSqlConversionFailure("SQLite has no lists".into()));
            }
        })
    }
}

/// Prepares (or finds prepared) a query and binds its parameters.
pub(crate) fn bind<'c>(sqlite: &'c Connection, query: &Query) -> Result<CachedStatement<'c>, Failure> {
    let mut statement = sqlite.prepare_cached(&query.text)?;
    for (i, param) in query.params.iter().enumerate() {
        statement.raw_bind_parameter(i + 1, param)?;
    }
    Ok(statement)
}

/// Runs a statement that returns no rows; answers how many rows changed.
pub(crate) fn execute(sqlite: &Connection, query: &Query) -> Result<usize, Failure> {
    Ok(bind(sqlite, query)?.raw_execute()?)
}

/// Binds `row, column, number` to a statement of that shape.
pub(crate) fn bind_key(
    statement: &mut CachedStatement<'_>,
    row: &RowKey,
    column: &ColumnKey,
    number: i64,
) -> Result<(), Failure> {
    statement.raw_bind_parameter(1, &row.as_bytes()[..])?;
    statement.raw_bind_parameter(2, &column.as_bytes()[..])?;
    statement.raw_bind_parameter(3, number)?;
    Ok(())
}

/// The cell of a row of `CELL_COLUMNS`.
pub(crate) fn cell(row: &Row<'_>) -> Result<Cell, Failure> {
    let row_key = RowKey::from_store(bytes(row, 6)?);
    let column = ColumnKey::from_store(bytes(row, 7)?);
    whole(cell_named(row, row_key, column)?)
}

/// The same for a row whose chain is known: its key is not copied once more.
pub(crate) fn cell_of(row: &Row<'_>, row_key: &RowKey, column: &ColumnKey) -> Result<Cell, Failure> {
    whole(slot_of(row, row_key, column)?)
}

/// The same of a statement that may leave the body out.
pub(crate) fn slot_of(row: &Row<'_>, row_key: &RowKey, column: &ColumnKey) -> Result<Cell, Failure> {
    cell_named(row, row_key.clone(), column.clone())
}

/// A cell whose body was not left out.
fn whole(cell: Cell) -> Result<Cell, Failure> {
    if left_out(&cell) { Err(Failure::Large) } else { Ok(cell) }
}

fn cell_named(row: &Row<'_>, row_key: RowKey, column: ColumnKey) -> Result<Cell, Failure> {
    let shard: i64 = row.get(1)?;
    let code: i64 = row.get(2)?;
    let kind = CellKind::from_code(code).ok_or_else(|| corrupt(format!("a row has the unknown kind {code}")))?;
    let body = match row.get_ref(9)? {
        ValueRef::Blob(body) => Some(Body::from_store(Bytes::copy_from_slice(body))),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => None,
    };
    Ok(Cell {
        triple: Triple { row: row_key, column, ref_key: RefKey(row.get(8)?) },
        body,
        added_id: AddedId(row.get(0)?),
        shard: ShardId(u16::try_from(shard).map_err(|_| corrupt(format!("a row has the shard {shard}")))?),
        created_at: Micros(row.get(3)?),
        kind,
        token: Token(row.get(4)?),
        txn: row.get::<_, Option<i64>>(5)?.map(TxnId),
    })
}

fn bytes(row: &Row<'_>, column: usize) -> Result<Bytes, Failure> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => {
            Err(corrupt("a key is not a blob".to_owned()))
        }
    }
}

fn corrupt(detail: String) -> Failure {
    Failure::Store(StoreError::Corrupt { detail })
}
