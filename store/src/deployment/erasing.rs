//! Erasures and the caches of all proxies (C9 of docs/ARCHITECTURE.md).
//!
//! The document `erasures` of the meta store counts them. Who has erased on the primaries counts it there, and then
//! waits until no other proxy can still answer from before: a proxy that has not seen the count stops answering from
//! its cache a lease after its last look.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cellgate_metrics::MetaDocument;
use cellgate_schemaless::TableRef;

use super::documents::{decode, encode};
use super::reading::Reading;
use super::registry::Registration;
use crate::cache::{CellCache, Erasures, LEASE};
use crate::error::StoreError;
use crate::executor::ErasureFence;
use crate::meta::MetaStore;

/// Name of the [`Erasures`] document.
pub const ERASURES: &str = "erasures";

/// How often a proxy looks at the erasures; a lease has room for three looks that fail.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What an erasure waits beyond the lease: two clocks that run at slightly different speeds.
const MARGIN: Duration = Duration::from_millis(20);

/// How often others may be first before an erasure gives up counting itself.
const ATTEMPTS: usize = 200;

/// Follows and counts erasures.
#[derive(Debug)]
pub(super) struct ErasureLog {
    meta: Arc<dyn MetaStore>,
    cache: Option<Arc<CellCache>>,
    registration: Arc<Registration>,
    reading: Reading,
}

impl ErasureLog {
    /// `cache` is this proxy's, if it has one.
    pub(super) fn new(
        meta: Arc<dyn MetaStore>,
        cache: Option<Arc<CellCache>>,
        registration: Arc<Registration>,
    ) -> Self {
        Self { meta, cache, registration, reading: Reading::new(MetaDocument::Erasures) }
    }

    /// Whether there is anything to look at: without a cache, or without other proxies ever, there is not.
    pub(super) fn is_followed(&self) -> bool {
        self.cache.is_some() && !self.registration.is_exclusive()
    }

    /// Looks at the erasures once.
    pub(super) async fn look(&self) {
        let Some(cache) = &self.cache else { return };
        let began = Instant::now();
        // What cannot be read is reported; the cache answers nothing meanwhile.
        if let Ok((_, erasures)) = self.read().await {
            cache.learn(began, &erasures);
        }
    }

    /// How reading the document goes.
    pub(super) fn reading(&self) -> &Reading {
        &self.reading
    }

    async fn read(&self) -> Result<(i64, Erasures), StoreError> {
        let outcome = self.load().await;
        self.reading.ended(&outcome);
        outcome
    }

    async fn load(&self) -> Result<(i64, Erasures), StoreError> {
        match self.meta.load(ERASURES).await? {
            Some(document) => Ok((document.version, decode(ERASURES, &document.body)?)),
            None => Ok((0, Erasures::default())),
        }
    }

    /// Counts an erasure in this table.
    async fn count(&self, table: &TableRef) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            let began = Instant::now();
            let (version, mut erasures) = self.read().await?;
            erasures.note(table.id);
            if self.meta.compare_and_set(ERASURES, version, &encode(ERASURES, &erasures)?).await? {
                if let Some(cache) = &self.cache {
                    cache.learn(began, &erasures);
                }
                return Ok(());
            }
        }
        Err(StoreError::Failed { detail: "the document of erasures keeps changing".to_owned() })
    }
}

#[async_trait]
impl ErasureFence for ErasureLog {
    async fn erased(&self, table: &TableRef) -> Result<(), StoreError> {
        self.count(table).await?;
        if !self.registration.is_alone().await? {
            // Not a wait for anything to happen: after it, nothing from before can be answered.
            tokio::time::sleep(LEASE + MARGIN).await;
        }
        Ok(())
    }
}
