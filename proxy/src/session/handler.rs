//! The session as the wire calls it.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cellgate_metrics::{Command as CommandLabel, Outcome, Shape as ShapeLabel, Stage};
use cellgate_schemaless::ErrorKind;
use cellgate_sql::{Parameters, Statement};
use tokio::sync::Semaphore;

use super::attributes::{bounded, listed};
use super::ending::{Ending, Shown, shape_label};
use super::error::StatementError;
use super::planned::Answered;
use super::prepare::weight;
use super::prepared_statements::Kept;
use super::rows::{Cursor, RowSource};
use super::workshop::{AT_ONCE, SHORT_TEXT, SHORT_VALUES};
use super::{Answer, Kill, Session};
use crate::auth::Verifier;
use crate::auth::login_key::LoginKey;
use crate::errors;
use crate::locks::Which;
use crate::processes::Running;
use crate::wire::{
    Answering, Attributes, ErrorReply, Handler, Login, Opened, Prepared, Replied, Reply, SessionChange, Status,
    WireError, WireEvent,
};

/// A name in backticks.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[async_trait]
impl Handler for Session {
    type Plan = Kept;
    type Cursor = Cursor;

    fn verifier(&self, user: &str, secure: bool) -> Option<Verifier> {
        self.server.verifier(user, &self.host, secure)
    }

    fn asks_for_native(&self, user: &str) -> bool {
        self.server.accounts().asks_for_native(user)
    }

    fn delay(&self, user: &str) -> Duration {
        self.server.login_delay(user, &self.host)
    }

    fn turns(&self, user: &str) -> Option<Arc<Semaphore>> {
        self.server.login_turns(user, &self.host)
    }

    fn barred(&self, user: &str) -> Option<ErrorReply> {
        self.is_barred(user)
    }

    fn login_key(&self) -> Option<Arc<LoginKey>> {
        Some(Arc::clone(self.server.login_key()))
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
        self.interactive = login.capabilities.interactive;
        self.variables = self.fresh_variables();
        self.tls.clone_from(&login.tls);
        self.compression = login.capabilities.compression;
        self.client = bounded(&login.attributes);
        self.begin_tracking(login.capabilities.session_track);
        self.server.login_granted(&login.user, &self.host);
        self.database = None;
        self.process.use_database(None);
        self.process.login(&self.user, listed(&self.client));
        if let Some(database) = &login.database {
            self.init_db(database).await?;
        }
        Ok(self.status())
    }

    fn failed(&self, user: &str) {
        self.server.login_suspected(user, &self.host);
    }

    fn denied(&self, user: &str, using_password: bool, secure: bool) -> ErrorReply {
        self.server.login_denied(user, &self.host, secure);
        errors::access_denied(user, &self.host, using_password)
    }

    async fn init_db(&mut self, database: &str) -> Result<Status, ErrorReply> {
        let kill = self.process.kill_switch().clone();
        kill.statement_begins();
        let used = kill.interruptible(self.judged_use(database)).await;
        match used.unwrap_or(Err(StatementError::Interrupted)) {
            Ok(()) => {
                self.process.use_database(self.database.as_deref());
                Ok(self.status())
            }
            Err(error) => Err(self.note_error(&error)),
        }
    }

    async fn field_list(&mut self, table: &str) -> Result<Vec<cellgate_sql::ColumnMeta>, ErrorReply> {
        let kill = self.process.kill_switch().clone();
        kill.statement_begins();
        let described = kill.interruptible(async {
            let mut columns = self.described("*", table).await?;
            // Those that are declared are no part of `*`.
            let catalog = self.server.catalog().snapshot();
            let found = self.database.as_deref().and_then(|database| catalog.table(database, table));
            let declared: Vec<String> = found.iter().flat_map(|def| &def.columns).map(|c| quoted(&c.name)).collect();
            if !declared.is_empty() {
                columns.extend(self.described(&declared.join(", "), table).await?);
            }
            Ok(columns)
        });
        let described = described.await.unwrap_or(Err(StatementError::Interrupted));
        described.map_err(|error| self.note_error(&error))
    }

    async fn refresh(&mut self, what: u8) -> Result<Status, ErrorReply> {
        self.renew_access();
        self.refreshed(what).await
    }

    async fn kill(&mut self, connection: u32) -> Result<Status, ErrorReply> {
        self.renew_access();
        let killed = match self.kill_session(connection, Kill::Connection) {
            Ok(()) if connection == self.process.id() => Err(StatementError::Interrupted),
            killed => killed,
        };
        match killed {
            Ok(()) => Ok(self.status()),
            Err(error) => Err(self.note_error(&error)),
        }
    }

    fn query<'a>(&'a mut self, text: Bytes, reply: Reply<'a>) -> Answering<'a> {
        let started = reply.started();
        self.renew_access();
        // A longer text would keep others waiting here: the long way reads it aside.
        if text.len() <= AT_ONCE
            && std::str::from_utf8(&text).is_ok()
            && let Some((plan, literals)) = self.normal_plan(&text)
            && let Some(mut ready) = self.ready(&plan, &literals, self.database.as_deref())
        {
            if let Some(cell) = self.at_once(&ready, started) {
                let shown = Shown::Known(&text, self.variables.sql_mode());
                return Answering::Now(self.answer_now(CommandLabel::Query, shown, &ready, cell.as_ref(), reply));
            }
            self.begin_statement(CommandLabel::Query, Running::Text(text.clone()), started);
            return Answering::soon(async move {
                let shown = Shown::Known(&text, self.variables.sql_mode());
                match self.answer(CommandLabel::Query, shown, &mut ready, reply).await? {
                    Answered::Replied(replied) => Ok(replied),
                    Answered::LongWay(reply) => {
                        drop(ready);
                        Box::pin(self.query_long(text, started, reply)).await
                    }
                }
            });
        }
        Answering::later(self.query_long(text, started, reply))
    }

    async fn prepare(&mut self, text: Bytes) -> Result<Prepared<Kept>, ErrorReply> {
        let kill = self.process.kill_switch().clone();
        kill.statement_begins();
        let is_long = self.begin_long(&text, Instant::now());
        let prepared = kill.interruptible(async {
            let place = self.prepared_place(&text)?;
            let plan = place.keep(self.plan(&text).await?, self.database.clone());
            let columns = self.describe(plan.statement()).await?;
            Ok((plan, columns))
        });
        let outcome = prepared.await.unwrap_or(Err(StatementError::Interrupted));
        if is_long {
            self.process.end(Instant::now(), self.database.as_deref());
        }
        match outcome {
            Ok((plan, columns)) => {
                self.server.metrics().query(CommandLabel::Prepare, shape_label(plan.statement()), Outcome::Ok);
                let params = plan.statement().parameters();
                Ok(Prepared { plan, params, columns, warnings: 0, status: self.status() })
            }
            Err(error) => {
                let outcome = Outcome::Error(error.kind());
                self.server.metrics().query(CommandLabel::Prepare, ShapeLabel::Other, outcome);
                Err(self.note_error(&error))
            }
        }
    }

    fn execute<'a>(&'a mut self, plan: &'a Kept, params: Parameters, reply: Reply<'a>) -> Answering<'a> {
        let started = reply.started();
        self.renew_access();
        let shown = Shown::Statement(plan.statement());
        // Longer values are looked over by the long way, aside.
        if weight(plan.statement(), &params) <= SHORT_VALUES
            && let Some(mut ready) = self.ready(plan, &params, plan.database())
        {
            if let Some(cell) = self.at_once(&ready, started) {
                return Answering::Now(self.answer_now(CommandLabel::Execute, shown, &ready, cell.as_ref(), reply));
            }
            self.begin_statement(CommandLabel::Execute, Running::Statement(plan.statement().clone()), started);
            return Answering::soon(async move {
                match self.answer(CommandLabel::Execute, shown, &mut ready, reply).await? {
                    Answered::Replied(replied) => Ok(replied),
                    Answered::LongWay(reply) => {
                        drop(ready);
                        Box::pin(self.execute_long(plan, params, started, reply)).await
                    }
                }
            });
        }
        self.begin_statement(CommandLabel::Execute, Running::Statement(plan.statement().clone()), started);
        Answering::later(self.execute_long(plan, params, started, reply))
    }

    fn attributes(&mut self, attributes: Attributes) {
        self.process.describe(listed(&attributes));
        self.attributes = attributes;
    }

    fn has_cursor_room(&self) -> bool {
        self.cursors.has_room(self.server.config().limits.collect_bytes.bytes())
    }

    async fn open(&mut self, plan: &Kept, params: Parameters) -> Result<Opened<Cursor>, ErrorReply> {
        let started = Instant::now();
        let statement = plan.statement();
        self.begin_statement(CommandLabel::Execute, Running::Statement(statement.clone()), started);
        let answer = self.run_or_die(plan.execution(&params)).await;
        let (opened, outcome) = match answer {
            Ok(Answer::Done(done)) => (Ok(Opened::Done(self.ok_reply(done))), Outcome::Ok),
            Ok(rows @ (Answer::Table(_) | Answer::Stream(_))) => {
                let mut rows = RowSource::of(rows);
                rows.outlast();
                let columns = rows.columns().to_vec();
                let cursor = self.cursors.keep(rows, statement.clone());
                self.last.row_count = -1;
                (Ok(Opened::Rows { cursor, columns, status: Session::status(self) }), Outcome::Ok)
            }
            Err(error) => (Err(self.note_error(&error)), Outcome::Error(error.kind())),
        };
        let shown = Shown::Statement(statement);
        self.finish(CommandLabel::Execute, shown, shape_label(statement), started, &Ending { outcome, rows: 0 });
        opened
    }

    fn fetching(&mut self, cursor: &Cursor, started: Instant) {
        self.process.kill_switch().statement_begins();
        self.last.error = None;
        self.begin_statement(CommandLabel::Other, Running::Statement(cursor.statement.clone()), started);
    }

    fn fetched(&mut self, cursor: &Cursor, started: Instant, failed: bool) {
        // Without an error of the session it is a value that does not fit.
        let kind = failed.then(|| self.last.error.unwrap_or(ErrorKind::Value));
        let ending = Ending { outcome: kind.map_or(Outcome::Ok, Outcome::Error), rows: self.rows_under_way() };
        self.finish(CommandLabel::Other, Shown::Statement(&cursor.statement), ShapeLabel::Other, started, &ending);
    }

    async fn fetch(&mut self, cursor: &mut Cursor) -> Result<Option<cellgate_sql::Row>, ErrorReply> {
        match cursor.next(self.process.kill_switch()).await {
            Ok(Some(row)) => {
                self.server.metrics().rows_sent(1);
                self.sent_under_way(1);
                Ok(Some(row))
            }
            Ok(None) => {
                self.last.found_rows = cursor.rows.found();
                let notes = cursor.rows.notes();
                // Other statements may have run since the one of the cursor, and theirs are not this one's.
                if !notes.is_empty() && !self.last.begun {
                    self.begin_warnings();
                }
                self.warn_of(notes);
                Ok(None)
            }
            Err(error) => Err(self.note_error(&error)),
        }
    }

    fn changes(&mut self) -> Vec<SessionChange> {
        self.take_changes()
    }

    async fn reset(&mut self) -> Status {
        let (locks, id) = (Arc::clone(self.server.locks()), self.process.id());
        // A write that goes on though its client was told 3024 is over before others have what it relied on. KILL ends the
        // connection, and what it holds is let go of behind the write all the same.
        let killed = self.process.kill_switch().connection_killed();
        let is_killed = tokio::select! {
            () = locks.written_by(id) => false,
            () = killed => true,
        };
        if !is_killed {
            // Not waiting for the meta store: with one that does not answer, what a session begins with cannot depend on it.
            locks.give_back(id, Which::All);
        }
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
            WireEvent::Command { kind, reading, started, refused } => {
                self.server.metrics().stage(Stage::Read, reading);
                self.observe_command(kind, started, refused);
            }
        }
    }
}

impl Session {
    /// Shows that a text is read, if it is one that takes a while; answers whether it is.
    fn begin_long(&self, text: &Bytes, started: Instant) -> bool {
        let is_long = text.len() > SHORT_TEXT;
        if is_long {
            self.process.reads(text.len(), started);
        }
        is_long
    }

    /// The columns of a SELECT of these from a table.
    async fn described(&mut self, columns: &str, table: &str) -> Result<Vec<cellgate_sql::ColumnMeta>, StatementError> {
        let text = Bytes::from(format!("SELECT {columns} FROM {}", quoted(table)));
        match &self.parse(&text).await?[..] {
            [statement] => self.describe(statement).await,
            _ => Ok(Vec::new()),
        }
    }

    /// USE; if it is refused and the accounts may be out of date, it is judged once more by the newest.
    async fn judged_use(&mut self, database: &str) -> Result<(), StatementError> {
        self.renew_access();
        let version = self.access().version();
        match self.use_database(database).await {
            Err(error) if error.suspects_access() => {
                if !self.has_newer_access(version).await {
                    return Err(error);
                }
                self.use_database(database).await
            }
            used => used,
        }
    }

    /// Answers a text the long way.
    async fn query_long(&mut self, text: Bytes, started: Instant, mut reply: Reply<'_>) -> Result<Replied, WireError> {
        let parsed = match self.known_statement(&text) {
            Some(statement) => Ok(vec![statement]),
            None => self.read_text(&text, started, &mut reply).await.inspect(|statements| {
                if let [statement] = statements.as_slice() {
                    self.remember(&text, statement);
                }
            }),
        };
        self.server.metrics().stage(Stage::Parse, started.elapsed());
        match parsed {
            Ok(statements) => self.run_all(text, statements, started, reply).await,
            Err(error) => Ok(self.refuse_text(&text, &error, started, reply)),
        }
    }

    /// Text to statements, with a long one to be seen and killed meanwhile.
    pub(super) async fn read_text(
        &self,
        text: &Bytes,
        started: Instant,
        reply: &mut Reply<'_>,
    ) -> Result<Vec<Statement>, StatementError> {
        if !self.begin_long(text, started) {
            return self.parse(text).await;
        }
        let kill = self.process.kill_switch();
        kill.statement_begins();
        let parsed = reply.meanwhile(pin!(kill.interruptible(self.parse(text)))).await;
        parsed.unwrap_or(Err(StatementError::Interrupted))
    }

    /// Answers a text that cannot be read.
    pub(super) fn refuse_text(
        &mut self,
        text: &[u8],
        error: &StatementError,
        started: Instant,
        reply: Reply<'_>,
    ) -> Replied {
        let answer = self.note_error(error);
        let ending = Ending { outcome: Outcome::Error(error.kind()), rows: 0 };
        let shown = Shown::Refused(text, self.variables.sql_mode());
        self.finish(CommandLabel::Query, shown, ShapeLabel::Other, started, &ending);
        reply.error(&answer)
    }

    /// Answers a prepared statement the long way.
    async fn execute_long(
        &mut self,
        plan: &Kept,
        params: Parameters,
        started: Instant,
        mut reply: Reply<'_>,
    ) -> Result<Replied, WireError> {
        let answer = reply.meanwhile(pin!(self.run_or_die(plan.execution(&params)))).await;
        let (replied, ending) = self.send(answer, reply).await?;
        let statement = plan.statement();
        self.finish(CommandLabel::Execute, Shown::Statement(statement), shape_label(statement), started, &ending);
        Ok(replied)
    }
}
