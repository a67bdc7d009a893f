//! What the trace prints, and how.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal};

use crate::sys;

/// What the trace prints, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceOptions {
    /// Whether all is printed, and as a transcript: long content, styles, scripts and images too.
    pub full: bool,
    /// Whether each part is explained, again for each page that a person opens.
    pub explain: bool,
    /// Whether each explanation on a screen has the section of its RFC. A transcript always has it.
    pub rfc: bool,
    /// Whether lines are coloured by direction: see [`stdout_wants_colour`].
    pub colour: bool,
    /// Whether the lines are for a person at a terminal, unless `full` is set: wrapped to
    /// [`stdout_columns`], and folded where they repeat. Else they are a transcript.
    pub screen: bool,
    /// The flag with which this program sets `full`, if it has one. It is said on a screen.
    pub full_flag: Option<&'static str>,
}

impl TraceOptions {
    /// Whether the lines are for a person, and no transcript.
    pub(super) fn is_screen(&self) -> bool {
        self.screen && !self.full
    }
}

/// Whether to print in colours on stdout: it is a terminal that has colours (`TERM` is not `dumb`), and
/// `NO_COLOR` is not set or is empty (<https://no-color.org>).
pub fn stdout_wants_colour() -> bool {
    let [no_color, term] = ["NO_COLOR", "TERM"].map(env::var_os);
    wants_colour(io::stdout().is_terminal(), no_color.as_deref(), term.as_deref())
        && sys::show_colours()
}

fn wants_colour(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

/// The narrowest terminal to which lines are wrapped.
const MIN_COLUMNS: usize = 40;

/// Columns of the terminal on stdout, at this moment: as the system says, or else as the variable
/// `COLUMNS` does, or else 80.
pub fn stdout_columns() -> usize {
    columns(sys::stdout_columns(), env::var_os("COLUMNS").as_deref())
}

fn columns(system: Option<usize>, variable: Option<&OsStr>) -> usize {
    let from_variable = || variable?.to_str()?.parse().ok().filter(|&columns| columns > 0);
    system.or_else(from_variable).unwrap_or(80).max(MIN_COLUMNS)
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

    #[test]
    fn the_width_is_the_systems_or_the_variables_or_80() {
        for (system, variable, wanted) in [
            (Some(132), Some("90"), 132),
            (None, Some("90"), 90),
            (None, Some("wide"), 80),
            (None, Some("0"), 80),
            (None, None, 80),
            (Some(5), None, MIN_COLUMNS),
        ] {
            assert_eq!(columns(system, variable.map(OsStr::new)), wanted);
        }
    }
}
