//! What can go wrong when a plan is run.

use cellgate_schemaless::ErrorKind;
use thiserror::Error;

use crate::error::StoreError;

/// What stands for a cluster's name where the meta store has failed.
pub const META_STORE: &str = "meta store";

/// Why a request was not answered.
#[derive(Clone, Debug, Error)]
pub enum RunError {
    /// A cluster did not do its part.
    #[error("cluster {cluster}: {error}")]
    Cluster {
        /// Its name.
        cluster: String,
        /// What it said.
        error: StoreError,
    },
    /// A cluster did not answer what a write had to know first; nothing of the write was sent.
    #[error("before anything was written, cluster {cluster}: {error}")]
    NotBegun {
        /// Its name.
        cluster: String,
        /// What it said.
        error: StoreError,
    },
    /// An erasure failed when some or all of its cells were erased, or may be: caches may still answer them. Erasing again
    /// settles it.
    #[error("erased in part; cluster {cluster}: {error}")]
    PartlyErased {
        /// Where it failed: a cluster, or [`META_STORE`].
        cluster: String,
        /// What it said.
        error: StoreError,
    },
    /// A cell is held by a transaction that has not been settled.
    #[error("cluster {cluster} holds an unsettled transaction on a cell that was asked for")]
    Undecided {
        /// The cluster's name.
        cluster: String,
    },
    /// Other writers won the race for the next version too often.
    #[error("other writers won the race for the next version too often")]
    Contended,
    /// The highest version of a chain is the highest number there is.
    #[error("there is no version above the latest")]
    VersionsExhausted,
}

impl RunError {
    /// Whether some or all of a write may be stored although this is its answer.
    pub fn may_be_written(&self) -> bool {
        match self {
            Self::Cluster { error, .. } => error.may_be_written(),
            Self::NotBegun { .. }
            | Self::PartlyErased { .. }
            | Self::Undecided { .. }
            | Self::Contended
            | Self::VersionsExhausted => false,
        }
    }

    /// The same error of what a write had to read first. Other than of the write itself, no error means that it may be
    /// stored; those that never do stay as they are, for whoever plans again by them.
    pub(super) fn not_begun(self) -> Self {
        match self {
            Self::Cluster { cluster, error } if error.may_be_written() => Self::NotBegun { cluster, error },
            other => other,
        }
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Cluster { error, .. } | Self::NotBegun { error, .. } | Self::PartlyErased { error, .. } => {
                error.kind()
            }
            Self::Undecided { .. } | Self::Contended => ErrorKind::Conflict,
            Self::VersionsExhausted => ErrorKind::Limit,
        }
    }
}
