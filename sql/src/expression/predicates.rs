//! The predicates IN, BETWEEN and LIKE.
//!
//! Each is NULL where what is not known could decide it. Refused are an item of an IN that is no tuple beside a tuple
//! (1241), an ESCAPE of several characters (1210), and a LIKE that would take too much work.

use std::cmp::Ordering;

use super::compare::{Compared, leniently, of_operands};
use super::lost::{self, Many, Read};
use super::number::Number;
use super::operators::compare_rows;
use super::scope::{look, weigh};
use super::text::{Letters, text_of};
use super::{Comparison, Expression, Operator, Scope, like, time};
use crate::error::SqlError;
use crate::value::Value;

/// Longest LIKE pattern, in bytes: matching takes pattern times text in the worst case.
const PATTERN_BYTES: usize = 16 * 1024;

/// `operand IN (list)`, of values or of tuples.
pub(super) fn within<L>(
    operand: &Expression<L>,
    list: &[Expression<L>],
    negated: bool,
    scope: &dyn Scope<L>,
) -> Result<Value, SqlError> {
    let mut unknown = false;
    if let Expression::Tuple(left) = operand {
        for (i, item) in list.iter().enumerate() {
            look(i, scope)?;
            let Expression::Tuple(right) = item else {
                return Err(SqlError::OperandColumns(left.len()));
            };
            match compare_rows(Operator::Compare(Comparison::Equal), left, right, scope)? {
                Some(true) => return Ok(Value::Int(i64::from(!negated))),
                Some(false) => {}
                None => unknown = true,
            }
        }
        return Ok(if unknown { Value::Null } else { Value::Int(i64::from(negated)) });
    }
    let value = operand.evaluate(scope)?;
    if value == Value::Null {
        return Ok(Value::Null);
    }
    let compared = Compared::new(&value);
    let mut many = Many::new(&value);
    for (i, item) in list.iter().enumerate() {
        look(i, scope)?;
        // A constant need not be copied to be compared.
        let order = match item {
            Expression::Constant(item) => {
                many.with(item, scope)?;
                compared.with(item, scope.folds_case())
            }
            item => {
                let item = item.evaluate(scope)?;
                many.with(&item, scope)?;
                compared.with(&item, scope.folds_case())
            }
        };
        match of_operands(order, &value, || operand.of_rows(), || item.of_rows())? {
            Some(Ordering::Equal) => return Ok(Value::Int(i64::from(!negated))),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { Value::Null } else { Value::Int(i64::from(negated)) })
}

/// BETWEEN compares all three as times if one of them is a time and another a number, else as numbers if one of them is a
/// number.
pub(super) fn between<L>(values: [Value; 3], scope: &dyn Scope<L>) -> Result<Option<bool>, SqlError> {
    let fold_case = scope.folds_case();
    let is_number = |v: &Value| matches!(v, Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_));
    let numbers = values.iter().any(is_number);
    let times = values.iter().any(|v| matches!(v, Value::DateTime(_)));
    if numbers && !times {
        values.iter().try_for_each(|value| lost::number(value, Read::Double, scope))?;
    }
    let alike = |v: Value| match v {
        Value::Text(ref text) | Value::Bytes(ref text) if numbers && times => {
            time::parse(text).map_or(v, Value::DateTime)
        }
        Value::Text(_) | Value::Bytes(_) if numbers => Number::of(&v).map_or(Value::Null, Number::value),
        other => other,
    };
    let [value, low, high] = values.map(alike);
    let above = leniently(&value, &low, fold_case)?.map(Ordering::is_ge);
    let below = leniently(&value, &high, fold_case)?.map(Ordering::is_le);
    Ok(match (above, below) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, _) | (_, None) => None,
    })
}

/// `operand LIKE pattern ESCAPE escape`, by default with a backslash.
pub(super) fn matches<L>(
    operand: &Expression<L>,
    pattern: &Expression<L>,
    escape: Option<&Expression<L>>,
    negated: bool,
    scope: &dyn Scope<L>,
) -> Result<Value, SqlError> {
    let values = [operand.evaluate(scope)?, pattern.evaluate(scope)?];
    let escape = match escape {
        None => Some('\\'),
        Some(e) => match text_of(&e.evaluate(scope)?) {
            None => Some('\\'),
            Some(written) => {
                let written = String::from_utf8_lossy(&written).into_owned();
                let mut chars = written.chars();
                let escape = chars.next();
                if chars.next().is_some() {
                    return Err(SqlError::Arguments("ESCAPE".into()));
                }
                escape
            }
        },
    };
    let (Some(text), Some(pattern)) = (text_of(&values[0]), text_of(&values[1])) else {
        return Ok(Value::Null);
    };
    scope.patience()?;
    weigh(text.len(), scope)?;
    if pattern.len() > PATTERN_BYTES {
        return Err(SqlError::Limit {
            what: "the length of a LIKE pattern".into(),
            limit: PATTERN_BYTES as u64,
            name: "like_pattern",
        });
    }
    let letters = Letters::of_values(&values);
    let (text, pattern) = (letters.read(&text), letters.read(&pattern));
    let patience = || scope.patience();
    let found =
        like::matches(&text, &pattern, escape, scope.folds_case(), &patience)?.ok_or_else(|| SqlError::Limit {
            what: "the work of a LIKE, in characters compared,".into(),
            limit: like::STEPS,
            name: "like_steps",
        })?;
    Ok(Value::Int(i64::from(found != negated)))
}
