//! # `send`: your bytes, to any server
//!
//! What does a server answer to these very bytes, in which pieces, and who hangs up?
//!
//! ```text
//! $ printf 'GET / HTTP/1.1\r\nHost: h\r\n\r\n' | openkitchen send 5000
//! --- open to 127.0.0.1:5000, +0.1 ms
//!
//! >>> 27 bytes, +0.05 ms
//! GET / HTTP/1.1
//! Host: h
//!
//! <<< 157 bytes, +0.2 ms
//! HTTP/1.1 200 OK
//! ...
//! --- silent 2s
//! ```
//! What it prints is a transcript of what crossed, so it can be sent again. Nothing is added to the
//! bytes and nothing is judged: [`player`] plays, [`follow`] counts answers, [`page`] prints.
//!
//! Left out: TLS, and a verdict (`check` has one).

pub mod progress;
mod connection;
mod output;
mod player;

use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use openkitchen::transcript::Side;

use super::flags::{self, Flag, ParsedArgs, SECONDS, time};
use super::serve::print;
use super::{CliError, address, script};
use player::{Manner, SendOutcome, SendPlayer};

/// Exit code: the time was over, and no answer was whole.
const SILENCE: u8 = 3;

/// Exit code: the server ended the connection, and no answer was whole.
const NO_ANSWER: u8 = 4;

struct SendOptions {
    manner: Manner,
}

#[rustfmt::skip]
const FLAGS: [Flag<SendOptions>; 3] = [
    Flag { name: "slow", value: "", help: "send byte by byte, each in a segment of its own",
        apply: |options, _| { options.manner.slow = true; Ok(()) } },
    Flag { name: "half-close", value: "", help: "after the last byte, say that no more will come",
        apply: |options, _| { options.manner.half_close = true; Ok(()) } },
    Flag { name: "timeout", value: "S", help: "seconds of silence that end it [2]; to connect, too",
        apply: |options, value| { options.manner.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
];

/// Does what the command line asks for.
///
/// # Errors
/// A sentence, and the exit code that goes with it.
pub fn command(arguments: &[String]) -> Result<ExitCode, CliError> {
    let timeout = Duration::from_secs(2);
    let mut options = SendOptions { manner: Manner { slow: false, half_close: false, timeout } };
    let said = flags::parse(&FLAGS, arguments, |name| env::var(name).ok(), &mut options)?;
    let named = match said {
        ParsedArgs::Help => return told(&help()),
        ParsedArgs::Version => {
            return told(concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        ParsedArgs::Do(named) => named,
    };
    let (typed, file) = match &named[..] {
        [typed] => (typed, None),
        [typed, file] => (typed, Some(file).filter(|file| *file != "-")),
        [] => return Err(CliError::Usage("to whom? openkitchen send ADDR [FILE]".into())),
        [_, _, other, ..] => {
            return Err(CliError::Usage(format!("`{other}` is one too many: send ADDR [FILE]")));
        }
    };
    let transcript = match file {
        Some(file) => Some(script::read(file, Side::Client)?),
        None => None,
    };
    let authority = address::authority(typed)?;
    let addresses = address::find(&authority)
        .map_err(|why| CliError::Failed(format!("cannot connect to {authority}: {why}")))?;
    let mut player = SendPlayer::new(addresses, options.manner, io::stdout());
    match transcript {
        Some(transcript) => player.play(&transcript)?,
        None => player.pass_on(io::stdin(), io::stdin().is_terminal())?,
    }
    Ok(match player.finish() {
        SendOutcome::Answered => ExitCode::SUCCESS,
        SendOutcome::Silent => ExitCode::from(SILENCE),
        SendOutcome::Closed => ExitCode::from(NO_ANSWER),
    })
}

fn told(text: &str) -> Result<ExitCode, CliError> {
    print(text);
    Ok(ExitCode::SUCCESS)
}

fn help() -> String {
    format!(
        "openkitchen send: your bytes to any server; what came back, and how it ended\n\n\
         openkitchen send ADDR [FLAGS]       the bytes of stdin, as they are\n\
         openkitchen send ADDR FILE [FLAGS]  the client's side of a transcript\n\n\
         ADDR is host:port, a port alone, or http://host:port/. Typed at a terminal,\n\
         each line ends in CR LF. A transcript is played in order: before more is sent,\n\
         as many answers are awaited as it holds, or silence. All that crosses is\n\
         printed as a transcript, each piece as it arrived.\n\n\
         {}\n\
         Exit code: 0 an answer was read whole, 1 could not connect, 2 the command line\n\
         or FILE is wrong, 3 silence and no whole answer, 4 closed or reset and no whole\n\
         answer. Each flag is also a variable: --timeout is OPENKITCHEN_TIMEOUT.\n",
        flags::help(&FLAGS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_flag_and_every_exit_code() {
        let help = help();
        assert!(FLAGS.iter().all(|flag| help.contains(flag.name)));
        assert!(["0 an", "1 could", "2 the", "3 sil", "4 clo"].iter().all(|at| help.contains(at)));
    }
}
