//! Streams: row scans and the log, merged over the clusters in pages.

use std::sync::Arc;

use cellgate_schemaless::{
    AddedId, Cell, ColumnFilter, Direction, LogScan, RefKey, RefRange, Request, RowKey, RowScan, RowSet, ShardId,
    Triple, Written,
};
use cellgate_store::executor::{Executor, RunError};

use crate::fixture::{Fixture, SHARDS, exact, put_all, row_in, table, triple};

fn row_scan(rows: Vec<RowKey>, direction: Direction, limit: Option<u64>) -> RowScan {
    let mut rows = rows;
    rows.sort();
    let set = RowSet::Rows(rows, ColumnFilter::All);
    RowScan { set, refs: RefRange::default(), direction, after: None, up_to: None, limit }
}

fn log_scan(limit: Option<u64>) -> LogScan {
    LogScan {
        shards: (0..u16::try_from(SHARDS).unwrap()).map(ShardId).collect(),
        added_after: None,
        created_from: None,
        columns: ColumnFilter::All,
        after: None,
        up_to: None,
        limit,
    }
}

/// All cells of a stream; no page may be empty or above the bound of a page per cluster.
async fn all(proxy: &Arc<Executor>, request: Request) -> Result<Vec<Cell>, RunError> {
    let mut stream = proxy.stream(request);
    let mut cells = Vec::new();
    while let Some(page) = stream.next().await? {
        assert!(!page.is_empty());
        assert!(page.len() <= 3 * 1000, "a page of {}", page.len());
        cells.extend(page);
    }
    assert!(stream.next().await?.is_none(), "the end is the end");
    Ok(cells)
}

async fn rows(proxy: &Arc<Executor>, scan: RowScan) -> Result<Vec<Triple>, RunError> {
    Ok(all(proxy, Request::Rows { table: table(), scan }).await?.into_iter().map(|c| c.triple).collect())
}

async fn log(proxy: &Arc<Executor>, scan: LogScan) -> Vec<(ShardId, AddedId)> {
    let cells = all(proxy, Request::Log { table: table(), scan }).await.unwrap();
    cells.into_iter().map(|c| (c.shard, c.added_id)).collect()
}

/// Writes one row of each cluster with more versions than a page has, and many short ones; all triples and places.
async fn fill(proxy: &Arc<Executor>) -> (Vec<RowKey>, Vec<(Triple, Written)>) {
    let mut items = Vec::new();
    let mut keys = Vec::new();
    for (cluster, long) in [(1, 1300), (2, 2100), (3, 1000)] {
        for index in 0..20 {
            let row = row_in(cluster, index);
            let versions = if index == 0 { long } else { 3 };
            items.extend((1..=versions).map(|n| exact(&row, n, n)));
            keys.push(row);
        }
    }
    // In an order that is not the order of keys, so that the log has another one.
    items.sort_by_key(|item| match item.cell.version {
        cellgate_schemaless::Version::Exact(RefKey(n)) => (n * 7919) % 4096,
        cellgate_schemaless::Version::Next => 0,
    });
    let mut written = Vec::new();
    for batch in items.chunks(500) {
        let places = put_all(proxy, batch.to_vec()).await;
        let name = |item: &cellgate_store::executor::PutItem, place: &Written| triple(&item.cell.row, place.ref_key.0);
        written.extend(batch.iter().zip(places).map(|(item, place)| (name(item, &place), place)));
    }
    (keys, written)
}

const LIMITS: [Option<u64>; 8] =
    [None, Some(0), Some(1), Some(999), Some(1000), Some(1001), Some(3777), Some(1_000_000)];

fn cut<T: Clone>(all: &[T], limit: Option<u64>) -> Vec<T> {
    let limit = limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap());
    all.iter().take(limit).cloned().collect()
}

#[tokio::test]
async fn scans_of_any_length_equal_a_sorted_list_cut_at_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    let (keys, written) = fill(&proxy).await;

    let mut by_name: Vec<Triple> = written.iter().map(|(name, _)| name.clone()).collect();
    by_name.sort();
    for limit in LIMITS {
        let scan = row_scan(keys.clone(), Direction::Ascending, limit);
        assert_eq!(rows(&proxy, scan).await.unwrap(), cut(&by_name, limit), "ascending, limit {limit:?}");
    }
    by_name.reverse();
    for limit in LIMITS {
        let scan = row_scan(keys.clone(), Direction::Descending, limit);
        assert_eq!(rows(&proxy, scan).await.unwrap(), cut(&by_name, limit), "descending, limit {limit:?}");
    }
    let bounds = RefRange { min: Some(RefKey(2)), max: Some(RefKey(1200)) };
    let expected: Vec<Triple> =
        by_name.iter().filter(|t| (2..=1200).contains(&t.ref_key.0) && t.row != keys[20]).cloned().collect();
    let some = keys.iter().filter(|k| **k != keys[20]).cloned().collect();
    let scan = RowScan { refs: bounds, ..row_scan(some, Direction::Descending, None) };
    assert_eq!(rows(&proxy, scan).await.unwrap(), expected);
}

#[tokio::test]
async fn the_log_of_all_shards_is_every_cell_once_by_shard_and_commit() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    let (_, written) = fill(&proxy).await;
    let mut places: Vec<(ShardId, AddedId)> = written.iter().map(|(_, w)| (w.shard, w.added_id)).collect();
    places.sort();
    for limit in LIMITS {
        assert_eq!(log(&proxy, log_scan(limit)).await, cut(&places, limit), "limit {limit:?}");
    }
    let after = places[places.len() / 2];
    let shard = |places: &[(ShardId, AddedId)]| -> Vec<(ShardId, AddedId)> {
        places.iter().filter(|p| p.0 == after.0 && p.1 > after.1).copied().collect()
    };
    let scan = LogScan { shards: vec![after.0], added_after: Some(after.1), ..log_scan(None) };
    assert_eq!(log(&proxy, scan).await, shard(&places));
}

#[tokio::test]
async fn a_scan_of_nothing_is_empty() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    assert_eq!(rows(&proxy, row_scan(Vec::new(), Direction::Ascending, None)).await.unwrap(), []);
    assert_eq!(rows(&proxy, row_scan(vec![row_in(1, 0)], Direction::Descending, Some(5))).await.unwrap(), []);
    assert_eq!(log(&proxy, log_scan(None)).await, []);
    assert_eq!(log(&proxy, LogScan { shards: Vec::new(), ..log_scan(None) }).await, []);
}

#[tokio::test]
async fn a_log_ends_in_front_of_an_undecided_cell_of_its_own_shard_only() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    let (_, written) = fill(&proxy).await;
    let mut places: Vec<(ShardId, AddedId, Triple)> =
        written.into_iter().map(|(name, w)| (w.shard, w.added_id, name)).collect();
    places.sort();
    // One on the first page of its cluster; one far behind it, whose shard goes on over more than a page.
    let long = row_in(2, 0);
    let of_long: Vec<_> = places.iter().filter(|(_, _, name)| name.row == long).cloned().collect();
    let near = places.iter().find(|(shard, _, _)| *shard != of_long[0].0).unwrap().clone();
    let far = of_long[1001].clone();
    for held in [&near, &far] {
        fixture.backends.iter().for_each(|backend| backend.undecide(held.2.clone()));
    }
    let hidden = |(shard, id, _): &&(ShardId, AddedId, Triple)| {
        (*shard == near.0 && *id >= near.1) || (*shard == far.0 && *id >= far.1)
    };
    let expected: Vec<_> = places.iter().filter(|p| !hidden(p)).map(|(shard, id, _)| (*shard, *id)).collect();
    assert!(expected.len() > 1500 && expected.len() < places.len());
    for limit in LIMITS {
        assert_eq!(log(&proxy, log_scan(limit)).await, cut(&expected, limit), "limit {limit:?}");
    }
}

#[tokio::test]
async fn a_row_scan_over_an_undecided_cell_is_an_error() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (held, free) = (row_in(1, 0), row_in(1, 1));
    put_all(&proxy, vec![exact(&held, 1, 1), exact(&free, 1, 1)]).await;
    fixture.backend(1).undecide(triple(&held, 1));
    let error = rows(&proxy, row_scan(vec![held.clone(), free.clone()], Direction::Ascending, None)).await;
    assert!(matches!(error, Err(RunError::Undecided { cluster }) if cluster == "c1"));
    let free_only = rows(&proxy, row_scan(vec![free.clone()], Direction::Ascending, None)).await.unwrap();
    assert_eq!(free_only, [triple(&free, 1)]);
}

#[tokio::test]
async fn a_cluster_that_goes_away_ends_the_scan_with_an_error_and_not_with_the_end() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    for from in [0, 700] {
        put_all(&proxy, (from + 1..=from + 700).map(|n| exact(&row, n, n)).collect()).await;
    }
    let scan = row_scan(vec![row], Direction::Ascending, None);
    let mut stream = proxy.stream(Request::Rows { table: table(), scan });
    assert_eq!(stream.next().await.unwrap().map(|page| page.len()), Some(1000));
    fixture.backend(1).set_down(true);
    assert!(matches!(stream.next().await, Err(RunError::Cluster { .. })));
}

#[tokio::test]
async fn a_scan_whose_reader_writes_a_cell_for_each_it_reads_ends() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    fill(&proxy).await;
    let mut next = 5000;
    for request in [
        Request::Log { table: table(), scan: log_scan(None) },
        Request::Rows { table: table(), scan: row_scan(vec![row_in(2, 0)], Direction::Ascending, None) },
    ] {
        let mut stream = proxy.stream(request);
        let (mut read, most) = (0, next + 5000);
        while let Some(page) = stream.next().await.unwrap() {
            read += page.len() as i64;
            assert!(read < most, "it goes on and on");
            let again = page.iter().map(|cell| {
                next += 1;
                exact(&cell.triple.row, next, next)
            });
            put_all(&proxy, again.collect()).await;
        }
    }
}
