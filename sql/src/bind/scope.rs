//! Leaves into values and slots.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use cellgate_schemaless::Micros;

use super::as_keys::{Bexpr, Keyed, compare_as_keys};
use super::branches::alike;
use super::json_conditions::beside_json;
use super::times;
use crate::columns::CellColumn;
use crate::environment::Environment;
use crate::error::{SqlError, unsupported};
use crate::expression::arithmetic::Arithmetic;
use crate::expression::{Expression, Function, Leaf, Operator, Scope, Slot, Type, text_of, time};
use crate::parameters::Parameters;
use crate::parse::Expr;
use crate::shape::Patience;
use crate::value::{ColumnType, Value};
use crate::zone::TimeZone;

/// A statement's parameters and session.
pub(crate) struct Session<'a> {
    pub env: &'a dyn Environment,
    pub params: &'a Parameters,
    /// What functions may still make while the statement is bound, in bytes: binding does not give way to others.
    room: AtomicUsize,
    /// When binding is given up.
    pub patience: Patience,
    /// Whether values are stored, so that one which loses something, as by a division by zero, is an error.
    pub stores: bool,
}

/// What functions may make while one statement is bound, in bytes: several times what its values can take.
pub(crate) const BIND_BYTES: usize = 256 << 20;
/// What is folded, in bytes: whatever is longer is computed with the rows, where it stops nobody.
const FOLD_BYTES: usize = 64 << 10;
/// How often what is folded may ask for patience: some milliseconds. Whatever takes longer is computed with the rows.
const FOLD_STEPS: usize = 256;

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

    /// The same for what decides which rows there are and how they are ordered: a constant that loses something is what is
    /// left of it, so that a key which is made of it is one.
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

    /// The same for what decides what is erased: a constant of text that is not all of its number or time is refused, as what
    /// is left of it is a key nobody wrote.
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
        let mut found = Ok(());
        bound.visit(&mut |node| {
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

    /// Evaluates what is constant. What cannot be evaluated stays, so that its error comes only if it is needed; so does what
    /// loses something, unless nobody hears of it here.
    fn fold(&self, expression: &Expression<Slot>, hears: Hears<'_>) -> Result<Expression<Slot>, SqlError> {
        let folded = expression.map(
            &mut |node| {
                if matches!(node, Expression::Constant(_) | Expression::Tuple(_)) {
                    return Ok(None);
                }
                if node.any(depends) {
                    return self.fold_around_quotients(node, hears);
                }
                let mut bytes = 0;
                node.visit(&mut |n| {
                    bytes += n.constant().map_or(0, Value::content_bytes);
                    true
                });
                if bytes > FOLD_BYTES {
                    return Ok(None);
                }
                let scope = NoRow {
                    longest: FOLD_BYTES,
                    room: &AtomicUsize::new(BIND_BYTES / 64),
                    steps: Some(&AtomicUsize::new(FOLD_STEPS)),
                    patience: &self.patience,
                    divides: self.env.sql_mode().divides_by_zero,
                    hears,
                };
                match node.evaluate(&scope) {
                    Ok(value) => Ok(Some(Expression::Constant(value))),
                    // As a whole: its parts would be tried again, each in turn.
                    Err(SqlError::GivenUp) => self.patience.check().map(|()| Some(node.clone())),
                    Err(_) => Ok(Some(node.clone())),
                }
            },
            &mut |slot| Ok(Expression::Leaf(*slot)),
        )?;
        if folded.any(|n| matches!(n, Expression::Call(Function::ShardOf, _))) {
            return self.shard_of(&folded);
        }
        Ok(folded)
    }

    /// A constant quotient that is computed with stays one: its value has fewer digits. Anything else is folded as ever.
    fn fold_around_quotients(
        &self,
        node: &Expression<Slot>,
        hears: Hears<'_>,
    ) -> Result<Option<Expression<Slot>>, SqlError> {
        if !node.computes_with_worth() || !node.children().into_iter().any(quotient) {
            return Ok(None);
        }
        let mut at_child = false;
        let around = &mut |e: &Expression<Slot>| {
            if !std::mem::replace(&mut at_child, true) {
                return Ok(None);
            }
            if quotient(e) { Ok(Some(e.clone())) } else { self.fold(e, hears).map(Some) }
        };
        node.map(around, &mut |slot| Ok(Expression::Leaf(*slot))).map(Some)
    }

    /// SHARD_OF of a constant is a constant; of `row_key` it is the cell's shard.
    fn shard_of(&self, expression: &Expression<Slot>) -> Result<Expression<Slot>, SqlError> {
        expression.map(
            &mut |node| {
                let Expression::Call(Function::ShardOf, arguments) = node else { return Ok(None) };
                // What loses something names no shard that is stored.
                let argument = arguments.first().filter(|e| !e.any(|n| matches!(n, Expression::Leaf(_))));
                let argument = argument
                    .map(|e| self.fold(e, if self.stores { Hears::Fails } else { Hears::Nothing }))
                    .transpose()?;
                match argument.as_slice().first().map_or(arguments.as_slice(), std::slice::from_ref) {
                    [Expression::Constant(value)] => Ok(Some(Expression::Constant(match text_of(value) {
                        Some(key) => Value::Int(i64::from(self.env.shard_of(&key))),
                        None => Value::Null,
                    }))),
                    [Expression::Leaf(slot)] if *slot == Slot(CellColumn::RowKey.slot()) => {
                        Ok(Some(Expression::Leaf(Slot(CellColumn::Shard.slot()))))
                    }
                    // What else is left of a constant cannot be computed where values are stored.
                    [other] if self.stores && matches!(self.fold(other, Hears::Nothing)?, Expression::Constant(_)) => {
                        let scope = NoRow {
                            longest: FOLD_BYTES,
                            room: &self.room,
                            steps: None,
                            patience: &self.patience,
                            divides: false,
                            hears: Hears::Fails,
                        };
                        Err(other.evaluate(&scope).err().unwrap_or(SqlError::DivisionByZero))
                    }
                    _ => Err(unsupported(
                        "SHARD_OF of an expression over columns",
                        "use SHARD_OF('key') or the column shard",
                    )),
                }
            },
            &mut |slot| Ok(Expression::Leaf(*slot)),
        )
    }
}

/// Whether it is what a value depends on that is not there before there are rows.
fn depends(node: &Expression<Slot>) -> bool {
    matches!(node, Expression::Leaf(_) | Expression::Aggregate { .. } | Expression::Call(Function::ShardOf, _))
}

/// Whether it divides, and depends on no row.
fn quotient(expression: &Expression<Slot>) -> bool {
    let division = |(op, _): &(Operator, _)| *op == Operator::Arithmetic(Arithmetic::Divide);
    expression.any(|node| matches!(node, Expression::Chain(_, rest) if rest.iter().any(division)))
        && !expression.any(|node| matches!(node, Expression::Leaf(_)))
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

/// Looks up the zones CONVERT_TZ names, each once: no later step knows them by name.
///
/// # Errors
/// [`SqlError::TimeZoneFile`], [`SqlError::GivenUp`].
pub(crate) fn with_zones(
    expression: Expression<Slot>,
    env: &dyn Environment,
    patience: &Patience,
) -> Result<Expression<Slot>, SqlError> {
    if !expression.any(|node| matches!(node, Expression::Call(Function::ConvertTz, _))) {
        return Ok(expression);
    }
    expression.map(
        &mut |node| {
            let Expression::Call(Function::ConvertTz, arguments) = node else { return Ok(None) };
            let [at, from, to] = arguments.as_slice() else { return Ok(None) };
            let zones = [zone(from, env, patience)?, zone(to, env, patience)?];
            let arguments = std::iter::once(with_zones(at.clone(), env, patience)?).chain(zones).collect();
            Ok(Some(Expression::Call(Function::ConvertTz, arguments)))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

/// A zone as CONVERT_TZ takes it, NULL if it is not known; what comes out of a row stays what it is.
fn zone(written: &Expression<Slot>, env: &dyn Environment, patience: &Patience) -> Result<Expression<Slot>, SqlError> {
    let steps = AtomicUsize::new(FOLD_STEPS);
    let room = AtomicUsize::new(FOLD_BYTES);
    let scope =
        NoRow { longest: FOLD_BYTES, room: &room, steps: Some(&steps), patience, divides: true, hears: Hears::Nothing };
    let Ok(value) = written.evaluate(&scope) else { return patience.check().map(|()| written.clone()) };
    let zone = match text_of(&value) {
        Some(name) => env.zone(&String::from_utf8_lossy(&name))?,
        None => None,
    };
    Ok(Expression::Constant(match zone {
        Some(zone @ TimeZone::Offset(_)) => Value::Text(zone.to_string().into()),
        Some(zone @ TimeZone::Place(_)) => zone.value(),
        None => Value::Null,
    }))
}

/// The error of a column that is not there.
pub(super) fn unknown_column(parts: &[String], clause: &'static str) -> SqlError {
    SqlError::UnknownColumn { column: parts.join("."), clause, hint: String::new() }
}

fn take_room(room: &AtomicUsize, bytes: usize) -> Result<(), SqlError> {
    let taken = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(bytes));
    taken.map(|_| ()).map_err(|_| SqlError::Limit {
        what: "what functions make of the statement's values, in bytes,".into(),
        limit: BIND_BYTES as u64,
        name: "bind_bytes",
    })
}

/// Who hears of what a value loses where there is no row.
#[derive(Clone, Copy)]
enum Hears<'a> {
    /// Nobody.
    Nothing,
    /// It is an error: the value is stored, or made once more where it can be told of.
    Fails,
    /// The same, but a division by zero is NULL.
    FailsOfText,
    /// The session, which warns of it.
    Warns(&'a dyn Environment),
}

/// Where there is no row.
struct NoRow<'a> {
    longest: usize,
    room: &'a AtomicUsize,
    /// How often it may still ask, if that is bounded.
    steps: Option<&'a AtomicUsize>,
    patience: &'a Patience,
    /// Whether nothing is said of a division by zero.
    divides: bool,
    hears: Hears<'a>,
}

impl Scope<Slot> for NoRow<'_> {
    fn leaf(&self, slot: &Slot) -> Result<Value, SqlError> {
        Err(SqlError::Internal(format!("slot {} without a row", slot.0)))
    }

    fn longest(&self) -> usize {
        self.longest
    }

    fn made(&self, bytes: usize) -> Result<(), SqlError> {
        take_room(self.room, bytes)
    }

    fn lost(&self, told: SqlError) -> Result<(), SqlError> {
        if self.divides && told == SqlError::DivisionByZero {
            return Ok(());
        }
        match self.hears {
            Hears::Nothing => Ok(()),
            Hears::FailsOfText if told == SqlError::DivisionByZero => Ok(()),
            Hears::Fails | Hears::FailsOfText => Err(told),
            Hears::Warns(env) => {
                env.lost(told);
                Ok(())
            }
        }
    }

    fn patience(&self) -> Result<(), SqlError> {
        if let Some(steps) = self.steps {
            let left = steps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |steps| steps.checked_sub(1));
            left.map_err(|_| SqlError::GivenUp)?;
        }
        self.patience.ask()
    }
}
