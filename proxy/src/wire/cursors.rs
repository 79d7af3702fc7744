//! Results that stay on the server and are fetched in parts (STMT_FETCH).

use std::collections::HashMap;
use std::sync::Arc;

use cellgate_sql::ColumnType;

/// The open cursors of a connection, at most one for each prepared statement.
pub(super) struct Cursors<C> {
    open: HashMap<u32, Cursor<C>>,
    most: usize,
}

/// An open cursor.
pub(super) struct Cursor<C> {
    /// Where the rows come from.
    pub(super) rows: C,
    pub(super) columns: Arc<[ColumnType]>,
}

impl<C> Cursors<C> {
    pub(super) fn new(most: usize) -> Self {
        Self { open: HashMap::new(), most }
    }

    /// Whether another one may be opened.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < self.most
    }

    /// Keeps the cursor of a statement.
    pub(super) fn insert(&mut self, statement: u32, cursor: Cursor<C>) {
        self.open.insert(statement, cursor);
    }

    pub(super) fn get(&mut self, statement: u32) -> Option<&mut Cursor<C>> {
        self.open.get_mut(&statement)
    }

    pub(super) fn close(&mut self, statement: u32) {
        // Before every execution, and hardly any client has a cursor.
        if !self.open.is_empty() {
            self.open.remove(&statement);
        }
    }

    pub(super) fn clear(&mut self) {
        self.open = HashMap::new();
    }
}
