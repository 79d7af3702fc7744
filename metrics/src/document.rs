//! docs/METRICS.md, written from the families themselves.

use std::fmt::Write;

use crate::error::MetricsError;
use crate::family::Family;
use crate::service::Metrics;

const HEAD: &str = "# Metrics

Written by `cargo xtask docs` from the code (`metrics/src`); do not edit.

Cellgate answers `GET /metrics` on its HTTP address (`[http] address`) in Prometheus's text format. Times are in
seconds, sizes in bytes. Label values are closed sets: those listed here and, for `cluster`, the names of the
configured clusters (`unlisted` is a cluster that is in the shard map and in no configuration). Nothing a client sends
ever becomes a label.

";

const TAIL: &str = "## Process

The process itself is described by Prometheus's standard families: `process_cpu_seconds_total`, `process_open_fds`,
`process_max_fds`, `process_virtual_memory_bytes`, `process_resident_memory_bytes`, `process_start_time_seconds` and
`process_threads`.

## Queries worth having

Commands per second, and the share that failed:

    sum(rate(cellgate_queries_total[1m]))
    sum(rate(cellgate_queries_total{outcome!=\"ok\"}[1m])) / sum(rate(cellgate_queries_total[1m]))

The 99th percentile of a command's time, and of a cluster's puts:

    histogram_quantile(0.99, sum by (le) (rate(cellgate_stage_seconds_bucket{stage=\"total\"}[5m])))
    histogram_quantile(0.99, sum by (le, cluster) (rate(cellgate_cluster_operation_seconds_bucket{operation=\"put\"}[5m])))

Clusters that do not answer, pools that are too small, writes whose fate is unknown:

    cellgate_cluster_up == 0
    cellgate_pool_waiting_requests > 0
    increase(cellgate_cluster_settles_total{outcome=\"unknown\"}[1h]) > 0
";

/// The text of docs/METRICS.md.
///
/// # Errors
/// [`MetricsError`] for a defect of this crate: a malformed or doubled name.
pub fn document() -> Result<String, MetricsError> {
    let metrics = Metrics::new::<&str>("", &[])?;
    let mut text = String::from(HEAD);
    for family in metrics.families() {
        describe(&mut text, family);
    }
    text.push_str(TAIL);
    Ok(text)
}

fn describe(text: &mut String, family: &Family) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "## `{}`\n\n{}: {}\n", family.name, family.kind.label(), family.help);
    for label in &family.labels {
        let values = match label.values.as_slice() {
            [] if label.name == "cluster" => "the configured names".to_owned(),
            [] => "the program's".to_owned(),
            values => values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "),
        };
        let _ = writeln!(text, "- `{}`: {values}", label.name);
    }
    if !family.labels.is_empty() {
        text.push('\n');
    }
}
