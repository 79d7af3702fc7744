//! What is read, on one connection.

use cellgate_schemaless::{
    AddedId, Cell, ClusterNo, ColumnKey, Epoch, LatestKey, LogScan, Micros, RefKey, RowKey, RowScan, ShardId, TableRef,
    Triple,
};
use rusqlite::{CachedStatement, Connection};

use super::cells::{about, bind, bind_key, cell, cell_of, name_of, of_whole, slot_of};
use super::file::Failure;
use crate::backend::ANSWER_BYTES;
use crate::engine::cell_name::CellName;
use crate::sql::{Dialect, Query, SQLITE, SQLITE_SHORT, TimeSearch, by_shard, highest_id};
use crate::{Identity, ShardState, StoreError};

/// How much one page may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageBound {
    /// Rows.
    pub(crate) rows: u64,
    /// Bytes of bodies; the row that exceeds it is the last one.
    pub(crate) bytes: usize,
    /// Whose statements: [`SQLITE`], or [`SQLITE_SHORT`], whose page ends before a long body.
    pub(crate) dialect: &'static Dialect,
}

/// A page and whether rows may be behind it.
pub(crate) type Page = (Vec<Cell>, bool);

/// Runs `work` in one snapshot.
fn snapshot<T>(sqlite: &Connection, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    if !sqlite.is_autocommit() {
        // The reader has one open.
        return work();
    }
    sqlite.prepare_cached("BEGIN")?.raw_execute()?;
    let result = work();
    // An interrupt has ended it already; nothing was written, so that there is nothing to lose.
    let ended = sqlite.prepare_cached("COMMIT").and_then(|mut s| s.raw_execute());
    match result {
        Ok(answer) => ended.map(|_| answer).map_err(Failure::from),
        Err(e) => Err(e),
    }
}

/// Most bytes of bodies of several cells that are read where they are asked for: less than a millisecond.
const INLINE_BYTES: usize = 1024 * 1024;

/// Statements that read cells of a table.
#[derive(Debug)]
pub(crate) struct ReadTexts {
    /// Those that leave long bodies out ([`Failure::Large`]), to be run where nobody is to wait long.
    pub(crate) short: CellTexts,
    /// Those that read bodies of any length.
    pub(crate) whole: CellTexts,
    /// The one that reads a chain's latest without its body.
    versions: String,
}

/// Texts of such statements.
#[derive(Debug)]
pub(crate) struct CellTexts {
    get: String,
    latest: String,
    /// Most bytes of bodies that several cells may have together.
    bytes: usize,
    /// Whether no body is left out.
    is_whole: bool,
}

impl ReadTexts {
    pub(crate) fn new(table: &TableRef) -> Self {
        let texts = |dialect: &Dialect, bytes, is_whole| CellTexts {
            get: dialect.get_text(table),
            latest: dialect.latest_text(table),
            bytes,
            is_whole,
        };
        let versions = SQLITE.versions_text(table);
        Self { short: texts(&SQLITE_SHORT, INLINE_BYTES, false), whole: texts(&SQLITE, ANSWER_BYTES, true), versions }
    }
}

impl CellTexts {
    /// Adds up the bodies of an answer.
    fn count_bytes(&self, bytes: &mut usize, cell: Option<&Cell>) -> Result<(), Failure> {
        count_bytes(bytes, self.bytes, cell)
    }
}

/// Adds up the bodies of an answer that may have so many bytes where it is read.
fn count_bytes(bytes: &mut usize, most: usize, cell: Option<&Cell>) -> Result<(), Failure> {
    *bytes += cell.and_then(|cell| cell.body.as_ref()).map_or(0, |body| body.as_bytes().len());
    if *bytes > ANSWER_BYTES {
        return Err(StoreError::AnswerTooLarge { max: ANSWER_BYTES }.into());
    }
    if *bytes > most { Err(Failure::Large) } else { Ok(()) }
}

/// Of a chain without a bound on its version.
const NEWEST: RefKey = RefKey(i64::MAX);

/// The row that a statement of these texts finds.
fn one(
    texts: &CellTexts,
    statement: &mut CachedStatement<'_>,
    row: &RowKey,
    column: &ColumnKey,
    number: RefKey,
) -> Result<Option<Cell>, Failure> {
    bind_key(statement, row, column, number.0)?;
    match statement.raw_query().next() {
        Ok(Some(found)) => cell_of(found, row, column).map(Some).map_err(|failure| match texts.is_whole {
            true => of_whole(failure, &name_of(found)),
            false => failure,
        }),
        Ok(None) => Ok(None),
        // Of the latest, the number is no more than a bound.
        Err(e) => {
            let name = CellName { row: Some(row.as_bytes()), column: Some(column.as_bytes()), ..CellName::default() };
            Err(about(e.into(), &name))
        }
    }
}

/// One of [`get`]: a single statement is its own snapshot.
pub(crate) fn get_one(sqlite: &Connection, texts: &CellTexts, key: &Triple) -> Result<Option<Cell>, Failure> {
    one(texts, &mut sqlite.prepare_cached(&texts.get)?, &key.row, &key.column, key.ref_key)
}

/// One of [`latest`].
pub(crate) fn latest_one(sqlite: &Connection, texts: &CellTexts, key: &LatestKey) -> Result<Option<Cell>, Failure> {
    one(texts, &mut sqlite.prepare_cached(&texts.latest)?, &key.row, &key.column, key.at_most.unwrap_or(NEWEST))
}

pub(crate) fn get(sqlite: &Connection, texts: &CellTexts, keys: &[Triple]) -> Result<Vec<Option<Cell>>, Failure> {
    let all = || {
        let mut statement = sqlite.prepare_cached(&texts.get)?;
        let (mut cells, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        for key in keys {
            let cell = one(texts, &mut statement, &key.row, &key.column, key.ref_key)?;
            texts.count_bytes(&mut bytes, cell.as_ref())?;
            cells.push(cell);
        }
        Ok(cells)
    };
    // A single statement is its own snapshot, at half the price.
    if keys.len() == 1 { all() } else { snapshot(sqlite, all) }
}

pub(crate) fn latest(sqlite: &Connection, texts: &CellTexts, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, Failure> {
    let all = || {
        let mut statement = sqlite.prepare_cached(&texts.latest)?;
        let (mut cells, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        for key in keys {
            let at_most = key.at_most.unwrap_or(NEWEST);
            let cell = one(texts, &mut statement, &key.row, &key.column, at_most)?;
            texts.count_bytes(&mut bytes, cell.as_ref())?;
            cells.push(cell);
        }
        Ok(cells)
    };
    if keys.len() == 1 { all() } else { snapshot(sqlite, all) }
}

/// As [`get`], without long bodies; all that is read here, or `anywhere`.
pub(crate) fn get_short(
    sqlite: &Connection,
    texts: &ReadTexts,
    keys: &[Triple],
    anywhere: bool,
) -> Result<Vec<Option<Cell>>, Failure> {
    let most = if anywhere { ANSWER_BYTES } else { INLINE_BYTES };
    snapshot(sqlite, || {
        let mut statement = sqlite.prepare_cached(&texts.short.get)?;
        let (mut slots, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        for Triple { row, column, ref_key } in keys {
            bind_key(&mut statement, row, column, ref_key.0)?;
            let slot = statement.raw_query().next()?.map(|found| slot_of(found, row, column)).transpose()?;
            count_bytes(&mut bytes, most, slot.as_ref())?;
            slots.push(slot);
        }
        Ok(slots)
    })
}

/// As [`latest`], without bodies.
pub(crate) fn versions(
    sqlite: &Connection,
    texts: &ReadTexts,
    keys: &[LatestKey],
) -> Result<Vec<Option<Cell>>, Failure> {
    let all = || {
        let mut statement = sqlite.prepare_cached(&texts.versions)?;
        let each = keys.iter().map(|LatestKey { row, column, at_most }| {
            bind_key(&mut statement, row, column, at_most.unwrap_or(NEWEST).0)?;
            statement.raw_query().next()?.map(|found| slot_of(found, row, column)).transpose()
        });
        each.collect()
    };
    if keys.len() == 1 { all() } else { snapshot(sqlite, all) }
}

pub(crate) fn rows(sqlite: &Connection, table: &TableRef, scan: &RowScan, bound: PageBound) -> Result<Page, Failure> {
    let limit = scan.limit.map_or(bound.rows, |limit| limit.min(bound.rows));
    page(sqlite, table, bound.dialect.rows(table, scan, limit), PageBound { rows: limit, ..bound })
}

pub(crate) fn log(sqlite: &Connection, table: &TableRef, scan: &LogScan, bound: PageBound) -> Result<Page, Failure> {
    let limit = scan.limit.map_or(bound.rows, |limit| limit.min(bound.rows));
    let bound = PageBound { rows: limit, ..bound };
    let dialect = bound.dialect;
    let Some(shards) = by_shard(scan) else { return page(sqlite, table, dialect.log(table, scan, limit), bound) };
    for (from, mut shard) in shards {
        if shard.after.is_none() {
            let older = search(sqlite, table, shard.shards[0], from)?;
            shard.added_after = shard.added_after.max(Some(older));
        }
        let (cells, more) = page(sqlite, table, dialect.log(table, &shard, limit), bound)?;
        if !cells.is_empty() {
            return Ok((cells, more || scan.shards.last() != shard.shards.last()));
        }
    }
    Ok((Vec::new(), false))
}

/// An id in a shard's log up to which every row is older than `from`, near to where that ends.
fn search(sqlite: &Connection, table: &TableRef, shard: ShardId, from: Micros) -> Result<AddedId, Failure> {
    let place = |query: &Query| -> Result<Option<(AddedId, Micros)>, Failure> {
        let mut statement = bind(sqlite, query)?;
        let mut rows = statement.raw_query();
        rows.next()?.map(|row| Ok((AddedId(row.get(0)?), Micros(row.get(1)?)))).transpose()
    };
    let mut search = TimeSearch::new(from, place(&SQLITE.last_of_log(table, shard))?);
    while let Some(probe) = search.probe() {
        search.found(probe, place(&SQLITE.first_of_log(table, shard, probe))?);
    }
    Ok(search.older())
}

/// Runs the statements of a page until it is full.
fn page(
    sqlite: &Connection,
    table: &TableRef,
    statements: impl Iterator<Item = Query>,
    bound: PageBound,
) -> Result<Page, Failure> {
    let is_whole = bound.dialect.longest_body.is_none();
    snapshot(sqlite, || {
        let (mut cells, mut bytes) = (Vec::new(), 0);
        let mut asked = false;
        for query in statements {
            asked = true;
            let mut statement = bind(sqlite, &query)?;
            let mut found = statement.raw_query();
            while let Some(row) = found.next()? {
                let cell = match cell(row) {
                    // The next page begins with it.
                    Err(Failure::Large) if !cells.is_empty() && !is_whole => return Ok((cells, true)),
                    Err(failure) if is_whole => return Err(of_whole(failure, &name_of(row))),
                    cell => cell?,
                };
                bytes += cell.body.as_ref().map_or(0, |b| b.as_bytes().len());
                cells.push(cell);
                if cells.len() as u64 >= bound.rows || bytes >= bound.bytes {
                    return Ok((cells, true));
                }
            }
        }
        if !asked {
            // An empty set of rows or shards of a table that is not there is still an error.
            sqlite.prepare_cached(&format!("SELECT 1 FROM {} LIMIT 0", table.physical()))?;
        }
        Ok((cells, false))
    })
}

/// Who the store is; it has the table `cg_cluster`.
pub(crate) fn identity(sqlite: &Connection) -> Result<Option<Identity>, Failure> {
    let mut statement = bind(sqlite, &SQLITE.select_identity())?;
    let mut rows = statement.raw_query();
    let Some(row) = rows.next()? else { return Ok(None) };
    let corrupt = |what: &str| StoreError::Corrupt { detail: format!("cg_cluster.{what} is out of bounds") };
    Ok(Some(Identity {
        deployment: row.get(0)?,
        cluster: u16::try_from(row.get::<_, i64>(1)?)
            .ok()
            .and_then(|number| ClusterNo::new(number).ok())
            .ok_or_else(|| corrupt("cluster_no"))?,
        incarnation: row.get(2)?,
        virtual_shards: u32::try_from(row.get::<_, i64>(3)?).map_err(|_| corrupt("virtual_shards"))?,
        hash: row.get(4)?,
        seed: row.get(5)?,
        format: row.get(6)?,
    }))
}

/// The highest id that may have been given out.
pub(crate) fn head(sqlite: &Connection) -> Result<AddedId, Failure> {
    let mut statement = bind(sqlite, &SQLITE.select_next())?;
    let mut rows = statement.raw_query();
    let missing = || StoreError::Corrupt { detail: "cg_head has no row".to_owned() };
    Ok(highest_id(rows.next()?.ok_or_else(missing)?.get(0)?))
}

/// The head's epoch and the shards, from one snapshot.
pub(crate) fn shards(sqlite: &Connection) -> Result<(Epoch, Vec<ShardState>), Failure> {
    snapshot(sqlite, || {
        let epoch = {
            let mut statement = bind(sqlite, &SQLITE.select_epoch())?;
            let mut rows = statement.raw_query();
            let missing = || StoreError::Corrupt { detail: "cg_head has no row".to_owned() };
            rows.next()?.ok_or_else(missing)?.get(0)?
        };
        let mut statement = bind(sqlite, &SQLITE.select_shards())?;
        let mut rows = statement.raw_query();
        let mut shards = Vec::new();
        while let Some(row) = rows.next()? {
            shards.push(ShardState::from_columns(row.get(0)?, row.get(1)?, row.get(2)?)?);
        }
        Ok((Epoch(epoch), shards))
    })
}
