//! Every system variable: its name, its default, what it can be set to, and whose it is.
//!
//! A variable is here if clients ask for it or set it. One whose setting would change results in a way that is not
//! built is [`Domain::Fixed`]; one that could change nothing here (buffer sizes, optimizer hints) can be set and read
//! back.

use super::{Definition, Domain, Fact, Initial, Reach};

const UTF8: &str = "utf8mb4";
pub(super) const COLLATION: &str = "utf8mb4_0900_ai_ci";
/// The highest number a client library may give for a limit that means "none".
const UNLIMITED: i64 = i64::MAX;
const YEAR_SECONDS: i64 = 31_536_000;
const DEFAULT_MODE: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
    ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";
const ISOLATION_LEVELS: &[&str] = &["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];
const NO_STEPS: &str = "ids are not taken in steps";

/// Two names of one variable: the old one is kept as the new one.
pub(super) const SYNONYMS: [(&str, &str); 4] = [
    ("tx_isolation", "transaction_isolation"),
    ("tx_read_only", "transaction_read_only"),
    ("identity", "last_insert_id"),
    ("storage_engine", "default_storage_engine"),
];

/// Session and global.
const fn var(name: &'static str, default: Initial, domain: Domain) -> Definition {
    Definition { name, default, domain, reach: Reach::Both }
}

/// Of the whole server, and not to be set.
const fn fact(name: &'static str, default: Initial) -> Definition {
    Definition { name, default, domain: Domain::ReadOnly, reach: Reach::Global }
}

/// A session's, and not to be set.
const fn shown(name: &'static str, default: Initial) -> Definition {
    Definition { name, default, domain: Domain::ReadOnly, reach: Reach::Both }
}

/// A session's only.
const fn own(name: &'static str, default: Initial, domain: Domain) -> Definition {
    Definition { name, default, domain, reach: Reach::Session }
}

const fn number(n: i64) -> Initial {
    Initial::Number(n)
}

const fn text(text: &'static str) -> Initial {
    Initial::Text(text)
}

const fn within(min: i64, max: i64) -> Domain {
    Domain::Number { min, max }
}

const ON: Initial = Initial::Number(1);
const OFF: Initial = Initial::Number(0);
const ANY_SIZE: Domain = Domain::Number { min: 0, max: UNLIMITED };

/// All variables, by name.
pub(super) const DEFINITIONS: &[Definition] = &[
    var("auto_increment_increment", number(1), Domain::Fixed(NO_STEPS)),
    var("auto_increment_offset", number(1), Domain::Fixed(NO_STEPS)),
    var("autocommit", ON, Domain::Switch),
    fact("automatic_sp_privileges", ON),
    var("big_tables", OFF, Domain::Switch),
    var("binlog_format", text("ROW"), Domain::OneOf(&["ROW", "STATEMENT", "MIXED"])),
    var("block_encryption_mode", text("aes-128-ecb"), Domain::Fixed("there are no encryption functions")),
    var("bulk_insert_buffer_size", number(8_388_608), ANY_SIZE),
    var("character_set_client", text(UTF8), Domain::Charset),
    var("character_set_connection", text(UTF8), Domain::Charset),
    var("character_set_database", text(UTF8), Domain::Charset),
    var("character_set_filesystem", text("binary"), Domain::Charset),
    var("character_set_results", text(UTF8), Domain::Charset),
    var("character_set_server", text(UTF8), Domain::Charset),
    fact("character_set_system", text("utf8mb3")),
    var("collation_connection", text(COLLATION), Domain::Collation),
    var("collation_database", text(COLLATION), Domain::Collation),
    var("collation_server", text(COLLATION), Domain::Collation),
    var("completion_type", text("NO_CHAIN"), Domain::Fixed("write COMMIT AND CHAIN instead")),
    fact("connect_timeout", Initial::Fact(Fact::HandshakeSeconds)),
    var("cte_max_recursion_depth", number(1000), within(0, u32::MAX as i64)),
    fact("default_authentication_plugin", text("caching_sha2_password")),
    var("default_collation_for_utf8mb4", text(COLLATION), Domain::Fixed("text compares byte by byte")),
    var("default_storage_engine", text("CELLS"), Domain::Text),
    var("default_tmp_storage_engine", text("CELLS"), Domain::Text),
    var("default_week_format", number(0), within(0, 7)),
    fact("disabled_storage_engines", text("")),
    var("div_precision_increment", number(4), Domain::Fixed("decimal division has four more digits")),
    var("end_markers_in_json", OFF, Domain::Switch),
    var("eq_range_index_dive_limit", number(200), within(0, u32::MAX as i64)),
    own("error_count", OFF, Domain::ReadOnly),
    fact("event_scheduler", text("DISABLED")),
    var("explicit_defaults_for_timestamp", ON, Domain::Switch),
    var("foreign_key_checks", ON, Domain::Switch),
    fact("general_log", OFF),
    var("group_concat_max_len", number(1024), within(4, UNLIMITED)),
    fact("gtid_mode", text("OFF")),
    fact("have_compress", text("YES")),
    fact("have_dynamic_loading", text("NO")),
    fact("have_geometry", text("NO")),
    fact("have_openssl", Initial::Fact(Fact::Tls)),
    fact("have_profiling", text("NO")),
    fact("have_query_cache", text("NO")),
    fact("have_rtree_keys", text("NO")),
    fact("have_ssl", Initial::Fact(Fact::Tls)),
    fact("have_symlink", text("DISABLED")),
    fact("hostname", Initial::Fact(Fact::Hostname)),
    var("information_schema_stats_expiry", number(86_400), within(0, YEAR_SECONDS)),
    fact("init_connect", text("")),
    fact("init_file", text("")),
    var("innodb_lock_wait_timeout", number(50), within(1, 1_073_741_824)),
    fact("innodb_read_only", OFF),
    var("innodb_strict_mode", ON, Domain::Switch),
    var("interactive_timeout", Initial::Fact(Fact::IdleSeconds), within(1, YEAR_SECONDS)),
    var("internal_tmp_mem_storage_engine", text("TempTable"), Domain::OneOf(&["TempTable", "MEMORY"])),
    var("join_buffer_size", number(262_144), ANY_SIZE),
    own("last_insert_id", number(0), Domain::Id),
    // phpMyAdmin sets it to its user's language, and shows nothing but the error if it cannot.
    var("lc_messages", text("en_US"), Domain::Text),
    var("lc_time_names", text("en_US"), Domain::Fixed("names of days and months are in English")),
    fact("license", text("MIT")),
    fact("local_infile", OFF),
    var("lock_wait_timeout", number(YEAR_SECONDS), within(1, YEAR_SECONDS)),
    fact("log_bin", OFF),
    fact("log_bin_trust_function_creators", OFF),
    fact("log_error", text("stderr")),
    var("low_priority_updates", OFF, Domain::Switch),
    fact("lower_case_file_system", OFF),
    fact("lower_case_table_names", number(0)),
    shown("max_allowed_packet", Initial::Fact(Fact::MaxAllowedPacket)),
    fact("max_connections", Initial::Fact(Fact::MaxConnections)),
    var("max_error_count", number(1024), within(0, 65_535)),
    var("max_execution_time", number(0), within(0, u32::MAX as i64)),
    var("max_heap_table_size", number(16_777_216), within(16_384, UNLIMITED)),
    var("max_join_size", number(UNLIMITED), within(1, UNLIMITED)),
    var("max_length_for_sort_data", number(4096), within(4, 8_388_608)),
    fact("max_prepared_stmt_count", Initial::Fact(Fact::PreparedStatements)),
    var("max_seeks_for_key", number(UNLIMITED), within(1, UNLIMITED)),
    var("max_sort_length", number(1024), within(4, 8_388_608)),
    var("max_sp_recursion_depth", number(0), within(0, 255)),
    shown("max_user_connections", number(0)),
    shown("net_buffer_length", number(16_384)),
    var("net_read_timeout", Initial::Fact(Fact::ReadSeconds), within(1, YEAR_SECONDS)),
    var("net_retry_count", number(10), within(1, UNLIMITED)),
    var("net_write_timeout", Initial::Fact(Fact::WriteSeconds), within(1, YEAR_SECONDS)),
    var("old_alter_table", OFF, Domain::Switch),
    // MySQL 8 has none any more, but mariadb-admin hashes a new password the way of before 4.1 where there is none.
    shown("old_passwords", OFF),
    var("optimizer_prune_level", number(1), within(0, 1)),
    var("optimizer_search_depth", number(62), within(0, 62)),
    var("optimizer_switch", text(""), Domain::Text),
    fact("performance_schema", OFF),
    fact("port", Initial::Fact(Fact::Port)),
    var("preload_buffer_size", number(32_768), within(1024, 1_073_741_824)),
    var("print_identified_with_as_hex", OFF, Domain::Switch),
    var("profiling", OFF, Domain::Fixed("use EXPLAIN ANALYZE")),
    fact("protocol_compression_algorithms", text("zlib,zstd,uncompressed")),
    fact("protocol_version", number(10)),
    own("pseudo_thread_id", number(0), ANY_SIZE),
    var("query_alloc_block_size", number(8192), within(1024, u32::MAX as i64)),
    var("query_prealloc_size", number(8192), within(8192, UNLIMITED)),
    var("range_optimizer_max_mem_size", number(8_388_608), ANY_SIZE),
    var("read_buffer_size", number(131_072), within(8192, i32::MAX as i64)),
    fact("read_only", OFF),
    var("read_rnd_buffer_size", number(262_144), within(1, i32::MAX as i64)),
    fact("require_secure_transport", OFF),
    own("resultset_metadata", text("FULL"), Domain::Fixed("columns are always described")),
    fact("secure_file_priv", Initial::Null),
    fact("server_id", number(1)),
    fact("server_uuid", Initial::Fact(Fact::Deployment)),
    var("session_track_gtids", text("OFF"), Domain::Fixed("there are no GTIDs")),
    var("session_track_schema", ON, Domain::Switch),
    var("session_track_state_change", OFF, Domain::Switch),
    var(
        "session_track_system_variables",
        text("time_zone,autocommit,character_set_client,character_set_results,character_set_connection"),
        Domain::Text,
    ),
    var("session_track_transaction_info", text("OFF"), Domain::OneOf(&["OFF", "STATE", "CHARACTERISTICS"])),
    fact("skip_name_resolve", ON),
    fact("skip_networking", OFF),
    fact("socket", Initial::Null),
    var("sort_buffer_size", number(262_144), within(32_768, UNLIMITED)),
    var("sql_auto_is_null", OFF, Domain::Fixed("`id IS NULL` never means the last inserted row")),
    var("sql_big_selects", ON, Domain::Switch),
    var("sql_buffer_result", OFF, Domain::Switch),
    var("sql_generate_invisible_primary_key", OFF, Domain::Fixed("every table has a primary key")),
    own("sql_log_bin", ON, Domain::Switch),
    var("sql_log_off", OFF, Domain::Switch),
    var("sql_mode", text(DEFAULT_MODE), Domain::SqlMode),
    var("sql_notes", ON, Domain::Switch),
    var("sql_quote_show_create", ON, Domain::Fixed("names are always quoted")),
    var("sql_require_primary_key", OFF, Domain::Switch),
    var("sql_safe_updates", OFF, Domain::Switch),
    var("sql_select_limit", number(UNLIMITED), within(0, UNLIMITED)),
    var("sql_warnings", OFF, Domain::Switch),
    fact("super_read_only", OFF),
    fact("system_time_zone", text("UTC")),
    var("time_zone", text("SYSTEM"), Domain::TimeZone),
    own("timestamp", Initial::Real(0.0), Domain::Timestamp),
    fact("tls_version", text("TLSv1.2,TLSv1.3")),
    var("tmp_table_size", number(16_777_216), within(1024, UNLIMITED)),
    var("transaction_alloc_block_size", number(8192), within(1024, 131_072)),
    var("transaction_isolation", text("READ-COMMITTED"), Domain::OneOf(ISOLATION_LEVELS)),
    var("transaction_prealloc_size", number(4096), within(1024, 131_072)),
    var("transaction_read_only", OFF, Domain::Switch),
    var("unique_checks", ON, Domain::Switch),
    var("updatable_views_with_limit", ON, Domain::Switch),
    own("use_secondary_engine", text("ON"), Domain::OneOf(&["OFF", "ON", "FORCED"])),
    fact("version", Initial::Fact(Fact::Version)),
    fact("version_comment", text("Cellgate")),
    fact("version_compile_machine", text(std::env::consts::ARCH)),
    fact("version_compile_os", text("Linux")),
    fact("version_compile_zlib", text("")),
    var("wait_timeout", Initial::Fact(Fact::IdleSeconds), within(1, YEAR_SECONDS)),
    own("warning_count", OFF, Domain::ReadOnly),
    var("windowing_use_high_precision", ON, Domain::Switch),
];

/// Numbers that SHOW prints as ON and OFF though they cannot be switched.
pub(super) const SHOWN_AS_SWITCH: [&str; 18] = [
    "automatic_sp_privileges",
    "general_log",
    "innodb_read_only",
    "local_infile",
    "log_bin",
    "log_bin_trust_function_creators",
    "lower_case_file_system",
    "performance_schema",
    "profiling",
    "read_only",
    "require_secure_transport",
    "skip_name_resolve",
    "skip_networking",
    "sql_auto_is_null",
    "sql_generate_invisible_primary_key",
    "sql_quote_show_create",
    "super_read_only",
    "updatable_views_with_limit",
];
