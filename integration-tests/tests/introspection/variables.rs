//! Variables, status and warnings are the same wherever they are asked for; FIELD_LIST and SHOW COLUMNS have one list.

use std::time::Duration;

use cellgate_integration_tests::raw::{Raw, Reply};
use cellgate_integration_tests::{Deployment, client};
use mysql_async::Row;
use mysql_async::prelude::Queryable;

#[tokio::test]
async fn the_performance_schema_shows_what_show_does() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut conn, "SET last_insert_id = 12, timestamp = 1700000000").await;
    // What each statement counts is another's.
    let steady = |rows: Vec<(String, String)>| {
        let counts = ["Queries", "Questions", "Uptime", "Uptime_since_flush_status"];
        rows.into_iter().filter(|(name, _)| !counts.contains(&&name[..])).collect::<Vec<_>>()
    };
    for (show, table) in [
        ("SHOW VARIABLES", "session_variables"),
        ("SHOW GLOBAL VARIABLES", "global_variables"),
        ("SHOW STATUS", "session_status"),
        ("SHOW GLOBAL STATUS", "global_status"),
    ] {
        let mut shown = steady(client::rows(&mut conn, show).await);
        let mut listed = steady(client::rows(&mut conn, &format!("SELECT * FROM performance_schema.{table}")).await);
        shown.sort();
        listed.sort();
        assert_eq!(shown, listed, "{table}");
        let has = |name: &str| shown.iter().any(|(known, _)| known == name);
        match table {
            "session_variables" => {
                assert!(shown.contains(&("last_insert_id".to_owned(), "12".to_owned())), "{shown:?}");
                assert!(!shown.contains(&("pseudo_thread_id".to_owned(), "0".to_owned())), "{shown:?}");
            }
            "global_variables" => assert!(has("autocommit") && !has("last_insert_id") && !has("sql_log_bin")),
            "session_status" => assert!(has("Ssl_cipher") && has("Compression")),
            _ => assert!(has("Ssl_cipher") && !has("Compression")),
        }
    }
}

#[tokio::test]
async fn what_shows_the_warnings_has_none_itself() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    for (statement, warnings) in
        [("SELECT CAST('x' AS SIGNED)", 1), ("SHOW WARNINGS", 0), ("SHOW ERRORS", 0), ("SHOW COUNT(*) WARNINGS", 0)]
    {
        let mut result = conn.query_iter(statement).await.unwrap();
        let _rows: Vec<Row> = result.collect().await.unwrap();
        drop(result);
        assert_eq!(conn.get_warnings(), warnings, "{statement}");
    }
}

#[tokio::test]
async fn unsigned_parameters_set_what_they_are() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    for name in ["max_execution_time", "wait_timeout", "sql_select_limit", "last_insert_id"] {
        conn.exec_drop(format!("SET {name} = ?"), (1234_u64,)).await.unwrap();
        assert_eq!(client::rows::<u64>(&mut conn, &format!("SELECT @@{name}")).await, [1234], "{name}");
    }
    conn.exec_drop("SET last_insert_id = ?", (u64::MAX,)).await.unwrap();
    assert_eq!(client::rows::<u64>(&mut conn, "SELECT @@last_insert_id").await, [u64::MAX]);
}

/// FIELD_LIST, which the prompts complete names from.
#[test]
fn field_list_has_the_columns_of_show_columns() {
    const FIELD_LIST: u8 = 0x04;
    const EOF: u8 = 0xfe;
    let proxy = Deployment::embedded().start();
    let limit = Duration::from_secs(30);
    let mut raw = Raw::login(proxy.mysql(), limit).unwrap();
    assert!(matches!(raw.query(b"CREATE TABLE test.rides (city JSON, stop JSON) ENGINE=CELLS").unwrap(), Reply::Ok));
    raw.query(b"USE test").unwrap();
    raw.command(FIELD_LIST, b"rides\0").unwrap();
    let mut columns = Vec::new();
    loop {
        let packet = raw.read_packet().unwrap();
        if packet.first() == Some(&EOF) {
            break;
        }
        columns.push(String::from_utf8_lossy(&packet).into_owned());
    }
    assert!(columns[columns.len() - 2].contains("city") && columns[columns.len() - 1].contains("stop"), "{columns:?}");
    let shown = raw.query(b"SHOW COLUMNS FROM rides").unwrap();
    assert!(matches!(shown, Reply::Rows(rows) if rows == columns.len() as u64), "{columns:?}");
}
