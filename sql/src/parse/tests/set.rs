//! SET.

use crate::command::{Command, SettingScope, SettingValue};
use crate::error::SqlError;
use crate::testing::bound;
use crate::value::Value;

fn settings(text: &str) -> Vec<(SettingScope, String, SettingValue)> {
    match bound(text) {
        Ok(Command::Set(all)) => all.into_iter().map(|s| (s.scope, s.name, s.value)).collect(),
        other => panic!("{text}: {other:?}"),
    }
}

fn text(value: &str) -> SettingValue {
    SettingValue::Value(Value::Text(value.to_owned().into()))
}

#[test]
fn every_set_a_client_sends_is_understood() {
    use SettingScope::{Global, NextTransaction, Session, User};
    let int = |n| SettingValue::Value(Value::Int(n));
    for (statement, expected) in [
        ("SET NAMES utf8mb4", vec![(Session, "names", text("utf8mb4"))]),
        (
            "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'",
            vec![(Session, "names", text("utf8mb4")), (Session, "collation_connection", text("utf8mb4_0900_ai_ci"))],
        ),
        ("SET NAMES DEFAULT", vec![(Session, "names", SettingValue::Default)]),
        ("SET AUTOCOMMIT = 0", vec![(Session, "autocommit", int(0))]),
        ("set autocommit=0", vec![(Session, "autocommit", int(0))]),
        ("SET @@session.autocommit = OFF", vec![(Session, "autocommit", text("OFF"))]),
        ("SET sql_mode=STRICT_TRANS_TABLES", vec![(Session, "sql_mode", text("STRICT_TRANS_TABLES"))]),
        ("SET time_zone='+0:00'", vec![(Session, "time_zone", text("+0:00"))]),
        ("SET SQL_AUTO_IS_NULL = 0", vec![(Session, "sql_auto_is_null", int(0))]),
        (
            "SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION')),time_zone='+00:00',\
             NAMES utf8mb4 COLLATE utf8mb4_unicode_ci",
            vec![
                (Session, "sql_mode", text("STRICT_TRANS_TABLES,PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION")),
                (Session, "time_zone", text("+00:00")),
                (Session, "names", text("utf8mb4")),
                (Session, "collation_connection", text("utf8mb4_unicode_ci")),
            ],
        ),
        (
            "SET NAMES utf8mb4, @@SESSION.sql_mode = CONCAT(CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), \
             ',NO_AUTO_VALUE_ON_ZERO'), @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483",
            vec![
                (Session, "names", text("utf8mb4")),
                (Session, "sql_mode", text("STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO")),
                (Session, "sql_auto_is_null", int(0)),
                (Session, "wait_timeout", int(2_147_483)),
            ],
        ),
        ("SET @@wait_timeout = 2147483", vec![(Session, "wait_timeout", int(2_147_483))]),
        (
            "set autocommit=1, session_track_system_variables='auto_increment_increment', sql_mode = \
             concat(@@sql_mode,',STRICT_TRANS_TABLES')",
            vec![
                (Session, "autocommit", int(1)),
                (Session, "session_track_system_variables", text("auto_increment_increment")),
                (Session, "sql_mode", text("STRICT_TRANS_TABLES,STRICT_TRANS_TABLES")),
            ],
        ),
        ("set @@SQL_SELECT_LIMIT=2", vec![(Session, "sql_select_limit", int(2))]),
        (
            "SET character_set_results = NULL",
            vec![(Session, "character_set_results", SettingValue::Value(Value::Null))],
        ),
        ("SET SESSION character_set_results = 'binary'", vec![(Session, "character_set_results", text("binary"))]),
        (
            "SET SQL_SAFE_UPDATES=1,SQL_SELECT_LIMIT=1000,MAX_JOIN_SIZE=1000000",
            vec![
                (Session, "sql_safe_updates", int(1)),
                (Session, "sql_select_limit", int(1000)),
                (Session, "max_join_size", int(1_000_000)),
            ],
        ),
        (
            "set session sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES'",
            vec![(Session, "sql_mode", text("ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES"))],
        ),
        ("SET lock_wait_timeout=2", vec![(Session, "lock_wait_timeout", int(2))]),
        (
            "SET @a := 1, @`b c` = 'x', @five = @five + 1",
            vec![(User, "a", int(1)), (User, "b c", text("x")), (User, "five", int(6))],
        ),
        ("SET GLOBAL max_connections = 10", vec![(Global, "max_connections", int(10))]),
        ("SET @@global.max_connections = DEFAULT", vec![(Global, "max_connections", SettingValue::Default)]),
        ("SET LOCAL sql_mode = (SELECT @@sql_mode)", vec![(Session, "sql_mode", text("STRICT_TRANS_TABLES"))]),
        ("SET CHARACTER SET utf8mb4", vec![(Session, "character_set", text("utf8mb4"))]),
        ("SET CHARSET 'utf8mb4'", vec![(Session, "character_set", text("utf8mb4"))]),
        (
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            vec![(NextTransaction, "transaction_isolation", text("READ-COMMITTED"))],
        ),
        (
            "set transaction isolation level serializable",
            vec![(NextTransaction, "transaction_isolation", text("SERIALIZABLE"))],
        ),
        (
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE",
            vec![
                (Session, "transaction_isolation", text("REPEATABLE-READ")),
                (Session, "transaction_read_only", int(0)),
            ],
        ),
        (
            "SET GLOBAL a = 1, b = 2, @@c = 3, @u = 4, NAMES utf8mb4, d = 5, LOCAL e = 6, @@global.f = 7, g = 8",
            vec![
                (Global, "a", int(1)),
                (Global, "b", int(2)),
                (Session, "c", int(3)),
                (User, "u", int(4)),
                (Session, "names", text("utf8mb4")),
                (Global, "d", int(5)),
                (Session, "e", int(6)),
                (Global, "f", int(7)),
                (Session, "g", int(8)),
            ],
        ),
        (
            "SET @@transaction_read_only = 1, @@session.transaction_read_only = 1, transaction_read_only = 1",
            vec![
                (NextTransaction, "transaction_read_only", int(1)),
                (Session, "transaction_read_only", int(1)),
                (Session, "transaction_read_only", int(1)),
            ],
        ),
        ("SET @@tx_isolation = 'SERIALIZABLE'", vec![(NextTransaction, "tx_isolation", text("SERIALIZABLE"))]),
        ("SET TRANSACTION READ ONLY", vec![(NextTransaction, "transaction_read_only", int(1))]),
        ("/*!40100 SET @@SQL_MODE='' */", vec![(Session, "sql_mode", text(""))]),
        ("/*!40103 SET TIME_ZONE='+00:00' */", vec![(Session, "time_zone", text("+00:00"))]),
        (
            "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;",
            vec![
                (User, "old_sql_mode", text("STRICT_TRANS_TABLES")),
                (Session, "sql_mode", text("NO_AUTO_VALUE_ON_ZERO")),
            ],
        ),
        ("SET cellgate_read = 'replica'", vec![(Session, "cellgate_read", text("replica"))]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(s, n, v)| (s, n.to_owned(), v)).collect();
        assert_eq!(settings(statement), expected, "{statement}");
    }
    assert!(matches!(bound("SET x = @@nonsense"), Err(SqlError::UnknownVariable(_))));
    assert!(matches!(bound("SET PERSIST x = 1"), Err(SqlError::Unsupported { .. })));
}
