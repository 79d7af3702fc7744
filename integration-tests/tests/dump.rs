//! A dump by mariadb-dump, and its restore by the command line into a fresh Cellgate, give the same cells.

use std::process::{Command, Stdio};

use cellgate_integration_tests::client::{self, run};
use cellgate_integration_tests::{Deployment, Proxy};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// Cells by the bytes of their names.
type Cells = Vec<(String, String, i64, String)>;

fn dump(proxy: &Proxy, options: &[&str]) -> Vec<u8> {
    let port = proxy.mysql().port().to_string();
    let output = Command::new("mariadb-dump")
        .args(["--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", "root"])
        .args(options)
        .arg("test")
        .output()
        .expect("mariadb-dump is installed");
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn restore(proxy: &Proxy, dump: &[u8]) {
    let port = proxy.mysql().port().to_string();
    let mut child = Command::new("mariadb")
        .args(["--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", "root", "test"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mariadb is installed");
    // It may end before it has read everything; what it says then is below.
    let _ = std::io::Write::write_all(&mut child.stdin.take().expect("piped"), dump);
    let output = child.wait_with_output().expect("mariadb ends");
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(dump));
}

async fn cells(conn: &mut Conn, table: &str) -> Cells {
    let text = format!("SELECT HEX(row_key), HEX(column_key), ref_key, body FROM {table}");
    let mut cells: Cells = conn.query(text).await.unwrap();
    cells.sort();
    cells
}

#[tokio::test]
async fn a_dump_restores_the_same_cells_whatever_their_keys_and_columns() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, "CREATE TABLE plain ENGINE=CELLS").await;
    run(&mut conn, client::TRIPS).await;
    run(&mut conn, r#"CREATE TABLE riders (PROFILE JSON, STATUS JSON DEFAULT '"new"') ENGINE=CELLS COMMENT='who''s'"#)
        .await;
    let insert = "INSERT INTO plain (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)";
    // Bytes that are no text, begin one, or mean something to whoever quotes them.
    let names: [&[u8]; 9] = [
        b"a",
        "\u{fc}".as_bytes(),
        b"\xff\x00\xe4'\\\n\"",
        b"\xe4'",
        b"\xe4",
        b"\xc3(\\\xe2",
        b"' ",
        b"\x1a%_\\",
        b"\xf0\x9f\x92",
    ];
    let bodies = [r#"{"q":"it's \\ \"x\""}"#, "1", "-0.10", r#""\u00fc""#, "[ 1 ]", "null", "\"\u{fc}\"", "{}", "true"];
    for (i, (name, body)) in (-3_i64..).zip(names.iter().zip(bodies)) {
        conn.exec_drop(insert, (name, name, i, body)).await.unwrap();
    }
    run(&mut conn, r#"INSERT INTO riders (row_key, PROFILE) VALUES ('rider-1', '{"name":"Ann"}'), ('rider-2', '2')"#)
        .await;
    run(
        &mut conn,
        r#"INSERT INTO riders (row_key, PROFILE, STATUS) VALUES ('rider-1', '{"name":"Ann K."}', '"gold"')"#,
    )
    .await;
    run(&mut conn, "INSERT INTO riders (row_key, column_key, body) VALUES ('rider-1', 'FREE', '[1]')").await;
    run(&mut conn, "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('t', 'BASE', 1, '1')").await;
    let mut created = Vec::new();
    for table in ["plain", "trips", "riders"] {
        let created_by: Option<(String, String)> =
            conn.query_first(format!("SHOW CREATE TABLE {table}")).await.unwrap();
        created.push((table, created_by, cells(&mut conn, table).await));
    }
    assert_eq!(created[0].2.len(), names.len());
    assert_eq!(created[2].2.len(), 5);
    for options in [
        &[][..],
        &["--complete-insert", "--single-transaction"],
        // With CREATE DATABASE and USE.
        &["--databases"],
        &["--hex-blob", "--skip-extended-insert", "--default-character-set=binary"],
        // Without options of tables, by modes of MySQL before 8.0, and so without DROP TABLE.
        &["--skip-opt", "--add-drop-table"],
        &["--skip-create-options", "--compatible=mysql40"],
        // Names are quoted as in ANSI_QUOTES.
        &["--compatible=postgresql", "--default-character-set=utf8mb4"],
    ] {
        let dumped = dump(&proxy, options);
        let fresh = Deployment::embedded().start();
        restore(&fresh, &dumped);
        // Once more, over what is there already.
        restore(&fresh, &dumped);
        let mut conn = client::connect(fresh.mysql()).await;
        for (table, statement, expected) in &created {
            assert_eq!(cells(&mut conn, table).await, *expected, "{table} by {options:?}");
            let now: Option<(String, String)> = conn.query_first(format!("SHOW CREATE TABLE {table}")).await.unwrap();
            assert_eq!(now, *statement, "{options:?}");
        }
        let row: Option<(String, String)> =
            conn.query_first("SELECT PROFILE, STATUS FROM riders WHERE row_key = 'rider-1'").await.unwrap();
        assert_eq!(row, Some((r#"{"name":"Ann K."}"#.to_owned(), r#""gold""#.to_owned())), "{options:?}");
    }
}

#[tokio::test]
async fn all_columns_of_a_table_are_its_cells_and_other_mixtures_are_refused() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, "CREATE TABLE riders (PROFILE JSON) ENGINE=CELLS").await;
    run(&mut conn, "INSERT INTO riders VALUES (7, 'r', 'FREE', 1, '1', NULL, NULL)").await;
    run(&mut conn, "INSERT INTO riders VALUES (8, 'r', 'FREE', 2, '2', NULL)").await;
    let text = "SELECT added_id, row_key, column_key, ref_key, body, created_at, PROFILE FROM riders ORDER BY ref_key";
    let rows: Vec<mysql_async::Row> = conn.query(text).await.unwrap();
    let shown: Vec<(i64, Option<String>)> = rows.iter().map(|row| (row.get(3).unwrap(), row.get(6).unwrap())).collect();
    assert_eq!(shown, [(1, None), (2, None)]);
    for refused in [
        "SELECT ref_key, PROFILE FROM riders WHERE row_key = 'r'",
        "INSERT INTO riders VALUES (9, 'r', 'FREE', 3, '3', NULL, '4')",
        "INSERT INTO riders (row_key, column_key, body, PROFILE) VALUES ('r', 'FREE', '3', NULL)",
    ] {
        let error = conn.query_drop(refused).await.expect_err(refused);
        let refusal = client::Refusal::of(&error).unwrap_or_else(|| panic!("{error}"));
        assert_eq!(refusal.code, 1235, "{refused}: {refusal:?}");
    }
}
