//! What others wrote: the licences of the crates that the program is linked of, and whether each is used at all.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::command::{Failure, quietly};
use crate::workspace::Workspace;

/// What may be linked into a program under the MIT licence and given away with it.
const ALLOWED: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "LLVM-exception",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// How files begin that a copy has to come with.
const TEXTS: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
/// The package whose binary is given away.
const PROGRAM: &str = "cellgate";

/// The licences of all crates that the program is linked of, with their texts.
///
/// # Errors
/// If cargo cannot tell them, one is not allowed, or one comes without a text.
pub fn licences(workspace: &Workspace) -> Result<String, Failure> {
    let metadata = metadata(workspace)?;
    let mut out = String::from("Cellgate is linked of these crates. What follows are their licences.\n");
    for package in linked(&metadata)?.into_iter().filter(|package| package.source.is_some()) {
        let licence = licence(package);
        if let Some(word) = unknown(licence) {
            return Err(Failure::new(format!("{} {}: licence `{word}` is in no list", package.name, package.version)));
        }
        let texts = texts(package);
        if texts.is_empty() {
            return Err(Failure::new(format!("{} {}: its licence has no text", package.name, package.version)));
        }
        let _ = writeln!(out, "\n==== {} {} ({licence})", package.name, package.version);
        for path in texts {
            let text = std::fs::read_to_string(&path).map_err(|error| Failure::of_file(&path, &error))?;
            let _ = writeln!(out, "\n{}", text.trim_end());
        }
    }
    Ok(out)
}

/// All crates, for the machine this is compiled for.
fn metadata(workspace: &Workspace) -> Result<Metadata, Failure> {
    let version = quietly(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let options = ["--locked", "--filter-platform", host].map(str::to_owned);
    let manifest = workspace.root().join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).other_options(options).exec();
    metadata.map_err(|error| Failure::new(error.to_string()))
}

/// What the program is linked of, itself included, by name.
fn linked(metadata: &Metadata) -> Result<Vec<&Package>, Failure> {
    let missing = || Failure::new("cargo metadata does not say what the program depends on");
    let nodes = &metadata.resolve.as_ref().ok_or_else(missing)?.nodes;
    let program = metadata.packages.iter().find(|package| package.name.as_str() == PROGRAM).ok_or_else(missing)?;
    let mut found = HashSet::from([&program.id]);
    let mut queue = vec![&program.id];
    while let Some(id) = queue.pop() {
        let edges = nodes.iter().filter(|node| node.id == *id).flat_map(|node| &node.deps);
        for edge in edges.filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)) {
            if found.insert(&edge.pkg) {
                queue.push(&edge.pkg);
            }
        }
    }
    let mut packages: Vec<&Package> = metadata.packages.iter().filter(|package| found.contains(&package.id)).collect();
    packages.sort_by_key(|package| (package.name.to_string(), package.version.clone()));
    Ok(packages)
}

fn licence(package: &Package) -> &str {
    package.license.as_deref().unwrap_or("none")
}

/// The first word of a licence's expression that is not in the list.
fn unknown(licence: &str) -> Option<&str> {
    let words = licence.split([' ', '/', '(', ')']).filter(|word| !word.is_empty());
    words.filter(|word| !["OR", "AND", "WITH"].contains(word)).find(|word| !ALLOWED.contains(word))
}

/// The files in a package's folder, and below, that a copy has to come with.
fn texts(package: &Package) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    if let Some(folder) = package.manifest_path.parent() {
        collect(folder.as_std_path(), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().to_uppercase());
        if path.is_dir() {
            collect(&path, found);
        } else if TEXTS.iter().any(|text| name.starts_with(text)) && !name.ends_with(".RS") {
            found.insert(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Source;

    #[test]
    fn every_licence_is_of_the_list_and_has_a_text() {
        let text = licences(&Workspace::read().unwrap()).unwrap();
        for name in ["ring ", "tokio ", "webpki-roots "] {
            assert!(text.contains(&format!("\n==== {name}")), "{name}");
        }
        assert!(!text.contains("==== cellgate"), "ours is its own");
    }

    #[test]
    fn a_licence_that_is_not_of_the_list_is_named() {
        assert_eq!(unknown("(MIT OR Apache-2.0) AND Unicode-3.0"), None);
        assert_eq!(unknown("Apache-2.0 WITH LLVM-exception"), None);
        assert_eq!(unknown("MIT/GPL-3.0"), Some("GPL-3.0"));
        assert_eq!(unknown("none"), Some("none"));
    }

    #[test]
    fn every_dependency_is_used() {
        let workspace = Workspace::read().unwrap();
        let sources = Source::all(&workspace).unwrap();
        let mut unused = Vec::new();
        for package in workspace.packages() {
            let folder = workspace.folder(package);
            for dependency in &package.dependencies {
                let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
                let within = if dependency.kind == DependencyKind::Development {
                    format!("{folder}/")
                } else {
                    format!("{folder}/src/")
                };
                let mut of_package = sources.iter().filter(|source| source.name.starts_with(&within));
                if !of_package.any(|source| names(&source.text, &name)) {
                    unused.push(format!("{folder}/Cargo.toml: {}", dependency.name));
                }
            }
        }
        assert!(unused.is_empty(), "delete what nothing uses:\n{}", unused.join("\n"));
    }

    /// Whether a text has a word; our own packages' library names are those of their dependencies.
    fn names(text: &str, word: &str) -> bool {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
    }
}
