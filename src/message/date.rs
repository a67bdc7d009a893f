//! # Appendix: the date
//!
//! ```text
//! Date: Sun, 06 Nov 1994 08:49:37 GMT
//! ```
//! Rule: RFC 9110 section 5.6.7, the one form that may be sent. Pure arithmetic: the clock is an
//! argument, so that the tests can stand at the RFC's own example date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The moment that the RFC uses as its example, and our tests as their clock.
pub fn example() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// The IMF-fixdate of a moment; one before 1970 is written as 1970.
pub fn imf_fixdate(moment: SystemTime) -> [u8; 29] {
    const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed"; // 1970 began on a Thursday
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);

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

/// Days since 1970 as year, month and day. The year is counted from March, so that the leap day is
/// the last one; a cycle of 400 years has 146,097 days.
fn civil(days: u64) -> (usize, usize, usize) {
    let days = days as usize + 719_468; // from 0000-03-01
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March
    let year = 400 * cycle + year + usize::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day - (153 * month + 2) / 5 + 1)
}

fn two_digits(place: &mut [u8], number: usize) {
    place[0] = b'0' + (number / 10 % 10) as u8;
    place[1] = b'0' + (number % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_written_as_the_rfc_writes_it() {
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
