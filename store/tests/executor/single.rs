//! One cell at a time: the short way answers as the long way does, with queues in front of the stores and without.

use std::sync::Arc;
use std::time::Instant;

use cellgate_schemaless::{Epoch, Erasure, LatestKey, RefKey};
use cellgate_store::executor::{CellFate, Executor, RunError};
use cellgate_store::{Backend, StoreError};

use crate::fixture::{Fixture, body, column, exact, latest, put_all, row_in, table, topology, triple};

/// The executors of two proxies: one with queues, one without.
fn both(fixture: &Fixture) -> [Arc<Executor>; 2] {
    [fixture.proxy(), fixture.proxy_with_queues()]
}

#[tokio::test]
async fn a_cell_and_the_latest_of_a_chain_are_those_of_a_read_of_several() {
    let fixture = Fixture::memory().await;
    let rows: Vec<_> = [1, 2, 3, 1, 2].into_iter().zip(0..).map(|(cluster, n)| row_in(cluster, n)).collect();
    put_all(&fixture.proxy(), rows.iter().flat_map(|row| (1..=3).map(|n| exact(row, n, n))).collect()).await;
    fixture.proxy().erase(&table(), vec![Erasure::Cell(triple(&rows[1], 3))]).await.unwrap();
    fixture.proxy().erase(&table(), vec![Erasure::Row(rows[2].clone())]).await.unwrap();
    let known = fixture.proxy().cell_at_once(&table(), &triple(&rows[0], 1), Instant::now());
    assert!(known.flatten().is_some(), "this store need not be waited for");
    for executor in both(&fixture) {
        for row in rows.iter().chain([&row_in(3, 9)]) {
            for version in 0..=4 {
                let key = triple(row, version);
                let several = executor.get(&table(), vec![key.clone(), triple(&rows[0], 1)]).await.unwrap();
                assert_eq!(executor.cell(&table(), &key).await.unwrap(), several[0], "{key:?}");
                let at_once = executor.cell_at_once(&table(), &key, Instant::now());
                assert!(at_once.is_none_or(|known| known == several[0]), "{key:?}");
            }
            for at_most in [None, Some(RefKey(2)), Some(RefKey(0))] {
                let key = LatestKey { row: row.clone(), column: column(), at_most };
                let several = executor.latest(&table(), vec![key.clone(), latest(&rows[0])]).await.unwrap();
                assert_eq!(executor.latest_cell(&table(), &key).await.unwrap(), several[0], "{key:?}");
                let at_once = executor.latest_at_once(&table(), &key);
                assert!(at_once.is_none_or(|known| known == several[0]), "{key:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_undecided_is_an_error_and_not_an_answer() {
    let fixture = Fixture::memory().await;
    let row = row_in(1, 0);
    put_all(&fixture.proxy(), vec![exact(&row, 1, 1)]).await;
    fixture.backend(1).undecide(triple(&row, 1));
    for executor in both(&fixture) {
        let cell = executor.cell(&table(), &triple(&row, 1)).await;
        assert!(matches!(cell, Err(RunError::Undecided { .. })), "{cell:?}");
        let at_once = executor.cell_at_once(&table(), &triple(&row, 1), Instant::now());
        assert!(at_once.is_none(), "{at_once:?}");
        let at_once = executor.latest_at_once(&table(), &latest(&row));
        assert!(at_once.is_none(), "{at_once:?}");
        let cell = executor.latest_cell(&table(), &latest(&row)).await;
        assert!(matches!(cell, Err(RunError::Undecided { .. })), "{cell:?}");
    }
}

#[tokio::test]
async fn a_cell_is_written_once_and_other_bytes_are_a_conflict() {
    let fixture = Fixture::memory().await;
    for (executor, n) in both(&fixture).into_iter().zip(0..) {
        let triple = triple(&row_in(2, n), 7);
        let first = executor.put_cell(&table(), &triple, body(1)).await;
        let CellFate::Written(written) = first else { panic!("{first:?}") };
        assert!(written.new);
        let found = executor.cell(&table(), &triple).await.unwrap().unwrap();
        assert_eq!((found.added_id, found.created_at), (written.added_id, written.created_at));
        assert_eq!((found.triple.ref_key, found.shard), (written.ref_key, written.shard));
        let again = executor.put_cell(&table(), &triple, body(1)).await;
        assert!(matches!(&again, CellFate::Written(written) if !written.new), "{again:?}");
        let other = executor.put_cell(&table(), &triple, body(2)).await;
        assert!(matches!(&other, CellFate::Conflict(RefKey(7))), "{other:?}");
    }
}

#[tokio::test]
async fn a_write_under_an_old_map_is_planned_again() {
    let fixture = Fixture::memory().await;
    fixture.backend(2).raise_epoch(Epoch(1), Epoch(2)).await.unwrap();
    for (executor, n) in both(&fixture).into_iter().zip(0..) {
        let triple = triple(&row_in(2, n), 1);
        let stale = executor.put_cell(&table(), &triple, body(1)).await;
        let CellFate::Failed(error) = stale else { panic!("{stale:?}") };
        assert!(matches!(&*error, RunError::Cluster { error: StoreError::StaleEpoch { .. }, .. }), "{error}");
        assert_eq!(executor.cell(&table(), &triple).await.unwrap(), None);
    }
    fixture.map.publish(topology(2, &[1, 2, 1]));
    for (executor, n) in both(&fixture).into_iter().zip(0..) {
        let written = executor.put_cell(&table(), &triple(&row_in(2, n), 1), body(1)).await;
        assert!(matches!(&written, CellFate::Written(written) if written.new), "{written:?}");
    }
}
