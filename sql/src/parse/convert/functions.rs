//! Functions, aggregates and casts, from sqlparser's tree into ours.

use sqlparser::ast::{
    CharacterLength, DataType, DateTimeField, DuplicateTreatment, ExactNumberInfo, Expr as Sql,
    Function as SqlFunction, FunctionArg, FunctionArgExpr, FunctionArguments, Interval, ObjectNamePart,
    Value as SqlValue,
};

use super::operators::within_parentheses;
use super::{Converter, Result, subqueries};
use crate::error::{SqlError, unsupported};
use crate::expression::{Aggregate, CastType, Expression};
use crate::parse::call::{aggregate, call, extract, shifted};
use crate::parse::expression::Expr;
use crate::parse::hex::{self, Operand};
use crate::parse::literal::{self, makes_json};
use crate::parse::tokens::syntax;
use crate::relational::RelationalError;

impl Converter<'_> {
    pub(super) fn cast(&self, operand: &Sql, ty: &DataType, depth: usize) -> Result<Expr> {
        let characters = |length: &Option<CharacterLength>| match length {
            Some(CharacterLength::IntegerLength { length, .. }) => Some(u32::try_from(*length).unwrap_or(u32::MAX)),
            Some(CharacterLength::Max) | None => None,
        };
        let digits = |n: &Option<u64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0).min(6);
        let ty = match ty {
            DataType::Char(length) | DataType::Character(length) | DataType::Nvarchar(length) => {
                CastType::Char(characters(length))
            }
            DataType::Binary(length) => CastType::Binary(length.map(|n| u32::try_from(n).unwrap_or(u32::MAX))),
            DataType::Signed | DataType::SignedInteger => CastType::Signed,
            DataType::Unsigned | DataType::UnsignedInteger => CastType::Unsigned,
            DataType::Decimal(info) | DataType::Dec(info) => {
                let digits = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
                match info {
                    ExactNumberInfo::None => CastType::decimal(None, None)?,
                    ExactNumberInfo::Precision(precision) => CastType::decimal(Some(digits(*precision)), None)?,
                    ExactNumberInfo::PrecisionAndScale(precision, scale) => {
                        let scale = u32::try_from(*scale).unwrap_or(u32::MAX);
                        CastType::decimal(Some(digits(*precision)), Some(scale))?
                    }
                }
            }
            DataType::Double(_) | DataType::Real | DataType::Float(_) => CastType::Double,
            DataType::Date => CastType::Date,
            DataType::Datetime(n) => CastType::DateTime(digits(n)),
            DataType::Time(n, _) => CastType::Time(digits(n)),
            DataType::JSON => {
                // TRUE and FALSE are JSON's own here, not numbers.
                if let Some(literal) = json_boolean(operand) {
                    return Ok(literal);
                }
                CastType::Json
            }
            other => {
                return Err(unsupported(
                    &format!("CAST AS {other}"),
                    "use CHAR, BINARY, SIGNED, UNSIGNED, DECIMAL, DOUBLE, DATE, DATETIME, TIME or JSON",
                ));
            }
        };
        Ok(Expression::Cast(Box::new(hex::cast(self.operand(operand, depth)?, ty)), ty))
    }

    pub(super) fn shifted(&self, time: Expr, interval: &Interval, back: bool, depth: usize) -> Result<Expr> {
        let unit = interval.leading_field.as_ref().map(unit_name).unwrap_or_default();
        let count = self.operand(&interval.value, depth)?;
        let shifted = if interval.last_field.is_none() { shifted(time, count, &unit, back) } else { None };
        shifted.ok_or_else(|| self.no_unit(&unit))
    }

    pub(super) fn extract(&self, field: &DateTimeField, time: &Sql, depth: usize) -> Result<Expr> {
        let unit = unit_name(field);
        extract(&unit, self.convert(time, depth + 1)?).ok_or_else(|| self.no_unit(&unit))
    }

    fn no_unit(&self, written: &str) -> SqlError {
        let token = self.tokens.iter().find(|token| token.is(self.text, written));
        syntax(self.text, token.map_or(0, |token| token.start as usize), "expected a unit of time")
    }

    pub(super) fn function(&self, function: &SqlFunction, depth: usize) -> Result<Expr> {
        let name = match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => name.value.to_ascii_uppercase(),
            _ => return Err(SqlError::UnknownFunction(function.name.to_string())),
        };
        if function.over.is_some() {
            return Err(unsupported("a window function", "read the rows and compute it in the application"));
        }
        let plain = function.filter.is_none() && function.within_group.is_empty() && function.null_treatment.is_none();
        let (arguments, distinct, clauses): (&[FunctionArg], bool, bool) = match &function.args {
            FunctionArguments::None => (&[], false, false),
            FunctionArguments::Subquery(_) => return Err(subqueries()),
            FunctionArguments::List(list) => (
                &list.args,
                matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct)),
                !list.clauses.is_empty(),
            ),
        };
        if !plain || clauses {
            return Err(unsupported(&format!("this form of {name}"), "pass plain arguments"));
        }
        if let Some(aggregate) = aggregate(&name) {
            return self.aggregate(aggregate, distinct, arguments, depth);
        }
        if let ("DATE_ADD" | "ADDDATE" | "DATE_SUB" | "SUBDATE", [time, interval]) = (name.as_str(), arguments)
            && let Some(Sql::Interval(interval)) = plain_argument(interval)
        {
            let time = plain_argument(time).ok_or_else(|| SqlError::Arguments(name.clone()))?;
            return self.shifted(self.convert(time, depth + 1)?, interval, name.contains("SUB"), depth);
        }
        if let ("ADDDATE" | "SUBDATE", [time, days]) = (name.as_str(), arguments) {
            let (Some(time), Some(days)) = (plain_argument(time), plain_argument(days)) else {
                return Err(SqlError::Arguments(name));
            };
            let shifted = shifted(self.convert(time, depth + 1)?, self.operand(days, depth)?, "DAY", name == "SUBDATE");
            return shifted.ok_or_else(|| self.no_unit("DAY"));
        }
        if let "DATE_ADD" | "DATE_SUB" = name.as_str() {
            return Err(unsupported(&format!("{name} without INTERVAL"), "write INTERVAL n DAY"));
        }
        let arguments = arguments
            .iter()
            .map(|argument| {
                let e = plain_argument(argument).ok_or_else(|| SqlError::Arguments(name.clone()))?;
                match json_boolean(e) {
                    Some(literal) if makes_json(&name) => Ok(Operand::new(literal, false)),
                    Some(_) | None => self.operand(e, depth),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        if name == "NULLIF" && arguments.len() == 2 {
            return Ok(hex::null_if(arguments));
        }
        let arguments = hex::arguments(&name, arguments);
        call(&name, arguments)
    }

    pub(super) fn aggregate(
        &self,
        function: Aggregate,
        distinct: bool,
        arguments: &[FunctionArg],
        depth: usize,
    ) -> Result<Expr> {
        let arguments = match arguments {
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if function == Aggregate::Count && !distinct => {
                Vec::new()
            }
            all => all
                .iter()
                .map(|a| {
                    let e = plain_argument(a).ok_or_else(|| SqlError::Arguments("an aggregate".into()))?;
                    self.convert(e, depth + 1)
                })
                .collect::<Result<Vec<_>>>()?,
        };
        let counts_all = function == Aggregate::Count && arguments.is_empty();
        let several = function == Aggregate::Count && distinct && !arguments.is_empty();
        if !counts_all && !several && arguments.len() != 1 {
            return Err(SqlError::Arguments("an aggregate".into()));
        }
        if arguments.iter().any(Expression::has_aggregate) {
            return Err(SqlError::Relational(RelationalError::GroupFunction));
        }
        Ok(Expression::Aggregate { function, distinct, arguments })
    }
}

/// A unit of time in upper case.
fn unit_name(field: &DateTimeField) -> String {
    match field {
        DateTimeField::Week(None) => "WEEK".to_owned(),
        DateTimeField::Custom(name) => name.value.to_ascii_uppercase(),
        field => field.to_string().to_ascii_uppercase(),
    }
}

fn plain_argument(argument: &FunctionArg) -> Option<&Sql> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
        FunctionArg::Unnamed(_) | FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => None,
    }
}

/// TRUE and FALSE as JSON.
fn json_boolean(tree: &Sql) -> Option<Expr> {
    match within_parentheses(tree) {
        Sql::Value(value) => match value.value {
            SqlValue::Boolean(b) => Some(Expression::Constant(literal::json_boolean(b))),
            _ => None,
        },
        _ => None,
    }
}
