//! # Observe: see what crosses
//!
//! Three viewers of a server's connections. Each is told by a [`Follower`] what crosses, byte for byte,
//! and which bytes are head and content. The methods of [`Server`](crate::Server) make a follower each;
//! one follower can have several viewers, and viewers with options:
//!
//! ```
//! # use std::sync::Arc;
//! # use openkitchen::{Server, StartError};
//! use openkitchen::observe::{Exchanges, Follower, Trace, TraceOptions};
//!
//! let trace = Trace::on_stdout(TraceOptions { explain: true, ..TraceOptions::default() });
//! let exchanges = Exchanges::new(100);
//! let follower = Follower::new(vec![Arc::new(trace), exchanges.viewer()]);
//! let server = Server::bind("127.0.0.1:0")?.observed_by(Arc::new(follower));
//! # Ok::<(), StartError>(())
//! ```
//!
//! | viewer | what it does |
//! |---|---|
//! | [`Trace`] | prints each exchange as it happens: [`Server::traced`](crate::Server::traced) |
//! | [`Recorder`] | writes each connection to a file: [`Server::recorded_in`](crate::Server::recorded_in) |
//! | [`Exchanges`] | keeps the last exchanges in memory: [`Server::keep`](crate::Server::keep) |
//!
//! ```
//! use openkitchen::{Request, Response, Routes, Server, get, routes};
//! # use std::io::{Read, Write};
//!
//! static ROUTES: Routes = routes(&[get("/", home)]);
//!
//! fn home(_: &Request) -> Response {
//!     Response::text("Welcome!")
//! }
//!
//! let server = Server::bind("127.0.0.1:0")?.traced().keep(100).start(&ROUTES, ())?;
//!
//! let mut client = std::net::TcpStream::connect(server.address())?;
//! client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
//! client.read_to_string(&mut String::new())?;
//!
//! let kept = server.exchange(1);
//! assert_eq!(kept.request.bytes(), b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
//! assert!(kept.response.bytes().starts_with(b"HTTP/1.1 200 OK\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! [`Server::observed_by`](crate::Server::observed_by) adds an observer of your own.
//!
//! Left out: changing what crosses. An observer sees, and no byte is changed, added or held back.
//! Next: [`follower`], then [`trace`].

pub mod follower;
pub mod trace;
pub mod record;
pub mod exchanges;
pub mod feed;

#[doc(inline)]
pub use exchanges::{Exchanges, FeedEvent, Happened, KeptBytes, KeptExchange, ReadOrWrite, Wanted};
#[doc(inline)]
pub use feed::{ConnectionState, KeptConnection};
#[doc(inline)]
pub use follower::Follower;
#[doc(hidden)]
// a viewer of another program would need the module `message`, which is hidden too
pub use follower::{FollowedBytes, Viewer};
#[doc(inline)]
pub use record::Recorder;
#[doc(inline)]
pub use trace::{Trace, TraceOptions};
