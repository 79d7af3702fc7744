//! Cells, their bodies and what is needed to write one.

use std::fmt;

use bytes::Bytes;

use crate::error::Invalid;
use crate::keys::{AddedId, ColumnKey, RefKey, RowKey, ShardId, Token, Triple, TxnId};
use crate::stored::stored;
use crate::{json, limits};

/// A point in time: microseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

/// A JSON document, kept exactly as it was given.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Body(Bytes);

impl Body {
    /// Checks that the bytes are one JSON text in UTF-8, not too long and not too deep.
    ///
    /// # Errors
    /// [`Invalid::Json`], [`Invalid::JsonTooDeep`] or [`Invalid::BodyTooLong`].
    pub fn json(bytes: impl Into<Bytes>) -> Result<Self, Invalid> {
        let bytes = bytes.into();
        if bytes.len() > limits::BODY_BYTES {
            return Err(Invalid::BodyTooLong { bytes: bytes.len() });
        }
        json::validate(&bytes)?;
        Ok(Self(bytes))
    }
}

stored!(Body, "body");

impl fmt::Debug for Body {
    /// Bodies are personal data, so that only the length is ever printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// What a stored row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// A cell with a body.
    Cell,
    /// The end of a record (record tables).
    Tombstone,
    /// A row held by a transaction that reads it FOR UPDATE; never visible.
    Lock,
    /// The slot of an erased cell: it has no body, reads do not see it, and its triple can never be written again.
    Erased,
    /// The end of a chain that is being removed.
    Closed,
}

impl CellKind {
    /// The number stored in the column `kind`.
    pub fn code(self) -> i64 {
        match self {
            Self::Cell => 0,
            Self::Tombstone => 1,
            Self::Lock => 2,
            Self::Erased => 3,
            Self::Closed => 4,
        }
    }

    /// The kind for a stored number; `None` for a number this version does not know (a corrupt or newer store).
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Cell, Self::Tombstone, Self::Lock, Self::Erased, Self::Closed].into_iter().find(|k| k.code() == code)
    }
}

/// A row of a cell table as a store returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its name.
    pub triple: Triple,
    /// Its JSON; `None` for every kind but [`CellKind::Cell`].
    pub body: Option<Body>,
    /// Its place in the log of `shard`.
    pub added_id: AddedId,
    /// The shard its row key belongs to.
    pub shard: ShardId,
    /// When its log head took it in.
    pub created_at: Micros,
    /// What the row is.
    pub kind: CellKind,
    /// The write that made it.
    pub token: Token,
    /// Set while a transaction over several clusters has not been settled for this row: the row is neither there nor not there.
    pub txn: Option<TxnId>,
}

impl Cell {
    /// Whether a reader sees it: a settled row of kind [`CellKind::Cell`].
    pub fn is_visible(&self) -> bool {
        self.kind == CellKind::Cell && self.txn.is_none()
    }
}

/// Which version a new cell gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// This one. If the triple exists with the same bytes, the write is done already.
    Exact(RefKey),
    /// One more than the latest (the first is 1), found by compare-and-append.
    Next,
}

/// A cell to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCell {
    /// The row.
    pub row: RowKey,
    /// The column.
    pub column: ColumnKey,
    /// Which version.
    pub version: Version,
    /// The JSON.
    pub body: Body,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_no_longer_than_the_limit() {
        let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2)).into_bytes();
        assert_eq!(Body::json(text(limits::BODY_BYTES)).unwrap().as_bytes().len(), limits::BODY_BYTES);
        let bytes = limits::BODY_BYTES + 1;
        assert_eq!(Body::json(text(bytes)), Err(Invalid::BodyTooLong { bytes }));
    }

    #[test]
    fn only_settled_cells_are_visible() {
        let row = |kind, txn| Cell {
            triple: Triple {
                row: RowKey::from_store(&b"r"[..]),
                column: ColumnKey::from_store(&b"c"[..]),
                ref_key: RefKey(1),
            },
            body: None,
            added_id: AddedId(1),
            shard: ShardId(0),
            created_at: Micros(0),
            kind,
            token: Token(0),
            txn,
        };
        assert!(row(CellKind::Cell, None).is_visible());
        assert!(!row(CellKind::Cell, Some(TxnId(1))).is_visible());
        for kind in [CellKind::Tombstone, CellKind::Lock, CellKind::Erased, CellKind::Closed] {
            assert!(!row(kind, None).is_visible(), "{kind:?}");
        }
    }
}
