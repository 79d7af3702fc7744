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
