//! SET.

use cellgate_sql::{Setting, SettingScope, SettingValue, Value};

use super::error::StatementError;
use super::variables::{VariableError, canonical};
use super::{Session, USER_VARIABLE_BYTES, USER_VARIABLES};

/// One checked assignment.
enum Assignment {
    Session(&'static str, Value),
    Global(&'static str, Value),
    User(String, Value),
    NextReadOnly(bool),
    Nothing,
}

impl Session {
    /// Applies a SET: all of its assignments or, if one cannot be made, none.
    pub(super) async fn apply_settings(&mut self, settings: Vec<Setting>) -> Result<(), StatementError> {
        let mut assignments = Vec::new();
        for setting in settings {
            self.check_setting(setting, &mut assignments)?;
        }
        let turns_autocommit_on = |a: &Assignment| matches!(a, Assignment::Session("autocommit", Value::Int(1)));
        if assignments.iter().any(turns_autocommit_on) && !self.variables.is_on("autocommit") {
            self.commit_open().await?;
        }
        for assignment in assignments {
            match assignment {
                Assignment::Session(name, value) => self.variables.set(name, value),
                Assignment::Global(name, value) => self.server.set_global(name, value),
                Assignment::User(name, value) => {
                    self.user_variables.insert(name, value);
                }
                Assignment::NextReadOnly(read_only) => self.next_read_only = Some(read_only),
                Assignment::Nothing => {}
            }
        }
        Ok(())
    }

    fn check_setting(&self, setting: Setting, out: &mut Vec<Assignment>) -> Result<(), StatementError> {
        let Setting { scope, name, value } = setting;
        match scope {
            SettingScope::User => {
                let SettingValue::Value(value) = value else {
                    return Err(VariableError::WrongType(name).into());
                };
                if self.user_variables.len() >= USER_VARIABLES && !self.user_variables.contains_key(&name) {
                    let (value, reason) = (String::new(), "the session has too many user variables");
                    return Err(VariableError::Refused { name, value, reason }.into());
                }
                if let Value::Text(b) | Value::Bytes(b) | Value::Json(b) = &value
                    && b.len() > USER_VARIABLE_BYTES
                {
                    let (value, reason) = (String::new(), "it is longer than a user variable may be (1 MiB)");
                    return Err(VariableError::Refused { name, value, reason }.into());
                }
                out.push(Assignment::User(name, value));
            }
            SettingScope::NextTransaction => {
                if self.transaction.is_some() {
                    return Err(StatementError::TransactionInProgress);
                }
                let (known, value) = self.variables.check(&name, &value, self.server.facts())?;
                out.push(match (known, value) {
                    ("transaction_read_only", Value::Int(on)) => Assignment::NextReadOnly(on != 0),
                    // What a level gives is the same for every level so far: READ COMMITTED.
                    _ => Assignment::Nothing,
                });
            }
            SettingScope::Session => self.check_session(&name, &value, out)?,
            SettingScope::Global => {
                let names: Vec<&str> = spelled_out(&name);
                for one in names {
                    let (known, value) = self.variables.check(one, &value, self.server.facts())?;
                    out.push(Assignment::Global(known, value));
                }
            }
        }
        Ok(())
    }

    fn check_session(&self, name: &str, value: &SettingValue, out: &mut Vec<Assignment>) -> Result<(), StatementError> {
        let only_global = ["max_connections", "connect_timeout", "init_connect", "read_only", "super_read_only"];
        if only_global.contains(&canonical(name)) {
            return Err(VariableError::GlobalOnly(name.to_owned()).into());
        }
        for one in spelled_out(name) {
            let (known, value) = self.variables.check(one, value, self.server.facts())?;
            if known == "character_set_connection"
                && let Value::Text(charset) = &value
            {
                let collation: &'static [u8] = match charset.as_ref() {
                    b"binary" => b"binary",
                    b"utf8" | b"utf8mb3" => b"utf8mb3_general_ci",
                    _ => b"utf8mb4_0900_ai_ci",
                };
                out.push(Assignment::Session("collation_connection", Value::Text(collation.into())));
            }
            out.push(Assignment::Session(known, value));
        }
        Ok(())
    }
}

/// The variables behind `SET NAMES` and `SET CHARACTER SET`; any other name is itself.
fn spelled_out(name: &str) -> Vec<&str> {
    match name {
        "names" => vec!["character_set_client", "character_set_results", "character_set_connection"],
        "character_set" | "charset" => vec!["character_set_client", "character_set_results"],
        one => vec![one],
    }
}
