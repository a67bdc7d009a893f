//! Tests of `openkitchen send`, with the real binary: against the site, and against small servers that
//! do what no correct server does.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use openkitchen::Transcript;
use openkitchen::transcript::{EventKind, Item, Side};

use crate::support::process::{
    Exit, Folder, ServerProcess, TIMEOUT, free_address, openkitchen, read_once, run, run_with_input,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Runs `send ADDR ...` with these bytes on stdin. The output must be a canonical transcript.
fn send(to: SocketAddr, arguments: &str, stdin: impl AsRef<[u8]>) -> Exit {
    canonical(send_unchecked(to, arguments, stdin))
}

/// The same without a check of the output: to parse many MiB would take seconds.
fn send_unchecked(to: SocketAddr, arguments: &str, stdin: impl AsRef<[u8]>) -> Exit {
    run_with_input(&mut openkitchen(&format!("send {to} {arguments}")), stdin)
}

/// Runs `send ADDR FILE ...`, with a file of this text.
fn play(to: SocketAddr, arguments: &str, file: &str) -> Exit {
    let folder = Folder::new();
    let path = folder.file("played.wire");
    fs::write(&path, file).unwrap();
    canonical(run(openkitchen(&format!("send {to} {arguments}")).arg(path)))
}

#[track_caller]
fn canonical(ended: Exit) -> Exit {
    assert_eq!(parse(&ended.stdout).to_string(), ended.stdout);
    ended
}

#[track_caller]
fn parse(text: &str) -> Transcript {
    Transcript::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Returns the bytes of one side, block by block.
fn blocks(ended: &Exit, side: Side) -> Vec<Vec<u8>> {
    let items = parse(&ended.stdout).items.into_iter();
    let blocks = items.filter_map(|item| match item {
        Item::Block(block) if block.from == side => block.bytes.expand(),
        _ => None,
    });
    blocks.collect()
}

/// Returns the transcript without times and ports, which no test can know.
fn without_times(ended: &Exit) -> String {
    let line = |line: &str| match line.split_once(" to 127.0.0.1:") {
        Some((open, _)) if line.starts_with("---") => open.to_owned() + "\n",
        _ => line.split(", +").next().unwrap().to_owned() + "\n",
    };
    ended.stdout.lines().map(line).collect()
}

/// Starts a server that accepts one connection.
fn server<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || serve(accept(&listener))))
}

/// Accepts the next connection, and fails if there is none in time.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let since = Instant::now();
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) => assert!(since.elapsed() < TIMEOUT, "no connection: {error}"),
        }
        thread::sleep(Duration::from_millis(2));
    };
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Reads exactly this many bytes.
fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Whether no byte arrives for 150 ms.
fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
    let is_silent = stream.peek(&mut [0]).is_err();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    is_silent
}

// What the server sends, and how the connection ends.

#[test]
fn the_response_of_the_site_and_its_close_are_printed() {
    let site = ServerProcess::start_site("");
    let request = "GET /about HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let ended = send(site.address, "", request);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(blocks(&ended, Side::Client), [request.as_bytes()]);
    assert!(blocks(&ended, Side::Server).concat().starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(ended.stdout.starts_with(&format!("--- open to {}, +", site.address)));
    assert!(ended.stdout.ends_with("--- server closed\n"), "{}", ended.stdout);
}

#[test]
fn the_output_can_be_sent_again() {
    let site = ServerProcess::start_site("");
    let request = "GET /about HTTP/1.1\r\nHost : h\r\n\r\n";
    let once = send(site.address, "--half-close", request);
    let again = play(site.address, "", &once.stdout);
    assert_eq!((once.code, again.code), (Some(0), Some(0)), "{}", again.stderr);
    assert_eq!(blocks(&again, Side::Client), [request.as_bytes()]);
    assert!(again.stdout.contains("--- client half-close\n"));
}

#[test]
fn each_read_is_printed_as_a_block_and_silence_ends_send() {
    let (address, server) = server(|mut stream| {
        read(&mut stream, GET.len());
        stream.write_all(&OK.as_bytes()[..40]).unwrap();
        thread::sleep(Duration::from_millis(150));
        stream.write_all(&OK.as_bytes()[40..]).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    let ended = send(address, "--timeout 0.7", GET);
    server.join().unwrap();
    assert_eq!(ended.code, Some(0), "the response is complete, though the server did not close");
    assert_eq!(
        without_times(&ended),
        "--- open\n\n>>> 27 bytes\nGET / HTTP/1.1\nHost: h\n\n<<< 40 bytes\nHTTP/1.1 200 OK\n\
         Content-Length: 5\n\nhe\\\n<<< 3 bytes\nllo\\\n--- silent 700ms\n"
    );
}

#[test]
fn the_exit_code_says_how_the_connection_ended() {
    type Serve = fn(&mut TcpStream);
    let cases: [(&str, Serve, i32, &str); 8] = [
        ("a complete response", |s| write(s, OK), 0, "server closed"),
        ("content up to the end", |s| write(s, "HTTP/1.0 200 OK\r\n\r\nhello"), 0, "server closed"),
        ("nothing", |_| {}, 4, "server closed"),
        ("half a response", |s| write(s, &OK[..40]), 4, "server closed"),
        ("no HTTP", |s| write(s, "SSH-2.0-OpenSSH_9\r\n"), 4, "server closed"),
        (
            "only an interim response",
            |s| write(s, "HTTP/1.1 100 Continue\r\n\r\n"),
            4,
            "server closed",
        ),
        (
            "silence",
            |s| while read_once(s, &mut [0; 99]).is_ok_and(|length| length > 0) {},
            3,
            "silent 400ms",
        ),
        (
            "half a response and silence",
            |s| {
                write(s, &OK[..20]);
                while read_once(s, &mut [0; 99]).is_ok_and(|length| length > 0) {}
            },
            3,
            "silent 400ms",
        ),
    ];
    for (what, serve, code, end) in cases {
        let (address, server) = server(move |mut stream| {
            read(&mut stream, GET.len());
            serve(&mut stream);
        });
        let timeout = if code == 3 { "--timeout 0.4" } else { "--timeout 9" };
        let ended = send(address, timeout, GET);
        server.join().unwrap();
        assert_eq!(ended.code, Some(code), "{what}: {}", ended.stdout);
        assert!(ended.stdout.ends_with(&format!("--- {end}\n")), "{what}: {}", ended.stdout);
    }
}

fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_reset_is_printed_as_a_reset() {
    for (response, code) in [("", 4), (&OK[..20], 4), ("HTTP/1.0 200 OK\r\n\r\nhello", 4), (OK, 0)]
    {
        let (address, server) = server(move |mut stream| {
            read(&mut stream, GET.len() - 1); // the last byte is left unread, so closing resets
            stream.write_all(response.as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(100));
        });
        let ended = send(address, "", GET);
        server.join().unwrap();
        assert_eq!(ended.code, Some(code), "{response}: {}", ended.stdout);
        assert_eq!(blocks(&ended, Side::Server).concat(), response.as_bytes());
        assert!(ended.stdout.ends_with("--- server reset\n"), "{}", ended.stdout);
    }
}

// How the bytes are sent.

#[test]
fn half_close_closes_the_sending_side() {
    let (address, server) = server(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
        all
    });
    let ended = send(address, "--half-close", GET);
    assert_eq!(server.join().unwrap(), GET.as_bytes());
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("--- client half-close\n\n<<< 43 bytes"), "{}", ended.stdout);
}

#[test]
fn slow_sends_byte_by_byte_and_prints_one_block() {
    let (address, server) = server(|mut stream| {
        read(&mut stream, GET.len());
        stream.write_all(OK.as_bytes()).unwrap();
    });
    let since = Instant::now();
    let ended = send(address, "--slow", GET);
    // TCP may join the bytes of many writes into one read, so only the time is tested.
    assert!(since.elapsed() > 26 * Duration::from_millis(5), "{:?}", since.elapsed());
    server.join().unwrap();
    assert_eq!(ended.code, Some(0));
    assert_eq!(blocks(&ended, Side::Client), [GET.as_bytes()]);
    assert!(ended.stdout.contains(">>> 27 bytes in 27 pieces, +"), "{}", ended.stdout);
}

#[test]
fn an_early_response_is_printed_where_it_was_received() {
    let (address, server) = server(|mut stream| {
        read(&mut stream, 3);
        stream.write_all(OK.as_bytes()).unwrap();
        read(&mut stream, GET.len() - 3);
    });
    let ended = send(address, "--slow", GET);
    server.join().unwrap();
    let [before, after] = &blocks(&ended, Side::Client)[..] else { panic!("{}", ended.stdout) };
    assert!(before.len() >= 3 && !after.is_empty());
    assert_eq!([&before[..], after].concat(), GET.as_bytes());
}

#[test]
fn neither_side_waits_for_ever() {
    const LENGTH: usize = 8 << 20;
    let (address, both_send) = server(|mut stream| {
        stream.write_all(&vec![b'x'; LENGTH]).unwrap(); // before it reads a byte
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all.len()
    });
    let ended = send_unchecked(address, "--half-close", vec![b'y'; LENGTH]);
    assert_eq!(both_send.join().unwrap(), LENGTH);
    assert!(ended.stdout.len() > 2 * LENGTH && ended.stdout.ends_with("--- server closed\n"));

    let (address, never_reads) = server(|stream| stream);
    let ended = send_unchecked(address, "--timeout 0.3", vec![b'y'; 2 * LENGTH]);
    drop(never_reads.join().unwrap());
    assert_eq!(ended.code, Some(3));
    assert!(ended.stdout.contains("bytes were not sent: the server does not read them"));
}

// Transcripts.

#[test]
fn the_client_waits_for_the_responses_of_the_file() {
    let file = format!(
        "# two requests, one after the other\n\n>>>\n{0}<<<\nHTTP/1.1 404 Not Found\n\
         Content-Length: 2\n\nno\\\n>>>\n{0}<<<\nHTTP/1.1 200 OK\nContent-Length: 0\n\n\
         --- client closed\n\n???\nstatus 200\n",
        GET.replace('\r', "")
    );
    let (address, server) = server(|mut stream| {
        read(&mut stream, GET.len());
        stream.write_all(&OK.as_bytes()[..40]).unwrap();
        let waits = is_silent(&mut stream);
        stream.write_all(&OK.as_bytes()[40..]).unwrap();
        read(&mut stream, GET.len());
        stream.write_all(OK.as_bytes()).unwrap();
        (waits, stream.read_to_end(&mut Vec::new()).unwrap())
    });
    let ended = play(address, "", &file);
    assert_eq!(
        server.join().unwrap(),
        (true, 0),
        "it waits for a complete response, whatever its bytes"
    );
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.ends_with("--- client closed\n"), "{}", ended.stdout);
}

#[test]
fn the_client_waits_for_the_end_of_a_response_longer_than_the_site_accepts() {
    let (many, long) = ("X: y\r\n".repeat(5000), "y".repeat(300 * 1024));
    let ok = "HTTP/1.1 200 OK\r\n";
    for response in [
        format!("{ok}{many}Content-Length: 5\r\n\r\nhello"),
        format!("{ok}X: {long}\r\nContent-Length: 5\r\n\r\nhello"),
        format!("{ok}Transfer-Encoding: chunked\r\n\r\n0;x={}\r\n{many}\r\n", &long[..9000]),
    ] {
        let (address, server) = server(move |mut stream| {
            read(&mut stream, GET.len());
            let (most, last) = response.split_at(response.len() - 1);
            write(&mut stream, most);
            assert!(is_silent(&mut stream), "the response has not ended");
            write(&mut stream, last);
            read(&mut stream, GET.len());
            write(&mut stream, OK);
        });
        let get = ">>>\nGET / HTTP/1.1\nHost: h\n\n";
        let file = format!("{get}<<<\nHTTP/1.1 204 No Content\n\n{get}<<<\nHTTP/1.1 204 N\n\n");
        let folder = Folder::new();
        let path = folder.file("played.wire");
        fs::write(&path, file).unwrap();
        let ended = run(openkitchen(&format!("send {address} --timeout 10")).arg(path));
        server.join().unwrap();
        assert!(ended.stdout.contains("\nhello\\\n"), "{:.300}", ended.stdout);
    }
}

#[test]
fn the_response_to_a_broken_head_request_has_no_content() {
    let request = "HEAD / HTTP/1.1\r\nHost : h\r\n\r\n";
    let response = "HTTP/1.1 400 Bad Request\r\nContent-Length: 150\r\n\r\n";
    let file = format!(">>>\n{request}<<<\n{response}--- client closed\n").replace('\r', "");
    let (address, server) = server(move |mut stream| {
        read(&mut stream, request.len());
        stream.write_all(response.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap()
    });
    let ended = play(address, "--timeout 9", &file);
    assert_eq!((server.join().unwrap(), ended.code), (0, Some(0)), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("--- client closed\n"), "{}", ended.stdout);

    let site = ServerProcess::start_site("");
    let ended = send(site.address, "", request);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(blocks(&ended, Side::Server).concat().ends_with(b"\r\n\r\n"), "{}", ended.stdout);
}

#[test]
fn the_client_waits_for_the_interim_response_of_the_file() {
    let head = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let file = format!(
        ">>>\n{}<<<\nHTTP/1.1 100 Continue\n\n>>>\nhi\\\n<<<\nHTTP/1.1 204 No Content\n\n",
        head.replace('\r', "")
    );
    let (address, server) = server(move |mut stream| {
        read(&mut stream, head.len());
        let waits = is_silent(&mut stream);
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let content = read(&mut stream, 2);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        (waits, content)
    });
    let ended = play(address, "", &file);
    assert_eq!(server.join().unwrap(), (true, b"hi".to_vec()));
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn a_file_can_wait_close_and_use_two_connections() {
    let file = "--- open\n--- @2 open\n>>> @2\na\n--- wait 200ms\n>>>\nb\n--- client half-close\n\
        <<<\nHTTP/1.0 200 OK\n\nfirst\n--- server closed\n--- @2 client closed\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut first, mut second) = (accept(&listener), accept(&listener));
        assert_eq!(read(&mut second, 3), b"a\r\n");
        let since = Instant::now();
        let mut all = Vec::new();
        first.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"b\r\n");
        let waited = since.elapsed();
        first.write_all(b"HTTP/1.0 200 OK\r\n\r\nany other").unwrap();
        first.shutdown(Shutdown::Both).unwrap();
        assert_eq!(second.read_to_end(&mut all).unwrap(), 0);
        waited
    });
    let ended = play(address, "", file);
    assert!(server.join().unwrap() > Duration::from_millis(150));
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let events: Vec<(u32, EventKind)> = parse(&ended.stdout)
        .items
        .into_iter()
        .filter_map(|item| match item {
            Item::Event(event) => Some((event.connection, event.kind)),
            _ => None,
        })
        .collect();
    let (client, server) = (Side::Client, Side::Server);
    assert_eq!(
        events,
        [
            (1, EventKind::Open),
            (2, EventKind::Open),
            (1, EventKind::HalfClose(client)),
            (1, EventKind::Closed(server)),
            (2, EventKind::Closed(client)),
        ]
    );
}

#[test]
fn a_response_with_more_than_is_followed_is_an_answer() {
    let long = "y".repeat(300 * 1024);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for response in [
        format!("{chunked}2\r\nok\r\n0\r\nX: {long}\r\n\r\n"),
        format!("{chunked}2;{long}\r\nok\r\n0\r\n\r\n"),
    ] {
        let (address, server) = server(move |mut stream| {
            read(&mut stream, GET.len());
            stream.write_all(response.as_bytes()).unwrap();
        });
        let ended = send_unchecked(address, "", GET);
        server.join().unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let said = "\n# the response has more than is followed here: a ";
        assert!(ended.stdout.contains(said), "{}", ended.stdout.len());
    }
}

#[test]
fn a_server_that_ends_before_the_client_has_sent_all_has_half_closed() {
    let file = format!(">>>\n{}--- wait 300ms\n>>>\nmore\n", GET.replace("\r\n", "\n"));
    let (address, server) = server(|mut stream| {
        read(&mut stream, GET.len());
        stream.write_all(OK.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut more = Vec::new();
        stream.read_to_end(&mut more).unwrap();
        more
    });
    let ended = play(address, "", &file);
    assert_eq!(server.join().unwrap(), b"more\r\n");
    let (end, more) = ("--- server half-close\n", "\n>>> 6 bytes, ");
    assert!(ended.stdout.find(end) < ended.stdout.find(more), "{}", ended.stdout);
    assert!(ended.stdout.contains(end) && !ended.stdout.contains("closed"), "{}", ended.stdout);
}

#[test]
fn bytes_after_a_reset_are_not_sent_and_are_counted() {
    let file = format!(">>>\n{0}--- server reset\n>>>\n{0}", GET.replace('\r', ""));
    let (address, server) = server(|mut stream| {
        read(&mut stream, GET.len() - 1);
    });
    let ended = play(address, "", &file);
    server.join().unwrap();
    assert_eq!(ended.code, Some(4));
    assert!(
        ended.stdout.ends_with(
            "--- server reset\n\n# 27 of 27 bytes were not sent: the server does not read them\n"
        ),
        "{}",
        ended.stdout
    );
}

// Errors.

#[test]
fn each_error_is_a_sentence() {
    let folder = Folder::new();
    let file = |name: &str, text: &str| {
        fs::write(folder.file(name), text).unwrap();
        folder.file(name).display().to_string()
    };
    let malformed = file("malformed.wire", "# t\n\nGET / HTTP/1.1\n");
    let left_out = file("left-out.wire", "# t\n\n>>>\nGET\n>>>\n\\{8 bytes}\\\n");
    let [empty, prose] = [file("empty.wire", ""), file("prose.wire", "# t\n\n???\nopen 1s\n")];
    let plain = file("plain.txt", "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let as_bytes = format!("\nto send its bytes: openkitchen send :5000 < {plain}\n");
    let latin = folder.file("latin.txt");
    fs::write(&latin, b"GET / HTTP/1.1\r\nX: \xe9\r\n\r\n").unwrap();
    let latin_as_bytes =
        format!("\nto send its bytes: openkitchen send 5000 < {}\n", latin.display());
    let closed = free_address();
    for (arguments, code, expected) in [
        (format!(":5000 {plain}"), 2, &*as_bytes),
        (format!("5000 {}", latin.display()), 2, &*latin_as_bytes),
        (String::new(), 2, "send needs the address of a server"),
        ("nowhere".into(), 2, "ADDR takes an address"),
        ("https://127.0.0.1:1/".into(), 2, "TLS"),
        ("5000 a b".into(), 2, "`b` is one too many"),
        ("5000 --slo".into(), 2, "did you mean --slow?"),
        ("5000 --timeout 0".into(), 2, "takes a time"),
        ("5000 /no/such.wire".into(), 2, "/no/such.wire: there is no such file"),
        (format!("5000 {malformed}"), 2, "malformed.wire: line 3: expected #, >>>"),
        (
            format!("5000 {left_out}"),
            2,
            "left-out.wire: line 5: 8 bytes of this block were left out",
        ),
        (format!("{closed} {empty}"), 2, "empty.wire: line 1: expected something to send"),
        (format!("{closed} {prose}"), 2, "prose.wire: line 1: expected something to send"),
        (format!("{closed}"), 3, "no server listens there"),
        (format!("http://{closed}/"), 3, &format!("cannot connect to {closed}")),
    ] {
        let ended = run(&mut openkitchen(&format!("send {arguments}")));
        assert_eq!(ended.code, Some(code), "{arguments}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{arguments}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    let help = run(&mut openkitchen("send --help"));
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("--half-close") && help.stdout.contains("4 it closed or reset"));
}

#[test]
fn a_reset_of_the_client_is_sent_by_send_and_by_check() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut ends = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            stream.write_all(b"hello\r\n").unwrap();
            let mut received = Vec::new();
            let end = stream.read_to_end(&mut received).map_err(|error| error.kind());
            ends.push((received, end));
        }
        ends
    });
    let file = ">>>\nGET\\\n<<<\nhello\n--- client reset\n";
    let ended = play(address, "", file);
    assert!(ended.stdout.ends_with("--- client reset\n"), "{}", ended.stdout);
    let folder = Folder::new();
    let path = folder.file("checked.wire");
    fs::write(&path, file).unwrap();
    let ended = run(openkitchen(&format!("check {address}")).arg(path));
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    for end in server.join().unwrap() {
        assert_eq!(end, (b"GET".to_vec(), Err(std::io::ErrorKind::ConnectionReset)));
    }
}
