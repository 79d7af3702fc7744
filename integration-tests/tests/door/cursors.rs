//! Prepared statements whose rows are fetched in parts.

use cellgate_integration_tests::raw::{Raw, Reply};
use cellgate_integration_tests::{Deployment, Proxy, client, http};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{COM_INIT_DB, LIMIT};

const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_RESET: u8 = 0x1a;
const COM_STMT_FETCH: u8 = 0x1c;
/// Status: the rows are fetched in parts.
const CURSOR_EXISTS: u16 = 0x40;
/// Status: there are no more.
const LAST_ROW_SENT: u16 = 0x80;

/// Reads packets up to an EOF packet: how many, and its status.
fn until_end(raw: &mut Raw) -> (usize, u16) {
    for count in 0.. {
        let packet = raw.read_packet().unwrap();
        assert_ne!(packet[0], 0xff, "{}", String::from_utf8_lossy(&packet));
        if packet[0] == 0xfe && packet.len() < 9 {
            return (count, u16::from_le_bytes([packet[3], packet[4]]));
        }
    }
    unreachable!("a count without end")
}

#[tokio::test]
async fn a_table_is_fetched_in_parts_while_other_statements_run() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut conn, client::TRIPS).await;
    let rows: Vec<String> = (0..2500).map(|row| format!("('row {row}', 'BASE', 1, '1')")).collect();
    let insert = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {}", rows.join(", "));
    client::run(&mut conn, &insert).await;
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    raw.command(COM_STMT_PREPARE, b"SELECT row_key, body FROM trips").unwrap();
    assert_eq!(raw.read_packet().unwrap()[..9], [0, 1, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(until_end(&mut raw).0, 2);
    raw.command(COM_STMT_EXECUTE, &[1, 0, 0, 0, 1, 1, 0, 0, 0]).unwrap();
    assert_eq!(raw.read_packet().unwrap(), [2]);
    let (columns, status) = until_end(&mut raw);
    assert_eq!((columns, status & CURSOR_EXISTS), (2, CURSOR_EXISTS));
    let mut fetched = Vec::new();
    loop {
        raw.command(COM_STMT_FETCH, &[1, 0, 0, 0, 0xe8, 3, 0, 0]).unwrap();
        let (rows, status) = until_end(&mut raw);
        fetched.push(rows);
        if status & LAST_ROW_SENT != 0 {
            break;
        }
        assert_eq!(status & CURSOR_EXISTS, CURSOR_EXISTS);
        assert_eq!(raw.query(b"SELECT 1").unwrap(), Reply::Rows(1));
        // Nothing runs: the next part is none of its business.
        let others = "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()";
        let id: u32 = conn.query_first(others).await.unwrap().unwrap();
        client::run(&mut conn, &format!("KILL QUERY {id}")).await;
    }
    assert_eq!(fetched, [1000, 1000, 500]);
}

/// A table of so many cells, a connection that has made it, and one with a cursor over it, its statement number 1.
async fn cursor_over(proxy: &Proxy, cells: u32) -> (Conn, Raw) {
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut conn, client::TRIPS).await;
    let rows: Vec<String> = (0..cells).map(|row| format!("('row {row}', 'BASE', 1, '1')")).collect();
    let insert = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {}", rows.join(", "));
    client::run(&mut conn, &insert).await;
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    raw.command(COM_STMT_PREPARE, b"SELECT row_key FROM trips").unwrap();
    assert_eq!(raw.read_packet().unwrap()[0], 0);
    until_end(&mut raw);
    raw.command(COM_STMT_EXECUTE, &[1, 0, 0, 0, 1, 1, 0, 0, 0]).unwrap();
    assert_eq!(raw.read_packet().unwrap(), [1]);
    until_end(&mut raw);
    (conn, raw)
}

#[tokio::test]
async fn a_table_that_is_dropped_under_a_cursor_is_missing_by_its_own_name() {
    let proxy = Deployment::embedded().start();
    let (mut conn, mut raw) = cursor_over(&proxy, 5000).await;
    client::run(&mut conn, "DROP TABLE trips").await;
    // The rows that are held come first.
    raw.command(COM_STMT_FETCH, &[1, 0, 0, 0, 0x88, 0x13, 0, 0]).unwrap();
    let error = (0..5000).map(|_| raw.read_packet().unwrap()).find(|packet| packet[0] == 0xff).expect("an error");
    assert_eq!(u16::from_le_bytes([error[1], error[2]]), 1146);
    assert_eq!(String::from_utf8_lossy(&error[3..]), "#42S02Table 'test.trips' doesn't exist");
    assert_eq!(raw.query(b"SELECT 1").unwrap(), Reply::Rows(1));
}

#[tokio::test]
async fn beside_cursors_that_hold_what_a_statement_may_rows_are_sent_at_once() {
    let proxy = Deployment::configured("[limits]\ncollect_bytes = \"1MiB\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut conn, client::TRIPS).await;
    let body = format!("\"{}\"", "x".repeat(1100 << 10));
    client::put(&mut conn, &client::triple("a", "BASE", 1), &body).await.unwrap();
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    let insert = "INSERT INTO trips (row_key, column_key, body) VALUES ('b', 'BASE', '1') RETURNING ref_key";
    for statement in ["SELECT body FROM trips WHERE row_key = 'a'", insert] {
        raw.command(COM_STMT_PREPARE, statement.as_bytes()).unwrap();
        assert_eq!(raw.read_packet().unwrap()[0], 0);
        until_end(&mut raw);
    }
    let open = |raw: &mut Raw, id: u8| {
        raw.command(COM_STMT_EXECUTE, &[id, 0, 0, 0, 1, 1, 0, 0, 0]).unwrap();
        assert_eq!(raw.read_packet().unwrap(), [1]);
        until_end(raw).1 & CURSOR_EXISTS != 0
    };
    assert!(open(&mut raw, 1), "a first one is kept however large it is");
    assert!(!open(&mut raw, 2));
    assert_eq!(until_end(&mut raw).0, 1, "the row follows");
    raw.command(COM_STMT_RESET, &[1, 0, 0, 0]).unwrap();
    assert_eq!(raw.read_packet().unwrap()[0], 0);
    assert!(open(&mut raw, 2), "the first one is closed");
    let stored: Option<u64> = conn.query_first("SELECT COUNT(*) FROM trips WHERE row_key = 'b'").await.unwrap();
    assert_eq!(stored, Some(2), "each of the two was stored once");
}

#[test]
fn a_prepared_statement_and_its_cursor_are_of_the_database_it_was_prepared_in() {
    let proxy = Deployment::embedded().start();
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    for database in ["one", "two"] {
        assert_eq!(raw.query(format!("CREATE DATABASE {database}").as_bytes()).unwrap(), Reply::Ok);
    }
    raw.command(COM_INIT_DB, b"one").unwrap();
    assert_eq!(raw.reply().unwrap(), Reply::Ok);
    raw.command(COM_STMT_PREPARE, b"SELECT DATABASE()").unwrap();
    let prepared = raw.read_packet().unwrap();
    let id = &prepared[1..5];
    // Its column, and what ends the columns.
    raw.read_packet().unwrap();
    raw.read_packet().unwrap();
    raw.command(COM_INIT_DB, b"two").unwrap();
    assert_eq!(raw.reply().unwrap(), Reply::Ok);
    for cursor in [0, 1] {
        raw.command(COM_STMT_EXECUTE, &[id, &[cursor], &1_u32.to_le_bytes()].concat()).unwrap();
        for _ in 0..3 {
            raw.read_packet().unwrap();
        }
        if cursor == 1 {
            raw.command(COM_STMT_FETCH, &[id, &1_u32.to_le_bytes()].concat()).unwrap();
        }
        let row = raw.read_packet().unwrap();
        assert!(row.ends_with(b"\x03one"), "{row:?}");
        raw.read_packet().unwrap();
    }
}

#[tokio::test]
async fn a_fetch_is_counted_and_logged_with_its_statement_and_rows() {
    let proxy = Deployment::configured("[log]\nslow_query = \"0s\"\n").start();
    let (_conn, mut raw) = cursor_over(&proxy, 50).await;
    for (most, rows) in [(30, 30), (30, 20)] {
        raw.command(COM_STMT_FETCH, &[1, 0, 0, 0, most, 0, 0, 0]).unwrap();
        assert_eq!(until_end(&mut raw).0, rows);
    }
    raw.command(COM_STMT_FETCH, &[1, 0, 0, 0, 1, 0, 0, 0]).unwrap();
    assert_eq!(raw.reply().unwrap(), Reply::Error(1421));
    let slow = |log: &str, rows: u32| {
        let told = |line: &&str| line.contains("SELECT row_key FROM trips") && line.contains(&format!("rows={rows} "));
        log.lines().filter(told).count() == 1
    };
    proxy.until_logged("each part", |log| slow(log, 0) && slow(log, 30) && slow(log, 20));
    let samples = http::metrics(proxy.http()).unwrap();
    let of = |outcome: &str| {
        samples[&format!("cellgate_queries_total{{command=\"other\",outcome=\"{outcome}\",shape=\"other\"}}")]
    };
    assert_eq!((of("ok"), of("not_found")), (2.0, 1.0));
}

#[tokio::test]
async fn warnings_of_the_last_rows_are_those_of_the_cursor_and_not_of_a_statement_in_between() {
    let proxy = Deployment::embedded().start();
    let (_conn, mut raw) = cursor_over(&proxy, 1).await;
    raw.command(COM_STMT_PREPARE, b"SELECT ref_key / 0 FROM trips WHERE row_key = 'row 0'").unwrap();
    assert_eq!(raw.read_packet().unwrap()[0], 0);
    until_end(&mut raw);
    raw.command(COM_STMT_EXECUTE, &[2, 0, 0, 0, 1, 1, 0, 0, 0]).unwrap();
    assert_eq!(raw.read_packet().unwrap(), [1]);
    until_end(&mut raw);
    assert_eq!(raw.query(b"SELECT CAST('a' AS SIGNED), CAST('b' AS SIGNED)").unwrap(), Reply::Rows(1));
    assert_eq!(raw.query(b"SHOW WARNINGS").unwrap(), Reply::Rows(2));
    raw.command(COM_STMT_FETCH, &[2, 0, 0, 0, 9, 0, 0, 0]).unwrap();
    assert_eq!(until_end(&mut raw).0, 1);
    assert_eq!(raw.query(b"SHOW WARNINGS").unwrap(), Reply::Rows(1));
}
