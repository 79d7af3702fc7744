//! What a statement may ask of the expression parser, checked over tokens before that parser sees them.
//!
//! sqlparser recurses over nesting, which it counts itself ([`RECURSION`]), and builds chains in loops, which it does
//! not: operators in a row, and SELECTs and tables joined by what is in [`JOINED`]. Its trees are freed recursively along
//! both, and a stack overflow aborts the process. So every chain is counted here first, and nesting as well.

use super::tokens::{Kind, Symbol, Token, syntax};
use crate::environment::CALLS;
use crate::error::{SqlError, limit};

/// Most tokens in a text: some 60 bytes each while it is parsed, so that a statement of the longest packet stays
/// below what the packet itself may take several times over.
pub(crate) const TOKENS: usize = 1_000_000;
/// Most tokens in one expression that is more than a literal: sqlparser takes about half a kilobyte for each.
pub(crate) const EXPRESSION_TOKENS: usize = 200_000;
/// Deepest nesting of parentheses and CASE.
pub(crate) const NESTING: usize = 200;
/// Most operators in a row at one level of parentheses; also most of what is in [`JOINED`] in a statement. The trees they
/// make are as deep, and are freed on the big stack (a test proves that they fit).
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
    /// Operators in a row, or SELECTs joined.
    pub(crate) const CHAIN: usize = 200;
    /// How deep sqlparser may recurse on the caller's stack; beyond it the statement is parsed again on a big one.
    pub(crate) const RECURSION: usize = 48;
}

/// The stack a statement is to be parsed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// Any will do.
    Callers,
    /// The big one.
    Big,
}

/// What sqlparser joins SELECTs and tables with in a loop: SELECTs in parentheses reach it, although none but the plainest
/// is understood. A comma does not end these chains, so that they are counted over the whole statement.
const JOINED: [&str; 6] = ["UNION", "EXCEPT", "INTERSECT", "MINUS", "PIVOT", "UNPIVOT"];

/// The functions that are waited for.
const WAITING: [&str; 6] = ["GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS", "IS_FREE_LOCK", "IS_USED_LOCK", "SLEEP"];

/// What is open: a parenthesis, or the statement itself.
#[derive(Default)]
struct Level {
    /// Operators since the last comma, those within a CASE among them.
    operators: usize,
    /// How many CASEs are open. END is a name like any other where there is none.
    cases: usize,
}

/// Checks the tokens of a statement.
///
/// # Errors
/// [`SqlError::Limit`] for what is too much; a syntax error for a parenthesis that closes nothing.
pub(crate) fn check(text: &str, tokens: &[Token]) -> Result<Stack, SqlError> {
    let mut open = vec![Level::default()];
    // Parentheses and CASEs.
    let mut depth = 0;
    let (mut deepest, mut longest, mut joined, mut prefixes, mut most_prefixes) = (0, 0, 0, 0, 0);
    let mut behind_dot = false;
    let mut calls = 0;
    let mut before: Option<&Token> = None;
    for token in tokens {
        let level = open.last_mut();
        if token.is_symbol(Symbol::Open) {
            calls += usize::from(before.is_some_and(|name| is_waited_for(text, name)));
            open.push(Level::default());
            depth += 1;
        } else if token.is_symbol(Symbol::Close) {
            depth -= open.pop().map_or(0, |closed| closed.cases + 1).min(depth);
            if open.is_empty() {
                return Err(syntax(text, token.start as usize, "the parenthesis closes nothing"));
            }
        } else if let Some(level) = level {
            if token.is_symbol(Symbol::Comma) {
                level.operators = 0;
            } else if !behind_dot && token.is(text, "CASE") {
                level.cases += 1;
                depth += 1;
            } else if !behind_dot && token.is(text, "END") && level.cases > 0 {
                level.cases -= 1;
                depth -= 1;
            } else if is_operator(text, token) {
                level.operators += 1;
                longest = longest.max(level.operators);
            } else if JOINED.iter().any(|word| token.is(text, word)) {
                joined += 1;
            }
        }
        if depth > NESTING {
            return Err(limit("the nesting of the statement", NESTING, "nesting"));
        }
        deepest = deepest.max(depth);
        behind_dot = token.is_symbol(Symbol::Dot);
        before = Some(token);
        prefixes = if is_prefix(text, token) { prefixes + 1 } else { 0 };
        most_prefixes = most_prefixes.max(prefixes);
    }
    if longest > CHAIN {
        return Err(limit("the number of operators in a row", CHAIN, "operators"));
    }
    if joined > CHAIN {
        return Err(limit("the number of set operations", CHAIN, "operators"));
    }
    if calls > CALLS {
        return Err(limit("the number of calls of SLEEP, GET_LOCK and its kin", CALLS, "calls"));
    }
    if most_prefixes > PREFIXES {
        return Err(limit("the number of prefix operators in a row", PREFIXES, "operators"));
    }
    let shallow = deepest <= shallow::NESTING && longest <= shallow::CHAIN && joined <= shallow::CHAIN;
    Ok(if shallow { Stack::Callers } else { Stack::Big })
}

/// Whether it is the name of one of [`WAITING`], which may be quoted.
fn is_waited_for(text: &str, name: &Token) -> bool {
    let written = match name.kind {
        Kind::Word => name.text(text),
        Kind::Quoted => name.text(text).trim_matches(['`', '"']),
        _ => return false,
    };
    WAITING.iter().any(|word| written.eq_ignore_ascii_case(word))
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
