//! What a load measured, as JSON for programs and as lines for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::workload::{Mode, Operation};

/// What one load measured. Only answers that were right count as operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was asked.
    pub operation: Operation,
    /// How.
    pub mode: Mode,
    /// Connections.
    pub connections: usize,
    /// Requests per second of an open loop.
    pub rate: Option<f64>,
    /// Counted time, which is that of its requests (see [`load`](crate::load)).
    pub seconds: f64,
    /// Right answers to requests that were sent, or due, in it.
    pub operations: u64,
    /// The same per second.
    pub per_second: f64,
    /// Failed and wrong answers.
    pub errors: u64,
    /// What the first of them said.
    pub first_error: Option<String>,
    /// Latencies in microseconds.
    pub latency_us: Latency,
    /// Processor time of the loader per operation, in microseconds.
    pub loader_cpu_us: f64,
    /// Watched processes.
    pub groups: Vec<Group>,
    /// Mean length of a request.
    pub request_bytes: u64,
    /// Mean length of an answer.
    pub answer_bytes: u64,
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The mean.
    pub mean: f64,
    /// Half are not longer.
    pub p50: f64,
    /// 90 of 100 are not longer.
    pub p90: f64,
    /// 99 of 100 are not longer.
    pub p99: f64,
    /// 999 of 1000 are not longer.
    pub p999: f64,
    /// The longest.
    pub most: f64,
}

/// Watched processes under one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// Processor time per operation, user and system, in microseconds.
    pub cpu_us: f64,
    /// Resident memory at the end, in bytes.
    pub resident: u64,
}

impl Report {
    /// Processor time per operation of the processes under a name; 0 if there are none.
    pub fn cpu_us(&self, name: &str) -> f64 {
        self.groups.iter().filter(|group| group.name == name).map(|group| group.cpu_us).sum()
    }

    /// The same of all that are watched, the loader not included.
    pub fn all_cpu_us(&self) -> f64 {
        self.groups.iter().map(|group| group.cpu_us).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p99, p999, most, .. } = self.latency_us;
        write!(f, "{:9.0}/s  p50 {p50:7.0}  p99 {p99:7.0}  p999 {p999:7.0}  max {most:8.0} us", self.per_second)?;
        write!(f, "  cpu us/op: loader {:.1}", self.loader_cpu_us)?;
        for group in &self.groups {
            write!(f, " {} {:.1}", group.name, group.cpu_us)?;
        }
        write!(f, "  bytes {}+{}", self.request_bytes, self.answer_bytes)?;
        match &self.first_error {
            Some(error) => write!(f, "  {} ERRORS, the first: {error}", self.errors),
            None => Ok(()),
        }
    }
}
