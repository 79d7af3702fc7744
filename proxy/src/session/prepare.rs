//! From text to statements and plans, and what their results look like before they run; and statements prepared by name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cellgate_sql::{ColumnMeta, Description, Parameters, Prepared, SqlError, SqlMode, Statement, Value};

use super::environment::AT_A_TIME;
use super::planned::single;
use super::prepared_statements::Place;
use super::workshop::{SHORT_TEXT, SHORT_VALUES, SHORT_WORK};
use super::{Answer, Done, Session, StatementError, explain};
use crate::catalog::Snapshot;
use crate::plans::Plan;

/// The error of preparing several statements: to MySQL it is one of syntax, where the second one begins.
fn several(second: &Statement) -> SqlError {
    SqlError::Syntax {
        detail: "one statement is prepared at a time".to_owned(),
        near: second.text().chars().take(80).collect(),
        line: second.line(),
    }
}

/// Text, in UTF-8 or not, to statements.
fn read(text: &[u8], mode: SqlMode) -> Result<Vec<Statement>, StatementError> {
    match std::str::from_utf8(text) {
        Ok(text) => Ok(cellgate_sql::parse(text, mode)?),
        Err(error) => {
            let spelled = cellgate_sql::spell_bytes(text, mode);
            let wrong = StatementError::NotUtf8 { offset: error.valid_up_to() };
            Ok(cellgate_sql::parse(&spelled.ok_or(wrong)?, mode)?)
        }
    }
}

/// How many bytes are looked at to bind a statement with these values.
pub(super) fn weight(statement: &Statement, params: &Parameters) -> usize {
    let value = |value: &Value| match value {
        Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => bytes.len(),
        Value::Decimal(digits) => digits.len(),
        Value::Null | Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::DateTime(_) => 1,
    };
    statement.text().len() + params.iter().map(value).sum::<usize>()
}

impl Session {
    /// Text to statements. A long one is read aside, and read on to its end by nobody but the room that it takes there if it
    /// is not waited for any more.
    pub(super) async fn parse(&self, text: &Bytes) -> Result<Vec<Statement>, StatementError> {
        let mode = self.variables.sql_mode();
        let statements = if text.len() <= SHORT_TEXT {
            read(text, mode)?
        } else {
            let deadline = Instant::now() + self.server.config().timeouts.statement;
            Box::pin(self.desk.parse(text.clone(), mode, read, deadline)).await?
        };
        if statements.len() > 1 && !self.multi_statements {
            return Err(StatementError::MultiStatementsOff);
        }
        Ok(statements)
    }

    /// What stands in a text behind a statement that has changed how text reads (`SET sql_mode`).
    ///
    /// # Errors
    /// That is not a text of its own, or is where its statements begin not known.
    pub(super) fn rest(text: &Bytes, done: &Statement) -> Result<Bytes, StatementError> {
        // Of another text the bytes were spelled out first.
        let rest = done.rest().filter(|rest| *rest <= text.len() && std::str::from_utf8(text).is_ok());
        rest.map(|rest| text.slice(rest..)).ok_or(StatementError::Unsupported {
            what: "a change of sql_mode in the midst of an executable comment or of a text that is not UTF-8",
            instead: "send the SET by itself, before the others",
        })
    }

    /// Works on a statement of so many bytes for at most `limit`: here if that is soon done, and else aside, where it is begun
    /// anew. `work` is told how long it may take and ends with [`SqlError::GivenUp`] if it wants more.
    pub(super) async fn worked_out<T>(
        &self,
        bytes: usize,
        limit: Duration,
        work: impl Fn(Duration) -> Result<T, StatementError>,
    ) -> Result<T, StatementError> {
        let began = Instant::now();
        if bytes <= SHORT_VALUES {
            match work(limit.min(SHORT_WORK)) {
                Err(StatementError::Sql(SqlError::GivenUp)) if limit > SHORT_WORK => {}
                done => return done,
            }
        }
        let deadline = began + self.server.config().timeouts.statement;
        Box::pin(self.desk.bind(deadline, || work(limit))).await
    }

    /// The plan of a text to prepare, shared by all sessions that prepare the same.
    pub(super) async fn plan(&self, text: &Bytes) -> Result<Arc<Plan>, StatementError> {
        let mode = self.variables.sql_mode();
        if let Some(plan) = self.server.plans().get(text, mode) {
            return Ok(plan);
        }
        let statements = self.parse(text).await?;
        if let [_, second, ..] = statements.as_slice() {
            return Err(several(second).into());
        }
        let statement = single(statements).ok_or(SqlError::Empty)?;
        let plan = Arc::new(Plan::new(statement));
        self.server.plans().insert(text, mode, &plan);
        Ok(plan)
    }

    /// Room for one more prepared statement, whichever way it is prepared.
    pub(super) fn prepared_place(&self, text: &[u8]) -> Result<Place, StatementError> {
        self.prepared_room.take(text.len(), self.server.config().limits.prepared_bytes.bytes())
    }

    /// PREPARE, EXECUTE, DEALLOCATE PREPARE: the same plans as those of the protocol's own prepared statements.
    pub(super) async fn prepared(&mut self, prepared: Prepared) -> Result<Answer, StatementError> {
        match prepared {
            Prepared::Prepare { name, text } => {
                // Whatever comes of it, the statement that had the name before is gone.
                self.prepared.remove(&name);
                let most = self.server.config().limits.prepared_statements;
                if self.prepared.len() >= most {
                    return Err(StatementError::TooManyPrepared(most));
                }
                let place = self.prepared_place(&text)?;
                let plan = self.plan(&text).await?;
                self.describe(plan.statement()).await?;
                self.prepared.insert(name, Arc::new(place.keep(plan, self.database.clone())));
                Ok(Answer::Done(Done::default()))
            }
            Prepared::Execute { name, values } => {
                let unknown = StatementError::UnknownPrepared { name: name.clone(), given_to: "EXECUTE" };
                let kept = Arc::clone(self.prepared.get(&name).ok_or(unknown)?);
                if values.len() != usize::from(kept.statement().parameters()) {
                    return Err(SqlError::Arguments("EXECUTE".to_owned()).into());
                }
                // One deep: what prepares cannot be prepared.
                Box::pin(self.run_known(kept.execution(&values.into()))).await
            }
            Prepared::Deallocate { name } => match self.prepared.remove(&name) {
                Some(_) => Ok(Answer::Done(Done::default())),
                None => Err(StatementError::UnknownPrepared { name, given_to: "DEALLOCATE PREPARE" }),
            },
        }
    }

    /// The columns of a statement's result. As when it runs: what is refused is judged once more by the newest accounts,
    /// and what is not known once more by the newest catalog.
    pub(super) async fn describe(&mut self, statement: &Statement) -> Result<Vec<ColumnMeta>, StatementError> {
        self.renew_access();
        let version = self.access().version();
        match self.describe_known(statement).await {
            Err(error) if error.suspects_access() => {
                if !self.has_newer_access(version).await {
                    return Err(error);
                }
                self.describe_known(statement).await
            }
            answer => answer,
        }
    }

    async fn describe_known(&self, statement: &Statement) -> Result<Vec<ColumnMeta>, StatementError> {
        let snapshot = self.server.catalog().snapshot();
        match self.describe_with(statement, &snapshot).await {
            Err(error) if error.suspects_catalog() => {
                let Some(newer) = self.newer_catalog(&snapshot).await else { return Err(error) };
                self.describe_with(statement, &newer).await
            }
            answer => answer,
        }
    }

    async fn describe_with(
        &self,
        statement: &Statement,
        catalog: &Arc<Snapshot>,
    ) -> Result<Vec<ColumnMeta>, StatementError> {
        let kind = statement.explained().unwrap_or(statement.kind());
        let describe = |limit| {
            let environment = self.environment(self.database.as_deref(), catalog, limit).running(kind);
            cellgate_sql::describe(statement, &environment).map_err(|e| self.not_bound(e, kind))
        };
        match self.worked_out(statement.text().len(), AT_A_TIME, describe).await? {
            Description::Columns(columns) => Ok(columns),
            Description::Explain { analyze } => Ok(explain::columns(analyze)),
            Description::Show(show) => {
                self.check_show(&show.aspect)?;
                self.show_columns(show, catalog).await
            }
        }
    }
}
