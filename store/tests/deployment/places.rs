//! Two stores that say they are one cluster, as a database and its copy do: no two proxies use both.

use std::sync::Arc;
use std::time::Duration;

use cellgate_store::Backend;
use cellgate_store::deployment::{LEASE, OpenError, Setup, compare};
use cellgate_store::memory::MemoryBackend;
use cellgate_store::meta::memory::MemoryMeta;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::faulty::Faulty;
use crate::fixture::{Stores, open, proxy, start, use_all};
use crate::meta::{Pace, SeenMeta, all, edit};
use crate::paced::Paced;

/// What two proxies see: one meta store, and a cluster `a` that was created, which is at one place for each.
struct Two {
    one: Stores,
    two: Stores,
}

impl Two {
    async fn at(places: [&str; 2]) -> Self {
        let (meta, store) = (Arc::new(MemoryMeta::new()), Arc::new(MemoryBackend::new()) as Arc<dyn Backend>);
        let [one, two] = places.map(|place| {
            let seen = Faulty::new(Arc::clone(&store));
            seen.move_to(place);
            Stores { meta: Arc::clone(&meta), clusters: vec![("a", seen)] }
        });
        crate::fixture::close(one.open().await.unwrap()).await;
        Self { one, two }
    }

    fn first(&self) -> Setup {
        Setup { proxy: proxy("one", 11), ..self.one.setup() }
    }

    fn second(&self) -> Setup {
        Setup { proxy: proxy("two", 22), ..self.two.setup() }
    }

    /// What the registry says of where a proxy's store is.
    fn said(&self, pid: u32) -> Option<serde_json::Value> {
        let proxies = all(&self.one.meta, "proxy/");
        Some(proxies.iter().find(|proxy| proxy["pid"] == pid)?.get("stores")?.get("1")?.clone())
    }
}

/// Waits until `done`, by the clock of timers, which goes when nothing else does.
async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Runs the first proxy until it has said where its store is.
async fn run_first(two: &Two) -> (watch::Sender<bool>, JoinHandle<()>) {
    let running = start(&open(two.first()).await.unwrap());
    until(|| two.said(11).is_some_and(|store| store["agreed"] == true)).await;
    running
}

fn is_two_stores(error: &OpenError) -> bool {
    matches!(error, OpenError::TwoStores { .. })
}

#[tokio::test(start_paused = true)]
async fn a_start_with_another_store_than_a_running_proxys_is_refused_and_both_are_named() {
    let two = Two::at(["x", "y"]).await;
    let (stop, run) = run_first(&two).await;
    let error = open(two.second()).await.unwrap_err();
    let OpenError::TwoStores { cluster, here, there, proxy } = &error else { panic!("{error}") };
    assert_eq!((cluster.as_str(), here.as_str(), there.as_str()), ("a", "y by test://y", "x by test://x"));
    assert_eq!(proxy, "pid 11 on one, one:11");
    assert!(error.to_string().contains("the same `primary` everywhere"), "{error}");
    assert_eq!(all(&two.one.meta, "proxy/").len(), 1, "who is refused leaves no entry");
    // A check finds it, too, and says nothing to the others.
    let error = compare(&two.second()).await.unwrap_err();
    assert!(is_two_stores(&error), "{error}");
    compare(&two.first()).await.unwrap();
    assert_eq!(all(&two.one.meta, "proxy/").len(), 1);
    // When that one has stopped, nobody says something else.
    stop.send_replace(true);
    run.await.unwrap();
    compare(&two.second()).await.unwrap();
    use_all(&open(two.second()).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_start_adds_no_cluster() {
    let mut two = Two::at(["x", "y"]).await;
    let _running = run_first(&two).await;
    two.two.clusters.push(("n", Faulty::new(Arc::new(MemoryBackend::new()))));
    let before = two.one.meta.all("topology");
    let error = open(two.second()).await.unwrap_err();
    assert!(is_two_stores(&error), "{error}");
    assert_eq!(two.one.meta.all("topology"), before);
}

#[tokio::test(start_paused = true)]
async fn one_store_is_used_by_all_who_say_that_it_is_there() {
    let two = Two::at(["x", "x"]).await;
    let _running = run_first(&two).await;
    let began = tokio::time::Instant::now();
    use_all(&open(two.second()).await.unwrap()).await;
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing is waited for");
}

#[tokio::test(start_paused = true)]
async fn a_start_behind_a_fail_over_waits_until_the_others_know_of_it() {
    let two = Two::at(["x", "y"]).await;
    let (_stop, _run) = run_first(&two).await;
    // The server at y has taken over; the first proxy was told of x a moment ago.
    two.one.meta.advance(Duration::from_micros(1));
    let opening = tokio::spawn(open(two.second()));
    until(|| all(&two.one.meta, "proxy/").len() == 2).await;
    two.one.store("a").move_to("y");
    use_all(&opening.await.unwrap().unwrap()).await;
    assert_eq!(two.said(11).unwrap()["place"], "y");
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_store_does_not_say_again_where_it_is_waits_for_that() {
    let two = Two::at(["x", "y"]).await;
    let (_stop, _run) = run_first(&two).await;
    let opening = tokio::spawn(open(two.second()));
    until(|| opening.is_finished() || all(&two.one.meta, "proxy/").len() == 2).await;
    assert!(!opening.is_finished());
    // What it was told first was of a server that has ended since; another one takes over.
    two.two.store("a").set_down(true);
    two.one.store("a").move_to("z");
    two.two.store("a").move_to("z");
    until(|| two.said(11).is_some_and(|store| store["place"] == "z")).await;
    assert!(!opening.is_finished());
    two.two.store("a").set_down(false);
    use_all(&opening.await.unwrap().unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_has_lost_its_store_keeps_nobody_from_starting() {
    let two = Two::at(["x", "y"]).await;
    let (_stop, _run) = run_first(&two).await;
    two.one.store("a").set_down(true);
    two.one.meta.advance(Duration::from_micros(1));
    let opening = tokio::spawn(open(two.second()));
    // It goes on to say that it is alive.
    let lease =
        |two: &Two| all(&two.one.meta, "proxy/").iter().find(|p| p["pid"] == 11).unwrap()["lease_until"].clone();
    for _ in 0..2 {
        assert!(!opening.is_finished());
        let before = lease(&two);
        two.one.meta.advance(LEASE / 2);
        until(|| lease(&two) != before).await;
    }
    use_all(&opening.await.unwrap().unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_proxy_of_a_version_that_says_nothing_is_taken_at_nothing() {
    let two = Two::at(["x", "y"]).await;
    let _older = open(two.first()).await.unwrap();
    let name = two.one.meta.all("proxy/")[0].name.clone();
    edit(&two.one.meta, &name, |json| drop(json.as_object_mut().unwrap().remove("stores"))).await;
    use_all(&open(two.second()).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_comes_back_as_another_store_than_a_running_proxys_is_not_used_before_that_one_is_gone() {
    let two = Two::at(["x", "y"]).await;
    let (stop, run) = run_first(&two).await;
    two.two.store("a").set_down(true);
    let second = open(two.second()).await.unwrap();
    let (_stop, _run) = start(&second);
    two.two.store("a").set_down(false);
    let before = two.two.store("a").calls();
    until(|| two.two.store("a").calls() >= before + 12).await;
    let cluster = second.executor().clusters().next().unwrap();
    assert!(!cluster.is_verified());
    assert_eq!(two.said(22), None, "it does not use the store, and keeps nobody from using the other one");
    stop.send_replace(true);
    run.await.unwrap();
    until(|| cluster.is_up()).await;
    use_all(&second).await;
    until(|| two.said(22).is_some_and(|store| store["place"] == "y" && store["agreed"] == true)).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_that_start_at_once_with_a_store_and_its_copy_at_most_one_does() {
    let mut served = 0;
    for seed in 0..60_u64 {
        let two = Two::at(["x", "y"]).await;
        let odds = [(two.first(), 0x9E37_79B9_7F4A_7C15), (two.second(), 0xD1B5_4A32_D192_ED03_u64)];
        let [first, second] = odds.map(|(mut setup, odd)| {
            let pace = Pace::short(seed.wrapping_mul(odd));
            setup.meta = SeenMeta::with_pace(Arc::clone(&setup.meta), Arc::clone(&pace));
            setup.clusters.iter_mut().for_each(|c| c.backend = Paced::over(&c.backend, &pace));
            tokio::spawn(async move {
                let opened = open(setup).await;
                // Who serves goes on to say so.
                opened.map(|deployment| start(&deployment))
            })
        });
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        for outcome in [&first, &second] {
            served += usize::from(outcome.is_ok());
            assert!(outcome.as_ref().err().is_none_or(is_two_stores), "seed {seed}: {:?}", outcome.as_ref().err());
        }
        assert!(first.is_err() || second.is_err(), "seed {seed}: both serve");
    }
    assert!(served > 30, "{served} of 60");
}
