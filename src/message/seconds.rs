//! # A time as a decimal number: `10`, `0.5`
//!
//! ```text
//! --grace 0.5     0.5 s       the digits that it has
//! took 0.0832 s   83.2 ms     rounded to one digit after the point
//! ```
//! Computed in integers, so `0.1` is exact, and a small binary needs no floating point for it.

use std::fmt;
use std::time::Duration;

use super::fields::parse_digits;

/// Digits of a second after the point: the last is a nanosecond.
const SECOND_DIGITS: usize = 9;

/// Digits of a millisecond after the point.
const MILLISECOND_DIGITS: usize = SECOND_DIGITS - 3;

/// Prints a time in seconds: `{}` all digits after the point that it has, `{:.1}` one, rounded.
///
/// ```
/// # use openkitchen::message::seconds::InSeconds;
/// # use std::time::Duration;
/// let time = Duration::from_millis(2_750);
/// assert_eq!(format!("{} {:.1}", InSeconds(time), InSeconds(time)), "2.75 2.8");
/// ```
pub struct InSeconds(pub Duration);

/// Prints a time in milliseconds, as [`InSeconds`] does in seconds.
pub struct InMillis(pub Duration);

impl fmt::Display for InSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self.0, SECOND_DIGITS, f)
    }
}

impl fmt::Display for InMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self.0, MILLISECOND_DIGITS, f)
    }
}

/// Prints a time in a unit that has so many digits after the point.
fn print(time: Duration, digits: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // These are enough for 584 years.
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let step_at = |shown| 10_u64.pow((digits - shown) as u32);
    let shown = match f.precision() {
        Some(precision) => precision.min(digits),
        None => (0..digits).find(|&shown| nanos % step_at(shown) == 0).unwrap_or(digits),
    };
    let rounded = nanos.saturating_add(step_at(shown) / 2) / step_at(shown);
    let one = 10_u64.pow(shown as u32);
    match shown {
        0 => write!(f, "{rounded}"),
        _ => write!(f, "{}.{:0shown$}", rounded / one, rounded % one),
    }
}

/// Parses seconds: digits, and more after a point, of which nine count. `.5` is `0.5`, and `5.` is `5`.
pub fn parse_seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let has_digits = !(whole.is_empty() && fraction.is_empty());
    if !has_digits || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let nanos: String = fraction.chars().chain("000000000".chars()).take(SECOND_DIGITS).collect();
    Some(Duration::new(parse_digits(whole.as_bytes())?, parse_digits(nanos.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_is_printed_with_the_digits_that_it_has() {
        for (text, nanos, printed) in [
            ("0", 0, "0"),
            ("10", 10_000_000_000, "10"),
            ("0.5", 500_000_000, "0.5"),
            (".5", 500_000_000, "0.5"),
            ("007.050", 7_050_000_000, "7.05"),
            ("0.1", 100_000_000, "0.1"),
            ("5.", 5_000_000_000, "5"),
            ("1.000000001", 1_000_000_001, "1.000000001"),
            ("0.30000000000000004", 300_000_000, "0.3"),
            ("0.0000000001", 0, "0"),
            ("31536000.999999999", 31_536_000_999_999_999, "31536000.999999999"),
        ] {
            let time = parse_seconds(text);
            assert_eq!(time, Some(Duration::from_nanos(nanos)), "{text}");
            assert_eq!(time.map(|time| InSeconds(time).to_string()).as_deref(), Some(printed));
        }
        for text in [
            "",
            ".",
            "-1",
            "+1",
            "1e3",
            "inf",
            "NaN",
            "1,5",
            "1.5.",
            "1.+5",
            "1. 5",
            " 1",
            "1 ",
            "18446744073709551616",
            "٣",
        ] {
            assert_eq!(parse_seconds(text), None, "{text:?}");
        }
    }

    #[test]
    fn with_a_precision_the_last_digit_is_rounded() {
        for (nanos, millis, seconds) in [
            (0, "0.0 ms", "0.0 s"),
            (49_999, "0.0 ms", "0.0 s"),
            (50_000, "0.1 ms", "0.0 s"),
            (83_249_999, "83.2 ms", "0.1 s"),
            (999_950_000, "1000.0 ms", "1.0 s"),
            (75_340_000_000, "75340.0 ms", "75.3 s"),
        ] {
            let time = Duration::from_nanos(nanos);
            assert_eq!(format!("{:.1} ms", InMillis(time)), millis);
            assert_eq!(format!("{:.1} s", InSeconds(time)), seconds);
        }
        let time = Duration::from_micros(1_500);
        let printed = [0, 1, 3, 6, 20].map(|precision| format!("{:.precision$}", InMillis(time)));
        assert_eq!(printed, ["2", "1.5", "1.500", "1.500000", "1.500000"]);
        assert_eq!(format!("{:.0}", InSeconds(Duration::MAX)), "18446744073");
    }
}
