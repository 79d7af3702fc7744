//! Groups, aggregates, and the aliases that HAVING, GROUP BY and ORDER BY name.

use super::cells;
use crate::error::SqlError;
use crate::relational::RelationalError;
use crate::testing::{bound, rows};

#[test]
fn an_aggregate_where_there_are_no_groups_is_no_use_of_one() {
    for text in [
        "SELECT COUNT(*) FROM trips WHERE COUNT(*) > 1",
        "SELECT 1 FROM trips WHERE COUNT(*) > 1",
        "SELECT COUNT(*) FROM trips GROUP BY COUNT(*)",
        "SELECT MAX(COUNT(*)) FROM trips",
    ] {
        let refusal = bound(text).unwrap_err();
        assert_eq!(refusal, SqlError::Relational(RelationalError::GroupFunction), "{text}");
    }
}

#[test]
fn aggregates_and_groups_are_computed() {
    let cells = cells();
    for (text, expected) in [
        (
            "SELECT COUNT(*), MIN(ref_key), MAX(ref_key), SUM(ref_key), AVG(ref_key) FROM trips",
            &["6|1|5|11|1.8333"][..],
        ),
        ("SELECT COUNT(*) FROM trips WHERE row_key = 'zzz'", &["0"]),
        ("SELECT COUNT(DISTINCT row_key), COUNT(DISTINCT row_key, column_key) FROM trips", &["3|5"]),
        ("SELECT SUM(body->'$.fare') FROM trips WHERE column_key = 'BASE'", &["29"]),
        ("SELECT row_key, COUNT(*) AS n FROM trips GROUP BY row_key ORDER BY n DESC, row_key", &["a|3", "c|2", "b|1"]),
        ("SELECT row_key FROM trips GROUP BY row_key HAVING COUNT(*) > 1 ORDER BY row_key", &["a", "c"]),
        ("SELECT DISTINCT column_key FROM trips ORDER BY column_key LIMIT 2", &["BASE", "NOTE"]),
        ("SELECT COUNT(*) + 1 FROM trips WHERE 1 = 0", &["1"]),
        ("SELECT UPPER(row_key), MAX(ref_key) FROM trips GROUP BY 1 ORDER BY MAX(ref_key) DESC LIMIT 1", &["C|5"]),
        ("SELECT row_key FROM trips WHERE row_key IN ('a', 'b') HAVING row_key = 'b'", &["b"]),
        ("SELECT COUNT(DISTINCT MOD(ref_key, 2)), SUM(ALL MOD(ref_key, 2)) FROM trips", &["2|5"]),
        // A constant that is grouped by says how many digits there are, elsewhere.
        ("SELECT 2 AS version, ROUND(AVG(ref_key), 2) FROM trips GROUP BY version", &["2|1.83"]),
        // What is shown alike is one value.
        ("SELECT SUM(DISTINCT ref_key / 60000), COUNT(DISTINCT ref_key / 60000) FROM trips", &["0.0001|2"]),
        ("SELECT AVG(DISTINCT ref_key / 60000) FROM trips", &["0.00005000"]),
    ] {
        assert_eq!(rows(text, &cells), expected, "{text}");
    }
    for text in [
        "SELECT MAX(COUNT(*)) FROM trips",
        "SELECT COUNT(*) AS c FROM trips GROUP BY row_key HAVING MAX(c) > 1",
        "SELECT COUNT(*) AS c FROM trips GROUP BY row_key ORDER BY MAX(c)",
    ] {
        let error = bound(text).err();
        assert_eq!(error, Some(SqlError::Relational(RelationalError::GroupFunction)), "{text}");
    }
    assert!(matches!(
        bound("SELECT row_key, COUNT(*) FROM trips"),
        Err(SqlError::MixedAggregate { grouped: false, .. })
    ));
}

#[test]
fn an_alias_means_its_item_where_mysql_says_so() {
    for (text, expected) in [
        // In an expression and in an aggregate a column comes first, where there is one.
        (
            "SELECT column_key, MAX(ref_key) AS ref_key FROM trips WHERE row_key = 'a' GROUP BY column_key \
             ORDER BY MAX(ref_key)",
            &["STATUS|1", "BASE|2"][..],
        ),
        (
            "SELECT -ref_key AS ref_key FROM trips WHERE row_key = 'a' ORDER BY ref_key + 0, column_key",
            &["-1", "-1", "-2"],
        ),
        ("SELECT -ref_key AS Ref_Key FROM trips WHERE row_key = 'a' ORDER BY REF_KEY", &["-2", "-1", "-1"]),
        ("SELECT -ref_key AS r FROM trips WHERE row_key = 'a' ORDER BY r + 0, column_key", &["-2", "-1", "-1"]),
        // In HAVING a column that is grouped by comes before an alias, and that before any other.
        ("SELECT COUNT(*) AS ref_key FROM trips GROUP BY ref_key HAVING ref_key = 2", &["1"]),
        ("SELECT column_key, COUNT(*) AS ref_key FROM trips GROUP BY column_key HAVING ref_key = 3", &["BASE|3"]),
        (
            "SELECT column_key, COUNT(*) AS ref_key FROM trips GROUP BY column_key HAVING MAX(ref_key) = 5",
            &["STATUS|2"],
        ),
        ("SELECT LEFT(row_key, 1) AS k, COUNT(*) FROM trips GROUP BY k HAVING k = 'b'", &["b|1"]),
        // A key that comes again orders nothing.
        (
            "SELECT ref_key AS r FROM trips WHERE row_key = 'a' ORDER BY r DESC, 1, r, ref_key, ref_key",
            &["2", "1", "1"],
        ),
    ] {
        assert_eq!(rows(text, &cells()), expected, "{text}");
    }
    // A declared column is one, too.
    let grouped = bound("SELECT LEFT(row_key, 1) AS STATUS, COUNT(*) FROM trips GROUP BY STATUS");
    assert_eq!(grouped.err(), Some(SqlError::MixedAggregate { column: "row_key".into(), grouped: true }));
}

#[test]
fn an_order_of_one_row_is_dropped() {
    let one = |text: &str| assert_eq!(rows(text, &cells()).len(), 1, "{text}");
    one("SELECT COUNT(*) FROM trips ORDER BY STATUS");
    one("SELECT COUNT(*) FROM trips HAVING MAX(ref_key) > 0 ORDER BY ref_key, STATUS DESC");
    let counted = |text| rows(text, &cells());
    assert_eq!(counted("SELECT COUNT(*) FROM trips ORDER BY STATUS"), counted("SELECT COUNT(*) FROM trips"));
    // Its names are looked at all the same.
    let unknown = bound("SELECT COUNT(*) FROM trips ORDER BY nobody").err();
    assert!(matches!(unknown, Some(SqlError::UnknownColumn { clause: "order clause", .. })), "{unknown:?}");
    for text in ["SELECT COUNT(*) ORDER BY nobody", "SELECT 1 HAVING COUNT(*) > 0 ORDER BY trips.ref_key"] {
        let unknown = bound(text).err();
        assert!(matches!(unknown, Some(SqlError::UnknownColumn { clause: "order clause", .. })), "{text}: {unknown:?}");
    }
    let unknown = bound("SELECT COUNT(*) FROM trips ORDER BY @@nobody").err();
    assert!(matches!(unknown, Some(SqlError::UnknownVariable(_))), "{unknown:?}");
    one("SELECT COUNT(*) ORDER BY 1, 1 + 1");
}
