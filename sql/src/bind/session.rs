//! Statements about the session and the catalog: SET, SHOW, CREATE, DROP, ALTER.

use std::collections::HashSet;

use bytes::Bytes;

use super::calls::called;
use super::scope::Session;
use super::{full_name, select};
use crate::account::{AccountStatement, Level};
use crate::ast::{
    AssignedValue, Assignment, DdlStatement, GrantStatement, Granting, LockStatement, LockedTable, Name, On,
    PreparedStatement, ShowStatement, Shown,
};
use crate::command::{Absent, Aspect, Ddl, Prepared, Setting, SettingScope, SettingValue, Show, TableLock, TableName};
use crate::error::SqlError;
use crate::expression::number::Number;
use crate::expression::{Expression, text_of};
use crate::filter::{ColumnName, Filter};
use crate::parse::Expr;

/// SET: all values are computed before any is assigned.
pub(super) fn set(assignments: &[Assignment], session: &Session<'_>) -> Result<Vec<Setting>, SqlError> {
    assignments
        .iter()
        .map(|assignment| {
            let value = match &assignment.value {
                AssignedValue::Default if assignment.scope == SettingScope::User => {
                    return Err(SqlError::Arguments("SET".into()));
                }
                AssignedValue::Default => SettingValue::Default,
                AssignedValue::Expression(expression) if assignment.scope == SettingScope::User => {
                    SettingValue::Value(session.shown(expression)?)
                }
                AssignedValue::Expression(expression) => SettingValue::Value(session.evaluate(expression)?),
            };
            Ok(Setting { scope: assignment.scope, name: assignment.name.clone(), value })
        })
        .collect()
}

/// CREATE, DROP, ALTER: names filled in. Whether they exist is decided when the catalog is changed.
pub(super) fn ddl(ddl: &DdlStatement, session: &Session<'_>) -> Result<Ddl, SqlError> {
    let env = session.env;
    let own = |database: &str| super::not_of_the_system(env, database);
    let one = |name: &Name| {
        let name = full_name(env, name)?;
        own(&name.database).map(|()| name)
    };
    Ok(match ddl {
        DdlStatement::CreateDatabase { name, if_not_exists, collation } => {
            own(name)?;
            Ddl::CreateDatabase { name: name.clone(), if_not_exists: *if_not_exists, collation: collation.clone() }
        }
        DdlStatement::AlterDatabase { name, collation } => {
            let name = name.as_deref().or(env.database()).ok_or(SqlError::NoDatabase)?.to_owned();
            own(&name)?;
            Ddl::AlterDatabase { name, collation: collation.clone() }
        }
        DdlStatement::DropDatabase { name, if_exists } => {
            own(name)?;
            Ddl::DropDatabase { name: name.clone(), if_exists: *if_exists }
        }
        DdlStatement::CreateTable { name, if_not_exists, columns, comment } => Ddl::CreateTable {
            name: one(name)?,
            if_not_exists: *if_not_exists,
            columns: columns.clone(),
            comment: comment.clone(),
        },
        DdlStatement::CreateTableLike { name, if_not_exists, like } => {
            Ddl::CreateTableLike { name: one(name)?, if_not_exists: *if_not_exists, like: one(like)? }
        }
        DdlStatement::DropTable { names, if_exists } => {
            let names = names.iter().map(one).collect::<Result<Vec<_>, _>>()?;
            unique(&names)?;
            Ddl::DropTable { names, if_exists: *if_exists }
        }
        DdlStatement::AlterTable { name, changes, rename } => {
            let name = one(name)?;
            // A new name without a database stays in the table's.
            let rename = rename.as_ref().map(|to| TableName {
                database: to.database.clone().unwrap_or_else(|| name.database.clone()),
                table: to.table.clone(),
            });
            Ddl::AlterTable { name, changes: changes.clone(), rename }
        }
        DdlStatement::RenameTables(pairs) => Ddl::RenameTables(
            pairs.iter().map(|(from, to)| Ok((one(from)?, one(to)?))).collect::<Result<_, SqlError>>()?,
        ),
        DdlStatement::Truncate(name) => Ddl::Truncate(one(name)?),
    })
}

/// GRANT and REVOKE: the database filled in. Neither it nor a table has to exist.
pub(super) fn grant(grant: &GrantStatement, session: &Session<'_>) -> Result<AccountStatement, SqlError> {
    let current = || session.env.database().map(str::to_owned).ok_or(SqlError::NoDatabase);
    let level = match &grant.on {
        On::Global => Level::Global,
        On::Database(Some(database)) => Level::Database(database.clone()),
        // The name of the current database is no pattern.
        On::Database(None) => Level::Database(current()?.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")),
        On::Table(name) => {
            let TableName { database, table } = full_name(session.env, name)?;
            Level::Table { database, table }
        }
    };
    let (listed, accounts) = (grant.listed.clone(), grant.accounts.clone());
    Ok(match grant.granting {
        Granting::Grant => AccountStatement::Grant { listed, level, accounts },
        Granting::Revoke => AccountStatement::Revoke { listed, level, accounts },
        Granting::RevokeAll => AccountStatement::RevokeAll(accounts),
    })
}

/// Refuses a statement that names a table twice.
fn unique(names: &[TableName]) -> Result<(), SqlError> {
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert((&name.database, &name.table))) {
        Some(twice) => Err(SqlError::NotUnique(twice.table.clone())),
        None => Ok(()),
    }
}

/// LOCK TABLES: the tables must be there.
pub(super) fn lock(lock: &LockStatement, session: &Session<'_>) -> Result<TableLock, SqlError> {
    Ok(match lock {
        LockStatement::Tables(tables) | LockStatement::Flushed(tables) => {
            let one = |LockedTable { name, alias, mode }: &LockedTable| {
                super::table(session.env, name)?;
                let full = full_name(session.env, name)?;
                let called =
                    TableName { table: alias.as_ref().unwrap_or(&full.table).clone(), database: full.database.clone() };
                Ok((called, (full, *mode)))
            };
            let tables = tables.iter().map(one).collect::<Result<Vec<_>, SqlError>>()?;
            let (called, tables): (Vec<_>, Vec<_>) = tables.into_iter().unzip();
            unique(&called)?;
            TableLock::Tables(tables)
        }
        LockStatement::Everything => TableLock::Everything,
        LockStatement::Unlock => TableLock::Unlock,
    })
}

/// PREPARE, EXECUTE, DEALLOCATE PREPARE: names in lower case, variables read.
pub(super) fn prepared(prepared: &PreparedStatement, session: &Session<'_>) -> Result<Prepared, SqlError> {
    Ok(match prepared {
        PreparedStatement::Prepare { name, text } => {
            let text = text_of(&session.evaluate(text)?).unwrap_or_else(|| Bytes::from_static(b"NULL"));
            Prepared::Prepare { name: name.to_lowercase(), text }
        }
        PreparedStatement::Execute { name, values } => Prepared::Execute {
            name: name.to_lowercase(),
            values: values.iter().map(|value| session.evaluate(value)).collect::<Result<_, _>>()?,
        },
        PreparedStatement::Deallocate { name } => Prepared::Deallocate { name: name.to_lowercase() },
    })
}

/// The connection KILL names.
pub(super) fn connection(id: &Expr, session: &Session<'_>) -> Result<u64, SqlError> {
    let value = session.evaluate(id)?;
    // There is no connection of a number below zero or above all ids.
    Ok(Number::of(&value).map_or(0, |n| u64::try_from(n.round()).unwrap_or(u64::MAX)))
}

/// SHOW: names filled in, the filter ready to be applied.
pub(super) fn show(show: &ShowStatement, session: &Session<'_>) -> Result<Show, SqlError> {
    let env = session.env;
    let database = |written: &Option<String>| -> Result<Option<String>, SqlError> {
        let name = written.as_deref().or(env.database()).ok_or(SqlError::NoDatabase)?;
        if !env.has_database(name) {
            return Err(SqlError::UnknownDatabase(name.to_owned()));
        }
        Ok(Some(name.to_owned()))
    };
    let aspect = match &show.what {
        Shown::Databases => Aspect::Databases,
        Shown::Tables { database: written, full } => Aspect::Tables { database: database(written)?, full: *full },
        Shown::TableStatus { database: written } => Aspect::TableStatus { database: database(written)? },
        Shown::Columns { table, full } => Aspect::Columns { table: full_name(env, table)?, full: *full },
        Shown::Index { table } => Aspect::Index { table: full_name(env, table)? },
        Shown::CreateTable { table } => Aspect::CreateTable { table: full_name(env, table)? },
        Shown::CreateDatabase { database, if_not_exists } => {
            Aspect::CreateDatabase { database: database.clone(), if_not_exists: *if_not_exists }
        }
        Shown::Variables { global } => Aspect::Variables { global: *global },
        Shown::Status { global } => Aspect::Status { global: *global },
        Shown::Warnings => Aspect::Warnings,
        Shown::Errors => Aspect::Errors,
        Shown::Processlist { full } => Aspect::Processlist { full: *full },
        Shown::Grants { account } => Aspect::Grants { account: account.clone() },
        Shown::CreateUser { account } => Aspect::CreateUser { account: account.clone() },
        Shown::Engines => Aspect::Engines,
        Shown::Collation => Aspect::Collation,
        Shown::CharacterSet => Aspect::CharacterSet,
        Shown::Shards => Aspect::Shards,
        Shown::Clusters => Aspect::Clusters,
        Shown::Topology => Aspect::Topology,
        Shown::Privileges => Aspect::Privileges,
        Shown::Triggers { database: written } => {
            database(written)?;
            Aspect::Absent(Absent::Triggers)
        }
        Shown::Absent(absent) => Aspect::Absent(*absent),
    };
    let condition = show
        .condition
        .as_ref()
        .map(|condition| {
            select::refuse_called(called([condition], |_| true))?;
            condition.map(&mut |_| Ok(None), &mut |leaf| match leaf.as_column() {
                Some(parts) => Ok(Expression::Leaf(ColumnName(parts.last().cloned().unwrap_or_default()))),
                None => session.value(leaf).map(Expression::Constant),
            })
        })
        .transpose()?;
    let exact_names = match &aspect {
        Aspect::Databases => true,
        // Those of the system databases have no case.
        Aspect::Tables { database: Some(database), .. } | Aspect::TableStatus { database: Some(database) } => {
            !env.is_system_database(database)
        }
        _ => false,
    };
    let (count, offset) = select::limit(&show.limit, session)?;
    let limit = count.map(|count| (offset, count));
    Ok(Show { aspect, filter: Filter { like: show.like.clone(), condition, limit, exact_names } })
}
