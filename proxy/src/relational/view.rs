//! A table of the catalog as introspection describes it: the one place that knows how a definition looks to a client.
//! `information_schema`, SHOW and DESCRIBE are all made of it.

use cellgate_schemaless::{Micros, RowColumn, TableDef, TableKind};
use cellgate_sql::Value;

/// The character set of text columns.
pub const CHARSET: &str = "utf8mb4";
/// The collation of a cell table's text: keys compare byte by byte.
pub const KEY_COLLATION: &str = "utf8mb4_bin";

/// A table.
#[derive(Clone, Debug)]
pub struct TableView<'a> {
    /// Its database.
    pub database: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its engine.
    pub engine: &'static str,
    /// Its default collation.
    pub collation: &'static str,
    /// Its comment.
    pub comment: &'a str,
    /// When it was created.
    pub created_at: Micros,
    /// Its columns, in order.
    pub columns: Vec<ColumnView<'a>>,
    /// Its indexes, the primary key first.
    pub indexes: Vec<IndexView<'a>>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct ColumnView<'a> {
    /// Its name.
    pub name: &'a str,
    /// `bigint`
    pub data_type: &'static str,
    /// `bigint unsigned`, `varchar(255)`
    pub column_type: String,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// Its default as DESCRIBE prints it.
    pub default: Option<String>,
    /// Whether the default is an expression.
    pub default_is_expression: bool,
    /// `auto_increment`, `DEFAULT_GENERATED`
    pub extra: &'static str,
    /// `PRI`, `UNI`, `MUL` or nothing.
    pub key: &'static str,
    /// Longest text in characters and in bytes.
    pub length: Option<(i64, i64)>,
    /// Digits, and digits behind the point, of a number.
    pub precision: Option<(u64, u64)>,
    /// Digits of a fraction of a second.
    pub datetime_precision: Option<u64>,
    /// The collation of text.
    pub collation: Option<&'static str>,
    /// Its comment.
    pub comment: &'a str,
}

/// An index.
#[derive(Clone, Debug)]
pub struct IndexView<'a> {
    /// Its name; `PRIMARY` is the primary key.
    pub name: &'a str,
    /// Whether it is unique.
    pub unique: bool,
    /// Its columns.
    pub columns: Vec<&'a str>,
}

/// A column of an index, as SHOW INDEX and `information_schema.STATISTICS` show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRow<'v> {
    index: &'v str,
    unique: bool,
    place: usize,
    column: &'v str,
    nullable: bool,
}

impl IndexRow<'_> {
    /// Whether it is not unique, its name, the column's place and name, and what follows them up to the expression.
    pub fn values(&self) -> (Value, Vec<Value>) {
        let text = |text: &str| Value::Text(text.to_owned().into());
        let values = vec![
            text(self.index),
            Value::Int(i64::try_from(self.place).unwrap_or(i64::MAX)),
            text(self.column),
            text("A"),
            Value::Null,
            Value::Null,
            Value::Null,
            text(if self.nullable { "YES" } else { "" }),
            text("BTREE"),
            text(""),
            text(""),
            text("YES"),
            Value::Null,
        ];
        (Value::Int(i64::from(!self.unique)), values)
    }
}

impl<'a> TableView<'a> {
    /// How the definition looks.
    pub fn of(def: &'a TableDef) -> Self {
        match def.kind {
            TableKind::Cells => Self::of_cells(def),
        }
    }

    fn of_cells(def: &'a TableDef) -> Self {
        let key = |name, characters: i64| ColumnView {
            length: Some((characters, characters * 4)),
            collation: Some(KEY_COLLATION),
            key: "PRI",
            ..ColumnView::new(name, "varchar", format!("varchar({characters})"))
        };
        let number = |name, key, extra| ColumnView {
            precision: Some((19, 0)),
            key,
            extra,
            ..ColumnView::new(name, "bigint", "bigint".to_owned())
        };
        let mut columns = vec![
            number("added_id", "", "auto_increment"),
            key("row_key", 255),
            key("column_key", 64),
            number("ref_key", "PRI", ""),
            ColumnView::new("body", "json", "json".to_owned()),
            ColumnView {
                datetime_precision: Some(6),
                default: Some("CURRENT_TIMESTAMP(6)".to_owned()),
                default_is_expression: true,
                extra: "DEFAULT_GENERATED",
                ..ColumnView::new("created_at", "datetime", "datetime(6)".to_owned())
            },
        ];
        columns.extend(def.columns.iter().map(declared));
        Self {
            database: &def.database,
            name: &def.name,
            engine: "CELLS",
            collation: KEY_COLLATION,
            comment: &def.comment,
            // MySQL's is without a fraction.
            created_at: Micros(def.created_at.div_euclid(1_000_000) * 1_000_000),
            columns,
            indexes: vec![
                IndexView { name: "PRIMARY", unique: true, columns: vec!["row_key", "column_key", "ref_key"] },
                IndexView { name: "added_id", unique: false, columns: vec!["added_id"] },
            ],
        }
    }

    /// SHOW CREATE TABLE, in MySQL's layout: a text that creates the same table again where backslashes escape as said.
    pub fn create_statement(&self, escapes: Escapes) -> String {
        let mut lines: Vec<String> = self.columns.iter().map(|c| c.create_line(self.collation, escapes)).collect();
        for index in &self.indexes {
            let columns: Vec<String> = index.columns.iter().map(|c| quote(c)).collect();
            let columns = columns.join(",");
            lines.push(match (index.name, index.unique) {
                ("PRIMARY", _) => format!("  PRIMARY KEY ({columns})"),
                (name, true) => format!("  UNIQUE KEY {} ({columns})", quote(name)),
                (name, false) => format!("  KEY {} ({columns})", quote(name)),
            });
        }
        let comment = match self.comment {
            "" => String::new(),
            comment => format!(" COMMENT={}", literal(comment, escapes)),
        };
        format!(
            "CREATE TABLE {} (\n{}\n) ENGINE={} DEFAULT CHARSET={CHARSET} COLLATE={}{comment}",
            quote(self.name),
            lines.join(",\n"),
            self.engine,
            self.collation
        )
    }

    /// The columns of its indexes, one by one. That of `added_id` is for SHOW CREATE TABLE alone, since MySQL has no
    /// AUTO_INCREMENT without one: nobody can read by it, and mappers drop an index that their model does not have.
    pub fn index_rows(&self) -> impl Iterator<Item = IndexRow<'_>> {
        self.indexes.iter().filter(|index| index.unique).flat_map(move |index| {
            index.columns.iter().enumerate().map(move |(at, column)| IndexRow {
                index: index.name,
                unique: index.unique,
                place: at + 1,
                column,
                nullable: self.columns.iter().any(|c| c.name == *column && c.nullable),
            })
        })
    }

    /// The index a column stands in, and where, from 1.
    pub fn places<'v>(&'v self, column: &'v str) -> impl Iterator<Item = (&'v IndexView<'a>, usize)> + 'v {
        self.indexes
            .iter()
            .filter_map(move |index| index.columns.iter().position(|c| *c == column).map(|at| (index, at + 1)))
    }
}

impl<'a> ColumnView<'a> {
    fn new(name: &'a str, data_type: &'static str, column_type: String) -> Self {
        Self {
            name,
            data_type,
            column_type,
            nullable: false,
            default: None,
            default_is_expression: false,
            extra: "",
            key: "",
            length: None,
            precision: None,
            datetime_precision: None,
            collation: None,
            comment: "",
        }
    }

    /// The column's line of SHOW CREATE TABLE.
    fn create_line(&self, table_collation: &str, escapes: Escapes) -> String {
        let mut line = format!("  {} {}", quote(self.name), self.column_type);
        if let Some(collation) = self.collation {
            // As MySQL: said when it is not the table's, and always when the table's is not its character set's own.
            if collation != table_collation || table_collation == KEY_COLLATION {
                line.push_str(&format!(" CHARACTER SET {CHARSET} COLLATE {collation}"));
            }
        }
        if !self.nullable {
            line.push_str(" NOT NULL");
        }
        match &self.default {
            // MySQL has no plain default of JSON.
            Some(default) if self.data_type == "json" => {
                line.push_str(&format!(" DEFAULT ({})", literal(default, escapes)));
            }
            Some(default) if self.default_is_expression => line.push_str(&format!(" DEFAULT {default}")),
            Some(default) => line.push_str(&format!(" DEFAULT {}", literal(default, escapes))),
            None if self.nullable => line.push_str(" DEFAULT NULL"),
            None => {}
        }
        if self.extra == "auto_increment" {
            line.push_str(" AUTO_INCREMENT");
        }
        if !self.comment.is_empty() {
            line.push_str(&format!(" COMMENT {}", literal(self.comment, escapes)));
        }
        line
    }
}

/// A declared column of the row shape.
fn declared(column: &RowColumn) -> ColumnView<'_> {
    ColumnView {
        nullable: true,
        default: column.missing.clone(),
        comment: &column.comment,
        ..ColumnView::new(&column.name, "json", "json".to_owned())
    }
}

/// Whether backslashes escape in literals: they do unless `sql_mode` has NO_BACKSLASH_ESCAPES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Escapes {
    Backslashes,
    Nothing,
}

/// A string literal.
fn literal(text: &str, escapes: Escapes) -> String {
    let quoted = text.replace('\'', "''");
    match escapes {
        Escapes::Backslashes => format!("'{}'", quoted.replace('\\', "\\\\")),
        Escapes::Nothing => format!("'{quoted}'"),
    }
}

/// A name in backticks.
pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
