//! The engine over a small catalog, without a server.

mod definitions;
mod found;
mod values;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_schemaless::{Micros, RowColumn, TableDef};
use cellgate_sql::relational::Relation;
use cellgate_sql::{
    ColumnType, Command, Environment, Row, SessionCall, SessionFunction, SqlError, SqlMode, TimeZone, Value,
};

use super::{Engine, Filling, Key, Relational, RelationalFailure, Source, State};
use crate::catalog::{CatalogDocument, Snapshot};
use crate::until::{Until, Waiting};

struct Session {
    bytes: usize,
    database: Option<&'static str>,
    catalog: Arc<Snapshot>,
    engine: Arc<Relational>,
}

fn table(id: u32, database: &str, name: &str, columns: &[(&str, Option<&str>)]) -> TableDef {
    let column = |(name, missing): &(&str, Option<&str>)| RowColumn::new(*name, missing.map(str::to_owned));
    let columns = columns.iter().map(column).collect();
    TableDef { columns, ..TableDef::new(id, database, name, 1_700_000_000_000_000) }
}

impl Session {
    fn new() -> Self {
        let document = CatalogDocument {
            databases: vec!["shop".into(), "Other".into()],
            tables: vec![
                table(1, "shop", "trips", &[("BASE", None), ("status", Some("\"new\""))]),
                table(2, "shop", "riders", &[]),
                table(3, "Other", "trips", &[]),
            ],
            last_table_id: 3,
            ..CatalogDocument::default()
        };
        let catalog = Arc::new(Snapshot::new(1, &document));
        Self { bytes: 1 << 20, database: Some("shop"), catalog, engine: Arc::default() }
    }

    fn program(&self, text: &str, params: &[Value]) -> Result<cellgate_sql::relational::Program, SqlError> {
        let statements = cellgate_sql::parse(text, SqlMode::default())?;
        match cellgate_sql::bind(&statements[0], &params.to_vec().into(), self)? {
            Command::Relational(program) => Ok(*program),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn run(&self, text: &str, params: &[Value]) -> Result<Vec<Row>, RelationalFailure> {
        let program = Arc::new(self.program(text, params)?);
        // Some read a thousand tables, which takes seconds, and on a busy machine many.
        let (until, _waiting) = until(Duration::from_secs(180));
        self.engine.run_now(&program, &self.catalog, &State::default(), &until).map(|outcome| outcome.rows)
    }

    fn rows(&self, text: &str) -> Vec<String> {
        let rows = self.run(text, &[]).unwrap_or_else(|error| panic!("{text}: {error}"));
        rows.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join("|")).collect()
    }

    fn columns(&self, text: &str) -> Vec<String> {
        self.program(text, &[]).unwrap().columns().iter().map(|c| c.name.clone()).collect()
    }

    fn error(&self, text: &str) -> String {
        match self.run(text, &[]) {
            Ok(rows) => panic!("{text}: {rows:?}"),
            Err(error) => error.to_string(),
        }
    }
}

fn until(patience: Duration) -> (Until, Waiting) {
    Until::new(Instant::now() + patience)
}

fn shown(value: &Value) -> String {
    value.text().map_or("NULL".to_owned(), |text| String::from_utf8_lossy(&text).into_owned())
}

impl Environment for Session {
    fn database(&self) -> Option<&str> {
        self.database
    }

    fn table(&self, database: &str, name: &str) -> Option<Arc<TableDef>> {
        self.catalog.table(database, name).cloned()
    }

    fn has_database(&self, database: &str) -> bool {
        self.catalog.has_database(database)
    }

    fn variable(&self, _: bool, name: &str) -> Option<Value> {
        (name == "version").then(|| Value::Text("8.0.36".into()))
    }

    fn user_variable(&self, _: &str) -> Value {
        Value::Null
    }

    fn function(&self, function: SessionFunction) -> Value {
        match function {
            SessionFunction::Database => self.database.map_or(Value::Null, |d| Value::Text(d.into())),
            _ => Value::Int(7),
        }
    }

    fn relation(&self, database: &str, table: &str) -> Option<&'static Relation> {
        super::relation(database, table)
    }

    fn is_system_database(&self, name: &str) -> bool {
        super::is_system_database(name)
    }

    fn call(&self, call: SessionCall, arguments: &[Value]) -> Result<Value, SqlError> {
        Err(SqlError::Pending(call, arguments.to_vec()))
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    fn shard_of(&self, _: &[u8]) -> u16 {
        0
    }

    fn virtual_shards(&self) -> u32 {
        8
    }

    fn now(&self) -> Micros {
        Micros(1_700_000_000_123_456)
    }

    fn sql_mode(&self) -> SqlMode {
        SqlMode::default()
    }

    fn collect_rows(&self) -> usize {
        100_000
    }

    fn collect_bytes(&self) -> usize {
        self.bytes
    }
}

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
fn an_engine_is_used_again_for_the_same_catalog_and_filled_anew_for_another() {
    let mut session = Session::new();
    let count = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'";
    assert_eq!(session.rows(count), ["2"]);
    assert_eq!(session.rows(count), ["2"]);
    assert_eq!(session.engine.idle.lock().unwrap().len(), 1);
    let document = CatalogDocument { databases: vec!["shop".into()], ..CatalogDocument::default() };
    session.catalog = Arc::new(Snapshot::new(2, &document));
    assert_eq!(session.rows(count), ["0"]);
    let idle = session.engine.idle.lock().unwrap();
    assert!(idle.iter().any(|e| e.key() == Some(&Key { catalog: 2, sight: String::new() })));
}

#[test]
fn filling_a_table_ends_when_nobody_waits_for_it() {
    let session = Session::new();
    let program = Arc::new(session.program("SELECT COUNT(*) FROM information_schema.tables", &[]).unwrap());
    let (until, waiting) = until(Duration::from_secs(20));
    drop(waiting);
    let ended = session.engine.run_now(&program, &session.catalog, &State::default(), &until);
    assert!(matches!(ended, Err(RelationalFailure::Timeout)), "{ended:?}");
    // What was filled in part is nothing to go on with.
    assert!(session.engine.idle.lock().unwrap().is_empty());
    assert_eq!(session.rows("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'"), ["2"]);
}

#[test]
fn rows_are_made_one_after_the_other_for_as_long_as_somebody_waits() {
    let session = Session::new();
    let program = Arc::new(session.program("SELECT 1 FROM information_schema.engines", &[]).unwrap());
    let endless = || Box::new(std::iter::repeat_with(|| vec![Value::Int(1); 6])) as Box<dyn Iterator<Item = Row>>;
    let (until, _waiting) = until(Duration::from_millis(50));
    let filling = Filling { relation: program.relations()[0], rows: Source::Kept(Box::new(endless)) };
    let mut engine = Engine::new().unwrap();
    let ended = engine.run(&program, 1, vec![filling], &until);
    assert!(matches!(ended, Err(RelationalFailure::Timeout)), "{ended:?}");
    assert!(engine.is_half_filled());
}

#[test]
fn engines_at_work_and_idle_ones_are_no_more_than_their_bound_together() {
    let mut session = Session::new();
    for version in 1..=5 {
        session.catalog = Arc::new(Snapshot::new(version, &CatalogDocument::default()));
        session.rows("SELECT COUNT(*) FROM information_schema.tables");
    }
    let idle = || session.engine.idle.lock().unwrap().len();
    assert_eq!(idle(), 5);
    let key = |catalog| Key { catalog, sight: "others".to_owned() };
    // Three at work beside this one: there is room for one more.
    let _at_work = session.engine.room.try_acquire_many(3).unwrap();
    drop(session.engine.take(&key(10)).unwrap());
    assert_eq!(idle(), 5);
    let _more = session.engine.room.try_acquire_many(4).unwrap();
    drop(session.engine.take(&key(11)).unwrap());
    assert_eq!(idle(), 4, "the one unused for longest has its place");
}

#[test]
fn an_engine_that_failed_is_not_used_again() {
    let session = Session::new();
    let variables = "SELECT COUNT(*) FROM performance_schema.session_variables";
    let run = |bytes: usize| {
        let program = Arc::new(session.program(variables, &[]).unwrap());
        let variable = ("x".to_owned(), Value::Text("x".repeat(bytes).into()));
        let state = State { session_variables: vec![variable], ..State::default() };
        let (until, _waiting) = until(Duration::from_secs(20));
        session.engine.run_now(&program, &session.catalog, &state, &until)
    };
    // Longer than any value SQLite is to hold.
    let failed = run(65 << 20);
    let is_named = matches!(failed, Err(RelationalFailure::Sql(SqlError::Limit { name: "row_bytes", .. })));
    assert!(is_named, "{failed:?}");
    assert!(session.engine.idle.lock().unwrap().is_empty());
    assert_eq!(run(1).unwrap().rows, [[Value::Int(1)]]);
    assert_eq!(session.rows("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'"), ["2"]);
}

#[test]
fn an_engine_nobody_waits_for_has_its_room_until_its_thread_is_free() {
    let session = Session::new();
    let program = session.program("SELECT COUNT(*) FROM information_schema.tables", &[]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build().unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let busy = tokio::task::spawn_blocking(move || held.recv());
        let deadline = Instant::now() + Duration::from_secs(20);
        let engine = Arc::clone(&session.engine);
        let mut run = Box::pin(engine.run(program, Arc::clone(&session.catalog), State::default(), deadline));
        let first = std::future::poll_fn(|cx| std::task::Poll::Ready(run.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        drop(run);
        assert_eq!(session.engine.room.available_permits(), super::ENGINES - 1);
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
    });
    // Waits for the work that was begun.
    drop(runtime);
    assert_eq!(session.engine.room.available_permits(), super::ENGINES);
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

#[test]
fn rows_beyond_those_that_are_sent_are_not_made() {
    let session = Session::new();
    let run = |text: &str, most: u64| {
        let program = Arc::new(session.program(text, &[]).unwrap().at_most(most));
        let (until, _waiting) = until(Duration::from_secs(180));
        let outcome = session.engine.run_now(&program, &session.catalog, &State::default(), &until).unwrap();
        (outcome.rows.len(), outcome.found)
    };
    // More than may be collected.
    assert_eq!(run("SELECT 1 FROM information_schema.COLUMNS a, information_schema.COLUMNS b", 1000), (1000, 1000));
    let numbers = "(SELECT 1 AS n UNION ALL SELECT 0 UNION ALL SELECT 1) x";
    // The next one cannot be made.
    assert_eq!(run("SELECT 9223372036854775806 + n FROM (SELECT 1 AS n UNION ALL SELECT 2) x", 1), (1, 1));
    assert_eq!(run(&format!("SELECT n FROM {numbers}"), 0), (0, 0));
    assert_eq!(run(&format!("SELECT n FROM {numbers} LIMIT 2"), 1), (2, 2));
    assert_eq!(run(&format!("SELECT SQL_CALC_FOUND_ROWS n FROM {numbers}"), 1), (1, 3));
    assert_eq!(run(&format!("SELECT SQL_CALC_FOUND_ROWS n FROM {numbers} LIMIT 2"), 1), (2, 3));
    assert_eq!(run(&format!("SELECT n FROM {numbers}"), 5), (3, 3));
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
