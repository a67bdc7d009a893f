//! # Open ServerProcess: the HTTP/1.1 server with glass walls
//!
//! In most restaurants a door says "ServerProcess staff only". Here the wall is glass: each order that goes
//! through the slot can be seen, byte for byte, and the recipe can be read beside it.
//!
//! This page is the contents page of a book. The book is the source: one thread for each connection, a
//! static table of routes, no framework. It is written on `std::net`, with [`httparse`](https://docs.rs/httparse)
//! to split a head, and it leaves out nothing that HTTP/1.1 asks of an origin server.
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
//! 1. A thread stands at the [`door`](net::accept) and accepts; the socket gets a [tap](net::observer) if
//!    somebody watches.
//! 2. The [conversation](net::connection) begins: `while let Some(exchange) = self.next()?`. The call
//!    stack is the state machine.
//! 3. [`net::transport`] reads until [`Head::parse`](message::head::Head::parse) says that a head is
//!    complete: one deadline for all of it, and a bound on its size.
//! 4. [`Target::parse`](message::target::Target::parse) says what is asked for, and
//!    [`Framing::of`](message::framing::Framing::of) where the content ends. What could be read in two
//!    ways is refused there: a second Content-Length is `Refusal::LengthTwice`.
//! 5. In the [exchange](net::exchange), the [route table](route) is asked *before* the content is read:
//!    404, 405 and 413 can then be said to a client that waits with its content.
//! 6. The content is read, by length or [chunk by chunk](message::chunked).
//! 7. The handler runs: `fn home(_: &Request) -> Response`. If it panics, that is a 500.
//! 8. [`Persistence`](message::persistence::Persistence) says whether the connection stays, and
//!    [`encode_head`](message::encode::encode_head) writes the answer, which is [sent](net::delivery) in
//!    one write.
//! 9. Back to 3, with the bytes that have already come; or a goodbye that loses nothing.
//!
//! # The chapters
//!
//! | part | chapters |
//! |---|---|
//! | I. The line | 1 [a port opens](net::server), 1b [the door](net::accept), 1c [who is in](net::connections), 1d [to a seat](net::shared), 1e [said once](net::throttle), 2 [a conversation](net::connection), 2b [one question, one answer](net::exchange), 3 [bytes take time](net::transport) |
//! | II. The question | 4 [what the client says](message::head), 4b [what is asked for](message::target), 5 [names and values](message::fields), 6 [where the content ends](message::framing), 7 [content without a length](message::chunked) |
//! | III. The answer | 8 [which function](route), 9 [what it returns](message::response), 10 [the answer as bytes](message::encode), 10b [on its way](net::delivery), 11 [again, or goodbye](message::persistence) |
//! | IV. The glass | 12 [saying no](message::refusal), 13 [watching the wire](net::observer), 14 [reading over the shoulder](message::reader), 14b [where a message ends](message::ending), 15 [the transcript](transcript), 15b [assertions judged](transcript::judge), 16 [what the bytes mean](transcript::explain) |
//! | Appendices | [every number](message::limits), [methods](message::method), [status codes](message::status), [the date](message::date), [bytes that are safe to show](message::visible), [the glossary](transcript::glossary) |
//!
//! `make book` opens all of it, the private chapters too.
//!
//! # Three rings
//!
//! [`message`] is HTTP as bytes and rules, and knows no socket. [`route`] is the table. [`net`] is
//! sockets, threads and time. Imports run inwards only, which a test holds; [`transcript`] stands
//! beside the rings and is as pure as the first.
//!
//! # What is left out
//!
//! TLS, HTTP/2, WebSocket, async, middleware, macros, path patterns beyond one trailing `/*`,
//! templates, compression, uploads, CGI, proxying, virtual hosts, a configuration file. A proxy in
//! front, a service manager or a framework does those, and this book would be about them.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

pub mod message;
pub mod route;
pub mod request;
pub mod net;
pub mod transcript;

pub use message::limits::Limits;
pub use message::method::Method;
pub use message::response::{BadField, Response};
pub use message::status::Status;
pub use message::target::form;
pub use net::observer::{Answered, End, Observer};
pub use net::server::{Server, ServerHandle, Stopper};
pub use request::Request;
pub use route::{Handler, Route, Routes, delete, get, patch, post, put, routes};
pub use transcript::Transcript;
