//! A relational SELECT as parsed: joins, subqueries, set operations, with names not looked up.

use crate::ast::Name;
use crate::expression::{Comparison, Expression, Leaf};

/// An expression of a relational SELECT.
pub(crate) type RelExpr = Expression<RelLeaf>;

/// What an expression of a relational SELECT is made of, beyond operators and functions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RelLeaf {
    /// A column, a parameter, a variable, ..
    Plain(Leaf),
    /// `(SELECT ..)`
    Query(Box<Query>),
    /// `EXISTS (SELECT ..)`
    Exists(Box<Query>),
    /// `a [NOT] IN (SELECT ..)`, `a = ANY (SELECT ..)`, `a <> ALL (SELECT ..)`
    In {
        /// What is looked for.
        operand: Box<RelExpr>,
        /// Where.
        query: Box<Query>,
        /// `NOT`
        negated: bool,
    },
    /// An aggregate, or with `over` a window function.
    Aggregate(Box<Aggregated>),
    /// `@v := a` in a select list, until the list is parsed.
    Assigned {
        /// The variable.
        name: String,
        /// What it is set to.
        value: Box<RelExpr>,
    },
    /// `a COLLATE c`
    Collate {
        /// What.
        operand: Box<RelExpr>,
        /// Whether text then compares without case.
        fold: bool,
    },
}

/// An aggregate function with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregated {
    pub kind: AggregateKind,
    pub distinct: bool,
    /// Nothing is `COUNT(*)`.
    pub arguments: Vec<RelExpr>,
    /// ORDER BY of GROUP_CONCAT, with "descending".
    pub order: Vec<(RelExpr, bool)>,
    /// OVER.
    pub over: Option<Window>,
}

/// `OVER (PARTITION BY .. ORDER BY ..)`
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Window {
    pub partition: Vec<RelExpr>,
    pub order: Vec<(RelExpr, bool)>,
}

/// The aggregates and window functions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum AggregateKind {
    Count,
    Min,
    Max,
    Sum,
    Avg,
    GroupConcat { separator: String },
    RowNumber,
    Rank,
    DenseRank,
}

/// A SELECT with what may follow it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub body: Body,
    /// Expressions with "descending".
    pub order_by: Vec<(RelExpr, bool)>,
    pub limit: RelLimit,
    /// How deep it nests, which is how much stack binding takes.
    pub depth: usize,
    /// `INTO @a, @b` of the statement itself.
    pub into: Vec<String>,
    /// `SQL_CALC_FOUND_ROWS` of the statement itself.
    pub counts: bool,
    /// The user variables that the last items of the select list are for, which are hidden.
    pub assigned: Vec<String>,
}

/// LIMIT.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RelLimit {
    pub count: Option<RelExpr>,
    pub offset: Option<RelExpr>,
}

/// What a query is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// SELECT.
    Select(Box<Core>),
    /// A query in parentheses.
    Query(Box<Query>),
    /// `a UNION b ..`, from left to right.
    Set(Box<Body>, Vec<(SetOperator, Body)>),
}

/// What joins two bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum SetOperator {
    Union,
    UnionAll,
    Except,
    Intersect,
}

/// A SELECT up to its HAVING.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Core {
    pub distinct: bool,
    pub items: Vec<RelItem>,
    pub from: Option<TableRef>,
    pub condition: Option<RelExpr>,
    pub group_by: Vec<RelExpr>,
    pub having: Option<RelExpr>,
}

/// An item of the select list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RelItem {
    /// `*`
    All,
    /// `t.*`
    AllOf(Vec<String>),
    /// An expression.
    Expression {
        expression: RelExpr,
        alias: Option<String>,
        /// Its text as written.
        written: String,
    },
}

/// What FROM reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TableRef {
    /// A table.
    Named { name: Name, alias: Option<String> },
    /// A derived table.
    Derived { query: Box<Query>, alias: String, columns: Vec<String> },
    /// A join.
    Join { kind: JoinKind, left: Box<TableRef>, right: Box<TableRef>, on: JoinOn },
}

/// Which rows a join keeps that have no partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum JoinKind {
    Inner,
    Left,
    Right,
}

/// What makes two rows partners.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JoinOn {
    /// Nothing: all are.
    Always,
    /// A condition.
    On(RelExpr),
    /// Columns of these names are equal.
    Using(Vec<String>),
    /// Columns of the same name are equal.
    Natural,
}

/// `= ANY` is IN and `<> ALL` is NOT IN; what else there is is not built.
pub(crate) fn quantified_as_in(comparison: Comparison, all: bool) -> Option<bool> {
    match (comparison, all) {
        (Comparison::Equal, false) => Some(false),
        (Comparison::NotEqual, true) => Some(true),
        (
            Comparison::Equal
            | Comparison::NotEqual
            | Comparison::Less
            | Comparison::LessEqual
            | Comparison::Greater
            | Comparison::GreaterEqual,
            _,
        ) => None,
    }
}

impl Query {
    /// The tables read anywhere in it.
    pub fn tables(&self) -> Vec<&Name> {
        let mut found = Vec::new();
        query_tables(self, &mut found);
        found
    }
}

fn query_tables<'a>(query: &'a Query, found: &mut Vec<&'a Name>) {
    body_tables(&query.body, found);
    for (e, _) in &query.order_by {
        expression_tables(e, found);
    }
}

fn body_tables<'a>(body: &'a Body, found: &mut Vec<&'a Name>) {
    match body {
        Body::Query(query) => query_tables(query, found),
        Body::Set(first, rest) => {
            body_tables(first, found);
            for (_, body) in rest {
                body_tables(body, found);
            }
        }
        Body::Select(core) => {
            if let Some(from) = &core.from {
                from_tables(from, found);
            }
            for item in &core.items {
                if let RelItem::Expression { expression, .. } = item {
                    expression_tables(expression, found);
                }
            }
            for e in core.condition.iter().chain(&core.group_by).chain(&core.having) {
                expression_tables(e, found);
            }
        }
    }
}

fn from_tables<'a>(from: &'a TableRef, found: &mut Vec<&'a Name>) {
    match from {
        TableRef::Named { name, .. } => found.push(name),
        TableRef::Derived { query, .. } => query_tables(query, found),
        TableRef::Join { left, right, on, .. } => {
            from_tables(left, found);
            from_tables(right, found);
            if let JoinOn::On(e) = on {
                expression_tables(e, found);
            }
        }
    }
}

fn expression_tables<'a>(expression: &'a RelExpr, found: &mut Vec<&'a Name>) {
    expression.visit(&mut |node| {
        if let Expression::Leaf(leaf) = node {
            match leaf {
                RelLeaf::Plain(_) => {}
                RelLeaf::Query(query) | RelLeaf::Exists(query) => query_tables(query, found),
                RelLeaf::In { operand, query, .. } => {
                    expression_tables(operand, found);
                    query_tables(query, found);
                }
                RelLeaf::Aggregate(aggregated) => {
                    for e in aggregated.arguments.iter().chain(aggregated.order.iter().map(|(e, _)| e)) {
                        expression_tables(e, found);
                    }
                }
                RelLeaf::Collate { operand, .. } | RelLeaf::Assigned { value: operand, .. } => {
                    expression_tables(operand, found);
                }
            }
        }
        true
    });
}
