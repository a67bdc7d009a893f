//! Tests of `Mock` and `check` as calls: a client beside a mock, a server beside a transcript.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use openkitchen::{
    Client, Mock, MockVerdict, Request, Response, Routes, Server, Transcript, assert_bytes, check,
    get, routes,
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
    let mock = Mock::parse(PAGE).unwrap().start().unwrap();
    assert_eq!(mock.url("/menu"), format!("http://{}/menu", mock.address()));
    assert_eq!(ask(mock.address(), GET.as_bytes()), 204);
    let played = mock.finish();
    assert!(played.passed(), "{played}");
    assert_bytes!(played.received(), GET);
    assert_eq!(played.differences().count(), 0);

    let mock = Mock::parse(PAGE).unwrap().start().unwrap();
    let sent = b"GET /m HTTP/1.1\r\nHost: h\r\nX: \xff\r\n\r\n";
    assert_eq!(ask(mock.address(), sent), 204);
    let played = mock.finish();
    assert_eq!((played.passed(), played.verdict()), (false, MockVerdict::Different));
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
    let mock = Mock::of(&fault).unwrap().start().unwrap();
    let mut client = Client::connect(mock.address()).unwrap();
    client.send(GET).unwrap();
    assert!(client.response().unwrap_err().why.contains("reset the connection within"));
    let played = mock.finish();
    assert!(played.passed(), "{played}");
    assert_bytes!(played.received(), GET);
    assert!(played.to_string().ends_with("--- server reset\n"), "{played}");
}

#[test]
fn a_client_that_does_not_come_or_sends_half_is_told() {
    let short = Duration::from_millis(50);
    let mock = Mock::parse(PAGE).unwrap().timeout(short).start().unwrap();
    let played = mock.finish();
    assert_eq!(played.verdict(), MockVerdict::TimedOut);
    assert_eq!(played.to_string(), "0 of 1 connection was opened, then none for 50ms\n");

    let mock = Mock::parse(PAGE).unwrap().timeout(10 * short).start().unwrap();
    let mut client = Client::connect(mock.address()).unwrap();
    client.send("GET /menu").unwrap();
    let played = mock.finish();
    assert_eq!(played.verdict(), MockVerdict::TimedOut, "{played}");
    assert_bytes!(played.received(), "GET /menu");
}

#[test]
fn a_mock_that_loops_keeps_connections_and_ends_at_once() {
    let mock = Mock::parse(PAGE).unwrap().looping().start().unwrap();
    let mut client = Client::connect(mock.address()).unwrap();
    let unused = TcpStream::connect(mock.address()).unwrap();
    for _ in 0..150 {
        client.send(GET).unwrap();
        assert_eq!(client.response().unwrap().status, 204);
    }
    let since = Instant::now();
    let played = mock.finish();
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert!(played.passed(), "{played}");
    assert_eq!(played.connections.len(), 100, "the last hundred are kept");
    assert!(played.to_string().starts_with("5"), "the others are counted: {played}");
    assert_bytes!(played.connections[0].received, GET);
    drop(unused);
}

#[test]
fn a_mock_that_is_dropped_stops_whatever_it_waits_for() {
    let mut addresses = Vec::new();
    for text in [PAGE, "--- silent 60s\n", ">>>\nGET / HTTP/1.1\n\n--- wait 60s\n<<<\nx\n"] {
        let mock = Mock::of(&page(text)).unwrap().start().unwrap();
        let mut client = Client::connect(mock.address()).unwrap();
        client.send("GET ").unwrap();
        addresses.push(mock.address());
        let since = Instant::now();
        drop(mock);
        assert!(since.elapsed() < Duration::from_secs(2), "{text}: {:?}", since.elapsed());
    }
    assert!(addresses.iter().all(|&address| TcpStream::connect(address).is_err()));
}

#[test]
fn every_byte_of_the_client_is_kept_whatever_else_crosses() {
    // A response of more than what is kept of it, then a request whose bytes arrive one by one.
    let long = "<<<\nHTTP/1.1 200 OK\nContent-Length: 1100000\n\n\\{1100000 \"x\"}\\\n";
    let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6000\r\n\r\n";
    let empty = "<<<\nHTTP/1.1 204 No Content\n\n";
    let page = format!(">>>\n{}{long}???\nmethod POST\n\n{empty}", GET.replace("\r\n", "\n"));
    let mock = Mock::parse(&page).unwrap().start().unwrap();
    let mut client = Client::connect(mock.address()).unwrap();
    client.send(GET).unwrap();
    assert_eq!(client.response().unwrap().content.len(), 1_100_000);
    client.send(post).unwrap();
    (0..6000).for_each(|_| client.send("x").unwrap());
    assert_eq!(client.response().unwrap().status, 204);
    let played = mock.finish();
    assert_bytes!(played.received(), format!("{GET}{post}{}", "x".repeat(6000)));
    assert_eq!(played.connections[0].left_out, 0);

    // What is beyond the bound is counted.
    let mock = Mock::parse(empty).unwrap().start().unwrap();
    let post = post.replace("6000", "3000000");
    assert_eq!(ask(mock.address(), (post.clone() + &"x".repeat(3_000_000)).as_bytes()), 204);
    let played = mock.finish();
    let left_out = post.len() + 3_000_000 - played.received().len();
    assert_eq!(played.connections[0].left_out, left_out as u64);
    let told = format!("@1: {left_out} more bytes of the client are not kept\n");
    assert!(left_out > 0 && played.to_string().contains(&told));
}

#[test]
fn a_mock_that_is_dropped_panics_with_a_difference_unless_the_test_panics_already() {
    let other = GET.replace("menu", "other");
    let drop_after = |request: &str, and: fn()| {
        let request = request.to_owned();
        let panic = std::panic::catch_unwind(move || {
            let mock = Mock::parse(PAGE).unwrap().start().unwrap();
            assert_eq!(ask(mock.address(), request.as_bytes()), 204);
            and();
            drop(mock);
        });
        panic.map_err(|panic| match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
        })
    };
    assert_eq!(drop_after(GET, || {}), Ok(()));
    let report = drop_after(&other, || {}).unwrap_err();
    let expected = "the mock was dropped without `finish`: @1: request 1 differs at byte 5:\n";
    assert!(report.starts_with(expected) && report.contains("what crossed:\n>>> "), "{report}");
    // A second panic would end the process.
    assert_eq!(drop_after(&other, || panic!("of the test")), Err("of the test".into()));
    // No client has come: a drop does not wait for one, and a mock that loops asks for none.
    drop(Mock::parse(PAGE).unwrap().start().unwrap());
    let played = Mock::parse(PAGE).unwrap().looping().start().unwrap().finish();
    assert!(played.passed() && played.connections.is_empty(), "{played}");
}

#[test]
fn a_test_that_panics_shows_what_its_mock_has_seen() {
    if is_started_by_a_test() {
        let _mock = Mock::parse(PAGE).unwrap().start().unwrap();
        ask(_mock.address(), GET.replace("menu", "other").as_bytes());
        panic!("as the test wants");
    }
    let name = "mock::a_test_that_panics_shows_what_its_mock_has_seen";
    let output = this_test_program(name).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(shown.contains("the mock at 127.0.0.1:"), "{shown}");
    assert!(shown.contains("request 1 differs at byte 5"), "{shown}");
    assert!(shown.contains("GET /other HTTP/1.1\nHost: h\n"), "{shown}");
}

#[test]
fn a_client_that_trickles_or_does_not_read_is_not_waited_for_without_end() {
    let short = Duration::from_millis(200);
    let any = Mock::parse("<<<\nHTTP/1.1 204 No Content\n\n").unwrap();
    let mock = any.timeout(short).start().unwrap();
    let address = mock.address();
    let client = std::thread::spawn(move || {
        let mut client = Client::connect(address).unwrap();
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(2) && client.send("x").is_ok() {
            std::thread::sleep(Duration::from_millis(20)); // the pace is what is tested
        }
    });
    let since = Instant::now();
    let played = mock.finish();
    assert!(since.elapsed() < Duration::from_millis(1500), "{:?}", since.elapsed());
    assert_eq!(played.verdict(), MockVerdict::TimedOut, "{played}");
    client.join().unwrap();

    // More than the buffers of both sockets hold.
    let long = "<<<\nHTTP/1.1 200 OK\nContent-Length: 20000000\n\n\\{20000000 \"x\"}\\\n";
    for loops in [false, true] {
        let mock = Mock::parse(long).unwrap();
        let mock = if loops { mock.looping() } else { mock };
        let mock = mock.start().unwrap();
        let mut client = TcpStream::connect(mock.address()).unwrap();
        std::io::Write::write_all(&mut client, GET.as_bytes()).unwrap();
        std::io::Read::read_exact(&mut client, &mut [0; 12]).unwrap();
        let since = Instant::now();
        drop(mock);
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}

#[test]
fn the_end_of_a_mock_does_not_wait_for_clients_that_keep_their_connection() {
    let since = Instant::now();
    for _ in 0..5 {
        let mock = Mock::parse(PAGE).unwrap().start().unwrap();
        let mut client = Client::connect(mock.address()).unwrap();
        client.send(GET).unwrap();
        client.response().unwrap();
        assert!(mock.finish().passed());
        drop(client);
    }
    // On other systems it is not known what has arrived.
    if cfg!(target_os = "linux") {
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_mock_stops_also_where_no_descriptor_is_free() {
    if !is_started_by_a_test() {
        let program = this_test_program("mock::a_mock_stops_also_where_no_descriptor_is_free");
        let mut command = std::process::Command::new("timeout");
        command.args(["20", "sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"]);
        command.arg(program.get_program()).args(program.get_args());
        let variables = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let output = command.envs(variables).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let mock = Mock::parse(PAGE).unwrap().start().unwrap();
    let files: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    drop(mock);
    drop(files);
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
        let mock = Mock::parse(PAGE).unwrap();
        let mock = if round % 2 == 0 { mock.looping() } else { mock };
        let mock = mock.start().unwrap();
        assert_eq!(ask(mock.address(), GET.as_bytes()), 204);
        assert!(mock.finish().passed());
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
        let error = Mock::of(&page(text)).map(drop).unwrap_err().to_string();
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

    let untitled =
        check(server.address(), &page(">>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 404\n"));
    assert!(untitled.to_string().starts_with("FAIL  check\n"), "{untitled}");

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
        ("", "nothing was sent: line 1: expected ??? or <<<"),
    ] {
        let refused = check(server.address(), &page(text));
        assert!(!refused.passed() && refused.to_string().starts_with(expected), "{refused}");
    }
    let address = server.address();
    drop(server);
    let unreachable = check(address, &page(get));
    let expected = "expected:  a connection\n      got:       none: no server listens there";
    assert!(unreachable.to_string().contains(expected), "{unreachable}");
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
