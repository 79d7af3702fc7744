//! A backend whose answers to the questions of a start let others go first.

use std::sync::Arc;

use async_trait::async_trait;
use cellgate_metrics::PoolState;
use cellgate_schemaless::{Cell, Epoch, Erasure, LatestKey, LogScan, RowScan, ShardId, TableRef, Triple};
use cellgate_store::{Backend, Identity, LogPage, PutGroup, PutOutcome, RowPage, ShardState, StoreError};

use crate::meta::Pace;

/// The wrapper.
#[derive(Debug)]
pub struct Paced {
    inner: Arc<dyn Backend>,
    pace: Arc<Pace>,
}

impl Paced {
    pub fn over(inner: &Arc<dyn Backend>, pace: &Arc<Pace>) -> Arc<dyn Backend> {
        Arc::new(Self { inner: Arc::clone(inner), pace: Arc::clone(pace) })
    }
}

#[async_trait]
impl Backend for Paced {
    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.inner.get(table, keys).await
    }

    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.inner.latest(table, keys).await
    }

    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError> {
        self.inner.rows(table, scan).await
    }

    async fn log(&self, table: &TableRef, scan: &LogScan) -> Result<LogPage, StoreError> {
        self.inner.log(table, scan).await
    }

    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        self.inner.put(epoch, groups).await
    }

    async fn erase(&self, epoch: Epoch, table: &TableRef, what: &Erasure) -> Result<u64, StoreError> {
        self.inner.erase(epoch, table, what).await
    }

    async fn create_table(&self, table: &TableRef) -> Result<(), StoreError> {
        self.inner.create_table(table).await
    }

    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError> {
        self.inner.drop_table(table).await
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        self.pace.step().await;
        self.inner.identity().await
    }

    async fn claim(&self, identity: &Identity, shards: &[ShardId]) -> Result<Identity, StoreError> {
        self.pace.step().await;
        self.inner.claim(identity, shards).await
    }

    async fn shards(&self) -> Result<(Epoch, Vec<ShardState>), StoreError> {
        self.pace.step().await;
        self.inner.shards().await
    }

    async fn raise_epoch(&self, from: Epoch, to: Epoch) -> Result<bool, StoreError> {
        self.inner.raise_epoch(from, to).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    fn pool(&self) -> Option<PoolState> {
        self.inner.pool()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
