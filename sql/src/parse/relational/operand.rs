//! Operands of relational expressions: literals, columns, parentheses, CASE, and what begins with a word.

use super::Parser;
use super::expression::{boxed, operand, plain};
use crate::error::{SqlError, unsupported};
use crate::expression::{CastType, Expression, Leaf};
use crate::parse::call::without_parentheses;
use crate::parse::convert::{RESERVED, integer_or_decimal};
use crate::parse::escape::{self, Literal};
use crate::parse::tokens::{Kind, Symbol, Token};
use crate::parse::{hex, literal};
use crate::relational::ast::{RelExpr, RelLeaf};
use crate::value::Value;

impl Parser<'_, '_> {
    pub(super) fn primary(&mut self, token: &Token) -> Result<RelExpr, SqlError> {
        let (text, mode) = (self.reader.text, self.reader.mode);
        let constant = Expression::Constant;
        Ok(match token.kind {
            Kind::String => Expression::text(self.reader.string()?),
            Kind::Number => {
                self.reader.next();
                constant(integer_or_decimal(token.text(text))?)
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
                let name = literal::user_variable(token, text, mode);
                if self.reader.sees_symbol(Symbol::Assign) {
                    return self.assignment(name);
                }
                match self.assigned(&name)? {
                    Some(value) => value,
                    None => plain(Leaf::UserVariable(name)),
                }
            }
            Kind::SystemVariable => {
                self.reader.next();
                let (global, name) = literal::system_variable(token, text);
                plain(Leaf::SystemVariable { global, name })
            }
            Kind::Symbol(Symbol::Open) => return self.parentheses(),
            Kind::Symbol(Symbol::Other) if token.text(text) == "{" => return self.escape(),
            Kind::Symbol(_) => return Err(self.reader.error("expected an expression")),
            Kind::Quoted => return self.column(),
            Kind::Word => return self.word(token),
        })
    }

    /// `(SELECT ..)`, `(a)`, `(a, b)`
    pub(super) fn parentheses(&mut self) -> Result<RelExpr, SqlError> {
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
    pub(super) fn column(&mut self) -> Result<RelExpr, SqlError> {
        let mut parts = vec![self.reader.name()?];
        while parts.len() < 3 && self.reader.take_symbol(Symbol::Dot) {
            parts.push(self.reader.name()?);
        }
        Ok(plain(Leaf::Column(parts)))
    }

    /// What begins with a word: a keyword, a function, a column.
    pub(super) fn word(&mut self, token: &Token) -> Result<RelExpr, SqlError> {
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
            let literal = match upper.as_str() {
                "DATE" => Some(Literal::Date),
                "TIME" => Some(Literal::Time),
                "TIMESTAMP" => Some(Literal::Timestamp),
                _ => None,
            };
            if let Some(literal) = literal {
                self.reader.next();
                return literal.of(Expression::text(self.reader.string()?));
            }
        }
        let now = |this: &mut Self, e| {
            this.reader.next();
            Ok(e)
        };
        match upper.as_str() {
            "NULL" => now(self, Expression::Constant(Value::Null)),
            "TRUE" => now(self, literal::truth(true)),
            "FALSE" => now(self, literal::truth(false)),
            "CASE" => self.case(),
            "EXISTS" if is_next(Symbol::Open) => {
                self.reader.next();
                self.subquery().map(|q| Expression::Leaf(RelLeaf::Exists(Box::new(q))))
            }
            "ROW" if is_next(Symbol::Open) => {
                self.reader.next();
                self.parentheses()
            }
            "INTERVAL" if is_next(Symbol::Open) => {
                self.reader.next();
                self.function(&upper)
            }
            "INTERVAL" => Err(unsupported("INTERVAL here", "add it to a time, or subtract it from one")),
            _ if is_next(Symbol::Open) => {
                self.reader.next();
                self.function(&upper)
            }
            word if RESERVED.contains(&word) => Err(self.reader.error("expected an expression")),
            word => match without_parentheses(word) {
                Some(function) => now(self, function),
                None => self.column(),
            },
        }
    }

    /// `{d '..'}`, `{fn f(..)}`, from the brace.
    fn escape(&mut self) -> Result<RelExpr, SqlError> {
        self.reader.next();
        let word = self.reader.name()?;
        let e = self.expression()?;
        match self.reader.peek() {
            Some(token) if token.text(self.reader.text) == "}" => self.reader.next(),
            Some(_) | None => return Err(self.reader.error("expected }")),
        };
        escape::escaped(&word, e)
    }

    /// `_utf8mb4 'x'`, `_binary X'..'`
    pub(super) fn introduced(&mut self, introducer: &str) -> Result<RelExpr, SqlError> {
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
        Ok(match literal::introduced(introducer, bytes.into())? {
            // Behind an introducer bytes are no number, which a constant of bytes would be taken for.
            bytes @ Value::Bytes(_) => Expression::Cast(boxed(Expression::Constant(bytes)), CastType::Binary(None)),
            text => Expression::Constant(text),
        })
    }

    pub(super) fn case(&mut self) -> Result<RelExpr, SqlError> {
        self.reader.next();
        let compared = if self.reader.sees(&["WHEN"]) { None } else { Some(operand(self.expression()?)) };
        let mut branches = Vec::new();
        while self.reader.take(&["WHEN"]) {
            let when = operand(self.expression()?);
            self.reader.expect(&["THEN"])?;
            branches.push((when, self.expression()?));
        }
        if branches.is_empty() {
            return Err(self.reader.error("expected WHEN"));
        }
        let otherwise = if self.reader.take(&["ELSE"]) { Some(self.expression()?) } else { None };
        self.reader.expect(&["END"])?;
        Ok(hex::case(compared, branches, otherwise))
    }
}
