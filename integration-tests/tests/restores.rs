//! A store that went back under running proxies: an older dump was loaded, or a standby took over that lacked a cell. No cache
//! goes on with what is lost, the ids that were seen are given to no other cell, and nobody has to start a proxy anew.

use std::time::Instant;

use cellgate_integration_tests::client::{self, TRIPS, get, put, rows, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::{MariaDb, Postgres};
use cellgate_integration_tests::{Proxy, wait};
use mysql_async::Conn;

/// Two proxies with a client each, over one cluster.
struct Bench {
    proxies: [Proxy; 2],
    clients: [Conn; 2],
}

impl Bench {
    /// With cells that are in every backup.
    async fn new(cells: &str) -> Self {
        let mut builder = Builder::new();
        let meta = builder.shared_mariadb_database();
        let deployment = builder.topology(SHARDS, Some(&meta)).cluster("m", cells).build();
        let proxies = [deployment.start(), deployment.start()];
        let mut clients = [client::connect(proxies[0].mysql()).await, client::connect(proxies[1].mysql()).await];
        run(&mut clients[0], TRIPS).await;
        let mut bench = Self { proxies, clients };
        bench.wait_until_both_write("kept").await;
        bench
    }

    /// Both can write a cell of this row.
    async fn wait_until_both_write(&mut self, row: &str) {
        for (number, conn) in self.clients.iter_mut().enumerate() {
            let name = triple(&format!("{row}{number}"), "BASE", 1);
            wait::until_async("a write", wait::PATIENCE, async || put(conn, &name, "1").await.ok()).await;
        }
    }

    /// Stores a cell that is lost by `go_back`, after both proxies have it in their caches. Both then know the one that is
    /// stored in its place, and its id is a new one.
    async fn loses_a_cell(&mut self, go_back: impl FnOnce()) {
        let lost = triple("lost", "BASE", 1);
        put(&mut self.clients[0], &lost, "\"first\"").await.unwrap();
        for (conn, proxy) in self.clients.iter_mut().zip(&self.proxies) {
            let hits = proxy.metric("cellgate_cache_hits_total");
            wait::until_async("an answer from the cache", wait::PATIENCE, async || {
                assert_eq!(get(conn, &lost).await.unwrap().as_deref(), Some("\"first\""));
                (proxy.metric("cellgate_cache_hits_total") > hits).then_some(())
            })
            .await;
        }
        let highest = self.highest_id().await;
        go_back();
        for (proxy, conn) in self.proxies.iter().zip(&mut self.clients) {
            let is_gone = async || get(conn, &lost).await.ok().filter(Option::is_none);
            wait::until_async("an answer that it is gone", wait::PATIENCE, is_gone).await;
            let line = "its server was started anew or its database replaced";
            assert!(proxy.log().contains(line), "{}", proxy.log());
        }
        let [writer, reader] = &mut self.clients;
        wait::until_async("a write", wait::PATIENCE, async || put(writer, &lost, "\"second\"").await.ok()).await;
        for conn in [reader, writer] {
            assert_eq!(get(conn, &lost).await.unwrap().as_deref(), Some("\"second\""));
        }
        let id = self.highest_id().await;
        assert!(id > highest, "the new cell has id {id}, whoever follows the log has passed {highest}");
        self.wait_until_both_write("after").await;
        let after = self.highest_id().await;
        assert!(after - id < 1024 * 1000, "passed over once: {id}, then {after}");
        for number in 0..2 {
            let kept = get(&mut self.clients[number], &triple("kept1", "BASE", 1)).await.unwrap();
            assert_eq!(kept.as_deref(), Some("1"));
            self.proxies[number].assert_no_panic();
        }
    }

    async fn highest_id(&mut self) -> i64 {
        rows::<i64>(&mut self.clients[1], "SELECT MAX(added_id) FROM trips").await.pop().unwrap()
    }
}

#[tokio::test]
async fn an_older_dump_is_loaded_into_a_new_database_of_a_postgresql() {
    let server = Postgres::private();
    server.execute("postgres", "CREATE DATABASE cells");
    let mut bench = Bench::new(&server.url("cells")).await;
    let dump = server.dump("cells");
    bench
        .loses_a_cell(|| {
            server.drop_database("cells");
            server.execute("postgres", "CREATE DATABASE cells");
            server.load("cells", &dump);
        })
        .await;
}

#[tokio::test]
async fn an_older_dump_is_loaded_into_the_emptied_schema_of_a_postgresql_whose_sessions_go_on() {
    let server = Postgres::private();
    server.execute("postgres", "CREATE DATABASE cells");
    let mut bench = Bench::new(&format!("{}?schema=of_cells", server.url("cells"))).await;
    let dump = server.dump("cells");
    bench
        .loses_a_cell(|| {
            server.execute("cells", "DROP SCHEMA of_cells CASCADE");
            server.load("cells", &dump);
        })
        .await;
}

#[tokio::test]
async fn a_standby_of_a_postgresql_takes_over_that_lacks_a_cell() {
    let mut server = Postgres::private();
    server.execute("postgres", "CREATE DATABASE cells");
    let mut bench = Bench::new(&server.url("cells")).await;
    // What the standby lacks has a start in it, behind which ids were passed over: as many as of four seconds.
    server.copy_files();
    bench.wait_until_both_write("between").await;
    run(&mut bench.clients[0], "DO SLEEP(4)").await;
    bench
        .loses_a_cell(|| {
            server.fail_over_to_copy();
            server.execute("postgres", "SELECT pg_promote()");
        })
        .await;
}

#[tokio::test]
async fn a_mariadb_that_is_back_behind_another_one_passes_over_ids_once_more_for_each_proxy() {
    const SPAN: i64 = 1 << 28;
    let server = MariaDb::private();
    server.execute("CREATE DATABASE cells");
    let mut bench = Bench::new(&server.url("cells")).await;
    let next = || server.execute("SELECT next FROM cells.cg_head WHERE head = 0").trim().parse::<i64>().unwrap();
    // One that answers with another number is another server.
    let is_server = |number: u32| {
        server.execute(&format!("SET GLOBAL server_id = {number}"));
        let sessions = server.execute("SELECT id FROM information_schema.PROCESSLIST WHERE db = 'cells'");
        for session in sessions.lines() {
            // It may be over.
            let _ = server.try_execute(&format!("KILL {session}"));
        }
    };
    let (first, began) = (next(), Instant::now());
    is_server(2);
    bench.wait_until_both_write("other").await;
    let other = next();
    // As of the seconds without a write, if these are more than four.
    let once = SPAN.max((began.elapsed().as_secs() as i64 + 2) * (SPAN / 4));
    assert!((SPAN..once + SPAN).contains(&(other - first)), "once for both proxies: {first}, then {other}");
    is_server(1);
    // Nobody has written for a minute, and of the first write behind it no more comes to pass than that.
    let table = server.execute("SHOW TABLES FROM cells LIKE 'trips%'");
    let (table, minute) = (table.trim(), 60 * (SPAN / 4));
    server.execute(&format!(
        "UPDATE cells.cg_head SET at = at - 60000000 WHERE head = 0; RENAME TABLE cells.{table} TO cells.away"
    ));
    assert!(put(&mut bench.clients[0], &triple("away", "BASE", 1), "1").await.is_err(), "its table is away");
    let back = next();
    assert!((minute..2 * minute).contains(&(back - other)), "{other}, then {back}");
    server.execute(&format!("RENAME TABLE cells.away TO cells.{table}"));
    bench.wait_until_both_write("back").await;
    let after = next();
    assert!((SPAN..minute).contains(&(after - back)), "once more for the other proxy: {back}, then {after}");
    bench.wait_until_both_write("after").await;
    assert!(next() - after < SPAN, "then it is done");
}

#[tokio::test]
async fn an_older_copy_of_its_tables_takes_their_place_in_a_mariadb_whose_sessions_go_on() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE cells; CREATE DATABASE backup");
    let mut bench = Bench::new(&server.url("cells")).await;
    let tables = server.execute("SHOW TABLES FROM cells");
    let copy = |from: &str, to: &str| {
        for table in tables.lines() {
            server.execute(&format!(
                "CREATE TABLE {to}.{table} LIKE {from}.{table}; INSERT INTO {to}.{table} SELECT * FROM {from}.{table}"
            ));
        }
    };
    copy("cells", "backup");
    // A table is known by the second in which it was made.
    let made = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'cells' AND CREATE_TIME >= NOW()";
    wait::until("another second", wait::PATIENCE, || (server.execute(made).trim() == "0").then_some(()));
    bench
        .loses_a_cell(|| {
            server.execute("DROP DATABASE cells; CREATE DATABASE cells");
            copy("backup", "cells");
        })
        .await;
}
