//! diesel's MySQL connection, on the C library: everything is prepared but `batch_execute`.

use diesel::connection::SimpleConnection;
use diesel::mysql::{Mysql, MysqlConnection};
use diesel::query_builder::BoxedSqlQuery;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{BigInt, Binary, Json as JsonType, Nullable, Text};
use diesel::{Connection as _, QueryableByName, RunQueryDsl, sql_query};
use serde_json::Value as Json;

use crate::driver::{Connection, Driver, Failure, Options, Outcome, Value};

pub struct Diesel;

struct Connected {
    inner: MysqlConnection,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Words {
    #[diesel(sql_type = Nullable<Text>)]
    t: Option<String>,
}

#[derive(QueryableByName)]
struct Octets {
    #[diesel(sql_type = Binary)]
    t: Vec<u8>,
}

#[derive(QueryableByName)]
struct Document {
    #[diesel(sql_type = JsonType)]
    body: Json,
}

#[derive(QueryableByName)]
struct Status {
    #[diesel(sql_type = Text, column_name = "Value")]
    value: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // Its errors have kinds; numbers are left out.
        let number = match &error {
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Some(1062),
            _ => None,
        };
        Self::Refused { number, message: error.to_string() }
    }
}

type Bound<'f> = BoxedSqlQuery<'f, Mysql, diesel::query_builder::SqlQuery>;

fn bound<'f>(statement: &str, values: &[Value]) -> Bound<'f> {
    values.iter().fold(sql_query(statement).into_boxed(), |query, value| match value {
        Value::Text(text) => query.bind::<Text, _>(text.clone()),
        Value::Number(number) => query.bind::<BigInt, _>(*number),
        Value::Bytes(bytes) => query.bind::<Binary, _>(bytes.clone()),
        Value::Null => query.bind::<Nullable<Text>, _>(None::<String>),
    })
}

impl Driver for Diesel {
    fn version(&self) -> String {
        format!("diesel {}", crate::locked("diesel"))
    }

    fn connect(&self, options: &Options) -> Outcome<Box<dyn Connection>> {
        if options.compress {
            return Err(Failure::Skip("does not compress"));
        }
        if options.tls {
            return Err(Failure::Skip("its ssl_mode is unknown to MariaDB's C library"));
        }
        let Options { host, port, user, password, database, .. } = options;
        let url = format!("mysql://{user}:{password}@{host}:{port}/{database}");
        match MysqlConnection::establish(&url) {
            Ok(inner) => Ok(Box::new(Connected { inner })),
            Err(error) => Err(Failure::Refused { number: None, message: error.to_string() }),
        }
    }

    fn found_rows(&self) -> bool {
        true
    }
}

impl Connection for Connected {
    fn numbers(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<i64>> {
        let rows: Vec<Number> = bound(statement, values).load(&mut self.inner)?;
        Ok(rows.into_iter().map(|row| row.n).collect())
    }

    fn texts(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<Option<String>>> {
        let rows: Vec<Words> = bound(statement, values).load(&mut self.inner)?;
        Ok(rows.into_iter().map(|row| row.t).collect())
    }

    fn bytes(&mut self, statement: &str) -> Outcome<Vec<Vec<u8>>> {
        let rows: Vec<Octets> = sql_query(statement).load(&mut self.inner)?;
        Ok(rows.into_iter().map(|row| row.t).collect())
    }

    fn documents(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<Json>> {
        let rows: Vec<Document> = bound(statement, values).load(&mut self.inner)?;
        Ok(rows.into_iter().map(|row| row.body).collect())
    }

    fn status(&mut self, name: &str) -> Outcome<Vec<String>> {
        let rows: Vec<Status> = sql_query(format!("SHOW STATUS LIKE '{name}'")).load(&mut self.inner)?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    fn warnings(&mut self) -> Outcome<Vec<i64>> {
        Err(Failure::Skip("prepares SHOW WARNINGS, which a MariaDB does not describe"))
    }

    fn change(&mut self, statement: &str, values: &[Value]) -> Outcome<u64> {
        Ok(bound(statement, values).execute(&mut self.inner)? as u64)
    }

    fn run(&mut self, statement: &str) -> Outcome {
        Ok(self.inner.batch_execute(statement)?)
    }

    fn results(&mut self, _: &str) -> Outcome<Vec<i64>> {
        Err(Failure::Skip("several statements, but no results of them"))
    }

    fn stream(&mut self, statement: &str) -> Outcome<Vec<i64>> {
        let rows = sql_query(statement).load_iter::<Number, _>(&mut self.inner)?;
        Ok(rows.map(|row| row.map(|row| row.n)).collect::<Result<_, _>>()?)
    }

    fn ping(&mut self) -> Outcome {
        // What its pool does to see whether a connection is alive.
        Ok(sql_query("SELECT 1").execute(&mut self.inner).map(drop)?)
    }

    fn change_user(&mut self, _: &str, _: &str, _: &str) -> Outcome {
        Err(Failure::Skip("no call for COM_CHANGE_USER"))
    }

    fn reset(&mut self) -> Outcome {
        Err(Failure::Skip("no call for COM_RESET_CONNECTION"))
    }

    fn close(self: Box<Self>) -> Outcome {
        Ok(())
    }
}
