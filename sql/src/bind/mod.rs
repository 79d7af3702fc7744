//! A statement with its parameters into a [`Command`]: names looked up, values computed, conditions lowered.

mod as_keys;
pub(crate) mod between;
pub(crate) mod branches;
mod calls;
mod condition;
mod delete;
mod description;
mod folding;
mod insert;
pub(crate) mod interned;
pub(crate) mod json_conditions;
mod keys;
mod no_row;
mod request;
mod resolved;
pub(crate) mod scope;
mod select;
mod session;
#[cfg(test)]
mod tests;
pub(crate) mod times;
mod view;
mod wrapped;
pub(crate) mod zones;

use std::sync::Arc;

use cellgate_schemaless::TableDef;

use crate::ast::{Insert, Name, Parsed};
use crate::columns::CellColumn;
use crate::command::{Command, Explain, Read, TableName};
use crate::environment::{Environment, SessionFunction};
use crate::error::{Named, SqlError};
use crate::expression::text_of;
use crate::parameters::Parameters;
use crate::parse::Statement;
use crate::relational::ast::Query;
use scope::Session;

pub use description::{Description, describe};
pub(crate) use resolved::bounded;
pub(crate) use view::View;

/// Binds a statement: everything is evaluated, with all names looked up.
///
/// # Errors
/// [`SqlError::Arguments`] for a wrong number of parameters, unknown names, values of the wrong kind, and what the
/// dialect refuses.
pub fn bind(statement: &Statement, params: &Parameters, env: &dyn Environment) -> Result<Command, SqlError> {
    if params.len() != usize::from(statement.parameters()) {
        // A text that was not prepared has no values.
        let unprepared = params.is_empty().then(|| statement.first_parameter()).flatten();
        return Err(unprepared.unwrap_or(SqlError::Arguments("EXECUTE".into())));
    }
    // Of a row that exists it is said that it stays, not that errors are none.
    let is_strict = |insert: &Insert| !insert.ignore || !insert.unchanged.is_empty();
    let stores = matches!(statement.parsed(), Parsed::Insert(insert) if is_strict(insert));
    let mut session = Session::new(env, params);
    session.stores = stores;
    if let Some(query) = relational_by_database(statement, env)? {
        return relational(&query, None, &session);
    }
    command(statement.parsed(), &session)
}

/// A plain SELECT from a table without a database is for the relational engine when the session is in a database that
/// is.
fn relational_by_database(statement: &Statement, env: &dyn Environment) -> Result<Option<Query>, SqlError> {
    let Some(select) = statement.parsed().cell_select() else { return Ok(None) };
    match (&select.from, env.database()) {
        (Some(from), Some(database)) if from.name.database.is_none() && env.is_system_database(database) => {
            crate::parse::relational(statement).map(Some)
        }
        _ => Ok(None),
    }
}

fn relational(query: &Query, refusal: Option<&SqlError>, session: &Session<'_>) -> Result<Command, SqlError> {
    check_tables(query, refusal, session.env)?;
    crate::relational::bind(query, session).map(|program| Command::Relational(Box::new(program)))
}

/// Over a table of the catalog the engine cannot run: the cell dialect's own refusal says what to write instead.
fn check_tables(query: &Query, refusal: Option<&SqlError>, env: &dyn Environment) -> Result<(), SqlError> {
    for name in query.tables() {
        let TableName { database, .. } = full_name(env, name)?;
        if !env.is_system_database(&database) {
            table(env, name)?;
            if let Some(refusal) = refusal {
                return Err(refusal.clone());
            }
        }
    }
    Ok(())
}

fn command(parsed: &Parsed, session: &Session<'_>) -> Result<Command, SqlError> {
    Ok(match parsed {
        Parsed::Select(select) => Command::Read(read(select, session)?),
        Parsed::Relational { query, refusal } => return relational(query, refusal.as_ref(), session),
        Parsed::Wrapped(wrapped) => Command::Read(wrapped::bind(wrapped, session)?),
        Parsed::Prepared(prepared) => Command::Prepared(session::prepared(prepared, session)?),
        Parsed::Insert(insert) => Command::Put(insert::bind(insert, session)?),
        Parsed::Delete(delete) => Command::Erase(delete::bind(delete, session)?),
        Parsed::Ddl(ddl) => Command::Ddl(session::ddl(ddl, session)?),
        Parsed::Set(assignments) => Command::Set(session::set(assignments, session)?),
        Parsed::Show(show) => Command::Show(session::show(show, session)?),
        Parsed::Use(database) => {
            if !session.env.has_database(database) {
                return Err(SqlError::UnknownDatabase(database.clone()));
            }
            Command::Use(database.clone())
        }
        Parsed::Transaction(transaction) => Command::Transaction(transaction.clone()),
        Parsed::Account(statement) => Command::Account(statement.clone()),
        Parsed::Grant(grant) => Command::Account(Box::new(session::grant(grant, session)?)),
        Parsed::Explain { analyze, statement } => {
            if let Some(select) = statement.cell_select() {
                select::refuse_calls(select)?;
            }
            Command::Explain(Box::new(Explain { command: command(statement, session)?, analyze: *analyze }))
        }
        Parsed::Do(expressions) => {
            for expression in expressions {
                session.evaluate(expression)?;
            }
            Command::Nothing
        }
        Parsed::Flush(what) => Command::Flush(what.clone()),
        Parsed::Lock(lock) => Command::Lock(session::lock(lock, session)?),
        Parsed::Kill { id, scope } => Command::Kill { id: session::connection(id, session)?, scope: *scope },
        Parsed::Refused(error) => return Err(error.clone()),
    })
}

fn read(select: &crate::ast::Select, session: &Session<'_>) -> Result<Read, SqlError> {
    select::bind(select, session)
}

/// The full name of a table.
fn full_name(env: &dyn Environment, name: &Name) -> Result<TableName, SqlError> {
    let database = match (&name.database, env.database()) {
        (Some(database), _) => database.clone(),
        (None, Some(database)) => database.to_owned(),
        (None, None) => return Err(SqlError::NoDatabase),
    };
    Ok(TableName { database, table: name.table.clone() })
}

/// Refuses the databases that are made of what the server knows.
fn not_of_the_system(env: &dyn Environment, database: &str) -> Result<(), SqlError> {
    if !env.is_system_database(database) {
        return Ok(());
    }
    let user = text_of(&env.function(SessionFunction::CurrentUser)).unwrap_or_default();
    let user = String::from_utf8_lossy(&user).into_owned();
    let (name, host) = user.rsplit_once('@').unwrap_or((&user, ""));
    Err(SqlError::SystemDatabase { user: format!("'{name}'@'{host}'"), database: database.to_owned() })
}

/// What to write instead of a column that a table does not have.
fn instead_of(table: &TableDef, name: &str, otherwise: &str) -> String {
    let meant = meant(table, name);
    format!("{meant}; declare it with ALTER TABLE {} ADD COLUMN {name} JSON, or {otherwise}", table.name)
}

/// The column whose name is much like this, as a question; nothing if there is none.
fn meant(table: &TableDef, name: &str) -> String {
    let meant = CellColumn::meant(name, table.columns.iter().map(|column| column.name.as_str()));
    meant.map_or(String::new(), |meant| format!("; did you mean {meant}?"))
}

/// The definition of a table that is written to.
fn written(env: &dyn Environment, name: &Name) -> Result<Arc<TableDef>, SqlError> {
    not_of_the_system(env, &full_name(env, name)?.database)?;
    table(env, name)
}

/// The definition of a table. Of a database that is missing MySQL says that the table is.
fn table(env: &dyn Environment, name: &Name) -> Result<Arc<TableDef>, SqlError> {
    let TableName { database, table } = full_name(env, name)?;
    env.table(&database, &table).ok_or_else(|| match table.ends_with(' ') {
        true => SqlError::IncorrectName { what: Named::Table, name: table },
        false => SqlError::UnknownTable { database, table },
    })
}
