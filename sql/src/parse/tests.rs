//! What clients really send, precedence, and refusals.

mod account;
mod alter;
mod budget;
mod comments;
mod definitions;
mod explain;
mod expressions;
mod flush;
mod prepare;
mod refusals;
mod select;
mod session;
mod set;
mod show;
mod text;
mod transaction;

use crate::command::TableName;
use crate::environment::SqlMode;
use crate::parse::parse;

fn one(text: &str) -> crate::Statement {
    let mut all = parse(text, SqlMode::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

fn table(name: &str) -> TableName {
    TableName { database: "shop".into(), table: name.into() }
}
