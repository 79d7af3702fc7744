//! Arithmetic of numbers as MySQL does it: exact as long as there is room, and NULL for a division by zero.

use super::number::{MAX_SCALE, Number, pow10};
use crate::error::SqlError;

/// Digits behind the point a division adds (`div_precision_increment`).
const DIVISION_DIGITS: u32 = 4;

/// What arithmetic asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `DIV`
    IntegerDivide,
    /// `%`, `MOD`
    Modulo,
}

impl Number {
    /// One operation; `None` is NULL (division by zero).
    ///
    /// # Errors
    /// [`SqlError::OutOfRange`] when no type of the result's kind holds it.
    pub fn apply(self, op: Arithmetic, other: Self) -> Result<Option<Self>, SqlError> {
        let divides = matches!(op, Arithmetic::Divide | Arithmetic::IntegerDivide | Arithmetic::Modulo);
        if divides && !other.is_true() {
            return Ok(None);
        }
        // DIV is about decimals, also of doubles.
        let operands = if op == Arithmetic::IntegerDivide { (self.written(), other.written()) } else { (self, other) };
        if let (Self::Exact { mantissa: a, scale: x }, Self::Exact { mantissa: b, scale: y }) = operands
            && (b != 0 || !divides)
        {
            let scale = x.max(y);
            let aligned = || Some((a.checked_mul(pow10(scale - x))?, b.checked_mul(pow10(scale - y))?));
            let exact = match op {
                Arithmetic::Add => aligned().and_then(|(a, b)| a.checked_add(b)).map(|m| (m, scale)),
                Arithmetic::Subtract => aligned().and_then(|(a, b)| a.checked_sub(b)).map(|m| (m, scale)),
                Arithmetic::Multiply => a.checked_mul(b).map(|m| (m, x + y)),
                Arithmetic::Divide => divide(a, x, b, y),
                Arithmetic::IntegerDivide => aligned().map(|(a, b)| (a / b, 0)),
                Arithmetic::Modulo => remainder(a, x, b, y).map(|m| (m, scale)),
            };
            if let Some((mantissa, scale)) = exact {
                let number = Self::Exact { mantissa, scale };
                let number =
                    if scale > MAX_SCALE { number.rounded(i32::try_from(MAX_SCALE).unwrap_or(0)) } else { number };
                let integer = (x == 0 && y == 0 && op != Arithmetic::Divide) || op == Arithmetic::IntegerDivide;
                return in_range(number, integer).map(Some);
            }
            // Beyond 38 digits doubles are all that is left.
        }
        let (a, b) = (self.as_f64(), other.as_f64());
        let result = match op {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
            Arithmetic::IntegerDivide => return in_range(Self::int((a / b).trunc() as i128), true).map(Some),
            Arithmetic::Modulo => a % b,
        };
        if result.is_finite() { Ok(Some(Self::Double(result))) } else { Err(out_of_range("DOUBLE")) }
    }
}

fn in_range(number: Number, integer: bool) -> Result<Number, SqlError> {
    match number {
        Number::Exact { mantissa, scale: 0 } if integer => {
            if i64::try_from(mantissa).is_ok() || u64::try_from(mantissa).is_ok() {
                Ok(number)
            } else {
                Err(out_of_range("BIGINT"))
            }
        }
        Number::Exact { .. } | Number::Double(_) => Ok(number),
    }
}

/// The error of a result that its type cannot hold.
pub(crate) fn out_of_range(ty: &'static str) -> SqlError {
    SqlError::OutOfRange(ty)
}

fn divide(a: i128, x: u32, b: i128, y: u32) -> Option<(i128, u32)> {
    let scale = (x + DIVISION_DIGITS).min(MAX_SCALE);
    // a/10^x / (b/10^y) with `scale` digits, rounded half away from zero.
    let numerator = a.checked_mul(pow10((scale + y).checked_sub(x)?))?;
    let quotient = numerator / b;
    let rest = (numerator % b).unsigned_abs();
    let away = i128::from(rest >= b.unsigned_abs() - rest);
    Some((if (numerator < 0) == (b < 0) { quotient + away } else { quotient - away }, scale))
}

/// `a/10^x % b/10^y` in units of the finer of the two. Digit by digit, so that no more room is taken than the divisor has.
fn remainder(a: i128, x: u32, b: i128, y: u32) -> Option<i128> {
    if x > y {
        // A divisor that is beyond all numbers leaves all of the dividend.
        return Some(b.checked_mul(pow10(x - y)).map_or(a, |b| a % b));
    }
    let mut rest = a % b;
    for _ in x..y {
        rest = rest.checked_mul(10)? % b;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calculate(a: &str, op: Arithmetic, b: &str) -> Option<String> {
        Number::parse(a.as_bytes()).apply(op, Number::parse(b.as_bytes())).ok().flatten().map(Number::canonical)
    }

    #[test]
    fn arithmetic_is_exact_and_divides_with_four_more_digits() {
        assert_eq!(calculate("1", Arithmetic::Divide, "3").as_deref(), Some("0.3333"));
        assert_eq!(calculate("2", Arithmetic::Divide, "3").as_deref(), Some("0.6667"));
        assert_eq!(calculate("-2", Arithmetic::Divide, "3").as_deref(), Some("-0.6667"));
        assert_eq!(calculate("0.1", Arithmetic::Add, "0.2").as_deref(), Some("0.3"));
        assert_eq!(calculate("1.5", Arithmetic::Multiply, "1.5").as_deref(), Some("2.25"));
        assert_eq!(calculate("-7", Arithmetic::IntegerDivide, "2").as_deref(), Some("-3"));
        assert_eq!(calculate("-7", Arithmetic::Modulo, "2").as_deref(), Some("-1"));
        assert_eq!(calculate("5.5", Arithmetic::Modulo, "2").as_deref(), Some("1.5"));
        assert_eq!(calculate("1", Arithmetic::Divide, "0"), None);
        assert_eq!(calculate("9223372036854775807", Arithmetic::Add, "1").as_deref(), Some("9223372036854775808"));
    }

    #[test]
    fn integers_out_of_64_bits_are_an_error() {
        let n = Number::int(u64::MAX);
        assert!(n.apply(Arithmetic::Add, Number::int(1)).is_err());
        assert!(Number::int(i64::MIN).apply(Arithmetic::Subtract, Number::int(1)).is_err());
    }

    #[test]
    fn a_remainder_needs_no_more_room_than_its_divisor() {
        let large = u64::MAX.to_string();
        let calculated = calculate(&large, Arithmetic::Modulo, "0.99999999999999999999999");
        assert_eq!(calculated.as_deref(), Some("0.00018446744073709551615"));
        let calculated = calculate("0.00000000000000000000000000001", Arithmetic::Modulo, &large);
        assert_eq!(calculated.as_deref(), Some("0.00000000000000000000000000001"));
    }

    #[test]
    fn div_is_about_what_a_double_is_written_as() {
        let div = |a, b| Number::Double(a).apply(Arithmetic::IntegerDivide, Number::Double(b));
        assert_eq!(div(0.3, 0.1), Ok(Some(Number::int(3))));
        assert_eq!(div(1e300, 1.0), Err(out_of_range("BIGINT")));
        assert_eq!(div(1e-300, 1.0), Ok(Some(Number::int(0))));
    }
}
