//! SLEEP, GET_LOCK and their kin are called where the statement comes to them: not in a branch of IF, CASE, COALESCE, AND
//! or OR that is not taken, and for no row that is not there.
//!
//! They are answered before the rest is bound: each stands for its value then, and one that is not come to for nothing.

use std::borrow::Cow;

use super::scope::Session;
use super::times;
use crate::environment::{SessionCall, SessionFunction};
use crate::error::{SqlError, unsupported};
use crate::expression::{Expression, Function, Leaf, truth};
use crate::parse::Expr;
use crate::value::Value;

impl Session<'_> {
    /// The expression with its calls answered, from left to right.
    ///
    /// # Errors
    /// Those of the calls and of what decides about them; a call about which rows decide; [`SqlError::GivenUp`].
    pub(super) fn answered<'e>(&self, expression: &'e Expr) -> Result<Cow<'e, Expr>, SqlError> {
        if calls(expression) { self.answer(expression).map(Cow::Owned) } else { Ok(Cow::Borrowed(expression)) }
    }

    fn answer(&self, expression: &Expr) -> Result<Expr, SqlError> {
        self.patience.ask()?;
        expression.map(
            &mut |node| match node {
                node if !calls(node) => Ok(None),
                Expression::And(all) => {
                    self.until(all, &|value| truth(value) == Some(false)).map(Expression::And).map(Some)
                }
                Expression::Or(all) => {
                    self.until(all, &|value| truth(value) == Some(true)).map(Expression::Or).map(Some)
                }
                Expression::Call(function @ (Function::Coalesce | Function::IfNull), all) => {
                    let all = self.until(all, &|value| *value != Value::Null)?;
                    Ok(Some(Expression::Call(*function, all)))
                }
                Expression::Call(Function::If, all) if let [condition, then, otherwise] = all.as_slice() => {
                    let condition = self.answer(condition)?;
                    let branches = match first_call([then, otherwise]) {
                        Some(call) => {
                            let holds = truth(&self.decided(&condition, call)?) == Some(true);
                            [self.branch(then, holds)?, self.branch(otherwise, !holds)?]
                        }
                        None => [then.clone(), otherwise.clone()],
                    };
                    Ok(Some(Expression::Call(Function::If, std::iter::once(condition).chain(branches).collect())))
                }
                Expression::Case { operand, branches, otherwise } => {
                    self.case(operand.as_deref(), branches, otherwise.as_deref()).map(Some)
                }
                _ => Ok(None),
            },
            &mut |leaf| match leaf {
                // LAST_INSERT_ID() beside LAST_INSERT_ID(n) is in turn, too.
                Leaf::Call(..) | Leaf::Session(SessionFunction::LastInsertId) => {
                    self.value(leaf).map(Expression::Constant)
                }
                other => Ok(Expression::Leaf(other.clone())),
            },
        )
    }

    /// Operands of which the first that `decides` is the last that is come to.
    fn until(&self, all: &[Expr], decides: &dyn Fn(&Value) -> bool) -> Result<Vec<Expr>, SqlError> {
        let last = last_call(all);
        let mut made = Vec::with_capacity(all.len());
        for (i, operand) in all.iter().enumerate() {
            let operand = self.answer(operand)?;
            let decided = match last {
                Some((last, call)) if i < last => decides(&self.decided(&operand, call)?),
                Some(_) | None => false,
            };
            made.push(operand);
            if decided {
                made.extend(all.iter().skip(i + 1).map(uncalled));
                break;
            }
        }
        Ok(made)
    }

    fn case(
        &self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Expr, SqlError> {
        let operand = operand.map(|e| self.answer(e).map(Box::new)).transpose()?;
        // Which branch is taken matters as long as a call stands behind its WHEN.
        let last = match otherwise.and_then(|e| first_call([e])) {
            Some(call) => Some((branches.len(), call)),
            None => branches.iter().enumerate().rev().find_map(|(i, (when, then))| {
                let of_then = first_call([then]).map(|call| (i + 1, call));
                of_then.or_else(|| first_call([when]).map(|call| (i, call)))
            }),
        };
        // The operand's value, which every WHEN is compared with.
        let mut compared = None;
        let mut taken = false;
        let mut made = Vec::with_capacity(branches.len());
        for (i, (when, then)) in branches.iter().enumerate() {
            let when = self.branch(when, !taken)?;
            let here = match last {
                Some((last, call)) if i < last && !taken => {
                    if let (None, Some(operand)) = (&compared, &operand) {
                        let value = self.decided(operand, call)?;
                        let ty = operand.ty(&|leaf| self.leaf_type(leaf));
                        compared = Some(Box::new(times::constant(value, ty)));
                    }
                    let whether = Expression::Case {
                        operand: compared.clone(),
                        branches: vec![(when.clone(), Expression::Constant(Value::Int(1)))],
                        otherwise: None,
                    };
                    self.decided(&whether, call)? != Value::Null
                }
                Some(_) | None => false,
            };
            made.push((when, self.branch(then, here)?));
            taken |= here;
        }
        let otherwise = otherwise.map(|e| self.branch(e, !taken)).transpose()?;
        Ok(Expression::Case { operand, branches: made, otherwise: otherwise.map(Box::new) })
    }

    fn branch(&self, e: &Expr, taken: bool) -> Result<Expr, SqlError> {
        if taken { self.answer(e) } else { Ok(uncalled(e)) }
    }

    /// The value of what decides whether `call` is come to.
    fn decided(&self, e: &Expr, call: SessionCall) -> Result<Value, SqlError> {
        let of_rows = |node: &Expr| matches!(node, Expression::Leaf(Leaf::Column(_)) | Expression::Aggregate { .. });
        if e.any(of_rows) {
            let what = format!("{} where rows decide whether it is called", call.name());
            return Err(unsupported(&what, "select it by itself, from no table"));
        }
        self.evaluate(e)
    }
}

/// The expression as one that is not come to.
pub(super) fn uncalled(expression: &Expr) -> Expr {
    let leaf = |leaf: &Leaf| match leaf {
        Leaf::Call(call, _) if acts(*call) => Expression::Constant(Value::Int(0)),
        other => Expression::Leaf(other.clone()),
    };
    let mapped = expression.map(&mut |_| Ok(None), &mut |l| Ok(leaf(l)));
    mapped.unwrap_or_else(|_: SqlError| expression.clone())
}

/// Whether it calls what does something in the session.
pub(super) fn calls(expression: &Expr) -> bool {
    first_call([expression]).is_some()
}

fn first_call<'e>(all: impl IntoIterator<Item = &'e Expr>) -> Option<SessionCall> {
    called(all, acts)
}

/// The place of the last operand with a call, and its first call.
fn last_call(all: &[Expr]) -> Option<(usize, SessionCall)> {
    all.iter().enumerate().rev().find_map(|(i, e)| first_call([e]).map(|call| (i, call)))
}

/// Whether a call is more than a value.
fn acts(call: SessionCall) -> bool {
    call != SessionCall::Uuid
}

/// The first of the calls in these expressions that is `wanted`.
pub(super) fn called<'e>(
    all: impl IntoIterator<Item = &'e Expr>,
    wanted: impl Fn(SessionCall) -> bool,
) -> Option<SessionCall> {
    let mut found = None;
    for expression in all {
        expression.visit(&mut |node| {
            if let Expression::Leaf(Leaf::Call(call, _)) = node {
                found = found.or(Some(*call).filter(|call| wanted(*call)));
            }
            found.is_none()
        });
        if found.is_some() {
            break;
        }
    }
    found
}
