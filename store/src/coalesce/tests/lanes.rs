//! How many statements are under way, and what a lane takes.

use super::*;

#[tokio::test]
async fn a_free_lane_takes_a_request_at_once_and_the_next_one_all_that_wait() {
    let bench = Bench::new(ONE_LANE).await;
    bench.go(1);
    bench.put(group("b", "1")).await.unwrap().unwrap();
    let first = bench.get(1, &["a"]);
    bench.held.begun(2).await;
    let others: Vec<_> = ["b", "c", "b"].map(|row| bench.get(1, &[row])).into();
    bench.waiting(3, 0).await;
    bench.go(2);
    assert_eq!(first.await.unwrap().unwrap(), [None]);
    let mut found = Vec::new();
    for other in others {
        found.push(other.await.unwrap().unwrap()[0].as_ref().map(|cell| cell.triple.clone()));
    }
    assert_eq!(found, [Some(triple("b")), None, Some(triple("b"))]);
    assert_eq!(bench.held.calls()[1..], gets(&[1, 3]));
}

#[tokio::test]
async fn as_many_requests_as_there_are_lanes_go_at_once_and_more_share_one() {
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: NEVER, ..CoalesceOptions::default() }).await;
    let few: Vec<_> = ["a", "b", "c", "d"].map(|row| bench.get(1, &[row])).into();
    bench.held.begun(4).await;
    let more: Vec<_> = ["e", "f", "g"].map(|row| bench.get(1, &[row])).into();
    bench.waiting(3, 0).await;
    bench.go(3);
    for one in few.into_iter().chain(more) {
        bench.go(1);
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[1, 1, 1, 1, 3]));
}

#[tokio::test]
async fn a_second_statement_begins_with_half_of_those_outstanding() {
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: NEVER, ..CoalesceOptions::default() }).await;
    let ten = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let first = bench.get(1, &ten);
    bench.held.begun(1).await;
    let mut others: Vec<_> = ten[..9].iter().map(|row| bench.get(1, &[row])).collect();
    bench.waiting(9, 0).await;
    others.push(bench.get(1, &["j"]));
    bench.held.begun(1).await;
    // There are two as a rule, however many more come.
    others.extend(ten.iter().map(|row| bench.get(1, &[row])));
    bench.waiting(10, 0).await;
    bench.go(3);
    for one in std::iter::once(first).chain(others) {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[10, 10, 10]));
}

#[tokio::test]
async fn nobody_waits_for_a_statement_that_is_slow() {
    let bench = Bench::new(CoalesceOptions::default()).await;
    let many = ["a", "b", "c", "d", "e"];
    let slow = bench.get(1, &many);
    bench.held.begun(1).await;
    // Its time is told by the system's clock, which cannot be turned.
    let long_ago = Instant::now() + Duration::from_millis(2);
    while Instant::now() < long_ago {
        tokio::task::yield_now().await;
    }
    let quick = bench.get(1, &["b"]);
    bench.held.begun(1).await;
    bench.go(2);
    slow.await.unwrap().unwrap();
    quick.await.unwrap().unwrap();
    assert_eq!(bench.held.calls(), gets(&[5, 1]));
}

#[tokio::test]
async fn nobody_waits_long_beside_free_lanes_though_a_statement_hangs_and_nobody_else_comes() {
    let slow = Duration::from_millis(20);
    let bench = Bench::new(CoalesceOptions { slow, far: NEVER, ..CoalesceOptions::default() }).await;
    let in_time = async |statements| {
        let begun = bench.held.begun(statements);
        tokio::time::timeout(Duration::from_secs(20), begun).await.expect("it does not wait for what hangs");
    };
    let hangs = bench.get(1, &["a", "b", "c", "d", "e"]);
    bench.held.begun(1).await;
    // Less than its share.
    let waits = bench.get(1, &["f"]);
    in_time(1).await;
    let next = bench.get(1, &["g"]);
    in_time(1).await;
    bench.go(3);
    for one in [hangs, waits, next] {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[5, 1, 1]));
}

#[tokio::test]
async fn a_store_that_is_far_away_has_several_statements_under_way() {
    // However short a ping is, it is longer than nothing.
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: Duration::ZERO, ..CoalesceOptions::default() }).await;
    let first = bench.get(1, &["a", "b", "c", "d", "e"]);
    bench.held.begun(1).await;
    let near = [first, bench.get(1, &["f"])];
    bench.waiting(1, 0).await;
    bench.coalescing.ping().await.unwrap();
    let far = bench.get(1, &["g"]);
    bench.held.begun(1).await;
    bench.go(2);
    for one in near.into_iter().chain([far]) {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[5, 2]), "the second statement did not wait for the first");
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let second = bench.put(group("b", "1"));
    bench.held.begun(1).await;
    let third = bench.put(group("c", "1"));
    bench.waiting(0, 1).await;
    bench.go(3);
    for put in [first, second, third] {
        assert!(is_stored(&put.await.unwrap()));
    }
    assert_eq!(bench.held.calls()[2..], [1, 1, 1].map(Call::Put), "two at once, and no more");
}

#[tokio::test]
async fn one_that_comes_just_before_many_takes_them_along() {
    let bench =
        Bench::new(CoalesceOptions { busy_lanes: 1, slow: NEVER, far: NEVER, ..CoalesceOptions::default() }).await;
    let first = bench.get(1, &["a", "b", "c", "d", "e"]);
    bench.held.begun(1).await;
    let many: Vec<_> = (0..20).map(|n| bench.get(1, &[&format!("{n}")])).collect();
    bench.waiting(20, 0).await;
    bench.go(2);
    first.await.unwrap().unwrap();
    for one in many {
        one.await.unwrap().unwrap();
    }
    // All of them come back at once, and the first to come is not sent alone.
    let again: Vec<_> = (0..20).map(|n| bench.get(1, &[&format!("{n}")])).collect();
    bench.go(2);
    for one in again {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[5, 20, 20]));
}

#[tokio::test]
async fn a_scan_beside_gets_has_short_pages_and_misses_nothing() {
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: NEVER, ..CoalesceOptions::default() }).await;
    let cells: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    for cell in &cells {
        let stored = bench.held.inner.put(EPOCH, &[group(cell, "1")]).await;
        assert!(stored.is_ok(), "{stored:?}");
    }
    bench.go(1000);
    let mut scan = RowScan {
        set: cellgate_schemaless::RowSet::Rows(
            cells.iter().map(|cell| RowKey::from_store(cell.as_bytes().to_vec())).collect(),
            cellgate_schemaless::ColumnFilter::All,
        ),
        refs: cellgate_schemaless::RefRange::default(),
        direction: cellgate_schemaless::Direction::Ascending,
        after: None,
        up_to: None,
        limit: Some(1000),
    };
    let (mut pages, mut found) = (Vec::new(), Vec::new());
    loop {
        bench.get(1, &["000"]).await.unwrap().unwrap();
        let page = bench.coalescing.rows(&table(1), &scan).await.unwrap();
        scan.after = page.cells.last().map(|cell| cell.triple.clone());
        pages.push(page.cells.len());
        found.extend(page.cells.into_iter().map(|cell| cell.triple.row));
        if !page.more {
            break;
        }
    }
    assert_eq!(found.len(), 300, "{pages:?}");
    assert_eq!(pages[0], 64, "{pages:?}");
    // Scans of a few rows leave the pages of others as they are.
    let few = RowScan { after: None, limit: Some(2), ..scan };
    let length = bench.coalescing.row_pages.rows();
    for _ in 0..10 {
        bench.get(1, &["000"]).await.unwrap().unwrap();
        assert_eq!(bench.coalescing.rows(&table(1), &few).await.unwrap().cells.len(), 2);
    }
    assert_eq!(bench.coalescing.row_pages.rows(), length);
}

#[tokio::test]
async fn a_full_batch_takes_another_lane() {
    let bench = Bench::new(CoalesceOptions { batch_reads: 8, lanes: 2, ..ONE_LANE }).await;
    let first = bench.get(1, &["a", "b", "c"]);
    bench.held.begun(1).await;
    let more: Vec<_> = (0..8).map(|n| bench.get(1, &[&format!("{n}")])).collect();
    // The first is still under way.
    bench.held.begun(1).await;
    bench.go(2);
    first.await.unwrap().unwrap();
    for one in more {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[3, 8]));
}
