//! The log guarantee (C1 of docs/ARCHITECTURE.md): readers that poll each shard for `added_id > last` through one proxy
//! see every acknowledged cell exactly once and in order, while writers put through two proxies and half of what they
//! put is there already. A poll that begins behind the acknowledgement of a cell brings it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cellgate_integration_tests::client::{self, TRIPS, Triple, put, rows, run, triple};
use cellgate_integration_tests::load::Load;
use cellgate_integration_tests::proxy::Options;
use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::{Deployment, settings, wait};

const SHARDS: u32 = 8;
/// Readers, each of which polls all shards, at alternating proxies.
const READERS: usize = 2;
const WRITERS: usize = 8;
/// Statements written in a round.
const STATEMENTS: u64 = 1500;
/// Polls of each reader that bring something while the writers are at work: else it is no reader beside them.
const POLLS: usize = 20;

/// A cell as the log shows it.
type Entry = (u64, String, String, i64, String);

/// Polls every shard until told to stop, and once more after that: each shard's log. How many polls before that brought
/// something is in `polls`.
async fn follow(address: SocketAddr, page: u64, stop: Arc<AtomicBool>, polls: Arc<AtomicUsize>) -> Vec<Vec<Entry>> {
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
                polls.fetch_add(usize::from(!found.is_empty() && !last_time), Ordering::Relaxed);
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
        let polls: [Arc<AtomicUsize>; READERS] = Default::default();
        let readers: Vec<_> = polls
            .iter()
            .enumerate()
            .map(|(reader, polls)| {
                // One reader meets page ends all the time, the other seldom.
                let page = if reader == 0 { 3 } else { 500 };
                tokio::spawn(follow(addresses[reader % 2], page, Arc::clone(&stop), Arc::clone(polls)))
            })
            .collect();
        let load = Load::start(&addresses, WRITERS, &mut random);
        load.progress(STATEMENTS).await;
        let beside = || polls.iter().all(|polls| polls.load(Ordering::Relaxed) >= POLLS);
        wait::until_async("readers beside the writers", wait::PATIENCE, async || beside().then_some(())).await;
        let ledger = load.stop().await;
        stop.store(true, Ordering::SeqCst);
        // What the readers had to cope with took place.
        assert!(ledger.duplicates > 0, "the writers never met: {ledger:?}");
        assert!(ledger.transactions > 0 && !ledger.appended.is_empty(), "a kind of write never succeeded: {ledger:?}");
        for proxy in [&one, &two] {
            assert!(proxy.metric("cellgate_cells_same_total") > 0.0, "nothing was there already");
        }

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

/// Cells of each writer of the next test, each of which is written once more.
const CELLS: usize = 150;
/// Half of all cells are seen within this time of their acknowledgement. It is some milliseconds where tests have a machine
/// for themselves.
const LAG: Duration = Duration::from_secs(5);

/// When a reader found a cell, and when its poll of the same shard before that began.
struct Found {
    at: Instant,
    before: Option<Instant>,
}

/// Polls every shard until told to stop, and once more after that: when it found each row.
async fn watch(address: SocketAddr, stop: Arc<AtomicBool>) -> HashMap<String, Found> {
    const PAGE: usize = 10_000;
    let mut conn = client::connect(address).await;
    let mut found = HashMap::new();
    let mut shards = vec![(0, None); SHARDS as usize];
    loop {
        let last_time = stop.load(Ordering::SeqCst);
        for (shard, (last, before)) in shards.iter_mut().enumerate() {
            let began = Instant::now();
            let statement = format!(
                "SELECT added_id, row_key FROM trips PARTITION (p{shard}) WHERE added_id > {last} ORDER BY added_id \
                 LIMIT {PAGE}"
            );
            let news: Vec<(u64, String)> = rows(&mut conn, &statement).await;
            assert!(news.len() < PAGE, "a poll brings all there is");
            for (added_id, row) in news {
                *last = added_id;
                let earlier = found.insert(row, Found { at: Instant::now(), before: *before });
                assert!(earlier.is_none(), "twice in the log");
            }
            *before = Some(began);
        }
        if last_time {
            return found;
        }
    }
}

/// Writes cells through one proxy, and the same ones once more through the other: when each was acknowledged first.
async fn write_twice(addresses: [SocketAddr; 2], writer: usize) -> Vec<(String, Instant)> {
    let mut first = client::connect(addresses[writer % 2]).await;
    let mut again = client::connect(addresses[(writer + 1) % 2]).await;
    let mut acknowledged = Vec::new();
    for n in 0..CELLS {
        let cell = triple(&format!("{writer}-{n}"), "BASE", 1);
        assert_eq!(put(&mut first, &cell, "1").await.expect("a write"), 1);
        acknowledged.push((cell.0.clone(), Instant::now()));
        assert_eq!(put(&mut again, &cell, "1").await.expect("a write"), 0, "it is there already");
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_behind_an_acknowledgement_brings_the_cell_though_half_of_all_writes_are_duplicates() {
    let deployment = Deployment::shared(SHARDS);
    let one = deployment.start();
    let two = deployment.start_with(Options { data: "second".to_owned(), ..Options::default() });
    let addresses = [one.mysql(), two.mysql()];
    run(&mut client::connect(one.mysql()).await, TRIPS).await;
    let stop = Arc::new(AtomicBool::new(false));
    let readers = addresses.map(|address| tokio::spawn(watch(address, Arc::clone(&stop))));
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write_twice(addresses, writer))).collect();
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.expect("a writer"));
    }
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        let found = reader.await.expect("a reader");
        assert_eq!(found.len(), acknowledged.len());
        let mut lags: Vec<Duration> = Vec::new();
        for (row, at) in &acknowledged {
            let seen = found.get(row).unwrap_or_else(|| panic!("{row} is not in the log"));
            if let Some(before) = seen.before {
                assert!(before <= *at, "a poll that began {:?} behind it had no {row}", before - *at);
            }
            lags.push(seen.at.saturating_duration_since(*at));
        }
        lags.sort_unstable();
        let median = lags[lags.len() / 2];
        println!("lag of {} cells: {median:?}, at most {:?}", lags.len(), lags[lags.len() - 1]);
        assert!(median < LAG, "{median:?}");
    }
    one.assert_no_panic();
    two.assert_no_panic();
}
