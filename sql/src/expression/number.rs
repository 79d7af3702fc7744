//! Exact numbers: integers, decimals and doubles, with MySQL's arithmetic and an exact order.
//!
//! Here is what a number is, and which number a value is and which value a number; its order, rounding and text are modules
//! of this one, products and quotients are `arithmetic.rs`. Nothing is refused but a value of a type that does not hold it.

mod order;
mod rounding;
#[cfg(test)]
pub(super) mod tests;
mod text;

use num_bigint::BigInt;

pub(crate) use text::{decimal_text, double_digits, double_text};

use super::arithmetic::{Arithmetic, out_of_range, wide_arithmetic};
use super::wide::Wide;
use crate::error::SqlError;
use crate::value::Value;

/// Most digits behind the point.
pub(super) const MAX_SCALE: u32 = 30;

/// A number, as exact as its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// `mantissa / 10^scale`; an integer is of scale 0.
    Exact {
        /// The digits.
        mantissa: i128,
        /// How many of them stand behind the point.
        scale: u32,
    },
    /// As exact, of more digits than `i128` has room for.
    Wide(Wide),
    /// A double.
    Double(f64),
}

/// An integer as MySQL's operators of bits and CAST AS UNSIGNED take it: negative ones are their two's complement, and what
/// is beyond BIGINT saturates.
pub(super) fn wrapping_u64(n: i128) -> u64 {
    match (u64::try_from(n), i64::try_from(n)) {
        (Ok(n), _) => n,
        (Err(_), Ok(n)) => n.cast_unsigned(),
        (Err(_), Err(_)) if n < 0 => i64::MIN.cast_unsigned(),
        (Err(_), Err(_)) => u64::MAX,
    }
}

impl Number {
    /// An integer.
    pub fn int(n: impl Into<i128>) -> Self {
        Self::Exact { mantissa: n.into(), scale: 0 }
    }

    /// The number a value is in a comparison; `None` for NULL. Text is read exactly.
    pub fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Int(n) => Self::int(*n),
            Value::UInt(n) => Self::int(*n),
            Value::Double(d) => Self::Double(*d),
            Value::Decimal(text) => Self::parse(text.as_bytes()),
            Value::Text(bytes) | Value::Bytes(bytes) => Self::parse(bytes),
            Value::Json(bytes) => super::json::number(bytes),
            Value::DateTime(at) => super::time::as_number(*at),
        })
    }

    /// The number a value is in arithmetic: text is a double.
    pub fn operand(value: &Value) -> Option<Self> {
        let number = Self::of(value)?;
        Some(match value {
            Value::Text(_) | Value::Bytes(_) | Value::Json(_) => Self::Double(number.as_f64()),
            Value::Null
            | Value::Int(_)
            | Value::UInt(_)
            | Value::Double(_)
            | Value::Decimal(_)
            | Value::DateTime(_) => number,
        })
    }

    /// Its digits, and how many of them stand behind the point; `None` of a double.
    pub(super) fn digits(self) -> Option<(BigInt, u32)> {
        match self {
            Self::Exact { mantissa, scale } => Some((BigInt::from(mantissa), scale)),
            Self::Wide(wide) => Some(wide.digits()),
            Self::Double(_) => None,
        }
    }

    /// As a double.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Wide(wide) => wide.text(0).parse().unwrap_or(0.0),
            Self::Exact { mantissa, scale: 0 } => mantissa as f64,
            // Through text, so that 0.1 becomes the double nearest to it.
            Self::Exact { mantissa, scale } => decimal_text(mantissa, scale).parse().unwrap_or(0.0),
            Self::Double(d) => d,
        }
    }

    /// Whether it is not zero.
    pub fn is_true(self) -> bool {
        match self {
            Self::Exact { mantissa, .. } => mantissa != 0,
            Self::Wide(_) => true,
            Self::Double(d) => d != 0.0,
        }
    }

    /// Digits behind the point; of a double none are known.
    pub fn scale(self) -> u32 {
        match self {
            Self::Exact { scale, .. } => scale,
            Self::Wide(wide) => wide.scale(),
            Self::Double(_) => 0,
        }
    }

    /// Minus the number.
    pub fn negated(self) -> Self {
        match self {
            Self::Exact { mantissa, scale } => Self::Exact { mantissa: mantissa.saturating_neg(), scale },
            Self::Wide(wide) => Self::Wide(wide.negated()),
            Self::Double(d) => Self::Double(-d),
        }
    }

    /// The sum, beyond the range of any integer type.
    pub fn plus(self, other: Self) -> Self {
        if let (Self::Exact { mantissa: a, scale: x }, Self::Exact { mantissa: b, scale: y }) = (self, other) {
            let scale = x.max(y);
            let a = a.checked_mul(pow10(scale - x));
            let b = b.checked_mul(pow10(scale - y));
            if let Some(mantissa) = a.zip(b).and_then(|(a, b)| a.checked_add(b)) {
                return Self::Exact { mantissa, scale };
            }
        }
        if let (Some((a, x)), Some((b, y))) = (self.digits(), other.digits())
            && let Some(sum) = wide_arithmetic(Arithmetic::Add, a, x, b, y)
        {
            return sum;
        }
        Self::Double(self.as_f64() + other.as_f64())
    }

    /// As an SQL value: BIGINT, else BIGINT UNSIGNED, else DECIMAL; a fraction is a DECIMAL; a double a DOUBLE.
    pub fn value(self) -> Value {
        match self {
            Self::Exact { mantissa, scale: 0 } => match (i64::try_from(mantissa), u64::try_from(mantissa)) {
                (Ok(n), _) => Value::Int(n),
                (Err(_), Ok(n)) => Value::UInt(n),
                (Err(_), Err(_)) => Value::Decimal(mantissa.to_string()),
            },
            Self::Exact { mantissa, scale } => Value::Decimal(decimal_text(mantissa, scale)),
            Self::Wide(wide) => Value::Decimal(wide.text(0)),
            Self::Double(d) => Value::Double(d),
        }
    }

    /// As an SQL value that is a DECIMAL, unless it is a double.
    pub fn decimal_value(self) -> Value {
        match self {
            Self::Exact { .. } | Self::Wide(_) => Value::Decimal(self.decimal(0)),
            Self::Double(d) => Value::Double(d),
        }
    }

    /// As a value of the type another one has: what a function gives that leaves a number's type as it is.
    ///
    /// # Errors
    /// [`SqlError::OutOfRange`] when the type does not hold it.
    pub fn value_like(self, other: &Value) -> Result<Value, SqlError> {
        match (other, self) {
            (Value::Int(_), Self::Exact { mantissa, scale: 0 }) => {
                i64::try_from(mantissa).map(Value::Int).map_err(|_| out_of_range("BIGINT"))
            }
            (Value::UInt(_), Self::Exact { mantissa, scale: 0 }) => {
                u64::try_from(mantissa).map(Value::UInt).map_err(|_| out_of_range("BIGINT UNSIGNED"))
            }
            (Value::Decimal(_), number) => Ok(number.decimal_value()),
            (_, number) => Ok(number.value()),
        }
    }
}

pub(super) fn pow10(exponent: u32) -> i128 {
    10_i128.checked_pow(exponent).unwrap_or(i128::MAX)
}
