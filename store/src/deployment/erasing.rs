//! Erasures and the caches of all proxies (C9 of docs/ARCHITECTURE.md).
//!
//! The document `erasures` of the meta store counts them. Who has erased on the primaries counts it there, and then
//! waits until no other proxy can still answer from before: a proxy that has not seen the count stops answering from
//! its cache a lease after its last look.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cellgate_metrics::MetaDocument;
use cellgate_schemaless::{TableId, TableRef};

use super::documents::{decode, encode};
use super::reading::Reading;
use super::registry::Registration;
use crate::cache::{CellCache, Erasures, LEASE};
use crate::error::StoreError;
use crate::executor::ErasureFence;
use crate::meta::{Document, MetaStore};

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
        self.look_from(Instant::now()).await;
    }

    /// The same of a look that began at `began`.
    async fn look_from(&self, began: Instant) {
        let cache = self.cache_at(began);
        // What cannot be read is reported; the cache answers nothing meanwhile.
        if let (Ok((_, erasures)), Some(cache)) = (self.read().await, cache) {
            cache.learn(began, &erasures);
        }
    }

    /// The cache, if it may go by a look that begins now: not if who erases may take this proxy for gone, and not wait for
    /// it. So it is when the meta store is back after a long time and was not told yet that this proxy is still there. Asked
    /// before the look: whoever erases behind it finds this proxy in the registry.
    fn cache_at(&self, now: Instant) -> Option<&CellCache> {
        self.cache.as_deref().filter(|_| self.registration.is_held(now))
    }

    /// How reading the document goes.
    pub(super) fn reading(&self) -> &Reading {
        &self.reading
    }

    async fn read(&self) -> Result<(i64, Erasures), StoreError> {
        self.found(self.meta.load(ERASURES).await)
    }

    /// What reading the document has answered.
    fn found(&self, document: Result<Option<Document>, StoreError>) -> Result<(i64, Erasures), StoreError> {
        let outcome = document.and_then(|document| match document {
            Some(document) => Ok((document.version, decode(ERASURES, &document.body)?)),
            None => Ok((0, Erasures::default())),
        });
        self.reading.ended(&outcome);
        outcome
    }

    /// Counts an erasure in each of these tables, and waits until no other proxy can answer from before. The document
    /// is changed once, and waited for once.
    pub(super) async fn erased_in(&self, tables: &[TableId]) -> Result<(), StoreError> {
        self.count(tables).await?;
        if !self.registration.is_surely_alone().await? {
            // Not a wait for anything to happen: after it, nothing from before can be answered.
            tokio::time::sleep(LEASE + MARGIN).await;
        }
        Ok(())
    }

    /// Counts an erasure in each of these tables.
    async fn count(&self, tables: &[TableId]) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            let began = Instant::now();
            let cache = self.cache_at(began);
            // Many erasures at once take turns here: none may cost the others more than it must.
            // What fails here may be that it cannot be written; the looks say whether it can be read.
            let document = self.meta.load_to_change(ERASURES).await?;
            let (version, mut erasures) = self.found(Ok(document))?;
            for table in tables {
                let mark = getrandom::u64()
                    .map_err(|error| StoreError::Failed { detail: format!("no randomness: {error}") })?;
                erasures.note(*table, mark);
            }
            if self.meta.compare_and_set(ERASURES, version, &encode(ERASURES, &erasures)?).await? {
                if let Some(cache) = cache {
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
        self.erased_in(&[table.id]).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use cellgate_metrics::Metrics;
    use cellgate_schemaless::{
        AddedId, Body, Cell, CellKind, ClusterNo, ColumnKey, Micros, RefKey, RowKey, ShardId, Token, Triple,
    };

    use super::*;
    use crate::cache::Source;
    use crate::deployment::Setup;
    use crate::deployment::registry::{self, Departure, Files, ProxyInfo};
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

    fn cache() -> Arc<CellCache> {
        Arc::new(CellCache::new(1 << 20, Arc::new(Metrics::new::<&str>("test", &[]).unwrap())))
    }

    async fn log_of(meta: Arc<dyn MetaStore>, cache: &Arc<CellCache>) -> ErasureLog {
        let info = ProxyInfo { host: "h".into(), pid: 1, address: "h:1".into(), version: "0".into() };
        let setup = Setup {
            virtual_shards: None,
            meta: Arc::clone(&meta),
            meta_exclusive: false,
            clusters: Vec::new(),
            proxy: info,
            poll: LEASE,
            cache_bytes: 0,
            first_documents: Vec::new(),
            departure: Departure::default(),
        };
        let registration = Registration::enter(&setup, "1", Files::None, 1).await.unwrap();
        ErasureLog::new(meta, Some(Arc::clone(cache)), registration)
    }

    fn source() -> Source {
        Source { table: TableId(1), cluster: ClusterNo::new(1).unwrap(), incarnation: 1, start: 0 }
    }

    #[tokio::test]
    async fn a_look_is_good_for_a_lease_from_its_beginning_however_long_it_takes() {
        let (cache, source, cell) = (cache(), source(), cell());
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
        log_of(meta, &cache).await.look().await;
        let asked = lock(&asked).unwrap();
        assert!(cache.look_up(source, &cell.triple, asked).is_some());
        // An erasure that was counted just then is not in what was read, and waits no longer than this.
        assert!(cache.look_up(source, &cell.triple, asked + LEASE).is_none());
    }

    #[tokio::test]
    async fn a_proxy_that_may_be_taken_for_gone_does_not_go_by_a_look_before_it_has_said_that_it_is_there() {
        let (cache, source, cell) = (cache(), source(), cell());
        cache.fill(cache.ticket(), source, &cell);
        let log = log_of(Arc::new(FakeMeta::new(|| Box::pin(async { None }))), &cache).await;
        let now = Instant::now();
        let lapsed = now + registry::HELD;
        log.look_from(lapsed).await;
        assert!(cache.look_up(source, &cell.triple, lapsed).is_none());
        log.look_from(now).await;
        assert!(cache.look_up(source, &cell.triple, now).is_some());
    }
}
