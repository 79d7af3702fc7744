//! SHOW, DESCRIBE, and what a session knows of the deployment.

mod absent;
mod server;
mod tables;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_schemaless::TableDef;
use cellgate_sql::{Aspect, ColumnMeta, ColumnType, Filter, Row, Show, SqlError, Value};

use super::error::StatementError;
use super::workshop::SHORT_WORK;
use super::{Answer, Session, Table};
use crate::catalog::Snapshot;
use crate::relational::{charset_of, collation_of, is_system_database};
use crate::version;

/// Whether a SHOW is about the statement before it, whose warnings must stay.
pub(super) fn keeps_warnings(aspect: &Aspect) -> bool {
    matches!(aspect, Aspect::Warnings | Aspect::Errors)
}

const NAME_AND_VALUE: [&str; 2] = ["Variable_name", "Value"];

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into().into())
}

fn number(n: impl TryInto<i64>) -> Value {
    Value::Int(n.try_into().unwrap_or(i64::MAX))
}

fn column(name: &str, ty: ColumnType) -> ColumnMeta {
    ColumnMeta {
        schema: String::new(),
        table: String::new(),
        org_table: String::new(),
        name: name.to_owned(),
        org_name: name.to_owned(),
        ty,
        length: if ty == ColumnType::Text { 1024 } else { 21 },
        decimals: if ty == ColumnType::DateTime { 6 } else { 0 },
        nullable: true,
        primary_key: false,
    }
}

/// Columns by their names: those whose name starts with `#` are numbers.
fn columns(names: &[&str]) -> Vec<ColumnMeta> {
    let typed = |name: &&str| match name.strip_prefix('#') {
        Some(name) => column(name, ColumnType::BigInt),
        None => column(name, ColumnType::Text),
    };
    names.iter().map(typed).collect()
}

/// What the process list says of a session that others may wait for. MySQL has no word for it.
const HOLDS_TABLES: &str = "holds table locks";

/// Most rows that a condition is tried on where the statement runs, before it is known how long it takes.
const FEW_ROWS: usize = 2000;

impl Session {
    /// SHOW.
    pub(super) async fn show(&mut self, show: Show, catalog: &Arc<Snapshot>) -> Result<Answer, StatementError> {
        let Show { aspect, filter } = show;
        // FOUND_ROWS() is then still about the statement before, too.
        let found = keeps_warnings(&aspect).then_some(self.last.found_rows);
        let (columns, rows) = self.rows_of(aspect, &filter, catalog).await?;
        let rows = self.filtered(&filter, &columns, rows).await?;
        Ok(Answer::Table(Table { columns, rows, found }))
    }

    /// The rows that are let through. A condition is like any other: much work is done aside.
    async fn filtered(
        &self,
        filter: &Filter,
        columns: &[ColumnMeta],
        rows: Vec<Row>,
    ) -> Result<Vec<Row>, StatementError> {
        let apply = |rows, limit| filter.apply(columns, rows, &self.patience(limit)).map_err(|e| self.given_up(e));
        if !filter.has_condition() {
            return apply(rows, Duration::MAX);
        }
        if rows.len() <= FEW_ROWS {
            match apply(rows.clone(), SHORT_WORK) {
                Err(StatementError::Sql(SqlError::GivenUp)) => {}
                done => return done,
            }
        }
        let deadline = Instant::now() + self.server.config().timeouts.statement;
        Box::pin(self.desk.choose(deadline, || apply(rows, Duration::MAX))).await
    }

    /// The columns of a SHOW, for PREPARE.
    pub(super) async fn show_columns(
        &self,
        show: Show,
        catalog: &Arc<Snapshot>,
    ) -> Result<Vec<ColumnMeta>, StatementError> {
        // Its rows may be worth a key pair; those of others are made at once.
        if let Aspect::Status { .. } = show.aspect {
            return Ok(columns(&NAME_AND_VALUE));
        }
        Ok(self.rows_of(show.aspect, &show.filter, catalog).await?.0)
    }

    async fn rows_of(
        &self,
        aspect: Aspect,
        filter: &Filter,
        catalog: &Arc<Snapshot>,
    ) -> Result<(Vec<ColumnMeta>, Vec<Row>), StatementError> {
        let suffix = filter.like().map(|like| format!(" ({like})")).unwrap_or_default();
        Ok(match aspect {
            Aspect::Databases => self.shown_databases(catalog, &suffix),
            Aspect::Tables { database, full } => {
                let database = Self::named_database(database, catalog)?;
                self.shown_tables(catalog, &database, full, &suffix)
            }
            Aspect::TableStatus { database } => {
                let database = Self::named_database(database, catalog)?;
                let seen = self.seen_tables(catalog, &database).map(AsRef::as_ref);
                tables::status(seen, &database, &self.sight())
            }
            Aspect::Columns { table, full } => self.shown_columns(catalog, &table, full)?,
            Aspect::Index { table } => tables::index(catalog, &table)?,
            Aspect::CreateTable { table } => self.shown_create(catalog, &table)?,
            Aspect::CreateDatabase { database, if_not_exists } => {
                let database = Self::named_database(Some(database), catalog)?;
                shown_create_database(database, if_not_exists, catalog)
            }
            Aspect::Variables { global } => {
                let rows = self.shown_variables(global).into_iter().map(|(name, value)| vec![text(name), value]);
                (columns(&NAME_AND_VALUE), rows.collect())
            }
            Aspect::Status { global } => self.counted(global, filter).await,
            Aspect::Warnings => (columns(&["Level", "#Code", "Message"]), self.last.warnings.rows(false)),
            Aspect::Errors => (columns(&["Level", "#Code", "Message"]), self.last.warnings.rows(true)),
            Aspect::Processlist { full } => self.processlist(full),
            Aspect::Grants { account } => {
                let (name, lines) = self.shown_grants(&account)?;
                let rows = lines.into_iter().map(|line| vec![text(line)]);
                (columns(&[&format!("Grants for {}@{}", name.user, name.host)]), rows.collect())
            }
            Aspect::CreateUser { account } => {
                let (name, line) = self.shown_account(&account)?;
                (columns(&[&format!("CREATE USER for {}@{}", name.user, name.host)]), vec![vec![text(line)]])
            }
            Aspect::Engines => tables::engines(),
            Aspect::Collation => tables::collations(),
            Aspect::CharacterSet => tables::character_sets(),
            Aspect::Privileges => absent::privileges(),
            Aspect::Absent(absent) => absent::shown(absent),
            Aspect::Shards => self.shards(),
            Aspect::Clusters => self.clusters(),
            Aspect::Topology => self.shown_topology(catalog),
        })
    }

    /// What the server counts, and how this connection is.
    async fn counted(&self, global: bool, filter: &Filter) -> (Vec<ColumnMeta>, Vec<Row>) {
        // Made when it is asked for by name, which takes a second; a look at everything does not make it.
        let asked = |like: &str| like.to_ascii_lowercase().starts_with("caching_sha2");
        let key = self.server.login_key();
        let key = if filter.like().is_some_and(asked) { key.pair().await.ok() } else { key.made() };
        let key = key.map_or_else(String::new, |pair| pair.public_pem().to_owned());
        let rows = self.shown_status(global, key).into_iter().map(|(name, value)| vec![text(name), text(value)]);
        (columns(&NAME_AND_VALUE), rows.collect())
    }

    fn shown_topology(&self, catalog: &Snapshot) -> (Vec<ColumnMeta>, Vec<Row>) {
        let topology = self.server.deployment().executor().topology();
        let facts = [
            ("deployment", self.server.deployment().id().to_owned()),
            ("version", topology.version().to_string()),
            ("virtual_shards", topology.virtual_shards().to_string()),
            ("clusters", topology.clusters().len().to_string()),
            ("hash", cellgate_router::HASH_NAME.to_owned()),
            ("catalog_version", catalog.document_version().to_string()),
            ("meta_age_ms", self.server.meta_age().as_millis().to_string()),
            ("cellgate_version", version::VERSION.to_owned()),
        ];
        let rows = facts.into_iter().map(|(name, value)| vec![text(name), text(value)]).collect();
        (columns(&["Property", "Value"]), rows)
    }

    fn named_database(named: Option<String>, catalog: &Snapshot) -> Result<String, StatementError> {
        let database = named.ok_or(StatementError::NoDatabase)?;
        if catalog.has_database(&database) || is_system_database(&database) {
            Ok(database)
        } else {
            Err(SqlError::UnknownDatabase(database).into())
        }
    }

    /// The tables of a database that the user may see.
    fn seen_tables<'a>(&'a self, catalog: &'a Snapshot, database: &'a str) -> impl Iterator<Item = &'a Arc<TableDef>> {
        catalog.tables(database).filter(|t| self.access().may_see_table(&t.database, &t.name))
    }

    /// MySQL's columns; FULL has what the clients say of themselves behind them.
    fn processlist(&self, full: bool) -> (Vec<ColumnMeta>, Vec<Row>) {
        let mut names = vec!["#Id", "User", "Host", "db", "Command", "#Time", "State", "Info"];
        names.extend(full.then_some("Attributes"));
        (columns(&names), self.processes(full))
    }

    /// The rows of the process list; FULL has what the clients say of themselves. Connections that have ended are in it,
    /// as MySQL's Killed, while a write of theirs goes on.
    pub(super) fn processes(&self, full: bool) -> Vec<Row> {
        // Other users' statements are theirs: without ADMIN one sees one's own.
        let all = self.access().may_administer();
        let (processes, locks) = (self.server.processes(), self.server.locks());
        let open = processes.all().into_iter().map(|s| (s, false));
        let listed = open.chain(processes.outlived(|| locks.outlived()).into_iter().map(|s| (s, true)));
        let holders = locks.table_holders();
        let rows = listed.filter(|(s, _)| all || s.user == self.user).map(|(s, is_ended)| {
            let (command, state) = match &s.statement {
                _ if is_ended => ("Killed", "executing"),
                Some(_) => ("Query", s.waits.unwrap_or("executing")),
                None => ("Sleep", ""),
            };
            let state = match (state, holders.contains(&s.id)) {
                (state, false) => state.to_owned(),
                ("", true) => HOLDS_TABLES.to_owned(),
                (state, true) => format!("{state}, {HOLDS_TABLES}"),
            };
            let mut row = vec![
                number(s.id),
                text(s.user),
                text(s.host),
                s.database.map_or(Value::Null, text),
                text(command),
                number(s.since.elapsed().as_secs()),
                text(state),
                s.statement.map_or(Value::Null, text),
            ];
            row.extend(full.then(|| text(s.attributes)));
            row
        });
        rows.collect()
    }

    fn shards(&self) -> (Vec<ColumnMeta>, Vec<Row>) {
        let topology = self.server.deployment().executor().topology();
        let mut rows = Vec::new();
        for cluster in topology.clusters() {
            for shard in topology.shards_of(cluster.number) {
                let partition = text(format!("p{shard}"));
                rows.push(vec![number(shard.0), partition, number(cluster.number.get()), text(&cluster.name)]);
            }
        }
        rows.sort_by_key(|row| match row.first() {
            Some(Value::Int(shard)) => *shard,
            _ => i64::MAX,
        });
        (columns(&["#Shard", "Partition", "#Cluster_no", "Cluster"]), rows)
    }

    fn clusters(&self) -> (Vec<ColumnMeta>, Vec<Row>) {
        let executor = self.server.deployment().executor();
        let topology = executor.topology();
        let rows = topology.clusters().iter().map(|entry| {
            let running = executor.clusters().find(|c| c.number == entry.number);
            let state = match running {
                Some(cluster) if cluster.is_up() => "serving",
                Some(cluster) if cluster.is_verified() => "unavailable",
                Some(_) => "not reached yet",
                None => "not configured",
            };
            vec![
                number(entry.number.get()),
                text(&entry.name),
                text(running.map_or("", |c| c.engine)),
                Value::Double(entry.weight.get()),
                number(topology.shards_of(entry.number).count()),
                number(entry.epoch.0),
                text(state),
            ]
        });
        let mut columns = columns(&["#Cluster_no", "Cluster", "Engine", "Weight", "#Shards", "#Epoch", "State"]);
        columns[3].ty = ColumnType::Double;
        columns[3].decimals = 31;
        (columns, rows.collect())
    }
}

/// The statement that creates a database.
fn shown_create_database(database: String, if_not_exists: bool, catalog: &Snapshot) -> (Vec<ColumnMeta>, Vec<Row>) {
    let collation = collation_of(catalog, &database);
    let charset = charset_of(collation);
    let condition = if if_not_exists { "/*!32312 IF NOT EXISTS*/ " } else { "" };
    let ddl = format!(
        "CREATE DATABASE {condition}`{}` /*!40100 DEFAULT CHARACTER SET {charset} COLLATE {collation} */",
        database.replace('`', "``")
    );
    (columns(&["Database", "Create Database"]), vec![vec![text(database), text(ddl)]])
}
