//! What binding a statement needs to know of the session and the catalog.

use std::sync::Arc;

use cellgate_schemaless::{Micros, TableDef};

use crate::relational::Relation;
use crate::value::Value;

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
    /// The virtual shard of a row key.
    fn shard_of(&self, row_key: &[u8]) -> u16;
    /// How many virtual shards there are (`PARTITION (p<n>)` is checked against it).
    fn virtual_shards(&self) -> u32;
    /// The time of the statement.
    fn now(&self) -> Micros;
    /// The session's sql_mode, as far as it changes results.
    fn sql_mode(&self) -> SqlMode;
    /// Most rows a statement may collect for sorting, grouping or the row shape.
    fn collect_rows(&self) -> usize;
    /// Most bytes of rows a statement may collect.
    fn collect_bytes(&self) -> usize;
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
    /// `CONNECTION_ID()`.
    ConnectionId,
    /// `LAST_INSERT_ID()`.
    LastInsertId,
    /// `ROW_COUNT()`.
    RowCount,
    /// `FOUND_ROWS()`.
    FoundRows,
}

/// Modes of `sql_mode` that change how text is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SqlMode {
    /// `"x"` is an identifier.
    pub ansi_quotes: bool,
    /// A backslash in a string is itself.
    pub no_backslash_escapes: bool,
    /// `||` concatenates.
    pub pipes_as_concat: bool,
}
