//! What can be set, to what, and how it reads back.

use super::*;

fn facts() -> ServerFacts {
    ServerFacts {
        port: 3307,
        hostname: "host".into(),
        deployment: "d".into(),
        max_allowed_packet: 1 << 26,
        max_connections: 100,
        prepared_statements: 1024,
        idle_seconds: 28_800,
        read_seconds: 45,
        write_seconds: 60,
        handshake_seconds: 10,
        tls: false,
        zones: Arc::new(Zones::within(&[])),
    }
}

fn checked(name: &str, value: Value) -> Result<Checked, VariableError> {
    let facts = facts();
    Variables::check(name, &SettingValue::Value(value), Target::Session, &Variables::new(&facts), &facts)
}

fn check(name: &str, value: Value) -> Result<Value, VariableError> {
    checked(name, value).map(|checked| checked.value)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned().into())
}

#[test]
fn every_variable_has_its_name_once_and_in_order() {
    for pair in DEFINITIONS.windows(2) {
        assert!(pair[0].name < pair[1].name, "{} {}", pair[0].name, pair[1].name);
    }
    for (_, new) in SYNONYMS {
        assert!(find(new).is_some(), "{new}");
    }
}

#[test]
fn socket_is_null_so_that_no_client_goes_around_the_proxy() {
    assert_eq!(Variables::new(&facts()).get("socket"), Some(&Value::Null));
}

#[test]
fn a_text_is_as_long_as_it_may_be() {
    for name in ["optimizer_switch", "session_track_system_variables", "default_storage_engine"] {
        assert!(check(name, text(&"x".repeat(TEXT_BYTES))).is_ok(), "{name}");
        let longer = check(name, text(&"x".repeat(TEXT_BYTES + 1)));
        assert_eq!(longer, Err(VariableError::TooLong { name: name.to_owned(), limit: TEXT_BYTES }));
    }
}

#[test]
fn switches_take_every_spelling() {
    for on in [Value::Int(1), text("ON"), text("true")] {
        assert_eq!(check("autocommit", on), Ok(Value::Int(1)));
    }
    assert_eq!(check("autocommit", text("OFF")), Ok(Value::Int(0)));
    assert!(matches!(check("autocommit", text("maybe")), Err(VariableError::WrongValue { .. })));
    assert!(matches!(check("autocommit", Value::Int(2)), Err(VariableError::WrongValue { .. })));
    assert!(matches!(check("autocommit", Value::Double(1.0)), Err(VariableError::WrongType(_))));
}

#[test]
fn a_number_out_of_bounds_is_moved_to_the_nearer_bound_with_a_warning() {
    let moved = checked("wait_timeout", Value::Int(0)).unwrap();
    assert_eq!(moved.value, Value::Int(1));
    assert_eq!(moved.note.as_deref(), Some("Truncated incorrect wait_timeout value: '0'"));
    assert_eq!(checked("wait_timeout", Value::Int(5)).unwrap().note, None);
    assert_eq!(check("sql_select_limit", Value::UInt(u64::MAX)), Ok(Value::Int(i64::MAX)));
    assert!(matches!(check("wait_timeout", text("5")), Err(VariableError::WrongType(_))));
    assert!(matches!(check("wait_timeout", Value::Double(5.0)), Err(VariableError::WrongType(_))));
    assert!(matches!(check("wait_timeout", Value::Null), Err(VariableError::WrongValue { .. })));
}

#[test]
fn an_unsigned_number_sets_what_it_is() {
    for name in ["wait_timeout", "max_execution_time", "sql_select_limit", "last_insert_id"] {
        assert_eq!(checked(name, Value::UInt(5)), checked(name, Value::Int(5)), "{name}");
    }
    assert_eq!(check("autocommit", Value::UInt(0)), Ok(Value::Int(0)));
    assert_eq!(check("timestamp", Value::UInt(5)), Ok(Value::Double(5.0)));
    assert_eq!(check("transaction_isolation", Value::UInt(1)), Ok(text("READ-COMMITTED")));
    assert_eq!(check("character_set_client", Value::UInt(45)), Ok(text("utf8mb4")));
    assert_eq!(check("sql_mode", Value::UInt(4)), Ok(text("ANSI_QUOTES")));
    let highest = checked("wait_timeout", Value::UInt(u64::MAX)).unwrap();
    assert_eq!(highest.value, Value::Int(31_536_000));
    assert_eq!(highest.note.as_deref(), Some("Truncated incorrect wait_timeout value: '18446744073709551615'"));
    assert_eq!(check("last_insert_id", Value::UInt(u64::MAX)), Ok(Value::UInt(u64::MAX)));
    assert!(matches!(check("transaction_isolation", Value::UInt(u64::MAX)), Err(VariableError::WrongValue { .. })));
}

#[test]
fn a_timestamp_is_one_that_a_column_of_mysql_could_have() {
    for good in [Value::Int(0), Value::Int(1), Value::Int(i32::MAX.into()), Value::Decimal("1.5".into())] {
        assert_eq!(checked("timestamp", good).unwrap().note, None);
    }
    assert_eq!(check("timestamp", Value::Double(-0.5)), Ok(Value::Double(0.0)));
    for bad in [Value::Double(0.5), Value::Decimal("2147483647.5".into()), Value::Double(1e20), Value::Double(f64::NAN)]
    {
        assert!(matches!(check("timestamp", bad), Err(VariableError::WrongValue { .. })));
    }
    assert!(matches!(check("timestamp", Value::UInt(u64::MAX)), Err(VariableError::WrongValue { .. })));
    assert!(matches!(check("timestamp", text("5")), Err(VariableError::WrongType(_))));
}

#[test]
fn an_offset_reads_back_as_mysql_writes_it() {
    for (set, kept) in
        [("+5:00", "+05:00"), ("-0:30", "-00:30"), ("-00:00", "+00:00"), ("system", "SYSTEM"), ("utc", "UTC")]
    {
        assert_eq!(check("time_zone", text(set)), Ok(text(kept)), "{set}");
    }
}

#[test]
fn what_would_change_results_is_refused() {
    assert!(matches!(check("time_zone", text("Europe/Paris")), Err(VariableError::NoTimeZones(_))));
    assert!(matches!(check("sql_auto_is_null", Value::Int(1)), Err(VariableError::Refused { .. })));
    assert_eq!(check("sql_auto_is_null", Value::Int(0)), Ok(Value::Int(0)));
    assert!(matches!(check("character_set_client", text("latin1")), Err(VariableError::Charset(_))));
    assert!(matches!(check("nonsense", Value::Int(0)), Err(VariableError::Unknown(_))));
    assert!(matches!(check("version", text("5")), Err(VariableError::ReadOnly(_))));
    assert!(matches!(check("sql_mode", text("TIME_TRUNCATE_FRACTIONAL")), Err(VariableError::Refused { .. })));
}

#[test]
fn a_variable_of_sessions_cannot_be_set_for_all() {
    let (facts, value) = (facts(), SettingValue::Value(Value::Int(5)));
    let outcome = Variables::check("timestamp", &value, Target::Global, &Variables::new(&facts), &facts);
    assert!(matches!(outcome, Err(VariableError::SessionOnly(_))));
}

#[test]
fn default_is_the_global_value_for_a_session_and_the_built_in_one_for_the_server() {
    let facts = facts();
    let mut globals = Variables::new(&facts);
    globals.set("wait_timeout", Value::Int(77));
    let default = |target| {
        Variables::check("wait_timeout", &SettingValue::Default, target, &globals, &facts).map(|checked| checked.value)
    };
    assert_eq!(default(Target::Session), Ok(Value::Int(77)));
    assert_eq!(default(Target::Global), Ok(Value::Int(28_800)));
    assert_eq!(globals.session().number("wait_timeout"), 77);
}

#[test]
fn sql_mode_is_normalised_and_checked() {
    assert_eq!(
        check("sql_mode", text("ansi_quotes, ,strict_all_tables,NO_AUTO_CREATE_USER")),
        Ok(text("ANSI_QUOTES,STRICT_ALL_TABLES"))
    );
    assert_eq!(
        check("sql_mode", text("ANSI,no_key_options,NO_TABLE_OPTIONS,NO_FIELD_OPTIONS")),
        check("sql_mode", text("ANSI"))
    );
    assert_eq!(check("sql_mode", text("MYSQL40")), Ok(text("HIGH_NOT_PRECEDENCE")));
    assert_eq!(check("sql_mode", text("postgresql")), Ok(text("PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE")));
    assert!(matches!(check("sql_mode", text("ORACLE")), Err(VariableError::WrongValue { .. })));
    assert_eq!(check("sql_mode", Value::Int(4 + (1 << 21))), Ok(text("ANSI_QUOTES,STRICT_TRANS_TABLES")));
    assert_eq!(check("sql_mode", Value::Int(0)), Ok(text("")));
    assert!(matches!(check("sql_mode", Value::Int(1 << 40)), Err(VariableError::WrongValue { .. })));
    assert!(matches!(check("sql_mode", text("FAST")), Err(VariableError::WrongValue { .. })));
    assert!(matches!(check("sql_mode", Value::Null), Err(VariableError::WrongValue { .. })));
    assert_eq!(check("sql_mode", text("")), Ok(text("")));
    let ansi = text_of(&check("sql_mode", text("ANSI")).unwrap());
    assert_eq!(ansi, "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ONLY_FULL_GROUP_BY,ANSI");
}

#[test]
fn collations_are_those_of_utf8_and_no_inventions() {
    for good in [
        "utf8mb4_0900_ai_ci",
        "utf8mb4_unicode_ci",
        "utf8mb4_BIN",
        "utf8_general_ci",
        "utf8mb4_tr_0900_ai_ci",
        "binary",
    ] {
        assert!(check("collation_connection", text(good)).is_ok(), "{good}");
    }
    for bad in ["utf8mb4_nonsense", "latin1_swedish_ci", "utf8mb4", ""] {
        assert!(matches!(check("collation_connection", text(bad)), Err(VariableError::Collation(_))), "{bad}");
    }
}

#[test]
fn old_names_are_the_same_variable() {
    let mut variables = Variables::new(&facts());
    let checked = checked("tx_isolation", text("serializable")).unwrap();
    variables.set(checked.name, checked.value);
    assert_eq!(variables.get("transaction_isolation"), Some(&text("SERIALIZABLE")));
    assert_eq!(variables.get("tx_isolation"), Some(&text("SERIALIZABLE")));
}

#[test]
fn what_statements_look_at_follows_what_is_set() {
    let mut variables = Variables::new(&facts());
    let fresh = variables.derived().clone();
    assert!(fresh.autocommit && !fresh.read_only && !fresh.limited && fresh.utc);
    assert_eq!((fresh.select_limit, fresh.time_zone), (u64::MAX, TimeZone::UTC));
    for (name, value) in [
        ("autocommit", Value::Int(0)),
        ("transaction_read_only", Value::Int(1)),
        ("sql_select_limit", Value::Int(3)),
        ("time_zone", text("+02:00")),
        ("sql_mode", text("ANSI_QUOTES")),
        ("timestamp", Value::Double(1.5)),
        ("max_execution_time", Value::Int(7)),
    ] {
        variables.set(name, value);
    }
    let set = variables.derived().clone();
    assert!(!set.autocommit && set.read_only && !set.utc);
    assert_eq!((set.select_limit, set.max_execution_time), (3, Some(Duration::from_millis(7))));
    assert_eq!(Some(set.time_zone), TimeZone::named("+02:00"));
    assert!(set.sql_mode.ansi_quotes && set.sql_mode.any_of_group);
    assert_eq!(variables.fixed_time(), Some(1_500_000));
    variables.set("sql_select_limit", Value::Int(0));
    assert!(variables.derived().limited);
}

#[test]
fn a_variable_of_mariadb_for_the_time_of_statements_has_a_hint_at_the_one_there_is() {
    let error = check("max_statement_time", Value::Int(5)).unwrap_err();
    let hint =
        "Unknown system variable 'max_statement_time'; set max_execution_time, in milliseconds: it bounds SELECT";
    assert_eq!(error.to_string(), hint);
    let other = check("no_such_variable", Value::Int(5)).unwrap_err();
    assert_eq!(other.to_string(), "Unknown system variable 'no_such_variable'");
}
