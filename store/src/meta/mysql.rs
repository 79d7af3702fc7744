//! The meta store in a MariaDB or MySQL database.

use crate::engine::mysql::{MysqlDriver, Returning};
use crate::engine::server::ServerOptions;
use crate::error::StoreError;
use crate::meta::server::ServerMeta;

/// Documents in a MariaDB or MySQL database.
pub type MysqlMeta = ServerMeta<MysqlDriver>;

impl MysqlMeta {
    /// A meta store that connects when it is first asked something.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the options cannot be used (another kind of server, unreadable authorities).
    pub fn connect(options: &ServerOptions) -> Result<Self, StoreError> {
        Self::with_driver(MysqlDriver::new(options, Returning::IfKnown)?, options)
    }
}
