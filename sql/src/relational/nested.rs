//! Joins in parentheses.
//!
//! To SQLite they are a subquery. Of inner joins it makes one join, as it does of those without parentheses. Where an
//! outer join does not let it, it keeps the rows in a table of its own. Such a join is printed as a derived table, whose
//! rows are counted, and which SQLite cannot take apart. It has those columns that are named, which is known when all of
//! the SELECT is printed.

use std::collections::HashSet;

use super::Result;
use super::ast::{JoinKind, JoinOn, TableRef};
use super::binder::Binder;
use super::items::ITEMS;
use super::kept_rows;
use super::scope::Source;
use crate::error::SqlError;

/// A join in parentheses that is printed as a derived table.
#[derive(Debug)]
pub(super) struct Nested {
    /// What stands for its columns until all of the SELECT is printed.
    placeholder: String,
    /// What each column is within the join, and outside.
    columns: Vec<(String, String)>,
}

/// How a join is printed at the right side of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Without parentheses: it means the same.
    Open,
    /// In parentheses, which SQLite takes off.
    Parentheses,
    /// As a derived table.
    Derived,
}

impl TableRef {
    /// Whether a RIGHT JOIN is among its joins.
    pub fn has_right_join(&self) -> bool {
        match self {
            Self::Named { .. } | Self::Derived { .. } => false,
            Self::Join { kind, left, right, .. } => {
                *kind == JoinKind::Right || left.has_right_join() || right.has_right_join()
            }
        }
    }
}

/// How the right side of a join is printed, which has these tables. In a FROM with a RIGHT JOIN SQLite keeps what is at
/// the left of it.
fn form(kind: JoinKind, on: &JoinOn, right: &TableRef, sources: &[Source], beside_right: bool) -> Form {
    let TableRef::Join { .. } = right else { return Form::Open };
    // A derived table has one more, which counts its rows.
    let columns: usize = sources.iter().map(|source| source.columns.len() + 1).sum();
    match (kind, on) {
        (JoinKind::Inner, JoinOn::Always) if !right.has_right_join() => Form::Open,
        (JoinKind::Inner, _) if !beside_right && columns <= ITEMS => Form::Parentheses,
        (JoinKind::Inner | JoinKind::Left | JoinKind::Right, _) => Form::Derived,
    }
}

impl Binder<'_> {
    /// The SQL of the right side of a join: that of its tables, in parentheses where they are needed.
    pub(super) fn right_side(
        &mut self,
        sql: String,
        (kind, on, right): (JoinKind, &JoinOn, &TableRef),
        sources: &mut [Source],
        beside_right: bool,
    ) -> String {
        match form(kind, on, right, sources, beside_right) {
            Form::Open => sql,
            Form::Parentheses => format!("({sql})"),
            Form::Derived => self.nested(&sql, sources),
        }
    }

    /// A join of these tables as a derived table; their columns become its own.
    fn nested(&mut self, sql: &str, sources: &mut [Source]) -> String {
        let number = self.number();
        let placeholder = format!("t{number}columns");
        let mut columns = Vec::new();
        for column in sources.iter_mut().flat_map(|source| &mut source.columns) {
            let outside = format!("t{number}.c{}", columns.len());
            columns.push((std::mem::replace(&mut column.sql, outside.clone()), outside));
        }
        let counted: Vec<String> = sources.iter_mut().filter_map(|source| source.counted.take()).collect();
        let condition = if counted.is_empty() { String::new() } else { format!(" WHERE {}", counted.join(" AND ")) };
        if let Some(first) = sources.first_mut() {
            first.counted = Some(kept_rows::is_counted(number));
        }
        let sql = format!("(SELECT {placeholder} FROM {sql}{condition} LIMIT -1 OFFSET 0) AS t{number}");
        self.nested.push(Nested { placeholder, columns });
        sql
    }

    /// The SQL of a SELECT in which all that were met behind the first so many have the columns that it names.
    ///
    /// # Errors
    /// [`SqlError::TooManyColumns`], [`SqlError::GivenUp`].
    pub(super) fn with_nested(&mut self, mut sql: String, before: usize) -> Result<String> {
        // Those within others were met before them.
        for Nested { placeholder, columns } in self.nested.split_off(before).into_iter().rev() {
            self.copied(sql.len())?;
            let named: HashSet<&str> = kept_rows::words(&sql).collect();
            let named: Vec<_> = columns.iter().filter(|(_, outside)| named.contains(outside.as_str())).collect();
            if named.len() > ITEMS {
                return Err(SqlError::TooManyColumns(ITEMS));
            }
            let within: Vec<String> = named.iter().map(|(within, _)| within.clone()).collect();
            let mut items: Vec<String> = Vec::with_capacity(named.len() + 1);
            for (within, outside) in named {
                let name = outside.rsplit('.').next().unwrap_or(outside);
                items.push(format!("{within} AS {name}"));
            }
            items.push(format!("{} AS {}", kept_rows::row(0, within.len(), &within), kept_rows::COUNT));
            sql = sql.replace(&placeholder, &items.join(","));
        }
        Ok(sql)
    }
}
