//! A session over a small catalog, without a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_schemaless::{Micros, RowColumn, TableDef};
use cellgate_sql::relational::Relation;
use cellgate_sql::{Command, Environment, Row, SessionCall, SessionFunction, SqlError, SqlMode, TimeZone, Value};

use super::super::{Relational, RelationalFailure, State};
use crate::catalog::{CatalogDocument, Snapshot};
use crate::until::{Until, Waiting};

pub(super) struct Session {
    pub(super) bytes: usize,
    pub(super) database: Option<&'static str>,
    pub(super) catalog: Arc<Snapshot>,
    pub(super) engine: Arc<Relational>,
}

pub(super) fn table(id: u32, database: &str, name: &str, columns: &[(&str, Option<&str>)]) -> TableDef {
    let column = |(name, missing): &(&str, Option<&str>)| RowColumn::new(*name, missing.map(str::to_owned));
    let columns = columns.iter().map(column).collect();
    TableDef { columns, ..TableDef::new(id, database, name, 1_700_000_000_000_000) }
}

impl Session {
    pub(super) fn new() -> Self {
        let document = CatalogDocument {
            databases: vec!["shop".into(), "Other".into()],
            tables: vec![
                table(1, "shop", "trips", &[("BASE", None), ("status", Some("\"new\""))]),
                table(2, "shop", "riders", &[]),
                table(3, "Other", "trips", &[]),
            ],
            last_table_id: 3,
            ..CatalogDocument::default()
        };
        let catalog = Arc::new(Snapshot::new(1, &document));
        Self { bytes: 1 << 20, database: Some("shop"), catalog, engine: Arc::default() }
    }

    pub(super) fn program(&self, text: &str, params: &[Value]) -> Result<cellgate_sql::relational::Program, SqlError> {
        let statements = cellgate_sql::parse(text, SqlMode::default())?;
        match cellgate_sql::bind(&statements[0], &params.to_vec().into(), self)? {
            Command::Relational(program) => Ok(*program),
            other => panic!("{text}: {other:?}"),
        }
    }

    pub(super) fn run(&self, text: &str, params: &[Value]) -> Result<Vec<Row>, RelationalFailure> {
        let program = Arc::new(self.program(text, params)?);
        // Some read a thousand tables, which takes seconds, and on a busy machine many.
        let (until, _waiting) = until(Duration::from_secs(180));
        self.engine.run_now(&program, &self.catalog, &State::default(), &until).map(|outcome| outcome.rows)
    }

    pub(super) fn rows(&self, text: &str) -> Vec<String> {
        let rows = self.run(text, &[]).unwrap_or_else(|error| panic!("{text}: {error}"));
        rows.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join("|")).collect()
    }

    pub(super) fn columns(&self, text: &str) -> Vec<String> {
        self.program(text, &[]).unwrap().columns().iter().map(|c| c.name.clone()).collect()
    }

    pub(super) fn error(&self, text: &str) -> String {
        match self.run(text, &[]) {
            Ok(rows) => panic!("{text}: {rows:?}"),
            Err(error) => error.to_string(),
        }
    }
}

pub(super) fn until(patience: Duration) -> (Until, Waiting) {
    Until::new(Instant::now() + patience)
}

pub(super) fn shown(value: &Value) -> String {
    value.text().map_or("NULL".to_owned(), |text| String::from_utf8_lossy(&text).into_owned())
}

impl Environment for Session {
    fn database(&self) -> Option<&str> {
        self.database
    }

    fn table(&self, database: &str, name: &str) -> Option<Arc<TableDef>> {
        self.catalog.table(database, name).cloned()
    }

    fn has_database(&self, database: &str) -> bool {
        self.catalog.has_database(database)
    }

    fn variable(&self, _: bool, name: &str) -> Option<Value> {
        (name == "version").then(|| Value::Text("8.0.36".into()))
    }

    fn user_variable(&self, _: &str) -> Value {
        Value::Null
    }

    fn function(&self, function: SessionFunction) -> Value {
        match function {
            SessionFunction::Database => self.database.map_or(Value::Null, |d| Value::Text(d.into())),
            _ => Value::Int(7),
        }
    }

    fn relation(&self, database: &str, table: &str) -> Option<&'static Relation> {
        crate::relational::relation(database, table)
    }

    fn is_system_database(&self, name: &str) -> bool {
        crate::relational::is_system_database(name)
    }

    fn call(&self, call: SessionCall, arguments: &[Value]) -> Result<Value, SqlError> {
        Err(SqlError::Pending(call, arguments.to_vec()))
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    fn shard_of(&self, _: &[u8]) -> u16 {
        0
    }

    fn virtual_shards(&self) -> u32 {
        8
    }

    fn now(&self) -> Micros {
        Micros(1_700_000_000_123_456)
    }

    fn sql_mode(&self) -> SqlMode {
        SqlMode::default()
    }

    fn collect_rows(&self) -> usize {
        100_000
    }

    fn collect_bytes(&self) -> usize {
        self.bytes
    }
}
