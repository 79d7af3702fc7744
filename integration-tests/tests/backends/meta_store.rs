//! A meta store that is frozen, takes nothing, or holds a corrupt document.

use std::time::{Duration, Instant};

use cellgate_integration_tests::client::{self, Refusal, TRIPS, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{http, wait};
use mysql_async::prelude::Queryable;

use super::{BOUND, UNREACHABLE, log_id};

/// A server with a database `meta`.
fn meta_server() -> MariaDb {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE meta");
    server
}

#[tokio::test]
async fn a_frozen_meta_store_is_seen_soon_and_what_it_costs_is_told() {
    let server = meta_server();
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
    let id = log_id(&refusal);
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
    let server = meta_server();
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
async fn letting_go_of_locks_does_not_wait_for_a_frozen_meta_store_one_behind_the_other() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE meta");
    let text = "[timeouts]\nconnect = \"5s\"\n";
    let deployment = Builder::new().topology(SHARDS, Some(&server.url("meta"))).shared_mariadb("m").text(text).build();
    let proxy = deployment.start();
    let mut sessions = Vec::new();
    for n in 0..12 {
        let mut conn = client::connect(proxy.mysql()).await;
        assert_eq!(client::rows::<u8>(&mut conn, &format!("SELECT GET_LOCK('n{n}', 0)")).await, [1]);
        sessions.push((n, conn));
    }
    server.freeze();
    let mut tasks = tokio::task::JoinSet::new();
    for (n, mut conn) in sessions {
        tasks.spawn(async move {
            let asked = Instant::now();
            if n % 2 == 0 {
                assert!(conn.reset().await.unwrap(), "by COM_RESET_CONNECTION");
            } else {
                let refusal = client::refused(&mut conn, &format!("SELECT RELEASE_LOCK('n{n}')")).await;
                assert_eq!(refusal.code, UNREACHABLE, "{refusal:?}");
            }
            (n, asked.elapsed(), conn)
        });
    }
    let mut sessions = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (n, took, conn) = done.unwrap();
        // A reset waits for nothing. The others wait 5 s, and one behind the other they would take 30.
        let bound = Duration::from_secs(if n % 2 == 0 { 4 } else { 20 });
        assert!(took < bound, "session {n} was answered after {took:?}");
        sessions.push(conn);
    }
    server.thaw();
    let second = deployment.start();
    let mut other = client::connect(second.mysql()).await;
    for n in 0..12 {
        wait::until_async("what was let go of", wait::PATIENCE, async || {
            let got: Option<u8> = other.query_first(format!("SELECT GET_LOCK('n{n}', 1)")).await.ok()?;
            got.filter(|got| *got == 1)
        })
        .await;
    }
    assert!(!proxy.log().contains("were lost"), "{}", proxy.log());
    proxy.assert_no_panic();
}

#[tokio::test]
async fn what_has_committed_does_not_fail_for_a_meta_store_that_is_not_told_of_released_locks() {
    let server = meta_server();
    let text = "[timeouts]\nconnect = \"1s\"\n";
    let deployment = Builder::new().topology(SHARDS, Some(&server.url("meta"))).shared_mariadb("m").text(text).build();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    run(&mut conn, "SET autocommit = 0").await;
    for (cell, ends) in (1..).zip(["UNLOCK TABLES", "BEGIN"]) {
        run(&mut conn, "LOCK TABLES trips WRITE").await;
        put(&mut conn, &triple("a", "BASE", cell), "1").await.unwrap();
        server.freeze();
        run(&mut conn, ends).await;
        let warned: Vec<(String, u16, String)> = client::rows(&mut conn, "SHOW WARNINGS").await;
        server.thaw();
        let later = |(level, code, message): &(String, u16, String)| {
            level == "Warning" && *code == 1105 && message.contains("the locks are released")
        };
        assert!(matches!(&warned[..], [warning] if later(warning)), "{ends}: {warned:?}");
        run(&mut conn, "ROLLBACK").await;
        assert_eq!(client::rows::<i64>(&mut conn, "SELECT COUNT(*) FROM trips").await, [cell], "{ends}");
    }
    proxy.assert_no_panic();
}

#[tokio::test]
async fn a_meta_store_that_answers_and_takes_nothing_is_told_from_one_that_is_away() {
    let server = meta_server();
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

#[tokio::test]
async fn a_corrupt_document_of_the_meta_store_is_told_for_what_it_is() {
    let server = meta_server();
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
