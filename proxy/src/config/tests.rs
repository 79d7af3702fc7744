//! What the configuration promises.

use std::path::PathBuf;
use std::time::Duration;

use cellgate_store::engine::dsn::Password;

use super::*;

mod clusters;
mod defaults;
mod printing;
mod problems;
mod reload;
mod users;

fn environment(name: &str) -> Option<String> {
    match name {
        "PW" => Some("s3cret".to_owned()),
        "ODD" => Some("p@ss/w:rd?#%".to_owned()),
        "HOST" => Some("db1:3310".to_owned()),
        "URL" => Some("mysql://u:inline@h/d".to_owned()),
        "EMPTY" => Some(String::new()),
        "NAME" => Some("a".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, None, &environment, &Overrides::default())
}

#[track_caller]
fn valid(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn problems(text: &str) -> Vec<Problem> {
    match parse(text) {
        Err(ConfigError::Invalid { problems, .. }) => problems,
        other => panic!("{other:?}"),
    }
}

/// The one problem of `text`: its line, and its key and message together.
#[track_caller]
fn problem(text: &str) -> (Option<usize>, String) {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    (problems[0].line, format!("{}: {}", problems[0].key, problems[0].message))
}

#[track_caller]
fn refused(text: &str, line: usize, needle: &str) {
    let (at, message) = problem(text);
    assert!(message.contains(needle), "{message}");
    assert_eq!(at, Some(line), "{message}");
}

fn cluster(primary: &str) -> String {
    format!("[[cluster]]\nname = \"a\"\nprimary = \"{primary}\"\n")
}

fn password_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("writable");
    file
}

/// What becomes of a file that is read again by a process which runs with `running`.
fn read_again(running: &Config, text: &str) -> Result<Config, String> {
    running.parse_again(text, None, &environment, &Overrides::default()).map_err(|error| error.to_string())
}
