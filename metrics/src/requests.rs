//! What is counted of requests to cells: over how many clusters they go, and what was done of writes in part.

use prometheus::IntCounter;

use crate::distribution::{Distribution, Unit};
use crate::error::MetricsError;
use crate::family::Registrar;

/// Bounds of the buckets of clusters per request.
const SCATTER_CLUSTERS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1023.0];

/// The families of requests.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) clusters: Distribution,
    pub(crate) scatter_statements: IntCounter,
    pub(crate) slow_queries: IntCounter,
    pub(crate) partial_writes: IntCounter,
    pub(crate) partial_duplicates: IntCounter,
}

impl Requests {
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, MetricsError> {
        Ok(Self {
            clusters: r.distribution(
                "cellgate_request_clusters",
                "Clusters that a request to cells was sent to.",
                SCATTER_CLUSTERS,
                Unit::Pieces,
            )?,
            scatter_statements: r.counter("cellgate_scatter_statements_total", "Statements that read every shard.")?,
            slow_queries: r
                .counter("cellgate_slow_queries_total", "Statements that took longer than `log.slow_query`.")?,
            partial_writes: r.counter(
                "cellgate_partial_writes_total",
                "Writes over several clusters that were done in part, or may be, because one of them failed, or another \
                 writer came before a COMMIT: answered with 1180, or with 1429 if nothing is known to be stored.",
            )?,
            partial_duplicates: r.counter(
                "cellgate_partial_duplicates_total",
                "INSERTs over several clusters of which one had a duplicate (1062) and another stored its rows.",
            )?,
        })
    }
}
