//! SET.

use cellgate_sql::{Setting, SettingScope, SettingValue, SqlError, Value};

use super::Session;
use super::error::StatementError;
use super::variables::{Checked, Target, VariableError, Variables};
use super::warnings::Level;
use crate::errors::notes;

/// One checked assignment.
enum Assignment {
    Session(&'static str, Value),
    Global(&'static str, Value),
    LastInsertId(u64),
    NextReadOnly(bool),
    NextIsolation(String),
    Nothing,
}

/// What a SET assigns, checked.
#[derive(Default)]
struct Assignments {
    /// What is not a user variable.
    system: Vec<Assignment>,
    user: Vec<(String, Value)>,
    /// Warnings 1292.
    notes: Vec<String>,
}

impl Session {
    /// Applies a SET: all of its assignments or, if one cannot be made, none.
    pub(super) async fn apply_settings(&mut self, settings: Vec<Setting>) -> Result<(), StatementError> {
        let globals = self.server.globals();
        let mut checked = Assignments::default();
        for setting in settings {
            self.check_setting(setting, &globals, &mut checked)?;
        }
        let Assignments { system: assignments, user, notes } = checked;
        self.user_variables.check(&user, self.most_of_user_variables())?;
        let turns_autocommit_on = |a: &Assignment| matches!(a, Assignment::Session("autocommit", Value::Int(1)));
        if assignments.iter().any(turns_autocommit_on) && !self.variables.derived().autocommit {
            self.commit_open().await?;
        }
        for assignment in assignments {
            match assignment {
                Assignment::Session(name, value) => self.variables.set(name, value),
                Assignment::Global(name, value) => self.server.set_global(name, value),
                Assignment::LastInsertId(id) => self.last_insert_id = id,
                Assignment::NextReadOnly(read_only) => self.next.read_only = Some(read_only),
                Assignment::NextIsolation(level) => self.next.isolation = Some(level),
                Assignment::Nothing => {}
            }
        }
        self.set_user_variables(user)?;
        for note in notes {
            self.warn(Level::Warning, notes::WRONG_VALUE, note);
        }
        Ok(())
    }

    /// Sets user variables: all of them or none.
    pub(super) fn set_user_variables(&mut self, new: Vec<(String, Value)>) -> Result<(), SqlError> {
        self.user_variables.set(new, self.most_of_user_variables())
    }

    fn most_of_user_variables(&self) -> usize {
        self.server.config().limits.user_variables.bytes()
    }

    fn check_setting(
        &self,
        setting: Setting,
        globals: &Variables,
        Assignments { system: out, user, notes }: &mut Assignments,
    ) -> Result<(), StatementError> {
        let Setting { scope, name, value } = setting;
        let mut check = |name: &str, target| {
            let Checked { name, value, note } = Variables::check(name, &value, target, globals, self.server.facts())?;
            notes.extend(note);
            Ok::<_, VariableError>((name, value))
        };
        match scope {
            SettingScope::User => {
                let SettingValue::Value(value) = value else {
                    return Err(VariableError::WrongType(name).into());
                };
                user.push((name, value));
            }
            SettingScope::NextTransaction => {
                if self.transaction.is_some() {
                    return Err(StatementError::TransactionInProgress);
                }
                out.push(match check(&name, Target::Session)? {
                    ("transaction_read_only", Value::Int(on)) => Assignment::NextReadOnly(on != 0),
                    // What a level gives is the same for every level, READ COMMITTED; it is kept to be told.
                    ("transaction_isolation", Value::Text(level)) => {
                        Assignment::NextIsolation(String::from_utf8_lossy(&level).into_owned())
                    }
                    _ => Assignment::Nothing,
                });
            }
            SettingScope::Session => {
                for one in spelled_out(&name) {
                    let (known, value) = check(one, Target::Session)?;
                    out.extend(follower(known, &value).map(|(other, value)| Assignment::Session(other, value)));
                    out.push(match (known, &value) {
                        ("last_insert_id", Value::Int(id)) => Assignment::LastInsertId(id.unsigned_abs()),
                        ("last_insert_id", Value::UInt(id)) => Assignment::LastInsertId(*id),
                        _ => Assignment::Session(known, value),
                    });
                }
            }
            SettingScope::Global => {
                for one in spelled_out(&name) {
                    let (known, value) = check(one, Target::Global)?;
                    out.extend(follower(known, &value).map(|(other, value)| Assignment::Global(other, value)));
                    out.push(Assignment::Global(known, value));
                }
            }
        }
        Ok(())
    }
}

/// Character sets of something, and its collations.
const PAIRS: [(&str, &str); 3] = [
    ("character_set_connection", "collation_connection"),
    ("character_set_database", "collation_database"),
    ("character_set_server", "collation_server"),
];

/// What is set with a variable: a character set brings its collation with it, and the other way around.
fn follower(name: &str, value: &Value) -> Option<(&'static str, Value)> {
    let Value::Text(set) = value else { return None };
    let (charset, collation) = PAIRS.into_iter().find(|(charset, collation)| [*charset, *collation].contains(&name))?;
    let (other, follows): (_, &'static [u8]) = match set.as_ref() {
        b"binary" if name == charset => (collation, b"binary"),
        b"utf8mb3" if name == charset => (collation, b"utf8mb3_general_ci"),
        _ if name == charset => (collation, b"utf8mb4_0900_ai_ci"),
        b"binary" => (charset, b"binary"),
        set if set.starts_with(b"utf8mb4") => (charset, b"utf8mb4"),
        _ => (charset, b"utf8mb3"),
    };
    Some((other, Value::Text(follows.into())))
}

/// The variables behind `SET NAMES` and `SET CHARACTER SET`; any other name is itself.
fn spelled_out(name: &str) -> Vec<&str> {
    match name {
        "names" => vec!["character_set_client", "character_set_results", "character_set_connection"],
        "character_set" | "charset" => vec!["character_set_client", "character_set_results"],
        one => vec![one],
    }
}
