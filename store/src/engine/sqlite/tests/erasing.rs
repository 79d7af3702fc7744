//! What is erased is overwritten: its bytes are nowhere in the files.

use super::removal::{filled, other, removes_in_part};
use super::*;

/// What no other cell has in it.
const SECRET: &str = "to-be-erased;";

/// Two cells of a table whose bodies have the secret in one page of the file, and in many.
fn secrets(table: &TableRef) -> [PutGroup; 2] {
    [(1, 3), (2, 2000)].map(|(number, times)| {
        let mut group = group(number, 0);
        group.cells[0].table = table.clone();
        group.cells[0].body = Body::json(format!("\"{}\"", SECRET.repeat(times))).unwrap();
        group
    })
}

/// Whether the secret is in the file or in its log.
fn is_on_disk(directory: &Path) -> bool {
    ["cells.db", "cells.db-wal"].iter().any(|name| {
        let bytes = std::fs::read(directory.join(name)).unwrap();
        bytes.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes())
    })
}

/// Moves the log into the file.
async fn checkpoint(backend: &SqliteBackend) {
    assert!(backend.live().unwrap().writer.side(|side| side.empty_log(LOG_WAIT)).await.unwrap());
}

/// Erases both cells; answers whether the secret was there before and is behind it.
async fn erase(backend: &SqliteBackend, epoch: Epoch, table: &TableRef, directory: &Path) -> (bool, bool) {
    let before = is_on_disk(directory);
    for number in [1, 2] {
        let erased = backend.erase(epoch, table, &Erasure::Cell(triple("row", number)), &step(1)).await.unwrap();
        assert_eq!(erased.cells, 1);
    }
    (before, is_on_disk(directory))
}

#[tokio::test]
async fn the_bytes_of_an_erased_body_are_nowhere() {
    for in_file in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
        backend.put(epoch, &secrets(&table())).await.unwrap();
        backend.put(epoch, &[group(3, 10)]).await.unwrap();
        if in_file {
            checkpoint(&backend).await;
        }
        assert_eq!(erase(&backend, epoch, &table(), directory.path()).await, (true, false));
        assert_eq!(there(&backend, 3..4).await, [true]);
    }
}

/// What became of a removal.
#[derive(Clone, Copy, Debug)]
enum Removed {
    Whole,
    InPart,
    /// A step failed.
    Failed,
}

#[tokio::test]
async fn they_are_nowhere_whatever_became_of_the_removal_of_another_table_before() {
    for removed in [Removed::Whole, Removed::InPart, Removed::Failed] {
        let directory = tempfile::tempdir().unwrap();
        let (backend, epoch) = filled(directory.path(), 3, 1).await;
        backend.put(epoch, &secrets(&other())).await.unwrap();
        checkpoint(&backend).await;
        match removed {
            Removed::Whole => backend.drop_table(&table()).await.unwrap(),
            Removed::InPart => removes_in_part(&backend, 2).await,
            Removed::Failed => {
                removes_in_part(&backend, 1).await;
                let refuse = |side: &mut writer::WriteSide| {
                    let no_delete = |context: AuthContext<'_>| match context.action {
                        AuthAction::Delete { table_name: "cg_dropped_1_cells" } => Authorization::Deny,
                        _ => Authorization::Allow,
                    };
                    side.sqlite().authorizer(Some(no_delete)).unwrap();
                    Ok(())
                };
                backend.live().unwrap().writer.side(refuse).await.unwrap();
                let failed = backend.drop_table(&table()).await;
                assert!(matches!(failed, Err(StoreError::Failed { .. })), "{failed:?}");
            }
        }
        let erased = erase(&backend, epoch, &other(), directory.path()).await;
        assert_eq!(erased, (true, false), "{removed:?}");
    }
}

#[tokio::test]
async fn a_step_overwrites_no_more_than_some_mebibytes_and_behind_the_last_one_the_bytes_are_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &secrets(&table())).await.unwrap();
    for number in 3..13 {
        backend.put(epoch, &[group(number, 4 << 20)]).await.unwrap();
    }
    let (whole, mut step, mut cells) = (Erasure::Row(triple("row", 1).row), step(100), Vec::new());
    loop {
        let erased = backend.erase(epoch, &table(), &whole, &step).await.unwrap();
        cells.push(erased.cells);
        if erased.last.is_none() {
            break;
        }
        step.after = erased.last;
    }
    assert_eq!(cells, [6, 4, 2], "16 MiB, then as much again, then the rest");
    assert!(!is_on_disk(directory.path()));
}
