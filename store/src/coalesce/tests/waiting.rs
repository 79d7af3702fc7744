//! How long one may wait in front of a cluster.

use super::*;

#[tokio::test]
async fn who_waits_is_told_in_time_though_those_before_are_asked_for_again() {
    // Long, so that a busy machine is in time.
    let patience = Duration::from_secs(3);
    let bench = Bench::with_patience(ONE_LANE, patience).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = ["b", "c", "d"].map(|row| bench.get(1, &[row])).into();
    bench.waiting(3, 0).await;
    bench.held.failing.lock().unwrap().push((3, failed()));
    bench.go(1);
    bench.held.begun(1).await;
    let arrived = Instant::now();
    let late = bench.get(1, &["e"]);
    bench.waiting(1, 0).await;
    // The statement fails when most of its time is over, and those in it are asked for again, and hang.
    let nothing = std::future::pending::<()>();
    tokio::time::timeout_at((arrived + patience * 3 / 4).into(), nothing).await.unwrap_err();
    bench.go(1);
    bench.held.begun(2).await;
    let told = late.await.unwrap();
    assert!(matches!(told, Err(StoreError::Timeout { reason: Reason::Queue, .. })), "{told:?}");
    assert!(arrived.elapsed() < patience * 3 / 2, "{:?}", arrived.elapsed());
    bench.go(3);
    first.await.unwrap().unwrap();
    for other in others {
        drop(other.await.unwrap());
    }
}
