//! Commits that fail.

use super::*;

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
fn a_commit_that_a_quota_cuts_short_is_not_written_and_one_that_fails_otherwise_may_be() {
    let outcome = |code: i32, room: Option<std::io::ErrorKind>| {
        let failure = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let room = || room.map_or(Ok(()), |kind| Err(kind.into()));
        file::commit_outcome_by(failure.into(), Path::new("cells.db"), room)
    };
    let (write, sync) = (rusqlite::ffi::SQLITE_IOERR_WRITE, rusqlite::ffi::SQLITE_IOERR_FSYNC);
    for full in [std::io::ErrorKind::QuotaExceeded, std::io::ErrorKind::StorageFull] {
        assert!(matches!(outcome(write, Some(full)), StoreError::DiskFull { .. }));
        assert!(matches!(outcome(sync, Some(full)), StoreError::MaybeWritten { .. }), "the mark may be in the log");
    }
    for other in [None, Some(std::io::ErrorKind::FileTooLarge), Some(std::io::ErrorKind::Other)] {
        assert!(matches!(outcome(write, other), StoreError::MaybeWritten { .. }));
    }
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
        .args(["engine::sqlite::tests::commits::writes_beyond_what_a_file_may_have", "--exact", "--test-threads=1"])
        .env(LIMITED, directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let (backend, _) = open(directory.path(), SqliteOptions::default()).await;
    assert_eq!(there(&backend, 1..4).await, [true, true, true]);
}
