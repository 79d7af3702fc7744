//! Where in a shard's log a time begins, by bisection: within a shard, ids and times ascend together (C1 of
//! docs/ARCHITECTURE.md).
//!
//! The search is only good to [`NEAR`] ids: the scan behind it filters by the time all the same, so that it saves
//! reading and decides nothing.

use cellgate_schemaless::{AddedId, LogScan, Micros, ShardId, TableRef, limits};

use super::{Dialect, Query, Sql};

/// Most shards of a scan in which a time is searched, one after the other. A scan of more of them reads from the start of
/// each and filters.
pub(crate) const SEARCHED_SHARDS: usize = 16;

/// How many ids the search leaves to be filtered: at most 64 cells of one cluster.
const NEAR: i64 = 64 * limits::ID_STRIDE;

/// A search in one shard: the caller reads the last row, then the first row above each [`probe`](TimeSearch::probe),
/// until there is none left.
#[derive(Debug)]
pub(crate) struct TimeSearch {
    from: Micros,
    /// Rows up to this id are older.
    low: i64,
    /// Rows from this id on are not; the last row's id.
    high: i64,
}

impl TimeSearch {
    /// A search for the first row at or after `from`; `last` is the last row of the shard, if it has any.
    pub(crate) fn new(from: Micros, last: Option<(AddedId, Micros)>) -> Self {
        match last {
            Some((id, at)) if at >= from => Self { from, low: 0, high: id.0 },
            Some((id, _)) => Self { from, low: id.0, high: id.0 },
            None => Self { from, low: 0, high: 0 },
        }
    }

    /// The id above which the first row is wanted next.
    pub(crate) fn probe(&self) -> Option<AddedId> {
        (self.high - self.low > NEAR).then(|| AddedId(self.low + (self.high - self.low) / 2))
    }

    /// Takes the first row above the probe.
    pub(crate) fn found(&mut self, probe: AddedId, row: Option<(AddedId, Micros)>) {
        match row {
            Some((id, at)) if at < self.from => self.low = id.0,
            Some(_) | None => self.high = probe.0 + 1,
        }
    }

    /// Every row up to this id is older than the time.
    pub(crate) fn older(&self) -> AddedId {
        AddedId(self.low)
    }
}

/// The shards of a scan that starts at a time, each as a scan of its own; `None` for any other scan, and for one of too
/// many shards.
pub(crate) fn by_shard(scan: &LogScan) -> Option<impl Iterator<Item = (Micros, LogScan)>> {
    let from = scan.created_from.filter(|_| scan.shards.len() <= SEARCHED_SHARDS)?;
    let done = scan.after.map(|(shard, _)| shard);
    let left = scan.shards.iter().copied().filter(move |shard| done.is_none_or(|done| *shard >= done));
    let one = move |shard: ShardId| LogScan {
        shards: vec![shard],
        after: scan.after.filter(|(at, _)| *at == shard),
        ..scan.clone()
    };
    Some(left.map(move |shard| (from, one(shard))))
}

impl Dialect {
    /// Reads `added_id, created_at` of the last row of a shard's log.
    pub(crate) fn last_of_log(&self, table: &TableRef, shard: ShardId) -> Query {
        let mut sql = Sql::new(self);
        sql.place(table, shard).push(" ORDER BY ").name("added_id").push(" DESC LIMIT 1").finish()
    }

    /// Reads `added_id, created_at` of the first row of a shard's log above an id.
    pub(crate) fn first_of_log(&self, table: &TableRef, shard: ShardId, above: AddedId) -> Query {
        let mut sql = Sql::new(self);
        sql.place(table, shard).push(" AND ").name("added_id").push(" > ").int(above.0);
        sql.push(" ORDER BY ").name("added_id").push(" LIMIT 1").finish()
    }
}

impl Sql<'_> {
    fn place(&mut self, table: &TableRef, shard: ShardId) -> &mut Self {
        let index = self.dialect.log_index(table.id);
        self.push("SELECT ").names("", &["added_id", "created_at"]).push(" FROM ").name(table.physical());
        self.use_index(&index).push(" WHERE ").name("shard").push(" = ").int(i64::from(shard.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches rows with ids of this stride, whose times are their positions; answers the bound and how many probes.
    fn search(rows: i64, stride: i64, from: i64) -> (i64, usize) {
        let row = |position: i64| (AddedId(7 + position * stride), Micros(position));
        let mut search = TimeSearch::new(Micros(from), (rows > 0).then(|| row(rows - 1)));
        let mut probes = 0;
        while let Some(probe) = search.probe() {
            let next = if probe.0 < 7 { 0 } else { (probe.0 - 7) / stride + 1 };
            search.found(probe, (next < rows).then(|| row(next)));
            probes += 1;
        }
        (search.older().0, probes)
    }

    #[test]
    fn no_row_at_or_after_the_time_is_passed_and_few_before_it_are_left() {
        for (rows, stride) in [(0, 1024), (1, 1024), (50, 1024), (100_000, 1024), (3000, 1024 * 977)] {
            for from in [0, 1, 7, rows / 2, rows - 1, rows, rows + 9] {
                let (older, probes) = search(rows, stride, from);
                let first = 7 + from.clamp(0, rows) * stride;
                assert!(older < first || from <= 0 && older == 0, "{rows} rows, from {from}: passed to {older}");
                assert!(first - older <= NEAR + stride, "{rows} rows, from {from}: {older} is far from {first}");
                assert!(probes <= 40, "{probes} probes");
            }
        }
    }
}
