//! The Gregorian calendar, at all times and in UTC: the date and time of day that a point in time is.
//!
//! What is in here is computed where it is used (`#[inline]`): it stands in every result with a time.

use std::fmt;

use crate::cell::Micros;

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub const DAY: i64 = 86_400 * SECOND;

/// A date and time of day. Any numbers fit: [`Civil::micros`] says whether the calendar has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is what it is called")]
pub struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub micros: i64,
}

impl Civil {
    /// 0000-01-01 00:00:00, the first time that MySQL's DATETIME can say.
    pub const FIRST: Micros = Micros(-62_167_219_200_000_000);
    /// 9999-12-31 23:59:59.999999, the last one.
    pub const LAST: Micros = Micros(253_402_300_799_999_999);

    /// The calendar's view of a time.
    #[inline]
    pub fn of(at: Micros) -> Self {
        let (days, rest) = (at.0.div_euclid(DAY), at.0.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        let seconds = rest / SECOND;
        Self {
            year,
            month,
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micros: rest % SECOND,
        }
    }

    /// The same of the nearest time from [`Civil::FIRST`] to [`Civil::LAST`].
    #[inline]
    pub fn nearest(at: Micros) -> Self {
        Self::of(Micros(at.0.clamp(Self::FIRST.0, Self::LAST.0)))
    }

    /// The time, if the calendar has it, in the years 0 to 9999.
    #[inline]
    pub fn micros(&self) -> Option<Micros> {
        let length = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap(self.year) => 29,
            2 => 28,
            _ => return None,
        };
        let exists = (0..=9999).contains(&self.year)
            && (1..=length).contains(&self.day)
            && (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second)
            && (0..SECOND).contains(&self.micros);
        exists.then(|| {
            let seconds = self.hour * 3600 + self.minute * 60 + self.second;
            Micros(days_of(self.year, self.month, self.day) * DAY + seconds * SECOND + self.micros)
        })
    }
}

impl fmt::Display for Civil {
    /// `2024-02-29 12:30:00.000001`
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, micros } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}")
    }
}

/// Whether a year has a 29th of February.
#[inline]
pub fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

/// Year, month, day of a day number (1970-01-01 is 0). Years are counted from March in cycles of 400, so that the leap day
/// is the last of a year and every cycle has the same days.
#[inline]
pub fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (cycle, day_of_cycle) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
    (year, month, day)
}

/// The inverse of [`date_of`]; of a date that is none, the number of some other day.
#[inline]
pub fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (cycle, year_of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    cycle * 146_097 + day_of_cycle - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(micros: i64) -> String {
        Civil::nearest(Micros(micros)).to_string()
    }

    #[test]
    fn times_are_written_by_the_calendar() {
        assert_eq!(text(0), "1970-01-01 00:00:00.000000");
        assert_eq!(text(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(text(951_782_400_000_000), "2000-02-29 00:00:00.000000");
        assert_eq!(text(1_700_000_000_123_456), "2023-11-14 22:13:20.123456");
        assert_eq!(text(Civil::FIRST.0), "0000-01-01 00:00:00.000000");
        assert_eq!(text(Civil::LAST.0), "9999-12-31 23:59:59.999999");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_moved_into_it() {
        assert_eq!(text(i64::MIN), "0000-01-01 00:00:00.000000");
        assert_eq!(text(i64::MAX), "9999-12-31 23:59:59.999999");
    }

    #[test]
    fn every_day_of_ten_thousand_years_is_read_back() {
        let mut day = Civil::FIRST.0;
        while day <= Civil::LAST.0 {
            let civil = Civil::of(Micros(day + 1));
            assert_eq!(civil.micros(), Some(Micros(day + 1)), "{civil:?}");
            day += DAY;
        }
    }

    #[test]
    fn dates_and_times_that_do_not_exist_are_refused() {
        let noon = Civil { year: 2023, month: 2, day: 28, hour: 12, ..Civil::default() };
        assert!(noon.micros().is_some());
        assert!(Civil { year: 2024, day: 29, ..noon }.micros().is_some());
        let none = [
            Civil::default(),
            Civil { day: 29, ..noon },
            Civil { year: 1900, day: 29, ..noon },
            Civil { day: 0, ..noon },
            Civil { month: 0, ..noon },
            Civil { month: 4, day: 31, ..noon },
            Civil { month: 13, ..noon },
            Civil { month: 255, day: 255, ..noon },
            Civil { year: 10_000, ..noon },
            Civil { year: -1, ..noon },
            Civil { hour: 24, ..noon },
            Civil { minute: 60, ..noon },
            Civil { second: 60, ..noon },
            Civil { micros: 1_000_000, ..noon },
        ];
        for civil in none {
            assert_eq!(civil.micros(), None, "{civil:?}");
        }
    }
}
