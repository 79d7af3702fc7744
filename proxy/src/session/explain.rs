//! EXPLAIN: where a statement goes and what it becomes there.

use std::time::Instant;

use cellgate_router::{Plan, plan};
use cellgate_schemaless::{Chain, ClusterNo, Request, RowSet, ShardId};
use cellgate_sql::{ColumnMeta, ColumnType, Command, Explain, Read, Row, Source, Value};

use super::error::StatementError;
use super::read_time::ReadTime;
use super::rows::RowSource;
use super::{Answer, Session, Table};

/// Most shards listed one by one in a line.
const LISTED_SHARDS: usize = 16;

const COLUMNS: [&str; 9] = ["id", "request", "table", "shards", "cluster", "node", "statement", "cache", "scatter"];

/// One line: what one cluster is asked.
struct Line {
    request: &'static str,
    table: String,
    shards: Vec<ShardId>,
    cluster: String,
    engine: String,
    statement: String,
    cache: Cached,
    scatter: bool,
}

/// What the cache of this proxy does for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cached {
    /// It is not asked: it knows cells by their exact names only.
    NotAsked,
    /// There is none.
    Off,
    /// It has so many of the cells asked for.
    Has { cells: usize, of: usize },
}

impl Cached {
    fn text(self) -> String {
        match self {
            Self::NotAsked => "no".to_owned(),
            Self::Off => "off".to_owned(),
            Self::Has { cells: 0, .. } => "miss".to_owned(),
            Self::Has { cells, of } if cells >= of => "hit".to_owned(),
            Self::Has { cells, of } => format!("{cells} of {of}"),
        }
    }
}

impl Session {
    /// `EXPLAIN [ANALYZE]`.
    pub(super) async fn explain(&mut self, explain: Explain, time: ReadTime) -> Result<Answer, StatementError> {
        let lines = self.lines(&explain.command);
        let analyzed = if explain.analyze { Some(self.analyze(explain.command, time).await?) } else { None };
        let columns = columns(analyzed.is_some());
        let rows = lines.into_iter().zip(1_i64..).map(|(line, id)| {
            let mut row = line.row(id);
            if let Some((rows, micros)) = analyzed {
                row.extend([Value::Int(rows), Value::Int(micros)]);
            }
            row
        });
        Ok(Answer::Table(Table { rows: rows.collect(), columns, found: None }))
    }

    /// Runs a SELECT and answers its rows and microseconds.
    async fn analyze(&mut self, command: Command, time: ReadTime) -> Result<(i64, i64), StatementError> {
        let read = match command {
            Command::Read(read) => read,
            Command::Relational(_) => {
                return Err(StatementError::Unsupported {
                    what: "EXPLAIN ANALYZE of what the relational engine runs",
                    instead: "write EXPLAIN, or the statement itself",
                });
            }
            Command::Put(_)
            | Command::Erase(_)
            | Command::Ddl(_)
            | Command::Use(_)
            | Command::Set(_)
            | Command::Transaction(_)
            | Command::Show(_)
            | Command::Explain(_)
            | Command::Account(_)
            | Command::Lock(_)
            | Command::Prepared(_)
            | Command::Flush(_)
            | Command::Kill { .. }
            | Command::Nothing => {
                return Err(StatementError::Unsupported {
                    what: "EXPLAIN ANALYZE of a statement that is not a SELECT",
                    instead: "it would run the statement: write EXPLAIN, or the statement itself",
                });
            }
        };
        let started = Instant::now();
        // Nobody reads its rows: it has the time of one statement, however many there are.
        let time = ReadTime { end: Some(time.deadline()), ..time };
        let mut rows = RowSource::of(self.read(read, time).await?);
        let mut count = 0_i64;
        while rows.advance().await?.is_some() {
            count += 1;
        }
        self.warn_of(rows.notes());
        let micros = started.elapsed().as_micros();
        Ok((count, i64::try_from(micros).unwrap_or(i64::MAX)))
    }

    fn lines(&self, command: &Command) -> Vec<Line> {
        match command {
            Command::Read(Read { source: Source::Cells(request), scatter, table, .. }) => {
                let name = table.as_ref().map(|t| t.name.clone()).unwrap_or_default();
                self.request_lines(request.clone(), &name, *scatter)
            }
            Command::Read(Read { source: Source::Nothing, .. }) => {
                vec![Line::note("impossible WHERE: no cells are read")]
            }
            Command::Read(Read { source: Source::Once, .. }) => vec![Line::note("no tables used")],
            Command::Relational(program) => vec![Line::note(&format!("relational engine: {}", program.sql()))],
            Command::Put(put) => {
                let request = Request::Put { table: put.table.table_ref(), cells: put.cells.clone() };
                self.request_lines(request, &put.table.name, false)
            }
            Command::Erase(erase) => erase
                .what
                .iter()
                .flat_map(|what| {
                    let request = Request::Erase { table: erase.table.table_ref(), what: what.clone() };
                    self.request_lines(request, &erase.table.name, false)
                })
                .collect(),
            Command::Ddl(_) => vec![Line::note("the catalog, then every cluster")],
            Command::Use(_)
            | Command::Set(_)
            | Command::Transaction(_)
            | Command::Show(_)
            | Command::Account(_)
            | Command::Lock(_)
            | Command::Prepared(_)
            | Command::Flush(_)
            | Command::Kill { .. }
            | Command::Nothing => {
                vec![Line::note("the session alone")]
            }
            Command::Explain(inner) => self.lines(&inner.command),
        }
    }

    fn request_lines(&self, request: Request, table: &str, scatter: bool) -> Vec<Line> {
        let executor = self.server.deployment().executor();
        let topology = executor.topology();
        let kind = match &request {
            Request::Get { .. } => "get",
            Request::Latest { .. } => "latest",
            Request::Rows { .. } => "rows",
            Request::Log { .. } => "log",
            Request::Put { .. } => "put",
            Request::Erase { .. } => "erase",
        };
        let table_ref = match &request {
            Request::Get { table, .. } => Some(table.clone()),
            Request::Latest { .. }
            | Request::Rows { .. }
            | Request::Log { .. }
            | Request::Put { .. }
            | Request::Erase { .. } => None,
        };
        let plan = plan(request, &topology);
        let cached = |number: ClusterNo| match (&plan, &table_ref) {
            (Plan::Get { parts, .. }, Some(table)) => {
                let keys = parts.iter().find(|p| p.cluster == number).map_or(&[][..], |p| &p.items);
                let cells = executor.cached_of(table, keys);
                cells.map_or(Cached::Off, |cells| Cached::Has { cells, of: keys.len() })
            }
            (_, _) => Cached::NotAsked,
        };
        let shard = |row: &cellgate_schemaless::RowKey| topology.shard_of(row.as_bytes());
        let parts: Vec<(ClusterNo, Vec<ShardId>)> = match &plan {
            Plan::Get { parts, .. } => {
                parts.iter().map(|p| (p.cluster, p.items.iter().map(|t| shard(&t.row)).collect())).collect()
            }
            Plan::Latest { parts, .. } => {
                parts.iter().map(|p| (p.cluster, p.items.iter().map(|t| shard(&t.row)).collect())).collect()
            }
            Plan::Rows { parts, .. } => parts
                .iter()
                .map(|(cluster, scan)| {
                    let shards = match &scan.set {
                        RowSet::Rows(rows, _) => rows.iter().map(shard).collect(),
                        RowSet::Chains(chains) => chains.iter().map(|Chain { row, .. }| shard(row)).collect(),
                    };
                    (*cluster, shards)
                })
                .collect(),
            Plan::Log { parts, .. } => parts.iter().map(|(c, scan)| (*c, scan.shards.clone())).collect(),
            Plan::Put { parts, .. } => {
                parts.iter().map(|p| (p.cluster, p.items.iter().map(|c| c.shard).collect())).collect()
            }
            Plan::Erase { cluster, what, .. } => vec![(*cluster, vec![shard(what.row())])],
        };
        let lines = parts.into_iter().map(|(number, mut shards)| {
            shards.sort();
            shards.dedup();
            let cluster = executor.clusters().find(|c| c.number == number);
            Line {
                request: kind,
                table: table.to_owned(),
                shards,
                cluster: cluster.map_or_else(|| number.to_string(), |c| c.name.clone()),
                engine: cluster.map(|c| c.engine.to_owned()).unwrap_or_default(),
                statement: cluster
                    .map(|c| cellgate_store::executor::statement_text(c.backend.as_ref(), &plan, number))
                    .unwrap_or_default(),
                cache: cached(number),
                scatter,
            }
        });
        lines.collect()
    }
}

impl Line {
    fn note(text: &str) -> Self {
        let (table, cluster, engine) = (String::new(), String::new(), String::new());
        let (statement, cache) = (text.to_owned(), Cached::NotAsked);
        Self { request: "none", table, shards: Vec::new(), cluster, engine, statement, cache, scatter: false }
    }

    fn row(self, id: i64) -> Row {
        let text = |text: String| Value::Text(text.into());
        let listed: Vec<String> = self.shards.iter().take(LISTED_SHARDS).map(|s| format!("p{s}")).collect();
        let rest = self.shards.len().saturating_sub(LISTED_SHARDS);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        vec![
            Value::Int(id),
            text(self.request.to_owned()),
            text(self.table),
            text(format!("{}{more}", listed.join(","))),
            text(self.cluster),
            text(if self.engine.is_empty() { String::new() } else { format!("primary ({})", self.engine) }),
            text(self.statement),
            text(self.cache.text()),
            text(if self.scatter { "yes" } else { "no" }.to_owned()),
        ]
    }
}

/// The columns of `EXPLAIN [ANALYZE]`.
pub(super) fn columns(analyze: bool) -> Vec<ColumnMeta> {
    let more: &[&str] = if analyze { &["rows", "time_us"] } else { &[] };
    COLUMNS.iter().chain(more).map(|name| column(name)).collect()
}

fn column(name: &str) -> ColumnMeta {
    let number = matches!(name, "id" | "rows" | "time_us");
    ColumnMeta {
        schema: String::new(),
        table: String::new(),
        org_table: String::new(),
        name: name.to_owned(),
        org_name: String::new(),
        ty: if number { ColumnType::BigInt } else { ColumnType::Text },
        length: if number { 21 } else { 65_535 },
        decimals: 0,
        nullable: true,
        primary_key: false,
    }
}
