//! What binding a statement takes: its printed parts are bounded while they are made, and its time is asked for.

use super::Result;
use super::binder::Binder;
use super::print::{Printed, What};
use crate::error::limit;

/// Most bytes of the SQL for the engine, and of all that is printed for it, with the columns that can be named.
const BYTES: usize = 16 << 20;
/// Most nodes printed for one statement.
const NODES: usize = 200_000;
/// What is as long is looked at for some time: patience is asked each time.
const LONG: usize = 64 << 10;

/// What has been printed of a statement.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// How many nodes.
    nodes: usize,
    /// How many bytes are held by what is printed and is not a part of something larger yet.
    bytes: usize,
}

impl Made {
    /// How many bytes are held by what has been printed.
    pub fn held(&self) -> usize {
        self.bytes
    }
}

impl Binder<'_> {
    /// One more node is printed.
    ///
    /// # Errors
    /// [`crate::SqlError::Limit`] when they are too many, [`crate::SqlError::GivenUp`].
    pub fn one_more_node(&mut self) -> Result<()> {
        self.made.nodes += 1;
        if self.made.nodes > NODES {
            return Err(limit("the size of the statement", NODES, "nodes"));
        }
        self.computing.patience.ask()
    }

    /// So many bytes are printed, and held beside what is.
    ///
    /// # Errors
    /// [`crate::SqlError::Limit`] when they are too many, [`crate::SqlError::GivenUp`].
    pub fn hold(&mut self, bytes: usize) -> Result<()> {
        self.hold_instead(self.made.bytes, bytes)
    }

    /// So many bytes are printed out of what was printed since `before` was held, and are held instead of it.
    ///
    /// # Errors
    /// [`crate::SqlError::Limit`] when they are too many, [`crate::SqlError::GivenUp`].
    pub fn hold_instead(&mut self, before: usize, bytes: usize) -> Result<()> {
        self.made.bytes = before.saturating_add(bytes);
        if self.made.bytes > BYTES {
            return Err(limit("the size of the statement", BYTES, "bytes"));
        }
        self.copied(bytes)
    }

    /// So many bytes are written once more.
    ///
    /// # Errors
    /// [`crate::SqlError::GivenUp`].
    pub fn copied(&self, bytes: usize) -> Result<()> {
        let patience = &self.computing.patience;
        if bytes >= LONG { patience.check() } else { patience.ask() }
    }
}

impl Printed {
    /// How many bytes it is printed as.
    pub fn size(&self) -> usize {
        match &self.what {
            What::Sql(sql) => sql.len(),
            // A parameter, which its value is behind.
            What::Constant(_) => 8,
        }
    }
}
