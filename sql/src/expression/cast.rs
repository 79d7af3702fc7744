//! CAST: a value as another type's.

use super::evaluate::{column_text, text_of, whole};
use super::number::{Number, decimal_text, double_text, wrapping_u64};
use super::text::first_letters;
use super::time_functions::time_of;
use super::{CastType, documents, json, time};
use crate::error::SqlError;
use crate::value::Value;

/// CAST.
pub(super) fn cast(value: Value, ty: CastType) -> Result<Value, SqlError> {
    let Some(text) = text_of(&value) else { return Ok(Value::Null) };
    let is_text = matches!(value, Value::Text(_) | Value::Bytes(_));
    let number = || Number::of(&value).unwrap_or(Number::int(0));
    let integer = || if is_text { truncated(number()) } else { whole(&value) };
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

/// The decimal nearest to a number that has so many digits at most, so many of them behind the point.
fn to_decimal(number: Number, precision: u32, scale: u32) -> Value {
    // More digits than are counted here bound nothing.
    let most = 10_i128.checked_pow(precision).map(|beyond| beyond - 1);
    let exact = match (number, number.written()) {
        // As it is written it has more digits than are counted with: most of them are behind the point, or it is beyond all.
        (Number::Double(d), Number::Double(_)) => Number::parse(format!("{d:.*}", scale as usize).as_bytes()),
        (_, written) => written,
    };
    let (mut mantissa, mut have) = match exact.rounded(i32::try_from(scale).unwrap_or(0)) {
        Number::Exact { mantissa, scale } => (mantissa, scale),
        Number::Double(d) => {
            return Value::Decimal(match most {
                Some(most) => decimal_text(if d < 0.0 { -most } else { most }, scale),
                None => double_text(d),
            });
        }
    };
    while have < scale {
        match mantissa.checked_mul(10) {
            Some(m) => mantissa = m,
            None => break,
        }
        have += 1;
    }
    if let Some(most) = most {
        // What has no room with all its digits is beyond every bound there is.
        mantissa = if have < scale { mantissa.signum() * most } else { mantissa.clamp(-most, most) };
        have = scale;
    }
    Value::Decimal(decimal_text(mantissa, have))
}
