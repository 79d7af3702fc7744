//! The door: TLS, compression, certificates that change, PROXY headers, logins that fail, by real clients.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::client::{self, Refusal};
use cellgate_integration_tests::proxy::Proxy;
use cellgate_integration_tests::raw::{Raw, Reply};
use cellgate_integration_tests::wait;
use mysql_async::prelude::Queryable;
use mysql_async::{Compression, SslOpts};

const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_FETCH: u8 = 0x1c;
const LIMIT: Duration = Duration::from_secs(60);

/// The certificate that a proxy made at its first start.
fn authority(proxy: &Proxy) -> PathBuf {
    proxy.deployment().directory().join("data/tls-certificate.pem")
}

async fn status(conn: &mut mysql_async::Conn, name: &str) -> String {
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
    }
    assert_eq!(fetched, [1000, 1000, 500]);
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
    let logged = |log: String| log.contains("host=\"192.0.2.9\"") || log.contains("host=192.0.2.9");
    wait::until("the refusal in the log", LIMIT, || logged(proxy.log()).then_some(()));
    assert!(connect(b"no header\r\n").read_packet().is_err());
}

#[tokio::test]
async fn guessing_takes_time_and_shows_no_password() {
    let user = "[[user]]\nname = \"app\"\npassword = \"right-one\"\n";
    let proxy = Deployment::configured(&format!("[limits]\nlogin_delay = \"600ms\"\n{user}")).start();
    let attempt = async |password: &str| {
        let options = client::options(proxy.mysql()).user(Some("app")).pass(Some(password)).prefer_socket(false);
        let started = Instant::now();
        let outcome = client::try_connect(options).await.map(drop);
        (outcome.map_err(|error| Refusal::of(&error).map(|refusal| refusal.code)), started.elapsed())
    };
    for _ in 0..5 {
        assert_eq!(attempt("wrong-one").await.0, Err(Some(1045)));
    }
    let (outcome, took) = attempt("right-one").await;
    assert_eq!(outcome, Ok(()));
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(attempt("right-one").await.1 < Duration::from_millis(500), "a success ends it");
    let log = proxy.log();
    assert!(log.contains("access denied"), "{log}");
    assert!(!log.contains("wrong-one") && !log.contains("right-one"), "{log}");
}
