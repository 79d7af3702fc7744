//! SQL values and the description of result columns.

use bytes::Bytes;
use cellgate_schemaless::Micros;

use crate::expression::number::Number;
use crate::expression::{Type, text_of, time};

/// One SQL value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer above `i64::MAX`, or of an unsigned type.
    UInt(u64),
    /// A double.
    Double(f64),
    /// An exact decimal as text, e.g. `-12.50`.
    Decimal(String),
    /// Text in utf8mb4.
    Text(Bytes),
    /// Bytes without a character set.
    Bytes(Bytes),
    /// A JSON text, as stored.
    Json(Bytes),
    /// DATETIME(6): microseconds UTC.
    DateTime(Micros),
}

/// A result row: one value per column.
pub type Row = Vec<Value>;

/// The type of a result column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Always NULL (MySQL type 6).
    Null,
    /// BIGINT (8).
    BigInt,
    /// BIGINT UNSIGNED (8).
    UnsignedBigInt,
    /// DOUBLE (5).
    Double,
    /// DECIMAL (246).
    Decimal,
    /// VARCHAR in utf8mb4 (253).
    Text,
    /// VARBINARY (253, charset 63).
    Bytes,
    /// JSON (245).
    Json,
    /// DATETIME(6) (12).
    DateTime,
    /// DATE (10): its values are times, at midnight.
    Date,
    /// TIME (11): its values are their text.
    Time,
}

/// The description of a result column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMeta {
    /// Database of the table, or empty.
    pub schema: String,
    /// Alias of the table, or empty.
    pub table: String,
    /// Name of the table, or empty.
    pub org_table: String,
    /// Name in the result: the alias as written, or the column, or the expression's text.
    pub name: String,
    /// Name of the table column, or empty.
    pub org_name: String,
    /// Its type.
    pub ty: ColumnType,
    /// Longest value in characters (or display width).
    pub length: u32,
    /// Digits behind the point (6 for DATETIME(6), 31 for a DOUBLE of any scale, else 0).
    pub decimals: u8,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// Whether it is a part of the primary key.
    pub primary_key: bool,
}

impl ColumnMeta {
    /// A column that belongs to no table, of its type's usual length, that can be NULL.
    pub fn named(name: impl Into<String>, ty: ColumnType) -> Self {
        Self::typed(name, Type::of(ty))
    }

    /// The value as a user variable has it: a time is the text that the column shows.
    pub fn shown(&self, value: Value) -> Value {
        let digits = if self.ty == ColumnType::Date { time::DATE } else { i64::from(self.decimals) };
        match value {
            Value::DateTime(at) => Value::Text(time::text_as(at, digits).into()),
            other => other,
        }
    }

    /// A column that belongs to no table.
    pub(crate) fn typed(name: impl Into<String>, ty: Type) -> Self {
        Self {
            schema: String::new(),
            table: String::new(),
            org_table: String::new(),
            name: name.into(),
            org_name: String::new(),
            ty: ty.ty,
            length: ty.length,
            decimals: ty.decimals,
            nullable: ty.nullable,
            primary_key: false,
        }
    }
}

impl Value {
    /// The value as the text protocol writes it; `None` for NULL. A time has six digits behind the point.
    pub fn text(&self) -> Option<Bytes> {
        text_of(self)
    }

    /// The number that it is where one is asked for: of a text what it begins with, 0 if that is none. `None` for NULL.
    pub fn as_f64(&self) -> Option<f64> {
        Number::of(self).map(Number::as_f64)
    }

    /// How many bytes it has beside its place in a row.
    pub(crate) fn content_bytes(&self) -> usize {
        match self {
            Self::Text(b) | Self::Bytes(b) | Self::Json(b) => b.len(),
            Self::Decimal(text) => text.len(),
            Self::Null | Self::Int(_) | Self::UInt(_) | Self::Double(_) | Self::DateTime(_) => 0,
        }
    }
}
