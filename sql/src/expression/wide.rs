//! Exact numbers of more digits than `i128` has room for: decimals have 65, and MySQL computes with up to 81.

use num_bigint::{BigInt, BigUint, Sign};

use super::arithmetic::GROUP;
use super::number::Number;

/// Most digits there are room for, before and behind the point together: nine groups of nine.
pub(super) const MOST: u32 = 9 * GROUP;
/// 32-bit digits that hold as many decimal ones.
const WORDS: usize = 9;

/// An exact number beyond `i128`, of at most 81 digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Wide {
    negative: bool,
    /// The least first.
    words: [u32; WORDS],
    scale: u32,
}

/// A power of ten.
pub(super) fn ten_to(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

impl Wide {
    /// The number `mantissa / 10^scale`; `None` if it has more than 81 digits.
    pub(super) fn exact(mantissa: BigInt, scale: u32) -> Option<Number> {
        // Its least number has no opposite.
        if let Ok(mantissa) = i128::try_from(&mantissa)
            && mantissa > i128::MIN
        {
            return Some(Number::Exact { mantissa, scale });
        }
        if mantissa.magnitude() >= &BigUint::from(10_u32).pow(MOST) {
            return None;
        }
        let (sign, digits) = mantissa.to_u32_digits();
        let mut words = [0; WORDS];
        words.get_mut(..digits.len())?.copy_from_slice(&digits);
        Some(Number::Wide(Self { negative: sign == Sign::Minus, words, scale }))
    }

    /// The same with digits behind the point cut off, in groups of nine, until there is room for the others.
    pub(super) fn fitting(mut mantissa: BigInt, mut scale: u32) -> Number {
        loop {
            if let Some(number) = Self::exact(mantissa.clone(), scale) {
                return number;
            }
            let cut = scale.min(GROUP);
            if cut == 0 {
                // A quotient of two decimals has fewer digits before its point.
                return Number::Double(mantissa.to_string().parse().unwrap_or(f64::MAX));
            }
            mantissa /= ten_to(cut);
            scale -= cut;
        }
    }

    /// The decimal that text is, with a sign perhaps; `None` for what has too many digits or is none.
    pub(super) fn parse(text: &[u8]) -> Option<Number> {
        let text = std::str::from_utf8(text).ok()?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.len() + fraction.len() > 2 * MOST as usize {
            return None;
        }
        let mantissa = format!("{whole}{fraction}").parse().ok()?;
        let scale = u32::try_from(fraction.len()).ok()?;
        let most = super::number::MAX_SCALE;
        if scale > most {
            Some(Self::rounded(mantissa, scale, most.cast_signed()))
        } else {
            Self::exact(mantissa, scale)
        }
    }

    /// Rounded to so many digits behind the point (negative: before it), halves away from zero.
    pub(super) fn rounded(mantissa: BigInt, scale: u32, digits: i32) -> Number {
        let as_it_is = |mantissa, scale| Self::fitting(mantissa, scale);
        let Ok(drop) = u32::try_from(i64::from(scale) - i64::from(digits)) else { return as_it_is(mantissa, scale) };
        if drop == 0 {
            return as_it_is(mantissa, scale);
        }
        if drop > 2 * MOST {
            return Number::int(0);
        }
        let unit = ten_to(drop);
        let half: BigInt = &unit / 2;
        let half = if mantissa.sign() == Sign::Minus { -half } else { half };
        let kept = (mantissa + half) / unit;
        match u32::try_from(digits) {
            Ok(scale) => as_it_is(kept, scale),
            Err(_) => as_it_is(kept * ten_to(digits.unsigned_abs()), 0),
        }
    }

    /// Its digits, and how many of them stand behind the point.
    pub(super) fn digits(self) -> (BigInt, u32) {
        (BigInt::from_slice(if self.negative { Sign::Minus } else { Sign::Plus }, &self.words), self.scale)
    }

    /// How many of its digits stand behind the point.
    pub(super) fn scale(self) -> u32 {
        self.scale
    }

    /// Minus the number.
    pub(super) fn negated(self) -> Self {
        Self { negative: !self.negative, ..self }
    }

    /// The greatest integer that is not above it, and whether it is that; beyond `i128` the nearest that it holds.
    pub(super) fn floor(self) -> (i128, bool) {
        let (floor, is_whole) = self.floored();
        let saturated = if self.negative { i128::MIN } else { i128::MAX };
        (i128::try_from(floor).unwrap_or(saturated), is_whole)
    }

    fn floored(self) -> (BigInt, bool) {
        let (mantissa, scale) = self.digits();
        let unit = ten_to(scale);
        let is_whole = &mantissa % &unit == BigInt::ZERO;
        (mantissa / unit - i32::from(self.negative && !is_whole), is_whole)
    }

    /// The greatest whole number that is not above it, or with `up` the least that is not below it.
    pub(super) fn whole(self, up: bool) -> Number {
        let (floor, is_whole) = self.floored();
        Self::fitting(floor + i32::from(up && !is_whole), 0)
    }

    /// Its text, with so many digits behind the point at least.
    pub(super) fn text(self, scale: u32) -> String {
        let (mantissa, have) = self.digits();
        let (mantissa, scale) = if have < scale { (mantissa * ten_to(scale - have), scale) } else { (mantissa, have) };
        let scale = scale as usize;
        let sign = if self.negative { "-" } else { "" };
        let digits = format!("{:0>width$}", mantissa.magnitude().to_string(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}
