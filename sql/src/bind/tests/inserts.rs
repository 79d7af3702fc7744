//! INSERT.

use cellgate_schemaless::{NewCell, RefKey, RowKey, Version};

use crate::command::{Command, Put};
use crate::error::SqlError;
use crate::testing::{bound, cell, shown};

fn put(text: &str) -> Put {
    match bound(text) {
        Ok(Command::Put(put)) => put,
        other => panic!("{text}: {other:?}"),
    }
}

fn versions(cells: &[NewCell]) -> Vec<Version> {
    cells.iter().map(|c| c.version).collect()
}

#[test]
fn inserts_are_cells_in_the_order_of_the_statement() {
    let many = put(
        "INSERT INTO trips (body, ref_key, column_key, row_key) VALUES ('{}', 1, 'BASE', 'a'), ('[1]', NULL, 'X', 5), \
         (JSON_OBJECT('k', TRUE), DEFAULT, 'Y', X'00ff')",
    );
    assert_eq!(versions(&many.cells), [Version::Exact(RefKey(1)), Version::Next, Version::Next]);
    assert_eq!(many.rows, [0, 1, 2]);
    assert_eq!(many.cells[1].row, RowKey::new("5").unwrap());
    assert_eq!(many.cells[2].row, RowKey::new(&b"\x00\xff"[..]).unwrap());
    assert_eq!(&many.cells[2].body.as_bytes()[..], br#"{"k": true}"#);
    assert_eq!(
        versions(&put("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1')").cells),
        [Version::Next]
    );
    assert_eq!(put("INSERT INTO trips SET row_key='a', column_key='b', ref_key='20', body='1'").cells.len(), 1);
    let dump = put("INSERT INTO trips VALUES (17,'a','b',3,'{}','2024-01-01 00:00:00.000000')");
    assert!(dump.places_ignored && versions(&dump.cells) == [Version::Exact(RefKey(3))]);
    assert!(put("INSERT IGNORE INTO trips (row_key, column_key, body) VALUES ('a','b','1')").ignore);
}

#[test]
fn row_shape_inserts_are_a_cell_for_each_value() {
    let row = put("INSERT INTO trips (row_key, STATUS, BASE) VALUES ('a', '1', NULL), ('b', '2', '{}')");
    let columns: Vec<_> = row.cells.iter().map(|c| String::from_utf8_lossy(c.column.as_bytes()).into_owned()).collect();
    assert_eq!(columns, ["STATUS", "STATUS", "BASE"]);
    assert_eq!(row.rows, [0, 1, 1]);
    assert_eq!(versions(&row.cells), [Version::Next; 3]);
}

#[test]
fn what_cannot_be_inserted_is_refused_with_the_reason() {
    let refused = |text: &str| bound(text).expect_err(text);
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','{')"),
        SqlError::Value { row: 1, .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1'),('','b','1')"),
        SqlError::Value { row: 2, .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body) VALUES (NULL,'b','1')"),
        SqlError::NullColumn(_)
    ));
    assert!(matches!(refused("INSERT INTO trips (row_key, body) VALUES ('a','1')"), SqlError::NoDefault(_)));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b')"),
        SqlError::ColumnCount(1)
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, ROW_KEY, body) VALUES ('a','b','1')"),
        SqlError::ColumnTwice(_)
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a','b','x','1')"),
        SqlError::BadValue { out_of_range: false, .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a','b',9223372036854775808,'1')"),
        SqlError::BadValue { out_of_range: true, .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body, added_id) VALUES ('a','b','1', 5)"),
        SqlError::Unsupported { .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, body, STATUS) VALUES ('a','1','1')"),
        SqlError::Unsupported { .. }
    ));
    for immutable in [
        "UPDATE trips SET body = '1'",
        "REPLACE INTO trips VALUES (1)",
        "INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1') ON DUPLICATE KEY UPDATE body = VALUES(body)",
        "INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1') AS new ON DUPLICATE KEY UPDATE body = new.body",
    ] {
        assert!(matches!(refused(immutable), SqlError::Immutable { .. }), "{immutable}");
    }
    // Beside a name for the new rows, what it does not name is of the row that exists.
    let named = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a','b',1,'1') AS";
    for kept in [
        "new ON DUPLICATE KEY UPDATE row_key = trips.row_key",
        "`new` ON DUPLICATE KEY UPDATE `row_key` = `trips`.`row_key`, body = trips.body RETURNING ref_key",
        "new (r, c, v, b) ON DUPLICATE KEY UPDATE row_key = row_key, trips.body = trips.body",
    ] {
        let put = put(&format!("{named} {kept}"));
        assert!(put.ignore && put.cells.len() == 1, "{kept}");
    }
    for changes in
        ["new ON DUPLICATE KEY UPDATE row_key = NEW.row_key", "new (row_key, c, v, b) ON DUPLICATE KEY UPDATE body = b"]
    {
        assert!(matches!(refused(&format!("{named} {changes}")), SqlError::Immutable { .. }), "{changes}");
    }
    for (both, what) in [
        ("new ON DUPLICATE KEY UPDATE row_key = row_key", "ambiguous"),
        ("new (ROW_KEY, c, v, b) ON DUPLICATE KEY UPDATE row_key = row_key", "ambiguous"),
        ("trips ON DUPLICATE KEY UPDATE row_key = trips.row_key", "Not unique"),
        ("new ON DUPLICATE KEY UPDATE nosuch = trips.nosuch", "Unknown column"),
        ("new ON DUPLICATE KEY UPDATE body = nwe.body", "Unknown column 'nwe.body'"),
    ] {
        let error = refused(&format!("{named} {both}")).to_string();
        assert!(error.contains(what), "{both}: {error}");
    }
    // A row that exists stays; the next version is none that could, and an error is one.
    let unchanged = |cell: &str| format!("INSERT INTO trips {cell} ON DUPLICATE KEY UPDATE row_key = row_key");
    for (cell, is_division) in [
        ("(row_key, status) VALUES ('a', '1')", false),
        ("(row_key, column_key, body) VALUES ('a', 'b', '1')", false),
        ("(row_key, column_key, ref_key, body) VALUES ('a', 'b', 7 % 0, '1')", true),
    ] {
        let error = refused(&unchanged(cell));
        assert_eq!(matches!(error, SqlError::DivisionByZero), is_division, "{cell}: {error:?}");
        assert!(is_division || matches!(error, SqlError::Unsupported { .. }), "{cell}: {error:?}");
    }
    assert!(matches!(refused("INSERT INTO nothing (a) VALUES (1)"), SqlError::UnknownTable { .. }));
    assert!(matches!(refused("INSERT INTO other.trips (a) VALUES (1)"), SqlError::UnknownTable { .. }));
}

#[test]
fn returning_shows_the_cells_as_written() {
    let put = put("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1') RETURNING ref_key, body AS b");
    let shape = put.returning.unwrap();
    let mut shaping = shape.start();
    let mut rows = Vec::new();
    shaping.push(&cell("a", "b", 9, "1", 1), &mut rows).unwrap();
    let row = rows.remove(0);
    assert_eq!(shown(&row), "9|1");
    assert_eq!(shape.columns()[1].name, "b");
}
