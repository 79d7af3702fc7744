//! What is called, and how often.

use super::failure;
use crate::error::SqlError;
use crate::testing::bound;

#[test]
fn what_is_called_is_called_once() {
    for text in [
        "SELECT SLEEP(0) AS a HAVING a IN (a, a)",
        "SELECT GET_LOCK('a', 0) AS l HAVING l",
        "SELECT GET_LOCK('a', 0) AS l GROUP BY l",
        "SELECT 1 + SLEEP(0) GROUP BY 1",
        "SELECT SLEEP(0) AS a ORDER BY a + 1",
    ] {
        match bound(text) {
            Err(SqlError::Unsupported { what, .. }) => {
                assert!(what.ends_with("by an alias in HAVING, ORDER BY or GROUP BY"), "{text}: {what}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    for text in ["SELECT SLEEP(0) AS a", "SELECT SLEEP(0) AS a ORDER BY a", "SELECT SLEEP(0) HAVING SLEEP(0)"] {
        assert!(matches!(bound(text), Err(SqlError::Pending(..))), "{text}");
    }
}

#[test]
fn functions_mysql_has_are_refused_by_name_and_others_are_unknown() {
    assert!(matches!(failure("REPEAT('a', 3)"), SqlError::Unsupported { .. }));
    assert!(matches!(failure("ST_ASTEXT(1)"), SqlError::Unsupported { .. }));
    assert_eq!(failure("nosuch(1)"), SqlError::UnknownFunction("NOSUCH".into()));
}
