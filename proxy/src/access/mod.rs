//! Users and what they may do: the accounts of the configuration file and those of the meta store.
//!
//! Sessions take an immutable [`Snapshot`]; a question about a privilege reads memory that nobody writes. A change is a
//! compare-and-set of one document, so that two proxies that change accounts at once both see what the other did, and
//! the rights of whoever asks for the change are judged by the newest document. Other proxies follow within
//! `meta.poll`, and look at once when a login or a statement is refused. While the meta store is silent, what is known
//! stays in force.
//!
//! Accounts of the configuration belong to one proxy and cannot be changed by SQL. If both name an account, the
//! configuration's counts.

mod account;
mod change;
mod document;
mod error;
mod follow;
mod grants;
mod host;
mod show;
mod snapshot;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as SyncMutex};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use cellgate_metrics::MetaDocument;
use cellgate_sql::{AccountName, Lock, Privileges, TlsNeed};
use cellgate_store::StoreError;
use cellgate_store::deployment::{self, Edition, Reading};
use cellgate_store::meta::MetaStore;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

pub use account::{Access, Account, Origin};
pub use error::{AccessError, AccessNote};
pub use grants::Grants;
pub use host::HostPattern;
pub use show::{SchemaPrivilege, TablePrivilege, UserPrivilege, UserRow, create, grants};
pub use snapshot::Snapshot;
pub use statement::operation;

use crate::auth::Verifier;
use crate::config;
use crate::sync::lock;
use document::{USERS, UsersDocument};

/// The accounts as this proxy knows them, and the way to change them.
#[derive(Debug)]
pub struct Accounts {
    meta: Arc<dyn MetaStore>,
    current: ArcSwap<Snapshot>,
    /// The version of the current snapshot.
    version: AtomicU64,
    known: SyncMutex<Known>,
    /// What stands for [`Known::decoys`] as long as the document has none: new with every start. Nothing that is stored
    /// may: with a number that follows from the hashes, passwords could be tried by whom is asked for what.
    own_decoys: Vec<u8>,
    reading: Reading,
    /// Held by the one change of this proxy that is under way.
    changing: Mutex<()>,
    /// When the last look because of a refusal began.
    looked: Mutex<Option<Instant>>,
    /// Connections of each account with a limit.
    seats: Arc<SyncMutex<BTreeMap<AccountName, u32>>>,
}

/// What the current snapshot was made of.
#[derive(Debug)]
struct Known {
    config: Vec<Arc<Account>>,
    stored: Vec<Arc<Account>>,
    /// By what users that do not exist are told apart, see [`Accounts::asks_for_native`].
    decoys: Vec<u8>,
    /// Which document that is.
    document: deployment::Known,
    /// The version of the snapshot.
    version: u64,
}

impl Accounts {
    /// Reads the stored accounts.
    ///
    /// # Errors
    /// What the meta store says; [`StoreError::Failed`] if the system has no randomness.
    pub async fn open(meta: Arc<dyn MetaStore>, users: &[config::User]) -> Result<Self, StoreError> {
        let document = deployment::Known::nothing_of(MetaDocument::Users);
        let own_decoys = document::decoys()?.into_bytes();
        let decoys = own_decoys.clone();
        let known = Known { config: Vec::new(), stored: Vec::new(), decoys, document, version: 0 };
        let this = Self {
            meta,
            current: ArcSwap::default(),
            version: AtomicU64::new(0),
            known: SyncMutex::new(known),
            own_decoys,
            reading: Reading::new(MetaDocument::Users),
            changing: Mutex::new(()),
            looked: Mutex::new(None),
            seats: Arc::default(),
        };
        this.configure(users);
        this.refresh().await?;
        Ok(this)
    }

    /// Takes over the users of a configuration.
    pub fn configure(&self, users: &[config::User]) {
        let config = users.iter().map(configured).collect();
        self.know(|known| {
            known.config = config;
            true
        });
    }

    /// What is known now, for a short look: no lock, no allocation.
    pub fn current(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The version of what is known now: what every statement asks.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// What is known now, to keep.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Reads the document again.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let outcome = self.load_newer().await;
        self.reading.ended(&outcome);
        outcome
    }

    /// Takes over the document, if it is another one than what is known: else nothing of it is decoded.
    async fn load_newer(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        let Some(stored) = self.meta.load(USERS).await? else { return Ok(()) };
        let edition = Edition::of(stored.version, &stored.body);
        if lock(&self.known).document.would_learn(edition, began) {
            self.know_document(edition, &document::decode(&stored.body)?, began);
        }
        Ok(())
    }

    /// Whether a user that does not exist is asked for a proof by `mysql_native_password`, as those are of whom only its
    /// hash is known: every second one, as soon as there is such an account. Without it they could be found by being asked,
    /// without a password. By what users are told apart is a random number stored with the accounts: always the same, and
    /// the same at every proxy. Until a change of an account stores it, each start has its own.
    pub fn asks_for_native(&self, user: &str) -> bool {
        let only_native = |account: &Arc<Account>| !account.verifier.knows_caching_sha2();
        if !self.current().accounts().any(only_native) {
            return false;
        }
        let hash = Sha256::new_with_prefix(&lock(&self.known).decoys);
        hash.chain_update(user).finalize().first().is_some_and(|byte| byte & 1 == 1)
    }

    /// Takes a connection's place among those of its account.
    ///
    /// # Errors
    /// The account's limit, if it is reached.
    pub fn seat(&self, account: &Account) -> Result<Seat, u32> {
        let limit = account.max_connections;
        let mut seats = lock(&self.seats);
        let taken = seats.get(&account.name).copied().unwrap_or(0);
        if limit > 0 && taken >= limit {
            return Err(limit);
        }
        seats.insert(account.name.clone(), taken + 1);
        Ok(Seat { name: account.name.clone(), seats: Arc::clone(&self.seats) })
    }

    /// How reading the document goes.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    async fn load(&self) -> Result<(Edition, UsersDocument), StoreError> {
        let outcome = match self.meta.load(USERS).await {
            Ok(Some(stored)) => {
                let edition = Edition::of(stored.version, &stored.body);
                document::decode(&stored.body).map(|document| (edition, document))
            }
            Ok(None) => Ok((Edition::default(), UsersDocument::default())),
            Err(error) => Err(error),
        };
        self.reading.ended(&outcome);
        outcome
    }

    /// Takes over a document that a look has found, or a change has stored, which began then; unless it is overtaken, for several
    /// tasks read and change it at once ([`deployment::Known::learns`]).
    fn know_document(&self, edition: Edition, document: &UsersDocument, began: Instant) {
        self.know(|known| {
            let is_news = known.document.learns(edition, began);
            if is_news {
                let stored = document.decoys.as_ref().map(String::as_bytes);
                known.decoys = stored.unwrap_or(&self.own_decoys).to_vec();
                known.stored = document.accounts.iter().filter_map(document::StoredAccount::read).collect();
            }
            is_news
        });
    }

    /// Changes what is known; if `change` says that it did, sessions see it from now on.
    fn know(&self, change: impl FnOnce(&mut Known) -> bool) {
        let mut known = lock(&self.known);
        if change(&mut known) {
            known.version += 1;
            self.current.store(Arc::new(Snapshot::new(known.version, &known.config, &known.stored)));
            self.version.store(known.version, Ordering::Release);
        }
    }
}

/// A connection's place among those of its account; dropped, it is free again.
#[derive(Debug)]
pub struct Seat {
    name: AccountName,
    seats: Arc<SyncMutex<BTreeMap<AccountName, u32>>>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = lock(&self.seats);
        let left = seats.get(&self.name).map_or(0, |taken| taken.saturating_sub(1));
        if left == 0 {
            seats.remove(&self.name);
        } else {
            seats.insert(self.name.clone(), left);
        }
    }
}

/// The account of a `[[user]]`.
fn configured(user: &config::User) -> Arc<Account> {
    let mut grants: Grants = user.grants.iter().map(|grant| (grant.level.clone(), grant.privileges)).collect();
    if user.erase {
        grants.grant(&cellgate_sql::Level::Global, Privileges::of(cellgate_sql::Privilege::Erase));
    }
    let host = HostPattern::anywhere();
    Arc::new(Account {
        name: AccountName { user: user.name.clone(), host: host.as_str().to_owned() },
        host,
        verifier: user.password.as_ref().map_or_else(Verifier::empty, |p| Verifier::from_password(p.expose())),
        origin: Origin::Config,
        lock: Lock::Open,
        tls: if user.require_tls { TlsNeed::Required } else { TlsNeed::Optional },
        max_connections: user.max_connections,
        grants,
    })
}
