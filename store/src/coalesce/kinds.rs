//! The kinds of requests that share statements.

use std::future::Future;

use cellgate_schemaless::{Cell, Epoch, LatestKey, TableRef, Triple};

use crate::backend::{Backend, PutGroup, PutOutcome};
use crate::error::StoreError;
use crate::sql::left_out;

/// A kind of request.
pub(super) trait Kind: Send + Sync + 'static {
    /// What a statement is about several of.
    type Item: Clone + Send + Sync;
    /// What becomes of one item.
    type Answer: Send;
    /// Requests of one scope can share a statement.
    type Scope: Clone + PartialEq + Send + Sync;

    /// Whether a request goes on to its end though nobody waits for it any more.
    const LASTING: bool;

    /// How many requests of a failed statement are tried again at the same time, each by itself.
    const AGAIN_AT_ONCE: usize;

    /// What an item takes of the bytes of a statement ([`Bounds::bytes`](super::queue::Bounds::bytes)).
    fn bytes(_item: &Self::Item) -> usize {
        0
    }

    /// Runs one statement: one answer per item, in order.
    fn run(
        backend: &dyn Backend,
        scope: &Self::Scope,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;

    /// The same for requests that do not wait for each other: answers may be left out ([`Kind::is_left_out`]).
    fn run_shared(
        backend: &dyn Backend,
        scope: &Self::Scope,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send {
        Self::run(backend, scope, items)
    }

    /// Whether an answer of a shared statement is none, and its request is to be run by itself.
    fn is_left_out(_scope: &Self::Scope, _answer: &Self::Answer) -> bool {
        false
    }

    /// The error of requests whose statement ended without an answer (a defect).
    fn ended() -> StoreError;
}

/// What a reader of cells wants of their bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bodies {
    /// All.
    All,
    /// By name those that are short, of the latest none: what an INSERT looks at.
    Short,
}

/// Cells by name.
pub(super) struct Gets;

/// Latest cells of chains.
pub(super) struct Latests;

/// Groups of one cell.
pub(super) struct Puts;

impl Kind for Gets {
    type Item = Triple;
    type Answer = Option<Cell>;
    type Scope = (TableRef, Bodies);
    const LASTING: bool = false;
    const AGAIN_AT_ONCE: usize = 2;

    async fn run(
        backend: &dyn Backend,
        (table, bodies): &(TableRef, Bodies),
        keys: &[Triple],
    ) -> Result<Vec<Option<Cell>>, StoreError> {
        match bodies {
            Bodies::All => backend.get(table, keys).await,
            Bodies::Short => backend.get_shared(table, keys).await,
        }
    }

    async fn run_shared(
        backend: &dyn Backend,
        (table, _): &(TableRef, Bodies),
        keys: &[Triple],
    ) -> Result<Vec<Option<Cell>>, StoreError> {
        backend.get_shared(table, keys).await
    }

    fn is_left_out((_, bodies): &(TableRef, Bodies), answer: &Option<Cell>) -> bool {
        *bodies == Bodies::All && answer.as_ref().is_some_and(left_out)
    }

    fn ended() -> StoreError {
        StoreError::Failed { detail: "the task of a shared read ended".to_owned() }
    }
}

impl Kind for Latests {
    type Item = LatestKey;
    type Answer = Option<Cell>;
    type Scope = (TableRef, Bodies);
    const LASTING: bool = false;
    const AGAIN_AT_ONCE: usize = Gets::AGAIN_AT_ONCE;

    async fn run(
        backend: &dyn Backend,
        (table, bodies): &(TableRef, Bodies),
        keys: &[LatestKey],
    ) -> Result<Vec<Option<Cell>>, StoreError> {
        match bodies {
            Bodies::All => backend.latest(table, keys).await,
            Bodies::Short => backend.versions(table, keys).await,
        }
    }

    async fn run_shared(
        backend: &dyn Backend,
        (table, bodies): &(TableRef, Bodies),
        keys: &[LatestKey],
    ) -> Result<Vec<Option<Cell>>, StoreError> {
        match bodies {
            Bodies::All => backend.latest_shared(table, keys).await,
            Bodies::Short => backend.versions(table, keys).await,
        }
    }

    fn is_left_out(scope: &(TableRef, Bodies), answer: &Option<Cell>) -> bool {
        Gets::is_left_out(scope, answer)
    }

    fn ended() -> StoreError {
        Gets::ended()
    }
}

impl Kind for Puts {
    type Item = PutGroup;
    type Answer = PutOutcome;
    /// Writes planned under different epochs have different fates.
    type Scope = (Epoch, TableRef);
    const LASTING: bool = true;
    // They would wait for each other at the log head.
    const AGAIN_AT_ONCE: usize = 1;

    fn bytes(group: &PutGroup) -> usize {
        group.bytes()
    }

    async fn run(
        backend: &dyn Backend,
        (epoch, _): &(Epoch, TableRef),
        groups: &[PutGroup],
    ) -> Result<Vec<PutOutcome>, StoreError> {
        backend.put(*epoch, groups).await
    }

    fn ended() -> StoreError {
        StoreError::MaybeWritten { detail: "the task of a shared write ended".to_owned() }
    }
}
