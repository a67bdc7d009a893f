//! Open Kitchen on the command line: one verb, one file in `cli/`. The binary is a customer of the
//! library's public face like any other.

#![warn(clippy::unwrap_used)]

mod cli;
mod site;
mod sys;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let done = match arguments.first().map(String::as_str) {
        Some("check") => cli::check::command(&arguments[1..]),
        Some("send") => cli::send::command(&arguments[1..]),
        Some("mock") => cli::mock::command(&arguments[1..]),
        Some("explain") => cli::explain::command(&arguments[1..]),
        Some("watch") => cli::watch::command(&arguments[1..]),
        _ => cli::serve::command(&arguments).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(cli::Refusal::Usage(sentence)) => {
            eprintln!("openkitchen: {sentence}\nTry `openkitchen --help`.");
            ExitCode::from(2)
        }
        Err(cli::Refusal::Failed(sentence)) => {
            eprintln!("openkitchen: {sentence}");
            ExitCode::FAILURE
        }
    }
}
