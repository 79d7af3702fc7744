//! Operators, from sqlparser's tree into ours.

use sqlparser::ast::{BinaryOperator, Expr as Sql, UnaryOperator, Value as SqlValue};

use super::{Converter, Result, boxed, integer_or_decimal};
use crate::expression::number::Arithmetic;
use crate::expression::{CastType, Comparison, Expression, Operator};
use crate::parse::expression::Expr;
use crate::parse::hex;
use crate::parse::unsupported;
use crate::value::Value;

impl Converter<'_> {
    /// A chain of operators leans to the left as far as it is long, so it is walked, not recursed into.
    pub(super) fn spine(&self, tree: &Sql, depth: usize) -> Result<Expr> {
        let mut operands = Vec::new();
        let mut at = tree;
        while let Sql::BinaryOp { left, op, right } = at {
            operands.push((op, right));
            at = left;
        }
        let mut left = self.convert(at, depth + 1)?;
        let mut innermost = true;
        for (op, right) in operands.into_iter().rev() {
            let right_tree = right;
            // `time +/- INTERVAL n UNIT`
            if let (BinaryOperator::Plus | BinaryOperator::Minus, Sql::Interval(interval)) = (op, &**right) {
                left = self.shifted(left, interval, *op == BinaryOperator::Minus, depth)?;
                continue;
            }
            let joined = self.operator(op)?;
            let mut right = self.convert(right, depth + 1)?;
            let numbers = joined.takes_numbers();
            if numbers || (joined.compares() && is_literal(right_tree) && is_bytes(&right) && is_number(&left)) {
                right = number(right, right_tree);
            }
            if innermost && (numbers || (joined.compares() && is_literal(at) && is_bytes(&left) && is_number(&right))) {
                left = number(left, at);
            }
            innermost = false;
            left = match joined {
                Joined::And => match left {
                    Expression::And(mut all) => {
                        all.push(right);
                        Expression::And(all)
                    }
                    other => Expression::And(vec![other, right]),
                },
                Joined::Or => match left {
                    Expression::Or(mut all) => {
                        all.push(right);
                        Expression::Or(all)
                    }
                    other => Expression::Or(vec![other, right]),
                },
                Joined::Chain(op) => match left {
                    Expression::Chain(first, mut rest) => {
                        rest.push((op, right));
                        Expression::Chain(first, rest)
                    }
                    other => Expression::Chain(boxed(other), vec![(op, right)]),
                },
            };
        }
        Ok(left)
    }

    /// Operands that are compared with each other: if one is a number, literals among them are.
    pub(super) fn alike(&self, trees: &[&Sql], depth: usize) -> Result<Vec<Expr>> {
        let mut all = trees.iter().map(|e| self.convert(e, depth + 1)).collect::<Result<Vec<_>>>()?;
        if all.iter().zip(trees).any(|(e, tree)| is_bytes(e) && is_literal(tree)) && all.iter().any(is_number) {
            all = all.into_iter().zip(trees).map(|(e, tree)| number(e, tree)).collect();
        }
        Ok(all)
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
            return Ok(Expression::Constant(integer_or_decimal(&format!("-{written}"))));
        }
        let tree = operand;
        let operand = self.convert(operand, depth + 1)?;
        let operand = match op {
            UnaryOperator::Not | UnaryOperator::BangNot | UnaryOperator::Minus | UnaryOperator::BitwiseNot => {
                number(operand, tree)
            }
            _ => operand,
        };
        Ok(match op {
            UnaryOperator::Not | UnaryOperator::BangNot => Expression::Not(boxed(operand)),
            UnaryOperator::Minus => Expression::Negate(boxed(operand)),
            UnaryOperator::BitwiseNot => Expression::Invert(boxed(operand)),
            // `+x` is x.
            UnaryOperator::Plus => operand,
            // What our dialect makes of BINARY.
            UnaryOperator::Hash => Expression::Cast(boxed(operand), CastType::Binary(None)),
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
    /// Whether its operands are numbers, whatever they look like.
    fn takes_numbers(&self) -> bool {
        match self {
            Self::And | Self::Or => true,
            Self::Chain(op) => match op {
                Operator::Arithmetic(_)
                | Operator::Xor
                | Operator::BitAnd
                | Operator::BitOr
                | Operator::BitXor
                | Operator::ShiftLeft
                | Operator::ShiftRight => true,
                Operator::Compare(_)
                | Operator::NullSafeEqual
                | Operator::Concat
                | Operator::Extract
                | Operator::ExtractUnquoted => false,
            },
        }
    }

    /// Whether its operands are what each other is.
    fn compares(&self) -> bool {
        matches!(self, Self::Chain(Operator::Compare(_) | Operator::NullSafeEqual))
    }
}

/// Whether it is a literal of bytes, in parentheses or not.
fn is_literal(tree: &Sql) -> bool {
    match operand_of(tree) {
        Sql::Value(value) => matches!(value.value, SqlValue::HexStringLiteral(_) | SqlValue::Placeholder(_)),
        _ => false,
    }
}

/// A literal of bytes as a number.
pub(super) fn number(converted: Expr, tree: &Sql) -> Expr {
    if is_literal(tree) { hex::number(converted) } else { converted }
}

fn is_bytes(expression: &Expr) -> bool {
    matches!(expression, Expression::Constant(Value::Bytes(_)))
}

fn is_number(expression: &Expr) -> bool {
    hex::is_number(expression, &hex::leaf_type)
}

/// The expression within parentheses.
fn operand_of(tree: &Sql) -> &Sql {
    let mut tree = tree;
    while let Sql::Nested(inner) = tree {
        tree = inner;
    }
    tree
}
