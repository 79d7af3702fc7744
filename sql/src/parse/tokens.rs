//! Tokens, and a text as statements of them.
//!
//! A token is a kind and a place; nothing is copied out of the text before somebody needs it.

use std::borrow::Cow;
use std::time::Duration;

use super::lexer::Lexer;
use crate::environment::SqlMode;
use crate::error::SqlError;

/// Longest part of the text quoted in a syntax error, in characters.
const NEAR_CHARS: usize = 80;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An unquoted identifier or keyword.
    Word,
    /// An identifier in backticks (or double quotes under ANSI_QUOTES).
    Quoted,
    /// A string; the text of the token includes the quotes (and the `N` of a national string).
    String,
    /// A number: digits, perhaps with a point and an exponent.
    Number,
    /// `X'4D'` or `0x4D`.
    Hex,
    /// `b'101'` or `0b101`.
    Bits,
    /// `@name`.
    UserVariable,
    /// `@@name`, `@@scope.name`.
    SystemVariable,
    /// `?`: the number of the parameter in its statement, from 0.
    Parameter(u16),
    /// Anything else.
    Symbol(Symbol),
}

/// Operators and punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Symbol {
    Open,
    Close,
    Comma,
    Semicolon,
    Dot,
    Equal,
    NullSafeEqual,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Concat,
    AndAnd,
    Pipe,
    Ampersand,
    Caret,
    Tilde,
    Not,
    ShiftLeft,
    ShiftRight,
    Arrow,
    LongArrow,
    Assign,
    Colon,
    /// A character SQL has no use for.
    Other,
}

/// A token: a kind and its bytes in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it starts, in bytes.
    pub start: u32,
    /// Where it ends (exclusive), in bytes.
    pub end: u32,
}

impl Token {
    /// Its text as written.
    pub fn text<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// Whether it is this keyword (upper case), unquoted.
    pub fn is(&self, text: &str, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text(text).eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this symbol.
    pub fn is_symbol(&self, symbol: Symbol) -> bool {
        self.kind == Kind::Symbol(symbol)
    }
}

/// The tokens of one statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    /// The tokens, without the semicolon.
    pub tokens: Vec<Token>,
    /// How many parameters there are.
    pub parameters: u16,
    /// `MAX_EXECUTION_TIME(n)` of an optimizer hint.
    pub max_execution_time: Option<Duration>,
    /// What stands in its comments.
    pub comments: Vec<Box<str>>,
    /// What opens the executable comment its first token is in (`/*!80000`), unless all of it is in that one.
    pub opener: Option<Box<str>>,
    /// Whether its last token is in an executable comment that its first token is not in.
    pub unclosed: bool,
    /// Where what follows its semicolon begins, in bytes; `None` without one, or in an executable comment.
    pub rest: Option<usize>,
}

impl Tokens {
    /// Where its first token starts, in bytes.
    pub fn start(&self) -> usize {
        self.tokens.first().map_or(0, |token| token.start as usize)
    }

    /// The statement as written, from its first token to its last. An executable comment that the cut would go through is
    /// opened and closed, so that it is a text of the same meaning.
    pub fn written<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let start = self.start();
        let end = self.tokens.last().map_or(start, |t| t.end as usize);
        let within = text.get(start..end).unwrap_or("");
        match (&self.opener, self.unclosed) {
            (None, false) => Cow::Borrowed(within),
            (Some(opener), false) => Cow::Owned(format!("{opener} {within}")),
            (None, true) => Cow::Owned(format!("{within} */")),
            (Some(opener), true) => Cow::Owned(format!("{opener} {within} */")),
        }
    }
}

/// Splits the text into statements of tokens. Statements without tokens are left out; but a text of nothing but
/// comments is a statement that does nothing, as in MySQL.
///
/// # Errors
/// An unterminated string, quoted identifier or comment, more than `max_tokens` tokens, or too many parameters.
pub(crate) fn tokenize(text: &str, mode: SqlMode, max_tokens: usize) -> Result<Vec<Tokens>, SqlError> {
    let mut lexer = Lexer::new(text, mode);
    let mut statements = Vec::new();
    let mut current = Tokens::default();
    let mut total = 0;
    // The executable comments of the statement's first and last token.
    let (mut first, mut last) = (None, None);
    while let Some(token) = lexer.next()? {
        total += 1;
        if total > max_tokens {
            return Err(SqlError::Limit {
                what: "the number of tokens in the statement".into(),
                limit: max_tokens as u64,
                name: "tokens",
            });
        }
        if token.is_symbol(Symbol::Semicolon) {
            close(&mut lexer, &mut current, first.take(), last.take());
            current.rest = lexer.executable().is_none().then_some(token.end as usize);
            if !current.tokens.is_empty() {
                statements.push(std::mem::take(&mut current));
            }
            continue;
        }
        let inside = lexer.executable();
        if current.tokens.is_empty() {
            first = inside;
        }
        last = inside;
        current.tokens.push(token);
    }
    close(&mut lexer, &mut current, first, last);
    if !current.tokens.is_empty() || (statements.is_empty() && lexer.commented()) {
        statements.push(current);
    }
    Ok(statements)
}

/// Gives a statement what is known at its end: `first` and `last` opened the executable comments its first and last token
/// are in.
fn close<'a>(lexer: &mut Lexer<'a>, tokens: &mut Tokens, first: Option<&'a str>, last: Option<&'a str>) {
    lexer.close(tokens);
    // All of it in one comment is no cut through one.
    let within_one = first.zip(last).is_some_and(|(first, last)| std::ptr::eq(first, last));
    tokens.opener = first.filter(|_| !within_one).map(Into::into);
    tokens.unclosed = last.is_some() && !within_one;
}

/// A syntax error at a byte of the text.
pub(crate) fn syntax(text: &str, at: usize, detail: impl Into<String>) -> SqlError {
    let rest = text.get(at..).unwrap_or("");
    let line = 1 + line_ends(text, 0..at);
    SqlError::Syntax { detail: detail.into(), near: rest.chars().take(NEAR_CHARS).collect(), line }
}

/// How many lines end in a part of the text.
pub(crate) fn line_ends(text: &str, part: std::ops::Range<usize>) -> u64 {
    let bytes = text.as_bytes();
    let part = bytes.get(part.start..part.end.min(bytes.len())).unwrap_or_default();
    part.iter().filter(|&&byte| byte == b'\n').count() as u64
}
