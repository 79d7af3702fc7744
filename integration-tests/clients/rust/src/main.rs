//! The steps of every driver, for Rust's: `client sqlx|mysql_async|diesel`.

mod driver;
mod with_diesel;
mod with_mysql_async;
mod with_sqlx;

use std::fmt::Debug;
use std::process::ExitCode;

use driver::{Connection, Driver, Failure, Options, Outcome, Value};
use serde_json::json;

const STEPS: &[&str] = &[
    "connect",
    "create",
    "put",
    "get",
    "latest",
    "list",
    "multi-put",
    "duplicate",
    "prepared",
    "limit",
    "quoted",
    "null",
    "text",
    "binary",
    "large",
    "too-large",
    "types",
    "errors",
    "warnings",
    "update",
    "commit",
    "rollback",
    "savepoint",
    "autocommit",
    "isolation",
    "multi-statement",
    "stream",
    "cursor",
    "ping",
    "select-db",
    "statistics",
    "password",
    "wrong-password",
    "change-user",
    "reset",
    "tls",
    "compression",
    "reconnect",
    "drop",
];

const TEXT_KEY: &str = "Zürich-東京-🚕";
const BYTES: &[u8] = b"\x00\xffA'\\\n";
const HEX: &str = "X'00ff41275c0a'";
const MIB: usize = 1 << 20;

/// The version of a dependency.
fn locked(name: &str) -> String {
    let lock = include_str!("../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
    let version = entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next());
    version.unwrap_or_default().to_owned()
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Wrong(error.to_string()))
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn equal<T: PartialEq + Debug>(found: T, expected: T) -> Outcome {
    if found == expected { Ok(()) } else { Err(Failure::Wrong(format!("{found:?} instead of {expected:?}"))) }
}

/// An error with this number, or with any if the driver does not tell it.
fn refused<T>(number: u16, outcome: Outcome<T>) -> Outcome {
    match outcome {
        Err(Failure::Refused { number: found, .. }) if found.is_none_or(|found| found == number) => Ok(()),
        Err(failure) => Err(failure),
        Ok(_) => Err(Failure::Wrong("not refused".to_owned())),
    }
}

fn cell(row: &str, column: &str, reference: i64, body: &str) -> [Value; 4] {
    [row.into(), column.into(), reference.into(), body.into()]
}

struct Client {
    driver: Box<dyn Driver>,
    connection: Box<dyn Connection>,
    options: Options,
    app: Options,
    table: String,
}

impl Client {
    fn insert(&self) -> String {
        format!("INSERT INTO {} (row_key, column_key, ref_key, body) VALUES ", self.table)
    }

    fn create(&self) -> String {
        format!(
            "CREATE TABLE {} (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, \
             column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL, \
             created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
             PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))",
            self.table
        )
    }

    fn select(&self, columns: &str, condition: &str) -> String {
        format!("SELECT {columns} FROM {} WHERE {condition}", self.table)
    }

    fn put_one(&mut self, row: &str, reference: i64) -> Outcome {
        let insert = self.insert() + "(?, ?, ?, ?)";
        equal(self.connection.change(&insert, &cell(row, "BASE", reference, "{}"))?, 1)
    }

    fn find(&mut self, row: &str, reference: i64) -> Outcome<Vec<serde_json::Value>> {
        let get = self.select("body", "row_key = ? AND column_key = ? AND ref_key = ?");
        self.connection.documents(&get, &[row.into(), "BASE".into(), reference.into()])
    }

    fn get(&mut self) -> Outcome {
        equal(self.find("trip-1", 1)?, vec![json!({"fare": 10})])?;
        equal(self.find("trip-1", 99)?, vec![])
    }

    fn count(&mut self, row: &str, expected: i64) -> Outcome {
        let count = self.select("COUNT(*) AS n", "row_key = ?");
        equal(self.connection.numbers(&count, &[row.into()])?, vec![expected])
    }

    /// Runs something with another connection in place of ours.
    fn another<T>(&mut self, options: &Options, with: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let ours = std::mem::replace(&mut self.connection, self.driver.connect(options)?);
        let outcome = with(self);
        let theirs = std::mem::replace(&mut self.connection, ours);
        let closed = theirs.close();
        let value = outcome?;
        closed.map(|()| value)
    }

    fn others_see(&mut self, row: &str, expected: i64) -> Outcome {
        self.another(&self.options.clone(), |client| client.count(row, expected))
    }

    fn kept(&mut self) -> Outcome<Vec<Option<String>>> {
        self.connection.texts("SELECT CAST(@kept AS CHAR) AS t", &[])
    }

    fn who(&mut self) -> Outcome<String> {
        let user = self.connection.texts("SELECT CURRENT_USER() AS t", &[])?;
        Ok(user.into_iter().flatten().next().unwrap_or_default().split('@').next().unwrap_or_default().to_owned())
    }

    fn latest(&mut self) -> Outcome {
        let newest = "row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1";
        let key = ["trip-1".into(), "BASE".into()];
        equal(self.connection.numbers(&self.select("ref_key AS n", newest), &key)?, vec![3])?;
        equal(self.connection.documents(&self.select("body", newest), &key)?, vec![json!({"fare": 30})])
    }

    fn multi_put(&mut self) -> Outcome {
        let keys: Vec<String> = (0..20).map(|n| format!("multi-{n:02}")).collect();
        let values: Vec<Value> = keys.iter().flat_map(|key| cell(key, "BASE", 1, "{}")).collect();
        let insert = self.insert() + &["(?, ?, ?, ?)"; 20].join(", ");
        equal(self.connection.change(&insert, &values)?, 20)?;
        let among = format!("row_key IN ({}) ORDER BY row_key", ["?"; 20].join(", "));
        let values: Vec<Value> = keys.iter().map(|key| key.as_str().into()).collect();
        let found = self.connection.texts(&self.select("row_key AS t", &among), &values)?;
        equal(found.into_iter().flatten().collect::<Vec<_>>(), keys)
    }

    fn too_large(&mut self) -> Outcome {
        let body = format!("\"{}\"", "x".repeat(17 * MIB));
        let insert = self.insert() + "(?, ?, ?, ?)";
        let refused = self.another(&self.options.clone(), |client| {
            client.connection.change(&insert, &cell("too-large", "BASE", 1, &body))
        });
        match refused {
            Err(Failure::Refused { .. }) => self.count("too-large", 0),
            Err(failure) => Err(failure),
            Ok(_) => Err(Failure::Wrong("not refused".to_owned())),
        }
    }

    fn errors(&mut self) -> Outcome {
        refused(1064, self.connection.run("SELEC 1"))?;
        let nonsense = self.select("nonsense", "row_key = 'x'");
        refused(1054, self.connection.run(&nonsense))?;
        refused(1146, self.connection.numbers("SELECT ref_key AS n FROM no_such_table WHERE row_key = 'x'", &[]))?;
        refused(1051, self.connection.run("DROP TABLE no_such_table"))?;
        let again = self.create();
        refused(1050, self.connection.run(&again))?;
        let elsewhere = Options { database: "no_such_database".to_owned(), ..self.options.clone() };
        refused(1049, self.driver.connect(&elsewhere))?;
        self.get()
    }

    fn savepoint(&mut self) -> Outcome {
        self.connection.run("BEGIN")?;
        self.put_one("savepoint", 1)?;
        self.connection.run("SAVEPOINT one")?;
        self.put_one("savepoint", 2)?;
        self.connection.run("ROLLBACK TO SAVEPOINT one")?;
        self.count("savepoint", 1)?;
        self.connection.run("RELEASE SAVEPOINT one")?;
        self.connection.run("COMMIT")?;
        self.others_see("savepoint", 1)
    }

    fn autocommit(&mut self) -> Outcome {
        self.connection.run("SET autocommit = 0")?;
        equal(self.connection.numbers("SELECT @@autocommit AS n", &[])?, vec![0])?;
        self.put_one("autocommit", 1)?;
        self.others_see("autocommit", 0)?;
        self.connection.run("COMMIT")?;
        self.others_see("autocommit", 1)?;
        self.connection.run("SET autocommit = 1")
    }

    fn isolation(&mut self) -> Outcome {
        for level in ["READ COMMITTED", "REPEATABLE READ"] {
            self.connection.run(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"))?;
            let found = self.connection.texts("SELECT @@tx_isolation AS t", &[])?;
            equal(found, vec![Some(level.replace(' ', "-"))])?;
        }
        Ok(())
    }

    fn stream(&mut self) -> Outcome {
        let rows: Vec<String> = (1..=300).map(|n| format!("('many', 'BASE', {n}, '{{}}')")).collect();
        let insert = self.insert() + &rows.join(", ");
        equal(self.connection.change(&insert, &[])?, 300)?;
        let many = self.select("ref_key AS n", "row_key = 'many' ORDER BY ref_key");
        equal(self.connection.stream(&many)?, (1..=300).collect())
    }

    fn step(&mut self, name: &str) -> Outcome {
        match name {
            "connect" => equal(self.connection.numbers("SELECT 1 + 1 AS n", &[])?, vec![2]),
            "create" => {
                self.connection.run(&format!("DROP TABLE IF EXISTS {}", self.table))?;
                let create = self.create();
                self.connection.run(&create)
            }
            "put" => {
                let insert = self.insert() + "(?, ?, ?, ?)";
                for (column, reference, body) in [
                    ("BASE", 1, r#"{"fare":10}"#),
                    ("BASE", 2, r#"{"fare":20}"#),
                    ("BASE", 3, r#"{"fare":30}"#),
                    ("STATUS", 1, r#"{"status":"done"}"#),
                ] {
                    equal(self.connection.change(&insert, &cell("trip-1", column, reference, body))?, 1)?;
                }
                Ok(())
            }
            "get" => self.get(),
            "latest" => self.latest(),
            "list" => {
                let list = self.select("ref_key AS n", "row_key = ? ORDER BY column_key, ref_key");
                equal(self.connection.numbers(&list, &["trip-1".into()])?, vec![1, 2, 3, 1])
            }
            "multi-put" => self.multi_put(),
            "duplicate" => {
                let insert = self.insert() + "(?, ?, ?, ?)";
                refused(1062, self.connection.change(&insert, &cell("trip-1", "BASE", 1, "[]")))?;
                self.get()
            }
            "prepared" => {
                self.put_one("prepared", 1)?;
                self.put_one("prepared", 2)?;
                equal(self.find("prepared", 2)?, vec![json!({})])?;
                equal(self.find("prepared", 3)?, vec![])
            }
            "limit" => {
                let page = self.select("ref_key AS n", "row_key = ? AND column_key = 'BASE' ORDER BY ref_key LIMIT ?");
                equal(self.connection.numbers(&page, &["trip-1".into(), 2.into()])?, vec![1, 2])?;
                let next = page + " OFFSET ?";
                equal(self.connection.numbers(&next, &["trip-1".into(), 2.into(), 2.into()])?, vec![3])
            }
            "quoted" => {
                let insert = self.insert() + "(?, ?, ?, ?)";
                let row = ["quoted".into(), "BASE".into(), "7".into(), "{}".into()];
                equal(self.connection.change(&insert, &row)?, 1)?;
                let quoted = self.select("ref_key AS n", "row_key = 'quoted' AND ref_key = '7'");
                equal(self.connection.numbers(&quoted, &[])?, vec![7])
            }
            "null" => {
                let nothing = self.connection.texts("SELECT ? AS t", &[Value::Null])?;
                equal(nothing, vec![None])
            }
            "text" => {
                let body = json!({"city": "Zürich", "note": "日本 🚕 \"quoted\" \\ back 'single'"});
                let insert = self.insert() + "(?, ?, ?, ?)";
                equal(self.connection.change(&insert, &cell(TEXT_KEY, "BASE", 1, &body.to_string()))?, 1)?;
                equal(self.find(TEXT_KEY, 1)?, vec![body])?;
                let key = self.select("row_key AS t", "row_key = ?");
                equal(self.connection.texts(&key, &[TEXT_KEY.into()])?, vec![Some(TEXT_KEY.to_owned())])
            }
            "binary" => {
                equal(self.connection.bytes(&format!("SELECT {HEX} AS t"))?, vec![BYTES.to_vec()])?;
                let same = format!("SELECT ? = {HEX} AS n");
                equal(self.connection.numbers(&same, &[Value::Bytes(BYTES.to_vec())])?, vec![1])
            }
            "large" => {
                let text = "x".repeat(3 * MIB);
                let insert = self.insert() + "(?, ?, ?, ?)";
                let row = cell("large", "BASE", 1, &format!("\"{text}\""));
                equal(self.connection.change(&insert, &row)?, 1)?;
                equal(self.find("large", 1)? == vec![json!(text)], true)
            }
            "too-large" => self.too_large(),
            // Every read above is checked for its type by the driver.
            "types" => Err(Failure::Skip("checks types as it decodes, in the other steps")),
            "errors" => self.errors(),
            "warnings" => {
                let ignore = self.insert().replacen("INSERT", "INSERT IGNORE", 1) + "('trip-1', 'BASE', 1, '{}')";
                equal(self.connection.change(&ignore, &[])?, 0)?;
                equal(self.connection.warnings()?, vec![1062])
            }
            "update" => {
                // Cells are immutable. Where they are not, it depends on CLIENT_FOUND_ROWS.
                let update = format!("UPDATE {} SET body = '[]' WHERE row_key = 'multi-01'", self.table);
                equal(self.connection.change(&update, &[])?, 1)?;
                equal(self.connection.change(&update, &[])?, u64::from(self.driver.found_rows()))
            }
            "commit" => {
                self.connection.run("BEGIN")?;
                self.put_one("commit", 1)?;
                self.put_one("commit", 2)?;
                self.count("commit", 2)?;
                self.others_see("commit", 0)?;
                self.connection.run("COMMIT")?;
                self.others_see("commit", 2)
            }
            "rollback" => {
                self.connection.run("BEGIN")?;
                self.put_one("rollback", 1)?;
                self.connection.run("ROLLBACK")?;
                self.count("rollback", 0)
            }
            "savepoint" => self.savepoint(),
            "autocommit" => self.autocommit(),
            "isolation" => self.isolation(),
            "multi-statement" => {
                let other = self.select("ref_key", "row_key = 'multi-01'");
                equal(self.connection.results(&format!("SELECT 1; {other}; SELECT 3"))?, vec![1, 1, 3])
            }
            "stream" => self.stream(),
            "cursor" => Err(Failure::Skip("opens no cursors on the server")),
            "ping" => self.connection.ping(),
            "select-db" => {
                self.connection.run("USE information_schema")?;
                let found = self.connection.texts("SELECT DATABASE() AS t", &[])?;
                self.connection.run(&format!("USE {}", self.options.database))?;
                equal(found, vec![Some("information_schema".to_owned())])
            }
            "statistics" => Err(Failure::Skip("no call for COM_STATISTICS")),
            "password" => {
                let app = self.app.clone();
                let user = self.another(&app, Self::who)?;
                equal(user, app.user)
            }
            "wrong-password" => {
                let wrong = Options { password: "wrong".to_owned(), ..self.app.clone() };
                refused(1045, self.driver.connect(&wrong))
            }
            "change-user" => {
                let app = self.app.clone();
                self.another(&self.options.clone(), |client| {
                    client.connection.run("SET @kept = 'yes'")?;
                    client.connection.change_user(&app.user, &app.password, &app.database)?;
                    equal(client.who()?, app.user)?;
                    equal(client.kept()?, vec![None])
                })
            }
            "reset" => self.another(&self.options.clone(), |client| {
                client.connection.run("SET @kept = 'yes'")?;
                equal(client.kept()?, vec![Some("yes".to_owned())])?;
                client.connection.reset()?;
                equal(client.kept()?, vec![None])
            }),
            "tls" => {
                let encrypted = Options { tls: true, ..self.app.clone() };
                let cipher = self.another(&encrypted, |client| client.connection.status("Ssl_cipher"))?;
                equal(cipher.len() == 1 && !cipher[0].is_empty(), true)
            }
            "compression" => {
                let compressed = Options { compress: true, ..self.options.clone() };
                self.another(&compressed, |client| {
                    equal(client.connection.status("Compression")?, vec!["ON".to_owned()])?;
                    equal(client.find("large", 1)?.len(), 1)
                })
            }
            "reconnect" => {
                let new = self.driver.connect(&self.options)?;
                std::mem::replace(&mut self.connection, new).close()?;
                self.latest()
            }
            "drop" => {
                self.connection.run(&format!("DROP TABLE {}", self.table))?;
                refused(1146, self.find("trip-1", 1))
            }
            _ => Err(Failure::Wrong("no such step".to_owned())),
        }
    }
}

fn main() -> ExitCode {
    let driver: Box<dyn Driver> = match std::env::args().nth(1).as_deref() {
        Some("sqlx") => Box::new(with_sqlx::Sqlx),
        Some("mysql_async") => Box::new(with_mysql_async::MysqlAsync),
        Some("diesel") => Box::new(with_diesel::Diesel),
        Some(_) | None => panic!("usage: client sqlx|mysql_async|diesel"),
    };
    let options = Options {
        host: variable("MYSQL_HOST"),
        port: variable("MYSQL_PORT").parse().expect("a port"),
        user: variable("MYSQL_USER"),
        password: String::new(),
        database: variable("MYSQL_DATABASE"),
        tls: false,
        compress: false,
    };
    let app = Options {
        user: variable("MYSQL_APP_USER"),
        password: variable("MYSQL_APP_PASSWORD"),
        ..options.clone()
    };
    println!("version {}", driver.version());
    let connection = match driver.connect(&options) {
        Ok(connection) => connection,
        Err(failure) => {
            println!("FAIL connect: {failure}");
            return ExitCode::FAILURE;
        }
    };
    let mut client = Client { driver, connection, options, app, table: variable("MYSQL_TABLE") };
    let (mut passed, mut failed) = (0, 0);
    for step in STEPS {
        match client.step(step) {
            Ok(()) => {
                println!("ok {step}");
                passed += 1;
            }
            Err(Failure::Skip(why)) => println!("skip {step}: {why}"),
            Err(failure) => {
                let why: Vec<_> = failure.to_string().split_whitespace().map(str::to_owned).collect();
                println!("FAIL {step}: {}", why.join(" ").chars().take(500).collect::<String>());
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
