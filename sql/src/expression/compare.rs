//! The order of two values, as comparisons and as ORDER BY see it.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::number::Number;
use super::{json, time};
use crate::error::SqlError;
use crate::value::Value;

/// Compares two values as MySQL's operators do; `None` if one of them is NULL. Text compares byte by byte, unless
/// `fold_case` (names in SHOW).
///
/// # Errors
/// [`SqlError::BadValue`] when text compared with a time is no time, [`SqlError::Json`] when JSON cannot be read.
pub(crate) fn compare(a: &Value, b: &Value, fold_case: bool) -> Result<Option<Ordering>, SqlError> {
    Ok(Some(match (a, b) {
        (Value::Null, _) | (_, Value::Null) => return Ok(None),
        (Value::Text(a) | Value::Bytes(a), Value::Text(b) | Value::Bytes(b)) => {
            if fold_case {
                fold(a).cmp(&fold(b))
            } else {
                a.cmp(b)
            }
        }
        (Value::Json(a), Value::Json(b)) if a == b => Ordering::Equal,
        (Value::Json(a), Value::Json(b)) => json::compare(&json::parse(a)?, &json::parse(b)?),
        (Value::Json(a), b) => json_and(a, b)?,
        (a, Value::Json(b)) => json_and(b, a)?.reverse(),
        (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::DateTime(a), Value::Text(b) | Value::Bytes(b)) => a.cmp(&read_time(b)?),
        (Value::Text(a) | Value::Bytes(a), Value::DateTime(b)) => read_time(a)?.cmp(b),
        (a, b) => match (Number::of(a), Number::of(b)) {
            (Some(a), Some(b)) => a.compare(b),
            (_, _) => return Ok(None),
        },
    }))
}

/// A total order for ORDER BY, MIN and MAX: NULL first, then as [`compare`].
///
/// # Errors
/// Those of [`compare`].
pub(crate) fn sort_order(a: &Value, b: &Value) -> Result<Ordering, SqlError> {
    match (a, b) {
        (Value::Null, Value::Null) => Ok(Ordering::Equal),
        (Value::Null, _) => Ok(Ordering::Less),
        (_, Value::Null) => Ok(Ordering::Greater),
        (a, b) => Ok(compare(a, b, false)?.unwrap_or(Ordering::Equal)),
    }
}

fn fold(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_lowercase()
}

/// The time text stands for.
///
/// # Errors
/// [`SqlError::BadValue`] when it is none.
pub(crate) fn read_time(text: &[u8]) -> Result<cellgate_schemaless::Micros, SqlError> {
    time::parse(text).ok_or_else(|| SqlError::BadValue {
        out_of_range: false,
        message: format!("Incorrect DATETIME value: '{}'", String::from_utf8_lossy(text)),
    })
}

/// JSON with something that is not JSON: a string with text by content, a number or boolean with a number, and an
/// object or array with text by its text as it stands (so that a body can be compared with what was written).
fn json_and(text: &[u8], other: &Value) -> Result<Ordering, SqlError> {
    let document = json::parse(text)?;
    Ok(match (&document, other) {
        (Json::String(s), Value::Text(t) | Value::Bytes(t)) => s.as_bytes().cmp(t),
        (Json::Object(_) | Json::Array(_), Value::Text(t) | Value::Bytes(t)) => text.cmp(t),
        (Json::String(s), Value::DateTime(at)) => read_time(s.as_bytes())?.cmp(at),
        (Json::Number(_) | Json::Bool(_), Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_)) => {
            match Number::of(other) {
                Some(n) => json::number(text).compare(n),
                None => Ordering::Equal,
            }
        }
        (_, Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_)) => {
            json::compare(&document, &Json::from(0))
        }
        (_, Value::Text(_) | Value::Bytes(_) | Value::DateTime(_) | Value::Json(_) | Value::Null) => {
            json::compare(&document, &Json::from(""))
        }
    })
}
