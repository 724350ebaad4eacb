//! Time, passed in: tests move it by hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a day of the calendar, as in 2026-12-31")]
pub struct BadDay;

const MS_PER_DAY: i64 = 86_400_000;

impl Moment {
    /// The start of a day that is written as `2026-12-31`, in UTC.
    pub fn start_of_day(text: &str) -> Result<Self, BadDay> {
        Ok(Self::end_of_day(text)?.plus_millis(-MS_PER_DAY))
    }

    /// The end of a day that is written as `2026-12-31`, in UTC.
    pub fn end_of_day(text: &str) -> Result<Self, BadDay> {
        let mut parts = text.trim().split('-');
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            part.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| part.parse::<i64>().ok())?
        };
        let (Some(year), Some(month), Some(day)) = (number(4), number(2), number(2)) else {
            return Err(BadDay);
        };
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_of_month = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + i64::from(is_leap),
            1..=12 => 31,
            _ => return Err(BadDay),
        };
        if parts.next().is_some() || !(1..=days_of_month).contains(&day) {
            return Err(BadDay);
        }
        // Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March.
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        Ok(Self((days + 1) * MS_PER_DAY))
    }
}

impl Moment {
    /// The end of the day with the same number so many months later, in UTC, or of that month's last
    /// day where it has no such (as Regulation (EEC) 1182/71, Art. 3, counts).
    #[must_use]
    pub fn end_of_day_in_months(self, months: u32) -> Self {
        let from = self.civil();
        let index = from.year * 12 + i64::from(from.month) - 1 + i64::from(months);
        let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
        let end = |day| Self::end_of_day(&format!("{year:04}-{month:02}-{day:02}")).ok();
        (1..=from.day).rev().find_map(end).unwrap_or(self)
    }
}

/// A moment as the calendar has it, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}

impl Moment {
    /// Days to year, month and day: Howard Hinnant, "chrono-compatible low-level date algorithms".
    #[must_use]
    pub fn civil(self) -> Civil {
        let seconds = self.as_seconds();
        let days = seconds.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let of_day = seconds.rem_euclid(86_400);
        let small = |n: i64| u32::try_from(n).unwrap_or(0);
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: small(month),
            day: small(day_of_year - (153 * shifted + 2) / 5 + 1),
            hour: small(of_day / 3_600),
            minute: small(of_day / 60 % 60),
            second: small(of_day % 60),
        }
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// The only source of the time of day.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance_millis`] moves it.
    #[must_use]
    pub fn manual(start: Moment) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    #[must_use]
    pub fn now(&self) -> Moment {
        match &self.0 {
            Source::System => system_now(),
            Source::Manual(millis) => Moment(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock, and every clone of it. The system clock goes its own way.
    pub fn advance_millis(&self, by: i64) {
        if let Source::Manual(millis) = &self.0 {
            millis.fetch_add(by, Ordering::SeqCst);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the system clock"
)]
fn system_now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    Moment(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_later_is_the_same_day_or_the_last_one() {
        for (from, months, to) in [
            ("2026-11-22", 1, "2026-12-22"),
            ("2026-11-22", 3, "2027-02-22"),
            ("2027-01-31", 1, "2027-02-28"),
            ("2028-01-30", 1, "2028-02-29"),
            ("2026-12-31", 2, "2027-02-28"),
            ("2026-10-31", 12, "2027-10-31"),
        ] {
            let morning = Moment::start_of_day(from).expect(from);
            let evening = Moment::end_of_day(from).expect(from).plus_millis(-1);
            for moment in [morning, evening] {
                let due = moment.end_of_day_in_months(months);
                assert_eq!(Ok(due), Moment::end_of_day(to), "{from} and {months}");
            }
        }
    }

    #[test]
    fn a_day_ends_when_the_next_begins() {
        for (day, seconds) in [
            ("1970-01-01", 86_400),
            ("1969-12-31", 0),
            ("2000-02-28", 951_782_400),
            ("2024-02-29", 1_709_251_200),
            ("2026-12-31", 1_798_761_600),
        ] {
            let end = Moment::end_of_day(day).expect(day);
            assert_eq!(end.as_seconds(), seconds, "{day}");
            let start = Moment::start_of_day(day).expect(day);
            assert_eq!(start.as_seconds(), seconds - 86_400, "{day}");
        }
        for wrong in [
            "",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "26-1-1",
            "2026-1-01",
            "2026-01-01-01",
            "tomorrow",
            "+026-01-01",
        ] {
            assert_eq!(Moment::end_of_day(wrong), Err(BadDay), "{wrong}");
        }
    }
}
