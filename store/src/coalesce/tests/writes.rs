//! Writes that share a transaction.

use super::*;

#[tokio::test]
async fn writes_go_one_batch_at_a_time_and_equal_triples_settle_first_wins() {
    let bench = Bench::new(CoalesceOptions { lanes: 4, ..ONE_LANE }).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let mut others = Vec::new();
    for (n, (row, body)) in [("b", "1"), ("b", "2"), ("b", "1"), ("c", "1")].into_iter().enumerate() {
        others.push(bench.put(group(row, body)));
        bench.waiting(0, n + 1).await;
    }
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()));
    let mut outcomes = Vec::new();
    for other in others {
        outcomes.push(other.await.unwrap());
    }
    assert!(is_stored(&outcomes[0]) && is_stored(&outcomes[3]), "{outcomes:?}");
    assert_eq!(outcomes[1].as_ref().unwrap(), &PutOutcome::Conflict { cell: 0 });
    assert!(matches!(&outcomes[2], Ok(PutOutcome::Stored(places)) if !places[0].new), "{outcomes:?}");
    assert_eq!(bench.held.calls(), [Call::Put(1), Call::Put(4)]);
}

#[tokio::test]
async fn a_second_write_begins_with_half_of_those_outstanding_and_none_beside_a_full_batch() {
    // However slow they are.
    for slow in [NEVER, Duration::ZERO] {
        let bench = Bench::new(CoalesceOptions { write_lanes: 2, slow, ..ONE_LANE }).await;
        let puts = |names: &[&str]| names.iter().map(|name| bench.put(group(name, "1"))).collect::<Vec<_>>();
        let first = bench.put(group("first", "1"));
        bench.held.begun(1).await;
        let second = bench.put(group("second", "1"));
        bench.held.begun(1).await;
        let mut others = puts(&["a", "b", "c"]);
        bench.waiting(0, 3).await;
        bench.go(1);
        assert!(is_stored(&first.await.unwrap()));
        bench.held.begun(1).await;
        others.extend(puts(&["1", "2", "3", "4", "5", "6", "7", "8"]));
        bench.waiting(0, 8).await;
        bench.go(1);
        assert!(is_stored(&second.await.unwrap()));
        bench.waiting(0, 8).await;
        bench.go(2);
        for put in others {
            assert!(is_stored(&put.await.unwrap()));
        }
        assert_eq!(bench.held.calls(), [1, 1, 3, 8].map(Call::Put));
    }
}

#[tokio::test]
async fn a_shared_write_is_bounded_in_bytes_and_waits_for_none_with_a_large_body() {
    let bench = Bench::new(ONE_LANE).await;
    let (large, half) = ("x".repeat(super::BATCH_BYTES), "x".repeat(super::BATCH_BYTES / 2));
    let huge: Vec<_> = ["a", "b"].map(|row| bench.put(group(row, &large))).into();
    bench.held.begun(1).await;
    // Two halves of what a batch may have do not go with the row keys beside them.
    let halves: Vec<_> = ["c", "d"].map(|row| bench.put(group(row, &half))).into();
    let small = bench.put(group("e", "1"));
    bench.held.begun(1).await;
    assert_eq!(bench.held.calls(), [1, 1].map(Call::Put), "beside the large one");
    while bench.coalescing.large_puts.waiting() != 3 {
        tokio::task::yield_now().await;
    }
    bench.go(5);
    assert!(is_stored(&small.await.unwrap()));
    for put in huge.into_iter().chain(halves) {
        assert!(is_stored(&put.await.unwrap()));
    }
    assert_eq!(bench.held.calls(), [1, 1, 1, 1, 1].map(Call::Put), "each by itself");
}

#[tokio::test]
async fn a_write_to_several_tables_is_on_no_lane() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    // One of its tables is gone: who writes to the other one must not be told so.
    let mut gone = group("b", "1");
    gone.cells[0].table = table(3);
    let both = {
        let (coalescing, groups) = (Arc::clone(&bench.coalescing), [group("c", "1"), gone]);
        tokio::spawn(async move { coalescing.put(EPOCH, &groups).await })
    };
    bench.held.begun(1).await;
    assert_eq!(bench.held.calls(), [Call::Put(1), Call::Put(2)], "beside the first one");
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()));
    assert!(matches!(both.await.unwrap(), Err(StoreError::NoTable { .. })));
}
