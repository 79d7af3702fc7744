//! The functions that make and take apart JSON.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value as Json;

use super::call::within;
use super::json_path::Path;
use super::number::Number;
use super::text::text_of;
use super::text::text_value;
use super::{json, time};
use crate::error::SqlError;
use crate::value::Value;

/// The JSON document a value holds: JSON, or text that is JSON.
pub(super) fn document(value: &Value) -> Result<Json, SqlError> {
    json::parse(&text_of(value).unwrap_or_default())
}

pub(super) fn at_path(value: &Value, path: &str) -> Result<Option<Json>, SqlError> {
    let path = Path::parse(path)?;
    json::extract(&document(value)?, &[path])
}

pub(super) fn json_keys(document: &Json) -> Value {
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

/// `JSON_VALUE(document, path)`: the text of the one value there; NULL for several, for none, and of what is no JSON.
pub(super) fn json_value(first: &Value, path: &str) -> Result<Value, SqlError> {
    let paths = [Path::parse(path)?];
    let Ok(document) = document(first) else { return Ok(Value::Null) };
    let found = match json::extract(&document, &paths)? {
        Some(Json::Array(many)) if paths.iter().any(Path::is_many) => match <[Json; 1]>::try_from(many) {
            Ok([one]) => Some(one),
            Err(_) => None,
        },
        found => found,
    };
    Ok(match found {
        None | Some(Json::Null) => Value::Null,
        Some(found) => text_value(json::unquote(&found)),
    })
}

/// `JSON_UNQUOTE(x)`: what a string holds, of JSON or of a text that is one; anything else as its text.
pub(super) fn json_unquote(value: &Value, text: &Bytes) -> Result<Value, SqlError> {
    Ok(Value::Text(match value {
        Value::Json(bytes) => json::unquote(&json::parse(bytes)?).into(),
        Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::DateTime(_) => json::unquote_text(text)?,
    }))
}

/// `JSON_VALID(x)`: of text and JSON only.
pub(super) fn json_valid(value: &Value, text: &[u8]) -> Value {
    let valid = match value {
        // A body, too: it may have been stored before all of it was looked at.
        Value::Json(_) | Value::Text(_) => json::parse(text).is_ok(),
        Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Bytes(_)
        | Value::DateTime(_) => false,
    };
    Value::Int(i64::from(valid))
}

/// What is compared with a key: of a string of JSON what it holds; anything else as it is.
pub(super) fn as_key(value: &Value) -> Result<Value, SqlError> {
    let Value::Json(text) = value else { return Ok(value.clone()) };
    Ok(match json::parse(text)? {
        Json::String(content) => Value::Text(content.into()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => value.clone(),
    })
}

/// `JSON_CONTAINS_PATH(document, 'one' or 'all', path, ..)`: paths behind the one that decides are not looked at.
pub(super) fn json_contains_path(values: &[Value]) -> Result<Value, SqlError> {
    let [first, which, paths @ ..] = values else { return Ok(Value::Null) };
    let (Some(_), Some(which)) = (text_of(first), text_of(which)) else { return Ok(Value::Null) };
    let all = which.eq_ignore_ascii_case(b"all");
    if !all && !which.eq_ignore_ascii_case(b"one") {
        return Err(SqlError::OneOrAll);
    }
    let document = document(first)?;
    for path in paths {
        let Some(path) = text_of(path) else { return Ok(Value::Null) };
        let found = json::extract(&document, &[Path::parse(&String::from_utf8_lossy(&path))?])?.is_some();
        if found != all {
            return Ok(Value::Int(i64::from(found)));
        }
    }
    Ok(Value::Int(i64::from(all)))
}

/// `JSON_ARRAY(value, ..)`. Its text is made item by item: what was made already is the bound of what is read next.
pub(super) fn json_array(values: &[Value], longest: usize) -> Result<Value, SqlError> {
    let mut out = String::from("[");
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push_str(&json::text(&to_json(value)?));
        within("json_array", out.len(), longest)?;
    }
    out.push(']');
    Ok(Value::Json(out.into()))
}

/// `JSON_OBJECT(name, value, ..)`: of a name that comes again the last value counts.
pub(super) fn json_object(values: &[Value], longest: usize) -> Result<Value, SqlError> {
    if values.len() % 2 == 1 {
        return Err(SqlError::Arguments("JSON_OBJECT".into()));
    }
    let (mut members, mut bytes) = (BTreeMap::new(), 0);
    for pair in values.chunks_exact(2) {
        let [name, value] = pair else { continue };
        let name = text_of(name).ok_or_else(|| SqlError::Json {
            path: false,
            message: "JSON documents may not contain NULL member names.".into(),
        })?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let text = json::text(&to_json(value)?);
        bytes += name.len() + text.len();
        within("json_object", bytes, longest)?;
        // MySQL's order of members: the shorter name first.
        members.insert((name.len(), name), text);
    }
    let mut out = String::from("{");
    for (i, ((_, name), text)) in members.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        json::quote(&mut out, name);
        out.push_str(": ");
        out.push_str(text);
    }
    out.push('}');
    Ok(Value::Json(out.into()))
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
        Value::Decimal(text) => match Number::parse(text.as_bytes()) {
            Number::Exact { mantissa, scale: 0 } => match (i64::try_from(mantissa), u64::try_from(mantissa)) {
                (Ok(n), _) => Json::from(n),
                (_, Ok(n)) => Json::from(n),
                (Err(_), Err(_)) => Json::from(mantissa as f64),
            },
            number => Json::from(number.as_f64()),
        },
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
