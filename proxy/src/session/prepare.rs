//! From text to statements and plans, and what their results look like before they run; and statements prepared by name.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use cellgate_sql::{ColumnMeta, Command, Prepared, SqlError, Statement, StatementKind, Value};

use super::kept::Place;
use super::planned::single;
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

impl Session {
    /// Text to statements.
    pub(super) fn parse(&self, text: &[u8]) -> Result<Vec<Statement>, StatementError> {
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
    pub(super) fn plan(&self, text: &Bytes) -> Result<Arc<Plan>, StatementError> {
        let mode = self.variables.sql_mode();
        if let Some(plan) = self.server.plans().get(text, mode) {
            return Ok(plan);
        }
        let statements = self.parse(text)?;
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
                let plan = self.plan(&text)?;
                self.describe(plan.statement()).await?;
                self.prepared.insert(name, place.keep(plan));
                Ok(Answer::Done(Done::default()))
            }
            Prepared::Execute { name, values } => {
                let unknown = StatementError::UnknownPrepared { name: name.clone(), given_to: "EXECUTE" };
                let plan = Arc::clone(self.prepared.get(&name).map(Deref::deref).ok_or(unknown)?);
                if values.len() != usize::from(plan.statement().parameters()) {
                    return Err(SqlError::Arguments("EXECUTE".to_owned()).into());
                }
                // One deep: what prepares cannot be prepared.
                Box::pin(self.run_known(plan.statement(), &values.into())).await
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
                let server = Arc::clone(&self.server);
                if !server.accounts().look_again(version).await {
                    return Err(error);
                }
                self.renew_access();
                self.describe_known(statement).await
            }
            answer => answer,
        }
    }

    async fn describe_known(&self, statement: &Statement) -> Result<Vec<ColumnMeta>, StatementError> {
        let snapshot = self.server.catalog().snapshot();
        match self.describe_with(statement, &snapshot).await {
            Err(error) if error.suspects_catalog() => match self.server.catalog().refresh().await {
                Ok(newer) if newer.version() > snapshot.version() => self.describe_with(statement, &newer).await,
                Ok(_) | Err(_) => Err(error),
            },
            answer => answer,
        }
    }

    async fn describe_with(
        &self,
        statement: &Statement,
        catalog: &Arc<Snapshot>,
    ) -> Result<Vec<ColumnMeta>, StatementError> {
        let described = {
            let environment = self.environment(catalog).running(statement.kind());
            cellgate_sql::describe(statement, &environment).map_err(|e| self.not_bound(e, statement.kind()))?
        };
        if described.is_empty() { self.describe_own(statement, catalog).await } else { Ok(described) }
    }

    /// The columns of SHOW and EXPLAIN, which the session alone knows; none for everything else. A statement whose
    /// parameters decide is described without them.
    async fn describe_own(
        &self,
        statement: &Statement,
        catalog: &Arc<Snapshot>,
    ) -> Result<Vec<ColumnMeta>, StatementError> {
        let params = vec![Value::Null; statement.parameters().into()].into();
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
            .map_err(|e| self.not_bound(e, statement.kind()))?;
        self.check(&command)?;
        match command {
            Command::Show(show) => self.show_columns(show, catalog).await,
            Command::Explain(explain) => Ok(explain::columns(explain.analyze)),
            Command::Read(_)
            | Command::Relational(_)
            | Command::Put(_)
            | Command::Erase(_)
            | Command::Ddl(_)
            | Command::Use(_)
            | Command::Set(_)
            | Command::Transaction(_)
            | Command::Account(_)
            | Command::Lock(_)
            | Command::Prepared(_)
            | Command::Flush(_)
            | Command::Kill { .. }
            | Command::Nothing => Ok(Vec::new()),
        }
    }
}
