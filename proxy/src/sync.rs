//! A mutex that a panic does not poison. The store has its own: it is nothing that a store offers.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what is right after every single step, so that a panic elsewhere does not spoil it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
