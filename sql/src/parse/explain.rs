//! EXPLAIN and its synonyms DESCRIBE and DESC, which are about a statement or a table.
//!
//! EXPLAIN of a connection is refused; the options that choose how MySQL prints its plan are read and mean nothing.

use super::dispatch::statement;
use super::reader::Reader;
use super::show;
use super::tokens::Symbol;
use crate::ast::Parsed;
use crate::error::{SqlError, unsupported};

/// Whether EXPLAIN, DESCRIBE or DESC is about a statement rather than a table.
pub(super) fn explains(reader: &Reader<'_>) -> bool {
    let words = [
        "SELECT",
        "INSERT",
        "DELETE",
        "UPDATE",
        "REPLACE",
        "ANALYZE",
        "FORMAT",
        "EXTENDED",
        "PARTITIONS",
        "FOR",
        "WITH",
    ];
    reader.peek_at(1).is_some_and(|t| words.iter().any(|w| t.is(reader.text, w)) || t.is_symbol(Symbol::Open))
}

/// EXPLAIN and its synonyms, of a statement or a table.
pub(super) fn explain(reader: &mut Reader<'_>) -> Result<Parsed, SqlError> {
    let of_statement = explains(reader);
    reader.next();
    if !of_statement {
        return show::describe(reader).map(Parsed::Show);
    }
    let mut analyze = false;
    loop {
        if reader.take(&["ANALYZE"]) {
            analyze = true;
        } else if reader.take(&["FORMAT"]) {
            // There is one format; the name only says how MySQL would print its own.
            reader.expect_symbol(Symbol::Equal, "=")?;
            reader.name_or_string()?;
        } else if reader.take_any(&["EXTENDED", "PARTITIONS"]).is_none() {
            break;
        }
    }
    if reader.sees(&["FOR", "CONNECTION"]) {
        return Err(unsupported("EXPLAIN FOR CONNECTION", "explain the statement itself"));
    }
    let opens = reader.sees_symbol(Symbol::Open);
    if !opens && !reader.sees_any(&["SELECT", "INSERT", "DELETE", "UPDATE", "REPLACE", "WITH"]) {
        return Err(reader.error("expected SELECT, INSERT or DELETE"));
    }
    Ok(Parsed::Explain { analyze, statement: Box::new(statement(reader)?) })
}
