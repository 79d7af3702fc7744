//! What clients really send, precedence, and refusals.

mod comments;
mod definitions;
mod expressions;

use crate::command::{Absent, Aspect, Command, Ddl, SettingScope, SettingValue, Transaction};
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parameters::Parameters;
use crate::parse::{StatementKind, parse};
use crate::testing::{Session, bound, read, rows, run, shown, value};
use crate::value::Value;

fn one(text: &str) -> crate::Statement {
    let mut all = parse(text, SqlMode::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

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

#[test]
fn every_select_a_client_sends_without_a_table_is_understood() {
    let mut env = Session::new();
    for name in [
        "transaction_isolation",
        "lower_case_table_names",
        "default_storage_engine",
        "sql_auto_is_null",
        "wait_timeout",
        "version_comment",
        "version",
        "auto_increment_increment",
        "character_set_client",
        "character_set_connection",
        "character_set_results",
        "character_set_server",
        "character_set_database",
        "collation_server",
        "collation_connection",
        "collation_database",
        "init_connect",
        "interactive_timeout",
        "license",
        "tx_isolation",
        "net_write_timeout",
        "performance_schema",
        "query_cache_size",
        "query_cache_type",
        "system_time_zone",
    ] {
        env.variables.insert(name.to_owned(), Value::Text("x".into()));
    }
    for text in [
        "SELECT VERSION()",
        "SELECT DATABASE()",
        "SELECT @@transaction_isolation",
        "SELECT @@sql_mode",
        "SELECT @@lower_case_table_names",
        "\n   SELECT VERSION(), @@sql_mode, @@default_storage_engine, @@sql_auto_is_null, @@lower_case_table_names, \
         CONVERT_TZ('2001-01-01 01:00:00','UTC','UTC') IS NOT NULL",
        "SELECT version() as version",
        "select version() as version",
        "SELECT VERSION() as version",
        "SELECT 1+1 AS result",
        "SELECT NULL",
        "SELECT 1",
        "SELECT @@max_allowed_packet,@@wait_timeout,@@socket",
        "SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment",
        "SELECT @@tx_isolation",
        "select @@version_comment limit 1",
        "select DATABASE(), USER() limit 1",
        "select @@character_set_client, @@character_set_connection, @@character_set_server, @@character_set_database limit 1",
        "select connection_id()",
        "SELECT @@version_comment, @@version",
        "SELECT @@version",
        "select @@collation_database",
        "SELECT SCHEMA(), CURRENT_USER, CURRENT_USER(), SESSION_USER(), LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()",
        "SELECT COALESCE(NULL, DATABASE())",
        "SELECT `x`.1 FROM DUAL WHERE 1=0",
        "/* mysql-connector-j-8.0.33 (Revision: 7d6b0800528b6b25c68b52dc10d6c1c8429c100c) */SELECT  \
         @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, \
         @@character_set_connection AS character_set_connection, @@collation_server AS collation_server, @@license AS license, \
         @@init_connect AS init_connect, @@performance_schema AS performance_schema, @@wait_timeout AS wait_timeout",
        "SELECT True, CONNECTION_ID()",
        "SELECT NOW(), NOW(6), CURRENT_TIMESTAMP, UTC_TIMESTAMP(), UNIX_TIMESTAMP()",
        "SELECT SHARD_OF('key')",
        "SHOW COUNT(*) WARNINGS",
        "SELECT @five, @unset",
    ] {
        if text.contains("`x`.1") {
            // A column without a table.
            assert!(crate::testing::bound_with(&env, text, &[]).is_err(), "{text}");
            continue;
        }
        env.variables.insert("warning_count".into(), Value::Int(0));
        let read = crate::testing::read_with(&env, text, &[]);
        assert_eq!(run(&read, &[]).unwrap_or_else(|e| panic!("{text}: {e}")).len(), 1, "{text}");
    }
    let named = crate::testing::read_with(&env, "select @@version_comment, @@SESSION.autocommit, 1 + 1, 'x'", &[]);
    let names: Vec<_> = named.shape.columns().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["@@version_comment", "@@SESSION.autocommit", "1 + 1", "x"]);
    assert!(matches!(bound("select $$"), Err(SqlError::UnknownColumn { .. })), "the Oracle client's probe");
    assert!(matches!(bound("SELECT @@query_response_time_stats"), Err(SqlError::UnknownVariable(_))));
}

fn aspect(text: &str) -> (Aspect, Option<String>) {
    match bound(text) {
        Ok(Command::Show(show)) => (show.aspect, show.filter.like().map(str::to_owned)),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn every_show_a_client_sends_is_understood() {
    let shop = || Some("shop".to_owned());
    let trips = || crate::TableName { database: "shop".into(), table: "trips".into() };
    let like = |p: &str| Some(p.to_owned());
    for (text, expected, pattern) in [
        ("show databases", Aspect::Databases, None),
        ("SHOW schemas", Aspect::Databases, None),
        ("SHOW DATABASES LIKE 'shop'", Aspect::Databases, like("shop")),
        ("show tables", Aspect::Tables { database: shop(), full: false }, None),
        (
            "SHOW /*!50002 FULL*/ TABLES FROM `shop` LIKE 'trips'",
            Aspect::Tables { database: shop(), full: true },
            like("trips"),
        ),
        ("SHOW FULL TABLES FROM shop", Aspect::Tables { database: shop(), full: true }, None),
        ("SHOW TABLES IN shop", Aspect::Tables { database: shop(), full: false }, None),
        ("SHOW TABLE STATUS LIKE 'trips'", Aspect::TableStatus { database: shop() }, like("trips")),
        ("SHOW COLUMNS FROM trips", Aspect::Columns { table: trips(), full: false }, None),
        ("SHOW FULL FIELDS FROM `trips`", Aspect::Columns { table: trips(), full: true }, None),
        (
            "SHOW EXTENDED FULL COLUMNS FROM trips FROM shop LIKE 'b%'",
            Aspect::Columns { table: trips(), full: true },
            like("b%"),
        ),
        ("DESCRIBE `shop`.`trips`", Aspect::Columns { table: trips(), full: false }, None),
        ("DESCRIBE `shop`.`trips` '%'", Aspect::Columns { table: trips(), full: false }, like("%")),
        ("DESC trips row_key", Aspect::Columns { table: trips(), full: false }, like("row\\_key")),
        ("EXPLAIN trips", Aspect::Columns { table: trips(), full: false }, None),
        ("SHOW INDEX FROM trips", Aspect::Index { table: trips() }, None),
        ("SHOW KEYS FROM `trips` IN `shop`", Aspect::Index { table: trips() }, None),
        ("show create table `trips`", Aspect::CreateTable { table: trips() }, None),
        (
            "SHOW CREATE DATABASE IF NOT EXISTS `shop`",
            Aspect::CreateDatabase { database: "shop".into(), if_not_exists: true },
            None,
        ),
        (
            "SHOW VARIABLES LIKE 'lower_case_table_names'",
            Aspect::Variables { global: false },
            like("lower_case_table_names"),
        ),
        (
            "show variables like 'auto_increment_increment'",
            Aspect::Variables { global: false },
            like("auto_increment_increment"),
        ),
        ("SHOW GLOBAL VARIABLES", Aspect::Variables { global: true }, None),
        ("SHOW SESSION STATUS LIKE 'cellgate%'", Aspect::Status { global: false }, like("cellgate%")),
        ("SHOW GLOBAL STATUS", Aspect::Status { global: true }, None),
        ("SHOW WARNINGS", Aspect::Warnings, None),
        ("SHOW WARNINGS LIMIT 1, 2", Aspect::Warnings, None),
        ("SHOW ERRORS", Aspect::Errors, None),
        ("SHOW FULL PROCESSLIST", Aspect::Processlist { full: true }, None),
        ("SHOW GRANTS FOR CURRENT_USER()", Aspect::Grants { account: crate::AccountRef::Current }, None),
        ("SHOW ENGINES", Aspect::Engines, None),
        ("SHOW COLLATION WHERE Charset = 'utf8mb4'", Aspect::Collation, None),
        ("SHOW CHARACTER SET", Aspect::CharacterSet, None),
        ("SHOW SHARDS", Aspect::Shards, None),
        ("SHOW CLUSTERS", Aspect::Clusters, None),
        ("SHOW TOPOLOGY", Aspect::Topology, None),
        ("SHOW TRIGGERS FROM shop LIKE 'trips'", Aspect::Absent(Absent::Triggers), like("trips")),
        ("SHOW SLAVE STATUS", Aspect::Absent(Absent::SlaveStatus), None),
        ("SHOW REPLICA STATUS FOR CHANNEL 'x'", Aspect::Absent(Absent::ReplicaStatus), None),
        ("SHOW PRIVILEGES", Aspect::Privileges, None),
    ] {
        assert_eq!(aspect(text), (expected, pattern), "{text}");
    }
    assert!(matches!(bound("SHOW BINARY LOGS"), Err(SqlError::Unsupported { .. })));
    for text in ["SHOW TABLES FROM nowhere", "SHOW TRIGGERS FROM nowhere"] {
        assert!(matches!(bound(text), Err(SqlError::UnknownDatabase(_))), "{text}");
    }
    assert!(matches!(bound("SHOW NONSENSE"), Err(SqlError::Syntax { .. })));
}

#[test]
fn transactions_are_understood_in_every_form() {
    let begin = |read_only, consistent_snapshot| Transaction::Begin { read_only, consistent_snapshot };
    for (text, expected) in [
        ("BEGIN", begin(None, false)),
        ("begin;", begin(None, false)),
        ("BEGIN WORK", begin(None, false)),
        ("START TRANSACTION", begin(None, false)),
        ("start transaction read only", begin(Some(true), false)),
        ("START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */", begin(None, true)),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE", begin(Some(false), true)),
        ("COMMIT", Transaction::Commit { chain: false, release: false }),
        ("COMMIT WORK AND CHAIN NO RELEASE", Transaction::Commit { chain: true, release: false }),
        ("ROLLBACK AND NO CHAIN RELEASE", Transaction::Rollback { chain: false, release: true }),
        ("rollback", Transaction::Rollback { chain: false, release: false }),
        ("SAVEPOINT sa_savepoint_1", Transaction::Savepoint("sa_savepoint_1".into())),
        ("SAVEPOINT `s139802204703616_x1`", Transaction::Savepoint("s139802204703616_x1".into())),
        ("ROLLBACK TO SAVEPOINT `x`", Transaction::RollbackTo("x".into())),
        ("ROLLBACK WORK TO sp", Transaction::RollbackTo("sp".into())),
        ("RELEASE SAVEPOINT trx1", Transaction::Release("trx1".into())),
    ] {
        match bound(text) {
            Ok(Command::Transaction(transaction)) => assert_eq!(transaction, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn names_of_savepoints_and_prepared_statements_have_64_characters_at_most() {
    let long = "ü".repeat(64);
    for start in ["SAVEPOINT", "ROLLBACK TO", "RELEASE SAVEPOINT", "DEALLOCATE PREPARE", "EXECUTE"] {
        assert!(bound(&format!("{start} `{long}`")).is_ok(), "{start}");
        let refused = bound(&format!("{start} `{long}x`"));
        assert!(matches!(refused, Err(SqlError::IdentifierTooLong(_))), "{start}: {refused:?}");
    }
    let refused = bound(&format!("PREPARE `{long}x` FROM 'SELECT 1'"));
    assert!(matches!(refused, Err(SqlError::IdentifierTooLong(_))), "{refused:?}");
}

#[test]
fn several_statements_keep_their_texts_kinds_and_parameters() {
    let all = parse(
        " SELECT ?, ';' ; INSERT INTO t VALUES (?, ?) ;; UPDATE t SET a = 1; /*!40000 DO 1 */",
        SqlMode::default(),
    )
    .unwrap();
    let seen: Vec<_> = all.iter().map(|s| (s.text(), s.kind(), s.parameters())).collect();
    assert_eq!(
        seen,
        [
            ("SELECT ?, ';'", StatementKind::Select, 1),
            ("INSERT INTO t VALUES (?, ?)", StatementKind::Insert, 2),
            ("UPDATE t SET a = 1", StatementKind::Update, 0),
            ("DO 1", StatementKind::Other, 0),
        ]
    );
    assert_eq!(all[0].masked(), "SELECT ?, ?");
    let labels: std::collections::BTreeSet<_> = StatementKind::ALL.iter().map(|k| k.label()).collect();
    assert_eq!(labels.len(), StatementKind::ALL.len());
}

#[test]
fn strings_and_numbers_are_read_as_mysql_reads_them() {
    for (written, expected) in [
        ("'it''s'", "it's"),
        (r"'a\'b\n\t\\\%\_\0x'", "a'b\n\t\\\\%\\_\0x"),
        ("\"say \"\"x\"\"\"", "say \"x\""),
        ("'a' 'b' \"c\"", "abc"),
        ("X'4142'", "AB"),
        ("x'4142'", "AB"),
        ("0x4142", "AB"),
        ("b'0100000101000010'", "AB"),
        ("0b01000001", "A"),
        ("_binary'ab'", "ab"),
        ("_utf8mb4'é😀'", "é😀"),
        ("_utf8mb4 X'C3A9'", "é"),
        ("N'n'", "n"),
        ("1.50", "1.50"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1.5e-3", "0.0015"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("99999999999999999999", "99999999999999999999"),
        ("TRUE + FALSE", "1"),
    ] {
        assert_eq!(value(written), expected, "{written}");
    }
    let mode = SqlMode { ansi_quotes: true, no_backslash_escapes: true, pipes_as_concat: true, ..SqlMode::default() };
    let env = Session::new();
    let statement = parse(r#"SELECT 'a\' || 'b' AS "x y""#, mode).unwrap().remove(0);
    let Ok(Command::Read(read)) = crate::bind(&statement, &Parameters::default(), &env) else { panic!() };
    assert_eq!(run(&read, &[]).unwrap().iter().map(shown).collect::<Vec<_>>(), [r"a\b"]);
    assert_eq!(read.shape.columns()[0].name, "x y");
}

#[test]
fn operators_bind_as_tightly_as_in_mysql() {
    for (expression, expected) in [
        ("1 + 2 * 3", "7"),
        ("2 * 3 DIV 4", "1"),
        ("7 MOD 4 + 1", "4"),
        ("MOD(7, 4)", "3"),
        ("(7) MOD (4)", "3"),
        ("'a' BETWEEN '1.5x' AND 0", "0"),
        ("'b' BETWEEN 'a' AND 'c'", "1"),
        ("3 >> '1.5x'", "1"),
        ("0x10 + 1", "17"),
        ("b'101' | 2", "7"),
        ("1 = 0x01", "1"),
        ("0x41 = 65", "1"),
        ("(0x41) <=> 65", "1"),
        ("'A' = 0x41", "1"),
        ("0x41 = 0x41", "1"),
        ("65 IN (1, 0x41)", "1"),
        ("0x41 IN ('B', 65)", "1"),
        ("0x41 BETWEEN 60 AND 70", "1"),
        ("0.5 < 0x01", "1"),
        ("-0x41", "-65"),
        ("CAST(0x41 AS UNSIGNED)", "65"),
        ("CAST(0x41 AS CHAR)", "A"),
        ("ABS(0x41)", "65"),
        ("CONCAT(0x41)", "A"),
        ("1 = b'1'", "1"),
        ("0x01 IS TRUE", "1"),
        ("0x00 IS TRUE", "0"),
        ("NOT 0x00", "1"),
        ("1 = _binary 0x01", "0"),
        ("X'4142' = 'AB'", "1"),
        ("1 | 2 & 3", "3"),
        ("1 << 2 + 1", "8"),
        ("2 ^ 3 * 2", "2"),
        ("-2 ^ 1", "18446744073709551615"),
        ("5 & 3 = 1", "1"),
        ("1 = 1 IS NULL", "0"),
        ("NOT 1 = 0", "1"),
        ("NOT 1 + 1", "0"),
        ("! 0 + 1", "2"),
        ("1 OR 1 XOR 1", "1"),
        ("1 XOR 1 AND 0", "1"),
        ("0 AND 1 OR 1", "1"),
        ("1 || 0", "1"),
        ("1 && 0", "0"),
        ("2 BETWEEN 1 AND 3 AND 0", "0"),
        ("2 BETWEEN 0 AND 3 IN (1)", "0"),
        ("2 BETWEEN 1 AND 3 NOT LIKE 3", "0"),
        ("2 BETWEEN 1 IN (1) AND 3", "1"),
        ("1 IN (2, 3) = 0", "1"),
        ("'a' LIKE 'a' AND 1", "1"),
        ("'ab' NOT LIKE 'a_' OR 0", "0"),
        ("1 < 2 = 1", "1"),
        ("NULL <=> NULL", "1"),
        ("NULL = NULL", "NULL"),
        ("1 NOT IN (2, NULL)", "NULL"),
        ("1 IN (1, NULL)", "1"),
        ("NULL AND 0", "0"),
        ("NULL OR 1", "1"),
        ("1 IS TRUE", "1"),
        ("0 IS NOT FALSE", "0"),
        ("NULL IS UNKNOWN", "1"),
        ("(1, 2) = (1, 2)", "1"),
        ("(1, 2) < (1, 3)", "1"),
        ("(1, NULL) = (2, 1)", "0"),
        ("(1, 2) IN ((1, 2), (3, 4))", "1"),
        ("BINARY 'a' = 'a'", "1"),
        ("'a' COLLATE utf8mb4_bin = 'a'", "1"),
        ("~0", "18446744073709551615"),
        ("- - 5", "5"),
        ("1 - -1", "2"),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"),
        ("CASE WHEN NULL THEN 1 ELSE 2 END", "2"),
        ("5 / 2", "2.5000"),
        ("5 / 0", "NULL"),
        ("'5' + '3'", "8"),
        ("'3 apples' * 2", "6"),
        ("'a' < 'B'", "0"),
        ("10 = '10.0'", "1"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn functions_give_what_mysql_gives() {
    for (expression, expected) in [
        ("COALESCE(NULL, NULL, 3)", "3"),
        ("IFNULL(NULL, 'x')", "x"),
        ("NULLIF(1, 1)", "NULL"),
        ("IF(0, 'a', 'b')", "b"),
        ("CONCAT('a', 1, 2.5)", "a12.5"),
        ("CONCAT('a', NULL)", "NULL"),
        ("CONCAT_WS(',', 'a', NULL, 'b')", "a,b"),
        ("LOWER('ÄB'), UPPER('äb')", "äb|ÄB"),
        ("LENGTH('é'), CHAR_LENGTH('é')", "2|1"),
        ("ABS(-5), ABS(-1.5), SIGN(-2)", "5|1.5|-1"),
        ("ROUND(2.5), ROUND(-2.567, 2), ROUND(155, -1)", "3|-2.57|160"),
        ("FLOOR(-1.5), CEIL(1.2), CEILING(-1.2)", "-2|2|-1"),
        ("HEX('AB'), HEX(255), UNHEX('4142')", "4142|FF|AB"),
        ("SUBSTRING('hello', 2, 3), SUBSTR('hello', -3), SUBSTRING('hello' FROM 2)", "ell|llo|ello"),
        ("LEFT('hello', 2), RIGHT('hello', 2)", "he|lo"),
        ("TRIM('  x '), LTRIM(' x'), RTRIM('x ')", "x|x|x"),
        ("REPLACE('aXbX', 'X', '-'), INSTR('abc', 'c'), LOCATE('c', 'abcabc', 4)", "a-b-|3|6"),
        ("GREATEST(1, 3, 2), LEAST('b', 'a')", "3|a"),
        (
            "CAST('12abc' AS SIGNED), CAST(-1 AS UNSIGNED), CAST(1.9 AS SIGNED), CAST('1.9' AS SIGNED)",
            "12|18446744073709551615|2|1",
        ),
        ("CAST(1.256 AS DECIMAL(10,2)), CAST('5' AS DECIMAL(10,2)), CAST(12345 AS CHAR(3))", "1.26|5.00|123"),
        ("CONVERT('x' USING utf8mb4), CONVERT('7', SIGNED)", "x|7"),
        ("CAST('{\"b\":1,\"a\":[1,2]}' AS JSON)", "{\"a\": [1, 2], \"b\": 1}"),
        ("CAST('2024-05-17 01:02:03' AS DATETIME)", "2024-05-17 01:02:03.000000"),
        ("JSON_EXTRACT('{\"a\": {\"b\": [1, \"x\"]}}', '$.a.b[1]')", "\"x\""),
        ("JSON_UNQUOTE(JSON_EXTRACT('{\"a\": \"x\"}', '$.a'))", "x"),
        ("JSON_EXTRACT('[1,2,3]', '$[0]', '$[2]')", "[1, 3]"),
        ("JSON_EXTRACT('1','$') = JSON_EXTRACT('1.0','$')", "1"),
        ("JSON_VALUE('[1,2]', '$[*]'), JSON_VALUE('[\"x\"]', '$[*]'), JSON_VALUE('[[1, 2]]', '$[0]')", "NULL|x|[1, 2]"),
        ("JSON_VALUE('bad', '$'), JSON_VALUE('', '$.a')", "NULL|NULL"),
        ("JSON_VALUE('{\"a\": \"x\", \"n\": null}', '$.a'), JSON_VALUE('{\"n\": null}', '$.n')", "x|NULL"),
        (
            "JSON_LENGTH('[1,2]'), JSON_LENGTH('{\"a\":[1,2,3]}', '$.a'), JSON_TYPE('1.5'), JSON_VALID('{')",
            "2|3|DOUBLE|0",
        ),
        ("JSON_OBJECT('k', 1, 'l', JSON_ARRAY(TRUE, NULL, 'x'))", "{\"k\": 1, \"l\": [true, null, \"x\"]}"),
        (
            "JSON_CONTAINS('[1,2]', '2'), JSON_KEYS('{\"b\":1,\"a\":1}'), JSON_QUOTE('a\"b')",
            "1|[\"a\", \"b\"]|\"a\\\"b\"",
        ),
        ("NOW(6)", "2023-11-14 22:13:20.123456"),
        ("NOW(), UNIX_TIMESTAMP(), CONCAT(CURDATE())", "2023-11-14 22:13:20.000000|1700000000|2023-11-14"),
        ("NOW() - INTERVAL 1 DAY", "2023-11-13 22:13:20.000000"),
        ("DATE_ADD('2024-01-01', INTERVAL 90 MINUTE)", "2024-01-01 01:30:00"),
        ("UNIX_TIMESTAMP('2023-11-14 22:13:20'), FROM_UNIXTIME(1700000000)", "1700000000|2023-11-14 22:13:20.000000"),
        (
            "CONVERT_TZ('2024-01-01 00:00:00', '+00:00', '+02:00'), CONVERT_TZ('2024-01-01', 'Mars', 'UTC')",
            "2024-01-01 02:00:00.000000|NULL",
        ),
        ("'a|%b' LIKE '%|%b' ESCAPE '|'", "1"),
        ("SHARD_OF('key') = SHARD_OF(CONCAT('k', 'ey'))", "1"),
        ("ISNULL(NULL)", "1"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
    assert!(matches!(bound("SELECT NO_SUCH_THING(1)"), Err(SqlError::UnknownFunction(_))));
    assert!(matches!(bound("SELECT LOWER()"), Err(SqlError::Arguments(_))));
    assert!(matches!(bound("SELECT RAND()"), Err(SqlError::Unsupported { .. })));
    assert_eq!(
        rows(
            "SELECT SHARD_OF(row_key) = shard FROM plain WHERE row_key = 'a'",
            &[crate::testing::cell("a", "b", 1, "1", 1)]
        ),
        ["1"]
    );
}

#[test]
fn cell_tables_are_created_in_both_forms() {
    let columns = |text: &str| match bound(text) {
        Ok(Command::Ddl(Ddl::CreateTable { name, columns, .. })) => {
            assert_eq!((name.database.as_str(), name.table.as_str()), ("shop", "new"), "{text}");
            columns.into_iter().map(|c| (c.name, c.missing)).collect::<Vec<_>>()
        }
        other => panic!("{text}: {other:?}"),
    };
    for text in [
        "CREATE TABLE new ENGINE=CELLS",
        "CREATE TABLE IF NOT EXISTS `shop`.`new` engine = cells DEFAULT CHARSET=utf8mb4 COMMENT 'x'",
        "CREATE TABLE new (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL, \
         ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
         PRIMARY KEY (added_id), UNIQUE KEY uk (row_key, column_key, ref_key), KEY ix (created_at)) ENGINE=InnoDB \
         DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "CREATE TABLE new (row_key CHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'k', column_key VARBINARY(64), \
         ref_key BIGINT, body LONGTEXT CHECK (json_valid(`body`)), PRIMARY KEY (row_key, column_key, ref_key))",
    ] {
        assert_eq!(columns(text), [], "{text}");
    }
    assert_eq!(
        columns(
            "CREATE TABLE new (BASE JSON, STATUS JSON NOT NULL DEFAULT ('\"new\"'), `A b` json DEFAULT (JSON_OBJECT('x', 1))) ENGINE=CELLS"
        ),
        [
            ("BASE".to_owned(), None),
            ("STATUS".to_owned(), Some("\"new\"".to_owned())),
            ("A b".to_owned(), Some("{\"x\": 1}".to_owned()))
        ]
    );
    let long = |row: &str, column: &str| {
        format!(
            "CREATE TABLE new (row_key {row}, column_key {column}, ref_key BIGINT, body JSON, UNIQUE (row_key, column_key, ref_key))"
        )
    };
    assert!(matches!(bound(&long("VARCHAR(256)", "VARCHAR(64)")), Err(SqlError::KeyTooLong(1020))));
    assert!(matches!(bound(&long("VARBINARY(1021)", "VARCHAR(64)")), Err(SqlError::KeyTooLong(1020))));
    assert!(matches!(bound(&long("VARCHAR(255)", "VARCHAR(65)")), Err(SqlError::KeyTooLong(64))));
    for refused in [
        "CREATE TABLE new (id INT PRIMARY KEY, x TEXT)",
        "CREATE TABLE new (BASE JSON)",
        "CREATE TABLE new (BASE INT) ENGINE=CELLS",
        "CREATE TABLE new (row_key VARCHAR(255), column_key VARCHAR(64), ref_key BIGINT, body JSON)",
        &long("TEXT", "VARCHAR(64)"),
        "CREATE TABLE new ENGINE=CELLS AS SELECT 1",
        "CREATE TABLE new ENGINE=CELLS COLLATE utf8mb4_general_ci",
        "CREATE TABLE new ENGINE=MEMORY",
        "CREATE TABLE new (BASE JSON NOT NULL) ENGINE=CELLS",
        "CREATE TABLE new (row_key VARCHAR(255), column_key VARCHAR(64), ref_key BIGINT, body JSON, UNIQUE (row_key, column_key, ref_key), UNIQUE (body))",
        "CREATE TEMPORARY TABLE new ENGINE=CELLS",
    ] {
        assert!(matches!(bound(refused), Err(SqlError::Unsupported { .. })), "{refused}: {:?}", bound(refused));
    }
    assert!(matches!(bound("CREATE TABLE new (A JSON, a JSON) ENGINE=CELLS"), Err(SqlError::DuplicateColumn(_))));
    assert!(bound("CREATE TABLE new (body JSON, A JSON) ENGINE=CELLS").is_err());
    assert!(matches!(bound("CREATE TABLE new (A JSON DEFAULT '{') ENGINE=CELLS"), Err(SqlError::Value { .. })));
}

#[test]
fn other_changes_of_the_catalog_are_understood() {
    for (text, expected) in [
        (
            "CREATE DATABASE IF NOT EXISTS x DEFAULT CHARACTER SET utf8mb4",
            Ddl::CreateDatabase { name: "x".into(), if_not_exists: true, collation: Some("utf8mb4_0900_ai_ci".into()) },
        ),
        ("create schema x", Ddl::CreateDatabase { name: "x".into(), if_not_exists: false, collation: None }),
        ("DROP DATABASE IF EXISTS x", Ddl::DropDatabase { name: "x".into(), if_exists: true }),
    ] {
        assert!(matches!(bound(text), Ok(Command::Ddl(ddl)) if ddl == expected), "{text}");
    }
    assert!(
        matches!(bound("DROP TABLE IF EXISTS a, `x`.`b` CASCADE"), Ok(Command::Ddl(Ddl::DropTable { names, if_exists: true })) if names.len() == 2)
    );
    for refused in
        ["ALTER TABLE trips ADD INDEX (body)", "ALTER TABLE trips DROP COLUMN body", "ALTER TABLE trips ADD X INT"]
    {
        assert!(matches!(bound(refused), Err(SqlError::Unsupported { .. })), "{refused}");
    }
    assert!(matches!(bound("USE `shop`"), Ok(Command::Use(name)) if name == "shop"));
    assert!(matches!(bound("use nowhere"), Err(SqlError::UnknownDatabase(_))));
    let mut env = Session::new();
    env.database = None;
    assert_eq!(crate::testing::bound_with(&env, "SELECT * FROM trips", &[]).err(), Some(SqlError::NoDatabase));
}

#[test]
fn what_the_dialect_has_not_is_refused_by_name() {
    for (text, name) in [
        ("FLUSH STATUS", "FLUSH STATUS"),
        ("FLUSH HOSTS, BINARY LOGS", "FLUSH BINARY LOGS"),
        ("FLUSH QUERY CACHE", "FLUSH QUERY"),
        ("START SLAVE", "START SLAVE"),
        ("STOP REPLICA", "STOP"),
        ("LOCK INSTANCE FOR BACKUP", "LOCK"),
        ("ANALYZE TABLE t", "ANALYZE"),
        ("EXECUTE IMMEDIATE 'SELECT 1'", "EXECUTE IMMEDIATE"),
        ("CALL p()", "CALL"),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "LOAD"),
        ("XA START 'x'", "XA"),
        ("HANDLER t OPEN", "HANDLER"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("CREATE INDEX i ON t (x)", "CREATE INDEX"),
        ("CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW SET x = 1", "CREATE TRIGGER"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH"),
        ("SELECT body FROM trips UNION SELECT 2", "UNION"),
        ("SELECT * FROM trips a JOIN trips b ON a.row_key = b.row_key", "join"),
        ("SELECT * FROM trips, plain", "join"),
        ("SELECT * FROM (SELECT body FROM trips) x", "derived table"),
        ("SELECT * FROM trips WHERE row_key IN (SELECT row_key FROM plain)", "subquery"),
        ("SELECT EXISTS (SELECT 1 FROM trips) + 1", "subquery"),
        ("SELECT COUNT(*), 1 FROM (SELECT body FROM trips) x", "derived table"),
        ("SELECT COUNT(*) FROM (SELECT body FROM trips) x WHERE 1", "derived table"),
        ("SELECT COUNT(*) FROM (SELECT body FROM trips JOIN plain) x", "derived table"),
        ("SELECT (SELECT body FROM trips)", "subquery"),
        ("SELECT ROW_NUMBER() OVER (ORDER BY row_key) FROM trips", "window"),
        ("SELECT row_key FROM trips INTO OUTFILE 'x'", "INTO"),
        ("SELECT * FROM trips FOR UPDATE NOWAIT", "NOWAIT"),
        ("SELECT * FROM trips FOR UPDATE SKIP LOCKED", "SKIP LOCKED"),
        ("SELECT body FROM trips WHERE row_key = 'a' FOR UPDATE WAIT 5", "WAIT"),
        ("SELECT body FROM trips FOR SYSTEM_TIME AS OF NOW() WHERE row_key = 'a'", "FOR SYSTEM_TIME"),
        ("SELECT column_key FROM trips GROUP BY column_key DESC", "GROUP BY with an order"),
        ("SELECT body FROM trips PROCEDURE ANALYSE()", "PROCEDURE"),
        ("SELECT body FROM trips WHERE row_key = 'a' AND body RLIKE 'x'", "REGEXP"),
        ("SELECT body FROM trips WHERE row_key = 'a' AND body NOT RLIKE 'x'", "REGEXP"),
        ("SELECT body FROM trips WHERE 'pool' MEMBER OF (body->'$.tags')", "MEMBER OF"),
        ("SELECT SLEEP(1) FROM trips", "SLEEP"),
        ("EXPLAIN SELECT GET_LOCK('a', 1)", "GET_LOCK"),
        ("SELECT GET_LOCK(UUID(), 1)", "GET_LOCK"),
        ("CREATE TEMPORARY TABLE t (a INT)", "CREATE TEMPORARY"),
        ("ALTER VIEW v AS SELECT 1", "ALTER VIEW"),
        ("SELECT 1 + (@x := 5)", "assignment"),
        ("SELECT @x := row_key FROM trips", "assignment"),
        ("SELECT 'a' REGEXP 'b'", "REGEXP"),
        ("INSERT INTO trips SELECT * FROM plain", "INSERT .. SELECT"),
        ("SELECT GROUP_CONCAT(row_key) FROM trips", "GROUP_CONCAT"),
        ("SELECT body COLLATE utf8mb4_general_ci FROM trips", "COLLATE"),
        ("SELECT body FROM trips WHERE MATCH(body) AGAINST ('x')", "MATCH"),
    ] {
        match bound(text) {
            Err(SqlError::Unsupported { what, instead }) => {
                assert!(what.to_lowercase().contains(&name.to_lowercase()), "{text}: {what}");
                assert!(!instead.is_empty(), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn syntax_errors_say_where() {
    match parse("SELECT *\nFROM t WHERE\n  row_key == 'x'", SqlMode::default()) {
        Err(SqlError::Syntax { near, line, .. }) => assert_eq!((near.as_str(), line), ("= 'x'", 3)),
        other => panic!("{other:?}"),
    }
    for bad in [
        "SELEC 1",
        "SELECT",
        "SELECT 1 1",
        "SELECT (1",
        "SELECT 1)",
        "INSERT trips",
        "SELECT FROM t",
        "SELECT 1,",
        "SET",
        "SET x",
        "SELECT * FROM",
        "SELECT * FROM t WHERE",
        "SELECT * FROM t ORDER BY",
        "SELECT a b c",
        "SHOW",
        "DO",
        "SELECT [1]",
        "SELECT {x}",
        "SELECT ::1",
        "SELECT 1 LIMIT",
        "USE",
        "CREATE",
        "EXPLAIN",
        "INSERT INTO t VALUES",
        "INSERT INTO t VALUES (1",
        "DELETE",
        "DELETE FROM t WHERE row_key = 'a' LIMIT 1, 1",
        "X'123'",
        "SELECT \\x",
    ] {
        let outcome = parse(bad, SqlMode::default());
        assert!(matches!(outcome, Err(SqlError::Syntax { .. })), "{bad}: {outcome:?}");
    }
}

#[test]
fn locking_reads_and_explain_are_seen() {
    for text in [
        "SELECT * FROM trips WHERE row_key='a' FOR UPDATE",
        "SELECT * FROM trips WHERE row_key='a' lock in share mode",
        "SELECT * FROM trips WHERE row_key='a' LIMIT 1 FOR SHARE OF trips",
    ] {
        assert!(read(text).locking, "{text}");
    }
    for (text, analyzed) in [
        ("EXPLAIN SELECT 1", false),
        ("EXPLAIN ANALYZE FORMAT=TREE SELECT 1", true),
        ("DESC FORMAT=JSON SELECT 1", false),
        ("EXPLAIN EXTENDED INSERT INTO trips SET row_key='a', column_key='b', body='1'", false),
    ] {
        assert!(matches!(bound(text), Ok(Command::Explain(e)) if e.analyze == analyzed), "{text}");
    }
}

#[test]
fn rows_are_counted_and_asked_for_through_another_select() {
    let cells: Vec<_> = (1..=3).map(|r| crate::testing::cell("row", "BASE", r, "{}", r)).collect();
    let inner = "SELECT row_key FROM trips WHERE row_key = 'row'";
    for (text, expected) in [
        (format!("SELECT COUNT(*) FROM ({inner}) AS t"), &["3"][..]),
        (format!("select count(1) n from ({inner} ORDER BY ref_key) t LIMIT 1"), &["3"]),
        (format!("SELECT COUNT(*) FROM ({inner} LIMIT 2) t"), &["2"]),
        (format!("SELECT COUNT(*) FROM ({inner} LIMIT 5 OFFSET 2) t"), &["1"]),
        (format!("SELECT COUNT(*) FROM ({inner} AND ref_key > 2) t"), &["1"]),
        ("SELECT COUNT(*) FROM (SELECT DISTINCT row_key FROM trips WHERE row_key = 'row') t".into(), &["1"]),
        ("SELECT COUNT(*) FROM (SELECT COUNT(*) FROM trips WHERE row_key = 'row') t".into(), &["1"]),
        (format!("SELECT EXISTS ({inner})"), &["1"]),
        (format!("SELECT EXISTS({inner} AND ref_key > 9) AS e FROM DUAL LIMIT 1"), &["0"]),
        (format!("SELECT 7 AS x FROM DUAL WHERE EXISTS ({inner})"), &["7"]),
        (format!("SELECT 7 FROM (SELECT 1 AS dummy) d WHERE EXISTS ({inner}) LIMIT 1"), &["7"]),
        (format!("SELECT 7 FROM (SELECT 1 AS dummy) d WHERE EXISTS ({inner} AND ref_key > 9)"), &[]),
        (format!("({inner})"), &["row", "row", "row"]),
    ] {
        assert_eq!(rows(&text, &cells), expected, "{text}");
    }
    let names = |text: &str| read(text).shape.columns().iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    assert_eq!(names("SELECT count(*) FROM (SELECT 1 FROM trips) t"), ["count(*)"]);
    assert_eq!(names("SELECT EXISTS (SELECT 1 FROM trips) AS there"), ["there"]);
    assert_eq!(names("SELECT 1 AS a, 'b' FROM DUAL WHERE EXISTS (SELECT 1 FROM trips)"), ["a", "b"]);
    assert!(
        !read("SELECT EXISTS (SELECT 1 FROM trips WHERE row_key = 'a')").scatter,
        "the inner keys say what is read"
    );
    // Parameters of the inner one are the statement's.
    let params = [Value::Text("row".into()), Value::Int(2)];
    let text = "SELECT COUNT(*) FROM (SELECT 1 FROM trips WHERE row_key = ? LIMIT ?) t";
    assert!(matches!(crate::testing::bound_with(&Session::new(), text, &params), Ok(Command::Read(_))));
}

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

#[test]
fn flush_does_what_there_is_to_do() {
    use crate::command::Flush;
    for text in ["FLUSH PRIVILEGES", "FLUSH LOGS", "FLUSH ERROR LOGS, SLOW LOGS", "FLUSH LOCAL USER_RESOURCES"] {
        assert!(matches!(bound(text), Ok(Command::Flush(what)) if what.is_empty()), "{text}");
    }
    for (text, what) in [("FLUSH HOSTS", vec![Flush::LoginDelays]), ("FLUSH SSL, LOGS", vec![Flush::Certificate])] {
        assert!(matches!(bound(text), Ok(Command::Flush(found)) if found == what), "{text}");
    }
}

#[test]
fn a_derived_table_without_a_name_is_said_to_be_one_whatever_it_is_of() {
    use crate::relational::RelationalError;
    for text in [
        "SELECT * FROM (SELECT 1)",
        "SELECT COUNT(*) FROM (SELECT body FROM trips)",
        "SELECT * FROM (SELECT body FROM trips) WHERE 1",
        "SELECT 1 FROM (SELECT 1) AS a, (SELECT 2)",
    ] {
        let error = parse(text, SqlMode::default()).err();
        assert_eq!(error, Some(SqlError::Relational(RelationalError::NoAlias)), "{text}");
    }
}

#[test]
fn explain_takes_a_select_in_parentheses() {
    assert_eq!(one("EXPLAIN (SELECT 1)").kind(), StatementKind::Explain);
    assert!(matches!(bound("EXPLAIN (SELECT body FROM trips WHERE row_key = 'a')"), Ok(Command::Explain(_))));
    assert!(matches!(bound("DESC ((SELECT 1))"), Ok(Command::Explain(_))));
}

#[test]
fn whether_interval_is_the_function_is_seen_without_reading_over_and_over() {
    // Each token looked for from the first, in each of the nested ones, this would be minutes.
    let ones = "1,".repeat(15_000);
    let text =
        format!("SELECT {}CONCAT({ones}1),1{}", "INTERVAL(".repeat(50), ",1)".repeat(50).replacen(",1)", ")", 1));
    let began = std::time::Instant::now();
    one(&text);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}
