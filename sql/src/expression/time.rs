//! Dates and times, all in UTC, in microseconds.

use cellgate_schemaless::Micros;
use cellgate_schemaless::calendar::{Civil, days_of};
pub(crate) use cellgate_schemaless::calendar::{DAY, SECOND};

use super::arithmetic::Arithmetic;
use super::number::Number;

/// `YYYY-MM-DD hh:mm:ss.ffffff`.
pub(crate) fn text(at: Micros) -> String {
    Civil::of(at).to_string()
}

/// The same with so many digits behind the point, at most six; without any there is no point.
pub(crate) fn text_with(at: Micros, digits: usize) -> String {
    let mut text = text(at);
    text.truncate(if digits == 0 { text.len() - 7 } else { text.len() - 6 + digits.min(6) });
    text
}

/// How many digits behind the point of its seconds the text of a time has, at most 6. What stands behind the last point of a
/// date written with points is its day.
pub(crate) fn digits_written(text: &[u8]) -> u32 {
    let Some(point) = text.iter().rposition(|byte| *byte == b'.') else { return 0 };
    let (before, behind) = text.split_at(point);
    if !before.contains(&b':') {
        return 0;
    }
    behind.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).take(6).map(|_| 1).sum()
}

/// The digits of a time whose type shows no clock: a date.
pub(crate) const DATE: i64 = -1;

/// The text of a time with so many digits behind the point, or of a date ([`DATE`]).
pub(crate) fn text_as(at: Micros, digits: i64) -> String {
    match usize::try_from(digits) {
        Ok(digits) => text_with(at, digits),
        Err(_) => {
            let mut text = text(at);
            text.truncate(10);
            text
        }
    }
}

/// The number a time is with so many digits behind the point, or a date is ([`DATE`]).
pub(crate) fn number_as(at: Micros, digits: i64) -> Number {
    let Ok(digits) = u32::try_from(digits) else {
        let p = Civil::of(at);
        return Number::int((p.year * 100 + p.month) * 100 + p.day);
    };
    match as_number(truncate(at, digits)) {
        Number::Exact { mantissa, scale } => {
            let drop = scale.saturating_sub(digits);
            Number::Exact { mantissa: mantissa / 10_i128.pow(drop), scale: scale - drop }
        }
        other @ (Number::Wide(_) | Number::Double(_)) => other,
    }
}

/// The start of the day a time is in.
pub(crate) fn start_of_day(at: Micros) -> Micros {
    Micros(at.0.div_euclid(DAY) * DAY)
}

/// The same time so many months later, on the last day of a month that has no such day; `None` beyond the years there
/// are.
pub(crate) fn months_later(at: Micros, months: i64) -> Option<Micros> {
    let p = Civil::of(at);
    let months = (p.year * 12 + p.month - 1).checked_add(months)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    (0..=9999).contains(&year).then_some(())?;
    let next = if month == 12 { days_of(year + 1, 1, 1) } else { days_of(year, month + 1, 1) };
    let first = days_of(year, month, 1);
    let day = (first + p.day - 1).min(next - 1);
    Some(Micros(day * DAY + at.0.rem_euclid(DAY)))
}

/// `YYYYMMDDhhmmss.ffffff`, what a time is in a comparison with a number.
pub(crate) fn as_number(at: Micros) -> Number {
    let p = Civil::of(at);
    let seconds = ((((p.year * 100 + p.month) * 100 + p.day) * 100 + p.hour) * 100 + p.minute) * 100 + p.second;
    Number::Exact { mantissa: i128::from(seconds) * i128::from(SECOND) + i128::from(p.micros), scale: 6 }
}

/// Reads `YYYY-MM-DD[ hh:mm[:ss[.ffffff]]][Z|+hh:mm]`, with `T` for the space, or the digits alone; a year may have two
/// digits. `None` if it is no time. Digits behind the sixth of the fraction round, as in MySQL.
pub(crate) fn parse(text: &[u8]) -> Option<Micros> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return digits_only(text);
    }
    // The T of digits alone.
    if let Some((day, clock)) = text.split_once('T')
        && [day, clock].iter().all(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        && matches!((day.len(), clock.len()), (6 | 8, 6))
    {
        return digits_only(&format!("{day}{clock}"));
    }
    let (text, offset) = zone(text);
    let (day, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.trim_start()),
        None => (text, ""),
    };
    let mut date = day.split(|c: char| c.is_ascii_punctuation());
    let written_year = date.next()?;
    let mut next = || -> Option<i64> { whole(date.next()?) };
    let (year, month, day) = (whole(written_year)?, next()?, next()?);
    let year = if written_year.len() == 2 { of_two_digits(year) } else { year };
    if date.next().is_some() {
        return None;
    }
    let (mut hour, mut minute, mut second, mut micros) = (0, 0, 0, 0);
    if !clock.is_empty() {
        // Any sign parts the clock, but behind the seconds a point begins the fraction.
        let mut signs = clock.match_indices(|c: char| c.is_ascii_punctuation());
        let point = if clock.contains(':') { clock.find('.') } else { signs.nth(2).map(|(at, _)| at) };
        let (clock, fraction) = match point.map(|at| clock.split_at(at)) {
            Some((clock, fraction)) => (clock, fraction.strip_prefix('.')?),
            None => (clock, ""),
        };
        let mut parts = clock.split(|c: char| c.is_ascii_punctuation());
        hour = whole(parts.next()?)?;
        minute = parts.next().map_or(Some(0), whole)?;
        second = parts.next().map_or(Some(0), whole)?;
        if parts.next().is_some() {
            return None;
        }
        micros = fraction_micros(fraction)?;
    }
    let at = Civil { year, month, day, hour, minute, second, micros: 0 }.micros()?;
    at.0.checked_add(micros)?.checked_sub(offset).map(Micros).filter(|at| exists(*at))
}

/// The year two digits stand for: 1970 to 2069, as in MySQL.
fn of_two_digits(year: i64) -> i64 {
    if year < 70 { year + 2000 } else { year + 1900 }
}

/// `YYYYMMDD[hhmmss]`, `YYMMDD[hhmm[ss]]`
fn digits_only(text: &str) -> Option<Micros> {
    let year = match text.len() {
        8 | 14 => 4,
        6 | 10 | 12 => 2,
        _ => return None,
    };
    let (first, rest) = text.split_at(year);
    let part = |from: usize| rest.get(from..from + 2).map_or(Some(0), whole);
    let first = whole(first)?;
    Civil {
        year: if year == 2 { of_two_digits(first) } else { first },
        month: part(0)?,
        day: part(2)?,
        hour: part(4)?,
        minute: part(6)?,
        second: part(8)?,
        micros: 0,
    }
    .micros()
}

/// The time a number is: `YYYYMMDD` or `YYYYMMDDhhmmss`, the year perhaps with two digits, as MySQL reads them. `None` if it
/// is none. What is behind the point is a fraction of the second; a date has none.
pub(crate) fn of_number(number: Number) -> Option<Micros> {
    /// The first number with a clock that MySQL takes for one.
    const CLOCKS: i128 = 101_000_000;
    let exact = number.written();
    let (whole, _) = exact.floor();
    let (day, clock) = if whole < CLOCKS { (whole, 0) } else { (whole / 1_000_000, whole % 1_000_000) };
    let day = match day {
        101..=991_231 => {
            let (year, rest) = (day / 10_000, day % 10_000);
            i128::from(of_two_digits(i64::try_from(year).ok()?)) * 10_000 + rest
        }
        10_000_101..=99_991_231 => day,
        _ => return None,
    };
    let (day, clock) = (i64::try_from(day).ok()?, i64::try_from(clock).ok()?);
    let parts = Civil {
        year: day / 10_000,
        month: day / 100 % 100,
        day: day % 100,
        hour: clock / 10_000,
        minute: clock / 100 % 100,
        second: clock % 100,
        micros: 0,
    };
    let at = parts.micros()?;
    if whole < CLOCKS {
        return Some(at);
    }
    let fraction = exact.plus(Number::int(-whole)).apply(Arithmetic::Multiply, Number::int(SECOND)).ok()??;
    at.0.checked_add(i64::try_from(fraction.round()).ok()?).map(Micros).filter(|at| exists(*at))
}

/// Whether text says how far its clock is from UTC: with `Z` or `+hh:mm`.
pub(crate) fn has_offset(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| zone(text.trim()).0.len() < text.trim().len())
}

/// Splits off `Z` or `+hh:mm`; the offset is in microseconds.
fn zone(text: &str) -> (&str, i64) {
    if let Some(rest) = text.strip_suffix(['Z', 'z']) {
        return (rest, 0);
    }
    let at = text.len().saturating_sub(6);
    match (text.get(..at), text.get(at..).and_then(offset)) {
        // A date alone ends like `-05-17`, which is no offset because there is no clock before it.
        (Some(rest), Some(offset)) if rest.contains(':') => (rest, offset),
        (_, _) => (text, 0),
    }
}

/// `+hh:mm` or `-hh:mm` in microseconds.
pub(crate) fn offset(zone: &str) -> Option<i64> {
    let negative = match zone.chars().next()? {
        '+' => false,
        '-' => true,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (whole(hours)?, whole(minutes)?);
    let total = hours * 60 + minutes;
    // MySQL's bounds: -13:59 to +14:00.
    if minutes > 59 || total > if negative { 14 * 60 - 1 } else { 14 * 60 } {
        return None;
    }
    let micros = total * 60 * SECOND;
    Some(if negative { -micros } else { micros })
}

fn whole(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 6 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

pub(super) fn fraction_micros(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros: i64 = format!("{:0<6}", fraction.get(..fraction.len().min(6)).unwrap_or("")).parse().ok()?;
    let up = fraction.as_bytes().get(6).is_some_and(|&b| b >= b'5');
    Some(micros + i64::from(up))
}

/// A minute, in microseconds.
pub(crate) const MINUTE: i64 = 60 * SECOND;

/// The units of INTERVAL that have a fixed length, in microseconds.
pub(crate) fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "MICROSECOND" => 1,
        "SECOND" => SECOND,
        "MINUTE" => MINUTE,
        "HOUR" => 60 * MINUTE,
        "DAY" => DAY,
        "WEEK" => 7 * DAY,
        _ => return None,
    })
}

/// Whether it is within the years 0 to 9999, which are all there are.
pub(crate) fn exists(at: Micros) -> bool {
    (Civil::FIRST..=Civil::LAST).contains(&at)
}

/// The second nearest to a time.
pub(crate) fn to_the_second(at: Micros) -> Micros {
    truncate(Micros(at.0.saturating_add(SECOND / 2)), 0)
}

/// The start of the second a time is in.
pub(crate) fn truncate(at: Micros, digits: u32) -> Micros {
    let step = 10_i64.pow(6_u32.saturating_sub(digits));
    Micros(at.0.div_euclid(step) * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_a_time_are_those_behind_the_point_of_its_seconds() {
        for (text, digits) in [
            ("2023-11-14 10:11:12", 0),
            ("2023-11-14 10:11:12.5", 1),
            ("2023-11-14 10:11:12.25+01:00", 2),
            ("2023-11-14 10:11:12.1234567", 6),
            ("2023.11.14 10:11:12", 0),
            ("2023.11.14", 0),
            ("", 0),
        ] {
            assert_eq!(digits_written(text.as_bytes()), digits, "{text}");
        }
    }

    #[test]
    fn times_print_and_read_back() {
        for micros in [0, 1, -1, 1_700_000_000_123_456, 951_782_400_000_000, -62_135_596_800_000_000] {
            let printed = text(Micros(micros));
            assert_eq!(parse(printed.as_bytes()), Some(Micros(micros)), "{printed}");
        }
        assert_eq!(text(Micros(951_782_400_000_000)), "2000-02-29 00:00:00.000000");
    }

    #[test]
    fn every_usual_way_to_write_a_time_is_read() {
        let at = Some(Micros(1_700_000_000_000_000));
        for ok in [
            "2023-11-14 22:13:20",
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.000000+00:00",
            "2023-11-15 00:13:20+02:00",
            "20231114221320",
            "231114221320",
            "20231114T221320",
            "231114T221320",
            "2023/11/14 22:13:20",
            "23-11-14 22:13:20",
        ] {
            assert_eq!(parse(ok.as_bytes()), at, "{ok}");
        }
        assert_eq!(parse(b"2023-11-14"), parse(b"2023-11-14 00:00:00"));
        assert_eq!(parse(b"231114"), parse(b"2023-11-14"));
        assert_eq!(parse(b"69-12-31"), parse(b"2069-12-31"));
        assert_eq!(parse(b"70-1-1"), parse(b"1970-01-01"));
        assert_eq!(parse(b"0023-11-14").map(text).as_deref(), Some("0023-11-14 00:00:00.000000"));
        assert!(parse(b"9999-12-31 23:59:59.9999994").is_some() && parse(b"0000-01-01 14:00:00+14:00").is_some());
        // Rounded, or in UTC, they are of no year there is.
        for bad in ["9999-12-31 23:59:59.9999995", "9999-12-31 23:59:59-00:01", "0000-01-01 13:59:59+14:00"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        for bad in ["", "abc", "2023-13-01", "2023-02-29", "2023-11-14 25:00:00", "2023-11-14 1:2:3:4", "5"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_number_is_a_time_as_mysql_reads_it() {
        let read = |number: &str| of_number(Number::parse(number.as_bytes())).map(text);
        for (number, at) in [
            ("101", "2000-01-01 00:00:00.000000"),
            ("231114", "2023-11-14 00:00:00.000000"),
            ("700101", "1970-01-01 00:00:00.000000"),
            ("20231114", "2023-11-14 00:00:00.000000"),
            ("20231114.5", "2023-11-14 00:00:00.000000"),
            ("231114221320", "2023-11-14 22:13:20.000000"),
            ("20231114221320", "2023-11-14 22:13:20.000000"),
            ("20231114221359.9999999", "2023-11-14 22:14:00.000000"),
            ("2.0231114e7", "2023-11-14 00:00:00.000000"),
        ] {
            assert_eq!(read(number).as_deref(), Some(at), "{number}");
        }
        for number in [
            "0",
            "5",
            "-231114",
            "20231399",
            "1000101",
            "1e300",
            "99999999999999",
            "123456789012345678",
            "99991231235959.9999995",
        ] {
            assert_eq!(read(number), None, "{number}");
        }
    }

    #[test]
    fn any_sign_parts_a_time_and_behind_the_seconds_a_point_begins_the_fraction() {
        let read = |written: &str| parse(written.as_bytes()).map(text);
        for (written, at) in [
            ("2023.11.14 10.11.12", "2023-11-14 10:11:12.000000"),
            ("2023.11.14 10.11.12.5", "2023-11-14 10:11:12.500000"),
            ("2023-11-14 10:11.5", "2023-11-14 10:11:00.500000"),
            ("1,2,3", "0001-02-03 00:00:00.000000"),
            ("2023_11_14T10%11%12", "2023-11-14 10:11:12.000000"),
        ] {
            assert_eq!(read(written).as_deref(), Some(at), "{written}");
        }
        assert_eq!(read("2023-11-14 10.11.12,5"), None);
        assert_eq!(read("2023--11-14"), None);
    }

    #[test]
    fn months_end_on_their_last_day_and_years_end_with_9999() {
        let later =
            |from: &str, months| months_later(parse(from.as_bytes()).unwrap(), months).map(|at| text_as(at, DATE));
        for (from, months, to) in [
            ("2023-01-31", 1, "2023-02-28"),
            ("2024-01-31", 1, "2024-02-29"),
            ("2024-02-29", 12, "2025-02-28"),
            ("2024-03-31", -1, "2024-02-29"),
            ("2023-12-31", 1, "2024-01-31"),
            ("2023-01-15", -13, "2021-12-15"),
            ("0000-01-31", 1, "0000-02-29"),
        ] {
            assert_eq!(later(from, months).as_deref(), Some(to), "{from} and {months}");
        }
        assert_eq!(later("9999-12-01", 1), None);
        assert_eq!(later("0000-01-01", -1), None);
        assert_eq!(later("2023-01-01", i64::MAX), None);
    }

    #[test]
    fn a_time_is_also_a_number() {
        let at = Micros(1_700_000_000_560_000);
        for (digits, number) in [(DATE, "20231114"), (0, "20231114221320"), (1, "20231114221320.5")] {
            assert_eq!(number_as(at, digits), Number::parse(number.as_bytes()));
        }
        for (digits, shown) in [(DATE, "2023-11-14"), (0, "2023-11-14 22:13:20"), (2, "2023-11-14 22:13:20.56")] {
            assert_eq!(text_as(at, digits), shown);
        }
        assert_eq!(
            as_number(Micros(1_700_000_000_500_000)).compare(Number::parse(b"20231114221320.5")),
            std::cmp::Ordering::Equal
        );
    }
}
