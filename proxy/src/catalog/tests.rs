//! The catalog, changed by several proxies and by ones that end half-way.

mod ddl;
mod fixture;
mod followers;
mod older;
mod removal;

use cellgate_schemaless::{ColumnKey, ErrorKind, RefKey, RowKey, TableDef, Triple};
use cellgate_sql::{RowColumnSpec, TableChange, TableName};
use cellgate_store::StoreError;
use cellgate_store::meta::MetaStore as _;
use fixture::{Stores, Trip};

use super::upkeep::ABANDONED_AFTER;
use super::{Catalog, CatalogError, Changed, FIRST_DATABASE, NewTable};

fn name(table: &str) -> TableName {
    TableName { database: FIRST_DATABASE.to_owned(), table: table.to_owned() }
}

fn column(name: &str) -> RowColumnSpec {
    RowColumnSpec { name: name.to_owned(), missing: None, comment: String::new() }
}

/// A table as the newest catalog has it.
async fn table(catalog: &Catalog, name: &str) -> Option<TableDef> {
    catalog.refresh().await.unwrap().table(FIRST_DATABASE, name).map(|t| TableDef::clone(t))
}

/// In how many clusters the physical table is.
async fn made_in(stores: &Stores, table: &TableDef) -> usize {
    let key = Triple { row: RowKey::new("r").unwrap(), column: ColumnKey::new("c").unwrap(), ref_key: RefKey(1) };
    let mut made = 0;
    for backend in &stores.backends {
        match backend.get(&table.table_ref(), std::slice::from_ref(&key)).await {
            Ok(_) => made += 1,
            Err(StoreError::NoTable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    made
}

fn declared(columns: &[RowColumnSpec]) -> NewTable<'_> {
    NewTable::Declared { columns, comment: "" }
}

/// Adds and drops columns.
async fn alter(
    catalog: &Catalog,
    table: &TableName,
    add: &[RowColumnSpec],
    drop: &[String],
) -> Result<Changed, CatalogError> {
    let added = add.iter().cloned().map(TableChange::Add);
    let changes: Vec<TableChange> = added.chain(drop.iter().cloned().map(TableChange::Drop)).collect();
    catalog.alter_table(table, &changes, None).await
}

async fn create(catalog: &Catalog, table: &str) -> Result<Changed, CatalogError> {
    catalog.create_table(&name(table), false, declared(&[])).await
}

#[tokio::test]
async fn a_new_deployment_has_the_database_test_and_no_table() {
    let catalog = Stores::new().catalog().await;
    let snapshot = catalog.snapshot();
    assert_eq!(snapshot.databases().collect::<Vec<_>>(), [FIRST_DATABASE]);
    assert_eq!(snapshot.tables(FIRST_DATABASE).count(), 0);
}

#[tokio::test]
async fn a_table_is_there_for_every_proxy_and_in_every_cluster_once_it_is_created() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    let columns = [RowColumnSpec { missing: Some("{}".to_owned()), ..column("BASE") }, column("STATUS")];
    assert_eq!(here.create_table(&name("trips"), false, declared(&columns)).await.unwrap(), Changed::Yes);

    let known = here.snapshot().table(FIRST_DATABASE, "trips").cloned().expect("the creator knows it at once");
    assert_eq!(table(&there, "trips").await.as_ref(), Some(known.as_ref()));
    assert_eq!(known.columns.iter().map(|c| c.storage_key.as_str()).collect::<Vec<_>>(), ["BASE", "STATUS"]);
    assert_eq!(known.columns[0].missing.as_deref(), Some("{}"));
    assert_eq!(made_in(&stores, &known).await, stores.backends.len());
    assert!(stores.unpublished().is_empty());
}

#[tokio::test]
async fn changes_of_two_proxies_at_once_are_all_made() {
    let stores = Stores::new();
    let catalogs = [stores.catalog().await, stores.catalog().await];
    let creations = (0..80).map(|n| {
        let catalog = &catalogs[n % 2];
        async move { create(catalog, &format!("t{n}")).await }
    });
    for created in futures_util::future::join_all(creations).await {
        assert_eq!(created.unwrap(), Changed::Yes);
    }
    for catalog in &catalogs {
        let snapshot = catalog.refresh().await.unwrap();
        let mut ids: Vec<u32> = snapshot.tables(FIRST_DATABASE).map(|t| t.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=80).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn of_two_proxies_that_create_one_table_at_once_one_does_and_the_other_is_told() {
    for if_not_exists in [false, true] {
        let stores = Stores::new();
        let (one, two) = (stores.catalog().await, stores.catalog().await);
        let trips = name("trips");
        let outcomes = tokio::join!(
            one.create_table(&trips, if_not_exists, declared(&[])),
            two.create_table(&trips, if_not_exists, declared(&[])),
        );
        let outcomes = [outcomes.0, outcomes.1];
        let did = outcomes.iter().filter(|o| matches!(o, Ok(Changed::Yes))).count();
        assert_eq!(did, 1, "{outcomes:?}");
        let told = outcomes.iter().any(|outcome| match outcome {
            Ok(Changed::No(notes)) => if_not_exists && notes == &["Table 'trips' already exists"],
            Err(error) => !if_not_exists && matches!(error, CatalogError::TableExists(_)),
            Ok(Changed::Yes) => false,
        });
        assert!(told, "{outcomes:?}");
        let stands = table(&one, "trips").await.unwrap();
        assert_eq!(made_in(&stores, &stands).await, stores.backends.len());
        assert!(stores.unpublished().is_empty(), "what the loser made is gone");
        let lost = TableDef { id: 3 - stands.id, ..stands };
        assert_eq!(made_in(&stores, &lost).await, 0);
    }
}

#[tokio::test]
async fn a_table_dropped_and_created_again_is_another_physical_table_with_an_id_of_its_own() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    create(&catalog, "trips").await.unwrap();
    let first = table(&catalog, "trips").await.unwrap();
    assert_eq!(catalog.drop_tables(&[name("trips")], false).await.unwrap(), Changed::Yes);
    assert_eq!(table(&catalog, "trips").await, None);
    assert_eq!(made_in(&stores, &first).await, 0);
    create(&catalog, "trips").await.unwrap();
    let second = table(&catalog, "trips").await.unwrap();
    assert!(second.id > first.id);
    assert_ne!(second.table_ref().physical(), first.table_ref().physical());
    assert_eq!(made_in(&stores, &first).await, 0);
}

#[tokio::test]
async fn ids_are_never_reused_not_even_those_of_the_newest_tables_and_of_failed_ones() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    create(&catalog, "a").await.unwrap();
    create(&catalog, "b").await.unwrap();
    catalog.drop_database(FIRST_DATABASE, false).await.unwrap();
    catalog.create_database(FIRST_DATABASE, false, None).await.unwrap();
    stores.meta.trip_at(2, Trip::Fails);
    create(&catalog, "c").await.expect_err("it cannot be published");
    stores.meta.mend();
    // A proxy that starts anew knows of them, too.
    let restarted = stores.catalog().await;
    create(&restarted, "d").await.unwrap();
    assert_eq!(table(&restarted, "d").await.unwrap().id, 4);
}

#[tokio::test]
async fn a_creation_that_ends_half_way_leaves_an_entry_and_is_cleaned_up_by_another_proxy_later() {
    let stores = Stores::new();
    let (ending, other) = (stores.catalog().await, stores.catalog().await);
    stores.meta.trip_at(2, Trip::Hangs);
    tokio::select! {
        outcome = create(&ending, "trips") => panic!("it was to hang: {outcome:?}"),
        () = stores.meta.tripped() => {}
    }
    drop(ending);
    stores.meta.mend();
    let left = stores.unpublished();
    assert_eq!(left.len(), 1);
    assert_eq!(table(&other, "trips").await, None, "it was not published");
    create(&other, "witness").await.unwrap();
    let left_behind = TableDef { id: left[0].id, name: "trips".to_owned(), ..table(&other, "witness").await.unwrap() };
    assert_eq!(made_in(&stores, &left_behind).await, stores.backends.len());

    other.clean().await.unwrap();
    assert_eq!(stores.unpublished(), left, "it may still be in the making");
    stores.meta.advance(ABANDONED_AFTER + std::time::Duration::from_secs(1));
    other.clean().await.unwrap();
    assert!(stores.unpublished().is_empty());
    assert_eq!(made_in(&stores, &left_behind).await, 0);
    assert_eq!(made_in(&stores, &table(&other, "witness").await.unwrap()).await, stores.backends.len());
    create(&other, "trips").await.expect("the name was never taken");
}

#[tokio::test]
async fn a_creation_that_took_so_long_that_it_was_cleaned_up_is_not_published() {
    let stores = Stores::new();
    let (slow, other) = (stores.catalog().await, stores.catalog().await);
    stores.meta.trip_at(2, Trip::Waits);
    let creation = create(&slow, "trips");
    tokio::pin!(creation);
    tokio::select! {
        outcome = &mut creation => panic!("it was to wait: {outcome:?}"),
        () = stores.meta.tripped() => {}
    }
    stores.meta.advance(ABANDONED_AFTER + std::time::Duration::from_secs(1));
    other.clean().await.unwrap();
    stores.meta.mend();
    assert!(matches!(creation.await, Err(CatalogError::Contended)));
    assert_eq!(table(&other, "trips").await, None);
}

#[tokio::test]
async fn a_creation_that_goes_on_behind_its_cleaning_leaves_no_physical_table() {
    let (stores, cluster) = Stores::with_relay();
    let (slow, other) = (stores.catalog().await, stores.catalog().await);
    cluster.trip(Trip::Waits);
    let creation = async { create(&slow, "trips").await.unwrap_err() };
    let cleaning = async {
        cluster.tripped().await;
        let half = unmade(&stores, 1);
        stores.meta.advance(ABANDONED_AFTER + std::time::Duration::from_secs(1));
        other.clean().await.unwrap();
        assert_eq!(stores.unpublished(), []);
        cluster.mend();
        half
    };
    let (error, half) = tokio::join!(creation, cleaning);
    assert!(matches!(error, CatalogError::Contended));
    assert_eq!(made_in(&stores, &half).await, 0);
}

#[tokio::test]
async fn a_publication_whose_acknowledgement_is_lost_keeps_its_physical_tables() {
    let stores = Stores::new();
    let (catalog, other) = (stores.catalog().await, stores.catalog().await);
    stores.meta.trip_at(2, Trip::Lost);
    let error = create(&catalog, "trips").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    stores.meta.mend();
    let published = table(&other, "trips").await.expect("it was published after all");
    assert_eq!(made_in(&stores, &published).await, stores.backends.len());
    stores.meta.advance(ABANDONED_AFTER * 2);
    other.clean().await.unwrap();
    assert_eq!(made_in(&stores, &published).await, stores.backends.len());
}

#[tokio::test]
async fn without_the_meta_store_nothing_is_changed_and_what_is_known_is_still_served() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    create(&catalog, "trips").await.unwrap();
    stores.meta.set_down(true);
    assert_eq!(create(&catalog, "more").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(catalog.drop_tables(&[name("trips")], false).await.is_err());
    assert!(catalog.refresh().await.is_err());
    let known = catalog.snapshot().table(FIRST_DATABASE, "trips").cloned().unwrap();
    assert_eq!(made_in(&stores, &known).await, stores.backends.len());
    stores.meta.set_down(false);
    create(&catalog, "more").await.unwrap();
}

#[tokio::test]
async fn storage_keys_of_dropped_columns_are_not_used_again() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    let trips = name("trips");
    catalog.create_table(&trips, false, declared(&[column("x"), column("y")])).await.unwrap();
    let mut keys = vec!["x".to_owned()];
    for round in 2..=4 {
        alter(&catalog, &trips, &[], &["X".to_owned()]).await.unwrap();
        alter(&catalog, &trips, &[column("x")], &[]).await.unwrap();
        let known = table(&catalog, "trips").await.unwrap();
        let added = known.columns.iter().find(|c| c.name == "x").unwrap();
        assert!(!keys.contains(&added.storage_key), "{} comes back", added.storage_key);
        assert_eq!(added.storage_key, format!("x#{round}"));
        assert_eq!(added.added_in, known.def);
        keys.push(added.storage_key.clone());
    }
    let known = table(&catalog, "trips").await.unwrap();
    assert_eq!(known.def, 7, "every ALTER has a definition number of its own");
    assert_eq!(known.columns.iter().find(|c| c.name == "y").unwrap().storage_key, "y");
}

#[tokio::test]
async fn a_column_replaced_in_one_statement_gets_a_new_storage_key() {
    let catalog = Stores::new().catalog().await;
    let trips = name("trips");
    catalog.create_table(&trips, false, declared(&[column("x")])).await.unwrap();
    alter(&catalog, &trips, &[column("x")], &["x".to_owned()]).await.unwrap();
    let known = table(&catalog, "trips").await.unwrap();
    assert_eq!(known.columns.len(), 1);
    assert_eq!(known.columns[0].storage_key, "x#2");
}

#[tokio::test]
async fn the_storage_key_of_the_longest_name_is_a_column_key_too() {
    let catalog = Stores::new().catalog().await;
    let trips = name("trips");
    for long in ["n".repeat(64), "ü".repeat(32)] {
        catalog.drop_tables(std::slice::from_ref(&trips), true).await.unwrap();
        catalog.create_table(&trips, false, declared(&[column(&long)])).await.unwrap();
        alter(&catalog, &trips, &[column(&long)], std::slice::from_ref(&long)).await.unwrap();
        let key = table(&catalog, "trips").await.unwrap().columns[0].storage_key.clone();
        assert_ne!(key, long);
        ColumnKey::new(key.into_bytes()).expect("cells can be stored under it");
    }
}

#[tokio::test]
async fn an_alter_that_fails_changes_nothing() {
    let catalog = Stores::new().catalog().await;
    let trips = name("trips");
    catalog.create_table(&trips, false, declared(&[column("x")])).await.unwrap();
    let before = table(&catalog, "trips").await;
    let error = alter(&catalog, &trips, &[column("y")], &["z".to_owned()]).await.unwrap_err();
    assert!(matches!(error, CatalogError::NoColumnToDrop(column) if column == "z"));
    let error = alter(&catalog, &trips, &[column("y"), column("X")], &[]).await.unwrap_err();
    assert!(matches!(error, CatalogError::ColumnExists(_)));
    let error = alter(&catalog, &name("none"), &[column("y")], &[]).await.unwrap_err();
    assert!(matches!(error, CatalogError::UnknownTable { .. }));
    assert_eq!(table(&catalog, "trips").await, before);
}

#[tokio::test]
async fn what_exists_or_does_not_is_an_error_or_with_if_a_note() {
    let catalog = Stores::new().catalog().await;
    let note = |text: &str| Changed::No(vec![text.to_owned()]);
    create(&catalog, "t").await.unwrap();

    assert_eq!(create(&catalog, "t").await.unwrap_err().to_string(), "Table 't' already exists");
    let again = catalog.create_table(&name("t"), true, declared(&[])).await.unwrap();
    assert_eq!(again, note("Table 't' already exists"));
    let error = catalog.create_database("test", false, None).await.unwrap_err();
    assert_eq!(error.to_string(), "Can't create database 'test'; database exists");
    let again = catalog.create_database("test", true, None).await.unwrap();
    assert_eq!(again, note("Can't create database 'test'; database exists"));
    let error = catalog.drop_database("none", false).await.unwrap_err();
    assert_eq!(error.to_string(), "Can't drop database 'none'; database doesn't exist");
    let none = catalog.drop_database("none", true).await.unwrap();
    assert_eq!(none, (note("Can't drop database 'none'; database doesn't exist"), 0));
    let elsewhere = TableName { database: "none".to_owned(), table: "t".to_owned() };
    let error = catalog.create_table(&elsewhere, true, declared(&[])).await.unwrap_err();
    assert!(matches!(error, CatalogError::UnknownDatabase(_)), "IF NOT EXISTS is about the table");
}

#[tokio::test]
async fn a_drop_of_several_tables_drops_all_or_names_every_missing_one() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    create(&catalog, "a").await.unwrap();
    let def = table(&catalog, "a").await.unwrap();
    let names = [name("x"), name("a"), name("y")];
    let error = catalog.drop_tables(&names, false).await.unwrap_err();
    assert_eq!(error.to_string(), "Unknown table 'test.x,test.y'");
    assert_eq!(made_in(&stores, &def).await, stores.backends.len(), "nothing was dropped");
    let notes = ["Unknown table 'test.x'", "Unknown table 'test.y'"].map(str::to_owned).to_vec();
    assert_eq!(catalog.drop_tables(&names, true).await.unwrap(), Changed::No(notes));
    assert_eq!(table(&catalog, "a").await, None);
    assert_eq!(made_in(&stores, &def).await, 0);
}

#[tokio::test]
async fn a_dropped_database_takes_its_tables_with_it_and_no_others() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    catalog.create_database("other", false, None).await.unwrap();
    create(&catalog, "stays").await.unwrap();
    for table in ["a", "b"] {
        let name = TableName { database: "other".to_owned(), table: table.to_owned() };
        catalog.create_table(&name, false, declared(&[])).await.unwrap();
    }
    let gone: Vec<_> = catalog.snapshot().tables("other").cloned().collect();
    assert_eq!(catalog.drop_database("other", false).await.unwrap(), (Changed::Yes, 2));
    for table in gone {
        assert_eq!(made_in(&stores, &table).await, 0);
    }
    assert!(!catalog.snapshot().has_database("other"));
    assert_eq!(made_in(&stores, &table(&catalog, "stays").await.unwrap()).await, stores.backends.len());
}

/// The table that ids are looked up by, as a creation that failed would have published it.
fn unmade(stores: &Stores, id: u32) -> TableDef {
    let listed = stores.unpublished().iter().any(|u| u.id == id);
    assert!(listed, "table {id} is not listed as unpublished");
    TableDef::new(id, FIRST_DATABASE, "trips", 0)
}

#[tokio::test]
async fn a_creation_that_fails_in_one_cluster_publishes_nothing_and_leaves_nothing() {
    for trip in [Trip::Fails, Trip::Lost] {
        let (stores, cluster) = Stores::with_relay();
        let catalog = stores.catalog().await;
        cluster.trip(trip);
        let error = create(&catalog, "trips").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{trip:?}");
        assert_eq!(table(&catalog, "trips").await, None, "{trip:?}");
        assert_eq!(stores.unpublished(), [], "{trip:?}: it was cleaned up at once");
        // The same name again is another table, which is made everywhere.
        create(&catalog, "trips").await.unwrap();
        let made = table(&catalog, "trips").await.unwrap();
        assert_eq!((made.id, made_in(&stores, &made).await), (2, 2), "{trip:?}");
        let first = TableDef { id: 1, ..made };
        assert_eq!(made_in(&stores, &first).await, 0, "{trip:?}");
    }
}

#[tokio::test]
async fn a_crash_between_the_clusters_of_a_creation_is_cleaned_up_by_another_proxy_later() {
    let (stores, cluster) = Stores::with_relay();
    let crashing = stores.catalog().await;
    let other = stores.catalog().await;
    cluster.trip(Trip::Hangs);
    {
        let creation = create(&crashing, "trips");
        tokio::select! {
            _ = creation => panic!("it hangs"),
            () = cluster.tripped() => {}
        }
        // The proxy ends here: one cluster has the table, the other has not.
    }
    drop(crashing);
    let half = unmade(&stores, 1);
    assert_eq!(made_in(&stores, &half).await, 1);
    assert_eq!(table(&other, "trips").await, None);

    // Not before nobody can be making it any more.
    other.clean().await.unwrap();
    assert_eq!(made_in(&stores, &half).await, 1);
    stores.meta.advance(ABANDONED_AFTER + std::time::Duration::from_secs(1));
    other.clean().await.unwrap();
    assert_eq!(made_in(&stores, &half).await, 0);
    assert_eq!(stores.unpublished(), []);
    create(&other, "trips").await.unwrap();
    let made = table(&other, "trips").await.unwrap();
    assert_eq!((made.id, made_in(&stores, &made).await), (2, 2));
}

#[tokio::test]
async fn a_cluster_that_is_added_later_gets_the_tables_that_exist_and_no_others() {
    let mut stores = Stores::new();
    let old = stores.catalog().await;
    create(&old, "trips").await.unwrap();
    create(&old, "gone").await.unwrap();
    let gone = table(&old, "gone").await.unwrap();
    old.drop_tables(&[name("gone")], false).await.unwrap();
    stores.backends.push(std::sync::Arc::new(cellgate_store::memory::MemoryBackend::new()));
    let new = stores.catalog().await;
    new.complete().await.unwrap();
    assert_eq!(made_in(&stores, &table(&new, "trips").await.unwrap()).await, 3);
    assert_eq!(made_in(&stores, &gone).await, 0);
    // A proxy that does not know the cluster yet creates its tables in the others.
    create(&old, "riders").await.unwrap();
    let riders = table(&new, "riders").await.unwrap();
    assert_eq!(made_in(&stores, &riders).await, 2);
    new.complete().await.unwrap();
    assert_eq!(made_in(&stores, &riders).await, 3);
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_kept() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    let columns = [column("BASE")];
    catalog.create_table(&name("trips"), false, declared(&columns)).await.unwrap();
    let stored = stores.meta.load("catalog").await.unwrap().unwrap();
    let mut body: serde_json::Value = serde_json::from_slice(&stored.body).unwrap();
    body["new"] = 1.into();
    body["tables"][0]["new"] = "2".into();
    body["tables"][0]["columns"][0]["new"] = vec![3].into();
    assert!(stores.meta.compare_and_set("catalog", stored.version, body.to_string().as_bytes()).await.unwrap());

    let older = stores.catalog().await;
    alter(&older, &name("trips"), &[column("STATUS")], &[]).await.unwrap();
    create(&older, "other").await.unwrap();
    let written = stores.meta.load("catalog").await.unwrap().unwrap().body;
    let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
    let trips = written["tables"].as_array().unwrap().iter().find(|table| table["name"] == "trips").unwrap();
    assert_eq!(trips["columns"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&written["new"], &trips["new"], &trips["columns"][0]["new"]),
        (&1.into(), &"2".into(), &vec![3].into())
    );
}
