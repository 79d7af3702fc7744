//! Erasures: what is told to the caches of all proxies, and when.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use async_trait::async_trait;
use cellgate_schemaless::{Epoch, Erasure, RowKey, TableRef, Triple};
use cellgate_store::executor::{ErasureFence, Executor, RunError};
use cellgate_store::{Backend, Reason, StoreError};

use crate::faulty::{EraseFault, unavailable};
use crate::fixture::{Fixture, exact, put_all, row_in, table, topology, triple};

async fn is_there(proxy: &Arc<Executor>, row: &RowKey) -> bool {
    proxy.get(&table(), vec![triple(row, 1)]).await.unwrap()[0].is_some()
}

fn rows_of(rows: &[RowKey]) -> Vec<Erasure> {
    rows.iter().cloned().map(Erasure::Row).collect()
}

#[tokio::test]
async fn an_erasure_under_an_old_epoch_is_planned_again_and_succeeds() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(2, 0);
    put_all(&proxy, vec![exact(&row, 1, 1)]).await;
    fixture.backend(2).raise_epoch(Epoch(1), Epoch(2)).await.unwrap();
    fixture.map.publish(topology(2, &[1, 2, 1]));
    let whole = Erasure::Row(row.clone());
    assert_eq!(proxy.erase(&table(), vec![whole.clone()]).await.unwrap(), 1);
    assert!(!is_there(&proxy, &row).await);
}

/// Counts what it is told.
#[derive(Debug, Default)]
struct Told(AtomicUsize);

#[async_trait]
impl ErasureFence for Told {
    async fn erased(&self, _table: &TableRef) -> Result<(), StoreError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn an_erasure_whose_answer_was_lost_is_told_to_the_caches_though_another_cluster_failed() {
    let fixture = Fixture::memory().await;
    let told = Arc::new(Told::default());
    let proxy = fixture.proxy_with_fence(Arc::clone(&told) as _);
    let rows = [row_in(1, 0), row_in(2, 0)];
    put_all(&proxy, rows.iter().map(|row| exact(row, 1, 1)).collect()).await;
    fixture.backend(1).script_erasures([EraseFault::Repeated]);
    fixture.backend(2).script_erasures([EraseFault::Fails(unavailable())]);
    let error = proxy.erase(&table(), rows_of(&rows)).await.unwrap_err();
    assert!(matches!(error, RunError::PartlyErased { .. }), "{error}");
    assert_eq!(told.0.load(Ordering::SeqCst), 1);
    assert!(!is_there(&proxy, &rows[0]).await);

    // What is known to have erased nothing is not told.
    fixture.backend(2).script_erasures([EraseFault::Fails(unavailable())]);
    let error = proxy.erase(&table(), vec![Erasure::Row(rows[1].clone())]).await.unwrap_err();
    assert!(matches!(error, RunError::Cluster { .. }), "{error}");
    assert_eq!(told.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_erasure_that_is_repeated_is_told_to_the_caches_though_another_cluster_fails_again() {
    let fixture = Fixture::memory().await;
    let told = Arc::new(Told::default());
    let proxy = fixture.proxy_with_fence(Arc::clone(&told) as _);
    let rows = [row_in(1, 0), row_in(2, 0)];
    put_all(&proxy, rows.iter().map(|row| exact(row, 1, 1)).collect()).await;
    // By a proxy that has ended before it told the caches.
    assert_eq!(fixture.proxy().erase(&table(), rows_of(&rows[..1])).await.unwrap(), 1);
    fixture.backend(2).script_erasures([EraseFault::Fails(unavailable())]);
    let error = proxy.erase(&table(), rows_of(&rows)).await.unwrap_err();
    assert!(matches!(error, RunError::Cluster { .. }), "{error}");
    assert_eq!(told.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_erasure_that_took_too_long_may_be_done_and_is_told_to_the_caches() {
    let fixture = Fixture::memory().await;
    let told = Arc::new(Told::default());
    let proxy = fixture.proxy_with_fence(Arc::clone(&told) as _);
    let rows = [row_in(1, 0)];
    // As a file's whose log could not be emptied behind the statement.
    let late = StoreError::Timeout { reason: Reason::Statement, detail: "for the test".to_owned() };
    fixture.backend(1).script_erasures([EraseFault::Fails(late)]);
    let error = proxy.erase(&table(), rows_of(&rows)).await.unwrap_err();
    assert!(matches!(error, RunError::PartlyErased { .. }), "{error}");
    assert_eq!(told.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn caches_are_not_told_before_every_erasure_of_the_call_is_over() {
    let fixture = Fixture::memory().await;
    let told = Arc::new(Told::default());
    let proxy = fixture.proxy_with_fence(Arc::clone(&told) as _);
    let rows = [row_in(1, 0), row_in(2, 0)];
    put_all(&proxy, rows.iter().map(|row| exact(row, 1, 1)).collect()).await;
    // One may be done, so that the caches are to be told whatever becomes of the other.
    let lost = StoreError::MaybeWritten { detail: "for the test".to_owned() };
    fixture.backend(1).script_erasures([EraseFault::Fails(lost)]);
    fixture.backend(2).script_erasures([EraseFault::Held]);
    let erasing = {
        let (proxy, what) = (Arc::clone(&proxy), rows_of(&rows));
        tokio::spawn(async move { proxy.erase(&table(), what).await })
    };
    let under_way = || fixture.backend(2).entered.available_permits() > 0;
    // Whatever can be done without the other one is.
    for turn in 0.. {
        assert_eq!(told.0.load(Ordering::SeqCst), 0);
        if turn >= 100 && under_way() {
            break;
        }
        tokio::task::yield_now().await;
    }
    fixture.backend(2).release.add_permits(1);
    assert!(matches!(erasing.await.unwrap(), Err(RunError::PartlyErased { .. })));
    assert_eq!(told.0.load(Ordering::SeqCst), 1);
    assert!(!is_there(&proxy, &rows[1]).await);
}

#[tokio::test]
async fn erasures_of_a_cluster_go_one_after_the_other_and_keep_no_other_cluster_waiting() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let rows = [row_in(1, 0), row_in(1, 1), row_in(1, 2), row_in(2, 0)];
    put_all(&proxy, rows.iter().map(|row| exact(row, 1, 1)).collect()).await;
    fixture.backend(1).script_erasures([EraseFault::Held, EraseFault::Held, EraseFault::Held]);
    let erasing = {
        let (proxy, what) = (Arc::clone(&proxy), rows_of(&rows));
        tokio::spawn(async move { proxy.erase(&table(), what).await })
    };
    let entered = || fixture.backend(1).entered.available_permits();
    for over in 0..3 {
        // Whatever can be done beside the one that is held is.
        let mut turn = 0;
        while turn < 100 || entered() <= over || is_there(&proxy, &rows[3]).await {
            assert!(entered() <= over + 1, "another one waits for its log head");
            tokio::task::yield_now().await;
            turn += 1;
        }
        fixture.backend(1).release.add_permits(1);
    }
    assert_eq!(erasing.await.unwrap().unwrap(), 4);
}

#[tokio::test]
async fn an_erasure_is_told_to_the_caches_though_its_caller_stops_waiting_in_the_middle() {
    let fixture = Fixture::memory().await;
    let told = Arc::new(Told::default());
    let proxy = fixture.proxy_with_fence(Arc::clone(&told) as _);
    let rows = [row_in(1, 0)];
    put_all(&proxy, vec![exact(&rows[0], 1, 1)]).await;
    fixture.backend(1).script_erasures([EraseFault::Held]);
    {
        let table = table();
        let mut erasing = pin!(proxy.erase(&table, rows_of(&rows)));
        assert!(erasing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        while fixture.backend(1).entered.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
    }
    fixture.backend(1).release.add_permits(1);
    let told = async {
        while told.0.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), told).await.expect("the caches are never told");
    assert!(!is_there(&proxy, &rows[0]).await);
}

#[tokio::test]
async fn a_long_erasure_that_failed_in_the_middle_goes_on_where_it_ended() {
    let fixture = Fixture::memory().await;
    let told = Arc::new(Told::default());
    let proxy = fixture.proxy_with_fence(Arc::clone(&told) as _);
    let row = row_in(1, 0);
    put_all(&proxy, (1..=700).map(|version| exact(&row, version, 1)).collect()).await;
    fixture.backend(1).script_erasures([EraseFault::Done, EraseFault::Done, EraseFault::Fails(unavailable())]);
    let error = proxy.erase(&table(), rows_of(std::slice::from_ref(&row))).await.unwrap_err();
    assert!(matches!(error, RunError::PartlyErased { .. }), "{error}");
    assert_eq!(told.0.load(Ordering::SeqCst), 1);
    let names: Vec<Triple> = (1..=700).map(|version| triple(&row, version)).collect();
    let left = proxy.get(&table(), names).await.unwrap().iter().flatten().count();
    assert!((100..700).contains(&left), "two steps of seven hundred are done: {left} are left");
    // All steps are counted, and the caches told once.
    assert_eq!(proxy.erase(&table(), rows_of(std::slice::from_ref(&row))).await.unwrap(), left as u64);
    assert_eq!(told.0.load(Ordering::SeqCst), 2);
    assert_eq!(proxy.erase(&table(), rows_of(&[row])).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_written_while_a_long_erasure_runs_is_not_erased() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    put_all(&proxy, (1..=700).map(|version| exact(&row, version, 1)).collect()).await;
    fixture.backend(1).script_erasures([EraseFault::Held, EraseFault::Held]);
    let erasing = {
        let (proxy, what) = (Arc::clone(&proxy), rows_of(std::slice::from_ref(&row)));
        tokio::spawn(async move { proxy.erase(&table(), what).await })
    };
    fixture.backend(1).release.add_permits(1);
    fixture.backend(1).entered.acquire_many(2).await.unwrap().forget();
    // Behind what the second step has done: all of it is in front of those that follow.
    put_all(&proxy, (701..=1400).map(|version| exact(&row, version, 1)).collect()).await;
    fixture.backend(1).release.add_permits(1);
    assert_eq!(erasing.await.unwrap().unwrap(), 700);
    let names: Vec<Triple> = (1..=1400).map(|version| triple(&row, version)).collect();
    let left = proxy.get(&table(), names).await.unwrap();
    assert!(left[..700].iter().all(Option::is_none) && left[700..].iter().all(Option::is_some));
    assert_eq!(proxy.erase(&table(), rows_of(&[row])).await.unwrap(), 700);
}

#[tokio::test]
async fn what_is_written_behind_the_first_of_many_erasures_is_not_erased() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let rows = [row_in(1, 0), row_in(1, 1), row_in(1, 2), row_in(1, 3)];
    let what = vec![
        Erasure::Row(rows[0].clone()),
        Erasure::Row(rows[1].clone()),
        Erasure::Cell(triple(&rows[2], 1)),
        Erasure::Cell(triple(&rows[3], 1)),
    ];
    let old = [exact(&rows[0], 1, 1), exact(&rows[1], 1, 1), exact(&rows[2], 1, 1)];
    put_all(&proxy, old.to_vec()).await;
    fixture.backend(1).script_erasures([EraseFault::Held]);
    let erasing = {
        let (proxy, what) = (Arc::clone(&proxy), what.clone());
        tokio::spawn(async move { proxy.erase(&table(), what).await })
    };
    fixture.backend(1).entered.acquire().await.unwrap().forget();
    put_all(&proxy, vec![exact(&rows[0], 2, 1), exact(&rows[1], 2, 1), exact(&rows[3], 1, 1)]).await;
    fixture.backend(1).release.add_permits(1);
    assert_eq!(erasing.await.unwrap().unwrap(), 3);
    let names = [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (3, 1)].map(|(row, version)| triple(&rows[row], version));
    let left: Vec<bool> = proxy.get(&table(), names.to_vec()).await.unwrap().iter().map(Option::is_some).collect();
    assert_eq!(left, [false, true, false, true, false, true]);
    assert_eq!(proxy.erase(&table(), what).await.unwrap(), 3);
}

#[tokio::test]
async fn what_others_have_erased_is_looked_at_again_if_the_server_was_started_meanwhile() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    put_all(&proxy, vec![exact(&row, 1, 1)]).await;
    fixture.backend(1).script_erasures([EraseFault::TakenBack]);
    assert_eq!(proxy.erase(&table(), rows_of(std::slice::from_ref(&row))).await.unwrap(), 1);
    assert!(!is_there(&proxy, &row).await);

    fixture.backend(1).script_erasures(vec![EraseFault::TakenBack; 100]);
    let error = proxy.erase(&table(), rows_of(&[row])).await.unwrap_err();
    assert!(matches!(error, RunError::Cluster { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_long_erasure_outlives_busy_moments_and_one_that_has_not_begun_is_refused() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    let busy = |reason| EraseFault::Fails(StoreError::Timeout { reason, detail: "for the test".to_owned() });
    put_all(&proxy, (1..=700).map(|version| exact(&row, version, 1)).collect()).await;
    fixture.backend(1).script_erasures([busy(Reason::Queue)]);
    let error = proxy.erase(&table(), rows_of(std::slice::from_ref(&row))).await.unwrap_err();
    assert!(matches!(error, RunError::Cluster { .. }), "{error}");
    // Ten times in a row behind the first step.
    let moments = [&[EraseFault::Done][..], &vec![busy(Reason::Queue); 10], &[EraseFault::Done, busy(Reason::Lock)]];
    fixture.backend(1).script_erasures(moments.concat());
    assert_eq!(proxy.erase(&table(), rows_of(std::slice::from_ref(&row))).await.unwrap(), 700);

    put_all(&proxy, (701..=1400).map(|version| exact(&row, version, 1)).collect()).await;
    fixture.backend(1).script_erasures([&[EraseFault::Done][..], &vec![busy(Reason::Queue); 11]].concat());
    let error = proxy.erase(&table(), rows_of(&[row])).await.unwrap_err();
    assert!(matches!(error, RunError::PartlyErased { .. } | RunError::Cluster { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn many_erasures_outlive_busy_moments_and_do_not_begin_anew() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let rows: Vec<RowKey> = (0..4).map(|index| row_in(1, index)).collect();
    put_all(&proxy, rows.iter().map(|row| exact(row, 1, 1)).collect()).await;
    let busy = |reason| EraseFault::Fails(StoreError::Timeout { reason, detail: "for the test".to_owned() });
    let moments = [EraseFault::Done, busy(Reason::Lock), EraseFault::Done, busy(Reason::Queue), busy(Reason::Queue)];
    fixture.backend(1).script_erasures(moments);
    assert_eq!(proxy.erase(&table(), rows_of(&rows)).await.unwrap(), 4);
}

#[tokio::test]
async fn a_cluster_that_fails_keeps_no_key_of_another_one_from_being_erased() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let rows = [row_in(2, 0), row_in(1, 0), row_in(2, 1), row_in(1, 1), row_in(1, 2)];
    put_all(&proxy, rows.iter().map(|row| exact(row, 1, 1)).collect()).await;
    fixture.backend(2).script_erasures([EraseFault::Fails(unavailable())]);
    let error = proxy.erase(&table(), rows_of(&rows)).await.unwrap_err();
    let RunError::PartlyErased { error, .. } = &error else { panic!("{error}") };
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    for (row, is_left) in rows.iter().zip([true, false, true, false, false]) {
        assert_eq!(is_there(&proxy, row).await, is_left, "{row:?}");
    }
    assert_eq!(proxy.erase(&table(), rows_of(&rows)).await.unwrap(), 2);
}

#[tokio::test]
async fn many_erasures_whose_end_could_not_be_read_are_not_done_in_part() {
    let fixture = Fixture::memory().await;
    let told = Arc::new(Told::default());
    let proxy = fixture.proxy_with_fence(Arc::clone(&told) as _);
    let rows = [row_in(1, 0), row_in(1, 1)];
    put_all(&proxy, rows.iter().map(|row| exact(row, 1, 1)).collect()).await;
    let late = StoreError::Timeout { reason: Reason::Statement, detail: "for the test".to_owned() };
    fixture.backend(1).script_heads([late]);
    let error = proxy.erase(&table(), rows_of(&rows)).await.unwrap_err();
    assert!(matches!(error, RunError::Cluster { .. }), "nothing was sent: {error}");
    assert_eq!(told.0.load(Ordering::SeqCst), 0);
    assert_eq!(proxy.erase(&table(), rows_of(&rows)).await.unwrap(), 2);
}
