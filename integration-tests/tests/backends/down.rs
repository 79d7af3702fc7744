//! A server that is down or frozen, or holds a statement up: what its clients and the log are told, and that the others go on.

use std::time::{Duration, Instant};

use cellgate_integration_tests::client::{self, Refusal, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::raw::{COM_QUERY, Raw, Reply};
use cellgate_integration_tests::servers::{MariaDb, Postgres};
use cellgate_integration_tests::{http, wait};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc;

use super::{BOUND, KEYS, Server, TIMEOUT, UNREACHABLE, key, log_id, proxy_over, proxy_with, state, try_all};

async fn down_and_up_again<S: Server>() {
    let mut server = S::private();
    let (proxy, mut conn) = proxy_over(&server).await;
    let (served, refused) = try_all(&mut conn, 1).await;
    assert_eq!((served.len(), refused.len()), (KEYS as usize, 0));

    server.kill();
    let (served, refused) = try_all(&mut conn, 2).await;
    assert!(!served.is_empty(), "the other cluster must go on: {refused:?}");
    assert!(!refused.is_empty(), "some keys are on the server that is down");
    for refusal in &refused {
        assert_eq!(refusal.code, UNREACHABLE, "{refusal:?}");
        assert!(!refusal.message.contains("127.0.0.1"), "an address reached a client: {refusal:?}");
    }
    // Reads of the server's keys are refused, never "not there".
    let lost = (0..KEYS).find(|number| !served.contains(number)).expect("a key of the server");
    let error = get(&mut conn, &triple(&key(lost), "BASE", 1)).await.unwrap_err();
    let read = Refusal::of(&error).expect("an answer");
    assert_eq!(read.code, UNREACHABLE);
    assert!(!read.message.contains("written"), "it was a read: {read:?}");
    // The first may have lost its connection under way.
    let known =
        |refusal: &Refusal| ["nothing was written", "may be stored"].iter().any(|t| refusal.message.contains(t));
    assert!(refused.iter().all(known), "{refused:?}");
    wait::until_async("SHOW CLUSTERS to tell", wait::PATIENCE, async || {
        (state(&mut conn, "server").await == "unavailable").then_some(())
    })
    .await;
    assert_eq!(state(&mut conn, "file").await, "serving");
    // Every id leads to a line, and no statement has two.
    let ids: Vec<&str> = refused.iter().chain([&read]).map(log_id).collect();
    let log = proxy.until_logged("a line for every id", |log| {
        let told = |id: &&str| log.lines().any(|line| line.contains(id) && line.contains("a store failed a statement"));
        ids.iter().all(told)
    });
    let lines = log.lines().filter(|line| line.contains("WARN") && line.contains("a store failed a statement")).count();
    assert!(lines <= refused.len() + 1, "{lines} lines for {} failures:\n{log}", refused.len() + 1);
    assert!(!log.contains("store error"), "{log}");

    server.start();
    wait::until_async("the proxy to use the server again", wait::PATIENCE, async || {
        get(&mut conn, &triple(&key(lost), "BASE", 1)).await.ok().flatten()
    })
    .await;
    let (served, refused) = try_all(&mut conn, 3).await;
    assert_eq!(served.len(), KEYS as usize, "{refused:?}");
    proxy.assert_no_panic();
}

#[tokio::test]
async fn a_mariadb_that_is_down_is_1429_and_comes_back_without_a_restart() {
    down_and_up_again::<MariaDb>().await;
}

#[tokio::test]
async fn a_postgresql_that_is_down_is_1429_and_comes_back_without_a_restart() {
    down_and_up_again::<Postgres>().await;
}

#[tokio::test]
async fn a_frozen_mariadb_is_an_error_in_time_and_the_others_go_on() {
    let server = <MariaDb as Server>::private();
    let (proxy, mut conn) = proxy_over(&server).await;
    try_all(&mut conn, 1).await;
    server.freeze();
    let mut codes = Vec::new();
    let mut served = 0;
    for number in 0..KEYS {
        let start = Instant::now();
        match get(&mut conn, &triple(&key(number), "BASE", 1)).await {
            Ok(found) => {
                assert_eq!(found.as_deref(), Some("1"));
                served += 1;
            }
            Err(error) => {
                codes.push(Refusal::of(&error).unwrap_or_else(|| panic!("connection broke: {error}")).code);
            }
        }
        assert!(start.elapsed() < BOUND, "an answer took {:?}", start.elapsed());
        // Two of them say enough; each may take its whole time.
        if codes.len() == 2 && served > 0 {
            break;
        }
    }
    assert!(served > 0);
    assert!(!codes.is_empty() && codes.iter().all(|code| [UNREACHABLE, TIMEOUT].contains(code)), "{codes:?}");
    // Once it is known to be away, every error names it, and a line of the log.
    wait::until_async("the health check", wait::PATIENCE, async || {
        (state(&mut conn, "server").await == "unavailable").then_some(())
    })
    .await;
    let mut refused = None;
    for number in 0..KEYS {
        refused = get(&mut conn, &triple(&key(number), "BASE", 1)).await.err();
        if refused.is_some() {
            break;
        }
    }
    let refusal = Refusal::of(&refused.expect("an error")).expect("an answer");
    let id = log_id(&refusal);
    assert!(refusal.message.contains("cluster 'server'"), "{refusal:?}");
    proxy.until_logged("its line", |log| log.contains(id));
    server.thaw();
    wait::until_async("the proxy to use the server again", wait::PATIENCE, async || {
        for number in 0..KEYS {
            get(&mut conn, &triple(&key(number), "BASE", 1)).await.ok()?;
        }
        Some(())
    })
    .await;
    proxy.assert_no_panic();
}

#[tokio::test]
async fn whoever_finds_the_queue_of_a_frozen_server_full_is_told_3168_at_once_and_counted() {
    const CLIENTS: usize = 8;
    let server = <MariaDb as Server>::private();
    // One is under way, and one may wait.
    let text = "[coalesce]\nlanes = 1\nqueue_cells = 1\n\n[cache]\nsize = \"0\"\n";
    let deployment = Builder::new().topology(SHARDS, None).cluster("server", &server.address()).text(text).build();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let cell = triple("a", "BASE", 1);
    put(&mut conn, &cell, "1").await.unwrap();
    let refused = "cellgate_queue_refused_total";
    assert_eq!(proxy.metric(refused), 0.0);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(client::connect(proxy.mysql()).await);
    }
    server.freeze();
    let (told, mut answers) = mpsc::channel(CLIENTS);
    for (number, mut client) in clients.into_iter().enumerate() {
        let (told, cell) = (told.clone(), cell.clone());
        tokio::spawn(async move { told.send(get(&mut client, &cell).await).await });
        if number == 0 {
            // It waits, too, until its lane takes it: before that the others would all find the queue full.
            wait::until_async("the first to be under way", BOUND, async || {
                let metrics = http::metrics(proxy.http()).expect("/metrics answers");
                let (lanes, waiting) = ("cellgate_queue_lanes", "cellgate_queue_cells");
                (http::total(&metrics, lanes) == 1.0 && http::total(&metrics, waiting) == 0.0).then_some(())
            })
            .await;
        }
    }
    let mut next = async || tokio::time::timeout(BOUND, answers.recv()).await.expect("an answer in time").unwrap();
    for _ in 2..CLIENTS {
        let refusal = Refusal::of(&next().await.unwrap_err()).expect("an answer");
        assert_eq!((refusal.code, refusal.state.as_str()), (3168, "HY000"), "{refusal:?}");
        let text = "Server isn't available: 1 cells (0 bytes) are waiting for cluster 'server' already";
        assert!(refusal.message.starts_with(text), "{refusal:?}");
    }
    server.thaw();
    for _ in 0..2 {
        assert_eq!(next().await.unwrap().as_deref(), Some("1"), "whoever was let in is served");
    }
    assert_eq!(proxy.metric(refused), (CLIENTS - 2) as f64);
    proxy.assert_no_panic();
}

#[tokio::test]
async fn a_read_that_runs_out_of_time_names_the_cluster_it_waited_for_which_failed_if_the_limit_was_not_the_clients() {
    let server = <MariaDb as Server>::private();
    // The server has a limit of its own; what the client sets is over before it, and both before timeouts.lock.
    let (proxy, mut conn) = proxy_with(&server, "[timeouts]\nstatement = \"4s\"\n\n[cache]\nsize = \"0\"\n").await;
    try_all(&mut conn, 1).await;
    let physical = server.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'cellgate' AND table_name LIKE 'trips%'",
    );
    let address = (std::net::Ipv4Addr::LOCALHOST, server.port()).into();
    let mut holder = client::try_connect(client::options(address).db_name(Some("cellgate"))).await.unwrap();
    run(&mut holder, &format!("LOCK TABLES {} WRITE", physical.trim())).await;
    let counted = || {
        let samples = http::metrics(proxy.http()).unwrap();
        [
            "operation_seconds_count{cluster=\"server\",operation=\"get\"}",
            "errors_total{cluster=\"server\",kind=\"timeout\"}",
        ]
        .map(|series| samples[&format!("cellgate_cluster_{series}")])
    };
    let [gets, timeouts] = counted();
    run(&mut conn, "SET max_execution_time = 2000").await;
    let (mut refused, mut held) = (None, String::new());
    for number in 0..KEYS {
        held = key(number);
        refused = get(&mut conn, &triple(&held, "BASE", 1)).await.err();
        if refused.is_some() {
            break;
        }
    }
    let refusal = Refusal::of(&refused.expect("an error")).expect("an answer");
    assert_eq!(refusal.code, TIMEOUT, "{refusal:?}");
    assert!(refusal.message.contains("exceeded; it waited for cluster 'server' (log id "), "{refusal:?}");
    let id = log_id(&refusal);
    let log = proxy.until_logged("its line", |log| log.contains(id));
    let line = log.lines().find(|line| line.contains(id)).expect(&log);
    assert!(line.contains("a statement ran out of time") && line.contains("cluster 'server'"), "{line}");
    wait::until("its count", wait::PATIENCE, || (counted()[0] > gets).then_some(()));
    assert_eq!(counted(), [gets + 1.0, timeouts]);
    let failed = || http::metrics(proxy.http()).unwrap()["cellgate_queries_failed_total{kind=\"timeout\"}"];
    assert_eq!(failed(), 0.0);

    // The server's limit is a failure, of the statement and of the cluster.
    run(&mut conn, "SET max_execution_time = 0").await;
    let error = get(&mut conn, &triple(&held, "BASE", 1)).await.unwrap_err();
    assert_eq!(Refusal::of(&error).expect("an answer").code, TIMEOUT, "{error}");
    wait::until("its counts", wait::PATIENCE, || {
        (counted() == [gets + 2.0, timeouts + 1.0] && failed() == 1.0).then_some(())
    });

    // What is killed took its time, too, and the cluster did not fail for that.
    let id: u32 = conn.query_first("SELECT CONNECTION_ID()").await.unwrap().expect("a row");
    let mut other = client::connect(proxy.mysql()).await;
    let read = async { get(&mut conn, &triple(&held, "BASE", 1)).await.unwrap_err() };
    let (error, ()) = tokio::join!(read, kill_when_it_runs(&mut other, id));
    assert_eq!(Refusal::of(&error).expect("an answer").code, 1317);
    wait::until("its count", wait::PATIENCE, || (counted() == [gets + 3.0, timeouts + 1.0]).then_some(()));

    // Of a scan that is killed, too, what it has waited for is the stores.
    let waited = || http::metrics(proxy.http()).unwrap()["cellgate_stage_seconds_sum{stage=\"store\"}"];
    let before = waited();
    let kill_late = async {
        wait::under_load(Duration::from_secs(1)).await;
        kill_when_it_runs(&mut other, id).await;
    };
    let (refusal, ()) = tokio::join!(client::refused(&mut conn, "SELECT * FROM trips"), kill_late);
    assert_eq!(refusal.code, 1317, "{refusal:?}");
    wait::until("its time", wait::PATIENCE, || (waited() - before > 0.9).then_some(()));

    // So is an INSERT as long as it only reads: with IGNORE where it looks for what is there, and inside a transaction, which
    // goes on.
    let insert = |ignore: &str| {
        format!("INSERT {ignore} INTO trips (row_key, column_key, ref_key, body) VALUES ('{held}', 'KILLED', 1, '1')")
    };
    for (before, ignore) in [("SET autocommit = 1", "IGNORE"), ("BEGIN", ""), ("SELECT 1", "IGNORE")] {
        run(&mut conn, before).await;
        let insert = insert(ignore);
        let (refusal, ()) = tokio::join!(client::refused(&mut conn, &insert), kill_when_it_runs(&mut other, id));
        assert_eq!(refusal.code, 1317, "{before}: {refusal:?}");
    }
    run(&mut holder, "UNLOCK TABLES").await;
    let found = triple(&held, "KILLED", 1);
    assert_eq!(get(&mut conn, &found).await.unwrap(), None);
    run(&mut conn, &insert("")).await;
    run(&mut conn, "COMMIT").await;
    assert_eq!(get(&mut other, &found).await.unwrap().as_deref(), Some("1"));
    proxy.assert_no_panic();
}

/// Kills what a connection runs, once it is about the table.
async fn kill_when_it_runs(other: &mut Conn, id: u32) {
    wait::until_async("the statement to wait", wait::PATIENCE, async || {
        let rows: Vec<mysql_async::Row> = client::rows(other, "SHOW PROCESSLIST").await;
        let info = |row: &mysql_async::Row| row.get::<Option<String>, _>("Info").flatten().unwrap_or_default();
        rows.iter().any(|row| row.get("Id") == Some(id) && info(row).contains("trips")).then_some(())
    })
    .await;
    run(other, &format!("KILL QUERY {id}")).await;
}

#[tokio::test]
async fn a_commit_done_in_part_is_logged_and_counted_and_a_start_tells_who_is_down() {
    let mut server = <MariaDb as Server>::private();
    let (mut proxy, mut conn) = proxy_over(&server).await;
    run(&mut conn, "BEGIN").await;
    for number in 0..KEYS {
        put(&mut conn, &triple(&key(number), "BASE", 1), "1").await.unwrap();
    }
    server.kill();
    let refusal = Refusal::of(&conn.query_drop("COMMIT").await.unwrap_err()).expect("an answer");
    assert!(refusal.code == 1180 && refusal.message.contains("done in part"), "{refusal:?}");
    let id = refusal.message.rsplit("log id ").next().and_then(|rest| rest.split(')').next()).expect("an id");
    let in_part = |line: &&str| line.contains(id) && line.contains("was done in part");
    let log = proxy.until_logged("its line", |log| log.lines().any(|line| in_part(&line)));
    let line = log.lines().find(in_part).expect(&log);
    assert!(line.contains("stored in [file]") && line.contains("server") && !line.contains("key-"), "{line}");
    assert_eq!(proxy.metric("cellgate_partial_writes_total"), 1.0);

    let rows: Vec<String> = (0..KEYS).map(|number| format!("('{}', 'BASE', 2, '1')", key(number))).collect();
    let insert = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {}", rows.join(", "));
    let refusal = client::refused(&mut conn, &insert).await;
    assert!(refusal.code == 1180 && refusal.message.starts_with("INSERT was done in part"), "{refusal:?}");
    let line = "INSERT: stored in [file], may be stored in [], not stored in [server]";
    proxy.until_logged("its line", |log| log.lines().any(|text| text.contains("ERROR") && text.contains(line)));
    assert_eq!(proxy.metric("cellgate_partial_writes_total"), 2.0);

    proxy.restart();
    proxy.until_logged("the cluster that is down", |log| log.contains("the cluster is down at the start"));
    proxy.assert_no_panic();
}

#[tokio::test]
async fn a_commit_whose_client_has_gone_is_counted_and_what_it_did_in_part_is_logged() {
    let mut server = <MariaDb as Server>::private();
    let text = "[timeouts]\nconnect = \"1s\"\nstatement = \"30s\"\n[log]\nslow_query = \"1s\"\n";
    let (proxy, _conn) = proxy_with(&server, text).await;
    let mut raw = Raw::login(proxy.mysql(), wait::PATIENCE).unwrap();
    let rows: Vec<String> = (0..KEYS).map(|number| format!("('{}', 'BASE', 1, '1')", key(number))).collect();
    let insert = format!("INSERT INTO test.trips (row_key, column_key, ref_key, body) VALUES {}", rows.join(", "));
    for statement in ["BEGIN", &insert] {
        assert_eq!(raw.query(statement.as_bytes()).unwrap(), Reply::Ok);
    }
    // Somebody holds the log head of one cluster.
    let address = (std::net::Ipv4Addr::LOCALHOST, server.port()).into();
    let mut holder = client::try_connect(client::options(address).db_name(Some("cellgate"))).await.unwrap();
    run(&mut holder, "BEGIN").await;
    run(&mut holder, "SELECT * FROM cg_head FOR UPDATE").await;
    raw.command(COM_QUERY, b"COMMIT").unwrap();
    drop(raw);
    let timed_out = "cellgate_queries_failed_total{kind=\"timeout\"}";
    wait::until("the COMMIT to be counted", wait::PATIENCE, || {
        (http::metrics(proxy.http()).unwrap()[timed_out] == 1.0).then_some(())
    });
    proxy.until_logged("that it was slow", |log| {
        log.lines().any(|line| line.contains("slow query") && line.contains("COMMIT") && line.contains("failed=true"))
    });
    assert_eq!(proxy.metric("cellgate_partial_writes_total"), 0.0);
    server.kill();
    let line = "COMMIT: stored in [file]";
    proxy.until_logged("its line", |log| log.lines().any(|text| text.contains("ERROR") && text.contains(line)));
    assert_eq!(proxy.metric("cellgate_partial_writes_total"), 1.0);
    proxy.assert_no_panic();
}
