//! Times where text is wanted: with the digits of the fraction that they have as a column.
//!
//! A time is a number of microseconds, and how many digits of them are shown is its type's. Where a function reads it as
//! text, that type is not at hand any more, so that the parser says it there.

use crate::expression::{CastType, Expression, Function, Leaf, Type, fraction};
use crate::value::{ColumnType, Value};

/// A leaf of a parsed expression.
pub(super) trait Shown {
    /// How many digits its fraction has, if it is the time of day.
    fn fraction(&self) -> Option<u32>;
}

impl Shown for Leaf {
    fn fraction(&self) -> Option<u32> {
        match self {
            Self::Now(digits) | Self::UtcNow(digits) => Some(*digits),
            Self::Parameter(_)
            | Self::Column(_)
            | Self::UserVariable(_)
            | Self::SystemVariable { .. }
            | Self::Session(_)
            | Self::Zone
            | Self::Call(..)
            | Self::Default => None,
        }
    }
}

/// A function of these arguments.
pub(super) fn called<L: Shown>(function: Function, arguments: Vec<Expression<L>>) -> Expression<L> {
    let arguments = if function.reads_text() { arguments.into_iter().map(as_text).collect() } else { arguments };
    Expression::Call(function, arguments)
}

/// `CAST(e AS ty)`
pub(super) fn casted<L: Shown>(e: Expression<L>, ty: CastType) -> Expression<L> {
    let e = match ty {
        CastType::Char(_) | CastType::Binary(_) => as_text(e),
        CastType::Signed
        | CastType::Unsigned
        | CastType::Decimal { .. }
        | CastType::Double
        | CastType::DateTime(_)
        | CastType::Json => e,
    };
    Expression::Cast(Box::new(e), ty)
}

/// The expression; if it is a time with fewer digits than there are, its text.
pub(super) fn as_text<L: Shown>(e: Expression<L>) -> Expression<L> {
    let leaf = |leaf: &L| match leaf.fraction() {
        Some(digits) => Type { decimals: u8::try_from(digits).unwrap_or(6), ..Type::of(ColumnType::DateTime) },
        None => Type::of(ColumnType::Null),
    };
    let ty = e.ty(&leaf);
    if ty.ty == ColumnType::DateTime && ty.decimals < 6 {
        return Expression::Call(Function::TimeText, vec![e, Expression::Constant(Value::Int(ty.decimals.into()))]);
    }
    e
}

/// `UNIX_TIMESTAMP(at)` on the clock of a zone, with the digits behind the point that the time has by its form. Those of a
/// column or a parameter are not known here: its seconds have six.
pub(super) fn unix_timestamp<L: Shown>(at: Expression<L>, zone: Expression<L>) -> Expression<L> {
    let known = |leaf: &L| leaf.fraction().is_some();
    let unknown = at.any(|node| matches!(node, Expression::Leaf(leaf) if !known(leaf)));
    let leaf = |leaf: &L| match leaf.fraction() {
        Some(digits) => Type { decimals: u8::try_from(digits).unwrap_or(6), ..Type::of(ColumnType::DateTime) },
        None => Type::of(ColumnType::Null),
    };
    let digits = fraction(Some(&at), at.ty(&leaf));
    let seconds = Expression::Call(Function::UnixTimestamp, vec![at, zone]);
    if unknown || digits >= 6 {
        return seconds;
    }
    if digits == 0 {
        return Expression::Cast(Box::new(seconds), CastType::Signed);
    }
    Expression::Call(Function::Round, vec![seconds, Expression::Constant(Value::Int(digits.into()))])
}
