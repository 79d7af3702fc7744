//! Statements as parsed: names not looked up, parameters not filled in.

use crate::account::{AccountRef, AccountStatement, Listed};
use crate::command::{KillScope, LockMode, RowColumnSpec, SettingScope, TableChange, Transaction};
use crate::error::SqlError;
use crate::parse::Expr;

/// The databases every MySQL server has for itself.
const SYSTEM_DATABASES: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// A table as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The database, if it was written.
    pub database: Option<String>,
    /// The table.
    pub table: String,
}

/// A parsed statement.
#[derive(Clone, Debug)]
pub(crate) enum Parsed {
    /// SELECT.
    Select(Box<Select>),
    /// A SELECT for the relational engine.
    Relational {
        /// What.
        query: Box<crate::relational::ast::Query>,
        /// What the cell dialect says of it, for tables the engine does not hold.
        refusal: Option<SqlError>,
    },
    /// A SELECT whose rows are only counted, or asked for.
    Wrapped(Box<Wrapped>),
    /// INSERT.
    Insert(Box<Insert>),
    /// DELETE.
    Delete(Delete),
    /// CREATE, DROP, ALTER.
    Ddl(DdlStatement),
    /// SET.
    Set(Vec<Assignment>),
    /// SHOW, DESCRIBE.
    Show(ShowStatement),
    /// USE.
    Use(String),
    /// BEGIN, COMMIT, ...
    Transaction(Transaction),
    /// EXPLAIN.
    Explain {
        /// `ANALYZE`
        analyze: bool,
        /// Of what; never an EXPLAIN.
        statement: Box<Parsed>,
    },
    /// CREATE, ALTER, DROP, RENAME USER, SET PASSWORD.
    Account(Box<AccountStatement>),
    /// GRANT, REVOKE.
    Grant(Box<GrantStatement>),
    /// DO.
    Do(Vec<Expr>),
    /// LOCK TABLES and its kin.
    Lock(LockStatement),
    /// FLUSH without a lock.
    Flush(Vec<crate::command::Flush>),
    /// PREPARE, EXECUTE, DEALLOCATE PREPARE.
    Prepared(PreparedStatement),
    /// KILL.
    Kill {
        /// Which connection.
        id: Expr,
        /// How much of it.
        scope: KillScope,
    },
    /// Understood, and refused.
    Refused(SqlError),
}

impl Parsed {
    /// The SELECT of the cell dialect that it is, or whose rows it counts or asks for.
    pub(crate) fn cell_select(&self) -> Option<&Select> {
        match self {
            Self::Select(select) => Some(select),
            Self::Wrapped(wrapped) => Some(&wrapped.select),
            Self::Relational { .. }
            | Self::Insert(_)
            | Self::Delete(_)
            | Self::Ddl(_)
            | Self::Set(_)
            | Self::Show(_)
            | Self::Use(_)
            | Self::Transaction(_)
            | Self::Explain { .. }
            | Self::Account(_)
            | Self::Grant(_)
            | Self::Lock(_)
            | Self::Prepared(_)
            | Self::Flush(_)
            | Self::Kill { .. }
            | Self::Do(_)
            | Self::Refused(_) => None,
        }
    }
}

/// SELECT.
#[derive(Clone, Debug)]
pub(crate) struct Select {
    pub items: Vec<Item>,
    pub distinct: bool,
    pub from: Option<From>,
    pub condition: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub having: Option<Expr>,
    /// Expressions with "descending".
    pub order_by: Vec<(Expr, bool)>,
    pub limit: Limit,
    pub locking: bool,
    /// `SQL_CALC_FOUND_ROWS`
    pub counts_all: bool,
    /// `INTO @a, @b`
    pub into: Vec<String>,
}

impl Select {
    /// Whether FROM names one of the databases every MySQL server has for itself.
    pub fn names_system_database(&self) -> bool {
        let database = self.from.as_ref().and_then(|from| from.name.database.as_deref());
        database.is_some_and(|d| SYSTEM_DATABASES.iter().any(|s| d.eq_ignore_ascii_case(s)))
    }
}

/// A SELECT within another, which makes one row of it or none.
#[derive(Clone, Debug)]
pub(crate) struct Wrapped {
    pub select: Select,
    pub around: Around,
}

/// What the outer SELECT asks of the rows of the inner one.
#[derive(Clone, Debug)]
pub(crate) enum Around {
    /// How many they are.
    Count { name: String },
    /// Whether there are any, as a value.
    Exists { name: String },
    /// Whether there are any: a row of constants if so.
    IfAny { items: Vec<Item> },
}

/// Prepared statements in text, names as written.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(crate) enum PreparedStatement {
    Prepare { name: String, text: Expr },
    Execute { name: String, values: Vec<Expr> },
    Deallocate { name: String },
}

/// LIMIT.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limit {
    pub count: Option<Expr>,
    pub offset: Option<Expr>,
}

/// An item of the select list.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// `*`
    All,
    /// `t.*`
    AllOf(Vec<String>),
    /// An expression.
    Expression {
        expression: Expr,
        /// Its alias.
        alias: Option<String>,
        /// Its text as written.
        written: String,
    },
}

/// FROM.
#[derive(Clone, Debug)]
pub(crate) struct From {
    pub name: Name,
    pub alias: Option<String>,
    /// `PARTITION (..)`
    pub partitions: Option<Vec<String>>,
}

/// INSERT.
#[derive(Clone, Debug)]
pub(crate) struct Insert {
    pub table: Name,
    /// The columns as written; `None` without a list.
    pub columns: Option<Vec<String>>,
    pub rows: Vec<Vec<Expr>>,
    pub ignore: bool,
    /// The columns that `ON DUPLICATE KEY UPDATE c = c` names: a row that exists stays as it is.
    pub unchanged: Vec<String>,
    pub returning: Option<Vec<Item>>,
}

/// DELETE.
#[derive(Clone, Debug)]
pub(crate) struct Delete {
    pub from: From,
    pub condition: Option<Expr>,
    /// At most so many cells.
    pub limit: Option<Expr>,
}

/// A change of the catalog, names as written.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(crate) enum DdlStatement {
    CreateDatabase { name: String, if_not_exists: bool, collation: Option<String> },
    AlterDatabase { name: Option<String>, collation: Option<String> },
    DropDatabase { name: String, if_exists: bool },
    CreateTable { name: Name, if_not_exists: bool, columns: Vec<RowColumnSpec>, comment: String },
    CreateTableLike { name: Name, if_not_exists: bool, like: Name },
    DropTable { names: Vec<Name>, if_exists: bool },
    AlterTable { name: Name, changes: Vec<TableChange>, rename: Option<Name> },
    RenameTables(Vec<(Name, Name)>),
    Truncate(Name),
}

/// GRANT or REVOKE, names as written.
#[derive(Clone, Debug)]
pub(crate) struct GrantStatement {
    pub granting: Granting,
    pub listed: Listed,
    pub on: On,
    pub accounts: Vec<AccountRef>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granting {
    Grant,
    Revoke,
    /// `REVOKE ALL PRIVILEGES, GRANT OPTION FROM`
    RevokeAll,
}

/// What it is on, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// `*.*`
    Global,
    /// `db.*`, or `*` for the current one.
    Database(Option<String>),
    /// `[db.]t`
    Table(Name),
}

/// LOCK TABLES, FLUSH TABLES WITH READ LOCK, UNLOCK TABLES, names as written.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(crate) enum LockStatement {
    Tables(Vec<LockedTable>),
    /// FLUSH TABLES of these WITH READ LOCK.
    Flushed(Vec<LockedTable>),
    Everything,
    Unlock,
}

/// A table of LOCK TABLES.
#[derive(Clone, Debug)]
pub(crate) struct LockedTable {
    pub name: Name,
    pub alias: Option<String>,
    pub mode: LockMode,
}

/// One assignment of a SET.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub scope: SettingScope,
    pub name: String,
    pub value: AssignedValue,
}

/// What is assigned.
#[derive(Clone, Debug)]
pub(crate) enum AssignedValue {
    /// DEFAULT.
    Default,
    /// An expression; a bare word is text already.
    Expression(Expr),
}

/// SHOW, DESCRIBE.
#[derive(Clone, Debug)]
pub(crate) struct ShowStatement {
    pub what: Shown,
    pub like: Option<String>,
    pub condition: Option<Expr>,
    pub limit: Limit,
}

/// What a SHOW shows, names as written.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(crate) enum Shown {
    Databases,
    Tables { database: Option<String>, full: bool },
    TableStatus { database: Option<String> },
    Columns { table: Name, full: bool },
    Index { table: Name },
    CreateTable { table: Name },
    CreateDatabase { database: String, if_not_exists: bool },
    Variables { global: bool },
    Status { global: bool },
    Warnings,
    Errors,
    Processlist { full: bool },
    Grants { account: AccountRef },
    CreateUser { account: AccountRef },
    Engines,
    Collation,
    CharacterSet,
    Shards,
    Clusters,
    Topology,
    Privileges,
    Triggers { database: Option<String> },
    Absent(crate::command::Absent),
}
