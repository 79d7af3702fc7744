//! What can go wrong: only a defect of this crate can.

use thiserror::Error;

/// A family that could not be registered: its name or a label is malformed, or the name is taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("metric family {family} cannot be registered: {detail}")]
pub struct MetricsError {
    /// The family's name.
    pub family: String,
    /// What the registry said.
    pub detail: String,
}
