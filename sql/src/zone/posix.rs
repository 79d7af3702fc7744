//! The rule at the end of a zoneinfo file, for the years after its last change: a POSIX TZ string, with the wider hours
//! of RFC 8536.

use cellgate_schemaless::calendar::{date_of, days_of, is_leap};

use super::FURTHEST;
use super::clock::Period;

const DAY: i64 = 86_400;
/// The highest hour of the time of a change: a week, less one.
const HOURS: i32 = 167;

/// `std offset [dst [offset] , start [/time] , end [/time]]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Seconds ahead of UTC in winter.
    standard: i32,
    summer: Option<Summer>,
}

/// Daylight saving time: seconds ahead of UTC, and when it begins and ends in the time that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summer {
    ahead: i32,
    start: Moment,
    end: Moment,
}

/// A day of each year, and the seconds from its midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    day: Day,
    seconds: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    /// `Jn`: 1 to 365, 29 February not counted.
    Julian(i64),
    /// `n`: 0 to 365.
    Zero(i64),
    /// `Mm.w.d`: the week's (5: the last) weekday (0: Sunday) of a month.
    Month { month: i64, week: i64, weekday: i64 },
}

impl Rule {
    /// Reads a rule; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut text = Reader { rest: text };
        text.name()?;
        let standard = -text.time(24)?;
        let summer = if text.rest.is_empty() { None } else { Some(text.summer(standard)?) };
        let near = |ahead: i32| ahead.abs() <= FURTHEST;
        let ok = text.rest.is_empty() && near(standard) && summer.is_none_or(|summer| near(summer.ahead));
        ok.then_some(Self { standard, summer })
    }

    /// The period a second is in.
    pub fn period(&self, at: i64) -> Period {
        let Some(summer) = self.summer else {
            return Period { from: i64::MIN, until: i64::MAX, ahead: self.standard };
        };
        let (year, _, _) = date_of(at.div_euclid(DAY));
        let mut period = Period { from: i64::MIN, until: i64::MAX, ahead: self.standard };
        let mut changes: Vec<(i64, i32)> = (year - 2..=year + 2)
            .flat_map(|year| {
                // What ends is listed before what begins: where both are at once, what begins holds.
                let end = summer.end.seconds_of(year) - i64::from(summer.ahead);
                let start = summer.start.seconds_of(year) - i64::from(self.standard);
                [(end, self.standard), (start, summer.ahead)]
            })
            .collect();
        changes.sort_by_key(|(at, _)| *at);
        for (when, ahead) in changes {
            if when > at {
                period.until = when;
                break;
            }
            period = Period { from: when, ahead, ..period };
        }
        period
    }
}

impl Moment {
    /// The second of a year, in the time that is left.
    fn seconds_of(self, year: i64) -> i64 {
        let january = days_of(year, 1, 1);
        let day = match self.day {
            Day::Julian(n) => january + n - 1 + i64::from(is_leap(year) && n >= 60),
            Day::Zero(n) => january + n,
            Day::Month { month, week, weekday } => {
                let first = days_of(year, month, 1);
                // 1970-01-01 was a Thursday, day 4.
                let day = first + (weekday - (first + 4)).rem_euclid(7) + 7 * (week - 1);
                let next = if month == 12 { days_of(year + 1, 1, 1) } else { days_of(year, month + 1, 1) };
                if day >= next { day - 7 } else { day }
            }
        };
        day * DAY + i64::from(self.seconds)
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn eat(&mut self, what: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(what)?;
        Some(())
    }

    /// Takes the characters that are `wanted`.
    fn run(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    /// `CET` or `<+03>`.
    fn name(&mut self) -> Option<()> {
        let name = if self.eat('<').is_some() {
            let name = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-'));
            self.eat('>')?;
            name
        } else {
            self.run(|c| c.is_ascii_alphabetic())
        };
        (name.len() >= 3).then_some(())
    }

    /// A number of at most three digits, no higher than `most`.
    fn number(&mut self, most: i32) -> Option<i32> {
        let digits = self.run(|c| c.is_ascii_digit());
        let number = if digits.len() <= 3 { digits.parse().ok() } else { None };
        number.filter(|number| *number <= most)
    }

    /// `[+-]hh[:mm[:ss]]`, in seconds.
    fn time(&mut self, hours: i32) -> Option<i32> {
        let sign = if self.eat('-').is_some() { -1 } else { 1 };
        if sign == 1 {
            let _ = self.eat('+');
        }
        let mut seconds = self.number(hours)? * 3600;
        for unit in [60, 1] {
            if self.eat(':').is_none() {
                break;
            }
            seconds += self.number(59)? * unit;
        }
        Some(sign * seconds)
    }

    fn summer(&mut self, standard: i32) -> Option<Summer> {
        self.name()?;
        let ahead = if self.rest.starts_with(',') { standard + 3600 } else { -self.time(24)? };
        let start = self.moment()?;
        let end = self.moment()?;
        Some(Summer { ahead, start, end })
    }

    /// `,date[/time]`
    fn moment(&mut self) -> Option<Moment> {
        self.eat(',')?;
        let day = if self.eat('J').is_some() {
            Day::Julian(self.number(365).filter(|n| *n >= 1)?.into())
        } else if self.eat('M').is_some() {
            let month = self.number(12).filter(|n| *n >= 1)?.into();
            self.eat('.')?;
            let week = self.number(5).filter(|n| *n >= 1)?.into();
            self.eat('.')?;
            Day::Month { month, week, weekday: self.number(6)?.into() }
        } else {
            Day::Zero(self.number(365)?.into())
        };
        let seconds = if self.eat('/').is_some() { self.time(HOURS)? } else { 2 * 3600 };
        Some(Moment { day, seconds })
    }
}
