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

/// Whether to print in colours on stdout: it is a terminal that has colours (`TERM` is not `dumb`), and
/// `NO_COLOR` is not set or is empty (<https://no-color.org>).
pub fn stdout_wants_colour() -> bool {
    let [no_color, term] = ["NO_COLOR", "TERM"].map(env::var_os);
    wants_colour(io::stdout().is_terminal(), no_color.as_deref(), term.as_deref())
}

fn wants_colour(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_that_has_it_and_no_no_color() {
        for (is_terminal, no_color, term, wanted) in [
            (true, None, None, true),
            (true, Some(""), Some("xterm"), true),
            (true, Some("1"), Some("xterm"), false),
            (true, None, Some("dumb"), false),
            (false, None, Some("xterm"), false),
        ] {
            let [no_color, term] = [no_color, term].map(|value| value.map(OsStr::new));
            assert_eq!(wants_colour(is_terminal, no_color, term), wanted);
        }
    }
}
