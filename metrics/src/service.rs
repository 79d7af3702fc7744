//! The metrics of a process.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cellgate_schemaless::{ClusterNo, limits};
use prometheus::{IntGauge, TextEncoder};

use crate::cache::Cache;
use crate::clients::{Clients, OpenConnection};
use crate::cluster::{ClusterFamilies, ClusterMetrics};
use crate::error::MetricsError;
use crate::family::{Family, LabelDescription, Registrar, failed};
use crate::label::{Command, LoginFailure, MetaDocument, Outcome, Refusal, Shape, Stage};
use crate::meta::Meta;
use crate::process::ProcessMetrics;
use crate::program::Program;
use crate::requests::Requests;
use crate::statements::Statements;

/// Bounds of latency buckets in seconds: from what a cached parse takes to the default statement timeout.
pub(crate) const LATENCY_SECONDS: &[f64] = &[
    0.000_001, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01,
    0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The value of the label `cluster` for a cluster that is in nobody's configuration.
const UNLISTED: &str = "unlisted";

/// Everything a process counts. One per process, shared; given to whoever counts.
#[derive(Debug)]
pub struct Metrics {
    registry: prometheus::Registry,
    families: Vec<Family>,
    started: Instant,
    process: ProcessMetrics,
    uptime_seconds: IntGauge,
    statements: Statements,
    clients: Clients,
    requests: Requests,
    program: Program,
    cache: Cache,
    meta: Meta,
    /// By name.
    configured: Vec<(String, Arc<ClusterMetrics>)>,
    /// By cluster number; set once, when the deployment tells the numbers.
    numbered: Box<[OnceLock<Arc<ClusterMetrics>>]>,
    cluster_families: ClusterFamilies,
    unlisted: OnceLock<Arc<ClusterMetrics>>,
}

impl Metrics {
    /// Registers every family, and resolves the series of the configured `clusters` (by name). `version` is the
    /// program's.
    ///
    /// # Errors
    /// [`MetricsError`] for a defect of this crate: a malformed or doubled name.
    pub fn new<N: AsRef<str>>(version: &str, clusters: &[N]) -> Result<Self, MetricsError> {
        let mut r = Registrar::default();
        let process = ProcessMetrics::register(&mut r)?;
        r.gauges(
            "cellgate_build_info",
            "Always 1; the version is the label's value.",
            vec![LabelDescription::open("version")],
        )?
        .with_label_values(&[version])
        .set(1);
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        r.gauge("cellgate_start_time_seconds", "When the process started, in seconds since 1970-01-01 UTC.")?
            .set(i64::try_from(started_at).unwrap_or(i64::MAX));
        let uptime_seconds =
            r.gauge("cellgate_uptime_seconds", "How long the process has been running, in seconds.")?;
        let statements = Statements::register(&mut r)?;
        let clients = Clients::register(&mut r)?;
        let requests = Requests::register(&mut r)?;
        let program = Program::register(&mut r)?;
        let cache = Cache::register(&mut r)?;
        let meta = Meta::register(&mut r)?;
        let cluster_families = ClusterFamilies::register(&mut r)?;
        let configured = clusters
            .iter()
            .map(|name| (name.as_ref().to_owned(), Arc::new(cluster_families.cluster(name.as_ref()))))
            .collect();
        Ok(Self {
            registry: r.registry,
            families: r.families,
            started: Instant::now(),
            process,
            uptime_seconds,
            statements,
            clients,
            requests,
            program,
            cache,
            meta,
            configured,
            numbered: (0..=limits::CLUSTER_NO_MAX).map(|_| OnceLock::new()).collect(),
            cluster_families,
            unlisted: OnceLock::new(),
        })
    }

    /// A command was answered. Commands without a statement, and statements that cannot be read, have
    /// [`Shape::Other`].
    #[inline]
    pub fn query(&self, command: Command, shape: Shape, outcome: Outcome) {
        self.statements.queries.of(command, shape, outcome).inc();
        if let Outcome::Error(kind) = outcome {
            self.statements.queries_failed.of(kind).inc();
        }
    }

    /// A command spent this long in a stage.
    #[inline]
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.statements.stages.of(stage).took(took);
    }

    /// A connection was accepted; it counts as open until the answer is dropped.
    pub fn connection_accepted(&self) -> OpenConnection {
        self.clients.connections_accepted.inc();
        OpenConnection::counted_in(&self.clients.connections_open)
    }

    /// A connection was turned away before its login.
    pub fn connection_refused(&self, reason: Refusal) {
        self.clients.connections_refused.of(reason).inc();
    }

    /// A login failed.
    pub fn login_failed(&self, reason: LoginFailure) {
        self.clients.login_failures.of(reason).inc();
    }

    /// So many bytes came from clients.
    #[inline]
    pub fn bytes_received(&self, bytes: usize) {
        self.clients.bytes_received.inc_by(bytes as u64);
    }

    /// So many bytes went to clients.
    #[inline]
    pub fn bytes_sent(&self, bytes: usize) {
        self.clients.bytes_sent.inc_by(bytes as u64);
    }

    /// So many rows came in INSERT statements.
    #[inline]
    pub fn rows_received(&self, rows: u64) {
        self.clients.rows_received.inc_by(rows);
    }

    /// So many rows of result sets went to clients.
    #[inline]
    pub fn rows_sent(&self, rows: u64) {
        self.clients.rows_sent.inc_by(rows);
    }

    /// A request was sent to so many clusters.
    #[inline]
    pub fn request_clusters(&self, clusters: usize) {
        self.requests.clusters.observe(clusters as u64);
    }

    /// A statement reads every shard.
    pub fn scatter_statement(&self) {
        self.requests.scatter_statements.inc();
    }

    /// How many statements took longer than `log.slow_query` so far.
    pub fn slow_queries(&self) -> u64 {
        self.requests.slow_queries.get()
    }

    /// A statement took longer than `log.slow_query`.
    pub fn slow_query(&self) {
        self.requests.slow_queries.inc();
    }

    /// An exact cell was looked for in memory.
    #[inline]
    pub fn cache_lookup(&self, found: bool) {
        if found { self.cache.hits.inc() } else { self.cache.misses.inc() }
    }

    /// What the cache of exact cells holds.
    pub fn cache_state(&self, cells: usize, bytes: u64) {
        self.cache.cells.set(i64::try_from(cells).unwrap_or(i64::MAX));
        self.cache.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A write over several clusters was done in part, or may be.
    pub fn partial_write(&self) {
        self.requests.partial_writes.inc();
    }

    /// An INSERT over several clusters met a duplicate in one of them and stored rows in another.
    pub fn partial_duplicate(&self) {
        self.requests.partial_duplicates.inc();
    }

    /// So many lines of the log were lost since the start.
    pub fn log_lines_lost(&self, lines: u64) {
        self.program.log_lines_lost.reach(lines);
    }

    /// So many panics since the start.
    pub fn panics(&self, panics: u64) {
        self.program.panics.reach(panics);
    }

    /// Until when the certificate that clients are shown is good, in seconds since 1970.
    pub fn tls_certificate_end(&self, end: i64) {
        self.program.tls_certificate_end.set(end);
    }

    /// How old what is known of the meta store is.
    pub fn meta_age(&self, age: Duration) {
        self.meta.age.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    }

    /// How old that may get.
    pub fn meta_max_stale(&self, max_stale: Duration) {
        self.meta.max_stale.set(i64::try_from(max_stale.as_secs()).unwrap_or(i64::MAX));
    }

    /// Since when the statement has run that waits the longest for what another session has locked; nought if none waits.
    pub fn lock_wait(&self, longest: Duration) {
        self.statements.lock_wait.set(i64::try_from(longest.as_secs()).unwrap_or(i64::MAX));
    }

    /// Whether the meta store answered.
    pub fn meta_up(&self, up: bool) {
        self.meta.up.set(i64::from(up));
    }

    /// Whether the meta store took what was written.
    pub fn meta_writable(&self, writable: bool) {
        self.meta.writable.set(i64::from(writable));
    }

    /// Whether what the meta store gave for a document was one.
    pub fn meta_readable(&self, document: MetaDocument, readable: bool) {
        self.meta.readable.of(document).set(i64::from(readable));
    }

    /// The version of the catalog in use.
    pub fn catalog_version(&self, version: i64) {
        self.meta.catalog_version.set(version);
    }

    /// The version of the shard map in use.
    pub fn topology_version(&self, version: i64) {
        self.meta.topology_version.set(version);
    }

    /// The handles of the configured cluster of this name; `None` for any other.
    pub fn cluster_named(&self, name: &str) -> Option<Arc<ClusterMetrics>> {
        self.configured.iter().find(|(known, _)| known == name).map(|(_, metrics)| Arc::clone(metrics))
    }

    /// Tells the number of a configured cluster, so that [`Metrics::cluster`] finds it. The first number counts:
    /// a cluster's number never changes while a process runs.
    pub fn number_cluster(&self, number: ClusterNo, name: &str) {
        if let (Some(slot), Some(metrics)) = (self.numbered.get(usize::from(number.get())), self.cluster_named(name)) {
            slot.get_or_init(|| metrics);
        }
    }

    /// The handles of a cluster by its number. A number nobody has told (see [`Metrics::number_cluster`]) is counted
    /// under the cluster `unlisted`.
    #[inline]
    pub fn cluster(&self, number: ClusterNo) -> &Arc<ClusterMetrics> {
        match self.numbered.get(usize::from(number.get())).and_then(OnceLock::get) {
            Some(metrics) => metrics,
            None => self.unlisted.get_or_init(|| Arc::new(self.cluster_families.cluster(UNLISTED))),
        }
    }

    /// The description of every family of ours, in the order they are documented.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The text exposition (`text/plain; version=0.0.4`).
    ///
    /// # Errors
    /// [`MetricsError`] if a family cannot be written as text, which is a defect.
    pub fn render(&self) -> Result<String, MetricsError> {
        self.process.refresh();
        self.uptime_seconds.set(i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX));
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(|e| failed("all", &e))
    }
}
