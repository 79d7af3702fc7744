//! Servers, stores of their own for each test, and cells to put into them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cellgate_schemaless::{
    Body, Cell, ClusterNo, ColumnFilter, ColumnKey, Epoch, LogScan, RefKey, RowKey, ShardId, TableId, TableRef, Token,
    Triple,
};
use cellgate_store::engine::dsn::{Dsn, ServerKind};
use cellgate_store::engine::mysql::MysqlBackend;
use cellgate_store::engine::postgres::PostgresBackend;
use cellgate_store::engine::server::ServerOptions;
use cellgate_store::{Backend, FORMAT, GroupCell, Identity, PutGroup, PutMode, StoreError, Timeouts};
use mysql_async::prelude::Queryable;

/// An engine under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Mysql,
    MysqlWithoutReturning,
    Postgres,
}

pub const ENGINES: [Engine; 3] = [Engine::Mysql, Engine::MysqlWithoutReturning, Engine::Postgres];

/// The epoch a store is claimed at.
pub const EPOCH: Epoch = Epoch(1);

impl Engine {
    /// The server, or `None` if servers are not to be tested.
    pub fn dsn(self) -> Option<Dsn> {
        let name = match self {
            Self::Mysql | Self::MysqlWithoutReturning => "CELLGATE_TEST_MYSQL_URL",
            Self::Postgres => "CELLGATE_TEST_POSTGRES_URL",
        };
        match std::env::var(name) {
            Ok(url) => Some(url.parse().expect("a data source name")),
            Err(_) if std::env::var("CELLGATE_TEST_ENGINES").as_deref() == Ok("embedded") => None,
            Err(_) => panic!("{name} is not set; run `cargo xtask test`, or set CELLGATE_TEST_ENGINES=embedded"),
        }
    }

    pub fn connect(self, options: &ServerOptions) -> Arc<dyn Backend> {
        match self {
            Self::Mysql => Arc::new(MysqlBackend::connect(options).expect("options")),
            Self::MysqlWithoutReturning => Arc::new(MysqlBackend::connect_without_returning(options).expect("options")),
            Self::Postgres => Arc::new(PostgresBackend::connect(options).expect("options")),
        }
    }
}

/// A store in a database of its own, with one table.
pub struct Store {
    pub engine: Engine,
    pub dsn: Dsn,
    pub table: TableRef,
    pub backend: Arc<dyn Backend>,
}

/// Short bounds, so that a test of what happens behind them is short.
pub const SHORT: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    statement: Duration::from_secs(4),
    lock: Duration::from_secs(1),
    queue: Duration::from_secs(5),
};

impl Store {
    /// A new store; `None` if servers are not to be tested.
    pub async fn new(engine: Engine, name: &str) -> Option<Self> {
        let mut dsn = engine.dsn()?;
        let suffix = match engine {
            Engine::Mysql => "m",
            Engine::MysqlWithoutReturning => "w",
            Engine::Postgres => "p",
        };
        dsn.database = format!("cgt_{name}_{suffix}_{}", std::process::id());
        drop_database(&dsn).await;
        let backend = engine.connect(&ServerOptions::new(name, dsn.clone()));
        let table = TableRef::new("trips", TableId(7), 1);
        let shards: Vec<ShardId> = (0..4).map(ShardId).collect();
        assert_eq!(backend.claim(&identity(), &shards).await.expect("claim"), identity());
        backend.create_table(&table).await.expect("create table");
        Some(Self { engine, dsn, table, backend })
    }

    /// Another proxy on the same store, by way of another address if one is given.
    pub fn proxy(&self, port: Option<u16>, timeouts: Timeouts) -> Arc<dyn Backend> {
        let mut options = ServerOptions::new("other", self.dsn.clone());
        options.timeouts = timeouts;
        if let Some(port) = port {
            options.dsn.host = "127.0.0.1".to_owned();
            options.dsn.port = port;
        }
        self.engine.connect(&options)
    }

    /// The whole log, read page by page.
    pub async fn log(&self) -> Vec<Cell> {
        log_of(&*self.backend, &self.table).await
    }

    pub async fn finish(self) {
        self.backend.close().await;
        drop_database(&self.dsn).await;
    }

    /// A group of cells of this store's table.
    pub fn group(&self, token: i64, mode: PutMode, cells: &[(&str, i64, &str)]) -> PutGroup {
        let cell = |(row, version, body): &(&str, i64, &str)| GroupCell {
            table: self.table.clone(),
            shard: ShardId(row.bytes().fold(0u16, |sum, b| sum.wrapping_add(u16::from(b))) % 4),
            triple: triple(row, *version),
            body: Body::json(body.as_bytes().to_vec()).expect("JSON"),
            mode,
        };
        PutGroup { token: Token(token), cells: cells.iter().map(cell).collect() }
    }
}

pub async fn log_of(backend: &dyn Backend, table: &TableRef) -> Vec<Cell> {
    let mut scan = LogScan {
        shards: (0..4).map(ShardId).collect(),
        added_after: None,
        created_from: None,
        columns: ColumnFilter::All,
        after: None,
        limit: None,
    };
    let mut cells = Vec::new();
    loop {
        let page = backend.log(table, &scan).await.expect("log");
        cells.extend(page.cells);
        scan.after = cells.last().map(|cell: &Cell| (cell.shard, cell.added_id));
        if !page.more {
            return cells;
        }
    }
}

pub fn identity() -> Identity {
    Identity {
        deployment: "0123456789abcdef0123456789abcdef".to_owned(),
        cluster: ClusterNo::new(5).expect("a cluster number"),
        incarnation: 1,
        virtual_shards: 4,
        hash: "xxh3".to_owned(),
        seed: -7,
        format: FORMAT,
    }
}

pub fn triple(row: &str, version: i64) -> Triple {
    Triple {
        row: RowKey::new(row.as_bytes().to_vec()).expect("a row key"),
        column: ColumnKey::new(b"base".to_vec()).expect("a column key"),
        ref_key: RefKey(version),
    }
}

/// A token nobody else of this process has.
pub fn token() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Runs a statement as the administrator, in no database of ours.
pub async fn admin(dsn: &Dsn, statement: &str) -> Result<(), StoreError> {
    let failed = |detail: String| StoreError::Failed { detail };
    match dsn.kind {
        ServerKind::Mysql => {
            let opts = mysql_async::OptsBuilder::default()
                .ip_or_hostname(dsn.host.clone())
                .tcp_port(dsn.port)
                .user(Some(dsn.user.clone()))
                .pass(dsn.password.as_ref().map(|p| p.expose().to_owned()))
                .prefer_socket(false);
            let mut connection = mysql_async::Conn::new(opts).await.map_err(|e| failed(e.to_string()))?;
            connection.query_drop(statement).await.map_err(|e| failed(e.to_string()))?;
            connection.disconnect().await.map_err(|e| failed(e.to_string()))
        }
        ServerKind::Postgres => {
            let mut config = tokio_postgres::Config::new();
            config.host(&dsn.host).port(dsn.port).user(&dsn.user).dbname("postgres");
            if let Some(password) = &dsn.password {
                config.password(password.expose());
            }
            let (client, connection) =
                config.connect(tokio_postgres::NoTls).await.map_err(|e| failed(e.to_string()))?;
            let task = tokio::spawn(connection);
            let done = client.batch_execute(statement).await.map_err(|e| failed(format!("{e:?}")));
            drop(client);
            drop(task.await);
            done
        }
    }
}

async fn drop_database(dsn: &Dsn) {
    let force = match dsn.kind {
        ServerKind::Mysql => "",
        ServerKind::Postgres => " WITH (FORCE)",
    };
    admin(dsn, &format!("DROP DATABASE IF EXISTS {}{force}", dsn.database)).await.expect("drop database");
}
