//! Statement text as bytes from anywhere: it is understood or refused, and nothing else.

use std::sync::Arc;

use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, KeyForm, Micros, RefKey, RowColumn, RowKey, ShardId, TableDef, TableKind,
    Token, Triple,
};

use crate::command::Command;
use crate::environment::{Environment, SessionFunction, SqlMode};
use crate::value::Value;

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

/// Parses, describes, binds and runs over one cell whatever the bytes say, with a fixed session. Never panics, and
/// takes time and memory in proportion to the text.
pub fn fuzz_statement(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let masked = crate::mask(&text);
    debug_assert!(masked.len() <= text.len().saturating_mul(2) + 2);
    for ansi_quotes in [false, true] {
        let mode = SqlMode { ansi_quotes, no_backslash_escapes: ansi_quotes, pipes_as_concat: ansi_quotes };
        let Ok(statements) = crate::parse(&text, mode) else { continue };
        let env = Fixed { table: Arc::new(table()) };
        for statement in statements {
            drop(crate::describe(&statement, &env));
            drop(statement.masked());
            let params = vec![Value::Int(1); usize::from(statement.parameters())];
            let Ok(command) = crate::bind(&statement, &params, &env) else { continue };
            if let (Command::Read(read), Some(cell)) = (command, cell()) {
                let mut shaping = read.shape.start();
                if shaping.push(&cell).is_ok() {
                    drop(shaping.finish());
                }
            }
        }
    }
}

fn table() -> TableDef {
    let column =
        |name: &str| RowColumn { name: name.to_owned(), storage_key: name.to_owned(), missing: None, added_in: 1 };
    TableDef {
        id: 1,
        database: "d".into(),
        name: "t".into(),
        kind: TableKind::Cells,
        key_form: KeyForm::Bytes,
        codec: 1,
        columns: vec![column("BASE"), column("STATUS")],
        dropped_keys: Vec::new(),
        def: 1,
        created_at: 0,
    }
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
