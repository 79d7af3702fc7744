//! CREATE USER, GRANT and the others; SHOW GRANTS and SHOW CREATE USER.

use std::sync::Arc;

use cellgate_sql::{AccountName, AccountRef, AccountStatement, Level, Privilege, SqlError};

use super::carried::carried;
use super::error::StatementError;
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
        self.use_up_characteristics();
        let refused = self.check_level(&statement).err();
        let accounts = Arc::clone(self.server.accounts());
        let (id, user, host) = (self.process.id(), self.user.clone(), self.host.clone());
        let (account, shown) = (self.account.clone(), shown.to_owned());
        let outcome = carried(async move {
            let outcome = match refused {
                Some(error) => Err(error),
                None => accounts.run_statement(&account, &statement).await.map_err(StatementError::from),
            };
            let failed = outcome.as_ref().err().map(ToString::to_string);
            tracing::info!(
                target: logging::AUDIT,
                connection = id,
                user,
                host,
                %account,
                statement = shown,
                failed,
                "a statement about accounts"
            );
            drop(entered);
            outcome
        });
        for note in outcome.await? {
            self.last.warnings.push(warnings::Level::Note, errors::access_note(&note), note.to_string());
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
