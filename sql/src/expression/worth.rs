//! What an operand is worth: a value, or a quotient with more digits than it is shown with.
//!
//! `1 / 3` is shown as 0.3333, and `1 / 3 * 3` is 1.0000 all the same: MySQL computes on with the digits that are not shown.

use super::arithmetic::{Arithmetic, DIVISION_DIGITS};
use super::compare::Compared;
use super::functions::Function;
use super::lost::{self, Many, Read};
use super::number::{MAX_SCALE, Number};
use super::operators::{self, chain};
use super::scope::look;
use super::truth::truth_of;
use super::{Aggregate, CastType, Expression, Operator, Scope, call};
use crate::error::SqlError;
use crate::value::Value;

/// What an operand is worth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Worth {
    /// A value with all its digits.
    Plain(Value),
    /// What came of a division.
    Quotient(Box<Quotient>),
}

/// A number with more digits than are shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quotient {
    /// An exact one.
    number: Number,
    /// How many digits behind the point are shown.
    shown: u32,
}

impl Worth {
    /// An exact number of which so many digits behind the point are shown; others are values.
    pub fn quotient(number: Number, shown: u32) -> Self {
        match number {
            Number::Exact { .. } | Number::Wide(_) => Self::Quotient(Box::new(Quotient { number, shown })),
            Number::Double(d) => Self::Plain(Value::Double(d)),
        }
    }

    /// The value as it is shown.
    pub fn value(self) -> Value {
        match self {
            Self::Plain(value) => value,
            Self::Quotient(quotient) => {
                let digits = i32::try_from(quotient.shown).unwrap_or(0);
                Value::Decimal(quotient.number.rounded(digits).decimal(quotient.shown))
            }
        }
    }

    /// The value with all its digits.
    pub fn full(self) -> Value {
        match self {
            Self::Plain(value) => value,
            Self::Quotient(quotient) => quotient.number.decimal_value(),
        }
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Plain(Value::Null))
    }

    /// How many digits behind the point are shown, of an exact number.
    pub fn shown(&self) -> u32 {
        match self {
            Self::Plain(value @ (Value::Decimal(_) | Value::DateTime(_))) => Number::of(value).map_or(0, Number::scale),
            Self::Plain(_) => 0,
            Self::Quotient(quotient) => quotient.shown,
        }
    }

    /// The number it is in arithmetic; `None` for NULL.
    fn number(&self) -> Option<Number> {
        match self {
            Self::Plain(value) => Number::operand(value),
            Self::Quotient(quotient) => Some(quotient.number),
        }
    }

    /// Divided by a number of rows.
    ///
    /// # Errors
    /// [`SqlError::OutOfRange`] as any division.
    pub fn divided_by(self, rows: u64) -> Result<Self, SqlError> {
        calculate(Arithmetic::Divide, self, Self::Plain(Value::UInt(rows)))
    }

    /// Minus it.
    ///
    /// # Errors
    /// [`SqlError::OutOfRange`]
    pub fn negated(self) -> Result<Self, SqlError> {
        Ok(match self {
            Self::Plain(value) => Self::Plain(operators::negate(&value)?),
            Self::Quotient(quotient) => Self::quotient(quotient.number.negated(), quotient.shown),
        })
    }

    /// The same with at least so many digits shown.
    pub fn at_least(self, digits: u32) -> Self {
        match self {
            Self::Plain(value) => Self::Plain(value),
            Self::Quotient(quotient) => Self::quotient(quotient.number, quotient.shown.max(digits)),
        }
    }
}

/// One arithmetic operation.
///
/// # Errors
/// [`SqlError::OutOfRange`] when no type of the result's kind holds it.
pub(super) fn calculate(op: Arithmetic, a: Worth, b: Worth) -> Result<Worth, SqlError> {
    if op != Arithmetic::Divide
        && let (Worth::Plain(a), Worth::Plain(b)) = (&a, &b)
    {
        return operators::arithmetic(op, a, b).map(Worth::Plain);
    }
    let (Some(x), Some(y)) = (a.number(), b.number()) else { return Ok(Worth::Plain(Value::Null)) };
    let (of_a, of_b) = (a.shown(), b.shown());
    if op == Arithmetic::Divide && !matches!((x, y), (Number::Double(_), _) | (_, Number::Double(_))) {
        let shown = (of_a + DIVISION_DIGITS).min(MAX_SCALE);
        return Ok(x.quotient(y).map_or(Worth::Plain(Value::Null), |quotient| Worth::quotient(quotient, shown)));
    }
    let Some(number) = x.apply(op, y)? else { return Ok(Worth::Plain(Value::Null)) };
    Ok(match op {
        Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Modulo => Worth::quotient(number, of_a.max(of_b)),
        Arithmetic::Multiply => Worth::quotient(number, (of_a + of_b).min(MAX_SCALE)),
        Arithmetic::Divide => Worth::Plain(number.value()),
        Arithmetic::IntegerDivide => {
            let unsigned = [&a, &b].iter().any(|worth| matches!(worth, Worth::Plain(Value::UInt(_))));
            Worth::Plain(number.value_like(&if unsigned { Value::UInt(0) } else { Value::Int(0) })?)
        }
    })
}

impl<L> Expression<L> {
    /// Whether it asks one of its operands what it is worth, instead of for its value.
    pub fn computes_with_worth(&self) -> bool {
        match self {
            Self::Chain(_, rest) => rest.iter().any(|(op, _)| matches!(op, Operator::Arithmetic(_))),
            Self::Negate(_) | Self::Case { .. } => true,
            Self::Call(function, _) => matches!(
                function,
                Function::If
                    | Function::Coalesce
                    | Function::IfNull
                    | Function::AsDecimal
                    | Function::Mod
                    | Function::Floor
                    | Function::Ceiling
                    | Function::Round
                    | Function::Sign
            ),
            Self::Cast(_, ty) => {
                matches!(ty, CastType::Signed | CastType::Unsigned | CastType::Decimal { .. } | CastType::Double)
            }
            Self::Aggregate { function, .. } => matches!(function, Aggregate::Sum | Aggregate::Avg),
            Self::Constant(_)
            | Self::Leaf(_)
            | Self::And(_)
            | Self::Or(_)
            | Self::Not(_)
            | Self::Invert(_)
            | Self::Is { .. }
            | Self::In { .. }
            | Self::Between { .. }
            | Self::Like { .. }
            | Self::Tuple(_) => false,
        }
    }

    /// What the expression is worth as an operand: its value, with the digits of a quotient that are not shown.
    ///
    /// # Errors
    /// Those of [`Expression::evaluate`].
    pub fn worth(&self, scope: &dyn Scope<L>) -> Result<Worth, SqlError> {
        match self {
            Self::Chain(first, rest) => chain(first, rest, scope),
            Self::Negate(e) => {
                let worth = e.worth(scope)?;
                lost::operand(&worth, Read::Double, scope)?;
                worth.negated()
            }
            Self::Case { operand, branches, otherwise } => {
                case(operand.as_deref(), branches, otherwise.as_deref(), scope)
            }
            Self::Call(function, arguments) => match (function, arguments.as_slice()) {
                (Function::If, [condition, then, otherwise]) => {
                    if condition.holds(scope)? { then } else { otherwise }.worth(scope)
                }
                (Function::Coalesce | Function::IfNull, _) => {
                    for e in arguments {
                        let worth = e.worth(scope)?;
                        if !worth.is_null() {
                            return Ok(worth);
                        }
                    }
                    Ok(Worth::Plain(Value::Null))
                }
                (Function::AsDecimal, [e, Self::Constant(Value::Int(digits))]) => match e.worth(scope)? {
                    quotient @ Worth::Quotient(_) => Ok(quotient.at_least(u32::try_from(*digits).unwrap_or(0))),
                    Worth::Plain(value) => Ok(Worth::Plain(call::as_decimal(&value, *digits))),
                },
                (_, _) => self.evaluate(scope).map(Worth::Plain),
            },
            Self::Leaf(leaf) => scope.worth(leaf),
            Self::Constant(_)
            | Self::And(_)
            | Self::Or(_)
            | Self::Not(_)
            | Self::Invert(_)
            | Self::Is { .. }
            | Self::In { .. }
            | Self::Between { .. }
            | Self::Like { .. }
            | Self::Cast(..)
            | Self::Tuple(_)
            | Self::Aggregate { .. } => self.evaluate(scope).map(Worth::Plain),
        }
    }
}

fn case<L>(
    operand: Option<&Expression<L>>,
    branches: &[(Expression<L>, Expression<L>)],
    otherwise: Option<&Expression<L>>,
    scope: &dyn Scope<L>,
) -> Result<Worth, SqlError> {
    let operand = operand.map(|e| e.evaluate(scope)).transpose()?;
    let mut many = operand.as_ref().map(Many::new);
    let operand = operand.as_ref().map(Compared::new);
    for (i, (when, then)) in branches.iter().enumerate() {
        look(i, scope)?;
        let when = when.evaluate(scope)?;
        if let Some(many) = &mut many {
            many.with(&when, scope)?;
        }
        let taken = match &operand {
            Some(value) => value.matches(&when, scope.folds_case())?,
            None => truth_of(&when, scope)? == Some(true),
        };
        if taken {
            return then.worth(scope);
        }
    }
    otherwise.map_or(Ok(Worth::Plain(Value::Null)), |e| e.worth(scope))
}
