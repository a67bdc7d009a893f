//! # `openkitchen mock`: plays the server of a transcript, to test a client
//!
//! The library's `play::mock` does the work.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::Duration;

use openkitchen::play::mock::{Mock, MockVerdict};
use openkitchen::sys;
use openkitchen::transcript::{Item, Prose};

use super::flags::{CommandLine, Flag, SECONDS, listen, time};
use super::port_file::PortFile;
use super::{CliError, NO_CONNECTION, bind, print, script};

/// Exit code: the client did not send what the transcript has.
const DIFFERENT: u8 = 1;

struct MockOptions {
    listen: Vec<String>,
    port_file: Option<PathBuf>,
    loops: bool,
    timeout: Duration,
}

#[rustfmt::skip]
const FLAGS: [Flag<MockOptions>; 4] = [
    Flag { name: "listen", value: "ADDR", help: "address to listen on [127.0.0.1:0]; port 0: any free",
        apply: |options, value| listen(&mut options.listen, value) },
    Flag { name: "port-file", value: "FILE", help: "write the address in use to FILE",
        apply: |options, value| { options.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "loop", value: "", help: "play again for each connection, until a signal",
        apply: |options, _| { options.loops = true; Ok(()) } },
    Flag { name: "timeout", value: "S", help: "seconds to wait for the client [30]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
];

const COMMAND_LINE: CommandLine<MockOptions> = CommandLine {
    usage: "openkitchen mock: play the server of a transcript, to test a client\n\n\
        openkitchen mock FILE [FLAGS]\n\n\
        A transcript is a text file with what a client and a server sent, as --record\n\
        writes it; - is stdin. For each connection in FILE, mock waits until the client\n\
        has sent as many whole requests as FILE has (where FILE has no HTTP, as many\n\
        bytes), and prints what differs from FILE. The port in Host and the header field\n\
        User-Agent may differ. Then it sends the bytes of each <<< block, exactly and in\n\
        one write. If a ??? before a <<< has assertions, they are tested instead of the\n\
        bytes. If a connection has no >>>, any request is answered with the next\n\
        response. It also plays these lines of FILE:\n\
        \x20 --- wait 200ms          wait before the next <<< block\n\
        \x20 --- silent 2s           send nothing, and keep the connection open\n\
        \x20 --- server half-close   send no more, but still read\n\
        \x20 --- server closed       close the connection\n\
        \x20 --- server reset        reset the connection (TCP RST)\n\
        After its last line a connection is closed at once. With --loop it is kept if\n\
        HTTP keeps it, and the next request on it plays it again.",
    flags: &FLAGS,
    notes: "Exit code: 0 all was as in FILE, 1 something differed, 2 the command line or\n\
        FILE is wrong, 3 the client did not connect, send or read in time, or a signal\n\
        stopped mock. Each flag is also a variable: --port-file is\n\
        OPENKITCHEN_PORT_FILE.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Runs the command line.
///
/// # Errors
/// A sentence for the user. The exit code is always 2, because 1 says that something differs.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let defaults = MockOptions {
        listen: Vec::new(),
        port_file: None,
        loops: false,
        timeout: Duration::from_secs(30),
    };
    let Some((options, args)) = COMMAND_LINE.read(arguments, defaults)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let file = match &args[..] {
        [file] => Path::new(file),
        [] => return Err(CliError::Usage("mock needs a transcript: mock FILE".into())),
        [_, other, ..] => {
            let other = other.display();
            return Err(CliError::Usage(format!("`{other}` is one too many: mock FILE")));
        }
    };
    let port_file = PortFile::prepare(options.port_file.as_deref()).map_err(CliError::Unusable)?;
    let mock = script::text(file)
        .and_then(|text| Mock::parse(&text).map_err(|error| format!("{}: {error}", file.display())))
        .map_err(CliError::Unusable)?;
    let mock = mock.timeout(options.timeout);
    let mock = if options.loops { mock.looping() } else { mock };
    play(mock, &options, port_file).map_err(|error| CliError::Unusable(error.to_string()))
}

fn play(
    mock: Mock,
    options: &MockOptions,
    port_file: PortFile<'_>,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let bound = bind::bind(&options.listen, "127.0.0.1:0")?;
    let (verdict, loops) = (mock.verdict(), options.loops);
    sys::on_stop_signal(move |_| {
        if !loops {
            // Without --loop the process ends by itself when the transcript is played.
            verdict.raise(MockVerdict::TimedOut);
        }
        process::exit(exit_code(verdict.get()).into());
    })?;
    let _lock = port_file.write(&bound.addresses)?;
    bound.lines.iter().for_each(|line| print_prose(line));
    let verdict = mock.play_on(bound.listeners, print_prose)?;
    Ok(ExitCode::from(exit_code(verdict)))
}

fn exit_code(verdict: MockVerdict) -> u8 {
    match verdict {
        MockVerdict::AsWritten => 0,
        MockVerdict::Different => DIFFERENT,
        // A timeout, or a signal, before the whole transcript was played.
        MockVerdict::TimedOut => NO_CONNECTION,
    }
}

/// Prints each line as a line of prose, because stdout is a transcript.
fn print_prose(text: &str) {
    let lines = text.lines().map(|line| Item::Prose(Prose::new(line)).to_string());
    let _ = print(&lines.collect::<String>()); // the transcript is played all the same
}

#[test]
fn the_help_names_every_flag_and_every_exit_code() {
    let help = COMMAND_LINE.help();
    assert!(FLAGS.iter().all(|flag| help.contains(flag.name)));
    assert!(["0 all", "1 some", "2 the", "3 the"].iter().all(|code| help.contains(code)));
}
