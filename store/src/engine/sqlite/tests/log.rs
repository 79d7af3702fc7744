//! The write-ahead log: when it is emptied, and who waits for that.

use super::*;

#[tokio::test]
async fn a_snapshot_that_lives_on_keeps_no_erased_body_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    // The reader keeps its snapshot, which is one of the log.
    assert!(backend.get(&table(), &[triple("row", 1)]).await.unwrap()[0].is_some());
    backend.erase(epoch, &table(), &Erasure::Cell(triple("row", 1)), &step(1)).await.unwrap();
    let log = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let log = log.into_iter().find(|path| path.to_string_lossy().ends_with("-wal")).unwrap();
    assert_eq!(std::fs::metadata(log).unwrap().len(), 0);
}

#[tokio::test]
async fn an_erasure_whose_log_cannot_be_moved_into_the_file_says_so_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    let refuse = |side: &mut writer::WriteSide| {
        let no_checkpoint = |context: AuthContext<'_>| match context.action {
            AuthAction::Pragma { pragma_name: "wal_checkpoint", .. } => Authorization::Deny,
            _ => Authorization::Allow,
        };
        side.sqlite().authorizer(Some(no_checkpoint)).unwrap();
        Ok(())
    };
    backend.live().unwrap().writer.side(refuse).await.unwrap();
    let began = Instant::now();
    let error = backend.erase(epoch, &table(), &Erasure::Cell(triple("row", 1)), &step(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Statement, .. }), "{error:?}");
    assert!(error.to_string().contains("erase again") && !error.to_string().contains("somebody reads"), "{error}");
    assert!(began.elapsed() < Timeouts::default().statement, "nobody is waited for");
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
    let (name, table, step) = (Erasure::Cell(triple("row", 1)), table(), step(1));
    let error = backend.erase(epoch, &table, &name, &step).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Statement, .. }), "{error}");
    assert!(bytes_of_log() > 0);
    // It is erased; what is left to do is done by erasing again.
    assert_eq!(backend.get(&table, &[triple("row", 1)]).await.unwrap()[0].as_ref().unwrap().kind, CellKind::Erased);
    let again = backend.erase(epoch, &table, &name, &step);
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
