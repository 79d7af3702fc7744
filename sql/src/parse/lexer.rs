//! The one tokenizer: MySQL's lexical rules, linear in the text, without recursion.
//!
//! Comments are dropped, executable ones (`/*!80000 code */`) are not comments, and what stands in an optimizer hint
//! is kept.

use std::time::Duration;

use super::tokens::{Kind, Symbol, Token, Tokens, syntax};
use crate::environment::SqlMode;
use crate::error::SqlError;

/// The MySQL version executable comments are compared with (`/*!80037 ..*/` is a comment).
const COMMENT_VERSION: u32 = 80_036;

/// How many comments of a statement are kept, and how long they may be, in bytes: enough for the tags that frameworks
/// write.
const KEPT_COMMENTS: usize = 8;
const KEPT_COMMENT_BYTES: usize = 1024;

/// Reads tokens one by one.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    mode: SqlMode,
    /// What opened the executable comment it is inside of, whose code runs: `/*!80000`.
    executable: Option<&'a str>,
    parameters: u32,
    hint: Option<Duration>,
    /// Whether the last token was a `.`, behind which a name may start with a digit.
    after_dot: bool,
    /// Whether there was a comment of any kind.
    commented: bool,
    /// What stands in the comments of the statement, as far as it is kept.
    comments: Vec<Box<str>>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, mode: SqlMode) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            mode,
            executable: None,
            parameters: 0,
            hint: None,
            after_dot: false,
            commented: false,
            comments: Vec::new(),
        }
    }

    /// Gives the statement what was counted for it, and starts counting anew.
    pub(super) fn close(&mut self, tokens: &mut Tokens) {
        tokens.parameters = u16::try_from(self.parameters).unwrap_or(u16::MAX);
        tokens.max_execution_time = self.hint.take();
        tokens.comments = std::mem::take(&mut self.comments);
        self.parameters = 0;
    }

    /// Whether there was a comment so far.
    pub(super) fn commented(&self) -> bool {
        self.commented
    }

    /// What opened the executable comment that the last token is in, if it is in one.
    pub(super) fn executable(&self) -> Option<&'a str> {
        self.executable
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
            if self.executable.is_some() {
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
            if is_blank(b) {
                self.at += 1;
            } else if let Some(length) = line_comment(self.rest()) {
                self.commented = true;
                self.at += length;
            } else if b == b'/' && self.byte(1) == b'*' {
                self.comment()?;
            } else if self.executable.is_some() && b == b'*' && self.byte(1) == b'/' {
                self.executable = None;
                self.at += 2;
            } else {
                return Ok(());
            }
        }
    }

    /// At `/*`: goes behind the comment, or into an executable one.
    fn comment(&mut self) -> Result<(), SqlError> {
        let start = self.at;
        self.commented = true;
        if self.executable.is_none()
            && let Some(length) = opens_executable(self.rest())
        {
            self.at += length;
            self.executable = self.text.get(start..self.at);
            return Ok(());
        }
        let Some(length) = block_comment(self.rest()) else {
            return Err(syntax(self.text, start, "the comment is not closed"));
        };
        let content = self.text.get(start + 2..start + length - 2).unwrap_or("");
        if let Some(hint) = content.strip_prefix('+') {
            self.hint = max_execution_time(hint).or(self.hint);
        } else if self.comments.len() < KEPT_COMMENTS && (1..=KEPT_COMMENT_BYTES).contains(&content.len()) {
            self.comments.push(content.into());
        }
        self.at = start + length;
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
            let escaped = b == b'\\' && !self.mode.no_backslash_escapes;
            if escaped || (b == quote && self.byte(1) == quote) {
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

/// Whether a byte is white space between tokens.
pub(super) fn is_blank(b: u8) -> bool {
    b.is_ascii_whitespace() || b == 0x0b
}

/// How long the comment to the end of the line is that begins here, without that end, in bytes: behind `#`, or behind `--`
/// if a blank or nothing follows.
pub(super) fn line_comment(text: &[u8]) -> Option<usize> {
    let begins = match text {
        [b'#', ..] | [b'-', b'-'] => true,
        [b'-', b'-', behind, ..] => *behind <= b' ',
        _ => false,
    };
    begins.then(|| text.iter().position(|b| *b == b'\n').unwrap_or(text.len()))
}

/// How long what opens an executable comment here is, in bytes (`/*!`, `/*!80000`), if its code runs.
pub(super) fn opens_executable(text: &[u8]) -> Option<usize> {
    let code = text.strip_prefix(b"/*!")?;
    let digits = code.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
    // A version has five digits, or six; fewer are part of the code.
    let digits = if digits < 5 { 0 } else { digits };
    let version = code.iter().take(digits).fold(0, |version, digit| version * 10 + u32::from(digit - b'0'));
    (version <= COMMENT_VERSION).then_some(3 + digits)
}

/// How long the comment is that `/*` begins here, with both its ends, in bytes; nothing if it is not closed.
pub(crate) fn block_comment(text: &[u8]) -> Option<usize> {
    text.get(2..)?.windows(2).position(|pair| pair == b"*/").map(|length| length + 4)
}

/// Whether a byte can be in an unquoted name. Every character beyond ASCII can.
pub(crate) fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

/// `MAX_EXECUTION_TIME(n)` in the text of a hint, in milliseconds.
fn max_execution_time(hint: &str) -> Option<Duration> {
    let upper = hint.to_ascii_uppercase();
    let (_, behind) = upper.split_once("MAX_EXECUTION_TIME")?;
    let (millis, _) = behind.trim_start().strip_prefix('(')?.split_once(')')?;
    millis.trim().parse().ok().map(Duration::from_millis)
}
