//! Golden scripts: statements in `golden/<name>.sql`, what they answer in `golden/<name>.result`.
//!
//! A statement ends with a line that ends in `;`. Lines that start with `-- ` are comments; `-- common` on the first line
//! says that a real MariaDB answers the same, and the test asks one. Results are written as
//!
//! ```text
//! SELECT ref_key, body FROM trips;
//! | ref_key | body |
//! | 1 | {"a":1} |
//! > 1 row
//! INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '{}');
//! > ok, 1 affected
//! UPDATE trips SET body = '2';
//! > error 1235 (42000): UPDATE is not supported: ...
//! ```
//!
//! Texts of errors are ours, so a common script has number and SQLSTATE only.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use crate::client::{self, Refusal};
use crate::settings;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// A real server: what it says is right.
    MariaDb,
    /// Cellgate over its own files.
    Embedded,
    /// Cellgate over three engines.
    Mixed,
}

/// A script and what it must answer.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its name, without directory and ending.
    pub name: String,
    /// Whether MariaDB must answer the same.
    pub common: bool,
    statements: Vec<String>,
    expected: String,
    result: PathBuf,
}

impl Script {
    /// Every script of `golden/`, by name.
    ///
    /// # Panics
    ///
    /// If they cannot be read.
    pub fn all() -> Vec<Self> {
        let directory = settings::package().join("golden");
        let mut scripts: Vec<Self> = std::fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "sql"))
            .map(|path| {
                let text = std::fs::read_to_string(&path).expect("a golden script is text");
                let result = path.with_extension("result");
                let expected = std::fs::read_to_string(&result).unwrap_or_default();
                let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                let common = text.lines().next() == Some("-- common");
                Self { name, common, statements: statements(&text), expected, result }
            })
            .collect();
        scripts.sort_by(|one, two| one.name.cmp(&two.name));
        scripts
    }

    /// Its statements.
    pub fn statements(&self) -> &[String] {
        &self.statements
    }

    /// Runs it on a connection: the transcript.
    ///
    /// # Panics
    ///
    /// If the connection breaks.
    pub async fn transcript(&self, conn: &mut Conn) -> String {
        let mut transcript = String::new();
        for statement in &self.statements {
            transcript.push_str(statement);
            transcript.push('\n');
            transcript.push_str(&answer(conn, statement.trim_end_matches(';'), !self.common).await);
        }
        transcript
    }

    /// Compares a transcript with the result file, or writes that file when `UPDATE_GOLDEN=1`: of a common script only the
    /// real server says what is right.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn compare(&self, server: Server, transcript: &str) -> Result<(), String> {
        let update = settings::updates_golden();
        if update && self.common == (server == Server::MariaDb) {
            return std::fs::write(&self.result, transcript).map_err(|error| error.to_string());
        }
        if transcript == self.expected {
            return Ok(());
        }
        Err(format!(
            "golden/{}.sql on {server:?} differs from its result ({}=1 writes it):\n{}",
            self.name,
            settings::UPDATE_GOLDEN,
            difference(&self.expected, transcript)
        ))
    }
}

/// Connects for a script: a database of its own on a real server, `test` on Cellgate.
///
/// # Panics
///
/// If it fails.
pub async fn connect(address: SocketAddr, database: &str) -> Conn {
    let options = client::options(address).db_name(Some(database));
    client::try_connect(options).await.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
}

/// Runs one statement: its part of a transcript.
///
/// # Panics
///
/// If the connection breaks.
pub async fn answer(conn: &mut Conn, statement: &str, with_message: bool) -> String {
    let rows = match conn.query_iter(statement).await {
        Ok(mut result) => {
            let columns = result.columns();
            match result.collect::<Row>().await {
                Ok(rows) => Ok((columns, rows)),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    };
    match rows {
        Ok((Some(columns), rows)) if !columns.is_empty() => {
            let names: Vec<String> = columns.iter().map(|column| column.name_str().into_owned()).collect();
            let mut text = line(&names);
            for row in &rows {
                let cells: Vec<String> = row.clone().unwrap().iter().map(show).collect();
                text.push_str(&line(&cells));
            }
            let plural = if rows.len() == 1 { "" } else { "s" };
            let _ = writeln!(text, "> {} row{plural}", rows.len());
            text
        }
        Ok(_) => format!("> ok, {} affected\n", conn.affected_rows()),
        Err(error) => match Refusal::of(&error) {
            Some(refusal) if with_message => {
                format!("> error {} ({}): {}\n", refusal.code, refusal.state, refusal.message)
            }
            Some(refusal) => format!("> error {} ({})\n", refusal.code, refusal.state),
            None => panic!("{statement}: {error}"),
        },
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// A value as a golden script shows it.
pub fn show(value: &Value) -> String {
    match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Date(..) | Value::Time(..) => value.as_sql(true),
    }
}

/// Cuts a script into statements, comments left out.
pub(crate) fn statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    for line in text.lines() {
        if statement.is_empty() && (line.trim().is_empty() || line.starts_with("-- ")) {
            continue;
        }
        if !statement.is_empty() {
            statement.push('\n');
        }
        statement.push_str(line);
        if line.trim_end().ends_with(';') {
            statements.push(std::mem::take(&mut statement));
        }
    }
    assert!(statement.trim().is_empty(), "a golden script ends without `;`: {statement}");
    statements
}

/// The first lines that differ, with those before.
pub(crate) fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let at = expected.iter().zip(&found).take_while(|(one, two)| one == two).count();
    let show = |lines: &[&str], mark: &str| {
        lines.iter().skip(at).take(4).fold(String::new(), |text, line| text + mark + line + "\n")
    };
    let before = expected[at.saturating_sub(3)..at].iter().fold(String::new(), |text, line| text + "  " + line + "\n");
    format!("line {}:\n{before}{}{}", at + 1, show(&expected, "- "), show(&found, "+ "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_cut_at_lines_that_end_with_a_semicolon() {
        let text = "-- common\n\nSELECT 1;\n-- why\nSELECT ';',\n  2;\n";
        assert_eq!(statements(text), ["SELECT 1;", "SELECT ';',\n  2;"]);
    }

    #[test]
    fn a_difference_shows_the_line() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), "line 2:\n  a\n- b\n- c\n+ x\n+ c\n");
    }
}
