//! What can be asked of cells, and the answers.

use crate::cell::{Micros, NewCell};
use crate::keys::{AddedId, ColumnKey, RefKey, RowKey, ShardId, Triple};
use crate::table::TableRef;

/// One question to the cells of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The cells with these names.
    Get {
        /// The table.
        table: TableRef,
        /// The names; an answer per key, in this order.
        keys: Vec<Triple>,
    },
    /// The latest cell of each of these chains.
    Latest {
        /// The table.
        table: TableRef,
        /// The chains; an answer per key, in this order.
        keys: Vec<LatestKey>,
    },
    /// The cells of some rows, in key order.
    Rows {
        /// The table.
        table: TableRef,
        /// Which cells, in which order.
        scan: RowScan,
    },
    /// The log of some shards, in log order.
    Log {
        /// The table.
        table: TableRef,
        /// Which cells.
        scan: LogScan,
    },
    /// Write cells.
    Put {
        /// The table.
        table: TableRef,
        /// The cells. Those that live in one cluster stand or fall together.
        cells: Vec<NewCell>,
    },
    /// Remove bodies for good.
    Erase {
        /// The table.
        table: TableRef,
        /// Which.
        what: Erasure,
    },
}

/// What became of one cell of a put that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The version it has.
    pub ref_key: RefKey,
    /// Its place in the log.
    pub added_id: AddedId,
    /// The shard of that log.
    pub shard: ShardId,
    /// Its time.
    pub created_at: Micros,
    /// `false`: the same cell was there already, and nothing was written.
    pub new: bool,
}

/// One `(row, column)`: the chain of versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chain {
    /// The row.
    pub row: RowKey,
    /// The column.
    pub column: ColumnKey,
}

/// A question for the latest cell of a chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LatestKey {
    /// The row.
    pub row: RowKey,
    /// The column.
    pub column: ColumnKey,
    /// Only versions up to and including this one.
    pub at_most: Option<RefKey>,
}

/// Which rows a [`RowScan`] reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowSet {
    /// These rows, each with the columns the filter lets through. Sorted, without repeats.
    Rows(Vec<RowKey>, ColumnFilter),
    /// These chains. Sorted, without repeats.
    Chains(Vec<Chain>),
}

/// Which columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnFilter {
    /// All.
    All,
    /// These. Sorted, without repeats.
    In(Vec<ColumnKey>),
}

impl ColumnFilter {
    /// Whether it lets this column through.
    pub fn has(&self, column: &ColumnKey) -> bool {
        match self {
            Self::All => true,
            Self::In(columns) => columns.binary_search(column).is_ok(),
        }
    }
}

/// Inclusive bounds on `ref_key`; `None` is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RefRange {
    /// The lowest.
    pub min: Option<RefKey>,
    /// The highest.
    pub max: Option<RefKey>,
}

/// The order of a [`RowScan`]: by `(row_key, column_key, ref_key)`, all ascending or all descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Lowest first.
    Ascending,
    /// Highest first.
    Descending,
}

/// The cells of rows, by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowScan {
    /// Which rows and columns.
    pub set: RowSet,
    /// Which versions.
    pub refs: RefRange,
    /// In which order.
    pub direction: Direction,
    /// Only cells behind this one, in `direction` (where the previous page ended).
    pub after: Option<Triple>,
    /// Only cells with ids up to and including this one: what was there at some time.
    pub up_to: Option<AddedId>,
    /// At most so many visible cells; `None` is all of them.
    pub limit: Option<u64>,
}

/// The log of shards, by `(shard, added_id)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogScan {
    /// Which shards; ascending, without repeats. Empty means none.
    pub shards: Vec<ShardId>,
    /// In each shard only ids above this one.
    pub added_after: Option<AddedId>,
    /// Only cells of this time or later.
    pub created_from: Option<Micros>,
    /// Which columns.
    pub columns: ColumnFilter,
    /// Only cells behind this place (where the previous page ended).
    pub after: Option<(ShardId, AddedId)>,
    /// Only cells with ids up to and including this one: what was there at some time.
    pub up_to: Option<AddedId>,
    /// At most so many visible cells; `None` is all of them.
    pub limit: Option<u64>,
}

/// What to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// Every cell of a row.
    Row(RowKey),
    /// Every version of a column of a row.
    Column(RowKey, ColumnKey),
    /// One cell.
    Cell(Triple),
}

impl Erasure {
    /// The row it is about.
    pub fn row(&self) -> &RowKey {
        match self {
            Self::Row(row) | Self::Column(row, _) => row,
            Self::Cell(triple) => &triple.row,
        }
    }
}

impl Request {
    /// The table it is about.
    pub fn table(&self) -> &TableRef {
        match self {
            Self::Get { table, .. }
            | Self::Latest { table, .. }
            | Self::Rows { table, .. }
            | Self::Log { table, .. }
            | Self::Put { table, .. }
            | Self::Erase { table, .. } => table,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_lets_through_the_columns_that_it_names_or_all() {
        let column = |name: &str| ColumnKey::new(name.to_owned()).unwrap();
        let some = ColumnFilter::In(["a", "c", "d"].map(column).to_vec());
        let let_through = |filter: &ColumnFilter| ["a", "b", "c", "d", "e"].map(|name| filter.has(&column(name)));
        assert_eq!(let_through(&some), [true, false, true, true, false]);
        assert_eq!(let_through(&ColumnFilter::In(Vec::new())), [false; 5]);
        assert_eq!(let_through(&ColumnFilter::All), [true; 5]);
    }
}
