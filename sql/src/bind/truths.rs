//! Conditions beside JSON are JSON's own true and false, as MySQL has them: there TRUE is no number.

use crate::error::SqlError;
use crate::expression::{Expression, Function, Operator, Slot, Type};
use crate::value::{ColumnType, Value};

type Bexpr = Expression<Slot>;

/// The expression with the conditions that are compared with JSON made JSON; `ty` knows the columns.
///
/// # Errors
/// None of its own.
pub(super) fn beside_json(expression: Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    let compares = |node: &Bexpr| match node {
        Expression::Chain(_, rest) => rest.iter().any(|(op, _)| is_comparison(*op)),
        Expression::In { .. } => true,
        _ => false,
    };
    let makes_json = |node: &Bexpr| match node {
        Expression::Leaf(_) | Expression::Cast(..) | Expression::Call(..) => node.ty(ty).ty == ColumnType::Json,
        Expression::Chain(_, rest) => rest.iter().any(|(op, _)| *op == Operator::Extract),
        Expression::Constant(value) => matches!(value, Value::Json(_)),
        _ => false,
    };
    if !expression.any(is_condition) || !expression.any(compares) || !expression.any(makes_json) {
        return Ok(expression);
    }
    let is_json = |e: &Bexpr| e.ty(ty).ty == ColumnType::Json;
    expression.map(
        &mut |node| {
            Ok(Some(match node {
                Expression::Chain(first, rest) => {
                    let Some((op, second)) = rest.first() else { return Ok(None) };
                    let first = beside(first, is_comparison(*op) && is_json(second), ty)?;
                    // Only the first operand can be JSON beside a comparison: what others made is a number.
                    let mut left = is_json(&first);
                    let rest = rest.iter().map(|(op, right)| {
                        let right = beside(right, is_comparison(*op) && left, ty)?;
                        left = *op == Operator::Extract;
                        Ok((*op, right))
                    });
                    let rest = rest.collect::<Result<_, SqlError>>()?;
                    Expression::Chain(Box::new(first), rest)
                }
                Expression::In { operand, list, negated } => {
                    let json = is_json(operand);
                    let list = list.iter().map(|e| beside(e, json, ty)).collect::<Result<_, _>>()?;
                    Expression::In { operand: Box::new(beside(operand, false, ty)?), list, negated: *negated }
                }
                _ => return Ok(None),
            }))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

fn beside(e: &Bexpr, json: bool, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    let made = beside_json(e.clone(), ty)?;
    Ok(if json && is_condition(e) { Expression::Call(Function::AsBoolean, vec![made]) } else { made })
}

fn is_comparison(op: Operator) -> bool {
    matches!(op, Operator::Compare(_) | Operator::NullSafeEqual)
}

fn is_condition(e: &Bexpr) -> bool {
    match e {
        Expression::And(_)
        | Expression::Or(_)
        | Expression::Not(_)
        | Expression::Is { .. }
        | Expression::In { .. }
        | Expression::Between { .. }
        | Expression::Like { .. } => true,
        Expression::Chain(_, rest) => rest.last().is_some_and(|(op, _)| is_comparison(*op) || *op == Operator::Xor),
        _ => false,
    }
}
