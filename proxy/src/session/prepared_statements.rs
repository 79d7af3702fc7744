//! Prepared statements that a session keeps, by the protocol and by name, and how much of their texts it may.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cellgate_sql::Parameters;

use super::error::StatementError;
use super::run::Execution;
use crate::plans::Plan;

/// How many bytes the texts of a session's prepared statements have together.
#[derive(Debug, Default)]
pub(super) struct PreparedRoom(Arc<AtomicUsize>);

/// What one of them takes of it; given back when it is closed.
#[derive(Debug)]
pub(super) struct Place {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

/// A statement that was prepared.
#[derive(Debug)]
pub struct Kept {
    plan: Arc<Plan>,
    /// The session's database when it was prepared, which its names without one are of at every execution.
    database: Option<Arc<str>>,
    _place: Place,
}

impl PreparedRoom {
    /// Room for a text of so many bytes, if all together have no more than `most`.
    ///
    /// # Errors
    /// [`StatementError::PreparedTooLong`]: they would have more.
    pub(super) fn take(&self, bytes: usize, most: usize) -> Result<Place, StatementError> {
        // Only the session itself takes some: nobody comes in between.
        if bytes > most.saturating_sub(self.0.load(Ordering::Relaxed)) {
            return Err(StatementError::PreparedTooLong(most));
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Ok(Place { all: Arc::clone(&self.0), bytes })
    }
}

impl Place {
    /// The statement that it was taken for, prepared in this database.
    pub(super) fn keep(self, plan: Arc<Plan>, database: Option<Arc<str>>) -> Kept {
        Kept { plan, database, _place: self }
    }
}

impl Kept {
    /// The database that it was prepared in.
    pub(super) fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// An execution of it with these parameters.
    pub(super) fn execution<'a>(&'a self, params: &'a Parameters) -> Execution<'a> {
        Execution { statement: self.plan.statement(), params, database: self.database() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Deref for Kept {
    type Target = Arc<Plan>;

    fn deref(&self) -> &Arc<Plan> {
        &self.plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_no_more_than_the_limit_together_and_what_is_closed_makes_room() {
        let room = PreparedRoom::default();
        let first = room.take(60, 100).unwrap();
        assert!(matches!(room.take(41, 100), Err(StatementError::PreparedTooLong(100))));
        let second = room.take(40, 100).unwrap();
        assert!(room.take(1, 100).is_err());
        // A limit that was lowered is no reason to forget any.
        assert!(room.take(1, 50).is_err());
        drop(first);
        assert!(room.take(60, 100).is_ok());
        drop(second);
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }
}
