//! How much work it is to shape cells, so that whoever runs a shape can choose where.

use super::Plan;
use crate::expression::{Expression, Function, Slot};
use crate::value::Value;

/// About what one cell costs, however small it is, in bytes.
const CELL: usize = 64;
/// About what it costs to compare with one item of a list, however small that is, in bytes.
const ITEM: usize = 16;

/// How much there is to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effort {
    /// Operators and functions: how often, about, every byte is looked at.
    nodes: usize,
    /// Bytes of the constants among them, and of the items they are compared with, which come with every row.
    constants: usize,
}

impl Effort {
    /// Of everything a plan computes.
    pub fn of(plan: &Plan) -> Self {
        let mut effort = Self::default();
        let groups = plan.grouping.iter().flat_map(|g| {
            let arguments = g.aggregates.iter().flat_map(|a| &a.arguments);
            g.keys.iter().chain(arguments)
        });
        let order = plan.order.iter().map(|(e, _)| e);
        for e in plan.filter.iter().chain(&plan.having).chain(&plan.items).chain(order).chain(groups) {
            effort.add(e);
        }
        // Keys and rows that must not come twice are compared by their text.
        effort.nodes += plan.grouping.as_ref().map_or(0, |g| g.keys.len());
        effort.nodes += if plan.distinct { plan.items.len() } else { 0 };
        effort
    }

    fn add(&mut self, expression: &Expression<Slot>) {
        expression.visit(&mut |node| {
            match node {
                Expression::Constant(value) => self.constants += value.content_bytes(),
                Expression::Leaf(_) | Expression::And(_) | Expression::Or(_) | Expression::Tuple(_) => {}
                // A text is compared with the pattern again from each of its places.
                Expression::Like { pattern, .. } => {
                    self.nodes += match pattern.constant() {
                        Some(Value::Text(pattern) | Value::Bytes(pattern)) => 1 + pattern.len() / 8,
                        Some(_) => 1,
                        None => 64,
                    };
                }
                Expression::In { list, .. } => {
                    self.constants += ITEM * list.len();
                    // What is no constant may be JSON, which is read to be compared.
                    self.nodes += 1 + list.iter().filter(|item| item.constant().is_none()).count();
                }
                Expression::Case { branches, .. } => {
                    self.constants += ITEM * branches.len();
                    self.nodes += 1 + branches.iter().filter(|(when, _)| when.constant().is_none()).count();
                }
                // Each of its paths goes through the document.
                Expression::Call(Function::JsonExtract, arguments) => self.nodes += arguments.len(),
                Expression::Not(_)
                | Expression::Negate(_)
                | Expression::Invert(_)
                | Expression::Chain(..)
                | Expression::Is { .. }
                | Expression::Between { .. }
                | Expression::Call(..)
                | Expression::Cast(..)
                | Expression::Aggregate { .. } => self.nodes += 1,
            }
            true
        });
    }

    /// About how many bytes are looked at for so many cells of so many bytes together.
    pub fn over(self, cells: usize, bytes: usize) -> usize {
        let constants = self.constants.saturating_add(CELL).saturating_mul(cells);
        bytes.saturating_add(constants).saturating_mul(self.nodes)
    }
}
