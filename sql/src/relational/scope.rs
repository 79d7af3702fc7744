//! What names mean at a place in a relational SELECT.

use std::cell::Cell;
use std::collections::HashMap;

use super::RelationalError;
use super::ast::{Aggregated, RelExpr, RelLeaf};
use super::print::Aggregates;
use super::program::names;
use crate::error::SqlError;
use crate::expression::{Expression, Leaf, Type};
use crate::value::ColumnType;

/// Whether text compares without case, and how much that is worth against the other operand's opinion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Collation {
    pub fold: bool,
    /// 0 a literal, 1 a column, 2 COLLATE.
    pub strength: u8,
}

impl Collation {
    /// That of literals and of what is no text.
    pub const WEAK: Self = Self { fold: true, strength: 0 };

    /// That of text that was taken out of JSON: it compares exactly, unless COLLATE says otherwise.
    pub const JSON: Self = Self { fold: false, strength: 1 };

    /// The collation two operands are compared by: the stronger; of two as strong, the exact one.
    pub fn merge(self, other: Self) -> Self {
        match self.strength.cmp(&other.strength) {
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Equal => Self { fold: self.fold && other.fold, strength: self.strength },
        }
    }
}

/// How a column's values compare, if they are text.
pub(super) fn collate(ty: Type, collation: Collation) -> String {
    match (ty.ty, collation.fold) {
        (ColumnType::Text, true) => format!(" COLLATE {}", names::FOLDED),
        (ColumnType::Text, false) => " COLLATE BINARY".to_owned(),
        (_, _) => String::new(),
    }
}

/// A column that can be named.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its name.
    pub name: String,
    /// What it is in the SQL.
    pub sql: String,
    pub ty: Type,
    pub collation: Collation,
    /// The column of a table it is, if it is one and not computed.
    pub origin: Option<Origin>,
    /// Not named without its table: the second of two columns USING made one.
    pub hidden: bool,
}

impl Column {
    /// How many bytes it takes, about.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.sql.len()
    }
}

/// Where a column comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub database: &'static str,
    pub table: &'static str,
    /// That of the table.
    pub own_spelling: bool,
    pub column: &'static str,
}

/// A table of a FROM.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The database, for `d.t.c`.
    pub database: Option<String>,
    /// Its alias or name.
    pub alias: String,
    pub columns: Vec<Column>,
    /// The condition, always true, that has the rows of a derived table counted.
    pub counted: Option<String>,
    /// The places of the columns, by their names in lower case.
    places: HashMap<String, Vec<usize>>,
}

/// The columns of a select list, by what they are called.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// Those that have an alias, by it.
    aliases: HashMap<String, Column>,
    /// Those without one that are columns of tables, each with what it is there, by their names: none where a name is
    /// that of several.
    plain: HashMap<String, Option<(Column, String)>>,
}

impl Aliases {
    /// Of several columns of one alias, the first can be named.
    pub fn new<'c>(columns: impl Iterator<Item = &'c Column>) -> Self {
        let mut aliases = HashMap::new();
        for column in columns {
            aliases.entry(column.name.to_lowercase()).or_insert_with(|| column.clone());
        }
        Self { aliases, plain: HashMap::new() }
    }

    /// The same with columns of tables, each with what it is there.
    pub fn with_plain<'c>(mut self, columns: impl Iterator<Item = (&'c Column, &'c str)>) -> Self {
        for (column, sql) in columns {
            let known = self.plain.entry(column.name.to_lowercase());
            let known = known.or_insert_with(|| Some((column.clone(), sql.to_owned())));
            if known.as_ref().is_some_and(|(_, other)| other != sql) {
                *known = None;
            }
        }
        self
    }

    /// The column of this alias.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.aliases.get(&name.to_lowercase())
    }

    /// The column of this alias, or the one column of a table that is called so.
    pub fn listed(&self, name: &str) -> Option<&Column> {
        let plain = || self.plain.get(&name.to_lowercase())?.as_ref().map(|(column, _)| column);
        self.get(name).or_else(plain)
    }
}

/// The tables of a FROM, and those of the queries around it.
pub(super) struct Scope<'a> {
    pub sources: Vec<Source>,
    /// The columns of `*` in their order, by the places of their tables and their own.
    pub starred: Vec<(usize, usize)>,
    pub outer: Option<&'a Scope<'a>>,
    /// Whether aggregates of these tables can stand in the subquery that is being bound.
    pub aggregates_within: Cell<Aggregates>,
    /// Whether one stands in a subquery that was bound.
    pub aggregated_within: Cell<bool>,
}

impl<'a> Scope<'a> {
    pub fn new(outer: Option<&'a Scope<'a>>) -> Self {
        let aggregates_within = Cell::new(Aggregates::Forbidden);
        let aggregated_within = Cell::new(false);
        Self { sources: Vec::new(), starred: Vec::new(), outer, aggregates_within, aggregated_within }
    }

    /// The query around this one whose aggregate it is, if all its columns are of queries around.
    pub fn owner_around(&self, aggregated: &Aggregated) -> Option<&Scope<'a>> {
        let mut columns = Vec::new();
        let order = aggregated.order.iter().map(|(e, _)| e);
        let known = aggregated.arguments.iter().chain(order).all(|e| columns_of(e, &mut columns));
        if !known || aggregated.over.is_some() || columns.iter().any(|parts| self.has(parts)) {
            return None;
        }
        let mut around = std::iter::successors(self.outer, |scope| scope.outer);
        around.find(|scope| columns.iter().any(|parts| scope.has(parts)))
    }

    /// The column a name stands for, here or further out.
    ///
    /// # Errors
    /// 1054 if there is none, 1052 if there are several.
    pub fn resolve(&self, parts: &[String], clause: &'static str) -> Result<(&Source, &Column), SqlError> {
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some(found) = here.resolve_here(parts, clause)? {
                return Ok(found);
            }
            scope = here.outer;
        }
        Err(SqlError::UnknownColumn { column: parts.join("."), clause, hint: String::new() })
    }

    /// How many tables can be named here.
    pub fn reach(&self) -> usize {
        std::iter::successors(Some(self), |scope| scope.outer).map(|scope| scope.sources.len()).sum()
    }

    /// Whether the SQL is a column of this FROM, and nothing else.
    pub fn is_column(&self, sql: &str) -> bool {
        self.sources.iter().any(|source| source.columns.iter().any(|column| column.sql == sql))
    }

    /// Whether several tables of this FROM have such a column.
    pub fn has_several(&self, parts: &[String]) -> bool {
        self.resolve_here(parts, "field list").is_err()
    }

    /// Whether the tables of this FROM have such a column.
    pub fn has(&self, parts: &[String]) -> bool {
        !matches!(self.resolve_here(parts, "field list"), Ok(None))
    }

    fn resolve_here(&self, parts: &[String], clause: &'static str) -> Result<Option<(&Source, &Column)>, SqlError> {
        let (qualifier, name) = match parts {
            [name] => (None, name),
            [table, name] => (Some((None, table)), name),
            [database, table, name] => (Some((Some(database), table)), name),
            _ => return Ok(None),
        };
        let mut found = None;
        let lower = name.to_lowercase();
        for source in &self.sources {
            if let Some((database, table)) = qualifier
                && !source.answers_to(database.map(String::as_str), table)
            {
                continue;
            }
            let visible = |c: &&Column| !c.hidden || qualifier.is_some();
            for column in source.named(&lower).map(|(_, column)| column).filter(visible) {
                if found.is_some() {
                    return Err(RelationalError::Ambiguous { column: parts.join("."), clause }.into());
                }
                found = Some((source, column));
            }
        }
        Ok(found)
    }
}

/// Finds the columns an expression names; false if it has a subquery, or an aggregate, whose columns are its own.
fn columns_of<'e>(e: &'e RelExpr, found: &mut Vec<&'e [String]>) -> bool {
    let mut known = true;
    e.visit(&mut |node| {
        if let Expression::Leaf(leaf) = node {
            match leaf {
                RelLeaf::Plain(Leaf::Column(parts)) => found.push(parts),
                RelLeaf::Plain(_) => {}
                RelLeaf::Collate { operand, .. } => known &= columns_of(operand, found),
                RelLeaf::Query(_)
                | RelLeaf::Exists(_)
                | RelLeaf::In { .. }
                | RelLeaf::Aggregate(_)
                | RelLeaf::Assigned { .. } => known = false,
            }
        }
        true
    });
    known
}

impl Source {
    pub fn new(database: Option<String>, alias: String, columns: Vec<Column>) -> Self {
        let mut places: HashMap<String, Vec<usize>> = HashMap::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            places.entry(column.name.to_lowercase()).or_default().push(place);
        }
        Self { database, alias, columns, counted: None, places }
    }

    /// The columns of this name, given in lower case, and where they are among the columns.
    pub fn named(&self, lower: &str) -> impl Iterator<Item = (usize, &Column)> {
        let places = self.places.get(lower).into_iter().flatten();
        places.filter_map(|place| self.columns.get(*place).map(|column| (*place, column)))
    }

    /// Whether `[database.]table` names it.
    pub fn answers_to(&self, database: Option<&str>, table: &str) -> bool {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        same(&self.alias, table)
            && database.is_none_or(|named| self.database.as_deref().is_some_and(|own| same(own, named)))
    }
}
