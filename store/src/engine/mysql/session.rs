//! One connection to a MariaDB or MySQL server.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Epoch, Micros, RefKey, RowKey, ShardId, Token, Triple, TxnId,
};
use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{Column, Conn, Params, QueryResult, Row, Statement};

use super::{Returning, STATEMENTS, error, insert};
use crate::backend::Timeouts;
use crate::engine::server::core::size;
use crate::engine::server::driver::{Cells, Existing, Failure, Mark, NewRow, Place, Session, Value};
use crate::error::{Reason, StoreError};
use crate::hash::FastHash;
use crate::sql::{MYSQL, Param, Query};

/// A connection, logged in and set up.
pub struct MysqlSession {
    connection: Conn,
    /// Prepared by text; the driver's own cache would look through the text at every use.
    statements: HashMap<String, Statement, FastHash>,
    mark: Mark,
    /// Whether the server has `INSERT .. RETURNING`.
    returning: bool,
    /// Longest statement the server takes, in bytes.
    packet: usize,
    durable: bool,
    /// Whether an answer was left half-read.
    half_read: bool,
}

impl fmt::Debug for MysqlSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlSession").field("mark", &self.mark).field("returning", &self.returning).finish()
    }
}

impl MysqlSession {
    /// Sets a new connection up.
    pub(super) async fn start(
        mut connection: Conn,
        timeouts: &Timeouts,
        returning: Returning,
    ) -> Result<Self, StoreError> {
        let nonce = nonce()?;
        let maria = is_maria(&mut connection).await.map_err(|e| error::of_connecting(&e))?;
        let facts = set_up(&mut connection, timeouts, maria, &nonce).await.map_err(|e| error::of_connecting(&e))?;
        if !facts.marked {
            // Without it a lost write could not be settled.
            let detail = "the server gives a session no user lock (GET_LOCK)".to_owned();
            return Err(StoreError::Refused { detail });
        }
        let returning = match returning {
            Returning::IfKnown => maria && connection.server_version() >= (10, 5, 0),
            Returning::Never => false,
        };
        let mark = Mark { number: i64::from(connection.id()), nonce };
        let statements = HashMap::default();
        Ok(Self {
            connection,
            statements,
            mark,
            returning,
            packet: facts.packet,
            durable: facts.durable,
            half_read: false,
        })
    }

    /// Whether a commit is on disk when it is answered.
    pub(super) fn durable(&self) -> bool {
        self.durable
    }

    /// Prepares a text, or finds it prepared.
    async fn prepared(&mut self, text: &str) -> Result<Statement, Failure> {
        if let Some(statement) = self.statements.get(text) {
            return Ok(statement.clone());
        }
        let lost = |e: mysql_async::Error| error::of_statement(&e);
        if self.statements.len() >= STATEMENTS {
            for (_, statement) in self.statements.drain() {
                self.connection.close(statement).await.map_err(lost)?;
            }
        }
        let statement = self.connection.prep(text).await.map_err(lost)?;
        self.statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Runs a packet of statements, all of which are answered: one list of rows per statement.
    ///
    /// # Errors
    /// With the number of the statement that failed, from 0. Those behind it were not run.
    async fn script(&mut self, text: Vec<u8>, statements: usize) -> Result<Vec<Vec<Row>>, (usize, Failure)> {
        let mut answers = Vec::with_capacity(statements);
        let failed = |at: usize| move |e: mysql_async::Error| (at, error::of_statement(&e));
        let mut result = self.connection.query_iter(text).await.map_err(failed(0))?;
        while answers.len() < statements {
            let mut rows = Vec::new();
            loop {
                match result.next().await {
                    Ok(Some(row)) => rows.push(row),
                    Ok(None) => break,
                    Err(e) => return Err(failed(answers.len())(e)),
                }
            }
            answers.push(rows);
        }
        Ok(answers)
    }

    /// Ends the transaction a failed script left open, and passes the failure on.
    async fn roll_back(&mut self, failure: Failure) -> Failure {
        match failure {
            Failure::Lost { detail } => Failure::Lost { detail },
            // Nothing was committed, so that a connection lost now is not a lost attempt; but it is of no use.
            other => match self.connection.query_drop("ROLLBACK").await {
                Ok(()) => other,
                Err(e) => {
                    self.half_read = true;
                    Failure::Again { reason: Reason::Statement, detail: e.to_string() }
                }
            },
        }
    }
}

#[async_trait]
impl Session for MysqlSession {
    async fn cells(&mut self, query: &Query, budget: usize) -> Result<Cells, Failure> {
        let lost = |e: mysql_async::Error| error::of_statement(&e);
        let (statement, params) = (self.prepared(&query.text).await?, bind(&query.params)?);
        let mut result = self.connection.exec_iter(statement, params).await.map_err(lost)?;
        let mut cells = Vec::new();
        let mut bytes = 0usize;
        while let Some(row) = result.next().await.map_err(lost)? {
            let cell = cell(row)?;
            bytes = bytes.saturating_add(size(&cell));
            cells.push(cell);
            if bytes > budget {
                self.half_read = true;
                return Ok(Cells { cells, cut: true });
            }
        }
        Ok(Cells { cells, cut: false })
    }

    async fn fetch(&mut self, query: &Query) -> Result<Vec<Vec<Value>>, Failure> {
        let lost = |e: mysql_async::Error| error::of_statement(&e);
        if query.params.is_empty() {
            let result = self.connection.query_iter(query.text.as_str()).await.map_err(lost)?;
            return values(result).await;
        }
        let (statement, params) = (self.prepared(&query.text).await?, bind(&query.params)?);
        let result = self.connection.exec_iter(statement, params).await.map_err(lost)?;
        values(result).await
    }

    async fn execute(&mut self, query: &Query) -> Result<u64, Failure> {
        let lost = |e: mysql_async::Error| error::of_statement(&e);
        let (statement, params) = (self.prepared(&query.text).await?, bind(&query.params)?);
        self.connection.exec_drop(statement, params).await.map_err(lost)?;
        Ok(self.connection.affected_rows())
    }

    async fn run(&mut self, text: &str) -> Result<(), Failure> {
        self.connection.query_drop(text).await.map_err(|e| error::of_statement(&e))
    }

    async fn insert(
        &mut self,
        epoch: Epoch,
        rows: &[NewRow<'_>],
        existing: Existing,
    ) -> Result<Vec<Option<Place>>, Failure> {
        let plan = insert::Plan::new(epoch, rows, existing, self.returning, self.packet)?;
        let last = plan.packets.len().saturating_sub(1);
        let mut answers = Vec::new();
        for (i, packet) in plan.packets.into_iter().enumerate() {
            match self.script(packet.text, packet.statements).await {
                Ok(more) => answers.extend(more),
                Err((at, failure)) => {
                    // The last statement of the last packet is the COMMIT.
                    let commit = i == last && at + 1 == packet.statements;
                    let failure = if commit { failure.at_commit() } else { failure };
                    return Err(self.roll_back(failure).await);
                }
            }
        }
        insert::places(rows, existing, self.returning, &mut answers)
    }

    fn mark(&self) -> Mark {
        self.mark.clone()
    }

    /// Every session of ours holds a user lock named by its nonce: the server lets go of it when the session is over,
    /// its transaction committed or rolled back before that. So whoever gets the lock knows; no list of processes is
    /// read, and a number that was handed out again after a restart is never hit.
    async fn end(&mut self, other: &Mark, wait: Duration) -> Result<bool, Failure> {
        let (number, nonce) = (other.number, &other.nonce);
        let holder = self.fetch(&plain(format!("SELECT IS_USED_LOCK('{nonce}')"))).await?;
        if first(&holder) == Some(&Value::Null) {
            return Ok(true);
        }
        if first(&holder) == Some(&Value::Int(number)) {
            // Fails when the session ended in between, which is as good.
            match self.run(&format!("KILL {number}")).await {
                Ok(()) | Err(Failure::Store(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        let got = self.fetch(&plain(format!("SELECT GET_LOCK('{nonce}', {:.3})", wait.as_secs_f64()))).await?;
        if first(&got) != Some(&Value::Int(1)) {
            return Ok(false);
        }
        self.run(&format!("DO RELEASE_LOCK('{nonce}')")).await?;
        Ok(true)
    }

    fn is_idle(&self) -> bool {
        !self.half_read
    }

    async fn define(&mut self, statements: &[String]) -> Result<(), Failure> {
        for statement in statements {
            self.run(statement).await?;
        }
        Ok(())
    }
}

/// What a session reads about the server when it starts.
struct Facts {
    packet: usize,
    durable: bool,
    /// Whether the session holds the lock of its nonce.
    marked: bool,
}

async fn is_maria(connection: &mut Conn) -> mysql_async::Result<bool> {
    let version: Option<String> = connection.query_first("SELECT VERSION()").await?;
    Ok(version.is_some_and(|version| version.to_ascii_lowercase().contains("mariadb")))
}

async fn set_up(connection: &mut Conn, timeouts: &Timeouts, maria: bool, nonce: &str) -> mysql_async::Result<Facts> {
    let lock = whole_seconds(timeouts.lock).min(5);
    let statement = timeouts.statement;
    // A session that was left in a transaction, as by a proxy that was stopped, must not hold the log head for longer
    // than others wait for it. MySQL knows no such limit but that on any idleness.
    let of_engine = if maria {
        format!(
            "max_statement_time={:.3}, idle_transaction_timeout={lock}, in_predicate_conversion_threshold=0",
            statement.as_secs_f64()
        )
    } else {
        format!("max_execution_time={}, wait_timeout=30", statement.as_millis())
    };
    // Without backslash escapes a quoted literal has one special character.
    let settings = format!(
        "SET NAMES utf8mb4; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET SESSION sql_mode='STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION', time_zone='+00:00', \
         autocommit=1, innodb_lock_wait_timeout={lock}, lock_wait_timeout={lock}, {of_engine}"
    );
    connection.query_drop(settings).await?;
    let facts: Option<(u64, i64, Option<i64>)> = connection
        .query_first(format!("SELECT @@max_allowed_packet, @@innodb_flush_log_at_trx_commit, GET_LOCK('{nonce}', 0)"))
        .await?;
    let (packet, flush, locked) = facts.unwrap_or_default();
    Ok(Facts { packet: usize::try_from(packet).unwrap_or(usize::MAX), durable: flush == 1, marked: locked == Some(1) })
}

/// Creates a database unless it is there.
pub(super) async fn create_database(connection: &mut Conn, name: &str) -> Result<(), StoreError> {
    let mut text = "CREATE DATABASE IF NOT EXISTS ".to_owned();
    MYSQL.quote(&mut text, name);
    connection.query_drop(text).await.map_err(|e| match error::of_statement(&e) {
        Failure::Store(StoreError::Failed { detail }) => {
            StoreError::Refused { detail: format!("the database {name} is not there and cannot be created: {detail}") }
        }
        Failure::Store(error) => error,
        failure @ (Failure::Lost { .. } | Failure::Duplicate | Failure::Stale | Failure::Again { .. }) => {
            crate::engine::server::attempts::unsettled(failure)
        }
    })
}

/// A name no other session ever had, safe in a literal.
fn nonce() -> Result<String, StoreError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| StoreError::Failed { detail: format!("the system gives no random bytes: {e}") })?;
    Ok(format!("cg_{:032x}", u128::from_be_bytes(bytes)))
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn plain(text: String) -> Query {
    Query { text, params: Vec::new() }
}

fn first(rows: &[Vec<Value>]) -> Option<&Value> {
    rows.first().and_then(|row| row.first())
}

fn bind(params: &[Param]) -> Result<Params, Failure> {
    if params.is_empty() {
        return Ok(Params::Empty);
    }
    let value = |param: &Param| match param {
        Param::Bytes(bytes) => Ok(mysql_async::Value::Bytes(bytes.to_vec())),
        Param::Int(number) => Ok(mysql_async::Value::Int(*number)),
        Param::Text(text) => Ok(mysql_async::Value::Bytes(text.clone().into_bytes())),
        Param::NullInt => Ok(mysql_async::Value::NULL),
        Param::BytesList(_) | Param::IntList(_) => {
            Err(Failure::Store(StoreError::Failed { detail: "a list cannot be bound by this protocol".to_owned() }))
        }
    };
    Ok(Params::Positional(params.iter().map(value).collect::<Result<_, _>>()?))
}

async fn values<P: Protocol>(mut result: QueryResult<'_, '_, P>) -> Result<Vec<Vec<Value>>, Failure> {
    let mut rows = Vec::new();
    while let Some(row) = result.next().await.map_err(|e| error::of_statement(&e))? {
        rows.push(row_values(row));
    }
    Ok(rows)
}

/// The values of a row. The text protocol sends numbers as text, so that the column's type decides.
pub(super) fn row_values(row: Row) -> Vec<Value> {
    let columns = row.columns();
    let value = |(value, column): (Option<mysql_async::Value>, &Column)| match value {
        None | Some(mysql_async::Value::NULL) => Value::Null,
        Some(mysql_async::Value::Int(number)) => Value::Int(number),
        Some(mysql_async::Value::UInt(number)) => i64::try_from(number).map_or(Value::Null, Value::Int),
        Some(mysql_async::Value::Bytes(bytes)) if column.column_type().is_numeric_type() => {
            std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok()).map_or(Value::Null, Value::Int)
        }
        Some(mysql_async::Value::Bytes(bytes)) => Value::Bytes(bytes.into()),
        // No statement of ours asks for these.
        Some(
            mysql_async::Value::Float(_)
            | mysql_async::Value::Double(_)
            | mysql_async::Value::Date(..)
            | mysql_async::Value::Time(..),
        ) => Value::Null,
    };
    row.unwrap_raw().into_iter().zip(columns.iter()).map(value).collect()
}

/// A row of [`CELL_COLUMNS`](crate::sql::CELL_COLUMNS).
fn cell(row: Row) -> Result<Cell, Failure> {
    let wrong = || Failure::Store(StoreError::Corrupt { detail: "a row is not of the form of a cell".to_owned() });
    // Of a prepared statement, so that numbers are numbers.
    let mut values = row.unwrap_raw().into_iter();
    let mut next = || values.next().flatten().unwrap_or(mysql_async::Value::NULL);
    let int = |value| match value {
        mysql_async::Value::Int(number) => Ok(number),
        mysql_async::Value::UInt(number) => i64::try_from(number).map_err(|_| wrong()),
        _ => Err(wrong()),
    };
    let bytes = |value| match value {
        mysql_async::Value::Bytes(bytes) => Ok(Bytes::from(bytes)),
        _ => Err(wrong()),
    };
    let (added_id, shard, kind) = (int(next())?, int(next())?, int(next())?);
    let (created_at, token, txn) = (int(next())?, int(next())?, next());
    let (row, column, ref_key, body) = (bytes(next())?, bytes(next())?, int(next())?, next());
    Ok(Cell {
        triple: Triple {
            row: RowKey::from_store(row),
            column: ColumnKey::from_store(column),
            ref_key: RefKey(ref_key),
        },
        body: match body {
            mysql_async::Value::NULL => None,
            body => Some(Body::from_store(bytes(body)?)),
        },
        added_id: AddedId(added_id),
        shard: ShardId(u16::try_from(shard).map_err(|_| wrong())?),
        created_at: Micros(created_at),
        kind: CellKind::from_code(kind).ok_or_else(wrong)?,
        token: Token(token),
        txn: match txn {
            mysql_async::Value::NULL => None,
            txn => Some(TxnId(int(txn)?)),
        },
    })
}
