//! # Formats the date of the Date field
//!
//! ```text
//! Date: Sun, 06 Nov 1994 08:49:37 GMT
//! ```
//! Rule: RFC 9110 section 5.6.7: senders use this one form. The time is an argument, so tests can use
//! the example date of the RFC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The example date of the RFC, which the tests use as their clock.
pub fn example() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// Formats a time as IMF-fixdate, in GMT. A time before 1970 becomes the start of 1970.
pub fn imf_fixdate(time: SystemTime) -> [u8; 29] {
    const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed"; // 1970 began on a Thursday
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);

    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let weekday = 3 * (days % 7) as usize;
    text[..3].copy_from_slice(&DAYS[weekday..weekday + 3]);
    two_digits(&mut text[5..7], day);
    text[8..11].copy_from_slice(&MONTHS[3 * (month - 1)..3 * month]);
    two_digits(&mut text[12..14], year / 100);
    two_digits(&mut text[14..16], year % 100);
    two_digits(&mut text[17..19], clock as usize / 3600);
    two_digits(&mut text[20..22], clock as usize / 60 % 60);
    two_digits(&mut text[23..25], clock as usize % 60);
    text
}

/// Converts days since 1970 to year, month and day. Inside, a year begins in March, so that the leap
/// day is its last day. A cycle of 400 years has 146,097 days.
fn civil_from_days(days: u64) -> (usize, usize, usize) {
    let days = days as usize + 719_468; // from 0000-03-01
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March
    let year = 400 * cycle + year + usize::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day - (153 * month + 2) / 5 + 1)
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
}
