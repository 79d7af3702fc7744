//! SELECTs on the relational engine.

use std::sync::Arc;
use std::time::Instant;

use cellgate_sql::relational::Program;
use cellgate_sql::{ColumnMeta, Row, SqlError};

use super::error::StatementError;
use super::{Answer, Done, Session, Table};
use crate::catalog::Snapshot;
use crate::errors;
use crate::relational::{Outcome, RelationalFailure, Sight, State};

impl Session {
    /// Runs a SELECT on the relational engine.
    pub(super) async fn relational(
        &mut self,
        program: Program,
        catalog: &Arc<Snapshot>,
        deadline: Instant,
    ) -> Result<Answer, StatementError> {
        let (columns, notes) = (program.columns().to_vec(), program.notes());
        let into = program.into_variables().to_vec();
        let assigned: Vec<(String, ColumnMeta)> =
            program.assigned().map(|(name, column)| (name.to_owned(), column.clone())).collect();
        let state = self.state_for(&program);
        let program = program.at_most(self.variables.derived().select_limit);
        let (engine, account) = (self.server.relational(), self.account.to_string());
        match engine.run(&account, program, Arc::clone(catalog), state, deadline).await {
            Ok(Outcome { mut rows, found }) => {
                self.warn_of(notes.take());
                self.assign_hidden(&assigned, columns.len(), &mut rows)?;
                if into.is_empty() {
                    Ok(Answer::Table(Table { columns, rows, found: Some(found) }))
                } else {
                    self.rows_into(into, &columns, rows, found)
                }
            }
            Err(RelationalFailure::Sql(error)) => Err(error.into()),
            Err(RelationalFailure::Timeout | RelationalFailure::Busy) => Err(StatementError::Timeout { detail: "" }),
            Err(failure @ (RelationalFailure::Sqlite(_) | RelationalFailure::Panicked)) => {
                let id = errors::logged_defect("the relational engine", &failure);
                Err(SqlError::Internal(format!("the relational engine failed (log id {id})")).into())
            }
        }
    }

    /// Sets user variables to the hidden values of the last row, and takes these from all of them.
    fn assign_hidden(
        &mut self,
        assigned: &[(String, ColumnMeta)],
        shown: usize,
        rows: &mut [Row],
    ) -> Result<(), StatementError> {
        if assigned.is_empty() {
            return Ok(());
        }
        if let Some(last) = rows.last() {
            let values = last.iter().skip(shown).cloned();
            let set = assigned.iter().zip(values).map(|((name, column), value)| (name.clone(), column.shown(value)));
            self.set_user_variables(set.collect())?;
        }
        for row in rows {
            row.truncate(shown);
        }
        Ok(())
    }

    /// The one row there may be becomes the values of user variables.
    fn rows_into(
        &mut self,
        names: Vec<String>,
        columns: &[ColumnMeta],
        mut rows: Vec<Row>,
        found: u64,
    ) -> Result<Answer, StatementError> {
        if rows.len() > 1 {
            return Err(StatementError::TooManyRows);
        }
        self.last.found_rows = found;
        match rows.pop() {
            Some(row) => {
                let row = columns.iter().zip(row).map(|(column, value)| column.shown(value));
                self.set_user_variables(names.into_iter().zip(row).collect())?;
                Ok(Answer::Done(Done { affected: 1, ..Done::default() }))
            }
            None => {
                self.warn_of_no_data();
                Ok(Answer::Done(Done::default()))
            }
        }
    }

    /// What the tables that the program reads show of the server and the session.
    fn state_for(&self, program: &Program) -> State {
        let reads = |name: &str| program.relations().iter().any(|r| r.name.eq_ignore_ascii_case(name));
        let mut state = State { sight: self.sight(), ..State::default() };
        let accounts = self.server.accounts().snapshot();
        let access = self.access();
        if reads("user") {
            state.users = accounts.user_rows(access);
        }
        if reads("user_privileges") {
            state.user_privileges = accounts.user_privileges(access);
        }
        if reads("schema_privileges") {
            state.schema_privileges = accounts.schema_privileges(access);
        }
        if reads("table_privileges") {
            state.table_privileges = accounts.table_privileges(access);
        }
        if reads("processlist") {
            state.processes = self.processes(false);
        }
        if reads("session_variables") {
            state.session_variables = self.shown_variables(false);
        }
        if reads("global_variables") {
            state.global_variables = self.shown_variables(true);
        }
        let key = || self.server.login_key().made().map_or_else(String::new, |pair| pair.public_pem().to_owned());
        if reads("global_status") {
            state.global_status = self.shown_status(true, key());
        }
        if reads("session_status") {
            state.session_status = self.shown_status(false, key());
        }
        state
    }

    /// What the user may see.
    pub(super) fn sight(&self) -> Sight {
        Sight::of(self.access(), self.variables.derived().time_zone.clone())
    }
}
