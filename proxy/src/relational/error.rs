//! Why a relational SELECT gave no rows.

use cellgate_sql::SqlError;
use thiserror::Error;

/// A run that failed.
#[derive(Debug, Error)]
pub enum RelationalFailure {
    /// The statement's own error.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// It took too long.
    #[error("the relational engine did not finish in time")]
    Timeout,
    /// All engines were at work until the deadline.
    #[error("no relational engine was free in time")]
    Busy,
    /// The thread that ran it panicked: a defect.
    #[error("the relational engine panicked")]
    Panicked,
    /// SQLite refused the SQL we gave it: a defect.
    #[error("the relational engine failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
}
