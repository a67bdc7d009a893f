//! Twelve published examples of other mock servers, written with this library: what each tests, in
//! our words. None is longer than its original.
//!
//! Lines are those of a test's body, without blank lines and comments; the last test counts them.
//! What a client under test would do is [`ask`] here, as it is a call of an HTTP client there.
//!
//! Their text: the first page of the documentation of wiremock-rs and of its `Mock` and `Match`;
//! README and `tests/examples` of httpmock; README of MockWebServer and OkHttp's EventListenerTest;
//! README of Toxiproxy.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use openkitchen::DeliveryStep::{Bytes, Close, Wait};
use openkitchen::{Answers, Fault, Response, Routes, Server, ServerHandle, Status, get, routes};

use crate::support::client::{self, Client};
use crate::support::process::TIMEOUT;

/// The response to GET of this URL, with these field lines.
fn ask(url: &str, fields: &str) -> client::Response {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut client = Client::connect(address.parse().unwrap());
    client.send(format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n"));
    client.response()
}

/// A server that keeps its exchanges.
fn start<S: Send + Sync + 'static>(routes: &'static Routes<S>, state: S) -> ServerHandle<S> {
    Server::bind("127.0.0.1:0").unwrap().keep(100).start(routes, state).unwrap()
}

/// Any request gets the next answer.
static IN_TURN: Routes<Answers> = routes(&[get("/*", |request| request.state().next())]);

#[test]
fn wiremock_getting_started() {
    // theirs: 16 lines
    static ROUTES: Routes = routes(&[get("/hello", |_| Response::new(Status::OK))]);
    let server = start(&ROUTES, ());
    assert_eq!(ask(&server.url("/hello"), "").status, 200);
    assert_eq!(ask(&server.url("/missing"), "").status, 404);
}

#[test]
fn wiremock_a_rule_of_your_own_for_requests() {
    // theirs: 24 lines
    static ROUTES: Routes = routes(&[get("/", |request| match request.field("custom") {
        Some(value) if value.len() % 2 == 1 => Response::new(Status::OK),
        _ => request.not_found(),
    })]);
    let server = start(&ROUTES, ());
    assert_eq!(ask(&server.url("/"), "custom: even\r\n").status, 404);
    assert_eq!(ask(&server.url("/"), "custom: odd\r\n").status, 200);
}

#[test]
fn wiremock_a_call_is_expected() {
    // theirs: 12 lines
    let server = start(&IN_TURN, Answers::new([Response::new(Status::OK)]));
    assert_eq!(ask(&server.url("/"), "").status, 200);
    assert_eq!(server.exchanges().wait_for(1, TIMEOUT).len(), 1, "{}", server.exchanges());
}

#[test]
fn httpmock_getting_started() {
    // theirs: 12 lines
    static ROUTES: Routes = routes(&[get("/translate", |request| {
        assert_eq!(request.param("word").as_deref(), Some("hello"));
        Response::html("Привет")
    })]);
    let server = start(&ROUTES, ());
    assert_eq!(ask(&server.url("/translate?word=hello"), "").text(), "Привет");
    assert_eq!(server.exchanges().wait_for(1, TIMEOUT)[0].status, Some(200));
}

#[test]
fn httpmock_delay() {
    // theirs: 11 lines
    let delay = Duration::from_millis(100);
    let slow = Response::new(Status::OK).fault(Fault::Stall(delay));
    let server = start(&IN_TURN, Answers::new([slow]));
    let since = Instant::now();
    assert_eq!(ask(&server.url("/delay"), "").status, 200);
    assert!(since.elapsed() >= delay);
}

#[test]
fn httpmock_one_server_redirects_to_another() {
    // theirs: 20 lines
    let second = start(&IN_TURN, Answers::new([Response::new(Status::OK)]));
    let found = Response::see_other(&second.url("/finalTarget")).status(Status::FOUND);
    let first = start(&IN_TURN, Answers::new([found]));
    let redirect = ask(&first.url("/redirectTest"), "");
    assert_eq!(ask(redirect.field("location").unwrap(), "").status, 200);
    for (server, path) in [(&first, "/redirectTest"), (&second, "/finalTarget")] {
        let kept = server.exchanges().wait_for(1, TIMEOUT);
        assert!(kept[0].request.bytes().starts_with(format!("GET {path} ").as_bytes()));
    }
}

#[test]
fn httpmock_an_answer_ends_after_some_calls() {
    // theirs: 21 lines
    let answers = [205, 205, 500, 404].map(|code| Response::new(Status::new(code)));
    let server = start(&IN_TURN, Answers::new(answers));
    for status in [205, 205, 500, 404] {
        assert_eq!(ask(&server.url("/health"), "").status, status);
    }
}

#[test]
fn mockwebserver_responses_in_turn_and_the_requests_afterwards() {
    // theirs: 23 lines
    let texts = ["hello, world!", "sup, bra?", "yo dog"];
    let server = start(&IN_TURN, Answers::new(texts.map(Response::text)));
    for (path, text) in ["", "2", "3"].iter().zip(texts) {
        let url = server.url(&format!("/v1/chat/messages/{path}"));
        assert_eq!(ask(&url, "Authorization: x\r\n").text(), text);
    }
    let kept = server.exchanges().wait_for(3, TIMEOUT);
    let request = |at: usize| String::from_utf8_lossy(kept[at].request.bytes());
    assert!(request(0).starts_with("GET /v1/chat/messages/ HTTP/1.1\r\n"));
    assert!(request(0).contains("\r\nAuthorization: "), "{}", kept[0]);
    assert!(request(1).starts_with("GET /v1/chat/messages/2 "));
    assert!(request(2).starts_with("GET /v1/chat/messages/3 "));
}

#[test]
fn mockwebserver_dispatcher() {
    // theirs: 15 lines
    static ROUTES: Routes = routes(&[
        get("/v1/login/auth/", |_| Response::new(Status::OK)),
        get("/v1/check/version/", |_| Response::text("version=9")),
        get("/v1/profile/info", |_| Response::json(r#"{"info":{"name":"Lucas"}}"#)),
    ]);
    let server = start(&ROUTES, ());
    assert_eq!(ask(&server.url("/v1/check/version/"), "").text(), "version=9");
    assert_eq!(ask(&server.url("/v2"), "").status, 404);
}

#[test]
fn okhttp_a_slow_response_that_is_cut() {
    // theirs: 15 lines
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    let drops = ["01", "23", "4"]
        .map(|drop| [Wait(Duration::from_millis(20)), Bytes(drop.as_bytes().into())]);
    let steps = [Bytes(head.as_bytes().into())].into_iter().chain(drops.into_iter().flatten());
    let cut = Response::raw_steps(steps.chain([Close]).collect::<Vec<_>>());
    let server = start(&IN_TURN, Answers::new([cut]));
    let mut client = Client::connect(server.address());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(client.response_or_end().is_none(), "the content is not whole");
}

#[test]
fn toxiproxy_latency() {
    // theirs: 11 lines
    let slow = Response::text("a shop").fault(Fault::Stall(Duration::from_millis(100)));
    let server = start(&IN_TURN, Answers::new([slow]));
    let since = Instant::now();
    assert_eq!(ask(&server.url("/"), "").text(), "a shop");
    assert!(since.elapsed() >= Duration::from_millis(100));
}

#[test]
fn toxiproxy_down() {
    // theirs: 12 lines
    let server = start(&IN_TURN, Answers::new([Response::text("mammals")]));
    let address = server.address();
    assert_eq!(ask(&server.url("/tags"), "").text(), "mammals");
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn no_example_is_longer_than_its_original() {
    let mut count = 0;
    for test in include_str!("peers.rs").split("#[test]\n").skip(1) {
        let body: Vec<&str> = test.lines().skip(1).take_while(|line| *line != "}").collect();
        let Some(theirs) = body[0].trim().strip_prefix("// theirs: ") else { continue };
        let theirs: usize = theirs.strip_suffix(" lines").unwrap().parse().unwrap();
        let ours =
            body.iter().filter(|line| !line.trim().is_empty() && !line.contains("// ")).count();
        assert!(
            ours <= theirs,
            "{}: {ours} lines, and theirs {theirs}",
            test.lines().next().unwrap()
        );
        count += 1;
    }
    assert_eq!(count, 12);
}
