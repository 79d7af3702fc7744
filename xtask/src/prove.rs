//! `cargo xtask prove NAME`: the long proofs. Each is a test of `integration-tests` that does a small share in every run, and as
//! many rounds as asked for here.

use crate::command::{self, Failure};
use crate::install::{self, Extent};
use crate::test;
use crate::workspace::Workspace;

/// A long proof.
struct Proof {
    name: &'static str,
    /// The integration test, and the part of its names that selects the proof.
    test: &'static str,
    filter: &'static str,
    /// Rounds when nobody says how many.
    rounds: u64,
    /// What one round is.
    round: &'static str,
}

const PROOFS: &[Proof] = &[
    Proof { name: "kill-proxy", test: "kill", filter: "", rounds: 20, round: "kill -9 of the proxy under load" },
    Proof {
        name: "kill-backends",
        test: "backends",
        filter: "killed_under_load",
        rounds: 20,
        round: "kill -9 of each backend under load",
    },
    Proof { name: "log", test: "log_guarantee", filter: "", rounds: 20, round: "two proxies, writers and log readers" },
    Proof { name: "fuzz", test: "fuzz", filter: "", rounds: 100, round: "10 000 cases at a proxy, 10 000 in process" },
    Proof { name: "idle", test: "hostile", filter: "idle", rounds: 10, round: "1000 idle connections" },
    Proof { name: "model", test: "model", filter: "", rounds: 50, round: "1000 random operations on each deployment" },
];

/// Runs one.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let (name, options) = arguments.split_first().ok_or_else(unknown)?;
    let proof = PROOFS.iter().find(|proof| proof.name == name).ok_or_else(unknown)?;
    let (rounds, seed) = parse(options, proof.rounds)?;
    install::run(Extent::Servers)?;
    let workspace = Workspace::read()?;
    test::build_programs()?;
    eprintln!("{}: {rounds} rounds, each {}", proof.name, proof.round);
    let mut command = test::servers(&workspace);
    // The whole workspace, so that its dependencies have the features that they are compiled with already.
    command.args(["cargo", "test", "--workspace", "--test", proof.test, "--"]);
    command.args(["--nocapture", "--test-threads=1"]);
    if !proof.filter.is_empty() {
        command.arg(proof.filter);
    }
    command.env("CELLGATE_ROUNDS", rounds.to_string());
    if let Some(seed) = seed {
        command.env("CELLGATE_SEED", seed.to_string());
    }
    command::run(test::environment(&mut command, &workspace))
}

fn parse(options: &[String], rounds: u64) -> Result<(u64, Option<u64>), Failure> {
    let (mut rounds, mut seed) = (rounds, None);
    for pair in options.chunks(2) {
        let [name, value] = pair else {
            return Err(Failure::new(format!("{} needs a number", pair.join(" "))));
        };
        let number = value.parse().map_err(|_| Failure::new(format!("{name} {value}: not a number")))?;
        match name.as_str() {
            "--rounds" => rounds = number,
            "--seed" => seed = Some(number),
            other => return Err(Failure::new(format!("`prove` does not know `{other}`; see `cargo xtask help`"))),
        }
    }
    if rounds == 0 {
        return Err(Failure::new("--rounds 0: nothing would be proved"));
    }
    Ok((rounds, seed))
}

fn unknown() -> Failure {
    let names: Vec<_> = PROOFS.iter().map(|proof| proof.name).collect();
    Failure::new(format!("which proof? One of: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_proof_is_a_test_that_exists() {
        let tests = Workspace::read().unwrap().root().join("integration-tests/tests");
        for proof in PROOFS {
            let text = text_of(&tests, proof.test);
            let selected = text.lines().any(|line| selects(line, proof.filter));
            assert!(selected, "{} selects nothing", proof.name);
            assert!(text.contains("rounds("), "{} does not ask for its rounds", proof.name);
        }
    }

    /// Whether a line declares a function that a filter selects; words in a comment are none.
    fn selects(line: &str, filter: &str) -> bool {
        let (_, declared) = line.split_once("fn ").unwrap_or_default();
        !line.trim_start().starts_with("//") && declared.split_once('(').is_some_and(|(name, _)| name.contains(filter))
    }

    #[test]
    fn a_filter_selects_functions_and_no_comments() {
        assert!(selects("async fn idle_connections_are_cheap() {", "idle") && selects("fn any() {", ""));
        assert!(!selects("// the fn idle() of before", "idle") && !selects("let idle = f(idle);", "idle"));
        assert!(!selects("fn busy(idle: u8) {", "idle"));
    }

    /// The text of a test: of a file of its name, or of all files in a folder of its name.
    fn text_of(tests: &Path, name: &str) -> String {
        match std::fs::read_to_string(tests.join(format!("{name}.rs"))) {
            Ok(text) => text,
            Err(_) => {
                let files = std::fs::read_dir(tests.join(name)).unwrap();
                files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
            }
        }
    }

    #[test]
    fn options_are_pairs() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parse(&words("--rounds 7 --seed 9"), 1).unwrap(), (7, Some(9)));
        assert!(parse(&words("--rounds"), 1).is_err());
        assert!(parse(&words("--round 7"), 1).is_err());
        assert!(parse(&words("--rounds 0"), 1).unwrap_err().to_string().contains("nothing would be proved"));
    }
}
