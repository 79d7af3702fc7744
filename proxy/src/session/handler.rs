//! The session as the wire calls it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cellgate_metrics::{Command as CommandLabel, Outcome, Shape as ShapeLabel, Stage};
use cellgate_sql::{Command, Statement, StatementKind, Value};

use super::error::StatementError;
use super::planned::{Answered, single};
use super::warnings::{Level, Warnings};
use super::{Answer, Done, Kill, Last, Session};
use crate::auth::Verifier;
use crate::catalog::Snapshot;
use crate::config::Literals;
use crate::errors;
use crate::plans::Plan;
use crate::processes::Running;
use crate::wire::{
    Answering, Attributes, CommandKind, ErrorReply, Handler, KillSwitch, Login, OkReply, Opened, Prepared, Replied,
    Reply, SessionChange, Status, WireError, WireEvent,
};

/// How a statement ended, for metrics and the slow-query log.
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    pub(super) rows: u64,
}

/// A statement as it is logged.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    /// One of perhaps several of a text.
    Statement(&'a Statement),
    /// A text in UTF-8 that was not parsed, as the client sent it.
    Text(&'a [u8]),
}

impl Shown<'_> {
    fn text(self, literals: Literals) -> String {
        match (self, literals) {
            (Self::Statement(statement), Literals::Masked) => statement.masked(),
            (Self::Statement(statement), Literals::Shown) => statement.text().to_owned(),
            (Self::Text(text), Literals::Masked) => cellgate_sql::mask(&String::from_utf8_lossy(text)),
            (Self::Text(text), Literals::Shown) => String::from_utf8_lossy(text).into_owned(),
        }
    }

    /// What frameworks wrote into comments that are not part of the text.
    fn tags(self) -> String {
        match self {
            Self::Statement(statement) => statement.tags(),
            // Its comments are in it.
            Self::Text(_) => String::new(),
        }
    }
}

#[async_trait]
impl Handler for Session {
    type Plan = Arc<Plan>;
    type Cursor = Cursor;

    fn verifier(&self, user: &str) -> Option<Verifier> {
        self.server.verifier(user, &self.host)
    }

    fn delay(&self, user: &str) -> Duration {
        self.server.login_delay(user, &self.host)
    }

    async fn look_again(&mut self) -> bool {
        let accounts = Arc::clone(self.server.accounts());
        let version = accounts.current().version();
        accounts.look_again(version).await
    }

    async fn login(&mut self, login: &Login) -> Result<Status, ErrorReply> {
        self.enter(login)?;
        self.user.clone_from(&login.user);
        self.multi_statements = login.capabilities.multi_statements;
        self.found_rows_flag = login.capabilities.found_rows;
        self.interactive = login.capabilities.interactive;
        self.variables = self.fresh_variables();
        self.tls.clone_from(&login.tls);
        self.compressed = login.capabilities.compress;
        self.client = bounded(&login.attributes);
        self.begin_tracking(login.capabilities.session_track);
        self.server.login_granted(&login.user, &self.host);
        self.database = None;
        self.process.login(&self.user, listed(&self.client));
        if let Some(database) = &login.database {
            self.init_db(database).await?;
        }
        Ok(self.status())
    }

    fn denied(&self, user: &str, using_password: bool) -> ErrorReply {
        self.server.login_denied(user, &self.host);
        errors::access_denied(user, &self.host, using_password)
    }

    async fn init_db(&mut self, database: &str) -> Result<Status, ErrorReply> {
        self.renew_access();
        let mut used = self.use_database(database).await;
        if used.as_ref().is_err_and(StatementError::suspects_access) {
            let server = Arc::clone(&self.server);
            if server.accounts().look_again(self.access().version()).await {
                self.renew_access();
                used = self.use_database(database).await;
            }
        }
        match used {
            Ok(()) => {
                self.process.use_database(self.database.as_deref());
                Ok(self.status())
            }
            Err(error) => Err(errors::reply(&error)),
        }
    }

    async fn field_list(&mut self, table: &str) -> Result<Vec<cellgate_sql::ColumnMeta>, ErrorReply> {
        let text = format!("SELECT * FROM `{}`", table.replace('`', "``"));
        let described = match self.parse(text.as_bytes()) {
            Ok(statements) => match &statements[..] {
                [statement] => self.describe(statement).await,
                _ => Ok(Vec::new()),
            },
            Err(error) => Err(error),
        };
        described.map_err(|error| {
            self.note_error(&error);
            errors::reply(&error)
        })
    }

    async fn kill(&mut self, connection: u32) -> Result<Status, ErrorReply> {
        match self.kill_session(connection, Kill::Connection) {
            Ok(()) => Ok(self.status()),
            Err(error) => {
                self.note_error(&error);
                Err(errors::reply(&error))
            }
        }
    }

    fn query<'a>(&'a mut self, text: Bytes, reply: Reply<'a>) -> Answering<'a> {
        let started = reply.started();
        self.renew_access();
        if std::str::from_utf8(&text).is_ok()
            && let Some((plan, literals)) = self.normal_plan(&text)
            && let Some(ready) = self.ready(&plan, &literals)
        {
            if let Some(cell) = self.in_memory(&ready, started) {
                return Answering::Now(self.answer_now(CommandLabel::Query, Shown::Text(&text), &ready, &cell, reply));
            }
            self.server.processes().begin(&self.process, Running::Text(text.clone()), started);
            return Answering::later(async move {
                let shown = Shown::Text(&text);
                match self.answer(CommandLabel::Query, shown, ready, reply).await? {
                    Answered::Replied(replied) => Ok(replied),
                    Answered::LongWay(reply) => Box::pin(self.query_long(text, started, reply)).await,
                }
            });
        }
        Answering::later(self.query_long(text, started, reply))
    }

    async fn prepare(&mut self, text: Bytes) -> Result<Prepared<Arc<Plan>>, ErrorReply> {
        let outcome = match self.plan(&text) {
            Ok(plan) => self.describe(plan.statement()).await.map(|columns| (plan, columns)),
            Err(error) => Err(error),
        };
        match outcome {
            Ok((plan, columns)) => {
                self.server.metrics().query(CommandLabel::Prepare, shape_label(plan.statement()), Outcome::Ok);
                let params = plan.statement().parameters();
                Ok(Prepared { plan, params, columns, warnings: 0, status: self.status() })
            }
            Err(error) => {
                let outcome = Outcome::Error(error.kind());
                self.server.metrics().query(CommandLabel::Prepare, ShapeLabel::Other, outcome);
                self.note_error(&error);
                Err(errors::reply(&error))
            }
        }
    }

    fn execute<'a>(&'a mut self, plan: &'a Arc<Plan>, params: Vec<Value>, reply: Reply<'a>) -> Answering<'a> {
        let started = reply.started();
        self.renew_access();
        let shown = Shown::Statement(plan.statement());
        if let Some(ready) = self.ready(plan, &params) {
            if let Some(cell) = self.in_memory(&ready, started) {
                return Answering::Now(self.answer_now(CommandLabel::Execute, shown, &ready, &cell, reply));
            }
            self.server.processes().begin(&self.process, Running::Statement(plan.statement().clone()), started);
            return Answering::later(async move {
                match self.answer(CommandLabel::Execute, shown, ready, reply).await? {
                    Answered::Replied(replied) => Ok(replied),
                    Answered::LongWay(reply) => {
                        Box::pin(self.execute_long(plan.statement(), params, started, reply)).await
                    }
                }
            });
        }
        self.server.processes().begin(&self.process, Running::Statement(plan.statement().clone()), started);
        Answering::later(self.execute_long(plan.statement(), params, started, reply))
    }

    fn attributes(&mut self, attributes: Attributes) {
        self.process.describe(listed(&attributes));
        self.attributes = attributes;
    }

    async fn open(&mut self, plan: &Arc<Plan>, params: Vec<Value>) -> Result<Opened<Cursor>, ErrorReply> {
        let started = Instant::now();
        let statement = plan.statement();
        self.server.processes().begin(&self.process, Running::Statement(statement.clone()), started);
        let answer = self.run_or_die(statement, &params).await;
        let (opened, outcome) = match answer {
            Ok(Answer::Done(done)) => (Ok(Opened::Done(self.ok_reply(done))), Outcome::Ok),
            Ok(rows @ (Answer::Table(_) | Answer::Stream(_))) => {
                let cursor = RowSource::of(rows);
                let columns = cursor.columns().to_vec();
                self.last.row_count = -1;
                (Ok(Opened::Rows { cursor: Cursor(cursor), columns, status: Session::status(self) }), Outcome::Ok)
            }
            Err(error) => {
                self.note_error(&error);
                (Err(errors::reply(&error)), Outcome::Error(error.kind()))
            }
        };
        let shown = Shown::Statement(statement);
        self.finish(CommandLabel::Execute, shown, shape_label(statement), started, &Ending { outcome, rows: 0 });
        opened
    }

    async fn fetch(&mut self, Cursor(cursor): &mut Cursor) -> Result<Option<cellgate_sql::Row>, ErrorReply> {
        cursor.prolong(Instant::now() + self.server.config().timeouts.statement);
        match cursor.next(self.process.kill_switch()).await {
            Ok(Some(row)) => {
                self.server.metrics().rows_sent(1);
                Ok(Some(row))
            }
            Ok(None) => {
                self.last.found_rows = cursor.sent();
                Ok(None)
            }
            Err(error) => {
                self.note_error(&error);
                Err(errors::reply(&error))
            }
        }
    }

    fn changes(&mut self) -> Vec<SessionChange> {
        self.take_changes()
    }

    async fn reset(&mut self) -> Status {
        self.server.locks().ended(self.process.id()).await;
        Session::reset(self);
        self.status()
    }

    async fn statistics(&self) -> String {
        self.server.statistics()
    }

    async fn set_multi_statements(&mut self, on: bool) -> Status {
        self.multi_statements = on;
        self.status()
    }

    fn status(&self) -> Status {
        Session::status(self)
    }

    fn idle_timeout(&self) -> Option<Duration> {
        Some(self.variables.derived().wait_timeout)
    }

    fn observe(&self, event: WireEvent) {
        match event {
            WireEvent::Traffic { received, sent } => {
                self.server.metrics().bytes_received(usize::try_from(received).unwrap_or(usize::MAX));
                self.server.metrics().bytes_sent(usize::try_from(sent).unwrap_or(usize::MAX));
            }
            WireEvent::Command { kind, reading, started } => {
                self.server.metrics().stage(Stage::Read, reading);
                self.observe_command(kind, started);
            }
        }
    }
}

impl Session {
    /// Answers a text the long way.
    async fn query_long(&mut self, text: Bytes, started: Instant, reply: Reply<'_>) -> Result<Replied, WireError> {
        let parsed = match self.known_statement(&text) {
            Some(statement) => Ok(vec![statement]),
            None => self.parse(&text).inspect(|statements| {
                if let [statement] = statements.as_slice() {
                    self.remember(&text, statement);
                }
            }),
        };
        self.server.metrics().stage(Stage::Parse, started.elapsed());
        match parsed {
            Ok(statements) => self.run_all(statements, started, reply).await,
            Err(error) => {
                let kind = error.kind();
                self.server.metrics().query(CommandLabel::Query, ShapeLabel::Other, Outcome::Error(kind));
                self.note_error(&error);
                reply.error(&errors::reply(&error)).await
            }
        }
    }

    /// Answers a prepared statement the long way.
    async fn execute_long(
        &mut self,
        statement: &Statement,
        params: Vec<Value>,
        started: Instant,
        reply: Reply<'_>,
    ) -> Result<Replied, WireError> {
        let answer = self.run_or_die(statement, &params).await;
        let (replied, ending) = self.send(answer, reply).await?;
        self.finish(CommandLabel::Execute, Shown::Statement(statement), shape_label(statement), started, &ending);
        Ok(replied)
    }

    /// Text to statements.
    fn parse(&self, text: &[u8]) -> Result<Vec<Statement>, StatementError> {
        let mode = self.variables.sql_mode();
        let statements = match std::str::from_utf8(text) {
            Ok(text) => cellgate_sql::parse(text, mode)?,
            Err(error) => {
                let spelled = cellgate_sql::spell_bytes(text, mode);
                let wrong = StatementError::NotUtf8 { offset: error.valid_up_to() };
                cellgate_sql::parse(&spelled.ok_or(wrong)?, mode)?
            }
        };
        if statements.len() > 1 && !self.multi_statements {
            return Err(StatementError::MultiStatementsOff);
        }
        Ok(statements)
    }

    /// The plan of a text to prepare, shared by all sessions that prepare the same.
    fn plan(&self, text: &Bytes) -> Result<Arc<Plan>, StatementError> {
        let mode = self.variables.sql_mode();
        if let Some(plan) = self.server.plans().get(text, mode) {
            return Ok(plan);
        }
        let statement = single(self.parse(text)?).ok_or(StatementError::Unsupported {
            what: "preparing several statements at once",
            instead: "prepare them one by one",
        })?;
        let plan = Arc::new(Plan::new(statement));
        self.server.plans().insert(text, mode, &plan);
        Ok(plan)
    }

    /// The columns of a statement's result, with the catalog read again if it may be out of date.
    async fn describe(&mut self, statement: &Statement) -> Result<Vec<cellgate_sql::ColumnMeta>, StatementError> {
        self.renew_access();
        let snapshot = self.server.catalog().snapshot();
        match self.describe_with(statement, &snapshot) {
            Err(error) if error.suspects_access() => {
                let server = Arc::clone(&self.server);
                if !server.accounts().look_again(self.access().version()).await {
                    return Err(error);
                }
                self.renew_access();
                self.describe_with(statement, &snapshot)
            }
            Err(error) if error.suspects_catalog() => {
                let Ok(newer) = self.server.catalog().refresh().await else { return Err(error) };
                self.describe_with(statement, &newer)
            }
            Ok(columns) if columns.is_empty() => self.describe_own(statement, &snapshot).await,
            answer => answer,
        }
    }

    fn describe_with(
        &self,
        statement: &Statement,
        catalog: &Snapshot,
    ) -> Result<Vec<cellgate_sql::ColumnMeta>, StatementError> {
        let environment = self.environment(catalog).running(statement.kind());
        cellgate_sql::describe(statement, &environment).map_err(|e| self.veiled(e, statement.kind()))
    }

    /// The columns of SHOW and EXPLAIN, which the session alone knows; none for everything else. A statement whose
    /// parameters decide is described without them.
    async fn describe_own(
        &self,
        statement: &Statement,
        catalog: &Arc<Snapshot>,
    ) -> Result<Vec<cellgate_sql::ColumnMeta>, StatementError> {
        let params = vec![Value::Null; statement.parameters().into()];
        match statement.kind() {
            StatementKind::Show | StatementKind::Explain => {}
            StatementKind::Select
            | StatementKind::Insert
            | StatementKind::Update
            | StatementKind::Delete
            | StatementKind::Replace
            | StatementKind::Ddl
            | StatementKind::Set
            | StatementKind::Use
            | StatementKind::Transaction
            | StatementKind::Other => return Ok(Vec::new()),
        }
        let command = cellgate_sql::bind(statement, &params, &self.environment(catalog))
            .map_err(|e| self.veiled(e, statement.kind()))?;
        self.check(&command)?;
        match command {
            Command::Show(show) => self.show_columns(show, catalog).await,
            Command::Explain(explain) => Ok(super::explain::columns(explain.analyze)),
            _ => Ok(Vec::new()),
        }
    }

    /// Runs the statements of one text; the first that fails is the last.
    async fn run_all(
        &mut self,
        statements: Vec<Statement>,
        started: Instant,
        mut reply: Reply<'_>,
    ) -> Result<Replied, WireError> {
        let mut statements = statements.into_iter().peekable();
        let mut started = started;
        while let Some(statement) = statements.next() {
            self.server.processes().begin(&self.process, Running::Statement(statement.clone()), started);
            let answer = self.run_or_die(&statement, &[]).await;
            let last = statements.peek().is_none() || answer.is_err();
            if last {
                let (replied, ending) = self.send(answer, reply).await?;
                let shown = Shown::Statement(&statement);
                self.finish(CommandLabel::Query, shown, shape_label(&statement), started, &ending);
                return Ok(replied);
            }
            let ending = match answer {
                Ok(answer) => match self.send_part(answer, &mut reply).await? {
                    Ok(ending) => ending,
                    Err(replied) => return Ok(replied),
                },
                Err(_) => continue,
            };
            let shown = Shown::Statement(&statement);
            self.finish(CommandLabel::Query, shown, shape_label(&statement), started, &ending);
            started = Instant::now();
        }
        // `parse` answers at least one statement.
        reply.error(&errors::reply(&cellgate_sql::SqlError::Empty.into())).await
    }

    /// Sends an answer that others follow. The inner error is the end of the reply: rows that broke off.
    async fn send_part(&mut self, answer: Answer, reply: &mut Reply<'_>) -> Result<Result<Ending, Replied>, WireError> {
        match answer {
            Answer::Done(done) => {
                let ok = self.ok_reply(done);
                reply.ok_part(ok).await?;
                Ok(Ok(Ending { outcome: Outcome::Ok, rows: 0 }))
            }
            rows @ (Answer::Table(_) | Answer::Stream(_)) => {
                let mut rows = RowSource::of(rows);
                let mut writer = reply.rows_part(rows.columns(), self.status()).await?;
                loop {
                    match rows.next(self.process.kill_switch()).await {
                        Ok(Some(row)) => writer.row(&row).await?,
                        Ok(None) => break,
                        Err(error) => {
                            self.note_error(&error);
                            return Ok(Err(writer.fail(&errors::reply(&error)).await?));
                        }
                    }
                }
                let sent = self.sent_rows(&rows);
                // The part is ended; the reply goes on.
                let _part = writer.finish(self.last.warnings.count(), self.status()).await?;
                Ok(Ok(Ending { outcome: Outcome::Ok, rows: sent }))
            }
        }
    }

    async fn send(
        &mut self,
        answer: Result<Answer, StatementError>,
        reply: Reply<'_>,
    ) -> Result<(Replied, Ending), WireError> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let outcome = Outcome::Error(error.kind());
                self.note_error(&error);
                return Ok((reply.error(&errors::reply(&error)).await?, Ending { outcome, rows: 0 }));
            }
        };
        match answer {
            Answer::Done(done) => {
                let ok = self.ok_reply(done);
                Ok((reply.ok(ok).await?, Ending { outcome: Outcome::Ok, rows: 0 }))
            }
            rows @ (Answer::Table(_) | Answer::Stream(_)) => {
                let started = Instant::now();
                let mut rows = RowSource::of(rows);
                let mut writer = reply.rows(rows.columns(), self.status()).await?;
                loop {
                    match rows.next(self.process.kill_switch()).await {
                        Ok(Some(row)) => writer.row(&row).await?,
                        Ok(None) => break,
                        Err(error) => {
                            let outcome = Outcome::Error(error.kind());
                            self.note_error(&error);
                            let replied = writer.fail(&errors::reply(&error)).await?;
                            return Ok((replied, Ending { outcome, rows: rows.sent() }));
                        }
                    }
                }
                let sent = self.sent_rows(&rows);
                let replied = writer.finish(self.last.warnings.count(), self.status()).await?;
                self.server.metrics().stage(Stage::Reply, started.elapsed());
                Ok((replied, Ending { outcome: Outcome::Ok, rows: sent }))
            }
        }
    }

    pub(super) fn ok_reply(&mut self, done: Done) -> OkReply {
        self.last.row_count = i64::try_from(done.affected).unwrap_or(i64::MAX);
        OkReply {
            affected_rows: done.affected,
            last_insert_id: done.last_insert_id,
            warnings: self.last.warnings.count(),
            status: Session::status(self),
            info: done.info,
            changes: self.take_changes(),
        }
    }

    fn sent_rows(&mut self, rows: &RowSource) -> u64 {
        self.sent(rows.sent(), rows.found())
    }

    /// So many rows were sent, of so many that were found.
    pub(super) fn sent(&mut self, rows: u64, found: u64) -> u64 {
        self.last.row_count = -1;
        self.last.found_rows = found;
        self.server.metrics().rows_sent(rows);
        rows
    }

    /// SHOW WARNINGS and SHOW ERRORS show the error of the statement before.
    pub(super) fn note_error(&mut self, error: &StatementError) {
        let reply = errors::numbered(error);
        let mut warnings = std::mem::take(&mut self.last).warnings;
        if matches!(error, StatementError::Sql(_) | StatementError::NotUtf8 { .. }) {
            warnings = Warnings::default();
        }
        warnings.push(Level::Error, reply.0, reply.1);
        self.last = Last { row_count: -1, found_rows: 0, warnings };
    }

    /// The statement has ended. `label` is what it is if nothing more is known of it.
    pub(super) fn finish(
        &mut self,
        command: CommandLabel,
        shown: Shown<'_>,
        label: ShapeLabel,
        started: Instant,
        ending: &Ending,
    ) {
        let ended = Instant::now();
        self.process.end(ended, self.database.as_deref());
        let label = self.shape.take().unwrap_or(label);
        self.count(command, shown, label, ended.saturating_duration_since(started), ending);
        if !self.attributes.is_empty() {
            self.attributes = Attributes::new();
        }
    }

    /// Counts a statement that has ended, and logs it if it was slow.
    pub(super) fn count(
        &self,
        command: CommandLabel,
        shown: Shown<'_>,
        label: ShapeLabel,
        took: Duration,
        ending: &Ending,
    ) {
        self.server.metrics().query(command, label, ending.outcome);
        self.server.metrics().stage(Stage::Total, took);
        let config = self.server.config();
        if config.log.slow_query.is_some_and(|threshold| took >= threshold) {
            self.server.metrics().slow_query();
            let tags = shown.tags();
            let shown = shown.text(config.log.literals);
            let failed = matches!(ending.outcome, Outcome::Error(_));
            tracing::warn!(
                target: "slow_query",
                took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                rows = ending.rows,
                failed,
                connection = self.process.id(),
                user = self.user,
                host = self.host,
                database = self.database.as_deref().unwrap_or(""),
                client = listed(&self.client),
                attributes = listed(&self.attributes),
                statement = shown,
                tags,
                "slow query"
            );
        }
    }

    fn observe_command(&self, kind: CommandKind, started: Instant) {
        let label = match kind {
            // Counted with their statements.
            CommandKind::Query | CommandKind::Prepare | CommandKind::Execute => return,
            CommandKind::Ping => CommandLabel::Ping,
            CommandKind::InitDb => CommandLabel::InitDb,
            CommandKind::ResetConnection => CommandLabel::Reset,
            CommandKind::ChangeUser => CommandLabel::ChangeUser,
            CommandKind::Quit => CommandLabel::Quit,
            CommandKind::FieldList => CommandLabel::FieldList,
            CommandKind::Statistics => CommandLabel::Statistics,
            CommandKind::SetOption
            | CommandKind::SendLongData
            | CommandKind::ResetStatement
            | CommandKind::Close
            | CommandKind::Fetch
            | CommandKind::ProcessKill
            | CommandKind::Unknown => CommandLabel::Other,
        };
        self.server.metrics().query(label, ShapeLabel::Other, Outcome::Ok);
        self.server.metrics().stage(Stage::Total, started.elapsed());
    }
}

/// The rows of an execution that are fetched in parts.
pub struct Cursor(RowSource);

/// Most connection attributes that are kept of a client, and most bytes of a name or value. Clients send about ten.
const MOST_ATTRIBUTES: usize = 32;
const ATTRIBUTE_BYTES: usize = 256;

/// As much of a client's connection attributes as is kept.
fn bounded(attributes: &[(String, String)]) -> Attributes {
    let cut = |text: &String| text[..text.floor_char_boundary(ATTRIBUTE_BYTES)].to_owned();
    attributes.iter().take(MOST_ATTRIBUTES).map(|(name, value)| (cut(name), cut(value))).collect()
}

/// Attributes on one line.
fn listed(attributes: &Attributes) -> String {
    attributes.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// Rows, wherever they come from: a table that is all there, or a stream that is read as they are taken.
enum RowSource {
    Table { columns: Vec<cellgate_sql::ColumnMeta>, rows: std::vec::IntoIter<cellgate_sql::Row>, sent: u64 },
    Stream(Box<super::read::Stream>),
}

impl RowSource {
    fn of(answer: Answer) -> Self {
        match answer {
            Answer::Done(_) => Self::Table { columns: Vec::new(), rows: Vec::new().into_iter(), sent: 0 },
            Answer::Table(table) => Self::Table { columns: table.columns, rows: table.rows.into_iter(), sent: 0 },
            Answer::Stream(stream) => Self::Stream(stream),
        }
    }

    fn prolong(&mut self, deadline: Instant) {
        match self {
            Self::Table { .. } => {}
            Self::Stream(stream) => stream.prolong(deadline),
        }
    }

    fn columns(&self) -> &[cellgate_sql::ColumnMeta] {
        match self {
            Self::Table { columns, .. } => columns,
            Self::Stream(stream) => stream.columns(),
        }
    }

    /// The next row, unless the statement was killed.
    async fn next(&mut self, kill: &KillSwitch) -> Result<Option<cellgate_sql::Row>, StatementError> {
        kill.interruptible(self.advance()).await.unwrap_or(Err(StatementError::Interrupted))
    }

    async fn advance(&mut self) -> Result<Option<cellgate_sql::Row>, StatementError> {
        match self {
            Self::Table { rows, sent, .. } => {
                let row = rows.next();
                *sent += u64::from(row.is_some());
                Ok(row)
            }
            Self::Stream(stream) => stream.next().await,
        }
    }

    /// What FOUND_ROWS() answers afterwards.
    fn found(&self) -> u64 {
        match self {
            Self::Table { sent, .. } => *sent,
            Self::Stream(stream) => stream.found(),
        }
    }

    fn sent(&self) -> u64 {
        match self {
            Self::Table { sent, .. } => *sent,
            Self::Stream(stream) => stream.sent(),
        }
    }
}

/// The metric label of a statement that has not been bound (its kind is all that is known).
fn shape_label(statement: &Statement) -> ShapeLabel {
    match statement.kind() {
        StatementKind::Select => ShapeLabel::Constant,
        StatementKind::Insert => ShapeLabel::Insert,
        StatementKind::Delete => ShapeLabel::Erase,
        StatementKind::Ddl => ShapeLabel::Ddl,
        StatementKind::Set => ShapeLabel::Set,
        StatementKind::Show => ShapeLabel::Show,
        StatementKind::Use => ShapeLabel::Use,
        StatementKind::Transaction => ShapeLabel::Transaction,
        StatementKind::Explain => ShapeLabel::Explain,
        StatementKind::Update | StatementKind::Replace | StatementKind::Other => ShapeLabel::Other,
    }
}
