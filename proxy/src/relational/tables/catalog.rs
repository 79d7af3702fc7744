//! Rows made of the catalog.

use cellgate_schemaless::TableDef;
use cellgate_sql::relational::{Relation, RelationColumn};
use cellgate_sql::{ColumnType, Row, Value};

use super::super::Sight;
use super::super::view::{CHARSET, ColumnView, IndexRow, IndexView, TableView};
use super::{LISTED_DATABASES, Made, all, number, text, yes};
use crate::catalog::Snapshot;

/// The catalog everything is in.
const DEF: &str = "def";
/// The character set of names.
const NAMES: &str = "utf8mb3";
/// The collation of names.
const NAME_COLLATION: &str = "utf8mb3_general_ci";

/// The tables that may be seen.
fn visible<'a>(catalog: &'a Snapshot, sight: &'a Sight) -> impl Iterator<Item = TableView<'a>> {
    let seen = |t: &&'a std::sync::Arc<TableDef>| sight.table(t);
    catalog.all_tables().filter(seen).map(|t| TableView::of(t))
}

fn listed() -> impl Iterator<Item = &'static Relation> {
    all().filter(|r| LISTED_DATABASES.contains(&r.database))
}

fn is_schema(relation: &Relation) -> bool {
    relation.database == "information_schema"
}

/// What a relation is shown as, here and by SHOW: as in MySQL, a table everywhere but in `information_schema`.
pub fn table_type(relation: &Relation) -> &'static str {
    if is_schema(relation) { "SYSTEM VIEW" } else { "BASE TABLE" }
}

pub(super) fn schemata<'a>(catalog: &'a Snapshot, sight: &'a Sight) -> Made<'a> {
    let row = move |name: &str| {
        let collation = collation_of(catalog, name);
        vec![text(DEF), text(name), text(charset_of(collation)), text(collation), Value::Null, text("NO")]
    };
    let own = catalog.databases().filter(|name| sight.database(name));
    Box::new(LISTED_DATABASES.into_iter().chain(own).map(row))
}

/// The default collation of a database; that of `information_schema` is the one of names.
pub fn collation_of<'a>(catalog: &'a Snapshot, database: &str) -> &'a str {
    if database.eq_ignore_ascii_case("information_schema") { NAME_COLLATION } else { catalog.collation(database) }
}

/// The character set of a collation, with which its name begins.
pub fn charset_of(collation: &str) -> &str {
    collation.split('_').next().unwrap_or(collation)
}

pub(super) fn tables<'a>(catalog: &'a Snapshot, sight: &'a Sight) -> Made<'a> {
    let system = listed().map(|relation| {
        let mut row = vec![Value::Null; 21];
        row[0] = text(DEF);
        row[1] = text(relation.database);
        row[2] = text(relation.name);
        row[3] = text(table_type(relation));
        row[4] = if is_schema(relation) { Value::Null } else { text("PERFORMANCE_SCHEMA") };
        row[5] = number(10);
        row[7] = number(0);
        row[19] = text("");
        row[20] = text("");
        row
    });
    let own = visible(catalog, sight).map(move |table| {
        let mut row = vec![Value::Null; 21];
        row[0] = text(DEF);
        row[1] = text(table.database);
        row[2] = text(table.name);
        row[3] = text("BASE TABLE");
        row[4] = text(table.engine);
        row[5] = number(10);
        row[6] = text("Dynamic");
        row[14] = sight.time(table.created_at);
        row[17] = text(table.collation);
        row[19] = text("");
        row[20] = text(table.comment);
        row
    });
    Box::new(system.chain(own))
}

pub(super) fn columns<'a>(catalog: &'a Snapshot, sight: &'a Sight) -> Made<'a> {
    let system = listed().flat_map(|relation| {
        relation.columns.iter().zip(1..).map(move |(column, position)| relation_column(relation, column, position))
    });
    let own = visible(catalog, sight).flat_map(move |table| {
        let privileges = sight.column_privileges(table.database, table.name);
        let row = |(i, column): (usize, &ColumnView<'_>)| {
            let optional = |n: Option<i64>| n.map_or(Value::Null, Value::Int);
            let unsigned = |n: Option<u64>| n.map_or(Value::Null, number);
            vec![
                text(DEF),
                text(table.database),
                text(table.name),
                text(column.name),
                number(i + 1),
                column.default.clone().map_or(Value::Null, text),
                yes(column.nullable),
                text(column.data_type),
                optional(column.length.map(|(characters, _)| characters)),
                optional(column.length.map(|(_, bytes)| bytes)),
                unsigned(column.precision.map(|(digits, _)| digits)),
                unsigned(column.precision.map(|(_, scale)| scale)),
                unsigned(column.datetime_precision),
                column.collation.map_or(Value::Null, |_| text(CHARSET)),
                column.collation.map_or(Value::Null, text),
                text(&column.column_type),
                text(column.key),
                text(column.extra),
                text(&privileges),
                text(column.comment),
                text(""),
                Value::Null,
            ]
        };
        table.columns.iter().enumerate().map(row).collect::<Vec<_>>()
    });
    Box::new(system.chain(own))
}

/// A column of a relation, as COLUMNS has it.
fn relation_column(relation: &Relation, column: &RelationColumn, position: usize) -> Row {
    let (data_type, column_type) = relation_type(column);
    let length = i64::from(column.length);
    let is_text = column.ty == ColumnType::Text;
    let null = |value: Value, shown: bool| if shown { value } else { Value::Null };
    let is_number = matches!(column.ty, ColumnType::BigInt | ColumnType::UnsignedBigInt);
    vec![
        text(DEF),
        text(relation.database),
        text(relation.name),
        text(column.name),
        number(position),
        null(text(""), is_text && !column.nullable),
        yes(column.nullable),
        text(data_type),
        null(number(length), is_text),
        null(number(length * 3), is_text),
        null(number(if column.ty == ColumnType::BigInt { 19 } else { 20 }), is_number),
        null(number(0), is_number),
        null(number(0), column.ty == ColumnType::DateTime),
        null(text(NAMES), is_text),
        null(text(NAME_COLLATION), is_text),
        text(column_type),
        text(""),
        text(""),
        text("select"),
        text(""),
        text(""),
        Value::Null,
    ]
}

/// The type of a relation's column, as DATA_TYPE and COLUMN_TYPE have it.
pub(super) fn relation_type(column: &RelationColumn) -> (&'static str, String) {
    match column.ty {
        ColumnType::BigInt => ("bigint", "bigint".to_owned()),
        ColumnType::UnsignedBigInt => ("bigint", "bigint unsigned".to_owned()),
        ColumnType::Double => ("double", "double".to_owned()),
        ColumnType::Decimal => ("decimal", "decimal(65,4)".to_owned()),
        ColumnType::DateTime => ("datetime", "datetime".to_owned()),
        ColumnType::Date => ("date", "date".to_owned()),
        ColumnType::Time => ("time", "time".to_owned()),
        ColumnType::Json => ("json", "json".to_owned()),
        ColumnType::Null | ColumnType::Bytes => ("binary", "binary(0)".to_owned()),
        ColumnType::Text if column.length > 65_535 => ("longtext", "longtext".to_owned()),
        ColumnType::Text => ("varchar", format!("varchar({})", column.length)),
    }
}

pub(super) fn statistics<'a>(catalog: &'a Snapshot, sight: &'a Sight) -> Made<'a> {
    Box::new(visible(catalog, sight).flat_map(|table| {
        let row = |column: IndexRow<'_>| {
            let (not_unique, values) = column.values();
            let mut row = vec![text(DEF), text(table.database), text(table.name), not_unique, text(table.database)];
            row.extend(values);
            row
        };
        table.index_rows().map(row).collect::<Vec<_>>()
    }))
}

pub(super) fn key_column_usage<'a>(catalog: &'a Snapshot, sight: &'a Sight) -> Made<'a> {
    Box::new(visible(catalog, sight).flat_map(|table| {
        let mut rows = Vec::new();
        for index in table.indexes.iter().filter(|i| i.unique) {
            for (i, name) in index.columns.iter().enumerate() {
                rows.push(vec![
                    text(DEF),
                    text(table.database),
                    text(index.name),
                    text(DEF),
                    text(table.database),
                    text(table.name),
                    text(*name),
                    number(i + 1),
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    Value::Null,
                ]);
            }
        }
        rows
    }))
}

pub(super) fn table_constraints<'a>(catalog: &'a Snapshot, sight: &'a Sight) -> Made<'a> {
    Box::new(visible(catalog, sight).flat_map(|table| {
        let row = |index: &IndexView<'_>| {
            let kind = if index.name == "PRIMARY" { "PRIMARY KEY" } else { "UNIQUE" };
            vec![
                text(DEF),
                text(table.database),
                text(index.name),
                text(table.database),
                text(table.name),
                text(kind),
                text("YES"),
            ]
        };
        table.indexes.iter().filter(|index| index.unique).map(row).collect::<Vec<_>>()
    }))
}

/// One row a table, as for every table without partitions: the shards are the deployment's, not the table's (SHOW
/// SHARDS).
pub(super) fn partitions<'a>(catalog: &'a Snapshot, sight: &'a Sight) -> Made<'a> {
    let row = move |table: TableView<'_>| {
        let mut row = vec![Value::Null; 25];
        row[0] = text(DEF);
        row[1] = text(table.database);
        row[2] = text(table.name);
        row[18] = sight.time(table.created_at);
        row[22] = text("");
        row[23] = text("");
        row
    };
    Box::new(visible(catalog, sight).map(row))
}
