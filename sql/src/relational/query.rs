//! A query: a SELECT, a set operation, or either in parentheses, with the ORDER BY and LIMIT around them.
//!
//! What is behind parentheses or a set operation is ordered by its columns alone: aggregates are refused there.

use super::ast::{Body, Query, RelLimit};
use super::binder::Binder;
use super::groups::is_aggregated;
use super::kept_rows;
use super::scope::{Aliases, Column, Scope, Source};
use super::{RelationalError, Result};

/// A query as SQL.
pub(super) struct Bound {
    pub sql: String,
    /// Its columns; `sql` is the name of the column within the query.
    pub columns: Vec<Column>,
    /// The alias its table had, for the description of the result.
    pub aliases: Vec<String>,
    /// Whether it has at most one row.
    pub one_row: bool,
}

impl Bound {
    /// How many bytes it takes, about.
    pub fn size(&self) -> usize {
        self.sql.len() + self.columns.iter().map(Column::size).sum::<usize>()
    }
}

impl Binder<'_> {
    /// A query, within the queries around it.
    pub fn query(&mut self, query: &Query, outer: Option<&Scope<'_>>) -> Result<Bound> {
        let before = self.made.held();
        let bound = self.any_query(query, outer)?;
        self.hold_instead(before, bound.size())?;
        Ok(bound)
    }

    fn any_query(&mut self, query: &Query, outer: Option<&Scope<'_>>) -> Result<Bound> {
        let plain = query.order_by.is_empty() && query.limit == RelLimit::default();
        match &query.body {
            Body::Select(core) => self.select(core, &query.order_by, &query.limit, outer),
            Body::Query(inner) if plain => self.query(inner, outer),
            body @ (Body::Query(_) | Body::Set(..)) => {
                (self.streams, self.is_operand) = (false, false);
                let bound = self.body(body, outer)?;
                if plain { Ok(bound) } else { self.ordered(bound, query, outer) }
            }
        }
    }

    pub(super) fn body(&mut self, body: &Body, outer: Option<&Scope<'_>>) -> Result<Bound> {
        let before = self.made.held();
        let bound = match body {
            Body::Select(core) => self.select(core, &[], &RelLimit::default(), outer)?,
            Body::Query(query) => self.query(query, outer)?,
            Body::Set(first, rest) => self.set(first, rest, outer)?,
        };
        self.hold_instead(before, bound.size())?;
        Ok(bound)
    }

    /// ORDER BY and LIMIT of what is no plain SELECT: over its columns.
    fn ordered(&mut self, bound: Bound, query: &Query, outer: Option<&Scope<'_>>) -> Result<Bound> {
        if query.order_by.iter().any(|(e, _)| is_aggregated(e)) {
            return Err(RelationalError::GroupFunction.into());
        }
        let mut scope = Scope::new(outer);
        let columns = bound.columns.clone();
        scope.sources.push(Source::new(None, String::new(), columns));
        let counted = bound.columns.iter().map(|c| c.sql.as_str()).collect();
        let order = self.order_of(&query.order_by, &bound.columns, &Aliases::default(), &scope, &counted)?;
        if scope.aggregated_within.get() {
            return Err(RelationalError::GroupFunction.into());
        }
        let columns: Vec<String> = bound.columns.iter().map(|c| c.sql.clone()).collect();
        let order = order.replace(kept_rows::ROWS, &kept_rows::row(0, columns.len() + query.order_by.len(), &columns));
        let (limit, one_row) = self.limit(&query.limit)?;
        let names: Vec<&str> = bound.columns.iter().map(|c| c.sql.as_str()).collect();
        let sql = format!("SELECT {} FROM ({}){order}{limit}", names.join(","), bound.sql);
        Ok(Bound { sql, one_row: one_row || bound.one_row, ..bound })
    }
}
