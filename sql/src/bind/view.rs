//! What a statement sees of its table: its cells, or its rows of declared columns.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use cellgate_schemaless::TableDef;

use super::scope::{Bound, unknown_column};
use crate::ast::Name;
use crate::columns::{CellColumn, DECLARED};
use crate::environment::Environment;
use crate::error::{SqlError, unsupported};
use crate::expression::{Expression, Leaf, Slot, Type};
use crate::parse::Expr;
use crate::value::{ColumnMeta, ColumnType};

/// A table under the name the statement gives it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub table: Arc<TableDef>,
    pub alias: String,
    /// For the row shape: which of the table's declared columns are named, in order of first mention.
    pub named: Vec<usize>,
    /// Where each of them is in `named`.
    places: HashMap<usize, usize>,
    /// The declared columns by their names in lower case: made when the first is looked up.
    declared: OnceLock<HashMap<String, usize>>,
}

/// What a column name means in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Cell(CellColumn),
    Declared(usize),
}

impl View {
    /// The cells of a table.
    pub fn new(table: Arc<TableDef>, alias: Option<&str>) -> Self {
        let alias = alias.unwrap_or(&table.name).to_owned();
        Self { table, alias, named: Vec::new(), places: HashMap::new(), declared: OnceLock::new() }
    }

    /// The table of a FROM; `None` if it cannot be found, which the long way says how.
    pub fn find(env: &dyn Environment, name: &Name, alias: Option<&str>) -> Option<Self> {
        super::table(env, name).ok().map(|table| Self::new(table, alias))
    }

    /// The column every cell has that is meant; `None` for any other.
    pub fn cell_column(&self, parts: &[String]) -> Option<CellColumn> {
        match self.meaning(parts, "field list") {
            Ok(Meaning::Cell(column)) => Some(column),
            Ok(Meaning::Declared(_)) | Err(_) => None,
        }
    }

    /// The name of the declared column that is meant; `None` for any other.
    pub fn declared_name(&self, parts: &[String]) -> Option<String> {
        match self.meaning(parts, "field list") {
            Ok(Meaning::Declared(declared)) => self.table.columns.get(declared).map(|column| column.name.clone()),
            Ok(Meaning::Cell(_)) | Err(_) => None,
        }
    }

    /// Whether there is a column of this name, declared or one that every cell has.
    pub fn has(&self, name: &str) -> bool {
        CellColumn::named(name).is_some() || self.declared_place(name).is_some()
    }

    /// Which of the declared columns has this name.
    fn declared_place(&self, name: &str) -> Option<usize> {
        let declared = self.declared.get_or_init(|| {
            let mut places = HashMap::with_capacity(self.table.columns.len());
            for (place, column) in self.table.columns.iter().enumerate() {
                places.entry(column.name.to_lowercase()).or_insert(place);
            }
            places
        });
        declared.get(&name.to_lowercase()).copied()
    }

    /// Whether it is the row shape.
    pub fn is_rows(&self) -> bool {
        !self.named.is_empty()
    }

    /// Whether a qualifier is this table's.
    pub fn answers_to(&self, qualifier: &[String]) -> bool {
        match qualifier {
            [] => true,
            [table] => table.eq_ignore_ascii_case(&self.alias),
            [database, table] => {
                database.eq_ignore_ascii_case(&self.table.database) && table.eq_ignore_ascii_case(&self.alias)
            }
            _ => false,
        }
    }

    fn meaning(&self, parts: &[String], clause: &'static str) -> Result<Meaning, SqlError> {
        let Some((name, qualifier)) = parts.split_last() else { return Err(unknown_column(parts, clause)) };
        if !self.answers_to(qualifier) {
            return Err(unknown_column(parts, clause));
        }
        if let Some(column) = CellColumn::named(name) {
            return Ok(Meaning::Cell(column));
        }
        match self.declared_place(name) {
            Some(declared) => Ok(Meaning::Declared(declared)),
            None => Err(SqlError::UnknownColumn {
                column: parts.join("."),
                clause,
                hint: super::instead_of(&self.table, name, &format!("read it as a cell: WHERE column_key = '{name}'")),
            }),
        }
    }

    /// Notes the declared columns an expression names.
    ///
    /// # Errors
    /// An unknown column.
    pub fn note(&mut self, expression: &Expr, clause: &'static str) -> Result<(), SqlError> {
        let mut failed = None;
        let (mut named, mut places) = (std::mem::take(&mut self.named), std::mem::take(&mut self.places));
        expression.visit(&mut |node| {
            if let Expression::Leaf(Leaf::Column(parts)) = node {
                match self.meaning(parts, clause) {
                    Ok(Meaning::Declared(declared)) => {
                        places.entry(declared).or_insert_with(|| {
                            named.push(declared);
                            named.len() - 1
                        });
                    }
                    Ok(Meaning::Cell(_)) => {}
                    Err(error) => failed = failed.take().or(Some(error)),
                }
            }
            failed.is_none()
        });
        (self.named, self.places) = (named, places);
        failed.map_or(Ok(()), Err)
    }

    /// The slot of a column, once everything has been noted.
    ///
    /// # Errors
    /// An unknown column, or one of cells in the row shape.
    pub fn slot(&self, parts: &[String], clause: &'static str) -> Result<Bound, SqlError> {
        match self.meaning(parts, clause)? {
            Meaning::Cell(column) => {
                if self.is_rows() && !matches!(column, CellColumn::RowKey | CellColumn::Shard) {
                    return Err(self.mixed(column.name()));
                }
                let is_key = matches!(column, CellColumn::RowKey | CellColumn::ColumnKey);
                Ok(Bound { slot: Slot(column.slot()), is_key, ty: column.ty() })
            }
            Meaning::Declared(declared) => {
                let place = self.places.get(&declared).copied();
                let place = place.ok_or_else(|| SqlError::Internal("a column was not noted".into()))?;
                let slot = Slot(DECLARED + place);
                Ok(Bound { slot, is_key: false, ty: self.ty(slot) })
            }
        }
    }

    /// A column where it is only asked whether there is one of its name.
    ///
    /// # Errors
    /// An unknown column.
    pub fn known(&self, parts: &[String], clause: &'static str) -> Result<Bound, SqlError> {
        let column = match self.meaning(parts, clause)? {
            Meaning::Cell(column) => column,
            Meaning::Declared(_) => CellColumn::Body,
        };
        Ok(Bound { slot: Slot(column.slot()), is_key: false, ty: column.ty() })
    }

    /// The refusal of cells and rows in one statement.
    pub fn mixed(&self, column: &str) -> SqlError {
        let declared = self.named.first().and_then(|i| self.table.columns.get(*i)).map_or("", |c| c.name.as_str());
        unsupported(
            &format!("{column} beside the row-shape column {declared}"),
            "read either cells (row_key, column_key, ref_key, body, ..) or rows (row_key and declared columns)",
        )
    }

    /// The type of a slot.
    pub fn ty(&self, slot: Slot) -> Type {
        match (CellColumn::of_slot(slot.0), self.declared_at(slot)) {
            (Some(column), _) => column.ty(),
            (None, Some(column)) => Type { nullable: column.missing.is_none(), ..Type::of(ColumnType::Json) },
            (None, None) => Type::of(ColumnType::Null),
        }
    }

    /// The name of a slot, as the table has it.
    pub fn name(&self, slot: Slot) -> String {
        match (CellColumn::of_slot(slot.0), self.declared_at(slot)) {
            (Some(column), _) => column.name().to_owned(),
            (None, Some(column)) => column.name.clone(),
            (None, None) => String::new(),
        }
    }

    fn declared_at(&self, slot: Slot) -> Option<&cellgate_schemaless::RowColumn> {
        let place = slot.0.checked_sub(DECLARED)?;
        self.named.get(place).and_then(|i| self.table.columns.get(*i))
    }

    /// The description of a column of the table in a result.
    pub fn meta(&self, slot: Slot, name: Option<&str>) -> ColumnMeta {
        let ty = self.ty(slot);
        let org_name = self.name(slot);
        ColumnMeta {
            schema: self.table.database.clone(),
            table: self.alias.clone(),
            org_table: self.table.name.clone(),
            name: name.unwrap_or(&org_name).to_owned(),
            primary_key: CellColumn::of_slot(slot.0).is_some_and(CellColumn::is_key),
            org_name,
            ..ColumnMeta::typed("", ty)
        }
    }
}
