//! Expressions: trees over leaves of a kind, so that the compiler knows what is still to be resolved.
//!
//! What the parser makes has [`Leaf`]s (columns by name, parameters, variables); what binding makes has [`Slot`]s
//! (places in the row at hand) and nothing of the session. Trees are at most [`DEPTH`] deep (the parser refuses
//! deeper ones; long chains of operators are flat), so recursion over them is bounded.

pub(crate) mod arithmetic;
mod call;
mod cast;
mod clock;
mod compare;
mod documents;
mod evaluate;
mod folding;
mod functions;
pub(crate) mod json;
mod json_path;
mod like;
pub(crate) mod lost;
pub(crate) mod number;
mod operators;
pub(crate) mod order_key;
mod predicates;
mod scope;
mod text;
pub(crate) mod time;
mod time_functions;
mod truth;
mod types;
mod units;
mod wide;
mod worth;

pub use clock::clock_micros;
pub(crate) use compare::{SortKey, compare, sort_order};
pub(crate) use folding::{folded, folded_text};
pub(crate) use functions::Function;
pub(crate) use scope::{Scope, VALUE_BYTES};
pub(crate) use text::{column_text, hex_bytes, text_of};
pub(crate) use truth::truth;
pub(crate) use types::{Type, aggregate as aggregate_type, common, fraction};
pub(crate) use units::{Part, Unit};
pub(crate) use worth::Worth;

use crate::environment::{SessionCall, SessionFunction};
use crate::error::{DecimalError, SqlError};
use crate::value::Value;

/// Most digits of a decimal.
pub(crate) const MAX_PRECISION: u32 = 65;

/// Deepest expression, in nodes. Two MiB of stack hold the evaluation of one in a debug build (a test proves it).
pub(crate) const DEPTH: usize = 250;

/// An expression over leaves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression<L> {
    /// A value.
    Constant(Value),
    /// Whatever a leaf is at this stage.
    Leaf(L),
    /// `a AND b AND ..`
    And(Vec<Self>),
    /// `a OR b OR ..`
    Or(Vec<Self>),
    /// `NOT a`
    Not(Box<Self>),
    /// `-a`
    Negate(Box<Self>),
    /// `~a`
    Invert(Box<Self>),
    /// `a + b - c = d ..`: operators applied from left to right.
    Chain(Box<Self>, Vec<(Operator, Self)>),
    /// `a IS [NOT] NULL`, ..
    Is {
        /// What is tested.
        operand: Box<Self>,
        /// For what.
        test: Test,
        /// `NOT`
        negated: bool,
    },
    /// `a [NOT] IN (..)`
    In {
        /// What is looked for.
        operand: Box<Self>,
        /// Where.
        list: Vec<Self>,
        /// `NOT`
        negated: bool,
    },
    /// `a [NOT] BETWEEN b AND c`
    Between {
        /// What is tested.
        operand: Box<Self>,
        /// The lowest.
        low: Box<Self>,
        /// The highest.
        high: Box<Self>,
        /// `NOT`
        negated: bool,
    },
    /// `a [NOT] LIKE b [ESCAPE c]`
    Like {
        /// What is tested.
        operand: Box<Self>,
        /// The pattern.
        pattern: Box<Self>,
        /// The escape; backslash if absent.
        escape: Option<Box<Self>>,
        /// `NOT`
        negated: bool,
    },
    /// `CASE`
    Case {
        /// What the branches are compared with; without it they are conditions.
        operand: Option<Box<Self>>,
        /// WHEN, THEN.
        branches: Vec<(Self, Self)>,
        /// ELSE.
        otherwise: Option<Box<Self>>,
    },
    /// A function of its arguments alone.
    Call(Function, Vec<Self>),
    /// `CAST`, `CONVERT`.
    Cast(Box<Self>, CastType),
    /// `(a, b)`
    Tuple(Vec<Self>),
    /// `COUNT(..)`, ..
    Aggregate {
        /// Which.
        function: Aggregate,
        /// `DISTINCT`
        distinct: bool,
        /// Of what; nothing is `COUNT(*)`.
        arguments: Vec<Self>,
    },
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `+ - * / DIV %`
    Arithmetic(arithmetic::Arithmetic),
    /// `= <> < <= > >=`
    Compare(Comparison),
    /// `<=>`
    NullSafeEqual,
    /// `XOR`
    Xor,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `||` under PIPES_AS_CONCAT
    Concat,
    /// `->`
    Extract,
    /// `->>`
    ExtractUnquoted,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Comparison {
    /// Whether it holds for operands in this order.
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        }
    }

    /// The same with its operands swapped.
    pub fn flipped(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
        }
    }
}

/// What IS tests for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Test {
    Null,
    True,
    False,
}

/// The types of CAST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum CastType {
    Char(Option<u32>),
    Binary(Option<u32>),
    Signed,
    Unsigned,
    /// So many digits at most, so many of them behind the point.
    Decimal {
        precision: u32,
        scale: u32,
    },
    Double,
    DateTime(u32),
    Date,
    Time(u32),
    Json,
}

impl CastType {
    /// DECIMAL, DECIMAL(precision) or DECIMAL(precision, scale).
    ///
    /// # Errors
    /// [`SqlError::Decimal`] for more digits than there can be.
    pub(crate) fn decimal(precision: Option<u32>, scale: Option<u32>) -> Result<Self, SqlError> {
        let scale = scale.unwrap_or(0);
        let precision = precision.filter(|digits| *digits > 0).unwrap_or(10.max(scale));
        if scale > number::MAX_SCALE {
            return Err(SqlError::Decimal(DecimalError::Scale(scale)));
        }
        if precision > MAX_PRECISION {
            return Err(SqlError::Decimal(DecimalError::Precision(precision)));
        }
        if scale > precision {
            return Err(SqlError::Decimal(DecimalError::ScaleAbovePrecision));
        }
        Ok(Self::Decimal { precision, scale })
    }
}

/// The aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Aggregate {
    Count,
    Min,
    Max,
    Sum,
    Avg,
    /// The value of any row: what a bare column is without ONLY_FULL_GROUP_BY.
    Any,
}

/// What a name in the text can be, before binding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Leaf {
    /// `?`
    Parameter(u16),
    /// `c`, `t.c`, `d.t.c`
    Column(Vec<String>),
    /// `@name`
    UserVariable(String),
    /// `@@name`
    SystemVariable {
        /// `@@global.` or, if not, `@@session.`; none if the text says neither.
        global: Option<bool>,
        /// Its name.
        name: String,
    },
    /// `DATABASE()`, ..
    Session(SessionFunction),
    /// `NOW(digits)`, in the session's time zone
    Now(u32),
    /// `UTC_TIMESTAMP(digits)`
    UtcNow(u32),
    /// The session's time zone: microseconds ahead of UTC
    Zone,
    /// `GET_LOCK(..)`, ..
    Call(SessionCall, Vec<Expression<Leaf>>),
    /// `DEFAULT` as a value
    Default,
}

impl Leaf {
    /// The parts of the name, if it is a column.
    pub(crate) fn as_column(&self) -> Option<&[String]> {
        match self {
            Self::Column(parts) => Some(parts),
            Self::Parameter(_)
            | Self::UserVariable(_)
            | Self::SystemVariable { .. }
            | Self::Session(_)
            | Self::Now(_)
            | Self::UtcNow(_)
            | Self::Zone
            | Self::Call(..)
            | Self::Default => None,
        }
    }
}

/// A place in the row at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot(pub usize);

/// The leaf of an expression that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoLeaf;

impl Scope<NoLeaf> for NoLeaf {
    fn leaf(&self, _: &NoLeaf) -> Result<Value, SqlError> {
        Err(SqlError::Internal("a leaf where there is none".into()))
    }
}

/// What answers for a whole subtree in [`Expression::map`], or leaves it to be mapped.
pub(crate) type Rewrite<'a, L, M> = dyn FnMut(&Expression<L>) -> Result<Option<Expression<M>>, SqlError> + 'a;

impl<L> Expression<L> {
    /// Text.
    pub fn text(text: impl Into<bytes::Bytes>) -> Self {
        Self::Constant(Value::Text(text.into()))
    }

    /// The value, if it is a constant.
    pub fn constant(&self) -> Option<&Value> {
        match self {
            Self::Constant(value) => Some(value),
            Self::Leaf(_)
            | Self::And(_)
            | Self::Or(_)
            | Self::Not(_)
            | Self::Negate(_)
            | Self::Invert(_)
            | Self::Chain(..)
            | Self::Is { .. }
            | Self::In { .. }
            | Self::Between { .. }
            | Self::Like { .. }
            | Self::Case { .. }
            | Self::Call(..)
            | Self::Cast(..)
            | Self::Tuple(_)
            | Self::Aggregate { .. } => None,
        }
    }

    /// The operands, from left to right.
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Constant(_) | Self::Leaf(_) => Vec::new(),
            Self::And(all) | Self::Or(all) | Self::Tuple(all) | Self::Call(_, all) => all.iter().collect(),
            Self::Aggregate { arguments, .. } => arguments.iter().collect(),
            Self::Not(one) | Self::Negate(one) | Self::Invert(one) | Self::Cast(one, _) => vec![one],
            Self::Chain(first, rest) => std::iter::once(&**first).chain(rest.iter().map(|(_, e)| e)).collect(),
            Self::Is { operand, .. } => vec![operand],
            Self::In { operand, list, .. } => std::iter::once(&**operand).chain(list).collect(),
            Self::Between { operand, low, high, .. } => vec![operand, low, high],
            Self::Like { operand, pattern, escape, .. } => {
                [Some(&**operand), Some(&**pattern), escape.as_deref()].into_iter().flatten().collect()
            }
            Self::Case { operand, branches, otherwise } => operand
                .as_deref()
                .into_iter()
                .chain(branches.iter().flat_map(|(w, t)| [w, t]))
                .chain(otherwise.as_deref())
                .collect(),
        }
    }

    /// Calls `f` for every node, parents first; goes no deeper where it answers `false`.
    pub fn visit<'a>(&'a self, f: &mut impl FnMut(&'a Self) -> bool) {
        let mut stack = vec![self];
        while let Some(node) = stack.pop() {
            if f(node) {
                let mut children = node.children();
                children.reverse();
                stack.append(&mut children);
            }
        }
    }

    /// Whether a node answers yes.
    pub fn any(&self, mut f: impl FnMut(&Self) -> bool) -> bool {
        let mut found = false;
        self.visit(&mut |node| {
            found = found || f(node);
            !found
        });
        found
    }

    /// Whether its value depends on a row.
    pub fn of_rows(&self) -> bool {
        self.any(|node| matches!(node, Self::Leaf(_) | Self::Aggregate { .. }))
    }

    /// Whether it holds an aggregate.
    pub fn has_aggregate(&self) -> bool {
        self.any(|node| matches!(node, Self::Aggregate { .. }))
    }

    /// The same tree over other leaves. `node` may answer for a whole subtree first.
    ///
    /// # Errors
    /// Those of `node` and `leaf`.
    pub fn map<M>(
        &self,
        node: &mut Rewrite<'_, L, M>,
        leaf: &mut dyn FnMut(&L) -> Result<Expression<M>, SqlError>,
    ) -> Result<Expression<M>, SqlError> {
        if let Some(done) = node(self)? {
            return Ok(done);
        }
        macro_rules! one {
            ($e:expr) => {
                Box::new($e.map(node, leaf)?)
            };
        }
        macro_rules! all {
            ($e:expr) => {
                $e.iter().map(|e| e.map(node, leaf)).collect::<Result<Vec<_>, _>>()?
            };
        }
        macro_rules! maybe {
            ($e:expr) => {
                match $e {
                    Some(e) => Some(one!(e)),
                    None => None,
                }
            };
        }
        Ok(match self {
            Self::Constant(value) => Expression::Constant(value.clone()),
            Self::Leaf(l) => leaf(l)?,
            Self::And(e) => Expression::And(all!(e)),
            Self::Or(e) => Expression::Or(all!(e)),
            Self::Not(e) => Expression::Not(one!(e)),
            Self::Negate(e) => Expression::Negate(one!(e)),
            Self::Invert(e) => Expression::Invert(one!(e)),
            Self::Chain(first, rest) => {
                let first = one!(first);
                let rest = rest.iter().map(|(op, e)| Ok((*op, e.map(node, leaf)?))).collect::<Result<_, SqlError>>()?;
                Expression::Chain(first, rest)
            }
            Self::Is { operand, test, negated } => {
                Expression::Is { operand: one!(operand), test: *test, negated: *negated }
            }
            Self::In { operand, list, negated } => {
                Expression::In { operand: one!(operand), list: all!(list), negated: *negated }
            }
            Self::Between { operand, low, high, negated } => {
                Expression::Between { operand: one!(operand), low: one!(low), high: one!(high), negated: *negated }
            }
            Self::Like { operand, pattern, escape, negated } => Expression::Like {
                operand: one!(operand),
                pattern: one!(pattern),
                escape: maybe!(escape),
                negated: *negated,
            },
            Self::Case { operand, branches, otherwise } => Expression::Case {
                operand: maybe!(operand),
                branches: branches.iter().map(|(w, t)| Ok((w.map(node, leaf)?, t.map(node, leaf)?))).collect::<Result<
                    _,
                    SqlError,
                >>(
                )?,
                otherwise: maybe!(otherwise),
            },
            Self::Call(function, arguments) => Expression::Call(*function, all!(arguments)),
            Self::Cast(e, ty) => Expression::Cast(one!(e), *ty),
            Self::Tuple(e) => Expression::Tuple(all!(e)),
            Self::Aggregate { function, distinct, arguments } => {
                Expression::Aggregate { function: *function, distinct: *distinct, arguments: all!(arguments) }
            }
        })
    }
}
