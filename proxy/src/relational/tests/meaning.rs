//! What statements mean, and what is wrong with some.

use cellgate_sql::{ColumnType, Value};

use super::Session;

#[test]
fn tables_and_columns_join() {
    let session = Session::new();
    let text = "select t.table_name, c.column_name as Col, ordinal_position from information_schema.tables t \
                join INFORMATION_SCHEMA.COLUMNS c on c.table_schema = t.table_schema and c.table_name = t.table_name \
                where t.table_schema = database() and t.table_name like 'tr%' and c.column_key = 'pri' order by 3 desc";
    assert_eq!(session.columns(text), ["TABLE_NAME", "Col", "ORDINAL_POSITION"]);
    assert_eq!(session.rows(text), ["trips|ref_key|4", "trips|column_key|3", "trips|row_key|2"]);
}

#[test]
fn names_of_tables_compare_exactly_and_other_text_without_case() {
    let session = Session::new();
    let count = |condition: &str| {
        let text =
            format!("SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND {condition}");
        session.rows(&text).remove(0)
    };
    assert_eq!(count("table_name = 'trips' and column_name = 'base'"), "1");
    assert_eq!(count("table_name = 'TRIPS'"), "0");
    assert_eq!(count("table_name collate utf8mb4_general_ci = 'TRIPS' and ordinal_position = '1'"), "1");
    assert_eq!(count("binary column_name = 'base'"), "0");
    assert_eq!(count("table_name in ('Trips', 'riders') and data_type in ('JSON')"), "1");
}

#[test]
fn an_alias_means_its_item_where_mysql_says_so() {
    let session = Session::new();
    let tables = "FROM information_schema.tables WHERE table_schema IN ('shop', 'Other')";
    for (text, expected) in [
        (format!("SELECT LENGTH(table_name) AS table_name {tables} ORDER BY table_name"), &["5", "5", "6"][..]),
        (format!("SELECT LENGTH(table_name) AS table_name {tables} ORDER BY CONCAT(table_name, '')"), &["6", "5", "5"]),
        (format!("SELECT LENGTH(table_name) AS l {tables} ORDER BY -l"), &["6", "5", "5"]),
        (format!("SELECT COUNT(*) AS table_name {tables} GROUP BY table_name HAVING table_name = 'trips'"), &["2"]),
        (format!("SELECT COUNT(*) AS table_name {tables} GROUP BY table_schema HAVING table_name = 2"), &["2"]),
    ] {
        assert_eq!(session.rows(&text), expected, "{text}");
    }
    // The value of a group is not there before the groups are, and that of a window not before HAVING.
    for text in [
        format!("SELECT COUNT(*) AS n {tables} GROUP BY n"),
        format!("SELECT COUNT(*) AS n {tables} GROUP BY n + 1"),
        format!("SELECT COUNT(*) {tables} GROUP BY table_schema, 1"),
        format!("SELECT ROW_NUMBER() OVER (ORDER BY table_name) AS n {tables} GROUP BY n"),
        format!("SELECT ROW_NUMBER() OVER (ORDER BY table_name) AS n {tables} HAVING n = 1"),
    ] {
        assert_eq!(session.error(&text), "Invalid use of group function", "{text}");
    }
}

#[test]
fn of_columns_of_one_name_the_one_in_the_select_list_is_meant() {
    let session = Session::new();
    let from = "FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema \
                AND t.table_name = c.table_name WHERE t.table_schema = 'shop'";
    for (text, expected) in [
        (format!("SELECT c.table_name, ordinal_position {from} ORDER BY table_name DESC, 2 LIMIT 1"), &["trips|1"][..]),
        (format!("SELECT DISTINCT c.table_name {from} ORDER BY table_name"), &["riders", "trips"]),
        (format!("SELECT c.table_name, COUNT(*) {from} GROUP BY table_name ORDER BY 1"), &["riders|6", "trips|8"]),
        (format!("SELECT c.table_name, COUNT(*) {from} GROUP BY table_name HAVING table_name > 's'"), &["trips|8"]),
        (format!("SELECT t.*, ordinal_position {from} ORDER BY table_name, ordinal_position LIMIT 0"), &[]),
        (format!("SELECT c.table_name, c.table_name {from} ORDER BY table_name LIMIT 1"), &["riders|riders"]),
        (
            format!("SELECT c.table_name, t.table_name AS table_name {from} ORDER BY table_name LIMIT 1"),
            &["riders|riders"],
        ),
    ] {
        assert_eq!(session.rows(&text), expected, "{text}");
    }
    for (text, clause) in [
        (format!("SELECT c.table_name, t.table_name {from} ORDER BY table_name"), "order clause"),
        (format!("SELECT c.column_name {from} ORDER BY table_name"), "order clause"),
        (format!("SELECT c.table_name {from} ORDER BY CONCAT(table_name, '')"), "order clause"),
        (format!("SELECT COUNT(*) {from} GROUP BY table_name"), "group statement"),
        (format!("SELECT c.table_name {from} GROUP BY CONCAT(table_name, '')"), "group statement"),
        (format!("SELECT COUNT(*) {from} HAVING table_name = 'x'"), "having clause"),
    ] {
        assert_eq!(session.error(&text), format!("Column 'table_name' in {clause} is ambiguous"), "{text}");
    }
}

#[test]
fn joins_in_parentheses_are_joined_first() {
    let session = Session::new();
    let table = |name: &str, rows: [i32; 2]| {
        format!("(SELECT {} n, '{name}' k UNION ALL SELECT {}, '{name}') {name}", rows[0], rows[1])
    };
    let (a, b, c, d) = (table("a", [1, 2]), table("b", [1, 3]), table("c", [1, 3]), table("d", [3, 4]));
    for (from, rows) in [
        (format!("{a} LEFT JOIN ({b} JOIN {c} ON b.n = c.n) ON a.n = b.n"), &["1|1|1", "2|NULL|NULL"][..]),
        (
            format!("{a} LEFT JOIN ({b} LEFT JOIN {c} ON b.n = c.n AND c.n > 1) ON a.n = b.n"),
            &["1|1|NULL", "2|NULL|NULL"],
        ),
        (format!("{a} RIGHT JOIN ({b} JOIN {c} ON b.n = c.n) ON a.n = b.n"), &["NULL|3|3", "1|1|1"]),
        (format!("{a} JOIN ({b} RIGHT JOIN {c} ON b.n = c.n AND b.n > 1) ON a.n = c.n"), &["1|NULL|1"]),
        (
            format!("{a} JOIN ({b} JOIN {c} ON b.n = c.n) ON a.n = b.n RIGHT JOIN {d} ON d.n = a.n"),
            &["NULL|NULL|NULL"; 2],
        ),
        (format!("{a}, {b} LEFT JOIN {c} ON b.n = c.n AND b.n > 1 WHERE a.n = 1"), &["1|1|NULL", "1|3|3"]),
        (
            format!("{a} LEFT JOIN ({b} LEFT JOIN ({c} JOIN {d} ON c.n = d.n) ON b.n = c.n) ON b.n > a.n AND d.n > 0"),
            &["1|3|3", "2|3|3"],
        ),
        (format!("{a} LEFT JOIN ({b} JOIN {c} USING (n)) USING (n)"), &["1|1|1", "2|NULL|NULL"]),
    ] {
        let text = format!("SELECT a.n, b.n, c.n FROM {from} ORDER BY a.n, b.n, c.n");
        assert_eq!(session.rows(&text), rows, "{text}");
    }
    let all = format!("SELECT * FROM {a} LEFT JOIN ({b} JOIN {c} USING (n)) USING (n) ORDER BY n");
    assert_eq!(session.rows(&all), ["1|a|b|c", "2|a|NULL|NULL"]);
    let within = format!(
        "SELECT a.n, (SELECT COUNT(*) FROM {d} LEFT JOIN ({b} JOIN {c} ON b.n = a.n) ON b.n = c.n WHERE b.n > 0) FROM {a} ORDER BY 1"
    );
    assert_eq!(session.rows(&within), ["1|2", "2|0"]);
    // More columns than SQLite has, as long as they are not named.
    let files = (1..=55).map(|n| format!("information_schema.files f{n}")).collect::<Vec<_>>().join(" JOIN ");
    for from in [
        format!("information_schema.engines e, {}", files),
        format!("information_schema.engines e JOIN ({}) ON f2.file_id = f1.file_id", files),
        format!("information_schema.engines e LEFT JOIN ({}) ON f1.file_id = 1", files),
    ] {
        assert_eq!(session.rows(&format!("SELECT COUNT(f7.file_name) FROM {from}")), ["0"], "{from}");
    }
}

#[test]
fn what_has_no_table_runs_too() {
    let session = Session::new();
    for (text, rows) in [
        ("SELECT 'TABLE' TABLE_TYPE UNION SELECT 'VIEW' UNION SELECT 'table'", &["TABLE", "VIEW"][..]),
        ("SELECT EXISTS(SELECT 1 FROM (SELECT 1 AS a) x WHERE a = '1')", &["1"]),
        (
            "SELECT a + 1, 1/2 FROM (SELECT 1 AS a UNION ALL SELECT 2.5) t ORDER BY a DESC",
            &["3.5|0.5000", "2.0|0.5000"],
        ),
        ("(SELECT 1) UNION ALL (SELECT 'x') ORDER BY 1 LIMIT 1", &["1"]),
        (
            "SELECT GROUP_CONCAT(a ORDER BY a DESC SEPARATOR '-'), SUM(a), COUNT(DISTINCT a) FROM (SELECT 1 AS a UNION ALL \
          SELECT 3 UNION ALL SELECT 3) t",
            &["3-3-1|7|2"],
        ),
        (
            "SELECT (SELECT MAX(b) FROM (SELECT 5 AS b) y WHERE b > x.a) m FROM (SELECT 4 a UNION SELECT 6) x",
            &["5", "NULL"],
        ),
        ("SELECT COALESCE(NULL, DATABASE()) d FROM (SELECT 1) q WHERE 'A' = 'a' AND '5' = 5", &["shop"]),
        (
            "SELECT a, COUNT(*) n FROM (SELECT 'x' a UNION ALL SELECT 'X' UNION ALL SELECT 'y') t GROUP BY a HAVING n > 1",
            &["x|2"],
        ),
        ("SELECT CASE a WHEN 1 THEN 'one' ELSE a END FROM (SELECT 1 a UNION SELECT 2) t", &["one", "2"]),
        ("SELECT * FROM (SELECT 1 a, 2 b) x JOIN (SELECT 1 a, 3 c) y USING (a)", &["1|2|3"]),
        (
            "SELECT x.a FROM (SELECT 1 a UNION SELECT 2) x LEFT JOIN (SELECT 2 a) y ON x.a = y.a WHERE y.a IS NULL",
            &["1"],
        ),
        (
            "SELECT y.a FROM (SELECT 1 a UNION SELECT 2) x RIGHT JOIN (SELECT 2 a UNION SELECT 3) y ON x.a = y.a ORDER BY 1",
            &["2", "3"],
        ),
        (
            "SELECT a, ROW_NUMBER() OVER (ORDER BY a DESC) r FROM (SELECT 1 a UNION SELECT 2) t ORDER BY a",
            &["1|2", "2|1"],
        ),
        ("SELECT '' TABLE_SCHEM FROM (SELECT 1) q WHERE 1=0", &[]),
        ("SELECT COUNT(DISTINCT a, b) FROM (SELECT 1 a, 2 b) q WHERE a > 1", &["0"]),
        (
            "SELECT a, (SELECT COUNT(DISTINCT b, c) FROM (SELECT 1 b, 2 c) y WHERE b > a) FROM (SELECT 0 a UNION SELECT 1) x",
            &["0|1", "1|0"],
        ),
        ("SELECT 'none' FROM (SELECT 1 a, 2 b) q WHERE a > 1 HAVING COUNT(DISTINCT a, b) = 0", &["none"]),
    ] {
        assert_eq!(session.rows(text), rows, "{text}");
    }
}

#[test]
fn in_a_subquery_compares_as_equal_does() {
    let session = Session::new();
    let date = "CAST('2024-01-01' AS DATE)";
    let time = "CAST('2024-01-01' AS DATETIME)";
    for (operand, found, is) in [
        ("BINARY 'a'", "'b'", "0"),
        ("BINARY 'a'", "'a'", "1"),
        ("BINARY 'a'", "'A'", "0"),
        ("'b'", "UNHEX('61')", "0"),
        ("UNHEX('61')", "x'62'", "0"),
        ("UNHEX('61')", "x'61'", "1"),
        ("UNHEX(NULL)", "x'61'", "NULL"),
        (date, "'2024-01-01'", "1"),
        (time, "'2024-1-1'", "1"),
        (date, "'2024-01-02'", "0"),
        ("'2024-01-01'", date, "1"),
        (time, "20240101", "1"),
        (time, "1", "0"),
        ("1", date, "0"),
        (time, "NULL + 0", "NULL"),
        ("JSON_EXTRACT('[1.0]', '$')", "JSON_EXTRACT('[1]', '$')", "1"),
        ("JSON_EXTRACT('[1]', '$')", "JSON_EXTRACT('[2]', '$')", "0"),
        ("1", "'1a'", "1"),
    ] {
        assert_eq!(session.rows(&format!("SELECT {operand} IN (SELECT {found})")), [is], "{operand} {found}");
        let from = format!("SELECT y = ANY (SELECT x FROM (SELECT {found} AS x) a) FROM (SELECT {operand} AS y) b");
        assert_eq!(session.rows(&from), [is], "{from}");
    }
    let name = [Value::Bytes("nobody".into())];
    let rows = session.run("SELECT ? IN (SELECT table_name FROM information_schema.tables)", &name);
    assert_eq!(rows.unwrap(), [vec![Value::Int(0)]]);
    assert_eq!(session.rows(&format!("SELECT {date} IN (SELECT 'x')")), ["0"]);
    assert_eq!(session.error(&format!("SELECT 'x' IN (SELECT {date})")), "Incorrect DATETIME value: 'x'");
    assert_eq!(
        session.error("SELECT 'b' IN (SELECT JSON_EXTRACT('[\"b\"]', '$[0]'))"),
        "IN (SELECT ..) over JSON and something else is not supported; CAST one AS JSON, or take JSON_UNQUOTE of the other"
    );
}

#[test]
fn what_is_wrong_is_said_as_mysql_says_it() {
    let session = Session::new();
    for (text, error) in [
        ("SELECT 1 FROM information_schema.nope", "Unknown table 'NOPE' in information_schema"),
        ("SELECT nope FROM information_schema.tables", "Unknown column 'nope' in 'field list'"),
        ("SELECT 1 FROM information_schema.tables WHERE x.nope = 1", "Unknown column 'x.nope' in 'where clause'"),
        (
            "SELECT table_name FROM information_schema.tables a, information_schema.columns b",
            "Column 'table_name' in field list is ambiguous",
        ),
        ("SELECT 1 FROM information_schema.tables a, information_schema.columns a", "Not unique table/alias: 'a'"),
        ("SELECT (SELECT table_name FROM information_schema.tables)", "Subquery returns more than 1 row"),
        ("SELECT 1 FROM (SELECT 1, 1) x", "Duplicate column name '1'"),
        ("SELECT 1 UNION SELECT 1, 2", "The used SELECT statements have a different number of columns"),
        ("SELECT 1 FROM information_schema.tables WHERE COUNT(*) > 1", "Invalid use of group function"),
        ("SELECT 1 FROM mysql.nope", "Table 'mysql.nope' doesn't exist"),
        (
            "SELECT schema_name AS s FROM information_schema.schemata ORDER BY COUNT(*)",
            "In aggregated query without GROUP BY, expression contains nonaggregated column 'SCHEMA_NAME'; this is \
             incompatible with sql_mode=only_full_group_by",
        ),
        (
            "SELECT e.* FROM information_schema.engines e HAVING COUNT(*) > 0",
            "In aggregated query without GROUP BY, expression contains nonaggregated column 'ENGINE'; this is \
             incompatible with sql_mode=only_full_group_by",
        ),
        ("SELECT 1 AS a UNION SELECT 2 ORDER BY COUNT(*)", "Invalid use of group function"),
        ("SELECT a FROM (SELECT 1 AS a) x HAVING ROW_NUMBER() OVER (ORDER BY a) > 0", "Invalid use of group function"),
        (
            "SELECT s.schema_name FROM information_schema.schemata s, information_schema.engines e \
             JOIN information_schema.tables t ON t.table_schema = s.schema_name",
            "Unknown column 's.schema_name' in 'on clause'",
        ),
        ("SELECT ordinal_position - 5 FROM information_schema.columns", "BIGINT UNSIGNED value is out of range"),
        ("SELECT 9223372036854775807 + 1 FROM (SELECT 1) x", "BIGINT value is out of range"),
        (
            "SELECT * FROM trips JOIN riders",
            "a join is not supported; read the tables one by one; IN (..) takes many keys at once",
        ),
    ] {
        assert_eq!(session.error(text), error, "{text}");
    }
}

#[test]
fn what_an_outer_join_may_lack_can_be_null() {
    let session = Session::new();
    let nullable = |text: &str| -> Vec<bool> {
        session.program(text, &[]).unwrap().columns().iter().map(|column| column.nullable).collect()
    };
    let tables =
        |join: &str| format!("SELECT a.id, b.id FROM (SELECT 1 AS id) a {join} (SELECT 1 AS id) b ON a.id = b.id");
    assert_eq!(nullable(&tables("JOIN")), [false, false]);
    assert_eq!(nullable(&tables("LEFT JOIN")), [false, true]);
    assert_eq!(nullable(&tables("RIGHT JOIN")), [true, false]);
    let using = "SELECT * FROM (SELECT 1 AS id, 2 AS n) a LEFT JOIN (SELECT 1 AS id, 2 AS m) b USING (id)";
    assert_eq!(nullable(using), [false, false, true]);
}

#[test]
fn null_has_the_type_of_what_could_have_been_there() {
    let session = Session::new();
    let program = session.program("SELECT CAST('x' AS DATETIME), 1 / NULL, NULL FROM (SELECT 1) x", &[]).unwrap();
    let types: Vec<ColumnType> = program.columns().iter().map(|column| column.ty).collect();
    assert_eq!(types, [ColumnType::DateTime, ColumnType::Decimal, ColumnType::Null]);
    assert!(program.columns().iter().all(|column| column.nullable));
}

#[test]
fn use_information_schema_makes_its_tables_the_sessions() {
    let mut session = Session::new();
    session.database = Some("information_schema");
    assert_eq!(
        session.rows("SELECT schema_name FROM schemata WHERE schema_name = ?".replace('?', "'shop'").as_str()),
        ["shop"]
    );
    let rows = session.run("SELECT 1 FROM schemata LIMIT ?", &[Value::Text("1".into())]).unwrap();
    assert_eq!(rows.len(), 1);
}
