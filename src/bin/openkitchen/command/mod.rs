//! The commands of the binary, one file each, and what they share: errors, flags, the address of a
//! server, stdout and the log. Arguments in, exit code out: the library does the work.

pub mod access_log;
pub mod address;
pub mod auth;
pub mod bind;
pub mod flags;
pub mod healthcheck;
pub mod line_queue;
pub mod logging;
pub mod port_file;
pub mod serve;
pub mod server;
pub mod stdout;
#[cfg(not(feature = "site"))]
pub mod without_site;

#[cfg(feature = "site")]
pub mod options;
#[cfg(feature = "site")]
pub mod site;
#[cfg(feature = "site")]
pub mod viewers;

#[cfg(feature = "tools")]
pub mod check;
#[cfg(feature = "tools")]
pub mod explain;
#[cfg(feature = "tools")]
pub mod learn;
#[cfg(feature = "tools")]
pub mod mock;
#[cfg(feature = "tools")]
pub mod script;
#[cfg(feature = "tools")]
pub mod send;
#[cfg(feature = "tools")]
pub mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

#[cfg(feature = "tools")]
use openkitchen::play::send::SendOutcome;
use openkitchen::transcript::nearest::nearest;

/// A command with a name.
pub struct Command {
    /// The word that calls it.
    pub name: &'static str,
    /// Runs it with the arguments after its name.
    pub run: fn(&[OsString]) -> Result<ExitCode, CliError>,
    /// The names of its flags, without the dashes.
    pub flag_names: fn() -> Vec<&'static str>,
}

/// What runs without a command: the lesson site.
#[cfg(feature = "site")]
pub const WITHOUT_A_NAME: Command =
    Command { name: "", run: site::command, flag_names: options::flag_names };
/// What runs without a command: nothing but the help.
#[cfg(not(feature = "site"))]
pub const WITHOUT_A_NAME: Command =
    Command { name: "", run: without_site::command, flag_names: without_site::flag_names };

/// All commands with a name.
pub const COMMANDS: &[Command] = &[
    Command { name: "serve", run: serve::command, flag_names: serve::flag_names },
    #[cfg(feature = "tools")]
    Command { name: "watch", run: watch::command, flag_names: watch::flag_names },
    #[cfg(feature = "tools")]
    Command { name: "send", run: send::command, flag_names: send::flag_names },
    #[cfg(feature = "tools")]
    Command { name: "check", run: check::command, flag_names: check::flag_names },
    #[cfg(feature = "tools")]
    Command { name: "mock", run: mock::command, flag_names: mock::flag_names },
    #[cfg(feature = "tools")]
    Command { name: "learn", run: learn::command, flag_names: learn::flag_names },
    #[cfg(feature = "tools")]
    Command { name: "explain", run: explain::command, flag_names: explain::flag_names },
    Command { name: "healthcheck", run: healthcheck::command, flag_names: healthcheck::flag_names },
];

/// The error about a command that is not there, with the nearest name or with all names.
pub fn unknown_command(word: &str) -> CliError {
    if Path::new(word).is_dir() {
        let sentence = format!("`{word}` is a directory; write openkitchen serve {word}");
        return CliError::Usage(sentence);
    }
    let names = COMMANDS.iter().map(|command| command.name);
    let hint = match nearest(word, names.clone()) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("the commands are {}", names.collect::<Vec<_>>().join(", ")),
    };
    CliError::Usage(format!("`{word}` is not a command; {hint}"))
}

/// Why a command failed, in a sentence for the user. The same cause has the same exit code in every
/// command.
#[derive(Debug, PartialEq, Eq)]
pub enum CliError {
    /// The command line is wrong: exit code 2, and a hint at `--help`.
    Usage(String),
    /// The command line is right, but a file, or an address to listen on, cannot be used: exit code 2.
    Unusable(String),
    /// There is no connection to the server: exit code [`NO_CONNECTION`].
    #[cfg(feature = "tools")]
    NoConnection(String),
    /// The work itself failed: exit code 1.
    Failed(String),
}

/// Exit code: no connection to the server, or the other side did not do in time what was awaited.
#[cfg(feature = "tools")]
pub const NO_CONNECTION: u8 = 3;

/// Exit code: the server closed or reset the connection, and no complete response.
#[cfg(feature = "tools")]
const CLOSED: u8 = 4;

/// The exit code for what a server did with the requests that were sent to it.
#[cfg(feature = "tools")]
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

#[cfg(all(test, feature = "tools"))]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_gets_the_nearest_name_or_all_names() {
        for (word, expected) in [
            ("src", "`src` is a directory; write openkitchen serve src"),
            ("chek", "`chek` is not a command; did you mean check?"),
            (
                "dance",
                "`dance` is not a command; the commands are serve, watch, send, check, mock, learn, explain, healthcheck",
            ),
        ] {
            assert_eq!(unknown_command(word), CliError::Usage(expected.into()));
        }
    }
}
