//! Statement text to [`Statement`].
//!
//! One tokenizer reads every text. Statements are parsed by hand over its tokens, which is what makes refusals say
//! the name of what they refuse; expressions go through sqlparser (fed with our tokens), which never sees more of
//! them than [`budget`] allows.

mod account;
mod account_grant;
mod alter;
mod big_stack;
pub(crate) mod budget;
mod call;
mod char_codes;
mod charset;
mod convert;
mod ddl;
mod dialect;
mod dispatch;
mod escape;
mod explain;
mod expression;
mod hex;
mod insert;
mod kind;
pub(crate) mod lexer;
pub(crate) mod literal;
mod lock;
mod mysql_functions;
mod options;
mod prepare;
mod raw_bytes;
mod reader;
mod refuse;
mod relational;
mod reserved;
mod select;
mod set;
mod show;
mod statement;
mod tags;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
mod transaction;
mod wrapped;

pub(crate) use big_stack::on_big_stack;
pub use charset::is_collation;
pub(crate) use expression::Expr;
pub use kind::StatementKind;
pub use raw_bytes::spell_bytes;
pub use reserved::RESERVED_WORDS;
pub use statement::Statement;

use crate::account::Grant;
use crate::ast::Parsed;
use crate::environment::SqlMode;
use crate::error::{SqlError, limit};
use budget::Stack;
use reader::Reader;
use tokens::Tokens;

/// Parses one or more statements separated by `;`.
///
/// What the dialect refuses by name is a [`Statement`] too, so that it is counted under its kind and, among several
/// statements, those before it run; the refusal comes from [`crate::bind()`] and [`crate::describe`].
///
/// # Errors
/// [`SqlError::Empty`] for a text of nothing but white space; a syntax error; a limit.
pub fn parse(text: &str, mode: SqlMode) -> Result<Vec<Statement>, SqlError> {
    let statements = tokens::tokenize(text, mode, budget::TOKENS)?;
    if statements.is_empty() {
        return Err(SqlError::Empty);
    }
    let mut deep = false;
    for statement in &statements {
        deep |= budget::check(text, &statement.tokens)? == Stack::Big;
    }
    if !deep && let Some(done) = parse_all(text, mode, &statements, budget::shallow::RECURSION) {
        return done;
    }
    on_big_stack(|| {
        parse_all(text, mode, &statements, budget::RECURSION)
            .unwrap_or_else(|| Err(limit("the nesting of an expression", budget::NESTING, "nesting")))
    })
}

/// Reads privileges as the configuration file grants them: `SELECT, INSERT ON shop.*`.
///
/// # Errors
/// A syntax error, or a privilege that does not exist here.
pub fn grant(text: &str) -> Result<Grant, SqlError> {
    let mode = SqlMode::default();
    let mut statements = tokens::tokenize(text, mode, budget::TOKENS)?;
    let tokens = match (statements.pop(), statements.is_empty()) {
        (Some(tokens), true) => tokens,
        (None, _) => return Err(SqlError::Empty),
        (Some(_), false) => return Err(tokens::syntax(text, 0, "expected one grant")),
    };
    account_grant::configured(&mut Reader::new(text, &tokens.tokens, mode, budget::RECURSION))
}

/// The SELECT of a statement as the relational engine reads it.
///
/// # Errors
/// Those of parsing.
pub(crate) fn relational(statement: &Statement) -> Result<crate::relational::ast::Query, SqlError> {
    let (text, mode) = (statement.text(), statement.mode());
    let statements = tokens::tokenize(text, mode, budget::TOKENS)?;
    let Some(tokens) = statements.first() else { return Err(SqlError::Empty) };
    on_big_stack(|| relational::query(&mut Reader::new(text, &tokens.tokens, mode, budget::RECURSION)))
}

/// Parses all statements; `None` if the recursion allowed is not enough.
fn parse_all(
    text: &str,
    mode: SqlMode,
    statements: &[Tokens],
    recursion: usize,
) -> Option<Result<Vec<Statement>, SqlError>> {
    let mut done = Vec::with_capacity(statements.len());
    let (mut line, mut counted) = (1, 0);
    for tokens in statements {
        line += tokens::line_ends(text, counted..tokens.start());
        counted = tokens.start();
        let mut reader = Reader::new(text, &tokens.tokens, mode, recursion);
        let (kind, parsed) = one(&mut reader);
        if reader.too_deep.get() && recursion < budget::RECURSION {
            return None;
        }
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(refusal @ (SqlError::Unsupported { .. } | SqlError::Immutable { .. })) => Parsed::Refused(refusal),
            Err(error) => return Some(Err(error)),
        };
        done.push(Statement::new(text, mode, line, tokens, kind, parsed));
    }
    Some(Ok(done))
}

/// Parses the statement the reader is at, to its end.
fn one(reader: &mut Reader<'_>) -> (StatementKind, Result<Parsed, SqlError>) {
    let kind = kind::kind(reader);
    let parsed = dispatch::statement(reader).and_then(|parsed| reader.end().map(|()| parsed));
    (kind, parsed)
}
