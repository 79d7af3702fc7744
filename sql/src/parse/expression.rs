//! Expressions: our tokens into sqlparser, its tree into ours.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token as SqlToken, TokenWithSpan, Word};

use super::budget::{self, EXPRESSION_TOKENS};
use super::convert::{Converter, integer_or_decimal};
use super::dialect::CellDialect;
use super::literal;
use super::reader::Reader;
use super::tokens::{Kind, Symbol, Token, syntax};
use crate::error::{SqlError, limit};
use crate::expression::{DEPTH, Expression, Leaf};
use crate::value::Value;

/// An expression as parsed.
pub(crate) type Expr = Expression<Leaf>;

impl Reader<'_> {
    /// Takes an expression.
    ///
    /// # Errors
    /// A syntax error, a limit of [`budget`], or something the dialect refuses.
    pub fn expression(&mut self) -> Result<Expr, SqlError> {
        if let Some(simple) = self.simple_expression() {
            return Ok(simple);
        }
        let end = self.expression_end();
        if end - self.at > EXPRESSION_TOKENS {
            return Err(limit("the number of tokens in an expression", EXPRESSION_TOKENS, "tokens"));
        }
        let tokens = self.tokens.get(self.at..end).unwrap_or(&[]);
        if tokens.is_empty() {
            return Err(self.error("expected an expression"));
        }
        let dialect = CellDialect {
            pipes_as_concat: self.mode.pipes_as_concat,
            high_not_precedence: self.mode.high_not_precedence,
        };
        let fed = tokens
            .iter()
            .enumerate()
            .map(|(i, t)| self.token(i, t, i.checked_sub(1).and_then(|i| tokens.get(i))))
            .collect();
        let mut parser = Parser::new(&dialect).with_recursion_limit(self.recursion).with_tokens_with_locations(fed);
        let tree = parser.parse_expr().map_err(|e| self.parser_error(e, tokens))?;
        let converter = Converter { text: self.text, mode: self.mode, tokens };
        let expression = converter.convert(&tree, 0)?;
        self.at += parser.index().min(tokens.len());
        if depth(&expression) > DEPTH {
            return Err(limit("the nesting of an expression", DEPTH, "nesting"));
        }
        Ok(expression)
    }

    /// Takes expressions separated by commas.
    ///
    /// # Errors
    /// Those of [`Reader::expression`].
    pub fn expressions(&mut self) -> Result<Vec<Expr>, SqlError> {
        let mut all = vec![self.expression()?];
        while self.take_symbol(Symbol::Comma) {
            all.push(self.expression()?);
        }
        Ok(all)
    }

    /// A literal, parameter or name that is the whole expression, which is what VALUES are full of.
    fn simple_expression(&mut self) -> Option<Expr> {
        let token = self.peek()?;
        let sign = token.is_symbol(Symbol::Minus) && self.peek_at(1)?.kind == Kind::Number;
        let length = 1 + usize::from(sign);
        let ends = |t: &Token| t.is_symbol(Symbol::Comma) || t.is_symbol(Symbol::Close);
        if !self.peek_at(length).is_none_or(ends) {
            return None;
        }
        let value = |v| Some(Expression::Constant(v));
        let simple = match token.kind {
            // What is no number is refused on the long way.
            Kind::Number => value(integer_or_decimal(token.text(self.text)).ok()?),
            Kind::Symbol(Symbol::Minus) if sign => {
                let digits = self.peek_at(1)?.text(self.text);
                value(integer_or_decimal(&format!("-{digits}")).ok()?)
            }
            Kind::String => value(Value::Text(literal::string(token, self.text, self.mode).into_owned().into())),
            Kind::Hex => value(Value::Bytes(literal::hex(token, self.text).into())),
            Kind::Parameter(n) => Some(Expression::Leaf(Leaf::Parameter(n))),
            Kind::Quoted => Some(Expression::Leaf(Leaf::Column(vec![literal::name(token, self.text).into_owned()]))),
            Kind::Word if token.is(self.text, "NULL") => value(Value::Null),
            Kind::Word if token.is(self.text, "DEFAULT") => Some(Expression::Leaf(Leaf::Default)),
            Kind::Word | Kind::Bits | Kind::UserVariable | Kind::SystemVariable | Kind::Symbol(_) => None,
        };
        self.at += if simple.is_some() { length } else { 0 };
        simple
    }

    /// Where an expression that starts here must end: at a comma, at a parenthesis it did not open, or at the end.
    fn expression_end(&self) -> usize {
        let mut depth = 0_usize;
        let rest = self.tokens.get(self.at..).unwrap_or(&[]);
        let length = rest.iter().position(|t| match t.kind {
            Kind::Symbol(Symbol::Open) => {
                depth += 1;
                false
            }
            Kind::Symbol(Symbol::Close) if depth == 0 => true,
            Kind::Symbol(Symbol::Close) => {
                depth -= 1;
                false
            }
            Kind::Symbol(Symbol::Comma) => depth == 0,
            Kind::Symbol(_)
            | Kind::Word
            | Kind::Quoted
            | Kind::String
            | Kind::Number
            | Kind::Hex
            | Kind::Bits
            | Kind::UserVariable
            | Kind::SystemVariable
            | Kind::Parameter(_) => false,
        });
        length.map_or(self.tokens.len(), |n| self.at + n)
    }

    /// Our token as sqlparser's. Its place is its number, which is how errors find back to the text. What sqlparser
    /// does not know as one token becomes a placeholder that names ours.
    fn token(&self, index: usize, token: &Token, before: Option<&Token>) -> TokenWithSpan {
        let written = token.text(self.text);
        let placeholder = || SqlToken::Placeholder(format!("?{index}"));
        let sql = match token.kind {
            // MOD is an operator behind an operand, and a function elsewhere.
            Kind::Word if written.eq_ignore_ascii_case("MOD") && before.is_some_and(|t| self.ends_operand(t)) => {
                SqlToken::Mod
            }
            Kind::Word => SqlToken::make_word(written, None),
            Kind::Quoted => SqlToken::Word(Word {
                value: literal::name(token, self.text).into_owned(),
                quote_style: Some('`'),
                keyword: sqlparser::keywords::Keyword::NoKeyword,
            }),
            Kind::String => SqlToken::SingleQuotedString(literal::string(token, self.text, self.mode).into_owned()),
            Kind::Number => SqlToken::Number(written.to_owned(), false),
            Kind::Hex => SqlToken::HexStringLiteral(literal::digits(written).to_owned()),
            Kind::Bits | Kind::UserVariable | Kind::SystemVariable | Kind::Parameter(_) => placeholder(),
            Kind::Symbol(symbol) => sql_symbol(symbol, written),
        };
        let place = Location { line: 1, column: index as u64 + 1 };
        TokenWithSpan { token: sql, span: Span { start: place, end: place } }
    }

    /// Whether an operand can end with this token.
    fn ends_operand(&self, token: &Token) -> bool {
        const BEFORE_OPERANDS: [&str; 21] = [
            "AND", "OR", "XOR", "NOT", "DIV", "MOD", "LIKE", "IN", "BETWEEN", "WHEN", "THEN", "ELSE", "CASE", "ESCAPE",
            "ALL", "DISTINCT", "BINARY", "BY", "FROM", "FOR", "INTERVAL",
        ];
        match token.kind {
            Kind::Word => !BEFORE_OPERANDS.iter().any(|w| token.is(self.text, w)),
            Kind::Symbol(symbol) => symbol == Symbol::Close,
            Kind::Quoted
            | Kind::String
            | Kind::Number
            | Kind::Hex
            | Kind::Bits
            | Kind::UserVariable
            | Kind::SystemVariable
            | Kind::Parameter(_) => true,
        }
    }

    /// sqlparser's error with the place in our text.
    fn parser_error(&self, error: ParserError, tokens: &[Token]) -> SqlError {
        let message = match error {
            ParserError::RecursionLimitExceeded => {
                self.too_deep.set(true);
                return limit("the nesting of an expression", budget::NESTING, "nesting");
            }
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        };
        let (detail, place) = match message.split_once(" at Line: 1, Column: ") {
            Some((detail, place)) => (detail.to_owned(), place.trim().parse::<usize>().ok()),
            None => (message, None),
        };
        let at = place
            .and_then(|column| tokens.get(column.checked_sub(1)?))
            .map(|t| t.start as usize)
            // At the end of the expression.
            .or_else(|| tokens.last().map(|t| t.end as usize))
            .unwrap_or(self.text.len());
        syntax(self.text, at, detail)
    }
}

fn sql_symbol(symbol: Symbol, written: &str) -> SqlToken {
    match symbol {
        Symbol::Open => SqlToken::LParen,
        Symbol::Close => SqlToken::RParen,
        Symbol::Comma => SqlToken::Comma,
        Symbol::Semicolon => SqlToken::SemiColon,
        Symbol::Dot => SqlToken::Period,
        Symbol::Equal => SqlToken::Eq,
        Symbol::NullSafeEqual => SqlToken::Spaceship,
        Symbol::NotEqual => SqlToken::Neq,
        Symbol::Less => SqlToken::Lt,
        Symbol::LessEqual => SqlToken::LtEq,
        Symbol::Greater => SqlToken::Gt,
        Symbol::GreaterEqual => SqlToken::GtEq,
        Symbol::Plus => SqlToken::Plus,
        Symbol::Minus => SqlToken::Minus,
        Symbol::Star => SqlToken::Mul,
        Symbol::Slash => SqlToken::Div,
        Symbol::Percent => SqlToken::Mod,
        Symbol::Concat => SqlToken::StringConcat,
        Symbol::AndAnd => SqlToken::Overlap,
        Symbol::Pipe => SqlToken::Pipe,
        Symbol::Ampersand => SqlToken::Ampersand,
        Symbol::Caret => SqlToken::Caret,
        Symbol::Tilde => SqlToken::Tilde,
        Symbol::Not => SqlToken::ExclamationMark,
        Symbol::ShiftLeft => SqlToken::ShiftLeft,
        Symbol::ShiftRight => SqlToken::ShiftRight,
        Symbol::Arrow => SqlToken::Arrow,
        Symbol::LongArrow => SqlToken::LongArrow,
        Symbol::Assign => SqlToken::Assignment,
        // `:` starts a placeholder in sqlparser, and brackets and braces arrays and records: none of it is MySQL's.
        Symbol::Colon | Symbol::Other => SqlToken::Char(written.chars().next().unwrap_or('?')),
    }
}

/// The depth of a tree, without recursion.
fn depth(expression: &Expr) -> usize {
    let mut deepest = 0;
    let mut stack = vec![(expression, 1)];
    while let Some((node, depth)) = stack.pop() {
        deepest = deepest.max(depth);
        stack.extend(node.children().into_iter().map(|child| (child, depth + 1)));
    }
    deepest
}
