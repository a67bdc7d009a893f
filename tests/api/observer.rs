//! What an observer of a library server is told, and in which order.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use openkitchen::{Answered, DeliveryStep, End, Observer, Request, Response, RouteRow, Routes};
use openkitchen::{Server, get, post, routes};

static ROUTES: Routes = routes(&[get("/", home), post("/echo", echo), get("/reset", reset)]);

fn home(_: &Request) -> Response {
    Response::text("Welcome!")
}

fn echo(request: &Request) -> Response {
    Response::bytes("text/plain", request.content().to_vec())
}

/// More bytes than one write takes, and a reset; the last step is not taken.
fn reset(_: &Request) -> Response {
    let bytes = |length| DeliveryStep::Bytes(vec![b'x'; length].into());
    Response::steps("text/plain", [bytes(5), bytes(MANY), DeliveryStep::Reset, bytes(7)])
}

const MANY: usize = 200_000;

/// Records each call as words.
#[derive(Default)]
struct Calls {
    words: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Calls {
    fn add(&self, word: impl Into<String>) {
        self.words.lock().unwrap().push(word.into());
        self.changed.notify_all();
    }

    /// The calls, once the last of them is `gone`.
    fn until_gone(&self) -> Vec<String> {
        let is_gone = |words: &Vec<String>| words.last().is_some_and(|word| word == "gone");
        let words = self.words.lock().unwrap();
        self.changed.wait_while(words, |words| !is_gone(words)).unwrap().clone()
    }
}

impl Observer for Calls {
    fn started(&self, address: SocketAddr, routes: &[RouteRow]) {
        let rows: Vec<&str> = routes.iter().map(|row| row.path).collect();
        self.add(format!("started {} {}", address.ip(), rows.join(" ")));
    }

    fn opened(&self, connection: u64, _: SocketAddr) {
        self.add(format!("opened {connection}"));
    }

    fn received(&self, _: u64, bytes: &[u8]) {
        self.add(format!("received {}", bytes.len()));
    }

    fn routed(&self, _: u64, route: Option<&RouteRow>) {
        self.add(format!("routed {}", route.map_or("nowhere", |route| route.path)));
    }

    fn sent(&self, _: u64, _: &[u8]) {
        self.add("sent");
    }

    fn answered(&self, _: u64, exchange: &Answered<'_>) {
        let route = exchange.route.map_or("nowhere", |route| route.path);
        self.add(format!("answered {} {route}", exchange.status.code()));
    }

    fn ended(&self, _: u64, end: End) {
        self.add(format!("{end:?}"));
    }

    fn gone(&self, _: u64) {
        self.add("gone");
    }
}

#[test]
fn every_observer_is_told_of_each_step_in_order() {
    let (one, other) = (Arc::new(Calls::default()), Arc::new(Calls::default()));
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server.observed_by(one.clone()).observed_by(other.clone());
    let server = server.start(&ROUTES, ()).unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    let mut response = [0; 1024];
    for request in
        ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET /no-such-path HTTP/1.1\r\nHost: h\r\n\r\n"]
    {
        client.write_all(request.as_bytes()).unwrap();
        assert!(client.read(&mut response).unwrap() > 0);
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut response).unwrap(), 0);
    let expected = [
        "started 127.0.0.1 / /echo /reset",
        "opened 1",
        "received 27",
        "routed /",
        "sent",
        "answered 200 /",
        "received 39",
        "routed nowhere",
        "sent",
        "answered 404 nowhere",
        "ClientClosed",
        "ServerClosed",
        "gone",
    ];
    assert_eq!(one.until_gone(), expected);
    assert_eq!(other.until_gone(), expected);
}

#[test]
fn a_reset_by_a_response_follows_all_bytes_before_it_and_is_told() {
    let calls = Arc::new(Calls::default());
    let server = Server::bind("127.0.0.1:0").unwrap().observed_by(calls.clone());
    let server = server.start(&ROUTES, ()).unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"GET /reset HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut response = Vec::new();
    let error = client.read_to_end(&mut response).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let content = response.iter().filter(|&&byte| byte == b'x').count();
    assert_eq!(content, 5 + MANY + 1, "and one in the head: text");
    let told = calls.until_gone();
    assert_eq!(told[told.len() - 3..], ["answered 200 /reset", "ServerReset", "gone"][..]);
}

#[test]
fn a_server_that_reads_on_after_its_last_response_has_half_closed() {
    let refused = "GET / HTTP/1.1\r\nHost : h\r\n\r\n";
    for (later, ends) in [
        ("", &["ServerClosed", "ClientClosed", "gone"][..]),
        ("more", &["ServerHalfClosed", "received 4", "ClientClosed", "gone"]),
    ] {
        let calls = Arc::new(Calls::default());
        let server = Server::bind("127.0.0.1:0").unwrap().observed_by(calls.clone());
        let server = server.start(&ROUTES, ()).unwrap();
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(refused.as_bytes()).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        client.write_all(later.as_bytes()).unwrap();
        // What was sent is read before the FIN after it.
        client.shutdown(Shutdown::Write).unwrap();
        let calls = calls.until_gone();
        assert_eq!(calls[calls.len() - ends.len()..], *ends, "{later:?}");
    }
}

#[test]
fn the_route_is_told_before_the_content_is_read() {
    let calls = Arc::new(Calls::default());
    let server = Server::bind("127.0.0.1:0").unwrap().observed_by(calls.clone());
    let server = server.start(&ROUTES, ()).unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\
                Expect: 100-continue\r\nConnection: close\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    assert!(client.read(&mut [0; 64]).unwrap() > 0, "100 Continue");
    client.write_all(b"hi").unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    drop(client);
    let calls = calls.until_gone();
    let at = |word: &str| calls.iter().position(|call| call == word).expect(word);
    assert!(at("routed /echo") < at("sent") && at("sent") < at("received 2"), "{calls:?}");
}

/// Adds up the bytes of all requests: as they are received, and as they are told when answered.
#[derive(Default)]
struct Lengths {
    received: AtomicUsize,
    answered: AtomicUsize,
}

impl Observer for Lengths {
    fn received(&self, _: u64, bytes: &[u8]) {
        self.received.fetch_add(bytes.len(), Ordering::SeqCst);
    }

    fn answered(&self, _: u64, exchange: &Answered<'_>) {
        self.answered.fetch_add(exchange.received, Ordering::SeqCst);
    }
}

#[test]
fn every_byte_of_a_request_is_counted_although_its_chunks_are_not_kept() {
    let lengths = Arc::new(Lengths::default());
    let server = Server::bind("127.0.0.1:0").unwrap().observed_by(lengths.clone());
    let server = server.start(&ROUTES, ()).unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    let chunks = format!("7d0\r\n{}\r\n", "x".repeat(2000)).repeat(40) + "0\r\nX: y\r\n\r\n";
    for fields in ["", "Connection: close\r\n"] {
        let framing = "Transfer-Encoding: chunked\r\n";
        let request = format!("POST /echo HTTP/1.1\r\nHost: h\r\n{framing}{fields}\r\n{chunks}");
        client.write_all(request.as_bytes()).unwrap();
    }
    let mut responses = Vec::new();
    client.read_to_end(&mut responses).unwrap();
    drop(server);
    assert!(responses.len() > 2 * 80_000 && responses.ends_with(b"xxxx"));
    let all = lengths.received.load(Ordering::SeqCst);
    assert_eq!((lengths.answered.load(Ordering::SeqCst), all > 2 * 80_000), (all, true));
}

/// Panics in each call.
struct Panics;

impl Observer for Panics {
    fn started(&self, _: SocketAddr, _: &[RouteRow]) {
        panic!("in started, as the test wants");
    }

    fn opened(&self, _: u64, _: SocketAddr) {
        panic!("in opened, as the test wants");
    }

    fn received(&self, _: u64, _: &[u8]) {
        panic!("in received, as the test wants");
    }

    fn routed(&self, _: u64, _: Option<&RouteRow>) {
        panic!("in routed, as the test wants");
    }

    fn sent(&self, _: u64, _: &[u8]) {
        panic!("in sent, as the test wants");
    }

    fn answered(&self, _: u64, _: &Answered<'_>) {
        panic!("in answered, as the test wants");
    }

    fn ended(&self, _: u64, _: End) {
        panic!("in ended, as the test wants");
    }

    fn gone(&self, _: u64) {
        panic!("in gone, as the test wants");
    }
}

#[test]
fn an_observer_that_panics_changes_no_byte_and_silences_no_other_observer() {
    let calls = Arc::new(Calls::default());
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server.observed_by(Arc::new(Panics)).observed_by(calls.clone());
    let server = server.start(&ROUTES, ()).unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("Welcome!"));
    let expected = [
        "started 127.0.0.1 / /echo /reset",
        "opened 1",
        "received 27",
        "routed /",
        "sent",
        "answered 200 /",
        "ClientClosed",
        "ServerClosed",
        "gone",
    ];
    assert_eq!(calls.until_gone(), expected);
}
