//! What IF, CASE, COALESCE and the like give is of one type, whichever of their branches it comes from.
//!
//! A branch of another type than the others is converted where it stands: numbers among text are their text, exact numbers
//! among doubles are doubles, and decimals have the digits of the one that has most. So `IF(a, 1, 0.05)` is 1.00 or 0.05, and
//! what is sorted by it is compared in one way. JSON stays JSON beside anything else, and a time beside it is its text.
//! So are the operands of BETWEEN.

use super::between;
use super::times::{as_text, told};
use crate::error::SqlError;
use crate::expression::{CastType, Expression, Function, Slot, Type};
use crate::value::{ColumnType, Value};

type Bexpr = Expression<Slot>;

/// The expression with its branches converted; `ty` knows the columns.
///
/// # Errors
/// None of its own.
pub(crate) fn alike(expression: Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    of_one_type(told(expression, ty)?, ty)
}

/// The same of what has been told.
fn of_one_type(expression: Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Result<Bexpr, SqlError> {
    if !expression.any(is_converted) {
        return Ok(expression);
    }
    let children = |all: &[Bexpr]| all.iter().map(|e| of_one_type(e.clone(), ty)).collect::<Result<Vec<_>, _>>();
    let one = |e: &Bexpr| of_one_type(e.clone(), ty);
    expression.map(
        &mut |node| {
            if !is_converted(node) {
                return Ok(None);
            }
            let target = node.ty(ty);
            Ok(Some(match node {
                Expression::Call(Function::If, arguments) => {
                    let mut arguments = children(arguments)?;
                    let branches = arguments.split_off(1.min(arguments.len()));
                    arguments.extend(converted(branches, target, ty));
                    Expression::Call(Function::If, arguments)
                }
                Expression::Call(function @ (Function::Greatest | Function::Least), arguments) => {
                    let arguments = children(arguments)?;
                    let text = |e: &Bexpr| matches!(e.ty(ty).ty, ColumnType::Text | ColumnType::Bytes);
                    // Beside text all are compared as text.
                    let alike = target.is_number() || arguments.iter().any(text);
                    let target = if alike { target } else { Type::of(ColumnType::Null) };
                    Expression::Call(*function, converted(arguments, target, ty))
                }
                Expression::Call(function, arguments) => {
                    Expression::Call(*function, converted(children(arguments)?, target, ty))
                }
                Expression::Case { operand, branches, otherwise } => {
                    let (whens, thens): (Vec<_>, Vec<_>) = branches.iter().cloned().unzip();
                    let mut thens = children(&thens)?;
                    let last = otherwise.as_deref().map(one).transpose()?;
                    let has_last = last.is_some();
                    thens.extend(last);
                    let mut thens = converted(thens, target, ty);
                    let otherwise = if has_last { thens.pop().map(Box::new) } else { None };
                    Expression::Case {
                        operand: operand.as_deref().map(one).transpose()?.map(Box::new),
                        branches: children(&whens)?.into_iter().zip(thens).collect(),
                        otherwise,
                    }
                }
                Expression::Between { operand, low, high, negated } => {
                    let types = [operand, low, high].map(|e| e.ty(ty));
                    let parts = between::alike([one(operand)?, one(low)?, one(high)?], types);
                    let [operand, low, high] = parts.map(Box::new);
                    Expression::Between { operand, low, high, negated: *negated }
                }
                other => other.clone(),
            }))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

/// Whether its branches or operands are converted.
fn is_converted(node: &Bexpr) -> bool {
    let choice = |function| {
        matches!(function, Function::If | Function::IfNull | Function::Coalesce | Function::Greatest | Function::Least)
    };
    matches!(node, Expression::Case { .. } | Expression::Between { .. })
        || matches!(node, Expression::Call(function, _) if choice(*function))
}

/// What rows are sorted and grouped by, and compared by for their lowest, their highest and their number: a choice of JSON and
/// something else as the text it is shown as, which is what it is in MySQL. Elsewhere JSON among it stays JSON.
pub(super) fn in_one_order(e: Bexpr, ty: &dyn Fn(&Slot) -> Type) -> Bexpr {
    let of = e.ty(ty).ty;
    if of == ColumnType::Json || !may_give_json(&e, ty) {
        return e;
    }
    let cast = if of == ColumnType::Bytes { CastType::Binary(None) } else { CastType::Char(None) };
    Expression::Cast(Box::new(e), cast)
}

/// Whether its values may be JSON, whatever its type is.
fn may_give_json(e: &Bexpr, ty: &dyn Fn(&Slot) -> Type) -> bool {
    let any = |all: &[Bexpr]| all.iter().any(|e| may_give_json(e, ty));
    match e {
        Expression::Call(Function::If, arguments) => arguments.iter().skip(1).any(|e| may_give_json(e, ty)),
        Expression::Call(Function::IfNull | Function::Coalesce | Function::Greatest | Function::Least, arguments) => {
            any(arguments)
        }
        Expression::Call(Function::NullIf, arguments) => any(arguments.get(..1).unwrap_or_default()),
        Expression::Case { branches, otherwise, .. } => {
            branches.iter().map(|(_, then)| then).chain(otherwise.as_deref()).any(|e| may_give_json(e, ty))
        }
        e => e.ty(ty).ty == ColumnType::Json,
    }
}

/// The branches as values of `target`, unless one of them is JSON: then a time, whose text would show more than it has, is all
/// that is converted.
fn converted(branches: Vec<Bexpr>, target: Type, ty: &dyn Fn(&Slot) -> Type) -> Vec<Bexpr> {
    let types: Vec<Type> = branches.iter().map(|e| e.ty(ty)).collect();
    if types.iter().any(|t| t.ty == ColumnType::Json) {
        let text = target.ty == ColumnType::Text;
        return branches.into_iter().zip(types).map(|(e, ty)| if text { as_text(e, ty) } else { e }).collect();
    }
    branches.into_iter().zip(types).map(|(e, from)| convert(e, from, target)).collect()
}

/// The expression, of the type `from`, as a value of `to`.
pub(crate) fn convert(e: Bexpr, from: Type, to: Type) -> Bexpr {
    let ty = from;
    let digits = |decimals: u8| Expression::Constant(Value::Int(decimals.into()));
    match (from.ty, to.ty) {
        (ColumnType::Null, _) => e,
        (ColumnType::Decimal, ColumnType::Decimal) if from.decimals >= to.decimals => e,
        (_, ColumnType::Decimal) if from.is_number() => {
            Expression::Call(Function::AsDecimal, vec![e, digits(to.decimals)])
        }
        (from, to) if from == to => e,
        (_, ColumnType::Double) if from.is_number() => Expression::Cast(Box::new(e), CastType::Double),
        (_, ColumnType::Text) => Expression::Cast(Box::new(as_text(e, ty)), CastType::Char(None)),
        (_, ColumnType::Bytes) => Expression::Cast(Box::new(as_text(e, ty)), CastType::Binary(None)),
        (_, _) => e,
    }
}
