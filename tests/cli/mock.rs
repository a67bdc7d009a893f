//! Tests of `openkitchen mock`, with the real binary: against curl, which has an exit code for each
//! fault; against small clients; and against `openkitchen send`, with the files of tests/exchanges.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::Transcript;
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Note, Side};

use crate::support::process::{
    Exit, Folder, ServerProcess, need, openkitchen, read_once, run, signal, skip,
};

const GET: &str = "GET / HTTP/1.1\nHost: h\nUser-Agent: any\nAccept: */*\n\n";

/// A running mock, and the folder of its file.
struct Mock {
    process: ServerProcess,
    _folder: Folder,
}

impl Mock {
    fn start(file: &str, flags: &str) -> Mock {
        let folder = Folder::new();
        let path = folder.file("played.wire");
        fs::write(&path, file).unwrap();
        let mut command = openkitchen(&format!("mock --timeout 5 {flags}"));
        Mock { process: ServerProcess::start(command.arg(path)), _folder: folder }
    }

    fn client(&self) -> TcpStream {
        self.process.client().stream
    }

    /// Waits for its end. The output must be a canonical transcript.
    #[track_caller]
    fn wait(self) -> Exit {
        canonical(self.process.wait())
    }
}

#[track_caller]
fn canonical(ended: Exit) -> Exit {
    let printed = Transcript::parse(&ended.stdout).map(|transcript| transcript.to_string());
    assert_eq!(printed.as_ref(), Ok(&ended.stdout));
    ended
}

/// Returns a transcript of a GET and these items of the server.
fn after_get(server: &str) -> String {
    format!("# a fault\n\n>>>\n{GET}{server}")
}

/// Returns the text with CR LF for each LF.
fn with_crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// Reads to the end. Returns the text, and whether the end was a reset.
fn rest(client: &mut TcpStream) -> (String, bool) {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    let is_reset = loop {
        match read_once(client, &mut buffer) {
            Ok(0) => break false,
            Ok(length) => all.extend_from_slice(&buffer[..length]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                break true;
            }
        }
    };
    (String::from_utf8(all).unwrap(), is_reset)
}

fn curl(mock: &ServerProcess, flags: &str) -> (Option<i32>, Vec<u8>, String) {
    let mut curl = Command::new("curl");
    curl.env("no_proxy", "*").args(["-q", "-sS", "-H", "Host: h"]).args(flags.split_whitespace());
    let output = curl.arg(format!("http://{}/", mock.address)).output().unwrap();
    (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

// Against curl.

#[test]
fn curl_has_the_right_exit_code_for_each_fault() {
    if !need("curl", "curl --version") {
        return;
    }
    const LENGTH: &str = "<<<\nHTTP/1.1 200 OK\nContent-Length: 100\n\nonly this\\\n";
    const CHUNKS: &str = "<<<\nHTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n";
    let closed = "--- server closed\n";
    let faults = [
        ("truncated content", format!("{LENGTH}{closed}"), "", &[18][..]),
        ("chunks without an end", format!("{CHUNKS}5\nhello\n{closed}"), "", &[18]),
        ("a bad chunk", format!("{CHUNKS}zwei\nhello\n0\n\n{closed}"), "", &[56]),
        ("no response", closed.into(), "", &[52]),
        ("a reset instead of a response", "--- server reset\n".into(), "", &[56]),
        ("a reset within content", format!("{LENGTH}--- server reset\n"), "", &[56]),
        ("a stall", "--- silent 60s\n".into(), "-m 1", &[28]),
        ("a stall within content", format!("{LENGTH}--- silent 60s\n"), "-m 1", &[28]),
        // For curl up to 7.x this is HTTP/0.9, a protocol that it does not support (1); for a newer one
        // it is a weird response (8).
        ("garbage", format!("<<<\ngarbage, and more of it\n{closed}"), "", &[1, 8]),
        ("an unknown version", format!("<<<\nHTTP/9.9 200 OK\n\n{closed}"), "", &[1, 8]),
        (
            "an invalid length",
            format!("<<<\nHTTP/1.1 200 OK\nContent-Length: -5\n\n{closed}"),
            "",
            &[8],
        ),
        ("a NUL in a field", format!("<<<\nHTTP/1.1 200 OK\nX: \\0\n\n{closed}"), "", &[8]),
        (
            "a head without an end",
            format!("<<<\nHTTP/1.1 200 OK\n\\{{40000 \"X: 12345678\\r\\n\"}}\n\n{closed}"),
            "",
            &[56],
        ),
        (
            "redirections without an end",
            format!("<<<\nHTTP/1.1 302 Found\nLocation: /\nContent-Length: 0\n\n{closed}"),
            "-L --max-redirs 0",
            &[47],
        ),
        (
            "a wrong length: too short",
            format!("<<<\nHTTP/1.1 200 OK\nContent-Length: 2\n\nhello\\\n{closed}"),
            "",
            &[0],
        ),
        (
            "content byte by byte",
            "<<<\nHTTP/1.1 200 OK\nContent-Length: 2\n\n--- wait 100ms\n<<<\nh\\\n--- wait 100ms\n<<<\ni\\\n"
                .into(),
            "",
            &[0],
        ),
    ];
    for (fault, server, flags, codes) in faults {
        let mock = Mock::start(&after_get(&server), "");
        let (code, _, stderr) = curl(&mock.process, flags);
        assert!(codes.contains(&code.unwrap()), "{fault}: {code:?}, {stderr}");
        let Exit { code, stdout, stderr } = mock.wait();
        assert_eq!(code, Some(0), "{fault}: {stdout}{stderr}");
        assert!(stdout.contains("\n# @1: as written\n"), "{fault}: {stdout}");
    }
}

/// Copies one connection of curl to the site. Returns the transcript, and what curl printed.
fn recorded(site: &ServerProcess, flags: &str) -> (Transcript, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = site.client().stream;
    let proxy = thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let items = Arc::new(Mutex::new(Vec::new()));
        let copy = |from: TcpStream, mut to: TcpStream, side: Side| {
            let items = Arc::clone(&items);
            thread::spawn(move || {
                let mut buffer = [0; 1000];
                while let Ok(length @ 1..) = read_once(&from, &mut buffer) {
                    let (connection, note) = (1, Note::default());
                    let bytes = Bytes::raw(&buffer[..length]);
                    items.lock().unwrap().push(Item::Block(Block {
                        connection,
                        from: side,
                        note,
                        bytes,
                    }));
                    let _ = to.write_all(&buffer[..length]);
                }
                let kind = EventKind::Closed(side);
                let (connection, note) = (1, Note::default());
                items.lock().unwrap().push(Item::Event(Event { connection, kind, note }));
                let _ = to.shutdown(Shutdown::Write);
            })
        };
        let requests = copy(client.try_clone().unwrap(), server.try_clone().unwrap(), Side::Client);
        let responses = copy(server, client, Side::Server);
        requests.join().unwrap();
        responses.join().unwrap();
        let items = std::mem::take(&mut *items.lock().unwrap());
        Transcript { items }
    });
    let mut curl = Command::new("curl");
    curl.env("no_proxy", "*").args(["-q", "-sSi"]).args(flags.split_whitespace());
    let output = curl.arg(format!("http://{address}/about")).output().unwrap();
    assert!(output.status.success());
    (proxy.join().unwrap(), output.stdout)
}

#[test]
fn curl_prints_the_same_bytes_from_the_site_and_from_its_mock() {
    if !need("curl", "curl --version") {
        return;
    }
    let site = ServerProcess::start_site("");
    for flags in ["", "-I", "-d author=me&text=hello", "-H Expect:100-continue -d x=1", "--http1.0"]
    {
        let (transcript, output) = recorded(&site, flags);
        let mock = Mock::start(&transcript.to_string(), "");
        let mut curl = Command::new("curl");
        curl.env("no_proxy", "*").args(["-q", "-sSi"]).args(flags.split_whitespace());
        let again = curl.arg(format!("http://{}/about", mock.process.address)).output().unwrap();
        assert!(again.stdout == output, "{flags}: {}", again.stdout.escape_ascii());
        let Exit { code, stdout, .. } = mock.wait();
        assert_eq!(code, Some(0), "{flags}: {stdout}\n{transcript}");
    }
}

// Against `send`.

/// Plays each short file of tests/exchanges on both sides: `send` is the client of `mock`. The bytes of
/// both sides must be those of the file.
#[test]
fn send_and_mock_play_both_sides_of_a_file() {
    let files: Vec<PathBuf> =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchanges"))
            .unwrap()
            .flat_map(|topic| fs::read_dir(topic.unwrap().path()).unwrap())
            .map(|file| file.unwrap().path())
            .filter(|file| is_short(file))
            .collect();
    assert!(files.len() > 50, "only {} files", files.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    play_both_sides(file);
                }
            });
        }
    });
}

/// Whether the file has one connection, which the server ends, and no waits.
fn is_short(file: &Path) -> bool {
    let transcript = Transcript::parse(&fs::read_to_string(file).unwrap()).unwrap();
    let items =
        transcript.items.iter().filter(|item| matches!(item, Item::Block(_) | Item::Event(_)));
    let ends = matches!(
        items.clone().next_back(),
        Some(Item::Event(Event {
            kind: EventKind::Closed(Side::Server) | EventKind::Reset(Side::Server),
            ..
        }))
    );
    ends && items.clone().all(|item| match item {
        Item::Block(block) => block.connection == 1 && block.bytes.expand().is_some(),
        Item::Event(event) => !matches!(event.kind, EventKind::Wait(_) | EventKind::Silent(_)),
        _ => true,
    })
}

fn play_both_sides(file: &Path) {
    let mock = ServerProcess::start(openkitchen("mock").arg(file));
    let mut send = openkitchen(&format!("send {} --timeout 10", mock.address));
    let sent = canonical(run(send.arg(file)));
    let mocked = canonical(mock.wait());
    let all = format!("{}\n{}\n{}", file.display(), sent.stdout, mocked.stdout);
    assert_eq!((mocked.code, mocked.stderr.as_str()), (Some(0), ""), "{all}");
    let bytes = |text: &str, side: Side| {
        let items = Transcript::parse(text).unwrap().items.into_iter();
        let blocks = items.filter_map(|item| match item {
            Item::Block(block) if block.from == side => block.bytes.expand(),
            _ => None,
        });
        blocks.collect::<Vec<_>>().concat()
    };
    let text = fs::read_to_string(file).unwrap();
    for side in [Side::Client, Side::Server] {
        assert!(bytes(&sent.stdout, side) == bytes(&text, side), "{side}: {all}");
    }
    let end = text.lines().rfind(|line| line.starts_with("--- server")).unwrap();
    assert!(sent.stdout.ends_with(&format!("{end}\n")), "{all}");
}

// What the client sends.

#[test]
fn a_whole_request_is_awaited_and_the_difference_is_printed() {
    let file = ">>>\nPOST /a HTTP/1.1\nHost: localhost:5000\nUser-Agent: curl/8.0\n\
        Content-Length: 5\n\nhello\\\n<<<\nHTTP/1.1 204 No Content\n\n--- server closed\n";
    let mock = Mock::start(file, "");
    let mut client = mock.client();
    let request = with_crlf("POST /a HTTP/1.1\nHost: localhost:1234\nContent-Length: 22\n\n");
    for part in [&request[..30], &request[30..], "a longer one than", " five"] {
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(client.peek(&mut [0]).is_err(), "it responds before {part:?}");
        client.write_all(part.as_bytes()).unwrap();
    }
    client.set_read_timeout(None).unwrap();
    assert_eq!(rest(&mut client), (with_crlf("HTTP/1.1 204 No Content\n\n"), false));
    drop(client);
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(1));
    assert!(
        stdout.ends_with(
            "# @1: request 1 differs at byte 56:\n\
             #   expected: Content-Length: 5\\r\\n\n\
             #   got:      Content-Length: 22\\r\\n\n\
             #                             ^\n"
        ),
        "{stdout}"
    );
}

#[test]
fn assertions_are_tested_on_the_request_instead_of_its_bytes() {
    let response = "<<<\nHTTP/1.1 204 No Content\n\n";
    let group = "???\nmethod PUT|POST\ntarget contains /b\nfield Content-Type contains json\n\
        body contains \"{\\\"é\\\"\"\n\n";
    let request = "POST /b?c HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
        Content-Length: 8\r\n\r\n{\"é\":1}";
    for file in [
        format!("# other bytes\n\n>>>\n{GET}{group}{response}"),
        // Without a `>>>`, any request will do.
        format!("# no bytes\n\n{group}{response}"),
    ] {
        let mock = Mock::start(&file, "");
        let mut client = mock.client();
        let (head, content) = request.split_at(request.len() - 3);
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(content.as_bytes()).unwrap();
        assert_eq!(rest(&mut client).0, "HTTP/1.1 204 No Content\r\n\r\n");
        let ended = mock.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.stdout);
        assert!(ended.stdout.ends_with("# @1: as written\n"), "{}", ended.stdout);

        let mock = Mock::start(&file, "");
        let mut client = mock.client();
        client.write_all(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        assert_eq!(rest(&mut client).0, "HTTP/1.1 204 No Content\r\n\r\n");
        let ended = mock.wait();
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        let said = "# @1: `method PUT|POST` is not true: the method is GET\n\
            # @1: `field Content-Type contains json` is not true: there is no such field\n\
            # @1: `body contains \"{\\\"é\\\"\"` is not true: the content is \"\"\n";
        assert!(ended.stdout.ends_with(said), "{}", ended.stdout);
    }
    // Requests count from the last group, of either kind.
    let second = format!("{response}???\nstatus 204\nmethod GET\n\n???\nmethod HEAD\n\n{response}");
    let mock = Mock::start(&format!("# two\n\n???\nmethod GET\n\n{second}"), "");
    let mut client = mock.client();
    let requests = ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"];
    client.write_all(requests.concat().as_bytes()).unwrap();
    assert_eq!(rest(&mut client).0, "HTTP/1.1 204 No Content\r\n\r\n".repeat(2));
    let ended = mock.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);

    let broken = Mock::start(&format!("# t\n\n{group}{response}"), "");
    let mut client = broken.client();
    client.write_all(b"GET / HTTP/1.1\r\nHost : h\r\n\r\n").unwrap();
    assert_eq!(rest(&mut client).0, "HTTP/1.1 204 No Content\r\n\r\n");
    let ended = broken.wait();
    assert!(ended.stdout.contains("is not true: 0 requests were received"), "{}", ended.stdout);
}

#[test]
fn assertions_are_tested_on_a_request_that_the_site_would_refuse_as_too_long() {
    let (many, long) = ("X: y\r\n".repeat(101), "y".repeat(300 * 1024));
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5";
    for rest_of_request in [
        format!("{many}Content-Length: 5\r\n\r\nhello"),
        format!("X: {long}\r\nContent-Length: 5\r\n\r\nhello"),
        format!("{chunked};x={}\r\nhello\r\n0\r\n\r\n", &long[..5 * 1024]),
        format!("{chunked}\r\nhello\r\n0\r\nX: {}\r\n\r\n", &long[..9 * 1024]),
    ] {
        let group = "???\nmethod POST\nbody \"hello\"\n\n<<<\nHTTP/1.1 204 No Content\n\n";
        let mock = Mock::start(&format!("# long\n\n{group}"), "");
        let mut client = mock.client();
        let request = format!("POST / HTTP/1.1\r\nHost: h\r\n{rest_of_request}");
        client.write_all(request.as_bytes()).unwrap();
        assert_eq!(rest(&mut client).0, "HTTP/1.1 204 No Content\r\n\r\n");
        let ended = mock.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    }
}

#[test]
fn a_page_without_requests_answers_any_request_with_the_next_response() {
    let (ok, empty) =
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nok\\\n", "HTTP/1.1 204 No Content\n\n");
    let file =
        format!("# any\n\n--- wait 1s\n<<<\n{ok}<<<\n{empty}???\nmethod PUT\n\n<<<\n{empty}");
    let mock = Mock::start(&file, "");
    let mut client = mock.client();
    let since = Instant::now();
    // The content of the first request arrives late, and the second request with it.
    client.write_all(b"POST /1 HTTP/1.1\r\nContent-Length: 4\r\n\r\n12").unwrap();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let early = client.read(&mut [0]).map_err(|error| error.kind());
    assert!(matches!(early, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{early:?}");
    client.write_all(b"34GET /2 HTTP/1.1\r\n\r\nPUT /3 HTTP/1.1\r\n\r\n").unwrap();
    client.set_read_timeout(None).unwrap();
    let expected = format!("{ok}{empty}{empty}").replace('\n', "\r\n").replace("\\\r\n", "");
    assert_eq!(rest(&mut client), (expected, false));
    assert!(since.elapsed() >= Duration::from_secs(1), "the wait is kept");
    let ended = mock.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);

    let mock = Mock::start(&format!("<<<\nHTTP/1.1 100 Continue\n\n<<<\n{empty}"), "");
    let mut client = mock.client();
    client.write_all(b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\n").unwrap();
    let mut interim = [0; 25];
    client.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n", "it is sent before the content");
    client.write_all(b"hi").unwrap();
    assert_eq!(rest(&mut client).0, "HTTP/1.1 204 No Content\r\n\r\n");
    let ended = mock.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn a_request_can_be_awaited_before_a_close_and_any_may_be_sent_before_a_silence() {
    for (file, code) in [
        ("???\nmethod GET\n\n--- server closed\n", 0),
        ("???\nmethod PUT\n\n--- server closed\n", 1),
        // `status` is about the response, and `method` about the request that it answers.
        ("???\nmethod GET\nstatus 204\n\n<<<\nHTTP/1.1 204 No Content\n\n--- server closed\n", 0),
        ("--- silent 1s\n--- server closed\n", 0),
    ] {
        let mock = Mock::start(file, "");
        let mut client = mock.client();
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let received = rest(&mut client).0;
        assert_eq!(received.is_empty(), !file.contains("<<<"), "{file}: {received}");
        drop(client);
        let ended = mock.wait();
        assert_eq!(ended.code, Some(code), "{file}: {}", ended.stdout);
    }
}

#[test]
fn a_client_that_waits_for_100_continue_is_tested_on_its_whole_request() {
    let response = "<<<\nHTTP/1.1 100 Continue\n\n<<<\nHTTP/1.1 204 No Content\n\n";
    let mock = Mock::start(&format!("???\nmethod PUT\nbody \"hi\"\n\n{response}"), "");
    let mut client = mock.client();
    client.write_all(b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\n").unwrap();
    client.read_exact(&mut [0; 25]).unwrap();
    client.write_all(b"hi").unwrap();
    assert_eq!(rest(&mut client).0, "HTTP/1.1 204 No Content\r\n\r\n");
    let ended = mock.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    // Both in one block: the whole request is awaited.
    let both = response.replacen("\n\n<<<\n", "\n\n", 1);
    let mock = Mock::start(&both, "");
    let mut client = mock.client();
    client.write_all(b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\n").unwrap();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(client.read(&mut [0]).is_err(), "the content has not arrived");
    client.set_read_timeout(None).unwrap();
    client.write_all(b"hi").unwrap();
    assert!(rest(&mut client).0.ends_with("HTTP/1.1 204 No Content\r\n\r\n"));
    assert_eq!(mock.wait().code, Some(0));
}

#[test]
fn bytes_that_are_no_request_are_a_difference_and_an_empty_group_says_nothing() {
    let empty = "<<<\nHTTP/1.1 204 No Content\n\n";
    for sent in ["hello\r\n", "\x16\x03\x01\r\n", "GET / HTTP/1.1\r\nHost : h\r\n\r\n"] {
        let mock = Mock::start(empty, "");
        let mut client = mock.client();
        client.write_all(sent.as_bytes()).unwrap();
        rest(&mut client);
        let ended = mock.wait();
        assert_eq!(ended.code, Some(1), "{sent}");
        assert!(ended.stdout.ends_with("# @1: request 1 is no HTTP request\n"), "{}", ended.stdout);
    }
    let mock = Mock::start(&format!(">>>\n{GET}???\n\n{empty}"), "");
    let mut client = mock.client();
    client.write_all(with_crlf(&GET.replace("GET /", "GET /other")).as_bytes()).unwrap();
    rest(&mut client);
    let ended = mock.wait();
    assert_eq!(ended.code, Some(1), "the bytes are compared: {}", ended.stdout);
}

#[test]
fn long_content_of_which_an_assertion_is_not_true_is_cut() {
    let mock = Mock::start("???\nbody \"x\"\n\n<<<\nHTTP/1.1 204 No Content\n\n", "");
    let mut client = mock.client();
    let content = "y".repeat(1000);
    let request = format!("POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{content}");
    client.write_all(request.as_bytes()).unwrap();
    rest(&mut client);
    let stdout = mock.wait().stdout;
    let cut = format!("the content is \"{}\" and 940 bytes more\n", "y".repeat(60));
    assert!(stdout.ends_with(&cut), "{stdout}");
}

#[test]
fn a_response_after_a_silence_needs_no_request() {
    let file =
        "# a timeout\n\n--- silent 1s\n<<<\nHTTP/1.1 408 Request Timeout\n\n--- server closed\n";
    let mock = Mock::start(file, "");
    let mut client = mock.client();
    assert_eq!(rest(&mut client).0, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    drop(client);
    assert_eq!(mock.wait().code, Some(0));
}

#[test]
fn assertions_before_a_response_are_about_the_request_that_it_answers() {
    let empty = "<<<\nHTTP/1.1 204 No Content\n\n";
    let mock = Mock::start(&format!("{empty}???\nfield X is 2\n\n{empty}"), "");
    let mut client = mock.client();
    client.write_all(b"GET / HTTP/1.1\r\nX: 1\r\n\r\nGET / HTTP/1.1\r\nX: 2\r\n\r\n").unwrap();
    assert_eq!(rest(&mut client).0, "HTTP/1.1 204 No Content\r\n\r\n".repeat(2));
    let ended = mock.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn bytes_that_are_no_message_are_awaited_by_their_number() {
    let mock = Mock::start(">>>\nEHLO me\n<<<\n250 you\n>>>\nQUIT\n--- server closed\n", "");
    let mut client = mock.client();
    client.write_all(b"EHLO ME\r\n").unwrap();
    let mut reply = [0; 9];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"250 you\r\n");
    client.write_all(b"QUIT\r\n").unwrap();
    assert_eq!(rest(&mut client), (String::new(), false));
    drop(client);
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("\n#   expected: EHLO me\\r\\n\n#   got:      EHLO ME\\r\\n\n"),
        "{stdout}"
    );
    assert!(stdout.contains("\n#                  ^\n"), "{stdout}");
}

#[test]
fn pipelined_requests_are_answered_one_by_one_and_surplus_is_printed() {
    let mock =
        Mock::start(&after_get(&format!("<<<\n1\\\n>>>\n{GET}<<<\n2\\\n--- server closed\n")), "");
    let mut client = mock.client();
    client.write_all(with_crlf(&format!("{GET}{GET}surplus")).as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut client), ("12".into(), false));
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(1));
    assert!(stdout.ends_with("\n# @1: the client sent more, 7 bytes: surplus\n"), "{stdout}");
}

#[test]
fn content_is_read_after_the_interim_response() {
    let file = ">>>\nPUT / HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\n\n<<<\n\
        HTTP/1.1 100 Continue\n\n>>>\nhi\\\n<<<\nHTTP/1.1 204 No Content\n\n--- client closed\n";
    let mock = Mock::start(file, "");
    let mut client = mock.client();
    let head = with_crlf("PUT / HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\n\n");
    client.write_all(head.as_bytes()).unwrap();
    client.read_exact(&mut [0; 25]).unwrap();
    client.write_all(b"hi").unwrap();
    client.read_exact(&mut [0; 27]).unwrap();
    drop(client);
    assert_eq!(mock.wait().code, Some(0));
}

#[test]
fn a_client_that_stalls_closes_early_or_never_connects_is_reported() {
    let mock = Mock::start(&after_get("<<<\nno\\\n--- server closed\n"), "--timeout 0.5");
    let mut client = mock.client();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(3));
    assert!(
        stdout.contains(
            "@1: timed out after 500ms: 16 bytes of request 1 were received, and it is not complete"
        ),
        "{stdout}"
    );

    let mock = Mock::start(&after_get("<<<\nno\\\n--- server closed\n"), "");
    let mut client = mock.client();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    drop(client);
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("@1: the client closed the connection early: 16 bytes of request 1"),
        "{stdout}"
    );

    let mock = Mock::start(&after_get("<<<\nno\\\n--- client closed\n"), "--timeout 0.5");
    let mut client = mock.client();
    client.write_all(with_crlf(GET).as_bytes()).unwrap();
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(3));
    assert!(stdout.contains("the client did not close the connection"), "{stdout}");

    let Exit { code, stdout, .. } = Mock::start(&after_get(""), "--timeout 0.5").wait();
    assert_eq!(code, Some(3));
    assert!(
        stdout.ends_with("\n# 0 of 1 connection was opened, then none for 500ms\n"),
        "{stdout}"
    );
}

// What the server sends.

#[test]
fn each_block_is_one_write_after_its_wait() {
    let mock =
        Mock::start(&after_get("<<<\none\n--- wait 200ms\n<<<\ntwo\n--- server closed\n"), "");
    let mut client = mock.client();
    let since = Instant::now();
    client.write_all(with_crlf(GET).as_bytes()).unwrap();
    let mut buffer = [0; 99];
    assert_eq!(read_once(&client, &mut buffer).unwrap(), 5);
    assert_eq!(rest(&mut client), ("two\r\n".into(), false));
    assert!(since.elapsed() > Duration::from_millis(150));
    drop(client);
    assert_eq!(mock.wait().code, Some(0));
}

#[test]
fn a_half_closed_server_still_reads_and_a_silent_one_stays_open() {
    let file = after_get(
        "<<<\nbye\\\n--- server half-close\n>>>\nthanks\\\n--- silent 200ms\n--- server closed\n",
    );
    let mock = Mock::start(&file, "");
    let mut client = mock.client();
    client.write_all(with_crlf(GET).as_bytes()).unwrap();
    assert_eq!(rest(&mut client), ("bye".into(), false));
    client.write_all(b"thanks").unwrap();
    assert_eq!(mock.wait().code, Some(0));

    let mock = Mock::start(&after_get("<<<\nwait\\\n--- silent 300ms\n--- server closed\n"), "");
    let mut client = mock.client();
    let since = Instant::now();
    client.write_all(with_crlf(GET).as_bytes()).unwrap();
    assert_eq!(rest(&mut client), ("wait".into(), false));
    assert!(since.elapsed() > Duration::from_millis(250));
    drop(client);
    assert_eq!(mock.wait().code, Some(0));
}

#[test]
fn the_reset_follows_the_bytes() {
    for (server, bytes) in [
        ("--- server reset\n", ""),
        ("<<<\nhalf\\\n--- server reset\n", "half"),
        (
            "<<<\nhalf\\\n--- wait 100ms\n<<<\nmore\\\n--- silent 100ms\n--- server reset\n",
            "halfmore",
        ),
    ] {
        let mock = Mock::start(&after_get(server), "");
        let mut client = mock.client();
        client.write_all(with_crlf(GET).as_bytes()).unwrap();
        assert_eq!(rest(&mut client), (bytes.into(), true), "{server}");
        let Exit { code, stdout, .. } = mock.wait();
        assert_eq!(code, Some(0), "{stdout}");
    }
    // Without a request in the file, the client may send a byte before the reset.
    let mock = Mock::start("--- server reset\n", "");
    let mut client = mock.client();
    client.write_all(b"G").unwrap();
    assert_eq!(rest(&mut client), (String::new(), true));
    assert_eq!(mock.wait().code, Some(0));
}

#[test]
fn connections_are_played_in_the_order_of_the_file() {
    let file = format!(
        "{}--- @2 open\n>>> @2\n{GET}<<< @2\nsecond\\\n--- @2 server closed\n",
        after_get("<<<\nfirst\\\n--- server closed\n")
    );
    let mock = Mock::start(&file, "");
    for response in ["first", "second"] {
        let mut client = mock.client();
        client.write_all(with_crlf(GET).as_bytes()).unwrap();
        assert_eq!(rest(&mut client), (response.into(), false));
    }
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("# @1: as written\n") && stdout.contains("# @2: as written\n"));
}

#[test]
fn loop_plays_connections_in_parallel_until_a_signal() {
    for (path, code) in [("/", 0), ("/other", 1)] {
        let mock =
            Mock::start(&after_get("<<<\nhello\\\n--- server closed\n"), "--loop --timeout 1");
        thread::sleep(Duration::from_millis(1200)); // longer than the timeout: the mock goes on
        let mut clients: Vec<TcpStream> = (0..5).map(|_| mock.client()).collect();
        for client in clients.iter_mut().rev() {
            let get = with_crlf(&GET.replacen('/', path, 1));
            client.write_all(get.as_bytes()).unwrap();
            assert_eq!(rest(client), ("hello".into(), false));
        }
        drop(clients);
        let mut process = mock.process;
        for _ in 0..5 {
            process.wait_for_line("# @1");
        }
        assert_eq!(process.stop().code, Some(code));
    }
}

// Connections that a client keeps.

const OK: &str = "HTTP/1.1 200 OK\nContent-Length: 2\n\nok\\\n";

/// What a client receives of [`OK`].
const RECEIVED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Sends a request on a kept connection, and reads the response.
#[track_caller]
fn exchange(client: &mut TcpStream, request: &str) {
    client.write_all(with_crlf(request).as_bytes()).unwrap();
    let mut response = [0; RECEIVED.len()];
    client.read_exact(&mut response).unwrap();
    assert_eq!(String::from_utf8_lossy(&response), RECEIVED);
}

#[test]
fn with_loop_the_next_request_on_a_kept_connection_plays_the_page_again() {
    for end in ["", "--- client closed\n", "???\nstatus 200\n"] {
        let mut mock = Mock::start(&after_get(&format!("<<<\n{OK}{end}")), "--loop").process;
        let mut client = mock.client().stream;
        exchange(&mut client, GET);
        if !end.contains("client closed") {
            assert_eq!(mock.wait_for_line("# @1"), ": as written", "it is said at once");
        }
        exchange(&mut client, GET);
        // Two requests in one write.
        client.write_all(with_crlf(&GET.repeat(2)).as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&mut client), (RECEIVED.repeat(2), false));
        for _ in 0..3 {
            assert_eq!(mock.wait_for_line("# @1, again"), ": as written", "{end}");
        }
        let ended = canonical(mock.stop());
        assert_eq!(ended.code, Some(0), "{end}: {}", ended.stdout);
    }
    let mut mock = Mock::start(&after_get(&format!("<<<\n{OK}")), "--loop").process;
    let mut client = mock.client().stream;
    exchange(&mut client, GET);
    exchange(&mut client, &GET.replace("GET /", "GET /other"));
    assert_eq!(mock.wait_for_line("# @1, again"), ": request 1 differs at byte 5:");
    assert_eq!(mock.stop().code, Some(1));
}

#[test]
fn without_loop_the_connection_is_closed_at_once_and_a_further_request_is_told() {
    for end in ["", "--- client closed\n", "???\nstatus 200\n"] {
        let mock = Mock::start(&after_get(&format!("<<<\n{OK}{end}")), "");
        let mut client = mock.client();
        let since = Instant::now();
        exchange(&mut client, GET);
        if end.contains("client closed") {
            client.write_all(with_crlf(GET).as_bytes()).unwrap();
        }
        assert_eq!(rest(&mut client), (String::new(), false));
        // A wait for a further request would last 30 s.
        assert!(since.elapsed() < Duration::from_millis(1500), "{end}: {:?}", since.elapsed());
        let _ = client.write_all(with_crlf(GET).as_bytes());
        drop(client);
        let ended = mock.wait();
        assert_eq!(ended.code, Some(1), "{end}: {}", ended.stdout);
        assert!(ended.stdout.contains("# @1: the client sent more, "), "{end}: {}", ended.stdout);
    }
}

#[test]
fn a_looping_mock_closes_at_once_where_http_does_not_keep_the_connection() {
    let [get_10, keep_10] =
        ["", "Connection: keep-alive\n"].map(|field| format!("GET / HTTP/1.0\nHost: h\n{field}\n"));
    let kept = OK.replace("Content", "Connection: keep-alive\nContent");
    for (request, response, is_kept) in [
        (GET, OK.to_owned(), true),
        (&*keep_10, kept.clone(), true),
        // ab -k reads to the end, unless the response says that the connection stays.
        (&keep_10, OK.into(), false),
        (&get_10, kept, false),
        (GET, OK.replace("Content", "Connection: close\nContent"), false),
        (GET, OK.replace("1.1", "1.0"), false),
        (GET, "HTTP/1.1 200 OK\n\nto the end\\\n".into(), false),
        (GET, format!("{OK}--- server half-close\n"), false),
        (GET, format!("{OK}???\nstatus 200\nclosed\n"), false),
        ("hello\n", "hi\\\n".into(), false),
    ] {
        let mock = Mock::start(&format!("# t\n\n>>>\n{request}<<<\n{response}"), "--loop");
        let mut client = mock.client();
        client.write_all(with_crlf(request).as_bytes()).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let (mut received, mut last) = (Vec::new(), None);
        let mut buffer = [0; 4096];
        while last.is_none() {
            match client.read(&mut buffer) {
                Ok(0) => last = Some(false),
                Ok(length) => received.extend_from_slice(&buffer[..length]),
                Err(_) => last = Some(true),
            }
        }
        assert!(!received.is_empty());
        assert_eq!(last, Some(is_kept), "{request}{response}");
        drop(client);
        assert_eq!(mock.process.stop().code, Some(0), "{request}{response}");
    }
}

#[test]
fn a_spare_connection_takes_no_page_of_a_mock() {
    let mock = Mock::start(&after_get(&format!("<<<\n{OK}")), "--timeout 20").process;
    let spare = mock.client();
    let mut client = mock.client().stream;
    exchange(&mut client, GET);
    drop(client);
    let ended = mock.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let unused = ": nothing was played, because the client sent no byte\n";
    assert_eq!(ended.stdout.matches(unused).count(), 1, "{}", ended.stdout);
    drop(spare);
}

#[test]
fn a_connection_without_a_byte_is_no_failure_of_a_looping_mock() {
    let mut mock = Mock::start(&after_get(&format!("<<<\n{OK}")), "--loop --timeout 0.3").process;
    let spare = mock.client();
    drop(spare);
    let idle = mock.client();
    for _ in 0..2 {
        let line = mock.wait_for_line("# @1");
        assert!(line.ends_with(": nothing was played, because the client sent no byte"), "{line}");
    }
    drop(idle);
    let mut client = mock.client().stream;
    exchange(&mut client, GET);
    drop(client);
    assert_eq!(mock.wait_for_line("# @1"), " as connection 3: as written");
    assert_eq!(mock.stop().code, Some(0));
    // A client that has begun a request has failed.
    let mut mock = Mock::start(&after_get(&format!("<<<\n{OK}")), "--loop").process;
    mock.client().send("G");
    mock.wait_for_line("# @1: the client closed the connection early");
    assert_eq!(mock.stop().code, Some(1));
}

/// Three requests with each client that keeps its connections. Each prints `okokok`.
const POOLS: [(&str, &str, &str); 4] = [
    (
        "python3",
        "import http.client",
        "import sys, http.client\n\
         c = http.client.HTTPConnection(sys.argv[1])\n\
         for _ in range(3):\n c.request('GET', '/')\n print(c.getresponse().read().decode(), end='')",
    ),
    (
        "python3",
        "import requests",
        "import sys, requests\n\
         s = requests.Session()\n\
         s.trust_env = False\n\
         for _ in range(3): print(s.get(f'http://{sys.argv[1]}/', timeout=5).text, end='')",
    ),
    (
        "node",
        "",
        "const http = require('http'), agent = new http.Agent({ keepAlive: true, maxSockets: 1 });\n\
         const get = () => new Promise((resolve, reject) => http.get(`http://${process.argv[1]}/`,\n\
           { agent }, (r) => { let all = ''; r.on('data', (d) => all += d); r.on('end', () => resolve(all)); })\n\
           .on('error', reject));\n\
         (async () => { let all = ''; for (let i = 0; i < 3; i++) all += await get();\n\
           process.stdout.write(all); agent.destroy(); })();",
    ),
    (
        "node",
        "if (!globalThis.fetch) process.exit(1)",
        "(async () => { let all = '';\n\
           for (let i = 0; i < 3; i++) all += await (await fetch(`http://${process.argv[1]}/`)).text();\n\
           process.stdout.write(all); process.exit(); })();",
    ),
];

#[test]
fn clients_that_pool_their_connections_work_with_loop() {
    let page = format!("# any\n\n???\nmethod GET\ntarget is /\n\n<<<\n{OK}");
    for (program, attempt, client) in POOLS {
        let flag = if program == "node" { "-e" } else { "-c" };
        let mut try_it = Command::new(program);
        let can = try_it.args([flag, attempt]).output().is_ok_and(|tried| tried.status.success());
        if !can {
            skip(&format!("{program}: {attempt}"));
            continue;
        }
        let mut mock = Mock::start(&page, "--loop").process;
        let mut command = Command::new(program);
        let output = command.args([flag, client, &mock.address.to_string()]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text, "okokok", "{program}: {}", String::from_utf8_lossy(&output.stderr));
        for _ in 0..3 {
            let line = mock.wait_for_line("# @1");
            assert!(line.ends_with(": as written"), "{program}: {line}");
        }
        let ended = mock.stop();
        assert_eq!(ended.code, Some(0), "{program}: {}", ended.stdout);
        assert!(ended.stdout.contains(", again: as written"), "{program}: {}", ended.stdout);
    }
}

// Errors.

#[test]
fn each_error_is_a_sentence() {
    let folder = Folder::new();
    let file = |name: &str, text: &str| {
        fs::write(folder.file(name), text).unwrap();
        folder.file(name).display().to_string()
    };
    let malformed = file("malformed.wire", "# t\n\n<<<\n\\q\n");
    let left_out = file("left-out.wire", &after_get("<<<\nHTTP/1.1 200 OK\n\n\\{8412 bytes}\\\n"));
    let empty = file("empty.wire", "# only prose\n");
    let good = file("good.wire", &after_get("--- server closed\n"));
    let empty_folder = folder.file("empty");
    fs::create_dir(&empty_folder).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = listener.local_addr().unwrap();
    for (arguments, expected) in [
        (String::new(), "mock needs a transcript"),
        ("- -".into(), "give `-` once"),
        (
            folder.file("").display().to_string() + " --ignore a,,b",
            "--ignore takes names of header",
        ),
        (format!("{good} --exact --ignore Host"), "--exact compares every field, so --ignore"),
        (empty_folder.display().to_string(), "has no file whose name ends in .wire"),
        (format!("{good} /no/such.wire"), "/no/such.wire: there is no such file"),
        ("--lop".into(), "did you mean --loop?"),
        ("/no/such.wire".into(), "/no/such.wire: there is no such file"),
        (malformed, "malformed.wire: line 4: expected "),
        (left_out, "left-out.wire: line 9: 8412 bytes of this block were left out"),
        (empty, "empty.wire: line 1: expected a connection"),
        (format!("{good} --listen nowhere"), "write it like"),
        (format!("{good} --listen {in_use}"), "is in use; try --listen"),
        (format!("{good} --port-file /no/such/folder"), "cannot write /no/such/folder"),
    ] {
        let ended = run(&mut openkitchen(&format!("mock {arguments}")));
        assert_eq!(ended.code, Some(2), "{arguments}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{arguments}: {}", ended.stderr);
    }
    let help = run(&mut openkitchen("mock --help"));
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("--port-file") && help.stdout.contains("1 something differed"));
}

#[test]
fn the_port_file_has_the_bound_address() {
    let folder = Folder::new();
    let port = folder.file("port");
    fs::write(&port, "the address of an earlier run, and much longer than the new one\n").unwrap();
    let mock =
        Mock::start(&after_get("--- server closed\n"), &format!("--port-file {}", port.display()));
    let mut client = mock.client();
    client.write_all(with_crlf(GET).as_bytes()).unwrap();
    assert_eq!(fs::read_to_string(&port).unwrap(), format!("{}\n", mock.process.address));
    assert_eq!(rest(&mut client).0, "");
    drop(client);
    assert_eq!(mock.wait().code, Some(0));
}

#[test]
fn a_port_file_that_cannot_be_written_leaves_nothing_behind() {
    let folder = Folder::new();
    let port = folder.file("port");
    fs::create_dir(&port).unwrap(); // a file cannot take the place of a folder
    let transcript = folder.file("good.wire");
    fs::write(&transcript, after_get("--- server closed\n")).unwrap();
    let arguments = format!("mock {} --port-file {}", transcript.display(), port.display());
    let ended = run(&mut openkitchen(&arguments));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let left = fs::read_dir(port.parent().unwrap()).unwrap().count();
    assert_eq!(left, 2, "the folder and the transcript");
}

#[test]
fn a_signal_before_the_end_is_exit_code_3() {
    let mock = Mock::start(&after_get("--- server closed\n"), "");
    assert_eq!(mock.process.stop().code, Some(3));
}

// Written by hand, and used from other languages.

/// Starts a mock with these files in a folder, and these arguments.
fn mock_of(files: &[(&str, &str)], arguments: &str) -> Mock {
    let folder = Folder::new();
    let pages = folder.file("pages");
    fs::create_dir(&pages).unwrap();
    for (name, text) in files {
        fs::write(pages.join(name), text).unwrap();
    }
    let mut command = openkitchen(&format!("mock --timeout 5 {arguments}"));
    Mock { process: ServerProcess::start(command.arg(&pages)), _folder: folder }
}

#[test]
fn a_page_written_by_hand_works_with_curl_at_the_first_try() {
    if !need("curl", "curl --version") {
        return;
    }
    let response = "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 5\n\nhello\n";
    for (request, flags) in [
        ("", ""),
        ("???\nmethod GET\ntarget is /\n\n", ""),
        (">>>\nGET / HTTP/1.1\nHost: example.test\n\n", ""),
        (">>>\nGET / HTTP/1.1\nHost: example.test\n", ""),
        (">>>\nGET / HTTP/1.1\nhost: localhost:8080\n\n\n\n", ""),
        (">>>\nGET / HTTP/1.1\n\n", "-H Accept:text/html"),
        (">>>\nGET / HTTP/1.1\nX-Key: 7\nHost: h\n\n", "-H x-key:7"),
        (
            ">>>\nPOST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\
             Content-Length: 6\nHost: h\n\npost=3\\\n",
            "-d post=3",
        ),
        (">>>\nPOST / HTTP/1.1\nHost: h\n\npost=3\n", "-d post=3"),
        (">>>\nPOST / HTTP/1.1\nHost: h\n\npost=3\n\n", "-d post=3 -H Accept:"),
        (">>>\nHEAD / HTTP/1.1\nHost: h\n\n", "-I"),
    ] {
        let mock = Mock::start(&format!("# By hand\n\n{request}<<<\n{response}"), "");
        let (code, output, stderr) = {
            let mut curl = Command::new("curl");
            curl.env("no_proxy", "*").args(["-q", "-sS"]).args(flags.split_whitespace());
            let output = curl.arg(format!("http://{}/", mock.process.address)).output().unwrap();
            (output.status.code(), output.stdout, output.stderr)
        };
        assert_eq!(code, Some(0), "{request}: {}", stderr.escape_ascii());
        if flags != "-I" {
            assert_eq!(output, b"hello");
        }
        let Exit { code, stdout, .. } = mock.wait();
        assert_eq!(code, Some(0), "{request}\n{stdout}");
    }
}

#[test]
fn what_the_client_sent_is_printed_where_it_differs() {
    let mock = Mock::start(&format!(">>>\n{GET}<<<\nHTTP/1.1 204 No Content\n\n"), "");
    let mut client = mock.client();
    client.write_all(b"GET /other HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n").unwrap();
    rest(&mut client);
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(1));
    assert!(stdout.contains("\nGET /other HTTP/1.1\nHost: h\nX: y\n\n<<< 27 bytes"), "{stdout}");
    assert!(stdout.contains("# @1: request 1 differs at byte 5:\n"), "{stdout}");
}

#[test]
fn pages_of_a_folder_are_played_in_turn_also_on_a_kept_connection() {
    let response = |status: &str| format!("<<<\nHTTP/1.1 {status}\nContent-Length: 0\n\n");
    let (busy, done) = (response("503 Busy"), response("200 OK"));
    let files = [("b.wire", &*done), ("a.wire", &*busy), ("notes.txt", "no transcript")];
    for is_kept in [false, true] {
        let mock = mock_of(&files, "--loop");
        let mut client = mock.client();
        for status in ["503", "200", "503", "200"] {
            if !is_kept {
                client = mock.client();
            }
            client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            let mut head = [0; 12];
            client.read_exact(&mut head).unwrap();
            assert_eq!(head[9..], *status.as_bytes(), "{is_kept}");
            while !head.ends_with(b"\r\n\r\n") {
                head.rotate_left(1);
                client.read_exact(&mut head[11..]).unwrap();
            }
        }
        drop(client);
        let stdout = canonical(mock.process.stop()).stdout;
        assert!(stdout.contains("a.wire @1: as written\n"), "{stdout}");
        assert!(stdout.contains("b.wire @1 for request 4: as written\n"), "{stdout}");
    }
    // Without --loop, each page is a connection.
    let mock = mock_of(&files[..2], "");
    for expected in [&busy, &done] {
        let mut client = mock.client();
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let expected = with_crlf(expected.strip_prefix("<<<\n").unwrap());
        assert_eq!(rest(&mut client), (expected, false));
    }
    assert_eq!(mock.wait().code, Some(0));
}

/// The objects that a mock with --json prints while this client is played: without the first one.
fn json_lines(page: &str, arguments: &str, sent: &[u8]) -> (Option<i32>, Vec<String>) {
    let folder = Folder::new();
    let (path, port_file) = (folder.file("played.wire"), folder.file("port"));
    fs::write(&path, page).unwrap();
    let mut command = openkitchen(&format!("mock --timeout 5 --json {arguments}"));
    let mock = command.arg("--port-file").arg(&port_file).arg(path);
    let mock = mock.stdout(Stdio::piped()).spawn().unwrap();
    let since = Instant::now();
    let address = loop {
        match fs::read_to_string(&port_file) {
            Ok(address) => break address.trim().to_owned(),
            Err(_) => assert!(since.elapsed() < Duration::from_secs(10)),
        }
    };
    let mut client = TcpStream::connect(&address).unwrap();
    client.write_all(sent).unwrap();
    rest(&mut client);
    drop(client);
    let output = mock.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    let first = format!(
        "{{\"kind\":\"listening\",\"address\":\"{address}\",\"url\":\"http://{address}\"}}"
    );
    assert_eq!(lines.next(), Some(first));
    (output.status.code(), lines.collect())
}

#[test]
fn json_has_a_line_for_each_connection_and_difference() {
    let post = "POST / HTTP/1.1\nHost: h\nContent-Length: 2\n\n";
    let page = format!(">>>\n{post}hi\\\n<<<\nHTTP/1.1 204 No Content\n\n");
    let sent = [with_crlf(post).as_bytes(), b"\xff\x9b"].concat();
    let (code, lines) = json_lines(&page, "", &sent);
    assert_eq!(code, Some(1));
    let expected = [
        r#"{"kind":"difference","connection":1,"played":"@1","text":"request 1 differs at byte 47:\u000a  expected: hi\u000a  got:      \\xff\\x9b\u000a            ^","expected":"hi","got":"\\xff\\x9b","byte":47}"#,
        r#"{"kind":"connection","connection":1,"played":"@1","verdict":"different","sent":"POST / HTTP/1.1\u000d\u000aHost: h\u000d\u000aContent-Length: 2\u000d\u000a\u000d\u000aÿ\u009b","left_out":0}"#,
        r#"{"kind":"end","verdict":"different"}"#,
    ];
    assert_eq!(lines, expected, "{}", lines.join("\n"));
}

#[test]
fn a_note_tells_what_may_be_a_mistake_in_the_page() {
    let page = ">>>\nGET / HTTP/1.1\n\n<<<\nHTTP/1.1 200 OK\nContent-Length: 4\n\ntea\n";
    let note = "response 1 has Content-Length 4, and 1 byte follows it in its block";
    let mock = Mock::start(page, "");
    let mut client = mock.client();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    rest(&mut client);
    drop(client);
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(0), "a note is no difference");
    assert!(stdout.contains(&format!("# @1: as written\n# @1: note: {note}\n")), "{stdout}");
    let (code, lines) = json_lines(page, "", b"GET / HTTP/1.1\r\n\r\n");
    let object =
        format!("{{\"kind\":\"note\",\"connection\":1,\"played\":\"@1\",\"text\":\"{note}\"}}");
    assert_eq!((code, &lines[0]), (Some(0), &object));
    // Each page is told of once.
    let looping = Mock::start(page, "--loop");
    for _ in 0..2 {
        let mut client = looping.client();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        client.read_exact(&mut [0; 43]).unwrap();
    }
    let stdout = canonical(looping.process.stop()).stdout;
    assert_eq!(stdout.matches(note).count(), 1, "{stdout}");
}

#[test]
fn a_request_without_its_empty_line_is_compared_as_a_whole_one_and_told() {
    let head = "GET / HTTP/1.1\r\nHost: h\r\nX-Id: 1\r\n";
    let page = format!(">>>\n{}<<<\nHTTP/1.1 204 No Content\n\n", head.replace('\r', ""));
    let note = "the head of request 1 has no end: an empty line is missing below it";
    for (arguments, sent, code) in [
        // As curl sends it: more fields, another order, this machine.
        ("", "GET / HTTP/1.1\r\nAccept: */*\r\nX-Id: 1\r\nHost: 127.0.0.1:1\r\n\r\n", 0),
        ("", &format!("{head}\r\n"), 0),
        ("--exact", &format!("{head}\r\n"), 0),
        // The very bytes: the page may be meant so.
        ("", head, 0),
        ("", "GET / HTTP/1.1\r\nHost: h\r\nX-Id: 2\r\n\r\n", 1),
        ("", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1),
        ("--exact", "GET / HTTP/1.1\r\nX-Id: 1\r\nHost: h\r\n\r\n", 1),
    ] {
        let (found, lines) = json_lines(&page, arguments, sent.as_bytes());
        let all = lines.join("\n");
        assert_eq!(found, Some(code), "{arguments} {sent}: {all}");
        assert_eq!(all.matches(note).count(), 1, "{all}");
    }
    // A head that arrives in two parts.
    let mock = Mock::start(&page, "");
    let mut client = mock.client();
    client.write_all(b"GET / HTTP/1.1\r\nX-Id: 1\r\nAccept: text/html; x=y; z\r\n").unwrap();
    let timeout = client.read_timeout().unwrap();
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let early = client.read(&mut [0; 64]).map_err(|error| error.kind());
    assert_eq!(early, Err(ErrorKind::WouldBlock), "a part of a head is no request");
    client.set_read_timeout(timeout).unwrap();
    client.write_all(b"Host: h\r\n\r\n").unwrap();
    assert_eq!(rest(&mut client).0, "HTTP/1.1 204 No Content\r\n\r\n");
    drop(client);
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(0), "{stdout}");
    // Each request of a connection.
    let ok = "<<<\nHTTP/1.1 200 OK\nContent-Length: 0\n\n";
    let get = |path: &str| format!(">>>\nGET {path} HTTP/1.1\nHost: h\n{ok}");
    let mock = Mock::start(&(get("/a") + &get("/b")), "");
    let mut client = mock.client();
    for path in ["/a", "/b"] {
        write!(client, "GET {path} HTTP/1.1\r\nAccept: */*\r\nHost: h\r\n\r\n").unwrap();
        client.read_exact(&mut [0; 38]).unwrap();
    }
    drop(client);
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(0), "{stdout}");
    // A line below the block says that the head is cut on purpose.
    for event in ["--- silent 1ms\n", "--- wait 1ms\n"] {
        let page = page.replace("<<<", &format!("{event}<<<"));
        let (code, lines) = json_lines(&page, "", head.as_bytes());
        let all = lines.join("\n");
        assert_eq!((code, all.contains("missing below")), (Some(0), false), "{event}: {all}");
    }
}

#[test]
fn an_assertion_on_a_response_that_nothing_tests_is_told() {
    let response = "<<<\nHTTP/1.1 200 OK\nContent-Length: 0\n\n";
    let get = ">>>\nGET / HTTP/1.1\n\n";
    for (page, is_told) in [
        (format!("???\nstatus 200\n\n{response}"), true),
        (format!("{get}???\nmethod GET\nstatus 200\n\n{response}"), true),
        (format!("{get}{response}???\nstatus 200\n\n"), false),
        (format!("{get}{response}???\nstatus 200\n\n???\nfield Content-Length\n\n"), false),
        (format!("???\nmethod GET\nfield Host\n\n{response}???\nstatus 200\n\n"), false),
    ] {
        let (code, lines) = json_lines(&page, "", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        let note = "`status 200` stands above its response, where nothing tests it";
        assert_eq!(code, Some(0), "{page}");
        assert_eq!(lines[0].contains(note), is_told, "{page}: {}", lines[0]);
    }
}

#[test]
fn a_signal_tells_what_a_client_had_sent() {
    let head = "POST / HTTP/1.1\nContent-Length: 2\nExpect: 100-continue\n\n";
    let page = format!(
        ">>>\n{head}<<<\nHTTP/1.1 100 Continue\n\n>>>\nhi\\\n<<<\nHTTP/1.1 204 No Content\n\n"
    );
    for arguments in ["", "--loop"] {
        let mock = Mock::start(&page, arguments);
        let mut client = mock.client();
        client.write_all(with_crlf(head).as_bytes()).unwrap();
        client.read_exact(&mut [0; 25]).unwrap(); // 100 Continue: the head was read
        let Exit { code, stdout, .. } = mock.process.stop();
        let expected = "the mock was stopped: 60 bytes of request 1 were received, and it is not";
        assert_eq!(code, Some(3), "{stdout}");
        assert!(stdout.contains(expected), "{stdout}");
        assert!(stdout.contains("\nPOST / HTTP/1.1\nContent-Length: 2\n"), "{stdout}");
    }
    // A mock that loops asks for no client.
    assert_eq!(Mock::start(&page, "--loop").process.stop().code, Some(0));
}

#[cfg(unix)]
#[test]
fn a_recording_that_cannot_be_written_is_told() {
    let folder = Folder::new();
    let recordings = folder.file("recordings");
    let page = format!(">>>\n{GET}<<<\nHTTP/1.1 204 No Content\n\n");
    let mock = Mock::start(&page, &format!("--record {}", recordings.display()));
    fs::remove_dir_all(&recordings).unwrap();
    let mut client = mock.client();
    client.write_all(with_crlf(GET).as_bytes()).unwrap();
    rest(&mut client);
    drop(client);
    let Exit { code, stderr, .. } = mock.wait();
    assert_eq!(code, Some(0), "the transcript was played all the same");
    assert!(stderr.contains("cannot record in "), "{stderr}");
}

#[test]
fn fields_are_ignored_or_compared_exactly_as_told() {
    let page = ">>>\nGET / HTTP/1.1\nHost: h\nX-Id: 1\n\n<<<\nHTTP/1.1 204 No Content\n\n";
    let other = b"GET / HTTP/1.1\r\nHost: h\r\nX-Id: 2\r\n\r\n";
    let more = b"GET / HTTP/1.1\r\nHost: h\r\nX-Id: 1\r\nAccept: */*\r\n\r\n";
    let in_another_order = b"GET / HTTP/1.1\r\nX-Id: 1\r\nHost: h\r\n\r\n";
    let of_this_machine = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Id: 1\r\n\r\n";
    let agent = b"GET / HTTP/1.1\r\nHost: h:1\r\nUser-Agent: x\r\nX-Id: 1\r\n\r\n";
    for (arguments, sent, code) in [
        ("", &other[..], 1),
        ("--ignore Cookie,x-id", other, 0),
        ("", more, 0),
        ("--exact", more, 1),
        ("", in_another_order, 0),
        ("--exact", in_another_order, 1),
        ("", of_this_machine, 0),
        ("--exact", of_this_machine, 1),
        ("--exact", agent, 0),
    ] {
        let sent_text = sent.escape_ascii();
        assert_eq!(json_lines(page, arguments, sent).0, Some(code), "{arguments}: {sent_text}");
    }
    let help = run(&mut openkitchen("mock --help")).stdout;
    assert!(help.contains("the head is FILE's, line for line, Host too"), "{help}");
}

#[test]
fn each_connection_is_recorded_and_can_be_played_again() {
    let folder = Folder::new();
    let recordings = folder.file("recordings");
    let page = format!(">>>\n{GET}<<<\nHTTP/1.1 200 OK\nContent-Length: 2\n\nhi\\\n");
    let mock = Mock::start(&page, &format!("--record {}", recordings.display()));
    let mut client = mock.client();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n").unwrap();
    let response = rest(&mut client);
    drop(client);
    let Exit { code, stdout, .. } = mock.wait();
    assert_eq!(code, Some(0), "{stdout}");
    let [file] = &fs::read_dir(&recordings).unwrap().flatten().collect::<Vec<_>>()[..] else {
        panic!("one file");
    };
    let again = Mock::start(&fs::read_to_string(file.path()).unwrap(), "");
    let mut client = again.client();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n").unwrap();
    assert_eq!(rest(&mut client), response);
    drop(client);
    let Exit { code, stdout, .. } = again.wait();
    assert_eq!(code, Some(0), "{stdout}");
}

#[test]
fn what_differs_is_in_the_exit_code_when_a_signal_follows_at_once() {
    for (fields, kept) in [("", true), ("Connection: close\r\n", false)] {
        let mock = Mock::start(">>>\nGET / HTTP/1.1\n\n<<<\nHTTP/1.1 204 No Content\n\n", "--loop");
        let mut client = mock.client();
        let request = format!("GET /other HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        client.write_all(request.as_bytes()).unwrap();
        client.read_exact(&mut [0; 27]).unwrap();
        let since = Instant::now();
        let Exit { code, stdout, .. } = canonical(mock.process.stop());
        assert_eq!(code, Some(1), "{kept}: {stdout}");
        assert!(stdout.contains("# @1: request 1 differs at byte 5:\n"), "{kept}: {stdout}");
        assert!(since.elapsed() < Duration::from_secs(1), "{kept}");
    }
}

#[test]
fn a_unix_socket_is_listened_on_and_its_file_removed_at_the_end() {
    for (loops, signalled) in [(false, false), (false, true), (true, true)] {
        let folder = Folder::new();
        let [page, path] = ["page.wire", "sock"].map(|name| folder.file(name));
        fs::write(&page, "<<<\nHTTP/1.1 204 No Content\n\n").unwrap();
        let mut command = openkitchen("mock --json --listen");
        command.arg(format!("unix:{}", path.display())).arg(&page).stdout(Stdio::piped());
        command.args(loops.then_some("--loop"));
        let mut mock = command.spawn().unwrap();
        let mut stdout = BufReader::new(mock.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        let url = format!("\"url\":\"unix:{}\"", path.display());
        assert!(first.contains(&url), "{first}");
        if !signalled || loops {
            let mut client = UnixStream::connect(&path).unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            let mut response = [0; 27];
            client.read_exact(&mut response).unwrap();
            assert_eq!(&response, b"HTTP/1.1 204 No Content\r\n\r\n");
        }
        if signalled {
            signal("TERM", &mock.id().to_string());
        }
        assert_eq!(mock.wait().unwrap().success(), !signalled || loops);
        assert!(!path.exists(), "{loops} {signalled}");
    }
}
