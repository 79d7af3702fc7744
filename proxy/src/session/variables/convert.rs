//! What a SET makes of a value: each kind of variable has its spellings, its bounds and its errors.

use cellgate_sql::{TimeZone, Value, is_collation};

use super::table::SHOWN_AS_SWITCH;
use super::{Checked, Definition, Domain, Fact, Initial, ServerFacts, TEXT_BYTES, VariableError, mode, text_of};
use crate::version;

/// Character sets that can be set: those whose text is UTF-8, or bytes.
const CHARSETS: [&str; 4] = ["utf8mb4", "utf8mb3", "utf8", "binary"];

/// The last second of a TIMESTAMP of MySQL's.
const LAST_TIMESTAMP: f64 = i32::MAX as f64;

/// How a zone whose clock is this many microseconds ahead of UTC reads back that was set as `text`.
fn fixed_zone(text: &str, ahead: i64) -> String {
    if let Some(name) = ["SYSTEM", "UTC", "Etc/UTC"].into_iter().find(|name| name.eq_ignore_ascii_case(text)) {
        return name.to_owned();
    }
    let minutes = ahead / 60_000_000;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// Why what is no whole number is refused where one is wanted.
fn no_number(name: &str, value: &Value) -> VariableError {
    match value {
        Value::Null => VariableError::WrongValue { name: name.to_owned(), value: "NULL".to_owned() },
        _ => VariableError::WrongType(name.to_owned()),
    }
}

impl Definition {
    /// The value a server starts with.
    pub(super) fn default_value(&self, facts: &ServerFacts) -> Value {
        match self.default {
            Initial::Null => Value::Null,
            Initial::Number(n) => Value::Int(n),
            Initial::Real(n) => Value::Double(n),
            Initial::Text(text) => Value::Text(text.into()),
            Initial::Fact(fact) => match fact {
                Fact::Version => Value::Text(version::server_version().into()),
                Fact::Port => Value::Int(facts.port.into()),
                Fact::Hostname => Value::Text(facts.hostname.clone().into()),
                Fact::Deployment => Value::Text(facts.deployment.clone().into()),
                Fact::MaxAllowedPacket => Value::Int(facts.max_allowed_packet.cast_signed()),
                Fact::MaxConnections => Value::Int(facts.max_connections.cast_signed()),
                Fact::PreparedStatements => Value::Int(facts.prepared_statements.cast_signed()),
                Fact::IdleSeconds => Value::Int(facts.idle_seconds.cast_signed()),
                Fact::ReadSeconds => Value::Int(facts.read_seconds.cast_signed()),
                Fact::WriteSeconds => Value::Int(facts.write_seconds.cast_signed()),
                Fact::HandshakeSeconds => Value::Int(facts.handshake_seconds.cast_signed()),
                Fact::Tls => Value::Text(if facts.tls { "YES" } else { "DISABLED" }.into()),
            },
        }
    }

    /// Whether SHOW prints it as ON or OFF.
    pub(super) fn is_switch(&self) -> bool {
        matches!(self.domain, Domain::Switch) || SHOWN_AS_SWITCH.contains(&self.name)
    }

    /// The value as it is kept; `name` is the name the client used.
    pub(super) fn convert(&self, name: &str, value: &Value, facts: &ServerFacts) -> Result<Checked, VariableError> {
        // Of which type a whole number is makes no difference: what an expression computes is often BIGINT UNSIGNED.
        let signed = match value {
            Value::UInt(n) => i64::try_from(*n).ok().map(Value::Int),
            _ => None,
        };
        let value = signed.as_ref().unwrap_or(value);
        let text = text_of(value);
        let wrong = || VariableError::WrongValue { name: name.to_owned(), value: text.clone() };
        let wrong_type = || VariableError::WrongType(name.to_owned());
        let kept = match self.domain {
            Domain::ReadOnly => return Err(VariableError::ReadOnly(name.to_owned())),
            Domain::Switch => match (value, text.to_ascii_lowercase().as_str()) {
                (Value::Double(_) | Value::Decimal(_), _) => return Err(wrong_type()),
                (_, "1" | "on" | "true") => Value::Int(1),
                (_, "0" | "off" | "false") => Value::Int(0),
                (_, _) => return Err(wrong()),
            },
            Domain::Number { min, max } => return self.number(name, value, min, max),
            Domain::Id => return self.id(name, value),
            Domain::Timestamp => return self.timestamp(name, value),
            Domain::Text if text.len() > TEXT_BYTES => {
                return Err(VariableError::TooLong { name: name.to_owned(), limit: TEXT_BYTES });
            }
            Domain::Text => Value::Text(text.into()),
            Domain::OneOf(allowed) => {
                let found = match value {
                    Value::Int(place) => usize::try_from(*place).ok().and_then(|place| allowed.get(place)),
                    _ => allowed.iter().find(|a| a.eq_ignore_ascii_case(&text)),
                };
                found.map(|a| Value::Text((*a).into())).ok_or_else(wrong)?
            }
            Domain::SqlMode => mode::convert(name, value)?,
            Domain::Charset => self.charset(value, text, facts)?,
            Domain::Collation => {
                let mut lower = text.to_ascii_lowercase();
                if lower.starts_with("utf8_") {
                    lower.insert_str("utf8".len(), "mb3");
                }
                if lower == "default" {
                    self.default_value(facts)
                } else if is_collation(&lower) {
                    Value::Text(lower.into())
                } else {
                    return Err(VariableError::Collation(text));
                }
            }
            Domain::TimeZone => {
                match facts.zones.find(&text).map_err(|e| VariableError::TimeZoneFile(e.to_string()))? {
                    Some(TimeZone::Offset(ahead)) => Value::Text(fixed_zone(&text, ahead).into()),
                    // As it is written, whatever its case was in the statement.
                    Some(TimeZone::Place(zone)) => Value::Text(zone.name().to_owned().into()),
                    None if facts.zones.is_empty() => return Err(VariableError::NoTimeZones(text)),
                    None => return Err(VariableError::TimeZone(text)),
                }
            }
            Domain::Fixed(reason) => {
                let fixed = self.default_value(facts);
                let off = text.eq_ignore_ascii_case("off") && fixed == Value::Int(0);
                let on = text.eq_ignore_ascii_case("on") && fixed == Value::Int(1);
                if !text_of(&fixed).eq_ignore_ascii_case(&text) && !off && !on {
                    return Err(VariableError::Refused { name: name.to_owned(), value: text, reason });
                }
                fixed
            }
        };
        Ok(Checked { name: self.name, value: kept, note: None })
    }

    /// A value that was `moved` to a bound, if it was: with a warning, as MySQL does.
    fn bounded(&self, name: &str, value: &Value, (kept, moved): (Value, bool)) -> Checked {
        let note = moved.then(|| format!("Truncated incorrect {name} value: '{}'", text_of(value)));
        Checked { name: self.name, value: kept, note }
    }

    /// A number; one out of bounds is moved to the nearer bound.
    fn number(&self, name: &str, value: &Value, min: i64, max: i64) -> Result<Checked, VariableError> {
        let (kept, moved) = match value {
            Value::Int(n) => ((*n).clamp(min, max), *n < min || *n > max),
            // Above all bounds. Client libraries say "no limit" with the highest unsigned number.
            Value::UInt(_) => (max, max != i64::MAX),
            other => return Err(no_number(name, other)),
        };
        Ok(self.bounded(name, value, (Value::Int(kept), moved)))
    }

    /// An id: any BIGINT UNSIGNED.
    fn id(&self, name: &str, value: &Value) -> Result<Checked, VariableError> {
        let (kept, moved) = match value {
            Value::Int(n) => (Value::Int((*n).max(0)), *n < 0),
            Value::UInt(n) => (Value::UInt(*n), false),
            other => return Err(no_number(name, other)),
        };
        Ok(self.bounded(name, value, (kept, moved)))
    }

    /// Seconds since 1970 that a TIMESTAMP of MySQL's has; what is below zero is moved to zero.
    fn timestamp(&self, name: &str, value: &Value) -> Result<Checked, VariableError> {
        #[allow(clippy::cast_precision_loss, reason = "seconds since 1970; what is less exact is out of bounds")]
        let seconds = match value {
            Value::Int(n) => *n as f64,
            Value::UInt(n) => *n as f64,
            Value::Double(n) => *n,
            Value::Decimal(n) => n.parse().unwrap_or(f64::MAX),
            Value::Null | Value::Text(_) | Value::Bytes(_) | Value::Json(_) | Value::DateTime(_) => {
                return Err(VariableError::WrongType(name.to_owned()));
            }
        };
        if seconds > 0.0 && !(1.0..=LAST_TIMESTAMP).contains(&seconds) || seconds.is_nan() {
            return Err(VariableError::WrongValue { name: name.to_owned(), value: text_of(value) });
        }
        Ok(self.bounded(name, value, (Value::Double(seconds.max(0.0)), seconds < 0.0)))
    }

    fn charset(&self, value: &Value, text: String, facts: &ServerFacts) -> Result<Value, VariableError> {
        let lower = text.to_ascii_lowercase();
        match (value, lower.as_str()) {
            // As stored, which is UTF-8.
            (Value::Null, _) if self.name == "character_set_results" => Ok(Value::Null),
            (Value::Null, _) => Err(VariableError::WrongValue { name: self.name.to_owned(), value: "NULL".to_owned() }),
            // The numbers of MySQL's collations, which MySQL takes as well.
            (Value::Int(45 | 46 | 224 | 255), _) => Ok(Value::Text("utf8mb4".into())),
            (Value::Int(33 | 83 | 192), _) => Ok(Value::Text("utf8mb3".into())),
            (Value::Int(63), _) => Ok(Value::Text("binary".into())),
            (_, "default") => Ok(self.default_value(facts)),
            (_, "utf8") => Ok(Value::Text("utf8mb3".into())),
            (_, charset) if CHARSETS.contains(&charset) => Ok(Value::Text(lower.into())),
            (_, _) => Err(VariableError::Charset(text)),
        }
    }
}
