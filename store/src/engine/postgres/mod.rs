//! PostgreSQL, by `tokio-postgres`.
//!
//! PostgreSQL 12 and later; 15 is what this is tested with.

mod error;
mod head;
mod insert;
mod rights;
mod session;
mod setup;
mod values;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use rustls::ClientConfig;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::backend::Timeouts;
use crate::engine::addresses::addresses;
use crate::engine::dsn::{Dsn, ServerKind};
use crate::engine::server::driver::Driver;
use crate::engine::server::{Server, ServerOptions};
use crate::error::{Reason, StoreError};
use crate::sql::{Dialect, POSTGRES};

pub use session::PostgresSession;

/// The cells of a cluster in a PostgreSQL database.
pub type PostgresBackend = Server<PostgresDriver>;

/// The database every server has, from which others are created.
const MAINTENANCE: &str = "postgres";

/// The schema unless another is named.
const SCHEMA: &str = "public";

/// Opens sessions to a PostgreSQL server.
pub struct PostgresDriver {
    name: String,
    dsn: Dsn,
    tls: Option<ClientConfig>,
    timeouts: Timeouts,
    /// Whether it was said that commits are not durable; once is enough.
    warned: AtomicBool,
}

impl fmt::Debug for PostgresDriver {
    /// Without the pages of `tls`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDriver").field("name", &self.name).field("dsn", &self.dsn).finish_non_exhaustive()
    }
}

impl PostgresBackend {
    /// A backend that connects when it is first asked something.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the options cannot be used (another kind of server, unreadable authorities).
    pub fn connect(options: &ServerOptions) -> Result<Self, StoreError> {
        Self::with_driver(PostgresDriver::new(options)?, options)
    }
}

impl PostgresDriver {
    pub(crate) fn new(options: &ServerOptions) -> Result<Self, StoreError> {
        let dsn = options.dsn.clone();
        if dsn.kind != ServerKind::Postgres {
            return Err(StoreError::Refused { detail: format!("{dsn} is not a postgres:// name") });
        }
        let tls = dsn.tls.rustls()?;
        Ok(Self { name: options.name.clone(), dsn, tls, timeouts: options.timeouts, warned: AtomicBool::new(false) })
    }

    fn schema(&self) -> &str {
        self.dsn.schema.as_deref().unwrap_or(SCHEMA)
    }

    async fn open(&self, database: &str) -> Result<PostgresSession, StoreError> {
        let mut config = Config::new();
        let host = &self.dsn.host;
        // A directory has the server's socket.
        let connect = if host.starts_with('/') {
            config.host(host);
            self.timeouts.connect
        } else {
            let (addresses, each) = addresses(host, self.dsn.port, self.timeouts.connect)
                .await
                .map_err(|e| StoreError::Unavailable { reason: Reason::Connect, detail: format!("{host}: {e}") })?;
            for address in addresses {
                config.host(host).hostaddr(address.ip());
            }
            each
        };
        config
            .port(self.dsn.port)
            .user(&self.dsn.user)
            .dbname(database)
            .application_name("cellgate")
            .connect_timeout(connect)
            .keepalives_idle(Duration::from_secs(30))
            .ssl_mode(if self.tls.is_some() { SslMode::Require } else { SslMode::Disable });
        if let Some(password) = &self.dsn.password {
            config.password(password.expose());
        }
        PostgresSession::start(&config, self.tls.as_ref(), &self.timeouts, self.schema()).await
    }
}

impl Manager for PostgresDriver {
    type Type = PostgresSession;
    type Error = StoreError;

    async fn create(&self) -> Result<PostgresSession, StoreError> {
        let session = self.open(&self.dsn.database).await?;
        if !session.durable() && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(store = %self.name, "fsync is off: a crash of the server may lose acknowledged cells");
        }
        Ok(session)
    }

    async fn recycle(&self, session: &mut PostgresSession, _: &Metrics) -> RecycleResult<StoreError> {
        // The task that reads the connection has noticed if the server closed it: no round trip is needed.
        if session.is_closed() { Err(RecycleError::message("the server has closed it")) } else { Ok(()) }
    }
}

#[async_trait]
impl Driver for PostgresDriver {
    type Session = PostgresSession;

    fn address(&self) -> String {
        self.dsn.to_string()
    }

    fn dialect(&self) -> &'static Dialect {
        &POSTGRES
    }

    fn clock(&self) -> &'static str {
        insert::CLOCK
    }

    async fn check_rights(&self) -> Result<(), StoreError> {
        let check = async {
            let missing = match self.open(&self.dsn.database).await {
                Ok(mut session) => session.missing_right(self.schema()).await?,
                Err(StoreError::NoTable { .. }) => {
                    let mut maintenance = self.open(MAINTENANCE).await?;
                    let name = &self.dsn.database;
                    (!maintenance.creates_databases().await?).then(|| {
                        format!(
                            "there is no database {name}, and user {user} may not create it (ALTER ROLE .. CREATEDB): \
                                 CREATE DATABASE {name} OWNER {user}",
                            user = self.dsn.user
                        )
                    })
                }
                Err(error) => return Err(error),
            };
            missing.map_or(Ok(()), |detail| Err(StoreError::Refused { detail }))
        };
        tokio::time::timeout(self.timeouts.statement, check).await.map_err(|_| StoreError::Timeout {
            reason: Reason::Statement,
            detail: "the rights could not be read in time".to_owned(),
        })?
    }

    async fn create_database(&self) -> Result<(), StoreError> {
        let create = async {
            let mut session = match self.open(&self.dsn.database).await {
                Ok(session) => session,
                Err(StoreError::NoTable { .. }) => {
                    let mut maintenance = self.open(MAINTENANCE).await?;
                    maintenance.create("DATABASE", &self.dsn.database).await?;
                    self.open(&self.dsn.database).await?
                }
                Err(error) => return Err(error),
            };
            // Who may not create schemas may be given one.
            if self.dsn.schema.is_none() || session.has_schema(self.schema()).await? {
                return Ok(());
            }
            session.create("SCHEMA IF NOT EXISTS", self.schema()).await
        };
        tokio::time::timeout(self.timeouts.statement, create).await.map_err(|_| StoreError::Timeout {
            reason: Reason::Statement,
            detail: "the database could not be created in time".to_owned(),
        })?
    }
}
