//! What is said of time and size beside the bytes: by the trace, the recording and `send`.
//!
//! ```text
//! >>> @2 82 bytes, +0.1 ms
//! <<< @2 655360 bytes in 10 pieces, +3.1 ms
//! --- @2 silent 12s
//! ```
//! The time is that since something happened before, on the same connection.

use std::fmt;
use std::time::Duration;

use openkitchen::transcript::{EventKind, Millis};

/// A connection that is silent for so long is told: people wonder about it. What is shorter, they
/// wait for, and so does whoever plays it again.
pub const SILENCE: Duration = Duration::from_secs(2);

/// `--- silent 12s`, where it was that long. In whole seconds: what follows has the tenths.
pub fn silence(time: Duration) -> Option<EventKind> {
    let seconds = Duration::from_secs(time.as_secs());
    (time >= SILENCE).then(|| EventKind::Silent(Millis::from(seconds)))
}

/// `82 bytes, +0.1 ms`, for bytes that crossed in so many pieces.
pub fn crossed(length: u64, pieces: u64, took: Duration) -> String {
    let pieces = if pieces > 1 { format!(" in {pieces} pieces") } else { String::new() };
    format!("{}{pieces}, +{}", counted(length, "byte", "bytes"), Took(took))
}

/// `1 byte`, `2 bytes`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `0.2 ms`, `1.5 s`.
pub struct Took(pub Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match seconds * 1000.0 {
            _ if seconds >= 1.0 => write!(f, "{seconds:.1} s"),
            millis if millis < 0.1 => write!(f, "{millis:.2} ms"),
            millis => write!(f, "{millis:.1} ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_as_long_as_it_needs_to_be() {
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
    }

    #[test]
    fn a_silence_is_told_in_whole_seconds_from_two_up() {
        for (millis, told) in
            [(1999, None), (2000, Some("silent 2s")), (60_014, Some("silent 60s"))]
        {
            let silence = silence(Duration::from_millis(millis)).map(|kind| kind.to_string());
            assert_eq!(silence.as_deref(), told);
        }
    }
}
