//! Functions by name.

use super::char_codes;
use super::expression::Expr;
use super::hex::{Form, Operand};
use super::mysql_functions::is_known_to_mysql;
use crate::environment::{SessionCall, SessionFunction};
use crate::error::{SqlError, unsupported};
use crate::expression::arithmetic::Arithmetic;
use crate::expression::number::Number;
use crate::expression::{Aggregate, CastType, Expression, Function, Leaf, Operator, Part, Unit, clock_micros, time};
use crate::value::Value;

/// The aggregate of this name (upper case).
pub(super) fn aggregate(name: &str) -> Option<Aggregate> {
    Some(match name {
        "COUNT" => Aggregate::Count,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        "SUM" => Aggregate::Sum,
        "AVG" => Aggregate::Avg,
        _ => return None,
    })
}

fn session_function(name: &str) -> Option<SessionFunction> {
    Some(match name {
        "DATABASE" | "SCHEMA" => SessionFunction::Database,
        "VERSION" => SessionFunction::Version,
        "USER" | "SESSION_USER" | "SYSTEM_USER" => SessionFunction::User,
        "CURRENT_USER" => SessionFunction::CurrentUser,
        "CURRENT_ROLE" => SessionFunction::CurrentRole,
        "CONNECTION_ID" => SessionFunction::ConnectionId,
        "LAST_INSERT_ID" => SessionFunction::LastInsertId,
        "ROW_COUNT" => SessionFunction::RowCount,
        "FOUND_ROWS" => SessionFunction::FoundRows,
        _ => return None,
    })
}

/// The date of a time.
fn today<L: From<Leaf>>(now: Leaf) -> Expression<L> {
    Expression::Cast(Box::new(leaf(now)), CastType::Date)
}

fn leaf<L: From<Leaf>>(leaf: Leaf) -> Expression<L> {
    Expression::Leaf(leaf.into())
}

/// The functions MySQL lets stand without parentheses, by name (upper case).
pub(super) fn without_parentheses<L: From<Leaf>>(name: &str) -> Option<Expression<L>> {
    Some(match name {
        "CURRENT_USER" => leaf(Leaf::Session(SessionFunction::CurrentUser)),
        "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" => leaf(Leaf::Now(0)),
        "UTC_TIMESTAMP" => leaf(Leaf::UtcNow(0)),
        "CURRENT_DATE" => today(Leaf::Now(0)),
        "UTC_DATE" => today(Leaf::UtcNow(0)),
        _ => return None,
    })
}

/// `DATE '..'`, `TIMESTAMP '..'`: as many digits behind the point as are written.
pub(super) fn time_literal<L>(text: Expression<L>, date: bool) -> Expression<L> {
    let digits = match text.constant() {
        Some(Value::Text(text)) => time::digits_written(text),
        _ => 0,
    };
    Expression::Cast(Box::new(text), if date { CastType::Date } else { CastType::DateTime(digits) })
}

/// `TIME '..'`: as many digits behind the point as are written. Unlike for CAST, all of the text is to be a time.
pub(super) fn clock_literal<L>(text: Expression<L>) -> Result<Expression<L>, SqlError> {
    let digits = match text.constant() {
        Some(Value::Text(text)) if clock_micros(text).is_none() && (text.len() < 12 || time::parse(text).is_none()) => {
            return Err(SqlError::WrongClock(String::from_utf8_lossy(text).into_owned()));
        }
        Some(Value::Text(text)) => time::digits_written(text),
        _ => 0,
    };
    Ok(Expression::Cast(Box::new(text), CastType::Time(digits)))
}

/// The refusal of a literal of a type that has none.
pub(super) fn time_of_day(what: &str) -> SqlError {
    unsupported(&format!("a literal of {what}"), "write a DATE, TIME or TIMESTAMP, or the text alone")
}

/// The digits behind the point that NOW and the like are asked for.
fn fraction<L>(name: &str, arguments: &[Expression<L>]) -> Result<u32, SqlError> {
    match arguments {
        [] => Ok(0),
        [digits, ..] => {
            let digits = digits.constant().and_then(Number::of).and_then(|n| u32::try_from(n.round()).ok());
            digits.filter(|digits| *digits <= 6).ok_or_else(|| SqlError::Arguments(name.into()))
        }
    }
}

/// A function called by name (upper case), in the cell dialect.
///
/// # Errors
/// A wrong number of arguments, an unknown function, or one that is refused.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Result<Expr, SqlError> {
    if let Some(call) = SessionCall::named(name, arguments.len()) {
        let nested = |e: &Expr| e.any(|node| matches!(node, Expression::Leaf(Leaf::Call(..))));
        if arguments.iter().any(nested) {
            return Err(unsupported(&format!("{name} of another such function"), "call them one after the other"));
        }
        return Ok(Expression::Leaf(Leaf::Call(call, arguments)));
    }
    match (name, arguments.as_slice()) {
        // Without arguments it is a function like any other.
        ("LAST_INSERT_ID", [_, ..])
        | ("GET_LOCK" | "RELEASE_LOCK" | "RELEASE_ALL_LOCKS" | "IS_FREE_LOCK" | "IS_USED_LOCK" | "SLEEP" | "UUID", _) => {
            Err(SqlError::Arguments(name.into()))
        }
        ("VALUES" | "VALUE", _) => {
            Err(unsupported("VALUES() in an expression", "cells are immutable: insert the next ref_key"))
        }
        (name, _) => plain_call(name, arguments),
    }
}

/// A function called by name (upper case) that means the same in every SELECT.
///
/// # Errors
/// A wrong number of arguments, an unknown function, or one that is refused.
pub(super) fn plain_call<L>(name: &str, arguments: Vec<Expression<L>>) -> Result<Expression<L>, SqlError>
where
    L: From<Leaf> + Clone,
{
    if let (Some(function), []) = (session_function(name), arguments.as_slice()) {
        return Ok(leaf(Leaf::Session(function)));
    }
    match (name, arguments.as_slice()) {
        ("NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE", [] | [_]) => {
            Ok(leaf(Leaf::Now(fraction(name, &arguments)?)))
        }
        ("UTC_TIMESTAMP", [] | [_]) => Ok(leaf(Leaf::UtcNow(fraction(name, &arguments)?))),
        ("DATE", [time]) => Ok(Expression::Cast(Box::new(time.clone()), CastType::Date)),
        ("YEAR" | "MONTH" | "QUARTER" | "DAY" | "DAYOFMONTH" | "DAYOFWEEK" | "WEEKDAY" | "DAYOFYEAR", [date]) => {
            let unit = Unit::named(name).or_else(|| Unit::of_function(name));
            unit.map(|unit| part_of(date.clone(), unit)).ok_or_else(|| SqlError::UnknownFunction(name.into()))
        }
        ("HOUR" | "MINUTE" | "SECOND" | "MICROSECOND", [time]) => {
            // Unlike EXTRACT they read all as the time of a day, and know no minus.
            let clock = Expression::Cast(Box::new(time.clone()), CastType::Time(6));
            let part = Unit::named(name).map(|unit| part_of(clock, unit));
            known(Function::Abs, part.into_iter().collect())
        }
        (
            "YEAR" | "MONTH" | "QUARTER" | "DAY" | "DAYOFMONTH" | "DAYOFWEEK" | "WEEKDAY" | "DAYOFYEAR" | "HOUR"
            | "MINUTE" | "SECOND" | "MICROSECOND",
            _,
        ) => Err(SqlError::Arguments(name.into())),
        ("CURDATE" | "CURRENT_DATE", []) => Ok(today(Leaf::Now(0))),
        ("UTC_DATE", []) => Ok(today(Leaf::UtcNow(0))),
        ("UNIX_TIMESTAMP", []) => {
            known(Function::UnixTimestamp, vec![leaf(Leaf::UtcNow(0)), Expression::Constant(Value::Int(0))])
        }
        // Both are about the session's time zone, which their second argument is.
        ("UNIX_TIMESTAMP", [time]) => known(Function::UnixTimestamp, vec![time.clone(), leaf(Leaf::Zone)]),
        ("FROM_UNIXTIME", [time]) => known(Function::FromUnixTime, vec![time.clone(), leaf(Leaf::Zone)]),
        ("UNIX_TIMESTAMP", _) => Err(SqlError::Arguments(name.into())),
        ("FROM_UNIXTIME", _) => Err(unsupported("FROM_UNIXTIME with a format", "format it in the application")),
        ("CHARSET" | "COLLATION" | "COERCIBILITY", _) => {
            Err(unsupported(&format!("the function {name}"), "text is utf8mb4 throughout"))
        }
        ("CHAR", [_, ..]) => char_codes::of(&arguments)
            .ok_or_else(|| unsupported("CHAR of what is no number as written", "compute it in the application")),
        (name, _) => match Function::named(name) {
            Some(function) => known(function, arguments),
            None if is_known_to_mysql(name) => {
                Err(unsupported(&format!("the function {name}"), "compute it in the application"))
            }
            None => Err(SqlError::UnknownFunction(name.to_owned())),
        },
    }
}

/// A function of ours.
///
/// # Errors
/// A wrong number of arguments.
pub(super) fn known<L>(function: Function, arguments: Vec<Expression<L>>) -> Result<Expression<L>, SqlError> {
    let (least, most) = function.arity();
    if arguments.len() < least || arguments.len() > most {
        return Err(SqlError::Arguments(function.name().into()));
    }
    Ok(Expression::Call(function, arguments))
}

/// `EXTRACT(unit FROM time)`; nothing for what is no unit (upper case).
pub(super) fn extract<L>(unit: &str, time: Expression<L>) -> Option<Expression<L>> {
    Unit::named(unit).map(|unit| part_of(time, unit))
}

fn part_of<L>(time: Expression<L>, unit: Unit) -> Expression<L> {
    Expression::Call(Function::Extract, vec![time, Expression::Constant(unit.value())])
}

/// `time + INTERVAL count unit`, or with `back` `time - INTERVAL count unit`; the unit in upper case. Nothing for what is no unit.
pub(super) fn shifted<L: Form>(
    time: Expression<L>,
    count: Operand<L>,
    unit: &str,
    back: bool,
) -> Option<Expression<L>> {
    if let Some((unit, (_, last))) = Unit::named(unit).and_then(|unit| Some((unit, unit.parts()?))) {
        let arguments = vec![count.plain(), Expression::Constant(unit.value())];
        let total = Expression::Call(Function::Interval, arguments);
        let total = if back { Expression::Negate(Box::new(total)) } else { total };
        return Some(match last {
            Part::Month => Expression::Call(Function::MonthsAdd, vec![time, total]),
            last => {
                let of_unit = Expression::Constant(Value::Int(last.length()));
                Expression::Call(Function::TimeAdd, vec![time, total, of_unit])
            }
        });
    }
    let months = match unit {
        "MONTH" => Some(1),
        "QUARTER" => Some(3),
        "YEAR" => Some(12),
        _ => None,
    };
    let step = time::unit(unit).or(months)?;
    // Only seconds have a fraction.
    let count = match count.number() {
        count @ Expression::Constant(Value::Int(_)) => count,
        count if unit == "SECOND" => count,
        count => Expression::Cast(Box::new(count), CastType::Signed),
    };
    let of_unit = Expression::Constant(Value::Int(step));
    let step = if back { -step } else { step };
    // As a DECIMAL the product is never beyond its type: an interval without an end is one, and the time NULL.
    let step =
        Expression::Constant(if unit == "MICROSECOND" { Value::Int(step) } else { Value::Decimal(step.to_string()) });
    let total = Expression::Chain(Box::new(count), vec![(Operator::Arithmetic(Arithmetic::Multiply), step)]);
    Some(match months {
        Some(_) => Expression::Call(Function::MonthsAdd, vec![time, total]),
        None => Expression::Call(Function::TimeAdd, vec![time, total, of_unit]),
    })
}
