//! INSERT and DELETE.

use super::reader::Reader;
use super::refuse::immutable;
use super::select;
use super::tokens::{Kind, Symbol};
use crate::ast::{Delete, Insert, Item, Name};
use crate::error::{SqlError, unsupported};
use crate::relational::RelationalError;

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
    let (unchanged, returning) = tail(reader, &table)?;
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
    let (unchanged, returning) = tail(reader, &table)?;
    let ignore = ignore || !unchanged.is_empty();
    Ok(Insert { table, columns: Some(columns), rows: vec![row], ignore, unchanged, returning })
}

/// `AS new (a, b)` behind the values: what ON DUPLICATE KEY UPDATE can call the new rows by, and their columns.
struct NewRows {
    name: String,
    /// Empty: the columns have the names that they have in the table.
    columns: Vec<String>,
}

fn new_rows(reader: &mut Reader<'_>, table: &Name) -> Result<Option<NewRows>, SqlError> {
    if !reader.take(&["AS"]) {
        return Ok(None);
    }
    let name = reader.name()?;
    if name.eq_ignore_ascii_case(&table.table) {
        return Err(RelationalError::NotUnique(name).into());
    }
    Ok(Some(NewRows { name, columns: columns(reader)?.unwrap_or_default() }))
}

/// What may follow the values: columns that a row which exists keeps, and RETURNING.
fn tail(reader: &mut Reader<'_>, table: &Name) -> Result<(Vec<String>, Option<Vec<Item>>), SqlError> {
    let new = new_rows(reader, table)?;
    let mut unchanged = Vec::new();
    if reader.take(&["ON", "DUPLICATE", "KEY", "UPDATE"]) {
        loop {
            let set = column(reader)?;
            // What mappers write to skip rows that exist: `c = c`. Everything else would change a cell.
            let is_same = reader.take_symbol(Symbol::Equal)
                && reader.peek().is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Quoted))
                && is_kept(reader, &set, table, new.as_ref())?;
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

/// Whether what a column is set to is the column itself, of the row that exists and not of the new one.
fn is_kept(reader: &mut Reader<'_>, set: &str, table: &Name, new: Option<&NewRows>) -> Result<bool, SqlError> {
    let mut names = vec![reader.name()?];
    while reader.take_symbol(Symbol::Dot) {
        names.push(reader.name()?);
    }
    let is_whole = reader.at_end() || reader.sees_symbol(Symbol::Comma) || reader.sees(&["RETURNING"]);
    let (name, qualifier) = (names.pop().unwrap_or_default(), names.pop());
    if !is_whole || !name.eq_ignore_ascii_case(set) {
        return Ok(false);
    }
    match (new, qualifier) {
        (_, Some(qualifier)) if qualifier.eq_ignore_ascii_case(&table.table) => Ok(true),
        (Some(new), Some(qualifier)) if qualifier.eq_ignore_ascii_case(&new.name) => Ok(false),
        (_, Some(qualifier)) => {
            let column = format!("{qualifier}.{name}");
            Err(SqlError::UnknownColumn { column, clause: "field list", hint: String::new() })
        }
        // Both rows have it.
        (Some(new), None) if new.columns.is_empty() || new.columns.iter().any(|c| c.eq_ignore_ascii_case(set)) => {
            Err(RelationalError::Ambiguous { column: name, clause: "field list" }.into())
        }
        (_, None) => Ok(true),
    }
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
