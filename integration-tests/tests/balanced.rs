//! A rolling restart as docs/OPERATIONS.md describes it: two proxies behind HAProxy, of which one after the other is told to
//! stop and started again while clients write. Who repeats a write whose connection was lost meets no error, and what was
//! acknowledged is there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use cellgate_integration_tests::client::{self, Refusal, TRIPS, put, rows, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::process::Signal;
use cellgate_integration_tests::proxy::Options;
use cellgate_integration_tests::servers::HaProxy;
use cellgate_integration_tests::wait;
use mysql_async::{Conn, DriverError, Error};

const WRITERS: u64 = 8;
/// Writes of a connection of every second writer: these come and go, so a proxy that is back has some. The others keep
/// theirs, as a pool does, until they are closed.
const WRITES: u64 = 20;
/// Writes acknowledged before the next proxy is stopped.
const BETWEEN: u64 = 200;

/// Whether a client that reconnects and repeats (on 1053, 2006 and 2013) does so.
fn is_repeated(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Driver(DriverError::ConnectionClosed) => true,
        _ => Refusal::of(error).is_some_and(|refusal| refusal.code == 1053),
    }
}

/// Writes cells of its own until told to stop, and repeats each until it is acknowledged: their number, and that of repeats.
async fn write(address: SocketAddr, number: u64, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicU64>) -> (u64, u64) {
    let (mut written, mut repeats) = (0u64, 0);
    let mut connection: Option<Conn> = None;
    while !stop.load(Ordering::Relaxed) {
        if number.is_multiple_of(2) && written.is_multiple_of(WRITES) {
            connection = None;
        }
        let (cell, body) = (triple(&format!("{number}-{written}"), "BASE", 1), written.to_string());
        let began = Instant::now();
        loop {
            let attempt = async {
                let conn = match connection.take() {
                    Some(conn) => connection.insert(conn),
                    None => connection.insert(client::try_connect(client::options(address)).await?),
                };
                put(conn, &cell, &body).await
            };
            let Err(error) = attempt.await else { break };
            assert!(is_repeated(&error), "{cell:?}: {error}");
            assert!(began.elapsed() < wait::PATIENCE, "{cell:?} is never written: {error}");
            repeats += 1;
            connection = None;
            wait::under_load(wait::PAUSE).await;
        }
        written += 1;
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    (written, repeats)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_restarted_one_after_the_other_cost_clients_no_error_and_no_cell() {
    let mut builder = Builder::new();
    let meta = builder.shared_mariadb_database();
    let builder = builder.text("[timeouts]\ndrain = \"2s\"\n").topology(SHARDS, Some(&meta));
    let deployment = builder.shared_mariadb("m").build();
    let mut one = deployment.start();
    let mut two = deployment.start_with(Options { data: "second".to_owned(), ..Options::default() });
    let balancer = HaProxy::before(&[&one, &two]);
    run(&mut client::connect(one.mysql()).await, TRIPS).await;

    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(write(balancer.address(), number, Arc::clone(&stop), Arc::clone(&acknowledged))))
        .collect();
    let progress = || {
        let target = acknowledged.load(Ordering::Relaxed) + BETWEEN;
        wait::until("the load to make progress", wait::PATIENCE, || {
            assert!(!writers.iter().any(|writer| writer.is_finished()), "a writer has failed; its message is above");
            (acknowledged.load(Ordering::Relaxed) >= target).then_some(())
        });
    };
    for proxy in [&mut one, &mut two] {
        progress();
        proxy.signal(Signal::Term);
        assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
        proxy.assert_no_panic();
        proxy.restart();
        wait::until("clients of the proxy that is back", wait::PATIENCE, || {
            (proxy.metric("cellgate_cells_written_total") > 0.0).then_some(())
        });
    }
    progress();
    stop.store(true, Ordering::Relaxed);
    let (mut expected, mut repeated) = (BTreeSet::new(), 0);
    for (number, writer) in writers.into_iter().enumerate() {
        let (written, repeats) = writer.await.expect("a writer");
        expected.extend((0..written).map(|n| (format!("{number}-{n}"), n.to_string())));
        repeated += repeats;
    }
    println!("{} writes, {repeated} repeats", expected.len());
    assert!(repeated > 0, "no connection was closed");
    for proxy in [&one, &two] {
        let mut conn = client::connect(proxy.mysql()).await;
        let found: Vec<(String, String)> = rows(&mut conn, "SELECT row_key, body FROM trips").await;
        assert_eq!(found.len(), expected.len(), "each once");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        proxy.assert_no_panic();
    }
}
