//! What is measured by itself: the parts that every statement goes through, on the statements of the comparisons.
//!
//! One list for the micro-benchmarks (`cargo bench`) and the instruction counts (`cargo xtask instructions`). To add one:
//! a function that prepares it and answers a closure that does it once, and a line in [`ALL`].

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use cellgate_benchmarks::cells::{COLUMN, Name};
use cellgate_benchmarks::protocol::{Param, mysql};
use cellgate_proxy::plans::{Plan, Plans};
use cellgate_proxy::wire::bench::{Executions, write_cell, write_row};
use cellgate_router::{ClusterEntry, PlacementNode, Topology, Weight, propose};
use cellgate_schemaless::{
    ClusterNo, ColumnKey, Epoch, Micros, RefKey, Request, RowKey, TableId, TableRef, Triple, validate_json,
};
use cellgate_sql::{CellValue, ColumnType, Normal, SqlMode, Value, parse};

/// Something that is done many times.
pub type Operation = Box<dyn FnMut()>;

/// Makes an operation ready to be repeated.
pub type Prepare = fn() -> Operation;

/// All of them, by name.
pub const ALL: &[(&str, Prepare)] = &[
    ("decode_execute_get", decode_execute_get),
    ("decode_execute_put", decode_execute_put),
    ("validate_body", validate_body),
    ("normalise_and_find_plan", normalise_and_find_plan),
    ("parse_get", parse_get),
    ("route_get", route_get),
    ("encode_row", encode_row),
    ("encode_cell", encode_cell),
];

const GET: &str = "SELECT row_key, column_key, ref_key, body, added_id, created_at FROM cells \
     WHERE row_key = '5f1c0a9be4d37728' AND column_key = 'BASE' AND ref_key = 2";

fn name() -> Name {
    Name::of_row(7, 2)
}

/// An EXECUTE packet without its header.
fn execution(params: &[Param]) -> Bytes {
    let mut packet = Vec::new();
    mysql::write_execute(&mut packet, 1, params);
    Bytes::from(packet).slice(4..)
}

fn decode(packet: Bytes, params: u16) -> Operation {
    let mut executions = Executions::new(params);
    Box::new(move || {
        assert!(executions.read(black_box(packet.clone())).is_ok());
    })
}

fn decode_execute_get() -> Operation {
    let key = name().row_key();
    decode(execution(&[Param::Bytes(&key), Param::Bytes(COLUMN.as_bytes()), Param::Int(2)]), 3)
}

fn decode_execute_put() -> Operation {
    let (key, mut body) = (name().row_key(), Vec::new());
    name().write_body(&mut body);
    let params = [Param::Bytes(&key), Param::Bytes(COLUMN.as_bytes()), Param::Int(2), Param::Bytes(&body)];
    decode(execution(&params), 4)
}

fn validate_body() -> Operation {
    let mut body = Vec::new();
    name().write_body(&mut body);
    Box::new(move || {
        assert!(validate_json(black_box(&body)).is_ok());
    })
}

/// What a statement sent as text costs instead of the parser, when its like was seen before.
fn normalise_and_find_plan() -> Operation {
    let plans = Plans::new(16 << 20);
    let (mode, text) = (SqlMode::default(), Bytes::from_static(GET.as_bytes()));
    let mut normal = Normal::default();
    assert!(normal.read(&text, mode), "a plain SELECT has a normal form");
    let key = String::from_utf8(normal.key.clone()).expect("the normal form of text is text");
    for statement in parse(&key, mode).expect("the normal form of a statement is one") {
        plans.insert(&normal.key, mode, &Arc::new(Plan::new(statement)));
    }
    assert!(plans.get(&normal.key, mode).is_some());
    Box::new(move || {
        assert!(normal.read(black_box(&text), mode));
        black_box(plans.get(&normal.key, mode));
    })
}

fn parse_get() -> Operation {
    Box::new(|| {
        assert!(parse(black_box(GET), SqlMode::default()).is_ok());
    })
}

fn route_get() -> Operation {
    let numbers: Vec<ClusterNo> = (1..=4).map(|n| ClusterNo::new(n).expect("small numbers")).collect();
    let weight = Weight::new(1.0).expect("1 is a weight");
    let nodes: Vec<PlacementNode> = numbers.iter().map(|number| PlacementNode { cluster: *number, weight }).collect();
    let map = propose(4096, &nodes).expect("four clusters take 4096 shards");
    let entry = |number: &ClusterNo| ClusterEntry {
        number: *number,
        name: format!("c{}", number.get()),
        weight,
        epoch: Epoch(1),
    };
    let topology = Topology::new(1, numbers.iter().map(entry).collect(), map).expect("a map over its clusters");
    let table = TableRef::new("cells", TableId(1), 1);
    let key = Triple {
        row: RowKey::new(name().row_key().to_vec()).expect("16 bytes are a row key"),
        column: ColumnKey::new(COLUMN).expect("BASE is a column key"),
        ref_key: RefKey(2),
    };
    Box::new(move || {
        let request = Request::Get { table: table.clone(), keys: vec![key.clone()] };
        black_box(cellgate_router::plan(black_box(request), &topology));
    })
}

/// The columns of a cell as clients ask for them.
const COLUMNS: [ColumnType; 6] = [
    ColumnType::Text,
    ColumnType::Text,
    ColumnType::BigInt,
    ColumnType::Json,
    ColumnType::BigInt,
    ColumnType::DateTime,
];

fn encode_row() -> Operation {
    let mut body = Vec::new();
    name().write_body(&mut body);
    let values = [
        Value::Text(Bytes::copy_from_slice(&name().row_key())),
        Value::Text(Bytes::from_static(COLUMN.as_bytes())),
        Value::Int(2),
        Value::Json(body.into()),
        Value::Int(123_456),
        Value::DateTime(Micros(1_700_000_000_123_456)),
    ];
    let mut out = Vec::with_capacity(1024);
    Box::new(move || {
        out.clear();
        assert!(write_row(black_box(&mut out), &COLUMNS, &values));
    })
}

/// The same row, from the cell itself: what a statement of a known shape is answered.
fn encode_cell() -> Operation {
    let (key, mut body) = (name().row_key(), Vec::new());
    name().write_body(&mut body);
    let mut out = Vec::with_capacity(1024);
    Box::new(move || {
        let values = [
            CellValue::Bytes(&key),
            CellValue::Bytes(COLUMN.as_bytes()),
            CellValue::Int(2),
            CellValue::Bytes(&body),
            CellValue::Int(123_456),
            CellValue::DateTime(Micros(1_700_000_000_123_456)),
        ];
        out.clear();
        assert!(write_cell(black_box(&mut out), &COLUMNS, black_box(&values)));
    })
}
