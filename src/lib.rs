//! # Open Kitchen: an HTTP/1.1 server that shows every byte
//!
//! An HTTP/1.1 origin server on `std::net`: one thread for each connection, a static table of routes, no
//! framework. [`httparse`](https://docs.rs/httparse) splits a head, and the rest is here. An
//! [`Observer`] is shown every byte that crosses, and a [`Transcript`] is the same as text.
//!
//! ```
//! use openkitchen::{Request, Response, Routes, Server, get, routes};
//!
//! static ROUTES: Routes = routes(&[
//!     get("/", home),
//!     get("/about", about),
//! ]);
//!
//! fn home(_: &Request) -> Response {
//!     Response::text("Welcome to RohithBuilds Backend!")
//! }
//!
//! fn about(_: &Request) -> Response {
//!     Response::text("Built with Python + Flask")
//! }
//!
//! # use std::io::{Read, Write};
//! let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
//!
//! let mut client = std::net::TcpStream::connect(server.address())?;
//! client.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(answer.ends_with("\r\n\r\nWelcome to RohithBuilds Backend!"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # The walk of one request
//!
//! Ten steps, from a click in the browser to what the page then shows:
//!
//! 1. **The click.** The page's JavaScript or form makes the browser connect and send the bytes of a
//!    request: `POST /api/likes`.
//! 2. **Accept.** A worker thread [accepts](net::accept) the connection, takes a permit, and wraps the
//!    socket in a [tap](net::observer) if there is an observer.
//! 3. **Read.** The [connection](net::connection) loops: `while let Some(exchange) = self.next()?`.
//!    [`net::transport`] reads until a head is complete, with one deadline for all of it and a limit on
//!    its size.
//! 4. **Head.** [`Head::parse`](message::head::Head::parse) takes it apart, and
//!    [`Target::parse`](message::target::Target::parse) the target. What breaks a rule is a
//!    [`Refusal`](message::refusal::Refusal): a 400 that shows the byte.
//! 5. **Framing.** [`Framing::of`](message::framing::Framing::of) decides where the content ends. What two
//!    recipients could read in two ways is refused: two lengths, or a length and a coding.
//! 6. **Route.** The [exchange](net::exchange) looks the [route](mod@route) up *before* it reads the content,
//!    so that 404, 405 and 413 reach a client that waits for `100 Continue`.
//! 7. **Content.** The content (body) is read, by length or [chunk by chunk](message::chunked), within
//!    its limit.
//! 8. **Handler.** The function of the row runs: `fn add(request: &Request<Site>) -> Response`. It
//!    stores the like. A panic becomes a 500.
//! 9. **Response.** [`Persistence`] says whether the connection stays open,
//!    [`encode_head`](message::encode::encode_head) makes the bytes, and [one write](net::delivery) sends
//!    them.
//! 10. **The page.** The browser shows the result. The connection goes back to step 3 with the bytes that
//!     have arrived already, or it is closed so that the response is not lost.
//!
//! # The chapters, in reading order
//!
//! | part | chapters |
//! |---|---|
//! | I. The connection | [server](net::server), [what threads share](net::shared), [accept](net::accept), [the registry and permits](net::connections), [shutdown](net::shutdown), [throttled messages](net::throttle), [connection](net::connection), [exchange](net::exchange), [transport](net::transport) |
//! | II. The request | [head](message::head), [target](message::target), [header fields](message::fields), [framing](message::framing), [chunked](message::chunked) |
//! | III. The response | [routes](mod@route), [request](mod@request), [response](message::response), [encode](message::encode), [delivery](net::delivery), [persistence](message::persistence) |
//! | IV. Errors | [refusals](message::refusal), [the line and a caret](message::caret), [the corrected line](message::corrected) |
//! | V. Observing | [observer](net::observer), [outline](message::outline), [responses](message::responses), [dialogue](message::dialogue), [reader](message::reader), [ending](message::ending), [transcript](mod@transcript), [assertions judged](transcript::judge), [explain](transcript::explain) |
//! | Appendices | [limits](message::limits), [methods](message::method), [status codes](message::status), [date](message::date), [visible bytes](message::visible), [glossary](transcript::glossary) |
//!
//! `make book` opens all of it, the private chapters too.
//!
//! # Which part imports which
//!
//! [`message`] is HTTP as bytes and rules: no sockets, threads, clocks or logs. [`route`] and
//! [`request`] are the table and what a handler sees. [`net`] is sockets, threads and time.
//! [`transcript`] is the text format, as pure as `message`. `net` imports `route`, `request` and
//! `message`, never the other way round, and `transcript` imports `message` alone. A test checks that.
//!
//! # What is left out
//!
//! TLS, HTTP/2, WebSocket, async, middleware, macros, path patterns beyond one trailing `/*`,
//! templates, compression, uploads, CGI, proxying, virtual hosts, a configuration file. A proxy in
//! front, a service manager or a framework does those.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

// A user of the library finds all public names on its first page. `make book` shows the modules too.
#[cfg_attr(not(book), doc(hidden))]
pub mod message;
#[cfg_attr(not(book), doc(hidden))]
pub mod route;
#[cfg_attr(not(book), doc(hidden))]
pub mod request;
#[cfg_attr(not(book), doc(hidden))]
pub mod net;
pub mod transcript;

pub use message::fields::FieldLines;
pub use message::head::Version;
pub use message::limits::Limits;
pub use message::method::Method;
pub use message::persistence::Persistence;
pub use message::response::{BadField, Response};
pub use message::status::Status;
pub use message::target::form;
pub use net::observer::{Answered, End, Observer};
pub use net::server::{Server, ServerHandle, Stopper};
pub use net::shared::Clock;
pub use request::Request;
pub use route::{Handler, Route, Routes, delete, get, patch, post, put, routes};
pub use transcript::Transcript;
