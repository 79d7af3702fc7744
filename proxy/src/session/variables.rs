//! System variables: what a client may read and set, and what setting it means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cellgate_sql::{SettingValue, SqlMode, Value};
use thiserror::Error;

use crate::version;

/// Why a variable was not set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VariableError {
    /// There is no such variable.
    #[error("Unknown system variable '{0}'")]
    Unknown(String),
    /// It cannot be set.
    #[error("Variable '{0}' is a read only variable")]
    ReadOnly(String),
    /// It cannot be set for one session.
    #[error("Variable '{0}' is a GLOBAL variable and should be set with SET GLOBAL")]
    GlobalOnly(String),
    /// It cannot be set to this.
    #[error("Variable '{name}' can't be set to the value of '{value}'")]
    WrongValue {
        /// The variable.
        name: String,
        /// The value.
        value: String,
    },
    /// A value of the wrong type.
    #[error("Incorrect argument type to variable '{0}'")]
    WrongType(String),
    /// A character set other than those of UTF-8.
    #[error("Unknown character set: '{0}'; Cellgate speaks utf8mb4")]
    Charset(String),
    /// A collation other than those of utf8mb4.
    #[error("Unknown collation: '{0}'; Cellgate speaks utf8mb4")]
    Collation(String),
    /// A time zone other than UTC.
    #[error("Unknown or incorrect time zone: '{0}'; times are UTC, write '+00:00'")]
    TimeZone(String),
    /// Setting it would change results in a way that is not built.
    #[error("Variable '{name}' cannot be set to '{value}': {reason}")]
    Refused {
        /// The variable.
        name: String,
        /// The value.
        value: String,
        /// Why, and what to do instead.
        reason: &'static str,
    },
}

/// What values a variable takes.
#[derive(Clone, Copy, Debug)]
enum Domain {
    /// ON or OFF, shown as 1 and 0 by SELECT and as ON and OFF by SHOW.
    Switch,
    /// A number within bounds; others are moved to the nearer bound, as MySQL does.
    Number { min: i64, max: i64 },
    /// Any text.
    Text,
    /// One of these, in any case.
    OneOf(&'static [&'static str]),
    /// Modes, separated by commas.
    SqlMode,
    /// A character set.
    Charset,
    /// A collation.
    Collation,
    /// A time zone.
    TimeZone,
    /// Cannot be set.
    ReadOnly,
    /// Can be set to what it is only: another value would change results.
    Fixed(&'static str),
}

/// The default of a variable.
#[derive(Clone, Copy, Debug)]
enum Initial {
    Null,
    Number(i64),
    Text(&'static str),
    /// The server says: `version`, `port`, `hostname`, `max_connections`, ...
    Server,
}

/// A variable.
#[derive(Clone, Copy, Debug)]
struct Definition {
    name: &'static str,
    default: Initial,
    domain: Domain,
}

const ISOLATION_LEVELS: &[&str] = &["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];

/// Two names of one variable: the old one is kept as the new one.
const SYNONYMS: [(&str, &str); 4] = [
    ("tx_isolation", "transaction_isolation"),
    ("tx_read_only", "transaction_read_only"),
    ("identity", "last_insert_id"),
    ("storage_engine", "default_storage_engine"),
];

const MODES: &[&str] = &[
    "REAL_AS_FLOAT",
    "PIPES_AS_CONCAT",
    "ANSI_QUOTES",
    "IGNORE_SPACE",
    "ONLY_FULL_GROUP_BY",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_DIR_IN_CREATE",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ALLOW_INVALID_DATES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "HIGH_NOT_PRECEDENCE",
    "NO_ENGINE_SUBSTITUTION",
    "PAD_CHAR_TO_FULL_LENGTH",
    "TIME_TRUNCATE_FRACTIONAL",
    "ANSI",
    "TRADITIONAL",
    "NO_AUTO_CREATE_USER",
];

const DEFAULT_MODE: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
    ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

const UTF8: &str = "utf8mb4";
const COLLATION: &str = "utf8mb4_0900_ai_ci";
/// The highest number a client library may give for a limit that means "none".
const UNLIMITED: i64 = i64::MAX;
const YEAR_SECONDS: i64 = 31_536_000;

const fn var(name: &'static str, default: Initial, domain: Domain) -> Definition {
    Definition { name, default, domain }
}

/// All variables, by name.
const DEFINITIONS: &[Definition] = &[
    var("auto_increment_increment", Initial::Number(1), Domain::Fixed("ids are not taken in steps")),
    var("auto_increment_offset", Initial::Number(1), Domain::Fixed("ids are not taken in steps")),
    var("autocommit", Initial::Number(1), Domain::Switch),
    var("big_tables", Initial::Number(0), Domain::Switch),
    var("bulk_insert_buffer_size", Initial::Number(8_388_608), Domain::Number { min: 0, max: UNLIMITED }),
    var("character_set_client", Initial::Text(UTF8), Domain::Charset),
    var("character_set_connection", Initial::Text(UTF8), Domain::Charset),
    var("character_set_database", Initial::Text(UTF8), Domain::Charset),
    var("character_set_filesystem", Initial::Text("binary"), Domain::ReadOnly),
    var("character_set_results", Initial::Text(UTF8), Domain::Charset),
    var("character_set_server", Initial::Text(UTF8), Domain::Charset),
    var("character_set_system", Initial::Text("utf8mb3"), Domain::ReadOnly),
    var("collation_connection", Initial::Text(COLLATION), Domain::Collation),
    var("collation_database", Initial::Text(COLLATION), Domain::Collation),
    var("collation_server", Initial::Text(COLLATION), Domain::Collation),
    var("completion_type", Initial::Text("NO_CHAIN"), Domain::Fixed("write COMMIT AND CHAIN instead")),
    var("connect_timeout", Initial::Number(10), Domain::ReadOnly),
    var("default_storage_engine", Initial::Text("CELLS"), Domain::Text),
    var("default_tmp_storage_engine", Initial::Text("CELLS"), Domain::Text),
    var("default_week_format", Initial::Number(0), Domain::Number { min: 0, max: 7 }),
    var("div_precision_increment", Initial::Number(4), Domain::Fixed("decimal division has four more digits")),
    var("explicit_defaults_for_timestamp", Initial::Number(1), Domain::Switch),
    var("foreign_key_checks", Initial::Number(1), Domain::Switch),
    var("group_concat_max_len", Initial::Number(1024), Domain::Number { min: 4, max: UNLIMITED }),
    var("have_ssl", Initial::Server, Domain::ReadOnly),
    var("hostname", Initial::Server, Domain::ReadOnly),
    var("information_schema_stats_expiry", Initial::Number(86_400), Domain::Number { min: 0, max: YEAR_SECONDS }),
    var("init_connect", Initial::Text(""), Domain::ReadOnly),
    var("innodb_lock_wait_timeout", Initial::Number(50), Domain::Number { min: 1, max: 1_073_741_824 }),
    var("interactive_timeout", Initial::Number(28_800), Domain::Number { min: 1, max: YEAR_SECONDS }),
    var("last_insert_id", Initial::Number(0), Domain::Number { min: 0, max: UNLIMITED }),
    var("license", Initial::Text("MIT"), Domain::ReadOnly),
    var("lock_wait_timeout", Initial::Number(31_536_000), Domain::Number { min: 1, max: YEAR_SECONDS }),
    var("lower_case_table_names", Initial::Number(0), Domain::ReadOnly),
    var("max_allowed_packet", Initial::Server, Domain::ReadOnly),
    var("max_connections", Initial::Server, Domain::ReadOnly),
    var("max_execution_time", Initial::Number(0), Domain::Number { min: 0, max: u32::MAX as i64 }),
    var("max_join_size", Initial::Number(UNLIMITED), Domain::Number { min: 1, max: UNLIMITED }),
    var("net_buffer_length", Initial::Number(16_384), Domain::ReadOnly),
    var("net_read_timeout", Initial::Number(30), Domain::Number { min: 1, max: YEAR_SECONDS }),
    var("net_write_timeout", Initial::Number(60), Domain::Number { min: 1, max: YEAR_SECONDS }),
    var("optimizer_switch", Initial::Text(""), Domain::Text),
    var("performance_schema", Initial::Number(0), Domain::ReadOnly),
    var("port", Initial::Server, Domain::ReadOnly),
    var("protocol_version", Initial::Number(10), Domain::ReadOnly),
    var("read_only", Initial::Number(0), Domain::ReadOnly),
    var("session_track_schema", Initial::Number(1), Domain::Switch),
    var("session_track_state_change", Initial::Number(0), Domain::Switch),
    var("session_track_system_variables", Initial::Text("time_zone,autocommit,character_set_client"), Domain::Text),
    var("socket", Initial::Null, Domain::ReadOnly),
    var("sql_auto_is_null", Initial::Number(0), Domain::Fixed("`id IS NULL` never means the last inserted row")),
    var("sql_big_selects", Initial::Number(1), Domain::Switch),
    var("sql_log_bin", Initial::Number(1), Domain::Switch),
    var("sql_mode", Initial::Text(DEFAULT_MODE), Domain::SqlMode),
    var("sql_notes", Initial::Number(1), Domain::Switch),
    var("sql_quote_show_create", Initial::Number(1), Domain::Switch),
    var("sql_safe_updates", Initial::Number(0), Domain::Switch),
    var("sql_select_limit", Initial::Number(UNLIMITED), Domain::Number { min: 0, max: UNLIMITED }),
    var("sql_warnings", Initial::Number(0), Domain::Switch),
    var("super_read_only", Initial::Number(0), Domain::ReadOnly),
    var("system_time_zone", Initial::Text("UTC"), Domain::ReadOnly),
    var("time_zone", Initial::Text("SYSTEM"), Domain::TimeZone),
    var("transaction_isolation", Initial::Text("READ-COMMITTED"), Domain::OneOf(ISOLATION_LEVELS)),
    var("transaction_read_only", Initial::Number(0), Domain::Switch),
    var("unique_checks", Initial::Number(1), Domain::Switch),
    var("version", Initial::Server, Domain::ReadOnly),
    var("version_comment", Initial::Text("Cellgate"), Domain::ReadOnly),
    var("version_compile_machine", Initial::Text(std::env::consts::ARCH), Domain::ReadOnly),
    var("version_compile_os", Initial::Text("Linux"), Domain::ReadOnly),
    var("wait_timeout", Initial::Number(28_800), Domain::Number { min: 1, max: YEAR_SECONDS }),
];

/// What the server knows of itself.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// The port clients connect to.
    pub port: u16,
    /// The machine's name.
    pub hostname: String,
    /// Largest packet, in bytes.
    pub max_allowed_packet: u64,
    /// Most connections.
    pub max_connections: u64,
    /// Whether TLS is offered to clients.
    pub tls: bool,
}

/// The variables of one session. Sessions that have set nothing share one copy.
#[derive(Clone, Debug)]
pub struct Variables {
    values: Arc<BTreeMap<&'static str, Value>>,
    /// What `values` say, for what every statement asks.
    derived: Derived,
}

/// What every statement asks of the variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// `autocommit`
    pub autocommit: bool,
    /// `transaction_read_only`
    pub read_only: bool,
    /// `sql_mode`, as far as it changes how text is read.
    pub sql_mode: SqlMode,
    /// `max_execution_time`, if there is one.
    pub max_execution_time: Option<Duration>,
    /// Whether `sql_select_limit` could cut off a row.
    pub limited: bool,
    /// Whether times are shown in UTC.
    pub utc: bool,
}

impl Derived {
    fn of(values: &BTreeMap<&'static str, Value>) -> Self {
        let number = |name| match values.get(name) {
            Some(Value::Int(number)) => u64::try_from(*number).unwrap_or(0),
            Some(Value::UInt(number)) => *number,
            _ => 0,
        };
        let modes = values.get("sql_mode").map(text_of).unwrap_or_default();
        let has = |mode: &str| modes.split(',').any(|m| m == mode);
        let zone = values.get("time_zone").map(text_of).unwrap_or_default();
        Self {
            autocommit: number("autocommit") != 0,
            read_only: number("transaction_read_only") != 0,
            sql_mode: SqlMode {
                ansi_quotes: has("ANSI_QUOTES"),
                no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
                pipes_as_concat: has("PIPES_AS_CONCAT"),
            },
            max_execution_time: Some(number("max_execution_time")).filter(|ms| *ms > 0).map(Duration::from_millis),
            limited: number("sql_select_limit") == 0,
            utc: ["SYSTEM", "UTC", "+00:00", "-00:00", "+0:00"].contains(&zone.as_str()),
        }
    }
}

impl Variables {
    /// Every variable at its default.
    pub fn new(facts: &ServerFacts) -> Self {
        let values: BTreeMap<_, _> = DEFINITIONS.iter().map(|d| (d.name, d.default_value(facts))).collect();
        Self { derived: Derived::of(&values), values: Arc::new(values) }
    }

    /// What every statement asks.
    pub fn derived(&self) -> &Derived {
        &self.derived
    }

    /// The value; `None` if there is no such variable.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(canonical(name))
    }

    /// Checks and converts a value without setting it.
    ///
    /// # Errors
    /// [`VariableError`].
    pub fn check(
        &self,
        name: &str,
        value: &SettingValue,
        facts: &ServerFacts,
    ) -> Result<(&'static str, Value), VariableError> {
        let definition = find(name).ok_or_else(|| VariableError::Unknown(name.to_owned()))?;
        let value = match value {
            SettingValue::Default => definition.default_value(facts),
            SettingValue::Value(value) => definition.convert(name, value, facts)?,
        };
        if matches!(definition.domain, Domain::ReadOnly) {
            return Err(VariableError::ReadOnly(name.to_owned()));
        }
        Ok((definition.name, value))
    }

    /// Sets what [`Variables::check`] answered.
    pub fn set(&mut self, name: &'static str, value: Value) {
        let values = Arc::make_mut(&mut self.values);
        values.insert(name, value);
        self.derived = Derived::of(values);
    }

    /// All variables as SHOW VARIABLES prints them.
    pub fn show(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        let shown = self.values.iter().map(|(name, value)| {
            let switch = find(name).is_some_and(|d| d.is_switch());
            let value = match value {
                Value::Int(0) if switch => Value::Text("OFF".into()),
                Value::Int(_) if switch => Value::Text("ON".into()),
                Value::Null => Value::Text("".into()),
                other => Value::Text(text_of(other).into()),
            };
            (*name, value)
        });
        let synonyms = SYNONYMS.iter().filter(|(old, _)| *old != "identity" && *old != "storage_engine");
        let synonyms = synonyms.filter_map(|(old, new)| Some((*old, self.values.get(new)?.clone())));
        shown.chain(synonyms.map(|(name, value)| (name, Value::Text(text_of(&value).into()))))
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Int(n)) if *n != 0)
    }

    /// A number; 0 for what is none.
    pub fn number(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(Value::Int(n)) => *n,
            _ => 0,
        }
    }

    /// The modes that change how text is read.
    pub fn sql_mode(&self) -> SqlMode {
        self.derived.sql_mode
    }
}

/// The modern name of a variable.
pub fn canonical(name: &str) -> &str {
    SYNONYMS.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new)
}

fn find(name: &str) -> Option<&'static Definition> {
    let name = canonical(name);
    DEFINITIONS.iter().find(|d| d.name == name)
}

impl Definition {
    fn default_value(&self, facts: &ServerFacts) -> Value {
        match self.default {
            Initial::Null => Value::Null,
            Initial::Number(n) => Value::Int(n),
            Initial::Text(text) => Value::Text(text.into()),
            Initial::Server => match self.name {
                "version" => Value::Text(version::server_version().into()),
                "port" => Value::Int(facts.port.into()),
                "max_allowed_packet" => Value::Int(facts.max_allowed_packet.cast_signed()),
                "max_connections" => Value::Int(facts.max_connections.cast_signed()),
                "have_ssl" => Value::Text(if facts.tls { "YES" } else { "DISABLED" }.into()),
                _ => Value::Text(facts.hostname.clone().into()),
            },
        }
    }

    /// Whether SHOW prints it as ON or OFF.
    fn is_switch(&self) -> bool {
        matches!(self.domain, Domain::Switch)
            || matches!(self.name, "performance_schema" | "read_only" | "super_read_only" | "sql_auto_is_null")
    }

    fn convert(&self, name: &str, value: &Value, facts: &ServerFacts) -> Result<Value, VariableError> {
        let text = text_of(value);
        let wrong = || VariableError::WrongValue { name: name.to_owned(), value: text.clone() };
        match self.domain {
            Domain::ReadOnly => Err(VariableError::ReadOnly(name.to_owned())),
            Domain::Switch => match text.to_ascii_lowercase().as_str() {
                "1" | "on" | "true" => Ok(Value::Int(1)),
                "0" | "off" | "false" => Ok(Value::Int(0)),
                _ => Err(wrong()),
            },
            Domain::Number { min, max } => match value {
                Value::Int(n) => Ok(Value::Int((*n).clamp(min, max))),
                // Client libraries say "no limit" with the highest unsigned number.
                Value::UInt(_) => Ok(Value::Int(max)),
                _ => Err(VariableError::WrongType(name.to_owned())),
            },
            Domain::Text => Ok(Value::Text(text.into())),
            Domain::OneOf(allowed) => {
                let found = allowed.iter().find(|a| a.eq_ignore_ascii_case(&text));
                found.map(|a| Value::Text((*a).into())).ok_or_else(wrong)
            }
            Domain::SqlMode => convert_sql_mode(name, value),
            Domain::Charset => match text.to_ascii_lowercase().as_str() {
                "utf8mb4" | "utf8" | "utf8mb3" | "binary" => Ok(Value::Text(text.to_ascii_lowercase().into())),
                // `SET character_set_results = NULL`: as stored, which is UTF-8.
                "null" | "" if matches!(value, Value::Null) && self.name == "character_set_results" => Ok(Value::Null),
                "default" => Ok(self.default_value(facts)),
                _ => Err(VariableError::Charset(text)),
            },
            Domain::Collation => {
                let lower = text.to_ascii_lowercase();
                let known =
                    lower.starts_with("utf8mb4_") || lower.starts_with("utf8_") || lower.starts_with("utf8mb3_");
                if known || lower == "binary" {
                    Ok(Value::Text(lower.into()))
                } else {
                    Err(VariableError::Collation(text))
                }
            }
            Domain::TimeZone => match text.to_ascii_uppercase().as_str() {
                "SYSTEM" | "UTC" | "+00:00" | "-00:00" | "+0:00" | "-0:00" | "ETC/UTC" => Ok(Value::Text(text.into())),
                _ => Err(VariableError::TimeZone(text)),
            },
            Domain::Fixed(reason) => {
                let same = text_of(&self.default_value(facts)).eq_ignore_ascii_case(&text)
                    || (text.eq_ignore_ascii_case("off") && matches!(self.default, Initial::Number(0)));
                if same {
                    Ok(self.default_value(facts))
                } else {
                    Err(VariableError::Refused { name: name.to_owned(), value: text, reason })
                }
            }
        }
    }
}

fn convert_sql_mode(name: &str, value: &Value) -> Result<Value, VariableError> {
    if let Value::Int(0) = value {
        return Ok(Value::Text("".into()));
    }
    let text = text_of(value).to_ascii_uppercase();
    let mut modes: Vec<&str> = Vec::new();
    for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        let Some(mode) = MODES.iter().find(|m| **m == word) else {
            return Err(VariableError::WrongValue { name: name.to_owned(), value: word.to_owned() });
        };
        let parts: &[&str] = match *mode {
            "ANSI" => {
                &["REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE", "ONLY_FULL_GROUP_BY", "ANSI"]
            }
            "TRADITIONAL" => &[
                "STRICT_TRANS_TABLES",
                "STRICT_ALL_TABLES",
                "NO_ZERO_IN_DATE",
                "NO_ZERO_DATE",
                "ERROR_FOR_DIVISION_BY_ZERO",
                "TRADITIONAL",
                "NO_ENGINE_SUBSTITUTION",
            ],
            // Gone since MySQL 8.0; older clients still name it, and it never had an effect on anything here.
            "NO_AUTO_CREATE_USER" => &[],
            one => &[one],
        };
        modes.extend(parts);
    }
    let ordered: Vec<&str> = MODES.iter().copied().filter(|m| modes.contains(m)).collect();
    Ok(Value::Text(ordered.join(",").into()))
}

/// A value as text, the way a SET without quotes would be written.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Int(n) => n.to_string(),
        Value::UInt(n) => n.to_string(),
        Value::Double(n) => n.to_string(),
        Value::Decimal(n) => n.clone(),
        Value::Text(b) | Value::Bytes(b) | Value::Json(b) => String::from_utf8_lossy(b).into_owned(),
        Value::DateTime(t) => t.0.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ServerFacts {
        ServerFacts {
            port: 3307,
            hostname: "host".into(),
            max_allowed_packet: 1 << 26,
            max_connections: 100,
            tls: false,
        }
    }

    fn check(name: &str, value: Value) -> Result<Value, VariableError> {
        Variables::new(&facts()).check(name, &SettingValue::Value(value), &facts()).map(|(_, v)| v)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned().into())
    }

    #[test]
    fn every_variable_has_its_name_once_and_in_order() {
        assert!(DEFINITIONS.windows(2).all(|w| w[0].name < w[1].name));
    }

    #[test]
    fn socket_is_null_so_that_no_client_goes_around_the_proxy() {
        assert_eq!(Variables::new(&facts()).get("socket"), Some(&Value::Null));
    }

    #[test]
    fn switches_take_every_spelling() {
        for on in [Value::Int(1), text("ON"), text("true")] {
            assert_eq!(check("autocommit", on), Ok(Value::Int(1)));
        }
        assert_eq!(check("autocommit", text("OFF")), Ok(Value::Int(0)));
        assert!(matches!(check("autocommit", text("maybe")), Err(VariableError::WrongValue { .. })));
    }

    #[test]
    fn what_would_change_results_is_refused() {
        assert!(matches!(check("time_zone", text("+02:00")), Err(VariableError::TimeZone(_))));
        assert_eq!(check("time_zone", text("+00:00")), Ok(text("+00:00")));
        assert!(matches!(check("sql_auto_is_null", Value::Int(1)), Err(VariableError::Refused { .. })));
        assert_eq!(check("sql_auto_is_null", Value::Int(0)), Ok(Value::Int(0)));
        assert!(matches!(check("character_set_client", text("latin1")), Err(VariableError::Charset(_))));
        assert!(matches!(check("nonsense", Value::Int(0)), Err(VariableError::Unknown(_))));
        assert!(matches!(check("version", text("5")), Err(VariableError::ReadOnly(_))));
    }

    #[test]
    fn sql_mode_is_normalised_and_checked() {
        assert_eq!(
            check("sql_mode", text("ansi_quotes, ,strict_all_tables")),
            Ok(text("ANSI_QUOTES,STRICT_ALL_TABLES"))
        );
        assert!(matches!(check("sql_mode", text("FAST")), Err(VariableError::WrongValue { .. })));
        assert_eq!(check("sql_mode", text("")), Ok(text("")));
    }

    #[test]
    fn old_names_are_the_same_variable() {
        let mut variables = Variables::new(&facts());
        let (name, value) =
            variables.check("tx_isolation", &SettingValue::Value(text("serializable")), &facts()).unwrap();
        variables.set(name, value);
        assert_eq!(variables.get("transaction_isolation"), Some(&text("SERIALIZABLE")));
        assert_eq!(variables.get("tx_isolation"), Some(&text("SERIALIZABLE")));
    }
}
