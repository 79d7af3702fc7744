//! System variables: what a client may read and set, and what setting it means.
//!
//! A session shares the globals as they were when it began and keeps only what it sets itself, so that an idle session
//! costs next to nothing. What every statement asks is kept ready in [`Derived`].

mod convert;
mod error;
mod mode;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cellgate_sql::{SettingValue, SqlMode, TimeZone, Value};

pub use error::VariableError;
use table::{DEFINITIONS, SYNONYMS};

use super::warnings::Wanted;
use crate::zones::Zones;

/// Longest text of a variable that takes any text, in bytes: a session has a handful of them. MySQL's longest, an
/// `optimizer_switch` with all of its flags, has not a fifth of it.
const TEXT_BYTES: usize = 4096;

/// What values a variable takes.
#[derive(Clone, Copy, Debug)]
enum Domain {
    /// ON or OFF, shown as 1 and 0 by SELECT and as ON and OFF by SHOW.
    Switch,
    /// A number within bounds; others are moved to the nearer bound, as MySQL does.
    Number { min: i64, max: i64 },
    /// An id of a row: any BIGINT UNSIGNED.
    Id,
    /// Seconds since 1970, to 2038; 0 is the clock.
    Timestamp,
    /// Any text of at most [`TEXT_BYTES`].
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
    ReadSeconds,
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
    /// How long a client may take for the rest of a command, in seconds.
    pub read_seconds: u64,
    /// How long a client may take for its result, in seconds.
    pub write_seconds: u64,
    /// How long a login may take, in seconds.
    pub handshake_seconds: u64,
    /// Whether TLS is offered to clients.
    pub tls: bool,
    /// The time zones there are.
    pub zones: Arc<Zones>,
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

/// What every statement asks of the variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    /// `autocommit`
    pub autocommit: bool,
    /// `transaction_read_only`
    pub read_only: bool,
    /// `sql_mode`, as far as it changes what a statement means.
    pub sql_mode: SqlMode,
    /// `max_execution_time`, if there is one.
    pub max_execution_time: Option<Duration>,
    /// Most rows of a SELECT without LIMIT.
    pub select_limit: u64,
    /// Whether `sql_select_limit` could cut off a single row.
    pub limited: bool,
    /// `time_zone`
    pub time_zone: TimeZone,
    /// Whether times are shown in UTC.
    pub utc: bool,
    /// `wait_timeout`
    pub wait_timeout: Duration,
    /// `sql_notes` and `max_error_count`
    pub warnings: Wanted,
}

/// The variables of one session, or the globals.
#[derive(Clone, Debug)]
pub struct Variables {
    base: Arc<BTreeMap<&'static str, Value>>,
    /// What was set since.
    own: BTreeMap<&'static str, Value>,
    derived: Derived,
    /// Where the zone behind `time_zone` is found.
    zones: Arc<Zones>,
}

impl Variables {
    /// Every variable at its default.
    pub fn new(facts: &ServerFacts) -> Self {
        let values: BTreeMap<_, _> = DEFINITIONS.iter().map(|d| (d.name, d.default_value(facts))).collect();
        let base = Arc::new(values);
        let own = BTreeMap::new();
        Self { derived: Derived::of(&base, &own, TimeZone::UTC), base, own, zones: Arc::clone(&facts.zones) }
    }

    /// The variables of a session that begins now.
    pub fn session(&self) -> Self {
        if self.own.is_empty() {
            return self.clone();
        }
        let mut base = BTreeMap::clone(&self.base);
        base.extend(self.own.clone());
        let (derived, zones) = (self.derived.clone(), Arc::clone(&self.zones));
        Self { base: Arc::new(base), own: BTreeMap::new(), derived, zones }
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
        let time_zone = match name {
            // It was found when the value was checked, and is known since.
            "time_zone" => self.zones.find(&text_of(&value)).ok().flatten().unwrap_or(TimeZone::UTC),
            _ => self.derived.time_zone.clone(),
        };
        self.own.insert(name, value);
        self.derived = Derived::of(&self.base, &self.own, time_zone);
    }

    /// Takes back what was set since.
    pub fn unset(&mut self, name: &'static str) {
        if self.own.remove(name).is_some() {
            self.derived = Derived::of(&self.base, &self.own, self.derived.time_zone.clone());
        }
    }

    /// Whether it was set since.
    pub fn is_set(&self, name: &str) -> bool {
        self.own.contains_key(canonical(name))
    }

    /// Whose a variable is, if it is only of sessions or only of the server.
    pub fn only_of(name: &str) -> Option<Target> {
        match find(name)?.reach {
            Reach::Both => None,
            Reach::Session => Some(Target::Session),
            Reach::Global => Some(Target::Global),
        }
    }

    /// The variables that the globals have, as [`Variables::show`] prints them.
    pub fn show_global(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        self.show().filter(|(name, _)| Self::only_of(name) != Some(Target::Session))
    }

    /// All variables as SHOW VARIABLES prints them, by name.
    pub fn show(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        let synonyms = SYNONYMS.iter().filter(|(old, _)| !matches!(*old, "storage_engine"));
        let mut names: Vec<&'static str> = self.base.keys().copied().chain(synonyms.map(|(old, _)| *old)).collect();
        names.sort_unstable();
        names.into_iter().filter_map(|name| Some((name, shown(name, self.get(name)?))))
    }

    /// What every statement asks.
    pub fn derived(&self) -> &Derived {
        &self.derived
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

    /// The modes that change what a statement means.
    pub fn sql_mode(&self) -> SqlMode {
        self.derived.sql_mode
    }
}

impl Derived {
    fn of(base: &BTreeMap<&'static str, Value>, own: &BTreeMap<&'static str, Value>, time_zone: TimeZone) -> Self {
        let get = |name| own.get(name).or_else(|| base.get(name));
        let number = |name| match get(name) {
            Some(Value::Int(number)) => u64::try_from(*number).unwrap_or(0),
            _ => 0,
        };
        let text = |name| get(name).map(text_of).unwrap_or_default();
        // The highest number means that there is no limit.
        let select_limit = Some(number("sql_select_limit")).filter(|limit| *limit < i64::MAX.unsigned_abs());
        Self {
            autocommit: number("autocommit") != 0,
            read_only: number("transaction_read_only") != 0,
            sql_mode: mode::sql_mode(&text("sql_mode")),
            max_execution_time: Some(number("max_execution_time")).filter(|ms| *ms > 0).map(Duration::from_millis),
            select_limit: select_limit.unwrap_or(u64::MAX),
            limited: select_limit == Some(0),
            utc: time_zone == TimeZone::UTC,
            time_zone,
            wait_timeout: Duration::from_secs(number("wait_timeout")),
            warnings: Wanted {
                notes: number("sql_notes") != 0,
                most: usize::try_from(number("max_error_count")).unwrap_or(usize::MAX),
            },
        }
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
