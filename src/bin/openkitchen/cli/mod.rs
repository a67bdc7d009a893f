//! The commands of the binary, one file each, and what they share: errors, flags, the address of a
//! server, the log, and how a time is printed.

pub mod address;
pub mod bind;
pub mod check;
pub mod explain;
pub mod flags;
pub mod logging;
pub mod mock;
pub mod note;
pub mod play;
pub mod options;
pub mod record;
pub mod script;
pub mod send;
pub mod serve;
pub mod trace;
pub mod watch;

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
