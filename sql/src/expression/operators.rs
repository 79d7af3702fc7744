//! Operators between two operands: chains of them, applied from left to right, and each by itself.
//!
//! AND, OR and NOT are `truth.rs`; arithmetic as such, of numbers rather than of values, is `arithmetic.rs`. A tuple is
//! compared with a tuple of as many columns, and refused beside anything else (1241).

use std::cmp::Ordering;

use super::arithmetic::{Arithmetic, out_of_range};
use super::cast::truncated;
use super::compare::of_operands;
use super::lost::{self, Read};
use super::number::{Number, wrapping_u64};
use super::scope::{or_null, weigh};
use super::truth::{boolean, truth_of};
use super::worth::{Worth, calculate};
use super::{Comparison, Expression, Operator, Scope, call, compare, documents, json, text, time};
use crate::error::SqlError;
use crate::value::Value;

pub(super) fn chain<L>(
    first: &Expression<L>,
    rest: &[(Operator, Expression<L>)],
    scope: &dyn Scope<L>,
) -> Result<Worth, SqlError> {
    let mut rest = rest.iter();
    let mut worth = match (first, rest.as_slice().first()) {
        (Expression::Tuple(left), Some((op, Expression::Tuple(right)))) => {
            rest.next();
            Worth::Plain(boolean(compare_rows(*op, left, right, scope)?))
        }
        (first, _) => first.worth(scope)?,
    };
    let all = rest.as_slice();
    for (i, (op, right)) in rest.enumerate() {
        scope.patience()?;
        let operand = right.worth(scope)?;
        worth = match op {
            Operator::Arithmetic(op) => divided(*op, worth, operand, scope)?,
            // What is compared is what is shown.
            Operator::Compare(_)
            | Operator::NullSafeEqual
            | Operator::Xor
            | Operator::BitAnd
            | Operator::BitOr
            | Operator::BitXor
            | Operator::ShiftLeft
            | Operator::ShiftRight
            | Operator::Concat
            | Operator::Extract
            | Operator::ExtractUnquoted => {
                let of_rows: Sides<'_> =
                    [&|| first.of_rows() || all.iter().take(i).any(|(_, e)| e.of_rows()), &|| right.of_rows()];
                Worth::Plain(operate(*op, worth.value(), operand.value(), of_rows, scope)?)
            }
        };
    }
    Ok(worth)
}

/// One arithmetic operation; of a division by zero the scope hears.
pub(super) fn divided<L>(op: Arithmetic, a: Worth, b: Worth, scope: &dyn Scope<L>) -> Result<Worth, SqlError> {
    let read = if op == Arithmetic::IntegerDivide { Read::Decimal } else { Read::Double };
    lost::operand(&a, read, scope)?;
    lost::operand(&b, read, scope)?;
    let divides = matches!(op, Arithmetic::Divide | Arithmetic::IntegerDivide | Arithmetic::Modulo);
    let known = divides && !a.is_null() && !b.is_null();
    let worth = calculate(op, a, b)?;
    if known && worth.is_null() {
        scope.lost(SqlError::DivisionByZero)?;
    }
    Ok(worth)
}

/// Whether the operand to the left depends on a row, and the one to the right.
type Sides<'a> = [&'a dyn Fn() -> bool; 2];

fn operate<L>(op: Operator, a: Value, b: Value, of_rows: Sides<'_>, scope: &dyn Scope<L>) -> Result<Value, SqlError> {
    weigh(a.content_bytes().saturating_add(b.content_bytes()), scope)?;
    let [left, right] = of_rows;
    match op {
        Operator::Compare(_) | Operator::NullSafeEqual => lost::compared(&a, &b, scope)?,
        Operator::BitAnd | Operator::BitOr | Operator::BitXor | Operator::ShiftLeft | Operator::ShiftRight => {
            lost::number(&a, Read::Integer, scope)?;
            lost::number(&b, Read::Integer, scope)?;
        }
        Operator::Arithmetic(_) | Operator::Xor | Operator::Concat | Operator::Extract | Operator::ExtractUnquoted => {}
    }
    let order = |a: &Value, b: &Value| of_operands(compare(a, b, scope.folds_case()), a, left, right);
    Ok(match op {
        Operator::Arithmetic(op) => arithmetic(op, &a, &b)?,
        Operator::Compare(op) => boolean(order(&a, &b)?.map(|o| op.holds(o))),
        Operator::NullSafeEqual => match (&a, &b) {
            (Value::Null, Value::Null) => Value::Int(1),
            (Value::Null, _) | (_, Value::Null) => Value::Int(0),
            (a, b) => boolean(order(a, b)?.map(Ordering::is_eq)),
        },
        Operator::Xor => boolean(truth_of(&a, scope)?.zip(truth_of(&b, scope)?).map(|(a, b)| a != b)),
        Operator::BitAnd => bitwise(&a, &b, |a, b| a & b),
        Operator::BitOr => bitwise(&a, &b, |a, b| a | b),
        Operator::BitXor => bitwise(&a, &b, |a, b| a ^ b),
        Operator::ShiftLeft => {
            bitwise(&a, &b, |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or(0))
        }
        Operator::ShiftRight => {
            bitwise(&a, &b, |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shr(b)).unwrap_or(0))
        }
        Operator::Concat => {
            let value = or_null(text::concat(&[a, b], scope.longest()), scope)?;
            scope.made(call::bounded("concat", &value, scope.longest())?)?;
            value
        }
        Operator::Extract => documents::json_extract(&[a, b])?,
        Operator::ExtractUnquoted => match documents::json_extract(&[a, b])? {
            Value::Json(found) => Value::Text(json::unquote(&json::parse(&found)?).into()),
            other => other,
        },
    })
}

/// One arithmetic operation on two values.
pub(super) fn arithmetic(op: Arithmetic, a: &Value, b: &Value) -> Result<Value, SqlError> {
    let (Some(x), Some(y)) = (Number::operand(a), Number::operand(b)) else { return Ok(Value::Null) };
    // One unsigned operand makes the result unsigned; of a remainder it is the first that decides.
    let unsigned = match op {
        Arithmetic::Modulo => matches!(a, Value::UInt(_)),
        Arithmetic::Add
        | Arithmetic::Subtract
        | Arithmetic::Multiply
        | Arithmetic::Divide
        | Arithmetic::IntegerDivide => matches!((a, b), (Value::UInt(_), _) | (_, Value::UInt(_))),
    };
    let integers = matches!((a, b), (Value::Int(_) | Value::UInt(_), Value::Int(_) | Value::UInt(_)));
    if op == Arithmetic::Divide || !(integers || op == Arithmetic::IntegerDivide) {
        // What is computed with a DECIMAL is one, however small it is.
        return Ok(x.apply(op, y)?.map_or(Value::Null, Number::decimal_value));
    }
    let beyond = || out_of_range(if unsigned { "BIGINT UNSIGNED" } else { "BIGINT" });
    match x.apply(op, y).map_err(|_| beyond())? {
        None => Ok(Value::Null),
        Some(Number::Exact { mantissa, .. }) if unsigned => {
            u64::try_from(mantissa).map(Value::UInt).map_err(|_| beyond())
        }
        Some(Number::Exact { mantissa, .. }) => i64::try_from(mantissa).map(Value::Int).map_err(|_| beyond()),
        Some(Number::Wide(_) | Number::Double(_)) => Err(beyond()),
    }
}

pub(super) fn negate(value: &Value) -> Result<Value, SqlError> {
    match Number::operand(value) {
        None => Ok(Value::Null),
        Some(n) if matches!(value, Value::Decimal(_)) => Ok(n.negated().decimal_value()),
        Some(n @ Number::Exact { mantissa, scale: 0 }) if i64::try_from(-mantissa).is_ok() => Ok(n.negated().value()),
        Some(Number::Exact { scale: 0, .. }) if matches!(value, Value::Int(_) | Value::UInt(_)) => {
            Err(out_of_range("BIGINT"))
        }
        Some(n) => Ok(n.negated().value()),
    }
}

/// The integer nearest to a value that is no text: of a time it is that of the nearest second.
pub(super) fn whole(value: &Value) -> i128 {
    let value = match value {
        Value::DateTime(at) => Number::of(&Value::DateTime(time::to_the_second(*at))),
        other => Number::of(other),
    };
    value.map_or(0, Number::round)
}

/// The 64 bits of a value.
pub(super) fn bits(value: &Value) -> Option<u64> {
    let n = match value {
        Value::Text(_) | Value::Bytes(_) => truncated(Number::of(value)?),
        Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Json(_)
        | Value::DateTime(_) => {
            Number::of(value)?;
            whole(value)
        }
    };
    Some(wrapping_u64(n))
}

fn bitwise(a: &Value, b: &Value, f: fn(u64, u64) -> u64) -> Value {
    bits(a).zip(bits(b)).map_or(Value::Null, |(a, b)| Value::UInt(f(a, b)))
}

/// `(a, b) = (c, d)` and the like: the first difference decides.
pub(super) fn compare_rows<L>(
    op: Operator,
    left: &[Expression<L>],
    right: &[Expression<L>],
    scope: &dyn Scope<L>,
) -> Result<Option<bool>, SqlError> {
    if left.len() != right.len() {
        return Err(SqlError::OperandColumns(left.len()));
    }
    let comparison = match op {
        Operator::Compare(comparison) => comparison,
        Operator::NullSafeEqual => {
            for (a, b) in left.iter().zip(right) {
                let of_rows: Sides<'_> = [&|| a.of_rows(), &|| b.of_rows()];
                if operate(op, a.evaluate(scope)?, b.evaluate(scope)?, of_rows, scope)? != Value::Int(1) {
                    return Ok(Some(false));
                }
            }
            return Ok(Some(true));
        }
        Operator::Arithmetic(_)
        | Operator::Xor
        | Operator::BitAnd
        | Operator::BitOr
        | Operator::BitXor
        | Operator::ShiftLeft
        | Operator::ShiftRight
        | Operator::Concat
        | Operator::Extract
        | Operator::ExtractUnquoted => {
            return Err(SqlError::OperandColumns(1));
        }
    };
    let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    let mut unknown = false;
    for (a, b) in left.iter().zip(right) {
        let (left, right) = (a.evaluate(scope)?, b.evaluate(scope)?);
        lost::compared(&left, &right, scope)?;
        let order = compare(&left, &right, scope.folds_case());
        match of_operands(order, &left, || a.of_rows(), || b.of_rows())? {
            Some(Ordering::Equal) => {}
            Some(_) if equality => return Ok(Some(comparison == Comparison::NotEqual)),
            Some(order) if !unknown => return Ok(Some(comparison.holds(order))),
            Some(_) => return Ok(None),
            None => unknown = true,
        }
    }
    Ok(if unknown { None } else { Some(comparison.holds(Ordering::Equal)) })
}
