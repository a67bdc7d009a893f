//! Tests of the library as another program uses it: in this process, with its public names only.
//!
//! ```text
//! server    the settings of a server, and how a stream sees its stop
//! handle    a server in a test: start, stop, and what is left of it
//! answers   raw answers, fields left out, answers in turn, content that a function writes
//! faults    each fault, and what curl, Python and a raw socket see of it
//! mock      `Mock` and `check` as calls
//! peers     examples of other mock servers, written with this library
//! fallback  the handler for the requests that no row answers
//! files     the path of a file that a request names, and the files of a folder
//! observer  what an observer is told, and in which order
//! observe   the trace, recordings and kept exchanges of a library server
//! carets    the caret and the corrected line in the response to a malformed request
//! client    the client for tests: framing, ends, and what its errors show
//! readme    the test that README shows
//! unix_socket  servers and mocks that listen on a Unix socket
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod carets;
mod client;
mod fallback;
mod faults;
mod files;
mod handle;
mod mock;
mod observe;
mod observer;
mod peers;
mod readme;
mod server;
#[cfg(unix)]
mod unix_socket;
