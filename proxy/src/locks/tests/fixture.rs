//! A meta store that can keep its answers to itself, proxies over it, and how sessions ask for locks.

use super::*;

pub(super) fn name(name: &str) -> Key {
    Key::Name(name.to_owned())
}

pub(super) fn table(name: &str) -> Key {
    Key::Table("d".to_owned(), name.to_owned())
}

pub(super) fn soon() -> Instant {
    now() + Duration::from_secs(60)
}

/// A meta store that can keep its answers to itself.
#[derive(Debug)]
pub(super) struct Meta {
    pub(super) inner: MemoryMeta,
    /// It writes and does not answer.
    pub(super) hangs: AtomicBool,
    hung: Notify,
    /// It may answer.
    resumed: Notify,
    /// How it does then.
    pub(super) forgets: AtomicBool,
    /// How long each of its answers takes.
    pub(super) delay: Duration,
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
    pub(super) fn slow(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Does a part of some work: until its change is written and not yet answered. The answer comes behind it.
    pub(super) async fn cut_off<T>(&self, work: impl Future<Output = T>) {
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

pub(super) fn two_proxies(meta: &Arc<Meta>) -> (Arc<Locks>, Arc<Locks>) {
    let proxy = |name: &str| Locks::shared(meta.clone(), name.to_owned());
    (proxy("one"), proxy("two"))
}

pub(super) async fn take(locks: &Locks, connection: u32, key: Key, mode: Mode, until: Instant) -> bool {
    locks.acquire(connection, &[(key, mode)], until).await.unwrap().is_some()
}

pub(super) async fn enter(locks: &Arc<Locks>, connection: u32, key: &Key, mode: Mode) -> Option<Vec<Entered>> {
    locks.enter(connection, &[(key.clone(), mode)], &[], now()).await.ok().map(|(entered, _)| entered)
}
