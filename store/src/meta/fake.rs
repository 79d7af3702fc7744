//! A meta store for tests of those who read it.

use std::fmt;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::{Document, MetaStore};
use crate::error::StoreError;

/// What a read answers.
type Load = dyn Fn() -> BoxFuture<'static, Option<Document>> + Send + Sync;

/// One document, whatever its name, as the test answers for it. It takes every change and keeps none; its clock stands.
pub(crate) struct FakeMeta(Box<Load>);

impl FakeMeta {
    /// Reads are answered by `load`.
    pub(crate) fn new(load: impl Fn() -> BoxFuture<'static, Option<Document>> + Send + Sync + 'static) -> Self {
        Self(Box::new(load))
    }
}

impl fmt::Debug for FakeMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeMeta")
    }
}

#[async_trait]
impl MetaStore for FakeMeta {
    async fn exists(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn create(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn load(&self, _: &str) -> Result<Option<Document>, StoreError> {
        Ok((self.0)().await)
    }

    async fn list(&self, _: &str) -> Result<Vec<Document>, StoreError> {
        Ok(Vec::new())
    }

    async fn compare_and_set(&self, _: &str, _: i64, _: &[u8]) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn remove(&self, _: &str, _: i64) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn now(&self) -> Result<i64, StoreError> {
        Ok(0)
    }
}
