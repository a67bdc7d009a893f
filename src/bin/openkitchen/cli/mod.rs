//! The commands, and what they share: how a command says no, how an address is read, bound and
//! reached, and how the time is told.

pub mod address;
pub mod bind;
pub mod check;
pub mod explain;
pub mod flags;
pub mod logging;
pub mod mock;
pub mod note;
pub mod options;
pub mod record;
pub mod script;
pub mod send;
pub mod serve;
pub mod trace;
pub mod watch;

use std::process::ExitCode;

/// Does what the command line behind a command's name asks for.
pub type Command = fn(&[String]) -> Result<ExitCode, CliError>;

/// All of them. Without one, `serve` does the main job.
pub const COMMANDS: [(&str, Command); 5] = [
    ("watch", watch::command),
    ("send", send::command),
    ("check", check::command),
    ("mock", mock::command),
    ("explain", explain::command),
];

/// Why a command did not do its work.
#[derive(Debug, PartialEq, Eq)]
pub enum CliError {
    /// The command line is wrong: exit code 2, and a word on where the right one is explained.
    Usage(String),
    /// The command line is right, and what it names is of no use: exit code 2.
    Unusable(String),
    /// The command line is right, and it cannot be done: exit code 1.
    Failed(String),
}
