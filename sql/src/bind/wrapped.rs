//! A SELECT whose rows are only counted, or asked for.

use super::scope::Session;
use super::select;
use crate::ast::{Around, Item, Wrapped};
use crate::command::Read;
use crate::environment::Environment;
use crate::error::SqlError;
use crate::expression::{Expression, Type};
use crate::shape;
use crate::value::{ColumnMeta, ColumnType, Value};

/// The result columns.
pub(super) fn describe(
    wrapped: &Wrapped,
    env: &dyn Environment,
    parameter: &dyn Fn(u16) -> Type,
) -> Result<Vec<ColumnMeta>, SqlError> {
    // What is wrong with the inner one is wrong with both.
    select::describe(&wrapped.select, env, parameter)?;
    Ok(columns(&wrapped.around))
}

/// Binds it: what the inner one reads, in another shape.
pub(super) fn bind(wrapped: &Wrapped, session: &Session<'_>) -> Result<Read, SqlError> {
    let read = select::bind(&wrapped.select, session)?;
    let around = match &wrapped.around {
        Around::Count { .. } => shape::Around::Count,
        Around::Exists { .. } => shape::Around::Exists,
        Around::IfAny { items } => shape::Around::IfAny(items.iter().map(|item| constant(item).clone()).collect()),
    };
    // A bound on the rows of the session is about the outer one, which has at most one.
    Ok(Read { shape: read.shape.wrapped(around, columns(&wrapped.around)), limited: true, ..read })
}

fn columns(around: &Around) -> Vec<ColumnMeta> {
    match around {
        Around::Count { name } | Around::Exists { name } => {
            let number = Type { nullable: false, ..Type::of(ColumnType::BigInt) };
            vec![ColumnMeta::typed(name.clone(), number)]
        }
        Around::IfAny { items } => {
            items.iter().map(|item| ColumnMeta::typed(name(item), Type::of_value(constant(item)))).collect()
        }
    }
}

/// The parser takes nothing but constants there.
fn constant(item: &Item) -> &Value {
    match item {
        Item::Expression { expression: Expression::Constant(value), .. } => value,
        Item::Expression { .. } | Item::All | Item::AllOf(_) => &Value::Null,
    }
}

fn name(item: &Item) -> String {
    match item {
        Item::Expression { alias, written, .. } => alias.clone().unwrap_or_else(|| written.clone()),
        Item::All | Item::AllOf(_) => String::new(),
    }
}
