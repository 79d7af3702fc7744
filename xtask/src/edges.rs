//! The directions of dependencies: between our packages the table of docs/ARCHITECTURE.md, "Crates", and between
//! modules what that page says of them.

use cargo_metadata::DependencyKind;

use crate::command::Failure;
use crate::tidy::Source;
use crate::workspace::Workspace;

/// A folder, and the folders its package may depend on.
struct Row {
    folder: &'static str,
    may_use: &'static [&'static str],
    /// What only its tests, examples and micro-benchmarks may depend on besides.
    dev: &'static [&'static str],
}

const TABLE: &[Row] = &[
    Row { folder: "schemaless", may_use: &[], dev: &[] },
    Row { folder: "sql", may_use: &["schemaless"], dev: &[] },
    Row { folder: "router", may_use: &["schemaless"], dev: &[] },
    Row { folder: "metrics", may_use: &["schemaless"], dev: &[] },
    Row { folder: "store", may_use: &["schemaless", "router", "metrics"], dev: &[] },
    Row { folder: "proxy", may_use: &["schemaless", "sql", "router", "metrics", "store"], dev: &[] },
    Row { folder: "integration-tests", may_use: &[], dev: &["proxy"] },
    Row { folder: "benchmarks", may_use: &["integration-tests"], dev: &["schemaless", "sql", "router", "proxy"] },
    Row { folder: "xtask", may_use: &[], dev: &[] },
];

/// Words that code must not use, but for its tests.
struct Forbidden {
    /// Beginnings of the paths it is forbidden in; an empty one is everywhere.
    within: &'static [&'static str],
    /// Beginnings of the paths in there that may use it.
    except: &'static [&'static str],
    words: &'static [&'static str],
}

const MODULES: &[Forbidden] = &[
    // Foreign types stop at the module that uses them.
    Forbidden { within: &[""], except: &["sql/src/parse/"], words: &["sqlparser::"] },
    Forbidden { within: &[""], except: &["proxy/src/wire/"], words: &["mysql_common::"] },
    Forbidden {
        within: &[""],
        except: &["store/src/engine/sqlite/", "store/src/meta/sqlite.rs", "proxy/src/relational/"],
        words: &["rusqlite::"],
    },
    Forbidden { within: &[""], except: &["store/src/engine/postgres/"], words: &["tokio_postgres::"] },
    // The executor never sees the SQL that a store is sent, but to EXPLAIN it.
    Forbidden { within: &["store/src/executor/"], except: &["store/src/executor/explain.rs"], words: &["crate::sql"] },
    // Engines, and what is in front of one, never see other clusters.
    Forbidden {
        within: &["store/src/engine/", "store/src/coalesce/", "store/src/cache/"],
        except: &[],
        words: &["crate::deployment", "crate::executor"],
    },
    // The wire calls a handler and does not know who that is.
    Forbidden {
        within: &["proxy/src/wire/"],
        except: &[],
        words: &["crate::session", "crate::server", "crate::catalog", "crate::locks", "crate::plans", "crate::access"],
    },
    Forbidden {
        within: &["proxy/src/catalog/", "proxy/src/locks/"],
        except: &[],
        words: &["crate::session", "crate::server"],
    },
    // They never wait.
    Forbidden {
        within: &["schemaless/src/", "sql/src/", "router/src/"],
        except: &[],
        words: &["async fn", "async move", "tokio::", "std::net::"],
    },
];

/// `cargo xtask edges`.
pub fn run() -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    let mut wrong = check(&workspace);
    wrong.extend(check_modules(&Source::all(&workspace)?));
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
            let of_tests = dependency.kind == DependencyKind::Development && row.dev.contains(&target);
            if !row.may_use.contains(&target) && !of_tests {
                wrong.push(edge(&folder, target, row));
            }
        }
    }
    wrong
}

fn edge(from: &str, to: &str, row: &Row) -> String {
    let dev = if row.dev.is_empty() { "dev-dependencies included" } else { "where it does" };
    let allowed = allowed(row);
    format!(
        "`{from}` must not depend on `{to}`, {dev} (it may use: {allowed}). Move what is shared down into `schemaless` \
         if it is vocabulary, or pass it in from `proxy`, which sees both"
    )
}

/// What a package may depend on, as the table of docs/ARCHITECTURE.md says it.
fn allowed(row: &Row) -> String {
    let names = if row.may_use.is_empty() { "nothing of ours".to_owned() } else { row.may_use.join(", ") };
    if row.dev.is_empty() { names } else { format!("{names}; as dev-dependencies: {}", row.dev.join(", ")) }
}

/// One sentence per word that is used where it must not be.
fn check_modules(sources: &[Source]) -> Vec<String> {
    // Of our chores only this table knows these words.
    sources.iter().filter(|source| !source.name.starts_with("xtask/")).flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<String> {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| source.name.starts_with(beginning));
    let code = code(source.product_text());
    let mut wrong = Vec::new();
    for rule in MODULES.iter().filter(|rule| begins(rule.within) && !begins(rule.except)) {
        for (number, text) in &code {
            for word in rule.words.iter().filter(|word| text.contains(**word)) {
                let place = format!("{}:{number}", source.name);
                wrong.push(format!(
                    "{place} must not use `{word}`: see \"Crates\" and what follows in docs/ARCHITECTURE.md"
                ));
            }
        }
    }
    wrong
}

/// The lines without their comments, each with its number. An import is one line, the number of its first, with every path
/// in full: `use crate::{a, b::c};` is `use crate::a; use crate::b::c;`, and `use a;` is `use a::self;`, so that the
/// name of a crate is followed by `::` in any case.
fn code(text: &str) -> Vec<(usize, String)> {
    let mut lines =
        text.lines().enumerate().map(|(at, line)| (at + 1, line.split_once("//").map_or(line, |(code, _)| code)));
    let mut code = Vec::new();
    while let Some((number, line)) = lines.next() {
        let begins = line.trim_start();
        let visible =
            begins.strip_prefix("pub").map_or(begins, |rest| rest.split_once(' ').map_or("", |(_, rest)| rest));
        let Some(first) = visible.strip_prefix("use ") else {
            code.push((number, line.to_owned()));
            continue;
        };
        let mut import = first.to_owned();
        while !import.contains(';') {
            let Some((_, more)) = lines.next() else { break };
            import.push_str(more.trim());
        }
        let (tree, _) = import.split_once(';').unwrap_or((&import, ""));
        let mut paths = Vec::new();
        expand("", tree, &mut paths);
        code.push((number, paths.iter().map(|path| format!("use {path}; ")).collect()));
    }
    code
}

/// Every path of a tree of imports, behind `before`.
fn expand(before: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((begin, group)) = tree.split_once('{') else {
        let path = format!("{before}{tree}");
        paths.push(if path.contains("::") {
            path
        } else {
            path.split(" as ").next().unwrap_or_default().to_owned() + "::self"
        });
        return;
    };
    let group = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut from) = (0_usize, 0);
    for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                if !group[from..at].trim().is_empty() {
                    expand(&format!("{before}{begin}"), &group[from..at], paths);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
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
        let row = TABLE.iter().find(|row| row.folder == "sql").unwrap();
        let text = edge("sql", "store", row);
        assert!(text.contains("`sql` must not depend on `store`") && text.contains("pass it in from `proxy`"));
    }

    #[test]
    fn the_table_of_the_architecture_is_this_one() {
        let page = Workspace::read().unwrap().root().join("docs/ARCHITECTURE.md");
        let text = std::fs::read_to_string(page).unwrap();
        let (_, text) = text.split_once("\n## Crates\n").unwrap();
        let (text, _) = text.split_once("\nThis table is data").unwrap();
        let rows = text.lines().filter_map(|line| {
            let (folder, rest) = line.strip_prefix("| `")?.split_once("` |")?;
            let (_, may_use) = rest.trim_end().trim_end_matches(" |").rsplit_once("| ")?;
            Some((folder.to_owned(), may_use.to_owned()))
        });
        let data = TABLE.iter().map(|row| (row.folder.to_owned(), allowed(row)));
        assert_eq!(rows.collect::<Vec<_>>(), data.collect::<Vec<_>>());
    }

    #[test]
    fn every_module_uses_what_it_may() {
        let sources = Source::all(&Workspace::read().unwrap()).unwrap();
        let wrong = check_modules(&sources);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        // A rule about what is not there, or no longer there, would say nothing.
        let paths = MODULES.iter().flat_map(|rule| rule.within.iter().chain(rule.except));
        for path in paths {
            assert!(sources.iter().any(|source| source.name.starts_with(path)), "no file is in `{path}`");
        }
    }

    #[test]
    fn a_word_is_found_in_code_and_not_in_comments_and_tests() {
        let source =
            |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned(), only_tests: false };
        let count = |name: &str, text: &str| check_source(&source(name, text)).len();
        assert_eq!(count("store/src/executor/read.rs", "//! Reads.\nuse crate::sql::Query;\n"), 1);
        assert_eq!(count("store/src/executor/explain.rs", "//! Explains.\nuse crate::sql::Query;\n"), 0);
        assert_eq!(
            count("router/src/plan.rs", "//! Plans.\npub async fn plan() { tokio::task::yield_now().await }\n"),
            2
        );
        assert_eq!(count("router/src/plan.rs", "//! No tokio::net.\nfn plan() {} // no async fn\n"), 0);
        // Imports in groups, over several lines, and of a crate itself.
        assert_eq!(
            count("store/src/executor/read.rs", "use crate::{\n    error, // ours\n    sql::{Query, a},\n};\n"),
            1
        );
        assert_eq!(count("proxy/src/wire/mod.rs", "pub(crate) use crate::{tls, session};\n"), 1);
        assert_eq!(count("proxy/src/http.rs", "use {rusqlite as r, std::fmt};\nuse tokio_postgres;\n"), 2);
        let test = "#[cfg(test)]\nmod tests {\n    use rusqlite::Connection;\n}\n";
        assert_eq!(count("proxy/src/http.rs", test), 0);
        assert_eq!(count("proxy/tests/http.rs", "//! Tests.\nuse rusqlite::Connection;\n"), 0);
    }
}
