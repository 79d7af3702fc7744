//! Starts that would lose cells, or find other ones, are refused with the reason.

use std::sync::Arc;

use cellgate_schemaless::{ClusterNo, Epoch, ErrorKind, ShardId};
use cellgate_store::deployment::{OpenError, Setup, compare};
use cellgate_store::memory::MemoryBackend;
use cellgate_store::meta::memory::MemoryMeta;
use cellgate_store::{Backend, FORMAT, Identity};

use crate::faulty::Faulty;
use crate::fixture::{FIRST, SHARDS, Stores, close, cluster, files, open, proxy, use_all};
use crate::meta::{delete, edit};

async fn refusal(setup: Setup) -> OpenError {
    open(setup).await.expect_err("this start had to be refused")
}

#[tokio::test]
async fn another_number_of_virtual_shards_is_refused() {
    let stores = Stores::new(&["a"]);
    stores.open().await.unwrap();
    let error = refusal(Setup { virtual_shards: Some(SHARDS * 2), ..stores.setup() }).await;
    let OpenError::Mismatch { what, stored, configured, .. } = &error else { panic!("{error}") };
    assert_eq!((*what, stored.as_str(), configured.as_str()), ("virtual_shards", "32", "64"));
    assert_eq!(error.kind(), ErrorKind::Access);
    open(Setup { virtual_shards: None, ..stores.setup() }).await.expect("who does not say takes what is stored");
}

#[tokio::test]
async fn two_clusters_of_one_name_are_refused_before_anything_is_created() {
    let directory = tempfile::tempdir().unwrap();
    let mut setup = files(directory.path(), "meta.db", &["a.db", "b.db"]);
    setup.clusters[1].name = "a".to_owned();
    let compared = compare(&setup).await;
    assert!(matches!(compared, Err(OpenError::NameTwice { .. })), "{compared:?}");
    let error = refusal(setup).await;
    assert!(matches!(&error, OpenError::NameTwice { cluster } if cluster == "a"), "{error}");
    let created = ["meta.db", "a.db", "b.db"].map(|file| directory.path().join(file).exists());
    assert_eq!(created, [false; 3]);
}

#[tokio::test]
async fn a_lost_meta_store_is_refused_and_the_deployment_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(files(directory.path(), "meta.db", &["a.db", "b.db"])).await.unwrap();
    use_all(&first).await;
    let id = first.id().to_owned();
    close(first).await;

    let error = refusal(files(directory.path(), "other.db", &["a.db", "b.db"])).await;
    let OpenError::MetaLost { cluster, deployment } = &error else { panic!("{error}") };
    assert_eq!((cluster.as_str(), deployment), ("a", &id));
    assert!(error.to_string().contains(&id));
    assert!(!directory.path().join("other.db").exists(), "a refused start leaves nothing behind");
    open(files(directory.path(), "meta.db", &["a.db", "b.db"])).await.expect("with its meta store it starts as ever");
}

#[tokio::test]
async fn an_empty_meta_store_is_no_reason_to_take_the_clusters_of_another_deployment() {
    let stores = Stores::new(&["a", "b"]);
    stores.open().await.unwrap();
    let empty = Arc::new(MemoryMeta::new());
    let error = refusal(Setup { meta: Arc::clone(&empty) as _, ..stores.setup() }).await;
    assert!(matches!(error, OpenError::MetaLost { .. }), "{error}");
    // Likewise when its table is there, but nothing in it.
    cellgate_store::meta::MetaStore::create(empty.as_ref()).await.unwrap();
    let error = refusal(Setup { meta: empty, ..stores.setup() }).await;
    assert!(matches!(error, OpenError::MetaLost { .. }), "{error}");
}

#[tokio::test]
async fn a_lost_document_is_refused_and_never_made_anew() {
    for lost in [FIRST, "topology"] {
        let stores = Stores::new(&["a", "b"]);
        drop(stores.open().await.unwrap());
        delete(&stores.meta, lost).await;
        for error in [refusal(stores.setup()).await, compare(&stores.setup()).await.unwrap_err()] {
            let OpenError::DocumentLost { document, cluster } = &error else { panic!("{lost}: {error}") };
            assert_eq!((*document, cluster.as_str(), error.kind()), (lost, "a", ErrorKind::Access));
            assert!(error.to_string().contains(lost), "{error}");
        }
        assert!(stores.meta.all(lost).is_empty(), "{lost} was made anew");
    }
}

#[tokio::test]
async fn a_refused_start_has_changed_nothing_that_others_use() {
    let mut stores = Stores::new(&["a"]);
    let running = open(Setup { proxy: proxy("one", 11), ..stores.setup() }).await.unwrap();
    let before = [stores.meta.all("topology"), stores.meta.all(FIRST)];
    stores.clusters.push(("new", Faulty::new(Arc::new(MemoryBackend::new()))));
    // Refused for what a cluster says,
    let mut lost = stores.setup();
    lost.clusters[0] = cluster("a", Arc::new(MemoryBackend::new()));
    let error = refusal(lost).await;
    assert!(matches!(&error, OpenError::StoreLost { cluster } if cluster == "a"), "{error}");
    // and for who is there.
    let mut files = stores.setup();
    files.clusters.iter_mut().for_each(|cluster| cluster.exclusive = true);
    let error = refusal(files).await;
    assert!(matches!(&error, OpenError::NotAlone { pid: 11, .. }), "{error}");
    assert_eq!([stores.meta.all("topology"), stores.meta.all(FIRST)], before);
    assert_eq!(stores.store("new").identity().await.unwrap(), None);
    drop(running);
    let topology = stores.open().await.unwrap().executor().topology();
    assert_eq!(topology.clusters().len(), 2, "the next start adds it");
}

#[tokio::test]
async fn a_lost_store_is_refused_and_never_created_anew() {
    let directory = tempfile::tempdir().unwrap();
    close(open(files(directory.path(), "meta.db", &["a.db", "b.db"])).await.unwrap()).await;
    let error = refusal(files(directory.path(), "meta.db", &["a.db", "empty.db"])).await;
    assert!(matches!(&error, OpenError::StoreLost { cluster } if cluster == "b"), "{error}");
    assert!(!directory.path().join("empty.db").exists());
}

#[tokio::test]
async fn a_missing_cluster_with_shards_is_refused() {
    let mut stores = Stores::new(&["a", "b", "c"]);
    let deployment = stores.open().await.unwrap();
    let topology = deployment.executor().topology();
    let owned = topology.shards_of(topology.clusters()[1].number).count();
    stores.clusters.remove(1);
    let error = refusal(stores.setup()).await;
    assert!(
        matches!(&error, OpenError::ClusterMissing { cluster, shards } if cluster == "b" && *shards == owned),
        "{error}"
    );
}

#[tokio::test]
async fn a_renamed_cluster_is_refused() {
    let mut stores = Stores::new(&["a", "b"]);
    stores.open().await.unwrap();
    stores.clusters[1].0 = "z";
    let error = refusal(stores.setup()).await;
    assert!(matches!(&error, OpenError::ClusterMissing { cluster, .. } if cluster == "b"), "{error}");
}

#[tokio::test]
async fn exchanged_stores_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    close(open(files(directory.path(), "meta.db", &["a.db", "b.db"])).await.unwrap()).await;
    let error = refusal(files(directory.path(), "meta.db", &["b.db", "a.db"])).await;
    let OpenError::Mismatch { what, stored, configured, place } = &error else { panic!("{error}") };
    assert_eq!((*what, stored.as_str(), configured.as_str()), ("the cluster number", "2", "1"));
    assert!(place.contains('a'), "{place}");
}

#[tokio::test]
async fn two_clusters_that_name_one_store_are_refused() {
    let store = Faulty::new(Arc::new(MemoryBackend::new()));
    let stores = Stores { meta: Arc::new(MemoryMeta::new()), clusters: vec![("a", Arc::clone(&store)), ("b", store)] };
    let error = refusal(stores.setup()).await;
    assert!(matches!(&error, OpenError::Mismatch { what, .. } if *what == "the cluster number"), "{error}");
}

#[tokio::test]
async fn a_newer_format_is_refused_in_the_meta_store_and_in_a_store() {
    let stores = Stores::new(&["a", "b"]);
    stores.open().await.unwrap();
    let mut newer = stores.store("b").identity().await.unwrap().unwrap();
    newer.format = FORMAT + 1;
    stores.store("b").pretend(newer);
    let error = refusal(stores.setup()).await;
    let OpenError::NewerFormat { place, stored, known } = &error else { panic!("{error}") };
    assert_eq!((*stored, *known), (FORMAT + 1, FORMAT));
    assert!(place.contains("cluster b"), "{place}");

    edit(&stores.meta, "deployment", |json| json["format"] = (FORMAT + 1).into()).await;
    let error = refusal(stores.setup()).await;
    assert!(matches!(&error, OpenError::NewerFormat { place, .. } if place.contains("meta")), "{error}");
}

#[tokio::test]
async fn what_is_fixed_when_a_deployment_is_created_is_the_same_everywhere_and_ever_after() {
    let stores = Stores::new(&["a", "b"]);
    stores.open().await.unwrap();
    let stands = stores.store("b").identity().await.unwrap().unwrap();
    let others = [
        ("virtual_shards", Identity { virtual_shards: stands.virtual_shards + 1, ..stands.clone() }),
        ("the placement hash", Identity { hash: "other".to_owned(), ..stands.clone() }),
        ("the placement seed", Identity { seed: stands.seed + 1, ..stands.clone() }),
    ];
    for (fixed, other) in others {
        stores.store("b").pretend(other);
        let error = refusal(stores.setup()).await;
        let OpenError::Mismatch { what, place, .. } = &error else { panic!("{error}") };
        assert_eq!((*what, place.as_str()), (fixed, "the store of cluster b"));
    }
    stores.store("b").pretend(stands.clone());
    for (fixed, name, other, stored) in [
        ("the placement hash", "hash", "other".into(), stands.hash.clone().into()),
        ("the placement seed", "seed", (stands.seed + 1).into(), stands.seed.into()),
    ] {
        let (other, stored): (serde_json::Value, serde_json::Value) = (other, stored);
        edit(&stores.meta, "deployment", |json| json[name] = other).await;
        let error = refusal(stores.setup()).await;
        let OpenError::Mismatch { what, place, .. } = &error else { panic!("{error}") };
        assert_eq!((*what, place.as_str()), (fixed, "the meta store"));
        edit(&stores.meta, "deployment", |json| json[name] = stored).await;
    }
    stores.open().await.expect("as it was");
}

#[tokio::test]
async fn a_store_of_another_deployment_is_refused() {
    let (ours, theirs) = (Stores::new(&["a", "b"]), Stores::new(&["a", "b"]));
    let id = ours.open().await.unwrap().id().to_owned();
    let other = theirs.open().await.unwrap().id().to_owned();
    assert_ne!(id, other);
    let mixed = Stores {
        meta: Arc::clone(&ours.meta),
        clusters: vec![("a", Arc::clone(ours.store("a"))), ("b", Arc::clone(theirs.store("b")))],
    };
    let error = refusal(mixed.setup()).await;
    let OpenError::Mismatch { what, stored, configured, .. } = &error else { panic!("{error}") };
    assert_eq!((*what, stored, configured), ("the deployment id", &other, &id));
}

#[tokio::test]
async fn a_store_of_another_deployment_is_refused_as_a_new_cluster_too() {
    let (ours, theirs) = (Stores::new(&["a"]), Stores::new(&["x"]));
    ours.open().await.unwrap();
    let other = theirs.open().await.unwrap().id().to_owned();
    let mixed = Stores {
        meta: Arc::clone(&ours.meta),
        clusters: vec![("a", Arc::clone(ours.store("a"))), ("n", Arc::clone(theirs.store("x")))],
    };
    let error = refusal(mixed.setup()).await;
    assert!(matches!(&error, OpenError::Mismatch { what: "the deployment id", .. }), "{error}");
    let identity = theirs.store("x").identity().await.unwrap().unwrap();
    assert_eq!(identity.deployment, other);
}

#[tokio::test]
async fn a_map_that_gives_a_store_shards_it_does_not_own_is_refused() {
    let stores = Stores::new(&["a", "b"]);
    stores.open().await.unwrap();
    edit(&stores.meta, "topology", |json| json["map"].as_array_mut().unwrap().fill(2.into())).await;
    let error = refusal(stores.setup()).await;
    assert!(matches!(&error, OpenError::ShardsDiffer { cluster, .. } if cluster == "b"), "{error}");
}

#[tokio::test]
async fn a_map_that_gives_a_store_a_shard_that_went_elsewhere_is_refused() {
    let stores = Stores::new(&["a"]);
    stores.open().await.unwrap();
    stores.store("a").give_away(ShardId(3));
    let error = refusal(stores.setup()).await;
    assert!(matches!(&error, OpenError::ShardsDiffer { shard: 3, count: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_store_and_a_meta_store_of_different_epochs_are_refused_and_the_older_one_is_named() {
    let stores = Stores::new(&["a", "b"]);
    stores.open().await.unwrap();
    // What a change of the shard map does; the meta store is then restored from before it.
    assert!(stores.store("b").raise_epoch(Epoch(1), Epoch(2)).await.unwrap());
    let error = refusal(stores.setup()).await;
    assert!(matches!(&error, OpenError::MetaOlder { cluster, store: 2, meta: 1 } if cluster == "b"), "{error}");
    assert!(error.to_string().contains("the meta store is older"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Access);

    edit(&stores.meta, "topology", |document| {
        document["clusters"].as_array_mut().unwrap().iter_mut().for_each(|cluster| cluster["epoch"] = 2.into());
    })
    .await;
    let error = refusal(stores.setup()).await;
    assert!(matches!(&error, OpenError::StoreOlder { cluster, store: 1, meta: 2 } if cluster == "a"), "{error}");
    assert!(stores.store("a").raise_epoch(Epoch(1), Epoch(2)).await.unwrap());
    use_all(&stores.open().await.unwrap()).await;
}

#[tokio::test]
async fn a_configured_number_is_that_of_the_cluster_or_refused() {
    let stores = Stores::new(&["a", "b", "c"]);
    let numbered = |numbers: [Option<u16>; 3]| {
        let mut setup = stores.setup();
        for (cluster, number) in setup.clusters.iter_mut().zip(numbers) {
            cluster.number = number.map(|number| ClusterNo::new(number).unwrap());
        }
        setup
    };
    // The others are given numbers above it.
    let deployment = open(numbered([None, Some(7), None])).await.unwrap();
    let numbers: Vec<(String, u16)> =
        deployment.executor().clusters().map(|cluster| (cluster.name.clone(), cluster.number.get())).collect();
    assert_eq!(numbers, [("b".to_owned(), 7), ("a".to_owned(), 8), ("c".to_owned(), 9)]);
    assert_eq!(stores.store("b").identity().await.unwrap().unwrap().cluster.get(), 7);
    drop(deployment);

    open(numbered([Some(8), None, Some(9)])).await.expect("the numbers they have");
    let error = refusal(numbered([Some(9), None, None])).await;
    let OpenError::Mismatch { stored, configured, .. } = &error else { panic!("{error}") };
    assert_eq!((stored.as_str(), configured.as_str()), ("8 (a)", "9"));

    let mut more = stores.setup();
    let new = Faulty::new(Arc::new(MemoryBackend::new()));
    more.clusters.push(cluster("new", Arc::clone(&new) as _));
    more.clusters[3].number = Some(ClusterNo::new(9).unwrap());
    let error = refusal(more).await;
    assert!(matches!(&error, OpenError::NumberTaken { number: 9, owner, .. } if owner == "c"), "{error}");
    assert!(new.identity().await.unwrap().is_none());
}
