//! INSERT and DELETE.

use super::reader::Reader;
use super::refuse::immutable;
use super::select;
use super::tokens::{Kind, Symbol};
use crate::ast::{Delete, Insert, Name};
use crate::error::{SqlError, unsupported};

/// INSERT, from behind the word.
pub(super) fn insert(reader: &mut Reader<'_>) -> Result<Insert, SqlError> {
    let mut ignore = false;
    while let Some(word) = reader.take_any(&["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE"]) {
        ignore |= word == "IGNORE";
    }
    reader.take(&["INTO"]);
    let (database, table) = reader.qualified()?;
    let table = Name { database, table };
    if reader.sees(&["PARTITION"]) {
        return Err(unsupported("INSERT .. PARTITION", "leave it out: a row's shard follows from its row_key"));
    }
    if reader.take(&["SET"]) {
        return set_form(reader, table, ignore);
    }
    let columns = columns(reader)?;
    if reader.sees(&["SELECT"]) || reader.sees(&["TABLE"]) || reader.sees(&["WITH"]) || reader.sees_symbol(Symbol::Open)
    {
        return Err(unsupported("INSERT .. SELECT", "read the rows and insert them with VALUES"));
    }
    if reader.take_any(&["VALUES", "VALUE"]).is_none() {
        return Err(reader.error("expected VALUES"));
    }
    let mut rows = Vec::new();
    loop {
        reader.take(&["ROW"]);
        reader.expect_symbol(Symbol::Open, "(")?;
        rows.push(if reader.sees_symbol(Symbol::Close) { Vec::new() } else { reader.expressions()? });
        reader.expect_symbol(Symbol::Close, ")")?;
        if !reader.take_symbol(Symbol::Comma) {
            break;
        }
    }
    let (unchanged, returning) = tail(reader)?;
    let ignore = ignore || !unchanged.is_empty();
    Ok(Insert { table, columns, rows, ignore, unchanged, returning })
}

fn columns(reader: &mut Reader<'_>) -> Result<Option<Vec<String>>, SqlError> {
    if !reader.sees_symbol(Symbol::Open)
        || reader.peek_at(1).is_some_and(|t| t.is(reader.text, "SELECT") || t.is(reader.text, "WITH"))
    {
        return Ok(None);
    }
    reader.take_symbol(Symbol::Open);
    let mut columns = Vec::new();
    if !reader.sees_symbol(Symbol::Close) {
        loop {
            columns.push(column(reader)?);
            if !reader.take_symbol(Symbol::Comma) {
                break;
            }
        }
    }
    reader.expect_symbol(Symbol::Close, ")")?;
    // `INSERT INTO t () VALUES ()` names no column.
    Ok(if columns.is_empty() { None } else { Some(columns) })
}

/// `c`, `t.c`, `d.t.c`: the last name is the column.
fn column(reader: &mut Reader<'_>) -> Result<String, SqlError> {
    let mut name = reader.name()?;
    while reader.take_symbol(Symbol::Dot) {
        name = reader.name()?;
    }
    Ok(name)
}

/// `INSERT INTO t SET a = 1, b = 2`
fn set_form(reader: &mut Reader<'_>, table: Name, ignore: bool) -> Result<Insert, SqlError> {
    let (mut columns, mut row) = (Vec::new(), Vec::new());
    loop {
        columns.push(column(reader)?);
        if !reader.take_symbol(Symbol::Equal) {
            reader.expect_symbol(Symbol::Assign, "=")?;
        }
        row.push(reader.expression()?);
        if !reader.take_symbol(Symbol::Comma) {
            break;
        }
    }
    let (unchanged, returning) = tail(reader)?;
    let ignore = ignore || !unchanged.is_empty();
    Ok(Insert { table, columns: Some(columns), rows: vec![row], ignore, unchanged, returning })
}

/// What may follow the values: columns that a row which exists keeps, and RETURNING.
fn tail(reader: &mut Reader<'_>) -> Result<(Vec<String>, Option<Vec<crate::ast::Item>>), SqlError> {
    // A name for the new rows, which is good for nothing but what cannot be done.
    let names_new = reader.take(&["AS"]);
    if names_new {
        reader.name()?;
        if reader.take_symbol(Symbol::Open) {
            reader.skip_parenthesis()?;
        }
    }
    let mut unchanged = Vec::new();
    if reader.take(&["ON", "DUPLICATE", "KEY", "UPDATE"]) {
        loop {
            let set = column(reader)?;
            // What mappers write to skip rows that exist: `c = c`. Everything else would change a cell.
            let is_same = !names_new
                && reader.take_symbol(Symbol::Equal)
                && reader.peek().is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Quoted))
                && column(reader)?.eq_ignore_ascii_case(&set)
                && (reader.at_end() || reader.sees_symbol(Symbol::Comma) || reader.sees(&["RETURNING"]));
            if !is_same {
                return Err(immutable("ON DUPLICATE KEY UPDATE"));
            }
            unchanged.push(set);
            if !reader.take_symbol(Symbol::Comma) {
                break;
            }
        }
    }
    let returning = if reader.take(&["RETURNING"]) { Some(select::items(reader)?) } else { None };
    Ok((unchanged, returning))
}

/// DELETE, from behind the word.
pub(super) fn delete(reader: &mut Reader<'_>) -> Result<Delete, SqlError> {
    let erase = "erase by key: DELETE FROM t WHERE row_key = ? [AND column_key = ? [AND ref_key = ?]]";
    while reader.take_any(&["LOW_PRIORITY", "QUICK", "IGNORE"]).is_some() {}
    if !reader.take(&["FROM"]) {
        if reader.at_end() {
            return Err(reader.error("expected FROM"));
        }
        return Err(unsupported("DELETE from several tables", erase));
    }
    let from = select::table(reader)?.ok_or_else(|| reader.error("expected a table"))?;
    if reader.sees(&["USING"]) {
        return Err(unsupported("DELETE from several tables", erase));
    }
    let condition = if reader.take(&["WHERE"]) { Some(reader.expression()?) } else { None };
    if reader.sees(&["ORDER"]) {
        return Err(unsupported("DELETE with ORDER BY", erase));
    }
    let limit = if reader.take(&["LIMIT"]) { Some(select::count(reader)?) } else { None };
    if reader.sees(&["RETURNING"]) {
        return Err(unsupported("DELETE .. RETURNING", "read the cells before they are erased"));
    }
    Ok(Delete { from, condition, limit })
}
