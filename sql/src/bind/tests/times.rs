//! Times, beside text and numbers.

use cellgate_schemaless::Request;

use super::request;
use crate::command::Source;
use crate::testing::{Session, cell, read_with, rows, run};
use crate::value::Value;

#[test]
fn text_with_an_offset_is_the_moment_it_names() {
    // At 22:14:10 UTC.
    let cells = [cell("a", "X", 1, "1", 50)];
    for zone in ["SYSTEM", "+02:00", "-05:00"] {
        let mut env = Session::new();
        env.variables.insert("time_zone".to_owned(), Value::Text(zone.into()));
        let found = |condition: &str, params: &[Value]| {
            run(&read_with(&env, &format!("SELECT row_key FROM trips WHERE {condition}"), params), &cells)
                .unwrap()
                .len()
        };
        for at in ["2023-11-15 00:14:10+02:00", "2023-11-14T22:14:10.000Z", "2023-11-14 14:14:10-08:00"] {
            for condition in [
                "created_at = '@'",
                "'@' <=> created_at",
                "created_at <= '@' AND created_at >= '@'",
                "created_at BETWEEN '@' AND '@'",
                "created_at IN ('2023-01-01', '@')",
                "(row_key, created_at) = ('a', '@')",
                "created_at = CAST('@' AS DATETIME(6))",
                "created_at = DATE_ADD('@', INTERVAL 0 SECOND)",
                "UNIX_TIMESTAMP(created_at) = UNIX_TIMESTAMP('@')",
                "IF(created_at = '@', 1, 0)",
                "CASE created_at WHEN '2023-01-01' THEN 0 WHEN '@' THEN 1 END",
                "NULLIF(created_at, '@') IS NULL",
                "LENGTH('@') = @LENGTH",
            ] {
                let condition = condition.replace("@LENGTH", &at.len().to_string()).replace('@', at);
                assert_eq!(found(&condition, &[]), 1, "{zone} {condition}");
            }
            assert_eq!(found(&format!("created_at < '{at}' OR created_at > '{at}'"), &[]), 0, "{zone} {at}");
            assert_eq!(found("created_at = ?", &[Value::Text(at.into())]), 1, "{zone} {at}");
            let shard = format!("SELECT row_key FROM trips PARTITION (p1) WHERE created_at >= '{at}' LIMIT 1");
            let Source::Cells(Request::Log { scan, .. }) = read_with(&env, &shard, &[]).source else {
                panic!("not a log")
            };
            assert_eq!(scan.created_from.map(|t| t.0), Some(1_700_000_050_000_000), "{zone} {at}");
        }
    }
}

#[test]
fn a_number_beside_a_time_is_the_time_it_is() {
    let cells = [cell("a", "X", 1, "1", 50)];
    let Request::Log { scan, .. } =
        request("SELECT row_key FROM trips PARTITION (p1) WHERE created_at >= 20231114221320 LIMIT 1")
    else {
        panic!("not a log")
    };
    assert_eq!(scan.created_from.map(|t| t.0), Some(1_700_000_000_000_000));
    let at = rows("SELECT created_at FROM trips", &cells).remove(0);
    assert_eq!(at, "2023-11-14 22:14:10.000000");
    for (condition, holds) in [
        ("created_at < 20240101", true),
        ("created_at > 20240101", false),
        ("created_at > 20231114", true),
        ("created_at < 20231114", false),
        ("created_at < 231115", true),
        ("created_at = 20231114221410", true),
        ("created_at BETWEEN 20231114 AND 20231115", true),
        ("created_at BETWEEN '2023-11-14' AND 20231115", true),
        ("created_at BETWEEN '2023-11-15' AND 20240201", false),
        ("created_at NOT BETWEEN 20231115 AND '2024-02-01'", true),
        ("'2023-11-15' BETWEEN created_at AND 20240201", true),
        ("'2023-11-14' BETWEEN created_at AND 20240201", false),
        ("created_at < '23-11-15'", true),
        ("created_at > '23-11-15'", false),
        ("created_at > '231114'", true),
        ("20240101 > created_at", true),
    ] {
        let found = rows(&format!("SELECT row_key FROM trips WHERE {condition}"), &cells);
        assert_eq!(!found.is_empty(), holds, "{condition}");
    }
}
