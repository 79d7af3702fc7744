//! CAST: a value as another type's.

use super::evaluate::{column_text, text_of};
use super::number::{Number, decimal_text, double_text};
use super::{CastType, documents, json, time};
use crate::error::SqlError;
use crate::value::Value;

/// CAST.
pub(super) fn cast(value: Value, ty: CastType) -> Result<Value, SqlError> {
    let Some(text) = text_of(&value) else { return Ok(Value::Null) };
    let is_text = matches!(value, Value::Text(_) | Value::Bytes(_));
    let number = || Number::of(&value).unwrap_or(Number::int(0));
    let integer = || if is_text { truncated(number()) } else { number().round() };
    Ok(match ty {
        CastType::Char(length) => {
            let text = match length {
                Some(n) => String::from_utf8_lossy(&text).chars().take(n as usize).collect::<String>().into(),
                None => text,
            };
            column_text(&text)
        }
        CastType::Binary(length) => {
            let mut bytes = text.to_vec();
            if let Some(n) = length {
                bytes.truncate(n as usize);
            }
            Value::Bytes(bytes.into())
        }
        CastType::Signed => {
            let n = integer();
            // An unsigned number beyond the signed ones is read as its bits.
            Value::Int(match (i64::try_from(n), u64::try_from(n)) {
                (Ok(n), _) => n,
                (Err(_), Ok(n)) if !is_text => n.cast_signed(),
                (Err(_), _) => {
                    if n < 0 {
                        i64::MIN
                    } else {
                        i64::MAX
                    }
                }
            })
        }
        CastType::Unsigned => {
            let n = integer();
            Value::UInt(match (u64::try_from(n), i64::try_from(n)) {
                (Ok(n), _) => n,
                (Err(_), Ok(n)) => n.cast_unsigned(),
                (Err(_), Err(_)) => {
                    if n < 0 {
                        i64::MIN.cast_unsigned()
                    } else {
                        u64::MAX
                    }
                }
            })
        }
        CastType::Decimal { scale } => to_decimal(number(), scale),
        CastType::Double => Value::Double(number().as_f64()),
        CastType::DateTime(digits) => match &value {
            Value::DateTime(at) => Value::DateTime(time::truncate(*at, digits)),
            Value::Null
            | Value::Int(_)
            | Value::UInt(_)
            | Value::Double(_)
            | Value::Decimal(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Json(_) => {
                let read = time::parse(&text);
                read.map_or(Value::Null, |at| Value::DateTime(time::truncate(at, digits)))
            }
        },
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

fn to_decimal(number: Number, scale: u32) -> Value {
    let exact = match number {
        Number::Exact { .. } => number,
        Number::Double(d) => match Number::parse(format!("{d:.*}", scale.min(30) as usize + 1).as_bytes()) {
            exact @ Number::Exact { .. } => exact,
            Number::Double(_) => return Value::Decimal(double_text(d)),
        },
    };
    let Number::Exact { mut mantissa, scale: mut have } = exact.rounded(i32::try_from(scale).unwrap_or(0)) else {
        return Value::Decimal(double_text(exact.as_f64()));
    };
    while have < scale {
        match mantissa.checked_mul(10) {
            Some(m) => mantissa = m,
            None => break,
        }
        have += 1;
    }
    Value::Decimal(decimal_text(mantissa, have))
}
