//! A thread with room for deep recursion: how deep a text may nest is bounded by `budget`, and so is its stack.

use super::budget;
use crate::error::SqlError;

/// Runs what may recurse deeply. The thread costs some 30 us, which only unusual statements pay.
#[cfg(not(test))]
pub(crate) fn on_big_stack<T: Send>(work: impl FnOnce() -> Result<T, SqlError> + Send) -> Result<T, SqlError> {
    on_a_thread(work)?
}

/// Runs what may recurse deeply; what it computes counts as computed by the test that waits for it.
#[cfg(test)]
pub(crate) fn on_big_stack<T: Send>(work: impl FnOnce() -> Result<T, SqlError> + Send) -> Result<T, SqlError> {
    let (done, computed) = on_a_thread(|| (work(), crate::testing::computed()))?;
    crate::testing::computed_elsewhere(computed);
    done
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, SqlError> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("parse".into())
            .stack_size(budget::STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|e| SqlError::Internal(format!("no thread to parse on: {e}")))?
            .join()
            .map_err(|_| SqlError::Internal("the parser panicked".into()))
    })
}
