//! GROUP BY and aggregates.

use std::collections::{HashMap, HashSet};

use super::{Bounds, Collected, size};
use crate::error::SqlError;
use crate::expression::lost::{self, Read};
use crate::expression::number::Number;
use crate::expression::{Aggregate, Expression, Scope, Slot, Worth, json, order_key, sort_order};
use crate::value::Value;

/// What is grouped by, and what is computed of each group.
#[derive(Debug)]
pub(crate) struct Grouping {
    /// Slots `0..` of a group.
    pub keys: Vec<Expression<Slot>>,
    /// The slots behind them.
    pub aggregates: Vec<AggregateSpec>,
}

/// One aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AggregateSpec {
    /// Which.
    pub function: Aggregate,
    /// Of each value once.
    pub distinct: bool,
    /// Of what; nothing is `COUNT(*)`.
    pub arguments: Vec<Expression<Slot>>,
}

#[derive(Debug)]
struct State {
    count: u64,
    /// The lowest, the highest, or nothing yet.
    best: Option<Value>,
    /// `None` until a value came.
    sum: Option<Number>,
    /// How many of its digits behind the point are shown.
    shown: u32,
    seen: HashSet<Vec<u8>>,
}

#[derive(Debug)]
struct Group {
    keys: Vec<Value>,
    states: Vec<State>,
}

/// Groups on their way.
#[derive(Debug)]
pub(super) struct Groups {
    places: HashMap<Vec<u8>, usize>,
    /// In the order they were met.
    groups: Vec<Group>,
    collected: Collected,
}

impl Groups {
    /// Without GROUP BY there is one group, even of no rows.
    pub fn new(grouping: &Grouping) -> Self {
        let mut groups = Self { places: HashMap::new(), groups: Vec::new(), collected: Collected::default() };
        if grouping.keys.is_empty() {
            groups.places.insert(Vec::new(), 0);
            groups.groups.push(Group { keys: Vec::new(), states: states(grouping) });
        }
        groups
    }

    pub fn push(&mut self, grouping: &Grouping, scope: &dyn Scope<Slot>, bounds: Bounds) -> Result<(), SqlError> {
        let keys = grouping.keys.iter().map(|e| e.evaluate(scope)).collect::<Result<Vec<_>, _>>()?;
        let encoded = encode(&keys)?;
        let place = match self.places.get(&encoded) {
            Some(place) => *place,
            None => {
                let aggregates = grouping.aggregates.len() * std::mem::size_of::<State>();
                self.collected.add(encoded.len() + size(&keys) + aggregates, bounds)?;
                self.places.insert(encoded, self.groups.len());
                self.groups.push(Group { keys, states: states(grouping) });
                self.groups.len() - 1
            }
        };
        let Some(group) = self.groups.get_mut(place) else { return Ok(()) };
        for (state, spec) in group.states.iter_mut().zip(&grouping.aggregates) {
            state.push(spec, scope, &mut self.collected, bounds)?;
        }
        Ok(())
    }

    /// What is held.
    pub fn collected(&self) -> Collected {
        self.collected
    }

    /// The groups: their keys, then what their aggregates are worth.
    pub fn finish(self, grouping: Option<&Grouping>) -> Result<Vec<Vec<Worth>>, SqlError> {
        let specs = grouping.map_or(&[][..], |g| &g.aggregates);
        self.groups
            .into_iter()
            .map(|group| {
                let mut worth: Vec<Worth> = group.keys.into_iter().map(Worth::Plain).collect();
                for (state, spec) in group.states.into_iter().zip(specs) {
                    worth.push(state.finish(spec)?);
                }
                Ok(worth)
            })
            .collect()
    }
}

fn states(grouping: &Grouping) -> Vec<State> {
    let state = |_| State { count: 0, best: None, sum: None, shown: 0, seen: HashSet::new() };
    grouping.aggregates.iter().map(state).collect()
}

impl State {
    fn push(
        &mut self,
        spec: &AggregateSpec,
        scope: &dyn Scope<Slot>,
        collected: &mut Collected,
        bounds: Bounds,
    ) -> Result<(), SqlError> {
        let values = if matches!(spec.function, Aggregate::Sum | Aggregate::Avg) {
            let full = |e: &Expression<Slot>| {
                let worth = e.worth(scope)?;
                self.shown = self.shown.max(worth.shown());
                // Each value once is each value that is shown.
                Ok(if spec.distinct { worth.value() } else { worth.full() })
            };
            spec.arguments.iter().map(full).collect::<Result<Vec<_>, SqlError>>()?
        } else {
            spec.arguments.iter().map(|e| e.evaluate(scope)).collect::<Result<Vec<_>, _>>()?
        };
        if matches!(spec.function, Aggregate::Sum | Aggregate::Avg) {
            values.iter().try_for_each(|value| lost::number(value, Read::Double, scope))?;
        }
        if values.contains(&Value::Null) {
            return Ok(());
        }
        if spec.distinct && !matches!(spec.function, Aggregate::Min | Aggregate::Max) {
            // Of text it is the numbers that are summed.
            let sums = matches!(spec.function, Aggregate::Sum | Aggregate::Avg);
            let numbers = || values.iter().filter_map(Number::operand).map(Number::value).collect::<Vec<_>>();
            let encoded = if sums { encode(&numbers())? } else { encode(&values)? };
            if self.seen.contains(&encoded) {
                return Ok(());
            }
            collected.add(encoded.len(), bounds)?;
            self.seen.insert(encoded);
        }
        self.count += 1;
        let Some(value) = values.into_iter().next() else { return Ok(()) };
        match spec.function {
            Aggregate::Count => {}
            Aggregate::Any => {
                if self.best.is_none() {
                    collected.grow(size(std::slice::from_ref(&value)), bounds)?;
                    self.best = Some(value);
                }
            }
            Aggregate::Min | Aggregate::Max => {
                let better = match &self.best {
                    None => true,
                    Some(best) => {
                        let order = sort_order(&value, best)?;
                        if spec.function == Aggregate::Min { order.is_lt() } else { order.is_gt() }
                    }
                };
                if better {
                    let before = size(self.best.as_slice());
                    collected.replace(before, size(std::slice::from_ref(&value)), bounds)?;
                    self.best = Some(value);
                }
            }
            Aggregate::Sum | Aggregate::Avg => {
                if let Some(number) = Number::operand(&value) {
                    self.sum = Some(self.sum.map_or(number, |sum| sum.plus(number)));
                }
            }
        }
        Ok(())
    }

    fn finish(self, spec: &AggregateSpec) -> Result<Worth, SqlError> {
        Ok(match spec.function {
            Aggregate::Count => Worth::Plain(Value::Int(i64::try_from(self.count).unwrap_or(i64::MAX))),
            Aggregate::Min | Aggregate::Max | Aggregate::Any => Worth::Plain(self.best.unwrap_or(Value::Null)),
            // Sums of exact numbers are DECIMAL, whatever their size.
            Aggregate::Sum => self.sum.map_or(Worth::Plain(Value::Null), |sum| Worth::quotient(sum, self.shown)),
            Aggregate::Avg => match self.sum {
                None => Worth::Plain(Value::Null),
                Some(sum) => Worth::quotient(sum, self.shown).divided_by(self.count)?,
            },
        })
    }
}

/// Bytes that are equal exactly when the rows are.
pub(super) fn encode(row: &[Value]) -> Result<Vec<u8>, SqlError> {
    let mut out = Vec::new();
    for value in row {
        match value {
            Value::Null => out.push(0),
            Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => {
                out.push(1);
                if let Some(n) = Number::of(value) {
                    part(&mut out, n.canonical().as_bytes());
                }
            }
            Value::Text(bytes) | Value::Bytes(bytes) => {
                out.push(2);
                part(&mut out, bytes);
            }
            Value::Json(bytes) => {
                out.push(3);
                part(&mut out, &order_key::json(&json::parse(bytes)?));
            }
            Value::DateTime(at) => {
                out.push(4);
                out.extend(at.0.to_be_bytes());
            }
        }
    }
    Ok(out)
}

fn part(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(i64);

    impl Scope<Slot> for Row {
        fn leaf(&self, _: &Slot) -> Result<Value, SqlError> {
            Ok(Value::Int(self.0))
        }
    }

    #[test]
    fn the_aggregates_of_a_group_count() {
        let count = |n| AggregateSpec {
            function: Aggregate::Count,
            distinct: false,
            arguments: vec![Expression::Constant(Value::Int(n))],
        };
        let grouping = Grouping { keys: vec![Expression::Leaf(Slot(0))], aggregates: (0..1_000).map(count).collect() };
        let bounds = Bounds { rows: 1_000, bytes: 1 << 20, value: 1_000 };
        let mut groups = Groups::new(&grouping);
        let taken = (0..1_000).take_while(|n| groups.push(&grouping, &Row(*n), bounds).is_ok()).count();
        assert!((1..=20).contains(&taken), "{taken} groups of a thousand aggregates in a mebibyte");
    }

    #[test]
    fn a_value_that_takes_the_place_of_another_counts_for_itself() {
        let of = |function| AggregateSpec { function, distinct: false, arguments: vec![Expression::Leaf(Slot(0))] };
        let grouping = Grouping { keys: Vec::new(), aggregates: vec![of(Aggregate::Max), of(Aggregate::Min)] };
        let bounds = Bounds { rows: 10, bytes: 2 * std::mem::size_of::<Value>(), value: 1_000 };
        let mut groups = Groups::new(&grouping);
        for n in 0..1_000 {
            groups.push(&grouping, &Row(n), bounds).unwrap();
            groups.push(&grouping, &Row(-n), bounds).unwrap();
        }
        assert_eq!(groups.collected().bytes, bounds.bytes);
        assert_eq!(
            groups.finish(Some(&grouping)),
            Ok(vec![vec![Worth::Plain(Value::Int(999)), Worth::Plain(Value::Int(-999))]])
        );
    }
}
