//! Expressions, printed as SQLite's.

use super::RelationalError;
use super::aggregate::{AggregateSpec, Kind};
use super::ast::{AggregateKind, Aggregated, RelExpr, RelLeaf, Window};
use super::bind::{Binder, Bound};
use super::packed::Packed;
use super::program::{Scalar, names};
use super::scope::{Collation, Column, Scope};
use crate::error::SqlError;
use crate::expression::{
    Aggregate, CastType, Comparison, Expression, Function, Leaf, Operator, Slot, Test, Type, aggregate_type, truth,
};
use crate::parse::{budget, unsupported};
use crate::value::{ColumnType, Value};

/// Most nodes printed for one statement.
const NODES: usize = 200_000;
/// Most operands of one call: SQLite takes 100.
const OPERANDS: usize = 90;
/// Most parameters: SQLite takes 32,766.
const PARAMETERS: usize = 32_000;
/// Integers within these bounds are printed as they are.
const PLAIN: i64 = 1 << 53;

type Result<T> = std::result::Result<T, SqlError>;

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
    pub aliases: &'p [Column],
    pub aliases_first: bool,
}

/// Whether aggregates can stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregates {
    Allowed,
    Forbidden,
}

impl<'p> Place<'p> {
    pub fn new(scope: &'p Scope<'p>, clause: &'static str, aggregates: Aggregates) -> Self {
        Self { scope, clause, aggregates, aliases: &[], aliases_first: false }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// SQLite's own way is right.
    Native,
    /// As text.
    Text { fold: bool },
    /// As the dialect does it.
    Dialect,
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

    /// Whether SQLite orders its values as MySQL does.
    fn is_native(&self) -> bool {
        match self.ty.ty {
            ColumnType::Null | ColumnType::BigInt | ColumnType::Double | ColumnType::DateTime => true,
            ColumnType::UnsignedBigInt => self.plain,
            ColumnType::Decimal | ColumnType::Text | ColumnType::Bytes | ColumnType::Json => false,
        }
    }
}

fn class(a: &Printed, b: &Printed) -> Class {
    if a.ty.ty == ColumnType::Null || b.ty.ty == ColumnType::Null {
        return Class::Native;
    }
    if a.is_text() && b.is_text() {
        return Class::Text { fold: a.collation.merge(b.collation).fold };
    }
    let time = |p: &Printed| p.ty.ty == ColumnType::DateTime;
    if a.is_native() && b.is_native() && time(a) == time(b) { Class::Native } else { Class::Dialect }
}

/// The class all of them compare with `first` by.
fn class_of_all<'p>(first: &Printed, rest: impl IntoIterator<Item = &'p Printed>) -> Class {
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

fn collated(sql: &str, class: Class) -> String {
    match class {
        Class::Text { fold } => format!("{sql} COLLATE {}", collation_name(fold)),
        Class::Native | Class::Dialect => sql.to_owned(),
    }
}

fn collation_name(fold: bool) -> &'static str {
    if fold { names::FOLDED } else { "BINARY" }
}

/// `a AND b AND ..` as a balanced tree: SQLite bounds the depth, not the size.
fn balanced(parts: &[String], joiner: &str) -> String {
    match parts {
        [] => "NULL".to_owned(),
        [one] => one.clone(),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            format!("({}{joiner}{})", balanced(left, joiner), balanced(right, joiner))
        }
    }
}

fn comparison_sql(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterEqual => ">=",
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
                    return Err(budget::limit("the number of values in the statement", PARAMETERS, "values"));
                }
                self.parameters.push(Packed::of(value));
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
                What::Constant(value) => Expression::Constant(value.clone()),
                What::Sql(sql) => {
                    texts.push(sql.clone());
                    types.push(operand.ty);
                    Expression::Leaf(Slot(texts.len() - 1))
                }
            });
        }
        let expression = make(parts);
        let ty = expression.ty(&|slot: &Slot| types.get(slot.0).copied().unwrap_or(Type::of(ColumnType::Null)));
        let scalar = Scalar { expression, fold: collation.fold && !bytes };
        if texts.is_empty() {
            return Ok(Printed::constant(scalar.constant(self.session)?));
        }
        if texts.len() > OPERANDS {
            return Err(budget::limit("the number of operands", OPERANDS, "operands"));
        }
        let number = match self.scalars.iter().position(|s| *s == scalar) {
            Some(number) => number,
            None => {
                self.scalars.push(scalar);
                self.scalars.len() - 1
            }
        };
        let sql = format!("{}({number},{})", names::SCALAR, texts.join(","));
        Ok(Printed::sql(sql, ty).with(collation))
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
            | ColumnType::DateTime => {
                let truth = self.call(std::slice::from_ref(printed), Expression::Or)?;
                self.text(&truth)
            }
        }
    }

    /// What the value is sorted, grouped or made distinct by.
    pub fn key(&mut self, printed: &Printed) -> Result<String> {
        let sql = self.text(printed)?;
        Ok(if printed.is_text() {
            format!("{sql} COLLATE {}", collation_name(printed.collation.fold))
        } else if printed.is_native() {
            sql
        } else {
            format!("{}({sql})", names::KEY)
        })
    }

    /// Text, if the others it stands for are text.
    pub fn coerced(&mut self, printed: Printed, ty: Type) -> Result<Printed> {
        if ty.ty != ColumnType::Text || matches!(printed.ty.ty, ColumnType::Text | ColumnType::Null) {
            return Ok(printed);
        }
        self.cast(&printed, CastType::Char(None))
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
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(budget::limit("the size of the statement", NODES, "nodes"));
        }
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
                let parts = [self.print(operand, place)?, self.print(low, place)?, self.print(high, place)?];
                self.between(&parts, *negated)
            }
            Expression::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), place)
            }
            Expression::Call(function, arguments) => self.function(*function, arguments, place),
            Expression::Cast(e, CastType::Binary(None)) => {
                let e = self.print(e, place)?;
                // Text as bytes compares exactly; it need not become bytes for that.
                if e.is_text() {
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
                self.call(&[e], |parts| Expression::Negate(Box::new(only(parts))))
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
            Expression::Tuple(all) => Err(RelationalError::Operand(if all.len() == 1 { 2 } else { 1 }).into()),
            Expression::Aggregate { .. } => Err(RelationalError::GroupFunction.into()),
        }
    }

    fn truth_type(&self, nullable: bool) -> Type {
        Type { length: 1, nullable, ..Type::of(ColumnType::BigInt) }
    }

    fn connective(&mut self, all: &[RelExpr], place: Place<'_>, or: bool) -> Result<Printed> {
        let mut parts = Vec::with_capacity(all.len());
        let mut constant = true;
        let mut nullable = false;
        for e in all {
            let e = self.print(e, place)?;
            constant &= matches!(e.what, What::Constant(_));
            nullable |= e.ty.nullable;
            parts.push(e);
        }
        if constant {
            return self.call(&parts, if or { Expression::Or } else { Expression::And });
        }
        let parts = parts.iter().map(|e| self.condition(e)).collect::<Result<Vec<_>>>()?;
        let ty = self.truth_type(nullable);
        Ok(Printed::sql(balanced(&parts, if or { " OR " } else { " AND " }), ty))
    }

    fn is(&mut self, operand: &RelExpr, test: Test, negated: bool, place: Place<'_>) -> Result<Printed> {
        let e = self.print(operand, place)?;
        if matches!(e.what, What::Constant(_)) {
            return self.call(&[e], |parts| Expression::Is { operand: Box::new(only(parts)), test, negated });
        }
        let not = if negated { "NOT " } else { "" };
        let sql = match test {
            Test::Null => format!("({} IS {not}NULL)", self.text(&e)?),
            Test::True => format!("({} IS {not}TRUE)", self.condition(&e)?),
            Test::False => format!("({} IS {not}FALSE)", self.condition(&e)?),
        };
        Ok(Printed::sql(sql, self.truth_type(false)))
    }

    fn chain(&mut self, first: &RelExpr, rest: &[(Operator, RelExpr)], place: Place<'_>) -> Result<Printed> {
        let mut rest = rest;
        let mut left = match (first, rest.split_first()) {
            (Expression::Tuple(left), Some(((op, Expression::Tuple(right)), tail))) => {
                rest = tail;
                self.rows(*op, left, right, place)?
            }
            (first, _) => self.print(first, place)?,
        };
        for (op, right) in rest {
            let right = self.print(right, place)?;
            left = self.operate(*op, left, right)?;
        }
        Ok(left)
    }

    /// `(a, b) = (c, d)`
    fn rows(&mut self, op: Operator, left: &[RelExpr], right: &[RelExpr], place: Place<'_>) -> Result<Printed> {
        if left.len() != right.len() {
            return Err(RelationalError::Operand(left.len()).into());
        }
        let negated = match op {
            Operator::Compare(Comparison::Equal) => false,
            Operator::Compare(Comparison::NotEqual) => true,
            _ => return Err(unsupported("a comparison of rows other than = and <>", "compare the columns one by one")),
        };
        let mut parts = Vec::with_capacity(left.len());
        for (a, b) in left.iter().zip(right) {
            let (a, b) = (self.print(a, place)?, self.print(b, place)?);
            let equal = self.operate(Operator::Compare(Comparison::Equal), a, b)?;
            parts.push(self.condition(&equal)?);
        }
        let all = balanced(&parts, " AND ");
        Ok(Printed::sql(if negated { format!("(NOT {all})") } else { all }, self.truth_type(true)))
    }

    pub fn operate(&mut self, op: Operator, left: Printed, right: Printed) -> Result<Printed> {
        let constant = |p: &Printed| matches!(p.what, What::Constant(_));
        let class = class(&left, &right);
        let nullable = left.ty.nullable || right.ty.nullable;
        if !(constant(&left) && constant(&right)) && class != Class::Dialect {
            match op {
                Operator::Compare(comparison) => {
                    let (a, b) = (self.text(&left)?, self.text(&right)?);
                    let sql = format!("({a} {} {})", comparison_sql(comparison), collated(&b, class));
                    return Ok(Printed::sql(sql, self.truth_type(nullable)));
                }
                Operator::NullSafeEqual => {
                    let (a, b) = (self.text(&left)?, self.text(&right)?);
                    let sql = format!("({a} IS {})", collated(&b, class));
                    return Ok(Printed::sql(sql, self.truth_type(false)));
                }
                Operator::Arithmetic(_)
                | Operator::Xor
                | Operator::BitAnd
                | Operator::BitOr
                | Operator::BitXor
                | Operator::ShiftLeft
                | Operator::ShiftRight
                | Operator::Concat
                | Operator::Extract
                | Operator::ExtractUnquoted => {}
            }
        }
        self.call(&[left, right], |parts| {
            let mut parts = parts.into_iter();
            let mut next = || parts.next().unwrap_or(Expression::Constant(Value::Null));
            Expression::Chain(Box::new(next()), vec![(op, next())])
        })
    }

    fn within(&mut self, operand: &RelExpr, list: &[RelExpr], negated: bool, place: Place<'_>) -> Result<Printed> {
        if let Expression::Tuple(left) = operand {
            let mut parts = Vec::with_capacity(list.len());
            for item in list {
                let Expression::Tuple(right) = item else { return Err(RelationalError::Operand(left.len()).into()) };
                let equal = self.rows(Operator::Compare(Comparison::Equal), left, right, place)?;
                parts.push(self.condition(&equal)?);
            }
            let any = balanced(&parts, " OR ");
            let sql = if negated { format!("(NOT {any})") } else { any };
            return Ok(Printed::sql(sql, self.truth_type(true)));
        }
        let operand = self.print(operand, place)?;
        let list = list.iter().map(|e| self.print(e, place)).collect::<Result<Vec<_>>>()?;
        let constant = |p: &Printed| matches!(p.what, What::Constant(_));
        let class = class_of_all(&operand, &list);
        if class == Class::Dialect || (constant(&operand) && list.iter().all(constant)) {
            let operands: Vec<Printed> = std::iter::once(operand).chain(list).collect();
            return self.call(&operands, |parts| {
                let mut parts = parts.into_iter();
                let operand = Box::new(parts.next().unwrap_or(Expression::Constant(Value::Null)));
                Expression::In { operand, list: parts.collect(), negated }
            });
        }
        let sql = collated(&self.text(&operand)?, class);
        let texts = list.iter().map(|p| self.text(p)).collect::<Result<Vec<_>>>()?;
        let not = if negated { "NOT " } else { "" };
        Ok(Printed::sql(format!("({sql} {not}IN ({}))", texts.join(",")), self.truth_type(true)))
    }

    fn between(&mut self, parts: &[Printed; 3], negated: bool) -> Result<Printed> {
        let [operand, low, high] = parts;
        let class = class_of_all(operand, [low, high]);
        let constant = parts.iter().all(|p| matches!(p.what, What::Constant(_)));
        if class == Class::Dialect || constant {
            return self.call(parts, |parts| {
                let mut parts = parts.into_iter().map(Box::new);
                let mut next = || parts.next().unwrap_or(Box::new(Expression::Constant(Value::Null)));
                Expression::Between { operand: next(), low: next(), high: next(), negated }
            });
        }
        let operand = collated(&self.text(operand)?, class);
        let (low, high) = (self.text(low)?, self.text(high)?);
        let not = if negated { "NOT " } else { "" };
        Ok(Printed::sql(format!("({operand} {not}BETWEEN {low} AND {high})"), self.truth_type(true)))
    }

    fn case(
        &mut self,
        operand: Option<&RelExpr>,
        branches: &[(RelExpr, RelExpr)],
        otherwise: Option<&RelExpr>,
        place: Place<'_>,
    ) -> Result<Printed> {
        let operand = operand.map(|e| self.print(e, place)).transpose()?;
        let (mut whens, mut thens) = (Vec::new(), Vec::new());
        for (when, then) in branches {
            whens.push(self.print(when, place)?);
            thens.push(self.print(then, place)?);
        }
        let otherwise = match otherwise {
            Some(e) => self.print(e, place)?,
            None => Printed::constant(Value::Null),
        };
        thens.push(otherwise);
        let ty = common(&thens);
        let collation = thens.iter().map(|p| p.collation).reduce(Collation::merge).unwrap_or(Collation::WEAK);
        let head = match &operand {
            None => String::new(),
            Some(operand) => match class_of_all(operand, &whens) {
                Class::Dialect => return self.dialect_case(operand, whens, thens),
                class => collated(&self.text(operand)?, class),
            },
        };
        let mut sql = format!("CASE {head}");
        let last = thens.pop().unwrap_or(Printed::constant(Value::Null));
        for (when, then) in whens.iter().zip(thens) {
            let when = if operand.is_some() { self.text(when)? } else { self.condition(when)? };
            let then = self.coerced(then, ty)?;
            let then = self.text(&then)?;
            sql.push_str(&format!(" WHEN {when} THEN {then}"));
        }
        let last = self.coerced(last, ty)?;
        let last = self.text(&last)?;
        sql.push_str(&format!(" ELSE {last} END"));
        Ok(Printed::sql(format!("({sql})"), ty).with(collation))
    }

    /// A CASE whose comparisons SQLite cannot make.
    fn dialect_case(&mut self, operand: &Printed, whens: Vec<Printed>, thens: Vec<Printed>) -> Result<Printed> {
        let count = whens.len();
        let operands: Vec<Printed> = std::iter::once(operand.clone()).chain(whens).chain(thens).collect();
        self.call(&operands, |mut parts| {
            let otherwise = parts.pop().map(Box::new);
            let thens = parts.split_off((count + 1).min(parts.len()));
            let mut parts = parts.into_iter();
            let operand = parts.next().map(Box::new);
            Expression::Case { operand, branches: parts.zip(thens).collect(), otherwise }
        })
    }

    fn function(&mut self, function: Function, arguments: &[RelExpr], place: Place<'_>) -> Result<Printed> {
        let mut printed = arguments.iter().map(|e| self.print(e, place)).collect::<Result<Vec<_>>>()?;
        let constant = printed.iter().all(|p| matches!(p.what, What::Constant(_)));
        let collation = printed.iter().map(|p| p.collation).reduce(Collation::merge).unwrap_or(Collation::WEAK);
        if !constant {
            match (function, printed.as_slice()) {
                (Function::If, [condition, then, otherwise]) => {
                    let ty = common(&[then.clone(), otherwise.clone()]);
                    let condition = self.condition(condition)?;
                    let collation = then.collation.merge(otherwise.collation);
                    let (then, otherwise) = (self.coerced(then.clone(), ty)?, self.coerced(otherwise.clone(), ty)?);
                    let (then, otherwise) = (self.text(&then)?, self.text(&otherwise)?);
                    let sql = format!("(CASE WHEN {condition} THEN {then} ELSE {otherwise} END)");
                    return Ok(Printed::sql(sql, ty).with(collation));
                }
                (Function::Coalesce | Function::IfNull, [_, _, ..]) => {
                    let ty = Type { nullable: printed.iter().all(|p| p.ty.nullable), ..common(&printed) };
                    let mut texts = Vec::with_capacity(printed.len());
                    for p in printed {
                        let p = self.coerced(p, ty)?;
                        texts.push(self.text(&p)?);
                    }
                    if texts.len() > OPERANDS {
                        return Err(budget::limit("the number of operands", OPERANDS, "operands"));
                    }
                    return Ok(Printed::sql(format!("coalesce({})", texts.join(",")), ty).with(collation));
                }
                (Function::Coalesce, [_]) => return Ok(printed.swap_remove(0)),
                (Function::NullIf, [a, b]) => match class(a, b) {
                    Class::Dialect => {}
                    class => {
                        let (ty, collation) = (Type { nullable: true, ..a.ty }, a.collation);
                        let (a, b) = (self.text(a)?, self.text(b)?);
                        let sql = format!("nullif({}, {b})", collated(&a, class));
                        return Ok(Printed::sql(sql, ty).with(collation));
                    }
                },
                (Function::IsNull, [e]) => {
                    let sql = format!("({} IS NULL)", self.text(e)?);
                    return Ok(Printed::sql(sql, self.truth_type(false)));
                }
                (_, _) => {}
            }
        }
        self.call(&printed, |parts| Expression::Call(function, parts))
    }

    fn leaf(&mut self, leaf: &RelLeaf, place: Place<'_>) -> Result<Printed> {
        match leaf {
            RelLeaf::Plain(Leaf::Column(parts)) => self.column(parts, place),
            RelLeaf::Plain(Leaf::Parameter(_)) if self.session.is_none() => {
                Ok(Printed::sql("NULL".to_owned(), Type::of(ColumnType::Text)))
            }
            RelLeaf::Plain(leaf) => {
                let value = self.value(leaf)?;
                let printed = Printed::constant(value);
                Ok(Printed { ty: Type { nullable: true, ..printed.ty }, ..printed })
            }
            RelLeaf::Query(query) => self.scalar_query(query, place),
            RelLeaf::Exists(query) => {
                let bound = self.query(query, Some(place.scope))?;
                Ok(Printed::sql(format!("(EXISTS ({}))", bound.sql), self.truth_type(false)))
            }
            RelLeaf::In { operand, query, negated } => self.in_query(operand, query, *negated, place),
            RelLeaf::Aggregate(aggregated) => self.aggregate(aggregated, place),
            RelLeaf::Collate { operand, fold } => {
                let printed = self.print(operand, place)?;
                let printed = self.coerced(printed, Type::of(ColumnType::Text))?;
                Ok(printed.with(Collation { fold: *fold, strength: 2 }))
            }
        }
    }

    fn column(&mut self, parts: &[String], place: Place<'_>) -> Result<Printed> {
        let aliased = match parts {
            [name] => place.aliases.iter().find(|c| c.name.to_lowercase() == name.to_lowercase()),
            _ => None,
        };
        match aliased {
            Some(alias) if place.aliases_first || !place.scope.has(parts) => Ok(Printed::column(alias)),
            Some(_) | None => place.scope.resolve(parts, place.clause).map(|(_, column)| Printed::column(column)),
        }
    }

    /// `(SELECT ..)` as a value: of one column and at most one row.
    fn scalar_query(&mut self, query: &super::ast::Query, place: Place<'_>) -> Result<Printed> {
        let bound = self.query(query, Some(place.scope))?;
        let [column] = bound.columns.as_slice() else { return Err(RelationalError::Operand(1).into()) };
        let (ty, collation, name) = (Type { nullable: true, ..column.ty }, column.collation, column.sql.clone());
        let sql = if bound.one_row {
            format!("({})", bound.sql)
        } else {
            format!("(SELECT {}({name}) FROM ({}))", names::ONLY, bound.sql)
        };
        Ok(Printed { plain: true, ..Printed::sql(sql, ty) }.with(collation))
    }

    fn in_query(
        &mut self,
        operand: &RelExpr,
        query: &super::ast::Query,
        negated: bool,
        place: Place<'_>,
    ) -> Result<Printed> {
        let operands = match operand {
            Expression::Tuple(all) => all.iter().map(|e| self.print(e, place)).collect::<Result<Vec<_>>>()?,
            one => vec![self.print(one, place)?],
        };
        let Bound { sql, columns, .. } = self.query(query, Some(place.scope))?;
        if operands.len() != columns.len() {
            return Err(RelationalError::Operand(operands.len()).into());
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (operand, column) in operands.iter().zip(&columns) {
            let found = Printed::column(column);
            match class(operand, &found) {
                Class::Dialect => {
                    // Both as numbers, which is what MySQL compares when it is not text with text.
                    let operand = self.cast(operand, CastType::Decimal { scale: 30 })?;
                    left.push(self.key(&operand)?);
                    let found = self.cast(&found, CastType::Decimal { scale: 30 })?;
                    right.push(self.key(&found)?);
                }
                class => {
                    left.push(collated(&self.text(operand)?, class));
                    right.push(column.sql.clone());
                }
            }
        }
        let not = if negated { "NOT " } else { "" };
        let sql = format!("(({}) {not}IN (SELECT {} FROM ({sql})))", left.join(","), right.join(","));
        Ok(Printed::sql(sql, self.truth_type(true)))
    }

    fn aggregate(&mut self, aggregated: &Aggregated, place: Place<'_>) -> Result<Printed> {
        if place.aggregates == Aggregates::Forbidden {
            return Err(RelationalError::GroupFunction.into());
        }
        let inner = Place { aggregates: Aggregates::Forbidden, aliases: &[], clause: "field list", ..place };
        let arguments = aggregated.arguments.iter().map(|e| self.print(e, inner)).collect::<Result<Vec<_>>>()?;
        let first = arguments.first();
        let ty = |function| aggregate_type(function, first.map_or(Type::of(ColumnType::BigInt), |p| p.ty));
        if let Some(window) = &aggregated.over {
            return self.window(aggregated, window, &arguments, inner);
        }
        let native = |sql: String, ty| Ok(Printed { plain: true, ..Printed::sql(sql, ty) });
        let collation = first.map_or(Collation::WEAK, |p| p.collation);
        match (&aggregated.kind, first) {
            (AggregateKind::Count, None) => native("count(*)".to_owned(), ty(Aggregate::Count)),
            (AggregateKind::Count, Some(one)) if arguments.len() == 1 => {
                let sql = if aggregated.distinct {
                    format!("count(DISTINCT {})", self.key(one)?)
                } else {
                    format!("count({})", self.text(one)?)
                };
                native(sql, ty(Aggregate::Count))
            }
            (AggregateKind::Count, Some(_)) => self.own(Kind::CountDistinct, true, &arguments, ty(Aggregate::Count)),
            (AggregateKind::Min, Some(one)) if one.is_text() || one.is_native() => {
                let sql = format!("min({})", self.key(one)?);
                native(sql, ty(Aggregate::Min)).map(|p| p.with(collation))
            }
            (AggregateKind::Max, Some(one)) if one.is_text() || one.is_native() => {
                let sql = format!("max({})", self.key(one)?);
                native(sql, ty(Aggregate::Max)).map(|p| p.with(collation))
            }
            (AggregateKind::Min, _) => self.own(Kind::Min, false, &arguments, ty(Aggregate::Min)),
            (AggregateKind::Max, _) => self.own(Kind::Max, false, &arguments, ty(Aggregate::Max)),
            (AggregateKind::Sum, _) => self.own(Kind::Sum, aggregated.distinct, &arguments, ty(Aggregate::Sum)),
            (AggregateKind::Avg, _) => self.own(Kind::Avg, aggregated.distinct, &arguments, ty(Aggregate::Avg)),
            (AggregateKind::GroupConcat { separator }, _) => {
                let mut operands = arguments.clone();
                let mut descending = Vec::new();
                for (e, down) in &aggregated.order {
                    operands.push(self.print(e, inner)?);
                    descending.push(*down);
                }
                let values = arguments.len();
                let longest = self.group_concat_max_len();
                let kind = Kind::Concat { values, descending, separator: separator.clone(), longest };
                self.own(kind, aggregated.distinct, &operands, Type::of(ColumnType::Text)).map(|p| p.with(collation))
            }
            (AggregateKind::RowNumber | AggregateKind::Rank | AggregateKind::DenseRank, _) => {
                Err(RelationalError::GroupFunction.into())
            }
        }
    }

    /// An aggregate the engine calls back for.
    fn own(&mut self, kind: Kind, distinct: bool, operands: &[Printed], ty: Type) -> Result<Printed> {
        if operands.len() > OPERANDS {
            return Err(budget::limit("the number of operands", OPERANDS, "operands"));
        }
        let fold = operands.iter().map(|p| p.collation).reduce(Collation::merge).is_none_or(|c| c.fold);
        let spec = AggregateSpec { kind, distinct, fold };
        let number = match self.aggregates.iter().position(|a| *a == spec) {
            Some(number) => number,
            None => {
                self.aggregates.push(spec);
                self.aggregates.len() - 1
            }
        };
        let texts = operands.iter().map(|p| self.text(p)).collect::<Result<Vec<_>>>()?;
        Ok(Printed::sql(format!("{}({number},{})", names::AGGREGATE, texts.join(",")), ty))
    }

    fn window(
        &mut self,
        aggregated: &Aggregated,
        window: &Window,
        arguments: &[Printed],
        place: Place<'_>,
    ) -> Result<Printed> {
        let refused = || unsupported("this aggregate as a window function", "compute it in a derived table");
        let big = Type { nullable: false, ..Type::of(ColumnType::UnsignedBigInt) };
        let one = arguments.first();
        let (call, ty) = match (&aggregated.kind, one) {
            (AggregateKind::RowNumber, _) => ("row_number()".to_owned(), big),
            (AggregateKind::Rank, _) => ("rank()".to_owned(), big),
            (AggregateKind::DenseRank, _) => ("dense_rank()".to_owned(), big),
            (AggregateKind::Count, None) => ("count(*)".to_owned(), Type { ty: ColumnType::BigInt, ..big }),
            (AggregateKind::Count, Some(one)) => {
                (format!("count({})", self.text(one)?), Type { ty: ColumnType::BigInt, ..big })
            }
            (AggregateKind::Min, Some(one)) if one.is_text() || one.is_native() => {
                (format!("min({})", self.key(one)?), aggregate_type(Aggregate::Min, one.ty))
            }
            (AggregateKind::Max, Some(one)) if one.is_text() || one.is_native() => {
                (format!("max({})", self.key(one)?), aggregate_type(Aggregate::Max, one.ty))
            }
            (AggregateKind::Sum, Some(one)) if one.ty.ty == ColumnType::BigInt => {
                (format!("sum({})", self.text(one)?), aggregate_type(Aggregate::Sum, one.ty))
            }
            (
                AggregateKind::Min
                | AggregateKind::Max
                | AggregateKind::Sum
                | AggregateKind::Avg
                | AggregateKind::GroupConcat { .. },
                _,
            ) => return Err(refused()),
        };
        let mut over = String::new();
        if !window.partition.is_empty() {
            let keys = window.partition.iter().map(|e| {
                let e = self.print(e, place)?;
                self.key(&e)
            });
            let keys = keys.collect::<Result<Vec<_>>>()?;
            over.push_str(&format!("PARTITION BY {}", keys.join(",")));
        }
        if !window.order.is_empty() {
            let mut keys = Vec::new();
            for (e, down) in &window.order {
                let e = self.print(e, place)?;
                keys.push(format!("{}{}", self.key(&e)?, if *down { " DESC" } else { "" }));
            }
            over.push_str(&format!(" ORDER BY {}", keys.join(",")));
        }
        Ok(Printed { plain: true, ..Printed::sql(format!("{call} OVER ({over})"), ty) })
    }
}

/// The type that holds the values of all.
pub(super) fn common(all: &[Printed]) -> Type {
    let branches = all.iter().map(|p| (Expression::Constant(Value::Null), typed_leaf(p))).collect();
    let case = Expression::Case { operand: None, branches, otherwise: None };
    let ty = case.ty(&|ty: &Type| *ty);
    Type { nullable: all.iter().any(|p| p.ty.nullable), ..ty }
}

fn typed_leaf(printed: &Printed) -> Expression<Type> {
    Expression::Leaf(printed.ty)
}

fn only(parts: Vec<Expression<Slot>>) -> Expression<Slot> {
    parts.into_iter().next().unwrap_or(Expression::Constant(Value::Null))
}
