//! The time zones that a statement names.

use std::sync::atomic::AtomicUsize;

use super::folding::{FOLD_BYTES, FOLD_STEPS};
use super::no_row::{Hears, NoRow};
use crate::environment::Environment;
use crate::error::SqlError;
use crate::expression::{Expression, Function, Slot, text_of};
use crate::shape::Patience;
use crate::value::Value;
use crate::zone::TimeZone;

/// Looks up the zones CONVERT_TZ names, each once: no later step knows them by name.
///
/// # Errors
/// [`SqlError::TimeZoneFile`], [`SqlError::GivenUp`].
pub(crate) fn with_zones(
    expression: Expression<Slot>,
    env: &dyn Environment,
    patience: &Patience,
) -> Result<Expression<Slot>, SqlError> {
    if !expression.any(|node| matches!(node, Expression::Call(Function::ConvertTz, _))) {
        return Ok(expression);
    }
    expression.map(
        &mut |node| {
            let Expression::Call(Function::ConvertTz, arguments) = node else { return Ok(None) };
            let [at, from, to] = arguments.as_slice() else { return Ok(None) };
            let zones = [zone(from, env, patience)?, zone(to, env, patience)?];
            let arguments = std::iter::once(with_zones(at.clone(), env, patience)?).chain(zones).collect();
            Ok(Some(Expression::Call(Function::ConvertTz, arguments)))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

/// A zone as CONVERT_TZ takes it, NULL if it is not known; what comes out of a row stays what it is.
fn zone(written: &Expression<Slot>, env: &dyn Environment, patience: &Patience) -> Result<Expression<Slot>, SqlError> {
    let steps = AtomicUsize::new(FOLD_STEPS);
    let room = AtomicUsize::new(FOLD_BYTES);
    let scope =
        NoRow { longest: FOLD_BYTES, room: &room, steps: Some(&steps), patience, divides: true, hears: Hears::Nothing };
    let Ok(value) = written.evaluate(&scope) else { return patience.check().map(|()| written.clone()) };
    let zone = match text_of(&value) {
        Some(name) => env.zone(&String::from_utf8_lossy(&name))?,
        None => None,
    };
    Ok(Expression::Constant(match zone {
        Some(zone @ TimeZone::Offset(_)) => Value::Text(zone.to_string().into()),
        Some(zone @ TimeZone::Place(_)) => zone.value(),
        None => Value::Null,
    }))
}
