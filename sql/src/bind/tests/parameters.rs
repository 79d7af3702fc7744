//! Parameters that are times: what of them is shown, and what they are compared as.

use cellgate_schemaless::Micros;

use crate::command::Command;
use crate::error::SqlError;
use crate::parameters::{Parameters, TimeType};
use crate::testing::{Session, cell, run, shown};
use crate::value::{ColumnType, Value};

/// 2023-01-05 10:00:00.
const TEN: i64 = 1_672_912_800_000_000;
/// Its midnight.
const DAY: i64 = 1_672_876_800_000_000;

fn bound(text: &str, at: i64, time: Option<TimeType>) -> Command {
    let statement = crate::parse(text, crate::SqlMode::default()).unwrap().remove(0);
    let mut params = Parameters::default();
    for _ in 0..statement.parameters() {
        params.push(Value::DateTime(Micros(at)), time);
    }
    crate::bind(&statement, &params, &Session::new()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn answer(text: &str, at: i64, time: Option<TimeType>) -> String {
    match bound(text, at, time) {
        Command::Read(read) => run(&read, &[]).unwrap().first().map(shown).unwrap_or_default(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_date_is_a_date_wherever_it_is_read() {
    let date = |text| answer(text, DAY, Some(TimeType::Date));
    assert_eq!(date("SELECT ? + 0"), "20230105");
    assert_eq!(date("SELECT CONCAT(?), LENGTH(?)"), "2023-01-05|10");
    assert_eq!(date("SELECT ? = 20230105, ? = '2023-1-5', ? BETWEEN '2023-1-4' AND '2023-1-6'"), "1|1|1");
    assert_eq!(date("SELECT JSON_ARRAY(?)"), "[\"2023-01-05\"]");
    match bound("SELECT ?, ? + INTERVAL 1 DAY", DAY, Some(TimeType::Date)) {
        Command::Read(read) => {
            let types: Vec<_> = read.shape.columns().iter().map(|column| column.ty).collect();
            assert_eq!(types, [ColumnType::Date, ColumnType::Date]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_time_shows_the_digits_it_was_bound_with() {
    assert_eq!(answer("SELECT CONCAT(?), ? + 0", TEN, Some(TimeType::Seconds)), "2023-01-05 10:00:00|20230105100000");
    assert_eq!(answer("SELECT CONCAT(?)", TEN, None), "2023-01-05 10:00:00.000000");
    match bound("SELECT ?", TEN, Some(TimeType::Seconds)) {
        Command::Read(read) => assert_eq!(read.shape.columns()[0].decimals, 0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_time_as_a_key_is_its_text() {
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, 'BASE', 1, '1')";
    for (at, time, key) in [
        (DAY, Some(TimeType::Date), "2023-01-05"),
        (TEN, Some(TimeType::Seconds), "2023-01-05 10:00:00"),
        (TEN, None, "2023-01-05 10:00:00.000000"),
    ] {
        match bound(insert, at, time) {
            Command::Put(put) => assert_eq!(put.cells[0].row.as_bytes(), key.as_bytes()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_time_of_day_is_one_wherever_it_is_read() {
    let with = |text: &str, time: &'static str| {
        let statement = crate::parse(text, crate::SqlMode::default()).unwrap().remove(0);
        let mut params = Parameters::default();
        for _ in 0..statement.parameters() {
            params.push(Value::Text(time.into()), Some(TimeType::Clock));
        }
        crate::bind(&statement, &params, &Session::new())
    };
    match with("SELECT ?, ? + 0, CONCAT(?), ? > 90000, ? = '10:11:12.500000', -?", "10:11:12.500000").unwrap() {
        Command::Read(read) => {
            let (ty, decimals) = (read.shape.columns()[0].ty, read.shape.columns()[0].decimals);
            assert_eq!((ty, decimals), (ColumnType::Time, 6));
            let row = run(&read, &[]).unwrap().first().map(shown).unwrap_or_default();
            assert_eq!(row, "10:11:12.500000|101112.500000|10:11:12.500000|1|1|-101112.500000");
        }
        other => panic!("{other:?}"),
    }
    match with("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, 'BASE', 1, '1')", "10:11:12").unwrap()
    {
        Command::Put(put) => assert_eq!(put.cells[0].row.as_bytes(), "10:11:12".as_bytes()),
        other => panic!("{other:?}"),
    }
    match with("SELECT body FROM trips WHERE row_key = ? AND column_key = 'BASE' AND ref_key = 1", "10:11:12").unwrap()
    {
        Command::Read(read) => assert!(format!("{:?}", read.source).contains("10:11:12"), "{:?}", read.source),
        other => panic!("{other:?}"),
    }
    // MySQL would take today's date for it.
    for text in [
        "SELECT ? = NOW()",
        "SELECT CAST(? AS DATETIME)",
        "SELECT ? + INTERVAL 1 HOUR",
        "SELECT UNIX_TIMESTAMP(?)",
        "SELECT CONVERT_TZ(?, '+00:00', '+02:00')",
        "SELECT EXTRACT(DAY FROM ?)",
        "SELECT EXTRACT(YEAR_MONTH FROM ?)",
        "SELECT EXTRACT(WEEK FROM ?)",
    ] {
        assert!(matches!(with(text, "10:11:12"), Err(SqlError::Unsupported { .. })), "{text}");
    }
}

#[test]
fn each_parameter_keeps_the_type_of_its_place() {
    let statement = crate::parse("SELECT CONCAT(?, '|', ?, '|', ?)", crate::SqlMode::default()).unwrap().remove(0);
    let mut params = Parameters::with_capacity(3);
    params.push(Value::Int(7), None);
    params.push(Value::DateTime(Micros(DAY)), Some(TimeType::Date));
    params.push(Value::DateTime(Micros(TEN)), None);
    match crate::bind(&statement, &params, &Session::new()) {
        Ok(Command::Read(read)) => {
            let rows = run(&read, &[]).unwrap();
            assert_eq!(shown(&rows[0]), "7|2023-01-05|2023-01-05 10:00:00.000000");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_out_of_a_row_that_is_no_time_is_below_every_time() {
    let cells = ["n/a", "2023-01-05", ""].map(|d| cell("a", "BASE", 1, &format!("{{\"d\":\"{d}\"}}"), 1));
    let rows = |item: &str| match bound(&format!("SELECT {item} FROM trips WHERE row_key = 'a'"), DAY, None) {
        Command::Read(read) => cells
            .iter()
            .map(|cell| run(&read, std::slice::from_ref(cell)).map_or_else(|e| e.to_string(), |rows| shown(&rows[0])))
            .collect::<Vec<_>>()
            .join(" "),
        other => panic!("{other:?}"),
    };
    for (item, expected) in [
        ("body->>'$.d' = ?", "0 1 0"),
        ("? = body->>'$.d'", "0 1 0"),
        ("? <> body->>'$.d'", "1 0 1"),
        ("? <=> body->>'$.d'", "0 1 0"),
        ("body->>'$.d' < ?", "1 0 1"),
        ("? < body->>'$.d'", "0 0 0"),
        ("body->'$.d' >= ?", "0 1 0"),
        ("CONCAT(body->>'$.d') BETWEEN ? AND ?", "0 1 0"),
        ("? BETWEEN body->>'$.d' AND 20230106", "1 1 1"),
        ("body->>'$.d' IN (?, 'x')", "0 1 0"),
        ("? IN (body->>'$.d', body->'$.d')", "0 1 0"),
        ("(1, body->>'$.d') = (1, ?)", "0 1 0"),
        ("(1, body->>'$.d') <=> (1, ?)", "0 1 0"),
        ("(1, body->>'$.d') IN ((1, ?))", "0 1 0"),
        ("CASE ? WHEN body->>'$.d' THEN 1 ELSE 0 END", "0 1 0"),
        ("NULLIF(body->>'$.d', ?)", "n/a NULL "),
        ("body->>'$.d' < created_at", "1 1 1"),
    ] {
        assert_eq!(rows(item), expected, "{item}");
    }
}

#[test]
fn a_constant_that_is_no_time_beside_one_is_an_error() {
    for item in ["? = 'n/a'", "'' < ?", "? <=> CONCAT('n', '/a')", "? IN ('n/a')", "NULLIF('', ?)", "(1, ?) = (1, '')"]
    {
        match bound(&format!("SELECT {item}"), DAY, Some(TimeType::Date)) {
            Command::Read(read) => {
                let error = run(&read, &[]).err();
                assert!(matches!(error, Some(SqlError::WrongTime(_))), "{item}: {error:?}");
            }
            other => panic!("{item}: {other:?}"),
        }
    }
    assert_eq!(answer("SELECT ? BETWEEN 'n/a' AND 'n/a', CASE ? WHEN '' THEN 1 END", DAY, None), "0|NULL");
}
