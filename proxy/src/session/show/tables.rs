//! SHOW of databases, tables and columns: from the same views as `information_schema`.

use cellgate_schemaless::TableDef;
use cellgate_sql::relational::Relation;
use cellgate_sql::{ColumnMeta, ColumnType, Row, SqlError, TableName, Value};

use super::super::Session;
use super::super::error::StatementError;
use super::{columns, number, text};
use crate::catalog::Snapshot;
use crate::relational::{
    Escapes, IndexRow, LISTED_DATABASES, Sight, TableView, is_system_database, relation, relations, static_rows,
    table_type,
};

/// A result set.
type Shown = (Vec<ColumnMeta>, Vec<Row>);

/// What a name names.
enum Found<'a> {
    Table(&'a TableDef),
    Relation(&'static Relation),
}

fn find<'a>(catalog: &'a Snapshot, name: &TableName) -> Result<Found<'a>, StatementError> {
    let TableName { database, table } = name.clone();
    if let Some(relation) = relation(&database, &table) {
        return Ok(Found::Relation(relation));
    }
    match catalog.table(&database, &table) {
        Some(def) => Ok(Found::Table(def)),
        None => Err(StatementError::Sql(SqlError::UnknownTable { database, table })),
    }
}

/// The relations of a system database.
fn relations_of(database: &str) -> impl Iterator<Item = &'static Relation> {
    relations().filter(move |r| r.database.eq_ignore_ascii_case(database))
}

impl Session {
    /// SHOW DATABASES.
    pub(super) fn shown_databases(&self, catalog: &Snapshot, suffix: &str) -> Shown {
        let seen = catalog.databases().filter(|name| self.access().may_see_database(name));
        let mut names: Vec<&str> = LISTED_DATABASES.into_iter().chain(seen).collect();
        names.sort_unstable();
        (columns(&[&format!("Database{suffix}")]), names.into_iter().map(|name| vec![text(name)]).collect())
    }

    /// SHOW \[FULL\] TABLES.
    pub(super) fn shown_tables(&self, catalog: &Snapshot, database: &str, full: bool, suffix: &str) -> Shown {
        let name = format!("Tables_in_{database}{suffix}");
        let names: &[&str] = if full { &[&name, "Table_type"] } else { &[&name] };
        let row = |name: &str, kind: &str| {
            let mut row = vec![text(name)];
            if full {
                row.push(text(kind));
            }
            row
        };
        let rows = if is_system_database(database) {
            relations_of(database).map(|r| row(r.name, table_type(r))).collect()
        } else {
            self.seen_tables(catalog, database).map(|t| row(&t.name, "BASE TABLE")).collect()
        };
        (columns(names), rows)
    }

    /// SHOW \[FULL\] COLUMNS, DESCRIBE.
    pub(super) fn shown_columns(
        &self,
        catalog: &Snapshot,
        table: &TableName,
        full: bool,
    ) -> Result<Shown, StatementError> {
        let names: &[&str] = if full {
            &["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"]
        } else {
            &["Field", "Type", "Null", "Key", "Default", "Extra"]
        };
        let yes = |yes: bool| text(if yes { "YES" } else { "NO" });
        let rows = match find(catalog, table)? {
            Found::Table(def) => {
                let privileges = self.sight().column_privileges(&def.database, &def.name);
                let view = TableView::of(def);
                let row = |column: &crate::relational::ColumnView<'_>| {
                    let mut row = vec![text(column.name), text(&column.column_type)];
                    if full {
                        row.push(column.collation.map_or(Value::Null, text));
                    }
                    row.extend([yes(column.nullable), text(column.key)]);
                    row.extend([column.default.clone().map_or(Value::Null, text), text(column.extra)]);
                    if full {
                        row.extend([text(&privileges), text(column.comment)]);
                    }
                    row
                };
                view.columns.iter().map(row).collect()
            }
            Found::Relation(relation) => {
                let row = |column: &cellgate_sql::relational::RelationColumn| {
                    let mut row = vec![text(column.name), text(crate::relational::column_type(column))];
                    if full {
                        let is_text = column.ty == ColumnType::Text;
                        row.push(if is_text { text("utf8mb3_general_ci") } else { Value::Null });
                    }
                    row.extend([yes(column.nullable), text(""), Value::Null, text("")]);
                    if full {
                        row.extend([text("select"), text("")]);
                    }
                    row
                };
                relation.columns.iter().map(row).collect()
            }
        };
        Ok((columns(names), rows))
    }

    /// SHOW CREATE TABLE, as this session would read it.
    pub(super) fn shown_create(&self, catalog: &Snapshot, table: &TableName) -> Result<Shown, StatementError> {
        let plain = self.variables.sql_mode().no_backslash_escapes;
        let escapes = if plain { Escapes::Nothing } else { Escapes::Backslashes };
        let (name, statement) = match find(catalog, table)? {
            Found::Table(def) => (def.name.as_str(), TableView::of(def).create_statement(escapes)),
            Found::Relation(relation) => {
                let line = |column: &cellgate_sql::relational::RelationColumn| {
                    let null = if column.nullable { "DEFAULT NULL" } else { "NOT NULL" };
                    format!("  `{}` {} {null}", column.name, crate::relational::column_type(column))
                };
                let lines: Vec<String> = relation.columns.iter().map(line).collect();
                let statement = format!(
                    "CREATE TEMPORARY TABLE `{}` (\n{}\n) ENGINE=MEMORY DEFAULT CHARSET=utf8mb3",
                    relation.name,
                    lines.join(",\n")
                );
                (relation.name, statement)
            }
        };
        Ok((columns(&["Table", "Create Table"]), vec![vec![text(name), text(statement)]]))
    }
}

/// SHOW INDEX.
pub(super) fn index(catalog: &Snapshot, table: &TableName) -> Result<Shown, StatementError> {
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
    let Found::Table(def) = find(catalog, table)? else { return Ok((columns(&names), Vec::new())) };
    let view = TableView::of(def);
    let row = |column: IndexRow<'_>| {
        let (not_unique, values) = column.values();
        let mut row = vec![text(view.name), not_unique];
        row.extend(values);
        row
    };
    let rows = view.index_rows().map(row).collect();
    Ok((columns(&names), rows))
}

/// SHOW TABLE STATUS.
pub(super) fn status<'a>(tables: impl Iterator<Item = &'a TableDef>, database: &str, sight: &Sight) -> Shown {
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
    let own = tables.map(|def| {
        let view = TableView::of(def);
        let mut row = vec![Value::Null; names.len()];
        row[0] = text(view.name);
        row[1] = text(view.engine);
        row[2] = number(10);
        row[3] = text("Dynamic");
        row[11] = sight.time(view.created_at);
        row[14] = text(view.collation);
        row[16] = text("");
        row[17] = text(view.comment);
        row
    });
    let system = relations_of(database).map(|relation| {
        let mut row = vec![Value::Null; names.len()];
        row[0] = text(relation.name);
        row[2] = number(10);
        row[16] = text("");
        row[17] = text("");
        row
    });
    let mut columns = columns(&names);
    for time in [11, 12, 13] {
        columns[time].ty = ColumnType::DateTime;
        columns[time].length = 19;
        columns[time].decimals = 0;
    }
    (columns, own.chain(system).collect())
}

/// SHOW ENGINES.
pub(super) fn engines() -> Shown {
    let names = ["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"];
    (columns(&names), static_rows::ENGINES.into_iter().map(|row| row.map(text).to_vec()).collect())
}

/// SHOW COLLATION.
pub(super) fn collations() -> Shown {
    let names = ["Collation", "Charset", "#Id", "Default", "Compiled", "#Sortlen", "Pad_attribute"];
    let row = |(name, charset, id, default, pad): static_rows::Collation| {
        let is_default = if default { "Yes" } else { "" };
        vec![text(name), text(charset), number(id), text(is_default), text("Yes"), number(1), text(pad)]
    };
    (columns(&names), static_rows::COLLATIONS.into_iter().map(row).collect())
}

/// SHOW CHARACTER SET.
pub(super) fn character_sets() -> Shown {
    let names = ["Charset", "Description", "Default collation", "#Maxlen"];
    let row = |(name, collation, description, length): (&str, &str, &str, i64)| {
        vec![text(name), text(description), text(collation), number(length)]
    };
    (columns(&names), static_rows::CHARACTER_SETS.into_iter().map(row).collect())
}
