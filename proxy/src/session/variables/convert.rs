//! What a SET makes of a value: each kind of variable has its spellings, its bounds and its errors.

use cellgate_sql::{TimeZone, Value, is_collation};

use super::table::SHOWN_AS_SWITCH;
use super::{Checked, Definition, Domain, Fact, Initial, ServerFacts, TEXT_BYTES, VariableError, mode, text_of};
use crate::version;

/// Character sets that can be set: those whose text is UTF-8, or bytes.
const CHARSETS: [&str; 4] = ["utf8mb4", "utf8mb3", "utf8", "binary"];

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
            Domain::Timestamp => match value {
                Value::Int(n) if *n >= 0 => {
                    #[allow(clippy::cast_precision_loss, reason = "seconds since 1970")]
                    let seconds = *n as f64;
                    Value::Double(seconds)
                }
                Value::Double(n) if *n >= 0.0 => Value::Double(*n),
                Value::Decimal(n) => Value::Double(n.parse().ok().filter(|n: &f64| *n >= 0.0).ok_or_else(wrong)?),
                Value::Int(_) | Value::Double(_) => return Err(wrong()),
                Value::Null
                | Value::UInt(_)
                | Value::Text(_)
                | Value::Bytes(_)
                | Value::Json(_)
                | Value::DateTime(_) => return Err(wrong_type()),
            },
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
                let lower = text.to_ascii_lowercase();
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
                    Some(TimeZone::Offset(_)) => Value::Text(text.into()),
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

    /// A number; one out of bounds is moved to the nearer bound, with a warning, as MySQL does.
    fn number(&self, name: &str, value: &Value, min: i64, max: i64) -> Result<Checked, VariableError> {
        let (kept, moved) = match value {
            Value::Int(n) => ((*n).clamp(min, max), *n < min || *n > max),
            // Client libraries say "no limit" with the highest unsigned number.
            Value::UInt(_) => (max, max != i64::MAX),
            Value::Null => {
                return Err(VariableError::WrongValue { name: name.to_owned(), value: "NULL".to_owned() });
            }
            Value::Double(_)
            | Value::Decimal(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Json(_)
            | Value::DateTime(_) => return Err(VariableError::WrongType(name.to_owned())),
        };
        let note = moved.then(|| format!("Truncated incorrect {name} value: '{}'", text_of(value)));
        Ok(Checked { name: self.name, value: Value::Int(kept), note })
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
