//! Tables that are removed in steps.

use std::pin::pin;

use futures_util::future::{Either, select};
use futures_util::poll;

use super::super::removal::STEP_ROWS;
use super::*;

pub(super) fn other() -> TableRef {
    TableRef::new("other", TableId(2), 1)
}

fn group_of_other(number: i64) -> PutGroup {
    let mut group = group(number, 1);
    group.cells[0].table = other();
    group
}

/// A file with two tables, of which the first needs at least `steps` steps, with bodies of so many bytes.
pub(super) async fn filled(directory: &Path, steps: i64, bytes: usize) -> (SqliteBackend, Epoch) {
    let (backend, epoch) = open(directory, SqliteOptions::default()).await;
    backend.create_table(&other()).await.unwrap();
    let groups: Vec<PutGroup> = (0..=steps * STEP_ROWS as i64).map(|number| group(number, bytes)).collect();
    backend.put(epoch, &groups).await.unwrap();
    (backend, epoch)
}

/// What the file's schema has of its tables of cells, beside what is made by itself.
async fn schema(backend: &SqliteBackend) -> Vec<String> {
    let names = |side: &mut writer::WriteSide| {
        let sql = "SELECT name FROM sqlite_schema WHERE sql LIKE '%row_key%' OR sql LIKE '%shard%' ORDER BY name";
        let mut statement = side.sqlite().prepare(sql).unwrap();
        Ok(statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap())
    };
    let names: Vec<String> = backend.live().unwrap().writer.side(names).await.unwrap();
    names.into_iter().filter(|name| !["cg_shard", "cg_cluster", "cg_intent"].contains(&name.as_str())).collect()
}

/// What SQLite finds wrong with the file.
async fn fault(backend: &SqliteBackend) -> String {
    let check = |side: &mut writer::WriteSide| {
        Ok(side.sqlite().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap())
    };
    backend.live().unwrap().writer.side(check).await.unwrap()
}

async fn execute(backend: &SqliteBackend, text: &'static str) {
    backend.live().unwrap().writer.alone(move |sqlite| Ok(sqlite.execute_batch(text)?)).await.unwrap();
}

const OTHER: [&str; 3] = ["cg_2_cell", "cg_2_log", "other_2"];

#[tokio::test]
async fn a_put_to_another_table_is_answered_between_two_steps() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = filled(directory.path(), 5, 1).await;
    let backend = Arc::new(backend);
    let (release, blocker) = block(&backend).await;
    let (trips, groups) = (table(), [group_of_other(1)]);
    let mut dropped = pin!(backend.drop_table(&trips));
    let mut put = pin!(backend.put(epoch, &groups));
    // Queued in this order.
    assert!(poll!(&mut dropped).is_pending() && poll!(&mut put).is_pending());
    release.send(()).unwrap();
    match select(dropped, put).await {
        Either::Left(_) => panic!("the put waited for the whole removal"),
        Either::Right((stored, dropped)) => {
            assert!(matches!(stored.unwrap()[..], [PutOutcome::Stored(_)]));
            dropped.await.unwrap();
        }
    }
    blocker.await.unwrap();
    assert_eq!(schema(&backend).await, OTHER);
    assert_eq!(fault(&backend).await, "ok");
}

/// Removes with so many steps and goes away.
pub(super) async fn removes_in_part(backend: &SqliteBackend, steps: usize) {
    let removal = Arc::new(Removal::of(&table()));
    for _ in 0..steps {
        let removal = Arc::clone(&removal);
        let left = backend.live().unwrap().writer.side(move |side| removal.step(side)).await.unwrap();
        assert_eq!(left, Left::Something);
    }
}

#[tokio::test]
async fn a_removal_that_broke_off_anywhere_is_gone_on_with_and_the_table_is_never_served() {
    // The last break is before the rest is dropped.
    let steps = 4;
    for broken_behind in [1, 2, 3, 5] {
        let directory = tempfile::tempdir().unwrap();
        let (backend, epoch) = filled(directory.path(), steps, 1).await;
        let key = [triple("row", 1)];
        // Statements of the table are in use on both sides.
        assert!(backend.get(&table(), &key).await.unwrap()[0].is_some());
        removes_in_part(&backend, broken_behind).await;
        let backend = match broken_behind % 2 {
            0 => backend,
            _ => {
                drop(backend);
                SqliteBackend::open(&directory.path().join("cells.db"), SqliteOptions::default()).unwrap()
            }
        };
        assert_eq!(fault(&backend).await, "ok", "behind {broken_behind} steps");
        let is_gone = |error: StoreError| matches!(error, StoreError::NoTable { table } if table == "trips_1");
        assert!(is_gone(backend.get(&table(), &key).await.unwrap_err()));
        assert!(is_gone(backend.put(epoch, &[group(1, 1)]).await.unwrap_err()));
        let ids = backend.tables().await.unwrap();
        let ids: Vec<_> = ids.iter().filter_map(|name| TableRef::id_in(name)).collect();
        assert_eq!(ids, [TableId(2)]);
        backend.put(epoch, &[group_of_other(1)]).await.unwrap();
        let trips = table();
        // Twice at once, as a DROP and the cleaning of a catalog.
        let (one, two) = tokio::join!(backend.drop_table(&trips), backend.drop_table(&trips));
        one.and(two).unwrap();
        assert_eq!(schema(&backend).await, OTHER);
        assert_eq!(fault(&backend).await, "ok");
    }
}

#[tokio::test]
async fn a_table_that_is_made_again_while_one_of_its_id_is_set_aside_goes_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = filled(directory.path(), 3, 1).await;
    removes_in_part(&backend, 2).await;
    backend.create_table(&table()).await.unwrap();
    backend.put(epoch, &[group(1, 1)]).await.unwrap();
    backend.drop_table(&table()).await.unwrap();
    assert_eq!(schema(&backend).await, OTHER);
}

#[tokio::test]
async fn a_step_ends_behind_many_bytes_and_takes_one_body_at_least() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let bytes = 9 * 1024 * 1024;
    backend.put(epoch, &(0..5).map(|number| group(number, bytes)).collect::<Vec<_>>()).await.unwrap();
    // It is set aside; two, and two more.
    removes_in_part(&backend, 3).await;
    let left = "SELECT count(*) FROM cg_dropped_1_cells";
    let count = |side: &mut writer::WriteSide| Ok(side.sqlite().query_row(left, [], |row| row.get(0)).unwrap());
    let count: i64 = backend.live().unwrap().writer.side(count).await.unwrap();
    assert_eq!(count, 1);
    backend.drop_table(&table()).await.unwrap();
    assert_eq!(schema(&backend).await, [""; 0]);
}

#[tokio::test]
async fn what_somebody_has_made_beside_the_table_does_not_keep_it() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, _) = filled(directory.path(), 3, 1).await;
    // A view of what is not there, and one of the table.
    execute(&backend, "CREATE VIEW broken AS SELECT * FROM missing; CREATE VIEW seen AS SELECT body FROM trips_1")
        .await;
    backend.drop_table(&table()).await.unwrap();
    assert_eq!(schema(&backend).await, OTHER);

    let directory = tempfile::tempdir().unwrap();
    let (backend, _) = filled(directory.path(), 3, 1).await;
    execute(
        &backend,
        "CREATE INDEX own ON trips_1 (created_at); CREATE TABLE copies (row BLOB); \
         CREATE TRIGGER kept BEFORE DELETE ON trips_1 BEGIN INSERT INTO copies VALUES (old.body); END",
    )
    .await;
    backend.drop_table(&table()).await.unwrap();
    assert_eq!(schema(&backend).await, OTHER);
    let count = |side: &mut writer::WriteSide| {
        Ok(side.sqlite().query_row("SELECT count(*) FROM copies", [], |row| row.get(0)).unwrap())
    };
    let count: i64 = backend.live().unwrap().writer.side(count).await.unwrap();
    assert_eq!(count, 0, "no trigger runs for rows that go with their table");
}
