//! sqlparser's MySQL dialect with the precedences MySQL's grammar has.

use std::any::TypeId;

use sqlparser::ast::{Expr, UnaryOperator};
use sqlparser::dialect::{Dialect, MySqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::escape;

/// The dialect sqlparser is run with.
#[derive(Debug)]
pub(super) struct CellDialect {
    /// `||` concatenates instead of being OR.
    pub pipes_as_concat: bool,
    /// NOT binds like `!`.
    pub high_not_precedence: bool,
}

/// MySQL's levels, loosest first (`sql_yacc.yy`, not the table of the manual, which is simplified).
mod level {
    pub(super) const ASSIGN: u8 = 1;
    pub(super) const OR: u8 = 5;
    pub(super) const XOR: u8 = 10;
    pub(super) const AND: u8 = 15;
    pub(super) const NOT: u8 = 20;
    /// `= <=> < <= > >= <>`, IS
    pub(super) const COMPARISON: u8 = 25;
    /// IN, BETWEEN, LIKE, REGEXP: their operands hold no comparison.
    pub(super) const PREDICATE: u8 = 30;
    pub(super) const BIT_OR: u8 = 35;
    pub(super) const BIT_AND: u8 = 40;
    pub(super) const SHIFT: u8 = 45;
    pub(super) const SUM: u8 = 50;
    pub(super) const PRODUCT: u8 = 55;
    pub(super) const BIT_XOR: u8 = 60;
    pub(super) const CONCAT: u8 = 65;
    pub(super) const SIGN: u8 = 70;
    pub(super) const BANG: u8 = 75;
    pub(super) const JSON: u8 = 85;
    pub(super) const NAME: u8 = 100;
}

impl Dialect for CellDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<MySqlDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        MySqlDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        MySqlDialect {}.is_identifier_part(ch)
    }

    fn supports_string_literal_concatenation(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_double_ampersand_operator(&self) -> bool {
        true
    }

    fn supports_match_against(&self) -> bool {
        true
    }

    // What is wrong within a CASE is not told as a function of that name.
    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        matches!(keyword, Keyword::CASE | Keyword::EXISTS | Keyword::INTERVAL | Keyword::TRIM)
    }

    fn require_interval_qualifier(&self) -> bool {
        true
    }

    // sqlparser has no words for the units of several parts: which there are is told later.
    fn is_interval_qualifier(&self, keyword: Keyword) -> bool {
        keyword == Keyword::NoKeyword || MySqlDialect {}.is_interval_qualifier(keyword)
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn supports_data_type_signed_suffix(&self) -> bool {
        true
    }

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        if let Some(negated) = sees_between(parser) {
            return Some(between(parser, expr, negated));
        }
        MySqlDialect {}.parse_infix(parser, expr, precedence)
    }

    /// Prefix operators: sqlparser gives them one precedence each, MySQL others.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let next_is = |matching: fn(&Token) -> bool| matching(&parser.peek_nth_token_ref(1).token);
        match &parser.peek_token_ref().token {
            Token::Char('{') => return Some(escape::parse(parser)),
            Token::Word(w)
                if w.keyword == Keyword::TIME && next_is(|next| matches!(next, Token::SingleQuotedString(_))) =>
            {
                return Some(escape::time(parser));
            }
            Token::Word(w) if w.keyword == Keyword::INTERVAL && escape::is_function(parser) => {
                return Some(escape::interval(parser));
            }
            _ => {}
        }
        let (op, level) = match &parser.peek_token_ref().token {
            Token::Minus => (UnaryOperator::Minus, level::SIGN),
            Token::Plus => (UnaryOperator::Plus, level::SIGN),
            Token::Tilde => (UnaryOperator::BitwiseNot, level::SIGN),
            Token::ExclamationMark => (UnaryOperator::BangNot, level::BANG),
            Token::Word(w) if w.keyword == Keyword::NOT => {
                (UnaryOperator::Not, if self.high_not_precedence { level::BANG } else { level::NOT })
            }
            // BINARY makes bytes of its operand, which is how everything compares here anyway.
            Token::Word(w) if w.keyword == Keyword::BINARY => (UnaryOperator::Hash, level::BANG),
            _ => return None,
        };
        parser.advance_token();
        Some(parser.parse_subexpr(level).map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }))
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        Some(Ok(match &parser.peek_token_ref().token {
            Token::Assignment => level::ASSIGN,
            Token::StringConcat => {
                if self.pipes_as_concat {
                    level::CONCAT
                } else {
                    level::OR
                }
            }
            Token::Overlap => level::AND,
            Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq | Token::Spaceship => {
                level::COMPARISON
            }
            Token::Pipe => level::BIT_OR,
            Token::Ampersand => level::BIT_AND,
            Token::ShiftLeft | Token::ShiftRight => level::SHIFT,
            Token::Plus | Token::Minus => level::SUM,
            Token::Mul | Token::Div | Token::Mod => level::PRODUCT,
            Token::Caret => level::BIT_XOR,
            Token::Arrow | Token::LongArrow => level::JSON,
            Token::Word(w) => word(w.keyword, parser),
            _ => 0,
        }))
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Period | Precedence::DoubleColon | Precedence::AtTz => level::NAME,
            Precedence::MulDivModOp => level::PRODUCT,
            Precedence::PlusMinus => level::SUM,
            Precedence::Xor => level::XOR,
            Precedence::Ampersand => level::BIT_AND,
            Precedence::Caret => level::BIT_XOR,
            Precedence::Pipe => level::BIT_OR,
            Precedence::Colon | Precedence::PgOther => level::JSON,
            Precedence::Between | Precedence::Like => level::PREDICATE,
            Precedence::Eq | Precedence::Is => level::COMPARISON,
            Precedence::UnaryNot => level::NOT,
            Precedence::And => level::AND,
            Precedence::Or => level::OR,
        }
    }
}

/// Whether BETWEEN (`false`) or NOT BETWEEN (`true`) is next.
fn sees_between(parser: &Parser) -> Option<bool> {
    let is = |n, keyword| matches!(&parser.peek_nth_token_ref(n).token, Token::Word(w) if w.keyword == keyword);
    match (is(0, Keyword::BETWEEN), is(0, Keyword::NOT) && is(1, Keyword::BETWEEN)) {
        (true, _) => Some(false),
        (_, true) => Some(true),
        (_, _) => None,
    }
}

/// `[NOT] BETWEEN a AND b`, where `a` and `b` may be predicates themselves: `x BETWEEN 1 AND 3 IN (..)` is about `3 IN (..)`.
fn between(parser: &mut Parser, expr: &Expr, negated: bool) -> Result<Expr, ParserError> {
    if negated {
        parser.advance_token();
    }
    parser.advance_token();
    let low = Box::new(parser.parse_subexpr(level::PREDICATE - 1)?);
    parser.expect_keyword(Keyword::AND)?;
    let high = Box::new(parser.parse_subexpr(level::PREDICATE - 1)?);
    Ok(Expr::Between { expr: Box::new(expr.clone()), negated, low, high })
}

fn word(keyword: Keyword, parser: &Parser) -> u8 {
    let predicate = |keyword| {
        matches!(
            keyword,
            Keyword::IN | Keyword::BETWEEN | Keyword::LIKE | Keyword::REGEXP | Keyword::RLIKE | Keyword::MEMBER
        )
    };
    match keyword {
        Keyword::OR => level::OR,
        Keyword::XOR => level::XOR,
        Keyword::AND => level::AND,
        Keyword::IS => level::COMPARISON,
        Keyword::DIV => level::PRODUCT,
        Keyword::NOT => match &parser.peek_nth_token_ref(1).token {
            Token::Word(next) if predicate(next.keyword) => level::PREDICATE,
            _ => 0,
        },
        keyword if predicate(keyword) => level::PREDICATE,
        _ => 0,
    }
}
