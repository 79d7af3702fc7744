//! What the tests share: a session, and cells.

use std::cell::Cell as StdCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Direction, Micros, RefKey, Request, RowColumn, RowKey, RowSet, ShardId,
    TableDef, Token, Triple,
};

use crate::command::{Command, Read, Source};
use crate::environment::{Environment, SessionCall, SessionFunction, SqlMode};
use crate::error::SqlError;
use crate::expression::text_of;
use crate::shape::Patience;
use crate::value::{Row, Value};
use crate::zone::TimeZone;

/// A session in database `shop` with the cell tables `trips` (BASE, STATUS with a default) and `plain`.
pub(crate) struct Session {
    tables: HashMap<(String, String), Arc<TableDef>>,
    pub variables: HashMap<String, Value>,
    pub database: Option<String>,
    pub collect_rows: usize,
    pub shards: u32,
    pub mode: SqlMode,
    pub patience: Patience,
}

pub(crate) const SHARDS: u32 = 8;

pub(crate) fn shard_of(key: &[u8]) -> u16 {
    key.iter().fold(7_u16, |sum, b| sum.wrapping_mul(31).wrapping_add(u16::from(*b))) % 8
}

impl Session {
    pub fn new() -> Self {
        let table = |id, name: &str, columns: Vec<RowColumn>| {
            let def = TableDef { columns, ..TableDef::new(id, "shop", name, 0) };
            (("shop".to_owned(), name.to_owned()), Arc::new(def))
        };
        let column = |name: &str, missing: Option<&str>| RowColumn::new(name, missing.map(str::to_owned));
        let variables = [
            ("sql_mode", Value::Text("STRICT_TRANS_TABLES".into())),
            ("autocommit", Value::Int(1)),
            ("max_allowed_packet", Value::Int(67_108_864)),
            ("time_zone", Value::Text("SYSTEM".into())),
            ("socket", Value::Null),
        ];
        Self {
            tables: HashMap::from([
                table(1, "trips", vec![column("BASE", None), column("STATUS", Some("\"new\""))]),
                table(2, "plain", vec![]),
            ]),
            variables: variables.into_iter().map(|(n, v)| (n.to_owned(), v)).collect(),
            database: Some("shop".into()),
            collect_rows: 1000,
            shards: SHARDS,
            mode: SqlMode::default(),
            patience: Patience::default(),
        }
    }
}

impl Session {
    /// Adds a table `wide` with the declared columns c1, c2 and so on.
    pub fn with_wide(mut self, columns: usize) -> Self {
        let plain = self.table("shop", "plain").unwrap();
        let columns = (1..=columns).map(|n| RowColumn::new(format!("c{n}"), None)).collect();
        let wide = TableDef { id: 3, name: "wide".into(), columns, ..TableDef::clone(&plain) };
        self.tables.insert(("shop".into(), "wide".into()), Arc::new(wide));
        self
    }
}

impl Environment for Session {
    fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    fn table(&self, database: &str, name: &str) -> Option<Arc<TableDef>> {
        self.tables.get(&(database.to_owned(), name.to_owned())).cloned()
    }

    fn has_database(&self, database: &str) -> bool {
        database == "shop"
    }

    fn variable(&self, _: bool, name: &str) -> Option<Value> {
        self.variables.get(name).cloned()
    }

    fn user_variable(&self, name: &str) -> Value {
        if name == "five" { Value::Int(5) } else { Value::Null }
    }

    fn function(&self, function: SessionFunction) -> Value {
        match function {
            SessionFunction::Database => self.database.clone().map_or(Value::Null, |d| Value::Text(d.into())),
            SessionFunction::Version => Value::Text("8.0.36-cellgate".into()),
            SessionFunction::User | SessionFunction::CurrentUser | SessionFunction::CurrentRole => {
                Value::Text("root@localhost".into())
            }
            SessionFunction::ConnectionId
            | SessionFunction::LastInsertId
            | SessionFunction::RowCount
            | SessionFunction::FoundRows => Value::Int(42),
        }
    }

    fn shard_of(&self, row_key: &[u8]) -> u16 {
        shard_of(row_key)
    }

    fn virtual_shards(&self) -> u32 {
        self.shards
    }

    fn patience(&self) -> Patience {
        self.patience.clone()
    }

    fn now(&self) -> Micros {
        Micros(1_700_000_000_123_456)
    }

    fn call(&self, call: SessionCall, _: &[Value]) -> Result<Value, SqlError> {
        Err(SqlError::Pending(call, Vec::new()))
    }

    fn time_zone(&self) -> TimeZone {
        self.variables
            .get("time_zone")
            .and_then(text_of)
            .map_or(TimeZone::UTC, |name| TimeZone::named(&String::from_utf8_lossy(&name)).expect("a known zone"))
    }

    fn sql_mode(&self) -> SqlMode {
        self.mode
    }

    fn collect_rows(&self) -> usize {
        self.collect_rows
    }

    fn collect_bytes(&self) -> usize {
        10_000_000
    }
}

/// Parses and binds one statement.
pub(crate) fn bound_with(env: &Session, text: &str, params: &[Value]) -> Result<Command, SqlError> {
    let mut statements = crate::parse(text, SqlMode::default())?;
    assert_eq!(statements.len(), 1, "{text}");
    let statement = statements.remove(0);
    let params = &params.to_vec().into();
    // What PREPARE says must not depend on parameters being there.
    if let Ok(Command::Read(read)) = crate::bind(&statement, params, env) {
        let described = crate::describe(&statement, env).unwrap_or_else(|e| panic!("{text}: {e}"));
        let names = |columns: &[crate::ColumnMeta]| columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
        let crate::Description::Columns(described) = described else { panic!("{text}: {described:?}") };
        let expected = if read.into.is_empty() { names(read.shape.columns()) } else { Vec::new() };
        assert_eq!(names(&described), expected, "{text}");
    }
    crate::bind(&statement, params, env)
}

pub(crate) fn bound(text: &str) -> Result<Command, SqlError> {
    bound_with(&Session::new(), text, &[])
}

pub(crate) fn read_with(env: &Session, text: &str, params: &[Value]) -> Read {
    match bound_with(env, text, params) {
        Ok(Command::Read(read)) => read,
        other => panic!("{text}: {other:?}"),
    }
}

pub(crate) fn read(text: &str) -> Read {
    read_with(&Session::new(), text, &[])
}

/// A cell; its shard follows from its key.
pub(crate) fn cell(row: &str, column: &str, version: i64, body: &str, added_id: i64) -> Cell {
    Cell {
        triple: Triple {
            row: RowKey::new(row.to_owned()).unwrap(),
            column: ColumnKey::new(column.to_owned()).unwrap(),
            ref_key: RefKey(version),
        },
        body: Some(Body::json(body.to_owned()).unwrap()),
        added_id: AddedId(added_id),
        shard: ShardId(shard_of(row.as_bytes())),
        created_at: Micros(1_700_000_000_000_000 + added_id * 1_000_000),
        kind: CellKind::Cell,
        token: Token(0),
        txn: None,
    }
}

/// What a store answers to a request: the plain meaning of [`Request`], over a list of cells.
pub(crate) fn answer(cells: &[Cell], request: &Request) -> Vec<Cell> {
    match request {
        Request::Get { keys, .. } => {
            keys.iter().filter_map(|k| cells.iter().find(|c| c.triple == *k)).cloned().collect()
        }
        Request::Latest { keys, .. } => keys
            .iter()
            .filter_map(|k| {
                cells
                    .iter()
                    .filter(|c| c.triple.row == k.row && c.triple.column == k.column)
                    .filter(|c| k.at_most.is_none_or(|m| c.triple.ref_key <= m))
                    .max_by_key(|c| c.triple.ref_key)
            })
            .cloned()
            .collect(),
        Request::Rows { scan, .. } => {
            let mut found: Vec<Cell> = cells
                .iter()
                .filter(|c| match &scan.set {
                    RowSet::Rows(rows, filter) => {
                        assert!(rows.is_sorted(), "rows are sorted");
                        rows.contains(&c.triple.row) && filter.has(&c.triple.column)
                    }
                    RowSet::Chains(chains) => {
                        assert!(chains.is_sorted(), "chains are sorted");
                        chains.iter().any(|k| k.row == c.triple.row && k.column == c.triple.column)
                    }
                })
                .filter(|c| scan.refs.min.is_none_or(|m| c.triple.ref_key >= m))
                .filter(|c| scan.refs.max.is_none_or(|m| c.triple.ref_key <= m))
                .cloned()
                .collect();
            found.sort_by(|a, b| a.triple.cmp(&b.triple));
            if scan.direction == Direction::Descending {
                found.reverse();
            }
            found.truncate(scan.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap()));
            found
        }
        Request::Log { scan, .. } => {
            assert!(scan.shards.is_sorted(), "shards are sorted");
            let mut found: Vec<Cell> = cells
                .iter()
                .filter(|c| scan.shards.contains(&c.shard))
                .filter(|c| scan.added_after.is_none_or(|a| c.added_id > a))
                .filter(|c| scan.created_from.is_none_or(|t| c.created_at >= t))
                .filter(|c| scan.columns.has(&c.triple.column))
                .cloned()
                .collect();
            found.sort_by_key(|c| (c.shard, c.added_id));
            found.truncate(scan.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap()));
            found
        }
        Request::Put { .. } | Request::Erase { .. } => panic!("not a read"),
    }
}

thread_local! {
    /// What other threads have computed for this one.
    static ELSEWHERE: StdCell<Duration> = const { StdCell::new(Duration::ZERO) };
}

/// What this thread has computed so far, and others for it: unlike the clock on the wall it does not depend on what else
/// the machine is doing.
pub(crate) fn computed() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let here = Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap());
    here + ELSEWHERE.get()
}

/// Counts what another thread has computed for this one.
pub(crate) fn computed_elsewhere(computed: Duration) {
    ELSEWHERE.set(ELSEWHERE.get() + computed);
}

#[test]
fn what_is_computed_on_another_stack_counts() {
    let start = computed();
    let work = || {
        let start = computed();
        while computed() - start < Duration::from_millis(20) {}
        Ok(())
    };
    crate::parse::on_big_stack(work).unwrap();
    assert!(computed() - start >= Duration::from_millis(20));
}

/// Runs a bound SELECT over cells.
pub(crate) fn run(read: &Read, cells: &[Cell]) -> Result<Vec<Row>, SqlError> {
    let given = match &read.source {
        Source::Once | Source::Nothing => Vec::new(),
        Source::Cells(request) => answer(cells, request),
    };
    let mut shaping = read.shape.start();
    let mut rows = Vec::new();
    for cell in &given {
        if shaping.is_full() {
            break;
        }
        shaping.push(cell, &mut rows)?;
    }
    rows.extend(shaping.finish()?);
    Ok(rows)
}

/// A row as text, for comparison in tests.
pub(crate) fn shown(row: &Row) -> String {
    let value = |v: &Value| v.text().map_or("NULL".to_owned(), |t| String::from_utf8_lossy(&t).into_owned());
    row.iter().map(value).collect::<Vec<_>>().join("|")
}

/// The rows a SELECT gives over cells, as text.
pub(crate) fn rows(text: &str, cells: &[Cell]) -> Vec<String> {
    let rows = run(&read(text), cells).unwrap_or_else(|e| panic!("{text}: {e}"));
    rows.iter().map(shown).collect()
}

/// The value of a constant expression, as text.
pub(crate) fn value(expression: &str) -> String {
    let read = read(&format!("SELECT {expression}"));
    run(&read, &[]).unwrap_or_else(|e| panic!("{expression}: {e}")).first().map(shown).unwrap_or_default()
}
