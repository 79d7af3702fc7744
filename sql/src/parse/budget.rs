//! What a statement may ask of the expression parser, checked over tokens before that parser sees them.
//!
//! sqlparser recurses over nesting and its trees are freed recursively along chains of operators; a stack overflow
//! aborts the process. Everything it recurses over is counted here first.

use super::tokens::{Kind, Symbol, Token, syntax};
use crate::error::SqlError;

/// Most tokens in a text: some 60 bytes each while it is parsed, so that a statement of the longest packet stays
/// below what the packet itself may take several times over.
pub(crate) const TOKENS: usize = 1_000_000;
/// Most tokens in one expression that is more than a literal: sqlparser takes about half a kilobyte for each.
pub(crate) const EXPRESSION_TOKENS: usize = 200_000;
/// Deepest nesting of parentheses and CASE.
pub(crate) const NESTING: usize = 200;
/// Most operators in a row at one level of parentheses.
pub(crate) const CHAIN: usize = 10_000;
/// Most prefix operators in a row (`NOT NOT NOT`).
pub(crate) const PREFIXES: usize = 200;
/// How deep sqlparser may recurse on the big stack. One level of parentheses takes up to eight (one for each
/// precedence between OR and a minus sign), in practice two.
pub(crate) const RECURSION: usize = 1_600;
/// The stack `RECURSION` fits into with room to spare in a debug build (a test proves it).
pub(crate) const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The bounds below which parsing needs no stack of its own.
pub(crate) mod shallow {
    /// Nesting.
    pub(crate) const NESTING: usize = 8;
    /// Operators in a row.
    pub(crate) const CHAIN: usize = 200;
    /// How deep sqlparser may recurse on the caller's stack; beyond it the statement is parsed again on a big one.
    pub(crate) const RECURSION: usize = 48;
}

/// How demanding a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Any stack will do.
    Shallow,
    /// It needs the big one.
    Deep,
}

/// Checks the tokens of a statement.
///
/// # Errors
/// [`SqlError::Limit`] for what is too much; a syntax error for a parenthesis that closes nothing.
pub(crate) fn check(text: &str, tokens: &[Token]) -> Result<Demand, SqlError> {
    // For every open parenthesis or CASE the operators since the last comma.
    let mut open: Vec<usize> = vec![0];
    let (mut deepest, mut longest, mut prefixes, mut most_prefixes) = (0, 0, 0, 0);
    for token in tokens {
        if token.is_symbol(Symbol::Open) || token.is(text, "CASE") {
            open.push(0);
            deepest = deepest.max(open.len() - 1);
            if open.len() - 1 > NESTING {
                return Err(limit("the nesting of the statement", NESTING, "nesting"));
            }
        } else if token.is_symbol(Symbol::Close) || (token.is(text, "END") && open.len() > 1) {
            open.pop();
            if open.is_empty() {
                return Err(syntax(text, token.start as usize, "the parenthesis closes nothing"));
            }
        } else if token.is_symbol(Symbol::Comma) {
            if let Some(count) = open.last_mut() {
                *count = 0;
            }
        } else if is_operator(text, token)
            && let Some(count) = open.last_mut()
        {
            *count += 1;
            longest = longest.max(*count);
        }
        prefixes = if is_prefix(text, token) { prefixes + 1 } else { 0 };
        most_prefixes = most_prefixes.max(prefixes);
    }
    if longest > CHAIN {
        return Err(limit("the number of operators in a row", CHAIN, "operators"));
    }
    if most_prefixes > PREFIXES {
        return Err(limit("the number of prefix operators in a row", PREFIXES, "operators"));
    }
    let shallow = deepest <= shallow::NESTING && longest <= shallow::CHAIN;
    Ok(if shallow { Demand::Shallow } else { Demand::Deep })
}

/// The error of a limit of the parser.
pub(crate) fn limit(what: &str, limit: usize, name: &'static str) -> SqlError {
    SqlError::Limit { what: what.into(), limit: limit as u64, name }
}

fn is_operator(text: &str, token: &Token) -> bool {
    const WORDS: [&str; 17] = [
        "AND", "OR", "XOR", "NOT", "IS", "LIKE", "IN", "BETWEEN", "DIV", "MOD", "RLIKE", "REGEXP", "COLLATE", "BINARY",
        "SOUNDS", "MEMBER", "INTERVAL",
    ];
    match token.kind {
        Kind::Symbol(Symbol::Open | Symbol::Close | Symbol::Comma | Symbol::Semicolon) => false,
        Kind::Symbol(_) => true,
        Kind::Word => WORDS.iter().any(|w| token.text(text).eq_ignore_ascii_case(w)),
        // Strings in a row are one string, and are joined one by one.
        Kind::String => true,
        Kind::Quoted
        | Kind::Number
        | Kind::Hex
        | Kind::Bits
        | Kind::UserVariable
        | Kind::SystemVariable
        | Kind::Parameter(_) => false,
    }
}

fn is_prefix(text: &str, token: &Token) -> bool {
    match token.kind {
        Kind::Symbol(Symbol::Minus | Symbol::Plus | Symbol::Tilde | Symbol::Not) => true,
        Kind::Word => ["NOT", "BINARY", "INTERVAL", "EXISTS"].iter().any(|w| token.text(text).eq_ignore_ascii_case(w)),
        Kind::Symbol(_)
        | Kind::Quoted
        | Kind::String
        | Kind::Number
        | Kind::Hex
        | Kind::Bits
        | Kind::UserVariable
        | Kind::SystemVariable
        | Kind::Parameter(_) => false,
    }
}
