//! Statements that change cells and are the same in all engines.
//!
//! How a batch is inserted is not among them: each engine has its own way to make the log head, the rows and the
//! outcome per row one round trip (C1, C4 of docs/ARCHITECTURE.md).

use cellgate_schemaless::{AddedId, CellKind, ColumnKey, Erasure, RefKey, RowKey, TableRef, Triple};

use super::clauses::padded;
use super::{Dialect, KeyLists, Param, Query, Sql};

impl Dialect {
    /// The columns an INSERT of cells fills, in order: all of the table but `txn`.
    pub(crate) const INSERT_COLUMNS: [&'static str; 10] =
        ["added_id", "shard", "kind", "def", "ref_key", "created_at", "token", "row_key", "column_key", "body"];

    /// Turns a cell into a slot of kind erased, if its id is not above `up_to`. `txn` stays: an undecided cell is settled as
    /// before.
    pub(crate) fn erase_cell(&self, table: &TableRef, name: &Triple, up_to: Option<AddedId>) -> Query {
        let mut sql = Sql::new(self);
        sql.erasing(table).key_equals(&name.row, &name.column).push(" AND ").name("ref_key").push(" = ");
        sql.int(name.ref_key.0).up_to(up_to).that_are_cells().finish()
    }

    /// The same of the rows with these ids: at least one, and with [`KeyLists::Single`] exactly one.
    pub(crate) fn erase_ids(&self, table: &TableRef, ids: &[AddedId]) -> Query {
        let mut sql = Sql::new(self);
        sql.erasing(table).name("added_id");
        match self.keys {
            KeyLists::Unnest => {
                sql.push(" = ANY(").param(Param::IntList(ids.iter().map(|id| id.0).collect())).push(")");
            }
            KeyLists::Single | KeyLists::TupleIn => {
                sql.push(" IN (");
                for (i, id) in padded(ids).enumerate() {
                    sql.push(if i > 0 { ", " } else { "" }).int(id.0);
                }
                sql.push(")");
            }
        }
        sql.that_are_cells().finish()
    }

    /// The slots of a row or a chain, of whatever kind, behind `after`, with ids up to and including `up_to`, in the
    /// order of their names: statements to run one after the other until there are `limit` slots. Each answers at most
    /// so many: the id, column, version and kind of a slot and, with [`KeyLists::Single`], the bytes of its body, which
    /// others would have to read for that.
    ///
    /// None of one cell: it needs not be looked for.
    pub(crate) fn slots(
        &self,
        table: &TableRef,
        what: &Erasure,
        after: Option<&Triple>,
        up_to: Option<AddedId>,
        limit: u64,
    ) -> Vec<Query> {
        let of = |row: &RowKey, column: Option<(&str, &ColumnKey)>, above: Option<RefKey>| {
            let mut sql = Sql::new(self);
            sql.push("SELECT ").names("", &["added_id", "column_key", "ref_key", "kind"]);
            if self.keys == KeyLists::Single {
                sql.push(", LENGTH(").name("body").push(")");
            }
            // By name, though ids have an index, too: a bound of them is no way to find a row's.
            sql.push(" FROM ").name(table.physical()).use_index(&self.cell_index(table.id));
            sql.push(" WHERE ").name("row_key").push(" = ").bytes(row.as_bytes());
            if let Some((is, column)) = column {
                sql.push(" AND ").name("column_key").push(is).bytes(column.as_bytes());
            }
            if let Some(RefKey(above)) = above {
                sql.push(" AND ").name("ref_key").push(" > ").int(above);
            }
            sql.up_to(up_to).order_by("", &["column_key", "ref_key"], "").limit(limit).finish()
        };
        match (what, after) {
            (Erasure::Row(row), None) => vec![of(row, None, None)],
            (Erasure::Row(row), Some(Triple { column, ref_key, .. })) => {
                vec![of(row, Some((" = ", column)), Some(*ref_key)), of(row, Some((" > ", column)), None)]
            }
            (Erasure::Column(row, column), after) => {
                vec![of(row, Some((" = ", column)), after.map(|after| after.ref_key))]
            }
            (Erasure::Cell(_), _) => Vec::new(),
        }
    }
}

impl Sql<'_> {
    fn erasing(&mut self, table: &TableRef) -> &mut Self {
        self.push("UPDATE ").name(table.physical()).push(" SET ").name("kind").push(" = ");
        self.push(&CellKind::Erased.code().to_string()).push(", ").name("body").push(" = NULL WHERE ")
    }

    fn that_are_cells(&mut self) -> &mut Self {
        self.push(" AND ").name("kind").push(" = ").push(&CellKind::Cell.code().to_string())
    }
}
