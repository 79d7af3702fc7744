//! Statements that change cells and are the same in all engines.
//!
//! How a batch is inserted is not among them: each engine has its own way to make the log head, the rows and the
//! outcome per row one round trip (C1, C4 of docs/ARCHITECTURE.md).

use cellgate_schemaless::{CellKind, Erasure, TableRef};

use super::{Dialect, Query, Sql};

impl Dialect {
    /// The columns an INSERT of cells fills, in order: all of the table but `txn`.
    pub(crate) const INSERT_COLUMNS: [&'static str; 10] =
        ["added_id", "shard", "kind", "def", "ref_key", "created_at", "token", "row_key", "column_key", "body"];

    /// Turns the cells of `what` into slots of kind erased. `txn` stays: an undecided cell is settled as before.
    pub(crate) fn erase(&self, table: &TableRef, what: &Erasure) -> Query {
        let mut sql = Sql::new(self);
        sql.push("UPDATE ").name(table.physical()).push(" SET ").name("kind").push(" = ");
        sql.push(&CellKind::Erased.code().to_string()).push(", ").name("body").push(" = NULL WHERE ");
        sql.name("row_key").push(" = ").bytes(what.row().as_bytes());
        match what {
            Erasure::Row(_) => {}
            Erasure::Column(_, column) => {
                sql.push(" AND ").name("column_key").push(" = ").bytes(column.as_bytes());
            }
            Erasure::Cell(triple) => {
                sql.push(" AND ").name("column_key").push(" = ").bytes(triple.column.as_bytes());
                sql.push(" AND ").name("ref_key").push(" = ").int(triple.ref_key.0);
            }
        }
        sql.push(" AND ").name("kind").push(" = ").push(&CellKind::Cell.code().to_string()).finish()
    }
}
