//! `CHAR(39, ..)` of numbers as they are written: bytes.

use crate::expression::{CastType, Expression};
use crate::value::Value;

/// The bytes of these codes, of each as many as it has; NULL is left out. `None` if one is no whole number as written.
pub(super) fn of<L>(codes: &[Expression<L>]) -> Option<Expression<L>> {
    let mut bytes = Vec::with_capacity(codes.len());
    for code in codes {
        match code.constant()? {
            Value::Null => {}
            Value::Int(code) => {
                // As in MySQL, 32 bits of it.
                let code = (*code as u32).to_be_bytes();
                let zeros = code.iter().take(3).take_while(|byte| **byte == 0).count();
                bytes.extend_from_slice(code.get(zeros..)?);
            }
            _ => return None,
        }
    }
    // A constant of bytes would be taken for a number.
    let bytes = Box::new(Expression::Constant(Value::Bytes(bytes.into())));
    Some(Expression::Cast(bytes, CastType::Binary(None)))
}
