//! What is counted of the cache of exact cells.

use prometheus::{IntCounter, IntGauge};

use crate::error::MetricsError;
use crate::family::Registrar;

/// The cache's families.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) hits: IntCounter,
    pub(crate) misses: IntCounter,
    pub(crate) cells: IntGauge,
    pub(crate) bytes: IntGauge,
}

impl Cache {
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, MetricsError> {
        Ok(Self {
            hits: r.counter("cellgate_cache_hits_total", "Exact cells answered from memory.")?,
            misses: r
                .counter("cellgate_cache_misses_total", "Exact cells looked for in memory and not found there.")?,
            cells: r.gauge("cellgate_cache_cells", "Cells in memory.")?,
            bytes: r.gauge("cellgate_cache_bytes", "Bytes of the cells in memory, with what they cost beside.")?,
        })
    }
}
