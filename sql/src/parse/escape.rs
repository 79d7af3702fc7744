//! The escapes of ODBC and JDBC, which MySQL's server reads itself: `{d '..'}`, `{t '..'}`, `{ts '..'}` and, with any
//! other word, the expression alone, such as `{fn UCASE(..)}`. And INTERVAL as a function, which begins like a unit's.

use sqlparser::ast::{
    DataType, Expr as Sql, Function as SqlFunction, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, TimezoneInfo, TypedString, Value as SqlValue, ValueWithSpan,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::call::{clock_literal, time_literal};
use crate::error::SqlError;
use crate::expression::{Expression, clock_micros, time};
use crate::value::Value;

/// A literal of a type of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Date,
    Time,
    Timestamp,
}

impl Literal {
    /// What the word of an escape makes of text.
    fn named(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "d" => Some(Self::Date),
            "t" => Some(Self::Time),
            "ts" => Some(Self::Timestamp),
            _ => None,
        }
    }

    pub fn of_type(ty: &DataType) -> Option<Self> {
        match ty {
            DataType::Date => Some(Self::Date),
            DataType::Time(..) => Some(Self::Time),
            DataType::Timestamp(..) | DataType::Datetime(_) => Some(Self::Timestamp),
            _ => None,
        }
    }

    fn ty(self) -> DataType {
        match self {
            Self::Date => DataType::Date,
            Self::Time => DataType::Time(None, TimezoneInfo::None),
            Self::Timestamp => DataType::Timestamp(None, TimezoneInfo::None),
        }
    }

    /// The literal of this text, as `DATE '..'` has it.
    ///
    /// # Errors
    /// [`SqlError::WrongClock`].
    pub fn of<L>(self, text: Expression<L>) -> Result<Expression<L>, SqlError> {
        match self {
            Self::Date => Ok(time_literal(text, true)),
            Self::Time => clock_literal(text),
            Self::Timestamp => Ok(time_literal(text, false)),
        }
    }

    /// The same in braces: text that is none of this type stays text.
    pub fn escaped<L>(self, e: Expression<L>) -> Result<Expression<L>, SqlError> {
        let Some(Value::Text(text)) = e.constant() else { return Ok(e) };
        let has_clock = text.contains(&b':');
        let fits = match self {
            Self::Date => !has_clock && time::parse(text).is_some(),
            Self::Time => has_clock && clock_micros(text).is_some(),
            Self::Timestamp => has_clock && time::parse(text).is_some(),
        };
        if fits { self.of(e) } else { Ok(e) }
    }
}

/// What an expression in braces is, from behind the word that it begins with.
pub(super) fn escaped<L>(word: &str, e: Expression<L>) -> Result<Expression<L>, SqlError> {
    match Literal::named(word) {
        Some(literal) => literal.escaped(e),
        None => Ok(e),
    }
}

/// `{word expression}`, from its brace.
pub(super) fn parse(parser: &mut Parser<'_>) -> Result<Sql, ParserError> {
    parser.advance_token();
    let word = parser.parse_identifier()?.value;
    let inner = parser.parse_expr()?;
    parser.expect_token(&Token::Char('}'))?;
    Ok(match (Literal::named(&word), inner) {
        (Some(literal), Sql::Value(value)) if matches!(value.value, SqlValue::SingleQuotedString(_)) => {
            typed(literal, value, true)
        }
        (_, inner) => inner,
    })
}

/// `TIME '..'`, from the word.
pub(super) fn time(parser: &mut Parser<'_>) -> Result<Sql, ParserError> {
    parser.advance_token();
    Ok(typed(Literal::Time, parser.parse_value()?, false))
}

fn typed(literal: Literal, value: ValueWithSpan, escaped: bool) -> Sql {
    Sql::TypedString(TypedString { data_type: literal.ty(), value, uses_odbc_syntax: escaped })
}

/// Whether INTERVAL, which is next, is the function: it has several arguments.
pub(super) fn is_function(parser: &Parser<'_>) -> bool {
    let mut depth = 0_usize;
    for place in 1.. {
        // The one that skips white space, of which there is none, counts from the first each time.
        match parser.peek_nth_token_no_skip(place).token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Comma if depth == 1 => return true,
            Token::EOF => return false,
            _ => {}
        }
        if depth == 0 {
            return false;
        }
    }
    false
}

/// `INTERVAL(n, a, b, ..)`, from the word.
pub(super) fn interval(parser: &mut Parser<'_>) -> Result<Sql, ParserError> {
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    let arguments = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RParen)?;
    let args = arguments.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Ok(Sql::Function(SqlFunction {
        name: ObjectName::from(vec![Ident::new("INTERVAL")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Leaf;

    #[test]
    fn all_of_a_time_literal_is_a_time() {
        let literal = |text: &str| Literal::Time.of(Expression::<Leaf>::text(text.to_owned()));
        for text in ["10:11:12.5", "1011", "-1:2", "2024-02-29 10:11:12"] {
            assert!(literal(text).is_ok(), "{text}");
        }
        for text in ["12abc", "2024-02-29", ""] {
            assert!(matches!(literal(text), Err(SqlError::WrongClock(said)) if said == text), "{text}");
        }
    }
}
