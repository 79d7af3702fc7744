//! What a client is told of changes to its session (SESSION_TRACK): the current database, the system variables that
//! `session_track_system_variables` names, and the transaction as far as `session_track_transaction_info` says.

use std::sync::Arc;

use cellgate_sql::Value;

use super::{Characteristics, Deeds, Open, Session, Start};
use crate::wire::SessionChange;

/// What is remembered between two replies.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Whether the client asked to be told.
    pub(super) asked: bool,
    /// The database it was told of last.
    database: Option<Arc<str>>,
    /// Variables that have changed since.
    variables: Vec<SessionChange>,
    /// The state and the characteristics of the transaction as told last; none while they are not told.
    state: Option<String>,
    characteristics: Option<String>,
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
                changes.push(SessionChange::Schema(self.database.as_deref().unwrap_or_default().to_owned()));
            }
        }
        self.note_transaction(&mut changes);
        if !changes.is_empty() && self.variables.number("session_track_state_change") != 0 {
            changes.push(SessionChange::State);
        }
        changes
    }

    /// What is new of the transaction.
    fn note_transaction(&mut self, changes: &mut Vec<SessionChange>) {
        let (state, characteristics) = match self.variables.get("session_track_transaction_info") {
            Some(Value::Text(wanted)) if wanted.eq_ignore_ascii_case(b"CHARACTERISTICS") => {
                (Some(self.transaction_state()), Some(self.transaction_characteristics()))
            }
            Some(Value::Text(wanted)) if wanted.eq_ignore_ascii_case(b"STATE") => {
                (Some(self.transaction_state()), None)
            }
            Some(_) | None => (None, None),
        };
        if self.track.characteristics != characteristics {
            changes.extend(characteristics.clone().map(SessionChange::TransactionCharacteristics));
            self.track.characteristics = characteristics;
        }
        if self.track.state != state {
            changes.extend(state.clone().map(SessionChange::TransactionState));
            self.track.state = state;
        }
    }

    /// Eight characters, as MySQL has them: how it was opened, two for what is read, two for what is written, unsafe
    /// statements, result sets, LOCK TABLES. Nothing here is outside of transactions, so that three of them never show.
    fn transaction_state(&self) -> String {
        let (start, done) = match &self.transaction {
            None => ('_', Deeds::default()),
            Some(Open { start: Start::Implicit, done, .. }) => ('I', *done),
            Some(Open { start: Start::Explicit | Start::Snapshot, done, .. }) => ('T', *done),
        };
        let shown = |so: bool, letter| if so { letter } else { '_' };
        let locked = self.locks_tables();
        [start, '_', shown(done.read, 'R'), '_', shown(done.wrote, 'W'), '_', shown(done.sent, 'S'), shown(locked, 'L')]
            .iter()
            .collect()
    }

    /// The statements that open such a transaction elsewhere.
    fn transaction_characteristics(&self) -> String {
        let (start, Characteristics { isolation, read_only }) = match &self.transaction {
            Some(open) => (open.start, &open.asked),
            None => (Start::Implicit, &self.next),
        };
        let access = read_only.map(|read_only| if read_only { "READ ONLY" } else { "READ WRITE" });
        let mut statements = Vec::new();
        if let Some(level) = isolation {
            statements.push(format!("SET TRANSACTION ISOLATION LEVEL {};", level.replace('-', " ")));
        }
        match (start, access) {
            (Start::Implicit, None) => {}
            (Start::Implicit, Some(access)) => statements.push(format!("SET TRANSACTION {access};")),
            (Start::Explicit, None) => statements.push("START TRANSACTION;".to_owned()),
            (Start::Explicit, Some(access)) => statements.push(format!("START TRANSACTION {access};")),
            (Start::Snapshot, None) => statements.push("START TRANSACTION WITH CONSISTENT SNAPSHOT;".to_owned()),
            (Start::Snapshot, Some(access)) => {
                statements.push(format!("START TRANSACTION WITH CONSISTENT SNAPSHOT, {access};"));
            }
        }
        statements.join(" ")
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
