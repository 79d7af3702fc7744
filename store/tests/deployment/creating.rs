//! Creation: once, by whoever comes, from wherever the last one stopped.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cellgate_store::Backend;
use cellgate_store::deployment::{LEASE, OpenError, Setup};
use cellgate_store::memory::MemoryBackend;
use cellgate_store::meta::memory::MemoryMeta;

use crate::faulty::{Faulty, Fuse};
use crate::fixture::{FIRST, SHARDS, Stores, close, cluster, files, open, proxy, setup, use_all};
use crate::meta::{Pace, SeenMeta, edit};
use crate::paced::Paced;

#[tokio::test]
async fn the_first_start_creates_the_meta_store_the_topology_and_every_store() {
    let directory = tempfile::tempdir().unwrap();
    let deployment = open(files(directory.path(), "meta.db", &["a.db", "b.db", "c.db", "d.db"])).await.unwrap();
    assert_eq!(deployment.id().len(), 32);
    let topology = deployment.executor().topology();
    assert_eq!(topology.virtual_shards(), SHARDS);
    let mut all = BTreeSet::new();
    for (cluster, number) in deployment.executor().clusters().zip(1..) {
        assert_eq!(cluster.number.get(), number);
        let identity = cluster.backend.identity().await.unwrap().unwrap();
        assert_eq!((identity.deployment.as_str(), identity.cluster), (deployment.id(), cluster.number));
        let (_, owned) = cluster.backend.shards().await.unwrap();
        let owned: Vec<_> = owned.iter().map(|s| s.shard).collect();
        assert_eq!(owned, topology.shards_of(cluster.number).collect::<Vec<_>>());
        assert!(!owned.is_empty());
        all.extend(owned);
    }
    assert_eq!(all.len(), usize::try_from(SHARDS).unwrap());
    use_all(&deployment).await;
}

#[tokio::test]
async fn the_second_start_finds_the_same_deployment() {
    let directory = tempfile::tempdir().unwrap();
    let again = || files(directory.path(), "meta.db", &["a.db", "b.db"]);
    let first = open(again()).await.unwrap();
    use_all(&first).await;
    let (id, map) = (first.id().to_owned(), first.executor().topology());
    close(first).await;

    let second = open(again()).await.unwrap();
    assert_eq!(second.id(), id);
    assert_eq!(second.executor().topology().clusters(), map.clusters());
    for name in ["a", "b"] {
        let row = crate::fixture::row_in(&second, name, 0);
        assert!(crate::fixture::is_there(&second, &row).await);
    }
}

/// Opens with a process that ends at its `calls`th call, for every `calls` until one comes through.
async fn crash_everywhere(late: bool) {
    let mut survived = false;
    for calls in 0..200 {
        let meta = Arc::new(MemoryMeta::new());
        let stores: Vec<Arc<dyn Backend>> = (0..3).map(|_| Arc::new(MemoryBackend::new()) as _).collect();
        let fuse = Fuse::after(calls, late);
        let seen = SeenMeta::with_fuse(Arc::clone(&meta) as _, Arc::clone(&fuse));
        let clusters = ["a", "b", "c"].into_iter().zip(&stores).map(|(name, store)| {
            cluster(name, Faulty::with_fuse(Arc::clone(store), Some(Arc::clone(&fuse))) as Arc<dyn Backend>)
        });
        let attempt = open(setup(seen, clusters.collect())).await;
        survived = attempt.is_ok();
        drop(attempt);
        for store in &stores {
            let is_claimed = store.identity().await.unwrap().is_some();
            assert!(
                !is_claimed || !meta.all(FIRST).is_empty(),
                "a cluster without {FIRST} after a crash at call {calls}"
            );
        }

        // Whatever it was creating is waited for until then.
        meta.advance(LEASE + Duration::from_micros(1));
        let clusters = ["a", "b", "c"].into_iter().zip(&stores).map(|(name, store)| cluster(name, Arc::clone(store)));
        let deployment = open(setup(meta, clusters.collect())).await;
        let deployment = deployment.unwrap_or_else(|error| panic!("after a crash at call {calls}: {error}"));
        for store in &stores {
            let identity = store.identity().await.unwrap().unwrap();
            assert_eq!(identity.deployment, deployment.id(), "after a crash at call {calls}");
        }
        use_all(&deployment).await;
        if survived {
            assert!(calls > 10, "there were only {calls} steps to crash at");
            break;
        }
    }
    assert!(survived);
}

#[tokio::test]
async fn a_crash_in_front_of_any_step_of_the_creation_is_made_good_by_the_next_start() {
    crash_everywhere(false).await;
}

#[tokio::test]
async fn a_crash_behind_any_step_of_the_creation_is_made_good_by_the_next_start() {
    crash_everywhere(true).await;
}

/// Lets two proxies create one deployment, each at its pace.
async fn create_at_once(paces: [Arc<Pace>; 2], case: &str) {
    let stores = Stores::new(&["a", "b", "c"]);
    let [one, two] = paces.map(|pace| {
        let mut setup = stores.setup();
        setup.meta = SeenMeta::with_pace(Arc::clone(&stores.meta) as _, Arc::clone(&pace));
        setup.clusters.iter_mut().for_each(|c| c.backend = Paced::over(&c.backend, &pace));
        setup
    });
    let (one, two) = tokio::join!(open(one), open(two));
    let one = one.unwrap_or_else(|error| panic!("{case}: the first: {error}"));
    let two = two.unwrap_or_else(|error| panic!("{case}: the second: {error}"));
    assert_eq!(one.id(), two.id(), "{case}");
    let (ours, theirs) = (one.executor().topology(), two.executor().topology());
    assert_eq!(ours.clusters(), theirs.clusters(), "{case}");
    for (_, store) in &stores.clusters {
        assert_eq!(store.identity().await.unwrap().unwrap().deployment, one.id(), "{case}");
    }
    use_all(&one).await;
    use_all(&two).await;
}

#[tokio::test]
async fn two_proxies_that_create_one_deployment_at_once_agree_whatever_the_order_of_their_steps() {
    for seed in 0..300_u64 {
        // Odd multipliers spread the seeds over the pauses of all calls.
        let paces = [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03].map(|odd| Pace::short(seed.wrapping_mul(odd)));
        create_at_once(paces, &format!("seed {seed}")).await;
    }
}

#[tokio::test]
async fn a_proxy_that_finds_the_deployment_created_between_two_of_its_steps_joins_it() {
    for call in 0.. {
        let slow = Pace::long(call);
        create_at_once([Arc::clone(&slow), Pace::short(0)], &format!("a pause in front of call {call}")).await;
        if slow.calls() <= call {
            assert!(call > 10, "there were only {call} steps");
            break;
        }
    }
}

#[tokio::test]
async fn a_cluster_that_is_added_gets_the_next_number_and_no_shards() {
    let stores = Stores::new(&["a", "b"]);
    let before = stores.open().await.unwrap().executor().topology();
    let mut more = Stores { meta: Arc::clone(&stores.meta), clusters: stores.clusters.clone() };
    more.clusters.insert(0, ("new", Faulty::new(Arc::new(MemoryBackend::new()))));
    let deployment = more.open().await.unwrap();
    let topology = deployment.executor().topology();
    let entry = topology.clusters().iter().find(|c| c.name == "new").unwrap();
    assert_eq!(entry.number.get(), 3);
    assert_eq!(topology.shards_of(entry.number).count(), 0);
    for old in before.clusters() {
        let shards: Vec<_> = before.shards_of(old.number).collect();
        assert_eq!(topology.shards_of(old.number).collect::<Vec<_>>(), shards, "nothing moves by itself");
    }
    use_all(&deployment).await;
    drop(deployment);

    // It owns nothing, so that it may go; its number is not given out again.
    let mut other = Stores { meta: Arc::clone(&stores.meta), clusters: stores.clusters.clone() };
    other.clusters.push(("newer", Faulty::new(Arc::new(MemoryBackend::new()))));
    let topology = other.open().await.unwrap().executor().topology();
    assert_eq!(topology.clusters().iter().find(|c| c.name == "newer").unwrap().number.get(), 4);
}

#[tokio::test]
async fn of_two_proxies_that_create_one_deployment_in_stores_of_their_own_one_does() {
    for seed in 0..200_u64 {
        let one = Stores::new(&["a", "b"]);
        let two = Stores { meta: Arc::clone(&one.meta), clusters: Stores::new(&["a", "b"]).clusters };
        let odds = [(&one, 11, 0x9E37_79B9_7F4A_7C15), (&two, 22, 0xD1B5_4A32_D192_ED03)];
        let [first, second] = odds.map(|(stores, pid, odd)| {
            let pace = Pace::short(seed.wrapping_mul(odd));
            let mut setup = Setup { proxy: proxy("host", pid), ..stores.setup() };
            setup.meta = SeenMeta::with_pace(Arc::clone(&stores.meta) as _, Arc::clone(&pace));
            setup.clusters.iter_mut().for_each(|c| c.backend = Paced::over(&c.backend, &pace));
            // They agree on the numbers of clusters, if on nothing else.
            setup.clusters.rotate_left(usize::from(pid == 22 && seed % 2 == 1));
            open(setup)
        });
        let (first, second) = tokio::join!(first, second);
        let mut served = 0;
        for (outcome, stores) in [(&first, &one), (&second, &two)] {
            let mut claimed = 0;
            for (_, store) in &stores.clusters {
                claimed += usize::from(store.identity().await.unwrap().is_some());
            }
            assert_eq!(claimed, if outcome.is_ok() { 2 } else { 0 }, "seed {seed}: {:?}", outcome.as_ref().err());
            if let Err(error) = outcome {
                assert!(matches!(error, OpenError::StoreLost { .. }), "seed {seed}: {error}");
            }
            served += usize::from(outcome.is_ok());
        }
        assert_eq!(served, 1, "seed {seed}");
    }
}

#[tokio::test]
async fn a_store_that_another_proxy_creates_is_waited_for_until_that_one_is_gone() {
    let mut stores = Stores::new(&["a"]);
    let other = stores.open().await.unwrap();
    // Another proxy says that it creates the store of a new cluster, and does not come to it.
    let mut more = Stores { meta: Arc::clone(&stores.meta), clusters: stores.clusters.clone() };
    more.clusters.push(("n", Faulty::new(Arc::new(MemoryBackend::new()))));
    more.store("n").set_down(true);
    more.open().await.unwrap_err();
    let name = stores.meta.all("proxy/")[0].name.clone();
    let creator = name.strip_prefix("proxy/").unwrap().to_owned();
    edit(&stores.meta, "topology", |json| json["clusters"][1]["creator"] = creator.into()).await;
    stores.clusters = more.clusters.clone();
    stores.store("n").set_down(false);

    let opening = tokio::spawn(open(stores.setup()));
    let asked = stores.meta.asked(&name).1;
    while stores.meta.asked(&name).1 < asked + 3 {
        tokio::task::yield_now().await;
    }
    assert!(!opening.is_finished());
    assert_eq!(stores.store("n").identity().await.unwrap(), None);
    stores.meta.advance(LEASE + Duration::from_micros(1));
    use_all(&opening.await.unwrap().unwrap()).await;
    let topology = crate::meta::all(&stores.meta, "topology").remove(0);
    assert_eq!(topology["clusters"][1]["state"], "claimed");
    assert_eq!(topology["clusters"][1].get("creator"), None, "nobody creates it any more");
    drop(other);
}
