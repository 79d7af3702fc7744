//! Filling an engine's tables, and keeping rows for as long as they hold.
//!
//! An engine that was stopped while a table was filled must be thrown away: callers ask `Engine::is_half_filled`.

use cellgate_sql::Row;
use cellgate_sql::relational::{Packed, Program, Relation};

use super::Engine;
use super::values::Borrowed;
use crate::relational::RelationalFailure;
use crate::until::Until;

/// How many rows are made and filled in between two looks: some milliseconds.
const ROWS_BETWEEN_LOOKS: usize = 1000;

/// Rows for a table that hold for one run only, or for as long as the key does.
pub(in crate::relational) struct Filling<'a> {
    pub relation: &'static Relation,
    pub rows: Source<'a>,
}

/// Where rows come from.
pub(in crate::relational) enum Source<'a> {
    /// Made, one after the other, when they are not kept from an earlier run.
    Kept(Box<dyn FnOnce() -> Box<dyn Iterator<Item = Row> + 'a> + 'a>),
    /// For this run.
    Now(Vec<Row>),
}

impl<K> Engine<K> {
    pub(super) fn fill(&mut self, filling: Filling<'_>, until: &Until) -> Result<(), RelationalFailure> {
        let name = Program::table_name(filling.relation);
        let mut stays = false;
        let rows = match filling.rows {
            Source::Kept(_) if self.kept.contains(&name) => return Ok(()),
            Source::Kept(make) => {
                stays = true;
                make()
            }
            Source::Now(rows) => Box::new(rows.into_iter()),
        };
        self.half_filled = true;
        // Columns have no type: SQLite is to compare and convert nothing by itself.
        let columns: Vec<String> = filling.relation.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
        self.connection.execute_batch(&format!(
            "BEGIN; DROP TABLE IF EXISTS \"{name}\"; CREATE TABLE \"{name}\" ({})",
            columns.join(",")
        ))?;
        let places = vec!["?"; columns.len()].join(",");
        let mut filled = 0_usize;
        {
            let mut insert = self.connection.prepare(&format!("INSERT INTO \"{name}\" VALUES ({places})"))?;
            for row in rows {
                if filled.is_multiple_of(ROWS_BETWEEN_LOOKS) && until.is_over() {
                    return Err(RelationalFailure::Timeout);
                }
                filled += 1;
                let row: Vec<Packed> = row.iter().map(Packed::of).collect();
                insert.execute(rusqlite::params_from_iter(row.iter().map(Borrowed)))?;
            }
        }
        // Clients ask for one table's rows in almost every statement.
        let indexed: Vec<&str> = ["TABLE_SCHEMA", "TABLE_NAME"]
            .into_iter()
            .filter(|c| filling.relation.columns.iter().any(|column| column.name == *c))
            .collect();
        if indexed.len() == 2 && filled > 64 {
            self.connection.execute_batch(&format!(
                "CREATE INDEX \"{name}.by_table\" ON \"{name}\" (\"TABLE_SCHEMA\", \"TABLE_NAME\")"
            ))?;
        }
        self.connection.execute_batch("COMMIT")?;
        self.half_filled = false;
        if stays {
            self.kept.insert(name);
        }
        Ok(())
    }

    /// Drops what is held.
    pub(super) fn forget(&mut self) -> rusqlite::Result<()> {
        let names: Vec<String> = {
            let mut statement = self.connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
        };
        for name in names {
            self.connection.execute_batch(&format!("DROP TABLE \"{name}\""))?;
        }
        self.kept.clear();
        Ok(())
    }
}
