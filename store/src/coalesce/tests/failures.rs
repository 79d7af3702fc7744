//! What becomes of the others when a statement, or one of its requests, fails.

use super::*;

#[tokio::test]
async fn a_request_about_one_cell_fails_by_itself() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.coalescing.get_one(&table(1), triple("a")).unwrap();
    bench.held.begun(1).await;
    let one = bench.coalescing.get_one(&table(1), triple("b")).unwrap();
    let several = bench.get(1, &["c", "d"]);
    bench.waiting(3, 0).await;
    bench.held.failing.lock().unwrap().extend([(3, failed()), (1, failed())]);
    bench.go(10);
    assert_eq!(first.await.unwrap(), None);
    assert!(matches!(one.await, Err(StoreError::Failed { .. })));
    assert_eq!(several.await.unwrap().unwrap(), [None, None]);
    assert_eq!(bench.held.calls(), gets(&[1, 3, 1, 2]));
}

#[tokio::test]
async fn an_oversized_request_fails_alone_before_it_is_queued() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let good = bench.put(group("b", "1"));
    let bad = bench.put(group(&"x".repeat(limits::STORED_ROW_KEY_BYTES + 1), "1"));
    let error = bad.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { max: limits::STORED_ROW_KEY_BYTES, .. }), "{error:?}");
    bench.waiting(0, 1).await;
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()) && is_stored(&good.await.unwrap()));
}

#[tokio::test]
async fn a_batch_that_fails_of_one_member_is_run_one_by_one() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let others: Vec<_> = ["b", "c", "d"].map(|row| bench.put(group(row, "1"))).into();
    bench.waiting(0, 3).await;
    // The batch of three fails, then the second of them alone; scripted from the batch on, by size.
    bench.held.failing.lock().unwrap().push((3, failed()));
    bench.go(3);
    bench.held.begun(3).await;
    bench.held.failing.lock().unwrap().push((1, failed()));
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()));
    let mut outcomes = Vec::new();
    for other in others {
        outcomes.push(other.await.unwrap());
    }
    assert!(is_stored(&outcomes[0]) && is_stored(&outcomes[2]), "{outcomes:?}");
    assert!(matches!(outcomes[1], Err(StoreError::Failed { .. })), "{outcomes:?}");
    assert_eq!(bench.held.calls(), [1, 3, 1, 1, 1].map(Call::Put));
}

#[tokio::test]
async fn a_store_that_is_down_is_not_asked_once_per_request() {
    let bench = Bench::new(ONE_LANE).await;
    let down = || StoreError::Unavailable { reason: Reason::Connect, detail: "for the test".to_owned() };
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = ["b", "c"].map(|row| bench.get(1, &[row])).into();
    bench.waiting(2, 0).await;
    bench.held.failing.lock().unwrap().push((2, down()));
    bench.go(2);
    first.await.unwrap().unwrap();
    for other in others {
        assert!(matches!(other.await.unwrap(), Err(StoreError::Unavailable { .. })));
    }
    assert_eq!(bench.held.calls(), gets(&[1, 2]));
}

#[tokio::test]
async fn what_fails_one_by_one_again_and_again_is_not_asked_once_per_request() {
    let most = crate::coalesce::lanes::IN_VAIN;
    let options = CoalesceOptions { batch_reads: 2 * most, per_request: 1, ..ONE_LANE };
    let bench = Bench::new(options).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = (0..most + 3).map(|_| bench.get(1, &["b"])).collect();
    bench.waiting(most + 3, 0).await;
    // One was too large, and then the store is gone.
    let down = StoreError::Unavailable { reason: Reason::Connect, detail: "for the test".to_owned() };
    let one_by_one = std::iter::repeat_n((1, down), most);
    let large = StoreError::AnswerTooLarge { max: 7 };
    bench.held.failing.lock().unwrap().extend(std::iter::once((most + 3, large)).chain(one_by_one));
    bench.go(2 + 2 * most);
    first.await.unwrap().unwrap();
    for other in others {
        let answer = other.await.unwrap();
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    }
    let calls = [1, most + 3].into_iter().chain(std::iter::repeat_n(1, most)).collect::<Vec<_>>();
    assert_eq!(bench.held.calls(), gets(&calls));
}

#[tokio::test]
async fn requests_that_are_too_large_take_no_other_along() {
    let (many, large) = (2 * crate::coalesce::lanes::IN_VAIN, StoreError::AnswerTooLarge { max: 7 });
    let options = CoalesceOptions { batch_reads: 2 * many + 2, queue_cells: 2 * many + 2, per_request: 2, ..ONE_LANE };
    let bench = Bench::new(options).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    // More of them than may fail in vain, each about two cells; who asks for one comes last.
    let others: Vec<_> = (0..many).map(|_| bench.get(1, &["b", "c"])).collect();
    bench.waiting(2 * many, 0).await;
    let small = [bench.get(1, &["d"]), bench.get(1, &["e"])];
    bench.waiting(2 * many + 2, 0).await;
    let again = std::iter::repeat_n((2, large.clone()), many).chain([(1, failed())]);
    bench.held.failing.lock().unwrap().extend([(2 * many + 2, large)].into_iter().chain(again));
    bench.go(2 + many + 2);
    first.await.unwrap().unwrap();
    for other in others {
        let answer = other.await.unwrap();
        assert!(matches!(answer, Err(StoreError::AnswerTooLarge { max: 7 })), "{answer:?}");
    }
    let [failing, well] = small;
    assert!(matches!(failing.await.unwrap(), Err(StoreError::Failed { .. })), "its own error");
    assert_eq!(well.await.unwrap().unwrap(), [None]);
}

#[tokio::test]
async fn who_is_asked_for_again_waits_no_longer_than_for_a_statement() {
    let bench = Bench::with_patience(ONE_LANE, Duration::from_millis(300)).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = ["b", "c", "d"].map(|row| bench.get(1, &[row])).into();
    bench.waiting(3, 0).await;
    bench.held.failing.lock().unwrap().push((3, failed()));
    bench.go(2);
    // Two at a time are asked for again, and hang.
    bench.held.begun(3).await;
    // So long is told to one who comes now.
    let queued = tokio::time::timeout(Duration::from_secs(20), bench.get(1, &["e"])).await.expect("it is told");
    assert!(matches!(queued.unwrap(), Err(StoreError::Timeout { reason: Reason::Queue, .. })));
    bench.go(2);
    first.await.unwrap().unwrap();
    let mut late = 0;
    for other in others {
        match other.await.unwrap() {
            Ok(cells) => assert_eq!(cells, [None]),
            Err(StoreError::Timeout { reason: Reason::Queue, .. }) => late += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(late, 1);
}

#[tokio::test]
async fn a_statement_that_panics_is_an_error_to_its_own_and_its_lane_goes_on() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let shared: Vec<_> = ["b", "c"].map(|row| bench.put(group(row, "1"))).into();
    bench.waiting(0, 2).await;
    bench.go(1);
    assert!(is_stored(&first.await.unwrap()));
    bench.held.begun(1).await;
    let behind = bench.put(group("d", "1"));
    bench.waiting(0, 1).await;
    bench.held.panics.store(true, Ordering::SeqCst);
    bench.go(2);
    for one in shared {
        let outcome = one.await.unwrap();
        assert!(
            matches!(outcome, Err(StoreError::MaybeWritten { .. })),
            "whether it was done is not known: {outcome:?}"
        );
    }
    assert!(is_stored(&behind.await.unwrap()));
    assert_eq!(bench.held.calls(), [1, 2, 1].map(Call::Put));
    // With nobody behind it, the lane ends.
    bench.held.panics.store(true, Ordering::SeqCst);
    bench.go(1);
    let alone = bench.put(group("e", "1")).await.unwrap();
    assert!(matches!(alone, Err(StoreError::MaybeWritten { .. })), "{alone:?}");
    tokio::time::timeout(Duration::from_secs(20), bench.coalescing.close()).await.expect("nothing is under way");
}
