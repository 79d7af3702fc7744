//! Times where text or numbers are wanted: with the digits of the fraction that they have as a column.
//!
//! A time is a number of microseconds, a date that of its midnight, and how many digits of it are shown is its type's.
//! Where a function reads it as text, or an operator as a number, that type is not at hand any more, so that it is said
//! there.

mod on_the_clock;
mod told;

use crate::expression::{CastType, Expression, Function, Slot, Type, time};
use crate::value::{ColumnType, Value};

pub(crate) use on_the_clock::on_the_clock;
pub(crate) use told::told;

type Bexpr = Expression<Slot>;

/// How many digits behind the point a type shows of its times; `None` if it is no type of times.
pub(crate) fn digits(ty: Type) -> Option<i64> {
    match ty.ty {
        ColumnType::DateTime => Some(i64::from(ty.decimals.min(6))),
        ColumnType::Date => Some(time::DATE),
        ColumnType::Null
        | ColumnType::BigInt
        | ColumnType::UnsignedBigInt
        | ColumnType::Double
        | ColumnType::Decimal
        | ColumnType::Text
        | ColumnType::Bytes
        | ColumnType::Json
        | ColumnType::Time => None,
    }
}

/// A time as a constant that keeps its type.
pub(crate) fn constant<L>(value: Value, ty: Type) -> Expression<L> {
    match (&value, digits(ty)) {
        (Value::DateTime(_), Some(time::DATE)) => {
            Expression::Cast(Box::new(Expression::Constant(value)), CastType::Date)
        }
        (Value::DateTime(_), Some(0..6)) => {
            Expression::Cast(Box::new(Expression::Constant(value)), CastType::DateTime(ty.decimals.into()))
        }
        (Value::Text(_), None) if ty.ty == ColumnType::Time => {
            Expression::Cast(Box::new(Expression::Constant(value)), CastType::Time(ty.decimals.into()))
        }
        _ => Expression::Constant(value),
    }
}

/// `e`, of type `ty`, as text if it is a time.
pub(crate) fn as_text(e: Bexpr, ty: Type) -> Bexpr {
    said(Function::TimeText, e, ty)
}

fn said(function: Function, e: Bexpr, ty: Type) -> Bexpr {
    match digits(ty) {
        // It is text already.
        None if ty.ty == ColumnType::Time && function == Function::TimeNumber => {
            Expression::Call(Function::ClockNumber, vec![e])
        }
        Some(digits) if digits < 6 => Expression::Call(function, vec![e, Expression::Constant(Value::Int(digits))]),
        Some(_) | None => e,
    }
}
