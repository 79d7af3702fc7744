//! The session's state as every OK and EOF packet tells it.

use mysql_common::constants::StatusFlags;

/// What a client is told of its session with every reply. Drivers act on it: some never send COMMIT while
/// `in_transaction` is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Each statement commits itself.
    pub autocommit: bool,
    /// A transaction is open.
    pub in_transaction: bool,
    /// A backslash in a string is itself.
    pub no_backslash_escapes: bool,
    /// The open transaction is read only.
    pub in_read_only_transaction: bool,
}

impl Default for Status {
    /// A fresh session's.
    fn default() -> Self {
        Self { autocommit: true, in_transaction: false, no_backslash_escapes: false, in_read_only_transaction: false }
    }
}

/// What follows this part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Following {
    /// Nothing.
    Last,
    /// Further results.
    More,
    /// Nothing, but there is a cursor that rows can be fetched from.
    Cursor,
    /// Nothing, and the cursor has no more rows.
    CursorEnd,
}

impl Status {
    pub(super) fn bits(self, following: Following) -> u16 {
        let mut flags = StatusFlags::empty();
        flags.set(StatusFlags::SERVER_STATUS_AUTOCOMMIT, self.autocommit);
        flags.set(StatusFlags::SERVER_STATUS_IN_TRANS, self.in_transaction);
        flags.set(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES, self.no_backslash_escapes);
        flags.set(StatusFlags::SERVER_STATUS_IN_TRANS_READONLY, self.in_read_only_transaction);
        match following {
            Following::Last => {}
            Following::More => flags |= StatusFlags::SERVER_MORE_RESULTS_EXISTS,
            Following::Cursor => flags |= StatusFlags::SERVER_STATUS_CURSOR_EXISTS,
            Following::CursorEnd => flags |= StatusFlags::SERVER_STATUS_LAST_ROW_SENT,
        }
        flags.bits()
    }
}
