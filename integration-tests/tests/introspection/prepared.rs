//! EXPLAIN, SHOW and SELECT .. INTO as prepared statements: what PREPARE says of them is what EXECUTE does.

use cellgate_integration_tests::{Deployment, client};
use mysql_async::Value;
use mysql_async::prelude::Queryable;

use super::shop;

#[tokio::test]
async fn a_statement_whose_parameters_decide_is_prepared_with_the_columns_it_has() {
    let proxy = Deployment::embedded().start();
    let mut conn = shop(proxy.mysql(), "test").await;
    let (one, key) = (Value::from(1), Value::from("a"));
    for (statement, parameters) in [
        ("EXPLAIN SELECT body FROM trips WHERE row_key = 'a' LIMIT ?", vec![one.clone()]),
        ("EXPLAIN ANALYZE SELECT body FROM trips WHERE row_key = ? LIMIT ?", vec![key.clone(), one.clone()]),
        (
            "EXPLAIN INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)",
            vec![key.clone(), key.clone(), one.clone(), one.clone()],
        ),
        ("EXPLAIN DELETE FROM trips WHERE row_key = ?", vec![key.clone()]),
        ("SHOW WARNINGS LIMIT ?", vec![one.clone()]),
        ("SHOW TABLES WHERE Tables_in_test = ?", vec![key.clone()]),
    ] {
        let prepared = conn.prep(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let described: Vec<_> = prepared.columns().iter().map(|c| c.name_str().into_owned()).collect();
        let result = conn.exec_iter(&prepared, parameters).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let columns: Vec<_> = result.columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
        drop(result);
        assert!(!columns.is_empty() && described == columns, "{statement}: {described:?} and {columns:?}");
        client::run(&mut conn, &format!("PREPARE named FROM \"{statement}\"")).await;
    }
    for (statement, code) in [
        ("EXPLAIN SELECT missing FROM trips WHERE row_key = ? LIMIT ?", 1054),
        ("EXPLAIN SELECT body FROM nowhere LIMIT ?", 1146),
        ("EXPLAIN INSERT INTO nowhere (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)", 1146),
        ("SELECT body, ref_key FROM trips WHERE row_key = ? INTO @body", 1222),
    ] {
        match conn.prep(statement).await {
            Err(mysql_async::Error::Server(error)) => assert_eq!(error.code, code, "{statement}"),
            other => panic!("{statement}: {other:?}"),
        }
    }
    client::run(&mut conn, "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '7')").await;
    for statement in
        ["SELECT body FROM trips WHERE row_key = ? INTO @body", "SELECT x.b FROM (SELECT ? AS b) x INTO @body"]
    {
        let prepared = conn.prep(statement).await.unwrap();
        assert!(prepared.columns().is_empty(), "{statement}");
        conn.exec_drop(&prepared, (key.clone(),)).await.unwrap();
    }
    assert_eq!(client::rows::<String>(&mut conn, "SELECT @body").await, ["a"]);
    proxy.assert_no_panic();
}
