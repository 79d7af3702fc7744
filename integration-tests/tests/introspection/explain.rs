//! EXPLAIN and EXPLAIN ANALYZE.

use cellgate_integration_tests::client::{self, TRIPS};
use cellgate_integration_tests::{Deployment, golden};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

#[tokio::test]
async fn explain_says_what_the_cache_has() {
    let proxy = Deployment::embedded().start();
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    client::run(&mut conn, TRIPS).await;
    client::run(
        &mut conn,
        "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'c', 1, '1'), ('a', 'c', 2, '2')",
    )
    .await;
    let cache = async |conn: &mut Conn, statement: &str| {
        let row: Option<Row> = conn.query_first(statement).await.unwrap();
        row.and_then(|row| row.get::<String, _>("cache")).expect("a line")
    };
    let one = "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'c' AND ref_key = 1";
    let two = "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'c' AND ref_key IN (1, 2)";
    assert_eq!(cache(&mut conn, &format!("EXPLAIN {one}")).await, "miss");
    // It looks before it runs the statement.
    assert_eq!(cache(&mut conn, &format!("EXPLAIN ANALYZE {one}")).await, "miss");
    assert_eq!(cache(&mut conn, &format!("EXPLAIN ANALYZE {one}")).await, "hit");
    assert_eq!(cache(&mut conn, &format!("EXPLAIN {two}")).await, "1 of 2");
    assert_eq!(cache(&mut conn, "EXPLAIN SELECT body FROM trips WHERE row_key = 'a'").await, "no");
    let counted = async |conn: &mut Conn, statement: &str| {
        let row: Option<Row> = conn.query_first(format!("EXPLAIN ANALYZE {statement}")).await.unwrap();
        row.and_then(|row| row.get::<i64, _>("rows")).expect("a line")
    };
    assert_eq!(counted(&mut conn, "SELECT body FROM trips").await, 2);
    assert_eq!(counted(&mut conn, "SELECT body FROM trips LIMIT 1").await, 1);
    assert_eq!(counted(&mut conn, "SELECT 1").await, 1);
    let off = Deployment::configured("[cache]\nsize = \"0\"\n").start();
    let mut conn = golden::connect(off.mysql(), "test").await;
    client::run(&mut conn, TRIPS).await;
    assert_eq!(cache(&mut conn, &format!("EXPLAIN {one}")).await, "off");
}

#[tokio::test]
async fn explain_analyze_of_the_relational_engine_is_refused_as_that() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    let refusal = client::refused(&mut conn, "EXPLAIN ANALYZE SELECT * FROM information_schema.tables").await;
    assert!(refusal.code == 1235 && refusal.message.contains("relational engine"), "{refusal:?}");
}
