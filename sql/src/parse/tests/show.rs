//! SHOW.

use crate::command::{Absent, Aspect, Command};
use crate::error::SqlError;
use crate::testing::bound;

fn aspect(text: &str) -> (Aspect, Option<String>) {
    match bound(text) {
        Ok(Command::Show(show)) => (show.aspect, show.filter.like().map(str::to_owned)),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn every_show_a_client_sends_is_understood() {
    let shop = || Some("shop".to_owned());
    let trips = || crate::TableName { database: "shop".into(), table: "trips".into() };
    let like = |p: &str| Some(p.to_owned());
    for (text, expected, pattern) in [
        ("show databases", Aspect::Databases, None),
        ("SHOW schemas", Aspect::Databases, None),
        ("SHOW DATABASES LIKE 'shop'", Aspect::Databases, like("shop")),
        ("show tables", Aspect::Tables { database: shop(), full: false }, None),
        (
            "SHOW /*!50002 FULL*/ TABLES FROM `shop` LIKE 'trips'",
            Aspect::Tables { database: shop(), full: true },
            like("trips"),
        ),
        ("SHOW FULL TABLES FROM shop", Aspect::Tables { database: shop(), full: true }, None),
        ("SHOW TABLES IN shop", Aspect::Tables { database: shop(), full: false }, None),
        ("SHOW TABLE STATUS LIKE 'trips'", Aspect::TableStatus { database: shop() }, like("trips")),
        ("SHOW COLUMNS FROM trips", Aspect::Columns { table: trips(), full: false }, None),
        ("SHOW FULL FIELDS FROM `trips`", Aspect::Columns { table: trips(), full: true }, None),
        (
            "SHOW EXTENDED FULL COLUMNS FROM trips FROM shop LIKE 'b%'",
            Aspect::Columns { table: trips(), full: true },
            like("b%"),
        ),
        ("DESCRIBE `shop`.`trips`", Aspect::Columns { table: trips(), full: false }, None),
        ("DESCRIBE `shop`.`trips` '%'", Aspect::Columns { table: trips(), full: false }, like("%")),
        ("DESC trips row_key", Aspect::Columns { table: trips(), full: false }, like("row\\_key")),
        ("EXPLAIN trips", Aspect::Columns { table: trips(), full: false }, None),
        ("SHOW INDEX FROM trips", Aspect::Index { table: trips() }, None),
        ("SHOW KEYS FROM `trips` IN `shop`", Aspect::Index { table: trips() }, None),
        ("show create table `trips`", Aspect::CreateTable { table: trips() }, None),
        (
            "SHOW CREATE DATABASE IF NOT EXISTS `shop`",
            Aspect::CreateDatabase { database: "shop".into(), if_not_exists: true },
            None,
        ),
        (
            "SHOW VARIABLES LIKE 'lower_case_table_names'",
            Aspect::Variables { global: false },
            like("lower_case_table_names"),
        ),
        (
            "show variables like 'auto_increment_increment'",
            Aspect::Variables { global: false },
            like("auto_increment_increment"),
        ),
        ("SHOW GLOBAL VARIABLES", Aspect::Variables { global: true }, None),
        ("SHOW SESSION STATUS LIKE 'cellgate%'", Aspect::Status { global: false }, like("cellgate%")),
        ("SHOW GLOBAL STATUS", Aspect::Status { global: true }, None),
        ("SHOW WARNINGS", Aspect::Warnings, None),
        ("SHOW WARNINGS LIMIT 1, 2", Aspect::Warnings, None),
        ("SHOW ERRORS", Aspect::Errors, None),
        ("SHOW FULL PROCESSLIST", Aspect::Processlist { full: true }, None),
        ("SHOW GRANTS FOR CURRENT_USER()", Aspect::Grants { account: crate::AccountRef::Current }, None),
        ("SHOW ENGINES", Aspect::Engines, None),
        ("SHOW COLLATION WHERE Charset = 'utf8mb4'", Aspect::Collation, None),
        ("SHOW CHARACTER SET", Aspect::CharacterSet, None),
        ("SHOW SHARDS", Aspect::Shards, None),
        ("SHOW CLUSTERS", Aspect::Clusters, None),
        ("SHOW TOPOLOGY", Aspect::Topology, None),
        ("SHOW TRIGGERS FROM shop LIKE 'trips'", Aspect::Absent(Absent::Triggers), like("trips")),
        ("SHOW SLAVE STATUS", Aspect::Absent(Absent::SlaveStatus), None),
        ("SHOW REPLICA STATUS FOR CHANNEL 'x'", Aspect::Absent(Absent::ReplicaStatus), None),
        ("SHOW PRIVILEGES", Aspect::Privileges, None),
    ] {
        assert_eq!(aspect(text), (expected, pattern), "{text}");
    }
    assert!(matches!(bound("SHOW BINARY LOGS"), Err(SqlError::Unsupported { .. })));
    for text in ["SHOW TABLES FROM nowhere", "SHOW TRIGGERS FROM nowhere"] {
        assert!(matches!(bound(text), Err(SqlError::UnknownDatabase(_))), "{text}");
    }
    assert!(matches!(bound("SHOW NONSENSE"), Err(SqlError::Syntax { .. })));
}
