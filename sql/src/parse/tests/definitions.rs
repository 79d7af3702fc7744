//! CREATE and DROP, and what a cell table or a database cannot be.

use crate::command::{Command, Ddl};
use crate::error::SqlError;
use crate::testing::{Session, bound};

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

#[test]
fn cell_tables_are_created_in_both_forms() {
    let columns = |text: &str| match bound(text) {
        Ok(Command::Ddl(Ddl::CreateTable { name, columns, .. })) => {
            assert_eq!((name.database.as_str(), name.table.as_str()), ("shop", "new"), "{text}");
            columns.into_iter().map(|c| (c.name, c.missing)).collect::<Vec<_>>()
        }
        other => panic!("{text}: {other:?}"),
    };
    for text in [
        "CREATE TABLE new ENGINE=CELLS",
        "CREATE TABLE IF NOT EXISTS `shop`.`new` engine = cells DEFAULT CHARSET=utf8mb4 COMMENT 'x'",
        "CREATE TABLE new (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL, \
         ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
         PRIMARY KEY (added_id), UNIQUE KEY uk (row_key, column_key, ref_key), KEY ix (created_at)) ENGINE=InnoDB \
         DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "CREATE TABLE new (row_key CHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'k', column_key VARBINARY(64), \
         ref_key BIGINT, body LONGTEXT CHECK (json_valid(`body`)), PRIMARY KEY (row_key, column_key, ref_key))",
    ] {
        assert_eq!(columns(text), [], "{text}");
    }
    assert_eq!(
        columns(
            "CREATE TABLE new (BASE JSON, STATUS JSON NOT NULL DEFAULT ('\"new\"'), `A b` json DEFAULT (JSON_OBJECT('x', 1))) ENGINE=CELLS"
        ),
        [
            ("BASE".to_owned(), None),
            ("STATUS".to_owned(), Some("\"new\"".to_owned())),
            ("A b".to_owned(), Some("{\"x\": 1}".to_owned()))
        ]
    );
    let long = |row: &str, column: &str| {
        format!(
            "CREATE TABLE new (row_key {row}, column_key {column}, ref_key BIGINT, body JSON, UNIQUE (row_key, column_key, ref_key))"
        )
    };
    assert!(matches!(bound(&long("VARCHAR(256)", "VARCHAR(64)")), Err(SqlError::KeyTooLong { bytes: 1020, .. })));
    assert!(matches!(bound(&long("VARBINARY(1021)", "VARCHAR(64)")), Err(SqlError::KeyTooLong { bytes: 1020, .. })));
    assert!(matches!(
        bound(&long("VARCHAR(255)", "VARCHAR(65)")),
        Err(SqlError::KeyTooLong { bytes: 64, instead: "column_key VARCHAR(64)" })
    ));
    for refused in [
        "CREATE TABLE new (id INT PRIMARY KEY, x TEXT)",
        "CREATE TABLE new (BASE JSON)",
        "CREATE TABLE new (BASE INT) ENGINE=CELLS",
        "CREATE TABLE new (row_key VARCHAR(255), column_key VARCHAR(64), ref_key BIGINT, body JSON)",
        &long("TEXT", "VARCHAR(64)"),
        "CREATE TABLE new ENGINE=CELLS AS SELECT 1",
        "CREATE TABLE new ENGINE=CELLS COLLATE utf8mb4_general_ci",
        "CREATE TABLE new ENGINE=MEMORY",
        "CREATE TABLE new (BASE JSON NOT NULL) ENGINE=CELLS",
        "CREATE TABLE new (row_key VARCHAR(255), column_key VARCHAR(64), ref_key BIGINT, body JSON, UNIQUE (row_key, column_key, ref_key), UNIQUE (body))",
        "CREATE TEMPORARY TABLE new ENGINE=CELLS",
    ] {
        assert!(matches!(bound(refused), Err(SqlError::Unsupported { .. })), "{refused}: {:?}", bound(refused));
    }
    assert!(matches!(bound("CREATE TABLE new (A JSON, a JSON) ENGINE=CELLS"), Err(SqlError::DuplicateColumn(_))));
    assert!(bound("CREATE TABLE new (body JSON, A JSON) ENGINE=CELLS").is_err());
    assert!(matches!(bound("CREATE TABLE new (A JSON DEFAULT '{') ENGINE=CELLS"), Err(SqlError::Value { .. })));
}

#[test]
fn other_changes_of_the_catalog_are_understood() {
    for (text, expected) in [
        (
            "CREATE DATABASE IF NOT EXISTS x DEFAULT CHARACTER SET utf8mb4",
            Ddl::CreateDatabase { name: "x".into(), if_not_exists: true, collation: Some("utf8mb4_0900_ai_ci".into()) },
        ),
        ("create schema x", Ddl::CreateDatabase { name: "x".into(), if_not_exists: false, collation: None }),
        ("DROP DATABASE IF EXISTS x", Ddl::DropDatabase { name: "x".into(), if_exists: true }),
    ] {
        assert!(matches!(bound(text), Ok(Command::Ddl(ddl)) if ddl == expected), "{text}");
    }
    assert!(
        matches!(bound("DROP TABLE IF EXISTS a, `x`.`b` CASCADE"), Ok(Command::Ddl(Ddl::DropTable { names, if_exists: true })) if names.len() == 2)
    );
    for refused in
        ["ALTER TABLE trips ADD INDEX (body)", "ALTER TABLE trips DROP COLUMN body", "ALTER TABLE trips ADD X INT"]
    {
        assert!(matches!(bound(refused), Err(SqlError::Unsupported { .. })), "{refused}");
    }
    assert!(matches!(bound("USE `shop`"), Ok(Command::Use(name)) if name == "shop"));
    assert!(matches!(bound("use nowhere"), Err(SqlError::UnknownDatabase(_))));
    let mut env = Session::new();
    env.database = None;
    assert_eq!(crate::testing::bound_with(&env, "SELECT * FROM trips", &[]).err(), Some(SqlError::NoDatabase));
}
