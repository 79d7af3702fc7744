//! What a session may do: asked once for every statement, after it is bound and before it runs.
//!
//! What a user may not see does not exist while a statement is bound, see [`super::environment`]; here the error it
//! then is becomes MySQL's refusal, so that nobody learns from it whether there is such a table.

use std::sync::Arc;

use cellgate_metrics::{LoginFailure, Refusal};
use cellgate_schemaless::TableDef;
use cellgate_sql::{
    Aspect, Command, Ddl, Lock, Privilege, SettingScope, SqlError, StatementKind, TableLock, TableName, TlsNeed,
};

use super::Session;
use super::error::StatementError;
use crate::access::{Access, AccessError};
use crate::errors;
use crate::places::Full;
use crate::relational::is_system_database;
use crate::wire::{ErrorReply, Login};

impl Session {
    /// What this session may do, as of the statement that runs.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// The password was right: why it does not help.
    pub(super) fn is_barred(&self, user: &str) -> Option<ErrorReply> {
        let accounts = self.server.accounts().current();
        match accounts.matching(user, &self.host)?.lock {
            Lock::Open => None,
            Lock::Locked => {
                self.server.login_failed(LoginFailure::Locked, user, &self.host);
                Some(errors::account_locked(user, &self.host))
            }
        }
    }

    /// The password was right: becomes the account, if the account lets it.
    pub(super) fn enter(&mut self, login: &Login) -> Result<(), ErrorReply> {
        let accounts = self.server.accounts();
        let found = accounts.current().proven(&login.user, &self.host, &login.verifier);
        let using_password = !login.verifier.is_empty();
        let refuse = |reason, reply| {
            self.server.login_refused(reason, &login.user, &self.host);
            Err(reply)
        };
        // Gone, or another one, since the password was checked.
        let Some(account) = found.account() else {
            let reply = errors::access_denied(&login.user, &self.host, using_password);
            return refuse(LoginFailure::Denied, reply);
        };
        match account.lock {
            Lock::Open => {}
            Lock::Locked => return refuse(LoginFailure::Locked, errors::account_locked(&login.user, &self.host)),
        }
        match account.tls {
            TlsNeed::Optional => {}
            TlsNeed::Required if login.tls.is_some() => {}
            TlsNeed::Required => {
                let reply = errors::access_denied(&login.user, &self.host, using_password);
                return refuse(LoginFailure::Unencrypted, reply);
            }
        }
        if let Err(Full) = self.server.places().settle(&mut self.place, found.may_administer()) {
            self.server.refuse_connection(Refusal::TooMany);
            return Err(errors::too_many_connections());
        }
        // The place of the user before (CHANGE_USER) is free first: it may be of the same account.
        self.seat = None;
        match accounts.seat(account) {
            Ok(seat) => self.seat = Some(seat),
            Err(limit) => {
                let reply = errors::too_many_user_connections(&login.user, limit);
                return refuse(LoginFailure::Limit, reply);
            }
        }
        self.account = account.name.clone();
        self.desk = self.server.workshop().of(&account.name.to_string());
        self.server.locks().of_account(self.process.id(), &account.name.user);
        self.access = found;
        Ok(())
    }

    /// Takes over what changed since the last statement. One atomic read if nothing did.
    pub(super) fn renew_access(&mut self) {
        let accounts = self.server.accounts();
        if accounts.version() != self.access.version() {
            self.access = accounts.current().access(&self.account);
        }
    }

    /// By accounts of this version something was refused: whether there are newer ones, by which it is to be judged once more.
    /// They are taken over.
    pub(super) async fn has_newer_access(&mut self, version: u64) -> bool {
        let server = Arc::clone(&self.server);
        let is_newer = server.accounts().look_again(version).await;
        if is_newer {
            self.renew_access();
        }
        is_newer
    }

    /// Whether the command may run.
    pub(super) fn check(&self, command: &Command) -> Result<(), StatementError> {
        match command {
            Command::Read(read) => match &read.table {
                Some(table) => self.need(Privilege::Select, table),
                None => Ok(()),
            },
            Command::Put(put) => {
                self.need(Privilege::Insert, &put.table)?;
                if put.returning.is_some() { self.need(Privilege::Select, &put.table) } else { Ok(()) }
            }
            Command::Erase(erase) => self.need(Privilege::Erase, &erase.table),
            Command::Ddl(ddl) => self.check_ddl(ddl),
            Command::Use(database) => self.need_database(database),
            Command::Set(settings) if settings.iter().any(|s| s.scope == SettingScope::Global) => self.need_admin(),
            Command::Show(show) => self.check_show(&show.aspect),
            Command::Explain(explain) => self.check(&explain.command),
            // What an account may do to accounts is judged by the newest document.
            Command::Account(_) => Ok(()),
            // Its tables hold what may be seen.
            Command::Relational(_) => Ok(()),
            Command::Lock(TableLock::Tables(tables)) => tables.iter().try_for_each(|(name, _)| self.check_lock(name)),
            Command::Lock(TableLock::Everything) => self.need_admin(),
            // Whose connection it is decides when it is found.
            Command::Kill { .. } => Ok(()),
            // Tables, privileges and logs have nothing to be flushed.
            Command::Flush(what) if what.is_empty() => Ok(()),
            Command::Flush(_) => self.need_admin(),
            // What it runs is checked when it does.
            Command::Prepared(_) => Ok(()),
            Command::Lock(TableLock::Unlock) | Command::Set(_) | Command::Transaction(_) | Command::Nothing => Ok(()),
        }
    }

    /// Who may only read a table may not keep others from it: that takes LOCK TABLES, as in MySQL, or a privilege to
    /// change it.
    fn check_lock(&self, name: &TableName) -> Result<(), StatementError> {
        self.need_named(Privilege::Select, name)?;
        let enough = [Privilege::LockTables, Privilege::Insert, Privilege::Update, Privilege::Delete, Privilege::Erase];
        let may = |privilege| self.access.may(privilege, &name.database, Some(&name.table));
        if enough.into_iter().any(may) { Ok(()) } else { Err(self.denied(Privilege::LockTables.name(), &name.table)) }
    }

    fn check_ddl(&self, ddl: &Ddl) -> Result<(), StatementError> {
        let whole = |privilege, database: &str| {
            let may = !is_system_database(database) && self.access.may(privilege, database, None);
            if may { Ok(()) } else { Err(self.denied_database(database)) }
        };
        let renamed = |from: &TableName, to: &TableName| {
            self.need_named(Privilege::Alter, from)?;
            self.need_named(Privilege::Drop, from)?;
            self.need_named(Privilege::Create, to)?;
            self.need_named(Privilege::Insert, to)
        };
        match ddl {
            Ddl::CreateDatabase { name, .. } => whole(Privilege::Create, name),
            Ddl::AlterDatabase { name, .. } => whole(Privilege::Alter, name),
            Ddl::DropDatabase { name, .. } => whole(Privilege::Drop, name),
            Ddl::CreateTable { name, .. } => self.need_named(Privilege::Create, name),
            Ddl::CreateTableLike { name, like, .. } => {
                self.need_named(Privilege::Create, name)?;
                self.need_named(Privilege::Select, like)
            }
            Ddl::DropTable { names, .. } => names.iter().try_for_each(|name| self.need_named(Privilege::Drop, name)),
            Ddl::AlterTable { name, rename, .. } => match rename {
                Some(to) => renamed(name, to),
                None => self.need_named(Privilege::Alter, name),
            },
            Ddl::RenameTables(pairs) => pairs.iter().try_for_each(|(from, to)| renamed(from, to)),
            Ddl::Truncate(name) => self.need_named(Privilege::Drop, name),
        }
    }

    /// Whether what a SHOW names may be shown.
    pub(super) fn check_show(&self, aspect: &Aspect) -> Result<(), StatementError> {
        match aspect {
            Aspect::Tables { database, .. } | Aspect::TableStatus { database } => match database {
                Some(database) => self.need_database(database),
                None => Ok(()),
            },
            Aspect::CreateDatabase { database, .. } => self.need_database(database),
            Aspect::Columns { table, .. } | Aspect::Index { table } | Aspect::CreateTable { table } => {
                let access = &self.access;
                let seen = is_system_database(&table.database) || access.may_see_table(&table.database, &table.table);
                if seen { Ok(()) } else { Err(self.denied(Privilege::Select.name(), &table.table)) }
            }
            // Databases, processes and accounts are shown as far as they may be seen.
            Aspect::Databases
            | Aspect::Processlist { .. }
            | Aspect::Grants { .. }
            | Aspect::CreateUser { .. }
            | Aspect::Variables { .. }
            | Aspect::Status { .. }
            | Aspect::Warnings
            | Aspect::Errors
            | Aspect::Engines
            | Aspect::Collation
            | Aspect::CharacterSet
            | Aspect::Shards
            | Aspect::Clusters
            | Aspect::Topology
            | Aspect::Privileges
            | Aspect::Absent(_) => Ok(()),
        }
    }

    /// What a user may not see does not exist for them; what does not exist and could not be seen is refused.
    pub(super) fn veiled(&self, error: SqlError, kind: StatementKind) -> StatementError {
        if let SqlError::UnknownTable { database, table } = &error {
            let privilege = needed(kind);
            let may = privilege.is_some_and(|p| self.access.may(p, database, Some(table)));
            if !may && (privilege.is_some() || !self.access.may_see_table(database, table)) {
                return self.denied(verb(kind), table);
            }
        }
        if let SqlError::UnknownDatabase(database) = &error
            && !self.access.may_see_database(database)
        {
            return self.denied_database(database);
        }
        error.into()
    }

    fn need(&self, privilege: Privilege, table: &TableDef) -> Result<(), StatementError> {
        if self.access.may(privilege, &table.database, Some(&table.name)) {
            return Ok(());
        }
        Err(self.denied(privilege.name(), &table.name))
    }

    pub(super) fn need_named(&self, privilege: Privilege, name: &TableName) -> Result<(), StatementError> {
        if self.access.may(privilege, &name.database, Some(&name.table)) {
            return Ok(());
        }
        Err(self.denied(privilege.name(), &name.table))
    }

    /// 1044 for a database that may not be seen, whether there is one or not.
    pub(super) fn need_database(&self, database: &str) -> Result<(), StatementError> {
        // What is in the system databases is shown as far as it may be seen.
        let open = is_system_database(database) || self.access.may_see_database(database);
        if open { Ok(()) } else { Err(self.denied_database(database)) }
    }

    /// 1227 for what is about the server.
    pub(super) fn need_admin(&self) -> Result<(), StatementError> {
        if self.access.may_administer() {
            return Ok(());
        }
        Err(AccessError::NeedsPrivilege(Privilege::Admin.name().to_owned()).into())
    }

    fn denied(&self, command: &'static str, table: &str) -> StatementError {
        let (user, host, table) = (self.user.clone(), self.host.clone(), table.to_owned());
        StatementError::Denied { command, user, host, table }
    }

    fn denied_database(&self, database: &str) -> StatementError {
        let (user, host) = (self.account.user.clone(), self.account.host.clone());
        StatementError::DeniedDatabase { user, host, database: database.to_owned() }
    }
}

/// The one privilege that a statement needs on every table it names, if there is one.
pub(super) fn needed(kind: StatementKind) -> Option<Privilege> {
    match kind {
        StatementKind::Select => Some(Privilege::Select),
        StatementKind::Insert
        | StatementKind::Update
        | StatementKind::Delete
        | StatementKind::Replace
        | StatementKind::Ddl
        | StatementKind::Set
        | StatementKind::Show
        | StatementKind::Use
        | StatementKind::Transaction
        | StatementKind::Explain
        | StatementKind::Other => None,
    }
}

/// How a refusal calls the statement.
fn verb(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Insert | StatementKind::Replace => "INSERT",
        StatementKind::Update => "UPDATE",
        StatementKind::Delete => "DELETE",
        StatementKind::Select
        | StatementKind::Ddl
        | StatementKind::Set
        | StatementKind::Show
        | StatementKind::Use
        | StatementKind::Transaction
        | StatementKind::Explain
        | StatementKind::Other => "SELECT",
    }
}
