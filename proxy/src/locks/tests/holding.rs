//! Who holds what: sessions of one proxy, names, tables and writes.

use super::*;

#[tokio::test]
async fn a_name_is_held_by_one_session_as_often_as_it_took_it() {
    for locks in [Locks::alone(), Locks::shared(Arc::new(Meta::default()), "p".to_owned())] {
        assert!(take(&locks, 1, name("a"), Mode::Write, now()).await);
        assert!(take(&locks, 1, name("a"), Mode::Write, now()).await, "again");
        assert!(!take(&locks, 2, name("a"), Mode::Write, now()).await);
        assert_eq!(locks.holder(&name("a")).await.unwrap(), Some(1));
        assert_eq!(locks.release(2, &name("a")).await.unwrap(), Released::NotYours);
        assert_eq!(locks.release(1, &name("a")).await.unwrap(), Released::Yes);
        assert!(!take(&locks, 2, name("a"), Mode::Write, now()).await, "it is held once more");
        assert_eq!(locks.release(1, &name("a")).await.unwrap(), Released::Yes);
        assert_eq!(locks.release(1, &name("a")).await.unwrap(), Released::Nobody);
        assert!(take(&locks, 2, name("a"), Mode::Write, now()).await);
        assert!(take(&locks, 2, name("b"), Mode::Write, now()).await);
        assert_eq!(locks.release_all(2, Which::All).await.unwrap(), 2);
        assert_eq!(locks.holder(&name("a")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn who_waits_asks_a_few_times_per_second() {
    let meta = Arc::new(Meta::default());
    let (one, two) = two_proxies(&meta);
    assert!(take(&one, 1, name("a"), Mode::Write, now()).await);
    let before = meta.inner.loads();
    let until = Instant::now() + 4 * ASK_AGAIN;
    let waiters = [&one, &two].map(|locks| {
        let locks = Arc::clone(locks);
        tokio::spawn(async move { take(&locks, 2, name("a"), Mode::Write, until).await })
    });
    for waiter in waiters {
        assert!(!waiter.await.unwrap(), "it is held all the time");
    }
    let asked = meta.inner.loads() - before;
    assert!(asked <= 20, "{asked}");
}

#[tokio::test]
async fn who_waits_gets_the_lock_when_it_is_let_go_of_or_its_holder_ends() {
    let locks = Locks::alone();
    assert!(take(&locks, 1, name("a"), Mode::Write, now()).await);
    let waiting = tokio::spawn({
        let locks = Arc::clone(&locks);
        async move { take(&locks, 2, name("a"), Mode::Write, soon()).await }
    });
    tokio::task::yield_now().await;
    locks.ended(1);
    assert!(waiting.await.unwrap());
    assert_eq!(locks.holder(&name("a")).await.unwrap(), Some(2));
}

#[tokio::test]
async fn readers_share_a_table_and_a_writer_has_it_alone() {
    let locks = Locks::alone();
    assert!(locks.is_open());
    assert!(take(&locks, 1, table("t"), Mode::Read, now()).await);
    assert!(take(&locks, 2, table("t"), Mode::Read, now()).await);
    assert!(!take(&locks, 3, table("t"), Mode::Write, now()).await);
    assert!(!locks.is_open());
    assert!(enter(&locks, 3, &table("t"), Mode::Read).await.is_some());
    assert!(enter(&locks, 3, &table("t"), Mode::Write).await.is_none());
    assert!(enter(&locks, 3, &table("u"), Mode::Write).await.is_some(), "another table");
    locks.ended(1);
    locks.ended(2);
    assert!(take(&locks, 3, table("t"), Mode::Write, now()).await);
    assert!(enter(&locks, 1, &table("t"), Mode::Read).await.is_none());
    assert!(enter(&locks, 3, &table("t"), Mode::Write).await.is_some(), "its own");
    locks.ended(3);
    assert!(take(&locks, 1, Key::Tables, Mode::Read, now()).await);
    assert!(enter(&locks, 2, &table("any"), Mode::Write).await.is_none());
    assert!(!take(&locks, 2, table("t"), Mode::Write, now()).await);
    assert!(enter(&locks, 2, &table("any"), Mode::Read).await.is_some());
}

#[tokio::test]
async fn who_lets_go_of_tables_keeps_the_lock_on_everything() {
    let locks = Locks::alone();
    assert!(take(&locks, 1, Key::Tables, Mode::Read, now()).await);
    assert!(take(&locks, 1, table("t"), Mode::Read, now()).await);
    assert!(take(&locks, 1, name("n"), Mode::Write, now()).await);
    assert_eq!(locks.release_all(1, Which::Tables).await.unwrap(), 1);
    for key in [table("t"), Key::Database("d".to_owned()), Key::Accounts] {
        assert!(enter(&locks, 2, &key, Mode::Write).await.is_none(), "{key:?}");
    }
    assert_eq!(locks.release_all(1, Which::AllTables).await.unwrap(), 1);
    let entered = enter(&locks, 2, &Key::Accounts, Mode::Write).await;
    assert!(entered.is_some());
    // A statement about accounts is in the way of who locks everything, and of nobody else.
    assert!(!take(&locks, 1, Key::Tables, Mode::Read, now()).await);
    assert!(take(&locks, 1, table("t"), Mode::Write, now()).await);
    assert!(enter(&locks, 2, &Key::Accounts, Mode::Write).await.is_some());
    assert_eq!(locks.holder(&name("n")).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_lock_says_whether_it_was_waited_for() {
    let locks = Locks::alone();
    let wanted = [(table("t"), Mode::Read)];
    let waited = async |until| locks.acquire(1, &wanted, until).await.unwrap().map(|acquired| acquired.waited);
    assert_eq!(waited(now()).await, Some(false));
    locks.ended(1);
    // For another session's lock, and for its write.
    assert!(take(&locks, 2, table("t"), Mode::Write, now()).await);
    let (first, _) = tokio::join!(waited(soon()), async { locks.ended(2) });
    assert_eq!(first, Some(true));
    locks.ended(1);
    let entered = enter(&locks, 2, &table("t"), Mode::Write).await;
    let (second, ()) = tokio::join!(waited(soon()), async { drop(entered) });
    assert_eq!(second, Some(true));
}

#[tokio::test]
async fn several_tables_are_locked_together_or_not_at_all() {
    let locks = Locks::alone();
    assert!(take(&locks, 1, table("b"), Mode::Write, now()).await);
    let both = [(table("a"), Mode::Write), (table("b"), Mode::Write)];
    assert_eq!(locks.acquire(2, &both, now()).await.unwrap(), None);
    assert!(take(&locks, 3, table("a"), Mode::Write, now()).await, "nothing of it was taken");
}

#[tokio::test]
async fn a_statement_that_waits_for_one_table_keeps_nobody_from_another() {
    let locks = Locks::alone();
    assert!(take(&locks, 1, table("b"), Mode::Read, now()).await);
    let both = [(table("a"), Mode::Write), (table("b"), Mode::Write)];
    let mut waiting = std::pin::pin!(locks.enter(2, &both, &[], soon()));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("one of them is locked"),
        () = tokio::task::yield_now() => {}
    }
    assert!(take(&locks, 1, table("a"), Mode::Read, now()).await, "nobody writes it");
    locks.ended(1);
    assert_eq!(waiting.await.unwrap().0.len(), 2);
}

#[tokio::test]
async fn a_lock_waits_for_the_writes_that_were_let_in_before() {
    let locks = Locks::alone();
    let write = enter(&locks, 1, &table("t"), Mode::Write).await.unwrap();
    assert!(!take(&locks, 2, table("t"), Mode::Read, now()).await);
    assert!(locks.is_open(), "what could not be had is not held");
    let quick = Locks::quick_write(&locks);
    drop(write);
    let waiting = tokio::spawn({
        let locks = Arc::clone(&locks);
        async move { take(&locks, 2, table("t"), Mode::Read, soon()).await }
    });
    while locks.is_open() {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    drop(quick);
    assert!(waiting.await.unwrap());
}

#[tokio::test]
async fn a_database_is_used_with_all_its_tables() {
    let locks = Locks::alone();
    let (mine, other) = (Key::Database("d".to_owned()), Key::Database("e".to_owned()));
    for key in [table("t"), Key::Tables] {
        assert!(take(&locks, 1, key.clone(), Mode::Read, now()).await);
        assert!(enter(&locks, 2, &mine, Mode::Write).await.is_none());
        assert_eq!(enter(&locks, 2, &other, Mode::Write).await.is_some(), key != Key::Tables);
        locks.ended(1);
        let dropping = enter(&locks, 2, &mine, Mode::Write).await.unwrap();
        assert!(!take(&locks, 1, key.clone(), Mode::Read, now()).await);
        drop(dropping);
    }
}

#[tokio::test]
async fn names_are_bounded_for_a_session_and_altogether() {
    let meta = Arc::default();
    let (one, two) = two_proxies(&meta);
    // Many names at once, as no statement can take them.
    let names = |connection: u32, count: usize| -> Vec<(Key, Mode)> {
        (0..count).map(|n| (name(&format!("{connection} {n}")), Mode::Write)).collect()
    };
    assert!(one.acquire(1, &names(1, SESSION_NAMES), now()).await.unwrap().is_some());
    let refused = one.acquire(1, &[(name("one more"), Mode::Write)], now()).await;
    assert!(matches!(refused, Err(LockError::Names { limit: SESSION_NAMES, .. })), "{refused:?}");
    // What it has it may take again, and others their own; so may it, once it lets go of one.
    assert!(take(&one, 1, name("1 0"), Mode::Write, now()).await);
    assert!(take(&one, 2, name("one more"), Mode::Write, now()).await);
    assert_eq!(one.release(1, &name("1 1")).await.unwrap(), Released::Yes);
    assert!(take(&one, 1, name("another"), Mode::Write, now()).await);
    // Nor may a user take the names of all, with many sessions and at several proxies.
    for connection in 20..25 {
        one.of_account(connection, "hog");
        assert!(one.acquire(connection, &names(connection, SESSION_NAMES), now()).await.unwrap().is_some());
    }
    two.of_account(20, "hog");
    two.settle().await.unwrap();
    let refused = two.acquire(20, &[(name("one more of its"), Mode::Write)], now()).await;
    assert!(matches!(refused, Err(LockError::Names { limit: ACCOUNT_NAMES, .. })), "{refused:?}");
    assert!(take(&two, 21, name("one of another's"), Mode::Write, now()).await);
    // All proxies' names count together; tables are not names.
    for connection in 3..12 {
        let free = NAMES - one.read(|known| known.names());
        if free == 0 {
            break;
        }
        assert!(one.acquire(connection, &names(connection, free.min(SESSION_NAMES)), now()).await.unwrap().is_some());
    }
    two.settle().await.unwrap();
    let refused = two.acquire(1, &[(name("the last"), Mode::Write)], now()).await;
    assert!(matches!(refused, Err(LockError::Names { limit: NAMES, .. })), "{refused:?}");
    assert!(take(&two, 1, table("t"), Mode::Write, now()).await);
}
