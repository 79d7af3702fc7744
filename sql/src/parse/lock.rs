//! LOCK TABLES, UNLOCK TABLES, FLUSH and KILL.

use super::ddl::existing;
use super::reader::Reader;
use super::refuse::unsupported;
use super::tokens::Symbol;
use crate::ast::{LockStatement, Name, Parsed};
use crate::command::{KillScope, LockMode};
use crate::error::SqlError;

/// The statement that is next, if it is one of these.
pub(super) fn lock(reader: &mut Reader<'_>) -> Result<Option<Parsed>, SqlError> {
    if reader.take(&["LOCK", "TABLES"]) || reader.take(&["LOCK", "TABLE"]) {
        return locked(reader).map(|tables| Some(Parsed::Lock(LockStatement::Tables(tables))));
    }
    if reader.take(&["UNLOCK", "TABLES"]) || reader.take(&["UNLOCK", "TABLE"]) {
        return Ok(Some(Parsed::Lock(LockStatement::Unlock)));
    }
    if reader.take(&["FLUSH"]) {
        return flush(reader).map(Some);
    }
    if reader.take(&["KILL"]) {
        let scope = match reader.take_any(&["QUERY", "CONNECTION"]) {
            Some("QUERY") => KillScope::Query,
            Some(_) | None => KillScope::Connection,
        };
        return Ok(Some(Parsed::Kill { id: reader.expression()?, scope }));
    }
    Ok(None)
}

/// `t [[AS] alias] {READ [LOCAL] | [LOW_PRIORITY] WRITE}, ..`
fn locked(reader: &mut Reader<'_>) -> Result<Vec<(Name, LockMode)>, SqlError> {
    let mut tables = Vec::new();
    loop {
        let name = existing(reader)?;
        // Aliases need no locks of their own here: the table is what is locked.
        if reader.take(&["AS"]) || !reader.sees_any(&["READ", "WRITE", "LOW_PRIORITY"]) {
            reader.name()?;
        }
        let mode = if reader.take(&["READ"]) {
            reader.take(&["LOCAL"]);
            LockMode::Read
        } else {
            reader.take(&["LOW_PRIORITY"]);
            reader.expect(&["WRITE"])?;
            LockMode::Write
        };
        tables.push((name, mode));
        if !reader.take_symbol(Symbol::Comma) {
            return Ok(tables);
        }
    }
}

/// FLUSH, from behind the word.
fn flush(reader: &mut Reader<'_>) -> Result<Parsed, SqlError> {
    reader.take_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
    if reader.take(&["PRIVILEGES"]) {
        // Rights are in force as soon as they are given.
        return Ok(Parsed::Do(Vec::new()));
    }
    if reader.take_any(&["TABLES", "TABLE"]).is_none() {
        let what = reader.peek().map_or("", |token| token.text(reader.text)).to_uppercase();
        return Err(unsupported(
            &format!("FLUSH {what}"),
            "every acknowledged write is durable, and there are no caches",
        ));
    }
    let mut tables = Vec::new();
    if !reader.at_end() && !reader.sees(&["WITH"]) {
        tables.push((existing(reader)?, LockMode::Read));
        while reader.take_symbol(Symbol::Comma) {
            tables.push((existing(reader)?, LockMode::Read));
        }
    }
    if reader.sees(&["FOR", "EXPORT"]) {
        return Err(unsupported("FLUSH TABLES .. FOR EXPORT", "copy the stores with their own tools"));
    }
    if !reader.take(&["WITH", "READ", "LOCK"]) {
        // Closing files that nobody has open.
        return Ok(Parsed::Do(Vec::new()));
    }
    let lock = if tables.is_empty() { LockStatement::Everything } else { LockStatement::Tables(tables) };
    Ok(Parsed::Lock(lock))
}
