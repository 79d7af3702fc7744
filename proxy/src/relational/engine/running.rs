//! The program that runs, and what its functions hold.
//!
//! SQLite tells its functions nothing of the statement they are called for, and passes on of their errors a text only: so what
//! they need, what they have counted and what went wrong is kept here, of one program at a time. Refuses bytes beyond the
//! program's bound, and time beyond its deadline.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cellgate_sql::relational::Program;
use cellgate_sql::{Patience, SqlError};

use crate::sync::lock;
use crate::until::Until;

/// What the functions of a running program share with who runs it.
#[derive(Debug, Default)]
pub(super) struct Running {
    program: Mutex<Option<(Arc<Program>, Patience)>>,
    /// What went wrong in a function: SQLite passes on a text only.
    pub(super) failed: Mutex<Option<SqlError>>,
    /// How many bytes may be held, how many are, and how many of them by the row that is on its way to the client.
    most: AtomicUsize,
    held: AtomicUsize,
    shown: AtomicUsize,
}

impl Running {
    /// A program begins, or (`None`) is over.
    pub(super) fn begin(&self, program: Option<(&Arc<Program>, &Until)>) {
        self.most.store(program.map_or(0, |(program, _)| program.bounds().1), Ordering::Relaxed);
        self.held.store(0, Ordering::Relaxed);
        self.shown.store(0, Ordering::Relaxed);
        *lock(&self.program) = program.map(|(program, until)| {
            let until = until.clone();
            (Arc::clone(program), Patience::new(move || until.is_over()))
        });
    }

    /// So many bytes more are held.
    pub(super) fn hold(&self, bytes: usize) -> rusqlite::Result<()> {
        let most = self.most.load(Ordering::Relaxed);
        let held = self.held.load(Ordering::Relaxed).saturating_add(bytes);
        self.held.store(held, Ordering::Relaxed);
        if held <= most {
            return Ok(());
        }
        let what = "the size of the rows that are held to sort, group or shape".into();
        Err(self.fail(SqlError::Limit { what, limit: most as u64, name: "limits.collect_bytes" }))
    }

    /// So many bytes more are held, by the row that is on its way to the client.
    pub(super) fn show(&self, bytes: usize) -> rusqlite::Result<()> {
        self.shown.fetch_add(bytes, Ordering::Relaxed);
        self.hold(bytes)
    }

    /// So many bytes are held no more.
    pub(super) fn let_go(&self, bytes: usize) {
        let held = self.held.load(Ordering::Relaxed);
        self.held.store(held.saturating_sub(bytes), Ordering::Relaxed);
    }

    /// A row has gone to the client, with what it was made of.
    pub(super) fn row_is_out(&self) {
        self.let_go(self.shown.swap(0, Ordering::Relaxed));
    }

    /// The program, and how long its functions may take together.
    pub(super) fn program(&self) -> Option<(Arc<Program>, Patience)> {
        lock(&self.program).clone()
    }

    /// Asked by every function that is called: SQLite itself looks between its steps only.
    pub(super) fn ask(&self) -> rusqlite::Result<()> {
        let asked = lock(&self.program).as_ref().map_or(Ok(()), |(_, patience)| patience.ask());
        asked.map_err(|error| self.fail(error))
    }

    /// A function ends with this: SQLite is given a text that says where it is.
    pub(super) fn fail(&self, error: SqlError) -> rusqlite::Error {
        lock(&self.failed).get_or_insert(error);
        rusqlite::Error::UserFunctionError("see the running program".into())
    }
}
