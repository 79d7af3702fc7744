//! Leaves into values and slots.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use cellgate_schemaless::Micros;

use super::branches::alike;
use crate::columns::CellColumn;
use crate::environment::Environment;
use crate::error::SqlError;
use crate::expression::{CastType, Comparison, Expression, Function, Leaf, Operator, Scope, Slot, Type, text_of, time};
use crate::parse::{Expr, unsupported};
use crate::value::{ColumnType, Value};
use crate::zone::TimeZone;

/// A statement's parameters and session.
pub(crate) struct Session<'a> {
    pub env: &'a dyn Environment,
    pub params: &'a [Value],
    /// What functions may still make while the statement is bound, in bytes: binding does not give way to others.
    room: AtomicUsize,
}

/// What functions may make while one statement is bound, in bytes: several times what its values can take.
pub(crate) const BIND_BYTES: usize = 256 << 20;
/// What is folded, in bytes: whatever is longer is computed with the rows, where it stops nobody.
const FOLD_BYTES: usize = 64 << 10;

impl<'a> Session<'a> {
    /// The session of a statement that is being bound.
    pub fn new(env: &'a dyn Environment, params: &'a [Value]) -> Self {
        Self { env, params, room: AtomicUsize::new(BIND_BYTES) }
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
                self.env.variable(*global, name).ok_or_else(|| SqlError::UnknownVariable(name.clone()))
            }
            Leaf::Session(function) => Ok(self.env.function(*function)),
            Leaf::Now(digits) => Ok(Value::DateTime(self.env.time_zone().local(self.now(*digits)))),
            Leaf::UtcNow(digits) => Ok(Value::DateTime(self.now(*digits))),
            Leaf::Zone => Ok(self.env.time_zone().value()),
            Leaf::Call(call, arguments) => {
                let arguments = arguments.iter().map(|a| self.evaluate(a)).collect::<Result<Vec<_>, _>>()?;
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
            other => self
                .bind(other, &mut |parts| Err(unknown_column(parts, "field list")))?
                .evaluate(&NoRow { longest: self.env.longest_value(), room: &self.room }),
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
        let (mut keys, mut types) = (Vec::new(), HashMap::new());
        let bound = expression.map(&mut |_| Ok(None), &mut |leaf| match leaf.as_column() {
            Some(parts) => {
                let bound = column(parts)?;
                if bound.is_key && !keys.contains(&bound.slot) {
                    keys.push(bound.slot);
                }
                types.insert(bound.slot, bound.ty);
                Ok(Expression::Leaf(bound.slot))
            }
            None => self.value(leaf).map(Expression::Constant),
        })?;
        let keyed = if keys.is_empty() { bound } else { compare_as_keys(&bound, &keys)? };
        let ty = |slot: &Slot| types.get(slot).copied().unwrap_or(Type::of(ColumnType::Null));
        self.fold(&with_zones(alike(keyed, &ty)?, self.env)?)
    }

    /// Evaluates what is constant. What cannot be evaluated stays, so that its error comes only if it is needed.
    fn fold(&self, expression: &Expression<Slot>) -> Result<Expression<Slot>, SqlError> {
        let folded = expression.map(
            &mut |node| {
                let depends = |n: &Expression<Slot>| {
                    matches!(
                        n,
                        Expression::Leaf(_) | Expression::Aggregate { .. } | Expression::Call(Function::ShardOf, _)
                    )
                };
                if matches!(node, Expression::Constant(_) | Expression::Tuple(_)) || node.any(depends) {
                    return Ok(None);
                }
                let mut bytes = 0;
                node.visit(&mut |n| {
                    bytes += n.constant().map_or(0, Value::content_bytes);
                    true
                });
                if bytes > FOLD_BYTES {
                    return Ok(None);
                }
                let scope = NoRow { longest: FOLD_BYTES, room: &AtomicUsize::new(BIND_BYTES / 64) };
                Ok(node.evaluate(&scope).ok().map(Expression::Constant))
            },
            &mut |slot| Ok(Expression::Leaf(*slot)),
        )?;
        if folded.any(|n| matches!(n, Expression::Call(Function::ShardOf, _))) {
            return self.shard_of(&folded);
        }
        Ok(folded)
    }

    /// SHARD_OF of a constant is a constant; of `row_key` it is the cell's shard.
    fn shard_of(&self, expression: &Expression<Slot>) -> Result<Expression<Slot>, SqlError> {
        expression.map(
            &mut |node| {
                let Expression::Call(Function::ShardOf, arguments) = node else { return Ok(None) };
                match arguments.as_slice() {
                    [Expression::Constant(value)] => Ok(Some(Expression::Constant(match text_of(value) {
                        Some(key) => Value::Int(i64::from(self.env.shard_of(&key))),
                        None => Value::Null,
                    }))),
                    [Expression::Leaf(slot)] if *slot == Slot(CellColumn::RowKey.slot()) => {
                        Ok(Some(Expression::Leaf(Slot(CellColumn::Shard.slot()))))
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
/// [`SqlError::TimeZoneFile`].
pub(crate) fn with_zones(expression: Expression<Slot>, env: &dyn Environment) -> Result<Expression<Slot>, SqlError> {
    if !expression.any(|node| matches!(node, Expression::Call(Function::ConvertTz, _))) {
        return Ok(expression);
    }
    expression.map(
        &mut |node| {
            let Expression::Call(Function::ConvertTz, arguments) = node else { return Ok(None) };
            let [at, from, to] = arguments.as_slice() else { return Ok(None) };
            let arguments = vec![with_zones(at.clone(), env)?, zone(from, env)?, zone(to, env)?];
            Ok(Some(Expression::Call(Function::ConvertTz, arguments)))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

/// A zone as CONVERT_TZ takes it, NULL if it is not known; what comes out of a row stays what it is.
fn zone(written: &Expression<Slot>, env: &dyn Environment) -> Result<Expression<Slot>, SqlError> {
    let scope = NoRow { longest: FOLD_BYTES, room: &AtomicUsize::new(FOLD_BYTES) };
    let Ok(value) = written.evaluate(&scope) else { return Ok(written.clone()) };
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

/// Where there is no row.
struct NoRow<'a> {
    longest: usize,
    room: &'a AtomicUsize,
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
}

type Bexpr = Expression<Slot>;

/// Makes comparisons with key columns compare bytes: the number 5 is the key `5`. Innermost first, so that a comparison
/// within a comparison is one too. Nothing but constants and columns is copied, or trees would grow with their depth.
fn compare_as_keys(expression: &Bexpr, keys: &[Slot]) -> Result<Bexpr, SqlError> {
    let keyed = |e: &Bexpr| compare_as_keys(e, keys);
    expression.map(
        &mut |node| {
            Ok(Some(match node {
                Expression::Chain(first, rest) => chain_as_keys(first, rest, keys)?,
                Expression::In { operand, list, negated } => {
                    let list = list.iter().map(keyed).collect::<Result<_, _>>()?;
                    in_as_keys(keyed(operand)?, list, *negated, keys)?
                }
                Expression::Between { operand, low, high, negated } => {
                    between_as_keys(keyed(operand)?, [keyed(low)?, keyed(high)?], *negated, keys)?
                }
                Expression::Case { operand: Some(operand), branches, otherwise } => {
                    let branches = branches.iter().map(|(when, then)| Ok((keyed(when)?, keyed(then)?)));
                    let branches = branches.collect::<Result<_, SqlError>>()?;
                    let otherwise = otherwise.as_deref().map(keyed).transpose()?;
                    case_as_keys(keyed(operand)?, branches, otherwise, keys)?
                }
                _ => return Ok(None),
            }))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

fn chain_as_keys(first: &Bexpr, rest: &[(Operator, Bexpr)], keys: &[Slot]) -> Result<Bexpr, SqlError> {
    let mut left = compare_as_keys(first, keys)?;
    let mut chain = Vec::with_capacity(rest.len());
    let mut nested = false;
    for (op, right) in rest {
        let mut right = compare_as_keys(right, keys)?;
        if matches!(op, Operator::Compare(_) | Operator::NullSafeEqual) {
            if chain.is_empty() {
                (left, right) = both(left, right, keys);
            } else if holds_key(&right, keys) {
                // What the chain makes so far is compared with a key. Again and again it would nest without bound.
                if nested {
                    return Err(unsupported("a chain of comparisons with several keys", "join them with AND"));
                }
                nested = true;
                left = pair(&right, Expression::Chain(Box::new(left), std::mem::take(&mut chain)), keys);
            }
        }
        chain.push((*op, right));
    }
    Ok(Expression::Chain(Box::new(left), chain))
}

fn in_as_keys(operand: Bexpr, list: Vec<Bexpr>, negated: bool, keys: &[Slot]) -> Result<Bexpr, SqlError> {
    Ok(match against(operand, list.iter(), keys)? {
        Against::Each(operand) => {
            let any = list.into_iter().map(|e| compared(Comparison::Equal, &operand, e, keys)).collect();
            not_if(negated, Expression::Or(any))
        }
        Against::All(operand) => {
            let list = list.into_iter().map(|e| pair(&operand, e, keys)).collect();
            Expression::In { operand: Box::new(operand), list, negated }
        }
    })
}

fn between_as_keys(operand: Bexpr, [low, high]: [Bexpr; 2], negated: bool, keys: &[Slot]) -> Result<Bexpr, SqlError> {
    Ok(match against(operand, [&low, &high].into_iter(), keys)? {
        Against::Each(operand) => {
            let low = compared(Comparison::GreaterEqual, &operand, low, keys);
            let high = compared(Comparison::LessEqual, &operand, high, keys);
            not_if(negated, Expression::And(vec![low, high]))
        }
        Against::All(operand) => {
            let [low, high] = [low, high].map(|e| Box::new(pair(&operand, e, keys)));
            Expression::Between { operand: Box::new(operand), low, high, negated }
        }
    })
}

fn case_as_keys(
    operand: Bexpr,
    branches: Vec<(Bexpr, Bexpr)>,
    otherwise: Option<Bexpr>,
    keys: &[Slot],
) -> Result<Bexpr, SqlError> {
    let against = against(operand, branches.iter().map(|(when, _)| when), keys)?;
    let otherwise = otherwise.map(Box::new);
    Ok(match against {
        Against::Each(operand) => {
            let branches = branches.into_iter();
            let branches = branches.map(|(when, then)| (compared(Comparison::Equal, &operand, when, keys), then));
            Expression::Case { operand: None, branches: branches.collect(), otherwise }
        }
        Against::All(operand) => {
            let branches = branches.into_iter().map(|(when, then)| (pair(&operand, when, keys), then)).collect();
            Expression::Case { operand: Some(Box::new(operand)), branches, otherwise }
        }
    })
}

/// How an operand is compared with several others.
enum Against {
    /// In one form with all of them.
    All(Bexpr),
    /// With each in a form of its own: as a key with keys, as it is with others.
    Each(Bexpr),
}

/// How `operand` is compared with `others`.
///
/// # Errors
/// What would have to be copied for each.
fn against<'a>(
    operand: Bexpr,
    others: impl Iterator<Item = &'a Bexpr> + Clone,
    keys: &[Slot],
) -> Result<Against, SqlError> {
    let Some(key) = others.clone().find(|e| holds_key(e, keys)).filter(|_| !holds_key(&operand, keys)) else {
        return Ok(Against::All(operand));
    };
    if others.clone().all(|e| holds_key(e, keys)) {
        return Ok(Against::All(pair(key, operand, keys)));
    }
    let is_plain = |e: &Bexpr| matches!(e, Expression::Constant(_) | Expression::Leaf(_));
    match &operand {
        e if is_plain(e) => Ok(Against::Each(operand)),
        Expression::Tuple(all) if all.iter().all(is_plain) => Ok(Against::Each(operand)),
        _ => Err(unsupported("a computed value compared with keys and with other values", "compare them one by one")),
    }
}

fn compared(comparison: Comparison, left: &Bexpr, right: Bexpr, keys: &[Slot]) -> Bexpr {
    let (left, right) = both(left.clone(), right, keys);
    Expression::Chain(Box::new(left), vec![(Operator::Compare(comparison), right)])
}

fn not_if(negated: bool, expression: Bexpr) -> Bexpr {
    if negated { Expression::Not(Box::new(expression)) } else { expression }
}

/// Both sides of a comparison as they must be to compare with each other.
fn both(left: Bexpr, right: Bexpr, keys: &[Slot]) -> (Bexpr, Bexpr) {
    match (holds_key(&left, keys), holds_key(&right, keys)) {
        (false, false) => (left, right),
        (true, false) => {
            let right = pair(&left, right, keys);
            (left, right)
        }
        (false, true) => (pair(&right, left, keys), right),
        // Keys of one tuple may be compared with values of the other.
        (true, true) => (pair(&right, left.clone(), keys), pair(&left, right, keys)),
    }
}

/// Whether it is a key, or a tuple with one.
fn holds_key(expression: &Bexpr, keys: &[Slot]) -> bool {
    match expression {
        Expression::Leaf(slot) => keys.contains(slot),
        Expression::Tuple(all) => all.iter().any(|e| holds_key(e, keys)),
        _ => false,
    }
}

/// `value` as it must be to compare with `key`, element by element if both are tuples.
fn pair(key: &Bexpr, value: Bexpr, keys: &[Slot]) -> Bexpr {
    match (key, value) {
        (Expression::Tuple(keys_), Expression::Tuple(values)) if keys_.len() == values.len() => {
            Expression::Tuple(keys_.iter().zip(values).map(|(k, v)| pair(k, v, keys)).collect())
        }
        (Expression::Leaf(slot), value) if keys.contains(slot) => match value {
            Expression::Constant(Value::Null | Value::Text(_) | Value::Bytes(_)) => value,
            Expression::Constant(constant) => match text_of(&constant) {
                Some(text) => Expression::text(text),
                None => Expression::Constant(Value::Null),
            },
            Expression::Leaf(slot) if keys.contains(&slot) => value,
            other => Expression::Cast(Box::new(other), CastType::Char(None)),
        },
        (_, value) => value,
    }
}
