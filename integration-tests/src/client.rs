//! The Rust client of the tests: `mysql_async`, an ordinary driver, and a few words for what tests say often.

use std::net::SocketAddr;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

/// The long form of a cell table: MariaDB takes it as well.
pub const TRIPS: &str = "CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, \
     column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL, \
     created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
     PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))";

/// `row_key, column_key, ref_key`.
pub type Triple = (String, String, i64);

/// `row_key, column_key, ref_key, body`, as a row of a result.
pub type CellRow = (String, String, i64, String);

/// An error a server answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// MySQL's number.
    pub code: u16,
    /// SQLSTATE.
    pub state: String,
    /// The text.
    pub message: String,
}

impl Refusal {
    /// The server's answer in a driver's error; `None` for errors of the connection.
    pub fn of(error: &mysql_async::Error) -> Option<Self> {
        match error {
            mysql_async::Error::Server(error) => {
                Some(Self { code: error.code, state: error.state.clone(), message: error.message.clone() })
            }
            mysql_async::Error::Driver(_)
            | mysql_async::Error::Io(_)
            | mysql_async::Error::Other(_)
            | mysql_async::Error::Url(_) => None,
        }
    }
}

/// How the tests connect: user `root`, no password, over TCP.
pub fn options(address: SocketAddr) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some("root"))
        .db_name(Some("test"))
        .prefer_socket(false)
}

/// A connection to database `test`.
///
/// # Panics
///
/// If it fails.
pub async fn connect(address: SocketAddr) -> Conn {
    try_connect(options(address)).await.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
}

/// A connection.
///
/// # Errors
///
/// The driver's.
pub async fn try_connect(options: OptsBuilder) -> Result<Conn, mysql_async::Error> {
    Conn::new(Opts::from(options)).await
}

/// Runs a statement that must succeed.
///
/// # Panics
///
/// If it fails; the message has the statement.
pub async fn run(conn: &mut Conn, statement: &str) {
    conn.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Runs a statement that must be refused by the server.
///
/// # Panics
///
/// If it succeeds, or the connection breaks.
pub async fn refused(conn: &mut Conn, statement: &str) -> Refusal {
    match conn.query_drop(statement).await {
        Ok(()) => panic!("{statement}: not refused"),
        Err(error) => Refusal::of(&error).unwrap_or_else(|| panic!("{statement}: {error}")),
    }
}

/// All rows of a query.
///
/// # Panics
///
/// If it fails; the message has the statement.
pub async fn rows<T>(conn: &mut Conn, statement: &str) -> Vec<T>
where
    T: mysql_async::prelude::FromRow + Send + 'static,
{
    conn.query(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
}

/// A string literal of MySQL's text protocol.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\0' => quoted.push_str("\\0"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// Puts a cell and answers the number of affected rows.
///
/// # Errors
///
/// The driver's.
pub async fn put(conn: &mut Conn, (row, column, reference): &Triple, body: &str) -> Result<u64, mysql_async::Error> {
    let statement = format!(
        "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ({}, {}, {reference}, {})",
        quote(row),
        quote(column),
        quote(body)
    );
    conn.query_drop(statement).await?;
    Ok(conn.affected_rows())
}

/// Gets a cell's body.
///
/// # Errors
///
/// The driver's.
pub async fn get(conn: &mut Conn, (row, column, reference): &Triple) -> Result<Option<String>, mysql_async::Error> {
    let statement = format!(
        "SELECT body FROM trips WHERE row_key = {} AND column_key = {} AND ref_key = {reference}",
        quote(row),
        quote(column)
    );
    conn.query_first(statement).await
}

/// A triple from borrowed parts.
pub fn triple(row: &str, column: &str, reference: i64) -> Triple {
    (row.to_owned(), column.to_owned(), reference)
}
