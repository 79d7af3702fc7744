//! What somebody has made beside the tables of cells.

use crate::fixture::{Holder, Store};

pub async fn copies_of_its_tables_are_listed_and_views_and_other_tables_are_not(store: Store) {
    let made = "CREATE VIEW seen_99 AS SELECT * FROM trips_7; CREATE TABLE trips_7_20261130 AS SELECT * FROM trips_7; \
                CREATE TABLE foreign_98 (id INT)";
    Holder::run(&store, made).await.commit().await;
    let mut listed = store.backend.tables().await.unwrap();
    listed.sort();
    assert_eq!(listed, ["trips_7", "trips_7_20261130"]);
    Holder::run(&store, "DROP VIEW seen_99").await.commit().await;
    store.backend.drop_table(&store.table).await.unwrap();
    assert_eq!(store.backend.tables().await.unwrap(), ["trips_7_20261130"], "a copy is nobody's but its maker's");
}
