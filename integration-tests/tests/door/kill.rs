//! KILL: of statements that run, are prepared or wait, and of oneself.

use std::time::Instant;

use cellgate_integration_tests::client::{self, Refusal};
use cellgate_integration_tests::{Deployment, http, wait};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{LIMIT, number, status, until_it_runs};

/// Ends what a connection runs as soon as it runs it.
async fn kill_query(root: &mut Conn, id: u32, statement: &str) {
    until_it_runs(root, id, statement).await;
    root.query_drop(format!("KILL QUERY {id}")).await.unwrap();
}

#[tokio::test]
async fn kill_query_ends_a_long_select_and_nothing_else() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    let id = conn.id();
    // Hundreds of columns, each with each, and with each again: minutes.
    let long = "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, \
                information_schema.columns c WHERE a.column_name < b.column_name";
    let started = Instant::now();
    let (outcome, ()) = tokio::join!(conn.query_drop(long), kill_query(&mut root, id, "SELECT COUNT"));
    assert_eq!(number(outcome), 1317);
    assert!(started.elapsed() < LIMIT);
    // And one whose rows are under way.
    client::run(&mut root, client::TRIPS).await;
    let body = "x".repeat(20_000);
    for part in 0..10 {
        let rows: Vec<String> = (0..100).map(|row| format!("('{part}-{row}', 'BASE', 1, '\"{body}\"')")).collect();
        let insert = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {}", rows.join(", "));
        client::run(&mut root, &insert).await;
    }
    // Behind it there may be another statement of the same text, which is not run then.
    for text in ["SELECT row_key, body FROM trips", "SELECT row_key, body FROM trips; SELECT 1"] {
        let mut result = conn.query_iter(text).await.unwrap();
        assert!(result.next().await.unwrap().is_some());
        root.query_drop(format!("KILL QUERY {id}")).await.unwrap();
        let failed = loop {
            match result.next().await {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        drop(result);
        assert_eq!(failed.and_then(|error| Refusal::of(&error)).map(|refusal| refusal.code), Some(1317));
        let shown = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} AND info IS NULL");
        wait::until_async("the statement to be over", LIMIT, async || {
            root.query_first::<u8, _>(&shown).await.unwrap().filter(|ended| *ended == 1)
        })
        .await;
        assert_eq!(status(&mut root, "Threads_running").await, "1", "who asks");
    }
    let still: Option<u8> = conn.query_first("SELECT 1").await.unwrap();
    assert_eq!(still, Some(1), "the connection goes on");
}

#[tokio::test]
async fn kill_query_of_a_lock_that_is_waited_for_leaves_nothing_locked() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    let id = conn.id();
    client::run(&mut root, client::TRIPS).await;
    for (lock, start) in [("LOCK TABLES trips READ", "LOCK TABLES"), ("FLUSH TABLES WITH READ LOCK", "FLUSH")] {
        client::run(&mut root, "LOCK TABLES trips WRITE").await;
        let mut killer = client::connect(proxy.mysql()).await;
        let (outcome, ()) = tokio::join!(conn.query_drop(lock), kill_query(&mut killer, id, start));
        assert_eq!(number(outcome), 1317, "{lock}");
        client::run(&mut root, "UNLOCK TABLES").await;
        for conn in [&mut conn, &mut root] {
            client::run(conn, "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1')").await;
            client::run(conn, "CREATE TABLE IF NOT EXISTS riders LIKE trips").await;
        }
    }
}

#[tokio::test]
async fn what_a_killed_call_leaves_to_show_is_its_own_error() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    let id = conn.id();
    assert_eq!(client::refused(&mut conn, "SELEC 1").await.code, 1064);
    let (outcome, ()) = tokio::join!(conn.query_drop("SELECT SLEEP(60)"), kill_query(&mut root, id, "SELECT SLEEP"));
    assert_eq!(number(outcome), 1317);
    let shown: Vec<(String, u16, String)> = client::rows(&mut conn, "SHOW WARNINGS").await;
    assert_eq!(shown.iter().map(|(_, code, _)| *code).collect::<Vec<_>>(), [1317]);
}

#[tokio::test]
async fn a_statement_is_killed_while_it_is_prepared() {
    // A thread for whoever kills, however few processors there are.
    let proxy = Deployment::configured("[limits]\nthreads = 4\n").start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    let id = conn.id();
    // Constants are computed for the types of the result: some hundred million steps.
    let (text, pattern) = ("a".repeat(40_000), "a".repeat(12_000));
    let select = format!("SELECT 1 UNION SELECT '{text}' LIKE '%{pattern}b'");
    for statement in [format!("PREPARE p FROM {}", client::quote(&select)), format!("DO '{text}' LIKE '%{pattern}b'")] {
        let (outcome, ()) = tokio::join!(conn.query_drop(&statement), kill_query(&mut root, id, &statement[..2]));
        assert_eq!(number(outcome), 1317);
    }
    // By the protocol's own command as well. A wish that comes before it is not for it.
    client::run(&mut root, &format!("KILL QUERY {id}")).await;
    assert!(conn.prep("SELECT 1 UNION SELECT 2").await.is_ok());
    let (outcome, ()) = tokio::join!(conn.prep(&select), kill_query(&mut root, id, "/* a text of"));
    assert_eq!(number(outcome), 1317);
    // It is counted as what it is.
    let metrics = http::metrics(proxy.http()).unwrap();
    let queries = |outcome: &str| {
        let label = format!("outcome=\"{outcome}\"");
        let of_queries = |name: &str| name.starts_with("cellgate_queries_total{") && name.contains(&label);
        metrics.iter().filter(|(name, _)| of_queries(name)).map(|(_, count)| count).sum::<f64>()
    };
    assert_eq!((queries("killed"), queries("timeout")), (3.0, 0.0));
}

#[tokio::test]
async fn who_kills_itself_is_told_so() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(number(conn.query_drop("KILL QUERY CONNECTION_ID()").await), 1317);
    let still: Option<u8> = conn.query_first("SELECT 1").await.unwrap();
    assert_eq!(still, Some(1));
    assert_eq!(number(conn.query_drop("KILL CONNECTION_ID()").await), 1317);
    assert!(conn.query_drop("SELECT 1").await.is_err(), "the connection is gone");
}
