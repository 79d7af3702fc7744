//! Statements on the log head, on MariaDB and MySQL.

use super::insert::CLOCK;
use super::read_only::{BEGIN, UNLESS_READ_ONLY, zero_if_writable};
use crate::engine::server::driver::{PassOver, Start};
use crate::engine::server::head::{STARTS, passed, unless_passed};
use crate::sql::FIRST_HEAD;

/// A change of the database, however often it is made: its commit is one of the log's, behind all that were visible before.
pub(super) const TOUCH: &str = concat!("UPDATE cg_head SET at = at + 1 + ", zero_if_writable!(), " WHERE head = 0");

/// One transaction: has the head pass over ids if that was not done for this start, or is done again, and remembers it.
///
/// It changes a row in any case. That another session has done it may be visible before it is on disk; what this
/// transaction's commit waits for is both. A head that never gave out an id needs no ids passed over. The seconds since
/// the last write are passed over once: `at` is now behind it.
pub(super) fn pass_over(start: Start, passing: PassOver) -> String {
    let unless = unless_passed("@s", start, passing);
    let Start(start) = start;
    let passed = passed("at", &format!("({CLOCK} - at) DIV 1000000"));
    format!(
        "{BEGIN}; INSERT INTO cg_head (head, epoch, next, at) VALUES ({STARTS}, 0, 0, 0) \
         ON DUPLICATE KEY UPDATE at = at + 1; SELECT next INTO @s FROM cg_head WHERE head = {STARTS}; \
         UPDATE cg_head SET next = next + {passed}, at = GREATEST(at, {CLOCK}) \
         WHERE head = {FIRST_HEAD}{unless} AND (@s <> 0 OR at > 0); \
         UPDATE cg_head SET next = {start} WHERE head = {STARTS}; {UNLESS_READ_ONLY}; COMMIT"
    )
}
