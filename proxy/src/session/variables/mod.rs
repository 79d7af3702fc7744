//! System variables: what a client may read and set, and what setting it means.
//!
//! A session shares the globals as they were when it began and keeps only what it sets itself, so that an idle session
//! costs next to nothing. What statements look at every time is kept ready in [`Hot`].

mod convert;
mod error;
mod mode;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use cellgate_sql::{SettingValue, SqlMode, TimeZone, Value};

pub use error::VariableError;
use table::{DEFINITIONS, SYNONYMS};

/// What values a variable takes.
#[derive(Clone, Copy, Debug)]
enum Domain {
    /// ON or OFF, shown as 1 and 0 by SELECT and as ON and OFF by SHOW.
    Switch,
    /// A number within bounds; others are moved to the nearer bound, as MySQL does.
    Number { min: i64, max: i64 },
    /// Seconds since 1970; 0 is the clock.
    Timestamp,
    /// Any text.
    Text,
    /// One of these, in any case, or its place.
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
    Real(f64),
    Text(&'static str),
    /// The server says.
    Fact(Fact),
}

/// What only the running server knows.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Version,
    Port,
    Hostname,
    Deployment,
    MaxAllowedPacket,
    MaxConnections,
    PreparedStatements,
    IdleSeconds,
    WriteSeconds,
    HandshakeSeconds,
    Tls,
}

/// Whose a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// A session has its own value, which begins as the global one.
    Both,
    /// Sessions only.
    Session,
    /// The server only.
    Global,
}

/// A variable.
#[derive(Clone, Copy, Debug)]
struct Definition {
    name: &'static str,
    default: Initial,
    domain: Domain,
    reach: Reach,
}

/// What the server knows of itself.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// The port clients connect to.
    pub port: u16,
    /// The machine's name.
    pub hostname: String,
    /// The deployment's id.
    pub deployment: String,
    /// Largest packet, in bytes.
    pub max_allowed_packet: u64,
    /// Most connections.
    pub max_connections: u64,
    /// Most prepared statements of a connection.
    pub prepared_statements: u64,
    /// How long a client may be idle, in seconds.
    pub idle_seconds: u64,
    /// How long a client may take for its result, in seconds.
    pub write_seconds: u64,
    /// How long a login may take, in seconds.
    pub handshake_seconds: u64,
    /// Whether TLS is offered to clients.
    pub tls: bool,
}

/// A value that was checked and can be set.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The variable.
    pub name: &'static str,
    /// Its value as it is kept.
    pub value: Value,
    /// The text of warning 1292, if the value was moved to a bound.
    pub note: Option<String>,
}

/// Who a SET is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This session.
    Session,
    /// Later sessions.
    Global,
}

/// What statements look at every time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Hot {
    autocommit: bool,
    read_only: bool,
    sql_mode: SqlMode,
    time_zone: TimeZone,
    select_limit: i64,
}

/// The variables of one session, or the globals.
#[derive(Clone, Debug)]
pub struct Variables {
    base: Arc<BTreeMap<&'static str, Value>>,
    /// What was set since.
    own: BTreeMap<&'static str, Value>,
    hot: Hot,
}

impl Variables {
    /// Every variable at its default.
    pub fn new(facts: &ServerFacts) -> Self {
        let values: BTreeMap<_, _> = DEFINITIONS.iter().map(|d| (d.name, d.default_value(facts))).collect();
        let (sql_mode, time_zone) = (SqlMode::default(), TimeZone::UTC);
        let hot = Hot { autocommit: true, read_only: false, sql_mode, time_zone, select_limit: i64::MAX };
        let mut this = Self { base: Arc::new(values), own: BTreeMap::new(), hot };
        this.warm();
        this
    }

    /// The variables of a session that begins now.
    pub fn session(&self) -> Self {
        if self.own.is_empty() {
            return self.clone();
        }
        let mut base = BTreeMap::clone(&self.base);
        base.extend(self.own.clone());
        Self { base: Arc::new(base), own: BTreeMap::new(), hot: self.hot }
    }

    /// The value; `None` if there is no such variable.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let name = canonical(name);
        self.own.get(name).or_else(|| self.base.get(name))
    }

    /// Checks and converts a value without setting it. DEFAULT is for a session the global value, which `globals` has.
    ///
    /// # Errors
    /// [`VariableError`].
    pub fn check(
        name: &str,
        value: &SettingValue,
        target: Target,
        globals: &Variables,
        facts: &ServerFacts,
    ) -> Result<Checked, VariableError> {
        let definition = find(name).ok_or_else(|| VariableError::Unknown(name.to_owned()))?;
        match (definition.domain, definition.reach, target) {
            (Domain::ReadOnly, _, _) => return Err(VariableError::ReadOnly(name.to_owned())),
            (_, Reach::Global, Target::Session) => return Err(VariableError::GlobalOnly(name.to_owned())),
            (_, Reach::Session, Target::Global) => return Err(VariableError::SessionOnly(name.to_owned())),
            (_, _, _) => {}
        }
        match (value, target) {
            (SettingValue::Value(value), _) => definition.convert(name, value, facts),
            (SettingValue::Default, Target::Session) if definition.reach == Reach::Both => {
                let value = globals.get(definition.name).cloned().unwrap_or(Value::Null);
                Ok(Checked { name: definition.name, value, note: None })
            }
            (SettingValue::Default, _) => {
                Ok(Checked { name: definition.name, value: definition.default_value(facts), note: None })
            }
        }
    }

    /// Sets what [`Variables::check`] answered.
    pub fn set(&mut self, name: &'static str, value: Value) {
        self.own.insert(name, value);
        self.warm();
    }

    /// All variables as SHOW VARIABLES prints them, by name.
    pub fn show(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        let synonyms = SYNONYMS.iter().filter(|(old, _)| !matches!(*old, "storage_engine"));
        let mut names: Vec<&'static str> = self.base.keys().copied().chain(synonyms.map(|(old, _)| *old)).collect();
        names.sort_unstable();
        names.into_iter().filter_map(|name| Some((name, shown(name, self.get(name)?))))
    }

    /// Whether each statement commits itself.
    pub fn autocommit(&self) -> bool {
        self.hot.autocommit
    }

    /// Whether transactions are read only unless they say otherwise.
    pub fn read_only(&self) -> bool {
        self.hot.read_only
    }

    /// Most rows of a SELECT without LIMIT.
    pub fn select_limit(&self) -> u64 {
        // The highest number means that there is no limit.
        u64::try_from(self.hot.select_limit).ok().filter(|_| self.hot.select_limit < i64::MAX).unwrap_or(u64::MAX)
    }

    /// A number; 0 for what is none.
    pub fn number(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(Value::Int(n)) => *n,
            _ => 0,
        }
    }

    /// The time that `SET timestamp` fixed, in microseconds since 1970.
    pub fn fixed_time(&self) -> Option<i64> {
        match self.own.get("timestamp") {
            #[allow(clippy::cast_possible_truncation, reason = "saturates")]
            Some(Value::Double(seconds)) if *seconds > 0.0 => Some((seconds * 1e6).round() as i64),
            _ => None,
        }
    }

    /// The modes that change what a statement answers.
    pub fn sql_mode(&self) -> SqlMode {
        self.hot.sql_mode
    }

    /// The time zone.
    pub fn time_zone(&self) -> TimeZone {
        self.hot.time_zone
    }

    fn warm(&mut self) {
        let on = |name| matches!(self.get(name), Some(Value::Int(n)) if *n != 0);
        let text = |name| self.get(name).map(text_of).unwrap_or_default();
        self.hot = Hot {
            autocommit: on("autocommit"),
            read_only: on("transaction_read_only"),
            sql_mode: mode::sql_mode(&text("sql_mode")),
            time_zone: TimeZone::named(&text("time_zone")).unwrap_or(TimeZone::UTC),
            select_limit: self.number("sql_select_limit"),
        };
    }
}

/// A value as SHOW VARIABLES prints it.
pub fn shown(name: &str, value: &Value) -> Value {
    let switch = find(name).is_some_and(Definition::is_switch);
    match value {
        Value::Int(0) if switch => Value::Text("OFF".into()),
        Value::Int(_) if switch => Value::Text("ON".into()),
        Value::Null => Value::Text("".into()),
        Value::Double(n) => Value::Text(format!("{n:.6}").into()),
        other => Value::Text(text_of(other).into()),
    }
}

/// The modern name of a variable.
pub fn canonical(name: &str) -> &str {
    SYNONYMS.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new)
}

fn find(name: &str) -> Option<&'static Definition> {
    let name = canonical(name);
    DEFINITIONS.binary_search_by(|d| d.name.cmp(name)).ok().and_then(|place| DEFINITIONS.get(place))
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
