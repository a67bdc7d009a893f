//! The command line without a command, in a binary that has no lesson site: help and version.

use std::ffi::OsString;
use std::process::ExitCode;

use super::flags::CommandLine;
use super::{CliError, print, unknown_command};

const COMMAND_LINE: CommandLine<()> = CommandLine {
    usage: "openkitchen: a small HTTP/1.1 server\n\
        openkitchen COMMAND --help  show the help of a command:\n\
        \x20 serve        serve the files of a directory\n\
        \x20 healthcheck  ask a server whether it is well",
    flags: &[],
    notes: "The lesson site and the other commands are not in this binary: it was built\n\
        without the Cargo features `site` and `tools`.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Prints what was asked for.
///
/// # Errors
/// A sentence: there is no such command.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let Some(((), words)) = COMMAND_LINE.read(arguments, ())? else {
        return Ok(ExitCode::SUCCESS);
    };
    match words.first() {
        None => Err(CliError::Usage(
            "a command is missing: openkitchen serve DIR, or healthcheck".into(),
        )),
        Some(word) if word == "help" => {
            print(&COMMAND_LINE.help())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(word) => Err(unknown_command(&word.to_string_lossy())),
    }
}
