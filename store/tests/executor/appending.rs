//! Next versions: counted up by compare-and-append, in one proxy and in several.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cellgate_schemaless::{Body, Erasure, ErrorKind, RefKey, RowKey};
use cellgate_store::executor::{CellFate, Executor, PutItem, RunError};
use cellgate_store::{ANSWER_BYTES, Reason, StoreError};
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::faulty::{EraseFault, PutFault};
use crate::fixture::{
    Fixture, body, exact, failure, foreign, latest, metrics, next, put_all, row_in, rows_in, stored, table, triple,
    versions,
};

#[tokio::test]
async fn next_versions_count_up_from_one() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    for cluster in 1..=3 {
        let row = row_in(cluster, 0);
        for expected in 1..=3 {
            let written = put_all(&proxy, vec![next(&row, 1)]).await.remove(0);
            assert_eq!((written.ref_key, written.new), (RefKey(expected), true), "equal bytes are another version");
        }
    }
}

#[tokio::test]
async fn next_versions_within_a_statement_follow_each_other_and_the_explicit_ones_before_them() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (row, other) = (row_in(1, 0), row_in(2, 0));
    let items = vec![next(&row, 1), next(&other, 1), next(&row, 1), exact(&row, 10, 1), next(&row, 1)];
    let written = put_all(&proxy, items).await;
    assert_eq!(written.iter().map(|w| w.ref_key.0).collect::<Vec<_>>(), [1, 1, 2, 10, 11]);
    assert!(written.iter().all(|w| w.new));
    assert_eq!(put_all(&proxy, vec![next(&row, 1)]).await[0].ref_key, RefKey(12));
}

#[tokio::test]
async fn a_lost_race_for_the_next_version_takes_the_one_above() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (row, beside) = (row_in(1, 0), row_in(1, 1));
    let winner = |version| PutFault::After(vec![foreign(&row, version, 5)]);
    fixture.backend(1).script([winner(1), winner(2)]);
    let written = put_all(&proxy, vec![next(&beside, 5), next(&row, 5)]).await;
    assert_eq!([written[0].ref_key, written[1].ref_key], [RefKey(1), RefKey(3)]);
    assert_eq!(fixture.backend(1).put_calls(), 3);
    let found = proxy.get(&table(), (1..=4).map(|n| triple(&row, n)).collect()).await.unwrap();
    assert_eq!(versions(&found), [Some(1), Some(2), Some(3), None]);
}

#[tokio::test(start_paused = true)]
async fn an_append_that_waits_too_long_for_others_names_its_cluster_and_says_that_it_took_too_long() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    fixture.backend(1).script([PutFault::Held]);
    let first = spawn_put(&proxy, vec![next(&row, 1)]);
    fixture.backend(1).entered.acquire().await.unwrap().forget();
    let fates = proxy.put(vec![next(&row, 2)]).await;
    let RunError::Cluster { cluster, error: StoreError::Timeout { reason: Reason::Queue, .. } } = failure(&fates[0])
    else {
        panic!("{fates:?}");
    };
    assert_eq!(cluster, "c1");
    fixture.backend(1).release.add_permits(1);
    assert_eq!(stored(&first.await.unwrap()[0]).ref_key, RefKey(1));
}

#[tokio::test]
async fn an_append_to_many_chains_keeps_no_other_appender_waiting_and_takes_its_turns_behind_a_lost_race() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let rows: Vec<RowKey> = rows_in(1).take(65).collect();
    fixture.backend(1).script([PutFault::Held]);
    let many = spawn_put(&proxy, rows.iter().map(|row| next(row, 1)).collect());
    fixture.backend(1).entered.acquire().await.unwrap().forget();
    assert_eq!(put_all(&proxy, vec![next(&rows[7], 2)]).await[0].ref_key, RefKey(1));
    fixture.backend(1).release.add_permits(1);
    let written: Vec<i64> = many.await.unwrap().iter().map(|fate| stored(fate).ref_key.0).collect();
    assert_eq!((written[6], written[7], written[8]), (1, 2, 1));
}

fn spawn_put(proxy: &Arc<Executor>, items: Vec<PutItem>) -> JoinHandle<Vec<CellFate>> {
    let proxy = Arc::clone(proxy);
    tokio::spawn(async move { proxy.put(items).await })
}

#[tokio::test]
async fn a_race_that_is_lost_every_time_ends_and_says_so() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    fixture.backend(1).script((1..=1000).map(|n| PutFault::After(vec![foreign(&row, n, n)])));
    let fates = proxy.put(vec![next(&row, 1)]).await;
    assert!(matches!(failure(&fates[0]), RunError::Contended), "{fates:?}");
    assert!(fixture.backend(1).put_calls() < 1000);
}

#[tokio::test]
async fn what_fails_before_anything_is_sent_is_not_said_to_be_stored_perhaps() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    let corrupt = || StoreError::Corrupt { detail: "for the test".to_owned() };
    fixture.backend(1).script_latests([corrupt()]);
    let fate = proxy.put(vec![next(&row, 1)]).await.remove(0);
    assert!(!fate.is_unknown() && matches!(failure(&fate), RunError::NotBegun { .. }), "{fate:?}");
    assert_eq!((failure(&fate).kind(), fixture.backend(1).put_calls()), (ErrorKind::Corrupt, 0));
    fixture.backend(1).script([PutFault::Fails(corrupt())]);
    assert!(proxy.put(vec![next(&row, 1)]).await[0].is_unknown());
    // So it is with what is erased.
    fixture.backend(1).script_erasures([EraseFault::Fails(corrupt())]);
    let erased = proxy.erase(&table(), vec![Erasure::Cell(triple(&row, 1))]).await;
    assert!(matches!(erased, Err(RunError::PartlyErased { .. })), "{erased:?}");
}

#[tokio::test]
async fn there_is_no_version_above_the_highest_number() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (row, beside, far) = (row_in(1, 0), row_in(1, 1), row_in(2, 0));
    put_all(&proxy, vec![exact(&row, i64::MAX, 1)]).await;
    let fates = proxy.put(vec![next(&beside, 1), next(&row, 1), next(&far, 1)]).await;
    assert!(matches!(failure(&fates[1]), RunError::VersionsExhausted), "{fates:?}");
    assert!(matches!(failure(&fates[0]), RunError::VersionsExhausted), "the cluster's part falls as a whole");
    assert_eq!(stored(&fates[2]).ref_key, RefKey(1));
    assert_eq!(put_all(&proxy, vec![next(&beside, 1)]).await[0].ref_key, RefKey(1));
    let fates = proxy.put(vec![exact(&beside, i64::MAX, 1), next(&beside, 2)]).await;
    assert!(matches!(failure(&fates[0]), RunError::VersionsExhausted), "{fates:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appenders_of_one_proxy_all_succeed_with_distinct_consecutive_versions() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    for cluster in 1..=3 {
        let row = row_in(cluster, 0);
        append_at_once(&[Arc::clone(&proxy)], &[row], 40).await;
    }
    let attempts: usize = fixture.backends.iter().map(|b| b.put_calls()).sum();
    assert_eq!(attempts, 3 * 40, "they take turns instead of racing each other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appenders_of_two_proxies_lose_no_version_and_write_none_twice() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxies = [fixture.proxy(), fixture.proxy()];
    let rows: Vec<RowKey> = (1..=3).map(|cluster| row_in(cluster, 0)).collect();
    append_at_once(&proxies, &rows, 60).await;
}

#[tokio::test]
async fn who_appends_in_one_cluster_never_waits_for_another_that_hangs() {
    // More chains under way than there are queues: some of the others would share theirs.
    const HUNG: usize = 2048;
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    fixture.backend(2).script(vec![PutFault::Held; HUNG]);
    let hung: Vec<_> = rows_in(2).take(HUNG).map(|row| append(&proxy, row)).collect();
    // As many as have a queue to themselves; the others are behind these.
    while fixture.backend(2).put_calls() < 512 {
        tokio::task::yield_now().await;
    }
    let others = rows_in(1).take(64).map(|row| append(&proxy, row));
    let all = tokio::time::timeout(Duration::from_secs(5), join_all(others)).await.expect("they wait for nobody");
    assert!(all.iter().all(|fates| stored(&fates.as_ref().unwrap()[0]).ref_key == RefKey(1)));
    fixture.backend(2).release.add_permits(HUNG);
    for fates in join_all(hung).await {
        assert_eq!(stored(&fates.unwrap()[0]).ref_key, RefKey(1));
    }
}

/// Appends to a chain, in a task of its own.
fn append(proxy: &Arc<Executor>, row: RowKey) -> JoinHandle<Vec<CellFate>> {
    let proxy = Arc::clone(proxy);
    tokio::spawn(async move { proxy.put(vec![next(&row, 1)]).await })
}

/// `count` statements at once, each appending to all `rows`, in turn by the proxies; every chain must then hold the
/// versions 1 to `count`, each with the body of the statement that was told so.
async fn append_at_once(proxies: &[Arc<Executor>], rows: &[RowKey], count: usize) {
    let statements = (0..count).map(|n| {
        let proxy = Arc::clone(&proxies[n % proxies.len()]);
        let value = i64::try_from(n).unwrap();
        let items = rows.iter().map(|row| next(row, value)).collect();
        tokio::spawn(async move { (value, proxy.put(items).await) })
    });
    let mut told: Vec<BTreeMap<i64, i64>> = vec![BTreeMap::new(); rows.len()];
    for statement in statements.collect::<Vec<_>>() {
        let (value, fates): (i64, Vec<CellFate>) = statement.await.unwrap();
        for (told, fate) in told.iter_mut().zip(&fates) {
            let written = stored(fate);
            assert!(written.new);
            assert_eq!(told.insert(written.ref_key.0, value), None, "version {} was given twice", written.ref_key);
        }
    }
    let last = i64::try_from(count).unwrap();
    for (row, told) in rows.iter().zip(told) {
        assert_eq!(told.keys().copied().collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
        let keys = (1..=last + 1).map(|n| triple(row, n)).collect();
        let found = proxies[0].get(&table(), keys).await.unwrap();
        for (cell, version) in found.iter().zip(1..) {
            let expected = told.get(&version).map(|value| crate::fixture::body(*value));
            assert_eq!(cell.as_ref().and_then(|c| c.body.clone()), expected, "version {version}");
        }
    }
}

#[tokio::test]
async fn next_versions_are_written_and_names_looked_up_over_bodies_that_no_answer_holds_together() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let metrics = metrics();
    let proxy = fixture.proxy_with_metrics(&metrics);
    let long = Body::json(format!("\"{}\"", "x".repeat(14 * 1024 * 1024))).unwrap();
    for cluster in 1..=3 {
        let rows: Vec<RowKey> = (0..5).map(|index| row_in(cluster, index)).collect();
        for row in &rows {
            let mut item = exact(row, 1, 1);
            item.cell.body = long.clone();
            put_all(&proxy, vec![item]).await;
        }
        let written = put_all(&proxy, rows.iter().map(|row| next(row, 2)).collect()).await;
        assert!(written.iter().all(|w| w.ref_key == RefKey(2) && w.new), "cluster {cluster}");
        let names = |version| rows.iter().map(move |row| triple(row, version));
        let latest = proxy.latest_slots(&table(), rows.iter().map(latest).collect()).await.unwrap();
        assert!(latest.len() == 5 && latest.values().all(|version| *version == RefKey(2)));
        // All of them at once are too much to be read. That is a client's doing, and no full disk.
        let read = proxy.get(&table(), names(1).collect()).await;
        let too_large = StoreError::AnswerTooLarge { max: ANSWER_BYTES };
        assert!(matches!(read, Err(RunError::Cluster { error, .. }) if error == too_large));
        let none = format!("cellgate_cluster_errors_total{{cluster=\"c{cluster}\",kind=\"limit\"}} 0\n");
        assert!(metrics.render().unwrap().contains(&none));
        // All with other bytes but one that is as long, and one that is short.
        let mut cells: Vec<_> = names(1).map(|name| (name, body(1))).collect();
        cells[3].1 = long.clone();
        cells.push((triple(&rows[0], 2), body(2)));
        cells.push((triple(&rows[0], 3), body(2)));
        let slots = proxy.slots_for(&table(), cells.clone()).await.unwrap();
        for (place, slot) in slots.iter().enumerate() {
            let same = [3, 5].contains(&place).then(|| cells[place].1.clone());
            assert_eq!(slot.as_ref().map(|slot| slot.body.clone()), (place < 6).then_some(same), "{place}");
        }
    }
}
