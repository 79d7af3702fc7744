//! How two values are compared: by SQLite, or as the dialect does it.

use super::Printed;
use crate::expression::Comparison;
use crate::relational::program::names;
use crate::value::ColumnType;

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// SQLite's own way is right.
    Native,
    /// As text.
    Text { fold: bool },
    /// As the dialect does it.
    Dialect,
}

pub(super) fn class(a: &Printed, b: &Printed) -> Class {
    if a.ty.ty == ColumnType::Null || b.ty.ty == ColumnType::Null {
        return Class::Native;
    }
    if a.is_text() && b.is_text() {
        return Class::Text { fold: a.collation.merge(b.collation).fold };
    }
    let time = |p: &Printed| p.ty.is_time();
    let is = |p: &Printed, ty| p.ty.ty == ty;
    // SQLite has what is beyond BIGINT as bytes, which are above every number.
    let unsigned = |a, b| is(a, ColumnType::UnsignedBigInt) && is(b, ColumnType::Double);
    let native = a.is_native() && b.is_native() && time(a) == time(b) && !unsigned(a, b) && !unsigned(b, a);
    if native { Class::Native } else { Class::Dialect }
}

/// The class all of them compare with `first` by.
pub(super) fn class_of_all<'p>(first: &Printed, rest: impl IntoIterator<Item = &'p Printed>) -> Class {
    let mut whole = None;
    for other in rest {
        let this = class(first, other);
        whole = match (whole, this) {
            (None, this) => Some(this),
            (Some(known), this) if known == this => Some(known),
            // NULLs compare with everything.
            (Some(known), Class::Native) if other.ty.ty == ColumnType::Null => Some(known),
            (Some(Class::Native), this) if first.ty.ty == ColumnType::Null => Some(this),
            (Some(_), _) => Some(Class::Dialect),
        };
    }
    whole.unwrap_or(Class::Native)
}

pub(super) fn collated(sql: &str, class: Class) -> String {
    match class {
        Class::Text { fold } => format!("{sql} COLLATE {}", collation_name(fold)),
        Class::Native | Class::Dialect => sql.to_owned(),
    }
}

pub(super) fn collation_name(fold: bool) -> &'static str {
    if fold { names::FOLDED } else { "BINARY" }
}

/// `a AND b AND ..` as a balanced tree: SQLite bounds the depth, not the size.
pub(super) fn balanced(parts: &[String], joiner: &str) -> String {
    match parts {
        [] => "NULL".to_owned(),
        [one] => one.clone(),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            format!("({}{joiner}{})", balanced(left, joiner), balanced(right, joiner))
        }
    }
}

pub(super) fn comparison_sql(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterEqual => ">=",
    }
}
