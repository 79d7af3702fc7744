//! The select list: its items printed, `*` written out.
//!
//! More of them than SQLite has columns for are refused.

use super::ast::{Core, RelItem, RelLeaf};
use super::binder::Binder;
use super::groups::OfGroups;
use super::print::{Aggregates, Place, Printed, What};
use super::scope::{Column, Origin, Scope};
use super::{RelationalError, Result};
use crate::error::SqlError;
use crate::expression::{Expression, Leaf};
use crate::value::ColumnType;

/// Most items of a select list, those that `*` stands for among them: SQLite takes 2000 columns, and a derived table has
/// one more, which counts its rows.
pub(super) const ITEMS: usize = 1_999;

/// An item of the select list, printed.
pub(super) struct Item {
    pub printed: Printed,
    pub name: String,
    pub alias: Option<String>,
    pub origin: Option<Origin>,
    pub table: String,
    pub of_groups: OfGroups,
}

impl Item {
    /// How many bytes it takes, about.
    fn size(&self) -> usize {
        size_of::<Self>() + self.printed.size() + self.name.len()
    }

    /// Its column as HAVING takes it: a decimal has the digits that are not shown, unless it is put away in a table before.
    pub fn in_having(&self, column: &Column, put_away: bool) -> Column {
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
    pub fn is_computed_json(&self) -> bool {
        matches!(self.printed.what, What::Sql(_)) && self.printed.ty.ty == ColumnType::Json
    }
}

impl Binder<'_> {
    /// The select list, `*` written out.
    pub(super) fn items(&mut self, core: &Core, scope: &Scope<'_>) -> Result<Vec<Item>> {
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
                        name = match (&column.origin, parts.last()) {
                            (Some(origin), _) if origin.own_spelling => origin.column.to_owned(),
                            (_, Some(last)) => last.clone(),
                            (_, None) => name,
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
