//! A backend whose answers to the questions of a start let others go first.

use std::sync::Arc;

use async_trait::async_trait;
use cellgate_schemaless::{Epoch, ShardId};
use cellgate_store::{Backend, Identity, Passing, ShardState, StoreError};

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
impl Passing for Paced {
    fn inner(&self) -> &dyn Backend {
        self.inner.as_ref()
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
}
