//! Statements about sessions and tables: comments, SELECT .. INTO, time zones, ALTER and its kin.

use crate::command::{Command, Cut, Ddl, KillScope, LockMode, RowColumnSpec, TableChange, TableLock, TableName};
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parameters::Parameters;
use crate::parse;
use crate::testing::{self, Session, bound, bound_with, cell, read, read_with, run, shown};
use crate::value::Value;

fn table(name: &str) -> TableName {
    TableName { database: "shop".into(), table: name.into() }
}

fn column(name: &str, missing: Option<&str>) -> RowColumnSpec {
    RowColumnSpec { name: name.into(), missing: missing.map(str::to_owned), comment: String::new() }
}

#[test]
fn a_text_of_nothing_but_comments_does_nothing() {
    for text in ["/* c */", "-- c", "# c", "/*M!100616 SET x=1 */;", "/*!99999 nonsense */", " /* a */ -- b\n ; "] {
        assert!(matches!(bound(text), Ok(Command::Nothing)), "{text}");
    }
    for empty in ["", " ", ";", " ;; "] {
        assert_eq!(parse(empty, SqlMode::default()).map(|s| s.len()), Err(SqlError::Empty), "{empty}");
    }
    assert_eq!(parse("SELECT 1; /* c */", SqlMode::default()).map(|s| s.len()), Ok(1));
}

#[test]
fn tags_are_kept_for_the_log_and_other_comments_are_not() {
    let tags = |text: &str| parse(text, SqlMode::default()).unwrap().remove(0).tags();
    assert_eq!(
        tags("/* app:shop */ SELECT 1 /* a secret */ /*traceparent='00-1',x='y'*/"),
        "app:shop,traceparent='00-1',x='y'"
    );
    assert_eq!(tags("SELECT 1 -- app:shop"), "");
    assert_eq!(tags("SELECT /*+ MAX_EXECUTION_TIME(5) */ 1"), "");
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
fn alter_table_says_what_changes_in_order() {
    let changes = |text: &str| match bound(text) {
        Ok(Command::Ddl(Ddl::AlterTable { name, changes, rename })) => {
            assert_eq!(name, table("trips"), "{text}");
            (changes, rename)
        }
        other => panic!("{text}: {other:?}"),
    };
    let (all, _) = changes(
        "ALTER TABLE trips ADD COLUMN X JSON NULL, ADD (Y JSON DEFAULT ('1'), Z JSON), DROP COLUMN STATUS, \
         RENAME COLUMN BASE TO Main, CHANGE a b JSON DEFAULT '2', MODIFY c JSON, ALTER d SET DEFAULT ('3'), \
         ALTER COLUMN e DROP DEFAULT, COMMENT = 'it''s', ALGORITHM=INPLACE, LOCK=NONE, ENGINE=CELLS",
    );
    let (from, name) = (|name: &str| name.to_owned(), |name: &str| name.to_owned());
    assert_eq!(
        all,
        [
            TableChange::Add(column("X", None)),
            TableChange::Add(column("Y", Some("1"))),
            TableChange::Add(column("Z", None)),
            TableChange::Drop(name("STATUS")),
            TableChange::Rename { from: from("BASE"), to: name("Main") },
            TableChange::Redefine { from: from("a"), column: column("b", Some("2")) },
            TableChange::Redefine { from: from("c"), column: column("c", None) },
            TableChange::SetDefault { column: name("d"), missing: Some("3".into()) },
            TableChange::SetDefault { column: name("e"), missing: None },
            TableChange::Comment("it's".into()),
        ]
    );
    for nothing in [
        "/*!40000 ALTER TABLE `trips` DISABLE KEYS */",
        "ALTER TABLE trips ENABLE KEYS",
        "ALTER TABLE trips CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "ALTER TABLE trips ENGINE=InnoDB, AUTO_INCREMENT=7",
        "ALTER TABLE trips FORCE",
    ] {
        assert_eq!(changes(nothing), (vec![], None), "{nothing}");
    }
    assert_eq!(changes("ALTER TABLE trips RENAME y"), (vec![], Some(table("y"))));
    let elsewhere = TableName { database: "other".into(), table: "y".into() };
    assert_eq!(changes("ALTER TABLE trips RENAME TO other.y"), (vec![], Some(elsewhere)));
    for refused in [
        "ALTER TABLE trips ADD UNIQUE KEY (body)",
        "ALTER TABLE trips ADD PRIMARY KEY (body)",
        "ALTER TABLE trips ADD CONSTRAINT c CHECK (1)",
        "ALTER TABLE trips ADD COLUMN IF NOT EXISTS x JSON",
        "ALTER TABLE trips DROP COLUMN IF EXISTS x",
        "ALTER TABLE trips DROP INDEX i",
        "ALTER TABLE trips RENAME INDEX a TO b",
        "ALTER TABLE trips ADD X JSON FIRST",
        "ALTER TABLE trips MODIFY body JSON",
        "ALTER TABLE trips RENAME COLUMN row_key TO k",
        "ALTER TABLE trips ORDER BY row_key",
        "ALTER TABLE trips COLLATE utf8mb4_general_ci",
    ] {
        assert!(matches!(bound(refused), Err(SqlError::Unsupported { .. })), "{refused}");
    }
}

#[test]
fn tables_are_renamed_emptied_and_made_like_others() {
    let ddl = |text: &str| match bound(text) {
        Ok(Command::Ddl(ddl)) => ddl,
        other => panic!("{text}: {other:?}"),
    };
    let pairs = vec![(table("a"), table("b")), (TableName { database: "x".into(), table: "c".into() }, table("d"))];
    assert_eq!(ddl("RENAME TABLE a TO b, x.c TO d"), Ddl::RenameTables(pairs));
    for text in ["TRUNCATE trips", "TRUNCATE TABLE `shop`.`trips`"] {
        assert_eq!(ddl(text), Ddl::Truncate(table("trips")), "{text}");
    }
    for text in ["CREATE TABLE a LIKE b", "CREATE TABLE a (LIKE b)"] {
        let like = Ddl::CreateTableLike { name: table("a"), if_not_exists: false, like: table("b") };
        assert_eq!(ddl(text), like, "{text}");
    }
    match ddl("CREATE TABLE t ENGINE=CELLS, CHARSET=utf8mb4, ROW_FORMAT=DYNAMIC STATS_PERSISTENT=0 COMMENT='why'") {
        Ddl::CreateTable { comment, .. } => assert_eq!(comment, "why"),
        other => panic!("{other:?}"),
    }
    let collation = Some("utf8mb4_unicode_ci".to_owned());
    assert_eq!(
        ddl("ALTER DATABASE DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_unicode_ci"),
        Ddl::AlterDatabase { name: "shop".into(), collation: collation.clone() }
    );
    assert_eq!(ddl("ALTER SCHEMA x COLLATE utf8mb4_unicode_ci"), Ddl::AlterDatabase { name: "x".into(), collation });
    assert!(matches!(bound("CREATE DATABASE x CHARACTER SET latin1"), Err(SqlError::Unsupported { .. })));
    let env = testing::Session::new();
    assert!(bound_with(&env, "RENAME TABLE a", &[]).is_err());
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
