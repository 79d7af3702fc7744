//! What the functions do.

use std::cmp::Ordering;

use super::arithmetic::{Arithmetic, out_of_range};
use super::cast::leading_integer;
use super::clock::{clock_number, time_diff};
use super::compare::of_operands;
use super::documents::{
    as_key, at_path, document, json_array, json_contains_path, json_extract, json_keys, json_object, json_unquote,
    json_valid, json_value,
};
use super::functions::Function;
use super::lost::{self, Read};
use super::number::{MAX_SCALE, Number};
use super::operators::divided;
use super::scope::weigh;
use super::text::{
    Letters, changed, column_text, concat, concat_ws, hex, locate, quote, replace, size, substring, substring_index,
    text_of, text_value, trimmed, unhex, value_as_text,
};
use super::time_functions::{convert_tz, from_unix_time, months_add, time_add, time_number, time_text, unix_timestamp};
use super::truth::boolean;
use super::units::{extract, interval};
use super::worth::Worth;
use super::{Expression, Scope, compare, json, time};
use crate::error::SqlError;
use crate::value::Value;

/// From here on the whole part of a DECIMAL is one: it may be beyond BIGINT.
const LARGE: u64 = 1_000_000_000_000_000_000;

/// Calls a function. Arguments that are not needed are not evaluated.
pub(super) fn call<L>(
    function: Function,
    arguments: &[Expression<L>],
    scope: &dyn Scope<L>,
) -> Result<Value, SqlError> {
    match (function, arguments) {
        (Function::If, [condition, then, otherwise]) => {
            let taken = if condition.holds(scope)? { then } else { otherwise };
            return taken.evaluate(scope);
        }
        (Function::Coalesce | Function::IfNull, _) => {
            for e in arguments {
                let value = e.evaluate(scope)?;
                if value != Value::Null {
                    return Ok(value);
                }
            }
            return Ok(Value::Null);
        }
        (Function::Round, [number, digits]) if digits.constant().is_none() => return round_by(number, digits, scope),
        (Function::Mod, [a, b]) => {
            return Ok(divided(Arithmetic::Modulo, a.worth(scope)?, b.worth(scope)?, scope)?.value());
        }
        (_, _) => {}
    }
    let values = if matches!(function, Function::Floor | Function::Ceiling | Function::Round | Function::Sign) {
        arguments.iter().map(|e| e.worth(scope).map(Worth::full)).collect::<Result<Vec<_>, _>>()?
    } else {
        arguments.iter().map(|e| e.evaluate(scope)).collect::<Result<Vec<_>, _>>()?
    };
    let bytes: usize = values.iter().map(Value::content_bytes).sum();
    // Every element may be compared with every other, and every path goes through the document.
    let looks = if function == Function::JsonContains { bytes } else { values.len() };
    weigh(bytes.saturating_mul(looks), scope)?;
    let mut value = match (function, arguments, values.as_slice()) {
        (Function::NullIf, [left, right], [a, b]) => {
            let order = compare(a, b, scope.folds_case());
            match of_operands(order, a, || left.of_rows(), || right.of_rows())? {
                Some(Ordering::Equal) => Value::Null,
                Some(_) | None => a.clone(),
            }
        }
        (_, _, _) => apply(function, &values, scope.folds_case(), scope.longest())?,
    };
    if function == Function::PlaceAmong {
        lost::places(&values, &value, scope)?;
    } else if !values.contains(&Value::Null) {
        lost::arguments(function, &values, &value, scope)?;
    }
    if let (Function::Round, [_, Expression::Constant(Value::Int(digits))], Value::Decimal(_)) =
        (function, arguments, &value)
    {
        // As many digits as are asked for, also if there are fewer.
        value = as_decimal(&value, (*digits).clamp(0, MAX_SCALE.into()));
    }
    scope.made(bounded(&function.name().to_ascii_lowercase(), &value, scope.longest())?)?;
    Ok(value)
}

/// ROUND by as many digits as a row says: a DECIMAL shows no more and no fewer than before, so that those of a column show
/// as many.
fn round_by<L>(number: &Expression<L>, digits: &Expression<L>, scope: &dyn Scope<L>) -> Result<Value, SqlError> {
    let (number, digits) = (number.worth(scope)?, digits.evaluate(scope)?);
    let shown = number.shown();
    let number = number.full();
    lost::number(&number, Read::Double, scope)?;
    lost::number(&digits, Read::Integer, scope)?;
    let (Some(operand), Some(digits)) = (Number::operand(&number), Number::of(&digits)) else { return Ok(Value::Null) };
    let digits = i32::try_from(digits.round().clamp(-400, 400)).unwrap_or(0);
    if !matches!(number, Value::Decimal(_)) {
        return operand.rounded(digits).value_like(&number);
    }
    let rounded = operand.rounded(digits.min(i32::try_from(shown).unwrap_or(0)));
    Ok(as_decimal(&rounded.decimal_value(), shown.into()))
}

/// The size of a value that is within the bound.
///
/// # Errors
/// [`SqlError::ResultTooLong`].
pub(super) fn bounded(function: &str, value: &Value, longest: usize) -> Result<usize, SqlError> {
    let bytes = value.content_bytes();
    within(function, bytes, longest)?;
    Ok(bytes)
}

/// Whether a result of so many bytes may be made.
///
/// # Errors
/// [`SqlError::ResultTooLong`] if not.
pub(super) fn within(function: &str, bytes: usize, longest: usize) -> Result<(), SqlError> {
    if bytes > longest {
        return Err(too_long(function, longest));
    }
    Ok(())
}

/// The error of a value that would be longer than that.
pub(super) fn too_long(function: &str, longest: usize) -> SqlError {
    SqlError::ResultTooLong { function: function.to_owned(), limit: longest }
}

fn apply(function: Function, values: &[Value], fold_case: bool, longest: usize) -> Result<Value, SqlError> {
    if let Some(done) = null_tolerant(function, values, longest)? {
        return Ok(done);
    }
    if values.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    match values {
        [value] => one(function, value, longest),
        _ => several(function, values, fold_case, longest),
    }
}

/// The functions for which a NULL argument does not simply make NULL.
fn null_tolerant(function: Function, values: &[Value], longest: usize) -> Result<Option<Value>, SqlError> {
    Ok(Some(match (function, values) {
        (Function::IsNull, [value]) => Value::Int(i64::from(*value == Value::Null)),
        (Function::JsonArray, _) => json_array(values, longest)?,
        (Function::JsonContainsPath, _) => json_contains_path(values)?,
        (Function::JsonObject, _) => json_object(values, longest)?,
        (Function::PlaceAmong, [value, bounds @ ..]) => Value::Int(place_among(value, bounds)),
        (Function::Quote, [Value::Null]) => text_value("NULL".to_owned()),
        (Function::ConcatWs, [separator, rest @ ..]) => concat_ws(separator, rest, longest)?,
        (_, _) => return Ok(None),
    }))
}

fn one(function: Function, value: &Value, longest: usize) -> Result<Value, SqlError> {
    let text = text_of(value).unwrap_or_default();
    let number = || Number::operand(value).unwrap_or(Number::int(0));
    let characters = || String::from_utf8_lossy(&text);
    Ok(match function {
        Function::Abs => absolute(number()).value_like(value)?,
        Function::ClockNumber => clock_number(value),
        Function::Sign => Value::Int(match number().compare(Number::int(0)) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }),
        Function::Floor => whole(number(), value, false)?,
        Function::Ceiling => whole(number(), value, true)?,
        Function::Round => number().rounded(0).value_like(value)?,
        Function::Length => size(text.len()),
        Function::CharLength => {
            size(if matches!(value, Value::Bytes(_)) { text.len() } else { characters().chars().count() })
        }
        Function::Lower => changed(value, &text, |t| letters(t, char::to_lowercase)),
        Function::Upper => changed(value, &text, |t| letters(t, char::to_uppercase)),
        Function::Trim => trimmed(value, &text, true, true),
        Function::LTrim => trimmed(value, &text, true, false),
        Function::RTrim => trimmed(value, &text, false, true),
        Function::Hex => {
            within("hex", text.len().saturating_mul(2), longest)?;
            hex(value, &text)
        }
        Function::Quote => {
            within("quote", text.len(), longest)?;
            let quoted = quote(&text);
            if matches!(value, Value::Bytes(_)) { Value::Bytes(quoted.into()) } else { column_text(&quoted.into()) }
        }
        Function::Unhex => unhex(&text),
        Function::JsonUnquote => json_unquote(value, &text)?,
        Function::JsonQuote => {
            let mut out = String::with_capacity(text.len() + 2);
            json::quote(&mut out, &characters());
            Value::Text(out.into())
        }
        Function::JsonValid => json_valid(value, &text),
        Function::AsNumber => Number::of(value).map_or(Value::Null, Number::value),
        Function::AsTime => match value {
            Value::Text(text) | Value::Bytes(text) => time::parse(text).map_or_else(|| value.clone(), Value::DateTime),
            other => other.clone(),
        },
        Function::AsBoolean => Value::Json(if number().is_true() { "true".into() } else { "false".into() }),
        Function::AsKey => as_key(value)?,
        Function::JsonType => Value::Text(json::type_name(&document(value)?).into()),
        Function::JsonLength => size(json::length(&document(value)?)),
        Function::JsonKeys => json_keys(&document(value)?),
        Function::Concat | Function::Least | Function::Greatest => value_as_text(value),
        other => return Err(SqlError::Arguments(other.name().into())),
    })
}

fn several(function: Function, values: &[Value], fold_case: bool, longest: usize) -> Result<Value, SqlError> {
    let text = |i: usize| values.get(i).and_then(text_of).unwrap_or_default();
    let letters_are = Letters::of_values(values);
    let string = |i: usize| letters_are.read(&text(i)).into_owned();
    let searched = |i: usize| match fold_case && letters_are == Letters::Characters {
        true => letters(&string(i), char::to_lowercase),
        false => string(i),
    };
    let made = |text: String| letters_are.write(text);
    let path = |i: usize| String::from_utf8_lossy(&text(i)).into_owned();
    let int = |i: usize| match values.get(i) {
        Some(Value::Text(text) | Value::Bytes(text)) => bigint(leading_integer(text)),
        value => value.and_then(Number::of).map_or(0, |n| bigint(n.round())),
    };
    Ok(match (function, values) {
        (Function::Concat, _) => concat(values, longest)?,
        (Function::Round, [value, _]) => {
            let digits = i32::try_from(int(1).clamp(-400, 400)).unwrap_or(0);
            Number::operand(value).unwrap_or(Number::int(0)).rounded(digits).value_like(value)?
        }
        (Function::Greatest, [first, rest @ ..]) => best(first, rest, Ordering::Greater, fold_case)?.clone(),
        (Function::Least, [first, rest @ ..]) => best(first, rest, Ordering::Less, fold_case)?.clone(),
        (Function::Left, [_, _]) => made(string(0).chars().take(usize::try_from(int(1)).unwrap_or(0)).collect()),
        (Function::Right, [_, _]) => {
            let string = string(0);
            let skip = string.chars().count().saturating_sub(usize::try_from(int(1)).unwrap_or(0));
            made(string.chars().skip(skip).collect())
        }
        (Function::Substring, [_, _, ..]) => made(substring(&string(0), int(1), (values.len() > 2).then(|| int(2)))),
        (Function::Replace, [_, _, _]) => made(replace(&string(0), &string(1), &string(2), longest)?),
        (Function::Pow, [base, exponent]) => power(base, exponent)?,
        (Function::SubstringIndex, [_, _, _]) => made(substring_index(letters_are, &string(0), &string(1), int(2))),
        (Function::Instr, [_, _]) => locate(&searched(1), &searched(0), 1),
        (Function::Locate, [_, _]) => locate(&searched(0), &searched(1), 1),
        (Function::Locate, [_, _, _]) => locate(&searched(0), &searched(1), int(2)),
        (Function::JsonExtract, _) => json_extract(values)?,
        (Function::JsonValue, [d, _]) => json_value(d, &path(1))?,
        (Function::JsonLength, [d, _]) => at_path(d, &path(1))?.map_or(Value::Null, |d| size(json::length(&d))),
        (Function::JsonKeys, [d, _]) => at_path(d, &path(1))?.map_or(Value::Null, |d| json_keys(&d)),
        (Function::JsonContains, [target, candidate, ..]) => {
            let candidate = document(candidate)?;
            let target = if values.len() > 2 { at_path(target, &path(2))? } else { Some(document(target)?) };
            boolean(target.map(|t| json::contains(&t, &candidate)).transpose()?)
        }
        (Function::UnixTimestamp, [at, zone]) => unix_timestamp(at, zone),
        (Function::FromUnixTime, [seconds, zone]) => from_unix_time(seconds, zone),
        (Function::TimeAdd, [at, micros, unit]) => time_add(at, micros, unit),
        (Function::Interval, [written, unit]) => interval(written, unit),
        (Function::Extract, [at, unit]) => extract(at, unit),
        (Function::AsDecimal, [value, _]) => as_decimal(value, int(1)),
        (Function::MonthsAdd, [at, months]) => months_add(at, months),
        (Function::TimeDiff, [a, b]) => time_diff(a, b, &Value::Int(6)),
        (Function::TimeDiff, [a, b, digits]) => time_diff(a, b, digits),
        (Function::TimeText, [at, digits]) => time_text(at, digits),
        (Function::TimeNumber, [at, digits]) => time_number(at, digits),
        (Function::ConvertTz, [at, from, to]) => convert_tz(at, from, to)?,
        (other, _) => return Err(SqlError::Arguments(other.name().into())),
    })
}

/// The best of the values, each compared with the best before it: the first of equal ones.
fn best<'v>(first: &'v Value, rest: &'v [Value], better: Ordering, fold_case: bool) -> Result<&'v Value, SqlError> {
    let mut best = first;
    for value in rest {
        if compare(value, best, fold_case)? == Some(better) {
            best = value;
        }
    }
    Ok(best)
}

fn power(base: &Value, exponent: &Value) -> Result<Value, SqlError> {
    let double = |v| Number::of(v).map_or(0.0, Number::as_f64);
    let power = double(base).powf(double(exponent));
    if power.is_finite() { Ok(Value::Double(power)) } else { Err(out_of_range("DOUBLE")) }
}

/// A number without its sign.
fn absolute(number: Number) -> Number {
    match number {
        Number::Double(d) => Number::Double(d.abs()),
        n if n.compare(Number::int(0)).is_ge() => n,
        n => n.negated(),
    }
}

/// How many of the bounds, from the first on, are not above the value; NULL is below every number, and -1 is where it is.
fn place_among(value: &Value, bounds: &[Value]) -> i64 {
    let Some(value) = Number::of(value) else { return -1 };
    let above = |bound: &&Value| Number::of(bound).is_none_or(|bound| bound.compare(value).is_le());
    bounds.iter().take_while(above).map(|_| 1).sum()
}

/// The BIGINT nearest to a whole number.
fn bigint(n: i128) -> i64 {
    i64::try_from(n).unwrap_or(if n < 0 { i64::MIN } else { i64::MAX })
}

/// The text with each letter in the other case, if that is one letter: as MySQL has it, `ß` has no upper case.
fn letters<I: Iterator<Item = char>>(text: &str, changed: fn(char) -> I) -> String {
    let change = |c| {
        let mut other = changed(c);
        match (other.next(), other.next()) {
            (Some(one), None) => one,
            (_, _) => c,
        }
    };
    text.chars().map(change).collect()
}

/// A number with at least so many digits behind the point; NULL stays NULL.
pub(super) fn as_decimal(value: &Value, digits: i64) -> Value {
    match (Number::of(value), value) {
        (None, _) => Value::Null,
        // Of more digits than are counted with: it stays as it is written.
        (Some(Number::Double(_)), Value::Decimal(_)) => value.clone(),
        (Some(number), _) => Value::Decimal(number.decimal(u32::try_from(digits).unwrap_or(0))),
    }
}

/// The whole number below or above. That of a DECIMAL is one if it may be beyond BIGINT.
///
/// # Errors
/// [`SqlError::OutOfRange`]
fn whole(number: Number, value: &Value, up: bool) -> Result<Value, SqlError> {
    if let Number::Double(d) = number {
        return Ok(Value::Double(if up { d.ceil() } else { d.floor() }));
    }
    let kept = number.whole(up);
    match (value, kept.value()) {
        (Value::Decimal(_), small @ Value::Int(n)) if n.unsigned_abs() < LARGE => Ok(small),
        (_, _) => kept.value_like(value),
    }
}
