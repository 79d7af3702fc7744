//! The text of values, and the functions that make and take apart text.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::call::within;
use super::number::{Number, double_text};
use super::time;
use crate::error::SqlError;
use crate::value::Value;

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

/// What stands before the `count`th separator from the left or, if that is negative, behind it from the right. Separators
/// are looked for from the left in either case, as `::` is in `:::` twice; among bytes each from its side.
pub(super) fn substring_index(letters: Letters, text: &str, separator: &str, count: i64) -> String {
    if separator.is_empty() || count == 0 {
        return String::new();
    }
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count > 0 {
        let cut = text.match_indices(separator).nth(wanted - 1).map_or(text.len(), |(at, _)| at);
        return text.get(..cut).unwrap_or("").to_owned();
    }
    let found = match letters {
        Letters::Characters => {
            let place = text.matches(separator).count().checked_sub(wanted);
            place.and_then(|place| text.match_indices(separator).nth(place))
        }
        Letters::Bytes => text.rmatch_indices(separator).nth(wanted - 1),
    };
    let cut = found.map_or(0, |(at, _)| at + separator.len());
    text.get(cut..).unwrap_or("").to_owned()
}

pub(super) fn text_value(text: String) -> Value {
    Value::Text(text.into())
}

pub(super) fn value_as_text(value: &Value) -> Value {
    match value {
        Value::Bytes(_) => value.clone(),
        value => text_of(value).map_or(Value::Null, |t| column_text(&t)),
    }
}

pub(super) fn size(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// CONCAT: NULL if any is NULL.
///
/// # Errors
/// [`SqlError::ResultTooLong`].
pub(super) fn concat(values: &[Value], longest: usize) -> Result<Value, SqlError> {
    let parts: Option<Vec<Bytes>> = values.iter().map(text_of).collect();
    let Some(parts) = parts else { return Ok(Value::Null) };
    within("concat", parts.iter().map(Bytes::len).sum(), longest)?;
    Ok(joined(Letters::of_values(values), parts.concat()))
}

/// What was made of such letters.
fn joined(letters: Letters, made: Vec<u8>) -> Value {
    match letters {
        Letters::Bytes => Value::Bytes(made.into()),
        Letters::Characters => column_text(&made.into()),
    }
}

/// CONCAT_WS of what is not NULL.
///
/// # Errors
/// [`SqlError::ResultTooLong`].
pub(super) fn concat_ws(separator: &Value, values: &[Value], longest: usize) -> Result<Value, SqlError> {
    let letters = Letters::of_values(std::slice::from_ref(separator)).or(Letters::of_values(values));
    let Some(separator) = text_of(separator) else { return Ok(Value::Null) };
    let parts: Vec<Bytes> = values.iter().filter_map(text_of).collect();
    let separators = separator.len().saturating_mul(parts.len().saturating_sub(1));
    within("concat_ws", parts.iter().map(Bytes::len).sum::<usize>().saturating_add(separators), longest)?;
    Ok(joined(letters, parts.join(&separator[..])))
}

/// REPLACE: every `from` becomes `to`.
///
/// # Errors
/// [`SqlError::ResultTooLong`].
pub(super) fn replace(text: &str, from: &str, to: &str, longest: usize) -> Result<String, SqlError> {
    if from.is_empty() {
        return Ok(text.to_owned());
    }
    if to.len() > from.len() {
        let grows = text.matches(from).count().saturating_mul(to.len() - from.len());
        within("replace", text.len().saturating_add(grows), longest)?;
    }
    Ok(text.replace(from, to))
}

/// A part of a text. One that is less than half of it is copied: as a slice it would hold all of the text, a body for
/// example, in whatever keeps the value, which counts the part only.
fn part(text: &Bytes, range: Range<usize>) -> Bytes {
    let part = text.slice(range);
    if part.len() < text.len() / 2 { Bytes::copy_from_slice(&part) } else { part }
}

/// Without the spaces at its ends.
pub(super) fn trimmed(value: &Value, text: &Bytes, start: bool, end: bool) -> Value {
    let from = if start { text.iter().take_while(|b| **b == b' ').count() } else { 0 };
    let rest = text.get(from..).unwrap_or(&[]);
    let spaces = if end { rest.iter().rev().take_while(|b| **b == b' ').count() } else { 0 };
    let kept = part(text, from..text.len() - spaces);
    if matches!(value, Value::Bytes(_)) { Value::Bytes(kept) } else { column_text(&kept) }
}

/// What the letters of a text are: characters, or bytes as soon as one operand is binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    Characters,
    Bytes,
}

impl Letters {
    /// Those of a function of these values.
    pub fn of_values(values: &[Value]) -> Self {
        let binary = values.iter().any(|value| matches!(value, Value::Bytes(_)));
        if binary { Self::Bytes } else { Self::Characters }
    }

    /// Those of a function of these and of others.
    fn or(self, other: Self) -> Self {
        if self == Self::Bytes { self } else { other }
    }

    /// The text, one `char` per letter.
    pub fn read(self, text: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Characters => String::from_utf8_lossy(text),
            Self::Bytes => text.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
        }
    }

    /// What was made of letters that were read.
    pub fn write(self, letters: String) -> Value {
        match self {
            Self::Characters => text_value(letters),
            Self::Bytes => {
                Value::Bytes(letters.chars().filter_map(|c| u8::try_from(c).ok()).collect::<Vec<_>>().into())
            }
        }
    }
}

/// The first letters of a text.
pub(super) fn first_letters(text: &Bytes, count: usize) -> Bytes {
    let length = match std::str::from_utf8(text) {
        Ok(t) => t.char_indices().nth(count).map_or(t.len(), |(at, _)| at),
        Err(_) => count.min(text.len()),
    };
    part(text, 0..length)
}

/// Text changed as characters; bytes without a character set stay as they are.
pub(super) fn changed(value: &Value, text: &Bytes, f: impl Fn(&str) -> String) -> Value {
    match (value, std::str::from_utf8(text)) {
        (Value::Bytes(bytes), _) => Value::Bytes(bytes.clone()),
        (_, Ok(t)) => text_value(f(t)),
        (_, Err(_)) => Value::Bytes(text.clone()),
    }
}

pub(super) fn hex(value: &Value, text: &[u8]) -> Value {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut out = String::with_capacity(text.len() * 2);
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => {
            let n = Number::of(value).map_or(0, Number::round);
            // What is beyond either end is all ones.
            let bits = u64::try_from(n).unwrap_or_else(|_| i64::try_from(n).unwrap_or(-1).cast_unsigned());
            out = format!("{bits:X}");
        }
        Value::Null | Value::Text(_) | Value::Bytes(_) | Value::Json(_) | Value::DateTime(_) => {
            for b in text {
                out.extend([b >> 4, b & 15].iter().filter_map(|n| DIGITS.get(usize::from(*n))));
            }
        }
    }
    text_value(out)
}

/// The text as a literal of SQL.
pub(super) fn quote(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'\'');
    for &byte in text {
        match byte {
            b'\'' | b'\\' => out.extend([b'\\', byte]),
            0 => out.extend(b"\\0"),
            0x1a => out.extend(b"\\Z"),
            byte => out.push(byte),
        }
    }
    out.push(b'\'');
    out
}

/// The bytes hexadecimal digits stand for; an odd number of them gets a leading zero.
pub(crate) fn hex_bytes(digits: &str) -> Vec<u8> {
    let nibbles: Vec<u8> =
        digits.bytes().filter_map(|b| (b as char).to_digit(16)).filter_map(|d| u8::try_from(d).ok()).collect();
    let odd = nibbles.len() % 2;
    let mut bytes = Vec::with_capacity(nibbles.len().div_ceil(2));
    if odd == 1 {
        bytes.extend(nibbles.first());
    }
    bytes.extend(nibbles.get(odd..).unwrap_or(&[]).chunks_exact(2).map(|p| p.iter().fold(0, |b, n| (b << 4) | n)));
    bytes
}

pub(super) fn unhex(text: &[u8]) -> Value {
    match std::str::from_utf8(text) {
        Ok(t) if t.bytes().all(|b| b.is_ascii_hexdigit()) => Value::Bytes(hex_bytes(t).into()),
        Ok(_) | Err(_) => Value::Null,
    }
}

pub(super) fn substring(text: &str, from: i64, length: Option<i64>) -> String {
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let start = match from {
        0 => return String::new(),
        1.. => from - 1,
        _ => match count.checked_add(from) {
            Some(start @ 0..) => start,
            Some(_) | None => return String::new(),
        },
    };
    let length = length.unwrap_or(i64::MAX).max(0);
    let chars = text.chars().skip(usize::try_from(start).unwrap_or(usize::MAX));
    chars.take(usize::try_from(length).unwrap_or(usize::MAX)).collect()
}

pub(super) fn locate(needle: &str, text: &str, from: i64) -> Value {
    let Some(skip) = from.checked_sub(1).and_then(|n| usize::try_from(n).ok()) else { return Value::Int(0) };
    let Some((start, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(skip) else { return Value::Int(0) };
    match text.get(start..).and_then(|rest| rest.find(needle)) {
        Some(at) => size(text.get(..start + at).unwrap_or("").chars().count() + 1),
        None => Value::Int(0),
    }
}
