//! Limits of a statement and of a transaction, as DIALECT.md has them: what is at the limit is taken, and one more is refused by
//! the limit's name.

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::client::{self, Refusal, TRIPS, put, rows, run, triple};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// The statement of so many things is answered, and that of one more is refused.
async fn takes(conn: &mut Conn, name: &str, most: usize, statement: impl Fn(usize) -> String) {
    let _: Vec<mysql_async::Row> = rows(conn, &statement(most)).await;
    let refused = client::refused(conn, &statement(most + 1)).await;
    assert_eq!(refused.code, 1104, "{name}: {refused:?}");
    assert!(
        refused.message.ends_with(&format!("({name})")) && refused.message.contains(&most.to_string()),
        "{name}: {refused:?}"
    );
}

#[tokio::test]
async fn a_statement_at_its_limit_is_answered_and_one_beyond_is_1104_by_name() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    takes(&mut conn, "unions", 400, |n| vec!["SELECT 1"; n].join(" UNION ")).await;
    takes(&mut conn, "unions", 400, |n| vec!["SELECT 1"; n].join(" INTERSECT ")).await;
    let columns = |n| vec!["SCHEMA_NAME"; n].join(", ");
    takes(&mut conn, "operands", 90, |n| format!("SELECT CONCAT({}) FROM information_schema.SCHEMATA", columns(n)))
        .await;
    takes(&mut conn, "like_pattern", 16 * 1024, |n| format!("SELECT 'a' LIKE '{}'", "a".repeat(n))).await;
    proxy.assert_no_panic();
}

#[tokio::test]
async fn a_statement_has_as_many_parameters_as_fit_into_its_answer() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let statement = |n| format!("SELECT ref_key FROM trips WHERE row_key IN ({})", vec!["?"; n].join(", "));
    let prepared = conn.prep(statement(65_535)).await.unwrap();
    assert_eq!(prepared.num_params(), 65_535);
    let error = conn.prep(statement(65_536)).await.expect_err("refused");
    let refused = Refusal::of(&error).unwrap_or_else(|| panic!("{error}"));
    assert!(refused.code == 1104 && refused.message.ends_with("(parameters)"), "{refused:?}");
}

#[tokio::test]
async fn a_transaction_has_a_thousand_savepoints() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    run(&mut conn, "BEGIN").await;
    put(&mut conn, &triple("kept", "BASE", 1), "1").await.unwrap();
    for n in 0..1000 {
        run(&mut conn, &format!("SAVEPOINT s{n}")).await;
    }
    put(&mut conn, &triple("undone", "BASE", 1), "1").await.unwrap();
    let refused = client::refused(&mut conn, "SAVEPOINT one_more").await;
    assert!(refused.code == 1197 && refused.message.contains("1000"), "{refused:?}");
    // One of a name that is there takes its place, and those behind another go with it.
    run(&mut conn, "SAVEPOINT s999").await;
    run(&mut conn, "ROLLBACK TO s998").await;
    run(&mut conn, "SAVEPOINT one_more").await;
    run(&mut conn, "COMMIT").await;
    assert_eq!(rows::<u64>(&mut conn, "SELECT COUNT(*) FROM trips").await, [1]);
}
