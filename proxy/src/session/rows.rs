//! The rows of a result set, wherever they come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cellgate_sql::relational::Program;
use cellgate_sql::{ColumnMeta, Row, Statement};

use super::read::Stream;
use super::{Answer, StatementError, Table};
use crate::wire::KillSwitch;

/// The rows of an execution that are fetched in parts.
pub struct Cursor {
    pub(super) rows: RowSource,
    /// What they are rows of.
    pub(super) statement: Statement,
    taken: Taken,
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
    /// Whether another one may be opened: those that are open hold less than `most` bytes. Asked before the statement
    /// runs, so that none is refused behind what it wrote; together they hold at most one statement's rows more.
    pub(super) fn has_room(&self, most: usize) -> bool {
        self.0.load(Ordering::Relaxed) < most
    }

    /// Keeps rows for later. They count as they are: those of a stream are a page, others all of them.
    pub(super) fn keep(&self, rows: RowSource, statement: Statement) -> Cursor {
        let bytes = rows.bytes();
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Cursor { rows, statement, taken: Taken { all: Arc::clone(&self.0), bytes } }
    }
}

impl Cursor {
    /// The next row, unless the statement was killed.
    pub(super) async fn next(&mut self, kill: &KillSwitch) -> Result<Option<Row>, StatementError> {
        let reads_on = self.rows.reads_on();
        let row = self.rows.next(kill).await;
        if reads_on {
            self.taken.recount(self.rows.bytes());
        }
        row
    }
}

impl Taken {
    /// So many bytes are held now.
    fn recount(&mut self, bytes: usize) {
        self.all.fetch_add(bytes, Ordering::Relaxed);
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Rows, wherever they come from: a table that is all there, or a stream that is read as they are taken.
pub(super) enum RowSource {
    Table { columns: Vec<ColumnMeta>, rows: std::vec::IntoIter<Row>, sent: u64, found: Option<u64> },
    Stream(Box<Stream>),
}

impl RowSource {
    pub(super) fn of(answer: Answer) -> Self {
        match answer {
            Answer::Done(_) => Self::Table { columns: Vec::new(), rows: Vec::new().into_iter(), sent: 0, found: None },
            Answer::Table(Table { columns, rows, found }) => {
                Self::Table { columns, rows: rows.into_iter(), sent: 0, found }
            }
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
        let row = kill.interruptible(self.advance()).await.unwrap_or(Err(StatementError::Interrupted));
        row.map_err(|error| match self {
            Self::Table { .. } => error,
            Self::Stream(stream) => stream.time().judged(error),
        })
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

    /// How long the stores were waited for since its first row was asked for.
    pub(super) fn waited(&self) -> Duration {
        match self {
            Self::Table { .. } => Duration::ZERO,
            Self::Stream(stream) => stream.waited(),
        }
    }

    /// About how many bytes the rows take that are there already.
    fn bytes(&self) -> usize {
        match self {
            Self::Table { rows, .. } => rows.as_slice().iter().map(|row| Program::weight(row)).sum(),
            Self::Stream(stream) => stream.ready().map(|row| Program::weight(row)).sum::<usize>() + stream.held(),
        }
    }

    /// Whether the next row is one that has to be read first.
    fn reads_on(&self) -> bool {
        match self {
            Self::Table { .. } => false,
            Self::Stream(stream) => stream.ready().next().is_none(),
        }
    }

    /// What FOUND_ROWS() answers afterwards.
    pub(super) fn found(&self) -> u64 {
        match self {
            Self::Table { sent, found, .. } => found.unwrap_or(*sent),
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
    use cellgate_sql::{SqlMode, Value};

    use super::*;

    fn rows(bytes: usize) -> RowSource {
        RowSource::of(Answer::Table(Table {
            columns: Vec::new(),
            rows: vec![vec![Value::Text(vec![b'x'; bytes].into())]],
            found: None,
        }))
    }

    #[test]
    fn no_cursor_is_opened_beside_those_that_hold_what_one_statement_may() {
        let room = CursorRoom::default();
        assert!(room.has_room(1000));
        let statement = || cellgate_sql::parse("SELECT 1", SqlMode::default()).unwrap().remove(0);
        let first = room.keep(rows(400), statement());
        assert!(room.has_room(1000));
        let second = room.keep(rows(5000), statement());
        assert!(!room.has_room(1000), "they hold more already");
        drop(second);
        assert!(room.has_room(1000));
        drop(first);
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }
}
