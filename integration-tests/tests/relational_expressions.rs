//! Random expressions over the rows of a derived table are worth the same in the relational engine and on a real
//! MariaDB: the proof of the mapping of operators onto SQLite.

use std::net::{Ipv4Addr, SocketAddr};

use cellgate_integration_tests::client::Refusal;
use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, golden, settings};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

/// How many expressions; each is asked for all rows of [`ROWS`].
const EXPRESSIONS: usize = 1_500;
/// How many of them go in one statement.
const AT_ONCE: usize = 10;

/// Integers `i`, `j`, a decimal `d`, texts `s`, `t`, and NULLs in between.
const ROWS: &str = "(SELECT 1 AS i, -7 AS j, 2.50 AS d, 'abc' AS s, 'ABC' AS t, 1 AS r UNION ALL \
     SELECT 0, 5, -0.25, '5', '5.0', 2 UNION ALL SELECT 42, NULL, 10.00, 'a%c', 'a%', 3 UNION ALL \
     SELECT NULL, 3, NULL, NULL, '12abc', 4 UNION ALL SELECT -3, 2, 0.00, '', 'x\\\\y', 5) AS x";

/// How many rows that is.
const ROW_COUNT: usize = 5;

struct Generator {
    random: Random,
}

impl Generator {
    fn pick(&mut self, items: &[&'static str]) -> &'static str {
        let item: &&str = self.random.pick(items);
        item
    }

    fn number(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.pick(&["i", "j", "d", "1", "0", "2", "-3", "1.5", "NULL", "'5'", "'3'"]).to_owned();
        }
        let depth = depth - 1;
        match self.random.below(9) {
            0 | 1 => {
                let op = self.pick(&["+", "-", "*"]);
                format!("({} {op} {})", self.integer(depth), self.integer(depth))
            }
            2 => format!("({} DIV {})", self.integer(depth), self.integer(depth)),
            3 => format!("({} % {})", self.integer(depth), self.integer(depth)),
            4 => format!("IF({}, {}, {})", self.truth(depth), self.integer(depth), self.integer(depth)),
            5 => format!("COALESCE({}, {})", self.integer(depth), self.integer(depth)),
            6 => format!("LENGTH({})", self.text(depth)),
            7 => format!("NULLIF({}, {})", self.integer(depth), self.integer(depth)),
            _ => format!(
                "CASE WHEN {} THEN {} WHEN {} THEN {} ELSE {} END",
                self.truth(depth),
                self.integer(depth),
                self.truth(depth),
                self.integer(depth),
                self.integer(depth)
            ),
        }
    }

    fn integer(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.pick(&["i", "j", "r", "1", "0", "2", "-3", "NULL"]).to_owned();
        }
        self.number(depth).replace("1.5", "2").replace("'5'", "5").replace("'3'", "3")
    }

    fn text(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.pick(&["s", "t", "'abc'", "'A'", "'5'", "''", "'a%'", "NULL"]).to_owned();
        }
        let depth = depth - 1;
        match self.random.below(7) {
            0 => format!("CONCAT({}, {})", self.text(depth), self.text(depth)),
            1 => format!("UPPER({})", self.text(depth)),
            2 => format!("LOWER({})", self.text(depth)),
            3 => format!("IF({}, {}, {})", self.truth(depth), self.text(depth), self.text(depth)),
            4 => format!("IFNULL({}, {})", self.text(depth), self.text(depth)),
            5 => format!("SUBSTRING({}, {})", self.text(depth), self.pick(&["1", "2", "-1"])),
            _ => format!("REPLACE({}, 'a', 'bb')", self.text(depth)),
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        let comparison = self.pick(&["=", "<>", "<", "<=", ">", ">=", "<=>", "!="]);
        if depth == 0 {
            return match self.random.below(4) {
                0 => format!("{} {comparison} {}", self.number(0), self.number(0)),
                1 => format!("{} {comparison} {}", self.text(0), self.text(0)),
                2 => format!("{} {comparison} {}", self.number(0), self.text(0)),
                _ => format!("{} IS NULL", self.text(0)),
            };
        }
        let depth = depth - 1;
        let not = self.pick(&["", "NOT "]);
        match self.random.below(10) {
            0 => format!("({} AND {})", self.truth(depth), self.truth(depth)),
            1 => format!("({} OR {})", self.truth(depth), self.truth(depth)),
            2 => format!("({} XOR {})", self.truth(depth), self.truth(depth)),
            3 => format!("(NOT {})", self.truth(depth)),
            4 => {
                format!("({} {not}LIKE {})", self.text(depth), self.pick(&["'a%'", "'_b_'", "'A\\\\%c'", "'%5%'", "t"]))
            }
            5 => format!(
                "({} {not}IN ({}, {}, {}))",
                self.integer(depth),
                self.integer(0),
                self.integer(0),
                self.integer(0)
            ),
            6 => format!("({} {not}IN ({}, {}))", self.text(depth), self.text(0), self.text(0)),
            7 => format!("({} {not}BETWEEN {} AND {})", self.integer(depth), self.integer(0), self.integer(0)),
            8 => format!("({} IS {not}{})", self.truth(depth), self.pick(&["NULL", "TRUE", "FALSE"])),
            _ => format!("({} {comparison} {})", self.integer(depth), self.integer(depth)),
        }
    }

    fn expression(&mut self) -> String {
        let depth = 1 + self.random.index(3);
        match self.random.below(3) {
            0 => self.number(depth),
            1 => self.text(depth),
            _ => self.truth(depth),
        }
    }
}

/// The rows a statement answers, or the number it is refused with.
async fn answers(conn: &mut Conn, statement: &str) -> Result<Vec<Vec<String>>, u16> {
    let rows: Vec<Row> = match conn.query(statement).await {
        Ok(rows) => rows,
        Err(error) => return Err(Refusal::of(&error).unwrap_or_else(|| panic!("{statement}: {error}")).code),
    };
    let text = |value: Value| match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => other.as_sql(true),
    };
    Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
}

/// What both servers say of the same expressions.
struct Comparison {
    ours: Conn,
    theirs: Conn,
    /// Expressions whose values were compared.
    compared: usize,
    wrong: Vec<String>,
}

impl Comparison {
    /// Compares these; answers `false` if both refuse the statement.
    async fn compare(&mut self, expressions: &[String]) -> bool {
        let statement = format!("SELECT {} FROM {ROWS} ORDER BY r", expressions.join(", "));
        match (answers(&mut self.ours, &statement).await, answers(&mut self.theirs, &statement).await) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(theirs.len(), ROW_COUNT, "{statement}");
                assert_eq!(ours.len(), theirs.len(), "rows of {statement}");
                for (row, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                    assert_eq!((ours.len(), theirs.len()), (expressions.len(), expressions.len()), "{statement}");
                    for ((ours, theirs), expression) in ours.iter().zip(theirs).zip(expressions) {
                        if ours != theirs {
                            self.wrong.push(format!("row {row}: {expression}\n  ours {ours}, MariaDB's {theirs}"));
                        }
                    }
                }
                self.compared += expressions.len();
                true
            }
            // Several of them may be refused, each for a reason of its own.
            (Err(_), Err(_)) if expressions.len() > 1 => false,
            (Err(ours), Err(theirs)) => {
                if ours != theirs {
                    self.wrong.push(format!("{statement}\n  ours error {ours}, MariaDB's {theirs}"));
                }
                false
            }
            (ours, theirs) => {
                self.wrong.push(format!("{statement}\n  ours {ours:?}\n  MariaDB's {theirs:?}"));
                true
            }
        }
    }
}

#[tokio::test]
async fn random_expressions_are_worth_the_same_on_mariadb() {
    let seed = settings::seed_or(20_261_128);
    let proxy = Deployment::embedded().start();
    let server = MariaDb::shared();
    let database = server.create_database();
    let ours = golden::connect(proxy.mysql(), "test").await;
    let theirs = golden::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port())), &database).await;
    let mut generator = Generator { random: Random::new(seed) };
    let mut comparison = Comparison { ours, theirs, compared: 0, wrong: Vec::new() };
    for _ in 0..EXPRESSIONS / AT_ONCE {
        let expressions: Vec<String> = (0..AT_ONCE).map(|_| generator.expression()).collect();
        if !comparison.compare(&expressions).await {
            for expression in expressions {
                comparison.compare(&[expression]).await;
            }
        }
    }
    server.drop_database(&database);
    let Comparison { compared, wrong, .. } = comparison;
    assert!(wrong.is_empty(), "{} differ (SEED={seed})\n{}", wrong.len(), wrong[..wrong.len().min(15)].join("\n"));
    assert!(compared >= EXPRESSIONS * 9 / 10, "only {compared} of {EXPRESSIONS} have a value");
}
