//! Relational SELECTs: parsed into trees of our own, and printed as SQL for the SQLite of the relational engine.
//!
//! Nothing a client wrote gets into that SQL. Tables and columns are called `t0`, `c0`, ..; values are parameters;
//! operators and functions are SQLite's own only where the types of their operands make both mean the same, and
//! otherwise a call of `mysql(n, ..)`, which the engine answers with [`Program::call`]: the dialect's own evaluation.
//!
//! Values SQLite has no type for (decimals, times, JSON, bytes) travel as tagged blobs ([`Packed`]).

mod aggregate;
pub(crate) mod ast;
mod binder;
mod clauses;
mod entry;
mod error;
mod from;
mod groups;
mod items;
mod kept_rows;
mod nested;
mod print;
mod printing_budget;
mod program;
mod query;
mod scope;
mod select;
mod sets;
mod sqlite_value;

pub use aggregate::Accumulator;
pub(crate) use entry::{bind, describe};
pub use error::RelationalError;
pub use program::{Program, Skipping, names};
pub use sqlite_value::Packed;

use crate::error::SqlError;
use crate::value::ColumnType;

type Result<T> = std::result::Result<T, SqlError>;

/// A table the relational engine can fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its database, as MySQL spells it.
    pub database: &'static str,
    /// Its name, as MySQL spells it.
    pub name: &'static str,
    /// Whether the columns of a result are called as it spells them, as those of MySQL's views over its dictionary are, and
    /// not as the statement does.
    pub own_spelling: bool,
    /// Its columns.
    pub columns: &'static [RelationColumn],
}

/// A column of a [`Relation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelationColumn {
    /// Its name, as MySQL spells it.
    pub name: &'static str,
    /// Its type.
    pub ty: ColumnType,
    /// Longest value, in characters.
    pub length: u32,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// Whether its text compares without case.
    pub fold: bool,
}

/// Length of text that can be anything, as LONGTEXT says it.
const LONG: u32 = 4_294_967_295;

impl RelationColumn {
    const fn new(name: &'static str, ty: ColumnType, length: u32) -> Self {
        Self { name, ty, length, nullable: true, fold: true }
    }

    /// Text of at most so many characters.
    pub const fn text(name: &'static str, length: u32) -> Self {
        Self::new(name, ColumnType::Text, length)
    }

    /// Text of any length.
    pub const fn long_text(name: &'static str) -> Self {
        Self::new(name, ColumnType::Text, LONG)
    }

    /// A name that compares with case: of a database or table.
    pub const fn name(name: &'static str) -> Self {
        Self { fold: false, ..Self::new(name, ColumnType::Text, 64) }
    }

    /// A signed number.
    pub const fn int(name: &'static str) -> Self {
        Self::new(name, ColumnType::BigInt, 21)
    }

    /// An unsigned number.
    pub const fn unsigned(name: &'static str) -> Self {
        Self::new(name, ColumnType::UnsignedBigInt, 21)
    }

    /// A time, in seconds.
    pub const fn time(name: &'static str) -> Self {
        Self::new(name, ColumnType::DateTime, 19)
    }

    /// What is always NULL.
    pub const fn nothing(name: &'static str) -> Self {
        Self::new(name, ColumnType::Bytes, 0)
    }

    /// The same, never NULL.
    pub const fn required(self) -> Self {
        Self { nullable: false, ..self }
    }
}
