//! CREATE USER, GRANT and the others; SHOW GRANTS and SHOW CREATE USER.

use std::sync::Arc;

use cellgate_sql::{AccountName, AccountRef, AccountStatement, Level, Lock, Privilege, SqlError, TlsNeed};

use super::error::StatementError;
use super::to_the_end::carried;
use super::warnings;
use super::{Answer, Done, Session};
use crate::access;
use crate::errors;
use crate::locks::Entered;
use crate::logging;

impl Session {
    /// Runs a statement about accounts, and writes to the log that it was tried: `shown` is its text without passwords.
    /// An open transaction has been ended, as in MySQL. A statement that has begun goes on to its line in the log, though its
    /// session should be killed, and until then whoever locks everything waits for it.
    pub(super) async fn account(
        &mut self,
        statement: AccountStatement,
        shown: &str,
        entered: Vec<Entered>,
    ) -> Result<Answer, StatementError> {
        self.refuse_read_only()?;
        let refused = self.check_level(&statement).err();
        let accounts = Arc::clone(self.server.accounts());
        let (id, user, host) = (self.process.id(), self.user.clone(), self.host.clone());
        let (account, shown) = (self.account.clone(), logging::cut(shown.to_owned()));
        let (operation, named, change) = (access::operation(&statement), named(&statement), change(&statement));
        let outcome = carried(async move {
            let outcome = match refused {
                Some(error) => Err(error),
                None => accounts.run_statement(&account, &statement).await.map_err(StatementError::from),
            };
            let failed = outcome.as_ref().err().map(|error| logging::cut(error.to_string()));
            tracing::info!(
                target: logging::AUDIT,
                connection = id,
                user,
                host,
                %account,
                operation,
                accounts = named,
                change = logging::cut(change),
                statement = shown,
                failed,
                "a statement about accounts"
            );
            drop(entered);
            outcome
        });
        for note in outcome.await? {
            self.warn(warnings::Level::Note, errors::access_note(&note), note.to_string());
        }
        Ok(Answer::Done(Done::default()))
    }

    /// Privileges on a table that does not exist are granted only with CREATE, as in MySQL: it is a typing error.
    fn check_level(&self, statement: &AccountStatement) -> Result<(), StatementError> {
        let AccountStatement::Grant { listed, level: Level::Table { database, table }, .. } = statement else {
            return Ok(());
        };
        let known = self.server.catalog().snapshot().table(database, table).is_some();
        if known || listed.privileges.has(Privilege::Create) || !self.access().may_see_table(database, table) {
            return Ok(());
        }
        Err(SqlError::UnknownTable { database: database.clone(), table: table.clone() }.into())
    }

    /// The account's name and the lines of SHOW GRANTS.
    pub(super) fn shown_grants(&self, account: &AccountRef) -> Result<(AccountName, Vec<String>), StatementError> {
        let name = self.named_account(account);
        let snapshot = self.server.accounts().current();
        let lines = access::grants(snapshot.shown(self.access(), &name)?);
        Ok((name, lines))
    }

    /// The account's name and the line of SHOW CREATE USER.
    pub(super) fn shown_account(&self, account: &AccountRef) -> Result<(AccountName, String), StatementError> {
        let name = self.named_account(account);
        let snapshot = self.server.accounts().current();
        let line = access::create(snapshot.shown(self.access(), &name)?);
        Ok((name, line))
    }

    fn named_account(&self, account: &AccountRef) -> AccountName {
        match account {
            AccountRef::Current => self.account.clone(),
            AccountRef::Named(name) => name.clone(),
        }
    }
}

/// The accounts a statement is about, each of which the log names however many they are.
fn named(statement: &AccountStatement) -> String {
    let shown = |account: &AccountRef| match account {
        AccountRef::Current => "CURRENT_USER".to_owned(),
        AccountRef::Named(name) => name.to_string(),
    };
    let accounts: Vec<String> = match statement {
        AccountStatement::Create { accounts, .. } | AccountStatement::Alter { accounts, .. } => {
            accounts.iter().map(|spec| shown(&spec.account)).collect()
        }
        AccountStatement::Drop { accounts, .. }
        | AccountStatement::Grant { accounts, .. }
        | AccountStatement::Revoke { accounts, .. }
        | AccountStatement::RevokeAll(accounts) => accounts.iter().map(shown).collect(),
        AccountStatement::Rename(pairs) => {
            pairs.iter().map(|(from, to)| format!("{} TO {}", shown(from), shown(to))).collect()
        }
        AccountStatement::SetPassword { account, .. } => vec![shown(account)],
    };
    accounts.join(", ")
}

/// What a statement changes of its accounts.
fn change(statement: &AccountStatement) -> String {
    match statement {
        AccountStatement::Create { accounts, options, .. } | AccountStatement::Alter { accounts, options, .. } => {
            let password = accounts.iter().any(|spec| spec.credential.is_some()).then(|| "a password".to_owned());
            let tls = options.tls.map(|need| match need {
                TlsNeed::Required => "REQUIRE SSL".to_owned(),
                TlsNeed::Optional => "REQUIRE NONE".to_owned(),
            });
            let connections = options.max_connections.map(|most| format!("MAX_USER_CONNECTIONS {most}"));
            let lock = options.lock.map(|lock| match lock {
                Lock::Locked => "ACCOUNT LOCK".to_owned(),
                Lock::Open => "ACCOUNT UNLOCK".to_owned(),
            });
            [password, tls, connections, lock].into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        AccountStatement::Grant { listed, level, .. } | AccountStatement::Revoke { listed, level, .. } => {
            let privileges: Vec<&str> = listed.privileges.iter().map(Privilege::name).collect();
            let listed = [privileges, listed.without_effect.clone()].concat();
            format!("{} ON {level}", if listed.is_empty() { "USAGE".to_owned() } else { listed.join(", ") })
        }
        AccountStatement::RevokeAll(_) => "ALL PRIVILEGES, GRANT OPTION".to_owned(),
        AccountStatement::SetPassword { .. } => "a password".to_owned(),
        AccountStatement::Drop { .. } | AccountStatement::Rename(_) => String::new(),
    }
}
