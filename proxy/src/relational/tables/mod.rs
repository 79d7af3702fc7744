//! The tables of the system databases: their columns with MySQL 8.0's names, order and types, and their rows.

mod catalog;
mod definitions;
mod empty;
mod keywords;
mod server;
pub mod static_rows;

use std::sync::Arc;

use cellgate_sql::relational::Relation;
use cellgate_sql::{Row, Value};

use super::Sight;
use crate::access::{SchemaPrivilege, TablePrivilege, UserPrivilege, UserRow};
use crate::catalog::Snapshot;
pub use catalog::{charset_of, collation_of, table_type};

/// The databases that are made of relations.
pub const SYSTEM_DATABASES: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// Those that are listed: the others answer what clients ask of them, and are nothing to browse or to dump.
pub const LISTED_DATABASES: [&str; 2] = ["information_schema", "performance_schema"];

/// What the tables show of the server and the session, at the time of the statement.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What the user may see.
    pub sight: Sight,
    /// Id, user, host, database, command, seconds, state, statement.
    pub processes: Vec<Row>,
    /// Names and values of the session's variables.
    pub session_variables: Vec<(String, Value)>,
    /// Names and values of the server's.
    pub global_variables: Vec<(String, Value)>,
    /// Names and values of what SHOW STATUS shows.
    pub session_status: Vec<(String, String)>,
    /// Names and values of what SHOW GLOBAL STATUS shows.
    pub global_status: Vec<(String, String)>,
    /// Accounts, as `mysql.user` has them.
    pub users: Vec<UserRow>,
    /// Privileges on everything.
    pub user_privileges: Vec<UserPrivilege>,
    /// Privileges on databases.
    pub schema_privileges: Vec<SchemaPrivilege>,
    /// Privileges on tables.
    pub table_privileges: Vec<TablePrivilege>,
}

/// Rows that are made one after the other: a large catalog has many.
pub(super) type Made<'a> = Box<dyn Iterator<Item = Row> + 'a>;

/// A table's rows.
pub(super) enum Rows<'a> {
    /// Of the catalog: the same until it changes.
    OfCatalog(Box<dyn FnOnce() -> Made<'a> + 'a>),
    /// Of this moment.
    Now(Vec<Row>),
}

/// Whether a database is made of relations.
pub fn is_system_database(name: &str) -> bool {
    system_database(name).is_some()
}

/// The system database of this name, whatever its case.
pub fn system_database(name: &str) -> Option<&'static str> {
    SYSTEM_DATABASES.into_iter().find(|d| d.eq_ignore_ascii_case(name))
}

/// The relation of this name, whatever its case.
pub fn relation(database: &str, table: &str) -> Option<&'static Relation> {
    all().find(|r| r.database.eq_ignore_ascii_case(database) && r.name.eq_ignore_ascii_case(table))
}

/// The type of a relation's column as DESCRIBE has it.
pub fn column_type(column: &cellgate_sql::relational::RelationColumn) -> String {
    catalog::relation_type(column).1
}

/// All relations.
pub fn relations() -> impl Iterator<Item = &'static Relation> {
    all()
}

/// All relations.
pub(super) fn all() -> impl Iterator<Item = &'static Relation> {
    definitions::ALL.iter().chain(empty::ALL)
}

/// The rows of a relation.
pub(super) fn rows<'a>(relation: &'static Relation, catalog: &'a Arc<Snapshot>, state: &'a State) -> Rows<'a> {
    let of_catalog =
        |make: fn(&'a Snapshot, &'a Sight) -> Made<'a>| Rows::OfCatalog(Box::new(move || make(catalog, &state.sight)));
    let always = |make: fn() -> Vec<Row>| Rows::OfCatalog(Box::new(move || Box::new(make().into_iter())));
    match (relation.database, relation.name) {
        ("information_schema", name) => match name {
            "SCHEMATA" => of_catalog(catalog::schemata),
            "TABLES" => of_catalog(catalog::tables),
            "COLUMNS" => of_catalog(catalog::columns),
            "STATISTICS" => of_catalog(catalog::statistics),
            "KEY_COLUMN_USAGE" => of_catalog(catalog::key_column_usage),
            "TABLE_CONSTRAINTS" => of_catalog(catalog::table_constraints),
            "PARTITIONS" => of_catalog(catalog::partitions),
            "CHARACTER_SETS" => always(static_rows::character_sets),
            "COLLATIONS" => always(static_rows::collations),
            "COLLATION_CHARACTER_SET_APPLICABILITY" => always(static_rows::applicability),
            "ENGINES" => always(static_rows::engines),
            "KEYWORDS" => always(keywords::keywords),
            "PROCESSLIST" => Rows::Now(server::processes(state)),
            "USER_PRIVILEGES" => Rows::Now(server::user_privileges(state)),
            "SCHEMA_PRIVILEGES" => Rows::Now(server::schema_privileges(state)),
            "TABLE_PRIVILEGES" => Rows::Now(server::table_privileges(state)),
            _ => Rows::Now(Vec::new()),
        },
        ("performance_schema", name) => match name {
            "global_status" => Rows::Now(server::status(&state.global_status)),
            "session_status" => Rows::Now(server::status(&state.session_status)),
            "global_variables" => Rows::Now(server::variables(&state.global_variables)),
            "session_variables" => Rows::Now(server::variables(&state.session_variables)),
            "processlist" => Rows::Now(server::processes(state)),
            _ => Rows::Now(Vec::new()),
        },
        ("mysql", "user") => Rows::Now(server::users(state)),
        (_, _) => Rows::Now(Vec::new()),
    }
}

/// Text a row holds.
fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into().into())
}

/// `YES` or `NO`.
fn yes(yes: bool) -> Value {
    text(if yes { "YES" } else { "NO" })
}

/// A number a row holds.
fn number(n: impl TryInto<i64>) -> Value {
    Value::Int(n.try_into().unwrap_or(i64::MAX))
}
