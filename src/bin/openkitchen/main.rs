//! Open ServerProcess on the command line: one verb, one file in `cli/`. The binary is a customer of the
//! library's public face like any other.

#![warn(clippy::unwrap_used)]

mod cli;
mod site;
mod sys;

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let named = |word: &String| cli::COMMANDS.iter().find(|(name, _)| name == word);
    if let [help, command] = &mut arguments[..]
        && help == "help"
        && named(command).is_some()
    {
        (*help, *command) = (std::mem::take(command), "--help".into());
    }
    let (name, done) = match arguments.first().and_then(named) {
        Some((name, command)) => (format!("openkitchen {name}"), command(&arguments[1..])),
        None => ("openkitchen".into(), cli::serve::command(&arguments)),
    };
    cli::logging::finish();
    let (sentence, code) = match done {
        Ok(code) => return code,
        Err(cli::CliError::Usage(sentence)) => (format!("{sentence}\nTry `{name} --help`."), 2),
        Err(cli::CliError::Unusable(sentence)) => (sentence, 2),
        Err(cli::CliError::Failed(sentence)) => (sentence, 1),
    };
    // Nobody may be left to read it, but the code still tells.
    let _ = writeln!(io::stderr(), "openkitchen: {sentence}");
    ExitCode::from(code)
}
