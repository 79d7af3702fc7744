//! The relations that have rows: columns with the names, order and types of MySQL 8.0.

use cellgate_sql::relational::{Relation, RelationColumn as C};

/// The relations.
#[rustfmt::skip]
pub(super) static ALL: &[Relation] = &[
    Relation { database: "information_schema", name: "SCHEMATA", own_spelling: true, columns: &[
        C::name("CATALOG_NAME"), C::name("SCHEMA_NAME"), C::text("DEFAULT_CHARACTER_SET_NAME", 64).required(),
        C::text("DEFAULT_COLLATION_NAME", 64).required(), C::nothing("SQL_PATH"),
        C::text("DEFAULT_ENCRYPTION", 3).required(),
    ] },
    Relation { database: "information_schema", name: "TABLES", own_spelling: true, columns: &[
        C::name("TABLE_CATALOG"), C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"),
        C::text("TABLE_TYPE", 11).required(), C::text("ENGINE", 64), C::int("VERSION"), C::text("ROW_FORMAT", 10),
        C::unsigned("TABLE_ROWS"), C::unsigned("AVG_ROW_LENGTH"), C::unsigned("DATA_LENGTH"),
        C::unsigned("MAX_DATA_LENGTH"), C::unsigned("INDEX_LENGTH"), C::unsigned("DATA_FREE"),
        C::unsigned("AUTO_INCREMENT"), C::time("CREATE_TIME"), C::time("UPDATE_TIME"), C::time("CHECK_TIME"),
        C::text("TABLE_COLLATION", 64), C::int("CHECKSUM"), C::text("CREATE_OPTIONS", 256),
        C::long_text("TABLE_COMMENT"),
    ] },
    Relation { database: "information_schema", name: "COLUMNS", own_spelling: true, columns: &[
        C::name("TABLE_CATALOG"), C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"), C::text("COLUMN_NAME", 64),
        C::unsigned("ORDINAL_POSITION").required(), C::long_text("COLUMN_DEFAULT"),
        C::text("IS_NULLABLE", 3).required(), C::long_text("DATA_TYPE"), C::int("CHARACTER_MAXIMUM_LENGTH"),
        C::int("CHARACTER_OCTET_LENGTH"), C::unsigned("NUMERIC_PRECISION"), C::unsigned("NUMERIC_SCALE"),
        C::unsigned("DATETIME_PRECISION"), C::text("CHARACTER_SET_NAME", 64), C::text("COLLATION_NAME", 64),
        C::long_text("COLUMN_TYPE").required(), C::text("COLUMN_KEY", 3).required(), C::text("EXTRA", 256),
        C::text("PRIVILEGES", 154), C::long_text("COLUMN_COMMENT").required(),
        C::long_text("GENERATION_EXPRESSION").required(), C::unsigned("SRS_ID"),
    ] },
    Relation { database: "information_schema", name: "STATISTICS", own_spelling: true, columns: &[
        C::name("TABLE_CATALOG"), C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"), C::int("NON_UNIQUE").required(),
        C::name("INDEX_SCHEMA"), C::text("INDEX_NAME", 64), C::unsigned("SEQ_IN_INDEX").required(),
        C::text("COLUMN_NAME", 64), C::text("COLLATION", 1), C::int("CARDINALITY"), C::int("SUB_PART"),
        C::nothing("PACKED"), C::text("NULLABLE", 3).required(), C::text("INDEX_TYPE", 11).required(),
        C::text("COMMENT", 8).required(), C::text("INDEX_COMMENT", 2048).required(),
        C::text("IS_VISIBLE", 3).required(), C::long_text("EXPRESSION"),
    ] },
    Relation { database: "information_schema", name: "KEY_COLUMN_USAGE", own_spelling: true, columns: &[
        C::name("CONSTRAINT_CATALOG"), C::name("CONSTRAINT_SCHEMA"), C::text("CONSTRAINT_NAME", 64),
        C::name("TABLE_CATALOG"), C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"), C::text("COLUMN_NAME", 64),
        C::unsigned("ORDINAL_POSITION").required(), C::unsigned("POSITION_IN_UNIQUE_CONSTRAINT"),
        C::name("REFERENCED_TABLE_SCHEMA"), C::name("REFERENCED_TABLE_NAME"), C::text("REFERENCED_COLUMN_NAME", 64),
    ] },
    Relation { database: "information_schema", name: "TABLE_CONSTRAINTS", own_spelling: true, columns: &[
        C::name("CONSTRAINT_CATALOG"), C::name("CONSTRAINT_SCHEMA"), C::text("CONSTRAINT_NAME", 64),
        C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"), C::text("CONSTRAINT_TYPE", 11).required(),
        C::text("ENFORCED", 3).required(),
    ] },
    Relation { database: "information_schema", name: "PARTITIONS", own_spelling: true, columns: &[
        C::name("TABLE_CATALOG"), C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"), C::text("PARTITION_NAME", 64),
        C::text("SUBPARTITION_NAME", 64), C::unsigned("PARTITION_ORDINAL_POSITION"),
        C::unsigned("SUBPARTITION_ORDINAL_POSITION"), C::text("PARTITION_METHOD", 13),
        C::text("SUBPARTITION_METHOD", 13), C::text("PARTITION_EXPRESSION", 2048),
        C::text("SUBPARTITION_EXPRESSION", 2048), C::long_text("PARTITION_DESCRIPTION"), C::unsigned("TABLE_ROWS"),
        C::unsigned("AVG_ROW_LENGTH"), C::unsigned("DATA_LENGTH"), C::unsigned("MAX_DATA_LENGTH"),
        C::unsigned("INDEX_LENGTH"), C::unsigned("DATA_FREE"), C::time("CREATE_TIME"), C::time("UPDATE_TIME"),
        C::time("CHECK_TIME"), C::int("CHECKSUM"), C::long_text("PARTITION_COMMENT").required(),
        C::text("NODEGROUP", 256), C::text("TABLESPACE_NAME", 268),
    ] },
    Relation { database: "information_schema", name: "CHARACTER_SETS", own_spelling: true, columns: &[
        C::text("CHARACTER_SET_NAME", 64).required(), C::text("DEFAULT_COLLATE_NAME", 64).required(),
        C::text("DESCRIPTION", 2048).required(), C::unsigned("MAXLEN").required(),
    ] },
    Relation { database: "information_schema", name: "COLLATIONS", own_spelling: false, columns: &[
        C::text("COLLATION_NAME", 64).required(), C::text("CHARACTER_SET_NAME", 64).required(),
        C::unsigned("ID").required(), C::text("IS_DEFAULT", 3).required(), C::text("IS_COMPILED", 3).required(),
        C::unsigned("SORTLEN").required(), C::text("PAD_ATTRIBUTE", 9).required(),
    ] },
    Relation { database: "information_schema", name: "COLLATION_CHARACTER_SET_APPLICABILITY", own_spelling: true, columns: &[
        C::text("COLLATION_NAME", 64).required(), C::text("CHARACTER_SET_NAME", 64).required(),
    ] },
    Relation { database: "information_schema", name: "ENGINES", own_spelling: false, columns: &[
        C::text("ENGINE", 64).required(), C::text("SUPPORT", 8).required(), C::text("COMMENT", 80).required(),
        C::text("TRANSACTIONS", 3), C::text("XA", 3), C::text("SAVEPOINTS", 3),
    ] },
    Relation { database: "information_schema", name: "KEYWORDS", own_spelling: true, columns: &[
        C::text("WORD", 128), C::int("RESERVED"),
    ] },
    Relation { database: "information_schema", name: "PROCESSLIST", own_spelling: false, columns: &[
        C::unsigned("ID").required(), C::text("USER", 32).required(), C::text("HOST", 261).required(),
        C::text("DB", 64), C::text("COMMAND", 16).required(), C::int("TIME").required(), C::text("STATE", 64),
        C::text("INFO", 65535),
    ] },
    Relation { database: "information_schema", name: "USER_PRIVILEGES", own_spelling: false, columns: &[
        C::text("GRANTEE", 292).required(), C::text("TABLE_CATALOG", 512).required(),
        C::text("PRIVILEGE_TYPE", 64).required(), C::text("IS_GRANTABLE", 3).required(),
    ] },
    Relation { database: "information_schema", name: "SCHEMA_PRIVILEGES", own_spelling: false, columns: &[
        C::text("GRANTEE", 292).required(), C::text("TABLE_CATALOG", 512).required(),
        C::name("TABLE_SCHEMA").required(), C::text("PRIVILEGE_TYPE", 64).required(),
        C::text("IS_GRANTABLE", 3).required(),
    ] },
    Relation { database: "information_schema", name: "TABLE_PRIVILEGES", own_spelling: false, columns: &[
        C::text("GRANTEE", 292).required(), C::text("TABLE_CATALOG", 512).required(),
        C::name("TABLE_SCHEMA").required(), C::name("TABLE_NAME").required(),
        C::text("PRIVILEGE_TYPE", 64).required(), C::text("IS_GRANTABLE", 3).required(),
    ] },
    Relation { database: "performance_schema", name: "global_status", own_spelling: false, columns: &[
        C::text("VARIABLE_NAME", 64).required(), C::text("VARIABLE_VALUE", 1024),
    ] },
    Relation { database: "performance_schema", name: "session_status", own_spelling: false, columns: &[
        C::text("VARIABLE_NAME", 64).required(), C::text("VARIABLE_VALUE", 1024),
    ] },
    Relation { database: "performance_schema", name: "global_variables", own_spelling: false, columns: &[
        C::text("VARIABLE_NAME", 64).required(), C::text("VARIABLE_VALUE", 1024),
    ] },
    Relation { database: "performance_schema", name: "session_variables", own_spelling: false, columns: &[
        C::text("VARIABLE_NAME", 64).required(), C::text("VARIABLE_VALUE", 1024),
    ] },
    Relation { database: "performance_schema", name: "processlist", own_spelling: false, columns: &[
        C::unsigned("ID").required(), C::text("USER", 32).required(), C::text("HOST", 261).required(),
        C::text("DB", 64), C::text("COMMAND", 16).required(), C::int("TIME").required(), C::text("STATE", 64),
        C::text("INFO", 65535),
    ] },
    Relation { database: "mysql", name: "user", own_spelling: false, columns: &[
        C::text("Host", 255).required(), C::text("User", 32).required(), C::text("Select_priv", 1).required(),
        C::text("Insert_priv", 1).required(), C::text("Update_priv", 1).required(), C::text("Delete_priv", 1).required(),
        C::text("Create_priv", 1).required(), C::text("Drop_priv", 1).required(), C::text("Grant_priv", 1).required(),
        C::text("Index_priv", 1).required(), C::text("Alter_priv", 1).required(), C::text("Super_priv", 1).required(),
        C::text("Create_user_priv", 1).required(), C::text("ssl_type", 9).required(),
        C::unsigned("max_user_connections").required(), C::text("plugin", 64).required(),
        C::long_text("authentication_string"), C::text("password_expired", 1).required(),
        C::text("account_locked", 1).required(),
    ] },
];
