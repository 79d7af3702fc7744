//! A backend is down, frozen, or killed under load: errors are clear and bounded in time, the other clusters go on, and
//! nothing but the backend has to be started again.

use std::time::{Duration, Instant};

use cellgate_integration_tests::client::{self, Refusal, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::load::{Load, everything};
use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::servers::{MariaDb, Postgres};
use cellgate_integration_tests::{Proxy, http, settings, wait};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

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
/// Kills of each backend in an ordinary run; `cargo xtask prove kill-backends` does twenty and more.
const SHARE: u64 = 2;

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
    let of_refusal = |refusal: &Refusal| {
        let id = refusal.message.split("log id ").nth(1).and_then(|rest| rest.split(')').next());
        id.expect("an id").to_owned()
    };
    let ids: Vec<String> = refused.iter().chain([&read]).map(of_refusal).collect();
    let log = proxy.until_logged("a line for every id", |log| {
        let told = |id: &String| {
            log.lines().any(|line| line.contains(id.as_str()) && line.contains("a store failed a statement"))
        };
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
    let id = refusal.message.split("log id ").nth(1).and_then(|rest| rest.split(')').next()).expect("an id");
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
async fn a_read_that_runs_out_of_time_names_the_cluster_it_waited_for_and_is_counted() {
    let server = <MariaDb as Server>::private();
    // The server has a limit of its own; what the client sets is over long before it.
    let (proxy, mut conn) = proxy_with(&server, "[timeouts]\nstatement = \"30s\"\n\n[cache]\nsize = \"0\"\n").await;
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
    run(&mut conn, "SET max_execution_time = 3000").await;
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
    let id = refusal.message.split("log id ").nth(1).and_then(|rest| rest.split(')').next()).expect("an id");
    let log = proxy.until_logged("its line", |log| log.contains(id));
    let line = log.lines().find(|line| line.contains(id)).expect(&log);
    assert!(line.contains("a statement ran out of time") && line.contains("cluster 'server'"), "{line}");
    wait::until("its count", wait::PATIENCE, || (counted() == [gets + 1.0, timeouts + 1.0]).then_some(()));

    // What is killed took its time, too, and the cluster did not fail for that.
    run(&mut conn, "SET max_execution_time = 0").await;
    let id: u32 = conn.query_first("SELECT CONNECTION_ID()").await.unwrap().expect("a row");
    let mut other = client::connect(proxy.mysql()).await;
    let read = async { get(&mut conn, &triple(&held, "BASE", 1)).await.unwrap_err() };
    let (error, ()) = tokio::join!(read, kill_when_it_runs(&mut other, id));
    assert_eq!(Refusal::of(&error).expect("an answer").code, 1317);
    wait::until("its count", wait::PATIENCE, || (counted() == [gets + 2.0, timeouts + 1.0]).then_some(()));

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
async fn a_commit_that_a_standby_did_not_confirm_is_never_said_to_be_stored() {
    let server = <Postgres as Server>::private();
    let (proxy, mut conn) = proxy_over(&server).await;
    let (served, _) = try_all(&mut conn, 1).await;
    assert_eq!(served.len(), KEYS as usize);
    server.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    server.execute("postgres", "SELECT pg_reload_conf()");
    let mut reference = 1;
    let refused = wait::until_async("a write to meet it", wait::PATIENCE, async || {
        reference += 1;
        let held = triple(&key(u32::try_from(reference).unwrap() % KEYS), "BASE", reference);
        // A COMMIT is not cut off by its statement's deadline.
        run(&mut conn, "BEGIN").await;
        put(&mut conn, &held, "1").await.unwrap();
        let error = conn.query_drop("COMMIT").await.err()?;
        Some(Refusal::of(&error).expect("an answer"))
    })
    .await;
    assert_eq!(refused.code, UNREACHABLE, "{refused:?}");
    assert!(refused.message.contains("may be stored"), "{refused:?}");
    server.execute("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    server.execute("postgres", "SELECT pg_reload_conf()");
    wait::until_async("the proxy to write again", wait::PATIENCE, async || {
        (try_all(&mut conn, 500).await.0.len() == KEYS as usize).then_some(())
    })
    .await;
    proxy.assert_no_panic();
}

#[tokio::test]
async fn a_change_of_the_catalog_that_a_standby_did_not_confirm_is_never_said_to_be_done() {
    let server = <Postgres as Server>::private();
    let builder = Builder::new().topology(SHARDS, Some(&server.address())).shared_mariadb("m").text(BOUNDS);
    let proxy = builder.build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    server.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    server.execute("postgres", "SELECT pg_reload_conf()");
    // A session that is ended while it waits for its standbys leaves a commit that all can see.
    let ended = wait::until_async("nothing", wait::PATIENCE * 2, async || {
        let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        server.execute("postgres", waiting);
        None::<()>
    });
    let mut number = 0;
    let refused = wait::until_async("a change to meet it", wait::PATIENCE, async || {
        number += 1;
        conn.query_drop(format!("CREATE DATABASE d{number}")).await.err()
    });
    let refused = tokio::select! { refused = refused => refused, () = ended => unreachable!() };
    let refusal = Refusal::of(&refused).expect("an answer");
    assert!(refusal.message.contains("meta store"), "{refusal:?}");
    server.execute("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    server.execute("postgres", "SELECT pg_reload_conf()");
    wait::until_async("changes again", wait::PATIENCE, async || {
        conn.query_drop("CREATE DATABASE IF NOT EXISTS again").await.ok()
    })
    .await;
    proxy.assert_no_panic();
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
async fn a_frozen_meta_store_is_seen_soon_and_what_it_costs_is_told() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE meta");
    let text = "[meta]\nmax_stale = \"8s\"\n";
    let deployment = Builder::new().topology(SHARDS, Some(&server.url("meta"))).sqlite("file").text(text).build();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let cell = triple("key", "BASE", 1);
    wait::until("the metric", wait::PATIENCE, || (proxy.metric("cellgate_meta_up") == 1.0).then_some(()));
    server.freeze();
    let frozen = Instant::now();
    wait::until("the metric", wait::PATIENCE, || (proxy.metric("cellgate_meta_up") == 0.0).then_some(()));
    assert!(frozen.elapsed() < BOUND, "{:?}", frozen.elapsed());
    proxy.until_logged("why", |log| log.contains("cannot read the meta store"));
    let refusal =
        wait::until_async("the refusal", wait::PATIENCE, async || put(&mut conn, &cell, "1").await.err()).await;
    let refusal = Refusal::of(&refusal).expect("an answer");
    assert!(refusal.code == UNREACHABLE && refusal.message.contains("meta.max_stale"), "{refusal:?}");
    let id = refusal.message.split("log id ").nth(1).and_then(|rest| rest.split(')').next()).expect("an id");
    let lines = |log: &str, text: &str| log.lines().filter(|line| line.contains(id) && line.contains(text)).count();
    let refused = "statements over tables are refused";
    let log = proxy.until_logged("what it costs", |log| lines(log, refused) > 0);
    assert_eq!(lines(&log, refused), 1, "{log}");
    assert!(proxy.metric("cellgate_meta_age_seconds") >= 8.0);
    server.thaw();
    wait::until_async("service again", wait::PATIENCE, async || put(&mut conn, &cell, "1").await.ok()).await;
    proxy.until_logged("the end of it", |log| lines(log, "are served again") == 1);
    proxy.assert_no_panic();
}

#[tokio::test]
async fn a_lock_is_not_waited_for_longer_than_asked_where_the_meta_store_is_frozen() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE meta");
    let text = "[timeouts]\nconnect = \"1s\"\n";
    let deployment = Builder::new().topology(SHARDS, Some(&server.url("meta"))).shared_mariadb("m").text(text).build();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(client::rows::<u8>(&mut conn, "SELECT GET_LOCK('a', 0)").await, [1]);
    run(&mut conn, "DO RELEASE_LOCK('a')").await;
    server.freeze();
    wait::until("the metric", wait::PATIENCE, || (proxy.metric("cellgate_meta_up") == 0.0).then_some(()));
    // Of the proxy's own looks one may wait for as long as a statement may.
    for statement in ["SELECT GET_LOCK('a', 1)", "SELECT GET_LOCK('a', 0)"] {
        let asked = Instant::now();
        let refusal = client::refused(&mut conn, statement).await;
        assert_eq!(refusal.code, UNREACHABLE, "{refusal:?}");
        assert!(asked.elapsed() < Duration::from_secs(15), "{statement}: {:?}", asked.elapsed());
    }
    server.thaw();
    let again = async || conn.query_first::<u8, _>("SELECT GET_LOCK('a', 0)").await.ok().flatten();
    assert_eq!(wait::until_async("the lock", wait::PATIENCE, again).await, 1);
    proxy.assert_no_panic();
}

#[tokio::test]
async fn a_meta_store_that_answers_and_takes_nothing_is_told_from_one_that_is_away() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE meta");
    let deployment = Builder::new().topology(SHARDS, Some(&server.url("meta"))).sqlite("file").build();
    let proxy = deployment.start();
    wait::until("the metric", wait::PATIENCE, || (proxy.metric("cellgate_meta_up") == 1.0).then_some(()));
    assert_eq!(proxy.metric("cellgate_meta_writable"), 1.0);
    let address = (std::net::Ipv4Addr::LOCALHOST, server.port()).into();
    let mut holder = client::try_connect(client::options(address).db_name(Some("meta"))).await.unwrap();
    run(&mut holder, "LOCK TABLES cg_meta READ").await;
    wait::until("the metric", wait::PATIENCE, || (proxy.metric("cellgate_meta_writable") == 0.0).then_some(()));
    assert_eq!(proxy.metric("cellgate_meta_up"), 1.0);
    run(&mut holder, "UNLOCK TABLES").await;
    wait::until("the metric", wait::PATIENCE, || (proxy.metric("cellgate_meta_writable") == 1.0).then_some(()));
}

async fn killed_again_and_again<S: Server>() {
    let mut random = Random::new(settings::seed());
    let mut server = S::private();
    let (proxy, _) = proxy_over(&server).await;
    let load = Load::start(&[proxy.mysql()], 8, &mut random);
    for round in 0..settings::rounds(SHARE) {
        load.progress(100).await;
        wait::under_load(Duration::from_millis(random.below(300))).await;
        server.kill();
        wait::under_load(Duration::from_millis(random.below(500))).await;
        server.start();
        println!("round {round}: {} statements acknowledged", load.acknowledged());
    }
    load.progress(200).await;
    let ledger = load.stop().await;
    assert!(ledger.transactions > 0 && !ledger.appended.is_empty(), "a kind of write never succeeded: {ledger:?}");
    ledger.check(everything(proxy.mysql()).await);
    proxy.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_killed_under_load_loses_no_acknowledged_cell() {
    killed_again_and_again::<MariaDb>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_killed_under_load_loses_no_acknowledged_cell() {
    killed_again_and_again::<Postgres>().await;
}

#[tokio::test]
async fn a_corrupt_document_of_the_meta_store_is_told_for_what_it_is() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE meta");
    let text = "[meta]\npoll = \"200ms\"\nmax_stale = \"5s\"\n";
    let deployment = Builder::new().topology(SHARDS, Some(&server.url("meta"))).sqlite("file").text(text).build();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let readable = |document: &str| {
        let name = format!("cellgate_meta_readable{{document=\"{document}\"}}");
        http::metrics(proxy.http()).unwrap().get(&name).copied()
    };
    let told = |log: &str, document: &str| {
        log.lines().filter(|line| line.contains("is corrupt") && line.contains(&format!("\"{document}\""))).count()
    };
    run(&mut conn, "CREATE USER somebody").await;
    let keep = "CREATE TABLE meta.kept AS SELECT * FROM meta.cg_meta";
    server.execute(keep);
    for document in ["users", "catalog"] {
        assert_eq!(readable(document), Some(1.0));
        let spoil = format!("UPDATE meta.cg_meta SET body = '{{', version = version + 1 WHERE name = '{document}'");
        server.execute(&spoil);
        wait::until("the metric", wait::PATIENCE, || (readable(document) == Some(0.0)).then_some(()));
        let log = proxy.until_logged("its line", |log| told(log, document) > 0);
        assert_eq!(told(&log, document), 1, "{log}");
    }
    let cell = triple("key", "BASE", 1);
    let refusal =
        wait::until_async("the refusal", wait::PATIENCE, async || put(&mut conn, &cell, "1").await.err()).await;
    let refusal = Refusal::of(&refusal).expect("an answer");
    assert!(refusal.code == 1815 && refusal.message.contains("the catalog in the meta store"), "{refusal:?}");
    let ready = http::get(proxy.http(), "/readyz").unwrap();
    assert!(ready.status == 503 && ready.text.contains("corrupt"), "{}", ready.text);
    let log = proxy.log();
    assert_eq!((told(&log, "users"), told(&log, "catalog")), (1, 1), "once each, however often it is read:\n{log}");

    let mend = "UPDATE meta.cg_meta AS m JOIN meta.kept AS k USING (name) SET m.body = k.body, m.version = m.version + 1 \
                WHERE name IN ('users', 'catalog')";
    server.execute(mend);
    wait::until_async("service again", wait::PATIENCE, async || put(&mut conn, &cell, "1").await.ok()).await;
    wait::until("the metric", wait::PATIENCE, || (readable("users") == Some(1.0)).then_some(()));
}
