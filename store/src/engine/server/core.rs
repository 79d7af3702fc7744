//! Reading and changing through a pool: what [`Server`](super::Server) and the meta store are made of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cellgate_metrics::Operation;
use cellgate_schemaless::{Cell, TableId, TableRef};

use crate::backend::{ANSWER_BYTES, Location, Timeouts};
use crate::draining::wait_until;
use crate::engine::server::ServerOptions;
use crate::engine::server::attempts::{Attempts, GRACE, bounded, stale, unsettled};
use crate::engine::server::driver::{Driver, Failure, Guard, Holds, Mark, Names, Session, Value};
use crate::engine::server::pool::Sessions;
use crate::error::{InTable, Reason, StoreError};
use crate::hash::FastHash;
use crate::sql::{Dialect, Query};
use crate::sync::lock;

/// A server and its sessions.
pub(crate) struct Core<D: Driver> {
    pub(crate) name: String,
    pub(crate) timeouts: Timeouts,
    pub(crate) sessions: Sessions<D>,
    holds: Holds,
    /// Bytes of a cell of the last page of a table that had too many; nothing of a table without such pages.
    large: Mutex<HashMap<TableId, usize, FastHash>>,
}

/// Rows of several statements.
pub(crate) struct Page {
    pub(crate) cells: Vec<Cell>,
    pub(crate) more: bool,
}

/// What a change did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changed {
    /// Rows the last attempt changed.
    pub(crate) rows: u64,
    /// Whether an attempt was lost before it: it may have changed them already.
    pub(crate) after_loss: bool,
}

impl<D: Driver> Core<D> {
    pub(crate) fn new(driver: D, options: &ServerOptions, holds: Holds) -> Result<Arc<Self>, StoreError> {
        let sessions = Sessions::new(driver, options, holds)?;
        let (name, timeouts) = (options.name.clone(), options.timeouts);
        Ok(Arc::new(Self { name, timeouts, sessions, holds, large: Mutex::default() }))
    }

    pub(crate) fn driver(&self) -> &D {
        self.sessions.manager()
    }

    pub(crate) fn dialect(&self) -> &'static Dialect {
        self.driver().dialect()
    }

    /// How many rows a page of at most `limit` asks for. Of large ones no more than fit in `budget`: the server sends what
    /// was asked for, and a connection with an answer that is not read to its end is lost.
    fn page_rows(&self, table: TableId, limit: u64, budget: usize) -> u64 {
        lock(&self.large).get(&table).map_or(limit, |large| limit.min(rows_within(budget, *large) as u64))
    }

    /// What a page says about the next ones of its table. One of fewer rows than there would be of large ones says nothing.
    fn learn(&self, table: TableId, page: &Page, budget: usize) {
        let (rows, bytes) = (page.cells.len(), page.cells.iter().map(size).sum::<usize>());
        let mut large = lock(&self.large);
        if bytes >= budget / 2 {
            large.insert(table, bytes / rows.max(1));
        } else if let Some(known) = large.get_mut(&table).filter(|known| rows >= rows_within(budget, **known)) {
            // By halves: these few may be the small ones among large ones.
            *known /= 2;
            if rows_within(budget, *known) >= MANY {
                large.remove(&table);
            }
        }
    }

    /// Runs statements that read cells of a table until `limit` rows or `budget` bytes are there; `queries` makes them for a
    /// number of rows. If the connection is lost, everything is read again on a new one, once.
    pub(crate) async fn page<I>(
        &self,
        operation: Operation,
        table: &TableRef,
        queries: impl Fn(u64) -> I + Sync + Send,
        limit: u64,
        budget: usize,
    ) -> Result<Page, StoreError>
    where
        I: Iterator<Item = Query> + Send,
    {
        let asked = self.page_rows(table.id, limit, budget);
        let limit = usize::try_from(asked).unwrap_or(usize::MAX);
        let mut again = true;
        loop {
            let mut lease = self.sessions.lease().await?;
            let session = lease.session()?;
            let mark = session.mark();
            let answer = self.in_time(&mark, read_page(session, queries(asked), limit, budget)).await?;
            let idle = session.is_idle();
            match answer {
                Ok(page) => {
                    self.learn(table.id, &page, budget);
                    if idle {
                        lease.give_back();
                    }
                    return Ok(page);
                }
                Err(failure) => again = self.read_again(operation, failure, again).in_table(table)?,
            }
        }
    }

    /// Reads cells by name; again on a new connection, once, if the connection is lost.
    pub(crate) async fn find(
        &self,
        operation: Operation,
        table: &TableRef,
        names: Names<'_>,
    ) -> Result<Vec<Option<Cell>>, StoreError> {
        let mut again = true;
        loop {
            let mut lease = self.sessions.lease().await?;
            let session = lease.session()?;
            let mark = session.mark();
            match self.in_time(&mark, find_all(session, self.dialect(), table, names)).await? {
                Ok(Some(answers)) => {
                    lease.give_back();
                    return Ok(answers);
                }
                Ok(None) => return Err(StoreError::AnswerTooLarge { max: ANSWER_BYTES }),
                Err(failure) => again = self.read_again(operation, failure, again).in_table(table)?,
            }
        }
    }

    /// Runs a statement with a small answer; again on a new connection, once, if the connection is lost.
    pub(crate) async fn fetch(&self, operation: Operation, query: &Query) -> Result<Vec<Vec<Value>>, StoreError> {
        let mut again = true;
        loop {
            let mut lease = self.sessions.lease().await?;
            let session = lease.session()?;
            let mark = session.mark();
            match self.in_time(&mark, session.fetch(query)).await? {
                Ok(rows) => {
                    lease.give_back();
                    return Ok(rows);
                }
                Err(failure) => again = self.read_again(operation, failure, again)?,
            }
        }
    }

    /// Where the server is, by its own account; asked on a new connection, once, if the connection is lost.
    pub(crate) async fn location(&self) -> Result<Option<Location>, StoreError> {
        let mut again = true;
        loop {
            let mut lease = self.sessions.lease().await?;
            let session = lease.session()?;
            let mark = session.mark();
            match self.in_time(&mark, session.place()).await? {
                Ok(place) => {
                    lease.give_back();
                    return Ok(place.map(|place| Location { address: self.driver().address(), place }));
                }
                Err(failure) => again = self.read_again(Operation::Ping, failure, again)?,
            }
        }
    }

    /// Reads in the session of `mark` are not settled, only bounded.
    async fn in_time<T>(
        &self,
        mark: &Mark,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Result<T, Failure>, StoreError> {
        let limit = self.timeouts.statement + GRACE;
        let answered = self.sessions.monitor().answered(mark, 0, limit, work).await;
        answered.ok_or_else(|| StoreError::Timeout {
            reason: Reason::Statement,
            detail: format!("no answer within {limit:?}"),
        })
    }

    /// `Ok(false)` if there may be one more attempt.
    fn read_again(&self, operation: Operation, failure: Failure, again: bool) -> Result<bool, StoreError> {
        match failure {
            Failure::Lost { detail } if again => {
                self.sessions.forget_idle();
                self.sessions.retried(operation);
                tracing::debug!(store = %self.name, %detail, "connection lost, reading again");
                Ok(false)
            }
            // Nobody is in the way of a read: what it was prepared for has changed.
            Failure::Again { reason: Reason::Statement, .. } if again => {
                self.sessions.retried(operation);
                Ok(false)
            }
            Failure::Store(StoreError::Unavailable { .. }) => {
                self.sessions.forget_idle();
                Err(unsettled(failure))
            }
            Failure::Lost { .. }
            | Failure::Duplicate
            | Failure::Stale
            | Failure::Again { .. }
            | Failure::ReadOnly { .. }
            | Failure::Store(_) => Err(unsettled(failure)),
        }
    }

    /// One transaction that is harmless to repeat, repeated until its outcome is known.
    pub(crate) async fn change(
        &self,
        operation: Operation,
        guard: Guard,
        changes: &[Query],
    ) -> Result<Changed, StoreError> {
        let mut attempts = Attempts::new(&self.sessions, &self.timeouts, operation);
        loop {
            let mut lease = attempts.session().await?;
            let after_loss = attempts.lost_one();
            let session = lease.session()?;
            let mark = session.mark();
            let change = async {
                let rows = session.transaction(self.dialect(), guard, changes).await?;
                // What a lost attempt has changed, or another proxy, is visible and may not be safe yet.
                if rows == 0 && (after_loss || matches!(guard, Guard::Head(_))) {
                    session.confirm(self.holds).await?;
                }
                Ok(rows)
            };
            match attempts.bounded(&mark, change).await {
                Ok(rows) => {
                    lease.give_back();
                    return Ok(Changed { rows, after_loss });
                }
                Err(Failure::Stale) => {
                    let Guard::Head(epoch) = guard else { return Err(unsettled(Failure::Stale)) };
                    let stale = stale(session, self.dialect(), epoch, self.timeouts.statement).await;
                    return Err(attempts.outcome(stale));
                }
                Err(failure) => {
                    self.sessions.give_back_answered(lease, &failure);
                    attempts.after(failure, mark)?;
                }
            }
        }
    }

    /// Changes the schema, by statements that are harmless to repeat.
    pub(crate) async fn define(&self, statements: &[String]) -> Result<(), StoreError> {
        let mut attempts = Attempts::new(&self.sessions, &self.timeouts, Operation::Ddl);
        loop {
            let mut lease = attempts.session().await?;
            let session = lease.session()?;
            let mark = session.mark();
            match attempts.bounded(&mark, session.define(statements)).await {
                Ok(()) => {
                    lease.give_back();
                    return Ok(());
                }
                Err(failure) => attempts.after(failure, mark)?,
            }
        }
    }

    /// Commits something of our own: what was visible before is safe then.
    pub(crate) async fn confirm(&self) -> Result<(), StoreError> {
        let mut attempts = Attempts::new(&self.sessions, &self.timeouts, Operation::Ddl);
        loop {
            let mut lease = attempts.session().await?;
            let session = lease.session()?;
            let mark = session.mark();
            match attempts.bounded(&mark, session.confirm(self.holds)).await {
                Ok(()) => {
                    lease.give_back();
                    return Ok(());
                }
                Err(failure) => {
                    self.sessions.give_back_answered(lease, &failure);
                    attempts.after(failure, mark)?;
                }
            }
        }
    }

    /// The server and back; of one that was started again since, or has other tables, by a new connection. Whether the server
    /// answers is not a matter of the pool: if every session has been in use for a while, it is asked by one beside the pool.
    ///
    /// Answers how long the way was, without the look at the tables.
    pub(crate) async fn ping(&self) -> Result<Duration, StoreError> {
        let (began, mut again) = (Instant::now(), true);
        loop {
            let mut lease = match self.sessions.lease_within(self.timeouts.queue.min(self.timeouts.connect / 2)).await {
                Ok(lease) => lease,
                Err(
                    StoreError::Timeout { reason: Reason::Queue, .. }
                    | StoreError::Unavailable { reason: Reason::Queue, .. },
                ) => {
                    return self.sessions.monitor().ping().await.map_err(unsettled);
                }
                Err(error) => return Err(error),
            };
            let session = lease.session()?;
            let looked = bounded(self.timeouts.connect, async {
                let way = way(session).await?;
                session.check_tables().await?;
                Ok(way)
            });
            match looked.await {
                Ok(way) => {
                    lease.give_back();
                    return Ok(way);
                }
                Err(failure) => {
                    self.sessions.forget_idle();
                    // One that does not answer is not asked twice.
                    let lost = matches!(failure, Failure::Lost { .. }) && began.elapsed() < self.timeouts.connect / 2;
                    if !std::mem::take(&mut again) || !lost {
                        return Err(unsettled(failure));
                    }
                }
            }
        }
    }

    /// Lets nobody in, and waits for those inside, for at most the statement timeout.
    pub(crate) async fn close(&self) {
        self.sessions.close();
        wait_until(|| self.sessions.state().size == 0, self.timeouts.statement).await;
    }
}

/// How long the way to the server and back is.
pub(crate) async fn way<S: Session>(session: &mut S) -> Result<Duration, Failure> {
    let sent = Instant::now();
    session.run("SELECT 1").await?;
    Ok(sent.elapsed())
}

/// The rows of these names, all of one moment; `None` if they have more bytes than an answer may have. Of more names than a
/// statement takes there are several, in a transaction.
async fn find_all<S: Session>(
    session: &mut S,
    dialect: &'static Dialect,
    table: &TableRef,
    names: Names<'_>,
) -> Result<Option<Vec<Option<Cell>>>, Failure> {
    if names.len() <= dialect.most_names() {
        return session.find(dialect, table, names, ANSWER_BYTES).await;
    }
    for statement in dialect.begin_snapshot() {
        session.run(statement).await?;
    }
    let (mut answers, mut left) = (Vec::with_capacity(names.len()), ANSWER_BYTES);
    for part in names.parts(dialect.most_names()) {
        // Whoever is told this, or an error, does not use the session again.
        let Some(found) = session.find(dialect, table, part, left).await? else { return Ok(None) };
        left = left.saturating_sub(found.iter().flatten().map(size).sum());
        answers.extend(found);
    }
    session.run("COMMIT").await?;
    Ok(Some(answers))
}

async fn read_page<S: Session>(
    session: &mut S,
    queries: impl Iterator<Item = Query> + Send,
    limit: usize,
    budget: usize,
) -> Result<Page, Failure> {
    let mut cells = Vec::new();
    let mut left = budget;
    for query in queries {
        let answer = session.cells(&query, left).await?;
        let bytes: usize = answer.cells.iter().map(size).sum();
        left = left.saturating_sub(bytes);
        if cells.is_empty() {
            cells = answer.cells;
        } else {
            cells.extend(answer.cells);
        }
        if answer.cut || left == 0 || cells.len() >= limit {
            cells.truncate(limit);
            return Ok(Page { cells, more: true });
        }
    }
    Ok(Page { cells, more: false })
}

/// Cells of which so many fit in a page are not large.
const MANY: usize = 1024;

/// How many cells of so many bytes a page asks for: somewhat fewer than have `budget` bytes, for they are not all of one size.
fn rows_within(budget: usize, bytes: usize) -> usize {
    (budget / 8 * 7 / bytes.max(1)).max(1)
}

/// What a cell counts against a budget, in bytes.
pub(crate) fn size(cell: &Cell) -> usize {
    let body = cell.body.as_ref().map_or(0, |body| body.as_bytes().len());
    body + cell.triple.row.as_bytes().len() + cell.triple.column.as_bytes().len()
}
