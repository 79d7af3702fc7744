//! Buffered writes of a session: its own reads see them, nobody else's do, ROLLBACK drops them, COMMIT writes them.

use std::sync::Arc;
use std::time::Duration;

use cellgate_integration_tests::client::{self, Refusal, TRIPS, get, put, refused, rows, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::raw::{COM_QUERY, COM_QUIT, Raw, Reply};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, Proxy, wait};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, SslOpts};

const LIMIT: Duration = Duration::from_secs(60);

async fn two_sessions(deployment: &Arc<Deployment>) -> (Proxy, Conn, Conn) {
    let proxy = deployment.start();
    let mut one = client::connect(proxy.mysql()).await;
    let two = client::connect(proxy.mysql()).await;
    run(&mut one, TRIPS).await;
    (proxy, one, two)
}

async fn count(conn: &mut Conn) -> i64 {
    rows::<i64>(conn, "SELECT COUNT(*) FROM trips").await[0]
}

#[tokio::test]
async fn puts_after_begin_are_seen_by_their_own_session_only_until_commit() {
    let (_proxy, mut one, mut two) = two_sessions(&Deployment::mixed()).await;
    for begin in ["BEGIN", "START TRANSACTION"] {
        let before = count(&mut two).await;
        run(&mut one, begin).await;
        for row in 0..9 {
            assert_eq!(put(&mut one, &triple(&format!("{begin}-{row}"), "BASE", 1), "1").await.unwrap(), 1);
        }
        assert_eq!(count(&mut one).await, before + 9);
        assert_eq!(get(&mut one, &triple(&format!("{begin}-3"), "BASE", 1)).await.unwrap().as_deref(), Some("1"));
        assert_eq!(count(&mut two).await, before);
        assert_eq!(get(&mut two, &triple(&format!("{begin}-3"), "BASE", 1)).await.unwrap(), None);
        run(&mut one, "COMMIT").await;
        assert_eq!(count(&mut two).await, before + 9);
    }
}

#[tokio::test]
async fn rollback_drops_the_puts() {
    let (_proxy, mut one, mut two) = two_sessions(&Deployment::embedded()).await;
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    run(&mut one, "ROLLBACK").await;
    assert_eq!(count(&mut one).await, 0);
    assert_eq!(count(&mut two).await, 0);
    // The name is free.
    assert_eq!(put(&mut two, &triple("a", "BASE", 1), "2").await.unwrap(), 1);
}

#[tokio::test]
async fn an_insert_that_fails_at_returning_is_not_in_its_transaction() {
    let (_proxy, mut one, _two) = two_sessions(&Deployment::embedded()).await;
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('b', 'BASE', 1, '1')";
    let refusal = refused(&mut one, &format!("{insert} RETURNING ref_key + 9223372036854775807")).await;
    assert_eq!(refusal.code, 1690, "{refusal:?}");
    assert_eq!(count(&mut one).await, 1);
    run(&mut one, "COMMIT").await;
    assert_eq!(count(&mut one).await, 1, "the transaction went on without it");
    // Outside of a transaction it is stored by then.
    assert_eq!(refused(&mut one, &format!("{insert} RETURNING ref_key + 9223372036854775807")).await.code, 1690);
    assert_eq!(count(&mut one).await, 2);
}

#[tokio::test]
async fn autocommit_0_buffers_without_begin_and_turning_it_on_commits() {
    let (_proxy, mut one, mut two) = two_sessions(&Deployment::embedded()).await;
    run(&mut one, "SET autocommit=0").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    assert_eq!((count(&mut one).await, count(&mut two).await), (1, 0));
    run(&mut one, "COMMIT").await;
    assert_eq!(count(&mut two).await, 1);
    put(&mut one, &triple("a", "BASE", 2), "2").await.unwrap();
    run(&mut one, "SET autocommit=1").await;
    assert_eq!(count(&mut two).await, 2);
    put(&mut one, &triple("a", "BASE", 3), "3").await.unwrap();
    assert_eq!(count(&mut two).await, 3);
}

#[tokio::test]
async fn a_begin_within_a_transaction_commits_it() {
    let (_proxy, mut one, mut two) = two_sessions(&Deployment::embedded()).await;
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    run(&mut one, "BEGIN").await;
    assert_eq!(count(&mut two).await, 1);
    run(&mut one, "ROLLBACK").await;
    assert_eq!(count(&mut two).await, 1);
}

#[tokio::test]
async fn a_session_that_ends_takes_its_buffer_with_it() {
    let (_proxy, mut one, mut two) = two_sessions(&Deployment::embedded()).await;
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    one.disconnect().await.unwrap();
    assert_eq!(count(&mut two).await, 0);
}

#[tokio::test]
async fn commit_and_rollback_with_nothing_open_are_ok() {
    let (_proxy, mut one, _two) = two_sessions(&Deployment::embedded()).await;
    for statement in ["COMMIT", "ROLLBACK", "COMMIT"] {
        run(&mut one, statement).await;
    }
}

#[tokio::test]
async fn own_reads_merge_the_buffer_with_what_is_stored() {
    let (_proxy, mut one, _two) = two_sessions(&Deployment::mixed()).await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    put(&mut one, &triple("a", "BASE", 3), "3").await.unwrap();
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 2), "2").await.unwrap();
    put(&mut one, &triple("a", "BASE", 4), "4").await.unwrap();
    let versions: Vec<i64> =
        rows(&mut one, "SELECT ref_key FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key").await;
    assert_eq!(versions, [1, 2, 3, 4]);
    let latest: Vec<String> = rows(
        &mut one,
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1",
    )
    .await;
    assert_eq!(latest, ["4"]);
    let upto: Vec<String> = rows(
        &mut one,
        "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key <= 2 \
         ORDER BY ref_key DESC LIMIT 1",
    )
    .await;
    assert_eq!(upto, ["2"]);
    run(&mut one, "ROLLBACK").await;
    let versions: Vec<i64> =
        rows(&mut one, "SELECT ref_key FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key").await;
    assert_eq!(versions, [1, 3]);
}

#[tokio::test]
async fn a_duplicate_is_refused_at_the_latest_at_commit_and_then_nothing_of_that_cluster_is_in() {
    let (_proxy, mut one, mut two) = two_sessions(&Deployment::configured(
        // One cluster: the transaction stands or falls as a whole.
        "[topology]\nvirtual_shards = 16\n[[cluster]]\nname = \"only\"\nprimary = \"sqlite:only.db\"\n",
    ))
    .await;
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    put(&mut one, &triple("b", "BASE", 1), "1").await.unwrap();
    put(&mut two, &triple("b", "BASE", 1), "other").await.unwrap_err();
    put(&mut two, &triple("b", "BASE", 1), "2").await.unwrap();
    let refusal: Refusal = refused(&mut one, "COMMIT").await;
    assert!([1062, 1213].contains(&refusal.code), "{refusal:?}");
    assert_eq!(get(&mut two, &triple("a", "BASE", 1)).await.unwrap(), None);
    assert_eq!(get(&mut two, &triple("b", "BASE", 1)).await.unwrap().as_deref(), Some("2"));
    // The session goes on.
    assert_eq!(put(&mut one, &triple("a", "BASE", 1), "3").await.unwrap(), 1);
}

#[tokio::test]
async fn committed_cells_of_a_transaction_survive_a_kill() {
    let (mut proxy, mut one, two) = two_sessions(&Deployment::mixed()).await;
    run(&mut one, "BEGIN").await;
    for row in 0..9 {
        put(&mut one, &triple(&format!("row-{row}"), "BASE", 1), "1").await.unwrap();
    }
    run(&mut one, "COMMIT").await;
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("row-0", "BASE", 2), "2").await.unwrap();
    proxy.kill();
    drop((one, two));
    proxy.restart();
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(count(&mut conn).await, 9);
}

#[tokio::test]
async fn a_commit_to_a_table_that_is_gone_writes_nothing_at_all() {
    let (_proxy, mut one, mut two) = two_sessions(&Deployment::embedded()).await;
    run(&mut one, "CREATE TABLE gone ENGINE=CELLS").await;
    for empty in ["TRUNCATE TABLE gone", "DROP TABLE gone"] {
        run(&mut one, "BEGIN").await;
        for row in 0..9 {
            put(&mut one, &triple(&format!("kept-{row}"), "BASE", 1), "1").await.unwrap();
            let text =
                format!("INSERT INTO gone (row_key, column_key, ref_key, body) VALUES ('g{row}', 'BASE', 1, '1')");
            run(&mut one, &text).await;
        }
        run(&mut two, empty).await;
        assert_eq!(refused(&mut one, "COMMIT").await.code, 1412, "{empty}");
        assert_eq!(count(&mut two).await, 0, "{empty}");
        // The transaction is over, and an empty one commits.
        run(&mut one, "COMMIT").await;
        assert_eq!(count(&mut one).await, 0, "{empty}");
    }
}

#[tokio::test]
async fn a_commit_waits_for_who_has_locked_its_table_whatever_the_table_was_called_before() {
    let (proxy, mut one, mut two) = two_sessions(&Deployment::embedded()).await;
    let mut three = client::connect(proxy.mysql()).await;
    run(&mut one, "SET lock_wait_timeout = 1").await;
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    run(&mut two, "RENAME TABLE trips TO moved").await;
    run(&mut two, "LOCK TABLES moved WRITE").await;
    let late = refused(&mut one, "COMMIT").await;
    assert_eq!((late.code, late.message.contains("moved")), (1213, true), "{late:?}");
    assert_eq!(rows::<i64>(&mut two, "SELECT COUNT(*) FROM moved").await, [0]);
    run(&mut two, "UNLOCK TABLES").await;
    // Another table by the name of before is in nobody's way.
    run(&mut two, "RENAME TABLE moved TO trips").await;
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    run(&mut two, "RENAME TABLE trips TO moved").await;
    run(&mut two, TRIPS).await;
    run(&mut two, "LOCK TABLES trips WRITE").await;
    run(&mut one, "COMMIT").await;
    assert_eq!(rows::<i64>(&mut three, "SELECT COUNT(*) FROM moved").await, [1]);
    assert_eq!(count(&mut two).await, 0);
}

#[tokio::test]
async fn its_own_cell_is_seen_by_every_read_though_another_writer_was_faster() {
    let (_proxy, mut one, mut two) = two_sessions(&Deployment::mixed()).await;
    put(&mut one, &triple("w", "BASE", 0), "0").await.unwrap();
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("w", "BASE", 1), "1").await.unwrap();
    put(&mut two, &triple("w", "BASE", 1), "2").await.unwrap();
    put(&mut two, &triple("w", "BASE", 2), "3").await.unwrap();
    for (rest, bodies) in [
        ("row_key = 'w' AND column_key = 'BASE' AND ref_key = 1", &["1"][..]),
        ("row_key = 'w' AND column_key = 'BASE' AND ref_key <= 1 ORDER BY ref_key DESC LIMIT 1", &["1"]),
        ("row_key = 'w' ORDER BY ref_key", &["0", "1", "3"]),
        ("row_key = 'w' ORDER BY ref_key DESC", &["3", "1", "0"]),
        ("row_key IN ('v', 'w') AND column_key = 'BASE' AND ref_key >= 1 ORDER BY ref_key", &["1", "3"]),
        ("row_key LIKE 'w%' ORDER BY ref_key", &["0", "1", "3"]),
    ] {
        assert_eq!(rows::<String>(&mut one, &format!("SELECT body FROM trips WHERE {rest}")).await, bodies, "{rest}");
    }
    // They have no place in the log yet.
    let of_log = "SELECT body FROM trips WHERE added_id > 0 ORDER BY body";
    assert_eq!(rows::<String>(&mut one, of_log).await, ["0", "2", "3"]);
    assert_eq!(refused(&mut one, "COMMIT").await.code, 1213);
}

#[tokio::test]
async fn its_own_cells_come_in_the_order_of_shards_and_rows_are_made_of_them_in_any_shard() {
    let (_proxy, mut one, _) = two_sessions(&Deployment::mixed()).await;
    run(&mut one, "CREATE TABLE riders (PROFILE JSON) ENGINE=CELLS").await;
    for row in 0..20 {
        put(&mut one, &triple(&format!("old-{row}"), "BASE", 1), "1").await.unwrap();
    }
    run(&mut one, "INSERT INTO riders (row_key, PROFILE) VALUES ('a', '1')").await;
    run(&mut one, "BEGIN").await;
    for row in 0..20 {
        put(&mut one, &triple(&format!("own-{row}"), "BASE", 1), "1").await.unwrap();
    }
    let read = "SELECT shard, added_id FROM trips ORDER BY shard, added_id";
    let all: Vec<(u16, u64)> = rows(&mut one, read).await;
    assert!(all.len() == 40 && all.is_sorted(), "{all:?}");
    assert_eq!(rows::<(u16, u64)>(&mut one, &format!("{read} LIMIT 15")).await, all[..15]);
    run(&mut one, "INSERT INTO riders (row_key, PROFILE) VALUES ('a', '2')").await;
    let found: Vec<(u16, String)> = rows(&mut one, "SELECT SHARD_OF('a'), PROFILE FROM riders").await;
    let shard = found[0].0;
    for of in [format!("PARTITION (p{shard})"), "WHERE shard = SHARD_OF('a')".to_owned()] {
        let found: Vec<String> = rows(&mut one, &format!("SELECT PROFILE FROM riders {of}")).await;
        assert_eq!(found, ["2"], "{of}");
    }
    let elsewhere = format!("SELECT PROFILE FROM riders PARTITION (p{})", (u32::from(shard) + 1) % SHARDS);
    assert_eq!(rows::<String>(&mut one, &elsewhere).await, [""; 0]);
}

#[tokio::test]
async fn a_read_only_session_changes_nothing_at_all() {
    let (_proxy, mut one, _) = two_sessions(&Deployment::embedded()).await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    run(&mut one, "SET SESSION TRANSACTION READ ONLY").await;
    for statement in [
        "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 2, '2')",
        "DELETE FROM trips WHERE row_key = 'a'",
        "TRUNCATE TABLE trips",
        "DROP TABLE trips",
        "ALTER TABLE trips RENAME TO other",
        "CREATE TABLE other LIKE trips",
        "CREATE DATABASE other",
        "CREATE USER other@'%' IDENTIFIED BY 'x'",
    ] {
        assert_eq!(refused(&mut one, statement).await.code, 1792, "{statement}");
    }
    assert_eq!(count(&mut one).await, 1);
    // But for a transaction that says otherwise.
    run(&mut one, "START TRANSACTION READ WRITE").await;
    put(&mut one, &triple("a", "BASE", 2), "2").await.unwrap();
    run(&mut one, "COMMIT").await;
    assert_eq!(count(&mut one).await, 2);
}

#[tokio::test]
async fn set_transaction_is_about_the_next_statement_if_that_is_a_transaction() {
    let (_proxy, mut one, _) = two_sessions(&Deployment::embedded()).await;
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1')";
    run(&mut one, "SET TRANSACTION READ ONLY").await;
    assert_eq!(refused(&mut one, insert).await.code, 1792);
    // Refused is not run.
    assert_eq!(refused(&mut one, insert).await.code, 1792);
    assert_eq!(count(&mut one).await, 0);
    run(&mut one, insert).await;
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 2), "2").await.unwrap();
    run(&mut one, "COMMIT").await;
    assert_eq!(count(&mut one).await, 2);
}

#[tokio::test]
async fn a_commit_says_that_the_locks_it_relies_on_were_lost() {
    let mut builder = Builder::new();
    let meta = builder.shared_mariadb_database();
    let (_proxy, mut one, mut two) =
        two_sessions(&builder.topology(SHARDS, Some(&meta)).shared_mariadb("m").build()).await;
    let database = meta.rsplit('/').next().unwrap();
    assert_eq!(rows::<i64>(&mut one, "SELECT GET_LOCK('a', 0)").await, [1]);
    run(&mut one, "BEGIN").await;
    put(&mut one, &triple("a", "BASE", 1), "1").await.unwrap();
    MariaDb::shared().execute(&format!("DELETE FROM `{database}`.cg_meta WHERE name = 'locks'"));
    assert_eq!(rows::<i64>(&mut two, "SELECT IS_FREE_LOCK('a')").await, [1]);
    let lost = refused(&mut one, "COMMIT").await;
    let said = |lost: &Refusal| (lost.code, lost.message.contains("were lost"), lost.message.contains("rolled back"));
    // What is to be repeated is the transaction.
    assert_eq!(said(&lost), (1213, true, true), "{lost:?}");
    // The same again does not succeed without the lock: the transaction is over.
    run(&mut one, "COMMIT").await;
    assert_eq!(count(&mut two).await, 0);

    // Without one it is the statement.
    assert_eq!(rows::<i64>(&mut one, "SELECT GET_LOCK('a', 0)").await, [1]);
    MariaDb::shared().execute(&format!("DELETE FROM `{database}`.cg_meta WHERE name = 'locks'"));
    assert_eq!(rows::<i64>(&mut two, "SELECT IS_FREE_LOCK('a')").await, [1]);
    let lost = refused(&mut one, "SELECT COUNT(*) FROM trips").await;
    assert_eq!(said(&lost), (1205, true, false), "{lost:?}");
    assert_eq!(count(&mut one).await, 0);
}

#[tokio::test]
async fn a_write_whose_client_is_gone_keeps_locks_waiting_until_it_is_over() {
    let mut builder = Builder::new();
    let url = builder.shared_mariadb_database();
    let patient = "[timeouts]\nlock = \"30s\"";
    let (proxy, mut one, mut two) =
        two_sessions(&builder.topology(SHARDS, None).cluster("m", &url).text(patient).build()).await;
    let mut operator = Conn::from_url(&url).await.unwrap();
    // Not INNODB_TRX, which is not made anew for who looks more often than ten times a second.
    let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() \
                   AND command IN ('Query', 'Execute') AND time_ms > 200";
    let insert =
        |row: &str| format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('{row}', 'BASE', 1, '1')");
    for (buffered, write) in [(None, insert("a")), (Some(insert("b")), "COMMIT".to_owned())] {
        let mut gone = client::connect(proxy.mysql()).await;
        let id = gone.id();
        if let Some(buffered) = buffered {
            run(&mut gone, "BEGIN").await;
            run(&mut gone, &buffered).await;
        }
        let before = count(&mut two).await;
        run(&mut operator, "BEGIN").await;
        run(&mut operator, "SELECT * FROM cg_head FOR UPDATE").await;
        let killing = async {
            wait::until_async("the write waits in its store", wait::PATIENCE, async || {
                (rows::<i64>(&mut operator, waiting).await == [1]).then_some(())
            })
            .await;
            run(&mut one, &format!("KILL {id}")).await;
        };
        let (outcome, ()) = tokio::join!(gone.query_drop(write.as_str()), killing);
        assert!(outcome.is_err(), "{write}: it was killed");
        run(&mut two, "SET lock_wait_timeout = 1").await;
        assert_eq!(refused(&mut two, "LOCK TABLES trips READ").await.code, 1205, "{write} goes on");
        run(&mut operator, "ROLLBACK").await;
        run(&mut two, "SET lock_wait_timeout = 60").await;
        run(&mut two, "LOCK TABLES trips READ").await;
        assert_eq!(count(&mut two).await, before + 1, "{write} is over");
        run(&mut two, "UNLOCK TABLES").await;
    }
}

/// Until another client runs this.
async fn until_running(conn: &mut Conn, statement: &str) {
    let others = "SELECT info FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND info IS NOT NULL";
    wait::until_async(statement, LIMIT, async || {
        rows::<String>(conn, others).await.contains(&statement.to_owned()).then_some(())
    })
    .await;
}

/// Until no other client is connected.
async fn until_alone(conn: &mut Conn) {
    let all = "SELECT COUNT(*) FROM information_schema.processlist WHERE command <> 'Killed'";
    wait::until_async("the end of the other", LIMIT, async || (rows::<i64>(conn, all).await == [1]).then_some(()))
        .await;
}

#[tokio::test]
async fn a_client_that_goes_while_its_statement_waits_holds_nothing() {
    let (proxy, mut conn, other) = two_sessions(&Deployment::embedded()).await;
    other.disconnect().await.unwrap();
    run(&mut conn, "DO GET_LOCK('held', 0)").await;
    let waiting = ["SELECT SLEEP(3000)", "DO SLEEP(3000)", "SELECT GET_LOCK('held', 3000)", "DO GET_LOCK('held', -1)"];
    for (statement, says_quit) in waiting.into_iter().flat_map(|statement| [(statement, false), (statement, true)]) {
        let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
        assert_eq!(raw.query(b"SELECT GET_LOCK('mine', 0)").unwrap(), Reply::Rows(1));
        assert_eq!(raw.query(b"BEGIN").unwrap(), Reply::Ok);
        raw.command(COM_QUERY, statement.as_bytes()).unwrap();
        until_running(&mut conn, statement).await;
        if says_quit {
            raw.command(COM_QUIT, b"").unwrap();
        }
        drop(raw);
        assert_eq!(rows::<i64>(&mut conn, "SELECT GET_LOCK('mine', 60)").await, [1], "{statement}, {says_quit}");
        run(&mut conn, "DO RELEASE_LOCK('mine')").await;
        until_alone(&mut conn).await;
    }
    // One that encrypts.
    let tls = SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true);
    let mut encrypted = client::try_connect(client::options(proxy.mysql()).ssl_opts(Some(tls))).await.unwrap();
    let sleeping = tokio::spawn(async move { encrypted.query_drop("DO SLEEP(3001)").await });
    until_running(&mut conn, "DO SLEEP(3001)").await;
    sleeping.abort();
    until_alone(&mut conn).await;
}

#[tokio::test]
async fn what_a_client_writes_that_goes_is_written() {
    let mut builder = Builder::new();
    let url = builder.shared_mariadb_database();
    let (_, database) = url.rsplit_once('/').unwrap();
    let proxy = builder.text("[timeouts]\nlock = \"1m\"\n").topology(SHARDS, None).cluster("m", &url).build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    // Somebody holds the log head: writes wait.
    let address = (std::net::Ipv4Addr::LOCALHOST, MariaDb::shared().port()).into();
    let mut holder = client::try_connect(client::options(address).db_name(Some(database))).await.unwrap();
    run(&mut holder, "BEGIN").await;
    run(&mut holder, "SELECT * FROM cg_head FOR UPDATE").await;
    let insert =
        "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1'), ('b', 'BASE', 1, '1')";
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    assert_eq!(raw.query(b"USE test").unwrap(), Reply::Ok);
    raw.command(COM_QUERY, insert.as_bytes()).unwrap();
    until_running(&mut conn, insert).await;
    drop(raw);
    until_alone(&mut conn).await;
    run(&mut holder, "ROLLBACK").await;
    wait::until_async("the write", LIMIT, async || (count(&mut conn).await == 2).then_some(())).await;
}

#[tokio::test]
async fn the_insert_id_is_the_ref_key_that_was_counted() {
    let (_proxy, mut one, mut two) = two_sessions(&Deployment::mixed()).await;
    for begin in ["", "BEGIN"] {
        run(&mut one, if begin.is_empty() { "DO 1" } else { begin }).await;
        let mut id = async |statement: &str| {
            run(&mut one, statement).await;
            (one.last_insert_id(), rows::<u64>(&mut one, "SELECT LAST_INSERT_ID()").await[0])
        };
        let row = format!("row{begin}");
        let insert = |given: &str| {
            format!(
                "INSERT IGNORE INTO trips (row_key, column_key, ref_key, body) VALUES ('{row}', 'BASE', {given}, '1')"
            )
        };
        assert_eq!(id(&insert("NULL")).await, (Some(1), 1), "{begin}");
        assert_eq!(id(&insert("NULL")).await, (Some(2), 2), "{begin}");
        // What was given is no insert id, and leaves that of the last statement.
        assert_eq!(id(&insert("7")).await, (None, 2), "{begin}");
        let many = format!("{}, ('{row}', 'OTHER', NULL, '1')", insert("NULL"));
        // Drivers take the second row's to be 9, which is 1.
        assert_eq!(id(&many).await, (None, 2), "{begin}");
        let follow = format!("{}, ('{row}', 'BASE', NULL, '1')", insert("NULL"));
        assert_eq!(id(&follow).await, (Some(9), 9), "{begin}");
        run(&mut one, "COMMIT").await;
        assert_eq!(get(&mut two, &triple(&row, "BASE", 8)).await.unwrap().as_deref(), Some("1"));
    }
}
