//! The log head behind a start (C17 of docs/ARCHITECTURE.md).
//!
//! A database may go back: InnoDB makes a commit visible, and lets go of the head, before it writes its log, and a crash in
//! between takes the cell back that somebody may have read, and `next` with it; a standby that takes over may lack the last
//! commits; and an older dump of the database may be loaded. The next cell would get an id that was given out before, and
//! whoever follows the log and has seen that id would never see the cell. So the head passes over a span of ids behind every
//! start, before the first of them is given out. A row of `cg_head` beside the head remembers for which start that was done.

use cellgate_schemaless::limits::ID_STRIDE;

use crate::engine::server::driver::{PassOver, Start};

/// The row of `cg_head` that is no head: its `next` is the start for which the head has passed over, 0 before the first
/// write. Every version reads heads by their number, and its epoch, 0, is none a head was ever at.
pub(crate) const STARTS: i64 = 65_535;

/// Ids passed over at least: many times what is written between two writes of the log to the disk.
const SPAN: i64 = 1 << 18;

/// Ids passed over for each second since the last write that is known, if that is more: what a head gives out in one at most.
/// What is not known any more was written in these seconds, ids passed over behind other starts among it: more of them
/// only if there were starts every few seconds, where each proxy that meets a server that is back counts as one. A larger
/// number would bring ids beyond 2^53 sooner, which programs that keep them as floating point cannot tell apart.
const PER_SECOND: i64 = 1 << 16;

/// Most seconds that count (194 days): a clock may be far ahead.
const MOST_SECONDS: i64 = 1 << 24;

/// Any `at` since 2001: the head has given out ids, and that was when.
const GIVEN_OUT: i64 = 1_000_000_000_000_000;

/// An expression: how much `next` is to grow, by the column `at` of the head. `seconds` is one of how many seconds it is
/// old, perhaps below 0.
pub(crate) fn passed(at: &str, seconds: &str) -> String {
    let old = format!("CASE WHEN {at} >= {GIVEN_OUT} THEN LEAST({seconds}, {MOST_SECONDS}) ELSE 0 END");
    format!("GREATEST({}, {} * ({old}))", SPAN * ID_STRIDE, PER_SECOND * ID_STRIDE)
}

/// A condition, behind others: whether the head is to pass over ids. `remembered` is the start for which it did so last.
pub(crate) fn unless_passed(remembered: &str, Start(start): Start, passing: PassOver) -> String {
    match passing {
        PassOver::Once => format!(" AND {remembered} <> {start}"),
        PassOver::Again => String::new(),
    }
}
