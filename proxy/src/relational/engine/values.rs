//! Values on their way into SQLite and out of it.
//!
//! SQLite keeps and passes them on, and compares and converts none by itself: what they mean, their packing says.

use bytes::Bytes;
use cellgate_sql::relational::Packed;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// A parameter of a statement.
pub(super) struct Borrowed<'a>(pub(super) &'a Packed);

impl ToSql for Borrowed<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Packed::Null => ValueRef::Null,
            Packed::Int(n) => ValueRef::Integer(*n),
            Packed::Double(d) => ValueRef::Real(*d),
            Packed::Text(text) => ValueRef::Text(text),
            Packed::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}

/// A value a function gives back.
pub(super) struct Owned(pub(super) Packed);

impl ToSql for Owned {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match &self.0 {
            Packed::Null => rusqlite::types::Value::Null,
            Packed::Int(n) => rusqlite::types::Value::Integer(*n),
            Packed::Double(d) => rusqlite::types::Value::Real(*d),
            Packed::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => rusqlite::types::Value::Text(text.to_owned()),
                Err(_) => rusqlite::types::Value::Blob(text.to_vec()),
            },
            Packed::Blob(blob) => rusqlite::types::Value::Blob(blob.clone()),
        }))
    }
}

/// What SQLite has, as a value of ours.
pub(super) fn packed(value: ValueRef<'_>) -> Packed {
    match value {
        ValueRef::Null => Packed::Null,
        ValueRef::Integer(n) => Packed::Int(n),
        ValueRef::Real(d) => Packed::Double(d),
        ValueRef::Text(text) => Packed::Text(Bytes::copy_from_slice(text)),
        ValueRef::Blob(blob) => Packed::Blob(blob.to_vec()),
    }
}

/// The length of a value's text; what else there is of it is counted by the value.
pub(super) fn length(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
    }
}
