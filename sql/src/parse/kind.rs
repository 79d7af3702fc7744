//! What a statement is, told by its first words: also of one that is refused or has an error.

use super::explain::explains;
use super::reader::Reader;
use super::tokens::Symbol;

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

/// The kind of the statement the reader is at.
pub(super) fn kind(reader: &Reader<'_>) -> StatementKind {
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
    if reader.peek().is_some_and(|t| t.is_symbol(Symbol::Open)) {
        return StatementKind::Select;
    }
    WORDS.iter().find(|(w, _)| reader.sees(&[w])).map_or(StatementKind::Other, |(_, kind)| *kind)
}
