//! CREATE USER, GRANT and the others; SHOW GRANTS and SHOW CREATE USER.

use std::sync::Arc;

use cellgate_sql::{AccountName, AccountRef, AccountStatement, Level, Privilege, SqlError};

use super::error::StatementError;
use super::warnings;
use super::{Answer, Done, Session};
use crate::access;
use crate::errors;
use crate::logging;

impl Session {
    /// Runs a statement about accounts, and writes to the log that it was tried: `shown` is its text without passwords.
    /// Ends an open transaction first, as in MySQL.
    pub(super) async fn account(
        &mut self,
        statement: &AccountStatement,
        shown: &str,
    ) -> Result<Answer, StatementError> {
        self.commit_open().await?;
        self.refuse_read_only()?;
        self.use_up_characteristics();
        let outcome = match self.check_level(statement) {
            Ok(()) => {
                let server = Arc::clone(&self.server);
                server.accounts().run_statement(&self.account, statement).await.map_err(StatementError::from)
            }
            Err(error) => Err(error),
        };
        let failed = outcome.as_ref().err().map(ToString::to_string);
        tracing::info!(
            target: logging::AUDIT,
            connection = self.process.id(),
            user = self.user,
            host = self.host,
            account = %self.account,
            statement = shown,
            failed,
            "a statement about accounts"
        );
        let notes = outcome?;
        for note in notes {
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
