//! Writes: what stands or falls, what is tried again, and what is never.

use std::collections::BTreeSet;
use std::sync::Arc;

use cellgate_router::Topology;
use cellgate_schemaless::{Epoch, Erasure, ErrorKind, RefKey};
use cellgate_store::executor::{CellFate, Executor, PutItem, RunError};
use cellgate_store::{Backend, StoreError};

use crate::faulty::{PutFault, unavailable};
use crate::fixture::{
    Fixture, body, cluster, exact, failure, foreign, latest, next, put_all, row_in, stored, table, topology, triple,
    versions,
};

const NOTHING: [i64; 0] = [];

/// The versions of a row that are there, up to 9.
async fn there(proxy: &Arc<Executor>, row: &cellgate_schemaless::RowKey) -> Vec<i64> {
    let found = proxy.get(&table(), (0..10).map(|n| triple(row, n)).collect()).await.unwrap();
    versions(&found).into_iter().flatten().collect()
}

#[tokio::test]
async fn one_fate_per_cell_in_the_order_of_the_statement() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    let rows: Vec<_> = [2, 1, 3, 1, 2].into_iter().zip(0..).map(|(cluster, n)| row_in(cluster, n)).collect();
    let written = put_all(&proxy, rows.iter().zip(5..).map(|(row, n)| exact(row, n, n)).collect()).await;

    let map = topology(1, &[1, 1, 1]);
    for ((row, written), version) in rows.iter().zip(written).zip(5..) {
        let found = proxy.get(&table(), vec![triple(row, version)]).await.unwrap().remove(0).unwrap();
        assert_eq!(found.body, Some(body(version)));
        assert_eq!((written.ref_key, written.added_id), (RefKey(version), found.added_id));
        assert_eq!((written.shard, written.created_at), (map.shard_of(row.as_bytes()), found.created_at));
        assert_eq!(written.shard, found.shard);
        assert!(written.new);
    }
}

#[tokio::test]
async fn a_triple_repeated_within_a_statement_is_written_once_and_the_repeat_is_not_new() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    let written = put_all(&proxy, vec![exact(&row, 1, 7), exact(&row, 2, 8), exact(&row, 1, 7)]).await;
    assert_eq!(written.iter().map(|w| w.new).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(written[0].added_id, written[2].added_id);
    let again = put_all(&proxy, vec![exact(&row, 1, 7), exact(&row, 1, 7)]).await;
    assert!(again.iter().all(|w| !w.new && w.added_id == written[0].added_id));
}

#[tokio::test]
async fn a_triple_repeated_within_a_statement_with_another_body_is_a_conflict_and_nothing_of_its_cluster_is_written() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (row, neighbour, far) = (row_in(1, 0), row_in(1, 1), row_in(2, 0));
    let items = vec![exact(&neighbour, 1, 1), exact(&row, 1, 7), exact(&far, 1, 1), exact(&row, 1, 8)];
    let fates = proxy.put(items).await;
    assert!(matches!(fates[0], CellFate::Withheld), "{fates:?}");
    assert!(matches!(fates[1], CellFate::Withheld), "{fates:?}");
    assert!(stored(&fates[2]).new);
    assert!(matches!(fates[3], CellFate::Conflict(RefKey(1))), "{fates:?}");
    assert_eq!(there(&proxy, &row).await, NOTHING);
    assert_eq!(there(&proxy, &neighbour).await, NOTHING);
    assert_eq!(there(&proxy, &far).await, [1]);
}

#[tokio::test]
async fn a_conflict_in_one_cluster_leaves_the_cells_of_the_others_in_and_says_which() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    let (taken, beside, elsewhere) = (row_in(2, 0), row_in(2, 1), row_in(3, 0));
    put_all(&proxy, vec![exact(&taken, 1, 1)]).await;

    let fates = proxy.put(vec![exact(&beside, 1, 1), exact(&elsewhere, 1, 1), exact(&taken, 1, 2)]).await;
    assert!(matches!(fates[0], CellFate::Withheld), "{fates:?}");
    assert!(stored(&fates[1]).new);
    assert!(matches!(fates[2], CellFate::Conflict(RefKey(1))), "{fates:?}");
    assert_eq!(there(&proxy, &beside).await, NOTHING);
    assert_eq!(there(&proxy, &elsewhere).await, [1]);
    let found = proxy.get(&table(), vec![triple(&taken, 1)]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().body, Some(body(1)), "what was there stays");
}

#[tokio::test]
async fn an_erased_triple_can_never_be_written_again() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(3, 0);
    put_all(&proxy, vec![exact(&row, 1, 1), exact(&row, 2, 2)]).await;
    proxy.erase(&table(), vec![Erasure::Row(row.clone())]).await.unwrap();
    for value in [1, 2] {
        let fates = proxy.put(vec![exact(&row, 1, value)]).await;
        assert!(matches!(fates[0], CellFate::Conflict(RefKey(1))), "{fates:?}");
    }
    let appended = put_all(&proxy, vec![next(&row, 3)]).await;
    assert_eq!(appended[0].ref_key, RefKey(3), "the numbers of erased versions are not given out again");
}

#[tokio::test]
async fn what_must_be_new_conflicts_with_the_same_bytes_too() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    let new = |version, value| PutItem { must_be_new: true, ..exact(&row, version, value) };
    assert!(put_all(&proxy, vec![new(1, 1)]).await[0].new);
    let fates = proxy.put(vec![new(1, 1)]).await;
    assert!(matches!(fates[0], CellFate::Conflict(RefKey(1))), "{fates:?}");
    let fates = proxy.put(vec![new(2, 1), new(2, 1)]).await;
    assert!(matches!(fates[1], CellFate::Conflict(RefKey(2))), "{fates:?}");
    assert_eq!(there(&proxy, &row).await, [1]);
}

#[tokio::test]
async fn a_write_under_an_old_epoch_is_planned_again_and_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    let rows = [row_in(1, 0), row_in(2, 0), row_in(3, 0)];
    assert!(fixture.backend(2).raise_epoch(Epoch(1), Epoch(2)).await.unwrap());
    fixture.map.publish(topology(2, &[1, 2, 1]));

    let written = put_all(&proxy, rows.iter().map(|row| next(row, 1)).collect()).await;
    assert!(written.iter().all(|w| w.new && w.ref_key == RefKey(1)));
    assert_eq!(fixture.map.refreshes(), 1);
    assert_eq!([1, 2, 3].map(|n| fixture.backend(n).put_calls()), [1, 2, 1], "who has written does not write again");
}

#[tokio::test]
async fn a_write_follows_its_shard_to_another_cluster() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    fixture.backend(1).raise_epoch(Epoch(1), Epoch(2)).await.unwrap();
    let old = topology(2, &[2, 1, 1]);
    let moved = old.shard_of(row.as_bytes());
    let shards = (1..=3).flat_map(|n| old.shards_of(cluster(n))).collect::<BTreeSet<_>>();
    let map = shards.into_iter().map(|s| if s == moved { cluster(3) } else { old.cluster_of(s).unwrap() });
    fixture.map.publish(Topology::new(2, old.clusters().to_vec(), map.collect()).unwrap());

    put_all(&proxy, vec![next(&row, 1)]).await;
    let found = fixture.backend(3).get(&table(), &[triple(&row, 1)]).await.unwrap();
    assert_eq!(versions(&found), [Some(1)]);
    let left = fixture.backend(1).get(&table(), &[triple(&row, 1)]).await.unwrap();
    assert_eq!(versions(&left), [None]);
}

#[tokio::test]
async fn a_store_whose_epoch_nobody_publishes_is_asked_a_bounded_number_of_times() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (stale, fine) = (row_in(2, 0), row_in(1, 0));
    fixture.backend(2).raise_epoch(Epoch(1), Epoch(2)).await.unwrap();
    let fates = proxy.put(vec![next(&stale, 1), next(&fine, 1)]).await;
    let error = failure(&fates[0]);
    assert!(matches!(error, RunError::Cluster { error: StoreError::StaleEpoch { planned: 1, current: 2 }, .. }));
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(stored(&fates[1]).new);
    assert!((2..=10).contains(&fixture.backend(2).put_calls()), "{}", fixture.backend(2).put_calls());
    assert_eq!(fixture.backend(1).put_calls(), 1);
}

#[tokio::test]
async fn a_lost_acknowledgement_is_passed_on_and_the_write_is_not_sent_again() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    fixture.backend(1).script([PutFault::Lost]);
    let fates = proxy.put(vec![next(&row, 1)]).await;
    assert!(matches!(failure(&fates[0]), RunError::Cluster { error: StoreError::MaybeWritten { .. }, .. }));
    assert_eq!(fixture.backend(1).put_calls(), 1);
    assert_eq!(there(&proxy, &row).await, [1]);

    fixture.backend(1).script([PutFault::Lost]);
    let fates = proxy.put(vec![exact(&row, 5, 1)]).await;
    assert!(matches!(failure(&fates[0]), RunError::Cluster { error: StoreError::MaybeWritten { .. }, .. }));
    assert!(!put_all(&proxy, vec![exact(&row, 5, 1)]).await[0].new, "repeating an explicit put settles it");
}

#[tokio::test]
async fn a_cluster_that_fails_fails_its_own_cells_only() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (bad, good) = (row_in(1, 0), row_in(3, 0));
    for error in [unavailable(), StoreError::DiskFull { detail: "full".to_owned() }] {
        fixture.backend(1).script([PutFault::Fails(error.clone())]);
        let fates = proxy.put(vec![exact(&bad, 1, 1), exact(&good, 1, 1)]).await;
        assert_eq!(failure(&fates[0]).kind(), error.kind());
        stored(&fates[1]);
        assert_eq!(there(&proxy, &bad).await, NOTHING);
    }
    put_all(&proxy, vec![exact(&bad, 1, 1)]).await;
}

#[tokio::test]
async fn a_write_that_meets_an_undecided_cell_says_so_and_writes_nothing_there() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (row, beside) = (row_in(1, 0), row_in(1, 1));
    fixture.backend(1).undecide(triple(&row, 1));
    let fates = proxy.put(vec![exact(&row, 1, 1), exact(&beside, 1, 1)]).await;
    assert!(matches!(failure(&fates[0]), RunError::Undecided { cluster } if cluster == "c1"), "{fates:?}");
    assert!(matches!(failure(&fates[1]), RunError::Undecided { .. }), "{fates:?}");
    assert_eq!(there(&proxy, &beside).await, NOTHING);
}

#[tokio::test]
async fn a_write_goes_on_to_its_end_when_the_caller_stops_waiting() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    let store = fixture.backend(1);
    store.script([PutFault::Held]);
    tokio::select! {
        fates = proxy.put(vec![next(&row, 1)]) => panic!("it was held: {fates:?}"),
        begun = store.entered.acquire() => begun.unwrap().forget(),
    }
    assert_eq!(there(&proxy, &row).await, NOTHING);
    store.release.add_permits(1);
    store.finished.acquire().await.unwrap().forget();
    assert_eq!(there(&proxy, &row).await, [1]);
    assert_eq!(put_all(&proxy, vec![next(&row, 2)]).await[0].ref_key, RefKey(2), "its turn was given back");
}

#[tokio::test]
async fn a_slow_cluster_does_not_hold_up_writes_to_another() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    fixture.backend(1).script([PutFault::Held]);
    let (slow, quick) = (row_in(1, 0), row_in(2, 0));
    let held = tokio::spawn({
        let (proxy, slow) = (Arc::clone(&proxy), slow.clone());
        async move { proxy.put(vec![next(&slow, 1)]).await }
    });
    fixture.backend(1).entered.acquire().await.unwrap().forget();
    put_all(&proxy, vec![exact(&quick, 1, 1)]).await;
    assert_eq!(versions(&proxy.latest(&table(), vec![latest(&quick)]).await.unwrap()), [Some(1)]);
    fixture.backend(1).release.add_permits(1);
    stored(&held.await.unwrap()[0]);
}

#[tokio::test]
async fn a_same_body_written_by_somebody_else_in_between_is_done_already() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    fixture.backend(1).script([PutFault::After(vec![foreign(&row, 4, 9)])]);
    assert!(!put_all(&proxy, vec![exact(&row, 4, 9)]).await[0].new);
}
