//! JSON: extraction, MySQL's normalised text, and its order.

use std::cmp::Ordering;

use bytes::Bytes;
use cellgate_schemaless::limits::JSON_DEPTH;
use serde_json::Value as Json;

use super::json_path::Path;
use super::number::{Number, double_text};
use crate::error::SqlError;

/// Most that what is found may weigh, if it is found in several places: as much as the longest body, which has two bytes
/// or more to a value. A value within a value is found with it, so that `**` could find a long body a hundred times.
const FOUND_WEIGHT: usize = 8 * 1024 * 1024;

/// Most values that the paths of one call go through, in as many ways as they do: what `**` needs twice for the longest
/// body, some seconds at most.
const PATH_STEPS: usize = 1 << 25;

/// Most steps of one JSON_CONTAINS, each two values compared: some seconds at most.
const CONTAINS_STEPS: u64 = 1 << 26;

/// So many bytes of two strings that are compared are another step.
const STEP_BYTES: u64 = 64;

/// Reads a JSON document.
///
/// # Errors
/// [`SqlError::Json`] when the text is not one JSON text, or nests too deep.
pub(crate) fn parse(text: &[u8]) -> Result<Json, SqlError> {
    cellgate_schemaless::validate_json(text)
        .map_err(|e| e.to_string())
        .and_then(|()| serde_json::from_slice(text).map_err(|e| e.to_string()))
        .map_err(|why| SqlError::Json {
            path: false,
            message: format!("Invalid JSON text in argument 1 to function json: \"{why}\""),
        })
}

/// `JSON_EXTRACT(document, path, ..)`: the value, or an array of the values when there can be several; `None` when
/// nothing was found.
///
/// # Errors
/// [`SqlError::Limit`] when the values found are too many together, or those that are gone through.
pub(crate) fn extract(document: &Json, paths: &[Path]) -> Result<Option<Json>, SqlError> {
    let (mut found, mut steps): (Vec<&Json>, _) = (Vec::new(), PATH_STEPS);
    for path in paths {
        found.extend(path.find(document, &mut steps).ok_or_else(|| SqlError::Limit {
            what: "the values that JSON paths go through".into(),
            limit: PATH_STEPS as u64,
            name: "json_path_steps",
        })?);
    }
    match (paths, found.as_slice()) {
        (_, []) => Ok(None),
        ([path], [one]) if !path.is_many() => Ok(Some((*one).clone())),
        (_, many) => {
            let mut room = FOUND_WEIGHT;
            for value in many {
                room = room.checked_sub(weight(value)).ok_or_else(|| SqlError::Limit {
                    what: "what JSON paths find in several places".into(),
                    limit: FOUND_WEIGHT as u64,
                    name: "json_values",
                })?;
            }
            Ok(Some(Json::Array(many.iter().map(|v| (*v).clone()).collect())))
        }
    }
}

/// How many values a value consists of, and half the bytes of its strings.
fn weight(value: &Json) -> usize {
    let mut weight = 0;
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        weight += 1;
        match value {
            Json::String(text) => weight += text.len() / 2,
            Json::Array(items) => stack.extend(items),
            Json::Object(map) => {
                weight += map.keys().map(|name| name.len() / 2).sum::<usize>();
                stack.extend(map.values());
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
    weight
}

/// MySQL's normalised text: a space behind `,` and `:`, keys by length and then bytes.
pub(crate) fn text(value: &Json) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out
}

fn write(out: &mut String, value: &Json, depth: usize) {
    // Documents are at most `JSON_DEPTH` deep when they are read, and constructors add at most an expression's depth.
    if depth > 8 * JSON_DEPTH {
        out.push_str("null");
        return;
    }
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Json::Number(n) => number_text(out, n),
        Json::String(s) => quote(out, s),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write(out, item, depth + 1);
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (i, (name, value)) in members(map).into_iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                quote(out, name);
                out.push_str(": ");
                write(out, value, depth + 1);
            }
            out.push('}');
        }
    }
}

/// Writes a number: a double as MySQL writes one, with a point or an exponent to tell it from an integer.
fn number_text(out: &mut String, number: &serde_json::Number) {
    let double = number.as_f64().filter(|_| number.is_f64());
    match double {
        None => out.push_str(&number.to_string()),
        // It keeps its sign here.
        Some(0.0) => out.push_str(if double.is_some_and(f64::is_sign_negative) { "-0.0" } else { "0.0" }),
        Some(double) => {
            let text = double_text(double);
            out.push_str(&text);
            if !text.contains(['.', 'e']) {
                out.push_str(".0");
            }
        }
    }
}

/// Writes a JSON string.
pub(crate) fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `JSON_UNQUOTE`: the content of a string, anything else as its text.
pub(crate) fn unquote(value: &Json) -> String {
    match value {
        Json::String(s) => s.clone(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => text(value),
    }
}

/// `JSON_UNQUOTE` of JSON text that may be anything: only what begins and ends with a quote is changed.
///
/// # Errors
/// [`SqlError::Json`] when quoted text is not a JSON string.
pub(crate) fn unquote_text(bytes: &Bytes) -> Result<Bytes, SqlError> {
    if bytes.len() >= 2 && bytes.starts_with(b"\"") && bytes.ends_with(b"\"") {
        return Ok(unquote(&parse(bytes)?).into());
    }
    Ok(bytes.clone())
}

/// `JSON_LENGTH`.
pub(crate) fn length(value: &Json) -> usize {
    match value {
        Json::Array(items) => items.len(),
        Json::Object(map) => map.len(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 1,
    }
}

/// `JSON_TYPE`.
pub(crate) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "NULL",
        Json::Bool(_) => "BOOLEAN",
        Json::Number(n) if n.is_i64() => "INTEGER",
        Json::Number(n) if n.is_u64() => "UNSIGNED INTEGER",
        Json::Number(_) => "DOUBLE",
        Json::String(_) => "STRING",
        Json::Array(_) => "ARRAY",
        Json::Object(_) => "OBJECT",
    }
}

/// `JSON_CONTAINS`: every element of a candidate array is contained in the target array, every member of a candidate
/// object is in the target object, a scalar equals the target or an element of it.
///
/// # Errors
/// [`SqlError::Limit`] after [`CONTAINS_STEPS`] steps: each element of one array may have to be compared with each of another.
pub(crate) fn contains(target: &Json, candidate: &Json) -> Result<bool, SqlError> {
    let mut steps = CONTAINS_STEPS;
    contains_within(&mut steps, target, candidate).ok_or_else(|| SqlError::Limit {
        what: "the work of a JSON_CONTAINS, in values compared,".into(),
        limit: CONTAINS_STEPS,
        name: "json_contains_steps",
    })
}

/// `None` if it takes more steps than there are.
fn contains_within(steps: &mut u64, target: &Json, candidate: &Json) -> Option<bool> {
    let long = match (target, candidate) {
        (Json::String(a), Json::String(b)) => a.len().min(b.len()) as u64 / STEP_BYTES,
        (_, _) => 0,
    };
    *steps = steps.checked_sub(1 + long)?;
    Some(match (target, candidate) {
        (Json::Object(target), Json::Object(candidate)) => {
            for (name, value) in candidate {
                match target.get(name) {
                    Some(t) if contains_within(steps, t, value)? => {}
                    Some(_) | None => return Some(false),
                }
            }
            true
        }
        (Json::Array(_), Json::Array(candidate)) => {
            for c in candidate {
                if !within_array(steps, target, c)? {
                    return Some(false);
                }
            }
            true
        }
        (Json::Array(_), candidate) => within_array(steps, target, candidate)?,
        (target, candidate) => compare(target, candidate) == Ordering::Equal,
    })
}

/// Whether one of the elements of an array contains the candidate; what is no array has no elements.
fn within_array(steps: &mut u64, target: &Json, candidate: &Json) -> Option<bool> {
    for t in target.as_array().into_iter().flatten() {
        if contains_within(steps, t, candidate)? {
            return Some(true);
        }
    }
    Some(false)
}

/// The number a JSON text is.
pub(crate) fn number(text: &[u8]) -> Number {
    parse(text).map_or(Number::int(0), |document| number_of(&document))
}

/// The number a JSON document is.
pub(crate) fn number_of(document: &Json) -> Number {
    match document {
        Json::Number(n) => json_number(n),
        Json::Bool(b) => Number::int(i64::from(*b)),
        Json::String(s) => Number::parse(s.as_bytes()),
        Json::Null | Json::Array(_) | Json::Object(_) => Number::int(0),
    }
}

pub(super) fn json_number(n: &serde_json::Number) -> Number {
    match (n.as_i64(), n.as_u64(), n.as_f64()) {
        (Some(n), _, _) => Number::int(n),
        (None, Some(n), _) => Number::int(n),
        (None, None, d) => Number::Double(d.unwrap_or(0.0)),
    }
}

/// MySQL's order of JSON values: by type first, then by value. Objects by the number of their members, then member by member:
/// name, then value.
pub(crate) fn compare(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => json_number(a).compare(json_number(b)),
        (Json::String(a), Json::String(b)) => a.cmp(b),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::Array(a), Json::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| compare(a, b))
            .find(|o| *o != Ordering::Equal)
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        (Json::Object(x), Json::Object(y)) => x.len().cmp(&y.len()).then_with(|| {
            let both = members(x).into_iter().zip(members(y));
            let mut orders =
                both.map(|((name, value), (other, its))| in_order(name, other).then_with(|| compare(value, its)));
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }),
        (_, _) => precedence(a).cmp(&precedence(b)),
    }
}

/// The members of an object as MySQL orders them.
pub(super) fn members(object: &serde_json::Map<String, Json>) -> Vec<(&String, &Json)> {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_by(|(a, _), (b, _)| in_order(a, b));
    members
}

/// The order of the names in an object: by length, then by bytes.
fn in_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

pub(super) fn precedence(value: &Json) -> u8 {
    match value {
        Json::Null => 0,
        Json::Number(_) => 1,
        Json::String(_) => 2,
        Json::Object(_) => 3,
        Json::Array(_) => 4,
        Json::Bool(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(document: &str, paths: &[&str]) -> Option<String> {
        let paths: Vec<Path> = paths.iter().map(|p| Path::parse(p).unwrap()).collect();
        extract(&parse(document.as_bytes()).unwrap(), &paths).unwrap().map(|v| text(&v))
    }

    #[test]
    fn paths_find_what_they_name() {
        let doc = r#"{"a":{"b":[10,20,{"c d":"x"}]},"n":null,"long":1,"z":2}"#;
        assert_eq!(get(doc, &["$.a.b[1]"]).as_deref(), Some("20"));
        assert_eq!(get(doc, &["$.a.b[last].\"c d\""]).as_deref(), Some("\"x\""));
        assert_eq!(get(doc, &["$.a.b[last-2]"]).as_deref(), Some("10"));
        assert_eq!(get(doc, &["$.a.b[last-18446744073709551615]"]), None);
        assert_eq!(get(doc, &["$.n"]).as_deref(), Some("null"), "a JSON null is a value");
        assert_eq!(get(doc, &["$.missing"]), None);
        assert_eq!(get(doc, &["$.z", "$.missing"]).as_deref(), Some("[2]"), "several paths give an array");
        assert_eq!(get(doc, &["$.a.b[*]"]).as_deref(), Some(r#"[10, 20, {"c d": "x"}]"#));
        assert_eq!(get(doc, &["$**.\"c d\""]).as_deref(), Some("[\"x\"]"));
        assert_eq!(get(doc, &["$.long[0]"]).as_deref(), Some("1"), "a scalar is an array of itself");
        assert_eq!(get("[[1]]", &["$**[0]"]).as_deref(), Some("[[1], 1]"), "what is found in two ways is found once");
        assert_eq!(
            get("{\"b\":1,\"a\":2,\"ccc\":3,\"bb\":4}", &["$"]).as_deref(),
            Some(r#"{"a": 2, "b": 1, "bb": 4, "ccc": 3}"#)
        );
    }

    #[test]
    fn bad_paths_are_refused_with_the_place() {
        for bad in ["", "a", "$.", "$[", "$[x]", "$.a b", "$**", "$.1a", "$.\"a"] {
            assert!(matches!(Path::parse(bad), Err(SqlError::Json { path: true, .. })), "{bad}");
        }
        assert!(Path::parse(&format!("${}", "[0]".repeat(1000))).is_err());
    }

    #[test]
    fn many_deep_legs_do_not_multiply_what_they_find() {
        let deep = format!("{}{}", "[".repeat(90), "]".repeat(90));
        let path = format!("${}", "**[0]".repeat(40));
        assert_eq!(get(&deep, &[&path]).as_deref().map(|found| found.starts_with("[[[")), Some(true));
    }

    #[test]
    fn paths_go_through_so_many_values_at_most() {
        let document = parse(format!("[{}0]", "0,".repeat(9_999)).as_bytes()).unwrap();
        let paths = |path, count| vec![Path::parse(path).unwrap(); count];
        assert!(extract(&document, &paths("$**.a", 1_000)).unwrap().is_none());
        for path in ["$**.a", "$[*]"] {
            let refused = extract(&document, &paths(path, 5_000)).unwrap_err();
            assert!(matches!(refused, SqlError::Limit { name: "json_path_steps", .. }), "{path}: {refused:?}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(
            get("[18446744073709551615, -9223372036854775808, 1.5, 1.0]", &["$"]).as_deref(),
            Some("[18446744073709551615, -9223372036854775808, 1.5, 1.0]")
        );
    }

    #[test]
    fn doubles_are_written_as_mysql_writes_them() {
        for (written, shown) in [
            ("0.0000012", "0.0000012"),
            ("1e-15", "0.000000000000001"),
            ("1e-16", "1e-16"),
            ("999999999999999.0", "999999999999999.0"),
            ("1e14", "100000000000000.0"),
            ("1e15", "1e15"),
            ("1234567890123456.0", "1.234567890123456e15"),
            ("123456789012345680000.0", "1.2345678901234568e20"),
            ("-0.0", "-0.0"),
            ("0e5", "0.0"),
        ] {
            assert_eq!(get(written, &["$"]).as_deref(), Some(shown), "{written}");
        }
    }

    #[test]
    fn members_are_found_in_the_order_of_their_names() {
        let document = r#"{"b":{"x":1},"aa":{"x":2},"x":3}"#;
        assert_eq!(get(document, &["$.*"]).as_deref(), Some(r#"[{"x": 1}, 3, {"x": 2}]"#));
        assert_eq!(get(document, &["$**.x"]).as_deref(), Some("[3, 1, 2]"));
        assert_eq!(get(r#"{"aa":1,"b":2}"#, &["$.*"]).as_deref(), Some("[2, 1]"));
    }

    #[test]
    fn objects_are_in_order_by_their_members_and_not_by_their_text() {
        let order = |a: &str, b: &str| compare(&parse(a.as_bytes()).unwrap(), &parse(b.as_bytes()).unwrap());
        // By their text the second would be above the third, which is the first.
        let rising = [r#"{"a":1.0}"#, r#"{"a":1.5}"#, r#"{"a":9}"#, r#"{"a":10}"#, r#"{"b":0}"#, r#"{"aa":0}"#];
        for (i, a) in rising.iter().enumerate() {
            for (k, b) in rising.iter().enumerate() {
                assert_eq!(order(a, b), i.cmp(&k), "{a} {b}");
            }
        }
        assert_eq!(order(r#"{"a":1}"#, r#"{"a":1.0}"#), Ordering::Equal);
        assert_eq!(order(r#"{"bb":1,"c":2}"#, r#"{"c":2.0,"bb":1}"#), Ordering::Equal);
        assert_eq!(order(r#"{"z":1,"b":2}"#, r#"{"c":0}"#), Ordering::Greater);
    }

    #[test]
    fn a_number_is_read_as_the_double_nearest_to_it() {
        for (written, double) in [
            ("6.666e48", 6.666e48),
            ("1.0404504100144547e22", 1.040_450_410_014_454_7e22),
            ("8.555555555555555e71", 8.555_555_555_555_555e71),
            ("6.666666666666666e49", 6.666_666_666_666_666e49),
        ] {
            let document = parse(written.as_bytes()).unwrap();
            assert_eq!(document.as_f64(), Some(double), "{written}");
            assert_eq!(parse(text(&document).as_bytes()).unwrap(), document, "{written}");
        }
    }

    #[test]
    fn containment_looks_into_arrays_and_objects() {
        let contains =
            |a: &str, b: &str| super::contains(&parse(a.as_bytes()).unwrap(), &parse(b.as_bytes()).unwrap()).unwrap();
        assert!(contains("[1,2,3]", "2"));
        assert!(contains("[1,2,3]", "[3,1]"));
        assert!(contains(r#"{"a":1,"b":2}"#, r#"{"a":1}"#));
        assert!(!contains(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(!contains("1", "[1]"));
        assert!(contains("[[1,2],[3]]", "[[2],[3]]") && contains("[]", "[]") && !contains("[]", "[[]]"));
    }

    #[test]
    fn the_work_of_containment_is_bounded() {
        let within = |target: &Json, candidate: &Json| contains_within(&mut 100_000, target, candidate);
        let many = |last: i64| Json::Array([&[1; 999][..], &[last]].concat().into_iter().map(Json::from).collect());
        let twos = Json::Array(vec![Json::from(2); 1000]);
        assert_eq!(within(&many(2), &twos), None);
        assert_eq!(within(&many(3), &twos), Some(false), "the first that is not there decides");
        let text = |last: &str| Json::from(format!("{}{last}", "x".repeat(100 * STEP_BYTES as usize)));
        let texts = Json::Array((0..99).map(|_| text("a")).chain([text("z")]).collect());
        assert_eq!(within(&texts, &Json::Array(vec![text("z"); 5])), Some(true));
        assert_eq!(within(&texts, &Json::Array(vec![text("z"); 50])), None, "long strings are many steps");
        let enough = |n| Json::Array((0..n).map(Json::from).collect());
        assert_eq!(contains(&enough(5000), &enough(5000)), Ok(true));
        let limit = contains(&enough(12_000), &enough(12_000));
        assert!(matches!(limit, Err(SqlError::Limit { name: "json_contains_steps", .. })), "{limit:?}");
    }
}
