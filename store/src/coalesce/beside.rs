//! Connections beside the lanes: for scans, and for calls that share no statement.

use std::time::Duration;

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use crate::backend::Timeouts;
use crate::error::{Reason, StoreError};

/// So many connections of a pool, of which writes may have half, and making and removing tables a quarter.
pub(super) struct Beside {
    all: Semaphore,
    writes: Semaphore,
    tables: Semaphore,
    timeouts: Timeouts,
}

/// Two rights: to use a connection, and to do so as one of its kind.
type OfKind<'a> = (SemaphorePermit<'a>, SemaphorePermit<'a>);

impl Beside {
    /// `connections` are at least two.
    pub(super) fn new(connections: usize, timeouts: &Timeouts) -> Self {
        // One for a read stays, where there are three.
        let tables = connections.div_ceil(4);
        let writes = connections.div_ceil(2).min(connections.saturating_sub(tables + 1)).max(1);
        let [all, writes, tables] = [connections, writes, tables].map(Semaphore::new);
        Self { all, writes, tables, timeouts: *timeouts }
    }

    /// The right to use a connection.
    pub(super) async fn to_read(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        within(self.timeouts.queue, self.all.acquire()).await
    }

    /// The right to write on one.
    pub(super) async fn to_write(&self) -> Result<OfKind<'_>, StoreError> {
        within(self.timeouts.queue, self.of_kind(&self.writes)).await
    }

    /// The right to make or remove a table on one. One that takes long, because a backup reads its table, is no reason to
    /// refuse the others: they wait as long as it may take.
    pub(super) async fn for_tables(&self) -> Result<OfKind<'_>, StoreError> {
        within(self.timeouts.statement, self.of_kind(&self.tables)).await
    }

    async fn of_kind<'a>(&'a self, kind: &'a Semaphore) -> Result<OfKind<'a>, AcquireError> {
        Ok((kind.acquire().await?, self.all.acquire().await?))
    }

    /// How many are free: of all, of those for writes, and of those for tables.
    #[cfg(test)]
    pub(super) fn free(&self) -> [usize; 3] {
        [&self.all, &self.writes, &self.tables].map(Semaphore::available_permits)
    }
}

/// What is waited for no longer than `patience`.
async fn within<T>(patience: Duration, permit: impl Future<Output = Result<T, AcquireError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(patience, permit).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(StoreError::Timeout {
            reason: Reason::Queue,
            detail: format!("no connection for a long request was free for {patience:?}"),
        }),
    }
}
