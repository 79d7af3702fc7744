//! Arithmetic of numbers as MySQL does it: exact as long as there is room, and NULL for a division by zero.

use num_bigint::BigInt;

use super::number::{MAX_SCALE, Number, pow10};
use super::wide::{MOST, Wide, ten_to};
use crate::error::SqlError;

/// Digits behind the point a division adds (`div_precision_increment`).
pub(super) const DIVISION_DIGITS: u32 = 4;
/// The same as [`Number::rounded`] takes it.
const MAX_DIGITS: i32 = MAX_SCALE.cast_signed();
/// Digits that MySQL computes with at once, before and behind the point.
pub(super) const GROUP: u32 = 9;

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
    /// The quotient of two exact numbers with all the digits MySQL goes on computing with, which are cut and not rounded;
    /// `None` by zero, or of a double. A quotient is shown with [`DIVISION_DIGITS`] more than its dividend.
    pub fn quotient(self, other: Self) -> Option<Self> {
        let (x, y) = (self.scale(), other.scale());
        if !other.is_true() {
            return None;
        }
        // Groups of nine digits: whole ones are kept of both, and as many more as are missing.
        let (of_a, of_b) = (x.next_multiple_of(GROUP), y.next_multiple_of(GROUP));
        let missing = DIVISION_DIGITS.saturating_sub((of_a - x) + (of_b - y));
        let scale = (of_a + of_b + missing).next_multiple_of(GROUP).min(MOST);
        if let (Self::Exact { mantissa: a, .. }, Self::Exact { mantissa: b, .. }) = (self, other)
            && let Some(numerator) = 10_i128.checked_pow(scale + y - x).and_then(|unit| a.checked_mul(unit))
            && let Some(mantissa) = numerator.checked_div(b)
        {
            return Some(Self::Exact { mantissa, scale });
        }
        let ((a, _), (b, _)) = self.digits().zip(other.digits())?;
        Some(Wide::fitting(a * ten_to(scale + y - x) / b, scale))
    }

    /// One operation; `None` is NULL (division by zero).
    ///
    /// # Errors
    /// [`SqlError::OutOfRange`] when no type of the result's kind holds it.
    pub fn apply(self, op: Arithmetic, other: Self) -> Result<Option<Self>, SqlError> {
        let divides = matches!(op, Arithmetic::Divide | Arithmetic::IntegerDivide | Arithmetic::Modulo);
        if divides && !other.is_true() {
            return Ok(None);
        }
        if op == Arithmetic::Divide
            && let Some(quotient) = self.quotient(other)
        {
            let shown = (self.scale() + DIVISION_DIGITS).min(MAX_SCALE);
            return Ok(Some(quotient.rounded(i32::try_from(shown).unwrap_or(0))));
        }
        // DIV is about decimals, also of doubles.
        let operands = if op == Arithmetic::IntegerDivide { (self.written(), other.written()) } else { (self, other) };
        if let (Self::Exact { mantissa: a, scale: x }, Self::Exact { mantissa: b, scale: y }) = operands
            && (b != 0 || !divides)
        {
            let scale = x.max(y);
            let aligned = || Some((a.checked_mul(unit(scale - x)?)?, b.checked_mul(unit(scale - y)?)?));
            let exact = match op {
                Arithmetic::Add => aligned().and_then(|(a, b)| a.checked_add(b)).map(|m| (m, scale)),
                Arithmetic::Subtract => aligned().and_then(|(a, b)| a.checked_sub(b)).map(|m| (m, scale)),
                Arithmetic::Multiply => a.checked_mul(b).map(|m| (m, x + y)),
                Arithmetic::IntegerDivide => aligned().and_then(|(a, b)| a.checked_div(b)).map(|m| (m, 0)),
                Arithmetic::Modulo => remainder(a, x, b, y).map(|m| (m, scale)),
                Arithmetic::Divide => None,
            };
            if let Some((mantissa, scale)) = exact {
                let number = Self::Exact { mantissa, scale };
                let number =
                    if scale > MAX_SCALE && op == Arithmetic::Multiply { number.rounded(MAX_DIGITS) } else { number };
                return if op == Arithmetic::IntegerDivide { integer(number).map(Some) } else { Ok(Some(number)) };
            }
        }
        if let (Some((a, x)), Some((b, y))) = (operands.0.digits(), operands.1.digits())
            && !(divides && b == BigInt::ZERO)
        {
            let number = wide_arithmetic(op, a, x, b, y).ok_or_else(|| out_of_range("DECIMAL"))?;
            return if op == Arithmetic::IntegerDivide { integer(number).map(Some) } else { Ok(Some(number)) };
        }
        let (a, b) = (self.as_f64(), other.as_f64());
        let result = match op {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
            Arithmetic::IntegerDivide => return integer(Self::int((a / b).trunc() as i128)).map(Some),
            Arithmetic::Modulo => a % b,
        };
        if result.is_finite() { Ok(Some(Self::Double(result))) } else { Err(out_of_range("DOUBLE")) }
    }
}

/// The number, if it is one of the integers there are.
fn integer(number: Number) -> Result<Number, SqlError> {
    match number {
        Number::Exact { mantissa, scale: 0 } if i64::try_from(mantissa).is_ok() || u64::try_from(mantissa).is_ok() => {
            Ok(number)
        }
        Number::Exact { .. } | Number::Wide(_) | Number::Double(_) => Err(out_of_range("BIGINT")),
    }
}

/// One operation other than a division with more digits than `i128` has; `None` beyond all decimals.
pub(super) fn wide_arithmetic(op: Arithmetic, a: BigInt, x: u32, b: BigInt, y: u32) -> Option<Number> {
    let scale = x.max(y);
    let aligned = || (&a * ten_to(scale - x), &b * ten_to(scale - y));
    // Digits behind the point are cut where those before it need the room.
    let number = match op {
        Arithmetic::Multiply if x + y > MAX_SCALE => Wide::rounded(a * b, x + y, MAX_DIGITS),
        Arithmetic::Multiply => Wide::fitting(a * b, x + y),
        Arithmetic::Add => {
            let (a, b) = aligned();
            Wide::fitting(a + b, scale)
        }
        Arithmetic::Subtract => {
            let (a, b) = aligned();
            Wide::fitting(a - b, scale)
        }
        Arithmetic::Modulo => {
            let (a, b) = aligned();
            Wide::fitting(a % b, scale)
        }
        Arithmetic::IntegerDivide => {
            let (a, b) = aligned();
            Wide::fitting(a / b, 0)
        }
        Arithmetic::Divide => return None,
    };
    match number {
        Number::Double(_) => None,
        number @ (Number::Exact { .. } | Number::Wide(_)) => Some(number),
    }
}

/// The error of a result that its type cannot hold.
pub(crate) fn out_of_range(ty: &'static str) -> SqlError {
    SqlError::OutOfRange(ty)
}

/// `a/10^x % b/10^y` in units of the finer of the two. Digit by digit, so that no more room is taken than the divisor has.
fn remainder(a: i128, x: u32, b: i128, y: u32) -> Option<i128> {
    if x > y {
        // A divisor that is beyond all numbers leaves all of the dividend.
        return b.checked_mul(pow10(x - y)).map_or(Some(a), |b| a.checked_rem(b));
    }
    let mut rest = a.checked_rem(b)?;
    for _ in x..y {
        rest = rest.checked_mul(10)? % b;
    }
    Some(rest)
}

fn unit(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

#[cfg(test)]
mod tests {
    use super::super::number::tests::text;
    use super::*;

    fn calculate(a: &str, op: Arithmetic, b: &str) -> Option<String> {
        Number::parse(a.as_bytes()).apply(op, Number::parse(b.as_bytes())).ok().flatten().map(text)
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
    fn decimals_are_exact_up_to_81_digits() {
        let nines = "9".repeat(65);
        let product = calculate("12345678901234567890.123", Arithmetic::Multiply, "18446744073709551615");
        assert_eq!(product.as_deref(), Some("227737579107269814012484978631242917198.645"));
        assert_eq!(calculate(&nines, Arithmetic::Multiply, "10").as_deref(), Some(&*format!("{nines}0")));
        assert_eq!(calculate(&nines, Arithmetic::Add, &nines).as_deref(), Some(&*format!("1{}8", "9".repeat(64))));
        assert_eq!(calculate(&nines, Arithmetic::Subtract, &nines).as_deref(), Some("0"));
        assert_eq!(calculate(&nines, Arithmetic::IntegerDivide, &format!("{nines}.0")).as_deref(), Some("1"));
        assert_eq!(calculate(&nines, Arithmetic::Modulo, "7.5").as_deref(), Some("1.5"));
        let number = Number::parse(nines.as_bytes());
        assert_eq!(number.apply(Arithmetic::Multiply, number), Err(out_of_range("DECIMAL")));
        let thirds = calculate(&format!("-{}", "1".repeat(50)), Arithmetic::Divide, "3");
        assert_eq!(thirds.as_deref(), Some(&*format!("-{}3703.6667", "370".repeat(15))));
    }

    #[test]
    fn the_least_number_of_128_bits_is_divided_as_any_other() {
        let least = i128::MIN.to_string();
        assert_eq!(
            Number::parse(least.as_bytes()).apply(Arithmetic::IntegerDivide, Number::int(-1)),
            Err(out_of_range("BIGINT"))
        );
        assert_eq!(calculate(&least, Arithmetic::Modulo, "-1").as_deref(), Some("0"));
        let made = Number::int(i128::MIN + 1).apply(Arithmetic::Subtract, Number::int(1)).unwrap().unwrap();
        assert_eq!(made.apply(Arithmetic::IntegerDivide, Number::int(-1)), Err(out_of_range("BIGINT")));
        assert_eq!(made.apply(Arithmetic::Modulo, Number::int(-1)).map(|n| n.map(text)), Ok(Some("0".to_owned())));
    }

    #[test]
    fn digits_behind_the_point_give_way_to_those_before_it() {
        let zeros = "0".repeat(30);
        let million = format!("1000000000000.{zeros}");
        let product = calculate(&million, Arithmetic::Multiply, &million);
        assert_eq!(product.as_deref(), Some(&*format!("1{}.{zeros}", "0".repeat(24))));
        let small = (0..9).try_fold(Number::int(1), |n, _| n.quotient(Number::int(2))).unwrap();
        let sum = small.apply(Arithmetic::Add, Number::int(1)).unwrap().unwrap();
        assert!(sum.compare(Number::int(1)).is_gt() && sum.compare(Number::int(2)).is_lt(), "{sum:?}");
    }

    #[test]
    fn a_quotient_has_groups_of_nine_digits() {
        let quotient = |a: &str, b: &str| Number::parse(a.as_bytes()).quotient(Number::parse(b.as_bytes())).map(text);
        assert_eq!(quotient("2", "3").as_deref(), Some("0.666666666"));
        assert_eq!(quotient("-2", "3").as_deref(), Some("-0.666666666"));
        assert_eq!(quotient("1.0", "3").as_deref(), Some("0.333333333"));
        assert_eq!(quotient("1", "3.00").as_deref(), Some("0.333333333"));
        assert_eq!(quotient("0.333333333", "7").as_deref(), Some("0.047619047571428571"));
        assert_eq!(quotient("1", "0"), None);
        let seventh = (0..100).try_fold(Number::int(0), |n, _| n.quotient(Number::int(7)));
        assert_eq!(seventh, Some(Number::Exact { mantissa: 0, scale: MOST }));
        assert_eq!(quotient("1e0", "2"), None);
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
