//! The commands of the binary, one file each, and what they share: errors, flags, the address of a
//! server, stdout and the log. Arguments in, exit code out: the library does the work.

pub mod access_log;
pub mod address;
pub mod bind;
pub mod check;
pub mod explain;
pub mod flags;
pub mod healthcheck;
pub mod learn;
pub mod line_queue;
pub mod logging;
pub mod mock;
pub mod options;
pub mod port_file;
pub mod script;
pub mod send;
pub mod serve;
pub mod server;
pub mod site;
pub mod viewers;
pub mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// A command with a name.
pub struct Command {
    /// The word that calls it.
    pub name: &'static str,
    /// Runs it with the arguments after its name.
    pub run: fn(&[OsString]) -> Result<ExitCode, CliError>,
    /// The names of its flags, without the dashes.
    pub flag_names: fn() -> Vec<&'static str>,
}

/// All commands. A command line without one runs the lesson site: `site::command`.
pub const COMMANDS: [Command; 8] = [
    Command { name: "serve", run: serve::command, flag_names: serve::flag_names },
    Command { name: "watch", run: watch::command, flag_names: watch::flag_names },
    Command { name: "send", run: send::command, flag_names: send::flag_names },
    Command { name: "check", run: check::command, flag_names: check::flag_names },
    Command { name: "mock", run: mock::command, flag_names: mock::flag_names },
    Command { name: "learn", run: learn::command, flag_names: learn::flag_names },
    Command { name: "explain", run: explain::command, flag_names: explain::flag_names },
    Command { name: "healthcheck", run: healthcheck::command, flag_names: healthcheck::flag_names },
];

/// Why a command failed, in a sentence for the user. The same cause has the same exit code in every
/// command.
#[derive(Debug, PartialEq, Eq)]
pub enum CliError {
    /// The command line is wrong: exit code 2, and a hint at `--help`.
    Usage(String),
    /// The command line is right, but a file, or an address to listen on, cannot be used: exit code 2.
    Unusable(String),
    /// There is no connection to the server: exit code [`NO_CONNECTION`].
    NoConnection(String),
    /// The work itself failed: exit code 1.
    Failed(String),
}

/// Exit code: no connection to the server, or the other side did not do in time what was awaited.
pub const NO_CONNECTION: u8 = 3;

/// Prints to stdout. Errors are ignored: the program that reads stdout may have closed it, and
/// `print!` would panic then.
pub fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
