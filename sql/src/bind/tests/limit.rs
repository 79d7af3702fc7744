//! LIMIT.

use super::cells;
use crate::error::SqlError;
use crate::testing::{Session, bound_with, read_with, run, shown};
use crate::value::Value;

#[test]
fn limits_take_what_clients_bind() {
    let env = Session::new();
    let text = "SELECT column_key FROM trips WHERE row_key = 'a' ORDER BY column_key, ref_key LIMIT ? OFFSET ?";
    for (count, offset) in [
        (Value::Int(1), Value::UInt(1)),
        (Value::Text("1".into()), Value::Double(1.0)),
        (Value::Decimal("1".into()), Value::Int(1)),
    ] {
        let read = read_with(&env, text, &[count, offset]);
        assert_eq!(run(&read, &cells()).unwrap().iter().map(shown).collect::<Vec<_>>(), ["BASE"]);
    }
    for bad in [Value::Int(-1), Value::Text("x".into()), Value::Double(1.5), Value::Null] {
        assert!(matches!(bound_with(&env, text, &[Value::Int(1), bad]), Err(SqlError::Arguments(_))));
    }
    assert!(matches!(bound_with(&env, text, &[Value::Int(1)]), Err(SqlError::Arguments(_))), "parameters are counted");
}
