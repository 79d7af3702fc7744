//! The functions of the dialect that depend on nothing but their arguments.

use cellgate_schemaless::Micros;
use serde_json::Value as Json;

use super::documents::{at_path, document, json_array, json_extract, json_keys, json_object};
use super::evaluate::{arithmetic, boolean, text_of};
use super::number::{Arithmetic, Number, out_of_range};
use super::text::{
    Letters, changed, concat, concat_ws, hex, locate, quote, replace, size, substring, substring_index, text_value,
    trimmed, unhex, value_as_text,
};
use super::{Expression, Scope, compare, json, time};
use crate::error::SqlError;
use crate::parse::unsupported;
use crate::shape::content;
use crate::value::Value;
use crate::zone::{Clock, TimeZone};

impl Function {
    /// Whether it reads its arguments as text.
    pub fn reads_text(self) -> bool {
        match self {
            Self::CharLength
            | Self::Concat
            | Self::ConcatWs
            | Self::Hex
            | Self::Instr
            | Self::Left
            | Self::Length
            | Self::Locate
            | Self::Lower
            | Self::LTrim
            | Self::Quote
            | Self::Replace
            | Self::Right
            | Self::RTrim
            | Self::Substring
            | Self::SubstringIndex
            | Self::Trim
            | Self::Upper => true,
            Self::Abs
            | Self::AsDecimal
            | Self::Ceiling
            | Self::Coalesce
            | Self::ConvertTz
            | Self::Floor
            | Self::FromUnixTime
            | Self::Greatest
            | Self::If
            | Self::IfNull
            | Self::IsNull
            | Self::JsonArray
            | Self::JsonContains
            | Self::JsonExtract
            | Self::JsonKeys
            | Self::JsonLength
            | Self::JsonObject
            | Self::JsonQuote
            | Self::JsonType
            | Self::JsonUnquote
            | Self::JsonValid
            | Self::JsonValue
            | Self::Least
            | Self::Mod
            | Self::NullIf
            | Self::Pow
            | Self::Round
            | Self::ShardOf
            | Self::Sign
            | Self::TimeAdd
            | Self::TimeText
            | Self::Unhex
            | Self::UnixTimestamp => false,
        }
    }
}

/// The last microsecond of a timestamp, 3001-01-18 23:59:59.999999: MySQL's bound.
const LAST: i64 = 32_536_771_199_999_999;

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
    // A number with at least so many digits behind the point.
    AsDecimal "(as decimal)" (2, 2),
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
    Quote "QUOTE" (1, 1),
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
    // A time with so many digits of its fraction: what it becomes where text is read.
    TimeText "(time as text)" (2, 2),
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
    let value = apply(function, &values, scope.folds_case(), scope.longest())?;
    scope.made(bounded(&function.name().to_ascii_lowercase(), &value, scope.longest())?)?;
    Ok(value)
}

/// The size of a value that is within the bound.
///
/// # Errors
/// [`SqlError::ResultTooLong`].
pub(super) fn bounded(function: &str, value: &Value, longest: usize) -> Result<usize, SqlError> {
    let bytes = content(value);
    within(function, bytes, longest)?;
    Ok(bytes)
}

/// Whether a result of so many bytes may be made.
///
/// # Errors
/// [`SqlError::ResultTooLong`] if not.
pub(super) fn within(function: &str, bytes: usize, longest: usize) -> Result<(), SqlError> {
    if bytes > longest {
        return Err(too_long(function, longest));
    }
    Ok(())
}

/// The error of a value that would be longer than that.
pub(super) fn too_long(function: &str, longest: usize) -> SqlError {
    SqlError::ResultTooLong { function: function.to_owned(), limit: longest }
}

fn apply(function: Function, values: &[Value], fold_case: bool, longest: usize) -> Result<Value, SqlError> {
    if let Some(done) = null_tolerant(function, values, fold_case, longest)? {
        return Ok(done);
    }
    if values.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    match values {
        [value] => one(function, value, longest),
        _ => several(function, values, fold_case, longest),
    }
}

/// The functions for which a NULL argument does not simply make NULL.
fn null_tolerant(
    function: Function,
    values: &[Value],
    fold_case: bool,
    longest: usize,
) -> Result<Option<Value>, SqlError> {
    Ok(Some(match (function, values) {
        (Function::IsNull, [value]) => Value::Int(i64::from(*value == Value::Null)),
        (Function::NullIf, [a, b]) => match compare(a, b, fold_case)? {
            Some(std::cmp::Ordering::Equal) => Value::Null,
            Some(_) | None => a.clone(),
        },
        (Function::JsonArray, _) => json_array(values, longest)?,
        (Function::JsonObject, _) => json_object(values, longest)?,
        (Function::Quote, [Value::Null]) => text_value("NULL".to_owned()),
        (Function::ConcatWs, [separator, rest @ ..]) => concat_ws(separator, rest, longest)?,
        (_, _) => return Ok(None),
    }))
}

fn one(function: Function, value: &Value, longest: usize) -> Result<Value, SqlError> {
    let text = text_of(value).unwrap_or_default();
    let number = || Number::operand(value).unwrap_or(Number::int(0));
    let characters = || String::from_utf8_lossy(&text);
    Ok(match function {
        Function::Abs => {
            let n = number();
            if n.compare(Number::int(0)).is_ge() {
                n.value()
            } else if *value == Value::Int(i64::MIN) {
                return Err(out_of_range("BIGINT"));
            } else {
                n.negated().value()
            }
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
        Function::Lower => changed(value, &text, |t| letters(t, char::to_lowercase)),
        Function::Upper => changed(value, &text, |t| letters(t, char::to_uppercase)),
        Function::Trim => trimmed(value, &text, true, true),
        Function::LTrim => trimmed(value, &text, true, false),
        Function::RTrim => trimmed(value, &text, false, true),
        Function::Hex => {
            within("hex", text.len().saturating_mul(2), longest)?;
            hex(value, &text)
        }
        Function::Quote => {
            within("quote", text.len(), longest)?;
            quote(&text)
        }
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

fn several(function: Function, values: &[Value], fold_case: bool, longest: usize) -> Result<Value, SqlError> {
    let text = |i: usize| values.get(i).and_then(text_of).unwrap_or_default();
    let letters = Letters::of_values(values);
    let string = |i: usize| letters.read(&text(i)).into_owned();
    let made = |text: String| letters.write(text);
    let path = |i: usize| String::from_utf8_lossy(&text(i)).into_owned();
    let int = |i: usize| values.get(i).and_then(Number::of).map_or(0, |n| i64::try_from(n.round()).unwrap_or(i64::MAX));
    Ok(match (function, values) {
        (Function::Concat, _) => concat(values, longest)?,
        (Function::Mod, [a, b]) => arithmetic(Arithmetic::Modulo, a, b)?,
        (Function::Round, [value, _]) => {
            let digits = i32::try_from(int(1).clamp(-400, 400)).unwrap_or(0);
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
        (Function::Left, [_, _]) => made(string(0).chars().take(usize::try_from(int(1)).unwrap_or(0)).collect()),
        (Function::Right, [_, _]) => {
            let string = string(0);
            let skip = string.chars().count().saturating_sub(usize::try_from(int(1)).unwrap_or(0));
            made(string.chars().skip(skip).collect())
        }
        (Function::Substring, [_, _, ..]) => made(substring(&string(0), int(1), (values.len() > 2).then(|| int(2)))),
        (Function::Replace, [_, _, _]) => made(replace(&string(0), &string(1), &string(2), longest)?),
        (Function::Pow, [base, exponent]) => {
            let double = |v| Number::of(v).map_or(0.0, Number::as_f64);
            let power = double(base).powf(double(exponent));
            if !power.is_finite() {
                return Err(out_of_range("DOUBLE"));
            }
            Value::Double(power)
        }
        (Function::SubstringIndex, [_, _, _]) => made(substring_index(&string(0), &string(1), int(2))),
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
        (Function::JsonLength, [d, _]) => at_path(d, &path(1))?.map_or(Value::Null, |d| size(json::length(&d))),
        (Function::JsonKeys, [d, _]) => at_path(d, &path(1))?.map_or(Value::Null, |d| json_keys(&d)),
        (Function::JsonContains, [target, candidate, ..]) => {
            let candidate = document(candidate)?;
            let target = if values.len() > 2 { at_path(target, &path(2))? } else { Some(document(target)?) };
            boolean(target.map(|t| json::contains(&t, &candidate)))
        }
        (Function::UnixTimestamp, [at, zone]) => {
            time_of(at).map_or(Value::Null, |local| unix_time(clock(zone).utc(local)))
        }
        (Function::FromUnixTime, [seconds, zone]) => {
            let micros = Number::of(seconds);
            let micros = micros.and_then(|n| n.apply(Arithmetic::Multiply, Number::int(1_000_000)).ok().flatten());
            match micros.map(|n| i64::try_from(n.round())) {
                Some(Ok(micros @ 0..=LAST)) => Value::DateTime(clock(zone).local(Micros(micros))),
                Some(_) | None => Value::Null,
            }
        }
        (Function::TimeAdd, [at, micros]) => {
            let micros = Number::of(micros).and_then(|n| i64::try_from(n.round()).ok());
            let moved = time_of(at).zip(micros).and_then(|(at, micros)| at.0.checked_add(micros)).map(Micros);
            moved.filter(|at| time::exists(*at)).map_or(Value::Null, Value::DateTime)
        }
        (Function::AsDecimal, [value, _]) => {
            match (Number::of(value), value) {
                // Of more digits than are counted with: it stays as it is written.
                (Some(Number::Double(_)) | None, Value::Decimal(_)) => value.clone(),
                (number, _) => {
                    Value::Decimal(number.unwrap_or(Number::int(0)).decimal(u32::try_from(int(1)).unwrap_or(0)))
                }
            }
        }
        (Function::TimeText, [Value::DateTime(at), digits]) => {
            let digits = Number::of(digits).map_or(0, |n| usize::try_from(n.round()).unwrap_or(0));
            text_value(time::text_with(*at, digits))
        }
        // The text of another time, or NULL.
        (Function::TimeText, [other, _]) => other.clone(),
        (Function::ConvertTz, [_, from, to]) => {
            let (from, to) = (zone(from)?, zone(to)?);
            match (time::parse(&text(0)), from, to) {
                (Some(at), Some(from), Some(to)) => {
                    let utc = from.utc(at);
                    // Out of a timestamp's range nothing is converted.
                    Value::DateTime(if (1_000_000..=LAST).contains(&utc.0) { to.local(utc) } else { at })
                }
                (_, _, _) => Value::Null,
            }
        }
        (other, _) => return Err(SqlError::Arguments(other.name().into())),
    })
}

/// The text with each letter in the other case, if that is one letter: as MySQL has it, `ß` has no upper case.
fn letters<I: Iterator<Item = char>>(text: &str, changed: fn(char) -> I) -> String {
    let change = |c| {
        let mut other = changed(c);
        match (other.next(), other.next()) {
            (Some(one), None) => one,
            (_, _) => c,
        }
    };
    text.chars().map(change).collect()
}

/// The time a value is, or its text stands for.
pub(super) fn time_of(value: &Value) -> Option<Micros> {
    match value {
        Value::DateTime(at) => Some(*at),
        Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Json(_) => text_of(value).and_then(|text| time::parse(&text)),
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

/// The session's zone, as its leaf gives it.
fn clock(zone: &Value) -> Clock<'_> {
    Clock::of(zone).unwrap_or(Clock::Offset(0))
}

/// The zone CONVERT_TZ is given: one that was looked up, an offset, or the text of one; `None` for NULL.
///
/// # Errors
/// A zone's name out of a row: files are not read for each.
fn zone(value: &Value) -> Result<Option<Clock<'_>>, SqlError> {
    if let Value::Bytes(packed) = value
        && let Some(clock) = Clock::packed(packed)
    {
        return Ok(Some(clock));
    }
    let Some(text) = text_of(value) else { return Ok(None) };
    match TimeZone::named(&String::from_utf8_lossy(&text)) {
        Some(TimeZone::Offset(ahead)) => Ok(Some(Clock::Offset(ahead))),
        Some(TimeZone::Place(_)) | None => Err(unsupported(
            "CONVERT_TZ with a zone by name that comes out of a row",
            "write the name as a constant or a parameter, or keep offsets like '+02:00' in the rows",
        )),
    }
}

/// A time as seconds since 1970; 0 for what is out of a timestamp's range.
fn unix_time(at: Micros) -> Value {
    if !(0..=LAST).contains(&at.0) {
        return Value::Int(0);
    }
    let (seconds, micros) = (at.0.div_euclid(1_000_000), at.0.rem_euclid(1_000_000));
    if micros == 0 { Value::Int(seconds) } else { Value::Decimal(super::number::decimal_text(i128::from(at.0), 6)) }
}
