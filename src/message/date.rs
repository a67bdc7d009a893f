//! # Formats and parses dates: the fields Date and Last-Modified, access logs, lists of files
//!
//! ```text
//! Date: Sun, 06 Nov 1994 08:49:37 GMT
//! ```
//! Rule: RFC 9110 section 5.6.7: senders use this one form, IMF-fixdate, and recipients also know two
//! obsolete ones. The time is an argument, so tests can use the example date of the RFC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed"; // 1970 began on a Thursday
const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// The example date of the RFC, which the tests use as their clock.
pub fn example() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// A time as a calendar and a clock show it, in GMT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    /// The place of the weekday's name in [`DAYS`].
    weekday: usize,
    /// The year, such as 1994.
    pub year: usize,
    /// The month, from 1 to 12.
    pub month: usize,
    /// The day of the month, from 1.
    pub day: usize,
    /// The hour, from 0 to 23.
    pub hour: usize,
    /// The minute, from 0 to 59.
    pub minute: usize,
    /// The second, from 0; 60 is a leap second, which no [`SystemTime`] has.
    pub second: usize,
}

impl From<SystemTime> for CivilTime {
    /// A time before 1970 becomes the start of 1970.
    fn from(time: SystemTime) -> CivilTime {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (days, clock) = ((seconds / 86_400) as usize, (seconds % 86_400) as usize);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
        CivilTime { weekday: days % 7, year, month, day, hour, minute, second }
    }
}

impl CivilTime {
    fn imf_fixdate(&self) -> [u8; 29] {
        let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
        let (weekday, month) = (3 * self.weekday, 3 * self.month);
        text[..3].copy_from_slice(&DAYS[weekday..weekday + 3]);
        two_digits(&mut text[5..7], self.day);
        text[8..11].copy_from_slice(&MONTHS[month - 3..month]);
        two_digits(&mut text[12..14], self.year / 100);
        two_digits(&mut text[14..16], self.year % 100);
        two_digits(&mut text[17..19], self.hour);
        two_digits(&mut text[20..22], self.minute);
        two_digits(&mut text[23..25], self.second);
        text
    }
}

/// Formats a time as IMF-fixdate, in GMT. A time before 1970 becomes the start of 1970.
pub fn imf_fixdate(time: SystemTime) -> [u8; 29] {
    CivilTime::from(time).imf_fixdate()
}

/// Parses an IMF-fixdate. The day must be one of its month, but a date may have any weekday.
pub fn parse_imf_fixdate(text: &[u8]) -> Option<CivilTime> {
    let text: &[u8; 29] = text.try_into().ok()?;
    let time = CivilTime {
        weekday: position(&text[..3], DAYS)?,
        year: number(&text[12..16])?,
        month: position(&text[8..11], MONTHS)? + 1,
        day: number(&text[5..7])?,
        hour: number(&text[17..19])?,
        minute: number(&text[20..22])?,
        second: number(&text[23..25])?,
    };
    let is_possible = (1..=days_of_month(time.year, time.month)).contains(&time.day)
        && time.hour <= 23
        && time.minute <= 59
        && time.second <= 60;
    // What stands between the parts is checked by writing the same time again.
    (is_possible && time.imf_fixdate() == *text).then_some(time)
}

/// Returns the place of a name in a list of names of three letters.
fn position(name: &[u8], names: &[u8]) -> Option<usize> {
    names.chunks(3).position(|known| known == name)
}

fn number(digits: &[u8]) -> Option<usize> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The number of days of a month.
fn days_of_month(year: usize, month: usize) -> usize {
    let is_leap_year =
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + usize::from(is_leap_year),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Converts days since 1970 to year, month and day. Inside, a year begins in March, so that the leap
/// day is its last day. A cycle of 400 years has 146,097 days.
fn civil_from_days(days: usize) -> (usize, usize, usize) {
    let days = days + 719_468; // from 0000-03-01
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March
    let year = 400 * cycle + year + usize::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day - (153 * month + 2) / 5 + 1)
}

/// Days from 1970 to a day of the calendar: the inverse of [`civil_from_days`]. `None` before 1970.
fn days_from_civil(year: usize, month: usize, day: usize) -> Option<usize> {
    let year = if month > 2 { year } else { year.checked_sub(1)? };
    let month = (month + 9) % 12; // 0 is March
    let (cycle, year) = (year / 400, year % 400);
    let day = 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1;
    (146_097 * cycle + day).checked_sub(719_468)
}

impl From<CivilTime> for SystemTime {
    /// A time before 1970 becomes the start of 1970.
    fn from(time: CivilTime) -> SystemTime {
        let days = days_from_civil(time.year, time.month, time.day).unwrap_or(0) as u64;
        let clock = 3600 * time.hour + 60 * time.minute + time.second;
        UNIX_EPOCH + Duration::from_secs(86_400 * days + clock as u64)
    }
}

/// Parses a date in one of the three forms that a recipient must know (RFC 9110 section 5.6.7). `now` tells
/// the century of a year of two digits: it is at most 50 years in the future.
///
/// ```text
/// Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate
/// Sunday, 06-Nov-94 08:49:37 GMT    RFC 850
/// Sun Nov  6 08:49:37 1994          asctime
/// ```
pub fn parse_http_date(text: &[u8], now: SystemTime) -> Option<SystemTime> {
    let time = match text {
        [day @ .., b' ', b'G', b'M', b'T'] if text.len() != 29 => parse_rfc_850(day, now.into()),
        _ if text.len() == 24 => parse_asctime(text),
        _ => parse_imf_fixdate(text),
    };
    time.map(SystemTime::from)
}

/// Writes the parts as an IMF-fixdate, whose parser checks them.
fn from_parts(
    weekday: &[u8],
    day: &[u8],
    month: &[u8],
    year: &[u8],
    clock: &[u8],
) -> Option<CivilTime> {
    let parts: [&[u8]; 9] = [weekday, b", ", day, b" ", month, b" ", year, b" ", clock];
    parse_imf_fixdate(&[&parts.concat()[..], b" GMT"].concat())
}

fn parse_rfc_850(text: &[u8], now: CivilTime) -> Option<CivilTime> {
    let (weekday, rest) = text.split_at(text.iter().position(|&byte| byte == b',')?);
    let [b',', b' ', d1, d2, b'-', m1, m2, m3, b'-', y1, y2, b' ', clock @ ..] = rest else {
        return None;
    };
    if !WEEKDAYS.iter().any(|known| known.as_bytes() == weekday) {
        return None;
    }
    let ahead = (100 + number(&[*y1, *y2])? - now.year % 100) % 100;
    let year = if ahead > 50 { now.year + ahead - 100 } else { now.year + ahead };
    let year = format!("{year:04}");
    from_parts(&weekday[..3], &[*d1, *d2], &[*m1, *m2, *m3], year.as_bytes(), clock)
}

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn parse_asctime(text: &[u8]) -> Option<CivilTime> {
    let (b' ', b' ', b' ', b' ') = (text[3], text[7], text[10], text[19]) else { return None };
    // A day before the tenth has a space in place of its first digit.
    let first = if text[8] == b' ' { b'0' } else { text[8] };
    from_parts(&text[..3], &[first, text[9]], &text[4..7], &text[20..], &text[11..19])
}

/// Formats a time as access logs in the common and the combined format have it, in GMT:
/// `06/Nov/1994:08:49:37 +0000`.
pub fn log_date(time: SystemTime) -> String {
    let CivilTime { year, month, day, hour, minute, second, .. } = time.into();
    let month = str::from_utf8(&MONTHS[3 * month - 3..3 * month]).unwrap_or_default();
    format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000")
}

/// Formats a time to the minute, in GMT, as a list of files has it: `1994-11-06 08:49`.
pub fn minute_date(time: SystemTime) -> String {
    let CivilTime { year, month, day, hour, minute, .. } = time.into();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

/// Formats a time as JSON logs have it, with milliseconds (RFC 3339): `1994-11-06T08:49:37.000Z`.
pub fn rfc_3339(time: SystemTime) -> String {
    let CivilTime { year, month, day, hour, minute, second, .. } = time.into();
    let millis = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn two_digits(out: &mut [u8], number: usize) {
    out[0] = b'0' + (number / 10 % 10) as u8;
    out[1] = b'0' + (number % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_the_form_of_the_rfc() {
        for (seconds, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = imf_fixdate(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(std::str::from_utf8(&date), Ok(text));
        }
    }

    #[test]
    fn a_date_that_was_formatted_is_parsed_to_the_same_time() {
        for days in 0..=40_000 {
            let time = UNIX_EPOCH + Duration::from_secs(days * 86_400 + days * 7919 % 86_400);
            assert_eq!(parse_imf_fixdate(&imf_fixdate(time)), Some(time.into()), "day {days}");
        }
    }

    #[test]
    fn a_recipient_knows_three_forms() {
        let parse = |text: &str| parse_http_date(text.as_bytes(), example());
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text), Some(example()), "{text}");
        }
        // In 1994, 44 is 2044 and 45 is 1945, which counts as 1970.
        let year = |text: &str| parse(text).map(|time| CivilTime::from(time).year);
        assert_eq!(year("Sunday, 06-Nov-44 08:49:37 GMT"), Some(2044));
        assert_eq!(year("Sunday, 06-Nov-45 08:49:37 GMT"), Some(1970));
        for text in [
            "yesterday",
            "",
            "GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06 Nov 94 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT ",
            "Sun Nov 06 08:49:37 94",
            "Sun Nov 36 08:49:37 1994",
            "Wed Nov 31 08:49:37 1994",
            "Thursday, 31-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37\t1994",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        for days in (0..=60_000).step_by(7) {
            let time = UNIX_EPOCH + Duration::from_secs(days * 86_400 + 4711);
            assert_eq!(SystemTime::from(CivilTime::from(time)), time, "day {days}");
        }
    }

    #[test]
    fn the_dates_of_an_access_log_and_of_a_list_of_files() {
        assert_eq!(log_date(example()), "06/Nov/1994:08:49:37 +0000");
        assert_eq!(minute_date(example()), "1994-11-06 08:49");
        let time = example() + Duration::from_micros(7999);
        assert_eq!(rfc_3339(time), "1994-11-06T08:49:37.007Z");
        assert_eq!(rfc_3339(UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn the_parts_of_a_date_are_numbers() {
        let time = parse_imf_fixdate(b"Sun, 06 Nov 1994 08:49:60 GMT").expect("a date");
        assert_eq!((time.year, time.month, time.day), (1994, 11, 6));
        assert_eq!((time.hour, time.minute, time.second), (8, 49, 60));
    }

    #[test]
    fn another_form_and_an_impossible_part_are_no_date() {
        for text in [
            "Mon, 02 Mar 2026 24:00:00 GMT",
            "Mon, 02 Mar 2026 23:60:00 GMT",
            "Mon, 02 Mar 2026 23:00:61 GMT",
            "Mon, 32 Mar 2026 23:00:00 GMT",
            "Mon, 31 Apr 2026 23:00:00 GMT",
            "Mon, 29 Feb 2026 23:00:00 GMT",
            "Mon, 29 Feb 2100 23:00:00 GMT",
            "Sat, 30 Feb 2999 00:00:00 GMT",
            "Sun, 30 Feb 2000 00:00:00 GMT",
            "Mon, 00 Mar 2026 23:00:00 GMT",
            "Mon, +2 Mar 2026 23:00:00 GMT",
            "Mon,  2 Mar 2026 23:00:00 GMT",
            "Mon, 02 Mar +202 23:00:00 GMT",
            "Mon. 02 Mar 2026 23:00:00 GMT",
            "Moo, 02 Mar 2026 23:00:00 GMT",
            "mon, 02 Mar 2026 23:00:00 GMT",
            "Mon, 02 onF 2026 23:00:00 GMT",
            "Mon, 02 M\u{e4}r 2026 23:00:00 GM",
            "Mon, 02 Mar 2026 23.00.00 GMT",
            "Mon, 02 Mar 2026 23:00:00 UTC",
            "Mon, 02 Mar 2026 23:00:00 GMT ",
            "Mon, 02 Mar 2026 23:00:00",
            // The obsolete forms of RFC 9110 section 5.6.7.
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_imf_fixdate(text.as_bytes()), None, "{text}");
        }
    }
}
