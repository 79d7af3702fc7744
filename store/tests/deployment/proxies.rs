//! The registry of proxies: who may be there beside whom (C13 of docs/ARCHITECTURE.md).

use std::sync::Arc;
use std::time::Duration;

use cellgate_store::deployment::{LEASE, OpenError, Setup, compare};
use cellgate_store::meta::sqlite::SqliteMeta;

use cellgate_store::Backend;
use cellgate_store::memory::MemoryBackend;

use crate::faulty::Faulty;
use crate::fixture::{Stores, close, files, open, proxy, run_until, start, use_all};
use crate::meta::{Pace, SeenMeta, all, edit};
use crate::paced::Paced;

const MICROSECOND: Duration = Duration::from_micros(1);

fn lease() -> i64 {
    i64::try_from(LEASE.as_micros()).unwrap()
}

/// A proxy of these stores that holds the file of its clusters.
fn exclusive(stores: &Stores, host: &str, pid: u32) -> Setup {
    let mut setup = Setup { proxy: proxy(host, pid), ..stores.setup() };
    setup.clusters.iter_mut().for_each(|c| c.exclusive = true);
    setup
}

/// What the registry says of the proxies, ordered by process id.
fn registered(stores: &Stores) -> Vec<(i64, i64)> {
    let entries = all(&stores.meta, "proxy/");
    let number = |entry: &serde_json::Value, field: &str| entry[field].as_i64().unwrap();
    let mut entries: Vec<_> = entries.iter().map(|e| (number(e, "pid"), number(e, "lease_until"))).collect();
    entries.sort_unstable();
    entries
}

/// Lets others go on until `done`, which is bound to come.
async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn proxies_without_files_serve_side_by_side() {
    let stores = Stores::new(&["a", "b"]);
    let one = open(Setup { proxy: proxy("one", 1), ..stores.setup() }).await.unwrap();
    let two = open(Setup { proxy: proxy("two", 2), ..stores.setup() }).await.unwrap();
    assert_eq!(one.id(), two.id());
    assert_eq!(registered(&stores), [(1, lease()), (2, lease())]);
    use_all(&one).await;
    use_all(&two).await;
}

#[tokio::test]
async fn a_second_proxy_beside_one_with_files_is_refused_and_told_where_that_one_is() {
    let stores = Stores::new(&["a"]);
    let _one = open(exclusive(&stores, "one", 11)).await.unwrap();
    let shared = Setup { proxy: proxy("two", 22), ..stores.setup() };
    for second in [exclusive(&stores, "two", 22), shared] {
        let compared = compare(&second).await.unwrap_err();
        let error = open(second).await.unwrap_err();
        assert_eq!(compared.to_string(), error.to_string(), "a check says what the start would meet");
        let OpenError::NotAlone { host, pid, address } = &error else { panic!("{error}") };
        assert_eq!((host.as_str(), *pid, address.as_str()), ("one", 11, "one:11"));
        assert!(error.to_string().contains("one:11"));
    }
    assert_eq!(registered(&stores), [(11, lease())], "who is refused leaves no entry");
}

#[tokio::test]
async fn a_proxy_with_files_is_refused_beside_one_without() {
    let stores = Stores::new(&["a"]);
    let _one = open(Setup { proxy: proxy("one", 11), ..stores.setup() }).await.unwrap();
    for error in [compare(&exclusive(&stores, "two", 22)).await.err(), open(exclusive(&stores, "two", 22)).await.err()]
    {
        assert!(matches!(&error, Some(OpenError::NotAlone { pid: 11, .. })), "{error:?}");
    }
}

#[tokio::test]
async fn a_dead_proxy_of_this_host_is_replaced_at_once() {
    let stores = Stores::new(&["a"]);
    drop(open(exclusive(&stores, "one", 11)).await.unwrap());
    compare(&exclusive(&stores, "one", 12)).await.unwrap();
    assert_eq!(registered(&stores), [(11, lease())], "a check removes nobody");
    let again = open(exclusive(&stores, "one", 12)).await.unwrap();
    assert_eq!(registered(&stores), [(12, lease())]);
    use_all(&again).await;
}

#[tokio::test]
async fn a_dead_proxy_of_another_host_is_replaced_when_its_lease_has_ended() {
    let stores = Stores::new(&["a"]);
    drop(open(exclusive(&stores, "one", 11)).await.unwrap());
    stores.meta.advance(LEASE);
    let error = open(exclusive(&stores, "two", 22)).await.unwrap_err();
    assert!(matches!(error, OpenError::NotAlone { .. }), "{error}");
    stores.meta.advance(MICROSECOND);
    open(exclusive(&stores, "two", 22)).await.unwrap();
}

#[tokio::test]
async fn a_killed_proxy_that_had_the_meta_stores_file_is_replaced_at_once_whatever_its_host_was_called() {
    let directory = tempfile::tempdir().unwrap();
    let setup = |host: &str, pid| Setup { proxy: proxy(host, pid), ..files(directory.path(), "meta.db", &["a.db"]) };
    let killed = open(setup("container-1", 7)).await.unwrap();
    // Its entry stays, its files do not: as after a kill.
    killed.executor().close().await;
    drop(killed);
    use_all(&open(setup("container-2", 8)).await.unwrap()).await;
}

#[tokio::test]
async fn the_files_of_a_running_proxy_cannot_be_opened_by_another() {
    let directory = tempfile::tempdir().unwrap();
    let running = open(files(directory.path(), "meta.db", &["a.db"])).await.unwrap();
    assert!(SqliteMeta::open(&directory.path().join("meta.db"), cellgate_store::Timeouts::default()).is_err());
    close(running).await;
    SqliteMeta::open(&directory.path().join("meta.db"), cellgate_store::Timeouts::default())
        .expect("a clean shutdown gives it back");
}

#[tokio::test]
async fn leases_are_renewed_and_given_back_at_the_end() {
    let stores = Stores::new(&["a"]);
    let deployment = open(exclusive(&stores, "one", 11)).await.unwrap();
    stores.meta.advance(LEASE - MICROSECOND);
    let (stop, run) = start(&deployment);
    until(|| registered(&stores) == [(11, 2 * lease() - 1)]).await;
    stores.meta.advance(2 * MICROSECOND);
    let error = open(exclusive(&stores, "two", 22)).await.unwrap_err();
    assert!(matches!(error, OpenError::NotAlone { .. }), "the first lease has ended, the second has not: {error}");
    stop.send_replace(true);
    run.await.unwrap();
    assert_eq!(registered(&stores), []);
    open(exclusive(&stores, "two", 22)).await.unwrap();
}

#[tokio::test]
async fn a_cluster_that_hangs_does_not_cost_the_lease() {
    let stores = Stores::new(&["a"]);
    let deployment = open(stores.setup()).await.unwrap();
    stores.store("a").hang();
    stores.meta.advance(5 * MICROSECOND);
    let (stop, run) = start(&deployment);
    until(|| registered(&stores) == [(1, lease() + 5)]).await;
    stop.send_replace(true);
    run.await.expect("nor does it hold up the end");
}

#[tokio::test]
async fn an_entry_that_somebody_removed_is_entered_again() {
    let stores = Stores::new(&["a"]);
    let deployment = open(stores.setup()).await.unwrap();
    let meta: &dyn cellgate_store::meta::MetaStore = stores.meta.as_ref();
    let entry = meta.list("proxy/").await.unwrap().remove(0);
    assert!(meta.remove(&entry.name, entry.version).await.unwrap());
    let (stop, run) = start(&deployment);
    until(|| registered(&stores).len() == 1).await;
    stop.send_replace(true);
    run.await.unwrap();
    assert_eq!(registered(&stores), []);
}

#[tokio::test]
async fn a_change_of_the_stored_topology_is_followed() {
    let stores = Stores::new(&["a", "b"]);
    let deployment = stores.open().await.unwrap();
    let version = deployment.executor().topology().version();
    edit(&stores.meta, "topology", |json| json["clusters"][0]["epoch"] = 2.into()).await;
    let (stop, run) = start(&deployment);
    until(|| deployment.executor().topology().version() > version).await;
    assert_eq!(deployment.executor().topology().clusters()[0].epoch.0, 2);
    stop.send_replace(true);
    run.await.unwrap();
}

#[tokio::test]
async fn of_two_proxies_that_start_at_once_with_files_of_their_own_at_most_one_claims_them() {
    let (mut refused, mut served) = (0, 0);
    for seed in 0..60_u64 {
        let one = Stores::new(&["a", "b"]);
        let two = Stores { meta: Arc::clone(&one.meta), clusters: Stores::new(&["a", "b"]).clusters };
        // Of one host, so that neither can tell the other from a dead one by its name.
        let setups =
            [(&one, 11, 0x9E37_79B9_7F4A_7C15), (&two, 22, 0xD1B5_4A32_D192_ED03)].map(|(stores, pid, odd)| {
                let pace = Pace::short(seed.wrapping_mul(odd));
                let mut setup = exclusive(stores, "one", pid);
                setup.meta = SeenMeta::with_pace(Arc::clone(&stores.meta) as _, Arc::clone(&pace));
                setup.clusters.iter_mut().for_each(|c| c.backend = Paced::over(&c.backend, &pace));
                setup
            });
        let [first, second] = setups.map(open);
        let (first, second) = tokio::join!(first, second);
        assert!(first.is_err() || second.is_err(), "seed {seed}: both serve one deployment with other files");
        for (outcome, stores) in [(&first, &one), (&second, &two)] {
            let mut claimed = 0;
            for (_, store) in &stores.clusters {
                claimed += usize::from(store.identity().await.unwrap().is_some());
            }
            assert_eq!(claimed, if outcome.is_ok() { 2 } else { 0 }, "seed {seed}: {:?}", outcome.as_ref().err());
            refused += usize::from(outcome.is_err());
            served += usize::from(outcome.is_ok());
        }
    }
    assert!(refused > 0 && served > 0, "{refused} refused, {served} served");
}

#[tokio::test]
async fn what_is_known_of_the_meta_store_is_as_old_as_the_beginning_of_the_last_look_that_succeeded() {
    let stores = Stores::new(&["a"]);
    let once = stores.setup_polling(Duration::from_secs(3600));
    let deployment = open(once).await.unwrap();
    let opened = deployment.fresh_at();
    run_until(&deployment, || deployment.fresh_at() > opened).await;
    let (asked, _) = stores.meta.asked("topology");
    assert!(deployment.fresh_at() <= asked.unwrap(), "what was changed behind this moment may not be known");

    let often = stores.setup_polling(Duration::from_millis(1));
    let deployment = open(often).await.unwrap();
    stores.meta.set_down(true);
    let (known, (_, reads)) = (deployment.fresh_at(), stores.meta.asked("topology"));
    run_until(&deployment, || stores.meta.asked("topology").1 >= reads + 3).await;
    assert_eq!(deployment.fresh_at(), known);
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_the_registry() {
    let mut stores = Stores::new(&["a"]);
    drop(stores.open().await.unwrap());
    let entered = |stores: &Stores| registered(stores).iter().any(|(pid, _)| *pid == 22);
    // It is in the registry, and waits for the store of a cluster that is yet to be created.
    stores.clusters.push(("n", Faulty::new(Arc::new(MemoryBackend::new()))));
    stores.store("n").hang();
    let setup = Setup { proxy: proxy("two", 22), ..stores.setup() };
    let departure = setup.departure.clone();
    departure.leave(LEASE).await;
    tokio::select! {
        opened = open(setup) => panic!("{opened:?}"),
        () = until(|| entered(&stores)) => {}
    }
    assert!(entered(&stores), "it ended without a word");
    departure.leave(LEASE).await;
    assert!(!entered(&stores));
}
