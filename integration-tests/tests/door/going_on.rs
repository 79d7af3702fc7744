//! What goes on although its client was killed: it keeps locks.

use cellgate_integration_tests::client::{self, refused, rows, run};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::wait;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{LIMIT, until_it_runs};

#[tokio::test]
async fn a_lock_on_a_renamed_table_waits_for_what_was_let_in_under_the_old_name() {
    let mut builder = Builder::new();
    let url = builder.shared_mariadb_database();
    let text = "[timeouts]\nlock = \"30s\"\n";
    let proxy = builder.topology(SHARDS, None).cluster("m", &url).text(text).build().start();
    let mut operator = Conn::from_url(&url).await.unwrap();
    let (mut gone, mut other) = (client::connect(proxy.mysql()).await, client::connect(proxy.mysql()).await);
    run(&mut gone, client::TRIPS).await;
    let id = gone.id();
    run(&mut operator, "BEGIN").await;
    run(&mut operator, "SELECT * FROM cg_head FOR UPDATE").await;
    // Not INNODB_TRX, which is not made anew for who looks more often than ten times a second.
    let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() \
                   AND command IN ('Query', 'Execute') AND time_ms > 200";
    let killing = async {
        wait::until_async("the write waits in its store", LIMIT, async || {
            (rows::<i64>(&mut operator, waiting).await == [1]).then_some(())
        })
        .await;
        run(&mut other, &format!("KILL {id}")).await;
    };
    let insert = "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1'), ('b', 'BASE', '1')";
    let (killed, ()) = tokio::join!(gone.query_drop(insert), killing);
    assert!(killed.is_err());
    run(&mut other, "RENAME TABLE trips TO old").await;
    run(&mut other, "SET lock_wait_timeout = 1").await;
    assert_eq!(refused(&mut other, "LOCK TABLES old READ").await.code, 1205);
    run(&mut operator, "ROLLBACK").await;
    run(&mut other, "SET lock_wait_timeout = 60").await;
    run(&mut other, "LOCK TABLES old READ").await;
    assert_eq!(rows::<i64>(&mut other, "SELECT COUNT(*) FROM old").await, [2]);
}

#[tokio::test]
async fn kill_query_ends_the_waiting_for_a_change_of_the_catalog_and_the_change_goes_on() {
    let mut builder = Builder::new();
    let meta = builder.shared_mariadb_database();
    let builder = builder.topology(SHARDS, Some(&meta)).shared_mariadb("m");
    let deployment = builder.text("[meta]\nmax_stale = \"15s\"\n").build();
    let proxy = deployment.start();
    let (mut conn, mut root) = (client::connect(proxy.mysql()).await, client::connect(proxy.mysql()).await);
    run(&mut conn, client::TRIPS).await;
    // Another proxy that is gone without a word has to be waited for.
    deployment.start().kill();
    let id = conn.id();
    let killing = async {
        until_it_runs(&mut root, id, "DROP TABLE").await;
        run(&mut root, &format!("KILL QUERY {id}")).await;
    };
    let (refusal, ()) = tokio::join!(refused(&mut conn, "DROP TABLE trips"), killing);
    assert!(refusal.code == 1317 && refusal.message.ends_with("the change goes on"), "{refusal:?}");
    wait::until_async("the end of the table", LIMIT, async || {
        let there: Vec<String> = conn.query("SHOW TABLES").await.unwrap();
        there.is_empty().then_some(())
    })
    .await;
}
