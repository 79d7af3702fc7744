//! What README and DIALECT.md show is what happens, on a fresh Cellgate without a configuration.

use cellgate_integration_tests::documents::{self, Example};
use cellgate_integration_tests::{Deployment, Proxy, golden, http};

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
