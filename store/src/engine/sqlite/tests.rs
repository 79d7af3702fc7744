//! What only the SQLite engine promises; the rest is in the conformance suite.

mod erasing;
mod removal;
mod syncing;
mod tables;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use cellgate_schemaless::{
    Body, CellKind, ClusterNo, ColumnFilter, ColumnKey, Direction, LogScan, RefKey, RefRange, RowKey, RowScan, RowSet,
    ShardId, TableId, TableRef, Token, Triple,
};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::cells::bind;
use super::file::whose;
use super::*;
use crate::sql::{BATCH_BODY, Query};
use crate::{FORMAT, GroupCell, PutMode};

fn table() -> TableRef {
    TableRef::new("trips", TableId(1), 1)
}

fn triple(row: &str, ref_key: i64) -> Triple {
    Triple {
        row: RowKey::new(row.to_owned()).unwrap(),
        column: ColumnKey::new("base").unwrap(),
        ref_key: RefKey(ref_key),
    }
}

fn group(number: i64, bytes: usize) -> PutGroup {
    let cell = GroupCell {
        table: table(),
        shard: ShardId(1),
        triple: triple("row", number),
        body: Body::json(format!("\"{}\"", "x".repeat(bytes))).unwrap(),
        mode: PutMode::Explicit,
    };
    PutGroup { token: Token(number), cells: vec![cell] }
}

async fn open(directory: &Path, options: SqliteOptions) -> (SqliteBackend, Epoch) {
    let backend = SqliteBackend::open(&directory.join("cells.db"), options).unwrap();
    let identity = Identity {
        deployment: "d".repeat(32),
        cluster: ClusterNo::new(1).unwrap(),
        incarnation: 1,
        virtual_shards: 16,
        hash: "xxh3".to_owned(),
        seed: 0,
        format: FORMAT,
    };
    backend.claim(&identity, &[]).await.unwrap();
    backend.create_table(&table()).await.unwrap();
    let (epoch, _) = backend.shards().await.unwrap();
    (backend, epoch)
}

/// The same made with the usual options, and opened again with these: on a busy machine making it takes longer than a test's
/// short bounds.
async fn reopen(directory: &Path, options: SqliteOptions) -> (SqliteBackend, Epoch) {
    let (backend, epoch) = open(directory, SqliteOptions::default()).await;
    backend.close().await;
    drop(backend);
    (SqliteBackend::open(&directory.join("cells.db"), options).unwrap(), epoch)
}

/// Keeps the writer until told to go on; answers when it has it.
async fn block(backend: &Arc<SqliteBackend>) -> (Sender<()>, JoinHandle<()>) {
    let (release, released) = channel();
    let (begin, begun) = oneshot::channel();
    let wait = move |_: &mut writer::WriteSide| {
        begin.send(()).unwrap();
        released.recv().unwrap();
        Ok(())
    };
    let backend = backend.clone();
    let blocker = tokio::spawn(async move { backend.live().unwrap().writer.side(wait).await.unwrap() });
    begun.await.unwrap();
    (release, blocker)
}

/// Every transaction has a time of its own, so that times count transactions.
fn transactions<'a>(outcomes: impl IntoIterator<Item = &'a PutOutcome>) -> usize {
    let times: BTreeSet<i64> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            PutOutcome::Stored(places) => places[0].created_at.0,
            other => panic!("not stored: {other:?}"),
        })
        .collect();
    times.len()
}

#[tokio::test]
async fn the_groups_of_one_call_are_one_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let groups: Vec<PutGroup> = (0..64).map(|n| group(n, 10)).collect();
    assert_eq!(transactions(&backend.put(epoch, &groups).await.unwrap()), 1);
}

#[tokio::test]
async fn calls_that_wait_together_are_one_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let backend = Arc::new(backend);
    let (release, blocker) = block(&backend).await;
    let mut calls: Vec<_> = (0..64)
        .map(|n| {
            let groups = [group(n, 10)];
            let backend = backend.clone();
            Box::pin(async move { backend.put(epoch, &groups).await.unwrap().remove(0) })
        })
        .collect();
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending(), "queued, and waiting for its answer");
    }
    release.send(()).unwrap();
    blocker.await.unwrap();
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(call.await);
    }
    assert_eq!(transactions(&outcomes), 1);
}

#[tokio::test]
async fn a_full_disk_is_told_and_writing_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    let limit = |pages: i64| {
        let text = format!("PRAGMA max_page_count = {pages}");
        let set = move |sqlite: &rusqlite::Connection| Ok(sqlite.query_row(&text, [], |row| row.get::<_, i64>(0))?);
        backend.live().unwrap().writer.alone(set)
    };
    limit(1).await.unwrap();
    let full = backend.put(epoch, &[group(2, 10), group(3, 1 << 20)]).await;
    assert!(matches!(full, Err(StoreError::DiskFull { .. })), "{full:?}");
    let found = backend.get(&table(), &[triple("row", 1), triple("row", 2), triple("row", 3)]).await.unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false], "all or nothing");
    limit(1 << 30).await.unwrap();
    let stored = backend.put(epoch, &[group(2, 10), group(3, 1 << 20)]).await.unwrap();
    assert_eq!(transactions(&stored), 1);
    let found = backend.get(&table(), &[triple("row", 2), triple("row", 3)]).await.unwrap();
    assert!(found.iter().all(Option::is_some));
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let timeouts = Timeouts { statement: Duration::from_secs(1), ..Timeouts::default() };
    let (backend, _) = reopen(directory.path(), SqliteOptions { timeouts, readers: 1, queue: 4, looks: false }).await;
    let readers = &backend.live().unwrap().readers;
    let endless = |sqlite: &rusqlite::Connection| -> Result<i64, Failure> {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        Ok(sqlite.query_row(sql, [], |row| row.get(0))?)
    };
    assert_eq!(readers.inline(endless).await.unwrap(), None, "it goes on on a blocking thread");
    let ended = readers.blocking(endless).await;
    assert!(matches!(ended, Err(StoreError::Timeout { reason: Reason::Statement, .. })), "{ended:?}");
    // The only connection of the lane is of use again.
    readers.blocking(|sqlite| Ok(sqlite.query_row("SELECT 1", [], |row| row.get::<_, i64>(0))?)).await.unwrap();
    backend.ping().await.unwrap();
}

#[tokio::test]
async fn no_long_body_is_read_where_nobody_is_to_wait_long() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    // The quotes around it count.
    let (short, long) = (group(2, BATCH_BODY - 2), group(4, BATCH_BODY - 1));
    backend.put(epoch, &[group(1, 10), short, group(3, 10), long]).await.unwrap();
    let keys = [1, 2, 3, 4].map(|number| triple("row", number));
    let newest = |at_most| LatestKey { row: keys[0].row.clone(), column: keys[0].column.clone(), at_most };
    let at_once = |answer| matches!(answer, AtOnce::Row(Some(cell)) if Cell::is_visible(&cell));
    assert_eq!(keys.each_ref().map(|key| at_once(backend.get_at_once(&table(), key))), [true, true, true, false]);
    assert!(at_once(backend.latest_at_once(&table(), &newest(Some(RefKey(2))))));
    assert!(!at_once(backend.latest_at_once(&table(), &newest(None))));
    // Many short ones are as long.
    let (live, texts) = (backend.live().unwrap(), read::ReadTexts::new(&table()));
    let many = vec![keys[1].clone(); 5];
    assert!(live.readers.inline(|sqlite| read::get(sqlite, &texts.short, &many[..4])).await.unwrap().is_some());
    assert!(live.readers.inline(|sqlite| read::get(sqlite, &texts.short, &many)).await.unwrap().is_none());
    // To whoever may wait they are there.
    let sizes = |cells: Vec<Cell>| {
        cells.iter().map(|cell| cell.body.as_ref().map_or(0, |b| b.as_bytes().len())).collect::<Vec<_>>()
    };
    let all = [12, BATCH_BODY, 12, BATCH_BODY + 1];
    assert_eq!(sizes(backend.get(&table(), &keys).await.unwrap().into_iter().flatten().collect()), all);
    let latest = backend.latest(&table(), &[newest(None)]).await.unwrap();
    assert_eq!(sizes(latest.into_iter().flatten().collect()), all[3..]);
    let mut scan = RowScan {
        set: RowSet::Rows(vec![keys[0].row.clone()], ColumnFilter::All),
        refs: RefRange { min: Some(RefKey(3)), max: None },
        direction: Direction::Ascending,
        after: None,
        limit: None,
    };
    let page = backend.rows(&table(), &scan).await.unwrap();
    assert_eq!((sizes(page.cells), page.more), (vec![12], true), "the first page ends before it");
    scan.after = Some(keys[2].clone());
    assert_eq!(sizes(backend.rows(&table(), &scan).await.unwrap().cells), all[3..]);
    (scan.after, scan.direction) = (None, Direction::Descending);
    let page = backend.rows(&table(), &scan).await.unwrap();
    assert_eq!(sizes(page.cells), [BATCH_BODY + 1, 12], "a page that would begin with it is of the other kind");
}

#[tokio::test]
async fn a_write_that_takes_too_long_is_ended_and_undone() {
    let directory = tempfile::tempdir().unwrap();
    let timeouts = Timeouts { statement: Duration::from_secs(1), ..Timeouts::default() };
    let (backend, epoch) =
        reopen(directory.path(), SqliteOptions { timeouts, readers: 1, queue: 4, looks: false }).await;
    let endless = |sqlite: &rusqlite::Connection| -> Result<(), Failure> {
        sqlite.execute_batch(
            "UPDATE cg_head SET epoch = 99; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
             SELECT count(*) FROM n",
        )?;
        Ok(())
    };
    let ended = backend.live().unwrap().writer.alone(endless).await;
    assert!(matches!(ended, Err(StoreError::Timeout { reason: Reason::Statement, .. })), "{ended:?}");
    assert_eq!(transactions(&backend.put(epoch, &[group(1, 10)]).await.unwrap()), 1, "the epoch is as it was");
}

#[tokio::test]
async fn a_full_queue_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let timeouts = Timeouts { queue: Duration::from_millis(500), ..Timeouts::default() };
    let (backend, epoch) =
        reopen(directory.path(), SqliteOptions { timeouts, readers: 1, queue: 1, looks: false }).await;
    let backend = Arc::new(backend);
    let (release, blocker) = block(&backend).await;
    let groups = [group(1, 10)];
    let mut queued = backend.put(epoch, &groups);
    assert!(futures_util::poll!(&mut queued).is_pending());
    let refused = backend.put(epoch, &[group(2, 10)]).await;
    assert!(matches!(refused, Err(StoreError::Timeout { reason: Reason::Queue, .. })), "{refused:?}");
    release.send(()).unwrap();
    blocker.await.unwrap();
    assert_eq!(transactions(&queued.await.unwrap()), 1);
    assert_eq!(backend.get(&table(), &[triple("row", 2)]).await.unwrap(), [None], "what was refused is not there");
}

#[tokio::test]
async fn no_statement_of_a_scan_sorts() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, _) = open(directory.path(), SqliteOptions::default()).await;
    let after = triple("b", 1);
    let keys = |names: &[&str]| names.iter().map(|n| RowKey::new((*n).to_owned()).unwrap()).collect::<Vec<_>>();
    let columns = ColumnFilter::In(vec![ColumnKey::new("base").unwrap(), ColumnKey::new("x").unwrap()]);
    let mut queries: Vec<Query> = Vec::new();
    for direction in [Direction::Ascending, Direction::Descending] {
        for filter in [ColumnFilter::All, columns.clone()] {
            for after in [None, Some(after.clone())] {
                let refs = RefRange { min: Some(RefKey(1)), max: Some(RefKey(9)) };
                let set = RowSet::Rows(keys(&["a", "b", "c"]), filter.clone());
                let scan = RowScan { set, refs, direction, after, limit: None };
                queries.extend(SQLITE.rows(&table(), &scan, 10));
            }
        }
    }
    let some: Vec<ShardId> = [1, 2, 3, 7, 9].map(ShardId).to_vec();
    for shards in [some, (0..16).map(ShardId).collect()] {
        for added_after in [None, Some(cellgate_schemaless::AddedId(5))] {
            for after in [None, Some((ShardId(2), cellgate_schemaless::AddedId(7)))] {
                let scan = LogScan {
                    shards: shards.clone(),
                    added_after,
                    created_from: Some(cellgate_schemaless::Micros(1)),
                    columns: columns.clone(),
                    after,
                    limit: None,
                };
                queries.extend(SQLITE.log(&table(), &scan, 10));
            }
        }
    }
    assert!(queries.len() > 20);
    let explain = move |sqlite: &rusqlite::Connection| {
        let mut plans = Vec::new();
        for Query { text, params } in queries {
            let explained = Query { text: format!("EXPLAIN QUERY PLAN {text}"), params };
            let mut statement = bind(sqlite, &explained)?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                plans.push((row.get::<_, String>(3)?, text.clone()));
            }
        }
        Ok(plans)
    };
    for (plan, text) in backend.live().unwrap().readers.blocking(explain).await.unwrap() {
        assert!(plan.starts_with("SEARCH") && plan.contains("USING INDEX"), "{plan}: {text}");
    }
}

#[tokio::test]
async fn a_statement_is_prepared_once() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    let key = triple("row", 1);
    let key = LatestKey { row: key.row, column: key.column, at_most: None };
    let prepared_again = move |sqlite: &rusqlite::Connection| {
        for _ in 0..3 {
            read::latest(sqlite, &read::ReadTexts::new(&table()).whole, std::slice::from_ref(&key))?;
        }
        let statement = sqlite.prepare_cached(&SQLITE.latest_text(&table()))?;
        Ok(statement.get_status(rusqlite::StatementStatus::RePrepare))
    };
    assert_eq!(backend.live().unwrap().readers.blocking(prepared_again).await.unwrap(), 0);
}

#[tokio::test]
async fn reads_go_on_in_one_snapshot_until_something_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions { readers: 1, ..SqliteOptions::default() }).await;
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    let keys = [triple("row", 1), triple("row", 2)];
    let there = async || {
        let found = backend.get(&table(), &keys).await.unwrap();
        found.iter().map(Option::is_some).collect::<Vec<bool>>()
    };
    let in_snapshot = async || {
        let readers = &backend.live().unwrap().readers;
        readers.inline(|sqlite| Ok(!sqlite.is_autocommit())).await.unwrap()
    };
    assert_eq!(there().await, [true, false]);
    assert_eq!(in_snapshot().await, Some(true));
    backend.put(epoch, &[group(2, 10)]).await.unwrap();
    assert_eq!(there().await, [true, true], "what was written is read");
}

#[tokio::test]
async fn a_snapshot_that_lives_on_keeps_no_erased_body_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    // The reader keeps its snapshot, which is one of the log.
    assert!(backend.get(&table(), &[triple("row", 1)]).await.unwrap()[0].is_some());
    backend.erase(epoch, &table(), &Erasure::Cell(triple("row", 1))).await.unwrap();
    let log = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let log = log.into_iter().find(|path| path.to_string_lossy().ends_with("-wal")).unwrap();
    assert_eq!(std::fs::metadata(log).unwrap().len(), 0);
}

#[tokio::test]
async fn an_erasure_waits_for_who_reads_from_the_log_and_lets_others_write() {
    let directory = tempfile::tempdir().unwrap();
    let timeouts = Timeouts { statement: Duration::from_secs(2), ..Timeouts::default() };
    let (backend, epoch) = open(directory.path(), SqliteOptions { timeouts, ..SqliteOptions::default() }).await;
    backend.put(epoch, &[group(1, 10), group(2, 10)]).await.unwrap();
    let bytes_of_log = || std::fs::metadata(directory.path().join("cells.db-wal")).unwrap().len();
    let reader = rusqlite::Connection::open(directory.path().join("cells.db")).unwrap();
    let read = || {
        reader.execute_batch("BEGIN").unwrap();
        reader.query_row("SELECT COUNT(*) FROM cg_head", [], |row| row.get::<_, i64>(0)).unwrap();
    };
    read();
    let (name, table) = (Erasure::Cell(triple("row", 1)), table());
    let error = backend.erase(epoch, &table, &name).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Statement, .. }), "{error}");
    assert!(bytes_of_log() > 0);
    // It is erased; what is left to do is done by erasing again.
    assert_eq!(backend.get(&table, &[triple("row", 1)]).await.unwrap()[0].as_ref().unwrap().kind, CellKind::Erased);
    let again = backend.erase(epoch, &table, &name);
    let others = async {
        backend.put(epoch, &[group(3, 10)]).await.unwrap();
        reader.execute_batch("COMMIT").unwrap();
    };
    let (erased, ()) = tokio::join!(again, others);
    assert_eq!(erased.unwrap().cells, 0);
    assert_eq!(bytes_of_log(), 0);
}

#[tokio::test]
async fn what_the_log_holds_is_moved_into_the_file_when_writes_pause() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    // Far fewer pages than what is moved without a pause.
    let groups: Vec<PutGroup> = (0..64).map(|n| group(n, 4000)).collect();
    backend.put(epoch, &groups).await.unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while std::fs::metadata(directory.path().join("cells.db")).unwrap().len() < 64 * 4000 {
        assert!(std::time::Instant::now() < until, "nothing is moved");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_known_at_once_is_what_asking_answers() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let latest = LatestKey { row: triple("row", 1).row, column: triple("row", 1).column, at_most: None };
    for number in 1..50 {
        let name = triple("row", number);
        assert!(matches!(backend.get_at_once(&table(), &name), AtOnce::Row(None)), "not there yet");
        backend.put(epoch, &[group(number, 10)]).await.unwrap();
        let asked = backend.get(&table(), std::slice::from_ref(&name)).await.unwrap().remove(0).unwrap();
        for known in [backend.get_at_once(&table(), &name), backend.latest_at_once(&table(), &latest)] {
            let AtOnce::Row(Some(cell)) = known else { panic!("not known: {known:?}") };
            assert_eq!((cell.triple, cell.body, cell.added_id), (name.clone(), asked.body.clone(), asked.added_id));
        }
    }
    let below = LatestKey { at_most: Some(RefKey(7)), ..latest };
    let AtOnce::Row(Some(cell)) = backend.latest_at_once(&table(), &below) else { panic!("not known") };
    assert_eq!(cell.triple.ref_key, RefKey(7));
}

#[tokio::test]
async fn what_cannot_be_read_at_once_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = SqliteBackend::open(&directory.path().join("none.db"), SqliteOptions::default()).unwrap();
    assert!(matches!(nowhere.get_at_once(&table(), &triple("row", 1)), AtOnce::Ask), "no file");
    let (backend, _) = open(directory.path(), SqliteOptions::default()).await;
    let other = TableRef::new("other", TableId(2), 1);
    assert!(matches!(backend.get_at_once(&other, &triple("row", 1)), AtOnce::Ask), "no table: asking says so");
    backend.close().await;
    assert!(matches!(backend.get_at_once(&table(), &triple("row", 1)), AtOnce::Ask), "closed");
}

#[tokio::test]
async fn the_groups_of_one_call_may_be_of_several_tables() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let other = TableRef::new("other", TableId(2), 1);
    backend.create_table(&other).await.unwrap();
    let mut groups: Vec<PutGroup> = (0..8).map(|n| group(n, 10)).collect();
    for group in groups.iter_mut().skip(1).step_by(2) {
        group.cells[0].table = other.clone();
    }
    let outcomes = backend.put(epoch, &groups).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, PutOutcome::Stored(_))), "{outcomes:?}");
    for (table, first) in [(table(), 0), (other, 1)] {
        let names: Vec<Triple> = (0..8).map(|n| triple("row", n)).collect();
        let found = backend.get(&table, &names).await.unwrap();
        let there: Vec<bool> = found.iter().map(Option::is_some).collect();
        assert_eq!(there, (0..8).map(|n| n % 2 == first).collect::<Vec<bool>>());
    }
}

#[tokio::test]
async fn the_log_starts_anew_although_writes_never_pause() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let log = || std::fs::metadata(directory.path().join("cells.db-wal")).unwrap().len();
    // 180 MiB, nearly three times what the log is meant to hold.
    for n in 0..180 {
        backend.put(epoch, &[group(n, 1 << 20)]).await.unwrap();
    }
    // Each page has a header there; and one batch more, the one behind which it was found to be long.
    assert!(log() < (checkpoint::MOST_LOG_PAGES + 1000) * 4200, "{} bytes", log());
}

#[tokio::test]
async fn a_file_that_was_taken_away_is_written_to_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let (path, away) = (directory.path().join("cells.db"), directory.path().join("away.db"));
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 8)]).await.unwrap();
    backend.ping().await.unwrap();

    std::fs::rename(&path, &away).unwrap();
    let gone = backend.ping().await.unwrap_err();
    assert!(matches!(gone, StoreError::Unavailable { .. }) && gone.to_string().contains("taken away"), "{gone}");
    assert!(backend.put(epoch, &[group(2, 8)]).await.is_err());
    std::fs::write(&path, "another file").unwrap();
    assert!(backend.ping().await.unwrap_err().to_string().contains("another file"));
    assert!(backend.get(&table(), &[triple("row", 1)]).await.is_err());

    std::fs::rename(&away, &path).unwrap();
    backend.ping().await.unwrap();
    backend.put(epoch, &[group(2, 8)]).await.unwrap();
    assert_eq!(backend.get(&table(), &[triple("row", 1), triple("row", 2)]).await.unwrap().iter().flatten().count(), 2);
}

#[tokio::test]
async fn a_file_whose_log_was_taken_away_is_written_to_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let (log, away) = (directory.path().join("cells.db-wal"), directory.path().join("away"));
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 8)]).await.unwrap();
    backend.ping().await.unwrap();

    std::fs::rename(&log, &away).unwrap();
    let gone = backend.ping().await.unwrap_err();
    assert!(
        matches!(gone, StoreError::Unavailable { .. }) && gone.to_string().contains("-wal was taken away"),
        "{gone}"
    );
    assert!(backend.put(epoch, &[group(2, 8)]).await.is_err());
    std::fs::write(&log, "").unwrap();
    assert!(backend.ping().await.unwrap_err().to_string().contains("another file"));

    std::fs::rename(&away, &log).unwrap();
    backend.ping().await.unwrap();
    backend.put(epoch, &[group(2, 8)]).await.unwrap();
}

#[tokio::test]
async fn a_connection_to_another_file_of_the_name_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let (path, away) = (directory.path().join("cells.db"), directory.path().join("away.db"));
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 8)]).await.unwrap();
    std::fs::rename(&path, &away).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    // Nobody has looked yet, and this is the first read of its kind, which opens a connection.
    let error = backend.get(&table(), &[triple("row", 1)]).await.unwrap_err();
    assert!(error.to_string().contains("another file"), "{error}");
}

#[tokio::test]
async fn a_call_that_fails_does_not_fail_those_it_shares_a_transaction_with() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let backend = Arc::new(backend);
    backend.put(epoch, &[group(1, 8)]).await.unwrap();
    // No kind there is.
    let spoil = |sqlite: &rusqlite::Connection| Ok(sqlite.execute("UPDATE trips_1 SET kind = 77", [])?);
    backend.live().unwrap().writer.alone(spoil).await.unwrap();
    let (release, blocker) = block(&backend).await;
    let call = |number| {
        let (backend, groups) = (backend.clone(), [group(number, 10)]);
        Box::pin(async move { backend.put(epoch, &groups).await })
    };
    let mut calls = [call(2), call(1), call(3), call(4)];
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending());
    }
    let [before, spoilt, behind, given_up] = calls;
    drop(given_up);
    release.send(()).unwrap();
    blocker.await.unwrap();
    assert!(matches!(before.await.unwrap().as_slice(), [PutOutcome::Stored(_)]));
    assert!(matches!(spoilt.await, Err(StoreError::Corrupt { .. })));
    assert!(matches!(behind.await.unwrap().as_slice(), [PutOutcome::Stored(_)]));
    // Behind all of them.
    backend.put(epoch, &[group(5, 10)]).await.unwrap();
    assert_eq!(backend.get(&table(), &[triple("row", 4)]).await.unwrap(), [None], "nobody waited for it");
}

/// Holds a lock on a thread of its own until what is answered is dropped.
fn hold(lock: Arc<Mutex<()>>) -> Sender<()> {
    let (release, released) = channel::<()>();
    let (holds, held) = channel();
    std::thread::spawn(move || {
        let _held = sync::lock(&lock);
        holds.send(()).unwrap();
        let _ = released.recv();
    });
    held.recv().unwrap();
    release
}

#[tokio::test]
async fn what_is_durable_is_answered_before_the_writer_waits_for_a_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let backend = Arc::new(backend);
    backend.put(epoch, &[group(1, 8)]).await.unwrap();
    let call = |number| {
        let (backend, groups) = (backend.clone(), [group(number, 10)]);
        Box::pin(async move { backend.put(epoch, &groups).await })
    };
    // Alone; then with one that fails, so that they are written one by one.
    for (spoils, numbers) in [(false, [2, 3]), (true, [4, 1])] {
        if spoils {
            let spoil = |sqlite: &rusqlite::Connection| Ok(sqlite.execute("UPDATE trips_1 SET kind = 77", [])?);
            backend.live().unwrap().writer.alone(spoil).await.unwrap();
        }
        let pass = backend.live().unwrap().writer.side(|side| Ok(side.lengthen_log())).await.unwrap();
        let (release, blocker) = block(&backend).await;
        let mut calls = numbers.map(call);
        for call in &mut calls {
            assert!(futures_util::poll!(call).is_pending());
        }
        let checkpoint = hold(pass);
        release.send(()).unwrap();
        blocker.await.unwrap();
        let answers = tokio::time::timeout(Duration::from_secs(20), futures_util::future::join_all(calls)).await;
        let answers = answers.expect("nobody waits for the checkpoint");
        assert!(matches!(answers[0].as_deref(), Ok([PutOutcome::Stored(_)])), "{answers:?}");
        assert_eq!(matches!(answers[1], Err(StoreError::Corrupt { .. })), spoils, "{answers:?}");
        // The writer does wait.
        let mut behind = call(numbers[0] + 10);
        assert!(futures_util::poll!(&mut behind).is_pending());
        drop(checkpoint);
        assert!(matches!(behind.await.as_deref(), Ok([PutOutcome::Stored(_)])));
    }
}

#[tokio::test]
async fn calls_that_all_take_too_long_take_no_longer_than_two_statements() {
    let directory = tempfile::tempdir().unwrap();
    let timeouts =
        Timeouts { statement: Duration::from_millis(300), lock: Duration::from_secs(5), ..Timeouts::default() };
    let options = SqliteOptions { timeouts, ..SqliteOptions::default() };
    let (backend, epoch) = reopen(directory.path(), options).await;
    let backend = Arc::new(backend);
    let slow = "CREATE TRIGGER slow BEFORE INSERT ON trips_1 BEGIN SELECT (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
                SELECT i + 1 FROM n) SELECT count(*) FROM n); END";
    backend.live().unwrap().writer.alone(move |sqlite| Ok(sqlite.execute_batch(slow)?)).await.unwrap();
    let (release, blocker) = block(&backend).await;
    // One after the other they would take longer than callers wait.
    let mut calls: Vec<_> = (0..32)
        .map(|number| {
            let (backend, groups) = (backend.clone(), [group(number, 10)]);
            Box::pin(async move { backend.put(epoch, &groups).await })
        })
        .collect();
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending());
    }
    release.send(()).unwrap();
    blocker.await.unwrap();
    for answer in futures_util::future::join_all(calls).await {
        assert!(matches!(answer, Err(StoreError::Timeout { reason: Reason::Statement, .. })), "{answer:?}");
    }
    backend.ping().await.unwrap();
}

#[tokio::test]
async fn a_file_that_could_not_be_opened_again_is_tried_once_more_without_a_write() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let writer = &backend.live().unwrap().writer;
    writer.shut_out();
    assert!(backend.ping().await.unwrap_err().to_string().contains("cannot be opened again"));
    let well = async {
        while backend.ping().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), well).await.expect("it is tried");
    writer.shut_out();
    backend.put(epoch, &[group(1, 8)]).await.unwrap();
    assert!(writer.is_alive().is_ok(), "what is written is not shut out");
}

/// Counts the errors that are logged.
struct Errors(Arc<AtomicUsize>);

impl tracing::Subscriber for Errors {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_again_is_logged_once() {
    let directory = tempfile::tempdir().unwrap();
    let (path, away) = (directory.path().join("cells.db"), directory.path().join("away.db"));
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let writer = &backend.live().unwrap().writer;
    let errors = Arc::new(AtomicUsize::new(0));
    let log = || {
        let errors = Errors(errors.clone());
        writer.side(move |_| {
            // For as long as the writer's thread lives.
            std::mem::forget(tracing::subscriber::set_default(errors));
            Ok(())
        })
    };
    log().await.unwrap();
    for times in 1..=2 {
        let (from, to) = (path.clone(), away.clone());
        // It can neither be rolled back nor be opened.
        let fail = move |side: &mut writer::WriteSide| {
            let no_rollback = |context: AuthContext<'_>| match context.action {
                AuthAction::Transaction { operation: TransactionOperation::Rollback } => Authorization::Deny,
                _ => Authorization::Allow,
            };
            side.sqlite().authorizer(Some(no_rollback)).unwrap();
            side.transaction(|_, _| -> Result<(), Failure> {
                std::fs::rename(from, to).unwrap();
                Err(Failure::Store(StoreError::Failed { detail: "for the test".to_owned() }))
            })
        };
        writer.side(fail).await.unwrap_err();
        for _ in 0..3 {
            assert!(writer.is_alive().is_err());
            // Behind the attempt.
            writer.side(|_| Ok(())).await.unwrap();
        }
        assert_eq!(errors.load(Ordering::SeqCst), times);
        std::fs::rename(&away, &path).unwrap();
        assert!(writer.is_alive().is_err());
        writer.side(|_| Ok(())).await.unwrap();
        writer.is_alive().unwrap();
    }
    backend.put(epoch, &[group(1, 8)]).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_has_died_is_seen_and_nobody_else_gets_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.ping().await.unwrap();
    let die = |_: &mut writer::WriteSide| -> Result<(), StoreError> { panic!("for the test") };
    assert!(backend.live().unwrap().writer.side(die).await.is_err());
    let ended = async {
        while backend.ping().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it is seen");
    assert!(backend.ping().await.unwrap_err().to_string().contains("its writer has ended"));
    assert!(backend.put(epoch, &[group(1, 8)]).await.is_err());
    let again = SqliteBackend::open(&directory.path().join("cells.db"), SqliteOptions::default());
    assert!(matches!(again, Err(StoreError::Refused { .. })), "it is still read from here");
}

#[tokio::test]
async fn a_writer_that_hangs_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let timeouts =
        Timeouts { statement: Duration::from_millis(20), lock: Duration::from_millis(20), ..Timeouts::default() };
    let options = SqliteOptions { timeouts, ..SqliteOptions::default() };
    let backend = Arc::new(reopen(directory.path(), options).await.0);
    let begin = channel::<()>();
    let hang = move |_: &mut writer::WriteSide| {
        let _ = begin.1.recv();
        Ok(())
    };
    let hanging = tokio::spawn({
        let backend = backend.clone();
        async move { backend.live().unwrap().writer.side(hang).await }
    });
    let seen = async {
        while backend.ping().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("it is seen");
    assert!(backend.ping().await.unwrap_err().to_string().contains("its writer hangs"));
    drop(begin.0);
    let _ = hanging.await.unwrap();
    let well = async {
        while backend.ping().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), well).await.expect("and that it goes on");
}

/// Puts that share a transaction, each a call of its own: what each is told.
async fn together<const N: usize>(
    backend: &Arc<SqliteBackend>,
    epoch: Epoch,
    groups: [PutGroup; N],
    before: impl FnOnce(),
) -> Vec<Result<Vec<PutOutcome>, StoreError>> {
    let (release, blocker) = block(backend).await;
    let mut calls = groups.map(|group| {
        let (backend, groups) = (backend.clone(), [group]);
        Box::pin(async move { backend.put(epoch, &groups).await })
    });
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending(), "queued, and waiting for its answer");
    }
    before();
    release.send(()).unwrap();
    blocker.await.unwrap();
    futures_util::future::join_all(calls).await
}

/// Which of these rows are there.
async fn there(backend: &SqliteBackend, numbers: impl IntoIterator<Item = i64>) -> Vec<bool> {
    let names: Vec<Triple> = numbers.into_iter().map(|number| triple("row", number)).collect();
    backend.get(&table(), &names).await.unwrap().iter().map(Option::is_some).collect()
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_all_who_share_it_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let backend = Arc::new(backend);
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    let refuse = |times: usize| {
        let mut commits = 0;
        backend.live().unwrap().writer.side(move |side| {
            let hook = move || {
                commits += 1;
                commits <= times
            };
            side.sqlite().commit_hook(Some(hook)).unwrap();
            Ok(())
        })
    };
    // All of them together, and each by itself.
    refuse(usize::MAX).await.unwrap();
    for answer in together(&backend, epoch, [group(2, 10), group(3, 10)], || ()).await {
        assert!(matches!(answer, Err(StoreError::Failed { .. })), "{answer:?}");
    }
    assert_eq!(there(&backend, 1..4).await, [true, false, false]);
    // The first time alone.
    refuse(1).await.unwrap();
    let answers = together(&backend, epoch, [group(2, 10), group(3, 10)], || ()).await;
    assert_eq!(transactions(answers.iter().flat_map(|answer| answer.as_ref().unwrap())), 2);
    assert_eq!(there(&backend, 1..4).await, [true, true, true]);
}

#[tokio::test]
async fn a_transaction_that_a_failed_commit_leaves_open_is_rolled_back() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    let allow = |all: bool| {
        backend.live().unwrap().writer.side(move |side| {
            let no_commit = move |context: AuthContext<'_>| match context.action {
                AuthAction::Transaction { operation: TransactionOperation::Begin | TransactionOperation::Rollback } => {
                    Authorization::Allow
                }
                AuthAction::Transaction { .. } if !all => Authorization::Deny,
                _ => Authorization::Allow,
            };
            side.sqlite().authorizer(Some(no_commit)).unwrap();
            Ok(())
        })
    };
    allow(false).await.unwrap();
    let refused = backend.put(epoch, &[group(2, 10)]).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    allow(true).await.unwrap();
    assert_eq!(there(&backend, 1..3).await, [true, false]);
    assert_eq!(transactions(&backend.put(epoch, &[group(3, 10)]).await.unwrap()), 1);
    assert_eq!(there(&backend, 1..4).await, [true, false, true], "it is not committed with the next one");
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_in_its_midst_takes_nobody_along() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let backend = Arc::new(backend);
    let roll_back = "CREATE TRIGGER roll_back AFTER INSERT ON trips_1 WHEN NEW.ref_key = 3 \
                     BEGIN SELECT RAISE(ROLLBACK, 'for the test'); END";
    backend.live().unwrap().writer.alone(move |sqlite| Ok(sqlite.execute_batch(roll_back)?)).await.unwrap();
    let answers = together(&backend, epoch, [2, 3, 4].map(|number| group(number, 10)), || ()).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true], "{answers:?}");
    assert!(matches!(answers[1], Err(StoreError::Failed { .. })), "{answers:?}");
    assert_eq!(there(&backend, 2..5).await, [true, false, true]);
    // In one call of several groups nobody else can have been the cause: nothing of it is there.
    let call = backend.put(epoch, &[group(5, 10), group(3, 10), group(6, 10)]).await;
    assert!(matches!(call, Err(StoreError::Failed { .. })), "{call:?}");
    assert_eq!(there(&backend, [5, 3, 6]).await, [false, false, false]);
}

#[test]
fn of_a_commit_that_fails_in_a_file_nobody_knows_and_of_one_without_room_or_right_nothing_is_there() {
    use rusqlite::ffi;
    let outcome = |code| {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        file::commit_outcome(error.into(), Path::new("nowhere/cells.db"))
    };
    for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_SHMMAP] {
        assert!(matches!(outcome(code), StoreError::MaybeWritten { .. }), "{code}");
    }
    assert!(matches!(outcome(ffi::SQLITE_FULL), StoreError::DiskFull { .. }));
    assert!(matches!(outcome(ffi::SQLITE_BUSY), StoreError::Timeout { reason: Reason::Lock, .. }));
    assert!(matches!(outcome(ffi::SQLITE_INTERRUPT), StoreError::Timeout { reason: Reason::Statement, .. }));
    assert!(matches!(outcome(ffi::SQLITE_CONSTRAINT_COMMITHOOK), StoreError::Failed { .. }));
    assert!(matches!(outcome(ffi::SQLITE_READONLY_DBMOVED), StoreError::Failed { .. }));
    for code in [ffi::SQLITE_READONLY, ffi::SQLITE_READONLY_DIRECTORY] {
        let refused = outcome(code);
        assert!(matches!(&refused, StoreError::Refused { detail } if detail.contains("must be writable")), "{refused}");
    }
}

/// The variable that turns [`writes_beyond_what_a_file_may_have`] from a test of nothing into what its name says. The limit
/// is one of a whole process.
const LIMITED: &str = "CELLGATE_TEST_LIMITED_DIRECTORY";

#[tokio::test]
async fn writes_beyond_what_a_file_may_have() {
    let Some(directory) = std::env::var_os(LIMITED) else { return };
    let directory = Path::new(&directory);
    let (backend, epoch) = open(directory, SqliteOptions::default()).await;
    let backend = Arc::new(backend);
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    let log = std::fs::metadata(directory.join("cells.db-wal")).unwrap().len();
    let whole = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    let limit = |bytes: Option<u64>| {
        let limit = rustix::process::Rlimit { current: bytes, maximum: whole.maximum };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    };
    let pair = || [group(2, 100_000), group(3, 100_000)];
    for answer in together(&backend, epoch, pair(), || limit(Some(log + 150_000))).await {
        assert!(matches!(answer, Err(StoreError::MaybeWritten { .. })), "{answer:?}");
    }
    assert_eq!(there(&backend, 1..4).await, [true, false, false], "it is not read, whatever a crash would make of it");
    limit(whole.current);
    let answers = together(&backend, epoch, pair(), || ()).await;
    assert_eq!(transactions(answers.iter().flat_map(|answer| answer.as_ref().unwrap())), 1);
    backend.close().await;
}

#[tokio::test]
async fn a_commit_that_cannot_be_written_may_be_there_after_a_crash_and_is_written_when_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    // With that signal, what is beyond the limit is an error and no end.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["engine::sqlite::tests::writes_beyond_what_a_file_may_have", "--exact", "--test-threads=1"])
        .env(LIMITED, directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let (backend, _) = open(directory.path(), SqliteOptions::default()).await;
    assert_eq!(there(&backend, 1..4).await, [true, true, true]);
}

#[test]
fn a_file_of_another_user_is_told_with_its_owner_and_mode() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c1.db");
    std::fs::write(&file, b"").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let of = std::fs::metadata(&file).unwrap();
    let told = whose(&file, &of, 4242);
    let owner = format!("c1.db is of user {} and group {}, with mode 600", of.uid(), of.gid());
    assert!(told.contains(&owner) && told.contains("Cellgate runs as user 4242: chown it"), "{told}");
}
