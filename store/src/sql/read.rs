//! Statements that read cells.
//!
//! A page of a scan is a short list of statements, each a plain range of one index in index order, so that no engine
//! ever sorts or reads more than the page. The list is lazy: a driver runs statements until its page is full.

use std::collections::HashMap;

use cellgate_schemaless::{
    Cell, CellKind, Chain, ColumnFilter, ColumnKey, Direction, LatestKey, LogScan, RefKey, RefRange, RowKey, RowScan,
    RowSet, TableRef, Triple,
};

use crate::hash::FastHash;

use super::{CELL_COLUMNS, Dialect, KeyLists, Newest, Param, Query, Sql};

/// Longest body that a statement with several keys answers, in bytes (CORRECTNESS C16). A longer one is NULL there
/// ([`left_out`]) and fetched alone, so that small cells never wait behind large ones and an answer has a bound.
pub(crate) const BATCH_BODY: usize = 256 * 1024;

/// Most chains, rows or shards one statement of a scan names. Bounded by MariaDB's optimizer, which turns longer lists
/// (1000 by default) into a join with a temporary table.
const SCAN_KEYS: usize = 512;

/// Most keys of a statement with a subselect for each ([`Newest::Maxima`]). In longer lists the join is as cheap, and a server
/// keeps some kilobytes for each subselect of a prepared statement.
const MAXIMA: usize = 64;

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
    /// The cells with these names, in any order ([`match_gets`] puts them back). At least one key; exactly one with
    /// [`KeyLists::Single`]. Parameters of one key: row, column, version.
    pub(crate) fn get(&self, table: &TableRef, keys: &[Triple]) -> Query {
        let mut sql = Sql::new(self);
        match self.keys {
            KeyLists::Single | KeyLists::TupleIn if keys.len() == 1 => {
                sql.select("", table).push(" WHERE ").key_equals(&keys[0].row, &keys[0].column);
                sql.push(" AND ").name("ref_key").push(" = ").int(keys[0].ref_key.0);
            }
            KeyLists::Single | KeyLists::TupleIn => {
                sql.select_several("", keys.len()).push(" FROM ").name(table.physical());
                sql.push(" WHERE (").names("", &["row_key", "column_key", "ref_key"]);
                sql.push(") IN (");
                for (i, key) in padded(keys).enumerate() {
                    sql.push(if i > 0 { ", (" } else { "(" }).bytes(key.row.as_bytes()).push(", ");
                    sql.bytes(key.column.as_bytes()).push(", ").int(key.ref_key.0).push(")");
                }
                sql.push(")");
            }
            KeyLists::Unnest => {
                sql.select_several("c.", keys.len()).push(" FROM unnest(");
                sql.param(Param::BytesList(keys.iter().map(|k| k.row.as_bytes().clone()).collect())).push(", ");
                sql.param(Param::BytesList(keys.iter().map(|k| k.column.as_bytes().clone()).collect())).push(", ");
                sql.param(Param::IntList(keys.iter().map(|k| k.ref_key.0).collect()));
                sql.push(") AS q(r, c, v) JOIN ").name(table.physical()).push(" AS c ON c.").name("row_key");
                sql.push(" = q.r AND c.").name("column_key").push(" = q.c AND c.").name("ref_key").push(" = q.v");
            }
        }
        sql.finish()
    }

    /// The text of [`get`](Self::get) for one key.
    pub(crate) fn get_text(&self, table: &TableRef) -> String {
        let any =
            Triple { row: RowKey::from_store(&b""[..]), column: ColumnKey::from_store(&b""[..]), ref_key: RefKey(0) };
        self.get(table, &[any]).text
    }

    /// The latest row of each chain, in any order ([`match_latest`] puts them back). At least one key; exactly one
    /// with [`KeyLists::Single`]. Parameters of one key: row, column, highest version; with [`Newest::Maxima`] and without
    /// bounds row and column, twice.
    ///
    /// With [`KeyLists::TupleIn`] the answer may be a lock or closed row, which the maximum is taken over for being
    /// in the index alone: [`below_hidden`] says what to ask again.
    pub(crate) fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Query {
        let mut sql = Sql::new(self);
        match self.keys {
            KeyLists::Single => {
                sql.latest_of(table, &keys[0], 1);
            }
            KeyLists::TupleIn if self.takes_maxima(keys) => {
                sql.latest_by_maxima(table, keys);
            }
            KeyLists::TupleIn if keys.len() == 1 => {
                sql.latest_of(table, &keys[0], 1);
            }
            KeyLists::TupleIn => {
                let (bounded, open): (Vec<_>, Vec<_>) = keys.iter().partition(|k| k.at_most.is_some());
                if !open.is_empty() {
                    sql.latest_by_maximum(table, &open);
                }
                for (i, key) in bounded.into_iter().enumerate() {
                    sql.push(if i > 0 || !open.is_empty() { " UNION ALL (" } else { "(" });
                    sql.latest_of(table, key, keys.len()).push(")");
                }
            }
            KeyLists::Unnest => {
                sql.select_several("x.", keys.len()).push(" FROM unnest(");
                sql.param(Param::BytesList(keys.iter().map(|k| k.row.as_bytes().clone()).collect())).push(", ");
                sql.param(Param::BytesList(keys.iter().map(|k| k.column.as_bytes().clone()).collect())).push(", ");
                sql.param(Param::IntList(keys.iter().map(highest).collect()));
                sql.push(") AS q(r, c, v) CROSS JOIN LATERAL (").select("", table).push(" WHERE ").name("row_key");
                sql.push(" = q.r AND ").name("column_key").push(" = q.c AND ").name("ref_key").push(" <= q.v AND ");
                sql.not_hidden().push(" ORDER BY ").name("ref_key").push(" DESC LIMIT 1) AS x");
            }
        }
        sql.finish()
    }

    /// Whether [`latest`](Self::latest) of these keys is by [`Newest::Maxima`].
    pub(crate) fn takes_maxima(&self, keys: &[LatestKey]) -> bool {
        let open = || keys.iter().all(|key| key.at_most.is_none());
        self.newest == Newest::Maxima && keys.len() <= MAXIMA && open()
    }

    /// The text of [`latest`](Self::latest) for one key.
    pub(crate) fn latest_text(&self, table: &TableRef) -> String {
        let any =
            LatestKey { row: RowKey::from_store(&b""[..]), column: ColumnKey::from_store(&b""[..]), at_most: None };
        self.latest(table, &[any]).text
    }

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
            KeyLists::TupleIn | KeyLists::Unnest => SCAN_KEYS,
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
                sql.select("", table).push(" WHERE ").name("row_key").push(" = ").bytes(row.as_bytes());
                sql.push(" AND ").name("column_key").push(behind).bytes(column.as_bytes()).cells(&scan.refs);
                sql.order_by("", &["column_key", "ref_key"], order);
            }
            ([Range::ChainBehind(after)], _) => {
                sql.select("", table).push(" WHERE ").key_equals(&after.row, &after.column);
                sql.push(" AND ").name("ref_key").push(behind).int(after.ref_key.0).cells(&scan.refs);
                sql.order_by("", &["ref_key"], order);
            }
            ([Range::Row(row)], KeyLists::Single | KeyLists::TupleIn) => {
                sql.select("", table).push(" WHERE ").name("row_key").push(" = ").bytes(row.as_bytes());
                sql.cells(&scan.refs).order_by("", &["column_key", "ref_key"], order);
            }
            ([Range::Chain(row, column)], KeyLists::Single | KeyLists::TupleIn) => {
                sql.select("", table).push(" WHERE ").key_equals(row, column).cells(&scan.refs);
                sql.order_by("", &["ref_key"], order);
            }
            (many, KeyLists::Single | KeyLists::TupleIn) => {
                sql.select("", table).push(" WHERE ").key_in(many).cells(&scan.refs);
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
                sql.cells(&scan.refs).order_by("", inner, order).limit(limit).push(") AS x");
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
    fn select(&mut self, prefix: &str, table: &TableRef) -> &mut Self {
        self.push("SELECT ").names(prefix, &CELL_COLUMNS).push(" FROM ").name(table.physical())
    }

    /// The columns of cells for a statement of so many keys: of several, a body is NULL if it is longer than
    /// [`BATCH_BODY`].
    fn select_several(&mut self, prefix: &str, keys: usize) -> &mut Self {
        if keys == 1 {
            return self.push("SELECT ").names(prefix, &CELL_COLUMNS);
        }
        let (body, others) = ("body", &CELL_COLUMNS[..CELL_COLUMNS.len() - 1]);
        self.push("SELECT ").names(prefix, others).push(", CASE WHEN LENGTH(").push(prefix).name(body);
        self.push(") <= ")
            .push(&BATCH_BODY.to_string())
            .push(" THEN ")
            .push(prefix)
            .name(body)
            .push(" END AS ")
            .name(body)
    }

    pub(super) fn use_index(&mut self, index: &str) -> &mut Self {
        if let Some((open, close)) = self.dialect.index_hint {
            self.push(open).name(index).push(close);
        }
        self
    }

    fn key_equals(&mut self, row: &RowKey, column: &ColumnKey) -> &mut Self {
        self.name("row_key").push(" = ").bytes(row.as_bytes());
        self.push(" AND ").name("column_key").push(" = ").bytes(column.as_bytes())
    }

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

    fn latest_of(&mut self, table: &TableRef, key: &LatestKey, keys: usize) -> &mut Self {
        self.select_several("", keys)
            .push(" FROM ")
            .name(table.physical())
            .push(" WHERE ")
            .key_equals(&key.row, &key.column);
        self.push(" AND ").name("ref_key").push(" <= ").int(highest(key)).push(" AND ").not_hidden();
        self.push(" ORDER BY ").name("ref_key").push(" DESC LIMIT 1")
    }

    fn latest_by_maximum(&mut self, table: &TableRef, keys: &[&LatestKey]) -> &mut Self {
        self.select_several("c.", usize::MAX).push(" FROM (SELECT ");
        self.names("", &["row_key", "column_key"]).push(", MAX(").name("ref_key").push(") AS v FROM ");
        self.name(table.physical()).push(" WHERE (").names("", &["row_key", "column_key"]).push(") IN (");
        for (i, key) in padded(keys).enumerate() {
            self.push(if i > 0 { ", (" } else { "(" }).bytes(key.row.as_bytes()).push(", ");
            self.bytes(key.column.as_bytes()).push(")");
        }
        self.push(") GROUP BY ").names("", &["row_key", "column_key"]).push(") AS m JOIN ").name(table.physical());
        self.push(" AS c ON c.").name("row_key").push(" = m.").name("row_key").push(" AND c.").name("column_key");
        self.push(" = m.").name("column_key").push(" AND c.").name("ref_key").push(" = m.v")
    }

    fn latest_by_maxima(&mut self, table: &TableRef, keys: &[LatestKey]) -> &mut Self {
        self.select_several("", keys.len()).push(" FROM ").name(table.physical()).push(" WHERE (");
        self.names("", &["row_key", "column_key", "ref_key"]).push(") IN (");
        for (i, key) in padded(keys).enumerate() {
            self.push(if i > 0 { ", (" } else { "(" }).bytes(key.row.as_bytes()).push(", ");
            self.bytes(key.column.as_bytes()).push(", (SELECT MAX(").name("ref_key").push(") FROM ");
            self.name(table.physical()).push(" WHERE ").key_equals(&key.row, &key.column).push("))");
        }
        self.push(")")
    }

    /// Neither lock nor closed.
    fn not_hidden(&mut self) -> &mut Self {
        let (lock, closed) = (CellKind::Lock.code().to_string(), CellKind::Closed.code().to_string());
        self.name("kind").push(" NOT IN (").push(&lock).push(", ").push(&closed).push(")")
    }

    /// Rows of kind cell within bounds.
    fn cells(&mut self, refs: &RefRange) -> &mut Self {
        if let Some(RefKey(min)) = refs.min {
            self.push(" AND ").name("ref_key").push(" >= ").int(min);
        }
        if let Some(RefKey(max)) = refs.max {
            self.push(" AND ").name("ref_key").push(" <= ").int(max);
        }
        self.push(" AND ").name("kind").push(" = ").push(&CellKind::Cell.code().to_string())
    }

    fn above(&mut self, id: Option<i64>) -> &mut Self {
        if let Some(id) = id {
            self.push(" AND ").name("added_id").push(" > ").int(id);
        }
        self
    }

    fn log_filter(&mut self, scan: &LogScan) -> &mut Self {
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

    fn order_by(&mut self, prefix: &str, columns: &[&str], order: &str) -> &mut Self {
        self.push(" ORDER BY ");
        for (i, column) in columns.iter().enumerate() {
            self.push(if i > 0 { ", " } else { "" }).push(prefix).name(column).push(order);
        }
        self
    }

    fn limit(&mut self, limit: u64) -> &mut Self {
        self.push(" LIMIT ").int(i64::try_from(limit).unwrap_or(i64::MAX))
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

/// The highest version a key asks for.
fn highest(key: &LatestKey) -> i64 {
    key.at_most.map_or(i64::MAX, |v| v.0)
}

/// The keys, the last one repeated up to the next power of two: a list of keys then has few different texts.
fn padded<T>(keys: &[T]) -> impl Iterator<Item = &T> {
    let missing = keys.len().next_power_of_two() - keys.len();
    keys.iter().chain(keys.last().into_iter().cycle().take(missing))
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

/// One answer per key, in the order of the keys.
pub(crate) fn match_gets(keys: &[Triple], cells: Vec<Cell>) -> Vec<Option<Cell>> {
    if let [key] = keys {
        return vec![cells.into_iter().find(|cell| cell.triple == *key)];
    }
    let mut first: HashMap<&Triple, usize, FastHash> =
        HashMap::with_capacity_and_hasher(keys.len(), FastHash::default());
    for (i, key) in keys.iter().enumerate() {
        first.entry(key).or_insert(i);
    }
    let mut answers = vec![None; keys.len()];
    for cell in cells {
        if let Some(i) = first.get(&cell.triple) {
            answers[*i] = Some(cell);
        }
    }
    if first.len() < keys.len() {
        // Some were asked for more than once.
        for (i, key) in keys.iter().enumerate() {
            match first.get(key) {
                Some(at) if *at != i => answers[i] = answers[*at].clone(),
                Some(_) | None => {}
            }
        }
    }
    answers
}

/// Whether a statement of several keys left the body of this row out, because it is longer than [`BATCH_BODY`].
pub(crate) fn left_out(cell: &Cell) -> bool {
    cell.kind == CellKind::Cell && cell.body.is_none()
}

/// One answer per key, in the order of the keys: of the rows of its chain, the highest it asks for.
pub(crate) fn match_latest(keys: &[LatestKey], cells: &[Cell]) -> Vec<Option<Cell>> {
    let mut by_chain: HashMap<(&RowKey, &ColumnKey), Vec<&Cell>, FastHash> = HashMap::default();
    for cell in cells {
        by_chain.entry((&cell.triple.row, &cell.triple.column)).or_default().push(cell);
    }
    let answer = |key: &LatestKey| {
        let rows = by_chain.get(&(&key.row, &key.column))?;
        rows.iter()
            .filter(|c| c.triple.ref_key.0 <= highest(key))
            .max_by_key(|c| c.triple.ref_key)
            .map(|c| (*c).clone())
    };
    keys.iter().map(answer).collect()
}

/// The keys whose answer is a lock or closed row, each with its index and bounded to what is below that row. Keys
/// with nothing below are left out.
pub(crate) fn below_hidden(keys: &[LatestKey], answers: &[Option<Cell>]) -> Vec<(usize, LatestKey)> {
    let below = |(i, (key, answer)): (usize, (&LatestKey, &Option<Cell>))| {
        let cell = answer.as_ref()?;
        match cell.kind {
            CellKind::Lock | CellKind::Closed => {
                let at_most = Some(RefKey(cell.triple.ref_key.0.checked_sub(1)?));
                Some((i, LatestKey { at_most, ..key.clone() }))
            }
            CellKind::Cell | CellKind::Tombstone | CellKind::Erased => None,
        }
    };
    keys.iter().zip(answers).enumerate().filter_map(below).collect()
}
