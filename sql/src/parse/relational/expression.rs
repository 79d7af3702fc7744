//! Expressions of relational SELECTs, by precedence climbing over MySQL's grammar.

use super::Parser;
use crate::error::{SqlError, unsupported};
use crate::expression::arithmetic::Arithmetic;
use crate::expression::{CastType, Comparison, Expression, Leaf, Operator, Test, Type};
use crate::parse::charset;
use crate::parse::convert::integer_or_decimal;
use crate::parse::hex::{self, Form, Operand};
use crate::parse::tokens::{Kind, Symbol};
use crate::relational::RelationalError;
use crate::relational::ast::{AggregateKind, Query, RelExpr, RelLeaf, quantified_as_in};
use crate::value::ColumnType;

/// MySQL's levels, loosest first.
pub(super) mod level {
    pub(in crate::parse::relational) const OR: u8 = 1;
    pub(in crate::parse::relational) const XOR: u8 = 2;
    pub(in crate::parse::relational) const AND: u8 = 3;
    pub(in crate::parse::relational) const NOT: u8 = 4;
    pub(in crate::parse::relational) const COMPARISON: u8 = 5;
    pub(in crate::parse::relational) const PREDICATE: u8 = 6;
    pub(in crate::parse::relational) const BIT_OR: u8 = 7;
    pub(in crate::parse::relational) const BIT_AND: u8 = 8;
    pub(in crate::parse::relational) const SHIFT: u8 = 9;
    pub(in crate::parse::relational) const SUM: u8 = 10;
    pub(in crate::parse::relational) const PRODUCT: u8 = 11;
    pub(in crate::parse::relational) const BIT_XOR: u8 = 12;
    pub(in crate::parse::relational) const CONCAT: u8 = 13;
    pub(in crate::parse::relational) const SIGN: u8 = 14;
    pub(in crate::parse::relational) const BANG: u8 = 15;
    pub(in crate::parse::relational) const COLLATE: u8 = 16;
    pub(in crate::parse::relational) const JSON: u8 = 17;
}

/// What follows an operand.
#[derive(Clone, Copy)]
enum Infix {
    And,
    Or,
    Operator(Operator),
    Is,
    Negated,
    In,
    Between,
    Like,
    Collate,
}

pub(super) fn boxed(e: RelExpr) -> Box<RelExpr> {
    Box::new(e)
}

pub(super) fn plain(leaf: Leaf) -> RelExpr {
    Expression::Leaf(RelLeaf::Plain(leaf))
}

/// An expression as an operand of something. Bytes that stand there as they are have been written as a literal of them:
/// [`Parser::introduced`] sees to it.
pub(super) fn operand(e: RelExpr) -> Operand<RelLeaf> {
    Operand::new(e, true)
}

impl Parser<'_, '_> {
    /// Takes an expression.
    pub(super) fn expression(&mut self) -> Result<RelExpr, SqlError> {
        self.climb(level::OR)
    }

    /// Takes expressions separated by commas.
    pub(super) fn expressions(&mut self) -> Result<Vec<RelExpr>, SqlError> {
        let mut all = vec![self.expression()?];
        while self.reader.take_symbol(Symbol::Comma) {
            all.push(self.expression()?);
        }
        Ok(all)
    }

    /// Operators of at least this level.
    pub(super) fn climb(&mut self, least: u8) -> Result<RelExpr, SqlError> {
        self.deeper(|this| {
            let mut left = this.prefix(least)?;
            // A comparison in parentheses is an operand like any other, so only chains made here grow.
            let mut own = false;
            // How often the tree has grown higher without a call going deeper: `a IS NULL IS NULL ..`.
            let mut wrapped = 0;
            while let Some((infix, level)) = this.infix() {
                if level < least {
                    break;
                }
                let (joined, grows) = this.join(left, infix, level, own)?;
                wrapped += usize::from(!(own && grows));
                this.reaches(this.depth + wrapped)?;
                (left, own) = (joined, grows);
            }
            if this.reader.sees_symbol(Symbol::Assign) {
                return Err(unsupported("an assignment inside an expression", "use SET @name = expression"));
            }
            Ok(left)
        })
    }

    /// The operator that is next, and its level.
    fn infix(&self) -> Option<(Infix, u8)> {
        let token = self.reader.peek()?;
        let compare = |c| Some((Infix::Operator(Operator::Compare(c)), level::COMPARISON));
        let arithmetic = |a, level| Some((Infix::Operator(Operator::Arithmetic(a)), level));
        let bits = |op, level| Some((Infix::Operator(op), level));
        match token.kind {
            Kind::Symbol(symbol) => match symbol {
                Symbol::Equal => compare(Comparison::Equal),
                Symbol::NotEqual => compare(Comparison::NotEqual),
                Symbol::Less => compare(Comparison::Less),
                Symbol::LessEqual => compare(Comparison::LessEqual),
                Symbol::Greater => compare(Comparison::Greater),
                Symbol::GreaterEqual => compare(Comparison::GreaterEqual),
                Symbol::NullSafeEqual => bits(Operator::NullSafeEqual, level::COMPARISON),
                Symbol::Plus => arithmetic(Arithmetic::Add, level::SUM),
                Symbol::Minus => arithmetic(Arithmetic::Subtract, level::SUM),
                Symbol::Star => arithmetic(Arithmetic::Multiply, level::PRODUCT),
                Symbol::Slash => arithmetic(Arithmetic::Divide, level::PRODUCT),
                Symbol::Percent => arithmetic(Arithmetic::Modulo, level::PRODUCT),
                Symbol::Concat if self.reader.mode.pipes_as_concat => bits(Operator::Concat, level::CONCAT),
                Symbol::Concat => Some((Infix::Or, level::OR)),
                Symbol::AndAnd => Some((Infix::And, level::AND)),
                Symbol::Pipe => bits(Operator::BitOr, level::BIT_OR),
                Symbol::Ampersand => bits(Operator::BitAnd, level::BIT_AND),
                Symbol::Caret => bits(Operator::BitXor, level::BIT_XOR),
                Symbol::ShiftLeft => bits(Operator::ShiftLeft, level::SHIFT),
                Symbol::ShiftRight => bits(Operator::ShiftRight, level::SHIFT),
                Symbol::Arrow => bits(Operator::Extract, level::JSON),
                Symbol::LongArrow => bits(Operator::ExtractUnquoted, level::JSON),
                Symbol::Open
                | Symbol::Close
                | Symbol::Comma
                | Symbol::Semicolon
                | Symbol::Dot
                | Symbol::Tilde
                | Symbol::Not
                | Symbol::Assign
                | Symbol::Colon
                | Symbol::Other => None,
            },
            Kind::Word => {
                const WORDS: [(&str, Infix, u8); 13] = [
                    ("AND", Infix::And, level::AND),
                    ("OR", Infix::Or, level::OR),
                    ("XOR", Infix::Operator(Operator::Xor), level::XOR),
                    ("IS", Infix::Is, level::COMPARISON),
                    ("NOT", Infix::Negated, level::PREDICATE),
                    ("IN", Infix::In, level::PREDICATE),
                    ("BETWEEN", Infix::Between, level::PREDICATE),
                    ("LIKE", Infix::Like, level::PREDICATE),
                    ("COLLATE", Infix::Collate, level::COLLATE),
                    ("DIV", Infix::Operator(Operator::Arithmetic(Arithmetic::IntegerDivide)), level::PRODUCT),
                    ("MOD", Infix::Operator(Operator::Arithmetic(Arithmetic::Modulo)), level::PRODUCT),
                    ("REGEXP", Infix::Like, level::PREDICATE),
                    ("RLIKE", Infix::Like, level::PREDICATE),
                ];
                // By itself it may be a name.
                if self.reader.sees(&["MEMBER", "OF"]) {
                    return Some((Infix::Like, level::PREDICATE));
                }
                let found = WORDS.iter().find(|(word, ..)| token.is(self.reader.text, word));
                found.map(|(_, infix, level)| (*infix, *level))
            }
            Kind::Quoted
            | Kind::String
            | Kind::Number
            | Kind::Hex
            | Kind::Bits
            | Kind::UserVariable
            | Kind::SystemVariable
            | Kind::Parameter(_) => None,
        }
    }

    /// Joins the operand on the left with what follows; also whether the outcome is a chain that may grow.
    fn join(&mut self, left: RelExpr, infix: Infix, level: u8, own: bool) -> Result<(RelExpr, bool), SqlError> {
        match infix {
            Infix::And => {
                self.reader.next();
                let right = operand(self.climb(level + 1)?).number();
                Ok((
                    match operand(left).number() {
                        Expression::And(mut all) if own => {
                            all.push(right);
                            Expression::And(all)
                        }
                        left => Expression::And(vec![left, right]),
                    },
                    true,
                ))
            }
            Infix::Or => {
                self.reader.next();
                let right = operand(self.climb(level + 1)?).number();
                Ok((
                    match operand(left).number() {
                        Expression::Or(mut all) if own => {
                            all.push(right);
                            Expression::Or(all)
                        }
                        left => Expression::Or(vec![left, right]),
                    },
                    true,
                ))
            }
            Infix::Operator(op) => {
                self.reader.next();
                self.operator(left, op, level, own)
            }
            Infix::Is => {
                self.reader.next();
                let negated = self.reader.take(&["NOT"]);
                let test = match self.reader.take_any(&["NULL", "UNKNOWN", "TRUE", "FALSE"]) {
                    Some("NULL" | "UNKNOWN") => Test::Null,
                    Some("TRUE") => Test::True,
                    Some(_) => Test::False,
                    None => return Err(self.reader.error("expected NULL, TRUE, FALSE or UNKNOWN")),
                };
                Ok((hex::is(operand(left), test, negated), false))
            }
            Infix::Negated => {
                self.reader.next();
                self.predicate(left, true).map(|e| (e, false))
            }
            Infix::In | Infix::Between | Infix::Like => self.predicate(left, false).map(|e| (e, false)),
            Infix::Collate => {
                self.reader.next();
                let name = self.reader.name_or_string()?.to_ascii_lowercase();
                let fold = charset::folds(&name)?;
                Ok((Expression::Leaf(RelLeaf::Collate { operand: boxed(left), fold }), false))
            }
        }
    }

    fn operator(&mut self, left: RelExpr, op: Operator, level: u8, own: bool) -> Result<(RelExpr, bool), SqlError> {
        if let Operator::Compare(comparison) = op
            && let Some(all) = self.reader.take_any(&["ANY", "SOME", "ALL"])
        {
            let negated = quantified_as_in(comparison, all == "ALL").ok_or_else(|| {
                unsupported("a comparison with ANY or ALL", "use IN, NOT IN, or MIN and MAX in the subquery")
            })?;
            let query = self.subquery()?;
            return Ok((
                Expression::Leaf(RelLeaf::In { operand: boxed(left), query: Box::new(query), negated }),
                false,
            ));
        }
        if let (Operator::Arithmetic(sign @ (Arithmetic::Add | Arithmetic::Subtract)), true) =
            (op, self.reader.sees(&["INTERVAL"]))
        {
            return self.shifted(left, sign == Arithmetic::Subtract).map(|e| (e, false));
        }
        let right = self.climb(level + 1)?;
        let (left, right) = hex::sides(op, operand(left), operand(right));
        Ok((
            match left {
                Expression::Chain(first, mut rest) if own => {
                    rest.push((op, right));
                    Expression::Chain(first, rest)
                }
                left => Expression::Chain(boxed(left), vec![(op, right)]),
            },
            true,
        ))
    }

    /// IN, BETWEEN, LIKE.
    fn predicate(&mut self, left: RelExpr, negated: bool) -> Result<RelExpr, SqlError> {
        if self.reader.take(&["IN"]) {
            if self.opens_query() {
                let query = Box::new(self.subquery()?);
                return Ok(Expression::Leaf(RelLeaf::In { operand: boxed(left), query, negated }));
            }
            self.reader.expect_symbol(Symbol::Open, "(")?;
            let list = self.expressions()?;
            self.reader.expect_symbol(Symbol::Close, ")")?;
            return Ok(hex::within(operand(left), list.into_iter().map(operand).collect(), negated));
        }
        if self.reader.take(&["BETWEEN"]) {
            let low = self.climb(level::PREDICATE)?;
            self.reader.expect(&["AND"])?;
            let high = self.climb(level::PREDICATE)?;
            let mut all = hex::alike([left, low, high].map(operand).into()).into_iter().map(boxed);
            return match (all.next(), all.next(), all.next()) {
                (Some(operand), Some(low), Some(high)) => Ok(Expression::Between { operand, low, high, negated }),
                _ => Err(SqlError::Internal("BETWEEN lost an operand".into())),
            };
        }
        let operand = boxed(left);
        if self.reader.take(&["LIKE"]) {
            let pattern = boxed(self.climb(level::BIT_OR)?);
            let escape = if self.reader.take(&["ESCAPE"]) { Some(boxed(self.climb(level::BIT_OR)?)) } else { None };
            return Ok(Expression::Like { operand, pattern, escape, negated });
        }
        if self.reader.sees_any(&["REGEXP", "RLIKE"]) {
            return Err(unsupported("REGEXP", "use LIKE"));
        }
        if self.reader.sees(&["MEMBER", "OF"]) {
            return Err(unsupported("MEMBER OF", "use JSON_CONTAINS(array, value)"));
        }
        Err(self.reader.error("expected IN, BETWEEN or LIKE"))
    }

    /// `(SELECT ..)`
    pub(super) fn subquery(&mut self) -> Result<Query, SqlError> {
        self.reader.expect_symbol(Symbol::Open, "(")?;
        let query = self.query()?;
        self.reader.expect_symbol(Symbol::Close, ")")?;
        Ok(query)
    }

    fn prefix(&mut self, least: u8) -> Result<RelExpr, SqlError> {
        let not = if self.reader.mode.high_not_precedence { level::BANG } else { level::NOT };
        if least <= not && self.reader.take(&["NOT"]) {
            return self.climb(not).map(|e| Expression::Not(boxed(operand(e).number())));
        }
        let Some(token) = self.reader.peek() else { return Err(self.reader.error("expected an expression")) };
        match token.kind {
            Kind::Symbol(Symbol::Minus) => {
                self.reader.next();
                // A sign and a number are one literal, which keeps -9223372036854775808 an integer.
                if let Some(number) = self.reader.peek().filter(|t| t.kind == Kind::Number) {
                    self.reader.next();
                    let written = format!("-{}", number.text(self.reader.text));
                    return integer_or_decimal(&written).map(Expression::Constant);
                }
                self.climb(level::SIGN).map(|e| Expression::Negate(boxed(operand(e).number())))
            }
            Kind::Symbol(Symbol::Plus) => {
                self.reader.next();
                self.climb(level::SIGN)
            }
            Kind::Symbol(Symbol::Tilde) => {
                self.reader.next();
                self.climb(level::SIGN).map(|e| Expression::Invert(boxed(operand(e).number())))
            }
            Kind::Symbol(Symbol::Not) => {
                self.reader.next();
                self.climb(level::BANG).map(|e| Expression::Not(boxed(operand(e).number())))
            }
            Kind::Word if token.is(self.reader.text, "BINARY") => {
                self.reader.next();
                self.climb(level::BANG).map(|e| Expression::Cast(boxed(e), CastType::Binary(None)))
            }
            Kind::Symbol(_)
            | Kind::Word
            | Kind::Quoted
            | Kind::String
            | Kind::Number
            | Kind::Hex
            | Kind::Bits
            | Kind::UserVariable
            | Kind::SystemVariable
            | Kind::Parameter(_) => self.primary(token),
        }
    }
}

impl Form for RelLeaf {
    fn ty(&self) -> Type {
        match self {
            Self::Plain(leaf) => leaf.ty(),
            Self::Aggregate(aggregated) if aggregated.kind == AggregateKind::Count => Type::of(ColumnType::BigInt),
            Self::Assigned { value, .. } => value.ty(&|leaf| leaf.ty()),
            Self::Query(_) | Self::Exists(_) | Self::In { .. } | Self::Aggregate(_) | Self::Collate { .. } => {
                Type::of(ColumnType::Text)
            }
        }
    }

    fn tells(&self) -> bool {
        match self {
            Self::Plain(leaf) => leaf.tells(),
            Self::Aggregate(aggregated) => aggregated.kind == AggregateKind::Count,
            // Only text has a collation.
            Self::Collate { .. } => true,
            Self::Assigned { .. } | Self::Query(_) | Self::Exists(_) | Self::In { .. } => false,
        }
    }
}

impl From<RelationalError> for SqlError {
    fn from(error: RelationalError) -> Self {
        Self::Relational(error)
    }
}
