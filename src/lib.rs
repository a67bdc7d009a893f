//! # Open Kitchen: an HTTP/1.1 server that shows every byte
//!
//! An HTTP/1.1 server on `std::net`: one thread for each connection, a static table of routes, no
//! framework. [`httparse`](https://docs.rs/httparse) splits a head, and the rest is here.
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
//! # The server and its three parts
//!
//! | to | start at |
//! |---|---|
//! | serve | [`Server`], then [`Routes`], [`Request`] and [`Response`]; [`Limits`] bounds what a client may ask for; [`Files`] serves a folder |
//! | test a client | [`Answers`] start a server in a line, [`Server::start`] one with routes and state; [`Response::raw`] and [`Fault`] send what no correct server would; [`Mock`] plays a transcript |
//! | test a server | [`Client`] sends any bytes, [`check`] plays a transcript, [`assert_bytes!`] compares bytes; [`recipes`] has examples for all of it |
//! | see the bytes that cross | [`observe`]: [`Server::traced`] prints them, [`Recorder`] writes them to files, [`Exchanges`] keeps the last ones in memory |
//! | play one side of a connection | [`play`]: send bytes to any server, check it against a transcript, or be a server ([`Mock`]) with exact bytes |
//! | read and write the bytes as text | [`transcript`], the format that all of them share: [`Transcript`] |
//!
//! # Logging, panics and signals
//!
//! Without [`Server::traced`], the library prints nothing, except where a test fails: see
//! [`ServerHandle`]. It logs through the `log` crate: choose a logger, such as env_logger. A
//! handler's panic becomes a 500, and its message goes to stderr as in any Rust program. An
//! observer's panic changes nothing for the client. The library handles no signals, so SIGTERM ends
//! the process at once, unless a thread of the program waits for it and calls [`Stopper::stop`].
//! Nor does it reap the children that a program has as PID 1 of a container.
//!
//! # The walk of one request
//!
//! Ten steps, from a click in the browser to what the page then shows. `make book` opens the source as a
//! book, with each of these files as a chapter.
//!
//! 1. **The click.** The page's JavaScript or form makes the browser connect and send the bytes of a
//!    request: `POST /api/likes`.
//! 2. **Accept.** A worker thread accepts the connection (`net/accept.rs`), takes a permit, and wraps the
//!    socket in a tap (`net/observer.rs`).
//! 3. **Read.** `net/connection.rs` loops: `while let Some(exchange) = self.next()?`. `net/transport.rs`
//!    reads until a head is complete, with one deadline for all of it and a limit on its size.
//! 4. **Head.** The head is taken apart (`message/head.rs`), and its target (`message/target.rs`). What
//!    breaks a rule is refused: a 400 that shows the byte (`message/refusal.rs`, `message/caret.rs`).
//! 5. **Framing.** Where does the content end (`message/framing.rs`)? What two recipients could read in
//!    two ways is refused: two lengths, or a length and a coding.
//! 6. **Route.** The route is looked up (`route.rs`) *before* the content is read, so that 404, 405 and 413
//!    reach a client that waits for `100 Continue` (`net/exchange.rs`).
//! 7. **Content.** The content (body) is read, by length or chunk by chunk (`message/chunked.rs`), within
//!    its limit.
//! 8. **Handler.** The function of the row runs: `fn add(request: &Request<Site>) -> Response`
//!    (`request.rs`, `message/response.rs`). It stores the like. A panic becomes a 500.
//! 9. **Response.** It is decided whether the connection stays open (`message/persistence.rs`). The
//!    response becomes bytes (`message/encode.rs`), which one write sends (`net/delivery.rs`).
//! 10. **The page.** The browser shows the result. The connection goes back to step 3 with the bytes that
//!     have arrived already, or it is closed so that the response is not lost.
//!
//! # What is left out
//!
//! TLS, HTTP/2, WebSocket, async, middleware, macros, path patterns beyond one trailing `/*`,
//! templates, compression, uploads, CGI, proxying, virtual hosts, a configuration file. A proxy in
//! front, a service manager or a framework does those.
#![cfg_attr(book, doc = "\n", doc = include_str!("book.md"))]
#![deny(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

// A user of the library finds all public names on its first page. `make book` shows the modules too.
#[cfg_attr(not(book), doc(hidden))]
pub mod message;
#[cfg_attr(not(book), doc(hidden))]
pub mod route;
#[cfg_attr(not(book), doc(hidden))]
pub mod request;
#[cfg_attr(not(book), doc(hidden))]
pub mod files;
#[cfg_attr(not(book), doc(hidden))]
pub mod net;
pub mod transcript;
pub mod observe;
pub mod play;
#[cfg_attr(not(book), doc(hidden))]
#[allow(unsafe_code, reason = "calls that std does not have")]
pub mod sys;
#[doc = include_str!("recipes.md")]
pub mod recipes {}

pub use files::Files;
pub use message::fields::FieldLines;
pub use message::head::Version;
pub use message::limits::Limits;
pub use message::method::Method;
pub use message::persistence::Persistence;
pub use message::response::{BadField, Response};
pub use message::status::Status;
pub use message::steps::{DeliveryStep, Fault, IntoBytes};
pub use message::target::form;
pub use net::handle::ServerHandle;
pub use net::health::Health;
pub use net::observer::{Answered, End, Observer};
pub use net::server::{Server, Stopper};
pub use net::shared::{Clock, Scheduling};
pub use net::start_error::StartError;
#[doc(inline)]
pub use observe::{Exchanges, KeptBytes, KeptExchange, ReadOrWrite, Recorder, Trace};
#[doc(inline)]
pub use play::check::{Caret, Cause, CheckReport, Difference, check, check_within};
#[doc(inline)]
pub use play::client::{Client, ClientError, Ended, ReceivedResponse};
#[doc(inline)]
pub use play::mock::answers::Answers;
#[doc(inline)]
pub use play::mock::{
    Mock, MockDifference, MockEvent, MockReport, MockVerdict, MockedConnection, StartedMock,
};
pub use request::Request;
pub use route::{
    Fallback, Handler, Route, RouteMethod, RouteRow, Routes, any, delete, get, patch, post, put,
    routes,
};
pub use sys::Listener;
#[doc(inline)]
pub use transcript::{EventKind, ParseError, Side, Transcript};
