//! Rows that are the same on every server: character sets, collations, engines, keywords.

use cellgate_sql::{Row, Value};

use super::{number, text};

/// A collation: name, character set, number, whether it is its character set's default, pad attribute.
pub type Collation = (&'static str, &'static str, i64, bool, &'static str);

/// The collations a client can name.
pub const COLLATIONS: [Collation; 5] = [
    ("binary", "binary", 63, true, "NO PAD"),
    ("utf8mb4_0900_ai_ci", "utf8mb4", 255, true, "NO PAD"),
    ("utf8mb4_bin", "utf8mb4", 46, false, "PAD SPACE"),
    ("utf8mb4_general_ci", "utf8mb4", 45, false, "PAD SPACE"),
    ("utf8mb4_unicode_ci", "utf8mb4", 224, false, "PAD SPACE"),
];

/// The character sets: name, default collation, description, bytes of a character.
pub const CHARACTER_SETS: [(&str, &str, &str, i64); 2] =
    [("binary", "binary", "Binary pseudo charset", 1), ("utf8mb4", "utf8mb4_0900_ai_ci", "UTF-8 Unicode", 4)];

/// The one engine: name, support, comment, transactions, XA, savepoints.
pub const ENGINES: [[&str; 6]; 1] =
    [["CELLS", "DEFAULT", "Immutable, versioned JSON cells on sharded stores", "YES", "NO", "YES"]];

pub(super) fn character_sets() -> Vec<Row> {
    let row = |(name, collation, description, length): (&str, &str, &str, i64)| {
        vec![text(name), text(collation), text(description), number(length)]
    };
    CHARACTER_SETS.into_iter().map(row).collect()
}

pub(super) fn collations() -> Vec<Row> {
    let row = |(name, charset, id, default, pad): Collation| {
        let is_default = if default { "Yes" } else { "" };
        vec![text(name), text(charset), number(id), text(is_default), text("Yes"), number(1), text(pad)]
    };
    COLLATIONS.into_iter().map(row).collect()
}

pub(super) fn applicability() -> Vec<Row> {
    COLLATIONS.into_iter().map(|(name, charset, ..)| vec![text(name), text(charset)]).collect()
}

pub(super) fn engines() -> Vec<Row> {
    ENGINES.into_iter().map(|row| row.map(text).to_vec()).collect()
}

/// Words that must be quoted to be names.
const RESERVED: &str = "ADD ALL ALTER ANALYZE AND AS ASC BEFORE BETWEEN BIGINT BINARY BLOB BOTH BY CALL CASCADE CASE \
    CHANGE CHAR CHARACTER CHECK COLLATE COLUMN CONDITION CONSTRAINT CONTINUE CONVERT CREATE CROSS CURRENT_DATE \
    CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DATABASES DEC DECIMAL DECLARE DEFAULT DELAYED DELETE \
    DESC DESCRIBE DISTINCT DIV DOUBLE DROP DUAL EACH ELSE ENCLOSED ESCAPED EXCEPT EXISTS EXIT EXPLAIN FALSE FETCH \
    FLOAT FOR FORCE FOREIGN FROM FULLTEXT FUNCTION GENERATED GRANT GROUP GROUPS HAVING IF IGNORE IN INDEX INFILE \
    INNER INOUT INSERT INT INTEGER INTERSECT INTERVAL INTO IS ITERATE JOIN JSON_TABLE KEY KEYS KILL LATERAL LEADING \
    LEAVE LEFT LIKE LIMIT LINES LOAD LOCALTIME LOCALTIMESTAMP LOCK LONG LONGBLOB LONGTEXT LOOP MATCH MEDIUMBLOB \
    MEDIUMINT MEDIUMTEXT MOD NATURAL NOT NULL NUMERIC OF ON OPTIMIZE OPTION OR ORDER OUT OUTER OUTFILE OVER PARTITION \
    PRIMARY PROCEDURE RANGE RANK READ REAL RECURSIVE REFERENCES REGEXP RELEASE RENAME REPEAT REPLACE REQUIRE RESTRICT \
    RETURN REVOKE RIGHT RLIKE ROW ROWS ROW_NUMBER SCHEMA SCHEMAS SELECT SENSITIVE SEPARATOR SET SHOW SIGNAL SMALLINT \
    SPATIAL SQL SSL STARTING STORED STRAIGHT_JOIN SYSTEM TABLE TERMINATED THEN TINYBLOB TINYINT TINYTEXT TO TRAILING \
    TRIGGER TRUE UNDO UNION UNIQUE UNLOCK UNSIGNED UPDATE USAGE USE USING UTC_DATE UTC_TIME UTC_TIMESTAMP VALUES \
    VARBINARY VARCHAR VARYING VIRTUAL WHEN WHERE WHILE WINDOW WITH WRITE XOR ZEROFILL";

pub(super) fn keywords() -> Vec<Row> {
    RESERVED.split_ascii_whitespace().map(|word| vec![text(word), Value::Int(1)]).collect()
}
