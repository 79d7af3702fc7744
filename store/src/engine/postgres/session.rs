//! One connection to a PostgreSQL server: the statements it is sent, and whether it waits for an answer.
//!
//! How it is set up is in `setup`, what it may create in `rights`, and the form of parameters and rows in `values`.

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use cellgate_schemaless::Epoch;
use futures_util::TryStreamExt;
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, RowStream, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::setup::{Facts, TABLES, facts, settings};
use super::values::{Bind, cell, value};
use super::{error, head, insert};
use crate::backend::Timeouts;
use crate::engine::server::attempts::unsettled;
use crate::engine::server::core::size;
use crate::engine::server::driver::{
    Cells, Existing, Failure, Holds, Mark, NewRow, PassOver, Place, Session, Start, Value, replaced,
};
use crate::error::{Reason, StoreError};
use crate::hash::FastHash;
use crate::sql::{Param, Query};

/// Prepared statements kept per session; when there are more, all are dropped and prepared again as they come.
const STATEMENTS: usize = 512;

/// Key of the advisory lock under which the schema is changed ("cellgate" in ASCII).
const DEFINING: i64 = 0x6365_6c6c_6761_7465;

/// Which server, database and schema this is, and whether it can only be read. A copy of a server's files has the same
/// system identifier, but no two servers were started in the same microsecond; and anybody may ask when that was.
const PLACE: &str = "SELECT 'database ' || d.datname || ' (oid ' || d.oid || '), schema ' || coalesce(current_schema(), '-') || \
                     ', of the server on port ' || current_setting('port') || ', which was started at ' || \
                     to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), \
                     pg_is_in_recovery()::int::bigint \
                     FROM pg_database d WHERE d.datname = current_database()";

/// Makes of a transaction one that is in the write-ahead log, so that its commit waits for what all others wait for. No
/// table is touched, and nobody reads the message.
const COMMIT_OF_OUR_OWN: &str = "SELECT pg_logical_emit_message(true, 'cellgate', '')";

/// Pause between two looks at whether a session is over.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// A connection, logged in and set up.
pub struct PostgresSession {
    client: Client,
    /// Reads and writes the connection.
    task: JoinHandle<()>,
    statements: HashMap<String, Statement, FastHash>,
    mark: Mark,
    durable: bool,
    start: Start,
    /// Which `cg_head` there was when it was opened; 0 if there was none.
    tables: i64,
    /// Whether it was asked something, or an answer was left half-read.
    busy: bool,
}

impl fmt::Debug for PostgresSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSession").field("mark", &self.mark).finish_non_exhaustive()
    }
}

impl Drop for PostgresSession {
    /// Closes the connection at once, even in the middle of an answer.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PostgresSession {
    /// Opens a connection and sets it up.
    pub(super) async fn start(
        config: &Config,
        tls: Option<&ClientConfig>,
        timeouts: &Timeouts,
        schema: &str,
    ) -> Result<Self, StoreError> {
        let (client, task) = match tls {
            Some(tls) => connect(config, MakeRustlsConnect::new(tls.clone())).await?,
            None => connect(config, NoTls).await?,
        };
        let mut session = Self {
            client,
            task,
            statements: HashMap::default(),
            mark: Mark { number: 0, nonce: "".into() },
            durable: true,
            start: Start(0),
            tables: 0,
            busy: false,
        };
        session.set_up(timeouts, schema).await.map_err(|failure| match unsettled(failure) {
            StoreError::Failed { detail } => StoreError::Unavailable { reason: Reason::Connect, detail },
            error => error,
        })?;
        Ok(session)
    }

    async fn set_up(&mut self, timeouts: &Timeouts, schema: &str) -> Result<(), Failure> {
        self.run(&settings(timeouts, schema)).await?;
        let Facts { mark, durable, start, tables } = Facts::of(&self.fetch(&facts()).await?)?;
        (self.mark, self.durable, self.start, self.tables) = (mark, durable, start, tables);
        Ok(())
    }

    /// Whether a commit is on disk when it is answered.
    pub(super) fn durable(&self) -> bool {
        self.durable
    }

    /// Whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Speaks to the server, beside the statements that are kept.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The first cells of an answer, and whether there are more.
    async fn read_cells(&mut self, query: &Query, budget: usize) -> Result<Cells, Failure> {
        let mut cells = Vec::new();
        let mut bytes = 0usize;
        let mut stream = pin!(self.stream(query).await?);
        while bytes <= budget
            && let Some(row) = stream.try_next().await.map_err(|e| error::of_statement(&e))?
        {
            let cell = cell(&row)?;
            bytes = bytes.saturating_add(size(&cell));
            cells.push(cell);
        }
        // Of cells that are each larger than a page one is asked for at a time: behind it the answer ends.
        let alone = cells.len() == 1;
        let cut = bytes > budget && !(alone && stream.try_next().await.map_err(|e| error::of_statement(&e))?.is_none());
        Ok(Cells { cells, cut })
    }

    async fn read_values(&mut self, query: &Query) -> Result<Vec<Vec<Value>>, Failure> {
        let mut stream = pin!(self.stream(query).await?);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await.map_err(|e| error::of_statement(&e))? {
            rows.push((0..row.len()).map(|i| value(&row, i)).collect::<Result<_, _>>()?);
        }
        Ok(rows)
    }

    async fn count_changed(&mut self, query: &Query) -> Result<u64, Failure> {
        let mut stream = pin!(self.stream(query).await?);
        while stream.try_next().await.map_err(|e| error::of_statement(&e))?.is_some() {}
        Ok(stream.rows_affected().unwrap_or(0))
    }

    async fn stream(&mut self, query: &Query) -> Result<RowStream, Failure> {
        let lost = |e: tokio_postgres::Error| error::of_statement(&e);
        let statement = match self.statements.get(&query.text) {
            Some(statement) => statement.clone(),
            None => {
                let statement = self.client.prepare(&query.text).await.map_err(lost)?;
                if self.statements.len() >= STATEMENTS {
                    self.statements.clear();
                }
                self.statements.insert(query.text.clone(), statement.clone());
                statement
            }
        };
        self.client.query_raw(&statement, query.params.iter().map(Bind)).await.map_err(lost)
    }
}

/// Connects, and starts the task that reads and writes the connection.
async fn connect<T>(config: &Config, tls: T) -> Result<(Client, JoinHandle<()>), StoreError>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) =
        config.connect(tls).await.map_err(|e| error::of_connecting(&e, config.get_dbname().unwrap_or_default()))?;
    let task = tokio::spawn(async move {
        // Whoever waits for an answer is told by the client half.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to PostgreSQL ended");
        }
    });
    Ok((client, task))
}

#[async_trait]
impl Session for PostgresSession {
    async fn cells(&mut self, query: &Query, budget: usize) -> Result<Cells, Failure> {
        self.busy = true;
        let answer = self.read_cells(query, budget).await;
        // The connection's task would read on to the end of the answer before that of the next statement.
        self.busy = answer.as_ref().is_ok_and(|answer| answer.cut);
        answer
    }

    async fn fetch(&mut self, query: &Query) -> Result<Vec<Vec<Value>>, Failure> {
        self.busy = true;
        let answer = self.read_values(query).await;
        self.busy = false;
        answer
    }

    async fn execute(&mut self, query: &Query) -> Result<u64, Failure> {
        self.busy = true;
        let answer = self.count_changed(query).await;
        self.busy = false;
        answer
    }

    async fn run(&mut self, text: &str) -> Result<(), Failure> {
        self.busy = true;
        let answer = self.client.batch_execute(text).await;
        self.busy = false;
        answer.map_err(|e| error::of_statement(&e))
    }

    async fn insert(
        &mut self,
        epoch: Epoch,
        rows: &[NewRow<'_>],
        existing: Existing,
    ) -> Result<Vec<Option<Place>>, Failure> {
        // Not in BEGIN and COMMIT: the statement is its own transaction, and an error of the server means that it was
        // rolled back.
        let answer = self.fetch(&insert::query(epoch, rows, existing)).await?;
        insert::places(rows.len(), &answer)
    }

    async fn place(&mut self) -> Result<Option<String>, Failure> {
        let rows = self.fetch(&plain(PLACE)).await?;
        let Some([Value::Bytes(place), Value::Int(0)]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(place).into_owned()))
    }

    fn mark(&self) -> Mark {
        self.mark.clone()
    }

    async fn end(&mut self, other: &Mark, wait: Duration) -> Result<bool, Failure> {
        let until = Instant::now() + wait;
        // A process number may be handed out again; not with the same start. An entry is there until after the
        // process has committed or rolled back.
        let running = Query {
            text: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1::bigint AND \
                   (extract(epoch FROM backend_start) * 1000000)::bigint = $2::bigint"
                .to_owned(),
            params: vec![Param::Int(other.number), Param::Int(other.nonce.parse().unwrap_or(0))],
        };
        while !self.fetch(&running).await?.is_empty() {
            if Instant::now() >= until {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        Ok(true)
    }

    async fn idle(&mut self, other: &Mark) -> Result<Option<Duration>, Failure> {
        // What another role does is not shown to everybody.
        let state = Query {
            text: "SELECT CASE WHEN state LIKE 'idle%' THEN \
                   (extract(epoch FROM clock_timestamp() - state_change) * 1000)::bigint END FROM pg_stat_activity \
                   WHERE pid = $1::bigint AND (extract(epoch FROM backend_start) * 1000000)::bigint = $2::bigint"
                .to_owned(),
            params: vec![Param::Int(other.number), Param::Int(other.nonce.parse().unwrap_or(0))],
        };
        Ok(match self.fetch(&state).await?.first().and_then(|row| row.first()) {
            Some(Value::Int(millis)) => Some(Duration::from_millis(u64::try_from(*millis).unwrap_or(0))),
            Some(Value::Null | Value::Bytes(_)) => None,
            None => Some(Duration::MAX),
        })
    }

    fn is_awaited(&self) -> bool {
        self.busy && !self.client.is_closed()
    }

    fn hang_up(&mut self) {
        self.task.abort();
    }

    fn start(&self) -> Option<Start> {
        Some(self.start)
    }

    async fn pass_over(&mut self, passing: PassOver) -> Result<(), Failure> {
        self.run(&head::pass_over(self.start, passing)).await
    }

    async fn check_tables(&mut self) -> Result<(), Failure> {
        let rows = self.fetch(&plain(TABLES)).await?;
        if rows.first().map(Vec::as_slice) == Some(&[Value::Int(self.tables)]) { Ok(()) } else { Err(replaced()) }
    }

    async fn confirm(&mut self, _: Holds) -> Result<(), Failure> {
        // Waits for the same standbys, which then have all that was committed before.
        self.run(COMMIT_OF_OUR_OWN).await
    }

    fn is_idle(&self) -> bool {
        !self.busy
    }

    async fn define(&mut self, statements: &[String]) -> Result<(), Failure> {
        // CREATE TABLE IF NOT EXISTS fails when somebody else creates the same table at the same time.
        let statements = statements.join("; ");
        // Where all of it is there already, by a session that was ended while it waited for its standbys, this one waits.
        let text =
            format!("BEGIN; SELECT pg_advisory_xact_lock({DEFINING}); {statements}; {COMMIT_OF_OUR_OWN}; COMMIT");
        match self.run(&text).await {
            Err(
                failure @ (Failure::Store(_) | Failure::Again { .. } | Failure::ReadOnly { .. } | Failure::Duplicate),
            ) => {
                self.run("ROLLBACK").await.map_err(Failure::at_commit)?;
                Err(failure)
            }
            other => other,
        }
    }
}

/// A statement without parameters.
pub(super) fn plain(text: &str) -> Query {
    Query { text: text.to_owned(), params: Vec::new() }
}
