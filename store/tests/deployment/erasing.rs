//! Erasures and the caches of several proxies (C9 of docs/ARCHITECTURE.md).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cellgate_schemaless::{ColumnKey, Erasure, RefKey, RowKey, TableId, Triple};
use cellgate_store::cache::LEASE;
use cellgate_store::deployment::{Deployment, Setup};
use cellgate_store::executor::RunError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::fixture::{Stores, files, is_there, open, proxy, put, row_in, table, use_all};

/// A proxy of these stores with a cache, and the task in which it follows the meta store.
async fn running(stores: &Stores, pid: u32) -> (Arc<Deployment>, JoinHandle<()>) {
    let setup = Setup { proxy: proxy("host", pid), cache_bytes: 1 << 20, ..stores.setup() };
    let deployment = open(setup).await.unwrap();
    let follower = Arc::clone(&deployment);
    let follows = tokio::spawn(async move {
        let (_stop, stopped) = watch::channel(false);
        follower.run(stopped).await;
    });
    (deployment, follows)
}

fn name(row: &RowKey) -> Triple {
    Triple { row: row.clone(), column: ColumnKey::new("BASE").unwrap(), ref_key: RefKey(1) }
}

fn is_cached(deployment: &Deployment, row: &RowKey) -> bool {
    deployment.executor().cached_of(&table(), &[name(row)]) == Some(1)
}

/// Reads until the cell is in the cache, which it is after a look at the erasures.
async fn cache(deployment: &Deployment, row: &RowKey) {
    while !is_cached(deployment, row) {
        assert!(is_there(deployment, row).await);
        tokio::task::yield_now().await;
    }
}

async fn erase(deployment: &Deployment, row: &RowKey) -> u64 {
    deployment.executor().erase(&table(), vec![Erasure::Cell(name(row))]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_cell_is_never_answered_once_the_erasure_was() {
    let stores = Stores::new(&["a"]);
    let (one, _follows) = running(&stores, 1).await;
    let (two, _follows_too) = running(&stores, 2).await;
    use_all(&one).await;
    let (row, other) = (row_in(&one, "a", 0), row_in(&one, "a", 1));
    put(&one, &other).await;
    for deployment in [&one, &two] {
        cache(deployment, &row).await;
        cache(deployment, &other).await;
    }
    // Reads are in flight all the time, and would fill the cell in again.
    let answered = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|n| {
            let (reader, row) = (Arc::clone(if n % 2 == 0 { &one } else { &two }), row.clone());
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                let mut after = 0;
                while after < 500 {
                    let begun_after = answered.load(Ordering::SeqCst);
                    let there = is_there(&reader, &row).await;
                    assert!(!(begun_after && there), "answered after the erasure");
                    after += i32::from(begun_after);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    assert_eq!(erase(&one, &row).await, 1);
    answered.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(!is_cached(&one, &row) && !is_cached(&two, &row));
    cache(&two, &other).await;
}

#[tokio::test]
async fn a_proxy_that_cannot_see_the_meta_store_answers_nothing_from_memory_after_an_erasure() {
    let stores = Stores::new(&["a"]);
    let (one, _follows) = running(&stores, 1).await;
    let (two, follows) = running(&stores, 2).await;
    use_all(&one).await;
    let row = row_in(&one, "a", 0);
    cache(&two, &row).await;
    // It hangs: its entry in the registry stays, and is not renewed. That it has ended does not say that nobody is there.
    follows.abort();
    stores.meta.advance(Duration::from_secs(60));
    assert!(is_cached(&two, &row));
    let began = Instant::now();
    assert_eq!(erase(&one, &row).await, 1);
    assert!(began.elapsed() >= LEASE, "nobody could have told the other one: {:?}", began.elapsed());
    assert!(!is_cached(&two, &row));
    assert!(!is_there(&two, &row).await);
    // Who has said nothing for so long is gone, if it is not the meta store's clock that jumped.
    stores.meta.advance(Duration::from_secs(600));
    let began = Instant::now();
    assert_eq!(erase(&one, &row).await, 0);
    assert!(began.elapsed() >= LEASE, "it may be there: {:?}", began.elapsed());
}

#[tokio::test]
async fn who_is_alone_erases_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup { cache_bytes: 1 << 20, ..files(directory.path(), "meta.db", &["a.db"]) };
    let alone = open(setup).await.unwrap();
    use_all(&alone).await;
    let row = row_in(&alone, "a", 0);
    // No look at the erasures is needed: nobody else erases.
    assert!(is_there(&alone, &row).await && is_cached(&alone, &row));
    let began = Instant::now();
    assert_eq!(erase(&alone, &row).await, 1);
    assert!(began.elapsed() < LEASE, "{:?}", began.elapsed());
    assert!(!is_cached(&alone, &row) && !is_there(&alone, &row).await);
}

#[tokio::test]
async fn many_erasures_wait_for_the_caches_of_others_once() {
    let stores = Stores::new(&["a"]);
    let (one, _follows) = running(&stores, 1).await;
    let (_two, _follows_too) = running(&stores, 2).await;
    use_all(&one).await;
    let rows: Vec<RowKey> = (0..20).map(|n| row_in(&one, "a", n)).collect();
    for row in &rows[1..] {
        put(&one, row).await;
    }
    let what = rows.iter().map(|row| Erasure::Cell(name(row))).collect();
    let began = Instant::now();
    assert_eq!(one.executor().erase(&table(), what).await.unwrap(), 20);
    assert!(began.elapsed() < 10 * LEASE, "{:?}", began.elapsed());
    for row in &rows {
        assert!(!is_there(&one, row).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_nobody_waits_for_any_more_reaches_the_caches() {
    let stores = Stores::new(&["a"]);
    let (one, _follows) = running(&stores, 1).await;
    let (two, _follows_too) = running(&stores, 2).await;
    use_all(&one).await;
    let row = row_in(&one, "a", 0);
    cache(&two, &row).await;
    let table = table();
    let erasing = one.executor().erase(&table, vec![Erasure::Cell(name(&row))]);
    // As when the statement's time is over: the caches have not been told yet.
    assert!(tokio::time::timeout(LEASE / 10, erasing).await.is_err());
    let told = async {
        while is_cached(&two, &row) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(4 * LEASE, told).await.expect("the cell stays in the cache");
    assert!(!is_there(&two, &row).await);
}

#[tokio::test]
async fn an_erasure_that_could_not_be_counted_is_told_and_erasing_again_counts_it() {
    let stores = Stores::new(&["a"]);
    let (one, _follows) = running(&stores, 1).await;
    use_all(&one).await;
    let row = row_in(&one, "a", 0);
    cache(&one, &row).await;
    stores.meta.set_down(true);
    let error = one.executor().erase(&table(), vec![Erasure::Cell(name(&row))]).await.unwrap_err();
    assert!(matches!(error, RunError::PartlyErased { .. }), "{error}");
    stores.meta.set_down(false);
    assert_eq!(erase(&one, &row).await, 0);
    assert!(!is_cached(&one, &row));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_proxies_have_of_removed_tables_is_not_answered_and_waited_for_once() {
    let stores = Stores::new(&["a"]);
    let (one, _follows) = running(&stores, 1).await;
    let (two, _follows_too) = running(&stores, 2).await;
    use_all(&one).await;
    let row = row_in(&one, "a", 0);
    cache(&two, &row).await;
    let others = (0..10).map(|n| TableId(table().id.0 + 100 + n));
    let began = Instant::now();
    one.are_removed(&others.clone().collect::<Vec<_>>()).await.unwrap();
    assert!(began.elapsed() >= LEASE);
    cache(&two, &row).await;
    let began = Instant::now();
    one.are_removed(&others.chain([table().id]).collect::<Vec<_>>()).await.unwrap();
    assert!(began.elapsed() < 5 * LEASE, "{:?}", began.elapsed());
    assert!(!is_cached(&two, &row));
}
