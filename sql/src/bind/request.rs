//! The request that reads as little as a condition allows, and what of the condition is left to check per cell.

use std::collections::BTreeSet;

use cellgate_schemaless::{
    AddedId, Chain, ColumnFilter, ColumnKey, Direction, LatestKey, LogScan, Micros, RefKey, RefRange, Request, RowKey,
    RowScan, RowSet, ShardId, TableDef, Triple,
};

use super::condition::analyse;
use super::keys::{Dimensions, Keys, Room, Tuples};
use super::view::View;
use crate::columns::CellColumn;
use crate::command::{ReadKind, Source};
use crate::environment::Environment;
use crate::error::{SqlError, unsupported};
use crate::expression::{Expression, Slot};
use crate::shape::{RowInput, Together};

/// Most cells that a row-shape SELECT reads by key: rows times the declared columns it names. Each is a key of 80 bytes in
/// the request, 80 MB for all; the keys' text is shared.
const ROW_SHAPE: usize = 1_000_000;

/// What the rest of the statement needs of the source.
pub(super) struct Wanted<'a> {
    /// Sort keys with "descending"; empty if the order does not matter.
    pub order: &'a [(Expression<Slot>, bool)],
    /// How many rows are wanted after skipping some; `None` is all.
    pub limit: Option<u64>,
    /// How many are skipped.
    pub offset: u64,
    /// Whether a row of the answer is one cell, in the source's order: no aggregate, DISTINCT, HAVING.
    pub row_per_cell: bool,
}

/// Where the cells come from.
pub(super) struct Plan {
    pub source: Source,
    /// What is still to be checked.
    pub residual: Option<Expression<Slot>>,
    /// Whether the cells come in the order asked for.
    pub ordered: bool,
    pub scatter: bool,
    pub kind: ReadKind,
}

/// The conditions ANDed, each with what it says about keys.
struct Conjuncts(Vec<(Expression<Slot>, Keys)>);

impl Conjuncts {
    fn new(condition: Option<Expression<Slot>>) -> Self {
        let all = match condition {
            None => Vec::new(),
            Some(Expression::And(all)) => all,
            Some(other) => vec![other],
        };
        let room = Room::new();
        Self(all.into_iter().map(|c| (analyse(&c, &room), c)).map(|(k, c)| (c, k)).collect())
    }

    fn keys(&self) -> Keys {
        Keys::all(self.0.iter().map(|(_, k)| k.clone()))
    }

    /// The conditions a request with these constraints does not express.
    fn residual(self, expressed: Dimensions) -> Option<Expression<Slot>> {
        let mut left: Vec<_> = self
            .0
            .into_iter()
            .filter(|(_, keys)| !(keys.exact && keys.dimensions().within(expressed)))
            .map(|(condition, _)| condition)
            .collect();
        match left.len() {
            0 => None,
            1 => left.pop(),
            _ => Some(Expression::And(left)),
        }
    }
}

/// Decides what is read.
///
/// # Errors
/// `added_id = n` without a partition.
pub(super) fn plan(
    table: &TableDef,
    env: &dyn Environment,
    condition: Option<Expression<Slot>>,
    partitions: Option<BTreeSet<u16>>,
    wanted: &Wanted<'_>,
) -> Result<Plan, SqlError> {
    let conjuncts = Conjuncts::new(condition);
    let keys = conjuncts.keys();
    let nothing = |kind| Plan { source: Source::Nothing, residual: None, ordered: true, scatter: false, kind };
    let by_row = keys.row_set();
    if by_row.is_none() && keys.added_equals && partitions.is_none() && keys.shards.is_all() {
        return Err(unsupported(
            "added_id = n without a partition",
            "added_id is a place in one shard's log: SELECT .. FROM t PARTITION (p0) WHERE added_id = n",
        ));
    }
    if keys.is_nothing() || (wanted.limit == Some(0) && wanted.row_per_cell) {
        return Ok(nothing(if by_row.is_some() { ReadKind::Rows } else { ReadKind::Partition }));
    }
    match by_row {
        Some(rows) => {
            // A row lives in one shard, so that partitions choose among rows.
            let in_shards = |row: &RowKey| {
                let shard = env.shard_of(row.as_bytes());
                partitions.as_ref().is_none_or(|p| p.contains(&shard))
                    && keys.shards.only().is_none_or(|s| s.contains(&shard))
            };
            let kept: BTreeSet<RowKey> = rows.into_iter().filter(in_shards).collect();
            if kept.is_empty() {
                return Ok(nothing(ReadKind::Rows));
            }
            Ok(by_key(table, conjuncts, keys, &kept, wanted))
        }
        None => Ok(by_log(table, env, conjuncts, &keys, partitions, wanted)),
    }
}

fn by_key(table: &TableDef, conjuncts: Conjuncts, keys: Keys, rows: &BTreeSet<RowKey>, wanted: &Wanted<'_>) -> Plan {
    let all = Dimensions {
        rows: true,
        columns: true,
        range: true,
        refs: true,
        tuples: true,
        shards: true,
        added: false,
        created: false,
    };
    let fixed_refs = keys.refs.is_single();
    let chains: Option<Vec<Chain>> = keys.chains().map(|c| c.into_iter().filter(|c| rows.contains(&c.row)).collect());
    let fixed = |column: CellColumn| match column {
        CellColumn::RowKey | CellColumn::Shard => rows.len() == 1,
        CellColumn::ColumnKey => {
            keys.columns.is_single()
                || chains.as_ref().is_some_and(|c| {
                    c.iter().all(|c| Some(&c.column) == chains.as_ref().and_then(|c| c.first()).map(|c| &c.column))
                })
        }
        CellColumn::RefKey => fixed_refs,
        CellColumn::AddedId | CellColumn::Body | CellColumn::CreatedAt => false,
    };
    let natural = [CellColumn::RowKey, CellColumn::ColumnKey, CellColumn::RefKey];
    let direction = order(wanted.order, &natural, &fixed);
    if let Some(triples) = keys.triples() {
        let keys = triples.into_iter().filter(|t| rows.contains(&t.row)).collect();
        return by_triple(table, keys, conjuncts.residual(all), direction);
    }
    // A list of versions is read as the range around it.
    // Where an hour comes twice, what is shown after a time is not all that came after it.
    let expressed = Dimensions { refs: fixed_refs, ..all };
    let refs = reference_range(&keys);
    let residual = conjuncts.residual(expressed);
    let most = wanted.limit.map(|n| n.saturating_add(wanted.offset));
    let limit = if residual.is_none() && wanted.row_per_cell && direction.is_some() { most } else { None };
    if let (Some([chain]), Some(1), Some(Direction::Descending), None) = (chains.as_deref(), limit, direction, refs.min)
    {
        // One cell in descending order is the latest, if the order says so.
        if !wanted.order.is_empty() {
            let key = LatestKey { row: chain.row.clone(), column: chain.column.clone(), at_most: refs.max };
            return Plan {
                source: Source::Cells(Request::Latest { table: table.table_ref(), keys: vec![key] }),
                residual,
                ordered: true,
                scatter: false,
                kind: ReadKind::Latest,
            };
        }
    }
    let set = match (&keys.tuples, chains) {
        (Some(Tuples::Chains(_) | Tuples::Triples(_)), Some(chains)) => RowSet::Chains(chains),
        (Some(_), None) | (None, _) => RowSet::Rows(rows.iter().cloned().collect(), column_filter(&keys)),
    };
    let scan =
        RowScan { set, refs, direction: direction.unwrap_or(Direction::Ascending), after: None, up_to: None, limit };
    Plan {
        source: Source::Cells(Request::Rows { table: table.table_ref(), scan }),
        residual,
        ordered: direction.is_some(),
        scatter: false,
        kind: ReadKind::Rows,
    }
}

/// The cells of these triples, which ascend.
fn by_triple(
    table: &TableDef,
    mut keys: Vec<Triple>,
    residual: Option<Expression<Slot>>,
    direction: Option<Direction>,
) -> Plan {
    if direction == Some(Direction::Descending) {
        keys.reverse();
    }
    Plan {
        kind: if keys.len() == 1 { ReadKind::Get } else { ReadKind::GetMulti },
        source: match keys.is_empty() {
            true => Source::Nothing,
            false => Source::Cells(Request::Get { table: table.table_ref(), keys }),
        },
        residual,
        ordered: direction.is_some(),
        scatter: false,
    }
}

fn by_log(
    table: &TableDef,
    env: &dyn Environment,
    conjuncts: Conjuncts,
    keys: &Keys,
    partitions: Option<BTreeSet<u16>>,
    wanted: &Wanted<'_>,
) -> Plan {
    let named = match (partitions, keys.shards.only()) {
        (Some(p), Some(s)) => Some(p.intersection(s).copied().collect::<BTreeSet<u16>>()),
        (Some(p), None) => Some(p),
        (None, Some(s)) => Some(s.clone()),
        (None, None) => None,
    };
    let scatter = named.is_none();
    let exists = |s: &u16| u32::from(*s) < env.virtual_shards();
    let shards: Vec<ShardId> = match named {
        Some(shards) => shards.into_iter().filter(exists).map(ShardId).collect(),
        None => (0..env.virtual_shards()).filter_map(|s| u16::try_from(s).ok()).map(ShardId).collect(),
    };
    let one = shards.len() == 1;
    let fixed = |column: CellColumn| match column {
        CellColumn::Shard => one,
        CellColumn::ColumnKey => keys.columns.is_single(),
        CellColumn::RowKey | CellColumn::RefKey | CellColumn::AddedId | CellColumn::Body | CellColumn::CreatedAt => {
            false
        }
    };
    let direction = order(wanted.order, &[CellColumn::Shard, CellColumn::AddedId], &fixed);
    // A log is read forwards only.
    let ordered = direction == Some(Direction::Ascending);
    let expressed = Dimensions {
        columns: true,
        shards: true,
        added: true,
        created: env.time_zone().is_fixed(),
        ..Dimensions::default()
    };
    let residual = conjuncts.residual(expressed);
    let most = wanted.limit.map(|n| n.saturating_add(wanted.offset));
    let limit = if residual.is_none() && wanted.row_per_cell && ordered { most } else { None };
    let kind = if scatter { ReadKind::Scatter } else { ReadKind::Partition };
    if shards.is_empty() {
        return Plan { source: Source::Nothing, residual: None, ordered: true, scatter: false, kind };
    }
    let scan = LogScan {
        shards,
        added_after: keys.added_after.map(AddedId),
        created_from: keys.created_from.map(|local| env.time_zone().utc(Micros(local))),
        columns: column_filter(keys),
        after: None,
        up_to: None,
        limit,
    };
    Plan { source: Source::Cells(Request::Log { table: table.table_ref(), scan }), residual, ordered, scatter, kind }
}

fn column_filter(keys: &Keys) -> ColumnFilter {
    let columns: Option<Vec<ColumnKey>> = keys.columns.only().map(|set| set.iter().cloned().collect());
    columns.map_or(ColumnFilter::All, ColumnFilter::In)
}

fn reference_range(keys: &Keys) -> RefRange {
    let list = keys.refs.only();
    let first = list.and_then(|s| s.first().copied());
    let last = list.and_then(|s| s.last().copied());
    RefRange {
        min: keys.range.min.max(first).map(RefKey),
        max: [keys.range.max, last].into_iter().flatten().min().map(RefKey),
    }
}

/// The direction in which the natural order is the order asked for, if there is one. Columns that are `fixed` do not
/// order anything, and behind all of `natural` nothing is left to order.
pub(super) fn order(
    asked: &[(Expression<Slot>, bool)],
    natural: &[CellColumn],
    fixed: &dyn Fn(CellColumn) -> bool,
) -> Option<Direction> {
    let mut natural = natural.iter().copied().filter(|c| !fixed(*c));
    let mut direction = None;
    for (expression, descending) in asked {
        let column = match expression {
            Expression::Constant(_) => continue,
            Expression::Leaf(slot) => CellColumn::of_slot(slot.0)?,
            _ => return None,
        };
        if fixed(column) {
            continue;
        }
        match natural.next() {
            None => break,
            Some(next) if next == column => {}
            Some(_) => return None,
        }
        let this = if *descending { Direction::Descending } else { Direction::Ascending };
        if *direction.get_or_insert(this) != this {
            return None;
        }
    }
    Some(direction.unwrap_or(Direction::Ascending))
}

/// How the rows of a view are assembled.
///
/// # Errors
/// A declared column whose storage key is no column key (a damaged catalog).
pub(super) fn row_input(view: &View, together: Together) -> Result<RowInput, SqlError> {
    let declared = view.named.iter().filter_map(|i| view.table.columns.get(*i));
    let columns = declared
        .map(|c| {
            ColumnKey::new(c.storage_key.clone().into_bytes())
                .map(|key| (key, c.missing.clone()))
                .map_err(|e| SqlError::Internal(format!("column {}: {e}", c.name)))
        })
        .collect::<Result<_, _>>()?;
    Ok(RowInput { columns, together })
}

/// Decides what is read for the row shape: the latest cell of each named column of the rows, or, without keys, the
/// log of all shards.
///
/// # Errors
/// Those of [`row_input`]; [`SqlError::Limit`] for more than [`ROW_SHAPE`] cells by key.
pub(super) fn plan_rows(
    view: &View,
    env: &dyn Environment,
    condition: Option<Expression<Slot>>,
    partitions: Option<BTreeSet<u16>>,
    wanted: &Wanted<'_>,
) -> Result<(Plan, RowInput), SqlError> {
    let conjuncts = Conjuncts::new(condition);
    let keys = conjuncts.keys();
    let rows = keys.row_set();
    // Rows that are named come by row key, those of a log by shard and row key.
    let (together, natural): (_, &[CellColumn]) = match &rows {
        Some(_) => (Together::Row, &[CellColumn::RowKey]),
        None => (Together::Shard, &[CellColumn::Shard, CellColumn::RowKey]),
    };
    let input = row_input(view, together)?;
    let one_row = rows.as_ref().is_some_and(|r| r.len() == 1);
    let direction = order(wanted.order, natural, &|column| one_row && column == CellColumn::RowKey);
    let shards = match (partitions, keys.shards.only()) {
        (Some(p), Some(s)) => Some(p.intersection(s).copied().collect::<BTreeSet<u16>>()),
        (Some(p), None) => Some(p),
        (None, Some(s)) => Some(s.clone()),
        (None, None) => None,
    };
    let expressed = Dimensions { rows: true, shards: true, ..Dimensions::default() };
    let nothing = keys.is_nothing() || (wanted.limit == Some(0) && wanted.row_per_cell);
    let residual = conjuncts.residual(expressed);
    let table = view.table.table_ref();
    let (source, scatter) = match rows {
        _ if nothing => (Source::Nothing, false),
        Some(rows) => {
            let in_shards = |row: &&RowKey| shards.as_ref().is_none_or(|s| s.contains(&env.shard_of(row.as_bytes())));
            let kept: Vec<&RowKey> = rows.iter().filter(in_shards).collect();
            if kept.len().saturating_mul(input.columns.len()) > ROW_SHAPE {
                return Err(SqlError::Limit {
                    what: "the number of rows times that of declared columns (name fewer of either in one statement)"
                        .into(),
                    limit: ROW_SHAPE as u64,
                    name: "row_shape",
                });
            }
            let keys: Vec<LatestKey> = kept
                .into_iter()
                .flat_map(|row| {
                    let key = |c: &(ColumnKey, Option<String>)| LatestKey {
                        row: row.clone(),
                        column: c.0.clone(),
                        at_most: None,
                    };
                    input.columns.iter().map(key)
                })
                .collect();
            let source = if keys.is_empty() { Source::Nothing } else { Source::Cells(Request::Latest { table, keys }) };
            (source, false)
        }
        None => {
            let scatter = shards.is_none();
            let named = |s: &u16| shards.as_ref().is_none_or(|named| named.contains(s));
            let shards: Vec<ShardId> =
                (0..env.virtual_shards()).filter_map(|s| u16::try_from(s).ok()).filter(named).map(ShardId).collect();
            let columns: BTreeSet<ColumnKey> = input.columns.iter().map(|(key, _)| key.clone()).collect();
            let scan = LogScan {
                shards,
                added_after: None,
                created_from: None,
                columns: ColumnFilter::In(columns.into_iter().collect()),
                after: None,
                up_to: None,
                limit: None,
            };
            (Source::Cells(Request::Log { table, scan }), scatter)
        }
    };
    let ordered = direction == Some(Direction::Ascending);
    Ok((Plan { source, residual, ordered, scatter, kind: ReadKind::RowShape }, input))
}
