//! Opening stores of cells by what they are. Nothing is created by opening one.

use std::path::Path;
use std::sync::Arc;

use cellgate_metrics::ClusterMetrics;

use crate::engine::dsn::{Dsn, ServerKind};
use crate::engine::mysql::MysqlBackend;
use crate::engine::postgres::PostgresBackend;
use crate::engine::server::ServerOptions;
use crate::engine::sqlite::{SqliteBackend, SqliteOptions};
use crate::{Backend, StoreError, Timeouts};

/// What all stores of cells of a process have in common.
#[derive(Clone, Copy, Debug)]
pub struct Engines {
    /// Bounds on waiting.
    pub timeouts: Timeouts,
    /// Most connections to one server.
    pub pool_size: usize,
    /// Most bytes of cells that wait to be written to one file.
    pub queue_bytes: usize,
    /// Whether files are only looked at: nothing is made beside them then.
    pub looks: bool,
}

impl Engines {
    /// Cells in a SQLite file.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another process uses the file.
    pub fn sqlite(&self, path: &Path) -> Result<Arc<dyn Backend>, StoreError> {
        let Self { timeouts, queue_bytes, looks, .. } = *self;
        let options = SqliteOptions { timeouts, queue_bytes, looks, ..SqliteOptions::default() };
        Ok(Arc::new(SqliteBackend::open(path, options)?))
    }

    /// Cells in a database of a server. Connects when it is first asked something; counts its retries and settled writes
    /// in `metrics`.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for certificates that cannot be used.
    pub fn server(
        &self,
        name: &str,
        dsn: &Dsn,
        metrics: Option<Arc<ClusterMetrics>>,
    ) -> Result<Arc<dyn Backend>, StoreError> {
        let (pool_size, timeouts) = (self.pool_size, self.timeouts);
        let options = ServerOptions { name: name.to_owned(), dsn: dsn.clone(), pool_size, timeouts, metrics };
        Ok(match dsn.kind {
            ServerKind::Mysql => Arc::new(MysqlBackend::connect(&options)?),
            ServerKind::Postgres => Arc::new(PostgresBackend::connect(&options)?),
        })
    }
}
