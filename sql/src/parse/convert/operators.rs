//! Operators, from sqlparser's tree into ours.

use sqlparser::ast::{BinaryOperator, Expr as Sql, UnaryOperator, Value as SqlValue};

use super::{Converter, Result, boxed, integer_or_decimal};
use crate::error::unsupported;
use crate::expression::arithmetic::Arithmetic;
use crate::expression::{CastType, Comparison, Expression, Leaf, Operator};
use crate::parse::expression::Expr;
use crate::parse::hex::{self, Operand};

impl Converter<'_> {
    /// A chain of operators leans to the left as far as it is long, so it is walked, not recursed into.
    pub(super) fn spine(&self, tree: &Sql, depth: usize) -> Result<Expr> {
        let mut operands = Vec::new();
        let mut at = tree;
        while let Sql::BinaryOp { left, op, right } = at {
            operands.push((op, right));
            at = left;
        }
        let mut left = self.operand(at, depth)?;
        for (op, right) in operands.into_iter().rev() {
            // `time +/- INTERVAL n UNIT`
            let joined = if let (BinaryOperator::Plus | BinaryOperator::Minus, Sql::Interval(interval)) = (op, &**right)
            {
                self.shifted(left.plain(), interval, *op == BinaryOperator::Minus, depth)?
            } else {
                self.operator(op)?.join(left, self.operand(right, depth)?)
            };
            left = Operand::new(joined, false);
        }
        Ok(left.plain())
    }

    fn operator(&self, op: &BinaryOperator) -> Result<Joined> {
        let compare = |c| Ok(Joined::Chain(Operator::Compare(c)));
        let arithmetic = |a| Ok(Joined::Chain(Operator::Arithmetic(a)));
        match op {
            BinaryOperator::And => Ok(Joined::And),
            BinaryOperator::Or => Ok(Joined::Or),
            BinaryOperator::StringConcat if self.mode.pipes_as_concat => Ok(Joined::Chain(Operator::Concat)),
            BinaryOperator::StringConcat => Ok(Joined::Or),
            BinaryOperator::Xor => Ok(Joined::Chain(Operator::Xor)),
            BinaryOperator::Eq => compare(Comparison::Equal),
            BinaryOperator::NotEq => compare(Comparison::NotEqual),
            BinaryOperator::Lt => compare(Comparison::Less),
            BinaryOperator::LtEq => compare(Comparison::LessEqual),
            BinaryOperator::Gt => compare(Comparison::Greater),
            BinaryOperator::GtEq => compare(Comparison::GreaterEqual),
            BinaryOperator::Spaceship => Ok(Joined::Chain(Operator::NullSafeEqual)),
            BinaryOperator::Plus => arithmetic(Arithmetic::Add),
            BinaryOperator::Minus => arithmetic(Arithmetic::Subtract),
            BinaryOperator::Multiply => arithmetic(Arithmetic::Multiply),
            BinaryOperator::Divide => arithmetic(Arithmetic::Divide),
            BinaryOperator::MyIntegerDivide => arithmetic(Arithmetic::IntegerDivide),
            BinaryOperator::Modulo => arithmetic(Arithmetic::Modulo),
            BinaryOperator::BitwiseAnd => Ok(Joined::Chain(Operator::BitAnd)),
            BinaryOperator::BitwiseOr => Ok(Joined::Chain(Operator::BitOr)),
            BinaryOperator::BitwiseXor => Ok(Joined::Chain(Operator::BitXor)),
            BinaryOperator::PGBitwiseShiftLeft => Ok(Joined::Chain(Operator::ShiftLeft)),
            BinaryOperator::PGBitwiseShiftRight => Ok(Joined::Chain(Operator::ShiftRight)),
            BinaryOperator::Arrow => Ok(Joined::Chain(Operator::Extract)),
            BinaryOperator::LongArrow => Ok(Joined::Chain(Operator::ExtractUnquoted)),
            BinaryOperator::Assignment => {
                Err(unsupported("an assignment inside an expression", "use SET @name = expression"))
            }
            other => Err(unsupported(&format!("the operator {other}"), "see the dialect's list of operators")),
        }
    }

    pub(super) fn unary(&self, op: UnaryOperator, operand: &Sql, depth: usize) -> Result<Expr> {
        // A sign and a number are one literal, which keeps -9223372036854775808 an integer.
        if let (UnaryOperator::Minus, Sql::Value(value)) = (op, operand)
            && let SqlValue::Number(written, _) = &value.value
        {
            return integer_or_decimal(&format!("-{written}")).map(Expression::Constant);
        }
        let operand = self.operand(operand, depth)?;
        Ok(match op {
            UnaryOperator::Not | UnaryOperator::BangNot => Expression::Not(boxed(operand.number())),
            UnaryOperator::Minus => Expression::Negate(boxed(operand.number())),
            UnaryOperator::BitwiseNot => Expression::Invert(boxed(operand.number())),
            // `+x` is x.
            UnaryOperator::Plus => operand.plain(),
            // What our dialect makes of BINARY.
            UnaryOperator::Hash => Expression::Cast(boxed(operand.plain()), CastType::Binary(None)),
            other => return Err(unsupported(&format!("the operator {other}"), "see the dialect's list of operators")),
        })
    }
}

/// How an operator joins its operands.
enum Joined {
    And,
    Or,
    Chain(Operator),
}

impl Joined {
    /// Joins two operands; what is a chain of the same kind already grows.
    fn join(self, left: Operand<Leaf>, right: Operand<Leaf>) -> Expr {
        match self {
            Self::And => match (left.number(), right.number()) {
                (Expression::And(mut all), right) => {
                    all.push(right);
                    Expression::And(all)
                }
                (left, right) => Expression::And(vec![left, right]),
            },
            Self::Or => match (left.number(), right.number()) {
                (Expression::Or(mut all), right) => {
                    all.push(right);
                    Expression::Or(all)
                }
                (left, right) => Expression::Or(vec![left, right]),
            },
            Self::Chain(op) => match hex::sides(op, left, right) {
                (Expression::Chain(first, mut rest), right) => {
                    rest.push((op, right));
                    Expression::Chain(first, rest)
                }
                (left, right) => Expression::Chain(boxed(left), vec![(op, right)]),
            },
        }
    }
}

/// Whether it is a literal of bytes, in parentheses or not.
pub(super) fn is_literal(tree: &Sql) -> bool {
    match within_parentheses(tree) {
        Sql::Value(value) => matches!(value.value, SqlValue::HexStringLiteral(_) | SqlValue::Placeholder(_)),
        _ => false,
    }
}

/// The expression within parentheses.
pub(super) fn within_parentheses(tree: &Sql) -> &Sql {
    let mut tree = tree;
    while let Sql::Nested(inner) = tree {
        tree = inner;
    }
    tree
}
