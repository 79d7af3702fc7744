//! SELECT: what is read, and how rows are made of it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::branches::in_one_order;
use super::calls::{called, uncalled};
use super::interned::Interned;
use super::request::{self, Wanted};
use super::resolved::{Key, Resolved, columns, expand};
use super::scope::{Bound, Session, unknown_column};
use super::view::View;
use crate::ast::{From, Item, Limit, Select};
use crate::command::{Cut, Read, ReadKind, Source};
use crate::environment::{Environment, SessionCall};
use crate::error::{SqlError, unsupported};
use crate::expression::number::Number;
use crate::expression::{Aggregate, Expression, Leaf, Slot, Type, truth};
use crate::parse::Expr;
use crate::relational::RelationalError;
use crate::shape::{AggregateSpec, Bounds, Grouping, Input, Plan, Shape, Together};
use crate::value::{ColumnMeta, ColumnType, Value};

/// The result columns of a SELECT.
pub(super) fn describe(
    select: &Select,
    env: &dyn Environment,
    parameter: &dyn Fn(u16) -> Type,
) -> Result<Vec<ColumnMeta>, SqlError> {
    let resolved = Resolved::new(select, env)?;
    if resolved.view.is_none() {
        let mut failed = None;
        for (item, _) in &resolved.items {
            item.visit(&mut |node| {
                if let Expression::Leaf(Leaf::Column(parts)) = node {
                    failed = failed.take().or(Some(unknown_column(parts, "field list")));
                }
                true
            });
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    resolved.columns(env, parameter)
}

/// The result columns of a RETURNING.
pub(super) fn describe_items(
    items: &[Item],
    mut view: View,
    env: &dyn Environment,
    parameter: &dyn Fn(u16) -> Type,
) -> Result<Vec<ColumnMeta>, SqlError> {
    let items = expand(items, Some(&view))?;
    for (item, _) in &items {
        view.note(item, "field list")?;
    }
    columns(&items, Some(&view), env, parameter)
}

fn parameter_types<'a>(session: &'a Session<'_>) -> impl Fn(u16) -> Type + 'a {
    |n| session.params.ty(usize::from(n))
}

fn bounds(session: &Session<'_>) -> Bounds {
    Bounds { rows: session.env.collect_rows(), bytes: session.env.collect_bytes(), value: session.env.longest_value() }
}

/// The shape of a RETURNING, over the cells as written.
pub(super) fn returning(items: &[Item], mut view: View, session: &Session<'_>) -> Result<Shape, SqlError> {
    let items = expand(items, Some(&view))?;
    for (item, _) in &items {
        view.note(item, "field list")?;
        if item.has_aggregate() {
            return Err(unsupported("an aggregate in RETURNING", "select it"));
        }
    }
    let input = if view.is_rows() { Input::Rows(request::row_input(&view, Together::Row)?) } else { Input::Cells };
    let bound = items
        .iter()
        .map(|(e, _)| session.bind(e, &mut |parts| view.slot(parts, "field list")))
        .collect::<Result<_, _>>()?;
    Ok(Shape::new(Plan {
        columns: columns(&items, Some(&view), session.env, &parameter_types(session))?,
        input,
        filter: None,
        grouping: None,
        having: None,
        items: bound,
        order: Vec::new(),
        distinct: false,
        limit: None,
        offset: 0,
        bounds: bounds(session),
        zone: session.env.time_zone(),
        divides_by_zero: session.env.sql_mode().divides_by_zero,
    }))
}

/// The count and the offset of a LIMIT.
///
/// # Errors
/// [`SqlError::Arguments`] for what is no whole number from 0 on.
pub(super) fn limit(limit: &Limit, session: &Session<'_>) -> Result<(Option<u64>, u64), SqlError> {
    let number = |expression: &Expr| {
        let value = session.evaluate(expression)?;
        let number = Number::of(&value).ok_or_else(|| SqlError::Arguments("LIMIT".into()))?;
        // mysql2 and others bind numbers as text or doubles.
        let text_is_number = match &value {
            Value::Text(bytes) | Value::Bytes(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                text.trim().parse::<f64>().is_ok()
            }
            Value::Json(_) | Value::DateTime(_) => false,
            Value::Null | Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => true,
        };
        match number.floor() {
            (n, true) if text_is_number => u64::try_from(n).map_err(|_| SqlError::Arguments("LIMIT".into())),
            (_, _) => Err(SqlError::Arguments("LIMIT".into())),
        }
    };
    let count = limit.count.as_ref().map(number).transpose()?;
    let offset = limit.offset.as_ref().map(number).transpose()?.unwrap_or(0);
    Ok((count, offset))
}

/// The type of a column that is selected from; there is none without a table.
fn slot_type(view: Option<&View>, slot: Slot) -> Type {
    view.map_or(Type::of(ColumnType::Null), |view| view.ty(slot))
}

/// The shards PARTITION names.
fn partitions(from: &From, env: &dyn Environment) -> Result<Option<BTreeSet<u16>>, SqlError> {
    let Some(names) = &from.partitions else { return Ok(None) };
    let shard = |name: &String| {
        name.strip_prefix(['p', 'P'])
            .and_then(|n| n.parse::<u16>().ok())
            .filter(|n| u32::from(*n) < env.virtual_shards())
            .ok_or_else(|| {
                unsupported(
                    &format!("PARTITION ({name})"),
                    &format!(
                        "the partitions are p0 to p{}, one for each shard",
                        env.virtual_shards().saturating_sub(1)
                    ),
                )
            })
    };
    names.iter().map(shard).collect::<Result<_, _>>().map(Some)
}

/// The expressions of a SELECT, bound.
struct Parts {
    items: Vec<Expression<Slot>>,
    order: Vec<(Expression<Slot>, bool)>,
    having: Option<Expression<Slot>>,
    grouping: Option<Grouping>,
}

/// Binds a SELECT.
pub(super) fn bind(select: &Select, session: &Session<'_>) -> Result<Read, SqlError> {
    let mut resolved = Resolved::new(select, session.env)?;
    let (written, comes) = answered_calls(&mut resolved, select, session)?;
    let slot = |parts: &[String], clause| -> Result<Bound, SqlError> {
        match &resolved.view {
            Some(view) => view.slot(parts, clause),
            None => Err(unknown_column(parts, clause)),
        }
    };
    let aggregated = resolved.aggregated();
    let bound = |e: &Expr, clause| {
        let column = &mut |parts: &[String]| slot(parts, clause);
        // What is shown of a row tells what it loses; other clauses decide what is read. Behind groups all are bound
        // alike: a key is known by what it is.
        let shown = clause == "field list" || aggregated && clause != "where clause";
        if shown { session.bind(e, column) } else { session.bind_condition(e, column) }
    };
    let compared = |e| in_one_order(e, &|slot| slot_type(resolved.view.as_ref(), *slot));
    let item = |e: &Expr| {
        let item = if comes { bound(e, "field list") } else { bound(&uncalled(e), "field list") };
        item.map(|e| if select.distinct { compared(e) } else { e })
    };
    let items: Vec<_> = resolved.items.iter().map(|(e, _)| item(e)).collect::<Result<_, _>>()?;
    let ordered = |key: &Key| match key {
        Key::Item(place) => items.get(*place).cloned().ok_or_else(|| SqlError::Internal("no such item".into())),
        Key::Expression(e) => bound(e, "order clause"),
    };
    let order =
        resolved.order_by.iter().map(|(key, d)| Ok((compared(ordered(key)?), *d))).collect::<Result<_, SqlError>>()?;
    for e in resolved.dropped() {
        let known = &mut |parts: &[String]| match &resolved.view {
            Some(view) => view.known(parts, "order clause"),
            None => Err(unknown_column(parts, "order clause")),
        };
        session.bind(&uncalled(e), known)?;
    }
    let parts = Parts {
        order,
        items,
        having: resolved.having.as_ref().map(|e| bound(e, "having clause")).transpose()?,
        grouping: None,
    };
    let condition = written.as_ref().as_ref().map(|e| bound(e, "where clause")).transpose()?;
    if condition.as_ref().is_some_and(Expression::has_aggregate) {
        return Err(SqlError::Relational(RelationalError::GroupFunction));
    }
    let (parts, condition) = if aggregated {
        let keys: Vec<_> = resolved.group_by.iter().map(|e| bound(e, "group statement")).collect::<Result<_, _>>()?;
        (group(parts, keys, resolved.view.as_ref(), session.env.sql_mode().any_of_group)?, condition)
    } else {
        ungrouped(parts, condition)
    };
    let (count, offset) = limit(&select.limit, session)?;
    // All rows have to be made to be counted: the limit then applies to what is sent.
    let (cut, (count, offset)) =
        if select.counts_all { (Some(Cut { offset, count }), (None, 0)) } else { (None, (count, offset)) };
    let limited = select.limit.count.is_some();
    if !select.into.is_empty() && select.into.len() != resolved.items.len() {
        return Err(SqlError::IntoCount);
    }
    let plan = Plan {
        columns: resolved.columns(session.env, &parameter_types(session))?,
        input: Input::Once,
        filter: None,
        grouping: parts.grouping,
        having: parts.having,
        items: parts.items,
        order: parts.order.into_iter().filter(|(e, _)| e.constant().is_none()).collect(),
        distinct: select.distinct,
        limit: count,
        offset,
        bounds: bounds(session),
        zone: session.env.time_zone(),
        divides_by_zero: session.env.sql_mode().divides_by_zero,
    };
    let read = match &resolved.view {
        None => over_nothing(condition, plan),
        Some(view) => {
            let from = select.from.as_ref();
            let partitions = from.map_or(Ok(None), |from| partitions(from, session.env))?;
            over_table(view, condition, partitions, plan, aggregated, select.locking, session)?
        }
    };
    Ok(Read { limited, cut, into: select.into.clone(), ..read })
}

/// The read of a SELECT from no table: one row, which is not sorted.
fn over_nothing(condition: Option<Expression<Slot>>, plan: Plan) -> Read {
    Read {
        table: None,
        source: Source::Once,
        shape: Shape::new(Plan { filter: condition, order: Vec::new(), ..plan }),
        locking: false,
        scatter: false,
        kind: ReadKind::Constant,
        limited: false,
        cut: None,
        into: Vec::new(),
    }
}

fn over_table(
    view: &View,
    condition: Option<Expression<Slot>>,
    partitions: Option<BTreeSet<u16>>,
    plan: Plan,
    aggregated: bool,
    locking: bool,
    session: &Session<'_>,
) -> Result<Read, SqlError> {
    let order: &[_] = if aggregated { &[] } else { &plan.order };
    let wanted = Wanted { order, limit: plan.limit, offset: plan.offset, row_per_cell: !aggregated && !plan.distinct };
    let (source, input) = if view.is_rows() {
        let (source, input) = request::plan_rows(view, session.env, condition, partitions, &wanted)?;
        (source, Input::Rows(input))
    } else {
        (request::plan(&view.table, session.env, condition, partitions, &wanted)?, Input::Cells)
    };
    let order = if source.ordered && !aggregated { Vec::new() } else { plan.order };
    Ok(Read {
        table: Some(Arc::clone(&view.table)),
        source: source.source,
        shape: Shape::new(Plan { input, filter: source.residual, order, ..plan }),
        locking,
        scatter: source.scatter,
        kind: source.kind,
        limited: false,
        cut: None,
        into: Vec::new(),
    })
}

/// The condition as written, in a SELECT from no table with its calls answered, and whether that SELECT comes to make
/// its row. Over a table calls are refused.
fn answered_calls<'s>(
    resolved: &mut Resolved,
    select: &'s Select,
    session: &Session<'_>,
) -> Result<(Cow<'s, Option<Expr>>, bool), SqlError> {
    if resolved.view.is_some() {
        refuse_calls(select)?;
    } else if called(expressions(select), |_| true).is_some() {
        let condition = select.condition.as_ref().map(|e| session.answered(e).map(Cow::into_owned)).transpose()?;
        let comes = one_row(resolved, &condition, select, session)?;
        return Ok((Cow::Owned(condition), comes));
    }
    Ok((Cow::Borrowed(&select.condition), true))
}

/// Answers the calls in HAVING, and tells whether a SELECT from no table comes to make its row: not where its
/// conditions or its LIMIT leave none. One row is not sorted.
fn one_row(
    resolved: &mut Resolved,
    condition: &Option<Expr>,
    select: &Select,
    session: &Session<'_>,
) -> Result<bool, SqlError> {
    for (key, _) in &mut resolved.order_by {
        if let Key::Expression(e) = key {
            *e = uncalled(e);
        }
    }
    if resolved.aggregated() {
        return Ok(true);
    }
    resolved.having = resolved.having.as_ref().map(|e| session.answered(e).map(Cow::into_owned)).transpose()?;
    for e in condition.iter().chain(&resolved.having) {
        // A column is told of where the clause is bound.
        let column = |node: &Expr| matches!(node, Expression::Leaf(Leaf::Column(_)));
        if !e.any(column) && truth(&session.evaluate(e)?) != Some(true) {
            return Ok(false);
        }
    }
    let (count, offset) = limit(&select.limit, session)?;
    Ok(select.counts_all || (count != Some(0) && offset == 0))
}

/// What does something in the session is done once for a statement, so that it has no place over the rows of a table.
pub(super) fn refuse_calls(select: &Select) -> Result<(), SqlError> {
    refuse_called(called(expressions(select), |_| true))
}

/// Refuses a call over rows.
pub(super) fn refuse_called(call: Option<SessionCall>) -> Result<(), SqlError> {
    match call {
        Some(call) => Err(unsupported(&format!("{} here", call.name()), "select it by itself, from no table")),
        None => Ok(()),
    }
}

fn expressions(select: &Select) -> impl Iterator<Item = &Expr> {
    let items = select.items.iter().filter_map(|item| match item {
        Item::Expression { expression, .. } => Some(expression),
        Item::All | Item::AllOf(_) => None,
    });
    let all = items.chain(&select.condition).chain(&select.group_by).chain(&select.having);
    all.chain(select.order_by.iter().map(|(e, _)| e))
}

/// The parts of a SELECT without groups, and its condition: HAVING is a condition like any other there.
fn ungrouped(parts: Parts, condition: Option<Expression<Slot>>) -> (Parts, Option<Expression<Slot>>) {
    let condition = match (condition, parts.having) {
        (Some(a), Some(b)) => Some(Expression::And(vec![a, b])),
        (a, b) => a.or(b),
    };
    (Parts { having: None, ..parts }, condition)
}

/// Rewrites everything behind the grouping to be over what a group gives: its keys, then its aggregates.
///
/// A column that is no key is refused or, if it may be that of `any` row, aggregated as such.
fn group(parts: Parts, keys: Vec<Expression<Slot>>, view: Option<&View>, any: bool) -> Result<Parts, SqlError> {
    if keys.iter().any(Expression::has_aggregate) {
        return Err(SqlError::Relational(RelationalError::GroupFunction));
    }
    let compared = |e: &Expression<Slot>| in_one_order(e.clone(), &|slot| slot_type(view, *slot));
    let aggregates: RefCell<Interned<AggregateSpec>> = RefCell::default();
    let place_of = |spec| Expression::Leaf(Slot(keys.len() + aggregates.borrow_mut().place(spec)));
    let mut regrouped = |expression: &Expression<Slot>| {
        expression.map(
            &mut |node| {
                // A constant stays one: there are functions to which it says more than its value.
                let key = if node.constant().is_some() { None } else { keys.iter().position(|k| k == node) };
                if let Some(place) = key {
                    return Ok(Some(Expression::Leaf(Slot(place))));
                }
                let Expression::Aggregate { function, distinct, arguments } = node else { return Ok(None) };
                if arguments.iter().any(Expression::has_aggregate) {
                    return Err(SqlError::Relational(RelationalError::GroupFunction));
                }
                let arguments = match function {
                    Aggregate::Min | Aggregate::Max => arguments.iter().map(compared).collect(),
                    Aggregate::Count if *distinct => arguments.iter().map(compared).collect(),
                    Aggregate::Count | Aggregate::Sum | Aggregate::Avg | Aggregate::Any => arguments.clone(),
                };
                Ok(Some(place_of(AggregateSpec { function: *function, distinct: *distinct, arguments })))
            },
            &mut |slot| {
                if any {
                    let arguments = vec![Expression::Leaf(*slot)];
                    return Ok(place_of(AggregateSpec { function: Aggregate::Any, distinct: false, arguments }));
                }
                let column = view.map_or(String::new(), |v| v.name(*slot));
                Err(SqlError::MixedAggregate { column, grouped: !keys.is_empty() })
            },
        )
    };
    let items = parts.items.iter().map(&mut regrouped).collect::<Result<_, _>>()?;
    let having = parts.having.as_ref().map(&mut regrouped).transpose()?;
    let order = match keys.is_empty() {
        // There is one row, whatever it is sorted by: MySQL drops the order before it looks what is in it.
        true => Vec::new(),
        false => parts.order.iter().map(|(e, d)| Ok((regrouped(e)?, *d))).collect::<Result<_, SqlError>>()?,
    };
    let aggregates = aggregates.into_inner().into_all();
    let keys = keys.iter().map(compared).collect();
    Ok(Parts { items, order, having, grouping: Some(Grouping { keys, aggregates }) })
}
