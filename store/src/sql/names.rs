//! Statements that read cells by name, and what their rows answer.

use std::collections::HashMap;

use cellgate_schemaless::{Cell, CellKind, ColumnKey, LatestKey, RefKey, RowKey, TableRef, Triple};

use super::clauses::padded;
use super::{Dialect, KeyLists, Lists, Param, Query, Sql};
use crate::hash::FastHash;

/// Longest body that a statement with several keys answers, in bytes (C16 of docs/ARCHITECTURE.md). A longer one is
/// NULL there ([`left_out`]) and fetched alone, so that an answer has a bound, whatever the bodies.
pub(crate) const BATCH_BODY: usize = 256 * 1024;

/// From how many exact names on a MariaDB reads them by [`Lists::MariaDb`]'s table of values: in shorter lists making the table
/// costs more than it saves.
pub(super) const VALUES_GETS: usize = 24;

/// From how many chains on a MariaDB finds their newest versions by such a table.
pub(super) const VALUES_LATEST: usize = 12;

/// How one statement finds the newest versions of chains, of [`KeyLists::TupleIn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LatestBy {
    /// One chain, with a bound or without, read downwards. Parameters: row, column, highest version.
    Order,
    /// A join with the maxima of the chains. Parameters of a chain: row, column.
    Join,
    /// A list of names with a subselect of the maximum for each. Parameters of a chain: row, column, row, column.
    Maxima,
    /// A table of values joined with the cells. Parameters of a chain: row, column.
    Values,
    /// A table of values and, for each, the newest row up to its version, read downwards. Parameters of a chain: row, column,
    /// highest version.
    Lateral,
    /// Chains with bounds and such without, put together by UNION: the text depends on which is which.
    Mixed,
}

impl Dialect {
    /// The cells with these names, in any order ([`match_gets`] puts them back). At least one key; exactly one with
    /// [`KeyLists::Single`]. Parameters of one key: row, column, version.
    pub(crate) fn get(&self, table: &TableRef, keys: &[Triple]) -> Query {
        let mut sql = Sql::new(self);
        match self.keys {
            KeyLists::Single | KeyLists::TupleIn if keys.len() == 1 => {
                sql.select("", table).push(" WHERE ").key_equals(&keys[0].row, &keys[0].column);
                sql.push(" AND ").name("ref_key").push(" = ").int(keys[0].ref_key.0);
            }
            KeyLists::TupleIn if self.gets_by_values(keys.len()) => {
                sql.values(&["r", "c", "v"], padded(keys), |sql, key| {
                    sql.bytes(key.row.as_bytes()).push(", ").bytes(key.column.as_bytes()).push(", ").int(key.ref_key.0);
                });
                sql.joined_with_values(table, keys.len()).push("k.v");
            }
            KeyLists::Single | KeyLists::TupleIn => {
                sql.select_several("", keys.len()).push(" FROM ").name(table.physical());
                sql.push(" WHERE (").names("", &["row_key", "column_key", "ref_key"]);
                sql.push(") IN (");
                for (i, key) in padded(keys).enumerate() {
                    sql.push(if i > 0 { ", (" } else { "(" }).bytes(key.row.as_bytes()).push(", ");
                    sql.bytes(key.column.as_bytes()).push(", ").int(key.ref_key.0).push(")");
                }
                sql.push(")");
            }
            KeyLists::Unnest => {
                sql.select_several("c.", keys.len()).push(" FROM unnest(");
                sql.param(Param::BytesList(keys.iter().map(|k| k.row.as_bytes().clone()).collect())).push(", ");
                sql.param(Param::BytesList(keys.iter().map(|k| k.column.as_bytes().clone()).collect())).push(", ");
                sql.param(Param::IntList(keys.iter().map(|k| k.ref_key.0).collect()));
                sql.push(") AS q(r, c, v) JOIN ").name(table.physical()).push(" AS c ON c.").name("row_key");
                sql.push(" = q.r AND c.").name("column_key").push(" = q.c AND c.").name("ref_key").push(" = q.v");
            }
        }
        sql.finish()
    }

    /// The text of [`get`](Self::get) for one key.
    pub(crate) fn get_text(&self, table: &TableRef) -> String {
        let any =
            Triple { row: RowKey::from_store(&b""[..]), column: ColumnKey::from_store(&b""[..]), ref_key: RefKey(0) };
        self.get(table, &[any]).text
    }

    /// Whether [`get`](Self::get) of so many keys is by a table of values.
    pub(crate) fn gets_by_values(&self, keys: usize) -> bool {
        self.lists == Lists::MariaDb && keys >= VALUES_GETS
    }

    /// The latest row of each chain, in any order ([`match_latest`] puts them back). At least one key; exactly one
    /// with [`KeyLists::Single`]. Parameters of one key: those of its [`LatestBy`], or row, column, highest version.
    ///
    /// With [`KeyLists::TupleIn`] the answer may be a lock or closed row, which the maximum is taken over for being
    /// in the index alone: [`below_hidden`] says what to ask again.
    pub(crate) fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Query {
        self.latest_in(Sql::new(self), table, keys)
    }

    /// The same without bodies.
    pub(crate) fn versions(&self, table: &TableRef, keys: &[LatestKey]) -> Query {
        self.latest_in(Sql::without_bodies(self), table, keys)
    }

    fn latest_in(&self, mut sql: Sql<'_>, table: &TableRef, keys: &[LatestKey]) -> Query {
        match self.keys {
            KeyLists::Single => {
                sql.latest_of(table, &keys[0], 1);
            }
            KeyLists::TupleIn => match self.latest_by(keys) {
                LatestBy::Order => {
                    sql.latest_of(table, &keys[0], 1);
                }
                LatestBy::Join => {
                    sql.latest_by_maximum(table, keys);
                }
                LatestBy::Maxima => {
                    sql.latest_by_maxima(table, keys);
                }
                LatestBy::Values => {
                    sql.latest_by_values(table, keys);
                }
                LatestBy::Lateral => {
                    sql.latest_by_lateral(table, keys);
                }
                LatestBy::Mixed => {
                    let (bounded, open): (Vec<_>, Vec<_>) = keys.iter().cloned().partition(|k| k.at_most.is_some());
                    if !open.is_empty() {
                        sql.latest_by_maximum(table, &open);
                    }
                    for (i, key) in bounded.iter().enumerate() {
                        sql.push(if i > 0 || !open.is_empty() { " UNION ALL (" } else { "(" });
                        sql.latest_of(table, key, keys.len()).push(")");
                    }
                }
            },
            KeyLists::Unnest => {
                sql.select_several("x.", keys.len()).push(" FROM unnest(");
                sql.param(Param::BytesList(keys.iter().map(|k| k.row.as_bytes().clone()).collect())).push(", ");
                sql.param(Param::BytesList(keys.iter().map(|k| k.column.as_bytes().clone()).collect())).push(", ");
                sql.param(Param::IntList(keys.iter().map(highest).collect()));
                sql.push(") AS q(r, c, v) CROSS JOIN LATERAL (").select("", table).push(" WHERE ").name("row_key");
                sql.push(" = q.r AND ").name("column_key").push(" = q.c AND ").name("ref_key").push(" <= q.v AND ");
                sql.not_hidden().push(" ORDER BY ").name("ref_key").push(" DESC LIMIT 1) AS x");
            }
        }
        sql.finish()
    }

    /// How [`latest`](Self::latest) finds these keys where keys are [`KeyLists::TupleIn`].
    pub(crate) fn latest_by(&self, keys: &[LatestKey]) -> LatestBy {
        let open = keys.iter().all(|key| key.at_most.is_none());
        match (self.lists, keys.len()) {
            (Lists::MariaDb, count) if open && count >= VALUES_LATEST => LatestBy::Values,
            (Lists::MariaDb, _) if open => LatestBy::Maxima,
            (Lists::Plain | Lists::MariaDb | Lists::Lateral, 1) => LatestBy::Order,
            (Lists::Lateral, _) => LatestBy::Lateral,
            (Lists::Plain | Lists::MariaDb, _) if open => LatestBy::Join,
            (Lists::Plain | Lists::MariaDb, _) => LatestBy::Mixed,
        }
    }

    /// The text of [`latest`](Self::latest) for one key.
    pub(crate) fn latest_text(&self, table: &TableRef) -> String {
        self.latest(table, &[any_chain()]).text
    }

    /// The text of [`versions`](Self::versions) for one key.
    pub(crate) fn versions_text(&self, table: &TableRef) -> String {
        self.versions(table, &[any_chain()]).text
    }
}

impl Sql<'_> {
    fn latest_of(&mut self, table: &TableRef, key: &LatestKey, keys: usize) -> &mut Self {
        self.select_several("", keys)
            .push(" FROM ")
            .name(table.physical())
            .push(" WHERE ")
            .key_equals(&key.row, &key.column);
        self.push(" AND ").name("ref_key").push(" <= ").int(highest(key)).push(" AND ").not_hidden();
        self.push(" ORDER BY ").name("ref_key").push(" DESC LIMIT 1")
    }

    fn latest_by_maximum(&mut self, table: &TableRef, keys: &[LatestKey]) -> &mut Self {
        self.select_several("c.", usize::MAX).push(" FROM (SELECT ");
        self.names("", &["row_key", "column_key"]).push(", MAX(").name("ref_key").push(") AS v FROM ");
        self.name(table.physical()).push(" WHERE (").names("", &["row_key", "column_key"]).push(") IN (");
        for (i, key) in padded(keys).enumerate() {
            self.push(if i > 0 { ", (" } else { "(" }).bytes(key.row.as_bytes()).push(", ");
            self.bytes(key.column.as_bytes()).push(")");
        }
        self.push(") GROUP BY ").names("", &["row_key", "column_key"]).push(") AS m JOIN ").name(table.physical());
        self.push(" AS c ON c.").name("row_key").push(" = m.").name("row_key").push(" AND c.").name("column_key");
        self.push(" = m.").name("column_key").push(" AND c.").name("ref_key").push(" = m.v")
    }

    fn latest_by_maxima(&mut self, table: &TableRef, keys: &[LatestKey]) -> &mut Self {
        self.select_several("", keys.len()).push(" FROM ").name(table.physical()).push(" WHERE (");
        self.names("", &["row_key", "column_key", "ref_key"]).push(") IN (");
        for (i, key) in padded(keys).enumerate() {
            self.push(if i > 0 { ", (" } else { "(" }).bytes(key.row.as_bytes()).push(", ");
            self.bytes(key.column.as_bytes()).push(", (SELECT MAX(").name("ref_key").push(") FROM ");
            self.name(table.physical()).push(" WHERE ").key_equals(&key.row, &key.column).push("))");
        }
        self.push(")")
    }

    fn latest_by_values(&mut self, table: &TableRef, keys: &[LatestKey]) -> &mut Self {
        self.values(&["r", "c"], padded(keys), |sql, key| {
            sql.bytes(key.row.as_bytes()).push(", ").bytes(key.column.as_bytes());
        });
        let index = self.dialect.cell_index(table.id);
        self.joined_with_values(table, keys.len()).push("(SELECT m.").name("ref_key").push(" FROM ");
        self.name(table.physical()).push(" AS m").use_index(&index).push(" WHERE m.").name("row_key");
        self.push(" = k.r AND m.").name("column_key").push(" = k.c ORDER BY m.").name("ref_key").push(" DESC LIMIT 1)")
    }

    fn latest_by_lateral(&mut self, table: &TableRef, keys: &[LatestKey]) -> &mut Self {
        self.values(&["r", "c", "v"], padded(keys), |sql, key| {
            sql.bytes(key.row.as_bytes()).push(", ").bytes(key.column.as_bytes()).push(", ").int(highest(key));
        });
        let index = self.dialect.cell_index(table.id);
        self.push("SELECT c.* FROM k STRAIGHT_JOIN LATERAL (").select_several("", keys.len());
        self.push(" FROM ").name(table.physical()).use_index(&index).push(" WHERE ").name("row_key");
        self.push(" = k.r AND ").name("column_key").push(" = k.c AND ").name("ref_key").push(" <= k.v AND ");
        self.not_hidden().push(" ORDER BY ").name("ref_key").push(" DESC LIMIT 1) AS c")
    }

    /// Opens a statement that has a table `k` of these keys, with up to three columns. Its first row is NULL, which joins with
    /// nothing: it gives the columns their types, for those of parameters would be too short.
    fn values<'k, K: 'k>(
        &mut self,
        columns: &[&str],
        keys: impl Iterator<Item = &'k K>,
        row: impl Fn(&mut Self, &K),
    ) -> &mut Self {
        let types = ["CAST(NULL AS BINARY(1024))", "CAST(NULL AS BINARY(64))", "CAST(NULL AS SIGNED)"];
        let row_of = if self.dialect.lists == Lists::Lateral { "ROW(" } else { "(" };
        self.push("WITH k(").push(&columns.join(", ")).push(") AS (VALUES ").push(row_of);
        self.push(&types[..columns.len()].join(", ")).push(")");
        for key in keys {
            self.push(", ").push(row_of);
            row(self, key);
            self.push(")");
        }
        self.push(") ")
    }

    /// Goes on behind [`values`](Self::values) up to where the version stands.
    fn joined_with_values(&mut self, table: &TableRef, keys: usize) -> &mut Self {
        let index = self.dialect.cell_index(table.id);
        self.select_several("c.", keys).push(" FROM k STRAIGHT_JOIN ").name(table.physical()).push(" AS c");
        self.use_index(&index).push(" ON c.").name("row_key").push(" = k.r AND c.").name("column_key");
        self.push(" = k.c AND c.").name("ref_key").push(" = ")
    }

    /// The columns of cells for a statement of so many keys: of several, a body is NULL if it is longer than
    /// [`BATCH_BODY`].
    fn select_several(&mut self, prefix: &str, keys: usize) -> &mut Self {
        self.columns(prefix, if keys == 1 { self.dialect.longest_body } else { Some(BATCH_BODY) })
    }
}

/// A key whose statement has the text of all.
fn any_chain() -> LatestKey {
    LatestKey { row: RowKey::from_store(&b""[..]), column: ColumnKey::from_store(&b""[..]), at_most: None }
}

/// The highest version a key asks for.
fn highest(key: &LatestKey) -> i64 {
    key.at_most.map_or(i64::MAX, |v| v.0)
}

/// One answer per key, in the order of the keys.
pub(crate) fn match_gets(keys: &[Triple], cells: Vec<Cell>) -> Vec<Option<Cell>> {
    if let [key] = keys {
        return vec![cells.into_iter().find(|cell| cell.triple == *key)];
    }
    let mut first: HashMap<&Triple, usize, FastHash> =
        HashMap::with_capacity_and_hasher(keys.len(), FastHash::default());
    for (i, key) in keys.iter().enumerate() {
        first.entry(key).or_insert(i);
    }
    let mut answers = vec![None; keys.len()];
    for cell in cells {
        if let Some(i) = first.get(&cell.triple) {
            answers[*i] = Some(cell);
        }
    }
    if first.len() < keys.len() {
        // Some were asked for more than once.
        for (i, key) in keys.iter().enumerate() {
            match first.get(key) {
                Some(at) if *at != i => answers[i] = answers[*at].clone(),
                Some(_) | None => {}
            }
        }
    }
    answers
}

/// Whether a statement of several keys left the body of this row out, because it is longer than [`BATCH_BODY`].
pub(crate) fn left_out(cell: &Cell) -> bool {
    cell.kind == CellKind::Cell && cell.body.is_none()
}

/// One answer per key, in the order of the keys: of the rows of its chain, the highest it asks for.
pub(crate) fn match_latest(keys: &[LatestKey], cells: &[Cell]) -> Vec<Option<Cell>> {
    let mut by_chain: HashMap<(&RowKey, &ColumnKey), Vec<&Cell>, FastHash> = HashMap::default();
    for cell in cells {
        by_chain.entry((&cell.triple.row, &cell.triple.column)).or_default().push(cell);
    }
    let answer = |key: &LatestKey| {
        let rows = by_chain.get(&(&key.row, &key.column))?;
        rows.iter()
            .filter(|c| c.triple.ref_key.0 <= highest(key))
            .max_by_key(|c| c.triple.ref_key)
            .map(|c| (*c).clone())
    };
    keys.iter().map(answer).collect()
}

/// Whether a latest read looks below this row: a lock or a closed chain.
pub(crate) fn is_hidden(cell: &Cell) -> bool {
    match cell.kind {
        CellKind::Lock | CellKind::Closed => true,
        CellKind::Cell | CellKind::Tombstone | CellKind::Erased => false,
    }
}

/// The keys whose answer is hidden, each with its index and bounded to what is below that row. Keys
/// with nothing below are left out.
pub(crate) fn below_hidden(keys: &[LatestKey], answers: &[Option<Cell>]) -> Vec<(usize, LatestKey)> {
    let below = |(i, (key, answer)): (usize, (&LatestKey, &Option<Cell>))| {
        let cell = answer.as_ref().filter(|cell| is_hidden(cell))?;
        let at_most = Some(RefKey(cell.triple.ref_key.0.checked_sub(1)?));
        Some((i, LatestKey { at_most, ..key.clone() }))
    };
    keys.iter().zip(answers).enumerate().filter_map(below).collect()
}
