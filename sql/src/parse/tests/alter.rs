//! ALTER TABLE and its kin.

use super::table;
use crate::command::{Command, Ddl, RowColumnSpec, TableChange, TableName};
use crate::error::SqlError;
use crate::testing::{self, bound, bound_with};

fn column(name: &str, missing: Option<&str>) -> RowColumnSpec {
    RowColumnSpec { name: name.into(), missing: missing.map(str::to_owned), comment: String::new() }
}

#[test]
fn alter_table_says_what_changes_in_order() {
    let changes = |text: &str| match bound(text) {
        Ok(Command::Ddl(Ddl::AlterTable { name, changes, rename })) => {
            assert_eq!(name, table("trips"), "{text}");
            (changes, rename)
        }
        other => panic!("{text}: {other:?}"),
    };
    let (all, _) = changes(
        "ALTER TABLE trips ADD COLUMN X JSON NULL, ADD (Y JSON DEFAULT ('1'), Z JSON), DROP COLUMN STATUS, \
         RENAME COLUMN BASE TO Main, CHANGE a b JSON DEFAULT '2', MODIFY c JSON, ALTER d SET DEFAULT ('3'), \
         ALTER COLUMN e DROP DEFAULT, COMMENT = 'it''s', ALGORITHM=INPLACE, LOCK=NONE, ENGINE=CELLS",
    );
    let (from, name) = (|name: &str| name.to_owned(), |name: &str| name.to_owned());
    assert_eq!(
        all,
        [
            TableChange::Add(column("X", None)),
            TableChange::Add(column("Y", Some("1"))),
            TableChange::Add(column("Z", None)),
            TableChange::Drop(name("STATUS")),
            TableChange::Rename { from: from("BASE"), to: name("Main") },
            TableChange::Redefine { from: from("a"), column: column("b", Some("2")) },
            TableChange::Redefine { from: from("c"), column: column("c", None) },
            TableChange::SetDefault { column: name("d"), missing: Some("3".into()) },
            TableChange::SetDefault { column: name("e"), missing: None },
            TableChange::Comment("it's".into()),
        ]
    );
    for nothing in [
        "/*!40000 ALTER TABLE `trips` DISABLE KEYS */",
        "ALTER TABLE trips ENABLE KEYS",
        "ALTER TABLE trips CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "ALTER TABLE trips ENGINE=InnoDB, AUTO_INCREMENT=7",
        "ALTER TABLE trips FORCE",
    ] {
        assert_eq!(changes(nothing), (vec![], None), "{nothing}");
    }
    assert_eq!(changes("ALTER TABLE trips RENAME y"), (vec![], Some(table("y"))));
    let elsewhere = TableName { database: "other".into(), table: "y".into() };
    assert_eq!(changes("ALTER TABLE trips RENAME TO other.y"), (vec![], Some(elsewhere)));
    for refused in [
        "ALTER TABLE trips ADD UNIQUE KEY (body)",
        "ALTER TABLE trips ADD PRIMARY KEY (body)",
        "ALTER TABLE trips ADD CONSTRAINT c CHECK (1)",
        "ALTER TABLE trips ADD COLUMN IF NOT EXISTS x JSON",
        "ALTER TABLE trips DROP COLUMN IF EXISTS x",
        "ALTER TABLE trips DROP INDEX i",
        "ALTER TABLE trips RENAME INDEX a TO b",
        "ALTER TABLE trips ADD X JSON FIRST",
        "ALTER TABLE trips MODIFY body JSON",
        "ALTER TABLE trips RENAME COLUMN row_key TO k",
        "ALTER TABLE trips ORDER BY row_key",
        "ALTER TABLE trips COLLATE utf8mb4_general_ci",
    ] {
        assert!(matches!(bound(refused), Err(SqlError::Unsupported { .. })), "{refused}");
    }
}

#[test]
fn tables_are_renamed_emptied_and_made_like_others() {
    let ddl = |text: &str| match bound(text) {
        Ok(Command::Ddl(ddl)) => ddl,
        other => panic!("{text}: {other:?}"),
    };
    let pairs = vec![(table("a"), table("b")), (TableName { database: "x".into(), table: "c".into() }, table("d"))];
    assert_eq!(ddl("RENAME TABLE a TO b, x.c TO d"), Ddl::RenameTables(pairs));
    for text in ["TRUNCATE trips", "TRUNCATE TABLE `shop`.`trips`"] {
        assert_eq!(ddl(text), Ddl::Truncate(table("trips")), "{text}");
    }
    for text in ["CREATE TABLE a LIKE b", "CREATE TABLE a (LIKE b)"] {
        let like = Ddl::CreateTableLike { name: table("a"), if_not_exists: false, like: table("b") };
        assert_eq!(ddl(text), like, "{text}");
    }
    match ddl("CREATE TABLE t ENGINE=CELLS, CHARSET=utf8mb4, ROW_FORMAT=DYNAMIC STATS_PERSISTENT=0 COMMENT='why'") {
        Ddl::CreateTable { comment, .. } => assert_eq!(comment, "why"),
        other => panic!("{other:?}"),
    }
    let collation = Some("utf8mb4_unicode_ci".to_owned());
    assert_eq!(
        ddl("ALTER DATABASE DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_unicode_ci"),
        Ddl::AlterDatabase { name: "shop".into(), collation: collation.clone() }
    );
    assert_eq!(ddl("ALTER SCHEMA x COLLATE utf8mb4_unicode_ci"), Ddl::AlterDatabase { name: "x".into(), collation });
    assert!(matches!(bound("CREATE DATABASE x CHARACTER SET latin1"), Err(SqlError::Unsupported { .. })));
    let env = testing::Session::new();
    assert!(bound_with(&env, "RENAME TABLE a", &[]).is_err());
}
