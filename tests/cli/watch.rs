//! Tests of `openkitchen watch` between a real client and a real server: it changes no byte, it passes on
//! each half-close and reset, and a recording holds the bytes that crossed.

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

use crate::support::client::Client;
use crate::support::process::{
    self, Exit, Folder, ServerProcess, TIMEOUT, free_address, openkitchen, read_once, run,
};

/// Random connections that are compared byte by byte.
const RANDOM_CONNECTIONS: u64 = 200;

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const RESPONSE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// The listener of a server that the test plays, and a watch process that relays to it.
struct Setup {
    listener: TcpListener,
    watch: ServerProcess,
    folder: Folder,
}

impl Setup {
    /// Starts watch, which records into `folder/wires`, with these further flags.
    fn new(flags: &str) -> Setup {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = Folder::new();
        let watch = watch(&listener.local_addr().unwrap().to_string(), &folder, flags);
        Setup { listener, watch, folder }
    }

    /// Opens a connection through watch. Returns the client's socket and the server's.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = self.watch.client().stream;
        (client, self.accept())
    }

    /// The server's socket of a connection that watch has relayed.
    #[track_caller]
    fn accept(&self) -> TcpStream {
        self.listener.set_nonblocking(true).unwrap();
        let (server, _) = eventually("a relayed connection", || self.listener.accept().ok());
        self.listener.set_nonblocking(false).unwrap();
        server.set_read_timeout(Some(TIMEOUT)).unwrap();
        server.set_write_timeout(Some(TIMEOUT)).unwrap();
        server
    }

    fn recording(&self, number: u64) -> Option<PathBuf> {
        let end = format!("-{number:09}.wire");
        let files = fs::read_dir(self.folder.file("wires")).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        files.find(|path| path.to_str().unwrap().ends_with(&end))
    }

    /// Waits until the recording holds this text.
    fn recording_with(&self, number: u64, text: &str) -> Recording {
        eventually(text, || {
            let recorded = fs::read_to_string(self.recording(number)?).unwrap();
            recorded.contains(text).then(|| Recording::parse(recorded))
        })
    }
}

fn watch(server: &str, folder: &Folder, flags: &str) -> ServerProcess {
    let mut command = openkitchen("watch --listen 127.0.0.1:0");
    command.arg(server).arg("--record").arg(folder.file("wires")).args(flags.split_whitespace());
    ServerProcess::start(&mut command)
}

/// Tries again until there is a result. Watch may write its last event after a client has seen the end.
#[track_caller]
fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(it) = attempt() {
            return it;
        }
        assert!(since.elapsed() < TIMEOUT, "timed out: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A recorded file. Parsing it checks that it is a transcript in its canonical form.
struct Recording {
    text: String,
    transcript: Transcript,
}

impl Recording {
    #[track_caller]
    fn read(path: &Path) -> Recording {
        Recording::parse(fs::read_to_string(path).unwrap())
    }

    #[track_caller]
    fn parse(text: String) -> Recording {
        let transcript = Transcript::parse(&text).unwrap();
        assert_eq!(transcript.to_string(), text);
        Recording { text, transcript }
    }

    /// All bytes that one side sent.
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

/// Random numbers that are the same in each run: xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn bytes_of_one_write(&mut self) -> Vec<u8> {
        const HTTP: [&[u8]; 6] = [
            GET.as_bytes(),
            RESPONSE.as_bytes(),
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

    fn writes_of_one_side(&mut self) -> Vec<Vec<u8>> {
        let writes = self.below(9);
        (0..writes).map(|_| self.bytes_of_one_write()).collect()
    }
}

/// Plays one side: writes all this and half-closes, and reads meanwhile. With `reads_first` it writes
/// after the other side has ended. Returns the received bytes.
fn play_side(mut stream: TcpStream, writes: &[Vec<u8>], reads_first: bool) -> Vec<u8> {
    let mut reader = stream.try_clone().unwrap();
    let mut read = move || {
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        received
    };
    let mut write = move || {
        for (at, bytes) in writes.iter().enumerate() {
            stream.write_all(bytes).unwrap();
            if at % 3 == 2 {
                thread::sleep(Duration::from_micros(200)); // or TCP would join them
            }
        }
        stream.shutdown(Shutdown::Write).unwrap();
    };
    if reads_first {
        let received = read();
        write();
        return received;
    }
    let reading = thread::spawn(read);
    write();
    reading.join().unwrap()
}

// Bytes, half-closes and resets.

#[test]
fn two_hundred_random_connections_are_relayed_without_a_changed_byte() {
    let setup = Setup::new("--no-trace");
    for number in 1..=RANDOM_CONNECTIONS {
        let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (from_client, from_server) = (random.writes_of_one_side(), random.writes_of_one_side());
        let order = random.below(4);
        let (client, server) = setup.connect();
        let (at_client, at_server) = thread::scope(|scope| {
            let server = scope.spawn(|| play_side(server, &from_server, order == 0));
            (play_side(client, &from_client, order == 1), server.join().unwrap())
        });
        let (from_client, from_server) = (from_client.concat(), from_server.concat());
        assert!(at_server == from_client, "connection {number}: the client's bytes");
        assert!(at_client == from_server, "connection {number}: the server's bytes");

        let Some(file) = setup.recording(number) else {
            assert!(
                from_client.is_empty() && from_server.is_empty(),
                "connection {number}: no file"
            );
            continue;
        };
        let recording = Recording::read(&file);
        assert!(recording.bytes(Side::Client) == from_client, "connection {number}: recorded");
        assert!(recording.bytes(Side::Server) == from_server, "connection {number}: recorded");
    }
    let Exit { code, stderr, .. } = setup.watch.stop();
    assert_eq!((code, &*stderr), (Some(0), ""));
}

#[test]
fn a_half_close_is_relayed_and_the_other_half_goes_on() {
    let setup = Setup::new("--no-trace");
    let (mut client, mut server) = setup.connect();
    client.write_all(b"that is all").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut at_server = String::new();
    server.read_to_string(&mut at_server).unwrap();
    assert_eq!(at_server, "that is all");
    let mut at_client = String::new();
    for word in ["one", "two", "three"] {
        server.write_all(word.as_bytes()).unwrap();
        let mut buffer = [0; 8];
        let length = read_once(&client, &mut buffer).unwrap();
        at_client.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    assert_eq!(at_client, "onetwothree");
    drop(server);
    assert_eq!(read_once(&client, &mut [0; 8]).unwrap(), 0);
    let recording = setup.recording_with(1, "--- server closed\n");
    let ends = [EventKind::HalfClose(Side::Client), EventKind::Closed(Side::Server)];
    assert_eq!(recording.events(), ends);
}

/// Closes a socket with a byte unread: a reset on every system that follows RFC 1122.
fn reset(stream: TcpStream, mut other: &TcpStream) {
    other.write_all(b"never read").unwrap();
    assert!(stream.peek(&mut [0; 8]).unwrap() > 0);
}

#[track_caller]
fn assert_reset(stream: &TcpStream) {
    let read = read_once(stream, &mut [0; 64]);
    assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

#[test]
fn a_reset_by_the_client_resets_the_server() {
    let mut setup = Setup::new("");
    let (mut client, server) = setup.connect();
    client.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&server, &mut [0; 64]).unwrap() > 0);
    reset(client, &server);
    assert_reset(&server);
    setup.watch.wait_for_line("--- client reset");
    let recording = setup.recording_with(1, "--- client reset\n");
    assert!(recording.text.ends_with("--- client reset\n"), "{}", recording.text);
}

#[test]
fn a_reset_by_the_server_resets_the_client() {
    let mut setup = Setup::new("");
    let (client, mut server) = setup.connect();
    server.write_all(RESPONSE.as_bytes()).unwrap();
    assert!(read_once(&client, &mut [0; 64]).unwrap() > 0);
    reset(server, &client);
    assert_reset(&client);
    setup.watch.wait_for_line("--- server reset");
    let recording = setup.recording_with(1, "--- server reset\n");
    assert_eq!(recording.events(), [EventKind::Reset(Side::Server)]);
}

#[test]
fn a_client_that_closes_during_a_response_is_shown_as_a_reset() {
    let setup = Setup::new("--no-trace");
    let (client, mut server) = setup.connect();
    let sending = thread::spawn(move || {
        let bytes = [b'x'; 64 * 1024];
        loop {
            if let Err(error) = server.write_all(&bytes) {
                return error.kind();
            }
        }
    });
    assert!(read_once(&client, &mut [0; 64]).unwrap() > 0);
    drop(client);
    let kind = sending.join().unwrap();
    assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&kind), "{kind:?}");
    setup.recording_with(1, "--- client reset\n");
}

/// How often an upload is refused early: a race that is lost seldom is lost in one of these.
const UPLOADS: u64 = 50;

/// Plays a server that refuses an upload: it reads the head, answers, and closes with unread bytes, which
/// resets the connection.
fn refuse_upload(mut server: TcpStream, answer: &[u8]) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    server.write_all(answer).unwrap();
    assert!(server.peek(&mut [0]).unwrap() > 0);
}

/// Uploads a MiB, which may fail, and returns what it receives, up to the end or the reset.
fn upload(mut client: &TcpStream) -> Vec<u8> {
    let _ = client.write_all(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: image/png\r\nContent-Length: 1048576\r\n\r\n",
    );
    let _ = client.write_all(&[b'x'; 1 << 20]);
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = read_once(client, &mut buffer) {
        received.extend_from_slice(&buffer[..length]);
    }
    received
}

#[test]
fn an_early_answer_to_an_upload_reaches_the_client_the_trace_and_the_recording() {
    let setup = Setup::new("");
    for number in 1..=UPLOADS {
        let (client, server) = setup.connect();
        thread::scope(|scope| {
            scope.spawn(|| refuse_upload(server, RESPONSE.as_bytes()));
            let received = upload(&client);
            assert_eq!(String::from_utf8_lossy(&received), RESPONSE);
        });
        let recording = setup.recording_with(number, "--- server reset\n");
        assert_eq!(recording.bytes(Side::Server), RESPONSE.as_bytes());
    }
    let Exit { code, stdout, stderr } = setup.watch.stop();
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert_eq!(stdout.matches("\n\nhello\\\n").count() as u64, UPLOADS, "{stdout}");
}

#[test]
fn an_early_answer_that_ends_in_fin_reaches_the_client_as_fin() {
    const ANSWER: &[u8] = b"HTTP/1.0 413 Content Too Large\r\n\r\nsorry";
    let setup = Setup::new("--no-trace");
    for _ in 0..20 {
        let (mut client, server) = setup.connect();
        thread::scope(|scope| {
            let server = scope.spawn(move || {
                let kept = server.try_clone().unwrap();
                refuse_upload(server, ANSWER);
                kept.shutdown(Shutdown::Write).unwrap();
                // Closed here, with unread bytes: RST follows the FIN.
            });
            client
                .write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n")
                .unwrap();
            let mut sending = client.try_clone().unwrap();
            scope.spawn(move || sending.write_all(&[b'x'; 1 << 20]).unwrap());
            server.join().unwrap();
            let mut received = Vec::new();
            client.read_to_end(&mut received).unwrap();
            assert_eq!(received, ANSWER);
        });
    }
}

#[test]
fn a_long_early_answer_is_relayed_to_a_client_that_reads_after_its_upload() {
    let setup = Setup::new("--no-trace");
    // More than the sockets take at once, so watch waits for the client, and the client for watch.
    let content = "y".repeat(1 << 20);
    let answer =
        format!("HTTP/1.1 413 Content Too Large\r\nContent-Length: 1048576\r\n\r\n{content}");
    let (client, server) = setup.connect();
    thread::scope(|scope| {
        scope.spawn(|| refuse_upload(server, answer.as_bytes()));
        // The server's own system may drop bytes of its answer at the reset. Watch drops none.
        let received = upload(&client);
        let recording = setup.recording_with(1, "--- server reset\n");
        assert!(received == recording.bytes(Side::Server), "{} bytes", received.len());
        assert!(received.starts_with(b"HTTP/1.1 413 "), "{} bytes", received.len());
    });
}

#[test]
fn what_a_server_sent_before_the_client_reset_is_shown() {
    let setup = Setup::new("--no-trace");
    for number in 1..=UPLOADS {
        let (client, mut server) = setup.connect();
        server.write_all(RESPONSE.as_bytes()).unwrap();
        reset(client, &server);
        assert_reset(&server);
        let recording = setup.recording_with(number, "--- client reset\n");
        let sent = [RESPONSE.as_bytes(), b"never read"].concat();
        assert!(recording.bytes(Side::Server) == sent, "{}", recording.text);
    }
}

/// Plays both sides of a recording: `mock` is the server, and `check` the client.
#[track_caller]
fn assert_replays(recorded: &str) {
    let folder = Folder::new();
    let file = folder.file("recorded.wire");
    fs::write(&file, recorded).unwrap();
    let mock = ServerProcess::start(openkitchen("mock --timeout 5").arg(&file));
    let check = format!("check {} --timeout 2", mock.address);
    let checked = run(openkitchen(&check).arg(&file));
    assert_eq!(checked.code, Some(0), "{recorded}\n{}", checked.stdout);
    let played = mock.wait();
    assert_eq!(played.code, Some(0), "{recorded}\n{}", played.stdout);
}

#[test]
fn a_server_that_ends_first_has_half_closed_unless_the_client_ends_at_once() {
    const HALF: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhalf";
    for (request, rest, waits) in [
        (GET, "", true),
        (GET, "more", false),
        (GET, "more", true),
        (HALF, "", true),
        (HALF, "more", false),
        (HALF, "more", true),
    ] {
        let setup = Setup::new("");
        let (mut client, mut server) = setup.connect();
        client.write_all(request.as_bytes()).unwrap();
        server.read_exact(&mut vec![0; request.len()]).unwrap();
        server.write_all(RESPONSE.as_bytes()).unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        let mut at_client = String::new();
        client.set_read_timeout(Some(TIMEOUT)).unwrap();
        client.read_to_string(&mut at_client).unwrap();
        assert_eq!(at_client, RESPONSE);
        if waits {
            // It is told before it is known what the client does.
            setup.recording_with(1, "--- server half-close\n\n???\nclosed\n");
        }
        client.write_all(rest.as_bytes()).unwrap();
        let mut at_server = vec![0; rest.len()];
        server.read_exact(&mut at_server).unwrap();
        assert_eq!(at_server, rest.as_bytes());
        client.shutdown(Shutdown::Write).unwrap();
        let recording = setup.recording_with(1, "--- client closed\n");
        assert_eq!(recording.assertions().last().map(String::as_str), Some("closed"));
        let stdout = setup.watch.stop().stdout;
        for text in [&recording.text, &stdout] {
            let events: Vec<&str> = text.lines().filter(|line| line.starts_with("---")).collect();
            let ends: Vec<&&str> = events.iter().filter(|line| !line.contains("open")).collect();
            assert_eq!(ends, [&"--- server half-close", &"--- client closed"], "{text}");
        }
        assert_replays(&recording.text);
    }
}

// What watch does itself.

/// Sends a request through watch, and answers it. The connection stays open.
fn exchange(setup: &Setup) -> (TcpStream, TcpStream) {
    let (mut client, mut server) = setup.connect();
    client.write_all(GET.as_bytes()).unwrap();
    server.read_exact(&mut [0; GET.len()]).unwrap();
    server.write_all(RESPONSE.as_bytes()).unwrap();
    client.read_exact(&mut [0; RESPONSE.len()]).unwrap();
    (client, server)
}

/// Checks that a recording ends neither side, and holds for a server that keeps its connections open.
#[track_caller]
fn assert_ends_no_side(recording: &Recording, response: &'static [u8]) {
    assert_eq!(recording.events(), [], "{}", recording.text);
    assert!(!recording.assertions().contains(&"closed".to_owned()), "{}", recording.text);
    assert_holds(&recording.text, response);
}

/// Checks a recording against a server that answers each request with these bytes, and does not close.
#[track_caller]
fn assert_holds(recorded: &str, response: &'static [u8]) {
    let (folder, listener) = (Folder::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let file = folder.file("recorded.wire");
    fs::write(&file, recorded).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || keep_answering(stream, response));
        }
    });
    let checked = run(openkitchen(&format!("check {address} --timeout 0.5")).arg(&file));
    assert_eq!(checked.code, Some(0), "{} {}", checked.stdout, checked.stderr);
}

/// Answers each request until the client ends.
fn keep_answering(mut stream: TcpStream, response: &[u8]) {
    let mut head = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            if stream.write_all(response).is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_stop_is_the_end_of_neither_side() {
    let setup = Setup::new("");
    let (client, mut server) = exchange(&setup);
    setup.watch.signal("TERM");
    // The server closes because watch has, as a server does whose client has gone.
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
    drop(server);
    assert_eq!(read_once(&client, &mut [0; 8]).unwrap(), 0);
    let recording = Recording::read(&setup.recording(1).unwrap());
    let Exit { code, stdout, .. } = setup.watch.wait();
    assert_eq!(code, Some(0));
    for text in [&stdout, &recording.text] {
        assert!(!text.contains("--- client") && !text.contains("--- server"), "{text}");
    }
    let why = "# watch has ended this connection: watch is stopping\n";
    assert!(recording.text.ends_with(why), "{}", recording.text);
    assert_ends_no_side(&recording, RESPONSE.as_bytes());
}

/// Checks the recording of a response of which no more than this start crosses.
fn holds_if_cut_after(start: &str) {
    for cause in ["stop", "idle", "reset"] {
        let flags = if cause == "idle" { "--idle-timeout 0.5" } else { "--grace 0.1" };
        let setup = Setup::new(&format!("--no-trace {flags}"));
        let (mut client, mut server) = setup.connect();
        client.write_all(GET.as_bytes()).unwrap();
        server.read_exact(&mut [0; GET.len()]).unwrap();
        server.write_all(start.replace('@', "1").as_bytes()).unwrap();
        client.read_exact(&mut vec![0; start.len() - 1]).unwrap();
        assert_eq!(client.peek(&mut [0; 8]).unwrap(), 1);
        let file = setup.recording(1).unwrap();
        match cause {
            "reset" => {
                drop(client); // with a byte unread
                setup.recording_with(1, "--- client reset\n");
            }
            "idle" => assert_eq!(read_until_end(client).0.len(), 1),
            _ => {}
        }
        setup.watch.stop();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("???\n") && !text.contains("closed\n"), "{cause}: {text}");
        assert_holds(&text, start.replace('@', "2").leak().as_bytes());
    }
}

#[test]
fn a_recording_that_is_cut_within_a_response_holds() {
    let starts = [
        "HTTP/1.1 200 OK\r\nDate: @\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nDate: @\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.0 200 OK\r\nDate: @\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nDate: @\r\n",
    ];
    thread::scope(|scope| {
        for start in starts {
            scope.spawn(move || holds_if_cut_after(start));
        }
    });
}

/// What a client receives, and whether it ends in a reset.
fn read_until_end(mut client: TcpStream) -> (String, bool) {
    client.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut received = Vec::new();
    let end = client.read_to_end(&mut received).map_err(|error| error.kind());
    let is_reset = end == Err(ErrorKind::ConnectionReset);
    assert!(is_reset || end.is_ok(), "{end:?}");
    (String::from_utf8(received).unwrap(), is_reset)
}

/// Checks the end of this response, which `watch` cuts: because it is idle, and because it stops.
fn is_cut(response: &str, is_reset: bool) {
    for (flags, why) in [
        ("--idle-timeout 0.5", "no byte crossed for 0.5 s"),
        ("--grace 0.1", "its exchange was not complete in the grace time"),
    ] {
        let setup = Setup::new(flags);
        let (mut client, mut server) = setup.connect();
        client.write_all(GET.as_bytes()).unwrap();
        server.read_exact(&mut [0; GET.len()]).unwrap();
        server.write_all(response.as_bytes()).unwrap();
        eventually("the response", || {
            let has_arrived = || client.peek(&mut [0; 200]).unwrap() == response.len();
            (response.is_empty() || has_arrived()).then_some(())
        });
        if flags.contains("grace") {
            setup.watch.signal("TERM");
        }
        assert_eq!(read_until_end(client), (response.to_owned(), is_reset), "{flags}");
        let end = format!("# watch has ended this connection: {why}\n");
        let recording = setup.recording_with(1, &end);
        assert!(!recording.assertions().contains(&"closed".to_owned()), "{}", recording.text);
        setup.watch.stop();
    }
}

#[test]
fn a_client_takes_no_response_that_watch_has_cut_for_whole() {
    let responses = [
        ("HTTP/1.0 200 OK\r\n\r\nhalf", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", true),
        ("HTTP/1.1 200 OK\r\nDate", true),
        ("", false),
    ];
    // `watch` waits most of its time, so they run at once.
    thread::scope(|scope| {
        for (response, is_reset) in responses {
            scope.spawn(move || is_cut(response, is_reset));
        }
    });
}

#[test]
fn the_idle_timeout_is_the_end_of_neither_side() {
    // The second answer has no framing but the end, and the end is watch's.
    const OPEN_END: &str = "HTTP/1.1 200 OK\r\n\r\nhello";
    for response in [RESPONSE, OPEN_END] {
        let setup = Setup::new("--idle-timeout 0.3");
        let (mut client, mut server) = setup.connect();
        client.write_all(GET.as_bytes()).unwrap();
        server.read_exact(&mut [0; GET.len()]).unwrap();
        server.write_all(response.as_bytes()).unwrap();
        let (at_client, is_reset) = read_until_end(client);
        assert_eq!((&*at_client, is_reset), (response, response == OPEN_END));
        drop(server);
        let recording = setup
            .recording_with(1, "# watch has ended this connection: no byte crossed for 0.3 s\n");
        let stdout = setup.watch.stop().stdout;
        assert!(!stdout.contains("--- client") && !stdout.contains("--- server"), "{stdout}");
        assert_ends_no_side(&recording, response.as_bytes());
    }
}

#[test]
fn a_connection_that_watch_did_not_relay_is_not_shown() {
    let setup = Setup::new("--max-connections 1");
    let kept = exchange(&setup);
    assert_eq!(setup.watch.client().read_to_end(), b"", "beyond the cap");
    assert_ends_no_side(&setup.recording_with(1, "status 200\n"), RESPONSE.as_bytes());
    drop(kept);
    assert!(setup.recording(2).is_none());
    let stdout = setup.watch.stop().stdout;
    assert!(!stdout.contains("@2"), "{stdout}");
}

#[test]
fn a_server_that_cannot_be_reached_has_ended_no_connection() {
    let server = free_address();
    let folder = Folder::new();
    let watch = watch(&server.to_string(), &folder, "");
    let mut client = watch.client();
    client.send(GET);
    let mut rest = [0; 8];
    assert!(!matches!(read_once(&client.stream, &mut rest), Ok(1..)));
    assert_eq!(fs::read_dir(folder.file("wires")).unwrap().count(), 0);
    let stdout = watch.stop().stdout;
    assert!(stdout.contains(" was closed: "), "{stdout}");
    assert!(!stdout.contains("---"), "{stdout}");
}

#[test]
fn a_recording_that_is_cut_at_its_bound_holds() {
    let content = vec![1; 17 << 18]; // four letters of text for each byte: 17 MiB
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
    let response: &'static [u8] = [head.into_bytes(), content].concat().leak();
    let setup = Setup::new("--no-trace");
    let (mut client, mut server) = setup.connect();
    client.write_all(GET.as_bytes()).unwrap();
    server.read_exact(&mut [0; GET.len()]).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| server.write_all(response).unwrap());
        client.read_exact(&mut vec![0; response.len()]).unwrap();
    });
    drop((client, server));
    let recording = setup.recording_with(1, "# bytes that crossed and are not in this file: ");
    assert!(recording.text.contains("\n???\nstatus 200\nfield Content-Length\n"));
    assert_ends_no_side(&recording, response);
}

// The trace.

#[test]
fn the_trace_on_stdout_is_a_transcript() {
    let setup = Setup::new("");
    let server = setup.listener.local_addr().unwrap();
    let (mut client, mut upstream) = setup.connect();
    client.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&upstream, &mut [0; 64]).unwrap() > 0);
    upstream.write_all(RESPONSE.as_bytes()).unwrap();
    assert!(read_once(&client, &mut [0; 64]).unwrap() > 0);
    drop(client);
    assert_eq!(read_once(&upstream, &mut [0; 64]).unwrap(), 0);
    drop(upstream);
    let address = setup.watch.address;
    let Exit { code, stdout, stderr } = setup.watch.stop();
    assert_eq!((code, &*stderr), (Some(0), ""));
    let transcript = Transcript::parse(&stdout).unwrap();
    assert_eq!(transcript.to_string(), stdout);
    assert!(stdout.starts_with(&format!("# listening on http://{address}\n# watching {server}\n")));
    for part in ["\nGET / HTTP/1.1\nHost: h\n\n", "\n\nhello\\\n", "--- client half-close\n"] {
        assert!(stdout.contains(part), "{part:?}: {stdout}");
    }
}

#[test]
fn the_response_to_a_broken_head_request_does_not_swallow_the_next_one() {
    let refused =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: image/png\r\nContent-Length: 150\r\n\r\n";
    for field in ["", "Connection: close\r\n"] {
        let setup = Setup::new("");
        let (mut client, mut server) = setup.connect();
        let next = format!("HTTP/1.1 200 OK\r\n{field}Content-Length: 5\r\n\r\nhello");
        for (request, response) in [("HEAD / HTTP/1.1\r\nHost : h\r\n\r\n", refused), (GET, &next)]
        {
            client.write_all(request.as_bytes()).unwrap();
            assert!(read_once(&server, &mut [0; 64]).unwrap() > 0);
            server.write_all(response.as_bytes()).unwrap();
            assert!(read_once(&client, &mut [0; 256]).unwrap() > 0);
        }
        drop(server);
        assert_eq!(read_once(&client, &mut [0; 8]).unwrap(), 0);
        let recording = setup.recording_with(1, "\n???\nclosed\n");
        let both =
            ["status 400", "field Content-Length", "status 200", "field Content-Length", "closed"];
        assert_eq!(recording.assertions(), both);
        drop(client);
        let stdout = setup.watch.stop().stdout;
        let shown = next.replace("\r\n", "\n");
        assert!(stdout.contains(&format!("\n{shown}\\\n")), "{stdout}");
    }
}

// Recordings.

#[test]
fn a_recording_is_private_and_names_its_time_and_its_peers() {
    let setup = Setup::new("--no-trace");
    let (mut client, mut server) = setup.connect();
    client.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&server, &mut [0; 64]).unwrap() > 0);
    let file = setup.recording(1).expect("created before the server has the bytes");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&setup.folder.file("wires"))), (0o600, 0o700));

    server.write_all(RESPONSE.as_bytes()).unwrap();
    assert!(read_once(&client, &mut [0; 64]).unwrap() > 0);
    let Recording { text, .. } = Recording::read(&file);
    let lines: Vec<&str> = text.lines().take(4).collect();
    let (pid, peer) = (setup.watch.id(), client.local_addr().unwrap());
    let (watch, server) = (setup.watch.address, setup.listener.local_addr().unwrap());
    assert_eq!(lines[0], format!("# Connection 1 of process {pid}"));
    let peers = format!(" GMT: {peer} speaks to {server}, watched at {watch}");
    assert!(lines[1].ends_with(&peers), "{}", lines[1]);
    assert_eq!(lines[2], "");
    assert!(lines[3].starts_with(">>> 27 bytes, +"), "{}", lines[3]);
    assert!(text.ends_with("\n\nhello\\\n???\nstatus 200\nfield Content-Length\n"), "{text}");
}

#[test]
fn a_recording_of_the_site_gets_the_same_responses_again() {
    let folder = Folder::new();
    let wires = folder.file("wires");
    let flags = format!("--record {}", wires.display());
    let mut site = ServerProcess::start_site(&flags);
    let mut client = site.client();
    client.send(GET.repeat(2));
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n\0\x01\r\n#");
    client.send("HEAD /nothing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let responses = client.read_to_end();
    let file = fs::read_dir(&wires).unwrap().next().unwrap().unwrap().path();
    site.kill(); // every event has been written
    let recording = Recording::read(&file);
    assert_eq!(recording.bytes(Side::Server), responses);
    assert!(recording.text.contains("speaks to the lesson site at 127.0.0.1:"));
    let assertions = recording.assertions();
    let statuses = assertions.iter().filter(|assertion| assertion.contains("status ")).count();
    assert_eq!(
        (statuses, assertions.last().map(String::as_str)),
        (4, Some("closed")),
        "{assertions:?}"
    );

    let again = ServerProcess::start_site("");
    let mut client = again.client();
    client.send(recording.bytes(Side::Client));
    let without_date = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let lines = text.split_inclusive('\n').filter(|line| !line.starts_with("Date: "));
        lines.collect::<String>()
    };
    assert_eq!(without_date(&client.read_to_end()), without_date(&responses));
}

/// Reads exactly so many bytes.
fn read_exactly(mut stream: &TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Frames of a websocket (RFC 6455 section 5.7): a masked text, a ping, a close.
const FRAMES: [&[u8]; 3] =
    [b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"\x89\x80\x37\xfa\x21\x3d", b"\x88\x80abcd"];

/// What the server sends for each of them, some of it like HTTP.
const ANSWERS: [&[u8]; 3] = [b"\x81\x13HTTP/1.1 200 OK\r\n\r\n", b"\x8a\x00", b"\x88\x00"];

/// The server's side of a connection that leaves HTTP after `request`. It sends a frame at once.
fn serve_switch(mut server: TcpStream, request: &str, response: &str) {
    assert_eq!(read_exactly(&server, request.len()), request.as_bytes());
    server.write_all(&[response.as_bytes(), b"\x81\x02hi"].concat()).unwrap();
    for (frame, answer) in FRAMES.iter().zip(ANSWERS) {
        assert_eq!(read_exactly(&server, frame.len()), *frame);
        server.write_all(answer).unwrap();
    }
}

#[test]
fn a_recording_of_a_websocket_and_of_a_tunnel_passes_check() {
    let connect = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n";
    for (request, response, status) in [
        (UPGRADE, SWITCHED, "status 101"),
        (connect, "HTTP/1.1 200 Connection established\r\n\r\n", "status 200"),
    ] {
        for client_closes_first in [false, true] {
            let setup = Setup::new("");
            let (mut client, server) = setup.connect();
            let server = thread::spawn(move || {
                serve_switch(server.try_clone().unwrap(), request, response);
                if client_closes_first {
                    assert_eq!(read_once(&server, &mut [0; 8]).unwrap(), 0);
                }
            });
            client.write_all(request.as_bytes()).unwrap();
            read_exactly(&client, response.len() + 4);
            for (frame, answer) in FRAMES.iter().zip(ANSWERS) {
                client.write_all(frame).unwrap();
                assert_eq!(read_exactly(&client, answer.len()), answer);
            }
            if client_closes_first {
                client.shutdown(Shutdown::Write).unwrap();
            }
            assert_eq!(read_once(&client, &mut [0; 8]).unwrap(), 0);
            server.join().unwrap();
            drop(client);
            let recording = setup.recording_with(1, "--- server closed\n");
            assert_eq!(recording.assertions()[0], status, "{}", recording.text);
            let stdout = setup.watch.stop().stdout;
            assert!(!stdout.contains("broken"), "{stdout}");

            let address = setup.listener.local_addr().unwrap();
            let listener = setup.listener;
            let server = thread::spawn(move || {
                let (server, _) = listener.accept().unwrap();
                server.set_read_timeout(Some(TIMEOUT)).unwrap();
                serve_switch(server.try_clone().unwrap(), request, response);
                if client_closes_first {
                    assert_eq!(read_once(&server, &mut [0; 8]).unwrap(), 0);
                }
            });
            let file = setup.folder.file("switch.wire");
            fs::write(&file, &recording.text).unwrap();
            let check = run(openkitchen(&format!("check {address}")).arg(&file));
            assert_eq!(check.code, Some(0), "{}\n{}", check.stdout, recording.text);
            server.join().unwrap();
        }
    }
}

#[test]
fn messages_longer_than_the_site_accepts_are_followed_in_trace_and_recording() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let (long, many) = ("y".repeat(300 * 1024), "X: y\r\n".repeat(101));
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5";
    let chunk_extension = format!("{chunked};x={}\r\nhello\r\n0\r\n\r\n", &long[..5 * 1024]);
    let trailer = format!("{chunked}\r\nhello\r\n0\r\nX: {}\r\n\r\n", &long[..9 * 1024]);
    for (rest, framing) in [
        (format!("{many}Content-Length: 5\r\n\r\nhello"), "field Content-Length"),
        (format!("X: {long}\r\nContent-Length: 5\r\n\r\nhello"), "field Content-Length"),
        (chunk_extension, "field Transfer-Encoding contains chunked"),
        (trailer, "field Transfer-Encoding contains chunked"),
    ] {
        let setup = Setup::new("--explain");
        let (client, server) = setup.connect();
        // The request is as long as the response. HEAD follows, whose response has no content.
        let (request, response) =
            (format!("POST / HTTP/1.1\r\nHost: h\r\n{rest}"), ok.to_owned() + &rest);
        let no_content = "HTTP/1.1 204 No Content\r\n\r\n";
        let to_head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        let head = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
        for (request, response) in
            [(&request[..], &response[..]), (head, to_head), (GET, no_content)]
        {
            let sender = thread::spawn({
                let (mut client, request) = (client.try_clone().unwrap(), request.to_owned());
                move || client.write_all(request.as_bytes()).unwrap()
            });
            assert_eq!(read_exactly(&server, request.len()), request.as_bytes());
            sender.join().unwrap();
            let sender = thread::spawn({
                let (mut server, response) = (server.try_clone().unwrap(), response.to_owned());
                move || server.write_all(response.as_bytes()).unwrap()
            });
            assert_eq!(read_exactly(&client, response.len()), response.as_bytes());
            sender.join().unwrap();
        }
        let recording = setup.recording_with(1, "status 204\n");
        drop((client, server));
        let expected = ["status 200", framing, "status 200", "field Content-Length", "status 204"];
        assert_eq!(recording.assertions(), expected);
        let stdout = setup.watch.stop().stdout;
        assert!(!stdout.contains("broken"), "{:.3000}", stdout);
    }
}

#[test]
fn after_a_broken_request_the_next_one_is_recorded_as_it_is() {
    let setup = Setup::new("");
    let (mut client, mut server) = setup.connect();
    let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
    let to_head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    for (request, response) in [
        ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", refused),
        ("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", to_head),
        (GET, RESPONSE),
    ] {
        client.write_all(request.as_bytes()).unwrap();
        read_exactly(&server, request.len());
        server.write_all(response.as_bytes()).unwrap();
        read_exactly(&client, response.len());
    }
    let recording = setup.recording_with(1, "\n\nhello\\\n???\n");
    let framed = ["status 400", "status 200", "status 200"].map(|it| [it, "field Content-Length"]);
    assert_eq!(recording.assertions(), framed.concat());
}

#[test]
fn a_folder_in_which_no_file_can_be_created_is_an_error_at_once() {
    let folder = Folder::new();
    fs::write(folder.file("file"), "").unwrap();
    for line in ["--no-trace --listen 127.0.0.1:0", "watch 127.0.0.1:1 --listen 127.0.0.1:0"] {
        let mut command = openkitchen(line);
        let ended = run(command.arg("--record").arg(folder.file("file")));
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{line}");
        assert!(ended.stderr.contains("openkitchen: cannot record in "), "{}", ended.stderr);
    }
}

#[test]
fn a_full_disk_is_logged_once_and_the_server_goes_on() {
    // A disk of 64 KiB, in a mount namespace of its own.
    const NAMESPACE: &str = "unshare -m sh -c";
    const MOUNT: &str = "mount -t tmpfs -o size=64k none";
    let folder = Folder::new();
    let disk = folder.file("disk");
    fs::create_dir(&disk).unwrap();
    let attempt = format!("{NAMESPACE} '{MOUNT} {}'", disk.display());
    if !process::need("unshare and mount", &attempt) {
        return;
    }
    let binary = env!("CARGO_BIN_EXE_openkitchen");
    let serve = "--no-trace --listen 127.0.0.1:0 --record";
    let shell = format!("{MOUNT} {0} && exec {binary} {serve} {0}/wires", disk.display());
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &shell]).env("OPENKITCHEN_DATA", folder.file("likes"));
    let site = ServerProcess::start(&mut command);
    for _ in 0..5 {
        let content = "x".repeat(30_000);
        assert_eq!(site.request("POST /echo", "", &content).status, 200);
    }
    let Exit { code, stderr, .. } = site.stop();
    assert_eq!(code, Some(0));
    assert_eq!(stderr.matches("cannot record in ").count(), 1, "{stderr}");
}

// Errors and limits.

#[test]
fn an_unreachable_server_is_reported_once_in_a_minute_until_it_is_reached() {
    let server = free_address();
    let folder = Folder::new();
    let watch = watch(&server.to_string(), &folder, "--no-trace");
    for _ in 0..3 {
        assert_eq!(watch.client().read_to_end(), b"");
    }
    let listener = TcpListener::bind(server).unwrap();
    let mut client = watch.client();
    client.send(GET);
    let (mut upstream, _) = listener.accept().unwrap();
    upstream.write_all(RESPONSE.as_bytes()).unwrap();
    assert_eq!(client.response().text(), "hello");
    drop((client, upstream, listener));
    // A program that another test starts at this moment holds the listener too, until it runs.
    eventually("no listener", || TcpStream::connect(server).is_err().then_some(()));
    for _ in 0..3 {
        assert_eq!(watch.client().read_to_end(), b"");
    }
    let Exit { code, stdout, .. } = watch.stop();
    assert_eq!(code, Some(0));
    for number in [1, 5] {
        let line = format!("# connection {number} was closed: {server} cannot be reached: ");
        assert_eq!(stdout.matches(&line).count(), 1, "{stdout}");
    }
    assert_eq!(stdout.matches("cannot be reached").count(), 2, "{stdout}");
}

#[test]
fn a_connection_beyond_the_cap_is_closed_until_another_one_ends() {
    let setup = Setup::new("--no-trace --max-connections 1");
    let (client, server) = setup.connect();
    assert_eq!(setup.watch.client().read_to_end(), b"");
    drop((client, server));
    let client = eventually("a connection that stays open", || {
        let client = setup.watch.client().stream;
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let read = read_once(&client, &mut [0]).map_err(|error| error.kind());
        (read == Err(ErrorKind::WouldBlock)).then_some(client)
    });
    let (mut server, _) = setup.listener.accept().unwrap();
    server.write_all(b"!").unwrap();
    client.set_read_timeout(Some(TIMEOUT)).unwrap();
    assert_eq!(read_once(&client, &mut [0]).unwrap(), 1);
    drop((client, server));
    let stderr = setup.watch.stop().stderr;
    assert!(
        stderr.contains("1 connection is open, which is the limit; new ones are closed"),
        "{stderr}"
    );
}

#[test]
fn a_client_that_connects_asks_and_closes_in_a_loop_is_never_refused_at_a_cap_of_one() {
    let site = ServerProcess::start_site("");
    let mut command = openkitchen("watch --listen 127.0.0.1:0 --no-trace --max-connections 1");
    let watch = ServerProcess::start(command.arg(site.address.to_string()));
    let request = "GET /about HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let is_served = |_| {
        let mut client = watch.client();
        client.send(request);
        client.read_to_end().starts_with(b"HTTP/1.1 200 OK\r\n")
    };
    // On a busy machine, the connection before may not be over after the 20 ms that the next one
    // waits. Without that wait, no fifty are served in a row.
    eventually("fifty served in a row", || (0..50).all(is_served).then_some(()));
}

#[test]
fn a_shortage_of_descriptors_closes_no_connection() {
    if !process::need("prlimit", "prlimit --version") {
        return;
    }
    let setup = Setup::new("--no-trace");
    let (mut idle, upstream) = setup.connect();
    let pid = setup.watch.id();
    let set_limit = |descriptors: usize| {
        let limit = format!("--nofile={descriptors}:");
        let pid = pid.to_string();
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    };
    let is_free = |number: &usize| !Path::new(&format!("/proc/{pid}/fd/{number}")).exists();
    set_limit((0..).find(is_free).unwrap());
    let mut others = Vec::new();
    eventually("a warning", || {
        others.push(setup.watch.client());
        setup.watch.stderr().contains("no connection can be accepted for now").then_some(())
    });
    set_limit(256);
    others.push(setup.watch.client());
    setup.accept();
    idle.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&upstream, &mut [0; 64]).unwrap() > 0);
}

#[test]
fn an_idle_connection_is_closed_after_the_timeout() {
    let mut setup = Setup::new("--no-trace --idle-timeout 0.3");
    let mut number = 0;
    // On a busy machine a byte may be sent too late. Then the attempt proves nothing.
    let (client, mut server, since) = eventually("four bytes in time", || {
        number += 1;
        let since = Instant::now();
        let (mut client, server) = setup.connect();
        let mut last = Instant::now();
        for _ in 0..4 {
            thread::sleep(Duration::from_millis(100));
            client.write_all(b".").ok()?; // keeps it open
            let gap = std::mem::replace(&mut last, Instant::now()).elapsed();
            (gap < Duration::from_millis(200)).then_some(())?;
        }
        Some((client, server, since))
    });
    assert_eq!(read_once(&client, &mut [0; 8]).unwrap(), 0);
    assert!(since.elapsed() >= Duration::from_millis(700), "{:?}", since.elapsed());
    let mut at_server = String::new();
    server.read_to_string(&mut at_server).unwrap();
    assert_eq!(at_server, "....");
    let reason = setup.watch.wait_for_line(&format!("# connection {number} was closed: "));
    assert_eq!(reason, "no byte crossed for 0.3 s (--idle-timeout)");
}

// Stopping.

#[test]
fn a_stop_waits_for_exchanges_in_flight_and_closes_idle_connections() {
    let setup = Setup::new("--no-trace");
    let (idle, idle_upstream) = setup.connect();
    let (mut busy, mut upstream) = setup.connect();
    busy.write_all(GET.as_bytes()).unwrap();
    assert!(read_once(&upstream, &mut [0; 64]).unwrap() > 0);
    let since = Instant::now();
    setup.watch.signal("TERM");
    // The idle connection ends, no new one is accepted, and the busy one goes on.
    assert_eq!(read_once(&idle_upstream, &mut [0; 64]).unwrap(), 0);
    drop(idle_upstream);
    assert_eq!(read_once(&idle, &mut [0; 64]).unwrap(), 0);
    eventually("a closed port", || {
        TcpStream::connect(setup.watch.address).err().map(|error| error.kind())
    });
    upstream.write_all(&RESPONSE.as_bytes()[..30]).unwrap();
    thread::sleep(Duration::from_millis(100));
    upstream.write_all(&RESPONSE.as_bytes()[30..]).unwrap();
    let mut response = vec![0; RESPONSE.len()];
    busy.read_exact(&mut response).unwrap();
    assert_eq!(response, RESPONSE.as_bytes());
    assert_eq!(read_once(&upstream, &mut [0; 64]).unwrap(), 0, "no more requests");
    drop(upstream);
    let Exit { code, stderr, .. } = setup.watch.wait();
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
}

#[test]
fn connections_in_the_backlog_at_a_stop_are_relayed() {
    let setup = Setup::new("--no-trace");
    setup.watch.signal("STOP"); // it accepts none of these connections before the other signals
    let clients: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = setup.watch.client();
            client.send(GET);
            client
        })
        .collect();
    setup.watch.signal("TERM");
    setup.watch.signal("CONT");
    for _ in &clients {
        let mut server = setup.accept();
        assert!(read_once(&server, &mut [0; 64]).unwrap() > 0);
        server.write_all(RESPONSE.as_bytes()).unwrap();
    }
    for mut client in clients {
        assert_eq!(client.read_to_end(), RESPONSE.as_bytes());
    }
    let Exit { code, stderr, .. } = setup.watch.wait();
    assert_eq!((code, &*stderr), (Some(0), ""));
}

#[test]
fn an_exchange_that_outlasts_the_grace_time_is_cut_off() {
    for grace in ["0", "0.2"] {
        let setup = Setup::new(&format!("--no-trace --grace {grace}"));
        let (mut client, server) = setup.connect();
        client.write_all(GET.as_bytes()).unwrap();
        assert!(read_once(&server, &mut [0; 64]).unwrap() > 0);
        // This one has had its response: nothing of it is cut off, although its server does not close.
        let (mut idle, mut upstream) = setup.connect();
        idle.write_all(GET.as_bytes()).unwrap();
        assert!(read_once(&upstream, &mut [0; 64]).unwrap() > 0);
        upstream.write_all(RESPONSE.as_bytes()).unwrap();
        idle.read_exact(&mut vec![0; RESPONSE.len()]).unwrap();
        let Exit { code, stderr, .. } = setup.watch.stop();
        assert_eq!(code, Some(0));
        assert!(stderr.contains(" 1 connection was cut off"), "{grace}: {stderr}");
    }
}

// The command line.

#[test]
fn each_wrong_command_line_is_reported() {
    for (line, code, error) in [
        ("watch", 2, "watch needs the server's address: watch 127.0.0.1:5000"),
        (
            "watch nowhere",
            2,
            "ADDR takes an address such as 127.0.0.1:5000, or a port, not `nowhere`",
        ),
        ("watch 0", 2, "ADDR takes an address such as 127.0.0.1:5000, or a port, not `0`"),
        ("watch 127.0.0.1:0", 2, "not `127.0.0.1:0`"),
        ("watch 5000 5001", 2, "watch takes one address; `5001` is one too many"),
        ("watch 5000 --lisen 1", 2, "did you mean --listen?"),
        ("watch 5000 --idle-timeout 0", 2, "--idle-timeout takes a time in seconds"),
        (
            "watch no.such.host.invalid:5000",
            3,
            "cannot be reached: the host name no.such.host.invalid has no known address",
        ),
    ] {
        let ended = run(&mut openkitchen(line));
        assert_eq!((ended.code, &*ended.stdout), (Some(code), ""), "{line}");
        assert!(ended.stderr.contains(error), "{line}: {}", ended.stderr);
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ended = run(&mut openkitchen(&format!("watch 127.0.0.1:1 --listen {address}")));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("is in use"), "{}", ended.stderr);
    drop(taken);
    let free = free_address();
    let ended = run(&mut openkitchen(&format!("watch {free} --listen {free}")));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("would watch itself"), "{}", ended.stderr);
}

#[test]
fn the_port_file_has_the_bound_address() {
    let folder = Folder::new();
    let port = folder.file("port");
    fs::write(&port, "the address of an earlier run, and much longer than the new one\n").unwrap();
    let setup = Setup::new(&format!("--port-file {}", port.display()));
    setup.connect(); // the file is written before the first connection is accepted
    assert_eq!(fs::read_to_string(&port).unwrap(), format!("{}\n", setup.watch.address));
}

// A Flask server.

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
fn flask_sends_the_same_bytes_through_watch() {
    if !process::need("python3 with flask", "python3 -c 'import flask'") {
        return;
    }
    let folder = Folder::new();
    let flask = ServerProcess::start(Command::new("python3").args(["-c", FLASK]));
    let watch = watch(&flask.address.to_string(), &folder, "");

    // The same requests to Flask itself and through watch. Only the dates of the responses may differ.
    let content: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let post =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", content.len());
    let close = "Connection: close\r\n\r\n";
    for request in [
        [GET.as_bytes(), &post.into_bytes(), &content].concat(),
        format!("GET /stream HTTP/1.1\r\nHost: h\r\n{close}").into_bytes(),
        format!("GET /nothing HTTP/1.1\r\nHost: h\r\n{close}").into_bytes(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        b"what is this\r\n\r\n".to_vec(),
    ] {
        let [plain, watched] = [&flask, &watch].map(|server| responses(server.client(), &request));
        assert_eq!(without_dates(&watched), without_dates(&plain));
    }
    drop(flask);
    let Exit { code, stdout, stderr } = watch.stop();
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert_eq!(Transcript::parse(&stdout).unwrap().to_string(), stdout);
    assert!(stdout.contains("\nServer: Werkzeug/"), "{stdout}");
    let files = fs::read_dir(folder.file("wires")).unwrap();
    let recordings: Vec<Recording> =
        files.map(|file| Recording::read(&file.unwrap().path())).collect();
    assert_eq!(recordings.len(), 5);
    let all = recordings.iter().flat_map(Recording::assertions).collect::<Vec<_>>();
    assert!(
        all.iter().any(|assertion| assertion == "field Transfer-Encoding contains chunked"),
        "{all:?}"
    );
}

/// All bytes that the server sends. The half-close ends a connection that it would keep alive.
fn responses(mut client: Client, request: &[u8]) -> Vec<u8> {
    client.send(request);
    client.half_close();
    client.read_to_end()
}

fn without_dates(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    text.split("\\r\\n").filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn concurrent_connections_are_kept_apart() -> io::Result<()> {
    let setup = Setup::new("--no-trace");
    let echo = |mut stream: TcpStream| {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = read_once(&stream, &mut buffer) {
            if stream.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    };
    let listener = setup.listener.try_clone()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || echo(stream));
        }
    });
    let mut clients: Vec<TcpStream> = (0..100).map(|_| setup.watch.client().stream).collect();
    for round in 0..3 {
        for (at, client) in clients.iter_mut().enumerate() {
            client.write_all(format!("{round} from {at:03}").as_bytes())?;
        }
        for (at, client) in clients.iter_mut().enumerate() {
            let mut received = [0; 10];
            client.read_exact(&mut received)?;
            assert_eq!(received, format!("{round} from {at:03}").as_bytes());
        }
    }
    Ok(())
}
