//! Which tables statements use, as locks are about them.

use std::collections::BTreeSet;

use cellgate_schemaless::{TableDef, TableId};
use cellgate_sql::{Command, Ddl, LockMode, TableName};

use crate::catalog::Snapshot;
use crate::locks::{Key, Mode};

/// The names of these tables; those that are gone have none.
pub(super) fn named_now(catalog: &Snapshot, written: &BTreeSet<TableId>) -> Vec<TableName> {
    // No further than to the last of them: the catalog may be long.
    let tables = catalog.all_tables().filter(|table| written.contains(&TableId(table.id))).take(written.len());
    tables.map(|table| TableName { database: table.database.clone(), table: table.name.clone() }).collect()
}

pub(super) fn key(name: &TableName) -> Key {
    Key::Table(name.database.clone(), name.table.clone())
}

pub(super) fn shown(key: &Key) -> String {
    match key {
        Key::Name(name) | Key::Table(_, name) | Key::Database(name) => name.clone(),
        // MySQL's table of them.
        Key::Accounts => "user".to_owned(),
        Key::Tables => "a table".to_owned(),
    }
}

pub(super) fn as_mode(mode: LockMode) -> Mode {
    match mode {
        LockMode::Read => Mode::Read,
        LockMode::Write => Mode::Write,
    }
}

/// The table whose cells a command writes.
pub(super) fn written_by(command: &Command) -> Vec<TableId> {
    match command {
        Command::Put(put) => vec![TableId(put.table.id)],
        Command::Erase(erase) => vec![TableId(erase.table.id)],
        _ => Vec::new(),
    }
}

/// The tables a command uses, and how.
pub(super) fn tables_of(command: &Command) -> Vec<(Key, Mode)> {
    let def = |table: &TableDef, mode| (Key::Table(table.database.clone(), table.name.clone()), mode);
    match command {
        Command::Read(read) => read.table.iter().map(|table| def(table, Mode::Read)).collect(),
        Command::Put(put) => vec![def(&put.table, Mode::Write)],
        Command::Erase(erase) => vec![def(&erase.table, Mode::Write)],
        Command::Explain(explain) if explain.analyze => tables_of(&explain.command),
        Command::Ddl(ddl) => {
            let names: Vec<&TableName> = match ddl {
                Ddl::CreateDatabase { name, .. } | Ddl::AlterDatabase { name, .. } | Ddl::DropDatabase { name, .. } => {
                    return vec![(Key::Database(name.clone()), Mode::Write)];
                }
                Ddl::CreateTable { name, .. } | Ddl::CreateTableLike { name, .. } | Ddl::Truncate(name) => vec![name],
                Ddl::DropTable { names, .. } => names.iter().collect(),
                Ddl::AlterTable { name, rename, .. } => std::iter::once(name).chain(rename).collect(),
                Ddl::RenameTables(pairs) => pairs.iter().flat_map(|(from, to)| [from, to]).collect(),
            };
            names.into_iter().map(|name| (key(name), Mode::Write)).collect()
        }
        Command::Account(_) => vec![(Key::Accounts, Mode::Write)],
        Command::Explain(_)
        | Command::Relational(_)
        | Command::Use(_)
        | Command::Set(_)
        | Command::Transaction(_)
        | Command::Show(_)
        | Command::Lock(_)
        | Command::Prepared(_)
        | Command::Flush(_)
        | Command::Kill { .. }
        | Command::Nothing => Vec::new(),
    }
}
