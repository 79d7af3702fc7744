//! Accounts over a meta store in memory: statements, two proxies at once, a silent meta store, and a model.

mod configured;
mod decoys;
mod lost;
mod model;
mod size;
mod statements;

use std::sync::Arc;

use cellgate_sql::{
    AccountName, AccountStatement, Environment, Parameters, SessionCall, SessionFunction, SqlError, SqlMode, TimeZone,
    Value,
};
use cellgate_store::meta::memory::MemoryMeta;

use super::{AccessError, AccessNote, Accounts};
use crate::config::{Config, User};

/// Everything that is written in a meta store.
fn text(meta: &MemoryMeta) -> String {
    meta.all("").iter().map(|document| String::from_utf8_lossy(&document.body).into_owned()).collect()
}

/// A session in the database `shop`, as far as statements about accounts need one.
struct Shop;

impl Environment for Shop {
    fn database(&self) -> Option<&str> {
        Some("shop")
    }

    fn table(&self, _: &str, _: &str) -> Option<Arc<cellgate_schemaless::TableDef>> {
        None
    }

    fn has_database(&self, _: &str) -> bool {
        true
    }

    fn variable(&self, _: bool, _: &str) -> Option<Value> {
        None
    }

    fn user_variable(&self, _: &str) -> Value {
        Value::Null
    }

    fn function(&self, _: SessionFunction) -> Value {
        Value::Null
    }

    fn shard_of(&self, _: &[u8]) -> u16 {
        0
    }

    fn virtual_shards(&self) -> u32 {
        1
    }

    fn now(&self) -> cellgate_schemaless::Micros {
        cellgate_schemaless::Micros(0)
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    fn call(&self, call: SessionCall, arguments: &[Value]) -> Result<Value, SqlError> {
        Err(SqlError::Pending(call, arguments.to_vec()))
    }

    fn sql_mode(&self) -> SqlMode {
        SqlMode::default()
    }

    fn collect_rows(&self) -> usize {
        1
    }

    fn collect_bytes(&self) -> usize {
        1
    }
}

fn statement(text: &str) -> AccountStatement {
    let statements = cellgate_sql::parse(text, SqlMode::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
    match cellgate_sql::bind(&statements[0], &Parameters::default(), &Shop) {
        Ok(cellgate_sql::Command::Account(statement)) => *statement,
        other => panic!("{text}: {other:?}"),
    }
}

fn name(user: &str, host: &str) -> AccountName {
    AccountName { user: user.to_owned(), host: host.to_owned() }
}

/// The verifier of an account from everywhere.
fn verifier(accounts: &Accounts, user: &str) -> crate::auth::Verifier {
    accounts.snapshot().named(&name(user, "%")).unwrap().verifier.clone()
}

fn root() -> AccountName {
    name("root", "%")
}

fn users(config: &str) -> Vec<User> {
    let none = |_: &str| None;
    Config::parse(config, None, &none, &Default::default()).unwrap_or_else(|e| panic!("{e}")).users
}

/// One more proxy, with the user `root` of the default configuration.
async fn proxy(meta: &Arc<MemoryMeta>) -> Accounts {
    Accounts::open(Arc::clone(meta) as _, &users("")).await.unwrap()
}

/// Runs a statement for an account.
async fn run_as(accounts: &Accounts, actor: &AccountName, text: &str) -> Result<Vec<AccessNote>, AccessError> {
    accounts.run_statement(actor, &statement(text)).await
}

/// Runs a statement for root.
async fn run(accounts: &Accounts, text: &str) -> Vec<AccessNote> {
    run_as(accounts, &root(), text).await.unwrap_or_else(|e| panic!("{text}: {e}"))
}
