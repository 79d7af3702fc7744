//! Clusters and a catalog that are not of one time: a cluster with tables of which the catalog has not given out the id, and
//! one without tables that the catalog has.

use cellgate_schemaless::{TableId, TableRef};
use cellgate_store::deployment::{
    Comparison, Deployment, FirstDocument, KnownTables, MissingTables, OpenError, Setup, SurplusTables, compare,
};
use cellgate_store::{Backend as _, StoreError};

use crate::fixture::{FIRST, Stores, open, run_until};
use crate::meta::edit;

fn table(id: u32) -> TableRef {
    TableRef::new("trips", TableId(id), 1)
}

/// A catalog: the highest id that was given out, and the ids of the tables.
fn read(body: &[u8]) -> Result<KnownTables, StoreError> {
    let (last_id, ids): (u32, Vec<u32>) = serde_json::from_slice(body).unwrap();
    Ok(KnownTables { last_id, tables: ids.into_iter().map(table).collect(), unpublished: Vec::new() })
}

fn setup(stores: &Stores) -> Setup {
    let first = FirstDocument { name: FIRST, body: b"[0, []]".to_vec(), tables: Some(read) };
    Setup { first_documents: vec![first], ..stores.setup() }
}

/// What a restore makes of the catalog.
async fn restore(stores: &Stores, last_id: u32, ids: &[u32]) {
    edit(&stores.meta, FIRST, |catalog| *catalog = serde_json::json!([last_id, ids])).await;
}

/// The clusters `a` and `b` with the tables 1 and 2, which their catalog knows.
async fn with_two_tables() -> Stores {
    let stores = Stores::new(&["a", "b"]);
    let deployment = open(setup(&stores)).await.unwrap();
    for id in [1, 2] {
        deployment.executor().create_table(&table(id)).await.unwrap();
    }
    restore(&stores, 2, &[1, 2]).await;
    stores.restarted();
    stores
}

fn is_older(error: &OpenError, of: &str) -> bool {
    matches!(error, OpenError::CatalogOlder { cluster, id: 2, last: 1, table } if cluster == of && table == "trips_2")
}

fn is_up(deployment: &Deployment, name: &str) -> bool {
    deployment.executor().clusters().any(|cluster| cluster.name == name && cluster.is_up())
}

#[tokio::test]
async fn a_catalog_that_would_give_out_an_id_again_is_refused_until_its_last_id_is_raised() {
    let stores = with_two_tables().await;
    stores.store("a").drop_table(&table(2)).await.unwrap();
    restore(&stores, 1, &[1]).await;
    let compared = compare(&setup(&stores)).await.unwrap_err();
    let opened = open(setup(&stores)).await.unwrap_err();
    for error in [compared, opened] {
        assert!(is_older(&error, "b"), "{error}");
        let says = error.to_string();
        assert!(says.contains("trips_2") && says.contains("set last_table_id") && says.contains(" to 2 "), "{says}");
    }
    restore(&stores, 2, &[1]).await;
    let left = SurplusTables { cluster: "b".to_owned(), tables: vec!["trips_2".to_owned()] };
    assert_eq!(compare(&setup(&stores)).await.unwrap().map(|compared| compared.surplus), Some(vec![left]));
    open(setup(&stores)).await.expect("what a dropped table has left behind is no reason");
}

#[tokio::test]
async fn tables_that_a_cluster_lacks_are_named_and_keep_nobody_from_starting() {
    let stores = with_two_tables().await;
    assert_eq!(compare(&setup(&stores)).await.unwrap(), Some(Comparison::default()));
    stores.store("b").drop_table(&table(2)).await.unwrap();
    let missing = vec![MissingTables { cluster: "b".to_owned(), tables: vec!["trips_2".to_owned()] }];
    assert_eq!(compare(&setup(&stores)).await.unwrap(), Some(Comparison { missing, surplus: Vec::new() }));
    open(setup(&stores)).await.expect("the other tables can be served");
    stores.store("b").create_table(&table(2)).await.unwrap();
    assert_eq!(compare(&setup(&stores)).await.unwrap(), Some(Comparison::default()));
}

#[tokio::test]
async fn a_cluster_that_was_down_at_the_start_is_used_when_the_catalog_is_not_older() {
    let stores = with_two_tables().await;
    stores.store("a").drop_table(&table(2)).await.unwrap();
    restore(&stores, 1, &[1]).await;
    stores.store("b").set_down(true);
    let deployment = open(setup(&stores)).await.expect("nobody can know it yet");
    stores.store("b").set_down(false);
    let calls = stores.store("b").calls();
    run_until(&deployment, || stores.store("b").calls() > calls + 3).await;
    assert!(is_up(&deployment, "a") && !is_up(&deployment, "b"));
    restore(&stores, 2, &[1]).await;
    run_until(&deployment, || is_up(&deployment, "b")).await;
}

#[tokio::test]
async fn a_store_that_does_not_list_its_tables_starts_and_creates_none() {
    let stores = with_two_tables().await;
    stores.store("b").list_nothing();
    let error = compare(&setup(&stores)).await.unwrap_err();
    assert!(matches!(&error, OpenError::Cluster { cluster, .. } if cluster == "b"), "{error}");
    let deployment = open(setup(&stores)).await.unwrap();
    assert!(is_up(&deployment, "b"));
    deployment.executor().tables().await.expect_err("CREATE TABLE asks this first");
}
