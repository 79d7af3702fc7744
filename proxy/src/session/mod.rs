//! A session: what one client's statements do, one after the other.
//!
//! The wire hands in text or a prepared plan and takes a reply; the dialect turns it into a command; the session runs
//! the command on the executor or the catalog. Everything a client can change about its connection lives here.

mod access;
mod accounts;
mod attributes;
mod buffer;
mod calls;
mod control;
mod ddl;
mod ending;
mod environment;
mod erase;
mod error;
mod explain;
mod flush;
mod handler;
mod locking;
mod planned;
mod prepare;
mod prepared_statements;
mod read;
mod read_time;
mod relational;
mod rows;
mod run;
mod send;
mod settings;
mod show;
mod to_the_end;
mod track;
mod user_variables;
mod variables;
mod warnings;
mod workshop;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use cellgate_schemaless::{ErrorKind, Micros};
use cellgate_sql::{AccountName, ColumnMeta, Normal, Row, SqlError, Value};
use cellgate_store::executor::{Executor, GivenUp};

use crate::access::{Access, Seat};
use crate::places::Place;
use crate::processes::Process;
use crate::server::Server;
use crate::wire::{Algorithm, Attributes, Patience, Status, TlsSession};
use buffer::Buffer;
use ending::UnderWay;
pub use error::{ROLLED_BACK, StatementError, Stored};
use locking::Held;
use prepared_statements::{Kept, PreparedRoom};
use read::Stream;
use rows::CursorRoom;
use track::Track;
use user_variables::UserVariables;
pub use variables::{ServerFacts, VariableError, Variables};
use warnings::{Level, Warnings};
use workshop::Desk;
pub use workshop::Workshop;

/// One client's session.
pub struct Session {
    server: Arc<Server>,
    /// What runs its requests.
    executor: Arc<Executor>,
    /// The clusters that had not answered when it stopped waiting for them.
    given_up: Arc<GivenUp>,
    process: Arc<Process>,
    /// Its place among all connections.
    place: Place,
    user: String,
    host: String,
    /// The account it logged in as: `CURRENT_USER()`.
    account: AccountName,
    /// Where long work of that account is done.
    desk: Desk,
    /// What that account may do, as of the last statement.
    access: Access,
    /// Its place among the account's connections.
    seat: Option<Seat>,
    database: Option<Arc<str>>,
    variables: Variables,
    user_variables: UserVariables,
    /// Characteristics set for the next transaction only.
    next: Characteristics,
    transaction: Option<Open>,
    multi_statements: bool,
    /// The client said that a person sits there.
    interactive: bool,
    /// `LAST_INSERT_ID()`.
    last_insert_id: u64,
    /// What the session has done for the running statement.
    calls: Vec<Value>,
    held: Held,
    /// Statements that were prepared by name.
    prepared: BTreeMap<String, Arc<Kept>>,
    prepared_room: PreparedRoom,
    cursors: CursorRoom,
    tls: Option<TlsSession>,
    /// How the connection's packets are compressed.
    compression: Option<Algorithm>,
    /// Connection attributes (`program_name`, `_client_name`, ..).
    client: Attributes,
    /// Query attributes of the statement that runs, or comes next.
    attributes: Attributes,
    track: Track,
    last: Last,
    /// What has begun and is not finished.
    under_way: Option<UnderWay>,
    /// What the running statement turned out to be, for metrics.
    shape: Option<cellgate_metrics::Shape>,
    /// The last text in its normal form; kept for its memory.
    normal: Normal,
    /// For the statements of the short way.
    patience: Patience,
    /// Until when the catalog need not be asked how old it is.
    fresh_until: Instant,
}

/// What is remembered of the last statement.
#[derive(Debug, Default)]
struct Last {
    row_count: i64,
    found_rows: u64,
    warnings: Warnings,
    /// The warnings are of the statement that runs, and not of the one before.
    begun: bool,
    /// The statement that runs has begun, and is over a table.
    over_table: bool,
    /// The class of its error.
    error: Option<ErrorKind>,
}

/// An open transaction.
#[derive(Debug, Default)]
struct Open {
    buffer: Buffer,
    read_only: bool,
    start: Start,
    /// What was asked for it with SET TRANSACTION.
    asked: Characteristics,
    /// What it has done, for clients that follow it.
    done: Deeds,
    /// Whether it has erased, which ROLLBACK does not undo.
    erased: bool,
    /// Names with the number of cells there were.
    savepoints: Vec<(String, usize)>,
}

/// How a transaction was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Start {
    /// By a statement that reads a table or writes, with autocommit off.
    #[default]
    Implicit,
    /// By BEGIN or START TRANSACTION.
    Explicit,
    /// `START TRANSACTION WITH CONSISTENT SNAPSHOT`
    Snapshot,
}

/// SET TRANSACTION, as far as it was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Characteristics {
    /// `READ-COMMITTED`
    isolation: Option<String>,
    read_only: Option<bool>,
}

/// What a transaction has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Deeds {
    read: bool,
    wrote: bool,
    /// A result set was sent.
    sent: bool,
}

/// What KILL ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// The connection (KILL, KILL CONNECTION, PROCESS_KILL).
    Connection,
    /// What it runs (KILL QUERY).
    Statement,
}

/// What a statement answers.
enum Answer {
    /// An OK packet.
    Done(Done),
    /// A result set that is complete.
    Table(Table),
    /// A result set that is read as it is sent.
    Stream(Box<Stream>),
}

/// The content of an OK packet.
#[derive(Debug, Default)]
struct Done {
    affected: u64,
    last_insert_id: u64,
    info: String,
}

/// A result set in memory.
struct Table {
    columns: Vec<ColumnMeta>,
    rows: Vec<Row>,
    /// What FOUND_ROWS() answers afterwards, if not how many rows there are.
    found: Option<u64>,
}

/// The executor of one session, and what tells which of its calls it has stopped waiting for.
fn executor_of(server: &Server) -> (Arc<Executor>, Arc<GivenUp>) {
    let given_up = Arc::<GivenUp>::default();
    let executor = server.deployment().executor().for_caller(Arc::clone(&given_up));
    (Arc::new(executor), given_up)
}

impl Session {
    /// A session of a connection that has not logged in yet.
    pub fn new(server: Arc<Server>, process: Arc<Process>, host: String, place: Place) -> Self {
        let variables = server.globals().session();
        let (executor, given_up) = executor_of(&server);
        let desk = server.workshop().of("");
        Self {
            server,
            executor,
            given_up,
            process,
            place,
            user: String::new(),
            host,
            account: AccountName { user: String::new(), host: String::new() },
            desk,
            access: Access::none(0),
            seat: None,
            database: None,
            variables,
            user_variables: UserVariables::default(),
            next: Characteristics::default(),
            transaction: None,
            multi_statements: false,
            interactive: false,
            last_insert_id: 0,
            calls: Vec::new(),
            held: Held::default(),
            prepared: BTreeMap::new(),
            prepared_room: PreparedRoom::default(),
            cursors: CursorRoom::default(),
            tls: None,
            compression: None,
            client: Attributes::new(),
            attributes: Attributes::new(),
            track: Track::default(),
            last: Last::default(),
            under_way: None,
            shape: None,
            normal: Normal::default(),
            patience: Patience::default(),
            fresh_until: Instant::now(),
        }
    }

    /// Adds a warning to those of the statement.
    fn warn(&mut self, level: Level, code: u16, message: impl Into<String>) {
        self.last.warnings.push(self.variables.derived().warnings, level, code, message);
    }

    /// The warnings from now on are those of the statement that runs.
    fn begin_warnings(&mut self) {
        self.last.warnings = Warnings::default();
        self.last.begun = true;
    }

    /// The status bits of every OK and EOF packet.
    fn status(&self) -> Status {
        Status {
            autocommit: self.variables.derived().autocommit,
            in_transaction: self.transaction.is_some(),
            no_backslash_escapes: self.variables.sql_mode().no_backslash_escapes,
            in_read_only_transaction: self.transaction.as_ref().is_some_and(|t| t.read_only),
        }
    }

    /// Back to what it was after the login, but for the user and the database.
    fn reset(&mut self) {
        self.transaction = None;
        self.next = Characteristics::default();
        self.variables = self.fresh_variables();
        self.user_variables.clear();
        self.last_insert_id = 0;
        self.held = Held::default();
        self.prepared.clear();
        self.last = Last::default();
        self.attributes = Attributes::new();
        self.process.describe(String::new());
    }

    /// The variables of a session that begins now.
    fn fresh_variables(&self) -> Variables {
        let mut variables = self.server.globals().session();
        if self.interactive {
            let timeout = variables.number("interactive_timeout");
            variables.set("wait_timeout", Value::Int(timeout));
        }
        variables
    }

    /// KILL and KILL QUERY: ends a session of this proxy, or what it runs.
    ///
    /// # Errors
    /// There is no such session, or it is not this user's to end.
    pub fn kill_session(&mut self, id: u32, end: Kill) -> Result<(), StatementError> {
        let process = self.server.processes().find(id).ok_or(StatementError::NoSuchConnection(id))?;
        if !self.access.may_administer() && !process.is_of(&self.user) {
            return Err(StatementError::NotOwner(id));
        }
        match end {
            Kill::Connection => process.kill_switch().kill_connection(),
            Kill::Statement => process.kill_switch().kill_statement(),
        }
        Ok(())
    }

    async fn use_database(&mut self, database: &str) -> Result<(), StatementError> {
        self.need_database(database)?;
        let known = self.server.catalog().snapshot().has_database(database);
        if !known
            && !crate::relational::is_system_database(database)
            && !self
                .server
                .catalog()
                .look_again()
                .await
                .map_err(crate::catalog::CatalogError::Meta)?
                .has_database(database)
        {
            return Err(SqlError::UnknownDatabase(database.to_owned()).into());
        }
        self.database = Some(crate::relational::system_database(database).unwrap_or(database).into());
        // What was set for the database before is not for this one.
        self.variables.unset("character_set_database");
        self.variables.unset("collation_database");
        Ok(())
    }
}

/// Microseconds since 1970 by this machine's clock, for what needs no agreement between machines.
fn wall_clock() -> Micros {
    Micros(cellgate_store::now_micros())
}
