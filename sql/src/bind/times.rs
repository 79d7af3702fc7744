//! Times where text or numbers are wanted: with the digits of the fraction that they have as a column.
//!
//! A time is a number of microseconds, a date that of its midnight, and how many digits of it are shown is its type's. Where a
//! function reads it as text, or an operator as a number, that type is not at hand any more, so that it is said there.

use crate::error::{SqlError, unsupported};
use crate::expression::{Aggregate, CastType, Expression, Function, Operator, Slot, Type, Unit, fraction, time};
use crate::value::{ColumnType, Value};
use crate::zone::TimeZone;

type Bexpr = Expression<Slot>;

/// How many digits behind the point a type shows of its times; `None` if it is no type of times.
pub(crate) fn digits(ty: Type) -> Option<i64> {
    match ty.ty {
        ColumnType::DateTime => Some(i64::from(ty.decimals.min(6))),
        ColumnType::Date => Some(time::DATE),
        ColumnType::Null
        | ColumnType::BigInt
        | ColumnType::UnsignedBigInt
        | ColumnType::Double
        | ColumnType::Decimal
        | ColumnType::Text
        | ColumnType::Bytes
        | ColumnType::Json
        | ColumnType::Time => None,
    }
}

/// A time as a constant that keeps its type.
pub(crate) fn constant<L>(value: Value, ty: Type) -> Expression<L> {
    match (&value, digits(ty)) {
        (Value::DateTime(_), Some(time::DATE)) => {
            Expression::Cast(Box::new(Expression::Constant(value)), CastType::Date)
        }
        (Value::DateTime(_), Some(0..6)) => {
            Expression::Cast(Box::new(Expression::Constant(value)), CastType::DateTime(ty.decimals.into()))
        }
        (Value::Text(_), None) if ty.ty == ColumnType::Time => {
            Expression::Cast(Box::new(Expression::Constant(value)), CastType::Time(ty.decimals.into()))
        }
        _ => Expression::Constant(value),
    }
}

/// The expression with each constant text that says how far its clock is from UTC on the session's clock, where it is read
/// as a time: in comparisons with times, casts, and functions of times. Everything else that is read has no zone, and is on
/// that clock already.
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

/// `e`, of type `ty`, as text if it is a time.
pub(crate) fn as_text(e: Bexpr, ty: Type) -> Bexpr {
    said(Function::TimeText, e, ty)
}

fn said(function: Function, e: Bexpr, ty: Type) -> Bexpr {
    match digits(ty) {
        // It is text already.
        None if ty.ty == ColumnType::Time && function == Function::TimeNumber => {
            Expression::Call(Function::ClockNumber, vec![e])
        }
        Some(digits) if digits < 6 => Expression::Call(function, vec![e, Expression::Constant(Value::Int(digits))]),
        Some(_) | None => e,
    }
}

/// The expression with its times made text or numbers where these are read; `ty` knows the columns.
///
/// # Errors
/// None of its own.
pub(crate) fn told(expression: Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    if expression.any(|node| is_short(node, ty)) { tell(expression, ty) } else { Ok(expression) }
}

/// The same, of whatever there is in it: it is looked for once.
fn tell(expression: Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    let text = |e: &Bexpr| Ok(as_text(tell(e.clone(), ty)?, e.ty(ty)));
    let number = |e: &Bexpr| Ok::<_, SqlError>(said(Function::TimeNumber, tell(e.clone(), ty)?, e.ty(ty)));
    // JSON has no digits to leave out, but tells a date from a time.
    let json = |e: &Bexpr| if e.ty(ty).ty == ColumnType::Date { text(e) } else { tell(e.clone(), ty) };
    let plain = |e: &Bexpr| tell(e.clone(), ty);
    let is_clock = |e: &Bexpr| e.ty(ty).ty == ColumnType::Time;
    let is_number = |e: &Bexpr| e.ty(ty).is_number();
    let beside_numbers = |e: &Bexpr| if is_clock(e) { number(e) } else { plain(e) };
    // Whether it is true is whether its number is zero: the text of one may begin with zeros.
    let truth = beside_numbers;
    expression.map(
        &mut |node| {
            Ok(Some(match node {
                Expression::Call(function, arguments) if function.reads_text() => {
                    Expression::Call(*function, arguments.iter().map(text).collect::<Result<_, _>>()?)
                }
                Expression::Call(function, arguments) if function.reads_numbers() => {
                    Expression::Call(*function, arguments.iter().map(number).collect::<Result<_, _>>()?)
                }
                Expression::Call(Function::TimeDiff, arguments) if arguments.len() == 2 => {
                    let shown = Expression::Constant(Value::Int(node.ty(ty).decimals.into()));
                    let mut arguments = arguments.iter().map(plain).collect::<Result<Vec<_>, _>>()?;
                    arguments.push(shown);
                    Expression::Call(Function::TimeDiff, arguments)
                }
                Expression::Call(
                    Function::UnixTimestamp | Function::TimeAdd | Function::MonthsAdd | Function::ConvertTz,
                    arguments,
                ) if arguments.first().is_some_and(is_clock) => {
                    return Err(without_date());
                }
                Expression::Call(Function::Extract, arguments)
                    if arguments.first().is_some_and(is_clock)
                        && !arguments.get(1).and_then(Expression::constant).is_some_and(Unit::of_clocks) =>
                {
                    return Err(without_date());
                }
                Expression::Call(Function::UnixTimestamp, arguments) => {
                    let digits = arguments.first().map_or(0, |at| fraction(Some(at), at.ty(ty)));
                    let arguments = arguments.iter().map(plain).collect::<Result<_, _>>()?;
                    let seconds = Expression::Call(Function::UnixTimestamp, arguments);
                    match digits {
                        0 => Expression::Cast(Box::new(seconds), CastType::Signed),
                        1..6 => Expression::Call(
                            Function::Round,
                            vec![seconds, Expression::Constant(Value::Int(digits.into()))],
                        ),
                        6.. => seconds,
                    }
                }
                Expression::Call(Function::FromUnixTime, arguments) => {
                    let of = |(i, e): (usize, &Bexpr)| match i {
                        0 if matches!(e.ty(ty).ty, ColumnType::Date | ColumnType::Time) => number(e),
                        _ => plain(e),
                    };
                    let arguments = arguments.iter().enumerate().map(of).collect::<Result<_, _>>()?;
                    Expression::Call(Function::FromUnixTime, arguments)
                }
                Expression::Call(function @ (Function::JsonArray | Function::JsonObject), arguments) => {
                    Expression::Call(*function, arguments.iter().map(json).collect::<Result<_, _>>()?)
                }
                Expression::Cast(e, to) => {
                    let e = match to {
                        CastType::Char(_) | CastType::Binary(_) => text(e)?,
                        CastType::Signed | CastType::Unsigned | CastType::Decimal { .. } | CastType::Double => {
                            // To integers the fraction is rounded.
                            if matches!(e.ty(ty).ty, ColumnType::Date | ColumnType::Time) {
                                number(e)?
                            } else {
                                plain(e)?
                            }
                        }
                        CastType::Json => json(e)?,
                        CastType::DateTime(_) | CastType::Date if is_clock(e) => return Err(without_date()),
                        CastType::DateTime(_) | CastType::Date | CastType::Time(_) => plain(e)?,
                    };
                    Expression::Cast(Box::new(e), *to)
                }
                Expression::Negate(e) => Expression::Negate(Box::new(number(e)?)),
                Expression::Invert(e) => Expression::Invert(Box::new(number(e)?)),
                Expression::Chain(first, rest) => {
                    let side = |op: &Operator, e: &Bexpr, other: &Bexpr| match op {
                        Operator::Arithmetic(_)
                        | Operator::BitAnd
                        | Operator::BitOr
                        | Operator::BitXor
                        | Operator::ShiftLeft
                        | Operator::ShiftRight => number(e),
                        Operator::Concat => text(e),
                        Operator::Compare(_) | Operator::NullSafeEqual if is_clock(e) => match other.ty(ty) {
                            number_type if number_type.is_number() => number(e),
                            dated if dated.is_time() => Err(without_date()),
                            _ => plain(e),
                        },
                        Operator::Compare(_)
                        | Operator::NullSafeEqual
                        | Operator::Xor
                        | Operator::Extract
                        | Operator::ExtractUnquoted => plain(e),
                    };
                    let left = &**first;
                    let first = match rest.first() {
                        Some((op, other)) => side(op, first, other)?,
                        None => plain(first)?,
                    };
                    let rest = rest.iter().map(|(op, e)| Ok((*op, side(op, e, left)?)));
                    Expression::Chain(Box::new(first), rest.collect::<Result<_, SqlError>>()?)
                }
                Expression::In { operand, list, negated }
                    if list.iter().any(is_number) && is_clock(operand)
                        || is_number(operand) && list.iter().any(is_clock) =>
                {
                    let list = list.iter().map(beside_numbers).collect::<Result<_, _>>()?;
                    Expression::In { operand: Box::new(beside_numbers(operand)?), list, negated: *negated }
                }
                Expression::And(all) if all.iter().any(is_clock) => {
                    Expression::And(all.iter().map(truth).collect::<Result<_, _>>()?)
                }
                Expression::Or(all) if all.iter().any(is_clock) => {
                    Expression::Or(all.iter().map(truth).collect::<Result<_, _>>()?)
                }
                Expression::Not(e) if is_clock(e) => Expression::Not(Box::new(truth(e)?)),
                Expression::Call(Function::If, arguments) if arguments.first().is_some_and(is_clock) => {
                    let (when, others) = arguments.split_at(1);
                    let when = when.iter().map(truth);
                    Expression::Call(Function::If, when.chain(others.iter().map(plain)).collect::<Result<_, _>>()?)
                }
                Expression::Case { operand: None, branches, otherwise }
                    if branches.iter().any(|(when, _)| is_clock(when)) =>
                {
                    let branch = |(when, then): &(Bexpr, Bexpr)| Ok((truth(when)?, plain(then)?));
                    Expression::Case {
                        operand: None,
                        branches: branches.iter().map(branch).collect::<Result<_, SqlError>>()?,
                        otherwise: otherwise.as_deref().map(plain).transpose()?.map(Box::new),
                    }
                }
                Expression::Between { operand, low, high, negated }
                    if [operand, low, high].iter().any(|e| is_number(e)) =>
                {
                    let [operand, low, high] = [operand, low, high].map(|e| beside_numbers(e).map(Box::new));
                    Expression::Between { operand: operand?, low: low?, high: high?, negated: *negated }
                }
                Expression::Like { operand, pattern, escape, negated } => Expression::Like {
                    operand: Box::new(text(operand)?),
                    pattern: Box::new(text(pattern)?),
                    escape: escape.as_deref().map(plain).transpose()?.map(Box::new),
                    negated: *negated,
                },
                Expression::Aggregate {
                    function: function @ (Aggregate::Sum | Aggregate::Avg),
                    distinct,
                    arguments,
                } => {
                    let arguments = arguments.iter().map(number).collect::<Result<_, _>>()?;
                    Expression::Aggregate { function: *function, distinct: *distinct, arguments }
                }
                _ => return Ok(None),
            }))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

/// The refusal of a TIME where MySQL would take today's date for it.
fn without_date() -> SqlError {
    unsupported("a TIME where a time with a date is read", "write it with its date: TIMESTAMP '2026-01-02 10:00:00'")
}

/// Whether it makes times that show fewer digits than there are.
fn is_short(node: &Bexpr, ty: &dyn Fn(&Slot) -> Type) -> bool {
    match node {
        Expression::Call(Function::TimeDiff, _) | Expression::Cast(_, CastType::Time(_)) => true,
        Expression::Leaf(_) if node.ty(ty).ty == ColumnType::Time => true,
        Expression::Leaf(_)
        | Expression::Cast(_, CastType::DateTime(_) | CastType::Date)
        | Expression::Call(Function::ConvertTz | Function::FromUnixTime | Function::TimeAdd | Function::MonthsAdd, _) => {
            digits(node.ty(ty)).is_some_and(|digits| digits < 6)
        }
        Expression::Call(Function::UnixTimestamp, _) => true,
        _ => false,
    }
}
