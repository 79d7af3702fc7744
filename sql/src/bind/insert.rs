//! INSERT: which cells are put.

use std::sync::Arc;

use bytes::Bytes;
use cellgate_schemaless::{Body, ColumnKey, Invalid, NewCell, RefKey, RowKey, TableDef, Version};

use super::as_keys::double_key;
use super::scope::Session;
use super::select;
use super::view::View;
use crate::ast::{Insert, Item};
use crate::columns::CellColumn;
use crate::command::Put;
use crate::environment::Environment;
use crate::error::{SqlError, unsupported};
use crate::expression::number::Number;
use crate::expression::{Expression, Leaf, Type, text_of};
use crate::parse::Expr;
use crate::value::{ColumnMeta, Value};

/// What a value of the statement goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Cell(CellColumn),
    /// A declared column of the row shape, by its place in the table.
    Declared(usize),
}

/// Binds an INSERT.
pub(super) fn bind(insert: &Insert, session: &Session<'_>) -> Result<Put, SqlError> {
    let table = super::written(session.env, &insert.table)?;
    let targets = targets(&table, insert)?;
    // All columns in a list are as no list: a dump with --complete-insert.
    let with_list = insert.columns.is_some() && !has_all_cell_columns(&targets);
    let mut put = Put {
        returning: returning(insert, &table, session)?,
        table: table.clone(),
        cells: Vec::with_capacity(insert.rows.len()),
        rows: Vec::with_capacity(insert.rows.len()),
        of_declared: !targets.contains(&Target::Cell(CellColumn::ColumnKey)),
        ignore: insert.ignore,
        places_ignored: false,
    };
    for (index, values) in insert.rows.iter().enumerate() {
        let row = Row { table: &table, number: index + 1 };
        // `INSERT INTO t VALUES ()` is one row of defaults.
        let all_defaults = insert.columns.is_none() && values.is_empty();
        if values.len() != targets.len() && !all_defaults {
            return Err(SqlError::ColumnCount(row.number));
        }
        let mut given = Vec::with_capacity(values.len());
        for (target, value) in targets.iter().zip(values) {
            given.push((*target, given_value(*target, value, session)?));
        }
        put.places_ignored |= row.check_places(&given, with_list)?;
        for cell in row.cells(&given)? {
            if cell.version == Version::Next && !insert.unchanged.is_empty() {
                return Err(unsupported(
                    "ON DUPLICATE KEY UPDATE beside a cell without ref_key",
                    "give each cell its ref_key: without one it is the next version, which no row is there for",
                ));
            }
            put.cells.push(cell);
            put.rows.push(index);
        }
    }
    Ok(put)
}

/// The result columns: those of RETURNING.
pub(super) fn describe(
    insert: &Insert,
    env: &dyn Environment,
    parameter: &dyn Fn(u16) -> Type,
) -> Result<Vec<ColumnMeta>, SqlError> {
    let table = super::written(env, &insert.table)?;
    targets(&table, insert)?;
    match &insert.returning {
        None => Ok(Vec::new()),
        Some(items) => select::describe_items(items, View::new(table, None), env, parameter),
    }
}

fn returning(
    insert: &Insert,
    table: &Arc<TableDef>,
    session: &Session<'_>,
) -> Result<Option<crate::shape::Shape>, SqlError> {
    let returning = |items: &Vec<Item>| select::returning(items, View::new(table.clone(), None), session);
    insert.returning.as_ref().map(returning).transpose()
}

/// Whether a table has a column of this name.
fn has_column(table: &TableDef, name: &str) -> bool {
    CellColumn::named(name).is_some() || table.columns.iter().any(|c| c.name.to_lowercase() == name.to_lowercase())
}

fn targets(table: &TableDef, insert: &Insert) -> Result<Vec<Target>, SqlError> {
    if let Some(name) = insert.unchanged.iter().find(|name| !has_column(table, name)) {
        return Err(SqlError::UnknownColumn { column: name.clone(), clause: "field list", hint: String::new() });
    }
    let Some(columns) = &insert.columns else {
        let mut targets: Vec<Target> = CellColumn::ALL.into_iter().map(Target::Cell).collect();
        // With as many values as SHOW COLUMNS has columns: a dump.
        let all = targets.len() + table.columns.len();
        if insert.rows.iter().all(|values| values.len() == all) {
            targets.extend((0..table.columns.len()).map(Target::Declared));
        }
        return Ok(targets);
    };
    let of_cells = |name: &String| {
        matches!(CellColumn::named(name), Some(CellColumn::ColumnKey | CellColumn::RefKey | CellColumn::Body))
    };
    let of_cells = columns.iter().any(of_cells);
    let mut targets = Vec::with_capacity(columns.len());
    for name in columns {
        let declared = || table.columns.iter().position(|c| c.name.to_lowercase() == name.to_lowercase());
        let target = match (CellColumn::named(name), declared()) {
            (Some(CellColumn::Shard), _) => {
                return Err(unsupported("a value for shard", "leave it out: a row's shard follows from its row_key"));
            }
            (Some(column), _) => Target::Cell(column),
            (None, Some(declared)) => Target::Declared(declared),
            (None, None) if of_cells => {
                let meant = super::meant(table, name);
                let hint = format!("{meant}; a cell has none but its own: leave {name} out, or write it into the body");
                return Err(SqlError::UnknownColumn { column: name.clone(), clause: "field list", hint });
            }
            (None, None) => {
                return Err(SqlError::UnknownColumn {
                    column: name.clone(),
                    clause: "field list",
                    hint: super::instead_of(
                        table,
                        name,
                        &format!("insert a cell: (row_key, column_key, body) VALUES (.., '{name}', ..)"),
                    ),
                });
            }
        };
        if targets.contains(&target) {
            return Err(SqlError::ColumnTwice(name.clone()));
        }
        targets.push(target);
    }
    let rows = targets.iter().any(|t| matches!(t, Target::Declared(_)));
    let cells = targets
        .iter()
        .find(|t| matches!(t, Target::Cell(CellColumn::ColumnKey | CellColumn::RefKey | CellColumn::Body)));
    if let (true, Some(Target::Cell(column))) = (rows, cells)
        && !has_all_cell_columns(&targets)
    {
        return Err(mixed(*column));
    }
    Ok(targets)
}

fn has_all_cell_columns(targets: &[Target]) -> bool {
    CellColumn::ALL.into_iter().all(|column| targets.contains(&Target::Cell(column)))
}

fn mixed(column: CellColumn) -> SqlError {
    unsupported(
        &format!("{} beside row-shape columns", column.name()),
        "insert either a cell (row_key, column_key, ref_key, body) or a row (row_key and declared columns)",
    )
}

/// A value as given: `None` for DEFAULT.
fn given_value(target: Target, expression: &Expr, session: &Session<'_>) -> Result<Option<Value>, SqlError> {
    match expression {
        Expression::Leaf(Leaf::Default) => Ok(None),
        // A literal of bytes is a number where one is wanted.
        Expression::Constant(Value::Bytes(bytes)) if target == Target::Cell(CellColumn::RefKey) && bytes.len() <= 8 => {
            Ok(Some(Value::UInt(bytes.iter().fold(0, |n, b| (n << 8) | u64::from(*b)))))
        }
        other => {
            let is_given = matches!(other, Expression::Constant(_) | Expression::Leaf(Leaf::Parameter(_)));
            Ok(Some(match (target, session.shown(other)?) {
                // As it is compared with keys. What is computed is the text it has anywhere else, there and here.
                (Target::Cell(CellColumn::RowKey | CellColumn::ColumnKey), Value::Double(d)) if is_given => {
                    Value::Text(double_key(d).into())
                }
                (_, value) => value,
            }))
        }
    }
}

/// One row of VALUES.
struct Row<'a> {
    table: &'a TableDef,
    /// From 1.
    number: usize,
}

type Given = [(Target, Option<Value>)];

impl Row<'_> {
    fn invalid(&self, column: &str, invalid: Invalid) -> SqlError {
        SqlError::Value { invalid, column: column.to_owned(), row: self.number }
    }

    /// What the log decides cannot be given: refused in a list of columns; without a list (a restored dump) the
    /// answer is whether something was ignored.
    fn check_places(&self, given: &Given, with_list: bool) -> Result<bool, SqlError> {
        let mut ignored = false;
        for (target, value) in given {
            let place = match (target, value) {
                (_, None | Some(Value::Null)) => false,
                // Zero asks for the next id, as with AUTO_INCREMENT.
                (Target::Cell(CellColumn::AddedId), Some(value)) => Number::of(value).is_some_and(Number::is_true),
                (Target::Cell(CellColumn::CreatedAt), Some(_)) => true,
                (Target::Cell(_) | Target::Declared(_), Some(_)) => false,
            };
            if place && with_list {
                let name = match target {
                    Target::Cell(column) => column.name(),
                    Target::Declared(_) => "",
                };
                return Err(unsupported(
                    &format!("a value for {name}"),
                    "leave it out: the shard's log gives a cell its place and time",
                ));
            }
            ignored |= place;
        }
        Ok(ignored)
    }

    fn value<'g>(&self, given: &'g Given, column: CellColumn) -> Result<&'g Value, SqlError> {
        match given.iter().find(|(t, _)| *t == Target::Cell(column)) {
            Some((_, Some(Value::Null))) => Err(SqlError::NullColumn(column.name().into())),
            Some((_, Some(value))) => Ok(value),
            Some((_, None)) | None => Err(SqlError::NoDefault(column.name().into())),
        }
    }

    fn cells(&self, given: &Given) -> Result<Vec<NewCell>, SqlError> {
        let key = self.value(given, CellColumn::RowKey)?;
        let row = RowKey::new(text(key)).map_err(|e| self.invalid("row_key", e))?;
        let declared = || given.iter().filter(|(t, _)| matches!(t, Target::Declared(_)));
        let is_cell = given.iter().any(|(t, _)| *t == Target::Cell(CellColumn::ColumnKey));
        // Beside the columns of a cell, as in a dump, declared columns say nothing.
        if is_cell && declared().any(|(_, value)| !matches!(value, None | Some(Value::Null))) {
            return Err(mixed(CellColumn::ColumnKey));
        }
        if is_cell || declared().next().is_none() {
            let column = ColumnKey::new(text(self.value(given, CellColumn::ColumnKey)?))
                .map_err(|e| self.invalid("column_key", e))?;
            let body = self.body("body", self.value(given, CellColumn::Body)?)?;
            return Ok(vec![NewCell { row, column, version: self.version(given)?, body }]);
        }
        let mut cells = Vec::new();
        for (target, value) in given {
            let (Target::Declared(declared), Some(value)) = (target, value) else { continue };
            let Some(declared) = self.table.columns.get(*declared) else { continue };
            // NULL is the absence of a cell.
            if *value == Value::Null {
                continue;
            }
            cells.push(NewCell {
                row: row.clone(),
                column: ColumnKey::new(declared.storage_key.clone().into_bytes())
                    .map_err(|e| self.invalid(&declared.name, e))?,
                version: Version::Next,
                body: self.body(&declared.name, value)?,
            });
        }
        Ok(cells)
    }

    fn body(&self, column: &str, value: &Value) -> Result<Body, SqlError> {
        Body::json(text(value)).map_err(|e| self.invalid(column, e))
    }

    fn version(&self, given: &Given) -> Result<Version, SqlError> {
        let given = given.iter().find(|(t, _)| *t == Target::Cell(CellColumn::RefKey));
        let value = match given {
            None | Some((_, None | Some(Value::Null))) => return Ok(Version::Next),
            Some((_, Some(value))) => value,
        };
        let whole_text = match value {
            Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => is_number(bytes),
            Value::DateTime(_) => false,
            Value::Null | Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => true,
        };
        let written = String::from_utf8_lossy(&text(value)).into_owned();
        if !whole_text {
            return Err(SqlError::BadValue {
                out_of_range: false,
                message: format!("Incorrect integer value: '{written}' for column 'ref_key' at row {}", self.number),
            });
        }
        let number = Number::of(value).unwrap_or(Number::int(0)).round();
        i64::try_from(number).map(|n| Version::Exact(RefKey(n))).map_err(|_| SqlError::BadValue {
            out_of_range: true,
            message: format!("Out of range value for column 'ref_key' at row {}", self.number),
        })
    }
}

fn text(value: &Value) -> Bytes {
    text_of(value).unwrap_or_default()
}

/// Whether text is a number as a whole.
fn is_number(text: &[u8]) -> bool {
    std::str::from_utf8(text).ok().map(str::trim).is_some_and(|t| {
        t.bytes().any(|b| b.is_ascii_digit())
            && t.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
            && t.parse::<f64>().is_ok()
    })
}
