//! Which sessions are used again, and how long anybody waits for one.

use super::*;

#[tokio::test]
async fn no_session_that_was_idle_when_another_was_lost_is_used_again() {
    let bench = Bench::new(Timeouts::default());
    let (used, idle) = (bench.core.sessions.lease().await.unwrap(), bench.core.sessions.lease().await.unwrap());
    idle.give_back();
    used.give_back();
    bench.script.inserts.are([Err(lost()), Ok(places(1..2))]);
    bench.script.cells.are([Ok((Vec::new(), false))]);
    bench.put(&[group(9, 1..2)]).await.unwrap();
    assert_eq!(bench.script.asked()[2..], [Asked::Cells(3), Asked::Insert(3, 1)]);
}

#[tokio::test]
async fn a_session_with_an_answer_that_was_not_read_to_its_end_is_not_used_again() {
    let bench = Bench::new(Timeouts::default());
    bench.script.cells.are([Ok((vec![row(9, 1)], true)), Ok((vec![row(9, 1)], true)), Ok((Vec::new(), false))]);
    let error = bench.get().await.unwrap_err();
    assert!(matches!(error, StoreError::AnswerTooLarge { .. }), "{error:?}");
    let query = |_| std::iter::once(Query { text: "SELECT 1".to_owned(), params: Vec::new() });
    assert!(bench.core.page(Operation::Rows, &table(), query, 10, 1).await.unwrap().more);
    bench.get().await.unwrap();
    assert_eq!(bench.script.asked(), [Asked::Cells(1), Asked::Cells(2), Asked::Cells(3)]);
}

#[tokio::test(start_paused = true)]
async fn while_the_server_takes_no_more_connections_one_that_is_given_back_is_waited_for() {
    let bench = Bench::new(Timeouts::default());
    let sessions = &bench.core.sessions;
    let used = sessions.lease().await.unwrap();
    bench.script.is_full.store(true, Ordering::SeqCst);
    let given_back = async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        used.give_back();
    };
    let (lease, ()) = tokio::join!(sessions.lease(), given_back);
    let used = lease.unwrap();
    let error = sessions.lease().await.err().expect("nothing is given back");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    // Where none is in use none is waited for.
    drop(used);
    let began = tokio::time::Instant::now();
    assert!(sessions.lease().await.is_err());
    assert_eq!(began.elapsed(), Duration::ZERO);
}

/// The pool with so many sessions in use, of a server that takes no more.
async fn full(bench: &Bench, used: usize) -> Vec<Lease<FakeDriver>> {
    let mut leases = Vec::new();
    for _ in 0..used {
        leases.push(bench.core.sessions.lease().await.unwrap());
    }
    bench.script.is_full.store(true, Ordering::SeqCst);
    leases
}

#[tokio::test(start_paused = true)]
async fn for_a_place_and_for_a_server_that_is_full_there_is_one_time_together() {
    let bench = Bench::new(Timeouts::default());
    let (sessions, queue) = (&bench.core.sessions, bench.core.timeouts.queue);
    let mut used = full(&bench, ServerOptions::POOL_SIZE).await;
    let began = tokio::time::Instant::now();
    let place = async {
        tokio::time::sleep(queue * 4 / 5).await;
        drop(used.pop());
    };
    let (lease, ()) = tokio::join!(sessions.lease(), place);
    let error = lease.err().expect("nothing is given back");
    assert!(matches!(error, StoreError::Unavailable { reason: Reason::Queue, .. }), "{error}");
    let took = began.elapsed();
    assert!(took >= queue && took < queue * 6 / 5, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_full_is_told_of_though_the_pool_is_meanwhile() {
    let bench = Bench::new(Timeouts::default());
    let sessions = &bench.core.sessions;
    let _used = full(&bench, ServerOptions::POOL_SIZE - 1).await;
    let last = async {
        // Behind the first attempt.
        tokio::time::sleep(Duration::from_millis(1)).await;
        bench.script.is_full.store(false, Ordering::SeqCst);
        sessions.lease().await
    };
    let (lease, last) = tokio::join!(sessions.lease(), last);
    assert!(last.is_ok());
    let error = lease.err().expect("every session is in use");
    assert!(matches!(error, StoreError::Unavailable { reason: Reason::Queue, .. }), "{error}");
}

#[tokio::test]
async fn a_lease_that_is_not_given_back_ends_its_session() {
    let bench = Bench::new(Timeouts::default());
    drop(bench.core.sessions.lease().await.unwrap());
    assert_eq!(bench.core.sessions.state().size, 0);
    bench.core.sessions.lease().await.unwrap().give_back();
    assert_eq!(bench.core.sessions.state().size, 1);
}

#[tokio::test]
async fn a_read_that_was_given_up_keeps_its_place_until_the_server_has_ended_it() {
    let bench = Bench::new(Timeouts::default());
    bench.script.hangs.store(true, Ordering::SeqCst);
    bench.script.ends.are([Ok(false), Err(lost()), Ok(true)]);
    tokio::time::timeout(Duration::from_millis(10), bench.get()).await.expect_err("it is not answered");
    assert_eq!(bench.core.sessions.state().size, 1);
    wait_until(|| bench.core.sessions.state().size == 0, Duration::from_secs(30)).await;
    assert_eq!(bench.core.sessions.state().size, 0);
    assert_eq!(bench.script.asked(), [Asked::Cells(1), Asked::End(1), Asked::End(1), Asked::End(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_session_for_which_the_server_waits_is_lost_and_one_for_which_it_is_at_work_is_not() {
    let bench = Bench::new(Timeouts::default());
    bench.script.hangs.store(true, Ordering::SeqCst);
    // At work, not to be asked, idle for less than the answer is waited for; and then for longer.
    let idle = |seconds| Ok(Some(Duration::from_secs(seconds)));
    bench.script.idles.are([Ok(None), Err(lost()), idle(2), idle(3), idle(4)]);
    let error = bench.get().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { reason: Reason::Statement, .. }), "{error:?}");
    let idles = bench.script.asked().iter().filter(|asked| matches!(asked, Asked::Idle(_))).count();
    assert_eq!(idles, 5, "four of the first attempt, one of the second");
    // As long as a statement may take.
    let error = bench.get().await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Statement, .. }), "{error:?}");
}

#[tokio::test]
async fn a_session_of_another_start_than_the_last_one_is_not_used_again() {
    let bench = Bench::new(Timeouts::default());
    let start = |n| *lock(&bench.script.start) = Some(Start(n));
    start(1);
    let (old, busy) = (bench.core.sessions.lease().await.unwrap(), bench.core.sessions.lease().await.unwrap());
    old.give_back();
    bench.core.sessions.forget_idle();
    start(2);
    let new = bench.core.sessions.lease().await.unwrap();
    // It was at work meanwhile.
    busy.give_back();
    let mut next = bench.core.sessions.lease().await.unwrap();
    assert_eq!((next.session().unwrap().mark().number, *lock(&bench.script.opened)), (4, 4));
    next.give_back();
    drop(new);
    let mut again = bench.core.sessions.lease().await.unwrap();
    assert_eq!(again.session().unwrap().mark().number, 4);
}

/// Four idle sessions that do not answer any more.
async fn with_idle_sessions_that_hang() -> Bench {
    let bench = Bench::new(Timeouts { connect: Duration::from_millis(1500), ..SHORT });
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(bench.core.sessions.lease().await.unwrap());
    }
    leases.into_iter().for_each(Lease::give_back);
    bench.script.idle_hang.store(true, Ordering::SeqCst);
    bench
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_one_within_the_time_for_connecting() {
    let bench = with_idle_sessions_that_hang().await;
    bench.script.opens_none.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let began = tokio::time::Instant::now();
        let error = bench.core.sessions.lease().await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable { reason: Reason::Connect, .. }), "{error}");
        assert!(error.to_string().contains("timeouts.connect"), "{error}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(1400) && took < Duration::from_millis(5600), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn idle_sessions_that_were_lost_unnoticed_are_replaced_within_that_time() {
    let bench = with_idle_sessions_that_hang().await;
    bench.core.sessions.lease().await.unwrap().give_back();
    assert_eq!(*lock(&bench.script.opened), 5);
}

#[tokio::test]
async fn a_server_is_asked_for_a_sign_of_life_though_every_session_is_in_use() {
    let bench = Bench::new(Timeouts { connect: Duration::from_millis(100), ..SHORT });
    let mut leases = Vec::new();
    for _ in 0..ServerOptions::POOL_SIZE {
        leases.push(bench.core.sessions.lease().await.unwrap());
    }
    bench.script.runs.are([Ok(())]);
    bench.core.ping().await.unwrap();
    let beside = ServerOptions::POOL_SIZE as i64 + 1;
    assert_eq!(bench.script.asked(), [Asked::Run(beside, "SELECT 1".to_owned())]);
    // One that answers nobody is found to be down.
    bench.script.runs.are([Err(lost())]);
    let error = bench.core.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    bench.script.opens_none.store(true, Ordering::SeqCst);
    let error = bench.core.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
}
