//! Rows of cells: parameters in, cells out.

use bytes::Bytes;
use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Micros, RefKey, RowKey, ShardId, Token, Triple, TxnId,
};
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, Row};

use super::file::Failure;
use crate::engine::cell_name::CellName;
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
    let keys = bytes(row, 6).and_then(|row_key| Ok((row_key, bytes(row, 7)?)));
    let (row_key, column) = keys.map_err(|failure| about(failure, &name_of(row)))?;
    whole(cell_named(row, RowKey::from_store(row_key), ColumnKey::from_store(column))?)
}

/// What a row says of its name.
pub(crate) fn name_of<'r>(row: &'r Row<'_>) -> CellName<'r> {
    let key = |column| row.get_ref(column).ok()?.as_blob().ok();
    let number = |column| row.get_ref(column).ok()?.as_i64().ok();
    CellName { row: key(6), column: key(7), ref_key: number(8), added_id: number(0) }
}

/// The failure, with the cell it is about, of a statement that leaves no body out.
pub(crate) fn of_whole(failure: Failure, name: &CellName<'_>) -> Failure {
    match failure {
        Failure::Large => Failure::Store(name.corrupt("it has no body")),
        other => about(other, name),
    }
}

/// The failure, with the cell it is about if its row cannot be read.
pub(crate) fn about(failure: Failure, name: &CellName<'_>) -> Failure {
    match failure {
        Failure::Sqlite(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Failure::Store(name.corrupt(e))
        }
        other => other,
    }
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
    let corrupt = |what: String| Failure::Store(name_of(row).corrupt(what));
    let kind = CellKind::from_code(code).ok_or_else(|| corrupt(format!("it has the unknown kind {code}")))?;
    let body = match row.get_ref(9)? {
        ValueRef::Blob(body) => Some(Body::from_store(Bytes::copy_from_slice(body))),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => None,
    };
    Ok(Cell {
        triple: Triple { row: row_key, column, ref_key: RefKey(row.get(8)?) },
        body,
        added_id: AddedId(row.get(0)?),
        shard: ShardId(u16::try_from(shard).map_err(|_| corrupt(format!("it has the shard {shard}")))?),
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
            Err(Failure::Store(name_of(row).corrupt("a key is not a blob")))
        }
    }
}
