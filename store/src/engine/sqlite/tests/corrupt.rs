//! Rows that are no cells: what is said of them.

use super::*;

fn rows() -> RowScan {
    RowScan {
        set: RowSet::Rows(vec![triple("row", 1).row], ColumnFilter::All),
        // A page ends before a long body, as one that is missing seems to be, and the next begins with it.
        refs: RefRange { min: Some(RefKey(3)), max: None },
        direction: Direction::Ascending,
        after: None,
        up_to: None,
        limit: None,
    }
}

fn log(added_after: Option<AddedId>) -> LogScan {
    LogScan {
        shards: vec![ShardId(1)],
        added_after,
        created_from: None,
        columns: ColumnFilter::All,
        after: None,
        up_to: None,
        limit: None,
    }
}

#[tokio::test]
async fn a_row_that_is_no_cell_is_named() {
    let damages = [
        ("body = NULL", "it has no body"),
        ("kind = 77", "it has the unknown kind 77"),
        ("shard = 100000", "it has the shard 100000"),
    ];
    for (damage, what) in damages {
        let directory = tempfile::tempdir().unwrap();
        let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
        let mut ids = Vec::new();
        for number in 1..=3 {
            match backend.put(epoch, &[group(number, 8)]).await.unwrap().pop() {
                Some(PutOutcome::Stored(places)) => ids.push(places[0].added_id),
                other => panic!("not stored: {other:?}"),
            }
        }
        let physical = table().physical().to_owned();
        let side = move |side: &mut writer::WriteSide| {
            let damaged = side.transaction(|sqlite, _| {
                Ok(sqlite.execute(&format!("UPDATE {physical} SET {damage} WHERE ref_key = 3"), [])?)
            });
            side.committed();
            damaged
        };
        assert_eq!(backend.live().unwrap().writer.side(side).await.unwrap(), 1);

        let latest = LatestKey { row: triple("row", 3).row, column: triple("row", 3).column, at_most: None };
        let mut errors = vec![
            backend.get(&table(), &[triple("row", 1), triple("row", 3)]).await.unwrap_err(),
            backend.latest(&table(), std::slice::from_ref(&latest)).await.unwrap_err(),
        ];
        // Scans pass over kinds they do not know, and the log of a shard over what is in no shard.
        if !damage.starts_with("kind") {
            errors.push(backend.rows(&table(), &rows()).await.unwrap_err());
        }
        if damage.starts_with("body") {
            errors.push(backend.log(&table(), &log(Some(ids[1]))).await.unwrap_err());
        } else {
            errors.push(backend.versions(&table(), &[latest]).await.unwrap_err());
        }
        errors.push(backend.put(epoch, &[group(3, 9)]).await.unwrap_err());
        for error in errors {
            let error = error.to_string();
            let name = format!("the cell with row_key 'row', column_key 'base', ref_key 3, added_id {}", ids[2].0);
            let expected = format!("corrupt data in the store: table {}: {name}: {what}", table().physical());
            assert_eq!(error, expected, "{damage}");
        }
        // The others are there.
        assert!(backend.get(&table(), &[triple("row", 1)]).await.unwrap()[0].is_some());
    }
}
