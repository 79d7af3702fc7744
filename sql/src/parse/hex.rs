//! Hexadecimal and bit literals (`0x41`, `X'41'`, `b'1'`): bytes, but numbers where numbers are expected.
//!
//! What is expected is told by form: beside an operator of numbers, and compared with what is a number whatever the row.

use crate::columns::CellColumn;
use crate::expression::{CastType, Expression, Leaf, Operator, Type};
use crate::value::{ColumnType, Value};

/// A literal as a number; what is no literal, or too long for a number, stays.
pub(super) fn number<L>(literal: Expression<L>) -> Expression<L> {
    match literal {
        Expression::Constant(Value::Bytes(bytes)) if bytes.len() <= 8 => {
            Expression::Constant(Value::UInt(bytes.iter().fold(0, |n, b| (n << 8) | u64::from(*b))))
        }
        other => other,
    }
}

/// Whether an expression is a number, as far as its form tells.
pub(super) fn is_number<L>(expression: &Expression<L>, leaf: &dyn Fn(&L) -> Type) -> bool {
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
        | Expression::Aggregate { .. } => expression.ty(leaf).is_number(),
    }
}

/// The type of a leaf, as far as its form tells: three columns of a cell are numbers.
pub(super) fn leaf_type(leaf: &Leaf) -> Type {
    match leaf.as_column().and_then(|parts| parts.last()).and_then(|name| CellColumn::named(name)) {
        Some(CellColumn::AddedId | CellColumn::RefKey | CellColumn::Shard) => Type::of(ColumnType::BigInt),
        Some(CellColumn::RowKey | CellColumn::ColumnKey | CellColumn::Body | CellColumn::CreatedAt) | None => {
            Type::of(ColumnType::Text)
        }
    }
}

/// Whether CAST to this type takes a literal for a number.
pub(super) fn casts_number(ty: CastType) -> bool {
    match ty {
        CastType::Signed | CastType::Unsigned | CastType::Decimal { .. } | CastType::Double => true,
        CastType::Char(_) | CastType::Binary(_) | CastType::DateTime(_) | CastType::Json => false,
    }
}

/// Whether the function of this name (upper case) takes numbers.
pub(super) fn calls_for_numbers(function: &str) -> bool {
    matches!(function, "ABS" | "CEIL" | "CEILING" | "FLOOR" | "MOD" | "POW" | "POWER" | "ROUND" | "SIGN")
}
