//! Looking up the rows that a put has met, or may have written.
//!
//! Assumes that the rows of one table are consecutive. A long body is read only where it may be the one that was to be written.

use cellgate_schemaless::{Cell, TableRef, Triple};

use crate::engine::server::driver::{Failure, NewRow, Session};
use crate::error::StoreError;
use crate::sql::{BATCH_BODY, Dialect, left_out, match_gets};

/// Most rows looked up by one statement.
const LOOK_ROWS: usize = 256;

/// The rows of these names: one answer per row.
pub(super) async fn look<S: Session>(
    session: &mut S,
    dialect: &'static Dialect,
    rows: &[NewRow<'_>],
) -> Result<Vec<Option<Cell>>, Failure> {
    let mut found = Vec::with_capacity(rows.len());
    for same_table in rows.chunk_by(|a, b| a.table == b.table) {
        for chunk in same_table.chunks(LOOK_ROWS) {
            let Some(table): Option<&TableRef> = chunk.first().map(|row| row.table) else { continue };
            let names: Vec<Triple> = chunk.iter().map(|row| row.triple.clone()).collect();
            let cells = match session.cells(&dialect.get(table, &names), usize::MAX).await {
                Ok(found) => found.cells,
                // Of several tables one may be gone: its rows are, and the others may be there.
                Err(Failure::Store(StoreError::NoTable { .. })) if same_table.len() < rows.len() => Vec::new(),
                Err(failure) => return Err(failure.in_table(table)),
            };
            let answers = match_gets(&names, cells);
            for (row, mut answer) in chunk.iter().zip(answers) {
                // A long body can only be that of a row as long: the others are told apart without it.
                if let Some(cell) = answer.as_mut().filter(|cell| left_out(cell))
                    && row.body.as_bytes().len() > BATCH_BODY
                {
                    let alone = dialect.get(table, std::slice::from_ref(row.triple));
                    let body = session.cells(&alone, usize::MAX).await;
                    let body = body.map_err(|failure| failure.in_table(table))?.cells.pop().and_then(|cell| cell.body);
                    cell.body = body.filter(|body| body == row.body);
                }
                found.push(answer);
            }
        }
    }
    Ok(found)
}
