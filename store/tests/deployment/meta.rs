//! A meta store in memory, shared by the proxies of a test, and what one proxy sees of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use cellgate_store::StoreError;
use cellgate_store::meta::{Document, MetaStore};

use crate::faulty::{Burnt, Fuse, unavailable};

/// The documents, and a clock that only the test moves.
#[derive(Debug, Default)]
pub struct MemoryMeta {
    documents: Mutex<Option<BTreeMap<String, Document>>>,
    now: AtomicI64,
    down: AtomicBool,
}

impl MemoryMeta {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn advance(&self, micros: i64) {
        self.now.fetch_add(micros, Ordering::SeqCst);
    }

    /// From now on no document can be read, or can again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn documents(&self) -> MutexGuard<'_, Option<BTreeMap<String, Document>>> {
        self.documents.lock().unwrap()
    }

    /// Changes the JSON of a document behind everybody's back.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut serde_json::Value)) {
        let mut documents = self.documents();
        let document = documents.as_mut().unwrap().get_mut(name).unwrap();
        let mut json = serde_json::from_slice(&document.body).unwrap();
        change(&mut json);
        document.body = serde_json::to_vec(&json).unwrap();
        document.version += 1;
    }

    /// The JSON of all documents with this prefix.
    pub fn all(&self, prefix: &str) -> Vec<serde_json::Value> {
        let documents = self.documents();
        let found = documents.iter().flatten().filter(|(name, _)| name.starts_with(prefix));
        found.map(|(_, document)| serde_json::from_slice(&document.body).unwrap()).collect()
    }
}

#[async_trait]
impl MetaStore for MemoryMeta {
    async fn exists(&self) -> Result<bool, StoreError> {
        Ok(self.documents().is_some())
    }

    async fn create(&self) -> Result<(), StoreError> {
        self.documents().get_or_insert_default();
        Ok(())
    }

    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        Ok(self.documents().as_ref().ok_or_else(no_table)?.get(name).cloned())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Document>, StoreError> {
        let documents = self.documents();
        let documents = documents.as_ref().ok_or_else(no_table)?;
        Ok(documents.values().filter(|d| d.name.starts_with(prefix)).cloned().collect())
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        let mut documents = self.documents();
        let documents = documents.as_mut().ok_or_else(no_table)?;
        let stands = documents.get(name).map_or(0, |d| d.version) == expected;
        if stands {
            let document = Document { name: name.to_owned(), version: expected + 1, body: body.to_vec() };
            documents.insert(name.to_owned(), document);
        }
        Ok(stands)
    }

    async fn remove(&self, name: &str, expected: i64) -> Result<bool, StoreError> {
        let mut documents = self.documents();
        let documents = documents.as_mut().ok_or_else(no_table)?;
        let stands = documents.get(name).is_some_and(|d| d.version == expected);
        if stands {
            documents.remove(name);
        }
        Ok(stands)
    }

    async fn now(&self) -> Result<i64, StoreError> {
        Ok(self.now.load(Ordering::SeqCst))
    }
}

fn no_table() -> StoreError {
    StoreError::NoTable { table: "cg_meta".to_owned() }
}

/// What one proxy sees of a meta store: with pauses in which others go on, and until its fuse has burnt.
#[derive(Debug)]
pub struct SeenMeta {
    inner: Arc<dyn MetaStore>,
    fuse: Option<Arc<Fuse>>,
    pace: Arc<Pace>,
}

/// How often a proxy lets others go first, call by call.
#[derive(Debug, Default)]
pub struct Pace {
    calls: AtomicUsize,
    /// Two bits for every call.
    short: u64,
    /// The call in front of which it waits longer than others need for everything.
    long: Option<usize>,
}

impl Pace {
    /// Short pauses, as the bits say.
    pub fn short(short: u64) -> Arc<Self> {
        Arc::new(Self { short, ..Self::default() })
    }

    /// One long pause in front of the call with this number.
    pub fn long(call: usize) -> Arc<Self> {
        Arc::new(Self { long: Some(call), ..Self::default() })
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub async fn step(&self) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let short = self.short.rotate_right(u32::try_from(2 * (call % 32)).unwrap()) % 4;
        let turns = if self.long == Some(call) { 10_000 } else { short };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}

impl SeenMeta {
    pub fn with_fuse(inner: Arc<dyn MetaStore>, fuse: Arc<Fuse>) -> Arc<Self> {
        Arc::new(Self { inner, fuse: Some(fuse), pace: Arc::default() })
    }

    pub fn with_pace(inner: Arc<dyn MetaStore>, pace: Arc<Pace>) -> Arc<Self> {
        Arc::new(Self { inner, fuse: None, pace })
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.pace.step().await;
        match self.fuse.as_ref().map_or(Burnt::No, |fuse| fuse.burn()) {
            Burnt::No => call.await,
            Burnt::Late => call.await.and(Err(unavailable())),
            Burnt::Yes => Err(unavailable()),
        }
    }
}

#[async_trait]
impl MetaStore for SeenMeta {
    async fn exists(&self) -> Result<bool, StoreError> {
        self.call(self.inner.exists()).await
    }

    async fn create(&self) -> Result<(), StoreError> {
        self.call(self.inner.create()).await
    }

    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        self.call(self.inner.load(name)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Document>, StoreError> {
        self.call(self.inner.list(prefix)).await
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        self.call(self.inner.compare_and_set(name, expected, body)).await
    }

    async fn remove(&self, name: &str, expected: i64) -> Result<bool, StoreError> {
        self.call(self.inner.remove(name, expected)).await
    }

    async fn now(&self) -> Result<i64, StoreError> {
        self.call(self.inner.now()).await
    }
}
