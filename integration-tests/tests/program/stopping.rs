//! Stopping: by signals, behind what is running and with draining, and in the middle of a start.

use std::time::Duration;

use cellgate_integration_tests::client::{self, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::process::{self, Process, Signal};
use cellgate_integration_tests::raw::{COM_QUERY, Raw, Reply};
use cellgate_integration_tests::servers::{self, MariaDb};
use cellgate_integration_tests::{Deployment, http, settings, wait};
use mysql_async::prelude::Queryable;

use super::{SHORT, until_a_statement_sleeps};

#[tokio::test]
async fn a_proxy_that_stops_is_not_ready_any_more() {
    let mut proxy = Deployment::configured("[timeouts]\nshutdown = \"1m\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    let mut busy = client::connect(proxy.mysql()).await;
    let held = tokio::spawn(async move { busy.query_drop("SELECT SLEEP(8)").await });
    until_a_statement_sleeps(&mut conn).await;
    proxy.signal(Signal::Term);
    let answer = wait::until("a refusal", SHORT, || {
        http::get(proxy.http(), "/readyz").ok().filter(|answer| answer.status != 200)
    });
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("the proxy is stopping"), "{}", answer.text);
    held.await.unwrap().unwrap();
    assert_eq!(proxy.wait().code(), Some(0));
}

#[tokio::test]
async fn a_proxy_that_drains_is_not_ready_and_serves_old_and_new_clients() {
    let mut proxy = Deployment::configured("[timeouts]\ndrain = \"1h\"\nshutdown = \"1m\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    proxy.signal(Signal::Term);
    wait::until("a refusal", SHORT, || http::get(proxy.http(), "/readyz").ok().filter(|answer| answer.status == 503));
    for reference in 1..=3 {
        let mut new = client::connect(proxy.mysql()).await;
        put(&mut new, &triple("a", "BASE", reference), "1").await.unwrap();
        assert_eq!(get(&mut conn, &triple("a", "BASE", reference)).await.unwrap().as_deref(), Some("1"));
        new.disconnect().await.unwrap();
    }
    let mut busy = client::connect(proxy.mysql()).await;
    let held = tokio::spawn(async move { busy.query_drop("SELECT SLEEP(5)").await });
    until_a_statement_sleeps(&mut conn).await;
    // Another signal ends that, and what is running is finished.
    wait::passes("signals of one wish come within a second", Duration::from_secs(1));
    proxy.signal(Signal::Int);
    wait::until("the end of draining", SHORT, || proxy.log().contains("finishing what is running").then_some(()));
    held.await.unwrap().unwrap();
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
}

#[tokio::test]
async fn a_transaction_is_let_finish_when_the_program_is_told_to_stop() {
    let mut proxy = Deployment::configured("[timeouts]\nshutdown = \"1m\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    run(&mut conn, "BEGIN").await;
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    proxy.signal(Signal::Term);
    wait::until("the stop", SHORT, || proxy.log().contains("finishing what is running").then_some(()));
    put(&mut conn, &triple("a", "BASE", 2), "2").await.unwrap();
    run(&mut conn, "COMMIT").await;
    assert!(conn.query_drop("SELECT 1").await.is_err());
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
    proxy.restart();
    let mut conn = client::connect(proxy.mysql()).await;
    for (reference, body) in [(1, "1"), (2, "2")] {
        assert_eq!(get(&mut conn, &triple("a", "BASE", reference)).await.unwrap().as_deref(), Some(body));
    }
}

#[tokio::test]
async fn who_is_cut_off_at_work_is_told_so_and_who_is_idle_is_not() {
    let mut proxy = Deployment::configured("[timeouts]\nshutdown = \"1s\"\n").start();
    let [mut idle, mut busy] = [(); 2].map(|()| Raw::login(proxy.mysql(), SHORT).unwrap());
    assert_eq!(idle.query(b"BEGIN").unwrap(), Reply::Ok);
    busy.command(COM_QUERY, b"SELECT SLEEP(3000)").unwrap();
    let mut conn = client::connect(proxy.mysql()).await;
    until_a_statement_sleeps(&mut conn).await;
    proxy.signal(Signal::Term);
    assert_eq!(busy.reply().unwrap(), Reply::Error(1053));
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
    assert_eq!(idle.drain().unwrap(), 0, "bytes nobody asked for");
}

#[test]
fn a_stop_does_not_wait_for_a_proxy_header() {
    let text = "[listen]\nproxy_protocol_from = \"127.0.0.1\"\n[timeouts]\nhandshake = \"10m\"\nshutdown = \"1h\"\n";
    let mut proxy = Deployment::configured(text).start();
    let silent = Raw::connect(proxy.mysql(), SHORT).unwrap();
    wait::until("it is taken", SHORT, || (proxy.metric("cellgate_connections_open") > 0.5).then_some(()));
    assert_eq!(proxy.terminate().code(), Some(0), "{}", proxy.log());
    assert!(!proxy.log().contains("still busy are cut off"), "{}", proxy.log());
    assert_eq!(silent.drain().unwrap(), 0, "bytes nobody asked for");
}

#[tokio::test]
async fn sigterm_ends_with_success_and_keeps_every_cell() {
    let mut proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    assert_eq!(proxy.terminate().code(), Some(0), "{}", proxy.log());
    assert!(client::try_connect(client::options(proxy.mysql())).await.is_err());
    proxy.restart();
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(get(&mut conn, &triple("a", "BASE", 1)).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_what_is_running() {
    let mut proxy = Deployment::configured("[timeouts]\nshutdown = \"1h\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    let mut busy = client::connect(proxy.mysql()).await;
    let held = tokio::spawn(async move { busy.query_drop("SELECT SLEEP(3000)").await });
    until_a_statement_sleeps(&mut conn).await;
    proxy.signal(Signal::Term);
    proxy.until_logged("the stop", |log| log.contains("finishing what is running"));
    proxy.signal(Signal::Hup);
    let refused = "is not reloaded: the program is stopping";
    proxy.until_logged("the reload to be refused", |log| log.contains(refused));
    assert!(proxy.is_running());
    // At once behind the first it is the same wish.
    wait::until("the stop at once", SHORT, || {
        proxy.signal(Signal::Term);
        proxy.log().contains("asked twice").then_some(())
    });
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
    assert!(held.await.unwrap().is_err());
    proxy.until_logged("what became of the statement", |log| log.contains("still busy are cut off"));
}

#[test]
fn a_start_that_waits_for_a_store_answers_probes_and_is_ended_by_a_signal() {
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    silent.set_nonblocking(true).expect("a socket");
    let home = tempfile::tempdir().expect("a temporary directory");
    let config = home.path().join("cellgate.toml");
    let meta = format!("meta = \"mysql://cell@{}/meta\"", silent.local_addr().expect("bound"));
    std::fs::write(&config, format!("[timeouts]\nconnect = \"10m\"\n[topology]\n{meta}\n")).expect("writable");
    for signal in [Signal::Term, Signal::Int] {
        let web = std::net::SocketAddr::from(([127, 0, 0, 1], servers::free_port()));
        let mut command = process::tethered(settings::binary(), None);
        command.args(["serve", "--listen", "127.0.0.1:0", "--http", &web.to_string(), "--config"]).arg(&config);
        command.current_dir(home.path()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut program = Process::spawn(&mut command);
        let (waiting, _) = wait::until("a connection to the meta store", SHORT, || silent.accept().ok());
        for (path, status, said) in
            [("healthz", 200, "ok"), ("readyz", 503, "is starting"), ("metrics", 503, "no metrics")]
        {
            let answer = http::get(web, &format!("/{path}")).expect("an answer");
            assert!(answer.status == status && answer.text.contains(said), "{path}: {answer:?}");
        }
        program.signal(signal);
        let status = wait::until("the end", SHORT, || program.ended());
        assert_eq!(status.code(), Some(0), "{signal:?}");
        drop(waiting);
    }
}

#[test]
fn sigint_ends_with_success() {
    let mut proxy = Deployment::embedded().start();
    proxy.signal(Signal::Int);
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
}

#[test]
fn a_start_that_is_ended_by_a_signal_is_in_the_registry_no_more() {
    let mut databases = Builder::new();
    let meta = databases.shared_mariadb_database();
    let (schema, server) = (meta.rsplit('/').next().unwrap().to_owned(), MariaDb::shared());
    let ask = format!("SELECT COUNT(*) FROM {schema}.cg_meta WHERE name LIKE 'proxy/%'");
    let registered = || server.execute(&ask).trim().parse::<u32>().unwrap();
    let cluster = databases.shared_mariadb_database();
    let configuration = |more: &str| {
        let builder = Builder::new().topology(SHARDS, Some(&meta)).text("[timeouts]\nconnect = \"1m\"\n");
        builder.cluster("m", &cluster).text(more).build()
    };
    assert_eq!(configuration("").start().terminate().code(), Some(0));
    assert_eq!(registered(), 0);
    // Somebody who takes connections and says nothing: the start waits for a cluster that is new.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let waits = configuration(&format!("[[cluster]]\nname = \"n\"\nprimary = \"mysql://u@{address}/n\"\n"));
    let mut command = process::tethered(settings::binary(), None);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--config"])
        .arg(waits.config().unwrap());
    command.arg("--data-dir").arg(waits.directory().join("data")).current_dir(waits.directory());
    command.stderr(std::process::Stdio::null());
    let mut starting = Process::spawn(&mut command);
    wait::until("the start to be registered", SHORT, || (registered() == 1).then_some(()));
    starting.signal(Signal::Term);
    let status = wait::until("the start to end", SHORT, || starting.ended());
    assert_eq!(status.code(), Some(0));
    assert_eq!(registered(), 0, "others would take it to be alive for a lease");
    drop(databases.build());
}
