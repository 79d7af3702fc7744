//! The meta store in a PostgreSQL database.

use crate::engine::postgres::PostgresDriver;
use crate::engine::server::ServerOptions;
use crate::error::StoreError;
use crate::meta::server::ServerMeta;

/// Documents in a PostgreSQL database.
pub type PostgresMeta = ServerMeta<PostgresDriver>;

impl PostgresMeta {
    /// A meta store that connects when it is first asked something.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the options cannot be used (another kind of server, unreadable authorities).
    pub fn connect(options: &ServerOptions) -> Result<Self, StoreError> {
        Self::with_driver(PostgresDriver::new(options)?, options)
    }
}
