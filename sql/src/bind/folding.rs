//! What is constant in an expression, evaluated once: before there are rows.

use std::sync::atomic::AtomicUsize;

use super::no_row::{BIND_BYTES, Hears, NoRow};
use super::scope::Session;
use crate::columns::CellColumn;
use crate::error::{SqlError, unsupported};
use crate::expression::arithmetic::Arithmetic;
use crate::expression::{Expression, Function, Operator, Slot, text_of};
use crate::value::Value;

/// What is folded, in bytes: whatever is longer is computed with the rows, where it stops nobody.
pub(super) const FOLD_BYTES: usize = 64 << 10;
/// How often what is folded may ask for patience: some milliseconds. Whatever takes longer is computed with the rows.
pub(super) const FOLD_STEPS: usize = 256;

impl Session<'_> {
    /// Evaluates what is constant. What cannot be evaluated stays, so that its error comes only if it is needed; so
    /// does what loses something, unless nobody hears of it here.
    pub(super) fn fold(&self, expression: &Expression<Slot>, hears: Hears<'_>) -> Result<Expression<Slot>, SqlError> {
        let folded = expression.map(
            &mut |node| {
                if matches!(node, Expression::Constant(_) | Expression::Tuple(_)) {
                    return Ok(None);
                }
                if node.any(depends) {
                    return self.fold_around_quotients(node, hears);
                }
                let mut bytes = 0;
                node.visit(&mut |n| {
                    bytes += n.constant().map_or(0, Value::content_bytes);
                    true
                });
                if bytes > FOLD_BYTES {
                    return Ok(None);
                }
                let scope = NoRow {
                    longest: FOLD_BYTES,
                    room: &AtomicUsize::new(BIND_BYTES / 64),
                    steps: Some(&AtomicUsize::new(FOLD_STEPS)),
                    patience: &self.patience,
                    divides: self.env.sql_mode().divides_by_zero,
                    hears,
                };
                match node.evaluate(&scope) {
                    Ok(value) => Ok(Some(Expression::Constant(value))),
                    // As a whole: its parts would be tried again, each in turn.
                    Err(SqlError::GivenUp) => self.patience.check().map(|()| Some(node.clone())),
                    Err(_) => Ok(Some(node.clone())),
                }
            },
            &mut |slot| Ok(Expression::Leaf(*slot)),
        )?;
        if folded.any(|n| matches!(n, Expression::Call(Function::ShardOf, _))) {
            return self.shard_of(&folded);
        }
        Ok(folded)
    }

    /// A constant quotient that is computed with stays one: its value has fewer digits. Anything else is folded as
    /// ever.
    fn fold_around_quotients(
        &self,
        node: &Expression<Slot>,
        hears: Hears<'_>,
    ) -> Result<Option<Expression<Slot>>, SqlError> {
        if !node.computes_with_worth() || !node.children().into_iter().any(quotient) {
            return Ok(None);
        }
        let mut at_child = false;
        let around = &mut |e: &Expression<Slot>| {
            if !std::mem::replace(&mut at_child, true) {
                return Ok(None);
            }
            if quotient(e) { Ok(Some(e.clone())) } else { self.fold(e, hears).map(Some) }
        };
        node.map(around, &mut |slot| Ok(Expression::Leaf(*slot))).map(Some)
    }

    /// SHARD_OF of a constant is a constant; of `row_key` it is the cell's shard.
    fn shard_of(&self, expression: &Expression<Slot>) -> Result<Expression<Slot>, SqlError> {
        expression.map(
            &mut |node| {
                let Expression::Call(Function::ShardOf, arguments) = node else { return Ok(None) };
                // What loses something names no shard that is stored.
                let argument = arguments.first().filter(|e| !e.any(|n| matches!(n, Expression::Leaf(_))));
                let argument = argument
                    .map(|e| self.fold(e, if self.stores { Hears::Fails } else { Hears::Nothing }))
                    .transpose()?;
                match argument.as_slice().first().map_or(arguments.as_slice(), std::slice::from_ref) {
                    [Expression::Constant(value)] => Ok(Some(Expression::Constant(match text_of(value) {
                        Some(key) => Value::Int(i64::from(self.env.shard_of(&key))),
                        None => Value::Null,
                    }))),
                    [Expression::Leaf(slot)] if *slot == Slot(CellColumn::RowKey.slot()) => {
                        Ok(Some(Expression::Leaf(Slot(CellColumn::Shard.slot()))))
                    }
                    // What else is left of a constant cannot be computed where values are stored.
                    [other] if self.stores && matches!(self.fold(other, Hears::Nothing)?, Expression::Constant(_)) => {
                        let scope = NoRow {
                            longest: FOLD_BYTES,
                            room: &self.room,
                            steps: None,
                            patience: &self.patience,
                            divides: false,
                            hears: Hears::Fails,
                        };
                        Err(other.evaluate(&scope).err().unwrap_or(SqlError::DivisionByZero))
                    }
                    _ => Err(unsupported(
                        "SHARD_OF of an expression over columns",
                        "use SHARD_OF('key') or the column shard",
                    )),
                }
            },
            &mut |slot| Ok(Expression::Leaf(*slot)),
        )
    }
}

/// Whether it is what a value depends on that is not there before there are rows.
pub(super) fn depends(node: &Expression<Slot>) -> bool {
    matches!(node, Expression::Leaf(_) | Expression::Aggregate { .. } | Expression::Call(Function::ShardOf, _))
}

/// Whether it divides, and depends on no row.
fn quotient(expression: &Expression<Slot>) -> bool {
    let division = |(op, _): &(Operator, _)| *op == Operator::Arithmetic(Arithmetic::Divide);
    expression.any(|node| matches!(node, Expression::Chain(_, rest) if rest.iter().any(division)))
        && !expression.any(|node| matches!(node, Expression::Leaf(_)))
}
