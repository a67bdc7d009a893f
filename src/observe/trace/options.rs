//! What the trace prints, and how.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal};

/// What the trace prints, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceOptions {
    /// Whether long content, styles, scripts and images are printed too.
    pub bodies: bool,
    /// Whether each part is explained after it, once per run.
    pub explain: bool,
    /// Whether lines are coloured by direction: see [`stdout_wants_colour`].
    pub colour: bool,
}

/// Whether to print in colours on stdout: it is a terminal, and `NO_COLOR` is not set or is empty
/// (<https://no-color.org>).
pub fn stdout_wants_colour() -> bool {
    wants_colour(io::stdout().is_terminal(), env::var_os("NO_COLOR").as_deref())
}

fn wants_colour(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_and_no_no_color() {
        for (is_terminal, no_color, wanted) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (false, None, false),
        ] {
            assert_eq!(wants_colour(is_terminal, no_color.map(OsStr::new)), wanted);
        }
    }
}
