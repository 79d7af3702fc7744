//! SELECT: without a table, through another SELECT, INTO variables.

use crate::command::{Command, Cut};
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parse::parse;
use crate::testing::{Session, bound, cell, read, read_with, rows, run, shown};
use crate::value::Value;

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
fn select_into_names_its_variables_wherever_mysql_lets_it_stand() {
    for text in [
        "SELECT 1, 2 INTO @a, @`B`",
        "SELECT row_key, body INTO @a, @b FROM trips WHERE row_key = 'x'",
        "SELECT row_key, body FROM trips WHERE row_key = 'x' LIMIT 1 INTO @a, @b",
        "SELECT row_key, body FROM trips WHERE row_key = 'x' FOR UPDATE INTO @a, @b",
    ] {
        assert_eq!(read(text).into, ["a", "b"], "{text}");
    }
    assert_eq!(bound("SELECT 1 INTO @a, @b").err(), Some(SqlError::IntoCount));
    assert!(matches!(bound("SELECT 1 INTO a"), Err(SqlError::Syntax { .. })));
}

#[test]
fn rows_that_are_to_be_counted_are_all_made() {
    let counted = read("SELECT SQL_CALC_FOUND_ROWS row_key FROM trips WHERE row_key = 'a' LIMIT 1, 2");
    assert_eq!(counted.cut, Some(Cut { offset: 1, count: Some(2) }));
    let cells: Vec<_> = (1..=5).map(|n| cell("a", "c", n, "1", n)).collect();
    assert_eq!(run(&counted, &cells).unwrap().len(), 5);
    assert!(counted.limited && read("SELECT 1 LIMIT 1").limited && !read("SELECT 1").limited);
}

#[test]
fn without_only_full_group_by_a_bare_column_is_that_of_any_row() {
    let text =
        "SELECT column_key, ref_key, COUNT(*) FROM trips WHERE row_key = 'a' GROUP BY column_key ORDER BY column_key";
    assert!(matches!(bound(text), Err(SqlError::MixedAggregate { grouped: true, .. })));
    let mut env = Session::new();
    env.mode.any_of_group = true;
    let cells = [cell("a", "x", 7, "1", 1), cell("a", "x", 8, "1", 2), cell("a", "y", 3, "1", 3)];
    let rows = run(&read_with(&env, text, &[]), &cells).unwrap();
    assert_eq!(rows.iter().map(shown).collect::<Vec<_>>(), ["x|7|2", "y|3|1"]);
}
