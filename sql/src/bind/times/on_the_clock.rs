//! Texts of moments, which say how far their clock is from UTC, as what the session's clock shows then.

use super::Bexpr;
use crate::error::SqlError;
use crate::expression::{CastType, Expression, Function, Operator, Slot, Type, time};
use crate::value::Value;
use crate::zone::TimeZone;

/// The expression with each constant text that says how far its clock is from UTC on the session's clock, where it is
/// read as a time: in comparisons with times, casts, and functions of times. Everything else that is read has no zone,
/// and is on that clock already.
///
/// # Errors
/// None of its own.
pub(crate) fn on_the_clock(expression: Bexpr, clock: &TimeZone, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    if *clock == TimeZone::UTC || !expression.any(|node| moment(node).is_some()) {
        return Ok(expression);
    }
    set(&expression, clock, ty)
}

/// The text of a moment, with what its clock is from UTC.
fn moment(e: &Bexpr) -> Option<&[u8]> {
    match e {
        Expression::Constant(Value::Text(text) | Value::Bytes(text)) if time::has_offset(text) => Some(text),
        _ => None,
    }
}

fn set(expression: &Bexpr, clock: &TimeZone, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    let plain = |e: &Bexpr| set(e, clock, ty);
    // One side of a comparison, by what it is compared with.
    let side = |e: &Bexpr, others: &[&Bexpr]| match beside(e, others, clock, ty) {
        Some(e) => Ok(e),
        None => plain(e),
    };
    let time = |e: &Bexpr| local(e, clock).map_or_else(|| plain(e), Ok);
    expression.map(
        &mut |node| {
            Ok(Some(match node {
                Expression::Chain(first, rest) => {
                    let compares = |op: &Operator| matches!(op, Operator::Compare(_) | Operator::NullSafeEqual);
                    let others: Vec<&Bexpr> = rest.iter().filter(|(op, _)| compares(op)).map(|(_, e)| e).collect();
                    let left = stand_in(first, ty);
                    let made =
                        rest.iter().map(|(op, e)| Ok((*op, if compares(op) { side(e, &[&left])? } else { plain(e)? })));
                    let made = made.collect::<Result<_, SqlError>>()?;
                    Expression::Chain(Box::new(side(first, &others)?), made)
                }
                Expression::In { operand, list, negated } => {
                    let left = stand_in(operand, ty);
                    Expression::In {
                        operand: Box::new(side(operand, &list.iter().collect::<Vec<_>>())?),
                        list: list.iter().map(|e| side(e, &[&left])).collect::<Result<_, _>>()?,
                        negated: *negated,
                    }
                }
                Expression::Case { operand: Some(operand), branches, otherwise } => {
                    let left = stand_in(operand, ty);
                    let branch = |(when, then): &(Bexpr, Bexpr)| Ok((side(when, &[&left])?, plain(then)?));
                    Expression::Case {
                        operand: Some(Box::new(side(
                            operand,
                            &branches.iter().map(|(when, _)| when).collect::<Vec<_>>(),
                        )?)),
                        branches: branches.iter().map(branch).collect::<Result<_, SqlError>>()?,
                        otherwise: otherwise.as_ref().map(|e| plain(e).map(Box::new)).transpose()?,
                    }
                }
                Expression::Call(Function::NullIf, arguments) if let [a, b] = arguments.as_slice() => {
                    Expression::Call(Function::NullIf, vec![side(a, &[b])?, side(b, &[a])?])
                }
                Expression::Between { operand, low, high, negated } => Expression::Between {
                    operand: Box::new(side(operand, &[low, high])?),
                    low: Box::new(side(low, &[operand, high])?),
                    high: Box::new(side(high, &[operand, low])?),
                    negated: *negated,
                },
                Expression::Cast(e, to @ (CastType::DateTime(_) | CastType::Date)) => {
                    Expression::Cast(Box::new(time(e)?), *to)
                }
                Expression::Call(
                    function @ (Function::UnixTimestamp
                    | Function::TimeAdd
                    | Function::MonthsAdd
                    | Function::ConvertTz
                    | Function::Extract
                    | Function::AsTime),
                    arguments,
                ) => {
                    let of = |(i, e)| if i == 0 { time(e) } else { plain(e) };
                    Expression::Call(*function, arguments.iter().enumerate().map(of).collect::<Result<_, _>>()?)
                }
                _ => return Ok(None),
            }))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

/// What is of one kind with `e`, time or not, and says so at once: many are compared with it.
fn stand_in(e: &Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Bexpr {
    match e {
        Expression::Tuple(all) => Expression::Tuple(all.iter().map(|e| stand_in(e, ty)).collect()),
        e if e.ty(ty).is_time() => Expression::Cast(Box::new(Expression::Constant(Value::Null)), CastType::DateTime(6)),
        _ => Expression::Constant(Value::Null),
    }
}

/// `e` on the clock if it is a moment that is compared with a time; of tuples of constants element by element.
fn beside(e: &Bexpr, others: &[&Bexpr], clock: &TimeZone, ty: &dyn Fn(&Slot) -> Type) -> Option<Bexpr> {
    match e {
        Expression::Tuple(all) if all.iter().any(|e| moment(e).is_some()) => {
            let element = |(i, e): (usize, &Bexpr)| {
                let others = others.iter().filter_map(|other| match other {
                    Expression::Tuple(all) => all.get(i),
                    _ => None,
                });
                beside(e, &others.collect::<Vec<_>>(), clock, ty).unwrap_or_else(|| e.clone())
            };
            Some(Expression::Tuple(all.iter().enumerate().map(element).collect()))
        }
        e if moment(e).is_some() && others.iter().any(|other| other.ty(ty).is_time()) => local(e, clock),
        _ => None,
    }
}

/// A moment as what the clock shows then.
fn local(e: &Bexpr, clock: &TimeZone) -> Option<Bexpr> {
    let text = moment(e)?;
    let at = clock.local(time::parse(text)?);
    let shown = time::text_as(at, i64::from(time::digits_written(text)));
    Some(Expression::Constant(Value::Text(shown.into())))
}
