//! Functions by name.

use super::expression::Expr;
use super::refuse::unsupported;
use crate::environment::SessionFunction;
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
        "CONNECTION_ID" => SessionFunction::ConnectionId,
        "LAST_INSERT_ID" => SessionFunction::LastInsertId,
        "ROW_COUNT" => SessionFunction::RowCount,
        "FOUND_ROWS" => SessionFunction::FoundRows,
        _ => return None,
    })
}

/// The date of the statement as `YYYY-MM-DD`.
pub(super) fn today() -> Expr {
    Expression::Call(Function::Left, vec![Expression::Leaf(Leaf::Now(0)), Expression::Constant(Value::Int(10))])
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
        Ok(Expression::Call(function, arguments))
    };
    if let (Some(function), []) = (session_function(name), arguments.as_slice()) {
        return Ok(Expression::Leaf(Leaf::Session(function)));
    }
    match (name, arguments.as_slice()) {
        ("NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE" | "UTC_TIMESTAMP", []) => {
            Ok(Expression::Leaf(Leaf::Now(0)))
        }
        ("NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE" | "UTC_TIMESTAMP", [digits]) => {
            let digits = digits.constant().and_then(Number::of).and_then(|n| u32::try_from(n.round()).ok());
            match digits {
                Some(digits @ 0..=6) => Ok(Expression::Leaf(Leaf::Now(digits))),
                Some(_) | None => Err(SqlError::Arguments(name.into())),
            }
        }
        ("CURDATE" | "CURRENT_DATE" | "UTC_DATE", []) => Ok(today()),
        ("UNIX_TIMESTAMP", []) => known(Function::UnixTimestamp, vec![Expression::Leaf(Leaf::Now(0))]),
        ("LAST_INSERT_ID", _) => Err(unsupported("LAST_INSERT_ID with an argument", "use a user variable")),
        ("VALUES" | "VALUE", _) => {
            Err(unsupported("VALUES() in an expression", "cells are immutable: insert the next ref_key"))
        }
        (name, _) => match Function::named(name) {
            Some(function) => known(function, arguments),
            None if KNOWN_TO_MYSQL.contains(&name) => {
                Err(unsupported(&format!("the function {name}"), "compute it in the application"))
            }
            None => Err(SqlError::UnknownFunction(name.to_owned())),
        },
    }
}

/// Whether MySQL has a function of this name (upper case) that the dialect has not.
pub(super) fn is_known_to_mysql(name: &str) -> bool {
    KNOWN_TO_MYSQL.contains(&name)
}

/// Functions MySQL has and the dialect has not: refused by name rather than called unknown.
const KNOWN_TO_MYSQL: [&str; 45] = [
    "GROUP_CONCAT",
    "JSON_ARRAYAGG",
    "JSON_OBJECTAGG",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "STD",
    "STDDEV",
    "VARIANCE",
    "UUID",
    "RAND",
    "SLEEP",
    "BENCHMARK",
    "GET_LOCK",
    "RELEASE_LOCK",
    "IS_FREE_LOCK",
    "MD5",
    "SHA1",
    "SHA2",
    "CRC32",
    "DATE_FORMAT",
    "STR_TO_DATE",
    "DATEDIFF",
    "TIMESTAMPDIFF",
    "TIMESTAMPADD",
    "YEAR",
    "MONTH",
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "DATE",
    "TIME",
    "REPEAT",
    "REVERSE",
    "LPAD",
    "RPAD",
    "FORMAT",
    "JSON_SET",
    "JSON_INSERT",
    "JSON_REPLACE",
    "JSON_REMOVE",
    "JSON_MERGE_PATCH",
    "JSON_SEARCH",
    "POW",
];
