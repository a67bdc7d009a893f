//! Tests of the library as another program uses it: in this process, with its public names only.
//!
//! ```text
//! server    the settings of a server, and how a stream sees its stop
//! fallback  the handler for the requests that no row answers
//! files     the path of a file that a request names, and the files of a folder
//! observer  what an observer is told, and in which order
//! observe   the trace, recordings and kept exchanges of a library server
//! carets    the caret and the corrected line in the response to a malformed request
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

mod carets;
mod fallback;
mod files;
mod observe;
mod observer;
mod server;
