//! # `openkitchen mock`: plays the server of transcripts, to test a client
//!
//! The library's `play::mock` does the work. Here are the files, the recordings, and what is printed:
//! lines of prose in a transcript, or with `--json` a JSON object on each line.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openkitchen::observe::{Follower, Recorder};
use openkitchen::play::mock::{MockDifference, MockEvent, MockedConnection};
use openkitchen::sys;
use openkitchen::transcript::{Item, Printer, Prose};
use openkitchen::{Difference, Mock, MockVerdict};

use super::bind::{Bound, SocketFiles};
use super::flags::{ADDRESS, CommandLine, Flag, SECONDS, listen, time};
use super::port_file::PortFile;
use super::{CliError, NO_CONNECTION, bind, logging, print, script};
use crate::json;

/// Exit code: the client did not send what the transcript has.
const DIFFERENT: u8 = 1;

/// The time for connections to be over and reported after a signal.
const STOP_TIME: Duration = Duration::from_secs(1);

struct MockOptions {
    listen: Vec<String>,
    port_file: Option<PathBuf>,
    record: Option<PathBuf>,
    loops: bool,
    is_exact: bool,
    ignored: Vec<String>,
    json: bool,
    timeout: Duration,
}

impl Default for MockOptions {
    fn default() -> MockOptions {
        MockOptions {
            listen: Vec::new(),
            port_file: None,
            record: None,
            loops: false,
            is_exact: false,
            ignored: Vec::new(),
            json: false,
            timeout: Duration::from_secs(30),
        }
    }
}

#[rustfmt::skip]
const FLAGS: [Flag<MockOptions>; 8] = [
    Flag { name: "listen", value: "ADDR", help: "address [127.0.0.1:0] or unix:PATH; port 0: any free",
        apply: |options, value| listen(&mut options.listen, value).ok_or(ADDRESS) },
    Flag { name: "port-file", value: "FILE", help: "write the address in use to FILE",
        apply: |options, value| { options.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "loop", value: "", help: "play again for each connection, until a signal",
        apply: |options, _| { options.loops = true; Ok(()) } },
    Flag { name: "ignore", value: "NAMES", help: "header fields that may differ: Cookie,X-Request-Id",
        apply: |options, value| { options.ignored = names(value).ok_or(NAMES)?; Ok(()) } },
    Flag { name: "exact", value: "", help: "the head is FILE's, line for line, Host too",
        apply: |options, _| { options.is_exact = true; Ok(()) } },
    Flag { name: "record", value: "DIR", help: "record each connection to a file of its own in DIR",
        apply: |options, value| { options.record = Some(value.into()); Ok(()) } },
    Flag { name: "json", value: "", help: "print JSON: one object a line",
        apply: |options, _| { options.json = true; Ok(()) } },
    Flag { name: "timeout", value: "S", help: "seconds to wait for the client [30]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
];

/// What an error says that `--ignore` should be.
const NAMES: &str = "names of header fields, such as Cookie,X-Request-Id";

const COMMAND_LINE: CommandLine<MockOptions> = CommandLine {
    usage: "openkitchen mock: play the server of a transcript, to test a client\n\n\
        openkitchen mock FILE... [FLAGS]\n\n\
        A transcript is a text file with what a client and a server sent, as --record\n\
        writes it; - is stdin. Several are played in turn; a folder is its .wire files,\n\
        by name. For each connection in FILE, mock waits until the client has sent as\n\
        many whole requests as FILE has (where it has no HTTP, as many bytes), sends the\n\
        bytes of each <<< block, exactly and in one write, and prints what differs. The\n\
        client may send more header fields, in another order; User-Agent may differ, and\n\
        Host may be this machine. If a ??? before a <<< has assertions, they are tested\n\
        instead. If a connection has no >>>, any request is answered with the next\n\
        response. It also plays these lines of FILE:\n\
        \x20 --- wait 200ms          wait before the next <<< block\n\
        \x20 --- silent 2s           send nothing, and keep the connection open\n\
        \x20 --- server half-close   send no more, but still read\n\
        \x20 --- server closed       close the connection\n\
        \x20 --- server reset        reset the connection (TCP RST)\n\
        After its last line a connection is closed at once. With --loop it is kept if\n\
        HTTP keeps it, and the next request on it plays the next FILE, or it again.",
    flags: &FLAGS,
    notes: "Line one of stdout has the address. With --json, each object has a kind:\n\
        listening (with the url), difference, note (maybe a mistake in FILE), connection\n\
        (sent: a character for each byte of the client, up to 1 MiB; left_out: how many\n\
        more), missing, not recorded, end.\n\
        Exit code: 0 all was as in FILE, 1 something differed, 2 the command line or\n\
        FILE is wrong, 3 the client did not connect, send or read in time, or a signal\n\
        came too early. With --loop a signal is the end: 0 also if no client came, 3 if\n\
        one was within a request.\n\
        Each flag is also a variable: --port-file is OPENKITCHEN_PORT_FILE.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Reads names of fields, with commas between them.
fn names(value: &OsStr) -> Option<Vec<String>> {
    let names: Vec<String> = value.to_str()?.split(',').map(|name| name.trim().into()).collect();
    let is_token = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
    };
    names.iter().all(is_token).then_some(names)
}

/// Runs the command line.
///
/// # Errors
/// A sentence for the user. The exit code is always 2, because 1 says that something differs.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let Some((options, args)) = COMMAND_LINE.read(arguments, MockOptions::default())? else {
        return Ok(ExitCode::SUCCESS);
    };
    if args.is_empty() {
        return Err(CliError::Usage("mock needs a transcript: mock FILE".into()));
    }
    if args.iter().filter(|file| *file == "-").count() > 1 {
        return Err(CliError::Usage("stdin can be read once, so give `-` once".to_owned()));
    }
    if options.is_exact && !options.ignored.is_empty() {
        let sentence = "--exact compares every field, so --ignore has no effect; leave one out";
        return Err(CliError::Usage(sentence.into()));
    }
    logging::start()?;
    let port_file = PortFile::prepare(options.port_file.as_deref()).map_err(CliError::Unusable)?;
    let mock = files(&args).and_then(|files| read(&files)).map_err(CliError::Unusable)?;
    play(mock, &options, port_file).map_err(|error| CliError::Unusable(error.to_string()))
}

/// The files that these arguments name: a folder is its transcripts, sorted by name.
fn files(arguments: &[OsString]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for argument in arguments {
        let path = Path::new(argument);
        if !path.is_dir() {
            files.push(path.to_owned());
            continue;
        }
        let entries = fs::read_dir(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let paths = entries.flatten().map(|entry| entry.path());
        let mut pages: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|ending| ending == "wire")).collect();
        if pages.is_empty() {
            return Err(format!("{} has no file whose name ends in .wire", path.display()));
        }
        pages.sort();
        files.append(&mut pages);
    }
    Ok(files)
}

/// A mock that plays these files in turn.
fn read(files: &[PathBuf]) -> Result<Mock, String> {
    let mut all: Option<Mock> = None;
    for file in files {
        let name = file.display().to_string();
        let page = Mock::parse(&script::text(file)?).map_err(|error| format!("{name}: {error}"))?;
        let page = if files.len() > 1 { page.named(&name) } else { page };
        all = Some(match all {
            Some(before) => before.then(page),
            None => page,
        });
    }
    all.ok_or_else(|| "no file".into())
}

fn play(
    mut mock: Mock,
    options: &MockOptions,
    port_file: PortFile<'_>,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    mock = mock.timeout(options.timeout);
    for name in &options.ignored {
        mock = mock.ignoring(name);
    }
    if options.is_exact {
        mock = mock.exact();
    }
    if options.loops {
        mock = mock.looping();
    }
    let mut recorder = None;
    if let Some(folder) = &options.record {
        let opened = Arc::new(Recorder::open(folder, "a mock")?);
        mock = mock.observed_by(Arc::new(Follower::new(vec![opened.clone()])));
        recorder = Some(opened);
    }
    let (printer, has_ended) = (Mutex::new(Printer::new()), AtomicBool::new(false));
    let mut bound = bind::bind(&options.listen, "127.0.0.1:0")?;
    let files = bound.take_files();
    let output = Arc::new(MockOutput { json: options.json, printer, files, has_ended });
    let (control, loops) = (mock.control(), options.loops);
    let (at_end, recorded) = (Arc::clone(&output), recorder.clone());
    let end = move |verdict| {
        at_end.end(verdict, recorded.as_deref());
        exit_code(verdict)
    };
    let at_signal = end.clone();
    sys::on_stop_signal(move |_| {
        if !loops {
            // The process would have ended by itself when the transcript was played.
            control.raise(MockVerdict::TimedOut);
        }
        control.stop(STOP_TIME);
        process::exit(at_signal(control.verdict()).into());
    })?;
    let _lock = port_file.write(&bound.names)?;
    output.start(&bound, recorder.as_deref());
    let verdict = mock.play_on(bound.listeners, move |event| output.event(&event))?;
    Ok(ExitCode::from(end(verdict)))
}

fn exit_code(verdict: MockVerdict) -> u8 {
    match verdict {
        MockVerdict::AsWritten => 0,
        MockVerdict::Different => DIFFERENT,
        // A timeout, or a signal, before the whole transcript was played.
        MockVerdict::TimedOut => NO_CONNECTION,
    }
}

/// What is printed: a transcript, or JSON.
struct MockOutput {
    json: bool,
    printer: Mutex<Printer>,
    files: SocketFiles,
    /// Whether the last line is printed: a signal may come when the transcript has just been played.
    has_ended: AtomicBool,
}

impl MockOutput {
    fn start(&self, bound: &Bound, recorder: Option<&Recorder>) {
        if self.json {
            bound.json_lines().for_each(|line| drop(print(&line)));
            return;
        }
        bound.lines.iter().for_each(|line| self.prose(line));
        recorder.iter().for_each(|recorder| self.prose(&recorder.banner()));
    }

    fn event(&self, event: &MockEvent) {
        match event {
            MockEvent::Played(played) if self.json => played_as_json(played),
            MockEvent::Missing(sentence) if self.json => {
                object("missing", [("text", json::string(sentence))]);
            }
            MockEvent::Played(played) => {
                // What crossed shows what the client sent, where it is not what FILE has.
                if played.verdict != MockVerdict::AsWritten {
                    self.items(&played.numbered());
                }
                self.prose(&played.to_string());
            }
            MockEvent::Missing(sentence) => self.prose(sentence),
        }
    }

    /// Ends the recordings, and prints the last line.
    fn end(&self, verdict: MockVerdict, recorder: Option<&Recorder>) {
        if self.has_ended.swap(true, Ordering::SeqCst) {
            return;
        }
        self.files.remove();
        let not_recorded = recorder.and_then(Recorder::finish);
        if let Some(sentence) = &not_recorded {
            match self.json {
                true => object("not recorded", [("text", json::string(sentence))]),
                false => self.prose(sentence),
            }
        }
        if self.json {
            object("end", [("verdict", json::string(word(verdict)))]);
        }
        logging::finish();
    }

    /// Prints each line as a line of prose.
    fn prose(&self, text: &str) {
        let lines = text.lines().map(|line| Item::Prose(Prose::new(line)));
        self.items(&lines.collect::<Vec<_>>());
    }

    fn items(&self, items: &[Item]) {
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        items.iter().for_each(|item| printer.print(item, &mut text));
        let _ = print(&text); // the transcript is played all the same
    }
}

/// Prints each difference and note, and then the connection.
fn played_as_json(played: &MockedConnection) {
    let connection = || ("connection", played.connection.to_string());
    let name = || ("played", json::string(&played.name));
    for MockDifference { text, bytes } in &played.differences {
        let of = |part: fn(&Difference) -> String| bytes.as_ref().map_or("null".to_owned(), part);
        let byte = bytes.as_ref().and_then(|it| it.caret.as_ref()).map(|caret| caret.byte);
        object(
            "difference",
            [
                connection(),
                name(),
                ("text", json::string(text)),
                ("expected", of(|it| json::string(&it.expected))),
                ("got", of(|it| json::string(&it.got))),
                ("byte", byte.map_or("null".to_owned(), |at| at.to_string())),
            ],
        );
    }
    for note in &played.notes {
        object("note", [connection(), name(), ("text", json::string(note))]);
    }
    let verdict = if played.is_unused { "unused" } else { word(played.verdict) };
    let sent: String = played.received.iter().copied().map(char::from).collect();
    object(
        "connection",
        [
            connection(),
            name(),
            ("verdict", json::string(verdict)),
            ("sent", json::string(&sent)),
            ("left_out", played.left_out.to_string()),
        ],
    );
}

fn word(verdict: MockVerdict) -> &'static str {
    match verdict {
        MockVerdict::AsWritten => "as written",
        MockVerdict::TimedOut => "timed out",
        MockVerdict::Different => "different",
    }
}

/// Prints a JSON object with this kind on a line.
fn object<const N: usize>(kind: &str, members: [(&str, String); N]) {
    let _ = print(&json::line(kind, members));
}

#[test]
fn the_help_names_every_flag_and_every_exit_code() {
    let help = COMMAND_LINE.help();
    assert!(FLAGS.iter().all(|flag| help.contains(flag.name)));
    let help = help.replace('\n', " ");
    assert!(["0 all", "1 something", "2 the", "3 the"].iter().all(|code| help.contains(code)));
}
