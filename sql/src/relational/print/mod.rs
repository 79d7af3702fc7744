//! Expressions, printed as SQLite's: what a printed expression is, and the walk over the tree. Operators, CASE and
//! functions, leaves and aggregates have a file each; `class` says how two values are compared.

mod aggregates;
mod cases;
mod class;
mod leaves;
mod operators;

use super::ast::RelExpr;
use super::binder::Binder;
use super::kept_rows::computed;
use super::program::{Scalar, names};
use super::scope::{Aliases, Collation, Column, Scope};
use super::sqlite_value::Packed;
use super::{RelationalError, Result};
use crate::bind::branches::{alike, convert as converted};
use crate::bind::json_conditions::is_condition;
use crate::bind::times;
use crate::bind::zones::with_zones;
use crate::error::{SqlError, limit};
use crate::expression::{CastType, Expression, Slot, Type, Worth, truth};
use crate::value::{ColumnType, Value};
pub(super) use cases::common;
use class::collation_name;

/// Most operands of one call: SQLite takes 100.
pub(super) const OPERANDS: usize = 90;
/// Most parameters: SQLite takes 32,766.
const PARAMETERS: usize = 32_000;
/// Integers within these bounds are printed as they are.
const PLAIN: i64 = 1 << 53;

/// An expression as SQL, with what is known of its values.
#[derive(Clone, Debug)]
pub(super) struct Printed {
    pub what: What,
    pub ty: Type,
    pub collation: Collation,
    /// Whether its integers are SQLite integers, even if their type is unsigned.
    plain: bool,
}

/// A constant is not printed before it is known where it goes.
#[derive(Clone, Debug)]
pub(super) enum What {
    Constant(Value),
    Sql(String),
}

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub scope: &'p Scope<'p>,
    /// For error messages.
    pub clause: &'static str,
    pub aggregates: Aggregates,
    /// The columns of the select list by alias, and whether they come before those of the tables.
    pub aliases: Option<&'p Aliases>,
    pub aliases_first: bool,
}

/// Whether aggregates can stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregates {
    Allowed,
    /// But no window functions.
    NoWindows,
    Forbidden,
}

impl<'p> Place<'p> {
    pub fn new(scope: &'p Scope<'p>, clause: &'static str, aggregates: Aggregates) -> Self {
        Self { scope, clause, aggregates, aliases: None, aliases_first: false }
    }
}

impl Printed {
    pub fn constant(value: Value) -> Self {
        let ty = Type::of_value(&value);
        Self { what: What::Constant(value), ty, collation: Collation::WEAK, plain: true }
    }

    pub fn sql(sql: String, ty: Type) -> Self {
        Self { what: What::Sql(sql), ty, collation: Collation::WEAK, plain: false }
    }

    pub fn column(column: &Column) -> Self {
        let what = What::Sql(column.sql.clone());
        Self { what, ty: column.ty, collation: column.collation, plain: true }
    }

    fn with(self, collation: Collation) -> Self {
        Self { collation, ..self }
    }

    fn is_text(&self) -> bool {
        self.ty.ty == ColumnType::Text
    }

    /// Whether it is text or bytes.
    fn is_bytes(&self) -> bool {
        matches!(self.ty.ty, ColumnType::Text | ColumnType::Bytes)
    }

    /// Whether SQLite orders its values as MySQL does.
    fn is_native(&self) -> bool {
        match self.ty.ty {
            ColumnType::Null | ColumnType::BigInt | ColumnType::Double | ColumnType::DateTime | ColumnType::Date => {
                true
            }
            ColumnType::UnsignedBigInt => self.plain,
            ColumnType::Decimal | ColumnType::Text | ColumnType::Bytes | ColumnType::Json | ColumnType::Time => false,
        }
    }
}

impl Binder<'_> {
    /// The SQL of what is printed; a constant becomes a parameter.
    pub fn text(&mut self, printed: &Printed) -> Result<String> {
        match &printed.what {
            What::Sql(sql) => Ok(sql.clone()),
            What::Constant(Value::Null) => Ok("NULL".to_owned()),
            What::Constant(Value::Int(n)) if (-PLAIN..=PLAIN).contains(n) => {
                Ok(if *n < 0 { format!("({n})") } else { n.to_string() })
            }
            What::Constant(value) => {
                if self.parameters.len() >= PARAMETERS {
                    return Err(limit("the number of values in the statement", PARAMETERS, "values"));
                }
                let packed = Packed::of(value);
                // Text is shared, what is tagged is a copy.
                if let Packed::Blob(copy) = &packed {
                    self.computing.made(copy.len())?;
                }
                self.parameters.push(packed);
                Ok(format!("?{}", self.parameters.len()))
            }
        }
    }

    /// A call of the dialect's own evaluation over the operands.
    fn call(
        &mut self,
        operands: &[Printed],
        make: impl FnOnce(Vec<Expression<Slot>>) -> Expression<Slot>,
    ) -> Result<Printed> {
        let collation = operands
            .iter()
            .filter(|p| matches!(p.ty.ty, ColumnType::Text))
            .map(|p| p.collation)
            .reduce(Collation::merge)
            .unwrap_or(Collation::WEAK);
        let bytes = operands.iter().any(|p| p.ty.ty == ColumnType::Bytes);
        let (mut texts, mut types) = (Vec::new(), Vec::new());
        let mut parts = Vec::with_capacity(operands.len());
        for operand in operands {
            parts.push(match &operand.what {
                // Only its type tells how many digits of a time are shown.
                What::Constant(value) => times::constant(value.clone(), operand.ty),
                What::Sql(sql) => {
                    texts.push(sql.clone());
                    types.push(operand.ty);
                    Expression::Leaf(Slot(texts.len() - 1))
                }
            });
        }
        let of_operand = |slot: &Slot| types.get(slot.0).copied().unwrap_or(Type::of(ColumnType::Null));
        let expression = times::on_the_clock(make(parts), &self.env.time_zone(), &of_operand)?;
        let expression = alike(with_zones(expression, self.env, &self.computing.patience)?, &of_operand)?;
        let ty = expression.ty(&of_operand);
        let unsigned = types.iter().zip(0_u32..).filter(|(ty, _)| ty.ty == ColumnType::UnsignedBigInt);
        let unsigned = unsigned.fold(0, |bits, (_, place)| bits | 1_u128.checked_shl(place).unwrap_or(0));
        let scalar = Scalar { expression, fold: collation.fold && !bytes, unsigned };
        if texts.is_empty() {
            return self.of_constants(scalar, ty, collation);
        }
        if texts.len() > OPERANDS {
            return Err(limit("the number of operands", OPERANDS, "operands"));
        }
        let number = self.scalars.place(scalar);
        let sql = format!("{}({number},{})", names::SCALAR, texts.join(","));
        Ok(Printed::sql(sql, ty).with(collation))
    }

    /// A call over constants: its value, or the call where its value is not all of it.
    fn of_constants(&mut self, scalar: Scalar, ty: Type, collation: Collation) -> Result<Printed> {
        let value = match scalar.constant(self.computing, &self.notes) {
            // The digits that are not shown go with it.
            Ok(quotient @ Worth::Quotient(_)) if quotient.clone().full() != quotient.clone().value() => None,
            Ok(worth) => Some(worth.value()),
            // It may stand in a branch that is not taken: whoever needs its value meets the error.
            Err(
                SqlError::OutOfRange(_) | SqlError::DivisionByZero | SqlError::Truncated { .. } | SqlError::NoTime(_),
            ) => None,
            Err(error) => return Err(error),
        };
        Ok(match value {
            None => {
                let number = self.scalars.place(scalar);
                Printed::sql(format!("{}({number})", names::SCALAR), ty).with(collation)
            }
            // NULL has the type of what could have been there.
            Some(Value::Null) => Printed { ty: Type { nullable: true, ..ty }, ..Printed::constant(Value::Null) },
            Some(value) => {
                let printed = Printed::constant(value);
                let times = printed.ty.is_time() && ty.is_time() || ty.ty == ColumnType::Time;
                let ty = if times { ty } else { printed.ty };
                Printed { ty, ..printed }
            }
        })
    }

    /// A value as it is shown: what is computed with decimals has more digits, which SQLite must not tell apart, nor a column
    /// have.
    pub fn shown(&mut self, printed: &Printed) -> Result<Printed> {
        match &printed.what {
            What::Sql(_) if printed.ty.ty == ColumnType::Decimal && !printed.plain => {
                self.call(std::slice::from_ref(printed), only)
            }
            What::Sql(_) | What::Constant(_) => Ok(printed.clone()),
        }
    }

    /// The SQL of a condition: true where MySQL takes the value for true.
    pub fn condition(&mut self, printed: &Printed) -> Result<String> {
        if let What::Constant(value) = &printed.what {
            return Ok(match truth(value) {
                Some(true) => "1",
                Some(false) => "0",
                None => "NULL",
            }
            .to_owned());
        }
        match printed.ty.ty {
            ColumnType::Null | ColumnType::BigInt | ColumnType::Double => self.text(printed),
            ColumnType::UnsignedBigInt
            | ColumnType::Decimal
            | ColumnType::Text
            | ColumnType::Bytes
            | ColumnType::Json
            | ColumnType::DateTime
            | ColumnType::Date
            | ColumnType::Time => {
                let truth = self.call(std::slice::from_ref(printed), Expression::Or)?;
                self.text(&truth)
            }
        }
    }

    /// What the value is sorted, grouped or made distinct by.
    pub fn key(&mut self, printed: &Printed) -> Result<String> {
        self.kept_key(printed, |_| true)
    }

    /// The same where rows are held by it: it is counted for what they hold, unless it is a column that is counted with
    /// its row.
    pub fn kept_key(&mut self, printed: &Printed, counted: impl FnOnce(&str) -> bool) -> Result<String> {
        let sql = self.text(printed)?;
        let kept = |sql: String| if counted(&sql) { sql } else { computed(names::KEPT, &sql) };
        Ok(if printed.is_text() {
            format!("{} COLLATE {}", kept(sql), collation_name(printed.collation.fold))
        } else if printed.is_native() {
            kept(sql)
        } else {
            format!("{}({})", names::KEY, kept(sql))
        })
    }

    /// What a number compares by with exact numbers of all types.
    pub fn exact_key(&mut self, printed: &Printed) -> Result<String> {
        Ok(format!("{}({})", names::KEY, self.text(printed)?))
    }

    /// A value as one of the type it has in common with the others it stands for: text, bytes, a double, or a decimal of as
    /// many digits.
    pub fn coerced(&mut self, printed: Printed, ty: Type) -> Result<Printed> {
        let (from, collation) = (printed.ty, printed.collation);
        let stays = match ty.ty {
            ColumnType::Decimal => !from.is_number() || (from.ty == ty.ty && from.decimals >= ty.decimals),
            ColumnType::Double => !from.is_number() || from.ty == ty.ty,
            ColumnType::Text | ColumnType::Bytes => from.ty == ty.ty,
            ColumnType::Null
            | ColumnType::BigInt
            | ColumnType::UnsignedBigInt
            | ColumnType::Json
            | ColumnType::Date
            | ColumnType::DateTime
            | ColumnType::Time => true,
        };
        if stays || from.ty == ColumnType::Null {
            return Ok(printed);
        }
        let called = self.call(&[printed], |parts| converted(only(parts), from, ty))?;
        Ok(if ty.ty == ColumnType::Bytes { called } else { called.with(collation) })
    }

    pub fn cast(&mut self, printed: &Printed, ty: CastType) -> Result<Printed> {
        self.call(std::slice::from_ref(printed), |parts| {
            Expression::Cast(Box::new(parts.into_iter().next().unwrap_or(Expression::Constant(Value::Null))), ty)
        })
    }

    /// Prints an expression.
    ///
    /// # Errors
    /// Unknown and ambiguous names, what is refused, and what a constant part of it evaluates to.
    pub fn print(&mut self, e: &RelExpr, place: Place<'_>) -> Result<Printed> {
        self.one_more_node()?;
        let before = self.made.held();
        let printed = self.any(e, place)?;
        self.hold_instead(before, printed.size())?;
        Ok(printed)
    }

    fn any(&mut self, e: &RelExpr, place: Place<'_>) -> Result<Printed> {
        match e {
            Expression::Constant(value) => Ok(Printed::constant(value.clone())),
            Expression::Leaf(leaf) => self.leaf(leaf, place),
            Expression::And(all) => self.connective(all, place, false),
            Expression::Or(all) => self.connective(all, place, true),
            Expression::Not(e) => {
                let e = self.print(e, place)?;
                if matches!(e.what, What::Constant(_)) {
                    return self.call(&[e], |parts| Expression::Not(Box::new(only(parts))));
                }
                let ty = self.truth_type(e.ty.nullable);
                let condition = self.condition(&e)?;
                Ok(Printed::sql(format!("(NOT {condition})"), ty))
            }
            Expression::Is { operand, test, negated } => self.is(operand, *test, *negated, place),
            Expression::Chain(first, rest) => self.chain(first, rest, place),
            Expression::In { operand, list, negated } => self.within(operand, list, *negated, place),
            Expression::Between { operand, low, high, negated } => {
                let value = self.print(operand, place)?;
                let mut bound = |e: &RelExpr| {
                    let printed = self.print(e, place)?;
                    self.beside(printed, is_condition(e), &value)
                };
                let (low, high) = (bound(low)?, bound(high)?);
                let parts = [value, low, high];
                self.between(&parts, *negated)
            }
            Expression::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), place)
            }
            Expression::Call(function, arguments) => self.function(*function, arguments, place),
            Expression::Cast(e, CastType::Binary(None)) => {
                let e = self.print(e, place)?;
                // Text as bytes compares exactly; it need not become bytes for that.
                if e.is_text() && matches!(e.what, What::Sql(_)) {
                    return Ok(e.with(Collation { fold: false, strength: 2 }));
                }
                self.cast(&e, CastType::Binary(None))
            }
            Expression::Cast(e, ty) => {
                let e = self.print(e, place)?;
                self.cast(&e, *ty)
            }
            Expression::Negate(e) => {
                let e = self.print(e, place)?;
                let negated = self.call(&[e], |parts| Expression::Negate(Box::new(only(parts))))?;
                // What is below zero is signed.
                Ok(match negated.ty.ty {
                    ColumnType::UnsignedBigInt => {
                        Printed { ty: Type { ty: ColumnType::BigInt, ..negated.ty }, ..negated }
                    }
                    _ => negated,
                })
            }
            Expression::Invert(e) => {
                let e = self.print(e, place)?;
                self.call(&[e], |parts| Expression::Invert(Box::new(only(parts))))
            }
            Expression::Like { operand, pattern, escape, negated } => {
                let mut parts = vec![self.print(operand, place)?, self.print(pattern, place)?];
                if let Some(escape) = escape {
                    parts.push(self.print(escape, place)?);
                }
                let negated = *negated;
                self.call(&parts, |parts| {
                    let mut parts = parts.into_iter().map(Box::new);
                    let mut next = || parts.next().unwrap_or(Box::new(Expression::Constant(Value::Null)));
                    let (operand, pattern) = (next(), next());
                    Expression::Like { operand, pattern, escape: parts.next(), negated }
                })
            }
            Expression::Tuple(all) => Err(SqlError::OperandColumns(if all.len() == 1 { 2 } else { 1 })),
            Expression::Aggregate { .. } => Err(RelationalError::GroupFunction.into()),
        }
    }

    fn truth_type(&self, nullable: bool) -> Type {
        Type { length: 1, nullable, ..Type::of(ColumnType::BigInt) }
    }
}

pub(super) fn only(parts: Vec<Expression<Slot>>) -> Expression<Slot> {
    parts.into_iter().next().unwrap_or(Expression::Constant(Value::Null))
}
