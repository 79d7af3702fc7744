//! A catalog that is older than its clusters, as behind a restore of an old backup of the meta store.

use cellgate_schemaless::TableDef;
use cellgate_store::deployment::OpenError;
use cellgate_store::meta::MetaStore as _;

use super::fixture::{Stores, Trip};
use super::{alter, column, create, declared, made_in, name, table, unmade};
use crate::catalog::document::{CATALOG, decode, encode};
use crate::catalog::{CatalogError, Changed};

/// The body of the catalog, as a backup has it.
async fn backup(stores: &Stores) -> Vec<u8> {
    stores.meta.load(CATALOG).await.unwrap().unwrap().body
}

async fn restore(stores: &Stores, body: &[u8]) {
    let version = stores.meta.load(CATALOG).await.unwrap().unwrap().version;
    assert!(stores.meta.compare_and_set(CATALOG, version, body).await.unwrap());
}

fn is_older(error: &CatalogError, last_id: u32) -> bool {
    matches!(error, CatalogError::Older { table, id: 2, last, .. } if table == "later_2" && *last == last_id)
}

/// A table from before the backup, and one from behind it.
async fn restored() -> (Stores, crate::catalog::Catalog, TableDef) {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    create(&catalog, "trips").await.unwrap();
    let old = backup(&stores).await;
    create(&catalog, "later").await.unwrap();
    let later = table(&catalog, "later").await.unwrap();
    restore(&stores, &old).await;
    (stores, catalog, later)
}

#[tokio::test]
async fn an_id_that_a_cluster_has_is_not_given_out_again() {
    let (stores, catalog, later) = restored().await;
    for _ in 0..2 {
        for new in ["later", "newone"] {
            let error = create(&catalog, new).await.unwrap_err();
            assert!(is_older(&error, 1), "{error}");
        }
        let error = catalog.truncate(&name("trips")).await.unwrap_err();
        assert!(is_older(&error, 1), "{error}");
    }
    assert_eq!(made_in(&stores, &later).await, stores.backends.len(), "the table of the lost catalog stays");
    assert!(stores.unpublished().is_empty(), "nothing is taken for left behind");
    let error = stores.try_catalog().await.expect_err("a start is refused, too");
    assert!(matches!(&error, OpenError::CatalogOlder { id: 2, last: 1, table, .. } if table == "later_2"), "{error}");
}

#[tokio::test]
async fn with_the_last_id_raised_new_tables_are_empty_and_old_entries_can_be_written_again() {
    let (stores, _, later) = restored().await;
    let mut document = decode(&backup(&stores).await).unwrap();
    document.last_table_id = 2;
    document.tables.push(later.clone());
    restore(&stores, &encode(&document).unwrap()).await;
    let catalog = stores.catalog().await;
    assert_eq!(table(&catalog, "later").await.unwrap(), later);
    assert_eq!(create(&catalog, "newone").await.unwrap(), Changed::Yes);
    assert_eq!(table(&catalog, "newone").await.unwrap().id, 3);
    catalog.truncate(&name("trips")).await.unwrap();
    assert_eq!(table(&catalog, "trips").await.unwrap().id, 4);
}

#[tokio::test]
async fn a_meta_store_that_went_back_is_gone_by_whether_it_has_an_older_version_or_the_same_with_another_change() {
    let stores = Stores::new();
    let (one, two) = (stores.catalog().await, stores.catalog().await);
    create(&one, "trips").await.unwrap();
    let copy = stores.copy();
    alter(&one, &name("trips"), &[column("lost")], &[]).await.unwrap();
    two.follow().await.unwrap();
    let versions = (one.version(), two.version());
    assert_eq!(versions.0, versions.1);
    stores.lose_commits(copy);
    let columns = |catalog: &crate::catalog::Catalog| {
        let table = catalog.snapshot().table("test", "trips").cloned().unwrap();
        table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>()
    };
    one.follow().await.unwrap();
    assert!(columns(&one).is_empty());
    alter(&one, &name("trips"), &[column("kept")], &[]).await.unwrap();
    let stored = stores.meta.load(CATALOG).await.unwrap().unwrap().version;
    assert_eq!(stored, versions.0, "under the number of the change that is lost");
    two.follow().await.unwrap();
    for (catalog, before) in [(&one, versions.0), (&two, versions.1)] {
        assert_eq!(columns(catalog), ["kept"]);
        assert_eq!(catalog.snapshot().document_version(), stored);
        assert!(catalog.version() > before, "no plan of before is used");
    }
}

#[tokio::test]
async fn a_creation_whose_id_was_given_to_another_table_meanwhile_leaves_that_one_its_physical_table() {
    let (stores, cluster) = Stores::with_relay();
    let slow = stores.catalog().await;
    cluster.trip(Trip::Waits);
    let creation = async { create(&slow, "trips").await.unwrap_err() };
    let other = async {
        cluster.tripped().await;
        // As behind a meta store that went back: another proxy made a table of that name, and renamed it.
        let mut document = decode(&backup(&stores).await).unwrap();
        document.unpublished.clear();
        let made_as = Some("trips".to_owned());
        let table = TableDef { name: "u".to_owned(), made_as, ..unmade(&stores, 1) };
        document.tables.push(table.clone());
        restore(&stores, &encode(&document).unwrap()).await;
        cluster.mend();
        table
    };
    let (error, table) = tokio::join!(creation, other);
    assert!(matches!(error, CatalogError::Contended), "{error}");
    assert_eq!(made_in(&stores, &table).await, stores.backends.len());
}

#[tokio::test]
async fn what_is_there_already_is_said_without_a_look_at_the_clusters() {
    let (_, catalog, _) = restored().await;
    let exists = catalog.create_table(&name("trips"), true, declared(&[])).await.unwrap();
    assert!(matches!(exists, Changed::No(_)), "{exists:?}");
    assert!(matches!(create(&catalog, "trips").await, Err(CatalogError::TableExists(_))));
}

#[tokio::test]
async fn leftovers_of_creations_that_broke_off_and_of_other_programs_keep_nobody_from_starting() {
    let (stores, relay) = Stores::with_relay();
    let catalog = stores.catalog().await;
    relay.trip(Trip::Lost);
    // Neither can it be dropped again for a while.
    relay.keep_tables(usize::MAX);
    create(&catalog, "trips").await.unwrap_err();
    // With a column `ref_key`, so that they are listed; none has a name that ends as those of our tables do.
    relay.has_foreign(&[
        "Trips_20",
        "trips_20_copy",
        "trips_020",
        "_20",
        "trips_",
        "trips-x_20",
        "20",
        "cg_dropped_20_cells",
    ]);
    let catalog = stores.catalog().await;
    assert_eq!(create(&catalog, "trips").await.unwrap(), Changed::Yes, "the same again has another id");
    assert_eq!(table(&catalog, "trips").await.unwrap().id, 2);
}

#[tokio::test]
async fn a_copy_with_a_name_like_ours_is_named_with_what_to_do_until_it_is_renamed() {
    let (stores, relay) = Stores::with_relay();
    let catalog = stores.catalog().await;
    create(&catalog, "trips").await.unwrap();
    relay.has_foreign(&["trips_1_20261130"]);
    let error = create(&catalog, "more").await.unwrap_err();
    assert!(matches!(error, CatalogError::Older { id: 20261130, last: 1, .. }), "{error}");
    let says = error.to_string();
    assert!(says.contains("trips_1_20261130") && says.contains("copy"), "{says}");
    let error = stores.try_catalog().await.expect_err("a start is refused, too");
    assert!(matches!(error, OpenError::CatalogOlder { id: 20261130, .. }), "{error}");
    assert!(matches!(create(&catalog, "trips").await, Err(CatalogError::TableExists(_))), "what is there is served");
    relay.has_foreign(&["trips_1_copy"]);
    assert_eq!(create(&catalog, "more").await.unwrap(), Changed::Yes);
    assert_eq!(table(&catalog, "more").await.unwrap().id, 2);
    stores.try_catalog().await.unwrap();
}
