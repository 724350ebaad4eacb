//! Moments as a person reads them.

use domain::clock::{Civil, Moment};

/// `2026-11-22T00:34:12Z`, for machines.
pub(crate) fn iso(moment: Moment) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = moment.civil();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `22 Nov 2026, 00:34 UTC`, for people.
pub(crate) fn exact(moment: Moment, months: &[String], ordinal: &str) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        ..
    } = moment.civil();
    let month = months.get(month as usize - 1).map_or("", String::as_str);
    format!("{day}{ordinal} {month} {year}, {hour:02}:{minute:02} UTC")
}

/// `22 Nov 2026`
pub(crate) fn day(moment: Moment, months: &[String], ordinal: &str) -> String {
    let Civil {
        year, month, day, ..
    } = moment.civil();
    let month = months.get(month as usize - 1).map_or("", String::as_str);
    format!("{day}{ordinal} {month} {year}")
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
