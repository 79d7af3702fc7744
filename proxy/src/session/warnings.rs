//! What SHOW WARNINGS shows.

use cellgate_sql::{Row, Value};

/// Most bytes of messages that are kept of one statement, whatever `max_error_count` says; the last one may be beyond.
/// 65535 warnings of an INSERT IGNORE would otherwise be as long as 65535 keys.
pub const KEPT_BYTES: usize = 1 << 20;

/// Which warnings the session wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `sql_notes`: without it a note is neither kept nor counted.
    pub notes: bool,
    /// `max_error_count`: most that are kept of one statement; more are counted.
    pub most: usize,
}

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
    /// How long the messages that are kept are together.
    bytes: usize,
    count: usize,
    /// How many of them are errors.
    errors: usize,
    /// They are of the statement before.
    kept_on: bool,
}

impl Warnings {
    /// Adds one, as far as it is wanted.
    pub fn push(&mut self, wanted: Wanted, level: Level, code: u16, message: impl Into<String>) {
        if level == Level::Note && !wanted.notes {
            return;
        }
        self.count += 1;
        self.errors += usize::from(level == Level::Error);
        if self.kept.len() < wanted.most && self.bytes < KEPT_BYTES {
            let message = message.into();
            self.bytes += message.len();
            self.kept.push(Warning { level, code, message });
        }
    }

    /// The statement that runs is about them, and has none itself.
    pub fn keep(&mut self) {
        self.kept_on = true;
    }

    /// How many of them are of the statement that is answered, as an OK packet carries it.
    pub fn told(&self) -> u16 {
        if self.kept_on { 0 } else { self.count() }
    }

    /// How many there were: `@@warning_count`.
    pub fn count(&self) -> u16 {
        u16::try_from(self.count).unwrap_or(u16::MAX)
    }

    /// How many errors there were.
    pub fn errors(&self) -> usize {
        self.errors
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_in_bytes_and_all_are_counted() {
        let mut warnings = Warnings::default();
        let wanted = Wanted { notes: true, most: usize::from(u16::MAX) };
        for _ in 0..2000 {
            warnings.push(wanted, Level::Warning, 1062, "x".repeat(1 << 10));
        }
        assert_eq!((warnings.count(), warnings.rows(false).len()), (2000, KEPT_BYTES >> 10));
    }

    #[test]
    fn notes_are_kept_if_they_are_wanted_and_all_else_is_counted() {
        let mut warnings = Warnings::default();
        let wanted = Wanted { notes: false, most: 1 };
        warnings.push(wanted, Level::Note, 1051, "a");
        warnings.push(wanted, Level::Warning, 1292, "b");
        warnings.push(wanted, Level::Error, 1054, "c");
        assert_eq!((warnings.count(), warnings.errors()), (2, 1));
        assert_eq!((warnings.rows(false).len(), warnings.rows(true).len()), (1, 0));
        warnings.push(Wanted { notes: true, most: 2 }, Level::Note, 1051, "d");
        assert_eq!((warnings.count(), warnings.rows(false).len()), (3, 2));
        assert_eq!(warnings.told(), 3);
        warnings.keep();
        assert_eq!((warnings.told(), warnings.count()), (0, 3));
    }
}
