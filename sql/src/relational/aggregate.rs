//! Aggregates SQLite does not compute as MySQL does.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::packed::Packed;
use super::program::Program;
use crate::error::SqlError;
use crate::expression::arithmetic::Arithmetic;
use crate::expression::number::{Number, decimal_text};
use crate::expression::{sort_order, sortable, text_of};
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
    /// The first `values` operands joined; the others are what it is sorted by, with "descending".
    Concat {
        values: usize,
        descending: Vec<bool>,
        separator: String,
        longest: usize,
    },
}

/// An aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AggregateSpec {
    pub kind: Kind,
    pub distinct: bool,
    /// Whether text compares without case.
    pub fold: bool,
}

/// An aggregate on its way through the rows of a group.
#[derive(Debug)]
pub struct Accumulator {
    spec: AggregateSpec,
    count: u64,
    best: Option<Value>,
    sum: Option<Number>,
    seen: HashSet<Vec<u8>>,
    parts: Vec<Part>,
    bytes: usize,
    most_bytes: usize,
}

/// A part of a GROUP_CONCAT.
#[derive(Debug)]
struct Part {
    text: Vec<u8>,
    keys: Vec<Value>,
}

impl Accumulator {
    pub(super) fn new(spec: AggregateSpec, most_bytes: usize) -> Self {
        let (best, sum, seen, parts) = (None, None, HashSet::new(), Vec::new());
        Self { spec, count: 0, best, sum, seen, parts, bytes: 0, most_bytes }
    }

    /// Takes the operands of one row.
    ///
    /// # Errors
    /// More bytes than the statement may collect; JSON that cannot be read.
    pub fn push(&mut self, operands: Vec<Packed>) -> Result<(), SqlError> {
        let mut values: Vec<Value> = operands.into_iter().map(Packed::value).collect();
        let keys = match &self.spec.kind {
            Kind::Concat { values: count, .. } => values.split_off((*count).min(values.len())),
            Kind::Min | Kind::Max | Kind::Sum | Kind::Avg | Kind::CountDistinct => Vec::new(),
        };
        if values.contains(&Value::Null) {
            return Ok(());
        }
        if self.spec.distinct {
            let mut encoded = Vec::new();
            for value in &values {
                encode(&mut encoded, value, self.spec.fold)?;
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
                keys.iter().try_for_each(sortable)?;
                let text: Vec<u8> = values.iter().filter_map(text_of).flatten().collect();
                self.collect(text.len() + 64 + Program::weight(&keys))?;
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
        // Sums of exact numbers are DECIMAL, whatever their size.
        let decimal = |n: Number| match n {
            Number::Exact { mantissa, scale } => Value::Decimal(decimal_text(mantissa, scale)),
            Number::Double(d) => Value::Double(d),
        };
        let value = match &self.spec.kind {
            Kind::CountDistinct => Value::Int(i64::try_from(self.count).unwrap_or(i64::MAX)),
            Kind::Min | Kind::Max => self.best.unwrap_or(Value::Null),
            Kind::Sum => self.sum.map_or(Value::Null, decimal),
            Kind::Avg => match self.sum {
                None => Value::Null,
                Some(sum) => sum.apply(Arithmetic::Divide, Number::int(self.count))?.map_or(Value::Null, decimal),
            },
            Kind::Concat { descending, separator, longest, .. } => concat(self.parts, descending, separator, *longest)?,
        };
        Ok(Packed::of(&value))
    }
}

fn concat(mut parts: Vec<Part>, descending: &[bool], separator: &str, longest: usize) -> Result<Value, SqlError> {
    if parts.is_empty() {
        return Ok(Value::Null);
    }
    let mut failed = None;
    parts.sort_by(|a, b| {
        let mut order = Ordering::Equal;
        for ((a, b), descending) in a.keys.iter().zip(&b.keys).zip(descending) {
            let this = sort_order(a, b).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                Ordering::Equal
            });
            order = order.then(if *descending { this.reverse() } else { this });
        }
        order
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
        if joined.len() > longest {
            break;
        }
    }
    // Cut as MySQL does at group_concat_max_len, between characters.
    let text = String::from_utf8_lossy(&joined);
    let end = text.floor_char_boundary(longest.min(text.len()));
    Ok(Value::Text(text.get(..end).unwrap_or("").to_owned().into()))
}

/// Bytes that are equal exactly when the values are.
fn encode(out: &mut Vec<u8>, value: &Value, fold: bool) -> Result<(), SqlError> {
    let (tag, bytes) = match (key(value)?, fold) {
        (Packed::Null, _) => (0, Vec::new()),
        (Packed::Int(n), _) => (1, n.to_be_bytes().to_vec()),
        (Packed::Double(d), _) => (2, d.to_bits().to_be_bytes().to_vec()),
        (Packed::Text(text), true) => (3, String::from_utf8_lossy(&text).to_lowercase().into_bytes()),
        (Packed::Text(text), false) => (3, text.to_vec()),
        (Packed::Blob(blob), _) => (4, blob),
    };
    out.push(tag);
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend(bytes);
    Ok(())
}

/// What a value is grouped and sorted by: numbers of all types are one scale.
pub(super) fn key(value: &Value) -> Result<Packed, SqlError> {
    Ok(match value {
        Value::UInt(_) | Value::Decimal(_) => match Number::of(value) {
            Some(number) => match (number.floor(), number) {
                ((n, true), _) if i64::try_from(n).is_ok() => Packed::Int(i64::try_from(n).unwrap_or(i64::MAX)),
                (_, number) => Packed::Double(number.as_f64()),
            },
            None => Packed::Null,
        },
        Value::Json(text) => Packed::Text(crate::expression::json::text(&crate::expression::json::parse(text)?).into()),
        Value::Null | Value::Int(_) | Value::Double(_) | Value::Text(_) | Value::Bytes(_) | Value::DateTime(_) => {
            Packed::of(value)
        }
    })
}
