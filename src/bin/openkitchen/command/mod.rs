//! The commands of the binary, one file each, and what they share: errors, flags, the address of a
//! server, stdout and the log. Arguments in, exit code out: the library does the work.

pub mod address;
pub mod bind;
pub mod check;
pub mod explain;
pub mod flags;
pub mod logging;
pub mod mock;
pub mod options;
pub mod port_file;
pub mod script;
pub mod send;
pub mod serve;
pub mod viewers;
pub mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

/// Runs a command with the arguments after its name.
pub type Command = fn(&[String]) -> Result<ExitCode, CliError>;

/// All commands. A command line without one runs the server: `serve::command`.
pub const COMMANDS: [(&str, Command); 5] = [
    ("watch", watch::command),
    ("send", send::command),
    ("check", check::command),
    ("mock", mock::command),
    ("explain", explain::command),
];

/// Why a command failed, in a sentence for the user.
#[derive(Debug, PartialEq, Eq)]
pub enum CliError {
    /// The command line is wrong: exit code 2, and a hint at `--help`.
    Usage(String),
    /// The command line is right, but a file or an address in it cannot be used: exit code 2.
    Unusable(String),
    /// The command line is right, but the work failed: exit code 1.
    Failed(String),
}

/// Prints to stdout. Errors are ignored: the program that reads stdout may have closed it, and
/// `print!` would panic then.
pub fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
