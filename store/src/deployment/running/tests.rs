//! What a proxy does while its meta store or a cluster does not answer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use cellgate_metrics::Metrics;
use cellgate_router::Weight;

use super::super::documents::PROXY;
use super::super::registry::{Departure, HELD, ProxyInfo};
use super::super::setup::{ClusterSetup, Setup};
use super::*;
use crate::backend::{Backend, Identity};
use crate::error::Reason;
use crate::memory::MemoryBackend;
use crate::meta::MetaStore;
use crate::meta::PassingMeta;
use crate::meta::memory::MemoryMeta;
use crate::passing::Passing;
use crate::sync::lock;

/// A meta store that can be read, and hangs when it is to be told that a proxy is alive.
#[derive(Debug, Default)]
struct HangingMeta {
    inner: MemoryMeta,
    hangs: AtomicBool,
    /// How many removals come behind a change that nobody waits for any more.
    late_changes: AtomicUsize,
}

#[async_trait]
impl PassingMeta for HangingMeta {
    fn inner(&self) -> &dyn MetaStore {
        &self.inner
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        while self.hangs.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.inner.compare_and_set(name, expected, body).await
    }

    async fn remove(&self, name: &str, expected: i64) -> Result<bool, StoreError> {
        let late = self.late_changes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if let (Ok(_), Some(stored)) = (late, self.inner.load(name).await?) {
            assert!(self.inner.compare_and_set(name, stored.version, &stored.body).await?);
        }
        self.inner.remove(name, expected).await
    }
}

/// A store that hangs or fails when it is asked for a sign of life, or who it is.
#[derive(Debug, Default)]
struct Ailing {
    inner: MemoryBackend,
    hangs: AtomicBool,
    fails: AtomicBool,
    identity_fails: Mutex<Option<StoreError>>,
}

#[async_trait]
impl Passing for Ailing {
    fn inner(&self) -> &dyn Backend {
        &self.inner
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        let failure = lock(&self.identity_fails).clone();
        match failure {
            Some(error) => Err(error),
            None => self.inner.identity().await,
        }
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        match self.fails.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable { reason: Reason::Connect, detail: "for the test".to_owned() }),
            false => Ok(Duration::ZERO),
        }
    }
}

/// An open deployment without clusters of its own kind of trouble, its meta store, and its metrics.
async fn open() -> (Arc<Deployment>, Arc<HangingMeta>, Arc<Metrics>) {
    open_with(vec![("a", Arc::new(MemoryBackend::new()))]).await
}

/// The same with these clusters.
async fn open_with(clusters: Vec<(&str, Arc<dyn Backend>)>) -> (Arc<Deployment>, Arc<HangingMeta>, Arc<Metrics>) {
    let meta = Arc::new(HangingMeta::default());
    let (deployment, metrics) = open_on(&meta, clusters).await;
    (deployment, meta, metrics)
}

/// The same with this meta store.
async fn open_on(meta: &Arc<HangingMeta>, clusters: Vec<(&str, Arc<dyn Backend>)>) -> (Arc<Deployment>, Arc<Metrics>) {
    let names: Vec<&str> = clusters.iter().map(|(name, _)| *name).collect();
    let metrics = Arc::new(Metrics::new("0", &names).unwrap());
    let clusters = clusters.into_iter().map(|(name, backend)| ClusterSetup {
        name: name.to_owned(),
        number: None,
        weight: Weight::new(1.0).unwrap(),
        engine: "memory",
        backend,
        queues: None,
        exclusive: false,
    });
    let setup = Setup {
        virtual_shards: Some(4),
        meta: Arc::clone(meta) as _,
        meta_exclusive: false,
        clusters: clusters.collect(),
        proxy: ProxyInfo { host: "h".to_owned(), pid: 1, address: "h:1".to_owned(), version: "0".to_owned() },
        poll: Duration::from_secs(1),
        cache_bytes: 0,
        first_documents: Vec::new(),
        departure: Departure::default(),
    };
    let deployment = Deployment::open(setup, Arc::clone(&metrics)).await.unwrap();
    (deployment, metrics)
}

/// Runs the deployment's background work until `done`; answers how long that took by the clock of timers.
async fn run_until(deployment: &Arc<Deployment>, done: impl Fn() -> bool) -> Duration {
    let (stop, stopped) = watch::channel(false);
    let began = tokio::time::Instant::now();
    let done = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    };
    let took = tokio::select! {
        () = deployment.run(stopped) => panic!("nobody told it to stop"),
        took = done => took,
    };
    drop(stop);
    took
}

fn is_writable(metrics: &Metrics) -> bool {
    // Its help has the same words.
    metrics.render().unwrap().contains("\ncellgate_meta_writable 1\n")
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_is_told_of_within_a_bound_and_ends_when_the_meta_store_answers() {
    let (deployment, meta, metrics) = open().await;
    assert!(is_writable(&metrics));
    meta.hangs.store(true, Ordering::SeqCst);
    let took = run_until(&deployment, || !is_writable(&metrics)).await;
    assert!(took >= ANSWER_WITHIN && took < ANSWER_WITHIN + Duration::from_secs(2), "told of after {took:?}");
    meta.hangs.store(false, Ordering::SeqCst);
    run_until(&deployment, || is_writable(&metrics)).await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_does_not_keep_a_proxy_whose_lease_has_lapsed_from_reading() {
    let (deployment, meta, _) = open().await;
    let opened = deployment.fresh_at();
    let lapsed = Instant::now().checked_sub(HELD).expect("this machine runs for longer than that");
    *lock(&deployment.registration.renewed) = lapsed;
    meta.hangs.store(true, Ordering::SeqCst);
    let took = run_until(&deployment, || deployment.fresh_at() > opened).await;
    assert!(took >= ANSWER_WITHIN, "it says first that it is there, and read after {took:?}");
    assert!(took < ANSWER_WITHIN + Duration::from_secs(2), "read after {took:?}");
    assert!(!deployment.registration.is_held(Instant::now()), "its caches do not go by what it reads");
}

#[tokio::test]
async fn who_leaves_removes_its_entry_behind_renewals_that_nobody_waits_for_any_more() {
    let (deployment, meta, _) = open().await;
    assert_eq!(meta.list(PROXY).await.unwrap().len(), 1);
    meta.late_changes.store(2, Ordering::SeqCst);
    deployment.registration.leave().await;
    assert_eq!(meta.list(PROXY).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_hangs_does_not_keep_the_others_from_being_checked() {
    let (a, b) = (Arc::new(Ailing::default()), Arc::new(Ailing::default()));
    let (deployment, _, metrics) = open_with(vec![("a", Arc::clone(&a) as _), ("b", Arc::clone(&b) as _)]).await;
    let is_up = |up: u8| metrics.render().unwrap().contains(&format!("\ncellgate_cluster_up{{cluster=\"b\"}} {up}\n"));
    run_until(&deployment, || is_up(1)).await;
    a.hangs.store(true, Ordering::SeqCst);
    let (stop, stopped) = watch::channel(false);
    let steps = async {
        // Its first check finds it up, and others come while that of `a` hangs.
        for up in [0, 1, 0] {
            b.fails.store(up == 0, Ordering::SeqCst);
            let began = tokio::time::Instant::now();
            while !is_up(up) {
                tokio::time::sleep(Duration::from_millis(10)).await;
                assert!(began.elapsed() < VERIFY_EVERY * 2, "b is not known to be up={up}");
            }
        }
    };
    tokio::select! {
        () = deployment.run(stopped) => panic!("nobody told it to stop"),
        () = steps => {}
    }
    drop(stop);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_back_and_refuses_to_say_who_it_is_is_counted() {
    let (ailing, meta) = (Arc::new(Ailing::default()), Arc::new(HangingMeta::default()));
    let open = || open_on(&meta, vec![("a", Arc::clone(&ailing) as _)]);
    drop(open().await);
    let down = StoreError::Unavailable { reason: Reason::Connect, detail: "for the test".to_owned() };
    *lock(&ailing.identity_fails) = Some(down);
    let (deployment, metrics) = open().await;
    let refused =
        || metrics.render().unwrap().contains("cellgate_cluster_errors_total{cluster=\"a\",kind=\"access\"} 1\n");
    let began = tokio::time::Instant::now();
    // Tokio's time is paused.
    let two_rounds = || began.elapsed() > VERIFY_EVERY * 2;
    run_until(&deployment, two_rounds).await;
    assert!(!refused(), "it is not there");
    *lock(&ailing.identity_fails) = Some(StoreError::Refused { detail: "no rights".to_owned() });
    run_until(&deployment, refused).await;
    *lock(&ailing.identity_fails) = None;
    run_until(&deployment, || deployment.executor().clusters().all(|cluster| cluster.is_up())).await;
}
