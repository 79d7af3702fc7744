//! What of a SELECT is made of groups or windows of rows, and so is not there before they are.
//!
//! Subqueries are not looked into: an aggregate that stands in one says so of itself when it is printed
//! (`Scope::aggregated_within`).

use std::collections::HashSet;

use super::ast::{Aggregated, RelExpr, RelItem, RelLeaf};
use super::items::Item;
use super::scope::Scope;
use crate::expression::{Expression, Leaf};

/// Whether a value is made of groups or windows of rows, and so is not there before they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OfGroups {
    /// It is made of a row.
    No,
    /// It has an aggregate.
    Aggregate,
    /// It has a window function.
    Window,
}

impl OfGroups {
    pub(super) fn of(e: &RelExpr) -> Self {
        match e {
            e if has_aggregate(e, &|aggregated| aggregated.over.is_some()) => Self::Window,
            e if is_aggregated(e) => Self::Aggregate,
            _ => Self::No,
        }
    }

    /// The same of what has one, or not, in a subquery.
    pub(super) fn within(aggregated: bool) -> Self {
        if aggregated { Self::Aggregate } else { Self::No }
    }
}

/// The names, in lower case, of the tables' columns that are grouped by.
pub(super) fn grouped(group_by: &[RelExpr], scope: &Scope<'_>) -> HashSet<String> {
    let name = |e: &RelExpr| match e {
        Expression::Leaf(RelLeaf::Plain(Leaf::Column(parts))) if scope.has(parts) => {
            parts.last().map(|name| name.to_lowercase())
        }
        _ => None,
    };
    group_by.iter().filter_map(name).collect()
}

/// Whether a select list or an ORDER BY has window functions.
pub(super) fn windows(items: &[Item], order_by: &[(RelExpr, bool)]) -> bool {
    let is_window = |(e, _): &(RelExpr, bool)| OfGroups::of(e) == OfGroups::Window;
    items.iter().any(|item| item.of_groups == OfGroups::Window) || order_by.iter().any(is_window)
}

/// Whether a SELECT without GROUP BY has aggregates of its own.
pub(super) fn aggregates(
    items: &[RelItem],
    having: Option<&RelExpr>,
    order_by: &[(RelExpr, bool)],
    scope: &Scope<'_>,
) -> bool {
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
