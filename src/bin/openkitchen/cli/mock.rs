//! # `mock`: be the server of a transcript
//!
//! What does a client do when the answer breaks off, never comes, or is no HTTP at all?
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
//! Rule: what the client sends is awaited by whole messages and never by equality, for no two clients
//! send the same fields; what differs is told. What the server sends is exact: each block one write,
//! after the waits of the file, and then the event.
//!
//! Each connection of the file is played by a thread of its own, the first one that comes as the
//! first one in the file. Left out: the order between two connections.

mod differ;
mod session;
mod steps;

use std::env;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openkitchen::transcript::{Item, Prose, Side};

use super::flags::{self, Flag, ParsedArgs, SECONDS, listen, time};
use super::serve::{print, write_port_file};
use super::{CliError, bind, script};
use crate::sys;
use session::MockOutcome;
use steps::MockConnection;

/// Exit code: what came is not what the file says.
const DIFFERENT: u8 = 1;

/// Exit code: the time was over before all of the file was played.
const TIMED_OUT: u8 = 3;

struct MockOptions {
    listen: String,
    port_file: Option<PathBuf>,
    loops: bool,
    timeout: Duration,
}

#[rustfmt::skip]
const FLAGS: [Flag<MockOptions>; 4] = [
    Flag { name: "listen", value: "ADDR", help: "where to listen [127.0.0.1:0]; port 0: a free one",
        apply: |options, value| { options.listen = listen(value); Ok(()) } },
    Flag { name: "port-file", value: "FILE", help: "write the address that was bound there",
        apply: |options, value| { options.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "loop", value: "", help: "play it again for every new connection, until a signal",
        apply: |options, _| { options.loops = true; Ok(()) } },
    Flag { name: "timeout", value: "S", help: "seconds to wait for the client [30]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
];

/// Does what the command line asks for.
///
/// # Errors
/// A sentence, and the exit code that goes with it: always 2, for 1 says that something differs.
pub fn command(arguments: &[String]) -> Result<ExitCode, CliError> {
    let mut options = MockOptions {
        listen: "127.0.0.1:0".into(),
        port_file: None,
        loops: false,
        timeout: Duration::from_secs(30),
    };
    let file = match flags::parse(&FLAGS, arguments, |name| env::var(name).ok(), &mut options)? {
        ParsedArgs::Help => return told(&help()),
        ParsedArgs::Version => {
            return told(concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        ParsedArgs::Do(named) => match &named[..] {
            [file] => file.clone(),
            [] => return Err(CliError::Usage("of which transcript? openkitchen mock FILE".into())),
            [_, other, ..] => {
                return Err(CliError::Usage(format!("`{other}` is one too many: mock FILE")));
            }
        },
    };
    let transcript = script::read(&file, Side::Server)?;
    let parts = steps::parts(&transcript.items);
    if parts.is_empty() {
        return Err(CliError::Unusable(format!("{file}: line 1: expected a connection to play")));
    }
    play(parts, &options).map_err(|sentence| CliError::Unusable(sentence.to_string()))
}

fn play(
    parts: Vec<MockConnection>,
    options: &MockOptions,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let listener = bind::bind(&options.listen)?;
    let address = listener.local_addr()?;
    let found = Arc::new(AtomicU8::new(0));
    let (stopped, loops) = (Arc::clone(&found), options.loops);
    sys::on_stop_signal(move |_| {
        if !loops {
            note(&stopped, TIMED_OUT); // a file that was played once would have ended by itself
        }
        process::exit(stopped.load(Ordering::SeqCst).into());
    })?;
    if let Some(file) = &options.port_file {
        write_port_file(file, &address.to_string())
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    say(&format!("listening on http://{address}"));
    let wanted = if options.loops { usize::MAX } else { parts.len() };
    let (door, sessions) = mpsc::sync_channel(0);
    // It owns the listener: when the last connection of the file has come, the door is shut.
    thread::Builder::new().name("door".into()).spawn(move || {
        for number in 0..wanted {
            let session = loop {
                match listener.accept() {
                    Ok((session, _)) => break session,
                    // Of a connection that was gone again, or a table of files that is full.
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            };
            if door.send((number, session)).is_err() {
                return;
            }
        }
    })?;
    let mut playing: Vec<JoinHandle<()>> = Vec::new();
    let (parts, timeout) = (Arc::new(parts), options.timeout);
    for _ in 0..wanted {
        let came = loop {
            match sessions.recv_timeout(timeout) {
                // Whoever is still busy with one connection may open the next one later.
                Err(RecvTimeoutError::Timeout)
                    if options.loops || playing.iter().any(|session| !session.is_finished()) => {}
                came => break came,
            }
        };
        let Ok((number, session)) = came else {
            let (came, due) = (playing.len(), parts.len());
            say(&format!("{came} of {due} connections came, then nobody for {timeout:?}"));
            note(&found, TIMED_OUT);
            break;
        };
        let (parts, found) = (Arc::clone(&parts), Arc::clone(&found));
        let play = move || receive(session, number, &parts, timeout, &found);
        playing.push(thread::Builder::new().name("session".into()).spawn(play)?);
        if options.loops {
            playing.clear(); // nobody waits for them, and they may be many
        }
    }
    for session in playing {
        let _ = session.join(); // a panic there was told on stderr
    }
    Ok(ExitCode::from(found.load(Ordering::SeqCst)))
}

/// Plays a part of the file, and tells how it went.
fn receive(
    session: TcpStream,
    number: usize,
    parts: &[MockConnection],
    timeout: Duration,
    found: &AtomicU8,
) {
    let part = &parts[number % parts.len()];
    let MockOutcome { differences, timed_out } = session::play(session, part, timeout);
    match (differences.is_empty(), timed_out.is_none()) {
        (true, true) => {}
        (true, false) => note(found, TIMED_OUT),
        (false, _) => note(found, DIFFERENT),
    }
    let name = match number < parts.len() {
        true => format!("@{}", part.connection),
        false => format!("@{} as connection {}", part.connection, number + 1),
    };
    let mut remarks: Vec<String> = differences.into_iter().chain(timed_out).collect();
    if remarks.is_empty() {
        remarks.push("as written".into());
    }
    say(&remarks.iter().map(|remark| format!("{name}: {remark}\n")).collect::<String>());
}

/// What differs weighs more than that somebody waited for it.
fn note(found: &AtomicU8, code: u8) {
    let _ = found.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |before| match (before, code) {
        (DIFFERENT, _) | (_, DIFFERENT) => Some(DIFFERENT),
        _ => Some(before.max(code)),
    });
}

/// A line of prose for each line: what stands on stdout is a transcript.
fn say(text: &str) {
    let lines = text.lines().map(|line| Item::Prose(Prose::new(line)).to_string());
    print(&lines.collect::<String>());
}

fn told(text: &str) -> Result<ExitCode, CliError> {
    print(text);
    Ok(ExitCode::SUCCESS)
}

fn help() -> String {
    format!(
        "openkitchen mock: be the server of a transcript, for whoever tests a client\n\n\
         openkitchen mock FILE [FLAGS]\n\n\
         For each connection in FILE: what the client sends is awaited, by whole\n\
         messages (where the file has none, by bytes), and what differs from the file is\n\
         told; Host's port and User-Agent may differ. Each <<< block is one write, exact\n\
         to the byte. `wait 200ms` before it is kept, then the event: `server closed`,\n\
         `server half-close`, `server reset`, `silent 2s` (nothing is sent, and the\n\
         connection stays open).\n\n\
         {}\n\
         Exit code: 0 all was as written, 1 something differed, 2 the command line or\n\
         FILE is wrong, 3 nobody came in time, the client stalled, or a signal came\n\
         first. Each flag is also a variable: --port-file is OPENKITCHEN_PORT_FILE.\n",
        flags::help(&FLAGS)
    )
}

#[test]
fn the_help_names_every_flag_and_every_exit_code() {
    let help = help();
    assert!(FLAGS.iter().all(|flag| help.contains(flag.name)));
    assert!(["0 all", "1 some", "2 the", "3 nob"].iter().all(|code| help.contains(code)));
}
