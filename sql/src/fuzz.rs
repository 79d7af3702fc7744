//! Statement text as bytes from anywhere: it is understood or refused, and nothing else.

use std::sync::Arc;

use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Micros, RefKey, RowColumn, RowKey, ShardId, TableDef, Token, Triple,
};

use crate::command::Command;
use crate::environment::{Environment, SessionCall, SessionFunction, SqlMode};
use crate::error::SqlError;
use crate::value::Value;
use crate::zone::TimeZone;

/// A session that knows the database `d` with the cell table `t`.
#[derive(Debug)]
struct Fixed {
    table: Arc<TableDef>,
}

impl Environment for Fixed {
    fn database(&self) -> Option<&str> {
        Some("d")
    }

    fn table(&self, database: &str, name: &str) -> Option<Arc<TableDef>> {
        (database == "d" && name == "t").then(|| self.table.clone())
    }

    fn has_database(&self, database: &str) -> bool {
        database == "d"
    }

    fn variable(&self, _: bool, name: &str) -> Option<Value> {
        (name != "nothing").then(|| Value::Text("on".into()))
    }

    fn user_variable(&self, _: &str) -> Value {
        Value::Int(1)
    }

    fn function(&self, _: SessionFunction) -> Value {
        Value::Text("x".into())
    }

    fn shard_of(&self, row_key: &[u8]) -> u16 {
        row_key.iter().fold(0_u16, |sum, b| sum.wrapping_mul(31).wrapping_add(u16::from(*b))) % 16
    }

    fn virtual_shards(&self) -> u32 {
        16
    }

    fn now(&self) -> Micros {
        Micros(1_700_000_000_000_000)
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    fn call(&self, _: SessionCall, _: &[Value]) -> Result<Value, SqlError> {
        Ok(Value::Int(1))
    }

    fn sql_mode(&self) -> SqlMode {
        SqlMode::default()
    }

    fn collect_rows(&self) -> usize {
        100
    }

    fn collect_bytes(&self) -> usize {
        100_000
    }
}

/// Parses, describes, binds and runs over one cell whatever the bytes say, with a fixed session. Never panics, does with
/// the stack of a runtime's thread, and takes no more time and memory than the dialect's limits allow a text of its length.
pub fn fuzz_statement(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for ansi_quotes in [false, true] {
        let mode = SqlMode {
            ansi_quotes,
            no_backslash_escapes: ansi_quotes,
            pipes_as_concat: ansi_quotes,
            ..SqlMode::default()
        };
        for masked in [crate::mask(&text, mode), crate::mask_unparsed(&text, mode)] {
            debug_assert!(masked.len() <= text.len().saturating_mul(2) + 2);
        }
        let Ok(statements) = crate::parse(&text, mode) else { continue };
        let env = Fixed { table: Arc::new(table()) };
        for statement in statements {
            drop(crate::describe(&statement, &env));
            drop(statement.masked());
            let params = vec![Value::Int(1); usize::from(statement.parameters())].into();
            let Ok(command) = crate::bind(&statement, &params, &env) else { continue };
            if let (Command::Read(read), Some(cell)) = (command, cell()) {
                let mut shaping = read.shape.start();
                if shaping.push(&cell, &mut Vec::new()).is_ok() {
                    drop(shaping.finish());
                }
            }
        }
    }
}

fn table() -> TableDef {
    let columns = ["BASE", "STATUS"].map(|name| RowColumn::new(name, None)).into();
    TableDef { columns, ..TableDef::new(1, "d", "t", 0) }
}

fn cell() -> Option<Cell> {
    Some(Cell {
        triple: Triple { row: RowKey::new("a").ok()?, column: ColumnKey::new("BASE").ok()?, ref_key: RefKey(1) },
        body: Some(Body::json(&br#"{"a": 1, "b": [1, "x"]}"#[..]).ok()?),
        added_id: AddedId(7),
        shard: ShardId(1),
        created_at: Micros(1_700_000_000_000_000),
        kind: CellKind::Cell,
        token: Token(1),
        txn: None,
    })
}

#[cfg(test)]
mod tests {
    use super::fuzz_statement;
    use crate::testing::computed;

    /// Statements of every family, to be mutated.
    const SEEDS: [&str; 24] = [
        "SELECT body FROM t WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key DESC LIMIT 1",
        "SELECT * FROM d.t AS x WHERE (row_key, column_key) IN (('a','b'),('c','d')) OR ref_key BETWEEN 1 AND 5",
        "SELECT BASE, STATUS->>'$.a[0].\"b c\"' FROM t WHERE row_key IN (?, ?) ORDER BY 1 LIMIT ? OFFSET 2",
        "SELECT COUNT(*), SUM(ref_key), COUNT(DISTINCT row_key) FROM t GROUP BY column_key HAVING COUNT(*) > 1",
        "SELECT row_key FROM t PARTITION (p1, p3) WHERE added_id > 5 AND created_at >= '2024-01-01' ORDER BY added_id",
        "INSERT INTO t (row_key, column_key, ref_key, body) VALUES ('a', X'00', -1, '{}'), (?, b'1', DEFAULT, JSON_OBJECT('a', 1))",
        "INSERT IGNORE INTO t SET row_key = 1, column_key = 'b', body = '1' RETURNING *",
        "DELETE FROM t WHERE row_key = 'a' AND column_key IN ('b', 'c')",
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin, @@session.sql_mode = CONCAT(@@sql_mode, ',X'), @a := (SELECT @@x)",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
        "SHOW FULL COLUMNS FROM t FROM d LIKE '%a\\_b'",
        "SHOW VARIABLES WHERE Variable_name IN ('a', 'b') OR Value <> ''",
        "CREATE TABLE IF NOT EXISTS x (A JSON DEFAULT ('1'), B JSON) ENGINE=CELLS",
        "CREATE TABLE y (row_key VARCHAR(255), column_key VARCHAR(64), ref_key BIGINT, body JSON, UNIQUE KEY u (row_key, column_key, ref_key))",
        "ALTER TABLE t ADD COLUMN X JSON, DROP STATUS",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY; COMMIT AND NO CHAIN; ROLLBACK TO SAVEPOINT `a``b`",
        "EXPLAIN ANALYZE FORMAT=JSON SELECT 1 + 2 * -3 DIV 4 % 5 ^ 6 << 7 | 8 & ~9",
        "SELECT CASE row_key WHEN 'a' THEN 1 ELSE NULL END, IF(1, 2, 3), CAST('1' AS DECIMAL(10,2)), _binary'x', N'y' FROM t",
        "SELECT NOT 1 IS NULL XOR 'a' LIKE '%|%' ESCAPE '|' AND 1 <=> NULL OR (1, 2) < (3, 4)",
        "/*!40101 SET @OLD=@@SQL_MODE */; /* c */ SELECT /*+ MAX_EXECUTION_TIME(10) */ 1 -- x\n",
        "SELECT JSON_EXTRACT(body, '$.*', '$**.b', '$[last]'), JSON_KEYS(body), JSON_CONTAINS(body, '1', '$.a') FROM t",
        "SELECT NOW(6) - INTERVAL 5 MINUTE, DATE_ADD(created_at, INTERVAL 1 WEEK), UNIX_TIMESTAMP(created_at) FROM t",
        "SELECT SUBSTRING('abc' FROM 2 FOR 1), LOCATE('a', 'b', 3), ROUND(1.5, -2), HEX(X'FF'), REPLACE('a', 'b', 'c')",
        "DROP TABLE IF EXISTS a, b; UPDATE t SET body = '1'; DESCRIBE t 'x%'; USE d; DO 1, 2",
    ];

    /// A small generator (xorshift), so that a seed tells a run.
    struct Random(u64);

    impl Random {
        fn next(&mut self, below: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % (below.max(1) as u64)).unwrap()
        }
    }

    fn mutated(random: &mut Random) -> Vec<u8> {
        const PIECES: [&str; 20] = [
            "(", ")", "'", "\"", "`", "/*", "*/", "/*!", "--", ";", ",", "\\", "?", "@@", "NOT ", "CASE ", "0x",
            "\u{e9}", " IN (", "1e999",
        ];
        let mut text = SEEDS[random.next(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..=random.next(6) {
            let at = random.next(text.len() + 1);
            match random.next(6) {
                0 => {
                    text.truncate(at);
                }
                1 => {
                    let piece = PIECES[random.next(PIECES.len())];
                    text.splice(at..at, piece.bytes());
                }
                2 if at < text.len() => text[at] = u8::try_from(random.next(256)).unwrap(),
                3 if at < text.len() => {
                    let end = (at + random.next(12)).min(text.len());
                    text.drain(at..end);
                }
                4 => {
                    let other = SEEDS[random.next(SEEDS.len())].as_bytes();
                    let from = random.next(other.len());
                    let part = other[from..(from + random.next(40)).min(other.len())].to_vec();
                    text.splice(at..at, part);
                }
                _ => {
                    let end = (at + random.next(20)).min(text.len());
                    let part = text[at.min(end)..end].repeat(1 + random.next(4));
                    text.splice(at..at, part);
                }
            }
        }
        text
    }

    #[test]
    fn mutated_statements_are_understood_or_refused() {
        let seed = 0x9e37_79b9_7f4a_7c15;
        println!("seed {seed:#x}");
        let mut random = Random(seed);
        for seed in SEEDS {
            fuzz_statement(seed.as_bytes());
        }
        for _ in 0..20_000 {
            let text = mutated(&mut random);
            let start = computed();
            fuzz_statement(&text);
            assert!(computed() - start < std::time::Duration::from_secs(10), "{}", String::from_utf8_lossy(&text));
        }
    }
}
