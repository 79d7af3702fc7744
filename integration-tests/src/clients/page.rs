//! docs/CLIENTS.md: how the clients fared in the last run that wrote it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use super::report::{Outcome, Report};
use super::steps::Family;
use super::table::StockClient;
use crate::settings;

const NOT_YET: &str = "not yet";

const OPENING: &str = "\
# Clients

What stock MySQL clients do on Cellgate, as `cargo xtask test --only clients` found it: the same programs
(`integration-tests/clients/`) run on a real MariaDB, which proves the program, on embedded SQLite and on a mixed deployment.
A run compares this page with what it found; with `UPDATE_GOLDEN=1` it writes it.

`ok` passed everywhere, `-` the client has no way to do it, `refused` Cellgate refuses it on purpose; the reasons stand below
each table. Versions are those of the run that wrote the page.
";

/// What users of these clients have to know beside it.
const NOTES: &str = include_str!("notes.md");

/// The page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    text: String,
}

impl Page {
    /// Writes it from the reports of all clients.
    pub fn of(reports: &[(&StockClient, Report)]) -> Self {
        let mut text = OPENING.to_owned();
        let mut groups: Vec<&str> = reports.iter().map(|(client, _)| client.group).collect();
        groups.dedup();
        for group in groups {
            let members: Vec<_> = reports.iter().filter(|(client, _)| client.group == group).collect();
            write!(text, "\n## {group}\n\n").expect("a string takes everything");
            let single = members.iter().all(|(client, _)| matches!(client.family, Family::Tool(_)));
            text.push_str(&if single { list(&members) } else { table(&members) });
        }
        text.push_str(NOTES);
        Self { text }
    }

    /// Where it is.
    pub fn path() -> PathBuf {
        settings::package().join("../docs/CLIENTS.md")
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a text is the same page, apart from versions and from what has come since.
    pub fn agrees_with(&self, other: &str) -> bool {
        let passing = |line: &&str| is_version(line) || (line.starts_with("- ") && line.contains(NOT_YET));
        let lines = |text: &str| {
            let lines = text.lines().filter(|line| !passing(line)).map(|line| line.replace(NOT_YET, "ok"));
            lines.filter(|line| !line.is_empty()).collect::<Vec<_>>()
        };
        lines(&self.text) == lines(other)
    }
}

fn is_version(line: &str) -> bool {
    line.starts_with("| version |") || line.starts_with("Version: ")
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "ok",
        Outcome::Skipped(_) => "-",
        Outcome::Refused(_) => "refused",
        Outcome::NotYet(_) => NOT_YET,
        Outcome::Failed(_) => "FAILS",
    }
}

/// Steps by clients.
fn table(members: &[&(&StockClient, Report)]) -> String {
    let row = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = row([vec!["step"], members.iter().map(|(client, _)| client.name).collect()].concat());
    text.push_str(&row(vec!["---"; members.len() + 1]));
    text.push_str(
        &row([vec!["version"], members.iter().map(|(_, report)| report.version.as_str()).collect()].concat()),
    );
    let (client, _) = members[0];
    for step in client.family.steps() {
        let outcome =
            |report: &Report| report.steps.iter().find(|(name, _)| *name == step.name).map(|(_, how)| word(how));
        let found: Vec<_> = members.iter().map(|(_, report)| outcome(report).unwrap_or_default()).collect();
        let name = format!("`{}` {}", step.name, step.meaning);
        text.push_str(&row([vec![name.as_str()], found].concat()));
    }
    text + &reasons(members)
}

/// A client after the other, for those with steps of their own.
fn list(members: &[&(&StockClient, Report)]) -> String {
    let mut text = String::new();
    for (client, report) in members {
        write!(text, "### {}\n\nVersion: {}\n\n| step | |\n| --- | --- |\n", client.name, report.version)
            .expect("a string takes everything");
        for (step, (_, outcome)) in client.family.steps().iter().zip(&report.steps) {
            let why = match outcome {
                Outcome::Skipped(why) => format!(": {why}"),
                Outcome::Refused(why) | Outcome::NotYet(why) => format!(": {why}"),
                Outcome::Passed | Outcome::Failed(_) => String::new(),
            };
            writeln!(text, "| `{}` {} | {}{why} |", step.name, step.meaning, word(outcome))
                .expect("a string takes everything");
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// Why steps are left out or refused, each reason once.
fn reasons(members: &[&(&StockClient, Report)]) -> String {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (client, report) in members {
        for (step, outcome) in &report.steps {
            let reason = match outcome {
                Outcome::Skipped(why) => format!("- `{step}`: {why}"),
                Outcome::Refused(why) => format!("- `{step}` is refused: {why}"),
                Outcome::NotYet(why) => format!("- `{step}` {NOT_YET}: {why}"),
                Outcome::Passed | Outcome::Failed(_) => continue,
            };
            reasons.entry(reason).or_default().push(client.name);
        }
    }
    let line = |(reason, clients): (String, Vec<&str>)| {
        if clients.len() == members.len() {
            format!("{reason}\n")
        } else {
            format!("{reason} ({})\n", clients.join(", "))
        }
    };
    let lines: String = reasons.into_iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

#[cfg(test)]
mod tests {
    use super::super::table::CLIENTS;
    use super::*;

    /// A page on which everything passed.
    fn page(version: &str) -> Page {
        let report = |client: &StockClient| Report {
            version: version.to_owned(),
            steps: client.family.steps().iter().map(|step| (step.name, Outcome::Passed)).collect(),
            output: None,
        };
        let reports: Vec<_> = CLIENTS.iter().map(|client| (client, report(client))).collect();
        Page::of(&reports)
    }

    #[test]
    fn the_page_in_the_repository_has_every_client_and_step_and_no_failure() {
        let written = std::fs::read_to_string(Page::path()).unwrap();
        // The same page but for what the cells say, and for the reasons.
        let form = |text: &str| {
            let lines = text.lines().filter(|line| !is_version(line) && !line.starts_with("- "));
            let first = |line: &str| match line.split_once("` ") {
                Some((step, _)) => step.to_owned(),
                None => line.to_owned(),
            };
            lines.map(first).filter(|line| !line.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(
            form(&written),
            form(page("").text()),
            "write it with UPDATE_GOLDEN=1 cargo xtask test --only clients"
        );
        assert!(!written.contains("FAILS"));
    }

    #[test]
    fn a_new_version_is_no_other_page_and_another_outcome_is() {
        assert!(page("1").agrees_with(page("2").text()));
        assert!(!page("1").agrees_with(&page("1").text().replace("| ok |", "| - |")));
    }

    #[test]
    fn the_readme_names_the_drivers() {
        let readme = std::fs::read_to_string(settings::package().join("../README.md")).unwrap();
        for name in ["PyMySQL", "mysqlclient", "aiomysql", "asyncmy", "diesel", "mysql_async", "PDO", "DBD::MariaDB"] {
            assert!(readme.contains(name), "README.md does not name {name}");
        }
    }
}
