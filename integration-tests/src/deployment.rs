//! What a proxy runs on: a directory, a configuration, and databases on the shared servers that go with the test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::proxy::{NotReady, Options, Proxy};
use crate::scratch::Scratch;
use crate::servers::{MariaDb, Mysql, Postgres};

/// Virtual shards of configured deployments: enough that every cluster gets many, few enough to poll each.
pub const SHARDS: u32 = 64;

/// A deployment of one test. Dropped, its files and databases are gone.
#[derive(Debug)]
pub struct Deployment {
    scratch: Scratch,
    config: Option<PathBuf>,
    databases: Vec<Database>,
}

/// A database that is dropped with the deployment.
#[derive(Debug)]
enum Database {
    MariaDb(MariaDb, String),
    Mysql(Mysql, String),
    Postgres(Postgres, String),
}

impl Drop for Deployment {
    fn drop(&mut self) {
        for database in &self.databases {
            match database {
                Database::MariaDb(server, name) => server.drop_database(name),
                Database::Mysql(server, name) => server.drop_database(name),
                Database::Postgres(server, name) => server.drop_database(name),
            }
        }
    }
}

impl Deployment {
    /// No configuration: four SQLite clusters under the data directory.
    pub fn embedded() -> Arc<Self> {
        Arc::new(Self { scratch: Scratch::new(), config: None, databases: Vec::new() })
    }

    /// No clusters of its own in the configuration, only these settings.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn configured(config: &str) -> Arc<Self> {
        Builder::new().text(config).build()
    }

    /// One cluster each on MariaDB, PostgreSQL, SQLite and MySQL; the meta store is a SQLite file.
    ///
    /// # Panics
    ///
    /// Without shared servers.
    pub fn mixed() -> Arc<Self> {
        let builder = Builder::new().topology(SHARDS, None).shared_mariadb("m").shared_postgres("p").sqlite("s");
        builder.shared_mysql("y").build()
    }

    /// One cluster each on MariaDB and PostgreSQL, the meta store in MariaDB: several proxies may serve it.
    ///
    /// # Panics
    ///
    /// Without shared servers.
    pub fn shared(shards: u32) -> Arc<Self> {
        let mut builder = Builder::new();
        let meta = builder.shared_mariadb_database();
        builder.topology(shards, Some(&meta)).shared_mariadb("m").shared_postgres("p").build()
    }

    /// Starts a proxy on it.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    pub fn start(self: &Arc<Self>) -> Proxy {
        self.start_with(Options::default())
    }

    /// The same with options.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    pub fn start_with(self: &Arc<Self>, options: Options) -> Proxy {
        self.try_start(options).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Tries to.
    ///
    /// # Errors
    ///
    /// [`NotReady`], with the proxy's log.
    pub fn try_start(self: &Arc<Self>, options: Options) -> Result<Proxy, Box<NotReady>> {
        Proxy::start(Arc::clone(self), options)
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// Its configuration file, if it has one.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

/// Puts a deployment together, section by section.
#[derive(Debug)]
pub struct Builder {
    scratch: Scratch,
    text: String,
    databases: Vec<Database>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// An empty configuration.
    pub fn new() -> Self {
        Self { scratch: Scratch::new(), text: String::new(), databases: Vec::new() }
    }

    /// Adds text to the configuration as it is.
    pub fn text(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self.text.push('\n');
        self
    }

    /// `[topology]`; without `meta` the meta store is a SQLite file.
    pub fn topology(self, shards: u32, meta: Option<&str>) -> Self {
        let meta = meta.map_or(String::new(), |url| format!("meta = \"{url}\"\n"));
        self.text(&format!("[topology]\nvirtual_shards = {shards}\n{meta}"))
    }

    /// A cluster at an address.
    pub fn cluster(self, name: &str, primary: &str) -> Self {
        self.text(&format!("[[cluster]]\nname = \"{name}\"\nprimary = \"{primary}\"\n"))
    }

    /// A SQLite cluster in the deployment's directory.
    pub fn sqlite(self, name: &str) -> Self {
        let file = format!("sqlite:{}", self.scratch.join(&format!("{name}.db")).display());
        self.cluster(name, &file)
    }

    /// A cluster in a database of its own on the shared MariaDB.
    ///
    /// # Panics
    ///
    /// Without that server.
    pub fn shared_mariadb(mut self, name: &str) -> Self {
        let url = self.shared_mariadb_database();
        self.cluster(name, &url)
    }

    /// A cluster in a database of its own on the shared MySQL; without one on the shared MariaDB.
    ///
    /// # Panics
    ///
    /// Without either server.
    pub fn shared_mysql(mut self, name: &str) -> Self {
        let Some(server) = Mysql::shared() else { return self.shared_mariadb(name) };
        let database = server.create_database();
        let url = server.url(&database);
        self.databases.push(Database::Mysql(server, database));
        self.cluster(name, &url)
    }

    /// A cluster in a database of its own on the shared PostgreSQL.
    ///
    /// # Panics
    ///
    /// Without that server.
    pub fn shared_postgres(mut self, name: &str) -> Self {
        let server = Postgres::shared();
        let database = server.create_database();
        let url = server.url(&database);
        self.databases.push(Database::Postgres(server, database));
        self.cluster(name, &url)
    }

    /// A new database on the shared MariaDB; answers its address.
    ///
    /// # Panics
    ///
    /// Without that server.
    pub fn shared_mariadb_database(&mut self) -> String {
        let server = MariaDb::shared();
        let database = server.create_database();
        let url = server.url(&database);
        self.databases.push(Database::MariaDb(server, database));
        url
    }

    /// Writes the configuration.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn build(self) -> Arc<Deployment> {
        let path = self.scratch.join("cellgate.toml");
        std::fs::write(&path, &self.text).expect("a file in a new directory");
        Arc::new(Deployment { scratch: self.scratch, config: Some(path), databases: self.databases })
    }
}
