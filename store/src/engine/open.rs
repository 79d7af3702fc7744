//! Opening stores by what they are. Nothing is created by opening one.

use std::path::Path;
use std::sync::Arc;

use cellgate_metrics::ClusterMetrics;

use crate::engine::dsn::{Dsn, DsnError};
use crate::engine::mysql::MysqlBackend;
use crate::engine::postgres::PostgresBackend;
use crate::engine::server::ServerOptions;
use crate::engine::sqlite::{SqliteBackend, SqliteOptions};
use crate::meta::MetaStore;
use crate::meta::mysql::MysqlMeta;
use crate::meta::postgres::PostgresMeta;
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
        Ok(Arc::new(SqliteMeta::open(path, self.timeouts)?))
    }

    /// Cells in a MySQL or MariaDB database. Connects when it is first asked something; counts its retries and settled
    /// writes in `metrics`.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a URL or certificates that cannot be used.
    pub fn mysql(
        &self,
        name: &str,
        url: &str,
        metrics: Option<Arc<ClusterMetrics>>,
    ) -> Result<Arc<dyn Backend>, StoreError> {
        Ok(Arc::new(MysqlBackend::connect(&self.server(name, url, metrics)?)?))
    }

    /// A meta store in a MySQL or MariaDB database. Connects when it is first asked something.
    ///
    /// # Errors
    /// As [`Engines::mysql`].
    pub fn mysql_meta(&self, url: &str) -> Result<Arc<dyn MetaStore>, StoreError> {
        Ok(Arc::new(MysqlMeta::connect(&self.server("meta", url, None)?)?))
    }

    /// Cells in a PostgreSQL database. Connects when it is first asked something; counts like [`Engines::mysql`].
    ///
    /// # Errors
    /// As [`Engines::mysql`].
    pub fn postgres(
        &self,
        name: &str,
        url: &str,
        metrics: Option<Arc<ClusterMetrics>>,
    ) -> Result<Arc<dyn Backend>, StoreError> {
        Ok(Arc::new(PostgresBackend::connect(&self.server(name, url, metrics)?)?))
    }

    /// A meta store in a PostgreSQL database. Connects when it is first asked something.
    ///
    /// # Errors
    /// As [`Engines::mysql`].
    pub fn postgres_meta(&self, url: &str) -> Result<Arc<dyn MetaStore>, StoreError> {
        Ok(Arc::new(PostgresMeta::connect(&self.server("meta", url, None)?)?))
    }

    fn server(&self, name: &str, url: &str, metrics: Option<Arc<ClusterMetrics>>) -> Result<ServerOptions, StoreError> {
        let dsn: Dsn = url.parse().map_err(|error: DsnError| StoreError::Refused { detail: error.to_string() })?;
        let (pool_size, timeouts) = (self.pool_size, self.timeouts);
        Ok(ServerOptions { name: name.to_owned(), dsn, pool_size, timeouts, metrics })
    }
}
