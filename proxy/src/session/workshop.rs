//! Expressions over much data, beside the threads that serve clients.
//!
//! A page of cells with large bodies, a sort, a LIKE over megabytes: such work would keep a thread of the runtime from
//! all other clients. It is done on a thread of its own, few at a time, and ends when nobody waits for it.

use std::sync::Arc;
use std::time::Instant;

use cellgate_schemaless::Cell;
use cellgate_sql::{Row, Shaping};
use tokio::sync::Semaphore;

use super::error::StatementError;
use crate::until::Until;

/// Most work that is done where the statement runs, in bytes that expressions look at: below a millisecond.
pub(super) const AT_ONCE: usize = 128 << 10;

/// Where much work is done.
#[derive(Debug)]
pub struct Workshop {
    room: Arc<Semaphore>,
}

impl Default for Workshop {
    /// As many at a time as the machine has processors.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { room: Arc::new(Semaphore::new(threads)) }
    }
}

impl Workshop {
    /// The rows of a page of cells, with the shaping to go on with.
    ///
    /// # Errors
    /// Those of [`Shaping::push`], and a deadline that has passed.
    pub(super) async fn page(
        &self,
        shaping: Shaping,
        page: Vec<Cell>,
        deadline: Instant,
    ) -> Result<(Shaping, Vec<Row>), StatementError> {
        self.run(deadline, move |until| push_all(shaping, page, &until)).await
    }

    /// The rows left.
    ///
    /// # Errors
    /// Those of [`Shaping::finish`], and a deadline that has passed.
    pub(super) async fn rest(&self, shaping: Shaping, deadline: Instant) -> Result<Vec<Row>, StatementError> {
        self.run(deadline, move |until| {
            let mut shaping = shaping;
            shaping.give_up_when(move || until.is_over());
            Ok(shaping.finish()?)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(Until) -> Result<T, StatementError> + Send + 'static,
    ) -> Result<T, StatementError> {
        let late = StatementError::Timeout { detail: "" };
        let room = Arc::clone(&self.room).acquire_owned();
        let Ok(Ok(permit)) = tokio::time::timeout_at(deadline.into(), room).await else {
            return Err(late);
        };
        let (until, _waiting) = Until::new(deadline);
        // Work that nobody waits for any more takes its place until it has noticed: the room bounds threads, not callers.
        let placed = move || {
            let _permit = permit;
            work(until)
        };
        match tokio::time::timeout_at(deadline.into(), tokio::task::spawn_blocking(placed)).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(cellgate_sql::SqlError::Internal("an expression panicked".into()).into()),
            Err(_) => Err(late),
        }
    }
}

fn push_all(mut shaping: Shaping, page: Vec<Cell>, until: &Until) -> Result<(Shaping, Vec<Row>), StatementError> {
    let mut rows = Vec::new();
    let sorting = until.clone();
    shaping.give_up_when(move || sorting.is_over());
    for cell in page {
        if shaping.is_full() {
            break;
        }
        if until.is_over() {
            return Err(StatementError::Timeout { detail: "" });
        }
        shaping.push(&cell, &mut rows)?;
    }
    // What comes next may be done elsewhere, when nobody waits for this page any more.
    shaping.never_give_up();
    Ok((shaping, rows))
}
