//! Parts of statements that read cells.

use cellgate_schemaless::{CellKind, ColumnKey, RowKey, TableRef};

use super::{CELL_COLUMNS, Sql};

impl Sql<'_> {
    pub(super) fn select(&mut self, prefix: &str, table: &TableRef) -> &mut Self {
        self.push("SELECT ").names(prefix, &CELL_COLUMNS).push(" FROM ").name(table.physical())
    }

    pub(super) fn use_index(&mut self, index: &str) -> &mut Self {
        if let Some((open, close)) = self.dialect.index_hint {
            self.push(open).name(index).push(close);
        }
        self
    }

    pub(super) fn key_equals(&mut self, row: &RowKey, column: &ColumnKey) -> &mut Self {
        self.name("row_key").push(" = ").bytes(row.as_bytes());
        self.push(" AND ").name("column_key").push(" = ").bytes(column.as_bytes())
    }

    /// Neither lock nor closed.
    pub(super) fn not_hidden(&mut self) -> &mut Self {
        let (lock, closed) = (CellKind::Lock.code().to_string(), CellKind::Closed.code().to_string());
        self.name("kind").push(" NOT IN (").push(&lock).push(", ").push(&closed).push(")")
    }

    pub(super) fn order_by(&mut self, prefix: &str, columns: &[&str], order: &str) -> &mut Self {
        self.push(" ORDER BY ");
        for (i, column) in columns.iter().enumerate() {
            self.push(if i > 0 { ", " } else { "" }).push(prefix).name(column).push(order);
        }
        self
    }

    pub(super) fn limit(&mut self, limit: u64) -> &mut Self {
        self.push(" LIMIT ").int(i64::try_from(limit).unwrap_or(i64::MAX))
    }
}

/// The keys, the last one repeated up to the next power of two: a list of keys then has few different texts.
pub(super) fn padded<T>(keys: &[T]) -> impl Iterator<Item = &T> {
    let missing = keys.len().next_power_of_two() - keys.len();
    keys.iter().chain(keys.last().into_iter().cycle().take(missing))
}
