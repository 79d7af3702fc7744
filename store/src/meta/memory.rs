//! A meta store in memory, for tests above it: its clock moves only when it is told, and it can be out of reach.
//!
//! It forgets everything when it is dropped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::task::yield_now;

use super::{Document, MetaStore};
use crate::error::{Reason, StoreError};
use crate::sync::lock;

/// A [`MetaStore`] whose documents live in this process. Whoever reads or changes one lets others go first, so that
/// several proxies take turns.
#[derive(Debug, Default)]
pub struct MemoryMeta {
    /// `None` until it is created.
    documents: Mutex<Option<BTreeMap<String, Document>>>,
    now: AtomicI64,
    down: AtomicBool,
    /// By document, when it was asked for last, and how often.
    asked: Mutex<BTreeMap<String, (Instant, usize)>>,
}

impl MemoryMeta {
    /// A meta store nobody has created, at the time 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that stands already, without documents.
    pub fn created() -> Self {
        Self { documents: Mutex::new(Some(BTreeMap::new())), ..Self::default() }
    }

    /// Moves its clock.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// From now on it cannot be reached, or can again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// How often it was asked for a document, out of reach or not.
    pub fn loads(&self) -> usize {
        lock(&self.asked).values().map(|(_, times)| times).sum()
    }

    /// When it was asked for this document last, and how often, out of reach or not.
    pub fn asked(&self, name: &str) -> (Option<Instant>, usize) {
        lock(&self.asked).get(name).map_or((None, 0), |(at, times)| (Some(*at), *times))
    }

    /// All documents whose name starts with `prefix`, by name, whether it can be reached or not.
    pub fn all(&self, prefix: &str) -> Vec<Document> {
        let documents = self.documents();
        documents
            .iter()
            .flatten()
            .map(|(_, document)| document)
            .filter(|d| d.name.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Puts documents back as they were once, with their versions.
    pub fn restore(&self, documents: Vec<Document>) {
        let restored = documents.into_iter().map(|document| (document.name.clone(), document));
        self.documents().get_or_insert_default().extend(restored);
    }

    fn documents(&self) -> MutexGuard<'_, Option<BTreeMap<String, Document>>> {
        lock(&self.documents)
    }

    fn reach(&self) -> Result<(), StoreError> {
        let down = StoreError::Unavailable { reason: Reason::Connect, detail: "down for the test".to_owned() };
        if self.down.load(Ordering::SeqCst) { Err(down) } else { Ok(()) }
    }

    /// Does what `change` makes of the documents, if this one is at version `expected`.
    fn change(
        &self,
        name: &str,
        expected: i64,
        change: impl FnOnce(&mut BTreeMap<String, Document>),
    ) -> Result<bool, StoreError> {
        self.reach()?;
        let mut documents = self.documents();
        let documents = documents.as_mut().ok_or_else(no_table)?;
        let stands = documents.get(name).map_or(0, |document| document.version) == expected;
        if stands {
            change(documents);
        }
        Ok(stands)
    }
}

fn no_table() -> StoreError {
    StoreError::NoTable { table: "cg_meta".to_owned() }
}

#[async_trait]
impl MetaStore for MemoryMeta {
    async fn exists(&self) -> Result<bool, StoreError> {
        self.reach()?;
        Ok(self.documents().is_some())
    }

    async fn create(&self) -> Result<(), StoreError> {
        self.reach()?;
        self.documents().get_or_insert_default();
        Ok(())
    }

    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        let now = Instant::now();
        {
            let mut asked = lock(&self.asked);
            let (at, times) = asked.entry(name.to_owned()).or_insert((now, 0));
            (*at, *times) = (now, *times + 1);
        }
        yield_now().await;
        self.reach()?;
        Ok(self.documents().as_ref().ok_or_else(no_table)?.get(name).cloned())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Document>, StoreError> {
        self.reach()?;
        if self.documents().is_none() { Err(no_table()) } else { Ok(self.all(prefix)) }
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        yield_now().await;
        let document = Document { name: name.to_owned(), version: expected + 1, body: body.to_vec() };
        self.change(name, expected, |documents| {
            documents.insert(name.to_owned(), document);
        })
    }

    async fn remove(&self, name: &str, expected: i64) -> Result<bool, StoreError> {
        let removed = self.change(name, expected, |documents| {
            documents.remove(name);
        })?;
        Ok(removed && expected > 0)
    }

    async fn now(&self) -> Result<i64, StoreError> {
        self.reach()?;
        Ok(self.now.load(Ordering::SeqCst))
    }
}
