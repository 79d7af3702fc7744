//! TIME: a time of day, or how long it is from one time to another. As a value it is its text, `[-]hh:mm:ss[.ffffff]`.

use cellgate_schemaless::Micros;

use super::number::Number;
use super::text::text_of;
use super::text::text_value;
use super::time::{self, DAY, MINUTE, SECOND};
use crate::value::Value;

/// The longest, 838:59:59, in microseconds.
const LONGEST: i64 = (839 * 60 - 1) * MINUTE + 59 * SECOND;

/// Reads `[-][d ]hh:mm[:ss[.ffffff]]` or `[-]hhmmss[.ffffff]` in microseconds, at most 838:59:59 either way; `None` if it
/// is no TIME.
pub fn clock_micros(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (days, clock) = match clock.split_once(' ') {
        Some((days, clock)) => (Some(whole(days)?), clock.trim_start()),
        None => (None, clock),
    };
    let (hours, minutes, seconds) = match (clock.split_once(':'), days) {
        (Some((hours, rest)), _) => {
            let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, "0"));
            (whole(hours)?, whole(minutes)?, whole(seconds)?)
        }
        (None, Some(_)) => (whole(clock)?, 0, 0),
        (None, None) => {
            let digits = whole(clock)?;
            (digits / 10_000, digits / 100 % 100, digits % 100)
        }
    };
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let hours = days.unwrap_or(0) * 24 + hours;
    let micros = hours * 60 * MINUTE + minutes * MINUTE + seconds * SECOND + time::fraction_micros(fraction)?;
    let micros = micros.min(LONGEST);
    Some(if negative { -micros } else { micros })
}

/// Few enough digits for days of them to be within an `i64` of microseconds.
fn whole(digits: &str) -> Option<i64> {
    let fits = (1..=7).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if fits { digits.parse().ok() } else { None }
}

/// The text of a TIME with so many digits behind the point; what is behind them is cut off, as by MariaDB.
fn text(micros: i64, digits: u32) -> String {
    let step = 10_i64.pow(6_u32.saturating_sub(digits));
    let kept = micros.abs() / step * step;
    let sign = if micros < 0 && kept > 0 { "-" } else { "" };
    let (hours, minutes) = (kept / (60 * MINUTE), kept / MINUTE % 60);
    let (seconds, fraction) = (kept / SECOND % 60, kept % SECOND);
    let mut text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}.{fraction:06}");
    text.truncate(text.len() - if digits == 0 { 7 } else { 6_usize.saturating_sub(digits as usize) });
    text
}

/// What a value is where a time of any kind is read.
enum Moment {
    /// With a date.
    At(Micros),
    /// A clock alone, in microseconds.
    Clock(i64),
}

fn moment(value: &Value) -> Option<Moment> {
    if let Value::DateTime(at) = value {
        return Some(Moment::At(*at));
    }
    let text = text_of(value)?;
    let text = text.trim_ascii();
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let digits = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    match unsigned.get(digits) {
        Some(b':' | b' ') => clock_micros(text).map(Moment::Clock),
        None | Some(b'.') if digits < 12 => clock_micros(text).map(Moment::Clock),
        Some(_) | None => time::parse(text).map(Moment::At),
    }
}

/// The shortest text that is a time with a date where a TIME is read.
const SHORTEST: usize = 12;

/// What of a text is a TIME, if it begins with one; what follows it is cut off. `None` for the exponent of a number.
fn leading(text: &[u8]) -> Option<&[u8]> {
    let count = |from: usize, digit: bool| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take_while(|b| if digit { b.is_ascii_digit() } else { **b == b' ' }).count()
    };
    let digits = |from: usize| count(from, true);
    let mut end = usize::from(text.first() == Some(&b'-'));
    end += digits(end);
    let blanks = count(end, false);
    if blanks > 0 && digits(end + blanks) > 0 {
        end += blanks + digits(end + blanks);
    }
    for _ in 0..2 {
        if text.get(end) == Some(&b':') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
    }
    if text.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    let signed = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
    let is_exponent = matches!(text.get(end), Some(b'e' | b'E')) && digits(end + 1 + signed) > 0;
    if is_exponent { None } else { text.get(..end) }
}

/// Without the blanks and the sign in front.
fn unsigned(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    text.strip_prefix(b"-").unwrap_or(text)
}

/// CAST AS TIME with so many digits behind the point: of a time with a date its clock, of short text the TIME it begins with,
/// so that a date alone is the number of its year. NULL for what is no time.
pub(super) fn as_clock(value: &Value, digits: u32) -> Value {
    let read = match value {
        Value::Text(written) | Value::Bytes(written) if unsigned(written).len() < SHORTEST => {
            leading(written.trim_ascii()).and_then(clock_micros).map(Moment::Clock)
        }
        value => moment(value),
    };
    match read {
        Some(Moment::At(at)) => text_value(text(at.0.rem_euclid(DAY), digits)),
        Some(Moment::Clock(micros)) => text_value(text(micros, digits)),
        None => Value::Null,
    }
}

/// TIMEDIFF, at most 838:59:59 either way, with so many digits behind the point. NULL for what is no time, and for a
/// time with a date beside one without.
pub(super) fn time_diff(a: &Value, b: &Value, digits: &Value) -> Value {
    let micros = match (moment(a), moment(b)) {
        (Some(Moment::At(a)), Some(Moment::At(b))) => a.0.saturating_sub(b.0),
        (Some(Moment::Clock(a)), Some(Moment::Clock(b))) => a - b,
        (Some(_), Some(_)) | (None, _) | (_, None) => return Value::Null,
    };
    let digits = Number::of(digits).and_then(|n| u32::try_from(n.round()).ok()).unwrap_or(6).min(6);
    text_value(text(micros.clamp(-LONGEST, LONGEST), digits))
}

/// The number a TIME is: `hhmmss`, with the fraction it shows.
pub(super) fn clock_number(value: &Value) -> Value {
    let Some(text) = text_of(value) else { return Value::Null };
    // Without its colons.
    let digits: Vec<u8> = text.iter().copied().filter(|b| *b != b':').collect();
    Number::parse(&digits).value()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(text: &str) -> Value {
        text_value(text.to_owned())
    }

    #[test]
    fn a_time_is_read_as_mysql_reads_it() {
        for (written, shown) in [
            ("10:11:12", "10:11:12"),
            ("1:2", "01:02:00"),
            ("25", "00:00:25"),
            ("101112", "10:11:12"),
            ("-1:00:00", "-01:00:00"),
            ("100:00:00", "100:00:00"),
            ("1 10", "34:00:00"),
            ("1 2:3:4", "26:03:04"),
            ("900:00:00", "838:59:59"),
            ("-99999999", "NULL"),
            ("10:60:00", "NULL"),
            ("10:00:60", "NULL"),
            ("1:2:3:4", "01:02:03"),
            ("10:11:12abc", "10:11:12"),
            ("12abc", "00:00:12"),
            ("2024-02-29", "00:20:24"),
            ("1 2 3", "26:00:00"),
            ("1 x", "00:00:01"),
            ("1e1", "NULL"),
            ("1e-1", "NULL"),
            ("1e+1", "NULL"),
            ("  10:11:12abc", "10:11:12"),
            ("-10:11:12abc", "-10:11:12"),
            ("-", "NULL"),
            ("x", "NULL"),
            ("", "NULL"),
            ("2026-01-02 03:04:05.6", "03:04:05"),
            ("20260102030405", "03:04:05"),
        ] {
            let shown = if shown == "NULL" { Value::Null } else { text_of(shown) };
            assert_eq!(as_clock(&text_of(written), 0), shown, "{written}");
        }
        assert_eq!(as_clock(&text_of("-0:0:0.25"), 6), text_of("-00:00:00.250000"));
        assert_eq!(as_clock(&text_of("-0:0:0.25"), 1), text_of("-00:00:00.2"));
        assert_eq!(as_clock(&text_of("-0:0:0.25"), 0), text_of("00:00:00"));
        assert_eq!(clock_micros(b"838:59:59.9"), Some(LONGEST));
    }

    #[test]
    fn the_difference_of_two_times_is_a_time() {
        for (a, b, digits, diff) in [
            ("2020-01-02 03:00:00.5", "2020-01-01 01:00:00", 1, "26:00:00.5"),
            ("2020-01-02 10:00:00", "2020-01-01", 0, "34:00:00"),
            ("10:00:00", "11:30:00", 0, "-01:30:00"),
            ("10:00:00.25", "11:30:00", 2, "-01:29:59.75"),
            ("2020-05-05 00:00:00", "2000-01-01 00:00:00", 0, "838:59:59"),
            ("2000-01-01 00:00:00", "2020-05-05 00:00:00", 0, "-838:59:59"),
            ("2020-01-02", "10:00:00", 0, "NULL"),
            ("x", "y", 0, "NULL"),
        ] {
            let diff = if diff == "NULL" { Value::Null } else { text_of(diff) };
            assert_eq!(time_diff(&text_of(a), &text_of(b), &Value::Int(digits)), diff, "{a} {b}");
        }
    }

    #[test]
    fn a_time_is_the_number_of_its_digits() {
        assert_eq!(clock_number(&text_of("-10:11:12")), Value::Int(-101_112));
        assert_eq!(clock_number(&text_of("100:00:00.50")), Value::Decimal("1000000.50".into()));
        assert_eq!(clock_number(&Value::Null), Value::Null);
    }
}
