//! What can go wrong in a store, as outcomes.

use cellgate_schemaless::{ErrorKind, TableRef};
use thiserror::Error;

/// Why a store did not do what it was asked.
///
/// `detail` is the engine's own text: for the log, never for a client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The store could not be reached, its files were taken away, or the connection was lost; nothing was written.
    #[error("cannot reach the store ({reason:?}): {detail}")]
    Unavailable {
        /// In which step.
        reason: Reason,
        /// For the log.
        detail: String,
    },
    /// The connection was lost while writing and the outcome could not be settled: some or all of it may be written.
    #[error("the outcome of a write is not known: {detail}")]
    MaybeWritten {
        /// For the log.
        detail: String,
    },
    /// A statement, lock or queue took longer than allowed; nothing was written.
    #[error("timed out ({reason:?}): {detail}")]
    Timeout {
        /// In which step.
        reason: Reason,
        /// For the log.
        detail: String,
    },
    /// Too many requests wait for the store already; nothing was sent to it.
    #[error("{waiting} cells ({bytes} bytes) are waiting for the store already, and no more may")]
    Overloaded {
        /// How many cells the waiting requests are about.
        waiting: usize,
        /// How many bytes of keys and bodies those have that are to be written.
        bytes: usize,
    },
    /// The write was planned under another epoch than the store's; nothing was written. Plan again.
    #[error("planned under epoch {planned}, the store is at {current}")]
    StaleEpoch {
        /// The epoch of the plan.
        planned: i64,
        /// The epoch of the store.
        current: i64,
    },
    /// The physical table is not in the store: dropped, or not created there yet.
    #[error("the store has no table {table}")]
    NoTable {
        /// The physical name.
        table: String,
    },
    /// No room left on the store's disk; nothing was written.
    #[error("the store's disk is full: {detail}")]
    DiskFull {
        /// For the log.
        detail: String,
    },
    /// The body is larger than what this store takes in one statement.
    #[error("a value of {bytes} bytes is more than the store takes ({max})")]
    TooLarge {
        /// The value's size.
        bytes: usize,
        /// The store's limit.
        max: usize,
    },
    /// The cells asked for at once have more bytes than one answer may have; nothing was answered. Ask for fewer.
    #[error("the answer has more than {max} bytes")]
    AnswerTooLarge {
        /// The bound.
        max: usize,
    },
    /// The store may not be used so: it was asked to start as something it is not (identity, format, lock), rights are
    /// missing, or it is read-only. Nothing was written.
    #[error("{detail}")]
    Refused {
        /// What is wrong and what to do, for the operator.
        detail: String,
    },
    /// The server refuses the login: wrong user or password, an account that is locked, or no right to the database. Nothing was
    /// sent to the store.
    #[error("{detail}")]
    Denied {
        /// What the server says, for the operator.
        detail: String,
    },
    /// Stored data contradicts what the store promises.
    #[error("corrupt data in the store: {detail}")]
    Corrupt {
        /// For the log.
        detail: String,
    },
    /// Any other failure of the engine; nothing was written.
    #[error("the store failed: {detail}")]
    Failed {
        /// For the log.
        detail: String,
    },
}

/// Answers that name the table they are about.
pub(crate) trait InTable {
    /// See [`StoreError::in_table`].
    fn in_table(self, table: &TableRef) -> Self;
}

impl<T> InTable for Result<T, StoreError> {
    fn in_table(self, table: &TableRef) -> Self {
        self.map_err(|error| error.in_table(table))
    }
}

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Opening or waiting for a connection.
    Connect,
    /// Running a statement.
    Statement,
    /// Waiting for a lock.
    Lock,
    /// Waiting in a queue of ours, or for a server that takes no more connections.
    Queue,
}

impl StoreError {
    /// Whether one request of several in a statement can be its cause, so that the others may succeed alone. What is true of the
    /// server, of the table or of all that were in the statement is not tried once per request.
    pub(crate) fn may_be_of_one(&self) -> bool {
        match self {
            Self::TooLarge { .. } | Self::AnswerTooLarge { .. } | Self::Corrupt { .. } | Self::Failed { .. } => true,
            Self::Refused { .. }
            | Self::Denied { .. }
            | Self::Unavailable { .. }
            | Self::MaybeWritten { .. }
            | Self::Timeout { .. }
            | Self::Overloaded { .. }
            | Self::StaleEpoch { .. }
            | Self::NoTable { .. }
            | Self::DiskFull { .. } => false,
        }
    }

    /// Whether it is about the sizes of what was asked for, so that it says nothing about others that fail in the same statement.
    pub(crate) fn is_of_size(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::AnswerTooLarge { .. })
    }

    /// The same, with the name of the table where stored data is wrong.
    pub(crate) fn in_table(self, table: &TableRef) -> Self {
        match self {
            Self::Corrupt { detail } => Self::Corrupt { detail: format!("table {}: {detail}", table.physical()) },
            other => other,
        }
    }

    /// What those behind one that failed so are told, of whom nothing was sent.
    pub(crate) fn not_begun(self) -> Self {
        match self {
            Self::MaybeWritten { detail } => Self::Unavailable { reason: Reason::Statement, detail },
            other => other,
        }
    }

    /// Whether some or all of a write may be stored although this is its answer. After all others nothing of it is.
    pub fn may_be_written(&self) -> bool {
        match self {
            // A store that does not keep what it promises is not believed in this either.
            Self::MaybeWritten { .. } | Self::Corrupt { .. } => true,
            Self::Unavailable { .. }
            | Self::Timeout { .. }
            | Self::Overloaded { .. }
            | Self::StaleEpoch { .. }
            | Self::NoTable { .. }
            | Self::DiskFull { .. }
            | Self::TooLarge { .. }
            | Self::AnswerTooLarge { .. }
            | Self::Refused { .. }
            | Self::Denied { .. }
            | Self::Failed { .. } => false,
        }
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } | Self::MaybeWritten { .. } => ErrorKind::Unavailable,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Overloaded { .. } => ErrorKind::Overloaded,
            Self::StaleEpoch { .. } => ErrorKind::Conflict,
            Self::NoTable { .. } => ErrorKind::NotFound,
            Self::DiskFull { .. } | Self::TooLarge { .. } | Self::AnswerTooLarge { .. } => ErrorKind::Limit,
            Self::Refused { .. } | Self::Denied { .. } => ErrorKind::Access,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Failed { .. } => ErrorKind::Internal,
        }
    }
}
