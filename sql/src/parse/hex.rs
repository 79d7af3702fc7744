//! Hexadecimal and bit literals (`0x41`, `X'41'`, `b'1'`): bytes, but numbers where numbers are expected.
//!
//! What is expected is told by form: beside an operator of numbers, and compared with what is a number whatever the row.
//! Both parsers of expressions ask here.

use crate::columns::CellColumn;
use crate::expression::{CastType, Comparison, Expression, Function, Leaf, Operator, Test, Type};
use crate::value::{ColumnType, Value};

/// A leaf of a parsed expression, as far as its form tells what it is.
pub(super) trait Form {
    /// Its type; text if its form does not tell.
    fn ty(&self) -> Type;

    /// Whether its form tells what it is.
    fn tells(&self) -> bool;
}

impl Form for Leaf {
    /// Three columns of a cell are numbers.
    fn ty(&self) -> Type {
        match self.as_column().and_then(|parts| parts.last()).and_then(|name| CellColumn::named(name)) {
            Some(CellColumn::AddedId | CellColumn::RefKey | CellColumn::Shard) => Type::of(ColumnType::BigInt),
            Some(CellColumn::RowKey | CellColumn::ColumnKey | CellColumn::Body | CellColumn::CreatedAt) | None => {
                Type::of(ColumnType::Text)
            }
        }
    }

    fn tells(&self) -> bool {
        self.as_column().and_then(|parts| parts.last()).is_some_and(|name| CellColumn::named(name).is_some())
    }
}

/// An operand that may be a literal of bytes.
#[derive(Clone)]
pub(super) struct Operand<L> {
    expression: Expression<L>,
    is_literal: bool,
}

impl<L: Form> Operand<L> {
    /// An operand; `is_literal` says whether it is a literal as written, perhaps in parentheses. `_binary X'41'` is none.
    pub(super) fn new(expression: Expression<L>, is_literal: bool) -> Self {
        Self { is_literal: is_literal && matches!(expression, Expression::Constant(Value::Bytes(_))), expression }
    }

    /// The operand as bytes, if it is a literal of them.
    pub(super) fn plain(self) -> Expression<L> {
        self.expression
    }

    /// The operand where a number is expected. A literal too long for a number stays.
    pub(super) fn number(self) -> Expression<L> {
        match self.expression {
            Expression::Constant(Value::Bytes(bytes)) if self.is_literal && bytes.len() <= 8 => {
                Expression::Constant(Value::UInt(bytes.iter().fold(0, |n, b| (n << 8) | u64::from(*b))))
            }
            other => other,
        }
    }
}

/// Operands that are compared all in one way: if one is a number, literals among them are.
pub(super) fn alike<L: Form>(operands: Vec<Operand<L>>) -> Vec<Expression<L>> {
    // Looking at what is compared is only worth it beside a literal.
    let numbers = operands.iter().any(|o| o.is_literal) && operands.iter().any(|o| is_number(&o.expression));
    operands.into_iter().map(|o| if numbers { o.number() } else { o.plain() }).collect()
}

/// What stands on both sides of an operator.
pub(super) fn sides<L: Form>(op: Operator, left: Operand<L>, right: Operand<L>) -> (Expression<L>, Expression<L>) {
    match op {
        Operator::Arithmetic(_)
        | Operator::Xor
        | Operator::BitAnd
        | Operator::BitOr
        | Operator::BitXor
        | Operator::ShiftLeft
        | Operator::ShiftRight => (left.number(), right.number()),
        Operator::Compare(_) | Operator::NullSafeEqual => {
            let numbers =
                (left.is_literal && is_number(&right.expression)) || (right.is_literal && is_number(&left.expression));
            if numbers { (left.number(), right.number()) } else { (left.plain(), right.plain()) }
        }
        Operator::Concat | Operator::Extract | Operator::ExtractUnquoted => (left.plain(), right.plain()),
    }
}

/// What an operand that is no literal is compared with one by one: the others say nothing about a literal among them,
/// unless nothing else says what the operand is (`@n IN (0x41, 5)`).
fn beside<L: Form>(operand: &Operand<L>, others: Vec<Operand<L>>) -> Vec<Expression<L>> {
    let told = !matches!(&operand.expression, Expression::Leaf(leaf) if !leaf.tells());
    // Looking at what is compared is only worth it beside a literal.
    let number = others.iter().any(|o| o.is_literal)
        && (is_number(&operand.expression) || (!told && others.iter().any(|o| is_number(&o.expression))));
    others.into_iter().map(|o| if number { o.number() } else { o.plain() }).collect()
}

/// `operand [NOT] IN (list)`: each of the list is compared by itself.
pub(super) fn within<L: Form + Clone>(operand: Operand<L>, list: Vec<Operand<L>>, negated: bool) -> Expression<L> {
    let among = |operand, list| Expression::In { operand: Box::new(operand), list, negated };
    if !operand.is_literal {
        let list = beside(&operand, list);
        return among(operand.plain(), list);
    }
    let (numbers, others): (Vec<_>, Vec<_>) = list.into_iter().map(Operand::plain).partition(is_number);
    match (numbers.is_empty(), others.is_empty()) {
        (true, _) => among(operand.plain(), others),
        (false, true) => among(operand.number(), numbers),
        (false, false) => {
            let both = vec![among(operand.clone().number(), numbers), among(operand.plain(), others)];
            if negated { Expression::And(both) } else { Expression::Or(both) }
        }
    }
}

/// `operand IS [NOT] NULL / TRUE / FALSE`
pub(super) fn is<L: Form>(operand: Operand<L>, test: Test, negated: bool) -> Expression<L> {
    let operand = match test {
        Test::Null => operand.plain(),
        Test::True | Test::False => operand.number(),
    };
    Expression::Is { operand: Box::new(operand), test, negated }
}

/// `CASE [operand] WHEN .. THEN .. [ELSE ..] END`: the operand is compared with each by itself.
pub(super) fn case<L: Form + Clone>(
    operand: Option<Operand<L>>,
    branches: Vec<(Operand<L>, Expression<L>)>,
    otherwise: Option<Expression<L>>,
) -> Expression<L> {
    let (whens, thens): (Vec<_>, Vec<_>) = branches.into_iter().unzip();
    let (operand, whens) = match operand {
        None => (None, whens.into_iter().map(Operand::number).collect()),
        Some(operand) if !operand.is_literal => {
            let whens = beside(&operand, whens);
            (Some(Box::new(operand.plain())), whens)
        }
        Some(operand) => literal_case(operand, whens.into_iter().map(Operand::plain).collect()),
    };
    let branches = whens.into_iter().zip(thens).collect();
    Expression::Case { operand, branches, otherwise: otherwise.map(Box::new) }
}

/// A literal as the operand of a CASE, and what it is compared with: conditions without an operand where it is a number
/// beside some and bytes beside others.
fn literal_case<L: Form + Clone>(
    operand: Operand<L>,
    whens: Vec<Expression<L>>,
) -> (Option<Box<Expression<L>>>, Vec<Expression<L>>) {
    let compared_with = |when: &Expression<L>| {
        let operand = operand.clone();
        Some(Box::new(if is_number(when) { operand.number() } else { operand.plain() }))
    };
    let numbers = whens.iter().filter(|when| is_number(when)).count();
    if numbers == 0 || numbers == whens.len() {
        return (whens.first().and_then(compared_with), whens);
    }
    let matches = |when| {
        let operand = compared_with(&when);
        Expression::Case { operand, branches: vec![(when, Expression::Constant(Value::Int(1)))], otherwise: None }
    };
    (None, whens.into_iter().map(matches).collect())
}

/// The operand of a CAST to this type.
pub(super) fn cast<L: Form>(operand: Operand<L>, ty: CastType) -> Expression<L> {
    match ty {
        CastType::Signed | CastType::Unsigned | CastType::Decimal { .. } | CastType::Double => operand.number(),
        CastType::Char(_)
        | CastType::Binary(_)
        | CastType::DateTime(_)
        | CastType::Date
        | CastType::Time(_)
        | CastType::Json => operand.plain(),
    }
}

/// The arguments of the function of this name (upper case).
pub(super) fn arguments<L: Form>(function: &str, arguments: Vec<Operand<L>>) -> Vec<Expression<L>> {
    match function {
        "ABS" | "CEIL" | "CEILING" | "FLOOR" | "MOD" | "POW" | "POWER" | "ROUND" | "SIGN" => {
            arguments.into_iter().map(Operand::number).collect()
        }
        "GREATEST" | "LEAST" => alike(arguments),
        // Behind the text: places and lengths.
        "LEFT" | "RIGHT" | "SUBSTRING" | "SUBSTR" | "MID" => numbers_from(1, arguments),
        "LOCATE" | "SUBSTRING_INDEX" => numbers_from(2, arguments),
        // A condition.
        "IF" => {
            let of = |(i, argument): (usize, Operand<L>)| if i == 0 { argument.number() } else { argument.plain() };
            arguments.into_iter().enumerate().map(of).collect()
        }
        _ => arguments.into_iter().map(Operand::plain).collect(),
    }
}

fn numbers_from<L: Form>(first: usize, arguments: Vec<Operand<L>>) -> Vec<Expression<L>> {
    let of = |(i, argument): (usize, Operand<L>)| if i >= first { argument.number() } else { argument.plain() };
    arguments.into_iter().enumerate().map(of).collect()
}

/// NULLIF of two arguments: a literal of bytes that is compared as a number is given as bytes.
pub(super) fn null_if<L: Form + Clone>(arguments: Vec<Operand<L>>) -> Expression<L> {
    let given = arguments.first().filter(|first| first.is_literal).map(|first| first.expression.clone());
    let compared = alike(arguments);
    let is_bytes = matches!(compared.first().and_then(Expression::constant), Some(Value::Bytes(_)));
    let Some(given) = given.filter(|_| !is_bytes) else {
        return Expression::Call(Function::NullIf, compared);
    };
    let mut compared = compared.into_iter();
    let (first, second) = (compared.next().unwrap_or(given.clone()), compared.next().unwrap_or(given.clone()));
    let equal = Expression::Chain(Box::new(first), vec![(Operator::Compare(Comparison::Equal), second)]);
    Expression::Call(Function::If, vec![equal, Expression::Constant(Value::Null), given])
}

/// Whether an expression is a number, as far as its form tells.
fn is_number<L: Form>(expression: &Expression<L>) -> bool {
    match expression {
        // Of a chain the last operator tells; looking at all of it, operator by operator, would take too long.
        Expression::Chain(_, rest) => match rest.last() {
            Some((
                Operator::Arithmetic(_)
                | Operator::Compare(_)
                | Operator::NullSafeEqual
                | Operator::Xor
                | Operator::BitAnd
                | Operator::BitOr
                | Operator::BitXor
                | Operator::ShiftLeft
                | Operator::ShiftRight,
                _,
            )) => true,
            Some((Operator::Concat | Operator::Extract | Operator::ExtractUnquoted, _)) | None => false,
        },
        Expression::And(_)
        | Expression::Or(_)
        | Expression::Not(_)
        | Expression::Negate(_)
        | Expression::Invert(_)
        | Expression::Is { .. }
        | Expression::In { .. }
        | Expression::Between { .. }
        | Expression::Like { .. } => true,
        Expression::Constant(_)
        | Expression::Leaf(_)
        | Expression::Case { .. }
        | Expression::Call(..)
        | Expression::Cast(..)
        | Expression::Tuple(_)
        | Expression::Aggregate { .. } => expression.ty(&L::ty).is_number(),
    }
}
