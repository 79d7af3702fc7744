//! What README, DIALECT.md and COMING-FROM-MYSQL.md show is what happens, on a fresh Cellgate without a configuration.

use std::process::Command;

use cellgate_integration_tests::documents::{self, Example};
use cellgate_integration_tests::proxy::Options;
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, Proxy, client, golden, http, settings};

/// Runs the examples of a document from top to bottom, and says all that is wrong with them.
async fn run(document: &str, proxy: &Proxy) {
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    let examples: Vec<Example> = documents::examples(document);
    assert!(examples.iter().any(|example| example.answer.is_some()), "{document} shows no answer");
    let mut wrong = Vec::new();
    for example in &examples {
        wrong.extend(example.run(&mut conn).await.err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_examples_of_the_dialect_answer_as_they_say() {
    run("docs/DIALECT.md", &Deployment::embedded().start()).await;
}

#[tokio::test]
async fn the_rows_of_a_mysql_come_over_as_the_page_about_it_says() {
    const PAGE: &str = "docs/COMING-FROM-MYSQL.md";
    let proxy = Deployment::embedded().start();
    run(PAGE, &proxy).await;
    // What it writes is what its SELECT makes of the table that it shows, on the server that one comes from.
    let recipes = documents::recipes(PAGE);
    let [create, select] = &recipes[..] else { panic!("{PAGE} has {} recipes", recipes.len()) };
    let server = MariaDb::shared();
    let database = server.create_database();
    let rows = server.execute(&format!("USE {database}; {}\n{}", create.text, select.text.replace("> ?", "> 0")));
    server.drop_database(&database);
    let mut conn = client::connect(proxy.mysql()).await;
    let cells: Vec<(String, String, String, String)> =
        client::rows(&mut conn, "SELECT row_key, column_key, ref_key, body FROM orders ORDER BY row_key").await;
    let cells: Vec<String> = cells
        .iter()
        .map(|(row, column, version, body)| [row, column, version, body].map(String::as_str).join("\t"))
        .collect();
    assert_eq!(rows.lines().collect::<Vec<_>>(), cells);
    assert_eq!(cells.len(), 2, "{cells:?}");
}

#[tokio::test]
async fn the_walkthrough_of_the_readme_answers_as_it_says() {
    let proxy = Deployment::embedded().start();
    run("README.md", &proxy).await;
    // The metrics it shows are those of these very statements.
    let readme = documents::text("README.md");
    let shown: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("    cellgate_")).collect();
    let metrics = http::get(proxy.http(), "/metrics").unwrap().text;
    let samples: Vec<&str> = shown.into_iter().filter(|line| line.contains("_total{")).collect();
    assert!(!samples.is_empty(), "the README shows no metrics");
    for sample in samples {
        let sample = format!("cellgate_{sample}");
        assert!(metrics.lines().any(|line| line == sample), "the README shows {sample}, but /metrics has\n{metrics}");
    }
}

/// The README's chapter on three servers.
fn three_servers() -> String {
    documents::chapter("README.md", "The same on three MariaDB servers")
}

#[tokio::test]
async fn the_walkthrough_on_three_mariadb_servers_works_as_it_is_written() {
    let chapter = three_servers();
    let servers = [MariaDb::private(), MariaDb::private(), MariaDb::private()];
    let mut config = chapter.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned();
    for (number, server) in (1..).zip(&servers) {
        let asked = format!("    $ mariadb -h db{number}.example -u root -p -e \"");
        let statements = chapter.lines().find_map(|line| line.strip_prefix(&asked)).expect("a line for each server");
        server.execute(statements.trim_end_matches('"'));
        config = config.replace(&format!("db{number}.example:3306"), &format!("127.0.0.1:{}", server.port()));
    }
    let exports = chapter.lines().find_map(|line| line.strip_prefix("    $ export ")).expect("it sets passwords");
    let environment: Vec<(String, String)> =
        exports.split(' ').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let deployment = Deployment::configured(&config);

    let mut check = Command::new(settings::binary());
    check.args(["check", "--connect", "--config"]).arg(deployment.config().unwrap()).envs(environment.iter().cloned());
    let checked = check.output().unwrap();
    let (printed, said) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{said}");
    for (_, secret) in &environment {
        assert!(
            !printed.contains(secret.as_str()) && !said.contains(secret.as_str()),
            "a password is shown: {printed}"
        );
    }

    let (_, password) = environment.iter().find(|(name, _)| name == "APP_PW").expect("the user's password").clone();
    let proxy = deployment.start_with(Options { environment, ..Options::default() });
    let options = client::options(proxy.mysql()).user(Some("app")).pass(Some(password));
    let mut conn = client::try_connect(options).await.unwrap();
    // "The statements are the same."
    for example in documents::examples("README.md") {
        example.run(&mut conn).await.unwrap();
    }
    let clusters: Vec<mysql_async::Row> = client::rows(&mut conn, "SHOW CLUSTERS").await;
    let shards: Vec<(String, u64)> =
        clusters.iter().map(|row| (row.get("Cluster").unwrap(), row.get("Shards").unwrap())).collect();
    assert_eq!(shards.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(shards.iter().all(|(_, shards)| *shards > 1000), "{shards:?}");
}

/// The numbers and SQLSTATEs that a source has side by side.
fn numbers(source: &str) -> Vec<(&str, &str)> {
    let pairs = source.split('(').filter_map(|rest| {
        let (number, rest) = rest.split_once(", \"")?;
        let (state, _) = rest.split_once("\")")?;
        (number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit()) && state.len() == 5)
            .then_some((number, state))
    });
    pairs.collect()
}

#[test]
fn the_errors_of_the_dialect_are_those_of_the_code() {
    let page = documents::chapter("docs/DIALECT.md", "Errors");
    let mut listed: Vec<(&str, &str)> = Vec::new();
    for row in documents::rows(&page) {
        let [numbers, states, _] = row[..] else { continue };
        let states: Vec<&str> = states.split(", ").collect();
        for (place, number) in numbers.split(", ").enumerate() {
            listed.push((number, states[place.min(states.len() - 1)]));
        }
    }
    // 1260 is a warning only: GROUP_CONCAT was cut.
    let code = documents::text("proxy/src/errors.rs");
    let of_code: Vec<_> = numbers(&code).into_iter().filter(|(number, _)| *number != "1260").collect();
    assert!(of_code.len() > 100, "{of_code:?}");
    for pair in of_code {
        assert!(listed.contains(&pair), "DIALECT.md, Errors, lacks {pair:?}");
    }
    let sources = documents::sources("proxy/src").concat();
    for (number, state) in listed.iter().filter(|(number, _)| number.starts_with(|c: char| c.is_ascii_digit())) {
        assert!(sources.contains(number) && sources.contains(state), "no source of the proxy has {number} ({state})");
    }
}

#[test]
fn the_limits_of_the_dialect_are_named_as_in_the_code() {
    let page = documents::chapter("docs/DIALECT.md", "Limits");
    let rows = documents::rows(&page);
    let listed: Vec<&str> = rows.iter().flat_map(|row| row[0].split(", ")).map(|name| name.trim_matches('`')).collect();
    assert!(listed.contains(&"tokens") && listed.contains(&"like_steps"), "{listed:?}");
    let sources = [documents::sources("sql/src"), documents::sources("proxy/src")].concat().join("\n");
    let fields = sources.split("SqlError::Limit {").skip(1).filter_map(|rest| {
        let (inner, _) = rest.split_once('}')?;
        inner.split_once("name: \"")?.1.split('"').next()
    });
    let calls = sources.split("limit(\"").skip(1).filter_map(|rest| {
        let (arguments, _) = rest.split_once(')')?;
        arguments.rsplit('"').nth(1)
    });
    let named: Vec<&str> = fields.chain(calls).filter(|name| !name.starts_with("limits.")).collect();
    assert!(named.contains(&"tokens") && named.contains(&"nesting"), "{named:?}");
    for name in named {
        // What a setting bounds is in CONFIGURATION.md.
        assert!(listed.contains(&name) || name == "max_allowed_packet", "DIALECT.md, Limits, lacks `{name}`");
    }
    for name in listed.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')) {
        assert!(*name == "name" || sources.contains(&format!("\"{name}\"")), "no limit of the code is called {name}");
    }
}
