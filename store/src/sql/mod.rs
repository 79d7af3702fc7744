//! SQL that all engines share.
//!
//! Three engines, one text: every statement is built here, once, and what differs between engines is a field of a
//! [`Dialect`] value. A driver binds [`Param`]s, runs the [`Query`], and reads rows of [`CELL_COLUMNS`].
//! Nothing in here performs IO.

mod clauses;
mod dialect;
mod names;
mod own_tables;
mod scan;
mod schema;
mod search;
#[cfg(test)]
mod tests;
mod write;

use bytes::Bytes;

pub(crate) use clauses::room;
pub use dialect::Dialect;
pub(crate) use dialect::{
    Indexes, InsertIfAbsent, KeyLists, Lists, MARIADB, MYSQL, MYSQL_WITH_LATERAL, POSTGRES, SQLITE, SQLITE_SHORT,
};
pub(crate) use names::{BATCH_BODY, LatestBy, below_hidden, is_hidden, left_out, match_gets, match_latest};
pub(crate) use own_tables::{FIRST_EPOCH, FIRST_HEAD, first_id, highest_id};
pub(crate) use search::{TimeSearch, by_shard};

/// The columns every read of cells returns, in this order.
pub(crate) const CELL_COLUMNS: [&str; 10] =
    ["added_id", "shard", "kind", "created_at", "token", "txn", "row_key", "column_key", "ref_key", "body"];

/// A statement with its parameters, in the order of their placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The text. Equal shapes have equal texts, so that a driver can keep it prepared.
    pub(crate) text: String,
    /// One per placeholder.
    pub(crate) params: Vec<Param>,
}

/// A value to bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    /// A binary string.
    Bytes(Bytes),
    /// A signed 64-bit number, whatever the width of the column.
    Int(i64),
    /// Text.
    Text(String),
    /// NULL for a column of numbers.
    NullInt,
    /// A list of binary strings, only for [`KeyLists::Unnest`].
    BytesList(Vec<Bytes>),
    /// A list of numbers, only for [`KeyLists::Unnest`].
    IntList(Vec<i64>),
}

/// A statement being written.
pub(crate) struct Sql<'d> {
    dialect: &'d Dialect,
    text: String,
    params: Vec<Param>,
    /// Whether cells are read with their bodies.
    bodies: bool,
}

impl<'d> Sql<'d> {
    /// Starts an empty statement.
    pub(crate) fn new(dialect: &'d Dialect) -> Self {
        Self { dialect, text: String::with_capacity(256), params: Vec::new(), bodies: true }
    }

    /// The same for one that reads cells without their bodies: those are NULL, and the server does not look for them.
    pub(crate) fn without_bodies(dialect: &'d Dialect) -> Self {
        Self { bodies: false, ..Self::new(dialect) }
    }

    /// Appends text as it is.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a quoted identifier.
    pub(crate) fn name(&mut self, name: &str) -> &mut Self {
        self.dialect.quote(&mut self.text, name);
        self
    }

    /// Appends quoted identifiers, separated by commas, each behind `prefix` (an alias with its dot, or nothing).
    pub(crate) fn names(&mut self, prefix: &str, names: &[&str]) -> &mut Self {
        for (i, name) in names.iter().enumerate() {
            if i > 0 {
                self.text.push_str(", ");
            }
            self.text.push_str(prefix);
            self.name(name);
        }
        self
    }

    /// Appends a placeholder and its value.
    pub(crate) fn param(&mut self, value: Param) -> &mut Self {
        self.params.push(value);
        let number = self.params.len();
        self.dialect.placeholder(&mut self.text, number, &self.params[number - 1]);
        self
    }

    /// Appends a placeholder for bytes.
    pub(crate) fn bytes(&mut self, value: &Bytes) -> &mut Self {
        self.param(Param::Bytes(value.clone()))
    }

    /// Appends a placeholder for a number.
    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        self.param(Param::Int(value))
    }

    /// The finished statement.
    pub(crate) fn finish(&mut self) -> Query {
        Query { text: std::mem::take(&mut self.text), params: std::mem::take(&mut self.params) }
    }
}
