//! Functions, casts, aggregates and windows of relational expressions.

use std::ops::Range;

use super::Parser;
use super::expression::{level, operand};
use crate::error::{SqlError, unsupported};
use crate::expression::{CastType, Expression, Function, Leaf};
use crate::parse::call::{self, known, plain_call};
use crate::parse::literal::{self, makes_json};
use crate::parse::tokens::Symbol;
use crate::parse::{charset, hex};
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
                let start = self.reader.at;
                let e = self.expression()?;
                let end = self.reader.at;
                self.reader.expect(&["AS"])?;
                let ty = self.cast_type()?;
                self.cast(start..end, e, ty)
            }
            "CONVERT" => self.convert()?,
            "TRIM" => self.trim()?,
            "SUBSTRING" | "SUBSTR" | "MID" => self.substring()?,
            "POSITION" => {
                let part = self.climb(level::BIT_OR)?;
                self.reader.expect(&["IN"])?;
                let whole = self.expression()?;
                known(Function::Locate, vec![part, whole])?
            }
            "DATE_ADD" | "ADDDATE" | "DATE_SUB" | "SUBDATE" => self.date_add(name)?,
            "EXTRACT" => {
                let at = self.reader.at;
                let unit = self.reader.name()?.to_ascii_uppercase();
                self.reader.expect(&["FROM"])?;
                let time = self.expression()?;
                call::extract(&unit, time).ok_or_else(|| self.no_unit(at))?
            }
            _ => self.plain(name)?,
        };
        self.reader.expect_symbol(Symbol::Close, ")")?;
        Ok(e)
    }

    /// CONVERT, from behind its parenthesis.
    fn convert(&mut self) -> Result<RelExpr, SqlError> {
        let start = self.reader.at;
        let e = self.expression()?;
        let end = self.reader.at;
        if self.reader.take(&["USING"]) {
            let binary = charset::is_binary(&self.reader.name_or_string()?)?;
            let ty = if binary { CastType::Binary(None) } else { CastType::Char(None) };
            Ok(Expression::Cast(Box::new(e), ty))
        } else {
            self.reader.expect_symbol(Symbol::Comma, ",")?;
            let ty = self.cast_type()?;
            Ok(self.cast(start..end, e, ty))
        }
    }

    /// SUBSTRING, with commas or with FROM and FOR.
    fn substring(&mut self) -> Result<RelExpr, SqlError> {
        let mut arguments = vec![self.expression()?];
        let from = self.reader.take(&["FROM"]);
        if from || self.reader.take_symbol(Symbol::Comma) {
            arguments.push(operand(self.expression()?).number());
            let more = if from { self.reader.take(&["FOR"]) } else { self.reader.take_symbol(Symbol::Comma) };
            if more {
                arguments.push(operand(self.expression()?).number());
            }
        }
        known(Function::Substring, arguments)
    }

    /// DATE_ADD and DATE_SUB, and their synonyms that take a number of days, too.
    fn date_add(&mut self, name: &str) -> Result<RelExpr, SqlError> {
        let at = self.expression()?;
        self.reader.expect_symbol(Symbol::Comma, ",")?;
        let back = name.contains("SUB");
        match self.reader.sees(&["INTERVAL"]) {
            true => self.shifted(at, back),
            false if name.starts_with("DATE") => Err(self.reader.error("expected INTERVAL")),
            false => {
                let days = operand(self.expression()?);
                call::shifted(at, days, "DAY", back).ok_or_else(|| self.reader.error("expected a number"))
            }
        }
    }

    /// A function whose arguments stand between commas.
    fn plain(&mut self, name: &str) -> Result<RelExpr, SqlError> {
        let mut arguments = Vec::new();
        while !(arguments.is_empty() && self.reader.sees_symbol(Symbol::Close)) {
            let start = self.reader.at;
            let e = self.expression()?;
            let json = if makes_json(name) { self.json_boolean(start..self.reader.at) } else { None };
            arguments.push(operand(json.unwrap_or(e)));
            if !self.reader.take_symbol(Symbol::Comma) {
                break;
            }
        }
        match name {
            "SHARD_OF" => Err(unsupported("SHARD_OF in a join", "use SHARD_OF in a SELECT of its own")),
            "NULLIF" if arguments.len() == 2 => Ok(hex::null_if(arguments)),
            _ => plain_call(name, hex::arguments(name, arguments)),
        }
    }

    /// CAST or CONVERT of `e`, which these tokens are.
    fn cast(&self, tokens: Range<usize>, e: RelExpr, ty: CastType) -> RelExpr {
        match self.json_boolean(tokens) {
            Some(literal) if ty == CastType::Json => literal,
            Some(_) | None => Expression::Cast(Box::new(hex::cast(operand(e), ty)), ty),
        }
    }

    /// TRUE and FALSE as JSON, if that is all these tokens are, in parentheses or not.
    fn json_boolean(&self, tokens: Range<usize>) -> Option<RelExpr> {
        let mut tokens = self.reader.tokens.get(tokens)?;
        while let [open, inner @ .., close] = tokens
            && open.is_symbol(Symbol::Open)
            && close.is_symbol(Symbol::Close)
        {
            tokens = inner;
        }
        let [word] = tokens else { return None };
        let b = [true, false].into_iter().find(|b| word.is(self.reader.text, if *b { "TRUE" } else { "FALSE" }))?;
        Some(Expression::Constant(literal::json_boolean(b)))
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
            return Ok(Expression::Call(function, vec![e]));
        }
        let e = self.expression()?;
        if self.reader.take(&["FROM"]) {
            // The characters to take away are spaces, or this is not built.
            if e.constant() != Some(&Value::Text(" ".into())) {
                return Err(unsupported("TRIM with characters", "use REPLACE, or TRIM of spaces"));
            }
            let e = self.expression()?;
            return Ok(Expression::Call(function, vec![e]));
        }
        Ok(Expression::Call(function, vec![e]))
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
                    charset::is_binary(&self.reader.name_or_string()?)?;
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
            "DATE" => CastType::Date,
            "TIME" => CastType::Time(first.unwrap_or(0).min(6)),
            "DATETIME" | "TIMESTAMP" => CastType::DateTime(first.unwrap_or(0).min(6)),
            "JSON" => CastType::Json,
            other => {
                return Err(unsupported(
                    &format!("CAST AS {other}"),
                    "use CHAR, BINARY, SIGNED, UNSIGNED, DECIMAL, DOUBLE, DATE, DATETIME or JSON",
                ));
            }
        })
    }

    /// `INTERVAL n UNIT` behind a time.
    pub(super) fn shifted(&mut self, at: RelExpr, back: bool) -> Result<RelExpr, SqlError> {
        self.reader.expect(&["INTERVAL"])?;
        let count = self.expression()?;
        let place = self.reader.at;
        let unit = self.reader.name()?.to_ascii_uppercase();
        call::shifted(at, operand(count), &unit, back).ok_or_else(|| self.no_unit(place))
    }

    /// The error of the word at this token.
    fn no_unit(&mut self, at: usize) -> SqlError {
        self.reader.at = at;
        self.reader.error("expected a unit of time")
    }

    /// An aggregate or window function, from behind its opening parenthesis.
    pub(super) fn aggregate(&mut self, kind: AggregateKind) -> Result<RelExpr, SqlError> {
        let distinct = self.reader.take_any(&["DISTINCT", "DISTINCTROW"]).is_some();
        let _all = !distinct && self.reader.take(&["ALL"]);
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

impl From<Leaf> for RelLeaf {
    fn from(leaf: Leaf) -> Self {
        Self::Plain(leaf)
    }
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
