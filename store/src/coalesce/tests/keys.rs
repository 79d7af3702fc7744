//! What shares a statement, and what each is answered.

use super::*;

#[tokio::test]
async fn a_request_about_one_cell_shares_with_those_about_several_and_gets_its_own_answer() {
    let bench = Bench::new(ONE_LANE).await;
    bench.go(1);
    bench.put(group("b", "1")).await.unwrap().unwrap();
    let first = bench.coalescing.get_one(&table(1), triple("b")).unwrap();
    bench.held.begun(2).await;
    let several = bench.get(1, &["a", "b"]);
    bench.waiting(2, 0).await;
    let one = bench.coalescing.get_one(&table(1), triple("b")).unwrap();
    let missing = bench.coalescing.get_one(&table(1), triple("c")).unwrap();
    bench.go(2);
    let name = |cell: Option<Cell>| cell.map(|cell| cell.triple);
    assert_eq!(name(first.await.unwrap()), Some(triple("b")));
    assert_eq!(several.await.unwrap().unwrap().into_iter().map(name).collect::<Vec<_>>(), [None, Some(triple("b"))]);
    assert_eq!(name(one.await.unwrap()), Some(triple("b")));
    assert_eq!(name(missing.await.unwrap()), None);
    assert_eq!(bench.held.calls()[1..], gets(&[1, 4]));
}

#[tokio::test]
async fn the_keys_of_one_call_are_read_by_one_statement() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let calls: Vec<_> = (0..3).map(|_| bench.get(1, &["a", "b", "c"])).collect();
    bench.waiting(9, 0).await;
    bench.go(3);
    assert_eq!(first.await.unwrap().unwrap(), [None]);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), [None, None, None]);
    }
    // Eight keys fit, and yet the third call goes with none of its keys before the others.
    assert_eq!(bench.held.calls(), gets(&[1, 6, 3]));
}

#[tokio::test]
async fn a_call_about_many_keys_leaves_the_batch_to_others() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let greedy = bench.get(1, &["a", "b", "c", "d", "e"]);
    bench.held.begun(1).await;
    let small = bench.get(1, &["b"]);
    bench.waiting(1, 0).await;
    bench.go(3);
    for one in [first, greedy, small] {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[1, 5, 1]));
}

#[tokio::test]
async fn who_asks_for_a_long_body_waits_for_it_alone() {
    let bench = Bench::new(ONE_LANE).await;
    let long = "x".repeat(LONG);
    bench.go(2);
    for (row, body) in [("long", &*long), ("short", "1")] {
        assert!(is_stored(&bench.put(group(row, body)).await.unwrap()));
    }
    let first = bench.get(1, &["a"]);
    bench.held.begun(3).await;
    let long_ones = [bench.get(1, &["long"]), bench.get(1, &["short", "long"])];
    bench.waiting(3, 0).await;
    let short = bench.get(1, &["short", "nowhere"]);
    bench.waiting(5, 0).await;
    bench.go(2);
    first.await.unwrap().unwrap();
    let bytes = |cells: &[Option<Cell>]| -> Vec<usize> {
        cells.iter().flatten().map(|cell| cell.body.as_ref().map_or(0, |body| body.as_bytes().len())).collect()
    };
    // Nobody has let the next statement go on.
    let answered = tokio::time::timeout(Duration::from_secs(20), short).await.expect("it does not wait for long ones");
    assert_eq!(bytes(&answered.unwrap().unwrap()), [1]);
    bench.go(2);
    let [one, several] = long_ones;
    assert_eq!(bytes(&one.await.unwrap().unwrap()), [LONG]);
    assert_eq!(bytes(&several.await.unwrap().unwrap()), [1, LONG]);
    assert_eq!(bench.held.calls()[2..], gets(&[1, 5, 1, 2]));
}

/// Four who have asked for a long body in one statement, of which the first is being fetched.
async fn with_long_bodies_asked_for(bench: &Bench) -> [JoinHandle<Result<Vec<Option<Cell>>, StoreError>>; 4] {
    bench.go(1);
    assert!(is_stored(&bench.put(group("long", &"x".repeat(LONG))).await.unwrap()));
    let first = bench.get(1, &["a"]);
    bench.held.begun(2).await;
    let long_ones = ["long"; 4].map(|row| bench.get(1, &[row]));
    bench.waiting(4, 0).await;
    bench.go(2);
    first.await.unwrap().unwrap();
    bench.held.begun(2).await;
    assert_eq!(bench.held.calls()[1..], gets(&[1, 4, 1]));
    long_ones
}

#[tokio::test]
async fn a_long_body_that_nobody_waits_for_is_not_fetched() {
    let bench = Bench::new(ONE_LANE).await;
    let [first, gone, gone_too, last] = with_long_bodies_asked_for(&bench).await;
    for gone in [gone, gone_too] {
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
    }
    bench.go(2);
    for there in [first, last] {
        assert!(there.await.unwrap().unwrap()[0].is_some());
    }
    assert_eq!(bench.held.calls()[1..], gets(&[1, 4, 1, 1]));
}

#[tokio::test]
async fn a_server_that_is_lost_among_long_bodies_is_not_asked_once_for_each() {
    let bench = Bench::new(ONE_LANE).await;
    let long_ones = with_long_bodies_asked_for(&bench).await;
    let lost = StoreError::Timeout { reason: Reason::Statement, detail: "for the test".to_owned() };
    bench.held.failing.lock().unwrap().push((1, lost));
    bench.go(1);
    for long in long_ones {
        let answer = long.await.unwrap();
        assert!(matches!(answer, Err(StoreError::Timeout { .. })), "{answer:?}");
    }
    assert_eq!(bench.held.calls()[1..], gets(&[1, 4, 1]));
}

#[tokio::test]
async fn long_bodies_have_their_lane_for_a_time() {
    let patience = Duration::from_millis(500);
    let bench = Bench::with_patience(ONE_LANE, patience).await;
    let [first, others @ ..] = with_long_bodies_asked_for(&bench).await;
    // Time alone ends it.
    let nothing = std::future::pending::<()>();
    tokio::time::timeout(2 * patience + Duration::from_millis(50), nothing).await.unwrap_err();
    bench.go(1);
    assert!(first.await.unwrap().unwrap()[0].is_some(), "one that has begun goes on");
    for late in others {
        let answer = late.await.unwrap();
        assert!(matches!(answer, Err(StoreError::Timeout { reason: Reason::Queue, .. })), "{answer:?}");
    }
    // The lane is free.
    bench.go(1);
    assert_eq!(bench.get(1, &["a"]).await.unwrap().unwrap(), [None]);
}

#[tokio::test]
async fn a_scan_is_on_no_lane() {
    let bench = Bench::new(ONE_LANE).await;
    let scan = RowScan {
        set: cellgate_schemaless::RowSet::Rows(Vec::new(), cellgate_schemaless::ColumnFilter::All),
        refs: cellgate_schemaless::RefRange::default(),
        direction: cellgate_schemaless::Direction::Ascending,
        after: None,
        up_to: None,
        limit: None,
    };
    let coalescing = Arc::clone(&bench.coalescing);
    let scanning = tokio::spawn(async move { coalescing.rows(&table(1), &scan).await });
    bench.held.begun(1).await;
    let get = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    assert_eq!(bench.held.calls(), [Call::Rows, Call::Get("t_1".to_owned(), 1)]);
    bench.go(2);
    get.await.unwrap().unwrap();
    scanning.await.unwrap().unwrap();
}

#[tokio::test]
async fn tables_do_not_share_a_statement() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let mut others = Vec::new();
    for (n, number) in [1, 2, 1, 2].into_iter().enumerate() {
        others.push(bench.get(number, &["a"]));
        bench.waiting(n + 1, 0).await;
    }
    bench.go(3);
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    let call = |name: &str, size| Call::Get(name.to_owned(), size);
    assert_eq!(bench.held.calls(), [call("t_1", 1), call("t_1", 2), call("t_2", 2)]);
}
