//! The entry point of the binary: finds the command, runs it, and turns its error into an exit code.
//!
//! Each command is a file in `command/`. The binary uses the library's public items only.
//!
//! Two Cargo features say what is in it beside `serve` and `healthcheck`: `site` the lesson site, and
//! `tools` all other commands. Both are on by default.

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod command;
mod json;
#[cfg(feature = "site")]
mod site;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use openkitchen::sys;
use openkitchen::transcript::Prose;

fn main() -> ExitCode {
    sys::reap_orphans();
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let find = |word: &OsString| command::COMMANDS.iter().find(|command| word == command.name);
    // `help send` is `send --help`.
    if let [help, command] = &mut arguments[..]
        && help == "help"
        && find(command).is_some()
    {
        (*help, *command) = (std::mem::take(command), "--help".into());
    }
    let (name, result) = match arguments.first().and_then(find) {
        Some(command) => (format!("openkitchen {}", command.name), (command.run)(&arguments[1..])),
        None => ("openkitchen".into(), (command::WITHOUT_A_NAME.run)(&arguments)),
    };
    command::logging::finish();
    let (sentence, code) = match result {
        Ok(code) => return code,
        Err(command::CliError::Usage(sentence)) => (format!("{sentence}\nTry `{name} --help`."), 2),
        Err(command::CliError::Unusable(sentence)) => (sentence, 2),
        #[cfg(feature = "tools")]
        Err(command::CliError::NoConnection(sentence)) => (sentence, command::NO_CONNECTION),
        Err(command::CliError::Failed(sentence)) => (sentence, 1),
    };
    // A name of a file in it may have any character.
    let lines: Vec<_> = sentence.lines().map(Prose::new).collect();
    let lines: Vec<&str> = lines.iter().map(Prose::as_str).collect();
    // stderr may be closed; the exit code is returned all the same.
    let _ = writeln!(io::stderr(), "openkitchen: {}", lines.join("\n"));
    ExitCode::from(code)
}
