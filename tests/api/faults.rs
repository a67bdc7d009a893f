//! Tests of each fault: the bytes that a raw socket gets, and what curl and Python's http.client
//! make of it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use openkitchen::{
    DeliveryStep, Fault, Mock, Request, Response, Routes, Server, ServerHandle, Status, get,
    message::date, put, routes,
};

use crate::support::process::{Folder, TIMEOUT, need};

/// The content of each response.
const CONTENT: &str = "0123456789";

/// How long a stall takes, and the pause between two drops of a drip.
const STALL: Duration = Duration::from_millis(600);
const DRIP: Duration = Duration::from_millis(10);

/// A fault, and what clients get.
struct Case {
    fault: Fault,
    /// The bytes without the Date, and how the connection ends.
    raw: &'static str,
    /// curl's exit code.
    curl: i32,
    /// The length of the content that Python's http.client reads, or the name of its exception.
    python: &'static str,
}

impl Case {
    /// The seconds that curl and Python have for the response: fewer than a stall takes.
    fn patience(&self) -> &'static str {
        if self.curl == 28 { "0.3" } else { "10" }
    }
}

/// The head of most responses.
const HEAD: &str = "HTTP/1.1 200 OK|Content-Type: a/b|Content-Length: 10||";

/// `~` stands for [`HEAD`], and `|` for a line end.
#[rustfmt::skip]
const CASES: [Case; 14] = [
    Case { fault: Fault::Close, raw: "closed", curl: 52, python: "RemoteDisconnected" },
    Case { fault: Fault::Reset, raw: "reset", curl: 56, python: "ConnectionResetError" },
    Case { fault: Fault::Stall(STALL), raw: "~0123456789open", curl: 28, python: "TimeoutError" },
    Case { fault: Fault::CloseAfter(0), raw: "~closed", curl: 18, python: "IncompleteRead" },
    Case { fault: Fault::CloseAfter(4), raw: "~0123closed", curl: 18, python: "IncompleteRead" },
    Case { fault: Fault::ResetAfter(4), raw: "~0123reset", curl: 56, python: "ConnectionResetError" },
    Case { fault: Fault::StallAfter(4, STALL), raw: "~0123456789open", curl: 28, python: "TimeoutError" },
    Case { fault: Fault::Drip(20, DRIP), raw: "~0123456789open", curl: 0, python: "10" },
    Case { fault: Fault::WrongLength(5), raw: "HTTP/1.1 200 OK|Content-Type: a/b|Content-Length: 15||0123456789closed", curl: 18, python: "IncompleteRead" },
    Case { fault: Fault::WrongLength(-5), raw: "HTTP/1.1 200 OK|Content-Type: a/b|Content-Length: 5||0123456789closed", curl: 0, python: "5" },
    Case { fault: Fault::BadChunk, raw: "HTTP/1.1 200 OK|Content-Type: a/b|Transfer-Encoding: chunked||a|0123456789|zz|closed", curl: 56, python: "IncompleteRead" },
    Case { fault: Fault::BadStatusLine, raw: "HTTP/1.1 abc|Content-Type: a/b|Content-Length: 10||0123456789closed", curl: 1, python: "BadStatusLine" },
    Case { fault: Fault::CloseUnannounced, raw: "~0123456789closed", curl: 0, python: "10" },
    Case { fault: Fault::CloseAfter(99), raw: "~0123456789closed", curl: 0, python: "10" },
];

/// The path is the number of a case.
static ROUTES: Routes = routes(&[
    get("/raw", no_number),
    get("/raw/*", raw_and_faulty),
    get("/empty/*", empty_and_faulty),
    get("/*", faulty),
    put("/early", early).before_content(),
]);

fn faulty(request: &Request) -> Response {
    let Case { fault, .. } = CASES[request.rest().parse::<usize>().unwrap()];
    Response::bytes("a/b", CONTENT.as_bytes()).fault(fault)
}

/// The same bytes as those of `faulty`, written by hand.
fn raw_and_faulty(request: &Request) -> Response {
    let Case { fault, .. } = CASES[request.rest().parse::<usize>().unwrap()];
    let date = "|Date: Sun, 06 Nov 1994 08:49:37 GMT|Content-Type";
    let head = HEAD.replace("|Content-Type", date).replace('|', "\r\n");
    Response::raw(head + CONTENT).fault(fault)
}

fn empty_and_faulty(request: &Request) -> Response {
    let Case { fault, .. } = CASES[request.rest().parse::<usize>().unwrap()];
    Response::new(Status::NO_CONTENT).fault(fault)
}

fn no_number(_: &Request) -> Response {
    Response::raw(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n0123456789").close()
}

fn early(_: &Request) -> Response {
    Response::text("no, thanks")
}

fn serve() -> ServerHandle {
    let server = Server::bind("127.0.0.1:0").unwrap().clock(date::example).keep(100);
    server.start(&ROUTES, ()).unwrap()
}

/// What a raw socket gets after these bytes, and how the connection ends: `open` if the server
/// waits for the next request.
fn raw(server: &ServerHandle, request: &str) -> String {
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(STALL + Duration::from_millis(200))).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1024]);
    let end = loop {
        match client.read(&mut buffer).map_err(|error| error.kind()) {
            Ok(0) => break "closed",
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(ErrorKind::ConnectionReset) => break "reset",
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => break "open",
            Err(kind) => panic!("{kind}"),
        }
    };
    String::from_utf8(bytes).unwrap() + end
}

#[test]
fn a_raw_socket_gets_the_same_bytes_and_the_same_end_each_time() {
    let server = serve();
    std::thread::scope(|scope| {
        for (number, Case { fault, raw: expected, .. }) in CASES.iter().enumerate() {
            let server = &server;
            scope.spawn(move || {
                let expected = expected.replace('~', HEAD);
                let date = "|Date: Sun, 06 Nov 1994 08:49:37 GMT|Content-Type";
                let expected = expected.replace("|Content-Type", date).replace('|', "\r\n");
                for _ in 0..2 {
                    let request = format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n");
                    assert_eq!(raw(server, &request), expected, "{fault:?}");
                }
            });
        }
    });
}

#[test]
fn a_raw_response_has_the_faults_that_need_no_head() {
    let server = serve();
    let get = |path: String| raw(&server, &format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    for (number, Case { fault, .. }) in CASES.iter().enumerate() {
        let sent = get(format!("/raw/{number}"));
        match fault {
            Fault::Close
            | Fault::Reset
            | Fault::Stall(_)
            | Fault::Drip(..)
            | Fault::CloseUnannounced => assert_eq!(sent, get(format!("/{number}")), "{fault:?}"),
            // The handler has panicked, and said that raw bytes have no head.
            _ => assert!(sent.starts_with("HTTP/1.1 500 "), "{fault:?}: {sent}"),
        }
    }
}

#[test]
fn where_there_is_no_content_the_head_is_whole() {
    let server = serve();
    let head = "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
    for (number, case) in CASES.iter().enumerate() {
        let get = format!("GET /empty/{number} HTTP/1.1\r\nHost: h\r\n\r\n");
        let end = ["closed", "reset", "open"].into_iter().find(|end| case.raw.ends_with(end));
        let expected = match case.fault {
            Fault::Close | Fault::Reset => String::new(),
            Fault::BadChunk => format!("{head}zz\r\n"),
            Fault::BadStatusLine => head.replace("1.1 204 No Content", "1.1 abc"),
            _ => head.to_owned(),
        };
        assert_eq!(raw(&server, &get), expected + end.unwrap(), "{:?}", case.fault);
    }
}

#[test]
fn the_comment_of_each_fault_has_its_code_of_curl_and_its_bytes() {
    let source = include_str!("../../src/message/steps.rs");
    let (_, faults) = source.split_once("pub enum Fault {\n").unwrap();
    let (faults, _) = faults.split_once("\n}\n").unwrap();
    let mut comment = String::new();
    let mut compared = 0;
    for line in faults.lines().map(str::trim) {
        if let Some(more) = line.strip_prefix("/// ") {
            comment = comment + " " + more;
            continue;
        }
        let name: String = line.chars().take_while(|it| it.is_alphabetic()).collect();
        for case in &CASES {
            let debug = format!("{:?}", case.fault);
            if debug.split('(').next() != Some(&name) {
                continue;
            }
            compared += 1;
            assert!(comment.contains(&format!("(curl: {}", case.curl)), "{debug}:{comment}");
            for bytes in ["HTTP/1.1 abc", "|zz|"].iter().filter(|it| case.raw.contains(**it)) {
                assert!(comment.contains(&format!("`{}`", bytes.trim_matches('|'))), "{comment}");
            }
        }
        comment.clear();
    }
    assert_eq!(compared, CASES.len());
}

#[test]
fn curl_ends_with_the_code_of_each_fault() {
    if !need("curl", "curl --version") {
        return;
    }
    let server = serve();
    let code = |path: &str, patience| {
        let url = server.url(path);
        let output =
            Command::new("curl").args(["-s", "-S", "-m", patience, &url]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (number, case) in CASES.iter().enumerate() {
        let (code, error) = code(&format!("/{number}"), case.patience());
        assert_eq!(code, Some(case.curl), "{:?}: {error}", case.fault);
    }
    let (code, error) = code("/raw", "10");
    assert_eq!(code, Some(8), "a length that is no number: {error}");
}

const PYTHON: &str = "
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], timeout=float(sys.argv[2]))
try:
    connection.request('GET', sys.argv[3])
    print(len(connection.getresponse().read()))
except Exception as error:
    print(type(error).__name__)
";

#[test]
fn http_client_of_python_raises_the_exception_of_each_fault() {
    if !need("python3", "python3 --version") {
        return;
    }
    let server = serve();
    let address = server.address().to_string();
    for (number, case) in CASES.iter().enumerate() {
        let path = format!("/{number}");
        let args = ["-c", PYTHON, &address, case.patience(), &path];
        let output = Command::new("python3").args(args).output().unwrap();
        let got = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(got.trim(), case.python, "{:?}: {error}", case.fault);
    }
}

#[test]
fn a_drip_takes_its_time_on_the_wire() {
    let server = serve();
    let number = CASES.iter().position(|case| matches!(case.fault, Fault::Drip(..))).unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    write!(client, "GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let kept = server.exchanges().wait_for(1, TIMEOUT);
    let drops = kept[0].response.reads();
    let lengths: Vec<usize> = drops.iter().map(|drop| drop.length).collect();
    let whole = kept[0].response.bytes().len();
    let expected: Vec<usize> = vec![b'x'; whole].chunks(20).map(<[u8]>::len).collect();
    assert_eq!(lengths, expected);
    assert!(drops.windows(2).all(|pair| pair[1].at - pair[0].at >= DRIP), "{drops:?}");
}

#[test]
fn a_large_response_arrives_whole_before_its_reset() {
    static LARGE: Routes = routes(&[get("/", |_| {
        Response::bytes("a/b", vec![b'x'; 3_000_000]).fault(Fault::ResetAfter(2_500_000))
    })]);
    let server = Server::bind("127.0.0.1:0").unwrap().start(&LARGE, ()).unwrap();
    let text = raw(&server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let content = text.split_once("\r\n\r\n").unwrap().1;
    assert_eq!((content.len(), content.ends_with("xreset")), (2_500_005, true));
}

#[test]
fn curl_takes_an_answer_before_it_has_sent_its_content() {
    if !need("curl", "curl --version") {
        return;
    }
    let server = serve();
    let folder = Folder::new();
    let file = folder.file("film");
    // More than the buffers of both systems hold.
    std::fs::File::create(&file).unwrap().set_len(64 << 20).unwrap();
    let (url, file) = (server.url("/early"), file.to_str().unwrap());
    let args = ["-s", "-S", "-m", "10", "-H", "Expect:", "-T", file, "-w", " %{size_upload}", &url];
    let output = Command::new("curl").args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (answer, sent) = text.rsplit_once(' ').unwrap();
    assert_eq!((answer, output.status.code()), ("no, thanks", Some(0)), "{text}");
    assert!(sent.parse::<usize>().unwrap() < 64 << 20, "curl stops when it has the answer: {sent}");
}

/// What a raw socket gets from `mock`, and how the connection ends.
#[test]
fn mock_and_a_handler_take_the_same_steps() {
    static STEPS: Routes = routes(&[get("/", |_| {
        use DeliveryStep::{Reset, Wait};
        let wait = Wait(Duration::from_millis(30));
        Response::raw_steps([
            DeliveryStep::bytes("HTTP/1.1 200 OK\r\n\r\nab"),
            wait,
            DeliveryStep::bytes("c"),
            Reset,
        ])
    })]);
    let page = ">>>\nGET / HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 200 OK\n\nab\\\n--- wait 30ms\n<<<\nc\\\n\
        --- server reset\n";
    let server = Server::bind("127.0.0.1:0").unwrap().start(&STEPS, ()).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mocked = listener.local_addr().unwrap();
    let mock = std::thread::spawn(move || Mock::parse(page).unwrap().play(listener, |_| {}));
    for address in [server.address(), mocked] {
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(TIMEOUT)).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let since = Instant::now();
        let mut bytes = Vec::new();
        let end = client.read_to_end(&mut bytes).unwrap_err();
        assert_eq!(
            (end.kind(), &bytes[..]),
            (ErrorKind::ConnectionReset, &b"HTTP/1.1 200 OK\r\n\r\nabc"[..])
        );
        assert!(since.elapsed() >= Duration::from_millis(30));
    }
    mock.join().unwrap().unwrap();
}
