//! Changing the stored accounts: compare-and-set of the document.

use std::sync::Arc;
use std::time::Instant;

use cellgate_sql::{AccountName, Level};
use cellgate_store::deployment::Edition;

use super::account::Account;
use super::document::{StoredAccount, USERS, UsersDocument, decoys, encode};
use super::error::AccessError;
use super::host::HostPattern;
use super::snapshot::has_admin;
use super::{Accounts, lock};

/// How often a change may find that another proxy's came first.
const ATTEMPTS: usize = 50;
/// Most stored accounts.
const ACCOUNTS: usize = 10_000;
/// Most bytes of the document, which every proxy looks at every `meta.poll`: with all accounts there may be, some 800 of
/// each. What is larger already can be made smaller only.
const DOCUMENT_BYTES: usize = 8 * 1024 * 1024;
/// Most levels on which one account may hold privileges: they are looked through for every statement.
const LEVELS: usize = 1000;

/// Whether a statement may make the accounts more: those that cannot are obeyed however large the document is, though what
/// is taken away may take some bytes to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// CREATE and RENAME USER, GRANT.
    Adds,
    /// All others.
    None,
}

/// The newest accounts while they are being changed.
pub(super) struct Draft<'a> {
    document: &'a mut UsersDocument,
    config: &'a [Arc<Account>],
}

impl Draft<'_> {
    /// An account, wherever it is defined.
    pub(super) fn find(&self, name: &AccountName) -> Option<Arc<Account>> {
        let configured = self.config.iter().find(|account| account.name == *name).cloned();
        configured.or_else(|| self.stored(name).and_then(StoredAccount::read))
    }

    /// Whether the name is taken, even by an account that cannot be understood.
    pub(super) fn exists(&self, name: &AccountName) -> bool {
        self.is_configured(name) || self.stored(name).is_some()
    }

    /// Whether the configuration defines it.
    pub(super) fn is_configured(&self, name: &AccountName) -> bool {
        self.config.iter().any(|account| account.name == *name)
    }

    /// Whether the configuration defines a user so called with a password, who counts whatever host the account is for.
    pub(super) fn is_shadowed(&self, name: &AccountName) -> bool {
        self.config.iter().any(|account| account.name.user == name.user && account.is_way_back_in())
    }

    fn stored(&self, name: &AccountName) -> Option<&StoredAccount> {
        self.document.accounts.iter().find(|stored| stored.is_named(name))
    }

    /// Adds a stored account, or replaces the one of that name.
    pub(super) fn put(&mut self, account: &Account) -> Result<(), AccessError> {
        if account.grants.levels().count() > LEVELS {
            return Err(AccessError::Limit { what: "databases and tables with grants of one account", limit: LEVELS });
        }
        let mut new = StoredAccount::write(account);
        let full = self.document.accounts.len() >= ACCOUNTS;
        match self.document.accounts.iter_mut().find(|stored| stored.is_named(&account.name)) {
            Some(stored) => {
                new.keep_newer(stored);
                *stored = new;
            }
            None if full => return Err(AccessError::Limit { what: "accounts", limit: ACCOUNTS }),
            None => self.document.accounts.push(new),
        }
        Ok(())
    }

    /// Puts a stored account in the place of one that had another name.
    pub(super) fn rename(&mut self, from: &AccountName, account: &Account) -> Result<(), AccessError> {
        if let Some(stored) = self.document.accounts.iter_mut().find(|stored| stored.is_named(from)) {
            stored.user.clone_from(&account.name.user);
            stored.host.clone_from(&account.name.host);
        }
        self.put(account)
    }

    /// Takes from a stored account what a newer version granted and this one does not know, at a level or at every level.
    pub(super) fn revoke_newer(&mut self, name: &AccountName, level: Option<&Level>) {
        if let Some(stored) = self.document.accounts.iter_mut().find(|stored| stored.is_named(name)) {
            stored.revoke_newer(level);
        }
    }

    /// Removes a stored account; whether there was one.
    pub(super) fn remove(&mut self, name: &AccountName) -> bool {
        let before = self.document.accounts.len();
        self.document.accounts.retain(|stored| !stored.is_named(name));
        self.document.accounts.len() < before
    }

    /// All that somebody may log in to.
    fn all(&self) -> Vec<Arc<Account>> {
        let stored = self.document.accounts.iter().filter_map(StoredAccount::read);
        let stored = stored.filter(|account| !self.is_shadowed(&account.name));
        self.config.iter().cloned().chain(stored).collect()
    }
}

impl StoredAccount {
    fn is_named(&self, name: &AccountName) -> bool {
        self.user == name.user && self.host == name.host
    }
}

impl Accounts {
    /// Applies `edit` to the newest accounts and stores them, again if another change came first. Nothing is stored if
    /// it fails, or if nobody would be left to administer accounts.
    pub(super) async fn change<T>(
        &self,
        operation: &'static str,
        growth: Growth,
        mut edit: impl FnMut(&mut Draft<'_>) -> Result<T, AccessError>,
    ) -> Result<T, AccessError> {
        // Changes of this proxy take turns, so that each lost race is another proxy's win.
        let _turn = self.changing.lock().await;
        let config = lock(&self.known).config.clone();
        for _ in 0..ATTEMPTS {
            let began = Instant::now();
            let (found, stored) = self.load().await?;
            // What was found is what sessions see next, whether it is changed or not.
            if found != Edition::default() {
                self.know_document(found, &stored, began);
            }
            let mut document = stored.clone();
            let mut draft = Draft { document: &mut document, config: &config };
            let had_admin = has_admin(&draft.all());
            let done = edit(&mut draft)?;
            if had_admin && !has_admin(&draft.all()) {
                return Err(AccessError::LastAdmin { operation });
            }
            if document == stored {
                return Ok(done);
            }
            if document.decoys.is_none() {
                document.decoys = Some(decoys()?);
            }
            let body = encode(&document)?;
            if growth == Growth::Adds && body.len() > DOCUMENT_BYTES && body.len() > encode(&stored)?.len() {
                return Err(AccessError::Limit {
                    what: "bytes of all accounts and their grants",
                    limit: DOCUMENT_BYTES,
                });
            }
            let began = Instant::now();
            if self.meta.compare_and_set(USERS, found.version, &body).await? {
                self.know_document(Edition::of(found.version + 1, &body), &document, began);
                return Ok(done);
            }
        }
        Err(AccessError::Contended)
    }
}

/// The host of a new account.
pub(super) fn host_of(name: &AccountName) -> Result<HostPattern, AccessError> {
    HostPattern::parse(&name.host).ok_or_else(|| AccessError::Host(name.host.clone()))
}
