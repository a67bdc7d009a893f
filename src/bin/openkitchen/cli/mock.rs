//! # `openkitchen mock`: plays the server of a transcript, to test a client
//!
//! What does a client do when the response is cut, never arrives, or is not HTTP?
//!
//! ```text
//! >>>
//! GET / HTTP/1.1
//! Host: h
//!
//! <<<
//! HTTP/1.1 200 OK
//! Content-Length: 100
//!
//! only this\
//! --- server closed          curl: (18) transfer closed with 91 bytes remaining to read
//! ```
//! Rule: the server waits until as many messages are complete as the transcript has, because no two
//! clients send the same fields; then it reports what differs. What the server sends is exact: each
//! block is one write, after the waits of the transcript, and then the event.
//!
//! Each connection is played by a thread of its own: the first that is accepted as the first in the
//! transcript, and so on. Left out: the order between two connections.

mod differ;
mod session;

use std::mem;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openkitchen::sys;
use openkitchen::transcript::{Item, Prose, Side};

use super::flags::{CommandLine, Flag, SECONDS, listen, time};
use super::play::expected::ExpectedBytes;
use super::play::turns::{Step, Turn, Turns};
use super::port_file::PortFile;
use super::{CliError, bind, print, script};
use session::MockOutcome;

/// Exit code: the client did not send what the transcript has.
const DIFFERENT: u8 = 1;

/// Exit code: a timeout, or a signal, before the whole transcript was played.
const TIMED_OUT: u8 = 3;

/// The pause after a failed `accept`.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(10);

struct MockOptions {
    listen: String,
    port_file: Option<PathBuf>,
    loops: bool,
    timeout: Duration,
}

#[rustfmt::skip]
const FLAGS: [Flag<MockOptions>; 4] = [
    Flag { name: "listen", value: "ADDR", help: "address to listen on [127.0.0.1:0]; port 0: any free",
        apply: |options, value| { options.listen = listen(value); Ok(()) } },
    Flag { name: "port-file", value: "FILE", help: "write the address in use to FILE",
        apply: |options, value| { options.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "loop", value: "", help: "play again for each new connection, until a signal",
        apply: |options, _| { options.loops = true; Ok(()) } },
    Flag { name: "timeout", value: "S", help: "seconds to wait for the client [30]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
];

const COMMAND_LINE: CommandLine<MockOptions> = CommandLine {
    usage: "openkitchen mock: play the server of a transcript, to test a client\n\n\
        openkitchen mock FILE [FLAGS]\n\n\
        A transcript is a text file with what a client and a server sent, as --record\n\
        writes it. For each connection in FILE, mock waits until the client has sent as\n\
        many whole requests as FILE has (where FILE has no HTTP, as many bytes), and\n\
        prints what differs from FILE. The port in Host and the header field User-Agent\n\
        may differ. Then it sends the bytes of each <<< block, exactly and in one write.\n\
        If a ??? before a <<< has assertions, they are tested instead of the bytes.\n\
        It also plays these lines of FILE:\n\
        \x20 --- wait 200ms          wait before the next <<< block\n\
        \x20 --- silent 2s           send nothing, and keep the connection open\n\
        \x20 --- server half-close   send no more, but still read\n\
        \x20 --- server closed       close the connection\n\
        \x20 --- server reset        reset the connection (TCP RST)",
    flags: &FLAGS,
    notes: "Exit code: 0 all was as in FILE, 1 something differed, 2 the command line or\n\
        FILE is wrong, 3 the client did not connect, send or read in time, or a signal\n\
        stopped mock. Each flag is also a variable: --port-file is\n\
        OPENKITCHEN_PORT_FILE.",
};

/// Runs the command line.
///
/// # Errors
/// A sentence for the user. The exit code is always 2, because 1 says that something differs.
pub fn command(arguments: &[String]) -> Result<ExitCode, CliError> {
    let defaults = MockOptions {
        listen: "127.0.0.1:0".into(),
        port_file: None,
        loops: false,
        timeout: Duration::from_secs(30),
    };
    let Some((options, args)) = COMMAND_LINE.read(arguments, defaults)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let file = match &args[..] {
        [file] => file,
        [] => return Err(CliError::Usage("mock needs a transcript: mock FILE".into())),
        [_, other, ..] => {
            return Err(CliError::Usage(format!("`{other}` is one too many: mock FILE")));
        }
    };
    let port_file = PortFile::prepare(options.port_file.as_deref());
    let transcript = script::read(file, Side::Server)?;
    let connections = MockConnection::all(&transcript.items);
    if connections.is_empty() {
        let sentence = format!("{file}: line 1: expected a connection to play, such as >>> or <<<");
        return Err(CliError::Unusable(sentence));
    }
    play(connections, &options, &port_file)
        .map_err(|sentence| CliError::Unusable(sentence.to_string()))
}

/// What the server does on one connection.
struct MockConnection {
    /// The connection's number in the transcript.
    number: u32,
    steps: Vec<Step>,
    /// All bytes that the client should send.
    expected: ExpectedBytes,
    /// The end of each complete request in them.
    request_ends: Vec<u64>,
}

impl MockConnection {
    /// Returns the connections of a transcript, in the order in which they first appear.
    fn all(items: &[Item]) -> Vec<MockConnection> {
        let mut connections: Vec<MockConnection> = Vec::new();
        for Turn { connection: number, mut step } in Turns::new(items, Side::Server) {
            let index = connections.iter().position(|known| known.number == number);
            let index = index.unwrap_or_else(|| {
                let (expected, steps) = (ExpectedBytes::default(), Vec::new());
                connections.push(MockConnection {
                    number,
                    steps,
                    expected,
                    request_ends: Vec::new(),
                });
                connections.len() - 1
            });
            let connection = &mut connections[index];
            if let Step::Receive(shown) = &mut step {
                connection.expected.append(mem::take(&mut shown.bytes));
                connection.request_ends.extend(&shown.message_ends);
            }
            connection.steps.push(step);
        }
        // Assertions alone are nothing to play.
        connections.retain(|it| it.steps.iter().any(|step| !matches!(step, Step::Assert(..))));
        connections
    }

    /// Whether assertions are tested on the requests, and not the bytes.
    fn has_assertions(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Assert(Side::Client, _)))
    }
}

/// Accepts as many connections as the transcript has, or any number with `--loop`, and plays each in
/// a thread of its own.
fn play(
    connections: Vec<MockConnection>,
    options: &MockOptions,
    port_file: &PortFile,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let listener = bind::bind(&options.listen)?;
    let address = listener.local_addr()?;
    let exit_code = Arc::new(AtomicU8::new(0));
    let (code_at_signal, loops) = (Arc::clone(&exit_code), options.loops);
    sys::on_stop_signal(move |_| {
        if !loops {
            // Without --loop the process ends by itself when the transcript is played.
            raise(&code_at_signal, TIMED_OUT);
        }
        process::exit(code_at_signal.load(Ordering::SeqCst).into());
    })?;
    port_file.write(address)?;
    print_prose(&format!("listening on http://{address}"));
    let wanted = if options.loops { usize::MAX } else { connections.len() };
    let (accepted, streams) = mpsc::sync_channel(0);
    // The thread owns the listener, so the port is closed after the last connection.
    thread::Builder::new().name("accept".into()).spawn(move || {
        for number in 0..wanted {
            let stream = loop {
                match listener.accept() {
                    Ok((stream, _)) => break stream,
                    // The connection was reset already, or no descriptor is free.
                    Err(_) => thread::sleep(ACCEPT_RETRY_DELAY),
                }
            };
            if accepted.send((number, stream)).is_err() {
                return;
            }
        }
    })?;
    let mut sessions: Vec<JoinHandle<()>> = Vec::new();
    let (connections, timeout) = (Arc::new(connections), options.timeout);
    for _ in 0..wanted {
        let next = loop {
            match streams.recv_timeout(timeout) {
                // A client may open its next connection when the one before is finished.
                Err(RecvTimeoutError::Timeout)
                    if options.loops || sessions.iter().any(|session| !session.is_finished()) => {}
                next => break next,
            }
        };
        let Ok((number, stream)) = next else {
            let (count, due) = (sessions.len(), connections.len());
            print_prose(&format!(
                "{count} of {due} connections were opened, then none for {timeout:?}"
            ));
            raise(&exit_code, TIMED_OUT);
            break;
        };
        let (connections, exit_code) = (Arc::clone(&connections), Arc::clone(&exit_code));
        let play = move || play_session(stream, number, &connections, timeout, &exit_code);
        sessions.push(thread::Builder::new().name("session".into()).spawn(play)?);
        if options.loops {
            sessions.clear(); // there may be many, and none is joined
        }
    }
    for session in sessions {
        let _ = session.join(); // a panic there was printed on stderr
    }
    Ok(ExitCode::from(exit_code.load(Ordering::SeqCst)))
}

/// Plays one connection, and prints how it ended. `number` counts the accepted connections from 0.
fn play_session(
    stream: TcpStream,
    number: usize,
    connections: &[MockConnection],
    timeout: Duration,
    exit_code: &AtomicU8,
) {
    let script = &connections[number % connections.len()];
    let MockOutcome { differences, timed_out } = session::play(stream, script, timeout);
    match (differences.is_empty(), timed_out.is_none()) {
        (true, true) => {}
        (true, false) => raise(exit_code, TIMED_OUT),
        (false, _) => raise(exit_code, DIFFERENT),
    }
    let name = match number < connections.len() {
        true => format!("@{}", script.number),
        false => format!("@{} as connection {}", script.number, number + 1),
    };
    let mut remarks: Vec<String> = differences.into_iter().chain(timed_out).collect();
    if remarks.is_empty() {
        remarks.push("as written".into());
    }
    print_prose(&remarks.iter().map(|remark| format!("{name}: {remark}\n")).collect::<String>());
}

/// Sets the exit code, if the code before was less important: a difference is more important than a
/// timeout.
fn raise(exit_code: &AtomicU8, code: u8) {
    let _ =
        exit_code.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |before| match (before, code) {
            (DIFFERENT, _) | (_, DIFFERENT) => Some(DIFFERENT),
            _ => Some(before.max(code)),
        });
}

/// Prints each line as a line of prose, because stdout is a transcript.
fn print_prose(text: &str) {
    let lines = text.lines().map(|line| Item::Prose(Prose::new(line)).to_string());
    print(&lines.collect::<String>());
}

#[test]
fn the_help_names_every_flag_and_every_exit_code() {
    let help = COMMAND_LINE.help();
    assert!(FLAGS.iter().all(|flag| help.contains(flag.name)));
    assert!(["0 all", "1 some", "2 the", "3 the"].iter().all(|code| help.contains(code)));
}
