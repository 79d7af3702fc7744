//! Rules of style that a program can check. Each says what to write instead.

use std::path::{Path, PathBuf};

use crate::command::Failure;
use crate::workspace::Workspace;

/// From here on a file is asked which noun wants out of it. A smell, not a law, so it is only listed.
const LONG_FILE_LINES: usize = 500;
/// No file is that long for a good reason.
const LONGEST_FILE_LINES: usize = 1000;

/// Files whose waiting is the point: polling with a deadline, load that runs for a while, and time that passes for a reason.
const MAY_SLEEP: &[&str] = &[
    "integration-tests/src/wait.rs",
    "integration-tests/src/load/writer.rs",
    "proxy/src/catalog/tests/followers.rs",
    "store/tests/servers/wait.rs",
];

/// Names that say nothing of what is in a file, a folder or a package.
const VAGUE: [&str; 5] = ["util", "utils", "common", "helpers", "misc"];

// Patterns are put together here, so that this file does not match itself.
const UNFINISHED: &[&str] = &[concat!("to", "do!("), concat!("unimple", "mented!("), concat!("#[ig", "nore")];
/// What stands before a module of tests.
const TEST: &str = "#[cfg(test)]\n";
const SLEEP: &str = concat!("sle", "ep(");
/// A question that only time answers.
const ONLY_TIME: [&str; 2] = [concat!("unt", "il"), concat!(".elapsed()", " >")];
const UNSAFE: &[&str] = &[concat!("uns", "afe {"), concat!("uns", "afe fn"), concat!("uns", "afe impl")];

/// `cargo xtask tidy`.
pub fn run() -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    let sources = Source::all(&workspace)?;
    for source in sources.iter().filter(|source| source.lines() > LONG_FILE_LINES) {
        println!("{:5} lines: {}", source.lines(), source.name);
    }
    let wrong = check(&workspace, &sources);
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("\n"))) }
}

/// A Rust file of ours.
pub(crate) struct Source {
    /// Path within the workspace.
    pub(crate) name: String,
    pub(crate) text: String,
    /// Whether it is a module, or in one, that is compiled for tests only.
    pub(crate) only_tests: bool,
}

impl Source {
    /// All of them, in the order of their paths within each package.
    pub(crate) fn all(workspace: &Workspace) -> Result<Vec<Self>, Failure> {
        let mut sources = Vec::new();
        for package in workspace.packages() {
            collect(&workspace.root(), &workspace.root().join(workspace.folder(package)), &mut sources)?;
        }
        let modules: Vec<String> = sources.iter().flat_map(Self::test_modules).collect();
        for source in &mut sources {
            source.only_tests = modules.iter().any(|module| is_in(&source.name, module));
        }
        Ok(sources)
    }

    fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// The part that only tests run.
    fn test_text(&self) -> &str {
        let whole = self.only_tests
            || self.name.contains("/tests/")
            || self.name.ends_with("/tests.rs")
            || self.name.starts_with("integration-tests/");
        if whole {
            return &self.text;
        }
        // A module of its own in another file is looked at there.
        let mut starts = self.text.match_indices(TEST).map(|(start, _)| start);
        let tests = starts.find(|start| self.text[start + TEST.len()..].lines().next().is_some_and(opens_tests));
        tests.map_or("", |start| &self.text[start..])
    }

    /// The rest.
    pub(crate) fn product_text(&self) -> &str {
        // Tests are all of a file, or its end.
        &self.text[..self.text.len() - self.test_text().len()]
    }

    /// The modules in files of their own that this one has for tests only: their paths without an ending.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.name.strip_suffix(".rs").unwrap_or_default().rsplit_once('/') {
            Some((folder, "lib" | "main" | "mod")) => folder.to_owned(),
            Some((folder, stem)) => format!("{folder}/{stem}"),
            None => return Vec::new(),
        };
        let declared = self.text.split(TEST).skip(1).filter_map(|behind| {
            let line = behind.lines().next()?.strip_suffix(';')?;
            let (visibility, name) = line.split_once("mod ")?;
            (visibility.is_empty() || visibility.starts_with("pub")).then(|| format!("{folder}/{name}"))
        });
        declared.collect()
    }

    /// Whether a test of it waits in real time.
    fn sleeps(&self) -> bool {
        let text = self.test_text();
        // Up to the first test there are what tests have in common.
        let mut parts = text.split("#[t");
        let paused = text.contains("start_paused");
        let common = parts.next().unwrap_or_default().contains(SLEEP) && !paused;
        common || parts.any(|test| test.contains(SLEEP) && !test.contains("start_paused"))
    }
}

/// Whether a line is the first of a module `tests`, whoever may see it.
fn opens_tests(line: &str) -> bool {
    line.strip_suffix("mod tests {").is_some_and(|visibility| visibility.is_empty() || visibility.starts_with("pub"))
}

/// Whether a file is a module, or in it.
fn is_in(file: &str, module: &str) -> bool {
    file.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn collect(root: &Path, directory: &Path, sources: &mut Vec<Source>) -> Result<(), Failure> {
    let failure = |path: &Path, error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| failure(directory, error))? {
        paths.push(entry.map_err(|error| failure(directory, error))?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            collect(root, &path, sources)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).map_err(|error| failure(&path, error))?;
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            sources.push(Source { name, text, only_tests: false });
        }
    }
    Ok(())
}

fn check(workspace: &Workspace, sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    wrong.extend(sources.iter().flat_map(check_source));
    for package in workspace.packages() {
        let folder = workspace.folder(package);
        if VAGUE.contains(&folder.as_str()) {
            wrong.push(format!("{folder}: a package is named after what it is for, not after being shared"));
        }
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap_or_default();
        if !manifest.contains("[lints]\nworkspace = true") {
            wrong.push(format!(
                "{folder}/Cargo.toml: write `[lints]` with `workspace = true`: it is what forbids unsafe code"
            ));
        }
    }
    wrong
}

fn check_source(source: &Source) -> Vec<String> {
    let Source { name, text, .. } = source;
    let mut wrong = Vec::new();
    if !text.starts_with("//!") {
        wrong.push(format!("{name}: open with `//!`: what the module is for, what it assumes, what it refuses"));
    }
    for pattern in UNFINISHED.iter().filter(|pattern| text.contains(**pattern)) {
        wrong.push(format!("{name}: `{pattern}`: finish it or delete it"));
    }
    for pattern in UNSAFE.iter().filter(|pattern| text.contains(**pattern)) {
        wrong.push(format!("{name}: `{pattern}`: there is a safe way, or a crate that has proved its unsafe one"));
    }
    if source.sleeps() && !MAY_SLEEP.contains(&name.as_str()) {
        wrong.push(format!(
            "{name}: a test sleeps: ask for what it waits for with a deadline (`wait::until`), or pause tokio's time"
        ));
    }
    if source.test_text().lines().any(|line| ONLY_TIME.iter().all(|word| line.contains(word))) {
        wrong.push(format!("{name}: a test sleeps by other words: `wait::passes` says why nothing can be asked for"));
    }
    let path = Path::new(name).with_extension("");
    if path.components().any(|part| VAGUE.iter().any(|vague| part.as_os_str() == *vague)) {
        wrong.push(format!("{name}: name the file, and its folder, after what is in it"));
    }
    if source.lines() > LONGEST_FILE_LINES {
        wrong.push(format!("{name}: {} lines; which noun wants a file of its own?", source.lines()));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_follow_the_rules() {
        let workspace = Workspace::read().unwrap();
        let sources = Source::all(&workspace).unwrap();
        assert!(sources.iter().any(|source| source.name == "proxy/src/main.rs"));
        let wrong = check(&workspace, &sources);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn unsafe_code_is_forbidden_in_the_whole_workspace() {
        let manifest = std::fs::read_to_string(Workspace::read().unwrap().root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("unsafe_code = \"forbid\""));
    }

    #[test]
    fn each_rule_finds_what_it_forbids() {
        let source = |name: &str, text: String| Source { name: name.to_owned(), text, only_tests: false };
        let count = |name: &str, text: String| check_source(&source(name, text)).len();
        assert_eq!(count("sql/src/lib.rs", "//! Good.\n".to_owned()), 0);
        assert_eq!(count("sql/src/lib.rs", "fn main() {}\n".to_owned()), 1);
        assert_eq!(count("sql/src/utils.rs", "//! Vague.\n".to_owned()), 1);
        assert_eq!(count("sql/tests/common/mod.rs", "//! Vague.\n".to_owned()), 1);
        assert_eq!(count("sql/tests/commons/common_words.rs", "//! Not vague.\n".to_owned()), 0);
        assert_eq!(count("sql/src/lib.rs", format!("//! Stub.\n{}", UNFINISHED[0])), 1);
        assert_eq!(count("sql/src/lib.rs", format!("//! Waits.\n{SLEEP}1)")), 0);
        assert_eq!(count("sql/tests/x.rs", format!("//! Waits.\n{SLEEP}1)")), 1);
        assert_eq!(count("sql/src/lib.rs", format!("//! Waits.\n#[cfg(test)]\nmod tests {{\n{SLEEP}1)")), 1);
        assert_eq!(count("sql/src/lib.rs", format!("//! Waits.\n{TEST}pub(crate) mod tests {{\n{SLEEP}1)")), 1);
        let (test, paused) = ("#[tokio::test]\nasync fn", "#[tokio::test(start_paused = true)]\nasync fn");
        assert_eq!(count("sql/tests/x.rs", format!("//! Waits.\n{SLEEP}1)\n{paused} x() {{ {SLEEP}1) }}")), 0);
        assert_eq!(count("sql/tests/x.rs", format!("//! Waits.\n{paused} x() {{}}\n{test} y() {{ {SLEEP}1) }}")), 1);
        let [until, elapsed] = ONLY_TIME;
        assert_eq!(count("sql/tests/x.rs", format!("//! Waits.\n{until}(\"it\", || began{elapsed} LONG)")), 1);
    }

    #[test]
    fn a_module_for_tests_only_is_known_whatever_it_is_called() {
        let source =
            |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned(), only_tests: false };
        let modules = "#[cfg(test)]\nmod fake;\n#[cfg(test)]\npub(crate) mod budget_tests;\nmod other;\n";
        assert_eq!(source("a/src/b/mod.rs", modules).test_modules(), ["a/src/b/fake", "a/src/b/budget_tests"]);
        assert_eq!(source("a/src/b.rs", modules).test_modules(), ["a/src/b/fake", "a/src/b/budget_tests"]);
        assert!(source("a/src/lib.rs", "#[cfg(test)]\nmod tests {\n    mod x;\n}\n").test_modules().is_empty());
        assert!(is_in("a/src/b/fake.rs", "a/src/b/fake") && is_in("a/src/b/fake/x.rs", "a/src/b/fake"));
        assert!(!is_in("a/src/b/fakes.rs", "a/src/b/fake"));
        let sources = Source::all(&Workspace::read().unwrap()).unwrap();
        let fake = sources.iter().find(|source| source.name == "store/src/meta/fake.rs").unwrap();
        assert!(fake.only_tests && !sources.iter().any(|source| source.name == "sql/src/lib.rs" && source.only_tests));
    }
}
