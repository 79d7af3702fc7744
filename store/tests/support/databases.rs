//! Databases on real servers, one per test.
//!
//! The servers are named by `CELLGATE_TEST_MARIADB_URL`, `CELLGATE_TEST_MYSQL_URL` and `CELLGATE_TEST_POSTGRES_URL`, which
//! `cargo xtask test` sets. Without a MySQL the MariaDB stands in for it, spoken to as to a server that has no
//! `INSERT .. RETURNING`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cellgate_store::Backend;
use cellgate_store::engine::dsn::{Dsn, Password, ServerKind};
use cellgate_store::engine::mysql::MysqlBackend;
use cellgate_store::engine::postgres::PostgresBackend;
use cellgate_store::engine::server::ServerOptions;
use cellgate_store::meta::MetaStore;
use cellgate_store::meta::mysql::MysqlMeta;
use cellgate_store::meta::postgres::PostgresMeta;
use mysql_async::prelude::Queryable;

/// An engine of a database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    MariaDb,
    Mysql,
    Postgres,
}

impl Engine {
    /// A database that nobody has created yet, dropped when the answer is. `None` if only embedded engines are to be
    /// tested.
    pub fn database(self) -> Option<Database> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let names: &[&str] = match self {
            Self::MariaDb => &["CELLGATE_TEST_MARIADB_URL"],
            Self::Mysql => &["CELLGATE_TEST_MYSQL_URL", "CELLGATE_TEST_MARIADB_URL"],
            Self::Postgres => &["CELLGATE_TEST_POSTGRES_URL"],
        };
        let mut dsn: Dsn = match names.iter().find_map(|name| std::env::var(name).ok()) {
            // A URL that names only the server is enough: the database is made up below.
            Some(url) => if url.ends_with('/') { format!("{url}cellgate") } else { url }.parse().unwrap(),
            None if std::env::var("CELLGATE_TEST_ENGINES").as_deref() == Ok("embedded") => return None,
            None => panic!("{names:?} are not set; run `cargo xtask test`, or set CELLGATE_TEST_ENGINES=embedded"),
        };
        dsn.database = format!("cgt_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Some(Database { engine: self, dsn })
    }

    pub fn connect(self, options: &ServerOptions) -> Arc<dyn Backend> {
        match self {
            Self::Mysql if !has_mysql() => Arc::new(MysqlBackend::connect_without_returning(options).unwrap()),
            Self::MariaDb | Self::Mysql => Arc::new(MysqlBackend::connect(options).unwrap()),
            Self::Postgres => Arc::new(PostgresBackend::connect(options).unwrap()),
        }
    }
}

/// Whether there is a real MySQL.
pub fn has_mysql() -> bool {
    std::env::var_os("CELLGATE_TEST_MYSQL_URL").is_some()
}

/// A database of a test's own.
#[derive(Debug)]
pub struct Database {
    pub engine: Engine,
    pub dsn: Dsn,
}

impl Database {
    pub fn options(&self) -> ServerOptions {
        ServerOptions::new("test", self.dsn.clone())
    }

    pub fn connect(&self) -> Arc<dyn Backend> {
        self.engine.connect(&self.options())
    }

    pub fn connect_meta(&self, options: &ServerOptions) -> Arc<dyn MetaStore> {
        match self.dsn.kind {
            ServerKind::Mysql => Arc::new(MysqlMeta::connect(options).unwrap()),
            ServerKind::Postgres => Arc::new(PostgresMeta::connect(options).unwrap()),
        }
    }

    /// Runs a statement as the administrator, outside of the database.
    pub async fn admin(&self, statement: &str) {
        match self.dsn.kind {
            ServerKind::Mysql => {
                let opts = mysql_async::OptsBuilder::default()
                    .ip_or_hostname(self.dsn.host.clone())
                    .tcp_port(self.dsn.port)
                    .user(Some(self.dsn.user.clone()))
                    .pass(self.dsn.password.as_ref().map(Password::expose))
                    .prefer_socket(false);
                let mut connection = mysql_async::Conn::new(opts).await.unwrap();
                connection.query_drop(statement).await.unwrap();
                connection.disconnect().await.unwrap();
            }
            ServerKind::Postgres => {
                let mut config = tokio_postgres::Config::new();
                config.host(&self.dsn.host).port(self.dsn.port).user(&self.dsn.user).dbname("postgres");
                if let Some(password) = &self.dsn.password {
                    config.password(password.expose());
                }
                let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                client.batch_execute(statement).await.unwrap();
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let force = match self.dsn.kind {
            ServerKind::Mysql => "",
            ServerKind::Postgres => " WITH (FORCE)",
        };
        let statement = format!("DROP DATABASE IF EXISTS {}{force}", self.dsn.database);
        // On a thread and runtime of its own, for the test's runtime may be waiting for this very drop.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(self.admin(&statement));
            });
        });
    }
}
