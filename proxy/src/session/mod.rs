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
mod error;
mod explain;
mod flush;
mod handler;
mod locking;
mod planned;
mod prepare;
mod read;
mod relational;
mod rows;
mod send;
mod settings;
mod show;
mod track;
mod variables;
mod warnings;
mod workshop;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_schemaless::Micros;
use cellgate_sql::{AccountName, ColumnMeta, Command, Normal, Prepared, Row, Source, SqlError, Statement, Value};

use crate::access::{Access, Seat};
use crate::catalog::Snapshot;
use crate::locks::Key;
use crate::plans::Plan;
use crate::processes::Process;
use crate::server::Server;
use crate::wire::{Algorithm, Attributes, Patience, Status, TlsSession};
use buffer::Buffer;
pub use error::{StatementError, Stored};
use locking::Held;
use read::Stream;
use track::Track;
pub use variables::{ServerFacts, VariableError, Variables};
use warnings::Warnings;
pub use workshop::Workshop;

/// Most user variables (`@x`) a session keeps, and most bytes of one. Clients use a handful; a loop must not fill the
/// proxy's memory.
const USER_VARIABLES: usize = 10_000;
const USER_VARIABLE_BYTES: usize = 1 << 20;

/// How long a look at how old the catalog is holds at most: a changed `meta.max_stale` counts from then on.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// One client's session.
pub struct Session {
    server: Arc<Server>,
    process: Arc<Process>,
    user: String,
    host: String,
    /// The account it logged in as: `CURRENT_USER()`.
    account: AccountName,
    /// What that account may do, as of the last statement.
    access: Access,
    /// Its place among the account's connections.
    seat: Option<Seat>,
    database: Option<String>,
    variables: Variables,
    user_variables: BTreeMap<String, Value>,
    /// Characteristics set for the next transaction only.
    next: Characteristics,
    transaction: Option<Open>,
    multi_statements: bool,
    found_rows_flag: bool,
    /// The client said that a person sits there.
    interactive: bool,
    /// `LAST_INSERT_ID()`.
    last_insert_id: u64,
    /// What the session has done for the running statement.
    calls: Vec<Value>,
    held: Held,
    /// Statements that were prepared by name.
    prepared: BTreeMap<String, Arc<Plan>>,
    tls: Option<TlsSession>,
    /// How the connection's packets are compressed.
    compression: Option<Algorithm>,
    /// Connection attributes (`program_name`, `_client_name`, ..).
    client: Attributes,
    /// Query attributes of the statement that runs, or comes next.
    attributes: Attributes,
    track: Track,
    last: Last,
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
}

/// An open transaction.
#[derive(Debug, Default)]
struct Open {
    buffer: Buffer,
    /// The tables it has written to.
    tables: BTreeSet<Key>,
    read_only: bool,
    start: Start,
    /// What was asked for it with SET TRANSACTION.
    asked: Characteristics,
    /// What it has done, for clients that follow it.
    done: Deeds,
    /// Names with the number of cells there were.
    savepoints: Vec<(String, usize)>,
}

/// How a transaction was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Start {
    /// By a statement that reads or writes, with autocommit off.
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
}

impl Session {
    /// A session of a connection that has not logged in yet.
    pub fn new(server: Arc<Server>, process: Arc<Process>, host: String) -> Self {
        let variables = server.globals().session();
        Self {
            server,
            process,
            user: String::new(),
            host,
            account: AccountName { user: String::new(), host: String::new() },
            access: Access::none(0),
            seat: None,
            database: None,
            variables,
            user_variables: BTreeMap::new(),
            next: Characteristics::default(),
            transaction: None,
            multi_statements: false,
            found_rows_flag: false,
            interactive: false,
            last_insert_id: 0,
            calls: Vec::new(),
            held: Held::default(),
            prepared: BTreeMap::new(),
            tls: None,
            compression: None,
            client: Attributes::new(),
            attributes: Attributes::new(),
            track: Track::default(),
            last: Last::default(),
            shape: None,
            normal: Normal::default(),
            patience: Patience::default(),
            fresh_until: Instant::now(),
        }
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

    /// Runs one statement until it is done or killed.
    async fn run_or_die(&mut self, statement: &Statement, params: &[Value]) -> Result<Answer, StatementError> {
        let kill = self.process.kill_switch().clone();
        kill.statement_begins();
        let run = pin!(self.run(statement, params));
        kill.interruptible(run).await.unwrap_or(Err(StatementError::Interrupted))
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

    /// Runs one statement: what it calls for is done first, in order, and each time it is bound again with what came of
    /// it.
    async fn run(&mut self, statement: &Statement, params: &[Value]) -> Result<Answer, StatementError> {
        self.calls.clear();
        loop {
            match self.run_judged(statement, params).await {
                Err(StatementError::Sql(SqlError::Pending(call, arguments))) => {
                    // If the call fails, its error is the only one of this statement.
                    self.last.warnings = Warnings::default();
                    let value = Box::pin(self.call(call, &arguments, statement)).await?;
                    self.calls.push(value);
                }
                answer => return answer,
            }
        }
    }

    /// Runs one statement. If it is refused and the accounts may be out of date, they are read again, and it is judged
    /// once more.
    async fn run_judged(&mut self, statement: &Statement, params: &[Value]) -> Result<Answer, StatementError> {
        self.renew_access();
        let version = self.access.version();
        match self.run_known(statement, params).await {
            Err(error) if error.suspects_access() => {
                let server = Arc::clone(&self.server);
                if !server.accounts().look_again(version).await {
                    return Err(error);
                }
                self.renew_access();
                self.run_known(statement, params).await
            }
            answer => answer,
        }
    }

    /// Runs one statement. If the catalog may be out of date, it is read again and the statement bound once more.
    async fn run_known(&mut self, statement: &Statement, params: &[Value]) -> Result<Answer, StatementError> {
        let snapshot = self.server.catalog().snapshot();
        match self.run_with(&snapshot, statement, params).await {
            Err(error) if error.suspects_catalog() => {
                let newer = self.server.catalog().refresh().await;
                match newer {
                    Ok(newer) if newer.version() > snapshot.version() => self.run_with(&newer, statement, params).await,
                    Ok(_) => Err(error),
                    Err(unreachable) => {
                        tracing::warn!(error = %unreachable, "the catalog could not be read again");
                        Err(error)
                    }
                }
            }
            answer => answer,
        }
    }

    async fn run_with(
        &mut self,
        snapshot: &Arc<Snapshot>,
        statement: &Statement,
        params: &[Value],
    ) -> Result<Answer, StatementError> {
        let started = Instant::now();
        let command = {
            let environment = self.environment(snapshot).running(statement.kind());
            cellgate_sql::bind(statement, params, &environment).map_err(|e| self.veiled(e, statement.kind()))?
        };
        self.check(&command)?;
        self.server.metrics().stage(cellgate_metrics::Stage::Bind, started.elapsed());
        let deadline = self.deadline(statement, &command);
        // SHOW WARNINGS and SHOW ERRORS show those of the statement before.
        if !keeps_warnings(&command) {
            self.last.warnings = Warnings::default();
        }
        if reaches_stores(&command) {
            self.refuse_stale(Instant::now())?;
        }
        let server = Arc::clone(&self.server);
        let _entered = Box::pin(self.enter_tables(&server, &command)).await?;
        // What writes is not cut off by KILL: it is either done or reported, within the stores' own time.
        let _shield = writes(&command).then(|| self.process.kill_switch().shield());
        // Each in a place of its own: in one of theirs together every statement would carry the room of the largest.
        match command {
            Command::Read(read) if !read.into.is_empty() => Box::pin(self.read_into(read, deadline)).await,
            Command::Read(read) => Box::pin(self.read(read, deadline)).await,
            Command::Relational(program) => Box::pin(self.relational(*program, snapshot, deadline)).await,
            Command::Put(put) => Box::pin(self.put(put, deadline)).await,
            Command::Erase(erase) => Box::pin(self.erase(erase, deadline)).await,
            Command::Ddl(ddl) => Box::pin(self.ddl(ddl)).await,
            Command::Use(database) => {
                Box::pin(self.use_database(&database)).await.map(|()| Answer::Done(Done::default()))
            }
            Command::Set(settings) => {
                let before = self.tracked();
                Box::pin(self.apply_settings(settings)).await?;
                self.note_variables(before);
                Ok(Answer::Done(Done::default()))
            }
            Command::Transaction(control) => Box::pin(self.control(control)).await,
            Command::Show(show) => Box::pin(self.show(show, snapshot)).await,
            Command::Explain(explain) => Box::pin(self.explain(*explain, deadline)).await,
            Command::Account(account) => Box::pin(self.account(&account, statement.text())).await,
            Command::Lock(lock) => Box::pin(self.lock(lock)).await,
            Command::Prepared(prepared) => Box::pin(self.prepared(prepared)).await,
            Command::Flush(what) => Box::pin(self.flush(&what)).await,
            Command::Kill { id, scope } => self.kill_statement(id, scope),
            Command::Nothing => Ok(Answer::Done(Done::default())),
        }
    }

    /// When the statement must have ended: the shorter of the client's limit, which is about SELECT, and the server's.
    fn deadline(&self, statement: &Statement, command: &Command) -> Instant {
        let server = self.server.config().timeouts.statement;
        let own = self.read_limit(statement).filter(|_| matches!(command, Command::Read(_)));
        Instant::now() + own.map_or(server, |own| own.min(server))
    }

    /// How long a SELECT may take, if the client said so.
    fn read_limit(&self, statement: &Statement) -> Option<Duration> {
        let own = statement.max_execution_time().filter(|limit| !limit.is_zero());
        own.or(self.variables.derived().max_execution_time)
    }

    /// CORRECTNESS C2: an old catalog may be used only for a while.
    fn refuse_stale(&mut self, now: Instant) -> Result<(), StatementError> {
        if now < self.fresh_until {
            return Ok(());
        }
        let (read, max_stale) = (self.server.meta_read(), self.server.config().meta.max_stale);
        let age = now.saturating_duration_since(read);
        if age > max_stale {
            return Err(StatementError::Stale { seconds: age.as_secs() });
        }
        self.fresh_until = (read + max_stale).min(now + LOOK_AGAIN);
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
                .refresh()
                .await
                .map_err(crate::catalog::CatalogError::Meta)?
                .has_database(database)
        {
            return Err(SqlError::UnknownDatabase(database.to_owned()).into());
        }
        self.database = Some(database.to_owned());
        Ok(())
    }
}

/// Whether SHOW WARNINGS still shows those of the statement before. What EXECUTE runs decides for itself.
fn keeps_warnings(command: &Command) -> bool {
    match command {
        Command::Show(show) => show::keeps_warnings(&show.aspect),
        Command::Prepared(Prepared::Execute { .. }) => true,
        Command::Prepared(Prepared::Prepare { .. } | Prepared::Deallocate { .. })
        | Command::Read(_)
        | Command::Relational(_)
        | Command::Put(_)
        | Command::Erase(_)
        | Command::Ddl(_)
        | Command::Use(_)
        | Command::Set(_)
        | Command::Transaction(_)
        | Command::Explain(_)
        | Command::Account(_)
        | Command::Lock(_)
        | Command::Flush(_)
        | Command::Kill { .. }
        | Command::Nothing => false,
    }
}

/// Whether a command reads or writes cells, under the catalog as this proxy knows it.
fn reaches_stores(command: &Command) -> bool {
    match command {
        Command::Read(read) => matches!(read.source, Source::Cells(_)),
        Command::Put(_) | Command::Erase(_) => true,
        Command::Explain(explain) => explain.analyze,
        // A change of the catalog asks the meta store itself.
        Command::Ddl(_)
        | Command::Use(_)
        | Command::Set(_)
        | Command::Transaction(_)
        | Command::Show(_)
        | Command::Relational(_)
        | Command::Account(_)
        | Command::Lock(_)
        // What it runs is asked itself.
        | Command::Prepared(_)
        | Command::Flush(_)
        | Command::Kill { .. }
        | Command::Nothing => false,
    }
}

/// Whether a command may write cells or the catalog. SET does: turning autocommit on commits.
fn writes(command: &Command) -> bool {
    match command {
        Command::Put(_)
        | Command::Erase(_)
        | Command::Ddl(_)
        | Command::Set(_)
        | Command::Transaction(_)
        | Command::Account(_) => true,
        // Locking waits; what it commits first it shields itself.
        Command::Read(_)
        | Command::Relational(_)
        | Command::Use(_)
        | Command::Show(_)
        | Command::Explain(_)
        | Command::Lock(_)
        // What it runs is asked itself.
        | Command::Prepared(_)
        | Command::Flush(_)
        | Command::Kill { .. }
        | Command::Nothing => false,
    }
}

/// Microseconds since 1970 by this machine's clock, for what needs no agreement between machines.
fn wall_clock() -> Micros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
