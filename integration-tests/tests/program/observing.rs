//! What an operator sees of a program that runs: metrics, health and the log, also where files are short or taken away.

use cellgate_integration_tests::client::{self, TRIPS, get, put, run, triple};
use cellgate_integration_tests::process::{self, Process, Signal};
use cellgate_integration_tests::proxy::Options;
use cellgate_integration_tests::servers::free_port;
use cellgate_integration_tests::{Deployment, http, settings, wait};
use mysql_async::prelude::Queryable;

use super::SHORT;

#[tokio::test]
async fn metrics_count_what_was_put_and_read() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let before = http::metrics(proxy.http()).unwrap();
    for reference in 1..=5 {
        put(&mut conn, &triple("a", "BASE", reference), "{}").await.unwrap();
        get(&mut conn, &triple("a", "BASE", reference)).await.unwrap();
    }
    // Behind the others: they are counted by now.
    run(&mut conn, "DO 1").await;
    let after = http::metrics(proxy.http()).unwrap();
    let grown = |family: &str| http::total(&after, family) - http::total(&before, family);
    assert_eq!(grown("cellgate_cells_written_total"), 5.0);
    assert_eq!(grown("cellgate_cells_read_total"), 5.0);
    assert!(grown("cellgate_queries_total") >= 10.0);
    assert!(http::total(&after, "cellgate_connections_open") >= 1.0);
}

#[tokio::test]
async fn whatever_waits_for_stores_has_a_time_in_their_stage() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let put = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES";
    for (statement, samples) in [
        (format!("{put} ('a', 'BASE', 1, '1'), ('a', 'BASE', 2, '2')"), 1.0),
        (format!("{put} ('a', 'BASE', 1, '2'), ('a', 'BASE', 2, '2')"), 1.0),
        ("SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key IN (1, 2)".to_owned(), 1.0),
        ("SELECT * FROM trips WHERE row_key = 'a'".to_owned(), 1.0),
        ("SELECT COUNT(*) FROM trips".to_owned(), 1.0),
        ("BEGIN".to_owned(), 0.0),
        (format!("{put} ('b', 'BASE', 1, '1')"), 1.0),
        ("COMMIT".to_owned(), 1.0),
        ("DELETE FROM trips WHERE row_key = 'a'".to_owned(), 1.0),
    ] {
        let stored = || http::metrics(proxy.http()).unwrap()["cellgate_stage_seconds_count{stage=\"store\"}"];
        let before = stored();
        // The second one is refused as a duplicate.
        let _refused = conn.query_drop(&statement).await;
        // Behind the other: it is counted by now.
        run(&mut conn, "DO 1").await;
        assert_eq!(stored() - before, samples, "{statement}");
    }
}

#[tokio::test]
async fn a_statement_of_a_known_shape_is_answered_the_short_way_unless_it_is_long() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let prepared = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, 'BASE', ?, ?)";
    // What the long way does and the short one does not: a text is parsed, a statement is bound.
    let stage = |stage: &str| {
        http::metrics(proxy.http()).unwrap()[&format!("cellgate_stage_seconds_count{{stage=\"{stage}\"}}")]
    };
    let body = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    for (reference, bytes, parsed) in [(1, 1, 0.0), (2, 200 << 10, 1.0)] {
        let before = stage("parse");
        let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES";
        run(&mut conn, &format!("{insert} ('a', 'BASE', {reference}, '{}')", body(bytes))).await;
        assert_eq!(stage("parse") - before, parsed, "{bytes} bytes");
    }
    let prepared = conn.prep(prepared).await.unwrap();
    for (reference, bytes, bound) in [(3, 1, 0.0), (4, 2 << 20, 1.0)] {
        let before = stage("bind");
        conn.exec_drop(&prepared, ("a", reference, body(bytes))).await.unwrap();
        assert_eq!(stage("bind") - before, bound, "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_reader_of_the_log_that_stops_reading_stops_nothing_else() {
    let deployment = Deployment::configured("[log]\nslow_query = \"0s\"\n");
    let mut proxy = deployment.start_with(Options { read_log: false, ..Options::default() });
    let mut conn = client::connect(proxy.mysql()).await;
    // A pipe holds 64 KiB, the queue 8 MiB: the line of each statement shows 8 KiB of it.
    let long = format!("SELECT 1 AS {}", "y".repeat(1 << 14));
    for _ in 0..2000 {
        // The name is too long: what is no statement of ours is logged as well.
        let _ = conn.query_drop(&long).await;
    }
    let mut other = client::connect(proxy.mysql()).await;
    run(&mut other, "DO 1").await;
    assert_eq!(http::get(proxy.http(), "/healthz").unwrap().status, 200);
    assert!(proxy.metric("cellgate_log_lines_lost_total") >= 1.0);
    assert_eq!(proxy.terminate().code(), Some(0));
}

#[test]
fn a_log_that_cannot_be_written_prevents_neither_the_start_nor_the_end() {
    let (mysql, web) = (free_port(), free_port());
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut command = process::tethered(settings::binary(), None);
    command.arg("serve").arg("--data-dir").arg(home.path().join("data"));
    command.args(["--listen", &format!("127.0.0.1:{mysql}"), "--http", &format!("127.0.0.1:{web}")]);
    command.current_dir(home.path()).stdout(std::process::Stdio::null());
    command.stderr(std::fs::File::options().write(true).open("/dev/full").expect("the device"));
    let mut program = Process::spawn(&mut command);
    let address = ([127, 0, 0, 1], web).into();
    wait::until("the program", wait::PATIENCE, || {
        assert_eq!(program.ended(), None, "it ended");
        http::get(address, "/readyz").ok().filter(|answer| answer.status == 200)
    });
    let lost = http::total(&http::metrics(address).unwrap(), "cellgate_log_lines_lost_total");
    assert!(lost >= 1.0, "{lost}");
    program.signal(Signal::Term);
    let status = wait::until("the end", wait::PATIENCE, || program.ended());
    assert_eq!(status.code(), Some(0));

    let mut command = process::tethered(settings::binary(), None);
    command.args(["check", "--config", "/nowhere"]).stdout(std::process::Stdio::null());
    command.stderr(std::fs::File::options().write(true).open("/dev/full").expect("the device"));
    let mut program = Process::spawn(&mut command);
    assert_eq!(wait::until("the end", SHORT, || program.ended()).code(), Some(1));
}

#[tokio::test]
async fn without_free_descriptors_clients_are_refused_and_health_checks_are_not() {
    let proxy = Deployment::embedded().start_with(Options { open_files: Some(140), ..Options::default() });
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let held: Vec<_> = (0..200).map(|_| std::net::TcpStream::connect(proxy.mysql()).unwrap()).collect();
    let refused = || (proxy.metric("cellgate_connections_refused_total") > 0.0).then_some(());
    wait::until("refusals", SHORT, refused);
    assert_eq!(http::get(proxy.http(), "/healthz").unwrap().status, 200);
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    let told = |log: &str| log.matches("nearly as many files are open as may be").count();
    let log = proxy.until_logged("the reason", |log| told(log) > 0);
    assert!((1..=3).contains(&told(&log)), "{log}");
    drop(held);
    wait::until_async("a place", SHORT, async || client::try_connect(client::options(proxy.mysql())).await.ok()).await;
}

#[tokio::test]
async fn a_cluster_whose_file_was_taken_away_takes_no_writes() {
    let deployment = Deployment::configured("[cache]\nsize = \"0\"\n");
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let cell = triple("a", "BASE", 1);
    put(&mut conn, &cell, "1").await.unwrap();
    for cluster in ["c1", "c2", "c3", "c4"] {
        std::fs::remove_file(deployment.directory().join(format!("data/{cluster}.db"))).unwrap();
    }
    wait::until("the health check", SHORT, || {
        (http::get(proxy.http(), "/readyz").unwrap().status == 503).then_some(())
    });
    put(&mut conn, &triple("a", "BASE", 2), "1").await.unwrap_err();
    get(&mut conn, &cell).await.unwrap_err();
    proxy.until_logged("why", |log| log.contains("was taken away while it was in use"));
}
