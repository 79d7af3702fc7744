//! Definitions that say what a cell table or a database cannot be.

use super::bound;
use crate::command::{Command, Ddl};
use crate::error::SqlError;

/// A cell table as it is declared elsewhere, with these attributes of its columns.
fn declared(ref_key: &str, body: &str) -> String {
    format!(
        "CREATE TABLE new (added_id BIGINT AUTO_INCREMENT PRIMARY KEY, row_key VARCHAR(255), column_key VARCHAR(64), \
         ref_key BIGINT {ref_key}, body {body}, UNIQUE KEY (row_key, column_key, ref_key))"
    )
}

#[test]
fn what_a_cell_column_cannot_check_or_count_is_refused() {
    for body in ["JSON CHECK (JSON_VALID(body))", "LONGTEXT CHECK (json_valid(`body`))"] {
        let text = declared("NOT NULL", body);
        assert!(matches!(bound(&text), Ok(Command::Ddl(Ddl::CreateTable { .. }))), "{text}");
    }
    let counted =
        declared("NOT NULL AUTO_INCREMENT", "JSON").replace("added_id BIGINT AUTO_INCREMENT PRIMARY KEY, ", "");
    assert!(matches!(bound(&counted), Ok(Command::Ddl(Ddl::CreateTable { .. }))), "{counted}");
    // As SQLAlchemy writes it.
    let turned = counted.replace("(row_key, column_key, ref_key)", "(ref_key, row_key, column_key)");
    assert!(matches!(bound(&turned), Ok(Command::Ddl(Ddl::CreateTable { .. }))), "{turned}");
    for (ref_key, body) in [
        ("NOT NULL", "JSON CHECK (JSON_VALID(body) AND JSON_LENGTH(body) < 2)"),
        ("NOT NULL", "JSON CHECK (JSON_VALID(row_key))"),
        ("NOT NULL", "JSON CHECK (JSON_VALID(body) = 0)"),
        ("AUTO_INCREMENT", "JSON"),
        ("CHECK (JSON_VALID(body))", "JSON"),
    ] {
        let text = declared(ref_key, body);
        assert!(matches!(bound(&text), Err(SqlError::Unsupported { .. })), "{text}: {:?}", bound(&text));
    }
}

#[test]
fn the_collation_of_a_database_exists_and_fits_its_character_set() {
    let collation = |options: &str| match bound(&format!("CREATE DATABASE d {options}")) {
        Ok(Command::Ddl(Ddl::CreateDatabase { collation, .. })) => Ok(collation),
        Err(error) => Err(error),
        other => panic!("{options}: {other:?}"),
    };
    for (options, expected) in [
        ("", None),
        ("DEFAULT CHARACTER SET = utf8mb4", Some("utf8mb4_0900_ai_ci")),
        ("COLLATE utf8mb4_unicode_520_ci CHARSET utf8mb4", Some("utf8mb4_unicode_520_ci")),
        ("CHARACTER SET utf8", Some("utf8mb3_general_ci")),
        ("COLLATE utf8_bin", Some("utf8mb3_bin")),
        // What a dump of MariaDB's databases says.
        ("DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci", Some("utf8mb4_uca1400_ai_ci")),
        ("CHARACTER SET binary", Some("binary")),
    ] {
        assert_eq!(collation(options), Ok(expected.map(str::to_owned)), "{options}");
    }
    assert_eq!(collation("COLLATE utf8mb4_nonsense"), Err(SqlError::Collation("utf8mb4_nonsense".into())));
    for (options, charset) in
        [("CHARACTER SET utf8mb3 COLLATE utf8mb4_bin", "utf8mb3"), ("COLLATE utf8mb4_bin CHARSET binary", "binary")]
    {
        let other = SqlError::OtherCollation { collation: "utf8mb4_bin".into(), charset: charset.into() };
        assert_eq!(collation(options), Err(other), "{options}");
    }
    for refused in ["CHARACTER SET ascii", "CHARACTER SET latin1", "COLLATE latin1_bin"] {
        assert!(matches!(collation(refused), Err(SqlError::Unsupported { .. })), "{refused}");
    }
    for text in ["CREATE DATABASE d DEFAULT", "ALTER DATABASE shop", "ALTER DATABASE shop DEFAULT"] {
        assert!(matches!(bound(text), Err(SqlError::Syntax { .. })), "{text}");
    }
}

#[test]
fn a_statement_names_a_table_once() {
    for text in ["DROP TABLE plain, trips, shop.plain", "LOCK TABLES plain READ, shop.plain WRITE"] {
        assert_eq!(bound(text).err(), Some(SqlError::NotUnique("plain".into())), "{text}");
    }
    for text in ["LOCK TABLES plain READ, plain AS p WRITE", "LOCK TABLES plain a READ, plain b READ"] {
        assert!(matches!(bound(text), Ok(Command::Lock(_))), "{text}");
    }
    for text in ["START TRANSACTION READ ONLY,", "SET TRANSACTION READ ONLY, READ WRITE"] {
        assert!(matches!(bound(text), Err(SqlError::Syntax { .. })), "{text}");
    }
}
