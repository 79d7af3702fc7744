//! A cluster's cells on a database server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cellgate_metrics::{Operation, PoolState};
use cellgate_schemaless::{
    AddedId, Cell, ColumnFilter, Epoch, Erasure, LatestKey, LogScan, Micros, RowScan, ShardId, TableRef, Triple,
};

use crate::backend::{
    ANSWER_BYTES, Backend, EraseStep, Erased, Identity, Location, LogPage, PutGroup, PutOutcome, RowPage, ShardState,
};
use crate::engine::cell_name::CellName;
use crate::engine::server::core::{Core, size};
use crate::engine::server::driver::{Driver, Guard, Holds, Names, Value};
use crate::engine::server::identity::identity_of;
use crate::engine::server::{ServerOptions, erase, put};
use crate::error::StoreError;
use crate::sql::{Dialect, Query, TimeSearch, below_hidden, by_shard, highest_id, is_hidden, left_out};

/// Most rows of one page: with bodies of usual size it stays well below [`PAGE_BYTES`].
const PAGE_ROWS: u64 = 4096;

/// About how many bytes of cells one page has. One cell more may come, however large.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The cells of one cluster, on a database server spoken to by `D`.
pub struct Server<D: Driver> {
    core: Arc<Core<D>>,
}

impl<D: Driver> fmt::Debug for Server<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.core.name).field("driver", self.core.driver()).finish()
    }
}

impl<D: Driver> Server<D> {
    /// A backend that connects when it is first asked something.
    pub(crate) fn with_driver(driver: D, options: &ServerOptions) -> Result<Self, StoreError> {
        Ok(Self { core: Core::new(driver, options, Holds::Cells)? })
    }

    /// In a task of its own: a session whose caller went away is ended, and a change of the schema with it.
    async fn define(&self, statements: Vec<String>) -> Result<(), StoreError> {
        let core = Arc::clone(&self.core);
        finished(tokio::spawn(async move { core.define(&statements).await })).await
    }

    async fn log_page(&self, table: &TableRef, scan: &LogScan, limit: u64) -> Result<LogPage, StoreError> {
        let dialect = self.core.dialect();
        let queries = |limit| dialect.log(table, scan, limit);
        let page = self.core.page(Operation::Log, table, queries, limit, PAGE_BYTES).await?;
        Ok(LogPage { cells: page.cells, more: page.more })
    }

    /// An id in a shard's log up to which every row is older than `from`, near to where that ends.
    async fn search(&self, table: &TableRef, shard: ShardId, from: Micros) -> Result<AddedId, StoreError> {
        let dialect = self.core.dialect();
        let mut search = TimeSearch::new(from, self.place(&dialect.last_of_log(table, shard)).await?);
        while let Some(probe) = search.probe() {
            search.found(probe, self.place(&dialect.first_of_log(table, shard, probe)).await?);
        }
        Ok(search.older())
    }

    /// The `added_id` and `created_at` of a row, if the statement finds one.
    async fn place(&self, query: &Query) -> Result<Option<(AddedId, Micros)>, StoreError> {
        match self.core.fetch(Operation::Log, query).await?.first().map(Vec::as_slice) {
            Some([Value::Int(id), Value::Int(at)]) => Ok(Some((AddedId(*id), Micros(*at)))),
            Some(_) => Err(corrupt("a row has no place in the log")),
            None => Ok(None),
        }
    }

    /// The highest row of each chain that is not hidden, by such a statement.
    async fn highest(
        &self,
        table: &TableRef,
        keys: &[LatestKey],
        names: for<'a> fn(&'a [LatestKey]) -> Names<'a>,
    ) -> Result<Vec<Option<Cell>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = self.core.find(Operation::Latest, table, names(keys)).await?;
        // Hidden rows exist only while a transaction holds a row or a chain is being removed.
        let mut below = below_hidden(keys, &answers);
        while !below.is_empty() {
            let (places, keys): (Vec<usize>, Vec<LatestKey>) = below.into_iter().unzip();
            let lower = self.core.find(Operation::Latest, table, names(&keys)).await?;
            below = below_hidden(&keys, &lower).into_iter().map(|(i, key)| (places[i], key)).collect();
            for (place, answer) in places.into_iter().zip(lower) {
                answers[place] = answer;
            }
        }
        // What is still hidden has nothing below it.
        answers.iter_mut().for_each(|answer| drop(answer.take_if(|cell| is_hidden(cell))));
        Ok(answers)
    }

    /// Fetches the bodies that a statement of several keys left out, one at a time. Cells do not change, so that these
    /// are the ones of the statement's moment; one that was erased since is answered as erased.
    async fn complete(&self, table: &TableRef, answers: &mut [Option<Cell>]) -> Result<(), StoreError> {
        let mut bytes: usize = answers.iter().flatten().map(size).sum();
        for answer in answers.iter_mut().filter(|answer| answer.as_ref().is_some_and(left_out)) {
            if let Some(cell) = answer.take() {
                let name = Names::Exact(std::slice::from_ref(&cell.triple));
                *answer = self.core.find(Operation::Get, table, name).await?.pop().flatten();
            }
            if let Some(cell) = answer.as_ref().filter(|cell| left_out(cell)) {
                return Err(CellName::of(cell).corrupt("it has no body").in_table(table));
            }
            bytes = bytes.saturating_add(answer.as_ref().map_or(0, size));
            if bytes > ANSWER_BYTES {
                return Err(StoreError::AnswerTooLarge { max: ANSWER_BYTES });
            }
        }
        Ok(())
    }
}

#[async_trait]
impl<D: Driver> Backend for Server<D> {
    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        let mut answers = self.get_shared(table, keys).await?;
        self.complete(table, &mut answers).await?;
        Ok(answers)
    }

    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        let mut answers = self.latest_shared(table, keys).await?;
        self.complete(table, &mut answers).await?;
        Ok(answers)
    }

    async fn get_shared(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.core.find(Operation::Get, table, Names::Exact(keys)).await
    }

    async fn latest_shared(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.highest(table, keys, |keys| Names::Latest(keys)).await
    }

    async fn versions(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.highest(table, keys, |keys| Names::Versions(keys)).await
    }

    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError> {
        let limit = scan.limit.unwrap_or(PAGE_ROWS).min(PAGE_ROWS);
        if limit == 0 {
            return Ok(RowPage { cells: Vec::new(), more: false });
        }
        let dialect = self.core.dialect();
        let queries = |limit| dialect.rows(table, scan, limit);
        let page = self.core.page(Operation::Rows, table, queries, limit, PAGE_BYTES).await?;
        Ok(RowPage { cells: page.cells, more: page.more })
    }

    async fn log(&self, table: &TableRef, scan: &LogScan) -> Result<LogPage, StoreError> {
        let limit = scan.limit.unwrap_or(PAGE_ROWS).min(PAGE_ROWS);
        // An empty list is not SQL.
        let no_column = matches!(&scan.columns, ColumnFilter::In(columns) if columns.is_empty());
        if limit == 0 || no_column {
            return Ok(LogPage { cells: Vec::new(), more: false });
        }
        let Some(shards) = by_shard(scan) else { return self.log_page(table, scan, limit).await };
        for (from, mut shard) in shards {
            if shard.after.is_none() {
                let older = self.search(table, shard.shards[0], from).await?;
                shard.added_after = shard.added_after.max(Some(older));
            }
            let page = self.log_page(table, &shard, limit).await?;
            if !page.cells.is_empty() {
                let last = scan.shards.last() == shard.shards.last();
                return Ok(LogPage { more: page.more || !last, ..page });
            }
        }
        Ok(LogPage { cells: Vec::new(), more: false })
    }

    async fn head(&self) -> Result<AddedId, StoreError> {
        match self.core.fetch(Operation::Log, &self.core.dialect().select_next()).await?.first().map(Vec::as_slice) {
            Some([Value::Int(next)]) => Ok(highest_id(*next)),
            Some(_) | None => Err(corrupt("cg_head has no row")),
        }
    }

    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        // In a task of its own: a caller that goes away must not stop a write in the middle.
        let core = Arc::clone(&self.core);
        let groups = groups.to_vec();
        finished(tokio::spawn(async move { put::put(&core.sessions, &core.timeouts, epoch, &groups).await })).await
    }

    async fn erase(
        &self,
        epoch: Epoch,
        table: &TableRef,
        what: &Erasure,
        step: &EraseStep,
    ) -> Result<Erased, StoreError> {
        let core = Arc::clone(&self.core);
        let (table, what, step) = (table.clone(), what.clone(), step.clone());
        finished(tokio::spawn(async move { erase::erase(&core, epoch, &table, &what, &step).await })).await
    }

    async fn create_table(&self, table: &TableRef) -> Result<(), StoreError> {
        self.define(self.core.dialect().create_cell_table(table)).await
    }

    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError> {
        self.define(vec![self.core.dialect().drop_cell_table(table)]).await
    }

    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.core.fetch(Operation::Ddl, &self.core.dialect().select_cell_tables()).await?;
        let name = |row: Vec<Value>| match row.first() {
            Some(Value::Bytes(name)) => Ok(String::from_utf8_lossy(name).into_owned()),
            Some(Value::Int(_) | Value::Null) | None => Err(corrupt("a table has no name")),
        };
        rows.into_iter().map(name).collect()
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        match self.core.fetch(Operation::Ping, &self.core.dialect().select_identity()).await {
            Ok(rows) => rows.first().map(|row| identity_of(row)).transpose(),
            Err(StoreError::NoTable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn check_rights(&self) -> Result<(), StoreError> {
        self.core.driver().check_rights().await
    }

    async fn claim(&self, wanted: &Identity, shards: &[ShardId]) -> Result<Identity, StoreError> {
        let dialect = self.core.dialect();
        self.core.driver().create_database().await?;
        self.core.define(&dialect.create_own_tables()).await?;
        // They were opened before the tables were there.
        self.core.sessions.forget_idle();
        if let Some(standing) = self.identity().await? {
            return Ok(standing);
        }
        let mut changes = vec![dialect.insert_identity(wanted), dialect.insert_head(wanted.cluster)];
        changes.extend(dialect.insert_shards(shards));
        self.core.change(Operation::Ddl, Guard::First, &changes).await?;
        self.identity().await?.ok_or_else(|| corrupt("the identity that was just written is not there"))
    }

    fn expect_identity(&self, identity: &Identity) {
        self.core.sessions.expect_identity(identity);
    }

    async fn location(&self) -> Result<Option<Location>, StoreError> {
        self.core.location().await
    }

    async fn shards(&self) -> Result<(Epoch, Vec<ShardState>), StoreError> {
        // One statement, so that both are of one moment.
        let text = "SELECT h.epoch, s.shard, s.state, s.moved_to FROM cg_head h LEFT JOIN cg_shard s ON 1 = 1 \
                    WHERE h.head = 0 ORDER BY s.shard";
        let rows = self.core.fetch(Operation::Ping, &Query { text: text.to_owned(), params: Vec::new() }).await?;
        let epoch = match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(epoch)) => Epoch(*epoch),
            Some(Value::Null | Value::Bytes(_)) | None => return Err(corrupt("the log head is missing")),
        };
        let owned = rows.iter().filter(|row| row.get(1) != Some(&Value::Null));
        Ok((epoch, owned.map(|row| shard_state(row)).collect::<Result<_, _>>()?))
    }

    async fn raise_epoch(&self, from: Epoch, to: Epoch) -> Result<bool, StoreError> {
        let changed =
            self.core.change(Operation::Ddl, Guard::Free, &[self.core.dialect().raise_epoch(from, to)]).await?;
        if changed.rows > 0 || !changed.after_loss {
            return Ok(changed.rows > 0);
        }
        // The lost attempt may have raised it.
        let rows = self.core.fetch(Operation::Ping, &self.core.dialect().select_epoch()).await?;
        Ok(rows.first().and_then(|row| row.first()) == Some(&Value::Int(to.0)))
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        self.core.ping().await
    }

    fn start(&self) -> i64 {
        self.core.sessions.starts().life()
    }

    fn dialect(&self) -> Option<&'static Dialect> {
        Some(self.core.dialect())
    }

    fn pool(&self) -> Option<PoolState> {
        Some(self.core.sessions.state())
    }

    async fn close(&self) {
        self.core.close().await;
    }
}

/// The answer of a task of ours.
pub(crate) async fn finished<T>(task: tokio::task::JoinHandle<Result<T, StoreError>>) -> Result<T, StoreError> {
    match task.await {
        Ok(answer) => answer,
        Err(error) => Err(StoreError::MaybeWritten { detail: format!("the writing task ended: {error}") }),
    }
}

fn corrupt(detail: &str) -> StoreError {
    StoreError::Corrupt { detail: detail.to_owned() }
}

fn shard_state(row: &[Value]) -> Result<ShardState, StoreError> {
    let (shard, state, moved_to) = match row {
        [_, Value::Int(shard), Value::Int(state), Value::Null] => (*shard, *state, None),
        [_, Value::Int(shard), Value::Int(state), Value::Int(cluster)] => (*shard, *state, Some(*cluster)),
        _ => return Err(corrupt("cg_shard holds what no shard is")),
    };
    ShardState::from_columns(shard, state, moved_to)
}
