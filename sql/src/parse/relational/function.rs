//! Functions, casts, aggregates and windows of relational expressions.

use super::Parser;
use super::expression::{boxed, level, plain};
use crate::error::SqlError;
use crate::expression::number::Arithmetic;
use crate::expression::{CastType, Expression, Function, Leaf, Operator, time};
use crate::parse::call::session_function;
use crate::parse::hex::{self, number};
use crate::parse::mysql_functions::is_known_to_mysql;
use crate::parse::shown::{Shown, called, casted};
use crate::parse::tokens::Symbol;
use crate::parse::unsupported;
use crate::relational::ast::{AggregateKind, Aggregated, RelExpr, RelLeaf, Window};
use crate::value::Value;

impl Parser<'_, '_> {
    /// A function, from its opening parenthesis.
    pub(super) fn function(&mut self, name: &str) -> Result<RelExpr, SqlError> {
        self.reader.expect_symbol(Symbol::Open, "(")?;
        if let Some(kind) = aggregate(name) {
            return self.aggregate(kind);
        }
        let e = match name {
            "CAST" => {
                let e = self.expression()?;
                self.reader.expect(&["AS"])?;
                let ty = self.cast_type()?;
                casted(if hex::casts_number(ty) { number(e) } else { e }, ty)
            }
            "CONVERT" => {
                let e = self.expression()?;
                if self.reader.take(&["USING"]) {
                    let charset = self.reader.name_or_string()?;
                    let binary = charset.eq_ignore_ascii_case("binary");
                    casted(e, if binary { CastType::Binary(None) } else { CastType::Char(None) })
                } else {
                    self.reader.expect_symbol(Symbol::Comma, ",")?;
                    let ty = self.cast_type()?;
                    casted(e, ty)
                }
            }
            "TRIM" => self.trim()?,
            "SUBSTRING" | "SUBSTR" | "MID" => {
                let mut arguments = vec![self.expression()?];
                let from = self.reader.take(&["FROM"]);
                if from || self.reader.take_symbol(Symbol::Comma) {
                    arguments.push(self.expression()?);
                    let more = if from { self.reader.take(&["FOR"]) } else { self.reader.take_symbol(Symbol::Comma) };
                    if more {
                        arguments.push(self.expression()?);
                    }
                }
                known(Function::Substring, arguments)?
            }
            "POSITION" => {
                let part = self.climb(level::BIT_OR)?;
                self.reader.expect(&["IN"])?;
                let whole = self.expression()?;
                known(Function::Locate, vec![part, whole])?
            }
            "DATE_ADD" | "ADDDATE" | "DATE_SUB" | "SUBDATE" => {
                let at = self.expression()?;
                self.reader.expect_symbol(Symbol::Comma, ",")?;
                if !self.reader.sees(&["INTERVAL"]) {
                    return Err(unsupported(&format!("{name} of days"), "write INTERVAL n DAY"));
                }
                self.shifted(at, name.contains("SUB"))?
            }
            "EXTRACT" => return Err(unsupported("EXTRACT", "compare times as text")),
            _ => {
                let mut arguments =
                    if self.reader.sees_symbol(Symbol::Close) { Vec::new() } else { self.expressions()? };
                if hex::calls_for_numbers(name) {
                    arguments = arguments.into_iter().map(number).collect();
                }
                call(name, arguments)?
            }
        };
        self.reader.expect_symbol(Symbol::Close, ")")?;
        Ok(e)
    }

    pub(super) fn trim(&mut self) -> Result<RelExpr, SqlError> {
        let sides = self.reader.take_any(&["BOTH", "LEADING", "TRAILING"]);
        let function = match sides {
            Some("LEADING") => Function::LTrim,
            Some("TRAILING") => Function::RTrim,
            Some(_) | None => Function::Trim,
        };
        if sides.is_some() && self.reader.take(&["FROM"]) {
            let e = self.expression()?;
            return Ok(called(function, vec![e]));
        }
        let e = self.expression()?;
        if self.reader.take(&["FROM"]) {
            // The characters to take away are spaces, or this is not built.
            if e.constant() != Some(&Value::Text(" ".into())) {
                return Err(unsupported("TRIM with characters", "use REPLACE, or TRIM of spaces"));
            }
            let e = self.expression()?;
            return Ok(called(function, vec![e]));
        }
        Ok(called(function, vec![e]))
    }

    /// The type of a CAST.
    pub(super) fn cast_type(&mut self) -> Result<CastType, SqlError> {
        let word = self.reader.name()?.to_ascii_uppercase();
        let mut numbers = Vec::new();
        if self.reader.take_symbol(Symbol::Open) {
            numbers.push(u32::try_from(self.reader.number()?).unwrap_or(u32::MAX));
            if self.reader.take_symbol(Symbol::Comma) {
                numbers.push(u32::try_from(self.reader.number()?).unwrap_or(u32::MAX));
            }
            self.reader.expect_symbol(Symbol::Close, ")")?;
        }
        let first = numbers.first().copied();
        Ok(match word.as_str() {
            "CHAR" | "CHARACTER" | "NCHAR" => {
                if self.reader.take(&["CHARACTER", "SET"]) || self.reader.take(&["CHARSET"]) {
                    self.reader.name_or_string()?;
                }
                CastType::Char(first)
            }
            "BINARY" => CastType::Binary(first),
            "SIGNED" => {
                self.reader.take_any(&["INTEGER", "INT"]);
                CastType::Signed
            }
            "UNSIGNED" => {
                self.reader.take_any(&["INTEGER", "INT"]);
                CastType::Unsigned
            }
            "DECIMAL" | "DEC" => CastType::decimal(first, numbers.get(1).copied())?,
            "DOUBLE" | "REAL" | "FLOAT" => CastType::Double,
            "DATETIME" | "TIMESTAMP" => CastType::DateTime(first.unwrap_or(0).min(6)),
            "JSON" => CastType::Json,
            other => {
                return Err(unsupported(
                    &format!("CAST AS {other}"),
                    "use CHAR, BINARY, SIGNED, UNSIGNED, DECIMAL, DOUBLE, DATETIME or JSON",
                ));
            }
        })
    }

    /// `INTERVAL n UNIT` behind a time.
    pub(super) fn shifted(&mut self, at: RelExpr, back: bool) -> Result<RelExpr, SqlError> {
        self.reader.expect(&["INTERVAL"])?;
        let count = self.expression()?;
        let unit = self.reader.name()?.to_ascii_uppercase();
        let micros = time::unit(&unit).ok_or_else(|| {
            unsupported(&format!("INTERVAL .. {unit}"), "use MICROSECOND, SECOND, MINUTE, HOUR, DAY or WEEK")
        })?;
        let micros = Expression::Constant(Value::Int(if back { -micros } else { micros }));
        let total = Expression::Chain(boxed(count), vec![(Operator::Arithmetic(Arithmetic::Multiply), micros)]);
        Ok(Expression::Call(Function::TimeAdd, vec![at, total]))
    }

    /// An aggregate or window function, from behind its opening parenthesis.
    pub(super) fn aggregate(&mut self, kind: AggregateKind) -> Result<RelExpr, SqlError> {
        let distinct = self.reader.take_any(&["DISTINCT", "DISTINCTROW"]).is_some();
        let windowed = matches!(kind, AggregateKind::RowNumber | AggregateKind::Rank | AggregateKind::DenseRank);
        let counts = kind == AggregateKind::Count;
        let arguments = if (counts && !distinct && self.reader.take_symbol(Symbol::Star)) || windowed {
            Vec::new()
        } else {
            self.expressions()?
        };
        let mut aggregated = Aggregated { kind, distinct, arguments, order: Vec::new(), over: None };
        if let AggregateKind::GroupConcat { separator } = &mut aggregated.kind {
            aggregated.order = self.order_by()?;
            if self.reader.take(&["SEPARATOR"]) {
                *separator = self.reader.string()?;
            }
        }
        self.reader.expect_symbol(Symbol::Close, ")")?;
        let concat = matches!(aggregated.kind, AggregateKind::GroupConcat { .. });
        let takes_several = concat || windowed || (counts && distinct);
        if !takes_several && aggregated.arguments.len() > 1 {
            return Err(SqlError::Arguments("an aggregate".into()));
        }
        if self.reader.take(&["OVER"]) {
            aggregated.over = Some(self.window()?);
        } else if windowed {
            return Err(self.reader.error("expected OVER"));
        }
        if aggregated.over.is_some() && aggregated.distinct {
            return Err(unsupported("DISTINCT in a window function", "number the rows in a derived table"));
        }
        Ok(Expression::Leaf(RelLeaf::Aggregate(Box::new(aggregated))))
    }

    pub(super) fn window(&mut self) -> Result<Window, SqlError> {
        self.reader.expect_symbol(Symbol::Open, "(")?;
        let mut window = Window::default();
        if self.reader.take(&["PARTITION", "BY"]) {
            window.partition = self.expressions()?;
        }
        window.order = self.order_by()?;
        if self.reader.sees_any(&["ROWS", "RANGE", "GROUPS"]) {
            return Err(unsupported("the frame of a window", "leave it out: the default is used"));
        }
        self.reader.expect_symbol(Symbol::Close, ")")?;
        Ok(window)
    }
}

impl Shown for RelLeaf {
    fn fraction(&self) -> Option<u32> {
        match self {
            Self::Plain(leaf) => leaf.fraction(),
            Self::Query(_) | Self::Exists(_) | Self::In { .. } | Self::Aggregate(_) | Self::Collate { .. } => None,
        }
    }
}

pub(super) fn today(now: Leaf) -> RelExpr {
    Expression::Call(Function::Left, vec![plain(now), Expression::Constant(Value::Int(10))])
}

fn aggregate(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "COUNT" => AggregateKind::Count,
        "MIN" => AggregateKind::Min,
        "MAX" => AggregateKind::Max,
        "SUM" => AggregateKind::Sum,
        "AVG" => AggregateKind::Avg,
        "GROUP_CONCAT" => AggregateKind::GroupConcat { separator: ",".to_owned() },
        "ROW_NUMBER" => AggregateKind::RowNumber,
        "RANK" => AggregateKind::Rank,
        "DENSE_RANK" => AggregateKind::DenseRank,
        _ => return None,
    })
}

fn known(function: Function, arguments: Vec<RelExpr>) -> Result<RelExpr, SqlError> {
    let (least, most) = function.arity();
    if arguments.len() < least || arguments.len() > most {
        return Err(SqlError::Arguments(function.name().into()));
    }
    Ok(called(function, arguments))
}

/// A function called by name (upper case).
fn call(name: &str, arguments: Vec<RelExpr>) -> Result<RelExpr, SqlError> {
    if let (Some(function), []) = (session_function(name), arguments.as_slice()) {
        return Ok(plain(Leaf::Session(function)));
    }
    match (name, arguments.as_slice()) {
        ("NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE", []) => Ok(plain(Leaf::Now(0))),
        (
            "NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE",
            [Expression::Constant(Value::Int(digits @ 0..=6))],
        ) => Ok(plain(Leaf::Now(u32::try_from(*digits).unwrap_or(6)))),
        ("UTC_TIMESTAMP", []) => Ok(plain(Leaf::UtcNow(0))),
        ("UTC_TIMESTAMP", [Expression::Constant(Value::Int(digits @ 0..=6))]) => {
            Ok(plain(Leaf::UtcNow(u32::try_from(*digits).unwrap_or(6))))
        }
        ("CURDATE" | "CURRENT_DATE", []) => Ok(today(Leaf::Now(0))),
        ("UTC_DATE", []) => Ok(today(Leaf::UtcNow(0))),
        ("UNIX_TIMESTAMP", []) => {
            let zone = Expression::Constant(Value::Int(0));
            known(Function::UnixTimestamp, vec![plain(Leaf::UtcNow(0)), zone])
        }
        // Both are about the session's time zone, which their second argument is.
        ("UNIX_TIMESTAMP", [time]) => known(Function::UnixTimestamp, vec![time.clone(), plain(Leaf::Zone)]),
        ("FROM_UNIXTIME", [time]) => known(Function::FromUnixTime, vec![time.clone(), plain(Leaf::Zone)]),
        ("UNIX_TIMESTAMP", _) => Err(SqlError::Arguments(name.into())),
        ("FROM_UNIXTIME", _) => Err(unsupported("FROM_UNIXTIME with a format", "format it in the application")),
        ("CHARSET" | "COLLATION" | "COERCIBILITY", _) => {
            Err(unsupported(&format!("the function {name}"), "text is utf8mb4 throughout"))
        }
        ("SHARD_OF", _) => Err(unsupported("SHARD_OF in a join", "use SHARD_OF in a SELECT of its own")),
        (name, _) => match Function::named(name) {
            Some(function) => known(function, arguments),
            None if is_known_to_mysql(name) => {
                Err(unsupported(&format!("the function {name}"), "compute it in the application"))
            }
            None => Err(SqlError::UnknownFunction(name.to_owned())),
        },
    }
}
