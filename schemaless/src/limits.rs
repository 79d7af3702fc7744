//! Every limit of the data model, with how it was chosen.

/// Longest row key a client may write, in bytes: `VARCHAR(255)` in utf8mb4.
pub const ROW_KEY_BYTES: usize = 1020;
/// Longest row key a store holds, in bytes. The four bytes above [`ROW_KEY_BYTES`] are room for type tags of typed keys.
pub const STORED_ROW_KEY_BYTES: usize = 1024;
/// Longest column key, in bytes.
pub const COLUMN_KEY_BYTES: usize = 64;
/// Longest body, in bytes: MariaDB's default `max_allowed_packet` is 16 MiB for a whole statement, in which a body
/// stands hex-encoded or escaped beside its keys; a body of this size still fits as a binary parameter.
pub const BODY_BYTES: usize = 16 * 1024 * 1024 - 64 * 1024;
/// Deepest nesting of a JSON body (MySQL's own limit).
pub const JSON_DEPTH: usize = 100;
/// Most virtual shards a deployment can be created with: a shard number is an unsigned 16-bit column.
pub const VIRTUAL_SHARDS_MAX: u32 = 65_535;
/// Virtual shards of a deployment that does not say otherwise.
pub const VIRTUAL_SHARDS_DEFAULT: u32 = 4096;
/// Highest cluster number. Ids are the cluster number modulo [`ID_STRIDE`]; 0 is never used.
pub const CLUSTER_NO_MAX: u16 = 1023;
/// Distance between two ids of one cluster, so that ids are unique over all clusters.
pub const ID_STRIDE: i64 = 1024;
/// Most columns a table may declare. Each is in the catalog, which is one document that every proxy reads and keeps;
/// a table of a MySQL server has at most 1017 of InnoDB.
pub const DECLARED_COLUMNS: usize = 1000;
/// Longest table, column or database name, in characters (MySQL's own limit).
pub const IDENTIFIER_CHARS: usize = 64;
