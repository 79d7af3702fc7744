//! How long and how much may wait in front of a cluster.

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

#[tokio::test]
async fn writes_of_too_many_bytes_are_refused_at_once_and_those_taken_in_are_counted_until_they_begin() {
    // Two halves do not fit, for the keys beside them.
    let half = "x".repeat(ONE_LANE.queue_bytes / 2);
    let bench = Bench::new(ONE_LANE).await;
    let taken_in = async |waiting: usize| {
        while bench.coalescing.large_puts.waiting() != waiting {
            tokio::task::yield_now().await;
        }
    };
    let first = bench.put(group("a", &half));
    bench.held.begun(1).await;
    let second = bench.put(group("b", &half));
    taken_in(1).await;
    let put = tokio::time::timeout(Duration::from_secs(20), bench.put(group("c", &half)));
    let refused = put.await.expect("it is told at once").unwrap().unwrap_err();
    let all = group("b", &half).bytes();
    assert!(matches!(refused, StoreError::Overloaded { waiting: 1, bytes } if bytes == all), "{refused:?}");
    // It is there though nobody waits for it any more, and small ones are beside it.
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    assert!(bench.put(group("d", &half)).await.unwrap().is_err());
    let small = bench.put(group("e", "1"));
    bench.held.begun(1).await;
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()) && is_stored(&small.await.unwrap()));
    bench.held.begun(1).await;
    let third = bench.put(group("f", &half));
    taken_in(1).await;
    bench.go(2);
    bench.held.begun(1).await;
    assert!(is_stored(&third.await.unwrap()));
    // One write always fits.
    let huge = "x".repeat(ONE_LANE.queue_bytes + 1);
    let first = bench.put(group("g", &half));
    bench.held.begun(1).await;
    let second = bench.put(group("h", &huge));
    taken_in(1).await;
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()) && is_stored(&second.await.unwrap()));
}

/// Whether a scrape now says that so many cells wait for reads by name, and so many such statements are under way.
#[track_caller]
fn scraped(bench: &Bench, waiting: usize, lanes: usize) {
    bench.coalescing.observe();
    let text = bench.metrics.render().unwrap();
    let labels = "{cluster=\"c\",queue=\"get\"}";
    for line in [format!("cellgate_queue_cells{labels} {waiting}"), format!("cellgate_queue_lanes{labels} {lanes}")] {
        assert!(text.lines().any(|l| l == line), "no line {line} in {text}");
    }
}

#[tokio::test]
async fn a_scrape_says_what_waits_now_though_nobody_has_asked_for_anything_since() {
    let bench = Bench::with_patience(ONE_LANE, Duration::from_millis(500)).await;
    let stuck = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    scraped(&bench, 0, 1);
    let late = [bench.get(1, &["b", "c"]), bench.get(1, &["d"])];
    bench.waiting(3, 0).await;
    scraped(&bench, 3, 1);
    for late in late {
        assert!(late.await.unwrap().is_err(), "nobody lets the statement go on");
    }
    scraped(&bench, 0, 1);
    bench.go(1);
    stuck.await.unwrap().unwrap();
    scraped(&bench, 0, 0);
}

#[tokio::test]
async fn what_runs_beside_the_lanes_leaves_connections_for_them_and_waits_as_long_as_others() {
    let bench = Bench::with_patience(ONE_LANE, Duration::from_millis(500)).await;
    let long = ["a", "b", "c", "d", "e"];
    // Of 16 connections each kind of read has one, writes have two, and large ones one.
    let beside: Vec<_> = (0..11).map(|_| bench.get(1, &long)).collect();
    bench.held.begun(11).await;
    let refused = tokio::time::timeout(Duration::from_secs(20), bench.get(1, &long)).await.expect("it is told");
    let error = refused.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Queue, .. }), "{error:?}");
    let short = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    bench.go(12);
    short.await.unwrap().unwrap();
    for read in beside {
        read.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn no_read_waits_for_tables_that_are_made_and_removed() {
    let bench = Bench::with_patience(ONE_LANE, Duration::from_millis(500)).await;
    let drops: Vec<_> = (2..41)
        .map(|number| {
            let coalescing = Arc::clone(&bench.coalescing);
            tokio::spawn(async move { coalescing.drop_table(&table(number)).await })
        })
        .collect();
    // A quarter of the eleven connections beside the lanes.
    bench.held.begun(3).await;
    let long = bench.get(1, &["a", "b", "c", "d", "e"]);
    bench.held.begun(1).await;
    assert_eq!(bench.held.calls().iter().filter(|call| **call == Call::DropTable).count(), 3);
    bench.go(40);
    assert!(long.await.unwrap().is_ok_and(|cells| cells.iter().all(Option::is_none)));
    for dropped in drops {
        dropped.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn reads_have_a_connection_beside_writes_and_tables_in_any_pool() {
    let bench = Bench::new(ONE_LANE).await;
    let of_cluster = bench.metrics.cluster_named("c").unwrap();
    for (lanes, connections) in [(4, 16), (4, 13), (2, 13), (1, 6), (1, 64)] {
        let options = CoalesceOptions { lanes, ..CoalesceOptions::default() };
        let held = Arc::clone(&bench.held) as _;
        let queues = Coalescing::new(held, options, connections, Timeouts::default(), &of_cluster);
        let [all, writes, tables] = queues.beside.free();
        assert!(writes >= 1 && tables >= 1);
        assert!(all < 3 || writes + tables < all, "{writes} and {tables} of {all} in a pool of {connections}");
    }
}

#[tokio::test]
async fn no_read_waits_for_writes_that_wait_for_the_log_head() {
    // As many connections as a pool must have for this at least, and as many as it has as a rule.
    for connections in [4, 16] {
        let bench = Bench::new(ONE_LANE).await;
        let (held, timeouts) = (Arc::clone(&bench.held), Timeouts::default());
        let of_cluster = bench.metrics.cluster_named("c").unwrap();
        let coalescing = Arc::new(Coalescing::new(held as _, ONE_LANE, connections, timeouts, &of_cluster));
        let bench = Bench { coalescing, ..bench };
        // Of two tables: on no lane.
        let writes: Vec<_> = (0..20)
            .map(|n| {
                let mut groups = [group(&format!("{n}"), "1"), group(&format!("{n}"), "1")];
                groups[1].cells[0].table = table(2);
                let coalescing = Arc::clone(&bench.coalescing);
                tokio::spawn(async move { coalescing.put(EPOCH, &groups).await })
            })
            .collect();
        let at_once = bench.coalescing.beside.free()[1];
        bench.held.begun(u32::try_from(at_once).unwrap()).await;
        let long = bench.get(1, &["a", "b", "c", "d", "e"]);
        let begun = tokio::time::timeout(Duration::from_secs(20), bench.held.begun(1));
        begun.await.expect("it does not wait for the writes");
        assert_eq!(bench.held.calls().len(), at_once + 1, "{connections} connections");
        bench.go(21);
        long.await.unwrap().unwrap();
        for write in writes {
            write.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = (0..4).map(|_| bench.get(1, &["a", "b", "c", "d"])).collect();
    bench.waiting(16, 0).await;
    let refused = bench.get(1, &["a"]).await.unwrap().unwrap_err();
    assert!(matches!(refused, StoreError::Overloaded { waiting: 16, bytes: 0 }), "{refused:?}");
    let text = bench.metrics.render().unwrap();
    let counted = "cellgate_queue_refused_total{cluster=\"c\",queue=\"get\"} 1";
    assert!(text.lines().any(|line| line == counted), "no line {counted} in {text}");
    bench.go(3);
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn who_waits_longer_than_the_limit_is_told_so_though_the_lane_hangs() {
    let bench = Bench::with_patience(ONE_LANE, Duration::from_millis(500)).await;
    let stuck = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let waiting = bench.get(1, &["b"]);
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Queue, .. }), "{error:?}");
    bench.go(2);
    stuck.await.unwrap().unwrap();
    // The lane is free again.
    bench.get(1, &["c"]).await.unwrap().unwrap();
    assert_eq!(bench.held.calls(), gets(&[1, 1]));
}

#[tokio::test]
async fn a_limit_on_waiting_is_counted_from_the_arrival_however_many_statements_go_before() {
    // Long, so that a busy machine is in time for the tenths.
    let patience = Duration::from_secs(5);
    let bench = Bench::with_patience(ONE_LANE, patience).await;
    let began = tokio::time::Instant::now();
    let until = async |parts: u32| {
        let nothing = std::future::pending::<()>();
        tokio::time::timeout_at(began + patience * parts / 10, nothing).await.unwrap_err();
    };
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = (0..2).map(|_| bench.get(1, &["b", "c", "d", "e"])).collect();
    let last = bench.get(1, &["f"]);
    bench.waiting(9, 0).await;
    // Two statements, each shorter than the limit.
    until(6).await;
    bench.go(1);
    first.await.unwrap().unwrap();
    bench.held.begun(1).await;
    until(12).await;
    bench.go(2);
    let error = last.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Queue, .. }), "{error:?}");
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[1, 8]), "nothing is sent for who was told");
}
