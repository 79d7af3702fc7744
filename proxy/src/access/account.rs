//! One account: who, from where, proved how, and what it may do.

use std::sync::Arc;

use cellgate_sql::{AccountName, Lock, Privilege, TlsNeed};

use super::grants::Grants;
use super::host::HostPattern;
use crate::auth::Verifier;

/// Where an account is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In this proxy's configuration file; SQL cannot change it.
    Config,
    /// In the meta store, by CREATE USER.
    Stored,
}

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// `'user'@'host'`.
    pub name: AccountName,
    /// The host, read.
    pub host: HostPattern,
    /// What is kept of the password.
    pub verifier: Verifier,
    /// Where it is defined.
    pub origin: Origin,
    /// Whether it may log in.
    pub lock: Lock,
    /// Whether it needs TLS.
    pub tls: TlsNeed,
    /// Most connections to one proxy at once; 0 is no limit.
    pub max_connections: u32,
    /// What it may do.
    pub grants: Grants,
}

impl Account {
    /// Whether it is a user of the configuration with a password, who counts from everywhere.
    pub(super) fn is_way_back_in(&self) -> bool {
        self.origin == Origin::Config && !self.verifier.is_empty()
    }

    /// Whether nobody may log in to it without TLS.
    pub fn needs_tls(&self) -> bool {
        match self.tls {
            TlsNeed::Required => true,
            TlsNeed::Optional => false,
        }
    }
}

/// What one session may do: the account it logged in as, as this proxy knows it now.
///
/// Cheap to keep and to clone. A session asks [`super::Accounts::current`] for a newer one when the version changed.
#[derive(Clone, Debug)]
pub struct Access {
    account: Option<Arc<Account>>,
    /// The version of the [`super::Snapshot`] it was taken from.
    version: u64,
}

impl Access {
    /// Nothing: before the login, and after the account was dropped.
    pub fn none(version: u64) -> Self {
        Self { account: None, version }
    }

    pub(super) fn of(account: Arc<Account>, version: u64) -> Self {
        Self { account: Some(account), version }
    }

    /// The version of the snapshot it was taken from.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The account; `None` before the login and after it was dropped.
    pub fn account(&self) -> Option<&Arc<Account>> {
        self.account.as_ref()
    }

    fn grants(&self) -> Option<&Grants> {
        self.account.as_deref().map(|account| &account.grants)
    }

    /// Whether a privilege holds on a table, or on a database as a whole (to create or drop it).
    pub fn may(&self, privilege: Privilege, database: &str, table: Option<&str>) -> bool {
        self.grants().is_some_and(|grants| grants.may(privilege, database, table))
    }

    /// Whether the session may do what is about the server: accounts, global variables, other sessions.
    pub fn may_administer(&self) -> bool {
        self.grants().is_some_and(|grants| grants.may_globally(Privilege::Admin))
    }

    /// Whether a database may be used and shown.
    pub fn may_see_database(&self, database: &str) -> bool {
        self.grants().is_some_and(|grants| grants.may_see_database(database))
    }

    /// Whether a table may be shown.
    pub fn may_see_table(&self, database: &str, table: &str) -> bool {
        self.grants().is_some_and(|grants| grants.may_see_table(database, table))
    }
}
