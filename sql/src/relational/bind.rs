//! Queries: names looked up, and printed as SQLite's.

use std::collections::HashSet;

use super::aggregate::{AggregateSpec, Joined};
use super::ast::{Aggregated, Body, Core, Query, RelExpr, RelItem, RelLeaf, RelLimit};
use super::clauses::not_of;
use super::held::{self, computed};
use super::made::Made;
use super::packed::Packed;
use super::print::{Aggregates, Place, Printed, What};
use super::program::{Program, Scalar, Skipping, names};
use super::scope::{Aliases, Collation, Column, Origin, Scope, Source};
use super::{Relation, RelationalError, Result};
use crate::bind::interned::Interned;
use crate::bind::scope::Session;
use crate::command::Cut;
use crate::environment::Environment;
use crate::error::SqlError;
use crate::expression::{Expression, Leaf, Type};
use crate::parameters::Parameters;
use crate::parse::{on_big_stack, unsupported};
use crate::shape::Notes;
use crate::value::{ColumnMeta, ColumnType, Value};

/// Most items of a select list, those that `*` stands for among them: SQLite takes 2000 columns, and a derived table has
/// one more, which counts its rows.
const ITEMS: usize = 1_999;
/// How deep a query may nest and be bound on the caller's stack.
const SHALLOW: usize = 24;

/// What is known while a statement is bound.
pub(super) struct Binder<'a> {
    pub env: &'a dyn Environment,
    /// The parameters; `None` while a statement is described.
    pub session: Option<&'a Session<'a>>,
    /// What constants are computed with, also before parameters are known.
    pub computing: &'a Session<'a>,
    pub parameters: Vec<Packed>,
    pub scalars: Interned<Scalar>,
    /// Each with the operands of the one GROUP_CONCAT that it is of, if it is of one.
    pub aggregates: Interned<(AggregateSpec, Option<String>)>,
    pub relations: Vec<&'static Relation>,
    /// The next number of a table or a query in the SQL.
    next: usize,
    /// What has been printed.
    pub made: Made,
    pub notes: Notes,
    /// Whether the next SELECT is an operand, whose value keeps the digits that are not shown.
    pub is_operand: bool,
    /// How many aggregates were printed of queries around the one they stand in.
    pub aggregates_around: usize,
    /// Whether the rows of the next SELECT go to the client as they come: it is the statement itself.
    streams: bool,
}

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

/// Binds a relational SELECT.
///
/// # Errors
/// Unknown names, and what is refused.
pub(crate) fn bind(query: &Query, session: &Session<'_>) -> Result<Program> {
    with_stack(query, session.env, Some(session))
}

/// The result columns of a relational SELECT whose parameters are not known yet; none if it has INTO.
///
/// # Errors
/// Unknown names, and what is refused.
pub(crate) fn describe(query: &Query, env: &dyn Environment) -> Result<Vec<ColumnMeta>> {
    let columns = with_stack(query, env, None).map(|program| program.columns)?;
    let visible = columns.len().saturating_sub(query.assigned.len());
    Ok(if query.into.is_empty() { columns.into_iter().take(visible).collect() } else { Vec::new() })
}

fn with_stack(query: &Query, env: &dyn Environment, session: Option<&Session<'_>>) -> Result<Program> {
    if query.depth > SHALLOW { on_big_stack(|| program(query, env, session)) } else { program(query, env, session) }
}

fn program(query: &Query, env: &dyn Environment, session: Option<&Session<'_>>) -> Result<Program> {
    let own = Session::new(env, Parameters::NONE);
    let mut binder = Binder {
        env,
        session,
        computing: session.unwrap_or(&own),
        parameters: Vec::new(),
        scalars: Interned::default(),
        aggregates: Interned::default(),
        relations: Vec::new(),
        next: 0,
        made: Made::default(),
        is_operand: false,
        aggregates_around: 0,
        notes: Notes::new(env.sql_mode().divides_by_zero),
        streams: true,
    };
    let limited = without_parentheses(query).limit != RelLimit::default();
    let (cut, uncut) = cut(query, &mut binder)?;
    let bound = binder.query(uncut.as_ref().unwrap_or(query), None)?;
    let skipping = skipping(query, &bound.sql, &mut binder)?;
    let columns: Vec<_> = bound.columns.iter().zip(bound.aliases).map(|(column, table)| meta(column, table)).collect();
    if !query.into.is_empty() && query.into.len() != columns.len() {
        return Err(SqlError::IntoCount);
    }
    Ok(Program {
        sql: bound.sql,
        parameters: binder.parameters,
        scalars: binder.scalars.into_all(),
        joined: binder.aggregates.all().iter().map(|_| Joined::new(binder.notes.clone())).collect(),
        aggregates: binder.aggregates.into_all().into_iter().map(|(spec, _)| spec).collect(),
        relations: binder.relations,
        columns,
        into: query.into.clone(),
        assigned: query.assigned.clone(),
        rows: env.collect_rows(),
        bytes: env.collect_bytes(),
        limited,
        cut,
        skipping,
        notes: binder.notes,
        longest: env.longest_value(),
    })
}

/// The query itself, without parentheses around all of it.
fn without_parentheses(query: &Query) -> &Query {
    let plain = query.order_by.is_empty() && query.limit == RelLimit::default();
    match &query.body {
        Body::Query(inner) if plain => without_parentheses(inner),
        Body::Query(_) | Body::Select(_) | Body::Set(..) => query,
    }
}

/// The query itself, without parentheses around it, if it is a plain SELECT.
fn plain_select(query: &Query) -> Option<&Query> {
    Some(without_parentheses(query)).filter(|query| matches!(query.body, Body::Select(_)))
}

/// With SQL_CALC_FOUND_ROWS the rows of the statement that are sent, and the statement that makes all of them.
fn cut(query: &Query, binder: &mut Binder<'_>) -> Result<(Option<Cut>, Option<Query>)> {
    let Some(select) = plain_select(query).filter(|select| select.counts) else { return Ok((None, None)) };
    let (count, offset) = binder.limits(&select.limit)?;
    let cut = Cut { offset: offset.unwrap_or(0), count };
    Ok((Some(cut), Some(Query { limit: RelLimit::default(), ..select.clone() })))
}

/// What counts the rows that an OFFSET leaves out of this SQL, which FOUND_ROWS() counts (but of a UNION).
fn skipping(query: &Query, sql: &str, binder: &mut Binder<'_>) -> Result<Option<Skipping>> {
    let Some(select) = plain_select(query).filter(|select| !select.counts) else { return Ok(None) };
    let (Some(count), Some(offset)) = binder.limits(&select.limit)? else { return Ok(None) };
    let (limit, _) = binder.limit(&select.limit)?;
    // With LIMIT 0 no row is made, and none is counted.
    let all = sql.strip_suffix(&limit).filter(|_| count > 0);
    let up_to = i64::try_from(offset).unwrap_or(i64::MAX);
    Ok(all.map(|all| Skipping { offset, counting: format!("SELECT count(*) FROM ({all} LIMIT {up_to})") }))
}

fn meta(column: &Column, table: String) -> ColumnMeta {
    let mut meta = ColumnMeta::typed(column.name.clone(), column.ty);
    if let Some(origin) = &column.origin {
        meta.schema = origin.database.to_owned();
        meta.table = table;
        meta.org_table = origin.table.to_owned();
        meta.org_name = origin.column.to_owned();
    }
    meta
}

/// An item of the select list, printed.
struct Item {
    printed: Printed,
    name: String,
    alias: Option<String>,
    origin: Option<Origin>,
    table: String,
    of_groups: OfGroups,
}

impl Item {
    /// How many bytes it takes, about.
    fn size(&self) -> usize {
        size_of::<Self>() + self.printed.size() + self.name.len()
    }

    /// Its column as HAVING takes it: a decimal has the digits that are not shown, unless it is put away in a table before.
    fn in_having(&self, column: &Column, put_away: bool) -> Column {
        let full = match self.of_groups {
            OfGroups::No => !put_away,
            OfGroups::Aggregate => true,
            OfGroups::Window => false,
        };
        match &self.printed.what {
            What::Sql(sql) if full && self.printed.ty.ty == ColumnType::Decimal => {
                Column { sql: sql.clone(), ..column.clone() }
            }
            What::Sql(_) | What::Constant(_) => column.clone(),
        }
    }

    /// Whether it is JSON that is not the same in every row.
    fn is_computed_json(&self) -> bool {
        matches!(self.printed.what, What::Sql(_)) && self.printed.ty.ty == ColumnType::Json
    }
}

/// Whether a value is made of groups or windows of rows, and so is not there before they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OfGroups {
    /// It is made of a row.
    No,
    /// It has an aggregate.
    Aggregate,
    /// It has a window function.
    Window,
}

impl OfGroups {
    fn of(e: &RelExpr) -> Self {
        match e {
            e if has_aggregate(e, &|aggregated| aggregated.over.is_some()) => Self::Window,
            e if is_aggregated(e) => Self::Aggregate,
            _ => Self::No,
        }
    }

    /// The same of what has one, or not, in a subquery.
    fn within(aggregated: bool) -> Self {
        if aggregated { Self::Aggregate } else { Self::No }
    }
}

impl Binder<'_> {
    /// A new number for a table or query.
    pub fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    pub fn value(&self, leaf: &Leaf) -> Result<Value> {
        match self.session {
            Some(session) => session.value(leaf),
            None => Session::new(self.env, Parameters::NONE).value(leaf),
        }
    }

    pub fn group_concat_max_len(&self) -> usize {
        match self.env.variable(false, "group_concat_max_len") {
            Some(Value::Int(n)) => usize::try_from(n).unwrap_or(usize::MAX),
            Some(Value::UInt(n)) => usize::try_from(n).unwrap_or(usize::MAX),
            Some(_) | None => 1024,
        }
    }

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
        let order = order.replace(held::ROWS, &held::row(0, columns.len() + query.order_by.len(), &columns));
        let (limit, one_row) = self.limit(&query.limit)?;
        let names: Vec<&str> = bound.columns.iter().map(|c| c.sql.as_str()).collect();
        let sql = format!("SELECT {} FROM ({}){order}{limit}", names.join(","), bound.sql);
        Ok(Bound { sql, one_row: one_row || bound.one_row, ..bound })
    }

    fn select(
        &mut self,
        core: &Core,
        order_by: &[(RelExpr, bool)],
        limit: &RelLimit,
        outer: Option<&Scope<'_>>,
    ) -> Result<Bound> {
        let streams = std::mem::take(&mut self.streams);
        let is_operand = std::mem::take(&mut self.is_operand);
        let mut scope = Scope::new(outer);
        let from = match &core.from {
            Some(from) => format!(" FROM {}", self.from(from, &mut scope, outer)?),
            None => String::new(),
        };
        let items = self.items(core, &scope)?;
        let query = self.number();
        let columns: Vec<Column> = items
            .iter()
            .enumerate()
            .map(|(i, item)| Column {
                name: item.alias.clone().unwrap_or(item.name.clone()),
                sql: format!("q{query}c{i}"),
                ty: item.printed.ty,
                collation: item.printed.collation,
                origin: item.origin.clone(),
                hidden: false,
            })
            .collect();
        // Only what has an alias can be named by it: the others are the tables' columns.
        let aliased = || columns.iter().zip(&items).filter(|(_, item)| item.alias.is_some()).map(|(column, _)| column);
        let aliases = Aliases::new(aliased());
        let has_groups = !core.group_by.is_empty();
        // An aggregate of this query may stand in a subquery of its clauses.
        let listed = aggregates(&core.items, None, &[], &scope) || scope.aggregated_within.get();
        let collected = core.distinct || has_groups || !order_by.is_empty();
        let of_tables = scope.sources.iter().flat_map(|source| &source.columns);
        let counted: HashSet<&str> = of_tables.chain(&columns).map(|c| c.sql.as_str()).collect();
        let mut condition = Vec::new();
        if let Some(e) = &core.condition {
            let printed = self.print(e, Place::new(&scope, "where clause", Aggregates::Forbidden))?;
            condition.push(self.condition(&printed)?);
        }
        let made = |least| -> HashSet<&str> {
            let made = columns.iter().zip(&items).filter(|(_, item)| item.of_groups >= least);
            made.map(|(column, _)| column.sql.as_str()).collect()
        };
        let grouped_by = made(OfGroups::Aggregate);
        let group_by = self.group_by(core, &columns, &aliases, &scope, &counted, &grouped_by)?;
        let mut held_to = None;
        if let Some(e) = &core.having {
            // An alias comes before a column, unless that is grouped by.
            let grouped = grouped(&core.group_by, &scope);
            let put_away = has_groups || core.distinct;
            let named: Vec<Column> = columns.iter().zip(&items).map(|(c, item)| item.in_having(c, put_away)).collect();
            let aliased = named.iter().zip(&items).filter(|(_, item)| item.alias.is_some()).map(|(column, _)| column);
            let aliases = Aliases::new(aliased.filter(|column| !grouped.contains(&column.name.to_lowercase())));
            let place = Place::new(&scope, "having clause", Aggregates::NoWindows);
            let printed = self.print(e, Place { aliases: Some(&aliases), aliases_first: true, ..place })?;
            let printed = self.condition(&printed)?;
            not_of(&made(OfGroups::Window), &printed)?;
            held_to = Some(printed);
        }
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
        // SQLite takes an aggregate in HAVING and ORDER BY if there is one before them.
        let late = aggregated && !has_groups && !listed;
        let distinct = if distinct_by_text { "DISTINCT " } else { "" };
        let mut list = Vec::with_capacity(items.len());
        let mut constants = 0;
        let leaves = streams && !collected;
        for (item, column) in items.iter().zip(&columns) {
            self.computing.patience.ask()?;
            let printed = if is_operand && !core.distinct { item.printed.clone() } else { self.shown(&item.printed)? };
            let text = self.text(&printed)?;
            let text = match &item.printed.what {
                What::Constant(value) => {
                    constants += Program::weight(std::slice::from_ref(value));
                    text
                }
                // A column of a table of ours is no longer than what is there; one of a query can be anything.
                What::Sql(_) if leaves && (items.len() == 1 || item.origin.is_some()) => text,
                What::Sql(_) if leaves => computed(names::SHOWN, &text),
                // A derived table counts its rows, whatever they are made of.
                What::Sql(_) if !collected || counted.contains(text.as_str()) => text,
                What::Sql(_) => computed(names::KEPT, &text),
            };
            let text = match late {
                true if held::columns_in(&text, &scope).is_empty() => {
                    format!("CASE WHEN count(*) IS NULL THEN NULL ELSE {text} END")
                }
                true => return Err(SqlError::MixedAggregate { column: item.name.clone(), grouped: false }),
                false => text,
            };
            let collation =
                if distinct_by_text { collate(item.printed.ty, item.printed.collation) } else { String::new() };
            // What is distinct is counted by its first value.
            let text = match list.is_empty() && distinct_by_text {
                true => format!("{}({text},{})", names::KEPT, held::ROWS),
                false => text,
            };
            list.push(format!("{text}{collation} AS {}", column.sql));
        }
        condition.extend(scope.sources.iter().filter_map(|s| s.counted.clone()));
        let condition = match condition.as_slice() {
            [] => String::new(),
            conditions => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let list = list.join(",");
        let sql = format!("SELECT {distinct}{list}{from}{condition}{group_by}{having}{order}{limit}");
        let values = items.len() + core.group_by.len() + order_by.len();
        let held = held::columns_in(&[&list, &group_by, &having, &order].map(String::as_str).join(" "), &scope);
        let sql = sql.replace(held::ROWS, &held::row(constants, values, &held));
        let one_row = one_row || (aggregated && core.group_by.is_empty()) || core.from.is_none();
        Ok(Bound { sql, columns, aliases: items.into_iter().map(|i| i.table).collect(), one_row })
    }

    /// The GROUP BY that makes these columns distinct by their values.
    pub(super) fn distinct_by_value<'c>(&mut self, columns: impl Iterator<Item = &'c Column>) -> Result<String> {
        let keys = columns.map(|column| self.key(&Printed::column(column))).collect::<Result<Vec<_>>>()?;
        Ok(format!(" GROUP BY {},{}", keys.join(","), held::ROWS))
    }

    /// The select list, `*` written out.
    fn items(&mut self, core: &Core, scope: &Scope<'_>) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for item in &core.items {
            if items.len() > ITEMS {
                break;
            }
            let before = items.len();
            match item {
                RelItem::All => {
                    if scope.sources.is_empty() {
                        return Err(RelationalError::NoTables.into());
                    }
                    let places = scope.starred.iter().filter_map(|(source, column)| {
                        let source = scope.sources.get(*source)?;
                        Some(starred(source.columns.get(*column)?, &source.alias))
                    });
                    items.extend(places);
                }
                RelItem::AllOf(qualifier) => {
                    let (database, table) = match qualifier.as_slice() {
                        [database, table] => (Some(database.as_str()), table.as_str()),
                        [table] => (None, table.as_str()),
                        _ => (None, ""),
                    };
                    let found = scope.sources.iter().find(|s| s.answers_to(database, table));
                    let source = found.ok_or_else(|| RelationalError::UnknownQualifier(qualifier.join(".")))?;
                    items.extend(source.columns.iter().map(|c| starred(c, &source.alias)));
                }
                RelItem::Expression { expression, alias, written } => {
                    let place = Place::new(scope, "field list", Aggregates::Allowed);
                    let before = scope.aggregated_within.replace(false);
                    let printed = self.print(expression, place)?;
                    let within = scope.aggregated_within.get();
                    scope.aggregated_within.set(before || within);
                    let (mut name, mut origin, mut table) = (written.clone(), None, String::new());
                    if let Expression::Leaf(RelLeaf::Plain(Leaf::Column(parts))) = expression {
                        let (source, column) = scope.resolve(parts, "field list")?;
                        // MySQL's system tables are views, whose columns are called as they are there.
                        name = match (&column.origin, parts.last()) {
                            (Some(origin), _) => origin.column.to_owned(),
                            (None, Some(last)) => last.clone(),
                            (None, None) => name,
                        };
                        origin.clone_from(&column.origin);
                        table.clone_from(&source.alias);
                    }
                    let of_groups = OfGroups::of(expression).max(OfGroups::within(within));
                    items.push(Item { printed, name, alias: alias.clone(), origin, table, of_groups });
                }
            }
            // What is printed is held already.
            if !matches!(item, RelItem::Expression { .. }) {
                self.hold(items.iter().skip(before).map(Item::size).sum())?;
            }
        }
        if items.len() > ITEMS {
            return Err(SqlError::TooManyColumns(ITEMS));
        }
        Ok(items)
    }
}

/// How a column's values compare, if they are text.
pub(super) fn collate(ty: Type, collation: Collation) -> String {
    match (ty.ty, collation.fold) {
        (ColumnType::Text, true) => format!(" COLLATE {}", super::names::FOLDED),
        (ColumnType::Text, false) => " COLLATE BINARY".to_owned(),
        (_, _) => String::new(),
    }
}

fn starred(column: &Column, table: &str) -> Item {
    Item {
        printed: Printed::column(column),
        name: column.name.clone(),
        alias: None,
        origin: column.origin.clone(),
        table: table.to_owned(),
        of_groups: OfGroups::No,
    }
}

/// The names, in lower case, of the tables' columns that are grouped by.
fn grouped(group_by: &[RelExpr], scope: &Scope<'_>) -> HashSet<String> {
    let name = |e: &RelExpr| match e {
        Expression::Leaf(RelLeaf::Plain(Leaf::Column(parts))) if scope.has(parts) => {
            parts.last().map(|name| name.to_lowercase())
        }
        _ => None,
    };
    group_by.iter().filter_map(name).collect()
}

/// Whether a select list or an ORDER BY has window functions.
fn windows(items: &[Item], order_by: &[(RelExpr, bool)]) -> bool {
    let is_window = |(e, _): &(RelExpr, bool)| OfGroups::of(e) == OfGroups::Window;
    items.iter().any(|item| item.of_groups == OfGroups::Window) || order_by.iter().any(is_window)
}

/// Whether a SELECT without GROUP BY has aggregates of its own.
fn aggregates(items: &[RelItem], having: Option<&RelExpr>, order_by: &[(RelExpr, bool)], scope: &Scope<'_>) -> bool {
    let is_own = |e: &RelExpr| aggregated_if(e, &|aggregated| scope.owner_around(aggregated).is_none());
    let items = items.iter().filter_map(|item| match item {
        RelItem::Expression { expression, .. } => Some(expression),
        RelItem::All | RelItem::AllOf(_) => None,
    });
    items.chain(having).chain(order_by.iter().map(|(e, _)| e)).any(is_own)
}

/// Whether it has an aggregate of its own.
pub(super) fn is_aggregated(e: &RelExpr) -> bool {
    aggregated_if(e, &|_| true)
}

/// Whether it has such an aggregate.
fn aggregated_if(e: &RelExpr, such: &dyn Fn(&Aggregated) -> bool) -> bool {
    has_aggregate(e, &|aggregated| match &aggregated.over {
        None => such(aggregated),
        Some(_) => aggregated.arguments.iter().any(|e| aggregated_if(e, such)),
    })
}

/// Whether it has such an aggregate or window function of its own.
fn has_aggregate(e: &RelExpr, such: &dyn Fn(&Aggregated) -> bool) -> bool {
    e.any(|node| match node {
        Expression::Leaf(RelLeaf::Aggregate(aggregated)) => such(aggregated),
        Expression::Leaf(RelLeaf::Collate { operand, .. } | RelLeaf::In { operand, .. }) => {
            has_aggregate(operand, such)
        }
        _ => false,
    })
}

/// The refusal of a table the engine does not hold.
pub(super) fn not_held(name: &str) -> SqlError {
    unsupported(
        &format!("a join, subquery or set operation over the table {name}"),
        "read the tables one by one; IN (..) takes many keys at once",
    )
}

/// The collation of a column of a relation.
pub(super) fn column_collation(fold: bool) -> Collation {
    Collation { fold, strength: 1 }
}
