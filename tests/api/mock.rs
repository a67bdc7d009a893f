//! Tests of `Mock` and `check` as calls: a client beside a mock, a server beside a transcript.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use openkitchen::play::mock::{Mock, MockVerdict};
use openkitchen::{
    Client, Request, Response, Routes, Server, Transcript, assert_bytes, check, get, routes,
};

use crate::support::process::{TIMEOUT, is_started_by_a_test, this_test_program};
use crate::support::resources::Resources;

fn page(text: &str) -> Transcript {
    Transcript::parse(text).unwrap()
}

const PAGE: &str = ">>>\nGET /menu HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 204 No Content\n\n";

const GET: &str = "GET /menu HTTP/1.1\r\nHost: h\r\n\r\n";

/// Sends these bytes on a new connection, and waits for the response.
fn ask(address: SocketAddr, bytes: &[u8]) -> u16 {
    let mut client = Client::connect(address).unwrap();
    client.send(bytes).unwrap();
    client.response().unwrap().status
}

#[test]
fn finish_tells_what_differed_and_what_the_client_sent() {
    let mock = Mock::start(&page(PAGE)).unwrap();
    assert_eq!(mock.url("/menu"), format!("http://{}/menu", mock.address()));
    assert_eq!(ask(mock.address(), GET.as_bytes()), 204);
    let played = mock.finish();
    assert!(played.is_as_written(), "{played}");
    assert_bytes!(played.received(), GET);
    assert_eq!(played.differences().count(), 0);

    let mock = Mock::start(&page(PAGE)).unwrap();
    let sent = b"GET /m HTTP/1.1\r\nHost: h\r\nX: \xff\r\n\r\n";
    assert_eq!(ask(mock.address(), sent), 204);
    let played = mock.finish();
    assert_eq!((played.is_as_written(), played.verdict()), (false, MockVerdict::Different));
    assert_bytes!(played.received(), sent);
    let [difference] = &played.differences().collect::<Vec<_>>()[..] else { panic!("{played}") };
    assert_eq!(
        difference.text,
        "request 1 differs at byte 6:\n  expected: GET /menu HTTP/1.1\\r\\n\n  \
         got:      GET /m HTTP/1.1\\r\\n\n                  ^"
    );
    let text = played.to_string();
    assert!(text.starts_with("@1: request 1 differs at byte 6:\n"), "{text}");
    assert!(text.contains("\nwhat crossed:\n>>> 34 bytes"), "{text}");
    assert!(text.contains("\nX: \\xff\n"), "{text}");
    assert!(text.contains("\n<<< 27 bytes"), "{text}");
    let again = Transcript::parse(&played.transcript().to_string());
    assert_eq!(again.as_ref(), Ok(&played.transcript()));
}

#[test]
fn what_the_client_sends_after_a_fault_is_kept_too() {
    // The reset follows the request, of which every byte is kept.
    let fault = page("<<<\nHTTP/1.1 200 OK\nContent-Length: 9\n\nabc\\\n--- server reset\n");
    let mock = Mock::start(&fault).unwrap();
    let mut client = Client::connect(mock.address()).unwrap();
    client.send(GET).unwrap();
    assert!(client.response().unwrap_err().why.contains("reset the connection within"));
    let played = mock.finish();
    assert!(played.is_as_written(), "{played}");
    assert_bytes!(played.received(), GET);
    assert!(played.to_string().ends_with("--- server reset\n"), "{played}");
}

#[test]
fn a_client_that_does_not_come_or_sends_half_is_told() {
    let short = Duration::from_millis(50);
    let mock = Mock::of(&page(PAGE)).unwrap().timeout(short).listen().unwrap();
    let played = mock.finish();
    assert_eq!(played.verdict(), MockVerdict::TimedOut);
    assert_eq!(played.to_string(), "0 of 1 connection was opened, then none for 50ms\n");

    let mock = Mock::of(&page(PAGE)).unwrap().timeout(short).listen().unwrap();
    let mut client = Client::connect(mock.address()).unwrap();
    client.send("GET /menu").unwrap();
    let played = mock.finish();
    assert_eq!(played.verdict(), MockVerdict::TimedOut, "{played}");
    assert_bytes!(played.received(), "GET /menu");
}

#[test]
fn a_mock_that_loops_keeps_connections_and_ends_at_once() {
    let mock = Mock::of(&page(PAGE)).unwrap().looping().listen().unwrap();
    let mut client = Client::connect(mock.address()).unwrap();
    let unused = TcpStream::connect(mock.address()).unwrap();
    for _ in 0..150 {
        client.send(GET).unwrap();
        assert_eq!(client.response().unwrap().status, 204);
    }
    let since = Instant::now();
    let played = mock.finish();
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert!(played.is_as_written(), "{played}");
    assert_eq!(played.connections.len(), 100, "the last hundred are kept");
    assert!(played.to_string().starts_with("5"), "the others are counted: {played}");
    assert_bytes!(played.connections[0].received(), GET);
    drop(unused);
}

#[test]
fn a_mock_that_is_dropped_stops_whatever_it_waits_for() {
    let mut addresses = Vec::new();
    for text in [PAGE, "--- silent 60s\n", ">>>\nGET / HTTP/1.1\n\n--- wait 60s\n<<<\nx\n"] {
        let mock = Mock::of(&page(text)).unwrap().listen().unwrap();
        let mut client = Client::connect(mock.address()).unwrap();
        client.send("GET / HTTP/1.1\r\n\r\n").unwrap();
        addresses.push(mock.address());
        let since = Instant::now();
        drop(mock);
        assert!(since.elapsed() < Duration::from_secs(2), "{text}: {:?}", since.elapsed());
    }
    assert!(addresses.iter().all(|&address| TcpStream::connect(address).is_err()));
}

#[test]
fn two_hundred_mocks_leave_nothing() {
    if !is_started_by_a_test() {
        let output = this_test_program("mock::two_hundred_mocks_leave_nothing").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let of_this_process = || Resources::of(std::process::id());
    let mut before = None;
    for round in 0..200 {
        let mock = Mock::of(&page(PAGE)).unwrap();
        let mock = if round % 2 == 0 { mock.looping() } else { mock };
        let mock = mock.listen().unwrap();
        assert_eq!(ask(mock.address(), GET.as_bytes()), 204);
        assert!(mock.finish().is_as_written());
        before.get_or_insert_with(of_this_process);
    }
    // A reader thread of a client ends a moment after the client.
    let (before, since) = (before.unwrap(), Instant::now());
    loop {
        let after = of_this_process();
        if after.descriptors <= before.descriptors && after.threads <= before.threads {
            break;
        }
        assert!(since.elapsed() < TIMEOUT, "{before}; after 200 mocks {after}");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_no_page_of_a_server_is_refused_in_a_sentence() {
    for (text, expected) in [
        ("# prose\n", "line 1: expected a connection to play"),
        ("<<<\nHTTP/1.1 200 OK\n\n\\{9 bytes}\\\n", "block 1 of the server: 9 bytes of this block"),
    ] {
        let error = Mock::start(&page(text)).map(drop).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Hello"))]);

#[test]
fn a_check_gives_a_report_that_an_assertion_can_show() {
    let server = Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, ()).unwrap();
    let get = "# The home page\n\n>>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 200\n";
    let passed = check(server.address(), &page(get));
    assert!(passed.passed(), "{passed}");
    assert!(passed.to_string().starts_with("ok    check  The home page\nwhat crossed:\n>>> 27 b"));
    assert!(passed.difference().is_none());

    let failed = check(server.address(), &page(&format!("{get}body \"Welcome!\"\n")));
    assert!(!failed.passed());
    let text = failed.to_string();
    let expected = "FAIL  check  The home page\n      sent:      GET / HTTP/1.1\n                 \
                    Host: h\n\n      expected:  body: Welcome!\n      got:       body: Hello\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("\n                       ^ byte 0 of the content\n"), "{text}");
    assert!(text.contains("\nwhat crossed:\n>>> 27 bytes"), "{text}");
    assert!(text.ends_with("\nHello\\\n"), "{text}");
    assert_eq!(failed.difference().unwrap().expected, "body: Welcome!");

    for (text, expected) in [
        (
            ">>>\nGET / HTTP/1.1\n\n",
            "nothing was sent: it does not say what the server should send",
        ),
        (">>>\n\\{9 bytes}\\\n???\nclosed\n", "nothing was sent: block 1 of the client: 9 bytes"),
    ] {
        let refused = check(server.address(), &page(text));
        assert!(!refused.passed() && refused.to_string().starts_with(expected), "{refused}");
    }
    let address = server.address();
    drop(server);
    let unreachable = check(address, &page(get));
    assert!(unreachable.to_string().contains("no server listens there"), "{unreachable}");
    assert!(!unreachable.passed());
}

#[test]
fn a_check_follows_a_response_of_more_than_a_mebibyte() {
    static LONG: Routes =
        routes(&[get("/", |_: &Request| Response::text("x".repeat(3 * 1024 * 1024)))]);
    let server = Server::bind("127.0.0.1:0").unwrap().start(&LONG, ()).unwrap();
    let get = ">>>\nGET / HTTP/1.1\nHost: h\nConnection: close\n\n";
    let report = check(server.address(), &page(&format!("{get}???\nstatus 200\nclosed\n")));
    assert!(report.passed(), "{report}");
}
