//! The app for the transcripts: each route is for one thing that a server must do right.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use openkitchen::message::date;
use openkitchen::message::visible::Visible;
use openkitchen::{Limits, Observer, Request, Response, Routes, Server, ServerHandle, Status};
use openkitchen::{delete, get, post, put, routes};

static ROUTES: Routes = routes(&[
    get("/", home),
    get("/raw", raw).keep_raw(),
    post("/raw", raw).keep_raw(),
    post("/echo", echo),
    put("/echo", echo),
    post("/count", count),
    get("/fields", fields),
    get("/files/*", file),
    delete("/files/*", file),
    get("/large", large),
    get("/chunks", chunks),
    get("/torn", torn),
    get("/sized", sized),
    get("/short", short),
    get("/empty", empty),
    get("/nothing", nothing),
    get("/unchanged", unchanged),
    get("/reset", reset),
    get("/elsewhere", elsewhere),
    get("/goodbye", text_and_close),
    get("/greet", greet),
    get("/greet-carelessly", greet_carelessly),
    get("/panic", panics),
    get("/panic-halfway", panics_halfway),
]);

/// The name of the fixture for the lesson site, which has other routes.
pub const SITE: &str = "the lesson site";

/// Starts this app on a [`server`].
///
/// # Panics
/// As [`server`] does.
pub fn start(fixture: &str, observer: Option<Arc<dyn Observer>>) -> ServerHandle {
    server(fixture, observer).start(&ROUTES, ()).expect("a thread")
}

/// Returns a server for one replay, on a free port. Its clock always shows the RFC's example date. The
/// fixture sets its limits; a page chooses one with a line of prose such as `# fixture: impatient`.
///
/// # Panics
/// If no fixture has this name, or no port is free.
pub fn server(fixture: &str, observer: Option<Arc<dyn Observer>>) -> Server {
    let limits = match fixture {
        "" | SITE => Limits::default(),
        "impatient" => Limits {
            head_timeout: Duration::from_millis(400),
            content_timeout: Duration::from_millis(400),
            idle_timeout: Duration::from_millis(400),
            ..Limits::default()
        },
        "narrow" => Limits { head: 256, target: 64, content: 16, ..Limits::default() },
        "little memory" => {
            Limits { content: 16 * 1024, memory: Some(32 * 1024), ..Limits::default() }
        }
        "one connection" => Limits { connections: 1, ..Limits::default() },
        other => panic!("no fixture is called {other:?}"),
    };
    let server = Server::bind("127.0.0.1:0").expect("a free port").limits(limits);
    let server = server.clock(date::example);
    match observer {
        Some(observer) => server.observed_by(observer),
        None => server,
    }
}

fn home(_: &Request) -> Response {
    Response::text("hello\n")
}

/// Every byte of the request, as received.
fn raw(request: &Request) -> Response {
    Response::bytes("application/octet-stream", request.raw().to_vec())
}

fn echo(request: &Request) -> Response {
    Response::bytes("application/octet-stream", request.content().to_vec())
}

fn count(request: &Request) -> Response {
    Response::text(format!("{} bytes\n", request.content().len()))
}

/// The fields as a handler sees them, one on a line.
fn fields(request: &Request) -> Response {
    let lines = request.fields().map(|(name, value)| format!("{name}={}\n", Visible(value)));
    Response::text(lines.collect::<String>())
}

/// The target as a handler sees it.
fn file(request: &Request) -> Response {
    let (method, rest, query) = (request.method(), request.rest(), request.query());
    Response::text(format!("{method} rest={rest:?} query={query:?}\n"))
}

/// Content that is too large to be sent in one write with its head.
fn large(_: &Request) -> Response {
    Response::bytes("text/plain", vec![b'x'; 100_000])
}

/// A reader that gives one of these strings for each read, and then the result of the function.
struct ScriptedReader(&'static [&'static str], fn() -> io::Result<usize>);

impl Read for ScriptedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((text, rest)) = self.0.split_first() else { return (self.1)() };
        self.0 = rest;
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        Ok(text.len())
    }
}

fn chunks(_: &Request) -> Response {
    Response::stream("text/plain", ScriptedReader(&["one\n", "two\n", "three\n"], || Ok(0)))
}

/// A stream that fails while it is sent.
fn torn(_: &Request) -> Response {
    Response::stream("text/plain", ScriptedReader(&["one\n"], || Err(io::Error::other("torn"))))
}

fn sized(_: &Request) -> Response {
    Response::sized("text/plain", 10, &b"0123456789, and more bytes than promised"[..])
}

/// A reader that has fewer bytes than promised.
fn short(_: &Request) -> Response {
    Response::sized("text/plain", 10, &b"0123"[..])
}

fn empty(_: &Request) -> Response {
    Response::text("")
}

fn nothing(_: &Request) -> Response {
    Response::text("never sent").status(Status::NO_CONTENT)
}

fn unchanged(_: &Request) -> Response {
    Response::text("never sent").status(Status::NOT_MODIFIED).field("ETag", "\"1\"")
}

fn reset(_: &Request) -> Response {
    Response::text("never sent").status(Status::RESET_CONTENT)
}

fn elsewhere(_: &Request) -> Response {
    Response::see_other("/")
}

fn text_and_close(_: &Request) -> Response {
    Response::text("goodbye\n").close()
}

/// Puts a value from the client into a field, and handles the error of a value that is not allowed.
fn greet(request: &Request) -> Response {
    let name = request.param("name").unwrap_or_default();
    Response::text("greeted in a field\n")
        .try_field("X-Name", &name)
        .unwrap_or_else(|bad| Response::text(format!("{bad}\n")).status(Status::BAD_REQUEST))
}

/// The same without that check: it panics if the value is not allowed in a field.
fn greet_carelessly(request: &Request) -> Response {
    let name = request.param("name").unwrap_or_default();
    Response::text("greeted in a field\n").field("X-Name", &name)
}

fn panics(_: &Request) -> Response {
    panic!("a handler's mistake")
}

/// A stream that panics while it is sent.
fn panics_halfway(_: &Request) -> Response {
    Response::stream("text/plain", ScriptedReader(&["one\n"], || panic!("a reader's mistake")))
}
