//! What the steps need of a driver, so that they are written once.

use std::fmt;

use serde_json::Value as Json;

/// A parameter.
#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    Number(i64),
    Bytes(Vec<u8>),
    Null,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Why a step did not go well.
#[derive(Debug)]
pub enum Failure {
    /// The driver has no way to do this.
    Skip(&'static str),
    /// The server or the driver refused; the server's number if the driver tells it.
    Refused { number: Option<u16>, message: String },
    /// Another answer than expected.
    Wrong(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip(why) => f.write_str(why),
            Self::Refused { number, message } => write!(f, "{} {message}", number.unwrap_or_default()),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

pub type Outcome<T = ()> = Result<T, Failure>;

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
    pub tls: bool,
    pub compress: bool,
}

/// A driver.
pub trait Driver {
    fn version(&self) -> String;
    fn connect(&self, options: &Options) -> Outcome<Box<dyn Connection>>;
    /// Whether an UPDATE counts rows that were the same already.
    fn found_rows(&self) -> bool;
}

/// A connection of it. Statements with a slice of values are prepared.
pub trait Connection {
    /// The column `n` of the rows.
    fn numbers(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<i64>>;
    /// The column `t` of the rows.
    fn texts(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<Option<String>>>;
    /// The column `t` of the rows, as bytes.
    fn bytes(&mut self, statement: &str) -> Outcome<Vec<Vec<u8>>>;
    /// The column `body` of the rows.
    fn documents(&mut self, statement: &str, values: &[Value]) -> Outcome<Vec<Json>>;
    /// The column `Value` of SHOW STATUS LIKE.
    fn status(&mut self, name: &str) -> Outcome<Vec<String>>;
    /// The column `Code` of SHOW WARNINGS.
    fn warnings(&mut self) -> Outcome<Vec<i64>>;
    /// Affected rows.
    fn change(&mut self, statement: &str, values: &[Value]) -> Outcome<u64>;
    /// A statement by the text protocol.
    fn run(&mut self, statement: &str) -> Outcome;
    /// The first number of each result of several statements sent as one.
    fn results(&mut self, statements: &str) -> Outcome<Vec<i64>>;
    /// The column `n` of the rows, taken one after the other as they arrive.
    fn stream(&mut self, statement: &str) -> Outcome<Vec<i64>>;
    fn ping(&mut self) -> Outcome;
    fn change_user(&mut self, user: &str, password: &str, database: &str) -> Outcome;
    fn reset(&mut self) -> Outcome;
    fn close(self: Box<Self>) -> Outcome;
}
