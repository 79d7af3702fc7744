//! What an expression is worth over a row.

use std::cmp::Ordering;

use bytes::Bytes;

use super::arithmetic::{Arithmetic, out_of_range};
use super::cast::{cast, truncated};
use super::compare::{Compared, leniently, of_operands};
use super::lost::{self, Many, Read};
use super::number::{Number, double_text, wrapping_u64};
use super::text::Letters;
use super::worth::{Worth, calculate};
use super::{CastType, Comparison, Expression, Operator, Test, call, compare, documents, json, like, text, time};
use crate::error::SqlError;
use crate::value::Value;

/// Longest value of an expression where nothing else is said, in bytes: the default of `limits.max_allowed_packet`.
pub(crate) const VALUE_BYTES: usize = 64 << 20;
/// Items of an IN and branches of a CASE between two times that [`Scope::patience`] is asked: each is a comparison, or a
/// JSON text to be read.
const LOOK: usize = 4;
/// Bytes that are looked at between two times that [`Scope::patience`] is asked.
const LOOK_BYTES: usize = 64 << 10;
/// Most times it is asked before work that comes in one piece.
const LOOKS: usize = 4096;
/// Longest LIKE pattern, in bytes: matching takes pattern times text in the worst case.
const PATTERN_BYTES: usize = 16 * 1024;

/// Where leaves get their values from.
pub(crate) trait Scope<L> {
    /// The value of a leaf.
    ///
    /// # Errors
    /// When the leaf has no value here.
    fn leaf(&self, leaf: &L) -> Result<Value, SqlError>;

    /// What a leaf is worth as an operand.
    ///
    /// # Errors
    /// When the leaf has no value here.
    fn worth(&self, leaf: &L) -> Result<Worth, SqlError> {
        self.leaf(leaf).map(Worth::Plain)
    }

    /// Whether text compares without case (names in SHOW).
    fn folds_case(&self) -> bool {
        false
    }

    /// Longest value a function makes, in bytes: `max_allowed_packet`.
    fn longest(&self) -> usize {
        VALUE_BYTES
    }

    /// Hears of every value a function has made, of so many bytes.
    ///
    /// # Errors
    /// When it was too much altogether.
    fn made(&self, _bytes: usize) -> Result<(), SqlError> {
        Ok(())
    }

    /// Asked at every step of what may take long within one row, and answered from the clock now and then.
    ///
    /// # Errors
    /// [`SqlError::GivenUp`] when the statement is.
    fn patience(&self) -> Result<(), SqlError> {
        Ok(())
    }

    /// Hears of what a value lost: of a division by zero, whose value is NULL, and of text that is not all of the number or
    /// time that is read out of it.
    ///
    /// # Errors
    /// What is told, where that value is stored, or where it cannot be told of.
    fn lost(&self, _told: SqlError) -> Result<(), SqlError> {
        Ok(())
    }

    /// What becomes of a function whose value would be too long: NULL where a warning can be told of it.
    ///
    /// # Errors
    /// The error given, where none can.
    fn too_long(&self, error: SqlError) -> Result<Value, SqlError> {
        Err(error)
    }
}

impl<L> Expression<L> {
    /// The value of the expression.
    ///
    /// # Errors
    /// A value that cannot be computed (out of range, not JSON, not a time), or an aggregate out of place.
    pub fn evaluate(&self, scope: &dyn Scope<L>) -> Result<Value, SqlError> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Leaf(leaf) => scope.leaf(leaf),
            Self::And(all) => connective(all, scope, false),
            Self::Or(all) => connective(all, scope, true),
            Self::Not(e) => Ok(boolean(truth_of(&e.evaluate(scope)?, scope)?.map(|t| !t))),
            Self::Invert(e) => {
                let value = e.evaluate(scope)?;
                lost::number(&value, Read::Integer, scope)?;
                Ok(bits(&value).map_or(Value::Null, |n| Value::UInt(!n)))
            }
            Self::Negate(_) | Self::Chain(..) | Self::Case { .. } => self.worth(scope).map(Worth::value),
            Self::Is { operand, test, negated } => {
                let value = operand.evaluate(scope)?;
                let holds = match test {
                    Test::Null => value == Value::Null,
                    Test::True => truth_of(&value, scope)? == Some(true),
                    Test::False => truth_of(&value, scope)? == Some(false),
                };
                Ok(Value::Int(i64::from(holds != *negated)))
            }
            Self::In { operand, list, negated } => within(operand, list, *negated, scope),
            Self::Between { operand, low, high, negated } => {
                let values = [operand.evaluate(scope)?, low.evaluate(scope)?, high.evaluate(scope)?];
                weigh(values.iter().map(Value::content_bytes).sum(), scope)?;
                Ok(boolean(between(values, scope)?.map(|inside| inside != *negated)))
            }
            Self::Like { operand, pattern, escape, negated } => {
                matches(operand, pattern, escape.as_deref(), *negated, scope)
            }
            Self::Call(function, arguments) => {
                scope.patience()?;
                or_null(call::call(*function, arguments, scope), scope)
            }
            Self::Cast(e, ty) => {
                scope.patience()?;
                if let CastType::Binary(Some(length)) = ty
                    && *length as usize > scope.longest()
                {
                    return or_null(Err(call::too_long("cast", scope.longest())), scope);
                }
                let value = match ty {
                    CastType::Signed | CastType::Unsigned | CastType::Decimal { .. } | CastType::Double => {
                        e.worth(scope)?.full()
                    }
                    CastType::Char(_)
                    | CastType::Binary(_)
                    | CastType::DateTime(_)
                    | CastType::Date
                    | CastType::Time(_)
                    | CastType::Json => e.evaluate(scope)?,
                };
                weigh(value.content_bytes(), scope)?;
                lost::cast(&value, *ty, scope)?;
                let value = cast(value, *ty)?;
                match call::bounded("cast", &value, scope.longest()) {
                    Ok(bytes) => scope.made(bytes).map(|()| value),
                    Err(error) => or_null(Err(error), scope),
                }
            }
            Self::Tuple(_) => Err(SqlError::OperandColumns(1)),
            Self::Aggregate { .. } => Err(SqlError::Unsupported {
                what: "an aggregate function here".into(),
                instead: "aggregates can stand in the select list, HAVING and ORDER BY".into(),
            }),
        }
    }

    /// Whether the expression holds (is true, neither false nor NULL).
    ///
    /// # Errors
    /// Those of [`Expression::evaluate`].
    pub fn holds(&self, scope: &dyn Scope<L>) -> Result<bool, SqlError> {
        Ok(truth_of(&self.evaluate(scope)?, scope)? == Some(true))
    }
}

/// BETWEEN compares all three as times if one of them is a time and another a number, else as numbers if one of them is a
/// number.
fn between<L>(values: [Value; 3], scope: &dyn Scope<L>) -> Result<Option<bool>, SqlError> {
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
fn connective<L>(all: &[Expression<L>], scope: &dyn Scope<L>, decides: bool) -> Result<Value, SqlError> {
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
fn bits(value: &Value) -> Option<u64> {
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

/// The value, or what becomes of one that is too long.
fn or_null<L>(value: Result<Value, SqlError>, scope: &dyn Scope<L>) -> Result<Value, SqlError> {
    match value {
        Err(error @ SqlError::ResultTooLong { .. }) => scope.too_long(error),
        value => value,
    }
}

fn bitwise(a: &Value, b: &Value, f: fn(u64, u64) -> u64) -> Value {
    bits(a).zip(bits(b)).map_or(Value::Null, |(a, b)| Value::UInt(f(a, b)))
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

/// `(a, b) = (c, d)` and the like: the first difference decides.
fn compare_rows<L>(
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

/// Asks whether the statement is given up, at every [`LOOK`]th of many.
pub(super) fn look<L>(i: usize, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    if i > 0 && i.is_multiple_of(LOOK) { scope.patience() } else { Ok(()) }
}

/// Asks whether the statement is given up before so many bytes are looked at: the more often, the more there are.
pub(super) fn weigh<L>(bytes: usize, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    (0..(bytes / LOOK_BYTES).min(LOOKS)).try_for_each(|_| scope.patience())
}

fn within<L>(
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

fn matches<L>(
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

/// The text of a value; `None` for NULL.
pub(crate) fn text_of(value: &Value) -> Option<Bytes> {
    Some(match value {
        Value::Null => return None,
        Value::Int(n) => n.to_string().into(),
        Value::UInt(n) => n.to_string().into(),
        Value::Double(d) => double_text(*d).into(),
        Value::Decimal(text) => text.clone().into(),
        Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => bytes.clone(),
        Value::DateTime(at) => time::text(*at).into(),
    })
}

/// A key or any other bytes as a value: text if they are UTF-8.
pub(crate) fn column_text(bytes: &Bytes) -> Value {
    if std::str::from_utf8(bytes).is_ok() { Value::Text(bytes.clone()) } else { Value::Bytes(bytes.clone()) }
}
