//! Loads, baselines and measurements.
//!
//! A load is one thread with many connections ([`load`]), cheap beside what it measures: it writes and reads the protocol
//! itself, with one write and one read per request, and checks what comes back against a data set that it can
//! recompute ([`cells`]). `cargo xtask bench` runs the comparisons of docs/PERFORMANCE.md with it.

pub mod bench;
pub mod cells;
pub mod echo;
pub mod fill;
pub mod histogram;
pub mod load;
pub mod poll;
pub mod processes;
pub mod protocol;
pub mod relay;
pub mod report;
pub mod session;
pub mod workload;
