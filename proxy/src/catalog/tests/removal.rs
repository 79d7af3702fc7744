//! Physical tables that are being removed while statements about the same names begin: none of them answers as long as
//! another proxy, with an older catalog, may write to these.

use std::time::Instant;

use cellgate_store::meta::MetaStore as _;

use super::fixture::{MAX_STALE, Stores, TrippedCluster};
use super::followers::follows;
use super::{create, declared, made_in, name, table};
use crate::catalog::upkeep::ABANDONED_AFTER;
use crate::catalog::{Catalog, CatalogError, Changed};

/// How often the removal of the first statement fails. Each try fails once for each statement that waits.
const FAILURES: usize = 6;

/// Begins to drop `table`, which its cluster keeps for a while, runs `second` as soon as everybody can know that it is no
/// table any more, and has it answer no earlier than it is removed.
async fn waits(
    (here, there): (&Catalog, &Catalog),
    (stores, cluster): (&Stores, &TrippedCluster),
    (dropped, gone_as): (&str, &str),
    second: impl AsyncFnOnce(&Catalog),
) {
    create(here, dropped).await.unwrap();
    let mut before = table(here, dropped).await.unwrap();
    if dropped != gone_as {
        here.rename_tables(&[(name(dropped), name(gone_as))]).await.unwrap();
        before = table(here, gone_as).await.unwrap();
    }
    cluster.keep_tables(FAILURES);
    let first = async { here.drop_tables(&[name(gone_as)], false).await.unwrap() };
    let behind = async {
        while table(there, gone_as).await.is_some() {
            tokio::task::yield_now().await;
        }
        assert_ne!(made_in(stores, &before).await, 0, "kept in one of the clusters");
        second(there).await;
        assert_eq!((cluster.kept(), made_in(stores, &before).await), (0, 0), "answered too early");
    };
    tokio::join!(first, behind);
    there.drop_tables(&[name(dropped), name("other")], true).await.unwrap();
}

#[tokio::test]
async fn a_statement_about_a_name_waits_for_the_removal_of_the_table_that_had_it() {
    let (stores, cluster) = Stores::with_relay();
    let (one, two) = (stores.catalog().await, stores.catalog().await);
    let (proxies, stored) = ((&one, &two), (&stores, &*cluster));
    // Whether by the same proxy or by another.
    for proxies in [proxies, (&one, &one)] {
        waits(proxies, stored, ("t", "t"), async |proxy| {
            let note = Changed::No(vec!["Unknown table 'test.t'".to_owned()]);
            assert_eq!(proxy.drop_tables(&[name("t")], true).await.unwrap(), note);
        })
        .await;
        waits(proxies, stored, ("t", "t"), async |proxy| {
            assert_eq!(create(proxy, "t").await.unwrap(), Changed::Yes);
        })
        .await;
    }
    waits(proxies, stored, ("t", "t"), async |proxy| {
        let outcomes = tokio::join!(create(proxy, "t"), async {
            while table(proxy, "t").await.is_none() {
                tokio::task::yield_now().await;
            }
            proxy.create_table(&name("t"), true, declared(&[])).await
        });
        assert!(matches!(outcomes, (Ok(Changed::Yes), Ok(Changed::No(_)))), "{outcomes:?}");
    })
    .await;
    create(&one, "other").await.unwrap();
    waits(proxies, stored, ("t", "t"), async |proxy| {
        proxy.rename_tables(&[(name("other"), name("t"))]).await.unwrap();
    })
    .await;
    create(&one, "other").await.unwrap();
    waits(proxies, stored, ("t", "t"), async |proxy| {
        proxy.alter_table(&name("other"), &[], Some(&name("t"))).await.unwrap();
    })
    .await;
    // Somebody may know it by the name it had before.
    waits(proxies, stored, ("t", "u"), async |proxy| {
        proxy.drop_tables(&[name("t")], true).await.unwrap();
    })
    .await;
    waits(proxies, stored, ("t", "t"), async |proxy| {
        proxy.drop_database(&name("t").database, false).await.unwrap();
        proxy.create_database(&name("t").database, false, None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_second_truncate_waits_for_what_the_first_removes() {
    let (stores, cluster) = Stores::with_relay();
    let (one, two) = (stores.catalog().await, stores.catalog().await);
    create(&one, "t").await.unwrap();
    let before = table(&one, "t").await.unwrap();
    cluster.keep_tables(FAILURES);
    let first = async { one.truncate(&name("t")).await.unwrap() };
    let behind = async {
        while table(&two, "t").await.unwrap().id == before.id {
            tokio::task::yield_now().await;
        }
        two.truncate(&name("t")).await.unwrap();
        assert_eq!((cluster.kept(), made_in(&stores, &before).await), (0, 0));
    };
    tokio::join!(first, behind);
    assert!(stores.unpublished().is_empty());
}

#[tokio::test]
async fn a_truncate_that_another_has_overtaken_waits_for_what_that_one_removes() {
    let (stores, cluster) = Stores::with_relay();
    let (one, two) = (stores.catalog().await, stores.catalog().await);
    create(&one, "t").await.unwrap();
    let before = table(&one, "t").await.unwrap();
    let target = name("t");
    // It has read the table, and goes on when the other one has emptied it.
    cluster.trip(super::Trip::Waits);
    let overtaken = async {
        two.truncate(&name("t")).await.unwrap();
        assert_eq!(made_in(&stores, &before).await, 0);
    };
    let overtaking = async {
        cluster.tripped().await;
        cluster.keep_tables(FAILURES);
        tokio::join!(one.truncate(&target), async {
            while table(&two, "t").await.unwrap().id == before.id {
                tokio::task::yield_now().await;
            }
            cluster.mend();
        })
    };
    let (_, (overtaking, ())) = tokio::join!(overtaken, overtaking);
    overtaking.unwrap();
    assert!(stores.unpublished().is_empty());
}

#[tokio::test]
async fn a_statement_about_another_name_or_long_afterwards_does_not_wait() {
    let (stores, cluster) = Stores::with_relay();
    let (here, there) = (stores.catalog().await, stores.catalog().await);
    create(&here, "t").await.unwrap();
    create(&here, "other").await.unwrap();
    cluster.keep_tables(usize::MAX);
    let first = async { here.drop_tables(&[name("t")], false).await.unwrap() };
    let behind = async {
        while table(&there, "t").await.is_some() {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        let pairs = [(name("other"), name("another"))];
        tokio::select! {
            renamed = there.rename_tables(&pairs) => drop(renamed.unwrap()),
            never = follows(&here) => match never {},
        };
        create(&there, "new").await.unwrap();
        there.drop_tables(&[name("none")], true).await.unwrap();
        let error = there.truncate(&name("t")).await.unwrap_err();
        assert!(matches!(error, CatalogError::UnknownTable { .. }));
        assert!(began.elapsed() < MAX_STALE);
    };
    tokio::join!(first, behind);
    // The cluster still keeps it, but no proxy's catalog has it any more.
    stores.meta.advance(MAX_STALE * 3);
    let began = Instant::now();
    there.drop_tables(&[name("t")], true).await.unwrap();
    assert!(began.elapsed() < MAX_STALE);
    assert_eq!(stores.unpublished().len(), 1);
}

#[tokio::test]
async fn a_table_that_is_on_the_list_of_what_is_none_is_not_removed() {
    let stores = Stores::new();
    let catalog = stores.catalog().await;
    create(&catalog, "t").await.unwrap();
    create(&catalog, "gone").await.unwrap();
    let (t, gone) = (table(&catalog, "t").await.unwrap(), table(&catalog, "gone").await.unwrap());
    // As of a backup from the middle of a TRUNCATE whose table was given the new id by hand.
    let stored = stores.meta.load("catalog").await.unwrap().unwrap();
    let mut body: serde_json::Value = serde_json::from_slice(&stored.body).unwrap();
    let entry = |id: u32, name: &str| serde_json::json!({"id": id, "name": name, "since": 0, "dropped": false});
    body["tables"].as_array_mut().unwrap().retain(|table| table["id"] == t.id);
    body["unpublished"] = vec![entry(t.id, "t"), entry(gone.id, "gone")].into();
    assert!(stores.meta.compare_and_set("catalog", stored.version, body.to_string().as_bytes()).await.unwrap());
    stores.meta.advance(ABANDONED_AFTER * 2);
    for _ in 0..2 {
        catalog.clean().await.unwrap();
        assert_eq!((made_in(&stores, &t).await, made_in(&stores, &gone).await), (2, 0));
    }
    assert!(matches!(stores.unpublished().as_slice(), [entry] if entry.id == t.id && !entry.dropped));
}
