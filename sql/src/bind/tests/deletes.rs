//! DELETE.

use cellgate_schemaless::{Erasure, RowKey};

use crate::command::Command;
use crate::error::SqlError;
use crate::testing::bound;

#[test]
fn deletes_are_erasures_by_key() {
    let erased = |condition: &str| match bound(&format!("DELETE FROM trips WHERE {condition}")) {
        Ok(Command::Erase(erase)) => erase.what,
        other => panic!("{condition}: {other:?}"),
    };
    assert!(matches!(&erased("row_key = 'a'")[..], [Erasure::Row(_)]));
    assert!(matches!(&erased("row_key IN ('a', 'b')")[..], [Erasure::Row(_), Erasure::Row(_)]));
    assert!(matches!(&erased("row_key = 'a' AND column_key = 'x'")[..], [Erasure::Column(..)]));
    assert!(matches!(&erased("row_key = 'a' AND column_key = 'x' AND ref_key = 1")[..], [Erasure::Cell(_)]));
    assert_eq!(erased("row_key = NULL"), []);
    // Bytes are a key also beside a number.
    let rows = ["5", "A"].map(|key| Erasure::Row(RowKey::new(key).unwrap()));
    assert_eq!(erased("row_key IN (X'41', 5)"), rows);
    // A LIMIT that cannot be in the way.
    let cells = "(row_key = 'a') AND (column_key = 'x') AND (ref_key IN (1, 2))";
    for limit in ["2", "9", "'2'"] {
        let erased = erased(&format!("{cells} LIMIT {limit}"));
        assert!(matches!(&erased[..], [Erasure::Cell(_), Erasure::Cell(_)]), "{limit}: {erased:?}");
    }
    assert!(matches!(&erased("row_key = 'a' AND column_key = 'x' AND ref_key = 1 LIMIT 1")[..], [Erasure::Cell(_)]));
    assert_eq!(erased(&format!("{cells} LIMIT 0")), []);
    assert_eq!(erased("row_key = NULL LIMIT 1"), []);
    for number in ["'1'", "' 1.0 '", "'1e0'", "'+1'", "0x01", "1.0"] {
        let one = erased(&format!("row_key = 'a' AND column_key = 'x' AND ref_key = {number}"));
        assert!(matches!(&one[..], [Erasure::Cell(cell)] if cell.ref_key.0 == 1), "{number}: {one:?}");
    }
    for begins in [
        "row_key = 'a' AND column_key = 'x' AND ref_key = '1abc'",
        "row_key = 'a' AND column_key = 'x' AND '1abc' = ref_key",
        "row_key = 'a' AND column_key = 'x' AND ref_key <=> _binary '1abc'",
        "row_key = 'a' AND column_key = 'x' AND ref_key IN (1, '1abc')",
        "row_key = 'a' AND column_key = 'x' AND ref_key BETWEEN '1abc' AND 1",
        "(row_key, column_key, ref_key) IN (('a', 'x', 1), ('a', 'x', '1abc'))",
        "(row_key, column_key, ref_key) = ('a', 'x', '1abc') OR row_key = 'b'",
    ] {
        assert_eq!(
            bound(&format!("DELETE FROM trips WHERE {begins}")).unwrap_err().to_string(),
            "Truncated incorrect INTEGER value: '1abc'; nothing was erased: give ref_key a number",
            "{begins}"
        );
    }
    for condition in [
        "row_key = 'a' AND (column_key = '2026-01-05' OR '2026-01-06')",
        "row_key = 'a' AND (column_key = 'x' OR column_key = 'y' OR 'STATUS')",
        "row_key = 'a' AND '1x'",
        "row_key = 'a' OR 'b'",
        "row_key = 'a' AND (column_key = 'x' OR _binary '1x')",
        "'1x'",
    ] {
        let refused = bound(&format!("DELETE FROM trips WHERE {condition}"));
        assert!(matches!(refused, Err(SqlError::Truncated { .. })), "{condition}: {refused:?}");
    }
    assert!(matches!(&erased("row_key = 'a' AND '1'")[..], [Erasure::Row(_)]));
    for none in ["''", "'abc'", "'inf'", "'nan'", "'0x1'", "'1 2'", "'.'"] {
        let text = format!("DELETE FROM trips WHERE row_key = 'a' AND column_key = 'x' AND ref_key = {none}");
        assert!(matches!(bound(&text), Err(SqlError::WrongNumber(..))), "{text}");
    }
    for refused in [
        "DELETE FROM trips",
        "DELETE FROM trips WHERE column_key = 'a'",
        "DELETE FROM trips WHERE row_key = 'a' AND ref_key > 1",
        "DELETE FROM trips WHERE row_key = 'a' AND ref_key = 1",
        "DELETE FROM trips WHERE row_key = 'a' AND body = '1'",
        "DELETE FROM trips WHERE row_key <> 'a'",
        "DELETE FROM trips WHERE row_key = 'a' LIMIT 1",
        "DELETE FROM trips WHERE row_key = 'a' AND column_key = 'x' LIMIT 1",
        "DELETE FROM trips WHERE row_key = 'a' AND column_key = 'x' AND ref_key IN (1, 2) LIMIT 1",
        "DELETE FROM trips WHERE row_key = 'a' AND column_key = 'x' AND ref_key = 1 ORDER BY ref_key LIMIT 1",
        "DELETE FROM trips WHERE row_key = 'a' OR added_id > 1",
        "DELETE FROM trips WHERE row_key = 'a' AND SHARD = 1",
    ] {
        assert!(matches!(bound(refused), Err(SqlError::Unsupported { .. })), "{refused}");
    }
    // What is missing, or too much, is what is named.
    let many = (0..200).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    for (condition, named) in [
        ("row_key = 'e' AND ref_key = 3", "DELETE by ref_key without column_key"),
        ("row_key IN ('e', 'f') AND ref_key IN (3, 4)", "DELETE by ref_key without column_key"),
        ("column_key = 'a' AND ref_key = 3", "DELETE without row_key"),
        ("ref_key = 3", "DELETE without row_key"),
        ("row_key = 'a' AND ref_key > 1", "DELETE by a range of ref_key"),
        ("row_key = 'a' AND column_key = 'x' AND ref_key BETWEEN 1 AND 3", "DELETE by a range of ref_key"),
        (&format!("row_key IN ({many}) AND column_key IN ({many}) AND ref_key IN ({many})"), "DELETE of so many keys"),
    ] {
        let error = bound(&format!("DELETE FROM trips WHERE {condition}")).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{named} is not supported")), "{condition}: {error}");
    }
}
