//! Servers that are killed again and again under load lose no acknowledged cell.

use std::time::Duration;

use cellgate_integration_tests::load::{Load, everything};
use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::servers::{MariaDb, Postgres};
use cellgate_integration_tests::{settings, wait};

use super::{Server, proxy_over};

/// Kills of each backend in an ordinary run; `cargo xtask prove kill-backends` does twenty and more.
const SHARE: u64 = 2;

async fn killed_again_and_again<S: Server>() {
    let mut random = Random::new(settings::seed());
    let mut server = S::private();
    let (proxy, _) = proxy_over(&server).await;
    let load = Load::start(&[proxy.mysql()], 8, &mut random);
    for round in 0..settings::rounds(SHARE) {
        load.progress(100).await;
        wait::under_load(Duration::from_millis(random.below(300))).await;
        server.kill();
        wait::under_load(Duration::from_millis(random.below(500))).await;
        server.start();
        println!("round {round}: {} statements acknowledged", load.acknowledged());
    }
    load.progress(200).await;
    let ledger = load.stop().await;
    assert!(ledger.transactions > 0 && !ledger.appended.is_empty(), "a kind of write never succeeded: {ledger:?}");
    ledger.check(everything(proxy.mysql()).await);
    proxy.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_killed_under_load_loses_no_acknowledged_cell() {
    killed_again_and_again::<MariaDb>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_killed_under_load_loses_no_acknowledged_cell() {
    killed_again_and_again::<Postgres>().await;
}
