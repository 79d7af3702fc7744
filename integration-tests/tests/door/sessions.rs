//! What a session is told of itself, what is left of it when it becomes another user's, and commands that it is refused.

use std::net::{IpAddr, SocketAddr, TcpStream};

use cellgate_integration_tests::raw::{COM_QUERY, Raw, Reply};
use cellgate_integration_tests::{Deployment, client, http, wait};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{COM_INIT_DB, COM_PROCESS_KILL, LIMIT, number};

const COM_CHANGE_USER: u8 = 0x11;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;

/// What a connection is told of its transaction behind a statement: the statements that open one like it, and its state.
fn told(raw: &mut Raw, statement: &str) -> (Option<String>, Option<String>) {
    raw.command(COM_QUERY, statement.as_bytes()).unwrap();
    let first = raw.read_packet().unwrap();
    let end = match first[0] {
        0x00 => first,
        0xff => panic!("{statement}: {}", String::from_utf8_lossy(&first)),
        _ => loop {
            let packet = raw.read_packet().unwrap();
            if packet[0] == 0xfe {
                break packet;
            }
        },
    };
    // Affected rows and the last id take a byte each here, status and warnings two each; then a text, and the changes.
    let mut rest = &end[7..];
    let (mut characteristics, mut state) = (None, None);
    if rest.is_empty() {
        return (characteristics, state);
    }
    let mut take = |length: usize| {
        let (taken, behind) = rest.split_at(length);
        rest = behind;
        taken
    };
    let info = usize::from(take(1)[0]);
    take(info);
    let mut left = usize::from(take(1)[0]);
    while left > 0 {
        let (kind, length) = (take(1)[0], usize::from(take(1)[0]));
        let text = take(length).get(1..).map(|text| String::from_utf8_lossy(text).into_owned());
        match kind {
            4 => characteristics = text,
            5 => state = text,
            _ => {}
        }
        left -= 2 + length;
    }
    (characteristics, state)
}

#[tokio::test]
async fn a_session_is_told_what_its_transaction_is_and_does() {
    const SESSION_TRACK: u32 = 0x80_0000;
    const DEPRECATE_EOF: u32 = 0x100_0000;
    let proxy = Deployment::embedded().start();
    client::run(&mut client::connect(proxy.mysql()).await, client::TRIPS).await;
    let mut raw = Raw::connect(proxy.mysql(), LIMIT).unwrap().log_in_with(SESSION_TRACK | DEPRECATE_EOF).unwrap();
    let put = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1')";
    let get = "SELECT body FROM trips WHERE row_key = 'a'";
    assert_eq!(told(&mut raw, "BEGIN"), (None, None), "nobody asked");
    for (statement, characteristics, state) in [
        ("ROLLBACK", None, None),
        ("SET SESSION session_track_transaction_info = 'CHARACTERISTICS'", Some(""), Some("________")),
        (get, None, None),
        ("BEGIN", Some("START TRANSACTION;"), Some("T_______")),
        (get, None, Some("T_R___S_")),
        (get, None, None),
        (put, None, Some("T_R_W_S_")),
        ("COMMIT", Some(""), Some("________")),
        (
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            Some("SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"),
            None,
        ),
        (
            "START TRANSACTION READ ONLY",
            Some("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ ONLY;"),
            Some("T_______"),
        ),
        ("ROLLBACK", Some(""), Some("________")),
        ("SET autocommit = 0", None, None),
        ("SELECT 1", None, None),
        (get, None, Some("I_R___S_")),
        ("SET SESSION session_track_transaction_info = 'STATE', autocommit = 1", None, Some("________")),
        ("LOCK TABLES trips READ", None, Some("_______L")),
        ("UNLOCK TABLES", None, Some("________")),
        ("SET SESSION session_track_transaction_info = 'OFF'", None, None),
        ("BEGIN", None, None),
    ] {
        let expected = (characteristics.map(str::to_owned), state.map(str::to_owned));
        assert_eq!(told(&mut raw, statement), expected, "{statement}");
    }
}

/// The timer of the proxy's end of a connection, as the kernel shows it: 2 is the one of keepalive.
fn timer(proxy: SocketAddr, client: SocketAddr) -> Option<u8> {
    let ends = format!(":{:04X} {}:{:04X} ", proxy.port(), "0100007F", client.port());
    let connections = std::fs::read_to_string("/proc/net/tcp").expect("Linux tells of connections");
    let connection = connections.lines().find(|line| line.contains(&ends))?;
    let timer = connection.split_whitespace().nth(5)?.split(':').next()?;
    u8::from_str_radix(timer, 16).ok()
}

#[test]
fn a_client_that_is_silent_is_asked_for_a_sign_of_life_by_the_kernel() {
    let proxy = Deployment::embedded().start();
    assert_eq!(proxy.mysql().ip(), IpAddr::from([127, 0, 0, 1]));
    let stream = TcpStream::connect(proxy.mysql()).unwrap();
    let client = stream.local_addr().unwrap();
    wait::until("a timer of keepalive", LIMIT, || timer(proxy.mysql(), client).filter(|timer| *timer == 2));
}

/// Becomes a user without a password, in no database.
fn change_user(raw: &mut Raw, user: &str) -> Reply {
    let fields = [user.as_bytes(), b"\0\0\0", &45_u16.to_le_bytes(), b"mysql_native_password\0"].concat();
    raw.command(COM_CHANGE_USER, &fields).unwrap();
    // Asks for a proof over a new salt; that of an empty password is empty.
    assert_eq!(raw.read_packet().unwrap()[0], 0xfe);
    raw.write_packet(b"").unwrap();
    raw.reply().unwrap()
}

#[tokio::test]
async fn nothing_of_a_statement_or_a_user_is_left_to_the_next_one() {
    const QUERY_ATTRIBUTES: u32 = 0x800_0000;
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    client::run(&mut root, "CREATE DATABASE mine").await;
    client::run(&mut root, "CREATE USER 'next'@'localhost'").await;
    let mut raw = Raw::connect(proxy.mysql(), LIMIT).unwrap().log_in_with(QUERY_ATTRIBUTES).unwrap();
    let own = root.id();
    // One attribute: no NULL, its types are given, VAR_STRING, its name, its value; then the text.
    let with_attribute = |text: &str| [b"\x01\x01\0\x01\xfd\0\x05trace\x06secret", text.as_bytes()].concat();
    let without = |text: &str| [b"\0\x01", text.as_bytes()].concat();
    assert_eq!(raw.query(&without("USE mine")).unwrap(), Reply::Ok);
    assert_eq!(raw.query(&with_attribute("SELEC 1")).unwrap(), Reply::Error(1064));
    let listed = async |conn: &mut Conn| {
        let rows: Vec<mysql_async::Row> = conn.query("SHOW FULL PROCESSLIST").await.unwrap();
        let other = rows.into_iter().find(|row| row.get::<u32, _>(0) != Some(own)).expect("two connections");
        (other.get::<Option<String>, _>(3).unwrap(), format!("{:?}", other.unwrap()))
    };
    let (database, row) = listed(&mut root).await;
    assert_eq!(database.as_deref(), Some("mine"));
    assert!(!row.contains("secret"), "{row}");
    assert_eq!(change_user(&mut raw, "next"), Reply::Ok);
    let (database, row) = listed(&mut root).await;
    assert_eq!(database, None, "{row}");
    assert!(row.contains("next"), "{row}");
}

#[tokio::test]
async fn who_may_kill_no_more_may_not_by_the_protocol_either() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    client::run(&mut root, "CREATE USER 'op'@'localhost'").await;
    client::run(&mut root, "GRANT ALL ON *.* TO 'op'@'localhost'").await;
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    assert_eq!(change_user(&mut raw, "op"), Reply::Ok);
    client::run(&mut root, "REVOKE ALL ON *.* FROM 'op'@'localhost'").await;
    raw.command(COM_PROCESS_KILL, &root.id().to_le_bytes()).unwrap();
    assert_eq!(raw.reply().unwrap(), Reply::Error(1095));
    let still: Option<u8> = root.query_first("SELECT 1").await.unwrap();
    assert_eq!(still, Some(1));
}

#[test]
fn commands_that_are_refused_are_counted_as_such() {
    let proxy = Deployment::embedded().start();
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    for (command, argument, code) in
        [(COM_INIT_DB, &b"nope"[..], 1049), (COM_PROCESS_KILL, &[9, 9, 9, 0], 1094), (0x99, b"", 1047)]
    {
        raw.command(command, argument).unwrap();
        assert_eq!(raw.reply().unwrap(), Reply::Error(code));
    }
    // Statements that never get as far as being run.
    for (command, argument, code) in [
        (COM_STMT_EXECUTE, &b"\x09\0\0\0\0\x01\0\0\0"[..], 1243),
        (COM_STMT_EXECUTE, b"\x09\0", 1835),
        (COM_STMT_PREPARE, b"SELECT 1 FROM missing", 1146),
    ] {
        raw.command(command, argument).unwrap();
        assert_eq!(raw.reply().unwrap(), Reply::Error(code));
    }
    raw.command(COM_INIT_DB, b"information_schema").unwrap();
    assert_eq!(raw.reply().unwrap(), Reply::Ok);
    // Behind the others: they are counted by now.
    assert_eq!(raw.query(b"SELECT 1").unwrap(), Reply::Rows(1));
    let samples = http::metrics(proxy.http()).unwrap();
    let counted = |command: &str, outcome: &str| {
        let labels = [format!("command=\"{command}\""), format!("outcome=\"{outcome}\"")];
        let of = samples.iter().filter(|(name, _)| {
            name.starts_with("cellgate_queries_total") && labels.iter().all(|label| name.contains(label.as_str()))
        });
        of.map(|(_, count)| *count).collect::<Vec<_>>()
    };
    assert_eq!((counted("init_db", "not_found"), counted("init_db", "ok")), (vec![1.0], vec![1.0]));
    assert_eq!((counted("other", "not_found"), counted("other", "unsupported")), (vec![1.0], vec![1.0]));
    assert_eq!((counted("execute", "not_found"), counted("execute", "value")), (vec![1.0], vec![1.0]));
    assert_eq!(counted("prepare", "not_found"), [1.0], "once");
}

#[tokio::test]
async fn a_text_is_read_on_in_the_mode_that_it_has_set() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut conn, client::TRIPS).await;
    let mut values = async |text: &str| {
        let mut answers = conn.query_iter(text).await.unwrap();
        let mut values: Vec<String> = Vec::new();
        while !answers.is_empty() {
            values.extend(answers.collect::<String>().await.unwrap());
        }
        values
    };
    let cell = r#"INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'B', 1, '{"x":"a\\nb"}')"#;
    values(&format!("SET sql_mode = 'NO_BACKSLASH_ESCAPES'; {cell}")).await;
    let read =
        values(r#"/*!40101 SET sql_mode = 'ANSI_QUOTES' */; SELECT "row_key" FROM trips; SELECT "body" FROM trips"#);
    assert_eq!(read.await, ["a", r#"{"x":"a\\nb"}"#]);
    let back = values(r#"SELECT 'a' AS "x"; SET sql_mode = ''; SELECT "row_key" FROM trips"#);
    assert_eq!(back.await, ["a", "row_key"]);
    // Where the rest begins is not known there.
    let refused = conn.query_drop("/*!40101 SET sql_mode = 'ANSI_QUOTES'; SELECT 1 */; SELECT 2").await;
    assert_eq!(number(refused), 1235);
    let mode: Option<String> = conn.query_first("SELECT @@sql_mode").await.unwrap();
    assert_eq!(mode.as_deref(), Some("ANSI_QUOTES"), "what comes before it has run");
    // Each time all of the rest is read anew.
    let changes = "SET sql_mode = ''; SET sql_mode = 'ANSI_QUOTES'; ";
    conn.query_drop(changes.repeat(50)).await.unwrap();
    assert_eq!(number(conn.query_drop(changes.repeat(51)).await), 1235);
}
