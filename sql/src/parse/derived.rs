//! A SELECT from a SELECT of a cell table, as mappers write it: `SELECT MAX(t.ref_key) FROM (SELECT ref_key FROM trips WHERE
//! ..) AS t`. The two become one, which reads the table itself, as MySQL merges derived tables.

use super::Expr;
use super::reader::Reader;
use super::select;
use super::tokens::{Kind, Symbol};
use crate::ast::{Item, Select};
use crate::columns::CellColumn;
use crate::error::SqlError;
use crate::expression::{Expression, Leaf};

/// The columns of the inner SELECT.
enum Columns {
    /// `*`
    All,
    /// What they are called, and what they are.
    Named(Vec<(String, Expr)>),
}

/// A SELECT over a derived table as one over the table in it; nothing, with the reader anywhere, if the statement is
/// something else or the two cannot be one.
///
/// They cannot if the inner one makes other rows than those of the table (DISTINCT, groups, LIMIT), names a declared column,
/// which makes a row of many cells, or if a name may be meant in two ways.
pub(super) fn merged(reader: &mut Reader<'_>) -> Result<Option<Select>, SqlError> {
    if !reader.take(&["SELECT"]) {
        return Ok(None);
    }
    let mut derived = None;
    let outer = select::select_over(reader, |reader| {
        derived = source(reader)?;
        Ok(None)
    })?;
    Ok(derived.filter(|_| reader.at_end()).and_then(|(inner, name)| merge(outer, inner, &name)))
}

/// `(SELECT ..) [AS] name`
fn source(reader: &mut Reader<'_>) -> Result<Option<(Select, String)>, SqlError> {
    if !reader.take_symbol(Symbol::Open) || !reader.take(&["SELECT"]) {
        return Ok(None);
    }
    let inner = select::select(reader)?;
    if !reader.take_symbol(Symbol::Close) {
        return Ok(None);
    }
    let named = reader.take(&["AS"]) || reader.peek().is_some_and(|t| matches!(t.kind, Kind::Word | Kind::Quoted));
    if named { Ok(Some((inner, reader.name()?))) } else { Ok(None) }
}

fn merge(outer: Select, inner: Select, name: &str) -> Option<Select> {
    let plain = !inner.distinct
        && inner.group_by.is_empty()
        && inner.having.is_none()
        && inner.limit.count.is_none()
        && !inner.counts_all
        && inner.into.is_empty();
    if !plain || inner.from.is_none() || inner.names_system_database() {
        return None;
    }
    let columns = columns(inner.items)?;
    let mut conditions: Vec<Expr> = inner.condition.into_iter().collect();
    let ordered = || inner.order_by.iter().map(|(expression, _)| expression);
    if !conditions.iter().chain(ordered()).all(of_cells) {
        return None;
    }
    let over = Over { name, columns: &columns, aliases: aliases(&outer.items) };
    let items = outer.items.into_iter().map(|item| over.item(item)).collect::<Option<Vec<_>>>()?;
    conditions.extend(over.all(outer.condition.as_slice())?);
    let group_by = outer.group_by.iter().map(|e| over.behind(e)).collect::<Option<Vec<_>>>()?;
    let having = outer.having.as_ref().map(|e| over.behind(e));
    let mut order_by = outer.order_by.iter().map(|(e, d)| Some((over.behind(e)?, *d))).collect::<Option<Vec<_>>>()?;
    let aggregates = items.iter().flatten().any(|item| match item {
        Item::Expression { expression, .. } => expression.has_aggregate(),
        Item::All | Item::AllOf(_) => false,
    });
    if order_by.is_empty() && group_by.is_empty() && !aggregates && !outer.distinct {
        // Nobody has to keep the order of a derived table; MySQL does.
        order_by = inner.order_by;
    }
    Some(Select {
        items: items.into_iter().flatten().collect(),
        from: inner.from,
        condition: if conditions.len() > 1 { Some(Expression::And(conditions)) } else { conditions.pop() },
        group_by,
        having: match having {
            Some(having) => Some(having?),
            None => None,
        },
        order_by,
        locking: outer.locking || inner.locking,
        ..outer
    })
}

/// Nothing if there are others than plain ones over the columns of cells, or two of one name.
fn columns(items: Vec<Item>) -> Option<Columns> {
    if matches!(items.as_slice(), [Item::All]) {
        return Some(Columns::All);
    }
    let mut columns: Vec<(String, Expr)> = Vec::new();
    for item in items {
        let Item::Expression { expression, alias, written } = item else { return None };
        let name = alias.or_else(|| own_name(&expression)).unwrap_or(written);
        let plain = of_cells(&expression) && !expression.has_aggregate() && expression.of_rows();
        if !plain || columns.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            return None;
        }
        columns.push((name, expression));
    }
    Some(Columns::Named(columns))
}

/// What a column is called that has no other name.
fn own_name(expression: &Expr) -> Option<String> {
    match expression {
        Expression::Leaf(Leaf::Column(path)) => path.last().cloned(),
        _ => None,
    }
}

/// Whether every column in it is one that each cell has.
fn of_cells(expression: &Expr) -> bool {
    !expression.any(|node| own_name(node).is_some_and(|name| CellColumn::named(&name).is_none()))
}

/// The names that the outer list gives.
fn aliases(items: &[Item]) -> Vec<String> {
    let alias = |item: &Item| match item {
        Item::Expression { alias, .. } => alias.clone(),
        Item::All | Item::AllOf(_) => None,
    };
    items.iter().filter_map(alias).collect()
}

/// What the outer SELECT is over.
struct Over<'a> {
    /// The name of the derived table.
    name: &'a str,
    columns: &'a Columns,
    /// The names that the outer list gives.
    aliases: Vec<String>,
}

impl Over<'_> {
    /// What a name of a column stands for.
    fn column(&self, path: &[String]) -> Option<Expr> {
        let column = match path {
            [column] => column,
            [table, column] if table == self.name => column,
            _ => return None,
        };
        match self.columns {
            Columns::All => {
                let found = CellColumn::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(column))?;
                Some(Expression::Leaf(Leaf::Column(vec![found.name().to_owned()])))
            }
            Columns::Named(columns) => {
                columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, e)| e.clone())
            }
        }
    }

    fn is_alias(&self, path: &[String]) -> bool {
        matches!(path, [name] if self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name)))
    }

    /// An expression of the list, or of WHERE: names are columns. Nothing if one of them is none.
    fn expression(&self, expression: &Expr) -> Option<Expr> {
        self.rewritten(expression, &|path| self.column(path))
    }

    /// One of GROUP BY, HAVING or ORDER BY, where a name may also be an alias of the list.
    fn behind(&self, expression: &Expr) -> Option<Expr> {
        self.rewritten(expression, &|path| match (self.column(path), self.is_alias(path)) {
            (Some(_), true) => None,
            (Some(column), false) => Some(column),
            (None, true) => Some(Expression::Leaf(Leaf::Column(path.to_vec()))),
            (None, false) => None,
        })
    }

    fn rewritten(&self, expression: &Expr, column: &dyn Fn(&[String]) -> Option<Expr>) -> Option<Expr> {
        let mut known = true;
        let rewritten = expression.map(&mut |_| Ok(None), &mut |leaf| {
            Ok(match leaf {
                Leaf::Column(path) => column(path).unwrap_or_else(|| {
                    known = false;
                    Expression::Leaf(leaf.clone())
                }),
                other => Expression::Leaf(other.clone()),
            })
        });
        rewritten.ok().filter(|_| known)
    }

    fn all(&self, expressions: &[Expr]) -> Option<Vec<Expr>> {
        expressions.iter().map(|expression| self.expression(expression)).collect()
    }

    /// The items that one stands for.
    fn item(&self, item: Item) -> Option<Vec<Item>> {
        match item {
            Item::AllOf(path) if path != [self.name] => None,
            Item::All | Item::AllOf(_) => Some(match self.columns {
                Columns::All => vec![Item::All],
                Columns::Named(columns) => columns
                    .iter()
                    .map(|(name, expression)| Item::Expression {
                        expression: expression.clone(),
                        alias: Some(name.clone()),
                        written: name.clone(),
                    })
                    .collect(),
            }),
            Item::Expression { expression, alias, written } => {
                // A column has the name by which it is asked for.
                let alias = alias.or_else(|| own_name(&expression));
                Some(vec![Item::Expression { expression: self.expression(&expression)?, alias, written }])
            }
        }
    }
}
