//! Backends in front of others.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use cellgate_metrics::PoolState;
use cellgate_schemaless::{AddedId, Cell, Epoch, Erasure, LatestKey, LogScan, RowScan, ShardId, TableRef, Triple};

use crate::backend::{
    AtOnce, Backend, EraseStep, Erased, Identity, Location, LogPage, PutGroup, PutOutcome, RowPage, ShardState,
};
use crate::error::StoreError;
use crate::sql::Dialect;

/// A [`Backend`] in front of another, which it hands on all that it does not do itself. Each method is the [`Backend`]'s of
/// its name. What is handed on is a future more per call, which is nothing to tests; [`crate::coalesce`] does without.
#[async_trait]
pub trait Passing: Debug + Send + Sync {
    /// The other.
    fn inner(&self) -> &dyn Backend;

    /// The other, if it is to be reached: asked before each call but [`Backend::pool`] and [`Backend::close`].
    ///
    /// # Errors
    /// What a call is then answered.
    fn reach(&self) -> Result<&dyn Backend, StoreError> {
        Ok(self.inner())
    }

    /// [`Backend::get_at_once`]
    fn get_at_once(&self, _table: &TableRef, _key: &Triple) -> AtOnce {
        AtOnce::Ask
    }

    /// [`Backend::latest_at_once`]
    fn latest_at_once(&self, _table: &TableRef, _key: &LatestKey) -> AtOnce {
        AtOnce::Ask
    }

    /// [`Backend::get`]
    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.reach()?.get(table, keys).await
    }

    /// [`Backend::latest`]
    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.reach()?.latest(table, keys).await
    }

    /// [`Backend::get_shared`], which goes by [`Passing::get`].
    async fn get_shared(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        Passing::get(self, table, keys).await
    }

    /// [`Backend::versions`], which goes by [`Passing::latest`].
    async fn versions(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        Passing::latest(self, table, keys).await
    }

    /// [`Backend::rows`]
    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError> {
        self.reach()?.rows(table, scan).await
    }

    /// [`Backend::log`]
    async fn log(&self, table: &TableRef, scan: &LogScan) -> Result<LogPage, StoreError> {
        self.reach()?.log(table, scan).await
    }

    /// [`Backend::head`]
    async fn head(&self) -> Result<AddedId, StoreError> {
        self.reach()?.head().await
    }

    /// [`Backend::put`]
    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        self.reach()?.put(epoch, groups).await
    }

    /// [`Backend::erase`]
    async fn erase(
        &self,
        epoch: Epoch,
        table: &TableRef,
        what: &Erasure,
        step: &EraseStep,
    ) -> Result<Erased, StoreError> {
        self.reach()?.erase(epoch, table, what, step).await
    }

    /// [`Backend::create_table`]
    async fn create_table(&self, table: &TableRef) -> Result<(), StoreError> {
        self.reach()?.create_table(table).await
    }

    /// [`Backend::drop_table`]
    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError> {
        self.reach()?.drop_table(table).await
    }

    /// [`Backend::tables`]
    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        self.reach()?.tables().await
    }

    /// [`Backend::identity`]
    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        self.reach()?.identity().await
    }

    /// [`Backend::expect_identity`]
    fn expect_identity(&self, identity: &Identity) {
        self.inner().expect_identity(identity);
    }

    /// [`Backend::location`]
    async fn location(&self) -> Result<Option<Location>, StoreError> {
        self.reach()?.location().await
    }

    /// [`Backend::start`]
    fn start(&self) -> i64 {
        self.inner().start()
    }

    /// [`Backend::dialect`]
    fn dialect(&self) -> Option<&'static Dialect> {
        self.inner().dialect()
    }

    /// [`Backend::claim`]
    async fn claim(&self, identity: &Identity, shards: &[ShardId]) -> Result<Identity, StoreError> {
        self.reach()?.claim(identity, shards).await
    }

    /// [`Backend::shards`]
    async fn shards(&self) -> Result<(Epoch, Vec<ShardState>), StoreError> {
        self.reach()?.shards().await
    }

    /// [`Backend::raise_epoch`]
    async fn raise_epoch(&self, from: Epoch, to: Epoch) -> Result<bool, StoreError> {
        self.reach()?.raise_epoch(from, to).await
    }

    /// [`Backend::ping`]
    async fn ping(&self) -> Result<Duration, StoreError> {
        self.reach()?.ping().await
    }
}

#[async_trait]
impl<T: Passing> Backend for T {
    fn get_at_once(&self, table: &TableRef, key: &Triple) -> AtOnce {
        Passing::get_at_once(self, table, key)
    }

    fn latest_at_once(&self, table: &TableRef, key: &LatestKey) -> AtOnce {
        Passing::latest_at_once(self, table, key)
    }

    fn expect_identity(&self, identity: &Identity) {
        Passing::expect_identity(self, identity);
    }

    fn start(&self) -> i64 {
        Passing::start(self)
    }

    fn dialect(&self) -> Option<&'static Dialect> {
        Passing::dialect(self)
    }

    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        Passing::get(self, table, keys).await
    }

    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        Passing::latest(self, table, keys).await
    }

    async fn get_shared(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        Passing::get_shared(self, table, keys).await
    }

    async fn versions(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        Passing::versions(self, table, keys).await
    }

    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError> {
        Passing::rows(self, table, scan).await
    }

    async fn log(&self, table: &TableRef, scan: &LogScan) -> Result<LogPage, StoreError> {
        Passing::log(self, table, scan).await
    }

    async fn head(&self) -> Result<AddedId, StoreError> {
        Passing::head(self).await
    }

    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        Passing::put(self, epoch, groups).await
    }

    async fn erase(
        &self,
        epoch: Epoch,
        table: &TableRef,
        what: &Erasure,
        step: &EraseStep,
    ) -> Result<Erased, StoreError> {
        Passing::erase(self, epoch, table, what, step).await
    }

    async fn create_table(&self, table: &TableRef) -> Result<(), StoreError> {
        Passing::create_table(self, table).await
    }

    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError> {
        Passing::drop_table(self, table).await
    }

    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        Passing::tables(self).await
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        Passing::identity(self).await
    }

    async fn check_rights(&self) -> Result<(), StoreError> {
        self.reach()?.check_rights().await
    }

    async fn claim(&self, identity: &Identity, shards: &[ShardId]) -> Result<Identity, StoreError> {
        Passing::claim(self, identity, shards).await
    }

    async fn shards(&self) -> Result<(Epoch, Vec<ShardState>), StoreError> {
        Passing::shards(self).await
    }

    async fn raise_epoch(&self, from: Epoch, to: Epoch) -> Result<bool, StoreError> {
        Passing::raise_epoch(self, from, to).await
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        Passing::ping(self).await
    }

    async fn location(&self) -> Result<Option<Location>, StoreError> {
        Passing::location(self).await
    }

    fn pool(&self) -> Option<PoolState> {
        self.inner().pool()
    }

    async fn close(&self) {
        self.inner().close().await;
    }
}
