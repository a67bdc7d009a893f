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

pub mod follow;
pub mod script;
mod line;
mod page;
mod player;

use std::io::{self, IsTerminal};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, path::Path};

use openkitchen::transcript::Side;

use super::Refusal;
use super::flags::{self, Flag, SECONDS, Said, time};
use super::serve::print;
use player::{Ending, Manner, Player};

/// Exit code: the time was over, and no answer was whole.
const SILENCE: u8 = 3;

/// Exit code: the server ended the connection, and no answer was whole.
const NO_ANSWER: u8 = 4;

struct Options {
    manner: Manner,
}

#[rustfmt::skip]
const FLAGS: [Flag<Options>; 3] = [
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
pub fn command(arguments: &[String]) -> Result<ExitCode, Refusal> {
    let timeout = Duration::from_secs(2);
    let mut options = Options { manner: Manner { slow: false, half_close: false, timeout } };
    let said = flags::parse(&FLAGS, arguments, |name| env::var(name).ok(), &mut options)?;
    let named = match said {
        Said::Help => return told(&help()),
        Said::Version => return told(concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n")),
        Said::Do(named) => named,
    };
    let (address, file) = match &named[..] {
        [address] => (address, None),
        [address, file] => (address, Some(file).filter(|file| *file != "-")),
        [] => return Err(Refusal::Usage("to whom? openkitchen send ADDR [FILE]".into())),
        [_, _, other, ..] => {
            return Err(Refusal::Usage(format!("`{other}` is one too many: send ADDR [FILE]")));
        }
    };
    let transcript = match file {
        Some(file) => Some(script::read(Path::new(file), Side::Client)?),
        None => None,
    };
    let mut player = Player::new(resolve(address)?, options.manner, io::stdout());
    match transcript {
        Some(transcript) => player.play(&transcript)?,
        None => player.pass_on(io::stdin(), io::stdin().is_terminal())?,
    }
    Ok(match player.finish() {
        Ending::Answered => ExitCode::SUCCESS,
        Ending::Silent => ExitCode::from(SILENCE),
        Ending::Closed => ExitCode::from(NO_ANSWER),
    })
}

fn told(text: &str) -> Result<ExitCode, Refusal> {
    print(text);
    Ok(ExitCode::SUCCESS)
}

fn help() -> String {
    format!(
        "openkitchen send: your bytes to any server; what came back, when, and how it ended\n\n\
         openkitchen send ADDR [FLAGS]       the bytes of stdin, as they are\n\
         openkitchen send ADDR FILE [FLAGS]  the client's side of a transcript\n\n\
         ADDR is host:port; a port alone is on this machine, and http://host:port/ will do. Typed at\n\
         a terminal, each line ends in CR LF. A transcript is played in order: before more is sent,\n\
         as many answers are awaited as it holds, or silence. All that crosses is printed as a\n\
         transcript, each piece as it arrived.\n\n\
         {}\n\
         Exit code: 0 an answer was read whole, 1 could not connect, 2 the command line or FILE is\n\
         wrong, 3 silence and no whole answer, 4 closed or reset and no whole answer.\n\
         Each flag is also a variable: --timeout is OPENKITCHEN_TIMEOUT.\n",
        flags::help(&FLAGS)
    )
}

/// The addresses behind what was typed.
fn resolve(typed: &str) -> Result<Vec<SocketAddr>, Refusal> {
    let address = authority(typed)?;
    let found: Vec<SocketAddr> =
        address.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    if found.is_empty() {
        return Err(Refusal::Failed(format!("cannot connect: nobody knows the host of {address}")));
    }
    Ok(found)
}

/// `host:port` out of all that people write for it: a port alone, `:5000`, a URL.
fn authority(typed: &str) -> Result<String, Refusal> {
    if typed.starts_with("https:") {
        return Err(Refusal::Usage("https is TLS, which this does not speak; try http".into()));
    }
    let url = typed.strip_prefix("http://");
    let bare = url.unwrap_or(typed);
    let bare = bare.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = if url.is_none() { bare.strip_prefix(':').unwrap_or(bare) } else { bare };
    let with_default = (url.is_some() && !bare.is_empty()).then(|| format!("{bare}:80"));
    flags::address(bare).or(with_default).ok_or_else(|| {
        Refusal::Usage(format!("ADDR takes {}, or a port, not `{typed}`", flags::ADDRESS))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_understood_however_it_is_written() {
        for (typed, address) in [
            ("5000", "127.0.0.1:5000"),
            (":5000", "127.0.0.1:5000"),
            ("localhost:5000", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("http://127.0.0.1:5000/about?x=1", "127.0.0.1:5000"),
            ("http://example.test/", "example.test:80"),
            ("http://[::1]/", "[::1]:80"),
        ] {
            assert_eq!(authority(typed), Ok(address.to_owned()), "{typed}");
        }
        for typed in ["", "localhost", "host:port", "70000", "https://h:1/", "http://", "http:///"]
        {
            assert!(matches!(authority(typed), Err(Refusal::Usage(_))), "{typed}");
        }
    }

    #[test]
    fn the_help_names_every_flag_and_every_exit_code() {
        let help = help();
        assert!(FLAGS.iter().all(|flag| help.contains(flag.name)));
        assert!(["0 an", "1 could", "2 the", "3 sil", "4 clo"].iter().all(|at| help.contains(at)));
        assert!(help.lines().count() <= 24 && help.lines().all(|line| line.len() <= 100));
    }
}
