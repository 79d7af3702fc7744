//! CASE and functions, printed.

use super::class::{Class, class, class_of_all, collated};
use super::{OPERANDS, Place, Printed, Result, What};
use crate::bind::json_conditions::is_condition;
use crate::error::limit;
use crate::expression::{Comparison, Expression, Function, Operator, Type};
use crate::relational::ast::RelExpr;
use crate::relational::binder::Binder;
use crate::relational::scope::Collation;
use crate::value::Value;

impl Binder<'_> {
    pub(super) fn case(
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
                Class::Dialect => {
                    let place = self.place_of_match(operand, &whens)?;
                    whens = (0_i64..).zip(&whens).map(|(place, _)| Printed::constant(Value::Int(place))).collect();
                    self.text(&place)?
                }
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

    /// Which of the values, from 0, the operand of a CASE is equal to, or NULL, where SQLite cannot compare them: of the
    /// branches only the one that is taken is evaluated.
    fn place_of_match(&mut self, operand: &Printed, whens: &[Printed]) -> Result<Printed> {
        let operands: Vec<Printed> = std::iter::once(operand).chain(whens).cloned().collect();
        self.call(&operands, |parts| {
            let mut parts = parts.into_iter();
            let operand = parts.next().map(Box::new);
            let place = |place: i64| Expression::Constant(Value::Int(place));
            let branches = parts.zip(0..).map(|(when, n)| (when, place(n))).collect();
            Expression::Case { operand, branches, otherwise: None }
        })
    }

    pub(super) fn function(&mut self, function: Function, arguments: &[RelExpr], place: Place<'_>) -> Result<Printed> {
        if let (Function::NullIf, [a, b]) = (function, arguments)
            && (is_condition(a) || is_condition(b))
        {
            return self.null_if(a, b, place);
        }
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
                        return Err(limit("the number of operands", OPERANDS, "operands"));
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
        let called = self.call(&printed, |parts| Expression::Call(function, parts))?;
        let of_json =
            matches!(function, Function::JsonUnquote | Function::JsonValue | Function::JsonType | Function::JsonQuote);
        Ok(if of_json { called.with(Collation::JSON) } else { called })
    }

    /// NULLIF of a condition, which beside JSON is compared as JSON and shown as the number it is.
    fn null_if(&mut self, a: &RelExpr, b: &RelExpr, place: Place<'_>) -> Result<Printed> {
        let equal = Expression::Chain(Box::new(a.clone()), vec![(Operator::Compare(Comparison::Equal), b.clone())]);
        let null = Expression::Constant(Value::Null);
        let case =
            Expression::Case { operand: None, branches: vec![(equal, null)], otherwise: Some(Box::new(a.clone())) };
        self.print(&case, place)
    }
}

/// The type that holds the values of all.
pub(in crate::relational) fn common(all: &[Printed]) -> Type {
    let branches = all.iter().map(|p| (Expression::Constant(Value::Null), typed_leaf(p))).collect();
    let case = Expression::Case { operand: None, branches, otherwise: None };
    let ty = case.ty(&|ty: &Type| *ty);
    Type { nullable: all.iter().any(|p| p.ty.nullable), ..ty }
}

fn typed_leaf(printed: &Printed) -> Expression<Type> {
    Expression::Leaf(printed.ty)
}
