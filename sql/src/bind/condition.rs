//! What a condition says about keys. Nothing here decides what is read; [`super::request`] does.

use cellgate_schemaless::{ColumnKey, RowKey};

use super::as_keys::key_value;
use super::keys::{Keys, Range, Room, Set};
use crate::columns::CellColumn;
use crate::error::SqlError;
use crate::expression::number::Number;
use crate::expression::{Comparison, Expression, Operator, Slot, Test, time, truth};
use crate::value::Value;

/// What a condition says about keys; `room` is that of the whole condition it is part of.
pub(super) fn analyse(condition: &Expression<Slot>, room: &Room) -> Keys {
    match condition {
        Expression::Constant(value) => {
            if truth(value) == Some(true) {
                Keys::everything(true)
            } else {
                Keys::nothing()
            }
        }
        Expression::And(all) => Keys::all(all.iter().map(|e| analyse(e, room))),
        Expression::Or(all) => Keys::or(all.iter().map(|e| analyse(e, room)).collect(), room),
        Expression::Chain(first, rest) => match rest.as_slice() {
            [(Operator::Compare(op), right)] => compared(first, *op, right),
            // No column of a cell is NULL, so that with a value the two kinds of equality are one.
            [(Operator::NullSafeEqual, right)] => compared(first, Comparison::Equal, right),
            _ => Keys::everything(false),
        },
        Expression::In { operand, list, negated: false } => listed(operand, list, room),
        Expression::Between { operand, low, high, negated: false } => {
            compared(operand, Comparison::GreaterEqual, low).and(compared(operand, Comparison::LessEqual, high))
        }
        Expression::Is { operand, test: Test::Null, negated } if cell_column(operand).is_some() => {
            if *negated {
                Keys::everything(true)
            } else {
                Keys::nothing()
            }
        }
        Expression::Leaf(_)
        | Expression::Not(_)
        | Expression::Negate(_)
        | Expression::Invert(_)
        | Expression::Is { .. }
        | Expression::In { .. }
        | Expression::Between { .. }
        | Expression::Like { .. }
        | Expression::Case { .. }
        | Expression::Call(..)
        | Expression::Cast(..)
        | Expression::Tuple(_)
        | Expression::Aggregate { .. } => Keys::everything(false),
    }
}

/// Refuses text that is no number, or has more behind it, where it is compared with a column of numbers: what it begins with
/// must not decide what is erased.
///
/// # Errors
/// [`SqlError::WrongNumber`]
pub(super) fn numbers_only(condition: &Expression<Slot>) -> Result<(), SqlError> {
    let mut found = Ok(());
    condition.visit(&mut |node| {
        let mut pair = |a: &Expression<Slot>, b: &Expression<Slot>| {
            if found.is_ok() {
                found = number_for(a, b).and_then(|()| number_for(b, a));
            }
        };
        match node {
            Expression::Chain(first, rest) => rest.iter().for_each(|(_, other)| pair(first, other)),
            Expression::In { operand, list, .. } => list.iter().for_each(|item| pair(operand, item)),
            Expression::Between { operand, low, high, .. } => {
                pair(operand, low);
                pair(operand, high);
            }
            _ => {}
        }
        true
    });
    found
}

fn number_for(column: &Expression<Slot>, value: &Expression<Slot>) -> Result<(), SqlError> {
    match (column, value) {
        (Expression::Tuple(columns), Expression::Tuple(values)) => {
            columns.iter().zip(values).try_for_each(|(column, value)| number_for(column, value))
        }
        (column, Expression::Constant(Value::Text(text) | Value::Bytes(text))) => {
            let name = match cell_column(column) {
                Some(CellColumn::RefKey) => "ref_key",
                Some(CellColumn::AddedId) => "added_id",
                Some(CellColumn::Shard) => "shard",
                Some(CellColumn::RowKey | CellColumn::ColumnKey | CellColumn::Body | CellColumn::CreatedAt) | None => {
                    return Ok(());
                }
            };
            let text = String::from_utf8_lossy(text);
            let letters = |c: char| c.is_ascii_alphabetic() && !c.eq_ignore_ascii_case(&'e');
            if text.contains(letters) || text.trim().parse::<f64>().is_err() {
                return Err(SqlError::WrongNumber(text.into_owned(), name));
            }
            Ok(())
        }
        (_, _) => Ok(()),
    }
}

fn cell_column(expression: &Expression<Slot>) -> Option<CellColumn> {
    match expression {
        Expression::Leaf(slot) => CellColumn::of_slot(slot.0),
        _ => None,
    }
}

fn listed(operand: &Expression<Slot>, list: &[Expression<Slot>], room: &Room) -> Keys {
    Keys::or(list.iter().map(|item| compared(operand, Comparison::Equal, item)).collect(), room)
}

fn compared(left: &Expression<Slot>, op: Comparison, right: &Expression<Slot>) -> Keys {
    match (left, right) {
        (Expression::Tuple(columns), Expression::Tuple(values))
            if op == Comparison::Equal && columns.len() == values.len() =>
        {
            Keys::all(columns.iter().zip(values).map(|(c, v)| compared(c, Comparison::Equal, v)))
        }
        (column, Expression::Constant(value)) => {
            cell_column(column).map_or(Keys::everything(false), |column| atom(column, op, value))
        }
        (Expression::Constant(value), column) => {
            cell_column(column).map_or(Keys::everything(false), |column| atom(column, op.flipped(), value))
        }
        (_, _) => Keys::everything(false),
    }
}

/// `column op value`
fn atom(column: CellColumn, op: Comparison, value: &Value) -> Keys {
    if *value == Value::Null {
        return Keys::nothing();
    }
    if let (CellColumn::RowKey | CellColumn::ColumnKey, Comparison::Equal, Value::Json(_)) = (column, op, value)
        && let content @ Value::Text(_) = key_value(value.clone())
    {
        return atom(column, op, &content);
    }
    let everything = Keys::everything(true);
    match (column, op, value) {
        // A key that cannot be a key is nobody's.
        (CellColumn::RowKey, Comparison::Equal, Value::Text(bytes) | Value::Bytes(bytes)) => {
            match RowKey::new(bytes.clone()) {
                Ok(key) => Keys { rows: Set::Only([key].into()), ..everything },
                Err(_) => Keys::nothing(),
            }
        }
        (CellColumn::ColumnKey, Comparison::Equal, Value::Text(bytes) | Value::Bytes(bytes)) => {
            match ColumnKey::new(bytes.clone()) {
                Ok(key) => Keys { columns: Set::Only([key].into()), ..everything },
                Err(_) => Keys::nothing(),
            }
        }
        (CellColumn::CreatedAt, _, _) => created(op, value),
        (CellColumn::RefKey | CellColumn::AddedId | CellColumn::Shard, _, value) => {
            let plain = matches!(
                value,
                Value::Int(_)
                    | Value::UInt(_)
                    | Value::Double(_)
                    | Value::Decimal(_)
                    | Value::Text(_)
                    | Value::Bytes(_)
            );
            match Number::of(value).filter(|_| plain).and_then(|n| bounds(op, n)) {
                Some(range) => number_atom(column, op, range),
                None => Keys {
                    added_equals: column == CellColumn::AddedId && op == Comparison::Equal,
                    ..Keys::everything(false)
                },
            }
        }
        (CellColumn::RowKey | CellColumn::ColumnKey | CellColumn::Body, _, _) => Keys::everything(false),
    }
}

/// The integers `n` with `n op number`, as inclusive bounds; `None` for `<>`.
fn bounds(op: Comparison, number: Number) -> Option<(i128, i128)> {
    let (floor, whole) = number.floor();
    let below = if whole { floor.saturating_sub(1) } else { floor };
    let from = if whole { floor } else { floor.saturating_add(1) };
    Some(match op {
        Comparison::Equal if whole => (floor, floor),
        Comparison::Equal => (1, 0),
        Comparison::NotEqual => return None,
        Comparison::Less => (i128::MIN, below),
        Comparison::LessEqual => (i128::MIN, floor),
        Comparison::Greater => (floor.saturating_add(1), i128::MAX),
        Comparison::GreaterEqual => (from, i128::MAX),
    })
}

fn number_atom(column: CellColumn, op: Comparison, (min, max): (i128, i128)) -> Keys {
    let everything = Keys::everything(true);
    if min > max || min > i128::from(i64::MAX) || max < i128::from(i64::MIN) {
        return Keys { added_equals: column == CellColumn::AddedId && op == Comparison::Equal, ..Keys::nothing() };
    }
    let (min, max) = (i64::try_from(min).ok(), i64::try_from(max).ok());
    match (column, op, min) {
        (CellColumn::RefKey, Comparison::Equal, Some(n)) => Keys { refs: Set::Only([n].into()), ..everything },
        (CellColumn::RefKey, _, _) => Keys { range: Range { min, max }, ..everything },
        (CellColumn::Shard, Comparison::Equal, Some(n)) => {
            u16::try_from(n).map_or(Keys::nothing(), |n| Keys { shards: Set::Only([n].into()), ..everything })
        }
        (CellColumn::AddedId, _, _) => {
            let added_after = min.and_then(|min| min.checked_sub(1));
            let lower_only = matches!(op, Comparison::Greater | Comparison::GreaterEqual);
            // Below every id there is no bound to give.
            let exact = lower_only && added_after.is_some();
            Keys { added_after, exact, added_equals: op == Comparison::Equal, ..everything }
        }
        (_, _, _) => Keys::everything(false),
    }
}

fn created(op: Comparison, value: &Value) -> Keys {
    let at = match value {
        Value::DateTime(at) => Some(at.0),
        Value::Text(bytes) | Value::Bytes(bytes) => time::parse(bytes).map(|at| at.0),
        Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => {
            Number::of(value).and_then(time::of_number).map(|at| at.0)
        }
        Value::Null | Value::Json(_) => None,
    };
    match (op, at) {
        (Comparison::GreaterEqual, Some(at)) => Keys { created_from: Some(at), ..Keys::everything(true) },
        (Comparison::Greater, Some(at)) => {
            Keys { created_from: at.checked_add(1), exact: at < i64::MAX, ..Keys::everything(true) }
        }
        (Comparison::Equal, Some(at)) => Keys { created_from: Some(at), ..Keys::everything(false) },
        (_, _) => Keys::everything(false),
    }
}
