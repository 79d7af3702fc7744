//! Locks between sessions of one proxy and of several, and what becomes of those of a proxy that ended.

use async_trait::async_trait;
use cellgate_store::meta::memory::MemoryMeta;
use cellgate_store::meta::{Document, PassingMeta};
use tokio::sync::watch;

use super::*;

mod waiting;

fn name(name: &str) -> Key {
    Key::Name(name.to_owned())
}

fn table(name: &str) -> Key {
    Key::Table("d".to_owned(), name.to_owned())
}

fn soon() -> Instant {
    now() + Duration::from_secs(60)
}

/// A meta store that can keep its answers to itself.
#[derive(Debug)]
struct Meta {
    inner: MemoryMeta,
    /// It writes and does not answer.
    hangs: AtomicBool,
    hung: Notify,
    /// It may answer.
    resumed: Notify,
    /// How it does then.
    forgets: AtomicBool,
    /// How long each of its answers takes.
    delay: Duration,
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            inner: MemoryMeta::created(),
            hangs: AtomicBool::new(false),
            hung: Notify::new(),
            resumed: Notify::new(),
            forgets: AtomicBool::new(false),
            delay: Duration::ZERO,
        }
    }
}

impl Meta {
    /// One that takes its time.
    fn slow(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Does a part of some work: until its change is written and not yet answered. The answer comes behind it.
    async fn cut_off<T>(&self, work: impl Future<Output = T>) {
        self.hangs.store(true, Ordering::SeqCst);
        tokio::select! {
            _ = work => panic!("it was answered"),
            () = self.hung.notified() => {}
        }
        self.hangs.store(false, Ordering::SeqCst);
        self.resumed.notify_one();
    }
}

#[async_trait]
impl PassingMeta for Meta {
    fn inner(&self) -> &dyn MetaStore {
        &self.inner
    }

    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        self.takes_its_time().await;
        self.inner.load(name).await
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        self.takes_its_time().await;
        let stands = self.inner.compare_and_set(name, expected, body).await?;
        if self.hangs.load(Ordering::SeqCst) {
            self.hung.notify_one();
            self.resumed.notified().await;
            if self.forgets.load(Ordering::SeqCst) {
                return Err(StoreError::MaybeWritten { detail: "the answer is lost".to_owned() });
            }
        }
        Ok(stands)
    }
}

fn two_proxies(meta: &Arc<Meta>) -> (Arc<Locks>, Arc<Locks>) {
    let proxy = |name: &str| Locks::shared(meta.clone(), name.to_owned());
    (proxy("one"), proxy("two"))
}

async fn take(locks: &Locks, connection: u32, key: Key, mode: Mode, until: Instant) -> bool {
    locks.acquire(connection, &[(key, mode)], until).await.unwrap().is_some()
}

async fn enter(locks: &Arc<Locks>, connection: u32, key: &Key, mode: Mode) -> Option<Vec<Entered>> {
    locks.enter(connection, &[(key.clone(), mode)], now()).await.ok().map(|(entered, _)| entered)
}

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
    let (first, ()) = tokio::join!(waited(soon()), async { locks.ended(2) });
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
    let mut waiting = std::pin::pin!(locks.enter(2, &both, soon()));
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
    // All proxies' names count together; tables are not names.
    for connection in 3..12 {
        let free = NAMES - one.read(|known| known.names());
        assert!(one.acquire(connection, &names(connection, free.min(SESSION_NAMES)), now()).await.unwrap().is_some());
    }
    two.settle().await.unwrap();
    let refused = two.acquire(1, &[(name("the last"), Mode::Write)], now()).await;
    assert!(matches!(refused, Err(LockError::Names { limit: NAMES, .. })), "{refused:?}");
    assert!(take(&two, 1, table("t"), Mode::Write, now()).await);
}
