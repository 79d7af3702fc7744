//! The order of numbers: as comparisons see it, and a total one to sort by.
//!
//! Assumes that no double is a NaN, which no value of SQL is; were there one, it would equal every number.

use std::cmp::Ordering;

use super::{Number, pow10};
use crate::expression::wide::ten_to;

impl Number {
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
}

fn order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

fn int_and_double(n: i128, d: f64) -> Ordering {
    // The cast saturates far outside of what any column holds.
    let floor = d.floor();
    n.cmp(&(floor as i128)).then(if floor < d { Ordering::Less } else { Ordering::Equal })
}
