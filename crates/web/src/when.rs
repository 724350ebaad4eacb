//! Moments as a person reads them.

use domain::clock::Moment;

/// `2026-11-22T00:34:12Z`, for machines.
pub(crate) fn iso(moment: Moment) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = civil(moment);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `22 Nov 2026, 00:34 UTC`, for people.
pub(crate) fn exact(moment: Moment, months: &[String]) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        ..
    } = civil(moment);
    let month = months.get(month as usize - 1).map_or("", String::as_str);
    format!("{day} {month} {year}, {hour:02}:{minute:02} UTC")
}

/// `22 Nov 2026`
pub(crate) fn day(moment: Moment, months: &[String]) -> String {
    let Civil {
        year, month, day, ..
    } = civil(moment);
    let month = months.get(month as usize - 1).map_or("", String::as_str);
    format!("{day} {month} {year}")
}

#[derive(Debug, PartialEq, Eq)]
struct Civil {
    year: i64,
    /// 1 to 12.
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

/// Days to year, month and day: Howard Hinnant, "chrono-compatible low-level date algorithms".
fn civil(moment: Moment) -> Civil {
    let seconds = moment.as_seconds();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_the_calendar_has_them() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_307_652, "2026-11-22T00:34:12Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(iso(Moment::from_millis(seconds * 1000)), expected);
        }
    }
}
