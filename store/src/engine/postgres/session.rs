//! One connection to a PostgreSQL server.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Epoch, Micros, RefKey, RowKey, ShardId, Token, Triple, TxnId,
};
use futures_util::TryStreamExt;
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, Row, RowStream, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{error, head, insert};
use crate::backend::Timeouts;
use crate::engine::server::attempts::unsettled;
use crate::engine::server::core::size;
use crate::engine::server::driver::{
    Cells, Existing, Failure, Holds, Mark, NewRow, Place, Session, Start, Value, replaced,
};
use crate::error::{Reason, StoreError};
use crate::hash::FastHash;
use crate::sql::{POSTGRES, Param, Query};

/// Prepared statements kept per session; when there are more, all are dropped and prepared again as they come.
const STATEMENTS: usize = 512;

/// Key of the advisory lock under which the schema is changed ("cellgate" in ASCII).
const DEFINING: i64 = 0x6365_6c6c_6761_7465;

/// How statements are planned: once per session, by index. Every statement of ours is a range of one index or a lookup per
/// key, whatever the values. Left alone, the planner makes a new plan for every statement of few keys (0.2 ms and more,
/// several times what reading them costs), and keeps reading a table as a whole that was empty when it made the plan.
const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                     SET enable_mergejoin = off; SET jit = off";

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

/// Which `cg_head` there is: its file, for dumps are loaded into new tables, or into emptied ones, which have a new file, too.
/// (So has one behind VACUUM FULL, which is taken for a start, and costs ids only.)
///
/// With the start of the server and the database it is the start of a session. Each server that takes over was started at
/// another time, and so was one whose files were put back. A plain restart loses nothing, and does not look different.
const TABLES: &str = "SELECT coalesce(pg_relation_filenode(to_regclass('cg_head')), 0)::bigint";

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
        let mark = Mark { number: 0, nonce: "".into() };
        let mut session = Self {
            client,
            task,
            statements: HashMap::default(),
            mark,
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
        let facts = self
            .fetch(&plain(&format!(
                "SELECT pid::bigint, (extract(epoch FROM backend_start) * 1000000)::bigint, \
                 current_setting('fsync'), pg_is_in_recovery(), \
                 (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, datid::bigint, ({TABLES}) \
                 FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            )))
            .await?;
        match facts.first().map(Vec::as_slice) {
            Some([_, _, _, Value::Int(1), ..]) => {
                // It may lack what was acknowledged, and have what was erased since.
                let detail = "the server is a standby (pg_is_in_recovery): only a primary is read from".to_owned();
                Err(Failure::Store(StoreError::Unavailable { reason: Reason::Connect, detail }))
            }
            Some(
                [
                    Value::Int(pid),
                    Value::Int(started),
                    Value::Bytes(fsync),
                    Value::Int(_),
                    Value::Int(server),
                    Value::Int(database),
                    Value::Int(tables),
                ],
            ) => {
                self.start = Start::of(&[*server, *database, *tables]);
                self.tables = *tables;
                self.mark = Mark { number: *pid, nonce: started.to_string().into() };
                self.durable = fsync.as_ref() == b"on";
                Ok(())
            }
            Some(_) | None => Err(Failure::Store(StoreError::Refused {
                detail: "the server does not show a session its own entry in pg_stat_activity: a role that logs in as another \
                         one needs pg_read_all_stats and pg_signal_backend"
                    .to_owned(),
            })),
        }
    }

    /// Whether a commit is on disk when it is answered.
    pub(super) fn durable(&self) -> bool {
        self.durable
    }

    /// Whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Which right is missing to create tables in this schema, or the schema itself if it is not there.
    pub(super) async fn missing_right(&mut self, schema: &str) -> Result<Option<String>, StoreError> {
        let missing = Query {
            text: "SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text) THEN \
                   CASE WHEN NOT has_database_privilege(current_database(), 'CREATE') THEN \
                   format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user) END \
                   WHEN NOT has_schema_privilege($1::text, 'USAGE') OR NOT has_schema_privilege($1::text, 'CREATE') THEN \
                   format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', $1::text, current_user) END"
                .to_owned(),
            params: vec![Param::Text(schema.to_owned())],
        };
        match self.fetch(&missing).await.map_err(unsettled)?.first().and_then(|row| row.first()) {
            Some(Value::Bytes(grant)) => Ok(Some(format!(
                "a right is missing to create tables in schema {schema}; as its owner: {}",
                String::from_utf8_lossy(grant)
            ))),
            Some(Value::Null | Value::Int(_)) | None => Ok(None),
        }
    }

    /// Whether it may create databases.
    pub(super) async fn creates_databases(&mut self) -> Result<bool, StoreError> {
        let may = plain("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user");
        let rows = self.fetch(&may).await.map_err(unsettled)?;
        Ok(rows.first().and_then(|row| row.first()) == Some(&Value::Int(1)))
    }

    /// Whether the schema is there.
    pub(super) async fn has_schema(&mut self, name: &str) -> Result<bool, StoreError> {
        let text = "SELECT 1 FROM pg_namespace WHERE nspname = $1::text".to_owned();
        let there = Query { text, params: vec![Param::Text(name.to_owned())] };
        Ok(!self.fetch(&there).await.map_err(unsettled)?.is_empty())
    }

    /// Creates a database or schema unless it is there.
    pub(super) async fn create(&mut self, what: &str, name: &str) -> Result<(), StoreError> {
        let mut text = format!("CREATE {what} ");
        POSTGRES.quote(&mut text, name);
        match self.client.batch_execute(&text).await {
            Ok(()) => Ok(()),
            // It is there, or somebody else is creating it at this moment.
            Err(e) if matches!(e.code().map(|c| c.code()), Some("42P04" | "42P06" | "23505")) => Ok(()),
            Err(e) => Err(match unsettled(error::of_statement(&e)) {
                StoreError::Failed { detail } => {
                    StoreError::Refused { detail: format!("{name} is not there and cannot be created: {detail}") }
                }
                error => error,
            }),
        }
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

    async fn pass_over(&mut self) -> Result<(), Failure> {
        self.run(&head::pass_over(self.start)).await
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

/// The statements that set a session up (C4 of docs/ARCHITECTURE.md).
fn settings(timeouts: &Timeouts, schema: &str) -> String {
    let mut path = String::new();
    POSTGRES.quote(&mut path, schema);
    let (statement, lock) = (timeouts.statement.as_millis(), timeouts.lock.as_millis());
    format!(
        "SET search_path = {path}; SET synchronous_commit = on; SET default_transaction_isolation = \
         'read committed'; SET client_min_messages = warning; SET statement_timeout = {statement}; \
         SET lock_timeout = {lock}; SET idle_in_transaction_session_timeout = {lock}; {PLANS}"
    )
}

fn plain(text: &str) -> Query {
    Query { text: text.to_owned(), params: Vec::new() }
}

/// A parameter in PostgreSQL's binary form.
#[derive(Debug)]
struct Bind<'a>(&'a Param);

impl ToSql for Bind<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            Param::Bytes(bytes) => bytes.as_ref().to_sql(ty, out),
            Param::Int(number) => number.to_sql(ty, out),
            Param::Text(text) => text.to_sql(ty, out),
            Param::NullInt => Ok(IsNull::Yes),
            Param::BytesList(list) => {
                let list: Vec<&[u8]> = list.iter().map(AsRef::as_ref).collect();
                list.to_sql(ty, out)
            }
            Param::IntList(list) => list.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Every placeholder has a cast to the type its parameter is sent as.
        true
    }

    to_sql_checked!();
}

fn corrupt(detail: impl fmt::Display) -> Failure {
    Failure::Store(StoreError::Corrupt { detail: format!("a row is not of the form of a cell: {detail}") })
}

fn value(row: &Row, i: usize) -> Result<Value, Failure> {
    let kind = row.columns().get(i).map(|column| column.type_());
    let int = |number: Option<i64>| number.map_or(Value::Null, Value::Int);
    let bytes = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, |b| Value::Bytes(Bytes::copy_from_slice(b)));
    Ok(match kind {
        Some(&Type::INT8) => int(row.try_get(i).map_err(corrupt)?),
        Some(&Type::INT4) => int(row.try_get::<_, Option<i32>>(i).map_err(corrupt)?.map(i64::from)),
        Some(&Type::INT2) => int(row.try_get::<_, Option<i16>>(i).map_err(corrupt)?.map(i64::from)),
        Some(&Type::BOOL) => int(row.try_get::<_, Option<bool>>(i).map_err(corrupt)?.map(i64::from)),
        Some(&Type::BYTEA) => bytes(row.try_get(i).map_err(corrupt)?),
        Some(&(Type::TEXT | Type::VARCHAR | Type::NAME)) => {
            bytes(row.try_get::<_, Option<&str>>(i).map_err(corrupt)?.map(str::as_bytes))
        }
        // No statement of ours asks for another type.
        Some(_) | None => Value::Null,
    })
}

/// A row of [`CELL_COLUMNS`](crate::sql::CELL_COLUMNS).
fn cell(row: &Row) -> Result<Cell, Failure> {
    let int = |i: usize| match value(row, i)? {
        Value::Int(number) => Ok(number),
        Value::Null | Value::Bytes(_) => Err(corrupt(i)),
    };
    let bytes = |i: usize| match value(row, i)? {
        Value::Bytes(bytes) => Ok(Some(bytes)),
        Value::Null => Ok(None),
        Value::Int(_) => Err(corrupt(i)),
    };
    let txn = match value(row, 5)? {
        Value::Int(txn) => Some(TxnId(txn)),
        Value::Null => None,
        Value::Bytes(_) => return Err(corrupt(5)),
    };
    Ok(Cell {
        added_id: AddedId(int(0)?),
        shard: ShardId(u16::try_from(int(1)?).map_err(corrupt)?),
        kind: CellKind::from_code(int(2)?).ok_or_else(|| corrupt("kind"))?,
        created_at: Micros(int(3)?),
        token: Token(int(4)?),
        txn,
        triple: Triple {
            row: RowKey::from_store(bytes(6)?.ok_or_else(|| corrupt(6))?),
            column: ColumnKey::from_store(bytes(7)?.ok_or_else(|| corrupt(7))?),
            ref_key: RefKey(int(8)?),
        },
        body: bytes(9)?.map(Body::from_store),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_commits_durably_reads_what_is_committed_and_has_bounds() {
        let (statement, lock) = (Duration::from_millis(2500), Duration::from_millis(1500));
        let text = settings(&Timeouts { statement, lock, ..Timeouts::default() }, "a\"b");
        for setting in [
            "search_path = \"a\"\"b\"",
            "synchronous_commit = on",
            "default_transaction_isolation = 'read committed'",
            "statement_timeout = 2500",
            "SET lock_timeout = 1500",
            "idle_in_transaction_session_timeout = 1500",
        ] {
            assert!(text.contains(setting), "{setting} is not in: {text}");
        }
    }
}
