//! A MariaDB shows a commit before it is on its disk, so that a crash takes back what was seen: the id of such a cell is given to
//! no other, no cache goes on with it, and what is acknowledged because it was there is there afterwards.

use cellgate_integration_tests::client::{self, TRIPS, Triple, get, put, rows, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Proxy, wait};
use mysql_async::Conn;

/// How often a crash is tried that loses a cell: the server may have written its log for reasons of its own.
const CRASHES: usize = 5;

/// Two proxies with a client each, and the server of their one cluster.
struct Bench {
    server: MariaDb,
    proxies: [Proxy; 2],
}

impl Bench {
    fn new() -> Self {
        let server = MariaDb::private_with_late_log();
        server.execute("CREATE DATABASE cells");
        let mut builder = Builder::new();
        let meta = builder.shared_mariadb_database();
        let deployment = builder.topology(SHARDS, Some(&meta)).cluster("m", &server.url("cells")).build();
        Self { server, proxies: [deployment.start(), deployment.start()] }
    }

    /// Clients of both, who know the table.
    async fn clients(&self) -> [Conn; 2] {
        let [one, two] = &self.proxies;
        let (mut one, mut two) = (client::connect(one.mysql()).await, client::connect(two.mysql()).await);
        run(&mut one, TRIPS).await;
        let name = triple("known", "BASE", 1);
        put(&mut one, &name, "1").await.unwrap();
        wait::until_async("the table to be known", wait::PATIENCE, async || get(&mut two, &name).await.ok()?).await;
        [one, two]
    }

    /// Whether commits are on disk before they are acknowledged.
    fn is_durable(&self, durable: bool) {
        self.server.execute(&format!("SET GLOBAL innodb_flush_log_at_trx_commit = {}", u8::from(durable)));
    }

    /// How many cells of this row the server has.
    fn stored(&self, row: &str) -> String {
        self.server.execute(&format!("SELECT COUNT(*) FROM cells.trips_1 WHERE row_key = '{row}'")).trim().to_owned()
    }

    fn crash(&mut self) {
        self.server.kill();
        self.server.start();
    }
}

async fn id_of(conn: &mut Conn, (row, column, version): &Triple) -> Option<i64> {
    let statement = format!(
        "SELECT added_id FROM trips WHERE row_key = '{row}' AND column_key = '{column}' AND ref_key = {version}"
    );
    rows::<i64>(conn, &statement).await.pop()
}

#[tokio::test]
async fn what_a_crash_took_back_is_in_no_cache_and_its_place_in_the_log_is_not_given_to_another_cell() {
    let mut bench = Bench::new();
    let [mut writer, mut reader] = bench.clients().await;
    let mut highest = 0;
    for crash in 0..CRASHES {
        let (seen, other) = (triple(&format!("seen{crash}"), "BASE", 1), triple(&format!("other{crash}"), "BASE", 1));
        bench.is_durable(false);
        put(&mut writer, &seen, "\"first\"").await.unwrap();
        for conn in [&mut reader, &mut writer] {
            let hits: f64 = bench.proxies.iter().map(|proxy| proxy.metric("cellgate_cache_hits_total")).sum();
            wait::until_async("an answer from the cache", wait::PATIENCE, async || {
                assert_eq!(get(conn, &seen).await.unwrap().as_deref(), Some("\"first\""));
                let now: f64 = bench.proxies.iter().map(|proxy| proxy.metric("cellgate_cache_hits_total")).sum();
                (now > hits).then_some(())
            })
            .await;
        }
        highest = id_of(&mut reader, &seen).await.unwrap().max(highest);
        bench.crash();
        if bench.stored(&seen.0) != "0" {
            continue;
        }
        for (conn, name) in [(&mut reader, &other), (&mut writer, &seen)] {
            wait::until_async("a write", wait::PATIENCE, async || put(conn, name, "\"second\"").await.ok()).await;
            let id = id_of(conn, name).await.unwrap();
            assert!(id > highest, "{name:?} has id {id}, whoever follows the log has passed {highest}");
        }
        for conn in [&mut reader, &mut writer] {
            wait::until_async("the cell that is there", wait::PATIENCE, async || {
                (get(conn, &seen).await.ok()?.as_deref() == Some("\"second\"")).then_some(())
            })
            .await;
        }
        // Passed over once: what one proxy has done for this start, the other does not do again.
        let ids = [id_of(&mut reader, &other).await.unwrap(), id_of(&mut writer, &seen).await.unwrap()];
        assert!(ids[1] - ids[0] < 1024 * 1000, "{ids:?}");
        return;
    }
    panic!("no crash lost a cell");
}

#[tokio::test]
async fn cells_that_are_acknowledged_because_they_were_there_survive_a_crash() {
    let mut bench = Bench::new();
    let [mut writer, mut other] = bench.clients().await;
    for (row, statements) in [
        ("together", &["INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {cells}"][..]),
        ("alone", &["INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {cell}"]),
        ("later", &["BEGIN", "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {cells}", "COMMIT"]),
    ] {
        bench.is_durable(false);
        for version in [1, 2] {
            put(&mut writer, &triple(row, "BASE", version), "1").await.unwrap();
        }
        bench.is_durable(true);
        let cell = format!("('{row}', 'BASE', 1, '1')");
        let cells = format!("{cell}, ('{row}', 'BASE', 2, '1')");
        for statement in statements {
            run(&mut other, &statement.replace("{cells}", &cells).replace("{cell}", &cell)).await;
        }
        bench.crash();
        assert_eq!(bench.stored(row), "2", "{row}");
        wait::until_async("the proxies", wait::PATIENCE, async || {
            put(&mut writer, &triple(row, "AGAIN", 1), "1").await.ok()?;
            put(&mut other, &triple(row, "AGAIN", 1), "1").await.ok()
        })
        .await;
    }
}

#[tokio::test]
async fn of_a_server_whose_crash_loses_commits_the_log_warns_once_and_of_another_it_does_not() {
    let server = MariaDb::private();
    for (flush, warnings) in [(1, 0), (2, 1), (0, 1)] {
        server.execute(&format!("SET GLOBAL innodb_flush_log_at_trx_commit = {flush}; CREATE DATABASE cells{flush}"));
        let cluster = server.url(&format!("cells{flush}"));
        let proxy = Builder::new().topology(SHARDS, None).cluster("m", &cluster).build().start();
        let mut conn = client::connect(proxy.mysql()).await;
        run(&mut conn, TRIPS).await;
        put(&mut conn, &triple("key", "BASE", 1), "1").await.unwrap();
        let warning = "innodb_flush_log_at_trx_commit is not 1";
        let log = proxy.until_logged("its warnings", |log| log.matches(warning).count() >= warnings);
        assert_eq!(log.matches(warning).count(), warnings, "{flush}: {log}");
    }
}

#[tokio::test]
async fn of_a_server_whose_binary_log_is_not_synced_the_log_warns_unless_innodb_syncs_all_the_same() {
    let server = MariaDb::private_with_binary_log();
    for (place, (flush, sync, warnings)) in [(1, 0, 1), (1, 1, 0), (3, 0, 0)].into_iter().enumerate() {
        server.execute(&format!(
            "SET GLOBAL innodb_flush_log_at_trx_commit = {flush}, sync_binlog = {sync}; CREATE DATABASE cells{place}"
        ));
        let cluster = server.url(&format!("cells{place}"));
        let proxy = Builder::new().topology(SHARDS, None).cluster("m", &cluster).build().start();
        let warning =
            "there is a binary log and sync_binlog is not 1: a crash of the server may lose acknowledged cells";
        let log = proxy.until_logged("its warnings", |log| log.matches(warning).count() >= warnings);
        assert_eq!(log.matches("may lose acknowledged cells").count(), warnings, "{flush}, {sync}: {log}");
    }
}

#[tokio::test]
async fn a_server_whose_binary_log_is_of_statements_is_refused_by_name() {
    let server = MariaDb::private_with_binary_log();
    server.execute("CREATE DATABASE cells; SET GLOBAL binlog_format = STATEMENT");
    let deployment = Builder::new().topology(SHARDS, None).cluster("m", &server.url("cells")).build();
    let not_ready = deployment.try_start(Default::default()).expect_err("nothing can be written there");
    assert!(not_ready.log.contains("set binlog_format to ROW or MIXED"), "{}", not_ready.log);
    server.execute("SET GLOBAL binlog_format = MIXED");
    deployment.start();
}
