//! How statements are planned and prepared.

use cellgate_schemaless::{AddedId, Erasure};

use super::*;

#[tokio::test]
async fn no_statement_of_a_scan_or_an_erasure_sorts() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, _) = open(directory.path(), SqliteOptions::default()).await;
    let after = triple("b", 1);
    let keys = |names: &[&str]| names.iter().map(|n| RowKey::new((*n).to_owned()).unwrap()).collect::<Vec<_>>();
    let columns = ColumnFilter::In(vec![ColumnKey::new("base").unwrap(), ColumnKey::new("x").unwrap()]);
    let mut queries: Vec<Query> = Vec::new();
    for direction in [Direction::Ascending, Direction::Descending] {
        for filter in [ColumnFilter::All, columns.clone()] {
            for (after, up_to) in [(None, None), (Some(after.clone()), None), (Some(after.clone()), Some(AddedId(7)))] {
                let refs = RefRange { min: Some(RefKey(1)), max: Some(RefKey(9)) };
                let set = RowSet::Rows(keys(&["a", "b", "c"]), filter.clone());
                let scan = RowScan { set, refs, direction, after, up_to, limit: None };
                queries.extend(SQLITE.rows(&table(), &scan, 10));
            }
        }
    }
    let some: Vec<ShardId> = [1, 2, 3, 7, 9].map(ShardId).to_vec();
    for shards in [some, (0..16).map(ShardId).collect()] {
        for added_after in [None, Some(AddedId(5))] {
            for after in [None, Some((ShardId(2), AddedId(7)))] {
                let scan = LogScan {
                    shards: shards.clone(),
                    added_after,
                    created_from: Some(cellgate_schemaless::Micros(1)),
                    columns: columns.clone(),
                    after,
                    up_to: None,
                    limit: None,
                };
                queries.extend(SQLITE.log(&table(), &scan, 10));
            }
        }
    }
    let (chain, up_to) = (Erasure::Column(after.row.clone(), after.column.clone()), Some(AddedId(7)));
    for what in [Erasure::Row(after.row.clone()), chain] {
        queries.extend(SQLITE.slots(&table(), &what, None, None, 10));
        queries.extend(SQLITE.slots(&table(), &what, Some(&after), up_to, 10));
    }
    assert!(queries.len() > 20);
    let explain = move |sqlite: &rusqlite::Connection| {
        let mut plans = Vec::new();
        for Query { text, params } in queries {
            let explained = Query { text: format!("EXPLAIN QUERY PLAN {text}"), params };
            let mut statement = bind(sqlite, &explained)?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                plans.push((row.get::<_, String>(3)?, text.clone()));
            }
        }
        Ok(plans)
    };
    for (plan, text) in backend.live().unwrap().readers.blocking(explain).await.unwrap() {
        assert!(plan.starts_with("SEARCH") && plan.contains("USING INDEX"), "{plan}: {text}");
    }
}

#[tokio::test]
async fn a_statement_is_prepared_once() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    let key = triple("row", 1);
    let key = LatestKey { row: key.row, column: key.column, at_most: None };
    let prepared_again = move |sqlite: &rusqlite::Connection| {
        for _ in 0..3 {
            read::latest(sqlite, &read::ReadTexts::new(&table()).whole, std::slice::from_ref(&key))?;
        }
        let statement = sqlite.prepare_cached(&SQLITE.latest_text(&table()))?;
        Ok(statement.get_status(rusqlite::StatementStatus::RePrepare))
    };
    assert_eq!(backend.live().unwrap().readers.blocking(prepared_again).await.unwrap(), 0);
}
