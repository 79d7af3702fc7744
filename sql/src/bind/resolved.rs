//! A SELECT whose names are resolved: its select list written out, aliases replaced.
//!
//! An alias stands for its item, as in MySQL: before a column where it is all that ORDER BY is by, and in HAVING, unless
//! GROUP BY names that column; everywhere else, and within an aggregate, only where there is no column of its name.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::calls::called;
use super::view::View;
use crate::ast::{Item, Select};
use crate::columns::CellColumn;
use crate::environment::{Environment, SessionCall};
use crate::error::{SqlError, unsupported};
use crate::expression::{CastType, Expression, Leaf, Type};
use crate::parse::Expr;
use crate::relational::RelationalError;
use crate::value::{ColumnMeta, ColumnType, Value};

/// Most items of a select list, those that `*` stands for among them: MySQL's bound on the columns of a result.
const ITEMS: usize = 4_096;
/// Most keys of an ORDER BY or a GROUP BY, without those that say again what one before them says: rows are compared by
/// all of them, and what is selected with each.
pub(crate) const KEYS: usize = 64;
/// Most nodes that aliases put into HAVING, ORDER BY and GROUP BY in the place of their names, a name of a column or
/// variable counting once more for each [`NAME`] bytes: an item may be as long as the statement, and its alias stand
/// in it ten thousand times.
const NODES: usize = 200_000;
/// See [`NODES`].
const NAME: usize = 64;

/// A SELECT with its names resolved.
pub(super) struct Resolved {
    pub(super) view: Option<View>,
    pub(super) items: Vec<(Expr, ItemName)>,
    pub(super) group_by: Vec<Expr>,
    pub(super) having: Option<Expr>,
    pub(super) order_by: Vec<(Key, bool)>,
    /// The ORDER BY of one row, which orders nothing: a column named there alone does not make rows of the cells that are
    /// counted.
    dropped: Vec<(Key, bool)>,
}

/// A key of ORDER BY.
pub(super) enum Key {
    /// The item at this place.
    Item(usize),
    Expression(Expr),
}

/// What a result column is called.
pub(super) struct ItemName {
    alias: Option<String>,
    written: String,
}

impl Resolved {
    pub(super) fn new(select: &Select, env: &dyn Environment) -> Result<Self, SqlError> {
        let view = match &select.from {
            Some(from) => Some(View::new(super::table(env, &from.name)?, from.alias.as_deref())),
            None => None,
        };
        let items = everything_as_cells(&select.items, expand(&select.items, view.as_ref())?, view.as_ref());
        let named = !select.group_by.is_empty() || select.having.is_some() || !select.order_by.is_empty();
        let aliases = Aliases::new(if named { &items } else { &[] }, view.as_ref());
        let group_by = aliases.group_by(&select.group_by, &items)?;
        let having = select.having.as_ref().map(|e| aliases.having(e, &group_by, &items)).transpose()?;
        let order_by = aliases.order_by(&select.order_by, &items)?;
        let mut resolved = Self { view, items, group_by, having, order_by, dropped: Vec::new() };
        if resolved.is_one_row() {
            resolved.dropped = std::mem::take(&mut resolved.order_by);
        }
        resolved.note(select)?;
        Ok(resolved)
    }

    /// What the dropped ORDER BY was by: MySQL drops it behind a look at its names.
    pub(super) fn dropped(&self) -> impl Iterator<Item = &Expr> {
        self.dropped.iter().filter_map(|(key, _)| match key {
            Key::Expression(e) => Some(e),
            Key::Item(_) => None,
        })
    }

    /// Whether there is one row, whatever is selected and sorted by.
    fn is_one_row(&self) -> bool {
        let is_aggregate = |e: &Expr| e.has_aggregate();
        self.group_by.is_empty()
            && (self.items.iter().any(|(e, _)| is_aggregate(e)) || self.having.as_ref().is_some_and(is_aggregate))
    }

    /// Finds out which declared columns are named, anywhere.
    fn note(&mut self, select: &Select) -> Result<(), SqlError> {
        let Some(view) = &mut self.view else { return Ok(()) };
        for (item, _) in &self.items {
            view.note(item, "field list")?;
        }
        if let Some(e) = &select.condition {
            view.note(e, "where clause")?;
        }
        for e in &self.group_by {
            view.note(e, "group statement")?;
        }
        if let Some(e) = &self.having {
            view.note(e, "having clause")?;
        }
        for (key, _) in &self.order_by {
            if let Key::Expression(e) = key {
                view.note(e, "order clause")?;
            }
        }
        let star = select.items.iter().any(|i| matches!(i, Item::All | Item::AllOf(_)));
        if star && view.is_rows() {
            return Err(view.mixed("*"));
        }
        Ok(())
    }

    pub(super) fn aggregated(&self) -> bool {
        !self.group_by.is_empty()
            || self.items.iter().any(|(e, _)| e.has_aggregate())
            || self.having.as_ref().is_some_and(Expression::has_aggregate)
            || self.order_by.iter().any(|(key, _)| matches!(key, Key::Expression(e) if e.has_aggregate()))
    }

    pub(super) fn columns(
        &self,
        env: &dyn Environment,
        parameter: &dyn Fn(u16) -> Type,
    ) -> Result<Vec<ColumnMeta>, SqlError> {
        columns(&self.items, self.view.as_ref(), env, parameter)
    }
}

/// The aliases of a select list.
struct Aliases<'a> {
    view: Option<&'a View>,
    /// The first item of each alias, by the alias in lower case.
    places: HashMap<String, usize>,
    /// What is left of [`NODES`].
    room: Cell<usize>,
}

impl<'a> Aliases<'a> {
    fn new(items: &[(Expr, ItemName)], view: Option<&'a View>) -> Self {
        let mut places = HashMap::new();
        for (place, (_, name)) in items.iter().enumerate() {
            if let Some(alias) = &name.alias {
                places.entry(alias.to_lowercase()).or_insert(place);
            }
        }
        Self { view, places, room: Cell::new(NODES) }
    }

    /// The item a name is the alias of.
    fn place(&self, name: &str) -> Option<usize> {
        self.places.get(&name.to_lowercase()).copied()
    }

    fn is_column(&self, name: &str) -> bool {
        self.view.is_some_and(|view| view.has(name))
    }

    /// The keys of GROUP BY, each once.
    fn group_by(&self, written: &[Expr], items: &[(Expr, ItemName)]) -> Result<Vec<Expr>, SqlError> {
        let (mut keys, mut seen) = (Vec::new(), HashSet::new());
        for e in written {
            let place = match (position(e, items, "group statement")?, plain_name(e)) {
                (Some(place), _) => Some(place),
                (None, Some(name)) if !self.is_column(name) => self.place(name),
                (None, _) => None,
            };
            let key = match place {
                Some(place) if !seen.insert(place) => continue,
                Some(place) => items.get(place).map(|(item, _)| item.clone()),
                None => None,
            };
            key.as_ref().map_or(Ok(()), once)?;
            let key = key.map_or_else(|| self.replaced(e, items, &|_| false), Ok)?;
            if !keys.contains(&key) {
                keys.push(key);
            }
            bounded(keys.len(), "the number of keys in GROUP BY")?;
        }
        Ok(keys)
    }

    /// The keys of ORDER BY, each once.
    fn order_by(&self, written: &[(Expr, bool)], items: &[(Expr, ItemName)]) -> Result<Vec<(Key, bool)>, SqlError> {
        let (mut keys, mut seen) = (Vec::<(Key, bool)>::new(), HashSet::new());
        for (e, descending) in written {
            let place = match position(e, items, "order clause")? {
                Some(place) => Some(place),
                None => plain_name(e).and_then(|name| self.place(name)),
            };
            let key = match place {
                Some(place) if !seen.insert(place) => continue,
                Some(place) => Key::Item(place),
                None => Key::Expression(self.replaced(e, items, &|_| false)?),
            };
            let again = keys.iter().any(|(k, _)| match (k, &key) {
                (Key::Expression(a), Key::Expression(b)) => a == b,
                (Key::Item(_), _) | (_, Key::Item(_)) => false,
            });
            if !again {
                keys.push((key, *descending));
            }
            bounded(keys.len(), "the number of keys in ORDER BY")?;
        }
        Ok(keys)
    }

    /// HAVING, where an alias comes before a column that is not grouped by.
    fn having(&self, e: &Expr, group_by: &[Expr], items: &[(Expr, ItemName)]) -> Result<Expr, SqlError> {
        let grouped: HashSet<String> = group_by
            .iter()
            .filter_map(|key| match key {
                Expression::Leaf(Leaf::Column(parts)) => parts.last().map(|name| name.to_lowercase()),
                _ => None,
            })
            .collect();
        self.replaced(e, items, &|name| !grouped.contains(&name.to_lowercase()))
    }

    /// The expression with aliases replaced by what they stand for: where there is no column of that name and, outside of
    /// aggregates, where `first` says so.
    fn replaced(&self, e: &Expr, items: &[(Expr, ItemName)], first: &dyn Fn(&str) -> bool) -> Result<Expr, SqlError> {
        if self.places.is_empty() {
            return Ok(e.clone());
        }
        e.map(
            &mut |node| {
                if let Expression::Aggregate { function, distinct, arguments } = node {
                    let arguments =
                        arguments.iter().map(|e| self.replaced(e, items, &|_| false)).collect::<Result<_, _>>()?;
                    return Ok(Some(Expression::Aggregate { function: *function, distinct: *distinct, arguments }));
                }
                let Some(name) = plain_name(node) else { return Ok(None) };
                let Some((item, _)) = self.place(name).and_then(|place| items.get(place)) else { return Ok(None) };
                if self.is_column(name) && !first(name) {
                    return Ok(None);
                }
                once(item)?;
                self.take(item)?;
                Ok(Some(item.clone()))
            },
            &mut |leaf| Ok(Expression::Leaf(leaf.clone())),
        )
    }

    /// Counts an item that is put in the place of its alias.
    fn take(&self, item: &Expr) -> Result<(), SqlError> {
        let left = self.room.get().checked_sub(weight(item)).ok_or(SqlError::Limit {
            what: "what aliases stand for in HAVING, ORDER BY and GROUP BY".into(),
            limit: NODES as u64,
            name: "nodes",
        })?;
        self.room.set(left);
        Ok(())
    }
}

/// Refuses what would be called again where its alias stands.
fn once(item: &Expr) -> Result<(), SqlError> {
    match called([item], |_| true) {
        Some(call) => Err(unsupported(
            &format!("{} by an alias in HAVING, ORDER BY or GROUP BY", call.name()),
            "call it in SET @x = .., and name the variable",
        )),
        None => Ok(()),
    }
}

/// How much it takes to copy an expression, in nodes.
fn weight(e: &Expr) -> usize {
    let mut nodes = 0;
    let mut pending = vec![e];
    while let Some(e) = pending.pop() {
        e.visit(&mut |node| {
            nodes += 1;
            match node {
                Expression::Leaf(Leaf::Column(parts)) => nodes += parts.iter().map(String::len).sum::<usize>() / NAME,
                Expression::Leaf(Leaf::UserVariable(name) | Leaf::SystemVariable { name, .. }) => {
                    nodes += name.len() / NAME;
                }
                Expression::Leaf(Leaf::Call(_, arguments)) => pending.extend(arguments),
                _ => {}
            }
            true
        });
    }
    nodes
}

/// The name an expression is, if it is one without a table.
fn plain_name(e: &Expr) -> Option<&str> {
    match e {
        Expression::Leaf(Leaf::Column(parts)) => match parts.as_slice() {
            [name] => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// The item a number in ORDER BY or GROUP BY stands for.
fn position(e: &Expr, items: &[(Expr, ItemName)], clause: &'static str) -> Result<Option<usize>, SqlError> {
    let Expression::Constant(Value::Int(position)) = e else { return Ok(None) };
    let place = usize::try_from(*position).ok().and_then(|p| p.checked_sub(1)).filter(|place| *place < items.len());
    match place {
        Some(place) => Ok(Some(place)),
        None => Err(SqlError::UnknownColumn { column: position.to_string(), clause, hint: String::new() }),
    }
}

/// # Errors
/// [`SqlError::Limit`] for more than [`KEYS`].
pub(crate) fn bounded(keys: usize, what: &str) -> Result<(), SqlError> {
    if keys <= KEYS {
        return Ok(());
    }
    Err(SqlError::Limit { what: what.into(), limit: KEYS as u64, name: "keys" })
}

/// The select list with `*` written out.
pub(super) fn expand(items: &[Item], view: Option<&View>) -> Result<Vec<(Expr, ItemName)>, SqlError> {
    let mut expanded = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Item::All | Item::AllOf(_) => {
                let Some(view) = view else { return Err(unsupported("* without FROM", "name what to select")) };
                if let Item::AllOf(qualifier) = item
                    && !view.answers_to(qualifier)
                {
                    return Err(RelationalError::UnknownQualifier(qualifier.join(".")).into());
                }
                for column in CellColumn::ALL {
                    let leaf = Leaf::Column(vec![column.name().to_owned()]);
                    expanded.push((Expression::Leaf(leaf), ItemName { alias: None, written: column.name().into() }));
                }
            }
            Item::Expression { expression, alias, written } => {
                expanded.push((expression.clone(), ItemName { alias: alias.clone(), written: written.clone() }));
            }
        }
        if expanded.len() > ITEMS {
            return Err(SqlError::TooManyColumns(ITEMS));
        }
    }
    Ok(expanded)
}

/// A list of all columns that a cell has, and declared ones beside them, is what dumps read: the cells are everything
/// there is, and the declared columns, which show some of them once more, are NULL.
fn everything_as_cells(
    written: &[Item],
    mut items: Vec<(Expr, ItemName)>,
    view: Option<&View>,
) -> Vec<(Expr, ItemName)> {
    let Some(view) = view else { return items };
    // `*` is the cells and nothing else; nobody writes declared columns beside it without meaning them.
    if written.iter().any(|item| matches!(item, Item::All | Item::AllOf(_))) {
        return items;
    }
    let cell_column = |(e, _): &(Expr, ItemName)| match e {
        Expression::Leaf(Leaf::Column(parts)) => view.cell_column(parts),
        _ => None,
    };
    let has = |column| items.iter().any(|item| cell_column(item) == Some(column));
    if !CellColumn::ALL.into_iter().all(has) {
        return items;
    }
    for (item, name) in &mut items {
        if let Expression::Leaf(Leaf::Column(parts)) = &item
            && let Some(declared) = view.declared_name(parts)
        {
            name.alias.get_or_insert(declared);
            *item = Expression::Cast(Box::new(Expression::Constant(Value::Null)), CastType::Json);
        }
    }
    items
}

pub(super) fn columns(
    items: &[(Expr, ItemName)],
    view: Option<&View>,
    env: &dyn Environment,
    parameter: &dyn Fn(u16) -> Type,
) -> Result<Vec<ColumnMeta>, SqlError> {
    let of_value = |value: &Value| Type { nullable: true, ..Type::of_value(value) };
    let leaf = |leaf: &Leaf| match leaf {
        Leaf::Parameter(n) => parameter(*n),
        Leaf::Column(parts) => match view.map(|v| v.slot(parts, "field list").map(|b| v.ty(b.slot))) {
            Some(Ok(ty)) => ty,
            Some(Err(_)) | None => Type::of(ColumnType::Null),
        },
        Leaf::UserVariable(name) => of_value(&env.user_variable(name)),
        Leaf::SystemVariable { global, name } => {
            of_value(&env.variable(*global == Some(true), name).unwrap_or(Value::Null))
        }
        Leaf::Session(function) => of_value(&env.function(*function)),
        Leaf::Zone => Type::of(ColumnType::BigInt),
        Leaf::Call(SessionCall::Uuid, _) => Type { nullable: false, ..Type::text(36) },
        Leaf::Call(_, _) => Type::of(ColumnType::BigInt),
        Leaf::Now(digits) | Leaf::UtcNow(digits) => Type { nullable: false, ..Type::time(*digits) },
        Leaf::Default => Type::of(ColumnType::Null),
    };
    items
        .iter()
        .map(|(item, name)| match (item, view) {
            (Expression::Leaf(Leaf::Column(parts)), Some(view)) => {
                let bound = view.slot(parts, "field list")?;
                // Without an alias it is called as it is written, in whatever case.
                let name = name.alias.as_deref().or_else(|| parts.last().map(String::as_str));
                Ok(view.meta(bound.slot, name))
            }
            (item, _) => Ok(ColumnMeta::typed(name.alias.clone().unwrap_or(name.written.clone()), item.ty(&leaf))),
        })
        .collect()
}
