//! Whether somebody is old enough. The question is asked without a hint at the answer, and of the
//! answer only over or under is kept.

use domain::clock::Moment;

use super::person::Age;

/// Nobody is older.
const MAX_YEARS: i64 = 130;

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("Write your date of birth as year-month-day, as in 1990-05-17.")]
pub struct BadDate;

/// Compares a date of birth, `YYYY-MM-DD`, with the age that the house asks for.
pub fn of(born: &str, now: Moment, threshold: u32) -> Result<Age, BadDate> {
    let mut parts = born
        .trim()
        .splitn(3, '-')
        .map(|part| part.parse::<i64>().ok());
    let mut part = || parts.next().flatten().ok_or(BadDate);
    let (year, month, day) = (part()?, part()?, part()?);
    let (this_year, this_month, this_day) = date(now);
    let in_year = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    let had_birthday = (this_month, this_day) >= (month, day);
    let years = this_year - year - i64::from(!had_birthday);
    if !in_year || !(0..=MAX_YEARS).contains(&years) {
        return Err(BadDate);
    }
    Ok(Age {
        is_over: years >= i64::from(threshold),
        threshold,
    })
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Year, month and day, after Howard Hinnant's `civil_from_days`.
const fn date(moment: Moment) -> (i64, i64, i64) {
    let days = moment.as_seconds().div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2027-01-15T08:00:00Z
    const NOW: Moment = Moment::from_millis(1_800_000_000_000);

    fn is_over(born: &str) -> Result<bool, BadDate> {
        of(born, NOW, 16).map(|age| age.is_over)
    }

    #[test]
    fn the_day_of_the_birthday_counts() {
        assert_eq!(date(NOW), (2027, 1, 15));
        assert_eq!(is_over("2011-01-15"), Ok(true));
        assert_eq!(is_over("2011-01-16"), Ok(false));
        assert_eq!(is_over("1950-2-28"), Ok(true));
        assert_eq!(is_over("2024-02-29"), Ok(false));
    }

    #[test]
    fn what_is_no_date_of_birth_is_asked_again() {
        for bad in [
            "",
            "1990",
            "1990-13-01",
            "2023-02-29",
            "2027-01-16",
            "1800-01-01",
            "1990-01-01-01",
            "a-b-c",
        ] {
            assert_eq!(is_over(bad), Err(BadDate), "{bad}");
        }
    }
}
