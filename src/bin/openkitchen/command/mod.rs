//! The commands of the binary, one file each, and what they share: errors, flags, the address of a
//! server, stdout and the log. Arguments in, exit code out: the library does the work.

pub mod address;
pub mod bind;
pub mod check;
pub mod explain;
pub mod flags;
pub mod learn;
pub mod logging;
pub mod mock;
pub mod options;
pub mod port_file;
pub mod script;
pub mod send;
pub mod serve;
pub mod viewers;
pub mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use openkitchen::play::send::SendOutcome;

/// A command with a name.
pub struct Command {
    /// The word that calls it.
    pub name: &'static str,
    /// Runs it with the arguments after its name.
    pub run: fn(&[OsString]) -> Result<ExitCode, CliError>,
    /// The names of its flags, without the dashes.
    pub flag_names: fn() -> Vec<&'static str>,
}

/// All commands. A command line without one runs the server: `serve::command`.
pub const COMMANDS: [Command; 6] = [
    Command { name: "watch", run: watch::command, flag_names: watch::flag_names },
    Command { name: "send", run: send::command, flag_names: send::flag_names },
    Command { name: "check", run: check::command, flag_names: check::flag_names },
    Command { name: "mock", run: mock::command, flag_names: mock::flag_names },
    Command { name: "learn", run: learn::command, flag_names: learn::flag_names },
    Command { name: "explain", run: explain::command, flag_names: explain::flag_names },
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

/// Exit code: the server closed or reset the connection, and no complete response.
const CLOSED: u8 = 4;

/// The exit code for what a server did with the requests that were sent to it.
pub fn exit_code(outcome: SendOutcome) -> ExitCode {
    match outcome {
        SendOutcome::Answered => ExitCode::SUCCESS,
        SendOutcome::Silent => ExitCode::from(NO_CONNECTION),
        SendOutcome::Closed => ExitCode::from(CLOSED),
    }
}

/// Prints to stdout.
///
/// # Errors
/// See [`printed`].
pub fn print(text: &str) -> Result<(), CliError> {
    printed(write_stdout(text))
}

/// Writes to stdout at once. (`print!` would panic after an error.)
///
/// # Errors
/// Not all could be written.
pub fn write_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

/// The result of writing to stdout, for a command. That the reader has closed it is no error: it has
/// read as much as it wants, as `head` does.
///
/// # Errors
/// stdout cannot be written: its disk is full, for example.
pub fn printed(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Failed(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}
