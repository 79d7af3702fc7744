//! The meta store: one small database with what is not cells.
//!
//! It holds named documents with versions, changed by compare-and-set, in one table `cg_meta(name, version, body)` of a
//! SQLite file, a MySQL/MariaDB or a PostgreSQL database. Which documents there are is `deployment`'s business.

#[cfg(test)]
pub(crate) mod fake;
pub mod memory;
pub mod mysql;
mod open;
mod passing;
pub mod postgres;
pub mod server;
pub mod sqlite;

pub use open::{CONNECTIONS, open_server, open_sqlite};
pub use passing::PassingMeta;

use async_trait::async_trait;

use crate::error::StoreError;

/// A document: its version (1 when created, one more with every change) and its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its name, at most 255 bytes of `[a-z0-9_/.-]`.
    pub name: String,
    /// Its version.
    pub version: i64,
    /// Its JSON.
    pub body: Vec<u8>,
}

/// How often [`MetaStore::remove_at_any_version`] looks.
const REMOVALS: usize = 3;

/// Named documents with compare-and-set.
#[async_trait]
pub trait MetaStore: Send + Sync + std::fmt::Debug {
    /// Whether the table is there. Must not create anything.
    async fn exists(&self) -> Result<bool, StoreError>;

    /// Whether it could be created, as far as that can be told without anything being created.
    ///
    /// # Errors
    /// [`StoreError::Refused`] names the right that is missing.
    async fn check_rights(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether it can be written, as far as that can be told without writing: a start writes there.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it can only be read.
    async fn check_writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Creates the table if it is not there; safe when several proxies do it at once.
    async fn create(&self) -> Result<(), StoreError>;

    /// The document of this name.
    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError>;

    /// The same for who changes it next and goes by nothing of it before that has succeeded: where a crash can take back a
    /// version that was seen, [`load`](Self::load) makes sure first that it cannot, which a change does by itself.
    async fn load_to_change(&self, name: &str) -> Result<Option<Document>, StoreError> {
        self.load(name).await
    }

    /// All documents whose name starts with `prefix`, by name.
    async fn list(&self, prefix: &str) -> Result<Vec<Document>, StoreError>;

    /// Writes `body` if the document is at version `expected` (0: does not exist); answers whether it did. Durable
    /// when it answers. A lost acknowledgement is settled by reading the document back.
    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError>;

    /// Removes the document if it is at version `expected`; answers whether it did.
    async fn remove(&self, name: &str, expected: i64) -> Result<bool, StoreError>;

    /// Removes the document at whatever version it is; answers whether it is gone. A change that nobody waits for any more may
    /// still be made behind a look, so that it looks again, three times in all.
    async fn remove_at_any_version(&self, name: &str) -> Result<bool, StoreError> {
        for _ in 0..REMOVALS {
            match self.load_to_change(name).await? {
                Some(document) if self.remove(name, document.version).await? => return Ok(true),
                Some(_) => {}
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Microseconds UTC by the meta store's own clock (leases are judged by it).
    async fn now(&self) -> Result<i64, StoreError>;
}
