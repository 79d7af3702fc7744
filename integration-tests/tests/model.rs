//! Random operations over the wire, compared with a model of a few lines. The seed is printed.

use cellgate_integration_tests::client::{self, CellRow, Refusal, TRIPS, Triple, quote, rows, run};
use cellgate_integration_tests::model::{Model, Put};
use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::{Deployment, Proxy, settings};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// Operations of one round.
const OPERATIONS: u64 = 1000;
/// Row keys that a collation would take for one another, and some ordinary ones.
const ROWS: &[&str] =
    &["a", "A", "a ", "ä", "a\u{308}", "k-1", "k-2", "k-3", "k-4", "quo'te", "back\\slash", "東京", "🚕", "nul\0"];
const COLUMNS: &[&str] = &["BASE", "base", "STATUS"];
const SELECT: &str = "SELECT row_key, column_key, ref_key, body FROM trips";

struct Walk {
    conn: Conn,
    random: Random,
    model: Model,
    /// What the model was before BEGIN, while a transaction is open.
    before: Option<Model>,
}

impl Walk {
    fn triple(&mut self) -> Triple {
        let row = *self.random.pick(ROWS);
        let column = *self.random.pick(COLUMNS);
        (row.to_owned(), column.to_owned(), 1 + self.random.below(8) as i64)
    }

    fn body(&mut self) -> String {
        let bodies = [r#"{"a":1}"#, r#"{"a" : 1}"#, "null", "[]", r#""é 東京""#, "1.50", "true"];
        (*self.random.pick(&bodies)).to_owned()
    }

    async fn select(&mut self, condition: &str) -> Vec<CellRow> {
        rows(&mut self.conn, &format!("{SELECT} WHERE {condition}")).await
    }

    async fn put(&mut self, verb: &str, cells: &[(Triple, String)]) -> Result<u64, Refusal> {
        let values: Vec<String> = cells
            .iter()
            .map(|((row, column, reference), body)| {
                format!("({}, {}, {reference}, {})", quote(row), quote(column), quote(body))
            })
            .collect();
        let statement = format!("{verb} INTO trips (row_key, column_key, ref_key, body) VALUES {}", values.join(", "));
        match self.conn.query_drop(&statement).await {
            Ok(()) => Ok(self.conn.affected_rows()),
            Err(error) => Err(Refusal::of(&error).unwrap_or_else(|| panic!("{statement}: {error}"))),
        }
    }

    /// Cells of one row: they are in one cluster, so they stand or fall together.
    fn cells_of_a_row(&mut self) -> Vec<(Triple, String)> {
        let row = self.triple().0;
        (0..1 + self.random.below(4))
            .map(|_| {
                let (_, column, reference) = self.triple();
                ((row.clone(), column, reference), self.body())
            })
            .collect()
    }

    async fn step(&mut self) {
        match self.random.below(12) {
            0..=2 => {
                let cells = self.cells_of_a_row();
                let expected = self.model.put(&cells);
                let found = match self.put("INSERT", &cells).await {
                    Ok(stored) => Put::Stored(stored),
                    Err(refusal) => {
                        assert_eq!(refusal.code, 1062, "{refusal:?} for {cells:?}");
                        Put::Duplicate
                    }
                };
                assert_eq!(found, expected, "INSERT of {cells:?}");
            }
            3 => {
                let cells = self.cells_of_a_row();
                let expected = self.model.put_ignore(&cells);
                assert_eq!(self.put("INSERT IGNORE", &cells).await, Ok(expected), "INSERT IGNORE of {cells:?}");
            }
            4 => {
                let ((row, column, _), body) = (self.triple(), self.body());
                let expected = self.model.append(&row, &column, &body);
                let statement = format!(
                    "INSERT INTO trips (row_key, column_key, body) VALUES ({}, {}, {}) RETURNING ref_key",
                    quote(&row),
                    quote(&column),
                    quote(&body)
                );
                let found: Vec<i64> = rows(&mut self.conn, &statement).await;
                assert_eq!(found, [expected], "{statement}");
            }
            5 => {
                let triple = self.triple();
                let found: Option<String> = self
                    .conn
                    .exec_first(
                        "SELECT body FROM trips WHERE row_key = ? AND column_key = ? AND ref_key = ?",
                        (&triple.0, &triple.1, triple.2),
                    )
                    .await
                    .unwrap();
                assert_eq!(found.as_ref(), self.model.get(&triple), "get {triple:?}");
            }
            6 => {
                let (row, column, until) = self.triple();
                let condition = format!(
                    "row_key = {} AND column_key = {} AND ref_key <= {until} ORDER BY ref_key DESC LIMIT 1",
                    quote(&row),
                    quote(&column)
                );
                let found = self.select(&condition).await;
                assert_eq!(found, Vec::from_iter(self.model.latest(&row, &column, until)), "{condition}");
            }
            7 => {
                let row = self.triple().0;
                let found =
                    self.select(&format!("row_key = {} ORDER BY row_key, column_key, ref_key", quote(&row))).await;
                assert_eq!(found, self.model.select(|triple| triple.0 == row), "row {row:?}");
            }
            8 => {
                let keys: Vec<String> = (0..1 + self.random.below(5)).map(|_| self.triple().0).collect();
                let list: Vec<String> = keys.iter().map(|key| quote(key)).collect();
                let (from, to) = (self.random.below(4) as i64, 3 + self.random.below(6) as i64);
                let condition = format!(
                    "row_key IN ({}) AND ref_key BETWEEN {from} AND {to} ORDER BY row_key, column_key, ref_key",
                    list.join(", ")
                );
                let found = self.select(&condition).await;
                let expected = self.model.select(|triple| keys.contains(&triple.0) && (from..=to).contains(&triple.2));
                assert_eq!(found, expected, "{condition}");
            }
            9 => {
                let triples: Vec<Triple> = (0..1 + self.random.below(6)).map(|_| self.triple()).collect();
                let list: Vec<String> = triples
                    .iter()
                    .map(|(row, column, reference)| format!("({}, {}, {reference})", quote(row), quote(column)))
                    .collect();
                let condition = format!(
                    "(row_key, column_key, ref_key) IN ({}) ORDER BY row_key, column_key, ref_key",
                    list.join(", ")
                );
                let found = self.select(&condition).await;
                assert_eq!(found, self.model.select(|triple| triples.contains(triple)), "{condition}");
            }
            10 => {
                let found: Vec<i64> = rows(&mut self.conn, "SELECT COUNT(*) FROM trips").await;
                assert_eq!(found, [self.model.select(|_| true).len() as i64]);
            }
            _ => self.transaction().await,
        }
    }

    async fn transaction(&mut self) {
        match self.before.take() {
            None => {
                run(&mut self.conn, "BEGIN").await;
                self.before = Some(self.model.clone());
            }
            Some(_) if self.random.one_in(2) => run(&mut self.conn, "COMMIT").await,
            Some(before) => {
                run(&mut self.conn, "ROLLBACK").await;
                self.model = before;
            }
        }
    }
}

async fn walk(proxy: &Proxy) {
    let mut random = Random::new(settings::seed());
    for round in 0..settings::rounds(1) {
        let mut conn = client::connect(proxy.mysql()).await;
        run(&mut conn, "DROP TABLE IF EXISTS trips").await;
        run(&mut conn, TRIPS).await;
        let mut walk = Walk { conn, random: random.fork(), model: Model::default(), before: None };
        for _ in 0..OPERATIONS {
            walk.step().await;
        }
        run(&mut walk.conn, "COMMIT").await;
        let expected = walk.model.select(|_| true);
        // Another session, and every cell.
        let mut conn = client::connect(proxy.mysql()).await;
        let mut found: Vec<CellRow> = rows(&mut conn, SELECT).await;
        found.sort();
        assert_eq!(found, expected);
        println!("round {round}: {} cells", found.len());
    }
    proxy.assert_no_panic();
}

#[tokio::test]
async fn random_operations_on_embedded_cellgate_agree_with_the_model() {
    walk(&Deployment::embedded().start()).await;
}

#[tokio::test]
async fn random_operations_on_a_mixed_deployment_agree_with_the_model() {
    walk(&Deployment::mixed().start()).await;
}
