//! Opening stores by what they are. Nothing is created by opening one.

use std::path::Path;
use std::sync::Arc;

use crate::engine::sqlite::{SqliteBackend, SqliteOptions};
use crate::meta::MetaStore;
use crate::meta::sqlite::SqliteMeta;
use crate::{Backend, StoreError, Timeouts};

/// What all stores of a process have in common.
#[derive(Clone, Copy, Debug)]
pub struct Engines {
    /// Bounds on waiting.
    pub timeouts: Timeouts,
    /// Most connections to one server.
    pub pool_size: usize,
}

impl Engines {
    /// Cells in a SQLite file.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another process uses the file.
    pub fn sqlite(&self, path: &Path) -> Result<Arc<dyn Backend>, StoreError> {
        let options = SqliteOptions { timeouts: self.timeouts, ..SqliteOptions::default() };
        Ok(Arc::new(SqliteBackend::open(path, options)?))
    }

    /// A meta store in a SQLite file.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another process uses the file.
    pub fn sqlite_meta(&self, path: &Path) -> Result<Arc<dyn MetaStore>, StoreError> {
        Ok(Arc::new(SqliteMeta::open(path)?))
    }
}
