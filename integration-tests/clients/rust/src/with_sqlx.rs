//! sqlx: `query` is a prepared statement, `raw_sql` is text.

use serde_json::Value as Json;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlDatabaseError, MySqlRow, MySqlSslMode};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection as _, Either, Executor, MySql, MySqlConnection, Row};
use tokio::runtime::Runtime;
use tokio_stream::StreamExt;

use crate::driver::{Connection, Driver, Failure, Options, Outcome, Value};

pub struct Sqlx;

struct Connected {
    runtime: Runtime,
    inner: MySqlConnection,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let database = error.as_database_error().and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
        Self::Refused { number: database.map(MySqlDatabaseError::number), message: error.to_string() }
    }
}

fn bound<'q>(statement: &'q str, values: &[Value]) -> Query<'q, MySql, MySqlArguments> {
    values.iter().fold(sqlx::query(statement), |query, value| match value {
        Value::Text(text) => query.bind(text.clone()),
        Value::Number(number) => query.bind(*number),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
        Value::Null => query.bind(None::<String>),
    })
}

impl Driver for Sqlx {
    fn version(&self) -> String {
        format!("sqlx {}", crate::locked("sqlx"))
    }

    fn connect(&self, options: &Options) -> Outcome<Box<dyn Connection>> {
        if options.tls {
            return Err(Failure::Skip("built without TLS here"));
        }
        if options.compress {
            return Err(Failure::Skip("does not compress"));
        }
        let runtime = crate::runtime()?;
        let wanted = MySqlConnectOptions::new()
            .host(&options.host)
            .port(options.port)
            .username(&options.user)
            .database(&options.database)
            .ssl_mode(MySqlSslMode::Disabled);
        // It scrambles an empty password, which is not the same as none.
        let wanted = if options.password.is_empty() { wanted } else { wanted.password(&options.password) };
        let inner = runtime.block_on(wanted.connect())?;
        Ok(Box::new(Connected { runtime, inner }))
    }

    fn found_rows(&self) -> bool {
        true
    }
}

impl Connected {
    fn rows(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<MySqlRow>> {
        Ok(self.runtime.block_on(bound(statement, values).fetch_all(&mut self.inner))?)
    }
}

impl Connection for Connected {
    fn numbers(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<i64>> {
        Ok(self.rows(statement, values)?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    fn texts(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<Option<String>>> {
        Ok(self.rows(statement, values)?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    fn bytes(&mut self, statement: &str) -> Outcome<Vec<Vec<u8>>> {
        Ok(self.rows(statement, &[])?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    fn documents(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<Json>> {
        Ok(self.rows(statement, values)?.iter().map(|row| row.try_get("body")).collect::<Result<_, _>>()?)
    }

    fn status(&mut self, name: &str) -> Outcome<Vec<String>> {
        let rows = self.rows(&format!("SHOW STATUS LIKE '{name}'"), &[])?;
        Ok(rows.iter().map(|row| row.try_get_unchecked("Value")).collect::<Result<_, _>>()?)
    }

    fn warnings(&mut self) -> Outcome<Vec<i64>> {
        let rows = self.runtime.block_on(sqlx::raw_sql("SHOW WARNINGS").fetch_all(&mut self.inner))?;
        Ok(rows.iter().map(|row| row.try_get_unchecked("Code")).collect::<Result<_, _>>()?)
    }

    fn change(&mut self, statement: &str, values: &[Value]) -> Outcome<u64> {
        Ok(self.runtime.block_on(bound(statement, values).execute(&mut self.inner))?.rows_affected())
    }

    fn run(&mut self, statement: &str) -> Outcome {
        self.runtime.block_on(sqlx::raw_sql(statement).execute(&mut self.inner))?;
        Ok(())
    }

    fn results(&mut self, statements: &str) -> Outcome<Vec<i64>> {
        let mut found = Vec::new();
        self.runtime.block_on(async {
            let mut results = self.inner.fetch_many(sqlx::raw_sql(statements));
            while let Some(part) = results.try_next().await? {
                if let Either::Right(row) = part {
                    found.push(row.try_get::<i64, _>(0)?);
                }
            }
            Ok(found)
        })
    }

    fn stream(&mut self, statement: &str) -> Outcome<Vec<i64>> {
        let mut found = Vec::new();
        self.runtime.block_on(async {
            let mut rows = sqlx::query(statement).fetch(&mut self.inner);
            while let Some(row) = rows.try_next().await? {
                found.push(row.try_get(0)?);
            }
            Ok(found)
        })
    }

    fn ping(&mut self) -> Outcome {
        Ok(self.runtime.block_on(self.inner.ping())?)
    }

    fn change_user(&mut self, _: &str, _: &str, _: &str) -> Outcome {
        Err(Failure::Skip("no call for COM_CHANGE_USER"))
    }

    fn reset(&mut self) -> Outcome {
        Err(Failure::Skip("no call for COM_RESET_CONNECTION"))
    }

    fn close(self: Box<Self>) -> Outcome {
        Ok(self.runtime.block_on(self.inner.close())?)
    }
}
