//! What a client is told of changes to its session (SESSION_TRACK): the current database, and the system variables that
//! `session_track_system_variables` names.

use cellgate_sql::Value;

use super::Session;
use crate::wire::SessionChange;

/// What is remembered between two replies.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Whether the client asked to be told.
    pub(super) asked: bool,
    /// The database it was told of last.
    database: Option<String>,
    /// Variables that have changed since.
    variables: Vec<SessionChange>,
}

/// The variables of a client that are told, at one time.
pub(super) struct Tracked(Vec<(String, String)>);

impl Session {
    /// The variables that are told if they change; none if nobody asked.
    pub(super) fn tracked(&self) -> Tracked {
        if !self.track.asked {
            return Tracked(Vec::new());
        }
        let names = match self.variables.get("session_track_system_variables") {
            Some(Value::Text(names)) => String::from_utf8_lossy(names).into_owned(),
            _ => String::new(),
        };
        let all = names.trim() == "*";
        let wanted: Vec<&str> = names.split(',').map(str::trim).collect();
        let told = |name: &str| all || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
        let shown = self.variables.show().filter(|(name, _)| told(name));
        Tracked(shown.map(|(name, value)| (name.to_owned(), text(&value))).collect())
    }

    /// Notes what is different from `before`.
    pub(super) fn note_variables(&mut self, before: Tracked) {
        let after = self.tracked();
        let changed = after.0.into_iter().filter(|pair| !before.0.contains(pair));
        self.track.variables.extend(changed.map(|(name, value)| SessionChange::Variable { name, value }));
    }

    /// What changed since this was asked last.
    pub(super) fn take_changes(&mut self) -> Vec<SessionChange> {
        let mut changes = std::mem::take(&mut self.track.variables);
        if !self.track.asked {
            return changes;
        }
        if self.track.database != self.database {
            self.track.database.clone_from(&self.database);
            if self.variables.number("session_track_schema") != 0 {
                changes.push(SessionChange::Schema(self.database.clone().unwrap_or_default()));
            }
        }
        if !changes.is_empty() && self.variables.number("session_track_state_change") != 0 {
            changes.push(SessionChange::State);
        }
        changes
    }

    /// A client begins: it is told from here on.
    pub(super) fn begin_tracking(&mut self, asked: bool) {
        self.track = Track { asked, ..Track::default() };
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Decimal(text) => text.clone(),
        Value::Null | Value::DateTime(_) => String::new(),
    }
}
