//! What a SELECT asks the store for.

use cellgate_schemaless::{ColumnFilter, Direction, LatestKey, RefKey, RefRange, Request, RowKey, RowSet, ShardId};

use super::{cells, request};
use crate::error::SqlError;
use crate::testing::{bound, read, rows};

#[test]
fn three_keys_are_a_get() {
    let Request::Get { keys, .. } =
        request("SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 2")
    else {
        panic!("not a get")
    };
    assert_eq!(keys.len(), 1);
    assert_eq!(
        rows("SELECT body FROM trips WHERE ref_key = '2' AND column_key = 'BASE' AND row_key = 'a'", &cells()),
        [r#"{"fare":12,"city":"SF"}"#]
    );
}

#[test]
fn the_latest_cell_is_asked_for_as_such() {
    let latest = |text: &str| match request(text) {
        Request::Latest { keys, .. } => keys.into_iter().map(|k: LatestKey| k.at_most).collect::<Vec<_>>(),
        other => panic!("{text}: {other:?}"),
    };
    let base = "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE'";
    assert_eq!(latest(&format!("{base} ORDER BY ref_key DESC LIMIT 1")), [None]);
    assert_eq!(latest(&format!("{base} AND ref_key <= 1 ORDER BY ref_key DESC LIMIT 1")), [Some(RefKey(1))]);
    assert_eq!(latest(&format!("{base} AND ref_key < 1.5 ORDER BY ref_key DESC LIMIT 0, 1")), [Some(RefKey(1))]);
    // More than the latest is asked for, or it must be filtered first.
    for (rest, limit) in [
        ("ORDER BY ref_key DESC LIMIT 2", Some(2)),
        ("AND body->>'$.fare' = '10' ORDER BY ref_key DESC LIMIT 1", None),
        ("AND ref_key >= 1 ORDER BY ref_key DESC LIMIT 1", Some(1)),
        ("ORDER BY ref_key DESC LIMIT 1 OFFSET 1", Some(2)),
    ] {
        let Request::Rows { scan, .. } = request(&format!("{base} {rest}")) else { panic!("{rest}") };
        assert_eq!((scan.direction, scan.limit), (Direction::Descending, limit), "{rest}");
    }
    let filtered = format!("{base} AND body->>'$.fare' = '10' ORDER BY ref_key DESC LIMIT 1");
    assert_eq!(rows(&filtered, &cells()), [r#"{"fare":10,"city":"SF"}"#]);
}

#[test]
fn the_cells_of_rows_come_in_key_order() {
    let Request::Rows { scan, .. } =
        request("SELECT * FROM trips WHERE row_key IN ('b', 'a', 'a') AND ref_key BETWEEN 1 AND 2 ORDER BY row_key")
    else {
        panic!("not rows")
    };
    assert_eq!(scan.refs, RefRange { min: Some(RefKey(1)), max: Some(RefKey(2)) });
    let RowSet::Rows(keys, ColumnFilter::All) = scan.set else { panic!("{:?}", scan.set) };
    assert_eq!(keys, [RowKey::new("a").unwrap(), RowKey::new("b").unwrap()]);
    assert_eq!(
        rows(
            "SELECT row_key, column_key, ref_key FROM trips WHERE row_key IN ('a', 'c') ORDER BY 1 DESC, 2 DESC, 3 DESC",
            &cells()
        ),
        ["c|STATUS|5", "c|NOTE|1", "a|STATUS|1", "a|BASE|2", "a|BASE|1"]
    );
}

#[test]
fn a_partition_read_is_the_log_of_its_shards() {
    let Request::Log { scan, .. } = request(
        "SELECT row_key FROM trips PARTITION (p1, p3) WHERE added_id > 5 AND created_at >= '2023-11-14 22:13:20' \
         AND column_key = 'BASE' ORDER BY shard, added_id LIMIT 10",
    ) else {
        panic!("not a log")
    };
    assert_eq!(scan.shards, [ShardId(1), ShardId(3)]);
    assert_eq!(scan.limit, Some(10));
    assert_eq!(scan.added_after.map(|a| a.0), Some(5));
    assert_eq!(scan.created_from.map(|t| t.0), Some(1_700_000_000_000_000));
    assert!(!read("SELECT row_key FROM trips PARTITION (p1) ORDER BY added_id").scatter);
    assert!(read("SELECT row_key FROM trips").scatter);
    assert!(matches!(
        bound("SELECT * FROM trips WHERE added_id = 7"),
        Err(SqlError::Unsupported { what, .. }) if what.contains("added_id = n")
    ));
    assert!(bound("SELECT * FROM trips PARTITION (p0) WHERE added_id = 7").is_ok());
    assert!(bound("SELECT * FROM trips PARTITION (p8)").is_err(), "there are eight shards");
}

#[test]
fn the_row_shape_gives_the_latest_body_of_each_named_column() {
    assert_eq!(
        rows("SELECT row_key, BASE, STATUS FROM trips WHERE row_key IN ('a','b','c','nobody')", &cells()),
        [r#"a|{"fare":12,"city":"SF"}|"done""#, r#"b|{"fare":7,"city":"NY"}|"new""#, r#"c|NULL|"open""#,]
    );
    assert_eq!(rows("SELECT base->>'$.fare' f FROM trips WHERE row_key = 'a'", &cells()), ["12"]);
    assert_eq!(
        rows("SELECT row_key FROM trips WHERE STATUS = 'new' ORDER BY row_key", &cells()),
        Vec::<String>::new(),
        "a row without any of the named cells is no row"
    );
    assert_eq!(
        rows("SELECT row_key, STATUS FROM trips WHERE BASE->'$.fare' >= 7 ORDER BY BASE->'$.fare'", &cells()),
        ["b|\"new\"", "a|\"done\""]
    );
    assert!(read("SELECT STATUS FROM trips").scatter);
    for mixed in [
        "SELECT body, STATUS FROM trips WHERE row_key = 'a'",
        "SELECT *, STATUS FROM trips",
        "SELECT STATUS FROM trips WHERE ref_key = 1",
    ] {
        assert!(matches!(bound(mixed), Err(SqlError::Unsupported { .. })), "{mixed}");
    }
    let Err(SqlError::UnknownColumn { hint, .. }) = bound("SELECT FARE FROM trips WHERE row_key = 'a'") else {
        panic!("FARE is not declared")
    };
    assert!(hint.contains("ALTER TABLE trips ADD COLUMN FARE JSON"), "{hint}");
}
