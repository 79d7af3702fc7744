//! Locks of several proxies: leases, and a meta store that is away.

use super::*;

#[tokio::test]
async fn proxies_of_one_deployment_see_each_others_locks() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    // The ids of connections are a proxy's own.
    assert!(take(&one, 1, name("a"), Mode::Write, now()).await);
    assert!(!take(&two, 1, name("a"), Mode::Write, now()).await);
    let key = name("a");
    let (released, took) = tokio::join!(one.release(1, &key), take(&two, 1, name("a"), Mode::Write, soon()));
    assert_eq!((released.unwrap(), took), (Released::Yes, true));
    assert!(take(&one, 1, table("t"), Mode::Write, now()).await);
    assert!(!take(&two, 2, table("t"), Mode::Read, now()).await);
    two.settle().await.unwrap();
    assert!(enter(&two, 2, &table("t"), Mode::Read).await.is_none(), "it has looked");
    one.ended(1);
    one.settle().await.unwrap();
    two.settle().await.unwrap();
    assert!(enter(&two, 2, &table("t"), Mode::Read).await.is_some());
}

#[tokio::test]
async fn one_hold_that_is_given_back_is_told_at_once_where_it_was_the_last() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    for _ in 0..2 {
        assert!(take(&one, 1, name("a"), Mode::Write, now()).await);
    }
    one.give_back_one(1, &name("a"));
    one.settle().await.unwrap();
    assert!(!take(&two, 1, name("a"), Mode::Write, now()).await, "it is held once more");
    one.give_back_one(1, &name("a"));
    assert!(take(&two, 1, name("a"), Mode::Write, soon()).await, "nobody else asks for a turn");
}

#[tokio::test]
async fn locks_of_a_proxy_that_is_gone_end_with_its_lease_and_it_learns_of_it() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    assert!(take(&one, 1, name("a"), Mode::Write, now()).await);
    meta.inner.advance(LEASE);
    assert!(!take(&two, 1, name("a"), Mode::Write, now()).await, "not before it has ended");
    meta.inner.advance(Duration::from_micros(1));
    assert!(take(&two, 1, name("a"), Mode::Write, now()).await);
    assert_eq!(one.losses(), 0);
    one.settle().await.unwrap();
    assert_eq!(one.losses(), 1);
    assert_eq!(one.release(1, &name("a")).await.unwrap(), Released::NotYours);
}

#[tokio::test]
async fn a_renewed_lease_goes_on() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    assert!(take(&one, 1, name("a"), Mode::Write, now()).await);
    for _ in 1..5 {
        meta.inner.advance(LEASE / 2);
        one.settle().await.unwrap();
        assert!(!take(&two, 1, name("a"), Mode::Write, now()).await);
    }
    assert_eq!(one.losses(), 0);
}

#[tokio::test]
async fn what_an_ended_session_held_is_free_as_soon_as_the_meta_store_can_be_told() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    assert!(take(&one, 1, table("t"), Mode::Write, now()).await);
    assert!(take(&one, 2, name("a"), Mode::Write, now()).await);
    meta.inner.set_down(true);
    one.ended(1);
    assert!(one.settle().await.is_err());
    meta.inner.set_down(false);
    assert!(!take(&two, 1, table("t"), Mode::Write, now()).await, "it could not be told");
    one.settle().await.unwrap();
    assert!(take(&two, 1, table("t"), Mode::Write, now()).await);
    assert!(!take(&two, 1, name("a"), Mode::Write, now()).await, "the other session's");
    assert_eq!(one.losses(), 0);
}

#[tokio::test]
async fn the_background_task_tells_the_meta_store_of_ended_sessions_and_at_its_own_end() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    for stops in [false, true] {
        assert!(take(&one, 1, table("t"), Mode::Write, now()).await);
        let (stop, stopped) = watch::channel(stops);
        one.ended(1);
        let running = tokio::spawn({
            let one = Arc::clone(&one);
            async move { one.run(Duration::from_secs(60), stopped).await }
        });
        assert!(take(&two, 1, table("t"), Mode::Write, soon()).await);
        two.ended(1);
        two.settle().await.unwrap();
        stop.send_replace(true);
        running.await.unwrap();
    }
}

#[tokio::test]
async fn a_lock_that_is_let_go_of_while_the_meta_store_is_away_is_not_held_on_to() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    assert!(take(&one, 1, table("t"), Mode::Write, now()).await);
    assert!(take(&one, 1, name("a"), Mode::Write, now()).await);
    meta.inner.set_down(true);
    assert!(one.release_all(1, Which::Tables).await.is_err());
    assert!(one.release(1, &name("a")).await.is_err());
    meta.inner.set_down(false);
    assert_eq!(one.release_all(1, Which::Tables).await.unwrap(), 0);
    one.settle().await.unwrap();
    let both = [(table("t"), Mode::Write), (name("a"), Mode::Write)];
    assert!(two.acquire(1, &both, now()).await.unwrap().is_some());
    assert_eq!(one.losses(), 0, "what is let go of is not lost");
}

#[tokio::test]
async fn a_loss_is_noticed_by_a_change_that_comes_before_the_next_look() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    assert!(take(&one, 1, name("a"), Mode::Write, now()).await);
    meta.inner.advance(LEASE + Duration::from_micros(1));
    assert!(take(&two, 1, name("a"), Mode::Write, now()).await);
    assert!(take(&one, 2, name("b"), Mode::Write, now()).await);
    assert_eq!(one.losses(), 1);
    one.settle().await.unwrap();
    assert_eq!(one.losses(), 1, "it is counted once");
}

#[tokio::test]
async fn locks_are_given_up_at_the_end_of_a_lease_that_could_not_be_renewed() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    let before = Instant::now();
    assert!(take(&one, 1, table("t"), Mode::Write, now()).await);
    meta.inner.set_down(true);
    assert!(one.settle().await.is_err());
    one.give_up_expired(before + LEASE - Duration::from_millis(1));
    assert_eq!((one.holds(1), one.losses()), (true, 0));
    one.give_up_expired(now() + LEASE);
    assert_eq!((one.holds(1), one.losses()), (false, 1), "nobody else is asked whether it is lost");
    meta.inner.set_down(false);
    one.settle().await.unwrap();
    assert!(take(&two, 1, table("t"), Mode::Write, now()).await);
    assert_eq!(one.losses(), 1, "it is counted once");
}

#[tokio::test]
async fn a_meta_store_that_does_not_answer_does_not_keep_the_end_of_a_lease_from_being_noticed() {
    let meta = Arc::new(Meta::default());
    let (one, _) = two_proxies(&meta);
    assert!(take(&one, 1, table("t"), Mode::Write, now()).await);
    assert!(take(&one, 2, table("u"), Mode::Write, now()).await);
    // What is owed makes it look at once, and it never hears of what it wrote.
    one.ended(2);
    meta.hangs.store(true, Ordering::SeqCst);
    *lock(&one.valid) = now() + Duration::from_millis(20);
    let (_stop, stopped) = watch::channel(false);
    tokio::select! {
        () = one.run(Duration::from_secs(60), stopped) => panic!("nobody stopped it"),
        () = async {
            while one.losses() == 0 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert!(!one.holds(1));
}
