//! A SELECT whose names are resolved: its select list written out, aliases replaced.

use super::view::View;
use crate::ast::{Item, Select};
use crate::columns::CellColumn;
use crate::environment::{Environment, SessionCall};
use crate::error::SqlError;
use crate::expression::{CastType, Expression, Leaf, Type};
use crate::parse::{Expr, unsupported};
use crate::value::{ColumnMeta, ColumnType, Value};
/// A SELECT with its names resolved.
pub(super) struct Resolved {
    pub(super) view: Option<View>,
    pub(super) items: Vec<(Expr, ItemName)>,
    pub(super) group_by: Vec<Expr>,
    pub(super) having: Option<Expr>,
    pub(super) order_by: Vec<(Expr, bool)>,
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
        let mut resolved = Self {
            items: everything_as_cells(&select.items, expand(&select.items, view.as_ref())?, view.as_ref()),
            view,
            group_by: Vec::new(),
            having: None,
            order_by: Vec::new(),
        };
        resolved.group_by =
            select.group_by.iter().map(|e| resolved.aliased(e, true, "group statement")).collect::<Result<_, _>>()?;
        resolved.having = select.having.as_ref().map(|e| resolved.named(e, false)).transpose()?;
        resolved.order_by = select
            .order_by
            .iter()
            .map(|(e, descending)| Ok((resolved.aliased(e, false, "order clause")?, *descending)))
            .collect::<Result<_, SqlError>>()?;
        resolved.note(select)?;
        Ok(resolved)
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
        for (e, _) in &self.order_by {
            view.note(e, "order clause")?;
        }
        let star = select.items.iter().any(|i| matches!(i, Item::All | Item::AllOf(_)));
        if star && view.is_rows() {
            return Err(view.mixed("*"));
        }
        Ok(())
    }

    /// An expression of ORDER BY or GROUP BY: a position, or one that may name aliases.
    fn aliased(&self, expression: &Expr, columns_first: bool, clause: &'static str) -> Result<Expr, SqlError> {
        if let Expression::Constant(Value::Int(position)) = expression {
            let place = usize::try_from(*position).ok().and_then(|p| p.checked_sub(1));
            return match place.and_then(|p| self.items.get(p)) {
                Some((item, _)) => Ok(item.clone()),
                None => Err(SqlError::UnknownColumn { column: position.to_string(), clause, hint: String::new() }),
            };
        }
        self.named(expression, columns_first)
    }

    /// The expression with aliases replaced by what they stand for.
    fn named(&self, expression: &Expr, columns_first: bool) -> Result<Expr, SqlError> {
        let by_alias = |name: &str| {
            let is = |alias: &String| alias.to_lowercase() == name.to_lowercase();
            self.items.iter().find(|(_, n)| n.alias.as_ref().is_some_and(is)).map(|(item, _)| item.clone())
        };
        expression.map(
            &mut |node| {
                let Expression::Leaf(Leaf::Column(parts)) = node else { return Ok(None) };
                let [name] = parts.as_slice() else { return Ok(None) };
                let is_column = CellColumn::named(name).is_some() && self.view.is_some();
                Ok(if columns_first && is_column { None } else { by_alias(name) })
            },
            &mut |leaf| Ok(Expression::Leaf(leaf.clone())),
        )
    }

    pub(super) fn aggregated(&self) -> bool {
        !self.group_by.is_empty()
            || self.items.iter().any(|(e, _)| e.has_aggregate())
            || self.having.as_ref().is_some_and(Expression::has_aggregate)
            || self.order_by.iter().any(|(e, _)| e.has_aggregate())
    }

    pub(super) fn columns(
        &self,
        env: &dyn Environment,
        parameter: &dyn Fn(u16) -> Type,
    ) -> Result<Vec<ColumnMeta>, SqlError> {
        columns(&self.items, self.view.as_ref(), env, parameter)
    }
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
                    return Err(SqlError::UnknownTable {
                        database: view.table.database.clone(),
                        table: qualifier.join("."),
                    });
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
        Leaf::SystemVariable { global, name } => of_value(&env.variable(*global, name).unwrap_or(Value::Null)),
        Leaf::Session(function) => of_value(&env.function(*function)),
        Leaf::Zone => Type::of(ColumnType::BigInt),
        Leaf::Call(SessionCall::Uuid, _) => Type { nullable: false, ..Type::text(36) },
        Leaf::Call(_, _) => Type::of(ColumnType::BigInt),
        Leaf::Now(digits) | Leaf::UtcNow(digits) => {
            Type { decimals: u8::try_from(*digits).unwrap_or(6), nullable: false, ..Type::of(ColumnType::DateTime) }
        }
        Leaf::Default => Type::of(ColumnType::Null),
    };
    items
        .iter()
        .map(|(item, name)| match (item, view) {
            (Expression::Leaf(Leaf::Column(parts)), Some(view)) => {
                let bound = view.slot(parts, "field list")?;
                Ok(view.meta(bound.slot, name.alias.as_deref()))
            }
            (item, _) => Ok(ColumnMeta::typed(name.alias.clone().unwrap_or(name.written.clone()), item.ty(&leaf))),
        })
        .collect()
}
