//! Opening stores by what they are. Nothing is created by opening one.

use std::path::Path;
use std::sync::Arc;

use crate::engine::dsn::{Dsn, ServerKind};
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
        Ok(Arc::new(SqliteMeta::open(path)?))
    }

    /// Cells in a database of a server. Nobody is connected to yet: a server that is down does not fail this.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the name's options cannot be used.
    pub fn server(&self, name: &str, dsn: Dsn) -> Result<Arc<dyn Backend>, StoreError> {
        let options = self.server_options(name, dsn);
        Ok(match options.dsn.kind {
            ServerKind::Mysql => Arc::new(MysqlBackend::connect(&options)?),
            ServerKind::Postgres => Arc::new(PostgresBackend::connect(&options)?),
        })
    }

    /// A meta store in a database of a server. Nobody is connected to yet.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the name's options cannot be used.
    pub fn server_meta(&self, dsn: Dsn) -> Result<Arc<dyn MetaStore>, StoreError> {
        let options = self.server_options("meta", dsn);
        Ok(match options.dsn.kind {
            ServerKind::Mysql => Arc::new(MysqlMeta::connect(&options)?),
            ServerKind::Postgres => Arc::new(PostgresMeta::connect(&options)?),
        })
    }

    fn server_options(&self, name: &str, dsn: Dsn) -> ServerOptions {
        ServerOptions { name: name.to_owned(), dsn, pool_size: self.pool_size, timeouts: self.timeouts }
    }
}
