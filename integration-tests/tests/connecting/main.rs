//! What every client says when it connects, word for word, and what it must hear; and how a session is set up, reset and ended.

mod sequences;

use cellgate_integration_tests::client::{self, Refusal, rows};
use cellgate_integration_tests::{Deployment, Proxy, golden, wait};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row};

use sequences::SEQUENCES;
use sequences::Step::{self, Prepared, Refused, Row as Answers, Text};

/// What was not as it must be.
async fn wrong(conn: &mut Conn, step: &Step) -> Option<String> {
    match step {
        Text(statement) => conn.query_drop(*statement).await.err().map(|error| format!("{statement}: {error}")),
        Prepared(statement) => {
            let prepared = match conn.prep(*statement).await {
                Ok(prepared) => prepared,
                Err(error) => return Some(format!("preparing {statement}: {error}")),
            };
            let outcome = conn.exec_drop(&prepared, ()).await.err();
            let closed = conn.close(prepared).await.err();
            outcome.or(closed).map(|error| format!("{statement}: {error}"))
        }
        Answers(statement, expected) => match conn.query::<Row, _>(*statement).await {
            Ok(found) => {
                let found: Vec<String> =
                    found.iter().flat_map(|row| row.clone().unwrap()).map(|value| golden::show(&value)).collect();
                let right = found.len() == expected.len()
                    && found.iter().zip(*expected).all(|(f, e)| f == e || (*e == "*" && f != "NULL"));
                (!right).then(|| format!("{statement}: {found:?}, not {expected:?}"))
            }
            Err(error) => Some(format!("{statement}: {error}")),
        },
        Refused(code, statement) => match conn.query_drop(*statement).await {
            Ok(()) => Some(format!("{statement}: not refused")),
            Err(error) => match Refusal::of(&error) {
                Some(refusal) if refusal.code == *code => None,
                Some(refusal) => Some(format!("{statement}: {refusal:?}, not {code}")),
                None => Some(format!("{statement}: {error}")),
            },
        },
    }
}

async fn start() -> (Proxy, OptsBuilder) {
    let proxy = Deployment::embedded().start();
    let options = client::options(proxy.mysql());
    (proxy, options)
}

#[tokio::test]
async fn every_client_connects_and_sets_up_its_session() {
    let (_proxy, options) = start().await;
    let mut failures = Vec::new();
    for (client, steps) in SEQUENCES {
        let mut conn = client::try_connect(options.clone()).await.unwrap();
        for step in *steps {
            failures.extend(wrong(&mut conn, step).await.map(|what| format!("{client}: {what}")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn a_set_can_be_prepared_with_parameters() {
    let (_proxy, options) = start().await;
    let mut conn = client::try_connect(options).await.unwrap();
    conn.exec_drop("SET @a = ?, SESSION wait_timeout = ?, time_zone = ?", ("x", 77, "+05:30")).await.unwrap();
    let found: Vec<(String, i64, String)> = rows(&mut conn, "SELECT @a, @@wait_timeout, @@time_zone").await;
    assert_eq!(found, [("x".to_owned(), 77, "+05:30".to_owned())]);
}

#[tokio::test]
async fn reset_connection_forgets_what_was_set() {
    let (_proxy, options) = start().await;
    let mut conn = client::try_connect(options).await.unwrap();
    client::run(&mut conn, "SET @a = 1, wait_timeout = 5, autocommit = 0").await;
    conn.reset().await.unwrap();
    let found: Vec<(Option<i64>, i64, i64)> = rows(&mut conn, "SELECT @a, @@wait_timeout, @@autocommit").await;
    assert_eq!(found, [(None, 28_800, 1)]);
}

#[tokio::test]
async fn an_idle_client_is_told_4031_after_its_own_wait_timeout() {
    let (_proxy, options) = start().await;
    let mut other = client::try_connect(options.clone()).await.unwrap();
    let mut conn = client::try_connect(options).await.unwrap();
    client::run(&mut conn, "SET wait_timeout = 1").await;
    wait::until_async("the session to end", wait::PATIENCE, async || {
        let open: Vec<Row> = rows(&mut other, "SHOW PROCESSLIST").await;
        (open.len() == 1).then_some(())
    })
    .await;
    assert!(conn.ping().await.is_err());
}
