//! The rows of a result set, wherever they come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cellgate_sql::relational::Program;
use cellgate_sql::{ColumnMeta, Row, SqlError};

use super::read::Stream;
use super::{Answer, StatementError};
use crate::wire::KillSwitch;

/// The rows of an execution that are fetched in parts.
pub struct Cursor {
    pub(super) rows: RowSource,
    _taken: Taken,
}

/// How many bytes of rows the open cursors of a session hold together.
#[derive(Debug, Default)]
pub(super) struct CursorRoom(Arc<AtomicUsize>);

/// What one of them holds; given back when it is closed.
struct Taken {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl CursorRoom {
    /// Keeps rows for later. They count as they are now: those of a stream are a page, others all of them.
    ///
    /// # Errors
    /// [`SqlError::Limit`]: with those of other cursors they are more than `most` bytes. A first one is always kept: its
    /// statement was bounded by itself.
    pub(super) fn keep(&self, rows: RowSource, most: usize) -> Result<Cursor, SqlError> {
        let (bytes, others) = (rows.bytes(), self.0.load(Ordering::Relaxed));
        if others > 0 && others.saturating_add(bytes) > most {
            return Err(SqlError::Limit {
                what: "the size of the rows of all open cursors".into(),
                limit: most as u64,
                name: "limits.collect_bytes",
            });
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Ok(Cursor { rows, _taken: Taken { all: Arc::clone(&self.0), bytes } })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

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

    /// About how many bytes the rows take that are there already.
    fn bytes(&self) -> usize {
        match self {
            Self::Table { rows, .. } => rows.as_slice().iter().map(|row| Program::weight(row)).sum(),
            Self::Stream(stream) => stream.ready().map(|row| Program::weight(row)).sum(),
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

#[cfg(test)]
mod tests {
    use cellgate_sql::Value;

    use super::*;
    use crate::session::Table;

    fn rows(bytes: usize) -> RowSource {
        RowSource::of(Answer::Table(Table {
            columns: Vec::new(),
            rows: vec![vec![Value::Text(vec![b'x'; bytes].into())]],
        }))
    }

    #[test]
    fn open_cursors_hold_no_more_together_than_one_statement_may() {
        let room = CursorRoom::default();
        let first = room.keep(rows(5000), 1000).expect("a first one is kept however large it is");
        assert!(matches!(room.keep(rows(1), 1000), Err(SqlError::Limit { .. })));
        drop(first);
        let second = room.keep(rows(400), 1000).expect("there is room again");
        let third = room.keep(rows(400), 1000).expect("for both");
        assert!(room.keep(rows(400), 1000).is_err());
        drop((second, third));
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }
}
