//! `@v := expression` in the select list of the statement itself, as ODBC drivers write it: the value is the
//! expression's, and what later items of the list read as `@v`. Behind the SELECT the variable has the value of the last
//! row, which a hidden item brings.

use std::collections::HashMap;

use super::Parser;
use crate::error::{SqlError, limit, unsupported};
use crate::expression::{Expression, Function};
use crate::relational::ast::{RelExpr, RelItem, RelLeaf};

/// Most nodes that variables stand for in a statement: reading one copies the expression it was set to.
const NODES: usize = 20_000;

/// What a SELECT has set so far.
#[derive(Default)]
pub(super) struct Assignments {
    /// Whether the select list of the statement itself is being parsed.
    pub listing: bool,
    /// How many there are in the item at hand.
    in_item: usize,
    /// The variables in the order in which they were first set.
    names: Vec<String>,
    /// What each was set to last.
    values: HashMap<String, RelExpr>,
    /// Variables that were read before they were set.
    read: Vec<String>,
    copied: usize,
}

pub(super) fn refused() -> SqlError {
    unsupported(
        "an assignment inside an expression",
        "use SET @name = expression, or make it an item of the select list of its own: SELECT @name := expression, ..",
    )
}

impl Parser<'_, '_> {
    /// `:= expression`, from the sign.
    pub(super) fn assignment(&mut self, name: String) -> Result<RelExpr, SqlError> {
        self.reader.next();
        if !self.assignments.listing || self.queries != 1 {
            return Err(refused());
        }
        self.assignments.in_item += 1;
        let value = Box::new(self.expression()?);
        Ok(Expression::Leaf(RelLeaf::Assigned { name, value }))
    }

    /// A variable that is read: what it was set to in an earlier item, or nothing, if it is the session's.
    pub(super) fn assigned(&mut self, name: &str) -> Result<Option<RelExpr>, SqlError> {
        let Some(value) = self.assignments.values.get(name) else {
            if self.assignments.listing {
                self.assignments.read.push(name.to_owned());
            }
            return Ok(None);
        };
        if !self.assignments.listing || self.queries != 1 {
            return Err(refused());
        }
        let value = value.clone();
        let (nodes, height) = measure(&value);
        self.assignments.copied += nodes;
        if self.assignments.copied > NODES {
            return Err(limit("the size of the statement", NODES, "nodes"));
        }
        self.reaches(self.depth + height)?;
        Ok(Some(value))
    }

    /// An item of the select list with what it sets taken note of.
    pub(super) fn settled(&mut self, item: RelExpr) -> Result<RelExpr, SqlError> {
        let parsed = std::mem::take(&mut self.assignments.in_item);
        if parsed == 0 {
            return Ok(item);
        }
        let mut found = Vec::new();
        item.visit(&mut |node| {
            if let Expression::Leaf(RelLeaf::Assigned { name, .. }) = node {
                found.push(name.clone());
            }
            true
        });
        // Those within one another, in aggregates and the like are none of the item's own.
        if found.len() != parsed {
            return Err(refused());
        }
        found.sort();
        found.dedup();
        for name in found {
            let value = value_behind(&item, &name).ok_or_else(refused)?;
            if !self.assignments.values.contains_key(&name) {
                self.assignments.names.push(name.clone());
            }
            self.assignments.values.insert(name, value);
        }
        plain(&item)
    }

    /// The variables the select list has set, and for each an item of its value.
    ///
    /// # Errors
    /// Where MySQL would compute with the row before, or over distinct rows.
    pub(super) fn hidden_items(&mut self, over_rows: bool, distinct: bool) -> Result<Vec<RelItem>, SqlError> {
        let set = &self.assignments;
        let names_one = !set.names.is_empty();
        if names_one && (distinct || (over_rows && set.names.iter().any(|name| set.read.contains(name)))) {
            return Err(refused());
        }
        let item = |name: &String| {
            let expression = set.values.get(name).cloned().ok_or_else(refused)?;
            Ok(RelItem::Expression { expression, alias: None, written: String::new() })
        };
        set.names.iter().map(item).collect()
    }

    /// The variables that hidden items are for, when the statement ends.
    pub(super) fn take_assigned(&mut self) -> Vec<String> {
        std::mem::take(&mut self.assignments.names)
    }
}

/// How many nodes an expression has, and how deep it is.
fn measure(e: &RelExpr) -> (usize, usize) {
    let (mut nodes, mut height) = (0, 0);
    let mut stack = vec![(e, 1)];
    while let Some((node, depth)) = stack.pop() {
        nodes += 1;
        height = height.max(depth);
        stack.extend(node.children().into_iter().map(|child| (child, depth + 1)));
    }
    (nodes, height)
}

/// The value a variable has behind an item, if the item sets it whichever way it is computed.
fn value_behind(item: &RelExpr, name: &str) -> Option<RelExpr> {
    let sets = |e: &RelExpr| e.any(|node| matches!(node, Expression::Leaf(RelLeaf::Assigned { .. })));
    match item {
        Expression::Leaf(RelLeaf::Assigned { name: set, value }) if set == name => Some((**value).clone()),
        Expression::Cast(e, _) => value_behind(e, name),
        Expression::Call(Function::If, arguments) => match arguments.as_slice() {
            [condition, then, otherwise] if !sets(condition) => {
                let branches = [value_behind(then, name)?, value_behind(otherwise, name)?];
                let arguments = std::iter::once(condition.clone()).chain(branches).collect();
                Some(Expression::Call(Function::If, arguments))
            }
            _ => None,
        },
        Expression::Case { operand, branches, otherwise: Some(otherwise) } => {
            if operand.as_deref().is_some_and(sets) || branches.iter().any(|(when, _)| sets(when)) {
                return None;
            }
            let branch = |(when, then): &(RelExpr, RelExpr)| Some((when.clone(), value_behind(then, name)?));
            let branches = branches.iter().map(branch).collect::<Option<Vec<_>>>()?;
            let otherwise = Some(Box::new(value_behind(otherwise, name)?));
            Some(Expression::Case { operand: operand.clone(), branches, otherwise })
        }
        _ => None,
    }
}

/// The expression with each assignment as its value.
fn plain(e: &RelExpr) -> Result<RelExpr, SqlError> {
    e.map(&mut |_| Ok(None), &mut |leaf| {
        Ok(match leaf {
            RelLeaf::Assigned { value, .. } => (**value).clone(),
            other => Expression::Leaf(other.clone()),
        })
    })
}
