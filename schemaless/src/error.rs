//! What can be wrong, in words every layer shares.

use thiserror::Error;

use crate::limits;

/// The class of an error. One table (in the proxy) turns it into retry, blame, log level and metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The statement cannot be read.
    Syntax,
    /// The statement can be read, and is refused on purpose.
    Unsupported,
    /// A value is not of the form its column asks for.
    Value,
    /// The triple exists with other bytes, a race was lost, or another session held a lock for too long.
    Conflict,
    /// A database, table or column that does not exist.
    NotFound,
    /// The user may not do this.
    Access,
    /// A named limit was exceeded.
    Limit,
    /// No room to take the request in now.
    Overloaded,
    /// A store cannot be reached.
    Unavailable,
    /// Time ran out.
    Timeout,
    /// Somebody ended it: KILL, or the client's own limit of its time.
    Killed,
    /// Stored data contradicts what the store promises.
    Corrupt,
    /// A defect of Cellgate.
    Internal,
}

impl ErrorKind {
    /// All kinds, in the order of their declaration (the closed set of the metric label).
    pub const ALL: [Self; 13] = [
        Self::Syntax,
        Self::Unsupported,
        Self::Value,
        Self::Conflict,
        Self::NotFound,
        Self::Access,
        Self::Limit,
        Self::Overloaded,
        Self::Unavailable,
        Self::Timeout,
        Self::Killed,
        Self::Corrupt,
        Self::Internal,
    ];

    /// The name used in logs and as a metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Unsupported => "unsupported",
            Self::Value => "value",
            Self::Conflict => "conflict",
            Self::NotFound => "not_found",
            Self::Access => "access",
            Self::Limit => "limit",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Killed => "killed",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }
}

/// A value that cannot be a key or a body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Invalid {
    /// A row key of no bytes.
    #[error("a row key cannot be empty")]
    RowKeyEmpty,
    /// A row key beyond [`limits::ROW_KEY_BYTES`].
    #[error("a row key of {bytes} bytes is longer than {max}", max = limits::ROW_KEY_BYTES)]
    RowKeyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A column key of no bytes.
    #[error("a column key cannot be empty")]
    ColumnKeyEmpty,
    /// A column key beyond [`limits::COLUMN_KEY_BYTES`].
    #[error("a column key of {bytes} bytes is longer than {max}", max = limits::COLUMN_KEY_BYTES)]
    ColumnKeyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A body beyond [`limits::BODY_BYTES`].
    #[error("a body of {bytes} bytes is longer than {max}", max = limits::BODY_BYTES)]
    BodyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Bytes that are not one JSON text.
    #[error("invalid JSON text at byte {offset}")]
    Json {
        /// Where the text stops being JSON.
        offset: usize,
    },
    /// JSON nested beyond [`limits::JSON_DEPTH`].
    #[error("JSON nested {depth} deep is deeper than {max}", max = limits::JSON_DEPTH)]
    JsonTooDeep {
        /// Its depth.
        depth: usize,
    },
    /// A cluster number out of bounds.
    #[error("cluster number {number} is not in 1..={max}", max = limits::CLUSTER_NO_MAX)]
    ClusterNo {
        /// The number.
        number: u16,
    },
}
