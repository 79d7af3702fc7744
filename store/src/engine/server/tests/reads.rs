//! Reads: whose session is lost, of pages, of many names and below locks.

use super::*;

#[tokio::test]
async fn a_read_whose_session_is_lost_is_read_again_once() {
    let bench = Bench::new(Timeouts::default());
    bench.script.cells.are([Err(lost()), Ok((vec![row(9, 1)], false)), Err(lost()), Err(lost())]);
    assert_eq!(bench.get().await.unwrap(), [Some(row(9, 1))]);
    let error = bench.get().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(bench.script.asked(), [Asked::Cells(1), Asked::Cells(2), Asked::Cells(2), Asked::Cells(3)]);
}

#[tokio::test]
async fn what_pages_say_of_large_cells_is_of_their_table_and_pages_of_few_rows_say_nothing() {
    let bench = Bench::new(Timeouts::default());
    let (large, other) = (table(), TableRef::new("other", TableId(2), 1));
    // Answers for how many rows it asks if it may have so many, and is answered some of so many bytes each.
    let page = async |table: &TableRef, limit: u64, rows: usize, bytes: usize| {
        let cell = Cell { body: Some(Body::from_store(vec![b'1'; bytes - 2])), ..row(9, 1) };
        bench.script.cells.are([Ok((vec![cell; rows], false))]);
        let asked = std::sync::Mutex::new(0);
        let query = |rows| {
            *lock(&asked) = rows;
            std::iter::once(Query { text: "SELECT 1".to_owned(), params: Vec::new() })
        };
        bench.core.page(Operation::Rows, table, query, limit, 8000).await.unwrap();
        asked.into_inner().unwrap()
    };
    assert_eq!(page(&large, 100, 8, 1000).await, 100);
    assert_eq!(page(&large, 100, 7, 1000).await, 7, "it fits in a page");
    assert_eq!(page(&other, 100, 100, 10).await, 100);
    assert_eq!(page(&large, 1, 1, 10).await, 1);
    assert_eq!(page(&large, 100, 7, 10).await, 7, "nobody has shown that they are small");
    // Somebody has, but these may be the small ones among large ones.
    for rows in [14, 28, 56, 100] {
        assert_eq!(page(&large, 100, rows, 10).await, rows as u64, "twice as many as before");
    }
}

#[tokio::test]
async fn a_read_that_is_never_answered_ends() {
    let bench = Bench::new(SHORT);
    bench.script.hangs.store(true, Ordering::SeqCst);
    let error = tokio::time::timeout(Duration::from_secs(30), bench.get()).await.expect("it ends").unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Statement, .. }), "{error:?}");
}

#[tokio::test]
async fn more_names_than_a_statement_takes_are_read_in_one_snapshot_and_bounded_together() {
    let bench = Bench::new(Timeouts::default());
    bench.script.lists.store(true, Ordering::SeqCst);
    let (table, keys) = (table(), (0..10_000).map(triple).collect::<Vec<Triple>>());
    let read = || bench.core.find(Operation::Get, &table, Names::Exact(&keys));
    bench.script.runs.are([Ok(()), Ok(()), Ok(())]);
    bench.script.cells.are([Ok((vec![row(9, 1)], false)), Ok((vec![row(9, 9_999)], false))]);
    let found = read().await.unwrap();
    assert_eq!(found.iter().flatten().map(|cell| cell.triple.ref_key.0).collect::<Vec<_>>(), [1, 9_999]);
    let run = |text: &str| Asked::Run(1, text.to_owned());
    let begin = [
        run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
        run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
    ];
    let reads = [Asked::Cells(1), Asked::Cells(1), run("COMMIT")];
    assert_eq!(bench.script.asked(), [&begin[..], &reads[..]].concat());

    // Each statement has less than an answer may have, and both of them have more.
    let large = Body::from_store(vec![b'1'; ANSWER_BYTES / 2]);
    let of = |ref_key| Ok((vec![Cell { body: Some(large.clone()), ..row(9, ref_key) }], false));
    bench.script.runs.are([Ok(()), Ok(())]);
    bench.script.cells.are([of(1), of(9_999)]);
    assert!(matches!(read().await, Err(StoreError::AnswerTooLarge { .. })));
}

#[tokio::test]
async fn the_latest_is_looked_for_below_locks_and_closed_rows() {
    let script = Arc::new(Script::default());
    let options = ServerOptions::new("a", "postgres://a@localhost/b".parse().unwrap());
    let server = Server::with_driver(FakeDriver(Arc::clone(&script)), &options).unwrap();
    let of = |ref_key, kind| Ok((vec![Cell { kind, body: None, ..row(9, ref_key) }], false));
    script.cells.are([of(3, CellKind::Closed), of(2, CellKind::Lock), Ok((vec![row(9, 1)], false))]);
    let Triple { row: chain, column, .. } = triple(1);
    let key = [LatestKey { row: chain, column, at_most: None }];
    assert_eq!(server.latest(&table(), &key).await.unwrap(), [Some(row(9, 1))]);
    script.cells.are([of(1, CellKind::Lock), Ok((Vec::new(), false))]);
    assert_eq!(server.latest(&table(), &key).await.unwrap(), [None]);
}

#[tokio::test]
async fn a_cell_that_has_no_body_is_named() {
    let script = Arc::new(Script::default());
    let options = ServerOptions::new("a", "postgres://a@localhost/b".parse().unwrap());
    let server = Server::with_driver(FakeDriver(Arc::clone(&script)), &options).unwrap();
    // Left out of the first statement, as a long one, and missing in the one for it alone.
    let of = || Ok((vec![Cell { body: None, ..row(9, 1) }], false));
    script.cells.are([of(), of()]);
    let error = server.get(&table(), &[triple(1)]).await.unwrap_err().to_string();
    let name = "table t_1: the cell with row_key 'r', column_key 'c', ref_key 1, added_id 1: it has no body";
    assert_eq!(error, format!("corrupt data in the store: {name}"));
}
