//! What differs between engines, as data.

use super::{BATCH_BODY, Param};

/// How one engine spells the shared statements.
#[derive(Debug)]
pub struct Dialect {
    /// Around identifiers.
    pub(crate) quote: char,
    /// How parameters are written.
    pub(crate) placeholder: Placeholder,
    /// How a statement takes many keys.
    pub(crate) keys: KeyLists,
    /// How long lists are written; only where [`Dialect::keys`] is a list.
    pub(crate) lists: Lists,
    /// Where indexes are declared.
    pub(crate) indexes: Indexes,
    /// How a row is inserted unless its key exists.
    pub(crate) insert_if_absent: InsertIfAbsent,
    /// Opens a literal of hexadecimal digits; `'` closes it, followed by `blob_close`.
    pub(crate) blob_open: &'static str,
    /// Behind the closing quote of such a literal.
    pub(crate) blob_close: &'static str,
    /// Type of an unsigned 16-bit number.
    pub(crate) small: &'static str,
    /// Type of an unsigned 32-bit number.
    pub(crate) int: &'static str,
    /// Type of a signed 64-bit number.
    pub(crate) big: &'static str,
    /// Type of a row key.
    pub(crate) row_key: &'static str,
    /// Type of a column key.
    pub(crate) column_key: &'static str,
    /// Type of a body.
    pub(crate) body: &'static str,
    /// Type of a short ASCII text.
    pub(crate) text: &'static str,
    /// Type of the name of a document in the meta store; compared byte for byte.
    pub(crate) document_name: &'static str,
    /// Behind `CREATE TABLE (..)` of a table of cells.
    pub(crate) cell_table_options: &'static str,
    /// Behind `CREATE TABLE (..)` of a table whose few rows are updated all the time.
    pub(crate) hot_table_options: &'static str,
    /// Behind `CREATE TABLE (..)` of any other table.
    pub(crate) table_options: &'static str,
    /// Around the name of an index that a statement must use; `None` where there are no such hints.
    pub(crate) index_hint: Option<(&'static str, &'static str)>,
    /// Longest body that a statement about one key, or a scan, answers, in bytes: a longer one is NULL. `None` if there is no
    /// such bound.
    pub(crate) longest_body: Option<usize>,
}

/// How parameters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// `?`
    Question,
    /// `$1::bigint`: with a cast, so that a driver can always bind 64-bit numbers.
    DollarCast,
}

/// How a statement takes many keys (measured: RESEARCH-PERFORMANCE, sections 2, 4 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyLists {
    /// `(a, b) IN ((?, ?), ..)`, padded ([`room`](super::room)) so that few texts exist.
    TupleIn,
    /// `unnest(..)` of array parameters: one text for any number of keys.
    Unnest,
    /// One statement per key, all in one read transaction.
    Single,
}

/// How long lists of names are written where keys are [`KeyLists::TupleIn`], and how the newest versions of many chains are
/// found there. In all of them the maximum is taken over the index alone, rows that are hidden included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lists {
    /// Names by `IN`, newest versions by a join with `SELECT .. MAX(ref_key) .. GROUP BY`.
    Plain,
    /// What a MariaDB is quickest at, as measured there in processor time of the server.
    ///
    /// - Names by `IN` up to [`VALUES_GETS`](super::names::VALUES_GETS), then as a table of values joined with the cells, for
    ///   which it plans nothing per name: 16 instead of 19 us per cell in lists of 64.
    /// - Newest versions by `(row_key, column_key, ref_key) IN ((?, ?, (SELECT MAX(ref_key) ..)), ..)`, also for one chain: it
    ///   answers such a maximum from the index while it plans (23 us per chain in lists of 8, where the join takes 86). From
    ///   [`VALUES_LATEST`](super::names::VALUES_LATEST) chains on by a table of values, too, with a subselect of the highest
    ///   version: 23, 18 and 24 us per chain in lists of 16, 32 and 64, where a maximum for each takes 28, 24 and 37.
    MariaDb,
    /// What a MySQL that has them is quickest at, as measured on a MySQL 9.7 in processor time of the server.
    ///
    /// - Names by `IN`: 36, 21 and 21 us per cell in lists of 4, 16 and 64, where a table of values takes 51, 22 and 20.
    /// - Newest versions by a table of values and, `LATERAL` to each, the newest row up to the version asked for: 72, 29 and
    ///   22 us per chain in lists of 4, 16 and 64, where the join takes 98, 36 and 29, and a maximum for each 76, 33 and 34.
    ///   Chains with bounds take the same, where a SELECT for each takes 50 to 90.
    Lateral,
}

/// Where indexes are declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indexes {
    /// Inside CREATE TABLE, named per table.
    Inline,
    /// By statements of their own, named per schema.
    Separate,
}

/// How a row is inserted unless its key exists. Never `INSERT IGNORE`, which hides truncation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InsertIfAbsent {
    /// `.. ON DUPLICATE KEY UPDATE key = key`
    OnDuplicateKey,
    /// `.. ON CONFLICT DO NOTHING`
    OnConflict,
}

/// MariaDB.
pub(crate) const MARIADB: Dialect = Dialect { lists: Lists::MariaDb, ..MYSQL };

/// MySQL since 8.0.19, which has tables of values.
pub(crate) const MYSQL_WITH_LATERAL: Dialect = Dialect { lists: Lists::Lateral, ..MYSQL };

/// Any MySQL, and what MariaDB has in common with it.
pub(crate) const MYSQL: Dialect = Dialect {
    quote: '`',
    placeholder: Placeholder::Question,
    keys: KeyLists::TupleIn,
    lists: Lists::Plain,
    indexes: Indexes::Inline,
    insert_if_absent: InsertIfAbsent::OnDuplicateKey,
    blob_open: "x'",
    blob_close: "",
    small: "SMALLINT UNSIGNED",
    int: "INT UNSIGNED",
    big: "BIGINT",
    row_key: "VARBINARY(1024)",
    column_key: "VARBINARY(64)",
    body: "LONGBLOB",
    text: "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin",
    document_name: "VARBINARY(255)",
    cell_table_options: " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=binary",
    hot_table_options: " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=binary",
    table_options: " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=binary",
    index_hint: Some((" FORCE INDEX (", ")")),
    longest_body: None,
};

/// PostgreSQL. It has no unsigned types, so that a shard needs four bytes.
pub(crate) const POSTGRES: Dialect = Dialect {
    quote: '"',
    placeholder: Placeholder::DollarCast,
    keys: KeyLists::Unnest,
    lists: Lists::Plain,
    indexes: Indexes::Separate,
    insert_if_absent: InsertIfAbsent::OnConflict,
    blob_open: "'\\x",
    blob_close: "::bytea",
    small: "INTEGER",
    int: "BIGINT",
    big: "BIGINT",
    row_key: "BYTEA",
    column_key: "BYTEA",
    body: "BYTEA",
    text: "TEXT",
    document_name: "BYTEA",
    cell_table_options: " WITH (fillfactor=90)",
    hot_table_options: " WITH (fillfactor=10)",
    table_options: "",
    index_hint: None,
    longest_body: None,
};

/// SQLite.
pub(crate) const SQLITE: Dialect = Dialect {
    quote: '"',
    placeholder: Placeholder::Question,
    keys: KeyLists::Single,
    lists: Lists::Plain,
    indexes: Indexes::Separate,
    insert_if_absent: InsertIfAbsent::OnConflict,
    blob_open: "x'",
    blob_close: "",
    small: "INTEGER",
    int: "INTEGER",
    big: "INTEGER",
    row_key: "BLOB",
    column_key: "BLOB",
    body: "BLOB",
    text: "TEXT",
    document_name: "BLOB",
    cell_table_options: " STRICT",
    hot_table_options: " STRICT",
    table_options: " STRICT",
    index_hint: Some((" INDEXED BY ", "")),
    longest_body: None,
};

/// SQLite, where no body is to be read that takes long: its length is in front of it, and its pages are not read for that.
pub(crate) const SQLITE_SHORT: Dialect = Dialect { longest_body: Some(BATCH_BODY), ..SQLITE };

/// Most names in one list: MySQL's protocol counts parameters in 16 bits, and a name has three or four.
const LIST_NAMES: usize = 8192;

impl Dialect {
    /// How many names a statement takes at most.
    pub(crate) fn most_names(&self) -> usize {
        match self.keys {
            KeyLists::TupleIn => LIST_NAMES,
            KeyLists::Unnest | KeyLists::Single => usize::MAX,
        }
    }

    /// The statements that begin a transaction in which several reads are of one moment.
    pub(crate) fn begin_snapshot(&self) -> &'static [&'static str] {
        match self.keys {
            KeyLists::TupleIn => &[
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ],
            KeyLists::Unnest => &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"],
            KeyLists::Single => &["BEGIN"],
        }
    }

    /// Appends `name` as an identifier.
    pub(crate) fn quote(&self, out: &mut String, name: &str) {
        out.push(self.quote);
        for c in name.chars() {
            out.push(c);
            if c == self.quote {
                out.push(c);
            }
        }
        out.push(self.quote);
    }

    /// Appends the placeholder of parameter `number` (from 1).
    pub(crate) fn placeholder(&self, out: &mut String, number: usize, value: &Param) {
        match self.placeholder {
            Placeholder::Question => out.push('?'),
            Placeholder::DollarCast => {
                let cast = match value {
                    Param::Bytes(_) => "bytea",
                    Param::Int(_) | Param::NullInt => "bigint",
                    Param::Text(_) => "text",
                    Param::BytesList(_) => "bytea[]",
                    Param::IntList(_) => "bigint[]",
                };
                out.push('$');
                out.push_str(&number.to_string());
                out.push_str("::");
                out.push_str(cast);
            }
        }
    }

    /// Appends `bytes` as a literal.
    pub(crate) fn blob(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        out.reserve(self.blob_open.len() + 2 * bytes.len() + 1 + self.blob_close.len());
        out.extend_from_slice(self.blob_open.as_bytes());
        for b in bytes {
            out.extend_from_slice(&[DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
        }
        out.push(b'\'');
        out.extend_from_slice(self.blob_close.as_bytes());
    }
}
