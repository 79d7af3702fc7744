//! A SELECT as SQL: its clauses put together, and its select list written as what the client sees.

use std::collections::HashSet;

use super::Result;
use super::ast::{Core, RelExpr, RelLimit};
use super::binder::Binder;
use super::clauses::not_of;
use super::groups::{OfGroups, aggregates, grouped, windows};
use super::items::Item;
use super::kept_rows::{self, computed};
use super::print::{Aggregates, Place, Printed, What};
use super::program::{Program, names};
use super::query::Bound;
use super::scope::{Aliases, Column, Scope, collate};
use crate::error::{SqlError, unsupported};

/// Which digits of a decimal a value of the select list has.
#[derive(Clone, Copy)]
enum Digits {
    /// Those that are not shown, too: it is an operand.
    All,
    /// Those that are shown.
    Shown,
}

/// Where the rows of a SELECT go.
#[derive(Clone, Copy)]
enum Goes {
    /// To the client, as they come.
    ToTheClient,
    /// Into a table, to be sorted, grouped or made distinct.
    Collected,
    /// To the query around it, which counts them if it keeps them.
    Around,
}

/// How a select list is written.
struct Listing<'a> {
    scope: &'a Scope<'a>,
    /// The columns whose values are counted already.
    counted: &'a HashSet<&'a str>,
    digits: Digits,
    goes: Goes,
    /// Whether the only aggregates stand in HAVING and ORDER BY, behind the list.
    late: bool,
    distinct_by_text: bool,
}

impl Listing<'_> {
    /// A value that is not the same in every row, with what bounds or counts it; whether it is as long as what is there.
    fn measured(&self, text: String, is_bounded: bool) -> String {
        match self.goes {
            // A column of a table of ours is no longer than what is there; one of a query can be anything.
            Goes::ToTheClient if is_bounded => text,
            Goes::ToTheClient => computed(names::SHOWN, &text),
            // A derived table counts its rows, whatever they are made of.
            Goes::Around => text,
            Goes::Collected if self.counted.contains(text.as_str()) => text,
            Goes::Collected => computed(names::KEPT, &text),
        }
    }

    /// The value of the one row that is a group: SQLite takes an aggregate in HAVING and ORDER BY if there is one before.
    fn grouped(&self, text: String, item: &Item) -> Result<String> {
        match self.late {
            true if kept_rows::columns_in(&text, self.scope).is_empty() => {
                Ok(format!("CASE WHEN count(*) IS NULL THEN NULL ELSE {text} END"))
            }
            true => Err(SqlError::MixedAggregate { column: item.name.clone(), grouped: false }),
            false => Ok(text),
        }
    }
}

impl Binder<'_> {
    /// A SELECT, with the ORDER BY and LIMIT behind it.
    pub(super) fn select(
        &mut self,
        core: &Core,
        order_by: &[(RelExpr, bool)],
        limit: &RelLimit,
        outer: Option<&Scope<'_>>,
    ) -> Result<Bound> {
        let streams = std::mem::take(&mut self.streams);
        let is_operand = std::mem::take(&mut self.is_operand);
        let mut scope = Scope::new(outer);
        let nested = self.nested.len();
        let from = match &core.from {
            Some(from) => format!(" FROM {}", self.from(from, &mut scope, outer)?),
            None => String::new(),
        };
        let items = self.items(core, &scope)?;
        let query = self.number();
        let columns = columns_of(&items, query);
        let has_groups = !core.group_by.is_empty();
        // An aggregate of this query may stand in a subquery of its clauses.
        let listed = aggregates(&core.items, None, &[], &scope) || scope.aggregated_within.get();
        let collected = core.distinct || has_groups || !order_by.is_empty();
        let of_tables = scope.sources.iter().flat_map(|source| &source.columns);
        let counted: HashSet<&str> = of_tables.chain(&columns).map(|c| c.sql.as_str()).collect();
        let aliases = Aliases::new(aliased(&columns, &items)).with_plain(plain(&columns, &items, &scope, &counted));
        let mut condition = Vec::new();
        if let Some(e) = &core.condition {
            let printed = self.print(e, Place::new(&scope, "where clause", Aggregates::Forbidden))?;
            condition.push(self.condition(&printed)?);
        }
        let grouped_by = made_of(OfGroups::Aggregate, &columns, &items);
        let group_by = self.group_by(core, &columns, &aliases, &scope, &counted, &grouped_by)?;
        let held_to = match &core.having {
            Some(e) => Some(self.having(e, core, (&items, &columns), &scope, &counted)?),
            None => None,
        };
        let order = self.order_of(order_by, &columns, &aliases, &scope, &counted)?;
        let late = aggregates(&[], core.having.as_ref(), order_by, &scope) || scope.aggregated_within.get();
        let aggregated = has_groups || listed || late;
        let having = match held_to {
            Some(printed) if aggregated => format!(" HAVING {printed}"),
            // Without groups HAVING is a condition like any other.
            printed => {
                condition.extend(printed);
                String::new()
            }
        };
        let (limit, one_row) = self.limit(limit)?;
        // SQLite tells JSON apart by its text: rows that are distinct by their values are groups.
        let by_value = core.distinct && items.iter().any(|item| item.is_computed_json());
        let group_by = match by_value {
            true if aggregated || windows(&items, order_by) => {
                return Err(unsupported("DISTINCT over JSON of groups or windows", "group in a derived table"));
            }
            true => {
                let computed = columns.iter().zip(&items).filter(|(_, item)| matches!(item.printed.what, What::Sql(_)));
                self.distinct_by_value(computed.map(|(column, _)| column))?
            }
            false => group_by,
        };
        let distinct_by_text = core.distinct && !by_value;
        let late = aggregated && !has_groups && !listed;
        let digits = if is_operand && !core.distinct { Digits::All } else { Digits::Shown };
        let goes = match collected {
            true => Goes::Collected,
            false if streams => Goes::ToTheClient,
            false => Goes::Around,
        };
        let listing = Listing { scope: &scope, counted: &counted, digits, goes, late, distinct_by_text };
        let (list, constants) = self.listed(&items, &columns, &listing)?;
        let distinct = if distinct_by_text { "DISTINCT " } else { "" };
        condition.extend(scope.sources.iter().filter_map(|s| s.counted.clone()));
        let condition = match condition.as_slice() {
            [] => String::new(),
            conditions => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let sql = format!("SELECT {distinct}{list}{from}{condition}{group_by}{having}{order}{limit}");
        let values = items.len() + core.group_by.len() + order_by.len();
        let held = kept_rows::columns_in(&[&list, &group_by, &having, &order].map(String::as_str).join(" "), &scope);
        let sql = self.with_nested(sql.replace(kept_rows::ROWS, &kept_rows::row(constants, values, &held)), nested)?;
        let one_row = one_row || (aggregated && core.group_by.is_empty()) || core.from.is_none();
        Ok(Bound { sql, columns, aliases: items.into_iter().map(|i| i.table).collect(), one_row })
    }

    /// The condition of a HAVING.
    fn having(
        &mut self,
        having: &RelExpr,
        core: &Core,
        (items, columns): (&[Item], &[Column]),
        scope: &Scope<'_>,
        counted: &HashSet<&str>,
    ) -> Result<String> {
        // An alias comes before a column, unless that is grouped by.
        let grouped = grouped(&core.group_by, scope);
        let put_away = !core.group_by.is_empty() || core.distinct;
        let named: Vec<Column> = columns.iter().zip(items).map(|(c, item)| item.in_having(c, put_away)).collect();
        let aliased = aliased(&named, items).filter(|column| !grouped.contains(&column.name.to_lowercase()));
        let aliases = Aliases::new(aliased).with_plain(plain(&named, items, scope, counted));
        let place = Place::new(scope, "having clause", Aggregates::NoWindows);
        let printed = self.print(having, Place { aliases: Some(&aliases), aliases_first: true, ..place })?;
        let printed = self.condition(&printed)?;
        not_of(&made_of(OfGroups::Window, columns, items), &printed)?;
        Ok(printed)
    }

    /// The select list as SQL, and how many bytes its constants have.
    fn listed(&mut self, items: &[Item], columns: &[Column], listing: &Listing<'_>) -> Result<(String, usize)> {
        let mut list = Vec::with_capacity(items.len());
        let mut constants = 0;
        for (item, column) in items.iter().zip(columns) {
            self.computing.patience.ask()?;
            let printed = match listing.digits {
                Digits::All => item.printed.clone(),
                Digits::Shown => self.shown(&item.printed)?,
            };
            let text = self.text(&printed)?;
            let text = match &item.printed.what {
                What::Constant(value) => {
                    constants += Program::weight(std::slice::from_ref(value));
                    text
                }
                What::Sql(_) => listing.measured(text, items.len() == 1 || item.origin.is_some()),
            };
            let text = listing.grouped(text, item)?;
            let collation = match listing.distinct_by_text {
                true => collate(item.printed.ty, item.printed.collation),
                false => String::new(),
            };
            // What is distinct is counted by its first value.
            let text = match list.is_empty() && listing.distinct_by_text {
                true => format!("{}({text},{})", names::KEPT, kept_rows::ROWS),
                false => text,
            };
            list.push(format!("{text}{collation} AS {}", column.sql));
        }
        Ok((list.join(","), constants))
    }

    /// The GROUP BY that makes these columns distinct by their values.
    pub(super) fn distinct_by_value<'c>(&mut self, columns: impl Iterator<Item = &'c Column>) -> Result<String> {
        let keys = columns.map(|column| self.key(&Printed::column(column))).collect::<Result<Vec<_>>>()?;
        Ok(format!(" GROUP BY {},{}", keys.join(","), kept_rows::ROWS))
    }
}

/// The columns of a select list within the query of this number.
fn columns_of(items: &[Item], query: usize) -> Vec<Column> {
    let column = |(i, item): (usize, &Item)| Column {
        name: item.alias.clone().unwrap_or(item.name.clone()),
        sql: format!("q{query}c{i}"),
        ty: item.printed.ty,
        collation: item.printed.collation,
        origin: item.origin.clone(),
        hidden: false,
    };
    items.iter().enumerate().map(column).collect()
}

/// The columns that have an alias.
fn aliased<'a>(columns: &'a [Column], items: &'a [Item]) -> impl Iterator<Item = &'a Column> {
    columns.iter().zip(items).filter(|(_, item)| item.alias.is_some()).map(|(column, _)| column)
}

/// The columns of tables that have none, each with what it is there, one of these. Of one table each has its own name.
fn plain<'a>(
    columns: &'a [Column],
    items: &'a [Item],
    scope: &Scope<'_>,
    of_tables: &HashSet<&str>,
) -> impl Iterator<Item = (&'a Column, &'a str)> {
    let several = scope.sources.len() > 1;
    columns.iter().zip(items).filter_map(move |(column, item)| match &item.printed.what {
        What::Sql(sql) if several && item.alias.is_none() && of_tables.contains(sql.as_str()) => {
            Some((column, sql.as_str()))
        }
        What::Sql(_) | What::Constant(_) => None,
    })
}

/// The names of the columns that are not there before the groups, or before the windows.
fn made_of<'a>(least: OfGroups, columns: &'a [Column], items: &[Item]) -> HashSet<&'a str> {
    let made = columns.iter().zip(items).filter(|(_, item)| item.of_groups >= least);
    made.map(|(column, _)| column.sql.as_str()).collect()
}
