//! What a session sets and does: its time zone and modes, locks, KILL.

use super::table;
use crate::command::{Command, KillScope, LockMode, TableLock};
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parameters::Parameters;
use crate::parse;
use crate::testing::{Session, bound, bound_with, cell, read_with, run, shown};
use crate::value::Value;

#[test]
fn times_are_shown_and_read_in_the_sessions_zone() {
    let mut env = Session::new();
    env.variables.insert("time_zone".into(), Value::Text("+02:00".into()));
    // 2023-11-14 22:13:21 in UTC.
    let cells = [cell("a", "c", 1, "1", 1)];
    let value = |text: &str| {
        let rows = run(&read_with(&env, text, &[]), &cells).unwrap();
        rows.iter().map(shown).collect::<Vec<_>>().join(";")
    };
    for (text, expected) in [
        ("SELECT created_at FROM trips WHERE row_key = 'a'", "2023-11-15 00:13:21.000000"),
        ("SELECT 1 FROM trips WHERE row_key = 'a' AND created_at = '2023-11-15 00:13:21'", "1"),
        ("SELECT COUNT(*) FROM trips WHERE created_at >= '2023-11-15 00:13:21'", "1"),
        ("SELECT COUNT(*) FROM trips WHERE created_at >= '2023-11-15 00:13:22'", "0"),
        ("SELECT UNIX_TIMESTAMP(created_at) FROM trips WHERE row_key = 'a'", "1700000001.000000"),
        ("SELECT FROM_UNIXTIME(1700000000)", "2023-11-15 00:13:20.000000"),
        ("SELECT UNIX_TIMESTAMP('2023-11-15 00:13:20'), UNIX_TIMESTAMP()", "1700000000|1700000000"),
        ("SELECT NOW(), UTC_TIMESTAMP()", "2023-11-15 00:13:20.000000|2023-11-14 22:13:20.000000"),
        ("SELECT CONCAT(CURDATE()), UTC_DATE() + 0", "2023-11-15|20231114"),
        ("SELECT CONVERT_TZ('2023-11-15 00:00:00', '+02:00', 'UTC')", "2023-11-14 22:00:00.000000"),
        ("SELECT FROM_UNIXTIME(-1)", "NULL"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn high_not_precedence_binds_not_to_its_operand() {
    let text = "SELECT NOT 1 BETWEEN -5 AND 5";
    let value = |mode: SqlMode| {
        let statement = parse(text, mode).unwrap().remove(0);
        match crate::bind(&statement, &Parameters::default(), &Session::new()) {
            Ok(Command::Read(read)) => shown(&run(&read, &[]).unwrap()[0]),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(value(SqlMode::default()), "0");
    assert_eq!(value(SqlMode { high_not_precedence: true, ..SqlMode::default() }), "1");
}

#[test]
fn what_the_session_does_is_asked_for_with_its_arguments() {
    for (text, name) in [
        ("SELECT GET_LOCK('a', 10)", "GET_LOCK"),
        ("DO RELEASE_LOCK('a')", "RELEASE_LOCK"),
        ("SET @x = LAST_INSERT_ID(5)", "LAST_INSERT_ID"),
        ("SELECT 1 WHERE SLEEP(0)", "SLEEP"),
    ] {
        match bound_with(&Session::new(), text, &[]) {
            Err(SqlError::Pending(call, _)) => assert_eq!(call.name(), name, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!(bound("SELECT GET_LOCK('a')"), Err(SqlError::Arguments(_))));
}

#[test]
fn what_the_session_does_is_not_asked_for_where_the_statement_does_not_come_to_it() {
    for text in [
        "SELECT IF(0, SLEEP(0), 1), CASE 2 WHEN 1 THEN SLEEP(0) WHEN 2 THEN 3 WHEN SLEEP(0) THEN 4 END",
        "SELECT 0 AND SLEEP(0), NULL OR 1 OR SLEEP(0), COALESCE(NULL, 1, SLEEP(0)), IFNULL(1, SLEEP(0))",
        "SELECT SLEEP(0) WHERE 1 = 2",
        "SELECT SLEEP(0) HAVING NULL",
        "SELECT SLEEP(0) LIMIT 0",
        "SELECT SLEEP(0) LIMIT 1, 1",
        "SELECT 1 ORDER BY SLEEP(0)",
        "SET @x = IF(@five > 5, SLEEP(0), 1)",
        "DO @five < 5 AND SLEEP(0)",
    ] {
        assert!(bound(text).is_ok(), "{text}: {:?}", bound(text));
    }
    for text in [
        "SELECT IF(@five, SLEEP(0), 1)",
        "SELECT NULL AND SLEEP(0)",
        "SELECT SLEEP(0) WHERE 1 HAVING 2",
        "SELECT COUNT(*), SLEEP(0) WHERE 0",
        "SELECT SQL_CALC_FOUND_ROWS SLEEP(0) LIMIT 0",
    ] {
        assert!(matches!(bound(text), Err(SqlError::Pending(..))), "{text}: {:?}", bound(text));
    }
    for text in [
        "INSERT INTO plain (row_key, column_key, body) VALUES ('a', 'b', '1') RETURNING IF(ref_key, SLEEP(0), 1)",
        "DELETE FROM plain WHERE row_key = 'a' AND SLEEP(0)",
        "SELECT IF(COUNT(*), SLEEP(0), 1)",
        "SHOW TABLES WHERE SLEEP(0)",
    ] {
        assert!(matches!(bound(text), Err(SqlError::Unsupported { .. })), "{text}: {:?}", bound(text));
    }
}

#[test]
fn tables_are_locked_as_mysql_writes_it() {
    let lock = |text: &str| match bound(text) {
        Ok(Command::Lock(lock)) => lock,
        other => panic!("{text}: {other:?}"),
    };
    let read = |name: &str| (table(name), LockMode::Read);
    assert_eq!(lock("LOCK TABLES `trips` READ /*!32311 LOCAL */"), TableLock::Tables(vec![read("trips")]));
    assert_eq!(
        lock("LOCK TABLES trips AS t READ, plain p LOW_PRIORITY WRITE"),
        TableLock::Tables(vec![read("trips"), (table("plain"), LockMode::Write)])
    );
    assert_eq!(lock("FLUSH TABLES WITH READ LOCK"), TableLock::Everything);
    assert_eq!(lock("FLUSH TABLES trips, plain WITH READ LOCK"), TableLock::Tables(vec![read("trips"), read("plain")]));
    assert_eq!(lock("UNLOCK TABLES"), TableLock::Unlock);
    for nothing in ["FLUSH TABLES", "FLUSH LOCAL TABLES trips", "FLUSH PRIVILEGES"] {
        assert!(matches!(bound(nothing), Ok(Command::Flush(what)) if what.is_empty()), "{nothing}");
    }
    assert!(matches!(bound("LOCK TABLES none READ"), Err(SqlError::UnknownTable { .. })));
    assert!(matches!(bound("LOCK TABLES trips"), Err(SqlError::Syntax { .. })));
}

#[test]
fn kill_names_a_connection_or_its_statement() {
    for (text, expected) in [
        ("KILL 5", KillScope::Connection),
        ("KILL CONNECTION 5", KillScope::Connection),
        ("KILL QUERY 2 + 3", KillScope::Query),
        ("KILL QUERY '5'", KillScope::Query),
    ] {
        assert!(matches!(bound(text), Ok(Command::Kill { id: 5, scope }) if scope == expected), "{text}");
    }
    // There is none of these.
    for (text, id) in [("KILL -1", u64::MAX), ("KILL NULL", 0)] {
        assert!(matches!(bound(text), Ok(Command::Kill { id: found, .. }) if found == id), "{text}");
    }
    assert!(matches!(bound("KILL"), Err(SqlError::Syntax { .. })));
}
