//! The functions of the dialect that depend on nothing but their arguments.

use bytes::Bytes;
use cellgate_schemaless::Micros;
use serde_json::Value as Json;

use super::evaluate::{arithmetic, boolean, column_text, text_of};
use super::json::Path;
use super::number::{Arithmetic, Number};
use super::{Expression, Scope, compare, json, time};
use crate::error::SqlError;
use crate::value::Value;

/// Longest text a function makes, in bytes; beyond it the result is NULL, as with MySQL's max_allowed_packet.
const TEXT_BYTES: usize = 64 * 1024 * 1024;

macro_rules! functions {
    ($($name:ident $sql:literal ($min:literal, $max:expr)),* $(,)?) => {
        /// A function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub(crate) enum Function { $($name),* }

        impl Function {
            /// The function of this name (upper case).
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($sql => Some(Self::$name),)*
                    "CEIL" => Some(Self::Ceiling),
                    "CHARACTER_LENGTH" => Some(Self::CharLength),
                    "OCTET_LENGTH" => Some(Self::Length),
                    "LCASE" => Some(Self::Lower),
                    "UCASE" => Some(Self::Upper),
                    "SUBSTR" | "MID" => Some(Self::Substring),
                    "POWER" => Some(Self::Pow),
                    _ => None,
                }
            }

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $sql),* }
            }

            /// The least and most arguments it takes.
            pub fn arity(self) -> (usize, usize) {
                match self { $(Self::$name => ($min, $max)),* }
            }
        }
    };
}

functions! {
    Abs "ABS" (1, 1),
    Ceiling "CEILING" (1, 1),
    CharLength "CHAR_LENGTH" (1, 1),
    Coalesce "COALESCE" (1, usize::MAX),
    Concat "CONCAT" (1, usize::MAX),
    ConcatWs "CONCAT_WS" (2, usize::MAX),
    ConvertTz "CONVERT_TZ" (3, 3),
    Floor "FLOOR" (1, 1),
    FromUnixTime "FROM_UNIXTIME" (2, 2),
    Greatest "GREATEST" (2, usize::MAX),
    Hex "HEX" (1, 1),
    If "IF" (3, 3),
    IfNull "IFNULL" (2, 2),
    Instr "INSTR" (2, 2),
    IsNull "ISNULL" (1, 1),
    JsonArray "JSON_ARRAY" (0, usize::MAX),
    JsonContains "JSON_CONTAINS" (2, 3),
    JsonExtract "JSON_EXTRACT" (2, usize::MAX),
    JsonKeys "JSON_KEYS" (1, 2),
    JsonLength "JSON_LENGTH" (1, 2),
    JsonObject "JSON_OBJECT" (0, usize::MAX),
    JsonQuote "JSON_QUOTE" (1, 1),
    JsonType "JSON_TYPE" (1, 1),
    JsonUnquote "JSON_UNQUOTE" (1, 1),
    JsonValid "JSON_VALID" (1, 1),
    JsonValue "JSON_VALUE" (2, 2),
    Least "LEAST" (2, usize::MAX),
    Left "LEFT" (2, 2),
    Length "LENGTH" (1, 1),
    Locate "LOCATE" (2, 3),
    Lower "LOWER" (1, 1),
    LTrim "LTRIM" (1, 1),
    Mod "MOD" (2, 2),
    NullIf "NULLIF" (2, 2),
    Pow "POW" (2, 2),
    Replace "REPLACE" (3, 3),
    Right "RIGHT" (2, 2),
    Round "ROUND" (1, 2),
    RTrim "RTRIM" (1, 1),
    ShardOf "SHARD_OF" (1, 1),
    Sign "SIGN" (1, 1),
    Substring "SUBSTRING" (2, 3),
    SubstringIndex "SUBSTRING_INDEX" (3, 3),
    // Time plus so many microseconds: what DATE_ADD, DATE_SUB and +/- INTERVAL become.
    TimeAdd "(time + interval)" (2, 2),
    Trim "TRIM" (1, 1),
    Unhex "UNHEX" (1, 1),
    UnixTimestamp "UNIX_TIMESTAMP" (2, 2),
    Upper "UPPER" (1, 1),
}

/// Calls a function. Arguments that are not needed are not evaluated.
pub(super) fn call<L>(
    function: Function,
    arguments: &[Expression<L>],
    scope: &dyn Scope<L>,
) -> Result<Value, SqlError> {
    match (function, arguments) {
        (Function::If, [condition, then, otherwise]) => {
            let taken = if condition.holds(scope)? { then } else { otherwise };
            return taken.evaluate(scope);
        }
        (Function::Coalesce | Function::IfNull, _) => {
            for e in arguments {
                let value = e.evaluate(scope)?;
                if value != Value::Null {
                    return Ok(value);
                }
            }
            return Ok(Value::Null);
        }
        (_, _) => {}
    }
    let values = arguments.iter().map(|e| e.evaluate(scope)).collect::<Result<Vec<_>, _>>()?;
    apply(function, &values, scope.folds_case())
}

fn apply(function: Function, values: &[Value], fold_case: bool) -> Result<Value, SqlError> {
    if let Some(done) = null_tolerant(function, values, fold_case)? {
        return Ok(done);
    }
    if values.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    match values {
        [value] => one(function, value),
        _ => several(function, values, fold_case),
    }
}

/// The functions for which a NULL argument does not simply make NULL.
fn null_tolerant(function: Function, values: &[Value], fold_case: bool) -> Result<Option<Value>, SqlError> {
    Ok(Some(match (function, values) {
        (Function::IsNull, [value]) => Value::Int(i64::from(*value == Value::Null)),
        (Function::NullIf, [a, b]) => match compare(a, b, fold_case)? {
            Some(std::cmp::Ordering::Equal) => Value::Null,
            Some(_) | None => a.clone(),
        },
        (Function::JsonArray, _) => {
            let items = values.iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
            Value::Json(json::text(&Json::Array(items)).into())
        }
        (Function::JsonObject, _) => json_object(values)?,
        (Function::ConcatWs, [separator, rest @ ..]) => {
            let Some(separator) = text_of(separator) else { return Ok(Some(Value::Null)) };
            let parts: Vec<Bytes> = rest.iter().filter_map(text_of).collect();
            bounded(parts.join(&separator[..]))
        }
        (_, _) => return Ok(None),
    }))
}

fn one(function: Function, value: &Value) -> Result<Value, SqlError> {
    let text = text_of(value).unwrap_or_default();
    let number = || Number::operand(value).unwrap_or(Number::int(0));
    let characters = || String::from_utf8_lossy(&text);
    Ok(match function {
        Function::Abs => {
            let n = number();
            if n.compare(Number::int(0)).is_lt() { n.negated().value() } else { n.value() }
        }
        Function::Sign => Value::Int(match number().compare(Number::int(0)) {
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        }),
        Function::Floor => whole(number(), false),
        Function::Ceiling => whole(number(), true),
        Function::Round => number().rounded(0).value(),
        Function::Length => size(text.len()),
        Function::CharLength => {
            size(if matches!(value, Value::Bytes(_)) { text.len() } else { characters().chars().count() })
        }
        Function::Lower => changed(value, &text, |t| t.to_lowercase()),
        Function::Upper => changed(value, &text, |t| t.to_uppercase()),
        Function::Trim => changed(value, &text, |t| t.trim_matches(' ').to_owned()),
        Function::LTrim => changed(value, &text, |t| t.trim_start_matches(' ').to_owned()),
        Function::RTrim => changed(value, &text, |t| t.trim_end_matches(' ').to_owned()),
        Function::Hex => hex(value, &text),
        Function::Unhex => unhex(&text),
        Function::JsonUnquote => match value {
            Value::Json(bytes) => Value::Text(json::unquote(&json::parse(bytes)?).into()),
            Value::Null
            | Value::Int(_)
            | Value::UInt(_)
            | Value::Double(_)
            | Value::Decimal(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::DateTime(_) => Value::Text(json::unquote_text(&text)?),
        },
        Function::JsonQuote => {
            let mut out = String::with_capacity(text.len() + 2);
            json::quote(&mut out, &characters());
            Value::Text(out.into())
        }
        Function::JsonValid => match value {
            Value::Json(_) => Value::Int(1),
            Value::Text(_) => Value::Int(i64::from(json::parse(&text).is_ok())),
            Value::Null
            | Value::Int(_)
            | Value::UInt(_)
            | Value::Double(_)
            | Value::Decimal(_)
            | Value::Bytes(_)
            | Value::DateTime(_) => Value::Int(0),
        },
        Function::JsonType => Value::Text(json::type_name(&document(value)?).into()),
        Function::JsonLength => size(json::length(&document(value)?)),
        Function::JsonKeys => json_keys(&document(value)?),
        Function::Concat | Function::Least | Function::Greatest => value_as_text(value),
        other => return Err(SqlError::Arguments(other.name().into())),
    })
}

fn several(function: Function, values: &[Value], fold_case: bool) -> Result<Value, SqlError> {
    let text = |i: usize| values.get(i).and_then(text_of).unwrap_or_default();
    let string = |i: usize| String::from_utf8_lossy(&text(i)).into_owned();
    let int = |i: usize| values.get(i).and_then(Number::of).map_or(0, |n| i64::try_from(n.round()).unwrap_or(i64::MAX));
    Ok(match (function, values) {
        (Function::Concat, _) => concat(values),
        (Function::Mod, [a, b]) => arithmetic(Arithmetic::Modulo, a, b)?,
        (Function::Round, [value, _]) => {
            let digits = i32::try_from(int(1).clamp(-30, 30)).unwrap_or(0);
            Number::operand(value).unwrap_or(Number::int(0)).rounded(digits).value()
        }
        (Function::Greatest | Function::Least, [first, rest @ ..]) => {
            let mut best = first;
            for value in rest {
                let order = compare(value, best, fold_case)?;
                let better = if function == Function::Greatest {
                    order.is_some_and(|o| o.is_gt())
                } else {
                    order.is_some_and(|o| o.is_lt())
                };
                if better {
                    best = value;
                }
            }
            best.clone()
        }
        (Function::Left, [_, _]) => text_value(string(0).chars().take(usize::try_from(int(1)).unwrap_or(0)).collect()),
        (Function::Right, [_, _]) => {
            let string = string(0);
            let skip = string.chars().count().saturating_sub(usize::try_from(int(1)).unwrap_or(0));
            text_value(string.chars().skip(skip).collect())
        }
        (Function::Substring, [_, _, ..]) => substring(&string(0), int(1), (values.len() > 2).then(|| int(2))),
        (Function::Replace, [_, _, _]) => {
            let (string, from, to) = (string(0), string(1), string(2));
            if from.is_empty() {
                text_value(string)
            } else if string.matches(&from).count().saturating_mul(to.len()) > TEXT_BYTES {
                Value::Null
            } else {
                text_value(string.replace(&from, &to))
            }
        }
        (Function::Pow, [base, exponent]) => {
            let double = |v| Number::of(v).map_or(0.0, Number::as_f64);
            let power = double(base).powf(double(exponent));
            if !power.is_finite() {
                return Err(super::number::out_of_range("DOUBLE"));
            }
            Value::Double(power)
        }
        (Function::SubstringIndex, [_, _, _]) => text_value(substring_index(&string(0), &string(1), int(2))),
        (Function::Instr, [_, _]) => locate(&string(1), &string(0), 1),
        (Function::Locate, [_, _]) => locate(&string(0), &string(1), 1),
        (Function::Locate, [_, _, _]) => locate(&string(0), &string(1), int(2)),
        (Function::JsonExtract, _) => json_extract(values)?,
        (Function::JsonValue, [_, _]) => match json_extract(values)? {
            Value::Json(found) => match json::parse(&found)? {
                Json::Null => Value::Null,
                found => text_value(json::unquote(&found)),
            },
            other => other,
        },
        (Function::JsonLength, [d, _]) => at_path(d, &string(1))?.map_or(Value::Null, |d| size(json::length(&d))),
        (Function::JsonKeys, [d, _]) => at_path(d, &string(1))?.map_or(Value::Null, |d| json_keys(&d)),
        (Function::JsonContains, [target, candidate, ..]) => {
            let candidate = document(candidate)?;
            let target = if values.len() > 2 { at_path(target, &string(2))? } else { Some(document(target)?) };
            boolean(target.map(|t| json::contains(&t, &candidate)))
        }
        (Function::UnixTimestamp, [at, zone]) => {
            let local = match at {
                Value::DateTime(at) => Some(*at),
                Value::Null
                | Value::Int(_)
                | Value::UInt(_)
                | Value::Double(_)
                | Value::Decimal(_)
                | Value::Text(_)
                | Value::Bytes(_)
                | Value::Json(_) => time::parse(&text(0)),
            };
            local.map_or(Value::Null, |local| unix_time(Micros(local.0.saturating_sub(offset(zone)))))
        }
        (Function::FromUnixTime, [seconds, zone]) => {
            let micros = Number::of(seconds);
            let micros = micros.and_then(|n| n.apply(Arithmetic::Multiply, Number::int(1_000_000)).ok().flatten());
            match micros.map(|n| i64::try_from(n.round())) {
                // MySQL's bounds: 1970 to 3001-01-18.
                Some(Ok(micros @ 0..=32_536_771_199_999_999)) => Value::DateTime(Micros(micros + offset(zone))),
                Some(_) | None => Value::Null,
            }
        }
        (Function::TimeAdd, [at, micros]) => {
            let at = match at {
                Value::DateTime(at) => Some(*at),
                Value::Null
                | Value::Int(_)
                | Value::UInt(_)
                | Value::Double(_)
                | Value::Decimal(_)
                | Value::Text(_)
                | Value::Bytes(_)
                | Value::Json(_) => time::parse(&text(0)),
            };
            let micros = Number::of(micros).and_then(|n| i64::try_from(n.round()).ok());
            match at.zip(micros).and_then(|(at, micros)| at.0.checked_add(micros)) {
                Some(at) => Value::DateTime(Micros(at)),
                None => Value::Null,
            }
        }
        (Function::ConvertTz, [_, _, _]) => {
            // Zones by offset, and UTC by name; others are not known, which MySQL answers with NULL.
            let zone = |i| match string(i).to_ascii_uppercase().as_str() {
                "UTC" | "SYSTEM" => Some(0),
                other => time::offset(other),
            };
            match (time::parse(&text(0)), zone(1), zone(2)) {
                (Some(at), Some(from), Some(to)) => Value::DateTime(Micros(at.0 - from + to)),
                (_, _, _) => Value::Null,
            }
        }
        (other, _) => return Err(SqlError::Arguments(other.name().into())),
    })
}

/// What stands before the `count`th separator from the left or, if that is negative, behind it from the right.
fn substring_index(text: &str, separator: &str, count: i64) -> String {
    if separator.is_empty() || count == 0 {
        return String::new();
    }
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count > 0 {
        let cut = text.match_indices(separator).nth(wanted - 1).map_or(text.len(), |(at, _)| at);
        return text.get(..cut).unwrap_or("").to_owned();
    }
    let cut = text.rmatch_indices(separator).nth(wanted - 1).map_or(0, |(at, _)| at + separator.len());
    text.get(cut..).unwrap_or("").to_owned()
}

fn text_value(text: String) -> Value {
    Value::Text(text.into())
}

fn value_as_text(value: &Value) -> Value {
    text_of(value).map_or(Value::Null, |t| column_text(&t))
}

fn size(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn bounded(bytes: Vec<u8>) -> Value {
    if bytes.len() > TEXT_BYTES { Value::Null } else { column_text(&bytes.into()) }
}

/// CONCAT: NULL if any is NULL.
pub(super) fn concat(values: &[Value]) -> Value {
    let parts: Option<Vec<Bytes>> = values.iter().map(text_of).collect();
    match parts {
        Some(parts) if parts.iter().map(Bytes::len).sum::<usize>() <= TEXT_BYTES => bounded(parts.concat()),
        Some(_) | None => Value::Null,
    }
}

/// Text changed as characters; bytes without a character set stay as they are.
fn changed(value: &Value, text: &Bytes, f: impl Fn(&str) -> String) -> Value {
    match (value, std::str::from_utf8(text)) {
        (Value::Bytes(bytes), _) => Value::Bytes(bytes.clone()),
        (_, Ok(t)) => text_value(f(t)),
        (_, Err(_)) => Value::Bytes(text.clone()),
    }
}

fn whole(number: Number, up: bool) -> Value {
    match number {
        Number::Double(d) => Value::Double(if up { d.ceil() } else { d.floor() }),
        Number::Exact { .. } => {
            let (floor, exact) = number.floor();
            Number::int(floor + i128::from(up && !exact)).value()
        }
    }
}

fn hex(value: &Value, text: &[u8]) -> Value {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut out = String::with_capacity(text.len() * 2);
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => {
            let n = Number::of(value).map_or(0, Number::round);
            let bits = u64::try_from(n).unwrap_or_else(|_| i64::try_from(n).unwrap_or(i64::MIN).cast_unsigned());
            out = format!("{bits:X}");
        }
        Value::Null | Value::Text(_) | Value::Bytes(_) | Value::Json(_) | Value::DateTime(_) => {
            for b in text {
                out.extend([b >> 4, b & 15].iter().filter_map(|n| DIGITS.get(usize::from(*n))));
            }
        }
    }
    text_value(out)
}

fn unhex(text: &[u8]) -> Value {
    match std::str::from_utf8(text) {
        Ok(t) if t.bytes().all(|b| b.is_ascii_hexdigit()) => Value::Bytes(crate::parse::literal::hex_bytes(t).into()),
        Ok(_) | Err(_) => Value::Null,
    }
}

/// The microseconds ahead of UTC that a time zone is.
fn offset(zone: &Value) -> i64 {
    match zone {
        Value::Int(micros) => *micros,
        Value::Null
        | Value::UInt(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Json(_)
        | Value::DateTime(_) => 0,
    }
}

fn unix_time(at: Micros) -> Value {
    let (seconds, micros) = (at.0.div_euclid(1_000_000), at.0.rem_euclid(1_000_000));
    if micros == 0 { Value::Int(seconds) } else { Value::Decimal(super::number::decimal_text(i128::from(at.0), 6)) }
}

fn substring(text: &str, from: i64, length: Option<i64>) -> Value {
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let start = match from {
        0 => return text_value(String::new()),
        1.. => from - 1,
        _ if -from > count => return text_value(String::new()),
        _ => count + from,
    };
    let length = length.unwrap_or(i64::MAX).max(0);
    let chars = text.chars().skip(usize::try_from(start).unwrap_or(usize::MAX));
    text_value(chars.take(usize::try_from(length).unwrap_or(usize::MAX)).collect())
}

fn locate(needle: &str, text: &str, from: i64) -> Value {
    let Some(skip) = from.checked_sub(1).and_then(|n| usize::try_from(n).ok()) else { return Value::Int(0) };
    let Some((start, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(skip) else { return Value::Int(0) };
    match text.get(start..).and_then(|rest| rest.find(needle)) {
        Some(at) => size(text.get(..start + at).unwrap_or("").chars().count() + 1),
        None => Value::Int(0),
    }
}

/// The JSON document a value holds: JSON, or text that is JSON.
fn document(value: &Value) -> Result<Json, SqlError> {
    json::parse(&text_of(value).unwrap_or_default())
}

fn at_path(value: &Value, path: &str) -> Result<Option<Json>, SqlError> {
    let path = Path::parse(path)?;
    json::extract(&document(value)?, &[path])
}

fn json_keys(document: &Json) -> Value {
    match document {
        Json::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
            let names = Json::Array(names.into_iter().cloned().map(Json::String).collect());
            Value::Json(json::text(&names).into())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => Value::Null,
    }
}

/// `JSON_EXTRACT(document, path, ..)` over values.
pub(super) fn json_extract(values: &[Value]) -> Result<Value, SqlError> {
    let Some((first, paths)) = values.split_first() else { return Ok(Value::Null) };
    let paths: Option<Vec<Bytes>> = paths.iter().map(text_of).collect();
    let (Some(_), Some(paths)) = (text_of(first), paths) else { return Ok(Value::Null) };
    let paths = paths.iter().map(|p| Path::parse(&String::from_utf8_lossy(p))).collect::<Result<Vec<_>, _>>()?;
    let found = json::extract(&document(first)?, &paths)?;
    Ok(found.map_or(Value::Null, |found| Value::Json(json::text(&found).into())))
}

fn json_object(values: &[Value]) -> Result<Value, SqlError> {
    if values.len() % 2 == 1 {
        return Err(SqlError::Arguments("JSON_OBJECT".into()));
    }
    let mut map = serde_json::Map::new();
    for pair in values.chunks_exact(2) {
        let [name, value] = pair else { continue };
        let name = text_of(name).ok_or_else(|| SqlError::Json {
            path: false,
            message: "JSON documents may not contain NULL member names.".into(),
        })?;
        map.insert(String::from_utf8_lossy(&name).into_owned(), to_json(value)?);
    }
    Ok(Value::Json(json::text(&Json::Object(map)).into()))
}

/// The JSON document CAST makes of a value: text is read as JSON.
pub(super) fn to_json_document(value: &Value) -> Result<Json, SqlError> {
    match value {
        Value::Text(bytes) => json::parse(bytes),
        Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Bytes(_)
        | Value::Json(_)
        | Value::DateTime(_) => to_json(value),
    }
}

/// A value as JSON: text becomes a string.
fn to_json(value: &Value) -> Result<Json, SqlError> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Int(n) => Json::from(*n),
        Value::UInt(n) => Json::from(*n),
        Value::Double(d) => Json::from(*d),
        Value::Decimal(text) => Json::from(Number::parse(text.as_bytes()).as_f64()),
        Value::Text(bytes) => Json::String(String::from_utf8_lossy(bytes).into_owned()),
        Value::Bytes(_) => {
            return Err(SqlError::Json {
                path: false,
                message: "Cannot create a JSON value from a string with CHARACTER SET 'binary'.".into(),
            });
        }
        Value::Json(bytes) => json::parse(bytes)?,
        Value::DateTime(at) => Json::String(time::text(*at)),
    })
}
