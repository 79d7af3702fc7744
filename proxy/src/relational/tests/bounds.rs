//! What a statement may take: time, steps, memory, and how much of it there may be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_schemaless::TableDef;
use cellgate_sql::{SqlError, Value};

use super::super::{RelationalFailure, State};
use super::{Session, table, until};
use crate::catalog::{CatalogDocument, Snapshot};

#[test]
fn a_statement_that_takes_too_long_ends() {
    let session = Session::new();
    let program = session
        .program(
            "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, \
             information_schema.columns c, information_schema.columns d, information_schema.columns e",
            &[],
        )
        .unwrap();
    let (soon, _waiting) = until(Duration::from_millis(50));
    let ended = session.engine.run_now(&Arc::new(program), &session.catalog, &State::default(), &soon);
    assert!(matches!(ended, Err(RelationalFailure::Timeout)), "{ended:?}");
    assert_eq!(session.rows("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'shop'"), ["1"]);
}

#[test]
fn what_a_select_names_is_bounded() {
    let session = Session::new();
    let list = |what: &str, n: usize| (1..=n).map(|n| what.replace('#', &n.to_string())).collect::<Vec<_>>().join(", ");
    let from = "FROM information_schema.tables";
    let nested = (0..5).fold("1".to_owned(), |inner, level| {
        format!("EXISTS (SELECT 1 FROM {} WHERE {inner})", list(&format!("information_schema.tables t{level}_#"), 60))
    });
    for (text, said) in [
        (format!("SELECT {nested}"), "exceeds 256 (tables)"),
        (format!("SELECT {} {from}", list("1 AS c#", 2_000)), "Too many columns: a SELECT has at most 1999"),
        (format!("SELECT 1 {from} ORDER BY {}", list("table_rows + #", 65)), "exceeds 64 (keys)"),
        (format!("SELECT 1 {from} GROUP BY {}", list("table_rows + #", 65)), "exceeds 64 (keys)"),
    ] {
        let error = session.error(&text);
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(session.rows(&format!("SELECT COUNT(*) AS n {from} ORDER BY {}", list("n", 100))).len(), 1);
    // As many columns as there can be, in whatever they pass through.
    let one = format!("{from} WHERE table_name = 'trips'");
    let widest = format!("SELECT {} {one}", list("table_rows + # AS c#", 1_999));
    for text in [
        format!("{widest} LIMIT 1"),
        format!("{widest} ORDER BY c1, table_name LIMIT 1"),
        format!("{widest} GROUP BY {} LIMIT 1", list("c#", 64)),
        widest.replacen("SELECT", "SELECT DISTINCT", 1) + " LIMIT 1",
        format!("{widest} UNION {widest} LIMIT 1"),
        format!("SELECT d.* FROM ({widest}) d ORDER BY c1999 LIMIT 1"),
    ] {
        assert_eq!(session.rows(&text).len(), 1);
    }
}

/// A statement may have SQLite hold what the statement itself may, in whichever way it does.
#[test]
fn what_is_held_to_sort_group_or_shape_is_bounded() {
    let mut session = Session::new();
    session.bytes = 8 << 20;
    let two = "information_schema.COLUMNS a, information_schema.COLUMNS b";
    let long = "x".repeat(1 << 20);
    let made = format!("CONCAT('{long}', a.COLUMN_NAME, b.COLUMN_NAME)");
    let once = format!("(SELECT CONCAT('{long}', COLUMN_NAME) x FROM information_schema.COLUMNS LIMIT 1) d");
    let all = format!("(SELECT {made} x, b.COLUMN_NAME y FROM {two}) d");
    // As long as what is made, and no longer than what counts wherever it goes.
    let short = format!("CONCAT('{}', a.COLUMN_NAME, b.COLUMN_NAME, c.COLUMN_NAME)", "x".repeat(3000));
    let three = format!("{two}, information_schema.COLUMNS c");
    for text in [
        format!("SELECT {made} x FROM {two} ORDER BY x"),
        format!("SELECT {made} x FROM {two} ORDER BY 1 LIMIT 1"),
        format!("SELECT 1 FROM {two} ORDER BY {made} LIMIT 1"),
        format!("SELECT COUNT(*) FROM (SELECT DISTINCT {made} x FROM {two}) d"),
        format!("SELECT {made} x, COUNT(*) FROM {two} GROUP BY x LIMIT 1"),
        format!("SELECT COUNT(*) FROM {two} GROUP BY {made} LIMIT 1"),
        format!("SELECT COUNT(*) FROM (SELECT {made} x FROM {two} UNION SELECT '') d"),
        format!("SELECT COUNT(DISTINCT {made}) FROM {two}"),
        format!("SELECT COUNT(*) FROM {two} WHERE 'x' IN (SELECT {made} FROM {two})"),
        format!("SELECT ROW_NUMBER() OVER (ORDER BY {made}) FROM {two} LIMIT 1"),
        format!("SELECT MAX(x), y FROM {all} GROUP BY y LIMIT 1"),
        format!("SELECT '{long}' x, a.COLUMN_NAME FROM {two} ORDER BY 2 LIMIT 1"),
        format!("SELECT d.x, a.COLUMN_NAME FROM {once}, {two} ORDER BY 2 LIMIT 1"),
        format!("SELECT MAX(d.x), a.COLUMN_NAME FROM {once}, {two} GROUP BY 2, b.COLUMN_NAME LIMIT 1"),
        format!("SELECT (SELECT x FROM {once}) y, a.COLUMN_NAME FROM {two} ORDER BY 2 LIMIT 1"),
        format!("SELECT {} FROM {all} LIMIT 1", vec!["x"; 90].join(",")),
        format!("SELECT GROUP_CONCAT(1 ORDER BY {made}) FROM {two}"),
        format!("SELECT {short} x FROM {three} ORDER BY x LIMIT 1"),
        format!("SELECT COUNT(*) FROM {three} GROUP BY {short} LIMIT 1"),
        format!("SELECT COUNT(*) FROM (SELECT DISTINCT {short} x FROM {three}) d"),
        format!("SELECT GROUP_CONCAT(DISTINCT {short}), SUM(DISTINCT {short}) FROM {three}"),
        format!("SELECT COUNT(*) FROM (SELECT {short} x FROM {three} LIMIT 100000) d GROUP BY x LIMIT 1"),
        format!("SELECT a.ORDINAL_POSITION FROM {three}, information_schema.COLUMNS d ORDER BY 1 LIMIT 1"),
        // What is made once is held for each row of the others, wherever SQLite puts the loops.
        format!("SELECT MAX(d.x), COUNT(e.z) FROM {once}, (SELECT 1 z FROM {two}) e WHERE e.z = 1 GROUP BY d.x, e.z"),
        format!("SELECT d.x FROM {once}, (SELECT 1 z FROM {two}) e WHERE e.z = 1 ORDER BY e.z + 1 LIMIT 1"),
        format!(
            "SELECT COUNT(*) FROM information_schema.TABLES t LEFT JOIN (SELECT x FROM {all}) e ON e.x = t.TABLE_NAME"
        ),
        format!("SELECT COUNT(*) FROM (SELECT {made} x FROM {two} EXCEPT SELECT '') d"),
        format!("SELECT COUNT(*) FROM information_schema.ENGINES e LEFT JOIN ({three}) ON a.COLUMN_NAME = e.ENGINE"),
        format!("SELECT COUNT(*) FROM information_schema.ENGINES e LEFT JOIN ({two} JOIN {once}) ON d.x = e.ENGINE"),
        format!("SELECT COUNT(*) FROM information_schema.ENGINES e RIGHT JOIN ({two} JOIN {once}) ON d.x = e.ENGINE"),
        format!(
            "SELECT COUNT(*) FROM information_schema.ENGINES e JOIN ({two} JOIN {once}) ON d.x = e.ENGINE \
             RIGHT JOIN information_schema.ENGINES f ON e.ENGINE = f.ENGINE"
        ),
        format!(
            "SELECT COUNT(*) FROM information_schema.ENGINES e JOIN ({two} RIGHT JOIN {once} ON d.x > b.COLUMN_NAME) \
             ON d.x = e.ENGINE"
        ),
        format!(
            "SELECT COUNT(*) FROM information_schema.ENGINES e LEFT JOIN ({two} LEFT JOIN information_schema.ENGINES f \
             ON f.ENGINE = b.COLUMN_NAME) ON a.COLUMN_NAME = e.ENGINE"
        ),
        format!("SELECT '' x EXCEPT SELECT {short} FROM {three}"),
        format!("SELECT '' x INTERSECT SELECT {short} FROM {three}"),
    ] {
        let shown: String = text.replace(&long, "..").chars().take(200).collect();
        match session.run(&text, &[]) {
            Err(RelationalFailure::Sql(SqlError::Limit { name: "limits.collect_bytes", .. })) => {}
            other => panic!("{shown}: {:?}", other.map(|rows| rows.len())),
        }
    }
    // What is not held counts only while its row is on its way.
    let rows = session.rows(&format!("SELECT LENGTH({short}) > 3000, {short} = 'x' FROM {three} LIMIT 4000"));
    assert_eq!(rows.len(), 4000);
}

/// What clients ask of a large catalog is far from the bound.
#[test]
fn what_clients_ask_of_a_thousand_tables_is_answered() {
    let mut session = Session::new();
    session.bytes = 64 << 20;
    let columns = [("profile", None), ("status", Some("\"new\"")), ("note", None), ("total", None)];
    let tables: Vec<TableDef> =
        (1..=1000).map(|n| table(n, "shop", &format!("a_table_with_a_long_name_{n}"), &columns)).collect();
    let document =
        CatalogDocument { databases: vec!["shop".into()], tables, last_table_id: 1000, ..Default::default() };
    session.catalog = Arc::new(Snapshot::new(1, &document));
    for (text, rows) in [
        (
            "SELECT * FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' ORDER BY TABLE_NAME, ORDINAL_POSITION",
            10_000,
        ),
        ("SELECT DISTINCT c.* FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = 'shop'", 10_000),
        (
            "SELECT t.TABLE_NAME, GROUP_CONCAT(c.COLUMN_NAME ORDER BY c.ORDINAL_POSITION), COUNT(DISTINCT c.DATA_TYPE) \
             FROM information_schema.TABLES t JOIN information_schema.COLUMNS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND \
             c.TABLE_NAME = t.TABLE_NAME WHERE t.TABLE_SCHEMA = 'shop' GROUP BY t.TABLE_NAME ORDER BY 1",
            1000,
        ),
        (
            "SELECT A.TABLE_SCHEMA, A.TABLE_NAME, A.COLUMN_NAME, A.INDEX_NAME, A.SEQ_IN_INDEX, B.COLUMN_TYPE FROM \
             (SELECT * FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop') A LEFT JOIN (SELECT * FROM \
             information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop') B ON A.TABLE_NAME = B.TABLE_NAME AND A.COLUMN_NAME = \
             B.COLUMN_NAME ORDER BY A.TABLE_NAME, A.INDEX_NAME, A.SEQ_IN_INDEX",
            3000,
        ),
        (
            "SELECT kcu.CONSTRAINT_NAME, CONCAT('`', kcu.TABLE_NAME, '`.`', kcu.COLUMN_NAME, '`') AS path, tc.CONSTRAINT_TYPE \
             FROM information_schema.KEY_COLUMN_USAGE kcu JOIN information_schema.TABLE_CONSTRAINTS tc ON \
             kcu.CONSTRAINT_NAME = tc.CONSTRAINT_NAME AND kcu.TABLE_NAME = tc.TABLE_NAME AND kcu.TABLE_SCHEMA = \
             tc.TABLE_SCHEMA WHERE kcu.TABLE_SCHEMA = 'shop' UNION SELECT INDEX_NAME, COLUMN_NAME, 'i' FROM \
             information_schema.STATISTICS ORDER BY 2",
            3003,
        ),
        (
            "SELECT TABLE_NAME, (SELECT COUNT(*) FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = t.TABLE_SCHEMA AND \
             c.TABLE_NAME = t.TABLE_NAME) n FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = 'shop' AND TABLE_NAME IN \
             (SELECT TABLE_NAME FROM information_schema.STATISTICS s WHERE s.TABLE_SCHEMA = 'shop') AND EXISTS (SELECT 1 FROM \
             information_schema.STATISTICS s WHERE s.TABLE_NAME = t.TABLE_NAME) ORDER BY n, 1",
            1000,
        ),
    ] {
        assert_eq!(session.rows(text).len(), rows, "{text}");
    }
}

#[test]
fn the_functions_of_a_program_end_with_its_time() {
    let session = Session::new();
    let text = format!("CONCAT(COLUMN_NAME, '{}') LIKE '%{}b'", "a".repeat(30_000), "a".repeat(8_000));
    for text in [
        format!("SELECT COUNT(*) FROM information_schema.COLUMNS WHERE {text}"),
        format!("SELECT MAX({text}) FROM information_schema.COLUMNS"),
        "SELECT SUM(a.ORDINAL_POSITION + b.ORDINAL_POSITION + c.ORDINAL_POSITION) \
         FROM information_schema.COLUMNS a, information_schema.COLUMNS b, information_schema.COLUMNS c"
            .to_owned(),
    ] {
        let program = Arc::new(session.program(&text, &[]).unwrap());
        let began = Instant::now();
        let (until, _waiting) = until(Duration::from_millis(300));
        let ended = session.engine.run_now(&program, &session.catalog, &State::default(), &until);
        assert!(matches!(ended, Err(RelationalFailure::Timeout)), "{ended:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

#[test]
fn a_row_beyond_what_sqlite_holds_is_refused_by_name() {
    let session = Session { bytes: 256 << 20, ..Session::new() };
    let value = |bytes: usize| Value::Text("x".repeat(bytes).into());
    let distinct = "SELECT DISTINCT ?, ?, ENGINE FROM information_schema.ENGINES";
    let one = "SELECT ? FROM information_schema.ENGINES";
    for (text, parameters) in [(distinct, vec![value(40 << 20), value(40 << 20)]), (one, vec![value(65 << 20)])] {
        let parameters = parameters.as_slice();
        let refused = session.run(text, parameters).map(|rows| rows.len());
        let is_named = matches!(refused, Err(RelationalFailure::Sql(SqlError::Limit { name: "row_bytes", .. })));
        assert!(is_named, "{refused:?}");
    }
    assert_eq!(session.engine.idle.lock().unwrap().len(), 1, "the engine is used again");
}

/// Clients' statements run on threads that have as much stack as this one.
#[test]
fn sets_as_long_as_they_can_be_have_room_on_a_thread() {
    let work = || {
        let session = Session::new();
        let set = |operator: &str, more: usize| format!("SELECT 1 n{}", format!(" {operator} SELECT 1").repeat(more));
        for (operator, rows) in [("INTERSECT", 1), ("UNION", 1), ("UNION ALL", 400), ("EXCEPT", 0)] {
            let text = set(operator, 399);
            assert_eq!(session.rows(&text).len(), rows, "{operator}");
            let error = session.program(&set(operator, 400), &[]).unwrap_err();
            assert!(matches!(error, SqlError::Limit { name: "unions", .. }), "{error:?}");
            // Within others it is as long, or said to be too deep.
            let deep = format!("SELECT n FROM (SELECT n FROM (SELECT n FROM ({text}) a) b) c");
            match session.run(&deep, &[]) {
                Ok(found) => assert_eq!(found.len(), rows, "{operator}"),
                Err(RelationalFailure::Sql(SqlError::Limit { name: "depth", .. })) => {}
                Err(error) => panic!("{operator}: {error:?}"),
            }
        }
        let mixed = format!("{} EXCEPT {}", set("EXCEPT", 300), set("INTERSECT", 300));
        match session.run(&mixed, &[]) {
            Ok(rows) => assert_eq!(rows.len(), 0),
            Err(RelationalFailure::Sql(SqlError::Limit { name: "depth", .. })) => {}
            Err(error) => panic!("{error:?}"),
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn more_operands_and_steps_than_sqlite_takes_are_refused() {
    let session = Session::new();
    let columns = vec!["ORDINAL_POSITION"; 91].join(", ");
    for call in ["COALESCE", "CONCAT", "GROUP_CONCAT", "COUNT(DISTINCT"] {
        let close = if call.ends_with("DISTINCT") { " " } else { "(" };
        let text = format!("SELECT {call}{close}{columns}) FROM information_schema.COLUMNS");
        let error = session.program(&text, &[]).unwrap_err();
        assert!(matches!(error, SqlError::Limit { name: "operands", .. }), "{call}: {error:?}");
    }
    let all = "SELECT COUNT(*) FROM information_schema.COLUMNS a, information_schema.COLUMNS b, \
               information_schema.COLUMNS c, information_schema.COLUMNS d";
    let refused = session.run(all, &[]).unwrap_err();
    assert!(matches!(refused, RelationalFailure::Sql(SqlError::Limit { name: "steps", .. })), "{refused:?}");
}

#[test]
fn more_operators_over_a_column_than_sqlite_takes_are_refused() {
    let session = Session::new();
    let read = |value: &str| format!("SELECT {value} FROM information_schema.COLUMNS LIMIT 1");
    let many = |count| read(&format!("ORDINAL_POSITION - ORDINAL_POSITION{}", " + 1".repeat(count)));
    assert_eq!(session.rows(&many(399)), ["399"]);
    let refused = session.program(&many(5_000), &[]).unwrap_err();
    assert!(matches!(refused, SqlError::Limit { name: "operators", .. }), "{refused:?}");
    // Some within others.
    let deep = read(&format!("{}ORDINAL_POSITION{}", "(".repeat(60), format!("{})", " + 1".repeat(10)).repeat(60)));
    let refused = session.run(&deep, &[]).unwrap_err();
    assert!(matches!(refused, RelationalFailure::Sql(SqlError::Limit { name: "depth", .. })), "{refused:?}");
    assert_eq!(session.engine.idle.lock().unwrap().len(), 1, "the engine is used again");
}
