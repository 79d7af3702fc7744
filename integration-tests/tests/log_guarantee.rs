//! The log guarantee (C1 of docs/ARCHITECTURE.md): readers that poll each shard for `added_id > last` through one proxy
//! see every acknowledged cell exactly once and in order, while writers put through two proxies and half of what they
//! put is there already.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cellgate_integration_tests::client::{self, TRIPS, Triple, rows, run};
use cellgate_integration_tests::load::Load;
use cellgate_integration_tests::proxy::Options;
use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::{Deployment, settings};

const SHARDS: u32 = 8;
/// Readers, each of which polls all shards, at alternating proxies.
const READERS: usize = 2;
const WRITERS: usize = 8;
/// Statements written in a round.
const STATEMENTS: u64 = 1500;

/// A cell as the log shows it.
type Entry = (u64, String, String, i64, String);

/// Polls every shard until told to stop, and once more after that: each shard's log.
async fn follow(address: SocketAddr, page: u64, stop: Arc<AtomicBool>) -> Vec<Vec<Entry>> {
    let mut conn = client::connect(address).await;
    let mut logs: Vec<Vec<Entry>> = (0..SHARDS).map(|_| Vec::new()).collect();
    loop {
        let last_time = stop.load(Ordering::SeqCst);
        for (shard, log) in logs.iter_mut().enumerate() {
            loop {
                let last = log.last().map_or(0, |entry| entry.0);
                let statement = format!(
                    "SELECT added_id, row_key, column_key, ref_key, body FROM trips PARTITION (p{shard}) \
                     WHERE added_id > {last} ORDER BY added_id LIMIT {page}"
                );
                let found: Vec<Entry> = rows(&mut conn, &statement).await;
                let full = found.len() as u64 == page;
                for entry in found {
                    let last = log.last().map_or(0, |entry| entry.0);
                    assert!(entry.0 > last, "shard {shard}: {entry:?} after {last}");
                    log.push(entry);
                }
                if !full {
                    break;
                }
            }
        }
        if last_time {
            return logs;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polling_readers_see_every_acknowledged_cell_once_and_in_order() {
    let mut random = Random::new(settings::seed());
    for round in 0..settings::rounds(2) {
        let deployment = Deployment::shared(SHARDS);
        let one = deployment.start();
        let two = deployment.start_with(Options { data: "second".to_owned(), ..Options::default() });
        run(&mut client::connect(one.mysql()).await, TRIPS).await;
        let addresses = [one.mysql(), two.mysql()];

        let stop = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                // One reader meets page ends all the time, the other seldom.
                let page = if reader == 0 { 3 } else { 500 };
                tokio::spawn(follow(addresses[reader % 2], page, Arc::clone(&stop)))
            })
            .collect();
        let load = Load::start(&addresses, WRITERS, &mut random);
        load.progress(STATEMENTS).await;
        let ledger = load.stop().await;
        stop.store(true, Ordering::SeqCst);

        let mut first: Option<Vec<Vec<Entry>>> = None;
        for reader in readers {
            let logs = reader.await.expect("a reader");
            let mut places: BTreeMap<Triple, u64> = BTreeMap::new();
            let mut cells = Vec::new();
            for (added_id, row, column, reference, body) in logs.iter().flatten().cloned() {
                let triple = (row.clone(), column.clone(), reference);
                if let Some(other) = places.insert(triple.clone(), added_id) {
                    panic!("{triple:?} is in the log at {other} and {added_id}");
                }
                cells.push((row, column, reference, body));
            }
            ledger.check(cells);
            // Whoever reads, and whenever: the log is the same.
            match &first {
                None => first = Some(logs),
                Some(first) => assert_eq!(*first, logs),
            }
        }
        println!("round {round}: {} cells", first.iter().flatten().flatten().count());
        one.assert_no_panic();
        two.assert_no_panic();
    }
}
