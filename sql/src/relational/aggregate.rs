//! Aggregates SQLite does not compute as MySQL does.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::program::Program;
use super::sqlite_value::Packed;
use crate::error::SqlError;
use crate::expression::lost::{self, Read};
use crate::expression::number::{Number, double_digits};
use crate::expression::{Scope, Slot, SortKey, Worth, column_text, folded_text, json, order_key, sort_order, text_of};
use crate::shape::Notes;
use crate::value::Value;

/// What is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Min,
    Max,
    Sum,
    Avg,
    /// How many rows have none of the operands NULL, each combination once.
    CountDistinct,
    /// The first `values` operands joined; the others are what it is sorted by.
    Concat {
        values: usize,
        order: Vec<Order>,
        separator: String,
        longest: usize,
        /// Whether it joins bytes, which have no characters.
        binary: bool,
    },
}

/// How a GROUP_CONCAT is sorted by one of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub descending: bool,
    /// Whether text compares without case.
    pub fold: bool,
}

impl Order {
    fn compare(self, a: &SortKey, b: &SortKey) -> Result<Ordering, SqlError> {
        let order = match (a, b) {
            (SortKey::Value(Value::Text(a)), SortKey::Value(Value::Text(b))) if self.fold => {
                Program::collate(&String::from_utf8_lossy(a), &String::from_utf8_lossy(b))
            }
            (a, b) => a.order(b)?,
        };
        Ok(if self.descending { order.reverse() } else { order })
    }
}

/// An aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AggregateSpec {
    pub kind: Kind,
    pub distinct: bool,
    /// Whether text compares without case, of each operand.
    pub folds: Vec<bool>,
}

/// An aggregate on its way through the rows of a group.
#[derive(Debug)]
pub struct Accumulator {
    spec: AggregateSpec,
    count: u64,
    best: Option<Value>,
    sum: Option<Number>,
    /// How many of its digits behind the point are shown.
    shown: u32,
    seen: HashSet<Vec<u8>>,
    parts: Vec<Part>,
    bytes: usize,
    most_bytes: usize,
    joined: Joined,
}

/// Where the operands of an aggregate tell what is lost of them.
struct Told<'a>(&'a Notes);

impl Scope<Slot> for Told<'_> {
    fn leaf(&self, slot: &Slot) -> Result<Value, SqlError> {
        Err(SqlError::Internal(format!("slot {} within an aggregate", slot.0)))
    }

    fn lost(&self, told: SqlError) -> Result<(), SqlError> {
        self.0.add(told);
        Ok(())
    }
}

/// What the groups of one aggregate have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Joined {
    /// How many rows of them a GROUP_CONCAT has joined.
    rows: Arc<AtomicU64>,
    /// Hears of what was cut, and of text that is no number.
    notes: Notes,
}

impl Joined {
    pub fn new(notes: Notes) -> Self {
        Self { rows: Arc::default(), notes }
    }
}

/// A part of a GROUP_CONCAT.
#[derive(Debug)]
struct Part {
    text: Vec<u8>,
    keys: Vec<SortKey>,
}

impl Accumulator {
    pub(super) fn new(spec: AggregateSpec, most_bytes: usize, joined: Joined) -> Self {
        let (best, sum, seen, parts) = (None, None, HashSet::new(), Vec::new());
        Self { spec, count: 0, best, sum, shown: 0, seen, parts, bytes: 0, most_bytes, joined }
    }

    /// Takes the operands of one row.
    ///
    /// # Errors
    /// More bytes than the statement may collect; JSON that cannot be read.
    pub fn push(&mut self, operands: Vec<Packed>) -> Result<(), SqlError> {
        let sums = matches!(self.spec.kind, Kind::Sum | Kind::Avg);
        let value = |operand: Packed| match operand.worth() {
            // Each value once is each value that is shown.
            worth if sums && !self.spec.distinct => {
                self.shown = self.shown.max(worth.shown());
                worth.full()
            }
            worth => {
                self.shown = self.shown.max(worth.shown());
                worth.value()
            }
        };
        let mut values: Vec<Value> = operands.into_iter().map(value).collect();
        if sums {
            let told = Told(&self.joined.notes);
            values.iter().try_for_each(|value| lost::number(value, Read::Double, &told))?;
        }
        let keys = match &self.spec.kind {
            Kind::Concat { values: count, .. } => values.split_off((*count).min(values.len())),
            Kind::Min | Kind::Max | Kind::Sum | Kind::Avg | Kind::CountDistinct => Vec::new(),
        };
        if values.contains(&Value::Null) {
            return Ok(());
        }
        if self.spec.distinct {
            // Of text it is the numbers that are summed.
            let mut encoded = Vec::new();
            for (value, fold) in values.iter().zip(&self.spec.folds) {
                match Number::operand(value) {
                    Some(number) if sums => encode(&mut encoded, &number.value(), *fold)?,
                    Some(_) | None => encode(&mut encoded, value, *fold)?,
                }
            }
            let size = encoded.len();
            if !self.seen.insert(encoded) {
                return Ok(());
            }
            self.collect(size)?;
        }
        self.count += 1;
        match &self.spec.kind {
            Kind::CountDistinct => {}
            Kind::Min => self.better(values.pop(), Ordering::Less)?,
            Kind::Max => self.better(values.pop(), Ordering::Greater)?,
            Kind::Sum | Kind::Avg => {
                if let Some(number) = values.first().and_then(Number::operand) {
                    self.sum = Some(self.sum.map_or(number, |sum| sum.plus(number)));
                }
            }
            Kind::Concat { .. } => {
                let keys = keys.into_iter().map(SortKey::new).collect::<Result<Vec<_>, _>>()?;
                let text: Vec<u8> = values.iter().filter_map(text_of).flatten().collect();
                self.collect(text.len() + 64 + keys.iter().map(SortKey::size).sum::<usize>())?;
                self.parts.push(Part { text, keys });
            }
        }
        Ok(())
    }

    fn better(&mut self, value: Option<Value>, wanted: Ordering) -> Result<(), SqlError> {
        let Some(value) = value else { return Ok(()) };
        let better = match &self.best {
            None => true,
            Some(best) => sort_order(&value, best)? == wanted,
        };
        if better {
            self.best = Some(value);
        }
        Ok(())
    }

    fn collect(&mut self, bytes: usize) -> Result<(), SqlError> {
        self.bytes += bytes;
        if self.bytes > self.most_bytes {
            return Err(SqlError::Limit {
                what: "what an aggregate collects".into(),
                limit: self.most_bytes as u64,
                name: "limits.collect_bytes",
            });
        }
        Ok(())
    }

    /// How many bytes it holds, about.
    pub fn held(&self) -> usize {
        self.bytes + self.best.as_ref().map_or(0, |best| Program::weight(std::slice::from_ref(best)))
    }

    /// The value of the group.
    ///
    /// # Errors
    /// A sum that is out of range; JSON that cannot be read.
    pub fn finish(self) -> Result<Packed, SqlError> {
        let sum = self.sum.map(|sum| Worth::quotient(sum, self.shown));
        let value = match &self.spec.kind {
            Kind::CountDistinct => Value::Int(i64::try_from(self.count).unwrap_or(i64::MAX)),
            Kind::Min | Kind::Max => self.best.unwrap_or(Value::Null),
            // Sums of exact numbers are DECIMAL, whatever their size.
            Kind::Sum => return Ok(sum.map_or(Packed::Null, Packed::of_worth)),
            Kind::Avg => {
                let average = sum.map(|sum| sum.divided_by(self.count)).transpose()?;
                return Ok(average.map_or(Packed::Null, Packed::of_worth));
            }
            Kind::Concat { order, separator, longest, binary, .. } => {
                match joined(self.parts, order, separator, *longest, &self.joined)? {
                    Some(mut bytes) if *binary => {
                        bytes.truncate(*longest);
                        Value::Bytes(bytes.into())
                    }
                    Some(text) => cut(text, *longest),
                    None => Value::Null,
                }
            }
        };
        Ok(Packed::of(&value))
    }
}

/// The parts in their order, up to the one that is too much; nothing if there are none.
fn joined(
    mut parts: Vec<Part>,
    order: &[Order],
    separator: &str,
    longest: usize,
    group: &Joined,
) -> Result<Option<Vec<u8>>, SqlError> {
    if parts.is_empty() {
        return Ok(None);
    }
    let mut failed = None;
    parts.sort_by(|a, b| {
        let keys = a.keys.iter().zip(&b.keys).zip(order);
        let mut each = keys.map(|((a, b), key)| {
            key.compare(a, b).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                Ordering::Equal
            })
        });
        each.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let mut joined = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            joined.extend_from_slice(separator.as_bytes());
        }
        joined.extend_from_slice(&part.text);
        let row = group.rows.fetch_add(1, Relaxed) + 1;
        if joined.len() > longest {
            group.notes.add(SqlError::Cut(row));
            break;
        }
    }
    Ok(Some(joined))
}

/// Text cut as MySQL does at group_concat_max_len, between characters. What is no UTF-8 stays the bytes it is.
fn cut(mut text: Vec<u8>, longest: usize) -> Value {
    let end = std::str::from_utf8(&text).map_or(longest, |text| text.floor_char_boundary(longest));
    text.truncate(end);
    column_text(&text.into())
}

/// Bytes that are equal exactly when the values are.
fn encode(out: &mut Vec<u8>, value: &Value, fold: bool) -> Result<(), SqlError> {
    let (tag, bytes) = match (key(value)?, fold) {
        (Packed::Null, _) => (0, Vec::new()),
        (Packed::Int(n), _) => (1, n.to_be_bytes().to_vec()),
        (Packed::Double(d), _) => (2, d.to_bits().to_be_bytes().to_vec()),
        (Packed::Text(text), true) => (3, folded_text(&String::from_utf8_lossy(&text)).into_bytes()),
        (Packed::Text(text), false) => (3, text.to_vec()),
        (Packed::Blob(blob), _) => (4, blob),
    };
    out.push(tag);
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend(bytes);
    Ok(())
}

/// What a value is grouped and sorted by: numbers of all types are one scale, with all their digits.
pub(super) fn key(value: &Value) -> Result<Packed, SqlError> {
    Ok(match value {
        Value::Int(n) => Packed::Blob(order_key::number(&n.to_string())),
        Value::UInt(n) => Packed::Blob(order_key::number(&n.to_string())),
        Value::Double(d) => Packed::Blob(order_key::number(&double_digits(*d))),
        // Beyond the digits that are counted with decimals are written as doubles are.
        Value::Decimal(text) if text.contains('e') => {
            Packed::Blob(order_key::number(&double_digits(Number::parse(text.as_bytes()).as_f64())))
        }
        Value::Decimal(text) => Packed::Blob(order_key::number(text)),
        Value::Json(text) => Packed::Blob(order_key::json(&json::parse(text)?)),
        Value::Null | Value::Text(_) | Value::Bytes(_) | Value::DateTime(_) => Packed::of(value),
    })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;
    use crate::expression::number::decimal_text;

    fn key_of(value: &Value) -> Vec<u8> {
        match key(value).unwrap() {
            Packed::Blob(key) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn equal_numbers_have_equal_keys_whatever_their_types() {
        for same in [
            [Value::Int(0), Value::Double(-0.0), Value::Decimal("0.00".into())],
            [Value::Int(120), Value::UInt(120), Value::Decimal("0120.0".into())],
            [Value::Double(-0.5), Value::Decimal("-0.50".into()), Value::Decimal("-.5".into())],
            [Value::Double(1e20), Value::Decimal("1e20".into()), Value::Decimal("100000000000000000000".into())],
        ] {
            let keys = same.map(|value| key_of(&value));
            assert!(keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
        }
    }

    #[test]
    fn keys_have_the_order_of_the_numbers() {
        let ascending = [
            "-100000000000000000000000000000000000000000.1",
            "-12345678901234567890.13",
            "-12345678901234567890.12",
            "-10",
            "-9.99",
            "-1.55",
            "-1.5",
            "-1.49",
            "-0.01",
            "-0.001",
            "0",
            "0.001",
            "0.0011",
            "0.01",
            "1.5",
            "1.55",
            "9",
            "10",
            "12345678901234567890.12",
            "12345678901234567890.13",
            "100000000000000000000000000000000000000000.1",
        ];
        let keys = ascending.map(|text| key_of(&Value::Decimal(text.into())));
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn keys_compare_as_their_numbers(a in -1000..1000_i32, x in 0..4_u32, b in -1000..1000_i32, y in 0..4_u32) {
            let decimal = |n: i32, scale| Value::Decimal(decimal_text(n.into(), scale));
            let (a, b) = (decimal(a, x), decimal(b, y));
            prop_assert_eq!(key_of(&a).cmp(&key_of(&b)), sort_order(&a, &b).unwrap_or(Ordering::Equal));
        }
    }
}
