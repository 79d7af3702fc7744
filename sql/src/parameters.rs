//! The values a statement is executed with.

use std::ops::Deref;

use crate::expression::{Type, time};
use crate::value::{ColumnType, Value};

/// The values of a statement's parameters. Of a time its type is known beside it, if it shows less than there is: a date
/// is no different from its midnight, and a whole second from one with a fraction of zeros.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    values: Vec<Value>,
    /// By their places, in order. Other times are DATETIME(6).
    times: Vec<(usize, TimeType)>,
}

/// The type of a time that is no DATETIME(6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeType {
    /// DATE.
    Date,
    /// DATETIME: whole seconds.
    Seconds,
    /// TIME, whose value is its text.
    Clock,
}

impl Parameters {
    /// None.
    pub(crate) const NONE: &'static Self = &Self { values: Vec::new(), times: Vec::new() };

    /// None yet, with room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self { values: Vec::with_capacity(count), times: Vec::new() }
    }

    /// Adds the next one.
    pub fn push(&mut self, value: Value, time: Option<TimeType>) {
        self.times.extend(time.map(|time| (self.values.len(), time)));
        self.values.push(value);
    }

    /// The type of the one at a place; that of any text if there is none.
    pub(crate) fn ty(&self, place: usize) -> Type {
        let time = self.times.binary_search_by_key(&place, |(place, _)| *place).ok().and_then(|at| self.times.get(at));
        let ty = match time {
            Some((_, TimeType::Date)) => Type::of(ColumnType::Date),
            Some((_, TimeType::Seconds)) => Type::time(0),
            Some((_, TimeType::Clock)) => Type::clock(self.values.get(place).map_or(0, clock_digits)),
            None => self.values.get(place).map_or(Type::of(ColumnType::Text), Type::of_value),
        };
        Type { nullable: true, ..ty }
    }
}

/// The digits behind the point of a TIME.
fn clock_digits(value: &Value) -> u8 {
    match value {
        Value::Text(text) => u8::try_from(time::digits_written(text)).unwrap_or(6),
        _ => 0,
    }
}

impl From<Vec<Value>> for Parameters {
    fn from(values: Vec<Value>) -> Self {
        Self { values, times: Vec::new() }
    }
}

impl Deref for Parameters {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.values
    }
}
