//! Opening meta stores by what they are. Nothing is created by opening one.

use std::path::Path;
use std::sync::Arc;

use super::MetaStore;
use super::mysql::MysqlMeta;
use super::postgres::PostgresMeta;
use super::sqlite::SqliteMeta;
use crate::engine::dsn::{Dsn, ServerKind};
use crate::engine::server::ServerOptions;
use crate::engine::sqlite::files::LockFile;
use crate::{StoreError, Timeouts};

/// Most connections to a meta store on a server: for the poll, the lease and a change or two at once.
pub const CONNECTIONS: usize = 4;

/// A meta store in a SQLite file; nothing is made beside it if it is only looked at.
///
/// # Errors
/// [`StoreError::Refused`] if another process uses the file, or this one may not write it.
pub fn open_sqlite(path: &Path, timeouts: Timeouts, looks: bool) -> Result<Arc<dyn MetaStore>, StoreError> {
    Ok(Arc::new(SqliteMeta::open_with(path, timeouts, LockFile::of(looks))?))
}

/// A meta store in a database of a server. Connects when it is first asked something.
///
/// # Errors
/// [`StoreError::Refused`] for certificates that cannot be used.
pub fn open_server(dsn: &Dsn, timeouts: Timeouts) -> Result<Arc<dyn MetaStore>, StoreError> {
    let options = ServerOptions { pool_size: CONNECTIONS, timeouts, ..ServerOptions::new("meta", dsn.clone()) };
    Ok(match dsn.kind {
        ServerKind::Mysql => Arc::new(MysqlMeta::connect(&options)?),
        ServerKind::Postgres => Arc::new(PostgresMeta::connect(&options)?),
    })
}
