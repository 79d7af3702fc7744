//! Full disks, full queues, and what takes too long.

use super::*;

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
    let (backend, _) =
        reopen(directory.path(), SqliteOptions { timeouts, readers: 1, queue: 4, ..SqliteOptions::default() }).await;
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
        up_to: None,
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
        reopen(directory.path(), SqliteOptions { timeouts, readers: 1, queue: 4, ..SqliteOptions::default() }).await;
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
        reopen(directory.path(), SqliteOptions { timeouts, readers: 1, queue: 1, ..SqliteOptions::default() }).await;
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
