//! Statements prepared by name.

use super::one;
use crate::command::Command;
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parse::parse;
use crate::testing::{Session, bound};
use crate::value::Value;

#[test]
fn statements_are_prepared_by_name() {
    use crate::command::Prepared;
    let prepared = |text: &str| match bound(text) {
        Ok(Command::Prepared(prepared)) => prepared,
        other => panic!("{text}: {other:?}"),
    };
    let prepare = |text: &'static str| Prepared::Prepare { name: "s".into(), text: text.into() };
    assert_eq!(prepared("PREPARE S FROM 'SELECT ''x'' '"), prepare("SELECT 'x' "));
    assert_eq!(prepared("PREPARE `s` FROM @nothing"), prepare("NULL"));
    let execute = |values| Prepared::Execute { name: "s".into(), values };
    assert_eq!(prepared("EXECUTE s"), execute(Vec::new()));
    assert_eq!(prepared("EXECUTE s USING @a, @b"), execute(vec![Value::Null, Value::Null]));
    for text in ["DEALLOCATE PREPARE s", "drop prepare S"] {
        assert_eq!(prepared(text), Prepared::Deallocate { name: "s".into() });
    }
    for bad in ["PREPARE s", "PREPARE s FROM", "PREPARE s FROM 1", "EXECUTE s USING 1", "EXECUTE", "DEALLOCATE s"] {
        assert!(matches!(parse(bad, SqlMode::default()), Err(SqlError::Syntax { .. })), "{bad}");
    }
    assert_eq!(crate::describe(&one("EXECUTE s"), &Session::new()).err(), Some(SqlError::NotPreparable));
}
