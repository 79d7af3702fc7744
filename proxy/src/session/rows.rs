//! The rows of a result set, wherever they come from.

use cellgate_sql::{ColumnMeta, Row};

use super::read::Stream;
use super::{Answer, StatementError};
use crate::wire::KillSwitch;

/// The rows of an execution that are fetched in parts.
pub struct Cursor(pub(super) RowSource);

/// Rows, wherever they come from: a table that is all there, or a stream that is read as they are taken.
pub(super) enum RowSource {
    Table { columns: Vec<ColumnMeta>, rows: std::vec::IntoIter<Row>, sent: u64 },
    Stream(Box<Stream>),
}

impl RowSource {
    pub(super) fn of(answer: Answer) -> Self {
        match answer {
            Answer::Done(_) => Self::Table { columns: Vec::new(), rows: Vec::new().into_iter(), sent: 0 },
            Answer::Table(table) => Self::Table { columns: table.columns, rows: table.rows.into_iter(), sent: 0 },
            Answer::Stream(stream) => Self::Stream(stream),
        }
    }

    /// Its rows are fetched in parts.
    pub(super) fn outlast(&mut self) {
        match self {
            Self::Table { .. } => {}
            Self::Stream(stream) => stream.outlast(),
        }
    }

    pub(super) fn columns(&self) -> &[ColumnMeta] {
        match self {
            Self::Table { columns, .. } => columns,
            Self::Stream(stream) => stream.columns(),
        }
    }

    /// The next row, unless the statement was killed.
    pub(super) async fn next(&mut self, kill: &KillSwitch) -> Result<Option<Row>, StatementError> {
        kill.interruptible(self.advance()).await.unwrap_or(Err(StatementError::Interrupted))
    }

    /// The next row.
    pub(super) async fn advance(&mut self) -> Result<Option<Row>, StatementError> {
        // Rows that are there already would be sent without a pause: others' statements come in between.
        tokio::task::consume_budget().await;
        match self {
            Self::Table { rows, sent, .. } => {
                let row = rows.next();
                *sent += u64::from(row.is_some());
                Ok(row)
            }
            Self::Stream(stream) => stream.next().await,
        }
    }

    /// What FOUND_ROWS() answers afterwards.
    pub(super) fn found(&self) -> u64 {
        match self {
            Self::Table { sent, .. } => *sent,
            Self::Stream(stream) => stream.found(),
        }
    }

    /// What is to be said of the rows so far.
    pub(super) fn notes(&self) -> Vec<cellgate_sql::SqlError> {
        match self {
            Self::Table { .. } => Vec::new(),
            Self::Stream(stream) => stream.notes(),
        }
    }

    pub(super) fn sent(&self) -> u64 {
        match self {
            Self::Table { sent, .. } => *sent,
            Self::Stream(stream) => stream.sent(),
        }
    }
}
