//! Keys: bytes that are equal where values are, and in the order of these, for whoever compares bytes only.

use serde_json::Value as Json;

use super::json::{json_number, members, precedence};

/// Of a number that is written with digits and a point, whatever zeros it is written with: the sign, how many digits stand
/// before the point (less than none for `0.001`), the digits, and what is below every digit. All but the sign of a negative
/// number are turned around.
pub(crate) fn number(text: &str) -> Vec<u8> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return vec![1];
    }
    let places = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let zeros = if whole.is_empty() { fraction.len() - fraction.trim_start_matches('0').len() } else { 0 };
    // The sign bit turned makes the bytes' order that of the integers.
    let point = (places(whole.len()) - places(zeros)).cast_unsigned() ^ (1 << 31);
    let mut size = point.to_be_bytes().to_vec();
    size.extend(significant.bytes());
    size.push(0);
    if negative {
        size.iter_mut().for_each(|byte| *byte = !*byte);
    }
    size.insert(0, if negative { 0 } else { 2 });
    size
}

/// Of a JSON document, in the order of [`super::json::compare`]. No key begins another, so that those of the elements of an
/// array can stand one behind the other.
pub(crate) fn json(document: &Json) -> Vec<u8> {
    let mut key = Vec::new();
    append(&mut key, document);
    key
}

fn append(key: &mut Vec<u8>, value: &Json) {
    // Above what ends an array.
    key.push(1 + precedence(value));
    match value {
        Json::Null => {}
        Json::Bool(b) => key.push(u8::from(*b)),
        Json::Number(n) => key.extend(number(&json_number(n).canonical())),
        // A zero is followed by what is above the end.
        Json::String(text) => {
            for byte in text.bytes() {
                key.push(byte);
                key.extend((byte == 0).then_some(u8::MAX));
            }
            key.extend([0, 0]);
        }
        Json::Array(items) => {
            items.iter().for_each(|item| append(key, item));
            key.push(0);
        }
        Json::Object(object) => {
            key.extend((object.len() as u64).to_be_bytes());
            for (name, value) in members(object) {
                key.extend((name.len() as u64).to_be_bytes());
                key.extend(name.bytes());
                append(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::json::{compare, parse};
    use super::*;

    fn document() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            (-12..12_i64).prop_map(Json::from),
            (-12..12_i64).prop_map(|n| Json::from(n as f64 / 2.0)),
            (0..4_i64).prop_map(|n| Json::from(999_999_999_999_999_998 + n)),
            (0..4_u64).prop_map(|n| Json::from(u64::MAX - n)),
            prop::sample::select(
                &[-0.0, 0.1, 1e17, 1e18, 1e19, 1e20, -1e18, 9_223_372_036_854_775_808.0, 18_446_744_073_709_551_616.0]
                    [..]
            )
            .prop_map(Json::from),
            prop::sample::select(&["", "a", "aa", "b", "\0", "a\0", "a\0b", "ä", "10", "9"][..]).prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
                prop::collection::btree_map("[ab]{1,2}", inner, 0..3)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn keys_of_documents_compare_as_the_documents(a in document(), b in document()) {
            prop_assert_eq!(super::json(&a).cmp(&super::json(&b)), compare(&a, &b), "{} {}", a, b);
        }
    }

    #[test]
    fn equal_documents_have_one_key_however_they_are_written() {
        let key = |text: &str| super::json(&parse(text.as_bytes()).unwrap());
        assert_eq!(key("1e18"), key("1000000000000000000"));
        assert_eq!(key("1e19"), key("10000000000000000000"));
        assert_eq!(key(r#"[1.0, {"a": -0.0, "b": "x"}]"#), key(r#"[1, {"b": "x", "a": 0}]"#));
        assert_eq!(super::json(&json!([1])).cmp(&super::json(&json!([1, null]))), Ordering::Less);
    }
}
