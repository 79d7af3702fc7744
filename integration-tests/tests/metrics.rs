//! Every family of docs/METRICS.md is fed: after one of everything that is counted, each has moved.

use std::collections::BTreeMap;

use cellgate_integration_tests::client::{self, TRIPS, get, put, refused, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::raw::Raw;
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{documents, http, wait};
use mysql_async::Conn;

/// Families that are nought when all is well: their series must be there.
const MAY_BE_NOUGHT: [&str; 8] = [
    "cellgate_lock_wait_seconds",
    "cellgate_partial_writes_total",
    "cellgate_log_lines_lost_total",
    "cellgate_panics_total",
    "cellgate_queue_cells",
    "cellgate_queue_lanes",
    "cellgate_queue_refused_total",
    "cellgate_pool_waiting_requests",
];
/// A family that is nought or one, as the last look at the meta store is less or more than a second ago.
const NOUGHT_OR_ONE: &str = "cellgate_meta_age_seconds";

/// Families in the order of the page.
fn documented() -> Vec<String> {
    let page = documents::text("docs/METRICS.md");
    let heading = |line: &str| Some(line.strip_prefix("## `")?.strip_suffix('`')?.to_owned());
    page.lines().filter_map(heading).collect()
}

/// Values of a label of a family, as the page lists them.
fn values(family: &str, label: &str) -> Vec<String> {
    let page = documents::text("docs/METRICS.md");
    let section = page.split(&format!("## `{family}`")).nth(1).and_then(|rest| rest.split("\n## ").next());
    let line = section.and_then(|text| text.lines().find_map(|line| line.strip_prefix(&format!("- `{label}`: "))));
    line.unwrap_or_default().split(", ").map(|value| value.trim_matches('`').to_owned()).collect()
}

/// A row key that lives in a cluster.
async fn key_of(conn: &mut Conn, cluster: &str) -> String {
    for number in 0..1000 {
        let key = format!("key-{number}");
        let statement =
            format!("EXPLAIN SELECT body FROM trips WHERE row_key = '{key}' AND column_key = 'c' AND ref_key = 1");
        let plan: Vec<mysql_async::Row> = client::rows(conn, &statement).await;
        if plan.iter().any(|row| row.get::<String, _>("cluster").as_deref() == Some(cluster)) {
            return key;
        }
    }
    panic!("no key lives in cluster {cluster}")
}

/// The connections to a database that run something that begins so.
fn running(server: &MariaDb, database: &str, what: &str) -> Vec<String> {
    let statement = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{database}' AND {what} AND id <> CONNECTION_ID()"
    );
    server.execute(&statement).lines().map(str::to_owned).collect()
}

/// Ends every connection of the proxy to the database: the next read finds its connection lost, and is run again.
fn cut_idle(server: &MariaDb, database: &str) {
    for id in running(server, database, "command = 'Sleep'") {
        // One may have ended by itself since.
        let _ = server.try_execute(&format!("KILL {id}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_one_of_everything_every_family_has_moved() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE cells");
    let deployment = Builder::new()
        .topology(SHARDS, None)
        .cluster("m", &server.url("cells"))
        .sqlite("s")
        .text("[log]\nslow_query = \"0s\"\n[limits]\nmax_connections = 2\n")
        .build();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let on_server = key_of(&mut conn, "m").await;
    for key in [&on_server, &key_of(&mut conn, "s").await] {
        let cell = triple(key, "BASE", 1);
        assert_eq!(put(&mut conn, &cell, "1").await.unwrap(), 1);
        assert_eq!(put(&mut conn, &cell, "1").await.unwrap(), 0);
        put(&mut conn, &cell, "2").await.unwrap_err();
        run(&mut conn, &format!("INSERT INTO trips (row_key, column_key, body) VALUES ('{key}', 'NEXT', '1')")).await;
        // From the store, and from memory.
        get(&mut conn, &cell).await.unwrap();
        get(&mut conn, &cell).await.unwrap();
        run(&mut conn, &format!("SELECT * FROM trips WHERE row_key = '{key}'")).await;
        run(&mut conn, &format!("DELETE FROM trips WHERE row_key = '{key}' AND column_key = 'NEXT'")).await;
    }
    // A duplicate in one cluster, beside a row of the other that is stored.
    let on_file = key_of(&mut conn, "s").await;
    let rows = format!("('{on_file}', 'BASE', 1, '2'), ('{on_server}', 'OTHER', 1, '1')");
    let insert = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {rows}");
    let refusal = refused(&mut conn, &insert).await;
    assert!(refusal.code == 1062 && refusal.message.ends_with("all the same: row 2 of the statement"), "{refusal:?}");
    assert!(!proxy.log().contains("done in part"), "it is a client's doing:\n{}", proxy.log());
    run(&mut conn, "SELECT COUNT(*) FROM trips").await;
    let several = format!(
        "SELECT body FROM trips WHERE row_key IN ('{on_server}', 'nobody') AND column_key = 'BASE' AND ref_key = 1"
    );
    run(&mut conn, &several).await;

    // A user that is not there; a client that speaks another protocol; one connection too many.
    let stranger = client::options(proxy.mysql()).user(Some("stranger"));
    client::try_connect(stranger).await.unwrap_err();
    let protocol = "cellgate_login_failures_total{reason=\"protocol\"}";
    wait::until(protocol, wait::PATIENCE, || {
        // Again if it got no place: the stranger's is free only when its connection has ended.
        let mut raw = Raw::connect(proxy.mysql(), wait::PATIENCE).unwrap();
        let _closed_before = raw.write_bytes(b"\x03\0\0\x01abc").and_then(|()| raw.drain());
        http::metrics(proxy.http()).unwrap().get(protocol).is_some_and(|count| *count > 0.0).then_some(())
    });
    let second = wait::until_async("a free place", wait::PATIENCE, async || {
        client::try_connect(client::options(proxy.mysql())).await.ok()
    })
    .await;
    // One with ADMIN, as this user, gets in beyond the limit, but no second.
    let third = client::connect(proxy.mysql()).await;
    client::try_connect(client::options(proxy.mysql())).await.unwrap_err();
    second.disconnect().await.unwrap();
    third.disconnect().await.unwrap();

    cut_idle(&server, "cells");
    // One that is not in memory, for it was erased.
    get(&mut conn, &triple(&on_server, "NEXT", 1)).await.unwrap();

    // Somebody holds the log head; the write that waits for it loses its connection, and is settled.
    let address = (std::net::Ipv4Addr::LOCALHOST, server.port()).into();
    let mut holder = client::try_connect(client::options(address).db_name(Some("cells"))).await.unwrap();
    run(&mut holder, "BEGIN").await;
    run(&mut holder, "SELECT * FROM cg_head FOR UPDATE").await;
    let cell = triple(&on_server, "HELD", 1);
    let write = tokio::spawn(async move { (put(&mut conn, &cell, "1").await.unwrap(), conn) });
    let waiting = wait::until("the write to wait", wait::PATIENCE, || {
        running(&server, "cells", "info LIKE '%cg_head%' AND command = 'Query'").pop()
    });
    server.execute(&format!("KILL {waiting}"));
    run(&mut holder, "ROLLBACK").await;
    let (affected, mut conn) = write.await.unwrap();
    assert_eq!(affected, 1);

    // A table that an operator has taken away.
    let physical = server.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'cells' AND table_name LIKE 'trips%'",
    );
    server.execute(&format!("DROP TABLE cells.{}", physical.trim()));
    let missing =
        format!("SELECT body FROM trips WHERE row_key = '{on_server}' AND column_key = 'NEXT' AND ref_key = 1");
    let not_found = "cellgate_cluster_errors_total{cluster=\"m\",kind=\"not_found\"}";
    let lacking = || http::metrics(proxy.http()).unwrap()[not_found];
    assert_eq!(lacking(), 0.0);
    assert_eq!(refused(&mut conn, &missing).await.code, 1146);
    assert_eq!(lacking(), 1.0, "once, as the client is told");

    let moved = |samples: &BTreeMap<String, f64>, family: &str| {
        http::total(samples, family) + http::total(samples, &format!("{family}_count")) > 0.0
    };
    // The series of a class of errors is there before its first one.
    let corrupt = "cellgate_queries_failed_total{kind=\"corrupt\"}";
    assert_eq!(http::metrics(proxy.http()).unwrap().get(corrupt), Some(&0.0));

    let families = documented();
    assert!(families.len() > 20, "docs/METRICS.md has lost its headings: {families:?}");
    // Some are seconds since the start, or set by a health check.
    let resting = wait::at_most(wait::PATIENCE, || {
        let samples = http::metrics(proxy.http()).unwrap();
        let resting = families.iter().filter(|family| *family != NOUGHT_OR_ONE && !moved(&samples, family));
        let resting: Vec<&str> = resting.map(String::as_str).collect();
        (resting == MAY_BE_NOUGHT).then_some(())
    });
    let samples = http::metrics(proxy.http()).unwrap();
    assert!(resting.is_some(), "{:?}", families.iter().filter(|f| !moved(&samples, f)).collect::<Vec<_>>());
    for family in MAY_BE_NOUGHT.into_iter().chain([NOUGHT_OR_ONE]) {
        assert!(samples.keys().any(|name| name.starts_with(family)), "no series of {family}");
    }
    // Every stage of a statement's way is timed, and a failed login, too.
    let stages = values("cellgate_stage_seconds", "stage");
    assert!(stages.len() > 5, "{stages:?}");
    for stage in stages {
        let name = format!("cellgate_stage_seconds_count{{stage=\"{stage}\"}}");
        assert!(samples.get(&name).is_some_and(|count| *count > 0.0), "{name} is not fed");
    }
    // Counted when the connection has ended, which lets the client read its error first.
    let denied = "cellgate_login_failures_total{reason=\"denied\"}";
    wait::until(denied, wait::PATIENCE, || {
        http::metrics(proxy.http()).unwrap().get(denied).is_some_and(|count| *count > 0.0).then_some(())
    });

    // A database that is gone is counted also while no client asks for it.
    assert_eq!(lacking(), 1.0);
    server.execute("DROP DATABASE cells");
    wait::until("a ping to count it", wait::PATIENCE, || (lacking() > 1.0).then_some(()));
}
