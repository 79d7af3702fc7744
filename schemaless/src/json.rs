//! Whether bytes are one JSON text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::Invalid;
use crate::limits;

/// Checks that `bytes` are one JSON text (RFC 8259) in UTF-8, nested at most [`limits::JSON_DEPTH`] deep. As in MySQL its
/// numbers have to be within a double's range, and its strings have no half of a surrogate pair: whoever reads the body
/// later must be able to.
///
/// # Errors
/// [`Invalid::Json`] with the byte offset at which the text stops being JSON, or [`Invalid::JsonTooDeep`].
pub fn validate(bytes: &[u8]) -> Result<(), Invalid> {
    // Depth first, over bytes, so that the parser below never sees text nested deeper. Most texts have fewer brackets than
    // may be open, in strings and all, which is told without going through them byte by byte.
    if brackets(bytes) > limits::JSON_DEPTH {
        let depth = depth(bytes);
        if depth > limits::JSON_DEPTH {
            return Err(Invalid::JsonTooDeep { depth });
        }
    }
    let text = std::str::from_utf8(bytes).map_err(|e| Invalid::Json { offset: e.valid_up_to() })?;
    serde_json::from_str::<Read>(text).map(|Read| ()).map_err(|e| {
        // serde_json reports line and column; clients are told a byte offset, as MySQL does.
        let line_start: usize = text.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum();
        Invalid::Json { offset: (line_start + e.column().saturating_sub(1)).min(bytes.len()) }
    })
}

/// Any value, looked at and not kept. What serde ignores it does not look at either: numbers and escapes could be any.
struct Read;

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Read {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while let Some(Self) = items.next_element()? {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while let Some((Self, Self)) = members.next_entry()? {}
        Ok(self)
    }
}

/// How many brackets open, in strings too. Counted in bytes, of which a processor adds many at a time.
fn brackets(bytes: &[u8]) -> usize {
    let opens = |chunk: &[u8]| chunk.iter().map(|b| u8::from(*b | 0x20 == b'{')).sum::<u8>();
    bytes.chunks(usize::from(u8::MAX)).map(|chunk| usize::from(opens(chunk))).sum()
}

/// How deep the brackets outside of strings nest.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for &b in bytes {
        if in_string {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match b {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_json_text_is_accepted() {
        for ok in ["{}", "[]", "null", "1", "-1.5e3", "\"x\"", " {\"a\": [1, {\"b\": null}]} ", "true"] {
            assert_eq!(validate(ok.as_bytes()), Ok(()), "{ok}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused_with_the_place() {
        assert_eq!(validate(b""), Err(Invalid::Json { offset: 0 }));
        assert_eq!(validate(b"{\"a\": x}"), Err(Invalid::Json { offset: 6 }));
        assert!(matches!(validate(b"{} {}"), Err(Invalid::Json { .. })));
        assert_eq!(validate(b"\"\xff\""), Err(Invalid::Json { offset: 1 }));
        assert!(matches!(validate(b"NaN"), Err(Invalid::Json { .. })));
    }

    #[test]
    fn what_no_reader_could_make_a_value_of_is_refused() {
        let long = "9".repeat(400);
        for refused in ["{\"n\":1e400}", "-1e309", &long, "\"\\ud800\"", "{\"\\udc00x\":1}", "[\"\\ud800\\u0041\"]"] {
            assert!(matches!(validate(refused.as_bytes()), Err(Invalid::Json { .. })), "{refused}");
        }
        let long = "9".repeat(300);
        for read in ["1e308", "1e-400", &long, "\"\\ud83d\\ude00\"", "{\"a\":1,\"a\":2}", "18446744073709551616"] {
            assert_eq!(validate(read.as_bytes()), Ok(()), "{read}");
            assert!(serde_json::from_str::<serde_json::Value>(read).is_ok(), "{read}");
        }
    }

    #[test]
    fn a_text_deeper_than_the_limit_is_refused_without_recursion() {
        let nest = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert_eq!(validate(&nest(limits::JSON_DEPTH)), Ok(()));
        assert_eq!(
            validate(&nest(limits::JSON_DEPTH + 1)),
            Err(Invalid::JsonTooDeep { depth: limits::JSON_DEPTH + 1 })
        );
        let objects = |n: usize| [b"{\"a\":".repeat(n), b"1".to_vec(), vec![b'}'; n]].concat();
        assert_eq!(validate(&objects(limits::JSON_DEPTH)), Ok(()));
        assert_eq!(
            validate(&objects(limits::JSON_DEPTH + 1)),
            Err(Invalid::JsonTooDeep { depth: limits::JSON_DEPTH + 1 })
        );
        let wide = [b"[".to_vec(), b"{},[],".repeat(1000), b"0]".to_vec()].concat();
        assert_eq!(validate(&wide), Ok(()), "many brackets, of which few are open at a time");
        assert_eq!(validate(&nest(1_000_000)), Err(Invalid::JsonTooDeep { depth: 1_000_000 }));
        assert_eq!(
            validate(format!("\"{}\"", "[".repeat(1000)).as_bytes()),
            Ok(()),
            "brackets in a string do not nest"
        );
    }
}
