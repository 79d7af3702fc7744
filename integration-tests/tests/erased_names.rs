//! The name of an erased cell is taken for ever, however it is written to.

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::client::{self, TRIPS, refused, rows, run};

const PUT: &str = "(row_key, column_key, ref_key, body) VALUES";

#[tokio::test]
async fn an_insert_ignore_that_skips_an_erased_name_writes_its_other_rows_once() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    run(&mut conn, &format!("INSERT INTO trips {PUT} ('gone', 'BASE', 1, '1')")).await;
    run(&mut conn, "DELETE FROM trips WHERE row_key = 'gone'").await;
    // Next versions on every cluster.
    let others: Vec<String> = (0..20).map(|n| format!("('r{n}', 'BASE', NULL, '1')")).collect();
    run(&mut conn, &format!("INSERT IGNORE INTO trips {PUT} {}, ('gone', 'BASE', 1, '1')", others.join(", "))).await;
    let versions: Vec<i64> = rows(&mut conn, "SELECT ref_key FROM trips").await;
    assert_eq!(versions, [1; 20]);
}

#[tokio::test]
async fn an_insert_of_an_erased_name_in_a_transaction_is_refused_at_once_and_the_transaction_goes_on() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    run(&mut conn, &format!("INSERT INTO trips {PUT} ('gone', 'BASE', 1, '1')")).await;
    run(&mut conn, "DELETE FROM trips WHERE row_key = 'gone'").await;
    run(&mut conn, "BEGIN").await;
    run(&mut conn, &format!("INSERT INTO trips {PUT} ('kept', 'BASE', 1, '1')")).await;
    let statement = format!("INSERT INTO trips {PUT} ('also', 'BASE', 1, '1'), ('gone', 'BASE', 1, '1')");
    assert_eq!(refused(&mut conn, &statement).await.code, 1062);
    run(&mut conn, "COMMIT").await;
    let kept: Vec<String> = rows(&mut conn, "SELECT row_key FROM trips").await;
    assert_eq!(kept, ["kept"]);
}

#[tokio::test]
async fn a_statement_without_a_version_left_adds_nothing_to_its_transaction() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    run(&mut conn, &format!("INSERT INTO trips {PUT} ('full', 'BASE', {}, '1')", i64::MAX)).await;
    run(&mut conn, "BEGIN").await;
    refused(&mut conn, &format!("INSERT INTO trips {PUT} ('also', 'BASE', 1, '1'), ('full', 'BASE', NULL, '1')")).await;
    run(&mut conn, "COMMIT").await;
    let kept: Vec<String> = rows(&mut conn, "SELECT row_key FROM trips").await;
    assert_eq!(kept, ["full"]);
}
