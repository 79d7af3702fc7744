//! The steps of every stock client, for sqlx: `query` is a prepared statement, `raw_sql` is text.

use std::error::Error;
use std::process::ExitCode;

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::types::Json;
use sqlx::{ConnectOptions, Connection, Row};

const CREATE: &str = "CREATE TABLE trips (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, \
     column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL, \
     created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
     PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))";
const INSERT: &str = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)";
const GET: &str = "SELECT body FROM trips WHERE row_key = ? AND column_key = ? AND ref_key = ?";
const LATEST: &str =
    "SELECT ref_key, body FROM trips WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1";
const LIST: &str = "SELECT column_key, ref_key, body FROM trips WHERE row_key = ? ORDER BY column_key, ref_key";
const COUNT: &str = "SELECT COUNT(*) FROM trips WHERE row_key = ?";
const TEXT_KEY: &str = "Zürich-東京-🚕";

type Outcome = Result<(), Box<dyn Error>>;

async fn open() -> Result<MySqlConnection, Box<dyn Error>> {
    let variable = |name: &str| std::env::var(name);
    let options = MySqlConnectOptions::new()
        .host(&variable("MYSQL_HOST")?)
        .port(variable("MYSQL_PORT")?.parse()?)
        .username(&variable("MYSQL_USER")?)
        .database(&variable("MYSQL_DATABASE")?);
    Ok(options.connect().await?)
}

fn equal<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}").into()) }
}

fn refused<T>(result: Result<T, sqlx::Error>, code: &str, number: u16) -> Outcome {
    let error = result.err().ok_or("not refused")?;
    let refusal = error.as_database_error().ok_or_else(|| error.to_string())?;
    equal(refusal.code().unwrap_or_default().into_owned(), code.to_owned())?;
    equal(refusal.downcast_ref::<sqlx::mysql::MySqlDatabaseError>().number(), number)
}

fn body(row: &MySqlRow) -> Result<Value, sqlx::Error> {
    row.try_get::<Json<Value>, _>("body").map(|Json(value)| value)
}

struct Client {
    connection: MySqlConnection,
}

impl Client {
    async fn insert(&mut self, row: &str, column: &str, reference: i64, body: &Value) -> Result<u64, sqlx::Error> {
        let insert = sqlx::query(INSERT).bind(row).bind(column).bind(reference).bind(body.to_string());
        Ok(insert.execute(&mut self.connection).await?.rows_affected())
    }

    async fn find(&mut self, row: &str, column: &str, reference: i64) -> Result<Option<Value>, sqlx::Error> {
        let get = sqlx::query(GET).bind(row).bind(column).bind(reference);
        get.fetch_optional(&mut self.connection).await?.as_ref().map(body).transpose()
    }

    async fn step(&mut self, name: &str) -> Outcome {
        match name {
            "connect" => equal(sqlx::query_scalar::<_, i64>("SELECT 1 + 1").fetch_one(&mut self.connection).await?, 2),
            "create" => {
                sqlx::raw_sql("DROP TABLE IF EXISTS trips").execute(&mut self.connection).await?;
                sqlx::raw_sql(CREATE).execute(&mut self.connection).await?;
                Ok(())
            }
            "put" => self.put().await,
            "get" => self.get().await,
            "latest" => self.latest().await,
            "list" => self.list().await,
            "multi-put" => self.multi_put().await,
            "duplicate" => {
                let again = self.insert("trip-1", "BASE", 1, &json!({"fare": 99})).await;
                refused(again, "23000", 1062)?;
                self.get().await
            }
            "prepared" => {
                for n in 1..=2 {
                    equal(self.insert(&format!("prepared-{n}"), "BASE", n, &json!({"p": true})).await?, 1)?;
                }
                equal(self.find("prepared-2", "BASE", 2).await?, Some(json!({"p": true})))?;
                equal(self.find("prepared-2", "BASE", 3).await?, None)
            }
            "commit" => self.commit().await,
            "rollback" => {
                let mut transaction = self.connection.begin().await?;
                let insert = sqlx::query(INSERT).bind("rollback").bind("BASE").bind(1).bind("{}");
                insert.execute(&mut *transaction).await?;
                transaction.rollback().await?;
                equal(count(&mut self.connection, "rollback").await?, 0)
            }
            "text" => self.text().await,
            "reconnect" => {
                let old = std::mem::replace(&mut self.connection, open().await?);
                old.close().await?;
                self.latest().await
            }
            "drop" => {
                sqlx::raw_sql("DROP TABLE trips").execute(&mut self.connection).await?;
                refused(sqlx::raw_sql("SELECT body FROM trips WHERE row_key = 'trip-1'").execute(&mut self.connection).await, "42S02", 1146)
            }
            other => Err(format!("unknown step {other}").into()),
        }
    }

    async fn put(&mut self) -> Outcome {
        for reference in 1..=3 {
            // One cell by text, two prepared.
            if reference == 1 {
                let text = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('trip-1', 'BASE', 1, '{\"fare\":10}')";
                equal(sqlx::raw_sql(text).execute(&mut self.connection).await?.rows_affected(), 1)?;
            } else {
                equal(self.insert("trip-1", "BASE", reference, &json!({"fare": reference * 10})).await?, 1)?;
            }
        }
        equal(self.insert("trip-1", "STATUS", 1, &json!({"status": "done"})).await?, 1)
    }

    async fn get(&mut self) -> Outcome {
        equal(self.find("trip-1", "BASE", 1).await?, Some(json!({"fare": 10})))?;
        equal(self.find("trip-1", "BASE", 99).await?, None)
    }

    async fn latest(&mut self) -> Outcome {
        let row = sqlx::query(LATEST).bind("trip-1").bind("BASE").fetch_one(&mut self.connection).await?;
        equal((row.try_get::<i64, _>("ref_key")?, body(&row)?), (3, json!({"fare": 30})))
    }

    async fn list(&mut self) -> Outcome {
        let rows = sqlx::query(LIST).bind("trip-1").fetch_all(&mut self.connection).await?;
        let mut cells = Vec::new();
        for row in &rows {
            cells.push(format!("{}{}", row.try_get::<String, _>(0)?, row.try_get::<i64, _>(1)?));
        }
        equal(cells.join(" "), "BASE1 BASE2 BASE3 STATUS1".to_owned())
    }

    async fn multi_put(&mut self) -> Outcome {
        let marks = vec!["(?, ?, ?, ?)"; 20].join(", ");
        let statement = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {marks}");
        let mut insert = sqlx::query(&statement);
        for n in 0..20 {
            insert = insert.bind(format!("multi-{n:02}")).bind("BASE").bind(1).bind(json!({"n": n}).to_string());
        }
        equal(insert.execute(&mut self.connection).await?.rows_affected(), 20)?;
        let marks = vec!["?"; 20].join(", ");
        let statement = format!("SELECT row_key FROM trips WHERE row_key IN ({marks}) ORDER BY row_key");
        let mut select = sqlx::query_scalar::<_, String>(&statement);
        for n in 0..20 {
            select = select.bind(format!("multi-{n:02}"));
        }
        let expected: Vec<String> = (0..20).map(|n| format!("multi-{n:02}")).collect();
        equal(select.fetch_all(&mut self.connection).await?, expected)
    }

    async fn commit(&mut self) -> Outcome {
        let mut other = open().await?;
        let mut transaction = self.connection.begin().await?;
        for reference in 1..=2 {
            let insert = sqlx::query(INSERT).bind("commit").bind("BASE").bind(reference).bind("{}");
            insert.execute(&mut *transaction).await?;
        }
        equal(count(&mut transaction, "commit").await?, 2)?;
        equal(count(&mut other, "commit").await?, 0)?;
        transaction.commit().await?;
        equal(count(&mut other, "commit").await?, 2)?;
        Ok(other.close().await?)
    }

    async fn text(&mut self) -> Outcome {
        let expected = json!({"city": "Zürich", "note": "日本 🚕 \"quoted\" \\ back 'single'", "list": [1, null, true]});
        equal(self.insert(TEXT_KEY, "BASE", 1, &expected).await?, 1)?;
        let select = sqlx::query("SELECT row_key, body FROM trips WHERE row_key = ?").bind(TEXT_KEY);
        let row = select.fetch_one(&mut self.connection).await?;
        equal((row.try_get::<String, _>("row_key")?, body(&row)?), (TEXT_KEY.to_owned(), expected))
    }
}

async fn count(connection: &mut MySqlConnection, key: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(COUNT).bind(key).fetch_one(connection).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut client = match open().await {
        Ok(connection) => Client { connection },
        Err(error) => {
            println!("FAIL connect: {error}\n0 passed, 1 failed");
            return ExitCode::FAILURE;
        }
    };
    let (mut passed, mut failed) = (0, 0);
    for name in [
        "connect", "create", "put", "get", "latest", "list", "multi-put", "duplicate", "prepared", "commit",
        "rollback", "text", "reconnect", "drop",
    ] {
        match client.step(name).await {
            Ok(()) => {
                println!("ok {name}");
                passed += 1;
            }
            Err(error) => {
                println!("FAIL {name}: {error}");
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
