//! Promises under concurrency: several tasks, over all the proxies a fixture has.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cellgate_schemaless::{AddedId, Epoch, LogScan, ShardId, Triple};
use cellgate_store::{Backend, PutOutcome, StoreError};

use crate::fixture::{Bench, Fixture, SHARDS, log_of, shard_of, shards, stored, text_of, triple};

const WRITERS: usize = 6;

fn peer(bench: &Bench, i: usize) -> Arc<dyn Backend> {
    bench.fixture.peers[i % bench.fixture.peers.len()].clone()
}

/// Writes `rounds` batches of which half are duplicates of another writer's; answers what was acknowledged.
async fn write(bench: Arc<Bench>, writer: usize, rounds: usize) -> Vec<(Triple, AddedId)> {
    let (backend, mut acknowledged) = (peer(&bench, writer), Vec::new());
    for round in 0..rounds {
        // Each pair of writers writes the same cells at about the same time.
        let names: Vec<Triple> = (0..4).map(|i| triple(format!("w{}r{round}c{i}", writer / 2), "base", 1)).collect();
        let groups: Vec<_> = names.iter().map(|name| bench.group(&[(name, "1")])).collect();
        let outcomes = backend.put(bench.epoch, &groups).await.unwrap();
        for (name, outcome) in names.into_iter().zip(&outcomes) {
            acknowledged.push((name, stored(outcome)[0].added_id));
        }
    }
    acknowledged
}

pub async fn a_log_reader_sees_every_acknowledged_cell_once_and_in_order(fixture: Fixture) {
    let bench = Arc::new(fixture.open().await);
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (bench, done, backend) = (bench.clone(), done.clone(), peer(&bench, 1));
        tokio::spawn(async move {
            let mut offsets: HashMap<ShardId, AddedId> = HashMap::new();
            let mut seen: Vec<(Triple, AddedId)> = Vec::new();
            loop {
                // Looked at before the round: the last round begins after the last acknowledgement.
                let last = done.load(Ordering::SeqCst);
                for shard in shards(0..SHARDS) {
                    let added_after = offsets.get(&shard).copied();
                    let scan = LogScan { added_after, limit: Some(10), ..log_of(vec![shard]) };
                    let mut page = backend.log(&bench.table, &scan).await.unwrap();
                    while !page.cells.is_empty() {
                        for cell in page.cells {
                            assert!(offsets.get(&shard).is_none_or(|o| cell.added_id > *o), "out of order");
                            offsets.insert(shard, cell.added_id);
                            seen.push((cell.triple, cell.added_id));
                        }
                        let scan = LogScan { added_after: offsets.get(&shard).copied(), ..scan.clone() };
                        page = backend.log(&bench.table, &scan).await.unwrap();
                    }
                }
                if last {
                    return seen;
                }
            }
        })
    };
    let writers: Vec<_> = (0..WRITERS).map(|w| tokio::spawn(write(bench.clone(), w, 40))).collect();
    let mut acknowledged = BTreeSet::new();
    let mut answers = 0;
    for writer in writers {
        let answered = writer.await.unwrap();
        answers += answered.len();
        acknowledged.extend(answered);
    }
    done.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();
    assert_eq!(acknowledged.len() * 2, answers, "half of the writes were duplicates, and both got the same id");
    let once: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(once.len(), seen.len(), "nothing twice");
    assert_eq!(once, acknowledged, "nothing missed, nothing more");
}

pub async fn racing_appends_have_one_winner_per_version(fixture: Fixture) {
    let bench = Arc::new(fixture.open().await);
    let tasks: Vec<_> = (0..WRITERS)
        .map(|w| {
            let (bench, backend) = (bench.clone(), peer(&bench, w));
            tokio::spawn(async move {
                let mut won = Vec::new();
                for version in 1..=20 {
                    let group = bench.append(&triple("hot", "base", version), &w.to_string());
                    match &backend.put(bench.epoch, &[group]).await.unwrap()[0] {
                        PutOutcome::Stored(_) => won.push(version),
                        PutOutcome::Conflict { cell: 0 } => {}
                        other => panic!("{other:?}"),
                    }
                }
                (w, won)
            })
        })
        .collect();
    let mut winners = HashMap::new();
    for task in tasks {
        let (w, won) = task.await.unwrap();
        for version in won {
            assert_eq!(winners.insert(version, w), None, "two winners of version {version}");
        }
    }
    for version in 1..=20 {
        let cell = bench.get_one(&triple("hot", "base", version)).await.unwrap();
        assert_eq!(text_of(&cell), winners[&version].to_string());
    }
}

pub async fn racing_puts_of_one_triple_store_it_once(fixture: Fixture) {
    let bench = Arc::new(fixture.open().await);
    for round in 0..10 {
        let tasks: Vec<_> = (0..WRITERS)
            .map(|w| {
                let (bench, backend) = (bench.clone(), peer(&bench, w));
                let group = bench.group(&[(&triple("one", "base", round), "1")]);
                tokio::spawn(async move { stored(&backend.put(bench.epoch, &[group]).await.unwrap()[0])[0] })
            })
            .collect();
        let mut places = Vec::new();
        for task in tasks {
            places.push(task.await.unwrap());
        }
        assert_eq!(places.iter().filter(|p| p.new).count(), 1);
        assert!(places.iter().all(|p| p.added_id == places[0].added_id));
    }
}

/// A group writes a version of two cells at once; a reader of both sees the same version of them.
pub async fn a_batch_of_keys_is_never_torn(fixture: Fixture) {
    let bench = Arc::new(fixture.open().await);
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (bench, done, backend) = (bench.clone(), done.clone(), peer(&bench, 0));
        tokio::spawn(async move {
            for version in 1..=100 {
                let (a, z) = (triple("a", "base", version), triple("z", "base", version));
                backend.put(bench.epoch, &[bench.group(&[(&a, "1"), (&z, "1")])]).await.unwrap();
            }
            done.store(true, Ordering::SeqCst);
        })
    };
    let keys = ["a", "z"].map(|r| crate::fixture::latest_key(r, "base", None));
    let backend = peer(&bench, 1);
    while !done.load(Ordering::SeqCst) {
        let found = backend.latest(&bench.table, &keys).await.unwrap();
        let versions: Vec<_> = found.iter().map(|c| c.as_ref().map(|c| c.triple.ref_key)).collect();
        assert_eq!(versions[0], versions[1]);
        let next = versions[0].map_or(1, |v| v.0 + 1);
        let found = backend.get(&bench.table, &["a", "z"].map(|r| triple(r, "base", next))).await.unwrap();
        assert_eq!(found[0].is_some(), found[1].is_some());
    }
    writer.await.unwrap();
}

/// The same of so many cells that they are asked for in other ways than a few: as a table of values, in several statements,
/// and with bodies that are fetched by themselves.
pub async fn a_batch_of_very_many_keys_is_never_torn(fixture: Fixture) {
    const VERSIONS: i64 = 30;
    let bench = Arc::new(fixture.open().await);
    let rows: Vec<String> = (0..100).map(|n| format!("row{n:03}")).collect();
    // Above what is answered together with others.
    let large = format!("\"{}\"", "x".repeat(300 * 1024));
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (bench, done, backend, rows) = (bench.clone(), done.clone(), peer(&bench, 0), rows.clone());
        tokio::spawn(async move {
            for version in 1..=VERSIONS {
                let names: Vec<_> = rows.iter().map(|r| triple(r, "base", version)).collect();
                let body = |n: usize| if n == 50 { large.as_str() } else { "1" };
                let cells: Vec<_> = names.iter().enumerate().map(|(n, name)| (name, body(n))).collect();
                let outcome = backend.put(bench.epoch, &[bench.group(&cells)]).await.unwrap().remove(0);
                assert_eq!(stored(&outcome).len(), rows.len());
            }
            done.store(true, Ordering::SeqCst);
        })
    };
    let backend = peer(&bench, 1);
    let mut seen = 0;
    // Once more when all is written.
    loop {
        let last = done.load(Ordering::SeqCst);
        for count in [2, 30, rows.len()] {
            let keys: Vec<_> = rows[..count].iter().map(|r| crate::fixture::latest_key(r, "base", None)).collect();
            let found = backend.latest(&bench.table, &keys).await.unwrap();
            let mut versions: Vec<_> = found.iter().map(|cell| cell.as_ref().map(|c| c.triple.ref_key.0)).collect();
            versions.dedup();
            assert_eq!(versions.len(), 1, "{count} chains: {versions:?}");
            seen = versions[0].unwrap_or(0);
        }
        // The next version among names that are not there: in one statement, and in two.
        for absent in [0, 9_000] {
            let there = rows.iter().map(|r| triple(r, "base", seen + 1));
            let (mut names, others): (Vec<_>, Vec<_>) =
                (there.collect(), (0..absent).map(|n| triple("no", "base", n)).collect());
            let second = names.split_off(rows.len() / 2);
            names.extend(others.into_iter().chain(second));
            let found = backend.get(&bench.table, &names).await.unwrap();
            let count = found.iter().flatten().count();
            assert!(count == 0 || count == rows.len(), "{count} of {} cells among {} names", rows.len(), names.len());
        }
        if last {
            break;
        }
    }
    assert_eq!(seen, VERSIONS);
    writer.await.unwrap();
}

pub async fn after_the_epoch_is_raised_no_old_write_succeeds(fixture: Fixture) {
    let bench = Arc::new(fixture.open().await);
    let raised = Arc::new(AtomicBool::new(false));
    let successes = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..WRITERS)
        .map(|w| {
            let (bench, backend) = (bench.clone(), peer(&bench, w));
            let (raised, successes) = (raised.clone(), successes.clone());
            tokio::spawn(async move {
                for i in 0.. {
                    let was_raised = raised.load(Ordering::SeqCst);
                    let group = bench.group(&[(&triple(format!("w{w}"), "base", i), "1")]);
                    match backend.put(bench.epoch, &[group]).await {
                        Ok(_) => assert!(!was_raised, "a write of the old epoch succeeded after it was raised"),
                        Err(StoreError::StaleEpoch { .. }) => return,
                        Err(e) => panic!("{e}"),
                    }
                    successes.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    while successes.load(Ordering::SeqCst) < 2 * WRITERS {
        tokio::task::yield_now().await;
    }
    assert!(bench.backend().raise_epoch(bench.epoch, Epoch(bench.epoch.0 + 1)).await.unwrap());
    raised.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    let log = bench.all_log(&log_of(shards(0..SHARDS))).await;
    assert_eq!(log.len(), successes.load(Ordering::SeqCst), "what failed is not there");
    assert!(log.iter().all(|c| c.shard == shard_of(&c.triple.row)));
}
