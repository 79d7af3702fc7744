//! Clusters, their targets and where these come from.

use super::*;

#[test]
fn a_cluster_is_a_name_and_a_target() {
    refused("[[cluster]]\nprimary = \"sqlite:x\"", 1, "cluster #1 name: is missing");
    refused("[[cluster]]\nname = \"a\"", 1, "cluster 'a' primary: is missing");
    for name in ["A", "a b", "ü", "a.b"] {
        refused(&format!("[[cluster]]\nname = \"{name}\"\nprimary = \"sqlite:x\""), 2, "lower-case letters");
    }
    refused("[[cluster]]\nname = \"unlisted\"\nprimary = \"sqlite:x\"", 2, "reserved");
    let (long, longest) = ("x".repeat(65), "x".repeat(64));
    refused(&format!("[[cluster]]\nname = \"{long}\"\nprimary = \"sqlite:x\""), 2, "at most 64 bytes");
    valid(&format!("[[cluster]]\nname = \"{longest}\"\nprimary = \"sqlite:x\""));
}

#[test]
fn a_target_that_is_none_is_refused_with_the_reason() {
    for (target, needle) in [
        ("x.db", "expected \\\"sqlite:PATH\\\""),
        ("redis://h/1", "expected"),
        ("sqlite:", "needs a path"),
        ("sqlite::memory:", "is gone at the next start"),
        ("sqlite:file:/var/c.db?mode=ro", "write the path itself, \\\"sqlite:/var/c.db\\\""),
        ("sqlite:file:///var/c.db", "write the path itself, \\\"sqlite:/var/c.db\\\""),
        ("mysql:u@h/d", "expected"),
        ("mysql://h/d", "no user"),
        ("mysql://:pw@h/d", "no user"),
        ("mysql://u@h", "one database"),
        ("mysql://u@h/", "one database"),
        ("mysql://u@h/d/e", "one database"),
        ("mysql://u@/d", "no host"),
        ("mysql://u@h:0/d", "port"),
        ("mysql://u@h:70000/d", "port"),
        ("mysql://u@h:x/d", "port"),
        ("mysql://u@[::g]/d", "IPv6"),
        ("mysql://u@[::1]80/d", "port"),
        ("mysql://u:a/b@h/d", "no user"),
        ("postgres://u@h/d?sslmode=require&password=x", "not into a parameter"),
        ("mysql://u@h/d?foo=1", "unknown option foo"),
        ("mysql://u@h/d?sslmode=bogus", "option sslmode must be one of"),
        ("postgres://u@h/d?schema=", "option schema must be"),
        ("postgres://u@h/d?schema=a&schema=b", "option schema is given twice"),
        ("mysql://u%zz@h/d", "percent-encoding"),
    ] {
        let needle = needle.replace('\\', "");
        refused(&cluster(target), 3, &needle);
    }
}

#[test]
fn a_target_in_a_variable_is_read_like_one_in_the_file() {
    let config = valid(&cluster("${URL}"));
    assert_eq!(config.clusters[0].primary.to_string(), "mysql://u:***@h:3306/d");
    assert!(!format!("{config:?}").contains("inline"));
    assert_eq!(valid(&cluster("postgresql://u@h/d")).clusters[0].primary.to_string(), "postgres://u@h:5432/d");
    assert_eq!(valid(&cluster("mariadb://u@h/d")).clusters[0].primary.engine(), "mysql");
}

#[test]
fn clusters_are_told_apart() {
    let two = |second: &str| format!("{}[[cluster]]\n{second}", cluster("mysql://u@h/d"));
    refused(&two("name = \"a\"\nprimary = \"sqlite:x\""), 4, "clusters #1 and #2 have one name");
    refused(&two("name = \"${NAME}\"\nprimary = \"sqlite:x\""), 4, "clusters #1 and #2 have one name");
    refused(
        &two("name = \"b\"\nprimary = \"mysql://other:pw@H:3306/d\""),
        4,
        "cluster 'b': names the same database as cluster 'a'",
    );
    refused(&two("name = \"b\"\nprimary = \"mysql://u@h/%64\""), 4, "names the same database");
    valid(&two("name = \"b\"\nprimary = \"mysql://u@h:3307/d\""));
    valid(&two("name = \"b\"\nprimary = \"mysql://u@h/e\""));
    valid(&two("name = \"b\"\nprimary = \"postgres://u@h:3306/d\""));
    refused(&cluster("sqlite:./cellgate-data/../cellgate-data/meta.db"), 1, "the meta store");
    let numbered =
        format!("{}number = 3\n[[cluster]]\nname = \"b\"\nprimary = \"sqlite:y\"\nnumber = 3", cluster("sqlite:x"));
    refused(&numbered, 5, "has number 3, and so has cluster 'a'");
}

#[test]
fn a_sqlite_cluster_under_a_shared_meta_store_is_worth_a_warning() {
    let shared = "[topology]\nmeta = \"mysql://u@h/m\"\n";
    let warnings = valid(&format!("{shared}{}", cluster("sqlite:x"))).warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("cluster a is a SQLite file"), "{warnings:?}");
    assert!(valid(&format!("{shared}{}", cluster("mysql://u@h/d"))).warnings.is_empty());
    assert!(valid(&cluster("sqlite:x")).warnings.is_empty());
}
