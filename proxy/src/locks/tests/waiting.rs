//! Many sessions that wait, over a meta store that takes its time.

use std::sync::atomic::AtomicUsize;

use tokio::task::JoinSet;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

impl Meta {
    /// Every call takes as long as was said; time is paused in these tests.
    pub(super) async fn takes_its_time(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }
}

fn running(locks: &Arc<Locks>) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = watch::channel(false);
    let locks = Arc::clone(locks);
    (stop, tokio::spawn(async move { locks.run(SECOND, stopped).await }))
}

#[tokio::test(start_paused = true)]
async fn many_that_wait_cost_nobody_its_locks_and_are_answered_in_time() {
    let meta = Arc::new(Meta::slow(Duration::from_millis(20)));
    let (one, two) = two_proxies(&meta);
    let _running = running(&one);
    let many: Vec<_> = (0..900).map(|n| (name(&format!("n{n}")), Mode::Write)).collect();
    assert!(one.acquire(1, &many, soon()).await.unwrap().is_some());
    assert!(take(&two, 1, name("theirs"), Mode::Write, soon()).await);
    let until = now() + 25 * SECOND;
    let mut waiters = JoinSet::new();
    // For what a session of this proxy holds, and for what one of another does.
    for n in 0..250 {
        let key = if n % 2 == 0 { name("n0") } else { name("theirs") };
        let one = Arc::clone(&one);
        waiters.spawn(async move { (take(&one, n + 10, key, Mode::Write, until).await, now()) });
    }
    for second in 1..20 {
        tokio::time::advance(SECOND).await;
        meta.inner.advance(SECOND);
        let asked = now();
        assert_eq!(one.release(1, &name(&format!("n{second}"))).await.unwrap(), Released::Yes);
        assert!(now() < asked + SECOND / 2, "{:?}", now() - asked);
        two.settle().await.unwrap();
    }
    while let Some(waiter) = waiters.join_next().await {
        let (took, at) = waiter.unwrap();
        assert!(!took, "it is held all the time");
        assert!(at < until + SECOND / 2, "{:?} late", at - until);
    }
    assert_eq!((one.losses(), one.holds(1)), (0, true));
    assert!(lock(&one.state).queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_let_go_of_is_told_to_a_meta_store_that_does_not_answer_once_for_all() {
    let meta = Arc::new(Meta::slow(SECOND));
    let (one, _) = two_proxies(&meta);
    for n in 0..6 {
        assert!(take(&one, n, name(&n.to_string()), Mode::Write, soon()).await);
    }
    let asked = now();
    let mut released = JoinSet::new();
    for n in 0..6_u32 {
        let one = Arc::clone(&one);
        released.spawn(async move { one.release(n, &name(&n.to_string())).await });
    }
    while let Some(released) = released.join_next().await {
        assert_eq!(released.unwrap().unwrap(), Released::Yes);
    }
    // One that had begun and one behind it, of two answers each.
    assert!(now() <= asked + 5 * SECOND, "{:?}", now() - asked);
    assert!(one.read(|known| !known.holds_any("one")));
}

#[tokio::test(start_paused = true)]
async fn a_lock_goes_to_who_waits_longest() {
    for locks in [Locks::alone(), Locks::shared(Arc::new(Meta::slow(Duration::from_millis(1))), "p".to_owned())] {
        assert!(take(&locks, 0, name("x"), Mode::Write, soon()).await);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut sessions = JoinSet::new();
        for n in 1..=20 {
            let (locks, order) = (Arc::clone(&locks), Arc::clone(&order));
            sessions.spawn(async move {
                assert!(take(&locks, n, name("x"), Mode::Write, soon()).await);
                lock(&order).push(n);
                tokio::time::sleep(Duration::from_millis(10)).await;
                locks.release(n, &name("x")).await.unwrap();
            });
            tokio::task::yield_now().await;
        }
        locks.release(0, &name("x")).await.unwrap();
        while let Some(session) = sessions.join_next().await {
            session.unwrap();
        }
        assert_eq!(*lock(&order), (1..=20).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn readers_that_always_overlap_do_not_keep_a_writer_out() {
    let locks = Locks::alone();
    assert!(take(&locks, 1, table("t"), Mode::Read, soon()).await);
    let mut writer = std::pin::pin!(take(&locks, 2, table("t"), Mode::Write, soon()));
    let mut reader = std::pin::pin!(take(&locks, 3, table("t"), Mode::Read, soon()));
    tokio::select! {
        biased;
        _ = &mut writer => panic!("it is read"),
        _ = &mut reader => panic!("a writer waits"),
        () = tokio::task::yield_now() => {}
    }
    locks.ended(1);
    assert!(writer.await);
    locks.ended(2);
    assert!(reader.await);
}

#[tokio::test(start_paused = true)]
async fn a_reader_goes_on_once_the_writer_before_it_waits_no_more() {
    for locks in [Locks::alone(), Locks::shared(Arc::new(Meta::slow(Duration::from_millis(1))), "p".to_owned())] {
        assert!(take(&locks, 1, table("t"), Mode::Read, soon()).await);
        let (began, until) = (now(), now() + SECOND);
        let (writer, reader) = tokio::join!(
            take(&locks, 2, table("t"), Mode::Write, until),
            take(&locks, 3, table("t"), Mode::Read, soon())
        );
        assert!(!writer && reader);
        assert!(now() < began + 2 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn what_sessions_of_one_proxy_hand_on_to_each_other_others_get_as_well() {
    for held in [Duration::from_millis(5), Duration::from_millis(700), 2 * SECOND] {
        let meta = Arc::new(Meta::slow(Duration::from_millis(3)));
        let (one, two) = two_proxies(&meta);
        let _running = [running(&one), running(&two)];
        let mut busy = JoinSet::new();
        // There is always one of them that waits.
        for connection in 0..4 {
            let one = Arc::clone(&one);
            busy.spawn(async move {
                loop {
                    assert!(take(&one, connection, name("x"), Mode::Write, now() + 60 * SECOND).await);
                    tokio::time::sleep(held).await;
                    one.release(connection, &name("x")).await.unwrap();
                }
            });
        }
        for _ in 0..3 {
            tokio::time::sleep(SECOND / 10).await;
            let until = now() + 2 * SECOND + 3 * held;
            assert!(take(&two, 1, name("x"), Mode::Write, until).await, "held {held:?}, not let go of for others");
            two.release(1, &name("x")).await.unwrap();
        }
        assert!(busy.try_join_next().is_none(), "none of them has failed");
        busy.abort_all();
    }
}

#[tokio::test(start_paused = true)]
async fn who_holds_a_lock_shares_it_or_does_not_wait_is_not_held_up_for_others() {
    let (one, _) = two_proxies(&Arc::new(Meta::slow(Duration::from_millis(1))));
    // Once more by who has it.
    let soon_taken = async |connection| {
        let asked = now();
        assert!(take(&one, connection, name("x"), Mode::Write, soon()).await);
        assert!(now() < asked + SECOND / 10, "{:?}", now() - asked);
    };
    for _ in 0..5 {
        soon_taken(1).await;
        tokio::time::sleep(SECOND).await;
    }
    // Handed on, held for long, and free.
    let next = tokio::spawn({
        let one = Arc::clone(&one);
        async move { take(&one, 2, name("x"), Mode::Write, now() + 60 * SECOND).await }
    });
    tokio::time::sleep(SECOND).await;
    one.ended(1);
    assert!(next.await.unwrap());
    tokio::time::sleep(2 * SECOND).await;
    soon_taken(2).await;
    one.ended(2);
    assert!(take(&one, 3, name("x"), Mode::Write, now() + SECOND / 5).await, "it is free, and nobody waits");
    // Readers beside each other.
    for connection in 0..5 {
        let asked = now();
        assert!(take(&one, connection, table("t"), Mode::Read, soon()).await);
        assert!(now() < asked + SECOND / 10);
        tokio::time::sleep(SECOND).await;
    }
}

/// However many come and go, and stop waiting at any moment: one holds it at a time, and in the end nobody.
#[tokio::test(start_paused = true)]
async fn sessions_of_two_proxies_that_stop_waiting_at_any_moment_exclude_each_other() {
    let meta = Arc::new(Meta::slow(Duration::from_millis(3)));
    let (one, two) = two_proxies(&meta);
    let (holders, times) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut sessions = JoinSet::new();
    for n in 0..24_u64 {
        let locks = Arc::clone(if n % 2 == 0 { &one } else { &two });
        let (holders, times) = (Arc::clone(&holders), Arc::clone(&times));
        sessions.spawn(async move {
            let connection = u32::try_from(n).unwrap();
            for round in 0..40_u64 {
                // Every length of patience is somebody's, so that it ends at every await.
                let patience = Duration::from_micros((n * 7919 + round * 104_729) % 60_000);
                let wait = take(&locks, connection, name("x"), Mode::Write, soon());
                match tokio::time::timeout(patience, wait).await {
                    Ok(true) => {
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        times.fetch_add(1, Ordering::SeqCst);
                        holders.fetch_sub(1, Ordering::SeqCst);
                        if round % 3 == 0 {
                            locks.ended(connection);
                        } else {
                            locks.release(connection, &name("x")).await.unwrap();
                        }
                    }
                    Ok(false) => panic!("there was time"),
                    Err(_) => assert!(!locks.holds(connection)),
                }
            }
        });
    }
    while let Some(session) = sessions.join_next().await {
        session.unwrap();
    }
    assert!(times.load(Ordering::SeqCst) > 20, "{times:?}");
    for locks in [&one, &two] {
        locks.settle().await.unwrap();
        assert!(lock(&locks.state).queue.is_empty());
        assert_eq!(locks.losses(), 0);
    }
    assert_eq!(one.holder(&name("x")).await.unwrap(), None);
    assert!(take(&two, 1, name("x"), Mode::Write, now()).await, "the document has nothing of it");
}

#[tokio::test]
async fn what_was_given_to_who_had_just_left_is_let_go_of_at_once() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    // It is written, and it stands when the answer comes; but nobody is there to be told.
    meta.cut_off(take(&one, 1, name("a"), Mode::Write, soon())).await;
    assert!(take(&two, 1, name("a"), Mode::Write, soon()).await);
    assert_eq!((one.holds(1), one.losses()), (false, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_ends_while_the_meta_store_hangs_takes_the_locks() {
    let meta = Arc::new(Meta::default());
    let (one, _) = two_proxies(&meta);
    let _running = running(&one);
    assert!(take(&one, 1, name("a"), Mode::Write, soon()).await);
    meta.hangs.store(true, Ordering::SeqCst);
    let began = now();
    let waits = tokio::spawn({
        let one = Arc::clone(&one);
        async move { one.acquire(2, &[(name("a"), Mode::Write)], now() + 5 * SECOND).await }
    });
    meta.inner.advance(SECOND);
    assert_eq!(waits.await.unwrap().unwrap(), None, "a session of this proxy has it");
    assert!(now() < began + 6 * SECOND);
    while one.losses() == 0 {
        tokio::time::sleep(SECOND / 10).await;
    }
    assert!(!one.holds(1));
    assert!(now() <= began + LEASE + SECOND && now() + SECOND > began + LEASE, "{:?}", now() - began);
}
