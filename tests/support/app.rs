//! The app behind the transcripts: a few doors, each for one thing that a server has to get right.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use openkitchen::message::date;
use openkitchen::message::visible::Visible;
use openkitchen::{Limits, Observer, Request, Response, Routes, Server, ServerHandle, Status};
use openkitchen::{delete, get, post, put, routes};

static ROUTES: Routes = routes(&[
    get("/", home),
    get("/raw", raw),
    post("/raw", raw),
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
    get("/goodbye", goodbye),
    get("/greet", greet),
    get("/greet-carelessly", greet_carelessly),
    get("/panic", panics),
    get("/panic-halfway", panics_halfway),
]);

/// The fixture that is the lesson site.
pub const SITE: &str = "the lesson site";

/// This app behind [`server`].
///
/// # Panics
/// As [`server`].
pub fn start(fixture: &str, observer: Option<Arc<dyn Observer>>) -> ServerHandle {
    server(fixture, observer).start(&ROUTES, ()).expect("a thread")
}

/// A server for one replay, on a port of its own, where it is always the RFC's example date. Which
/// limits it has is for the page to say: a line of prose such as `# fixture: impatient`. The lesson
/// site is a fixture, too.
///
/// # Panics
/// Where the fixture has no such name, or the machine no port.
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
        "one seat" => Limits { connections: 1, ..Limits::default() },
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

/// Every byte of the request, as it came.
fn raw(request: &Request) -> Response {
    Response::bytes("application/octet-stream", request.raw().to_vec())
}

fn echo(request: &Request) -> Response {
    Response::bytes("application/octet-stream", request.content().to_vec())
}

fn count(request: &Request) -> Response {
    Response::text(format!("{} bytes\n", request.content().len()))
}

/// The fields as a handler sees them, a line for each.
fn fields(request: &Request) -> Response {
    let lines = request.fields().map(|(name, value)| format!("{name}={}\n", Visible(value)));
    Response::text(lines.collect::<String>())
}

/// The target as a handler sees it.
fn file(request: &Request) -> Response {
    let (method, rest, query) = (request.method(), request.rest(), request.query());
    Response::text(format!("{method} rest={rest:?} query={query:?}\n"))
}

/// More than shares one write with its head.
fn large(_: &Request) -> Response {
    Response::bytes("text/plain", vec![b'x'; 100_000])
}

/// Gives one piece for each read, and then what its end is.
struct Pieces(&'static [&'static str], fn() -> io::Result<usize>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((piece, rest)) = self.0.split_first() else { return (self.1)() };
        self.0 = rest;
        buffer[..piece.len()].copy_from_slice(piece.as_bytes());
        Ok(piece.len())
    }
}

fn chunks(_: &Request) -> Response {
    Response::stream("text/plain", Pieces(&["one\n", "two\n", "three\n"], || Ok(0)))
}

/// A stream that breaks while it is sent.
fn torn(_: &Request) -> Response {
    Response::stream("text/plain", Pieces(&["one\n"], || Err(io::Error::other("torn"))))
}

fn sized(_: &Request) -> Response {
    Response::sized("text/plain", 10, &b"0123456789, and more that nobody was promised"[..])
}

/// A reader that has less than was promised.
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

fn goodbye(_: &Request) -> Response {
    Response::text("goodbye\n").close()
}

/// A value that the client chose, in a field: the careful way.
fn greet(request: &Request) -> Response {
    let name = request.param("name").unwrap_or_default();
    Response::text("greeted in a field\n")
        .try_field("X-Name", &name)
        .unwrap_or_else(|bad| Response::text(format!("{bad}\n")).status(Status::BAD_REQUEST))
}

/// The same the careless way, which panics where the value could not stand in a field.
fn greet_carelessly(request: &Request) -> Response {
    let name = request.param("name").unwrap_or_default();
    Response::text("greeted in a field\n").field("X-Name", &name)
}

fn panics(_: &Request) -> Response {
    panic!("a handler's mistake")
}

/// A stream that panics while it is sent.
fn panics_halfway(_: &Request) -> Response {
    Response::stream("text/plain", Pieces(&["one\n"], || panic!("a reader's mistake")))
}
