//! Running one statement, the long way: bound under the catalog of the moment, checked, and handed to what does it.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_metrics::Label;
use cellgate_sql::{Command, Parameters, Prepared, SessionCall, Source, SqlError, Statement, StatementKind, Value};

use super::environment::AT_A_TIME;
use super::error::StatementError;
use super::prepare::weight;
use super::read_time::ReadTime;
use super::{Answer, Done, Session, show};
use crate::catalog::{CatalogError, Snapshot};

/// How long a look at how old the catalog is holds at most: a changed `meta.max_stale` counts from then on.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// One execution of a statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Execution<'a> {
    pub(super) statement: &'a Statement,
    pub(super) params: &'a Parameters,
    /// Which names without a database are of: that of the session, or of PREPARE.
    pub(super) database: Option<&'a str>,
}

impl Session {
    /// Runs one statement of a text, in the session's database, until it is done or killed.
    pub(super) async fn run_here(&mut self, statement: &Statement) -> Result<Answer, StatementError> {
        let database = self.database.clone();
        let params = Parameters::default();
        self.run_or_die(Execution { statement, params: &params, database: database.as_deref() }).await
    }

    /// Runs one statement until it is done or killed.
    pub(super) async fn run_or_die(&mut self, execution: Execution<'_>) -> Result<Answer, StatementError> {
        let kill = self.process.kill_switch().clone();
        kill.statement_begins();
        self.last.over_table = false;
        let answer = {
            let run = pin!(self.run(execution));
            kill.interruptible(run).await
        };
        if answer.is_none() && self.last.over_table {
            self.use_up_characteristics();
        }
        answer.unwrap_or(Err(StatementError::Interrupted))
    }

    /// Runs one statement: what it calls for is done first, in order, and each time it is bound again with what came of
    /// it. The calls take the time they are given; all the binding is to be done within the time of one statement.
    async fn run(&mut self, execution: Execution<'_>) -> Result<Answer, StatementError> {
        self.calls.clear();
        self.keep_names();
        let mut room = self.server.config().timeouts.statement;
        loop {
            let started = Instant::now();
            match self.run_judged(execution).await {
                Err(StatementError::Pending { call, arguments, limit }) => {
                    room = room.checked_sub(started.elapsed()).ok_or(StatementError::Timeout { detail: "" })?;
                    // If the call fails, its error is the only one of this statement.
                    self.begin_warnings();
                    let value = Box::pin(self.call(call, &arguments, limit)).await?;
                    // A call may have had nothing to wait for: others have their turn, and KILL is heard. Who has a lock is
                    // told so, and had that turn before.
                    let has_lock = call == SessionCall::GetLock && value == Value::Int(1);
                    self.calls.push(value);
                    if !has_lock {
                        tokio::task::yield_now().await;
                    }
                }
                answer => return answer,
            }
        }
    }

    /// Runs one statement. If it is refused and the accounts may be out of date, they are read again, and it is judged
    /// once more.
    async fn run_judged(&mut self, execution: Execution<'_>) -> Result<Answer, StatementError> {
        self.renew_access();
        let (version, last_insert_id) = (self.access.version(), self.last_insert_id);
        match self.run_known(execution).await {
            Err(error) if error.suspects_access() => {
                if !self.has_newer_access(version).await {
                    return Err(error);
                }
                self.last_insert_id = last_insert_id;
                self.run_known(execution).await
            }
            answer => answer,
        }
    }

    /// Runs one statement. If the catalog may be out of date, it is read again and the statement bound once more.
    pub(super) async fn run_known(&mut self, execution: Execution<'_>) -> Result<Answer, StatementError> {
        let snapshot = self.server.catalog().snapshot();
        let last_insert_id = self.last_insert_id;
        match self.run_with(&snapshot, execution).await {
            Err(error) if error.suspects_catalog() => {
                let Some(newer) = self.newer_catalog(&snapshot).await else { return Err(error) };
                // The statement has not run.
                self.last_insert_id = last_insert_id;
                self.run_with(&newer, execution).await
            }
            answer => answer,
        }
    }

    /// The catalog, if a newer one than this is stored. One that cannot be read is reported where it is read.
    pub(super) async fn newer_catalog(&self, known: &Snapshot) -> Option<Arc<Snapshot>> {
        let refreshed = self.server.catalog().look_again().await;
        refreshed.ok().filter(|newer| newer.version() > known.version())
    }

    async fn run_with(&mut self, snapshot: &Arc<Snapshot>, execution: Execution<'_>) -> Result<Answer, StatementError> {
        let statement = execution.statement;
        let bound = self.bound(snapshot, execution).await;
        if bound.as_ref().is_err_and(|error| commits_though_refused(statement, error)) {
            // What comes of the COMMIT is its own, and not of the statement before.
            self.begin_warnings();
            if statement.locks_tables() {
                Box::pin(self.end_locked()).await?;
            } else {
                Box::pin(self.commit_open()).await?;
            }
            self.use_up_characteristics();
        }
        let (mut command, mut last_insert_id, mut lost) = bound?;
        // SHOW WARNINGS and SHOW ERRORS show those of the statement before.
        if keeps_warnings(&command) {
            self.last.warnings.keep();
            // What EXECUTE runs has its own, unless it is refused before that.
            self.last.begun = !matches!(command, Command::Prepared(_));
        } else {
            self.begin_warnings();
        }
        if matches!(command, Command::Ddl(_) | Command::Account(_)) {
            // Before it is in anybody's way itself.
            Box::pin(self.commit_open()).await?;
            self.use_up_characteristics();
        }
        let mut snapshot = Arc::clone(snapshot);
        let entered = loop {
            let (entered, waited) = Box::pin(self.enter_tables(&command)).await?;
            if !waited {
                break entered;
            }
            // While it waited, its account may have lost its rights, and who was waited for may have changed the tables. Once
            // let in, nobody changes those any more. And what ended the wait may have taken its own locks as well.
            self.renew_access();
            let newer = self.server.catalog().refresh().await.map_err(CatalogError::Meta)?;
            if newer.version() == snapshot.version() {
                self.check(&command)?;
                self.check_losses()?;
                break entered;
            }
            drop(entered);
            snapshot = newer;
            (command, last_insert_id, lost) = self.bound(&snapshot, execution).await?;
        };
        self.warn_of(lost);
        self.last_insert_id = last_insert_id;
        // Its time begins when nobody's locks are in its way any more, and so does what it relies on.
        let (time, deadline) = (self.read_time(statement), Instant::now() + self.server.config().timeouts.statement);
        if reaches_stores(&command) {
            self.refuse_stale(Instant::now())?;
        }
        // What writes is not cut off by KILL: it is either done or reported, within the stores' own time.
        let _shield = writes(&command).then(|| self.process.kill_switch().shield());
        let over_table = is_over_table(&command);
        self.last.over_table = over_table;
        // Each in a place of its own: in one of theirs together every statement would carry the room of the largest.
        let answer = match command {
            Command::Read(read) if !read.into.is_empty() => Box::pin(self.read_into(read, time)).await,
            Command::Read(read) => Box::pin(self.read(read, time)).await,
            Command::Relational(program) => Box::pin(self.relational(*program, &snapshot, time.deadline())).await,
            Command::Put(put) => Box::pin(self.put(put, entered, deadline)).await,
            Command::Erase(erase) => Box::pin(self.erase(erase, entered, deadline)).await,
            Command::Ddl(ddl) => Box::pin(self.ddl(ddl, entered)).await,
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
            Command::Show(show) => Box::pin(self.show(show, &snapshot)).await,
            Command::Explain(explain) => Box::pin(self.explain(*explain, time)).await,
            Command::Account(account) => Box::pin(self.account(*account, statement.text(), entered)).await,
            Command::Lock(lock) => Box::pin(self.lock(lock)).await,
            Command::Prepared(prepared) => Box::pin(self.prepared(prepared)).await,
            Command::Flush(what) => Box::pin(self.flush(&what)).await,
            Command::Kill { id, scope } => self.kill_statement(id, scope),
            Command::Nothing => Ok(Answer::Done(Done::default())),
        };
        // What is refused in a READ ONLY transaction, or is bound once more, has not run.
        let has_run = |error: &StatementError| {
            let waits = matches!(error, StatementError::ReadOnlyTransaction | StatementError::Pending { .. });
            !waits && !error.suspects_catalog() && !error.suspects_access()
        };
        if over_table && answer.as_ref().err().is_none_or(has_run) {
            self.use_up_characteristics();
        }
        answer.map_err(|error| time.judged(error))
    }

    /// The statement as a command over this catalog, what LAST_INSERT_ID() is behind it, and what its values lost. It may be
    /// run by this account.
    async fn bound(
        &self,
        snapshot: &Arc<Snapshot>,
        Execution { statement, params, database }: Execution<'_>,
    ) -> Result<(Command, u64, Vec<SqlError>), StatementError> {
        let started = Instant::now();
        let limit = self.read_limit(statement);
        let bind = |within| {
            let environment = self.environment(database, snapshot, within).running(statement.kind());
            let command = cellgate_sql::bind(statement, params, &environment);
            let command = command.map_err(|e| match e {
                SqlError::Pending(call, arguments) => StatementError::Pending { call, arguments, limit },
                e => self.not_bound(e, statement.kind()),
            })?;
            self.check(&command)?;
            Ok((command, environment.last_insert_id(), environment.take_lost()))
        };
        let within = limit.unwrap_or(AT_A_TIME).min(AT_A_TIME);
        let bound = self.worked_out(weight(statement, params), within, bind).await.map_err(|error| match error {
            StatementError::Sql(SqlError::GivenUp) if limit.is_some_and(|limit| limit <= within) => {
                StatementError::OwnTimeout
            }
            error => error,
        })?;
        self.server.metrics().stage(cellgate_metrics::Stage::Bind, started.elapsed());
        Ok(bound)
    }

    /// What a statement that could not be bound ends with.
    pub(super) fn not_bound(&self, error: SqlError, kind: StatementKind) -> StatementError {
        match error {
            error @ SqlError::GivenUp => self.given_up(error),
            error => self.veiled(error, kind),
        }
    }

    /// How long the statement may take if it is a SELECT.
    fn read_time(&self, statement: &Statement) -> ReadTime {
        let end = self.read_limit(statement).map(|limit| Instant::now() + limit);
        ReadTime { step: self.server.config().timeouts.statement, end }
    }

    /// How long a SELECT may take, if the client said so. Nothing else has such a bound.
    fn read_limit(&self, statement: &Statement) -> Option<Duration> {
        match statement.kind() {
            StatementKind::Select | StatementKind::Explain => {}
            StatementKind::Insert
            | StatementKind::Update
            | StatementKind::Delete
            | StatementKind::Replace
            | StatementKind::Ddl
            | StatementKind::Set
            | StatementKind::Show
            | StatementKind::Use
            | StatementKind::Transaction
            | StatementKind::Other => return None,
        }
        let own = statement.max_execution_time().filter(|limit| !limit.is_zero());
        own.or(self.variables.derived().max_execution_time)
    }

    /// C2 of docs/ARCHITECTURE.md: an old catalog may be used only for a while.
    pub(super) fn refuse_stale(&mut self, now: Instant) -> Result<(), StatementError> {
        if now < self.fresh_until {
            return Ok(());
        }
        let (read, max_stale) = (self.server.meta_read(), self.server.catalog().max_stale());
        let age = now.saturating_duration_since(read);
        if age > max_stale {
            let seconds = age.as_secs();
            return Err(match self.server.corrupt_document() {
                Some(document) => StatementError::Unreadable { document: document.label(), seconds },
                None => StatementError::Stale { seconds },
            });
        }
        self.fresh_until = (read + max_stale).min(now + LOOK_AGAIN);
        Ok(())
    }
}

/// Whether a statement that is refused commits all the same, as in MySQL. What is about temporary tables never does.
fn commits_though_refused(statement: &Statement, error: &StatementError) -> bool {
    statement.commits_first()
        && match error {
            // CREATE OR REPLACE may be of a temporary table, too.
            StatementError::Sql(SqlError::Unsupported { what, .. }) => {
                !what.contains("TEMPORARY") && what != "CREATE OR"
            }
            StatementError::Sql(
                SqlError::UnknownDatabase(_)
                | SqlError::UnknownTable { .. }
                | SqlError::UnknownColumn { .. }
                | SqlError::SystemDatabase { .. },
            )
            | StatementError::Denied { .. }
            | StatementError::DeniedDatabase { .. } => true,
            _ => false,
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

/// Whether a command reads or writes cells, so that it is a transaction by itself if none is open.
fn is_over_table(command: &Command) -> bool {
    match command {
        Command::Explain(explain) => explain.analyze && is_over_table(&explain.command),
        command => reaches_stores(command),
    }
}

/// Whether a command may write cells or the catalog, beside what it commits.
fn writes(command: &Command) -> bool {
    match command {
        Command::Put(_) | Command::Erase(_) | Command::Ddl(_) | Command::Account(_) => true,
        // A commit may wait for locks, and shields itself behind that.
        Command::Set(_) | Command::Transaction(_) => false,
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
