//! Parts of statements that read cells.

use cellgate_schemaless::{CellKind, ColumnKey, RowKey, TableRef};

use super::{CELL_COLUMNS, KeyLists, Sql};

impl Sql<'_> {
    pub(super) fn select(&mut self, prefix: &str, table: &TableRef) -> &mut Self {
        self.columns(prefix, self.dialect.longest_body).push(" FROM ").name(table.physical())
    }

    /// `SELECT` and the columns of cells; a body of more bytes than the `longest` is NULL.
    pub(super) fn columns(&mut self, prefix: &str, longest: Option<usize>) -> &mut Self {
        let (body, others) = ("body", &CELL_COLUMNS[..CELL_COLUMNS.len() - 1]);
        if !self.bodies {
            let null = if self.dialect.keys == KeyLists::Unnest { ", NULL::bytea AS " } else { ", NULL AS " };
            return self.push("SELECT ").names(prefix, others).push(null).name(body);
        }
        let Some(longest) = longest else { return self.push("SELECT ").names(prefix, &CELL_COLUMNS) };
        self.push("SELECT ").names(prefix, others).push(", CASE WHEN LENGTH(").push(prefix).name(body);
        self.push(") <= ").push(&longest.to_string()).push(" THEN ").push(prefix).name(body);
        self.push(" END AS ").name(body)
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

/// How many keys the text of a list of so many has room for: a quarter of a power of two, or a multiple of it up to that
/// power. So a list has few different texts (twelve up to 64), and as a rule an eighth of it is repetition.
pub(crate) fn room(keys: usize) -> usize {
    let step = (keys.next_power_of_two() / 4).max(1);
    keys.next_multiple_of(step)
}

/// The keys, the last one repeated up to the room a text has for them.
pub(super) fn padded<T>(keys: &[T]) -> impl Iterator<Item = &T> {
    let missing = room(keys.len()) - keys.len();
    keys.iter().chain(keys.last().into_iter().cycle().take(missing))
}
