//! The relations of what there is none of here: no views, routines, triggers, events, foreign keys, InnoDB.

use cellgate_sql::relational::{Relation, RelationColumn as C};

/// The relations.
#[rustfmt::skip]
pub(super) static ALL: &[Relation] = &[
    Relation { database: "information_schema", name: "REFERENTIAL_CONSTRAINTS", own_spelling: true, columns: &[
        C::name("CONSTRAINT_CATALOG"), C::name("CONSTRAINT_SCHEMA"), C::text("CONSTRAINT_NAME", 64),
        C::name("UNIQUE_CONSTRAINT_CATALOG"), C::name("UNIQUE_CONSTRAINT_SCHEMA"),
        C::text("UNIQUE_CONSTRAINT_NAME", 64), C::text("MATCH_OPTION", 7).required(),
        C::text("UPDATE_RULE", 11).required(), C::text("DELETE_RULE", 11).required(),
        C::name("TABLE_NAME").required(), C::name("REFERENCED_TABLE_NAME").required(),
    ] },
    Relation { database: "information_schema", name: "CHECK_CONSTRAINTS", own_spelling: true, columns: &[
        C::name("CONSTRAINT_CATALOG"), C::name("CONSTRAINT_SCHEMA"), C::text("CONSTRAINT_NAME", 64).required(),
        C::long_text("CHECK_CLAUSE").required(),
    ] },
    Relation { database: "information_schema", name: "VIEWS", own_spelling: true, columns: &[
        C::name("TABLE_CATALOG"), C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"), C::long_text("VIEW_DEFINITION"),
        C::text("CHECK_OPTION", 8), C::text("IS_UPDATABLE", 3), C::text("DEFINER", 288), C::text("SECURITY_TYPE", 7),
        C::text("CHARACTER_SET_CLIENT", 64).required(), C::text("COLLATION_CONNECTION", 64).required(),
    ] },
    Relation { database: "information_schema", name: "VIEW_TABLE_USAGE", own_spelling: true, columns: &[
        C::name("VIEW_CATALOG"), C::name("VIEW_SCHEMA"), C::name("VIEW_NAME"), C::name("TABLE_CATALOG"),
        C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"),
    ] },
    Relation { database: "information_schema", name: "VIEW_ROUTINE_USAGE", own_spelling: true, columns: &[
        C::name("TABLE_CATALOG"), C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"), C::name("SPECIFIC_CATALOG"),
        C::name("SPECIFIC_SCHEMA"), C::text("SPECIFIC_NAME", 64).required(),
    ] },
    Relation { database: "information_schema", name: "ROUTINES", own_spelling: true, columns: &[
        C::text("SPECIFIC_NAME", 64).required(), C::name("ROUTINE_CATALOG"), C::name("ROUTINE_SCHEMA"),
        C::text("ROUTINE_NAME", 64).required(), C::text("ROUTINE_TYPE", 9).required(), C::long_text("DATA_TYPE"),
        C::int("CHARACTER_MAXIMUM_LENGTH"), C::int("CHARACTER_OCTET_LENGTH"), C::unsigned("NUMERIC_PRECISION"),
        C::unsigned("NUMERIC_SCALE"), C::unsigned("DATETIME_PRECISION"), C::text("CHARACTER_SET_NAME", 64),
        C::text("COLLATION_NAME", 64), C::long_text("DTD_IDENTIFIER"), C::text("ROUTINE_BODY", 3).required(),
        C::long_text("ROUTINE_DEFINITION"), C::nothing("EXTERNAL_NAME"), C::text("EXTERNAL_LANGUAGE", 64).required(),
        C::text("PARAMETER_STYLE", 3).required(), C::text("IS_DETERMINISTIC", 3).required(),
        C::text("SQL_DATA_ACCESS", 17).required(), C::nothing("SQL_PATH"), C::text("SECURITY_TYPE", 7).required(),
        C::time("CREATED").required(), C::time("LAST_ALTERED").required(), C::text("SQL_MODE", 520).required(),
        C::long_text("ROUTINE_COMMENT").required(), C::text("DEFINER", 288).required(),
        C::text("CHARACTER_SET_CLIENT", 64).required(), C::text("COLLATION_CONNECTION", 64).required(),
        C::text("DATABASE_COLLATION", 64).required(),
    ] },
    Relation { database: "information_schema", name: "PARAMETERS", own_spelling: true, columns: &[
        C::name("SPECIFIC_CATALOG"), C::name("SPECIFIC_SCHEMA"), C::text("SPECIFIC_NAME", 64).required(),
        C::unsigned("ORDINAL_POSITION").required(), C::text("PARAMETER_MODE", 5), C::text("PARAMETER_NAME", 64),
        C::long_text("DATA_TYPE"), C::int("CHARACTER_MAXIMUM_LENGTH"), C::int("CHARACTER_OCTET_LENGTH"),
        C::unsigned("NUMERIC_PRECISION"), C::int("NUMERIC_SCALE"), C::unsigned("DATETIME_PRECISION"),
        C::text("CHARACTER_SET_NAME", 64), C::text("COLLATION_NAME", 64), C::long_text("DTD_IDENTIFIER").required(),
        C::text("ROUTINE_TYPE", 9).required(),
    ] },
    Relation { database: "information_schema", name: "TRIGGERS", own_spelling: true, columns: &[
        C::name("TRIGGER_CATALOG"), C::name("TRIGGER_SCHEMA"), C::text("TRIGGER_NAME", 64).required(),
        C::text("EVENT_MANIPULATION", 6).required(), C::name("EVENT_OBJECT_CATALOG"), C::name("EVENT_OBJECT_SCHEMA"),
        C::name("EVENT_OBJECT_TABLE"), C::unsigned("ACTION_ORDER").required(), C::nothing("ACTION_CONDITION"),
        C::long_text("ACTION_STATEMENT").required(), C::text("ACTION_ORIENTATION", 3).required(),
        C::text("ACTION_TIMING", 6).required(), C::nothing("ACTION_REFERENCE_OLD_TABLE"),
        C::nothing("ACTION_REFERENCE_NEW_TABLE"), C::text("ACTION_REFERENCE_OLD_ROW", 3).required(),
        C::text("ACTION_REFERENCE_NEW_ROW", 3).required(), C::time("CREATED").required(),
        C::text("SQL_MODE", 520).required(), C::text("DEFINER", 288).required(),
        C::text("CHARACTER_SET_CLIENT", 64).required(), C::text("COLLATION_CONNECTION", 64).required(),
        C::text("DATABASE_COLLATION", 64).required(),
    ] },
    Relation { database: "information_schema", name: "EVENTS", own_spelling: true, columns: &[
        C::name("EVENT_CATALOG"), C::name("EVENT_SCHEMA"), C::text("EVENT_NAME", 64).required(),
        C::text("DEFINER", 288).required(), C::text("TIME_ZONE", 64).required(), C::text("EVENT_BODY", 3).required(),
        C::long_text("EVENT_DEFINITION").required(), C::text("EVENT_TYPE", 9).required(), C::time("EXECUTE_AT"),
        C::text("INTERVAL_VALUE", 256), C::text("INTERVAL_FIELD", 18), C::text("SQL_MODE", 520).required(),
        C::time("STARTS"), C::time("ENDS"), C::text("STATUS", 21).required(), C::text("ON_COMPLETION", 12).required(),
        C::time("CREATED").required(), C::time("LAST_ALTERED").required(), C::time("LAST_EXECUTED"),
        C::text("EVENT_COMMENT", 2048).required(), C::unsigned("ORIGINATOR").required(),
        C::text("CHARACTER_SET_CLIENT", 64).required(), C::text("COLLATION_CONNECTION", 64).required(),
        C::text("DATABASE_COLLATION", 64).required(),
    ] },
    Relation { database: "information_schema", name: "FILES", own_spelling: true, columns: &[
        C::int("FILE_ID"), C::long_text("FILE_NAME"), C::text("FILE_TYPE", 256),
        C::text("TABLESPACE_NAME", 268).required(), C::text("TABLE_CATALOG", 1).required(),
        C::nothing("TABLE_SCHEMA"), C::nothing("TABLE_NAME"), C::text("LOGFILE_GROUP_NAME", 256),
        C::int("LOGFILE_GROUP_NUMBER"), C::text("ENGINE", 64).required(), C::nothing("FULLTEXT_KEYS"),
        C::nothing("DELETED_ROWS"), C::nothing("UPDATE_COUNT"), C::int("FREE_EXTENTS"), C::int("TOTAL_EXTENTS"),
        C::int("EXTENT_SIZE"), C::int("INITIAL_SIZE"), C::int("MAXIMUM_SIZE"), C::int("AUTOEXTEND_SIZE"),
        C::nothing("CREATION_TIME"), C::nothing("LAST_UPDATE_TIME"), C::nothing("LAST_ACCESS_TIME"),
        C::nothing("RECOVER_TIME"), C::nothing("TRANSACTION_COUNTER"), C::int("VERSION"), C::text("ROW_FORMAT", 256),
        C::nothing("TABLE_ROWS"), C::nothing("AVG_ROW_LENGTH"), C::nothing("DATA_LENGTH"),
        C::nothing("MAX_DATA_LENGTH"), C::nothing("INDEX_LENGTH"), C::int("DATA_FREE"), C::nothing("CREATE_TIME"),
        C::nothing("UPDATE_TIME"), C::nothing("CHECK_TIME"), C::nothing("CHECKSUM"), C::text("STATUS", 256),
        C::text("EXTRA", 256),
    ] },
    Relation { database: "information_schema", name: "COLUMN_PRIVILEGES", own_spelling: false, columns: &[
        C::text("GRANTEE", 292).required(), C::text("TABLE_CATALOG", 512).required(),
        C::name("TABLE_SCHEMA").required(), C::name("TABLE_NAME").required(), C::text("COLUMN_NAME", 64).required(),
        C::text("PRIVILEGE_TYPE", 64).required(), C::text("IS_GRANTABLE", 3).required(),
    ] },
    Relation { database: "information_schema", name: "PLUGINS", own_spelling: false, columns: &[
        C::text("PLUGIN_NAME", 64).required(), C::text("PLUGIN_VERSION", 20).required(),
        C::text("PLUGIN_STATUS", 10).required(), C::text("PLUGIN_TYPE", 80).required(),
        C::text("PLUGIN_TYPE_VERSION", 20).required(), C::text("PLUGIN_LIBRARY", 64),
        C::text("PLUGIN_LIBRARY_VERSION", 20), C::text("PLUGIN_AUTHOR", 64), C::long_text("PLUGIN_DESCRIPTION"),
        C::text("PLUGIN_LICENSE", 80), C::text("LOAD_OPTION", 64).required(),
    ] },
    Relation { database: "information_schema", name: "INNODB_CMP", own_spelling: false, columns: &[
        C::int("PAGE_SIZE").required(), C::int("COMPRESS_OPS").required(), C::int("COMPRESS_OPS_OK").required(),
        C::int("COMPRESS_TIME").required(), C::int("UNCOMPRESS_OPS").required(), C::int("UNCOMPRESS_TIME").required(),
    ] },
    Relation { database: "information_schema", name: "INNODB_CMP_RESET", own_spelling: false, columns: &[
        C::int("PAGE_SIZE").required(), C::int("COMPRESS_OPS").required(), C::int("COMPRESS_OPS_OK").required(),
        C::int("COMPRESS_TIME").required(), C::int("UNCOMPRESS_OPS").required(), C::int("UNCOMPRESS_TIME").required(),
    ] },
    Relation { database: "information_schema", name: "INNODB_CMPMEM", own_spelling: false, columns: &[
        C::int("PAGE_SIZE").required(), C::int("BUFFER_POOL_INSTANCE").required(), C::int("PAGES_USED").required(),
        C::int("PAGES_FREE").required(), C::int("RELOCATION_OPS").required(), C::int("RELOCATION_TIME").required(),
    ] },
    Relation { database: "information_schema", name: "INNODB_CMPMEM_RESET", own_spelling: false, columns: &[
        C::int("PAGE_SIZE").required(), C::int("BUFFER_POOL_INSTANCE").required(), C::int("PAGES_USED").required(),
        C::int("PAGES_FREE").required(), C::int("RELOCATION_OPS").required(), C::int("RELOCATION_TIME").required(),
    ] },
    Relation { database: "information_schema", name: "INNODB_METRICS", own_spelling: false, columns: &[
        C::text("NAME", 193).required(), C::text("SUBSYSTEM", 193).required(), C::int("COUNT").required(),
        C::int("MAX_COUNT"), C::int("MIN_COUNT"), C::int("AVG_COUNT"), C::int("COUNT_RESET").required(),
        C::int("MAX_COUNT_RESET"), C::int("MIN_COUNT_RESET"), C::int("AVG_COUNT_RESET"), C::time("TIME_ENABLED"),
        C::time("TIME_DISABLED"), C::int("TIME_ELAPSED"), C::time("TIME_RESET"), C::text("STATUS", 193).required(),
        C::text("TYPE", 193).required(), C::text("COMMENT", 193).required(),
    ] },
    Relation { database: "information_schema", name: "INNODB_TRX", own_spelling: false, columns: &[
        C::unsigned("trx_id").required(), C::text("trx_state", 13).required(), C::time("trx_started").required(),
        C::text("trx_requested_lock_id", 105), C::time("trx_wait_started"), C::unsigned("trx_weight").required(),
        C::unsigned("trx_mysql_thread_id").required(), C::text("trx_query", 1024), C::text("trx_operation_state", 64),
        C::unsigned("trx_tables_in_use").required(), C::unsigned("trx_tables_locked").required(),
        C::unsigned("trx_lock_structs").required(), C::unsigned("trx_lock_memory_bytes").required(),
        C::unsigned("trx_rows_locked").required(), C::unsigned("trx_rows_modified").required(),
        C::unsigned("trx_concurrency_tickets").required(), C::text("trx_isolation_level", 16).required(),
        C::int("trx_unique_checks").required(), C::int("trx_foreign_key_checks").required(),
        C::text("trx_last_foreign_key_error", 256), C::int("trx_adaptive_hash_latched").required(),
        C::unsigned("trx_adaptive_hash_timeout").required(), C::int("trx_is_read_only").required(),
        C::int("trx_autocommit_non_locking").required(), C::unsigned("trx_schedule_weight"),
    ] },
    Relation { database: "information_schema", name: "INNODB_TABLESPACES", own_spelling: false, columns: &[
        C::unsigned("SPACE").required(), C::text("NAME", 655).required(), C::unsigned("FLAG").required(),
        C::text("ROW_FORMAT", 22), C::unsigned("PAGE_SIZE").required(), C::unsigned("ZIP_PAGE_SIZE").required(),
        C::text("SPACE_TYPE", 10), C::unsigned("FS_BLOCK_SIZE").required(), C::unsigned("FILE_SIZE").required(),
        C::unsigned("ALLOCATED_SIZE").required(), C::unsigned("AUTOEXTEND_SIZE").required(),
        C::text("SERVER_VERSION", 10), C::unsigned("SPACE_VERSION").required(), C::text("ENCRYPTION", 1),
        C::text("STATE", 10),
    ] },
    Relation { database: "information_schema", name: "APPLICABLE_ROLES", own_spelling: false, columns: &[
        C::text("USER", 97), C::text("HOST", 256), C::text("GRANTEE", 97), C::text("GRANTEE_HOST", 256),
        C::text("ROLE_NAME", 255), C::text("ROLE_HOST", 255), C::text("IS_GRANTABLE", 3).required(),
        C::text("IS_DEFAULT", 3), C::text("IS_MANDATORY", 3).required(),
    ] },
    Relation { database: "information_schema", name: "ENABLED_ROLES", own_spelling: false, columns: &[
        C::text("ROLE_NAME", 255), C::text("ROLE_HOST", 255), C::text("IS_DEFAULT", 3),
        C::text("IS_MANDATORY", 3).required(),
    ] },
    Relation { database: "information_schema", name: "ST_GEOMETRY_COLUMNS", own_spelling: true, columns: &[
        C::name("TABLE_CATALOG"), C::name("TABLE_SCHEMA"), C::name("TABLE_NAME"), C::text("COLUMN_NAME", 64),
        C::text("SRS_NAME", 80), C::unsigned("SRS_ID"), C::long_text("GEOMETRY_TYPE_NAME"),
    ] },
    Relation { database: "information_schema", name: "COLUMN_STATISTICS", own_spelling: true, columns: &[
        C::name("SCHEMA_NAME").required(), C::name("TABLE_NAME").required(), C::text("COLUMN_NAME", 64).required(),
        C::long_text("HISTOGRAM").required(),
    ] },
    Relation { database: "information_schema", name: "PROFILING", own_spelling: false, columns: &[
        C::int("QUERY_ID").required(), C::int("SEQ").required(), C::text("STATE", 30).required(),
        C::text("DURATION", 11).required(), C::text("CPU_USER", 11), C::text("CPU_SYSTEM", 11),
        C::int("CONTEXT_VOLUNTARY"), C::int("CONTEXT_INVOLUNTARY"), C::int("BLOCK_OPS_IN"), C::int("BLOCK_OPS_OUT"),
        C::int("MESSAGES_SENT"), C::int("MESSAGES_RECEIVED"), C::int("PAGE_FAULTS_MAJOR"), C::int("PAGE_FAULTS_MINOR"),
        C::int("SWAPS"), C::text("SOURCE_FUNCTION", 30), C::text("SOURCE_FILE", 20), C::int("SOURCE_LINE"),
    ] },
    Relation { database: "information_schema", name: "RESOURCE_GROUPS", own_spelling: true, columns: &[
        C::text("RESOURCE_GROUP_NAME", 64).required(), C::text("RESOURCE_GROUP_TYPE", 6).required(),
        C::int("RESOURCE_GROUP_ENABLED").required(), C::long_text("VCPU_IDS"), C::int("THREAD_PRIORITY").required(),
    ] },
    Relation { database: "information_schema", name: "INNODB_TABLES", own_spelling: false, columns: &[
        C::unsigned("TABLE_ID").required(), C::text("NAME", 655).required(), C::int("FLAG").required(),
        C::int("N_COLS").required(), C::int("SPACE").required(), C::text("ROW_FORMAT", 12),
        C::unsigned("ZIP_PAGE_SIZE").required(), C::text("SPACE_TYPE", 10), C::int("INSTANT_COLS").required(),
        C::int("TOTAL_ROW_VERSIONS").required(),
    ] },
    Relation { database: "mysql", name: "role_edges", own_spelling: false, columns: &[
        C::text("FROM_HOST", 255).required(), C::text("FROM_USER", 32).required(), C::text("TO_HOST", 255).required(),
        C::text("TO_USER", 32).required(), C::text("WITH_ADMIN_OPTION", 1).required(),
    ] },
    Relation { database: "mysql", name: "default_roles", own_spelling: false, columns: &[
        C::text("HOST", 255).required(), C::text("USER", 32).required(), C::text("DEFAULT_ROLE_HOST", 255).required(),
        C::text("DEFAULT_ROLE_USER", 32).required(),
    ] },
    Relation { database: "mysql", name: "func", own_spelling: false, columns: &[
        C::text("name", 64).required(), C::int("ret").required(), C::text("dl", 128).required(),
        C::text("type", 9).required(),
    ] },
    Relation { database: "mysql", name: "plugin", own_spelling: false, columns: &[
        C::text("name", 64).required(), C::text("dl", 128).required(),
    ] },
    Relation { database: "mysql", name: "servers", own_spelling: false, columns: &[
        C::text("Server_name", 64).required(), C::text("Host", 255).required(), C::text("Db", 64).required(),
        C::text("Username", 64).required(), C::text("Password", 64).required(), C::int("Port").required(),
        C::text("Socket", 64).required(), C::text("Wrapper", 64).required(), C::text("Owner", 64).required(),
    ] },
    Relation { database: "mysql", name: "time_zone", own_spelling: false, columns: &[
        C::unsigned("Time_zone_id").required(), C::text("Use_leap_seconds", 1).required(),
    ] },
    Relation { database: "mysql", name: "time_zone_name", own_spelling: false, columns: &[
        C::text("Name", 64).required(), C::unsigned("Time_zone_id").required(),
    ] },
];
