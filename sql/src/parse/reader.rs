//! A place in the tokens of one statement, and how the hand-written parsers move it.

use std::cell::Cell;

use super::literal;
use super::reserved::is_reserved;
use super::tokens::{Kind, Symbol, Token, syntax};
use crate::environment::SqlMode;
use crate::error::SqlError;

/// Reads the tokens of one statement from left to right.
pub(crate) struct Reader<'a> {
    /// The whole text, which the tokens point into.
    pub text: &'a str,
    /// The session's way to read text.
    pub mode: SqlMode,
    /// How deep sqlparser may recurse.
    pub recursion: usize,
    pub(super) tokens: &'a [Token],
    pub(super) at: usize,
    /// Set when sqlparser ran into `recursion`: the statement is to be parsed again with more stack.
    pub(super) too_deep: Cell<bool>,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, tokens: &'a [Token], mode: SqlMode, recursion: usize) -> Self {
        Self { text, mode, recursion, tokens, at: 0, too_deep: Cell::new(false) }
    }

    /// The token so many ahead.
    pub fn peek_at(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead)
    }

    /// The next token.
    pub fn peek(&self) -> Option<&'a Token> {
        self.peek_at(0)
    }

    /// Whether the statement is read to its end.
    pub fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Takes the next token.
    pub fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    /// Whether the next tokens are these keywords (upper case).
    pub fn sees(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(i, w)| self.peek_at(i).is_some_and(|t| t.is(self.text, w)))
    }

    /// Whether the next token is one of these keywords.
    pub fn sees_any(&self, words: &[&str]) -> bool {
        words.iter().any(|w| self.sees(&[w]))
    }

    /// Takes these keywords, all or none.
    pub fn take(&mut self, words: &[&str]) -> bool {
        let found = self.sees(words);
        if found {
            self.at += words.len();
        }
        found
    }

    /// Takes one of these keywords, and says which.
    pub fn take_any<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        let found = words.iter().copied().find(|w| self.sees(&[w]));
        self.at += usize::from(found.is_some());
        found
    }

    /// Whether the next token is this symbol.
    pub fn sees_symbol(&self, symbol: Symbol) -> bool {
        self.peek().is_some_and(|t| t.is_symbol(symbol))
    }

    /// Takes this symbol, if it is next.
    pub fn take_symbol(&mut self, symbol: Symbol) -> bool {
        let found = self.sees_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    /// Takes these keywords.
    ///
    /// # Errors
    /// A syntax error if they are not next.
    pub fn expect(&mut self, words: &[&str]) -> Result<(), SqlError> {
        if self.take(words) { Ok(()) } else { Err(self.error(format!("expected {}", words.join(" ")))) }
    }

    /// Takes this symbol.
    ///
    /// # Errors
    /// A syntax error if it is not next.
    pub fn expect_symbol(&mut self, symbol: Symbol, written: &str) -> Result<(), SqlError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.error(format!("expected '{written}'"))) }
    }

    /// Checks that the statement ends here.
    ///
    /// # Errors
    /// A syntax error if something follows.
    pub fn end(&self) -> Result<(), SqlError> {
        if self.at_end() { Ok(()) } else { Err(self.error("expected the end of the statement")) }
    }

    /// Refuses a sign, which no number of LIMIT has.
    ///
    /// # Errors
    /// A syntax error if one is next.
    pub fn refuse_sign(&self) -> Result<(), SqlError> {
        if self.sees_symbol(Symbol::Minus) || self.sees_symbol(Symbol::Plus) {
            return Err(self.error("expected a number of rows without a sign"));
        }
        Ok(())
    }

    /// A syntax error at the next token.
    pub fn error(&self, detail: impl Into<String>) -> SqlError {
        let at = self.peek().map_or(self.text.len(), |t| t.start as usize);
        syntax(self.text, at, detail)
    }

    /// Takes a name, quoted or not.
    ///
    /// # Errors
    /// A syntax error if no name is next.
    pub fn name(&mut self) -> Result<String, SqlError> {
        match self.peek() {
            Some(token) if matches!(token.kind, Kind::Word | Kind::Quoted) => {
                self.at += 1;
                let name = literal::name(token, self.text).into_owned();
                if name.is_empty() {
                    self.at -= 1;
                    return Err(self.error("a name cannot be empty"));
                }
                Ok(name)
            }
            Some(_) | None => Err(self.error("expected a name")),
        }
    }

    /// Refuses a word that has to be quoted to be a name.
    ///
    /// # Errors
    /// A syntax error if one is next.
    pub fn refuse_reserved(&self) -> Result<(), SqlError> {
        match self.peek() {
            Some(token) if token.kind == Kind::Word && is_reserved(token.text(self.text)) => {
                Err(self.error("expected a name; quote a reserved word"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes `[database.]name`.
    ///
    /// # Errors
    /// A syntax error if no name is next, or a word that has to be quoted to be one.
    pub fn qualified(&mut self) -> Result<(Option<String>, String), SqlError> {
        self.refuse_reserved()?;
        let first = self.name()?;
        if self.take_symbol(Symbol::Dot) { Ok((Some(first), self.name()?)) } else { Ok((None, first)) }
    }

    /// Takes a string, if one is next; strings in a row are one.
    pub fn take_string(&mut self) -> Option<String> {
        let mut joined: Option<String> = None;
        while let Some(token) = self.peek().filter(|t| t.kind == Kind::String) {
            joined.get_or_insert_default().push_str(&literal::string(token, self.text, self.mode));
            self.at += 1;
        }
        joined
    }

    /// Takes a string.
    ///
    /// # Errors
    /// A syntax error if none is next.
    pub fn string(&mut self) -> Result<String, SqlError> {
        self.take_string().ok_or_else(|| self.error("expected a string"))
    }

    /// Takes a whole number.
    ///
    /// # Errors
    /// A syntax error if none is next.
    pub fn number(&mut self) -> Result<u64, SqlError> {
        let number = self.peek().filter(|t| t.kind == Kind::Number).and_then(|t| t.text(self.text).parse().ok());
        self.at += usize::from(number.is_some());
        number.ok_or_else(|| self.error("expected a whole number"))
    }

    /// Takes a name or a string: an alias, a character set.
    ///
    /// # Errors
    /// A syntax error if neither is next.
    pub fn name_or_string(&mut self) -> Result<String, SqlError> {
        match self.take_string() {
            Some(string) => Ok(string),
            None => self.name(),
        }
    }

    /// The text from the token at `from` up to the one before the next, as written.
    pub fn written(&self, from: usize) -> &'a str {
        let start = self.tokens.get(from).map_or(0, |t| t.start as usize);
        let end = self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(start, |t| t.end as usize);
        self.text.get(start..end).unwrap_or("")
    }

    /// Goes behind the parenthesis that closes the one that was just opened.
    ///
    /// # Errors
    /// A syntax error if it is never closed.
    pub fn skip_parenthesis(&mut self) -> Result<(), SqlError> {
        let mut depth = 1_usize;
        while depth > 0 {
            let Some(token) = self.next() else { return Err(self.error("expected ')'")) };
            if token.is_symbol(Symbol::Open) {
                depth += 1;
            } else if token.is_symbol(Symbol::Close) {
                depth -= 1;
            }
        }
        Ok(())
    }
}
