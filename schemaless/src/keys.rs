//! Identifiers. Each is a type of its own and is built through one checked door.

use std::fmt;

use bytes::Bytes;

use crate::error::Invalid;
use crate::limits;
use crate::stored::stored;

/// The key of a row: bytes, compared byte for byte (case, trailing spaces and NUL all count).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(Bytes);

impl RowKey {
    /// Checks the length (1 to [`limits::ROW_KEY_BYTES`] bytes).
    ///
    /// # Errors
    /// [`Invalid::RowKeyEmpty`] or [`Invalid::RowKeyTooLong`].
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Invalid> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(Invalid::RowKeyEmpty);
        }
        if bytes.len() > limits::ROW_KEY_BYTES {
            return Err(Invalid::RowKeyTooLong { bytes: bytes.len() });
        }
        Ok(Self(bytes))
    }
}

stored!(RowKey, "key");

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowKey({})", self.0.escape_ascii())
    }
}

/// The name of a column within a row: bytes, compared byte for byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnKey(Bytes);

impl ColumnKey {
    /// Checks the length (1 to [`limits::COLUMN_KEY_BYTES`] bytes).
    ///
    /// # Errors
    /// [`Invalid::ColumnKeyEmpty`] or [`Invalid::ColumnKeyTooLong`].
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Invalid> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(Invalid::ColumnKeyEmpty);
        }
        if bytes.len() > limits::COLUMN_KEY_BYTES {
            return Err(Invalid::ColumnKeyTooLong { bytes: bytes.len() });
        }
        Ok(Self(bytes))
    }
}

stored!(ColumnKey, "key");

impl fmt::Debug for ColumnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ColumnKey({})", self.0.escape_ascii())
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// The version of a cell within its `(row_key, column_key)`. Any signed 64-bit number; the highest is the latest.
    RefKey(i64)
}
number! {
    /// The place of a cell in its shard's log. Ascending in commit order within a shard, unique over all clusters
    /// together with the shard, never reused.
    AddedId(i64)
}
number! {
    /// A virtual shard, `0..virtual_shards`.
    ShardId(u16)
}
number! {
    /// A table's id in the catalog; never reused, and part of the physical table's name.
    TableId(u32)
}
number! {
    /// The plan a write was made under. A store refuses a write of another epoch than its log heads carry.
    Epoch(i64)
}
number! {
    /// Which write made a row: random, shared by all retries of one write.
    Token(i64)
}
number! {
    /// A transaction that has not been settled for this row yet.
    TxnId(i64)
}

/// A cluster's number, 1 to [`limits::CLUSTER_NO_MAX`], never reused within a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterNo(u16);

impl ClusterNo {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`Invalid::ClusterNo`] outside 1 to [`limits::CLUSTER_NO_MAX`].
    pub fn new(number: u16) -> Result<Self, Invalid> {
        if (1..=limits::CLUSTER_NO_MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Invalid::ClusterNo { number })
        }
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ClusterNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of one cell. Ordered as the unique index is: row, column, version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Triple {
    /// The row.
    pub row: RowKey,
    /// The column within the row.
    pub column: ColumnKey,
    /// The version within the column.
    pub ref_key: RefKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_at_least_a_byte_and_no_more_than_their_limits() {
        let bytes = |length: usize| vec![b'x'; length];
        assert_eq!(RowKey::new(bytes(limits::ROW_KEY_BYTES)).unwrap().as_bytes().len(), limits::ROW_KEY_BYTES);
        assert_eq!(RowKey::new(bytes(0)), Err(Invalid::RowKeyEmpty));
        let long = limits::ROW_KEY_BYTES + 1;
        assert_eq!(RowKey::new(bytes(long)), Err(Invalid::RowKeyTooLong { bytes: long }));
        assert_eq!(ColumnKey::new(bytes(limits::COLUMN_KEY_BYTES)).unwrap().as_bytes().len(), limits::COLUMN_KEY_BYTES);
        assert_eq!(ColumnKey::new(bytes(0)), Err(Invalid::ColumnKeyEmpty));
        let long = limits::COLUMN_KEY_BYTES + 1;
        assert_eq!(ColumnKey::new(bytes(long)), Err(Invalid::ColumnKeyTooLong { bytes: long }));
    }

    #[test]
    fn clusters_have_numbers_below_the_stride_of_ids_and_none_has_zero() {
        for number in [0, limits::CLUSTER_NO_MAX + 1, u16::MAX] {
            assert_eq!(ClusterNo::new(number), Err(Invalid::ClusterNo { number }));
        }
        for number in [1, limits::CLUSTER_NO_MAX] {
            assert_eq!(ClusterNo::new(number).map(ClusterNo::get), Ok(number));
        }
        assert!(i64::from(limits::CLUSTER_NO_MAX) < limits::ID_STRIDE);
    }
}
