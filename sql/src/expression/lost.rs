//! What a value loses where another type is read out of it, which MySQL warns of (1292): text that is no number to its end,
//! text that is no time.

use super::Scope;
use super::functions::Function;
use super::number::Number;
use super::time_functions::time_of;
use super::worth::Worth;
use super::{CastType, clock};
use crate::error::SqlError;
use crate::value::Value;

/// Characters of the text that are told.
const TOLD: usize = 128;
/// Digits that are a BIGINT, and a double, whatever they are.
const SHORT: usize = 18;

/// What text is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Integer,
    Decimal,
    Double,
}

impl Read {
    fn name(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Decimal => "DECIMAL",
            Self::Double => "DOUBLE",
        }
    }

    /// Whether nothing is lost of the text. Blanks around the number are not counted, and no text at all is a double, 0.
    fn whole(self, text: &[u8]) -> bool {
        let text = text.trim_ascii();
        let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
        if text.is_empty() {
            return self == Self::Double;
        }
        let (before, left) = digits(unsigned);
        if self == Self::Integer {
            let number = || std::str::from_utf8(text).ok().and_then(|text| text.parse::<i128>().ok());
            let held = |n: i128| i64::try_from(n).is_ok() || u64::try_from(n).is_ok();
            return before > 0 && left.is_empty() && (before <= SHORT || number().is_some_and(held));
        }
        let (behind, left) = left.strip_prefix(b".").map_or((0, left), digits);
        if before + behind == 0 {
            return false;
        }
        let Some(power) = left.strip_prefix(b"e").or_else(|| left.strip_prefix(b"E")) else {
            return left.is_empty() && (before <= SHORT || finite(text));
        };
        let power = power.strip_prefix(b"-").or_else(|| power.strip_prefix(b"+")).unwrap_or(power);
        let (power, left) = digits(power);
        power > 0 && left.is_empty() && finite(text)
    }
}

/// How many digits a text begins with, and what is behind them.
fn digits(text: &[u8]) -> (usize, &[u8]) {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    (count, text.get(count..).unwrap_or_default())
}

/// Whether a number is one that a double can be.
fn finite(number: &[u8]) -> bool {
    std::str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok()).is_some_and(f64::is_finite)
}

/// As much of a value's text as is told.
fn told(text: &[u8]) -> String {
    let text = text.get(..TOLD * 4).unwrap_or(text);
    String::from_utf8_lossy(text).chars().take(TOLD).collect()
}

fn truncated(ty: impl Into<String>, text: &[u8]) -> SqlError {
    SqlError::Truncated { ty: ty.into(), text: told(text) }
}

/// Tells of a value that is read as a number, if it is text that is none to its end.
///
/// # Errors
/// That of [`Scope::lost`].
pub(crate) fn number<L>(value: &Value, read: Read, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    match value {
        Value::Text(text) | Value::Bytes(text) if !read.whole(text) => scope.lost(truncated(read.name(), text)),
        Value::Text(_)
        | Value::Bytes(_)
        | Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Json(_)
        | Value::DateTime(_) => Ok(()),
    }
}

/// The same of an operand.
///
/// # Errors
/// That of [`Scope::lost`].
pub(super) fn operand<L>(worth: &Worth, read: Read, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    match worth {
        Worth::Plain(value) => number(value, read, scope),
        Worth::Quotient(_) => Ok(()),
    }
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_))
}

/// Tells of text that is compared with a number.
///
/// # Errors
/// That of [`Scope::lost`].
pub(super) fn compared<L>(a: &Value, b: &Value, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    match (is_number(a), is_number(b)) {
        (true, false) => number(b, Read::Double, scope),
        (false, true) => number(a, Read::Double, scope),
        (_, _) => Ok(()),
    }
}

/// The same of one value that is compared with many, one after the other: it is told of once.
pub(super) struct Many<'a> {
    value: &'a Value,
    told: bool,
}

impl<'a> Many<'a> {
    pub fn new(value: &'a Value) -> Self {
        Self { value, told: false }
    }

    /// Tells of what is lost where it is compared with another.
    ///
    /// # Errors
    /// That of [`Scope::lost`].
    pub fn with<L>(&mut self, other: &Value, scope: &dyn Scope<L>) -> Result<(), SqlError> {
        if is_number(self.value) {
            return number(other, Read::Double, scope);
        }
        if is_number(other) && !std::mem::replace(&mut self.told, true) {
            return number(self.value, Read::Double, scope);
        }
        Ok(())
    }
}

/// Tells of what a CAST loses.
///
/// # Errors
/// That of [`Scope::lost`].
pub(super) fn cast<L>(value: &Value, ty: CastType, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    match ty {
        CastType::Signed | CastType::Unsigned => number(value, Read::Integer, scope),
        CastType::Decimal { .. } => number(value, Read::Decimal, scope),
        CastType::Double => number(value, Read::Double, scope),
        CastType::Char(Some(length)) => match super::text_of(value) {
            Some(text) if super::text::first_letters(&text, length as usize).len() < text.len() => {
                scope.lost(truncated(format!("CHAR({length})"), &text))
            }
            Some(_) | None => Ok(()),
        },
        CastType::Binary(Some(length)) => match super::text_of(value) {
            Some(text) if text.len() > length as usize => scope.lost(truncated(format!("BINARY({length})"), &text)),
            Some(_) | None => Ok(()),
        },
        CastType::Date | CastType::DateTime(_) => time(value, scope),
        CastType::Time(digits) => match (value, clock::as_clock(value, digits)) {
            (Value::Text(text) | Value::Bytes(text), Value::Null) => scope.lost(truncated("time", text)),
            (_, _) => Ok(()),
        },
        CastType::Char(None) | CastType::Binary(None) | CastType::Json => Ok(()),
    }
}

/// Tells of text or a number that is read as a time and is none.
fn time<L>(value: &Value, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    match value {
        Value::Null | Value::Json(_) | Value::DateTime(_) => Ok(()),
        Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) | Value::Text(_) | Value::Bytes(_) => {
            match time_of(value) {
                Some(_) => Ok(()),
                None => scope.lost(SqlError::NoTime(told(&super::text_of(value).unwrap_or_default()))),
            }
        }
    }
}

/// Tells of what a function loses of its arguments, none of which is NULL; `made` is its value.
///
/// # Errors
/// That of [`Scope::lost`].
pub(super) fn arguments<L>(
    function: Function,
    values: &[Value],
    made: &Value,
    scope: &dyn Scope<L>,
) -> Result<(), SqlError> {
    let each = |from: usize, to: usize, read: Read| {
        values.iter().take(to).skip(from).try_for_each(|value| number(value, read, scope))
    };
    match function {
        Function::Abs | Function::Ceiling | Function::Floor | Function::Sign => each(0, 1, Read::Double),
        Function::Pow => each(0, 2, Read::Double),
        Function::Round => each(0, 1, Read::Double).and_then(|()| each(1, 2, Read::Integer)),
        Function::Left | Function::Right => each(1, 2, Read::Integer),
        Function::Substring => each(1, 3, Read::Integer),
        Function::SubstringIndex | Function::Locate => each(2, 3, Read::Integer),
        Function::FromUnixTime => each(0, 1, Read::Decimal),
        Function::NullIf => match values {
            [a, b] => compared(a, b, scope),
            _ => Ok(()),
        },
        Function::TimeAdd | Function::MonthsAdd | Function::Extract | Function::UnixTimestamp | Function::ConvertTz
            if *made == Value::Null =>
        {
            values.first().map_or(Ok(()), |value| time(value, scope))
        }
        Function::TimeDiff if *made == Value::Null => {
            let none = |value: &&Value| clock::as_clock(value, 6) == Value::Null && time_of(value).is_none();
            match values.iter().take(2).find(none).and_then(super::text_of) {
                Some(text) => scope.lost(truncated("time", &text)),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Tells of what INTERVAL, the function, loses of its arguments: it compares them as numbers up to the one that is greater.
///
/// # Errors
/// That of [`Scope::lost`].
pub(super) fn places<L>(values: &[Value], place: &Value, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    let last = match place {
        Value::Int(place) => usize::try_from(*place).unwrap_or(0),
        _ => 0,
    };
    values.iter().take(last + 2).try_for_each(|value| number(value, Read::Double, scope))
}

/// The number of a value as [`Number::of`] has it.
///
/// # Errors
/// That of [`Scope::lost`].
pub(super) fn number_of<L>(value: &Value, scope: &dyn Scope<L>) -> Result<Option<Number>, SqlError> {
    number(value, Read::Double, scope).map(|()| Number::of(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_number_to_its_end_or_not() {
        for (text, integer, decimal, double) in [
            ("12", true, true, true),
            (" -12 ", true, true, true),
            ("+7", true, true, true),
            ("1.5", false, true, true),
            (".5", false, true, true),
            ("1.", false, true, true),
            ("1e2", false, true, true),
            ("1e400", false, false, false),
            ("18446744073709551615", true, true, true),
            ("18446744073709551616", false, true, true),
            ("", false, false, true),
            (" ", false, false, true),
            ("x", false, false, false),
            ("1x", false, false, false),
            ("1e", false, false, false),
            (".", false, false, false),
            ("-", false, false, false),
            ("0x10", false, false, false),
            ("inf", false, false, false),
        ] {
            let whole = [Read::Integer, Read::Decimal, Read::Double].map(|read| read.whole(text.as_bytes()));
            assert_eq!(whole, [integer, decimal, double], "{text:?}");
        }
    }
}
