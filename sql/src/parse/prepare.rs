//! PREPARE, EXECUTE, DEALLOCATE PREPARE: prepared statements by name, in text.

use super::ddl::bounded;
use super::literal;
use super::reader::Reader;
use super::tokens::{Kind, Symbol};
use crate::ast::PreparedStatement;
use crate::error::{SqlError, unsupported};
use crate::expression::{Expression, Leaf};
use crate::value::Value;

/// The statement that is next, if it is one of these.
pub(super) fn prepare(reader: &mut Reader<'_>) -> Result<Option<PreparedStatement>, SqlError> {
    if reader.take(&["PREPARE"]) {
        let name = bounded(reader.name()?)?;
        reader.expect(&["FROM"])?;
        let text = match user_variable(reader) {
            Some(variable) => variable,
            None => Expression::Constant(Value::Text(reader.string()?.into())),
        };
        return Ok(Some(PreparedStatement::Prepare { name, text }));
    }
    if reader.take(&["DEALLOCATE", "PREPARE"]) || reader.take(&["DROP", "PREPARE"]) {
        return Ok(Some(PreparedStatement::Deallocate { name: bounded(reader.name()?)? }));
    }
    if !reader.take(&["EXECUTE"]) {
        return Ok(None);
    }
    if reader.sees(&["IMMEDIATE"]) {
        return Err(unsupported("EXECUTE IMMEDIATE", "PREPARE s FROM '..', then EXECUTE s"));
    }
    let name = bounded(reader.name()?)?;
    let mut values = Vec::new();
    if reader.take(&["USING"]) {
        loop {
            values.push(user_variable(reader).ok_or_else(|| reader.error("expected a user variable"))?);
            if !reader.take_symbol(Symbol::Comma) {
                break;
            }
        }
    }
    Ok(Some(PreparedStatement::Execute { name, values }))
}

fn user_variable(reader: &mut Reader<'_>) -> Option<super::Expr> {
    let token = reader.peek().filter(|token| token.kind == Kind::UserVariable)?;
    let name = literal::user_variable(token, reader.text, reader.mode);
    reader.next();
    Some(Expression::Leaf(Leaf::UserVariable(name)))
}
