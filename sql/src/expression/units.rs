//! The units of INTERVAL that have several parts, and those of EXTRACT.

use cellgate_schemaless::Micros;
use cellgate_schemaless::calendar::{Civil, days_of};

use super::clock::clock_micros;
use super::number::Number;
use super::text::text_of;
use super::time::{DAY, MINUTE, SECOND};
use super::time_functions::time_of;
use crate::value::Value;

/// The parts a time has, the longest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub(crate) enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Microsecond,
}

/// What a part of the time is called, and the units of several: from one part to another.
#[rustfmt::skip]
static UNITS: [(&str, Part, Part); 18] = [
    ("YEAR", Part::Year, Part::Year), ("MONTH", Part::Month, Part::Month), ("DAY", Part::Day, Part::Day),
    ("HOUR", Part::Hour, Part::Hour), ("MINUTE", Part::Minute, Part::Minute), ("SECOND", Part::Second, Part::Second),
    ("MICROSECOND", Part::Microsecond, Part::Microsecond), ("YEAR_MONTH", Part::Year, Part::Month),
    ("DAY_HOUR", Part::Day, Part::Hour), ("DAY_MINUTE", Part::Day, Part::Minute),
    ("DAY_SECOND", Part::Day, Part::Second), ("DAY_MICROSECOND", Part::Day, Part::Microsecond),
    ("HOUR_MINUTE", Part::Hour, Part::Minute), ("HOUR_SECOND", Part::Hour, Part::Second),
    ("HOUR_MICROSECOND", Part::Hour, Part::Microsecond), ("MINUTE_SECOND", Part::Minute, Part::Second),
    ("MINUTE_MICROSECOND", Part::Minute, Part::Microsecond),
    ("SECOND_MICROSECOND", Part::Second, Part::Microsecond),
];

/// A unit, as an argument of a function: its place among all there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit(usize);

impl Unit {
    const WEEK: usize = UNITS.len();
    const QUARTER: usize = UNITS.len() + 1;
    /// From 1, Sunday, to 7.
    const DAY_OF_WEEK: usize = UNITS.len() + 2;
    /// From 0, Monday, to 6.
    const WEEKDAY: usize = UNITS.len() + 3;
    const DAY_OF_YEAR: usize = UNITS.len() + 4;

    /// The unit of this name (upper case).
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "WEEK" => Some(Self(Self::WEEK)),
            "QUARTER" => Some(Self(Self::QUARTER)),
            _ => UNITS.iter().position(|(unit, ..)| *unit == name).map(Self),
        }
    }

    /// What a function of this name (upper case) gives of a date, if it is no unit of EXTRACT as well.
    pub fn of_function(name: &str) -> Option<Self> {
        match name {
            "DAYOFMONTH" => Self::named("DAY"),
            "DAYOFWEEK" => Some(Self(Self::DAY_OF_WEEK)),
            "DAYOFYEAR" => Some(Self(Self::DAY_OF_YEAR)),
            "WEEKDAY" => Some(Self(Self::WEEKDAY)),
            _ => None,
        }
    }

    fn of(value: &Value) -> Option<Self> {
        let place = usize::try_from(Number::of(value)?.round()).ok()?;
        (place <= Self::DAY_OF_YEAR).then_some(Self(place))
    }

    /// Whether a clock without a date has the part that this argument of EXTRACT asks for.
    pub fn of_clocks(unit: &Value) -> bool {
        Self::of(unit).and_then(|unit| UNITS.get(unit.0)).is_some_and(|(_, _, last)| *last >= Part::Hour)
    }

    /// What stands for it among the arguments of a function.
    pub fn value(self) -> Value {
        Value::Int(i64::try_from(self.0).unwrap_or(i64::MAX))
    }

    /// The longest and the shortest of its parts, if it has several.
    pub fn parts(self) -> Option<(Part, Part)> {
        UNITS.get(self.0).map(|(_, first, last)| (*first, *last)).filter(|(first, last)| first != last)
    }
}

impl Part {
    /// How many microseconds it has, or, of years and months, how many months.
    pub fn length(self) -> i64 {
        match self {
            Self::Year => 12,
            Self::Month | Self::Microsecond => 1,
            Self::Day => DAY,
            Self::Hour => 60 * MINUTE,
            Self::Minute => MINUTE,
            Self::Second => SECOND,
        }
    }

    /// The number of it in a time, and how many digits it takes behind a longer part.
    fn of(self, at: &Civil) -> (i64, u32) {
        match self {
            Self::Year => (at.year, 4),
            Self::Month => (at.month, 2),
            Self::Day => (at.day, 2),
            Self::Hour => (at.hour, 2),
            Self::Minute => (at.minute, 2),
            Self::Second => (at.second, 2),
            Self::Microsecond => (at.micros, 6),
        }
    }

    const ALL: [Self; 7] =
        [Self::Year, Self::Month, Self::Day, Self::Hour, Self::Minute, Self::Second, Self::Microsecond];

    fn between(first: Self, last: Self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |part| (first..=last).contains(part))
    }
}

/// The text of an interval of several parts as microseconds, or months: its numbers, whatever stands between them, are the
/// shortest parts of the unit. NULL for more numbers than it has parts, and beyond BIGINT.
pub(super) fn interval(written: &Value, unit: &Value) -> Value {
    let (Some(text), Some((first, last))) = (text_of(written), Unit::of(unit).and_then(Unit::parts)) else {
        return Value::Null;
    };
    length(&text, first, last).map_or(Value::Null, Value::Int)
}

fn length(text: &[u8], first: Part, last: Part) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |text| (true, text));
    let parts: Vec<Part> = Part::between(first, last).collect();
    let numbers = text.split(|byte| !byte.is_ascii_digit()).filter(|digits| !digits.is_empty());
    // One more is too many; the text may have millions.
    let numbers: Vec<&[u8]> = numbers.take(parts.len() + 1).collect();
    let missing = parts.len().checked_sub(numbers.len())?;
    let mut total = 0_i64;
    for (part, digits) in parts.into_iter().skip(missing).zip(numbers) {
        let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        // Microseconds are the digits of a fraction.
        let scale = match part {
            Part::Microsecond => 10_i64.pow(u32::try_from(6_usize.saturating_sub(digits.len())).unwrap_or(0)),
            _ => part.length(),
        };
        total = total.checked_add(number.checked_mul(scale)?)?;
    }
    Some(if negative { -total } else { total })
}

/// `EXTRACT(unit FROM time)`; NULL for what is no time. Text of a clock alone has its parts.
pub(super) fn extract(at: &Value, unit: &Value) -> Value {
    let Some(unit) = Unit::of(unit) else { return Value::Null };
    let parts = UNITS.get(unit.0).map(|(_, first, last)| (*first, *last));
    if let Some((first, last)) = parts
        && last >= Part::Hour
        && let Some((negative, clock)) = text_of(at).as_deref().and_then(clock)
    {
        let number = joined(&clock, first.max(Part::Hour), last);
        return Value::Int(if negative { -number } else { number });
    }
    let Some(at) = time_of(at) else { return Value::Null };
    let civil = Civil::of(at);
    Value::Int(match parts {
        Some((first, last)) => joined(&civil, first, last),
        None => match unit.0 {
            Unit::QUARTER => (civil.month + 2) / 3,
            Unit::DAY_OF_WEEK => weekday(at) + 1,
            Unit::WEEKDAY => (weekday(at) + 6) % 7,
            Unit::DAY_OF_YEAR => day_of_year(at, &civil) + 1,
            _ => week(at, &civil),
        },
    })
}

/// The parts behind one another, as digits of one number.
fn joined(at: &Civil, first: Part, last: Part) -> i64 {
    Part::between(first, last).fold(0, |number, part| {
        let (part, digits) = part.of(at);
        number * 10_i64.pow(digits) + part
    })
}

/// `[-]hh:mm[:ss[.ffffff]]` with no date before it, and whether there is a minus. Of the hours there may be 838.
fn clock(text: &[u8]) -> Option<(bool, Civil)> {
    let hours = text.trim_ascii().strip_prefix(b"-").unwrap_or(text.trim_ascii()).split(|byte| *byte == b':').next()?;
    if hours.len() == text.trim_ascii().len() || hours.len() > 3 {
        return None;
    }
    let micros = clock_micros(text)?;
    let of_day = Civil::of(Micros(micros.abs() % DAY));
    Some((micros < 0, Civil { hour: micros.abs() / Part::Hour.length(), ..of_day }))
}

/// The week of the year, from 0: the first one begins with the first Sunday.
fn week(at: Micros, civil: &Civil) -> i64 {
    (day_of_year(at, civil) + 7 - weekday(at)) / 7
}

/// From 0, the first of January.
fn day_of_year(at: Micros, civil: &Civil) -> i64 {
    at.0.div_euclid(DAY) - days_of(civil.year, 1, 1)
}

/// From 0, Sunday.
fn weekday(at: Micros) -> i64 {
    // The first of January 1970 was a Thursday.
    (at.0.div_euclid(DAY) + 4).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned().into())
    }

    fn unit(name: &str) -> Value {
        Unit::named(name).unwrap_or_else(|| panic!("{name}")).value()
    }

    #[test]
    fn numbers_of_an_interval_are_the_shortest_parts() {
        for (written, name, length) in [
            ("1-2", "YEAR_MONTH", Some(14)),
            ("5", "YEAR_MONTH", Some(5)),
            ("1 2", "DAY_HOUR", Some(DAY + 120 * MINUTE)),
            (" -1 2:3:4.5", "DAY_MICROSECOND", Some(-(DAY + 123 * MINUTE + 4 * SECOND + 500_000))),
            ("- 1 1", "DAY_HOUR", Some(-(DAY + 60 * MINUTE))),
            ("1.0000012", "SECOND_MICROSECOND", Some(SECOND + 12)),
            ("1:1:1", "MINUTE_SECOND", None),
            ("", "DAY_HOUR", Some(0)),
            ("x", "DAY_HOUR", Some(0)),
            ("1 99999999999999999999", "DAY_HOUR", None),
            ("9999999999999 1", "DAY_HOUR", None),
        ] {
            let expected = length.map_or(Value::Null, Value::Int);
            assert_eq!(interval(&text(written), &unit(name)), expected, "{written} {name}");
        }
        assert_eq!(interval(&Value::Int(90), &unit("MINUTE_SECOND")), Value::Int(90 * SECOND));
        assert_eq!(interval(&Value::Null, &unit("MINUTE_SECOND")), Value::Null);
        assert_eq!(interval(&text(&"1 ".repeat(1 << 20)), &unit("DAY_HOUR")), Value::Null);
    }

    #[test]
    fn parts_of_a_time_are_extracted() {
        for (at, name, part) in [
            ("2024-01-02 03:04:05.678", "YEAR", Some(2024)),
            ("2024-01-02 03:04:05.678", "MICROSECOND", Some(678_000)),
            ("2024-01-02 03:04:05.678", "DAY_MICROSECOND", Some(2_030_405_678_000)),
            ("2024-01-02 03:04:05.678", "YEAR_MONTH", Some(202_401)),
            ("2024-01-02 03:04:05.678", "HOUR_SECOND", Some(30_405)),
            ("2023-05-01", "QUARTER", Some(2)),
            ("2024-01-06", "WEEK", Some(0)),
            ("2024-01-07", "WEEK", Some(1)),
            ("2023-01-01", "WEEK", Some(1)),
            ("2024-12-31", "WEEK", Some(52)),
            ("10:11:12", "HOUR", Some(10)),
            ("-10:11:12", "MINUTE", Some(-11)),
            ("26:11:10", "HOUR", Some(26)),
            ("-100:01:02.5", "HOUR_SECOND", Some(-1_000_102)),
            ("2024-01-02", "HOUR", Some(0)),
            ("x", "HOUR", None),
        ] {
            let expected = part.map_or(Value::Null, Value::Int);
            assert_eq!(extract(&text(at), &unit(name)), expected, "{at} {name}");
        }
    }

    #[test]
    fn days_are_counted_from_sunday_monday_and_the_first_of_january() {
        for (at, of_week, weekday, of_year) in [
            ("2024-02-29 23:59:59", 5, 3, 60),
            ("2023-01-01", 1, 6, 1),
            ("2024-12-31", 3, 1, 366),
            ("1969-12-29", 2, 0, 363),
        ] {
            for (name, day) in [("DAYOFWEEK", of_week), ("WEEKDAY", weekday), ("DAYOFYEAR", of_year)] {
                let unit = Unit::of_function(name).unwrap_or_else(|| panic!("{name}"));
                assert_eq!(extract(&text(at), &unit.value()), Value::Int(day), "{name} {at}");
                assert!(Unit::named(name).is_none(), "EXTRACT has no {name}");
            }
        }
    }
}
