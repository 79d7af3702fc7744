//! What scrapers and probes are told of the proxy.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cellgate_store::executor::Cluster;

use super::Server;
use crate::http::{ClusterReadiness, HttpState, Readiness};
use crate::logging;

impl HttpState for Server {
    fn metrics(&self) -> String {
        // What is a state and not an event is read when somebody asks.
        self.metrics.catalog_version(self.catalog.snapshot().document_version());
        self.metrics.topology_version(self.deployment.executor().topology().version());
        self.metrics.meta_age(self.meta_age());
        self.metrics.meta_max_stale(self.catalog.max_stale());
        self.metrics.lock_wait(self.processes.longest_lock_wait());
        self.metrics.log_lines_lost(logging::lost_lines());
        self.metrics.panics(logging::panics());
        if let Some(end) = self.tls.as_ref().and_then(|tls| tls.end()) {
            self.metrics.tls_certificate_end(end);
        }
        self.deployment.executor().observe();
        self.deployment.observe_documents();
        self.catalog.reading().observe(&self.metrics);
        self.accounts.reading().observe(&self.metrics);
        self.metrics.render().unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics cannot be rendered");
            String::new()
        })
    }

    fn readiness(&self) -> Readiness {
        let state = |cluster: &Arc<Cluster>| {
            let ready = cluster.is_up();
            let reason = if ready { "" } else { "unavailable" };
            ClusterReadiness { name: cluster.name.clone(), ready, reason: reason.to_owned() }
        };
        let clusters: Vec<ClusterReadiness> = self.deployment.executor().clusters().map(state).collect();
        let reason = if self.stopping.load(Ordering::Relaxed) {
            "the proxy is stopping"
        } else if self.meta_age() > self.catalog.max_stale() {
            match self.corrupt_document() {
                Some(_) => "what the meta store holds has been corrupt for longer than meta.max_stale",
                None => "the meta store has not been reached for longer than meta.max_stale",
            }
        } else if clusters.iter().any(|c| c.ready) {
            ""
        } else {
            "no cluster can be reached"
        };
        Readiness { ready: reason.is_empty(), reason: reason.to_owned(), clusters }
    }
}
