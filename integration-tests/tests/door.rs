//! The door: TLS, compression, certificates that change, PROXY headers, logins that fail, sessions that are told of what
//! changed or are ended, by real clients.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::client::{self, Refusal};
use cellgate_integration_tests::http;
use cellgate_integration_tests::proxy::Proxy;
use cellgate_integration_tests::raw::{COM_QUERY, Raw, Reply};
use cellgate_integration_tests::wait;
use mysql_async::prelude::Queryable;
use mysql_async::{Compression, Conn, SslOpts};

const COM_INIT_DB: u8 = 0x02;
const COM_PROCESS_KILL: u8 = 0x0c;
const COM_CHANGE_USER: u8 = 0x11;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_RESET: u8 = 0x1a;
const COM_STMT_FETCH: u8 = 0x1c;
const LIMIT: Duration = Duration::from_secs(60);

/// The certificate that a proxy made at its first start.
fn authority(proxy: &Proxy) -> PathBuf {
    proxy.deployment().directory().join("data/tls-certificate.pem")
}

async fn status(conn: &mut Conn, name: &str) -> String {
    let row: Option<(String, String)> = conn.query_first(format!("SHOW STATUS LIKE '{name}'")).await.unwrap();
    row.expect("there is such a status").1
}

#[tokio::test]
async fn a_client_that_verifies_gets_tls_out_of_the_box() {
    let proxy = Deployment::embedded().start();
    let trusting = SslOpts::default().with_root_certs(vec![authority(&proxy).into()]);
    let mut conn = client::try_connect(client::options(proxy.mysql()).ssl_opts(trusting)).await.unwrap();
    assert_eq!(status(&mut conn, "Ssl_version").await, "TLSv1.3");
    assert_eq!(status(&mut conn, "Ssl_cipher").await, "TLS_AES_256_GCM_SHA384");
    conn.disconnect().await.unwrap();
    let distrusting = client::options(proxy.mysql()).ssl_opts(SslOpts::default());
    assert!(client::try_connect(distrusting).await.is_err(), "nobody vouches for it");
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(status(&mut conn, "Ssl_version").await, "");
}

#[tokio::test]
async fn a_client_that_compresses_reads_and_writes_what_others_do() {
    let proxy = Deployment::embedded().start();
    let insecure = SslOpts::default().with_danger_accept_invalid_certs(true);
    for ssl in [None, Some(insecure)] {
        let options = client::options(proxy.mysql()).compression(Compression::default()).ssl_opts(ssl);
        let mut conn = client::try_connect(options).await.unwrap();
        for size in [10, 1000, 100_000, 17 << 20] {
            let text = "many alike ".repeat(size / 11 + 1);
            let found: Option<String> = conn.query_first(format!("SELECT '{text}' AS t")).await.unwrap();
            assert!(found.as_ref() == Some(&text), "{size} bytes");
        }
        conn.disconnect().await.unwrap();
    }
}

#[test]
fn the_command_line_client_comes_in_encrypted_and_compressed() {
    let proxy = Deployment::embedded().start();
    let ca = format!("--ssl-ca={}", authority(&proxy).display());
    // Without a word it asks for TLS where it is offered.
    for (options, version) in [
        (&["--ssl"][..], "TLSv1.3"),
        (&["--ssl", &ca, "--ssl-verify-server-cert"], "TLSv1.3"),
        (&["--skip-ssl", "--compress"], ""),
        (&["--ssl", "--compress"], "TLSv1.3"),
    ] {
        let output = Command::new("mariadb")
            .args([
                "--no-defaults",
                "--protocol=tcp",
                "--host=localhost",
                "--user=root",
                "--batch",
                "--skip-column-names",
            ])
            .arg(format!("--port={}", proxy.mysql().port()))
            .args(options)
            .args(["--execute", "SHOW STATUS LIKE 'Ssl_version'; SELECT 'a', 'b'"])
            .output()
            .expect("the mariadb command line");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text, format!("Ssl_version\t{version}\na\tb\n"), "{options:?}: {output:?}");
    }
}

/// No client that could be installed here speaks zstd; the script packs and unpacks with the C library.
#[test]
fn a_client_that_packs_with_the_real_zstd_is_understood_and_understands() {
    let proxy = Deployment::embedded().start();
    let output = Command::new("python3")
        .args(["-c", include_str!("zstd_client.py"), &proxy.mysql().port().to_string()])
        .output()
        .expect("python3");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "zstd\nok\n", "{output:?}");
}

/// Makes a certificate with another proxy, and copies it.
fn new_certificate(to: &Path) {
    let other = Deployment::embedded().start();
    std::fs::copy(other.deployment().directory().join("data/tls.pem"), to).unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let files = cellgate_integration_tests::scratch::Scratch::new();
    let file = files.join("server.pem");
    new_certificate(&file);
    let proxy = Deployment::configured(&format!("[listen]\ntls_certificate = {file:?}\n")).start();
    let trusting = async |ca: &Path| {
        let options = SslOpts::default().with_root_certs(vec![ca.to_owned().into()]);
        client::try_connect(client::options(proxy.mysql()).ssl_opts(options)).await.ok()
    };
    let old = files.join("old.pem");
    std::fs::copy(&file, &old).unwrap();
    let mut before = trusting(&old).await.expect("the first certificate");
    new_certificate(&file);
    wait::until_async("the new certificate", LIMIT, async || trusting(&file).await).await;
    assert!(trusting(&old).await.is_none(), "the old one is shown no more");
    let still: Option<u8> = before.query_first("SELECT 1").await.unwrap();
    assert_eq!(still, Some(1), "open connections stay");
}

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
    const CURSOR_EXISTS: u16 = 0x40;
    const LAST_ROW_SENT: u16 = 0x80;
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

#[tokio::test]
async fn beside_cursors_that_hold_what_a_statement_may_rows_are_sent_at_once() {
    const CURSOR_EXISTS: u16 = 0x40;
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
fn a_proxy_header_says_whose_connection_it_is() {
    let proxy = Deployment::configured("[listen]\nproxy_protocol_from = \"127.0.0.1\"\n").start();
    let connect = |header: &[u8]| {
        let mut raw = Raw::connect(proxy.mysql(), LIMIT).unwrap();
        raw.write_bytes(header).unwrap();
        raw
    };
    // Root has no password, and so may only come from this machine.
    assert!(connect(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n").log_in().is_ok());
    assert!(connect(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").log_in().is_ok(), "the sender for itself");
    assert!(connect(b"PROXY TCP4 192.0.2.9 127.0.0.1 1 2\r\n").log_in().is_err());
    proxy.until_logged("the refusal", |log| log.contains("host=\"192.0.2.9\"") || log.contains("host=192.0.2.9"));
    assert!(connect(b"no header\r\n").read_packet().is_err());
    // Health checks that only connect.
    let failures = |reason: &str| {
        let samples = http::metrics(proxy.http()).unwrap();
        samples.iter().filter(|(name, _)| name.contains("login") && name.contains(reason)).map(|(_, n)| *n).sum::<f64>()
    };
    wait::until("the missing header to be counted", LIMIT, || (failures("protocol") >= 1.0).then_some(()));
    let accepted = proxy.metric("cellgate_connections_accepted_total");
    for _ in 0..3 {
        drop(Raw::connect(proxy.mysql(), LIMIT).unwrap());
    }
    wait::until("them to come and go", LIMIT, || {
        let came = proxy.metric("cellgate_connections_accepted_total") - accepted > 2.5;
        (came && proxy.metric("cellgate_connections_open") < 0.5).then_some(())
    });
    assert!((failures("protocol") - 1.0).abs() < 0.5, "{}", failures("protocol"));
}

#[test]
fn who_waits_for_a_greeting_where_a_proxy_header_is_expected_is_in_the_log() {
    let text = "[listen]\nproxy_protocol_from = \"127.0.0.1\"\n[timeouts]\nhandshake = \"2s\"\n";
    let proxy = Deployment::configured(text).start();
    let mut raw = Raw::connect(proxy.mysql(), LIMIT).unwrap();
    assert!(raw.read_packet().is_err(), "no greeting");
    let line = wait::until("its line", LIMIT, || {
        proxy.log().lines().find(|line| line.contains("no PROXY header came")).map(str::to_owned)
    });
    assert!(line.contains("127.0.0.1"), "{line}");
}

#[tokio::test]
async fn the_end_of_the_certificate_is_a_metric() {
    const END: &str = "cellgate_tls_certificate_end_seconds";
    assert!(Deployment::embedded().start().metric(END) > 200_000_000_000.0, "its own does not end");
    assert!(Deployment::configured("[listen]\ntls_certificate = \"off\"\n").start().metric(END) < 1.0);
}

#[tokio::test]
async fn guessing_takes_time_and_shows_no_password() {
    let user = "[[user]]\nname = \"app\"\npassword = \"right-one\"\n";
    let proxy = Deployment::configured(&format!("[limits]\nlogin_delay = \"3s\"\n{user}")).start();
    let attempt = async |password: &str| {
        let options = client::options(proxy.mysql()).user(Some("app")).pass(Some(password)).prefer_socket(false);
        let started = Instant::now();
        let outcome = client::try_connect(options).await.map(drop);
        (outcome.map_err(|error| Refusal::of(&error).map(|refusal| refusal.code)), started.elapsed())
    };
    for _ in 0..7 {
        assert_eq!(attempt("wrong-one").await.0, Err(Some(1045)));
    }
    let (outcome, took) = attempt("right-one").await;
    assert_eq!(outcome, Ok(()));
    assert!(took >= Duration::from_millis(2900), "{took:?}");
    assert!(attempt("right-one").await.1 < Duration::from_secs(2), "a success ends it");
    let log = proxy.until_logged("a refusal", |log| log.contains("access denied"));
    assert!(!log.contains("wrong-one") && !log.contains("right-one"), "{log}");
}

#[tokio::test]
async fn who_may_not_log_in_is_delayed_like_who_guesses() {
    let secure = "[[user]]\nname = \"app\"\npassword = \"right-one\"\nrequire_tls = true\n[[user]]\nname = \"root\"\n";
    // The first of them is told when there is a key for passwords without TLS, which takes a busy machine its time.
    let delay = "[limits]\nlogin_delay = \"600ms\"\n[timeouts]\nhandshake = \"1m\"\n";
    let proxy = Deployment::configured(&format!("{delay}{secure}")).start();
    let mut root = client::connect(proxy.mysql()).await;
    client::run(&mut root, "CREATE USER locked IDENTIFIED BY 'right-one' ACCOUNT LOCK").await;
    for (user, code) in [("app", 1045), ("locked", 3118)] {
        let options = || client::options(proxy.mysql()).user(Some(user)).pass(Some("right-one")).prefer_socket(false);
        for _ in 0..5 {
            assert_eq!(number(client::try_connect(options()).await.map(drop)), code, "{user}");
        }
        let started = Instant::now();
        assert_eq!(number(client::try_connect(options()).await.map(drop)), code, "{user}");
        assert!(started.elapsed() >= Duration::from_millis(500), "{user}: {:?}", started.elapsed());
    }
}

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

/// The number of the one refusal there must be.
fn number<T>(outcome: Result<T, mysql_async::Error>) -> u16 {
    let error = outcome.err().expect("refused");
    Refusal::of(&error).unwrap_or_else(|| panic!("{error}")).code
}

/// Waits until a connection runs a statement that begins so.
async fn until_it_runs(root: &mut Conn, id: u32, statement: &str) {
    let running =
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} AND info LIKE '{statement}%'");
    wait::until_async("the statement runs", LIMIT, async || {
        let found: Option<u8> = root.query_first(&running).await.unwrap();
        found.filter(|found| *found == 1)
    })
    .await;
}

/// Ends what a connection runs as soon as it runs it.
async fn kill_query(root: &mut Conn, id: u32, statement: &str) {
    until_it_runs(root, id, statement).await;
    root.query_drop(format!("KILL QUERY {id}")).await.unwrap();
}

#[tokio::test]
async fn kill_query_ends_a_long_select_and_nothing_else() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    let id = conn.id();
    // Hundreds of columns, each with each, and with each again: minutes.
    let long = "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, \
                information_schema.columns c WHERE a.column_name < b.column_name";
    let started = Instant::now();
    let (outcome, ()) = tokio::join!(conn.query_drop(long), kill_query(&mut root, id, "SELECT COUNT"));
    assert_eq!(number(outcome), 1317);
    assert!(started.elapsed() < LIMIT);
    // And one whose rows are under way.
    client::run(&mut root, client::TRIPS).await;
    let body = "x".repeat(20_000);
    for part in 0..10 {
        let rows: Vec<String> = (0..100).map(|row| format!("('{part}-{row}', 'BASE', 1, '\"{body}\"')")).collect();
        let insert = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {}", rows.join(", "));
        client::run(&mut root, &insert).await;
    }
    // Behind it there may be another statement of the same text, which is not run then.
    for text in ["SELECT row_key, body FROM trips", "SELECT row_key, body FROM trips; SELECT 1"] {
        let mut result = conn.query_iter(text).await.unwrap();
        assert!(result.next().await.unwrap().is_some());
        root.query_drop(format!("KILL QUERY {id}")).await.unwrap();
        let failed = loop {
            match result.next().await {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        drop(result);
        assert_eq!(failed.and_then(|error| Refusal::of(&error)).map(|refusal| refusal.code), Some(1317));
        let shown = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} AND info IS NULL");
        wait::until_async("the statement to be over", LIMIT, async || {
            root.query_first::<u8, _>(&shown).await.unwrap().filter(|ended| *ended == 1)
        })
        .await;
        assert_eq!(status(&mut root, "Threads_running").await, "1", "who asks");
    }
    let still: Option<u8> = conn.query_first("SELECT 1").await.unwrap();
    assert_eq!(still, Some(1), "the connection goes on");
}

#[tokio::test]
async fn kill_query_of_a_lock_that_is_waited_for_leaves_nothing_locked() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    let id = conn.id();
    client::run(&mut root, client::TRIPS).await;
    for (lock, start) in [("LOCK TABLES trips READ", "LOCK TABLES"), ("FLUSH TABLES WITH READ LOCK", "FLUSH")] {
        client::run(&mut root, "LOCK TABLES trips WRITE").await;
        let mut killer = client::connect(proxy.mysql()).await;
        let (outcome, ()) = tokio::join!(conn.query_drop(lock), kill_query(&mut killer, id, start));
        assert_eq!(number(outcome), 1317, "{lock}");
        client::run(&mut root, "UNLOCK TABLES").await;
        for conn in [&mut conn, &mut root] {
            client::run(conn, "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1')").await;
            client::run(conn, "CREATE TABLE IF NOT EXISTS riders LIKE trips").await;
        }
    }
}

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

#[tokio::test]
async fn what_a_killed_call_leaves_to_show_is_its_own_error() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    let id = conn.id();
    assert_eq!(client::refused(&mut conn, "SELEC 1").await.code, 1064);
    let (outcome, ()) = tokio::join!(conn.query_drop("SELECT SLEEP(60)"), kill_query(&mut root, id, "SELECT SLEEP"));
    assert_eq!(number(outcome), 1317);
    let shown: Vec<(String, u16, String)> = client::rows(&mut conn, "SHOW WARNINGS").await;
    assert_eq!(shown.iter().map(|(_, code, _)| *code).collect::<Vec<_>>(), [1317]);
}

#[tokio::test]
async fn a_statement_is_killed_while_it_is_prepared() {
    // A thread for whoever kills, however few processors there are.
    let proxy = Deployment::configured("[limits]\nthreads = 4\n").start();
    let mut root = client::connect(proxy.mysql()).await;
    let mut conn = client::connect(proxy.mysql()).await;
    let id = conn.id();
    // Constants are computed for the types of the result: some hundred million steps.
    let (text, pattern) = ("a".repeat(40_000), "a".repeat(12_000));
    let select = format!("SELECT 1 UNION SELECT '{text}' LIKE '%{pattern}b'");
    for statement in [format!("PREPARE p FROM {}", client::quote(&select)), format!("DO '{text}' LIKE '%{pattern}b'")] {
        let (outcome, ()) = tokio::join!(conn.query_drop(&statement), kill_query(&mut root, id, &statement[..2]));
        assert_eq!(number(outcome), 1317);
    }
    // By the protocol's own command as well. A wish that comes before it is not for it.
    client::run(&mut root, &format!("KILL QUERY {id}")).await;
    assert!(conn.prep("SELECT 1 UNION SELECT 2").await.is_ok());
    let (outcome, ()) = tokio::join!(conn.prep(&select), kill_query(&mut root, id, "/* a text of"));
    assert_eq!(number(outcome), 1317);
    // It is counted as what it is.
    let metrics = http::metrics(proxy.http()).unwrap();
    let queries = |outcome: &str| {
        let label = format!("outcome=\"{outcome}\"");
        let of_queries = |name: &str| name.starts_with("cellgate_queries_total{") && name.contains(&label);
        metrics.iter().filter(|(name, _)| of_queries(name)).map(|(_, count)| count).sum::<f64>()
    };
    assert_eq!((queries("killed"), queries("timeout")), (3.0, 0.0));
}

#[tokio::test]
async fn who_kills_itself_is_told_so() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(number(conn.query_drop("KILL QUERY CONNECTION_ID()").await), 1317);
    let still: Option<u8> = conn.query_first("SELECT 1").await.unwrap();
    assert_eq!(still, Some(1));
    assert_eq!(number(conn.query_drop("KILL CONNECTION_ID()").await), 1317);
    assert!(conn.query_drop("SELECT 1").await.is_err(), "the connection is gone");
}

#[tokio::test]
async fn a_delayed_login_ends_within_its_time() {
    let user = "[[user]]\nname = \"app\"\npassword = \"right-one\"\ngrants = [\"SELECT ON *.*\"]\n";
    let config = format!("[limits]\nlogin_delay = \"1m\"\n[timeouts]\nhandshake = \"2s\"\n{user}");
    let proxy = Deployment::configured(&config).start();
    let attempt = async |password: &str| {
        let options = client::options(proxy.mysql()).user(Some("app")).pass(Some(password)).prefer_socket(false);
        client::try_connect(options).await
    };
    // From the seventh on the delays would be longer than a login may take.
    for _ in 0..8 {
        assert_eq!(number(attempt("wrong-one").await), 1045);
    }
    attempt("right-one").await.unwrap();
}

#[tokio::test]
async fn flush_hosts_forgets_failed_logins() {
    let user = "[[user]]\nname = \"app\"\npassword = \"right-one\"\ngrants = [\"SELECT ON *.*\"]\n\
                [[user]]\nname = \"root\"\n";
    let delay = "[limits]\nlogin_delay = \"30s\"\n[timeouts]\nhandshake = \"1m\"\n";
    let proxy = Deployment::configured(&format!("{delay}{user}")).start();
    let attempt = async |password: &str| {
        let options = client::options(proxy.mysql()).user(Some("app")).pass(Some(password)).prefer_socket(false);
        client::try_connect(options).await
    };
    for _ in 0..8 {
        assert_eq!(number(attempt("wrong-one").await), 1045);
    }
    let mut root = client::connect(proxy.mysql()).await;
    root.query_drop("FLUSH HOSTS").await.unwrap();
    let started = Instant::now();
    let mut app = attempt("right-one").await.unwrap();
    // The ninth would have waited for eight seconds.
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(number(app.query_drop("FLUSH HOSTS").await), 1227);
    app.query_drop("FLUSH LOGS").await.unwrap();
}

#[tokio::test]
async fn the_key_for_passwords_without_tls_is_shown_to_who_asks_for_it_by_name() {
    let deployment = Deployment::embedded();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    let everything: Vec<(String, String)> = client::rows(&mut conn, "SHOW STATUS").await;
    let of = |rows: &[(String, String)]| {
        rows.iter().find(|(name, _)| name == "Caching_sha2_password_rsa_public_key").map(|(_, key)| key.clone())
    };
    assert_eq!(of(&everything).as_deref(), Some(""), "nobody has needed it yet");
    let asked = "SHOW STATUS LIKE 'Caching_sha2_password_rsa_public_key'";
    let key = of(&client::rows(&mut conn, asked).await).unwrap();
    assert!(key.starts_with("-----BEGIN PUBLIC KEY-----"), "{key}");
    let everything: Vec<(String, String)> = client::rows(&mut conn, "SHOW GLOBAL STATUS").await;
    assert_eq!(of(&everything), Some(key));
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
