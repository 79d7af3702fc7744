//! What is known of the meta store, and the versions of its documents that are in use.

use prometheus::IntGauge;

use crate::error::MetricsError;
use crate::family::{By, LabelDescription, Registrar};
use crate::label::{Label, MetaDocument};

/// The families of the meta store.
#[derive(Debug)]
pub(crate) struct Meta {
    pub(crate) up: IntGauge,
    pub(crate) writable: IntGauge,
    pub(crate) age: IntGauge,
    pub(crate) max_stale: IntGauge,
    pub(crate) readable: By<MetaDocument, IntGauge>,
    pub(crate) catalog_version: IntGauge,
    pub(crate) topology_version: IntGauge,
}

impl Meta {
    /// Registers them. A document is readable until it is found not to be.
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, MetricsError> {
        let up = r.gauge(
            "cellgate_meta_up",
            "1 if the meta store answered the last time it was asked, within 3 seconds, else 0.",
        )?;
        let writable = r.gauge(
            "cellgate_meta_writable",
            "1 if the meta store took this proxy's lease the last time it was written, every 5 seconds, within 3 seconds, \
             else 0.",
        )?;
        let age = r.gauge(
            "cellgate_meta_age_seconds",
            "How old what is known of the meta store is, in seconds: statements are refused from `meta.max_stale` on.",
        )?;
        let max_stale = r.gauge(
            "cellgate_meta_max_stale_seconds",
            "`meta.max_stale` as it is in force: how old that may get, in whole seconds.",
        )?;
        let readable = r.gauges(
            "cellgate_meta_readable",
            "1 if what the meta store gave for a document was one, 0 if it is corrupt: by document.",
            vec![LabelDescription::of::<MetaDocument>()],
        )?;
        let readable = By::resolve(|document: MetaDocument| readable.with_label_values(&[document.label()]));
        for document in MetaDocument::all() {
            readable.of(document).set(1);
        }
        let catalog_version = r.gauge("cellgate_catalog_version", "Version of the catalog in use.")?;
        let topology_version = r.gauge("cellgate_topology_version", "Version of the shard map in use.")?;
        Ok(Self { up, writable, age, max_stale, readable, catalog_version, topology_version })
    }
}
