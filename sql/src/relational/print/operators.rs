//! Operators, printed.

use super::class::{Class, balanced, class, class_of_all, collated, comparison_sql};
use super::{Place, Printed, Result, What, only};
use crate::bind::between;
use crate::bind::json_conditions::is_condition;
use crate::error::{SqlError, limit, unsupported};
use crate::expression::{Comparison, Expression, Function, Operator, Test};
use crate::relational::ast::{RelExpr, RelLeaf};
use crate::relational::binder::Binder;
use crate::relational::scope::Collation;
use crate::value::{ColumnType, Value};

/// Most operators in a row that are not computed while the statement is bound: each is within the next, and SQLite bounds
/// how deep.
const OPERATORS: usize = 400;

/// One side of a comparison.
pub(super) struct Side {
    printed: Printed,
    condition: bool,
}

impl Binder<'_> {
    pub(super) fn connective(&mut self, all: &[RelExpr], place: Place<'_>, or: bool) -> Result<Printed> {
        let mut parts = Vec::with_capacity(all.len());
        let mut constant = true;
        let mut nullable = false;
        for e in all {
            let e = self.print(e, place)?;
            constant &= matches!(e.what, What::Constant(_));
            nullable |= e.ty.nullable;
            parts.push(e);
        }
        if constant {
            return self.call(&parts, if or { Expression::Or } else { Expression::And });
        }
        let parts = parts.iter().map(|e| self.condition(e)).collect::<Result<Vec<_>>>()?;
        let ty = self.truth_type(nullable);
        Ok(Printed::sql(balanced(&parts, if or { " OR " } else { " AND " }), ty))
    }

    pub(super) fn is(&mut self, operand: &RelExpr, test: Test, negated: bool, place: Place<'_>) -> Result<Printed> {
        let e = self.print(operand, place)?;
        if matches!(e.what, What::Constant(_)) {
            return self.call(&[e], |parts| Expression::Is { operand: Box::new(only(parts)), test, negated });
        }
        let not = if negated { "NOT " } else { "" };
        let sql = match test {
            Test::Null => format!("({} IS {not}NULL)", self.text(&e)?),
            Test::True => format!("({} IS {not}TRUE)", self.condition(&e)?),
            Test::False => format!("({} IS {not}FALSE)", self.condition(&e)?),
        };
        Ok(Printed::sql(sql, self.truth_type(false)))
    }

    pub(super) fn chain(&mut self, first: &RelExpr, rest: &[(Operator, RelExpr)], place: Place<'_>) -> Result<Printed> {
        let (mut rest, all) = (rest, rest.len());
        let mut left = match (first, rest.split_first()) {
            (Expression::Tuple(left), Some(((op, Expression::Tuple(right)), tail))) => {
                rest = tail;
                if left.len() != right.len() {
                    return Err(SqlError::OperandColumns(left.len()));
                }
                let left = left.iter().map(|e| self.side(e, place)).collect::<Result<Vec<_>>>()?;
                self.rows(*op, &left, right, place)?
            }
            (Expression::Tuple(_), Some(((_, Expression::Leaf(RelLeaf::Query(_))), _)))
            | (Expression::Leaf(RelLeaf::Query(_)), Some(((_, Expression::Tuple(_)), _))) => {
                return Err(unsupported("a comparison of a row with a subquery", "use (a, b) IN (SELECT ..)"));
            }
            (first, _) => self.print(first, place)?,
        };
        let mut nested = 0;
        let mut condition = is_condition(first) || rest.len() < all;
        for (op, right) in rest {
            let mut printed = self.print(right, place)?;
            if matches!(op, Operator::Compare(_) | Operator::NullSafeEqual) {
                left = self.beside(left, condition, &printed)?;
                printed = self.beside(printed, is_condition(right), &left)?;
            }
            condition = matches!(op, Operator::Compare(_) | Operator::NullSafeEqual | Operator::Xor);
            left = self.operate(*op, left, printed)?;
            nested += usize::from(matches!(left.what, What::Sql(_)));
            if nested > OPERATORS {
                return Err(limit("the number of operators in a row", OPERATORS, "operators"));
            }
        }
        Ok(left)
    }

    /// `(a, b) = (c, d)`
    pub(super) fn rows(&mut self, op: Operator, left: &[Side], right: &[RelExpr], place: Place<'_>) -> Result<Printed> {
        if left.len() != right.len() {
            return Err(SqlError::OperandColumns(left.len()));
        }
        let negated = match op {
            Operator::Compare(Comparison::Equal) => false,
            Operator::Compare(Comparison::NotEqual) => true,
            _ => return Err(unsupported("a comparison of rows other than = and <>", "compare the columns one by one")),
        };
        let mut parts = Vec::with_capacity(left.len());
        for (a, b) in left.iter().zip(right) {
            parts.push(self.equal(a, b, place)?);
        }
        let all = balanced(&parts, " AND ");
        Ok(Printed::sql(if negated { format!("(NOT {all})") } else { all }, self.truth_type(true)))
    }

    /// One side of several comparisons.
    fn side(&mut self, e: &RelExpr, place: Place<'_>) -> Result<Side> {
        Ok(Side { printed: self.print(e, place)?, condition: is_condition(e) })
    }

    /// `a = b`, as a condition.
    fn equal(&mut self, a: &Side, b: &RelExpr, place: Place<'_>) -> Result<String> {
        let before = self.made.held();
        let right = self.print(b, place)?;
        let left = self.beside(a.printed.clone(), a.condition, &right)?;
        let right = self.beside(right, is_condition(b), &left)?;
        let equal = self.operate(Operator::Compare(Comparison::Equal), left, right)?;
        let equal = self.condition(&equal)?;
        self.hold_instead(before, equal.len())?;
        Ok(equal)
    }

    /// A condition that is compared with `other`: JSON's own true or false if that is JSON. Anything else is as it was.
    pub(super) fn beside(&mut self, printed: Printed, condition: bool, other: &Printed) -> Result<Printed> {
        if !condition || other.ty.ty != ColumnType::Json {
            return Ok(printed);
        }
        self.call(&[printed], |parts| Expression::Call(Function::AsBoolean, parts))
    }

    pub fn operate(&mut self, op: Operator, left: Printed, right: Printed) -> Result<Printed> {
        let constant = |p: &Printed| matches!(p.what, What::Constant(_));
        let class = class(&left, &right);
        let nullable = left.ty.nullable || right.ty.nullable;
        if !(constant(&left) && constant(&right)) && class != Class::Dialect {
            match op {
                Operator::Compare(comparison) => {
                    let (a, b) = (self.text(&left)?, self.text(&right)?);
                    // At the left, whose collation is SQLite's choice: there could be another within the operand.
                    let sql = format!("({} {} {b})", collated(&a, class), comparison_sql(comparison));
                    return Ok(Printed::sql(sql, self.truth_type(nullable)));
                }
                Operator::NullSafeEqual => {
                    let (a, b) = (self.text(&left)?, self.text(&right)?);
                    let sql = format!("({} IS {b})", collated(&a, class));
                    return Ok(Printed::sql(sql, self.truth_type(false)));
                }
                Operator::Arithmetic(_)
                | Operator::Xor
                | Operator::BitAnd
                | Operator::BitOr
                | Operator::BitXor
                | Operator::ShiftLeft
                | Operator::ShiftRight
                | Operator::Concat
                | Operator::Extract
                | Operator::ExtractUnquoted => {}
            }
        }
        let called = self.call(&[left, right], |parts| {
            let mut parts = parts.into_iter();
            let mut next = || parts.next().unwrap_or(Expression::Constant(Value::Null));
            Expression::Chain(Box::new(next()), vec![(op, next())])
        })?;
        Ok(if op == Operator::ExtractUnquoted { called.with(Collation::JSON) } else { called })
    }

    pub(super) fn within(
        &mut self,
        operand: &RelExpr,
        list: &[RelExpr],
        negated: bool,
        place: Place<'_>,
    ) -> Result<Printed> {
        if let Expression::Tuple(left) = operand {
            let left = left.iter().map(|e| self.side(e, place)).collect::<Result<Vec<_>>>()?;
            let mut parts = Vec::with_capacity(list.len());
            for item in list {
                let Expression::Tuple(right) = item else { return Err(SqlError::OperandColumns(left.len())) };
                let equal = self.rows(Operator::Compare(Comparison::Equal), &left, right, place)?;
                parts.push(self.condition(&equal)?);
            }
            let any = balanced(&parts, " OR ");
            let sql = if negated { format!("(NOT {any})") } else { any };
            return Ok(Printed::sql(sql, self.truth_type(true)));
        }
        if is_condition(operand) && list.len() > 1 {
            // It may be compared with each in another way.
            let mut parts = Vec::with_capacity(list.len());
            let operand = self.side(operand, place)?;
            for item in list {
                parts.push(self.equal(&operand, item, place)?);
            }
            let any = balanced(&parts, " OR ");
            let sql = if negated { format!("(NOT {any})") } else { any };
            return Ok(Printed::sql(sql, self.truth_type(true)));
        }
        let (mut operand, written) = (self.print(operand, place)?, operand);
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            let printed = self.print(item, place)?;
            operand = self.beside(operand, is_condition(written), &printed)?;
            items.push(self.beside(printed, is_condition(item), &operand)?);
        }
        let list = items;
        let constant = |p: &Printed| matches!(p.what, What::Constant(_));
        let class = class_of_all(&operand, &list);
        if class == Class::Dialect || (constant(&operand) && list.iter().all(constant)) {
            let operands: Vec<Printed> = std::iter::once(operand).chain(list).collect();
            return self.call(&operands, |parts| {
                let mut parts = parts.into_iter();
                let operand = Box::new(parts.next().unwrap_or(Expression::Constant(Value::Null)));
                Expression::In { operand, list: parts.collect(), negated }
            });
        }
        let sql = collated(&self.text(&operand)?, class);
        let texts = list.iter().map(|p| self.text(p)).collect::<Result<Vec<_>>>()?;
        let not = if negated { "NOT " } else { "" };
        Ok(Printed::sql(format!("({sql} {not}IN ({}))", texts.join(",")), self.truth_type(true)))
    }

    pub(super) fn between(&mut self, parts: &[Printed; 3], negated: bool) -> Result<Printed> {
        let [operand, low, high] = parts;
        let class = class_of_all(operand, [low, high]);
        let constant = parts.iter().all(|p| matches!(p.what, What::Constant(_)));
        if class == Class::Dialect || constant {
            // As constants NULLs would lose their types.
            let types = [operand.ty, low.ty, high.ty];
            return self.call(parts, |parts| {
                let mut parts = parts.into_iter();
                let mut next = || parts.next().unwrap_or(Expression::Constant(Value::Null));
                let [operand, low, high] = between::alike([next(), next(), next()], types).map(Box::new);
                Expression::Between { operand, low, high, negated }
            });
        }
        let operand = collated(&self.text(operand)?, class);
        let (low, high) = (self.text(low)?, self.text(high)?);
        let not = if negated { "NOT " } else { "" };
        Ok(Printed::sql(format!("({operand} {not}BETWEEN {low} AND {high})"), self.truth_type(true)))
    }
}
