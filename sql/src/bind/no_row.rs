//! Evaluation where there is no row: of what a statement says itself.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::environment::Environment;
use crate::error::SqlError;
use crate::expression::{Scope, Slot};
use crate::shape::Patience;
use crate::value::Value;

/// What functions may make while one statement is bound, in bytes: several times what its values can take.
pub(super) const BIND_BYTES: usize = 256 << 20;
/// Takes so many bytes of what functions may make.
///
/// # Errors
/// When there are no more.
pub(super) fn take_room(room: &AtomicUsize, bytes: usize) -> Result<(), SqlError> {
    let taken = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(bytes));
    taken.map(|_| ()).map_err(|_| SqlError::Limit {
        what: "what functions make of the statement's values, in bytes,".into(),
        limit: BIND_BYTES as u64,
        name: "bind_bytes",
    })
}

/// Who hears of what a value loses where there is no row.
#[derive(Clone, Copy)]
pub(super) enum Hears<'a> {
    /// Nobody.
    Nothing,
    /// It is an error: the value is stored, or made once more where it can be told of.
    Fails,
    /// The same, but a division by zero is NULL.
    FailsOfText,
    /// The session, which warns of it.
    Warns(&'a dyn Environment),
}

/// Where there is no row.
pub(super) struct NoRow<'a> {
    pub longest: usize,
    pub room: &'a AtomicUsize,
    /// How often it may still ask, if that is bounded.
    pub steps: Option<&'a AtomicUsize>,
    pub patience: &'a Patience,
    /// Whether nothing is said of a division by zero.
    pub divides: bool,
    pub hears: Hears<'a>,
}

impl Scope<Slot> for NoRow<'_> {
    fn leaf(&self, slot: &Slot) -> Result<Value, SqlError> {
        Err(SqlError::Internal(format!("slot {} without a row", slot.0)))
    }

    fn longest(&self) -> usize {
        self.longest
    }

    fn made(&self, bytes: usize) -> Result<(), SqlError> {
        take_room(self.room, bytes)
    }

    fn lost(&self, told: SqlError) -> Result<(), SqlError> {
        if self.divides && told == SqlError::DivisionByZero {
            return Ok(());
        }
        match self.hears {
            Hears::Nothing => Ok(()),
            Hears::FailsOfText if told == SqlError::DivisionByZero => Ok(()),
            Hears::Fails | Hears::FailsOfText => Err(told),
            Hears::Warns(env) => {
                env.lost(told);
                Ok(())
            }
        }
    }

    fn patience(&self) -> Result<(), SqlError> {
        if let Some(steps) = self.steps {
            let left = steps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |steps| steps.checked_sub(1));
            left.map_err(|_| SqlError::GivenUp)?;
        }
        self.patience.ask()
    }
}
