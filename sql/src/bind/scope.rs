//! Leaves into values and slots.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;

use cellgate_schemaless::Micros;

use super::as_keys::{Bexpr, Keyed, compare_as_keys};
use super::branches::alike;
use super::folding::depends;
use super::json_conditions::beside_json;
use super::no_row::{BIND_BYTES, Hears, NoRow, take_room};
use super::times;
use super::zones::with_zones;
use crate::columns::CellColumn;
use crate::environment::Environment;
use crate::error::{SqlError, unsupported};
use crate::expression::lost::{self, Read};
use crate::expression::{Expression, Leaf, Slot, Type, time};
use crate::parameters::Parameters;
use crate::parse::Expr;
use crate::shape::Patience;
use crate::value::{ColumnType, Value};

/// A statement's parameters and session.
pub(crate) struct Session<'a> {
    pub env: &'a dyn Environment,
    pub params: &'a Parameters,
    /// What functions may still make while the statement is bound, in bytes: binding does not give way to others.
    pub(super) room: AtomicUsize,
    /// When binding is given up.
    pub patience: Patience,
    /// Whether values are stored, so that one which loses something, as by a division by zero, is an error.
    pub stores: bool,
}

impl<'a> Session<'a> {
    /// The session of a statement that is being bound.
    pub fn new(env: &'a dyn Environment, params: &'a Parameters) -> Self {
        Self { env, params, room: AtomicUsize::new(BIND_BYTES), patience: env.patience(), stores: false }
    }

    /// Hears of a value a function has made.
    ///
    /// # Errors
    /// When it was too much altogether.
    pub fn made(&self, bytes: usize) -> Result<(), SqlError> {
        take_room(&self.room, bytes)
    }

    /// The value of a leaf that is no column.
    ///
    /// # Errors
    /// An unknown variable, or a column.
    pub fn value(&self, leaf: &Leaf) -> Result<Value, SqlError> {
        match leaf {
            Leaf::Parameter(n) => match self.params.get(usize::from(*n)) {
                // Clients can send what no SQL literal can be.
                Some(Value::Double(d)) if !d.is_finite() => Ok(Value::Null),
                Some(value) => Ok(value.clone()),
                None => Err(SqlError::Arguments("EXECUTE".into())),
            },
            Leaf::UserVariable(name) => Ok(self.env.user_variable(name)),
            Leaf::SystemVariable { global, name } => {
                let value = self.env.variable(*global == Some(true), name);
                let value = value.ok_or_else(|| SqlError::UnknownVariable(name.clone()))?;
                global.map_or(Ok(()), |global| self.env.check_scope(global, name))?;
                Ok(value)
            }
            Leaf::Session(function) => Ok(self.env.function(*function)),
            Leaf::Now(digits) => Ok(Value::DateTime(self.env.time_zone().local(self.now(*digits)))),
            Leaf::UtcNow(digits) => Ok(Value::DateTime(self.now(*digits))),
            Leaf::Zone => Ok(self.env.time_zone().value()),
            Leaf::Call(call, arguments) => {
                let arguments = arguments.iter().map(|a| self.shown(a)).collect::<Result<Vec<_>, _>>()?;
                self.env.call(*call, &arguments)
            }
            Leaf::Column(parts) => Err(unknown_column(parts, "field list")),
            Leaf::Default => Err(unsupported("DEFAULT in an expression", "write it as a value of its own")),
        }
    }

    fn now(&self, digits: u32) -> Micros {
        time::truncate(self.env.now(), digits)
    }

    /// The value of an expression without columns.
    ///
    /// # Errors
    /// Those of evaluation.
    pub fn evaluate(&self, expression: &Expr) -> Result<Value, SqlError> {
        match expression {
            Expression::Constant(value) => Ok(value.clone()),
            Expression::Leaf(leaf) => self.value(leaf),
            other => {
                self.patience.ask()?;
                self.bind(other, &mut |parts| Err(unknown_column(parts, "field list")))?.evaluate(&NoRow {
                    longest: self.env.longest_value(),
                    room: &self.room,
                    steps: None,
                    patience: &self.patience,
                    divides: self.env.sql_mode().divides_by_zero,
                    hears: if self.stores { Hears::Fails } else { Hears::Warns(self.env) },
                })
            }
        }
    }

    /// The value of an expression without columns, where text is wanted: a time has the digits of its type.
    ///
    /// # Errors
    /// Those of evaluation.
    pub fn shown(&self, expression: &Expr) -> Result<Value, SqlError> {
        let value = self.evaluate(expression)?;
        let Value::DateTime(at) = value else { return Ok(value) };
        let digits = times::digits(expression.ty(&|leaf| self.leaf_type(leaf)));
        Ok(Value::Text(time::text_as(at, digits.unwrap_or(6)).into()))
    }

    /// The type of a leaf, as far as it can be that of a time.
    pub fn leaf_type(&self, leaf: &Leaf) -> Type {
        match leaf {
            Leaf::Now(digits) | Leaf::UtcNow(digits) => Type::time(*digits),
            Leaf::Parameter(n) => self.params.ty(usize::from(*n)),
            Leaf::UserVariable(_) => {
                self.value(leaf).map_or(Type::of(ColumnType::Null), |value| Type::of_value(&value))
            }
            Leaf::Column(_)
            | Leaf::SystemVariable { .. }
            | Leaf::Session(_)
            | Leaf::Zone
            | Leaf::Call(..)
            | Leaf::Default => Type::of(ColumnType::Null),
        }
    }

    /// Fills in everything but columns, which `column` answers for; keys are made to compare as keys, and what is
    /// constant is evaluated.
    ///
    /// # Errors
    /// Those of `column`, unknown variables, SHARD_OF of something else than a constant or row_key.
    pub fn bind(
        &self,
        expression: &Expr,
        column: &mut dyn FnMut(&[String]) -> Result<Bound, SqlError>,
    ) -> Result<Expression<Slot>, SqlError> {
        self.bind_hearing(expression, Hears::Fails, column)
    }

    /// The same for what decides which rows there are and how they are ordered: a constant that loses something is what
    /// is left of it, so that a key which is made of it is one.
    ///
    /// # Errors
    /// Those of [`Session::bind`].
    pub fn bind_condition(
        &self,
        expression: &Expr,
        column: &mut dyn FnMut(&[String]) -> Result<Bound, SqlError>,
    ) -> Result<Expression<Slot>, SqlError> {
        self.bind_hearing(expression, Hears::Nothing, column)
    }

    /// The same for what decides what is erased: a constant of text that is not all of its number or time is refused,
    /// as what is left of it is a key nobody wrote.
    ///
    /// # Errors
    /// Those of [`Session::bind`], and why a constant has no value.
    pub fn bind_erasing(
        &self,
        expression: &Expr,
        column: &mut dyn FnMut(&[String]) -> Result<Bound, SqlError>,
    ) -> Result<Expression<Slot>, SqlError> {
        let hears = Hears::FailsOfText;
        let bound = self.bind_hearing(expression, hears, column)?;
        let scope = NoRow {
            longest: self.env.longest_value(),
            room: &self.room,
            steps: None,
            patience: &self.patience,
            divides: false,
            hears,
        };
        // What is a condition by itself: nothing evaluates a constant.
        let condition =
            |e: &Expression<Slot>| e.constant().map_or(Ok(()), |value| lost::number(value, Read::Double, &scope));
        let mut found = condition(&bound);
        bound.visit(&mut |node| {
            if let (Ok(()), Expression::And(all) | Expression::Or(all)) = (&found, node) {
                found = all.iter().try_for_each(condition);
            }
            let apart = matches!(node, Expression::Constant(_) | Expression::Tuple(_)) || node.any(depends);
            if !apart && found.is_ok() {
                found = node.evaluate(&scope).map(|_| ());
            }
            apart && found.is_ok()
        });
        found.map(|()| bound)
    }

    fn bind_hearing(
        &self,
        expression: &Expr,
        hears: Hears<'_>,
        column: &mut dyn FnMut(&[String]) -> Result<Bound, SqlError>,
    ) -> Result<Expression<Slot>, SqlError> {
        let (mut keys, mut types) = (Vec::new(), HashMap::new());
        let bound = self.answered(expression)?.map(&mut |_| Ok(None), &mut |leaf| match leaf.as_column() {
            Some(parts) => {
                let bound = column(parts)?;
                if bound.is_key && !keys.contains(&bound.slot) {
                    keys.push(bound.slot);
                }
                types.insert(bound.slot, bound.ty);
                Ok(Expression::Leaf(bound.slot))
            }
            None => self.value(leaf).map(|value| times::constant(value, self.leaf_type(leaf))),
        })?;
        // SHARD_OF(row_key) names the shard where no column does.
        let unnamed = |slot: &Slot| match CellColumn::of_slot(slot.0) {
            Some(CellColumn::Shard) => CellColumn::Shard.ty(),
            _ => Type::of(ColumnType::Null),
        };
        let ty = |slot: &Slot| types.get(slot).copied().unwrap_or_else(|| unnamed(slot));
        let fold = |e: Bexpr| self.fold(&with_zones(alike(e, &ty)?, self.env, &self.patience)?, hears);
        let keyed = Keyed { keys: &keys, ty: &ty, fold: &fold };
        let bound = beside_json(times::on_the_clock(bound, &self.env.time_zone(), &ty)?, &ty)?;
        fold(if keys.is_empty() { bound } else { compare_as_keys(&bound, &keyed)? })
    }
}

/// What a column name stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub slot: Slot,
    /// Whether its values compare as keys.
    pub is_key: bool,
    /// The type of its values.
    pub ty: Type,
}

/// The error of a column that is not there.
pub(super) fn unknown_column(parts: &[String], clause: &'static str) -> SqlError {
    SqlError::UnknownColumn { column: parts.join("."), clause, hint: String::new() }
}
