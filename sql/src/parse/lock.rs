//! LOCK TABLES, UNLOCK TABLES, FLUSH and KILL.

use super::ddl::existing;
use super::reader::Reader;
use super::tokens::Symbol;
use crate::ast::{LockStatement, LockedTable, Parsed};
use crate::command::{Flush, KillScope, LockMode};
use crate::error::{SqlError, unsupported};

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
fn locked(reader: &mut Reader<'_>) -> Result<Vec<LockedTable>, SqlError> {
    let mut tables = Vec::new();
    loop {
        let name = existing(reader)?;
        // Aliases need no locks of their own here: the table is what is locked.
        let aliased = reader.take(&["AS"]) || !reader.sees_any(&["READ", "WRITE", "LOW_PRIORITY"]);
        let alias = if aliased { Some(reader.name()?) } else { None };
        let mode = if reader.take(&["READ"]) {
            reader.take(&["LOCAL"]);
            LockMode::Read
        } else {
            reader.take(&["LOW_PRIORITY"]);
            reader.expect(&["WRITE"])?;
            LockMode::Write
        };
        tables.push(LockedTable { name, alias, mode });
        if !reader.take_symbol(Symbol::Comma) {
            return Ok(tables);
        }
    }
}

/// FLUSH, from behind the word.
fn flush(reader: &mut Reader<'_>) -> Result<Parsed, SqlError> {
    reader.take_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
    if reader.take_any(&["TABLES", "TABLE"]).is_none() {
        let mut flushed = Vec::new();
        loop {
            flushed.extend(flush_one(reader)?);
            if !reader.take_symbol(Symbol::Comma) {
                return Ok(Parsed::Flush(flushed));
            }
        }
    }
    let mut tables = Vec::new();
    if !reader.at_end() && !reader.sees(&["WITH"]) {
        loop {
            tables.push(LockedTable { name: existing(reader)?, alias: None, mode: LockMode::Read });
            if !reader.take_symbol(Symbol::Comma) {
                break;
            }
        }
    }
    if reader.sees(&["FOR", "EXPORT"]) {
        return Err(unsupported("FLUSH TABLES .. FOR EXPORT", "copy the stores with their own tools"));
    }
    if !reader.take(&["WITH", "READ", "LOCK"]) {
        // Closing files that nobody has open.
        return Ok(Parsed::Flush(Vec::new()));
    }
    let lock = if tables.is_empty() { LockStatement::Everything } else { LockStatement::Flushed(tables) };
    Ok(Parsed::Lock(lock))
}

/// One of the things FLUSH can name; nothing for what has nothing to be flushed here.
fn flush_one(reader: &mut Reader<'_>) -> Result<Option<Flush>, SqlError> {
    // Rights are in force as soon as they are given, there are no limits per hour, and logs go to stderr, which stays open.
    let without_effect: [&[&str]; 7] = [
        &["PRIVILEGES"],
        &["USER_RESOURCES"],
        &["LOGS"],
        &["ERROR", "LOGS"],
        &["GENERAL", "LOGS"],
        &["SLOW", "LOGS"],
        &["ENGINE", "LOGS"],
    ];
    if without_effect.iter().any(|words| reader.take(words)) {
        return Ok(None);
    }
    if reader.take(&["HOSTS"]) {
        return Ok(Some(Flush::LoginDelays));
    }
    if reader.take(&["SSL"]) {
        return Ok(Some(Flush::Certificate));
    }
    let refused: [(&[&str], &str); 4] = [
        (&["STATUS"], "counters go on; take the difference of two readings"),
        (&["BINARY", "LOGS"], "there are no binary logs; poll a table's log instead"),
        (&["RELAY", "LOGS"], "replication is the business of the clusters' own servers"),
        (&["OPTIMIZER_COSTS"], "there is no optimizer that estimates costs"),
    ];
    if let Some((words, instead)) = refused.iter().find(|(words, _)| reader.sees(words)) {
        return Err(unsupported(&format!("FLUSH {}", words.join(" ")), instead));
    }
    let what = reader.peek().map_or("", |token| token.text(reader.text)).to_uppercase();
    Err(unsupported(&format!("FLUSH {what}"), "every acknowledged write is durable, and there are no caches"))
}
