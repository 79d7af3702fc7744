//! The proxy dies by signal 9 while clients write: what was acknowledged is there afterwards, and no triple has two bodies.

use std::time::Duration;

use cellgate_integration_tests::client::{self, TRIPS, run};
use cellgate_integration_tests::load::{Load, everything};
use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::{Deployment, Proxy, settings, wait};

const WRITERS: usize = 8;
/// Rounds in an ordinary run; `cargo xtask prove kill-proxy` does twenty and more.
const SHARE: u64 = 3;

async fn killed_again_and_again(mut proxy: Proxy) {
    let mut random = Random::new(settings::seed());
    run(&mut client::connect(proxy.mysql()).await, TRIPS).await;
    let load = Load::start(&[proxy.mysql()], WRITERS, &mut random);
    for round in 0..settings::rounds(SHARE) {
        load.progress(50).await;
        wait::under_load(Duration::from_millis(random.below(300))).await;
        proxy.assert_no_panic();
        proxy.kill();
        proxy.restart();
        println!("round {round}: {} statements acknowledged", load.acknowledged());
    }
    load.progress(50).await;
    let ledger = load.stop().await;
    assert!(ledger.duplicates > 0, "the writers never met: {ledger:?}");
    assert!(ledger.transactions > 0 && !ledger.appended.is_empty(), "a kind of write never succeeded: {ledger:?}");
    ledger.check(everything(proxy.mysql()).await);
    // And the same is read by a process that has seen none of it.
    proxy.kill();
    proxy.restart();
    ledger.check(everything(proxy.mysql()).await);
    proxy.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_proxy_killed_under_load_loses_no_acknowledged_cell() {
    killed_again_and_again(Deployment::embedded().start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_over_three_engines_killed_under_load_loses_no_acknowledged_cell() {
    killed_again_and_again(Deployment::mixed().start()).await;
}
