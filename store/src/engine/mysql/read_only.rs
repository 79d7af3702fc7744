//! A server that is read-only is not written to, whoever may.

/// 0; on a server that is read-only an error, of a number out of range ([`is_of_read_only`]).
///
/// The server itself lets users with SUPER or READ ONLY ADMIN write though it is read-only, as one that was demoted
/// is, and what is written there is lost to everybody. So every write asks, behind its lock on the log head where it
/// has one. In newer MariaDBs the variable is a word.
macro_rules! zero_if_writable {
    () => {
        "(NOT (~0 + (INSTR('0OFF', @@read_only) = 0)))"
    };
}
pub(super) use zero_if_writable;

/// The same as text.
pub(super) const ZERO_IF_WRITABLE: &str = zero_if_writable!();

/// Whether this is the error of [`zero_if_writable`]: it quotes the expression.
pub(super) fn is_of_read_only(code: u16, message: &str) -> bool {
    code == 1690 && message.contains("'0OFF'")
}

/// A statement that fails on a server that is read-only.
pub(super) const UNLESS_READ_ONLY: &str = concat!("SET @w = ", zero_if_writable!());

/// Begins a transaction of several commands. That is before its lock: it asks again right before its COMMIT.
pub(super) const BEGIN: &str = concat!("SET @w = ", zero_if_writable!(), "; BEGIN");
