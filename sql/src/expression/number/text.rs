//! Numbers as text: how they are read, and how they are written.
//!
//! Reading refuses nothing: of text that is no number to its end the start counts (`lost.rs` tells of it). Decimals are
//! written with all their digits, doubles as MySQL writes them.

use super::{MAX_SCALE, Number, pow10};
use crate::expression::wide::Wide;

impl Number {
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

    /// The decimal a double is written as, which is what MySQL makes of one, if there is room for its digits.
    pub fn written(self) -> Self {
        match self {
            Self::Double(d) => Self::parse(format!("{d}").as_bytes()),
            exact @ (Self::Exact { .. } | Self::Wide(_)) => exact,
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
