//! Statement text to [`Statement`].
//!
//! One tokenizer reads every text. Statements are parsed by hand over its tokens, which is what makes refusals say
//! the name of what they refuse; expressions go through sqlparser (fed with our tokens), which never sees more of
//! them than [`budget`] allows.

mod account;
mod account_grant;
#[cfg(test)]
mod account_tests;
mod alter;
pub(crate) mod budget;
#[cfg(test)]
mod budget_tests;
mod call;
mod char_codes;
mod charset;
mod convert;
mod ddl;
mod dialect;
mod escape;
mod expression;
mod hex;
mod insert;
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
#[cfg(test)]
mod statement_tests;
mod tags;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
mod transaction;
mod wrapped;

use std::sync::Arc;
use std::time::Duration;

pub use charset::is_collation;
pub(crate) use expression::Expr;
pub use raw_bytes::spell_bytes;
pub(crate) use refuse::unsupported;

use crate::account::Grant;
use crate::ast::{Limit, Parsed, Select};
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::relational::RelationalError;
use budget::Stack;
use reader::Reader;
use tokens::Tokens;

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
    parsed: Parsed,
}

/// What a statement is: a closed set, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum StatementKind {
    Select,
    Insert,
    Update,
    Delete,
    Replace,
    Ddl,
    Set,
    Show,
    Use,
    Transaction,
    Explain,
    Other,
}

impl StatementKind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Replace,
        Self::Ddl,
        Self::Set,
        Self::Show,
        Self::Use,
        Self::Transaction,
        Self::Explain,
        Self::Other,
    ];

    /// Its name as a metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Replace => "replace",
            Self::Ddl => "ddl",
            Self::Set => "set",
            Self::Show => "show",
            Self::Use => "use",
            Self::Transaction => "transaction",
            Self::Explain => "explain",
            Self::Other => "other",
        }
    }
}

impl Statement {
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

    pub(crate) fn parsed(&self) -> &Parsed {
        &self.inner.parsed
    }
}

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
            .unwrap_or_else(|| Err(budget::limit("the nesting of an expression", budget::NESTING, "nesting")))
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

/// Runs what may recurse deeply. The thread costs some 30 us, which only unusual statements pay.
#[cfg(not(test))]
pub(crate) fn on_big_stack<T: Send>(work: impl FnOnce() -> Result<T, SqlError> + Send) -> Result<T, SqlError> {
    on_a_thread(work)?
}

/// Runs what may recurse deeply; what it computes counts as computed by the test that waits for it.
#[cfg(test)]
pub(crate) fn on_big_stack<T: Send>(work: impl FnOnce() -> Result<T, SqlError> + Send) -> Result<T, SqlError> {
    let (done, computed) = on_a_thread(|| (work(), crate::testing::computed()))?;
    crate::testing::computed_elsewhere(computed);
    done
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, SqlError> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("parse".into())
            .stack_size(budget::STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|e| SqlError::Internal(format!("no thread to parse on: {e}")))?
            .join()
            .map_err(|_| SqlError::Internal("the parser panicked".into()))
    })
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
        let (shown, holds_password) = crate::mask::shown(&tokens.written(text), mode, kind);
        done.push(Statement {
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
                parsed,
            }),
        });
    }
    Some(Ok(done))
}

/// Parses the statement the reader is at, to its end.
fn one(reader: &mut Reader<'_>) -> (StatementKind, Result<Parsed, SqlError>) {
    let kind = kind(reader);
    let parsed = statement(reader).and_then(|parsed| reader.end().map(|()| parsed));
    (kind, parsed)
}

fn kind(reader: &Reader<'_>) -> StatementKind {
    const WORDS: [(&str, StatementKind); 23] = [
        ("SELECT", StatementKind::Select),
        ("WITH", StatementKind::Select),
        ("INSERT", StatementKind::Insert),
        ("UPDATE", StatementKind::Update),
        ("DELETE", StatementKind::Delete),
        ("REPLACE", StatementKind::Replace),
        ("CREATE", StatementKind::Ddl),
        ("DROP", StatementKind::Ddl),
        ("ALTER", StatementKind::Ddl),
        ("TRUNCATE", StatementKind::Ddl),
        ("RENAME", StatementKind::Ddl),
        ("GRANT", StatementKind::Ddl),
        ("REVOKE", StatementKind::Ddl),
        ("SET", StatementKind::Set),
        ("SHOW", StatementKind::Show),
        ("USE", StatementKind::Use),
        ("BEGIN", StatementKind::Transaction),
        ("START", StatementKind::Transaction),
        ("COMMIT", StatementKind::Transaction),
        ("ROLLBACK", StatementKind::Transaction),
        ("SAVEPOINT", StatementKind::Transaction),
        ("RELEASE", StatementKind::Transaction),
        ("EXPLAIN", StatementKind::Explain),
    ];
    if reader.sees_any(&["DESCRIBE", "DESC"]) {
        return if explains(reader) { StatementKind::Explain } else { StatementKind::Show };
    }
    if reader.peek().is_some_and(|t| t.is_symbol(tokens::Symbol::Open)) {
        return StatementKind::Select;
    }
    WORDS.iter().find(|(w, _)| reader.sees(&[w])).map_or(StatementKind::Other, |(_, kind)| *kind)
}

fn statement(reader: &mut Reader<'_>) -> Result<Parsed, SqlError> {
    if reader.tokens.is_empty() {
        // Nothing but comments.
        return Ok(Parsed::Do(Vec::new()));
    }
    if let Some(transaction) = transaction::transaction(reader)? {
        return Ok(Parsed::Transaction(transaction));
    }
    if let Some(account) = account::account(reader)? {
        return Ok(Parsed::Account(Box::new(account)));
    }
    if let Some(grant) = account_grant::grant(reader)? {
        return Ok(Parsed::Grant(Box::new(grant)));
    }
    if let Some(lock) = lock::lock(reader)? {
        return Ok(lock);
    }
    if let Some(prepared) = prepare::prepare(reader)? {
        return Ok(Parsed::Prepared(prepared));
    }
    if let Some(refusal) = refuse::refusal(reader) {
        return Err(refusal);
    }
    if reader.sees_any(&["EXPLAIN", "DESCRIBE", "DESC"]) {
        return explain(reader);
    }
    if reader.sees(&["SELECT"]) {
        return select_of_either_kind(reader);
    }
    if reader.sees_symbol(tokens::Symbol::Open) {
        let start = reader.at;
        match wrapped::parenthesized(reader) {
            Ok(Some(select)) if !select.names_system_database() => return Ok(Parsed::Select(Box::new(select))),
            Err(error) if reader.too_deep.get() => return Err(error),
            Ok(_) | Err(_) => reader.at = start,
        }
        return relational::query(reader).map(|q| Parsed::Relational { query: Box::new(q), refusal: None });
    }
    if reader.take(&["INSERT"]) {
        return insert::insert(reader).map(|i| Parsed::Insert(Box::new(i)));
    }
    if reader.take(&["DELETE"]) {
        return insert::delete(reader).map(Parsed::Delete);
    }
    if reader.take(&["SET"]) {
        return set::set(reader).map(Parsed::Set);
    }
    if reader.sees(&["SHOW", "COUNT"]) {
        let variable = show::count(reader)?;
        return Ok(Parsed::Select(Box::new(variable_select(variable))));
    }
    if reader.take(&["SHOW"]) {
        return show::show(reader).map(Parsed::Show);
    }
    if reader.take(&["USE"]) {
        return reader.name().map(Parsed::Use);
    }
    if reader.take(&["CREATE"]) {
        return ddl::create(reader).map(Parsed::Ddl);
    }
    if reader.take(&["DROP"]) {
        return ddl::drop(reader).map(Parsed::Ddl);
    }
    if reader.take(&["ALTER"]) {
        return alter::alter(reader).map(Parsed::Ddl);
    }
    if reader.take(&["RENAME"]) {
        return ddl::rename(reader).map(Parsed::Ddl);
    }
    if reader.take(&["TRUNCATE"]) {
        return ddl::truncate(reader).map(Parsed::Ddl);
    }
    if reader.take(&["DO"]) {
        return reader.expressions().map(Parsed::Do);
    }
    Err(reader.error("expected a statement"))
}

/// A SELECT of the cell dialect if it is one, else of the relational engine.
fn select_of_either_kind(reader: &mut Reader<'_>) -> Result<Parsed, SqlError> {
    let start = reader.at;
    reader.take(&["SELECT"]);
    let plain = select::select(reader).and_then(|select| reader.end().map(|()| select));
    let refusal = match plain {
        Ok(select) if !select.names_system_database() => return Ok(Parsed::Select(Box::new(select))),
        Ok(_) => None,
        // Another parser needs no less stack.
        Err(error) if reader.too_deep.get() => return Err(error),
        Err(error) => Some(error),
    };
    reader.at = start;
    match wrapped::wrapped(reader) {
        Ok(Some(wrapped)) if !wrapped.select.names_system_database() => return Ok(Parsed::Wrapped(Box::new(wrapped))),
        Err(error) if reader.too_deep.get() => return Err(error),
        Ok(_) | Err(_) => reader.at = start,
    }
    match (relational::query(reader), refusal) {
        (Ok(query), refusal) => Ok(Parsed::Relational { query: Box::new(query), refusal }),
        // Neither can: what is wrong to the simpler one is said, unless it only does not have it.
        (Err(error), None)
        | (Err(error @ SqlError::Relational(RelationalError::NoAlias)), Some(_))
        | (
            Err(
                error @ (SqlError::Syntax { .. }
                | SqlError::Unsupported { .. }
                | SqlError::IllegalDouble(_)
                | SqlError::Limit { .. }),
            ),
            Some(SqlError::Unsupported { .. }),
        ) => Err(error),
        (Err(_), Some(refusal)) => Err(refusal),
    }
}

/// The SELECT of a statement as the relational engine reads it.
///
/// # Errors
/// Those of parsing.
pub(crate) fn relational(statement: &Statement) -> Result<crate::relational::ast::Query, SqlError> {
    let (text, mode) = (statement.text(), statement.inner.mode);
    let statements = tokens::tokenize(text, mode, budget::TOKENS)?;
    let Some(tokens) = statements.first() else { return Err(SqlError::Empty) };
    on_big_stack(|| relational::query(&mut Reader::new(text, &tokens.tokens, mode, budget::RECURSION)))
}

/// `SHOW COUNT(*) WARNINGS` is `SELECT @@session.warning_count`.
fn variable_select(variable: &str) -> Select {
    let leaf = crate::expression::Leaf::SystemVariable { global: false, name: variable.to_owned() };
    Select {
        items: vec![crate::ast::Item::Expression {
            expression: crate::expression::Expression::Leaf(leaf),
            alias: None,
            written: format!("@@session.{variable}"),
        }],
        distinct: false,
        from: None,
        condition: None,
        group_by: Vec::new(),
        having: None,
        order_by: Vec::new(),
        limit: Limit::default(),
        locking: false,
        counts_all: false,
        into: Vec::new(),
    }
}

/// Whether EXPLAIN, DESCRIBE or DESC is about a statement rather than a table.
fn explains(reader: &Reader<'_>) -> bool {
    let words = [
        "SELECT",
        "INSERT",
        "DELETE",
        "UPDATE",
        "REPLACE",
        "ANALYZE",
        "FORMAT",
        "EXTENDED",
        "PARTITIONS",
        "FOR",
        "WITH",
    ];
    reader.peek_at(1).is_some_and(|t| words.iter().any(|w| t.is(reader.text, w)) || t.is_symbol(tokens::Symbol::Open))
}

/// EXPLAIN and its synonyms, of a statement or a table.
fn explain(reader: &mut Reader<'_>) -> Result<Parsed, SqlError> {
    let of_statement = explains(reader);
    reader.next();
    if !of_statement {
        return show::describe(reader).map(Parsed::Show);
    }
    let mut analyze = false;
    loop {
        if reader.take(&["ANALYZE"]) {
            analyze = true;
        } else if reader.take(&["FORMAT"]) {
            // There is one format; the name only says how MySQL would print its own.
            reader.expect_symbol(tokens::Symbol::Equal, "=")?;
            reader.name_or_string()?;
        } else if reader.take_any(&["EXTENDED", "PARTITIONS"]).is_none() {
            break;
        }
    }
    if reader.sees(&["FOR", "CONNECTION"]) {
        return Err(unsupported("EXPLAIN FOR CONNECTION", "explain the statement itself"));
    }
    let opens = reader.sees_symbol(tokens::Symbol::Open);
    if !opens && !reader.sees_any(&["SELECT", "INSERT", "DELETE", "UPDATE", "REPLACE", "WITH"]) {
        return Err(reader.error("expected SELECT, INSERT or DELETE"));
    }
    Ok(Parsed::Explain { analyze, statement: Box::new(statement(reader)?) })
}
