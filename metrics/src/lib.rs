//! What Cellgate counts: every metric family by name, help and labels, and the text exposition of them.
//!
//! [`Metrics`] holds one handle per series, resolved when it is built, so that counting is an array index and an
//! atomic addition. Label values are closed sets: each label is an enum here (or the configured cluster names), never
//! a string made from what a client sent. There are no statics: whoever counts is given its handles.
//!
//! A new metric is its field with name and help (in the file of what it is about, or in [`ClusterMetrics`]'s if it is
//! counted per cluster), its method and its call site; docs/METRICS.md is generated from the same words.

mod cache;
mod clients;
mod cluster;
mod distribution;
mod document;
mod error;
mod family;
mod label;
mod meta;
mod process;
mod program;
mod requests;
mod service;
mod statements;

#[cfg(test)]
mod tests;

pub use clients::OpenConnection;
pub use cluster::{ClusterMetrics, PoolState, QueueMetrics};
pub use document::document;
pub use error::MetricsError;
pub use family::{Family, Kind, LabelDescription};
pub use label::{
    Command, Label, LoginFailure, MetaDocument, Operation, Outcome, Queue, Refusal, Settlement, Shape, Stage,
};
pub use service::Metrics;
