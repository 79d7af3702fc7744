//! What somebody has made beside the tables of cells.

use super::*;

#[tokio::test]
async fn copies_of_its_tables_are_listed_and_views_and_other_tables_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, _) = open(directory.path(), SqliteOptions::default()).await;
    let made = "CREATE VIEW seen_99 AS SELECT ref_key FROM trips_1; CREATE TABLE trips_1_20261130 AS SELECT * FROM trips_1; \
                CREATE TABLE foreign_98 (id INT)";
    backend.live().unwrap().writer.alone(move |sqlite| Ok(sqlite.execute_batch(made)?)).await.unwrap();
    let mut listed = backend.tables().await.unwrap();
    listed.sort();
    assert_eq!(listed, ["trips_1", "trips_1_20261130"]);
    backend.drop_table(&table()).await.unwrap();
    assert_eq!(backend.tables().await.unwrap(), ["trips_1_20261130"], "a copy is nobody's but its maker's");
}
