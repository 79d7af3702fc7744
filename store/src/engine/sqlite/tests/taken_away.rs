//! Files that were taken away, or are of somebody else.

use super::*;

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
async fn a_link_to_a_file_has_the_lock_and_the_log_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let (named, large) = (directory.path().join("named"), directory.path().join("large"));
    for directory in [&named, &large] {
        std::fs::create_dir(directory).unwrap();
    }
    std::os::unix::fs::symlink("../large/moved.db", named.join("linked.db")).unwrap();
    std::os::unix::fs::symlink("linked.db", named.join("cells.db")).unwrap();
    // Once where the link leads nowhere yet, and once where there is the file.
    for _ in 0..2 {
        let (backend, epoch) = open(&named, SqliteOptions::default()).await;
        let second = SqliteBackend::open(&large.join("moved.db"), SqliteOptions::default()).unwrap_err();
        assert!(second.to_string().contains("in use by another process"), "{second}");
        backend.put(epoch, &[group(1, 8)]).await.unwrap();
        backend.ping().await.unwrap();
        let (log, away) = (large.join("moved.db-wal"), directory.path().join("away"));
        std::fs::rename(&log, &away).unwrap();
        let gone = backend.ping().await.unwrap_err();
        assert!(gone.to_string().contains("moved.db-wal was taken away"), "{gone}");
        std::fs::rename(&away, &log).unwrap();
        backend.ping().await.unwrap();
        backend.close().await;
    }
}

#[test]
fn a_link_to_a_file_has_the_lock_of_earlier_versions_too() {
    let directory = tempfile::tempdir().unwrap();
    let (link, file) = (directory.path().join("link.db"), directory.path().join("file.db"));
    let (of_link, of_file) = (directory.path().join("link.db.lock"), directory.path().join("file.db.lock"));
    std::fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink("file.db", &link).unwrap();
    // Who only looks makes no file.
    drop(ProcessLock::take(&link, LockFile::Find).unwrap());
    assert!(!of_link.exists() && !of_file.exists());

    // An earlier version has it, which locks beside the link.
    let earlier = std::fs::File::create(&of_link).unwrap();
    earlier.try_lock().unwrap();
    for missing in [LockFile::Make, LockFile::Find] {
        let refused = ProcessLock::take(&link, missing).unwrap_err();
        assert!(refused.to_string().contains("link.db is in use by another process"), "{refused}");
    }
    drop(earlier);

    // And it finds the lock taken, also where there was none yet.
    std::fs::remove_file(&of_link).unwrap();
    let held = ProcessLock::take(&link, LockFile::Make).unwrap();
    let earlier = std::fs::File::open(&of_link).unwrap();
    assert!(earlier.try_lock().is_err());
    drop(held);
    earlier.try_lock().unwrap();
    drop(earlier);

    // A lock file that is linked as well is one lock.
    std::fs::remove_file(&of_link).unwrap();
    std::os::unix::fs::symlink("file.db.lock", &of_link).unwrap();
    let held = ProcessLock::take(&link, LockFile::Make).unwrap();
    ProcessLock::take(&file, LockFile::Make).unwrap_err();
    drop(held);
    ProcessLock::take(&file, LockFile::Make).unwrap();
}

#[test]
fn a_link_in_a_directory_that_cannot_be_written_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let (named, file) = (directory.path().join("named"), directory.path().join("file.db"));
    std::fs::create_dir(&named).unwrap();
    std::os::unix::fs::symlink("../file.db", named.join("link.db")).unwrap();
    // No lock file can be made there by anybody, as in a directory without the right to: a link that leads into nothing.
    std::os::unix::fs::symlink("nowhere/lock", named.join("link.db.lock")).unwrap();
    let _held = ProcessLock::take(&named.join("link.db"), LockFile::Make).unwrap();
    ProcessLock::take(&file, LockFile::Make).unwrap_err();
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

#[test]
fn a_file_that_can_only_be_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let mut connection = TimedConnection::open(&path, Access::Write, Duration::ZERO).unwrap();
    connection.refuse_read_only(&path).unwrap();
    // As SQLite opens a file that it may not write, without a word.
    let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    connection.sqlite = rusqlite::Connection::open_with_flags(&path, read_only).unwrap();
    let refused = connection.refuse_read_only(&path).unwrap_err();
    assert!(refused.to_string().contains("cells.db can only be read: "), "{refused}");
    if rustix::process::geteuid().is_root() {
        return;
    }
    let mut rights = std::fs::metadata(&path).unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(&path, rights).unwrap();
    let refused = SqliteBackend::open(&path, SqliteOptions::default()).unwrap_err();
    assert!(refused.to_string().contains("with mode 444, and Cellgate runs as user"), "{refused}");
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
