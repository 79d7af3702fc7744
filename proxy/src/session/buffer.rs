//! The writes of a transaction, kept in the session until COMMIT.

use std::collections::{BTreeMap, BTreeSet};

use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, Chain, LatestKey, Micros, RefKey, RowScan, RowSet, ShardId, TableId, TableRef,
    Token, Triple,
};

use super::error::StatementError;

/// A cell that waits for COMMIT.
#[derive(Clone, Debug)]
pub struct Buffered {
    /// Its table.
    pub table: TableRef,
    /// Its name; a next version was counted up when the statement ran, so that the client could be told.
    pub triple: Triple,
    /// Its JSON.
    pub body: Body,
    /// Whether its store had it already, with this body. It is read from there, and written at COMMIT only so that COMMIT
    /// answers for it as for the others: a server may have shown it before it was on its disk. Of any other the client was
    /// told that it is new: a cell of its name by anybody else means that the race is lost.
    pub stored: bool,
    /// When the statement ran; the cell's time is that of the COMMIT.
    pub at: Micros,
    /// Its shard.
    pub shard: ShardId,
}

impl Buffered {
    /// With bytes of its own: what a client sent is a slice of its packet, which would be kept as a whole and not be
    /// counted.
    fn detached(self) -> Self {
        let Triple { row, column, ref_key } = &self.triple;
        let triple = Triple { row: row.detached(), column: column.detached(), ref_key: *ref_key };
        Self { triple, body: self.body.detached(), ..self }
    }

    /// As the transaction's own reads see it: it has no place in the log yet.
    pub fn as_cell(&self) -> Cell {
        Cell {
            triple: self.triple.clone(),
            body: Some(self.body.clone()),
            added_id: AddedId(0),
            shard: self.shard,
            created_at: self.at,
            kind: CellKind::Cell,
            token: Token(0),
            txn: None,
        }
    }
}

/// Bounds of a transaction.
#[derive(Clone, Copy, Debug)]
pub struct BufferLimits {
    /// `limits.transaction_cells`.
    pub cells: u64,
    /// `limits.transaction_bytes`.
    pub bytes: u64,
}

/// The writes of one transaction, in order.
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    cells: Vec<Buffered>,
    /// Index into `cells`, of those that are new.
    by_name: BTreeMap<(TableId, Triple), usize>,
    /// Those that were stored already.
    stored: BTreeSet<(TableId, Triple)>,
    bytes: u64,
}

impl Buffer {
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// How many cells were written.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// The tables that cells were written to.
    pub fn tables(&self) -> BTreeSet<TableId> {
        self.cells.iter().map(|cell| cell.table.id).collect()
    }

    /// All of them, in order.
    pub fn into_cells(self) -> Vec<Buffered> {
        self.cells
    }

    /// Adds a cell whose name is not there yet; one that was stored already may be there.
    ///
    /// # Errors
    /// [`StatementError::TransactionTooLarge`]: nothing is added.
    pub fn push(&mut self, cell: Buffered, limits: BufferLimits) -> Result<(), StatementError> {
        if cell.stored && self.stored.contains(&(cell.table.id, cell.triple.clone())) {
            return Ok(());
        }
        let Triple { row, column, .. } = &cell.triple;
        let size = row.as_bytes().len() + column.as_bytes().len() + cell.body.as_bytes().len();
        if self.cells.len() as u64 >= limits.cells {
            return Err(StatementError::TransactionTooLarge { limit: limits.cells, name: "limits.transaction_cells" });
        }
        if self.bytes + size as u64 > limits.bytes {
            return Err(StatementError::TransactionTooLarge { limit: limits.bytes, name: "limits.transaction_bytes" });
        }
        self.bytes += size as u64;
        let cell = cell.detached();
        let name = (cell.table.id, cell.triple.clone());
        if cell.stored {
            self.stored.insert(name);
        } else {
            self.by_name.insert(name, self.cells.len());
        }
        self.cells.push(cell);
        Ok(())
    }

    /// Forgets everything from the `len`th cell on.
    pub fn truncate(&mut self, len: usize) {
        for cell in self.cells.drain(len..) {
            let Triple { row, column, .. } = &cell.triple;
            let size = row.as_bytes().len() + column.as_bytes().len() + cell.body.as_bytes().len();
            self.bytes = self.bytes.saturating_sub(size as u64);
            let name = (cell.table.id, cell.triple);
            if cell.stored {
                self.stored.remove(&name);
            } else {
                self.by_name.remove(&name);
            }
        }
    }

    /// A cell by its name.
    pub fn get(&self, table: TableId, triple: &Triple) -> Option<&Buffered> {
        self.by_name.get(&(table, triple.clone())).and_then(|index| self.cells.get(*index))
    }

    /// The latest cell of a chain.
    pub fn latest(&self, table: TableId, key: &LatestKey) -> Option<&Buffered> {
        let name = |ref_key| (table, Triple { row: key.row.clone(), column: key.column.clone(), ref_key });
        let range = name(RefKey(i64::MIN))..=name(key.at_most.unwrap_or(RefKey(i64::MAX)));
        self.by_name.range(range).next_back().and_then(|(_, index)| self.cells.get(*index))
    }

    /// The highest version of a chain.
    pub fn highest(&self, table: TableId, chain: &Chain) -> Option<RefKey> {
        let key = LatestKey { row: chain.row.clone(), column: chain.column.clone(), at_most: None };
        self.latest(table, &key).map(|c| c.triple.ref_key)
    }

    /// The cells a row scan would find, in no order.
    pub fn matching<'a>(&'a self, table: TableId, scan: &'a RowScan) -> impl Iterator<Item = &'a Buffered> {
        self.of_table(table).filter(move |cell| {
            let Triple { row, column, ref_key } = &cell.triple;
            let named = match &scan.set {
                RowSet::Rows(rows, filter) => rows.binary_search(row).is_ok() && filter.has(column),
                RowSet::Chains(chains) => {
                    chains.binary_search_by(|chain| (&chain.row, &chain.column).cmp(&(row, column))).is_ok()
                }
            };
            named && scan.refs.min.is_none_or(|min| *ref_key >= min) && scan.refs.max.is_none_or(|max| *ref_key <= max)
        })
    }

    /// The new cells of a table, in the order they were written.
    pub fn of_table(&self, table: TableId) -> impl Iterator<Item = &Buffered> {
        self.cells.iter().filter(move |c| c.table.id == table && !c.stored)
    }
}

#[cfg(test)]
mod tests;
