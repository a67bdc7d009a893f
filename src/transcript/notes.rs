//! # Notes: the sizes and times beside the bytes
//!
//! What the program itself writes into a transcript beside what crossed, for the trace, recordings,
//! kept exchanges and `send`.
//!
//! ```text
//! >>> @2 82 bytes, +0.1 ms
//! <<< @2 655360 bytes in 10 pieces, +3.1 ms
//! --- @2 silent 12s
//! ```
//! Each time is measured from the event before, on the same connection.

use std::fmt;
use std::time::Duration;

use super::model::EventKind;
use super::text::Millis;
use crate::message::counted::counted;
use crate::message::seconds::{InMillis, InSeconds};

/// The shortest silence that is reported: users wonder about it. A shorter one needs no event, since a
/// player of the recording waits two seconds for every response.
pub const SILENCE: Duration = Duration::from_secs(2);

/// `--- silent 12s`, or `None` for less than [`SILENCE`]. In whole seconds: the note of the next block
/// has the tenths.
pub fn silence(time: Duration) -> Option<EventKind> {
    let seconds = Duration::from_secs(time.as_secs());
    (time >= SILENCE).then(|| EventKind::Silent(Millis::from(seconds)))
}

/// `82 bytes, +0.1 ms`: the note of bytes that crossed in this number of reads or writes. `took` is
/// the time since the event before, if it is known.
pub fn crossed(length: u64, reads: u64, took: impl Into<Option<Duration>>) -> String {
    let reads = if reads > 1 { format!(" in {reads} pieces") } else { String::new() };
    let took = took.into().map(|took| format!(", +{}", Took(took))).unwrap_or_default();
    format!("{}{reads}{took}", counted(length, "byte", "bytes"))
}

/// Displays a duration as `0.2 ms` or `1.5 s`.
pub struct Took(pub Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_micros() {
            0..100 => write!(f, "{:.2} ms", InMillis(self.0)),
            100..1_000_000 => write!(f, "{:.1} ms", InMillis(self.0)),
            _ => write!(f, "{:.1} s", InSeconds(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_digits_that_matter() {
        for (micros, text) in [
            (0, "1 byte, +0.00 ms"),
            (42, "1 byte, +0.04 ms"),
            (230, "1 byte, +0.2 ms"),
            (32_140, "1 byte, +32.1 ms"),
            (1_000_000, "1 byte, +1.0 s"),
            (75_300_000, "1 byte, +75.3 s"),
        ] {
            assert_eq!(crossed(1, 1, Duration::from_micros(micros)), text);
        }
        assert_eq!(crossed(300, 3, Duration::ZERO), "300 bytes in 3 pieces, +0.00 ms");
        assert_eq!(crossed(300, 3, None), "300 bytes in 3 pieces");
    }

    #[test]
    fn a_silence_of_two_seconds_or_more_is_reported_in_whole_seconds() {
        for (millis, event) in
            [(1999, None), (2000, Some("silent 2s")), (60_014, Some("silent 60s"))]
        {
            let silence = silence(Duration::from_millis(millis)).map(|kind| kind.to_string());
            assert_eq!(silence.as_deref(), event);
        }
    }
}
