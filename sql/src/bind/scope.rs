//! Leaves into values and slots.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use cellgate_schemaless::Micros;

use super::branches::alike;
use crate::columns::CellColumn;
use crate::environment::Environment;
use crate::error::SqlError;
use crate::expression::{
    Aggregate, CastType, Comparison, Expression, Function, Leaf, Operator, Scope, Slot, Type, common, json, text_of,
    time,
};
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
        // SHARD_OF(row_key) names the shard where no column does.
        let unnamed = |slot: &Slot| match CellColumn::of_slot(slot.0) {
            Some(CellColumn::Shard) => CellColumn::Shard.ty(),
            _ => Type::of(ColumnType::Null),
        };
        let ty = |slot: &Slot| types.get(slot).copied().unwrap_or_else(|| unnamed(slot));
        let fold = |e: Bexpr| self.fold(&with_zones(alike(e, &ty)?, self.env)?);
        let keyed = Keyed { keys: &keys, ty: &ty, fold: &fold };
        fold(if keys.is_empty() { bound } else { compare_as_keys(&bound, &keyed)? })
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

/// What has to be known to compare with keys.
struct Keyed<'a> {
    keys: &'a [Slot],
    /// The types of columns.
    ty: &'a dyn Fn(&Slot) -> Type,
    /// Evaluates what is constant.
    fold: &'a dyn Fn(Bexpr) -> Result<Bexpr, SqlError>,
}

impl Keyed<'_> {
    fn is_key(&self, slot: Slot) -> bool {
        self.keys.contains(&slot)
    }

    /// Whether it compares with keys as it is: text by its bytes, JSON by what it holds, and NULL. Numbers and times have
    /// to be text.
    fn stays(&self, value: &Bexpr) -> bool {
        match value {
            Expression::Tuple(all) => all.iter().all(|e| self.stays(e)),
            value => {
                let (ty, mixed) = self.given(value);
                match ty.ty {
                    ColumnType::Text | ColumnType::Bytes => !mixed,
                    ColumnType::Json | ColumnType::Null => true,
                    ColumnType::BigInt
                    | ColumnType::UnsignedBigInt
                    | ColumnType::Double
                    | ColumnType::Decimal
                    | ColumnType::DateTime => false,
                }
            }
        }
    }

    /// The type of what an expression gives, and whether numbers or times may be among it though that is not their type.
    fn given(&self, value: &Bexpr) -> (Type, bool) {
        match value {
            // These give the number among text as it is.
            Expression::Call(Function::Greatest | Function::Least, _) => (value.ty(self.ty), true),
            Expression::Call(Function::NullIf, arguments) => match arguments.first() {
                Some(first) => self.given(first),
                None => (value.ty(self.ty), false),
            },
            Expression::Aggregate { function: Aggregate::Min | Aggregate::Max | Aggregate::Any, arguments, .. } => {
                match arguments.first() {
                    Some(first) => self.given(first),
                    None => (value.ty(self.ty), false),
                }
            }
            value => match branches(value) {
                Some(branches) => {
                    let given: Vec<_> = branches.into_iter().map(|e| self.given(e)).collect();
                    let any = |is: &dyn Fn(Type) -> bool| given.iter().any(|(ty, _)| is(*ty));
                    // Beside JSON nothing is converted.
                    let beside_json = any(&|ty| ty.ty == ColumnType::Json)
                        && any(&|ty| ty.is_number() || ty.ty == ColumnType::DateTime);
                    (common(given.iter().map(|(ty, _)| *ty)), beside_json || given.iter().any(|(_, mixed)| *mixed))
                }
                None => (value.ty(self.ty), false),
            },
        }
    }

    /// `value` as it must be to compare with a key: what is JSON among its branches stays JSON.
    fn as_key(&self, value: Bexpr) -> Bexpr {
        if let Expression::Constant(constant) = value {
            return Expression::Constant(key_value(constant));
        }
        if self.stays(&value) {
            return value;
        }
        let is_text = matches!(self.given(&value).0.ty, ColumnType::Text | ColumnType::Bytes);
        let each = |all: Vec<Bexpr>| all.into_iter().map(|e| self.as_key(e)).collect();
        match value {
            Expression::Call(Function::If, mut arguments) if is_text => {
                let branches = arguments.split_off(1.min(arguments.len()));
                arguments.extend::<Vec<_>>(each(branches));
                Expression::Call(Function::If, arguments)
            }
            Expression::Call(function @ (Function::IfNull | Function::Coalesce), arguments) if is_text => {
                Expression::Call(function, each(arguments))
            }
            Expression::Case { operand, branches, otherwise } if is_text => Expression::Case {
                operand,
                branches: branches.into_iter().map(|(when, then)| (when, self.as_key(then))).collect(),
                otherwise: otherwise.map(|e| Box::new(self.as_key(*e))),
            },
            other => Expression::Cast(Box::new(other), CastType::Char(None)),
        }
    }
}

/// The expressions one of which IF, CASE, COALESCE or IFNULL gives; `None` for anything else.
fn branches(value: &Bexpr) -> Option<Vec<&Bexpr>> {
    match value {
        Expression::Call(Function::If, arguments) => Some(arguments.iter().skip(1).collect()),
        Expression::Call(Function::IfNull | Function::Coalesce, arguments) => Some(arguments.iter().collect()),
        Expression::Case { branches, otherwise, .. } => {
            Some(branches.iter().map(|(_, then)| then).chain(otherwise.as_deref()).collect())
        }
        _ => None,
    }
}

/// Makes comparisons with key columns compare bytes: the number 5 is the key `5`. Innermost first, so that a comparison
/// within a comparison is one too. Nothing but constants and columns is copied, or trees would grow with their depth.
fn compare_as_keys(expression: &Bexpr, keyed: &Keyed<'_>) -> Result<Bexpr, SqlError> {
    let made = |e: &Bexpr| compare_as_keys(e, keyed);
    expression.map(
        &mut |node| {
            Ok(Some(match node {
                Expression::Chain(first, rest) => chain_as_keys(first, rest, keyed)?,
                Expression::In { operand, list, negated } => {
                    let list = list.iter().map(made).collect::<Result<_, _>>()?;
                    in_as_keys(made(operand)?, list, *negated, keyed)?
                }
                Expression::Between { operand, low, high, negated } => {
                    between_as_keys(made(operand)?, [made(low)?, made(high)?], *negated, keyed)?
                }
                Expression::Case { operand: Some(operand), branches, otherwise } => {
                    let branches = branches.iter().map(|(when, then)| Ok((made(when)?, made(then)?)));
                    let branches = branches.collect::<Result<_, SqlError>>()?;
                    let otherwise = otherwise.as_deref().map(made).transpose()?;
                    case_as_keys(made(operand)?, branches, otherwise, keyed)?
                }
                _ => return Ok(None),
            }))
        },
        &mut |slot| Ok(Expression::Leaf(*slot)),
    )
}

fn chain_as_keys(first: &Bexpr, rest: &[(Operator, Bexpr)], keyed: &Keyed<'_>) -> Result<Bexpr, SqlError> {
    let mut left = compare_as_keys(first, keyed)?;
    let mut chain = Vec::with_capacity(rest.len());
    let mut nested = false;
    for (op, right) in rest {
        let mut right = compare_as_keys(right, keyed)?;
        if matches!(op, Operator::Compare(_) | Operator::NullSafeEqual) {
            if chain.is_empty() {
                (left, right) = both(left, right, keyed);
            } else if holds_key(&right, keyed) {
                // What the chain makes so far is compared with a key.
                let so_far = Expression::Chain(Box::new(left), std::mem::take(&mut chain));
                let stays = keyed.stays(&so_far);
                match so_far {
                    Expression::Chain(first, rest) if stays => (left, chain) = (*first, rest),
                    // Again and again it would nest without bound.
                    _ if nested => {
                        return Err(unsupported("a chain of comparisons with several keys", "join them with AND"));
                    }
                    so_far => {
                        nested = true;
                        left = pair(&right, so_far, keyed);
                    }
                }
            }
        }
        chain.push((*op, right));
    }
    Ok(Expression::Chain(Box::new(left), chain))
}

fn in_as_keys(operand: Bexpr, list: Vec<Bexpr>, negated: bool, keyed: &Keyed<'_>) -> Result<Bexpr, SqlError> {
    Ok(match against(operand, list.iter(), true, keyed)? {
        Against::Each(operand) => {
            let any = list.into_iter().map(|e| compared(Comparison::Equal, &operand, e, keyed)).collect();
            not_if(negated, Expression::Or(any))
        }
        Against::All(operand) => {
            let list = list.into_iter().map(|e| pair(&operand, e, keyed)).collect();
            Expression::In { operand: Box::new(operand), list, negated }
        }
    })
}

fn between_as_keys(
    operand: Bexpr,
    [low, high]: [Bexpr; 2],
    negated: bool,
    keyed: &Keyed<'_>,
) -> Result<Bexpr, SqlError> {
    Ok(match against(operand, [&low, &high].into_iter(), false, keyed)? {
        Against::Each(operand) => {
            let low = compared(Comparison::GreaterEqual, &operand, low, keyed);
            let high = compared(Comparison::LessEqual, &operand, high, keyed);
            not_if(negated, Expression::And(vec![low, high]))
        }
        Against::All(operand) => {
            let [low, high] = [low, high].map(|e| Box::new(pair(&operand, e, keyed)));
            Expression::Between { operand: Box::new(operand), low, high, negated }
        }
    })
}

fn case_as_keys(
    operand: Bexpr,
    branches: Vec<(Bexpr, Bexpr)>,
    otherwise: Option<Bexpr>,
    keyed: &Keyed<'_>,
) -> Result<Bexpr, SqlError> {
    let against = against(operand, branches.iter().map(|(when, _)| when), true, keyed)?;
    let otherwise = otherwise.map(Box::new);
    Ok(match against {
        Against::Each(operand) => {
            let branches = branches.into_iter();
            let branches = branches.map(|(when, then)| (compared(Comparison::Equal, &operand, when, keyed), then));
            Expression::Case { operand: None, branches: branches.collect(), otherwise }
        }
        Against::All(operand) => {
            let branches = branches.into_iter().map(|(when, then)| (pair(&operand, when, keyed), then)).collect();
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

/// How `operand` is compared with `others`: with one after the other if it is `pairwise`, and else, as BETWEEN does, in
/// the way that fits them all.
///
/// # Errors
/// What would have to be copied for each.
fn against<'a>(
    operand: Bexpr,
    others: impl Iterator<Item = &'a Bexpr> + Clone,
    pairwise: bool,
    keyed: &Keyed<'_>,
) -> Result<Against, SqlError> {
    let Some(key) = others.clone().find(|e| holds_key(e, keyed)).filter(|_| !holds_key(&operand, keyed)) else {
        return Ok(Against::All(operand));
    };
    if others.clone().all(|e| holds_key(e, keyed)) {
        return Ok(Against::All(pair(key, operand, keyed)));
    }
    if is_plain(&operand) {
        return Ok(Against::Each(operand));
    }
    let stays = keyed.stays(&operand);
    if stays && (pairwise || others.clone().all(|e| keyed.stays(e))) {
        return Ok(Against::All(operand));
    }
    match (keyed.fold)(operand)? {
        operand if is_plain(&operand) => Ok(Against::Each(operand)),
        _ if stays => Err(unsupported(
            "a computed value BETWEEN a key and a number or time",
            "compare it with each of them, or CAST the number or time AS CHAR",
        )),
        _ => Err(unsupported(
            "a computed number or time compared with keys and with other values",
            "compare it with each of them, or CAST it AS CHAR",
        )),
    }
}

/// Whether it takes nothing to copy it.
fn is_plain(e: &Bexpr) -> bool {
    match e {
        Expression::Tuple(all) => all.iter().all(|e| matches!(e, Expression::Constant(_) | Expression::Leaf(_))),
        e => matches!(e, Expression::Constant(_) | Expression::Leaf(_)),
    }
}

fn compared(comparison: Comparison, left: &Bexpr, right: Bexpr, keyed: &Keyed<'_>) -> Bexpr {
    let (left, right) = both(left.clone(), right, keyed);
    Expression::Chain(Box::new(left), vec![(Operator::Compare(comparison), right)])
}

fn not_if(negated: bool, expression: Bexpr) -> Bexpr {
    if negated { Expression::Not(Box::new(expression)) } else { expression }
}

/// Both sides of a comparison as they must be to compare with each other.
fn both(left: Bexpr, right: Bexpr, keyed: &Keyed<'_>) -> (Bexpr, Bexpr) {
    match (holds_key(&left, keyed), holds_key(&right, keyed)) {
        (false, false) => (left, right),
        (true, false) => {
            let right = pair(&left, right, keyed);
            (left, right)
        }
        (false, true) => (pair(&right, left, keyed), right),
        // Keys of one tuple may be compared with values of the other.
        (true, true) => (pair(&right, left.clone(), keyed), pair(&left, right, keyed)),
    }
}

/// Whether it is a key, or a tuple with one.
fn holds_key(expression: &Bexpr, keyed: &Keyed<'_>) -> bool {
    match expression {
        Expression::Leaf(slot) => keyed.is_key(*slot),
        Expression::Tuple(all) => all.iter().any(|e| holds_key(e, keyed)),
        _ => false,
    }
}

/// `value` as it must be to compare with `key`, element by element if both are tuples.
fn pair(key: &Bexpr, value: Bexpr, keyed: &Keyed<'_>) -> Bexpr {
    match (key, value) {
        (Expression::Tuple(keys_), Expression::Tuple(values)) if keys_.len() == values.len() => {
            Expression::Tuple(keys_.iter().zip(values).map(|(k, v)| pair(k, v, keyed)).collect())
        }
        (Expression::Leaf(slot), value) if keyed.is_key(*slot) => keyed.as_key(value),
        (_, value) => value,
    }
}

/// A constant as it compares with a key; JSON that is a string is the key of its content.
pub(super) fn key_value(constant: Value) -> Value {
    match &constant {
        Value::Null | Value::Text(_) | Value::Bytes(_) => constant,
        Value::Json(document) => match json::parse(document) {
            Ok(serde_json::Value::String(content)) => Value::Text(content.into()),
            Ok(_) | Err(_) => constant,
        },
        Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) | Value::DateTime(_) => {
            text_of(&constant).map_or(Value::Null, Value::Text)
        }
    }
}
