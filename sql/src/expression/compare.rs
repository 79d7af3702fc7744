//! The order of two values, as comparisons and as ORDER BY see it.

use std::cell::OnceCell;
use std::cmp::Ordering;

use bytes::Bytes;
use cellgate_schemaless::Micros;
use serde_json::Value as Json;

use super::number::Number;
use super::{folded_text, json, order_key, time};
use crate::error::SqlError;
use crate::value::Value;

/// Compares two values as MySQL's operators do; `None` if one of them is NULL. Text compares byte by byte, unless
/// `fold_case` (names in SHOW).
///
/// # Errors
/// [`SqlError::WrongTime`] when text compared with a time is no time, [`SqlError::Json`] when JSON cannot be read.
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
        (Value::Json(a), b) => json_and(a, &json::parse(a)?, b)?,
        (a, Value::Json(b)) => json_and(b, &json::parse(b)?, a)?.reverse(),
        (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::DateTime(a), Value::Text(b) | Value::Bytes(b)) => a.cmp(&read_time(b)?),
        (Value::Text(a) | Value::Bytes(a), Value::DateTime(b)) => read_time(a)?.cmp(b),
        (Value::DateTime(a), b) => match Number::of(b) {
            Some(number) => with_number(*a, number),
            None => return Ok(None),
        },
        (a, Value::DateTime(b)) => match Number::of(a) {
            Some(number) => with_number(*b, number).reverse(),
            None => return Ok(None),
        },
        (a, b) => match as_numbers(a, b) {
            Some(order) => order,
            None => return Ok(None),
        },
    }))
}

fn as_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    Number::of(a).zip(Number::of(b)).map(|(a, b)| a.compare(b))
}

/// The order of `a` beside another value, where text that is no time is an error only as a constant: out of a row it is below
/// every time, as in MySQL. Asked for it, `left` and `right` say whether their operand depends on a row.
///
/// # Errors
/// That of `order`.
pub(super) fn of_operands(
    order: Result<Option<Ordering>, SqlError>,
    a: &Value,
    left: impl FnOnce() -> bool,
    right: impl FnOnce() -> bool,
) -> Result<Option<Ordering>, SqlError> {
    let time_first = matches!(a, Value::DateTime(_));
    match order {
        Err(SqlError::WrongTime(_)) if time_first && right() => Ok(Some(Ordering::Greater)),
        Err(SqlError::WrongTime(_)) if !time_first && left() => Ok(Some(Ordering::Less)),
        order => order,
    }
}

/// [`compare`] where no text is an error: what is no time is below every time.
///
/// # Errors
/// [`SqlError::Json`] when JSON cannot be read.
pub(super) fn leniently(a: &Value, b: &Value, fold_case: bool) -> Result<Option<Ordering>, SqlError> {
    of_operands(compare(a, b, fold_case), a, || true, || true)
}

/// A value that is compared with many, one after the other: JSON is read once.
pub(super) struct Compared<'a> {
    value: &'a Value,
    document: OnceCell<Json>,
}

impl<'a> Compared<'a> {
    pub fn new(value: &'a Value) -> Self {
        Self { value, document: OnceCell::new() }
    }

    /// [`compare`] of it with another.
    ///
    /// # Errors
    /// Those of [`compare`].
    pub fn with(&self, other: &Value, fold_case: bool) -> Result<Option<Ordering>, SqlError> {
        let Value::Json(text) = self.value else { return compare(self.value, other, fold_case) };
        match other {
            Value::Null => return Ok(None),
            Value::Json(other) if text == other => return Ok(Some(Ordering::Equal)),
            _ => {}
        }
        let document = match self.document.get() {
            Some(document) => document,
            None => {
                let document = json::parse(text)?;
                self.document.get_or_init(|| document)
            }
        };
        Ok(Some(match other {
            Value::Json(other) => json::compare(document, &json::parse(other)?),
            other => json_and(text, document, other)?,
        }))
    }

    /// Whether a CASE with this operand takes the branch of `other`: it compares JSON with a number as a number, of which true
    /// is 1, and with text as the text JSON is shown as. Text that is no time is below every time.
    ///
    /// # Errors
    /// [`SqlError::Json`] when JSON cannot be read.
    pub fn matches(&self, other: &Value, fold_case: bool) -> Result<bool, SqlError> {
        let as_text = |json: &Bytes, text: &Value| compare(&Value::Text(json.clone()), text, fold_case);
        let order = match (self.value, other) {
            (Value::Json(json), Value::Text(_) | Value::Bytes(_)) => as_text(json, other),
            (Value::Text(_) | Value::Bytes(_), Value::Json(json)) => as_text(json, self.value),
            (Value::Json(_), number) if kind(number) == Kind::Number => Ok(as_numbers(self.value, number)),
            (number, Value::Json(_)) if kind(number) == Kind::Number => Ok(as_numbers(number, other)),
            (_, _) => of_operands(self.with(other, fold_case), self.value, || true, || true),
        };
        Ok(order? == Some(Ordering::Equal))
    }
}

/// A total order for ORDER BY, MIN and MAX: NULL first, then values of a kind as [`compare`] has them. Values of several
/// kinds, which what is sorted by is mostly not made of, are ordered by their kinds.
///
/// # Errors
/// [`SqlError::Json`] when JSON cannot be read.
pub(crate) fn sort_order(a: &Value, b: &Value) -> Result<Ordering, SqlError> {
    let (kind_a, kind_b) = (kind(a), kind(b));
    if kind_a != kind_b {
        return Ok(kind_a.cmp(&kind_b));
    }
    if kind_a == Kind::Number
        && let (Some(a), Some(b)) = (Number::of(a), Number::of(b))
    {
        return Ok(a.total_order(b));
    }
    Ok(compare(a, b, false)?.unwrap_or(Ordering::Equal))
}

/// What a row is sorted by, in [`sort_order`] of the values. JSON is read once, before the sort, and not in each comparison:
/// what cannot be read has no order, and a sort that meets such a value half-way has none at all.
#[derive(Debug)]
pub(crate) enum SortKey {
    /// A value that is not JSON.
    Value(Value),
    /// [`order_key::json`].
    Json(Box<[u8]>),
}

impl SortKey {
    /// That of a value.
    ///
    /// # Errors
    /// [`SqlError::Json`] when JSON cannot be read: what a function nested too deep, or a body that a store spoiled.
    pub fn new(value: Value) -> Result<Self, SqlError> {
        Ok(match value {
            Value::Json(text) => Self::Json(order_key::json(&json::parse(&text)?).into()),
            value => Self::Value(value),
        })
    }

    /// The order of two.
    ///
    /// # Errors
    /// Those of [`sort_order`].
    pub fn order(&self, other: &Self) -> Result<Ordering, SqlError> {
        match (self, other) {
            (Self::Value(a), Self::Value(b)) => sort_order(a, b),
            (Self::Json(a), Self::Json(b)) => Ok(a.cmp(b)),
            // The last of the kinds.
            (Self::Value(_), Self::Json(_)) => Ok(Ordering::Less),
            (Self::Json(_), Self::Value(_)) => Ok(Ordering::Greater),
        }
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        std::mem::size_of::<Self>()
            + match self {
                Self::Value(value) => value.content_bytes(),
                Self::Json(key) => key.len(),
            }
    }
}

/// What values can be compared in one way, in the order they are sorted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Null,
    Number,
    Time,
    Text,
    Json,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => Kind::Number,
        Value::DateTime(_) => Kind::Time,
        Value::Text(_) | Value::Bytes(_) => Kind::Text,
        Value::Json(_) => Kind::Json,
    }
}

/// A time with a number: the time the number is, or as numbers if it is none.
fn with_number(at: Micros, number: Number) -> Ordering {
    match time::of_number(number) {
        Some(other) => at.cmp(&other),
        None => time::as_number(at).compare(number),
    }
}

fn fold(text: &[u8]) -> String {
    folded_text(&String::from_utf8_lossy(text))
}

/// The time text stands for.
///
/// # Errors
/// [`SqlError::WrongTime`] when it is none.
fn read_time(text: &[u8]) -> Result<Micros, SqlError> {
    time::parse(text).ok_or_else(|| SqlError::WrongTime(String::from_utf8_lossy(text).into_owned()))
}

/// JSON with something that is not JSON: a string with text by content, a number with a number, and an
/// object or array with text by its text as it stands (so that a body can be compared with what was written).
fn json_and(text: &[u8], document: &Json, other: &Value) -> Result<Ordering, SqlError> {
    Ok(match (document, other) {
        (Json::String(s), Value::Text(t) | Value::Bytes(t)) => s.as_bytes().cmp(t),
        (Json::Object(_) | Json::Array(_), Value::Text(t) | Value::Bytes(t)) => text.cmp(t),
        (Json::String(s), Value::DateTime(at)) => read_time(s.as_bytes())?.cmp(at),
        (Json::Number(_), Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_)) => {
            match Number::of(other) {
                Some(n) => json::number_of(document).compare(n),
                None => Ordering::Equal,
            }
        }
        (_, Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_)) => {
            json::compare(document, &Json::from(0))
        }
        (_, Value::Text(_) | Value::Bytes(_) | Value::DateTime(_) | Value::Json(_) | Value::Null) => {
            json::compare(document, &Json::from(""))
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let large = 9_007_199_254_740_990_i64;
        prop_oneof![
            Just(Value::Null),
            (0..6_i64).prop_map(move |n| Value::Int(large + n)),
            (0..6_i64).prop_map(move |n| Value::Double((large + n) as f64)),
            (0..6_i64, 0..3_u8).prop_map(move |(n, tenth)| Value::Decimal(format!("{}.{tenth}", large + n))),
            (-2..3_i64).prop_map(Value::Int),
            // What has no room beside more digits behind the point.
            (0..3_i128, 0..3_u8).prop_map(|(n, tenths)| match tenths {
                0 => Value::Decimal((10_i128.pow(37) + n).to_string()),
                tenths => Value::Decimal(format!("{}.{tenths}", 10_i128.pow(36) + n)),
            }),
            (0..3_i128).prop_map(|n| Value::Decimal(format!("{}.{n:02}", 10_i128.pow(35) + n))),
            (-2..3_i64).prop_map(|n| Value::Double(n as f64 / 2.0)),
            "[ab9]{0,2}".prop_map(|text| Value::Text(text.into())),
            prop::collection::vec(0x60..0xff_u8, 0..2).prop_map(|bytes| Value::Bytes(bytes.into())),
            (0..3_i64).prop_map(|at| Value::DateTime(Micros(at))),
            prop::sample::select(
                &[
                    "null",
                    "1",
                    "1.0",
                    "2",
                    "\"a\"",
                    "[1]",
                    "{\"a\":1}",
                    "{\"a\":1.0}",
                    "{\"a\":1.5}",
                    "{\"a\":[]}",
                    "true"
                ][..]
            )
            .prop_map(|text| Value::Json(text.into())),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn whatever_is_sorted_has_one_order(a in value(), b in value(), c in value()) {
            let order = |x: &Value, y: &Value| sort_order(x, y).unwrap();
            let key = |value: &Value| SortKey::new(value.clone()).unwrap();
            prop_assert_eq!(key(&a).order(&key(&b)), Ok(order(&a, &b)));
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            if order(&a, &b) == order(&b, &c) {
                prop_assert_eq!(order(&a, &c), order(&a, &b));
            }
            if order(&a, &b).is_eq() {
                prop_assert_eq!(order(&a, &c), order(&b, &c));
            }
        }
    }
}
