//! Stores with one table, and cells to put into them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cellgate_schemaless::{
    Body, Cell, ClusterNo, ColumnFilter, ColumnKey, Epoch, LogScan, RefKey, RowKey, ShardId, TableId, TableRef, Token,
    Triple,
};
use cellgate_store::engine::dsn::{Dsn, Password, ServerKind};
use cellgate_store::{Backend, FORMAT, GroupCell, Identity, PutGroup, PutMode, PutOutcome, Timeouts};
use mysql_async::prelude::Queryable;

use crate::databases::{Database, Engine};

/// The epoch a store is claimed at.
pub const EPOCH: Epoch = Epoch(1);

/// Short bounds, so that a test of what happens behind them is short.
pub const SHORT: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    statement: Duration::from_secs(2),
    lock: Duration::from_secs(1),
    queue: Duration::from_secs(5),
};

/// Bounds of which a test does not see the end.
pub const PATIENT: Timeouts = Timeouts {
    connect: SHORT.connect,
    statement: Duration::from_secs(60),
    lock: Duration::from_secs(10),
    queue: Duration::from_secs(30),
};

/// A claimed store with one table.
pub struct Store {
    pub database: Database,
    pub table: TableRef,
    pub backend: Arc<dyn Backend>,
}

impl Store {
    /// A new store; `None` if servers are not to be tested.
    pub async fn new(engine: Engine) -> Option<Self> {
        let database = engine.database()?;
        let backend = database.connect();
        let table = TableRef::new("trips", TableId(7), 1);
        backend.claim(&identity(), &shards()).await.unwrap();
        backend.create_table(&table).await.unwrap();
        Some(Self { database, table, backend })
    }

    /// The address of the server.
    pub fn server(&self) -> (String, u16) {
        (self.database.dsn.host.clone(), self.database.dsn.port)
    }

    /// Another proxy on the same store, by way of a port of this machine if one is given.
    pub fn proxy(&self, port: Option<u16>, timeouts: Timeouts) -> Arc<dyn Backend> {
        let mut options = self.database.options();
        options.timeouts = timeouts;
        if let Some(port) = port {
            options.dsn.host = "127.0.0.1".to_owned();
            options.dsn.port = port;
        }
        self.database.engine.connect(&options)
    }

    /// A statement that keeps everybody else from the table.
    pub fn lock_table(&self) -> &'static str {
        match self.database.dsn.kind {
            ServerKind::Mysql => "LOCK TABLES trips_7 WRITE",
            ServerKind::Postgres => "LOCK TABLE trips_7 IN ACCESS EXCLUSIVE MODE",
        }
    }

    /// How many sessions the server has in the database.
    pub async fn sessions(&self) -> usize {
        let database = &self.database.dsn.database;
        let count = match Holder::outside(&self.database.dsn).await {
            Holder::Mysql(mut connection) => {
                let list = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '{database}'");
                let count: Option<i64> = connection.query_first(list).await.unwrap();
                connection.disconnect().await.unwrap();
                count.unwrap()
            }
            Holder::Postgres(client) => {
                let list = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'");
                client.query_one(&list, &[]).await.unwrap().get(0)
            }
        };
        usize::try_from(count).unwrap()
    }

    /// The whole log, read page by page.
    pub async fn log(&self) -> Vec<Cell> {
        let mut scan = LogScan {
            shards: shards(),
            added_after: None,
            created_from: None,
            columns: ColumnFilter::All,
            after: None,
            up_to: None,
            limit: None,
        };
        let mut cells: Vec<Cell> = Vec::new();
        loop {
            let page = self.backend.log(&self.table, &scan).await.unwrap();
            cells.extend(page.cells);
            scan.after = cells.last().map(|cell| (cell.shard, cell.added_id));
            if !page.more {
                return cells;
            }
        }
    }

    /// A group of cells of this store's table, by a write of its own: row, version, body.
    pub fn group(&self, mode: PutMode, cells: &[(&str, i64, &str)]) -> PutGroup {
        let cell = |(row, version, body): &(&str, i64, &str)| GroupCell {
            table: self.table.clone(),
            shard: ShardId(row.bytes().map(u16::from).sum::<u16>() % 4),
            triple: triple(row, *version),
            body: Body::json(body.as_bytes().to_vec()).unwrap(),
            mode,
        };
        PutGroup { token: token(), cells: cells.iter().map(cell).collect() }
    }
}

pub fn shards() -> Vec<ShardId> {
    (0..4).map(ShardId).collect()
}

pub fn identity() -> Identity {
    Identity {
        deployment: "0123456789abcdef0123456789abcdef".to_owned(),
        cluster: ClusterNo::new(5).unwrap(),
        incarnation: 1,
        virtual_shards: 4,
        hash: "xxh3".to_owned(),
        seed: -7,
        format: FORMAT,
    }
}

pub fn triple(row: &str, version: i64) -> Triple {
    Triple {
        row: RowKey::new(row.as_bytes().to_vec()).unwrap(),
        column: ColumnKey::new(b"base".to_vec()).unwrap(),
        ref_key: RefKey(version),
    }
}

fn token() -> Token {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    Token(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether all cells of the group are there and by this write.
pub fn all_new(outcome: &PutOutcome) -> bool {
    match outcome {
        PutOutcome::Stored(places) => places.iter().all(|place| place.new),
        PutOutcome::Conflict { .. } | PutOutcome::Undecided { .. } | PutOutcome::Failed(_) => false,
    }
}

/// Somebody else's transaction, and what it has locked.
pub enum Holder {
    Mysql(mysql_async::Conn),
    Postgres(tokio_postgres::Client),
}

impl Holder {
    /// Opens a transaction and runs a statement in it.
    pub async fn run(store: &Store, statement: &str) -> Self {
        let mut holder = Self::connect(&store.database.dsn, Some(&store.database.dsn.database)).await;
        match &mut holder {
            Self::Mysql(connection) => connection.query_drop(format!("BEGIN; {statement}")).await.unwrap(),
            Self::Postgres(client) => client.batch_execute(&format!("BEGIN; {statement}")).await.unwrap(),
        }
        holder
    }

    /// A connection that is in none of the tests' databases.
    async fn outside(dsn: &Dsn) -> Self {
        Self::connect(dsn, None).await
    }

    async fn connect(dsn: &Dsn, database: Option<&str>) -> Self {
        match dsn.kind {
            ServerKind::Mysql => {
                let opts = mysql_async::OptsBuilder::default()
                    .ip_or_hostname(dsn.host.clone())
                    .tcp_port(dsn.port)
                    .user(Some(dsn.user.clone()))
                    .pass(dsn.password.as_ref().map(Password::expose))
                    .db_name(database)
                    .prefer_socket(false);
                Self::Mysql(mysql_async::Conn::new(opts).await.unwrap())
            }
            ServerKind::Postgres => {
                let mut config = tokio_postgres::Config::new();
                config.host(&dsn.host).port(dsn.port).user(&dsn.user).dbname(database.unwrap_or("postgres"));
                if let Some(password) = &dsn.password {
                    config.password(password.expose());
                }
                let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                Self::Postgres(client)
            }
        }
    }

    /// Ends the transaction and keeps what it did.
    pub async fn commit(self) {
        match self {
            Self::Mysql(mut connection) => {
                connection.query_drop("COMMIT").await.unwrap();
                connection.disconnect().await.unwrap();
            }
            Self::Postgres(client) => client.batch_execute("COMMIT").await.unwrap(),
        }
    }

    /// Ends the transaction and undoes what it did.
    pub async fn release(self) {
        match self {
            Self::Mysql(mut connection) => {
                connection.query_drop("ROLLBACK; UNLOCK TABLES").await.unwrap();
                connection.disconnect().await.unwrap();
            }
            Self::Postgres(client) => client.batch_execute("ROLLBACK").await.unwrap(),
        }
    }
}
