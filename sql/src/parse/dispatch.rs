//! Which parser reads a statement: the one of its first words, and for a SELECT the first of three that can.
//!
//! What is refused by name (`refuse.rs`) is so behind the parsers that look at the words themselves (transactions,
//! accounts, grants, locks, prepared statements) and before all others. Of a SELECT that nobody can read, the error is
//! that of the cell dialect, unless that only says that the dialect does not have it.

use super::explain::explain;
use super::reader::Reader;
use super::tokens::Symbol;
use super::{
    account, account_grant, alter, ddl, insert, lock, prepare, refuse, relational, select, set, show, transaction,
    wrapped,
};
use crate::ast::Parsed;
use crate::error::SqlError;
use crate::relational::RelationalError;

/// Parses the statement the reader is at, up to what it does not understand.
pub(super) fn statement(reader: &mut Reader<'_>) -> Result<Parsed, SqlError> {
    if reader.tokens.is_empty() {
        // Nothing but comments.
        return Ok(Parsed::Do(Vec::new()));
    }
    if let Some(transaction) = transaction::transaction(reader)? {
        return Ok(Parsed::Transaction(transaction));
    }
    if let Some(account) = account::account(reader)? {
        return Ok(Parsed::Account(Box::new(account)));
    }
    if let Some(grant) = account_grant::grant(reader)? {
        return Ok(Parsed::Grant(Box::new(grant)));
    }
    if let Some(lock) = lock::lock(reader)? {
        return Ok(lock);
    }
    if let Some(prepared) = prepare::prepare(reader)? {
        return Ok(Parsed::Prepared(prepared));
    }
    if let Some(refusal) = refuse::refusal(reader) {
        return Err(refusal);
    }
    if reader.sees_any(&["EXPLAIN", "DESCRIBE", "DESC"]) {
        return explain(reader);
    }
    if reader.sees(&["SELECT"]) {
        return select_of_either_kind(reader);
    }
    if reader.sees_symbol(Symbol::Open) {
        let start = reader.at;
        match wrapped::parenthesized(reader) {
            Ok(Some(select)) if !select.names_system_database() => return Ok(Parsed::Select(Box::new(select))),
            Err(error) if reader.too_deep.get() => return Err(error),
            Ok(_) | Err(_) => reader.at = start,
        }
        return relational::query(reader).map(|q| Parsed::Relational { query: Box::new(q), refusal: None });
    }
    if reader.take(&["INSERT"]) {
        return insert::insert(reader).map(|i| Parsed::Insert(Box::new(i)));
    }
    if reader.take(&["DELETE"]) {
        return insert::delete(reader).map(Parsed::Delete);
    }
    if reader.take(&["SET"]) {
        return set::set(reader).map(Parsed::Set);
    }
    if reader.sees(&["SHOW", "COUNT"]) {
        return show::count(reader).map(|select| Parsed::Select(Box::new(select)));
    }
    if reader.take(&["SHOW"]) {
        return show::show(reader).map(Parsed::Show);
    }
    if reader.take(&["USE"]) {
        return reader.name().map(Parsed::Use);
    }
    if reader.take(&["CREATE"]) {
        return ddl::create(reader).map(Parsed::Ddl);
    }
    if reader.take(&["DROP"]) {
        return ddl::drop(reader).map(Parsed::Ddl);
    }
    if reader.take(&["ALTER"]) {
        return alter::alter(reader).map(Parsed::Ddl);
    }
    if reader.take(&["RENAME"]) {
        return ddl::rename(reader).map(Parsed::Ddl);
    }
    if reader.take(&["TRUNCATE"]) {
        return ddl::truncate(reader).map(Parsed::Ddl);
    }
    if reader.take(&["DO"]) {
        return reader.expressions().map(Parsed::Do);
    }
    Err(reader.error("expected a statement"))
}

/// A SELECT of the cell dialect if it is one, else of the relational engine.
fn select_of_either_kind(reader: &mut Reader<'_>) -> Result<Parsed, SqlError> {
    let start = reader.at;
    reader.take(&["SELECT"]);
    let plain = select::select(reader).and_then(|select| reader.end().map(|()| select));
    let refusal = match plain {
        Ok(select) if !select.names_system_database() => return Ok(Parsed::Select(Box::new(select))),
        Ok(_) => None,
        // Another parser needs no less stack.
        Err(error) if reader.too_deep.get() => return Err(error),
        Err(error) => Some(error),
    };
    reader.at = start;
    match wrapped::wrapped(reader) {
        Ok(Some(wrapped)) if !wrapped.select.names_system_database() => return Ok(Parsed::Wrapped(Box::new(wrapped))),
        Err(error) if reader.too_deep.get() => return Err(error),
        Ok(_) | Err(_) => reader.at = start,
    }
    match (relational::query(reader), refusal) {
        (Ok(query), refusal) => Ok(Parsed::Relational { query: Box::new(query), refusal }),
        // Neither can: what is wrong to the simpler one is said, unless it only does not have it.
        (Err(error), None)
        | (Err(error @ SqlError::Relational(RelationalError::NoAlias)), Some(_))
        | (
            Err(
                error @ (SqlError::Syntax { .. }
                | SqlError::Unsupported { .. }
                | SqlError::IllegalDouble(_)
                | SqlError::Limit { .. }),
            ),
            Some(SqlError::Unsupported { .. }),
        ) => Err(error),
        (Err(_), Some(refusal)) => Err(refusal),
    }
}
