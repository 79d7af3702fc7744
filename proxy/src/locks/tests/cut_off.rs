//! Work on locks that is cut off in the middle.

use super::*;

#[tokio::test]
async fn who_is_cut_off_while_waiting_for_writes_holds_nothing() {
    for locks in [Locks::alone(), Locks::shared(Arc::new(Meta::default()), "p".to_owned())] {
        let write = enter(&locks, 1, &table("t"), Mode::Write).await.unwrap();
        {
            let mut waiting = std::pin::pin!(take(&locks, 2, Key::Tables, Mode::Read, soon()));
            while locks.is_open() {
                tokio::select! {
                    biased;
                    _ = &mut waiting => panic!("a write is under way"),
                    () = tokio::task::yield_now() => {}
                }
            }
        }
        assert!(locks.is_open());
        drop(write);
        assert!(enter(&locks, 1, &table("t"), Mode::Write).await.is_some());
    }
}

#[tokio::test]
async fn what_is_cut_off_while_it_is_written_is_neither_held_for_ever_nor_lost() {
    let meta = Arc::new(Meta::default());
    meta.forgets.store(true, Ordering::SeqCst);
    let (one, two) = two_proxies(&meta);
    meta.cut_off(take(&one, 1, name("a"), Mode::Write, soon())).await;
    assert!(!one.holds(1));
    assert!(!take(&two, 1, name("a"), Mode::Write, now()).await, "the document has it");
    one.ended(1);
    one.settle().await.unwrap();
    assert!(!one.holds(1));
    assert!(take(&two, 1, name("a"), Mode::Write, now()).await);
    assert!(take(&one, 1, name("b"), Mode::Write, now()).await);
    assert!(take(&one, 2, name("c"), Mode::Write, now()).await);
    meta.cut_off(one.release(1, &name("b"))).await;
    one.settle().await.unwrap();
    assert_eq!((one.holds(1), one.holds(2), one.losses()), (false, true, 0));
}

#[tokio::test]
async fn a_second_hold_that_is_cut_off_leaves_the_first() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    assert!(take(&one, 1, name("a"), Mode::Write, now()).await);
    meta.cut_off(take(&one, 1, name("a"), Mode::Write, soon())).await;
    one.settle().await.unwrap();
    assert_eq!(one.losses(), 0);
    assert!(!take(&two, 1, name("a"), Mode::Write, now()).await);
    assert_eq!(one.release(1, &name("a")).await.unwrap(), Released::Yes);
    assert!(take(&two, 1, name("a"), Mode::Write, now()).await);
}
