//! ALTER TABLE and ALTER DATABASE.

use super::ddl::{existing, identifier, json_default, row_column, table, twice};
use super::options;
use super::reader::Reader;
use super::tokens::Symbol;
use crate::ast::{DdlStatement, Name};
use crate::columns::CellColumn;
use crate::command::{RowColumnSpec, TableChange};
use crate::error::{Named, SqlError, unsupported};

/// As MySQL, which has no such clauses; MariaDB has.
const ASK_COLUMNS: &str = "ask INFORMATION_SCHEMA.COLUMNS first, or go on behind error 1060 or 1091";

/// What ALTER TABLE can do, for whoever asks for something else.
const INSTEAD: &str = "a cell table can ADD, DROP, RENAME, CHANGE and MODIFY COLUMN name JSON, RENAME TO, and COMMENT";
const NO_INDEX: &str = "cells are found by row_key, column_key and ref_key, which have their unique key already; \
    to find rows by a value, write a cell under a key made of that value";

/// ALTER, from behind the word.
pub(super) fn alter(reader: &mut Reader<'_>) -> Result<DdlStatement, SqlError> {
    if reader.take_any(&["DATABASE", "SCHEMA"]).is_some() {
        let options = ["DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "ENCRYPTION"];
        let name = if reader.sees_any(&options) { None } else { Some(identifier(reader, Named::Database)?) };
        if reader.sees(&["READ"]) {
            return Err(unsupported("ALTER DATABASE .. READ ONLY", "give users only the rights to read"));
        }
        if !reader.sees_any(&options) {
            return Err(reader.error("expected CHARACTER SET, COLLATE or ENCRYPTION"));
        }
        return Ok(DdlStatement::AlterDatabase { name, collation: options::database(reader)? });
    }
    reader.expect(&["TABLE"])?;
    let mut alter = Alter { name: existing(reader)?, changes: Vec::new(), rename: None };
    loop {
        alter.action(reader)?;
        if !reader.take_symbol(Symbol::Comma) {
            break;
        }
    }
    alter.finish()
}

struct Alter {
    name: Name,
    changes: Vec<TableChange>,
    rename: Option<Name>,
}

impl Alter {
    fn action(&mut self, reader: &mut Reader<'_>) -> Result<(), SqlError> {
        if reader.take(&["DISABLE", "KEYS"]) || reader.take(&["ENABLE", "KEYS"]) || reader.take(&["FORCE"]) {
            // What every dump says around its inserts; there are no keys to switch off, and nothing to rebuild.
            return Ok(());
        }
        if reader.take_any(&["ALGORITHM", "LOCK"]).is_some() {
            // How MySQL goes about it; here only the catalog changes.
            reader.take_symbol(Symbol::Equal);
            reader.name()?;
            return Ok(());
        }
        if reader.take(&["CONVERT", "TO", "CHARACTER", "SET"]) || reader.take(&["CONVERT", "TO", "CHARSET"]) {
            options::charset(reader)?;
            if reader.take(&["COLLATE"]) {
                options::collation(reader)?;
            }
            return Ok(());
        }
        if reader.take(&["ADD"]) {
            return self.add(reader);
        }
        if reader.take(&["DROP"]) {
            return self.drop(reader);
        }
        if reader.take(&["RENAME"]) {
            return self.rename(reader);
        }
        if reader.take(&["CHANGE"]) {
            reader.take(&["COLUMN"]);
            let from = declared(reader, "CHANGE COLUMN")?;
            return self.redefine(reader, from);
        }
        if reader.take(&["MODIFY"]) {
            reader.take(&["COLUMN"]);
            let at = reader.at;
            let from = declared(reader, "MODIFY COLUMN")?;
            reader.at = at;
            return self.redefine(reader, from);
        }
        if reader.take(&["ALTER"]) {
            if reader.sees_any(&["INDEX", "CHECK", "CONSTRAINT"]) {
                return Err(unsupported("ALTER TABLE .. ALTER INDEX", NO_INDEX));
            }
            reader.take(&["COLUMN"]);
            let column = declared(reader, "ALTER COLUMN")?;
            let missing = if reader.take(&["DROP", "DEFAULT"]) {
                None
            } else {
                reader.expect(&["SET", "DEFAULT"])?;
                json_default(reader, &column)?
            };
            self.changes.push(TableChange::SetDefault { column, missing });
            return Ok(());
        }
        let options = options::table(reader)?;
        if options.any {
            self.changes.extend(options.comment.map(TableChange::Comment));
            return Ok(());
        }
        let what = reader.peek().map_or("", |t| t.text(reader.text)).to_uppercase();
        Err(unsupported(&format!("ALTER TABLE .. {what}"), INSTEAD))
    }

    fn add(&mut self, reader: &mut Reader<'_>) -> Result<(), SqlError> {
        for word in ["INDEX", "KEY", "UNIQUE", "PRIMARY", "FULLTEXT", "SPATIAL"] {
            if reader.sees(&[word]) && !is_column(reader) {
                return Err(unsupported(&format!("ALTER TABLE .. ADD {word}"), NO_INDEX));
            }
        }
        for word in ["CONSTRAINT", "FOREIGN", "CHECK", "PARTITION"] {
            if reader.sees(&[word]) && !is_column(reader) {
                return Err(unsupported(&format!("ALTER TABLE .. ADD {word}"), INSTEAD));
            }
        }
        reader.take(&["COLUMN"]);
        if reader.sees(&["IF", "NOT", "EXISTS"]) {
            return Err(unsupported("ADD COLUMN IF NOT EXISTS", ASK_COLUMNS));
        }
        if reader.take_symbol(Symbol::Open) {
            loop {
                self.changes.push(TableChange::Add(row_column(reader)?));
                if !reader.take_symbol(Symbol::Comma) {
                    break;
                }
            }
            return reader.expect_symbol(Symbol::Close, ")");
        }
        self.changes.push(TableChange::Add(row_column(reader)?));
        in_order(reader)
    }

    fn drop(&mut self, reader: &mut Reader<'_>) -> Result<(), SqlError> {
        for word in ["INDEX", "KEY", "PRIMARY", "FOREIGN", "CONSTRAINT", "CHECK", "PARTITION"] {
            let alone = reader.peek_at(1).is_none_or(|t| t.is_symbol(Symbol::Comma));
            if reader.sees(&[word]) && !alone {
                return Err(unsupported(&format!("ALTER TABLE .. DROP {word}"), INSTEAD));
            }
        }
        reader.take(&["COLUMN"]);
        if reader.sees(&["IF", "EXISTS"]) {
            return Err(unsupported("DROP COLUMN IF EXISTS", ASK_COLUMNS));
        }
        let column = declared(reader, "DROP COLUMN")?;
        reader.take_any(&["RESTRICT", "CASCADE"]);
        self.changes.push(TableChange::Drop(column));
        Ok(())
    }

    fn rename(&mut self, reader: &mut Reader<'_>) -> Result<(), SqlError> {
        if reader.take(&["COLUMN"]) {
            let from = declared(reader, "RENAME COLUMN")?;
            reader.expect(&["TO"])?;
            let to = column_name(reader)?;
            self.changes.push(TableChange::Rename { from, to });
            return Ok(());
        }
        if reader.sees_any(&["INDEX", "KEY"]) {
            return Err(unsupported("ALTER TABLE .. RENAME INDEX", NO_INDEX));
        }
        if reader.take_any(&["TO", "AS"]).is_none() {
            reader.take_symbol(Symbol::Equal);
        }
        self.rename = Some(table(reader)?);
        Ok(())
    }

    fn redefine(&mut self, reader: &mut Reader<'_>, from: String) -> Result<(), SqlError> {
        let column = row_column(reader)?;
        self.changes.push(TableChange::Redefine { from, column });
        in_order(reader)
    }

    fn finish(self) -> Result<DdlStatement, SqlError> {
        let added = self.changes.iter().filter_map(|change| match change {
            TableChange::Add(RowColumnSpec { name, .. }) => Some(name),
            TableChange::Drop(_)
            | TableChange::Rename { .. }
            | TableChange::Redefine { .. }
            | TableChange::SetDefault { .. }
            | TableChange::Comment(_) => None,
        });
        twice(added)?;
        Ok(DdlStatement::AlterTable { name: self.name, changes: self.changes, rename: self.rename })
    }
}

/// Whether the next word is the name of a column: a type follows it.
fn is_column(reader: &Reader<'_>) -> bool {
    reader.peek_at(1).is_some_and(|t| t.is(reader.text, "JSON"))
}

/// The name of a declared column; those that every cell has stay as they are.
fn declared(reader: &mut Reader<'_>, what: &str) -> Result<String, SqlError> {
    let name = reader.name()?;
    if CellColumn::named(&name).is_some() {
        return Err(unsupported(&format!("{what} {name}"), "every cell has it"));
    }
    Ok(name)
}

/// A new name of a declared column.
fn column_name(reader: &mut Reader<'_>) -> Result<String, SqlError> {
    let name = identifier(reader, Named::Column)?;
    if CellColumn::named(&name).is_some() {
        return Err(SqlError::DuplicateColumn(name));
    }
    Ok(name)
}

fn in_order(reader: &Reader<'_>) -> Result<(), SqlError> {
    if reader.sees_any(&["FIRST", "AFTER"]) {
        return Err(unsupported("FIRST or AFTER", "columns keep the order in which they were added"));
    }
    Ok(())
}
