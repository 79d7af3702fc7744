//! mysql_async: `exec` is a prepared statement, `query` is text.

use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{ChangeUserOpts, Compression, Conn, OptsBuilder, Params, Row};
use serde_json::Value as Json;
use tokio::runtime::Runtime;
use tokio_stream::StreamExt;

use crate::driver::{Connection, Driver, Failure, Options, Outcome, Value};

pub struct MysqlAsync;

struct Connected {
    runtime: Runtime,
    inner: Conn,
}

impl From<mysql_async::Error> for Failure {
    fn from(error: mysql_async::Error) -> Self {
        let number = match &error {
            mysql_async::Error::Server(refusal) => Some(refusal.code),
            _ => None,
        };
        Self::Refused { number, message: error.to_string() }
    }
}

fn bound(values: &[Value]) -> Params {
    if values.is_empty() {
        return Params::Empty;
    }
    let value = |value: &Value| match value {
        Value::Text(text) => text.clone().into(),
        Value::Number(number) => (*number).into(),
        Value::Bytes(bytes) => bytes.clone().into(),
        Value::Null => mysql_async::Value::NULL,
    };
    Params::Positional(values.iter().map(value).collect())
}

/// A column of every row.
fn column<T: FromValue>(rows: Vec<Row>, name: &str) -> Outcome<Vec<T>> {
    let value = |mut row: Row| row.take_opt::<T, _>(name).and_then(Result::ok);
    rows.into_iter()
        .map(|row| value(row).ok_or_else(|| Failure::Wrong(format!("no column {name} of this type"))))
        .collect()
}

impl Driver for MysqlAsync {
    fn version(&self) -> String {
        format!("mysql_async {}", crate::locked("mysql_async"))
    }

    fn connect(&self, options: &Options) -> Outcome<Box<dyn Connection>> {
        if options.tls {
            return Err(Failure::Skip("built without TLS here"));
        }
        let runtime = crate::runtime()?;
        let wanted = OptsBuilder::default()
            .ip_or_hostname(options.host.clone())
            .tcp_port(options.port)
            .user(Some(options.user.clone()))
            .pass(Some(options.password.clone()))
            .db_name(Some(options.database.clone()))
            .compression(options.compress.then(Compression::fast));
        // It would go on over the socket that the server names.
        let inner = runtime.block_on(Conn::new(wanted.prefer_socket(false)))?;
        Ok(Box::new(Connected { runtime, inner }))
    }

    fn found_rows(&self) -> bool {
        false
    }
}

impl Connected {
    fn rows(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<Row>> {
        Ok(self.runtime.block_on(self.inner.exec(statement, bound(values)))?)
    }
}

impl Connection for Connected {
    fn numbers(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<i64>> {
        column(self.rows(statement, values)?, "n")
    }

    fn texts(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<Option<String>>> {
        column(self.rows(statement, values)?, "t")
    }

    fn bytes(&mut self, statement: &str) -> Outcome<Vec<Vec<u8>>> {
        column(self.rows(statement, &[])?, "t")
    }

    fn documents(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<Json>> {
        column(self.rows(statement, values)?, "body")
    }

    fn status(&mut self, name: &str) -> Outcome<Vec<String>> {
        let statement = format!("SHOW STATUS LIKE '{name}'");
        column(self.runtime.block_on(self.inner.query(statement))?, "Value")
    }

    fn warnings(&mut self) -> Outcome<Vec<i64>> {
        column(self.runtime.block_on(self.inner.query("SHOW WARNINGS"))?, "Code")
    }

    fn change(&mut self, statement: &str, values: &[Value]) -> Outcome<u64> {
        self.runtime.block_on(self.inner.exec_drop(statement, bound(values)))?;
        Ok(self.inner.affected_rows())
    }

    fn run(&mut self, statement: &str) -> Outcome {
        Ok(self.runtime.block_on(self.inner.query_drop(statement))?)
    }

    fn results(&mut self, statements: &str) -> Outcome<Vec<i64>> {
        self.runtime.block_on(async {
            let mut results = self.inner.query_iter(statements).await?;
            let mut found = Vec::new();
            while !results.is_empty() {
                found.extend(results.collect::<i64>().await?);
            }
            Ok(found)
        })
    }

    fn stream(&mut self, statement: &str) -> Outcome<Vec<i64>> {
        self.runtime.block_on(async {
            let mut found = Vec::new();
            let mut rows = self.inner.exec_stream::<i64, _, _>(statement, ()).await?;
            while let Some(number) = rows.next().await {
                found.push(number?);
            }
            Ok(found)
        })
    }

    fn ping(&mut self) -> Outcome {
        Ok(self.runtime.block_on(self.inner.ping())?)
    }

    fn change_user(&mut self, user: &str, password: &str, database: &str) -> Outcome {
        let wanted = ChangeUserOpts::default()
            .with_user(Some(user.to_owned()))
            .with_pass(Some(password.to_owned()))
            .with_db_name(Some(database.to_owned()));
        Ok(self.runtime.block_on(self.inner.change_user(wanted))?)
    }

    fn reset(&mut self) -> Outcome {
        if self.runtime.block_on(self.inner.reset())? { Ok(()) } else { Err(Failure::Wrong("not reset".to_owned())) }
    }

    fn close(self: Box<Self>) -> Outcome {
        Ok(self.runtime.block_on(self.inner.disconnect())?)
    }
}
