//! What names mean at a place in a relational SELECT.

use super::RelationalError;
use crate::error::SqlError;
use crate::expression::Type;

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

    /// The collation two operands are compared by: the stronger; of two as strong, the exact one.
    pub fn merge(self, other: Self) -> Self {
        match self.strength.cmp(&other.strength) {
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Equal => Self { fold: self.fold && other.fold, strength: self.strength },
        }
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
    /// Not part of `*`: the second of two columns USING made one.
    pub hidden: bool,
    /// The first of two columns USING made one.
    pub merged: bool,
}

/// Where a column comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub database: &'static str,
    pub table: &'static str,
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
}

/// The tables of a FROM, and those of the queries around it.
pub(super) struct Scope<'a> {
    pub sources: Vec<Source>,
    pub outer: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    pub fn new(outer: Option<&'a Scope<'a>>) -> Self {
        Self { sources: Vec::new(), outer }
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

    /// Whether the SQL is a column of this FROM, and nothing else.
    pub fn is_column(&self, sql: &str) -> bool {
        self.sources.iter().any(|source| source.columns.iter().any(|column| column.sql == sql))
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
        for source in &self.sources {
            if let Some((database, table)) = qualifier
                && !source.answers_to(database.map(String::as_str), table)
            {
                continue;
            }
            let is_named =
                |c: &&Column| c.name.eq_ignore_ascii_case(name) || c.name.to_lowercase() == name.to_lowercase();
            let visible = |c: &&Column| !c.hidden || qualifier.is_some();
            for column in source.columns.iter().filter(visible).filter(is_named) {
                if found.is_some() {
                    return Err(RelationalError::Ambiguous { column: parts.join("."), clause }.into());
                }
                found = Some((source, column));
            }
        }
        Ok(found)
    }
}

impl Source {
    /// Whether `[database.]table` names it.
    pub fn answers_to(&self, database: Option<&str>, table: &str) -> bool {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        same(&self.alias, table)
            && database.is_none_or(|named| self.database.as_deref().is_some_and(|own| same(own, named)))
    }
}
