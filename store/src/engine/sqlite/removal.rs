//! Removing a table of cells in steps, so that whoever writes to the same file waits for one of them and not for all.
//!
//! DROP TABLE walks through every page of the table and its indexes in one transaction. Deleting rows instead, some at a time,
//! changes a page of the index by name for each of them: many times as many pages as the table has. So a table of more
//! than one step is first *set aside*: in one transaction it loses its indexes and gets a name under which nobody looks for it.
//! Then its rows go from the front, page by page, and what is left is dropped.
//!
//! To whoever reads or writes, the table is gone with the first step. Each step finds out by itself what is left: behind a
//! kill, a failure or a lost caller the next removal goes on, and two of them at once do no harm.

use cellgate_schemaless::{TableId, TableRef};
use rusqlite::Connection;

use super::file::Failure;
use super::write::Texts;
use super::writer::WriteSide;
use crate::StoreError;
use crate::sql::{SQLITE, Sql};

/// Most rows of one step: some milliseconds.
pub(super) const STEP_ROWS: usize = 1000;

/// Bytes of bodies behind which a step ends: 4096 pages, 30 ms.
pub(super) const STEP_BYTES: i64 = 16 * 1024 * 1024;

/// How the name of a table begins, and how it ends, that is set aside; its id is between.
const ASIDE: &str = "cg_dropped_";
const ASIDE_END: &str = "_cells";

/// The id of a table that has the name of one that was set aside.
pub(crate) fn id_of_set_aside(name: &str) -> Option<TableId> {
    name.strip_prefix(ASIDE)?.strip_suffix(ASIDE_END)?.parse().ok().map(TableId)
}

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
    /// Its name when it is set aside: no table of cells has such a one, whose last part is no number.
    aside: String,
}

impl Removal {
    pub(crate) fn of(table: &TableRef) -> Self {
        Self { table: table.clone(), aside: format!("{ASIDE}{}{ASIDE_END}", table.id) }
    }

    /// Does one step, in a transaction of its own.
    pub(crate) fn step(&self, side: &mut WriteSide) -> Result<Left, StoreError> {
        let left = side.transaction(|sqlite, texts| {
            // Overwriting every page of a large table would keep the writer for minutes; ERASE is what promises it. And a view
            // of somebody's that names what is not there is to keep no table from getting another name.
            sqlite.execute_batch("PRAGMA secure_delete = OFF; PRAGMA legacy_alter_table = ON")?;
            let left = self.remove_some(sqlite, texts);
            sqlite.execute_batch("PRAGMA secure_delete = ON; PRAGMA legacy_alter_table = OFF")?;
            left
        })?;
        side.committed();
        Ok(left)
    }

    fn remove_some(&self, sqlite: &Connection, texts: &mut Texts) -> Result<Left, Failure> {
        if has_table(sqlite, &self.aside)? {
            match end_of_step(sqlite, &self.aside)? {
                Some(end) => {
                    let mut sql = Sql::new(&SQLITE);
                    sql.push("DELETE FROM ").name(&self.aside).push(" WHERE added_id <= ?");
                    sqlite.prepare_cached(&sql.finish().text)?.execute([end])?;
                }
                None => sqlite.execute_batch(&Sql::new(&SQLITE).push("DROP TABLE ").name(&self.aside).finish().text)?,
            }
            return Ok(Left::Something);
        }
        let physical = self.table.physical();
        if !has_table(sqlite, physical)? {
            return Ok(Left::Nothing);
        }
        texts.clear();
        sqlite.flush_prepared_statement_cache();
        if end_of_step(sqlite, physical)?.is_none() {
            sqlite.execute_batch(&SQLITE.drop_cell_table(&self.table))?;
            return Ok(Left::Nothing);
        }
        self.set_aside(sqlite)?;
        Ok(Left::Something)
    }

    /// Takes its indexes and its name from the table, and what somebody has added: an index would change with every row that
    /// goes, and a trigger run for it.
    fn set_aside(&self, sqlite: &Connection) -> Result<(), Failure> {
        let physical = self.table.physical();
        // Those without text are made by a constraint and cannot be dropped.
        let added = "SELECT upper(type), name FROM sqlite_schema \
                     WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL";
        let mut change = Sql::new(&SQLITE);
        let mut statement = sqlite.prepare(added)?;
        let mut rows = statement.query([physical])?;
        while let Some(row) = rows.next()? {
            let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
            change.push("DROP ").push(&kind).push(" ").name(&name).push("; ");
        }
        change.push("ALTER TABLE ").name(physical).push(" RENAME TO ").name(&self.aside);
        Ok(sqlite.execute_batch(&change.finish().text)?)
    }
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
