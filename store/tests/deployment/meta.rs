//! What one proxy sees of a meta store that it shares with others, and what a test reads and changes in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cellgate_store::StoreError;
use cellgate_store::meta::memory::MemoryMeta;
use cellgate_store::meta::{Document, MetaStore};

use crate::faulty::{Burnt, Fuse, unavailable};

/// Changes the JSON of a document behind everybody's back.
pub async fn edit(meta: &MemoryMeta, name: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let document = meta.load(name).await.unwrap().unwrap();
    let mut json = serde_json::from_slice(&document.body).unwrap();
    change(&mut json);
    assert!(meta.compare_and_set(name, document.version, &serde_json::to_vec(&json).unwrap()).await.unwrap());
}

/// Deletes a document behind everybody's back.
pub async fn delete(meta: &MemoryMeta, name: &str) {
    let document = meta.load(name).await.unwrap().unwrap();
    assert!(meta.remove(name, document.version).await.unwrap());
}

/// The JSON of all documents with this prefix.
pub fn all(meta: &MemoryMeta, prefix: &str) -> Vec<serde_json::Value> {
    meta.all(prefix).iter().map(|document| serde_json::from_slice(&document.body).unwrap()).collect()
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
