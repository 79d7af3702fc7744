//! A parsed statement: what is known of it without looking into it.
//!
//! Its text is kept without passwords, and is what it can be parsed from again.

use std::sync::Arc;
use std::time::Duration;

use super::kind::StatementKind;
use super::tokens::Tokens;
use super::{budget, tags, tokens};
use crate::ast::{LockStatement, Parsed};
use crate::environment::SqlMode;
use crate::error::SqlError;

/// A parsed statement; cheap to clone, and to be shared between sessions.
#[derive(Clone, Debug)]
pub struct Statement {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    text: String,
    line: u64,
    holds_password: bool,
    mode: SqlMode,
    tokens: usize,
    parameters: u16,
    kind: StatementKind,
    max_execution_time: Option<Duration>,
    comments: Vec<Box<str>>,
    rest: Option<usize>,
    parsed: Parsed,
}

impl Statement {
    /// The statement that stands at these tokens of a text, in this line of it, parsed.
    pub(super) fn new(
        text: &str,
        mode: SqlMode,
        line: u64,
        tokens: &Tokens,
        kind: StatementKind,
        parsed: Parsed,
    ) -> Self {
        let (shown, holds_password) = crate::mask::shown(&tokens.written(text), mode, kind);
        Self {
            inner: Arc::new(Inner {
                text: shown,
                line,
                holds_password,
                mode,
                tokens: tokens.tokens.len(),
                parameters: tokens.parameters,
                kind,
                max_execution_time: tokens.max_execution_time,
                comments: tokens.comments.clone(),
                rest: tokens.rest,
                parsed,
            }),
        }
    }

    /// How many words, literals and signs it has, to which the memory it takes beside its text is about in proportion.
    pub fn tokens(&self) -> usize {
        self.inner.tokens
    }

    /// How many parameters (`?`) it has.
    pub fn parameters(&self) -> u16 {
        self.inner.parameters
    }

    /// The syntax error that its first parameter is where there are no values; `None` without one.
    pub(crate) fn first_parameter(&self) -> Option<SqlError> {
        let (text, mode) = (&self.inner.text, self.inner.mode);
        let statements = tokens::tokenize(text, mode, budget::TOKENS).ok()?;
        let first = statements.iter().flat_map(|s| &s.tokens).find(|t| matches!(t.kind, tokens::Kind::Parameter(_)))?;
        Some(tokens::syntax(
            text,
            first.start as usize,
            "? stands for a value of a prepared statement; write the value",
        ))
    }

    /// What it is.
    pub fn kind(&self) -> StatementKind {
        self.inner.kind
    }

    /// Whether it is LOCK TABLES, which lets go of the tables of the one before.
    pub fn locks_tables(&self) -> bool {
        matches!(self.inner.parsed, Parsed::Lock(LockStatement::Tables(_)))
    }

    /// Whether it commits the open transaction before it is asked for more than its syntax and its names: it has done so
    /// also if it is refused then.
    pub fn commits_first(&self) -> bool {
        self.inner.kind == StatementKind::Ddl
            || matches!(self.inner.parsed, Parsed::Lock(LockStatement::Tables(_) | LockStatement::Flushed(_)))
    }

    /// Its text as written, without what stands before and behind it, passwords as `<secret>`. Parsed again it is the same
    /// statement.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The line of the text it was parsed from that it begins in, from 1.
    pub fn line(&self) -> u64 {
        self.inner.line
    }

    /// Whether there is a password in the text it was made of: that text is to be kept nowhere.
    pub fn holds_password(&self) -> bool {
        self.inner.holds_password
    }

    /// Its text with every literal replaced by `?`: what may be logged.
    pub fn masked(&self) -> String {
        crate::mask::mask(&self.inner.text, self.inner.mode)
    }

    /// `/*+ MAX_EXECUTION_TIME(ms) */`
    pub fn max_execution_time(&self) -> Option<Duration> {
        self.inner.max_execution_time
    }

    /// The tags that frameworks write into comments (`traceparent='..',app='shop'`, `app:shop,job:mail`): for the log.
    /// Comments of any other form are not among them, since anything can stand in them.
    pub fn tags(&self) -> String {
        let comments = self.inner.comments.iter().map(|comment| comment.trim());
        comments.filter(|comment| tags::are_tags(comment)).collect::<Vec<_>>().join(",")
    }

    /// Where what follows it in the text it was parsed from begins, in bytes. `None` if that is not a text of its own: it is
    /// the last statement, or ends within an executable comment.
    pub fn rest(&self) -> Option<usize> {
        self.inner.rest
    }

    /// Whether a text reads in this mode as it does in the one this statement was parsed in.
    pub fn reads_as_in(&self, mode: SqlMode) -> bool {
        self.inner.mode.reads_as(mode)
    }

    /// The SQL mode it was parsed in.
    pub(super) fn mode(&self) -> SqlMode {
        self.inner.mode
    }

    pub(crate) fn parsed(&self) -> &Parsed {
        &self.inner.parsed
    }
}
