//! The stored accounts' document in the meta store. Fields are only ever added, and those of a newer version are kept.
//!
//! It holds what is needed to check a password, never one. Whoever can read the meta store can log in to nothing with
//! it, but can try passwords against it: the meta store is to be guarded like a password file.

use std::sync::Arc;

use cellgate_schemaless::NewerFields;
use cellgate_sql::{AccountName, Level, Lock, Privilege, Privileges, TlsNeed};
use cellgate_store::StoreError;
use serde::{Deserialize, Serialize};

use super::account::{Account, Origin};
use super::host::HostPattern;
use crate::auth::Verifier;

/// Its name.
pub(super) const USERS: &str = "users";

/// The stored accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UsersDocument {
    pub accounts: Vec<StoredAccount>,
    /// A random number in hexadecimal, which the first change gives: by it every proxy tells apart users that do not exist
    /// ([`Accounts::asks_for_native`](super::Accounts::asks_for_native)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoys: Option<String>,
    /// What a newer version wrote: kept.
    #[serde(flatten)]
    pub newer: NewerFields,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredAccount {
    pub user: String,
    pub host: String,
    /// `SHA1(SHA1(password))` in hexadecimal; without it there is no password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha1: Option<String>,
    /// `SHA256(SHA256(password))` in hexadecimal; missing if only the other hash was ever given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub locked: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub require_tls: bool,
    /// 0 is no limit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_connections: u32,
    #[serde(default)]
    pub grants: Vec<StoredGrant>,
    /// What a newer version wrote: kept.
    #[serde(flatten)]
    pub newer: NewerFields,
}

/// Privileges at one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredGrant {
    /// A pattern, or the name of the table's database; without it `*.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Their names. One that this version does not know gives nothing.
    pub privileges: Vec<String>,
    /// Whether LOCK TABLES is not among them although all others of ALL are. Without this mark such a grant is of a version
    /// that did not know that privilege, whose ALL gave what it gives.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_lock_tables: bool,
    /// What a newer version wrote: kept.
    #[serde(flatten)]
    pub newer: NewerFields,
}

/// What ALL was before there was LOCK TABLES.
const ALL_BEFORE: Privileges = Privileges::ALL_ON_DATA.without(Privileges::of(Privilege::LockTables));

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl StoredAccount {
    /// The account; `None` (and a line in the log) if it cannot be understood: then nobody can log in to it.
    pub(super) fn read(&self) -> Option<Arc<Account>> {
        let name = AccountName { user: self.user.clone(), host: self.host.clone() };
        let verifier = match (&self.sha1, &self.sha256) {
            (None, None) => Some(Verifier::empty()),
            (None, Some(_)) => None,
            (Some(sha1), sha256) => match (unhex(sha1), sha256.as_deref().map(unhex)) {
                (Some(sha1), None) => Some(Verifier::from_hashes(sha1, None)),
                (Some(sha1), Some(Some(sha256))) => Some(Verifier::from_hashes(sha1, Some(sha256))),
                (None, _) | (Some(_), Some(None)) => None,
            },
        };
        let (Some(host), Some(verifier)) = (HostPattern::parse(&self.host), verifier) else {
            tracing::error!(account = %name, "a stored account cannot be understood; nobody can log in to it");
            return None;
        };
        Some(Arc::new(Account {
            name,
            host,
            verifier,
            origin: Origin::Stored,
            lock: if self.locked { Lock::Locked } else { Lock::Open },
            tls: if self.require_tls { TlsNeed::Required } else { TlsNeed::Optional },
            max_connections: self.max_connections,
            grants: self.grants.iter().filter_map(StoredGrant::read).collect(),
        }))
    }

    /// What a newer version wrote of this account, of its grants that are still there, and privileges that this version does
    /// not know, unless they were revoked ([`StoredAccount::revoke_newer`]).
    pub(super) fn keep_newer(&mut self, before: &mut Self) {
        self.newer = std::mem::take(&mut before.newer);
        for known in &mut before.grants {
            let unknown = known.privileges.extract_if(.., |name| privilege(name).is_none());
            let same = |grant: &&mut StoredGrant| grant.database == known.database && grant.table == known.table;
            match self.grants.iter_mut().find(same) {
                Some(grant) => {
                    grant.privileges.extend(unknown);
                    grant.newer = std::mem::take(&mut known.newer);
                }
                None => {
                    let privileges: Vec<String> = unknown.collect();
                    if !privileges.is_empty() {
                        let (database, table) = (known.database.take(), known.table.take());
                        let newer = std::mem::take(&mut known.newer);
                        self.grants.push(StoredGrant { database, table, privileges, no_lock_tables: false, newer });
                    }
                }
            }
        }
    }

    /// ALL is revoked at a level, or at every level: that is what this version does not know as well.
    pub(super) fn revoke_newer(&mut self, level: Option<&Level>) {
        for grant in &mut self.grants {
            if level.is_none_or(|level| grant.level().as_ref() == Some(level)) {
                grant.privileges.retain(|name| privilege(name).is_some());
            }
        }
    }

    /// The account as it is stored.
    pub(super) fn write(account: &Account) -> Self {
        let (sha1, sha256) = match account.verifier.hashes() {
            Some((sha1, sha256)) => (Some(hex(sha1)), sha256.map(|hash| hex(hash))),
            None => (None, None),
        };
        let grants = account.grants.levels().filter(|(_, held)| !held.is_empty());
        Self {
            user: account.name.user.clone(),
            host: account.name.host.clone(),
            sha1,
            sha256,
            locked: account.lock == Lock::Locked,
            require_tls: account.tls == TlsNeed::Required,
            max_connections: account.max_connections,
            grants: grants.map(|(level, held)| StoredGrant::write(level, held)).collect(),
            newer: NewerFields::new(),
        }
    }
}

impl StoredGrant {
    fn read(&self) -> Option<(Level, Privileges)> {
        let privileges: Privileges = self.privileges.iter().filter_map(|name| privilege(name)).collect();
        let privileges = match privileges.has_all(ALL_BEFORE) && !self.no_lock_tables {
            true => privileges.with(Privileges::of(Privilege::LockTables)),
            false => privileges,
        };
        self.level().map(|level| (level, privileges))
    }

    /// What it is on; `None` if that cannot be understood.
    fn level(&self) -> Option<Level> {
        Some(match (&self.database, &self.table) {
            (None, None) => Level::Global,
            (Some(database), None) => Level::Database(database.clone()),
            (Some(database), Some(table)) => Level::Table { database: database.clone(), table: table.clone() },
            (None, Some(_)) => return None,
        })
    }

    fn write(level: Level, privileges: Privileges) -> Self {
        let (database, table) = match level {
            Level::Global => (None, None),
            Level::Database(database) => (Some(database), None),
            Level::Table { database, table } => (Some(database), Some(table)),
        };
        let no_lock_tables = privileges.has_all(ALL_BEFORE) && !privileges.has(Privilege::LockTables);
        let privileges = privileges.iter().map(|p| p.name().to_owned()).collect();
        Self { database, table, privileges, no_lock_tables, newer: NewerFields::new() }
    }
}

/// A number for [`UsersDocument::decoys`].
pub(super) fn decoys() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Failed { detail: format!("no randomness: {error}") })?;
    Ok(hex(&bytes))
}

/// The privilege of this name, if this version knows it.
fn privilege(name: &str) -> Option<Privilege> {
    Privilege::ALL.into_iter().find(|privilege| privilege.name() == name)
}

pub(super) fn decode(body: &[u8]) -> Result<UsersDocument, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Corrupt { detail: format!("the users: {error}") })
}

pub(super) fn encode(document: &UsersDocument) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(document)
        .map_err(|error| StoreError::Failed { detail: format!("the users cannot be written: {error}") })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
