//! Twelve published examples of other mock servers, written with this library: what each tests, in
//! our words. None is longer than its original.
//!
//! Lines are those of a test's body and of the helpers that it calls, without blank lines and comments;
//! the last test counts them. What a client under test would do is [`ask`] here; there it is one call of
//! an HTTP library.
//!
//! Their text: the first page of the documentation of wiremock-rs and of its `Mock` and `Match`;
//! README and `tests/examples` of httpmock; README of MockWebServer and OkHttp's EventListenerTest;
//! README of Toxiproxy.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use openkitchen::{
    Answers, Client, DeliveryStep, Fault, ReceivedResponse, Response, Routes, Server, Status, get,
    routes,
};

use crate::support::process::TIMEOUT;

/// The response to GET of this URL, with these field lines.
fn ask(url: &str, fields: &str) -> ReceivedResponse {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut client = Client::connect(address).unwrap();
    client.send(format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n")).unwrap();
    client.response().unwrap()
}

#[test]
fn wiremock_getting_started() {
    // theirs: 16 lines
    static ROUTES: Routes = routes(&[get("/hello", |_| Response::new(Status::OK))]);
    let server = Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, ()).unwrap();
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
    let server = Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, ()).unwrap();
    assert_eq!(ask(&server.url("/"), "custom: even\r\n").status, 404);
    assert_eq!(ask(&server.url("/"), "custom: odd\r\n").status, 200);
}

#[test]
fn wiremock_a_call_is_expected() {
    // theirs: 12 lines
    let server = Answers::new([Response::new(Status::OK)]).start().unwrap();
    assert_eq!(ask(&server.url("/"), "").status, 200);
    assert_eq!(server.exchanges().wait_for(1, TIMEOUT).len(), 1, "{}", server.exchanges());
}

#[test]
fn httpmock_getting_started() {
    // theirs: 12 lines
    let server = Answers::new([Response::html("Привет")]).start().unwrap();
    assert_eq!(ask(&server.url("/translate?word=hello"), "").text(), "Привет");
    let kept = server.exchanges().wait_for(1, TIMEOUT);
    assert!(kept[0].request.bytes().starts_with(b"GET /translate?word=hello "), "{}", kept[0]);
    assert_eq!(kept.len(), 1);
}

#[test]
fn httpmock_delay() {
    // theirs: 11 lines
    let delay = Duration::from_millis(100);
    let server = Answers::new([Response::text("").fault(Fault::Stall(delay))]).start().unwrap();
    let since = Instant::now();
    assert_eq!(ask(&server.url("/delay"), "").status, 200);
    assert!(since.elapsed() >= delay);
}

#[test]
fn httpmock_one_server_redirects_to_another() {
    // theirs: 20 lines
    let second = Answers::new([Response::new(Status::OK)]).start().unwrap();
    let found = Response::see_other(&second.url("/finalTarget")).status(Status::FOUND);
    let first = Answers::new([found]).start().unwrap();
    let redirect = ask(&first.url("/redirectTest"), "");
    assert_eq!(ask(&redirect.field("location").unwrap(), "").status, 200);
    for (server, path) in [(&first, "/redirectTest"), (&second, "/finalTarget")] {
        let kept = server.exchanges().wait_for(1, TIMEOUT);
        assert!(kept[0].request.bytes().starts_with(format!("GET {path} ").as_bytes()));
    }
}

#[test]
fn httpmock_an_answer_ends_after_some_calls() {
    // theirs: 21 lines
    let answers = [205, 205, 500, 404].map(|code| Response::new(Status::new(code)));
    let server = Answers::new(answers).start().unwrap();
    for status in [205, 205, 500, 404] {
        assert_eq!(ask(&server.url("/health"), "").status, status);
    }
}

#[test]
fn mockwebserver_responses_in_turn_and_the_requests_afterwards() {
    // theirs: 23 lines
    let texts = ["hello, world!", "sup, bra?", "yo dog"];
    let server = Answers::new(texts.map(Response::text)).start().unwrap();
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
    let server = Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, ()).unwrap();
    assert_eq!(ask(&server.url("/v1/check/version/"), "").text(), "version=9");
    assert_eq!(ask(&server.url("/v2"), "").status, 404);
}

#[test]
fn okhttp_a_slow_response_that_is_cut() {
    // theirs: 15 lines
    let mut steps = vec![DeliveryStep::bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")];
    for drop in ["01", "23", "4"] {
        let pause = DeliveryStep::Wait(Duration::from_millis(20));
        steps.extend([pause, DeliveryStep::bytes(drop)]);
    }
    steps.push(DeliveryStep::Close);
    let server = Answers::new([Response::raw_steps(steps)]).start().unwrap();
    let mut client = Client::connect(server.address()).unwrap();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(client.response().is_err(), "the content is not whole");
}

#[test]
fn toxiproxy_latency() {
    // theirs: 11 lines
    let slow = Response::text("a shop").fault(Fault::Stall(Duration::from_millis(100)));
    let server = Answers::new([slow]).start().unwrap();
    let since = Instant::now();
    assert_eq!(ask(&server.url("/"), "").text(), "a shop");
    assert!(since.elapsed() >= Duration::from_millis(100));
}

#[test]
fn toxiproxy_down() {
    // theirs: 12 lines
    let server = Answers::new([Response::text("mammals")]).start().unwrap();
    let address = server.address();
    assert_eq!(ask(&server.url("/tags"), "").text(), "mammals");
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn no_example_is_longer_than_its_original() {
    let source = include_str!("peers.rs");
    let lines_of = |function: &str| {
        let body: Vec<&str> = function.lines().take_while(|line| *line != "}").collect();
        let is_code = |line: &&&str| !line.trim().is_empty() && !line.contains("// ");
        (body.iter().filter(is_code).count(), body.join("\n"))
    };
    // A helper counts with its first line and its last.
    let (helpers, _) = source.split_once("#[test]").unwrap();
    let helpers: Vec<(&str, usize)> = helpers
        .split("\nfn ")
        .skip(1)
        .map(|helper| (helper.split('(').next().unwrap(), lines_of(helper).0 + 1))
        .collect();
    assert_eq!(helpers, [("ask", 6)]);
    let mut count = 0;
    for test in source.split("#[test]\n").skip(1) {
        let (first, rest) = test.split_once('\n').unwrap();
        let Some(theirs) = rest.trim().strip_prefix("// theirs: ") else { continue };
        let (theirs, _) = theirs.split_once(" lines").unwrap();
        let theirs: usize = theirs.parse().unwrap();
        let (own, body) = lines_of(rest);
        let called = helpers.iter().filter(|(name, _)| body.contains(&format!("{name}(")));
        let ours = own + called.map(|(_, lines)| lines).sum::<usize>();
        assert!(ours <= theirs, "{first}: {ours} lines, and theirs {theirs}");
        count += 1;
    }
    assert_eq!(count, 12);
}
