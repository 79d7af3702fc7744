//! `cargo xtask instructions`: how many instructions the parts take that every statement goes through.
//!
//! Unlike times they do not depend on what the machine does besides, so that CI can compare them. They do depend on the
//! compiler: what is kept is kept per version of rustc, and a version nothing is kept for is only reported. They are
//! counted in the development profile as Cargo.toml has it, which CI has compiled anyway.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Failure, quietly};
use crate::install::{self, Extent};
use crate::test;
use crate::workspace::Workspace;

/// Each part is done that often, and that often more: the difference is free of what starting costs.
const FEW: u64 = 100;
const MANY: u64 = 1100;
/// By how much a count may differ from the one that is kept, in percent.
const TOLERANCE_PERCENT: f64 = 3.0;

/// Counts by part.
type Counts = BTreeMap<String, u64>;

/// Counts, and compares with what is kept, or keeps it (`--update`).
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let update = match arguments {
        [] => false,
        [flag] if flag == "--update" => true,
        _ => return Err(Failure::new("usage: cargo xtask instructions [--update]")),
    };
    if let Some((name, _)) = std::env::vars().find(|(name, _)| name.starts_with("CARGO_PROFILE_DEV")) {
        return Err(Failure::new(format!("{name} is set: the counts that are kept are of the profile in Cargo.toml")));
    }
    install::run(Extent::Instructions)?;
    let workspace = Workspace::read()?;
    // With the features of the tests, so that nothing is compiled twice.
    test::build_programs()?;
    let program = workspace.target().join("debug/examples/count");
    let mut counts = Counts::new();
    for part in quietly(Command::new(&program).arg("--list"))?.lines() {
        let count = (count(&program, part, MANY)? - count(&program, part, FEW)?) / (MANY - FEW);
        println!("{count:>8} instructions: {part}");
        counts.insert(part.to_owned(), count);
    }
    let kept = kept(&workspace.root())?;
    if update {
        if let Some(directory) = kept.parent() {
            std::fs::create_dir_all(directory).map_err(|error| Failure::new(error.to_string()))?;
        }
        return std::fs::write(&kept, write(&counts))
            .map_err(|error| Failure::new(format!("{}: {error}", kept.display())));
    }
    let Ok(text) = std::fs::read_to_string(&kept) else {
        println!("nothing is kept for this compiler: `cargo xtask instructions --update` writes {}", kept.display());
        return Ok(());
    };
    let wrong = compare(&read(&text)?, &counts);
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("\n"))) }
}

/// The instructions of one run of the program.
fn count(program: &Path, part: &str, times: u64) -> Result<u64, Failure> {
    let log = std::env::temp_dir().join(format!("cellgate-callgrind-{}", std::process::id()));
    quietly(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(format!("--log-file={}", log.display()))
            .arg(program)
            .args([part, &times.to_string()]),
    )?;
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    collected(&text).ok_or_else(|| Failure::new(format!("valgrind did not say how many instructions:\n{text}")))
}

/// The number in `==1== Collected : 12345`.
fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Where the counts of this compiler are kept.
fn kept(root: &Path) -> Result<PathBuf, Failure> {
    let version = quietly(Command::new("rustc").arg("--version"))?;
    let version = version.split(' ').nth(1).unwrap_or("unknown").to_owned();
    Ok(root.join("benchmarks/instructions").join(format!("{version}.json")))
}

fn write(counts: &Counts) -> String {
    let lines: Vec<String> = counts.iter().map(|(part, count)| format!("  \"{part}\": {count}")).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// Reads what [`write()`] wrote: one level of names and numbers.
fn read(text: &str) -> Result<Counts, Failure> {
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
    let pairs = inner.split(',').map(|pair| {
        let (part, count) = pair.split_once(':')?;
        Some((part.trim().trim_matches('"').to_owned(), count.trim().parse().ok()?))
    });
    pairs.collect::<Option<Counts>>().ok_or_else(|| Failure::new("benchmarks/instructions: not names and numbers"))
}

/// A sentence for everything that differs.
fn compare(kept: &Counts, counted: &Counts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (part, count) in counted {
        let Some(before) = kept.get(part) else {
            wrong.push(format!("{part} is new: keep its count with `cargo xtask instructions --update`"));
            continue;
        };
        let percent = (*count as f64 - *before as f64) * 100.0 / *before as f64;
        if percent.abs() > TOLERANCE_PERCENT {
            wrong.push(format!(
                "{part}: {count} instructions instead of {before} ({percent:+.1} %). If that is meant, keep it with \
                 `cargo xtask instructions --update`, and say why in the commit"
            ));
        }
    }
    wrong.extend(kept.keys().filter(|part| !counted.contains_key(*part)).map(|part| format!("{part} is gone")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs.iter().map(|(part, count)| ((*part).to_owned(), *count)).collect()
    }

    #[test]
    fn what_is_kept_is_read_as_it_was_written() {
        let some = counts(&[("decode", 812), ("encode", 90)]);
        assert_eq!(read(&write(&some)).unwrap(), some);
        assert!(read("{ \"decode\": many }").is_err());
    }

    #[test]
    fn a_count_may_differ_by_three_percent_and_not_more() {
        let kept = counts(&[("decode", 1000)]);
        assert!(compare(&kept, &counts(&[("decode", 1030)])).is_empty());
        assert_eq!(compare(&kept, &counts(&[("decode", 1031)])).len(), 1);
        assert_eq!(compare(&kept, &counts(&[("decode", 960)])).len(), 1);
        assert_eq!(compare(&kept, &counts(&[("encode", 1)])).len(), 2);
    }

    #[test]
    fn the_number_of_valgrind_is_found() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 123456\n"), Some(123_456));
        assert_eq!(collected("==7== no such line"), None);
    }
}
