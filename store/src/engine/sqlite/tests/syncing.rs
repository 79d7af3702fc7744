//! A commit is answered when it is on the disk, and not before.

use super::*;
use skipped::skipped;

#[path = "../../../../tests/support/skipped.rs"]
mod skipped;

#[tokio::test]
async fn every_connection_that_writes_syncs_the_log_at_each_commit() {
    /// What SQLite calls FULL.
    const FULL: i64 = 2;
    let ask = |sqlite: &rusqlite::Connection| sqlite.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0));
    let directory = tempfile::tempdir().unwrap();
    let (backend, _) = open(directory.path(), SqliteOptions::default()).await;
    let writer = backend.live().unwrap().writer.alone(move |sqlite| Ok(ask(sqlite)?)).await.unwrap();
    assert_eq!(writer, FULL);
    // The meta store's is opened by the same.
    for access in [file::Access::Create, file::Access::Write] {
        let path = directory.path().join("meta.db");
        let mut connection = file::TimedConnection::open(&path, access, Duration::from_secs(1)).unwrap();
        assert_eq!(connection.within(Duration::from_secs(60), ask).unwrap(), FULL, "{access:?}");
    }
}

/// The variable that turns [`writes_until_a_sync_fails`] from a test of nothing into what its name says.
const UNSYNCED: &str = "CELLGATE_TEST_UNSYNCED_DIRECTORY";

#[tokio::test]
async fn writes_until_a_sync_fails() {
    let Some(directory) = std::env::var_os(UNSYNCED) else { return };
    let (backend, epoch) = open(Path::new(&directory), SqliteOptions::default()).await;
    for number in 1..100 {
        match backend.put(epoch, &[group(number, 10)]).await {
            Ok(_) => println!("acknowledged {number}"),
            Err(StoreError::MaybeWritten { .. }) => {
                assert_eq!(there(&backend, [number]).await, [false], "nobody reads what may be gone after a crash");
                println!("unknown {number}");
                // As a crash of this process: nothing is closed.
                std::process::exit(0);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("no sync has failed");
}

#[tokio::test]
async fn a_commit_whose_sync_fails_may_be_there_after_a_crash_and_is_written_once() {
    let traced = std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    if !traced.is_ok_and(|output| output.status.success()) {
        skipped("it needs strace, which makes syncs fail");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // Of each thread: the writer's are five until there is a table, and one for each commit.
    let output = std::process::Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=9+"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "engine::sqlite::tests::syncing::writes_until_a_sync_fails",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(UNSYNCED, directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let of = |what: &str| {
        let numbers = said.lines().filter_map(|line| line.split_once(what));
        numbers.map(|(_, number)| number.trim().parse().unwrap()).collect::<Vec<i64>>()
    };
    let (acknowledged, unknown) = (of("acknowledged "), of("unknown "));
    assert!(!acknowledged.is_empty() && unknown.len() == 1, "{said}");
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    assert!(there(&backend, acknowledged).await.into_iter().all(|there| there), "acknowledged and gone");
    // It was all in the log: who had been told that nothing was written would have been told wrong.
    assert_eq!(there(&backend, unknown.clone()).await, [true]);
    let again = backend.put(epoch, &[group(unknown[0], 10)]).await.unwrap();
    assert!(matches!(again.as_slice(), [PutOutcome::Stored(places)] if places[0].new), "its own write: {again:?}");
}
