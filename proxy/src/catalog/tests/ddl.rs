//! RENAME, TRUNCATE, LIKE and the changes of ALTER TABLE, by several proxies and by ones that end half-way.

use std::sync::Arc;
use std::time::Instant;

use cellgate_sql::{RowColumnSpec, TableChange};
use cellgate_store::Backend;
use cellgate_store::cache::LEASE;
use cellgate_store::memory::MemoryBackend;

use super::fixture::{MAX_STALE, Stores, Trip, TrippedCluster};
use super::{column, create, declared, made_in, name, table};
use crate::catalog::{CatalogError, Changed, FIRST_DATABASE, NewTable};

#[tokio::test]
async fn a_renamed_table_keeps_its_physical_tables_and_can_be_dropped() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "a").await.unwrap();
    let before = table(&here, "a").await.unwrap();
    there.rename_tables(&[(name("a"), name("b"))]).await.unwrap();
    assert_eq!(table(&here, "a").await, None);
    let after = table(&here, "b").await.unwrap();
    assert_eq!(after.table_ref().physical(), before.table_ref().physical());
    assert_eq!(made_in(&stores, &after).await, stores.backends.len());
    here.drop_tables(&[name("b")], false).await.unwrap();
    assert_eq!(made_in(&stores, &after).await, 0);
    assert!(stores.unpublished().is_empty());
}

#[tokio::test]
async fn two_tables_swap_their_names_in_one_statement() {
    let catalog = Stores::new().catalog().await;
    for table in ["a", "b"] {
        create(&catalog, table).await.unwrap();
    }
    let ids = (table(&catalog, "a").await.unwrap().id, table(&catalog, "b").await.unwrap().id);
    let swap = [(name("a"), name("c")), (name("b"), name("a")), (name("c"), name("b"))];
    catalog.rename_tables(&swap).await.unwrap();
    assert_eq!((table(&catalog, "b").await.unwrap().id, table(&catalog, "a").await.unwrap().id), ids);
    // One that fails renames nothing.
    let error = catalog.rename_tables(&[(name("a"), name("c")), (name("none"), name("d"))]).await.unwrap_err();
    assert!(matches!(error, CatalogError::UnknownTable { .. }));
    let error = catalog.rename_tables(&[(name("a"), name("b"))]).await.unwrap_err();
    assert!(matches!(error, CatalogError::TableExists(_)));
    let mut elsewhere = name("a");
    elsewhere.database = "none".to_owned();
    let error = catalog.rename_tables(&[(name("a"), elsewhere)]).await.unwrap_err();
    assert!(matches!(error, CatalogError::UnknownDatabase(_)));
    assert_eq!((table(&catalog, "b").await.unwrap().id, table(&catalog, "a").await.unwrap().id), ids);
}

#[tokio::test]
async fn a_truncated_table_goes_on_with_new_physical_tables_and_the_old_are_gone() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    let columns = [column("x")];
    here.create_table(&name("t"), false, NewTable::Declared { columns: &columns, comment: "why" }).await.unwrap();
    here.rename_tables(&[(name("t"), name("u"))]).await.unwrap();
    let before = table(&here, "u").await.unwrap();
    there.truncate(&name("u")).await.unwrap();
    let after = table(&here, "u").await.unwrap();
    assert!(after.id > before.id && after.def > before.def);
    assert_eq!((&after.columns[0].name, after.comment.as_str()), (&before.columns[0].name, "why"));
    assert_eq!(made_in(&stores, &after).await, stores.backends.len());
    assert_eq!(made_in(&stores, &before).await, 0);
    assert!(stores.unpublished().is_empty());
    let error = here.truncate(&name("none")).await.unwrap_err();
    assert!(matches!(error, CatalogError::UnknownTable { .. }));
}

#[tokio::test]
async fn a_name_that_sqlite_keeps_for_itself_is_no_physical_name() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    let physical = async |named: &str| table(&catalog, named).await.unwrap().table_ref().physical().to_owned();
    create(&catalog, "sqlite_a").await.unwrap();
    assert_eq!(physical("sqlite_a").await, "t_sqlite_a_1");
    catalog.rename_tables(&[(name("sqlite_a"), name("a"))]).await.unwrap();
    assert_eq!(physical("a").await, "t_sqlite_a_1");
    catalog.truncate(&name("a")).await.unwrap();
    assert_eq!(physical("a").await, "a_2");
    catalog.rename_tables(&[(name("a"), name("sqlite_a"))]).await.unwrap();
    assert_eq!(physical("sqlite_a").await, "a_2");
    catalog.truncate(&name("sqlite_a")).await.unwrap();
    assert_eq!(physical("sqlite_a").await, "t_sqlite_a_3");
    let stands = table(&catalog, "sqlite_a").await.unwrap();
    catalog.drop_tables(&[name("sqlite_a")], false).await.unwrap();
    assert_eq!(made_in(&stores, &stands).await, 0);
    assert!(stores.unpublished().is_empty());
}

#[tokio::test]
async fn who_is_told_that_a_name_is_taken_or_free_sees_it_so_from_then_on() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    let knows = |name: &str| there.snapshot().table(FIRST_DATABASE, name).is_some();
    create(&here, "t").await.unwrap();
    assert!(!knows("t"));
    let note = there.create_table(&name("t"), true, declared(&[])).await.unwrap();
    assert!(matches!(note, Changed::No(_)) && knows("t"), "{note:?}");
    here.drop_tables(&[name("t")], false).await.unwrap();
    let note = there.drop_tables(&[name("t")], true).await.unwrap();
    assert!(matches!(note, Changed::No(_)) && !knows("t"), "{note:?}");
    // And so does who is refused.
    create(&here, "t").await.unwrap();
    let error = create(&there, "t").await.unwrap_err();
    assert!(matches!(error, CatalogError::TableExists(_)) && knows("t"));
    here.drop_tables(&[name("t")], false).await.unwrap();
    let error = there.truncate(&name("t")).await.unwrap_err();
    assert!(matches!(error, CatalogError::UnknownTable { .. }) && !knows("t"));
}

#[tokio::test]
async fn two_proxies_that_truncate_at_once_both_do_and_leave_one_table() {
    let stores = Stores::new();
    let (one, two) = (stores.catalog().await, stores.catalog().await);
    create(&one, "t").await.unwrap();
    let name = name("t");
    let outcomes = tokio::join!(one.truncate(&name), two.truncate(&name));
    assert!(outcomes.0.is_ok() && outcomes.1.is_ok(), "{outcomes:?}");
    let stands = table(&one, "t").await.unwrap();
    assert_eq!(made_in(&stores, &stands).await, stores.backends.len());
    assert!(stores.unpublished().is_empty());
    for id in (1..=3).filter(|id| *id != stands.id) {
        assert_eq!(made_in(&stores, &cellgate_schemaless::TableDef { id, ..stands.clone() }).await, 0, "{id}");
    }
}

#[tokio::test]
async fn a_crash_anywhere_in_truncate_leaves_the_table_whole_and_is_cleaned_up() {
    // The changes of the catalog: reserve, publish, mark for removal.
    for (change, how) in [
        (1, Trip::Fails),
        (1, Trip::Lost),
        (1, Trip::Hangs),
        (2, Trip::Fails),
        (2, Trip::Lost),
        (2, Trip::Hangs),
        (3, Trip::Fails),
        (3, Trip::Hangs),
    ] {
        let stores = Stores::new();
        let (crashing, other) = (stores.catalog().await, stores.catalog().await);
        create(&crashing, "t").await.unwrap();
        stores.meta.trip_at(change, how);
        let target = name("t");
        tokio::select! {
            _ = crashing.truncate(&target) => {}
            () = async { if matches!(how, Trip::Hangs) { stores.meta.tripped().await } else { std::future::pending().await } } => {}
        }
        stores.meta.mend();
        let stands = table(&other, "t").await.unwrap_or_else(|| panic!("{change} {how:?}: the table is gone"));
        assert_eq!(made_in(&stores, &stands).await, stores.backends.len(), "{change} {how:?}");
        stores.meta.advance(crate::catalog::upkeep::ABANDONED_AFTER * 2);
        other.clean().await.unwrap();
        assert!(stores.unpublished().is_empty(), "{change} {how:?}");
        assert_eq!(made_in(&stores, &stands).await, stores.backends.len(), "{change} {how:?}");
        for id in (1..=3).filter(|id| *id != stands.id) {
            let gone = cellgate_schemaless::TableDef { id, ..stands.clone() };
            assert_eq!(made_in(&stores, &gone).await, 0, "{change} {how:?}: {id}");
        }
        other.truncate(&target).await.unwrap();
    }
}

#[tokio::test]
async fn a_table_is_not_said_to_be_empty_or_gone_while_another_proxy_can_write_to_it() {
    let (stores, cluster) = Stores::with_relay();
    let (here, _there) = (stores.catalog().await, stores.catalog().await);
    for round in ["truncate", "drop"] {
        create(&here, "t").await.unwrap();
        let before = table(&here, "t").await.unwrap();
        cluster.keep_tables(3);
        let began = Instant::now();
        match round {
            "truncate" => here.truncate(&name("t")).await.unwrap(),
            _ => assert_eq!(here.drop_tables(&[name("t")], false).await.unwrap(), Changed::Yes),
        }
        // It tried again until the cluster answered, and did not wait any longer than for the caches.
        assert_eq!(cluster.kept(), 0, "{round}");
        assert_eq!(made_in(&stores, &before).await, 0, "{round}");
        assert!(began.elapsed() < LEASE + MAX_STALE, "{round}");
        here.drop_tables(&[name("t")], true).await.unwrap();
    }
    // A cluster that does not answer at all: until no proxy may use a catalog that has the table.
    create(&here, "t").await.unwrap();
    let before = table(&here, "t").await.unwrap();
    cluster.keep_tables(usize::MAX);
    let began = Instant::now();
    here.truncate(&name("t")).await.unwrap();
    assert!(began.elapsed() >= MAX_STALE);
    assert_eq!(made_in(&stores, &before).await, 1);
    // It is removed when the cluster answers again.
    cluster.keep_tables(0);
    here.clean().await.unwrap();
    assert_eq!(made_in(&stores, &before).await, 0);
}

#[tokio::test]
async fn a_proxy_alone_waits_for_no_other_when_a_cluster_keeps_a_dropped_table() {
    let (stores, cluster) = Stores::with_relay();
    let alone = stores.catalog().await;
    create(&alone, "t").await.unwrap();
    cluster.keep_tables(usize::MAX);
    let began = Instant::now();
    alone.drop_tables(&[name("t")], false).await.unwrap();
    assert!(began.elapsed() < MAX_STALE);
    assert_eq!(table(&alone, "t").await, None);
    assert_eq!(stores.unpublished().len(), 1);
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_not_asked_to_drop_each_of_many_tables() {
    let (stores, cluster) = Stores::with_relay();
    let alone = stores.catalog().await;
    let (mut names, mut tables) = (Vec::new(), Vec::new());
    for index in 0..20 {
        let called = format!("t{index}");
        create(&alone, &called).await.unwrap();
        tables.push(table(&alone, &called).await.unwrap());
        names.push(name(&called));
    }
    cluster.keep_tables(1000);
    alone.drop_tables(&names, false).await.unwrap();
    assert!(cluster.kept() > 980, "once in each try: {}", cluster.kept());
    for table in &tables {
        assert_eq!(made_in(&stores, table).await, 1, "gone from the cluster that answers");
    }
    cluster.keep_tables(0);
    alone.clean().await.unwrap();
    assert!(stores.unpublished().is_empty());
}

#[tokio::test]
async fn a_table_like_another_has_its_columns_and_none_of_its_past() {
    let catalog = Stores::new().catalog().await;
    let (missing, comment) = (Some("1".to_owned()), "first".to_owned());
    let columns = [RowColumnSpec { missing, comment, ..column("x") }, column("y")];
    catalog.create_table(&name("t"), false, NewTable::Declared { columns: &columns, comment: "c" }).await.unwrap();
    let replace = [TableChange::Drop("y".to_owned()), TableChange::Add(column("y"))];
    catalog.alter_table(&name("t"), &replace, None).await.unwrap();
    assert_eq!(catalog.create_table(&name("u"), false, NewTable::Like(&name("t"))).await.unwrap(), Changed::Yes);
    let copy = table(&catalog, "u").await.unwrap();
    let keys: Vec<&str> = copy.columns.iter().map(|c| c.storage_key.as_str()).collect();
    assert_eq!((keys, copy.columns[0].missing.as_deref(), copy.comment.as_str()), (vec!["x", "y"], Some("1"), "c"));
    assert_eq!((copy.columns[0].comment.as_str(), copy.columns[1].comment.as_str()), ("first", ""));
    let error = catalog.create_table(&name("v"), false, NewTable::Like(&name("none"))).await.unwrap_err();
    assert!(matches!(error, CatalogError::UnknownTable { .. }));
    let note = Changed::No(vec!["Table 'u' already exists".to_owned()]);
    assert_eq!(catalog.create_table(&name("u"), true, NewTable::Like(&name("t"))).await.unwrap(), note);
}

#[tokio::test]
async fn a_renamed_column_keeps_its_cells_and_a_new_one_of_the_old_name_has_its_own() {
    let catalog = Stores::new().catalog().await;
    catalog.create_table(&name("t"), false, declared(&[column("a"), column("b")])).await.unwrap();
    let rename = |from: &str, to: &str| TableChange::Rename { from: from.to_owned(), to: to.to_owned() };
    catalog.alter_table(&name("t"), &[rename("A", "c"), TableChange::Add(column("a"))], None).await.unwrap();
    let known = table(&catalog, "t").await.unwrap();
    let columns: Vec<(&str, &str)> = known.columns.iter().map(|c| (c.name.as_str(), c.storage_key.as_str())).collect();
    assert_eq!(columns, [("c", "a"), ("b", "b"), ("a", "a#2")]);
    let error = catalog.alter_table(&name("t"), &[rename("b", "A")], None).await.unwrap_err();
    assert!(matches!(error, CatalogError::ColumnExists(_)));
    let error = catalog.alter_table(&name("t"), &[rename("none", "d")], None).await.unwrap_err();
    assert_eq!(error.to_string(), "Unknown column 'none' in 't'");
    assert_eq!(table(&catalog, "t").await.unwrap(), known);
}

#[tokio::test]
async fn one_alter_swaps_the_names_of_columns() {
    let catalog = Stores::new().catalog().await;
    catalog.create_table(&name("t"), false, declared(&[column("a"), column("b"), column("c")])).await.unwrap();
    let rename = |from: &str, to: &str| TableChange::Rename { from: from.to_owned(), to: to.to_owned() };
    let default = TableChange::SetDefault { column: "a".to_owned(), missing: Some("1".to_owned()) };
    catalog.alter_table(&name("t"), &[rename("a", "b"), rename("b", "a"), default], None).await.unwrap();
    let known = table(&catalog, "t").await.unwrap();
    let columns: Vec<_> = known.columns.iter().map(|c| (&*c.name, &*c.storage_key, c.missing.as_deref())).collect();
    assert_eq!(columns, [("b", "a", Some("1")), ("a", "b", None), ("c", "c", None)]);
    for changes in [
        &[rename("a", "c")][..],
        &[rename("a", "d"), rename("b", "D")],
        &[rename("a", "d"), rename("d", "e")],
        &[rename("a", "d"), rename("a", "e")],
    ] {
        catalog.alter_table(&name("t"), changes, None).await.unwrap_err();
    }
    assert_eq!(table(&catalog, "t").await.unwrap(), known);
}

#[tokio::test]
async fn one_alter_changes_defaults_the_comment_and_the_name_or_nothing() {
    let catalog = Stores::new().catalog().await;
    catalog.create_table(&name("t"), false, declared(&[column("a")])).await.unwrap();
    let changes = [
        TableChange::SetDefault { column: "a".to_owned(), missing: Some("1".to_owned()) },
        TableChange::Comment("new".to_owned()),
        TableChange::Redefine {
            from: "a".to_owned(),
            column: RowColumnSpec { missing: Some("2".to_owned()), ..column("b") },
        },
    ];
    create(&catalog, "taken").await.unwrap();
    let before = table(&catalog, "t").await;
    let error = catalog.alter_table(&name("t"), &changes, Some(&name("taken"))).await.unwrap_err();
    assert!(matches!(error, CatalogError::TableExists(_)));
    assert_eq!(table(&catalog, "t").await, before);
    catalog.alter_table(&name("t"), &changes, Some(&name("u"))).await.unwrap();
    let known = table(&catalog, "u").await.unwrap();
    assert_eq!((known.comment.as_str(), known.columns[0].name.as_str()), ("new", "b"));
    assert_eq!(known.columns[0].missing.as_deref(), Some("2"));
    // What changes nothing still needs the table.
    let error = catalog.alter_table(&name("none"), &[], None).await.unwrap_err();
    assert!(matches!(error, CatalogError::UnknownTable { .. }));
}

#[tokio::test]
async fn a_database_keeps_its_collation_until_it_is_dropped() {
    let catalog = Stores::new().catalog().await;
    catalog.create_database("d", false, Some("utf8mb4_bin")).await.unwrap();
    assert_eq!(catalog.snapshot().collation("d"), "utf8mb4_bin");
    assert_eq!(catalog.snapshot().collation(FIRST_DATABASE), "utf8mb4_0900_ai_ci");
    catalog.alter_database("d", Some("utf8mb4_unicode_ci")).await.unwrap();
    assert_eq!(catalog.snapshot().collation("d"), "utf8mb4_unicode_ci");
    assert!(matches!(catalog.alter_database("none", None).await, Err(CatalogError::UnknownDatabase(_))));
    catalog.drop_database("d", false).await.unwrap();
    catalog.create_database("d", false, None).await.unwrap();
    assert_eq!(catalog.snapshot().collation("d"), "utf8mb4_0900_ai_ci");
}

#[tokio::test]
async fn a_creation_if_not_exists_whose_table_is_dropped_between_two_looks_makes_a_new_one() {
    let stores = Stores::new();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    let before = table(&here, "t").await.unwrap();
    // It has found the table, and looks again to say so.
    stores.meta.hold_read(2);
    let target = name("t");
    let creation = here.create_table(&target, true, declared(&[]));
    let dropping = async {
        stores.meta.tripped().await;
        assert_eq!(there.drop_tables(&[name("t")], false).await.unwrap(), Changed::Yes);
        stores.meta.mend();
    };
    let (created, ()) = tokio::join!(creation, dropping);
    assert_eq!(created.unwrap(), Changed::Yes);
    let stands = table(&there, "t").await.unwrap();
    assert_ne!(stands.id, before.id);
    assert_eq!((made_in(&stores, &stands).await, made_in(&stores, &before).await), (stores.backends.len(), 0));
    assert!(stores.unpublished().is_empty());
}

#[tokio::test]
async fn a_table_that_is_dropped_while_a_new_cluster_gets_it_is_not_left_there() {
    let mut stores = Stores::new();
    let old = stores.catalog().await;
    create(&old, "t").await.unwrap();
    let relay = TrippedCluster::over(&(Arc::new(MemoryBackend::new()) as Arc<dyn Backend>));
    stores.backends.push(Arc::clone(&relay) as _);
    let new = stores.catalog().await;
    let t = table(&new, "t").await.unwrap();
    relay.trip(Trip::Waits);
    let completes = async {
        // The catalog cannot be read when it is made.
        assert!(matches!(new.complete().await, Err(CatalogError::Meta(_))));
    };
    let drops = async {
        relay.tripped().await;
        old.drop_tables(&[name("t")], false).await.unwrap();
        stores.meta.set_down(true);
        relay.mend();
    };
    tokio::join!(completes, drops);
    assert_eq!(made_in(&stores, &t).await, 1);
    stores.meta.mend();
    new.complete().await.unwrap();
    assert_eq!(made_in(&stores, &t).await, 0);
}

#[tokio::test]
async fn a_new_cluster_that_takes_no_tables_keeps_no_other_one_from_its_own() {
    let mut stores = Stores::new();
    let old = stores.catalog().await;
    create(&old, "t").await.unwrap();
    let memory = || Arc::new(MemoryBackend::new()) as Arc<dyn Backend>;
    let relay = TrippedCluster::over(&memory());
    stores.backends.extend([Arc::clone(&relay) as _, memory()]);
    let new = stores.catalog().await;
    let t = table(&new, "t").await.unwrap();
    relay.trip(Trip::Fails);
    assert!(matches!(new.complete().await, Err(CatalogError::Run(_))));
    assert_eq!(made_in(&stores, &t).await, 3);
    new.complete().await.unwrap();
    assert_eq!(made_in(&stores, &t).await, 4);
}
