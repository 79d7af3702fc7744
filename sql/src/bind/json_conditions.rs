//! Conditions beside JSON are JSON's own true and false, as MySQL has them: there TRUE is no number.

use crate::error::{SqlError, unsupported};
use crate::expression::{Comparison, Expression, Function, Operator, Slot, Type};
use crate::value::{ColumnType, Value};

type Bexpr = Expression<Slot>;

/// The expression with the conditions that are compared with JSON made JSON; `ty` knows the columns. CASE is not among
/// what compares so: it takes JSON for a number beside a number or condition. Nothing but TRUE and FALSE is copied, or
/// trees would grow with their depth.
///
/// # Errors
/// [`SqlError::Unsupported`] for a condition that would have to be computed twice, as JSON and as a number.
pub(super) fn beside_json(expression: Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    let compares = |node: &Bexpr| match node {
        Expression::Chain(_, rest) => rest.iter().any(|(op, _)| is_comparison(*op)),
        Expression::In { .. } | Expression::Between { .. } | Expression::Call(Function::NullIf, _) => true,
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
    made_beside_json(&expression, ty)
}

fn made_beside_json(expression: &Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    let is_json = |e: &Bexpr| e.ty(ty).ty == ColumnType::Json;
    let inner = |e: &Bexpr| made_beside_json(e, ty);
    let all = |list: &[Bexpr]| list.iter().map(inner).collect::<Result<Vec<_>, _>>();
    expression.map(
        &mut |node| {
            Ok(Some(match node {
                Expression::Chain(first, rest) => {
                    let mut left = inner(first)?;
                    let mut rest = rest.iter().map(|(op, right)| inner(right).map(|right| (*op, right)));
                    let Some((op, mut second)) = rest.next().transpose()? else { return Ok(None) };
                    if is_comparison(op) {
                        (left, second) = both(left, second, &is_json);
                    }
                    // Only the first two operands can be JSON beside a comparison: what others made is a number.
                    let mut extracted = op == Operator::Extract;
                    let mut made = vec![(op, second)];
                    for next in rest {
                        let (op, right) = next?;
                        made.push((op, if extracted && is_comparison(op) { as_boolean(right) } else { right }));
                        extracted = op == Operator::Extract;
                    }
                    Expression::Chain(Box::new(left), made)
                }
                Expression::In { operand, list, negated } => within(inner(operand)?, all(list)?, *negated, &is_json)?,
                Expression::Between { operand, low, high, negated } => {
                    let operand = inner(operand)?;
                    let bound = |e: &Bexpr| inner(e).map(|e| Box::new(beside(&operand, e, &is_json)));
                    let (low, high) = (bound(low)?, bound(high)?);
                    Expression::Between { operand: Box::new(operand), low, high, negated: *negated }
                }
                Expression::Call(Function::NullIf, arguments) => {
                    let [first, second] = arguments.as_slice() else { return Ok(None) };
                    null_if(inner(first)?, inner(second)?, &is_json)?
                }
                _ => return Ok(None),
            }))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

/// Both sides of a comparison, a condition beside JSON as JSON.
fn both(left: Bexpr, right: Bexpr, is_json: &dyn Fn(&Bexpr) -> bool) -> (Bexpr, Bexpr) {
    let left = beside(&right, left, is_json);
    let right = beside(&left, right, is_json);
    (left, right)
}

/// What is compared with `other`, a condition beside JSON as JSON: element by element if both are tuples.
fn beside(other: &Bexpr, e: Bexpr, is_json: &dyn Fn(&Bexpr) -> bool) -> Bexpr {
    match (other, e) {
        (Expression::Tuple(others), Expression::Tuple(all)) if others.len() == all.len() => {
            Expression::Tuple(others.iter().zip(all).map(|(other, e)| beside(other, e, is_json)).collect())
        }
        (other, e) if is_condition(&e) && is_json(other) => as_boolean(e),
        (_, e) => e,
    }
}

fn within(
    operand: Bexpr,
    list: Vec<Bexpr>,
    negated: bool,
    is_json: &dyn Fn(&Bexpr) -> bool,
) -> Result<Bexpr, SqlError> {
    if !is_condition(&operand) || !list.iter().any(is_json) {
        let list = list.into_iter().map(|e| beside(&operand, e, is_json)).collect();
        return Ok(Expression::In { operand: Box::new(operand), list, negated });
    }
    let (json, others): (Vec<_>, Vec<_>) = list.into_iter().partition(is_json);
    if others.is_empty() {
        return Ok(Expression::In { operand: Box::new(as_boolean(operand)), list: json, negated });
    }
    if !is_constant(&operand) {
        return Err(unsupported("a condition IN a list of JSON and other values", "use an IN for each, joined by OR"));
    }
    let among_json = Expression::In { operand: Box::new(as_boolean(operand.clone())), list: json, negated };
    let among_others = Expression::In { operand: Box::new(operand), list: others, negated };
    let either = vec![among_json, among_others];
    Ok(if negated { Expression::And(either) } else { Expression::Or(either) })
}

/// NULLIF, whose value is the condition's if that stands first.
fn null_if(first: Bexpr, second: Bexpr, is_json: &dyn Fn(&Bexpr) -> bool) -> Result<Bexpr, SqlError> {
    if !is_condition(&first) || !is_json(&second) {
        let (first, second) = both(first, second, is_json);
        return Ok(Expression::Call(Function::NullIf, vec![first, second]));
    }
    if !is_constant(&first) {
        return Err(unsupported("NULLIF of a condition and JSON", "use CASE WHEN .. THEN NULL ELSE .. END"));
    }
    let equal = vec![(Operator::Compare(Comparison::Equal), second)];
    let equal = Expression::Chain(Box::new(as_boolean(first.clone())), equal);
    let null = Expression::Constant(Value::Null);
    Ok(Expression::Case { operand: None, branches: vec![(equal, null)], otherwise: Some(Box::new(first)) })
}

/// TRUE or FALSE.
fn is_constant(condition: &Bexpr) -> bool {
    matches!(condition, Expression::And(all) if matches!(all.as_slice(), [Expression::Constant(_)]))
}

/// A condition as JSON's own true or false; anything else as it is.
fn as_boolean(e: Bexpr) -> Bexpr {
    if is_condition(&e) { Expression::Call(Function::AsBoolean, vec![e]) } else { e }
}

fn is_comparison(op: Operator) -> bool {
    matches!(op, Operator::Compare(_) | Operator::NullSafeEqual)
}

/// Whether it is true, false or NULL: a condition or the outcome of one, which TRUE and FALSE are, too.
pub(crate) fn is_condition<L>(e: &Expression<L>) -> bool {
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
