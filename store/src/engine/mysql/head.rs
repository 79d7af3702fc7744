//! The log head behind a start of the server (C17 of docs/ARCHITECTURE.md).
//!
//! InnoDB makes a commit visible, and lets go of the head, before it writes its log. A crash in between takes back a cell
//! that somebody may have read, and `next` with it: the next cell would get its id, and whoever follows the log and has seen
//! that id would never see the cell. So the head passes over a span of ids behind every start, before the first of them is
//! given out. A row of `cg_head` beside the head remembers for which start that was done.

use cellgate_schemaless::limits::ID_STRIDE;

use crate::engine::server::driver::Start;
use crate::sql::FIRST_HEAD;

/// The row of `cg_head` that is no head: its `next` is the start for which the head has passed over, 0 before the first
/// write. Every version reads heads by their number, and its epoch, 0, is none a head was ever at.
const STARTS: i64 = 65_535;

/// Ids passed over: many times what can be written between two writes of the log to the disk, and few enough for millions
/// of starts.
const SPAN: i64 = 1 << 26;

/// A change of the database, however often it is made: its commit is one of the log's, behind all that were visible before.
pub(super) const TOUCH: &str = "UPDATE cg_head SET at = at + 1 WHERE head = 0";

/// One transaction: has the head pass over ids if that was not done for this start, and remembers it.
///
/// It changes a row in any case. That another session has done it may be visible before it is on disk; what this
/// transaction's commit waits for is both. A head that never gave out an id needs no ids passed over.
pub(super) fn pass_over(Start(start): Start) -> String {
    format!(
        "BEGIN; INSERT INTO cg_head (head, epoch, next, at) VALUES ({STARTS}, 0, 0, 0) ON DUPLICATE KEY UPDATE at = at + 1; \
         SELECT next INTO @s FROM cg_head WHERE head = {STARTS}; \
         UPDATE cg_head SET next = next + {SPAN} * {ID_STRIDE} \
         WHERE head = {FIRST_HEAD} AND @s <> {start} AND (@s <> 0 OR at > 0); \
         UPDATE cg_head SET next = {start} WHERE head = {STARTS}; COMMIT"
    )
}
