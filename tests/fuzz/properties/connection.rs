//! A whole connection in memory: each request gets a response, in order, and the server sends nothing
//! but responses. They do not depend on where the requests were cut.

use std::fmt;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use openkitchen::message::date;
use openkitchen::message::responses::ResponseCollector;
use openkitchen::message::visible::Visible;
use openkitchen::net::server::serve_io;
use openkitchen::{Limits, Request, Response, Routes, Status};
use openkitchen::{delete, get, post, put, routes};

use crate::rfc;
use crate::rfc::responses::Response as ReceivedResponse;

use super::memory::{Client, Ending, MemoryIo, Pace};
use super::{PROXY, Random, limits, requests};

/// Routes like those of `tests/support/app.rs`. None of the handlers can panic.
static ROUTES: Routes<Handled> = routes(&[
    get("/", raw),
    get("/raw", raw).keep_raw(),
    post("/raw", raw).keep_raw(),
    post("/echo", echo),
    put("/echo", echo),
    get("/files/*", greet),
    delete("/files/*", raw),
    get("/chunks", chunks),
    get("/sized", sized),
    get("/nothing", no_content),
    get("/goodbye", close),
    get("/greet", greet),
]);

/// The requests that the handlers were called with.
#[derive(Default)]
struct Handled(Mutex<Vec<HandledRequest>>);

/// The bytes of a request as a handler sees them, and its content.
#[derive(Debug, PartialEq, Eq)]
struct HandledRequest {
    raw: Vec<u8>,
    content: Vec<u8>,
}

fn record(request: &Request<Handled>) {
    let handled =
        HandledRequest { raw: request.raw().to_vec(), content: request.content().to_vec() };
    request.state().0.lock().expect("no panic under the lock").push(handled);
}

fn raw(request: &Request<Handled>) -> Response {
    record(request);
    Response::bytes("application/octet-stream", request.raw().to_vec())
}

fn echo(request: &Request<Handled>) -> Response {
    record(request);
    Response::bytes("application/octet-stream", request.content().to_vec())
}

/// A value from the client, in a field.
fn greet(request: &Request<Handled>) -> Response {
    record(request);
    let name = request.param("name").unwrap_or(request.rest());
    Response::text("greeted in a field\n")
        .try_field("X-Name", &name)
        .unwrap_or_else(|bad| Response::text(bad.to_string()))
}

fn chunks(request: &Request<Handled>) -> Response {
    record(request);
    Response::stream("text/plain", ThreeReads(0))
}

/// Gives the same bytes in each of three reads.
struct ThreeReads(usize);

impl Read for ThreeReads {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 += 1;
        if self.0 > 3 { Ok(0) } else { (&b"again\n"[..]).read(buffer) }
    }
}

/// A reader with more bytes than the promised length.
fn sized(request: &Request<Handled>) -> Response {
    record(request);
    Response::sized("text/plain", 10, &b"0123456789, and bytes that are not sent"[..])
}

fn no_content(request: &Request<Handled>) -> Response {
    record(request);
    Response::text("never sent").status(Status::NO_CONTENT)
}

fn close(request: &Request<Handled>) -> Response {
    record(request);
    Response::text("goodbye\n").close()
}

/// The result of one connection.
#[derive(PartialEq, Eq)]
struct Outcome {
    /// The final responses. Whether `100 Continue` is before them depends on the pace: the server
    /// sends it only if it has not received content yet.
    responses: Vec<ReceivedResponse>,
    /// The requests that the handlers were called with.
    handled: Vec<HandledRequest>,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for response in &self.responses {
            let ReceivedResponse { status, fields, content, .. } = response;
            writeln!(f, "{status} {fields:?} {}", Visible(content))?;
        }
        self.handled.iter().try_for_each(|request| writeln!(f, "{}", Visible(&request.raw)))
    }
}

/// The longest time of one run. One deadline of the server is not a setting: the bytes after an empty
/// line have to arrive within a second. On a busy machine a run may take longer, and is repeated.
const MAX_DURATION: Duration = Duration::from_millis(500);

/// Returns the bytes that the server sends, and the requests that its handlers get.
fn serve(client: &Client, limits: &Limits) -> (Vec<u8>, Vec<HandledRequest>) {
    loop {
        let (start, handled, mut sent) = (Instant::now(), Handled::default(), Vec::new());
        let io = MemoryIo { client: client.clone(), sent: &mut sent };
        serve_io(io, &ROUTES, &handled, limits, date::example);
        if start.elapsed() < MAX_DURATION {
            return (sent, handled.0.into_inner().expect("no panic under the lock"));
        }
    }
}

/// Runs one connection, and checks that the server sends nothing but complete responses.
fn run(client: &Client, limits: &Limits) -> Outcome {
    let (sent, handled) = serve(client, limits);
    let requests = requests(client.bytes, limits);
    let are_to_head = are_to_head(client.bytes, &requests);
    let is_to_head = |nth: usize| are_to_head.get(nth) == Some(&true);
    let received = rfc::responses::parse(&sent, is_to_head, true);
    let received = received.unwrap_or_else(|error| panic!("{error}: {}", Visible(&sent)));
    assert!(received.iter().all(|response| response.is_whole), "{}", Visible(&sent));
    let is_interim = |response: &ReceivedResponse| response.status < 200;
    let (interim, responses): (Vec<_>, Vec<_>) = received.into_iter().partition(is_interim);
    assert!(interim.iter().all(|response| response.status == 100));
    assert!(
        interim.len() <= requests.iter().filter(|request| request.head.expects_continue).count(),
        "a 100 that no request expects"
    );
    the_collector_finds_the_same_responses(&are_to_head, &sent, &responses);
    Outcome { responses, handled }
}

/// The library's own reader of responses agrees with the second reading of RFC 9112.
fn the_collector_finds_the_same_responses(
    are_to_head: &[bool],
    sent: &[u8],
    responses: &[ReceivedResponse],
) {
    let mut collector = ResponseCollector::new();
    for is_to_head in are_to_head {
        let method = if *is_to_head { "HEAD" } else { "GET" };
        collector.sent(format!("{method} / HTTP/1.1\r\n\r\n").as_bytes());
    }
    collector.received(sent);
    collector.end();
    assert_eq!((collector.fault(), collector.rest()), (None, &b""[..]), "{}", Visible(sent));
    let found = collector.finals().iter().map(|response| (response.status, &response.content));
    assert!(found.eq(responses.iter().map(|response| (response.status, &response.content))));
}

/// Limits with timeouts of an hour: on a slow machine the responses are the same.
fn without_timeouts(limits: &Limits) -> Limits {
    let hour = Duration::from_secs(3600);
    let [head_timeout, content_timeout, idle_timeout, write_timeout] = [hour; 4];
    Limits { head_timeout, content_timeout, idle_timeout, write_timeout, ..limits.clone() }
}

/// Whether each request has the method HEAD, so that its response has no content. The last one is a
/// request that is refused.
fn are_to_head(bytes: &[u8], requests: &[rfc::requests::Request]) -> Vec<bool> {
    let mut are_to_head: Vec<bool> =
        requests.iter().map(|request| request.head.method == b"HEAD").collect();
    let rest = rest_after(requests, bytes);
    are_to_head.push(rest.strip_prefix(b"\r\n").unwrap_or(rest).starts_with(b"HEAD "));
    are_to_head
}

/// The same bytes after a request that is as long as the server's buffer or longer. So they lie across
/// the end of the buffer, or in a larger buffer.
fn after_a_long_request(bytes: &[u8]) -> Vec<u8> {
    let length = 1024 + Random::from(bytes).below(4096);
    let head = format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let content: Vec<u8> = (0..length).map(|at| at as u8).collect();
    [head.as_bytes(), &content, bytes].concat()
}

pub fn check(bytes: &[u8]) {
    every_exchange_is_in_order(bytes, &limits());
    every_exchange_is_in_order(&after_a_long_request(bytes), &[Limits::default()]);
}

fn every_exchange_is_in_order(bytes: &[u8], limits: &[Limits]) {
    for limits in limits.iter().map(without_timeouts) {
        let requests = requests(bytes, &limits);
        for ending in [Ending::HalfCloses, Ending::StaysSilent] {
            let client = Client::new(bytes, ending);
            let outcome = run(&client, &limits);
            every_request_gets_a_response(bytes, &requests, &outcome.responses);
            handlers_get_the_requests_as_sent(bytes, &requests, &outcome.handled);
            a_client_that_vanishes_is_sent_the_same_bytes_until_then(&client, &limits);
        }
    }
}

fn every_request_gets_a_response(
    bytes: &[u8],
    requests: &[rfc::requests::Request],
    responses: &[ReceivedResponse],
) {
    let closes =
        |response: &ReceivedResponse| response.field("connection").as_deref() == Some("close");
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    for response in responses {
        assert!((200..600).contains(&response.status));
        assert_eq!(response.field("date").as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        // No handler here returns these statuses. After such a refusal the server does not know where
        // the request ends.
        let is_lost = [400, 408, 413, 414, 417, 421, 431, 501, 505].contains(&response.status);
        assert!(!is_lost || closes(response), "the connection persists after {}", response.status);
    }
    let Some((last, others)) = responses.split_last() else {
        return assert!(bytes.is_empty(), "the client gets no response");
    };
    assert!(!others.iter().any(closes), "a response follows Connection: close: {statuses:?}");
    // The bytes after the last valid head get a response too, unless they are one empty line.
    let rest = rest_after(requests, bytes);
    let is_request =
        !rest.is_empty() && (requests.is_empty() || ![&b"\r"[..], b"\r\n"].contains(&rest));
    let count = requests.len() + usize::from(is_request);
    assert!(responses.len() <= count, "more responses than requests: {statuses:?}");
    assert!(responses.len() == count || closes(last), "a request has no response: {statuses:?}");
}

/// The bytes after the last request. Empty if that request is incomplete.
fn rest_after<'a>(requests: &[rfc::requests::Request], bytes: &'a [u8]) -> &'a [u8] {
    match requests.last() {
        None => bytes,
        Some(rfc::requests::Request { whole: Some((end, _)), .. }) => &bytes[*end..],
        Some(_) => b"",
    }
}

fn handlers_get_the_requests_as_sent(
    bytes: &[u8],
    requests: &[rfc::requests::Request],
    handled: &[HandledRequest],
) {
    let mut sent = requests.iter().filter_map(|request| {
        let (end, content) = request.whole.as_ref()?;
        Some((&bytes[request.start..*end], content))
    });
    for request in handled {
        // A row without `keep_raw` gets the head alone.
        let is_same = |(sent, content): (&[u8], &Vec<u8>)| {
            let head = sent.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
            [sent, &sent[..head]].contains(&&*request.raw) && *content == request.content
        };
        assert!(sent.any(is_same), "a handler gets a request that was not sent: {request:?}");
    }
}

/// A client that vanishes after some bytes ends its connection, and the server does not panic.
fn a_client_that_vanishes_is_sent_the_same_bytes_until_then(client: &Client, limits: &Limits) {
    let (sent, _) = serve(client, limits);
    let takes = Random::from(client.bytes).below(sent.len() + 1);
    let (beginning, _) = serve(&Client { takes, ..client.clone() }, limits);
    assert!(sent.starts_with(&beginning) && beginning.len() == takes);
}

/// The same bytes in one read, byte by byte and in random reads get the same responses.
pub fn check_at_every_pace(bytes: &[u8]) {
    if bytes.windows(PROXY.len()).any(|window| window == PROXY) {
        return;
    }
    the_pace_changes_nothing(bytes, &limits());
    the_pace_changes_nothing(&after_a_long_request(bytes), &[Limits::default()]);
}

fn the_pace_changes_nothing(bytes: &[u8], limits: &[Limits]) {
    let (one, other) = (Random::from(bytes), Random::from(&[bytes, b"!"].concat()));
    for limits in limits.iter().map(without_timeouts) {
        for ending in [Ending::HalfCloses, Ending::StaysSilent] {
            let client = Client::new(bytes, ending);
            let whole = run(&client, &limits);
            for pace in [Pace::Bytes, Pace::Random(one), Pace::Random(other)] {
                let cut = run(&Client { pace, ..client.clone() }, &limits);
                assert_eq!(cut, whole, "{pace:?}, and the client {ending:?}");
            }
        }
    }
}
