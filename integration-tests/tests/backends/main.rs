//! A backend is down, frozen, or killed under load: errors are clear and bounded in time, the other clusters go on, and
//! nothing but the backend has to be started again. Also a meta store that is frozen or corrupt, and standbys that do not
//! confirm.

mod demoted;
mod down;
mod inherited;
mod killed;
mod meta_store;
mod standbys;

use std::time::{Duration, Instant};

use cellgate_integration_tests::Proxy;
use cellgate_integration_tests::client::{self, Refusal, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::{MariaDb, Postgres};
use mysql_async::Conn;

/// Backend unreachable.
const UNREACHABLE: u16 = 1429;
/// Time exceeded.
const TIMEOUT: u16 = 3024;

/// Bounds on waiting for a backend, so that the tests are short. A write that lost its connection is settled within them too.
/// And no cache, which would answer in a backend's stead.
const BOUNDS: &str = "[timeouts]\nconnect = \"1s\"\nstatement = \"3s\"\n\n[cache]\nsize = \"0\"\n";
/// A statement's answer while a backend is away: its bounds and much air for a loaded machine.
const BOUND: Duration = Duration::from_secs(20);
/// Row keys tried: with this many every cluster has some.
const KEYS: u32 = 60;

/// A backend a test may kill.
trait Server {
    fn private() -> Self;
    fn address(&self) -> String;
    fn kill(&mut self);
    fn start(&mut self);
}

impl Server for MariaDb {
    fn private() -> Self {
        let server = MariaDb::private();
        server.execute("CREATE DATABASE cellgate");
        server
    }

    fn address(&self) -> String {
        self.url("cellgate")
    }

    fn kill(&mut self) {
        MariaDb::kill(self);
    }

    fn start(&mut self) {
        MariaDb::start(self);
    }
}

impl Server for Postgres {
    fn private() -> Self {
        Postgres::private()
    }

    fn address(&self) -> String {
        self.url("postgres")
    }

    fn kill(&mut self) {
        Postgres::kill(self);
    }

    fn start(&mut self) {
        Postgres::start(self);
    }
}

/// A proxy over the server and a SQLite cluster, with a table.
async fn proxy_over(server: &impl Server) -> (Proxy, Conn) {
    proxy_with(server, BOUNDS).await
}

/// The same with this text in its configuration.
async fn proxy_with(server: &impl Server, text: &str) -> (Proxy, Conn) {
    let deployment =
        Builder::new().topology(SHARDS, None).cluster("server", &server.address()).sqlite("file").text(text).build();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    (proxy, conn)
}

/// What SHOW CLUSTERS says of a cluster.
async fn state(conn: &mut Conn, cluster: &str) -> String {
    let rows: Vec<mysql_async::Row> = client::rows(conn, "SHOW CLUSTERS").await;
    let row = rows.iter().find(|row| row.get::<String, _>("Cluster").as_deref() == Some(cluster)).expect("the cluster");
    row.get("State").expect("a state")
}

fn key(number: u32) -> String {
    format!("key-{number}")
}

/// Which keys can be written and read, and the errors of those that cannot. Every answer is in time.
async fn try_all(conn: &mut Conn, reference: i64) -> (Vec<u32>, Vec<Refusal>) {
    let (mut served, mut refused) = (Vec::new(), Vec::new());
    for number in 0..KEYS {
        let cell = triple(&key(number), "BASE", reference);
        let start = Instant::now();
        let outcome = put(conn, &cell, "1").await;
        assert!(start.elapsed() < BOUND, "an answer took {:?}", start.elapsed());
        match outcome {
            Ok(_) => {
                assert_eq!(get(conn, &cell).await.unwrap().as_deref(), Some("1"));
                served.push(number);
            }
            Err(error) => refused.push(Refusal::of(&error).unwrap_or_else(|| panic!("connection broke: {error}"))),
        }
    }
    (served, refused)
}

/// The id under which the log tells of the failure.
fn log_id(refusal: &Refusal) -> &str {
    refusal.message.split("log id ").nth(1).and_then(|rest| rest.split(')').next()).expect("an id")
}
