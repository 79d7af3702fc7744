//! The functions of times: between a zone's clock, UTC, seconds since 1970 and text.

use cellgate_schemaless::Micros;

use super::arithmetic::Arithmetic;
use super::number::{Number, decimal_text};
use super::text::text_of;
use super::text::text_value;
use super::time;
use crate::error::{SqlError, unsupported};
use crate::value::Value;
use crate::zone::{Clock, TimeZone};

/// The last microsecond of a timestamp, 3001-01-18 23:59:59.999999: MySQL's bound.
const LAST: i64 = 32_536_771_199_999_999;

/// UNIX_TIMESTAMP of a time on the zone's clock: a whole number of one that is written as such, else with six digits
/// behind the point.
pub(super) fn unix_timestamp(at: &Value, zone: &Value) -> Value {
    let Some(local) = time_of(at) else { return Value::Null };
    let utc = clock(zone).utc(local);
    // 0 is what is out of a timestamp's range.
    let micros = if (0..=LAST).contains(&utc.0) { utc.0 } else { 0 };
    match at {
        Value::Int(_) | Value::UInt(_) => Value::Int(micros.div_euclid(1_000_000)),
        Value::Null
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Json(_)
        | Value::DateTime(_) => Value::Decimal(decimal_text(i128::from(micros), 6)),
    }
}

/// FROM_UNIXTIME on the zone's clock; NULL beyond a timestamp's range.
pub(super) fn from_unix_time(seconds: &Value, zone: &Value) -> Value {
    let micros = Number::of(seconds);
    let micros = micros.and_then(|n| n.apply(Arithmetic::Multiply, Number::int(1_000_000)).ok().flatten());
    match micros.map(|n| i64::try_from(n.round())) {
        Some(Ok(micros @ 0..=LAST)) => Value::DateTime(clock(zone).local(Micros(micros))),
        Some(_) | None => Value::Null,
    }
}

/// A time so many microseconds later, counted in units of so many; NULL for what is no time, and beyond the years there are.
pub(super) fn time_add(at: &Value, micros: &Value, unit: &Value) -> Value {
    let whole = |value| Number::of(value).and_then(|n| i64::try_from(n.round()).ok());
    let (Some(micros), Some(unit)) = (whole(micros), whole(unit)) else { return Value::Null };
    moved(at, unit % time::DAY == 0, |time| time.0.checked_add(micros).map(Micros).filter(|at| time::exists(*at)))
}

/// A time so many months later; NULL for what is no time, and beyond the years there are.
pub(super) fn months_add(at: &Value, months: &Value) -> Value {
    let months = Number::of(months).and_then(|n| i64::try_from(n.round()).ok());
    let Some(months) = months else { return Value::Null };
    moved(at, true, |time| time::months_later(time, months))
}

/// What becomes of a time: text stays text, and a date that was moved by a unit of `days` a date.
fn moved(at: &Value, days: bool, by: impl FnOnce(Micros) -> Option<Micros>) -> Value {
    let Some(later) = time_of(at).and_then(by) else { return Value::Null };
    if matches!(at, Value::DateTime(_)) {
        return Value::DateTime(later);
    }
    let digits = match later.0 % 1_000_000 {
        0 if days && is_date(at) => time::DATE,
        0 => 0,
        _ => 6,
    };
    text_value(time::text_as(later, digits))
}

/// Whether text or a number that is a time has no clock. Colons alone part a date.
fn is_date(written: &Value) -> bool {
    let text = text_of(written).unwrap_or_default();
    let text = text.trim_ascii();
    if text.iter().all(u8::is_ascii_digit) {
        return text.len() <= 8;
    }
    !text.iter().any(|b| matches!(b, b' ' | b'T' | b't'))
}

/// A time as text, with so many digits of its second.
pub(super) fn time_text(at: &Value, digits: &Value) -> Value {
    // The text of another time, or NULL, stays what it is.
    let Value::DateTime(at) = at else { return at.clone() };
    text_value(time::text_as(*at, digits_of(digits)))
}

/// A time as a number, with so many digits of its second.
pub(super) fn time_number(at: &Value, digits: &Value) -> Value {
    let Value::DateTime(at) = at else { return at.clone() };
    time::number_as(*at, digits_of(digits)).value()
}

fn digits_of(digits: &Value) -> i64 {
    Number::of(digits).map_or(0, |n| i64::try_from(n.round()).unwrap_or(0))
}

/// CONVERT_TZ: the same moment on the clock of another zone; NULL for what is no time, or no zone.
///
/// # Errors
/// A zone's name out of a row.
pub(super) fn convert_tz(at: &Value, from: &Value, to: &Value) -> Result<Value, SqlError> {
    let (from, to) = (zone(from)?, zone(to)?);
    let at = time_of(at);
    let (Some(at), Some(from), Some(to)) = (at, from, to) else { return Ok(Value::Null) };
    let utc = from.utc(at);
    // Out of a timestamp's range nothing is converted.
    Ok(Value::DateTime(if (1_000_000..=LAST).contains(&utc.0) { to.local(utc) } else { at }))
}

/// The time a value is, or stands for as a number or text.
pub(super) fn time_of(value: &Value) -> Option<Micros> {
    match value {
        Value::DateTime(at) => Some(*at),
        Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => {
            Number::of(value).and_then(time::of_number)
        }
        Value::Null | Value::Text(_) | Value::Bytes(_) | Value::Json(_) => {
            text_of(value).and_then(|text| time::parse(&text))
        }
    }
}

/// The session's zone, as its leaf gives it.
fn clock(zone: &Value) -> Clock<'_> {
    Clock::of(zone).unwrap_or(Clock::Offset(0))
}

/// The zone CONVERT_TZ is given: one that was looked up, an offset, or the text of one; `None` for NULL.
///
/// # Errors
/// A zone's name out of a row: files are not read for each.
fn zone(value: &Value) -> Result<Option<Clock<'_>>, SqlError> {
    if let Value::Bytes(packed) = value
        && let Some(clock) = Clock::packed(packed)
    {
        return Ok(Some(clock));
    }
    let Some(text) = text_of(value) else { return Ok(None) };
    match TimeZone::named(&String::from_utf8_lossy(&text)) {
        Some(TimeZone::Offset(ahead)) => Ok(Some(Clock::Offset(ahead))),
        Some(TimeZone::Place(_)) | None => Err(unsupported(
            "CONVERT_TZ with a zone by name that comes out of a row",
            "write the name as a constant or a parameter, or keep offsets like '+02:00' in the rows",
        )),
    }
}
