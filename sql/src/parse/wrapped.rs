//! A SELECT within another that only counts its rows, or asks whether there are any: what mappers make of `count()` and
//! `exists()`. And a SELECT in parentheses.

use super::reader::Reader;
use super::select;
use super::tokens::{Kind, Symbol};
use crate::ast::{Around, Item, Limit, Select, Wrapped};
use crate::error::{SqlError, unsupported};
use crate::expression::Expression;
use crate::value::Value;

/// `SELECT COUNT(*) FROM (SELECT ..) AS t`, `SELECT EXISTS (SELECT ..)`, and `SELECT 1 FROM (SELECT 1) AS t WHERE EXISTS
/// (SELECT ..)`; nothing, with the reader anywhere, if the statement is none of these. A query that is wrong in itself is
/// left to the caller, too.
pub(super) fn wrapped(reader: &mut Reader<'_>) -> Result<Option<Wrapped>, SqlError> {
    if !reader.take(&["SELECT"]) {
        return Ok(None);
    }
    let found = if reader.sees(&["EXISTS"]) { exists(reader)? } else { from_query(reader)? };
    Ok(found.filter(|wrapped| wrapped.select.from.is_some() && reader.at_end()))
}

/// A plain SELECT in any number of parentheses; nothing if it is anything else.
pub(super) fn parenthesized(reader: &mut Reader<'_>) -> Result<Option<Select>, SqlError> {
    let mut open = 0;
    while reader.take_symbol(Symbol::Open) {
        open += 1;
    }
    if !reader.take(&["SELECT"]) {
        return Ok(None);
    }
    let select = select::select(reader)?;
    let closed = (0..open).all(|_| reader.take_symbol(Symbol::Close));
    Ok(Some(select).filter(|_| closed && reader.at_end()))
}

/// `EXISTS (SELECT ..) [[AS] name] [FROM DUAL] [LIMIT n]`
fn exists(reader: &mut Reader<'_>) -> Result<Option<Wrapped>, SqlError> {
    let start = reader.at;
    reader.take(&["EXISTS"]);
    let Some(mut select) = query(reader)? else { return Ok(None) };
    let written = reader.written(start).to_owned();
    let name = select::alias(reader, true)?.unwrap_or(written);
    let _dual = reader.take(&["FROM", "DUAL"]);
    if !one_row(reader)? {
        return Ok(None);
    }
    only_one(&mut select);
    Ok(Some(Wrapped { select, around: Around::Exists { name } }))
}

/// `COUNT(*) [[AS] name] FROM (SELECT ..) [AS] t [LIMIT n]`, or constants `FROM (SELECT 1) t WHERE EXISTS (SELECT ..)`.
fn from_query(reader: &mut Reader<'_>) -> Result<Option<Wrapped>, SqlError> {
    let start = reader.at;
    if counts(reader) {
        let written = reader.written(start).to_owned();
        let name = select::alias(reader, true)?.unwrap_or(written);
        if !reader.take(&["FROM"]) {
            return Ok(None);
        }
        let Some(mut select) = query(reader)? else { return Ok(None) };
        let named = reader.take(&["AS"]) || reader.peek().is_some_and(|t| matches!(t.kind, Kind::Word | Kind::Quoted));
        if !named {
            return Ok(None);
        }
        reader.name()?;
        if !one_row(reader)? {
            return Ok(None);
        }
        if select.limit.count.is_none() {
            // Without a cut the order counts for nothing.
            select.order_by.clear();
        }
        return Ok(Some(Wrapped { select, around: Around::Count { name } }));
    }
    let Ok(items) = select::items(reader) else { return Ok(None) };
    if !reader.take(&["FROM"]) {
        return Ok(None);
    }
    if !reader.take(&["DUAL"]) {
        match query(reader)? {
            Some(dummy) if is_one_constant_row(&dummy) => {}
            Some(_) | None => return Ok(None),
        }
        reader.take(&["AS"]);
        if reader.name().is_err() {
            return Ok(None);
        }
    }
    if !reader.take(&["WHERE", "EXISTS"]) {
        return Ok(None);
    }
    let Some(mut select) = query(reader)? else { return Ok(None) };
    if !one_row(reader)? || !items.iter().all(is_constant) {
        return Ok(None);
    }
    only_one(&mut select);
    Ok(Some(Wrapped { select, around: Around::IfAny { items } }))
}

/// `COUNT(*)` or `COUNT(1)`, which count rows.
fn counts(reader: &mut Reader<'_>) -> bool {
    let is = |ahead, symbol| reader.peek_at(ahead).is_some_and(|t| t.is_symbol(symbol));
    let number = reader.peek_at(2).is_some_and(|t| t.kind == Kind::Number);
    let found =
        reader.sees(&["COUNT"]) && is(1, Symbol::Open) && (is(2, Symbol::Star) || number) && is(3, Symbol::Close);
    if found {
        reader.at += 4;
    }
    found
}

/// `(SELECT ..)`
fn query(reader: &mut Reader<'_>) -> Result<Option<Select>, SqlError> {
    if !reader.take_symbol(Symbol::Open) || !reader.take(&["SELECT"]) {
        return Ok(None);
    }
    let select = select::select(reader)?;
    if !select.into.is_empty() || select.counts_all {
        return Err(unsupported("INTO or SQL_CALC_FOUND_ROWS in a subquery", "leave it out"));
    }
    Ok(Some(select).filter(|_| reader.take_symbol(Symbol::Close)))
}

/// Takes a LIMIT that leaves the one row there is; whether nothing else follows.
fn one_row(reader: &mut Reader<'_>) -> Result<bool, SqlError> {
    let Limit { count, offset } = select::limit(reader)?;
    let number = |expression: &super::Expr| match expression {
        Expression::Constant(Value::Int(number)) => Some(*number),
        _ => None,
    };
    let leaves = count.is_none_or(|count| number(&count).is_some_and(|count| count > 0))
        && offset.is_none_or(|offset| number(&offset) == Some(0));
    Ok(leaves && reader.at_end())
}

/// Of rows that are only asked for, one is enough.
fn only_one(select: &mut Select) {
    if select.limit.count.is_none() {
        select.limit.count = Some(Expression::Constant(Value::Int(1)));
        select.order_by.clear();
    }
}

fn is_one_constant_row(select: &Select) -> bool {
    select.from.is_none()
        && select.condition.is_none()
        && select.group_by.is_empty()
        && select.having.is_none()
        && select.limit.count.is_none()
        && select.items.iter().all(is_constant)
}

fn is_constant(item: &Item) -> bool {
    matches!(item, Item::Expression { expression: Expression::Constant(_), .. })
}
