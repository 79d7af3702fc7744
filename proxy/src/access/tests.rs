//! Accounts over a meta store in memory: statements, two proxies at once, a silent meta store, and a model.

mod model;
mod statements;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cellgate_sql::{
    AccountName, AccountStatement, Environment, SessionCall, SessionFunction, SqlError, SqlMode, TimeZone, Value,
};
use cellgate_store::meta::{Document, MetaStore};
use cellgate_store::{Reason, StoreError};

use super::{AccessError, AccessNote, Accounts};
use crate::config::{Config, User};

/// A meta store in memory that can be silent.
#[derive(Debug, Default)]
struct Memory {
    documents: Mutex<BTreeMap<String, Document>>,
    silent: AtomicBool,
    reads: AtomicUsize,
}

impl Memory {
    fn reach(&self) -> Result<(), StoreError> {
        if self.silent.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { reason: Reason::Connect, detail: "silent for the test".into() });
        }
        Ok(())
    }

    fn text(&self) -> String {
        self.documents.lock().unwrap().values().map(|d| String::from_utf8_lossy(&d.body).into_owned()).collect()
    }
}

#[async_trait]
impl MetaStore for Memory {
    async fn exists(&self) -> Result<bool, StoreError> {
        self.reach().map(|()| true)
    }

    async fn create(&self) -> Result<(), StoreError> {
        self.reach()
    }

    async fn load(&self, name: &str) -> Result<Option<Document>, StoreError> {
        // So that two proxies take turns.
        tokio::task::yield_now().await;
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.reach()?;
        Ok(self.documents.lock().unwrap().get(name).cloned())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Document>, StoreError> {
        self.reach()?;
        Ok(self.documents.lock().unwrap().values().filter(|d| d.name.starts_with(prefix)).cloned().collect())
    }

    async fn compare_and_set(&self, name: &str, expected: i64, body: &[u8]) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        self.reach()?;
        let mut documents = self.documents.lock().unwrap();
        let stands = documents.get(name).map_or(0, |d| d.version) == expected;
        if stands {
            let document = Document { name: name.to_owned(), version: expected + 1, body: body.to_vec() };
            documents.insert(name.to_owned(), document);
        }
        Ok(stands)
    }

    async fn remove(&self, _: &str, _: i64) -> Result<bool, StoreError> {
        self.reach().map(|()| false)
    }

    async fn now(&self) -> Result<i64, StoreError> {
        self.reach().map(|()| 0)
    }
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
    match cellgate_sql::bind(&statements[0], &[], &Shop) {
        Ok(cellgate_sql::Command::Account(statement)) => *statement,
        other => panic!("{text}: {other:?}"),
    }
}

fn name(user: &str, host: &str) -> AccountName {
    AccountName { user: user.to_owned(), host: host.to_owned() }
}

fn root() -> AccountName {
    name("root", "%")
}

fn users(config: &str) -> Vec<User> {
    let none = |_: &str| None;
    Config::parse(config, None, &none, &Default::default()).unwrap_or_else(|e| panic!("{e}")).users
}

/// One more proxy, with the user `root` of the default configuration.
async fn proxy(meta: &Arc<Memory>) -> Accounts {
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
