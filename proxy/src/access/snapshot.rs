//! All accounts at one moment, in the order in which they are tried.

use std::sync::Arc;

use cellgate_sql::{AccountName, Lock, Privilege};

use super::account::{Access, Account};
use crate::auth::Verifier;

/// All accounts, the configuration's and the stored ones. Never changes.
#[derive(Debug, Default)]
pub struct Snapshot {
    version: u64,
    /// The most specific host first: the first that matches is meant, as in MySQL.
    accounts: Vec<Arc<Account>>,
}

impl Snapshot {
    /// Sorts the accounts. Of two with one name, only the configuration's is there.
    pub(super) fn new(version: u64, config: &[Arc<Account>], stored: &[Arc<Account>]) -> Self {
        let shadowed = |account: &&Arc<Account>| !config.iter().any(|c| c.name == account.name);
        let mut accounts: Vec<_> = config.iter().chain(stored.iter().filter(shadowed)).cloned().collect();
        accounts.sort_by(|a, b| a.host.specificity(&b.host).then_with(|| a.name.cmp(&b.name)));
        Self { version, accounts }
    }

    /// Counts the changes this proxy has taken over; not the version of the stored document.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The account that a client logs in to. A user of the configuration who has a password comes before all stored accounts
    /// of that user, however narrow their hosts are: what SQL makes must not shut the way back in. One without a password,
    /// who may come from this machine only, is shut out by a stored account for it.
    pub fn matching(&self, user: &str, host: &str) -> Option<&Arc<Account>> {
        let meant = |account: &&Arc<Account>| account.name.user == user && account.host.matches(host);
        let way_back_in = |account: &&Arc<Account>| account.is_way_back_in();
        let mut most_specific = self.accounts.iter().filter(meant);
        self.accounts.iter().filter(meant).find(way_back_in).or_else(|| most_specific.next())
    }

    /// An account by its name.
    pub fn named(&self, name: &AccountName) -> Option<&Arc<Account>> {
        self.accounts.iter().find(|account| account.name == *name)
    }

    /// What a session of this account may do.
    pub fn access(&self, name: &AccountName) -> Access {
        match self.named(name) {
            Some(account) => Access::of(Arc::clone(account), self.version),
            None => Access::none(self.version),
        }
    }

    /// What a user from there may do whose password was checked against this verifier: nothing, if that is not the
    /// account's any more.
    pub fn proven(&self, user: &str, host: &str, verifier: &Verifier) -> Access {
        match self.matching(user, host).filter(|account| account.verifier == *verifier) {
            Some(account) => Access::of(Arc::clone(account), self.version),
            None => Access::none(self.version),
        }
    }

    /// All accounts, the most specific host first.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.iter()
    }
}

/// Whether somebody who can log in may administer accounts.
pub(super) fn has_admin<'a>(accounts: impl IntoIterator<Item = &'a Arc<Account>>) -> bool {
    accounts.into_iter().any(|account| {
        let open = match account.lock {
            Lock::Open => true,
            Lock::Locked => false,
        };
        open && account.grants.may_globally(Privilege::Admin)
    })
}
