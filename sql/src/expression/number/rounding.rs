//! Numbers with fewer digits behind the point, or none.
//!
//! Exact numbers stay exact. Halves of them go away from zero, those of doubles to the even number.

use num_bigint::BigInt;

use super::{Number, pow10};
use crate::expression::wide::Wide;

impl Number {
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
}
