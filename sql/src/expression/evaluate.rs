//! What an expression is worth over a row.
//!
//! Each kind of node is a line here, and what it does stands with its noun: connectives in `truth.rs`, operators in
//! `operators.rs`, IN, BETWEEN and LIKE in `predicates.rs`, functions in `call.rs`, CAST in `cast.rs`. What computes with digits
//! that are not shown is [`Worth`]'s.

use super::cast::cast;
use super::lost::{self, Read};
use super::operators::bits;
use super::predicates::{between, matches, within};
use super::scope::{or_null, weigh};
use super::truth::{boolean, connective, truth_of};
use super::{CastType, Expression, Scope, Test, Worth, call};
use crate::error::SqlError;
use crate::value::Value;

impl<L> Expression<L> {
    /// The value of the expression.
    ///
    /// # Errors
    /// A value that cannot be computed (out of range, not JSON, not a time), or an aggregate out of place.
    pub fn evaluate(&self, scope: &dyn Scope<L>) -> Result<Value, SqlError> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Leaf(leaf) => scope.leaf(leaf),
            Self::And(all) => connective(all, scope, false),
            Self::Or(all) => connective(all, scope, true),
            Self::Not(e) => Ok(boolean(truth_of(&e.evaluate(scope)?, scope)?.map(|t| !t))),
            Self::Invert(e) => {
                let value = e.evaluate(scope)?;
                lost::number(&value, Read::Integer, scope)?;
                Ok(bits(&value).map_or(Value::Null, |n| Value::UInt(!n)))
            }
            Self::Negate(_) | Self::Chain(..) | Self::Case { .. } => self.worth(scope).map(Worth::value),
            Self::Is { operand, test, negated } => {
                let value = operand.evaluate(scope)?;
                let holds = match test {
                    Test::Null => value == Value::Null,
                    Test::True => truth_of(&value, scope)? == Some(true),
                    Test::False => truth_of(&value, scope)? == Some(false),
                };
                Ok(Value::Int(i64::from(holds != *negated)))
            }
            Self::In { operand, list, negated } => within(operand, list, *negated, scope),
            Self::Between { operand, low, high, negated } => {
                let values = [operand.evaluate(scope)?, low.evaluate(scope)?, high.evaluate(scope)?];
                weigh(values.iter().map(Value::content_bytes).sum(), scope)?;
                Ok(boolean(between(values, scope)?.map(|inside| inside != *negated)))
            }
            Self::Like { operand, pattern, escape, negated } => {
                matches(operand, pattern, escape.as_deref(), *negated, scope)
            }
            Self::Call(function, arguments) => {
                scope.patience()?;
                or_null(call::call(*function, arguments, scope), scope)
            }
            Self::Cast(e, ty) => {
                scope.patience()?;
                if let CastType::Binary(Some(length)) = ty
                    && *length as usize > scope.longest()
                {
                    return or_null(Err(call::too_long("cast", scope.longest())), scope);
                }
                let value = match ty {
                    CastType::Signed | CastType::Unsigned | CastType::Decimal { .. } | CastType::Double => {
                        e.worth(scope)?.full()
                    }
                    CastType::Char(_)
                    | CastType::Binary(_)
                    | CastType::DateTime(_)
                    | CastType::Date
                    | CastType::Time(_)
                    | CastType::Json => e.evaluate(scope)?,
                };
                weigh(value.content_bytes(), scope)?;
                lost::cast(&value, *ty, scope)?;
                let value = cast(value, *ty)?;
                match call::bounded("cast", &value, scope.longest()) {
                    Ok(bytes) => scope.made(bytes).map(|()| value),
                    Err(error) => or_null(Err(error), scope),
                }
            }
            Self::Tuple(_) => Err(SqlError::OperandColumns(1)),
            Self::Aggregate { .. } => Err(SqlError::Unsupported {
                what: "an aggregate function here".into(),
                instead: "aggregates can stand in the select list, HAVING and ORDER BY".into(),
            }),
        }
    }

    /// Whether the expression holds (is true, neither false nor NULL).
    ///
    /// # Errors
    /// Those of [`Expression::evaluate`].
    pub fn holds(&self, scope: &dyn Scope<L>) -> Result<bool, SqlError> {
        Ok(truth_of(&self.evaluate(scope)?, scope)? == Some(true))
    }
}
