//! Callers that go away, and ends of the runtime.

use super::*;

#[test]
fn a_runtime_ends_though_a_statement_hangs_and_others_wait() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench::new(ONE_LANE).await;
        let _first = bench.put(group("a", "1"));
        bench.held.begun(1).await;
        let _waiting = bench.put(group("b", "1"));
        bench.waiting(0, 1).await;
    });
    // The lane is dropped, and no task takes it on any more.
    drop(runtime);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_lane_to_those_who_wait() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let (gone, waiting) = (bench.get(1, &["b"]), bench.get(1, &["c"]));
    bench.waiting(2, 0).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    bench.go(1);
    assert_eq!(waiting.await.unwrap().unwrap(), [None]);
    assert!(bench.held.calls().len() == 2, "{:?}", bench.held.calls());
}

#[tokio::test]
async fn a_write_goes_on_though_its_caller_goes_away() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let second = bench.put(group("b", "1"));
    bench.waiting(0, 1).await;
    for gone in [first, second] {
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
    }
    bench.go(3);
    bench.coalescing.close().await;
    let found = bench.held.inner.get(&table(1), &[triple("a"), triple("b")]).await.unwrap();
    assert!(found.iter().all(Option::is_some), "{found:?}");
}

#[tokio::test]
async fn of_two_callers_with_lanes_of_their_own_who_go_away_the_others_get_both() {
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: NEVER, lanes: 2, ..CoalesceOptions::default() }).await;
    let own = [bench.get(1, &["a"]), bench.get(1, &["b"])];
    bench.held.begun(2).await;
    let waiting: Vec<_> = (0..6).map(|n| bench.get(1, &[&format!("{n}")])).collect();
    bench.waiting(6, 0).await;
    for one in own {
        one.abort();
        assert!(one.await.unwrap_err().is_cancelled());
    }
    bench.go(2);
    for one in waiting {
        assert_eq!(one.await.unwrap().unwrap(), [None]);
    }
    tokio::time::timeout(Duration::from_secs(20), bench.coalescing.close()).await.expect("no lane is left over");
    assert_eq!(bench.coalescing.gets.under_way(), 0);
    assert_eq!(bench.held.calls()[..3], gets(&[1, 1, 6]));
}

/// Clients that ask and leave as they like, on several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_stays_gets_its_own_answer_and_nothing_is_left_under_way() {
    const CLIENTS: usize = 32;
    const TURNS: usize = 60;
    for far in [NEVER, Duration::ZERO] {
        let bench = Arc::new(Bench::new(CoalesceOptions { far, ..CoalesceOptions::default() }).await);
        bench.go(1_000_000);
        bench.coalescing.ping().await.unwrap();
        let client = |client: usize| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                for turn in 0..TURNS {
                    let row = format!("{client}-{turn}");
                    let put = bench.put(group(&row, &row));
                    if turn % 5 == client % 5 {
                        // Whether it had been taken in or not.
                        put.abort();
                        continue;
                    }
                    assert!(is_stored(&put.await.unwrap()));
                    let read = bench.get(1, &[&row, "nowhere"]);
                    if turn % 7 == client % 7 {
                        read.abort();
                        continue;
                    }
                    let found = read.await.unwrap().unwrap();
                    let bodies: Vec<_> =
                        found.iter().map(|cell| cell.as_ref().and_then(|cell| cell.body.clone())).collect();
                    assert_eq!(bodies, [Some(Body::from_store(row.into_bytes())), None]);
                }
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        for client in clients {
            client.await.unwrap();
        }
        let coalescing = &bench.coalescing;
        let over = async {
            while !(coalescing.gets.is_idle() && coalescing.puts.is_idle()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), over).await.expect("nothing is left under way");
        assert_eq!((coalescing.gets.under_way(), coalescing.puts.under_way()), (0, 0));
    }
}
