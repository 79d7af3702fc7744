//! What is left of statements that are refused or killed: what they commit first, what SHOW WARNINGS and SET TRANSACTION
//! say behind them.

use cellgate_integration_tests::client::{self, put, refused, rows, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, Proxy, wait};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{LIMIT, number};

/// Somebody who may read and write `trips` and no more, and somebody who may do everything.
async fn writer_and_root(proxy: &Proxy) -> [Conn; 2] {
    let mut root = client::connect(proxy.mysql()).await;
    run(&mut root, client::TRIPS).await;
    run(&mut root, "CREATE TABLE riders LIKE trips").await;
    run(&mut root, "CREATE USER writer IDENTIFIED BY 'a-password'").await;
    run(&mut root, "GRANT SELECT, INSERT, ERASE ON test.trips TO writer").await;
    let options = client::options(proxy.mysql()).user(Some("writer")).pass(Some("a-password"));
    [client::try_connect(options).await.unwrap(), root]
}

async fn count(conn: &mut Conn) -> i64 {
    rows::<i64>(conn, "SELECT COUNT(*) FROM trips").await[0]
}

/// The numbers of what SHOW WARNINGS shows.
async fn shown(conn: &mut Conn) -> Vec<u16> {
    let shown: Vec<(String, u16, String)> = rows(conn, "SHOW WARNINGS").await;
    shown.into_iter().map(|(_, code, _)| code).collect()
}

#[tokio::test]
async fn what_commits_first_has_done_so_also_if_it_is_refused() {
    let proxy = Deployment::embedded().start();
    let [mut one, mut root] = writer_and_root(&proxy).await;
    for (version, (statement, code)) in (1..).zip([
        ("DROP TABLE trips", 1142),
        ("CREATE TABLE more LIKE trips", 1142),
        ("LOCK TABLES riders READ", 1142),
        ("LOCK TABLES trips READ, nothing READ", 1142),
        ("CREATE DATABASE more", 1044),
        ("CREATE USER somebody", 1227),
        ("GRANT SELECT ON test.* TO writer", 1227),
    ]) {
        run(&mut one, "BEGIN").await;
        put(&mut one, &triple("a", "BASE", version), "1").await.unwrap();
        // Of the statement before.
        run(&mut one, "SELECT 1 / 0").await;
        assert_eq!(refused(&mut one, statement).await.code, code, "{statement}");
        assert_eq!(shown(&mut one).await, [code], "{statement}");
        run(&mut one, "ROLLBACK").await;
        assert_eq!(count(&mut root).await, version, "{statement}");
    }
    let committed = count(&mut root).await;
    for (statement, code) in [("DROP TABEL trips", 1064), ("LOCK TABLES trips", 1064)] {
        run(&mut one, "BEGIN").await;
        put(&mut one, &triple("b", "BASE", 1), "1").await.unwrap();
        assert_eq!(refused(&mut one, statement).await.code, code, "{statement}");
        run(&mut one, "ROLLBACK").await;
        assert_eq!(count(&mut root).await, committed, "{statement}");
    }
}

#[tokio::test]
async fn a_commit_that_fails_before_refused_ddl_says_that_what_was_erased_is_not_rolled_back() {
    let proxy = Deployment::embedded().start();
    let [mut one, mut holder] = writer_and_root(&proxy).await;
    run(&mut one, "SET lock_wait_timeout = 1").await;
    for (version, statement) in (1..).zip(["DROP TABLE nothing", "LOCK TABLES nothing READ", "DROP TABLE riders"]) {
        put(&mut one, &triple("a", "BASE", version), "1").await.unwrap();
        run(&mut one, "BEGIN").await;
        run(&mut one, "DELETE FROM trips WHERE row_key = 'a'").await;
        put(&mut one, &triple("b", "BASE", 1), "1").await.unwrap();
        run(&mut holder, "LOCK TABLES trips READ").await;
        run(&mut one, "SELECT 1 / 0").await;
        assert_eq!(refused(&mut one, statement).await.code, 1213, "{statement}");
        assert_eq!(shown(&mut one).await, [1196, 1213], "{statement}");
        run(&mut holder, "UNLOCK TABLES").await;
    }
    assert_eq!(count(&mut one).await, 0);
}

#[tokio::test]
async fn a_commit_without_rights_does_not_use_up_that_locks_were_lost() {
    let mut builder = Builder::new();
    let meta = builder.shared_mariadb_database();
    let proxy = builder.topology(SHARDS, Some(&meta)).shared_mariadb("m").build().start();
    let database = meta.rsplit('/').next().unwrap();
    let [mut one, mut root] = writer_and_root(&proxy).await;
    let mut holder = client::connect(proxy.mysql()).await;
    let id = one.id();
    assert_eq!(rows::<i64>(&mut one, "SELECT GET_LOCK('a', 0)").await, [1]);
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    run(&mut holder, "LOCK TABLES trips READ").await;
    let losing = async {
        super::until_it_runs(&mut root, id, "COMMIT").await;
        run(&mut root, "REVOKE INSERT ON test.trips FROM writer").await;
        MariaDb::shared().execute(&format!("DELETE FROM `{database}`.cg_meta WHERE name = 'locks'"));
    };
    let (refusal, ()) = tokio::join!(refused(&mut one, "COMMIT"), losing);
    assert_eq!(refusal.code, 1142, "{refusal:?}");
    let lost = refused(&mut one, "SELECT COUNT(*) FROM trips").await;
    assert!(lost.code == 1205 && lost.message.contains("were lost"), "{lost:?}");
}

#[tokio::test]
async fn set_transaction_is_used_up_by_a_select_that_is_killed() {
    let mut builder = Builder::new();
    let url = builder.shared_mariadb_database();
    let proxy = builder.topology(SHARDS, None).cluster("m", &url).build().start();
    let (mut one, mut root) = (client::connect(proxy.mysql()).await, client::connect(proxy.mysql()).await);
    run(&mut one, client::TRIPS).await;
    let id = one.id();
    let mut operator = Conn::from_url(&url).await.unwrap();
    let mut watcher = Conn::from_url(&url).await.unwrap();
    let stored: Vec<String> = rows(&mut operator, "SHOW TABLES LIKE 'trips%'").await;
    run(&mut operator, &format!("LOCK TABLES `{}` WRITE", stored[0])).await;
    run(&mut one, "SET TRANSACTION READ ONLY").await;
    let killing = async {
        let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND \
                       state LIKE 'Waiting for table%'";
        wait::until_async("the read waits in its store", LIMIT, async || {
            (rows::<i64>(&mut watcher, waiting).await[0] > 0).then_some(())
        })
        .await;
        run(&mut root, &format!("KILL QUERY {id}")).await;
    };
    let (outcome, ()) = tokio::join!(one.query_drop("SELECT COUNT(*) FROM trips WHERE row_key = 'a'"), killing);
    assert_eq!(number(outcome), 1317);
    run(&mut operator, "UNLOCK TABLES").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
}

#[tokio::test]
async fn a_change_that_went_on_behind_kill_and_failed_is_in_the_log() {
    let mut builder = Builder::new();
    let meta = builder.shared_mariadb_database();
    let proxy = builder.topology(SHARDS, Some(&meta)).shared_mariadb("m").build().start();
    let address = proxy.mysql();
    let (mut one, mut two, mut root) =
        (client::connect(address).await, client::connect(address).await, client::connect(address).await);
    let database = meta.rsplit('/').next().unwrap();
    let mut operator = Conn::from_url(MariaDb::shared().url(database)).await.unwrap();
    run(&mut operator, "BEGIN").await;
    run(&mut operator, "SELECT * FROM cg_meta FOR UPDATE").await;
    let (first, second) = (one.id(), two.id());
    let killing = async {
        for id in [first, second] {
            super::until_it_runs(&mut root, id, "CREATE DATABASE").await;
            run(&mut root, &format!("KILL QUERY {id}")).await;
        }
    };
    // One of them comes first.
    let (first, second, ()) =
        tokio::join!(refused(&mut one, "CREATE DATABASE more"), refused(&mut two, "CREATE DATABASE more"), killing);
    for refusal in [first, second] {
        assert!(refusal.code == 1317 && refusal.message.ends_with("the change goes on"), "{refusal:?}");
    }
    run(&mut operator, "ROLLBACK").await;
    proxy.until_logged("the one that came second", |log| {
        log.contains("nobody waited for any more has failed") && log.contains("database exists")
    });
}

#[tokio::test]
async fn who_was_told_that_kill_ended_its_wait_for_a_lock_does_not_have_it() {
    let proxy = Deployment::configured("[limits]\nthreads = 4\n").start();
    let address = proxy.mysql();
    let (mut holder, mut waiter, mut root) =
        (client::connect(address).await, client::connect(address).await, client::connect(address).await);
    let id = waiter.id();
    let (mut ended, mut got) = (0, 0);
    for round in 0..200 {
        assert_eq!(rows::<i64>(&mut holder, "SELECT GET_LOCK('a', 60)").await, [1]);
        let meanwhile = async {
            super::until_it_runs(&mut root, id, "SELECT GET_LOCK").await;
            // Both at the same time, and in turn one a little before the other.
            let (kill, release) = (format!("KILL QUERY {id}"), "DO RELEASE_LOCK('a')");
            if round % 2 == 0 {
                tokio::join!(run(&mut root, &kill), run(&mut holder, release));
            } else {
                tokio::join!(run(&mut holder, release), run(&mut root, &kill));
            }
        };
        let waiting = async { waiter.query_first::<i64, _>("SELECT GET_LOCK('a', 60)").await };
        let (outcome, ()) = tokio::join!(waiting, meanwhile);
        let held: Option<Option<u32>> = root.query_first("SELECT IS_USED_LOCK('a')").await.unwrap();
        if let Ok(told) = &outcome {
            assert_eq!((*told, held), (Some(1), Some(Some(id))), "round {round}");
            got += 1;
        } else {
            assert_eq!((number(outcome), held), (1317, Some(None)), "round {round}");
            ended += 1;
        }
        run(&mut waiter, "DO RELEASE_ALL_LOCKS()").await;
    }
    assert!(ended > 0, "{ended} ended, {got} got it");
}

#[tokio::test]
async fn a_lock_that_is_held_twice_is_held_once_behind_a_statement_that_is_killed() {
    let proxy = Deployment::embedded().start();
    let (mut one, mut root) = (client::connect(proxy.mysql()).await, client::connect(proxy.mysql()).await);
    assert_eq!(rows::<i64>(&mut one, "SELECT GET_LOCK('a', 0)").await, [1]);
    let id = one.id();
    let meanwhile = async {
        super::until_it_runs(&mut root, id, "SELECT GET_LOCK").await;
        run(&mut root, &format!("KILL QUERY {id}")).await;
    };
    let (outcome, ()) = tokio::join!(one.query_drop("SELECT GET_LOCK('a', 0), GET_LOCK('b', 0), SLEEP(60)"), meanwhile);
    assert_eq!(number(outcome), 1317);
    assert_eq!(rows::<Option<i64>>(&mut root, "SELECT IS_USED_LOCK('b')").await, [None]);
    let released = rows::<(Option<i64>, Option<i64>)>(&mut one, "SELECT RELEASE_LOCK('a'), RELEASE_LOCK('a')").await;
    assert_eq!(released, [(Some(1), None)]);
}
