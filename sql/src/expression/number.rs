//! Exact numbers: integers, decimals and doubles, with MySQL's arithmetic and an exact order.

use std::cmp::Ordering;

use num_bigint::BigInt;

use super::arithmetic::{Arithmetic, out_of_range, wide_arithmetic};
use super::wide::{Wide, ten_to};
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

    /// The number text stands for: as much of its start as is a number, else 0. Exact unless it has an exponent or more
    /// digits than a decimal; one beyond the doubles is the last of them.
    pub fn parse(text: &[u8]) -> Self {
        let text: &[u8] = text.trim_ascii_start();
        let (negative, mut at) = match text.first() {
            Some(b'-') => (true, 1),
            Some(b'+') => (false, 1),
            Some(_) | None => (false, 0),
        };
        let (mut mantissa, mut scale, mut digits, mut exact, mut in_fraction) = (0_i128, 0_u32, 0, true, false);
        while let Some(&b) = text.get(at) {
            match b {
                b'0'..=b'9' => {
                    digits += 1;
                    let next = mantissa.checked_mul(10).and_then(|m| m.checked_add(i128::from(b - b'0')));
                    match next {
                        Some(m) if !in_fraction || scale < MAX_SCALE => {
                            mantissa = m;
                            scale += u32::from(in_fraction);
                        }
                        Some(_) | None => exact = false,
                    }
                }
                b'.' if !in_fraction => in_fraction = true,
                _ => break,
            }
            at += 1;
        }
        if digits == 0 {
            return Self::int(0);
        }
        let mantissa = if negative { -mantissa } else { mantissa };
        let exponent = exponent_length(text.get(at..).unwrap_or(&[]));
        if exact && exponent == 0 {
            return Self::Exact { mantissa, scale };
        }
        if exponent == 0
            && let Some(wide) = text.get(..at).and_then(Wide::parse)
        {
            return wide;
        }
        let written = text.get(..at + exponent).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or("");
        Self::Double(written.parse::<f64>().unwrap_or(0.0).clamp(f64::MIN, f64::MAX))
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

    /// The greatest integer that is not above it, and whether it is that integer. One that `i128` does not hold is the
    /// nearest that it does.
    pub fn floor(self) -> (i128, bool) {
        match self {
            Self::Exact { mantissa, scale } => {
                let unit = pow10(scale);
                (mantissa.div_euclid(unit), mantissa.rem_euclid(unit) == 0)
            }
            Self::Wide(wide) => wide.floor(),
            // The cast saturates, which keeps the order.
            Self::Double(d) => (d.floor() as i128, d.floor() == d && d.is_finite()),
        }
    }

    /// The greatest whole number that is not above it, or with `up` the least that is not below it.
    pub fn whole(self, up: bool) -> Self {
        match self {
            Self::Exact { .. } => {
                let (floor, exact) = self.floor();
                Self::int(floor + i128::from(up && !exact))
            }
            Self::Wide(wide) => wide.whole(up),
            Self::Double(d) => Self::Double(if up { d.ceil() } else { d.floor() }),
        }
    }

    /// The nearest integer; halves go away from zero, those of doubles to the even one, as `rint` has it.
    pub fn round(self) -> i128 {
        match self.rounded(0) {
            Self::Exact { mantissa, scale } => mantissa / pow10(scale),
            Self::Wide(wide) => wide.floor().0,
            Self::Double(d) => d as i128,
        }
    }

    /// Rounded to so many digits behind the point (negative: before it); halves as in [`Number::round`].
    pub fn rounded(self, digits: i32) -> Self {
        match self {
            Self::Exact { mantissa, scale } => {
                let Ok(drop) = u32::try_from(i64::from(scale) - i64::from(digits)) else { return self };
                if drop == 0 {
                    return self;
                }
                if drop > 38 {
                    return Self::int(0);
                }
                let unit = pow10(drop);
                let half = if mantissa < 0 { -(unit / 2) } else { unit / 2 };
                let kept = mantissa.checked_add(half).map(|sum| sum / unit);
                let rounded = match u32::try_from(digits) {
                    Ok(scale) => kept.map(|mantissa| Self::Exact { mantissa, scale }),
                    Err(_) => {
                        let whole = kept.and_then(|kept| kept.checked_mul(10_i128.checked_pow(digits.unsigned_abs())?));
                        whole.map(|mantissa| Self::Exact { mantissa, scale: 0 })
                    }
                };
                rounded.unwrap_or_else(|| Wide::rounded(BigInt::from(mantissa), scale, digits))
            }
            Self::Wide(wide) => {
                let (mantissa, scale) = wide.digits();
                Wide::rounded(mantissa, scale, digits)
            }
            Self::Double(d) => {
                if digits == 0 {
                    return Self::Double(d.round_ties_even());
                }
                // Read, for a power computed is not the nearest double.
                let unit: f64 = format!("1e{}", digits.unsigned_abs()).parse().unwrap_or(f64::INFINITY);
                Self::Double(match digits {
                    1.. if (d * unit).is_finite() => (d * unit).round_ties_even() / unit,
                    1.. => d,
                    _ if unit.is_finite() => (d / unit).round_ties_even() * unit,
                    _ => 0.0,
                })
            }
        }
    }

    /// The order of two numbers, exact even between integers and doubles.
    pub fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Exact { mantissa: a, scale: x }, Self::Exact { mantissa: b, scale: y }) => {
                let scale = x.max(y);
                match (a.checked_mul(pow10(scale - x)), b.checked_mul(pow10(scale - y))) {
                    (Some(a), Some(b)) => a.cmp(&b),
                    // By whole numbers first: what is behind the point always has room.
                    (_, _) => {
                        let parts = |n: i128, of: u32| {
                            (n.div_euclid(pow10(of)), n.rem_euclid(pow10(of)).saturating_mul(pow10(scale - of)))
                        };
                        parts(a, x).cmp(&parts(b, y))
                    }
                }
            }
            (Self::Double(a), Self::Double(b)) => order(a, b),
            (Self::Wide(_), Self::Exact { .. } | Self::Wide(_)) | (Self::Exact { .. }, Self::Wide(_)) => {
                match (self.digits(), other.digits()) {
                    (Some((a, x)), Some((b, y))) => {
                        let scale = x.max(y);
                        (a * ten_to(scale - x)).cmp(&(b * ten_to(scale - y)))
                    }
                    (_, _) => Ordering::Equal,
                }
            }
            (Self::Exact { mantissa, scale: 0 }, Self::Double(d)) => int_and_double(mantissa, d),
            (Self::Double(d), Self::Exact { mantissa, scale: 0 }) => int_and_double(mantissa, d).reverse(),
            (Self::Exact { .. } | Self::Wide(_), Self::Double(d)) => order(self.as_f64(), d),
            (Self::Double(d), Self::Exact { .. } | Self::Wide(_)) => order(d, other.as_f64()),
        }
    }

    /// A total order of all numbers: that of their values, and of a decimal and a double that are the same as doubles the
    /// decimal comes first. [`Number::compare`] is none where the three kinds meet: two decimals that differ can both equal
    /// one double.
    pub fn total_order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Exact { .. } | Self::Wide(_), Self::Exact { .. } | Self::Wide(_))
            | (Self::Double(_), Self::Double(_)) => self.compare(other),
            (Self::Exact { .. } | Self::Wide(_), Self::Double(d)) => order(self.as_f64(), d).then(Ordering::Less),
            (Self::Double(d), Self::Exact { .. } | Self::Wide(_)) => order(d, other.as_f64()).then(Ordering::Greater),
        }
    }

    /// The number as a decimal with so many digits behind the point at least.
    pub fn decimal(self, scale: u32) -> String {
        match self {
            Self::Exact { mantissa, scale: have } if have < scale => match mantissa.checked_mul(pow10(scale - have)) {
                Some(mantissa) => decimal_text(mantissa, scale),
                None => format!(
                    "{}{:0<width$}",
                    decimal_text(mantissa, have),
                    if have == 0 { "." } else { "" },
                    width = (scale - have) as usize + usize::from(have == 0)
                ),
            },
            Self::Exact { mantissa, scale } => decimal_text(mantissa, scale),
            Self::Wide(wide) => wide.text(scale),
            Self::Double(d) => double_text(d),
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

    /// The decimal a double is written as, which is what MySQL makes of one, if there is room for its digits.
    pub fn written(self) -> Self {
        match self {
            Self::Double(d) => Self::parse(format!("{d}").as_bytes()),
            exact @ (Self::Exact { .. } | Self::Wide(_)) => exact,
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

    /// Text that is the same for equal numbers.
    pub fn canonical(self) -> String {
        match self {
            Self::Exact { mantissa, scale } => {
                let text = decimal_text(mantissa, scale);
                if scale == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
            }
            Self::Wide(wide) => {
                let text = wide.text(0);
                if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
            }
            Self::Double(d) => double_digits(d),
        }
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

fn order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

fn int_and_double(n: i128, d: f64) -> Ordering {
    // The cast saturates far outside of what any column holds.
    let floor = d.floor();
    n.cmp(&(floor as i128)).then(if floor < d { Ordering::Less } else { Ordering::Equal })
}

/// The text of a decimal.
pub(crate) fn decimal_text(mantissa: i128, scale: u32) -> String {
    let scale = scale as usize;
    let sign = if mantissa < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The text MySQL gives a double: the shortest that reads back as the same, with an exponent when it is far from 1.
pub(crate) fn double_text(d: f64) -> String {
    let size = d.abs();
    if d == 0.0 {
        return "0".into();
    }
    if (1e-15..1e15).contains(&size) { format!("{d}") } else { format!("{d:e}") }
}

/// A double in digits, without an exponent: the same as those of the integer it is, if it is one that `i128` holds.
pub(crate) fn double_digits(d: f64) -> String {
    // 2^127, the first that it does not.
    if d.floor() == d && d.abs() < -(i128::MIN as f64) { (d as i128).to_string() } else { format!("{d}") }
}

fn exponent_length(text: &[u8]) -> usize {
    if !matches!(text.first(), Some(b'e' | b'E')) {
        return 0;
    }
    let sign = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    let digits = text.iter().skip(1 + sign).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 { 0 } else { 1 + sign + digits }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn text(number: Number) -> String {
        match number.value() {
            Value::Int(n) => n.to_string(),
            Value::UInt(n) => n.to_string(),
            Value::Decimal(text) => text,
            Value::Double(d) => double_text(d),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_integer_wraps_and_then_saturates() {
        for (n, taken) in
            [(5, 5), (-1, u64::MAX), (i128::from(i64::MIN), 1 << 63), (-(1 << 70), 1 << 63), (1 << 70, u64::MAX)]
        {
            assert_eq!(wrapping_u64(n), taken, "{n}");
        }
    }

    #[test]
    fn what_is_beyond_i128_keeps_its_order_and_its_text() {
        let read = |text: &str| Number::parse(text.as_bytes());
        let rising = [
            "-999999999999999999999999999999999999999.2",
            "-999999999999999999999999999999999999999.1",
            "-1",
            "170141183460469231731687303715884105727",
            "170141183460469231731687303715884105728",
            "999999999999999999999999999999999999999.1",
            "999999999999999999999999999999999999999.2",
        ];
        for (i, a) in rising.iter().enumerate() {
            assert_eq!(text(read(a)), *a);
            assert_eq!(text(read(a).negated().negated()), *a);
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(read(a).compare(read(b)), i.cmp(&j), "{a} {b}");
                assert_eq!(read(a).total_order(read(b)), i.cmp(&j), "{a} {b}");
            }
        }
        let large = read("-999999999999999999999999999999999999999.5");
        assert_eq!(text(large.whole(false)), "-1000000000000000000000000000000000000000");
        assert_eq!(text(large.whole(true)), "-999999999999999999999999999999999999999");
        assert_eq!(text(large.rounded(0)), "-1000000000000000000000000000000000000000");
        assert_eq!(text(read("95").rounded(-1)), "100");
        assert_eq!(large.decimal(3), "-999999999999999999999999999999999999999.500");
        assert_eq!(large.floor(), (i128::MIN, false));
        assert_eq!(large.canonical(), "-999999999999999999999999999999999999999.5");
        assert_eq!(Number::int(i128::MAX).decimal(2), format!("{}.00", i128::MAX));
    }

    #[test]
    fn text_is_read_up_to_where_it_stops_being_a_number() {
        assert_eq!(Number::parse(b" 12abc"), Number::int(12));
        assert_eq!(Number::parse(b"abc"), Number::int(0));
        assert_eq!(Number::parse(b"-1.50x"), Number::Exact { mantissa: -150, scale: 2 });
        assert_eq!(Number::parse(b"1e3"), Number::Double(1000.0));
        assert_eq!(Number::parse(b"1e"), Number::int(1));
        assert_eq!(Number::parse(b"."), Number::int(0));
        assert_eq!(Number::parse(b"-1e400"), Number::Double(f64::MIN));
        assert_eq!(Number::parse("9".repeat(400).as_bytes()), Number::Double(f64::MAX));
    }

    #[test]
    fn integers_and_doubles_compare_exactly() {
        let big = 9_007_199_254_740_993_i64;
        assert_eq!(Number::int(big).compare(Number::Double(9_007_199_254_740_992.0)), Ordering::Greater);
        assert_eq!(Number::Double(1.5).compare(Number::int(1)), Ordering::Greater);
        assert_eq!(Number::int(2).compare(Number::Double(1.5)), Ordering::Greater);
        assert_eq!(Number::int(i64::MAX).compare(Number::Double(f64::INFINITY)), Ordering::Less);
    }

    #[test]
    fn doubles_print_as_mysql_prints_them() {
        for (d, text) in [(1.5, "1.5"), (100.0, "100"), (1e20, "1e20"), (0.1, "0.1"), (-0.0, "0"), (1e-7, "0.0000001")]
        {
            assert_eq!(double_text(d), text);
        }
    }

    #[test]
    fn halves_of_doubles_go_to_the_even_number() {
        for (d, digits, rounded) in [
            (2.5, 0, 2.0),
            (3.5, 0, 4.0),
            (-0.5, 0, 0.0),
            (0.25, 1, 0.2),
            (1.5, 100, 1.5),
            (1.5, 400, 1.5),
            (1e300, -400, 0.0),
            (25.0, -1, 20.0),
        ] {
            assert_eq!(Number::Double(d).rounded(digits), Number::Double(rounded), "{d} to {digits}");
        }
    }

    #[test]
    fn rounding_goes_away_from_zero() {
        assert_eq!(text(Number::parse(b"2.5").rounded(0)), "3");
        assert_eq!(text(Number::parse(b"-2.5").rounded(0)), "-3");
        assert_eq!(text(Number::parse(b"1.298").rounded(1)), "1.3");
        assert_eq!(text(Number::parse(b"155").rounded(-1)), "160");
        assert_eq!(Number::parse(b"-1.5").floor(), (-2, false));
    }
}
