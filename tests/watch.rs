//! Watch, with a real client before it and a real server behind it: what crosses is not changed by
//! a byte, what ends on one side ends on the other in the same way, and what is recorded is what
//! crossed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "process/mod.rs"]
mod process;

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::Transcript;
use openkitchen::transcript::{Assertion, Event, EventKind, Item, Side};
use process::{Client, Ended, Folder, PATIENCE, ServerProcess, openkitchen, read_once, run};

/// Conversations that are compared byte by byte.
const CONVERSATIONS: u64 = 200;

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A server of the test's own, which says what the test says, and watch in front of it.
struct Stand {
    listener: TcpListener,
    watch: ServerProcess,
    folder: Folder,
}

impl Stand {
    /// Records into `folder/wires`, whatever else is asked.
    fn open(flags: &str) -> Stand {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = Folder::new();
        let watch = watch(&listener.local_addr().unwrap().to_string(), &folder, flags);
        Stand { listener, watch, folder }
    }

    /// Both ends of a new connection: the client's and the server's.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = self.watch.client().stream;
        let (server, _) = self.listener.accept().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        server.set_write_timeout(Some(PATIENCE)).unwrap();
        (client, server)
    }

    fn recording(&self, number: u64) -> Option<PathBuf> {
        let end = format!("-{number}.wire");
        let files = fs::read_dir(self.folder.file("wires")).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        files.find(|path| path.to_str().unwrap().ends_with(&end))
    }

    /// The recording, when it holds this text.
    fn recording_with(&self, number: u64, text: &str) -> Recording {
        eventually(text, || {
            let recording = Recording::read(&self.recording(number)?);
            recording.text.contains(text).then_some(recording)
        })
    }
}

fn watch(server: &str, folder: &Folder, flags: &str) -> ServerProcess {
    let mut command = openkitchen("watch --listen 127.0.0.1:0");
    command.arg(server).arg("--record").arg(folder.file("wires")).args(flags.split_whitespace());
    ServerProcess::start(&mut command)
}

/// What is on disk when a client sees the end may be followed by an event.
#[track_caller]
fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(it) = attempt() {
            return it;
        }
        assert!(since.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A recorded file. To read it is to see that it is a transcript in its canonical form.
struct Recording {
    text: String,
    transcript: Transcript,
}

impl Recording {
    #[track_caller]
    fn read(path: &Path) -> Recording {
        let text = fs::read_to_string(path).unwrap();
        let transcript = Transcript::parse(&text).unwrap();
        assert_eq!(transcript.to_string(), text);
        Recording { text, transcript }
    }

    /// All that crossed from one side.
    fn bytes(&self, from: Side) -> Vec<u8> {
        let blocks = self.transcript.items.iter().filter_map(|item| match item {
            Item::Block(block) if block.from == from => block.bytes.expand(),
            _ => None,
        });
        blocks.flatten().collect()
    }

    fn events(&self) -> Vec<EventKind> {
        let events = self.transcript.items.iter().filter_map(|item| match item {
            Item::Event(Event { kind, .. }) => Some(*kind),
            _ => None,
        });
        events.collect()
    }

    fn assertions(&self) -> Vec<String> {
        let assertions = self.transcript.items.iter().filter_map(|item| match item {
            Item::Assertions(assertions) => Some(assertions),
            _ => None,
        });
        assertions.flatten().map(Assertion::to_string).collect()
    }
}

/// Numbers that are the same in each run: xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn piece(&mut self) -> Vec<u8> {
        const HTTP: [&[u8]; 6] = [
            GET.as_bytes(),
            ANSWER.as_bytes(),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            b"HEAD / HTTP/1.1\r\n\r\n",
            b"\r\n",
            b"# not prose\n>>> nor a block\n",
        ];
        let length = match self.below(8) {
            0..3 => return HTTP[self.below(6) as usize].to_vec(),
            3 => 1,
            4 | 5 => 1 + self.below(100),
            6 => 1 + self.below(4000),
            _ => 1 + self.below(40_000),
        };
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    fn side(&mut self) -> Vec<Vec<u8>> {
        let pieces = self.below(9);
        (0..pieces).map(|_| self.piece()).collect()
    }
}

/// Says all this, while whatever comes is read; then half-closes. One that listens first says it
/// when the other side has ended. Returns what came.
fn converse(mut stream: TcpStream, pieces: &[Vec<u8>], listens_first: bool) -> Vec<u8> {
    let mut reader = stream.try_clone().unwrap();
    let mut listen = move || {
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).unwrap();
        heard
    };
    let mut say = move || {
        for (at, piece) in pieces.iter().enumerate() {
            stream.write_all(piece).unwrap();
            if at % 3 == 2 {
                thread::sleep(Duration::from_micros(200)); // or TCP would join them
            }
        }
        stream.shutdown(Shutdown::Write).unwrap();
    };
    if listens_first {
        let heard = listen();
        say();
        return heard;
    }
    let listening = thread::spawn(listen);
    say();
    listening.join().unwrap()
}

// What crosses.

#[test]
fn two_hundred_conversations_cross_without_a_byte_changed() {
    let stand = Stand::open("--no-trace");
    for number in 1..=CONVERSATIONS {
        let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (asked, answered, order) = (dice.side(), dice.side(), dice.below(4));
        let (client, server) = stand.connect();
        let (for_client, for_server) = thread::scope(|scope| {
            let server = scope.spawn(|| converse(server, &answered, order == 0));
            (converse(client, &asked, order == 1), server.join().unwrap())
        });
        let (asked, answered) = (asked.concat(), answered.concat());
        assert!(for_server == asked, "conversation {number}: what the client sent");
        assert!(for_client == answered, "conversation {number}: what the server sent");

        let Some(file) = stand.recording(number) else {
            assert!(asked.is_empty() && answered.is_empty(), "conversation {number}: no file");
            continue;
        };
        let recording = Recording::read(&file);
        assert!(recording.bytes(Side::Client) == asked, "conversation {number}: recorded");
        assert!(recording.bytes(Side::Server) == answered, "conversation {number}: recorded");
    }
    let Ended { code, stderr, .. } = stand.watch.stop();
    assert_eq!((code, &*stderr), (Some(0), ""));
}

#[test]
fn a_half_close_passes_and_the_other_half_goes_on() {
    let stand = Stand::open("--no-trace");
    let (mut client, mut server) = stand.connect();
    client.write_all(b"that is all").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut heard = String::new();
    server.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "that is all");
    let mut said = String::new();
    for piece in ["one", "two", "three"] {
        server.write_all(piece.as_bytes()).unwrap();
        let mut part = [0; 8];
        let length = read_once(&client, &mut part).unwrap();
        said.push_str(std::str::from_utf8(&part[..length]).unwrap());
    }
    assert_eq!(said, "onetwothree");
    drop(server);
    assert_eq!(read_once(&client, &mut [0; 8]).unwrap(), 0);
    let recording = stand.recording_with(1, "--- server closed\n");
    let ends = [EventKind::HalfClose(Side::Client), EventKind::Closed(Side::Server)];
    assert_eq!(recording.events(), ends);
}

/// Closes with a byte unread, which is a reset on every system that follows RFC 1122.
fn reset(stream: TcpStream, mut other: &TcpStream) {
    other.write_all(b"never read").unwrap();
    assert!(stream.peek(&mut [0; 8]).unwrap() > 0);
}

#[track_caller]
fn is_reset(stream: &TcpStream) {
    let read = read_once(stream, &mut [0; 64]);
    assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

#[test]
fn a_reset_by_the_client_is_one_for_the_server() {
    let mut stand = Stand::open("");
    let (mut client, server) = stand.connect();
    client.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&server, &mut [0; 64]).unwrap() > 0);
    reset(client, &server);
    is_reset(&server);
    stand.watch.line_with("--- client reset");
    let recording = stand.recording_with(1, "--- client reset\n");
    assert!(recording.text.ends_with("--- client reset\n"), "{}", recording.text);
}

#[test]
fn a_reset_by_the_server_is_one_for_the_client() {
    let mut stand = Stand::open("");
    let (client, mut server) = stand.connect();
    server.write_all(ANSWER.as_bytes()).unwrap();
    assert!(read_once(&client, &mut [0; 64]).unwrap() > 0);
    reset(server, &client);
    is_reset(&client);
    stand.watch.line_with("--- server reset");
    let recording = stand.recording_with(1, "--- server reset\n");
    assert_eq!(recording.events(), [EventKind::Reset(Side::Server)]);
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_an_answer_is_a_reset_too() {
    let stand = Stand::open("--no-trace");
    let (client, mut server) = stand.connect();
    let sending = thread::spawn(move || {
        let piece = [b'x'; 64 * 1024];
        loop {
            if let Err(error) = server.write_all(&piece) {
                return error.kind();
            }
        }
    });
    assert!(read_once(&client, &mut [0; 64]).unwrap() > 0);
    drop(client);
    let kind = sending.join().unwrap();
    assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&kind), "{kind:?}");
    stand.recording_with(1, "--- client reset\n");
}

// What is shown.

#[test]
fn what_crosses_is_shown_as_a_transcript() {
    let stand = Stand::open("");
    let server = stand.listener.local_addr().unwrap();
    let (mut client, mut upstream) = stand.connect();
    client.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&upstream, &mut [0; 64]).unwrap() > 0);
    upstream.write_all(ANSWER.as_bytes()).unwrap();
    assert!(read_once(&client, &mut [0; 64]).unwrap() > 0);
    drop(client);
    assert_eq!(read_once(&upstream, &mut [0; 64]).unwrap(), 0);
    drop(upstream);
    let address = stand.watch.address;
    let Ended { code, stdout, stderr } = stand.watch.stop();
    assert_eq!((code, &*stderr), (Some(0), ""));
    let page = Transcript::parse(&stdout).unwrap();
    assert_eq!(page.to_string(), stdout);
    assert!(stdout.starts_with(&format!("# listening on http://{address}\n# watching {server}\n")));
    for part in ["\nGET / HTTP/1.1\nHost: h\n\n", "\n\nhello\\\n", "--- client half-close\n"] {
        assert!(stdout.contains(part), "{part:?}: {stdout}");
    }
}

// What is recorded.

#[test]
fn a_recording_is_its_owners_alone_and_says_when_and_who() {
    let stand = Stand::open("--no-trace");
    let (mut client, mut server) = stand.connect();
    client.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&server, &mut [0; 64]).unwrap() > 0);
    let file = stand.recording(1).expect("it is there before the server has the bytes");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&stand.folder.file("wires"))), (0o600, 0o700));

    server.write_all(ANSWER.as_bytes()).unwrap();
    assert!(read_once(&client, &mut [0; 64]).unwrap() > 0);
    let Recording { text, .. } = Recording::read(&file);
    let lines: Vec<&str> = text.lines().take(4).collect();
    let (pid, peer) = (stand.watch.id(), client.local_addr().unwrap());
    let (watch, server) = (stand.watch.address, stand.listener.local_addr().unwrap());
    assert_eq!(lines[0], format!("# Connection 1 of process {pid}"));
    let who = format!(" GMT: {peer} speaks to {server}, watched at {watch}");
    assert!(lines[1].ends_with(&who), "{}", lines[1]);
    assert_eq!(lines[2], "");
    assert!(lines[3].starts_with(">>> 27 bytes, +"), "{}", lines[3]);
    assert!(text.ends_with("\n\nhello\\\n???\nstatus 200\nfield Content-Length\n"), "{text}");
}

#[test]
fn the_site_records_too_and_a_recording_says_what_it_says_again() {
    let folder = Folder::new();
    let wires = folder.file("wires");
    let flags = format!("--record {}", wires.display());
    let mut kitchen = ServerProcess::open(&flags);
    let mut client = kitchen.client();
    client.send(GET.repeat(2));
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n\0\x01\r\n#");
    client.send("HEAD /nothing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let answers = client.rest();
    let file = fs::read_dir(&wires).unwrap().next().unwrap().unwrap().path();
    kitchen.kill(); // nothing waits to be written
    let recording = Recording::read(&file);
    assert_eq!(recording.bytes(Side::Server), answers);
    assert!(recording.text.contains("speaks to the lesson site at 127.0.0.1:"));
    let assertions = recording.assertions();
    let statuses = assertions.iter().filter(|assertion| assertion.contains("status ")).count();
    assert_eq!(
        (statuses, assertions.last().map(String::as_str)),
        (4, Some("closed")),
        "{assertions:?}"
    );

    let again = ServerProcess::open("");
    let mut client = again.client();
    client.send(recording.bytes(Side::Client));
    let undated = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let lines = text.split_inclusive('\n').filter(|line| !line.starts_with("Date: "));
        lines.collect::<String>()
    };
    assert_eq!(undated(&client.rest()), undated(&answers));
}

#[test]
fn a_folder_that_takes_no_file_is_told_at_once() {
    let folder = Folder::new();
    fs::write(folder.file("file"), "").unwrap();
    for line in ["--no-trace --listen 127.0.0.1:0", "watch 127.0.0.1:1 --listen 127.0.0.1:0"] {
        let mut command = openkitchen(line);
        let ended = run(command.arg("--record").arg(folder.file("file")));
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{line}");
        assert!(ended.stderr.contains("openkitchen: cannot record in "), "{}", ended.stderr);
    }
}

#[test]
fn a_full_disk_is_told_once_and_the_server_goes_on() {
    // A disk of 64 KiB, in a world of its own.
    const WORLD: &str = "unshare -m sh -c";
    const DISK: &str = "mount -t tmpfs -o size=64k none";
    let folder = Folder::new();
    let disk = folder.file("disk");
    fs::create_dir(&disk).unwrap();
    let attempt = format!("{WORLD} '{DISK} {}'", disk.display());
    if !process::need("unshare and mount", &attempt) {
        return;
    }
    let binary = env!("CARGO_BIN_EXE_openkitchen");
    let serve = "--no-trace --listen 127.0.0.1:0 --record";
    let shell = format!("{DISK} {0} && exec {binary} {serve} {0}/wires", disk.display());
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &shell]).env("OPENKITCHEN_DATA", folder.file("likes"));
    let kitchen = ServerProcess::start(&mut command);
    for _ in 0..5 {
        let content = "x".repeat(30_000);
        assert_eq!(kitchen.ask("POST /echo", "", &content).status, 200);
    }
    let Ended { code, stderr, .. } = kitchen.stop();
    assert_eq!(code, Some(0));
    assert_eq!(stderr.matches("cannot record in ").count(), 1, "{stderr}");
}

// What goes wrong.

#[test]
fn a_server_that_is_not_there_is_told_once_until_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    drop(listener);
    let folder = Folder::new();
    let watch = watch(&server.to_string(), &folder, "--no-trace");
    for _ in 0..3 {
        assert_eq!(watch.client().rest(), b"");
    }
    let listener = TcpListener::bind(server).unwrap();
    let mut client = watch.client();
    client.send(GET);
    let (mut upstream, _) = listener.accept().unwrap();
    upstream.write_all(ANSWER.as_bytes()).unwrap();
    assert_eq!(client.answer().text(), "hello");
    drop((client, upstream));
    let Ended { code, stdout, .. } = watch.stop();
    assert_eq!(code, Some(0));
    let told = format!("# connection 1 was closed: {server} cannot be reached: ");
    assert_eq!(stdout.matches(&told).count(), 1, "{stdout}");
    assert_eq!(stdout.matches("cannot be reached").count(), 1, "{stdout}");
}

#[test]
fn beyond_the_cap_a_connection_is_closed_and_a_free_place_is_given_again() {
    let stand = Stand::open("--no-trace --max-connections 1");
    let (client, server) = stand.connect();
    assert_eq!(stand.watch.client().rest(), b"");
    drop((client, server));
    let guest = eventually("a free place", || {
        let guest = stand.watch.client().stream;
        guest.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let read = read_once(&guest, &mut [0]).map_err(|error| error.kind());
        (read == Err(ErrorKind::WouldBlock)).then_some(guest)
    });
    let (mut server, _) = stand.listener.accept().unwrap();
    server.write_all(b"!").unwrap();
    guest.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(read_once(&guest, &mut [0]).unwrap(), 1);
    drop((guest, server));
    let stderr = stand.watch.stop().stderr;
    assert!(stderr.contains("all 1 connections are taken"), "{stderr}");
}

#[test]
fn a_connection_on_which_nothing_crosses_ends() {
    let mut stand = Stand::open("--no-trace --idle-timeout 0.3");
    let mut number = 0;
    // A machine that is too busy to send in time has shown nothing.
    let (client, mut server, since) = eventually("four bytes in time", || {
        number += 1;
        let since = Instant::now();
        let (mut client, server) = stand.connect();
        let mut last = Instant::now();
        for _ in 0..4 {
            thread::sleep(Duration::from_millis(100));
            client.write_all(b".").ok()?; // which keeps it open
            let gap = std::mem::replace(&mut last, Instant::now()).elapsed();
            (gap < Duration::from_millis(200)).then_some(())?;
        }
        Some((client, server, since))
    });
    assert_eq!(read_once(&client, &mut [0; 8]).unwrap(), 0);
    assert!(since.elapsed() >= Duration::from_millis(700), "{:?}", since.elapsed());
    let mut heard = String::new();
    server.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "....");
    let told = stand.watch.line_with(&format!("# connection {number} was closed: "));
    assert_eq!(told, "nothing had crossed it for 0.3 s");
}

// How it ends.

#[test]
fn what_is_in_flight_ends_before_watch_does_and_what_is_idle_does_not_wait() {
    let stand = Stand::open("--no-trace");
    let (idle, idle_upstream) = stand.connect();
    let (mut busy, mut upstream) = stand.connect();
    busy.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&upstream, &mut [0; 64]).unwrap() > 0);
    let since = Instant::now();
    stand.watch.signal("TERM");
    // Nobody is let in, the idle one is over, and the busy one is not.
    assert_eq!(read_once(&idle_upstream, &mut [0; 64]).unwrap(), 0);
    drop(idle_upstream);
    assert_eq!(read_once(&idle, &mut [0; 64]).unwrap(), 0);
    eventually("a closed door", || {
        TcpStream::connect(stand.watch.address).err().map(|error| error.kind())
    });
    upstream.write_all(&ANSWER.as_bytes()[..30]).unwrap();
    thread::sleep(Duration::from_millis(100));
    upstream.write_all(&ANSWER.as_bytes()[30..]).unwrap();
    let mut answer = vec![0; ANSWER.len()];
    busy.read_exact(&mut answer).unwrap();
    assert_eq!(answer, ANSWER.as_bytes());
    assert_eq!(read_once(&upstream, &mut [0; 64]).unwrap(), 0, "no more questions");
    drop(upstream);
    let Ended { code, stderr, .. } = stand.watch.end();
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
}

#[test]
fn what_does_not_end_within_the_grace_time_is_cut_off() {
    let stand = Stand::open("--no-trace --grace 0.2");
    let (mut client, server) = stand.connect();
    client.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&server, &mut [0; 64]).unwrap() > 0);
    let Ended { code, stderr, .. } = stand.watch.stop();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("1 connections were cut off"), "{stderr}");
}

// What it is asked.

#[test]
fn what_cannot_be_meant_is_told() {
    for (line, code, told) in [
        ("watch", 2, "watch needs the server's address: watch 127.0.0.1:5000"),
        (
            "watch nowhere",
            2,
            "ADDR takes an address such as 127.0.0.1:5000, or a port, not `nowhere`",
        ),
        ("watch 5000 5001", 2, "watch takes one address; `5001` is more"),
        ("watch 5000 --lisen 1", 2, "did you mean --listen?"),
        ("watch 5000 --idle-timeout 0", 2, "--idle-timeout takes a time in seconds"),
        (
            "watch no.such.host.invalid:5000",
            1,
            "cannot be reached: the host name no.such.host.invalid has no known address",
        ),
    ] {
        let ended = run(&mut openkitchen(line));
        assert_eq!((ended.code, &*ended.stdout), (Some(code), ""), "{line}");
        assert!(ended.stderr.contains(told), "{line}: {}", ended.stderr);
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ended = run(&mut openkitchen(&format!("watch 127.0.0.1:1 --listen {address}")));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("is in use"), "{}", ended.stderr);
    drop(taken);
    // A port that is free again may be somebody else's by now.
    let stderr = eventually("a port that stays free", || {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let ended = run(&mut openkitchen(&format!("watch {free} --listen {free}")));
        assert_eq!(ended.code, Some(1));
        (!ended.stderr.contains("is in use")).then_some(ended.stderr)
    });
    assert!(stderr.contains("would watch itself"), "{stderr}");
}

// Somebody else's server.

const FLASK: &str = r##"
from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler, make_server

app = Flask(__name__)

@app.get("/")
def home():
    return "Welcome to RohithBuilds Backend!"

@app.post("/echo")
def echo():
    return request.get_data(), {"Content-Type": "application/octet-stream"}

@app.get("/stream")
def stream():
    return (f"{n}\n" for n in range(5)), {"Content-Type": "text/plain"}

WSGIRequestHandler.protocol_version = "HTTP/1.1"
server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"# listening on http://127.0.0.1:{server.port}", flush=True)
server.serve_forever()
"##;

#[test]
fn flask_is_seen_as_it_is() {
    if !process::need("python3 with flask", "python3 -c 'import flask'") {
        return;
    }
    let folder = Folder::new();
    let flask = ServerProcess::start(Command::new("python3").args(["-c", FLASK]));
    let watch = watch(&flask.address.to_string(), &folder, "");

    // The same questions to Flask itself and through the glass, but for what each answer dates.
    let content: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let post =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", content.len());
    let close = "Connection: close\r\n\r\n";
    for question in [
        [GET.as_bytes(), &post.into_bytes(), &content].concat(),
        format!("GET /stream HTTP/1.1\r\nHost: h\r\n{close}").into_bytes(),
        format!("GET /nothing HTTP/1.1\r\nHost: h\r\n{close}").into_bytes(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        b"what is this\r\n\r\n".to_vec(),
    ] {
        let [plain, watched] = [&flask, &watch].map(|kitchen| said(kitchen.client(), &question));
        assert_eq!(undated(&watched), undated(&plain));
    }
    drop(flask);
    let Ended { code, stdout, stderr } = watch.stop();
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert_eq!(Transcript::parse(&stdout).unwrap().to_string(), stdout);
    assert!(stdout.contains("\nServer: Werkzeug/"), "{stdout}");
    let files = fs::read_dir(folder.file("wires")).unwrap();
    let read: Vec<Recording> = files.map(|file| Recording::read(&file.unwrap().path())).collect();
    assert_eq!(read.len(), 5);
    let all = read.iter().flat_map(Recording::assertions).collect::<Vec<_>>();
    assert!(
        all.iter().any(|assertion| assertion == "field Transfer-Encoding contains chunked"),
        "{all:?}"
    );
}

/// Everything that is answered. A server that keeps the connection is told that this is all.
fn said(mut client: Client, question: &[u8]) -> Vec<u8> {
    client.send(question);
    client.half_close();
    client.rest()
}

fn undated(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    text.split("\\r\\n").filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn many_connections_at_once_are_kept_apart() -> io::Result<()> {
    let stand = Stand::open("--no-trace");
    let echo = |mut stream: TcpStream| {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = read_once(&stream, &mut buffer) {
            if stream.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    };
    let listener = stand.listener.try_clone()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || echo(stream));
        }
    });
    let mut clients: Vec<TcpStream> = (0..100).map(|_| stand.watch.client().stream).collect();
    for round in 0..3 {
        for (at, client) in clients.iter_mut().enumerate() {
            client.write_all(format!("{round} from {at:03}").as_bytes())?;
        }
        for (at, client) in clients.iter_mut().enumerate() {
            let mut heard = [0; 10];
            client.read_exact(&mut heard)?;
            assert_eq!(heard, format!("{round} from {at:03}").as_bytes());
        }
    }
    Ok(())
}
