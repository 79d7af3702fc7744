//! CAST: a value as another type's.

use num_bigint::Sign;

use super::clock::as_clock;
use super::number::{Number, wrapping_u64};
use super::operators::whole;
use super::text::{column_text, first_letters, text_of};
use super::time_functions::time_of;
use super::wide::ten_to;
use super::{CastType, documents, json, time};
use crate::error::SqlError;
use crate::value::Value;

/// CAST.
pub(super) fn cast(value: Value, ty: CastType) -> Result<Value, SqlError> {
    let Some(text) = text_of(&value) else { return Ok(Value::Null) };
    let is_text = matches!(value, Value::Text(_) | Value::Bytes(_));
    let number = || Number::of(&value).unwrap_or(Number::int(0));
    let integer = || if is_text { leading_integer(&text) } else { whole(&value) };
    Ok(match ty {
        CastType::Char(length) => {
            let text = match length {
                Some(n) => first_letters(&text, n as usize),
                None => text,
            };
            column_text(&text)
        }
        CastType::Binary(length) => {
            let mut bytes = text.to_vec();
            if let Some(n) = length {
                bytes.resize(n as usize, 0);
            }
            Value::Bytes(bytes.into())
        }
        CastType::Signed => {
            let n = integer();
            // An unsigned number beyond the signed ones is read as its bits.
            Value::Int(match (i64::try_from(n), u64::try_from(n)) {
                (Ok(n), _) => n,
                // So is text; beyond the unsigned ones it is all of their bits.
                (Err(_), _) if is_text => wrapping_u64(n).cast_signed(),
                (Err(_), Ok(n)) if matches!(value, Value::UInt(_)) => n.cast_signed(),
                (Err(_), _) => {
                    if n < 0 {
                        i64::MIN
                    } else {
                        i64::MAX
                    }
                }
            })
        }
        CastType::Unsigned => Value::UInt(wrapping_u64(integer())),
        CastType::Decimal { precision, scale } => to_decimal(number(), precision, scale),
        CastType::Double => Value::Double(number().as_f64()),
        CastType::DateTime(digits) => {
            time_of(&value).map_or(Value::Null, |at| Value::DateTime(time::truncate(at, digits)))
        }
        CastType::Date => time_of(&value).map_or(Value::Null, |at| Value::DateTime(time::start_of_day(at))),
        CastType::Time(digits) => as_clock(&value, digits),
        CastType::Json => {
            let document = documents::to_json_document(&value)?;
            Value::Json(json::text(&document).into())
        }
    })
}

/// The integer of a number, towards zero.
pub(super) fn truncated(number: Number) -> i128 {
    let (floor, whole) = number.floor();
    if floor < 0 && !whole { floor + 1 } else { floor }
}

/// The integer that text begins with, 0 if it begins with none: a point and an exponent are no part of it.
pub(super) fn leading_integer(text: &[u8]) -> i128 {
    let text = text.trim_ascii_start();
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let digits = text.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
    text.get(..sign + digits).map_or(0, |written| truncated(Number::parse(written)))
}

/// The decimal nearest to a number that has so many digits at most, so many of them behind the point.
fn to_decimal(number: Number, precision: u32, scale: u32) -> Value {
    let most = Number::parse(format!("{:9<1$}", "", precision as usize).as_bytes());
    let Some((most, _)) = most.digits() else { return number.decimal_value() };
    let bound = |negative: bool| {
        let digits = format!("{most:0>width$}", width = scale as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
        let point = if fraction.is_empty() { "" } else { "." };
        Value::Decimal(format!("{}{whole}{point}{fraction}", if negative { "-" } else { "" }))
    };
    let exact = match (number, number.written()) {
        // As it is written it has more digits than are counted with: most of them are behind the point, or it is beyond all.
        (Number::Double(d), Number::Double(_)) => Number::parse(format!("{d:.*}", scale as usize).as_bytes()),
        (_, written) => written,
    };
    let rounded = exact.rounded(i32::try_from(scale).unwrap_or(0));
    match rounded.digits() {
        Some((digits, have)) => {
            let digits = digits * ten_to(scale.saturating_sub(have));
            if digits.magnitude() > most.magnitude() {
                bound(digits.sign() == Sign::Minus)
            } else {
                Value::Decimal(rounded.decimal(scale))
            }
        }
        None => bound(rounded.as_f64() < 0.0),
    }
}
