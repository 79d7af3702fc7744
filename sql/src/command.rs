//! What a bound statement asks for: everything the session has to do, with nothing left to evaluate.

use std::sync::Arc;

use bytes::Bytes;
use cellgate_schemaless::{Erasure, NewCell, Request, TableDef};

use crate::account::{AccountRef, AccountStatement};
use crate::filter::Filter;
use crate::relational::Program;
use crate::shape::Shape;
use crate::value::Value;

/// A statement with its parameters, ready to run.
#[derive(Clone, Debug)]
pub enum Command {
    /// Read cells (or nothing) and shape rows of them.
    Read(Read),
    /// Run a SELECT on the relational engine.
    Relational(Box<Program>),
    /// Write cells.
    Put(Put),
    /// Erase cells.
    Erase(Erase),
    /// Change the catalog.
    Ddl(Ddl),
    /// `USE`.
    Use(String),
    /// `SET`: in order; nothing is applied unless all can be.
    Set(Vec<Setting>),
    /// Transaction control.
    Transaction(Transaction),
    /// `SHOW`, `DESCRIBE`.
    Show(Show),
    /// `EXPLAIN` of a statement.
    Explain(Box<Explain>),
    /// Users and their privileges.
    Account(Box<AccountStatement>),
    /// Locking and unlocking of tables.
    Lock(TableLock),
    /// `FLUSH`, with an effect.
    Flush(Vec<Flush>),
    /// `PREPARE`, `EXECUTE`, `DEALLOCATE PREPARE`.
    Prepared(Prepared),
    /// `KILL`.
    Kill {
        /// The connection's id.
        id: u64,
        /// How much of it ends.
        scope: KillScope,
    },
    /// Accepted, no effect, because it cannot have one here (e.g. `FLUSH STATUS` is not among them; `FLUSH LOGS` is).
    Nothing,
}

/// A SELECT.
#[derive(Clone, Debug)]
pub struct Read {
    /// The table, if any.
    pub table: Option<Arc<TableDef>>,
    /// Where the cells come from.
    pub source: Source,
    /// How rows are made of them.
    pub shape: Shape,
    /// `FOR UPDATE`, `FOR SHARE`, `LOCK IN SHARE MODE`.
    pub locking: bool,
    /// Every shard is read (counted, and noted in SHOW WARNINGS).
    pub scatter: bool,
    /// What kind of read it is, for metrics.
    pub kind: ReadKind,
    /// The statement has a LIMIT of its own, so that `sql_select_limit` does not apply.
    pub limited: bool,
    /// `SQL_CALC_FOUND_ROWS`: which rows are sent, of all that are made.
    pub cut: Option<Cut>,
    /// `INTO @a, @b`: the user variables that take the one row (names in lower case).
    pub into: Vec<String>,
}

/// The rows of a result that are sent, while all are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Left out at the start.
    pub offset: u64,
    /// Sent at most; `None` is all.
    pub count: Option<u64>,
}

/// What kind of read a SELECT is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadKind {
    /// One cell by its name.
    Get,
    /// Several cells by their names.
    GetMulti,
    /// The latest cell of a chain.
    Latest,
    /// The cells of rows or chains.
    Rows,
    /// The log of some shards.
    Partition,
    /// The log of all shards.
    Scatter,
    /// Rows of declared columns.
    RowShape,
    /// No table.
    Constant,
}

/// Where the cells of a SELECT come from.
// A statement has one: boxing the request would cost an allocation for every read.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum Source {
    /// No table: the shape makes one row of nothing.
    Once,
    /// The condition can never hold: no cells.
    Nothing,
    /// These. Every visible cell of the answer is given to the shape, in order.
    Cells(Request),
}

/// An INSERT.
#[derive(Clone, Debug)]
pub struct Put {
    /// The table.
    pub table: Arc<TableDef>,
    /// The cells, in the order of the statement.
    pub cells: Vec<NewCell>,
    /// For each cell the row of the statement it belongs to, from 0 (row shape: several cells a row).
    pub rows: Vec<usize>,
    /// Whether these rows are of declared columns (row shape): they have no `ref_key`.
    pub of_declared: bool,
    /// `INSERT IGNORE`: conflicts become warnings.
    pub ignore: bool,
    /// `RETURNING`: applied to the cells as written.
    pub returning: Option<Shape>,
    /// An INSERT without a column list gave values for `added_id` or `created_at` (a restored dump does): they are
    /// not kept, since the log gives cells their places; worth a note in SHOW WARNINGS.
    pub places_ignored: bool,
}

/// A DELETE on a cell table.
#[derive(Clone, Debug)]
pub struct Erase {
    /// The table.
    pub table: Arc<TableDef>,
    /// What; several for IN lists.
    pub what: Vec<Erasure>,
}

/// A database and a table in it, as written (the database filled in from the session).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
}

/// A declared row-shape column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowColumnSpec {
    /// Its name.
    pub name: String,
    /// `DEFAULT` as JSON text; `None` is NULL.
    pub missing: Option<String>,
    /// `COMMENT`; nothing if there is none.
    pub comment: String,
}

/// A change of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ddl {
    /// `CREATE DATABASE`.
    CreateDatabase {
        /// Its name.
        name: String,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// Its default collation, if one (or a character set) was named.
        collation: Option<String>,
    },
    /// `ALTER DATABASE`.
    AlterDatabase {
        /// Its name.
        name: String,
        /// Its new default collation.
        collation: Option<String>,
    },
    /// `DROP DATABASE`.
    DropDatabase {
        /// Its name.
        name: String,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `CREATE TABLE` of a cell table.
    CreateTable {
        /// Its name.
        name: TableName,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The declared row-shape columns.
        columns: Vec<RowColumnSpec>,
        /// `COMMENT`.
        comment: String,
    },
    /// `CREATE TABLE .. LIKE`.
    CreateTableLike {
        /// Its name.
        name: TableName,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The table whose columns it gets.
        like: TableName,
    },
    /// `DROP TABLE`.
    DropTable {
        /// Their names.
        names: Vec<TableName>,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `ALTER TABLE`.
    AlterTable {
        /// Its name.
        name: TableName,
        /// What changes, in order.
        changes: Vec<TableChange>,
        /// `RENAME TO`.
        rename: Option<TableName>,
    },
    /// `RENAME TABLE a TO b, ..`, from left to right.
    RenameTables(Vec<(TableName, TableName)>),
    /// `TRUNCATE`.
    Truncate(TableName),
}

/// A change of one table by ALTER TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableChange {
    /// `ADD COLUMN`.
    Add(RowColumnSpec),
    /// `DROP COLUMN`.
    Drop(String),
    /// `RENAME COLUMN a TO b`.
    Rename {
        /// Its name.
        from: String,
        /// Its new name.
        to: String,
    },
    /// `CHANGE COLUMN a b JSON ..`, `MODIFY COLUMN a JSON ..`.
    Redefine {
        /// Its name.
        from: String,
        /// What it is to be.
        column: RowColumnSpec,
    },
    /// `ALTER COLUMN a SET DEFAULT ..`, `.. DROP DEFAULT`.
    SetDefault {
        /// Its name.
        column: String,
        /// The JSON text, or NULL.
        missing: Option<String>,
    },
    /// `COMMENT = '..'`.
    Comment(String),
}

/// Locking of tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableLock {
    /// `LOCK TABLES`, `FLUSH TABLES t WITH READ LOCK`.
    Tables(Vec<(TableName, LockMode)>),
    /// `FLUSH TABLES WITH READ LOCK`.
    Everything,
    /// `UNLOCK TABLES`.
    Unlock,
}

/// What FLUSH does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// `HOSTS`: failed logins are forgotten.
    LoginDelays,
    /// `SSL`: the certificate's files are looked at now.
    Certificate,
}

/// Prepared statements by name, in lower case.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// `PREPARE name FROM ..`
    Prepare {
        /// Its name.
        name: String,
        /// The text, in whatever encoding a user variable has it.
        text: Bytes,
    },
    /// `EXECUTE name USING ..`
    Execute {
        /// Its name.
        name: String,
        /// Its parameters.
        values: Vec<Value>,
    },
    /// `DEALLOCATE PREPARE name`
    Deallocate {
        /// Its name.
        name: String,
    },
}

/// How a table is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Others may read, nobody may write.
    Read,
    /// Nobody else may use it.
    Write,
}

/// What KILL ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillScope {
    /// The connection.
    Connection,
    /// The statement it runs.
    Query,
}

/// One assignment of a SET.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Whose variable.
    pub scope: SettingScope,
    /// Its name, lower case. `SET NAMES` comes as `names` with the character set, followed by `collation_connection`
    /// if a COLLATE was given; `SET CHARACTER SET` as `character_set`; `SET TRANSACTION ISOLATION LEVEL x` as
    /// `transaction_isolation` (`READ-COMMITTED`), `SET TRANSACTION READ ONLY` as `transaction_read_only`.
    pub name: String,
    /// Its value.
    pub value: SettingValue,
}

/// Whose variable a SET is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingScope {
    /// This session's.
    Session,
    /// Every later session's.
    Global,
    /// `@name`.
    User,
    /// The next transaction's only (`SET TRANSACTION ..` without SESSION).
    NextTransaction,
}

/// The value of a SET.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingValue {
    /// Evaluated. A bare word (`ON`, `utf8mb4`) is text.
    Value(Value),
    /// `DEFAULT`.
    Default,
}

/// Transaction control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// `BEGIN`, `START TRANSACTION`.
    Begin {
        /// `READ ONLY` or `READ WRITE`, if it was said.
        read_only: Option<bool>,
        /// `WITH CONSISTENT SNAPSHOT`.
        consistent_snapshot: bool,
    },
    /// `COMMIT`.
    Commit {
        /// `AND CHAIN`.
        chain: bool,
        /// `RELEASE`.
        release: bool,
    },
    /// `ROLLBACK`.
    Rollback {
        /// `AND CHAIN`.
        chain: bool,
        /// `RELEASE`.
        release: bool,
    },
    /// `SAVEPOINT name`.
    Savepoint(String),
    /// `ROLLBACK TO name`.
    RollbackTo(String),
    /// `RELEASE SAVEPOINT name`.
    Release(String),
}

/// A SHOW: what, and which of its rows.
#[derive(Clone, Debug)]
pub struct Show {
    /// What.
    pub aspect: Aspect,
    /// `LIKE` or `WHERE`.
    pub filter: Filter,
}

/// What a SHOW shows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Aspect {
    Databases,
    Tables { database: Option<String>, full: bool },
    TableStatus { database: Option<String> },
    Columns { table: TableName, full: bool },
    Index { table: TableName },
    CreateTable { table: TableName },
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
    Absent(Absent),
}

/// What a MySQL server can show and there is none of here: an empty result with MySQL's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Absent {
    Triggers,
    Events,
    Routines,
    OpenTables,
    Plugins,
    BinaryLogStatus,
    SlaveStatus,
    ReplicaStatus,
    SlaveHosts,
    Replicas,
    Profiles,
}

/// An EXPLAIN.
#[derive(Clone, Debug)]
pub struct Explain {
    /// Of what.
    pub command: Command,
    /// `ANALYZE`: run it too.
    pub analyze: bool,
}
