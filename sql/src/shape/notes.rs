//! What a statement's expressions tell beside their values: a warning for each value that could not be made.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::SqlError;

/// Most notes kept of one statement: each row may have one, and they say the same.
const KEPT: usize = 64;

/// The notes of one statement. Clones are the same notes.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    kept: Arc<Mutex<Vec<SqlError>>>,
    /// Whether nothing is to be said of a division by zero.
    divides_by_zero: bool,
}

impl Notes {
    /// No notes yet; with `divides_by_zero` (see [`crate::SqlMode`]) there will be none of divisions by zero.
    pub(crate) fn new(divides_by_zero: bool) -> Self {
        Self { divides_by_zero, ..Self::default() }
    }

    /// Adds one, unless there are enough.
    pub(crate) fn add(&self, note: SqlError) {
        if self.divides_by_zero && note == SqlError::DivisionByZero {
            return;
        }
        let mut notes = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < KEPT {
            notes.push(note);
        }
    }

    /// The notes so far, which are forgotten.
    pub fn take(&self) -> Vec<SqlError> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How often a row can ask before it is looked whether its statement is given up: that reads the clock.
const ASKED: u32 = 16;

/// Whether the work on a statement is to be given up: asked now and then by what takes long. Clones are the same patience.
#[derive(Clone)]
pub struct Patience(Arc<Asked<dyn Fn() -> bool + Send + Sync>>);

struct Asked<F: ?Sized> {
    /// How often [`Patience::ask`] was called.
    times: AtomicU32,
    over: F,
}

impl Patience {
    /// Until `over` answers true, which should cost little more than to read a clock.
    pub fn new(over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Asked { times: AtomicU32::new(0), over }))
    }

    /// Looks at every 16th time only, so that it can be asked at every step.
    ///
    /// # Errors
    /// [`SqlError::GivenUp`] when it is over.
    pub fn ask(&self) -> Result<(), SqlError> {
        // One that is lost to another thread is asked again soon.
        let times = self.0.times.load(Ordering::Relaxed).wrapping_add(1);
        self.0.times.store(times, Ordering::Relaxed);
        if times.is_multiple_of(ASKED) { self.check() } else { Ok(()) }
    }

    /// Looks at once.
    ///
    /// # Errors
    /// [`SqlError::GivenUp`] when it is over.
    pub fn check(&self) -> Result<(), SqlError> {
        if (self.0.over)() { Err(SqlError::GivenUp) } else { Ok(()) }
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
