//! What a plan becomes in a cluster, as text for EXPLAIN.

use cellgate_router::Plan;
use cellgate_schemaless::{AddedId, ClusterNo, Erasure, TableRef};

use crate::backend::Backend;
use crate::sql::{Dialect, KeyLists, Query};

/// The statement that `cluster`, kept by this backend, is sent for its part of a plan: the first one, where a page or a list of
/// keys takes several. Placeholders stand for keys and bodies. Empty for a cluster without a part, and for the memory
/// engine, which has no statements.
pub fn statement_text(backend: &dyn Backend, plan: &Plan, cluster: ClusterNo) -> String {
    let Some(dialect) = backend.dialect() else { return String::new() };
    let texts = |first: Option<Query>, statements: usize| match (first, statements) {
        (None, _) => String::new(),
        (Some(query), 0 | 1) => query.text,
        (Some(query), n) => format!("{} (x {n}, in one read transaction)", query.text),
    };
    // Without lists there is one statement per key, all in one read transaction.
    let per_key = |keys: usize| match dialect.keys {
        KeyLists::Single => (1, keys),
        KeyLists::TupleIn | KeyLists::Unnest => (keys, 1),
    };
    match plan {
        Plan::Get { table, parts, .. } => {
            parts.iter().find(|p| p.cluster == cluster).map_or_else(String::new, |part| {
                let (keys, statements) = per_key(part.items.len());
                texts(part.items.get(..keys).map(|keys| dialect.get(table, keys)), statements)
            })
        }
        Plan::Latest { table, parts, .. } => {
            parts.iter().find(|p| p.cluster == cluster).map_or_else(String::new, |part| {
                let (keys, statements) = per_key(part.items.len());
                texts(part.items.get(..keys).map(|keys| dialect.latest(table, keys)), statements)
            })
        }
        Plan::Rows { table, parts } => parts.iter().find(|p| p.0 == cluster).map_or_else(String::new, |(_, scan)| {
            texts(dialect.rows(table, scan, scan.limit.unwrap_or(super::stream::PAGE_ROWS)).next(), 1)
        }),
        Plan::Log { table, parts } => parts.iter().find(|p| p.0 == cluster).map_or_else(String::new, |(_, scan)| {
            texts(dialect.log(table, scan, scan.limit.unwrap_or(super::stream::PAGE_ROWS)).next(), 1)
        }),
        Plan::Put { table, parts } => parts
            .iter()
            .find(|p| p.cluster == cluster)
            .map_or_else(String::new, |part| put_text(dialect, table, part.items.len())),
        Plan::Erase { table, what, .. } => erase_text(dialect, table, what),
    }
}

/// A row or a chain is erased in steps: some slots are looked for, and those that are cells are erased.
fn erase_text(dialect: &Dialect, table: &TableRef, what: &Erasure) -> String {
    match what {
        Erasure::Cell(name) => dialect.erase_cell(table, name, None).text,
        Erasure::Row(_) | Erasure::Column(..) => {
            let looks = dialect.slots(table, what, None, None, u64::from(super::erase::FIRST_STEP)).pop();
            let erases = dialect.erase_ids(table, &[AddedId(0)]).text;
            format!("{}; {erases} (in steps)", looks.map_or_else(String::new, |look| look.text))
        }
    }
}

/// A put is one transaction that takes its ids from the log head; how it is one round trip differs by engine.
fn put_text(dialect: &Dialect, table: &TableRef, cells: usize) -> String {
    let mut columns = String::new();
    for (index, column) in Dialect::INSERT_COLUMNS.iter().enumerate() {
        if index > 0 {
            columns.push_str(", ");
        }
        dialect.quote(&mut columns, column);
    }
    let (mut head, mut name) = (String::new(), String::new());
    dialect.quote(&mut head, "cg_head");
    dialect.quote(&mut name, table.physical());
    format!("UPDATE {head} ..; INSERT INTO {name} ({columns}) VALUES (..) (x {cells}, in one transaction)")
}
