//! Inserting cells: the log head and the rows in one statement, which is its own transaction (C1, C4 of
//! docs/ARCHITECTURE.md).

use cellgate_schemaless::limits::ID_STRIDE;
use cellgate_schemaless::{AddedId, Epoch, Micros};

use crate::engine::server::driver::{Existing, Failure, NewRow, Place, Value};
use crate::error::StoreError;
use crate::sql::{Dialect, FIRST_HEAD, POSTGRES, Param, Query};

/// The server's clock in microseconds UTC; read when the head is updated, and not when the wait for it began.
pub(super) const CLOCK: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// The statement. Its answer has a row `(0, base, time)` of the head, unless that is at another epoch, and a row
/// `(1, id, 0)` for every row that was inserted: the row's number follows from its id.
pub(super) fn query(epoch: Epoch, rows: &[NewRow<'_>], existing: Existing) -> Query {
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let mut params = vec![Param::Int(count.saturating_mul(ID_STRIDE)), Param::Int(epoch.0)];
    let mut text = format!(
        "WITH h AS (UPDATE cg_head SET next = next + $1::bigint, at = GREATEST(at + 1, {CLOCK}) \
         WHERE head = {FIRST_HEAD} AND epoch = $2::bigint RETURNING next - $1::bigint AS base, at)"
    );
    let mut inserted = 0;
    let tables = rows.chunk_by(|a, b| a.table == b.table);
    let mut answers = String::new();
    for (i, rows) in tables.enumerate() {
        let Some(first) = rows.first() else { continue };
        let n = params.len();
        text.push_str(&format!(", i{i} AS (INSERT INTO "));
        POSTGRES.quote(&mut text, first.table.physical());
        text.push_str(&format!(
            " ({}) SELECT h.base + (${}::bigint + u.n - 1) * {ID_STRIDE}, u.shard, 0, ${}::bigint, u.ref_key, h.at, \
             u.token, u.r, u.c, u.body FROM h, unnest(${}::bigint[], ${}::bigint[], ${}::bigint[], ${}::bytea[], \
             ${}::bytea[], ${}::bytea[]) WITH ORDINALITY AS u(shard, ref_key, token, r, c, body, n)",
            Dialect::INSERT_COLUMNS.join(", "),
            n + 1,
            n + 2,
            n + 3,
            n + 4,
            n + 5,
            n + 6,
            n + 7,
            n + 8,
        ));
        if existing == Existing::Keep {
            text.push_str(" ON CONFLICT (row_key, column_key, ref_key) DO NOTHING");
        }
        text.push_str(" RETURNING added_id)");
        answers.push_str(&format!(" UNION ALL SELECT 1, added_id, 0 FROM i{i}"));
        params.extend([
            Param::Int(inserted),
            Param::Int(i64::from(first.table.def)),
            Param::IntList(rows.iter().map(|row| i64::from(row.shard.0)).collect()),
            Param::IntList(rows.iter().map(|row| row.triple.ref_key.0).collect()),
            Param::IntList(rows.iter().map(|row| row.token.0).collect()),
            Param::BytesList(rows.iter().map(|row| row.triple.row.as_bytes().clone()).collect()),
            Param::BytesList(rows.iter().map(|row| row.triple.column.as_bytes().clone()).collect()),
            Param::BytesList(rows.iter().map(|row| row.body.as_bytes().clone()).collect()),
        ]);
        inserted += i64::try_from(rows.len()).unwrap_or(i64::MAX);
    }
    text.push_str(" SELECT 0, base, at FROM h");
    text.push_str(&answers);
    Query { text, params }
}

/// Reads the answer of [`query`].
pub(super) fn places(rows: usize, answer: &[Vec<Value>]) -> Result<Vec<Option<Place>>, Failure> {
    let wrong = || Failure::Store(StoreError::MaybeWritten { detail: "an insert answered what no row is".to_owned() });
    let head = answer.iter().find_map(|row| match row.as_slice() {
        [Value::Int(0), Value::Int(base), Value::Int(at)] => Some((*base, Micros(*at))),
        _ => None,
    });
    let (base, created_at) = head.ok_or(Failure::Stale)?;
    let mut places = vec![None; rows];
    for row in answer {
        match row.as_slice() {
            [Value::Int(1), Value::Int(id), _] => {
                let number = usize::try_from((id - base) / ID_STRIDE).map_err(|_| wrong())?;
                *places.get_mut(number).ok_or_else(wrong)? = Some(Place { added_id: AddedId(*id), created_at });
            }
            [Value::Int(0), ..] => {}
            _ => return Err(wrong()),
        }
    }
    Ok(places)
}
