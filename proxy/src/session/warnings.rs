//! What SHOW WARNINGS shows.

use cellgate_sql::{Row, Value};

/// Most warnings kept of one statement (MySQL's `max_error_count`).
const KEPT: usize = 1024;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For information.
    Note,
    /// Something was not done as written.
    Warning,
    /// The statement failed.
    Error,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// How bad.
    pub level: Level,
    /// MySQL's number.
    pub code: u16,
    /// The text.
    pub message: String,
}

/// The warnings of the last statement.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    kept: Vec<Warning>,
    count: usize,
}

impl Warnings {
    /// Adds one.
    pub fn push(&mut self, level: Level, code: u16, message: impl Into<String>) {
        self.count += 1;
        if self.kept.len() < KEPT {
            self.kept.push(Warning { level, code, message: message.into() });
        }
    }

    /// How many there were, as an OK packet carries it.
    pub fn count(&self) -> u16 {
        u16::try_from(self.count).unwrap_or(u16::MAX)
    }

    /// The rows of SHOW WARNINGS, or of SHOW ERRORS.
    pub fn rows(&self, only_errors: bool) -> Vec<Row> {
        let shown = self.kept.iter().filter(|w| !only_errors || w.level == Level::Error);
        shown
            .map(|w| {
                let level = match w.level {
                    Level::Note => "Note",
                    Level::Warning => "Warning",
                    Level::Error => "Error",
                };
                vec![Value::Text(level.into()), Value::Int(w.code.into()), Value::Text(w.message.clone().into())]
            })
            .collect()
    }
}
