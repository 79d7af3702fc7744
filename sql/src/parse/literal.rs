//! What a token stands for: names without their quotes, strings without their escapes, the bytes of literals.

use std::borrow::Cow;

use bytes::Bytes;

use super::tokens::{Kind, Token};
use crate::environment::SqlMode;
use crate::error::{SqlError, unsupported};
use crate::expression::{Expression, hex_bytes};
use crate::value::Value;

/// The name in a quoted or unquoted identifier token.
pub(crate) fn name<'a>(token: &Token, text: &'a str) -> Cow<'a, str> {
    let written = token.text(text);
    match token.kind {
        Kind::Quoted => unquote_name(written),
        Kind::Word
        | Kind::String
        | Kind::Number
        | Kind::Hex
        | Kind::Bits
        | Kind::UserVariable
        | Kind::SystemVariable
        | Kind::Parameter(_)
        | Kind::Symbol(_) => Cow::Borrowed(written),
    }
}

fn unquote_name(written: &str) -> Cow<'_, str> {
    let quote = written.chars().next().unwrap_or('`');
    let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or("");
    if inner.contains(quote) {
        let mut doubled = String::with_capacity(2);
        doubled.push(quote);
        doubled.push(quote);
        Cow::Owned(inner.replace(&doubled, quote.encode_utf8(&mut [0; 4])))
    } else {
        Cow::Borrowed(inner)
    }
}

/// The content of a string token.
pub(crate) fn string<'a>(token: &Token, text: &'a str, mode: SqlMode) -> Cow<'a, str> {
    let written = token.text(text).trim_start_matches(['n', 'N']);
    unescape(written, mode)
}

/// The content of a string written with its quotes.
pub(crate) fn unescape(written: &str, mode: SqlMode) -> Cow<'_, str> {
    let quote = written.chars().next().unwrap_or('\'');
    let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or("");
    let escapes = !mode.no_backslash_escapes;
    let escaped = escapes && inner.contains('\\');
    if !escaped && !inner.contains(quote) {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            // The other half of a doubled quote.
            chars.next();
            out.push(c);
        } else if c == '\\' && escapes {
            match chars.next() {
                Some('0') => out.push('\0'),
                Some('b') => out.push('\u{8}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('Z') => out.push('\u{1a}'),
                // These two stay escaped for LIKE.
                Some(c @ ('%' | '_')) => {
                    out.push('\\');
                    out.push(c);
                }
                Some(other) => out.push(other),
                None => {}
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The bytes of a hexadecimal token.
pub(crate) fn hex(token: &Token, text: &str) -> Vec<u8> {
    hex_bytes(digits(token.text(text)))
}

/// The bytes of a bit token: big-endian, as few as hold the digits.
pub(crate) fn bits(token: &Token, text: &str) -> Vec<u8> {
    let digits = digits(token.text(text)).as_bytes();
    let first = digits.len() % 8;
    let (head, tail) = digits.split_at(first);
    let byte = |bits: &[u8]| bits.iter().fold(0_u8, |b, d| (b << 1) | (d - b'0'));
    let mut bytes = Vec::with_capacity(digits.len().div_ceil(8));
    if !head.is_empty() {
        bytes.push(byte(head));
    }
    bytes.extend(tail.chunks(8).map(byte));
    bytes
}

/// What a string or a literal of bytes stands for behind an introducer (`_binary`, `_utf8mb4`, in any case).
///
/// # Errors
/// Text in another character set, unless it is ASCII, which is the same in every one a client could name.
pub(super) fn introduced(introducer: &str, bytes: Bytes) -> Result<Value, SqlError> {
    match introducer.to_ascii_lowercase().as_str() {
        "_binary" => Ok(Value::Bytes(bytes)),
        "_utf8mb4" | "_utf8mb3" | "_utf8" | "_ascii" if std::str::from_utf8(&bytes).is_ok() => Ok(Value::Text(bytes)),
        _ if bytes.is_ascii() => Ok(Value::Text(bytes)),
        other => Err(unsupported(&format!("the introducer {other}"), "write the text in utf8mb4")),
    }
}

/// TRUE and FALSE: the numbers 1 and 0 as the outcome of a condition, which beside JSON is JSON's own.
pub(super) fn truth<L>(b: bool) -> Expression<L> {
    Expression::And(vec![Expression::Constant(Value::Int(i64::from(b)))])
}

/// TRUE and FALSE where JSON is made of them: JSON's own, not numbers.
pub(super) fn json_boolean(b: bool) -> Value {
    Value::Json(if b { "true".into() } else { "false".into() })
}

/// Whether the function of this name (upper case) makes JSON of its arguments.
pub(super) fn makes_json(function: &str) -> bool {
    matches!(function, "JSON_OBJECT" | "JSON_ARRAY")
}

/// The digits of `X'..'`, `0x..`, `b'..'` or `0b..`.
pub(crate) fn digits(written: &str) -> &str {
    written.get(2..).unwrap_or("").trim_end_matches('\'')
}

/// The name of a user variable token, lower case.
pub(crate) fn user_variable(token: &Token, text: &str, mode: SqlMode) -> String {
    let written = token.text(text).get(1..).unwrap_or("");
    let name = match written.bytes().next() {
        Some(b'\'' | b'"') => unescape(written, mode),
        Some(b'`') => unquote_name(written),
        Some(_) | None => Cow::Borrowed(written),
    };
    name.to_lowercase()
}

/// Whether a system variable token names the global value, and the variable's name, lower case.
pub(crate) fn system_variable(token: &Token, text: &str) -> (Option<bool>, String) {
    let written = token.text(text).get(2..).unwrap_or("").replace('`', "").to_lowercase();
    match written.split_once('.') {
        Some(("global", name)) => (Some(true), name.to_owned()),
        Some(("session" | "local", name)) => (Some(false), name.to_owned()),
        Some(_) | None => (None, written),
    }
}
