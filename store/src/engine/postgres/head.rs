//! Statements on the log head, on PostgreSQL.

use super::insert::CLOCK;
use crate::engine::server::driver::{PassOver, Start};
use crate::engine::server::head::{STARTS, passed, unless_passed};
use crate::sql::FIRST_HEAD;

/// One transaction: has the head pass over ids if that was not done for this start, or is done again, and remembers it.
///
/// Without BEGIN and COMMIT, it is one because it is sent as one, and a failure leaves none open. It changes a row in any
/// case, so that its commit waits for the standbys that another session's may not have waited for. A head that never gave out
/// an id needs no ids passed over. The seconds since the last write are passed over once: `at` is now behind it.
pub(super) fn pass_over(start: Start, passing: PassOver) -> String {
    let unless = unless_passed("starts.next", start, passing);
    let Start(start) = start;
    let passed = passed("cg_head.at", &format!("({CLOCK} - cg_head.at) / 1000000"));
    format!(
        "INSERT INTO cg_head (head, epoch, next, at) VALUES ({STARTS}, 0, 0, 0) \
         ON CONFLICT (head) DO UPDATE SET at = cg_head.at + 1; \
         UPDATE cg_head SET next = cg_head.next + {passed}, at = GREATEST(cg_head.at, {CLOCK}) FROM cg_head AS starts \
         WHERE cg_head.head = {FIRST_HEAD} AND starts.head = {STARTS}{unless} \
         AND (starts.next <> 0 OR cg_head.at > 0); \
         UPDATE cg_head SET next = {start} WHERE head = {STARTS}"
    )
}
