//! Times made text or numbers where they are read as such.

use super::{Bexpr, as_text, digits, said};
use crate::error::{SqlError, unsupported};
use crate::expression::{Aggregate, CastType, Expression, Function, Operator, Slot, Type, Unit, fraction};
use crate::value::{ColumnType, Value};

/// The expression with its times made text or numbers where these are read; `ty` knows the columns.
///
/// # Errors
/// [`SqlError::Unsupported`] for a TIME where a time with a date is read.
pub(crate) fn told(expression: Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    if expression.any(|node| is_short(node, ty)) { Teller { ty }.tell(&expression) } else { Ok(expression) }
}

/// Makes times text or numbers. What there is to make was looked for before.
struct Teller<'t> {
    /// The types of the columns.
    ty: &'t dyn Fn(&Slot) -> Type,
}

impl Teller<'_> {
    fn ty(&self, e: &Bexpr) -> Type {
        e.ty(self.ty)
    }

    fn is_clock(&self, e: &Bexpr) -> bool {
        self.ty(e).ty == ColumnType::Time
    }

    fn is_number(&self, e: &Bexpr) -> bool {
        self.ty(e).is_number()
    }

    /// As what it is.
    fn tell(&self, e: &Bexpr) -> Result<Bexpr, SqlError> {
        e.map(&mut |node| self.node(node), &mut |slot| Ok(Expression::Leaf(*slot)))
    }

    /// Each as what it is.
    fn tell_all(&self, all: &[Bexpr]) -> Result<Vec<Bexpr>, SqlError> {
        all.iter().map(|e| self.tell(e)).collect()
    }

    /// Where text is read.
    fn text(&self, e: &Bexpr) -> Result<Bexpr, SqlError> {
        Ok(as_text(self.tell(e)?, self.ty(e)))
    }

    /// Where a number is read.
    fn number(&self, e: &Bexpr) -> Result<Bexpr, SqlError> {
        Ok(said(Function::TimeNumber, self.tell(e)?, self.ty(e)))
    }

    /// Where JSON is made: it has no digits to leave out, but tells a date from a time.
    fn json(&self, e: &Bexpr) -> Result<Bexpr, SqlError> {
        if self.ty(e).ty == ColumnType::Date { self.text(e) } else { self.tell(e) }
    }

    /// Where it is compared with numbers.
    fn beside_numbers(&self, e: &Bexpr) -> Result<Bexpr, SqlError> {
        if self.is_clock(e) { self.number(e) } else { self.tell(e) }
    }

    /// Where a condition is read: whether it is true is whether its number is zero, as the text of one may begin with
    /// zeros.
    fn truth(&self, e: &Bexpr) -> Result<Bexpr, SqlError> {
        self.beside_numbers(e)
    }

    /// A node with all below it; `None` if there is nothing to make of its operands but of what is in them.
    fn node(&self, node: &Bexpr) -> Result<Option<Bexpr>, SqlError> {
        Ok(Some(match node {
            Expression::Call(function, arguments) => return self.call(node, *function, arguments),
            Expression::Cast(e, to) => Expression::Cast(Box::new(self.cast(e, *to)?), *to),
            Expression::Negate(e) => Expression::Negate(Box::new(self.number(e)?)),
            Expression::Invert(e) => Expression::Invert(Box::new(self.number(e)?)),
            Expression::Chain(first, rest) => self.chain(first, rest)?,
            Expression::Like { operand, pattern, escape, negated } => Expression::Like {
                operand: Box::new(self.text(operand)?),
                pattern: Box::new(self.text(pattern)?),
                escape: escape.as_deref().map(|e| self.tell(e)).transpose()?.map(Box::new),
                negated: *negated,
            },
            Expression::Aggregate { function: function @ (Aggregate::Sum | Aggregate::Avg), distinct, arguments } => {
                let arguments = arguments.iter().map(|e| self.number(e)).collect::<Result<_, _>>()?;
                Expression::Aggregate { function: *function, distinct: *distinct, arguments }
            }
            _ => return self.condition(node),
        }))
    }

    fn call(&self, node: &Bexpr, function: Function, arguments: &[Bexpr]) -> Result<Option<Bexpr>, SqlError> {
        let of_clock = || arguments.first().is_some_and(|e| self.is_clock(e));
        let arguments = match function {
            _ if function.reads_text() => arguments.iter().map(|e| self.text(e)).collect::<Result<_, _>>()?,
            _ if function.reads_numbers() => arguments.iter().map(|e| self.number(e)).collect::<Result<_, _>>()?,
            Function::TimeDiff if arguments.len() == 2 => {
                let shown = Expression::Constant(Value::Int(self.ty(node).decimals.into()));
                let mut arguments = self.tell_all(arguments)?;
                arguments.push(shown);
                arguments
            }
            Function::UnixTimestamp | Function::TimeAdd | Function::MonthsAdd | Function::ConvertTz if of_clock() => {
                return Err(without_date());
            }
            Function::Extract
                if of_clock() && !arguments.get(1).and_then(Expression::constant).is_some_and(Unit::of_clocks) =>
            {
                return Err(without_date());
            }
            Function::UnixTimestamp => return self.unix_timestamp(arguments).map(Some),
            Function::FromUnixTime => {
                let of = |(i, e): (usize, &Bexpr)| match i {
                    0 if matches!(self.ty(e).ty, ColumnType::Date | ColumnType::Time) => self.number(e),
                    _ => self.tell(e),
                };
                arguments.iter().enumerate().map(of).collect::<Result<_, _>>()?
            }
            Function::JsonArray | Function::JsonObject => {
                arguments.iter().map(|e| self.json(e)).collect::<Result<_, _>>()?
            }
            Function::If if of_clock() => {
                let (when, others) = arguments.split_at(1);
                let when = when.iter().map(|e| self.truth(e));
                when.chain(others.iter().map(|e| self.tell(e))).collect::<Result<_, _>>()?
            }
            _ => return Ok(None),
        };
        Ok(Some(Expression::Call(function, arguments)))
    }

    /// Seconds, with as many digits as the time has.
    fn unix_timestamp(&self, arguments: &[Bexpr]) -> Result<Bexpr, SqlError> {
        let digits = arguments.first().map_or(0, |at| fraction(Some(at), self.ty(at)));
        let seconds = Expression::Call(Function::UnixTimestamp, self.tell_all(arguments)?);
        Ok(match digits {
            0 => Expression::Cast(Box::new(seconds), CastType::Signed),
            1..6 => Expression::Call(Function::Round, vec![seconds, Expression::Constant(Value::Int(digits.into()))]),
            6.. => seconds,
        })
    }

    /// The operand of a cast.
    fn cast(&self, e: &Bexpr, to: CastType) -> Result<Bexpr, SqlError> {
        match to {
            CastType::Char(_) | CastType::Binary(_) => self.text(e),
            CastType::Signed | CastType::Unsigned | CastType::Decimal { .. } | CastType::Double => {
                // To integers the fraction is rounded.
                if matches!(self.ty(e).ty, ColumnType::Date | ColumnType::Time) { self.number(e) } else { self.tell(e) }
            }
            CastType::Json => self.json(e),
            CastType::DateTime(_) | CastType::Date if self.is_clock(e) => Err(without_date()),
            CastType::DateTime(_) | CastType::Date | CastType::Time(_) => self.tell(e),
        }
    }

    /// Operators in a row: the first operand by what the second is, the others by what the first is.
    fn chain(&self, first: &Bexpr, rest: &[(Operator, Bexpr)]) -> Result<Bexpr, SqlError> {
        let left = match rest.first() {
            Some((op, other)) => self.side(*op, first, other)?,
            None => self.tell(first)?,
        };
        let rest = rest.iter().map(|(op, e)| Ok((*op, self.side(*op, e, first)?)));
        Ok(Expression::Chain(Box::new(left), rest.collect::<Result<_, SqlError>>()?))
    }

    /// An operand of an operator with `other` on its other side.
    fn side(&self, op: Operator, e: &Bexpr, other: &Bexpr) -> Result<Bexpr, SqlError> {
        match op {
            Operator::Arithmetic(_)
            | Operator::BitAnd
            | Operator::BitOr
            | Operator::BitXor
            | Operator::ShiftLeft
            | Operator::ShiftRight => self.number(e),
            Operator::Concat => self.text(e),
            Operator::Compare(_) | Operator::NullSafeEqual if self.is_clock(e) => match self.ty(other) {
                number_type if number_type.is_number() => self.number(e),
                dated if dated.is_time() => Err(without_date()),
                _ => self.tell(e),
            },
            Operator::Compare(_)
            | Operator::NullSafeEqual
            | Operator::Xor
            | Operator::Extract
            | Operator::ExtractUnquoted => self.tell(e),
        }
    }

    /// A condition over times of day, which are numbers there and beside numbers; `None` for anything else.
    fn condition(&self, node: &Bexpr) -> Result<Option<Bexpr>, SqlError> {
        let (is_clock, is_number) = (|e: &Bexpr| self.is_clock(e), |e: &Bexpr| self.is_number(e));
        Ok(Some(match node {
            Expression::In { operand, list, negated }
                if list.iter().any(is_number) && is_clock(operand)
                    || is_number(operand) && list.iter().any(is_clock) =>
            {
                let list = list.iter().map(|e| self.beside_numbers(e)).collect::<Result<_, _>>()?;
                Expression::In { operand: Box::new(self.beside_numbers(operand)?), list, negated: *negated }
            }
            Expression::And(all) if all.iter().any(is_clock) => {
                Expression::And(all.iter().map(|e| self.truth(e)).collect::<Result<_, _>>()?)
            }
            Expression::Or(all) if all.iter().any(is_clock) => {
                Expression::Or(all.iter().map(|e| self.truth(e)).collect::<Result<_, _>>()?)
            }
            Expression::Not(e) if is_clock(e) => Expression::Not(Box::new(self.truth(e)?)),
            Expression::Case { operand: None, branches, otherwise }
                if branches.iter().any(|(when, _)| is_clock(when)) =>
            {
                let branch = |(when, then): &(Bexpr, Bexpr)| Ok((self.truth(when)?, self.tell(then)?));
                Expression::Case {
                    operand: None,
                    branches: branches.iter().map(branch).collect::<Result<_, SqlError>>()?,
                    otherwise: otherwise.as_deref().map(|e| self.tell(e)).transpose()?.map(Box::new),
                }
            }
            Expression::Between { operand, low, high, negated }
                if [operand, low, high].iter().any(|e| is_number(e)) =>
            {
                let [operand, low, high] = [operand, low, high].map(|e| self.beside_numbers(e).map(Box::new));
                Expression::Between { operand: operand?, low: low?, high: high?, negated: *negated }
            }
            _ => return Ok(None),
        }))
    }
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
