//! Clusters that cannot be reached when a proxy starts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_schemaless::{ColumnKey, ErrorKind, LatestKey, RefKey, Triple};
use cellgate_store::deployment::{Deployment, OpenError, compare};
use cellgate_store::executor::{CellFate, Cluster};
use cellgate_store::memory::MemoryBackend;
use cellgate_store::{Backend, StoreError};

use crate::faulty::Faulty;
use crate::fixture::{Stores, is_there, put, put_all, row_in, run_until, table, use_all};

/// A deployment that exists, with cluster `b` down.
async fn with_b_down() -> Stores {
    let stores = Stores::new(&["a", "b"]);
    use_all(&stores.open().await.unwrap()).await;
    stores.restarted();
    stores.store("b").set_down(true);
    stores
}

fn named<'a>(deployment: &'a Deployment, name: &str) -> &'a Arc<Cluster> {
    deployment.executor().clusters().find(|c| c.name == name).unwrap()
}

#[tokio::test]
async fn a_cluster_that_was_created_before_and_is_down_does_not_prevent_the_start_of_the_others() {
    let stores = with_b_down().await;
    let deployment = stores.open().await.unwrap();
    assert!(!named(&deployment, "b").is_up());
    assert!(named(&deployment, "a").is_up());
    assert!(is_there(&deployment, &row_in(&deployment, "a", 0)).await);
    assert!(matches!(put(&deployment, &row_in(&deployment, "a", 1)).await, CellFate::Written(_)));
    let CellFate::Failed(error) = put(&deployment, &row_in(&deployment, "b", 1)).await else { panic!() };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn nothing_is_sent_to_a_store_before_it_has_said_who_it_is() {
    let stores = with_b_down().await;
    let deployment = stores.open().await.unwrap();
    stores.store("b").set_down(false);
    let before = stores.store("b").calls();
    let row = row_in(&deployment, "b", 0);
    assert!(matches!(put(&deployment, &row).await, CellFate::Failed(_)));
    assert!(deployment.executor().create_table(&table()).await.is_err());
    assert!(deployment.executor().drop_table(&table()).await.is_err());
    deployment.executor().check_health_of(named(&deployment, "b")).await;
    let name = Triple { row: row.clone(), column: ColumnKey::new("BASE").unwrap(), ref_key: RefKey(1) };
    assert!(deployment.executor().cell(&table(), &name).await.is_err());
    assert!(deployment.executor().cell_at_once(&table(), &name, Instant::now()).is_none());
    let chain = LatestKey { row, column: name.column.clone(), at_most: None };
    assert!(deployment.executor().latest_at_once(&table(), &chain).is_none());
    assert_eq!(stores.store("b").calls(), before);
}

#[tokio::test]
async fn a_cluster_serves_when_it_has_come_back() {
    let stores = with_b_down().await;
    let deployment = stores.open().await.unwrap();
    let row = row_in(&deployment, "b", 0);
    stores.store("b").set_down(false);
    assert_eq!(stores.store("b").expected(), None, "only who was checked");
    run_until(&deployment, || named(&deployment, "b").is_up()).await;
    assert!(is_there(&deployment, &row).await);
    for name in ["a", "b"] {
        let checked = stores.store(name).identity().await.unwrap();
        assert!(checked.is_some() && stores.store(name).expected() == checked, "new sessions to {name} are asked");
    }
    assert!(matches!(put(&deployment, &row_in(&deployment, "b", 1)).await, CellFate::Written(_)));
}

#[tokio::test]
async fn the_others_are_checked_while_a_cluster_does_not_say_who_it_is() {
    let stores = with_b_down().await;
    let deployment = stores.open().await.unwrap();
    stores.store("b").hang();
    stores.store("b").set_down(false);
    stores.store("a").set_down(true);
    let noticed = run_until(&deployment, || !named(&deployment, "a").is_up());
    tokio::time::timeout(Duration::from_secs(30), noticed).await.expect("it is noticed");
}

#[tokio::test]
async fn a_cluster_comes_back_while_another_does_not_say_who_it_is() {
    let stores = Stores::new(&["a", "b", "c"]);
    stores.open().await.unwrap();
    for down in ["b", "c"] {
        stores.store(down).set_down(true);
    }
    let deployment = stores.open().await.unwrap();
    stores.store("b").hang();
    stores.store("b").set_down(false);
    let before = stores.store("c").calls();
    let back = run_until(&deployment, || {
        // Once it was asked in vain.
        stores.store("c").set_down(stores.store("c").calls() == before);
        named(&deployment, "c").is_up()
    });
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("it is checked");
}

#[tokio::test]
async fn a_cluster_that_has_come_back_is_up_while_another_gives_no_sign_of_life() {
    let stores = with_b_down().await;
    let deployment = stores.open().await.unwrap();
    // Its identity is known; it is asked whether it is up, and does not answer.
    stores.store("a").hang();
    let before = stores.store("a").calls();
    let back = run_until(&deployment, || {
        stores.store("b").set_down(stores.store("a").calls() == before);
        named(&deployment, "b").is_up()
    });
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("it is up");
}

#[tokio::test]
async fn another_store_that_comes_back_in_its_place_is_not_used() {
    let stores = with_b_down().await;
    let mut other = stores.store("a").identity().await.unwrap().unwrap();
    let deployment = stores.open().await.unwrap();
    other.deployment = "f".repeat(32);
    stores.store("b").pretend(other);
    stores.store("b").set_down(false);
    let before = stores.store("b").calls();
    run_until(&deployment, || stores.store("b").calls() > before).await;
    assert!(!named(&deployment, "b").is_verified());
    assert!(matches!(put(&deployment, &row_in(&deployment, "b", 0)).await, CellFate::Failed(_)));
}

#[tokio::test]
async fn an_empty_store_that_comes_back_in_its_place_is_not_used() {
    let mut stores = with_b_down().await;
    let empty = Faulty::new(Arc::new(MemoryBackend::new()));
    empty.set_down(true);
    stores.clusters[1].1 = Arc::clone(&empty);
    let deployment = stores.open().await.unwrap();
    empty.set_down(false);
    let before = empty.calls();
    run_until(&deployment, || empty.calls() > before).await;
    assert!(!named(&deployment, "b").is_verified());
    assert!(empty.identity().await.unwrap().is_none(), "it was not created anew");
}

#[tokio::test]
async fn a_cluster_that_is_new_and_down_prevents_the_start() {
    let mut stores = Stores::new(&["a"]);
    stores.open().await.unwrap();
    let new = Faulty::new(Arc::new(MemoryBackend::new()));
    new.set_down(true);
    stores.clusters.push(("n", Arc::clone(&new)));
    let error = stores.open().await.unwrap_err();
    let OpenError::Cluster { cluster, error: StoreError::Unavailable { .. } } = &error else { panic!("{error}") };
    assert_eq!(cluster, "n");
    new.set_down(false);
    use_all(&stores.open().await.unwrap()).await;
}

#[tokio::test]
async fn the_first_start_of_all_needs_every_cluster() {
    let stores = Stores::new(&["a", "b"]);
    stores.store("b").set_down(true);
    let error = stores.open().await.unwrap_err();
    assert!(matches!(&error, OpenError::Cluster { cluster, .. } if cluster == "b"), "{error}");
    stores.store("b").set_down(false);
    use_all(&stores.open().await.unwrap()).await;
}

#[tokio::test]
async fn a_known_cluster_that_refuses_the_login_does_not_prevent_the_start_and_serves_when_it_takes_it() {
    let stores = with_b_down().await;
    stores.store("b").set_down(false);
    stores.store("b").set_denying(true);
    let compared = compare(&stores.setup()).await;
    assert!(
        matches!(&compared, Err(OpenError::Cluster { cluster, error: StoreError::Denied { .. } }) if cluster == "b"),
        "who asks beforehand is told: {compared:?}"
    );
    let deployment = stores.open().await.unwrap();
    assert!(is_there(&deployment, &row_in(&deployment, "a", 0)).await);
    let before = stores.store("b").calls();
    let CellFate::Failed(error) = put(&deployment, &row_in(&deployment, "b", 1)).await else { panic!() };
    assert_eq!((error.kind(), stores.store("b").calls()), (ErrorKind::Unavailable, before), "nothing is sent: {error}");
    // Nor is the other cluster's part of a write written, which would be one done in part.
    let rows = [row_in(&deployment, "a", 1), row_in(&deployment, "b", 1)];
    let fates = put_all(&deployment, &rows).await;
    assert!(fates.iter().all(|fate| matches!(fate, CellFate::Failed(_))), "{fates:?}");
    assert!(!is_there(&deployment, &rows[0]).await);
    // It is asked again, and again in vain.
    run_until(&deployment, || stores.store("b").calls() > before).await;
    assert!(!named(&deployment, "b").is_verified());
    stores.store("b").set_denying(false);
    run_until(&deployment, || named(&deployment, "b").is_up()).await;
    assert!(is_there(&deployment, &row_in(&deployment, "b", 0)).await);
}

#[tokio::test]
async fn another_store_that_takes_the_login_later_is_not_used() {
    let stores = with_b_down().await;
    let mut other = stores.store("a").identity().await.unwrap().unwrap();
    stores.store("b").set_down(false);
    stores.store("b").set_denying(true);
    let deployment = stores.open().await.unwrap();
    other.deployment = "f".repeat(32);
    stores.store("b").pretend(other);
    stores.store("b").set_denying(false);
    let before = stores.store("b").calls();
    run_until(&deployment, || stores.store("b").calls() > before).await;
    assert!(!named(&deployment, "b").is_verified());
}

#[tokio::test]
async fn a_new_cluster_that_refuses_the_login_prevents_the_start() {
    let mut stores = Stores::new(&["a", "b"]);
    stores.store("b").set_denying(true);
    let error = stores.open().await.unwrap_err();
    assert!(matches!(&error, OpenError::Cluster { cluster, .. } if cluster == "b"), "the first of all: {error}");
    stores.store("b").set_denying(false);
    stores.open().await.unwrap();
    let new = Faulty::new(Arc::new(MemoryBackend::new()));
    new.set_denying(true);
    stores.clusters.push(("n", Arc::clone(&new)));
    let error = stores.open().await.unwrap_err();
    let OpenError::Cluster { cluster, error: StoreError::Denied { .. } } = &error else { panic!("{error}") };
    assert_eq!(cluster, "n");
}
