//! What a statement's expressions tell beside their values: a warning for each value that could not be made.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::SqlError;

/// Most notes kept of one statement: each row may have one, and they say the same.
const KEPT: usize = 64;

/// The notes of one statement. Clones are the same notes.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Vec<SqlError>>>);

impl Notes {
    /// Adds one, unless there are enough.
    pub(crate) fn add(&self, note: SqlError) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < KEPT {
            notes.push(note);
        }
    }

    /// The notes so far, which are forgotten.
    pub fn take(&self) -> Vec<SqlError> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the work on a statement is to be given up: asked now and then by what takes long.
#[derive(Clone)]
pub(crate) struct Patience(Arc<dyn Fn() -> bool + Send + Sync>);

impl Patience {
    pub fn new(over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(over))
    }

    /// # Errors
    /// [`SqlError::GivenUp`] when it is over.
    pub fn check(&self) -> Result<(), SqlError> {
        if (self.0)() { Err(SqlError::GivenUp) } else { Ok(()) }
    }
}

/// Without an end.
impl Default for Patience {
    fn default() -> Self {
        Self::new(|| false)
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patience")
    }
}
