//! A meta store and two clusters in memory, and the catalogs of as many proxies as a test wants.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cellgate_metrics::Metrics;
use cellgate_router::Weight;
use cellgate_schemaless::TableRef;
use cellgate_store::deployment::{ClusterSetup, Departure, Deployment, FOLLOWER, OpenError, ProxyInfo, Setup};
use cellgate_store::memory::MemoryBackend;
use cellgate_store::meta::memory::MemoryMeta;
use cellgate_store::meta::{Document, MetaStore, PassingMeta};
use cellgate_store::{Backend, Passing, Reason, StoreError};
use tokio::sync::{Notify, Semaphore};

use crate::catalog::document::{CATALOG, decode};
use crate::catalog::{Catalog, Unpublished};

/// How long the proxies of these tests may use an old catalog.
pub const MAX_STALE: Duration = Duration::from_secs(2);

pub struct Stores {
    pub meta: Arc<TrippedMeta>,
    pub backends: Vec<Arc<dyn Backend>>,
}

impl Stores {
    pub fn new() -> Self {
        Self { meta: Arc::default(), backends: (0..2).map(|_| Arc::new(MemoryBackend::new()) as _).collect() }
    }

    /// Puts a relay in front of the second cluster: it can be made to trip over CREATE TABLE.
    pub fn with_relay() -> (Self, Arc<TrippedCluster>) {
        let mut stores = Self::new();
        let relay = TrippedCluster::over(&stores.backends[1]);
        stores.backends[1] = Arc::clone(&relay) as _;
        (stores, relay)
    }

    /// The catalog of one more proxy.
    pub async fn catalog(&self) -> Catalog {
        self.departing(Departure::default()).await
    }

    /// The same, with its way out.
    pub async fn departing(&self, departure: Departure) -> Catalog {
        let deployment = self.deployment(departure).await.unwrap();
        Catalog::open(deployment, Duration::from_secs(1), MAX_STALE).await.unwrap()
    }

    /// One more proxy, or why it does not start.
    pub async fn try_catalog(&self) -> Result<Arc<Deployment>, OpenError> {
        self.deployment(Departure::default()).await
    }

    async fn deployment(&self, departure: Departure) -> Result<Arc<Deployment>, OpenError> {
        let clusters = self.backends.iter().zip(["a", "b", "c", "d"]).map(|(backend, name)| ClusterSetup {
            name: name.to_owned(),
            number: None,
            weight: Weight::new(1.0).unwrap(),
            engine: "memory",
            backend: Arc::clone(backend),
            queues: None,
            exclusive: false,
        });
        let (host, address, version) = ("host".to_owned(), "host:1".to_owned(), "0".to_owned());
        let setup = Setup {
            virtual_shards: Some(16),
            meta: Arc::clone(&self.meta) as _,
            meta_exclusive: false,
            clusters: clusters.collect(),
            proxy: ProxyInfo { host, pid: 1, address, version },
            poll: Duration::from_secs(1),
            cache_bytes: 0,
            first_documents: vec![Catalog::first().unwrap()],
            departure,
        };
        let metrics = Arc::new(Metrics::new("0", &["a", "b", "c", "d"]).unwrap());
        Deployment::open(setup, metrics).await
    }

    /// The catalog as a copy has it, for [`Stores::lose_commits`].
    pub fn copy(&self) -> Vec<Document> {
        self.meta.inner.all(CATALOG)
    }

    /// A copy of the meta store takes over.
    pub fn lose_commits(&self, copy: Vec<Document>) {
        self.meta.inner.restore(copy);
    }

    /// The physical tables that are listed as no tables.
    pub fn unpublished(&self) -> Vec<Unpublished> {
        decode(&self.meta.inner.all(CATALOG)[0].body).unwrap().unpublished
    }
}

/// What happens to a change of the catalog.
#[derive(Clone, Copy, Debug)]
pub enum Trip {
    /// It is not made.
    Fails,
    /// It is made, but the acknowledgement is lost.
    Lost,
    /// It never comes back.
    Hangs,
    /// It is made once [`TrippedMeta::mend`] is called.
    Waits,
}

/// A meta store that trips over one change of the catalog; from then on it is down for that caller and every other change.
#[derive(Debug)]
pub struct TrippedMeta {
    inner: MemoryMeta,
    /// After how many more changes of the catalog, and how.
    trip: Mutex<Option<(usize, Trip)>>,
    tripped: Notify,
    mended: Semaphore,
    /// The next word of a proxy about the catalog that it uses waits until it is mended.
    holds_words: AtomicBool,
    /// It is down behind the next word of a proxy about the catalog that it uses, which it takes.
    ends_with_word: AtomicBool,
    /// It can be read, and not be written.
    takes_nothing: AtomicBool,
    /// Which read of the catalog from now on waits until it is mended, counted from 1; 0 is none.
    holds_read: AtomicUsize,
}

impl Default for TrippedMeta {
    fn default() -> Self {
        let (trip, tripped, mended) = (Mutex::new(None), Notify::new(), Semaphore::new(0));
        let [holds_words, ends_with_word, takes_nothing] = std::array::from_fn(|_| AtomicBool::new(false));
        Self {
            inner: MemoryMeta::created(),
            trip,
            tripped,
            mended,
            holds_words,
            ends_with_word,
            takes_nothing,
            holds_read: 0.into(),
        }
    }
}

impl TrippedMeta {
    /// Trips over the `nth` change of the catalog from now, counted from 1.
    pub fn trip_at(&self, nth: usize, trip: Trip) {
        *self.trip.lock().unwrap() = Some((nth, trip));
    }

    /// The `nth` read of the catalog from now, counted from 1, waits for [`TrippedMeta::mend`].
    pub fn hold_read(&self, nth: usize) {
        self.holds_read.store(nth, Ordering::SeqCst);
    }

    /// Returns once it has tripped.
    pub async fn tripped(&self) {
        self.tripped.notified().await;
    }

    /// The next proxy that says which catalog it uses waits for [`TrippedMeta::mend`].
    pub fn hold_words(&self) {
        self.holds_words.store(true, Ordering::SeqCst);
    }

    /// Returns once one waits.
    pub async fn saying(&self) {
        self.tripped().await;
    }

    /// It is down behind what a proxy says next of the catalog that it uses.
    pub fn end_with_word(&self) {
        self.ends_with_word.store(true, Ordering::SeqCst);
    }

    /// From now on it takes no changes, or does again.
    pub fn take_nothing(&self, nothing: bool) {
        self.takes_nothing.store(nothing, Ordering::SeqCst);
    }

    /// Works again.
    pub fn mend(&self) {
        self.set_down(false);
        self.mended.add_permits(1);
    }

    pub fn set_down(&self, down: bool) {
        self.inner.set_down(down);
    }

    pub fn advance(&self, by: Duration) {
        self.inner.advance(by);
    }

    fn due(&self) -> Option<Trip> {
        let mut trip = self.trip.lock().unwrap();
        match trip.as_mut() {
            Some((1, how)) => {
                let how = *how;
                *trip = None;
                Some(how)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { reason: Reason::Connect, detail: "down for the test".to_owned() }
}

#[async_trait]
impl PassingMeta for TrippedMeta {
    fn inner(&self) -> &dyn MetaStore {
        &self.inner
    }

    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        let count = |left: usize| left.checked_sub(1);
        let is_catalog = name == CATALOG;
        if is_catalog && self.holds_read.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) == Ok(1) {
            self.tripped.notify_one();
            self.mended.acquire().await.unwrap().forget();
        }
        self.inner.load(name).await
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        if self.takes_nothing.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        if name.starts_with(FOLLOWER) && self.holds_words.swap(false, Ordering::SeqCst) {
            self.tripped.notify_one();
            self.mended.acquire().await.unwrap().forget();
        }
        let change = self.inner.compare_and_set(name, expected, body);
        if name.starts_with(FOLLOWER) && self.ends_with_word.load(Ordering::SeqCst) {
            let is_said = change.await?;
            if is_said {
                self.ends_with_word.store(false, Ordering::SeqCst);
                self.set_down(true);
            }
            return Ok(is_said);
        }
        let Some(trip) = Some(name).filter(|name| *name == CATALOG).and_then(|_| self.due()) else {
            return change.await;
        };
        self.tripped.notify_one();
        match trip {
            Trip::Fails | Trip::Lost => {
                if matches!(trip, Trip::Lost) {
                    change.await?;
                }
                self.set_down(true);
                Err(unavailable())
            }
            Trip::Hangs => std::future::pending().await,
            Trip::Waits => {
                self.mended.acquire().await.unwrap().forget();
                change.await
            }
        }
    }
}

/// A cluster that trips over CREATE TABLE as often as it is told.
#[derive(Debug)]
pub struct TrippedCluster {
    inner: Arc<dyn Backend>,
    trip: Mutex<Option<Trip>>,
    tripped: Notify,
    mended: Semaphore,
    /// How many more DROP TABLEs fail.
    keeps: AtomicUsize,
    /// Tables that somebody has made beside Cellgate.
    foreign: Mutex<Vec<String>>,
}

impl TrippedCluster {
    pub fn over(inner: &Arc<dyn Backend>) -> Arc<Self> {
        let (trip, tripped, mended) = (Mutex::new(None), Notify::new(), Semaphore::new(0));
        Arc::new(Self {
            inner: Arc::clone(inner),
            trip,
            tripped,
            mended,
            keeps: AtomicUsize::new(0),
            foreign: Mutex::default(),
        })
    }

    /// Trips over the next CREATE TABLE.
    pub fn trip(&self, trip: Trip) {
        *self.trip.lock().unwrap() = Some(trip);
    }

    /// Fails so many DROP TABLEs.
    pub fn keep_tables(&self, times: usize) {
        self.keeps.store(times, Ordering::Relaxed);
    }

    /// Lists these tables beside its own.
    pub fn has_foreign(&self, tables: &[&str]) {
        *self.foreign.lock().unwrap() = tables.iter().map(|&name| name.to_owned()).collect();
    }

    /// How many DROP TABLEs are still to fail.
    pub fn kept(&self) -> usize {
        self.keeps.load(Ordering::Relaxed)
    }

    /// Returns once it has tripped.
    pub async fn tripped(&self) {
        self.tripped.notified().await;
    }

    /// Lets the one that waits go on.
    pub fn mend(&self) {
        self.mended.add_permits(1);
    }
}

#[async_trait]
impl Passing for TrippedCluster {
    fn inner(&self) -> &dyn Backend {
        self.inner.as_ref()
    }

    async fn create_table(&self, table: &TableRef) -> Result<(), StoreError> {
        let Some(trip) = self.trip.lock().unwrap().take() else { return self.inner.create_table(table).await };
        self.tripped.notify_one();
        match trip {
            Trip::Fails => Err(unavailable()),
            Trip::Lost => {
                self.inner.create_table(table).await?;
                Err(unavailable())
            }
            Trip::Hangs => std::future::pending().await,
            Trip::Waits => {
                self.mended.acquire().await.unwrap().forget();
                self.inner.create_table(table).await
            }
        }
    }

    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        let own = self.inner.tables().await?;
        Ok(own.into_iter().chain(self.foreign.lock().unwrap().iter().cloned()).collect())
    }

    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError> {
        let left = self.keeps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(unavailable());
        }
        self.inner.drop_table(table).await
    }
}
