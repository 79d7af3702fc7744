//! What is refused by name, and where a syntax error is.

use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parse::parse;
use crate::testing::bound;

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
        ("SELECT MAX(ref_key) FROM (SELECT ref_key FROM trips) x", "derived table"),
        ("SELECT * FROM (SELECT DISTINCT row_key FROM trips) x", "derived table"),
        ("SELECT * FROM (SELECT base FROM trips) x", "derived table"),
        ("SELECT x.shard FROM (SELECT * FROM trips) x", "derived table"),
        ("SELECT row_key FROM (SELECT body FROM trips) x", "derived table"),
        ("SELECT * FROM trips WHERE row_key IN (SELECT row_key FROM plain)", "subquery"),
        ("SELECT EXISTS (SELECT 1 FROM trips) + 1", "subquery"),
        ("SELECT COUNT(*), 1 FROM (SELECT body FROM trips LIMIT 1) x", "derived table"),
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
