//! What PREPARE can tell of a statement, whose parameters are not known yet.

use super::scope::Session;
use super::{check_tables, insert, relational_by_database, select, session, table, wrapped};
use crate::ast::{Limit, Parsed, ShowStatement};
use crate::command::Show;
use crate::environment::Environment;
use crate::error::SqlError;
use crate::expression::Type;
use crate::parameters::Parameters;
use crate::parse::{Statement, StatementKind};
use crate::value::{ColumnMeta, ColumnType, Value};

/// What a statement's result will look like.
#[derive(Clone, Debug)]
pub enum Description {
    /// These columns; none if there is no result set.
    Columns(Vec<ColumnMeta>),
    /// That of a SHOW, without its LIMIT, and with NULL for the parameters of its condition.
    Show(Show),
    /// That of an EXPLAIN.
    Explain {
        /// `ANALYZE`
        analyze: bool,
    },
}

impl Statement {
    /// What kind of statement an EXPLAIN is of; `None` if it is no EXPLAIN.
    pub fn explained(&self) -> Option<StatementKind> {
        let Parsed::Explain { statement, .. } = self.parsed() else { return None };
        Some(match statement.as_ref() {
            Parsed::Select(_) | Parsed::Wrapped(_) | Parsed::Relational { .. } => StatementKind::Select,
            Parsed::Insert(_) => StatementKind::Insert,
            Parsed::Delete(_) => StatementKind::Delete,
            _ => StatementKind::Other,
        })
    }
}

/// Describes the result of a statement whose parameters are not known yet.
///
/// # Errors
/// Unknown names, and what the dialect refuses.
pub fn describe(statement: &Statement, env: &dyn Environment) -> Result<Description, SqlError> {
    if let Some(query) = relational_by_database(statement, env)? {
        return crate::relational::describe(&query, env).map(Description::Columns);
    }
    match statement.parsed() {
        Parsed::Show(show) => {
            let show = ShowStatement { limit: Limit::default(), ..show.clone() };
            let params: Parameters = vec![Value::Null; statement.parameters().into()].into();
            session::show(&show, &Session::new(env, &params)).map(Description::Show)
        }
        Parsed::Explain { analyze, statement } => {
            if let Some(select) = statement.cell_select() {
                select::refuse_calls(select)?;
            }
            columns(statement, env)?;
            Ok(Description::Explain { analyze: *analyze })
        }
        parsed => columns(parsed, env).map(Description::Columns),
    }
}

/// The result columns; none if there is no result set, as there is none of a SELECT with INTO.
fn columns(parsed: &Parsed, env: &dyn Environment) -> Result<Vec<ColumnMeta>, SqlError> {
    let parameter = |_| Type::of(ColumnType::Text);
    match parsed {
        Parsed::Select(select) => {
            let columns = select::describe(select, env, &parameter)?;
            match select.into.len() {
                0 => Ok(columns),
                variables if variables == columns.len() => Ok(Vec::new()),
                _ => Err(SqlError::IntoCount),
            }
        }
        Parsed::Wrapped(wrapped) => wrapped::describe(wrapped, env, &parameter),
        // These are prepared themselves.
        Parsed::Prepared(_) => Err(SqlError::NotPreparable),
        Parsed::Relational { query, refusal } => {
            check_tables(query, refusal.as_ref(), env)?;
            crate::relational::describe(query, env)
        }
        Parsed::Insert(insert) => insert::describe(insert, env, &parameter),
        Parsed::Refused(error) => Err(error.clone()),
        Parsed::Delete(delete) => table(env, &delete.from.name).map(|_| Vec::new()),
        Parsed::Ddl(_)
        | Parsed::Set(_)
        | Parsed::Show(_)
        | Parsed::Use(_)
        | Parsed::Transaction(_)
        | Parsed::Explain { .. }
        | Parsed::Account(_)
        | Parsed::Grant(_)
        | Parsed::Lock(_)
        | Parsed::Flush(_)
        | Parsed::Kill { .. }
        | Parsed::Do(_) => Ok(Vec::new()),
    }
}
