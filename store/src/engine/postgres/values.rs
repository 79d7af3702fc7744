//! What goes to PostgreSQL as parameters and comes back as rows, in its binary form.
//!
//! Assumes that every placeholder has a cast to the type its parameter is sent as. A row that is not of the form of a cell is
//! refused as corrupt.

use std::error::Error as StdError;
use std::fmt;

use bytes::{Bytes, BytesMut};
use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Micros, RefKey, RowKey, ShardId, Token, Triple, TxnId,
};
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::engine::cell_name::CellName;
use crate::engine::server::driver::{Failure, Value};
use crate::error::StoreError;
use crate::sql::Param;

/// A parameter in PostgreSQL's binary form.
#[derive(Debug)]
pub(super) struct Bind<'a>(pub(super) &'a Param);

impl ToSql for Bind<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            Param::Bytes(bytes) => bytes.as_ref().to_sql(ty, out),
            Param::Int(number) => number.to_sql(ty, out),
            Param::Text(text) => text.to_sql(ty, out),
            Param::NullInt => Ok(IsNull::Yes),
            Param::BytesList(list) => {
                let list: Vec<&[u8]> = list.iter().map(AsRef::as_ref).collect();
                list.to_sql(ty, out)
            }
            Param::IntList(list) => list.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Every placeholder has a cast to the type its parameter is sent as.
        true
    }

    to_sql_checked!();
}

fn corrupt(detail: impl fmt::Display) -> Failure {
    Failure::Store(StoreError::Corrupt { detail: format!("a row is not of the form of a cell: {detail}") })
}

/// One column of a row; of a type that no statement of ours asks for, NULL.
pub(super) fn value(row: &Row, i: usize) -> Result<Value, Failure> {
    let kind = row.columns().get(i).map(|column| column.type_());
    let int = |number: Option<i64>| number.map_or(Value::Null, Value::Int);
    let bytes = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, |b| Value::Bytes(Bytes::copy_from_slice(b)));
    Ok(match kind {
        Some(&Type::INT8) => int(row.try_get(i).map_err(corrupt)?),
        Some(&Type::INT4) => int(row.try_get::<_, Option<i32>>(i).map_err(corrupt)?.map(i64::from)),
        Some(&Type::INT2) => int(row.try_get::<_, Option<i16>>(i).map_err(corrupt)?.map(i64::from)),
        Some(&Type::BOOL) => int(row.try_get::<_, Option<bool>>(i).map_err(corrupt)?.map(i64::from)),
        Some(&Type::BYTEA) => bytes(row.try_get(i).map_err(corrupt)?),
        Some(&(Type::TEXT | Type::VARCHAR | Type::NAME)) => {
            bytes(row.try_get::<_, Option<&str>>(i).map_err(corrupt)?.map(str::as_bytes))
        }
        // No statement of ours asks for another type.
        Some(_) | None => Value::Null,
    })
}

/// A row of [`CELL_COLUMNS`](crate::sql::CELL_COLUMNS).
pub(super) fn cell(row: &Row) -> Result<Cell, Failure> {
    cell_of(row).map_err(|failure| match failure {
        Failure::Store(StoreError::Corrupt { detail }) => {
            let (row_key, column) = (row.try_get(6).ok(), row.try_get(7).ok());
            let name = CellName { row: row_key, column, ref_key: row.try_get(8).ok(), added_id: row.try_get(0).ok() };
            Failure::Store(name.corrupt(detail))
        }
        other => other,
    })
}

fn cell_of(row: &Row) -> Result<Cell, Failure> {
    let int = |i: usize| match value(row, i)? {
        Value::Int(number) => Ok(number),
        Value::Null | Value::Bytes(_) => Err(corrupt(i)),
    };
    let bytes = |i: usize| match value(row, i)? {
        Value::Bytes(bytes) => Ok(Some(bytes)),
        Value::Null => Ok(None),
        Value::Int(_) => Err(corrupt(i)),
    };
    let txn = match value(row, 5)? {
        Value::Int(txn) => Some(TxnId(txn)),
        Value::Null => None,
        Value::Bytes(_) => return Err(corrupt(5)),
    };
    Ok(Cell {
        added_id: AddedId(int(0)?),
        shard: ShardId(u16::try_from(int(1)?).map_err(corrupt)?),
        kind: CellKind::from_code(int(2)?).ok_or_else(|| corrupt("kind"))?,
        created_at: Micros(int(3)?),
        token: Token(int(4)?),
        txn,
        triple: Triple {
            row: RowKey::from_store(bytes(6)?.ok_or_else(|| corrupt(6))?),
            column: ColumnKey::from_store(bytes(7)?.ok_or_else(|| corrupt(7))?),
            ref_key: RefKey(int(8)?),
        },
        body: bytes(9)?.map(Body::from_store),
    })
}
