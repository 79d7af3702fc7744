//! Expressions of relational SELECTs, by precedence climbing over MySQL's grammar.

use super::Parser;
use crate::environment::SessionFunction;
use crate::error::SqlError;
use crate::expression::number::Arithmetic;
use crate::expression::{CastType, Comparison, Expression, Function, Leaf, Operator, Test, Type, time};
use crate::parse::call::session_function;
use crate::parse::convert::{RESERVED, integer_or_decimal};
use crate::parse::hex::{self, number};
use crate::parse::mysql_functions::is_known_to_mysql;
use crate::parse::tokens::{Kind, Symbol, Token};
use crate::parse::{literal, unsupported};
use crate::relational::RelationalError;
use crate::relational::ast::{AggregateKind, Aggregated, RelExpr, RelLeaf, Window, quantified_as_in};
use crate::value::{ColumnType, Value};

/// MySQL's levels, loosest first.
mod level {
    pub(super) const OR: u8 = 1;
    pub(super) const XOR: u8 = 2;
    pub(super) const AND: u8 = 3;
    pub(super) const NOT: u8 = 4;
    pub(super) const COMPARISON: u8 = 5;
    pub(super) const PREDICATE: u8 = 6;
    pub(super) const BIT_OR: u8 = 7;
    pub(super) const BIT_AND: u8 = 8;
    pub(super) const SHIFT: u8 = 9;
    pub(super) const SUM: u8 = 10;
    pub(super) const PRODUCT: u8 = 11;
    pub(super) const BIT_XOR: u8 = 12;
    pub(super) const CONCAT: u8 = 13;
    pub(super) const SIGN: u8 = 14;
    pub(super) const BANG: u8 = 15;
    pub(super) const COLLATE: u8 = 16;
    pub(super) const JSON: u8 = 17;
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

fn boxed(e: RelExpr) -> Box<RelExpr> {
    Box::new(e)
}

fn plain(leaf: Leaf) -> RelExpr {
    Expression::Leaf(RelLeaf::Plain(leaf))
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
    fn climb(&mut self, least: u8) -> Result<RelExpr, SqlError> {
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
                const WORDS: [(&str, Infix, u8); 12] = [
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
                ];
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
        let operand = boxed;
        match infix {
            Infix::And => {
                self.reader.next();
                let right = self.climb(level + 1)?;
                Ok((
                    match left {
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
                let right = self.climb(level + 1)?;
                Ok((
                    match left {
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
                Ok((Expression::Is { operand: operand(left), test, negated }, false))
            }
            Infix::Negated => {
                self.reader.next();
                self.predicate(left, true).map(|e| (e, false))
            }
            Infix::In | Infix::Between | Infix::Like => self.predicate(left, false).map(|e| (e, false)),
            Infix::Collate => {
                self.reader.next();
                let name = self.reader.name_or_string()?.to_ascii_lowercase();
                let fold = !name.ends_with("_bin") && !name.ends_with("_cs") && name != "binary";
                Ok((Expression::Leaf(RelLeaf::Collate { operand: operand(left), fold }), false))
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
        let numbers = matches!(
            op,
            Operator::Arithmetic(_)
                | Operator::BitAnd
                | Operator::BitOr
                | Operator::BitXor
                | Operator::ShiftLeft
                | Operator::ShiftRight
        );
        let right = self.climb(level + 1)?;
        let compares = matches!(op, Operator::Compare(_) | Operator::NullSafeEqual);
        let (left, right) = match compares {
            _ if numbers => (number(left), number(right)),
            true if is_number(&left) => (left, number(right)),
            true if is_number(&right) => (number(left), right),
            true | false => (left, right),
        };
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
        let operand = boxed(left);
        if self.reader.take(&["IN"]) {
            if self.opens_query() {
                let query = Box::new(self.subquery()?);
                return Ok(Expression::Leaf(RelLeaf::In { operand, query, negated }));
            }
            self.reader.expect_symbol(Symbol::Open, "(")?;
            let list = self.expressions()?;
            self.reader.expect_symbol(Symbol::Close, ")")?;
            if is_number(&operand) || list.iter().any(is_number) {
                let list = list.into_iter().map(number).collect();
                return Ok(Expression::In { operand: boxed(number(*operand)), list, negated });
            }
            return Ok(Expression::In { operand, list, negated });
        }
        if self.reader.take(&["BETWEEN"]) {
            let low = boxed(self.climb(level::BIT_OR)?);
            self.reader.expect(&["AND"])?;
            let high = boxed(self.climb(level::PREDICATE)?);
            if [&operand, &low, &high].into_iter().any(|e| is_number(e)) {
                let [operand, low, high] = [operand, low, high].map(|e| boxed(number(*e)));
                return Ok(Expression::Between { operand, low, high, negated });
            }
            return Ok(Expression::Between { operand, low, high, negated });
        }
        if self.reader.take(&["LIKE"]) {
            let pattern = boxed(self.climb(level::CONCAT)?);
            let escape = if self.reader.take(&["ESCAPE"]) { Some(boxed(self.climb(level::CONCAT)?)) } else { None };
            return Ok(Expression::Like { operand, pattern, escape, negated });
        }
        if self.reader.sees_any(&["REGEXP", "RLIKE"]) {
            return Err(unsupported("REGEXP", "use LIKE"));
        }
        Err(self.reader.error("expected IN, BETWEEN or LIKE"))
    }

    /// `(SELECT ..)`
    fn subquery(&mut self) -> Result<crate::relational::ast::Query, SqlError> {
        self.reader.expect_symbol(Symbol::Open, "(")?;
        let query = self.query()?;
        self.reader.expect_symbol(Symbol::Close, ")")?;
        Ok(query)
    }

    fn prefix(&mut self, least: u8) -> Result<RelExpr, SqlError> {
        if least <= level::NOT && self.reader.take(&["NOT"]) {
            return self.climb(level::NOT).map(|e| Expression::Not(boxed(e)));
        }
        let Some(token) = self.reader.peek() else { return Err(self.reader.error("expected an expression")) };
        match token.kind {
            Kind::Symbol(Symbol::Minus) => {
                self.reader.next();
                // A sign and a number are one literal, which keeps -9223372036854775808 an integer.
                if let Some(number) = self.reader.peek().filter(|t| t.kind == Kind::Number) {
                    self.reader.next();
                    let written = format!("-{}", number.text(self.reader.text));
                    return Ok(Expression::Constant(integer_or_decimal(&written)));
                }
                self.climb(level::SIGN).map(|e| Expression::Negate(boxed(number(e))))
            }
            Kind::Symbol(Symbol::Plus) => {
                self.reader.next();
                self.climb(level::SIGN)
            }
            Kind::Symbol(Symbol::Tilde) => {
                self.reader.next();
                self.climb(level::SIGN).map(|e| Expression::Invert(boxed(number(e))))
            }
            Kind::Symbol(Symbol::Not) => {
                self.reader.next();
                self.climb(level::BANG).map(|e| Expression::Not(boxed(e)))
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

    fn primary(&mut self, token: &Token) -> Result<RelExpr, SqlError> {
        let (text, mode) = (self.reader.text, self.reader.mode);
        let constant = Expression::Constant;
        Ok(match token.kind {
            Kind::String => Expression::text(self.reader.string()?),
            Kind::Number => {
                self.reader.next();
                constant(integer_or_decimal(token.text(text)))
            }
            Kind::Hex => {
                self.reader.next();
                constant(Value::Bytes(literal::hex(token, text).into()))
            }
            Kind::Bits => {
                self.reader.next();
                constant(Value::Bytes(literal::bits(token, text).into()))
            }
            Kind::Parameter(n) => {
                self.reader.next();
                plain(Leaf::Parameter(n))
            }
            Kind::UserVariable => {
                self.reader.next();
                plain(Leaf::UserVariable(literal::user_variable(token, text, mode)))
            }
            Kind::SystemVariable => {
                self.reader.next();
                let (global, name) = literal::system_variable(token, text);
                plain(Leaf::SystemVariable { global: global.unwrap_or(false), name })
            }
            Kind::Symbol(Symbol::Open) => return self.parentheses(),
            Kind::Symbol(_) => return Err(self.reader.error("expected an expression")),
            Kind::Quoted => return self.column(),
            Kind::Word => return self.word(token),
        })
    }

    /// `(SELECT ..)`, `(a)`, `(a, b)`
    fn parentheses(&mut self) -> Result<RelExpr, SqlError> {
        if self.opens_query() {
            return self.subquery().map(|q| Expression::Leaf(RelLeaf::Query(Box::new(q))));
        }
        self.reader.expect_symbol(Symbol::Open, "(")?;
        let mut all = self.expressions()?;
        self.reader.expect_symbol(Symbol::Close, ")")?;
        Ok(match (all.pop(), all.is_empty()) {
            (Some(one), true) => one,
            (Some(last), false) => {
                all.push(last);
                Expression::Tuple(all)
            }
            (None, _) => return Err(self.reader.error("expected an expression")),
        })
    }

    /// `c`, `t.c`, `d.t.c`
    fn column(&mut self) -> Result<RelExpr, SqlError> {
        let mut parts = vec![self.reader.name()?];
        while parts.len() < 3 && self.reader.take_symbol(Symbol::Dot) {
            parts.push(self.reader.name()?);
        }
        Ok(plain(Leaf::Column(parts)))
    }

    /// What begins with a word: a keyword, a function, a column.
    fn word(&mut self, token: &Token) -> Result<RelExpr, SqlError> {
        let upper = token.text(self.reader.text).to_ascii_uppercase();
        let next = self.reader.peek_at(1);
        let is_next = |symbol| next.is_some_and(|t| t.is_symbol(symbol));
        if is_next(Symbol::Dot) {
            return self.column();
        }
        if next.is_some_and(|t| matches!(t.kind, Kind::String | Kind::Hex | Kind::Bits)) {
            if upper.starts_with('_') {
                return self.introduced(&upper);
            }
            if matches!(upper.as_str(), "DATE" | "TIMESTAMP") {
                self.reader.next();
                let at = Expression::text(self.reader.string()?);
                return Ok(Expression::Cast(boxed(at), CastType::DateTime(6)));
            }
        }
        let now = |this: &mut Self, e| {
            this.reader.next();
            Ok(e)
        };
        match upper.as_str() {
            "NULL" => now(self, Expression::Constant(Value::Null)),
            "TRUE" => now(self, Expression::Constant(Value::Int(1))),
            "FALSE" => now(self, Expression::Constant(Value::Int(0))),
            "CASE" => self.case(),
            "EXISTS" if is_next(Symbol::Open) => {
                self.reader.next();
                self.subquery().map(|q| Expression::Leaf(RelLeaf::Exists(Box::new(q))))
            }
            "ROW" if is_next(Symbol::Open) => {
                self.reader.next();
                self.parentheses()
            }
            "INTERVAL" => Err(unsupported("INTERVAL here", "add it to a time, or subtract it from one")),
            _ if is_next(Symbol::Open) => {
                self.reader.next();
                self.function(&upper)
            }
            "CURRENT_USER" => now(self, plain(Leaf::Session(SessionFunction::CurrentUser))),
            "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" => now(self, plain(Leaf::Now(0))),
            "UTC_TIMESTAMP" => now(self, plain(Leaf::UtcNow(0))),
            "CURRENT_DATE" => now(self, today(Leaf::Now(0))),
            "UTC_DATE" => now(self, today(Leaf::UtcNow(0))),
            word if RESERVED.contains(&word) => Err(self.reader.error("expected an expression")),
            _ => self.column(),
        }
    }

    /// `_utf8mb4 'x'`, `_binary X'..'`
    fn introduced(&mut self, introducer: &str) -> Result<RelExpr, SqlError> {
        self.reader.next();
        let Some(token) = self.reader.peek() else { return Err(self.reader.error("expected a string")) };
        let bytes: Vec<u8> = match token.kind {
            Kind::Hex => literal::hex(token, self.reader.text),
            Kind::Bits => literal::bits(token, self.reader.text),
            Kind::String => {
                let text = literal::string(token, self.reader.text, self.reader.mode);
                text.into_owned().into_bytes()
            }
            Kind::Word
            | Kind::Quoted
            | Kind::Number
            | Kind::UserVariable
            | Kind::SystemVariable
            | Kind::Parameter(_)
            | Kind::Symbol(_) => return Err(self.reader.error("expected a string")),
        };
        self.reader.next();
        match introducer {
            "_BINARY" => Ok(Expression::Constant(Value::Bytes(bytes.into()))),
            _ if std::str::from_utf8(&bytes).is_ok() => Ok(Expression::Constant(Value::Text(bytes.into()))),
            _ => Err(unsupported(&format!("the introducer {introducer}"), "write the text in utf8mb4")),
        }
    }

    fn case(&mut self) -> Result<RelExpr, SqlError> {
        self.reader.next();
        let operand = if self.reader.sees(&["WHEN"]) { None } else { Some(boxed(self.expression()?)) };
        let mut branches = Vec::new();
        while self.reader.take(&["WHEN"]) {
            let when = self.expression()?;
            self.reader.expect(&["THEN"])?;
            branches.push((when, self.expression()?));
        }
        if branches.is_empty() {
            return Err(self.reader.error("expected WHEN"));
        }
        let otherwise = if self.reader.take(&["ELSE"]) { Some(boxed(self.expression()?)) } else { None };
        self.reader.expect(&["END"])?;
        Ok(Expression::Case { operand, branches, otherwise })
    }

    /// A function, from its opening parenthesis.
    fn function(&mut self, name: &str) -> Result<RelExpr, SqlError> {
        self.reader.expect_symbol(Symbol::Open, "(")?;
        if let Some(kind) = aggregate(name) {
            return self.aggregate(kind);
        }
        let e = match name {
            "CAST" => {
                let e = self.expression()?;
                self.reader.expect(&["AS"])?;
                let ty = self.cast_type()?;
                Expression::Cast(boxed(if hex::casts_number(ty) { number(e) } else { e }), ty)
            }
            "CONVERT" => {
                let e = self.expression()?;
                if self.reader.take(&["USING"]) {
                    let charset = self.reader.name_or_string()?;
                    let binary = charset.eq_ignore_ascii_case("binary");
                    Expression::Cast(boxed(e), if binary { CastType::Binary(None) } else { CastType::Char(None) })
                } else {
                    self.reader.expect_symbol(Symbol::Comma, ",")?;
                    let ty = self.cast_type()?;
                    Expression::Cast(boxed(e), ty)
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

    fn trim(&mut self) -> Result<RelExpr, SqlError> {
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
    fn cast_type(&mut self) -> Result<CastType, SqlError> {
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
            "DECIMAL" | "DEC" => CastType::Decimal { scale: numbers.get(1).copied().unwrap_or(0).min(30) },
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
    fn shifted(&mut self, at: RelExpr, back: bool) -> Result<RelExpr, SqlError> {
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
    fn aggregate(&mut self, kind: AggregateKind) -> Result<RelExpr, SqlError> {
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

    fn window(&mut self) -> Result<Window, SqlError> {
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

fn is_number(expression: &RelExpr) -> bool {
    hex::is_number(expression, &|leaf| match leaf {
        RelLeaf::Plain(leaf) => hex::leaf_type(leaf),
        RelLeaf::Aggregate(aggregated) if aggregated.kind == AggregateKind::Count => Type::of(ColumnType::BigInt),
        RelLeaf::Query(_)
        | RelLeaf::Exists(_)
        | RelLeaf::In { .. }
        | RelLeaf::Aggregate(_)
        | RelLeaf::Collate { .. } => Type::of(ColumnType::Text),
    })
}

fn today(now: Leaf) -> RelExpr {
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
    Ok(Expression::Call(function, arguments))
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

impl From<RelationalError> for SqlError {
    fn from(error: RelationalError) -> Self {
        Self::Relational(error)
    }
}
