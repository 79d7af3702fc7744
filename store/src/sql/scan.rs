//! Statements that scan rows and logs.
//!
//! A page of a scan is a short list of statements, each a plain range of one index in index order, so that no engine
//! ever sorts or reads more than the page. The list is lazy: a driver runs statements until its page is full.

use cellgate_schemaless::{
    AddedId, CellKind, Chain, ColumnFilter, ColumnKey, Direction, LogScan, RefKey, RowKey, RowScan, RowSet, TableRef,
    Triple,
};

use super::clauses::padded;
use super::{CELL_COLUMNS, Dialect, KeyLists, Param, Query, Sql};

/// Most chains, rows or shards one statement of a scan names. Bounded by MariaDB's optimizer, which turns longer lists
/// (1000 by default) into a join with a temporary table.
const SCAN_KEYS: usize = 512;

/// Keys that every statement of a scan names, if there are so many, however few rows are wanted.
const SCAN_KEYS_LEAST: usize = 16;

/// A part of a row scan that is one index range.
#[derive(Clone, Copy)]
enum Range<'a> {
    /// All columns of a row.
    Row(&'a RowKey),
    /// The columns of a row behind this one.
    RowBehind(&'a RowKey, &'a ColumnKey),
    /// A chain.
    Chain(&'a RowKey, &'a ColumnKey),
    /// The versions of a chain behind this one.
    ChainBehind(&'a Triple),
}

/// A part of a log scan that is one index range, or the same range in many shards.
enum LogRange<'a> {
    /// One shard, above an id.
    Above(i64, i64),
    /// All shards from the first to the second.
    Between(i64, i64),
    /// These shards, each above the same id.
    In(&'a [cellgate_schemaless::ShardId], Option<i64>),
}

impl Dialect {
    /// A page of `limit` rows of a scan: statements to run in order, each answering in the scan's order, until the
    /// page is full. No statement answers more than `limit` rows.
    pub(crate) fn rows<'a>(
        &'a self,
        table: &'a TableRef,
        scan: &'a RowScan,
        limit: u64,
    ) -> impl Iterator<Item = Query> + Send + 'a {
        let size = match self.keys {
            KeyLists::Single => 1,
            // Most have a row: more keys than rows that are wanted would be planned in vain, page after page.
            KeyLists::TupleIn | KeyLists::Unnest => {
                usize::try_from(limit).unwrap_or(SCAN_KEYS).clamp(SCAN_KEYS_LEAST, SCAN_KEYS)
            }
        };
        let mut rest = ranges_behind(scan);
        let mut started = ranges_at(scan).into_iter();
        std::iter::from_fn(move || {
            if let Some(range) = started.next() {
                return Some(self.row_ranges(table, scan, limit, &[range]));
            }
            let chunk: Vec<Range<'a>> = rest.by_ref().take(size).collect();
            (!chunk.is_empty()).then(|| self.row_ranges(table, scan, limit, &chunk))
        })
    }

    /// A page of `limit` rows of a log: statements to run in order, each answering by `(shard, added_id)`, until the
    /// page is full. No statement answers more than `limit` rows.
    pub(crate) fn log<'a>(
        &'a self,
        table: &'a TableRef,
        scan: &'a LogScan,
        limit: u64,
    ) -> impl Iterator<Item = Query> + Send + 'a {
        log_ranges(scan).map(move |range| self.log_range(table, scan, limit, &range))
    }

    /// One range, or many whole rows, or many whole chains.
    fn row_ranges(&self, table: &TableRef, scan: &RowScan, limit: u64, ranges: &[Range<'_>]) -> Query {
        let mut sql = Sql::new(self);
        let (behind, order) = match scan.direction {
            Direction::Ascending => (" > ", ""),
            Direction::Descending => (" < ", " DESC"),
        };
        match (ranges, self.keys) {
            ([Range::RowBehind(row, column)], _) => {
                sql.select_by_name(table, scan).push(" WHERE ").name("row_key").push(" = ").bytes(row.as_bytes());
                sql.push(" AND ").name("column_key").push(behind).bytes(column.as_bytes()).cells(scan);
                sql.order_by("", &["column_key", "ref_key"], order);
            }
            ([Range::ChainBehind(after)], _) => {
                sql.select_by_name(table, scan).push(" WHERE ").key_equals(&after.row, &after.column);
                sql.push(" AND ").name("ref_key").push(behind).int(after.ref_key.0).cells(scan);
                sql.order_by("", &["ref_key"], order);
            }
            ([Range::Row(row)], KeyLists::Single | KeyLists::TupleIn) => {
                sql.select_by_name(table, scan).push(" WHERE ").name("row_key").push(" = ").bytes(row.as_bytes());
                sql.cells(scan).order_by("", &["column_key", "ref_key"], order);
            }
            ([Range::Chain(row, column)], KeyLists::Single | KeyLists::TupleIn) => {
                sql.select_by_name(table, scan).push(" WHERE ").key_equals(row, column).cells(scan);
                sql.order_by("", &["ref_key"], order);
            }
            (many, KeyLists::Single | KeyLists::TupleIn) => {
                sql.select_by_name(table, scan).push(" WHERE ").key_in(many).cells(scan);
                sql.order_by("", &["row_key", "column_key", "ref_key"], order);
            }
            (many, KeyLists::Unnest) => {
                // A list of keys makes PostgreSQL sort; a lateral join over sorted keys is in order by itself.
                let chains = matches!(many.first(), Some(Range::Chain(..)));
                let (keys, inner): (&[&str], &[&str]) =
                    if chains { (&["r", "c"], &["ref_key"]) } else { (&["r"], &["column_key", "ref_key"]) };
                sql.push("SELECT ").names("x.", &CELL_COLUMNS).push(" FROM (SELECT ").names("", keys);
                sql.push(" FROM unnest(").param(Param::BytesList(many.iter().map(|m| m.row().clone()).collect()));
                if chains {
                    let columns = many.iter().filter_map(|m| m.column().cloned()).collect();
                    sql.push(", ").param(Param::BytesList(columns));
                }
                sql.push(") AS u(").names("", keys).push(")").order_by("", keys, order);
                sql.push(") AS q CROSS JOIN LATERAL (").select("", table).push(" WHERE ").name("row_key");
                sql.push(" = q.r");
                if chains {
                    sql.push(" AND ").name("column_key").push(" = q.c");
                }
                sql.cells(scan).order_by("", inner, order).limit(limit).push(") AS x");
                sql.order_by("q.", keys, order);
                for column in inner {
                    sql.push(", x.").name(column).push(order);
                }
            }
        }
        sql.limit(limit).finish()
    }

    fn log_range(&self, table: &TableRef, scan: &LogScan, limit: u64, range: &LogRange<'_>) -> Query {
        let mut sql = Sql::new(self);
        match (range, self.keys) {
            (LogRange::Above(shard, id), _) => {
                sql.select("", table).use_index(&self.log_index(table.id)).push(" WHERE ").name("shard");
                sql.push(" = ").int(*shard).push(" AND ").name("added_id").push(" > ").int(*id).log_filter(scan);
                sql.order_by("", &["added_id"], "");
            }
            (LogRange::Between(first, last), _) => {
                sql.select("", table).use_index(&self.log_index(table.id)).push(" WHERE ").name("shard");
                sql.push(" >= ").int(*first).push(" AND ").name("shard").push(" <= ").int(*last).log_filter(scan);
                sql.order_by("", &["shard", "added_id"], "");
            }
            (LogRange::In(shards, above), KeyLists::Single | KeyLists::TupleIn) => {
                sql.select("", table).use_index(&self.log_index(table.id)).push(" WHERE ").name("shard");
                sql.push(" IN (");
                for (i, shard) in padded(shards).enumerate() {
                    sql.push(if i > 0 { ", " } else { "" }).int(i64::from(shard.0));
                }
                sql.push(")").above(*above).log_filter(scan).order_by("", &["shard", "added_id"], "");
            }
            (LogRange::In(shards, above), KeyLists::Unnest) => {
                sql.push("SELECT ").names("x.", &CELL_COLUMNS).push(" FROM (SELECT s FROM unnest(");
                sql.param(Param::IntList(shards.iter().map(|s| i64::from(s.0)).collect()));
                sql.push(") AS u(s) ORDER BY s) AS q CROSS JOIN LATERAL (").select("", table).push(" WHERE ");
                sql.name("shard").push(" = q.s").above(*above).log_filter(scan);
                sql.order_by("", &["added_id"], "").limit(limit).push(") AS x ORDER BY q.s, x.").name("added_id");
            }
        }
        sql.limit(limit).finish()
    }
}

impl Sql<'_> {
    fn key_in(&mut self, ranges: &[Range<'_>]) -> &mut Self {
        let chains = matches!(ranges.first(), Some(Range::Chain(..)));
        if chains {
            self.push("(").names("", &["row_key", "column_key"]).push(") IN (");
        } else {
            self.name("row_key").push(" IN (");
        }
        for (i, range) in padded(ranges).enumerate() {
            self.push(if i > 0 { ", " } else { "" });
            match range.column() {
                Some(column) => {
                    self.push("(").bytes(range.row()).push(", ").bytes(column).push(")");
                }
                None => {
                    self.bytes(range.row());
                }
            }
        }
        self.push(")")
    }

    /// A bound of ids is no way to find the rows of keys, though a server has an index of them, too.
    fn select_by_name(&mut self, table: &TableRef, scan: &RowScan) -> &mut Self {
        self.select("", table);
        if scan.up_to.is_some() {
            self.use_index(&self.dialect.cell_index(table.id));
        }
        self
    }

    /// Rows of kind cell within bounds.
    fn cells(&mut self, scan: &RowScan) -> &mut Self {
        if let Some(RefKey(min)) = scan.refs.min {
            self.push(" AND ").name("ref_key").push(" >= ").int(min);
        }
        if let Some(RefKey(max)) = scan.refs.max {
            self.push(" AND ").name("ref_key").push(" <= ").int(max);
        }
        self.up_to(scan.up_to);
        self.push(" AND ").name("kind").push(" = ").push(&CellKind::Cell.code().to_string())
    }

    fn above(&mut self, id: Option<i64>) -> &mut Self {
        if let Some(id) = id {
            self.push(" AND ").name("added_id").push(" > ").int(id);
        }
        self
    }

    pub(super) fn up_to(&mut self, id: Option<AddedId>) -> &mut Self {
        if let Some(AddedId(id)) = id {
            self.push(" AND ").name("added_id").push(" <= ").int(id);
        }
        self
    }

    fn log_filter(&mut self, scan: &LogScan) -> &mut Self {
        self.up_to(scan.up_to);
        if let Some(from) = scan.created_from {
            self.push(" AND ").name("created_at").push(" >= ").int(from.0);
        }
        match (&scan.columns, self.dialect.keys) {
            (ColumnFilter::All, _) => {}
            (ColumnFilter::In(columns), KeyLists::Unnest) => {
                let list = columns.iter().map(|c| c.as_bytes().clone()).collect();
                self.push(" AND ").name("column_key").push(" = ANY(").param(Param::BytesList(list)).push(")");
            }
            (ColumnFilter::In(columns), KeyLists::Single | KeyLists::TupleIn) => {
                self.push(" AND ").name("column_key").push(" IN (");
                for (i, column) in padded(columns).enumerate() {
                    self.push(if i > 0 { ", " } else { "" }).bytes(column.as_bytes());
                }
                self.push(")");
            }
        }
        self.push(" AND ").name("kind").push(" = ").push(&CellKind::Cell.code().to_string())
    }
}

impl<'a> Range<'a> {
    fn row(&self) -> &'a bytes::Bytes {
        match self {
            Self::Row(row) | Self::RowBehind(row, _) | Self::Chain(row, _) => row.as_bytes(),
            Self::ChainBehind(after) => after.row.as_bytes(),
        }
    }

    /// The column of a whole chain.
    fn column(&self) -> Option<&'a bytes::Bytes> {
        match self {
            Self::Chain(_, column) => Some(column.as_bytes()),
            Self::Row(_) | Self::RowBehind(..) | Self::ChainBehind(_) => None,
        }
    }
}

/// The rest of the chain and row in which the page before ended.
fn ranges_at(scan: &RowScan) -> Vec<Range<'_>> {
    let Some(after) = &scan.after else { return Vec::new() };
    match &scan.set {
        RowSet::Rows(rows, ColumnFilter::All) if rows.contains(&after.row) => {
            vec![Range::ChainBehind(after), Range::RowBehind(&after.row, &after.column)]
        }
        RowSet::Rows(rows, ColumnFilter::In(columns))
            if rows.contains(&after.row) && columns.contains(&after.column) =>
        {
            vec![Range::ChainBehind(after)]
        }
        RowSet::Chains(chains) if chains.iter().any(|c| c.row == after.row && c.column == after.column) => {
            vec![Range::ChainBehind(after)]
        }
        RowSet::Rows(..) | RowSet::Chains(_) => Vec::new(),
    }
}

/// The whole rows, or the whole chains, behind the place where the page before ended, in the scan's direction.
fn ranges_behind(scan: &RowScan) -> Box<dyn Iterator<Item = Range<'_>> + Send + '_> {
    match &scan.set {
        RowSet::Rows(rows, ColumnFilter::All) => {
            Box::new(directed(rows, scan.direction).filter(|r| row_is_behind(scan, r)).map(Range::Row))
        }
        RowSet::Rows(rows, ColumnFilter::In(columns)) => Box::new(
            directed(rows, scan.direction)
                .flat_map(|row| directed(columns, scan.direction).map(move |column| (row, column)))
                .filter(|(row, column)| chain_is_behind(scan, row, column))
                .map(|(row, column)| Range::Chain(row, column)),
        ),
        RowSet::Chains(chains) => Box::new(
            directed(chains, scan.direction)
                .filter(|c| chain_is_behind(scan, &c.row, &c.column))
                .map(|Chain { row, column }| Range::Chain(row, column)),
        ),
    }
}

fn row_is_behind(scan: &RowScan, row: &RowKey) -> bool {
    let Some(after) = &scan.after else { return true };
    match scan.direction {
        Direction::Ascending => *row > after.row,
        Direction::Descending => *row < after.row,
    }
}

fn chain_is_behind(scan: &RowScan, row: &RowKey, column: &ColumnKey) -> bool {
    let Some(after) = &scan.after else { return true };
    match scan.direction {
        Direction::Ascending => (row, column) > (&after.row, &after.column),
        Direction::Descending => (row, column) < (&after.row, &after.column),
    }
}

fn directed<T: Sync>(list: &[T], direction: Direction) -> Box<dyn Iterator<Item = &T> + Send + '_> {
    match direction {
        Direction::Ascending => Box::new(list.iter()),
        Direction::Descending => Box::new(list.iter().rev()),
    }
}

/// The ranges of a log scan, in order: what is left of the shard in which the page before ended, then the others.
fn log_ranges(scan: &LogScan) -> impl Iterator<Item = LogRange<'_>> + Send {
    let floor = scan.added_after.map(|id| id.0);
    let (at, rest) = match scan.after {
        None => (None, scan.shards.as_slice()),
        Some((shard, id)) => {
            let behind = scan.shards.partition_point(|s| *s <= shard);
            let at = scan.shards[..behind].last() == Some(&shard);
            let above = floor.map_or(id.0, |f| f.max(id.0));
            (at.then(|| LogRange::Above(i64::from(shard.0), above)), &scan.shards[behind..])
        }
    };
    // Neighbouring shards without a lowest id are one range; with one, each shard is a range of its own.
    let contiguous = match (rest.first(), rest.last()) {
        (Some(first), Some(last)) => usize::from(last.0 - first.0) + 1 == rest.len(),
        (None, _) | (_, None) => false,
    };
    let whole = (contiguous && floor.is_none() && rest.len() > 1)
        .then(|| LogRange::Between(i64::from(rest[0].0), i64::from(rest[rest.len() - 1].0)));
    let chunks = if whole.is_some() { &[] } else { rest };
    let single = move |chunk: &'_ [cellgate_schemaless::ShardId]| match chunk {
        [one] => Some(LogRange::Above(i64::from(one.0), floor.unwrap_or(i64::MIN))),
        _ => None,
    };
    at.into_iter()
        .chain(whole)
        .chain(chunks.chunks(SCAN_KEYS).map(move |chunk| single(chunk).unwrap_or(LogRange::In(chunk, floor))))
}
