//! Functions by name.

use super::expression::Expr;
use super::mysql_functions::is_known_to_mysql;
use super::refuse::unsupported;
use super::shown::called;
use crate::environment::{SessionCall, SessionFunction};
use crate::error::SqlError;
use crate::expression::number::Number;
use crate::expression::{Aggregate, Expression, Function, Leaf};
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

pub(super) fn session_function(name: &str) -> Option<SessionFunction> {
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

/// The date of a time as `YYYY-MM-DD`.
pub(super) fn today(now: Leaf) -> Expr {
    Expression::Call(Function::Left, vec![Expression::Leaf(now), Expression::Constant(Value::Int(10))])
}

/// The digits behind the point that NOW and the like are asked for.
fn fraction(name: &str, arguments: &[Expr]) -> Result<u32, SqlError> {
    match arguments {
        [] => Ok(0),
        [digits, ..] => {
            let digits = digits.constant().and_then(Number::of).and_then(|n| u32::try_from(n.round()).ok());
            digits.filter(|digits| *digits <= 6).ok_or_else(|| SqlError::Arguments(name.into()))
        }
    }
}

/// A function called by name (upper case).
///
/// # Errors
/// A wrong number of arguments, an unknown function, or one that is refused.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Result<Expr, SqlError> {
    let known = |function: Function, arguments: Vec<Expr>| {
        let (least, most) = function.arity();
        if arguments.len() < least || arguments.len() > most {
            return Err(SqlError::Arguments(function.name().into()));
        }
        Ok(called(function, arguments))
    };
    if let (Some(function), []) = (session_function(name), arguments.as_slice()) {
        return Ok(Expression::Leaf(Leaf::Session(function)));
    }
    if let Some(call) = SessionCall::named(name, arguments.len()) {
        let nested = |e: &Expr| e.any(|node| matches!(node, Expression::Leaf(Leaf::Call(..))));
        if arguments.iter().any(nested) {
            return Err(unsupported(&format!("{name} of another such function"), "call them one after the other"));
        }
        return Ok(Expression::Leaf(Leaf::Call(call, arguments)));
    }
    match (name, arguments.as_slice()) {
        ("NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE", [] | [_]) => {
            Ok(Expression::Leaf(Leaf::Now(fraction(name, &arguments)?)))
        }
        ("UTC_TIMESTAMP", [] | [_]) => Ok(Expression::Leaf(Leaf::UtcNow(fraction(name, &arguments)?))),
        ("CURDATE" | "CURRENT_DATE", []) => Ok(today(Leaf::Now(0))),
        ("UTC_DATE", []) => Ok(today(Leaf::UtcNow(0))),
        ("UNIX_TIMESTAMP", []) => {
            let zone = Expression::Constant(Value::Int(0));
            known(Function::UnixTimestamp, vec![Expression::Leaf(Leaf::UtcNow(0)), zone])
        }
        // Both are about the session's time zone, which their second argument is.
        ("UNIX_TIMESTAMP", [time]) => known(Function::UnixTimestamp, vec![time.clone(), Expression::Leaf(Leaf::Zone)]),
        ("FROM_UNIXTIME", [time]) => known(Function::FromUnixTime, vec![time.clone(), Expression::Leaf(Leaf::Zone)]),
        ("UNIX_TIMESTAMP", _) => Err(SqlError::Arguments(name.into())),
        ("FROM_UNIXTIME", _) => Err(unsupported("FROM_UNIXTIME with a format", "format it in the application")),
        (
            "GET_LOCK" | "RELEASE_LOCK" | "RELEASE_ALL_LOCKS" | "IS_FREE_LOCK" | "IS_USED_LOCK" | "SLEEP" | "UUID"
            | "LAST_INSERT_ID",
            _,
        ) => Err(SqlError::Arguments(name.into())),
        ("VALUES" | "VALUE", _) => {
            Err(unsupported("VALUES() in an expression", "cells are immutable: insert the next ref_key"))
        }
        (name, _) => match Function::named(name) {
            Some(function) => known(function, arguments),
            None if is_known_to_mysql(name) => {
                Err(unsupported(&format!("the function {name}"), "compute it in the application"))
            }
            None => Err(SqlError::UnknownFunction(name.to_owned())),
        },
    }
}
