//! The one tokenizer: MySQL's lexical rules, linear in the text, without recursion.
//!
//! A token is a kind and a place; nothing is copied out of the text before somebody needs it. Comments are dropped,
//! executable ones (`/*!80000 code */`) are not comments, and what stands in an optimizer hint is kept.

use std::borrow::Cow;
use std::time::Duration;

use crate::environment::SqlMode;
use crate::error::SqlError;

/// The MySQL version executable comments are compared with (`/*!80037 ..*/` is a comment).
const COMMENT_VERSION: u32 = 80_036;
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
}

/// Splits the text into statements of tokens. Statements without tokens are left out.
///
/// # Errors
/// An unterminated string, quoted identifier or comment, more than `max_tokens` tokens, or too many parameters.
pub(crate) fn tokenize(text: &str, mode: SqlMode, max_tokens: usize) -> Result<Vec<Tokens>, SqlError> {
    let mut lexer = Lexer::new(text, mode);
    let mut statements = Vec::new();
    let mut current = Tokens::default();
    let mut total = 0;
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
            lexer.close(&mut current);
            if !current.tokens.is_empty() {
                statements.push(std::mem::take(&mut current));
            }
            continue;
        }
        current.tokens.push(token);
    }
    lexer.close(&mut current);
    if !current.tokens.is_empty() {
        statements.push(current);
    }
    Ok(statements)
}

/// A syntax error at a byte of the text.
pub(crate) fn syntax(text: &str, at: usize, detail: impl Into<String>) -> SqlError {
    let rest = text.get(at..).unwrap_or("");
    let line = 1 + text.as_bytes().iter().take(at).filter(|&&b| b == b'\n').count() as u64;
    SqlError::Syntax { detail: detail.into(), near: rest.chars().take(NEAR_CHARS).collect(), line }
}

/// Reads tokens one by one.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    mode: SqlMode,
    /// Inside an executable comment whose code runs.
    in_executable: bool,
    parameters: u32,
    hint: Option<Duration>,
    /// Whether the last token was a `.`, behind which a name may start with a digit.
    after_dot: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, mode: SqlMode) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            mode,
            in_executable: false,
            parameters: 0,
            hint: None,
            after_dot: false,
        }
    }

    /// Gives the statement what was counted for it, and starts counting anew.
    fn close(&mut self, tokens: &mut Tokens) {
        tokens.parameters = u16::try_from(self.parameters).unwrap_or(u16::MAX);
        tokens.max_execution_time = self.hint.take();
        self.parameters = 0;
    }

    /// How far the text has been read, in bytes.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or(&[])
    }

    /// The next token; `None` at the end of the text.
    ///
    /// # Errors
    /// What cannot be a token.
    pub(crate) fn next(&mut self) -> Result<Option<Token>, SqlError> {
        self.skip_blank()?;
        if self.at >= self.bytes.len() {
            if self.in_executable {
                return Err(syntax(self.text, self.at, "the comment is not closed"));
            }
            return Ok(None);
        }
        let start = self.at;
        let kind = self.kind()?;
        self.after_dot = kind == Kind::Symbol(Symbol::Dot);
        let place = |at: usize| {
            u32::try_from(at).map_err(|_| SqlError::Limit {
                what: "the statement's length".into(),
                limit: u64::from(u32::MAX),
                name: "max_allowed_packet",
            })
        };
        Ok(Some(Token { kind, start: place(start)?, end: place(self.at)? }))
    }

    fn skip_blank(&mut self) -> Result<(), SqlError> {
        loop {
            let b = self.byte(0);
            if self.at >= self.bytes.len() {
                return Ok(());
            }
            if b.is_ascii_whitespace() || b == 0x0b {
                self.at += 1;
            } else if b == b'#' {
                self.skip_line();
            } else if b == b'-' && self.byte(1) == b'-' && (self.at + 2 >= self.bytes.len() || self.byte(2) <= b' ') {
                self.skip_line();
            } else if b == b'/' && self.byte(1) == b'*' {
                self.comment()?;
            } else if self.in_executable && b == b'*' && self.byte(1) == b'/' {
                self.in_executable = false;
                self.at += 2;
            } else {
                return Ok(());
            }
        }
    }

    fn skip_line(&mut self) {
        self.at = self.rest().iter().position(|&b| b == b'\n').map_or(self.bytes.len(), |n| self.at + n + 1);
    }

    /// At `/*`: goes behind the comment, or into an executable one.
    fn comment(&mut self) -> Result<(), SqlError> {
        let start = self.at;
        if self.byte(2) == b'!' && !self.in_executable {
            let digits = self.rest().iter().skip(3).take(6).take_while(|b| b.is_ascii_digit()).count();
            // A version has five digits, or six; fewer are part of the code.
            let digits = if digits < 5 { 0 } else { digits };
            let version: u32 = self.text.get(start + 3..start + 3 + digits).and_then(|d| d.parse().ok()).unwrap_or(0);
            if version <= COMMENT_VERSION {
                self.in_executable = true;
                self.at = start + 3 + digits;
                return Ok(());
            }
        }
        let Some(length) = self.rest().iter().skip(2).zip(self.rest().iter().skip(3)).position(|p| p == (&b'*', &b'/'))
        else {
            return Err(syntax(self.text, start, "the comment is not closed"));
        };
        if self.byte(2) == b'+' {
            let hint = self.text.get(start + 3..start + 2 + length).unwrap_or("");
            self.hint = max_execution_time(hint).or(self.hint);
        }
        self.at = start + length + 4;
        Ok(())
    }

    fn kind(&mut self) -> Result<Kind, SqlError> {
        let b = self.byte(0);
        match b {
            b'\'' => self.string(b),
            b'"' if self.mode.ansi_quotes => self.quoted(b),
            b'"' => self.string(b),
            b'`' => self.quoted(b),
            b'@' => self.variable(),
            b'?' => {
                self.at += 1;
                let number = self.parameters;
                self.parameters += 1;
                u16::try_from(number).ok().filter(|&n| n < u16::MAX).map(Kind::Parameter).ok_or(SqlError::Limit {
                    what: "the number of parameters".into(),
                    limit: u64::from(u16::MAX),
                    name: "parameters",
                })
            }
            b'0'..=b'9' if !self.after_dot => Ok(self.number()),
            b'.' if self.byte(1).is_ascii_digit() && !self.behind_name() => Ok(self.number()),
            b'x' | b'X' if self.byte(1) == b'\'' => self.prefixed(Kind::Hex, |b| b.is_ascii_hexdigit()),
            b'b' | b'B' if self.byte(1) == b'\'' => self.prefixed(Kind::Bits, |b| matches!(b, b'0' | b'1')),
            b'n' | b'N' if self.byte(1) == b'\'' => {
                self.at += 1;
                self.string(b'\'')
            }
            _ if is_name_byte(b) => {
                self.word();
                Ok(Kind::Word)
            }
            _ => Ok(Kind::Symbol(self.symbol())),
        }
    }

    /// Whether the byte before is part of a name, as in `t.1`.
    fn behind_name(&self) -> bool {
        self.at.checked_sub(1).and_then(|i| self.bytes.get(i)).is_some_and(|&b| is_name_byte(b) || b == b'`')
    }

    fn word(&mut self) {
        while is_name_byte(self.byte(0)) {
            self.at += 1;
        }
    }

    /// At an opening quote: goes behind the closing one.
    fn string(&mut self, quote: u8) -> Result<Kind, SqlError> {
        let start = self.at;
        self.at += 1;
        loop {
            let b = self.byte(0);
            if self.at >= self.bytes.len() {
                return Err(syntax(self.text, start, "the string is not closed"));
            }
            if b == b'\\' && !self.mode.no_backslash_escapes {
                self.at += 2;
            } else if b == quote && self.byte(1) == quote {
                self.at += 2;
            } else if b == quote {
                self.at += 1;
                return Ok(Kind::String);
            } else {
                self.at += 1;
            }
        }
    }

    fn quoted(&mut self, quote: u8) -> Result<Kind, SqlError> {
        let start = self.at;
        self.at += 1;
        loop {
            if self.at >= self.bytes.len() {
                return Err(syntax(self.text, start, "the quoted name is not closed"));
            }
            if self.byte(0) == quote && self.byte(1) == quote {
                self.at += 2;
            } else if self.byte(0) == quote {
                self.at += 1;
                return Ok(Kind::Quoted);
            } else {
                self.at += 1;
            }
        }
    }

    /// `X'..'`, `b'..'`.
    fn prefixed(&mut self, kind: Kind, digit: fn(u8) -> bool) -> Result<Kind, SqlError> {
        let start = self.at;
        self.at += 2;
        while digit(self.byte(0)) {
            self.at += 1;
        }
        let digits = self.at - start - 2;
        if self.byte(0) != b'\'' || (kind == Kind::Hex && digits % 2 == 1) {
            return Err(syntax(self.text, start, "the literal has bad digits"));
        }
        self.at += 1;
        Ok(kind)
    }

    fn variable(&mut self) -> Result<Kind, SqlError> {
        self.at += 1;
        if self.byte(0) == b'@' {
            self.at += 1;
            loop {
                if self.byte(0) == b'`' {
                    self.quoted(b'`')?;
                } else {
                    self.word();
                }
                if self.byte(0) != b'.' {
                    return Ok(Kind::SystemVariable);
                }
                self.at += 1;
            }
        }
        match self.byte(0) {
            q @ (b'\'' | b'"') => {
                self.string(q)?;
            }
            b'`' => {
                self.quoted(b'`')?;
            }
            _ => {
                while is_name_byte(self.byte(0)) || self.byte(0) == b'.' {
                    self.at += 1;
                }
            }
        }
        Ok(Kind::UserVariable)
    }

    fn number(&mut self) -> Kind {
        let start = self.at;
        let digits = |lexer: &mut Self| {
            while lexer.byte(0).is_ascii_digit() {
                lexer.at += 1;
            }
        };
        if self.byte(0) == b'0' && matches!(self.byte(1), b'x' | b'b') {
            let (kind, digit): (_, fn(&u8) -> bool) = if self.byte(1) == b'x' {
                (Kind::Hex, |b| b.is_ascii_hexdigit())
            } else {
                (Kind::Bits, |b| matches!(b, b'0' | b'1'))
            };
            let count = self.rest().iter().skip(2).take_while(|b| digit(b)).count();
            if count > 0 && !is_name_byte(self.bytes.get(start + 2 + count).copied().unwrap_or(0)) {
                self.at = start + 2 + count;
                return kind;
            }
        }
        digits(self);
        if self.byte(0) == b'.' {
            self.at += 1;
            digits(self);
            self.exponent();
            return Kind::Number;
        }
        if self.exponent() && !is_name_byte(self.byte(0)) {
            return Kind::Number;
        }
        if is_name_byte(self.byte(0)) {
            // MySQL allows names that begin with digits.
            self.word();
            return Kind::Word;
        }
        Kind::Number
    }

    /// Takes an exponent, if there is a whole one.
    fn exponent(&mut self) -> bool {
        if !matches!(self.byte(0), b'e' | b'E') {
            return false;
        }
        let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
        if !self.byte(1 + sign).is_ascii_digit() {
            return false;
        }
        self.at += 1 + sign;
        while self.byte(0).is_ascii_digit() {
            self.at += 1;
        }
        true
    }

    fn symbol(&mut self) -> Symbol {
        const TABLE: [(&str, Symbol); 34] = [
            ("->>", Symbol::LongArrow),
            ("<=>", Symbol::NullSafeEqual),
            ("->", Symbol::Arrow),
            (":=", Symbol::Assign),
            ("<=", Symbol::LessEqual),
            (">=", Symbol::GreaterEqual),
            ("<>", Symbol::NotEqual),
            ("!=", Symbol::NotEqual),
            ("||", Symbol::Concat),
            ("&&", Symbol::AndAnd),
            ("<<", Symbol::ShiftLeft),
            (">>", Symbol::ShiftRight),
            ("(", Symbol::Open),
            (")", Symbol::Close),
            (",", Symbol::Comma),
            (";", Symbol::Semicolon),
            (".", Symbol::Dot),
            ("=", Symbol::Equal),
            ("<", Symbol::Less),
            (">", Symbol::Greater),
            ("+", Symbol::Plus),
            ("-", Symbol::Minus),
            ("*", Symbol::Star),
            ("/", Symbol::Slash),
            ("%", Symbol::Percent),
            ("|", Symbol::Pipe),
            ("&", Symbol::Ampersand),
            ("^", Symbol::Caret),
            ("~", Symbol::Tilde),
            ("!", Symbol::Not),
            (":", Symbol::Colon),
            ("[", Symbol::Other),
            ("{", Symbol::Other),
            ("\\", Symbol::Other),
        ];
        let rest = self.rest();
        match TABLE.iter().find(|(s, _)| rest.starts_with(s.as_bytes())) {
            Some((s, symbol)) => {
                self.at += s.len();
                *symbol
            }
            None => {
                self.at += 1;
                Symbol::Other
            }
        }
    }
}

/// Whether a byte can be in an unquoted name. Every character beyond ASCII can.
fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

/// `MAX_EXECUTION_TIME(n)` in the text of a hint, in milliseconds.
fn max_execution_time(hint: &str) -> Option<Duration> {
    let upper = hint.to_ascii_uppercase();
    let (_, behind) = upper.split_once("MAX_EXECUTION_TIME")?;
    let (millis, _) = behind.trim_start().strip_prefix('(')?.split_once(')')?;
    millis.trim().parse().ok().map(Duration::from_millis)
}

/// The name in a quoted or unquoted identifier token.
pub(crate) fn name<'a>(token: &Token, text: &'a str) -> Cow<'a, str> {
    let written = token.text(text);
    match token.kind {
        Kind::Quoted => unquote_name(written),
        Kind::Word
        | Kind::String
        | Kind::Number
        | Kind::Hex
        | Kind::Bits
        | Kind::UserVariable
        | Kind::SystemVariable
        | Kind::Parameter(_)
        | Kind::Symbol(_) => Cow::Borrowed(written),
    }
}

fn unquote_name(written: &str) -> Cow<'_, str> {
    let quote = written.chars().next().unwrap_or('`');
    let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or("");
    if inner.contains(quote) {
        let mut doubled = String::with_capacity(2);
        doubled.push(quote);
        doubled.push(quote);
        Cow::Owned(inner.replace(&doubled, quote.encode_utf8(&mut [0; 4])))
    } else {
        Cow::Borrowed(inner)
    }
}

/// The content of a string token.
pub(crate) fn string<'a>(token: &Token, text: &'a str, mode: SqlMode) -> Cow<'a, str> {
    let written = token.text(text).trim_start_matches(['n', 'N']);
    unescape(written, mode)
}

fn unescape(written: &str, mode: SqlMode) -> Cow<'_, str> {
    let quote = written.chars().next().unwrap_or('\'');
    let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or("");
    let escapes = !mode.no_backslash_escapes;
    if !inner.contains(quote) && !(escapes && inner.contains('\\')) {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            // The other half of a doubled quote.
            chars.next();
            out.push(c);
        } else if c == '\\' && escapes {
            match chars.next() {
                Some('0') => out.push('\0'),
                Some('b') => out.push('\u{8}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('Z') => out.push('\u{1a}'),
                // These two stay escaped for LIKE.
                Some(c @ ('%' | '_')) => {
                    out.push('\\');
                    out.push(c);
                }
                Some(other) => out.push(other),
                None => {}
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The bytes of a hexadecimal token.
pub(crate) fn hex(token: &Token, text: &str) -> Vec<u8> {
    hex_bytes(digits(token.text(text)))
}

/// The bytes hexadecimal digits stand for; an odd number of them gets a leading zero.
pub(crate) fn hex_bytes(digits: &str) -> Vec<u8> {
    let nibbles: Vec<u8> =
        digits.bytes().filter_map(|b| (b as char).to_digit(16)).filter_map(|d| u8::try_from(d).ok()).collect();
    let odd = nibbles.len() % 2;
    let mut bytes = Vec::with_capacity(nibbles.len().div_ceil(2));
    if odd == 1 {
        bytes.extend(nibbles.first());
    }
    bytes.extend(nibbles.get(odd..).unwrap_or(&[]).chunks_exact(2).map(|p| p.iter().fold(0, |b, n| (b << 4) | n)));
    bytes
}

/// The bytes of a bit token: big-endian, as few as hold the digits.
pub(crate) fn bits(token: &Token, text: &str) -> Vec<u8> {
    let digits = digits(token.text(text)).as_bytes();
    let first = digits.len() % 8;
    let (head, tail) = digits.split_at(first);
    let byte = |bits: &[u8]| bits.iter().fold(0_u8, |b, d| (b << 1) | (d - b'0'));
    let mut bytes = Vec::with_capacity(digits.len().div_ceil(8));
    if !head.is_empty() {
        bytes.push(byte(head));
    }
    bytes.extend(tail.chunks(8).map(byte));
    bytes
}

/// The digits of `X'..'`, `0x..`, `b'..'` or `0b..`.
pub(crate) fn digits(written: &str) -> &str {
    written.get(2..).unwrap_or("").trim_end_matches('\'')
}

/// The name of a user variable token, lower case.
pub(crate) fn user_variable(token: &Token, text: &str, mode: SqlMode) -> String {
    let written = token.text(text).get(1..).unwrap_or("");
    let name = match written.bytes().next() {
        Some(b'\'' | b'"') => unescape(written, mode),
        Some(b'`') => unquote_name(written),
        Some(_) | None => Cow::Borrowed(written),
    };
    name.to_lowercase()
}

/// Whether a system variable token names the global value, and the variable's name, lower case.
pub(crate) fn system_variable(token: &Token, text: &str) -> (Option<bool>, String) {
    let written = token.text(text).get(2..).unwrap_or("").replace('`', "").to_lowercase();
    match written.split_once('.') {
        Some(("global", name)) => (Some(true), name.to_owned()),
        Some(("session" | "local", name)) => (Some(false), name.to_owned()),
        Some(_) | None => (None, written),
    }
}
