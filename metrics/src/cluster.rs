//! What is counted per cluster.

use std::time::Duration;

use cellgate_schemaless::ErrorKind;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::distribution::{Distribution, DistributionFamily, Unit};
use crate::error::MetricsError;
use crate::family::{By, LabelDescription, Registrar};
use crate::label::{Operation, Queue, Settlement};
use crate::service::LATENCY_SECONDS;

/// The connections of a pool, now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolState {
    /// Open connections.
    pub size: usize,
    /// Of these, how many nobody uses.
    pub idle: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
}

/// Bounds of the buckets of cells per statement.
const BATCH_CELLS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// The handles of one cluster, shared by whoever talks to it.
#[derive(Debug)]
pub struct ClusterMetrics {
    seconds: By<Operation, Distribution>,
    errors: By<ErrorKind, IntCounter>,
    retries: By<Operation, IntCounter>,
    settles: By<Settlement, IntCounter>,
    cells_written: IntCounter,
    cells_same: IntCounter,
    cells_conflicting: IntCounter,
    cells_read: IntCounter,
    queues: By<Queue, QueueMetrics>,
    up: IntGauge,
    pool_size: IntGauge,
    pool_idle: IntGauge,
    pool_waiting: IntGauge,
}

/// The handles of one queue in front of a cluster.
#[derive(Clone, Debug)]
pub struct QueueMetrics {
    batch_cells: Distribution,
    wait_seconds: Distribution,
    waiting: IntGauge,
    lanes: IntGauge,
    refused: IntCounter,
}

impl QueueMetrics {
    /// A statement about so many cells is sent.
    #[inline]
    pub fn batch(&self, cells: usize) {
        self.batch_cells.observe(cells as u64);
    }

    /// A request has waited this long for its statement to be sent.
    #[inline]
    pub fn waited(&self, took: Duration) {
        self.wait_seconds.took(took);
    }

    /// So many cells wait, and so many statements are under way; set by whoever owns the queue, when metrics are scraped.
    pub fn state(&self, waiting: usize, lanes: usize) {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.lanes.set(i64::try_from(lanes).unwrap_or(i64::MAX));
    }

    /// A request was turned away, because the queue is full.
    #[inline]
    pub fn refused(&self) {
        self.refused.inc();
    }
}

impl ClusterMetrics {
    /// A call to the cluster took this long, whatever became of it, waiting for a connection included. If nobody waits for its
    /// end any more, it is the time until then.
    #[inline]
    pub fn observe(&self, operation: Operation, took: Duration) {
        self.seconds.of(operation).took(took);
    }

    /// A call to the cluster failed.
    #[inline]
    pub fn failed(&self, kind: ErrorKind) {
        self.errors.of(kind).inc();
    }

    /// A call is sent again.
    #[inline]
    pub fn retried(&self, operation: Operation) {
        self.retries.of(operation).inc();
    }

    /// So many writes whose acknowledgement was lost were looked for by their tokens.
    #[inline]
    pub fn settled(&self, outcome: Settlement, writes: usize) {
        self.settles.of(outcome).inc_by(writes as u64);
    }

    /// So many new cells were written.
    #[inline]
    pub fn cells_written(&self, cells: usize) {
        self.cells_written.inc_by(cells as u64);
    }

    /// So many cells of puts were there already, byte for byte.
    #[inline]
    pub fn cells_same(&self, cells: usize) {
        self.cells_same.inc_by(cells as u64);
    }

    /// So many groups of cells were turned down because a triple exists with other bytes, or a race was lost.
    #[inline]
    pub fn cells_conflicting(&self, groups: usize) {
        self.cells_conflicting.inc_by(groups as u64);
    }

    /// So many cells were read from the cluster.
    #[inline]
    pub fn cells_read(&self, cells: usize) {
        self.cells_read.inc_by(cells as u64);
    }

    /// The handles of a queue in front of the cluster.
    pub fn queue(&self, queue: Queue) -> &QueueMetrics {
        self.queues.of(queue)
    }

    /// Whether the cluster answered its last health check.
    pub fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    /// The state of the cluster's pool; set by whoever owns the pool, when metrics are scraped.
    pub fn pool(&self, state: PoolState) {
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.pool_size.set(gauge(state.size));
        self.pool_idle.set(gauge(state.idle));
        self.pool_waiting.set(gauge(state.waiting));
    }
}

/// The families whose series have a cluster.
#[derive(Debug)]
pub(crate) struct ClusterFamilies {
    seconds: DistributionFamily,
    errors: IntCounterVec,
    retries: IntCounterVec,
    settles: IntCounterVec,
    cells_written: IntCounterVec,
    cells_same: IntCounterVec,
    cells_conflicting: IntCounterVec,
    cells_read: IntCounterVec,
    batch_cells: DistributionFamily,
    wait_seconds: DistributionFamily,
    waiting: IntGaugeVec,
    lanes: IntGaugeVec,
    refused: IntCounterVec,
    up: IntGaugeVec,
    pool_size: IntGaugeVec,
    pool_idle: IntGaugeVec,
    pool_waiting: IntGaugeVec,
}

impl ClusterFamilies {
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, MetricsError> {
        let cluster = || LabelDescription::open("cluster");
        let by = |label: LabelDescription| vec![cluster(), label];
        Ok(Self {
            seconds: r.distributions(
                "cellgate_cluster_operation_seconds",
                "Time of a call to a cluster in seconds, waiting for a connection included; of one that a statement no longer waits for, \
                 until then.",
                LATENCY_SECONDS,
                Unit::Nanoseconds,
                by(LabelDescription::of::<Operation>()),
            )?,
            errors: r.counters(
                "cellgate_cluster_errors_total",
                "Calls to a cluster that failed, by class of the error; `timeout` also counts those that were under way \
                 when a statement's time was over (that of the server, not its client's own limit), and `not_found` the \
                 statements that were answered with 1146 because the cluster lacks a table. Reads of more than an \
                 answer may have (1104) are not counted.",
                by(LabelDescription::of::<ErrorKind>()),
            )?,
            retries: r.counters(
                "cellgate_cluster_retries_total",
                "Calls to a cluster that were sent again after a lost connection, a deadlock or a stale plan.",
                by(LabelDescription::of::<Operation>()),
            )?,
            settles: r.counters(
                "cellgate_cluster_settles_total",
                "Writes whose acknowledgement was lost, by what the search for their token found.",
                by(LabelDescription::of::<Settlement>()),
            )?,
            cells_written: r.counters("cellgate_cells_written_total", "New cells written.", vec![cluster()])?,
            cells_same: r.counters(
                "cellgate_cells_same_total",
                "Cells of puts that were there already, byte for byte: done, nothing written.",
                vec![cluster()],
            )?,
            cells_conflicting: r.counters(
                "cellgate_put_conflicts_total",
                "Groups of cells turned down because a triple exists with other bytes, or a race was lost.",
                vec![cluster()],
            )?,
            cells_read: r.counters("cellgate_cells_read_total", "Cells read.", vec![cluster()])?,
            batch_cells: r.distributions(
                "cellgate_batch_cells",
                "Cells per statement that requests of several clients can share.",
                BATCH_CELLS,
                Unit::Pieces,
                by(LabelDescription::of::<Queue>()),
            )?,
            wait_seconds: r.distributions(
                "cellgate_queue_wait_seconds",
                "Time a request waited until its statement was sent, in seconds: microseconds if a lane is free.",
                LATENCY_SECONDS,
                Unit::Nanoseconds,
                by(LabelDescription::of::<Queue>()),
            )?,
            waiting: r.gauges(
                "cellgate_queue_cells",
                "Cells that requests wait for, in front of the cluster.",
                by(LabelDescription::of::<Queue>()),
            )?,
            lanes: r.gauges(
                "cellgate_queue_lanes",
                "Statements of the queue that are under way.",
                by(LabelDescription::of::<Queue>()),
            )?,
            refused: r.counters(
                "cellgate_queue_refused_total",
                "Requests turned away at once because the queue was full (`coalesce.queue_cells`, `queue_bytes`).",
                by(LabelDescription::of::<Queue>()),
            )?,
            up: r.gauges(
                "cellgate_cluster_up",
                "1 if the cluster answered its last health check, else 0.",
                vec![cluster()],
            )?,
            pool_size: r.gauges(
                "cellgate_pool_connections",
                "Open connections to the cluster, if it is on a server; nought for SQLite files.",
                vec![cluster()],
            )?,
            pool_idle: r.gauges(
                "cellgate_pool_idle_connections",
                "Open connections to the cluster that nobody uses.",
                vec![cluster()],
            )?,
            pool_waiting: r.gauges(
                "cellgate_pool_waiting_requests",
                "Requests that wait for a connection to the cluster.",
                vec![cluster()],
            )?,
        })
    }

    pub(crate) fn cluster(&self, name: &str) -> ClusterMetrics {
        ClusterMetrics {
            seconds: By::resolve(|operation: Operation| self.seconds.with_label_values(&[name, label(operation)])),
            errors: By::resolve(|kind: ErrorKind| self.errors.with_label_values(&[name, label(kind)])),
            retries: By::resolve(|operation: Operation| self.retries.with_label_values(&[name, label(operation)])),
            settles: By::resolve(|outcome: Settlement| self.settles.with_label_values(&[name, label(outcome)])),
            cells_written: self.cells_written.with_label_values(&[name]),
            cells_same: self.cells_same.with_label_values(&[name]),
            cells_conflicting: self.cells_conflicting.with_label_values(&[name]),
            cells_read: self.cells_read.with_label_values(&[name]),
            queues: By::resolve(|queue: Queue| QueueMetrics {
                batch_cells: self.batch_cells.with_label_values(&[name, label(queue)]),
                wait_seconds: self.wait_seconds.with_label_values(&[name, label(queue)]),
                waiting: self.waiting.with_label_values(&[name, label(queue)]),
                lanes: self.lanes.with_label_values(&[name, label(queue)]),
                refused: self.refused.with_label_values(&[name, label(queue)]),
            }),
            up: self.up.with_label_values(&[name]),
            pool_size: self.pool_size.with_label_values(&[name]),
            pool_idle: self.pool_idle.with_label_values(&[name]),
            pool_waiting: self.pool_waiting.with_label_values(&[name]),
        }
    }
}

fn label<L: crate::label::Label>(value: L) -> &'static str {
    value.label()
}
