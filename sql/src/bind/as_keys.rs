//! Comparisons with keys: what is compared with one is made text, as keys are.

use super::times;
use crate::error::{SqlError, unsupported};
use crate::expression::{
    Aggregate, CastType, Comparison, Expression, Function, Operator, Slot, Type, common, json, text_of,
};
use crate::value::{ColumnType, Value};

pub(super) type Bexpr = Expression<Slot>;

/// What has to be known to compare with keys.
pub(super) struct Keyed<'a> {
    /// The columns that are keys.
    pub keys: &'a [Slot],
    /// The types of columns.
    pub ty: &'a dyn Fn(&Slot) -> Type,
    /// Evaluates what is constant.
    pub fold: &'a dyn Fn(Bexpr) -> Result<Bexpr, SqlError>,
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
                    | ColumnType::DateTime
                    | ColumnType::Date
                    | ColumnType::Time => false,
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
                    let beside_json = any(&|ty| ty.ty == ColumnType::Json) && any(&|ty| ty.is_number() || ty.is_time());
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
pub(super) fn compare_as_keys(expression: &Bexpr, keyed: &Keyed<'_>) -> Result<Bexpr, SqlError> {
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
            let (of_key, beside_key) = (holds_key(&operand, keyed), branches.iter().any(|(e, _)| holds_key(e, keyed)));
            let when = |e| if of_key { by_content(pair(&operand, e, keyed), keyed) } else { e };
            let branches = branches.into_iter().map(|(e, then)| (when(e), then)).collect();
            let operand = if beside_key && !of_key { by_content(operand, keyed) } else { operand };
            Expression::Case { operand: Some(Box::new(operand)), branches, otherwise }
        }
    })
}

/// JSON that CASE, which compares JSON with text as the text it is shown as, compares with a key: by what it holds.
fn by_content(e: Bexpr, keyed: &Keyed<'_>) -> Bexpr {
    // What is computed may be JSON in one row and something else in another.
    let is_other = match &e {
        Expression::Constant(_) | Expression::Leaf(_) => e.ty(keyed.ty).ty != ColumnType::Json,
        e => matches!(e, Expression::Tuple(_)),
    };
    if is_other { e } else { Expression::Call(Function::AsKey, vec![e]) }
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
    let ty = operand.ty(keyed.ty);
    let operand = match (keyed.fold)(operand)? {
        Expression::Constant(value) => times::constant(value, ty),
        other => other,
    };
    match operand {
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
        // A time with its type.
        Expression::Cast(e, CastType::DateTime(_) | CastType::Date | CastType::Time(_)) => {
            matches!(**e, Expression::Constant(_))
        }
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
        Value::Double(d) => Value::Text(double_key(*d).into()),
        Value::Int(_) | Value::UInt(_) | Value::Decimal(_) | Value::DateTime(_) => {
            text_of(&constant).map_or(Value::Null, Value::Text)
        }
    }
}

/// The key that a double is when it is given as one: its digits without an exponent, so that it is the key of the integer
/// it stands for. There are drivers that send all numbers as doubles.
pub(super) fn double_key(d: f64) -> String {
    // Not the sign of a negative zero.
    if d == 0.0 { "0".to_owned() } else { format!("{d}") }
}
