//! A relational SELECT as the program that answers it, or as the columns it will have.
//!
//! Deep queries are bound on a stack of their own. Beside the query itself stands what FOUND_ROWS() takes.

use super::Result;
use super::aggregate::Joined;
use super::ast::{Body, Query, RelLimit};
use super::binder::Binder;
use super::program::{Program, Skipping};
use super::scope::Column;
use crate::bind::scope::Session;
use crate::command::Cut;
use crate::environment::Environment;
use crate::error::SqlError;
use crate::parameters::Parameters;
use crate::parse::on_big_stack;
use crate::value::ColumnMeta;

/// How deep a query may nest and be bound on the caller's stack.
const SHALLOW: usize = 24;

/// Binds a relational SELECT.
///
/// # Errors
/// Unknown names, and what is refused.
pub(crate) fn bind(query: &Query, session: &Session<'_>) -> Result<Program> {
    with_stack(query, session.env, Some(session))
}

/// The result columns of a relational SELECT whose parameters are not known yet; none if it has INTO.
///
/// # Errors
/// Unknown names, and what is refused.
pub(crate) fn describe(query: &Query, env: &dyn Environment) -> Result<Vec<ColumnMeta>> {
    let columns = with_stack(query, env, None).map(|program| program.columns)?;
    let visible = columns.len().saturating_sub(query.assigned.len());
    Ok(if query.into.is_empty() { columns.into_iter().take(visible).collect() } else { Vec::new() })
}

fn with_stack(query: &Query, env: &dyn Environment, session: Option<&Session<'_>>) -> Result<Program> {
    if query.depth > SHALLOW { on_big_stack(|| program(query, env, session)) } else { program(query, env, session) }
}

fn program(query: &Query, env: &dyn Environment, session: Option<&Session<'_>>) -> Result<Program> {
    let own = Session::new(env, Parameters::NONE);
    let mut binder = Binder::new(env, session, session.unwrap_or(&own));
    let limited = without_parentheses(query).limit != RelLimit::default();
    let (cut, uncut) = cut(query, &mut binder)?;
    let bound = binder.query(uncut.as_ref().unwrap_or(query), None)?;
    let skipping = skipping(query, &bound.sql, &mut binder)?;
    let columns: Vec<_> = bound.columns.iter().zip(bound.aliases).map(|(column, table)| meta(column, table)).collect();
    if !query.into.is_empty() && query.into.len() != columns.len() {
        return Err(SqlError::IntoCount);
    }
    Ok(Program {
        sql: bound.sql,
        parameters: binder.parameters,
        scalars: binder.scalars.into_all(),
        joined: binder.aggregates.all().iter().map(|_| Joined::new(binder.notes.clone())).collect(),
        aggregates: binder.aggregates.into_all().into_iter().map(|(spec, _)| spec).collect(),
        relations: binder.relations,
        columns,
        into: query.into.clone(),
        assigned: query.assigned.clone(),
        rows: env.collect_rows(),
        bytes: env.collect_bytes(),
        limited,
        most: u64::MAX,
        cut,
        skipping,
        notes: binder.notes,
        longest: env.longest_value(),
    })
}

/// The query itself, without parentheses around all of it.
fn without_parentheses(query: &Query) -> &Query {
    let plain = query.order_by.is_empty() && query.limit == RelLimit::default();
    match &query.body {
        Body::Query(inner) if plain => without_parentheses(inner),
        Body::Query(_) | Body::Select(_) | Body::Set(..) => query,
    }
}

/// The query itself, without parentheses around it, if it is a plain SELECT.
fn plain_select(query: &Query) -> Option<&Query> {
    Some(without_parentheses(query)).filter(|query| matches!(query.body, Body::Select(_)))
}

/// With SQL_CALC_FOUND_ROWS the rows of the statement that are sent, and the statement that makes all of them.
fn cut(query: &Query, binder: &mut Binder<'_>) -> Result<(Option<Cut>, Option<Query>)> {
    let Some(select) = plain_select(query).filter(|select| select.counts) else { return Ok((None, None)) };
    let (count, offset) = binder.limits(&select.limit)?;
    let cut = Cut { offset: offset.unwrap_or(0), count };
    Ok((Some(cut), Some(Query { limit: RelLimit::default(), ..select.clone() })))
}

/// What counts the rows that an OFFSET leaves out of this SQL, which FOUND_ROWS() counts (but of a UNION).
fn skipping(query: &Query, sql: &str, binder: &mut Binder<'_>) -> Result<Option<Skipping>> {
    let Some(select) = plain_select(query).filter(|select| !select.counts) else { return Ok(None) };
    let (Some(count), Some(offset)) = binder.limits(&select.limit)? else { return Ok(None) };
    let (limit, _) = binder.limit(&select.limit)?;
    // With LIMIT 0 no row is made, and none is counted.
    let all = sql.strip_suffix(&limit).filter(|_| count > 0);
    let up_to = i64::try_from(offset).unwrap_or(i64::MAX);
    Ok(all.map(|all| Skipping { offset, counting: format!("SELECT count(*) FROM ({all} LIMIT {up_to})") }))
}

fn meta(column: &Column, table: String) -> ColumnMeta {
    let mut meta = ColumnMeta::typed(column.name.clone(), column.ty);
    if let Some(origin) = &column.origin {
        meta.schema = origin.database.to_owned();
        meta.table = table;
        meta.org_table = origin.table.to_owned();
        meta.org_name = origin.column.to_owned();
    }
    meta
}
