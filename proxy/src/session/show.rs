//! SHOW, DESCRIBE, and what a session knows of the deployment.

use std::sync::Arc;

use cellgate_schemaless::TableDef;
use cellgate_sql::{Aspect, ColumnMeta, ColumnType, Filter, Row, Show, SqlError, TableName, Value};

use super::error::StatementError;
use super::variables::shown;
use super::{Answer, Session, Table};
use crate::catalog::Snapshot;
use crate::version;

/// A column as DESCRIBE shows it: name, type, nullable, key, default, extra.
type Described<'a> = (&'a str, &'a str, &'a str, &'a str, Option<&'a str>, &'a str);

/// The columns every cell table has.
const CELL_COLUMNS: [Described<'static>; 6] = [
    ("added_id", "bigint", "NO", "MUL", None, "auto_increment"),
    ("row_key", "varchar(255)", "NO", "PRI", None, ""),
    ("column_key", "varchar(64)", "NO", "PRI", None, ""),
    ("ref_key", "bigint", "NO", "PRI", None, ""),
    ("body", "json", "NO", "", None, ""),
    ("created_at", "datetime(6)", "NO", "", Some("CURRENT_TIMESTAMP(6)"), "DEFAULT_GENERATED"),
];

/// Whether a SHOW is about the statement before it, whose warnings must stay.
pub(super) fn keeps_warnings(aspect: &Aspect) -> bool {
    matches!(aspect, Aspect::Warnings | Aspect::Errors)
}

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

impl Session {
    /// SHOW.
    pub(super) async fn show(&mut self, show: Show, catalog: &Arc<Snapshot>) -> Result<Answer, StatementError> {
        let Show { aspect, filter } = show;
        let (columns, rows) = self.rows_of(aspect, &filter, catalog).await?;
        let rows = filter.apply(&columns, rows)?;
        Ok(Answer::Table(Table { columns, rows }))
    }

    /// The columns of a SHOW, for PREPARE.
    pub(super) async fn show_columns(
        &self,
        show: Show,
        catalog: &Arc<Snapshot>,
    ) -> Result<Vec<ColumnMeta>, StatementError> {
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
            Aspect::Databases => {
                let seen = catalog.databases().filter(|d| self.access().may_see_database(d));
                let rows = seen.map(|d| vec![text(d)]).collect();
                (columns(&[&format!("Database{suffix}")]), rows)
            }
            Aspect::Tables { database, full } => {
                let database = self.named_database(database, catalog)?;
                let name = format!("Tables_in_{database}{suffix}");
                let names: &[&str] = if full { &[&name, "Table_type"] } else { &[&name] };
                let row = |t: &Arc<TableDef>| {
                    let mut row = vec![text(&t.name)];
                    if full {
                        row.push(text("BASE TABLE"));
                    }
                    row
                };
                (columns(names), self.seen_tables(catalog, &database).map(row).collect())
            }
            Aspect::TableStatus { database } => {
                let database = self.named_database(database, catalog)?;
                table_status(self.seen_tables(catalog, &database))
            }
            Aspect::Columns { table, full } => describe(find(catalog, &table)?, full),
            Aspect::Index { table } => index(find(catalog, &table)?),
            Aspect::CreateTable { table } => {
                let def = find(catalog, &table)?;
                (columns(&["Table", "Create Table"]), vec![vec![text(&def.name), text(create_table(def))]])
            }
            Aspect::CreateDatabase { database } => {
                if !catalog.has_database(&database) {
                    return Err(SqlError::UnknownDatabase(database).into());
                }
                let collation = catalog.collation(&database);
                let charset = collation.split('_').next().unwrap_or(collation);
                let ddl = format!(
                    "CREATE DATABASE `{}` /*!40100 DEFAULT CHARACTER SET {charset} COLLATE {collation} */",
                    database.replace('`', "``")
                );
                (columns(&["Database", "Create Database"]), vec![vec![text(database), text(ddl)]])
            }
            Aspect::Variables { global } => {
                let globals = self.server.globals();
                let all = if global { &globals } else { &self.variables };
                let own = |name, value| match self.variable(name) {
                    Some(own) if !global => shown(name, &own),
                    Some(_) | None => value,
                };
                let rows = all.show().map(|(name, value)| vec![text(name), own(name, value)]).collect();
                (columns(&["Variable_name", "Value"]), rows)
            }
            Aspect::Status { global: _ } => {
                let mut status = self.server.status();
                let (cipher, version) = self.tls.as_ref().map_or(("", ""), |tls| (&tls.cipher[..], tls.version));
                status.push(("Ssl_cipher".to_owned(), cipher.to_owned()));
                status.push(("Ssl_version".to_owned(), version.to_owned()));
                status.sort();
                let rows = status.into_iter().map(|(name, value)| vec![text(name), text(value)]);
                (columns(&["Variable_name", "Value"]), rows.collect())
            }
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
            Aspect::Engines => {
                let names = ["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"];
                let comment = "Immutable, versioned JSON cells on sharded stores";
                let row = vec![text("CELLS"), text("DEFAULT"), text(comment), text("YES"), text("NO"), text("YES")];
                (columns(&names), vec![row])
            }
            Aspect::Collation => {
                let names = ["Collation", "Charset", "#Id", "Default", "Compiled", "#Sortlen", "Pad_attribute"];
                let row = |name: &str, charset: &str, id: i64, default: &str, pad: &str| {
                    let (default, yes) = (text(default), text("Yes"));
                    vec![text(name), text(charset), number(id), default, yes, number(1), text(pad)]
                };
                let rows = vec![
                    row("binary", "binary", 63, "Yes", "NO PAD"),
                    row("utf8mb4_0900_ai_ci", "utf8mb4", 255, "Yes", "NO PAD"),
                    row("utf8mb4_bin", "utf8mb4", 46, "", "PAD SPACE"),
                    row("utf8mb4_general_ci", "utf8mb4", 45, "", "PAD SPACE"),
                    row("utf8mb4_unicode_ci", "utf8mb4", 224, "", "PAD SPACE"),
                ];
                (columns(&names), rows)
            }
            Aspect::CharacterSet => {
                let names = ["Charset", "Description", "Default collation", "#Maxlen"];
                let rows = vec![
                    vec![text("binary"), text("Binary pseudo charset"), text("binary"), number(1)],
                    vec![text("utf8mb4"), text("UTF-8 Unicode"), text("utf8mb4_0900_ai_ci"), number(4)],
                ];
                (columns(&names), rows)
            }
            Aspect::Shards => self.shards(),
            Aspect::Clusters => self.clusters(),
            Aspect::Topology => {
                let topology = self.server.deployment().executor().topology();
                let facts = [
                    ("deployment", self.server.deployment().id().to_owned()),
                    ("version", topology.version().to_string()),
                    ("virtual_shards", topology.virtual_shards().to_string()),
                    ("clusters", topology.clusters().len().to_string()),
                    ("hash", cellgate_router::HASH_NAME.to_owned()),
                    ("catalog_version", catalog.version().to_string()),
                    ("meta_age_ms", self.server.meta_age().as_millis().to_string()),
                    ("cellgate_version", version::VERSION.to_owned()),
                ];
                let rows = facts.into_iter().map(|(name, value)| vec![text(name), text(value)]).collect();
                (columns(&["Property", "Value"]), rows)
            }
        })
    }

    fn named_database(&self, named: Option<String>, catalog: &Snapshot) -> Result<String, StatementError> {
        let database = named.or_else(|| self.database.clone()).ok_or(StatementError::NoDatabase)?;
        if catalog.has_database(&database) { Ok(database) } else { Err(SqlError::UnknownDatabase(database).into()) }
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

    /// The rows of the process list; FULL has what the clients say of themselves.
    pub(super) fn processes(&self, full: bool) -> Vec<Row> {
        // Other users' statements are theirs: without ADMIN one sees one's own.
        let all = self.access().may_administer();
        let seen = self.server.processes().all().into_iter().filter(|s| all || s.user == self.user);
        let rows = seen.map(|s| {
            let (command, state) = if s.statement.is_some() { ("Query", "executing") } else { ("Sleep", "") };
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
                Some(cluster) if cluster.is_verified() => "serving",
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

fn find<'a>(catalog: &'a Snapshot, name: &TableName) -> Result<&'a Arc<TableDef>, StatementError> {
    let TableName { database, table } = name.clone();
    catalog.table(&database, &table).ok_or(StatementError::Sql(SqlError::UnknownTable { database, table }))
}

/// `SHOW [FULL] COLUMNS`, `DESCRIBE`.
fn describe(def: &TableDef, full: bool) -> (Vec<ColumnMeta>, Vec<Row>) {
    let names: &[&str] = if full {
        &["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"]
    } else {
        &["Field", "Type", "Null", "Key", "Default", "Extra"]
    };
    let row = |(name, ty, null, key, default, extra): Described<'_>, comment: &str| {
        let collation = if ty.starts_with("varchar") { text("utf8mb4_bin") } else { Value::Null };
        let default = default.map_or(Value::Null, text);
        let (head, tail) = ([text(name), text(ty)], [text(null), text(key), default, text(extra)]);
        if full {
            let rest = [text("select,insert,update,references"), text(comment)];
            head.into_iter().chain([collation]).chain(tail).chain(rest).collect()
        } else {
            head.into_iter().chain(tail).collect::<Row>()
        }
    };
    let fixed = CELL_COLUMNS.into_iter().map(|c| row(c, ""));
    let declared = def
        .columns
        .iter()
        .map(|c| row((&c.name, "json", "YES", "", c.missing.as_deref(), ""), "row shape: latest body"));
    (columns(names), fixed.chain(declared).collect())
}

/// SHOW INDEX.
fn index(def: &TableDef) -> (Vec<ColumnMeta>, Vec<Row>) {
    let names = [
        "Table",
        "#Non_unique",
        "Key_name",
        "#Seq_in_index",
        "Column_name",
        "Collation",
        "#Cardinality",
        "#Sub_part",
        "Packed",
        "Null",
        "Index_type",
        "Comment",
        "Index_comment",
        "Visible",
        "Expression",
    ];
    let row = |non_unique: i64, key: &str, seq: i64, column: &str| {
        vec![
            text(&def.name),
            number(non_unique),
            text(key),
            number(seq),
            text(column),
            text("A"),
            Value::Null,
            Value::Null,
            Value::Null,
            text(""),
            text("BTREE"),
            text(""),
            text(""),
            text("YES"),
            Value::Null,
        ]
    };
    let rows = vec![
        row(0, "PRIMARY", 1, "row_key"),
        row(0, "PRIMARY", 2, "column_key"),
        row(0, "PRIMARY", 3, "ref_key"),
        row(1, "added_id", 1, "added_id"),
    ];
    (columns(&names), rows)
}

/// SHOW TABLE STATUS.
fn table_status<'a>(tables: impl Iterator<Item = &'a Arc<TableDef>>) -> (Vec<ColumnMeta>, Vec<Row>) {
    let names = [
        "Name",
        "Engine",
        "#Version",
        "Row_format",
        "#Rows",
        "#Avg_row_length",
        "#Data_length",
        "#Max_data_length",
        "#Index_length",
        "#Data_free",
        "#Auto_increment",
        "Create_time",
        "Update_time",
        "Check_time",
        "Collation",
        "#Checksum",
        "Create_options",
        "Comment",
    ];
    let row = |t: &Arc<TableDef>| {
        let mut row = vec![Value::Null; names.len()];
        row[0] = text(&t.name);
        row[1] = text("CELLS");
        row[2] = number(10);
        row[3] = text("Dynamic");
        row[11] = Value::DateTime(cellgate_schemaless::Micros(t.created_at));
        row[14] = text("utf8mb4_bin");
        row[16] = text("");
        row[17] = text(&t.comment);
        row
    };
    let mut columns = columns(&names);
    columns[11].ty = ColumnType::DateTime;
    columns[11].decimals = 6;
    (columns, tables.map(row).collect())
}

/// SHOW CREATE TABLE, in MySQL's layout: a text that creates the same table again.
fn create_table(def: &TableDef) -> String {
    let quote = |name: &str| format!("`{}`", name.replace('`', "``"));
    let mut lines = vec![
        "  `added_id` bigint NOT NULL AUTO_INCREMENT".to_owned(),
        "  `row_key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL".to_owned(),
        "  `column_key` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL".to_owned(),
        "  `ref_key` bigint NOT NULL".to_owned(),
        "  `body` json NOT NULL".to_owned(),
        "  `created_at` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)".to_owned(),
    ];
    for column in &def.columns {
        let default = match &column.missing {
            Some(json) => format!("DEFAULT ('{}')", json.replace('\'', "''")),
            None => "DEFAULT NULL".to_owned(),
        };
        lines.push(format!("  {} json {default}", quote(&column.name)));
    }
    lines.push("  PRIMARY KEY (`row_key`,`column_key`,`ref_key`)".to_owned());
    lines.push("  KEY `added_id` (`added_id`)".to_owned());
    let comment = match def.comment.as_str() {
        "" => String::new(),
        comment => format!(" COMMENT='{}'", comment.replace('\\', "\\\\").replace('\'', "''")),
    };
    format!(
        "CREATE TABLE {} (\n{}\n) ENGINE=CELLS DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin{comment}",
        quote(&def.name),
        lines.join(",\n")
    )
}
