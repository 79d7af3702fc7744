//! What stock clients ask about the schema: each of their statements is answered, by text and prepared, with the
//! columns they look for; and where a table made by the same CREATE TABLE must look the same, a real MariaDB says how.
//! Also EXPLAIN, and what is prepared.

mod alike;
mod asked;
mod catalog;
mod explain;
mod prepared;
mod variables;

use std::net::SocketAddr;

use cellgate_integration_tests::client::{self, TRIPS};
use cellgate_integration_tests::golden;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

fn shown(row: Row) -> String {
    let text = |value: Value| match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => other.as_sql(true),
    };
    row.unwrap().into_iter().map(text).collect::<Vec<_>>().join("|")
}

async fn answer(conn: &mut Conn, statement: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let mut result = conn.query_iter(statement).await.map_err(|error| error.to_string())?;
    let columns = result.columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
    let rows: Vec<Row> = result.collect().await.map_err(|error| error.to_string())?;
    Ok((columns, rows.into_iter().map(shown).collect()))
}

async fn shop(address: SocketAddr, database: &str) -> Conn {
    let mut conn = golden::connect(address, database).await;
    client::run(&mut conn, TRIPS).await;
    conn
}
