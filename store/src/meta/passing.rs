//! Meta stores in front of others.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Document, MetaStore};
use crate::error::StoreError;

/// A [`MetaStore`] in front of another, which it hands on all that it does not do itself. Each method is the [`MetaStore`]'s
/// of its name.
#[async_trait]
pub trait PassingMeta: Debug + Send + Sync {
    /// The other.
    fn inner(&self) -> &dyn MetaStore;

    /// [`MetaStore::load`]
    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        self.inner().load(name).await
    }

    /// [`MetaStore::compare_and_set`]
    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        self.inner().compare_and_set(name, expected, body).await
    }

    /// [`MetaStore::remove`]
    async fn remove(&self, name: &str, expected: i64) -> Result<bool, StoreError> {
        self.inner().remove(name, expected).await
    }
}

#[async_trait]
impl<T: PassingMeta> MetaStore for T {
    async fn exists(&self) -> Result<bool, StoreError> {
        self.inner().exists().await
    }

    async fn create(&self) -> Result<(), StoreError> {
        self.inner().create().await
    }

    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        PassingMeta::load(self, name).await
    }

    async fn load_to_change(&self, name: &str) -> Result<Option<Document>, StoreError> {
        self.inner().load_to_change(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Document>, StoreError> {
        self.inner().list(prefix).await
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        PassingMeta::compare_and_set(self, name, expected, body).await
    }

    async fn remove(&self, name: &str, expected: i64) -> Result<bool, StoreError> {
        PassingMeta::remove(self, name, expected).await
    }

    async fn now(&self) -> Result<i64, StoreError> {
        self.inner().now().await
    }
}
