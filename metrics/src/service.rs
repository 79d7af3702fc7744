//! The metrics of a process.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cellgate_schemaless::{ClusterNo, ErrorKind, limits};
use prometheus::{IntCounter, IntGauge, TextEncoder};

use crate::cluster::{ClusterFamilies, ClusterMetrics};
use crate::distribution::{Distribution, Unit};
use crate::error::MetricsError;
use crate::family::{By, Family, LabelDescription, Lazy3, Registrar, failed};
use crate::label::{Command, Label, LoginFailure, MetaDocument, Outcome, Refusal, Shape, Stage};
use crate::process::ProcessMetrics;

/// Bounds of latency buckets in seconds: from what a cached parse takes to the default statement timeout.
pub(crate) const LATENCY_SECONDS: &[f64] = &[
    0.000_001, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01,
    0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Bounds of the buckets of clusters per request.
const SCATTER_CLUSTERS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1023.0];

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
    queries: Lazy3<Command, Shape, Outcome>,
    queries_failed: By<ErrorKind, IntCounter>,
    stages: By<Stage, Distribution>,
    connections_open: IntGauge,
    connections_accepted: IntCounter,
    connections_refused: By<Refusal, IntCounter>,
    login_failures: By<LoginFailure, IntCounter>,
    bytes_received: IntCounter,
    bytes_sent: IntCounter,
    rows_received: IntCounter,
    rows_sent: IntCounter,
    request_clusters: Distribution,
    scatter_statements: IntCounter,
    slow_queries: IntCounter,
    cache_hits: IntCounter,
    cache_misses: IntCounter,
    cache_cells: IntGauge,
    cache_bytes: IntGauge,
    partial_writes: IntCounter,
    partial_duplicates: IntCounter,
    log_lines_lost: Counted,
    panics: Counted,
    tls_certificate_end: IntGauge,
    meta_up: IntGauge,
    meta_writable: IntGauge,
    meta_age: IntGauge,
    meta_readable: By<MetaDocument, IntGauge>,
    catalog_version: IntGauge,
    topology_version: IntGauge,
    clusters: Vec<(String, Arc<ClusterMetrics>)>,
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
        let queries = r.counters(
            "cellgate_queries_total",
            "Commands answered, by command, shape of the statement and outcome. A series appears with its first command.",
            vec![
                LabelDescription::of::<Command>(),
                LabelDescription::of::<Shape>(),
                LabelDescription::of::<Outcome>(),
            ],
        )?;
        let queries_failed = r.counters(
            "cellgate_queries_failed_total",
            "Commands answered with an error, by class of the error. Every series is there from the start, so that a rate \
             sees the first failure, too.",
            vec![LabelDescription::of::<ErrorKind>()],
        )?;
        let stages = r.distributions(
            "cellgate_stage_seconds",
            "Time of a command in each stage of its way, in seconds. In the total are also the waits that clients ask for \
             (SLEEP, GET_LOCK, LOCK TABLES) and those for other sessions' locks, which no other stage has.",
            LATENCY_SECONDS,
            Unit::Nanoseconds,
            vec![LabelDescription::of::<Stage>()],
        )?;
        let connections_open = r.gauge("cellgate_connections_open", "Client connections open now.")?;
        let connections_accepted = r.counter("cellgate_connections_accepted_total", "Client connections accepted.")?;
        let refused = r.counters(
            "cellgate_connections_refused_total",
            "Client connections turned away for want of a place, before their login or behind it, by reason.",
            vec![LabelDescription::of::<Refusal>()],
        )?;
        let login_failures = r.counters(
            "cellgate_login_failures_total",
            "Logins that failed, by reason.",
            vec![LabelDescription::of::<LoginFailure>()],
        )?;
        let bytes_received = r.counter("cellgate_received_bytes_total", "Bytes received from clients.")?;
        let bytes_sent = r.counter("cellgate_sent_bytes_total", "Bytes sent to clients.")?;
        let rows_received = r.counter("cellgate_received_rows_total", "Rows of INSERT statements received.")?;
        let rows_sent = r.counter("cellgate_sent_rows_total", "Rows of result sets sent.")?;
        let request_clusters = r.distribution(
            "cellgate_request_clusters",
            "Clusters that a request to cells was sent to.",
            SCATTER_CLUSTERS,
            Unit::Pieces,
        )?;
        let scatter_statements = r.counter("cellgate_scatter_statements_total", "Statements that read every shard.")?;
        let slow_queries =
            r.counter("cellgate_slow_queries_total", "Statements that took longer than `log.slow_query`.")?;
        let partial_writes = r.counter(
            "cellgate_partial_writes_total",
            "Writes over several clusters that were done in part, or may be, because one of them failed, or another writer \
             came before a COMMIT: answered with 1180, or with 1429 if nothing is known to be stored.",
        )?;
        let partial_duplicates = r.counter(
            "cellgate_partial_duplicates_total",
            "INSERTs over several clusters of which one had a duplicate (1062) and another stored its rows.",
        )?;
        let log_lines_lost = r.counter(
            "cellgate_log_lines_lost_total",
            "Lines of the log that could not be written to stderr, or not as fast as they came.",
        )?;
        let panics = r.counter(
            "cellgate_panics_total",
            "Panics: defects of this program, each of which ended a connection, a statement or a task.",
        )?;
        let tls_certificate_end = r.gauge(
            "cellgate_tls_certificate_end_seconds",
            "Until when the certificate that clients are shown is good, in seconds since 1970-01-01 UTC; 0 without TLS.",
        )?;
        let cache_hits = r.counter("cellgate_cache_hits_total", "Exact cells answered from memory.")?;
        let cache_misses =
            r.counter("cellgate_cache_misses_total", "Exact cells looked for in memory and not found there.")?;
        let cache_cells = r.gauge("cellgate_cache_cells", "Cells in memory.")?;
        let cache_bytes =
            r.gauge("cellgate_cache_bytes", "Bytes of the cells in memory, with what they cost beside.")?;
        let meta_up = r.gauge(
            "cellgate_meta_up",
            "1 if the meta store answered the last time it was asked, within 3 seconds, else 0.",
        )?;
        let meta_writable = r.gauge(
            "cellgate_meta_writable",
            "1 if the meta store took this proxy's lease the last time it was written, every 5 seconds, within 3 seconds, \
             else 0.",
        )?;
        let meta_age = r.gauge(
            "cellgate_meta_age_seconds",
            "How old what is known of the meta store is, in seconds: statements are refused from `meta.max_stale` on.",
        )?;
        let readable = r.gauges(
            "cellgate_meta_readable",
            "1 if what the meta store gave for a document was one, 0 if it is corrupt: by document.",
            vec![LabelDescription::of::<MetaDocument>()],
        )?;
        let meta_readable = By::resolve(|document: MetaDocument| readable.with_label_values(&[document.label()]));
        for document in MetaDocument::all() {
            meta_readable.of(document).set(1);
        }
        let catalog_version = r.gauge("cellgate_catalog_version", "Version of the catalog in use.")?;
        let topology_version = r.gauge("cellgate_topology_version", "Version of the shard map in use.")?;
        let cluster_families = ClusterFamilies::register(&mut r)?;
        let clusters = clusters
            .iter()
            .map(|name| (name.as_ref().to_owned(), Arc::new(cluster_families.cluster(name.as_ref()))))
            .collect();
        Ok(Self {
            registry: r.registry,
            families: r.families,
            started: Instant::now(),
            process,
            uptime_seconds,
            queries: Lazy3::new(queries),
            queries_failed: By::resolve(|kind: ErrorKind| queries_failed.with_label_values(&[Label::label(kind)])),
            stages: By::resolve(|stage: Stage| stages.with_label_values(&[stage.label()])),
            connections_open,
            connections_accepted,
            connections_refused: By::resolve(|reason: Refusal| refused.with_label_values(&[reason.label()])),
            login_failures: By::resolve(|reason: LoginFailure| login_failures.with_label_values(&[reason.label()])),
            bytes_received,
            bytes_sent,
            rows_received,
            rows_sent,
            request_clusters,
            scatter_statements,
            slow_queries,
            cache_hits,
            cache_misses,
            cache_cells,
            cache_bytes,
            partial_writes,
            partial_duplicates,
            log_lines_lost: Counted::by(log_lines_lost),
            panics: Counted::by(panics),
            tls_certificate_end,
            meta_up,
            meta_writable,
            meta_age,
            meta_readable,
            catalog_version,
            topology_version,
            clusters,
            numbered: (0..=limits::CLUSTER_NO_MAX).map(|_| OnceLock::new()).collect(),
            cluster_families,
            unlisted: OnceLock::new(),
        })
    }

    /// A command was answered. Commands without a statement, and statements that cannot be read, have
    /// [`Shape::Other`].
    #[inline]
    pub fn query(&self, command: Command, shape: Shape, outcome: Outcome) {
        self.queries.of(command, shape, outcome).inc();
        if let Outcome::Error(kind) = outcome {
            self.queries_failed.of(kind).inc();
        }
    }

    /// A command spent this long in a stage.
    #[inline]
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.stages.of(stage).took(took);
    }

    /// A connection was accepted; it counts as open until the answer is dropped.
    pub fn connection_accepted(&self) -> OpenConnection {
        self.connections_accepted.inc();
        self.connections_open.inc();
        OpenConnection { open: self.connections_open.clone() }
    }

    /// A connection was turned away before its login.
    pub fn connection_refused(&self, reason: Refusal) {
        self.connections_refused.of(reason).inc();
    }

    /// A login failed.
    pub fn login_failed(&self, reason: LoginFailure) {
        self.login_failures.of(reason).inc();
    }

    /// So many bytes came from clients.
    #[inline]
    pub fn bytes_received(&self, bytes: usize) {
        self.bytes_received.inc_by(bytes as u64);
    }

    /// So many bytes went to clients.
    #[inline]
    pub fn bytes_sent(&self, bytes: usize) {
        self.bytes_sent.inc_by(bytes as u64);
    }

    /// So many rows came in INSERT statements.
    #[inline]
    pub fn rows_received(&self, rows: u64) {
        self.rows_received.inc_by(rows);
    }

    /// So many rows of result sets went to clients.
    #[inline]
    pub fn rows_sent(&self, rows: u64) {
        self.rows_sent.inc_by(rows);
    }

    /// A request was sent to so many clusters.
    #[inline]
    pub fn request_clusters(&self, clusters: usize) {
        self.request_clusters.observe(clusters as u64);
    }

    /// A statement reads every shard.
    pub fn scatter_statement(&self) {
        self.scatter_statements.inc();
    }

    /// How many statements took longer than `log.slow_query` so far.
    pub fn slow_queries(&self) -> u64 {
        self.slow_queries.get()
    }

    /// A statement took longer than `log.slow_query`.
    pub fn slow_query(&self) {
        self.slow_queries.inc();
    }

    /// An exact cell was looked for in memory.
    #[inline]
    pub fn cache_lookup(&self, found: bool) {
        if found { self.cache_hits.inc() } else { self.cache_misses.inc() }
    }

    /// What the cache of exact cells holds.
    pub fn cache_state(&self, cells: usize, bytes: u64) {
        self.cache_cells.set(i64::try_from(cells).unwrap_or(i64::MAX));
        self.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A write over several clusters was done in part, or may be.
    pub fn partial_write(&self) {
        self.partial_writes.inc();
    }

    /// An INSERT over several clusters met a duplicate in one of them and stored rows in another.
    pub fn partial_duplicate(&self) {
        self.partial_duplicates.inc();
    }

    /// So many lines of the log were lost since the start.
    pub fn log_lines_lost(&self, lines: u64) {
        self.log_lines_lost.reach(lines);
    }

    /// So many panics since the start.
    pub fn panics(&self, panics: u64) {
        self.panics.reach(panics);
    }

    /// Until when the certificate that clients are shown is good, in seconds since 1970.
    pub fn tls_certificate_end(&self, end: i64) {
        self.tls_certificate_end.set(end);
    }

    /// How old what is known of the meta store is.
    pub fn meta_age(&self, age: Duration) {
        self.meta_age.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    }

    /// Whether the meta store answered.
    pub fn meta_up(&self, up: bool) {
        self.meta_up.set(i64::from(up));
    }

    /// Whether the meta store took what was written.
    pub fn meta_writable(&self, writable: bool) {
        self.meta_writable.set(i64::from(writable));
    }

    /// Whether what the meta store gave for a document was one.
    pub fn meta_readable(&self, document: MetaDocument, readable: bool) {
        self.meta_readable.of(document).set(i64::from(readable));
    }

    /// The version of the catalog in use.
    pub fn catalog_version(&self, version: i64) {
        self.catalog_version.set(version);
    }

    /// The version of the shard map in use.
    pub fn topology_version(&self, version: i64) {
        self.topology_version.set(version);
    }

    /// The handles of the configured cluster of this name; `None` for any other.
    pub fn cluster_named(&self, name: &str) -> Option<Arc<ClusterMetrics>> {
        self.clusters.iter().find(|(known, _)| known == name).map(|(_, metrics)| Arc::clone(metrics))
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

/// A counter of what somebody else counts.
#[derive(Debug)]
struct Counted {
    counter: IntCounter,
    /// How far it has come. Of two that ask at once, one counts.
    last: Mutex<u64>,
}

impl Counted {
    fn by(counter: IntCounter) -> Self {
        Self { counter, last: Mutex::new(0) }
    }

    /// So many are counted by now; fewer than before are what somebody has read earlier.
    fn reach(&self, count: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if count > *last {
            self.counter.inc_by(count - *last);
            *last = count;
        }
    }
}

/// A client connection that is open for as long as this value lives.
#[derive(Debug)]
#[must_use = "the connection counts as closed when this is dropped"]
pub struct OpenConnection {
    open: IntGauge,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.open.dec();
    }
}
