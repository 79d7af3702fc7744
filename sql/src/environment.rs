//! What binding a statement needs to know of the session and the catalog.

use std::sync::Arc;

use cellgate_schemaless::{Micros, TableDef};

use crate::error::SqlError;
use crate::expression::VALUE_BYTES;
use crate::relational::Relation;
use crate::shape::Patience;
use crate::value::Value;
use crate::zone::TimeZone;

/// The session as a statement sees it.
pub trait Environment: Sync {
    /// The current database.
    fn database(&self) -> Option<&str>;
    /// A table, by exact names; `None` if the catalog has none.
    fn table(&self, database: &str, name: &str) -> Option<Arc<TableDef>>;
    /// Whether the database exists.
    fn has_database(&self, database: &str) -> bool;
    /// `@@name`, `@@session.name`, `@@global.name` (lower case); `None` if there is no such variable.
    fn variable(&self, global: bool, name: &str) -> Option<Value>;
    /// Whether `@@global.name`, or `@@session.name`, may be asked for.
    ///
    /// # Errors
    /// [`SqlError::OtherScope`] for a variable that only sessions have, or only the server.
    fn check_scope(&self, _global: bool, _name: &str) -> Result<(), SqlError> {
        Ok(())
    }
    /// `@name` (lower case); NULL if never set.
    fn user_variable(&self, name: &str) -> Value;
    /// `DATABASE()`, `VERSION()`, ...
    fn function(&self, function: SessionFunction) -> Value;
    /// A table the relational engine can fill, whatever the case of its name; `None` if there is none.
    fn relation(&self, _database: &str, _table: &str) -> Option<&'static Relation> {
        None
    }
    /// Whether the database is one of those made of relations: `information_schema` and its like.
    fn is_system_database(&self, _name: &str) -> bool {
        false
    }
    /// `GET_LOCK(..)`, `SLEEP(..)`, ...: what the session does, with the values of its arguments.
    ///
    /// # Errors
    /// [`SqlError::Pending`] if it has to wait: the session does it, and binds the statement again.
    fn call(&self, call: SessionCall, arguments: &[Value]) -> Result<Value, SqlError>;
    /// The virtual shard of a row key.
    fn shard_of(&self, row_key: &[u8]) -> u16;
    /// How many virtual shards there are (`PARTITION (p<n>)` is checked against it).
    fn virtual_shards(&self) -> u32;
    /// The time of the statement, in UTC.
    fn now(&self) -> Micros;
    /// The session's time zone.
    fn time_zone(&self) -> TimeZone;
    /// The time zone of this name, whatever its case, `+hh:mm` among them; `None` if there is none.
    ///
    /// # Errors
    /// [`SqlError::TimeZoneFile`] if that cannot be told now.
    fn zone(&self, name: &str) -> Result<Option<TimeZone>, SqlError> {
        Ok(TimeZone::named(name))
    }
    /// Hears of what a value lost that is computed while the statement is bound: a warning.
    fn lost(&self, _told: SqlError) {}
    /// The session's sql_mode, as far as it changes results.
    fn sql_mode(&self) -> SqlMode;
    /// Most rows a statement may collect for sorting, grouping or the row shape.
    fn collect_rows(&self) -> usize;
    /// Most bytes of rows a statement may collect.
    fn collect_bytes(&self) -> usize;
    /// When the work of binding the statement is given up ([`SqlError::GivenUp`]); asked for once, when it begins.
    fn patience(&self) -> Patience {
        Patience::default()
    }
    /// Longest value an expression may have, and longest row, in bytes: `max_allowed_packet`.
    fn longest_value(&self) -> usize {
        match self.variable(false, "max_allowed_packet") {
            Some(Value::Int(bytes)) => usize::try_from(bytes).unwrap_or(VALUE_BYTES),
            Some(_) | None => VALUE_BYTES,
        }
    }
}

/// Functions whose value is the session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionFunction {
    /// `DATABASE()`, `SCHEMA()`.
    Database,
    /// `VERSION()`.
    Version,
    /// `USER()`, `SESSION_USER()`, `SYSTEM_USER()`.
    User,
    /// `CURRENT_USER`, `CURRENT_USER()`.
    CurrentUser,
    /// `CURRENT_ROLE()`: there are no roles.
    CurrentRole,
    /// `CONNECTION_ID()`.
    ConnectionId,
    /// `LAST_INSERT_ID()`.
    LastInsertId,
    /// `ROW_COUNT()`.
    RowCount,
    /// `FOUND_ROWS()`.
    FoundRows,
}

/// Most calls of SLEEP, GET_LOCK and its kin in a statement: each is waited for outside of it, which is then bound once
/// more.
pub const CALLS: usize = 64;

/// Functions that do something in the session, in the order they stand in the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCall {
    /// `GET_LOCK(name, seconds)`.
    GetLock,
    /// `RELEASE_LOCK(name)`.
    ReleaseLock,
    /// `RELEASE_ALL_LOCKS()`.
    ReleaseAllLocks,
    /// `IS_FREE_LOCK(name)`.
    IsFreeLock,
    /// `IS_USED_LOCK(name)`.
    IsUsedLock,
    /// `LAST_INSERT_ID(n)`.
    SetLastInsertId,
    /// `SLEEP(seconds)`.
    Sleep,
    /// `UUID()`.
    Uuid,
}

impl SessionCall {
    /// The function of this name (upper case) with so many arguments.
    pub(crate) fn named(name: &str, arguments: usize) -> Option<Self> {
        Some(match (name, arguments) {
            ("GET_LOCK", 2) => Self::GetLock,
            ("RELEASE_LOCK", 1) => Self::ReleaseLock,
            ("RELEASE_ALL_LOCKS", 0) => Self::ReleaseAllLocks,
            ("IS_FREE_LOCK", 1) => Self::IsFreeLock,
            ("IS_USED_LOCK", 1) => Self::IsUsedLock,
            ("LAST_INSERT_ID", 1) => Self::SetLastInsertId,
            ("SLEEP", 1) => Self::Sleep,
            ("UUID", 0) => Self::Uuid,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetLock => "GET_LOCK",
            Self::ReleaseLock => "RELEASE_LOCK",
            Self::ReleaseAllLocks => "RELEASE_ALL_LOCKS",
            Self::IsFreeLock => "IS_FREE_LOCK",
            Self::IsUsedLock => "IS_USED_LOCK",
            Self::SetLastInsertId => "LAST_INSERT_ID",
            Self::Sleep => "SLEEP",
            Self::Uuid => "UUID",
        }
    }
}

/// Modes of `sql_mode` that change what a statement means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SqlMode {
    /// `"x"` is an identifier.
    pub ansi_quotes: bool,
    /// A backslash in a string is itself.
    pub no_backslash_escapes: bool,
    /// `||` concatenates.
    pub pipes_as_concat: bool,
    /// `NOT a BETWEEN b AND c` is `(NOT a) BETWEEN b AND c`.
    pub high_not_precedence: bool,
    /// Without ONLY_FULL_GROUP_BY: a column that is not grouped by has the value of any row of its group.
    pub any_of_group: bool,
    /// Without ERROR_FOR_DIVISION_BY_ZERO: a division by zero is NULL, and nobody hears of it.
    pub divides_by_zero: bool,
}

impl SqlMode {
    /// Whether the same text is the same statements in both.
    pub(crate) fn reads_as(self, other: Self) -> bool {
        let Self { ansi_quotes, no_backslash_escapes, pipes_as_concat, high_not_precedence, .. } = self;
        ansi_quotes == other.ansi_quotes
            && no_backslash_escapes == other.no_backslash_escapes
            && pipes_as_concat == other.pipes_as_concat
            && high_not_precedence == other.high_not_precedence
    }
}
