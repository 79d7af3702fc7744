//! Statements bound, and run over cells.

mod bounds;
mod calls;
mod deletes;
mod descriptions;
mod divisions;
mod groups;
mod inserts;
mod keys;
mod limit;
mod lost;
mod lowering;
mod numbers;
mod parameters;
mod patience;
mod requests;
mod sorting;
mod times;
mod values;

use cellgate_schemaless::{Cell, Request};

use crate::command::{Command, Source};
use crate::error::SqlError;
use crate::testing::{bound, cell, read, run};

fn cells() -> Vec<Cell> {
    vec![
        cell("a", "BASE", 1, r#"{"fare":10,"city":"SF"}"#, 11),
        cell("a", "BASE", 2, r#"{"fare":12,"city":"SF"}"#, 12),
        cell("a", "STATUS", 1, r#""done""#, 13),
        cell("b", "BASE", 1, r#"{"fare":7,"city":"NY"}"#, 21),
        cell("c", "STATUS", 5, r#""open""#, 31),
        cell("c", "NOTE", 1, r#"[1,2]"#, 32),
    ]
}

fn request(text: &str) -> Request {
    match read(text).source {
        Source::Cells(request) => request,
        other => panic!("{text}: {other:?}"),
    }
}

/// What evaluating one expression over no table ends with.
fn failure(expression: &str) -> SqlError {
    let text = format!("SELECT {expression}");
    match bound(&text).map(|command| match command {
        Command::Read(read) => run(&read, &[]),
        other => panic!("{text}: {other:?}"),
    }) {
        Err(error) | Ok(Err(error)) => error,
        Ok(Ok(rows)) => panic!("{text} is {rows:?}"),
    }
}

/// The rows of a SELECT over these cells, and what it tells beside them.
fn noted(read: &crate::Read, cells: &[Cell]) -> (Vec<crate::Row>, Vec<SqlError>) {
    let mut shaping = read.shape.start();
    let notes = shaping.notes();
    let mut rows: Vec<crate::Row> = Vec::new();
    cells.iter().for_each(|cell| shaping.push(cell, &mut rows).unwrap());
    rows.extend(shaping.finish().unwrap());
    (rows, notes.take())
}
