//! LOCK TABLES and FLUSH TABLES WITH READ LOCK: who waits for them, and by what a statement goes that has waited.

use cellgate_integration_tests::{Deployment, client, wait};

use super::{LIMIT, until_it_runs};

#[tokio::test]
async fn a_write_that_waited_for_a_lock_has_all_its_time() {
    let proxy = Deployment::configured("[timeouts]\nstatement = \"3s\"").start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut root, client::TRIPS).await;
    client::run(&mut root, "LOCK TABLES trips WRITE").await;
    let own = conn.id();
    let writing = async {
        client::run(&mut conn, "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1')").await;
        client::rows::<String>(&mut conn, "SELECT body FROM trips WHERE row_key = 'a'").await
    };
    let unlocking = async {
        until_it_runs(&mut root, own, "INSERT").await;
        // Longer than the write would have, which those here are, too.
        for _ in 0..3 {
            client::run(&mut root, "DO SLEEP(1.2)").await;
        }
        client::run(&mut root, "UNLOCK TABLES").await;
    };
    let (found, ()) = tokio::join!(writing, unlocking);
    assert_eq!(found, ["1"]);
}

#[tokio::test]
async fn the_process_list_shows_who_waits_for_a_table_and_who_holds_it() {
    let proxy = Deployment::embedded().start();
    let (mut root, mut conn) = (client::connect(proxy.mysql()).await, client::connect(proxy.mysql()).await);
    client::run(&mut root, client::TRIPS).await;
    let own = conn.id();
    for (lock, waiting) in [
        ("LOCK TABLES trips READ", "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1')"),
        ("FLUSH TABLES WITH READ LOCK", "CREATE DATABASE more"),
        ("LOCK TABLES trips WRITE", "LOCK TABLES trips READ"),
    ] {
        let mut holder = client::connect(proxy.mysql()).await;
        let holder_id = holder.id();
        client::run(&mut holder, lock).await;
        let looking = async {
            let waits = "SELECT id FROM information_schema.processlist WHERE state LIKE 'Waiting for %'";
            wait::until_async("the waiting statement", LIMIT, async || {
                (client::rows::<u32>(&mut root, waits).await == [own]).then_some(())
            })
            .await;
            let holds = "SELECT id FROM information_schema.processlist WHERE state LIKE '%holds table locks'";
            let found: Vec<u32> = client::rows(&mut root, holds).await;
            assert_eq!(found, [holder_id], "{lock}");
            client::run(&mut root, &format!("KILL {holder_id}")).await;
        };
        tokio::join!(client::run(&mut conn, waiting), looking);
        client::run(&mut conn, "UNLOCK TABLES").await;
    }
}

#[tokio::test]
async fn a_write_that_waited_for_a_lock_goes_by_what_its_holder_made_of_the_table() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut root, "CREATE TABLE shaped (x JSON) ENGINE=CELLS").await;
    client::run(&mut root, "LOCK TABLES shaped WRITE").await;
    let own = conn.id();
    let writing = client::run(&mut conn, "INSERT INTO shaped (row_key, x) VALUES ('a', '1')");
    let altering = async {
        until_it_runs(&mut root, own, "INSERT").await;
        // Another column of the same name, and under another key.
        client::run(&mut root, "ALTER TABLE shaped DROP COLUMN x, ADD COLUMN x JSON").await;
        client::run(&mut root, "UNLOCK TABLES").await;
    };
    tokio::join!(writing, altering);
    let found: Vec<String> = client::rows(&mut root, "SELECT x FROM shaped WHERE row_key = 'a'").await;
    assert_eq!(found, ["1"]);
}

#[tokio::test]
async fn drop_database_waits_for_locks_on_its_tables_and_obeys_those_of_its_own_session() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut root, "CREATE DATABASE trash").await;
    client::run(&mut root, "USE trash").await;
    client::run(&mut root, client::TRIPS).await;
    client::run(&mut conn, "SET lock_wait_timeout = 1").await;
    for (lock, own) in [("LOCK TABLES trips READ", 1192), ("FLUSH TABLES WITH READ LOCK", 1223)] {
        client::run(&mut root, lock).await;
        assert_eq!(client::refused(&mut root, "DROP DATABASE trash").await.code, own, "{lock}");
        assert_eq!(client::refused(&mut conn, "DROP DATABASE trash").await.code, 1205, "{lock}");
        client::run(&mut root, "UNLOCK TABLES").await;
    }
    client::run(&mut conn, "DROP DATABASE trash").await;
}

#[tokio::test]
async fn what_is_beside_tables_waits_for_who_has_locked_everything_whatever_they_begin() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut root, client::TRIPS).await;
    client::run(&mut conn, "SET lock_wait_timeout = 1").await;
    client::run(&mut root, "FLUSH TABLES WITH READ LOCK").await;
    let statements = [
        "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1')",
        "CREATE DATABASE more",
        "ALTER DATABASE test COLLATE utf8mb4_bin",
        "CREATE USER app",
        "GRANT SELECT ON test.* TO root",
    ];
    for own in ["START TRANSACTION WITH CONSISTENT SNAPSHOT", "LOCK TABLES trips READ", "COMMIT"] {
        client::run(&mut root, own).await;
        for statement in statements {
            assert_eq!(client::refused(&mut conn, statement).await.code, 1205, "{statement} behind {own}");
        }
    }
    client::run(&mut root, "UNLOCK TABLES").await;
    for statement in &statements[..4] {
        client::run(&mut conn, statement).await;
    }
    // Under LOCK TABLES the table of accounts is one that it does not name, as in MySQL.
    client::run(&mut root, "LOCK TABLES trips WRITE").await;
    let refused = client::refused(&mut root, "GRANT SELECT ON test.* TO app").await;
    assert_eq!((refused.code, refused.message.as_str()), (1100, "Table 'user' was not locked with LOCK TABLES"));
    client::run(&mut conn, "GRANT SELECT ON test.* TO app").await;
}

#[tokio::test]
async fn a_lock_that_was_waited_for_is_judged_by_what_its_holder_left() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut holder = client::connect(proxy.mysql()).await;
    client::run(&mut root, client::TRIPS).await;
    client::run(&mut root, "CREATE TABLE riders LIKE trips").await;
    client::run(&mut root, "CREATE USER locker IDENTIFIED BY 'a-password'").await;
    client::run(&mut root, "GRANT ADMIN ON *.* TO locker").await;
    client::run(&mut root, "GRANT SELECT, LOCK TABLES ON test.* TO locker").await;
    let options = client::options(proxy.mysql()).user(Some("locker")).pass(Some("a-password"));
    let mut locker = client::try_connect(options).await.unwrap();
    let id = locker.id();
    for (lock, by_holder, by_root, code) in [
        ("LOCK TABLES trips READ", "DROP TABLE trips", "DO 0", 1146),
        ("LOCK TABLES riders READ, trips READ", "DROP TABLE trips", "DO 0", 1146),
        ("LOCK TABLES trips READ", "DO 0", "REVOKE LOCK TABLES ON test.* FROM locker", 1142),
        ("FLUSH TABLES WITH READ LOCK", "DO 0", "REVOKE ADMIN ON *.* FROM locker", 1227),
    ] {
        client::run(&mut root, "CREATE TABLE IF NOT EXISTS trips LIKE riders").await;
        client::run(&mut holder, "LOCK TABLES trips WRITE").await;
        let changing = async {
            until_it_runs(&mut root, id, &lock[..lock.find(' ').unwrap()]).await;
            client::run(&mut root, by_root).await;
            client::run(&mut holder, by_holder).await;
            client::run(&mut holder, "UNLOCK TABLES").await;
        };
        let (refused, ()) = tokio::join!(client::refused(&mut locker, lock), changing);
        assert_eq!(refused.code, code, "{lock}, {by_holder}, {by_root}");
        // It has locked nothing.
        client::rows::<u64>(&mut locker, "SELECT COUNT(*) FROM riders WHERE row_key = 'a'").await;
        client::run(&mut root, "INSERT INTO riders (row_key, column_key, body) VALUES ('a', 'BASE', '1')").await;
    }
}

#[tokio::test]
async fn locked_tables_are_let_go_of_also_if_the_commit_before_is_refused() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    client::run(&mut root, client::TRIPS).await;
    client::run(&mut root, "CREATE TABLE riders LIKE trips").await;
    client::run(&mut root, "SET lock_wait_timeout = 1").await;
    client::run(&mut root, "CREATE USER locker IDENTIFIED BY 'a-password'").await;
    client::run(&mut root, "GRANT SELECT, INSERT, ERASE, LOCK TABLES ON test.* TO locker").await;
    let options = client::options(proxy.mysql()).user(Some("locker")).pass(Some("a-password"));
    let mut locker = client::try_connect(options).await.unwrap();
    client::run(&mut locker, "SET autocommit = 0").await;
    client::put(&mut root, &client::triple("a", "BASE", 1), "1").await.unwrap();
    for (version, ends) in (2..).zip(["UNLOCK TABLES", "START TRANSACTION", "LOCK TABLES riders READ"]) {
        client::run(&mut locker, "LOCK TABLES trips WRITE").await;
        client::run(&mut locker, "DELETE FROM trips WHERE row_key = 'a'").await;
        client::run(&mut locker, "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'LOCKED', '1')").await;
        client::run(&mut root, "REVOKE INSERT ON test.* FROM locker").await;
        let refused = client::refused(&mut locker, ends).await;
        let rolled_back = refused.message.ends_with("; the transaction is rolled back");
        assert!(refused.code == 1142 && rolled_back, "{ends}: {refused:?}");
        // What it has erased is not, and that is said.
        let warned: Vec<(String, u16, String)> = client::rows(&mut locker, "SHOW WARNINGS").await;
        let codes: Vec<u16> = warned.iter().map(|(_, code, _)| *code).collect();
        assert_eq!(codes, [1196, 1142], "{ends}");
        client::put(&mut root, &client::triple("a", "BASE", version), "1").await.unwrap();
        // What relied on the lock is not committed without it.
        client::run(&mut root, "GRANT INSERT ON test.* TO locker").await;
        client::run(&mut locker, "COMMIT").await;
        let found: Vec<String> =
            client::rows(&mut root, "SELECT DISTINCT column_key FROM trips WHERE row_key = 'a'").await;
        assert_eq!(found, ["BASE"], "{ends}");
    }
}

#[tokio::test]
async fn who_may_only_read_a_table_may_not_keep_others_from_it() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    client::run(&mut root, client::TRIPS).await;
    client::run(&mut root, "CREATE USER reader IDENTIFIED BY 'a-password'").await;
    client::run(&mut root, "GRANT SELECT ON test.* TO reader").await;
    let options = client::options(proxy.mysql()).user(Some("reader")).pass(Some("a-password"));
    let mut reader = client::try_connect(options).await.unwrap();
    for mode in ["READ", "WRITE"] {
        let refused = client::refused(&mut reader, &format!("LOCK TABLES trips {mode}")).await;
        assert_eq!(refused.code, 1142);
        assert!(refused.message.starts_with("LOCK TABLES command denied"), "{}", refused.message);
    }
    client::run(&mut root, "GRANT LOCK TABLES ON test.* TO reader").await;
    client::run(&mut reader, "LOCK TABLES trips READ").await;
    client::run(&mut reader, "UNLOCK TABLES").await;
    client::run(&mut root, "REVOKE LOCK TABLES ON test.* FROM reader").await;
    client::run(&mut root, "GRANT ERASE ON test.trips TO reader").await;
    client::run(&mut reader, "LOCK TABLES trips WRITE").await;
}
