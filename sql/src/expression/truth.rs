//! The three truths of SQL: true, false, and NULL for what is not known.
//!
//! Any value has one: a number that is not zero is true, and text is the number it begins with.

use super::number::Number;
use super::{Expression, Scope, lost};
use crate::error::SqlError;
use crate::value::Value;

/// Whether a value is true; `None` for NULL.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    Number::of(value).map(Number::is_true)
}

/// The same in an expression, where text that is no number is told of.
///
/// # Errors
/// That of [`Scope::lost`].
pub(super) fn truth_of<L>(value: &Value, scope: &dyn Scope<L>) -> Result<Option<bool>, SqlError> {
    lost::number_of(value, scope).map(|number| number.map(Number::is_true))
}

pub(super) fn boolean(truth: Option<bool>) -> Value {
    truth.map_or(Value::Null, |t| Value::Int(i64::from(t)))
}

/// AND (`decides` is false) or OR (`decides` is true): one operand of that truth decides; else NULL if any is NULL.
pub(super) fn connective<L>(all: &[Expression<L>], scope: &dyn Scope<L>, decides: bool) -> Result<Value, SqlError> {
    let mut unknown = false;
    for e in all {
        scope.patience()?;
        match truth_of(&e.evaluate(scope)?, scope)? {
            Some(t) if t == decides => return Ok(Value::Int(i64::from(decides))),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { Value::Null } else { Value::Int(i64::from(!decides)) })
}
