//! Points in time as MySQL writes them: year, month, day and so on, in UTC.

use std::io::Write as _;

use cellgate_schemaless::Micros;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// 0000-01-01 00:00:00 and 9999-12-31 23:59:59.999999: what MySQL's DATETIME can say.
const FIRST: i64 = -62_167_219_200_000_000;
const LAST: i64 = 253_402_300_799_999_999;

/// A point in time by the calendar. The fields are as wide as in the binary protocol, so that any bytes fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: u16,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    pub(super) micros: u32,
}

impl Civil {
    /// The calendar's view of a time; times that DATETIME cannot say are moved to the nearest one it can.
    pub(super) fn from_micros(Micros(micros): Micros) -> Self {
        let micros = micros.clamp(FIRST, LAST);
        let (days, rest) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
        let (year, month, day) = date_of(days);
        let seconds = rest / 1_000_000;
        Self {
            year: year as u16,
            month: month as u8,
            day: day as u8,
            hour: (seconds / 3600) as u8,
            minute: (seconds / 60 % 60) as u8,
            second: (seconds % 60) as u8,
            micros: (rest % 1_000_000) as u32,
        }
    }

    /// The time, if the calendar has it.
    pub(super) fn to_micros(self) -> Option<Micros> {
        let (year, month, day) = (i64::from(self.year), i64::from(self.month), i64::from(self.day));
        let days = days_of(year, month, day);
        let exists = self.year <= 9999
            && date_of(days) == (year, month, day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.micros < 1_000_000;
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        exists.then(|| Micros(days * MICROS_PER_DAY + seconds * 1_000_000 + i64::from(self.micros)))
    }

    /// Appends `2024-02-29`.
    pub(super) fn write_date(self, out: &mut Vec<u8>) {
        // Writing to a Vec does not fail.
        let _ = write!(out, "{:04}-{:02}-{:02}", self.year, self.month, self.day);
    }

    /// Appends `2024-02-29 12:30:00.000001`.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        self.write_date(out);
        let _ = write!(out, " {:02}:{:02}:{:02}.{:06}", self.hour, self.minute, self.second, self.micros);
    }
}

/// Year, month, day of a day number (1970-01-01 is 0), in the Gregorian calendar at all times. Years are counted from
/// March in cycles of 400, so that the leap day is the last of a year and every cycle has the same days.
fn date_of(days: i64) -> (i64, i64, i64) {
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
fn days_of(year: i64, month: i64, day: i64) -> i64 {
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
        let mut out = Vec::new();
        Civil::from_micros(Micros(micros)).write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_by_the_calendar() {
        assert_eq!(text(0), "1970-01-01 00:00:00.000000");
        assert_eq!(text(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(text(951_782_400_000_000), "2000-02-29 00:00:00.000000");
        assert_eq!(text(1_700_000_000_123_456), "2023-11-14 22:13:20.123456");
        assert_eq!(text(FIRST), "0000-01-01 00:00:00.000000");
        assert_eq!(text(LAST), "9999-12-31 23:59:59.999999");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_moved_into_it() {
        assert_eq!(text(i64::MIN), "0000-01-01 00:00:00.000000");
        assert_eq!(text(i64::MAX), "9999-12-31 23:59:59.999999");
    }

    #[test]
    fn every_day_of_ten_thousand_years_is_read_back() {
        let mut day = FIRST;
        while day <= LAST {
            let civil = Civil::from_micros(Micros(day + 1));
            assert_eq!(civil.to_micros(), Some(Micros(day + 1)), "{civil:?}");
            day += MICROS_PER_DAY;
        }
    }

    #[test]
    fn dates_and_times_that_do_not_exist_are_refused() {
        let noon = Civil { year: 2023, month: 2, day: 28, hour: 12, ..Civil::default() };
        assert!(noon.to_micros().is_some());
        let none = [
            Civil::default(),
            Civil { day: 29, ..noon },
            Civil { day: 0, ..noon },
            Civil { month: 0, ..noon },
            Civil { month: 13, ..noon },
            Civil { month: 255, day: 255, ..noon },
            Civil { year: 10_000, ..noon },
            Civil { hour: 24, ..noon },
            Civil { minute: 60, ..noon },
            Civil { second: 60, ..noon },
            Civil { micros: 1_000_000, ..noon },
        ];
        for civil in none {
            assert_eq!(civil.to_micros(), None, "{civil:?}");
        }
    }
}
