//! What CREATE USER, GRANT and the others do, and who may have it done.

use std::sync::Arc;

use cellgate_sql::{
    AccountName, AccountOptions, AccountRef, AccountSpec, AccountStatement, Credential, Level, Listed, Privilege,
    Privileges,
};

use super::Accounts;
use super::account::{Account, Origin};
use super::change::{Draft, Growth, host_of};
use super::error::{AccessError, AccessNote};
use super::grants::Grants;
use crate::auth::Verifier;

/// What MySQL appends nothing to; we say why.
const CONFIGURED: &str = "; the configuration file defines it";

impl Accounts {
    /// Runs a statement for the account `actor`, all of it or nothing. Its rights are judged by the newest document.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub async fn run_statement(
        &self,
        actor: &AccountName,
        statement: &AccountStatement,
    ) -> Result<Vec<AccessNote>, AccessError> {
        let operation = operation(statement);
        self.change(operation, growth(statement), |draft| {
            let mut running = Running { actor, operation, draft, notes: Vec::new() };
            running.run(statement)?;
            Ok(running.notes)
        })
        .await
    }
}

/// The statement's name in MySQL's messages.
pub fn operation(statement: &AccountStatement) -> &'static str {
    match statement {
        AccountStatement::Create { .. } => "CREATE USER",
        AccountStatement::Alter { .. } => "ALTER USER",
        AccountStatement::Drop { .. } => "DROP USER",
        AccountStatement::Rename(_) => "RENAME USER",
        AccountStatement::SetPassword { .. } => "SET PASSWORD",
        AccountStatement::Grant { .. } => "GRANT",
        AccountStatement::Revoke { .. } | AccountStatement::RevokeAll(_) => "REVOKE",
    }
}

fn growth(statement: &AccountStatement) -> Growth {
    match statement {
        AccountStatement::Create { .. } | AccountStatement::Rename(_) | AccountStatement::Grant { .. } => Growth::Adds,
        AccountStatement::Alter { .. }
        | AccountStatement::Drop { .. }
        | AccountStatement::SetPassword { .. }
        | AccountStatement::Revoke { .. }
        | AccountStatement::RevokeAll(_) => Growth::None,
    }
}

/// A statement on a draft of the accounts.
struct Running<'a, 'd> {
    actor: &'a AccountName,
    operation: &'static str,
    draft: &'a mut Draft<'d>,
    notes: Vec<AccessNote>,
}

impl Running<'_, '_> {
    fn run(&mut self, statement: &AccountStatement) -> Result<(), AccessError> {
        match statement {
            AccountStatement::Create { if_not_exists, accounts, options } => {
                self.need_admin()?;
                self.create(*if_not_exists, accounts, options)
            }
            AccountStatement::Alter { if_exists, accounts, options } => {
                let own_password = *options == AccountOptions::default()
                    && accounts.iter().all(|a| self.name(&a.account) == *self.actor);
                if !own_password {
                    self.need_admin()?;
                }
                self.alter(*if_exists, accounts, options)
            }
            AccountStatement::Drop { if_exists, accounts } => {
                self.need_admin()?;
                self.drop(*if_exists, accounts)
            }
            AccountStatement::Rename(pairs) => {
                self.need_admin()?;
                self.rename(pairs)
            }
            AccountStatement::SetPassword { account, credential } => {
                let name = self.name(account);
                if name != *self.actor {
                    self.need_admin()?;
                }
                let mut account = self.stored(&name, || AccessError::NoAccount(name.clone()))?;
                account.verifier = verifier(credential);
                self.draft.put(&account)
            }
            AccountStatement::Grant { listed, level, accounts } => {
                self.may_give(listed.privileges, level)?;
                self.grant(listed, level, accounts)
            }
            AccountStatement::Revoke { listed, level, accounts } => {
                if !self.is_admin() {
                    // ALL stands for more than anybody gives: what counts is what is taken away.
                    let held = self.names(accounts).into_iter().filter_map(|name| self.draft.find(&name));
                    let taken = held.fold(Privileges::NONE, |all, account| all.with(account.grants.at(level)));
                    self.may_give(listed.privileges.common(taken), level)?;
                }
                self.revoke(listed, level, accounts)
            }
            AccountStatement::RevokeAll(accounts) => {
                self.need_admin()?;
                for name in self.names(accounts) {
                    let mut account = self.stored(&name, || AccessError::NoSuchGrant(name.clone()))?;
                    account.grants = Grants::default();
                    self.draft.revoke_newer(&name, None);
                    self.draft.put(&account)?;
                }
                Ok(())
            }
        }
    }

    fn create(
        &mut self,
        if_not_exists: bool,
        accounts: &[AccountSpec],
        options: &AccountOptions,
    ) -> Result<(), AccessError> {
        let mut failed = Vec::new();
        for spec in accounts {
            let name = self.name(&spec.account);
            if self.draft.exists(&name) {
                match if_not_exists {
                    true => self.notes.push(AccessNote::Exists(name)),
                    false => failed.push(name),
                }
                continue;
            }
            let mut account = Account {
                host: host_of(&name)?,
                name,
                verifier: Verifier::empty(),
                origin: Origin::Stored,
                lock: Default::default(),
                tls: Default::default(),
                max_connections: 0,
                grants: Grants::default(),
            };
            set(&mut account, spec.credential.as_ref(), options);
            self.draft.put(&account)?;
            self.note_shadowed(account.name);
        }
        self.check(failed, "")
    }

    fn alter(
        &mut self,
        if_exists: bool,
        accounts: &[AccountSpec],
        options: &AccountOptions,
    ) -> Result<(), AccessError> {
        let mut failed = Vec::new();
        for spec in accounts {
            let name = self.name(&spec.account);
            if self.draft.is_configured(&name) {
                return self.check(vec![name], CONFIGURED);
            }
            match self.draft.find(&name) {
                Some(account) => {
                    let mut account = account.as_ref().clone();
                    set(&mut account, spec.credential.as_ref(), options);
                    self.draft.put(&account)?;
                }
                None if if_exists => self.notes.push(AccessNote::Missing(name)),
                None => failed.push(name),
            }
        }
        self.check(failed, "")
    }

    fn drop(&mut self, if_exists: bool, accounts: &[AccountRef]) -> Result<(), AccessError> {
        let mut failed = Vec::new();
        for name in self.names(accounts) {
            if self.draft.is_configured(&name) {
                return self.check(vec![name], CONFIGURED);
            }
            if self.draft.remove(&name) {
                continue;
            }
            match if_exists {
                true => self.notes.push(AccessNote::Missing(name)),
                false => failed.push(name),
            }
        }
        self.check(failed, "")
    }

    fn rename(&mut self, pairs: &[(AccountRef, AccountRef)]) -> Result<(), AccessError> {
        let mut failed = Vec::new();
        for (from, to) in pairs {
            let (from, to) = (self.name(from), self.name(to));
            if self.draft.is_configured(&from) {
                return self.check(vec![from], CONFIGURED);
            }
            match self.draft.find(&from) {
                Some(account) if !self.draft.exists(&to) => {
                    let account = Account { host: host_of(&to)?, name: to, ..account.as_ref().clone() };
                    self.draft.rename(&from, &account)?;
                    self.note_shadowed(account.name);
                }
                Some(_) | None => failed.push(from),
            }
        }
        self.check(failed, "")
    }

    fn grant(&mut self, listed: &Listed, level: &Level, accounts: &[AccountRef]) -> Result<(), AccessError> {
        for name in self.names(accounts) {
            let mut account = self.stored(&name, || AccessError::GrantToNobody(name.clone()))?;
            account.grants.grant(level, listed.privileges);
            self.draft.put(&account)?;
        }
        self.note_listed(listed);
        Ok(())
    }

    fn revoke(&mut self, listed: &Listed, level: &Level, accounts: &[AccountRef]) -> Result<(), AccessError> {
        for name in self.names(accounts) {
            let missing = || match level {
                Level::Global | Level::Database(_) => AccessError::NoSuchGrant(name.clone()),
                Level::Table { table, .. } => {
                    AccessError::NoSuchTableGrant { account: name.clone(), table: table.clone() }
                }
            };
            let mut account = self.stored(&name, missing)?;
            // On *.* it is no error in MySQL either: everybody has a row there.
            if *level != Level::Global && account.grants.at(level).is_empty() {
                return Err(missing());
            }
            account.grants.revoke(level, listed.privileges);
            if listed.privileges.has_all(Privileges::ALL_ON_DATA) {
                self.draft.revoke_newer(&name, Some(level));
            }
            self.draft.put(&account)?;
        }
        self.note_listed(listed);
        Ok(())
    }

    fn note_listed(&mut self, listed: &Listed) {
        self.notes.extend(listed.without_effect.iter().map(|privilege| AccessNote::WithoutEffect(privilege)));
    }

    fn note_shadowed(&mut self, name: AccountName) {
        if self.draft.is_shadowed(&name) {
            self.notes.push(AccessNote::Shadowed(name));
        }
    }

    /// A stored account, to be changed.
    fn stored(&self, name: &AccountName, missing: impl FnOnce() -> AccessError) -> Result<Account, AccessError> {
        if self.draft.is_configured(name) {
            self.check(vec![name.clone()], CONFIGURED)?;
        }
        self.draft.find(name).map(Arc::unwrap_or_clone).ok_or_else(missing)
    }

    /// The error 1396, if it failed for anybody.
    fn check(&self, accounts: Vec<AccountName>, hint: &'static str) -> Result<(), AccessError> {
        if accounts.is_empty() {
            return Ok(());
        }
        Err(AccessError::Failed { operation: self.operation, accounts, hint })
    }

    fn name(&self, account: &AccountRef) -> AccountName {
        match account {
            AccountRef::Current => self.actor.clone(),
            AccountRef::Named(name) => name.clone(),
        }
    }

    fn names(&self, accounts: &[AccountRef]) -> Vec<AccountName> {
        accounts.iter().map(|account| self.name(account)).collect()
    }

    fn grants_of_actor(&self) -> Grants {
        self.draft.find(self.actor).map(|account| account.grants.clone()).unwrap_or_default()
    }

    fn is_admin(&self) -> bool {
        self.grants_of_actor().may_globally(Privilege::Admin)
    }

    fn need_admin(&self) -> Result<(), AccessError> {
        if self.is_admin() { Ok(()) } else { Err(AccessError::NeedsPrivilege(Privilege::Admin.name().to_owned())) }
    }

    /// Whoever gives must have: the privileges themselves, and the right to give them (GRANT OPTION there, or ADMIN).
    fn may_give(&self, privileges: Privileges, level: &Level) -> Result<(), AccessError> {
        let grants = self.grants_of_actor();
        let held = grants.held(level);
        if !grants.may_globally(Privilege::Admin) && !held.has(Privilege::GrantOption) {
            let needed = format!("{}, {}", Privilege::Admin.name(), Privilege::GrantOption.name());
            return Err(AccessError::NeedsPrivilege(needed));
        }
        // The right to give is given by whoever has it.
        let lacking = privileges.without(Privileges::of(Privilege::GrantOption)).without(held);
        if lacking.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = lacking.iter().map(Privilege::name).collect();
        Err(AccessError::NeedsPrivilege(names.join(", ")))
    }
}

fn set(account: &mut Account, credential: Option<&Credential>, options: &AccountOptions) {
    if let Some(credential) = credential {
        account.verifier = verifier(credential);
    }
    account.tls = options.tls.unwrap_or(account.tls);
    account.lock = options.lock.unwrap_or(account.lock);
    account.max_connections = options.max_connections.unwrap_or(account.max_connections);
}

fn verifier(credential: &Credential) -> Verifier {
    match credential {
        Credential::Password(password) => Verifier::from_password(password.expose()),
        Credential::NativeHash(hash) => Verifier::from_hashes(*hash, None),
    }
}
