//! A whole connection in memory: everybody who asks is answered, in order, by bytes that are answers
//! from the first to the last; and wherever the question was cut, the answer is the same.

use std::fmt;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use openkitchen::message::date;
use openkitchen::message::reader::ReceivedResponse;
use openkitchen::message::visible::Visible;
use openkitchen::net::server::serve_io;
use openkitchen::{Limits, Method, Request, Response, Routes, Status};
use openkitchen::{delete, get, post, put, routes};

use super::framing::{self, requests};
use super::memory::{Client, Ending, Memory, Pace};
use super::{PROXY, Random, limits};

/// The doors of the app behind the exchanges that cannot panic.
static ROUTES: Routes<ServerProcess> = routes(&[
    get("/", raw),
    get("/raw", raw),
    post("/raw", raw),
    post("/echo", echo),
    put("/echo", echo),
    get("/files/*", greet),
    delete("/files/*", raw),
    get("/chunks", chunks),
    get("/sized", sized),
    get("/nothing", nothing),
    get("/goodbye", goodbye),
    get("/greet", greet),
]);

/// Notes what the handlers are given.
#[derive(Default)]
struct ServerProcess(Mutex<Vec<Order>>);

/// A request as it came, and its content.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    raw: Vec<u8>,
    content: Vec<u8>,
}

fn note(request: &Request<ServerProcess>) {
    let order = Order { raw: request.raw().to_vec(), content: request.content().to_vec() };
    request.state().0.lock().expect("no panic under the lock").push(order);
}

fn raw(request: &Request<ServerProcess>) -> Response {
    note(request);
    Response::bytes("application/octet-stream", request.raw().to_vec())
}

fn echo(request: &Request<ServerProcess>) -> Response {
    note(request);
    Response::bytes("application/octet-stream", request.content().to_vec())
}

/// What the client chose, in a field.
fn greet(request: &Request<ServerProcess>) -> Response {
    note(request);
    let name = request.param("name").unwrap_or(request.rest());
    Response::text("greeted in a field\n")
        .try_field("X-Name", &name)
        .unwrap_or_else(|bad| Response::text(bad.to_string()))
}

fn chunks(request: &Request<ServerProcess>) -> Response {
    note(request);
    Response::stream("text/plain", Thrice(0))
}

/// Says the same three times, a piece for each read.
struct Thrice(usize);

impl Read for Thrice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 += 1;
        if self.0 > 3 { Ok(0) } else { (&b"again\n"[..]).read(buffer) }
    }
}

fn sized(request: &Request<ServerProcess>) -> Response {
    note(request);
    Response::sized("text/plain", 10, &b"0123456789, and more that nobody was promised"[..])
}

fn nothing(request: &Request<ServerProcess>) -> Response {
    note(request);
    Response::text("never sent").status(Status::NO_CONTENT)
}

fn goodbye(request: &Request<ServerProcess>) -> Response {
    note(request);
    Response::text("goodbye\n").close()
}

/// What came of a conversation.
#[derive(PartialEq, Eq)]
struct Played {
    /// The final answers, wherever they stand among others: whether `100 Continue` is sent depends on
    /// whether content has come.
    answers: Vec<ReceivedResponse>,
    /// What the handlers were given.
    orders: Vec<Order>,
}

impl fmt::Debug for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for answer in &self.answers {
            writeln!(f, "{}{}", Visible(&answer.head), Visible(&answer.content))?;
        }
        self.orders.iter().try_for_each(|order| writeln!(f, "{}", Visible(&order.raw)))
    }
}

/// Time that a conversation takes, at most. One deadline is not a limit that can be set: what follows
/// an empty line has a second to come. A machine that slept meanwhile has to try again.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The bytes that the server sends, and what its handlers are given.
fn converse_with(client: &Client, limits: &Limits) -> (Vec<u8>, Vec<Order>) {
    loop {
        let (since, kitchen, mut answers) = (Instant::now(), ServerProcess::default(), Vec::new());
        let line = Memory { client: client.clone(), answers: &mut answers };
        serve_io(line, &ROUTES, &kitchen, limits, date::example);
        if since.elapsed() < AT_ONCE {
            return (answers, kitchen.0.into_inner().expect("no panic under the lock"));
        }
    }
}

fn play(client: &Client, limits: &Limits) -> Played {
    let (answers, orders) = converse_with(client, limits);
    let requests = requests(client.bytes, limits);
    let (read, used) = ReceivedResponse::all(&answers, &methods(client.bytes, &requests), true);
    let rest = String::from_utf8_lossy(&answers[used..]);
    assert!(rest.is_empty(), "what is sent is no answer: {rest}");
    assert!(read.iter().all(|answer| answer.is_whole), "an answer is cut short");
    let anywhere = |answer| ReceivedResponse { span: 0..0, ..answer };
    let (interim, answers): (Vec<ReceivedResponse>, Vec<ReceivedResponse>) =
        read.into_iter().map(anywhere).partition(|answer| answer.status < 200);
    let waits = |request: &&framing::Request| {
        request.head.expects_continue(&client.bytes[request.start..]) == Ok(true)
    };
    assert!(interim.iter().all(|answer| answer.status == 100));
    assert!(interim.len() <= requests.iter().filter(waits).count(), "nobody waits for a 100");
    // Where an answer stands depends on those.
    let answers =
        answers.into_iter().map(|answer| ReceivedResponse { span: 0..0, ..answer }).collect();
    Played { answers, orders }
}

/// Each limit that somebody could wait for is an hour: a machine that is slow answers no differently.
fn patient(limits: &Limits) -> Limits {
    let hour = Duration::from_secs(3600);
    let [head_timeout, content_timeout, idle_timeout, write_timeout] = [hour; 4];
    Limits { head_timeout, content_timeout, idle_timeout, write_timeout, ..limits.clone() }
}

/// The methods of the requests, as far as answers to them can differ: of one that is refused, only
/// this counts, whether it is a HEAD.
fn methods(bytes: &[u8], requests: &[framing::Request]) -> Vec<Method> {
    let mut methods: Vec<Method> = requests.iter().map(|request| request.head.method).collect();
    let rest = rest_behind(requests, bytes);
    let is_head = rest.strip_prefix(b"\r\n").unwrap_or(rest).starts_with(b"HEAD ");
    methods.push(if is_head { Method::Head } else { Method::Get });
    methods
}

/// The same bytes behind a request that fills the buffer and more: they then lie across its end, or in
/// one that was made larger.
fn behind_a_long_one(bytes: &[u8]) -> Vec<u8> {
    let length = 1024 + Random::from(bytes).below(4096);
    let head = format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let content: Vec<u8> = (0..length).map(|at| at as u8).collect();
    [head.as_bytes(), &content, bytes].concat()
}

pub fn holds(bytes: &[u8]) {
    conversations_are_in_order(bytes, &limits());
    conversations_are_in_order(&behind_a_long_one(bytes), &[Limits::default()]);
}

fn conversations_are_in_order(bytes: &[u8], limits: &[Limits]) {
    for limits in limits.iter().map(patient) {
        let requests = requests(bytes, &limits);
        for ending in [Ending::Closes, Ending::FallsSilent] {
            let client = Client::new(bytes, ending);
            let played = play(&client, &limits);
            everybody_is_answered(bytes, &requests, &played.answers);
            handlers_are_given_what_came(bytes, &requests, &played.orders);
            who_vanishes_is_sent_a_beginning(&client, &limits);
        }
    }
}

fn everybody_is_answered(
    bytes: &[u8],
    requests: &[framing::Request],
    answers: &[ReceivedResponse],
) {
    let closes = |answer: &ReceivedResponse| answer.values("connection") == ["close"];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    for answer in answers {
        assert!((200..600).contains(&answer.status));
        assert_eq!(answer.values("date"), ["Sun, 06 Nov 1994 08:49:37 GMT"]);
        // No handler here gives these: who does not follow a request cannot tell where it ends.
        let is_lost = [400, 408, 413, 414, 417, 421, 431, 501, 505].contains(&answer.status);
        assert!(!is_lost || closes(answer), "the connection is kept after {}", answer.status);
    }
    let Some((last, others)) = answers.split_last() else {
        return assert!(bytes.is_empty(), "somebody is left without a word");
    };
    assert!(!others.iter().any(closes), "more is said after a goodbye: {statuses:?}");
    // What follows the last head that could be read is answered too, but for an empty line.
    let rest = rest_behind(requests, bytes);
    let is_asked =
        !rest.is_empty() && (requests.is_empty() || ![&b"\r"[..], b"\r\n"].contains(&rest));
    let asked = requests.len() + usize::from(is_asked);
    assert!(answers.len() <= asked, "more is answered than was asked: {statuses:?}");
    assert!(answers.len() == asked || closes(last), "somebody is not answered: {statuses:?}");
}

/// What follows the last request, where that is whole.
fn rest_behind<'a>(requests: &[framing::Request], bytes: &'a [u8]) -> &'a [u8] {
    match requests.last() {
        None => bytes,
        Some(framing::Request { whole: Some((end, _)), .. }) => &bytes[*end..],
        Some(_) => b"",
    }
}

fn handlers_are_given_what_came(bytes: &[u8], requests: &[framing::Request], orders: &[Order]) {
    let mut came = requests.iter().filter_map(|request| {
        let (end, content) = request.whole.as_ref()?;
        Some((&bytes[request.start..*end], content))
    });
    for order in orders {
        let is_this =
            |(raw, content): (&[u8], &Vec<u8>)| raw == order.raw && *content == order.content;
        assert!(came.any(is_this), "a handler is given what did not come so: {order:?}");
    }
}

/// A client that takes only so much, and is gone, ends its connection and nothing else.
fn who_vanishes_is_sent_a_beginning(client: &Client, limits: &Limits) {
    let (answers, _) = converse_with(client, limits);
    let room = Random::from(client.bytes).below(answers.len() + 1);
    let (beginning, _) = converse_with(&Client { room, ..client.clone() }, limits);
    assert!(answers.starts_with(&beginning) && beginning.len() == room);
}

/// One stream of bytes, whole, byte by byte and cut anywhere: the same answers, and as many.
pub fn holds_at_every_pace(bytes: &[u8]) {
    if bytes.windows(PROXY.len()).any(|window| window == PROXY) {
        return;
    }
    the_pace_changes_nothing(bytes, &limits());
    the_pace_changes_nothing(&behind_a_long_one(bytes), &[Limits::default()]);
}

fn the_pace_changes_nothing(bytes: &[u8], limits: &[Limits]) {
    let (one, other) = (Random::from(bytes), Random::from(&[bytes, b"!"].concat()));
    for limits in limits.iter().map(patient) {
        for ending in [Ending::Closes, Ending::FallsSilent] {
            let client = Client::new(bytes, ending);
            let whole = play(&client, &limits);
            for pace in [Pace::Bytes, Pace::Random(one), Pace::Random(other)] {
                let cut = play(&Client { pace, ..client.clone() }, &limits);
                assert_eq!(cut, whole, "{pace:?}, and it {ending:?}");
            }
        }
    }
}
