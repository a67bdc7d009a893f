//! `openkitchen mock`, with the real binary: against curl, which has an exit code for every fault,
//! against clients of a few lines, and against `openkitchen send`, for every page of tests/exchanges.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "process/mod.rs"]
mod process;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::Transcript;
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Note, Side};
use process::{Exit, Folder, ServerProcess, need, openkitchen, read_once, run};

const GET: &str = "GET / HTTP/1.1\nHost: h\nUser-Agent: any\nAccept: */*\n\n";

/// A mock of this file.
struct Mock {
    kitchen: ServerProcess,
    _folder: Folder,
}

impl Mock {
    fn of(file: &str, flags: &str) -> Mock {
        let folder = Folder::new();
        let path = folder.file("played.wire");
        fs::write(&path, file).unwrap();
        let mut command = openkitchen(&format!("mock --timeout 5 {flags}"));
        Mock { kitchen: ServerProcess::start(command.arg(path)), _folder: folder }
    }

    fn client(&self) -> TcpStream {
        self.kitchen.client().stream
    }

    /// Waits for its end. Whatever it says is a transcript, and canonical.
    #[track_caller]
    fn end(self) -> Exit {
        canonical(self.kitchen.wait())
    }
}

#[track_caller]
fn canonical(ended: Exit) -> Exit {
    let page = Transcript::parse(&ended.stdout).map(|page| page.to_string());
    assert_eq!(page.as_ref(), Ok(&ended.stdout));
    ended
}

/// A GET, and what the server makes of it.
fn page(server: &str) -> String {
    format!("# a fault\n\n>>>\n{GET}{server}")
}

fn wire(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// Everything up to the end, and whether that was a reset.
fn rest(client: &mut TcpStream) -> (String, bool) {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    let is_reset = loop {
        match read_once(client, &mut piece) {
            Ok(0) => break false,
            Ok(length) => all.extend_from_slice(&piece[..length]),
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
fn each_fault_is_curls_own_exit_code() {
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
        ("no answer", closed.into(), "", &[52]),
        ("a reset instead of an answer", "--- server reset\n".into(), "", &[56]),
        ("a reset within content", format!("{LENGTH}--- server reset\n"), "", &[56]),
        ("a stall", "--- silent 60s\n".into(), "-m 1", &[28]),
        ("a stall within content", format!("{LENGTH}--- silent 60s\n"), "-m 1", &[28]),
        // Up to 7.x this is HTTP/0.9, which is a protocol that it does not support; newer ones find
        // the answer weird.
        ("garbage", format!("<<<\ngarbage, and more of it\n{closed}"), "", &[1, 8]),
        ("a version of its own", format!("<<<\nHTTP/9.9 200 OK\n\n{closed}"), "", &[1, 8]),
        (
            "a length that is none",
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
            "a drip",
            "<<<\nHTTP/1.1 200 OK\nContent-Length: 2\n\n--- wait 100ms\n<<<\nh\\\n--- wait 100ms\n<<<\ni\\\n"
                .into(),
            "",
            &[0],
        ),
    ];
    for (fault, server, flags, codes) in faults {
        let mock = Mock::of(&page(&server), "");
        let (code, _, said) = curl(&mock.kitchen, flags);
        assert!(codes.contains(&code.unwrap()), "{fault}: {code:?}, {said}");
        let Exit { code, stdout, stderr } = mock.end();
        assert_eq!(code, Some(0), "{fault}: {stdout}{stderr}");
        assert!(stdout.ends_with("\n# @1: as written\n"), "{fault}: {stdout}");
    }
}

/// Copies a connection to the site, and writes down what crosses.
fn recorded(site: &ServerProcess, flags: &str) -> (Transcript, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let door = listener.local_addr().unwrap();
    let kitchen = site.client().stream;
    let between = thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let items = Arc::new(Mutex::new(Vec::new()));
        let copy = |from: TcpStream, mut to: TcpStream, side: Side| {
            let items = Arc::clone(&items);
            thread::spawn(move || {
                let mut piece = [0; 1000];
                while let Ok(length @ 1..) = read_once(&from, &mut piece) {
                    let (connection, note) = (1, Note::default());
                    let bytes = Bytes::raw(&piece[..length]);
                    items.lock().unwrap().push(Item::Block(Block {
                        connection,
                        from: side,
                        note,
                        bytes,
                    }));
                    let _ = to.write_all(&piece[..length]);
                }
                let kind = EventKind::Closed(side);
                let (connection, note) = (1, Note::default());
                items.lock().unwrap().push(Item::Event(Event { connection, kind, note }));
                let _ = to.shutdown(Shutdown::Write);
            })
        };
        let there = copy(client.try_clone().unwrap(), kitchen.try_clone().unwrap(), Side::Client);
        let back = copy(kitchen, client, Side::Server);
        there.join().unwrap();
        back.join().unwrap();
        let items = std::mem::take(&mut *items.lock().unwrap());
        Transcript { items }
    });
    let mut curl = Command::new("curl");
    curl.env("no_proxy", "*").args(["-q", "-sSi"]).args(flags.split_whitespace());
    let output = curl.arg(format!("http://{door}/about")).output().unwrap();
    assert!(output.status.success());
    (between.join().unwrap(), output.stdout)
}

#[test]
fn curl_recorded_and_mocked_back_to_curl_is_the_same_to_the_byte() {
    if !need("curl", "curl --version") {
        return;
    }
    let site = ServerProcess::start_site("");
    for flags in ["", "-I", "-d author=me&text=hello", "-H Expect:100-continue -d x=1", "--http1.0"]
    {
        let (page, output) = recorded(&site, flags);
        let mock = Mock::of(&page.to_string(), "");
        let mut curl = Command::new("curl");
        curl.env("no_proxy", "*").args(["-q", "-sSi"]).args(flags.split_whitespace());
        let again = curl.arg(format!("http://{}/about", mock.kitchen.address)).output().unwrap();
        assert!(again.stdout == output, "{flags}: {}", again.stdout.escape_ascii());
        let Exit { code, stdout, .. } = mock.end();
        assert_eq!(code, Some(0), "{flags}: {stdout}\n{page}");
    }
}

// Against `send`.

/// Every page of tests/exchanges that ends with the server, sent to its own mock: the same bytes come
/// back, and both say that all was as written.
#[test]
fn every_page_can_be_played_on_both_sides() {
    let pages: Vec<PathBuf> =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchanges"))
            .unwrap()
            .flat_map(|topic| fs::read_dir(topic.unwrap().path()).unwrap())
            .map(|page| page.unwrap().path())
            .filter(|page| is_quickly_over(page))
            .collect();
    assert!(pages.len() > 50, "only {} pages", pages.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    plays_itself(page);
                }
            });
        }
    });
}

/// One connection that the server ends, and no waits.
fn is_quickly_over(page: &Path) -> bool {
    let page = Transcript::parse(&fs::read_to_string(page).unwrap()).unwrap();
    let happens = page.items.iter().filter(|item| matches!(item, Item::Block(_) | Item::Event(_)));
    let ends = matches!(
        happens.clone().next_back(),
        Some(Item::Event(Event {
            kind: EventKind::Closed(Side::Server) | EventKind::Reset(Side::Server),
            ..
        }))
    );
    ends && happens.clone().all(|item| match item {
        Item::Block(block) => block.connection == 1 && block.bytes.expand().is_some(),
        Item::Event(event) => !matches!(event.kind, EventKind::Wait(_) | EventKind::Silent(_)),
        _ => true,
    })
}

fn plays_itself(page: &Path) {
    let kitchen = ServerProcess::start(openkitchen("mock").arg(page));
    let mut send = openkitchen(&format!("send {} --timeout 10", kitchen.address));
    let sent = canonical(run(send.arg(page)));
    let mocked = canonical(kitchen.wait());
    let all = format!("{}\n{}\n{}", page.display(), sent.stdout, mocked.stdout);
    assert_eq!((mocked.code, mocked.stderr.as_str()), (Some(0), ""), "{all}");
    let bytes = |text: &str, side: Side| {
        let items = Transcript::parse(text).unwrap().items.into_iter();
        let blocks = items.filter_map(|item| match item {
            Item::Block(block) if block.from == side => block.bytes.expand(),
            _ => None,
        });
        blocks.collect::<Vec<_>>().concat()
    };
    let text = fs::read_to_string(page).unwrap();
    for side in [Side::Client, Side::Server] {
        assert!(bytes(&sent.stdout, side) == bytes(&text, side), "{side}: {all}");
    }
    let end = text.lines().rfind(|line| line.starts_with("--- server")).unwrap();
    assert!(sent.stdout.ends_with(&format!("{end}\n")), "{all}");
}

// What is awaited.

#[test]
fn a_whole_message_is_awaited_whatever_its_bytes_and_what_differs_is_told() {
    let file = ">>>\nPOST /a HTTP/1.1\nHost: localhost:5000\nUser-Agent: curl/8.0\n\
        Content-Length: 5\n\nhello\\\n<<<\nHTTP/1.1 204 No Content\n\n--- server closed\n";
    let mock = Mock::of(file, "");
    let mut client = mock.client();
    let request = wire("POST /a HTTP/1.1\nHost: localhost:1234\nContent-Length: 22\n\n");
    for piece in [&request[..30], &request[30..], "a longer one than", " five"] {
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(client.peek(&mut [0]).is_err(), "it answers before {piece:?}");
        client.write_all(piece.as_bytes()).unwrap();
    }
    client.set_read_timeout(None).unwrap();
    assert_eq!(rest(&mut client), (wire("HTTP/1.1 204 No Content\n\n"), false));
    drop(client);
    let Exit { code, stdout, .. } = mock.end();
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
fn bytes_that_are_no_message_are_counted() {
    let mock = Mock::of(">>>\nEHLO me\n<<<\n250 you\n>>>\nQUIT\n--- server closed\n", "");
    let mut client = mock.client();
    client.write_all(b"EHLO ME\r\n").unwrap();
    let mut answer = [0; 9];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"250 you\r\n");
    client.write_all(b"QUIT\r\n").unwrap();
    assert_eq!(rest(&mut client), (String::new(), false));
    drop(client);
    let Exit { code, stdout, .. } = mock.end();
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("\n#   expected: EHLO me\\r\\n\n#   got:      EHLO ME\\r\\n\n"),
        "{stdout}"
    );
    assert!(stdout.contains("\n#                  ^\n"), "{stdout}");
}

#[test]
fn pipelined_requests_are_answered_one_by_one_and_more_is_told() {
    let mock = Mock::of(&page(&format!("<<<\n1\\\n>>>\n{GET}<<<\n2\\\n--- server closed\n")), "");
    let mut client = mock.client();
    client.write_all(wire(&format!("{GET}{GET}surplus")).as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut client), ("12".into(), false));
    let Exit { code, stdout, .. } = mock.end();
    assert_eq!(code, Some(1));
    assert!(stdout.ends_with("\n# @1: the client sent more, 7 bytes: surplus\n"), "{stdout}");
}

#[test]
fn content_comes_after_its_interim_answer() {
    let file = ">>>\nPUT / HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\n\n<<<\n\
        HTTP/1.1 100 Continue\n\n>>>\nhi\\\n<<<\nHTTP/1.1 204 No Content\n\n--- client closed\n";
    let mock = Mock::of(file, "");
    let mut client = mock.client();
    let head = wire("PUT / HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\n\n");
    client.write_all(head.as_bytes()).unwrap();
    client.read_exact(&mut [0; 25]).unwrap();
    client.write_all(b"hi").unwrap();
    client.read_exact(&mut [0; 27]).unwrap();
    drop(client);
    assert_eq!(mock.end().code, Some(0));
}

#[test]
fn a_client_that_stalls_leaves_or_never_comes_is_told() {
    let mock = Mock::of(&page("<<<\nno\\\n--- server closed\n"), "--timeout 0.5");
    let mut client = mock.client();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let Exit { code, stdout, .. } = mock.end();
    assert_eq!(code, Some(3));
    assert!(
        stdout.contains(
            "@1: timed out after 500ms: 16 bytes of request 1 had come, and more was due"
        ),
        "{stdout}"
    );

    let mock = Mock::of(&page("<<<\nno\\\n--- server closed\n"), "");
    let mut client = mock.client();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    drop(client);
    let Exit { code, stdout, .. } = mock.end();
    assert_eq!(code, Some(1));
    assert!(stdout.contains("@1: the client left early: 16 bytes of request 1"), "{stdout}");

    let mock = Mock::of(&page("<<<\nno\\\n--- client closed\n"), "--timeout 0.5");
    let mut client = mock.client();
    client.write_all(wire(GET).as_bytes()).unwrap();
    let Exit { code, stdout, .. } = mock.end();
    assert_eq!(code, Some(3));
    assert!(stdout.contains("the client did not leave"), "{stdout}");

    let Exit { code, stdout, .. } = Mock::of(&page(""), "--timeout 0.5").end();
    assert_eq!(code, Some(3));
    assert!(stdout.ends_with("\n# 0 of 1 connections came, then nobody for 500ms\n"), "{stdout}");
}

// What is answered.

#[test]
fn each_block_is_a_write_and_waits_are_kept() {
    let mock = Mock::of(&page("<<<\none\n--- wait 200ms\n<<<\ntwo\n--- server closed\n"), "");
    let mut client = mock.client();
    let since = Instant::now();
    client.write_all(wire(GET).as_bytes()).unwrap();
    let mut piece = [0; 99];
    assert_eq!(read_once(&client, &mut piece).unwrap(), 5);
    assert_eq!(rest(&mut client), ("two\r\n".into(), false));
    assert!(since.elapsed() > Duration::from_millis(150));
    drop(client);
    assert_eq!(mock.end().code, Some(0));
}

#[test]
fn a_half_close_still_listens_and_a_stall_stays_open() {
    let file = page(
        "<<<\nbye\\\n--- server half-close\n>>>\nthanks\\\n--- silent 200ms\n--- server closed\n",
    );
    let mock = Mock::of(&file, "");
    let mut client = mock.client();
    client.write_all(wire(GET).as_bytes()).unwrap();
    assert_eq!(rest(&mut client), ("bye".into(), false));
    client.write_all(b"thanks").unwrap();
    assert_eq!(mock.end().code, Some(0));

    let mock = Mock::of(&page("<<<\nwait\\\n--- silent 300ms\n--- server closed\n"), "");
    let mut client = mock.client();
    let since = Instant::now();
    client.write_all(wire(GET).as_bytes()).unwrap();
    assert_eq!(rest(&mut client), ("wait".into(), false));
    assert!(since.elapsed() > Duration::from_millis(250));
    drop(client);
    assert_eq!(mock.end().code, Some(0));
}

#[test]
fn a_reset_comes_behind_the_bytes_and_is_one() {
    for (server, bytes) in [
        ("--- server reset\n", ""),
        ("<<<\nhalf\\\n--- server reset\n", "half"),
        (
            "<<<\nhalf\\\n--- wait 100ms\n<<<\nmore\\\n--- silent 100ms\n--- server reset\n",
            "halfmore",
        ),
    ] {
        let mock = Mock::of(&page(server), "");
        let mut client = mock.client();
        client.write_all(wire(GET).as_bytes()).unwrap();
        assert_eq!(rest(&mut client), (bytes.into(), true), "{server}");
        let Exit { code, stdout, .. } = mock.end();
        assert_eq!(code, Some(0), "{stdout}");
    }
    // Without a request the first byte is waited for.
    let mock = Mock::of("--- server reset\n", "");
    let mut client = mock.client();
    client.write_all(b"G").unwrap();
    assert_eq!(rest(&mut client), (String::new(), true));
    assert_eq!(mock.end().code, Some(0));
}

#[test]
fn connections_are_played_in_the_order_they_come() {
    let file = format!(
        "{}--- @2 open\n>>> @2\n{GET}<<< @2\nsecond\\\n--- @2 server closed\n",
        page("<<<\nfirst\\\n--- server closed\n")
    );
    let mock = Mock::of(&file, "");
    for answer in ["first", "second"] {
        let mut client = mock.client();
        client.write_all(wire(GET).as_bytes()).unwrap();
        assert_eq!(rest(&mut client), (answer.into(), false));
    }
    let Exit { code, stdout, .. } = mock.end();
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("# @1: as written\n") && stdout.contains("# @2: as written\n"));
}

#[test]
fn a_loop_plays_for_everyone_at_once_until_a_signal() {
    for (path, code) in [("/", 0), ("/other", 1)] {
        let mock = Mock::of(&page("<<<\nhello\\\n--- server closed\n"), "--loop --timeout 1");
        thread::sleep(Duration::from_millis(1200)); // nobody coming is no reason to end
        let mut clients: Vec<TcpStream> = (0..5).map(|_| mock.client()).collect();
        for client in clients.iter_mut().rev() {
            let get = wire(&GET.replacen('/', path, 1));
            client.write_all(get.as_bytes()).unwrap();
            assert_eq!(rest(client), ("hello".into(), false));
        }
        drop(clients);
        let mut kitchen = mock.kitchen;
        for _ in 0..5 {
            kitchen.wait_for_line("# @1");
        }
        assert_eq!(kitchen.stop().code, Some(code));
    }
}

// What cannot be played.

#[test]
fn what_cannot_be_played_is_told_in_a_sentence() {
    let folder = Folder::new();
    let file = |name: &str, text: &str| {
        fs::write(folder.file(name), text).unwrap();
        folder.file(name).display().to_string()
    };
    let malformed = file("malformed.wire", "# t\n\n<<<\n\\q\n");
    let left_out = file("left-out.wire", &page("<<<\nHTTP/1.1 200 OK\n\n\\{8412 bytes}\\\n"));
    let empty = file("empty.wire", "# only prose\n");
    let good = file("good.wire", &page("--- server closed\n"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for (arguments, said) in [
        (String::new(), "of which transcript?"),
        ("a b".into(), "`b` is one too many"),
        ("--lop".into(), "did you mean --loop?"),
        ("/no/such.wire".into(), "/no/such.wire: there is no such file"),
        (malformed, "malformed.wire: line 4: expected "),
        (left_out, "left-out.wire: line 9: 8412 bytes of this block were left out"),
        (empty, "empty.wire: line 1: expected a connection"),
        (format!("{good} --listen nowhere"), "write it like"),
        (format!("{good} --listen {taken}"), "is taken by another program"),
        (format!("{good} --port-file /no/such/folder"), "cannot write /no/such/folder"),
    ] {
        let ended = run(&mut openkitchen(&format!("mock {arguments}")));
        assert_eq!(ended.code, Some(2), "{arguments}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{arguments}: {}", ended.stderr);
    }
    let help = run(&mut openkitchen("mock --help"));
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("--port-file") && help.stdout.contains("1 something differed"));
}

#[test]
fn the_address_is_in_the_port_file() {
    let folder = Folder::new();
    let port = folder.file("port");
    let mock = Mock::of(&page("--- server closed\n"), &format!("--port-file {}", port.display()));
    let mut client = mock.client();
    client.write_all(wire(GET).as_bytes()).unwrap();
    assert_eq!(fs::read_to_string(&port).unwrap(), format!("{}\n", mock.kitchen.address));
    assert_eq!(rest(&mut client).0, "");
    drop(client);
    assert_eq!(mock.end().code, Some(0));
}

#[test]
fn a_signal_that_comes_first_is_an_end_before_the_time() {
    let mock = Mock::of(&page("--- server closed\n"), "");
    assert_eq!(mock.kitchen.stop().code, Some(3));
}
