//! Removing a table of cells in steps, so that whoever writes to the same file waits for one of them and not for all.
//!
//! DROP TABLE walks through every page of the table and its indexes in one transaction. Deleting rows instead, some at a time,
//! changes a page of the index by name for each of them: many times as many pages as the table has. So a table of more
//! than one step is first *set aside*: in one transaction its cells get a name of their own, under which nobody looks for
//! them, and its two indexes become tables. An index has the format of a table WITHOUT ROWID whose key is what the index is
//! over and the row id, so that this changes the schema and no page of theirs. Then each of the three is emptied from its
//! front, page by page, and what is left is dropped.
//!
//! To whoever reads or writes, the table is gone with the first step. Each step finds out by itself what is left: behind a
//! kill, a failure or a lost caller the next removal goes on, and two of them at once do no harm.

use cellgate_schemaless::{TableId, TableRef};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::file::Failure;
use super::write::Texts;
use super::writer::WriteSide;
use crate::StoreError;
use crate::sql::{SQLITE, Sql};

/// Most rows of cells of one step: some milliseconds.
pub(super) const STEP_ROWS: usize = 1000;

/// Bytes of bodies behind which a step ends: 4096 pages, 30 ms.
const STEP_BYTES: i64 = 16 * 1024 * 1024;

/// Most entries of an index of one step: as long as that many rows.
const STEP_ENTRIES: i64 = 8000;

/// What a step leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// More to remove.
    Something,
    /// Neither the table nor anything that was set aside of it.
    Nothing,
}

/// The removal of one table.
#[derive(Debug)]
pub(crate) struct Removal {
    table: TableRef,
    /// Where the cells are set aside.
    cells: String,
    /// Where the indexes are.
    entries: [Entries; 2],
}

/// An index that became a table.
#[derive(Debug)]
struct Entries {
    index: String,
    table: String,
    /// The columns that the index is over, and the row id.
    key: &'static [&'static str],
}

impl Removal {
    pub(crate) fn of(table: &TableRef) -> Self {
        let id = table.id;
        let cells = set_aside(id, "cells");
        let names = Entries {
            index: SQLITE.cell_index(id),
            table: set_aside(id, "names"),
            key: &["row_key", "column_key", "ref_key", "added_id"],
        };
        let log = Entries { index: SQLITE.log_index(id), table: set_aside(id, "log"), key: &["shard", "added_id"] };
        Self { table: table.clone(), cells, entries: [names, log] }
    }

    /// Does one step, in a transaction of its own.
    pub(crate) fn step(&self, side: &mut WriteSide) -> Result<Left, StoreError> {
        let left = side.transaction(|sqlite, texts| {
            // Overwriting every page of a large table would keep the writer for minutes; ERASE is what promises it.
            sqlite.pragma_update(None, "secure_delete", false)?;
            let left = self.remove_some(sqlite, texts);
            sqlite.pragma_update(None, "secure_delete", true)?;
            left
        })?;
        side.committed();
        Ok(left)
    }

    fn remove_some(&self, sqlite: &Connection, texts: &mut Texts) -> Result<Left, Failure> {
        if has_table(sqlite, &self.cells)? {
            self.remove_some_set_aside(sqlite)?;
            return Ok(Left::Something);
        }
        let physical = self.table.physical();
        if !has_table(sqlite, physical)? {
            return Ok(Left::Nothing);
        }
        texts.clear();
        sqlite.flush_prepared_statement_cache();
        if end_of_step(sqlite, physical)?.is_none() || !is_as_made(sqlite, physical)? {
            sqlite.execute_batch(&SQLITE.drop_cell_table(&self.table))?;
            return Ok(Left::Nothing);
        }
        self.set_aside(sqlite)?;
        Ok(Left::Something)
    }

    /// Empties what was set aside, or drops what is left of it.
    fn remove_some_set_aside(&self, sqlite: &Connection) -> Result<(), Failure> {
        for entries in &self.entries {
            if entries.remove_some(sqlite)? {
                return Ok(());
            }
        }
        if let Some(end) = end_of_step(sqlite, &self.cells)? {
            let mut sql = Sql::new(&SQLITE);
            sql.push("DELETE FROM ").name(&self.cells).push(" WHERE added_id <= ?");
            sqlite.prepare_cached(&sql.finish().text)?.execute([end])?;
            return Ok(());
        }
        // In one transaction: the cells are what says that there is something.
        for table in self.entries.iter().map(|entries| &entries.table).chain([&self.cells]) {
            sqlite.execute_batch(&Sql::new(&SQLITE).push("DROP TABLE ").name(table).finish().text)?;
        }
        Ok(())
    }

    fn set_aside(&self, sqlite: &Connection) -> Result<(), Failure> {
        // With it, renaming also overlooks a view of somebody's that names what is not there.
        sqlite.pragma_update(None, "writable_schema", true)?;
        let done = self.change_schema(sqlite);
        // Reads the changed schema, and makes it unchangeable again.
        sqlite.pragma_update(None, "writable_schema", "RESET")?;
        done
    }

    fn change_schema(&self, sqlite: &Connection) -> Result<(), Failure> {
        let mut rename = Sql::new(&SQLITE);
        rename.push("ALTER TABLE ").name(self.table.physical()).push(" RENAME TO ").name(&self.cells);
        // It also raises the number by which all connections see that the schema has changed.
        sqlite.execute_batch(&rename.finish().text)?;
        let become_table = "UPDATE sqlite_schema SET type = 'table', name = ?1, tbl_name = ?1, sql = ?2 \
                            WHERE type = 'index' AND name = ?3";
        for entries in &self.entries {
            let changed =
                sqlite.execute(become_table, params![&entries.table, entries.definition(), &entries.index])?;
            if changed != 1 {
                let detail = format!("{} has no index {}", self.table.physical(), entries.index);
                return Err(Failure::Store(StoreError::Corrupt { detail }));
            }
        }
        Ok(())
    }
}

impl Entries {
    fn definition(&self) -> String {
        let mut sql = Sql::new(&SQLITE);
        sql.push("CREATE TABLE ").name(&self.table).push(" (");
        for column in self.key {
            let kind = if ["row_key", "column_key"].contains(column) { SQLITE.row_key } else { SQLITE.big };
            sql.name(column).push(" ").push(kind).push(" NOT NULL, ");
        }
        sql.push("PRIMARY KEY (").names("", self.key).push(")) WITHOUT ROWID");
        sql.finish().text
    }

    /// Removes the entries of one step, if there are more than that; answers whether there were.
    fn remove_some(&self, sqlite: &Connection) -> Result<bool, Failure> {
        let mut last = Sql::new(&SQLITE);
        last.push("SELECT ").names("", self.key).push(" FROM ").name(&self.table);
        last.push(" ORDER BY ").names("", self.key).push(" LIMIT 1 OFFSET ?");
        let key = |row: &rusqlite::Row<'_>| (0..self.key.len()).map(|column| row.get(column)).collect();
        let mut last = sqlite.prepare_cached(&last.finish().text)?;
        let Some(end): Option<Vec<Value>> = last.query_row([STEP_ENTRIES], key).optional()? else { return Ok(false) };
        let mut delete = Sql::new(&SQLITE);
        delete.push("DELETE FROM ").name(&self.table).push(" WHERE (").names("", self.key).push(") < (");
        delete.push(&vec!["?"; self.key.len()].join(", ")).push(")");
        sqlite.prepare_cached(&delete.finish().text)?.execute(params_from_iter(end))?;
        Ok(true)
    }
}

/// What a part of a dropped table is called: no table of cells has such a name, whose last part is no number.
fn set_aside(id: TableId, part: &str) -> String {
    format!("cg_dropped_{id}_{part}")
}

fn has_table(sqlite: &Connection, name: &str) -> Result<bool, Failure> {
    Ok(sqlite.prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")?.exists([name])?)
}

/// The `added_id` of the last row of a step; `None` if no row is behind it.
fn end_of_step(sqlite: &Connection, table: &str) -> Result<Option<i64>, Failure> {
    let mut sql = Sql::new(&SQLITE);
    // The length is in front of the body, whose pages are not read for it.
    sql.push("SELECT added_id, length(body) FROM ").name(table).push(" ORDER BY added_id");
    let mut statement = sqlite.prepare_cached(&sql.finish().text)?;
    let mut rows = statement.query([])?;
    let (mut end, mut count, mut bytes) = (None, 0, 0);
    while let Some(row) = rows.next()? {
        if count == STEP_ROWS || bytes >= STEP_BYTES {
            return Ok(end);
        }
        end = Some(row.get(0)?);
        count += 1;
        bytes += row.get::<_, Option<i64>>(1)?.unwrap_or(0);
    }
    Ok(None)
}

/// Whether nobody has given the table an index of his own, which would be changed with every row, or a trigger, which would
/// run for it.
fn is_as_made(sqlite: &Connection, table: &str) -> Result<bool, Failure> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE tbl_name = ? AND (type = 'table' OR sql IS NOT NULL)";
    Ok(sqlite.query_row(sql, [table], |row| row.get::<_, i64>(0))? == 3)
}
