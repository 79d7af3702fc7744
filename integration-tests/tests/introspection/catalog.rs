//! Databases and tables as they are shown: names, times, comments, collations, counts, and the numbers of errors.

use cellgate_integration_tests::client::{self, TRIPS};
use cellgate_integration_tests::{Deployment, golden};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

#[tokio::test]
async fn errors_have_mysqls_numbers() {
    let proxy = Deployment::embedded().start();
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    for (statement, code) in [
        ("DESCRIBE nope", 1146),
        ("SELECT * FROM information_schema.nope", 1109),
        ("SELECT nope FROM information_schema.tables", 1054),
        ("SELECT * FROM mysql.help_topic", 1146),
        ("SELECT table_name FROM information_schema.tables, information_schema.columns", 1052),
        ("SELECT (SELECT table_name FROM information_schema.tables)", 1242),
        ("CREATE DATABASE information_schema", 1044),
        ("DROP DATABASE information_schema", 1044),
        ("DROP DATABASE IF EXISTS mysql", 1044),
        ("CREATE TABLE information_schema.t ENGINE=CELLS", 1044),
        ("DROP TABLE information_schema.tables", 1044),
        ("INSERT INTO information_schema.tables VALUES (1)", 1044),
        ("DELETE FROM performance_schema.threads WHERE row_key = 'a'", 1044),
        ("TRUNCATE information_schema.columns", 1044),
    ] {
        assert_eq!(client::refused(&mut conn, statement).await.code, code, "{statement}");
    }
}

#[tokio::test]
async fn names_and_tables_are_as_long_and_as_wide_as_they_may_be() {
    let proxy = Deployment::embedded().start();
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    let (longest, longer) = ("n".repeat(64), "n".repeat(65));
    client::run(&mut conn, &format!("CREATE DATABASE {longest}")).await;
    client::run(&mut conn, &format!("CREATE TABLE {longest}.{longest} ({longest} JSON) ENGINE=CELLS")).await;
    for statement in [
        format!("CREATE DATABASE {longer}"),
        format!("CREATE TABLE {longer} ENGINE=CELLS"),
        format!("CREATE TABLE t ({longer} JSON) ENGINE=CELLS"),
        format!("ALTER TABLE {longest}.{longest} ADD COLUMN {longer} JSON"),
        format!("RENAME TABLE {longest}.{longest} TO {longer}"),
    ] {
        assert_eq!(client::refused(&mut conn, &statement).await.code, 1059, "{statement}");
    }
    let columns = |count: usize| (0..count).map(|i| format!("c{i} JSON")).collect::<Vec<_>>().join(", ");
    for count in [1_001, 20_000] {
        let statement = format!("CREATE TABLE wide ({}) ENGINE=CELLS", columns(count));
        assert_eq!(client::refused(&mut conn, &statement).await.code, 1117, "{count} columns");
    }
    client::run(&mut conn, &format!("CREATE TABLE wide ({}) ENGINE=CELLS", columns(1_000))).await;
    assert_eq!(client::refused(&mut conn, "ALTER TABLE wide ADD COLUMN one_more JSON").await.code, 1117);
    client::run(&mut conn, "ALTER TABLE wide DROP COLUMN c0, ADD COLUMN one_more JSON").await;
}

#[tokio::test]
async fn when_a_table_was_created_is_shown_in_the_time_zone_of_the_session() {
    let proxy = Deployment::embedded().start();
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    client::run(&mut conn, TRIPS).await;
    let mut shown = Vec::new();
    for zone in ["+00:00", "+05:30"] {
        client::run(&mut conn, &format!("SET time_zone = '{zone}'")).await;
        let table = "SELECT CREATE_TIME FROM information_schema.TABLES WHERE TABLE_NAME = 'trips'";
        let partition = "SELECT CREATE_TIME FROM information_schema.PARTITIONS WHERE TABLE_NAME = 'trips'";
        let table: Option<Value> = conn.query_first(table).await.unwrap();
        let partition: Option<Value> = conn.query_first(partition).await.unwrap();
        let status: Option<Row> = conn.query_first("SHOW TABLE STATUS LIKE 'trips'").await.unwrap();
        let status: Option<Value> = status.and_then(|row| row.get("Create_time"));
        assert_eq!(table, status);
        assert_eq!(table, partition);
        let ahead = "SELECT CAST(UNIX_TIMESTAMP(CREATE_TIME) AS SIGNED) FROM information_schema.TABLES \
                     WHERE TABLE_NAME = 'trips'";
        let seconds: Option<i64> = conn.query_first(ahead).await.unwrap();
        shown.push((table.expect("shown"), seconds.expect("a time")));
    }
    assert_ne!(shown[0].0, shown[1].0);
    // It is the same moment in both, and not long ago.
    assert_eq!(shown[0].1, shown[1].1);
    let now: Option<i64> = conn.query_first("SELECT UNIX_TIMESTAMP()").await.unwrap();
    assert!((0..600).contains(&(now.expect("a time") - shown[0].1)), "{shown:?} {now:?}");
}

#[tokio::test]
async fn show_status_counts_tables_and_flushes() {
    let proxy = Deployment::embedded().start();
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    let status = async |conn: &mut Conn| {
        let mut values = Vec::new();
        for name in ["Open_tables", "Opened_tables", "Flush_commands"] {
            let row: Option<(String, u64)> = conn.query_first(format!("SHOW STATUS LIKE '{name}'")).await.unwrap();
            values.push(row.expect("a counter").1);
        }
        values
    };
    assert_eq!(status(&mut conn).await, [0, 0, 0]);
    client::run(&mut conn, TRIPS).await;
    client::run(&mut conn, "CREATE TABLE other ENGINE=CELLS").await;
    assert_eq!(status(&mut conn).await, [2, 2, 0]);
    client::run(&mut conn, "ALTER TABLE other ADD COLUMN c JSON").await;
    client::run(&mut conn, "DROP TABLE trips").await;
    client::run(&mut conn, "FLUSH TABLES WITH READ LOCK").await;
    client::run(&mut conn, "UNLOCK TABLES").await;
    assert_eq!(status(&mut conn).await, [1, 3, 1]);
}

#[tokio::test]
async fn a_table_has_one_comment_wherever_it_is_shown() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut conn, "CREATE TABLE stops ENGINE=CELLS COMMENT='where riders wait'").await;
    let status: Row = conn.query_first("SHOW TABLE STATUS LIKE 'stops'").await.unwrap().unwrap();
    assert_eq!(status.get::<String, _>("Comment").as_deref(), Some("where riders wait"));
    let listed = "SELECT table_comment FROM information_schema.tables WHERE table_name = 'stops'";
    assert_eq!(client::rows::<String>(&mut conn, listed).await, ["where riders wait"]);
}

#[tokio::test]
async fn a_database_has_one_collation_wherever_it_is_shown() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut conn, "CREATE DATABASE plain COLLATE utf8mb4_bin").await;
    let shown: Option<(String, String)> = conn.query_first("SHOW CREATE DATABASE plain").await.unwrap();
    assert!(shown.is_some_and(|(_, text)| text.contains("COLLATE utf8mb4_bin")));
    let schemata = "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata \
                    WHERE schema_name = 'plain'";
    let row: Option<(String, String)> = conn.query_first(schemata).await.unwrap();
    assert_eq!(row, Some(("utf8mb4".to_owned(), "utf8mb4_bin".to_owned())));
}
