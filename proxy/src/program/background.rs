//! What runs beside the serving of clients: watching stores, catalog, accounts and locks, and answering HTTP.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::TryFutureExt as _;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::http::{self, HttpState, Readiness};
use crate::server::Server;

/// What HTTP is answered from: until the stores are open there is no server, and nothing to be said but that.
#[derive(Default)]
struct Front(OnceLock<Arc<Server>>);

impl HttpState for Front {
    fn metrics(&self) -> String {
        self.0.get().map_or_else(String::new, |server| HttpState::metrics(server.as_ref()))
    }

    fn readiness(&self) -> Readiness {
        let starting = || Readiness { ready: false, reason: "the proxy is starting".to_owned(), clusters: Vec::new() };
        self.0.get().map_or_else(starting, |server| server.readiness())
    }
}

/// What clients need and what watches over them. It outlives them: it stops when the last connection has ended.
pub(super) struct Background {
    stop: watch::Sender<bool>,
    front: Arc<Front>,
    pub(super) tasks: JoinSet<()>,
}

impl Background {
    /// Answers HTTP on this listener, with at most so many connections at once, and does nothing else yet.
    pub(super) fn answering(web: TcpListener, max_connections: usize) -> Self {
        let (stop, stopping) = watch::channel(false);
        let (front, mut tasks) = (Arc::<Front>::default(), JoinSet::new());
        tasks.spawn(http::serve(web, Arc::clone(&front) as _, max_connections, stopping));
        Self { stop, front, tasks }
    }

    /// Watches over what this server needs, of which HTTP tells from now on.
    pub(super) fn start(&mut self, server: &Arc<Server>) {
        // There is one server.
        let _ = self.front.0.set(Arc::clone(server));
        let (stopping, tasks) = (self.stop.subscribe(), &mut self.tasks);
        let poll = server.config().meta.poll;
        let (deployment, until) = (Arc::clone(server.deployment()), stopping.clone());
        tasks.spawn(async move { deployment.run(until).await });
        let (catalog, until) = (Arc::clone(server.catalog()), stopping.clone());
        tasks.spawn(async move { catalog.run(until).await });
        let (accounts, until) = (Arc::clone(server.accounts()), stopping.clone());
        tasks.spawn(async move { accounts.run(poll, until).await });
        let (locks, until) = (Arc::clone(server.locks()), stopping.clone());
        tasks.spawn(async move { locks.run(poll, until).await });
        let (counting, until) = (Arc::clone(server), stopping.clone());
        tasks.spawn(async move { counting.incidents().run(until).await });
        let (aging, until) = (Arc::clone(server), stopping.clone());
        tasks.spawn(async move { aging.watch_meta_age(until).await });
        if let Some(tls) = server.tls() {
            tasks.spawn(Arc::clone(tls).follow(stopping));
        }
    }

    /// Stops all of it and closes the stores, beside each other: one that does not answer costs the others nothing.
    ///
    /// Before that, what is being written goes on to its end though its client is gone: a COMMIT needs all of its clusters, and
    /// an erasure the meta store, where other proxies are told of it.
    pub(super) async fn stop(mut self, server: &Server) {
        if timeout(WRITTEN, server.locks().written()).await.is_err() {
            tracing::warn!(
                "writes that nobody waits for any more are broken off: what they write may be stored in part"
            );
        }
        self.stop.send_replace(true);
        let late = |what: String| move |_: Elapsed| Some(what);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let ended =
            timeout(FAREWELL, ended).map_ok_or_else(late("the meta store or a client of HTTP".to_owned()), |()| None);
        let closed = server.deployment().executor().clusters().map(|cluster| {
            let late = late(format!("cluster '{}'", cluster.name));
            timeout(FAREWELL, cluster.backend.close()).map_ok_or_else(late, |()| None)
        });
        let (ended, closed) = tokio::join!(ended, join_all(closed));
        let silent: Vec<String> = closed.into_iter().chain([ended]).flatten().collect();
        if !silent.is_empty() {
            tracing::warn!(
                silent = silent.join(", "),
                "a store does not answer: stopping without waiting for it any longer"
            );
        }
    }
}

/// How long what is being written may take when no client is there any more.
const WRITTEN: Duration = Duration::from_secs(3);

/// How long leaving the meta store and closing the stores may take then. A store that does not answer needs no farewell:
/// leases end by themselves.
const FAREWELL: Duration = Duration::from_secs(5);
