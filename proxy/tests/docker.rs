//! The files in docker/ agree with the program and with each other.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use cellgate_proxy::config::{Config, Overrides, Target};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("docker/{name}: {error}"))
}

/// A line of a YAML file: the keys above it, its own key, and the text behind it.
#[derive(Debug)]
struct Entry {
    path: Vec<String>,
    value: String,
}

/// Reads block-style YAML (mappings, lists, plain and quoted scalars, no anchors, no block scalars): what our files
/// use. Anything else is a failure, so that the check cannot be fooled by what it does not understand.
fn outline(name: &str) -> Vec<Entry> {
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut entries = Vec::new();
    for (text, line) in read(name).lines().zip(1..) {
        let content = text.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        assert!(!text.contains('\t') && text.trim_end() == text, "{name}:{line}: tabs or spaces at the end");
        let (mut indent, mut content) = (text.len() - content.len(), content);
        assert!(indent % 2 == 0, "{name}:{line}: indented by {indent}");
        above.retain(|(at, _)| *at < indent);
        if let Some(item) = content.strip_prefix("- ") {
            let path = above.iter().map(|(_, key)| key.clone()).collect();
            if !item.contains(": ") && !item.ends_with(':') {
                entries.push(Entry { path, value: item.trim_matches('"').to_owned() });
                continue;
            }
            (indent, content) = (indent + 2, item);
            above.retain(|(at, _)| *at < indent);
        }
        let (key, value) = content.split_once(':').unwrap_or_else(|| panic!("{name}:{line}: neither key nor item"));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        assert!(!key.is_empty() && key.chars().all(plain), "{name}:{line}: key {key:?}");
        assert!(value.is_empty() || value.starts_with(' '), "{name}:{line}: no space behind the colon");
        let value = value.trim();
        assert!(!value.starts_with(['|', '>', '&', '*', '{']), "{name}:{line}: {value}");
        assert!(value.matches('"').count() % 2 == 0, "{name}:{line}: quotes");
        above.push((indent, key.to_owned()));
        let path: Vec<String> = above.iter().map(|(_, key)| key.clone()).collect();
        assert!(
            value.is_empty() || !entries.iter().any(|e: &Entry| e.path == path && name == "compose.yaml"),
            "{name}:{line}: {path:?} twice"
        );
        entries.push(Entry { path, value: value.trim_matches('"').to_owned() });
    }
    entries
}

/// The keys directly below `path`.
fn keys<'a>(entries: &'a [Entry], path: &[&str]) -> HashSet<&'a str> {
    entries
        .iter()
        .filter(|entry| entry.path.len() == path.len() + 1 && entry.path.iter().zip(path).all(|(a, b)| a == b))
        .map(|entry| entry.path[path.len()].as_str())
        .collect()
}

/// The values and items at exactly `path`.
fn values<'a>(entries: &'a [Entry], path: &[&str]) -> Vec<&'a str> {
    entries
        .iter()
        .filter(|entry| entry.path == path && !entry.value.is_empty())
        .map(|entry| entry.value.as_str())
        .collect()
}

/// docker/cellgate.toml with its password files replaced by one that is there, and the secrets it names.
fn config() -> (Config, HashSet<String>) {
    let here = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(here.path(), "x").expect("writable");
    let mut secrets = HashSet::new();
    let lines: Vec<String> = read("cellgate.toml")
        .lines()
        .map(|line| match line.split_once("password_file = ") {
            Some((before, path)) => {
                let name = path.trim_matches('"').strip_prefix("/run/secrets/").expect("secrets are mounted there");
                secrets.insert(name.to_owned());
                format!("{before}password_file = \"{}\"", here.path().display())
            }
            None => line.to_owned(),
        })
        .collect();
    let config = Config::parse(&lines.join("\n"), None, &|_| None, &Overrides::default());
    (config.unwrap_or_else(|error| panic!("{error}")), secrets)
}

#[test]
fn the_services_the_configuration_names_are_there() {
    let (config, _) = config();
    let compose = outline("compose.yaml");
    let services = keys(&compose, &["services"]);
    let targets = config.clusters.iter().map(|cluster| &cluster.primary).chain([&config.topology.meta]);
    for target in targets {
        let Target::Server(dsn) = target else { panic!("{target}: not a server") };
        let (host, database) = (dsn.host.as_str(), dsn.database.as_str());
        assert!(services.contains(host), "{target}: no service {host}");
        let created: Vec<_> = ["MARIADB_DATABASE", "POSTGRES_DB"]
            .iter()
            .flat_map(|variable| values(&compose, &["services", host, "environment", variable]))
            .collect();
        let by_script = read("mariadb-meta.sql").contains(&format!("CREATE DATABASE IF NOT EXISTS {database};"));
        assert!(created == [database] || by_script, "{target}: nobody creates {database}");
    }
    for host in values(&outline("prometheus.yml"), &["scrape_configs", "static_configs", "targets"]) {
        let place = host.trim_matches(|c| "[]\"".contains(c));
        assert_eq!(place, format!("cellgate:{}", config.http.address.port()));
    }
}

#[test]
fn the_configuration_for_the_image_alone_is_one_and_its_variable_is_handed_to_it() {
    let readme = read("README.md");
    let (_, text) = readme.split_once("```toml\n").expect("a configuration");
    let (text, behind) = text.split_once("```").expect("its end");
    let environment = |name: &str| behind.contains(&format!("--env {name} ")).then(|| "x".to_owned());
    let config = Config::parse(text, None, &environment, &Overrides::default());
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    for address in [&config.listen.address, &config.http.address] {
        assert_eq!(address.host(), "0.0.0.0", "others are outside of the container");
    }
    assert!(behind.contains(&format!(":{} ", config.data.dir)), "the volume is mounted elsewhere");
}

#[test]
fn the_secrets_the_configuration_names_are_handed_to_it() {
    let (_, named) = config();
    let compose = outline("compose.yaml");
    let handed: HashSet<String> =
        values(&compose, &["services", "cellgate", "secrets"]).into_iter().map(str::to_owned).collect();
    assert_eq!(named, handed);
    let defined = keys(&compose, &["secrets"]);
    assert_eq!(defined, named.iter().map(String::as_str).collect());
    let script = read("secrets.sh");
    for secret in &named {
        assert_eq!(values(&compose, &["secrets", secret, "file"]), [format!("./secrets/{secret}")]);
        assert!(script.contains(secret.as_str()), "secrets.sh does not write {secret}");
    }
    assert_eq!(read(".gitignore").trim(), "secrets/", "passwords are never committed");
}

#[test]
fn ports_agree() {
    let (config, _) = config();
    let (mysql, http) = (config.listen.address.port(), config.http.address.port());
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains(&format!("EXPOSE {mysql} {http}\n")));
    assert!(dockerfile.contains(&format!("\"--http\", \"127.0.0.1:{http}\"")));
    let published = values(&outline("compose.yaml"), &["services", "cellgate", "ports"]).join(" ");
    assert_eq!(published, format!("127.0.0.1:{mysql}:{mysql} 127.0.0.1:{http}:{http}"), "only this machine is served");
}

#[test]
fn what_is_mounted_is_there_and_every_volume_is_declared() {
    let compose = outline("compose.yaml");
    let declared = keys(&compose, &["volumes"]);
    let mut used = HashSet::new();
    for service in keys(&compose, &["services"]) {
        for volume in values(&compose, &["services", service, "volumes"]) {
            let from = volume.split(':').next().expect("a source");
            if from.starts_with("./") {
                assert!(folder().join(from).is_file(), "{service}: {from}");
            } else {
                used.insert(from);
            }
        }
        let images = values(&compose, &["services", service, "image"]);
        assert_eq!(images.len(), 1, "{service}");
        assert!(service == "cellgate" || images[0].contains(':'), "{service}: {} has no version", images[0]);
    }
    assert_eq!(declared, used);
    assert_eq!(values(&compose, &["services", "cellgate", "build", "dockerfile"]), ["docker/Dockerfile"]);
}

/// The alerts of docs/RUNBOOK.md: name, expression, for how long it has to hold, as Prometheus writes it, and severity.
fn documented_alerts() -> Vec<[String; 4]> {
    let runbook = std::fs::read_to_string(folder().join("../docs/RUNBOOK.md")).expect("text");
    let section = runbook.split("\n## What to watch\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows = section.expect("the section").lines().filter(|line| line.starts_with("| "));
    rows.filter(|row| !row.starts_with("| alert | "))
        .map(|row| {
            // A bar inside a cell is written `\|`.
            let row = row.replace("\\|", "\0");
            let mut cells = row.split('|').skip(1).map(|cell| cell.trim().replace('\0', "|"));
            let name = cells.next().expect("a name");
            let condition = cells.next().unwrap_or_else(|| panic!("{name}: no condition"));
            let mut parts = condition.split('`').skip(1);
            let expression = parts.next().unwrap_or_else(|| panic!("{name}: no expression")).to_owned();
            let time = parts.next().expect("both backticks").trim().trim_start_matches("for ").replace(' ', "");
            let severity = cells.next().unwrap_or_else(|| panic!("{name}: no severity"));
            [name, expression, time, severity]
        })
        .collect()
}

#[test]
fn the_alerts_are_those_of_the_documents_and_ask_for_metrics_that_are_there() {
    let mut rules: Vec<[String; 4]> = Vec::new();
    for entry in outline("alerts.yml") {
        let last = rules.last_mut();
        match entry.path.last().map(String::as_str) {
            Some("alert") => rules.push([entry.value, String::new(), String::new(), String::new()]),
            Some("expr") => last.expect("an alert")[1] = entry.value,
            Some("for") => last.expect("an alert")[2] = entry.value,
            Some("severity") => last.expect("an alert")[3] = entry.value,
            _ => {}
        }
    }
    assert_eq!(rules, documented_alerts());
    assert!(rules.len() > 10, "the table was read");
    let metrics = std::fs::read_to_string(folder().join("../docs/METRICS.md")).expect("text");
    for [name, expression, _, severity] in &rules {
        assert!(["critical", "warning"].contains(&severity.as_str()), "{name}: {severity}");
        for word in expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let family = ["_bucket", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
            if ["cellgate_", "process_"].iter().any(|prefix| family.starts_with(prefix)) {
                assert!(metrics.contains(&format!("`{family}`")), "{name}: {family} is not in docs/METRICS.md");
            }
            // Others than Cellgate have these, too.
            if family.starts_with("process_") {
                assert!(
                    expression.contains(&format!("{family}{{job=\"cellgate\"}}")),
                    "{name}: {family} of any program"
                );
            }
        }
    }
    for [name, expression, ..] in &rules {
        let sums = expression.matches("sum").count();
        assert_eq!(expression.matches("sum by (instance").count(), sums, "{name}: of which proxy?");
        let kinds = expression.contains("kind=~");
        assert!(!kinds || expression.contains(", kind)"), "{name}: of which kind?");
    }
    let prometheus = outline("prometheus.yml");
    let jobs = values(&prometheus, &["scrape_configs", "job_name"]);
    assert!(rules.iter().any(|[_, expression, ..]| *expression == format!("up{{job=\"{}\"}} == 0", jobs[0])));
    let compose = outline("compose.yaml");
    let mounted = values(&compose, &["services", "prometheus", "volumes"]);
    for file in values(&prometheus, &["rule_files"]) {
        assert!(mounted.contains(&format!("./{file}:/etc/prometheus/{file}:ro").as_str()), "{file} is not mounted");
    }
}

#[test]
fn every_alert_leads_to_what_it_means() {
    let alerts = outline("alerts.yml");
    let all = |key: &str| {
        let found = alerts.iter().filter(|entry| entry.path.last().is_some_and(|last| last == key));
        found.map(|entry| entry.value.as_str()).collect::<Vec<_>>()
    };
    let (names, runbooks) = (all("alert"), all("runbook"));
    assert_eq!(runbooks.len(), names.len(), "an annotation for each alert");
    for (name, runbook) in names.into_iter().zip(runbooks) {
        let (page, anchor) = runbook.split_once('#').unwrap_or_else(|| panic!("{name}: no section"));
        let page =
            std::fs::read_to_string(folder().join("..").join(page)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut sections = page.split("\n## ").flat_map(|chapter| chapter.split("\n### "));
        let is_meant = |section: &&str| {
            section.lines().next().is_some_and(|title| title.to_lowercase().replace(' ', "-") == anchor)
        };
        let section = sections.find(is_meant).unwrap_or_else(|| panic!("{name}: there is no {anchor}"));
        assert!(section.contains(&format!("\n- **{name}**: ")), "{name}: {anchor} has nothing about it");
    }
}

#[test]
fn a_stop_gets_more_time_than_the_program_takes() {
    let (config, _) = config();
    let compose = outline("compose.yaml");
    let grace = values(&compose, &["services", "cellgate", "stop_grace_period"]);
    let seconds: u64 = grace[0].trim_end_matches('s').parse().expect("seconds");
    // More: a second for clients that are cut off, 3 for writes whose clients are gone, 5 for stores that do not answer.
    let most = config.timeouts.shutdown.as_secs() + 9;
    assert!(seconds > most, "{seconds} s");
    let run = read("README.md");
    let seconds = run.split("--stop-timeout ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("seconds");
    assert!(seconds.parse::<u64>().expect("seconds") > most, "{seconds} s");
}

#[test]
fn postgresql_is_healthy_only_where_others_reach_it() {
    let compose = outline("compose.yaml");
    let checks = values(&compose, &["services", "postgres-1", "healthcheck", "test"]);
    assert!(checks[0].contains("\"--host\""), "the server that sets itself up answers on the socket: {checks:?}");
}

#[test]
fn the_dockerfile_runs_the_build_script_and_nothing_else() {
    let dockerfile = read("Dockerfile");
    let runs: Vec<_> = dockerfile.lines().filter(|line| line.trim_start().starts_with("RUN ")).collect();
    assert_eq!(runs, ["RUN docker/build.sh /rootfs"]);
    assert!(dockerfile.contains("\nUSER 10001:10001\n"), "not root");
    let version = env!("CARGO_PKG_RUST_VERSION");
    assert!(dockerfile.contains(&format!("FROM rust:{version}-bookworm ")), "the compiler of Cargo.toml, {version}");
}

#[test]
fn scripts_parse_and_are_executable() {
    for name in ["build.sh", "secrets.sh"] {
        let path = folder().join(name);
        let checked = Command::new("sh").arg("-n").arg(&path).output().expect("a shell");
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert!(mode & 0o111 == 0o111, "{name} is not executable");
    }
}

#[test]
fn the_builder_is_sent_every_crate_and_no_build_products() {
    let root = folder().join("..");
    let ignore = std::fs::read_to_string(root.join(".dockerignore")).expect("text");
    let sent: HashSet<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("text");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let members = manifest["workspace"]["members"].as_array().expect("members");
    for member in members.iter().filter_map(toml::Value::as_str) {
        assert!(sent.contains(member), ".dockerignore holds back {member}");
    }
    assert!(sent.contains("Cargo.lock") && sent.contains(".cargo") && sent.contains("docker/build.sh"));
    // What the script copies that no build makes has to have been sent, too.
    let script = read("build.sh");
    let copied: Vec<&str> = script
        .lines()
        .filter(|line| line.starts_with("install "))
        .filter_map(|line| line.split_whitespace().nth_back(1))
        .filter(|source| !source.contains('$'))
        .collect();
    assert!(!copied.is_empty(), "build.sh installs the licence");
    for source in copied {
        assert!(sent.contains(source), ".dockerignore holds back {source}");
    }
    assert!(ignore.lines().any(|line| line == "*") && ignore.lines().any(|line| line == "**/target"));
}
