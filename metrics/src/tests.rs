//! What the metrics promise.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use cellgate_schemaless::{ClusterNo, ErrorKind};

use super::*;

fn metrics(clusters: &[&str]) -> Metrics {
    Metrics::new("1.2.3", clusters).expect("families are well formed")
}

fn rendered(metrics: &Metrics) -> String {
    metrics.render().expect("families can be written")
}

#[track_caller]
fn has_line(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "no line {line:?} in:\n{text}");
}

fn check_label<L: Label + PartialEq + std::fmt::Debug>() {
    let values: Vec<L> = L::all().collect();
    assert_eq!(values.len(), L::COUNT);
    let mut texts = HashSet::new();
    for (place, value) in values.into_iter().enumerate() {
        assert_eq!(value.index(), place, "{value:?}");
        let text = value.label();
        assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{text}");
        assert!(texts.insert(text), "{text} stands for two values");
    }
}

#[test]
fn every_label_value_has_its_own_place_and_text() {
    check_label::<Command>();
    check_label::<Shape>();
    check_label::<Outcome>();
    check_label::<Stage>();
    check_label::<Operation>();
    check_label::<Refusal>();
    check_label::<LoginFailure>();
    check_label::<Settlement>();
    check_label::<Queue>();
    check_label::<MetaDocument>();
    check_label::<ErrorKind>();
}

#[test]
fn no_two_values_of_a_label_are_one_series_in_any_family() {
    for family in metrics(&[]).families() {
        for label in &family.labels {
            let texts: HashSet<&str> = label.values.iter().copied().collect();
            assert_eq!(texts.len(), label.values.len(), "{}: {label:?}", family.name);
        }
    }
}

#[test]
fn names_follow_the_conventions() {
    let metrics = metrics(&[]);
    for family in metrics.families() {
        assert!(family.name.starts_with("cellgate_"), "{}", family.name);
        assert_eq!(
            family.kind == Kind::Counter,
            family.name.ends_with("_total"),
            "{}: counters end in _total",
            family.name
        );
        assert!(family.help.ends_with('.'), "{}: help is a sentence", family.name);
        assert!(!family.name.contains("milli") && !family.name.contains("_ms"), "{}: base units", family.name);
    }
}

#[test]
fn a_query_counts_under_its_command_shape_and_outcome_only() {
    let metrics = metrics(&[]);
    metrics.query(Command::Query, Shape::Get, Outcome::Ok);
    metrics.query(Command::Query, Shape::Get, Outcome::Ok);
    metrics.query(Command::Execute, Shape::Insert, Outcome::Error(ErrorKind::Conflict));
    let text = rendered(&metrics);
    has_line(&text, r#"cellgate_queries_total{command="query",outcome="ok",shape="get"} 2"#);
    has_line(&text, r#"cellgate_queries_total{command="execute",outcome="conflict",shape="insert"} 1"#);
    assert_eq!(text.lines().filter(|l| l.starts_with("cellgate_queries_total{")).count(), 2);
}

#[test]
fn every_combination_of_query_labels_has_its_own_series() {
    let metrics = metrics(&[]);
    for command in Command::all() {
        for shape in Shape::all() {
            for outcome in Outcome::all() {
                metrics.query(command, shape, outcome);
            }
        }
    }
    let text = rendered(&metrics);
    let series: Vec<_> = text.lines().filter(|l| l.starts_with("cellgate_queries_total{")).collect();
    assert_eq!(series.len(), Command::COUNT * Shape::COUNT * Outcome::COUNT);
    assert!(series.iter().all(|l| l.ends_with("} 1")));
}

#[test]
fn an_open_connection_counts_until_it_is_dropped() {
    let metrics = metrics(&[]);
    let (first, second) = (metrics.connection_accepted(), metrics.connection_accepted());
    has_line(&rendered(&metrics), "cellgate_connections_open 2");
    drop(first);
    has_line(&rendered(&metrics), "cellgate_connections_open 1");
    drop(second);
    let text = rendered(&metrics);
    has_line(&text, "cellgate_connections_open 0");
    has_line(&text, "cellgate_connections_accepted_total 2");
}

#[test]
fn clusters_count_apart_and_are_found_by_name_and_number() {
    let metrics = metrics(&["a", "b"]);
    let (one, two) = (ClusterNo::new(1).expect("valid"), ClusterNo::new(2).expect("valid"));
    metrics.number_cluster(two, "b");
    metrics.cluster_named("a").expect("configured").cells_written(3);
    metrics.cluster(two).cells_written(4);
    metrics.cluster(two).observe(Operation::Put, Duration::from_millis(3));
    metrics.cluster(two).pool(PoolState { size: 5, idle: 2, waiting: 7 });
    assert!(metrics.cluster_named("c").is_none());
    let text = rendered(&metrics);
    has_line(&text, r#"cellgate_cells_written_total{cluster="a"} 3"#);
    has_line(&text, r#"cellgate_cells_written_total{cluster="b"} 4"#);
    has_line(&text, r#"cellgate_cluster_operation_seconds_count{cluster="b",operation="put"} 1"#);
    has_line(&text, r#"cellgate_cluster_operation_seconds_bucket{cluster="b",operation="put",le="0.0025"} 0"#);
    has_line(&text, r#"cellgate_cluster_operation_seconds_bucket{cluster="b",operation="put",le="0.005"} 1"#);
    has_line(&text, r#"cellgate_pool_waiting_requests{cluster="b"} 7"#);
    has_line(&text, r#"cellgate_pool_waiting_requests{cluster="a"} 0"#);
    assert!(!text.contains("unlisted"), "the series of an unlisted cluster only exists once there is one");
    metrics.cluster(one).cells_read(1);
    has_line(&rendered(&metrics), r#"cellgate_cells_read_total{cluster="unlisted"} 1"#);
}

#[test]
fn a_cluster_keeps_the_number_it_was_first_given() {
    let metrics = metrics(&["a", "b"]);
    let one = ClusterNo::new(1).expect("valid");
    metrics.number_cluster(one, "a");
    metrics.number_cluster(one, "b");
    metrics.number_cluster(one, "nobody");
    metrics.cluster(one).cells_read(1);
    has_line(&rendered(&metrics), r#"cellgate_cells_read_total{cluster="a"} 1"#);
}

#[test]
fn the_exposition_names_the_build_and_the_process() {
    let text = rendered(&metrics(&[]));
    has_line(&text, r#"cellgate_build_info{version="1.2.3"} 1"#);
    has_line(&text, "cellgate_uptime_seconds 0");
    assert!(text.contains("\nprocess_resident_memory_bytes "));
    assert!(text.contains("\nprocess_open_fds "));
}

#[test]
fn every_family_of_the_exposition_is_described_and_the_other_way_round() {
    let metrics = metrics(&["a"]);
    metrics.query(Command::Ping, Shape::Other, Outcome::Ok);
    let text = rendered(&metrics);
    let exposed: HashSet<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|n| !n.starts_with("process_"))
        .collect();
    let described: HashSet<&str> = metrics.families().iter().map(|family| family.name).collect();
    assert_eq!(exposed, described);
}

#[test]
fn docs_metrics_md_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/METRICS.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let expected = document().expect("families are well formed");
    assert!(written == expected, "docs/METRICS.md is not what the code says; write it with `cargo xtask docs`");
}

#[test]
fn what_others_count_is_counted_once_however_many_read_it_at_once() {
    let metrics = metrics(&[]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for count in 0..=20_000 {
                    metrics.panics(count);
                    metrics.log_lines_lost(count / 2);
                }
            });
        }
    });
    let text = rendered(&metrics);
    has_line(&text, "cellgate_panics_total 20000");
    has_line(&text, "cellgate_log_lines_lost_total 10000");
}
