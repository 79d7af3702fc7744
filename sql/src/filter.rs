//! Which rows of a SHOW are shown.

use crate::error::SqlError;
use crate::expression::{Expression, Scope, text_of};
use crate::shape::Patience;
use crate::value::{ColumnMeta, Row, Value};

/// Which rows of a SHOW: `LIKE` on the first column, or `WHERE`; and `LIMIT`.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub(crate) like: Option<String>,
    pub(crate) condition: Option<Expression<ColumnName>>,
    /// Offset and count.
    pub(crate) limit: Option<(u64, u64)>,
    /// Whether the first column has names of databases or tables, which compare with case; other names do not.
    pub(crate) exact_names: bool,
}

/// A column of the shown rows, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnName(pub String);

struct Shown<'a> {
    columns: &'a [ColumnMeta],
    row: &'a [Value],
    patience: &'a Patience,
    folds_case: bool,
}

impl Scope<ColumnName> for Shown<'_> {
    fn leaf(&self, name: &ColumnName) -> Result<Value, SqlError> {
        self.columns
            .iter()
            .position(|c| c.name.eq_ignore_ascii_case(&name.0))
            .and_then(|i| self.row.get(i))
            .cloned()
            .ok_or_else(|| SqlError::UnknownColumn {
                column: name.0.clone(),
                clause: "where clause",
                hint: String::new(),
            })
    }

    fn folds_case(&self) -> bool {
        self.folds_case
    }

    fn patience(&self) -> Result<(), SqlError> {
        self.patience.ask()
    }
}

impl Filter {
    /// The pattern of `LIKE`.
    pub fn like(&self) -> Option<&str> {
        self.like.as_deref()
    }

    /// Whether there is a `WHERE`.
    pub fn has_condition(&self) -> bool {
        self.condition.is_some()
    }

    /// The rows it lets through, in their order. Text compares without case, but for a condition (each of those that AND
    /// connects) about names of databases or tables.
    ///
    /// # Errors
    /// An unknown column in WHERE, a value that cannot be computed, or [`SqlError::GivenUp`].
    pub fn apply(&self, columns: &[ColumnMeta], rows: Vec<Row>, patience: &Patience) -> Result<Vec<Row>, SqlError> {
        if let Some(condition) = &self.condition {
            // Named once, so that a wrong name is an error even when there is nothing to show.
            let nulls = vec![Value::Null; columns.len()];
            let mut unknown = None;
            let folds_case = true;
            condition.visit(&mut |node| {
                if let Expression::Leaf(name) = node {
                    unknown = unknown.take().or(Shown { columns, row: &nulls, patience, folds_case }.leaf(name).err());
                }
                true
            });
            if let Some(error) = unknown {
                return Err(error);
            }
        }
        let conditions: Vec<_> = match &self.condition {
            None => Vec::new(),
            Some(Expression::And(all)) => all.iter().collect(),
            Some(one) => vec![one],
        };
        let exact = |condition: &Expression<ColumnName>| self.exact_names && asks_for_first(condition, columns);
        let conditions: Vec<_> = conditions.into_iter().map(|condition| (condition, !exact(condition))).collect();
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows {
            let shown = |folds_case| Shown { columns, row: &row, patience, folds_case };
            let mut lets = self.is_like(&shown(!self.exact_names))?;
            for (condition, folds_case) in &conditions {
                lets = lets && condition.holds(&shown(*folds_case))?;
            }
            if lets {
                kept.push(row);
            }
        }
        if let Some((offset, count)) = self.limit {
            let (skip, take) = (usize::try_from(offset), usize::try_from(count));
            kept = kept.into_iter().skip(skip.unwrap_or(usize::MAX)).take(take.unwrap_or(usize::MAX)).collect();
        }
        Ok(kept)
    }

    /// Whether the first column is `LIKE` the pattern, if there is one.
    fn is_like(&self, shown: &Shown<'_>) -> Result<bool, SqlError> {
        let Some(like) = &self.like else { return Ok(true) };
        let first = shown.row.first().and_then(text_of).unwrap_or_default();
        let matching = Expression::<ColumnName>::Like {
            operand: Box::new(Expression::text(first)),
            pattern: Box::new(Expression::text(like.clone())),
            escape: None,
            negated: false,
        };
        matching.holds(shown)
    }
}

/// Whether a condition is about the first column.
fn asks_for_first(condition: &Expression<ColumnName>, columns: &[ColumnMeta]) -> bool {
    let mut asks = false;
    condition.visit(&mut |node| {
        let names = |name: &ColumnName| columns.first().is_some_and(|first| name.0.eq_ignore_ascii_case(&first.name));
        asks |= matches!(node, Expression::Leaf(name) if names(name));
        true
    });
    asks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::{Comparison, Operator};
    use crate::value::ColumnType;

    fn columns() -> Vec<ColumnMeta> {
        ["Variable_name", "Value"].map(|name| ColumnMeta::named(name, ColumnType::Text)).to_vec()
    }

    fn row(name: &'static str, value: &'static str) -> Row {
        vec![Value::Text(name.into()), Value::Text(value.into())]
    }

    #[test]
    fn like_looks_at_the_first_column_without_case() {
        let filter = Filter { like: Some("WAIT\\_%".into()), ..Filter::default() };
        let rows = vec![row("wait_timeout", "1"), row("waitx", "2"), row("autocommit", "wait_")];
        assert_eq!(filter.apply(&columns(), rows, &Patience::default()), Ok(vec![row("wait_timeout", "1")]));
        assert_eq!(filter.like(), Some("WAIT\\_%"));
    }

    #[test]
    fn names_of_tables_compare_with_case_and_what_stands_beside_them_does_not() {
        let columns = ["Name", "Engine"].map(|name| ColumnMeta::named(name, ColumnType::Text)).to_vec();
        let kept = |filter: Filter| {
            let filter = Filter { exact_names: true, ..filter };
            filter.apply(&columns, vec![row("Trips", "CELLS")], &Patience::default()).unwrap().len()
        };
        let like = |like: &str| Filter { like: Some(like.into()), ..Filter::default() };
        assert_eq!((kept(like("T%")), kept(like("t%"))), (1, 0));
        let equal = |name: &str, value: &'static str| {
            let name = Expression::Leaf(ColumnName(name.into()));
            let equal = (Operator::Compare(Comparison::Equal), Expression::text(value));
            Filter { condition: Some(Expression::Chain(Box::new(name), vec![equal])), ..Filter::default() }
        };
        assert_eq!((kept(equal("name", "Trips")), kept(equal("name", "trips"))), (1, 0));
        assert_eq!(kept(equal("engine", "cells")), 1);
        let both = |name| {
            let all = [equal("name", name), equal("engine", "cells")].map(|filter| filter.condition.unwrap()).into();
            Filter { condition: Some(Expression::And(all)), ..Filter::default() }
        };
        assert_eq!((kept(both("Trips")), kept(both("trips"))), (1, 0));
    }

    #[test]
    fn a_filter_that_takes_long_is_given_up() {
        let like = format!("%{}b", "a".repeat(10_000));
        let filter = Filter { like: Some(like), ..Filter::default() };
        let rows = vec![vec![Value::Text("a".repeat(20_000).into()), Value::Null]];
        assert_eq!(filter.apply(&columns(), rows, &Patience::new(|| true)), Err(SqlError::GivenUp));
    }

    #[test]
    fn where_names_columns_and_limit_counts() {
        let name = Expression::Leaf(ColumnName("variable_NAME".into()));
        let condition =
            Expression::Chain(Box::new(name), vec![(Operator::Compare(Comparison::NotEqual), Expression::text("B"))]);
        let filter = Filter { condition: Some(condition), limit: Some((1, 1)), ..Filter::default() };
        let rows = vec![row("a", ""), row("b", ""), row("c", ""), row("d", "")];
        assert_eq!(filter.apply(&columns(), rows, &Patience::default()), Ok(vec![row("c", "")]));
        let unknown = Filter { condition: Some(Expression::Leaf(ColumnName("nope".into()))), ..Filter::default() };
        assert!(matches!(unknown.apply(&columns(), vec![], &Patience::default()), Err(SqlError::UnknownColumn { .. })));
    }
}
