//! SELECT: cells from the executor, the transaction's own writes laid over them, rows out of the shape.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_metrics::{Shape as ShapeLabel, Stage};
use cellgate_router::{log_order, row_order};
use cellgate_schemaless::{AddedId, Cell, LogScan, Request, TableDef, TableRef, Triple};
use cellgate_sql::{ColumnMeta, Cut, Notes, Read, ReadKind, Row, Shape, Shaping, Skipped, Source, SqlError};
use cellgate_store::StoreError;
use cellgate_store::executor::{CellStream, RunError};

use super::buffer::Buffer;
use super::error::StatementError;
use super::read_time::ReadTime;
use super::warnings::Level;
use super::workshop::{AT_ONCE, Desk};
use super::{Answer, Done, Session};
use crate::errors::{self, notes};
use crate::server::Server;

impl Session {
    /// Runs a SELECT as far as its first rows, so that what fails early fails as an error and not as a broken result.
    pub(super) async fn read(&mut self, read: Read, time: ReadTime) -> Result<Answer, StatementError> {
        // Without a table there is nothing a transaction could see.
        if !matches!(read.source, Source::Once) {
            self.open_implicitly();
        }
        if let Some(open) = &mut self.transaction {
            open.done.read |= matches!(read.source, Source::Cells(_));
        }
        self.shape = Some(shape_of(read.kind));
        if read.scatter {
            self.server.metrics().scatter_statement();
            self.warn(Level::Note, notes::OF_OURS, "every shard was read: name a row_key or a PARTITION to read less");
        }
        let cells = match read.source {
            Source::Once | Source::Nothing => Cells::None,
            Source::Cells(request) => {
                within(time.deadline(), pin!(self.cells(request, read.kind, read.scatter))).await??
            }
        };
        let limit = if read.limited { u64::MAX } else { self.variables.derived().select_limit };
        let mut stream = Box::new(Stream::new(self, read.table, &read.shape, cells, time, limit, read.cut));
        stream.fill(time.deadline()).await?;
        Ok(Answer::Stream(stream))
    }

    /// `SELECT .. INTO @a, @b`: the one row there may be becomes the values of user variables.
    pub(super) async fn read_into(&mut self, mut read: Read, time: ReadTime) -> Result<Answer, StatementError> {
        let names = std::mem::take(&mut read.into);
        let columns = read.shape.columns().to_vec();
        let answer = self.read(read, time).await?;
        let Answer::Stream(mut stream) = answer else { return Ok(answer) };
        let row = stream.next().await?;
        if stream.next().await?.is_some() {
            return Err(StatementError::TooManyRows);
        }
        self.last.found_rows = stream.found();
        self.warn_of(stream.notes());
        let Some(row) = row else {
            self.warn_of_no_data();
            return Ok(Answer::Done(Done::default()));
        };
        let row = columns.iter().zip(row).map(|(column, value)| column.shown(value));
        self.set_user_variables(names.into_iter().zip(row).collect())?;
        Ok(Answer::Done(Done { affected: 1, ..Done::default() }))
    }

    /// Warns that INTO had no row.
    pub(super) fn warn_of_no_data(&mut self) {
        self.warn(Level::Warning, notes::NO_DATA, "No data - zero rows fetched, selected, or processed");
    }

    /// Warns of values that could not be made.
    pub(super) fn warn_of(&mut self, notes: Vec<SqlError>) {
        for note in notes {
            let (code, _) = errors::sql_code(&note);
            self.warn(Level::Warning, code, note.to_string());
        }
    }

    /// The cells of a request, this transaction's own included.
    async fn cells(&self, request: Request, kind: ReadKind, scatter: bool) -> Result<Cells, StatementError> {
        let executor = &self.executor;
        let buffer = self.transaction.as_ref().map(|t| &t.buffer).filter(|b| !b.is_empty());
        Ok(match request {
            Request::Get { table, keys } => {
                let _timed = self.timed(Stage::Store);
                let mut found = executor.get(&table, keys.clone()).await?;
                if let Some(buffer) = buffer {
                    for (answer, key) in found.iter_mut().zip(&keys) {
                        if let Some(own) = buffer.get(table.id, key) {
                            *answer = Some(own.as_cell());
                        }
                    }
                }
                Cells::Found(found.into_iter().flatten().collect())
            }
            Request::Latest { table, keys } => {
                let _timed = self.timed(Stage::Store);
                let mut found = executor.latest(&table, keys.clone()).await?;
                if let Some(buffer) = buffer {
                    for (answer, key) in found.iter_mut().zip(&keys) {
                        let own = buffer.latest(table.id, key);
                        let newer = own.filter(|own| {
                            answer.as_ref().is_none_or(|stored| own.triple.ref_key >= stored.triple.ref_key)
                        });
                        if let Some(own) = newer {
                            *answer = Some(own.as_cell());
                        }
                    }
                }
                Cells::Found(found.into_iter().flatten().collect())
            }
            Request::Rows { table, scan } => {
                let order = row_order(scan.direction);
                let mut own: Vec<Cell> =
                    buffer.map(|b| b.matching(table.id, &scan).map(|c| c.as_cell()).collect()).unwrap_or_default();
                own.sort_by(order);
                let limit = scan.limit;
                let stream = executor.stream(Request::Rows { table, scan });
                Cells::Stream(Box::new(Overlaid::new(stream, own.into(), Box::new(order), limit)))
            }
            Request::Log { table, scan } => {
                // A log shows what is committed; the reading of a whole table shows the transaction's own cells, and rows
                // are made of them.
                let shows_own = scatter || kind == ReadKind::RowShape;
                let mut own = match buffer.filter(|_| shows_own) {
                    Some(buffer) => own_of_log(buffer, &table, &scan),
                    None => Vec::new(),
                };
                // They have no place in the log yet: their id is 0, so that they come first in their shard.
                own.sort_by(log_order);
                let limit = scan.limit;
                let stream = executor.stream(Request::Log { table, scan });
                Cells::Stream(Box::new(Overlaid::new(stream, own.into(), Box::new(log_order), limit)))
            }
            Request::Put { .. } | Request::Erase { .. } => Cells::None,
        })
    }
}

/// The metric label of a SELECT.
fn shape_of(kind: ReadKind) -> ShapeLabel {
    match kind {
        ReadKind::Get => ShapeLabel::Get,
        ReadKind::GetMulti => ShapeLabel::GetMulti,
        ReadKind::Latest => ShapeLabel::Latest,
        ReadKind::Rows => ShapeLabel::Rows,
        ReadKind::Partition => ShapeLabel::Partition,
        ReadKind::Scatter => ShapeLabel::Scatter,
        ReadKind::RowShape => ShapeLabel::RowShape,
        ReadKind::Constant => ShapeLabel::Constant,
    }
}

fn own_of_log(buffer: &Buffer, table: &TableRef, scan: &LogScan) -> Vec<Cell> {
    // They have no place in the log yet: their id is 0.
    if scan.added_after.is_some_and(|after| after >= AddedId(0)) {
        return Vec::new();
    }
    let own = buffer.of_table(table.id).filter(|c| scan.columns.has(&c.triple.column));
    let own = own.filter(|c| scan.shards.binary_search(&c.shard).is_ok());
    let own = own.filter(|c| scan.created_from.is_none_or(|from| c.at >= from));
    own.map(|c| c.as_cell()).collect()
}

/// Waits at most until the deadline. Given a future that is pinned where it is, it does not take the room of another one.
pub(super) async fn within<T>(deadline: Instant, work: impl Future<Output = T>) -> Result<T, StatementError> {
    tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| StatementError::Timeout { detail: "" })
}

/// Where the cells of a SELECT come from.
enum Cells {
    /// There are none.
    None,
    /// They are here.
    Found(Vec<Cell>),
    /// They are fetched as they are needed.
    Stream(Box<Overlaid>),
}

/// The order of a stream.
type Order = Box<dyn Fn(&Cell, &Cell) -> Ordering + Send + Sync>;

/// A stream with the transaction's own cells laid over it: where both have a cell of one name, its own wins, as with reads
/// by name. The other was written meanwhile, and COMMIT will say that the race is lost.
struct Overlaid {
    stream: CellStream,
    own: VecDeque<Cell>,
    /// Of all of `own`, those given out already included: what is stored under these is not shown.
    names: BTreeSet<Triple>,
    order: Order,
    limit: Option<u64>,
}

impl Overlaid {
    fn new(stream: CellStream, own: VecDeque<Cell>, order: Order, limit: Option<u64>) -> Self {
        let names = own.iter().map(|cell| cell.triple.clone()).collect();
        Self { stream, own, names, order, limit }
    }

    async fn next(&mut self) -> Result<Option<Vec<Cell>>, RunError> {
        if self.limit == Some(0) {
            return Ok(None);
        }
        let page = self.stream.next().await?;
        let mut cells = match page {
            Some(page) if self.names.is_empty() => page,
            Some(page) => {
                let mut merged = Vec::with_capacity(page.len());
                for cell in page.into_iter().filter(|cell| !self.names.contains(&cell.triple)) {
                    while let Some(own) = self.own.pop_front_if(|own| (self.order)(own, &cell) == Ordering::Less) {
                        merged.push(own);
                    }
                    merged.push(cell);
                }
                merged
            }
            None if self.own.is_empty() => return Ok(None),
            None => std::mem::take(&mut self.own).into(),
        };
        if let Some(limit) = &mut self.limit {
            cells.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
            *limit -= cells.len() as u64;
        }
        Ok(Some(cells))
    }
}

/// The rows of a SELECT, made as they are sent.
pub(super) struct Stream {
    server: Arc<Server>,
    desk: Desk,
    /// The table its cells are of.
    table: Option<Arc<TableDef>>,
    columns: Vec<ColumnMeta>,
    /// `None` once it has finished.
    shaping: Option<Shaping>,
    cells: Cells,
    /// How long it has waited for the pages of cells that it fetches, if it does.
    waited: Option<Duration>,
    ready: VecDeque<Row>,
    time: ReadTime,
    /// Most rows to send.
    limit: u64,
    /// Rows that are made and not sent at the start, if all are to be counted.
    uncut: Option<u64>,
    made: u64,
    sent: u64,
    /// What OFFSET left out, if not all are to be counted.
    skipped: Skipped,
    notes: Notes,
}

impl Stream {
    fn new(
        session: &Session,
        table: Option<Arc<TableDef>>,
        shape: &Shape,
        cells: Cells,
        time: ReadTime,
        limit: u64,
        cut: Option<Cut>,
    ) -> Self {
        let shaping = shape.start();
        Self {
            server: Arc::clone(&session.server),
            desk: session.desk.clone(),
            table,
            columns: shape.columns().to_vec(),
            notes: shaping.notes(),
            skipped: shaping.skipped(),
            shaping: Some(shaping),
            waited: matches!(cells, Cells::Stream(_)).then_some(Duration::ZERO),
            cells,
            ready: VecDeque::new(),
            time,
            limit: cut.and_then(|cut| cut.count).unwrap_or(limit),
            uncut: cut.map(|cut| cut.offset),
            made: 0,
            sent: 0,
        }
    }

    /// The result's columns.
    pub(super) fn columns(&self) -> &[ColumnMeta] {
        &self.columns
    }

    /// How long it may take.
    pub(super) fn time(&self) -> ReadTime {
        self.time
    }

    /// How long the stores were waited for since it began.
    pub(super) fn waited(&self) -> Duration {
        self.waited.unwrap_or_default()
    }

    /// The rows that are made already.
    pub(super) fn ready(&self) -> impl Iterator<Item = &Row> {
        self.ready.iter()
    }

    /// Bytes held for rows that are not made yet.
    pub(super) fn held(&self) -> usize {
        let read = match &self.cells {
            Cells::Stream(cells) => cells.stream.held(),
            Cells::None | Cells::Found(_) => 0,
        };
        self.shaping.as_ref().map_or(0, Shaping::assembled) + read
    }

    /// Its rows are fetched whenever the client likes: later ones are not late.
    pub(super) fn outlast(&mut self) {
        self.time.end = None;
    }

    /// What is to be said of the rows so far.
    pub(super) fn notes(&self) -> Vec<SqlError> {
        self.notes.take()
    }

    /// How many rows were given out.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many rows there are, up to the last one sent; the ones that LIMIT left out included if they had to be counted.
    pub(super) fn found(&self) -> u64 {
        if self.uncut.is_some() { self.made } else { self.skipped.rows() + self.sent }
    }

    /// The next row.
    pub(super) async fn next(&mut self) -> Result<Option<Row>, StatementError> {
        if self.uncut.is_none() && self.sent >= self.limit {
            return Ok(None);
        }
        // One for all pages that the row needs: those of which no row is sent, too.
        let mut deadline = None;
        loop {
            if self.ready.is_empty() {
                self.fill(*deadline.get_or_insert_with(|| self.time.deadline())).await?;
            }
            let Some(row) = self.ready.pop_front() else { return Ok(None) };
            self.made += 1;
            if self.uncut.is_some_and(|offset| self.made <= offset) || self.sent >= self.limit {
                continue;
            }
            self.sent += 1;
            return Ok(Some(row));
        }
    }

    /// Reads until there are rows, or none will come.
    async fn fill(&mut self, deadline: Instant) -> Result<(), StatementError> {
        while self.ready.is_empty() {
            let Some(shaping) = self.shaping.as_mut() else { return Ok(()) };
            let asked = self.waited.as_mut().map(Waiting::begin);
            let page = if shaping.is_full() { Ok(None) } else { self.cells.next(deadline).await };
            drop(asked);
            let page = match page {
                Ok(page) => page,
                Err(error) => return Err(self.of_dropped(error).await),
            };
            match page {
                Some(page) if is_much(shaping, &page) => {
                    // Taken: if it fails, nothing more comes.
                    let Some(shaping) = self.shaping.take() else { return Ok(()) };
                    let (shaping, rows) = self.desk.page(shaping, page, deadline).await?;
                    self.shaping = Some(shaping);
                    self.ready.extend(rows);
                }
                Some(page) => {
                    for cell in page {
                        if shaping.is_full() {
                            break;
                        }
                        shaping.push(&cell, &mut self.ready)?;
                        // A page is a moment, but one that others would wait for.
                        tokio::task::consume_budget().await;
                    }
                }
                None => {
                    let Some(shaping) = self.shaping.take() else { return Ok(()) };
                    let rows = if shaping.rest() > AT_ONCE {
                        self.desk.rest(shaping, deadline).await?
                    } else {
                        shaping.finish()?
                    };
                    self.ready.extend(rows);
                }
            }
        }
        Ok(())
    }

    /// The error of a table that was dropped since the statement began: to the client it is the table, by its own name, that
    /// is not there. Others are left as they are, so that of a table of the catalog which a store has lost is told as such.
    async fn of_dropped(&self, error: StatementError) -> StatementError {
        let Some(table) = &self.table else { return error };
        if !matches!(error, StatementError::Run(RunError::Cluster { error: StoreError::NoTable { .. }, .. })) {
            return error;
        }
        match self.server.catalog().refresh().await {
            Ok(catalog) if !catalog.all_tables().any(|known| known.id == table.id) => {
                let (database, table) = (table.database.clone(), table.name.clone());
                SqlError::UnknownTable { database, table }.into()
            }
            Ok(_) | Err(_) => error,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(waited) = self.waited {
            self.server.metrics().stage(Stage::Store, waited);
        }
    }
}

/// A page of cells that is waited for. The time is added up however the waiting ends: KILL drops what waits.
struct Waiting<'a> {
    waited: &'a mut Duration,
    began: Instant,
}

impl<'a> Waiting<'a> {
    fn begin(waited: &'a mut Duration) -> Self {
        Self { waited, began: Instant::now() }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *self.waited += self.began.elapsed();
    }
}

/// Whether shaping the page would keep others waiting.
pub(super) fn is_much(shaping: &Shaping, page: &[Cell]) -> bool {
    let body = |cell: &Cell| cell.body.as_ref().map_or(0, |body| body.as_bytes().len());
    let bytes = page.iter().map(body).sum();
    shaping.work(page.len(), bytes).saturating_add(shaping.held()) > AT_ONCE
}

impl Cells {
    async fn next(&mut self, deadline: Instant) -> Result<Option<Vec<Cell>>, StatementError> {
        match self {
            Self::None => Ok(None),
            Self::Found(_) => match std::mem::replace(self, Self::None) {
                Self::Found(cells) => Ok(Some(cells)),
                Self::None | Self::Stream(_) => Ok(None),
            },
            Self::Stream(stream) => Ok(within(deadline, pin!(stream.next())).await??),
        }
    }
}
