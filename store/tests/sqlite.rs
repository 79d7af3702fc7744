//! What a SQLite file promises beside the suite: one process, nothing by looking, and a file of its own that holds everything.

use std::path::Path;

use cellgate_store::meta::MetaStore;
use cellgate_store::meta::sqlite::SqliteMeta;
use cellgate_store::sqlite::{SqliteBackend, SqliteOptions};
use cellgate_store::{Backend, PutOutcome, StoreError};
use pairs::{name, open, pair, put, table};

#[path = "support/pairs.rs"]
mod pairs;

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[tokio::test]
async fn opening_a_file_that_is_not_there_creates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").join("cells.db");
    let backend = SqliteBackend::open(&path, SqliteOptions::default()).unwrap();
    assert_eq!(backend.identity().await.unwrap(), None);
    backend.ping().await.unwrap();
    assert!(matches!(backend.get(&table(), &[name(1)]).await, Err(StoreError::Refused { .. })));
    backend.close().await;
    let meta = SqliteMeta::open(&directory.path().join("meta.db"), cellgate_store::Timeouts::default()).unwrap();
    assert!(!meta.exists().await.unwrap());
    assert!(meta.load("topology").await.is_err());
    assert_eq!(entries(directory.path()), 0);
}

#[tokio::test]
async fn times_go_on_from_the_last_one_though_the_clock_went_back() {
    const AHEAD: i64 = 3_600_000_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    let backend = open(&path).await;
    let time = |outcome: PutOutcome| match outcome {
        PutOutcome::Stored(places) => places[0].created_at.0,
        other => panic!("{other:?}"),
    };
    let first = time(put(&backend, pair(1)).await);
    backend.close().await;
    let file = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(file.execute("UPDATE cg_head SET at = at + ?", [AHEAD]).unwrap(), 1);
    drop(file);
    let backend = open(&path).await;
    for later in 1..=3 {
        assert_eq!(time(put(&backend, pair(1 + later)).await), first + AHEAD + later, "whatever the clock says");
    }
}

#[tokio::test]
async fn a_second_opening_of_a_file_is_refused_and_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    let waiting = SqliteBackend::open(&path, SqliteOptions::default()).unwrap();
    let first = open(&path).await;
    let refused = |result: Result<(), StoreError>| match result {
        Err(StoreError::Refused { detail }) => {
            assert!(detail.contains("cells.db is in use by another process"), "{detail}");
        }
        other => panic!("expected a refusal, got {other:?}"),
    };
    refused(SqliteBackend::open(&path, SqliteOptions::default()).map(drop));
    let identity = first.identity().await.unwrap().unwrap();
    refused(waiting.claim(&identity, &[]).await.map(drop));
    first.close().await;
    let second = SqliteBackend::open(&path, SqliteOptions::default()).unwrap();
    assert_eq!(second.identity().await.unwrap(), Some(identity));
    drop(second);
    SqliteBackend::open(&path, SqliteOptions::default()).unwrap();

    let path = directory.path().join("meta.db");
    let meta = SqliteMeta::open(&path, cellgate_store::Timeouts::default()).unwrap();
    meta.create().await.unwrap();
    assert!(matches!(SqliteMeta::open(&path, cellgate_store::Timeouts::default()), Err(StoreError::Refused { .. })));
    drop(meta);
    SqliteMeta::open(&path, cellgate_store::Timeouts::default()).unwrap();
}

#[tokio::test]
async fn a_meta_store_that_was_taken_away_answers_and_takes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.db");
    let meta = SqliteMeta::open(&path, cellgate_store::Timeouts::default()).unwrap();
    meta.create().await.unwrap();
    assert!(meta.compare_and_set("a", 0, b"1").await.unwrap());
    for name in ["meta.db", "meta.db-wal"] {
        let (there, away) = (directory.path().join(name), directory.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        for another in [false, true] {
            if another {
                std::fs::write(&there, "").unwrap();
            }
            let error = meta.load("a").await.unwrap_err();
            assert!(error.to_string().contains("taken away"), "{name}: {error}");
            assert!(matches!(meta.compare_and_set("a", 1, b"2").await, Err(StoreError::Unavailable { .. })), "{name}");
        }
        std::fs::rename(&away, &there).unwrap();
        assert_eq!(meta.load("a").await.unwrap().unwrap().version, 1, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_sqlite_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    let text = "these are notes, not a database. ".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let opened = SqliteBackend::open(&path, SqliteOptions::default());
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
    assert!(matches!(SqliteMeta::open(&path, cellgate_store::Timeouts::default()), Err(StoreError::Corrupt { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_closed_store_holds_everything_in_its_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    let backend = open(&path).await;
    let first = put(&backend, pair(1)).await;
    backend.close().await;
    let closed = backend.put(cellgate_schemaless::Epoch(1), &[pair(2)]).await;
    assert!(matches!(closed, Err(StoreError::Unavailable { .. })), "{closed:?}");
    assert!(matches!(backend.get(&table(), &[name(2)]).await, Err(StoreError::Unavailable { .. })));
    let log = std::fs::metadata(directory.path().join("cells.db-wal")).map_or(0, |m| m.len());
    assert_eq!(log, 0, "the write-ahead log is empty");
    // A copy of the one file is a whole backup.
    let copy = directory.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let copy = open(&copy).await;
    assert_eq!(put(&copy, pair(1)).await, first);
}

#[tokio::test]
async fn a_restart_goes_on_counting_where_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    let mut last = 0;
    for start in 0..3 {
        let backend = open(&path).await;
        let PutOutcome::Stored(places) = put(&backend, pair(start)).await else { panic!("not stored") };
        for place in places {
            assert!(place.added_id.0 > last);
            last = place.added_id.0;
        }
        backend.close().await;
    }
}
