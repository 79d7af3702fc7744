//! MariaDB and MySQL, by a client of our own (`wire`).
//!
//! For MariaDB 10.5 and later and MySQL 8.0 and later; tested with MariaDB 10.11 and MySQL 9.7. A MySQL has no
//! `INSERT .. RETURNING`: the rows of a coalesced insert are looked up after it instead.

mod error;
mod finding;
mod head;
mod insert;
mod read_only;
mod session;
mod setup;
mod sinks;
mod version;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};

use self::sinks::Count;
use self::wire::{Connection, Encryption, Target, WireError};
use crate::backend::Timeouts;
use crate::engine::dsn::{Dsn, Password, ServerKind};
use crate::engine::server::driver::{Driver, Failure, Session};
use crate::engine::server::{Server, ServerOptions};
use crate::error::StoreError;
use crate::sql::{Dialect, MARIADB, MYSQL, MYSQL_WITH_LATERAL};

pub use session::MysqlSession;

/// The cells of a cluster in a MariaDB or MySQL database.
pub type MysqlBackend = Server<MysqlDriver>;

/// How long a session may have been idle and still be handed out unasked. Longer, and it is pinged first.
const FRESH: Duration = Duration::from_secs(5);

/// Prepared statements kept per session: a few shapes per table, in a dozen sizes each. When there are more, all are closed
/// and prepared again as they come.
const STATEMENTS: usize = 256;

/// Those of servers that speak MySQL's protocol.
const DIALECTS: [&Dialect; 3] = [&MYSQL, &MYSQL_WITH_LATERAL, &MARIADB];

/// Opens sessions to a MariaDB or MySQL server.
pub struct MysqlDriver {
    name: String,
    dsn: Dsn,
    encryption: Encryption,
    timeouts: Timeouts,
    returning: Returning,
    /// How the server it connected to last is spoken to: a place in [`DIALECTS`].
    dialect: AtomicUsize,
    /// Whether it was said that commits are not durable; once is enough.
    warned: AtomicBool,
}

impl fmt::Debug for MysqlDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlDriver").field("name", &self.name).field("dsn", &self.dsn).finish_non_exhaustive()
    }
}

/// Whether `INSERT .. RETURNING` is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returning {
    /// If the server is one that has it.
    IfKnown,
    /// Never.
    Never,
}

impl MysqlBackend {
    /// A backend that connects when it is first asked something.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the options cannot be used (another kind of server, unreadable authorities).
    pub fn connect(options: &ServerOptions) -> Result<Self, StoreError> {
        Self::with_driver(MysqlDriver::new(options, Returning::IfKnown)?, options)
    }

    /// The same, treating the server as one without `INSERT .. RETURNING`, as a MySQL is.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_without_returning(options: &ServerOptions) -> Result<Self, StoreError> {
        Self::with_driver(MysqlDriver::new(options, Returning::Never)?, options)
    }
}

impl MysqlDriver {
    pub(crate) fn new(options: &ServerOptions, returning: Returning) -> Result<Self, StoreError> {
        let dsn = options.dsn.clone();
        if dsn.kind != ServerKind::Mysql {
            return Err(StoreError::Refused { detail: format!("{dsn} is not a mysql:// name") });
        }
        let encryption = match dsn.tls.rustls()? {
            Some(config) => Encryption::Tls(Arc::new(config)),
            None => Encryption::None,
        };
        Ok(Self {
            name: options.name.clone(),
            dsn,
            encryption,
            timeouts: options.timeouts,
            returning,
            dialect: AtomicUsize::new(0),
            warned: AtomicBool::new(false),
        })
    }

    /// Logs in, into this database.
    async fn open(&self, database: Option<&str>) -> Result<Connection, WireError> {
        let dsn = &self.dsn;
        let target = Target {
            host: &dsn.host,
            port: dsn.port,
            user: &dsn.user,
            password: dsn.password.as_ref().map_or("", Password::expose),
            database,
            encryption: &self.encryption,
            connect: self.timeouts.connect,
        };
        Connection::open(&target).await
    }

    /// Says once that an acknowledged write may not survive a crash of the server's machine.
    fn warn_if_not_durable(&self, session: &MysqlSession) {
        if let Some(risk) = session.risk().filter(|_| !self.warned.swap(true, Ordering::Relaxed)) {
            tracing::warn!(store = %self.name, "{risk}: a crash of the server may lose acknowledged cells");
        }
    }
}

impl Manager for MysqlDriver {
    type Type = MysqlSession;
    type Error = StoreError;

    async fn create(&self) -> Result<MysqlSession, StoreError> {
        let database = &self.dsn.database;
        let connecting = |e| error::of_connecting(&e, database);
        let connection = self.open(Some(database)).await.map_err(connecting)?;
        let session = MysqlSession::start(connection, &self.timeouts, self.returning, connecting).await?;
        let place = DIALECTS.iter().position(|dialect| dialect.lists == session.dialect().lists);
        self.dialect.store(place.unwrap_or(0), Ordering::Relaxed);
        self.warn_if_not_durable(&session);
        Ok(session)
    }

    async fn recycle(&self, session: &mut MysqlSession, metrics: &Metrics) -> RecycleResult<StoreError> {
        if !session.is_idle() {
            return Err(RecycleError::message("it was left in the middle of an answer"));
        }
        if metrics.last_used() < FRESH {
            return Ok(());
        }
        match session.run("DO 0").await {
            Ok(()) => Ok(()),
            Err(_) => Err(RecycleError::message("the server has closed it")),
        }
    }
}

#[async_trait]
impl Driver for MysqlDriver {
    type Session = MysqlSession;

    fn address(&self) -> String {
        self.dsn.to_string()
    }

    fn dialect(&self) -> &'static Dialect {
        DIALECTS[self.dialect.load(Ordering::Relaxed)]
    }

    fn shows_unflushed(&self) -> bool {
        true
    }

    fn clock(&self) -> &'static str {
        insert::CLOCK
    }

    async fn create_database(&self) -> Result<(), StoreError> {
        let create = async {
            // Looked for first: whoever may use a database may not always create one.
            match self.open(Some(&self.dsn.database)).await {
                Ok(_) => return Ok(()),
                Err(e) => match error::of_connecting(&e, &self.dsn.database) {
                    StoreError::NoTable { .. } => {}
                    error => return Err(error),
                },
            }
            let mut connection = self.open(None).await.map_err(|e| error::of_connecting(&e, &self.dsn.database))?;
            create_database(&mut connection, &self.dsn.database).await
        };
        tokio::time::timeout(self.timeouts.statement, create).await.map_err(|_| StoreError::Timeout {
            reason: crate::error::Reason::Statement,
            detail: "the database could not be created in time".to_owned(),
        })?
    }
}

/// Creates a database unless it is there.
async fn create_database(connection: &mut Connection, name: &str) -> Result<(), StoreError> {
    let mut text = "CREATE DATABASE IF NOT EXISTS ".to_owned();
    MYSQL.quote(&mut text, name);
    let created = connection.query(text.as_bytes(), &mut Count::default()).await;
    created.map(drop).map_err(|e| match error::of_statement(&e) {
        Failure::Store(StoreError::Failed { detail }) => {
            StoreError::Refused { detail: format!("the database {name} is not there and cannot be created: {detail}") }
        }
        Failure::Store(error) => error,
        failure @ (Failure::Lost { .. }
        | Failure::Duplicate
        | Failure::Stale
        | Failure::Again { .. }
        | Failure::ReadOnly { .. }) => crate::engine::server::attempts::unsettled(failure),
    })
}

#[cfg(test)]
mod tests;
