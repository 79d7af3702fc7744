//! The directions of dependencies between our packages: the table of docs/ARCHITECTURE.md, "Crates".

use crate::command::Failure;
use crate::workspace::Workspace;

/// A folder, and the folders its package may depend on.
struct Row {
    folder: &'static str,
    may_use: &'static [&'static str],
}

const TABLE: &[Row] = &[
    Row { folder: "schemaless", may_use: &[] },
    Row { folder: "sql", may_use: &["schemaless"] },
    Row { folder: "router", may_use: &["schemaless"] },
    Row { folder: "metrics", may_use: &["schemaless"] },
    Row { folder: "store", may_use: &["schemaless", "router", "metrics"] },
    Row { folder: "proxy", may_use: &["schemaless", "sql", "router", "metrics", "store"] },
    Row { folder: "integration-tests", may_use: &["proxy"] },
    Row { folder: "benchmarks", may_use: &["schemaless", "sql", "router", "proxy", "integration-tests"] },
    Row { folder: "xtask", may_use: &[] },
];

/// `cargo xtask edges`.
pub fn run() -> Result<(), Failure> {
    let wrong = check(&Workspace::read()?);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(wrong.join("\n")))
}

/// One sentence per edge that is not in the table.
fn check(workspace: &Workspace) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in workspace.packages() {
        let folder = workspace.folder(package);
        let Some(row) = TABLE.iter().find(|row| row.folder == folder) else {
            wrong.push(format!(
                "package `{folder}` is not in the table of xtask/src/edges.rs: add it there and to the table \
                 \"Crates\" of docs/ARCHITECTURE.md, with what it may depend on"
            ));
            continue;
        };
        for dependency in &package.dependencies {
            // A dependency of ours is one with a path.
            let Some(target) = dependency.path.as_ref().and_then(|path| path.file_name()) else { continue };
            if !row.may_use.contains(&target) {
                wrong.push(edge(&folder, target, row.may_use));
            }
        }
    }
    wrong
}

fn edge(from: &str, to: &str, may_use: &[&str]) -> String {
    let allowed = if may_use.is_empty() { "nothing of ours".to_owned() } else { may_use.join(", ") };
    format!(
        "`{from}` must not depend on `{to}`, dev-dependencies included (it may use: {allowed}). Move what is shared down \
         into `schemaless` if it is vocabulary, or pass it in from `proxy`, which sees both"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dependency_between_our_packages_is_in_the_table() {
        let wrong = check(&Workspace::read().unwrap());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn an_edge_is_refused_with_what_to_do() {
        let text = edge("sql", "store", &["schemaless"]);
        assert!(text.contains("`sql` must not depend on `store`") && text.contains("pass it in from `proxy`"));
    }
}
