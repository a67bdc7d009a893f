//! # `openkitchen send`: sends bytes to any server, and prints what it sends back
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
//! The output is a transcript of what crossed, read by read, and of how the connection ended; so it
//! can be sent again. Nothing is added to the bytes and nothing is judged. The library's
//! `play::send` does the work.
//!
//! Left out: TLS, and a verdict (`check` has one).

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use openkitchen::play::connect;
use openkitchen::play::script::has_connection;
use openkitchen::play::send::{SendOptions, SendPlayer};
use openkitchen::transcript::Side;

use super::flags::{CommandLine, Flag, SECONDS, time};
use super::{CliError, address, exit_code, script};

#[rustfmt::skip]
const FLAGS: [Flag<SendOptions>; 3] = [
    Flag { name: "slow", value: "", help: "send byte by byte, each in a TCP segment of its own",
        apply: |options, _| { options.slow = true; Ok(()) } },
    Flag { name: "half-close", value: "", help: "close the sending side after the last byte",
        apply: |options, _| { options.half_close = true; Ok(()) } },
    Flag { name: "timeout", value: "S", help: "seconds to wait for a connection, or for more bytes [2]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
];

const COMMAND_LINE: CommandLine<SendOptions> = CommandLine {
    usage: "openkitchen send: send bytes to any server, and print what it sends back\n\n\
        openkitchen send ADDR [FLAGS]       send the bytes of stdin, unchanged: < FILE\n\
        openkitchen send ADDR FILE [FLAGS]  play the client of the transcript FILE\n\n\
        ADDR is host:port, http://host:port/, or a port alone: then 127.0.0.1 and ::1\n\
        are tried. On a terminal, type the request line and header fields, then an empty\n\
        line; Enter sends CR LF.\n\
        A transcript is a text file with what a client and a server sent, as --record\n\
        writes it. Before its client sends more, send waits for as many responses as\n\
        FILE has at that point, or until the timeout. With -, FILE is stdin: it is a\n\
        transcript if it begins with #, >>>, <<<, --- or ???, and otherwise its bytes\n\
        are sent. What crosses is printed as a transcript, too, with times, and with\n\
        how the connection ended.",
    flags: &FLAGS,
    notes: "Exit code: 0 a complete response was received, or one whose end send cannot\n\
        follow, as after a trailer line of over 256 KiB; 2 the command line or FILE is\n\
        wrong. Without a complete response: 3 there was no connection, or the server was\n\
        silent, 4 it closed or reset the connection.\n\
        Each flag is also a variable: --timeout is OPENKITCHEN_TIMEOUT.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Runs the command line.
///
/// # Errors
/// A sentence for the user.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let Some((options, args)) = COMMAND_LINE.read(arguments, SendOptions::default())? else {
        return Ok(ExitCode::SUCCESS);
    };
    let (typed, file) = match &args[..] {
        [typed] => (typed, None),
        [typed, file] => {
            // On a terminal, nothing is typed yet.
            let is_read_as_file =
                || !io::stdin().is_terminal() && script::stdin_begins_transcript();
            (typed, Some(file).filter(|file| *file != "-" || is_read_as_file()))
        }
        [] => {
            let sentence = "send needs the address of a server: send ADDR [FILE]";
            return Err(CliError::Usage(sentence.into()));
        }
        [_, _, other, ..] => {
            let other = other.display();
            return Err(CliError::Usage(format!("`{other}` is one too many: send ADDR [FILE]")));
        }
    };
    let transcript = match file {
        Some(file) => {
            let as_bytes = format!(
                "to send its bytes: openkitchen send {} < {}",
                typed.display(),
                file.display()
            );
            Some(script::read(Path::new(file), Side::Client, &as_bytes)?)
        }
        None => None,
    };
    if let (Some(file), Some(transcript)) = (file, &transcript)
        && !has_connection(&transcript.items)
    {
        let what = "expected something to send, such as >>>";
        return Err(CliError::Unusable(format!("{}: line 1: {what}", file.display())));
    }
    let authority = address::authority(typed)?;
    let addresses = connect::resolve(&authority)
        .map_err(|why| CliError::NoConnection(format!("cannot connect to {authority}: {why}")))?;
    let mut player = SendPlayer::new(addresses, options, io::stdout());
    let played = match transcript {
        Some(transcript) => player.play(&transcript),
        None => player.send_stdin(io::stdin(), io::stdin().is_terminal()),
    };
    played.map_err(CliError::NoConnection)?;
    Ok(exit_code(player.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_flag_and_every_exit_code() {
        let help = COMMAND_LINE.help();
        assert!(FLAGS.iter().all(|flag| help.contains(flag.name)));
        assert!(["0 a ", "2 the", "3 there", "4 it"].iter().all(|code| help.contains(code)));
    }
}
