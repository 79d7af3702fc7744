//! Pages generated from code: each is what an example of a package prints, and a test of that package compares.

use std::fs;

use crate::command::{self, Failure, cargo};
use crate::workspace::Workspace;

/// A page, and what prints it.
struct Page {
    file: &'static str,
    package: &'static str,
    example: &'static str,
}

const PAGES: &[Page] = &[
    Page { file: "docs/METRICS.md", package: "cellgate-metrics", example: "document_metrics" },
    Page { file: "docs/CONFIGURATION.md", package: "cellgate", example: "document_configuration" },
];

/// `cargo xtask docs`.
pub fn run() -> Result<(), Failure> {
    let root = Workspace::read()?.root();
    for page in PAGES {
        let text = command::quietly(
            cargo().args(["run", "--quiet", "--package", page.package, "--example", page.example]).current_dir(&root),
        )?;
        let path = root.join(page.file);
        fs::write(&path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        println!("{}", page.file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_and_what_prints_it_are_there() {
        let workspace = Workspace::read().unwrap();
        for page in PAGES {
            assert!(workspace.root().join(page.file).is_file(), "{} is missing", page.file);
            let package = workspace.packages().iter().find(|package| package.name == page.package).unwrap();
            assert!(package.targets.iter().any(|target| target.name == page.example), "{} is missing", page.example);
        }
    }
}
