//! How statements end: what is counted of them, and what the slow-query log says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_metrics::{Command as CommandLabel, Outcome, Shape as ShapeLabel, Stage};
use cellgate_schemaless::ErrorKind;
use cellgate_sql::{SqlMode, Statement, StatementKind};

use super::Session;
use super::attributes::listed;
use super::workshop::SHORT_TEXT;
use crate::config::Literals;
use crate::handing_over::handing_over;
use crate::logging;
use crate::processes::Running;
use crate::server::Server;
use crate::wire::{Attributes, CommandKind};

/// How a statement ended, for metrics and the slow-query log.
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    pub(super) rows: u64,
}

/// A statement that has begun: by which command, and how many rows of it were sent so far.
pub(super) struct UnderWay {
    command: CommandLabel,
    rows: u64,
}

/// Time in a stage, which is counted when this is dropped: also if the work has failed, or is not waited for any more.
#[must_use]
pub(super) struct Timed {
    server: Arc<Server>,
    stage: Stage,
    started: Instant,
}

impl Drop for Timed {
    fn drop(&mut self) {
        self.server.metrics().stage(self.stage, self.started.elapsed());
    }
}

/// A statement as it is logged.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    /// One of perhaps several of a text.
    Statement(&'a Statement),
    /// The text of a statement of a known shape, which is read or writes cells, as the client sent it.
    Known(&'a [u8], SqlMode),
    /// A text that is no statement of ours. Nobody can say what of it is a password: its literals are never shown.
    Refused(&'a [u8], SqlMode),
}

impl Shown<'_> {
    fn text(self, literals: Literals) -> String {
        match (self, literals) {
            (Self::Statement(statement), Literals::Masked) => statement.masked(),
            (Self::Statement(statement), Literals::Shown) => statement.text().to_owned(),
            (Self::Known(text, mode), Literals::Masked) => cellgate_sql::mask(&String::from_utf8_lossy(text), mode),
            (Self::Known(text, _), Literals::Shown) => String::from_utf8_lossy(text).into_owned(),
            (Self::Refused(text, mode), Literals::Masked | Literals::Shown) => {
                cellgate_sql::mask_unparsed(&String::from_utf8_lossy(text), mode)
            }
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Statement(statement) => statement.text().len(),
            Self::Known(text, _) | Self::Refused(text, _) => text.len(),
        }
    }

    /// What frameworks wrote into comments that are not part of the text.
    fn tags(self) -> String {
        match self {
            Self::Statement(statement) => statement.tags(),
            // Its comments are in it.
            Self::Known(..) | Self::Refused(..) => String::new(),
        }
    }
}

impl Session {
    /// A stage begins.
    pub(super) fn timed(&self, stage: Stage) -> Timed {
        Timed { server: Arc::clone(&self.server), stage, started: Instant::now() }
    }

    /// A statement begins: it is on the process list until it is finished, and is counted whatever becomes of its client.
    pub(super) fn begin_statement(&mut self, command: CommandLabel, running: Running, started: Instant) {
        self.under_way = Some(UnderWay { command, rows: 0 });
        self.server.processes().begin(&self.process, running, started);
    }

    /// So many more rows of the statement were sent.
    pub(super) fn sent_under_way(&mut self, rows: u64) {
        if let Some(under_way) = &mut self.under_way {
            under_way.rows += rows;
        }
    }

    /// How many rows of the statement were sent.
    pub(super) fn rows_under_way(&self) -> u64 {
        self.under_way.as_ref().map_or(0, |under_way| under_way.rows)
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
        self.under_way = None;
        self.last.begun = false;
        self.keep_names();
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
            let tags = logging::cut(shown.tags());
            let shown = if shown.bytes() > SHORT_TEXT {
                handing_over(|| shown.text(config.log.literals))
            } else {
                shown.text(config.log.literals)
            };
            let failed = matches!(ending.outcome, Outcome::Error(_));
            tracing::warn!(
                target: logging::SLOW_QUERY,
                took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                rows = ending.rows,
                failed,
                connection = self.process.id(),
                user = self.user,
                host = self.host,
                database = self.database.as_deref().unwrap_or(""),
                client = listed(&self.client),
                attributes = listed(&self.attributes),
                statement = logging::cut(shown),
                tags,
                "slow query"
            );
        }
    }

    /// Counts a command that is no statement, or is none that got as far as the session. `refused` is the number of the
    /// error it was answered with.
    pub(super) fn observe_command(&self, kind: CommandKind, started: Instant, refused: Option<u16>) {
        let label = match kind {
            // Counted with their statements.
            CommandKind::Query | CommandKind::Prepare | CommandKind::Execute | CommandKind::Fetch
                if refused.is_none() =>
            {
                return;
            }
            CommandKind::Query => CommandLabel::Query,
            CommandKind::Prepare => CommandLabel::Prepare,
            CommandKind::Execute => CommandLabel::Execute,
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
            | CommandKind::Refresh
            | CommandKind::Unknown => CommandLabel::Other,
        };
        let outcome = match kind {
            _ if refused.is_none() => Outcome::Ok,
            CommandKind::Query | CommandKind::Prepare | CommandKind::Execute => Outcome::Error(match refused {
                // No such statement.
                Some(1243) => ErrorKind::NotFound,
                // Too many of them, or too much long data.
                Some(1461 | 1105) => ErrorKind::Limit,
                // Types, values or attributes that cannot be read.
                Some(_) | None => ErrorKind::Value,
            }),
            CommandKind::ChangeUser => Outcome::Error(ErrorKind::Access),
            // Longer than a command may be.
            CommandKind::Unknown if refused == Some(1153) => Outcome::Error(ErrorKind::Limit),
            CommandKind::Unknown => Outcome::Error(ErrorKind::Unsupported),
            // Of a statement that is not there, or without a cursor.
            CommandKind::ResetStatement | CommandKind::Fetch => Outcome::Error(ErrorKind::NotFound),
            CommandKind::Ping
            | CommandKind::InitDb
            | CommandKind::ResetConnection
            | CommandKind::Quit
            | CommandKind::FieldList
            | CommandKind::Statistics
            | CommandKind::SetOption
            | CommandKind::SendLongData
            | CommandKind::Close
            | CommandKind::ProcessKill
            | CommandKind::Refresh => Outcome::Error(self.last.error.unwrap_or(ErrorKind::NotFound)),
        };
        self.server.metrics().query(label, ShapeLabel::Other, outcome);
        self.server.metrics().stage(Stage::Total, started.elapsed());
    }
}

impl Drop for Session {
    /// A statement whose connection ends before it does is counted, and logged if it was slow: it has timed out if a store
    /// is still waited for, as by a write, failed if it has panicked, and was killed else.
    fn drop(&mut self) {
        let Some(UnderWay { command, rows }) = self.under_way.take() else { return };
        let Some((running, started)) = self.process.running() else { return };
        let kind = match self.given_up.goes_on() {
            _ if std::thread::panicking() => ErrorKind::Internal,
            true => ErrorKind::Timeout,
            false => ErrorKind::Killed,
        };
        let (shown, label) = match &running {
            Running::Statement(statement) => (Shown::Statement(statement), shape_label(statement)),
            Running::Text(text) => (Shown::Known(text, self.variables.sql_mode()), ShapeLabel::Other),
            // Nothing of it has run.
            Running::Reading(_) => return,
        };
        let label = self.shape.take().unwrap_or(label);
        self.count(command, shown, label, started.elapsed(), &Ending { outcome: Outcome::Error(kind), rows });
    }
}

/// The metric label of a statement that has not been bound (its kind is all that is known).
pub(super) fn shape_label(statement: &Statement) -> ShapeLabel {
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
