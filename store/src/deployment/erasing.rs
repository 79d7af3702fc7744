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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use cellgate_metrics::Metrics;
    use cellgate_schemaless::{
        AddedId, Body, Cell, CellKind, ClusterNo, ColumnKey, Micros, RefKey, RowKey, ShardId, TableId, Token, Triple,
    };

    use super::*;
    use crate::cache::Source;
    use crate::deployment::registry::{Files, ProxyInfo};
    use crate::meta::fake::FakeMeta;
    use crate::sync::lock;

    fn cell() -> Cell {
        let triple = Triple {
            row: RowKey::from_store(Bytes::from_static(b"r")),
            column: ColumnKey::from_store(Bytes::from_static(b"c")),
            ref_key: RefKey(1),
        };
        Cell {
            triple,
            body: Some(Body::from_store(Bytes::from_static(b"1"))),
            added_id: AddedId(1),
            shard: ShardId(0),
            created_at: Micros(0),
            kind: CellKind::Cell,
            token: Token(1),
            txn: None,
        }
    }

    #[tokio::test]
    async fn a_look_is_good_for_a_lease_from_its_beginning_however_long_it_takes() {
        let metrics = Arc::new(Metrics::new::<&str>("test", &[]).unwrap());
        let cache = Arc::new(CellCache::new(1 << 20, metrics));
        let source = Source { table: TableId(1), cluster: ClusterNo::new(1).unwrap(), incarnation: 1, start: 0 };
        let cell = cell();
        cache.fill(cache.ticket(), source, &cell);
        let asked = Arc::new(Mutex::new(None));
        let meta: Arc<dyn MetaStore> = {
            let asked = Arc::clone(&asked);
            Arc::new(FakeMeta::new(move || {
                let now = Instant::now();
                *lock(&asked) = Some(now);
                Box::pin(async move {
                    while now.elapsed() < MARGIN {
                        tokio::task::yield_now().await;
                    }
                    None
                })
            }))
        };
        let info = ProxyInfo { host: "h".into(), pid: 1, address: "h:1".into(), version: "0".into() };
        let registration = Registration::enter(Arc::clone(&meta), "1", &info, Files::None, 1).await.unwrap();
        let log = ErasureLog::new(meta, Some(Arc::clone(&cache)), Arc::new(registration));
        log.look().await;
        let asked = lock(&asked).unwrap();
        assert!(cache.look_up(source, &cell.triple, asked).is_some());
        // An erasure that was counted just then is not in what was read, and waits no longer than this.
        assert!(cache.look_up(source, &cell.triple, asked + LEASE).is_none());
    }
}
