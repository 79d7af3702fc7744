//! Sending answers: OK packets, result sets row by row, errors, and what is remembered of them.

use std::pin::pin;
use std::time::Instant;

use bytes::Bytes;
use cellgate_metrics::{Command as CommandLabel, Outcome, Stage};
use cellgate_schemaless::ErrorKind;
use cellgate_sql::Statement;

use super::ending::{Ending, Shown, shape_label};
use super::error::ROLLED_BACK;
use super::rows::RowSource;
use super::warnings::{Level, Warnings};
use super::{Answer, Done, Last, Session, StatementError, executor_of};
use crate::errors;
use crate::processes::Running;
use crate::wire::{ErrorReply, OkReply, Replied, Reply, RowsReply, Violation, WireError};

/// How often the rest of a text is read anew, at most: each time that is all of it.
const READINGS: usize = 100;

/// What became of one of several answers.
struct Part {
    ending: Ending,
    /// The end of the reply: the rows broke off, and nothing follows.
    last: Option<Replied>,
}

impl Session {
    /// Runs the statements of a text; the first that fails is the last. Behind one that changes how text reads (`SET
    /// sql_mode`) the others are read anew.
    pub(super) async fn run_all(
        &mut self,
        mut text: Bytes,
        statements: Vec<Statement>,
        started: Instant,
        mut reply: Reply<'_>,
    ) -> Result<Replied, WireError> {
        let mut statements = statements.into_iter().peekable();
        let mut started = started;
        let mut readings = 0;
        while let Some(statement) = statements.next() {
            self.begin_statement(CommandLabel::Query, Running::Statement(statement.clone()), started);
            let answer = reply.meanwhile(pin!(self.run_here(&statement))).await;
            let last = statements.peek().is_none() || answer.is_err();
            if last {
                let (replied, ending) = self.send(answer, reply).await?;
                let shown = Shown::Statement(&statement);
                self.finish(CommandLabel::Query, shown, shape_label(&statement), started, &ending);
                return Ok(replied);
            }
            let part = match answer {
                Ok(answer) => self.send_part(answer, &mut reply).await?,
                Err(_) => continue,
            };
            let shown = Shown::Statement(&statement);
            let Part { ending, last } = part;
            self.finish(CommandLabel::Query, shown, shape_label(&statement), started, &ending);
            if let Some(replied) = last {
                return Ok(replied);
            }
            started = Instant::now();
            if !statement.reads_as_in(self.variables.sql_mode()) {
                readings += 1;
                let rest = match Self::rest(&text, &statement) {
                    Ok(_) if readings > READINGS => Err(StatementError::Unsupported {
                        what: "changing how text reads (sql_mode) more than 100 times in one text",
                        instead: "send the statements one by one",
                    }),
                    Ok(rest) => Box::pin(self.read_text(&rest, started, &mut reply)).await.map(|read| (rest, read)),
                    Err(error) => Err(error),
                };
                match rest {
                    Ok((rest, read)) => (text, statements) = (rest, read.into_iter().peekable()),
                    Err(error) => return Ok(self.refuse_text(&text, &error, started, reply)),
                }
            }
        }
        // `parse` answers at least one statement.
        Ok(reply.error(&errors::reply(&cellgate_sql::SqlError::Empty.into(), self.server.incidents())))
    }

    /// Sends an answer that others follow, unless its rows break off.
    async fn send_part(&mut self, answer: Answer, reply: &mut Reply<'_>) -> Result<Part, WireError> {
        match answer {
            Answer::Done(done) => {
                let ok = self.ok_reply(done);
                reply.ok_part(ok).await?;
                Ok(Part { ending: Ending { outcome: Outcome::Ok, rows: 0 }, last: None })
            }
            rows @ (Answer::Table(_) | Answer::Stream(_)) => {
                let mut rows = RowSource::of(rows);
                let writer = reply.rows_part(rows.columns(), self.status()).await?;
                let (replied, ending) = self.send_rows(&mut rows, writer).await?;
                // If they did not break off, the part is ended and the reply goes on.
                let last = matches!(ending.outcome, Outcome::Error(_)).then_some(replied);
                Ok(Part { ending, last })
            }
        }
    }

    pub(super) async fn send(
        &mut self,
        answer: Result<Answer, StatementError>,
        reply: Reply<'_>,
    ) -> Result<(Replied, Ending), WireError> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let outcome = Outcome::Error(error.kind());
                let answer = self.note_error(&error);
                return Ok((reply.error(&answer), Ending { outcome, rows: 0 }));
            }
        };
        match answer {
            Answer::Done(done) => {
                let ok = self.ok_reply(done);
                Ok((reply.ok(&ok), Ending { outcome: Outcome::Ok, rows: 0 }))
            }
            rows @ (Answer::Table(_) | Answer::Stream(_)) => {
                let started = Instant::now();
                let mut rows = RowSource::of(rows);
                let before = rows.waited();
                let writer = reply.rows(rows.columns(), self.status()).await?;
                let (replied, ending) = self.send_rows(&mut rows, writer).await?;
                // Further pages were fetched meanwhile, which is another stage.
                let waited = rows.waited().saturating_sub(before);
                self.server.metrics().stage(Stage::Reply, started.elapsed().saturating_sub(waited));
                Ok((replied, ending))
            }
        }
    }

    /// Sends all rows and ends the result set, or breaks it off with the error of a row.
    async fn send_rows(
        &mut self,
        rows: &mut RowSource,
        mut writer: RowsReply<'_>,
    ) -> Result<(Replied, Ending), WireError> {
        loop {
            let next = writer.meanwhile(pin!(rows.next(self.process.kill_switch()))).await;
            match next {
                Ok(Some(row)) => match writer.row(&row).await {
                    Err(WireError::Protocol(Violation::Value { ty, .. })) => {
                        let answer = ErrorReply::unfit(ty);
                        self.note_reply(ErrorKind::Value, &answer, Warnings::default());
                        let ending = Ending { outcome: Outcome::Error(ErrorKind::Value), rows: rows.sent() };
                        return Ok((writer.fail(&answer).await?, ending));
                    }
                    Ok(()) => {}
                    Err(error) => {
                        // Nobody is told of it: it is counted when the session ends.
                        self.server.metrics().rows_sent(rows.sent());
                        self.sent_under_way(rows.sent());
                        return Err(error);
                    }
                },
                Ok(None) => break,
                Err(error) => {
                    let outcome = Outcome::Error(error.kind());
                    let answer = self.note_error(&error);
                    let replied = writer.fail(&answer).await?;
                    return Ok((replied, Ending { outcome, rows: rows.sent() }));
                }
            }
        }
        let sent = self.sent_rows(rows);
        let changes = if writer.tells_changes() { self.take_changes() } else { Vec::new() };
        let replied = writer.finish_with(self.last.warnings.told(), self.status(), changes).await?;
        Ok((replied, Ending { outcome: Outcome::Ok, rows: sent }))
    }

    pub(super) fn ok_reply(&mut self, done: Done) -> OkReply {
        self.last.row_count = i64::try_from(done.affected).unwrap_or(i64::MAX);
        OkReply {
            affected_rows: done.affected,
            last_insert_id: done.last_insert_id,
            warnings: self.last.warnings.told(),
            status: Session::status(self),
            info: done.info,
            changes: self.take_changes(),
        }
    }

    fn sent_rows(&mut self, rows: &RowSource) -> u64 {
        self.warn_of(rows.notes());
        self.sent(rows.sent(), rows.found())
    }

    /// So many rows were sent, of so many that were found.
    pub(super) fn sent(&mut self, rows: u64, found: u64) -> u64 {
        self.last.row_count = -1;
        self.last.found_rows = found;
        if let Some(open) = &mut self.transaction {
            open.done.sent = true;
        }
        self.server.metrics().rows_sent(rows);
        rows
    }

    /// What the client is told of an error: SHOW WARNINGS and SHOW ERRORS show it behind the statement, and no more than that.
    pub(super) fn note_error(&mut self, error: &StatementError) -> ErrorReply {
        let mut reply = self.reply_to(error);
        self.server.note_lacking(error);
        if let Some(more) = self.server.more_of(error, &self.given_up) {
            let message = &mut reply.message;
            let end = message.strip_suffix(ROLLED_BACK).unwrap_or(message).len();
            message.insert_str(end, &more);
        }
        self.give_up_calls();
        let cause = if let StatementError::RolledBack(cause) = error { cause } else { error };
        if matches!(cause, StatementError::Interrupted) {
            self.give_back_names();
        }
        let Last { mut warnings, begun, .. } = std::mem::take(&mut self.last);
        if !begun || matches!(error, StatementError::Sql(_) | StatementError::NotUtf8 { .. }) {
            warnings = Warnings::default();
        }
        self.note_reply(error.kind(), &reply, warnings);
        reply
    }

    /// Who is interrupted because the program stops is told that.
    fn reply_to(&self, error: &StatementError) -> ErrorReply {
        let stops = |error: &StatementError| {
            let interrupted = matches!(error, StatementError::Interrupted | StatementError::GoesOn);
            interrupted && self.server.processes().are_ended()
        };
        match error {
            error if stops(error) => ErrorReply::shutting_down(),
            StatementError::RolledBack(cause) if stops(cause) => {
                let mut reply = ErrorReply::shutting_down();
                reply.message.push_str(ROLLED_BACK);
                reply
            }
            error => errors::reply(error, self.server.incidents()),
        }
    }

    /// What goes on of a statement that has failed, as a write does, is none of the next ones' calls.
    fn give_up_calls(&mut self) {
        self.given_up.forget();
        if self.given_up.goes_on() {
            (self.executor, self.given_up) = executor_of(&self.server);
        }
    }

    /// The same of an error whose reply is made already; `warnings` are those before it.
    fn note_reply(&mut self, kind: ErrorKind, reply: &ErrorReply, mut warnings: Warnings) {
        warnings.push(self.variables.derived().warnings, Level::Error, reply.code, reply.message.clone());
        self.last = Last { row_count: -1, warnings, error: Some(kind), ..Last::default() };
    }
}
